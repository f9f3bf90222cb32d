/* SPDX-License-Identifier: Apache-2.0
 *
 * DNS names become addresses on a thread of their own: getaddrinfo() may take many seconds, and inside
 * libzmq it would hold up every link of the I/O thread. All addresses of both families come back, so that
 * they can be tried in turn; libzmq itself would try the first only.
 */
#pragma once

#include "base/address.h"

#define RESOLVER_ADDRESSES 8u
#define RESOLVER_QUEUE     64u

struct resolver;

struct resolver_answer {
    uint64_t ticket;
    unsigned count; /* 0: no such name, or nobody answered */
    struct ip_address addresses[RESOLVER_ADDRESSES];
};

/* NULL without memory, descriptors or threads. */
struct resolver *resolver_new(void);
/* Does not wait for a look-up that is still under way. */
void resolver_destroy(struct resolver **self_p);

/* Readable while answers wait. */
int resolver_descriptor(const struct resolver *self);

/* Asks for a name; the answer bears the ticket. False when RESOLVER_QUEUE are waiting. */
bool resolver_ask(struct resolver *self, uint64_t ticket, const char *host);

/* The next answer; false when there is none. Never waits. */
bool resolver_take(struct resolver *self, struct resolver_answer *answer);
