/* SPDX-License-Identifier: Apache-2.0
 *
 * What a node must not forget: the core's state (cluster_update.state), in two slots that are written in
 * turn, and the records of the members that it knew, so that it finds the fleet again without seeds.
 * docs/cluster.md.
 *
 * A slot is a file: magic, version, size, payload, BLAKE2b-256 over all that. The slot written is never the
 * one that is valid and newest; so at each moment of a save, whatever of it reached the disk, one good slot
 * is left.
 */
#pragma once

#include "cluster/disk.h"

struct state_file;

enum state_verdict {
    STATE_FRESH, /* nothing was ever saved */
    STATE_GOOD,
    STATE_LOST, /* something had been saved, and nothing of it can be used: the node starts without a memory
                 */
};

/* Opens the state in a directory that the caller holds (directory_lock). NULL when it cannot be read or
 * written at all. `*verdict` and, when that is not STATE_GOOD, `fault` say what was found. */
struct state_file *state_file_open(const struct disk *disk, const char *directory,
                                   enum state_verdict *verdict, struct fault *fault);
void state_file_close(struct state_file **self);

/* What was loaded, until the first save; empty unless the verdict was STATE_GOOD. */
struct bytes state_file_payload(const struct state_file *self);
/* Of the last good slot. */
uint64_t state_file_version(const struct state_file *self);

/* Makes it durable. False: it did not reach the disk, what was saved before is still there. */
bool state_file_save(struct state_file *self, struct bytes payload, struct fault *fault);

/* One slot's bytes. For the tests. */
#define STATE_PAYLOAD_MAX 65536u
#define STATE_SLOT_MAX    (8u + 8u + 4u + STATE_PAYLOAD_MAX + 32u)
enum slot_verdict {
    SLOT_GOOD,
    SLOT_EMPTY,   /* no byte was ever written */
    SLOT_SHORT,   /* a crash cut a save */
    SLOT_DAMAGED, /* checksum, magic, or longer than it says */
};
enum slot_verdict state_slot_read(struct bytes slot, uint64_t *version, struct bytes *payload);
size_t state_slot_write(uint8_t *to, uint64_t version, struct bytes payload);

/* --- known peers --- */

#define PEERS_MAX_SIZE (64u << 20)

/* Collects encoded records and writes them to directory/peers at once. */
struct peers_writer;
struct peers_writer *peers_writer_new(void);
/* Fits cluster_each_record(). */
void peers_writer_add(void *writer, struct bytes record);
/* Writes, and destroys the writer in any case. */
bool peers_writer_save(struct peers_writer **writer, const struct disk *disk, const char *directory,
                       struct fault *fault);

/* Calls visit for each record. DISK_ABSENT: there is no such file yet; DISK_FAILED: it is of no use. The
 * records are not verified. */
enum disk_found peers_load(const struct disk *disk, const char *directory,
                           void (*visit)(void *context, struct bytes record), void *context,
                           struct fault *fault);
