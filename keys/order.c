/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/order.h"

#include <string.h>

static struct bytes written(const struct msgpack_writer *w)
{
    return w->full ? (struct bytes){0} : (struct bytes){w->data, w->size};
}

/* --- writing --- */

struct bytes order_write(const struct order *order, uint8_t buffer[ORDER_MAX])
{
    struct msgpack_writer w;
    msgpack_writer_init(&w, buffer, ORDER_MAX);
    msgpack_put_array(&w, 4);
    msgpack_put_uint(&w, order->kind);
    msgpack_put_uint(&w, order->number);
    msgpack_put_uint(&w, order->index);
    msgpack_put_text(&w, order->name);
    return written(&w);
}

static void put_status(struct msgpack_writer *w, const struct order_report *report)
{
    const struct key_holder_status *s = &report->status;
    const uint64_t counters[] = {s->keytabs,    s->keys,  s->refused,      s->tickets,
                                 s->contexts,   s->asked, s->unsealed,     s->missing,
                                 s->other_kvno, s->wrong, s->refused_etype};
    msgpack_put_array(w, sizeof(counters) / sizeof(*counters) + 3);
    for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++)
        msgpack_put_uint(w, counters[i]);
    msgpack_put_uint(w, report->sandbox);
    msgpack_put_uint(w, (uint64_t)report->cpu);
    msgpack_put_uint(w, report->memory);
}

static void put_complaints(struct msgpack_writer *w, const struct order_report *report)
{
    msgpack_put_array(w, report->complaint_count);
    for (uint32_t i = 0; i < report->complaint_count; i++) {
        const struct key_holder_complaint *c = &report->complaints[i];
        msgpack_put_array(w, 6);
        msgpack_put_uint(w, c->result);
        msgpack_put_int(w, c->etype);
        msgpack_put_uint(w, c->kvno);
        msgpack_put_uint(w, c->kvno_held);
        msgpack_put_uint(w, c->times);
        msgpack_put_text(w, c->principal);
    }
}

struct bytes order_report_write(const struct order_report *report, uint8_t buffer[ORDER_REPORT_MAX])
{
    struct msgpack_writer w;
    msgpack_writer_init(&w, buffer, ORDER_REPORT_MAX);
    msgpack_put_array(&w, 4);
    msgpack_put_uint(&w, report->kind);
    msgpack_put_uint(&w, report->number);
    if (report->kind == ORDER_STATUS) {
        put_status(&w, report);
        msgpack_put_nil(&w);
    } else if (report->kind == ORDER_COMPLAINTS) {
        put_complaints(&w, report);
        msgpack_put_nil(&w);
    } else {
        msgpack_put_bool(&w, report->fine);
        msgpack_put_text(&w, report->text);
    }
    return written(&w);
}

/* --- reading --- */

static bool open_list(struct cursor *c, uint32_t wanted)
{
    struct msgpack_item item = msgpack_next(c);
    return item.type == MSGPACK_ARRAY && item.count == wanted;
}

static uint64_t next_uint(struct cursor *c, uint64_t max)
{
    struct msgpack_item item = msgpack_next(c);
    if (item.type != MSGPACK_UINT || item.uint > max) {
        cursor_fail(c);
        return 0;
    }
    return item.uint;
}

static int32_t next_int(struct cursor *c)
{
    struct msgpack_item item = msgpack_next(c);
    if (item.type == MSGPACK_UINT && item.uint <= INT32_MAX)
        return (int32_t)item.uint;
    if (item.type == MSGPACK_INT && item.sint >= INT32_MIN)
        return (int32_t)item.sint;
    cursor_fail(c);
    return 0;
}

static void next_text(struct cursor *c, char *to, size_t capacity)
{
    struct msgpack_item item = msgpack_next(c);
    if (item.type != MSGPACK_STRING || item.bytes.size >= capacity ||
        memchr(item.bytes.data, '\0', item.bytes.size)) {
        cursor_fail(c);
        return;
    }
    memcpy(to, item.bytes.data, item.bytes.size);
    to[item.bytes.size] = '\0';
}

static enum order_kind next_kind(struct cursor *c)
{
    uint64_t kind = next_uint(c, ORDER_COMPLAINTS);
    if (kind < ORDER_KEYTAB)
        cursor_fail(c);
    return (enum order_kind)kind;
}

bool order_read(struct order *order, struct bytes bytes)
{
    struct cursor c = cursor_of_bytes(bytes);
    *order = (struct order){0};
    if (!open_list(&c, 4))
        return false;
    order->kind = next_kind(&c);
    order->number = next_uint(&c, UINT64_MAX);
    order->index = (uint32_t)next_uint(&c, UINT32_MAX);
    next_text(&c, order->name, sizeof(order->name));
    return !c.failed && cursor_done(&c);
}

static void read_status(struct cursor *c, struct order_report *report)
{
    struct key_holder_status *s = &report->status;
    uint32_t *const small[] = {&s->keytabs, &s->keys, &s->refused, &s->tickets, &s->contexts};
    uint64_t *const large[] = {&s->asked,      &s->unsealed, &s->missing,
                               &s->other_kvno, &s->wrong,    &s->refused_etype};
    const uint32_t smalls = sizeof(small) / sizeof(*small), larges = sizeof(large) / sizeof(*large);
    if (!open_list(c, smalls + larges + 3)) {
        cursor_fail(c);
        return;
    }
    for (uint32_t i = 0; i < smalls; i++)
        *small[i] = (uint32_t)next_uint(c, UINT32_MAX);
    for (uint32_t i = 0; i < larges; i++)
        *large[i] = next_uint(c, UINT64_MAX);
    report->sandbox = (uint32_t)next_uint(c, UINT32_MAX);
    report->cpu = (int64_t)next_uint(c, INT64_MAX);
    report->memory = next_uint(c, INT64_MAX);
}

static void read_complaint(struct cursor *c, struct key_holder_complaint *to)
{
    if (!open_list(c, 6)) {
        cursor_fail(c);
        return;
    }
    to->result = (enum unseal_result)next_uint(c, UNSEAL_UNSUPPORTED);
    to->etype = next_int(c);
    to->kvno = (uint32_t)next_uint(c, UINT32_MAX);
    to->kvno_held = (uint32_t)next_uint(c, UINT32_MAX);
    to->times = next_uint(c, UINT64_MAX);
    next_text(c, to->principal, sizeof(to->principal));
}

static void read_complaints(struct cursor *c, struct order_report *report)
{
    struct msgpack_item list = msgpack_next(c);
    if (list.type != MSGPACK_ARRAY || list.count > ORDER_COMPLAINTS_MAX) {
        cursor_fail(c);
        return;
    }
    report->complaint_count = list.count;
    for (uint32_t i = 0; i < list.count && !c->failed; i++)
        read_complaint(c, &report->complaints[i]);
}

bool order_report_read(struct order_report *report, struct bytes bytes)
{
    struct cursor c = cursor_of_bytes(bytes);
    *report = (struct order_report){0};
    if (!open_list(&c, 4))
        return false;
    report->kind = next_kind(&c);
    report->number = next_uint(&c, UINT64_MAX);
    if (report->kind == ORDER_STATUS) {
        read_status(&c, report);
        msgpack_skip(&c);
    } else if (report->kind == ORDER_COMPLAINTS) {
        read_complaints(&c, report);
        msgpack_skip(&c);
    } else {
        struct msgpack_item fine = msgpack_next(&c);
        report->fine = fine.type == MSGPACK_BOOL && fine.boolean;
        next_text(&c, report->text, sizeof(report->text));
    }
    return !c.failed && cursor_done(&c);
}
