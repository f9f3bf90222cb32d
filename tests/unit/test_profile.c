/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "center/profile.h"

#include <stdio.h>
#include <string.h>

#define HOUR   STATISTICS_HOUR
#define DAY    STATISTICS_DAY
#define MONDAY (INT64_C(1700438400) * STATISTICS_SECOND) /* 2023-11-20 00:00 UTC */

static const struct subject_seed seed = {42};

struct scene {
    struct profiler *profiler;
    struct activity_writer writer;
    struct activity activity;
    struct observation observation;
};

static struct party party_named(enum subject_kind kind, const char *name)
{
    struct bytes text = {(const uint8_t *)name, strlen(name)};
    const struct subject subject = subject_of_name(seed, kind, text, (struct bytes){0});
    return (struct party){
        .kind = kind, .name = text, .confidence = 100, .subject = subject, .memory = subject};
}

static uint32_t key_named(enum subject_kind kind, const char *name)
{
    return profile_key(party_named(kind, name).subject);
}

/* Completes the record and looks at it. */
static const struct sight *look(struct scene *s, const char *account)
{
    struct cursor c = cursor_of_bytes(activity_finish(&s->writer));
    assert_true(activity_decode(&c, &s->activity));
    s->observation.activity = &s->activity;
    s->observation.kind = s->activity.kind;
    s->observation.time = s->activity.time;
    if (account)
        s->observation.account = party_named(SUBJECT_ACCOUNT, account);
    return profiler_look(s->profiler, &s->observation);
}

static struct observation *begin(struct scene *s, enum activity_kind kind, int64_t time)
{
    s->observation = (struct observation){0};
    activity_begin(&s->writer, kind, time);
    return &s->observation;
}

/* A ticket for a service. */
static const struct sight *ticket(struct scene *s, int64_t time, const char *account, const char *source,
                                  const char *service)
{
    struct observation *o = begin(s, ACTIVITY_KERBEROS_TGS, time);
    o->source = party_named(SUBJECT_COMPUTER, source);
    o->service = party_named(SUBJECT_COMPUTER, service);
    activity_put_text(&s->writer, FIELD_SERVICE, service);
    activity_put_uint(&s->writer, FIELD_STATUS, 0);
    activity_put_int(&s->writer, FIELD_ISSUED_TICKET_ETYPE, 18);
    return look(s, account);
}

static void use(struct scene *s, int64_t time, const char *account, const char *source, const char *service)
{
    ticket(s, time, account, source, service);
    profiler_learn(s->profiler, &s->observation);
}

/* Working days of three weeks, nine to five. */
static void work(struct scene *s, const char *account, const char *source, const char *service, int days)
{
    for (int day = 0; day < days; day++)
        for (int hour = 9; hour < 17 && day % 7 < 5; hour++)
            use(s, MONDAY + day * DAY + hour * HOUR, account, source, service);
}

static struct scene *setup(void)
{
    static struct scene s;
    memset(&s, 0, sizeof(s));
    s.profiler = profiler_new(seed);
    assert_non_null(s.profiler);
    return &s;
}

static void done(struct scene *s)
{
    profiler_destroy(&s->profiler);
    assert_null(s->profiler);
}

static const struct profile *profile_of(struct scene *s, const char *account)
{
    return profiler_profile(s->profiler, party_named(SUBJECT_ACCOUNT, account).subject, 0);
}

static void test_habit_is_learned(void **context)
{
    (void)context;
    struct scene *s = setup();
    const struct sight *sight = ticket(s, MONDAY, "anna", "WS1", "FS1");
    assert_null(sight->profile);
    assert_true(sight->fresh[HABIT_SOURCE] && sight->fresh[HABIT_RESOURCE] && sight->fresh_hour);
    assert_true(profile_novelty(sight->profile, HABIT_SOURCE) == 1);
    work(s, "anna", "WS1", "FS1", 21);
    const struct profile *p = profile_of(s, "anna");
    assert_true(profile_weight(p, HABIT_SOURCE, key_named(SUBJECT_COMPUTER, "WS1")) > 60);
    assert_true(profile_weight(p, HABIT_RESOURCE, key_named(SUBJECT_COMPUTER, "FS1")) > 60);
    assert_true(profile_weight(p, HABIT_RESOURCE, key_named(SUBJECT_COMPUTER, "FS2")) == 0);
    assert_true(profile_weight(NULL, HABIT_WAY, 1) == 0 && profile_weight(p, HABIT_WAY, 0) == 0);
    assert_true(profile_novelty(p, HABIT_SOURCE) < 0.01);
    assert_true(profile_age(p, MONDAY + 21 * DAY) > 20 * DAY);
    assert_true(profile_age(NULL, MONDAY) == 0);
    assert_true(profile_head(p, HABIT_WAY)->total > 60);
    done(s);
}

/* A thousand times in an hour is not more than once. */
static void test_an_hour_counts_once(void **context)
{
    (void)context;
    struct scene *s = setup();
    for (int i = 0; i < 1000; i++)
        use(s, MONDAY + i * STATISTICS_SECOND, "anna", "WS1", "FS1");
    assert_true(profile_weight(profile_of(s, "anna"), HABIT_SOURCE, key_named(SUBJECT_COMPUTER, "WS1")) == 1);
    const struct sight *sight = ticket(s, MONDAY + 30 * STATISTICS_SECOND, "anna", "WS1", "FS2");
    assert_false(sight->fresh[HABIT_SOURCE] || sight->fresh_hour);
    assert_true(sight->fresh[HABIT_RESOURCE]);
    done(s);
}

static void test_habit_fades(void **context)
{
    (void)context;
    struct scene *s = setup();
    work(s, "anna", "WS1", "FS1", 21);
    for (int day = 0; day < 60; day++)
        use(s, MONDAY + (21 + day) * DAY, "anna", "WS2", "FS2");
    const struct profile *p = profile_of(s, "anna");
    double old = profile_weight(p, HABIT_SOURCE, key_named(SUBJECT_COMPUTER, "WS1"));
    assert_true(old > 5 && old < 30);
    assert_true(profile_weight(p, HABIT_SOURCE, key_named(SUBJECT_COMPUTER, "WS2")) > old);
    /* Nobody hears of her for half a year. */
    assert_null(
        profiler_profile(s->profiler, party_named(SUBJECT_ACCOUNT, "anna").subject, MONDAY + 260 * DAY));
    profiler_expire(s->profiler, MONDAY + 260 * DAY);
    struct state_table_status status;
    state_table_status(profiler_table(s->profiler, 0), &status);
    assert_int_equal(status.count, 0);
    assert_null(profiler_table(s->profiler, 99));
    done(s);
}

static void test_hours(void **context)
{
    (void)context;
    struct scene *s = setup();
    work(s, "anna", "WS1", "FS1", 21);
    const struct profile *p = profile_of(s, "anna");
    const int64_t week = MONDAY + 21 * DAY;
    assert_true(profile_hour(p, week + 11 * HOUR) > 0.5);
    assert_true(profile_hour(p, week + 3 * HOUR) < 0.03);           /* at night */
    assert_true(profile_hour(p, week + 5 * DAY + 3 * HOUR) < 0.03); /* on Saturday, at night */
    assert_true(profile_hour(p, week + 17 * HOUR) < profile_hour(p, week + 16 * HOUR) ||
                profile_hour(p, week + 17 * HOUR) < 0.2); /* a little later than usual */
    assert_true(profile_hour(NULL, week) == 1);
    done(s);
}

static void test_strangers(void **context)
{
    (void)context;
    struct scene *s = setup();
    work(s, "anna", "WS1", "FS1", 21);
    const uint32_t ws1 = key_named(SUBJECT_COMPUTER, "WS1");
    assert_true(profiler_stranger(s->profiler, ws1, party_named(SUBJECT_ACCOUNT, "anna").subject) == 1);
    assert_true(profiler_stranger(s->profiler, ws1, party_named(SUBJECT_ACCOUNT, "bert").subject) < 0.01);
    assert_true(profiler_stranger(s->profiler, 7, party_named(SUBJECT_ACCOUNT, "bert").subject) == 1);
    /* A terminal server: everyone is there. */
    for (int i = 0; i < 200; i++) {
        char name[16];
        snprintf(name, sizeof(name), "user%d", i);
        use(s, MONDAY + i * HOUR, name, "TS1", "FS1");
    }
    assert_true(profiler_stranger(s->profiler, key_named(SUBJECT_COMPUTER, "TS1"),
                                  party_named(SUBJECT_ACCOUNT, "bert").subject) > 0.9);
    assert_string_equal(profiler_name(s->profiler, ws1), "WS1");
    assert_string_equal(profiler_name(s->profiler, 0), "");
    done(s);
}

/* What everyone uses is no rarity, what one uses is; and less of one where the peers use it. */
static void test_rarity(void **context)
{
    (void)context;
    struct scene *s = setup();
    assert_true(profiler_rarity(s->profiler, NULL, HABIT_RESOURCE, 5) == 1);
    for (int day = 0; day < 4; day++)
        for (int i = 0; i < 60; i++) {
            char name[16], own[16];
            snprintf(name, sizeof(name), "user%d", i);
            snprintf(own, sizeof(own), "WS%d", i);
            const int64_t time = MONDAY + day * DAY + i * STATISTICS_SECOND;
            use(s, time, name, own, "MAIL");
            for (int hour = 0; hour < 3; hour++)
                use(s, time + hour * HOUR, name, own, i % 6 ? "FS1" : "DB1");
            if (i == 13)
                use(s, time, name, own, "LONELY");
            if (i % 6 == 0 && i > 6)
                use(s, time + HOUR, name, own, "DB2");
        }
    const uint32_t mail = key_named(SUBJECT_COMPUTER, "MAIL"), lonely = key_named(SUBJECT_COMPUTER, "LONELY"),
                   db2 = key_named(SUBJECT_COMPUTER, "DB2");
    const struct profile *peer = profile_of(s, "user6"), *other = profile_of(s, "user7");
    assert_true(profiler_popularity(s->profiler, HABIT_RESOURCE, mail) > 50);
    assert_true(profiler_rarity(s->profiler, other, HABIT_RESOURCE, mail) > 0.5);
    assert_true(profiler_rarity(s->profiler, other, HABIT_RESOURCE, lonely) < 0.05);
    assert_int_equal(peer->peers, key_named(SUBJECT_COMPUTER, "DB1"));
    assert_true(profiler_rarity(s->profiler, peer, HABIT_RESOURCE, db2) >
                1.5 * profiler_rarity(s->profiler, other, HABIT_RESOURCE, db2));
    done(s);
}

static void test_usual_names(void **context)
{
    (void)context;
    struct scene *s = setup();
    char text[128];
    profiler_usual(s->profiler, NULL, HABIT_RESOURCE, text, sizeof(text));
    assert_string_equal(text, "none");
    for (int i = 0; i < 6; i++) {
        char name[16];
        snprintf(name, sizeof(name), "FS%d", i);
        for (int hour = 0; hour <= 6 - i; hour++)
            use(s, MONDAY + hour * HOUR, "anna", "WS1", name);
    }
    profiler_usual(s->profiler, profile_of(s, "anna"), HABIT_RESOURCE, text, sizeof(text));
    assert_string_equal(text, "FS0, FS1, FS2, FS3 and 2 others");
    profiler_usual(s->profiler, profile_of(s, "anna"), HABIT_SOURCE, text, sizeof(text));
    assert_string_equal(text, "WS1");
    done(s);
}

/* What each kind of activity shows. */
static void test_kinds(void **context)
{
    (void)context;
    struct scene *s = setup();
    struct observation *o = begin(s, ACTIVITY_NTLM_AUTHENTICATE, MONDAY);
    o->source_address = (struct ip_address){.family = 4, .bytes = {10, 1, 2, 3}};
    o->destination = party_named(SUBJECT_COMPUTER, "FS1");
    activity_put_uint(&s->writer, FIELD_STATUS, 0);
    activity_put_text(&s->writer, FIELD_NTLM_VARIANT, "ntlmv2");
    const struct sight *sight = look(s, "anna");
    const uint32_t network = sight->key[HABIT_SOURCE];
    assert_true(network && sight->key[HABIT_WAY]);
    assert_int_equal(sight->key[HABIT_RESOURCE], key_named(SUBJECT_COMPUTER, "FS1"));
    profiler_learn(s->profiler, &s->observation);

    /* The neighbour's address is the same network; a controller is nobody's habit. */
    o = begin(s, ACTIVITY_LDAP_BIND, MONDAY);
    o->source_address = (struct ip_address){.family = 4, .bytes = {10, 1, 2, 99}};
    o->destination = party_named(SUBJECT_COMPUTER, "DC1");
    o->destination_is_controller = true;
    activity_put_uint(&s->writer, FIELD_STATUS, 0);
    sight = look(s, "anna");
    assert_int_equal(sight->key[HABIT_SOURCE], network);
    assert_int_equal(sight->key[HABIT_RESOURCE], 0);

    /* Failures, nobody, and other things are no habit. */
    begin(s, ACTIVITY_LDAP_BIND, MONDAY);
    activity_put_uint(&s->writer, FIELD_STATUS, 49);
    assert_true(subject_is_none(look(s, "anna")->account));
    begin(s, ACTIVITY_KERBEROS_AS, MONDAY);
    activity_put_uint(&s->writer, FIELD_STATUS, 24);
    assert_true(subject_is_none(look(s, "anna")->account));
    begin(s, ACTIVITY_KERBEROS_TGS, MONDAY);
    activity_put_uint(&s->writer, FIELD_STATUS, 7);
    assert_true(subject_is_none(look(s, "anna")->account));
    begin(s, ACTIVITY_DNS_QUERY, MONDAY);
    assert_true(subject_is_none(look(s, "anna")->account));
    assert_true(subject_is_none(look(s, NULL)->account));
    profiler_learn(s->profiler, &s->observation);
    begin(s, ACTIVITY_KERBEROS_AS, MONDAY);
    activity_put_uint(&s->writer, FIELD_ISSUED_TICKET_FINGERPRINT, 5);
    assert_int_equal(look(s, "anna")->key[HABIT_SOURCE], 0); /* from where is not known */

    /* A service that nobody is known to own; the ticket-granting one is everyone's. */
    begin(s, ACTIVITY_KERBEROS_TGS, MONDAY);
    activity_put_uint(&s->writer, FIELD_STATUS, 0);
    activity_put_text(&s->writer, FIELD_SERVICE, "http/web.example.com");
    sight = look(s, "anna");
    assert_true(sight->key[HABIT_RESOURCE] != 0);
    profiler_learn(s->profiler, &s->observation);
    assert_string_equal(profiler_name(s->profiler, profiler_sight(s->profiler)->key[HABIT_RESOURCE]),
                        "http/web.example.com");
    begin(s, ACTIVITY_KERBEROS_TGS, MONDAY);
    activity_put_uint(&s->writer, FIELD_STATUS, 0);
    activity_put_text(&s->writer, FIELD_SERVICE, "krbtgt/EXAMPLE.COM");
    assert_int_equal(look(s, "anna")->key[HABIT_RESOURCE], 0);

    /* Places by VPN: the first half of the address. */
    begin(s, ACTIVITY_RADIUS_ACCOUNTING, MONDAY);
    activity_put_text(&s->writer, FIELD_CALLING_STATION, "198.51.100.7");
    const uint32_t place = look(s, "anna")->key[HABIT_PLACE];
    profiler_learn(s->profiler, &s->observation);
    begin(s, ACTIVITY_RADIUS_ACCOUNTING, MONDAY + HOUR);
    activity_put_text(&s->writer, FIELD_TUNNEL_CLIENT, "198.51.9.9");
    assert_true(place != 0);
    assert_int_equal(look(s, "anna")->key[HABIT_PLACE], place);

    o = begin(s, ACTIVITY_GROUP_CHANGE, MONDAY);
    o->group = party_named(SUBJECT_GROUP, "Domain Admins");
    assert_true(look(s, "anna")->key[HABIT_GROUP] != 0);
    profiler_learn(s->profiler, &s->observation);
    assert_true(
        profile_weight(profile_of(s, "anna"), HABIT_GROUP, key_named(SUBJECT_GROUP, "Domain Admins")) == 1);
    done(s);
}

/* Activities of many come late and mixed: nothing breaks, weights stay within bounds. */
static void test_out_of_order(void **context)
{
    (void)context;
    struct scene *s = setup();
    uint32_t random = 1;
    for (int i = 0; i < 20000; i++) {
        random = random * 1664525u + 1013904223u;
        char account[16], source[16], service[16];
        snprintf(account, sizeof(account), "user%u", random >> 8 & 15);
        snprintf(source, sizeof(source), "WS%u", random >> 12 & 31);
        snprintf(service, sizeof(service), "FS%u", random >> 17 & 63);
        use(s, MONDAY + (int64_t)(random >> 20) * 600 * STATISTICS_SECOND, account, source, service);
    }
    for (int i = 0; i < 16; i++) {
        char account[16];
        snprintf(account, sizeof(account), "user%d", i);
        const struct profile *p = profile_of(s, account);
        for (unsigned h = 0; h < HABITS; h++) {
            uint32_t size;
            const struct top_item *items = profile_items(p, (enum habit)h, &size);
            double sum = 0;
            for (uint32_t k = 0; k < size; k++)
                sum += items[k].weight - items[k].error;
            assert_true(sum <= p->heads[h].total * 1.01 + 0.1);
            assert_true(profile_novelty(p, (enum habit)h) <= 1 && profile_novelty(p, (enum habit)h) > 0);
        }
    }
    done(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_habit_is_learned), cmocka_unit_test(test_an_hour_counts_once),
        cmocka_unit_test(test_habit_fades),      cmocka_unit_test(test_hours),
        cmocka_unit_test(test_strangers),        cmocka_unit_test(test_rarity),
        cmocka_unit_test(test_usual_names),      cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_out_of_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
