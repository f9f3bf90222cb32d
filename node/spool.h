/* SPDX-License-Identifier: Apache-2.0
 *
 * What waits to be sent: batches of activities and of entities, in order, on disk, until the receiver
 * acknowledged them as durable. A fixed number of segment files of a fixed size (cluster/segment.h), used in
 * turn. All calls from any thread.
 *
 * Files: DIRECTORY/NN.segment.
 * DIRECTORY/acknowledged holds the last acknowledged sequence, DIRECTORY/generation a random number made with
 * the spool: (generation, sequence) never means two things to a receiver, whatever was lost here. So where
 * something was found damaged the numbers go on far behind it, and when nothing tells how far they were the
 * generation is another one.
 */
#pragma once

#include "cluster/segment.h"

#define SPOOL_PAYLOAD_MAX  SEGMENT_PAYLOAD_MAX
#define SPOOL_SEGMENTS_MAX 100u

enum spool_kind {
    SPOOL_ACTIVITIES = 1, /* base/batch.h */
    SPOOL_ENTITIES = 2,   /* sync/entity_batch.h */
};

struct spool_config {
    const struct disk *disk;
    const char *directory; /* of its own; made when its parent is there */
    unsigned segments;     /* 2 to SPOOL_SEGMENTS_MAX */
    size_t segment_bytes;  /* an entry is never larger */
    /* Nobody receives: the oldest segment makes room. Else a full spool refuses what is new. */
    bool drop_oldest;
};

struct spool;

/* NULL with the reason. Entries that a crash damaged are left out and counted. */
struct spool *spool_open(const struct spool_config *config, struct fault *fault);
void spool_close(struct spool **spool);

enum spool_verdict {
    SPOOL_KEPT,
    SPOOL_FULL,     /* nothing was written */
    SPOOL_TOO_LONG, /* longer than a segment has room */
    SPOOL_FAILED,   /* the disk: nothing counts as written; errno */
};

/* `durable`: on the disk when it returns SPOOL_KEPT. `wall` in ns since 1970. */
enum spool_verdict spool_append(struct spool *spool, enum spool_kind kind, int64_t wall, struct bytes payload,
                                bool durable);
/* Makes durable what was appended before; others may append meanwhile. */
bool spool_sync(struct spool *spool);
/* Up to this sequence everything is durable. Only that may be sent: what a power cut takes away gives its
 * number to something else. */
uint64_t spool_durable(struct spool *spool);
uint64_t spool_generation(struct spool *spool);
/* A new one: the receiver has more than was ever sent, so this is a copy of an earlier spool. False: it could
 * not be made durable, nothing has changed. */
bool spool_renew(struct spool *spool);

struct spool_entry {
    uint64_t sequence; /* from 1, ascending; gaps where entries were lost or dropped */
    int64_t wall;
    enum spool_kind kind;
    uint8_t *payload; /* the caller's: spool_entry_free */
    size_t size;
};

/* The first entry behind `after`. False: none, or without memory. */
bool spool_next(struct spool *spool, uint64_t after, struct spool_entry *entry);
void spool_entry_free(struct spool_entry *entry);

/* All up to `sequence` is durable with the receiver: its room may be used again. */
bool spool_acknowledge(struct spool *spool, uint64_t sequence);

struct spool_status {
    uint64_t first, last;  /* sequences that are there; last < first: none */
    uint64_t acknowledged; /* up to here */
    uint64_t entries, bytes, bytes_max;
    uint64_t dropped; /* entries: pushed out by newer ones */
    uint64_t damaged; /* places where a crash or the disk took something */
    uint64_t refused; /* appended in vain: full, too long, disk */
    int64_t oldest;   /* wall ns of the first entry; 0: none */
};
void spool_status(struct spool *spool, struct spool_status *status);
