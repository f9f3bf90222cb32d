/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of entries that survive a crash: the spool's (node/spool.h), and the center's log
 * (center/received_log.h). Each entry has a length, a number and a checksum, so a crash costs what was not
 * synced and nothing else, and what is half-written is not read.
 *
 * A segment is a header {magic 8, number 8, checksum 8} and entries {magic 4, size 4, sequence 8, wall 8,
 * kind 4, 0 4, checksum 8, payload}, integers little-endian, checksums XXH3-64 seeded with the segment's
 * number: what a file held in an earlier life is not read again. Sequences ascend by one within a segment.
 * Not for several threads at a time.
 */
#pragma once

#include "cluster/disk.h"

#define SEGMENT_HEADER_SIZE 24u
#define SEGMENT_ENTRY_SIZE  40u /* before the payload */
#define SEGMENT_PAYLOAD_MAX (4u * 1024u * 1024u)
#define SEGMENT_NUMBER_MAX  (UINT64_C(1) << 62) /* never reached: more is damage, and would overflow */

struct segment {
    int file;
    uint64_t number; /* 0: nothing of use is in it */
    uint64_t first, last;
    uint64_t entries;
    size_t size;    /* used bytes, all of them good */
    int64_t oldest; /* wall ns of the first entry */
};

struct segment_entry {
    uint64_t sequence;
    int64_t wall; /* ns since 1970 */
    uint32_t kind;
    size_t size; /* of the payload */
};

/* Writes a new header into segment->file, whatever it held; durable with the first entry that is. `first`:
 * the sequence that is appended first. False: the disk, errno. */
bool segment_begin(struct segment *segment, const struct disk *disk, const char magic[8], uint64_t number,
                   uint64_t first);

/* Appends an entry, whose payload is the parts one after the other; its sequence is segment->last + 1. False:
 * the disk, errno, and nothing counts as written. */
bool segment_append(struct segment *segment, const struct disk *disk, int64_t wall, uint32_t kind,
                    const struct bytes *parts, unsigned count);

/* The entry at `at`, its payload into scratch[SEGMENT_PAYLOAD_MAX]; `end`: where the segment ends. `at` moves
 * behind it. False: there is none, or it is damaged. */
bool segment_read(const struct segment *segment, const struct disk *disk, size_t *at, size_t end,
                  struct segment_entry *entry, uint8_t *scratch);

/* The number in the header of segment->file. False: there is none, or it is damaged. */
bool segment_read_header(const struct segment *segment, const struct disk *disk, const char magic[8],
                         uint64_t *number);

/* Takes in what an earlier run left, as far as it is whole. `*damaged` is set when it was not. False: the
 * file cannot be read, with the reason. */
bool segment_recover(struct segment *segment, const struct disk *disk, const char magic[8], uint8_t *scratch,
                     bool *damaged, struct fault *fault);
