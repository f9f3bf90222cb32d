/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/collection.h"

#include "capture/unseal.h"

#include <sodium.h>
#include <stdlib.h>

/* A head around all of them must fit into an answer as well. */
#define COLLECTION_BYTES (UNSEAL_REQUEST_MAX - 64)

struct collection {
    uint32_t line;
    uint32_t count; /* answers */
    size_t before;  /* the open one's beginning */
    uint8_t *bytes; /* NULL: the place is free */
    struct msgpack_writer w;
};

struct collections {
    struct collection list[COLLECTION_LINES_MAX];
};

struct collections *collections_new(void)
{
    return calloc(1, sizeof(struct collections));
}

static void clear(struct collection *c)
{
    sodium_memzero(c->bytes, c->w.size);
    msgpack_writer_init(&c->w, c->bytes, COLLECTION_BYTES);
    c->count = 0;
}

static void end(struct collection *c)
{
    if (c->bytes)
        clear(c);
    free(c->bytes);
    *c = (struct collection){.line = 0};
}

void collections_destroy(struct collections **collections_p)
{
    struct collections *all = *collections_p;
    for (uint32_t i = 0; all && i < COLLECTION_LINES_MAX; i++)
        end(&all->list[i]);
    free(all);
    *collections_p = NULL;
}

static struct collection *find(struct collections *all, uint32_t line)
{
    for (uint32_t i = 0; i < COLLECTION_LINES_MAX; i++)
        if (all->list[i].bytes && all->list[i].line == line)
            return &all->list[i];
    return NULL;
}

static struct collection *find_or_begin(struct collections *all, uint32_t line)
{
    struct collection *c = find(all, line);
    for (uint32_t i = 0; !c && i < COLLECTION_LINES_MAX; i++)
        if (!all->list[i].bytes)
            c = &all->list[i];
    if (!c || c->bytes)
        return c;
    c->bytes = malloc(COLLECTION_BYTES);
    if (!c->bytes)
        return NULL;
    c->line = line;
    msgpack_writer_init(&c->w, c->bytes, COLLECTION_BYTES);
    return c;
}

struct msgpack_writer *collection_open(struct collections *all, uint32_t line, uint64_t number)
{
    struct collection *c = find_or_begin(all, line);
    if (!c)
        return NULL;
    c->before = c->w.size;
    msgpack_put_uint(&c->w, number);
    return &c->w;
}

void collection_close(struct collections *all, uint32_t line, bool keep)
{
    struct collection *c = find(all, line);
    if (!c)
        return;
    if (keep && !c->w.full) {
        c->count++;
        return;
    }
    c->w.size = c->before;
    c->w.full = false;
}

void collection_take(struct collections *all, uint32_t line, struct msgpack_writer *to)
{
    struct collection *c = find(all, line);
    msgpack_put_array(to, c ? 2 * c->count : 0);
    if (!c)
        return;
    msgpack_put_raw(to, c->bytes, c->w.size);
    clear(c);
}

void collections_line_ended(struct collections *all, uint32_t line)
{
    struct collection *c = find(all, line);
    if (c)
        end(c);
}
