/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests to a key holder as capture/unseal.h makes them, for tests of single operations.
 */
#pragma once

#include "keys/holder.h"

struct key_call {
    uint8_t request[4096];
    uint8_t answer[4096];
    struct msgpack_writer w;
};

static inline void call_begin(struct key_call *call, enum unseal_operation operation, uint32_t arguments)
{
    msgpack_writer_init(&call->w, call->request, sizeof call->request);
    msgpack_put_array(&call->w, arguments + 1);
    msgpack_put_uint(&call->w, operation);
}

static inline void call_bytes(struct key_call *call, const void *data, size_t size)
{
    msgpack_put_binary(&call->w, data, size);
}

static inline void call_uint(struct key_call *call, uint64_t value)
{
    msgpack_put_uint(&call->w, value);
}

/* The result; `c`, if wanted, stands behind it, `left` items of the answer are to come. */
static inline enum unseal_result call_end(struct key_call *call, struct key_holder *holder, struct cursor *c,
                                          uint32_t *left)
{
    struct msgpack_writer answer;
    msgpack_writer_init(&answer, call->answer, sizeof call->answer);
    key_holder_answer(holder, 0, (struct bytes){call->request, call->w.size}, &answer);
    struct cursor items = cursor_of(call->answer, answer.size);
    struct msgpack_item list = msgpack_next(&items);
    assert_int_equal(list.type, MSGPACK_ARRAY);
    assert_true(list.count >= 1);
    struct msgpack_item result = msgpack_next(&items);
    assert_int_equal(result.type, MSGPACK_UINT);
    if (c)
        *c = items;
    if (left)
        *left = list.count - 1;
    return (enum unseal_result)result.uint;
}

static inline enum unseal_result call_context(struct key_call *call, struct key_holder *holder,
                                              uint64_t *context)
{
    struct cursor c;
    uint32_t left;
    enum unseal_result result = call_end(call, holder, &c, &left);
    *context = left ? msgpack_next(&c).uint : 0;
    return result;
}

static inline enum unseal_result call_plain(struct key_call *call, struct key_holder *holder,
                                            struct bytes *plain)
{
    struct cursor c;
    uint32_t left;
    enum unseal_result result = call_end(call, holder, &c, &left);
    *plain = left ? msgpack_next(&c).bytes : (struct bytes){0};
    return result;
}

/* "01 af", with blanks anywhere; the bytes it took. */
static inline size_t unhex(const char *text, uint8_t *to)
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;
    for (; *text; text++) {
        const char *digit = strchr(digits, *text);
        if (!digit)
            continue;
        uint8_t value = (uint8_t)(digit - digits);
        if (n % 2 == 0)
            to[n / 2] = (uint8_t)(value << 4);
        else
            to[n / 2] |= value;
        n++;
    }
    return n / 2;
}
