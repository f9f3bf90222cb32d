/* SPDX-License-Identifier: Apache-2.0
 *
 * What is said over the sockets of the holder of keys: packets, orders, reports, descriptors.
 */
#include "base/endian.h"
#include "keys/line.h"
#include "keys/order.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static size_t put_request(uint8_t *to, const char *text, uint32_t announced)
{
    endian_put_be32(to, announced);
    memcpy(to + 4, text, strlen(text));
    return 4 + strlen(text);
}

static void requests_come_in_order(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct line_packet packet;
    struct bytes request;
    bool last;
    size_t size = 4;
    endian_put_be32(bytes, 77);
    size += put_request(bytes + size, "told", 4);
    size += put_request(bytes + size, "question", 8);
    assert_true(line_packet_read(&packet, (struct bytes){bytes, size}));
    assert_int_equal(packet.number, 77);
    assert_true(line_packet_next(&packet, &request, &last));
    assert_int_equal(request.size, 4);
    assert_memory_equal(request.data, "told", 4);
    assert_false(last);
    assert_true(line_packet_next(&packet, &request, &last));
    assert_int_equal(request.size, 8);
    assert_true(last);
    assert_false(line_packet_next(&packet, &request, &last));
    /* Cut anywhere it is no packet, or one of its first request. */
    for (size_t cut = 0; cut < size; cut++)
        assert_int_equal(line_packet_read(&packet, (struct bytes){bytes, cut}), cut == 12);
}

static void other_packets_are_none(void **state)
{
    (void)state;
    uint8_t bytes[64] = {0};
    struct line_packet packet;
    assert_false(line_packet_read(&packet, (struct bytes){bytes, 8})); /* an empty request */
    size_t size = 4 + put_request(bytes + 4, "abc", 0xffffffff);
    assert_false(line_packet_read(&packet, (struct bytes){bytes, size}));
    put_request(bytes + 4, "abc", 4);
    assert_false(line_packet_read(&packet, (struct bytes){bytes, size}));
    put_request(bytes + 4, "abc", 2);
    assert_false(line_packet_read(&packet, (struct bytes){bytes, size}));
}

static void answers_bear_numbers(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0, 0, 1, 2, 'x'};
    struct bytes answer;
    uint32_t number;
    assert_true(line_answer_read(&number, &answer, (struct bytes){bytes, 5}));
    assert_int_equal(number, 258);
    assert_int_equal(answer.size, 1);
    assert_true(line_answer_read(&number, &answer, (struct bytes){bytes, 4}));
    assert_int_equal(answer.size, 0);
    assert_false(line_answer_read(&number, &answer, (struct bytes){bytes, 3}));
}

static void the_largest_packet_fits(void **state)
{
    (void)state;
    int ends[2];
    uint8_t *large = calloc(1, LINE_PACKET_MAX + 1);
    assert_non_null(large);
    assert_true(line_pair(ends));
    assert_true(line_send(ends[0], (struct bytes){large, LINE_PACKET_MAX}, -1));
    int descriptor;
    assert_int_equal(line_receive(ends[1], large, LINE_PACKET_MAX, &descriptor), LINE_PACKET_MAX);
    assert_int_equal(descriptor, -1);
    assert_int_equal(line_receive(ends[1], large, 1, &descriptor), -1);
    assert_int_equal(errno, EAGAIN);
    free(large);
    close(ends[0]);
    close(ends[1]);
}

static void descriptors_pass_one_at_a_time(void **state)
{
    (void)state;
    int ends[2], other[2], descriptor;
    uint8_t buffer[16];
    assert_true(line_pair(ends));
    assert_int_equal(pipe(other), 0);
    assert_true(line_send(ends[0], (struct bytes){(const uint8_t *)"ab", 2}, other[1]));
    assert_int_equal(line_receive(ends[1], buffer, sizeof(buffer), &descriptor), 2);
    assert_true(descriptor >= 0);
    assert_true(fcntl(descriptor, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write(descriptor, "x", 1), 1);
    assert_int_equal(read(other[0], buffer, 1), 1);
    close(descriptor);
    /* Three in one message: one is kept, nothing leaks. */
    int three[3] = {other[0], other[1], other[1]};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(three))];
    } control = {0};
    struct iovec vector = {.iov_base = buffer, .iov_len = 1};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof(control.room)};
    control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(three)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), three, sizeof(three));
    assert_int_equal(sendmsg(ends[0], &message, 0), 1);
    int before = dup(0);
    close(before);
    assert_int_equal(line_receive(ends[1], buffer, sizeof(buffer), &descriptor), 1);
    assert_int_equal(descriptor, before);
    close(descriptor);
    int after = dup(0);
    assert_int_equal(after, before);
    close(after);
    /* With a message that is too large none is taken. */
    assert_true(line_send(ends[0], (struct bytes){(const uint8_t *)"abc", 3}, other[1]));
    assert_int_equal(line_receive(ends[1], buffer, 2, &descriptor), -1);
    assert_int_equal(errno, EMSGSIZE);
    assert_int_equal(descriptor, -1);
    close(ends[0]);
    assert_int_equal(line_receive(ends[1], buffer, sizeof(buffer), &descriptor), 0);
    assert_false(line_send(ends[1], (struct bytes){(const uint8_t *)"a", 1}, -1));
    assert_int_equal(errno, EPIPE);
    close(ends[1]);
    close(other[0]);
    close(other[1]);
}

static void orders_are_read_as_written(void **state)
{
    (void)state;
    static struct order order, read;
    uint8_t buffer[ORDER_MAX];
    order = (struct order){.kind = ORDER_KEYTAB, .number = 7, .index = 3};
    memset(order.name, 'n', sizeof(order.name) - 1);
    struct bytes bytes = order_write(&order, buffer);
    assert_true(bytes.size > sizeof(order.name));
    assert_true(order_read(&read, bytes));
    assert_memory_equal(&order, &read, sizeof(order));
    for (size_t cut = 0; cut < bytes.size; cut++)
        assert_false(order_read(&read, (struct bytes){bytes.data, cut}));
    order.kind = (enum order_kind)9;
    assert_false(order_read(&read, order_write(&order, buffer)));
    order.kind = (enum order_kind)0;
    assert_false(order_read(&read, order_write(&order, buffer)));
}

static void check_report(const struct order_report *report)
{
    static struct order_report read;
    uint8_t buffer[ORDER_REPORT_MAX];
    struct bytes bytes = order_report_write(report, buffer);
    assert_true(bytes.size > 0);
    assert_true(order_report_read(&read, bytes));
    assert_memory_equal(report, &read, sizeof(read));
    for (size_t cut = 0; cut < bytes.size; cut++)
        assert_false(order_report_read(&read, (struct bytes){bytes.data, cut}));
}

static void reports_are_read_as_written(void **state)
{
    (void)state;
    static struct order_report report;
    memset(&report, 0, sizeof(report));
    report.kind = ORDER_KEYTAB;
    report.number = 1u << 31;
    report.fine = true;
    strcpy(report.text, "damaged at byte 17");
    check_report(&report);

    memset(&report, 0, sizeof(report));
    report.kind = ORDER_STATUS;
    report.status.keytabs = 1;
    report.status.keys = 2;
    report.status.refused = 3;
    report.status.tickets = 4;
    report.status.contexts = 5;
    report.status.asked = 6;
    report.status.unsealed = 7;
    report.status.missing = 8;
    report.status.other_kvno = 9;
    report.status.wrong = 10;
    report.status.refused_etype = UINT64_MAX;
    report.sandbox = 3;
    report.cpu = 11;
    report.memory = 12;
    check_report(&report);

    memset(&report, 0, sizeof(report));
    report.kind = ORDER_COMPLAINTS;
    report.complaint_count = ORDER_COMPLAINTS_MAX;
    for (uint32_t i = 0; i < ORDER_COMPLAINTS_MAX; i++) {
        struct key_holder_complaint *c = &report.complaints[i];
        c->result = UNSEAL_OTHER_KVNO;
        c->etype = i % 2 ? -128 : 23;
        c->kvno = i;
        c->kvno_held = i + 1;
        c->times = UINT64_MAX;
        memset(c->principal, 'p', sizeof(c->principal) - 1);
    }
    check_report(&report);
    struct order_report *more = &report;
    more->complaints[0].etype = INT32_MIN;
    check_report(more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_come_in_order),         cmocka_unit_test(other_packets_are_none),
        cmocka_unit_test(answers_bear_numbers),           cmocka_unit_test(the_largest_packet_fits),
        cmocka_unit_test(descriptors_pass_one_at_a_time), cmocka_unit_test(orders_are_read_as_written),
        cmocka_unit_test(reports_are_read_as_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
