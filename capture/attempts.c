/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/attempts.h"

#include <string.h>

#define PROBES 8 /* a set-associative table: a pair has one of eight places */

void attempts_init(struct attempts_table *table, uint64_t seed)
{
    table->seed = seed;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t mix_address(uint64_t hash, const struct ip_address *address)
{
    uint64_t halves[2];
    memcpy(halves, address->bytes, sizeof halves);
    return mix(mix(hash ^ halves[0]) ^ halves[1]);
}

static bool is_free(const struct attempts *attempts)
{
    return attempts->refused + attempts->unanswered == 0;
}

static void tell(struct attempts *attempts, attempts_told told, void *context)
{
    if (attempts->ports_count >= ATTEMPTS_PORTS_SCAN)
        told(context, attempts);
    attempts->refused = attempts->unanswered = 0;
}

/* The pair's place; a new pair takes a free one, or that of the sum that is oldest. */
static struct attempts *place_of(struct attempts_table *table, const struct ip_address *source,
                                 const struct ip_address *destination, int64_t time, attempts_told told,
                                 void *context)
{
    uint64_t hash = mix_address(mix_address(table->seed, source), destination);
    struct attempts *best = NULL;
    for (unsigned i = 0; i < PROBES; i++) {
        struct attempts *at = &table->pairs[(hash + i) & (ATTEMPTS_PAIRS - 1)];
        if (!is_free(at) && ip_address_equal(&at->source, source) &&
            ip_address_equal(&at->destination, destination))
            return at;
        if (!best || (!is_free(best) && (is_free(at) || at->first < best->first)))
            best = at;
    }
    if (!is_free(best))
        tell(best, told, context);
    *best = (struct attempts){.source = *source, .destination = *destination, .first = time};
    return best;
}

static void add_port(struct attempts *attempts, uint16_t port)
{
    for (unsigned i = 0; i < attempts->ports_count; i++)
        if (attempts->ports[i] == port)
            return;
    if (attempts->ports_count < ATTEMPTS_PORTS)
        attempts->ports[attempts->ports_count++] = port;
}

void attempts_add(struct attempts_table *table, const struct ip_address *source,
                  const struct ip_address *destination, uint16_t port, bool refused, int64_t time,
                  attempts_told told, void *context)
{
    struct attempts *attempts = place_of(table, source, destination, time, told, context);
    uint32_t *count = refused ? &attempts->refused : &attempts->unanswered;
    if (*count < UINT32_MAX / 2)
        ++*count;
    if (time > attempts->last)
        attempts->last = time;
    if (time < attempts->first)
        attempts->first = time;
    add_port(attempts, port);
}

void attempts_expire(struct attempts_table *table, int64_t until, attempts_told told, void *context)
{
    for (unsigned i = 0; i < ATTEMPTS_PAIRS; i++) {
        struct attempts *attempts = &table->pairs[i];
        if (!is_free(attempts) && attempts->first < until)
            tell(attempts, told, context);
    }
}
