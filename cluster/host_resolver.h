/* SPDX-License-Identifier: Apache-2.0
 *
 * DNS names become addresses on a thread of their own: getaddrinfo() may take many seconds, and inside
 * libzmq it would hold up every link of the I/O thread. All addresses of both families come back, so that
 * they can be tried in turn; libzmq itself would try the first only.
 */
#pragma once

#include "base/address.h"

#define HOST_RESOLVER_ADDRESSES 8u
#define HOST_RESOLVER_QUEUE     64u

struct host_resolver;

struct host_resolver_answer {
    uint64_t ticket;
    unsigned count; /* 0: no such name, or nobody answered */
    struct ip_address addresses[HOST_RESOLVER_ADDRESSES];
};

/* NULL without memory, descriptors or threads. */
struct host_resolver *host_resolver_new(void);
/* Does not wait for a look-up that is still under way. */
void host_resolver_destroy(struct host_resolver **self_p);

/* Readable while answers wait. */
int host_resolver_descriptor(const struct host_resolver *self);

/* Asks for a name; the answer bears the ticket. False when HOST_RESOLVER_QUEUE are waiting. */
bool host_resolver_ask(struct host_resolver *self, uint64_t ticket, const char *host);

/* The next answer; false when there is none. Never waits. */
bool host_resolver_take(struct host_resolver *self, struct host_resolver_answer *answer);
