/* SPDX-License-Identifier: Apache-2.0
 *
 * The receiver on loopback: who is let in, what is stored, refused and acknowledged; and the sender against
 * it.
 */
#include "base/activity.h"
#include "base/batch.h"
#include "base/batch_fence.h"
#include "base/clock.h"
#include "base/delivery.h"
#include "base/text.h"
#include "center/received_log.h"
#include "center/receiver.h"
#include "center/sensor_settings.h"
#include "cluster/identity.h"
#include "node/sender.h"
#include "tests/unit/fleet.h"
#include "tests/unit/place.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <zmq.h>

#define PATIENCE     60000 /* ms */
#define FENCE_DOMAIN "corp.example"

static struct place place, node_place;
static struct fleet fleet;
static struct fleet_node candidate, plain;
static struct center_config config;
static struct receiver *receiver;
static pthread_t thread;
static int stop = -1;
static void *context;
static uint8_t center_key[CURVE_KEY_SIZE];

static void *run(void *unused)
{
    (void)unused;
    receiver_run(receiver, stop);
    return NULL;
}

static struct receiver_hooks hooks; /* zero: none */

static void start_receiver(void)
{
    struct fault fault;
    stop = eventfd(0, EFD_CLOEXEC);
    receiver = receiver_new(&config, &fault);
    if (!receiver)
        fail_msg("%s", fault.text);
    receiver_hook(receiver, &hooks);
    assert_int_equal(pthread_create(&thread, NULL, run, NULL), 0);
}

static void stop_receiver(struct receiver_counters *counters)
{
    uint64_t one = 1;
    assert_int_equal(write(stop, &one, sizeof one), sizeof one);
    pthread_join(thread, NULL);
    receiver_counters(receiver, counters);
    receiver_destroy(&receiver);
    close(stop);
}

static int make(void **state)
{
    (void)state;
    struct fault fault;
    uint8_t secret[CURVE_KEY_SIZE];
    place_open(&place);
    place_open(&node_place);
    fleet_open(&fleet);
    fleet_node_open(&fleet, &candidate, 5, true);
    fleet_node_open(&fleet, &plain, 6, false);
    config = (struct center_config){
        .state = place.path, .listen_count = 1, .connections = 16, .segment_bytes = 8u << 20};
    snprintf(config.log, sizeof config.log, "%s/log", place.path);
    snprintf(config.refused, sizeof config.refused, "%s/refused", place.path);
    snprintf(config.sensors, sizeof config.sensors, "%s/sensors", place.path);
    strcpy(config.listen[0], "tcp://127.0.0.1:*");
    memcpy(config.authority, fleet.trust.authority, PUBLIC_KEY_SIZE);
    assert_true(center_prepare(&config, &fault));
    assert_true(center_keys_load(place.path, center_key, secret, &fault));
    context = zmq_ctx_new();
    zmq_ctx_set(context, ZMQ_BLOCKY, 0);
    start_receiver();
    return 0;
}

static void empty(const char *path)
{
    struct place inner;
    snprintf(inner.path, sizeof inner.path, "%s", path);
    place_close(&inner);
}

static int end(void **state)
{
    (void)state;
    struct receiver_counters counters;
    if (receiver)
        stop_receiver(&counters);
    zmq_ctx_term(context);
    empty(config.log);
    empty(config.refused);
    empty(config.sensors);
    place_close(&place);
    place_close(&node_place);
    fleet_node_close(&candidate);
    fleet_node_close(&plain);
    fleet_close(&fleet);
    return 0;
}

/* --- a node by hand --- */

static bool set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

/* `keys` NULL: without encryption. */
static void *dial(const struct crypto_sodium *keys)
{
    void *socket = zmq_socket(context, ZMQ_DEALER);
    uint8_t public_key[CURVE_KEY_SIZE], secret[CURVE_KEY_SIZE];
    assert_true(set_int(socket, ZMQ_LINGER, 0) && set_int(socket, ZMQ_RCVTIMEO, PATIENCE));
    if (keys) {
        crypto_sodium_curve(keys, public_key, secret);
        assert_int_equal(zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, center_key, CURVE_KEY_SIZE), 0);
        assert_int_equal(zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public_key, CURVE_KEY_SIZE), 0);
        assert_int_equal(zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret, CURVE_KEY_SIZE), 0);
    }
    assert_int_equal(zmq_connect(socket, receiver_endpoint(receiver, 0)), 0);
    return socket;
}

static void say(void *socket, const struct delivery_message *message)
{
    static uint8_t bytes[1 << 20];
    size_t size = delivery_write(bytes, sizeof bytes, message);
    assert_true(size > 0);
    assert_int_equal(zmq_send(socket, bytes, size, 0), size);
}

static struct delivery_message hear(void *socket)
{
    static uint8_t bytes[DELIVERY_REPLY_MAX];
    struct delivery_message message;
    int size = zmq_recv(socket, bytes, sizeof bytes, 0);
    assert_true(size > 0);
    assert_true(delivery_read(&message, fleet_bytes(bytes, (size_t)size)));
    return message;
}

static bool hears_nothing(void *socket)
{
    uint8_t byte;
    set_int(socket, ZMQ_RCVTIMEO, 1000);
    return zmq_recv(socket, &byte, 1, 0) < 0;
}

static struct delivery_message hello_of(const struct fleet_node *node)
{
    return (struct delivery_message){.type = DELIVERY_HELLO,
                                     .version = DELIVERY_VERSION,
                                     .node = {node->certificate.grant.id.bytes, NODE_ID_SIZE},
                                     .generation = 3,
                                     .certificate = {node->encoded, node->encoded_size},
                                     .policy = {fleet.policy_encoded, fleet.policy_size}};
}

static void *welcomed(const struct fleet_node *node, uint64_t last)
{
    void *socket = dial(node->keys);
    struct delivery_message hello = hello_of(node);
    say(socket, &hello);
    struct delivery_message answer = hear(socket);
    assert_int_equal(answer.type, DELIVERY_WELCOME);
    assert_int_equal(answer.sequence, last);
    assert_true(answer.window > 0);
    return socket;
}

static bool says(const struct delivery_message *message, const char *what)
{
    char text[DELIVERY_TEXT_MAX + 1] = "";
    memcpy(text, message->text.data, message->text.size);
    return strstr(text, what) != NULL;
}

static void expect_denied(const struct fleet_node *node, const struct delivery_message *hello,
                          const char *why)
{
    void *socket = dial(node->keys);
    say(socket, hello);
    struct delivery_message answer = hear(socket);
    assert_int_equal(answer.type, DELIVERY_DENIED);
    if (!says(&answer, why))
        fail_msg("not because %s", why);
    zmq_close(socket);
}

/* --- batches --- */

static uint8_t frame[65536];
static size_t frame_size;

static void keep_frame(void *unused, struct bytes bytes)
{
    (void)unused;
    assert_true(bytes.size <= sizeof frame);
    memcpy(frame, bytes.data, bytes.size);
    frame_size = bytes.size;
}

static struct bytes activities(int64_t number)
{
    static struct activity_writer writer;
    struct batch_writer *batch = batch_writer_new(1, keep_frame, NULL);
    activity_begin(&writer, ACTIVITY_KERBEROS_AS, number);
    batch_writer_add(batch, activity_finish(&writer));
    batch_writer_flush(batch);
    batch_writer_destroy(&batch);
    return fleet_bytes(frame, frame_size);
}

static struct bytes entities(const struct fleet_node *from, const char *domain, uint64_t term,
                             uint64_t sequence)
{
    uint8_t pairs[BATCH_FENCE_MAX];
    struct batch_fence fence = {.term = term, .sequence = sequence};
    struct batch_writer *batch = batch_writer_new_of(&batch_entities, 1, keep_frame, NULL);
    strcpy(fence.domain, domain);
    memcpy(fence.node, from->certificate.grant.id.bytes, sizeof fence.node);
    batch_writer_set_pairs(batch, fleet_bytes(pairs, batch_fence_write(pairs, &fence)), BATCH_FENCE_PAIRS);
    batch_writer_add(batch, fleet_bytes("\x80", 1));
    batch_writer_flush(batch);
    batch_writer_destroy(&batch);
    return fleet_bytes(frame, frame_size);
}

static void say_batch(void *socket, uint64_t sequence, uint64_t after, uint64_t kind, struct bytes payload)
{
    const struct delivery_message batch = {
        .type = DELIVERY_BATCH, .sequence = sequence, .after = after, .kind = kind, .payload = payload};
    say(socket, &batch);
}

static void expect(void *socket, enum delivery_type type, uint64_t sequence)
{
    struct delivery_message answer = hear(socket);
    assert_int_equal(answer.type, type);
    assert_int_equal(answer.sequence, sequence);
}

static void expect_refused(void *socket, uint64_t sequence, const char *why)
{
    struct delivery_message answer = hear(socket);
    assert_int_equal(answer.type, DELIVERY_REFUSED);
    assert_int_equal(answer.sequence, sequence);
    if (!says(&answer, why))
        fail_msg("not because %s", why);
}

/* --- tests --- */

static void what_comes_is_stored_once(void **state)
{
    (void)state;
    struct receiver_counters counters;
    void *socket = dial(candidate.keys);
    say_batch(socket, 1, 0, DELIVERY_ACTIVITIES, activities(1));
    expect(socket, DELIVERY_AGAIN, 0); /* HELLO first */
    struct delivery_message hello = hello_of(&candidate);
    say(socket, &hello);
    expect(socket, DELIVERY_WELCOME, 0);
    say_batch(socket, 1, 0, DELIVERY_ACTIVITIES, activities(1));
    expect(socket, DELIVERY_ACK, 1);
    say_batch(socket, 1, 0, DELIVERY_ACTIVITIES, activities(1));
    expect(socket, DELIVERY_ACK, 1);
    say_batch(socket, 4, 3, DELIVERY_ACTIVITIES, activities(4));
    expect(socket, DELIVERY_AGAIN, 0);
    say_batch(socket, 3, 1, DELIVERY_ACTIVITIES, activities(3));
    expect(socket, DELIVERY_ACK, 3);
    /* Another connection of the same node takes over; the old one is no longer listened to. */
    void *second = welcomed(&candidate, 3);
    say_batch(socket, 4, 3, DELIVERY_ACTIVITIES, activities(4));
    expect(socket, DELIVERY_AGAIN, 0);
    say_batch(second, 4, 3, DELIVERY_ACTIVITIES, activities(4));
    expect(second, DELIVERY_ACK, 4);
    zmq_send(second, "nonsense", 8, 0);
    zmq_close(socket);
    zmq_close(second);
    stop_receiver(&counters);
    assert_int_equal(counters.batches, 3);
    assert_int_equal(counters.known, 1);
    assert_int_equal(counters.missing, 1);
    assert_int_equal(counters.strangers, 2);
    /* What is remembered survives; so does the policy. */
    start_receiver();
    struct delivery_message again = hello_of(&plain);
    again.policy.size = 0;
    void *other = dial(plain.keys);
    say(other, &again);
    expect(other, DELIVERY_WELCOME, 0);
    zmq_close(other);
    socket = welcomed(&candidate, 4);
    zmq_close(socket);
    struct fault fault;
    struct log_entry entry;
    struct log_reader *reader = log_reader_open(disk_system(), config.log, 0, &fault);
    static const uint64_t sequences[] = {1, 3, 4};
    for (unsigned i = 0; i < 3; i++) {
        assert_true(log_reader_next(reader, &entry));
        assert_int_equal(entry.origin.sequence, sequences[i]);
        assert_int_equal(entry.origin.generation, 3);
        assert_true(node_id_equal(&entry.origin.node, &candidate.certificate.grant.id));
    }
    assert_false(log_reader_next(reader, &entry));
    log_reader_close(&reader);
}

static void strangers_stay_outside(void **state)
{
    (void)state;
    struct receiver_counters counters;
    struct delivery_message hello = hello_of(&candidate);
    void *clear = dial(NULL);
    zmq_send(clear, "x", 1, ZMQ_DONTWAIT);
    assert_true(hears_nothing(clear));
    zmq_close(clear);
    expect_denied(&plain, &hello, "another node's"); /* the certificate of somebody else */
    hello.version++;
    expect_denied(&candidate, &hello, "version");
    hello = hello_of(&candidate);
    hello.certificate.size -= 1;
    expect_denied(&candidate, &hello, "not of this fleet");
    stop_receiver(&counters);
    assert_int_equal(counters.denied, 3);
    assert_int_equal(counters.batches, 0);
}

static void who_is_revoked_is_cut_off(void **state)
{
    (void)state;
    void *socket = welcomed(&candidate, 0);
    struct policy policy = fleet.policy;
    policy.version++;
    policy.revoked = candidate.certificate.grant.id.bytes;
    policy.revoked_count = 1;
    fleet_write_policy(&fleet, &policy);
    void *other = welcomed(&plain, 0); /* brings the newer policy */
    say_batch(socket, 1, 0, DELIVERY_ACTIVITIES, activities(1));
    struct delivery_message hello = hello_of(&candidate);
    expect_denied(&candidate, &hello, "revoked");
    say_batch(other, 1, 0, DELIVERY_ACTIVITIES, activities(1));
    expect(other, DELIVERY_ACK, 1);
    zmq_close(socket);
    zmq_close(other);
    struct receiver_counters counters;
    stop_receiver(&counters);
    assert_int_equal(counters.batches, 1);
}

static void what_is_no_batch_is_kept_aside(void **state)
{
    (void)state;
    void *socket = welcomed(&candidate, 0);
    struct bytes payload = activities(1);
    say_batch(socket, 1, 0, DELIVERY_ACTIVITIES, fleet_bytes(payload.data, payload.size - 3));
    expect_refused(socket, 1, "malformed");
    say_batch(socket, 2, 1, 9, payload);
    expect_refused(socket, 2, "malformed");
    say_batch(socket, 3, 2, DELIVERY_ACTIVITIES, activities(3));
    expect(socket, DELIVERY_ACK, 3);
    zmq_close(socket);
    struct receiver_counters counters;
    stop_receiver(&counters);
    assert_int_equal(counters.malformed, 2);
    char path[PATH_SIZE], id[NODE_ID_TEXT_SIZE];
    snprintf(path, sizeof path, "%s/%s-1", config.refused, node_id_text(&candidate.certificate.grant.id, id));
    assert_int_equal(access(path, R_OK), 0);
}

static void a_deposed_synchronizer_is_refused(void **state)
{
    (void)state;
    void *socket = welcomed(&candidate, 0), *other = welcomed(&plain, 0);
    say_batch(socket, 1, 0, DELIVERY_ENTITIES, entities(&candidate, FENCE_DOMAIN, 5, 1));
    expect(socket, DELIVERY_ACK, 1);
    say_batch(socket, 2, 1, DELIVERY_ENTITIES, entities(&candidate, FENCE_DOMAIN, 5, 1));
    expect_refused(socket, 2, "term 5");
    say_batch(socket, 3, 2, DELIVERY_ENTITIES, entities(&candidate, FENCE_DOMAIN, 4, 9));
    expect_refused(socket, 3, "term 5");
    say_batch(socket, 4, 3, DELIVERY_ENTITIES, entities(&candidate, "other.example", 1, 1));
    expect_refused(socket, 4, "may not speak");
    say_batch(other, 1, 0, DELIVERY_ENTITIES, entities(&plain, FENCE_DOMAIN, 9, 1));
    expect_refused(other, 1, "may not speak");
    say_batch(other, 2, 1, DELIVERY_ENTITIES, entities(&candidate, FENCE_DOMAIN, 9, 1));
    expect_refused(other, 2, "may not speak");
    say_batch(socket, 5, 4, DELIVERY_ENTITIES, entities(&candidate, FENCE_DOMAIN, 6, 1));
    expect(socket, DELIVERY_ACK, 5);
    zmq_close(socket);
    zmq_close(other);
    struct receiver_counters counters;
    stop_receiver(&counters);
    assert_int_equal(counters.fenced, 5);
    start_receiver();
    socket = welcomed(&candidate, 5); /* what was refused is over with, too */
    say_batch(socket, 6, 5, DELIVERY_ENTITIES, entities(&candidate, FENCE_DOMAIN, 5, 8));
    expect_refused(socket, 6, "term 6");
    zmq_close(socket);
}

/* --- the sender against it --- */

static void make_identity(const struct fleet_node *node, unsigned number)
{
    struct identity *identity = identity_new(&fleet.trust, &node->certificate.grant.id);
    struct fault fault;
    uint8_t salt[SALT_SIZE] = {1};
    assert_non_null(identity);
    fleet_seed(identity->seed, number);
    if (!identity_enrol(identity, fleet_bytes(node->encoded, node->encoded_size), salt, &fleet.policy,
                        &fault) ||
        !identity_save(identity, disk_system(), node_place.path, &fault) ||
        !policy_save(fleet_bytes(fleet.policy_encoded, fleet.policy_size), disk_system(), node_place.path,
                     &fault))
        fail_msg("%s", fault.text);
    identity_destroy(&identity);
}

static struct sender_server here(void)
{
    struct sender_server server;
    snprintf(server.endpoint, sizeof server.endpoint, "%s", receiver_endpoint(receiver, 0));
    memcpy(server.key, center_key, CURVE_KEY_SIZE);
    return server;
}

static void await_acknowledged(struct sender *sender, uint64_t sequence)
{
    struct sender_status status;
    for (int i = 0; i < PATIENCE / 10; i++, usleep(10000)) {
        sender_status(sender, &status);
        if (status.acknowledged >= sequence)
            return;
    }
    fail_msg("acknowledged: %llu; %s", (unsigned long long)status.acknowledged, status.fault);
}

static void a_sender_delivers_and_fails_over(void **state)
{
    (void)state;
    static uint8_t large[DELIVERY_PAYLOAD_MAX + 1];
    struct fault fault;
    char path[80];
    snprintf(path, sizeof path, "%s/spool", node_place.path);
    make_identity(&candidate, 5);
    const struct spool_config spool_config = {
        .disk = disk_system(), .directory = path, .segments = 4, .segment_bytes = 4u << 20};
    assert_true(directory_prepare(path, &fault));
    struct spool *spool = spool_open(&spool_config, &fault);
    assert_non_null(spool);
    for (int64_t n = 1; n <= 100; n++)
        assert_int_equal(spool_append(spool, SPOOL_ACTIVITIES, n, activities(n), n % 50 == 0), SPOOL_KEPT);
    assert_int_equal(spool_append(spool, SPOOL_ACTIVITIES, 5, fleet_bytes(large, sizeof large), false),
                     SPOOL_KEPT);
    assert_int_equal(spool_append(spool, SPOOL_ACTIVITIES, 6, fleet_bytes(large, 50), true), SPOOL_KEPT);
    struct sender_config sender_config = {.disk = disk_system(),
                                          .state = node_place.path,
                                          .spool = spool,
                                          .window = 2000,
                                          .bandwidth = 1 << 20,
                                          .server_count = 3};
    sender_config.servers[0] = sender_config.servers[1] = sender_config.servers[2] = here();
    strcpy(sender_config.servers[0].endpoint, "tcp://127.0.0.1:9"); /* nobody */
    sender_config.servers[1].key[3] ^= 1;                           /* not its key */
    struct sender *sender = sender_start(&sender_config, &fault);
    await_acknowledged(sender, 102);
    struct sender_status status;
    sender_status(sender, &status);
    assert_int_equal(status.state, SENDER_SENDING);
    assert_true(status.failures >= 2);
    assert_int_equal(status.skipped, 1);
    assert_int_equal(status.refused, 1); /* zeros are no batch */
    /* What comes while it is up; then with a receiver that was away. */
    struct receiver_counters counters;
    assert_int_equal(spool_append(spool, SPOOL_ACTIVITIES, 103, activities(103), true), SPOOL_KEPT);
    await_acknowledged(sender, 103);
    snprintf(config.listen[0], sizeof config.listen[0], "%s", receiver_endpoint(receiver, 0));
    stop_receiver(&counters);
    assert_int_equal(spool_append(spool, SPOOL_ACTIVITIES, 104, activities(104), true), SPOOL_KEPT);
    start_receiver();
    await_acknowledged(sender, 104);
    sender_stop(&sender);
    struct spool_status left;
    spool_status(spool, &left);
    assert_int_equal(left.acknowledged, 104);
    stop_receiver(&counters);
    assert_int_equal(counters.batches, 1);
    spool_close(&spool);
    empty(path);
}

/* A copy of an earlier spool: its numbers were used for something else. */
static void a_spool_that_went_back(void **state)
{
    (void)state;
    struct fault fault;
    char path[80];
    snprintf(path, sizeof path, "%s/spool", node_place.path);
    make_identity(&candidate, 5);
    const struct spool_config spool_config = {
        .disk = disk_system(), .directory = path, .segments = 4, .segment_bytes = 1u << 20};
    assert_true(directory_prepare(path, &fault));
    struct spool *spool = spool_open(&spool_config, &fault);
    uint64_t generation = spool_generation(spool);
    assert_int_equal(spool_append(spool, SPOOL_ACTIVITIES, 1, activities(1), true), SPOOL_KEPT);
    void *socket = dial(candidate.keys);
    struct delivery_message hello = hello_of(&candidate);
    hello.generation = generation;
    hello.sequence = 50;
    say(socket, &hello);
    expect(socket, DELIVERY_WELCOME, 50);
    zmq_close(socket);
    struct sender_config sender_config = {.disk = disk_system(),
                                          .state = node_place.path,
                                          .spool = spool,
                                          .window = 1 << 20,
                                          .server_count = 1};
    sender_config.servers[0] = here();
    struct sender *sender = sender_start(&sender_config, &fault);
    await_acknowledged(sender, 1);
    assert_true(spool_generation(spool) != generation);
    sender_stop(&sender);
    struct receiver_counters counters;
    stop_receiver(&counters);
    assert_int_equal(counters.batches, 1);
    spool_close(&spool);
    empty(path);
}

/* Settings come to the sensor when it is there, once, and what became of them is kept. */
static void settings_are_told_until_they_are_known(void **state)
{
    (void)state;
    struct fault fault;
    struct sensor_settled settled;
    const struct node_id *id = &candidate.certificate.grant.id;
    const struct bytes first = fleet_bytes("a = 1\n", 6), second = fleet_bytes("a = 2\n", 6);
    assert_true(sensor_settings_save(first, disk_system(), config.sensors, id, &fault));
    void *socket = welcomed(&candidate, 0), *other = welcomed(&plain, 0);
    struct delivery_message told = hear(socket);
    assert_int_equal(told.type, DELIVERY_SETTINGS);
    assert_int_equal(told.sequence, 1);
    assert_bytes_equal(told.payload.data, first.data, first.size);
    /* Changed while it is connected. */
    assert_true(sensor_settings_save(second, disk_system(), config.sensors, id, &fault));
    told = hear(socket);
    assert_int_equal(told.sequence, 2);
    assert_bytes_equal(told.payload.data, second.data, second.size);
    const struct delivery_message answer = {
        .type = DELIVERY_SETTLED, .sequence = 2, .kind = DELIVERY_UNFIT, .text = fleet_bytes("no\n a", 5)};
    say(socket, &answer);
    for (unsigned i = 0; i < PATIENCE / 50; i++) {
        if (sensor_settled_load(&settled, disk_system(), config.sensors, id, &fault) == DISK_FOUND)
            break;
        usleep(50000);
    }
    assert_int_equal(settled.version, 2);
    assert_int_equal(settled.how, DELIVERY_UNFIT);
    assert_string_equal(settled.text, "no  a");
    assert_true(settled.at > 0);
    assert_true(hears_nothing(other)); /* they are another's */
    zmq_close(socket);
    /* One that has them hears nothing of them. */
    socket = dial(candidate.keys);
    struct delivery_message hello = hello_of(&candidate);
    hello.settings = 2;
    say(socket, &hello);
    expect(socket, DELIVERY_WELCOME, 0);
    assert_true(hears_nothing(socket));
    zmq_close(socket);
    zmq_close(other);
}

static bool take_report(void *to, const struct node_id *node, const char *name, struct bytes view)
{
    unsigned *taken = to;
    assert_memory_equal(node, &candidate.certificate.grant.id, sizeof *node);
    assert_non_null(name);
    ++*taken;
    return view.size == 3;
}

/* A view of the fleet is given on; another one at once after it is not looked at. */
static void views_of_the_fleet_are_given_on(void **state)
{
    (void)state;
    unsigned taken = 0;
    struct receiver_counters counters;
    stop_receiver(&counters);
    hooks = (struct receiver_hooks){.report = take_report, .context = &taken};
    start_receiver();
    void *socket = welcomed(&candidate, 0);
    const struct delivery_message report = {.type = DELIVERY_REPORT, .payload = fleet_bytes("abc", 3)};
    say(socket, &report);
    say(socket, &report);
    assert_true(hears_nothing(socket));
    stop_receiver(&counters);
    zmq_close(socket);
    assert_int_equal(taken, 1);
    assert_int_equal(counters.reports, 2);
    hooks = (struct receiver_hooks){0};
}

static void count_sensor(void *count, const struct node_id *id)
{
    (void)id;
    ++*(unsigned *)count;
}

static void sensors_are_known_by_name(void **state)
{
    (void)state;
    struct fault fault;
    char name[NAME_MAX_SIZE];
    unsigned count = 0;
    void *socket = welcomed(&candidate, 0);
    zmq_close(socket);
    name[0] = '\0';
    for (unsigned i = 0; i < PATIENCE / 20 && name[0] == '\0'; i++) {
        sensor_name_load(name, disk_system(), config.sensors, &candidate.certificate.grant.id);
        usleep(20000);
    }
    assert_string_equal(name, candidate.certificate.name);
    assert_true(sensors_each(config.sensors, count_sensor, &count, &fault));
    assert_int_equal(count, 1);
    static uint8_t much[DELIVERY_SETTINGS_MAX + 1];
    assert_false(sensor_settings_save(fleet_bytes(much, sizeof much), disk_system(), config.sensors,
                                      &candidate.certificate.grant.id, &fault));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_comes_is_stored_once, make, end),
        cmocka_unit_test_setup_teardown(strangers_stay_outside, make, end),
        cmocka_unit_test_setup_teardown(who_is_revoked_is_cut_off, make, end),
        cmocka_unit_test_setup_teardown(what_is_no_batch_is_kept_aside, make, end),
        cmocka_unit_test_setup_teardown(a_deposed_synchronizer_is_refused, make, end),
        cmocka_unit_test_setup_teardown(a_sender_delivers_and_fails_over, make, end),
        cmocka_unit_test_setup_teardown(a_spool_that_went_back, make, end),
        cmocka_unit_test_setup_teardown(settings_are_told_until_they_are_known, make, end),
        cmocka_unit_test_setup_teardown(views_of_the_fleet_are_given_on, make, end),
        cmocka_unit_test_setup_teardown(sensors_are_known_by_name, make, end),
    };
    return crypto_sodium_start() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
