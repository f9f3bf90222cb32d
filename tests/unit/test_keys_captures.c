/* SPDX-License-Identifier: Apache-2.0
 *
 * The holder of keys with real exchanges: those of captures, with the keytab of their domain, against what
 * tshark decrypts with it (`tshark -K ... -o kerberos.decrypt:TRUE -V`).
 */
#include <glob.h>

#include "tests/unit/kerberos_frames.h"
#include "tests/unit/key_world.h"

#define LAB PICKET_SHARED_DATA "/lab"

static struct key_world world;
static struct frames frames;

static struct {
    unsigned fine[UNSEALED_AUTHORIZATION + 1], other[UNSEALED_AUTHORIZATION + 1];
    unsigned contexts;
    unsigned good_tickets, bad_signatures, unsigned_tickets;
    char trace[8192]; /* one mark for each part, one line for each message */
    uint64_t context[FRAMES_STREAMS_MAX];
} seen;

static void assert_zero(struct bytes key)
{
    for (size_t i = 0; i < key.size; i++)
        assert_int_equal(key.data[i], 0);
}

/* No key ever leaves. */
static void check_blanked(const struct unsealed_part *p)
{
    struct cursor plain = cursor_of_bytes(p->plain);
    struct krb_enc_ticket ticket;
    struct krb_authenticator authenticator;
    struct krb_reply_part reply;
    struct krb_fast_response response;
    switch (p->kind) {
    case UNSEALED_AUTHENTICATOR:
        assert_true(krb_read_authenticator(plain, &authenticator));
        assert_zero(authenticator.subkey.value);
        break;
    case UNSEALED_REPLY:
        assert_true(krb_read_reply_part(plain, &reply));
        assert_true(reply.key.present);
        assert_zero(reply.key.value);
        break;
    case UNSEALED_FAST_RESPONSE:
        assert_true(krb_read_fast_response(plain, &response));
        assert_zero(response.strengthen.value);
        break;
    case UNSEALED_FAST_REQUEST:
    case UNSEALED_TIMESTAMP:
    case UNSEALED_AUTHORIZATION:
        break;
    default:
        assert_true(krb_read_enc_ticket(plain, &ticket));
        assert_int_equal(ticket.key.value.size, ticket.key.etype == 17 || ticket.key.etype == 23 ? 16 : 32);
        assert_zero(ticket.key.value);
        break;
    }
}

static void note(struct unsealed *u, char message)
{
    static const char marks[] = "?pixaArtqsd"; /* by kind */
    size_t size = strlen(seen.trace);
    seen.trace[size++] = message;
    for (size_t i = 0; i < u->count; i++) {
        struct unsealed_part *p = &u->parts[i];
        seen.trace[size++] = p->result == UNSEAL_FINE ? marks[p->kind] : '-';
        if (p->result != UNSEAL_FINE) {
            seen.other[p->kind]++;
            assert_int_equal(p->plain.size, 0);
            continue;
        }
        seen.fine[p->kind]++;
        check_blanked(p);
        for (int s = 0; p->pac && s < PAC_SIGNATURES; s++)
            seen.bad_signatures += p->signatures[s] == PAC_SIGNATURE_BAD;
        seen.good_tickets += p->pac && p->signatures[PAC_SERVER] == PAC_SIGNATURE_GOOD &&
                             p->signatures[PAC_KDC] == PAC_SIGNATURE_GOOD;
    }
    seen.trace[size++] = '\n';
    seen.trace[size] = '\0';
    assert_true(size < sizeof seen.trace - 64);
}

static void on_kdc(void *context, uint64_t exchange, bool reply, struct bytes message)
{
    (void)context;
    struct unsealed u;
    if (!reply) {
        key_world_kdc_request(&world, exchange, message);
        return;
    }
    key_world_kdc_reply(&world, exchange, message, &u);
    note(&u, message.data[0] == 0x7e ? 'E' : message.data[0] == 0x6b ? 'A' : 'T');
}

static void on_ap(void *context, uint64_t stream, bool reply, struct bytes message)
{
    (void)context;
    struct unsealed u;
    if (reply) {
        key_world_ap_reply(&world, seen.context[stream], message);
        return;
    }
    seen.context[stream] = key_world_ap_request(&world, message, &u);
    seen.contexts += seen.context[stream] != 0;
    note(&u, 'P');
}

static bool read_capture(const char *path, const char *keytab)
{
    memset(&seen, 0, sizeof seen);
    memset(&frames, 0, sizeof frames);
    frames.kdc = on_kdc;
    frames.ap = on_ap;
    key_world_open(&world);
    if (keytab)
        assert_true(key_world_load(&world, keytab));
    return frames_read(&frames, path);
}

#define KEYTAB PICKET_TEST_DATA "/keys/samba.keytab"

static void expect(const char *name, const char *trace)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", PICKET_TEST_DATA, name);
    assert_true(read_capture(path, KEYTAB));
    assert_string_equal(seen.trace, trace);
    assert_int_equal(seen.bad_signatures, 0);
    assert_int_equal(seen.good_tickets,
                     seen.fine[UNSEALED_PRESENTED] + seen.fine[UNSEALED_ISSUED] + seen.fine[UNSEALED_ARMOR]);
}

static struct key_holder_complaint only_complaint(void)
{
    struct key_holder_complaint c, more;
    assert_true(key_holder_complaint_at(world.holder, 0, &c));
    assert_false(key_holder_complaint_at(world.holder, 1, &more));
    return c;
}

static void test_log_on(void **state)
{
    (void)state;
    struct key_holder_complaint none;
    /* Pre-authentication asked for; too large for UDP; then timestamp, reply and ticket. */
    expect("n01_kinit.pcap", "E\nEt\nAtri\n");
    struct key_holder_status status;
    key_holder_status(world.holder, &status);
    assert_int_equal(status.keytabs, 1);
    assert_int_equal(status.tickets, 1);
    assert_int_equal(status.unsealed, 4);
    assert_int_equal(status.missing + status.wrong + status.other_kvno, 0);
    assert_false(key_holder_complaint_at(world.holder, 0, &none));
    key_world_close(&world);
    /* Roasting without pre-authentication: the reply is in RC4, with the account's key. */
    expect("a04_asrep_roast.pcap", "E\nAri\nE\nE\n");
    key_world_close(&world);
}

static void test_services(void **state)
{
    (void)state;
    /* Services of accounts whose keys stand in the keytab under the accounts' names. */
    expect("a01_kerberoast_impacket.pcap", "E\nEt\nAtri\nTpAri\nPpA\nTpAri\nTpAri\nTpAri\nTpAri\n");
    assert_int_equal(seen.contexts, 1);
    key_world_close(&world);
    /* A referral that is refused, in FAST with the ticket as armor. */
    expect("n08_smb_kerberos.pcap", "E\nEt\nAtri\nTpAqsri\nEpAqs\nPpA\n");
    key_world_close(&world);
    expect("n22_netlogon_schannel.pcap", "E\nEt\nAtri\nTpAqsri\nTpAqsri\nPpA\n");
    struct key_holder_status status;
    key_holder_status(world.holder, &status);
    assert_int_equal(status.contexts, 1);
    key_world_close(&world);
}

/* kpasswd: FAST with a TGT as armor and an encrypted challenge; a second user's key is not held any more. */
static void test_armor(void **state)
{
    (void)state;
    expect("n11_kpasswd.pcap", "Exqs\nAxqtsri\nPpA\nExqs\nAxq-s-i\nPpA\n");
    assert_int_equal(seen.contexts, 2);
    struct key_holder_complaint c = only_complaint();
    assert_int_equal(c.result, UNSEAL_OTHER_KVNO);
    assert_int_equal(c.etype, 18);
    assert_int_equal(c.kvno, 3);
    assert_int_equal(c.kvno_held, 4);
    assert_int_equal(c.times, 1);
    assert_string_equal(c.principal, "user06@CORP.EXAMPLE");
    key_world_close(&world);
}

/* Other keys: nothing opens, and it is told of whom. No keys: nothing is even tried. */
static void test_without(void **state)
{
    (void)state;
    struct key_holder_complaint c;
    assert_true(read_capture(PICKET_TEST_DATA "/n01_kinit.pcap", PICKET_TEST_DATA "/keys/ktutil.keytab"));
    assert_string_equal(seen.trace, "E\nE-\nA---\n");
    assert_true(key_holder_complaint_at(world.holder, 0, &c));
    assert_int_equal(c.result, UNSEAL_NO_KEY);
    assert_string_equal(c.principal, "user01@CORP.EXAMPLE");
    assert_true(key_holder_complaint_at(world.holder, 2, &c));
    assert_string_equal(c.principal, "krbtgt/CORP.EXAMPLE@CORP.EXAMPLE");
    assert_int_equal(c.kvno, 1);
    key_world_close(&world);
    assert_true(read_capture(PICKET_TEST_DATA "/n01_kinit.pcap", NULL));
    assert_string_equal(seen.trace, "E\nE\nA\n");
    assert_false(key_holder_complaint_at(world.holder, 0, &c));
    key_world_close(&world);
}

/* --- the whole lab, when it is there --- */

struct wanted {
    const char *name;
    unsigned not_opened; /* tickets */
};

static void test_lab(void **state)
{
    (void)state;
    /* Golden tickets in RC4, of which the domain has no key. */
    static const struct wanted exceptions[] = {{"a21_golden_rc4.pcap", 3}};
    glob_t found;
    if (glob(LAB "/[an]*.pcap", 0, NULL, &found) != 0) {
        print_message("the lab's captures are not there\n");
        return;
    }
    unsigned tickets = 0, authenticators = 0;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *name = strrchr(found.gl_pathv[i], '/') + 1;
        unsigned wanted = 0;
        for (size_t j = 0; j < sizeof exceptions / sizeof *exceptions; j++)
            if (strcmp(name, exceptions[j].name) == 0)
                wanted = exceptions[j].not_opened;
        assert_true(read_capture(found.gl_pathv[i], LAB "/lab.keytab"));
        unsigned not_opened = seen.other[UNSEALED_PRESENTED] + seen.other[UNSEALED_ISSUED] +
                              seen.other[UNSEALED_ARMOR] + seen.other[UNSEALED_ADDITIONAL];
        if (not_opened != wanted || seen.bad_signatures)
            fail_msg("%s: %u tickets not opened, %u bad signatures\n%s", name, not_opened,
                     seen.bad_signatures, seen.trace);
        assert_int_equal(seen.other[UNSEALED_AUTHENTICATOR], 0);
        assert_int_equal(seen.other[UNSEALED_FAST_RESPONSE], 0);
        tickets += seen.fine[UNSEALED_PRESENTED] + seen.fine[UNSEALED_ISSUED];
        authenticators += seen.fine[UNSEALED_AUTHENTICATOR];
        key_world_close(&world);
    }
    print_message("%u tickets, %u authenticators in %zu captures\n", tickets, authenticators, found.gl_pathc);
    assert_true(tickets > 150 && authenticators > 80);
    globfree(&found);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_on),  cmocka_unit_test(test_services), cmocka_unit_test(test_armor),
        cmocka_unit_test(test_without), cmocka_unit_test(test_lab),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
