/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include <krb5.h>
#include <unistd.h>

#include "keys/keytab.h"
#include "tests/unit/keytab_bytes.h"

static const uint8_t key_bytes[32] = {1, 2, 3, 4, 5, 6, 7, 8};

static void test_entries(void **state)
{
    (void)state;
    static struct keytab_bytes file;
    keytab_begin(&file);
    keytab_add(&file, "host/dc1.corp.example", "CORP.EXAMPLE", 3, 18, key_bytes, 32);
    keytab_hole(&file, 40);
    keytab_add(&file, "dc1$", "CORP.EXAMPLE", 300, 23, key_bytes, 16);
    keytab_put_int(&file, 0, 4); /* room that was taken beforehand */
    struct keytab keytab;
    struct keytab_entry e;
    assert_true(keytab_open(&keytab, keytab_view(&file)));
    assert_true(keytab_next(&keytab, &e));
    assert_int_equal(e.at, 2);
    assert_int_equal(e.components, 2);
    assert_int_equal(e.name_size, 21);
    assert_memory_equal(e.name, "host/dc1.corp.example", 21);
    assert_int_equal(e.realm.size, 12);
    assert_int_equal(e.kvno, 3);
    assert_int_equal(e.etype, 18);
    assert_int_equal(e.key.size, 32);
    assert_memory_equal(e.key.data, key_bytes, 32);
    assert_true(keytab_next(&keytab, &e));
    assert_int_equal(e.kvno, 300); /* of which the 8 bits say 44 */
    assert_int_equal(e.etype, 23);
    assert_int_equal(e.components, 1);
    assert_false(keytab_next(&keytab, &e));
    assert_false(keytab.damaged);
}

/* 0x501: the realm is counted among the components, there is no type of name, and numbers are as the machine
 * had them. */
static void old_version(bool little)
{
    static const uint8_t big_endian[] = {5, 1, 0, 0, 0, 27, 0, 2, 0,    1, 'R', 0, 3, 'b', 'o', 'b', 101,
                                         0, 0, 0, 7, 0, 1,  0, 8, 0xaa, 2, 3,   4, 5, 6,   7,   8};
    static const uint8_t little_endian[] = {5, 1, 27, 0, 0, 0, 2, 0, 1,    0, 'R', 3, 0, 'b', 'o', 'b', 101,
                                            0, 0, 0,  7, 1, 0, 8, 0, 0xaa, 2, 3,   4, 5, 6,   7,   8};
    struct keytab keytab;
    struct keytab_entry e;
    struct bytes file = little ? (struct bytes){little_endian, sizeof little_endian}
                               : (struct bytes){big_endian, sizeof big_endian};
    assert_true(keytab_open(&keytab, file));
    assert_true(keytab_next(&keytab, &e));
    assert_int_equal(e.components, 1);
    assert_int_equal(e.name_size, 3);
    assert_memory_equal(e.name, "bob", 3);
    assert_int_equal(e.kvno, 7);
    assert_int_equal(e.etype, 1);
    assert_int_equal(e.key.size, 8);
    assert_int_equal(e.key.data[0], 0xaa);
    assert_false(keytab_next(&keytab, &e));
    assert_false(keytab.damaged);
}

static void test_old_version(void **state)
{
    (void)state;
    old_version(true);
    old_version(false);
}

/* Cut anywhere, it is damaged, unless it was cut between two entries. */
static void test_cut(void **state)
{
    (void)state;
    static struct keytab_bytes file;
    keytab_begin(&file);
    keytab_add(&file, "a/b", "R", 1, 18, key_bytes, 32);
    size_t first = file.size;
    keytab_add(&file, "c", "R", 1, 18, key_bytes, 32);
    for (size_t size = 0; size < file.size; size++) {
        uint8_t *copy = malloc(size ? size : 1);
        assert_non_null(copy);
        memcpy(copy, file.data, size);
        struct keytab keytab;
        struct keytab_entry e;
        if (keytab_open(&keytab, (struct bytes){copy, size}))
            while (keytab_next(&keytab, &e))
                ;
        assert_int_equal(keytab.damaged, size != 2 && size != first);
        if (size > first)
            assert_non_null(strstr(keytab.fault.text, "damaged at byte"));
        free(copy);
    }
}

static void test_damage(void **state)
{
    (void)state;
    static struct keytab_bytes file;
    struct keytab keytab;
    static struct keytab_entry e;
    static char name[KEYTAB_NAME_MAX + 8];
    memset(name, 'x', sizeof name - 1);
    keytab_begin(&file);
    keytab_add(&file, name, "R", 1, 18, key_bytes, 32);
    assert_true(keytab_open(&keytab, keytab_view(&file)));
    assert_false(keytab_next(&keytab, &e));
    assert_string_equal(keytab.fault.text, "damaged at byte 2: a principal's name that is too long");
    assert_false(keytab_open(&keytab, (struct bytes){(const uint8_t *)"\5\3", 2}));
    assert_false(keytab_open(&keytab, (struct bytes){0}));
    keytab_begin(&file);
    keytab_put_int(&file, 0x80000000, 4);
    assert_true(keytab_open(&keytab, keytab_view(&file)));
    assert_false(keytab_next(&keytab, &e));
    assert_true(keytab.damaged);
}

/* --- libkrb5 as the oracle --- */

static void compare(krb5_context krb5, const krb5_keytab_entry *theirs, const struct keytab_entry *ours)
{
    char *text = NULL;
    assert_int_equal(krb5_unparse_name_flags(krb5, theirs->principal,
                                             KRB5_PRINCIPAL_UNPARSE_NO_REALM | KRB5_PRINCIPAL_UNPARSE_DISPLAY,
                                             &text),
                     0);
    assert_int_equal(strlen(text), ours->name_size);
    assert_memory_equal(text, ours->name, ours->name_size);
    assert_int_equal(theirs->principal->realm.length, ours->realm.size);
    assert_memory_equal(theirs->principal->realm.data, ours->realm.data, ours->realm.size);
    assert_int_equal(theirs->vno, ours->kvno);
    assert_int_equal(theirs->key.enctype, ours->etype);
    assert_int_equal(theirs->key.length, ours->key.size);
    assert_memory_equal(theirs->key.contents, ours->key.data, ours->key.size);
    krb5_free_unparsed_name(krb5, text);
}

static size_t compare_file(krb5_context krb5, const char *path)
{
    struct bytes file = read_whole(path);
    if (!file.data)
        return 0;
    char name[512];
    snprintf(name, sizeof name, "FILE:%s", path);
    krb5_keytab theirs;
    krb5_kt_cursor cursor;
    krb5_keytab_entry entry;
    assert_int_equal(krb5_kt_resolve(krb5, name, &theirs), 0);
    assert_int_equal(krb5_kt_start_seq_get(krb5, theirs, &cursor), 0);
    struct keytab ours;
    struct keytab_entry e;
    size_t count = 0;
    assert_true(keytab_open(&ours, file));
    while (krb5_kt_next_entry(krb5, theirs, &entry, &cursor) == 0) {
        assert_true(keytab_next(&ours, &e));
        compare(krb5, &entry, &e);
        krb5_free_keytab_entry_contents(krb5, &entry);
        count++;
    }
    assert_false(keytab_next(&ours, &e));
    assert_false(ours.damaged);
    krb5_kt_end_seq_get(krb5, theirs, &cursor);
    krb5_kt_close(krb5, theirs);
    free((void *)file.data);
    return count;
}

static void change(krb5_context krb5, krb5_keytab file, const char *name, krb5_kvno kvno, bool add)
{
    krb5_keytab_entry entry = {.vno = kvno, .timestamp = 1700000000};
    assert_int_equal(krb5_parse_name(krb5, name, &entry.principal), 0);
    entry.key.enctype = 18;
    entry.key.length = 32;
    entry.key.contents = (krb5_octet *)key_bytes;
    if (add)
        assert_int_equal(krb5_kt_add_entry(krb5, file, &entry), 0);
    else
        assert_int_equal(krb5_kt_remove_entry(krb5, file, &entry), 0);
    krb5_free_principal(krb5, entry.principal);
}

/* A file as libkrb5 leaves it when entries were taken out and others put into the holes. */
static void test_libkrb5(void **state)
{
    (void)state;
    krb5_context krb5;
    assert_int_equal(krb5_init_context(&krb5), 0);
    char path[] = "/tmp/picket_keytab_XXXXXX", name[64];
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    unlink(path);
    snprintf(name, sizeof name, "FILE:%s", path);
    krb5_keytab file;
    assert_int_equal(krb5_kt_resolve(krb5, name, &file), 0);
    change(krb5, file, "host/one.corp.example@CORP.EXAMPLE", 1, true);
    change(krb5, file, "host/two.with.a.long.name.corp.example@CORP.EXAMPLE", 300, true);
    change(krb5, file, "three$@CORP.EXAMPLE", 70000, true);
    change(krb5, file, "host/two.with.a.long.name.corp.example@CORP.EXAMPLE", 300, false);
    assert_int_equal(compare_file(krb5, path), 2);
    change(krb5, file, "x@R", 2, true);
    assert_int_equal(compare_file(krb5, path), 3);
    krb5_kt_close(krb5, file);
    unlink(path);

    size_t lab = compare_file(krb5, PICKET_SHARED_DATA "/lab/lab.keytab");
    if (!lab)
        print_message("the lab's keytab is not there\n");
    assert_true(compare_file(krb5, PICKET_TEST_DATA "/keys/ktutil.keytab") > 0);
    assert_true(compare_file(krb5, PICKET_TEST_DATA "/keys/samba.keytab") > 0);
    krb5_free_context(krb5);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries), cmocka_unit_test(test_old_version), cmocka_unit_test(test_cut),
        cmocka_unit_test(test_damage),  cmocka_unit_test(test_libkrb5),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
