/* SPDX-License-Identifier: Apache-2.0
 *
 * A capture thread's line, with holders that are slow, die, lie, or are not there at all.
 */
#include "keys/line.h"
#include "node/key_line.h"

#include "unit.h"

#include "base/endian.h"
#include "base/thread.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A holder of the test's own: on a thread, until its socket is closed. */
struct holder {
    int socket;
    pthread_t thread;
    /* Answers a packet; false: it ends. */
    bool (*answer)(struct holder *holder, struct line_packet *packet);
    unsigned packets, requests;
    char log[256];
};

static void reply(struct holder *holder, uint32_t number, const void *answer, size_t size)
{
    uint8_t buffer[256];
    endian_put_be32(buffer, number);
    memcpy(buffer + 4, answer, size);
    assert_true(line_send(holder->socket, (struct bytes){buffer, 4 + size}, -1));
}

static void *run_holder(void *context)
{
    struct holder *holder = context;
    uint8_t *buffer = malloc(LINE_PACKET_MAX);
    struct line_packet packet;
    for (;;) {
        ssize_t got = recv(holder->socket, buffer, LINE_PACKET_MAX, 0);
        if (got <= 0 || !line_packet_read(&packet, (struct bytes){buffer, (size_t)got}))
            break;
        holder->packets++;
        if (!holder->answer(holder, &packet))
            break;
    }
    free(buffer);
    close(holder->socket);
    return NULL;
}

static void start_holder(struct holder *holder, struct key_line *line,
                         bool (*answer)(struct holder *, struct line_packet *))
{
    int ends[2];
    *holder = (struct holder){.answer = answer};
    assert_true(line_pair(ends));
    holder->socket = ends[1];
    assert_true(thread_start(&holder->thread, "holder", run_holder, holder));
    key_line_connect(line, ends[0]);
}

static const struct key_line_limits patient = {
    .timeout = 30 * CLOCK_SECOND, .pause = CLOCK_SECOND, .pause_max = CLOCK_SECOND};
static const struct key_line_limits hasty = {
    .timeout = 20 * CLOCK_MILLISECOND, .pause = CLOCK_HOUR, .pause_max = CLOCK_HOUR};

static struct bytes text(const char *string)
{
    return (struct bytes){(const uint8_t *)string, strlen(string)};
}

static bool ask(struct key_line *line, const char *question, struct bytes *answer)
{
    const struct unsealer *unsealer = key_line_unsealer(line);
    return unsealer->ask(unsealer->context, text(question), answer);
}

static void tell(struct key_line *line, const char *what)
{
    const struct unsealer *unsealer = key_line_unsealer(line);
    unsealer->tell(unsealer->context, text(what));
}

/* --- a good one --- */

static bool echo(struct holder *holder, struct line_packet *packet)
{
    struct bytes request = {0};
    bool last;
    while (line_packet_next(packet, &request, &last)) {
        holder->requests++;
        if (strlen(holder->log) + 10 > sizeof(holder->log))
            continue;
        strncat(holder->log, (const char *)request.data, request.size < 8 ? request.size : 8);
        strcat(holder->log, last ? ";" : ",");
    }
    if (packet->number)
        reply(holder, packet->number, request.data, request.size < 200 ? request.size : 200);
    return true;
}

static void what_is_told_goes_before_the_question(void **state)
{
    (void)state;
    struct holder holder;
    struct bytes answer;
    struct key_line_counters counters;
    struct key_line *line = key_line_new(&patient, clock_system());
    assert_non_null(line);
    assert_false(ask(line, "nobody", &answer));
    tell(line, "nobody");
    start_holder(&holder, line, echo);
    tell(line, "a");
    tell(line, "b");
    assert_true(ask(line, "c", &answer));
    assert_int_equal(answer.size, 1);
    assert_memory_equal(answer.data, "c", 1);
    assert_true(ask(line, "d", &answer));
    assert_memory_equal(answer.data, "d", 1);
    key_line_counters(line, &counters);
    key_line_destroy(&line);
    pthread_join(holder.thread, NULL);
    assert_string_equal(holder.log, "a,b,c;d;");
    assert_int_equal(holder.packets, 2);
    assert_int_equal(counters.asked, 3);
    assert_int_equal(counters.answered, 2);
    assert_int_equal(counters.lost, 1);
    assert_int_equal(counters.untold, 1);
}

static void much_that_is_told_goes_by_itself(void **state)
{
    (void)state;
    struct holder holder;
    struct bytes answer;
    struct key_line *line = key_line_new(&patient, clock_system());
    char *large = malloc(100001);
    memset(large, 'x', 100000);
    large[100000] = '\0';
    start_holder(&holder, line, echo);
    tell(line, large);
    tell(line, large); /* does not fit behind the first: both go now */
    tell(line, "z");
    assert_true(ask(line, "q", &answer));
    key_line_destroy(&line);
    pthread_join(holder.thread, NULL);
    assert_int_equal(holder.packets, 2);
    assert_int_equal(holder.requests, 4);
    assert_string_equal(holder.log, "xxxxxxxx,xxxxxxxx;z,q;");
    free(large);
}

static void the_largest_request_is_answered(void **state)
{
    (void)state;
    struct holder holder;
    struct bytes answer;
    struct key_line *line = key_line_new(&patient, clock_system());
    const struct unsealer *unsealer = key_line_unsealer(line);
    uint8_t *large = calloc(1, UNSEAL_REQUEST_MAX + 1);
    start_holder(&holder, line, echo);
    tell(line, "a");
    assert_true(unsealer->ask(unsealer->context, (struct bytes){large, UNSEAL_REQUEST_MAX}, &answer));
    assert_false(unsealer->ask(unsealer->context, (struct bytes){large, UNSEAL_REQUEST_MAX + 1}, &answer));
    assert_false(unsealer->ask(unsealer->context, (struct bytes){large, 0}, &answer));
    unsealer->tell(unsealer->context, (struct bytes){large, UNSEAL_REQUEST_MAX + 1});
    assert_true(ask(line, "still there", &answer));
    key_line_destroy(&line);
    pthread_join(holder.thread, NULL);
    free(large);
}

/* --- liars --- */

static bool lie(struct holder *holder, struct line_packet *packet)
{
    static uint8_t large[LINE_ANSWER_MAX + 1];
    reply(holder, packet->number + 1, "later", 5);
    reply(holder, packet->number - 1, "earlier", 7);
    assert_true(line_send(holder->socket, (struct bytes){(const uint8_t *)"ab", 2}, -1));
    endian_put_be32(large, packet->number);
    assert_true(line_send(holder->socket, (struct bytes){large, sizeof(large)}, -1));
    reply(holder, packet->number, "truth", 5);
    return true;
}

static void wrong_numbers_and_garbage_are_passed_over(void **state)
{
    (void)state;
    struct holder holder;
    struct bytes answer;
    struct key_line_counters counters;
    struct key_line *line = key_line_new(&patient, clock_system());
    start_holder(&holder, line, lie);
    for (int i = 0; i < 3; i++) {
        assert_true(ask(line, "what", &answer));
        assert_int_equal(answer.size, 5);
        assert_memory_equal(answer.data, "truth", 5);
    }
    key_line_counters(line, &counters);
    assert_int_equal(counters.strays, 12);
    key_line_destroy(&line);
    pthread_join(holder.thread, NULL);
}

/* --- slow ones --- */

static bool silent(struct holder *holder, struct line_packet *packet)
{
    (void)holder;
    (void)packet;
    return true;
}

static void who_is_silent_is_not_asked_for_a_while(void **state)
{
    (void)state;
    struct holder holder;
    struct bytes answer;
    struct key_line_counters counters;
    struct key_line *line = key_line_new(&hasty, clock_system());
    start_holder(&holder, line, silent);
    for (int i = 0; i < 1000; i++)
        assert_false(ask(line, "what", &answer));
    tell(line, "kept");
    key_line_counters(line, &counters);
    assert_int_equal(counters.timed_out, KEY_LINE_TIMEOUTS);
    assert_int_equal(counters.skipped, 1000 - KEY_LINE_TIMEOUTS);
    /* A new holder begins anew. */
    key_line_connect(line, -1);
    assert_false(ask(line, "what", &answer));
    pthread_join(holder.thread, NULL);
    assert_int_equal(holder.packets, KEY_LINE_TIMEOUTS);
    static const struct key_line_limits long_enough = {.timeout = 30 * CLOCK_SECOND};
    key_line_destroy(&line);
    line = key_line_new(&long_enough, clock_system());
    start_holder(&holder, line, echo);
    assert_true(ask(line, "what", &answer));
    key_line_destroy(&line);
    pthread_join(holder.thread, NULL);
}

/* The first questions stay without an answer, what follows is answered: the pauses end. */
static bool late_riser(struct holder *holder, struct line_packet *packet)
{
    return holder->packets < 6 || echo(holder, packet);
}

static void the_first_answer_ends_the_pauses(void **state)
{
    (void)state;
    struct holder holder;
    struct bytes answer;
    struct key_line_counters counters;
    static const struct key_line_limits limits = {.timeout = 500 * CLOCK_MILLISECOND,
                                                  .pause = 10 * CLOCK_MILLISECOND,
                                                  .pause_max = 20 * CLOCK_MILLISECOND};
    struct key_line *line = key_line_new(&limits, clock_system());
    start_holder(&holder, line, late_riser);
    int64_t until = clock_monotonic(clock_system()) + 60 * CLOCK_SECOND;
    while (!ask(line, "what", &answer)) {
        assert_true(clock_monotonic(clock_system()) < until);
        poll(NULL, 0, 1);
    }
    key_line_counters(line, &counters);
    assert_true(counters.timed_out >= 5);
    key_line_destroy(&line);
    pthread_join(holder.thread, NULL);
}

/* An answer to the question before comes with the answer to this one. */
static bool behind_time(struct holder *holder, struct line_packet *packet)
{
    if (holder->packets == 1)
        return true;
    reply(holder, packet->number - 1, "old", 3);
    reply(holder, packet->number, "new", 3);
    return true;
}

static void late_answers_are_dropped(void **state)
{
    (void)state;
    struct holder holder;
    struct bytes answer;
    struct key_line_counters counters;
    static const struct key_line_limits limits = {
        .timeout = 300 * CLOCK_MILLISECOND, .pause = CLOCK_MILLISECOND, .pause_max = CLOCK_MILLISECOND};
    struct key_line *line = key_line_new(&limits, clock_system());
    start_holder(&holder, line, behind_time);
    assert_false(ask(line, "first", &answer));
    int tries = 0;
    while (!ask(line, "second", &answer)) /* on a crowded machine it may take longer than 300 ms */
        assert_true(++tries < 100);
    assert_memory_equal(answer.data, "new", 3);
    key_line_counters(line, &counters);
    assert_true(counters.strays >= 1);
    key_line_destroy(&line);
    pthread_join(holder.thread, NULL);
}

static void all_waiting_is_bounded(void **state)
{
    (void)state;
    int ends[2];
    struct bytes answer;
    struct key_line_counters counters;
    struct clock_manual clock;
    clock_manual_init(&clock, 0);
    clock_manual_advance(&clock, CLOCK_HOUR);
    /* No time passes for it but what the test lets pass: the deadline is behind it at once. */
    static const struct key_line_limits limits = {
        .timeout = 0, .pause = CLOCK_HOUR, .pause_max = CLOCK_HOUR, .waiting = CLOCK_SECOND};
    struct key_line *line = key_line_new(&limits, &clock.clock);
    assert_true(line_pair(ends));
    key_line_connect(line, ends[0]);
    for (int i = 0; i < 5; i++)
        assert_false(ask(line, "what", &answer));
    key_line_counters(line, &counters);
    assert_int_equal(counters.timed_out, KEY_LINE_TIMEOUTS);
    assert_int_equal(counters.skipped, 2);
    clock_manual_advance(&clock, CLOCK_HOUR);
    assert_false(ask(line, "what", &answer));
    assert_false(ask(line, "what", &answer));
    key_line_counters(line, &counters);
    assert_int_equal(counters.timed_out, KEY_LINE_TIMEOUTS + 1); /* one try after the pause */
    key_line_destroy(&line);
    close(ends[1]);
}

/* A clock on which every look takes 100 ms: waiting is used up by answers that came, too. */
static int64_t slow_clock(void *context)
{
    int64_t *now = context;
    return *now += 100 * CLOCK_MILLISECOND;
}

static void answers_that_come_slowly_use_it_up_too(void **state)
{
    (void)state;
    struct holder holder;
    struct bytes answer;
    int64_t now = CLOCK_HOUR;
    const struct clock clock = {.monotonic = slow_clock, .context = &now};
    static const struct key_line_limits limits = {.timeout = CLOCK_HOUR,
                                                  .pause = CLOCK_SECOND,
                                                  .pause_max = CLOCK_SECOND,
                                                  .waiting = 450 * CLOCK_MILLISECOND};
    struct key_line_counters counters;
    struct key_line *line = key_line_new(&limits, &clock);
    start_holder(&holder, line, echo);
    unsigned answered = 0;
    for (int i = 0; i < 100; i++)
        answered += ask(line, "what", &answer);
    key_line_counters(line, &counters);
    assert_int_equal(counters.answered, answered);
    assert_true(answered > 0 && counters.skipped > 0);
    assert_int_equal(counters.timed_out, 0);
    key_line_destroy(&line);
    pthread_join(holder.thread, NULL);
}

static void who_does_not_read_is_not_waited_for_long(void **state)
{
    (void)state;
    int ends[2];
    struct key_line_counters counters;
    struct key_line *line = key_line_new(&hasty, clock_system());
    char *large = malloc(60001);
    memset(large, 'x', 60000);
    large[60000] = '\0';
    assert_true(line_pair(ends));
    key_line_connect(line, ends[0]);
    for (int i = 0; i < 200; i++)
        tell(line, large);
    key_line_counters(line, &counters);
    assert_true(counters.untold > 0);
    key_line_destroy(&line);
    close(ends[1]);
    free(large);
}

/* --- the dead --- */

static bool die(struct holder *holder, struct line_packet *packet)
{
    (void)holder;
    (void)packet;
    return false;
}

static void who_died_is_not_waited_for(void **state)
{
    (void)state;
    struct holder holder;
    struct bytes answer;
    struct key_line_counters counters;
    struct key_line *line = key_line_new(&patient, clock_system());
    start_holder(&holder, line, die);
    assert_false(ask(line, "what", &answer)); /* in less than half a minute */
    pthread_join(holder.thread, NULL);
    assert_false(ask(line, "what", &answer));
    key_line_counters(line, &counters);
    assert_int_equal(counters.lost, 2);
    assert_int_equal(counters.timed_out, 0);
    /* And when it died between two questions. */
    int ends[2];
    assert_true(line_pair(ends));
    key_line_connect(line, ends[0]);
    close(ends[1]);
    assert_false(ask(line, "what", &answer));
    /* What waited for the dead is not told to the next; a socket that nobody used is closed. */
    assert_true(line_pair(ends));
    key_line_connect(line, ends[0]);
    tell(line, "old");
    int unused[2];
    assert_true(line_pair(unused));
    key_line_connect(line, unused[0]);
    start_holder(&holder, line, echo);
    assert_true(ask(line, "new", &answer));
    char byte;
    assert_int_equal(recv(unused[1], &byte, 1, 0), 0);
    assert_int_equal(recv(ends[1], &byte, 1, 0), 0);
    key_line_destroy(&line);
    pthread_join(holder.thread, NULL);
    assert_string_equal(holder.log, "new;");
    close(unused[1]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_told_goes_before_the_question),
        cmocka_unit_test(much_that_is_told_goes_by_itself),
        cmocka_unit_test(the_largest_request_is_answered),
        cmocka_unit_test(wrong_numbers_and_garbage_are_passed_over),
        cmocka_unit_test(who_is_silent_is_not_asked_for_a_while),
        cmocka_unit_test(the_first_answer_ends_the_pauses),
        cmocka_unit_test(late_answers_are_dropped),
        cmocka_unit_test(all_waiting_is_bounded),
        cmocka_unit_test(answers_that_come_slowly_use_it_up_too),
        cmocka_unit_test(who_does_not_read_is_not_waited_for_long),
        cmocka_unit_test(who_died_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
