/* SPDX-License-Identifier: Apache-2.0
 *
 * Digests of sets of entities. A sum of hashes, modulo 2^64 in each half: any order gives the same, and what
 * comes and goes can be told apart from what stays. It finds faults, not forgers.
 */
#include "sync/entity_record.h"
#include "sync/entity_value.h"

#include <stdlib.h>
#include <xxhash.h>

/* Every domain controller has its own. */
static bool is_local(enum entity_attribute attribute)
{
    return attribute == ENTITY_WHEN_CHANGED || attribute == ENTITY_USN_CHANGED;
}

static void put_folded(struct msgpack_writer *w, struct bytes name)
{
    uint8_t folded[ENTITY_STRING_MAX];
    if (name.size > sizeof folded)
        name.size = sizeof folded;
    entity_fold(folded, name);
    msgpack_put_string(w, folded, name.size);
}

void entity_digest_add(struct entity_digest *digest, const struct entity *entity)
{
    uint8_t room[ENTITY_ENCODED_MAX]; /* not thread-local: each thread of the program would have it */
    struct msgpack_writer w;
    msgpack_writer_init(&w, room, sizeof room);
    msgpack_put_raw(&w, entity->guid.bytes, GUID_SIZE);
    msgpack_put_uint(&w, entity->kind);
    put_folded(&w, entity->rdn);
    put_folded(&w, entity->parent);
    for (unsigned i = 0; i < ENTITY_ATTRIBUTES; i++) {
        const struct activity_value *value = entity_get(entity, (enum entity_attribute)i);
        if (!value || is_local((enum entity_attribute)i))
            continue;
        msgpack_put_uint(&w, i);
        entity_value_put(&w, entity_attribute_info((enum entity_attribute)i)->type, value);
    }
    XXH128_hash_t hash = XXH3_128bits(room, w.size);
    digest->count++;
    digest->sum[0] += hash.low64;
    digest->sum[1] += hash.high64;
}

void entity_digest_add_link(struct entity_digest *digest, const struct guid *source, enum entity_link link,
                            const struct guid *target)
{
    uint8_t bytes[2 * GUID_SIZE];
    memcpy(bytes, source->bytes, GUID_SIZE);
    memcpy(bytes + GUID_SIZE, target->bytes, GUID_SIZE);
    XXH128_hash_t hash = XXH3_128bits_withSeed(bytes, sizeof bytes, (uint64_t)link);
    digest->links++;
    digest->link_sum[0] += hash.low64;
    digest->link_sum[1] += hash.high64;
}

bool entity_digest_add_change(struct entity_digest *digest, const struct entity_change *change)
{
    if (change->deleted || !change->whole)
        return false;
    struct entity *entity = malloc(sizeof *entity);
    uint8_t *record = malloc(ENTITY_BYTES_MAX);
    bool added = false;
    if (entity && record) {
        struct entity_record_head head = {.guid = change->guid,
                                          .kind = change->kind_known ? change->kind : ENTITY_OTHER};
        struct bytes rdn, parent;
        entity_dn_split(change->dn, &rdn, &parent);
        size_t size = entity_record_write(record, &head, NULL, change, rdn);
        added = entity_record_decode((struct bytes){record, size}, &head, entity);
        entity->parent = parent;
        if (added)
            entity_digest_add(digest, entity);
        for (uint32_t i = 0; added && i < change->edge_count; i++) {
            const struct entity_edge *edge = &change->edges[i];
            if (!edge->removed)
                entity_digest_add_link(digest, &change->guid, edge->link, &edge->target);
        }
    }
    free(record);
    free(entity);
    return added;
}

bool entity_digest_equal(const struct entity_digest *a, const struct entity_digest *b)
{
    return a->count == b->count && a->sum[0] == b->sum[0] && a->sum[1] == b->sum[1] && a->links == b->links &&
           a->link_sum[0] == b->link_sum[0] && a->link_sum[1] == b->link_sum[1];
}
