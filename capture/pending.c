/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/pending.h"

#include <stdlib.h>

#define BUCKETS 32768u /* a power of two */

struct pendings {
    struct slab *slab;
    uint64_t seed;
    uint32_t count;
    struct pending *oldest, *newest;
    struct pending *buckets[BUCKETS];
};

struct pendings *pendings_new(struct slab *slab, uint64_t seed)
{
    struct pendings *pendings = calloc(1, sizeof *pendings);
    if (!pendings)
        return NULL;
    pendings->slab = slab;
    pendings->seed = seed;
    return pendings;
}

void pendings_destroy(struct pendings **pendings_p)
{
    free(*pendings_p);
    *pendings_p = NULL;
}

static struct pending **bucket(struct pendings *pendings, const struct flow *flow, unsigned protocol,
                               uint64_t key)
{
    /* The key is the wire's, so the hash is seeded. */
    uint64_t h = (key ^ pendings->seed) * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ h >> 32 ^ flow->info.number ^ (uint64_t)protocol << 56) * UINT64_C(0xbf58476d1ce4e5b9);
    return &pendings->buckets[(h ^ h >> 29) >> 20 & (BUCKETS - 1)];
}

struct pending *pendings_find(struct pendings *pendings, const struct flow *flow, enum protocol_id protocol,
                              uint64_t key)
{
    if (!flow->pending)
        return NULL;
    for (struct pending *pending = *bucket(pendings, flow, protocol, key); pending; pending = pending->chain)
        if (pending->flow == flow && pending->key == key && pending->protocol == protocol)
            return pending;
    return NULL;
}

struct pending *pendings_add(struct pendings *pendings, struct flow *flow, enum protocol_id protocol,
                             uint64_t key, uint32_t size, int64_t now)
{
    if (flow->pending_count >= PENDINGS_PER_FLOW || pendings->count >= PENDINGS_MAX)
        return NULL;
    struct pending *pending = slab_alloc(pendings->slab, sizeof *pending + size);
    if (!pending)
        return NULL;
    struct pending **chain = bucket(pendings, flow, protocol, key);
    *pending = (struct pending){
        .flow = flow,
        .key = key,
        .since = now,
        .chain = *chain,
        .older = pendings->newest,
        .flow_older = flow->pending_last,
        .size = size,
        .protocol = (uint8_t)protocol,
    };
    *chain = pending;
    *(pendings->newest ? &pendings->newest->newer : &pendings->oldest) = pending;
    pendings->newest = pending;
    *(flow->pending_last ? &flow->pending_last->flow_newer : &flow->pending) = pending;
    flow->pending_last = pending;
    flow->pending_count++;
    pendings->count++;
    return pending;
}

void pendings_take(struct pendings *pendings, struct pending *pending)
{
    struct flow *flow = pending->flow;
    struct pending **chain = bucket(pendings, flow, pending->protocol, pending->key);
    while (*chain != pending)
        chain = &(*chain)->chain;
    *chain = pending->chain;
    *(pending->older ? &pending->older->newer : &pendings->oldest) = pending->newer;
    *(pending->newer ? &pending->newer->older : &pendings->newest) = pending->older;
    *(pending->flow_older ? &pending->flow_older->flow_newer : &flow->pending) = pending->flow_newer;
    *(pending->flow_newer ? &pending->flow_newer->flow_older : &flow->pending_last) = pending->flow_older;
    flow->pending_count--;
    pendings->count--;
}

void pendings_free(struct pendings *pendings, struct pending *pending)
{
    slab_free(pendings->slab, pending, sizeof *pending + pending->size);
}

struct pending *pendings_oldest(struct pendings *pendings)
{
    return pendings->oldest;
}
