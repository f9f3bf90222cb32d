/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/ip_fragments.h"

#include <stdlib.h>

#define DATAGRAM_MAX 65535u
#define BUCKETS      2048u /* a power of two */

struct piece {
    struct piece *next; /* by offset; they never overlap */
    uint32_t offset;
    uint32_t size;
    uint8_t data[];
};

struct partial {
    struct partial *chain; /* of the bucket */
    struct partial *newer; /* by age */
    struct partial *older;
    int64_t started;
    uint8_t source[16];
    uint8_t destination[16];
    uint32_t id;
    uint8_t version;
    uint8_t protocol;
    bool end_known;
    uint32_t end;
    uint32_t received; /* bytes in pieces */
    uint32_t count;
    struct piece *pieces;
};

struct ip_fragments {
    struct slab *slab;
    uint64_t seed;
    struct partial *buckets[BUCKETS];
    struct partial *oldest;
    struct partial *newest;
    uint32_t count;
    size_t bytes;
    uint8_t whole[DATAGRAM_MAX]; /* the one that was completed last */
    uint8_t addresses[32];
};

struct ip_fragments *ip_fragments_new(struct slab *slab, uint64_t seed)
{
    struct ip_fragments *fragments = calloc(1, sizeof *fragments);
    if (!fragments)
        return NULL;
    fragments->slab = slab;
    fragments->seed = seed;
    return fragments;
}

static size_t address_size(uint8_t version)
{
    return version == 4 ? 4 : 16;
}

static uint32_t bucket_of(const struct ip_fragments *fragments, const struct ip_datagram *datagram)
{
    uint64_t h = fragments->seed ^ datagram->fragment_id;
    size_t size = address_size(datagram->version);
    for (size_t i = 0; i < size; i += 4) {
        uint32_t a, b;
        memcpy(&a, datagram->source + i, 4);
        memcpy(&b, datagram->destination + i, 4);
        h = (h ^ a) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
        h = (h ^ b) * UINT64_C(0xbf58476d1ce4e5b9);
        h ^= h >> 32;
    }
    return (uint32_t)h & (BUCKETS - 1);
}

static bool partial_is(const struct partial *partial, const struct ip_datagram *datagram)
{
    size_t size = address_size(datagram->version);
    /* RFC 791 2.3: source, destination, protocol and identification; RFC 8200 4.5 leaves the protocol out,
     * but it is the same in every fragment. */
    return partial->id == datagram->fragment_id && partial->version == datagram->version &&
           (partial->version == 6 || partial->protocol == datagram->protocol) &&
           memcmp(partial->source, datagram->source, size) == 0 &&
           memcmp(partial->destination, datagram->destination, size) == 0;
}

static void pieces_free(struct ip_fragments *fragments, struct partial *partial)
{
    for (struct piece *piece = partial->pieces, *next; piece; piece = next) {
        next = piece->next;
        fragments->bytes -= piece->size;
        slab_free(fragments->slab, piece, sizeof *piece + piece->size);
    }
    partial->pieces = NULL;
}

static void partial_remove(struct ip_fragments *fragments, struct partial *partial)
{
    struct ip_datagram key = {
        .version = partial->version,
        .source = partial->source,
        .destination = partial->destination,
        .fragment_id = partial->id,
    };
    struct partial **at = &fragments->buckets[bucket_of(fragments, &key)];
    while (*at != partial)
        at = &(*at)->chain;
    *at = partial->chain;
    *(partial->older ? &partial->older->newer : &fragments->oldest) = partial->newer;
    *(partial->newer ? &partial->newer->older : &fragments->newest) = partial->older;
    pieces_free(fragments, partial);
    fragments->count--;
    slab_free(fragments->slab, partial, sizeof *partial);
}

void ip_fragments_destroy(struct ip_fragments **fragments_p)
{
    struct ip_fragments *fragments = *fragments_p;
    if (!fragments)
        return;
    *fragments_p = NULL;
    while (fragments->oldest)
        partial_remove(fragments, fragments->oldest);
    free(fragments);
}

void ip_fragments_expire(struct ip_fragments *fragments, int64_t now, uint64_t *dropped)
{
    while (fragments->oldest && now - fragments->oldest->started > IP_FRAGMENTS_AGE) {
        partial_remove(fragments, fragments->oldest);
        ++*dropped;
    }
}

static struct partial *partial_get(struct ip_fragments *fragments, const struct ip_datagram *datagram,
                                   int64_t now, uint64_t *dropped)
{
    uint32_t bucket = bucket_of(fragments, datagram);
    for (struct partial *partial = fragments->buckets[bucket]; partial; partial = partial->chain)
        if (partial_is(partial, datagram))
            return partial;
    while (fragments->oldest && (fragments->count >= IP_FRAGMENTS_DATAGRAMS ||
                                 fragments->bytes + datagram->captured > IP_FRAGMENTS_BYTES)) {
        partial_remove(fragments, fragments->oldest);
        ++*dropped;
    }
    struct partial *partial = slab_zalloc(fragments->slab, sizeof *partial);
    if (!partial)
        return NULL;
    size_t size = address_size(datagram->version);
    memcpy(partial->source, datagram->source, size);
    memcpy(partial->destination, datagram->destination, size);
    partial->version = datagram->version;
    partial->protocol = datagram->protocol;
    partial->id = datagram->fragment_id;
    partial->started = now;
    partial->chain = fragments->buckets[bucket];
    fragments->buckets[bucket] = partial;
    partial->older = fragments->newest;
    *(fragments->newest ? &fragments->newest->newer : &fragments->oldest) = partial;
    fragments->newest = partial;
    fragments->count++;
    return partial;
}

static bool piece_add(struct ip_fragments *fragments, struct partial *partial, struct piece **at,
                      const uint8_t *data, uint32_t offset, uint32_t size)
{
    if (partial->count >= IP_FRAGMENTS_PIECES || fragments->bytes + size > IP_FRAGMENTS_BYTES)
        return false;
    struct piece *piece = slab_alloc(fragments->slab, sizeof *piece + size);
    if (!piece)
        return false;
    piece->offset = offset;
    piece->size = size;
    piece->next = *at;
    memcpy(piece->data, data, size);
    *at = piece;
    partial->count++;
    partial->received += size;
    fragments->bytes += size;
    return true;
}

/* Keeps those bytes of offset..end that are not there yet. */
static bool pieces_fill(struct ip_fragments *fragments, struct partial *partial, const uint8_t *data,
                        uint32_t offset, uint32_t end)
{
    uint32_t start = offset;
    struct piece **at = &partial->pieces;
    while (offset < end) {
        while (*at && (*at)->offset + (*at)->size <= offset)
            at = &(*at)->next;
        struct piece *piece = *at;
        if (piece && piece->offset <= offset) {
            offset = piece->offset + piece->size;
            continue;
        }
        uint32_t stop = piece && piece->offset < end ? piece->offset : end;
        if (!piece_add(fragments, partial, at, data + (offset - start), offset, stop - offset))
            return false;
        offset = stop;
    }
    return true;
}

static void complete(struct ip_fragments *fragments, struct partial *partial, struct ip_datagram *datagram)
{
    for (const struct piece *piece = partial->pieces; piece; piece = piece->next)
        memcpy(fragments->whole + piece->offset, piece->data, piece->size);
    size_t size = address_size(datagram->version);
    memcpy(fragments->addresses, datagram->source, size);
    memcpy(fragments->addresses + 16, datagram->destination, size);
    datagram->source = fragments->addresses;
    datagram->destination = fragments->addresses + 16;
    datagram->protocol = partial->protocol;
    datagram->payload = fragments->whole;
    datagram->captured = partial->end;
    datagram->length = partial->end;
    datagram->fragment = false;
    datagram->more_fragments = false;
    datagram->fragment_offset = 0;
    partial_remove(fragments, partial);
}

enum ip_fragments_result ip_fragments_add(struct ip_fragments *fragments, struct ip_datagram *datagram,
                                          int64_t now, uint64_t *dropped)
{
    uint32_t offset = datagram->fragment_offset;
    uint32_t end = offset + datagram->captured;
    /* All but the last are multiples of 8 (RFC 791 3.2); a sum beyond 65,535 is the "ping of death". */
    if (datagram->captured < datagram->length || end > DATAGRAM_MAX || datagram->captured == 0 ||
        (datagram->more_fragments && datagram->captured % 8 != 0))
        return IP_FRAGMENTS_DROPPED;
    ip_fragments_expire(fragments, now, dropped);
    struct partial *partial = partial_get(fragments, datagram, now, dropped);
    if (!partial)
        return IP_FRAGMENTS_DROPPED;
    /* RFC 8200 4.5: the next header of the first fragment is the one that counts. */
    if (offset == 0)
        partial->protocol = datagram->protocol;
    if (!datagram->more_fragments && !partial->end_known) {
        partial->end_known = true;
        partial->end = end;
    }
    if (partial->end_known && end > partial->end)
        end = partial->end > offset ? partial->end : offset;
    if (!pieces_fill(fragments, partial, datagram->payload, offset, end)) {
        partial_remove(fragments, partial);
        ++*dropped;
        return IP_FRAGMENTS_DROPPED;
    }
    if (!partial->end_known || partial->received < partial->end)
        return IP_FRAGMENTS_HELD;
    /* Pieces beyond an end that became known late do not belong to it. */
    if (partial->received > partial->end) {
        partial_remove(fragments, partial);
        ++*dropped;
        return IP_FRAGMENTS_DROPPED;
    }
    complete(fragments, partial, datagram);
    return IP_FRAGMENTS_COMPLETE;
}
