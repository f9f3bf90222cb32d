/* SPDX-License-Identifier: Apache-2.0
 *
 * Encrypted SMB read through the keys of a keytab: captures of the same deeds with and without encryption
 * give the same activities; and what is asked of who holds the keys, and what is made of the answers.
 */
#include "tests/unit/unit.h"

#include "tests/unit/smb_wire.h"
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
static void check_session(const char *path)
{
    struct own_keys keys;
    struct harness h;
    bool there = own_keys_open(&keys, KEYTAB);
    harness_open(&h, &(struct engine_options){.unsealer = &keys.unsealer});
    if (there && harness_shared(&h, path)) {
        struct harness_record *session = harness_find(&h, ACTIVITY_SMB_SESSION, 0);
        struct harness_record *negotiation = harness_find(&h, ACTIVITY_SMB_NEGOTIATE, 0);
        assert_int_equal(harness_uint(negotiation, FIELD_SMB_DIALECT), 0x0311);
        assert_string_equal(harness_text(session, FIELD_SIGNATURE_VERIFIED), "true");
        assert_int_equal(harness_count(&h, ACTIVITY_SMB_SIGNATURE_BAD), 0);
        assert_true(keys.asked[UNSEAL_SMB_SIGNATURE] > 8);
    }
    harness_close(&h);
    own_keys_close(&keys);
}

static void test_preauthentication(void **state)
{
    (void)state;
    check_session(LAB "n09_smb_ntlm.pcap");
    check_session(LAB "n08_smb_kerberos.pcap");
}

/* Keys see more, and what was seen without them in the same order: an exchange that waits for its answer is
 * not overtaken by the use of the ticket that it issued. */
static void test_order(void **state)
{
    (void)state;
    struct own_keys keys;
    struct harness h, without;
    bool there = own_keys_open(&keys, KEYTAB);
    harness_open(&h, &(struct engine_options){.unsealer = &keys.unsealer});
    harness_open(&without, NULL);
    const char *path = LAB "n17_join_computer.pcap";
    there = there && harness_shared(&h, path) && harness_capture(&without, path);
    size_t at = 0;
    for (size_t i = 0; there && i < without.size; i++) {
        const struct harness_record *wanted = without.records[i];
        while (at < h.size && (h.records[at]->kind != wanted->kind || h.records[at]->time != wanted->time))
            at++;
        assert_true(at < h.size);
    }
    assert_true(!there || h.size > without.size);
    harness_close(&h);
    harness_close(&without);
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
        assert_int_equal(keys.asked[UNSEAL_SMB_MESSAGE], 1); /* then it is known to be in vain */
        assert_int_equal(h.size, without.size);
        for (size_t i = 0; i < h.size; i++)
            assert_string_equal(h.records[i]->json, without.records[i]->json);
    }
    harness_close(&h);
    harness_close(&without);
    own_keys_close(&keys);
}

/* --- what is asked, and what becomes of the answers --- */

enum { TRANSFORM_SIZE = 52, POSTED = 64 };

/* Holds no keys: "encrypted" messages are plain ones behind their header. */
static struct {
    size_t asked[UNSEAL_COLLECT + 1];
    bool silent;
    uint64_t authentication, session; /* the numbers that they have */
    uint64_t posted[POSTED];
    size_t posts;
    enum unseal_result signature;
    uint16_t dialect, cipher, signing; /* of the session that was asked for last */
    uint8_t hash[64];
    uint8_t answer[UNSEAL_REQUEST_MAX];
} oracle;

static void note_session(struct cursor *c)
{
    assert_int_equal(msgpack_next(c).uint, oracle.authentication);
    oracle.dialect = (uint16_t)msgpack_next(c).uint;
    oracle.cipher = (uint16_t)msgpack_next(c).uint;
    oracle.signing = (uint16_t)msgpack_next(c).uint;
    struct bytes hash = msgpack_next(c).bytes;
    assert_int_equal(hash.size, sizeof oracle.hash);
    memcpy(oracle.hash, hash.data, hash.size);
}

static bool ask_oracle(void *context, struct bytes request, struct bytes *answer)
{
    (void)context;
    struct cursor c = cursor_of_bytes(request);
    struct msgpack_writer w;
    msgpack_writer_init(&w, oracle.answer, sizeof oracle.answer);
    msgpack_next(&c);
    uint64_t operation = msgpack_next(&c).uint;
    oracle.asked[operation]++;
    if (oracle.silent)
        return false;
    msgpack_put_array(&w, 2);
    msgpack_put_uint(&w, UNSEAL_FINE);
    if (operation == UNSEAL_SMB_MESSAGE) {
        assert_int_equal(msgpack_next(&c).uint, oracle.session);
        msgpack_next(&c);
        struct bytes message = msgpack_next(&c).bytes;
        msgpack_put_binary(&w, message.data + TRANSFORM_SIZE, message.size - TRANSFORM_SIZE);
    } else {
        assert_int_equal(operation, UNSEAL_COLLECT);
        msgpack_put_array(&w, (uint32_t)(2 * oracle.posts));
        for (size_t i = 0; i < oracle.posts; i++) {
            msgpack_put_uint(&w, oracle.posted[i]);
            msgpack_put_array(&w, 1);
            msgpack_put_uint(&w, oracle.signature);
        }
        oracle.posts = 0;
    }
    *answer = (struct bytes){w.data, w.size};
    return true;
}

static void tell_oracle(void *context, struct bytes request)
{
    (void)context;
    struct cursor c = cursor_of_bytes(request);
    msgpack_next(&c);
    uint64_t operation = msgpack_next(&c).uint;
    if (operation == UNSEAL_FORGET) {
        oracle.asked[operation]++;
        return;
    }
    uint64_t number = msgpack_next(&c).uint;
    msgpack_next(&c);
    uint64_t within = msgpack_next(&c).uint;
    oracle.asked[within]++;
    if (operation == UNSEAL_POST) {
        assert_true(oracle.posts < POSTED);
        oracle.posted[oracle.posts++] = number;
    } else if (within == UNSEAL_NTLM) {
        oracle.authentication = number;
    } else if (within == UNSEAL_SMB) {
        note_session(&c);
        oracle.session = number;
    }
}

static const struct unsealer oracle_unsealer = {.ask = ask_oracle, .tell = tell_oracle};

/* The published sample of SMB 3.1.1 pre-authentication integrity: NEGOTIATE and SESSION_SETUP, whole, with
 * NTLM. */
static const char *const sample[] = {
    "FE534D4240000100000000000000800000000000000000000100000000000000FFFE000000000000"
    "00000000000000000000000000000000000000000000000024000500000000003F000000ECD86F32"
    "6276024F9F7752B89BB33F3A70000000020000000202100200030203110300000100260000000000"
    "010020000100FA49E6578F1F3A9F4CD3E9CC14A67AA884B3D05844E0E5A118225C15887F32FF0000"
    "0200060000000000020002000100",
    "FE534D4240000100000000000000010001000000000000000100000000000000FFFE000000000000"
    "000000000000000000000000000000000000000000000000410001001103020039CBCAF329714942"
    "BDCE5D60F09AB3FB2F000000000080000000800000008000D8DAE5ADCBAED00109094AB095AED001"
    "80004001C00100006082013C06062B0601050502A08201303082012CA01A3018060A2B0601040182"
    "3702021E060A2B06010401823702020AA282010C048201084E45474F455854530100000000000000"
    "60000000700000007C7CC0FD06D6362D02DDE1CF343BFE292900F49750B4AA97934D9C4296B26E51"
    "FD370471B235E15A50DAE15BD5489C87000000000000000060000000010000000000000000000000"
    "5C33530DEAF90D4DB2EC4AE3786EC3084E45474F4558545303000000010000004000000098000000"
    "7C7CC0FD06D6362D02DDE1CF343BFE295C33530DEAF90D4DB2EC4AE3786EC3084000000058000000"
    "3056A05430523027802530233121301F06035504031318546F6B656E205369676E696E6720507562"
    "6C6963204B65793027802530233121301F06035504031318546F6B656E205369676E696E67205075"
    "626C6963204B6579010026000000000001002000010060A3C3B95C3C7CCD51EC536648D9B3AC74C4"
    "83CA5B65385A251117BEB30712E50000020004000000000001000200",
    "FE534D4240000100000000000100800000000000000000000200000000000000FFFE000000000000"
    "00000000000000000000000000000000000000000000000019000001010000000000000058004A00"
    "0000000000000000604806062B0601050502A03E303CA00E300C060A2B06010401823702020AA22A"
    "04284E544C4D5353500001000000978208E200000000000000000000000000000000060380250000"
    "000F",
    "FE534D4240000100160000C00100010001000000000000000200000000000000FFFE000000000000"
    "190000000010000000000000000000000000000000000000090000004800B300A181B03081ADA003"
    "0A0101A10C060A2B06010401823702020AA281970481944E544C4D53535000020000000C000C0038"
    "00000015828AE20D1D8BA31179D008000000000000000050005000440000000A0092270000000F53"
    "005500540033003100310002000C0053005500540033003100310001000C00530055005400330031"
    "00310004000C0053005500540033003100310003000C0053005500540033003100310007000800A1"
    "A1F5ADCBAED00100000000",
    "FE534D4240000100000000000100800000000000000000000300000000000000FFFE000000000000"
    "1900000000100000000000000000000000000000000000001900000101000000000000005800CF01"
    "0000000000000000A18201CB308201C7A0030A0101A28201AA048201A64E544C4D53535000030000"
    "001800180090000000EE00EE00A80000000C000C00580000001A001A0064000000120012007E0000"
    "001000100096010000158288E2060380250000000FECAC77A5F385A8BF9C38C706EEEDDCD3530055"
    "005400330031003100610064006D0069006E006900730074007200610074006F0072004400520049"
    "0056004500520033003100310000000000000000000000000000000000000000000000000063078E"
    "B639FE03E20A231C3AE3BF23080101000000000000A1A1F5ADCBAED001BC4AD05F223CC90F000000"
    "0002000C0053005500540033003100310001000C0053005500540033003100310004000C00530055"
    "00540033003100310003000C0053005500540033003100310007000800A1A1F5ADCBAED001060004"
    "00020000000800300030000000000000000000000000300000B61FEFCAA857EA57BF1EDCEBF8974B"
    "8E0EBA5A6DFD9D07A31D11B548F8C9D0CC0A00100000000000000000000000000000000000090016"
    "0063006900660073002F005300550054003300310031000000000000000000000000003B9BDFF38F"
    "5EE8F9663F11A0F4C03A78A31204100100000063775A9A5FD97F0600000000",
};
static const char sample_hash[] =
    "0DD13628CC3ED218EF9DF9772D436D0887AB9814BFAE63A80AA845F36909DB7928622DDDAD522D97"
    "51640A459762C5A9D6BB084CBB3CE6BDADEF5D5BCE3C6C01";

#define SAMPLE_SESSION UINT64_C(0x100000000019)

static size_t unhex(const char *hex, uint8_t *to)
{
    size_t size = 0;
    for (; hex[0] && hex[1]; hex += 2) {
        char pair[3] = {hex[0], hex[1], 0};
        to[size++] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return size;
}

static struct wire wire;
static struct wire_bytes message;

static int open_wire(void **state)
{
    (void)state;
    memset(&oracle, 0, sizeof oracle);
    wire_open_with(&wire, 445, &(struct engine_options){.unsealer = &oracle_unsealer});
    return 0;
}

static int close_wire(void **state)
{
    (void)state;
    wire_close(&wire);
    return 0;
}

static void make_header(uint16_t command, uint32_t status, uint32_t flags, uint64_t message_id)
{
    message.size = 0;
    raw(&message, "\xfeSMB", 4);
    le16(&message, 64);
    le16(&message, 1);
    le32(&message, status);
    le16(&message, command);
    le16(&message, 1);
    le32(&message, flags);
    le32(&message, 0);
    le64(&message, message_id);
    le32(&message, 0xfeff);
    le32(&message, 1); /* tree */
    le64(&message, SAMPLE_SESSION);
    zeros(&message, 16);
}

enum { COMMAND_SETUP = 1, COMMAND_TREE = 3, COMMAND_ECHO = 13, REPLY = 1, SIGNED = 8 };

static void send_sample(size_t i)
{
    message.size = unhex(sample[i], message.data);
    wire_send(&wire, i % 2, &message);
}

/* 2.2.6: the last reply of a set-up. */
static void send_setup_reply(uint64_t message_id, uint16_t session_flags)
{
    make_header(COMMAND_SETUP, 0, REPLY | SIGNED, message_id);
    le16(&message, 9);
    le16(&message, session_flags);
    le32(&message, 0);
    wire_send(&wire, 1, &message);
}

static void set_up_session(void)
{
    for (size_t i = 0; i < sizeof sample / sizeof *sample; i++)
        send_sample(i);
    send_setup_reply(3, 0);
}

/* 2.2.9 */
static void make_tree_request(uint32_t flags, uint64_t message_id)
{
    make_header(COMMAND_TREE, 0, flags, message_id);
    le16(&message, 9);
    le16(&message, 0);
    le16(&message, 72);
    le16(&message, 24);
    utf16(&message, "\\\\dc1\\share1");
}

static void make_echo(uint32_t flags, uint64_t message_id)
{
    make_header(COMMAND_ECHO, 0, flags, message_id);
    le32(&message, 4);
}

/* Puts a transform header before the message. */
static void seal_message(void)
{
    memmove(message.data + TRANSFORM_SIZE, message.data, message.size);
    size_t size = message.size;
    message.size = 0;
    raw(&message, "\xfdSMB", 4);
    zeros(&message, 32);
    le32(&message, (uint32_t)size);
    le16(&message, 0);
    le16(&message, 1);
    le64(&message, SAMPLE_SESSION);
    message.size += size;
}

static uint64_t sealed_count(void)
{
    (void)engine_stats(wire.h.engine);
    return wire.h.stats->protocol[PROTOCOL_SMB].sealed;
}

static void test_hash(void **state)
{
    (void)state;
    uint8_t expected[64];
    set_up_session();
    assert_int_equal(oracle.asked[UNSEAL_SMB], 1);
    assert_int_equal(oracle.dialect, 0x0311);
    assert_int_equal(oracle.cipher, 2);
    assert_int_equal(oracle.signing, 0xffff);
    assert_int_equal(unhex(sample_hash, expected), sizeof expected);
    assert_bytes_equal(oracle.hash, expected, sizeof expected);
    assert_int_equal(oracle.asked[UNSEAL_FORGET], 1); /* of the authentication: the session has its own */
    wire_finish(&wire);
    assert_int_equal(oracle.asked[UNSEAL_FORGET], 2);
    assert_string_equal(
        harness_text(harness_find(&wire.h, ACTIVITY_SMB_SESSION, 0), FIELD_SIGNATURE_VERIFIED), "true");
}

/* A leg that was lost: the hash is not to be had, and keys made of it would be wrong. */
static void test_lost_leg(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sample / sizeof *sample; i++) {
        if (i == 3)
            wire.next[1] += 100;
        send_sample(i);
    }
    for (uint64_t i = 0; i < 200; i++) { /* until the engine goes on without what is missing */
        make_echo(REPLY, 100 + i);
        zeros(&message, 60000);
        wire_send(&wire, 1, &message);
    }
    send_setup_reply(3, 0);
    wire_finish(&wire);
    assert_true(wire.h.stats->gaps > 0);
    assert_int_equal(oracle.asked[UNSEAL_SMB], 0);
}

static void test_earlier_dialect(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sample / sizeof *sample; i++) {
        message.size = unhex(sample[i], message.data);
        if (i == 1)
            message.data[68] = 0x02; /* DialectRevision: 0x0302 */
        wire_send(&wire, i % 2, &message);
    }
    send_setup_reply(3, 0);
    assert_int_equal(oracle.asked[UNSEAL_SMB], 1);
    assert_int_equal(oracle.dialect, 0x0302);
    assert_int_equal(oracle.cipher, 0);
}

static void test_unkeyed(void **state)
{
    (void)state;
    for (uint16_t flags = 1; flags <= 2; flags++) { /* a guest, nobody */
        for (size_t i = 0; i < sizeof sample / sizeof *sample; i++)
            send_sample(i);
        send_setup_reply(3, flags);
        assert_int_equal(oracle.asked[UNSEAL_SMB], 0);
        close_wire(state);
        open_wire(state);
    }
    /* Bound to a session of another connection: its keys are of there. */
    send_sample(0);
    send_sample(1);
    for (size_t i = 2; i < sizeof sample / sizeof *sample; i++) {
        message.size = unhex(sample[i], message.data);
        memcpy(message.data + 40, (const uint8_t[]){0x19, 0, 0, 0, 0, 0x10, 0, 0}, 8);
        message.data[66] |= i % 2 ? 0 : 1;
        wire_send(&wire, i % 2, &message);
    }
    send_setup_reply(3, 0);
    assert_int_equal(oracle.asked[UNSEAL_NTLM], 1);
    assert_int_equal(oracle.asked[UNSEAL_SMB], 0);
    make_tree_request(0, 4);
    seal_message();
    wire_send(&wire, 0, &message);
    assert_int_equal(sealed_count(), 1);
}

static void test_reauthentication(void **state)
{
    (void)state;
    set_up_session();
    for (size_t i = 2; i < sizeof sample / sizeof *sample; i++) {
        message.size = unhex(sample[i], message.data);
        memcpy(message.data + 40, (const uint8_t[]){0x19, 0, 0, 0, 0, 0x10, 0, 0}, 8);
        message.data[24] = (uint8_t)(message.data[24] + 8);
        wire_send(&wire, i % 2, &message);
    }
    send_setup_reply(11, 0);
    assert_int_equal(oracle.asked[UNSEAL_NTLM], 2);
    assert_int_equal(oracle.asked[UNSEAL_SMB], 1); /* the keys stay what they are */
    make_tree_request(0, 20);
    seal_message();
    wire_send(&wire, 0, &message);
    assert_int_equal(oracle.asked[UNSEAL_SMB_MESSAGE], 1);
    assert_int_equal(sealed_count(), 0);
}

static void test_messages(void **state)
{
    (void)state;
    set_up_session();
    make_tree_request(0, 4);
    seal_message();
    wire_send(&wire, 0, &message);
    make_header(COMMAND_TREE, 0, REPLY, 4);
    le16(&message, 16);
    le8(&message, 1);
    zeros(&message, 13);
    seal_message();
    wire_send(&wire, 1, &message);
    assert_int_equal(oracle.asked[UNSEAL_SMB_MESSAGE], 2);
    /* Not answered: sealed. */
    oracle.silent = true;
    make_echo(0, 5);
    seal_message();
    wire_send(&wire, 0, &message);
    oracle.silent = false;
    assert_int_equal(sealed_count(), 1);
    /* Plain text of another kind. */
    message.size = 0;
    ascii(&message, "no such thing");
    seal_message();
    wire_send(&wire, 0, &message);
    assert_int_equal(wire.h.stats->protocol[PROTOCOL_SMB].malformed, 1);
    /* Compressed within: told of, and sealed. */
    message.size = 0;
    raw(&message, "\xfcSMB", 4);
    zeros(&message, 60);
    seal_message();
    wire_send(&wire, 0, &message);
    wire_finish(&wire);
    assert_int_equal(wire.h.counts->smb2_encrypted_pdus, 5);
    assert_int_equal(wire.h.counts->smb2_requests[COMMAND_TREE], 1);
    assert_int_equal(sealed_count(), 2);
    struct harness_record *tree = harness_find(&wire.h, ACTIVITY_SMB_TREE_CONNECT, 0);
    assert_string_equal(harness_text(tree, FIELD_SHARE_PATH), "\\\\dc1\\share1");
    assert_string_equal(harness_text(tree, FIELD_SHARE_TYPE), "disk");
    assert_string_equal(harness_text(tree, FIELD_ACCOUNT), "administrator");
    assert_true(harness_bool(tree, FIELD_UNSEALED));
    assert_true(harness_bool(harness_find(&wire.h, ACTIVITY_SMB_COMPRESSED, 0), FIELD_UNSEALED));
    assert_false(harness_has(harness_find(&wire.h, ACTIVITY_SMB_SESSION, 0), FIELD_UNSEALED));
    struct harness_record *rest = harness_find(&wire.h, ACTIVITY_SMB_ENCRYPTED, 0);
    assert_int_equal(harness_uint(rest, FIELD_SEALED_REQUESTS), 1);
    assert_false(harness_has(rest, FIELD_UNSEALED));
}

/* What is larger than can be asked stays sealed, and is stepped over as without keys. */
static void test_large(void **state)
{
    (void)state;
    static uint8_t zero[1400];
    set_up_session();
    make_echo(0, 4);
    seal_message();
    uint32_t total = UNSEAL_MESSAGE_MAX + 1;
    uint8_t head[4] = {0, (uint8_t)(total >> 16), (uint8_t)(total >> 8), (uint8_t)total};
    wire_segment(&wire, 0, FLAG_ACK, head, sizeof head);
    wire_segment(&wire, 0, FLAG_ACK, message.data, message.size);
    for (size_t left = total - message.size; left;) {
        size_t size = left < sizeof zero ? left : sizeof zero;
        wire_segment(&wire, 0, FLAG_ACK, zero, size);
        left -= size;
    }
    make_tree_request(0, 5);
    seal_message();
    wire_send(&wire, 0, &message);
    assert_int_equal(oracle.asked[UNSEAL_SMB_MESSAGE], 1);
    assert_int_equal(sealed_count(), 1);
}

static void test_signatures(void **state)
{
    (void)state;
    oracle.signature = UNSEAL_WRONG_KEY;
    set_up_session();
    for (uint64_t i = 0; i < 40; i++) { /* not without an end */
        make_tree_request(SIGNED, 4 + i);
        wire_send(&wire, 0, &message);
        make_echo(SIGNED | REPLY, 4 + i);
        wire_send(&wire, 1, &message);
    }
    wire_finish(&wire);
    struct harness_record *session = harness_find(&wire.h, ACTIVITY_SMB_SESSION, 0);
    assert_string_equal(harness_text(session, FIELD_SIGNATURE_VERIFIED), "false");
    assert_int_equal(harness_count(&wire.h, ACTIVITY_SMB_SIGNATURE_BAD), 32 + 4);
    struct harness_record *bad = harness_find(&wire.h, ACTIVITY_SMB_SIGNATURE_BAD, 0);
    assert_int_equal(harness_uint(bad, FIELD_SMB_COMMAND), COMMAND_TREE);
    assert_false(harness_bool(bad, FIELD_SMB_FROM_SERVER));
    assert_string_equal(harness_text(bad, FIELD_ACCOUNT), "administrator");
    bad = harness_find(&wire.h, ACTIVITY_SMB_SIGNATURE_BAD, 1);
    assert_int_equal(harness_uint(bad, FIELD_SMB_COMMAND), COMMAND_ECHO);
    assert_true(harness_bool(bad, FIELD_SMB_FROM_SERVER));
}

static void test_signatures_checked(void **state)
{
    (void)state;
    set_up_session();
    assert_int_equal(oracle.asked[UNSEAL_SMB_SIGNATURE], 1);
    for (uint64_t i = 0; i < 10; i++) { /* the first four */
        make_echo(SIGNED, 4 + i);
        wire_send(&wire, 0, &message);
        make_echo(0, 50 + i);
        wire_send(&wire, 0, &message);
    }
    assert_int_equal(oracle.asked[UNSEAL_SMB_SIGNATURE], 5);
    make_tree_request(SIGNED, 40); /* each of these */
    wire_send(&wire, 0, &message);
    assert_int_equal(oracle.asked[UNSEAL_SMB_SIGNATURE], 6);
    wire_finish(&wire);
    assert_int_equal(harness_count(&wire.h, ACTIVITY_SMB_SIGNATURE_BAD), 0);
}

#define wire_test(test) cmocka_unit_test_setup_teardown(test, open_wire, close_wire)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twins),
        cmocka_unit_test(test_preauthentication),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_other_keys),
        wire_test(test_hash),
        wire_test(test_lost_leg),
        wire_test(test_earlier_dialect),
        wire_test(test_unkeyed),
        wire_test(test_reauthentication),
        wire_test(test_messages),
        wire_test(test_large),
        wire_test(test_signatures),
        wire_test(test_signatures_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
