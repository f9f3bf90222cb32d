/* SPDX-License-Identifier: Apache-2.0
 *
 * Links, enrolment and rotation on loopback. What of ZeroMQ must be minded has tests of its own:
 * test_transport_traps.c.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/station.h"

static bool send_number(struct station *from, const struct station *to, uint64_t number)
{
    return transport_send(from->transport, &to->id, &number, sizeof number) == TRANSPORT_SENT;
}

static void pair_start(struct station *a, struct station *b)
{
    station_start(a, 1);
    station_start(b, 2);
    stations_acquaint(a, b);
}

static void pair_stop(struct station *a, struct station *b)
{
    station_stop(a);
    station_stop(b);
}

/* A port of loopback on which nobody listens. */
static void dead_endpoint(char *to, size_t size)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &length), 0);
    close(fd);
    snprintf(to, size, "tcp://127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
}

static void messages_go_both_ways_over_one_link(void **state)
{
    (void)state;
    struct station a, b;
    pair_start(&a, &b);
    station_dial(&a, &b);
    stations_until(station_sees(&a, &b) && station_sees(&b, &a), &a, &b);
    assert_true(a.dialled[2]);
    assert_false(b.dialled[1]);
    assert_int_equal(station_say(&a, &b, "to b"), TRANSPORT_SENT);
    assert_int_equal(station_say(&b, &a, "to a"), TRANSPORT_SENT);
    stations_until(a.messages && b.messages, &a, &b);
    assert_string_equal(a.last, "to a");
    assert_string_equal(b.last, "to b");
    assert_true(node_id_equal(&a.last_peer, &b.id));
    assert_true(node_id_equal(&b.last_peer, &a.id));
    station_stop(&a);
    stations_until(!station_sees(&b, &a), &b);
    assert_int_equal(b.downs, 1);
    assert_int_equal(station_say(&b, &a, "gone"), TRANSPORT_NO_LINK);
    station_stop(&b);
}

static void an_empty_and_a_largest_message_arrive(void **state)
{
    (void)state;
    static uint8_t large[65537];
    struct station a, b;
    pair_start(&a, &b);
    station_dial(&a, &b);
    stations_until(station_sees(&a, &b), &a, &b);
    assert_int_equal(transport_send(a.transport, &b.id, NULL, 0), TRANSPORT_SENT);
    stations_until(b.messages == 1, &a, &b);
    assert_int_equal(b.last_size, 0);
    assert_int_equal(transport_send(a.transport, &b.id, large, 65536), TRANSPORT_SENT);
    stations_until(b.messages == 2, &a, &b);
    assert_int_equal(b.last_size, 65536);
    assert_int_equal(transport_send(a.transport, &b.id, large, 65537), TRANSPORT_TOO_LARGE);
    pair_stop(&a, &b);
}

struct views {
    unsigned count;
    struct transport_link last;
};

static void take_view(void *context, const struct transport_link *link)
{
    struct views *views = context;
    views->count++;
    views->last = *link;
}

static struct views views_of(const struct station *station)
{
    struct views views = {0};
    transport_links(station->transport, take_view, &views);
    return views;
}

/* Both must keep the same one: the one that the lesser id dialled. */
static void both_dial_and_one_link_stays(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        struct station a, b;
        uint64_t sent_a = 0, sent_b = 0;
        pair_start(&a, &b);
        station_dial(&a, &b);
        station_dial(&b, &a);
        for (uint64_t n = 1; n <= 200; n++) {
            stations_step(STATIONS_OF(&a, &b), 2);
            sent_a += send_number(&a, &b, n) ? n : 0;
            sent_b += send_number(&b, &a, n) ? n : 0;
        }
        stations_until(b.numbers == sent_a && a.numbers == sent_b, &a, &b);
        stations_until(views_of(&a).last.dialled && !views_of(&b).last.dialled, &a, &b);
        assert_true(sent_a > 0 && sent_b > 0);
        /* Seen from outside the link never went down. */
        assert_int_equal(a.ups + b.ups, 2);
        assert_int_equal(a.downs + b.downs, 0);
        assert_int_equal(views_of(&a).count, 1);
        assert_int_equal(station_counters(&a).links_doubled, 0);
        assert_int_equal(station_counters(&a).dials, 1);
        pair_stop(&a, &b);
    }
}

static void who_is_dialled_already_does_not_dial(void **state)
{
    (void)state;
    struct station a, b;
    pair_start(&a, &b);
    station_dial(&a, &b);
    stations_until(station_sees(&b, &a), &a, &b);
    station_dial(&b, &a);
    stations_until(b.again, &a, &b); /* who dials is told, also of a link that is up */
    stations_for(100, &a, &b);
    assert_int_equal(station_counters(&b).dials, 0);
    assert_int_equal(b.again, 1);
    /* ... until that link ends. */
    transport_hang_up(a.transport, &b.id);
    stations_until(station_counters(&b).dials > 0 && station_sees(&b, &a) && b.dialled[1], &a, &b);
    pair_stop(&a, &b);
}

static void a_restarted_peer_is_found_again(void **state)
{
    (void)state;
    struct station a, b;
    struct transport_options options = {0};
    char at[TEXT_MAX];
    station_start(&a, 1);
    b = (struct station){0};
    options = station_options(&b, 2);
    station_open(&b, &options);
    stations_acquaint(&a, &b);
    station_dial(&a, &b);
    stations_until(station_sees(&a, &b), &a, &b);
    snprintf(at, sizeof at, "%s", transport_endpoint(b.transport, 0));
    station_stop(&b);
    stations_until(!station_sees(&a, &b), &a);
    stations_until(a.failures > 0, &a);
    assert_non_null(strstr(a.failure, "cannot be reached"));
    stations_until(views_of(&a).last.retry_at > 0, &a);
    options.binds[0] = at;
    b.up[1] = false;
    station_open(&b, &options);
    station_admit(&b, &a);
    stations_until(station_sees(&a, &b) && station_sees(&b, &a), &a, &b);
    assert_int_equal(a.ups, 2);
    assert_int_equal(station_say(&a, &b, "again"), TRANSPORT_SENT);
    stations_until(b.messages, &a, &b);
    pair_stop(&a, &b);
}

/* The acceptor takes the newest connection of a peer; the one before ends. */
static void a_peer_that_comes_twice_is_one(void **state)
{
    (void)state;
    struct station a, twin, b;
    struct transport_options options;
    pair_start(&a, &b);
    twin = (struct station){0};
    options = station_options(&twin, 1);
    options.public_key = a.keys.public_key;
    options.secret_key = a.keys.secret_key;
    station_open(&twin, &options);
    station_admit(&twin, &b);
    station_dial(&a, &b);
    stations_until(station_sees(&b, &a), &a, &b);
    station_dial(&twin, &b);
    stations_until(station_sees(&twin, &b), &a, &b, &twin);
    assert_int_equal(station_say(&b, &a, "newest"), TRANSPORT_SENT);
    stations_until(twin.messages, &a, &b, &twin);
    assert_int_equal(a.messages, 0);
    assert_int_equal(b.downs, 0);
    station_stop(&twin);
    pair_stop(&a, &b);
}

static void the_next_endpoint_is_tried(void **state)
{
    (void)state;
    struct station a, b;
    char dead[TEXT_MAX];
    pair_start(&a, &b);
    dead_endpoint(dead, sizeof dead);
    const char *endpoints[] = {"not an endpoint", dead, "tcp://picket.invalid:1",
                               transport_endpoint(b.transport, 0)};
    assert_true(transport_dial(a.transport, &b.id, b.keys.public_key, endpoints, 4, TRANSPORT_KEEP));
    stations_until(station_sees(&a, &b), &a, &b);
    assert_true(a.failures > 0);
    assert_int_equal(station_counters(&a).dials_failed, 2);
    pair_stop(&a, &b);
}

static void listens_and_dials_over_ipv6(void **state)
{
    (void)state;
    struct station a, b = {0};
    struct transport_options options = station_options(&b, 2);
    options.binds[0] = "tcp://127.0.0.1:0";
    options.binds[1] = "tcp://[::1]:0";
    options.bind_count = 2;
    station_start(&a, 1);
    station_open(&b, &options);
    stations_acquaint(&a, &b);
    const char *endpoint = transport_endpoint(b.transport, 1);
    assert_int_equal(strncmp(endpoint, "tcp://[::1]:", 12), 0);
    assert_true(station_dial_at(&a, &b, endpoint));
    stations_until(station_sees(&a, &b) && station_sees(&b, &a), &a, &b);
    assert_string_equal(views_of(&a).last.address, endpoint);
    assert_string_equal(transport_endpoint(b.transport, 2), "");
    pair_stop(&a, &b);
}

static void a_wildcard_listens_on_both_families(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "[::1]", "localhost"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct station a, b = {0};
        char at[TEXT_MAX];
        struct transport_options options = station_options(&b, 2);
        options.binds[0] = "tcp://*:0";
        station_start(&a, 1);
        station_open(&b, &options);
        stations_acquaint(&a, &b);
        snprintf(at, sizeof at, "tcp://%s%s", hosts[i], strrchr(transport_endpoint(b.transport, 0), ':'));
        assert_true(station_dial_at(&a, &b, at));
        stations_until(station_sees(&a, &b) && station_sees(&b, &a), &a, &b);
        pair_stop(&a, &b);
    }
}

static void a_name_that_has_no_address_is_told(void **state)
{
    (void)state;
    struct station a, b;
    pair_start(&a, &b);
    assert_true(station_dial_at(&a, &b, "tcp://picket.invalid:49200"));
    stations_until(a.failures, &a);
    assert_non_null(strstr(a.failure, "picket.invalid"));
    pair_stop(&a, &b);
}

static void what_was_sent_before_hanging_up_arrives(void **state)
{
    (void)state;
    struct station a, b;
    pair_start(&a, &b);
    station_dial(&a, &b);
    stations_until(station_sees(&a, &b) && station_sees(&b, &a), &a, &b);
    uint64_t sent = 0, back = 0;
    for (uint64_t n = 1; n <= 50; n++) {
        sent += send_number(&a, &b, n) ? n : 0;
        back += send_number(&b, &a, n) ? n : 0;
    }
    transport_hang_up(a.transport, &b.id);
    assert_int_equal(station_say(&a, &b, "no more"), TRANSPORT_NO_LINK);
    stations_until(b.numbers == sent && a.numbers == back && !station_sees(&a, &b) && !station_sees(&b, &a),
                   &a, &b);
    assert_int_equal(sent, 50 * 51 / 2);
    stations_until(!views_of(&a).count && !views_of(&b).count, &a, &b);
    transport_hang_up(a.transport, &b.id);
    pair_stop(&a, &b);
}

static void a_temporary_link_takes_messages_at_once_and_ends_when_idle(void **state)
{
    (void)state;
    struct station a = {0}, b;
    struct transport_options options = station_options(&a, 1);
    options.temporary_idle = 200;
    options.temporary_max = 1;
    station_open(&a, &options);
    station_start(&b, 2);
    stations_acquaint(&a, &b);
    const char *endpoint = transport_endpoint(b.transport, 0);
    assert_true(transport_dial(a.transport, &b.id, b.keys.public_key, &endpoint, 1, TRANSPORT_TEMPORARY));
    assert_int_equal(station_say(&a, &b, "early"), TRANSPORT_SENT);
    stations_until(b.messages, &a, &b);
    assert_string_equal(b.last, "early");
    /* Only one at a time here. */
    struct node_id other = {{0x71}};
    uint8_t key[32] = {1};
    assert_true(transport_admit(a.transport, &other, key));
    assert_false(transport_dial(a.transport, &other, key, &endpoint, 1, TRANSPORT_TEMPORARY));
    stations_until(a.ups == 1 && !station_sees(&a, &b) && !views_of(&a).count, &a, &b);
    assert_true(transport_dial(a.transport, &other, key, &endpoint, 1, TRANSPORT_TEMPORARY));
    stations_until(a.failures && !views_of(&a).count, &a, &b); /* tried once */
    pair_stop(&a, &b);
}

static void one_address_serves_one_link(void **state)
{
    (void)state;
    struct station a, b;
    pair_start(&a, &b);
    station_dial(&a, &b);
    stations_until(station_sees(&a, &b), &a, &b);
    struct node_id other = {{0x71}};
    uint8_t key[32] = {1};
    const char *endpoint = transport_endpoint(b.transport, 0);
    assert_true(transport_admit(a.transport, &other, key));
    assert_true(transport_dial(a.transport, &other, key, &endpoint, 1, TRANSPORT_KEEP));
    stations_until(a.failures, &a, &b);
    assert_non_null(strstr(a.failure, "another node's link"));
    assert_int_equal(station_say(&a, &b, "undisturbed"), TRANSPORT_SENT);
    stations_until(b.messages, &a, &b);
    assert_int_equal(a.downs, 0);
    pair_stop(&a, &b);
}

static void what_cannot_be_dialled_is_refused(void **state)
{
    (void)state;
    struct station a, b;
    pair_start(&a, &b);
    const char *endpoint = transport_endpoint(b.transport, 0);
    const char *useless[] = {"tcp://127.0.0.1:0", "tcp://*:1", "udp://127.0.0.1:1"};
    struct node_id stranger = {{0x72}};
    uint8_t key[32] = {9};
    assert_false(transport_dial(a.transport, &stranger, key, &endpoint, 1, TRANSPORT_KEEP));
    assert_false(transport_dial(a.transport, &stranger, b.keys.public_key, &endpoint, 1, TRANSPORT_KEEP));
    assert_false(transport_dial(a.transport, &b.id, b.keys.public_key, useless, 3, TRANSPORT_KEEP));
    assert_true(transport_admit(a.transport, &a.id, a.keys.public_key));
    assert_false(transport_dial(a.transport, &a.id, a.keys.public_key, &endpoint, 1, TRANSPORT_KEEP));
    assert_int_equal(station_say(&a, &b, "nobody"), TRANSPORT_NO_LINK);
    transport_hang_up(a.transport, &stranger);
    transport_expel(a.transport, &stranger);
    pair_stop(&a, &b);
}

static void options_that_cannot_work_are_refused(void **state)
{
    (void)state;
    struct station a = {0};
    struct fault fault;
    struct transport_options options = station_options(&a, 1);
    options.high_water = 0;
    assert_null(transport_new(&options, &fault));
    options = station_options(&a, 1);
    options.binds[0] = "tcp://name.example:1";
    assert_null(transport_new(&options, &fault));
    assert_non_null(strstr(fault.text, "no address to listen on"));
    options.binds[0] = "tcp://192.0.2.1:1";
    assert_null(transport_new(&options, &fault));
    options = station_options(&a, 1);
    station_open(&a, &options);
    options.binds[0] = transport_endpoint(a.transport, 0);
    assert_null(transport_new(&options, &fault));
    assert_non_null(strstr(fault.text, "in use"));
    station_stop(&a);
    transport_destroy(&a.transport);
}

/* While links are brought over to new keys nothing that was sent is lost. */
static void keys_change_while_messages_go(void **state)
{
    (void)state;
    struct station a, b, c;
    uint64_t sent_b = 0, sent_c = 0, back_b = 0, back_c = 0;
    pair_start(&a, &b);
    station_start(&c, 3);
    stations_acquaint(&a, &c);
    station_dial(&a, &b); /* one link of each direction at the node whose keys change */
    station_dial(&c, &a);
    stations_until(station_sees(&a, &b) && station_sees(&a, &c) && station_sees(&b, &a) &&
                       station_sees(&c, &a),
                   &a, &b, &c);
    struct keys next = keys_new();
    assert_true(transport_admit(b.transport, &a.id, next.public_key));
    assert_true(transport_admit(c.transport, &a.id, next.public_key));
    const char *endpoint = transport_endpoint(a.transport, 0);
    bool changed = false;
    int64_t end = station_now() + PATIENCE;
    for (uint64_t n = 1; station_now() < end; n++) {
        sent_b += send_number(&a, &b, n) ? n : 0;
        sent_c += send_number(&a, &c, n) ? n : 0;
        back_b += send_number(&b, &a, n) ? n : 0;
        back_c += send_number(&c, &a, n) ? n : 0;
        if (n == 20) {
            assert_true(transport_rekey(a.transport, next.public_key, next.secret_key));
            assert_true(transport_dial(c.transport, &a.id, next.public_key, &endpoint, 1, TRANSPORT_KEEP));
        }
        stations_step(STATIONS_OF(&a, &b, &c), 3);
        changed = a.ups == 4 && b.ups == 2 && c.ups == 2;
        if (changed && n > 40)
            break;
    }
    assert_true(changed);
    stations_until(b.numbers == sent_b && c.numbers == sent_c && a.numbers == back_b + back_c, &a, &b, &c);
    /* The old key is worth nothing now, and nobody minds. */
    transport_expel_key(b.transport, a.keys.public_key);
    transport_expel_key(c.transport, a.keys.public_key);
    stations_for(100, &a, &b, &c);
    assert_int_equal(station_say(&a, &b, "new key"), TRANSPORT_SENT);
    assert_int_equal(station_say(&a, &c, "new key"), TRANSPORT_SENT);
    stations_until(strcmp(b.last, "new key") == 0 && strcmp(c.last, "new key") == 0, &a, &b, &c);
    station_stop(&c);
    pair_stop(&a, &b);
}

/* Whoever has not heard of a peer's new key comes back with the old one first, then with the other. */
static void the_key_before_is_the_second_choice(void **state)
{
    (void)state;
    struct station a, b;
    pair_start(&a, &b);
    struct keys next = keys_new();
    const char *endpoint = transport_endpoint(b.transport, 0);
    assert_true(transport_admit(a.transport, &b.id, next.public_key));
    assert_true(transport_dial(a.transport, &b.id, b.keys.public_key, &endpoint, 1, TRANSPORT_KEEP));
    assert_true(transport_dial(a.transport, &b.id, next.public_key, &endpoint, 1, TRANSPORT_KEEP));
    transport_hang_up(a.transport, &b.id); /* the round with the old key */
    assert_true(transport_dial(a.transport, &b.id, next.public_key, &endpoint, 1, TRANSPORT_KEEP));
    stations_until(station_sees(&a, &b), &a, &b);
    pair_stop(&a, &b);
}

/* --- enrolment --- */

struct desk {
    unsigned requests;
    char request[64], address[96];
};

static size_t answer_request(void *context, const char *address, struct bytes request, uint8_t *reply,
                             size_t reply_max)
{
    struct desk *desk = context;
    desk->requests++;
    snprintf(desk->request, sizeof desk->request, "%.*s", (int)request.size, (const char *)request.data);
    snprintf(desk->address, sizeof desk->address, "%s", address);
    assert_true(reply_max >= 65536);
    if (strcmp(desk->request, "silence") == 0)
        return 0;
    memset(reply, 'x', 65536);
    return 65536;
}

struct asking {
    pthread_t thread;
    char endpoint[TEXT_MAX];
    const uint8_t *key;
    const char *request;
    int timeout;
    uint8_t reply[ENROLMENT_REPLY_LIMIT];
    size_t size;
    struct fault fault;
    _Atomic bool done;
};

static void *ask(void *context)
{
    struct asking *asking = context;
    struct bytes request = {(const uint8_t *)asking->request, strlen(asking->request)};
    asking->size = enrolment_ask(asking->endpoint, asking->key, request, asking->reply, sizeof asking->reply,
                                 asking->timeout, &asking->fault);
    asking->done = true;
    return NULL;
}

static void ask_of(struct asking *asking, struct station *desk, const char *host, const uint8_t *key,
                   const char *request, int timeout)
{
    const char *at = transport_enrolment_endpoint(desk->transport);
    asking->key = key;
    asking->request = request;
    asking->timeout = timeout;
    asking->done = false;
    snprintf(asking->endpoint, sizeof asking->endpoint, "tcp://%s%s", host, strrchr(at, ':'));
    assert_int_equal(pthread_create(&asking->thread, NULL, ask, asking), 0);
    stations_until(asking->done, desk);
    pthread_join(asking->thread, NULL);
}

static struct desk desk;

static void desk_start(struct station *station, uint32_t burst)
{
    *station = (struct station){0};
    struct transport_options options = station_options(station, 1);
    desk = (struct desk){0};
    station->enrolment = keys_new();
    options.enrolment_bind = "tcp://127.0.0.1:0";
    options.enrolment_public_key = station->enrolment.public_key;
    options.enrolment_secret_key = station->enrolment.secret_key;
    options.enrolment = answer_request;
    options.enrolment_context = &desk;
    options.enrolments_burst = burst;
    options.enrolments_per_min = 1;
    station_open(station, &options);
}

static void a_new_node_gets_its_reply(void **state)
{
    (void)state;
    static struct asking asking;
    struct station a;
    desk_start(&a, 100);
    ask_of(&asking, &a, "127.0.0.1", a.enrolment.public_key, "let me in", PATIENCE);
    if (!asking.size)
        fail_msg("%s", asking.fault.text);
    assert_int_equal(asking.size, 65536);
    assert_int_equal(asking.reply[65535], 'x');
    assert_string_equal(desk.request, "let me in");
    assert_int_equal(strncmp(desk.address, "tcp://127.0.0.1:", 16), 0);
    ask_of(&asking, &a, "localhost", a.enrolment.public_key, "by name", PATIENCE);
    assert_int_equal(asking.size, 65536);
    assert_int_equal(station_counters(&a).enrolment_requests, 2);
    ask_of(&asking, &a, "127.0.0.1", a.enrolment.public_key, "silence", 1000);
    assert_int_equal(asking.size, 0);
    assert_non_null(strstr(asking.fault.text, "no reply"));
    /* The fleet's key is not that of enrolment. */
    ask_of(&asking, &a, "127.0.0.1", a.keys.public_key, "wrong key", 300);
    assert_int_equal(asking.size, 0);
    assert_int_equal(desk.requests, 3);
    station_stop(&a);
}

static void who_cannot_be_asked_is_told(void **state)
{
    (void)state;
    static const uint8_t request[ENROLMENT_REQUEST_LIMIT + 1];
    struct keys keys = keys_new();
    struct fault fault;
    uint8_t reply[16];
    assert_int_equal(enrolment_ask("tcp://*:1", keys.public_key, (struct bytes){request, 1}, reply,
                                   sizeof reply, 100, &fault),
                     0);
    assert_int_equal(enrolment_ask("tcp://127.0.0.1:1", keys.public_key,
                                   (struct bytes){request, sizeof request}, reply, sizeof reply, 100, &fault),
                     0);
    assert_int_equal(enrolment_ask("tcp://127.0.0.1:1", keys.public_key, (struct bytes){request, 1}, reply,
                                   sizeof reply, 100, &fault),
                     0);
    assert_non_null(strstr(fault.text, "no reply"));
}

static void enrolments_are_limited(void **state)
{
    (void)state;
    static struct asking asking;
    struct station a;
    desk_start(&a, 8); /* of one address: two */
    for (int i = 0; i < 2; i++) {
        ask_of(&asking, &a, "127.0.0.1", a.enrolment.public_key, "fine", PATIENCE);
        assert_int_equal(asking.size, 65536);
    }
    ask_of(&asking, &a, "127.0.0.1", a.enrolment.public_key, "too many", 1000);
    assert_int_equal(asking.size, 0);
    assert_int_equal(desk.requests, 2);
    assert_true(station_counters(&a).enrolments_limited >= 1);
    station_stop(&a);
}

static void requests_out_of_form_are_counted(void **state)
{
    (void)state;
    struct station a;
    desk_start(&a, 100);
    struct keys keys = keys_new();
    void *context = zmq_ctx_new();
    void *socket = raw_dial(context, ZMQ_DEALER, &keys, a.enrolment.public_key,
                            transport_enrolment_endpoint(a.transport), NULL);
    zmq_send(socket, "two", 3, ZMQ_SNDMORE);
    zmq_send(socket, "parts", 5, 0);
    zmq_send(socket, "", 0, 0);
    stations_until(station_counters(&a).enrolment_malformed == 2, &a);
    static const uint8_t large[100000];
    zmq_send(socket, large, sizeof large, 0); /* the connection ends */
    /* It comes back by itself; what was in between is lost. */
    stations_until((zmq_send(socket, "fine", 4, ZMQ_DONTWAIT), desk.requests > 0), &a);
    assert_string_equal(desk.request, "fine");
    zmq_close(socket);
    zmq_ctx_term(context);
    station_stop(&a);
}

static void frames_out_of_form_are_counted(void **state)
{
    (void)state;
    struct station a, b;
    pair_start(&a, &b);
    station_dial(&b, &a);
    stations_until(station_sees(&a, &b), &a, &b);
    struct station c = {.id = {{0x70, [15] = 3}}, .keys = keys_new()};
    station_admit(&a, &c);
    void *context = zmq_ctx_new();
    void *socket =
        raw_dial(context, ZMQ_DEALER, &c.keys, a.keys.public_key, transport_endpoint(a.transport, 0), NULL);
    zmq_send(socket, "\0data before hello", 18, 0);
    stations_until(station_counters(&a).unknown_route == 1, &a, &b);
    zmq_send(socket, "\1", 1, 0);      /* a hello without a version */
    zmq_send(socket, "", 0, 0);        /* nothing */
    zmq_send(socket, "\4what?", 6, 0); /* a kind that does not exist */
    zmq_send(socket, "\2bye", 4, 0);   /* a goodbye with a tail */
    zmq_send(socket, "\0two", 4, ZMQ_SNDMORE);
    zmq_send(socket, "parts", 5, ZMQ_SNDMORE);
    zmq_send(socket, "more", 4, 0);
    stations_until(station_counters(&a).malformed == 5, &a, &b);
    zmq_send(socket, "\1\1 and what a newer version says", 32, 0);
    stations_until(station_sees(&a, &c), &a, &b);
    zmq_send(socket, "\1\1", 2, 0); /* twice */
    zmq_send(socket, "\3", 1, 0);   /* last, though nobody said goodbye */
    zmq_send(socket, "\0fine", 5, 0);
    stations_until(a.messages == 1, &a, &b);
    assert_string_equal(a.last, "fine");
    assert_int_equal(station_counters(&a).malformed, 6);
    assert_true(station_sees(&a, &b));
    zmq_send(socket, "\2", 1, 0);
    stations_until(!station_sees(&a, &c), &a, &b);
    assert_int_equal(station_say(&a, &c, "no"), TRANSPORT_NO_LINK);
    zmq_close(socket);
    zmq_ctx_term(context);
    pair_stop(&a, &b);
}

/* A server with the right key that never says a word, or says too little. */
static void who_does_not_play_along_is_left(void **state)
{
    (void)state;
    struct station a = {0}, b = {.id = {{0x70, [15] = 2}}, .keys = keys_new()};
    struct transport_options options = station_options(&a, 1);
    options.connect = 100;
    options.handshake = 300;
    options.drain = 100;
    station_open(&a, &options);
    station_admit(&a, &b);
    int on = 1, zero = 0;
    char endpoint[TEXT_MAX];
    size_t size = sizeof endpoint;
    void *context = zmq_ctx_new();
    void *server = zmq_socket(context, ZMQ_ROUTER);
    zmq_setsockopt(server, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(server, ZMQ_CURVE_SERVER, &on, sizeof on);
    zmq_setsockopt(server, ZMQ_CURVE_SECRETKEY, b.keys.secret_key, 32);
    assert_int_equal(zmq_bind(server, "tcp://127.0.0.1:0"), 0);
    zmq_getsockopt(server, ZMQ_LAST_ENDPOINT, endpoint, &size);
    assert_true(station_dial_at(&a, &b, endpoint));
    stations_until(strstr(a.failure, "no answer"), &a); /* no hello */
    /* Now it answers each hello, and nothing else. */
    uint8_t id[256], frame[64];
    int id_size = 0;
    int64_t end = station_now() + PATIENCE;
    while (!station_sees(&a, &b) && station_now() < end) {
        stations_step(STATIONS_OF(&a), 1);
        if ((id_size = zmq_recv(server, id, sizeof id, ZMQ_DONTWAIT)) < 0)
            continue;
        zmq_recv(server, frame, sizeof frame, ZMQ_DONTWAIT);
        zmq_send(server, id, (size_t)id_size, ZMQ_SNDMORE);
        zmq_send(server, "\1\1", 2, 0);
    }
    assert_true(station_sees(&a, &b));
    transport_hang_up(a.transport, &b.id); /* BYE, and no LAST comes */
    stations_until(!views_of(&a).count, &a);
    zmq_close(server);
    zmq_ctx_term(context);
    station_stop(&a);
}

/* Says goodbye and stays: it is cut, as is the older of two connections. */
static void who_does_not_go_is_cut(void **state)
{
    (void)state;
    struct station a = {0}, b = {.id = {{0x70, [15] = 2}}, .keys = keys_new()};
    struct transport_options options = station_options(&a, 1);
    options.drain = 100;
    station_open(&a, &options);
    station_admit(&a, &b);
    void *context = zmq_ctx_new();
    const char *endpoint = transport_endpoint(a.transport, 0);
    void *first = raw_dial(context, ZMQ_DEALER, &b.keys, a.keys.public_key, endpoint, NULL);
    zmq_send(first, "\1\1", 2, 0);
    stations_until(station_sees(&a, &b), &a);
    void *second = raw_dial(context, ZMQ_DEALER, &b.keys, a.keys.public_key, endpoint, NULL);
    zmq_send(second, "\1\1", 2, 0);
    stations_until(station_counters(&a).zap_admitted >= 3, &a); /* the first was cut and comes back */
    assert_int_equal(a.downs, 0);
    zmq_close(first);
    zmq_send(second, "\2", 1, 0);
    stations_until(!station_sees(&a, &b), &a);
    stations_until(!views_of(&a).count, &a);
    zmq_close(second);
    zmq_ctx_term(context);
    station_stop(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_go_both_ways_over_one_link),
        cmocka_unit_test(an_empty_and_a_largest_message_arrive),
        cmocka_unit_test(both_dial_and_one_link_stays),
        cmocka_unit_test(who_is_dialled_already_does_not_dial),
        cmocka_unit_test(a_restarted_peer_is_found_again),
        cmocka_unit_test(a_peer_that_comes_twice_is_one),
        cmocka_unit_test(the_next_endpoint_is_tried),
        cmocka_unit_test(listens_and_dials_over_ipv6),
        cmocka_unit_test(a_wildcard_listens_on_both_families),
        cmocka_unit_test(a_name_that_has_no_address_is_told),
        cmocka_unit_test(what_was_sent_before_hanging_up_arrives),
        cmocka_unit_test(a_temporary_link_takes_messages_at_once_and_ends_when_idle),
        cmocka_unit_test(one_address_serves_one_link),
        cmocka_unit_test(what_cannot_be_dialled_is_refused),
        cmocka_unit_test(options_that_cannot_work_are_refused),
        cmocka_unit_test(keys_change_while_messages_go),
        cmocka_unit_test(the_key_before_is_the_second_choice),
        cmocka_unit_test(a_new_node_gets_its_reply),
        cmocka_unit_test(who_cannot_be_asked_is_told),
        cmocka_unit_test(enrolments_are_limited),
        cmocka_unit_test(requests_out_of_form_are_counted),
        cmocka_unit_test(frames_out_of_form_are_counted),
        cmocka_unit_test(who_does_not_play_along_is_left),
        cmocka_unit_test(who_does_not_go_is_cut),
    };
    return cmocka_run_group_tests(tests, stations_ready, NULL);
}
