/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks computers for their names: the sockets and the thread around the prober. No credentials are sent, and
 * nothing that a computer answers is believed but as what it says of itself.
 */
#pragma once

#include "base/fault.h"
#include "naming/prober.h"

struct name_asker_config {
    struct prober_config prober;
    struct endpoint dns_server;   /* no address: the first of the system's */
    uint16_t ports[NAME_METHODS]; /* 0: the protocol's */
    int64_t patience;             /* ns that a computer has to answer; 0: 2 s */
    /* Both on the asker's thread. A name; possibly one by each method. */
    void (*named)(void *context, const struct ip_address *address, enum name_method method,
                  const struct name_answer *answer);
    /* All that will be known of the address is known. */
    void (*done)(void *context, const struct ip_address *address);
    void *context;
};

struct name_asker;

/* NULL with the reason. Without a DNS server NAME_BY_DNS is off. */
struct name_asker *name_asker_start(const struct name_asker_config *config, struct fault *fault);
/* What is being asked is given up, without `done`. */
void name_asker_stop(struct name_asker **asker);

/* --- any thread, none waits --- */

/* Whether `done` will be called for the address soon enough to be waited for (PROBER_PATIENCE). When it is
 * not, it may be all the same, and `named` too. */
bool name_asker_ask(struct name_asker *asker, const struct ip_address *address);
void name_asker_counters(struct name_asker *asker, struct prober_counters *counters);
/* Whether the method is in use. */
bool name_asker_has(const struct name_asker *asker, enum name_method method);
