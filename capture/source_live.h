/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets of an interface, by libpcap: TPACKET_V3 ring, no immediate mode (blocks are handed over when they
 * are full or after 100 ms), non-blocking with a descriptor to wait on. Several sources may share an
 * interface: the kernel then spreads the flows among them (PACKET_FANOUT), whole flows to one source.
 */
#pragma once

#include "capture/packet.h"

#include <stdbool.h>
#include <stddef.h>

struct live_options {
    const char *interface;
    const char *filter;    /* BPF as text; NULL or "": all packets */
    int snaplen;           /* bytes of a packet that are kept; 0: 65535 */
    int ring_bytes;        /* 0: 48 MiB */
    bool fanout;           /* share the interface within `fanout_group` */
    uint16_t fanout_group; /* unique on the machine */
};

struct live_counters {
    uint64_t received;  /* packets that passed the filter */
    uint64_t dropped;   /* by the kernel: the ring was full */
    uint64_t ifdropped; /* by the interface or its driver */
};

struct live_source;

typedef void (*live_packet)(void *context, const struct packet *packet);

/* NULL when it cannot be opened; the reason goes to `error`, and `again` tells whether it may succeed later
 * (the interface is absent or down). The caller closes it. */
struct live_source *live_source_open(const struct live_options *options, char *error, size_t error_size,
                                     bool *again);
void live_source_close(struct live_source **source_p);

/* Readable when packets wait. */
int live_source_descriptor(const struct live_source *source);

/* Hands over the packets that wait, `max` at most or about; how many, or -1 when the interface is gone. */
int live_source_read(struct live_source *source, int max, live_packet give, void *context);

/* Another filter from now on; false when the interface does not take it (then the one before stays). */
bool live_source_filter(struct live_source *source, const char *filter);

/* Since the source was opened. */
void live_source_counters(struct live_source *source, struct live_counters *counters);

/* NULL when the filter can be compiled; otherwise what is wrong with it (valid until the next call). */
const char *live_filter_error(const char *filter);
