/* SPDX-License-Identifier: Apache-2.0
 *
 * Encrypted SMB read through the keys of a keytab: captures of the same deeds with and without encryption
 * give the same activities.
 */
#include "tests/unit/unit.h"

#include "tests/unit/harness.h"
#include "tests/unit/unsealer.h"

#define LAB    PICKET_SHARED_DATA "/lab/"
#define KEYTAB LAB "lab.keytab"

/* What differs from run to run, or says that there was encryption. */
static const enum activity_field incidental[] = {
    FIELD_TIME,
    FIELD_DURATION,
    FIELD_FLOW,
    FIELD_SOURCE_PORT,
    FIELD_DESTINATION_PORT,
    FIELD_SMB_SESSION,
    FIELD_SERVER_TIME,
    FIELD_SERVER_START,
    FIELD_CLIENT_GUID,
    FIELD_UNSEALED,
    FIELD_SERVER_CAPABILITIES,
    FIELD_NTLM_CLIENT_CHALLENGE,
    FIELD_NTLM_SERVER_CHALLENGE,
    FIELD_NTLM_CLIENT_TIME,
    FIELD_NTLM_SERVER_TIME,
    FIELD_NTLM_RESPONSE_FINGERPRINT,
};

struct twin {
    const char *name;
    enum activity_field by_chance[8]; /* names that the tool drew, sizes of what is told below */
    const char *only_encrypted; /* RPC operation that the tool brought about in the encrypted run only */
};

static const struct twin twins[] = {
    {.name = "a05_dcsync_krbtgt"},
    {.name = "a08_samrdump"},
    {.name = "a11_session_enum_admin"},
    {.name = "a14_psexec",
     .by_chance = {FIELD_FILE_PATH, FIELD_SERVICE_NAME, FIELD_SERVICE_BINARY, FIELD_SERVICE_DISPLAY_NAME}},
    {.name = "a40_backupkey"},
    {.name = "a43_da_add_samr"},
    {.name = "a44_samr_create_user",
     .by_chance = {FIELD_SAMR_RID, FIELD_READS, FIELD_READ_BYTES, FIELD_WRITES, FIELD_WRITE_BYTES},
     .only_encrypted = "SamrSetInformationUser"},
};

static bool is_in(enum activity_field field, const enum activity_field *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == field)
            return true;
    return false;
}

/* An activity's facts as one line. */
static char *facts_of(const struct activity *activity, const struct twin *twin)
{
    static char line[1 << 16];
    char value[ACTIVITY_STRING_MAX * 2];
    size_t size = (size_t)snprintf(line, sizeof line, "%s", activity_kind_info(activity->kind)->name);
    for (enum activity_field field = 0; field < ACTIVITY_FIELDS; field++) {
        const struct activity_value *v = activity_get(activity, field);
        if (!v || is_in(field, incidental, sizeof incidental / sizeof *incidental) ||
            is_in(field, twin->by_chance, sizeof twin->by_chance / sizeof *twin->by_chance))
            continue;
        activity_value_text(v, value, sizeof value);
        size += (size_t)snprintf(line + size, sizeof line - size, " %s=%s", activity_field_info(field)->name,
                                 value);
        assert_true(size < sizeof line);
    }
    return strdup(line);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct facts {
    char *lines[256];
    size_t count;
    size_t unsealed;
};

/* What the attacker's computer did; others are heard in the captures as well. */
static void gather(struct harness *h, const struct twin *twin, bool encrypted, struct facts *to)
{
    *to = (struct facts){0};
    for (size_t i = 0; i < h->size; i++) {
        struct harness_record *r = h->records[i];
        if (strcmp(harness_text(r, FIELD_SOURCE), "10.77.0.66") != 0)
            continue;
        if (encrypted && twin->only_encrypted &&
            strcmp(harness_text(r, FIELD_RPC_OPERATION), twin->only_encrypted) == 0)
            continue;
        assert_true(to->count < sizeof to->lines / sizeof *to->lines);
        to->lines[to->count++] = facts_of(r->activity, twin);
        to->unsealed += harness_bool(r, FIELD_UNSEALED);
    }
    qsort(to->lines, to->count, sizeof *to->lines, compare_lines);
}

static void forget(struct facts *facts)
{
    for (size_t i = 0; i < facts->count; i++)
        free(facts->lines[i]);
}

static bool read_capture(const struct twin *twin, const char *ending, struct facts *to, struct harness *h,
                         struct own_keys *keys)
{
    char path[512];
    snprintf(path, sizeof path, LAB "%s%s", twin->name, ending);
    if (!own_keys_open(keys, KEYTAB)) {
        own_keys_close(keys);
        return false;
    }
    harness_open(h, &(struct engine_options){.unsealer = &keys->unsealer});
    bool there = harness_shared(h, path);
    gather(h, twin, *ending == '_', to);
    return there;
}

static void check_twin(const struct twin *twin)
{
    struct facts clear, encrypted;
    struct harness h;
    struct own_keys keys;
    if (!read_capture(twin, ".pcap", &clear, &h, &keys))
        skip();
    harness_close(&h);
    own_keys_close(&keys);
    assert_true(read_capture(twin, "_smb3enc.pcap", &encrypted, &h, &keys));
    assert_true(h.counts->smb2_encrypted_pdus > 20);
    /* Only what names no session cannot be read: impacket's last message. */
    assert_true(h.stats->protocol[PROTOCOL_SMB].sealed <= 1);
    assert_int_equal(h.stats->protocol[PROTOCOL_SMB].malformed, 0);
    assert_int_equal(harness_count(&h, ACTIVITY_SMB_ENCRYPTED), 0);
    assert_int_equal(harness_count(&h, ACTIVITY_SMB_SIGNATURE_BAD), 0);
    for (size_t i = 0; i < clear.count && i < encrypted.count; i++)
        assert_string_equal(encrypted.lines[i], clear.lines[i]);
    assert_int_equal(encrypted.count, clear.count);
    assert_true(encrypted.unsealed > encrypted.count / 2 && encrypted.unsealed > clear.unsealed);
    struct key_holder_status status;
    key_holder_status(keys.holder, &status);
    assert_int_equal(status.wrong, 0);
    harness_close(&h);
    own_keys_close(&keys);
    forget(&clear);
    forget(&encrypted);
}

static void test_twins(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof twins / sizeof *twins; i++)
        check_twin(&twins[i]);
}

/* SMB 3.1.1, whose keys depend on each message of the negotiation and of the set-up. */
static void test_preauthentication(void **state)
{
    (void)state;
    struct own_keys keys;
    struct harness h;
    bool there = own_keys_open(&keys, KEYTAB);
    harness_open(&h, &(struct engine_options){.unsealer = &keys.unsealer});
    there = there && harness_shared(&h, LAB "n09_smb_ntlm.pcap");
    if (there) {
        struct harness_record *session = harness_find(&h, ACTIVITY_SMB_SESSION, 0);
        assert_int_equal(harness_uint(harness_find(&h, ACTIVITY_SMB_NEGOTIATE, 0), FIELD_SMB_DIALECT),
                         0x0311);
        assert_string_equal(harness_text(session, FIELD_SIGNATURE_VERIFIED), "true");
        assert_int_equal(harness_count(&h, ACTIVITY_SMB_SIGNATURE_BAD), 0);
        assert_true(keys.asked[UNSEAL_SMB_SIGNATURE] > 8);
    }
    harness_close(&h);
    own_keys_close(&keys);
    if (!there)
        skip();
}

/* With other keys nothing is read, and nothing is guessed at. */
static void test_other_keys(void **state)
{
    (void)state;
    struct own_keys keys;
    struct harness h, without;
    assert_true(own_keys_open(&keys, NULL));
    harness_open(&h, &(struct engine_options){.unsealer = &keys.unsealer});
    harness_open(&without, NULL);
    const char *path = LAB "a43_da_add_samr_smb3enc.pcap";
    if (harness_shared(&h, path) && harness_capture(&without, path)) {
        assert_int_equal(keys.asked[UNSEAL_SMB_MESSAGE], 0);
        assert_int_equal(h.size, without.size);
        for (size_t i = 0; i < h.size; i++)
            assert_string_equal(h.records[i]->json, without.records[i]->json);
    }
    harness_close(&h);
    harness_close(&without);
    own_keys_close(&keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twins),
        cmocka_unit_test(test_preauthentication),
        cmocka_unit_test(test_other_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
