/* SPDX-License-Identifier: Apache-2.0
 *
 * Detectors of forged tickets by what keys show of them: each thing that does not fit, and a ticket of which
 * all fits.
 */
#include "base/sid.h"
#include "tests/unit/detector_world.h"

extern const struct detector detector_golden_pac, detector_diamond_ticket, detector_silver_ticket,
    detector_golden_nonexistent, detector_golden_contents, detector_nopac_ticket;

#define REALM  "PICKET.LAB"
#define DOMAIN "S-1-5-21-1-2-3-"

/* What is read of a ticket; what is left empty fits. */
struct inside {
    const char *client, *client_info, *account, *sid, *upn_sid, *upn_account, *requestor, *extra;
    int64_t client_off, logon_off; /* from the authentication, ns */
    int group;
    const char *server, *kdc, *ticket, *full;
    const char *domain, *server_name;
    bool no_requestor, seen;
    int64_t life, set, started; /* after the authentication */
    int etype;
    unsigned kvno;
    uint32_t other_flags; /* other than those of a log-on */
};

/* Forwardable, renewable, initial, pre-authenticated. */
#define LOGON     0x40e00000u
#define INITIAL   0x00400000u
#define FORWARDED 0x20000000u

static const char * or (const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

static void put_sid(struct activity_writer *w, enum activity_field field, const char *text)
{
    uint8_t sid[SID_BYTES_MAX];
    size_t size = sid_parse(text, strlen(text), sid);
    assert_true(size > 0);
    activity_put_sid(w, field, sid, size);
}

static void put_pac(struct world *world, const struct inside *in)
{
    struct activity_writer *w = &world->w;
    const char *client = or (in->client, "alice"), *sid = or (in->sid, DOMAIN "1001");
    activity_put_bool(w, FIELD_PAC_PRESENT, true);
    if (in->no_requestor)
        INTS(w, FIELD_PAC_BUFFERS, 1, 10, 12, 6, 7);
    else
        INTS(w, FIELD_PAC_BUFFERS, 1, 10, 12, 17, 18, 6, 7);
    activity_put_text(w, FIELD_PAC_SERVER_SIGNATURE, or (in->server, "good"));
    activity_put_text(w, FIELD_PAC_KDC_SIGNATURE, or (in->kdc, "good"));
    activity_put_text(w, FIELD_PAC_TICKET_SIGNATURE, or (in->ticket, "good"));
    activity_put_text(w, FIELD_PAC_FULL_SIGNATURE, or (in->full, "good"));
    activity_put_text(w, FIELD_PAC_CLIENT_NAME, or (in->client_info, client));
    activity_put_time(w, FIELD_PAC_CLIENT_TIME, WORLD_START + in->client_off);
    activity_put_text(w, FIELD_PAC_ACCOUNT, or (in->account, client));
    activity_put_text(w, FIELD_PAC_DOMAIN, or (in->domain, "PICKET"));
    activity_put_text(w, FIELD_PAC_LOGON_SERVER, or (in->server_name, "DC1"));
    if (in->set)
        activity_put_time(w, FIELD_PAC_PASSWORD_LAST_SET, in->set);
    put_sid(w, FIELD_PAC_ACCOUNT_SID, sid);
    assert_true(activity_list_begin(w, FIELD_PAC_GROUPS));
    activity_list_uint(w, 513);
    if (in->group)
        activity_list_uint(w, (unsigned)in->group);
    activity_list_end(w);
    if (in->extra) {
        uint8_t extra[SID_BYTES_MAX];
        assert_true(activity_list_begin(w, FIELD_PAC_EXTRA_SIDS));
        activity_list_sid(w, extra, sid_parse(in->extra, strlen(in->extra), extra));
        activity_list_end(w);
    }
    activity_put_time(w, FIELD_PAC_LOGON_TIME, WORLD_START + in->logon_off);
    activity_put_text(w, FIELD_PAC_UPN, "alice@picket.lab");
    activity_put_text(w, FIELD_PAC_UPN_ACCOUNT, or (in->upn_account, or (in->account, client)));
    put_sid(w, FIELD_PAC_UPN_SID, or (in->upn_sid, sid));
    if (!in->no_requestor)
        put_sid(w, FIELD_PAC_REQUESTOR_SID, or (in->requestor, sid));
}

static uint64_t fingerprint = 1;

/* Controllers issue one, with the PAC that they make. */
static void issue(struct world *world, const char *service)
{
    struct activity_writer *w = world_begin(world, ACTIVITY_KERBEROS_AS, 9);
    activity_put_text(w, FIELD_ACCOUNT, "alice");
    activity_put_text(w, FIELD_ACCOUNT_DOMAIN, REALM);
    activity_put_text(w, FIELD_SERVICE, service);
    activity_put_uint(w, FIELD_STATUS, 0);
    activity_put_text(w, FIELD_ISSUED_TICKET_SERVICE, service);
    activity_put_text(w, FIELD_ISSUED_TICKET_REALM, REALM);
    activity_put_int(w, FIELD_ISSUED_TICKET_ETYPE, 18);
    activity_put_uint(w, FIELD_ISSUED_TICKET_KVNO, 2);
    activity_put_uint(w, FIELD_ISSUED_TICKET_FINGERPRINT, ++fingerprint);
    activity_put_time(w, FIELD_ISSUED_TICKET_AUTH_TIME, WORLD_START);
    activity_put_time(w, FIELD_ISSUED_TICKET_END_TIME, WORLD_START + 10 * CLOCK_HOUR);
    put_pac(world, &(struct inside){0});
    world_send(world);
}

static void present(struct world *world, enum activity_kind kind, struct inside in)
{
    struct activity_writer *w = world_begin(world, kind, 66);
    activity_put_text(w, FIELD_ACCOUNT, or (in.client, "alice"));
    activity_put_text(w, FIELD_ACCOUNT_DOMAIN, REALM);
    activity_put_text(w, FIELD_TICKET_SERVICE, kind == ACTIVITY_KERBEROS_AP ? "cifs/fs1" : "krbtgt/" REALM);
    activity_put_text(w, FIELD_TICKET_REALM, REALM);
    activity_put_int(w, FIELD_TICKET_ETYPE, in.etype ? in.etype : 18);
    activity_put_uint(w, FIELD_TICKET_KVNO, in.kvno ? in.kvno : 2);
    activity_put_uint(w, FIELD_TICKET_FLAGS, LOGON ^ in.other_flags);
    if (in.started)
        activity_put_time(w, FIELD_TICKET_START_TIME, WORLD_START + in.started);
    activity_put_uint(w, FIELD_TICKET_FINGERPRINT, in.seen ? fingerprint : 999);
    activity_put_uint(w, FIELD_STATUS, 0);
    activity_put_text(w, FIELD_TICKET_CLIENT, or (in.client, "alice"));
    activity_put_text(w, FIELD_TICKET_CLIENT_REALM, REALM);
    activity_put_time(w, FIELD_TICKET_AUTH_TIME, WORLD_START);
    activity_put_time(w, FIELD_TICKET_END_TIME, WORLD_START + (in.life ? in.life : 10 * CLOCK_HOUR));
    put_pac(world, &in);
    world_send(world);
}

/* A directory of two accounts and a group: alice is no domain administrator, admin is. */
static enum known whose(void *context, struct bytes sid, struct directory_name *to)
{
    static const struct {
        const char *sid, *name;
    } all[] = {{DOMAIN "1001", "alice"},
               {DOMAIN "500", "admin"},
               {DOMAIN "512", "Domain Admins"},
               {DOMAIN "1000", "DC1$"},
               {DOMAIN "516", "Domain Controllers"},
               {DOMAIN "1513", "Staff"}};
    (void)context;
    char words[SID_TEXT_MAX + 1];
    struct text t = text_to(words, sizeof(words));
    sid_text(&t, sid);
    text_end(&t);
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strcmp(words, all[i].sid))
            continue;
        if (to) {
            *to = (struct directory_name){.kind = i == 2 || i > 3 ? SUBJECT_GROUP : SUBJECT_ACCOUNT,
                                          .domain = "picket.lab"};
            to->guid[0] = (uint8_t)(i + 1);
            snprintf(to->name, sizeof(to->name), "%s", all[i].name);
        }
        return KNOWN_YES;
    }
    return strncmp(words, DOMAIN, strlen(DOMAIN)) == 0 ? KNOWN_NO : KNOWN_NOT;
}

/* A computer is found by its name without the $ too. */
static bool find(void *context, const struct party *party, struct directory_name *to)
{
    (void)context;
    *to = (struct directory_name){
        .kind = SUBJECT_COMPUTER, .guid = {4}, .name = "DC1$", .domain = "picket.lab"};
    return text_is(party->name, "DC1") || text_is(party->name, "DC1$");
}

static enum known member(void *context, const struct party *one, const struct party *group)
{
    (void)context, (void)group;
    return text_is(one->name, "admin") ? KNOWN_YES : KNOWN_NO;
}

static struct world *world_with(const struct detector *detector)
{
    struct world *world = world_new(detector);
    pipeline_destroy(&world->pipeline);
    const struct pipeline_config config = {.settings = &world->settings,
                                           .directory = {.facts = world_facts,
                                                         .account = world_account,
                                                         .domain = world_domain,
                                                         .member = member,
                                                         .sid = whose,
                                                         .find = find,
                                                         .context = world},
                                           .seed = {77},
                                           .shards = 1,
                                           .detectors = world->table,
                                           .alert = world_keep,
                                           .context = world};
    world->pipeline = pipeline_new(&config);
    assert_non_null(world->pipeline);
    world->entries[world->entry_count++] = (struct world_entry){"alice", {.bits = FACT_USER}};
    world->entries[world->entry_count++] =
        (struct world_entry){"DC1$", {.bits = FACT_COMPUTER | FACT_CONTROLLER}};
    world->entries[world->entry_count++] =
        (struct world_entry){"admin", {.bits = FACT_USER, .password_set = WORLD_START - 5 * CLOCK_HOUR}};
    return world;
}

struct attempt {
    struct inside in;
    const char *evidence; /* NULL: all fits */
};

static void try_all(const struct detector *detector, enum activity_kind kind, const struct attempt *attempts,
                    unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct world *world = world_with(detector);
        for (unsigned n = 0; n < 3; n++) {
            issue(world, kind == ACTIVITY_KERBEROS_AP ? "cifs/fs1" : "krbtgt/" REALM);
            present(world, kind, (struct inside){.seen = true});
        }
        assert_int_equal(world->count, 0);
        present(world, kind, attempts[i].in);
        if (world->count != (attempts[i].evidence != NULL))
            fail_msg("attempt %u raised %u: %s", i, world->count, world->last.explanation);
        if (attempts[i].evidence)
            world_text(world, attempts[i].evidence);
        world_free(world);
    }
}
#define TRY(detector, kind, attempts)                                                                        \
    try_all(detector, kind, attempts, sizeof(attempts) / sizeof(attempts[0]))

static void a_pac_that_no_controller_made(void **state)
{
    (void)state;
    static const struct attempt attempts[] = {
        {{0}, NULL},
        {{.kdc = "bad"}, "kdc_signature"},
        {{.kdc = "unknown"}, NULL},
        {{.server = "bad"}, "server_signature"},
        {{.server = "absent"}, "server_signature"},
        {{.kdc = "bad", .seen = true}, NULL},
        {{.client_info = "admin"}, "client_name"},
        {{.client_info = "ALICE@PICKET.LAB"}, NULL},
        {{.client_off = CLOCK_SECOND}, "client_time"},
        {{.client_off = -CLOCK_SECOND}, "client_time"},
        {{.client_off = CLOCK_SECOND / 2}, NULL},
        {{.group = 512}, "group_512"},
        {{.group = 512, .client = "admin", .sid = DOMAIN "500"}, NULL},
        {{.extra = DOMAIN "512"}, "group_512"},
        {{.extra = "S-1-5-21-9-9-9-519"}, NULL}, /* of a forest that is not known */
        {{.group = 516}, "group_516"},
        {{.extra = DOMAIN "500"}, "extra_account"},
        {{.extra = DOMAIN "1001"}, NULL},        /* its own */
        {{.extra = DOMAIN "1513"}, NULL},        /* a group */
        {{.extra = DOMAIN "4321"}, NULL},        /* a group that was deleted */
        {{.extra = "S-1-5-21-9-9-9-500"}, NULL}, /* another domain's account, cloned with its history */
        {{.extra = "S-1-5-9"}, "controllers"},
        {{.extra = "S-1-5-9", .client = "DC1$", .sid = DOMAIN "1000"}, NULL},
        {{.sid = DOMAIN "500"}, "account_sid"},
        {{.no_requestor = true}, "requestor"},
    };
    TRY(&detector_golden_pac, ACTIVITY_KERBEROS_TGS, attempts);
}

static void parts_that_do_not_fit(void **state)
{
    (void)state;
    static const struct attempt attempts[] = {
        {{0}, NULL},
        {{.upn_sid = DOMAIN "500"}, "upn_sid"},
        {{.requestor = DOMAIN "500"}, "requestor_sid"},
        {{.upn_account = "admin"}, "upn_account"},
        {{.account = "admin", .sid = DOMAIN "500", .client = "bob"}, "pac_account"},
        {{.account = "bob", .client = "alice"}, NULL}, /* logged on by the UPN's name */
        {{.account = "fs1$", .client = "host/fs1"}, NULL},
        {{.extra = "S-1-18-2"}, "service_asserted"},
        {{.extra = "S-1-18-1"}, NULL},
        {{.logon_off = 301 * CLOCK_SECOND}, "logon_time"},
        {{.logon_off = 300 * CLOCK_SECOND}, NULL},
    };
    TRY(&detector_diamond_ticket, ACTIVITY_KERBEROS_TGS, attempts);
}

static void a_ticket_that_only_its_service_signed(void **state)
{
    (void)state;
    static const struct attempt attempts[] = {
        {{0}, NULL},
        {{.kdc = "bad"}, "kdc_signature"},
        {{.kdc = "unknown", .ticket = "unknown", .full = "unknown"}, NULL},
        {{.ticket = "bad"}, "ticket_signature"},
        {{.ticket = "absent"}, "ticket_signature"},
        {{.full = "absent"}, "full_signature"},
        {{.full = "absent", .seen = true}, NULL},
        {{.group = 512}, "group_512"},
    };
    TRY(&detector_silver_ticket, ACTIVITY_KERBEROS_AP, attempts);
    struct world *world = world_with(&detector_silver_ticket); /* nothing was learned */
    present(world, ACTIVITY_KERBEROS_AP, (struct inside){.full = "absent"});
    assert_int_equal(world->count, 0);
    world_free(world);
}

static void a_sid_that_nobody_has(void **state)
{
    (void)state;
    static const struct attempt attempts[] = {
        {{0}, NULL},
        {{.sid = DOMAIN "4321"}, "account_sid"},
        {{.sid = "S-1-5-21-9-9-9-4321"}, NULL},
        {{.sid = DOMAIN "4321", .seen = true}, NULL},
    };
    TRY(&detector_golden_nonexistent, ACTIVITY_KERBEROS_TGS, attempts);
}

static void not_as_the_domain_issues_them(void **state)
{
    (void)state;
    static const struct attempt attempts[] = {
        {{0}, NULL},
        {{.life = 11 * CLOCK_HOUR, .domain = "PICKET.LAB"}, NULL}, /* within the slack */
        {{.life = 12 * CLOCK_HOUR}, NULL},                         /* one thing alone */
        {{.life = 12 * CLOCK_HOUR, .domain = "PICKET.LAB"}, "life"},
        {{.life = 3650 * CLOCK_DAY}, "life"},
        {{.life = 3650 * CLOCK_DAY, .seen = true}, NULL},
        {{.server_name = "", .domain = "PICKET.LAB"}, "logon_server"},
        {{.set = WORLD_START, .server_name = ""}, "password_set"},
        {{.set = WORLD_START}, NULL},
        {{.etype = 23}, NULL},
        {{.etype = 23, .kvno = 3}, "etype"},
        {{.etype = 18, .kvno = 1, .server_name = ""}, NULL}, /* before krbtgt's password was changed */
        {{.kvno = 3, .other_flags = INITIAL}, "kvno"},
        {{.etype = 23, .kvno = 5u << 16 | 1, .domain = "PICKET.LAB"}, NULL}, /* a read-only controller */
        {{.other_flags = INITIAL, .server_name = ""}, "flags"},
        {{.other_flags = INITIAL | FORWARDED, .server_name = ""}, NULL},
        {{.other_flags = INITIAL, .started = CLOCK_HOUR, .server_name = ""}, NULL}, /* renewed */
        {{.client = "admin", .sid = DOMAIN "500", .set = WORLD_START - 5 * CLOCK_HOUR}, NULL},
        {{.group = 1513}, NULL}, /* left it a moment ago */
        {{.group = 1513, .server_name = ""}, "groups"},
        {{.group = 1514, .server_name = ""}, NULL}, /* deleted */
        {{.client = "admin", .sid = DOMAIN "500"}, "password_time"},
        {{.client = "admin", .sid = DOMAIN "500", .set = WORLD_START - 6 * CLOCK_HOUR}, "password_time"},
        /* the directory's copy may be older, but not for ever */
        {{.client = "admin", .sid = DOMAIN "500", .set = WORLD_START - CLOCK_HOUR, .server_name = ""}, NULL},
        {{.client = "admin", .sid = DOMAIN "500", .set = WORLD_START - 9 * CLOCK_HOUR / 2}, NULL},
        {{.client = "admin", .sid = DOMAIN "500", .set = WORLD_START - 9 * CLOCK_HOUR / 2, .server_name = ""},
         "password_time"},
    };
    TRY(&detector_golden_contents, ACTIVITY_KERBEROS_TGS, attempts);
}

static void a_ticket_of_a_computers_name(void **state)
{
    (void)state;
    static const struct attempt attempts[] = {
        {{0}, NULL},
        {{.client = "DC1", .no_requestor = true}, "requestor"},
        {{.client = "DC1$", .no_requestor = true}, NULL},
        {{.client = "DC1", .sid = DOMAIN "1000", .requestor = DOMAIN "1000"}, NULL},
        {{.client = "DC1", .sid = DOMAIN "1000", .requestor = DOMAIN "1001"}, "requestor"},
        {{.client = "alice", .no_requestor = true}, NULL},
    };
    TRY(&detector_nopac_ticket, ACTIVITY_KERBEROS_TGS, attempts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pac_that_no_controller_made),
        cmocka_unit_test(parts_that_do_not_fit),
        cmocka_unit_test(a_ticket_that_only_its_service_signed),
        cmocka_unit_test(a_sid_that_nobody_has),
        cmocka_unit_test(not_as_the_domain_issues_them),
        cmocka_unit_test(a_ticket_of_a_computers_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
