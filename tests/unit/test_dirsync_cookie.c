/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/dirsync_cookie.h"

#include "tests/unit/unit.h"

#include <stdlib.h>

/* As Samba wrote it: two partners, 132 bytes. */
static void fill(uint8_t cookie[132])
{
    memset(cookie, 0, 132);
    memcpy(cookie, "MSDS\3\0\0\0\1\2\3\4\5\6\7\x8", 16);
    cookie[24] = 64;
    cookie[28] = 9;
    cookie[44] = 0x39;
    cookie[45] = 0x30;
    memset(cookie + 52, 0xaa, 16);
    cookie[68] = 1;
    cookie[76] = 2;
    memset(cookie + 84, 0xaa, 16);
    cookie[100] = 7;
    memset(cookie + 108, 0xbb, 16);
    cookie[124] = 8;
}

static void reads_it(void **state)
{
    (void)state;
    uint8_t bytes[132], id[16];
    fill(bytes);
    struct dirsync_cookie cookie;
    assert_true(dirsync_cookie_read((struct bytes){bytes, sizeof bytes}, &cookie));
    assert_int_equal(cookie.filetime, UINT64_C(0x0807060504030201));
    assert_int_equal(cookie.highest_usn, 12345);
    memset(id, 0xaa, sizeof id);
    assert_memory_equal(cookie.invocation_id, id, sizeof id);
    assert_int_equal(cookie.partner_count, 2);
    uint64_t usn = 0;
    assert_true(dirsync_cookie_knows(&cookie, id, &usn));
    assert_int_equal(usn, 7);
    memset(id, 0xbb, sizeof id);
    assert_true(dirsync_cookie_knows(&cookie, id, &usn));
    assert_int_equal(usn, 8);
    memset(id, 0xcc, sizeof id);
    assert_false(dirsync_cookie_knows(&cookie, id, &usn));
    assert_true(dirsync_cookie_read((struct bytes){bytes, 68}, &cookie));
    assert_int_equal(cookie.partner_count, 0);
}

static void refuses_damage(void **state)
{
    (void)state;
    uint8_t bytes[132];
    struct dirsync_cookie cookie;
    for (size_t size = 0; size < sizeof bytes; size++) {
        fill(bytes);
        uint8_t *copy = malloc(size ? size : 1);
        memcpy(copy, bytes, size);
        assert_int_equal(dirsync_cookie_read((struct bytes){copy, size}, &cookie), size == 68);
        free(copy);
    }
    fill(bytes);
    bytes[79] = 0xff; /* four thousand million partners */
    assert_false(dirsync_cookie_read((struct bytes){bytes, sizeof bytes}, &cookie));
    fill(bytes);
    bytes[68] = 2;
    assert_false(dirsync_cookie_read((struct bytes){bytes, sizeof bytes}, &cookie));
    fill(bytes);
    bytes[0] = 'X';
    assert_false(dirsync_cookie_read((struct bytes){bytes, sizeof bytes}, &cookie));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_it), cmocka_unit_test(refuses_damage)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
