/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/ndr.h"
#include "tests/unit/rpc_session.h"

static struct ndr reader(const struct stub *s)
{
    return ndr_of((struct bytes){s->data, s->size}, s->form == RPC_BIG, s->form == RPC_NDR64);
}

static void integers_are_aligned_to_their_size(void **state)
{
    (void)state;
    for (int form = 0; form < RPC_FORMS; form++) {
        struct stub s = {.form = (enum rpc_form)form};
        stub8(&s, 1);
        stub16(&s, 0x0203);
        stub8(&s, 4);
        stub32(&s, 0x05060708);
        stub8(&s, 9);
        stub64(&s, 0x0a0b0c0d0e0f1011);
        stub_enum(&s, 7);
        stub_size(&s, 12);
        struct ndr n = reader(&s);
        assert_int_equal(ndr_u8(&n), 1);
        assert_int_equal(ndr_u16(&n), 0x0203);
        assert_int_equal(ndr_u8(&n), 4);
        assert_int_equal(ndr_u32(&n), 0x05060708);
        assert_int_equal(ndr_u8(&n), 9);
        assert_true(ndr_u64(&n) == 0x0a0b0c0d0e0f1011);
        assert_int_equal(ndr_enum(&n), 7);
        assert_int_equal(ndr_size(&n), 12);
        assert_false(ndr_failed(&n));
        assert_true(cursor_done(&n.cursor));
    }
}

static void strings_lose_their_zeroes(void **state)
{
    (void)state;
    for (int form = 0; form < RPC_FORMS; form++) {
        struct stub s = {.form = (enum rpc_form)form};
        stub_string16(&s, "abc");
        stub_pointer8(&s, "de");
        stub_pointer16(&s, NULL);
        stub_pointer8(&s, NULL);
        stub_unicode(&s, "x");
        stub_unicode_text(&s, "x");
        struct ndr n = reader(&s);
        struct bytes text = ndr_string16(&n);
        assert_int_equal(text.size, 6);
        assert_int_equal(text.data[form == RPC_BIG], 'a');
        text = ndr_string8_pointer(&n);
        assert_int_equal(text.size, 2);
        assert_memory_equal(text.data, "de", 2);
        assert_int_equal(ndr_string16_pointer(&n).size, 0);
        assert_int_equal(ndr_string8_pointer(&n).size, 0);
        assert_true(ndr_unicode_string(&n));
        assert_int_equal(ndr_string16(&n).size, 2);
        assert_false(ndr_failed(&n));
    }
}

static void a_string_that_was_cut_gives_what_is_there(void **state)
{
    (void)state;
    struct stub s = {0};
    stub_string16(&s, "abcdef");
    struct ndr n = ndr_of((struct bytes){s.data, 12 + 5}, false, false);
    struct bytes text = ndr_string16(&n);
    assert_int_equal(text.size, 4);
    assert_true(ndr_failed(&n));

    s.size = 0;
    stub32(&s, 100);
    stub_bytes(&s, "ab", 2);
    n = reader(&s);
    assert_int_equal(ndr_byte_array(&n).size, 2);
    assert_true(ndr_failed(&n));
}

static void counts_that_lie_cost_nothing(void **state)
{
    (void)state;
    struct stub s = {.form = RPC_NDR64};
    stub64(&s, UINT64_MAX);
    stub64(&s, 0);
    stub64(&s, UINT64_MAX);
    stub16(&s, 'x');
    struct ndr n = reader(&s);
    assert_int_equal(ndr_string16(&n).size, 2);
    assert_true(ndr_failed(&n));
    n = reader(&s);
    assert_int_equal(ndr_byte_array(&n).size, s.size - 8);
    n = reader(&s);
    assert_int_equal(ndr_sid(&n).size, 0);
    assert_true(ndr_failed(&n));
}

static void uuids_are_brought_into_one_order(void **state)
{
    (void)state;
    const uint8_t *samr = rpc_interface_uuid(RPC_SAMR);
    for (int form = 0; form < RPC_FORMS; form++) {
        struct stub s = {.form = (enum rpc_form)form};
        stub_uuid_bytes(&s, samr);
        struct ndr n = reader(&s);
        uint8_t uuid[16];
        ndr_uuid(&n, uuid);
        assert_memory_equal(uuid, samr, 16);
    }
}

static void handles_and_sids(void **state)
{
    (void)state;
    struct stub s = {0};
    stub_handle(&s, 0x22);
    stub_sid(&s, 544);
    struct ndr n = reader(&s);
    uint8_t handle[16];
    ndr_handle(&n, handle);
    assert_int_equal(handle[15], 0x22);
    struct bytes sid = ndr_sid(&n);
    assert_int_equal(sid.size, 16);
    assert_false(ndr_failed(&n));

    s.data[25] = 3; /* the SID's own count is another */
    n = reader(&s);
    ndr_handle(&n, handle);
    assert_int_equal(ndr_sid(&n).size, 0);
    assert_true(ndr_failed(&n));
}

static void past_the_end_everything_is_zero(void **state)
{
    (void)state;
    struct ndr n = ndr_of((struct bytes){(const uint8_t *)"", 0}, false, false);
    assert_int_equal(ndr_u8(&n), 0);
    assert_int_equal(ndr_u16(&n), 0);
    assert_int_equal(ndr_u64(&n), 0);
    assert_false(ndr_pointer(&n));
    uint8_t uuid[16] = {1};
    ndr_uuid(&n, uuid);
    assert_int_equal(uuid[0], 0);
    assert_true(ndr_failed(&n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_aligned_to_their_size),
        cmocka_unit_test(strings_lose_their_zeroes),
        cmocka_unit_test(a_string_that_was_cut_gives_what_is_there),
        cmocka_unit_test(counts_that_lie_cost_nothing),
        cmocka_unit_test(uuids_are_brought_into_one_order),
        cmocka_unit_test(handles_and_sids),
        cmocka_unit_test(past_the_end_everything_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
