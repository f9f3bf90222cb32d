/* SPDX-License-Identifier: Apache-2.0
 *
 * The TCP connections of a ZeroMQ socket, as its monitor tells of them: their number is bounded, those on
 * which nobody speaks up are ended, and a single one can be ended. docs/cluster-transport.md tells why.
 * `since` and `now` are in any unit of one clock.
 */
#pragma once

#include "cluster/tcp_address.h"

#include <stdbool.h>

#define NO_FD (-1)

/* What a monitor tells. */
struct socket_event {
    unsigned type; /* ZMQ_EVENT_* */
    int fd;        /* or an error's number, as the type has it */
    char endpoint[TCP_ADDRESS_MAX];
};
/* The next event of a monitor's PAIR socket; false when there is none (or no monitor: NULL). */
bool socket_event_take(void *monitor, struct socket_event *event);

/* Ends a connection, if its other end is still `address`: descriptors are used again. */
void connection_cut(int fd, const char *address);
/* The other end's address; empty when there is none. */
void connection_address(int fd, char to[TCP_ADDRESS_MAX]);

/* A connection that a listening socket accepted. */
struct inbound {
    int fd;
    int64_t since;
    bool spoke; /* a node said hello */
    bool shut;
    char address[TCP_ADDRESS_MAX];
};
struct inbound_table {
    struct inbound *entries;
    uint32_t count, max, capacity;
};

bool inbound_init(struct inbound_table *table, uint32_t max);
void inbound_free(struct inbound_table *table);
/* False: one too many, and cut. */
bool inbound_add(struct inbound_table *table, int fd, int64_t now);
void inbound_remove(struct inbound_table *table, int fd);
void inbound_spoke(struct inbound_table *table, int fd);
/* Cuts those that have existed since before `since` and did not speak. Returns how many. */
uint32_t inbound_cut_silent(struct inbound_table *table, int64_t since);
