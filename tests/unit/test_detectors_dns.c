/* SPDX-License-Identifier: Apache-2.0
 *
 * Detectors of DNS: mapping the network, a channel inside of names, records that are too large.
 */
#include "tests/unit/directory_world.h"

static const struct world_fact directory[] = {
    {"DC1", FACT_COMPUTER | FACT_CONTROLLER, 0},
    {"NS1", FACT_COMPUTER | FACT_DNS_SERVER, 0},
    {"WS1", FACT_COMPUTER, 0},
    {0},
};

/* -- 2007 --------------------------------------------------------------------------------------------------
 */

static void transfer(struct world *w, uint8_t source, const char *computer, uint64_t type)
{
    begin(w, ACTIVITY_DNS_TRANSFER);
    put_ends(w, source, 10);
    if (computer)
        put_source_computer(w, computer, false);
    put_text(w, FIELD_DNS_ZONE, "corp.example");
    put_uint(w, FIELD_DNS_TYPE, type);
    put_uint(w, FIELD_DNS_RECORDS, 0);
    send(w);
}

static void transfers_are_learned(void **state)
{
    (void)state;
    struct world *w = world_new(false, directory);
    transfer(w, 53, NULL, 252);
    assert_quiet(w, 2007);
    w->time = WORLD_START + 8 * CLOCK_DAY - CLOCK_MINUTE;
    transfer(w, 54, NULL, 252);
    assert_quiet(w, 2007);
    w->time = WORLD_START + 8 * CLOCK_DAY;
    transfer(w, 53, NULL, 252);
    assert_quiet(w, 2007);
    transfer(w, 54, NULL, 251);
    assert_quiet(w, 2007);
    transfer(w, 66, NULL, 252);
    assert_raised(w, 2007, SEVERITY_MEDIUM);
    assert_non_null(strstr(raised(w, 2007)->explanation, "AXFR"));
    transfer(w, 66, NULL, 251);
    assert_raised(w, 2007, SEVERITY_MEDIUM);
    transfer(w, 67, "NS1", 252);
    assert_quiet(w, 2007);
    transfer(w, 68, "DC1", 252);
    assert_quiet(w, 2007);
    transfer(w, 69, "WS1", 252);
    assert_raised(w, 2007, SEVERITY_MEDIUM);
    world_destroy(w);
}

static void list_zone(struct world *w, uint8_t source, const char *node)
{
    begin(w, ACTIVITY_DNSSERVER_MANAGE);
    put_ends(w, source, 10);
    put_account(w, "bob");
    put_text(w, FIELD_RPC_OPERATION, "DnssrvEnumRecords2");
    put_text(w, FIELD_DNSSERVER_ZONE, "corp.example");
    put_text(w, FIELD_DNSSERVER_NODE, node);
    send(w);
}

static void zones_are_listed_by_administrators(void **state)
{
    (void)state;
    struct world *w = world_new(false, NULL);
    list_zone(w, 50, "@");
    w->time = WORLD_START + 9 * CLOCK_DAY;
    list_zone(w, 50, "@");
    assert_quiet(w, 2007);
    list_zone(w, 66, "host1"); /* one name */
    assert_quiet(w, 2007);
    list_zone(w, 66, "@");
    assert_raised(w, 2007, SEVERITY_MEDIUM);
    world_destroy(w);
}

/* `count` different names of the server's own zone, a second each; whether it was told. */
static bool ask(struct world *w, unsigned first, unsigned count, bool own)
{
    bool told = false;
    for (unsigned i = first; i < first + count; i++) {
        char name[64];
        snprintf(name, sizeof(name), "host%u.corp.example", i);
        begin(w, ACTIVITY_DNS_QUERY);
        put_ends(w, 66, 10);
        put_text(w, FIELD_DNS_NAME, name);
        put_bool(w, FIELD_DNS_AUTHORITATIVE, own);
        send(w);
        told |= raised(w, 2007) != NULL;
    }
    return told;
}

static void many_names_within_an_hour(void **state)
{
    (void)state;
    struct world *w = world_new(true, NULL);
    assert_false(ask(w, 0, 150, true)); /* 200, and the sketch errs by some 13 % */
    assert_true(ask(w, 150, 110, true));
    world_destroy(w);
    w = world_new(true, NULL);
    assert_false(ask(w, 0, 2000, false)); /* names of the outside */
    world_destroy(w);
    w = world_new(true, NULL);
    for (unsigned i = 0; i < 1500; i++)
        assert_false(ask(w, i % 100, 1, true)); /* often, but the same ones */
    world_destroy(w);
    w = world_new(false, NULL);
    assert_false(ask(w, 0, 2000, true)); /* learning */
    world_destroy(w);
}

static void a_steady_volume_is_habit(void **state)
{
    (void)state;
    struct world *w = world_new(false, NULL);
    for (unsigned day = 0; day < 20; day++) {
        w->time = WORLD_START + day * CLOCK_DAY;
        assert_false(ask(w, 0, 800, true));
    }
    world_destroy(w);
}

/* -- 2031 --------------------------------------------------------------------------------------------------
 */

static void query(struct world *w, const char *name, bool own)
{
    begin(w, ACTIVITY_DNS_QUERY);
    put_ends(w, 66, 10);
    put_text(w, FIELD_DNS_NAME, name);
    put_bool(w, FIELD_DNS_AUTHORITATIVE, own);
    put_uint(w, FIELD_DNS_ANSWER_BYTES, 100);
    send(w);
}

/* 60 characters of base 32: 5 bits each, so some 37 bytes. */
static void thrown(uint32_t *seed, char label[61])
{
    for (unsigned i = 0; i < 60; i++) {
        *seed = *seed * 1664525 + 1013904223;
        label[i] = "abcdefghijklmnopqrstuvwxyz234567"[*seed >> 27];
    }
    label[60] = '\0';
}

/* After how many bytes, as they count, it is told; 0: never within `count` names. */
static double tunnel(struct world *w, const char *domain, unsigned count, bool own, bool repeated)
{
    uint32_t seed = 1;
    char label[61];
    for (unsigned i = 0; i < count; i++) {
        char name[200];
        if (i == 0 || !repeated)
            thrown(&seed, label);
        snprintf(name, sizeof(name), "%s.%s", label, domain);
        query(w, name, own);
        if (raised(w, 2031))
            return evidence_of(raised(w, 2031), "bytes")->number;
    }
    return 0;
}

static void a_channel_in_names(void **state)
{
    (void)state;
    struct world *w = world_new(false, NULL);
    double bytes = tunnel(w, "evil.example", 1000, false, false);
    assert_true(bytes >= 8192 && bytes < 8192 + 100);
    assert_raised(w, 2031, SEVERITY_MEDIUM);
    assert_string_equal(evidence_of(raised(w, 2031), "domain")->text, "evil.example");
    double bits = evidence_of(raised(w, 2031), "bits_per_character")->number;
    assert_true(bits > 4.9 && bits < 5.1);
    world_destroy(w);

    w = world_new(false, NULL);
    w->settings.sensitivity = SENSITIVITY_HIGH;
    bytes = tunnel(w, "a.co.uk", 1000, false, false);
    assert_true(bytes >= 4096 && bytes < 4096 + 100);
    assert_string_equal(evidence_of(raised(w, 2031), "domain")->text, "a.co.uk");
    world_destroy(w);

    w = world_new(false, NULL);
    assert_true(tunnel(w, "evil.example", 200, false, false) == 0); /* just below */
    assert_true(tunnel(w, "corp.example", 1000, true, false) == 0); /* names of own zones */
    assert_true(tunnel(w, "zen.spamhaus.org", 1000, false, false) == 0);
    assert_true(tunnel(w, "1.0.10.in-addr.arpa", 1000, false, false) == 0);
    assert_true(tunnel(w, "busy.example", 3000, false, true) == 0); /* one name */
    query(w, "com", false);
    query(w, ".", false);
    query(w, "...", false);
    query(w, "", false);
    world_destroy(w);
}

static void a_channel_slower_than_a_day(void **state)
{
    (void)state;
    struct world *w = world_new(false, NULL);
    uint32_t seed = 1;
    char label[61], name[200];
    for (unsigned day = 0; day < 10; day++)
        for (unsigned i = 0; i < 100; i++) { /* 3.7 KB a day */
            thrown(&seed, label);
            snprintf(name, sizeof(name), "%s.slow.example", label);
            w->time = WORLD_START + day * CLOCK_DAY + i * CLOCK_MINUTE;
            query(w, name, false);
            assert_quiet(w, 2031);
        }
    world_destroy(w);
}

/* -- 2036 --------------------------------------------------------------------------------------------------
 */

static void record(struct world *w, bool update, bool controller_asks, uint64_t bytes)
{
    begin(w, update ? ACTIVITY_DNS_UPDATE : ACTIVITY_DNS_QUERY);
    if (controller_asks) {
        put_ends(w, 10, 66);
        put_source_computer(w, "DC1", true);
    } else {
        put_ends(w, 66, 10);
        put_destination_computer(w, "DC1", true);
    }
    put_text(w, update ? FIELD_DNS_ZONE : FIELD_DNS_NAME, "corp.example");
    put_uint(w, FIELD_DNS_RECORD_MAX, bytes);
    send(w);
}

static void records_that_are_too_large(void **state)
{
    (void)state;
    struct world *w = world_new(false, directory);
    record(w, false, true, 16383);
    assert_quiet(w, 2036);
    record(w, false, true, 16384);
    assert_raised(w, 2036, SEVERITY_MEDIUM);
    assert_string_equal(alert_party(raised(w, 2036), ALERT_SOURCE)->name, "10.0.0.66");
    assert_string_equal(alert_party(raised(w, 2036), ALERT_DESTINATION)->name, "DC1");
    record(w, true, false, 65000);
    assert_raised(w, 2036, SEVERITY_MEDIUM);
    assert_string_equal(alert_party(raised(w, 2036), ALERT_SOURCE)->name, "10.0.0.66");
    begin(w, ACTIVITY_DNS_QUERY); /* a workstation asks the controller, which answers so itself */
    put_ends(w, 66, 10);
    put_source_computer(w, "WS1", false);
    put_uint(w, FIELD_DNS_RECORD_MAX, 65000);
    send(w);
    assert_quiet(w, 2036);
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transfers_are_learned),      cmocka_unit_test(zones_are_listed_by_administrators),
        cmocka_unit_test(many_names_within_an_hour),  cmocka_unit_test(a_steady_volume_is_habit),
        cmocka_unit_test(a_channel_in_names),         cmocka_unit_test(a_channel_slower_than_a_day),
        cmocka_unit_test(records_that_are_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
