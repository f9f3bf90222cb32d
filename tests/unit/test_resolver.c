/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is behind an address, and what an activity is given: evidence by evidence.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/msgpack.h"
#include "tests/unit/lab_directory.h"

#define CLIENT  "10.0.0.5"
#define OTHER   "10.0.0.6"
#define SERVER  "10.0.0.10"
#define MINUTES (CLOCK_MINUTE)

static struct lab_directory lab;
static struct resolver *resolver;
static struct activity_writer writer;
static struct activity activity;
static uint8_t kept[ACTIVITY_BYTES_MAX];

static int start(void **state)
{
    (void)state;
    lab_fill(&lab);
    resolver = lab_resolver(&lab, NULL);
    return resolver ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    resolver_destroy(&resolver);
    return 0;
}

/* --- making activities --- */

static struct ip_address address_of(const char *text)
{
    struct ip_address address;
    assert_true(ip_address_parse(text, &address));
    return address;
}

static void begin(enum activity_kind kind, const char *source, const char *destination, int64_t time)
{
    struct ip_address from = address_of(source), to = address_of(destination);
    activity_begin(&writer, kind, time);
    activity_put_address(&writer, FIELD_SOURCE, &from);
    activity_put_address(&writer, FIELD_DESTINATION, &to);
    activity_put_uint(&writer, FIELD_SOURCE_PORT, 40000);
    activity_put_uint(&writer, FIELD_DESTINATION_PORT, 445);
    activity_put_uint(&writer, FIELD_FLOW, 1);
}

static void text(enum activity_field field, const char *value)
{
    activity_put_text(&writer, field, value);
}

static void number(enum activity_field field, uint64_t value)
{
    activity_put_uint(&writer, field, value);
}

static void address_list(enum activity_field field, const char *value)
{
    struct ip_address address = address_of(value);
    assert_true(activity_list_begin(&writer, field));
    activity_list_address(&writer, &address);
    activity_list_end(&writer);
}

static void text_list(enum activity_field field, const char *first, const char *second)
{
    assert_true(activity_list_begin(&writer, field));
    activity_list_string(&writer, first, strlen(first));
    if (second)
        activity_list_string(&writer, second, strlen(second));
    activity_list_end(&writer);
}

static struct bytes finished(void)
{
    struct bytes bytes = activity_finish(&writer);
    memcpy(kept, bytes.data, bytes.size);
    bytes.data = kept;
    struct cursor c = cursor_of_bytes(bytes);
    assert_true(activity_decode(&c, &activity));
    return bytes;
}

static void observe(void)
{
    finished();
    resolver_observe(resolver, &activity);
}

/* Completes what was begun; `activity` is the result. What it waits for. */
static uint32_t complete(bool may_wait)
{
    struct resolver_waits waits = {0};
    struct bytes bytes = finished();
    static struct activity_writer extended;
    assert_true(activity_extend(&extended, bytes, &activity));
    resolver_complete(resolver, &activity, &extended, may_wait ? &waits : NULL, 1);
    bytes = activity_finish(&extended);
    memcpy(kept, bytes.data, bytes.size);
    struct cursor c = cursor_of(kept, bytes.size);
    assert_true(activity_decode(&c, &activity));
    return waits.count;
}

static const char *value_of(enum activity_field field)
{
    static char texts[4][512];
    static unsigned turn;
    const struct activity_value *value = activity_get(&activity, field);
    char *to = texts[turn++ % 4];
    to[0] = 0;
    if (value)
        activity_value_text(value, to, sizeof(texts[0]));
    return to;
}

/* --- evidence --- */

static void kerberos_as(const char *source, const char *account, int64_t time)
{
    begin(ACTIVITY_KERBEROS_AS, source, SERVER, time);
    text(FIELD_ACCOUNT, account);
    text(FIELD_ACCOUNT_DOMAIN, "CORP.EXAMPLE");
    number(FIELD_STATUS, 0);
    activity_put_int(&writer, FIELD_PREAUTH_ETYPE, 18);
    text(FIELD_ISSUED_TICKET_REALM, "CORP.EXAMPLE");
    observe();
}

static struct resolver_binding binding_at(const char *where, int64_t time)
{
    struct ip_address address = address_of(where);
    struct resolver_binding binding = {0};
    resolver_binding(resolver, &address, time, &binding);
    return binding;
}

static void check_host(const char *where, const char *host, int64_t time)
{
    assert_string_equal(binding_at(where, time).host, host);
}

static struct resolver_counters counters(void)
{
    struct resolver_counters c;
    resolver_counters(resolver, &c);
    return c;
}

static void a_computers_logon_says_who_is_there(void **state)
{
    (void)state;
    kerberos_as(CLIENT, "WS01$", 0);
    kerberos_as(CLIENT, "user01", MINUTES);
    struct resolver_binding b = binding_at(CLIENT, MINUTES);
    assert_string_equal(b.host, "ws01");
    assert_string_equal(b.domain, "corp.example");
    assert_string_equal(b.account, "user01");
    assert_int_equal(b.source, RESOLVER_MACHINE_KERBEROS);
    assert_int_equal(b.since, 0);
    assert_true(b.confidence > 90);
    assert_true(binding_at(SERVER, MINUTES).is_controller);
    assert_false(binding_at(SERVER, 25 * CLOCK_HOUR).is_controller);
    /* It ages, and is worth nothing in the end. */
    assert_in_range(binding_at(CLIENT, 6 * CLOCK_HOUR).confidence, 40, 55);
    assert_int_equal(binding_at(CLIENT, 12 * CLOCK_HOUR).confidence, 0);
    check_host(CLIENT, "", 12 * CLOCK_HOUR);
    assert_false(binding_at(OTHER, 0).is_controller);
}

static void a_ticket_without_proof_says_nothing(void **state)
{
    (void)state;
    begin(ACTIVITY_KERBEROS_AS, CLIENT, SERVER, 0);
    text(FIELD_ACCOUNT, "WS01$");
    number(FIELD_STATUS, 0);
    observe();
    check_host(CLIENT, "", 0);
    begin(ACTIVITY_KERBEROS_AS, CLIENT, SERVER, 0);
    text(FIELD_ACCOUNT, "WS01$");
    number(FIELD_STATUS, 24);
    activity_put_int(&writer, FIELD_PREAUTH_ETYPE, 18);
    observe();
    check_host(CLIENT, "", 0);
}

static void another_computer_ends_the_binding(void **state)
{
    (void)state;
    kerberos_as(CLIENT, "WS01$", 0);
    kerberos_as(CLIENT, "user01", 1);
    kerberos_as(CLIENT, "WS02$", 2 * CLOCK_HOUR);
    struct resolver_binding b = binding_at(CLIENT, 2 * CLOCK_HOUR);
    assert_string_equal(b.host, "ws02");
    assert_string_equal(b.account, ""); /* it was the other's */
    assert_int_equal(b.since, 2 * CLOCK_HOUR);
    assert_int_equal(counters().contradicted, 1);
}

static void lease(const char *message, const char *reply, const char *host, int64_t time);

/* What the KDC answers before a computer has proven itself. */
static void kerberos_refused(const char *source, const char *account, uint64_t status, int64_t time)
{
    begin(ACTIVITY_KERBEROS_AS, source, SERVER, time);
    text(FIELD_ACCOUNT, account);
    text(FIELD_ACCOUNT_DOMAIN, "CORP.EXAMPLE");
    number(FIELD_STATUS, status);
    observe();
}

static void what_was_done_before_is_the_others(void **state)
{
    (void)state;
    kerberos_as(CLIENT, "WS01$", 0);
    kerberos_as(CLIENT, "WS02$", CLOCK_HOUR);
    check_host(CLIENT, "ws01", CLOCK_HOUR - 1);
    check_host(CLIENT, "ws02", CLOCK_HOUR);
    assert_int_equal(binding_at(CLIENT, CLOCK_HOUR).begins, CLOCK_HOUR);
    assert_int_equal(binding_at(CLIENT, 1).begins, 0);
    begin(ACTIVITY_SMB_OPEN, CLIENT, SERVER, CLOCK_HOUR - 1); /* it has waited */
    complete(false);
    assert_string_equal(value_of(FIELD_SOURCE_COMPUTER), "WS01");
    /* Given away: nobody is there, but who was is known. */
    lease("release", NULL, "WS02", 2 * CLOCK_HOUR);
    check_host(CLIENT, "", 2 * CLOCK_HOUR);
    check_host(CLIENT, "ws02", 2 * CLOCK_HOUR - 1);
    kerberos_as(CLIENT, "WS03$", 3 * CLOCK_HOUR);
    assert_int_equal(binding_at(CLIENT, 3 * CLOCK_HOUR).begins, 2 * CLOCK_HOUR);
}

/* Its first word is refused (pre-authentication is wanted), the next is its proof: the first is its own
 * already. */
static void a_computer_that_comes_is_waited_for(void **state)
{
    (void)state;
    kerberos_as(CLIENT, "WS01$", 0);
    assert_int_equal(resolver_settled(resolver), 0);
    kerberos_refused(CLIENT, "WS02$", 25, CLOCK_HOUR);
    assert_int_equal(complete(true), 1); /* that of WS02$ */
    kerberos_refused(CLIENT, "user01", 25, CLOCK_HOUR + 1);
    assert_int_equal(complete(true), 0);
    kerberos_refused(CLIENT, "WS02$", 52, CLOCK_HOUR + 2);
    assert_int_equal(complete(true), 1);
    kerberos_as(CLIENT, "WS02$", CLOCK_HOUR + CLOCK_SECOND);
    struct ip_address address = address_of(CLIENT);
    assert_int_equal(resolver_settled(resolver), resolver_address_hash(resolver, &address));
    assert_int_equal(resolver_settled(resolver), 0);
    check_host(CLIENT, "ws02", CLOCK_HOUR);
    check_host(CLIENT, "ws01", CLOCK_HOUR - 1);
}

/* Who merely says another's name does not get rid of its own. */
static void a_computer_that_does_not_prove_itself_is_not_there(void **state)
{
    (void)state;
    kerberos_as(CLIENT, "WS01$", 0);
    kerberos_refused(CLIENT, "WS02$", 24, 1); /* wrong key: that is no beginning */
    assert_int_equal(complete(true), 0);
    kerberos_refused(CLIENT, "WS02$", 25, 2);
    assert_int_equal(complete(true), 1);
    kerberos_refused(CLIENT, "WS02$", 25, 3);
    complete(false);
    assert_string_equal(value_of(FIELD_SOURCE_COMPUTER), "WS01");
    kerberos_as(CLIENT, "WS03$", CLOCK_SECOND);
    assert_int_equal(binding_at(CLIENT, CLOCK_SECOND).begins, CLOCK_SECOND);
    kerberos_refused(OTHER, "WS02$", 25, 4); /* where nobody is known nothing is disputed */
    assert_int_equal(complete(true), 0);
}

static void weaker_word_does_not(void **state)
{
    (void)state;
    kerberos_as(CLIENT, "WS01$", 0);
    begin(ACTIVITY_DNS_QUERY, OTHER, SERVER, 1);
    text(FIELD_DNS_NAME, "ws02.corp.example");
    number(FIELD_DNS_TYPE, 1);
    number(FIELD_STATUS, 0);
    address_list(FIELD_ADDRESSES, CLIENT);
    observe();
    check_host(CLIENT, "ws01", 1);
    assert_int_equal(counters().outvoted, 1);
    /* When the better word has aged it does. */
    begin(ACTIVITY_DNS_QUERY, OTHER, SERVER, 8 * CLOCK_HOUR);
    text(FIELD_DNS_NAME, "ws02.corp.example");
    number(FIELD_DNS_TYPE, 1);
    number(FIELD_STATUS, 0);
    address_list(FIELD_ADDRESSES, CLIENT);
    observe();
    check_host(CLIENT, "ws02", 8 * CLOCK_HOUR);
}

/* A relayed logon states the victim's name: the victim is known to be elsewhere. */
static void a_computer_is_not_believed_to_be_in_two_places(void **state)
{
    (void)state;
    kerberos_as(CLIENT, "WS05$", 0);
    for (int i = 0; i < 2; i++) {
        begin(ACTIVITY_NTLM_AUTHENTICATE, OTHER, SERVER, 1 + i);
        text(FIELD_ACCOUNT, i ? "WS05$" : "user05");
        text(FIELD_ACCOUNT_DOMAIN, "CORP");
        text(FIELD_WORKSTATION, "WS05");
        text(FIELD_CARRIER, "smb");
        number(FIELD_STATUS, 0);
        observe();
        check_host(OTHER, "", 2);
    }
    check_host(CLIENT, "ws05", 2);
    /* A proof of its own is believed: it has moved, or has two addresses. */
    kerberos_as(OTHER, "WS05$", 3);
    check_host(OTHER, "ws05", 3);
    check_host(CLIENT, "ws05", 3);
}

static void a_stated_name_must_be_known(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        begin(ACTIVITY_NTLM_AUTHENTICATE, CLIENT, SERVER, i);
        text(FIELD_ACCOUNT, "user01");
        text(FIELD_ACCOUNT_DOMAIN, "CORP");
        text(FIELD_WORKSTATION, i ? "WS03" : "KALI");
        number(FIELD_STATUS, 0);
        observe();
        check_host(CLIENT, i ? "ws03" : "", 1);
    }
    assert_int_equal(binding_at(CLIENT, 1).source, RESOLVER_WORKSTATION);
    assert_true(lab.asked > 0); /* it may be known later */
}

static void a_proof_displaces_a_stated_name_elsewhere(void **state)
{
    (void)state;
    begin(ACTIVITY_NBNS_REGISTRATION, OTHER, "10.0.0.255", 0);
    text(FIELD_NETBIOS_NAME, "WS03");
    number(FIELD_NETBIOS_SUFFIX, 0x20);
    observe();
    check_host(OTHER, "ws03", 0);
    kerberos_as(CLIENT, "WS03$", 1);
    check_host(CLIENT, "ws03", 1);
    check_host(OTHER, "", 1);
}

static void a_server_tells_its_name(void **state)
{
    (void)state;
    begin(ACTIVITY_NTLM_AUTHENTICATE, CLIENT, SERVER, 0);
    text(FIELD_NTLM_SERVER_DNS_COMPUTER, "dc1.corp.example");
    text(FIELD_NTLM_SERVER_NB_DOMAIN, "CORP");
    number(FIELD_STATUS, 0xc000006d);
    observe();
    check_host(SERVER, "dc1", 0);
    begin(ACTIVITY_CLDAP_PING, OTHER, "10.0.0.11", 0);
    text(FIELD_DC_HOST, "dc2.corp.example");
    text(FIELD_DC_DOMAIN, "corp.example");
    text(FIELD_DC_NETBIOS_DOMAIN, "CORP");
    text(FIELD_PING_HOST, "WS04");
    observe();
    check_host("10.0.0.11", "dc2", 0);
    assert_true(binding_at("10.0.0.11", 0).is_controller);
    check_host(OTHER, "ws04", 0);
}

static void service_ticket(uint64_t port, uint64_t from, const char *service, const char *at)
{
    struct ip_address source = address_of(CLIENT), destination = address_of(at);
    activity_begin(&writer, ACTIVITY_KERBEROS_AP, 0);
    activity_put_address(&writer, FIELD_SOURCE, &source);
    activity_put_address(&writer, FIELD_DESTINATION, &destination);
    number(FIELD_SOURCE_PORT, from);
    number(FIELD_DESTINATION_PORT, port);
    text(FIELD_TICKET_SERVICE, service);
    text(FIELD_TICKET_REALM, "CORP.EXAMPLE");
    number(FIELD_STATUS, 0);
    observe();
}

static void a_ticket_that_is_accepted_names_the_server(void **state)
{
    (void)state;
    service_ticket(445, 50000, "cifs/dc1.corp.example", "10.0.0.20");
    check_host("10.0.0.20", "dc1", 0);
    service_ticket(1433, 50000, "MSSQLSvc/sql01.corp.example:1433", "10.0.0.21"); /* an account's: its host */
    check_host("10.0.0.21", "sql01", 0);
    service_ticket(445, 50000, "cifs/corp.example", "10.0.0.22"); /* the domain */
    check_host("10.0.0.22", "", 0);
    service_ticket(445, 50000, "E3514235-4B06-11D1-AB04-00C04FC2DCD2/guid/corp.example", "10.0.0.22");
    check_host("10.0.0.22", "", 0);
    service_ticket(445, 50000, "cifs/10.0.0.22", "10.0.0.22");
    check_host("10.0.0.22", "", 0);
    /* A flow whose beginning was missed may stand the wrong way round. */
    service_ticket(41964, 49153, "GC/dc2.corp.example/corp.example", "10.0.0.22");
    check_host("10.0.0.22", "", 0);
    service_ticket(49153, 41964, "GC/dc2.corp.example/corp.example", "10.0.0.22");
    check_host("10.0.0.22", "dc2", 0);
}

static void dns_query(const char *name, uint64_t type, const char *where, const char *target, int64_t time)
{
    begin(ACTIVITY_DNS_QUERY, OTHER, SERVER, time);
    text(FIELD_DNS_NAME, name);
    number(FIELD_DNS_TYPE, type);
    number(FIELD_STATUS, 0);
    if (where)
        address_list(FIELD_ADDRESSES, where);
    if (target)
        text_list(FIELD_DNS_TARGETS, target, NULL);
    observe();
}

static void dns_answers_name_hosts_of_the_domain(void **state)
{
    (void)state;
    kerberos_as(OTHER, "WS09$", 0); /* the domain is heard of */
    dns_query("ws01.corp.example", 1, "10.0.1.1", NULL, 0);
    check_host("10.0.1.1", "ws01", 0);
    dns_query("intranet.corp.example", 1, "10.0.1.2", "ws02.corp.example", 0);
    check_host("10.0.1.2", "ws02", 0);
    dns_query("3.1.0.10.in-addr.arpa", 12, NULL, "ws03.corp.example", 0);
    check_host("10.0.1.3", "ws03", 0);
    dns_query("ws04.corp.example", 28, "fd00::4", NULL, 0);
    check_host("fd00::4", "ws04", 0);
    static const char *const none[] = {"corp.example", "_ldap.corp.example", "www.elsewhere.example", "ws05"};
    for (unsigned i = 0; i < 4; i++) {
        dns_query(none[i], 1, "10.0.1.9", NULL, 0);
        check_host("10.0.1.9", "", 0);
    }
    dns_query("x.1.0.10.in-addr.arpa", 12, NULL, "ws03.corp.example", 0);
    dns_query("300.1.0.10.in-addr.arpa", 12, NULL, "ws03.corp.example", 0);
    dns_query("1.2.3.in-addr.arpa", 12, NULL, "ws03.corp.example", 0);
    dns_query("ip6.arpa", 12, NULL, "ws03.corp.example", 0);
    assert_int_equal(counters().addresses, 6);
}

static void updates_name_what_they_add(void **state)
{
    (void)state;
    struct ip_address address = address_of("10.0.1.7");
    for (int is_signed = 0; is_signed < 2; is_signed++) {
        begin(ACTIVITY_DNS_UPDATE, CLIENT, SERVER, is_signed);
        text(FIELD_DNS_ZONE, "corp.example");
        text_list(FIELD_DNS_ADDED_NAMES, "ws07.corp.example", "ws07.corp.example");
        assert_true(activity_list_begin(&writer, FIELD_DNS_ADDED_TYPES));
        activity_list_uint(&writer, 16);
        activity_list_uint(&writer, 1);
        activity_list_end(&writer);
        assert_true(activity_list_begin(&writer, FIELD_DNS_ADDED_ADDRESSES));
        activity_list_address(&writer, &address);
        activity_list_end(&writer);
        if (is_signed)
            text(FIELD_DNS_SIGNATURE, "gss-tsig");
        number(FIELD_STATUS, 0);
        observe();
        assert_int_equal(binding_at("10.0.1.7", 1).source,
                         is_signed ? RESOLVER_SECURE_UPDATE : RESOLVER_DNS_UPDATE);
        check_host("10.0.1.7", "ws07", 1);
    }
    /* Any account may add a name that is not there, for its own address: that makes no computer. */
    begin(ACTIVITY_DNS_UPDATE, CLIENT, SERVER, 2);
    text(FIELD_DNS_ZONE, "corp.example");
    text_list(FIELD_DNS_ADDED_NAMES, "evilpad.corp.example", NULL);
    assert_true(activity_list_begin(&writer, FIELD_DNS_ADDED_TYPES));
    activity_list_uint(&writer, 1);
    activity_list_end(&writer);
    address_list(FIELD_DNS_ADDED_ADDRESSES, CLIENT);
    text(FIELD_DNS_SIGNATURE, "gss-tsig");
    number(FIELD_STATUS, 0);
    observe();
    check_host(CLIENT, "", 2);
}

static void lease(const char *message, const char *reply, const char *host, int64_t time)
{
    begin(ACTIVITY_DHCP_LEASE, "0.0.0.0", "255.255.255.255", time);
    struct ip_address address = address_of(CLIENT);
    text(FIELD_DHCP_MESSAGE, message);
    if (reply)
        text(FIELD_DHCP_REPLY, reply);
    text(FIELD_DHCP_HOST, host);
    activity_put_address(&writer, FIELD_LEASED_ADDRESS, &address);
    number(FIELD_LEASE_TIME, 3600);
    observe();
}

static void a_lease_gives_an_address_away(void **state)
{
    (void)state;
    kerberos_as(CLIENT, "WS01$", 0);
    lease("request", "ack", "WS01", 1);
    check_host(CLIENT, "ws01", 1);
    assert_int_equal(binding_at(CLIENT, 1).source, RESOLVER_MACHINE_KERBEROS);
    lease("request", "nak", "WS02", 2);
    check_host(CLIENT, "ws01", 2);
    lease("request", "ack", "WS02", 3);
    check_host(CLIENT, "ws02", 3);
    assert_int_equal(binding_at(CLIENT, 3).source, RESOLVER_DHCP);
    check_host(CLIENT, "", 3 + 3600 * CLOCK_SECOND);
    lease("request", "ack", "WS02", 4);
    lease("release", NULL, "WS02", 5);
    check_host(CLIENT, "", 5);
}

static void announcements_name_their_sender(void **state)
{
    (void)state;
    begin(ACTIVITY_MDNS_ANNOUNCEMENT, CLIENT, "224.0.0.251", 0);
    struct ip_address me = address_of(CLIENT);
    activity_put_address(&writer, FIELD_RESPONDER, &me);
    assert_true(activity_list_begin(&writer, FIELD_ADDRESSES));
    activity_list_address(&writer, &me);
    struct ip_address victim = address_of(OTHER);
    activity_list_address(&writer, &victim);
    activity_list_end(&writer);
    text_list(FIELD_ADDRESS_NAMES, "ws06.local", "ws07.local");
    observe();
    check_host(CLIENT, "ws06", 0);
    check_host(OTHER, "", 0); /* said of somebody else */
    begin(ACTIVITY_NETBIOS_SESSION, "10.0.3.1", SERVER, 0);
    text(FIELD_CALLING_NAME, "WS08");
    observe();
    check_host("10.0.3.1", "ws08", 0);
    begin(ACTIVITY_BROWSER_FRAME, "10.0.3.2", SERVER, 0);
    text(FIELD_CALLING_NAME, "WS09");
    observe();
    check_host("10.0.3.2", "ws09", 0);
    begin(ACTIVITY_NBNS_REGISTRATION, "10.0.3.3", SERVER, 0);
    text(FIELD_NETBIOS_NAME, "WS10");
    number(FIELD_NETBIOS_SUFFIX, 0x1c);
    observe();
    check_host("10.0.3.3", "", 0);
    /* Answers are what is forged: they say nothing. */
    begin(ACTIVITY_LLMNR_ANSWER, "10.0.3.4", CLIENT, 0);
    text(FIELD_DNS_NAME, "ws10");
    address_list(FIELD_ADDRESSES, "10.0.3.4");
    observe();
    check_host("10.0.3.4", "", 0);
}

static void a_vpn_has_accounts_not_computers(void **state)
{
    (void)state;
    kerberos_as("10.0.9.1", "WS01$", 0);
    begin(ACTIVITY_RADIUS_ACCOUNTING, OTHER, SERVER, 1);
    text(FIELD_RADIUS_STATUS, "start");
    text(FIELD_RADIUS_CODE, "response");
    text(FIELD_ACCOUNT, "CORP\\user07");
    address_list(FIELD_FRAMED_ADDRESSES, "10.0.9.1");
    observe();
    struct resolver_binding b = binding_at("10.0.9.1", 1);
    assert_string_equal(b.host, "");
    assert_string_equal(b.account, "corp\\user07");
    begin(ACTIVITY_RADIUS_ACCOUNTING, OTHER, SERVER, 2);
    text(FIELD_RADIUS_STATUS, "stop");
    text(FIELD_ACCOUNT, "CORP\\user07");
    address_list(FIELD_FRAMED_ADDRESSES, "10.0.9.1");
    observe();
    assert_string_equal(binding_at("10.0.9.1", 2).account, "");
}

static void netlogon(const char *account, bool zero, uint64_t status, int64_t time)
{
    begin(ACTIVITY_NETLOGON_AUTHENTICATE, CLIENT, SERVER, time);
    text(FIELD_NETLOGON_ACCOUNT, account);
    text(FIELD_WORKSTATION, "DC1");
    activity_put_bool(&writer, FIELD_NETLOGON_CREDENTIAL_ZERO, zero);
    number(FIELD_STATUS, status);
    observe();
}

static void a_secure_channel_is_proof_unless_it_is_forged(void **state)
{
    (void)state;
    netlogon("DC1$", true, 0, 0); /* Zerologon */
    check_host(CLIENT, "", 0);
    netlogon("WS01$", false, 0xc0000022, 0);
    check_host(CLIENT, "", 0);
    netlogon("WS01$", false, 0, 0);
    check_host(CLIENT, "ws01", 0);
}

static void many_computers_share_an_address(void **state)
{
    (void)state;
    kerberos_as(CLIENT, "WS01$", 0);
    kerberos_as(CLIENT, "WS02$", MINUTES);
    assert_false(binding_at(CLIENT, MINUTES).shared);
    kerberos_as(CLIENT, "WS03$", 2 * MINUTES);
    assert_true(binding_at(CLIENT, 2 * MINUTES).shared);
    assert_int_equal(counters().shared, 1);
    begin(ACTIVITY_SMB_NEGOTIATE, CLIENT, SERVER, 3 * MINUTES);
    complete(false);
    assert_string_equal(value_of(FIELD_SOURCE_SHARED), "true");
    assert_string_equal(value_of(FIELD_SOURCE_COMPUTER), "");
    assert_false(binding_at(CLIENT, 2 * CLOCK_HOUR).shared);
    /* One after the other in a day are no crowd. */
    for (int i = 1; i <= 9; i++) {
        char name[16];
        snprintf(name, sizeof(name), "WS%02d$", i);
        kerberos_as(OTHER, name, i * CLOCK_HOUR);
    }
    assert_false(binding_at(OTHER, 9 * CLOCK_HOUR).shared);
}

static void names_are_one_computers(void **state)
{
    (void)state;
    kerberos_as(CLIENT, "WORKSTATION-WIT$", 0);
    dns_query("workstation-with-a-long-name.corp.example", 1, CLIENT, NULL, 1);
    assert_string_equal(binding_at(CLIENT, 1).host, "workstation-with-a-long-name");
    assert_int_equal(binding_at(CLIENT, 1).source, RESOLVER_MACHINE_KERBEROS);
    kerberos_as(OTHER, "WORKSTATION-WI1$", 0);
    dns_query("workstation-wi1x.corp.example", 1, OTHER, NULL, 1);
    assert_string_equal(binding_at(OTHER, 1).host, "workstation-wi1x");
    assert_int_equal(binding_at(OTHER, 1).source, RESOLVER_MACHINE_KERBEROS);
    assert_int_equal(counters().contradicted, 0);
}

static void nobodys_addresses_are_not_bound(void **state)
{
    (void)state;
    static const char *const none[] = {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255",
                                       "::",      "::1",       "ff02::1"};
    for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        struct ip_address address = address_of(none[i]);
        resolver_tell(resolver, &address, (struct bytes){(const uint8_t *)"ws01", 4}, (struct bytes){0},
                      RESOLVER_CONFIGURED, 0);
        check_host(none[i], "", 0);
    }
    struct ip_address address = address_of(SERVER);
    resolver_tell(resolver, &address, (struct bytes){(const uint8_t *)"dc1.corp.example", 16},
                  (struct bytes){0}, RESOLVER_CONFIGURED, 0);
    assert_int_equal(binding_at(SERVER, 0).confidence, 100);
    resolver_tell(resolver, &address, (struct bytes){(const uint8_t *)"bad name", 8}, (struct bytes){0},
                  RESOLVER_CONFIGURED, 0);
    check_host(SERVER, "dc1", 0);
}

/* --- completing --- */

static void identities_are_added(void **state)
{
    (void)state;
    kerberos_as(CLIENT, "WS01$", 0);
    struct ip_address dc = address_of(SERVER);
    resolver_tell(resolver, &dc, (struct bytes){(const uint8_t *)"dc1.corp.example", 16}, (struct bytes){0},
                  RESOLVER_CONFIGURED, 0);
    begin(ACTIVITY_LDAP_MODIFY, CLIENT, SERVER, 1);
    text(FIELD_ACCOUNT, "CORP\\dadmin");
    text(FIELD_LDAP_DN, "cn=domain admins,cn=users,dc=corp,dc=example");
    text_list(FIELD_ATTRIBUTE_VALUES, "add:member=CN=user33,OU=Staff,DC=corp,DC=example",
              "add:member=CN=user34,OU=Staff,DC=corp,DC=example");
    assert_int_equal(complete(true), 0);
    assert_string_equal(value_of(FIELD_SOURCE_COMPUTER), "WS01");
    assert_string_equal(value_of(FIELD_SOURCE_COMPUTER_DOMAIN), "corp.example");
    assert_string_equal(value_of(FIELD_SOURCE_HOW), "machine_kerberos");
    assert_true(value_of(FIELD_SOURCE_COMPUTER_GUID)[0] && value_of(FIELD_SOURCE_COMPUTER_SID)[0]);
    assert_string_equal(value_of(FIELD_SOURCE_IS_CONTROLLER), "");
    assert_string_equal(value_of(FIELD_DESTINATION_COMPUTER), "DC1");
    assert_string_equal(value_of(FIELD_DESTINATION_IS_CONTROLLER), "true");
    assert_string_equal(value_of(FIELD_DESTINATION_CONFIDENCE), "100");
    assert_string_equal(value_of(FIELD_ACCOUNT_NAME), "dadmin");
    assert_string_equal(value_of(FIELD_ACCOUNT_KIND), "user");
    assert_string_equal(value_of(FIELD_ACCOUNT_HOW), "named");
    assert_string_equal(value_of(FIELD_GROUP_NAME), "Domain Admins");
    assert_string_equal(value_of(FIELD_TARGET_NAME), "user33");
    assert_string_equal(value_of(FIELD_TARGET_COUNT), "2");
    assert_string_equal(value_of(FIELD_UNRESOLVED), "");
    struct resolver_counters c = counters();
    assert_int_equal(c.completed, 1);
    assert_int_equal(c.sources_named, 1);
    assert_int_equal(c.accounts_resolved, 1);
    assert_int_equal(c.targets_resolved, 1);
}

static void accounts_have_many_forms(void **state)
{
    (void)state;
    static const struct {
        const char *account, *domain, *name;
    } forms[] = {
        {"user01", "CORP.EXAMPLE", "user01"},
        {"USER01", "corp", "user01"},
        {"user01@corp.example", "", "user01"},
        {"CORP\\user01", "", "user01"},
        {"cn=user01,ou=staff,dc=corp,dc=example", "", "user01"},
        {"host/ws01.corp.example", "CORP.EXAMPLE", "WS01$"},
        {"user01", "", "user01"},
        {"WS01$", "CORP", "WS01$"},
        {"user01", "OTHER", ""},
        {"WS07\\user01", "", ""},
        {"nobody", "CORP", ""},
        {"ANONYMOUS LOGON", "", ""},
        {"WELLKNOWN/ANONYMOUS", "WELLKNOWN:ANONYMOUS", ""},
        {"", "CORP", ""},
    };
    for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        begin(ACTIVITY_SMB_SESSION, CLIENT, SERVER, 0);
        text(FIELD_ACCOUNT, forms[i].account);
        text(FIELD_ACCOUNT_DOMAIN, forms[i].domain);
        complete(false);
        assert_string_equal(value_of(FIELD_ACCOUNT_NAME), forms[i].name);
    }
}

static void tgs(uint64_t presented, uint64_t issued, const char *account, const char *for_whom)
{
    begin(ACTIVITY_KERBEROS_TGS, CLIENT, SERVER, 2);
    number(FIELD_TICKET_FINGERPRINT, presented);
    text(FIELD_SERVICE, "HTTP/web01.corp.example");
    text(FIELD_SERVICE_REALM, "CORP.EXAMPLE");
    if (for_whom)
        text(FIELD_S4U2SELF_ACCOUNT, for_whom);
    text(FIELD_ACCOUNT, account);
    number(FIELD_ISSUED_TICKET_FINGERPRINT, issued);
    number(FIELD_STATUS, 0);
}

/* FAST and SMB hide who it is; the tickets tell. */
static void an_account_is_followed_by_its_tickets(void **state)
{
    (void)state;
    begin(ACTIVITY_KERBEROS_AS, CLIENT, SERVER, 1);
    text(FIELD_ACCOUNT, "user01");
    text(FIELD_ACCOUNT_DOMAIN, "CORP.EXAMPLE");
    number(FIELD_ISSUED_TICKET_FINGERPRINT, 100);
    number(FIELD_STATUS, 0);
    observe();
    tgs(100, 200, "WELLKNOWN/ANONYMOUS", NULL);
    observe();
    tgs(100, 200, "WELLKNOWN/ANONYMOUS", NULL);
    complete(false);
    assert_string_equal(value_of(FIELD_ACCOUNT_NAME), "user01");
    assert_string_equal(value_of(FIELD_ACCOUNT_HOW), "ticket");
    assert_string_equal(value_of(FIELD_SERVICE_OWNER), "svc_web");
    begin(ACTIVITY_KERBEROS_AP, CLIENT, SERVER, 3);
    text(FIELD_CARRIER, "smb");
    text(FIELD_TICKET_SERVICE, "cifs/dc1.corp.example");
    number(FIELD_TICKET_FINGERPRINT, 200);
    number(FIELD_STATUS, 0);
    observe();
    begin(ACTIVITY_SMB_OPEN, CLIENT, SERVER, 4);
    complete(false);
    assert_string_equal(value_of(FIELD_ACCOUNT_NAME), "user01");
    assert_string_equal(value_of(FIELD_ACCOUNT_HOW), "connection");
    /* Another session on the same connection: nobody in particular. */
    begin(ACTIVITY_NTLM_AUTHENTICATE, CLIENT, SERVER, 5);
    text(FIELD_CARRIER, "smb");
    text(FIELD_ACCOUNT, "user02");
    text(FIELD_ACCOUNT_DOMAIN, "CORP");
    number(FIELD_STATUS, 0);
    observe();
    begin(ACTIVITY_SMB_OPEN, CLIENT, SERVER, 6);
    complete(false);
    assert_string_equal(value_of(FIELD_ACCOUNT_NAME), "");
    assert_string_equal(value_of(FIELD_SOURCE_ACCOUNT), "user02"); /* it logged on from there */
    assert_true(value_of(FIELD_SOURCE_ACCOUNT_GUID)[0]);
}

static void who_impersonates_acts(void **state)
{
    (void)state;
    kerberos_as(CLIENT, "svc_web", 0);
    begin(ACTIVITY_KERBEROS_AS, CLIENT, SERVER, 1);
    text(FIELD_ACCOUNT, "svc_web");
    text(FIELD_ACCOUNT_DOMAIN, "CORP.EXAMPLE");
    number(FIELD_ISSUED_TICKET_FINGERPRINT, 7);
    number(FIELD_STATUS, 0);
    observe();
    tgs(7, 8, "Administrator", "Administrator");
    observe();
    tgs(7, 8, "Administrator", "Administrator");
    complete(false);
    assert_string_equal(value_of(FIELD_ACCOUNT_NAME), "svc_web");
    assert_string_equal(value_of(FIELD_TARGET_NAME), "Administrator");
    assert_string_equal(binding_at(CLIENT, 2).account, "svc_web"); /* not the impersonated one */
}

static void samr(uint64_t rid, uint64_t member, const char *name)
{
    begin(ACTIVITY_SAMR_CHANGE, CLIENT, SERVER, 1);
    text(FIELD_ACCOUNT, "dadmin");
    text(FIELD_ACCOUNT_DOMAIN, "CORP");
    if (rid)
        number(FIELD_SAMR_RID, rid);
    if (member)
        number(FIELD_SAMR_MEMBER_RID, member);
    if (name)
        text(FIELD_RPC_NAME, name);
}

static void targets_are_named(void **state)
{
    (void)state;
    kerberos_as(CLIENT, "user01", 0); /* the server is a domain controller of the domain */
    samr(512, 1000, NULL);
    complete(false);
    assert_string_equal(value_of(FIELD_GROUP_NAME), "Domain Admins");
    assert_string_equal(value_of(FIELD_TARGET_NAME), "user01");
    samr(0, 0, "user02");
    complete(false);
    assert_string_equal(value_of(FIELD_TARGET_NAME), "user02");
    samr(502, 0, NULL);
    complete(false);
    assert_string_equal(value_of(FIELD_TARGET_NAME), "krbtgt");
    uint8_t sid[SID_BYTES_MAX], size;
    lab_sid(1003, sid, &size);
    samr(544, 0, NULL);
    activity_put_sid(&writer, FIELD_SAMR_MEMBER_SID, sid, size);
    complete(false);
    assert_string_equal(value_of(FIELD_TARGET_NAME), "user04");
    assert_string_equal(value_of(FIELD_UNRESOLVED), "group"); /* Administrators is not in the table */
    begin(ACTIVITY_DRS_REPLICATE, CLIENT, SERVER, 1);
    text(FIELD_DRS_NAMING_CONTEXT, "CN=krbtgt,CN=Users,DC=corp,DC=example");
    complete(false);
    assert_string_equal(value_of(FIELD_TARGET_NAME), "krbtgt");
    begin(ACTIVITY_DRS_REPLICATE, CLIENT, SERVER, 1);
    uint8_t guid[16] = {(uint8_t)502, 502 >> 8};
    activity_put_uuid(&writer, FIELD_DRS_NAMING_CONTEXT_GUID, guid);
    complete(false);
    assert_string_equal(value_of(FIELD_TARGET_NAME), "krbtgt");
    begin(ACTIVITY_NETLOGON_LOGON, CLIENT, SERVER, 1);
    text(FIELD_NETLOGON_USER, "user05");
    complete(false);
    assert_string_equal(value_of(FIELD_TARGET_NAME), "user05");
    begin(ACTIVITY_CLDAP_PING, CLIENT, SERVER, 1);
    text(FIELD_PING_USER, "user06");
    text(FIELD_PING_DOMAIN, "corp.example");
    complete(false);
    assert_string_equal(value_of(FIELD_TARGET_NAME), "user06");
    begin(ACTIVITY_LDAP_DELETE, CLIENT, SERVER, 1);
    text(FIELD_LDAP_DN, "CN=gone,DC=corp,DC=example");
    number(FIELD_STATUS, 0);
    assert_int_equal(complete(true), 0); /* what is deleted is not asked for */
    assert_string_equal(value_of(FIELD_UNRESOLVED), "target");
    begin(ACTIVITY_LDAP_ADD, CLIENT, SERVER, 1);
    text(FIELD_LDAP_DN, "CN=new,DC=corp,DC=example");
    number(FIELD_STATUS, 0);
    assert_int_equal(complete(true), 1); /* what was made is */
}

/* --- Windows events --- */

static void event(enum activity_kind kind, const char *computer)
{
    activity_begin(&writer, kind, 1);
    number(FIELD_EVENT_ID, 1);
    text(FIELD_EVENT_COMPUTER, computer);
}

static void sid_of(enum activity_field field, uint32_t rid)
{
    uint8_t sid[SID_BYTES_MAX], size;
    lab_sid(rid, sid, &size);
    activity_put_sid(&writer, field, sid, size);
}

static void an_event_names_its_computer_and_who_acted(void **state)
{
    (void)state;
    event(ACTIVITY_NTLM_VALIDATION, "dc1.corp.example");
    text(FIELD_ACCOUNT, "user01");
    complete(false);
    assert_string_equal(value_of(FIELD_DESTINATION_COMPUTER), "DC1");
    assert_string_equal(value_of(FIELD_DESTINATION_IS_CONTROLLER), "true");
    assert_string_equal(value_of(FIELD_DESTINATION_HOW), "event");
    assert_string_equal(value_of(FIELD_ACCOUNT_NAME), "user01");
    assert_string_equal(value_of(FIELD_ACCOUNT_HOW), "named");
    /* A name of a member's own is none of the directory's. */
    event(ACTIVITY_NTLM_VALIDATION, "WS01");
    text(FIELD_ACCOUNT, "Administrator");
    complete(false);
    assert_string_equal(value_of(FIELD_DESTINATION_COMPUTER), "WS01");
    assert_string_equal(value_of(FIELD_DESTINATION_IS_CONTROLLER), "");
    assert_string_equal(value_of(FIELD_ACCOUNT_NAME), "");
    assert_string_equal(value_of(FIELD_UNRESOLVED), "");
    /* The SID says it, whatever the name. */
    event(ACTIVITY_SERVICE_INSTALL, "ws02.corp.example");
    sid_of(FIELD_ACTING_SID, 1003);
    text(FIELD_ACCOUNT, "renamed");
    complete(false);
    assert_string_equal(value_of(FIELD_ACCOUNT_NAME), "user04");
    event(ACTIVITY_SERVICE_INSTALL, "ws02.corp.example");
    sid_of(FIELD_ACTING_SID, 999999);
    complete(false);
    assert_string_equal(value_of(FIELD_UNRESOLVED), "account");
    /* SYSTEM is nobody. */
    static const uint8_t system[] = {1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0};
    event(ACTIVITY_SERVICE_INSTALL, "nowhere.corp.example");
    activity_put_sid(&writer, FIELD_ACTING_SID, system, sizeof(system));
    text(FIELD_ACCOUNT, "SYSTEM");
    complete(false);
    assert_string_equal(value_of(FIELD_UNRESOLVED), "destination");
    event(ACTIVITY_WINDOWS_KERBEROS_TGS, "dc1.corp.example");
    text(FIELD_SERVICE, "WS03$");
    complete(false);
    assert_string_equal(value_of(FIELD_SERVICE_OWNER), "WS03$");
    event(ACTIVITY_WINDOWS_KERBEROS_TGS, "dc1.corp.example");
    text(FIELD_SERVICE, "old");
    sid_of(FIELD_SERVICE_SID, 502);
    complete(false);
    assert_string_equal(value_of(FIELD_SERVICE_OWNER), "krbtgt");
}

static void an_event_names_what_it_changed(void **state)
{
    (void)state;
    event(ACTIVITY_GROUP_CHANGE, "dc1.corp.example");
    sid_of(FIELD_GROUP_ACCOUNT_SID, 512);
    sid_of(FIELD_MEMBER_SID, 1004);
    complete(false);
    assert_string_equal(value_of(FIELD_GROUP_NAME), "Domain Admins");
    assert_string_equal(value_of(FIELD_TARGET_NAME), "user05");
    event(ACTIVITY_GROUP_CHANGE, "dc1.corp.example");
    text(FIELD_GROUP_ACCOUNT, "VPN-Users");
    text(FIELD_MEMBER_DN, "CN=user06,OU=Staff,DC=corp,DC=example");
    complete(false);
    assert_string_equal(value_of(FIELD_GROUP_NAME), "VPN-Users");
    assert_string_equal(value_of(FIELD_TARGET_NAME), "user06");
    event(ACTIVITY_GROUP_CHANGE, "dc1.corp.example");
    text(FIELD_GROUP_ACCOUNT, "gone");
    complete(false);
    assert_string_equal(value_of(FIELD_UNRESOLVED), "group");
    event(ACTIVITY_ACCOUNT_CHANGE, "dc1.corp.example");
    sid_of(FIELD_CHANGED_ACCOUNT_SID, 1005);
    complete(false);
    assert_string_equal(value_of(FIELD_TARGET_NAME), "user06");
    event(ACTIVITY_ACCOUNT_CHANGE, "dc1.corp.example");
    text(FIELD_CHANGED_ACCOUNT, "user07");
    complete(false);
    assert_string_equal(value_of(FIELD_TARGET_NAME), "user07");
    uint8_t guid[16] = {(uint8_t)502, 502 >> 8};
    event(ACTIVITY_DIRECTORY_ACCESS, "dc1.corp.example");
    activity_put_uuid(&writer, FIELD_OBJECT_GUID, guid);
    complete(false);
    assert_string_equal(value_of(FIELD_TARGET_NAME), "krbtgt");
    event(ACTIVITY_DIRECTORY_CHANGE, "dc1.corp.example");
    text(FIELD_LDAP_DN, "CN=VPN-Users,OU=Staff,DC=corp,DC=example");
    text_list(FIELD_ATTRIBUTE_VALUES, "add:member=CN=user08,OU=Staff,DC=corp,DC=example", NULL);
    complete(false);
    assert_string_equal(value_of(FIELD_GROUP_NAME), "VPN-Users");
    assert_string_equal(value_of(FIELD_TARGET_NAME), "user08");
}

/* --- asking --- */

static void what_is_missing_is_asked_and_waited_for(void **state)
{
    (void)state;
    begin(ACTIVITY_SMB_SESSION, CLIENT, SERVER, 0);
    text(FIELD_ACCOUNT, "newcomer");
    text(FIELD_ACCOUNT_DOMAIN, "CORP");
    assert_int_equal(complete(true), 1);
    assert_int_equal(lab.asked, 1);
    assert_int_equal(lab.last.kind, LOOKUP_ACCOUNT);
    assert_string_equal(lab.last.domain, "corp.example");
    assert_int_equal(counters().completed, 0);
    /* Known meanwhile, and told so. */
    lab_add(&lab, ENTITY_USER, "newcomer", "OU=Staff", NULL);
    begin(ACTIVITY_SMB_SESSION, CLIENT, SERVER, 0);
    text(FIELD_ACCOUNT, "newcomer");
    text(FIELD_ACCOUNT_DOMAIN, "CORP");
    complete(false);
    assert_string_equal(value_of(FIELD_UNRESOLVED),
                        "account"); /* for a second it is believed to be unknown */
    resolver_refresh(resolver);
    begin(ACTIVITY_SMB_SESSION, CLIENT, SERVER, 0);
    text(FIELD_ACCOUNT, "newcomer");
    text(FIELD_ACCOUNT_DOMAIN, "CORP");
    assert_int_equal(complete(true), 0);
    assert_string_equal(value_of(FIELD_ACCOUNT_NAME), "newcomer");
    /* In vain, or no room to ask: nothing to wait for. */
    lab.admits = LOOKUP_IN_VAIN;
    begin(ACTIVITY_SMB_SESSION, CLIENT, SERVER, 0);
    text(FIELD_ACCOUNT, "nobody");
    assert_int_equal(complete(true), 0);
    assert_string_equal(value_of(FIELD_UNRESOLVED), "account");
}

static void a_name_of_several_is_nobodys(void **state)
{
    (void)state;
    lab_add(&lab, ENTITY_USER, "user01", "OU=Elsewhere", NULL);
    begin(ACTIVITY_SMB_SESSION, CLIENT, SERVER, 0);
    text(FIELD_ACCOUNT, "user01");
    assert_int_equal(complete(true), 0);
    assert_string_equal(value_of(FIELD_ACCOUNT_NAME), "");
}

/* Before the directory is known: the names that were heard. */
static void names_stay_names_without_a_directory(void **state)
{
    (void)state;
    lab.count = 0;
    lab.knows_domain = false;
    begin(ACTIVITY_NTLM_AUTHENTICATE, CLIENT, SERVER, 0);
    text(FIELD_NTLM_SERVER_NB_COMPUTER, "DC1");
    text(FIELD_NTLM_SERVER_NB_DOMAIN, "CORP");
    text(FIELD_NTLM_SERVER_DNS_DOMAIN, "corp.example");
    observe();
    kerberos_as(CLIENT, "WS01$", 1);
    begin(ACTIVITY_SMB_OPEN, CLIENT, SERVER, 2);
    complete(false);
    assert_string_equal(value_of(FIELD_SOURCE_COMPUTER), "ws01");
    assert_string_equal(value_of(FIELD_DESTINATION_COMPUTER), "dc1");
    assert_string_equal(value_of(FIELD_DESTINATION_COMPUTER_DOMAIN), "corp.example"); /* the challenge told */
    assert_string_equal(value_of(FIELD_SOURCE_COMPUTER_GUID), "");
    assert_string_equal(value_of(FIELD_UNRESOLVED), "source, destination");
}

/* --- bounds --- */

static void tables_are_bounded(void **state)
{
    (void)state;
    struct resolver_limits limits = {
        .addresses_max = 64, .tickets_max = 64, .connections_max = 64, .entities_max = 64};
    resolver_destroy(&resolver);
    resolver = lab_resolver(&lab, &limits);
    kerberos_as("10.1.0.1", "WS01$", 0);
    for (unsigned i = 1; i < 2000; i++) {
        char address[32], name[32];
        snprintf(address, sizeof(address), "10.2.%u.%u", i / 250, i % 250 + 1);
        snprintf(name, sizeof(name), "user%u", i);
        begin(ACTIVITY_KERBEROS_AS, address, SERVER, i * CLOCK_SECOND);
        text(FIELD_ACCOUNT, name);
        text(FIELD_ACCOUNT_DOMAIN, "CORP.EXAMPLE");
        number(FIELD_STATUS, 0);
        activity_put_int(&writer, FIELD_PREAUTH_ETYPE, 18);
        number(FIELD_ISSUED_TICKET_FINGERPRINT, i);
        observe();
        begin(ACTIVITY_SMB_SESSION, address, SERVER, i * CLOCK_SECOND);
        text(FIELD_ACCOUNT, name);
        complete(false);
        struct resolver_counters c = counters();
        assert_true(c.addresses <= 64 && c.tickets <= 64 && c.entities <= 64);
        assert_string_equal(binding_at(address, i * CLOCK_SECOND).account, name); /* the newest stays */
    }
    assert_true(counters().evicted > 1000);
    assert_true(counters().memory < 1u << 20);
}

static void names_too_long_are_not_kept(void **state)
{
    (void)state;
    char name[RESOLVER_ACCOUNT_MAX + 8];
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;
    kerberos_as(CLIENT, name, 0);
    assert_string_equal(binding_at(CLIENT, 0).account, "");
    assert_int_equal(counters().too_long, 1);
}

static void strangers_domains_are_bounded(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        char domain[32];
        snprintf(domain, sizeof(domain), "D%u.EXAMPLE", i);
        begin(ACTIVITY_KERBEROS_AS, CLIENT, SERVER, i);
        text(FIELD_ACCOUNT, "x");
        text(FIELD_ACCOUNT_DOMAIN, domain);
        number(FIELD_STATUS, 0);
        activity_put_int(&writer, FIELD_PREAUTH_ETYPE, 18);
        observe();
    }
    kerberos_as(CLIENT, "WS01$", 2000); /* a domain that the directory knows has its place */
    assert_string_equal(binding_at(CLIENT, 2000).domain, "corp.example");
}

static void sources_are_described(void **state)
{
    (void)state;
    for (unsigned i = 1; i < RESOLVER_SOURCES; i++) {
        const struct resolver_source_info *info = resolver_source_info((enum resolver_source)i);
        assert_true(info->name[0] && info->doc[0] && info->confidence > 0 && info->confidence <= 100);
        assert_true(info->age_out >= CLOCK_HOUR);
    }
    assert_string_equal(resolver_source_info((enum resolver_source)99)->name, "unknown");
}

/* The table of docs/resolver.md is that of the code. */
static void the_page_has_the_sources(void **state)
{
    (void)state;
    char *table = NULL, page[65536];
    size_t size;
    FILE *to = open_memstream(&table, &size);
    assert_non_null(to);
    resolver_print_sources(to);
    fclose(to);
    FILE *from = fopen(PICKET_TEST_DATA "/../../docs/resolver.md", "r");
    assert_non_null(from);
    page[fread(page, 1, sizeof(page) - 1, from)] = 0;
    fclose(from);
    if (!strstr(page, table))
        fail_msg("docs/resolver.md does not have this table:\n%s", table);
    free(table);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_computers_logon_says_who_is_there),
        TEST(a_ticket_without_proof_says_nothing),
        TEST(another_computer_ends_the_binding),
        TEST(what_was_done_before_is_the_others),
        TEST(a_computer_that_comes_is_waited_for),
        TEST(a_computer_that_does_not_prove_itself_is_not_there),
        TEST(weaker_word_does_not),
        TEST(a_computer_is_not_believed_to_be_in_two_places),
        TEST(a_stated_name_must_be_known),
        TEST(a_proof_displaces_a_stated_name_elsewhere),
        TEST(a_server_tells_its_name),
        TEST(a_ticket_that_is_accepted_names_the_server),
        TEST(dns_answers_name_hosts_of_the_domain),
        TEST(updates_name_what_they_add),
        TEST(a_lease_gives_an_address_away),
        TEST(announcements_name_their_sender),
        TEST(a_vpn_has_accounts_not_computers),
        TEST(a_secure_channel_is_proof_unless_it_is_forged),
        TEST(many_computers_share_an_address),
        TEST(names_are_one_computers),
        TEST(nobodys_addresses_are_not_bound),
        TEST(identities_are_added),
        TEST(accounts_have_many_forms),
        TEST(an_account_is_followed_by_its_tickets),
        TEST(who_impersonates_acts),
        TEST(targets_are_named),
        TEST(an_event_names_its_computer_and_who_acted),
        TEST(an_event_names_what_it_changed),
        TEST(what_is_missing_is_asked_and_waited_for),
        TEST(a_name_of_several_is_nobodys),
        TEST(names_stay_names_without_a_directory),
        TEST(tables_are_bounded),
        TEST(names_too_long_are_not_kept),
        TEST(strangers_domains_are_bounded),
        TEST(sources_are_described),
        TEST(the_page_has_the_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
