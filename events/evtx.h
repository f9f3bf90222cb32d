/* SPDX-License-Identifier: Apache-2.0
 *
 * Windows event log files (.evtx): a header of 4 KiB, then chunks of 64 KiB, each whole in itself. Pure:
 * bytes in, events out, a chunk at a time. Checksums that are wrong are counted, and what can be read is
 * read.
 */
#pragma once

#include "events/event.h"

#define EVTX_HEADER_BYTES 4096u
#define EVTX_CHUNK_BYTES  65536u

struct evtx_header {
    uint16_t chunks;      /* in use, as it says; of a log that was not closed it may be too few */
    uint64_t next_record; /* that will be written */
    bool dirty;           /* the log was not closed: it was copied while in use */
    bool bad_checksum;
};

struct evtx_counters {
    uint64_t chunks;        /* with records */
    uint64_t records;       /* that were read */
    uint64_t bad_checksums; /* of headers, and of the records of a chunk */
    uint64_t bad_chunks;    /* whose header is none, though there is something */
    uint64_t bad_records;   /* that could not be read whole: left out */
};

/* Whether the first bytes (8 are enough) are those of such a file. */
bool evtx_recognise(struct bytes start);

/* The first EVTX_HEADER_BYTES; false when they are no header of a version that is known. */
bool evtx_read_header(struct bytes bytes, struct evtx_header *to);

struct evtx;

/* What reading needs: room for one event. NULL without memory. */
struct evtx *evtx_new(void);
void evtx_destroy(struct evtx **evtx);

/* Hands the events of a chunk (EVTX_CHUNK_BYTES, the last of a file that was cut may have less) to the sink,
 * in their order, those with a record number above `after`. Returns the highest number that was handed on, at
 * least `after`. Numbers are those of the file: events that were collected from other computers bear their
 * own. */
uint64_t evtx_chunk(struct evtx *evtx, struct bytes chunk, uint64_t after, event_sink sink, void *context,
                    struct evtx_counters *counters);

/* What the heads of a chunk's records say, without reading them. */
struct evtx_outline {
    uint64_t highest; /* record number; 0: no record */
    uint64_t time; /* when the record that was asked for was written, as the log counts; 0: it is not here */
};

struct evtx_outline evtx_look_up(struct bytes chunk, uint64_t record);
