/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a domain's directory can be reached: a TCP connect to the LDAP port of each of its domain
 * controllers, again and again, on a thread of its own (names are looked up there, which may take long).
 */
#pragma once

#include "cluster/record.h"
#include "cluster/synchronizer.h"

#define DIRECTORIES_MAX 64u

struct directory_address {
    char domain[DOMAIN_MAX_SIZE];
    char host[ENDPOINT_MAX_SIZE];
    char port[8];
};

/* "DOMAIN HOST", "DOMAIN HOST:PORT", "DOMAIN [IPv6]:PORT"; port 389 unless it says otherwise. False when it
 * is none of these. */
bool directory_address_read(struct directory_address *address, const char *text);

struct directory_probe;

/* Tries each address every `period` (ns). NULL without memory or thread. */
struct directory_probe *directory_probe_start(const struct directory_address *addresses, unsigned count,
                                              int64_t period);
void directory_probe_stop(struct directory_probe **probe);

/* Any thread. Reached by the last try of any of the domain's controllers; true for a domain without any. */
bool directory_probe_reachable(struct directory_probe *probe, const char *domain);

/* Any thread: what is known of the i-th address. False past the last. */
struct directory_state {
    char domain[DOMAIN_MAX_SIZE];
    char address[ENDPOINT_MAX_SIZE + 16];
    bool reachable;
    int64_t tried;   /* wall ms; 0: not yet */
    char reason[64]; /* of a failure */
};
bool directory_probe_state(struct directory_probe *probe, unsigned i, struct directory_state *state);
