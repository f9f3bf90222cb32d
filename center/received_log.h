/* SPDX-License-Identifier: Apache-2.0
 *
 * What the center received, in order, on disk: what it acknowledged is here, and everything behind it (the
 * pipeline) reads it from here by position. One process appends; any number read, also other processes.
 *
 * Files: DIRECTORY/HHHHHHHHHHHHHHHH.segment (cluster/segment.h), named by the number of the segment in
 * hexadecimal. Positions are the sequences of the entries, from 1, without gaps but where the disk lost some.
 * Each segment begins with an entry LOG_STATE: what the receiver must remember at that point, so that only
 * the newest segment has to be read at the start and older ones can be removed.
 */
#pragma once

#include "cluster/node_id.h"
#include "cluster/segment.h"

enum log_kind {
    LOG_ACTIVITIES = 1, /* a batch as the node sent it: DELIVERY_ACTIVITIES, DELIVERY_ENTITIES */
    LOG_ENTITIES = 2,
    LOG_REFUSED = 3,   /* a batch was refused; the content is the reason as text */
    LOG_STATE = 4,     /* the receiver's memory; nobody else's business */
    LOG_MALFORMED = 5, /* likewise refused, for it was none: nobody knows what it told */
};

#define LOG_CONTENT_MAX (SEGMENT_PAYLOAD_MAX - 64u)

/* Where an entry is from. All zero with LOG_STATE. */
struct log_origin {
    struct node_id node;
    uint64_t generation, sequence; /* of the node's spool */
    int64_t closed;                /* ns since 1970, the node's clock: when the batch was closed */
};

struct log_entry {
    uint64_t position;
    int64_t wall; /* ns since 1970: when it was received */
    enum log_kind kind;
    struct log_origin origin;
    struct bytes content;
};

/* -- appending ------------------------------------------------------------------------------------------- */

struct received_log_config {
    const struct disk *disk;
    const char *directory; /* of its own, there already */
    size_t segment_bytes;  /* at least 8 MiB, so that any entry fits */
    uint64_t bytes_max;    /* the oldest segments beyond are removed; 0: none ever */
    /* The receiver's memory, valid until the next call: how each segment begins. */
    struct bytes (*state)(void *context);
    /* Hears, at the start, of the newest segment's entries in order; the first is a LOG_STATE. */
    void (*recover)(void *context, const struct log_entry *entry);
    void *context;
};

struct received_log;

/* NULL with the reason. What stands behind the last whole entry is cut away; all that is left is durable. */
struct received_log *received_log_open(const struct received_log_config *config, struct fault *fault);
void received_log_close(struct received_log **log);

/* Not durable yet. False with the reason (the disk; or too large): then the log has to be opened anew. */
bool received_log_append(struct received_log *log, int64_t wall, enum log_kind kind,
                         const struct log_origin *origin, struct bytes content, struct fault *fault);
/* Makes durable what was appended. False: nothing that was appended since the last time is sure; open it
 * anew. */
bool received_log_sync(struct received_log *log, struct fault *fault);

struct received_log_status {
    uint64_t first, last; /* positions; last < first: none */
    uint64_t bytes;
    uint64_t damaged; /* places where a crash or the disk took something */
};
void received_log_status(const struct received_log *log, struct received_log_status *status);

/* Removes the oldest segments to which nothing was written since `before` (ns since 1970) and that hold only
 * entries before `keep`; how many. */
unsigned received_log_expire(struct received_log *log, int64_t before, uint64_t keep);

/* -- reading --------------------------------------------------------------------------------------------- */

struct log_reader;

/* Stands before the first entry at or behind `from`. NULL with the reason. */
struct log_reader *log_reader_open(const struct disk *disk, const char *directory, uint64_t from,
                                   struct fault *fault);
void log_reader_close(struct log_reader **reader);

/* The next entry, LOG_STATE left out; a view until the next call. False: none yet (call again later), or the
 * disk lost the rest of a segment that others follow, which is stepped over with the next call. */
bool log_reader_next(struct log_reader *reader, struct log_entry *entry);
/* Places where entries were lost so far. */
uint64_t log_reader_damaged(const struct log_reader *reader);
