/* SPDX-License-Identifier: Apache-2.0
 *
 * What this node knows of the directory, on disk: entities, their names, their links, and the state of their
 * replication, in one LMDB environment (why LMDB: docs/dependencies.md). One writer at a time, any number of
 * readers on any thread; a crash leaves the last commit.
 *
 * A commit holds entities *and* the replication state (cookie, counts) that goes with them: there is never a
 * cookie without its entities.
 *
 * An entity that the directory deleted stays, as a tombstone: with `deleted`, found by GUID and SID but by no
 * name, without links, until entity_store_expire.
 */
#pragma once

#include "base/clock.h"
#include "base/fault.h"
#include "sync/entity.h"
#include "sync/entity_sensitivity.h"

#define ENTITY_STORE_MAP_SIZE        (UINT64_C(16) << 30)
#define ENTITY_STORE_TOMBSTONES_KEPT (180 * CLOCK_DAY)
#define ENTITY_STORE_CONTEXTS_MAX    1024u /* naming contexts that one store can hold */
#define ENTITY_STORE_NAME_MAX        255u  /* bytes of a piece of state's name */

struct entity_store;

struct entity_store_config {
    const char *path;        /* a directory of its own, made 0700 when it is not there */
    uint64_t map_size;       /* address space, bytes: the most it can grow to; 0: ENTITY_STORE_MAP_SIZE */
    uint32_t readers_max;    /* snapshots open at a time; 0: 126 */
    int64_t tombstones_kept; /* ns; 0: ENTITY_STORE_TOMBSTONES_KEPT */
    bool read_only; /* nothing is made, changed or moved aside, and nothing can be written; another process
                       may be writing meanwhile */
};

/* NULL with the reason. Unless it is only read, a store that is damaged, of another version, or that an
 * outage of the machine caught between a commit and its sync is moved aside (PATH.damaged-N, the last two are
 * kept), told in the log, and begun anew: the directory has the truth. A store must not be opened twice in
 * one process, nor be used across a fork. */
struct entity_store *entity_store_open(const struct entity_store_config *config, struct fault *fault);
/* All its snapshots and transactions must be closed before. */
void entity_store_close(struct entity_store **store);

struct entity_store_usage {
    uint64_t used; /* bytes of pages in use or kept for re-use: the file's size */
    uint64_t map;  /* the most it can grow to */
};
void entity_store_usage(const struct entity_store *store, struct entity_store_usage *usage);

/* -- writing: one transaction at a time, begun and ended by the same thread ------------------------ */

struct entity_store_write;

/* Waits for another writer. NULL with the reason. */
struct entity_store_write *entity_store_begin(struct entity_store *store, struct fault *fault);

/* What became of a change. */
enum entity_applied {
    ENTITY_UNCHANGED, /* told again: nothing differs but `seen` */
    ENTITY_ADDED,
    ENTITY_CHANGED,
    ENTITY_REMOVED, /* it was there, and is a tombstone now */
    ENTITY_REFUSED, /* the transaction has failed (map or disk full): the commit says why */
};

/* Applies one change. Attributes that did not come stay (unless it is `whole`). `context` numbers the naming
 * context it came from (entity_store_context), `now` is wall time in ns, `pass` the full pass it belongs to
 * (0: an increment or look-up, which counts as seen in every pass). What is too long is cut, and the entity
 * is `truncated`. */
enum entity_applied entity_store_apply(struct entity_store_write *write, const struct entity_change *change,
                                       enum entity_origin origin, uint32_t context, uint32_t pass,
                                       int64_t now);

/* The entity as the last entity_store_apply() left it: a view until the next call. False: it is none (its
 * transaction has failed). */
bool entity_store_applied(struct entity_store_write *write, struct entity *to);

/* A full pass that ended has seen every object that exists: buries entities of the context that were last
 * told before it, at most `limit` in this transaction. `pass` must grow from one full pass to the next; an
 * increment or look-up bears the newest pass that the store has seen. `removed` (may be NULL) is called for
 * each. Returns how many: fewer than `limit` ends it. */
uint32_t entity_store_sweep(struct entity_store_write *write, uint32_t context, uint32_t pass, uint32_t limit,
                            int64_t now, void (*removed)(void *to, const struct guid *guid), void *to);

/* Forgets tombstones older than the store keeps them, at most `limit`. Returns how many. */
uint32_t entity_store_expire(struct entity_store_write *write, int64_t now, uint32_t limit);

/* The number (above 0) of a naming context (its DN, any case), made when it is new; `domain`, the DNS name of
 * the domain whose entities it holds, may change. 0 when there are too many, or the transaction has failed.
 */
uint32_t entity_store_context(struct entity_store_write *write, struct bytes dn, struct bytes domain);

/* A piece of state by name: replication cookies, high-water marks. Size 0 removes it. */
void entity_store_put_state(struct entity_store_write *write, const char *name, struct bytes value);
/* As this transaction sees it; the bytes are valid until its next write. */
bool entity_store_write_state(struct entity_store_write *write, const char *name, struct bytes *value);

/* True: committed, readers that renew see it, and the process may be killed. With `sync` the machine may fail
 * too; without, the whole store is begun anew if it fails before a commit that syncs: for full passes, which
 * would begin anew as well, and are much faster so. False with the reason: nothing of the transaction was
 * kept. It is over either way. */
bool entity_store_commit(struct entity_store_write **write, bool sync, struct fault *fault);
void entity_store_abort(struct entity_store_write **write);

/* -- reading: a snapshot ------------------------------------------------------------------------- */

struct entity_store_read;

/* A snapshot of the last commit, for one thread at a time; made once and renewed, as making one costs more
 * than a look-up. NULL with the reason (all readers are taken). A snapshot that is kept holds back the re-use
 * of pages: renew or close it. */
struct entity_store_read *entity_store_read_open(struct entity_store *store, struct fault *fault);
bool entity_store_read_renew(struct entity_store_read *read);
/* Lets the snapshot go without giving up its place; nothing can be read until it is renewed. */
void entity_store_read_rest(struct entity_store_read *read);
void entity_store_read_close(struct entity_store_read **read);

/* What follows gives views that are valid until the snapshot is renewed, rested or closed. */

bool entity_store_state(struct entity_store_read *read, const char *name, struct bytes *value);

/* DN and domain of a context by its number; false past the last. */
bool entity_store_context_info(struct entity_store_read *read, uint32_t context, struct bytes *dn,
                               struct bytes *domain);

/* By identity; tombstones too. */
bool entity_store_get(struct entity_store_read *read, const struct guid *guid, struct entity *to);

enum entity_index {
    INDEX_SID,     /* bytes of the SID; of a tombstone too, which comes after the living */
    INDEX_ACCOUNT, /* sAMAccountName; without its final $ too, after what has the name itself */
    INDEX_UPN,     /* userPrincipalName, and the implicit account@domain */
    INDEX_SPN, /* servicePrincipalName; when there is none, HOST/x for the services that sPNMappings names */
    INDEX_DNS_NAME, /* dNSHostName and msDS-AdditionalDnsHostName */
    INDEX_DN,       /* as it is written, in any case */
    ENTITY_INDEXES
};

/* The entities of a name (entity_fold), at most `capacity`. `domain` (DNS or flat name, any case; empty: any)
 * filters. The number found, which may be above `capacity`. */
uint32_t entity_store_find(struct entity_store_read *read, enum entity_index index, struct bytes name,
                           struct bytes domain, struct guid *found, uint32_t capacity);
/* The first of them, decoded (a step less than find and get), and how many there are; 0: `to` is not set. */
uint32_t entity_store_find_first(struct entity_store_read *read, enum entity_index index, struct bytes name,
                                 struct bytes domain, struct entity *to);

/* DNS name of a domain or trusted domain by its flat (NetBIOS) name, any case. */
bool entity_store_flat_name(struct entity_store_read *read, struct bytes flat, struct bytes *domain);

/* Entities with `text` somewhere in RDN, account, display name, UPN, DNS name, SPN, mail or description,
 * whatever the case; in no order, tombstones too. Reads every entity. Stops when `visit` says false. */
void entity_store_search(struct entity_store_read *read, struct bytes text,
                         bool (*visit)(void *to, const struct entity *entity), void *to);

/* Every entity of a domain (empty: of all), tombstones too, in the order of GUIDs, from behind `after` on
 * (NULL: from the first). */
void entity_store_each(struct entity_store_read *read, struct bytes domain, const struct guid *after,
                       bool (*visit)(void *to, const struct entity *entity), void *to);

/* Links in both directions. Stops when `visit` says false; returns how many were visited. An end that is not
 * known as an entity is visited too. A group's members by primaryGroupID are no links. */
uint64_t entity_store_links(struct entity_store_read *read, const struct guid *from, enum entity_link link,
                            bool (*visit)(void *to, const struct guid *target), void *to);
uint64_t entity_store_backlinks(struct entity_store_read *read, const struct guid *target,
                                enum entity_link link, bool (*visit)(void *to, const struct guid *source),
                                void *to);
/* How many there are, without reading them. */
uint64_t entity_store_link_count(struct entity_store_read *read, const struct guid *from,
                                 enum entity_link link);
/* The DN that a link told of an end that is not known as an entity; false when there is none. */
bool entity_store_unknown_dn(struct entity_store_read *read, const struct guid *guid, char *to,
                             size_t capacity);

/* Groups it is in, nested, each once, `depth` 1 for direct; cycles end. Also by primaryGroupID, as a foreign
 * principal of another domain, and as one of the well-known groups that a logon puts it in (Authenticated
 * Users, Everyone, Enterprise Domain Controllers), where its domain has an object for them. At most
 * `capacity`; the number found in all, 4,095 at most. */
struct entity_membership {
    struct guid group;
    uint32_t depth;
};
uint32_t entity_store_memberships(struct entity_store_read *read, const struct guid *guid,
                                  struct entity_membership *found, uint32_t capacity);
bool entity_store_is_member(struct entity_store_read *read, const struct guid *guid,
                            const struct guid *group);

/* What it is sensitive for: bits of the built-in groups and rights that it has, nested: docs/entities.md
 * lists them. 0 for what is not known. */
uint64_t entity_store_sensitivity(struct entity_store_read *read, const struct guid *guid);

struct entity_counts {
    uint64_t kinds[ENTITY_KINDS]; /* tombstones not counted */
    uint64_t links;
    uint64_t deleted;
};
/* Of a domain, or of all (empty). Kept, not counted: costs nothing. */
void entity_store_counts(struct entity_store_read *read, struct bytes domain, struct entity_counts *counts);

/* Digest of the entities (tombstones do not count) of a context whose GUID begins with the first `bits` bits
 * of `prefix` (0 bits: all of them). Reads them. */
void entity_store_digest(struct entity_store_read *read, uint32_t context, const struct guid *prefix,
                         unsigned bits, struct entity_digest *digest);
