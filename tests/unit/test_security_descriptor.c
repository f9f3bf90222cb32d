/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/security_descriptor.h"

#include "tests/unit/unit.h"

#include <stdlib.h>

/* O:S-1-5-32-544 G:S-1-5-18 D:PAI, allow mask 0x10 to Everyone (CI), deny object, allow object with both
 * types, an audit ACE that is passed over. Owner at 20, group at 36, DACL of 8 + 20 + 40 + 56 + 8 bytes at
 * 48, its entries at 56, 76, 116 and 172. */
static const uint8_t descriptor_bytes[] = {
    1,    0,    0x04, 0x94, 20,   0,    0,    0,    36,   0,    0,    0,    0,    0,    0,    0,    48,
    0,    0,    0,    1,    2,    0,    0,    0,    0,    0,    5,    32,   0,    0,    0,    32,   2,
    0,    0,    1,    1,    0,    0,    0,    0,    0,    5,    18,   0,    0,    0,    4,    0,    132,
    0,    4,    0,    0,    0,    0,    2,    20,   0,    0x10, 0,    0,    0,    1,    1,    0,    0,
    0,    0,    0,    1,    0,    0,    0,    0,    6,    0,    40,   0,    0,    1,    0,    0,    1,
    0,    0,    0,    0x33, 0x22, 0x11, 0,    0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd,
    0xee, 0xff, 1,    1,    0,    0,    0,    0,    0,    5,    11,   0,    0,    0,    5,    0,    56,
    0,    0,    1,    0,    0,    3,    0,    0,    0,    0x33, 0x22, 0x11, 0,    0x55, 0x44, 0x77, 0x66,
    0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x33, 0x22, 0x11, 0,    0x55, 0x44, 0x77, 0x66, 0x88,
    0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 1,    1,    0,    0,    0,    0,    0,    5,    11,   0,
    0,    0,    2,    0,    8,    0,    0,    0,    0,    0};

static const struct bytes whole = {descriptor_bytes, sizeof descriptor_bytes};

static void reads_all(void **state)
{
    (void)state;
    struct security_descriptor descriptor;
    struct ace ace;
    assert_true(security_descriptor_read(whole, &descriptor));
    assert_int_equal(descriptor.owner.size, 16);
    assert_int_equal(descriptor.group.size, 12);
    assert_true(descriptor.has_dacl);
    struct security_descriptor walk = descriptor;
    assert_true(security_descriptor_next(&walk, &ace));
    assert_true(ace.effect == ACE_ALLOW && ace.mask == 0x10 && !ace.has_object_type && ace.sid.size == 12);
    assert_true(security_descriptor_next(&walk, &ace));
    assert_true(ace.effect == ACE_DENY && ace.has_object_type && !ace.has_inherited_type);
    assert_true(security_descriptor_next(&walk, &ace));
    assert_true(ace.effect == ACE_ALLOW && ace.has_object_type && ace.has_inherited_type);
    assert_true(security_descriptor_next(&walk, &ace));
    assert_int_equal(ace.effect, ACE_OTHER);
    assert_false(security_descriptor_next(&walk, &ace));
    assert_false(walk.aces.failed);
    char text[512];
    struct text t = text_to(text, sizeof text);
    security_descriptor_text(&t, descriptor);
    text_end(&t);
    assert_string_equal(text, "O:S-1-5-32-544G:S-1-5-18D:PAI(A;CI;0x00000010;;;S-1-1-0)"
                              "(DO;;0x00000100;00112233-4455-6677-8899-aabbccddeeff;;S-1-5-11)"
                              "(AO;;0x00000100;00112233-4455-6677-8899-aabbccddeeff;"
                              "00112233-4455-6677-8899-aabbccddeeff;S-1-5-11)");
}

static void nothing_denied_to_nobody(void **state)
{
    (void)state;
    static const uint8_t bytes[20] = {1, 0, 0, 0x80};
    struct security_descriptor descriptor;
    assert_true(security_descriptor_read((struct bytes){bytes, sizeof bytes}, &descriptor));
    assert_false(descriptor.has_dacl);
    char text[64];
    struct text t = text_to(text, sizeof text);
    security_descriptor_text(&t, descriptor);
    text_end(&t);
    assert_string_equal(text, "D:NO_ACCESS_CONTROL");
}

/* Cut anywhere, with any byte another: an end, never a byte outside (sanitizers watch). */
static void damage_is_no_danger(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof descriptor_bytes; size++) {
        uint8_t *copy = malloc(size ? size : 1);
        memcpy(copy, descriptor_bytes, size);
        struct security_descriptor descriptor;
        assert_false(security_descriptor_read((struct bytes){copy, size}, &descriptor));
        free(copy);
    }
    unsigned refused = 0;
    for (size_t at = 0; at < sizeof descriptor_bytes; at++) {
        uint8_t copy[sizeof descriptor_bytes];
        memcpy(copy, descriptor_bytes, sizeof copy);
        copy[at] ^= 0xff;
        struct security_descriptor descriptor;
        struct ace ace;
        bool good = security_descriptor_read((struct bytes){copy, sizeof copy}, &descriptor);
        while (good && security_descriptor_next(&descriptor, &ace))
            ;
        refused += !good || descriptor.aces.failed;
    }
    assert_true(refused > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_all),
                                       cmocka_unit_test(nothing_denied_to_nobody),
                                       cmocka_unit_test(damage_is_no_danger)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
