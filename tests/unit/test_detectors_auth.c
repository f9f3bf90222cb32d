/* SPDX-License-Identifier: Apache-2.0
 *
 * Detectors of guessed names and passwords, and of tools: just below and at their thresholds.
 */
#include "tests/unit/detector_world.h"

#include "center/geo.h"

extern const struct detector detector_account_enumeration, detector_brute_force,
    detector_brute_force_distributed, detector_brute_force_ldap, detector_computer_preauthentication,
    detector_protocol_overpass, detector_protocol_brute_force, detector_protocol_metasploit,
    detector_protocol_wannacry, detector_honeytoken_authentication, detector_vpn, detector_zerologon,
    detector_asrep_roasting;

/* An AS exchange; `proved`: with a time stamp of that type, 0: without. */
static void as(struct world *world, unsigned source, const char *account, unsigned status, int proved)
{
    struct activity_writer *w = world_begin(world, ACTIVITY_KERBEROS_AS, source);
    activity_put_text(w, FIELD_ACCOUNT, account);
    activity_put_text(w, FIELD_ACCOUNT_DOMAIN, "PICKET.LAB");
    activity_put_uint(w, FIELD_STATUS, status);
    if (proved)
        activity_put_int(w, FIELD_PREAUTH_ETYPE, proved);
    world_send(world);
}

static void ntlm(struct world *world, unsigned source, const char *account, unsigned status)
{
    struct activity_writer *w = world_begin(world, ACTIVITY_NTLM_AUTHENTICATE, source);
    activity_put_text(w, FIELD_CARRIER, "smb");
    activity_put_text(w, FIELD_ACCOUNT, account);
    activity_put_text(w, FIELD_ACCOUNT_DOMAIN, "PICKET");
    activity_put_text(w, FIELD_NTLM_VARIANT, "ntlmv2");
    activity_put_uint(w, FIELD_STATUS, status);
    world_send(world);
}

static void ntlm_by_rpc(struct world *world, const char *account, unsigned status)
{
    struct activity_writer *w = world_begin(world, ACTIVITY_NTLM_AUTHENTICATE, 9);
    activity_put_text(w, FIELD_CARRIER, "dcerpc");
    activity_put_text(w, FIELD_ACCOUNT, account);
    activity_put_text(w, FIELD_NTLM_VARIANT, "ntlmv2");
    activity_put_uint(w, FIELD_STATUS, status);
    world_send(world);
}

static void bind(struct world *world, unsigned source, const char *account, unsigned status, unsigned error)
{
    struct activity_writer *w = world_begin(world, ACTIVITY_LDAP_BIND, source);
    activity_put_text(w, FIELD_ACCOUNT, account);
    activity_put_text(w, FIELD_BIND_METHOD, "simple");
    activity_put_bool(w, FIELD_PASSWORD_SENT, true);
    activity_put_uint(w, FIELD_STATUS, status);
    if (error)
        activity_put_uint(w, FIELD_DIRECTORY_ERROR, error);
    world_send(world);
}

static const char *numbered(const char *prefix, unsigned number)
{
    static char text[32];
    snprintf(text, sizeof(text), "%s%u", prefix, number);
    return text;
}

/* The first call after them tells, and its fault must be one that says so. */
static void guesses_by_rpc(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_brute_force);
    for (unsigned i = 0; i < 100; i++) {
        ntlm_by_rpc(world, "alice", 5); /* RPC_S_ACCESS_DENIED: to the call, may be */
        ntlm_by_rpc(world, "alice", 0);
    }
    assert_int_equal(world->count, 0);
    world_free(world);
    static const unsigned faults[] = {0x721, 0x1c01000b};
    for (unsigned f = 0; f < 2; f++) {
        world = world_new(&detector_brute_force);
        for (unsigned i = 0; i < 40; i++)
            ntlm_by_rpc(world, "alice", faults[f]);
        assert_true(world->count > 0);
        world_free(world);
    }
}

/* -- 2003 ----------------------------------------------------------------------------------------------- */

static void names_are_counted_each_once(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_account_enumeration);
    for (unsigned i = 0; i < 50; i++)
        as(world, 9, "printer", 6, 0); /* for ever the same wrong name */
    for (unsigned i = 0; i < 3; i++)
        as(world, 9, numbered("nobody", i), 6, 0);
    as(world, 9, "alice", 25, 0);
    assert_int_equal(world->count, 0);
    as(world, 9, "nobody9", 6, 0);
    assert_int_equal(world->count, 1);
    assert_int_equal(world->last.external_id, 2003);
    assert_int_equal(world->last.severity, SEVERITY_MEDIUM);
    assert_true(world_number(world, "unknown_names") == 5);
    assert_true(world_number(world, "existing_names") == 1);
    assert_true(world_names(world, ALERT_ACCOUNT, "alice"));
    assert_true(world_names(world, ALERT_SOURCE, "10.0.0.9"));
    world_free(world);
}

static void a_gateway_of_many_people_is_none(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_account_enumeration);
    for (unsigned i = 0; i < 10; i++)
        as(world, 9, numbered("user", i), 0, 18);
    for (unsigned i = 0; i < 9; i++)
        as(world, 9, numbered("nobody", i), 6, 0);
    assert_int_equal(world->count, 0);
    world->now += 3 * CLOCK_HOUR; /* forgotten: neither may they add up over a day */
    for (unsigned i = 0; i < 4; i++)
        as(world, 9, numbered("other", i), 6, 0);
    assert_int_equal(world->count, 0);
    world_free(world);
}

static void other_protocols_tell_it_too(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_account_enumeration);
    for (unsigned i = 0; i < 5; i++)
        ntlm(world, 9, numbered("n", i), 0xc0000064);
    assert_int_equal(world->count, 1);
    for (unsigned i = 0; i < 5; i++)
        bind(world, 8, numbered("l", i), 49, 0x525);
    assert_int_equal(world->count, 2);
    for (unsigned i = 0; i < 5; i++) {
        struct activity_writer *w = world_begin(world, ACTIVITY_NTLM_VALIDATION, 0);
        activity_put_text(w, FIELD_ACCOUNT, numbered("e", i));
        activity_put_text(w, FIELD_WORKSTATION, "SSHD");
        activity_put_uint(w, FIELD_STATUS, 0xc0000064);
        world_send(world);
    }
    assert_int_equal(world->count, 3);
    assert_true(world_names(world, ALERT_SOURCE, "SSHD"));
    world_free(world);
}

static void exclusions_hold(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_account_enumeration);
    world_exclude(world, "account_enumeration address:10.0.0.0/24");
    for (unsigned i = 0; i < 9; i++)
        as(world, 9, numbered("nobody", i), 6, 0);
    assert_int_equal(world->count, 0);
    for (unsigned i = 0; i < 9; i++)
        as(world, 0x109, numbered("nobody", i), 6, 0);
    assert_int_equal(world->count, 5);
    world_free(world);
}

/* -- 2004, 2023 ----------------------------------------------------------------------------------------- */

static void many_passwords_for_one(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_brute_force);
    for (unsigned i = 0; i < 9; i++) {
        as(world, 9, "alice", 25, 0); /* no password yet */
        as(world, 9, "alice", 24, 18);
    }
    assert_int_equal(world->count, 0);
    as(world, 9, "alice", 24, 18);
    assert_int_equal(world->count, 1);
    assert_string_equal(world_text(world, "shape"), "vertical");
    as(world, 9, "alice", 18, 18); /* locked out */
    assert_int_equal(world->count, 2);
    as(world, 9, "alice", 0, 18);
    assert_int_equal(world->count, 3);
    assert_true(world_number(world, "succeeded") == 1);
    assert_non_null(strstr(world->last.explanation, "alice was logged on to"));
    world_free(world);
}

static void few_passwords_for_many(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_brute_force);
    ntlm(world, 9, "hit", 0); /* before any failure: not told */
    for (unsigned i = 0; i < 10; i++)
        ntlm(world, 9, numbered("user", i), i % 2 ? 0xc000006d : 0xc0000064);
    assert_int_equal(world->count, 1);
    assert_string_equal(world_text(world, "shape"), "spray");
    assert_string_equal(world_text(world, "protocol"), "NTLM");
    assert_true(world_number(world, "accounts") == 10);
    for (unsigned i = 0; i < 20; i++)
        ntlm(world, 8, numbered("user", i), 0);
    for (unsigned i = 0; i < 15; i++)
        ntlm(world, 8, numbered("user", i), 0xc000006a); /* less than half of all */
    assert_int_equal(world->count, 1);
    world_free(world);
}

/* Names as long as they may be, of characters of several bytes, and what is no text. */
static void a_spray_that_takes_its_time(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_brute_force);
    for (unsigned i = 0; i < 30; i++) { /* two an hour */
        world->now += 20 * CLOCK_MINUTE;
        ntlm(world, 9, numbered("user", i), 0xc000006d);
        if (i == 15)
            assert_int_equal(world->count, 0);
    }
    assert_true(world->count > 0);
    assert_string_equal(world_text(world, "shape"), "slow spray");
    world_free(world);
    world = world_new(&detector_brute_force);
    for (unsigned i = 0; i < 40; i++) { /* a gateway: most are let in */
        world->now += 20 * CLOCK_MINUTE;
        ntlm(world, 9, numbered("user", i), 0xc000006d);
        ntlm(world, 9, numbered("user", i), 0);
        ntlm(world, 9, numbered("user", i), 0);
    }
    for (unsigned i = 0; i < 60; i++) { /* old passwords of a few, for ever */
        world->now += 20 * CLOCK_MINUTE;
        ntlm(world, 8, numbered("user", i % 3), 0xc000006d);
    }
    assert_int_equal(world->count, 0);
    world_free(world);
}

static void odd_names_are_kept_whole(void **state)
{
    (void)state;
    static char odd[4001];
    for (unsigned i = 0; i < 4000; i += 2)
        memcpy(odd + i, "\xc3\xa9", 2);
    struct world *world = world_new(&detector_brute_force);
    for (unsigned i = 0; i < 9; i++)
        ntlm(world, 9, numbered("\xff\x01%s%n", i), 0xc000006d);
    ntlm(world, 9, odd, 0);
    ntlm(world, 9, odd, 0xc000006d);
    assert_int_equal(world->count, 1);
    unsigned kept = 0;
    for (uint32_t i = 0; i < world->last.party_count; i++) {
        const struct alert_party *party = &world->last.parties[i];
        size_t size = strlen(party->name);
        if (party->role == ALERT_ACCOUNT && size == 46) { /* of 47, and no half character */
            assert_int_equal((uint8_t)party->name[44], 0xc3);
            kept++;
        }
    }
    assert_int_equal(kept, 1);
    world_free(world);
}

static void old_smb_is_heard(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_brute_force);
    for (unsigned i = 0; i < 10; i++) {
        struct activity_writer *w = world_begin(world, ACTIVITY_SMB_SESSION, 9);
        activity_put_text(w, FIELD_SESSION_MECHANISM, "password");
        activity_put_text(w, FIELD_ACCOUNT, "admin");
        activity_put_uint(w, FIELD_STATUS, 0xc000006d);
        world_send(world);
    }
    assert_int_equal(world->count, 1);
    world_free(world);
}

static void learning_is_waited_for(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_brute_force);
    world->settings.learned = false;
    for (unsigned i = 0; i < 20; i++)
        as(world, 9, "alice", 24, 18);
    assert_int_equal(world->count, 0);
    world->now += 7 * CLOCK_DAY;
    for (unsigned i = 0; i < 20; i++)
        as(world, 8, "alice", 24, 18);
    assert_int_equal(world->count, 11);
    world_free(world);
}

/* A service with an outdated password fails twenty times a day; then a hundred times. */
static void what_fails_every_day_is_known(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_brute_force);
    unsigned first = 0;
    for (unsigned day = 0; day < 14; day++) {
        for (unsigned i = 0; i < 20; i++)
            as(world, 9, "svc_old", 24, 18);
        if (day == 0)
            first = world->count;
        world->now += CLOCK_DAY - 20 * CLOCK_SECOND;
    }
    assert_int_equal(first, 11);
    unsigned before = world->count;
    for (unsigned i = 0; i < 20; i++)
        as(world, 9, "svc_old", 24, 18);
    assert_int_equal(world->count, before);
    for (unsigned i = 0; i < 200; i++)
        as(world, 9, "svc_old", 24, 18);
    assert_true(world->count > before);
    assert_true(world_number(world, "probability") <= 0.001);
    world_free(world);
}

static void as_on(struct world *world, const char *computer, const char *account, unsigned status)
{
    struct activity_writer *w = world_begin(world, ACTIVITY_KERBEROS_AS, 40);
    activity_put_text(w, FIELD_ACCOUNT, account);
    activity_put_text(w, FIELD_ACCOUNT_DOMAIN, "PICKET.LAB");
    activity_put_uint(w, FIELD_STATUS, status);
    activity_put_int(w, FIELD_PREAUTH_ETYPE, 18);
    activity_put_text(w, FIELD_SOURCE_COMPUTER, computer);
    activity_put_text(w, FIELD_SOURCE_COMPUTER_DOMAIN, "picket.lab");
    activity_put_uint(w, FIELD_SOURCE_CONFIDENCE, 100);
    world_send(world);
}

/* 4771 and what the wire tells, whichever comes first. */
static void a_guess_is_counted_once(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_brute_force);
    for (unsigned i = 0; i < 10; i++) {
        if (i % 2)
            as(world, 9, "alice", 24, 18);
        struct activity_writer *w = world_begin(world, ACTIVITY_WINDOWS_KERBEROS_AS, 9);
        activity_put_text(w, FIELD_ACCOUNT, "alice");
        activity_put_text(w, FIELD_ACCOUNT_DOMAIN, "PICKET.LAB");
        activity_put_uint(w, FIELD_STATUS, 24);
        activity_put_int(w, FIELD_PREAUTH_TYPE, 2);
        world_send(world);
        assert_int_equal(world->count, i == 9);
        if (i % 2 == 0)
            as(world, 9, "alice", 24, 18);
    }
    assert_true(world_number(world, "tries") == 10);
    world_free(world);
}

/* The owner's telephone goes on with the old password; somebody who sits down there guesses others'. */
static void an_old_password_at_home_is_no_guess(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_brute_force);
    for (unsigned i = 0; i < 3; i++) {
        as_on(world, "WS1", "alice", 0);
        world->now += CLOCK_HOUR;
    }
    for (unsigned i = 0; i < 20; i++)
        as_on(world, "WS1", "alice", 24);
    assert_int_equal(world->count, 0);
    for (unsigned i = 0; i < 10; i++)
        as_on(world, "WS1", numbered("user", i), 24);
    assert_int_equal(world->count, 1);
    assert_true(world_number(world, "at_home") == 20);
    world->now += CLOCK_HOUR;
    as_on(world, "WS1", "bob", 0); /* once is no home */
    for (unsigned i = 0; i < 10; i++)
        as_on(world, "WS1", "bob", 24);
    assert_int_equal(world->count, 2);
    world->now += 2 * CLOCK_HOUR;
    for (unsigned i = 0; i < 29; i++)
        as_on(world, "WS1", "alice", 24);
    assert_int_equal(world->count, 2);
    as_on(world, "WS1", "alice", 24); /* so many are no telephone's */
    assert_int_equal(world->count, 3);
    world_free(world);
}

static void guesses_from_many_sources(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_brute_force_distributed);
    for (unsigned i = 0; i < 40; i++)
        as(world, 20 + i % 4, "alice", 24, 18);
    assert_int_equal(world->count, 0); /* four sources */
    for (unsigned i = 0; i < 20; i++)
        as(world, 20 + i % 6, "bob", 24, 18);
    assert_int_equal(world->count, 1);
    assert_true(world_number(world, "sources") == 6);
    as(world, 77, "bob", 0, 18);
    assert_int_equal(world->count, 2);
    assert_true(world_number(world, "succeeded") == 1);
    world_free(world);
}

static void simple_binds_that_take_their_time(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_brute_force_ldap);
    for (unsigned i = 0; i < 30; i++) {
        world->now += 20 * CLOCK_MINUTE;
        bind(world, 9, numbered("user", i), 49, 0x52e);
        bind(world, 8, numbered("user", i % 4), 49, 0x52e); /* a program with old passwords */
    }
    assert_true(world->count > 0);
    assert_string_equal(world_text(world, "shape"), "slow spray");
    assert_true(world_names(world, ALERT_SOURCE, "10.0.0.9"));
    world_free(world);
}

static void simple_binds(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_brute_force_ldap);
    for (unsigned i = 0; i < 9; i++)
        bind(world, 9, numbered("user", i), 49, 0x52e);
    bind(world, 9, "user17", 0, 0);
    assert_int_equal(world->count, 0);
    bind(world, 9, "user18", 49, 0x775);
    assert_int_equal(world->count, 1);
    assert_true(world_names(world, ALERT_ACCOUNT, "user17"));
    bind(world, 9, "nobody", 49, 0x525);
    assert_int_equal(world->count, 2);
    bind(world, 9, "user19", 0, 0);
    assert_int_equal(world->count, 3);
    bind(world, 9, "user19", 53, 0); /* unwilling: no password was looked at */
    assert_int_equal(world->count, 3);
    world_free(world);
}

/* -- 2005 ----------------------------------------------------------------------------------------------- */

static void broken_trust(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_computer_preauthentication);
    for (unsigned i = 0; i < 5; i++)
        as(world, 9, "WS01$", 24, 18);
    for (unsigned i = 0; i < 50; i++)
        as(world, 9, "alice", 24, 18); /* people are others' */
    assert_int_equal(world->count, 0);
    as(world, 9, "WS01$", 0, 18);
    for (unsigned i = 0; i < 5; i++)
        as(world, 9, "WS01$", 24, 18);
    assert_int_equal(world->count, 0);
    world->now += CLOCK_DAY;
    as(world, 9, "WS01$", 24, 18);
    assert_int_equal(world->count, 0);
    for (unsigned i = 0; i < 5; i++)
        as(world, 9, "WS01$", 24, 18);
    assert_int_equal(world->count, 1);
    assert_true(world_number(world, "failures") == 6);
    assert_int_equal(world->last.severity, SEVERITY_LOW);
    for (unsigned i = 0; i < 200; i++)
        as(world, 9, "WS01$", 24, 18);
    assert_true(world_number(world, "failures") == 64);
    world_free(world);
}

/* -- 2411, 2412 ----------------------------------------------------------------------------------------- */

static void netlogon(struct world *world, enum activity_kind kind, bool zero, unsigned status)
{
    struct activity_writer *w = world_begin(world, kind, 9);
    activity_put_text(w, FIELD_NETLOGON_ACCOUNT, "DC1$");
    if (kind == ACTIVITY_NETLOGON_CHALLENGE)
        activity_put_bool(w, FIELD_NETLOGON_CHALLENGE_ZERO, zero);
    else
        activity_put_bool(w, FIELD_NETLOGON_CREDENTIAL_ZERO, zero);
    activity_put_uint(w, FIELD_STATUS, status);
    world_send(world);
}

static void channels_are_forced(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_zerologon);
    netlogon(world, ACTIVITY_NETLOGON_CHALLENGE, false, 0);
    netlogon(world, ACTIVITY_NETLOGON_AUTHENTICATE, false, 0);
    netlogon(world, ACTIVITY_NETLOGON_PASSWORD_SET, false, 0);
    for (unsigned i = 0; i < 49; i++)
        netlogon(world, ACTIVITY_NETLOGON_AUTHENTICATE, false, 0xc0000022);
    assert_int_equal(world->count, 0);
    netlogon(world, ACTIVITY_NETLOGON_AUTHENTICATE, false, 0xc0000022);
    assert_int_equal(world->count, 1);
    world->now += CLOCK_HOUR;
    netlogon(world, ACTIVITY_NETLOGON_CHALLENGE, true, 0);
    assert_int_equal(world->count, 2);
    assert_string_equal(world_text(world, "outcome"), "failure");
    netlogon(world, ACTIVITY_NETLOGON_AUTHENTICATE, true, 0);
    assert_string_equal(world_text(world, "outcome"), "success");
    netlogon(world, ACTIVITY_NETLOGON_PASSWORD_SET, false, 0);
    assert_int_equal(world->count, 4);
    assert_string_equal(world_text(world, "outcome"), "success");
    assert_int_equal(world->last.severity, SEVERITY_HIGH);
    assert_true(world_names(world, ALERT_TARGET, "DC1$"));
    world_free(world);
}

static void roast(struct world *world, const char *account, int etype, const int *offered, int name_type)
{
    struct activity_writer *w = world_begin(world, ACTIVITY_KERBEROS_AS, 9);
    activity_put_text(w, FIELD_ACCOUNT, account);
    activity_put_int(w, FIELD_CLIENT_NAME_TYPE, name_type);
    world_ints(w, FIELD_OFFERED_ETYPES, offered);
    INTS(w, FIELD_PADATA_TYPES, 128);
    activity_put_uint(w, FIELD_STATUS, 0);
    activity_put_int(w, FIELD_REPLY_ETYPE, etype);
    world_send(world);
}

static void answers_without_proof(void **state)
{
    (void)state;
    static const int modern[] = {18, 17, 23, 9999}, old[] = {23, 9999};
    struct world *world = world_new(&detector_asrep_roasting);
    world->entries[world->entry_count++] = (struct world_entry){"lax", {.bits = FACT_NO_PREAUTH}};
    roast(world, "WELLKNOWN/ANONYMOUS", 23, modern, 11);
    roast(world, "a", 18, modern, 1);
    roast(world, "b", 18, modern, 1);
    as(world, 9, "c", 25, 0);
    as(world, 9, "c", 0, 18);
    assert_int_equal(world->count, 0);
    roast(world, "c", 18, modern, 1);
    assert_int_equal(world->count, 1); /* the third account */
    world->now += CLOCK_HOUR;
    roast(world, "lax", 23, old, 1);
    assert_int_equal(world->count, 2);
    assert_non_null(strstr(world->last.explanation, "needs no pre-authentication"));
    struct activity_writer *w = world_begin(world, ACTIVITY_WINDOWS_KERBEROS_AS, 8);
    activity_put_text(w, FIELD_ACCOUNT, "event");
    activity_put_int(w, FIELD_ISSUED_TICKET_ETYPE, 23);
    activity_put_int(w, FIELD_PREAUTH_TYPE, 0);
    activity_put_uint(w, FIELD_STATUS, 0);
    world_send(world);
    assert_int_equal(world->count, 3);
    for (unsigned day = 1; day < 4; day++) { /* one day does not excuse the next, two do */
        world->now += CLOCK_DAY;
        roast(world, "lax", 23, old, 1);
        assert_int_equal(world->count, 4);
    }
    world_free(world);
}

/* -- 2002, 2033, 2034, 2035 ----------------------------------------------------------------------------- */

static void kerberos_client(struct world *world, uint64_t options, const int *etypes, const int *padata,
                            int name_type, bool addresses)
{
    struct activity_writer *w = world_begin(world, ACTIVITY_KERBEROS_AS, 9);
    activity_put_text(w, FIELD_ACCOUNT, "alice");
    activity_put_uint(w, FIELD_KDC_OPTIONS, options);
    world_ints(w, FIELD_OFFERED_ETYPES, etypes);
    world_ints(w, FIELD_PADATA_TYPES, padata);
    activity_put_int(w, FIELD_SERVICE_NAME_TYPE, name_type);
    activity_put_uint(w, FIELD_STATUS, 0);
    if (addresses) {
        activity_list_begin(w, FIELD_HOST_ADDRESSES);
        activity_list_string(w, "WS01", 4);
        activity_list_end(w);
    }
    world_send(world);
}

static void tools_are_known_by_how_they_ask(void **state)
{
    (void)state;
    static const int windows[] = {18, 17, 23, 24, -135, 3, 9999}, rc4[] = {23, 9999}, aes[] = {18, 9999};
    static const int stolen[] = {0, 0, 23, -133, -128, 24, -135, 9999}, proof[] = {2, 128, 9999};
    static const int mit[] = {18, 17, 20, 19, 16, 23, 25, 26, 9999}, mit_data[] = {2, 150, 149, 9999};
    static const int more[] = {2, 128, 149, 9999}, none[] = {9999};
    struct world *world = world_new(&detector_protocol_overpass);
    kerberos_client(world, 0x40810010, windows, proof, 2, true);
    kerberos_client(world, 0x10, mit, mit_data, 2, false);
    kerberos_client(world, 0x50800000, rc4, more, 1, false); /* one more than the tool has */
    kerberos_client(world, 0x50800000, rc4, none, 1, false);
    kerberos_client(world, 0x50800000, rc4, proof, 2, false);
    kerberos_client(world, 0x40800010, aes, proof, 2, true);
    assert_int_equal(world->count, 0);
    kerberos_client(world, 0x50800000, rc4, proof, 1, false);
    assert_int_equal(world->count, 1);
    assert_string_equal(world_text(world, "fingerprint"), "impacket");
    kerberos_client(world, 0x40810010, stolen, proof, 2, true);
    assert_string_equal(world_text(world, "fingerprint"), "mimikatz_pth");
    kerberos_client(world, 0x40800010, aes, proof, 2, false);
    assert_string_equal(world_text(world, "fingerprint"), "rubeus");
    assert_int_equal(world->count, 3);
    assert_string_equal(world->last.name, "AbnormalProtocolSecurityAlert");
    world_free(world);
}

static void negotiate(struct world *world, unsigned source, const char *guid, unsigned capabilities)
{
    struct activity_writer *w = world_begin(world, ACTIVITY_SMB_NEGOTIATE, source);
    activity_put_uuid(w, FIELD_CLIENT_GUID, (const uint8_t *)guid);
    activity_put_uint(w, FIELD_CLIENT_CAPABILITIES, capabilities);
    activity_put_uint(w, FIELD_STATUS, 0);
    world_send(world);
}

static void smb_session(struct world *world, unsigned source, const char *os, const char *lanman,
                        const char *mechanism, const char *account, unsigned status)
{
    struct activity_writer *w = world_begin(world, ACTIVITY_SMB_SESSION, source);
    activity_put_text(w, FIELD_CLIENT_OS, os);
    activity_put_text(w, FIELD_CLIENT_LANMAN, lanman);
    activity_put_text(w, FIELD_SESSION_MECHANISM, mechanism);
    if (account)
        activity_put_text(w, FIELD_ACCOUNT, account);
    activity_put_uint(w, FIELD_STATUS, status);
    world_send(world);
}

static void what_a_tool_goes_on_to_do(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_protocol_overpass);
    negotiate(world, 9, "\x12rTsDJqQtvlpGLxHz", 0x40); /* not all are letters */
    negotiate(world, 9, "edDsrTsDJqQtvlpG", 0x7f);
    ntlm(world, 9, "alice", 0);
    assert_int_equal(world->count, 0);
    negotiate(world, 9, "edDsrTsDJqQtvlpG", 0x40);
    assert_int_equal(world->count, 1);
    ntlm(world, 9, "alice", 0);
    assert_int_equal(world->count, 2);
    assert_true(world_names(world, ALERT_ACCOUNT, "alice"));
    ntlm(world, 8, "bob", 0);
    world->now += CLOCK_HOUR;
    ntlm(world, 9, "bob", 0);
    assert_int_equal(world->count, 2);
    world_free(world);
}

static void a_tool_that_fails_often_guesses(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_protocol_brute_force);
    for (unsigned i = 0; i < 20; i++)
        smb_session(world, 7, "Unix", "Samba 4", "ntlm", "alice", 0xc000006d);
    negotiate(world, 9, "edDsrTsDJqQtvlpG", 0x40);
    for (unsigned i = 0; i < 4; i++)
        smb_session(world, 9, "", "", "ntlm", "alice", 0xc000006d);
    smb_session(world, 9, "", "", "ntlm", "alice", 0);
    assert_int_equal(world->count, 0);
    smb_session(world, 9, "", "", "ntlm", "alice", 0xc000006d);
    assert_int_equal(world->count, 1);
    assert_true(world_number(world, "attempts") == 5);
    struct activity_writer *w = world_begin(world, ACTIVITY_SMB_NEGOTIATE, 8);
    static const char *const dialects[] = {"PC NETWORK PROGRAM 1.0",
                                           "MICROSOFT NETWORKS 1.03",
                                           "MICROSOFT NETWORKS 3.0",
                                           "LANMAN1.0",
                                           "LM1.2X002",
                                           "DOS LANMAN2.1",
                                           "LANMAN2.1",
                                           "Samba",
                                           "NT LANMAN 1.0",
                                           "NT LM 0.12"};
    activity_list_begin(w, FIELD_SMB1_DIALECTS);
    for (unsigned i = 0; i < 10; i++)
        activity_list_string(w, dialects[i], strlen(dialects[i]));
    activity_list_end(w);
    world_send(world);
    assert_int_equal(world->count, 2);
    assert_string_equal(world_text(world, "fingerprint"), "hydra");
    world_free(world);
}

static void old_words_of_new_clients(void **state)
{
    (void)state;
    struct world *worm = world_new(&detector_protocol_wannacry);
    struct world *framework = world_new(&detector_protocol_metasploit);
    struct world *both[] = {worm, framework};
    for (unsigned i = 0; i < 2; i++) {
        smb_session(both[i], 9, "Windows 2000 2195", "Windows 2000 5.0", "ntlm", NULL, 0);
        smb_session(both[i], 9, "Windows 2000 2195", "Windows 2000 5.0", "password", "admin", 0);
        smb_session(both[i], 9, "Windows 10", "Windows 10 6.3", "ntlm", NULL, 0);
    }
    assert_int_equal(worm->count, 1);
    assert_int_equal(worm->last.external_id, 2035);
    assert_int_equal(framework->count, 1);
    assert_int_equal(framework->last.external_id, 2034);
    assert_string_equal(world_text(framework, "client_os"), "Windows 2000 2195");
    world_free(worm);
    world_free(framework);
}

/* -- 2014 ----------------------------------------------------------------------------------------------- */

static void bait_is_taken(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_honeytoken_authentication);
    world->entries[world->entry_count++] = (struct world_entry){"honey", {.bits = FACT_HONEYTOKEN}};
    as(world, 9, "alice", 0, 18);
    assert_int_equal(world->count, 0);
    as(world, 9, "honey", 24, 18);
    ntlm(world, 9, "HONEY", 0);
    assert_int_equal(world->count, 2);
    assert_true(world_number(world, "succeeded") == 1);
    struct activity_writer *w = world_begin(world, ACTIVITY_KERBEROS_TGS, 9);
    activity_put_text(w, FIELD_ACCOUNT, "alice");
    activity_put_text(w, FIELD_SERVICE, "HTTP/honey");
    activity_put_text(w, FIELD_SERVICE_OWNER, "honey");
    activity_put_uint(w, FIELD_STATUS, 0);
    world_send(world);
    assert_int_equal(world->count, 3);
    assert_true(world_names(world, ALERT_TARGET, "honey"));
    w = world_begin(world, ACTIVITY_RADIUS_ACCESS, 9);
    activity_put_text(w, FIELD_ACCOUNT, "honey");
    activity_put_text(w, FIELD_RADIUS_CODE, "reject");
    world_send(world);
    assert_non_null(strstr(world->last.explanation, "VPN"));
    w = world_begin(world, ACTIVITY_KERBEROS_AP, 9);
    activity_put_text(w, FIELD_ACCOUNT_NAME, "honey");
    world_send(world);
    assert_int_equal(world->count, 5);
    world_free(world);
}

/* -- 2025 ----------------------------------------------------------------------------------------------- */

static bool places(const struct ip_address *address, struct geo_place *to)
{
    static const struct geo_place known[] = {{"DE", "Berlin", true, 52.52, 13.40},
                                             {"DE", "Munich", true, 48.14, 11.58},
                                             {"SG", "Singapore", true, 1.35, 103.82},
                                             {"US", "", false, 0, 0}};
    if (address->bytes[3] >= 4)
        return false;
    *to = known[address->bytes[3]];
    return true;
}

static void vpn(struct world *world, const char *from)
{
    struct activity_writer *w = world_begin(world, ACTIVITY_RADIUS_ACCOUNTING, 9);
    activity_put_text(w, FIELD_ACCOUNT, "alice");
    activity_put_text(w, FIELD_RADIUS_STATUS, "start");
    activity_put_text(w, FIELD_CALLING_STATION, from);
    world_send(world);
}

static void far_away(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_vpn);
    vpn(world, "203.0.113.2"); /* without a database: nothing */
    geo_use(places);
    assert_true(geo_is_open());
    for (unsigned i = 0; i < 4; i++)
        vpn(world, "203.0.113.0");
    vpn(world, "203.0.113.2");
    assert_int_equal(world->count, 0); /* the fifth is still learned from */
    world->now += CLOCK_DAY;
    vpn(world, "203.0.113.1");
    vpn(world, "203.0.113.9");       /* not known */
    vpn(world, "00-11-22-33-44-55"); /* no address */
    assert_int_equal(world->count, 0);
    vpn(world, "203.0.113.2"); /* a known country, but within a second */
    assert_int_equal(world->count, 1);
    assert_true(world_number(world, "distance") > 9000 && world_number(world, "distance") < 11000);
    assert_string_equal(world_text(world, "city"), "Singapore");
    world->now += CLOCK_DAY;
    vpn(world, "203.0.113.3"); /* a country that is new */
    assert_int_equal(world->count, 2);
    vpn(world, "203.0.113.3");
    assert_int_equal(world->count, 2);
    geo_use(NULL);
    struct fault fault;
    assert_false(geo_open("/nowhere.mmdb", &fault));
    assert_non_null(strstr(fault.text, "/nowhere.mmdb"));
    assert_false(geo_is_open());
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guesses_by_rpc),
        cmocka_unit_test(names_are_counted_each_once),
        cmocka_unit_test(a_gateway_of_many_people_is_none),
        cmocka_unit_test(other_protocols_tell_it_too),
        cmocka_unit_test(exclusions_hold),
        cmocka_unit_test(many_passwords_for_one),
        cmocka_unit_test(few_passwords_for_many),
        cmocka_unit_test(a_spray_that_takes_its_time),
        cmocka_unit_test(odd_names_are_kept_whole),
        cmocka_unit_test(old_smb_is_heard),
        cmocka_unit_test(learning_is_waited_for),
        cmocka_unit_test(what_fails_every_day_is_known),
        cmocka_unit_test(a_guess_is_counted_once),
        cmocka_unit_test(an_old_password_at_home_is_no_guess),
        cmocka_unit_test(guesses_from_many_sources),
        cmocka_unit_test(simple_binds),
        cmocka_unit_test(simple_binds_that_take_their_time),
        cmocka_unit_test(broken_trust),
        cmocka_unit_test(channels_are_forced),
        cmocka_unit_test(answers_without_proof),
        cmocka_unit_test(tools_are_known_by_how_they_ask),
        cmocka_unit_test(what_a_tool_goes_on_to_do),
        cmocka_unit_test(a_tool_that_fails_often_guesses),
        cmocka_unit_test(old_words_of_new_clients),
        cmocka_unit_test(bait_is_taken),
        cmocka_unit_test(far_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
