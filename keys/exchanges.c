/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/exchanges.h"

#include "base/hash_table.h"

#include <sodium.h>
#include <stdlib.h>

/* A ring in the order of arrival: what is taken out of its middle leaves a hole, which the tail passes. */
struct name {
    uint64_t number;
    uint64_t line;
};

struct exchange {
    struct name name;
    uint8_t *request; /* NULL: a hole */
    size_t size;
};

struct exchanges {
    struct exchange ring[EXCHANGES_MAX];
    uint32_t head; /* the place of the next one, counted on */
    uint32_t tail;
    size_t bytes;
    struct hash_table *places; /* name -> place */
};

struct exchanges *exchanges_new(void)
{
    struct exchanges *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    uint64_t seed;
    randombytes_buf(&seed, sizeof seed);
    e->places = hash_table_new(EXCHANGES_MAX, sizeof(struct name), sizeof(uint32_t), seed);
    if (!e->places)
        exchanges_destroy(&e);
    return e;
}

void exchanges_destroy(struct exchanges **exchanges_p)
{
    struct exchanges *e = *exchanges_p;
    if (!e)
        return;
    for (uint32_t i = 0; i < EXCHANGES_MAX; i++)
        free(e->ring[i].request);
    hash_table_destroy(&e->places);
    free(e);
    *exchanges_p = NULL;
}

static struct bytes take(struct exchanges *e, struct exchange *x)
{
    struct bytes request = {x->request, x->size};
    hash_table_remove(e->places, &x->name);
    e->bytes -= x->size;
    *x = (struct exchange){.request = NULL};
    while (e->tail != e->head && !e->ring[e->tail % EXCHANGES_MAX].request)
        e->tail++;
    return request;
}

static void drop(struct exchanges *e, struct exchange *x)
{
    free((void *)take(e, x).data);
}

static struct exchange *find(struct exchanges *e, struct name name)
{
    const uint32_t *place = hash_table_find(e->places, &name);
    return place ? &e->ring[*place] : NULL;
}

void exchanges_put(struct exchanges *e, uint32_t line, uint64_t number, struct bytes request)
{
    struct name name = {number, line};
    struct exchange *before = find(e, name);
    if (before)
        drop(e, before);
    if (!request.size || request.size > EXCHANGE_BYTES_MAX)
        return;
    while (e->head - e->tail == EXCHANGES_MAX || e->bytes > EXCHANGE_BYTES_MAX - request.size)
        drop(e, &e->ring[e->tail % EXCHANGES_MAX]);
    uint8_t *copy = malloc(request.size);
    if (!copy)
        return;
    memcpy(copy, request.data, request.size);
    uint32_t place = e->head++ % EXCHANGES_MAX;
    e->ring[place] = (struct exchange){name, copy, request.size};
    e->bytes += request.size;
    *(uint32_t *)hash_table_insert(e->places, &name, NULL) = place;
}

struct bytes exchanges_take(struct exchanges *e, uint32_t line, uint64_t number)
{
    struct exchange *x = find(e, (struct name){number, line});
    return x ? take(e, x) : (struct bytes){0};
}

void exchanges_line_ended(struct exchanges *e, uint32_t line)
{
    for (uint32_t i = 0; i < EXCHANGES_MAX; i++)
        if (e->ring[i].request && e->ring[i].name.line == line)
            drop(e, &e->ring[i]);
}
