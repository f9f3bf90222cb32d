/* SPDX-License-Identifier: Apache-2.0
 *
 * What could not be understood: counted for each source (input, format, address), and the last of it kept for
 * people to look at. All of it is bounded, whoever sends. Any thread.
 */
#pragma once

#include "base/address.h"
#include "base/cursor.h"

#define QUARANTINE_ENTRIES 256u  /* kept, the newest */
#define QUARANTINE_BYTES   2048u /* of each */
#define QUARANTINE_SOURCES 256u  /* counted each on its own; of the others, their sum */

/* Whose it is. The strings are constants of the program. */
struct quarantine_origin {
    const char *input;         /* "syslog" */
    const char *format;        /* "cef"; "unknown" */
    struct ip_address address; /* family 0: of no address (a file) */
};

struct quarantine_entry {
    struct quarantine_origin origin;
    const char *reason; /* a constant */
    int64_t time;       /* wall ns */
    uint64_t number;    /* counts up from 1 */
    size_t whole;       /* bytes that it had */
    size_t size;        /* that are kept */
    uint8_t bytes[QUARANTINE_BYTES];
};

struct quarantine_source {
    struct quarantine_origin origin;
    uint64_t count;
    int64_t last; /* wall ns */
};

struct quarantine;

/* `seed`: that senders do not know. NULL without memory. */
struct quarantine *quarantine_new(uint64_t seed);
void quarantine_destroy(struct quarantine **quarantine);

void quarantine_put(struct quarantine *quarantine, const struct quarantine_origin *origin, const char *reason,
                    struct bytes message, int64_t time);

/* The newest entry with a number below `before` (UINT64_MAX: the newest of all). False: none is kept. */
bool quarantine_before(struct quarantine *quarantine, uint64_t before, struct quarantine_entry *to);

/* At most `max` sources in no order; returns how many. `*others`: messages of sources that had no place. */
uint32_t quarantine_sources(struct quarantine *quarantine, struct quarantine_source *to, uint32_t max,
                            uint64_t *others);
