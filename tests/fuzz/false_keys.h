/* SPDX-License-Identifier: Apache-2.0
 *
 * Somebody who seems to hold every key: to each question the answer is made of its own bytes, as if nothing
 * had been encrypted. So dissectors read as plain text whatever the input says.
 */
#pragma once

#include "base/msgpack.h"
#include "capture/unseal.h"

#include <stdlib.h>
#include <string.h>

static uint8_t false_answer[UNSEAL_REQUEST_MAX], false_kept[UNSEAL_REQUEST_MAX];
static struct msgpack_writer false_writer;
static size_t false_kept_size; /* answers to what was posted, until they are collected */
static uint32_t false_kept_count;

static void false_head(uint32_t items)
{
    msgpack_put_array(&false_writer, items);
    msgpack_put_uint(&false_writer, UNSEAL_FINE);
}

/* Each kind of part once, with what follows the first bytes of the message: the fuzzer finds which. */
static void false_parts(struct bytes message)
{
    const uint32_t kinds = UNSEALED_AUTHORIZATION;
    msgpack_put_array(&false_writer, kinds);
    for (uint32_t kind = 1; kind <= kinds; kind++) {
        size_t skip = message.size ? message.data[message.size - 1] % 32u : 0;
        if (skip > message.size)
            skip = message.size;
        msgpack_put_array(&false_writer, 6 + PAC_SIGNATURES);
        msgpack_put_uint(&false_writer, kind);
        msgpack_put_uint(&false_writer, kind == skip ? UNSEAL_NO_KEY : UNSEAL_FINE);
        msgpack_put_uint(&false_writer, 18);
        msgpack_put_uint(&false_writer, kind);
        msgpack_put_binary(&false_writer, message.size ? message.data + skip : message.data,
                           message.size - skip);
        msgpack_put_uint(&false_writer, kind & 1);
        for (uint32_t i = 0; i < PAC_SIGNATURES; i++)
            msgpack_put_uint(&false_writer, (skip + i) % 4);
    }
}

static void false_plain(struct bytes plain)
{
    false_head(2);
    msgpack_put_binary(&false_writer, plain.data, plain.size);
}

static void false_stub(struct cursor *c, struct bytes pdu)
{
    size_t at = msgpack_next(c).uint;
    size_t size = msgpack_next(c).uint;
    if (at > pdu.size || size > pdu.size - at)
        abort(); /* a dissector asks for what is there */
    false_plain((struct bytes){pdu.size ? pdu.data + at : pdu.data, size});
}

static void false_collect(void)
{
    false_head(2);
    msgpack_put_array(&false_writer, 2 * false_kept_count);
    msgpack_put_raw(&false_writer, false_kept, false_kept_size);
    false_kept_size = false_kept_count = 0;
}

static bool false_ask(void *context, struct bytes request, struct bytes *answer)
{
    (void)context;
    struct cursor c = cursor_of_bytes(request), whole = c;
    if (!msgpack_skip(&whole) || !cursor_done(&whole))
        abort();
    msgpack_next(&c);
    uint64_t operation = msgpack_next(&c).uint;
    msgpack_writer_init(&false_writer, false_answer, sizeof false_answer);
    switch (operation) {
    case UNSEAL_COLLECT:
        false_collect();
        break;
    case UNSEAL_KDC_REPLY:
        msgpack_next(&c);
        false_head(2);
        false_parts(msgpack_next(&c).bytes);
        break;
    case UNSEAL_AP_REQUEST:
        false_head(3);
        msgpack_put_uint(&false_writer, 7);
        false_parts(msgpack_next(&c).bytes);
        break;
    case UNSEAL_NTLM:
    case UNSEAL_NETLOGON_CONTEXT:
    case UNSEAL_SMB:
        false_head(2);
        msgpack_put_uint(&false_writer, 8);
        break;
    case UNSEAL_WRAP:
    case UNSEAL_PRIV:
    case UNSEAL_RPC:
    case UNSEAL_SMB_MESSAGE:
        msgpack_next(&c);
        msgpack_next(&c);
        if (operation == UNSEAL_RPC)
            false_stub(&c, msgpack_next(&c).bytes);
        else
            false_plain(msgpack_next(&c).bytes);
        break;
    default:
        false_head(1);
    }
    *answer = (struct bytes){false_answer, false_writer.size};
    return !false_writer.full;
}

static void false_tell(void *context, struct bytes request)
{
    struct cursor c = cursor_of_bytes(request), whole = c;
    if (!msgpack_skip(&whole) || !cursor_done(&whole))
        abort();
    msgpack_next(&c);
    if (msgpack_next(&c).uint != UNSEAL_POST)
        return;
    uint8_t number[16];
    struct msgpack_writer w;
    struct bytes answer;
    msgpack_writer_init(&w, number, sizeof number);
    msgpack_put_uint(&w, msgpack_next(&c).uint);
    if (!false_ask(context, (struct bytes){c.at, cursor_left(&c)}, &answer) ||
        w.size + answer.size > sizeof false_kept - 64 - false_kept_size)
        return;
    memcpy(false_kept + false_kept_size, number, w.size);
    memcpy(false_kept + false_kept_size + w.size, answer.data, answer.size);
    false_kept_size += w.size + answer.size;
    false_kept_count++;
}

static const struct unsealer false_keys = {.ask = false_ask, .tell = false_tell};
