/* SPDX-License-Identifier: Apache-2.0
 *
 * What candidates ask before they replace a silent holder (QUERY), what is answered (HAVE), and the wishes
 * that are passed on to a holder (ASK). Messages only: what follows from them is election.c's.
 *
 * Private to the core.
 */
#pragma once

#include "cluster/cluster_internal.h"

enum ask_verb {
    ASK_YIELD = 1,
};

/* Asks the holder, all neighbours and some candidates of the domain, whether anybody heard the holder later
 * than `silence` ms ago. */
void inquiry_send(struct cluster *self, uint32_t domain, const struct node_id *holder, int64_t silence);

/* Answers a QUERY when this node knows better, that is: has a heartbeat newer than the asker's, or is the
 * holder. */
void inquiry_answer(struct cluster *self, const struct node_id *asker, const struct node_id *holder,
                    uint64_t incarnation, uint32_t sequence);

void inquiry_ask(struct cluster *self, const struct node_id *holder, const char *domain, enum ask_verb verb);
