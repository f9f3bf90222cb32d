/* SPDX-License-Identifier: Apache-2.0
 *
 * Records and policies, verified when they enter and stored once for all cores of the process. What a core
 * sees does not depend on what others put in: the pool only saves work that would give the same result.
 */
#include <stdlib.h>

#include "cluster/core.h"

#define SITES_MAX 4096u

struct record_pool {
    struct record_blob **slots; /* open addressing by signature, power of two */
    uint32_t mask, count;
    size_t bytes, bytes_max;
    struct policy_blob *policies;
    char domains[CLUSTER_DOMAINS][DOMAIN_MAX_SIZE];
    uint32_t domain_count;
    char (*sites)[NAME_MAX_SIZE];
    uint32_t site_count, site_capacity;
    struct record scratch;
};

#define SLOTS_LEAST 64u

struct record_pool *record_pool_new(size_t bytes_max)
{
    struct record_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    pool->slots = calloc(SLOTS_LEAST, sizeof(struct record_blob *));
    if (!pool->slots) {
        free(pool);
        return NULL;
    }
    pool->mask = SLOTS_LEAST - 1;
    pool->bytes_max = bytes_max;
    pool->bytes = sizeof *pool + SLOTS_LEAST * sizeof(struct record_blob *);
    return pool;
}

void record_pool_destroy(struct record_pool **pool_p)
{
    struct record_pool *pool = *pool_p;
    if (!pool)
        return;
    for (uint32_t i = 0; i <= pool->mask; i++)
        free(pool->slots[i]);
    while (pool->policies) {
        struct policy_blob *policy = pool->policies;
        pool->policies = policy->next;
        free(policy);
    }
    free(pool->slots);
    free(pool->sites);
    free(pool);
    *pool_p = NULL;
}

size_t record_pool_bytes(const struct record_pool *pool)
{
    return pool->bytes;
}

/* The signature's first bytes are as good as random, and cost no hash. */
static uint32_t home(const struct record_pool *pool, struct bytes encoded)
{
    uint32_t key;
    memcpy(&key, encoded.data + encoded.size - SIGNATURE_SIZE, sizeof key);
    return key & pool->mask;
}

static void put(struct record_pool *pool, struct record_blob *blob)
{
    uint32_t at = home(pool, blob_bytes(blob));
    while (pool->slots[at])
        at = (at + 1) & pool->mask;
    pool->slots[at] = blob;
}

static bool grow(struct record_pool *pool)
{
    uint32_t old = pool->mask + 1;
    if (old > UINT32_MAX / 4)
        return false;
    struct record_blob **slots = calloc((size_t)old * 2, sizeof(struct record_blob *));
    if (!slots)
        return false;
    struct record_blob **before = pool->slots;
    pool->slots = slots;
    pool->mask = old * 2 - 1;
    for (uint32_t i = 0; i < old; i++)
        if (before[i])
            put(pool, before[i]);
    free(before);
    pool->bytes += old * sizeof(struct record_blob *);
    return true;
}

struct record_blob *record_pool_find(const struct record_pool *pool, struct bytes encoded)
{
    if (encoded.size <= SIGNATURE_SIZE)
        return NULL;
    for (uint32_t at = home(pool, encoded); pool->slots[at]; at = (at + 1) & pool->mask) {
        struct record_blob *blob = pool->slots[at];
        if (blob->size == encoded.size && memcmp(blob->data, encoded.data, encoded.size) == 0)
            return blob;
    }
    return NULL;
}

static void head_of(const struct record_blob *blob, struct record_head *head)
{
    *head = (struct record_head){
        .incarnation = blob->incarnation, .revision = blob->revision, .generation = blob_generation(blob)};
    memcpy(head->id.bytes, blob_id(blob), NODE_ID_SIZE);
}

bool record_pool_peek(const struct record_pool *pool, struct bytes encoded, struct record_head *head)
{
    const struct record_blob *blob = record_pool_find(pool, encoded);
    if (!blob)
        return record_peek(head, encoded);
    head_of(blob, head);
    return true;
}

uint32_t record_pool_domain(struct record_pool *pool, const char *name, bool add)
{
    for (uint32_t i = 0; i < pool->domain_count; i++)
        if (strcmp(pool->domains[i], name) == 0)
            return i;
    size_t size = strlen(name) + 1;
    if (!add || pool->domain_count == CLUSTER_DOMAINS || size > DOMAIN_MAX_SIZE)
        return UINT32_MAX;
    memcpy(pool->domains[pool->domain_count], name, size);
    return pool->domain_count++;
}

const char *record_pool_domain_name(const struct record_pool *pool, uint32_t domain)
{
    return pool->domains[domain];
}

/* 0: no room. */
static uint16_t intern_site(struct record_pool *pool, const char *name)
{
    for (uint32_t i = 0; i < pool->site_count; i++)
        if (strcmp(pool->sites[i], name) == 0)
            return (uint16_t)(i + 1);
    if (pool->site_count == SITES_MAX)
        return 0;
    if (pool->site_count == pool->site_capacity) {
        uint32_t capacity = pool->site_capacity ? pool->site_capacity * 2 : 4;
        void *sites = realloc(pool->sites, (size_t)capacity * NAME_MAX_SIZE);
        if (!sites)
            return 0;
        pool->sites = sites;
        pool->bytes += (size_t)(capacity - pool->site_capacity) * NAME_MAX_SIZE;
        pool->site_capacity = capacity;
    }
    memcpy(pool->sites[pool->site_count], name, strlen(name) + 1);
    return (uint16_t)++pool->site_count;
}

static uint16_t position(struct bytes encoded, const void *part, size_t size)
{
    const uint8_t *at = memmem(encoded.data, encoded.size, part, size);
    return at ? (uint16_t)(at - encoded.data) : UINT16_MAX;
}

static struct record_blob *blob_new(struct record_pool *pool, struct bytes encoded, uint64_t hash)
{
    const struct record *record = &pool->scratch;
    const struct grant *grant = &record->certificate.grant;
    struct record_blob *blob = malloc(offsetof(struct record_blob, data) + encoded.size);
    if (!blob)
        return NULL;
    struct record_blob head = {
        .hash = hash,
        .incarnation = record->incarnation,
        .revision = record->revision,
        .top = record->chain_base,
        .size = (uint16_t)encoded.size,
        .id_at = position(encoded, grant->id.bytes, NODE_ID_SIZE),
        .generation =
            (uint8_t)(record->certificate.generation < GENERATION_MANY ? record->certificate.generation
                                                                       : GENERATION_MANY),
        .site = intern_site(pool, grant->site),
        .flags = (uint8_t)((record->flags & RECORD_LEFT) | (record->endpoint_count ? BLOB_DIALABLE : 0) |
                           (grant->domain_count ? BLOB_GRANTED : 0)),
    };
    memcpy(blob, &head, offsetof(struct record_blob, data));
    memcpy(blob->top_link, record->anchor, LINK_SIZE);
    memcpy(blob->data, encoded.data, encoded.size);
    if (blob->id_at != UINT16_MAX)
        return blob;
    free(blob);
    return NULL;
}

static uint64_t hash_of(struct bytes encoded, const struct cluster_crypto *crypto)
{
    uint8_t digest[LINK_SIZE];
    crypto->hash(crypto->context, encoded.data, encoded.size, digest);
    struct cursor c = cursor_of(digest, sizeof digest);
    return cursor_be64(&c);
}

struct record_blob *record_pool_take(struct record_pool *pool, struct bytes encoded,
                                     const struct trust *trust, const struct policy *policy,
                                     const struct cluster_crypto *crypto)
{
    if (encoded.size == 0 || encoded.size > RECORD_MAX_SIZE)
        return NULL;
    uint16_t with = policy ? (uint16_t)policy->version : 0;
    struct record_blob *blob = record_pool_find(pool, encoded);
    if (!blob || blob->verified_with != with) {
        if (!record_read(&pool->scratch, encoded, trust, policy, crypto))
            return NULL;
    }
    if (!blob) {
        if (pool->bytes + sizeof *blob + encoded.size > pool->bytes_max ||
            (pool->count * 4 >= pool->mask * 3 && !grow(pool)))
            return NULL;
        blob = blob_new(pool, encoded, hash_of(encoded, crypto));
        if (!blob)
            return NULL;
        put(pool, blob);
        pool->count++;
        pool->bytes += BLOB_SIZE(blob);
    }
    blob->verified_with = with;
    blob->references++;
    return blob;
}

/* Open addressing without tombstones: what stands behind the gap is moved forward. */
static void take_out(struct record_pool *pool, uint32_t gap)
{
    uint32_t at = gap;
    for (;;) {
        at = (at + 1) & pool->mask;
        if (!pool->slots[at])
            break;
        uint32_t from = home(pool, blob_bytes(pool->slots[at]));
        if (((at - from) & pool->mask) >= ((at - gap) & pool->mask)) {
            pool->slots[gap] = pool->slots[at];
            gap = at;
        }
    }
    pool->slots[gap] = NULL;
}

void record_pool_drop(struct record_pool *pool, struct record_blob *blob)
{
    if (!blob || --blob->references > 0)
        return;
    uint32_t at = home(pool, blob_bytes(blob));
    while (pool->slots[at] != blob)
        at = (at + 1) & pool->mask;
    take_out(pool, at);
    pool->count--;
    pool->bytes -= BLOB_SIZE(blob);
    free(blob);
}

struct policy_blob *record_pool_take_policy(struct record_pool *pool, struct bytes encoded,
                                            const struct trust *trust, const struct cluster_crypto *crypto)
{
    if (encoded.size == 0 || encoded.size > POLICY_MAX_SIZE)
        return NULL;
    for (struct policy_blob *known = pool->policies; known; known = known->next) {
        if (known->size == encoded.size && memcmp(known->data, encoded.data, encoded.size) == 0) {
            known->references++;
            return known;
        }
    }
    struct policy_blob *blob = malloc(sizeof *blob + encoded.size);
    if (!blob)
        return NULL;
    *blob = (struct policy_blob){.references = 1, .size = encoded.size};
    memcpy(blob->data, encoded.data, encoded.size);
    if (!policy_read(&blob->policy, (struct bytes){blob->data, blob->size}, trust, crypto)) {
        free(blob);
        return NULL;
    }
    blob->next = pool->policies;
    pool->policies = blob;
    pool->bytes += sizeof *blob + blob->size;
    return blob;
}

void record_pool_drop_policy(struct record_pool *pool, struct policy_blob *blob)
{
    if (!blob || --blob->references > 0)
        return;
    struct policy_blob **at = &pool->policies;
    while (*at != blob)
        at = &(*at)->next;
    *at = blob->next;
    pool->bytes -= sizeof *blob + blob->size;
    free(blob);
}

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

uint32_t blob_generation(const struct record_blob *blob)
{
    if (blob->generation < GENERATION_MANY)
        return blob->generation;
    struct record_head head;
    return record_peek(&head, blob_bytes(blob)) ? head.generation : 0;
}

int blob_compare(const struct record_blob *a, const struct record_blob *b)
{
    int order = compare(blob_generation(a), blob_generation(b));
    if (!order)
        order = compare(a->incarnation, b->incarnation);
    if (!order)
        order = compare(a->revision, b->revision);
    return order ? order : compare(a->hash, b->hash);
}
