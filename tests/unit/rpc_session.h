/* SPDX-License-Identifier: Apache-2.0
 *
 * An RPC association over TCP, made by a test and run through an engine.
 */
#pragma once

#include "capture/rpc_interfaces.h"
#include "tests/unit/harness.h"
#include "tests/unit/packets.h"
#include "tests/unit/rpc_stub.h"

struct rpc_session {
    struct harness h;
    enum rpc_form form;
    uint32_t sequence[2];
    int64_t time;
    unsigned client_port;
    struct pdu_form pdu;
};

static inline void session_send(struct rpc_session *s, int direction, const void *data, size_t size)
{
    static struct frame_bytes f;
    const uint8_t *at = data;
    do {
        size_t part = size < 1400 ? size : 1400;
        f.size = 0;
        put_ethernet(&f, 0x0800);
        put_ipv4(&f, 6, direction ? 0x200 : 0x100, direction ? 0x100 : 0x200, 20 + part, 1, 0, false);
        put_tcp(&f, direction ? 135 : s->client_port, direction ? s->client_port : 135,
                s->sequence[direction], s->sequence[!direction], FLAG_ACK);
        put(&f, at, part);
        struct packet packet = frame_packet(&f, DLT_EN10MB, s->time += 1000000);
        engine_packet(s->h.engine, &packet);
        packet_free(&packet);
        s->sequence[direction] += (uint32_t)part;
        at += part;
        size -= part;
    } while (size);
}

static inline void session_syn(struct rpc_session *s)
{
    static struct frame_bytes f;
    for (int direction = 0; direction < 2; direction++) {
        f.size = 0;
        put_ethernet(&f, 0x0800);
        put_ipv4(&f, 6, direction ? 0x200 : 0x100, direction ? 0x100 : 0x200, 20, 1, 0, false);
        put_tcp(&f, direction ? 135 : s->client_port, direction ? s->client_port : 135,
                s->sequence[direction], direction ? s->sequence[0] : 0,
                direction ? FLAG_SYN | FLAG_ACK : FLAG_SYN);
        struct packet packet = frame_packet(&f, DLT_EN10MB, s->time += 1000000);
        engine_packet(s->h.engine, &packet);
        packet_free(&packet);
        s->sequence[direction]++;
    }
}

static inline void session_open_with(struct rpc_session *s, enum rpc_form form,
                                     const struct engine_options *options)
{
    *s = (struct rpc_session){
        .form = form, .time = INT64_C(1700000000000000000), .client_port = 40000, .pdu = {.form = form}};
    s->sequence[0] = 1000;
    s->sequence[1] = 5000;
    harness_open(&s->h, options);
    session_syn(s);
}

static inline void session_open(struct rpc_session *s, enum rpc_form form)
{
    session_open_with(s, form, NULL);
}

static inline void session_close(struct rpc_session *s)
{
    harness_close(&s->h);
}

static inline void session_send_pdu(struct rpc_session *s, int direction, unsigned type, unsigned flags,
                                    const struct stub *body)
{
    uint8_t bytes[20000];
    size_t size = pdu_make(&s->pdu, bytes, type, flags, body);
    session_send(s, direction, bytes, size);
}

/* bind or alter_context (14) of one context, and its acceptance. */
static inline void session_bind(struct rpc_session *s, unsigned type, uint16_t context,
                                const uint8_t uuid[16])
{
    struct stub b = {.form = s->form};
    s->pdu.call_id++;
    stub_bind(&b, context, uuid);
    session_send_pdu(s, 0, type, 3, &b);
    b.size = 0;
    stub_bind_ack(&b, 0, 0);
    session_send_pdu(s, 1, type + 1, 3, &b);
}

static inline void session_request(struct rpc_session *s, uint16_t context, uint16_t opnum,
                                   const struct stub *stub)
{
    struct stub b = {.form = s->form};
    s->pdu.call_id++;
    stub32(&b, (uint32_t)stub->size);
    stub16(&b, context);
    stub16(&b, opnum);
    stub_bytes(&b, stub->data, stub->size);
    session_send_pdu(s, 0, 0, 3, &b);
}

static inline void session_response(struct rpc_session *s, uint16_t context, const struct stub *stub)
{
    struct stub b = {.form = s->form};
    stub32(&b, (uint32_t)stub->size);
    stub16(&b, context);
    stub16(&b, 0);
    stub_bytes(&b, stub->data, stub->size);
    session_send_pdu(s, 1, 2, 3, &b);
}
