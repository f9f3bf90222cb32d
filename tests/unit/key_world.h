/* SPDX-License-Identifier: Apache-2.0
 *
 * The holder of keys as dissectors see it: capture/unseal.h's functions cannot be called without an engine,
 * so requests are written and answers read here.
 */
#pragma once

#include <stdlib.h>

#include "capture/kerberos_parts.h"
#include "keys/holder.h"
#include "tests/unit/keytab_bytes.h"
#include "tests/unit/unit.h"

struct key_world {
    struct key_holder *holder;
    uint8_t request[UNSEAL_REQUEST_MAX];
    uint8_t answer[UNSEAL_REQUEST_MAX];
    struct msgpack_writer w;
    size_t size; /* of the answer */
};

static inline void key_world_open(struct key_world *k)
{
    k->holder = key_holder_new(NULL);
    assert_non_null(k->holder);
}

static inline void key_world_close(struct key_world *k)
{
    key_holder_destroy(&k->holder);
    assert_null(k->holder);
}

static inline bool key_world_load(struct key_world *k, const char *path)
{
    struct bytes file = read_whole(path);
    struct fault fault;
    if (!file.data)
        return false;
    if (!key_holder_load(k->holder, path, file, &fault))
        fail_msg("%s", fault.text);
    free((void *)file.data);
    return true;
}

static inline struct msgpack_writer *key_world_begin(struct key_world *k, enum unseal_operation operation,
                                                     uint32_t arguments)
{
    msgpack_writer_init(&k->w, k->request, sizeof k->request);
    msgpack_put_array(&k->w, arguments + 1);
    msgpack_put_uint(&k->w, operation);
    return &k->w;
}

static inline struct cursor key_world_ask(struct key_world *k)
{
    struct msgpack_writer answer;
    msgpack_writer_init(&answer, k->answer, sizeof k->answer);
    key_holder_answer(k->holder, 7, (struct bytes){k->request, k->w.size}, &answer);
    assert_false(answer.full);
    k->size = answer.size;
    return cursor_of(k->answer, answer.size);
}

static inline uint64_t key_world_uint(struct cursor *c)
{
    struct msgpack_item item = msgpack_next(c);
    if (item.type == MSGPACK_INT)
        return (uint64_t)item.sint;
    assert_int_equal(item.type, MSGPACK_UINT);
    return item.uint;
}

static inline void key_world_parts(struct cursor *c, struct unsealed *to)
{
    uint32_t count = msgpack_next(c).count;
    assert_true(count <= UNSEALED_PARTS_MAX);
    for (to->count = 0; to->count < count; to->count++) {
        struct unsealed_part *p = &to->parts[to->count];
        struct msgpack_item list = msgpack_next(c);
        assert_int_equal(list.type, MSGPACK_ARRAY);
        assert_int_equal(list.count, 6 + PAC_SIGNATURES);
        p->kind = (enum unsealed_kind)key_world_uint(c);
        p->result = (enum unseal_result)key_world_uint(c);
        p->etype = (int32_t)key_world_uint(c);
        p->kvno = (uint32_t)key_world_uint(c);
        p->plain = msgpack_next(c).bytes;
        p->pac = key_world_uint(c) != 0;
        for (int i = 0; i < PAC_SIGNATURES; i++)
            p->signatures[i] = (uint8_t)key_world_uint(c);
    }
    assert_false(c->failed);
}

static inline void key_world_kdc_request(struct key_world *k, uint64_t exchange, struct bytes message)
{
    struct msgpack_writer *w = key_world_begin(k, UNSEAL_KDC_REQUEST, 2);
    msgpack_put_uint(w, exchange);
    msgpack_put_binary(w, message.data, message.size);
    key_world_ask(k);
    assert_int_equal(k->size, 0);
}

static inline void key_world_kdc_reply(struct key_world *k, uint64_t exchange, struct bytes message,
                                       struct unsealed *to)
{
    struct msgpack_writer *w = key_world_begin(k, UNSEAL_KDC_REPLY, 2);
    msgpack_put_uint(w, exchange);
    msgpack_put_binary(w, message.data, message.size);
    struct cursor c = key_world_ask(k);
    uint32_t items = msgpack_next(&c).count;
    to->result = (enum unseal_result)key_world_uint(&c);
    to->count = 0;
    if (items > 1)
        key_world_parts(&c, to);
    assert_true(cursor_done(&c));
}

static inline uint64_t key_world_ap_request(struct key_world *k, struct bytes message, struct unsealed *to)
{
    struct msgpack_writer *w = key_world_begin(k, UNSEAL_AP_REQUEST, 1);
    msgpack_put_binary(w, message.data, message.size);
    struct cursor c = key_world_ask(k);
    uint32_t items = msgpack_next(&c).count;
    uint64_t context = 0;
    to->result = (enum unseal_result)key_world_uint(&c);
    to->count = 0;
    if (items > 1) {
        context = key_world_uint(&c);
        key_world_parts(&c, to);
    }
    assert_true(cursor_done(&c));
    return context;
}

static inline void key_world_ap_reply(struct key_world *k, uint64_t context, struct bytes message)
{
    struct msgpack_writer *w = key_world_begin(k, UNSEAL_AP_REPLY, 3);
    msgpack_put_uint(w, context);
    msgpack_put_uint(w, TO_CLIENT);
    msgpack_put_binary(w, message.data, message.size);
    key_world_ask(k);
    assert_int_equal(k->size, 0);
}
