/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads an event log file from disk, whole, a chunk at a time: the memory it takes does not depend on the
 * file.
 */
#pragma once

#include "base/fault.h"
#include "events/evtx.h"

#include <stdint.h>

struct evtx_file_config {
    event_sink sink;
    void *context;
    /* How far it is, after each chunk. May be NULL. */
    void (*progress)(void *context, uint64_t done);
};

/* The events of the file behind the descriptor, from its beginning to its end. Counts are added up. False
 * with the reason when it cannot be read or is no event log; what came before was handed on. */
bool evtx_file_read(int descriptor, const struct evtx_file_config *config, struct evtx_counters *counters,
                    struct fault *fault);

/* The first `size` bytes of a chunk of an open file, by its place, from 0: how many there are; 0 behind the
 * end of the file; -1 with errno. */
int64_t evtx_file_chunk(int descriptor, uint32_t place, uint8_t *to, size_t size);

/* The header of an open file, and how many of its chunks may be in use. False when it is no event log. */
bool evtx_file_header(int descriptor, struct evtx_header *header, uint32_t *chunks);
