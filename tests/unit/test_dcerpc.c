/* SPDX-License-Identifier: Apache-2.0
 *
 * Associations as the carrier of a pipe feeds them: pieces, fragments, binds, authentication, what is joined.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/dcerpc.h"
#include "capture/dcerpc_association.h"
#include "tests/unit/lone_dissect.h"
#include "tests/unit/rpc_stub.h"

static struct lone lone;
static struct dissect *d;
static struct dcerpc_association *a;

static int start(void **state)
{
    (void)state;
    d = lone_open(&lone, NULL, TRANSPORT_TCP);
    a = dcerpc_new(d, "smb", (struct bytes){(const uint8_t *)"svcctl", 6}, 1, "alice", "CORP");
    return a ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    dcerpc_end(d, &a);
    assert_null(a);
    assert_int_equal(lone_held(&lone), 0);
    lone_close(&lone);
    return 0;
}

/* The last argument's bytes in a block of their own. */
static void feed(enum direction direction, const void *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    d->direction = direction;
    dcerpc_feed(d, a, cursor_of(copy, size));
    free(copy);
    arena_reset(d->scratch);
    d->time += 1000000;
}

static struct pdu_form form = {.form = RPC_LITTLE};

static void send_pdu(enum direction direction, unsigned type, unsigned flags, const struct stub *body)
{
    uint8_t bytes[20000];
    size_t size = pdu_make(&form, bytes, type, flags, body);
    feed(direction, bytes, size);
}

static void bind(enum rpc_interface interface, uint16_t context, uint16_t result, uint16_t reason)
{
    struct stub b = {0};
    form.call_id++;
    stub_bind(&b, context, rpc_interface_uuid(interface));
    send_pdu(TO_SERVER, PDU_BIND, 3, &b);
    b.size = 0;
    stub_bind_ack(&b, result, reason);
    send_pdu(TO_CLIENT, PDU_BIND_ACK, 3, &b);
}

static void request(uint16_t context, uint16_t opnum, unsigned flags, const void *data, size_t size)
{
    struct stub b = {0};
    stub32(&b, 500);
    stub16(&b, context);
    stub16(&b, opnum);
    stub_bytes(&b, data, size);
    send_pdu(TO_SERVER, PDU_REQUEST, flags, &b);
}

static void response(uint16_t context, unsigned flags, const void *data, size_t size)
{
    struct stub b = {0};
    stub32(&b, (uint32_t)size);
    stub16(&b, context);
    stub16(&b, 0);
    stub_bytes(&b, data, size);
    send_pdu(TO_CLIENT, PDU_RESPONSE, flags, &b);
}

static const char *text_of(enum activity_kind kind, size_t n, enum activity_field field)
{
    return lone_text(lone_find(&lone, kind, n), field);
}

static void a_bind_tells_what_was_accepted(void **state)
{
    (void)state;
    bind(RPC_SVCCTL, 0, 0, 0);
    bind(RPC_EFSRPC_LSA, 1, 2, 1);
    assert_int_equal(lone_count(&lone, ACTIVITY_RPC_BIND), 2);
    assert_string_equal(text_of(ACTIVITY_RPC_BIND, 0, FIELD_RPC_ACCEPTED), "svcctl");
    assert_string_equal(text_of(ACTIVITY_RPC_BIND, 0, FIELD_STATUS), "0");
    assert_string_equal(text_of(ACTIVITY_RPC_BIND, 0, FIELD_RPC_PIPE), "svcctl");
    assert_string_equal(text_of(ACTIVITY_RPC_BIND, 0, FIELD_ACCOUNT), "alice");
    assert_string_equal(text_of(ACTIVITY_RPC_BIND, 0, FIELD_ACCOUNT_DOMAIN), "CORP");
    assert_string_equal(text_of(ACTIVITY_RPC_BIND, 0, FIELD_CARRIER), "smb");
    assert_string_equal(text_of(ACTIVITY_RPC_BIND, 1, FIELD_RPC_INTERFACES), "efsrpc(lsarpc)");
    assert_string_equal(text_of(ACTIVITY_RPC_BIND, 1, FIELD_RPC_REJECT_REASON), "1");
    assert_string_equal(text_of(ACTIVITY_RPC_BIND, 1, FIELD_STATUS), "");
    assert_int_equal(lone.counts.dcerpc_pdus[PDU_BIND], 2);
    assert_int_equal(lone.counts.dcerpc_pdus[PDU_BIND_ACK], 2);
}

static void a_bind_may_be_refused_as_a_whole(void **state)
{
    (void)state;
    struct stub b = {0};
    form.call_id++;
    stub_bind(&b, 0, rpc_interface_uuid(RPC_DRSUAPI));
    send_pdu(TO_SERVER, PDU_BIND, 3, &b);
    b.size = 0;
    stub16(&b, 8);
    stub_zero(&b, 4);
    send_pdu(TO_CLIENT, PDU_BIND_NAK, 3, &b);
    assert_string_equal(text_of(ACTIVITY_RPC_BIND, 0, FIELD_RPC_REJECT_REASON), "8");
}

static void many_contexts_are_kept(void **state)
{
    (void)state;
    for (uint16_t i = 0; i < 300; i++)
        bind(i % 2 ? RPC_SAMR : RPC_SVCCTL, i, 0, 0);
    assert_int_equal(dcerpc_context(a, 255)->interface, RPC_SAMR);
    assert_null(dcerpc_context(a, 256));
}

static void pdus_come_in_any_pieces(void **state)
{
    (void)state;
    bind(RPC_SVCCTL, 0, 0, 0);
    uint8_t bytes[1000];
    struct stub b = {0};
    stub32(&b, 20);
    stub16(&b, 0);
    stub16(&b, 2);
    stub_handle(&b, 0x11);
    form.call_id++;
    size_t size = pdu_make(&form, bytes, PDU_REQUEST, 3, &b);
    for (size_t step = 1; step < size; step++) {
        size_t before = lone.counts.dcerpc_pdus[PDU_REQUEST];
        for (size_t at = 0; at < size; at += step)
            feed(TO_SERVER, bytes + at, step < size - at ? step : size - at);
        assert_int_equal(lone.counts.dcerpc_pdus[PDU_REQUEST], before + 1);
    }
    /* Two and a half at once, then the rest. */
    uint8_t three[3000];
    for (size_t i = 0; i < 3; i++)
        memcpy(three + i * size, bytes, size);
    size_t before = lone.counts.dcerpc_pdus[PDU_REQUEST];
    feed(TO_SERVER, three, 5 * size / 2);
    assert_int_equal(lone.counts.dcerpc_pdus[PDU_REQUEST], before + 2);
    feed(TO_SERVER, three + 5 * size / 2, 3 * size - 5 * size / 2);
    assert_int_equal(lone.counts.dcerpc_pdus[PDU_REQUEST], before + 3);
    assert_int_equal(lone_sum(lone.malformed), 0);
}

static void what_is_lost_is_found_again(void **state)
{
    (void)state;
    bind(RPC_SVCCTL, 0, 0, 0);
    uint8_t handle[20] = {0};
    uint8_t bytes[1000];
    struct stub b = {0};
    stub_zero(&b, 28);
    size_t size = pdu_make(&form, bytes, PDU_REQUEST, 3, &b);
    feed(TO_SERVER, bytes, 30);
    dcerpc_gap(d, a);
    feed(TO_SERVER, bytes + 30, size - 30); /* the end of one that was lost: no PDU */
    assert_int_equal(lone.counts.dcerpc_pdus[PDU_REQUEST], 0);
    request(0, 2, 3, handle, sizeof handle);
    assert_int_equal(lone.counts.dcerpc_pdus[PDU_REQUEST], 1);
    assert_int_equal(lone_sum(lone.malformed), 0);
    feed(TO_SERVER, "garbage, more than a header of it", 33);
    assert_int_equal(lone_sum(lone.malformed), 1);
    feed(TO_SERVER, "short", 5); /* dropped on the way to the next PDU, or completed to no PDU */
    feed(TO_SERVER, "garbage, garbage", 16);
    request(0, 2, 3, handle, sizeof handle);
    assert_int_equal(lone.counts.dcerpc_pdus[PDU_REQUEST], 2);
}

static void a_message_that_was_not_captured_whole_is_read_as_far_as_it_goes(void **state)
{
    (void)state;
    uint8_t bytes[1000];
    struct stub b = {0};
    stub32(&b, 20);
    stub16(&b, 0);
    stub16(&b, 2);
    stub_handle(&b, 0x11);
    for (size_t cut = 0; cut < 44; cut++) {
        size_t before = lone_sum(lone.counted);
        size_t counted = lone.counts.dcerpc_pdus[PDU_REQUEST];
        form.call_id++;
        size_t size = pdu_make(&form, bytes, PDU_REQUEST, 3, &b);
        d->truncated = cut != 0;
        feed(TO_SERVER, bytes, size - cut);
        d->truncated = false;
        dcerpc_gap(d, a);
        assert_int_equal(lone_sum(lone.counted), before + (size - cut >= 16));
        assert_int_equal(lone.counts.dcerpc_pdus[PDU_REQUEST], counted + !cut);
    }
    assert_int_equal(lone_sum(lone.malformed), 0);
}

static void requests_in_fragments_are_put_together(void **state)
{
    (void)state;
    bind(RPC_SVCCTL, 0, 0, 0);
    struct stub stub = {0};
    stub_handle(&stub, 0x11);
    stub_string16(&stub, "PSEXESVC");
    stub_pointer16(&stub, NULL);
    for (int i = 0; i < 4; i++)
        stub32(&stub, 3);
    stub_string16(&stub, "%SystemRoot%\\PSEXESVC.exe");
    form.call_id++;
    for (size_t at = 0; at < stub.size; at += 20) {
        size_t part = stub.size - at < 20 ? stub.size - at : 20;
        unsigned flags = (at == 0 ? 1u : 0u) | (at + part == stub.size ? 2u : 0u);
        request(0, 12, flags, stub.data + at, part);
    }
    response(0, 3, "\5\0\0\0", 4);
    assert_int_equal(lone_count(&lone, ACTIVITY_SERVICE_CONTROL), 1);
    assert_string_equal(text_of(ACTIVITY_SERVICE_CONTROL, 0, FIELD_SERVICE_NAME), "PSEXESVC");
    assert_string_equal(text_of(ACTIVITY_SERVICE_CONTROL, 0, FIELD_SERVICE_BINARY),
                        "%SystemRoot%\\PSEXESVC.exe");
    assert_string_equal(text_of(ACTIVITY_SERVICE_CONTROL, 0, FIELD_STATUS), "5");
    assert_int_equal(lone.counts.dcerpc_pdus[PDU_REQUEST], 1);
    assert_true(lone.counts.dcerpc_later_fragments > 3);
}

static void responses_in_fragments_end_with_the_status(void **state)
{
    (void)state;
    bind(RPC_SAMR, 0, 0, 0);
    struct stub stub = {0};
    stub_handle(&stub, 0x11);
    stub_zero(&stub, 12);
    form.call_id++;
    request(0, 13, 3, stub.data, stub.size);
    uint8_t part[40] = {0};
    response(0, 1, part, 40);
    response(0, 0, part, 40);
    part[32] = 61;
    part[37] = 1;
    part[36] = 5;
    response(0, 2, part, 40);
    assert_string_equal(text_of(ACTIVITY_SAMR_QUERY, 0, FIELD_RPC_COUNT), "61");
    assert_string_equal(text_of(ACTIVITY_SAMR_QUERY, 0, FIELD_STATUS), "261");
    assert_int_equal(lone.counts.dcerpc_pdus[PDU_RESPONSE], 1);
}

static void chatter_is_joined(void **state)
{
    (void)state;
    bind(RPC_SAMR, 0, 0, 0);
    for (int i = 0; i < 1000; i++) {
        struct stub stub = {0};
        stub_handle(&stub, 0x11);
        form.call_id++;
        request(0, 1, 3, stub.data, stub.size);
        response(0, 3, i == 500 ? "\5\0\0\0" : "\0\0\0\0", 4);
    }
    assert_int_equal(lone_count(&lone, ACTIVITY_RPC_CALL), 1);
    dcerpc_end(d, &a);
    assert_int_equal(lone_count(&lone, ACTIVITY_RPC_CALL), 2);
    assert_string_equal(text_of(ACTIVITY_RPC_CALL, 0, FIELD_RPC_OPERATION), "SamrCloseHandle");
    assert_string_equal(text_of(ACTIVITY_RPC_CALL, 0, FIELD_RPC_CALLS), "");
    assert_string_equal(text_of(ACTIVITY_RPC_CALL, 1, FIELD_RPC_CALLS), "999");
    assert_string_equal(text_of(ACTIVITY_RPC_CALL, 1, FIELD_RPC_REQUEST_BYTES), "19980");
    assert_string_equal(text_of(ACTIVITY_RPC_CALL, 1, FIELD_RPC_REPLY_BYTES), "3996");
    assert_string_equal(text_of(ACTIVITY_RPC_CALL, 1, FIELD_STATUS), "5");
}

static void chatter_that_goes_on_is_told_every_minute(void **state)
{
    (void)state;
    bind(RPC_SAMR, 0, 0, 0);
    for (int i = 0; i < 100; i++) {
        form.call_id++;
        request(0, 1, 3, "", 0);
        d->time += INT64_C(10000000000);
    }
    size_t count = lone_count(&lone, ACTIVITY_RPC_CALL);
    assert_true(count > 10 && count < 20);
}

static void many_operations_take_turns(void **state)
{
    (void)state;
    bind(RPC_WEBDAVCLIENT, 0, 0, 0);
    for (int round = 0; round < 3; round++)
        for (uint16_t opnum = 0; opnum < 50; opnum++) {
            form.call_id++;
            request(0, opnum, 3, "", 0);
            response(0, 3, "\0\0\0\0", 4);
        }
    size_t before = lone.emitted;
    dcerpc_end(d, &a);
    assert_true(lone.emitted >= before);
    uint64_t requests = 0;
    for (size_t i = 0; i < RPC_COUNTS; i++)
        requests += lone.counts.rpc[i].count;
    assert_int_equal(requests, 150);
}

static void more_requests_than_are_remembered(void **state)
{
    (void)state;
    bind(RPC_SVCCTL, 0, 0, 0);
    uint32_t first = form.call_id + 1;
    for (int i = 0; i < 40; i++) {
        form.call_id++;
        request(0, 2, 3, "", 0);
    }
    form.call_id = first; /* forgotten; its activity waits for the engine */
    response(0, 3, "\0\0\0\0", 4);
    assert_int_equal(lone_count(&lone, ACTIVITY_SERVICE_CONTROL), 0);
    form.call_id = first + 39;
    response(0, 3, "\0\0\0\0", 4);
    assert_int_equal(lone_count(&lone, ACTIVITY_SERVICE_CONTROL), 1);
}

static void faults_have_their_own_codes(void **state)
{
    (void)state;
    bind(RPC_SVCCTL, 0, 0, 0);
    for (int i = 0; i < 2; i++) {
        form.call_id++;
        request(0, i ? 6 : 2, 3, "", 0);
        struct stub b = {0};
        stub_zero(&b, 8);
        stub32(&b, 5);
        stub32(&b, 0);
        send_pdu(TO_CLIENT, PDU_FAULT, 3, &b);
    }
    assert_string_equal(text_of(ACTIVITY_SERVICE_CONTROL, 0, FIELD_RPC_FAULT), "true");
    assert_string_equal(text_of(ACTIVITY_SERVICE_CONTROL, 0, FIELD_STATUS), "5");
    assert_int_equal(lone.counts.dcerpc_pdus[PDU_FAULT], 2);
    form.call_id++;
    request(0, 6, 3, "", 0);
    struct stub b = {0};
    stub_zero(&b, 8);
    stub32(&b, 0x1c010003);
    send_pdu(TO_CLIENT, PDU_FAULT, 3, &b);
    dcerpc_end(d, &a);
    assert_string_equal(text_of(ACTIVITY_RPC_CALL, 1, FIELD_STATUS), "469827587");
}

static void sealed_calls_show_their_operation_only(void **state)
{
    (void)state;
    form.auth_type = 10;
    form.auth_level = 6;
    bind(RPC_SVCCTL, 0, 0, 0);
    for (int i = 0; i < 10; i++) {
        form.call_id++;
        request(0, 12, 3, "0123456789012345678901234567890123456789", 40);
        response(0, 3, "0123456789012345", 16);
    }
    form.auth_level = form.auth_type = 0;
    assert_int_equal(lone_sum(lone.sealed), 20);
    assert_int_equal(lone_count(&lone, ACTIVITY_SERVICE_CONTROL), 4);
    assert_string_equal(text_of(ACTIVITY_SERVICE_CONTROL, 0, FIELD_SEALED), "true");
    assert_string_equal(text_of(ACTIVITY_SERVICE_CONTROL, 0, FIELD_STATUS), "");
    assert_string_equal(text_of(ACTIVITY_SERVICE_CONTROL, 0, FIELD_RPC_AUTH_LEVEL), "6");
    dcerpc_end(d, &a);
    assert_int_equal(lone_count(&lone, ACTIVITY_SERVICE_CONTROL), 5);
    assert_string_equal(text_of(ACTIVITY_SERVICE_CONTROL, 4, FIELD_RPC_CALLS), "6");
    assert_string_equal(text_of(ACTIVITY_SERVICE_CONTROL, 4, FIELD_SEALED), "true");
}

static void each_call_has_its_own_level(void **state)
{
    (void)state;
    form.auth_type = 10;
    form.auth_level = 6;
    bind(RPC_SVCCTL, 0, 0, 0);
    form.auth_level = 5;
    bind(RPC_SVCCTL, 0, 0, 0);
    assert_true(a->levels_differ);
    static const uint8_t levels[] = {6, 5, 0};
    for (int i = 0; i < 3; i++) {
        form.auth_level = levels[i];
        form.call_id++;
        request(0, 2, 3, "01234567890123456789", 20);
        response(0, 3, "\0\0\0\0", 4);
    }
    form.auth_level = form.auth_type = 0;
    static const char *const expected[][3] = {{"6", "true", ""}, {"5", "", "0"}, {"1", "", "0"}};
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(text_of(ACTIVITY_SERVICE_CONTROL, i, FIELD_RPC_AUTH_LEVEL), expected[i][0]);
        assert_string_equal(text_of(ACTIVITY_SERVICE_CONTROL, i, FIELD_SEALED), expected[i][1]);
        assert_string_equal(text_of(ACTIVITY_SERVICE_CONTROL, i, FIELD_STATUS), expected[i][2]);
    }
}

static void the_pipe_tells_the_interface_when_the_bind_was_not_seen(void **state)
{
    (void)state;
    form.call_id++;
    request(0, 2, 3, "01234567890123456789", 20);
    response(0, 3, "\0\0\0\0", 4);
    assert_string_equal(text_of(ACTIVITY_SERVICE_CONTROL, 0, FIELD_RPC_OPERATION), "RDeleteService");
    assert_int_equal(lone.counts.rpc[0].known + lone.counts.rpc_lost, 0);
}

static void pipes_of_a_flow_know_of_each_other(void **state)
{
    (void)state;
    struct dcerpc_shared *shared = NULL;
    dcerpc_share(a, &shared);
    bind(RPC_SAMR, 7, 0, 0);
    struct dcerpc_association *other = dcerpc_new(d, "smb", (struct bytes){0}, 2, NULL, NULL);
    assert_null(dcerpc_context(other, 7));
    dcerpc_share(other, &shared);
    assert_int_equal(dcerpc_context(other, 7)->interface, RPC_SAMR);
    assert_null(dcerpc_context(other, 8));
    dcerpc_end(d, &other);
    dissect_free(d, shared, sizeof *shared);
}

static void the_secure_channel_names_its_machine(void **state)
{
    (void)state;
    struct stub b = {0};
    form.call_id++;
    stub_bind(&b, 0, rpc_interface_uuid(RPC_NETLOGON));
    uint8_t bytes[1000];
    static const uint8_t message[] = "\0\0\0\0\3\0\0\0CORP\0WS1";
    form.auth_type = 68;
    form.auth_level = 6;
    form.token = message;
    form.token_size = sizeof message;
    size_t size = pdu_make(&form, bytes, PDU_BIND, 3, &b);
    form.token = NULL;
    form.auth_level = form.auth_type = 0;
    feed(TO_SERVER, bytes, size);
    b.size = 0;
    stub_bind_ack(&b, 0, 0);
    send_pdu(TO_CLIENT, PDU_BIND_ACK, 3, &b);
    assert_string_equal(text_of(ACTIVITY_RPC_BIND, 0, FIELD_WORKSTATION), "WS1");
    assert_string_equal(text_of(ACTIVITY_RPC_BIND, 0, FIELD_RPC_AUTH_TYPE), "68");
}

static void without_memory_messages_are_still_counted(void **state)
{
    (void)state;
    bind(RPC_SVCCTL, 0, 0, 0);
    for (size_t left = 0; left < 12; left++) {
        struct dcerpc_association *kept = a;
        lone.blocks_left = left + 1;
        a = dcerpc_new(d, NULL, (struct bytes){(const uint8_t *)"samr", 4}, left, NULL, NULL);
        assert_non_null(a);
        bind(RPC_SAMR, 0, 0, 0);
        form.call_id++;
        request(0, 19, 1, "01234567890123456789012345678901", 32);
        request(0, 19, 2, "01234567890123456789012345678901", 32);
        response(0, 3, "\0\0\0\0", 4);
        dcerpc_end(d, &a);
        a = kept;
    }
    lone.blocks_left = SIZE_MAX;
    assert_true(lone.counts.dcerpc_pdus[PDU_REQUEST] >= 8);
}

static void only_pdus_are_taken_for_pdus(void **state)
{
    (void)state;
    uint8_t head[16] = {5, 0, 0, 3, 0x10, 0, 0, 0, 16};
    assert_true(dcerpc_is_pdu((struct bytes){head, 16}));
    assert_false(dcerpc_is_pdu((struct bytes){head, 15}));
    static const struct {
        uint8_t at, value;
    } wrong[] = {{0, 4}, {1, 2}, {2, 20}, {4, 0x12}, {5, 4}, {8, 15}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t bad[16];
        memcpy(bad, head, 16);
        bad[wrong[i].at] = wrong[i].value;
        assert_false(dcerpc_is_pdu((struct bytes){bad, 16}));
    }
    uint8_t big[16] = {5, 0, 0, 3, 0, 0, 0, 0, 0, 16};
    assert_true(dcerpc_is_pdu((struct bytes){big, 16}));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_bind_tells_what_was_accepted),
        TEST(a_bind_may_be_refused_as_a_whole),
        TEST(many_contexts_are_kept),
        TEST(pdus_come_in_any_pieces),
        TEST(what_is_lost_is_found_again),
        TEST(a_message_that_was_not_captured_whole_is_read_as_far_as_it_goes),
        TEST(requests_in_fragments_are_put_together),
        TEST(responses_in_fragments_end_with_the_status),
        TEST(chatter_is_joined),
        TEST(chatter_that_goes_on_is_told_every_minute),
        TEST(many_operations_take_turns),
        TEST(more_requests_than_are_remembered),
        TEST(faults_have_their_own_codes),
        TEST(sealed_calls_show_their_operation_only),
        TEST(each_call_has_its_own_level),
        TEST(the_pipe_tells_the_interface_when_the_bind_was_not_seen),
        TEST(pipes_of_a_flow_know_of_each_other),
        TEST(the_secure_channel_names_its_machine),
        TEST(without_memory_messages_are_still_counted),
        TEST(only_pdus_are_taken_for_pdus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
