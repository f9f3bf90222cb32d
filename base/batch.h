/* SPDX-License-Identifier: Apache-2.0
 *
 * Batches of activities, or of another kind of records: how they travel and rest. A batch is one zstd frame
 * of
 *
 *     {"format": "picket-activities", "version": 1, "count": n} record record ...   (msgpack, n records)
 *
 * (or another format, version and further pairs in the header: struct batch_form), and a file of batches is
 * one frame after the other, so that files can be joined with cat. Pure: the writer hands finished frames to
 * a function, the reader is fed with bytes.
 */
#pragma once

#include "base/cursor.h"

#define BATCH_VERSION     1
#define BATCH_RECORDS_MAX 262144u /* bytes of records after which a batch is closed */
#define BATCH_HEADER_MAX  1024u
#define BATCH_BYTES_MAX   1048576u /* of a decompressed batch; a larger one is refused whole */

/* A batch's first bytes: the magic number of a zstd frame (RFC 8878 3.1.1). */
#define BATCH_MAGIC "\x28\xb5\x2f\xfd"

/* What the records are. Lives as long as who uses it. */
struct batch_form {
    const char *format;
    uint64_t version;
    size_t record_max; /* bytes of one; at most 512 KiB */
};

extern const struct batch_form batch_activities;

struct batch_writer;

/* Receives a finished frame, valid during the call. */
typedef void (*batch_sink)(void *context, struct bytes frame);

/* NULL without memory. The caller destroys it; records not yet flushed are lost then. */
struct batch_writer *batch_writer_new(int zstd_level, batch_sink sink, void *context);
struct batch_writer *batch_writer_new_of(const struct batch_form *form, int zstd_level, batch_sink sink,
                                         void *context);
void batch_writer_destroy(struct batch_writer **writer_p);

/* Further pairs of the header of batches to come: `count` keys and values in msgpack, copied. False: too
 * long. */
bool batch_writer_set_pairs(struct batch_writer *writer, struct bytes pairs, uint32_t count);

/* Adds one record (a msgpack map of at most record_max bytes, else it is left out); a full batch goes to the
 * sink. */
void batch_writer_add(struct batch_writer *writer, struct bytes record);

/* Sends what has been added, if anything. */
void batch_writer_flush(struct batch_writer *writer);

/* Whether these are one whole frame with nothing behind it, which does not say that it is larger than a
 * batch: told by its blocks' lengths, nothing is decompressed. What is in it only the reader knows. */
bool batch_is_framed(struct bytes bytes);

struct batch_reader;

enum batch_verdict {
    BATCH_MORE,    /* the input is used up */
    BATCH_READY,   /* one batch: see batch_reader_records */
    BATCH_INVALID, /* damaged, of another format or version, or larger than the bound */
};

struct batch_reader *batch_reader_new(void);
struct batch_reader *batch_reader_new_of(const struct batch_form *form);
void batch_reader_destroy(struct batch_reader **reader_p);

/* Takes bytes off the front of `input` until a batch is complete. After BATCH_INVALID nothing more can be
 * read. */
enum batch_verdict batch_reader_feed(struct batch_reader *reader, struct bytes *input);

/* The records of the batch that is ready, and how many the header announces; valid until the next feed.
 * The records themselves are not checked yet: decode each, and there must be exactly that many. */
struct cursor batch_reader_records(const struct batch_reader *reader, uint64_t *count);

/* All of its header's pairs, keys and values, in msgpack; valid as the records are. */
struct cursor batch_reader_pairs(const struct batch_reader *reader, uint32_t *count);

/* Whether the input so far ended between two batches. */
bool batch_reader_at_boundary(const struct batch_reader *reader);
