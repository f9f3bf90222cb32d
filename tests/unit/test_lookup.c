/* SPDX-License-Identifier: Apache-2.0
 *
 * Reactive look-up: each name is asked once, never faster than allowed, in bounded memory, and ends as known
 * or in vain; whatever happens in whatever order.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "sync/lookup.h"
#include "sync/service_name.h"

static struct bytes text(const char *string)
{
    return (struct bytes){(const uint8_t *)string, strlen(string)};
}

static struct lookup_key key_of(enum lookup_kind kind, const char *value, const char *domain)
{
    struct lookup_key key;
    assert_true(lookup_key_text(&key, kind, text(value), text(domain)));
    return key;
}

static struct lookup_key account_number(unsigned i)
{
    char name[32];
    snprintf(name, sizeof(name), "user%u", i);
    return key_of(LOOKUP_ACCOUNT, name, "corp.example");
}

static struct lookup_counters counters_of(const struct lookup *lookup)
{
    struct lookup_counters counters;
    lookup_counters(lookup, &counters);
    return counters;
}

static struct lookup *lookup_with(uint32_t queue, uint32_t negative, uint32_t per_query, uint32_t flights)
{
    struct lookup_limits limits;
    lookup_limits_init(&limits);
    limits.queue_max = queue;
    limits.negative_max = negative;
    limits.keys_per_query = per_query;
    limits.flights_max = flights;
    struct lookup *lookup = lookup_new(&limits, 42);
    assert_non_null(lookup);
    return lookup;
}

/* --- keys --- */

static void keys_have_one_form(void **state)
{
    (void)state;
    struct lookup_key key = key_of(LOOKUP_ACCOUNT, "User01", "CORP.Example.");
    assert_int_equal(key.size, 6);
    assert_memory_equal(key.value, "user01", 6);
    assert_string_equal(key.domain, "corp.example");
    key = key_of(LOOKUP_DNS_NAME, "WS01.corp.example.", "");
    assert_memory_equal(key.value, "ws01.corp.example", key.size);
    key = key_of(LOOKUP_SPN, "cifs/DC1.corp.example@CORP.EXAMPLE", "");
    assert_int_equal(key.size, strlen("cifs/dc1.corp.example"));
    key = key_of(LOOKUP_ACCOUNT, "M\xc3\x9cLLER", "");
    assert_memory_equal(key.value, "m\xc3\xbcller", 7);
}

static void what_names_nothing_is_refused(void **state)
{
    (void)state;
    static const struct {
        enum lookup_kind kind;
        const char *value;
    } bad[] = {
        {LOOKUP_ACCOUNT, ""},   {LOOKUP_ACCOUNT, "a\xff"}, {LOOKUP_ACCOUNT, "a\nb"},
        {LOOKUP_UPN, "user"},   {LOOKUP_UPN, "@corp"},     {LOOKUP_SPN, "host"},
        {LOOKUP_SPN, "/x"},     {LOOKUP_SPN, "host/"},     {LOOKUP_SPN, "host/@REALM"},
        {LOOKUP_DNS_NAME, "."}, {LOOKUP_SID, "S-1-5-18"},  {LOOKUP_GUID, "x"},
    };
    struct lookup_key key;
    char longest[LOOKUP_VALUE_MAX + 2];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(lookup_key_text(&key, bad[i].kind, text(bad[i].value), text("")));
    memset(longest, 'a', sizeof(longest));
    assert_true(lookup_key_text(&key, LOOKUP_ACCOUNT, (struct bytes){(uint8_t *)longest, LOOKUP_VALUE_MAX},
                                text("")));
    assert_false(lookup_key_text(&key, LOOKUP_ACCOUNT,
                                 (struct bytes){(uint8_t *)longest, LOOKUP_VALUE_MAX + 1}, text("")));
    assert_false(lookup_key_text(&key, LOOKUP_ACCOUNT, text("a"), (struct bytes){(uint8_t *)longest, 256}));
    static const uint8_t sid[] = {1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0};
    static const struct guid none;
    assert_true(lookup_key_sid(&key, (struct bytes){sid, sizeof(sid)}));
    assert_false(lookup_key_sid(&key, (struct bytes){sid, sizeof(sid) - 1}));
    assert_false(lookup_key_sid(&key, (struct bytes){sid, 0}));
    assert_false(lookup_key_guid(&key, &none));
}

static void a_hash_tells_kind_value_and_domain(void **state)
{
    (void)state;
    struct lookup_key a = key_of(LOOKUP_ACCOUNT, "x", ""), b = key_of(LOOKUP_ACCOUNT, "X", ""),
                      c = key_of(LOOKUP_DN, "x", ""), d = key_of(LOOKUP_ACCOUNT, "x", "corp");
    assert_true(lookup_key_hash(&a, 1) == lookup_key_hash(&b, 1));
    assert_false(lookup_key_hash(&a, 1) == lookup_key_hash(&c, 1));
    assert_false(lookup_key_hash(&a, 1) == lookup_key_hash(&d, 1));
    assert_false(lookup_key_hash(&a, 1) == lookup_key_hash(&a, 2));
}

/* --- filters --- */

static void check_filter(const struct lookup_key *keys, uint32_t count, const char *expected)
{
    char filter[LOOKUP_FILTER_SIZE(8)];
    assert_true(lookup_filter(filter, sizeof(filter), keys, count));
    assert_string_equal(filter, expected);
    assert_true(lookup_filter(filter, strlen(expected) + 1, keys, count));
    assert_false(lookup_filter(filter, strlen(expected), keys, count));
}

static void filters_ask_for_every_spelling(void **state)
{
    (void)state;
    struct lookup_key key = key_of(LOOKUP_ACCOUNT, "ws01$", "");
    check_filter(&key, 1, "(|(sAMAccountName=ws01$))");
    key = key_of(LOOKUP_ACCOUNT, "ws01", "");
    check_filter(&key, 1, "(|(sAMAccountName=ws01)(sAMAccountName=ws01$))");
    key = key_of(LOOKUP_ACCOUNT, "longer-than-computers-are", "");
    check_filter(&key, 1, "(|(sAMAccountName=longer-than-computers-are))");
    key = key_of(LOOKUP_UPN, "a@b@corp.example", "");
    check_filter(&key, 1, "(|(userPrincipalName=a@b@corp.example)(sAMAccountName=a@b))");
    key = key_of(LOOKUP_SPN, "cifs/dc1:445/corp", "");
    check_filter(&key, 1,
                 "(|(servicePrincipalName=cifs/dc1:445/corp)(servicePrincipalName=host/dc1:445/corp))");
    key = key_of(LOOKUP_SPN, "MSSQLSvc/sql01:1433", "");
    check_filter(&key, 1, "(|(servicePrincipalName=mssqlsvc/sql01:1433))");
    key = key_of(LOOKUP_DN, "CN=a*(b)\\,c,DC=x", "");
    check_filter(&key, 1, "(|(distinguishedName=cn=a\\2a\\28b\\29\\5c,c,dc=x))");
    key = key_of(LOOKUP_DNS_NAME, "ws01.corp.example", "");
    check_filter(&key, 1, "(|(dNSHostName=ws01.corp.example))");
}

static void a_filter_joins_kinds(void **state)
{
    (void)state;
    static const uint8_t sid[] = {1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0};
    struct guid guid = {{1, 2, 3}};
    struct lookup_key keys[3] = {key_of(LOOKUP_DN, "dc=x", "")};
    assert_true(lookup_key_sid(&keys[1], (struct bytes){sid, sizeof(sid)}));
    assert_true(lookup_key_guid(&keys[2], &guid));
    check_filter(keys, 3,
                 "(|(distinguishedName=dc=x)(objectSid=\\01\\01\\00\\00\\00\\00\\00\\05\\12\\00\\00\\00)"
                 "(objectGUID=\\01\\02\\03\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00))");
}

static void the_longest_filter_fits(void **state)
{
    (void)state;
    static struct lookup_key keys[LOOKUP_KEYS_MAX];
    static char filter[LOOKUP_FILTER_SIZE(LOOKUP_KEYS_MAX)];
    char name[LOOKUP_VALUE_MAX];
    memset(name, '*', sizeof(name));
    memcpy(name, "cifs/", 5);
    for (unsigned i = 0; i < LOOKUP_KEYS_MAX; i++)
        assert_true(
            lookup_key_text(&keys[i], LOOKUP_SPN, (struct bytes){(uint8_t *)name, sizeof(name)}, text("")));
    assert_true(lookup_filter(filter, sizeof(filter), keys, LOOKUP_KEYS_MAX));
}

/* --- matching --- */

static struct entity_change change;
static const char *home; /* DNS name of the object's domain */
static struct entity_value values[ENTITY_ATTRIBUTES][4];

static void set(enum entity_attribute attribute, unsigned at, struct bytes value)
{
    values[attribute][at].bytes = value;
    change.attributes[attribute].values = values[attribute];
    change.attributes[attribute].count = at + 1;
}

static void make_computer(void)
{
    static const uint8_t sid[] = {1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0};
    memset(&change, 0, sizeof(change));
    change.guid.bytes[0] = 7;
    change.dn = text("CN=WS01,OU=Clients,DC=corp,DC=example");
    home = "corp.example";
    set(ENTITY_SAM_ACCOUNT_NAME, 0, text("WS01$"));
    set(ENTITY_OBJECT_SID, 0, (struct bytes){sid, sizeof(sid)});
    set(ENTITY_DNS_HOST_NAME, 0, text("ws01.corp.example"));
    set(ENTITY_SERVICE_PRINCIPAL_NAMES, 0, text("HOST/ws01.corp.example"));
    set(ENTITY_SERVICE_PRINCIPAL_NAMES, 1, text("MSSQLSvc/WS01.corp.example:1433"));
}

static uint64_t matches(const struct lookup_key *keys, uint32_t count, const char *netbios)
{
    struct lookup_domain domain = {text(home), text(netbios)};
    return lookup_matches(keys, count, &change, &domain);
}

static bool matched(enum lookup_kind kind, const char *value, const char *domain, const char *netbios)
{
    struct lookup_key key = key_of(kind, value, domain);
    return matches(&key, 1, netbios) == 1;
}

static void an_object_answers_its_names(void **state)
{
    (void)state;
    make_computer();
    assert_true(matched(LOOKUP_ACCOUNT, "ws01$", "corp.example", ""));
    assert_true(matched(LOOKUP_ACCOUNT, "WS01", "", ""));
    assert_false(matched(LOOKUP_ACCOUNT, "ws0", "", ""));
    assert_false(matched(LOOKUP_ACCOUNT, "ws01$$", "", ""));
    assert_true(matched(LOOKUP_DNS_NAME, "WS01.corp.example.", "", ""));
    assert_true(matched(LOOKUP_DN, "cn=ws01,ou=clients,dc=corp,dc=example", "", ""));
    assert_true(matched(LOOKUP_SPN, "cifs/ws01.corp.example", "", ""));
    assert_true(matched(LOOKUP_SPN, "host/WS01.corp.example", "", ""));
    assert_true(matched(LOOKUP_SPN, "mssqlsvc/ws01.corp.example:1433", "", ""));
    assert_false(matched(LOOKUP_SPN, "mssqlsvc/ws01.corp.example", "", ""));
    assert_false(matched(LOOKUP_SPN, "ldap/ws01.corp.example", "", "")); /* not of sPNMappings */
    assert_false(matched(LOOKUP_SPN, "cifs/ws02.corp.example", "", ""));
    assert_true(matched(LOOKUP_UPN, "ws01$@corp.example", "", ""));
    assert_false(matched(LOOKUP_UPN, "ws01$@other.example", "", ""));
    struct lookup_key keys[2];
    struct guid guid = change.guid;
    assert_true(lookup_key_guid(&keys[0], &guid));
    assert_true(lookup_key_sid(&keys[1], values[ENTITY_OBJECT_SID][0].bytes));
    assert_int_equal(matches(keys, 2, ""), 3);
    guid.bytes[0] = 8;
    assert_true(lookup_key_guid(&keys[0], &guid));
    assert_int_equal(matches(keys, 2, ""), 2);
}

static void an_explicit_upn_is_a_name_in_any_suffix(void **state)
{
    (void)state;
    memset(&change, 0, sizeof(change));
    home = "corp.example";
    assert_false(matched(LOOKUP_ACCOUNT, "ann", "", ""));
    set(ENTITY_SAM_ACCOUNT_NAME, 0, text("ann"));
    set(ENTITY_USER_PRINCIPAL_NAME, 0, text("Ann.Smith@firm.example"));
    assert_true(matched(LOOKUP_UPN, "ann.smith@firm.example", "", ""));
    assert_true(matched(LOOKUP_UPN, "ann@corp.example", "", ""));
    assert_false(matched(LOOKUP_UPN, "ann@firm.example", "", ""));
    assert_false(matched(LOOKUP_ACCOUNT, "ann$", "", ""));
    set(ENTITY_SAM_ACCOUNT_NAME, 0, text("M\xc3\xbcller"));
    assert_true(matched(LOOKUP_ACCOUNT, "M\xc3\x9cLLER", "", ""));
}

static void a_domain_is_known_by_both_its_names(void **state)
{
    (void)state;
    make_computer();
    assert_true(matched(LOOKUP_ACCOUNT, "ws01$", "CORP", ""));
    assert_true(matched(LOOKUP_ACCOUNT, "ws01$", "HQ", "hq"));
    assert_false(matched(LOOKUP_ACCOUNT, "ws01$", "CORP", "hq"));
    assert_false(matched(LOOKUP_ACCOUNT, "ws01$", "other.example", "hq"));
    assert_false(matched(LOOKUP_ACCOUNT, "ws01$", "OTHER", ""));
    home = "";
    assert_false(matched(LOOKUP_ACCOUNT, "ws01$", "CORP", ""));
}

static void service_names_are_taken_apart(void **state)
{
    (void)state;
    struct service_name name;
    assert_true(service_name_parse(text("ldap/dc1:389/corp.example@REALM"), &name));
    assert_true(service_name_is(name.service, "LDAP"));
    assert_int_equal(name.host.size, 3);
    assert_int_equal(name.rest.size, strlen(":389/corp.example"));
    assert_false(service_name_parse(text("a@b/c"), &name));
    assert_true(service_name_is_mapped(text("CIFS")));
    assert_false(service_name_is_mapped(text("ldap")));
}

/* --- asking --- */

static void a_name_is_asked_once(void **state)
{
    (void)state;
    struct lookup *lookup = lookup_with(8, 8, 4, 2);
    struct lookup_key key = account_number(1);
    const struct lookup_key *keys;
    uint32_t count, again_count;
    int64_t again;
    assert_int_equal(lookup_next(lookup, 0, &keys, &count, &again), 0);
    assert_true(again == INT64_MAX);
    assert_int_equal(lookup_ask(lookup, &key, LOOKUP_TRAFFIC, 0), LOOKUP_QUEUED);
    assert_int_equal(lookup_ask(lookup, &key, LOOKUP_TRAFFIC, 0), LOOKUP_JOINED);
    uint32_t question = lookup_next(lookup, 0, &keys, &count, &again);
    assert_int_not_equal(question, 0);
    assert_int_equal(count, 1);
    assert_memory_equal(&keys[0], &key, sizeof(key));
    assert_int_equal(lookup_ask(lookup, &key, LOOKUP_PERSON, 0), LOOKUP_JOINED);
    assert_int_equal(lookup_next(lookup, 0, &keys, &again_count, &again), 0);
    lookup_answered(lookup, question, 0, false, 0);
    lookup_answered(lookup, question, 1, false, 0); /* told twice */
    lookup_answered(lookup, 0, 1, false, 0);
    assert_int_equal(lookup_ask(lookup, &key, LOOKUP_TRAFFIC, 10 * CLOCK_MINUTE - 1), LOOKUP_IN_VAIN);
    assert_int_equal(lookup_ask(lookup, &key, LOOKUP_TRAFFIC, 10 * CLOCK_MINUTE), LOOKUP_QUEUED);
    struct lookup_counters c = counters_of(lookup);
    assert_int_equal(c.asked, 5);
    assert_int_equal(c.joined, 2);
    assert_int_equal(c.in_vain, 1);
    assert_int_equal(c.missing, 1);
    assert_int_equal(c.waiting, 1);
    lookup_destroy(&lookup);
    lookup_destroy(&lookup);
}

static void a_person_asks_what_was_in_vain(void **state)
{
    (void)state;
    struct lookup *lookup = lookup_with(8, 8, 4, 2);
    struct lookup_key key = account_number(1);
    const struct lookup_key *keys;
    uint32_t count;
    int64_t again;
    lookup_ask(lookup, &key, LOOKUP_BACKGROUND, 0);
    lookup_answered(lookup, lookup_next(lookup, 0, &keys, &count, &again), 0, false, 0);
    assert_int_equal(lookup_ask(lookup, &key, LOOKUP_TRAFFIC, 1), LOOKUP_IN_VAIN);
    assert_int_equal(lookup_ask(lookup, &key, LOOKUP_PERSON, 1), LOOKUP_QUEUED);
    lookup_answered(lookup, lookup_next(lookup, 1, &keys, &count, &again), 1, false, 1);
    assert_int_equal(counters_of(lookup).negative, 0);
    assert_int_equal(counters_of(lookup).found, 1);
    lookup_destroy(&lookup);
}

static void the_least_important_gives_way(void **state)
{
    (void)state;
    struct lookup *lookup = lookup_with(2, 8, 4, 1);
    struct lookup_key key[5];
    for (unsigned i = 0; i < 5; i++)
        key[i] = account_number(i);
    assert_int_equal(lookup_ask(lookup, &key[0], LOOKUP_BACKGROUND, 0), LOOKUP_QUEUED);
    assert_int_equal(lookup_ask(lookup, &key[1], LOOKUP_TRAFFIC, 0), LOOKUP_QUEUED);
    assert_int_equal(lookup_ask(lookup, &key[2], LOOKUP_BACKGROUND, 0), LOOKUP_FULL);
    assert_int_equal(lookup_ask(lookup, &key[2], LOOKUP_TRAFFIC, 0), LOOKUP_QUEUED);
    assert_int_equal(lookup_ask(lookup, &key[3], LOOKUP_TRAFFIC, 0), LOOKUP_FULL);
    assert_int_equal(lookup_ask(lookup, &key[1], LOOKUP_PERSON, 0), LOOKUP_JOINED); /* raised */
    assert_int_equal(lookup_ask(lookup, &key[4], LOOKUP_PERSON, 0), LOOKUP_QUEUED);
    const struct lookup_key *keys;
    uint32_t count;
    int64_t again;
    assert_int_not_equal(lookup_next(lookup, 0, &keys, &count, &again), 0);
    assert_int_equal(count, 2);
    assert_memory_equal(&keys[0], &key[1], sizeof(key[1]));
    assert_memory_equal(&keys[1], &key[4], sizeof(key[4]));
    assert_int_equal(counters_of(lookup).displaced, 2);
    assert_int_equal(counters_of(lookup).refused, 2);
    lookup_destroy(&lookup);
}

static void a_failed_question_is_asked_four_times_in_all(void **state)
{
    (void)state;
    struct lookup *lookup = lookup_with(8, 8, 4, 2);
    struct lookup_key key[2] = {account_number(0), account_number(1)};
    const struct lookup_key *keys;
    uint32_t count, questions = 0, question;
    int64_t now = 0, again;
    lookup_ask(lookup, &key[0], LOOKUP_TRAFFIC, now);
    lookup_ask(lookup, &key[1], LOOKUP_TRAFFIC, now);
    while (counters_of(lookup).waiting > 0) {
        question = lookup_next(lookup, now, &keys, &count, &again);
        if (!question) {
            assert_true(again > now);
            now = again;
            continue;
        }
        questions++;
        assert_int_equal(count, questions > 2 ? 1 : 2); /* the third and fourth time alone */
        lookup_answered(lookup, question, 0, true, now);
        assert_true(questions < 20);
    }
    assert_int_equal(questions, 6);
    assert_int_equal(counters_of(lookup).failed, 2);
    assert_int_equal(counters_of(lookup).retried, 6);
    assert_int_equal(counters_of(lookup).negative, 0); /* nothing is known of them */
    assert_int_equal(lookup_ask(lookup, &key[0], LOOKUP_TRAFFIC, now), LOOKUP_QUEUED);
    lookup_destroy(&lookup);
}

/* What fails while the queue is full is given up, not kept beyond the bound. */
static void a_failure_finds_the_queue_full(void **state)
{
    (void)state;
    struct lookup *lookup = lookup_with(1, 8, 4, 1);
    struct lookup_key key[2] = {account_number(0), account_number(1)};
    const struct lookup_key *keys;
    uint32_t count;
    int64_t again;
    lookup_ask(lookup, &key[0], LOOKUP_TRAFFIC, 0);
    uint32_t question = lookup_next(lookup, 0, &keys, &count, &again);
    assert_int_equal(lookup_ask(lookup, &key[1], LOOKUP_TRAFFIC, 0), LOOKUP_QUEUED);
    assert_int_equal(lookup_next(lookup, 0, &keys, &count, &again), 0); /* one flight */
    assert_true(again == INT64_MAX);
    lookup_answered(lookup, question, 0, true, 0);
    assert_int_equal(counters_of(lookup).failed, 1);
    assert_int_equal(counters_of(lookup).waiting, 1);
    lookup_destroy(&lookup);
}

static void in_vain_is_bounded(void **state)
{
    (void)state;
    struct lookup *lookup = lookup_with(64, 16, 4, 1);
    const struct lookup_key *keys;
    uint32_t count;
    int64_t now = 0, again;
    for (unsigned i = 0; i < 100; i++) {
        struct lookup_key key = account_number(i);
        assert_int_equal(lookup_ask(lookup, &key, LOOKUP_TRAFFIC, now), LOOKUP_QUEUED);
        lookup_answered(lookup, lookup_next(lookup, now, &keys, &count, &again), 0, false, now);
        now += CLOCK_SECOND;
        assert_true(counters_of(lookup).negative <= 16);
    }
    struct lookup_key old = account_number(80), last = account_number(99);
    assert_int_equal(lookup_ask(lookup, &last, LOOKUP_TRAFFIC, now), LOOKUP_IN_VAIN);
    assert_int_equal(lookup_ask(lookup, &old, LOOKUP_TRAFFIC, now), LOOKUP_QUEUED);
    lookup_destroy(&lookup);
}

/* The figure: 10,000 unknown names within a second. */
static void a_storm_of_unknown_names_is_asked_at_the_rate(void **state)
{
    (void)state;
    enum { NAMES = 10000 };
    struct lookup_limits limits;
    lookup_limits_init(&limits);
    struct lookup *lookup = lookup_new(&limits, 1);
    static uint8_t asked[NAMES];
    uint32_t open[4], open_count = 0;
    unsigned in_first_second = 0;
    int64_t last = 0;
    memset(asked, 0, sizeof(asked));
    for (int64_t now = 0; now < 60 * CLOCK_SECOND; now += CLOCK_MILLISECOND) {
        for (unsigned i = 0; i < 10 && now < CLOCK_SECOND; i++) {
            struct lookup_key key = account_number((unsigned)(now / CLOCK_MILLISECOND) * 10 + i);
            assert_int_equal(lookup_ask(lookup, &key, LOOKUP_TRAFFIC, now), LOOKUP_QUEUED);
            assert_int_equal(lookup_ask(lookup, &key, LOOKUP_TRAFFIC, now), LOOKUP_JOINED);
        }
        const struct lookup_key *keys;
        uint32_t count, question;
        int64_t again;
        while ((question = lookup_next(lookup, now, &keys, &count, &again))) {
            in_first_second += now < CLOCK_SECOND;
            last = now;
            for (uint32_t i = 0; i < count; i++)
                assert_int_equal(asked[atoi((const char *)keys[i].value + 4)]++, 0);
            open[open_count++] = question;
        }
        while (open_count > 0) /* answered at once */
            lookup_answered(lookup, open[--open_count], 0, false, now);
    }
    for (unsigned i = 0; i < NAMES; i++)
        assert_int_equal(asked[i], 1);
    assert_true(in_first_second <= limits.burst + limits.queries_per_s);
    struct lookup_counters c = counters_of(lookup);
    double allowed = limits.burst + limits.queries_per_s * (double)(last + 1) / (double)CLOCK_SECOND;
    assert_true((double)c.questions <= allowed + 1);
    assert_int_equal(c.missing, NAMES);
    assert_int_equal(c.waiting, 0);
    assert_true(c.memory < 32u << 20);
    lookup_destroy(&lookup);
}

/* --- any order --- */

enum { MODEL_KEYS = 60 };

static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* A key is under way at most once, a question is known by one number, the bounds hold, the rate holds, and in
 * the end nothing waits. */
static void whatever_happens_the_rules_hold(void **state)
{
    (void)state;
    for (uint64_t run = 1; run <= 200; run++) {
        uint64_t seed = run * UINT64_C(0x9e3779b97f4a7c15);
        struct lookup *lookup =
            lookup_with(1 + (uint32_t)(draw(&seed) % 40), 1 + (uint32_t)(draw(&seed) % 30),
                        1 + (uint32_t)(draw(&seed) % 8), 1 + (uint32_t)(draw(&seed) % 4));
        struct {
            uint32_t question, count;
            unsigned keys[LOOKUP_KEYS_MAX];
        } open[4] = {{0}};
        bool flying[MODEL_KEYS] = {false};
        uint64_t questions = 0, queued = 0;
        int64_t now = (int64_t)(draw(&seed) % 1000000), began = now;
        for (unsigned step = 0; step < 3000; step++) {
            now += (int64_t)(draw(&seed) % (100 * CLOCK_MILLISECOND));
            unsigned n = (unsigned)(draw(&seed) % MODEL_KEYS);
            unsigned what = (unsigned)(draw(&seed) % 10);
            if (what < 5 && step < 2500) {
                struct lookup_key key = account_number(n);
                enum lookup_admitted admitted =
                    lookup_ask(lookup, &key, (enum lookup_priority)(draw(&seed) % LOOKUP_PRIORITIES), now);
                if (flying[n])
                    assert_true(admitted == LOOKUP_JOINED || admitted == LOOKUP_IN_VAIN);
                queued += admitted == LOOKUP_QUEUED;
            } else if (what < 8) {
                const struct lookup_key *keys;
                uint32_t count;
                int64_t again;
                uint32_t question = lookup_next(lookup, now, &keys, &count, &again);
                if (!question) {
                    assert_true(again > now);
                    continue;
                }
                unsigned i = 0;
                while (open[i].question)
                    i++;
                assert_true(i < 4);
                assert_true(count >= 1);
                open[i].question = question;
                open[i].count = count;
                for (uint32_t k = 0; k < count; k++) {
                    unsigned number = (unsigned)atoi((const char *)keys[k].value + 4);
                    assert_false(flying[number]);
                    flying[number] = true;
                    open[i].keys[k] = number;
                }
                questions++;
                double allowed = 20 + 20.0 * (double)(now - began) / (double)CLOCK_SECOND;
                assert_true((double)questions <= allowed + 1e-6);
            } else {
                unsigned i = n % 4;
                lookup_answered(lookup, open[i].question, draw(&seed), draw(&seed) % 3 == 0, now);
                for (uint32_t k = 0; k < open[i].count; k++)
                    flying[open[i].keys[k]] = false;
                open[i].question = 0;
                open[i].count = 0;
            }
        }
        for (unsigned i = 0; i < 4; i++)
            lookup_answered(lookup, open[i].question, 0, false, now);
        for (;;) {
            const struct lookup_key *keys;
            uint32_t count;
            int64_t again;
            uint32_t question = lookup_next(lookup, now, &keys, &count, &again);
            if (question)
                lookup_answered(lookup, question, 1, false, now);
            else if (again == INT64_MAX)
                break;
            else
                now = again;
        }
        struct lookup_counters c = counters_of(lookup);
        assert_int_equal(c.waiting, 0);
        assert_int_equal(queued, c.found + c.missing + c.failed + c.displaced);
        assert_int_equal(c.asked, queued + c.joined + c.in_vain + c.refused);
        lookup_destroy(&lookup);
    }
}

static void limits_of_nothing_are_refused(void **state)
{
    (void)state;
    struct lookup_limits limits;
    for (unsigned i = 0; i < 7; i++) {
        lookup_limits_init(&limits);
        if (i == 0)
            limits.queue_max = 0;
        else if (i == 1)
            limits.negative_max = 0;
        else if (i == 2)
            limits.queries_per_s = 0;
        else if (i == 3)
            limits.burst = 0;
        else if (i == 4)
            limits.keys_per_query = LOOKUP_KEYS_MAX + 1;
        else if (i == 5)
            limits.flights_max = 0;
        else
            limits.negative_period = -1;
        assert_null(lookup_new(&limits, 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_have_one_form),
        cmocka_unit_test(what_names_nothing_is_refused),
        cmocka_unit_test(a_hash_tells_kind_value_and_domain),
        cmocka_unit_test(filters_ask_for_every_spelling),
        cmocka_unit_test(a_filter_joins_kinds),
        cmocka_unit_test(the_longest_filter_fits),
        cmocka_unit_test(an_object_answers_its_names),
        cmocka_unit_test(an_explicit_upn_is_a_name_in_any_suffix),
        cmocka_unit_test(a_domain_is_known_by_both_its_names),
        cmocka_unit_test(service_names_are_taken_apart),
        cmocka_unit_test(a_name_is_asked_once),
        cmocka_unit_test(a_person_asks_what_was_in_vain),
        cmocka_unit_test(the_least_important_gives_way),
        cmocka_unit_test(a_failed_question_is_asked_four_times_in_all),
        cmocka_unit_test(a_failure_finds_the_queue_full),
        cmocka_unit_test(in_vain_is_bounded),
        cmocka_unit_test(a_storm_of_unknown_names_is_asked_at_the_rate),
        cmocka_unit_test(whatever_happens_the_rules_hold),
        cmocka_unit_test(limits_of_nothing_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
