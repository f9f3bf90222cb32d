/* SPDX-License-Identifier: Apache-2.0
 *
 * What an enroller remembers of its own bindings, so that a token works once and a key that was rotated away
 * never comes back. One entry for each node: the certificate that was issued last.
 */
#pragma once

#include "cluster/disk.h"
#include "cluster/record.h"

#define LEDGER_MAX 16384u

struct ledger;

struct ledger_entry {
    struct node_id id;
    uint32_t generation;
    uint8_t public_key[PUBLIC_KEY_SIZE];
    char name[NAME_MAX_SIZE];
    uint64_t keep_until; /* seconds since 1970 */
    uint8_t *certificate;
    size_t certificate_size;
};

/* Empty. NULL without memory. The caller destroys it. */
struct ledger *ledger_new(void);
void ledger_destroy(struct ledger **ledger);

/* Reads directory/ledger; absent is an empty one. NULL when the file cannot be used: then tokens could be
 * used twice, and the administrator must decide to do without it. */
struct ledger *ledger_load(const struct disk *disk, const char *directory, struct fault *fault);
bool ledger_save(const struct ledger *ledger, const struct disk *disk, const char *directory,
                 struct fault *fault);

const struct ledger_entry *ledger_find(const struct ledger *ledger, const struct node_id *id);

/* Notes a certificate in place of the node's last one. False: it is none, or the ledger is full. */
bool ledger_note(struct ledger *ledger, struct bytes certificate, uint64_t keep_until);

/* Puts back what ledger_note() did for this node: `before` as ledger_find() gave it, copied by ledger_copy().
 */
bool ledger_copy(struct ledger_entry *copy, const struct ledger_entry *entry);
void ledger_restore(struct ledger *ledger, const struct node_id *id, struct ledger_entry *before);
void ledger_copy_free(struct ledger_entry *copy);

/* Drops entries whose time is over. */
void ledger_expire(struct ledger *ledger, uint64_t now);

/* All of them; for the table of keys that may connect. */
unsigned ledger_count(const struct ledger *ledger);
const struct ledger_entry *ledger_at(const struct ledger *ledger, unsigned index);
