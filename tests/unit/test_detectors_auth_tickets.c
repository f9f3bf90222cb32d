/* SPDX-License-Identifier: Apache-2.0
 *
 * Detectors of stolen, forged and passed-on credentials, and of spoofed names: just below and at what raises
 * them.
 */
#include "tests/unit/detector_world.h"

extern const struct detector detector_downgrade_overpass, detector_downgrade_golden,
    detector_downgrade_silver, detector_downgrade_skeleton, detector_golden_forged_pac,
    detector_golden_lifetime, detector_golden_nonexistent, detector_golden_ticket_anomaly,
    detector_golden_rbcd, detector_pass_the_hash, detector_pass_the_ticket, detector_kerberoasting,
    detector_ntlm_relay, detector_ntlm_tampering, detector_samname_spoofing, detector_dnshostname_spoofing;

#define REALM "PICKET.LAB"

/* An AS exchange that succeeds: by which time stamp, answered and with a ticket by which types; what is
 * offered. */
struct first_ticket {
    unsigned source;
    const char *account;
    int proved, reply, ticket;
    const int *offered;
    uint64_t fingerprint;
    const char *computer; /* at the source */
    unsigned confidence;
    int pac; /* 0: not said, 1: no, 2: yes */
};

static const int aes_first[] = {18, 17, 23, 9999}, rc4_only[] = {23, 9999}, rc4_first[] = {23, 18, 9999};

static void put_computer(struct activity_writer *w, const char *name, unsigned confidence)
{
    activity_put_text(w, FIELD_SOURCE_COMPUTER, name);
    activity_put_text(w, FIELD_SOURCE_COMPUTER_DOMAIN, "picket.lab");
    activity_put_uint(w, FIELD_SOURCE_CONFIDENCE, confidence);
}

static void as(struct world *world, struct first_ticket t)
{
    struct activity_writer *w = world_begin(world, ACTIVITY_KERBEROS_AS, t.source ? t.source : 9);
    activity_put_text(w, FIELD_ACCOUNT, t.account);
    activity_put_text(w, FIELD_ACCOUNT_DOMAIN, REALM);
    activity_put_text(w, FIELD_SERVICE, "krbtgt/" REALM);
    world_ints(w, FIELD_OFFERED_ETYPES, t.offered ? t.offered : aes_first);
    if (t.proved)
        activity_put_int(w, FIELD_PREAUTH_ETYPE, t.proved);
    if (t.pac)
        activity_put_bool(w, FIELD_PAC_REQUEST, t.pac == 2);
    activity_put_uint(w, FIELD_STATUS, 0);
    activity_put_text(w, FIELD_ISSUED_TICKET_SERVICE, "krbtgt/" REALM);
    activity_put_text(w, FIELD_ISSUED_TICKET_REALM, REALM);
    activity_put_int(w, FIELD_ISSUED_TICKET_ETYPE, t.ticket ? t.ticket : 18);
    activity_put_int(w, FIELD_REPLY_ETYPE, t.reply ? t.reply : 18);
    if (t.fingerprint)
        activity_put_uint(w, FIELD_ISSUED_TICKET_FINGERPRINT, t.fingerprint);
    if (t.computer)
        put_computer(w, t.computer, t.confidence);
    world_send(world);
}

struct use {
    unsigned source;
    const char *account, *service;
    unsigned status;
    int ticket, issued;
    const int *offered;
    uint64_t fingerprint;
    int64_t till;
    const char *computer; /* at the source, 100% sure */
    int pac;
    bool proxy;
};

static void tgs(struct world *world, struct use u)
{
    struct activity_writer *w = world_begin(world, ACTIVITY_KERBEROS_TGS, u.source ? u.source : 9);
    if (u.account) {
        activity_put_text(w, FIELD_ACCOUNT, u.account);
        activity_put_text(w, FIELD_ACCOUNT_DOMAIN, REALM);
    }
    activity_put_text(w, FIELD_SERVICE, u.service ? u.service : "cifs/fs1");
    world_ints(w, FIELD_OFFERED_ETYPES, u.offered ? u.offered : aes_first);
    activity_put_text(w, FIELD_TICKET_SERVICE, "krbtgt/" REALM);
    activity_put_text(w, FIELD_TICKET_REALM, REALM);
    activity_put_int(w, FIELD_TICKET_ETYPE, u.ticket ? u.ticket : 18);
    if (u.fingerprint)
        activity_put_uint(w, FIELD_TICKET_FINGERPRINT, u.fingerprint);
    if (u.till)
        activity_put_time(w, FIELD_REQUESTED_TILL, u.till);
    if (u.computer)
        put_computer(w, u.computer, 100);
    if (u.pac)
        activity_put_bool(w, FIELD_PAC_REQUEST, u.pac == 2);
    if (u.proxy)
        activity_put_bool(w, FIELD_S4U2PROXY, true);
    activity_put_uint(w, FIELD_STATUS, u.status);
    if (u.status == 0)
        activity_put_int(w, FIELD_ISSUED_TICKET_ETYPE, u.issued ? u.issued : 18);
    world_send(world);
}

/* -- 2008, 2009, 2010 ----------------------------------------------------------------------------------- */

static void a_hash_instead_of_a_password(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_downgrade_overpass);
    world->entries[world->entry_count++] = (struct world_entry){"svc_old", {.supported_etypes = 0x4}};
    for (unsigned i = 0; i < 3; i++)
        as(world, (struct first_ticket){.account = "alice", .proved = 18});
    assert_int_equal(world->count, 0);
    as(world, (struct first_ticket){.account = "alice", .proved = 23, .reply = 23});
    assert_int_equal(world->count, 1);
    assert_string_equal(world_text(world, "encryption_type"), "RC4");
    assert_true(world_number(world, "strong_before") == 3);
    as(world, (struct first_ticket){.account = "alice", .proved = 23, .reply = 23});
    assert_int_equal(world->count, 2); /* it does not become a habit by being raised */
    /* Only RC4 is offered, nothing is known: raised; not where the domain is old, nor where it is known. */
    as(world, (struct first_ticket){.account = "bob", .proved = 23, .reply = 23, .offered = rc4_only});
    assert_int_equal(world->count, 3);
    as(world, (struct first_ticket){.account = "eve", .proved = 23, .ticket = 23, .offered = rc4_only});
    as(world, (struct first_ticket){.account = "svc_old", .proved = 23, .offered = rc4_only});
    as(world, (struct first_ticket){.account = "mallory", .proved = 23});
    as(world, (struct first_ticket){.account = "mallory", .proved = 23, .offered = rc4_only});
    as(world, (struct first_ticket){.account = "carol", .proved = 16});
    assert_int_equal(world->count, 3);
    world_free(world);
}

static void a_weaker_golden_ticket(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_downgrade_golden);
    for (unsigned i = 0; i < 19; i++)
        as(world, (struct first_ticket){.account = "alice", .proved = 18});
    tgs(world, (struct use){.account = "alice", .ticket = 23, .fingerprint = 5});
    assert_int_equal(world->count, 0);
    as(world, (struct first_ticket){.account = "alice", .proved = 18});
    tgs(world, (struct use){.account = "alice", .ticket = 23, .fingerprint = 6});
    assert_int_equal(world->count, 1);
    assert_true(world_number(world, "strong_issued") == 20);
    as(world, (struct first_ticket){.account = "old", .proved = 18, .ticket = 23, .fingerprint = 7});
    tgs(world, (struct use){.account = "old", .ticket = 23, .fingerprint = 7}); /* seen issued */
    tgs(world, (struct use){.account = "old", .ticket = 23, .fingerprint = 8}); /* they issue such */
    assert_int_equal(world->count, 1);
    world_free(world);
    world = world_new(&detector_downgrade_golden);
    tgs(world, (struct use){.account = "alice", .ticket = 23, .fingerprint = 6, .status = 13});
    assert_int_equal(world->count, 0);
    tgs(world, (struct use){.ticket = 23, .fingerprint = 6, .status = 44});
    assert_int_equal(world->count, 1);
    assert_true(world_number(world, "error_code") == 44);
    world_free(world);
}

static void issue(struct world *world, const char *service, int etype, uint64_t fingerprint)
{
    struct activity_writer *w = world_begin(world, ACTIVITY_KERBEROS_TGS, 9);
    activity_put_text(w, FIELD_TICKET_SERVICE, "krbtgt/" REALM);
    activity_put_text(w, FIELD_TICKET_REALM, REALM);
    activity_put_uint(w, FIELD_STATUS, 0);
    activity_put_text(w, FIELD_ISSUED_TICKET_SERVICE, service);
    activity_put_text(w, FIELD_ISSUED_TICKET_REALM, REALM);
    activity_put_int(w, FIELD_ISSUED_TICKET_ETYPE, etype);
    if (fingerprint)
        activity_put_uint(w, FIELD_ISSUED_TICKET_FINGERPRINT, fingerprint);
    world_send(world);
}

static void present(struct world *world, const char *service, int etype, uint64_t fingerprint)
{
    struct activity_writer *w = world_begin(world, ACTIVITY_KERBEROS_AP, 9);
    activity_put_text(w, FIELD_TICKET_SERVICE, service);
    activity_put_text(w, FIELD_TICKET_REALM, REALM);
    activity_put_int(w, FIELD_TICKET_ETYPE, etype);
    activity_put_uint(w, FIELD_TICKET_FINGERPRINT, fingerprint);
    activity_put_uint(w, FIELD_STATUS, 0);
    world_send(world);
}

static void a_weaker_silver_ticket(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_downgrade_silver);
    issue(world, "ldap/dc1.corp.example/corp.example", 18, 0);
    for (unsigned i = 0; i < 3; i++)
        issue(world, "host/DC1.corp.example:88", 18, 0);
    issue(world, "krbtgt/" REALM, 18, 0);
    present(world, "cifs/dc1.corp.example", 23, 5);
    assert_int_equal(world->count, 0); /* four are not enough */
    issue(world, "cifs/dc1.corp.example", 18, 0);
    present(world, "cifs/dc1.corp.example", 23, 5);
    assert_int_equal(world->count, 1);
    assert_string_equal(world_text(world, "encryption_type"), "RC4");
    assert_true(world_number(world, "strong_issued") == 5);
    present(world, "cifs/dc1.corp.example", 18, 6);
    present(world, "cifs/fs1.corp.example", 23, 7); /* nothing is known of it */
    present(world, "kadmin", 23, 8);
    assert_int_equal(world->count, 1);
    issue(world, "cifs/dc1.corp.example", 23, 9); /* a client asked for no other */
    present(world, "cifs/dc1.corp.example", 23, 9);
    present(world, "cifs/dc1.corp.example", 23, 5);
    assert_int_equal(world->count, 1);
    world_free(world);
}

static void a_skeleton_key(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_downgrade_skeleton);
    as(world, (struct first_ticket){.account = "alice", .proved = 18});
    as(world,
       (struct first_ticket){.account = "bob", .proved = 23, .reply = 23}); /* others are answered well */
    as(world, (struct first_ticket){.account = "alice", .proved = 23, .reply = 23, .offered = rc4_only});
    as(world, (struct first_ticket){.account = "alice", .proved = 23, .reply = 23, .offered = rc4_first});
    assert_int_equal(world->count, 0);
    as(world, (struct first_ticket){.account = "alice", .proved = 23, .reply = 23});
    assert_int_equal(world->count, 1);
    assert_true(world_number(world, "strong_before") == 1);
    world->now += 2 * CLOCK_HOUR; /* since when nobody was answered with AES */
    as(world, (struct first_ticket){.account = "bob", .proved = 23, .reply = 23}); /* its habit */
    assert_int_equal(world->count, 1);
    as(world, (struct first_ticket){.account = "carol", .proved = 23, .reply = 23});
    assert_int_equal(world->count, 2);
    as(world, (struct first_ticket){.account = "dave", .proved = 23, .reply = 23, .ticket = 23});
    assert_int_equal(world->count, 2);
    world_free(world);
}

/* -- golden tickets ------------------------------------------------------------------------------------- */

static void authorization_of_ones_own(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_golden_forged_pac);
    as(world, (struct first_ticket){.account = "alice", .proved = 18, .fingerprint = 1, .pac = 2});
    tgs(world, (struct use){.account = "alice", .fingerprint = 1});
    as(world, (struct first_ticket){.account = "svc", .proved = 18, .fingerprint = 2, .pac = 1});
    tgs(world, (struct use){.account = "svc", .fingerprint = 2, .pac = 2});
    assert_int_equal(world->count, 0);
    tgs(world, (struct use){.account = "svc", .fingerprint = 2, .pac = 1});
    assert_int_equal(world->count, 1);
    assert_string_equal(world_text(world, "method"), "ms14-068");
    world->entries[world->entry_count++] = (struct world_entry){"gone", {.bits = FACT_DISABLED}};
    tgs(world, (struct use){.account = "alice", .fingerprint = 1, .status = 20}); /* seen issued */
    tgs(world, (struct use){.account = "gone", .fingerprint = 3, .status = 20});
    assert_int_equal(world->count, 1);
    tgs(world, (struct use){.account = "admin", .fingerprint = 4, .status = 20});
    assert_int_equal(world->count, 2);
    assert_string_equal(world_text(world, "outcome"), "failure");
    world_free(world);
}

static void tickets_that_live_too_long(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_golden_lifetime);
    tgs(world, (struct use){.account = "alice", .fingerprint = 1});
    world->now += 10 * CLOCK_HOUR + 50 * CLOCK_MINUTE;
    tgs(world, (struct use){.account = "alice", .fingerprint = 1});
    assert_int_equal(world->count, 0);
    world->now += 10 * CLOCK_MINUTE;
    tgs(world, (struct use){.account = "alice", .fingerprint = 1, .status = 32}); /* refused as expired */
    assert_int_equal(world->count, 0);
    tgs(world, (struct use){.account = "alice", .fingerprint = 1});
    assert_int_equal(world->count, 1);
    assert_true(world_number(world, "age_hours") > 11 && world_number(world, "age_hours") < 11.1);
    assert_true(workspace_set_ticket_life(&world->settings, REALM, 24)); /* by the domain's policy it may */
    tgs(world, (struct use){.account = "alice", .fingerprint = 1});
    assert_int_equal(world->count, 1);
    world_free(world);
}

/* By a controller that the directory knows, to who proved himself: then they live longer than was thought. */
static void tickets_of_another_policy(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_golden_lifetime);
    for (unsigned known = 0; known < 2; known++) {
        as(world, (struct first_ticket){.account = "alice", .proved = 18, .fingerprint = 1 + known});
        world->now += 14 * CLOCK_HOUR;
        tgs(world, (struct use){.account = "alice", .fingerprint = 1 + known});
        assert_int_equal(world->count, 1);
        world->entries[world->entry_count++] = (struct world_entry){"10.0.0.1", {.bits = FACT_CONTROLLER}};
    }
    tgs(world, (struct use){.account = "alice", .fingerprint = 3});
    world->now += 15 * CLOCK_HOUR;
    tgs(world, (struct use){.account = "alice", .fingerprint = 3});
    assert_int_equal(world->count, 1);
    world->now += 15 * CLOCK_HOUR;
    tgs(world, (struct use){.account = "alice", .fingerprint = 3});
    assert_int_equal(world->count, 2);
    assert_true(world_number(world, "age_hours") > 30 && world_number(world, "age_hours") < 30.1);
    world_free(world);
}

static void ends_that_are_asked_for(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_golden_lifetime);
    static const int64_t for_ever[] = {2136422885, 2147483647, 4124486885, 4124573285, 0, -1};
    for (unsigned i = 0; i < 6; i++)
        tgs(world, (struct use){.account = "a", .fingerprint = 10 + i, .till = for_ever[i] * CLOCK_SECOND});
    tgs(world, (struct use){.account = "a", .fingerprint = 20, .till = world->now + 30 * CLOCK_DAY});
    as(world, (struct first_ticket){.account = "alice", .proved = 18, .fingerprint = 21});
    tgs(world, (struct use){.account = "alice", .fingerprint = 21, .till = world->now + 999 * CLOCK_DAY});
    tgs(world, (struct use){.account = "a", .fingerprint = 22, .till = INT64_MIN});
    assert_int_equal(world->count, 0);
    tgs(world, (struct use){.account = "a", .fingerprint = 23, .till = world->now + 3650 * CLOCK_DAY});
    assert_int_equal(world->count, 1);
    assert_true(world_number(world, "days_ahead") > 3649);
    tgs(world, (struct use){.account = "a", .fingerprint = 24, .till = INT64_MAX});
    assert_int_equal(world->count, 1); /* a clock is wrong */
    world_free(world);
}

static void accounts_that_there_are_not(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_golden_nonexistent);
    tgs(world, (struct use){.account = "alice", .fingerprint = 1});
    assert_int_equal(world->count, 0); /* nothing is known of the directory */
    tgs(world, (struct use){.account = "ghost", .fingerprint = 2, .status = 6});
    assert_int_equal(world->count, 1);
    assert_string_equal(world_text(world, "known_from"), "controller");
    tgs(world, (struct use){.fingerprint = 3, .status = 6});
    assert_int_equal(world->count, 2);
    world->whole = true;
    world->entries[world->entry_count++] = (struct world_entry){"alice", {0}};
    tgs(world, (struct use){.account = "alice", .fingerprint = 1});
    as(world, (struct first_ticket){.account = "fired", .proved = 18, .fingerprint = 4});
    tgs(world, (struct use){.account = "fired", .fingerprint = 4, .status = 6}); /* deleted since */
    assert_int_equal(world->count, 2);
    tgs(world, (struct use){.account = "ghost", .source = 8, .service = "ldap/dc1", .fingerprint = 2});
    assert_int_equal(world->count, 3);
    assert_true(world_number(world, "sources") == 2 && world_number(world, "services") == 2);
    world_free(world);
}

static void tickets_that_nobody_issued(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_golden_ticket_anomaly);
    tgs(world,
        (struct use){.account = "alice", .fingerprint = 1}); /* before everything was watched, perhaps */
    tgs(world, (struct use){.account = "alice", .fingerprint = 1, .status = 32});
    as(world, (struct first_ticket){.account = "bob", .proved = 18, .fingerprint = 2});
    tgs(world, (struct use){.account = "bob", .fingerprint = 2, .status = 31});
    assert_int_equal(world->count, 0);
    tgs(world, (struct use){.account = "alice", .fingerprint = 1, .status = 41});
    assert_int_equal(world->count, 1);
    assert_int_equal(world->last.external_id, 2032);
    world_free(world);
}

static void delegation_to_krbtgt(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_golden_rbcd);
    tgs(world, (struct use){.account = "web$", .service = "cifs/fs1", .proxy = true});
    tgs(world, (struct use){.account = "web$", .service = "krbtgt/" REALM});
    assert_int_equal(world->count, 0);
    tgs(world, (struct use){.account = "web$", .service = "krbtgt/" REALM, .proxy = true, .status = 13});
    assert_int_equal(world->count, 1);
    assert_string_equal(world_text(world, "outcome"), "failure");
    for (unsigned i = 0; i < 2; i++) {
        static const char change[] = "replace:msDS-AllowedToActOnBehalfOfOtherIdentity";
        struct activity_writer *w = world_begin(world, ACTIVITY_LDAP_MODIFY, 9);
        activity_put_text(w, FIELD_ACCOUNT, "admin");
        activity_put_text(w, FIELD_LDAP_DN,
                          i ? "CN=krbtgt,CN=Users,DC=picket,DC=lab"
                            : "CN=WS01,CN=Computers,DC=picket,DC=lab");
        activity_list_begin(w, FIELD_CHANGES);
        activity_list_string(w, change, sizeof(change) - 1);
        activity_list_end(w);
        activity_put_uint(w, FIELD_STATUS, 0);
        world_send(world);
        assert_int_equal(world->count, 1 + i);
    }
    world_free(world);
}

/* -- 2017, 2018 ----------------------------------------------------------------------------------------- */

static void ntlm(struct world *world, unsigned source, const char *account)
{
    struct activity_writer *w = world_begin(world, ACTIVITY_NTLM_AUTHENTICATE, source);
    activity_put_text(w, FIELD_CARRIER, "smb");
    activity_put_text(w, FIELD_ACCOUNT, account);
    activity_put_text(w, FIELD_ACCOUNT_DOMAIN, REALM);
    activity_put_text(w, FIELD_NTLM_VARIANT, "ntlmv2");
    activity_put_uint(w, FIELD_STATUS, 0);
    world_send(world);
}

static void a_computer_that_it_never_logged_on_to(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_pass_the_hash);
    for (unsigned day = 0; day < 5; day++) {
        for (unsigned i = 0; i < 5; i++)
            as(world, (struct first_ticket){.account = "alice", .proved = 18, .source = 20 + i % 2});
        if (day == 3)
            ntlm(world, 99, "alice"); /* not yet five days: learned */
        world->now += CLOCK_DAY;
    }
    ntlm(world, 20, "alice"); /* from its own computer */
    ntlm(world, 99, "alice");
    assert_int_equal(world->count, 0);
    ntlm(world, 98, "alice");
    assert_int_equal(world->count, 1);
    assert_true(world_number(world, "computers_before") == 3);
    ntlm(world, 98, "alice");
    assert_int_equal(world->count, 2); /* raising is no learning */
    as(world, (struct first_ticket){.account = "alice", .proved = 18, .source = 97});
    ntlm(world, 97, "alice"); /* it gave the password to a controller there */
    ntlm(world, 96, "newcomer");
    assert_int_equal(world->count, 2);
    struct activity_writer *w =
        world_begin(world, ACTIVITY_NTLM_AUTHENTICATE, 20); /* its name is known now */
    activity_put_text(w, FIELD_ACCOUNT, "alice");
    activity_put_text(w, FIELD_ACCOUNT_DOMAIN, REALM);
    activity_put_text(w, FIELD_NTLM_VARIANT, "ntlmv2");
    put_computer(w, "WS20", 100);
    activity_put_uint(w, FIELD_STATUS, 0);
    world_send(world);
    assert_int_equal(world->count, 2);
    as(world, (struct first_ticket){.account = "alice", .proved = 18, .source = 95});
    ntlm(world, 94, "alice"); /* five computers: who goes everywhere */
    assert_int_equal(world->count, 2);
    world_free(world);
}

struct message {
    const char *workstation;
    bool server_time, mic;
};

static void ntlm_message(struct world *world, unsigned source, struct message m)
{
    struct activity_writer *w = world_begin(world, ACTIVITY_NTLM_AUTHENTICATE, source);
    activity_put_text(w, FIELD_ACCOUNT, "alice");
    activity_put_text(w, FIELD_ACCOUNT_DOMAIN, REALM);
    activity_put_text(w, FIELD_NTLM_VARIANT, "ntlmv2");
    if (m.workstation)
        activity_put_text(w, FIELD_WORKSTATION, m.workstation);
    activity_put_bool(w, FIELD_NTLM_MIC, m.mic);
    if (m.server_time)
        activity_put_time(w, FIELD_NTLM_SERVER_TIME, world->now);
    activity_put_uint(w, FIELD_STATUS, 0);
    world_send(world);
}

static void a_message_that_windows_does_not_make(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_pass_the_hash);
    const struct message foreign = {.server_time = true};
    for (unsigned i = 0; i < 4; i++)
        as(world, (struct first_ticket){.account = "alice", .proved = 18, .source = 20});
    ntlm_message(world, 20, foreign); /* from its own computer */
    ntlm_message(world, 99, (struct message){.server_time = true, .mic = true});
    ntlm_message(world, 98, (struct message){.server_time = true, .workstation = "WS98"});
    ntlm_message(world, 97, (struct message){0}); /* nobody asked for a code */
    assert_int_equal(world->count, 0);
    for (unsigned i = 0; i < 4; i++)
        as(world, (struct first_ticket){.account = "alice", .proved = 18, .source = 20});
    ntlm_message(world, 96, foreign);
    assert_int_equal(world->count, 0); /* 4 of 12 were by NTLM */
    world_free(world);

    world = world_new(&detector_pass_the_hash);
    world->settings.learned = false;
    for (unsigned i = 0; i < 5; i++)
        as(world, (struct first_ticket){.account = "alice", .proved = 18, .source = 20});
    world->now += 5 * CLOCK_DAY;
    ntlm_message(world, 96, foreign);
    assert_int_equal(world->count, 1);
    assert_int_equal(world->last.severity, SEVERITY_MEDIUM);
    assert_true(world_number(world, "logons_before") == 5);
    assert_non_null(strstr(world->last.explanation, "Windows makes none like it"));
    world_free(world);

    world = world_new(&detector_pass_the_hash);
    world->settings.learned = false;
    for (unsigned i = 0; i < 5; i++)
        as(world, (struct first_ticket){.account = "alice", .proved = 18, .source = 20});
    ntlm_message(world, 96, foreign); /* it is known since a few seconds */
    assert_int_equal(world->count, 0);
    world_free(world);
}

static void one_ticket_on_two_computers(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_pass_the_ticket);
    tgs(world, (struct use){.account = "alice", .fingerprint = 1, .source = 20, .computer = "WS1"});
    tgs(world, (struct use){.account = "alice", .fingerprint = 1, .source = 21, .computer = "WS1"});
    tgs(world, (struct use){.account = "bob", .fingerprint = 2, .source = 21, .computer = "WS2"});
    assert_int_equal(world->count, 0); /* one computer, two addresses */
    tgs(world, (struct use){.account = "alice", .fingerprint = 1, .source = 22, .computer = "WS2"});
    assert_int_equal(world->count, 1);
    assert_string_equal(world_text(world, "ticket_source"), "WS1");
    assert_true(world_names(world, ALERT_SOURCE, "WS2"));
    assert_true(world_names(world, ALERT_ACCOUNT, "alice"));
    /* Addresses alone: a laptop moves on; only when both go on there are two. */
    tgs(world, (struct use){.account = "eve", .fingerprint = 3, .source = 30});
    tgs(world, (struct use){.account = "eve", .fingerprint = 3, .source = 31});
    tgs(world, (struct use){.account = "eve", .fingerprint = 3, .source = 31});
    assert_int_equal(world->count, 1);
    tgs(world, (struct use){.account = "eve", .fingerprint = 3, .source = 30});
    assert_int_equal(world->count, 2);
    tgs(world, (struct use){.account = "joe", .fingerprint = 4, .source = 30});
    tgs(world, (struct use){.account = "joe", .fingerprint = 4, .source = 31});
    world->now += 2 * CLOCK_HOUR;
    tgs(world, (struct use){.account = "joe", .fingerprint = 4, .source = 30});
    assert_int_equal(world->count, 2); /* it came back in the evening */
    /* It was given to one, and is first seen used by another. */
    as(world, (struct first_ticket){.account = "kim", .proved = 18, .fingerprint = 5, .source = 40});
    tgs(world, (struct use){.account = "kim", .fingerprint = 5, .source = 41});
    assert_int_equal(world->count, 2);
    tgs(world, (struct use){.account = "kim", .fingerprint = 5, .source = 40});
    assert_int_equal(world->count, 3);
    assert_string_equal(world_text(world, "ticket_source"), "10.0.0.40");
    world_free(world);
}

static void as_on(struct world *world, uint64_t fingerprint, const char *computer, unsigned confidence)
{
    as(world, (struct first_ticket){.account = "alice",
                                    .proved = 18,
                                    .fingerprint = fingerprint,
                                    .source = 20,
                                    .computer = computer,
                                    .confidence = confidence});
}

/* The thief uses it before its owner does. */
static void a_ticket_that_another_was_given(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_pass_the_ticket);
    as_on(world, 1, "WS1", 90);
    tgs(world, (struct use){.account = "alice", .fingerprint = 1, .source = 22, .computer = "WS1"});
    assert_int_equal(world->count, 0); /* the same one elsewhere */
    as_on(world, 2, "WS1", 60);
    tgs(world, (struct use){.account = "alice", .fingerprint = 2, .source = 21, .computer = "WS2"});
    assert_int_equal(world->count, 0); /* whose it is is not sure enough */
    as_on(world, 3, "WS1", 90);
    tgs(world, (struct use){.account = "alice", .fingerprint = 3, .source = 21, .computer = "WS2"});
    assert_int_equal(world->count, 1);
    assert_string_equal(world_text(world, "ticket_source"), "WS1");
    assert_true(world_names(world, ALERT_SOURCE, "WS1") && world_names(world, ALERT_SOURCE, "WS2"));
    assert_non_null(strstr(world->last.explanation, "90% and 100% sure"));
    world_free(world);
}

/* -- 2410 ----------------------------------------------------------------------------------------------- */

static void services_are_roasted(void **state)
{
    (void)state;
    static char service[40];
    struct world *world = world_new(&detector_kerberoasting);
    tgs(world, (struct use){.account = "alice", .service = "HTTP/web", .offered = rc4_first}); /* AES came */
    tgs(world, (struct use){.account = "alice", .service = "cifs/fs1", .offered = rc4_only, .issued = 23});
    tgs(world,
        (struct use){.account = "old", .service = "HTTP/x", .offered = rc4_only, .issued = 23, .ticket = 23});
    for (unsigned i = 0; i < 3; i++) {
        snprintf(service, sizeof(service), "MSSQLSvc/db%u", i);
        tgs(world, (struct use){.account = "bob", .service = service, .issued = 23});
        tgs(world, (struct use){.account = "bob", .service = service, .issued = 23});
    }
    assert_int_equal(world->count, 0);
    tgs(world, (struct use){.account = "bob", .service = "MSSQLSvc/db9", .issued = 23});
    assert_int_equal(world->count, 1);
    assert_true(world_number(world, "weak") == 4);
    tgs(world, (struct use){.account = "eve", .service = "MSSQLSvc/db1", .offered = rc4_first, .issued = 23});
    assert_int_equal(world->count, 2);
    assert_true(world_number(world, "downgraded") == 1);
    for (unsigned i = 0; i < 29; i++) {
        snprintf(service, sizeof(service), "HTTP/app%u", i);
        tgs(world, (struct use){.account = "joe", .service = service});
    }
    assert_int_equal(world->count, 2);
    for (unsigned i = 0; i < 10; i++) {
        snprintf(service, sizeof(service), "HTTP/more%u", i);
        tgs(world, (struct use){.account = "joe", .service = service});
    }
    assert_true(world->count > 2);
    world_free(world);
}

/* A day of an attack does not excuse the next; a client that prefers RC4 every day is known in the end. */
static void roasting_again_is_told_again(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_kerberoasting);
    const struct use usual = {.account = "eve", .service = "HTTP/app"};
    const struct use roast = {.account = "eve", .service = "HTTP/db", .offered = rc4_first, .issued = 23};
    for (unsigned day = 0; day < 5; day++) {
        tgs(world, usual);
        world->now += CLOCK_DAY;
    }
    for (unsigned day = 0; day < 4; day++) {
        tgs(world, roast);
        assert_int_equal(world->count, day < 2 ? day + 1 : 2);
        world->now += CLOCK_DAY;
    }
    world_free(world);
}

/* A monitor that asks for forty services every day. */
static void a_monitor_is_known(void **state)
{
    (void)state;
    static char service[40];
    struct world *world = world_new(&detector_kerberoasting);
    for (unsigned day = 0; day < 10; day++) {
        if (day == 1)
            world->count = 0;
        for (unsigned i = 0; i < 40; i++) {
            snprintf(service, sizeof(service), "HTTP/app%u", i);
            tgs(world, (struct use){.account = "monitor", .service = service});
        }
        world->now += CLOCK_DAY - 40 * CLOCK_SECOND;
    }
    assert_in_range(world->count, 0, 15); /* of the first days, while little is known */
    unsigned before = world->count;
    for (unsigned i = 0; i < 40; i++) {
        snprintf(service, sizeof(service), "HTTP/app%u", i);
        tgs(world, (struct use){.account = "monitor", .service = service});
    }
    assert_int_equal(world->count, before);
    world_free(world);
}

/* -- 2037, 2039 ----------------------------------------------------------------------------------------- */

struct response {
    unsigned source, destination;
    const char *account, *spn, *computer;
    unsigned confidence, status;
    uint64_t fingerprint;
};

static void respond(struct world *world, struct response r)
{
    struct activity_writer *w = world_begin(world, ACTIVITY_NTLM_AUTHENTICATE, 0);
    const struct ip_address from = {.family = 4, .bytes = {10, 0, 0, (uint8_t)r.source}};
    const struct ip_address to = {.family = 4, .bytes = {10, 0, 0, (uint8_t)r.destination}};
    activity_put_address(w, FIELD_SOURCE, &from);
    activity_put_address(w, FIELD_DESTINATION, &to);
    activity_put_text(w, FIELD_CARRIER, "smb");
    activity_put_text(w, FIELD_ACCOUNT, r.account);
    activity_put_text(w, FIELD_NTLM_VARIANT, "ntlmv2");
    activity_put_text(w, FIELD_WORKSTATION, "VICTIM");
    activity_put_uint(w, FIELD_NTLM_RESPONSE_FINGERPRINT, r.fingerprint);
    if (r.spn)
        activity_put_text(w, FIELD_NTLM_TARGET_SPN, r.spn);
    if (r.computer)
        put_computer(w, r.computer, r.confidence);
    activity_put_uint(w, FIELD_STATUS, r.status);
    world_send(world);
}

static void responses_are_passed_on(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_ntlm_relay);
    respond(world, (struct response){9, 1, "alice", "cifs/10.0.0.1", NULL, 0, 0, 1});
    respond(world, (struct response){9, 1, "alice", "cifs/127.0.0.1", NULL, 0, 0, 2}); /* a forwarded port */
    respond(world, (struct response){9, 1, "alice", "cifs/alias.lab", "WS9", 100, 0, 3});
    respond(world, (struct response){9, 9, "alice", "cifs/10.0.0.9", NULL, 0, 0, 4}); /* to itself */
    respond(world, (struct response){9, 1, "WS9$", NULL, "WS9", 100, 0, 5});
    respond(world, (struct response){9, 1, "WS8$", NULL, "WS9", 84, 0, 6});
    respond(world, (struct response){9, 1, "WS8$", NULL, "WS9", 100, 0xc000006d, 7});
    respond(world, (struct response){9, 1, "WS9$", NULL, "WS9", 100, 0, 5}); /* told twice */
    assert_int_equal(world->count, 0);
    respond(world, (struct response){9, 1, "alice", "cifs/10.0.0.9", NULL, 0, 0, 10});
    assert_int_equal(world->count, 1);
    respond(world, (struct response){9, 1, "alice", "cifs/ws9.picket.lab:445", "WS9", 90, 0, 11});
    assert_int_equal(world->count, 2);
    respond(world, (struct response){9, 1, "WS8$", NULL, "WS9", 90, 0, 12});
    assert_int_equal(world->count, 3);
    respond(world, (struct response){20, 9, "bob", NULL, NULL, 0, 0, 13});
    assert_int_equal(world->count, 3);
    respond(world, (struct response){9, 1, "bob", NULL, NULL, 0, 0, 13});
    assert_int_equal(world->count, 4);
    assert_non_null(strstr(world->last.explanation, "from 10.0.0.20 to 10.0.0.9"));
    assert_string_equal(world_text(world, "workstation"), "VICTIM");
    world_free(world);
}

static void mic(struct world *world, bool there, unsigned av_flags, const char *version, bool time)
{
    struct activity_writer *w = world_begin(world, ACTIVITY_NTLM_AUTHENTICATE, 9);
    activity_put_text(w, FIELD_ACCOUNT, "alice");
    activity_put_text(w, FIELD_NTLM_VARIANT, "ntlmv2");
    activity_put_bool(w, FIELD_NTLM_MIC, there);
    activity_put_uint(w, FIELD_NTLM_AV_FLAGS, av_flags);
    if (version)
        activity_put_text(w, FIELD_NTLM_CLIENT_VERSION, version);
    if (time)
        activity_put_time(w, FIELD_NTLM_SERVER_TIME, world->now);
    activity_put_uint(w, FIELD_STATUS, 0);
    world_send(world);
}

static void codes_are_removed(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_ntlm_tampering);
    mic(world, true, 2, "10.0.17763", true);
    mic(world, false, 0, NULL, true);       /* a program that is no Windows */
    mic(world, false, 0, "5.1.2600", true); /* an old one */
    mic(world, false, 0, "6.1.7601", false);
    mic(world, false, 1, NULL, true);
    assert_int_equal(world->count, 0);
    mic(world, false, 2, NULL, false);
    assert_int_equal(world->count, 1);
    assert_string_equal(world_text(world, "method"), "mic_removed");
    mic(world, false, 0, "10.0.17763", true);
    assert_int_equal(world->count, 2);
    assert_string_equal(world_text(world, "method"), "mic_missing");
    world_free(world);
}

/* -- 2419, 2421 ----------------------------------------------------------------------------------------- */

static void modify(struct world *world, const char *dn, const char *value)
{
    struct activity_writer *w = world_begin(world, ACTIVITY_LDAP_MODIFY, 9);
    activity_put_text(w, FIELD_ACCOUNT, "dadmin");
    activity_put_text(w, FIELD_ACCOUNT_DOMAIN, "picket.lab");
    activity_put_text(w, FIELD_LDAP_DN, dn);
    activity_list_begin(w, FIELD_ATTRIBUTE_VALUES);
    activity_list_string(w, value, strlen(value));
    activity_list_end(w);
    activity_put_uint(w, FIELD_STATUS, 0);
    world_send(world);
}

static void a_controllers_name(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_samname_spoofing);
    world->entries[world->entry_count++] =
        (struct world_entry){"DC1$", {.bits = FACT_CONTROLLER | FACT_COMPUTER}};
    modify(world, "CN=Bob,OU=People,DC=picket,DC=lab", "replace:sAMAccountName=robert");
    modify(world, "CN=NEW,CN=Computers,DC=picket,DC=lab", "add:sAMAccountName=NEW$");
    modify(world, "CN=NEW,CN=Computers,DC=picket,DC=lab", "delete:sAMAccountName=NEW");
    modify(world, "CN=NEW,CN=Computers,DC=picket,DC=lab", "replace:sAMAccountName=");
    assert_int_equal(world->count, 0);
    modify(world, "CN=NEW,CN=Computers,DC=picket,DC=lab", "replace:sAMAccountName=NEW");
    assert_int_equal(world->count, 1);
    assert_string_equal(world_text(world, "controller"), "not known");
    modify(world, "CN=Bob,OU=People,DC=picket,DC=lab", "replace:sAMAccountName=dc1");
    assert_int_equal(world->count, 2);
    assert_string_equal(world_text(world, "controller"), "yes");
    struct activity_writer *w = world_begin(world, ACTIVITY_ACCOUNT_CHANGE, 0);
    activity_put_text(w, FIELD_ACCOUNT, "dadmin");
    activity_put_text(w, FIELD_CHANGED_ACCOUNT, "new-88$");
    activity_put_text(w, FIELD_NEW_ACCOUNT_NAME, "rootdc");
    activity_put_text(w, FIELD_EVENT_COMPUTER, "rootdc.picket.lab");
    world_send(world);
    assert_int_equal(world->count, 3);
    assert_string_equal(world_text(world, "controller"), "yes");
    world_free(world);
}

static void a_dns_name_of_another(void **state)
{
    (void)state;
    struct world *world = world_new(&detector_dnshostname_spoofing);
    static const char dn[] = "CN=NEW,CN=Computers,DC=picket,DC=lab";
    world->entries[world->entry_count++] =
        (struct world_entry){"DC1$", {.bits = FACT_CONTROLLER | FACT_COMPUTER}};
    world->entries[world->entry_count++] = (struct world_entry){"WS1$", {.bits = FACT_COMPUTER}};
    modify(world, dn, "replace:dNSHostName=new.picket.lab");
    modify(world, dn, "replace:dNSHostName=renamed.picket.lab");
    modify(world, dn, "replace:dNSHostName=");
    modify(world, "OU=x", "replace:dNSHostName=dc1.picket.lab");
    assert_int_equal(world->count, 0);
    modify(world, dn, "replace:dNSHostName=DC1.picket.lab");
    assert_int_equal(world->count, 1);
    assert_string_equal(world_text(world, "controller"), "yes");
    modify(world, dn, "replace:dNSHostName=ws1");
    assert_int_equal(world->count, 2);
    assert_string_equal(world_text(world, "controller"), "no");
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hash_instead_of_a_password),
        cmocka_unit_test(a_weaker_golden_ticket),
        cmocka_unit_test(a_weaker_silver_ticket),
        cmocka_unit_test(a_skeleton_key),
        cmocka_unit_test(authorization_of_ones_own),
        cmocka_unit_test(tickets_that_live_too_long),
        cmocka_unit_test(tickets_of_another_policy),
        cmocka_unit_test(ends_that_are_asked_for),
        cmocka_unit_test(accounts_that_there_are_not),
        cmocka_unit_test(tickets_that_nobody_issued),
        cmocka_unit_test(delegation_to_krbtgt),
        cmocka_unit_test(a_computer_that_it_never_logged_on_to),
        cmocka_unit_test(a_message_that_windows_does_not_make),
        cmocka_unit_test(one_ticket_on_two_computers),
        cmocka_unit_test(a_ticket_that_another_was_given),
        cmocka_unit_test(services_are_roasted),
        cmocka_unit_test(roasting_again_is_told_again),
        cmocka_unit_test(a_monitor_is_known),
        cmocka_unit_test(responses_are_passed_on),
        cmocka_unit_test(codes_are_removed),
        cmocka_unit_test(a_controllers_name),
        cmocka_unit_test(a_dns_name_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
