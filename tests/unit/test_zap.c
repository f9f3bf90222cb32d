/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is let in: the reading of questions, the table, the answers of the handler's thread, the rate limit.
 */
#include <stdio.h>
#include <zmq.h>

#include "cluster/crypto_sodium.h"
#include "cluster/zap.h"
#include "tests/unit/unit.h"

#define FRAME(text) ((struct bytes){(const uint8_t *)(text), sizeof(text) - 1})

static const uint8_t key_a[32] = {1}, key_b[32] = {2}, key_c[32] = {3};
static const struct node_id id_a = {{0xa}}, id_b = {{0xb}};

/* A right question about key_a. */
static void question(struct bytes frames[ZAP_FRAMES], const char *domain)
{
    struct bytes right[ZAP_FRAMES] = {
        FRAME("1.0"),          FRAME("77"), {(const uint8_t *)domain, strlen(domain)},
        FRAME("192.0.2.1"),    FRAME(""),   FRAME("CURVE"),
        {key_a, sizeof key_a},
    };
    memcpy(frames, right, sizeof right);
}

static void a_question_is_read(void **state)
{
    (void)state;
    struct bytes frames[ZAP_FRAMES];
    struct zap_request request;
    question(frames, ZAP_DOMAIN_FLEET);
    assert_true(zap_request_read(&request, frames, ZAP_FRAMES));
    assert_false(request.enrolment);
    assert_string_equal(request.address, "192.0.2.1");
    assert_bytes_equal(request.key, key_a, 32);
    assert_bytes_equal(request.id.data, "77", request.id.size);
    question(frames, ZAP_DOMAIN_ENROLMENT);
    assert_true(zap_request_read(&request, frames, ZAP_FRAMES));
    assert_true(request.enrolment);
}

static void whatever_is_not_quite_a_question_is_none(void **state)
{
    (void)state;
    static const uint8_t long_id[256], long_address[48];
    const struct {
        unsigned frame;
        struct bytes with;
    } wrong[] = {
        {0, FRAME("1.1")},
        {0, FRAME("")},
        {1, {long_id, sizeof long_id}},
        {2, FRAME("")},
        {2, FRAME("fleets")},
        {2, FRAME("flee")},
        {3, {long_address, sizeof long_address}},
        {5, FRAME("NULL")},
        {5, FRAME("PLAIN")},
        {6, {key_a, 31}},
        {6, {long_id, 33}},
        {6, FRAME("")},
    };
    struct bytes frames[ZAP_FRAMES + 1] = {0};
    struct zap_request request;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        question(frames, ZAP_DOMAIN_FLEET);
        frames[wrong[i].frame] = wrong[i].with;
        assert_false(zap_request_read(&request, frames, ZAP_FRAMES));
    }
    question(frames, ZAP_DOMAIN_FLEET);
    for (unsigned count = 0; count <= ZAP_FRAMES + 1; count++)
        assert_int_equal(zap_request_read(&request, frames, count), count == ZAP_FRAMES);
}

struct house {
    void *context, *asker;
    struct zap *zap;
};

static void house_open(struct house *house, uint32_t burst)
{
    int patience = 20000, zero = 0;
    house->context = zmq_ctx_new();
    struct zap_options options = {
        .context = house->context, .keys_max = 3, .enrolments_burst = burst, .enrolments_per_min = 60};
    house->zap = zap_new(&options);
    assert_non_null(house->zap);
    house->asker = zmq_socket(house->context, ZMQ_REQ);
    zmq_setsockopt(house->asker, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(house->asker, ZMQ_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(zmq_connect(house->asker, "inproc://zeromq.zap.01"), 0);
}

static void house_close(struct house *house)
{
    zmq_close(house->asker);
    zmq_ctx_shutdown(house->context);
    zap_destroy(&house->zap);
    zmq_ctx_term(house->context);
    zap_destroy(&house->zap);
}

struct reply {
    char version[8], id[300], status[8], text[16], user[64], metadata[256];
    unsigned frames;
};

static bool ask_frames(struct house *house, const struct bytes *frames, unsigned count, struct reply *reply)
{
    char *const to[] = {reply->version, reply->id, reply->status, reply->text, reply->user, reply->metadata};
    const size_t room[] = {8, 300, 8, 16, 64, 256};
    *reply = (struct reply){0};
    for (unsigned i = 0; i < count; i++)
        assert_true(zmq_send(house->asker, frames[i].data, frames[i].size, i + 1 < count ? ZMQ_SNDMORE : 0) >=
                    0);
    int more = 1;
    size_t size = sizeof more;
    while (more) {
        assert_in_range(reply->frames, 0, 5);
        assert_true(zmq_recv(house->asker, to[reply->frames], room[reply->frames] - 1, 0) >= 0);
        reply->frames++;
        zmq_getsockopt(house->asker, ZMQ_RCVMORE, &more, &size);
    }
    assert_int_equal(reply->frames, 6);
    assert_string_equal(reply->version, "1.0");
    return strcmp(reply->status, "200") == 0;
}

static bool ask(struct house *house, const char *domain, const uint8_t key[32], const char *address,
                struct reply *reply)
{
    struct bytes frames[ZAP_FRAMES];
    question(frames, domain);
    frames[3] = (struct bytes){(const uint8_t *)address, strlen(address)};
    frames[6].data = key;
    bool fine = ask_frames(house, frames, ZAP_FRAMES, reply);
    assert_string_equal(reply->id, "77");
    return fine;
}

static bool admitted(struct house *house, const uint8_t key[32])
{
    struct reply reply;
    bool fine = ask(house, ZAP_DOMAIN_FLEET, key, "192.0.2.1", &reply);
    assert_string_equal(reply.status, fine ? "200" : "400");
    return fine;
}

static void only_admitted_keys_come_in(void **state)
{
    (void)state;
    struct house house;
    struct reply reply;
    struct node_id id;
    char text[NODE_ID_TEXT_SIZE];
    house_open(&house, 1);
    assert_false(admitted(&house, key_a));
    assert_true(zap_admit(house.zap, &id_a, key_a));
    assert_true(zap_admit(house.zap, &id_a, key_b));
    assert_true(ask(&house, ZAP_DOMAIN_FLEET, key_a, "192.0.2.1", &reply));
    assert_string_equal(reply.user, node_id_text(&id_a, text));
    /* One property: name, value's length, value. */
    assert_int_equal(reply.metadata[0], 10);
    assert_bytes_equal(reply.metadata + 1,
                       "Picket-Key\0\0\0\100"
                       "0100",
                       18);
    assert_true(admitted(&house, key_b));
    assert_true(zap_find(house.zap, key_b, &id));
    assert_true(node_id_equal(&id, &id_a));
    /* A key is one node's; full is full. */
    assert_false(zap_admit(house.zap, &id_b, key_a));
    assert_true(zap_admit(house.zap, &id_b, key_c));
    static const uint8_t fourth[32] = {4};
    assert_false(zap_admit(house.zap, &id_b, fourth));
    assert_int_equal(zap_count(house.zap), 3);

    assert_int_equal(zap_expel_key(house.zap, key_a), 1);
    assert_int_equal(zap_expel_key(house.zap, key_a), 0);
    assert_false(admitted(&house, key_a));
    assert_true(admitted(&house, key_b));
    assert_int_equal(zap_expel_node(house.zap, &id_a), 1);
    assert_false(admitted(&house, key_b));
    assert_true(admitted(&house, key_c));
    assert_false(zap_find(house.zap, key_b, &id));
    struct zap_counters counters;
    zap_counters(house.zap, &counters);
    assert_int_equal(counters.admitted, 4);
    assert_int_equal(counters.refused, 3);
    house_close(&house);
}

/* Whatever is asked there comes an answer, and it is no. */
static void malformed_questions_are_refused(void **state)
{
    (void)state;
    struct house house;
    struct reply reply;
    struct bytes frames[12] = {0};
    house_open(&house, 1);
    assert_true(zap_admit(house.zap, &id_a, key_a));
    for (unsigned count = 1; count <= 12; count++) {
        question(frames, ZAP_DOMAIN_FLEET);
        bool fine = ask_frames(&house, frames, count, &reply);
        assert_int_equal(fine, count == ZAP_FRAMES);
        assert_string_equal(reply.id, count >= 2 ? "77" : "");
    }
    static const uint8_t garbage[300] = {0xff};
    frames[0] = (struct bytes){garbage, sizeof garbage};
    frames[1] = (struct bytes){garbage, sizeof garbage};
    assert_false(ask_frames(&house, frames, ZAP_FRAMES, &reply));
    assert_string_equal(reply.id, "");
    struct zap_counters counters;
    zap_counters(house.zap, &counters);
    assert_int_equal(counters.malformed, 12);
    assert_true(admitted(&house, key_a));
    house_close(&house);
}

static unsigned enrolments(struct house *house, const char *address, unsigned tries)
{
    struct reply reply;
    unsigned in = 0;
    for (unsigned i = 0; i < tries; i++)
        in += ask(house, ZAP_DOMAIN_ENROLMENT, key_c, address, &reply);
    return in;
}

static void enrolment_is_limited_by_address_and_in_all(void **state)
{
    (void)state;
    struct house house;
    struct reply reply;
    house_open(&house, 8);
    assert_true(ask(&house, ZAP_DOMAIN_ENROLMENT, key_c, "198.51.100.1", &reply));
    assert_string_equal(reply.user, "-");
    assert_false(admitted(&house, key_c)); /* it is not in the fleet by that */
    /* A flooder has its quarter, and the others theirs; a minute brings 60, so the test may see a few more.
     */
    assert_in_range(enrolments(&house, "198.51.100.1", 50), 1, 10);
    assert_in_range(enrolments(&house, "2001:db8::1", 50), 2, 10);
    unsigned in_all = 0;
    char address[32];
    for (int i = 0; i < 100; i++) {
        snprintf(address, sizeof address, "203.0.113.%d", i);
        in_all += enrolments(&house, address, 1);
    }
    assert_in_range(in_all, 1, 40);
    house_close(&house);
}

static void thousands_of_addresses_do_not_fill_the_memory(void **state)
{
    (void)state;
    struct house house;
    char address[32];
    house_open(&house, 100000);
    unsigned in = 0;
    for (int i = 0; i < 1100; i++) {
        snprintf(address, sizeof address, "10.0.%d.%d", i / 256, i % 256);
        in += enrolments(&house, address, 1);
    }
    assert_int_equal(in, 1024);
    house_close(&house);
}

static void a_second_handler_cannot_start(void **state)
{
    (void)state;
    struct house house;
    house_open(&house, 1);
    struct zap_options options = {.context = house.context, .keys_max = 1};
    assert_null(zap_new(&options));
    house_close(&house);
}

static int ready(void **state)
{
    (void)state;
    return crypto_sodium_start() ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_read),
        cmocka_unit_test(whatever_is_not_quite_a_question_is_none),
        cmocka_unit_test(only_admitted_keys_come_in),
        cmocka_unit_test(malformed_questions_are_refused),
        cmocka_unit_test(enrolment_is_limited_by_address_and_in_all),
        cmocka_unit_test(thousands_of_addresses_do_not_fill_the_memory),
        cmocka_unit_test(a_second_handler_cannot_start),
    };
    return cmocka_run_group_tests(tests, ready, NULL);
}
