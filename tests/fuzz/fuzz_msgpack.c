/* SPDX-License-Identifier: Apache-2.0
 *
 * The msgpack reader; what it reads is written again, in the shortest form, and must read the same.
 */
#include <stdlib.h>

#include "base/msgpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* One item, without what is in it. Extensions, which no writer of ours makes, become binary. */
static void write_item(struct msgpack_writer *w, const struct msgpack_item *item)
{
    switch (item->type) {
    case MSGPACK_NIL:
        msgpack_put_nil(w);
        break;
    case MSGPACK_BOOL:
        msgpack_put_bool(w, item->boolean);
        break;
    case MSGPACK_UINT:
        msgpack_put_uint(w, item->uint);
        break;
    case MSGPACK_INT:
        msgpack_put_int(w, item->sint);
        break;
    case MSGPACK_DOUBLE:
        msgpack_put_double(w, item->real);
        break;
    case MSGPACK_STRING:
        msgpack_put_string(w, item->bytes.data, item->bytes.size);
        break;
    case MSGPACK_ARRAY:
        msgpack_put_array(w, item->count);
        break;
    case MSGPACK_MAP:
        msgpack_put_map(w, item->count);
        break;
    default:
        msgpack_put_binary(w, item->bytes.data, item->bytes.size);
        break;
    }
}

static bool same(const struct msgpack_item *a, const struct msgpack_item *b)
{
    enum msgpack_type type = a->type == MSGPACK_EXTENSION ? MSGPACK_BINARY : a->type;
    if (type != b->type)
        return false;
    switch (type) {
    case MSGPACK_BOOL:
        return a->boolean == b->boolean;
    case MSGPACK_UINT:
    case MSGPACK_INT:
        return a->uint == b->uint;
    case MSGPACK_DOUBLE: /* a NaN stays a NaN */
        return memcmp(&a->real, &b->real, sizeof a->real) == 0 || a->real != a->real;
    case MSGPACK_STRING:
    case MSGPACK_BINARY:
        return a->bytes.size == b->bytes.size && memcmp(a->bytes.data, b->bytes.data, a->bytes.size) == 0;
    case MSGPACK_ARRAY:
    case MSGPACK_MAP:
        return a->count == b->count;
    default:
        return true;
    }
}

/* Items one after the other, whatever nests them, until the first that is damaged. */
static void copy_items(struct cursor *c, struct msgpack_writer *w)
{
    while (!cursor_done(c)) {
        struct msgpack_item item = msgpack_next(c);
        if (item.type == MSGPACK_INVALID)
            return;
        size_t before = w->size;
        write_item(w, &item);
        require(!w->full);
        /* What follows a container is not written yet: give its reader something. */
        struct cursor again = {.at = w->data + before, .end = w->data + w->capacity};
        struct msgpack_item copy = msgpack_next(&again);
        require(same(&item, &copy) && again.at == w->data + w->size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *input = malloc(size ? size : 1);
    size_t capacity = 3 * size + 16; /* a float of 32 bits becomes one of 64, an extension of 1 byte 3 */
    uint8_t *output = calloc(1, capacity);
    memcpy(input, data, size);

    struct cursor c = cursor_of(input, size);
    struct msgpack_writer w;
    msgpack_writer_init(&w, output, capacity);
    copy_items(&c, &w);

    c = cursor_of(input, size);
    bool whole = msgpack_skip(&c);
    require(whole != c.failed);
    free(input);
    free(output);
    return 0;
}
