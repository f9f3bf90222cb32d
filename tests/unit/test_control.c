/* SPDX-License-Identifier: Apache-2.0
 *
 * The control socket, its requests, and the client that `picket` is.
 */
#include "node/command.h"
#include "node/control.h"
#include "node/control_client.h"
#include "node/control_frame.h"
#include "node/view.h"

#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* --- requests --- */

static const char *fault_of(const char *text, struct control_request *request)
{
    const char *fault = NULL;
    bool fine = control_request_read(request, (struct bytes){(const uint8_t *)text, strlen(text)}, &fault);
    assert_true(fine == (fault == NULL));
    return fault;
}

static void good_requests_are_read(void **state)
{
    (void)state;
    struct control_request request;
    assert_null(fault_of("{\"verb\":\"status\"}", &request));
    assert_int_equal(request.verb, CONTROL_STATUS);
    assert_false(request.changes);
    assert_null(fault_of("{\"verb\":\"candidate\",\"domain\":\"Corp.Example\",\"on\":true}", &request));
    assert_true(request.changes && request.on);
    assert_string_equal(request.domain, "corp.example");
    assert_null(fault_of("{\"verb\":\"history\",\"limit\":7}", &request));
    assert_int_equal(request.limit, 7);
    assert_null(fault_of("{\"verb\":\"events\"}", &request));
    assert_true(request.stream);
    assert_null(fault_of("{\"verb\":\"policy\",\"data\":\"aGVsbG8=\"}", &request));
    assert_int_equal(request.data_size, 5);
    assert_bytes_equal(request.data, "hello", 5);
    control_request_free(&request);
    assert_null(fault_of("{\"verb\":\"entity\",\"name\":\"CORP\\\\alice\"}", &request));
    assert_string_equal(request.name, "CORP\\alice");
    assert_true(control_verb_of_directory(request.verb));
    assert_null(fault_of("{\"verb\":\"spool\",\"after\":12,\"limit\":3}", &request));
    assert_int_equal(request.after, 12);
    assert_null(fault_of("{\"verb\":\"sync\"}", &request));
    assert_false(control_verb_of_directory(request.verb));
    assert_null(fault_of("{\"verb\":\"reconcile\",\"domain\":\"corp.example\"}", &request));
    assert_true(request.changes);
}

static void bad_requests_are_told(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "7",
        "[]",
        "{",
        "{}",
        "{\"verb\":7}",
        "{\"verb\":\"nonsense\"}",
        "{\"verb\":\"status\",\"verb\":\"x\"}",
        "{\"verb\":\"status\",\"domain\":\"x\"}",
        "{\"verb\":\"status\",\"x\":1}",
        "{\"verb\":\"why\"}",
        "{\"verb\":\"why\",\"domain\":\"\"}",
        "{\"verb\":\"why\",\"domain\":7}",
        "{\"verb\":\"why\",\"domain\":\"a\\u0000b\"}",
        "{\"verb\":\"history\",\"limit\":-1}",
        "{\"verb\":\"history\",\"limit\":1.5}",
        "{\"verb\":\"candidate\",\"domain\":\"d\",\"on\":1}",
        "{\"verb\":\"entity\"}",
        "{\"verb\":\"entity\",\"name\":\"\"}",
        "{\"verb\":\"entity\",\"name\":\"a\\u0000b\"}",
        "{\"verb\":\"search\",\"name\":7}",
        "{\"verb\":\"spool\",\"after\":-1}",
        "{\"verb\":\"policy\",\"data\":\"$\"}",
        "{\"verb\":\"policy\",\"data\":\"\"}",
        "{\"verb\":\"status\"} x",
    };
    struct control_request request;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *fault = fault_of(bad[i], &request);
        assert_non_null(fault);
        control_request_free(&request);
    }
    char longer[600];
    snprintf(longer, sizeof(longer), "{\"verb\":\"why\",\"domain\":\"%0300d\"}", 0);
    assert_non_null(fault_of(longer, &request));
}

static void each_verb_has_a_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CONTROL_VERBS; i++)
        assert_non_null(control_verb_name((enum control_verb)i));
}

/* --- the writer of answers --- */

static void json_is_written(void **state)
{
    (void)state;
    struct json_writer w;
    struct bytes text;
    json_writer_init(&w, 4096);
    json_write_object(&w, NULL);
    json_write_string(&w, "a", "x\"\n");
    json_write_string(&w, "b", NULL);
    json_write_array(&w, "c");
    json_write_int(&w, NULL, -5);
    json_write_uint(&w, NULL, UINT64_MAX);
    json_write_bool(&w, NULL, true);
    json_write_close(&w);
    json_write_known(&w, "d", -1);
    json_write_known(&w, "e", 7);
    json_write_us_as_ms(&w, "f", 1234);
    json_write_us_as_ms(&w, "g", -1);
    json_write_time(&w, "h", 1700000000123);
    json_write_time(&w, "i", 0);
    assert_false(json_writer_done(&w, &text));
    json_write_close(&w);
    assert_true(json_writer_done(&w, &text));
    static const char expected[] =
        "{\"a\":\"x\\\"\\n\",\"b\":null,\"c\":[-5,18446744073709551615,true],\"d\":null,"
        "\"e\":7,\"f\":1.234,\"g\":null,\"h\":\"2023-11-14T22:13:20.123Z\",\"i\":null}";
    assert_int_equal(text.size, sizeof(expected) - 1);
    assert_bytes_equal(text.data, expected, text.size);
    json_writer_free(&w);
}

static void what_is_too_large_fails(void **state)
{
    (void)state;
    struct json_writer w;
    struct bytes text;
    json_writer_init(&w, 10);
    json_write_array(&w, NULL);
    json_write_string(&w, NULL, "far too long");
    json_write_close(&w);
    assert_false(json_writer_done(&w, &text));
    json_writer_free(&w);
    json_writer_init(&w, 1000);
    for (unsigned i = 0; i < JSON_WRITER_DEPTH + 1; i++)
        json_write_array(&w, NULL);
    assert_true(w.failed);
    json_writer_free(&w);
    json_writer_init(&w, 1000);
    json_write_close(&w);
    assert_true(w.failed);
    json_writer_free(&w);
}

/* --- the socket: a mailbox and a thread stand for the core's --- */

struct bed {
    char directory[64], path[96];
    struct control *control;
    struct mailbox *core;
    pthread_t thread;
    volatile bool ending;
    bool refuse; /* the core does not run */
    unsigned answered;
    size_t answer_size;
};

static bool post(void *context, const struct control_request *request, struct mail *job)
{
    struct bed *bed = context;
    (void)request;
    return !bed->refuse && mailbox_post(bed->core, job);
}

static void answer(void *context, const struct control_request *request, const struct control_peer *peer,
                   struct json_writer *w)
{
    struct bed *bed = context;
    assert_int_equal(peer->uid, getuid());
    assert_int_equal(peer->pid, getpid());
    bed->answered++;
    json_write_object(w, NULL);
    json_write_string(w, "verb", control_verb_name(request->verb));
    for (size_t i = 0; i < bed->answer_size; i++)
        json_write_string(w, "filler", "0123456789012345678901234567890123456789");
    json_write_close(w);
}

struct ender {
    struct mail mail;
    struct bed *bed;
};

static void end_core(struct mail *mail, void *owner)
{
    (void)owner;
    ((struct ender *)mail)->bed->ending = true;
}

static void *core(void *context)
{
    struct bed *bed = context;
    while (!bed->ending) {
        mailbox_run(bed->core, bed);
        usleep(1000);
    }
    return NULL;
}

static struct control_config config_of(struct bed *bed)
{
    return (struct control_config){
        .path = bed->path, .group = "picket-no-such-group", .post = post, .answer = answer, .context = bed};
}

static int set_up(void **state)
{
    static struct bed bed;
    char reason[256];
    bed = (struct bed){0};
    snprintf(bed.directory, sizeof(bed.directory), "/tmp/picket-control-XXXXXX");
    assert_non_null(mkdtemp(bed.directory));
    snprintf(bed.path, sizeof(bed.path), "%s/control", bed.directory);
    bed.core = mailbox_new();
    struct control_config config = config_of(&bed);
    bed.control = control_start(&config, reason, sizeof(reason));
    assert_non_null(bed.control);
    assert_int_equal(pthread_create(&bed.thread, NULL, core, &bed), 0);
    *state = &bed;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    struct ender ender = {{.run = end_core}, bed};
    assert_true(mailbox_post(bed->core, &ender.mail));
    pthread_join(bed->thread, NULL);
    mailbox_destroy(&bed->core);
    control_stop(&bed->control);
    assert_int_not_equal(access(bed->path, F_OK), 0);
    rmdir(bed->directory);
    return 0;
}

static json_t *verb(const char *name)
{
    return json_pack("{ss}", "verb", name);
}

static void a_question_is_answered(void **state)
{
    struct bed *bed = *state;
    struct control_options options = {.socket = bed->path};
    struct stat status;
    assert_int_equal(stat(bed->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0660);
    json_t *got = NULL;
    assert_int_equal(control_ask(&options, verb("members"), &got), EXIT_FINE);
    assert_string_equal(json_string_value(json_object_get(got, "verb")), "members");
    json_decref(got);
}

static void several_follow_on_one_connection(void **state)
{
    struct bed *bed = *state;
    const char *reason;
    bed->answer_size = 100000; /* some MB */
    struct control_client *client =
        control_client_open(&(struct control_options){.socket = bed->path}, &reason);
    assert_non_null(client);
    for (int i = 0; i < 3; i++) {
        assert_true(control_client_send(client, verb("status"), &reason));
        json_t *got = control_client_receive(client, 60000, &reason);
        assert_non_null(got);
        json_decref(got);
    }
    assert_int_equal(bed->answered, 3);
    control_client_close(&client);
}

static void refusals_are_failures(void **state)
{
    struct bed *bed = *state;
    struct control_options options = {.socket = bed->path};
    json_t *got;
    assert_int_equal(control_ask(&options, verb("nonsense"), &got), EXIT_FAILED);
    assert_null(got);
    bed->refuse = true;
    assert_int_equal(control_ask(&options, verb("status"), &got), EXIT_FAILED);
    bed->refuse = false;
    options.socket = "/nonexistent/control";
    assert_int_equal(control_ask(&options, verb("status"), &got), EXIT_FAILED);
    char longer[200];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    options.socket = longer;
    assert_int_equal(control_ask(&options, verb("status"), &got), EXIT_FAILED);
}

static void a_core_that_hangs_is_not_waited_for(void **state)
{
    struct bed *bed = *state;
    struct control_options options = {.socket = bed->path, .timeout = 100};
    struct ender ender = {{.run = end_core}, bed};
    json_t *got;
    assert_true(mailbox_post(bed->core, &ender.mail));
    pthread_join(bed->thread, NULL);
    assert_int_equal(control_ask(&options, verb("status"), &got), EXIT_FAILED);
    bed->ending = false; /* it comes back; who asked is gone */
    assert_int_equal(pthread_create(&bed->thread, NULL, core, bed), 0);
    options.timeout = 60000;
    assert_int_equal(control_ask(&options, verb("status"), &got), EXIT_FINE);
    json_decref(got);
}

static void events_reach_who_listens(void **state)
{
    struct bed *bed = *state;
    const char *reason;
    struct control_options options = {.socket = bed->path};
    struct control_client *all = control_client_open(&options, &reason);
    struct control_client *some = control_client_open(&options, &reason);
    assert_false(control_has_listeners(bed->control));
    assert_true(control_client_send(all, verb("events"), &reason));
    assert_true(
        control_client_send(some, json_pack("{ssss}", "verb", "events", "domain", "b.example"), &reason));
    json_decref(control_client_receive(all, 60000, &reason));
    json_decref(control_client_receive(some, 60000, &reason));
    assert_true(control_has_listeners(bed->control));
    static const char a[] = "{\"event\":\"a\"}", b[] = "{\"event\":\"b\"}";
    control_publish(bed->control, (struct bytes){(const uint8_t *)a, sizeof(a) - 1}, "a.example");
    control_publish(bed->control, (struct bytes){(const uint8_t *)b, sizeof(b) - 1}, "b.example");
    json_t *got = control_client_receive(some, 60000, &reason);
    assert_string_equal(json_string_value(json_object_get(got, "event")), "b");
    json_decref(got);
    got = control_client_receive(all, 60000, &reason);
    assert_string_equal(json_string_value(json_object_get(got, "event")), "a");
    json_decref(got);
    control_client_close(&some);
    /* A time-out of a stream is no end. */
    json_decref(control_client_receive(all, 60000, &reason));
    assert_null(control_client_receive(all, 20, &reason));
    assert_ptr_equal(reason, control_timed_out);
    control_publish(bed->control, (struct bytes){(const uint8_t *)a, sizeof(a) - 1}, NULL);
    got = control_client_receive(all, 60000, &reason);
    assert_non_null(got);
    json_decref(got);
    control_client_close(&all);
    for (int i = 0; i < 6000 && control_has_listeners(bed->control); i++)
        usleep(10000);
    assert_false(control_has_listeners(bed->control));
}

static void a_slow_listener_loses_and_is_told(void **state)
{
    struct bed *bed = *state;
    const char *reason;
    struct control_client *slow =
        control_client_open(&(struct control_options){.socket = bed->path}, &reason);
    assert_true(control_client_send(slow, verb("events"), &reason));
    json_decref(control_client_receive(slow, 60000, &reason));
    static char big[60000];
    memset(big, ' ', sizeof(big));
    big[0] = '{';
    big[sizeof(big) - 1] = '}';
    for (int i = 0; i < 200; i++)
        control_publish(bed->control, (struct bytes){(const uint8_t *)big, sizeof(big)}, NULL);
    /* The others are served meanwhile. */
    json_t *got;
    assert_int_equal(control_ask(&(struct control_options){.socket = bed->path}, verb("status"), &got),
                     EXIT_FINE);
    json_decref(got);
    /* It reads on, and more happens: some came, of all the others it is told how many they were. */
    unsigned events = 0, markers = 0;
    json_int_t lost = 0;
    static const char a[] = "{\"event\":\"a\"}";
    for (int i = 0; i < 200; i++) {
        while ((got = control_client_receive(slow, 100, &reason))) {
            const char *event = json_string_value(json_object_get(got, "event"));
            if (event && strcmp(event, "lost") == 0)
                lost += json_integer_value(json_object_get(got, "lost"));
            else
                events++;
            json_decref(got);
        }
        if (events + lost == 200 + markers)
            break;
        control_publish(bed->control, (struct bytes){(const uint8_t *)a, sizeof(a) - 1}, NULL);
        markers++;
    }
    assert_true(lost > 0 && events > 0);
    assert_int_equal(events + lost, 200 + markers);
    control_client_close(&slow);
}

static int connect_raw(const struct bed *bed)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, bed->path, strlen(bed->path));
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(descriptor, (struct sockaddr *)&address, sizeof(address)), 0);
    return descriptor;
}

static void a_frame_too_large_ends_the_connection(void **state)
{
    struct bed *bed = *state;
    int descriptor = connect_raw(bed);
    static const char header[] = {0x7f, 0, 0, 0};
    assert_int_equal(write(descriptor, header, sizeof(header)), sizeof(header));
    char text[1024] = {0};
    size_t size = 0;
    ssize_t n;
    while ((n = read(descriptor, text + size, sizeof(text) - 1 - size)) > 0)
        size += (size_t)n;
    assert_non_null(strstr(text + CONTROL_FRAME_HEADER, "too large"));
    close(descriptor);
}

static void many_connections_do_not_lock_others_out_for_good(void **state)
{
    struct bed *bed = *state;
    int descriptors[80];
    for (size_t i = 0; i < 80; i++)
        descriptors[i] = connect_raw(bed);
    for (size_t i = 0; i < 80; i++)
        close(descriptors[i]);
    json_t *got = NULL;
    int status = EXIT_FAILED;
    for (int i = 0; i < 6000 && status != EXIT_FINE; i++) {
        status = control_ask(&(struct control_options){.socket = bed->path}, verb("status"), &got);
        usleep(10000);
    }
    assert_int_equal(status, EXIT_FINE);
    json_decref(got);
}

static void a_socket_in_use_is_not_taken(void **state)
{
    struct bed *bed = *state;
    char reason[256];
    struct control_config config = config_of(bed);
    assert_null(control_start(&config, reason, sizeof(reason)));
    assert_non_null(strstr(reason, bed->path));
    assert_non_null(strstr(reason, strerror(EADDRINUSE)));
    config.path = bed->directory; /* something else stands there */
    assert_null(control_start(&config, reason, sizeof(reason)));
    config.path = "/nonexistent/control";
    assert_null(control_start(&config, reason, sizeof(reason)));
}

static void a_dead_socket_is_replaced(void **state)
{
    struct bed *bed = *state;
    char path[128], reason[256];
    snprintf(path, sizeof(path), "%s/dead", bed->directory);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path));
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(descriptor, (struct sockaddr *)&address, sizeof(address)), 0);
    close(descriptor);
    struct control_config config = config_of(bed);
    config.path = path;
    struct control *second = control_start(&config, reason, sizeof(reason));
    assert_non_null(second);
    control_stop(&second);
    assert_null(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_requests_are_read),
        cmocka_unit_test(bad_requests_are_told),
        cmocka_unit_test(each_verb_has_a_name),
        cmocka_unit_test(json_is_written),
        cmocka_unit_test(what_is_too_large_fails),
        cmocka_unit_test_setup_teardown(a_question_is_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_follow_on_one_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refusals_are_failures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_core_that_hangs_is_not_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(events_reach_who_listens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_slow_listener_loses_and_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_frame_too_large_ends_the_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_connections_do_not_lock_others_out_for_good, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_socket_in_use_is_not_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dead_socket_is_replaced, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
