/* SPDX-License-Identifier: Apache-2.0
 *
 * What this node knows of the directory, on disk: entities, their names, their links, and the state of their
 * replication, in one LMDB environment (why LMDB: docs/dependencies.md). One writer at a time, any number of
 * readers on any thread; a crash leaves the last commit.
 *
 * A commit holds entities *and* the replication state (cookie, counts) that goes with them: there is never a
 * cookie without its entities.
 */
#pragma once

#include "base/fault.h"
#include "sync/entity.h"

struct entity_store;

struct entity_store_config {
    const char *path;     /* a directory of its own, made 0700 when it is not there */
    size_t map_size;      /* address space, bytes: the most it can grow to */
    uint32_t readers_max; /* threads that read at a time */
};

/* NULL with the reason. A damaged store is moved aside (PATH.damaged-N, the last two are kept), told in the
 * log, and begun anew: the directory has the truth. */
struct entity_store *entity_store_open(const struct entity_store_config *config, struct fault *fault);
void entity_store_close(struct entity_store **store);

/* -- writing: one transaction at a time ----------------------------------------------------------- */

struct entity_store_write;

/* Waits for another writer. NULL with the reason (disk full, map full). */
struct entity_store_write *entity_store_begin(struct entity_store *store, struct fault *fault);

/* What became of a change. */
enum entity_applied {
    ENTITY_UNCHANGED, /* told again: nothing differs but `seen` */
    ENTITY_ADDED,
    ENTITY_CHANGED,
    ENTITY_REMOVED,
    ENTITY_REFUSED, /* larger than its bounds, or the map is full: see the fault of the commit */
};

/* Applies one change. `context` numbers the naming context it came from (entity_store_context), `now` is wall
 * time in ns, `pass` the full pass it belongs to (0: an increment or look-up). */
enum entity_applied entity_store_apply(struct entity_store_write *write, const struct entity_change *change,
                                       enum entity_origin origin, uint32_t context, uint32_t pass,
                                       int64_t now);

/* A full pass that ended has seen every object that exists: removes entities of the context that bear another
 * pass, at most `limit` in this transaction. `removed` is called for each. Returns how many. */
uint32_t entity_store_sweep(struct entity_store_write *write, uint32_t context, uint32_t pass, uint32_t limit,
                            void (*removed)(void *to, const struct guid *guid), void *to);

/* The number of a naming context (its DN, any case), made when it is new. */
uint32_t entity_store_context(struct entity_store_write *write, struct bytes dn, struct bytes domain);

/* A piece of state by name: replication cookies, high-water marks, counts. Size 0 removes it. */
void entity_store_put_state(struct entity_store_write *write, const char *name, struct bytes value);

/* Durable when it returns true (`sync` false: durable with the next that is; a crash loses it whole). The
 * transaction is over either way. */
bool entity_store_commit(struct entity_store_write **write, bool sync, struct fault *fault);
void entity_store_abort(struct entity_store_write **write);

/* -- reading: a snapshot ------------------------------------------------------------------------- */

struct entity_store_read;

/* A snapshot of the last commit; made once a thread and renewed, as making one costs more than a look-up.
 * NULL when all readers are taken. A snapshot that is kept holds back the re-use of pages: renew or close. */
struct entity_store_read *entity_store_read_open(struct entity_store *store, struct fault *fault);
bool entity_store_read_renew(struct entity_store_read *read);
void entity_store_read_close(struct entity_store_read **read);

bool entity_store_state(struct entity_store_read *read, const char *name, struct bytes *value);

/* By identity. The bytes are valid until renew or close. */
bool entity_store_by_guid(struct entity_store_read *read, const struct guid *guid, struct bytes *encoded);

enum entity_index {
    INDEX_SID,      /* bytes of the SID */
    INDEX_ACCOUNT,  /* sAMAccountName; with and without the final $ of a computer */
    INDEX_UPN,      /* userPrincipalName, and the implicit account@domain */
    INDEX_SPN,      /* servicePrincipalName; HOST/x stands for the services that sPNMappings names */
    INDEX_DNS_NAME, /* dNSHostName */
    INDEX_DN,
    ENTITY_INDEXES
};

/* The entities of a name (text without regard to case, folded as the directory does for ASCII and as
 * docs/entities.md says beyond), at most `capacity`. `domain` (may be empty) prefers nothing: it filters. The
 * number found, which may be above `capacity`. */
uint32_t entity_store_find(struct entity_store_read *read, enum entity_index index, struct bytes name,
                           struct bytes domain, struct guid *found, uint32_t capacity);

/* Entities with `text` somewhere in name, account, UPN, DNS name, SPN or description; in no order. Stops when
 * `visit` says false. */
void entity_store_search(struct entity_store_read *read, struct bytes text,
                         bool (*visit)(void *to, const struct entity *entity), void *to);

/* Every entity of a domain (empty: of all), in the order of GUIDs, from `after` on (NULL: from the first). */
void entity_store_each(struct entity_store_read *read, struct bytes domain, const struct guid *after,
                       bool (*visit)(void *to, const struct entity *entity), void *to);

/* Links in both directions. Stops when `visit` says false; returns how many were visited. A target that is
 * not known as an entity is visited too. */
uint64_t entity_store_links(struct entity_store_read *read, const struct guid *from, enum entity_link link,
                            bool (*visit)(void *to, const struct guid *target), void *to);
uint64_t entity_store_backlinks(struct entity_store_read *read, const struct guid *to_entity,
                                enum entity_link link, bool (*visit)(void *to, const struct guid *source),
                                void *to);

/* Groups it is in, nested, primary group and well-known ones included, each once, `depth` 1 for direct;
 * cycles end. At most `capacity`; the number found in all. */
struct entity_membership {
    struct guid group;
    uint32_t depth;
};
uint32_t entity_store_memberships(struct entity_store_read *read, const struct guid *guid,
                                  struct entity_membership *found, uint32_t capacity);
bool entity_store_is_member(struct entity_store_read *read, const struct guid *guid,
                            const struct guid *group);

/* What it is sensitive for: bits of the built-in groups and rights that it has, nested ([MS-ADTS] 7.1.1.6,
 * adminCount, DC, krbtgt, delegation ...): docs/entities.md lists them. */
uint64_t entity_store_sensitivity(struct entity_store_read *read, const struct guid *guid);
const char *entity_sensitivity_name(unsigned bit); /* NULL past the last */

struct entity_counts {
    uint64_t kinds[ENTITY_KINDS];
    uint64_t links;
    uint64_t deleted;
};
void entity_store_counts(struct entity_store_read *read, struct bytes domain, struct entity_counts *counts);

/* Digest of the entities of a context whose GUID begins with the `bits` bits of `prefix`: reconciliation
 * compares it with what the directory answers (sync/reconciliation.h). */
struct entity_digest {
    uint64_t count;
    uint64_t sum[2]; /* order-free sum of 128-bit hashes of (guid, what tells its version) */
};
void entity_store_digest(struct entity_store_read *read, uint32_t context, const struct guid *prefix,
                         unsigned bits, struct entity_digest *digest);
