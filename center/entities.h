/* SPDX-License-Identifier: Apache-2.0
 *
 * What the center has of one workspace's directory, in memory: names, facts and memberships of each entity,
 * as the log told them so far, so that every question about it is answered at once and as things stood at the
 * activity that is looked at. The whole of each entity, its history and the search stand in the store
 * (center/entities_store.h), from which this is read back at the start. Pure; for one thread.
 *
 * Some 300 to 570 bytes for each entity and 12 for each membership (docs/benchmarks.md).
 */
#pragma once

#include "center/directory_view.h"
#include "sync/entity_batch.h"
#include "sync/resolver.h"

#define ENTITIES_MAX         8000000u
#define ENTITIES_LINKS_MAX   200000000u
#define ENTITIES_DOMAINS_MAX 1024u
#define ENTITIES_TAGS_MAX    65536u

struct entities;

/* NULL without memory. `seed`: secret to the installation. */
struct entities *entities_new(uint64_t seed);
void entities_destroy(struct entities **entities);

/* -- what becomes of it ---------------------------------------------------------------------------------- */

/* An entity as it is now, whole; what it is tied to came or comes by entities_link. A deleted one stays as a
 * tombstone: known by objectGUID, by no name, without links. */
void entities_put(struct entities *entities, const struct entity *entity);
void entities_remove(struct entities *entities, const struct guid *guid);

enum entities_links {
    ENTITIES_ADD,
    ENTITIES_DROP,
    ENTITIES_ALL, /* these are all there are */
};
/* Memberships; other links are passed over. Ends that were not told yet count from when they are. */
void entities_link(struct entities *entities, const struct guid *group, enum entity_link link,
                   enum entities_links what, const struct guid *members, uint32_t count);

/* That the directory of a domain is known whole from now on (a full pass ended, a file was read): only then
 * can it be said that there is no account of some name. */
void entities_set_whole(struct entities *entities, struct bytes domain);

/* Marks by hand: FACT_SENSITIVE, FACT_HONEYTOKEN, FACT_SYNCHRONIZER and FACT_DNS_SERVER, added to those that
 * it has. By objectGUID, or by name (sAMAccountName, also without its $), and then, if `domain` is not empty,
 * in that domain only; what the directory does not know can be marked too. False: too many, or other facts.
 */
bool entities_tag(struct entities *entities, const struct guid *guid, struct bytes name, struct bytes domain,
                  uint32_t facts);
/* Takes all marks away. */
void entities_forget_tags(struct entities *entities);

struct entities_taken {
    uint64_t entities, removed, links, skipped;
};
/* A batch as the log has it (LOG_ENTITIES), whose fence was checked. False when it is damaged: what stands
 * before the damage counts. `reader` is whoever calls's; `taken` may be NULL. */
bool entities_take(struct entities *entities, struct entity_batch_reader *reader, struct bytes batch,
                   struct entities_taken *taken);

/* -- questions ------------------------------------------------------------------------------------------- */

struct directory_view entities_view(struct entities *entities);
/* For a resolver over captures that no sensor resolved: it asks nothing of the network. */
struct resolver_directory entities_resolver_directory(struct entities *entities);

/* The entity that a party is, by its objectGUID, else by its name: false when there is none, or several. */
bool entities_find(const struct entities *entities, const struct party *party, struct guid *guid);
bool entities_is_member(struct entities *entities, const struct guid *member, const struct guid *group);

/* Everybody who is sensitive now, by a group (nested) or by hand, and the groups themselves; in no order. */
void entities_each_sensitive(struct entities *entities,
                             void (*visit)(void *context, const struct guid *guid, const struct facts *facts),
                             void *context);

struct entities_status {
    uint32_t entities; /* without tombstones */
    uint32_t deleted;
    uint32_t domains, whole_domains;
    uint64_t memberships;
    uint64_t refused; /* beyond a bound, or without memory */
    uint64_t bytes;   /* memory, about */
};
void entities_status(const struct entities *entities, struct entities_status *status);
