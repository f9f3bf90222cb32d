/* SPDX-License-Identifier: Apache-2.0
 *
 * What a receiver remembers of whom it receives from: of each node how far it has come, of each domain the
 * greatest fence. It stands in the log with what was received (LOG_STATE, and the entries behind it), so it
 * is never older or newer than that. Pure.
 */
#pragma once

#include "base/batch_fence.h"
#include "base/delivery.h"
#include "center/received_log.h"
#include "cluster/claim.h"

#define SOURCES_MAX       32768u
#define SOURCES_DOMAINS   1024u
#define SOURCES_STATE_MAX (4000u * 1024u)

struct source {
    struct node_id id;
    uint32_t key_generation; /* of the newest certificate that it showed */
    struct delivery_source delivery;
};

struct sources;

/* NULL without memory. */
struct sources *sources_new(uint64_t seed);
void sources_destroy(struct sources **sources);

/* The number of a node, by which sources_at finds it; made when it is not known. SOURCES_MAX: there are too
 * many. Nodes are never forgotten. */
uint32_t sources_number(struct sources *sources, const struct node_id *id);
struct source *sources_at(struct sources *sources, uint32_t number);
uint32_t sources_count(const struct sources *sources);

/* Whether the batch's fence is above all that came of its domain. False: `*holder` is what beats it. */
bool sources_accept(const struct sources *sources, const struct batch_fence *fence, struct fence *holder);
/* It was stored. False: too many domains. */
bool sources_raise(struct sources *sources, const struct batch_fence *fence);

/* All of it, for the log; valid until the next call. */
struct bytes sources_state(struct sources *sources);
/* Takes in an entry that stands in the log. */
void sources_recover(struct sources *sources, const struct log_entry *entry);
