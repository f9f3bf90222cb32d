/* SPDX-License-Identifier: Apache-2.0
 *
 * The delivery's messages, and both sides' rules over a line that loses, breaks and forgets.
 */
#include "base/clock.h"
#include "base/delivery.h"
#include "base/msgpack.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

static const uint8_t node[DELIVERY_NODE_SIZE] = {1, 2, 3};
static const uint8_t some[] = "some bytes";
#define SOME ((struct bytes){some, sizeof some})

static const struct delivery_message examples[] = {
    {.type = DELIVERY_HELLO,
     .version = DELIVERY_VERSION,
     .node = {node, sizeof node},
     .generation = 77,
     .certificate = {some, sizeof some},
     .policy = {some, 4},
     .sequence = 12,
     .settings = 9},
    {.type = DELIVERY_WELCOME, .version = DELIVERY_VERSION, .sequence = 12, .window = 1 << 20},
    {.type = DELIVERY_BATCH,
     .sequence = 13,
     .after = 12,
     .kind = DELIVERY_ENTITIES,
     .wall = -5,
     .payload = {some, sizeof some}},
    {.type = DELIVERY_ACK, .sequence = 13},
    {.type = DELIVERY_REFUSED, .sequence = 14, .text = {some, 4}},
    {.type = DELIVERY_AGAIN},
    {.type = DELIVERY_DENIED, .text = {some, 4}},
    {.type = DELIVERY_SETTINGS, .sequence = 3, .payload = {some, sizeof some}},
    {.type = DELIVERY_SETTLED, .sequence = 3, .kind = DELIVERY_UNFIT, .text = {some, 4}},
    {.type = DELIVERY_REPORT, .payload = {some, 4}},
};
#define EXAMPLES (sizeof examples / sizeof *examples)

static bool same_bytes(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static void messages_are_read_as_they_were_written(void **state)
{
    (void)state;
    uint8_t bytes[512];
    for (unsigned i = 0; i < EXAMPLES; i++) {
        const struct delivery_message *m = &examples[i];
        struct delivery_message read;
        size_t size = delivery_write(bytes, sizeof bytes, m);
        assert_true(size > 0);
        assert_true(delivery_read(&read, (struct bytes){bytes, size}));
        assert_int_equal(read.type, m->type);
        assert_int_equal(read.version, m->version);
        assert_int_equal(read.generation, m->generation);
        assert_int_equal(read.sequence, m->sequence);
        assert_int_equal(read.after, m->after);
        assert_int_equal(read.kind, m->kind);
        assert_int_equal(read.wall, m->wall);
        assert_int_equal(read.window, m->window);
        assert_int_equal(read.settings, m->settings);
        assert_true(same_bytes(read.node, m->node) && same_bytes(read.certificate, m->certificate) &&
                    same_bytes(read.policy, m->policy) && same_bytes(read.payload, m->payload) &&
                    same_bytes(read.text, m->text));
        for (size_t cut = 0; cut < size; cut++) {
            uint8_t *exact = malloc(cut ? cut : 1);
            memcpy(exact, bytes, cut);
            assert_false(delivery_read(&read, (struct bytes){exact, cut}));
            free(exact);
            assert_int_equal(delivery_write(bytes, cut, m), 0);
            delivery_write(bytes, sizeof bytes, m);
        }
        bytes[size] = 0;
        assert_false(delivery_read(&read, (struct bytes){bytes, size + 1}));
    }
}

/* One pair more, or none. */
static bool readable(const char *type, void (*put)(struct msgpack_writer *w), unsigned pairs)
{
    uint8_t bytes[512];
    struct msgpack_writer w;
    struct delivery_message read;
    msgpack_writer_init(&w, bytes, sizeof bytes);
    msgpack_put_map(&w, 1 + pairs);
    msgpack_put_text(&w, "type");
    msgpack_put_text(&w, type);
    if (put)
        put(&w);
    return delivery_read(&read, (struct bytes){w.data, w.size});
}

static void put_known(struct msgpack_writer *w)
{
    msgpack_put_text(w, "sequence");
    msgpack_put_uint(w, 1);
    msgpack_put_text(w, "colour");
    msgpack_put_array(w, 2);
    msgpack_put_nil(w);
    msgpack_put_text(w, "green");
}

static void put_twice(struct msgpack_writer *w)
{
    msgpack_put_text(w, "sequence");
    msgpack_put_uint(w, 1);
    msgpack_put_text(w, "sequence");
    msgpack_put_uint(w, 1);
}

static void put_type_again(struct msgpack_writer *w)
{
    put_known(w);
    msgpack_put_text(w, "type");
    msgpack_put_text(w, "ack");
}

static void put_wrong(struct msgpack_writer *w)
{
    msgpack_put_text(w, "sequence");
    msgpack_put_int(w, -1);
}

static void put_backwards(struct msgpack_writer *w)
{
    msgpack_put_text(w, "sequence");
    msgpack_put_uint(w, 5);
    msgpack_put_text(w, "after");
    msgpack_put_uint(w, 5);
    msgpack_put_text(w, "kind");
    msgpack_put_uint(w, 1);
    msgpack_put_text(w, "payload");
    msgpack_put_binary(w, some, 3);
}

static void what_is_no_message_is_refused(void **state)
{
    (void)state;
    struct delivery_message read;
    assert_true(readable("ack", put_known, 2)); /* later versions may say more */
    assert_true(readable("again", NULL, 0));
    assert_false(readable("ack", NULL, 0));
    assert_false(readable("sing", put_known, 2));
    assert_false(readable("ack", put_twice, 2));
    assert_false(readable("ack", put_type_again, 3));
    assert_false(readable("ack", put_wrong, 1));
    assert_false(readable("batch", put_backwards, 4));
    assert_false(delivery_read(&read, (struct bytes){NULL, 0}));
    assert_false(delivery_read(&read, (struct bytes){(const uint8_t *)"\x93\x01\x02\x03", 4}));
    assert_false(delivery_read(&read, (struct bytes){(const uint8_t *)"\x81\x01\x02", 3}));
}

/* --- both sides --- */

#define LAST    400u
#define LINE    64u
#define PATIENT (30 * CLOCK_SECOND)

/* A sender and its spool, a line each way that keeps order until it breaks, a receiver with a disk. */
struct world {
    uint64_t random;
    struct delivery_sender sender;
    uint64_t spool_acknowledged; /* what the spool remembers over a restart */
    uint64_t generation;
    struct delivery_source source, durable;
    bool greeted; /* the receiver knows the connection */
    uint64_t stored[4 * LAST], stored_durable;
    uint64_t stored_count;
    struct delivery_message there[LINE], back[LINE];
    unsigned there_count, back_count;
    int64_t now;
};

static uint64_t below(struct world *w, uint64_t n)
{
    w->random = w->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (w->random >> 33) % n;
}

static void put_there(struct world *w, struct delivery_message m)
{
    if (w->there_count < LINE)
        w->there[w->there_count++] = m;
}

static void put_back(struct world *w, struct delivery_message m)
{
    if (w->back_count < LINE)
        w->back[w->back_count++] = m;
}

static void greet(struct world *w)
{
    delivery_sender_greet(&w->sender, w->spool_acknowledged, w->now);
    put_there(w, (struct delivery_message){
                     .type = DELIVERY_HELLO, .generation = w->generation, .sequence = w->spool_acknowledged});
}

static void break_line(struct world *w)
{
    w->there_count = w->back_count = 0;
    w->greeted = false;
    greet(w);
}

/* All that was not synced is gone. */
static void crash_receiver(struct world *w)
{
    w->source = w->durable;
    w->stored_count = w->stored_durable;
    w->greeted = false;
}

static void receive_one(struct world *w)
{
    if (w->there_count == 0)
        return;
    struct delivery_message m = w->there[0];
    memmove(w->there, w->there + 1, --w->there_count * sizeof m);
    if (m.type == DELIVERY_HELLO) {
        w->durable = w->source; /* the WELCOME acknowledges it */
        w->stored_durable = w->stored_count;
        delivery_source_greet(&w->source, &m);
        w->greeted = true;
        put_back(w, (struct delivery_message){.type = DELIVERY_WELCOME,
                                              .version = DELIVERY_VERSION,
                                              .sequence = w->source.last,
                                              .window = 1000});
        return;
    }
    enum delivery_verdict verdict = w->greeted ? delivery_source_judge(&w->source, &m) : DELIVERY_MISSING;
    if (verdict == DELIVERY_TAKE) {
        assert_true(w->stored_count < 4 * LAST);
        w->stored[w->stored_count++] = m.sequence;
        w->source.last = m.sequence;
    } else if (verdict == DELIVERY_MISSING) {
        put_back(w, (struct delivery_message){.type = DELIVERY_AGAIN});
    }
}

static void sync_receiver(struct world *w)
{
    w->durable = w->source;
    w->stored_durable = w->stored_count;
    if (w->greeted)
        put_back(w, (struct delivery_message){.type = DELIVERY_ACK, .sequence = w->source.last});
}

static void hear_one(struct world *w)
{
    if (w->back_count == 0)
        return;
    struct delivery_message m = w->back[0];
    memmove(w->back, w->back + 1, --w->back_count * sizeof m);
    switch (delivery_sender_hear(&w->sender, &m, LAST)) {
    case DELIVERY_HEARD_WRONG:
    case DELIVERY_HEARD_DENIED:
    case DELIVERY_HEARD_AHEAD:
        fail_msg("the sender heard what cannot be");
        return;
    case DELIVERY_HEARD_AGAIN:
        greet(w);
        return;
    default:
        return;
    }
}

static void send_one(struct world *w)
{
    uint64_t next = w->sender.sent + 1;
    if (next % 7 == 0)
        next++; /* the spool may have lost some */
    if (next > LAST || !delivery_sender_may_send(&w->sender, 100))
        return;
    assert_true(w->sender.flight_bytes + 100 <= 1000);
    put_there(w,
              (struct delivery_message){.type = DELIVERY_BATCH, .sequence = next, .after = w->sender.sent});
    delivery_sender_sent(&w->sender, next, 100, w->now);
}

static void turn(struct world *w, bool faults)
{
    w->now += 100 * CLOCK_MILLISECOND;
    uint64_t what = below(w, faults ? 1000 : 900);
    if (what < 300)
        send_one(w);
    else if (what < 600)
        receive_one(w);
    else if (what < 800)
        hear_one(w);
    else if (what < 890)
        sync_receiver(w);
    else if (what < 900)
        w->spool_acknowledged = w->sender.acknowledged;
    else if (what < 910)
        break_line(w);
    else if (what < 920)
        crash_receiver(w);
    else if (what < 930 && w->there_count)
        w->there_count--;  /* lost, and the connection is not noticed broken */
    else if (what < 935) { /* the sender's process begins anew */
        memset(&w->sender, 0, sizeof w->sender);
        break_line(w);
    }
    if (delivery_sender_is_lost(&w->sender, w->now, PATIENT))
        break_line(w);
}

static void everything_arrives_once_and_in_order(void **state)
{
    (void)state;
    static struct world w;
    for (unsigned seed = 1; seed <= 300; seed++) {
        memset(&w, 0, sizeof w);
        w.random = seed * 7919;
        w.generation = seed;
        greet(&w);
        unsigned turns = 0;
        while (w.durable.last < LAST) {
            assert_true(++turns < 500000);
            turn(&w, turns < 5000);
            /* What the spool was told to forget is on the receiver's disk. */
            assert_true(w.spool_acknowledged <= w.durable.last);
        }
        uint64_t expected = 1;
        for (uint64_t i = 0; i < w.stored_durable; i++, expected++) {
            expected += expected % 7 == 0;
            assert_int_equal(w.stored[i], expected);
        }
        assert_int_equal(expected - 1, LAST);
    }
}

static void a_sender_minds_what_cannot_be(void **state)
{
    (void)state;
    struct delivery_sender s = {0};
    struct delivery_message welcome = examples[1], ack = {.type = DELIVERY_ACK, .sequence = 20};
    struct delivery_message hello = examples[0], other = welcome;
    other.version++;
    assert_false(delivery_sender_may_send(&s, 1));
    assert_int_equal(delivery_sender_hear(&s, &welcome, 100), DELIVERY_HEARD_WRONG);
    delivery_sender_greet(&s, 15, 0);
    assert_int_equal(delivery_sender_hear(&s, &ack, 100), DELIVERY_HEARD_NOTHING);
    assert_int_equal(delivery_sender_hear(&s, &other, 100), DELIVERY_HEARD_WRONG);
    assert_int_equal(delivery_sender_hear(&s, &welcome, 11), DELIVERY_HEARD_AHEAD);
    assert_int_equal(delivery_sender_hear(&s, &hello, 100), DELIVERY_HEARD_WRONG);
    assert_false(delivery_sender_is_lost(&s, PATIENT, PATIENT));
    assert_true(delivery_sender_is_lost(&s, PATIENT + 1, PATIENT));
    assert_int_equal(delivery_sender_hear(&s, &welcome, 100), DELIVERY_HEARD_WELCOME);
    assert_int_equal(s.sent, 15); /* what was acknowledged elsewhere is not sent again */
    assert_int_equal(delivery_sender_hear(&s, &welcome, 100), DELIVERY_HEARD_WRONG);
    assert_int_equal(delivery_sender_hear(&s, &ack, 100), DELIVERY_HEARD_WRONG); /* was never sent */
    assert_true(delivery_sender_may_send(&s, 1 << 21));                          /* one always */
    delivery_sender_sent(&s, 20, 1 << 21, 5);
    assert_false(delivery_sender_may_send(&s, 1));
    assert_true(delivery_sender_is_lost(&s, PATIENT + 6, PATIENT));
    struct delivery_message refused = {.type = DELIVERY_REFUSED, .sequence = 20};
    assert_int_equal(delivery_sender_hear(&s, &refused, 100), DELIVERY_HEARD_REFUSED);
    assert_int_equal(s.acknowledged, 20);
    assert_false(delivery_sender_is_lost(&s, PATIENT + 6, PATIENT));
    for (unsigned i = 0; i < DELIVERY_FLIGHT_MAX; i++) {
        assert_true(delivery_sender_may_send(&s, 1));
        delivery_sender_sent(&s, 21 + i, 1, 5);
    }
    assert_false(delivery_sender_may_send(&s, 1));
    assert_int_equal(delivery_sender_hear(&s, &(struct delivery_message){.type = DELIVERY_DENIED}, 100),
                     DELIVERY_HEARD_DENIED);
}

static void a_source_knows_generations(void **state)
{
    (void)state;
    struct delivery_source source = {0};
    struct delivery_message hello = {.type = DELIVERY_HELLO, .generation = 5, .sequence = 10};
    delivery_source_greet(&source, &hello);
    assert_int_equal(source.last, 10);
    source.last = 50;
    delivery_source_greet(&source, &hello);
    assert_int_equal(source.last, 50);
    hello.generation = 6;
    delivery_source_greet(&source, &hello);
    assert_int_equal(source.last, 10);
    struct delivery_message batch = {.type = DELIVERY_BATCH, .sequence = 10, .after = 9};
    assert_int_equal(delivery_source_judge(&source, &batch), DELIVERY_KNOWN);
    batch.sequence = 12;
    assert_int_equal(delivery_source_judge(&source, &batch), DELIVERY_TAKE);
    batch.after = 11;
    assert_int_equal(delivery_source_judge(&source, &batch), DELIVERY_MISSING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_read_as_they_were_written),
        cmocka_unit_test(what_is_no_message_is_refused),
        cmocka_unit_test(everything_arrives_once_and_in_order),
        cmocka_unit_test(a_sender_minds_what_cannot_be),
        cmocka_unit_test(a_source_knows_generations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
