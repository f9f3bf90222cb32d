/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/ip_fragments.h"
#include "tests/unit/packets.h"

#define SECOND INT64_C(1000000000)

static struct slab *slab;
static struct ip_fragments *fragments;
static uint64_t dropped;
static int64_t now;

static int set_up(void **state)
{
    (void)state;
    slab = slab_new((size_t)32 * 1024 * 1024);
    fragments = ip_fragments_new(slab, 42);
    dropped = 0;
    now = 1000 * SECOND;
    return slab && fragments ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    ip_fragments_destroy(&fragments);
    assert_int_equal(slab_stats(slab)->used, 0);
    slab_destroy(&slab);
    return 0;
}

static struct ip_datagram fragment(uint32_t id, const void *data, uint32_t size, uint32_t offset, bool more)
{
    return (struct ip_datagram){
        .version = 4,
        .protocol = IP_PROTOCOL_UDP,
        .fragment = true,
        .more_fragments = more,
        .source = (const uint8_t *)"\x0a\0\0\x01",
        .destination = (const uint8_t *)"\x0a\0\0\x02",
        .payload = data,
        .captured = size,
        .length = size,
        .fragment_id = id,
        .fragment_offset = offset,
    };
}

static enum ip_fragments_result add(struct ip_datagram *datagram)
{
    return ip_fragments_add(fragments, datagram, now, &dropped);
}

static enum ip_fragments_result add_text(uint32_t id, const char *text, uint32_t offset, bool more,
                                         struct ip_datagram *whole)
{
    *whole = fragment(id, text, (uint32_t)strlen(text), offset, more);
    return add(whole);
}

static void two_fragments_in_either_order(void **state)
{
    (void)state;
    struct ip_datagram whole;
    assert_int_equal(add_text(1, "abcdefgh", 0, true, &whole), IP_FRAGMENTS_HELD);
    assert_int_equal(add_text(2, "xyz", 8, false, &whole), IP_FRAGMENTS_HELD);
    assert_int_equal(add_text(1, "ij", 8, false, &whole), IP_FRAGMENTS_COMPLETE);
    assert_int_equal(whole.length, 10);
    assert_int_equal(whole.captured, 10);
    assert_false(whole.fragment);
    assert_memory_equal(whole.payload, "abcdefghij", 10);
    assert_memory_equal(whole.source, "\x0a\0\0\x01", 4);
    assert_int_equal(add_text(2, "ABCDEFGH", 0, true, &whole), IP_FRAGMENTS_COMPLETE);
    assert_memory_equal(whole.payload, "ABCDEFGHxyz", 11);
    assert_int_equal(dropped, 0);
}

static void overlaps_keep_the_first_copy(void **state)
{
    (void)state;
    struct ip_datagram whole;
    assert_int_equal(add_text(1, "BBBBBBBB", 8, true, &whole), IP_FRAGMENTS_HELD);
    assert_int_equal(add_text(1, "BBBBBBBB", 8, true, &whole), IP_FRAGMENTS_HELD);
    assert_int_equal(add_text(1, "aaaaaaaaaaaaaaaaaaaaaaaa", 0, true, &whole), IP_FRAGMENTS_HELD);
    assert_int_equal(add_text(1, "zz", 24, false, &whole), IP_FRAGMENTS_COMPLETE);
    assert_memory_equal(whole.payload, "aaaaaaaaBBBBBBBBaaaaaaaazz", 26);
}

static void unusable_fragments_are_dropped(void **state)
{
    (void)state;
    struct ip_datagram whole;
    assert_int_equal(add_text(1, "abc", 0, true, &whole), IP_FRAGMENTS_DROPPED); /* no multiple of 8 */
    assert_int_equal(add_text(1, "", 8, false, &whole), IP_FRAGMENTS_DROPPED);
    assert_int_equal(add_text(1, "ping of death", 65528, false, &whole), IP_FRAGMENTS_DROPPED);
    whole = fragment(1, "abcdefgh", 8, 0, true);
    whole.length = 100;
    assert_int_equal(add(&whole), IP_FRAGMENTS_DROPPED);
    /* The end lies before what came already. */
    assert_int_equal(add_text(3, "abcdefghabcdefgh", 0, true, &whole), IP_FRAGMENTS_HELD);
    assert_int_equal(add_text(3, "abcdefgh", 0, false, &whole), IP_FRAGMENTS_DROPPED);
    assert_int_equal(dropped, 1);
}

static void old_ones_are_dropped(void **state)
{
    (void)state;
    struct ip_datagram whole;
    assert_int_equal(add_text(1, "abcdefgh", 0, true, &whole), IP_FRAGMENTS_HELD);
    now += IP_FRAGMENTS_AGE + 1;
    assert_int_equal(add_text(1, "ij", 8, false, &whole), IP_FRAGMENTS_HELD);
    assert_int_equal(dropped, 1);
    ip_fragments_expire(fragments, now + IP_FRAGMENTS_AGE + 1, &dropped);
    assert_int_equal(dropped, 2);
    assert_int_equal(slab_stats(slab)->used, 0);
}

static void number_and_bytes_are_bounded(void **state)
{
    (void)state;
    static uint8_t bytes[60000];
    for (uint32_t id = 0; id < 4 * IP_FRAGMENTS_DATAGRAMS; id++) {
        struct ip_datagram part = fragment(id, bytes, 8, 0, true);
        assert_int_equal(add(&part), IP_FRAGMENTS_HELD);
    }
    assert_int_equal(dropped, 3 * IP_FRAGMENTS_DATAGRAMS);
    for (uint32_t id = 0; id < 1000; id++) {
        struct ip_datagram part = fragment(100000 + id, bytes, sizeof bytes, 0, true);
        assert_int_equal(add(&part), IP_FRAGMENTS_HELD);
        assert_true(slab_stats(slab)->used < IP_FRAGMENTS_BYTES * 3 / 2);
    }
    for (uint32_t i = 0; i < 3 * IP_FRAGMENTS_PIECES; i++) { /* many small ones, none adjoining */
        struct ip_datagram part = fragment(1, bytes, 8, 16 * (i % 4000), true);
        add(&part);
    }
}

static void ipv6_is_kept_apart(void **state)
{
    (void)state;
    struct ip_datagram whole;
    assert_int_equal(add_text(1, "abcdefgh", 0, true, &whole), IP_FRAGMENTS_HELD);
    struct ip_datagram part = fragment(1, "ij", 2, 8, false);
    part.version = 6;
    part.source = (const uint8_t *)"\x0a\0\0\x01zzzzzzzzzzzz";
    part.destination = (const uint8_t *)"\x0a\0\0\x02zzzzzzzzzzzz";
    assert_int_equal(add(&part), IP_FRAGMENTS_HELD);
    part = fragment(1, "ABCDEFGH", 8, 0, true);
    part.version = 6;
    part.source = (const uint8_t *)"\x0a\0\0\x01zzzzzzzzzzzz";
    part.destination = (const uint8_t *)"\x0a\0\0\x02zzzzzzzzzzzz";
    assert_int_equal(add(&part), IP_FRAGMENTS_COMPLETE);
    assert_memory_equal(part.payload, "ABCDEFGHij", 10);
}

/* Any order, with duplicates, gives the datagram. */
static void property_any_order(void **state)
{
    (void)state;
    for (uint64_t round = 1; round <= 200; round++) {
        uint64_t seed = round * 32452843;
        uint8_t bytes[8000];
        uint32_t size = 1 + random_next(&seed) % sizeof bytes, count = 0, order[1200];
        for (uint32_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)random_next(&seed);
        uint32_t step = 8 * (1 + random_next(&seed) % 100);
        for (uint32_t at = 0; at < size; at += step)
            order[count++] = at;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t other = random_next(&seed) % count, swap = order[i];
            order[i] = order[other];
            order[other] = swap;
        }
        for (uint32_t i = 0; i < count; i++) {
            uint32_t at = order[i], length = size - at < step ? size - at : step;
            struct ip_datagram part = fragment((uint32_t)round, bytes + at, length, at, at + length < size);
            if (i && random_next(&seed) % 3 == 0) {
                uint32_t again = order[random_next(&seed) % i];
                uint32_t more = size - again < step ? size - again : step;
                struct ip_datagram twice =
                    fragment((uint32_t)round, bytes + again, more, again, again + more < size);
                assert_int_equal(add(&twice), IP_FRAGMENTS_HELD);
            }
            assert_int_equal(add(&part), i + 1 < count ? IP_FRAGMENTS_HELD : IP_FRAGMENTS_COMPLETE);
            if (i + 1 == count) {
                assert_int_equal(part.length, size);
                assert_memory_equal(part.payload, bytes, size);
            }
        }
    }
    assert_int_equal(dropped, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_fragments_in_either_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(overlaps_keep_the_first_copy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unusable_fragments_are_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_ones_are_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(number_and_bytes_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ipv6_is_kept_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(property_any_order, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
