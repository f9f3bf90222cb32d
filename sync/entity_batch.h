/* SPDX-License-Identifier: Apache-2.0
 *
 * Batches of what became of entities: how a synchronizer hands them on, to the spool and from there to the
 * center. A batch is one zstd frame as base/batch.h has it, with the header
 *
 *     {"format": "picket-entities", "version": 1, "domain": str, "term": uint, "draw": uint, "node": bin 16,
 *      "incarnation": uint, "sequence": uint, "count": n}
 *
 * and n records, each a map with one key:
 *
 *     {"entity": {...}}      as it is now, whole (entity_encode)
 *     {"removed": bin 16}    the directory has it no longer
 *     {"links": {"source": bin 16, "link": str, "added": [bin 16 ...], "removed": [bin 16 ...],
 *                "all": [bin 16 ...]}}
 *     {"whole": bool}        with what came before in this term, all of the domain's directory was told
 *
 * `all` is instead of `added`: what is not in it, nor added by the records that follow, is gone. Applying a
 * batch twice changes nothing. A reader skips records and keys that it does not know. Sequences grow by one
 * from batch to batch of a token.
 */
#pragma once

#include "base/batch.h"
#include "base/batch_fence.h"
#include "sync/entity.h"

#define ENTITY_BATCH_LINKS_MAX 4096u /* targets in one record */

/* Goes with every batch of entities: the receiver refuses a deposed synchronizer's (CLUSTER.md 3.3). The
 * node fills it from the claim. */
struct sync_token {
    char domain[256];
    uint64_t term, draw;
    uint8_t node[16];
    uint64_t incarnation;
};

struct entity_batch_writer;

/* Receives a finished frame, valid during the call. */
typedef void (*entity_batch_sink)(void *context, uint64_t sequence, struct bytes frame);

/* NULL without memory. The caller destroys it; what was not ended is lost then. */
struct entity_batch_writer *entity_batch_writer_new(int zstd_level, entity_batch_sink sink, void *context);
void entity_batch_writer_destroy(struct entity_batch_writer **writer);

/* What follows bears this token, from this sequence on. What was added and not ended is dropped. */
void entity_batch_begin(struct entity_batch_writer *writer, const struct sync_token *token,
                        uint64_t sequence);
void entity_batch_add(struct entity_batch_writer *writer, const struct entity *entity);
void entity_batch_remove(struct entity_batch_writer *writer, const struct guid *guid);
enum entity_batch_links {
    ENTITY_BATCH_ADDED,
    ENTITY_BATCH_DROPPED,
    ENTITY_BATCH_ALL, /* these are all there are; there may be none */
};
/* Any number of targets. */
void entity_batch_add_links(struct entity_batch_writer *writer, const struct guid *source,
                            enum entity_link link, enum entity_batch_links what, const struct guid *targets,
                            uint32_t count);
/* All of the domain was told. */
void entity_batch_whole(struct entity_batch_writer *writer);
/* Sends what has been added, if anything. Returns the next sequence. */
uint64_t entity_batch_end(struct entity_batch_writer *writer);

/* -- reading ------------------------------------------------------------------------------------------------
 */

struct entity_batch_header {
    struct sync_token token;
    uint64_t sequence;
    uint64_t count;
};

enum entity_batch_record_kind {
    ENTITY_BATCH_ENTITY,
    ENTITY_BATCH_REMOVED,
    ENTITY_BATCH_LINKS,
    ENTITY_BATCH_WHOLE,
    ENTITY_BATCH_UNKNOWN, /* of a later version */
};

struct entity_batch_record {
    enum entity_batch_record_kind kind;
    struct guid guid; /* of what was removed, or where the links begin */
    enum entity_link link;
    bool all;                           /* what was added is all there is */
    uint32_t added, removed;            /* how many */
    struct cursor added_at, removed_at; /* entity_batch_next_target */
    struct entity entity;
};

struct entity_batch_reader;

struct entity_batch_reader *entity_batch_reader_new(void);
void entity_batch_reader_destroy(struct entity_batch_reader **reader);

/* As batch_reader_feed: BATCH_READY when a batch is complete and its header is right. */
enum batch_verdict entity_batch_reader_feed(struct entity_batch_reader *reader, struct bytes *input);
/* Of the batch that is ready. */
const struct entity_batch_header *entity_batch_reader_header(const struct entity_batch_reader *reader);
/* The next record: a view, valid until the next feed. False at the end, and then `*damaged` says whether it
 * was one: too few records, too many, or one that is none. */
bool entity_batch_reader_next(struct entity_batch_reader *reader, struct entity_batch_record *record,
                              bool *damaged);
/* False when `*left` is used up. */
bool entity_batch_next_target(struct cursor *at, uint32_t *left, struct guid *target);
bool entity_batch_reader_at_boundary(const struct entity_batch_reader *reader);
