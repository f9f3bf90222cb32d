/* SPDX-License-Identifier: Apache-2.0
 *
 * The delivery's messages and both sides' rules: the input is a sequence of messages, each with its length in
 * two bytes before it. What could be read is written again and must read the same; each is given to a sender
 * that goes on sending, and to a receiver.
 */
#include <stdlib.h>

#include "base/delivery.h"
#include "center/batch_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool same(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static void write_again(const struct delivery_message *m)
{
    static uint8_t buffer[DELIVERY_MESSAGE_MAX];
    struct delivery_message again;
    size_t size = delivery_write(buffer, sizeof buffer, m);
    require(size > 0 && delivery_read(&again, (struct bytes){buffer, size}));
    require(again.type == m->type && same(again.payload, m->payload) && same(again.text, m->text) &&
            same(again.node, m->node));
}

struct sides {
    struct delivery_sender sender;
    struct delivery_source source;
    uint64_t last; /* that the spool has */
};

static void give_sender(struct sides *sides, const struct delivery_message *m)
{
    struct delivery_sender *s = &sides->sender;
    if (s->state == DELIVERY_CLOSED)
        delivery_sender_greet(s, s->acknowledged, 0);
    uint64_t before = s->acknowledged;
    enum delivery_heard heard = delivery_sender_hear(s, m, sides->last);
    require(s->acknowledged >= before && s->acknowledged <= sides->last);
    if (heard == DELIVERY_HEARD_AGAIN)
        delivery_sender_greet(s, s->acknowledged, 0);
    if (heard >= DELIVERY_HEARD_DENIED)
        s->state = DELIVERY_CLOSED;
    while (delivery_sender_may_send(s, 100)) {
        uint64_t next = s->sent + 1;
        if (next > sides->last)
            sides->last = next;
        delivery_sender_sent(s, next, 100, 0);
    }
    require(s->flight_count <= DELIVERY_FLIGHT_MAX && s->flight_bytes == s->flight_count * UINT64_C(100));
    require(s->state != DELIVERY_SENDING || s->acknowledged <= s->sent);
}

static void give_receiver(struct sides *sides, const struct delivery_message *m, struct batch_check *check)
{
    struct batch_found found;
    if (m->type == DELIVERY_HELLO) {
        delivery_source_greet(&sides->source, m);
        require(sides->source.last >= m->sequence);
    } else if (m->type == DELIVERY_BATCH && delivery_source_judge(&sides->source, m) == DELIVERY_TAKE) {
        require(m->sequence > sides->source.last);
        batch_check_payload(check, m->kind, m->payload, &found);
        sides->source.last = m->sequence;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sides sides;
    static struct batch_check *check;
    struct cursor c = cursor_of(data, size);
    memset(&sides, 0, sizeof sides);
    if (!check)
        check = batch_check_new();
    while (check && cursor_left(&c) > 2) {
        size_t length = cursor_be16(&c);
        struct bytes bytes = cursor_take(&c, length < cursor_left(&c) ? length : cursor_left(&c));
        struct delivery_message message;
        if (!delivery_read(&message, bytes))
            continue;
        write_again(&message);
        give_sender(&sides, &message);
        give_receiver(&sides, &message, check);
    }
    return 0;
}
