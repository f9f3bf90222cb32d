/* SPDX-License-Identifier: Apache-2.0 */
#include "events/quarantine.h"

#include "base/hash_table.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Without padding: compared as bytes. */
struct key {
    const char *input, *format;
    uint8_t family, bytes[16], zero[7];
};

struct tally {
    uint64_t count;
    int64_t last;
};

struct quarantine {
    pthread_mutex_t lock;
    struct hash_table *sources;
    uint64_t others;
    uint64_t newest;                  /* number; 0: none yet */
    struct quarantine_entry *entries; /* number n stands at n modulo their count */
};

struct quarantine *quarantine_new(uint64_t seed)
{
    struct quarantine *self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    pthread_mutex_init(&self->lock, NULL);
    self->sources = hash_table_new(QUARANTINE_SOURCES, sizeof(struct key), sizeof(struct tally), seed);
    self->entries = calloc(QUARANTINE_ENTRIES, sizeof(*self->entries));
    if (!self->sources || !self->entries)
        quarantine_destroy(&self);
    return self;
}

void quarantine_destroy(struct quarantine **quarantine)
{
    struct quarantine *self = *quarantine;
    if (!self)
        return;
    hash_table_destroy(&self->sources);
    free(self->entries);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *quarantine = NULL;
}

static void count(struct quarantine *self, const struct quarantine_origin *origin, int64_t time)
{
    struct key key;
    memset(&key, 0, sizeof(key));
    key.input = origin->input;
    key.format = origin->format;
    key.family = origin->address.family;
    memcpy(key.bytes, origin->address.bytes, sizeof(key.bytes));
    struct tally *tally = hash_table_insert(self->sources, &key, NULL);
    if (!tally) {
        self->others++;
        return;
    }
    tally->count++;
    tally->last = time;
}

void quarantine_put(struct quarantine *self, const struct quarantine_origin *origin, const char *reason,
                    struct bytes message, int64_t time)
{
    size_t size = message.size < QUARANTINE_BYTES ? message.size : QUARANTINE_BYTES;
    pthread_mutex_lock(&self->lock);
    count(self, origin, time);
    struct quarantine_entry *entry = &self->entries[++self->newest % QUARANTINE_ENTRIES];
    entry->origin = *origin;
    entry->reason = reason;
    entry->time = time;
    entry->number = self->newest;
    entry->whole = message.size;
    entry->size = size;
    if (size)
        memcpy(entry->bytes, message.data, size);
    pthread_mutex_unlock(&self->lock);
}

bool quarantine_before(struct quarantine *self, uint64_t before, struct quarantine_entry *to)
{
    pthread_mutex_lock(&self->lock);
    uint64_t number = before <= self->newest ? before - 1 : self->newest;
    bool there = before > 0 && number > 0 && self->newest - number < QUARANTINE_ENTRIES;
    if (there)
        *to = self->entries[number % QUARANTINE_ENTRIES];
    pthread_mutex_unlock(&self->lock);
    return there;
}

uint32_t quarantine_sources(struct quarantine *self, struct quarantine_source *to, uint32_t max,
                            uint64_t *others)
{
    uint32_t at = 0, n = 0;
    const void *key_at;
    void *value;
    pthread_mutex_lock(&self->lock);
    while (n < max && hash_table_next(self->sources, &at, &key_at, &value)) {
        const struct key *key = key_at;
        const struct tally *tally = value;
        struct quarantine_source *source = &to[n++];
        *source = (struct quarantine_source){
            .origin = {.input = key->input, .format = key->format, .address.family = key->family},
            .count = tally->count,
            .last = tally->last};
        memcpy(source->origin.address.bytes, key->bytes, sizeof(key->bytes));
    }
    *others = self->others;
    pthread_mutex_unlock(&self->lock);
    return n;
}
