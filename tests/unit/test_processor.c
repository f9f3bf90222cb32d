/* SPDX-License-Identifier: Apache-2.0 */
#include "center/processor.h"

#include "base/clock.h"
#include "center/entities.h"
#include "tests/unit/entity_batches.h"

#include <stdarg.h>

#define ADDRESS 0x0a000005u

static const uint8_t node_a[16] = {1}, node_b[16] = {2};

struct world {
    struct entities *entities;
    struct directory_view directory;
    struct workspace_settings settings;
    bool has_habits;
    struct processor *processor;
    struct activity_writer writer;
    struct activity activity;
    uint8_t record[ACTIVITY_BYTES_MAX];
    struct observation o;
    int64_t now;
};

static bool has_habits(void *context, struct subject subject, int64_t now)
{
    (void)subject, (void)now;
    return ((const struct world *)context)->has_habits;
}

static struct processor *new_processor(struct world *w, uint32_t tickets)
{
    return processor_new(&(struct processor_config){.directory = &w->directory,
                                                    .settings = &w->settings,
                                                    .seed = {5},
                                                    .tickets = tickets,
                                                    .has_habits = has_habits,
                                                    .context = w});
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->directory = directory_view_none;
    w->processor = new_processor(w, 0);
    assert_non_null(w->processor);
    w->now = WORLD_NOW;
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    processor_destroy(&w->processor);
    processor_destroy(&w->processor);
    entities_destroy(&w->entities);
    free(w);
    return 0;
}

/* The lab's own: users, WS01, DC1. */
static void give_directory(struct world *w)
{
    struct batches batches = {0};
    struct entity_batch_reader *reader = entity_batch_reader_new();
    w->entities = entities_new(3);
    assert_non_null(w->entities);
    assert_non_null(reader);
    batches_begin(&batches);
    batches_entity(&batches, 1, ENTITY_DOMAIN);
    batches_add(&batches);
    for (uint32_t i = 0; i < 3; i++) {
        batches_user(&batches, 100 + i);
        batches_add(&batches);
    }
    for (uint32_t i = 0; i < 2; i++) {
        batches_entity(&batches, 10 + i, ENTITY_COMPUTER);
        batches_text(&batches, ENTITY_SAM_ACCOUNT_NAME, i ? "DC1$" : "WS01$");
        batches_text(&batches, ENTITY_DNS_HOST_NAME, i ? "dc1.corp.example" : "ws01.corp.example");
        batches_uint(&batches, ENTITY_USER_ACCOUNT_CONTROL, i ? 0x82000 : 0x1000);
        batches_sid(&batches, 1, 500 + i);
        batches_add(&batches);
    }
    assert_true(entities_take(w->entities, reader, batches_end(&batches), NULL));
    entities_set_whole(w->entities, world_bytes("corp.example"));
    entity_batch_reader_destroy(&reader);
    batches_destroy(&batches);
    w->directory = entities_view(w->entities);
}

static void begin(struct world *w, enum activity_kind kind)
{
    activity_begin(&w->writer, kind, w->now);
}

static void put(struct world *w, enum activity_field field, const char *text)
{
    activity_put_text(&w->writer, field, text);
}

static void put_address(struct world *w, enum activity_field field, uint32_t address)
{
    struct ip_address a = {.family = 4,
                           .bytes = {(uint8_t)(address >> 24), (uint8_t)(address >> 16),
                                     (uint8_t)(address >> 8), (uint8_t)address}};
    activity_put_address(&w->writer, field, &a);
}

static bool observe_from(struct world *w, const uint8_t node[16])
{
    struct bytes record = activity_finish(&w->writer);
    memcpy(w->record, record.data, record.size);
    struct cursor c = cursor_of(w->record, record.size);
    assert_true(activity_decode(&c, &w->activity));
    return processor_observe(w->processor, &w->activity, (struct bytes){w->record, record.size},
                             (struct activity_place){1, 1}, node, &w->o);
}

static bool observe(struct world *w)
{
    return observe_from(w, node_a);
}

static struct subject account_of(struct world *w, const char *account, const char *domain)
{
    begin(w, ACTIVITY_NTLM_AUTHENTICATE);
    put_address(w, FIELD_SOURCE, ADDRESS);
    put(w, FIELD_ACCOUNT, account);
    if (domain)
        put(w, FIELD_ACCOUNT_DOMAIN, domain);
    w->now += CLOCK_SECOND;
    assert_true(observe(w));
    return w->o.account.subject;
}

#define assert_same(a, b)                                                                                    \
    do {                                                                                                     \
        struct subject a_ = (a), b_ = (b);                                                                   \
        assert_false(subject_is_none(a_));                                                                   \
        assert_true(subject_equal(a_, b_));                                                                  \
    } while (0)

static void learn_flat_name(struct world *w, const char *flat, const char *dns, const char *computer,
                            bool controller)
{
    begin(w, ACTIVITY_NTLM_AUTHENTICATE);
    put_address(w, FIELD_DESTINATION, 0x0a000001);
    put(w, FIELD_NTLM_SERVER_NB_DOMAIN, flat);
    put(w, FIELD_NTLM_SERVER_DNS_DOMAIN, dns);
    put(w, FIELD_NTLM_SERVER_NB_COMPUTER, computer);
    if (controller)
        activity_put_bool(&w->writer, FIELD_DESTINATION_IS_CONTROLLER, true);
    observe(w);
}

/* Nobody knows a directory: names alone, with the domain by one name. */
static void test_names_without_directory(void **state)
{
    struct world *w = *state;
    learn_flat_name(w, "EVIL", "evil.example", "SRV", false);
    learn_flat_name(w, "KORP", "evil.example", "SRV", false);
    learn_flat_name(w, "KORP", "corp.example", "DC1", true);
    learn_flat_name(w, "KORP", "evil.example", "DC1", true); /* whoever was first stays */
    learn_flat_name(w, "SOLO", "solo", "SOLO", false);       /* a workgroup */
    struct subject bob = account_of(w, "bob", "corp.example");
    assert_same(account_of(w, "BOB", "CORP.EXAMPLE"), bob);
    assert_same(account_of(w, "bob", "korp"), bob);
    assert_same(account_of(w, "KORP\\bob", NULL), bob);
    assert_same(account_of(w, "bob@corp.example", NULL), bob);
    assert_same(account_of(w, "CN=bob,OU=Staff,DC=corp,DC=example", NULL), bob);
    assert_false(subject_equal(account_of(w, "bob", "evil"), bob));
    assert_false(subject_equal(account_of(w, "bob", "other.example"), bob));
    struct subject machine = account_of(w, "WS01$", "KORP");
    assert_int_equal(w->o.account.kind, SUBJECT_COMPUTER);
    assert_same(account_of(w, "host/ws01.corp.example", "CORP.EXAMPLE"), machine);
    assert_same(account_of(w, "host/ws01.corp.example/other", "CORP.EXAMPLE"), machine);
}

/* A sensor found who was meant: from then on the name is known where no sensor finds it. */
static void test_aliases(void **state)
{
    struct world *w = *state;
    struct guid guid = world_guid(7);
    uint8_t sid[WORLD_SID_SIZE];
    world_sid(sid, 1, 1234);
    struct subject before = account_of(w, "bob", "KORP");
    begin(w, ACTIVITY_NTLM_AUTHENTICATE);
    put(w, FIELD_ACCOUNT, "bob");
    put(w, FIELD_ACCOUNT_DOMAIN, "KORP");
    put(w, FIELD_ACCOUNT_NAME, "Bob");
    put(w, FIELD_ACCOUNT_DNS_DOMAIN, "corp.example");
    activity_put_uuid(&w->writer, FIELD_ACCOUNT_GUID, guid.bytes);
    activity_put_sid(&w->writer, FIELD_ACCOUNT_SID, sid, sizeof sid);
    assert_true(observe(w));
    struct subject bob = subject_of_guid(guid.bytes);
    assert_same(w->o.account.subject, bob);
    assert_false(subject_equal(before, bob));
    assert_same(account_of(w, "bob", "KORP"), bob); /* the domain's name was learned too */
    assert_same(account_of(w, "bob", "corp.example"), bob);
    assert_same(account_of(w, "bob@corp.example", NULL), bob);
    assert_bytes_equal(w->o.account.name.data, "Bob", 3);
    assert_non_null(w->o.account.guid);
    begin(w, ACTIVITY_WINDOWS_LOGON);
    activity_put_sid(&w->writer, FIELD_ACTING_SID, sid, sizeof sid);
    assert_true(observe(w));
    assert_same(w->o.account.subject, bob);
}

/* Puts all that the processor remembers into one with that much room. */
static void move_to_room_for(struct world *w, uint32_t tickets);

static struct party log_on(struct world *w, const char *name, const struct guid *guid)
{
    begin(w, ACTIVITY_NTLM_AUTHENTICATE);
    put_address(w, FIELD_SOURCE, ADDRESS);
    put(w, FIELD_ACCOUNT, name);
    put(w, FIELD_ACCOUNT_DOMAIN, "corp.example");
    if (guid) {
        put(w, FIELD_ACCOUNT_NAME, name);
        put(w, FIELD_ACCOUNT_DNS_DOMAIN, "corp.example");
        activity_put_uuid(&w->writer, FIELD_ACCOUNT_GUID, guid->bytes);
    }
    w->now += CLOCK_SECOND;
    assert_true(observe(w));
    return w->o.account;
}

static bool keeps_own_memory(const struct party *party)
{
    return subject_equal(party->memory, party->subject);
}

/* What was learned of a name is the account's when it is found who that is: of one account, and of one that
 * has no habits of its own. */
static void test_memory_of_a_name(void **state)
{
    struct world *w = *state;
    const struct guid bob = world_guid(201), other = world_guid(202), old = world_guid(203);
    struct subject name = log_on(w, "bob", NULL).memory;
    assert_same(w->o.account.subject, name);
    assert_false(w->o.renamed);
    struct party found = log_on(w, "bob", &bob);
    assert_same(found.subject, subject_of_guid(bob.bytes));
    assert_same(found.memory, name);
    assert_true(w->o.renamed);
    assert_same(observation_memory(&w->o, found.subject), name);
    assert_same(observation_memory(&w->o, w->o.source.subject), w->o.source.subject);
    found = log_on(w, "bob", NULL); /* by what was found before */
    assert_same(found.subject, subject_of_guid(bob.bytes));
    assert_same(found.memory, name);
    /* Another one who is called so now. */
    found = log_on(w, "bob", &other);
    assert_true(keeps_own_memory(&found));
    /* His second name. */
    log_on(w, "robert", NULL);
    assert_same(log_on(w, "robert", &bob).memory, name);
    /* One that is known longer than the name is. */
    found = log_on(w, "old", &old);
    assert_true(keeps_own_memory(&found));
    log_on(w, "odd", NULL);
    w->has_habits = true;
    found = log_on(w, "odd", &old);
    assert_true(keeps_own_memory(&found));
    w->has_habits = false;
    found = log_on(w, "odd", &old); /* it is settled */
    assert_true(keeps_own_memory(&found));
    /* After a crash. */
    move_to_room_for(w, 0);
    assert_same(log_on(w, "bob", &bob).memory, name);
    w->now += 40 * CLOCK_DAY; /* the alias is forgotten, that is not */
    processor_expire(w->processor, w->now);
    assert_same(log_on(w, "bob", &bob).memory, name);
    /* Who is used is kept; who is not is forgotten after profiles are. */
    w->now += 100 * CLOCK_DAY;
    assert_same(log_on(w, "bob", &bob).memory, name);
    w->now += 131 * CLOCK_DAY;
    found = log_on(w, "bob", &bob);
    assert_true(keeps_own_memory(&found));
}

/* The directory comes later than the activities: then it is what tells. */
static void test_memory_until_the_directory_came(void **state)
{
    struct world *w = *state;
    const struct subject name = log_on(w, "user101", NULL).memory, host = w->o.source.memory;
    assert_same(w->o.source.subject, host); /* an address */
    begin(w, ACTIVITY_NTLM_AUTHENTICATE);
    put(w, FIELD_ACCOUNT, "WS01$");
    put(w, FIELD_ACCOUNT_DOMAIN, "corp.example");
    assert_true(observe(w));
    const struct subject computer = w->o.account.memory;
    give_directory(w);
    struct party found = log_on(w, "user101", NULL);
    assert_non_null(found.guid);
    assert_same(found.memory, name);
    assert_false(keeps_own_memory(&found));
    found = log_on(w, "user102", NULL); /* nobody called him so before */
    assert_true(keeps_own_memory(&found));
    begin(w, ACTIVITY_NTLM_AUTHENTICATE);
    put_address(w, FIELD_SOURCE, ADDRESS);
    put(w, FIELD_SOURCE_COMPUTER, "WS01");
    put(w, FIELD_SOURCE_COMPUTER_DOMAIN, "corp.example");
    activity_put_uint(&w->writer, FIELD_SOURCE_CONFIDENCE, 100);
    put(w, FIELD_ACCOUNT, "user102@corp.example");
    assert_true(observe(w));
    assert_non_null(w->o.source.guid);
    assert_same(w->o.source.memory, computer);
    assert_true(keeps_own_memory(&w->o.account));
}

static void test_names_with_directory(void **state)
{
    struct world *w = *state;
    give_directory(w);
    struct guid guid = world_guid(101), machine = world_guid(10);
    struct subject user = subject_of_guid(guid.bytes);
    static const char *const names[][2] = {{"user101", "CORP"},
                                           {"user101", "corp.example"},
                                           {"CORP\\USER101", NULL},
                                           {"user101@corp.example", NULL},
                                           {"mail101@corp.example", "CORP.EXAMPLE"},
                                           {"CN=object 101,CN=Users,DC=corp,DC=example", NULL}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_same(account_of(w, names[i][0], names[i][1]), user);
    assert_same(account_of(w, "WS01$", "CORP"), subject_of_guid(machine.bytes));
    assert_same(account_of(w, "host/ws01.corp.example", "CORP.EXAMPLE"), subject_of_guid(machine.bytes));
    assert_null((account_of(w, "nobody", "CORP"), w->o.account.guid));
}

static void test_ends(void **state)
{
    struct world *w = *state;
    give_directory(w);
    struct guid machine = world_guid(10), controller = world_guid(11);
    begin(w, ACTIVITY_DNS_QUERY);
    put(w, FIELD_DNS_NAME, "q0.example");
    put_address(w, FIELD_SOURCE, ADDRESS);
    assert_true(observe(w));
    assert_int_equal(w->o.source.kind, SUBJECT_ADDRESS);
    struct subject origin = w->o.origin;
    /* Another sensor knows who is there. */
    begin(w, ACTIVITY_DNS_QUERY);
    put(w, FIELD_DNS_NAME, "q1.example");
    put_address(w, FIELD_SOURCE, ADDRESS);
    put(w, FIELD_SOURCE_COMPUTER, "WS01");
    put(w, FIELD_SOURCE_COMPUTER_DOMAIN, "corp.example");
    activity_put_uuid(&w->writer, FIELD_SOURCE_COMPUTER_GUID, machine.bytes);
    activity_put_uint(&w->writer, FIELD_SOURCE_CONFIDENCE, 90);
    activity_put_bool(&w->writer, FIELD_SOURCE_IS_CONTROLLER, true); /* the directory knows better */
    assert_true(observe_from(w, node_b));
    assert_same(w->o.source.subject, subject_of_guid(machine.bytes));
    assert_int_equal(w->o.source.confidence, 90);
    assert_false(w->o.source_is_controller);
    begin(w, ACTIVITY_DNS_QUERY);
    put(w, FIELD_DNS_NAME, "q2.example");
    put_address(w, FIELD_SOURCE, ADDRESS);
    w->now += CLOCK_MINUTE;
    assert_true(observe(w));
    assert_same(w->o.source.subject, subject_of_guid(machine.bytes));
    assert_int_equal(w->o.source.confidence, 72);
    assert_same(w->o.origin, origin);
    /* ... but not for ever. */
    w->now += 2 * CLOCK_HOUR;
    begin(w, ACTIVITY_DNS_QUERY);
    put(w, FIELD_DNS_NAME, "q3.example");
    put_address(w, FIELD_SOURCE, ADDRESS);
    assert_true(observe(w));
    assert_int_equal(w->o.source.kind, SUBJECT_ADDRESS);
    /* An event names both. */
    begin(w, ACTIVITY_NTLM_VALIDATION);
    put(w, FIELD_EVENT_COMPUTER, "DC1.corp.example");
    put(w, FIELD_WORKSTATION, "\\\\WS01");
    put(w, FIELD_ACCOUNT, "user101");
    assert_true(observe(w));
    assert_same(w->o.destination.subject, subject_of_guid(controller.bytes));
    assert_true(w->o.destination_is_controller);
    assert_same(w->o.source.subject, subject_of_guid(machine.bytes));
    assert_non_null(w->o.account.guid); /* of the controller's domain */
}

/* Who does what only controllers do is one, as a server. */
static void test_controllers_by_what_they_do(void **state)
{
    struct world *w = *state;
    begin(w, ACTIVITY_LDAP_BIND);
    put_address(w, FIELD_SOURCE, ADDRESS);
    put_address(w, FIELD_DESTINATION, 0x0a000001);
    put(w, FIELD_BIND_NAME, "CN=bob,DC=corp,DC=example");
    activity_put_uint(&w->writer, FIELD_STATUS, 0);
    assert_true(observe(w));
    assert_false(w->o.destination_is_controller);
    begin(w, ACTIVITY_LDAP_BIND);
    put_address(w, FIELD_SOURCE, ADDRESS);
    put_address(w, FIELD_DESTINATION, 0x0a000001);
    put(w, FIELD_BIND_NAME, "bob@corp.example");
    activity_put_uint(&w->writer, FIELD_STATUS, 0);
    assert_true(observe(w));
    assert_true(w->o.destination_is_controller);
    begin(w, ACTIVITY_LDAP_SEARCH);
    put_address(w, FIELD_SOURCE, 0x0a000001);
    put_address(w, FIELD_DESTINATION, 0x0a000001);
    assert_true(observe(w));
    assert_true(w->o.destination_is_controller);
    assert_false(w->o.source_is_controller);
}

static void set_life(struct world *w, double hours)
{
    w->settings.life_count = 0;
    assert_true(workspace_set_ticket_life(&w->settings, "corp.example", hours));
}

static void from_controller(struct world *w)
{
    struct guid controller = world_guid(11);
    put(w, FIELD_DESTINATION_COMPUTER, "DC1");
    put(w, FIELD_DESTINATION_COMPUTER_DOMAIN, "corp.example");
    activity_put_uuid(&w->writer, FIELD_DESTINATION_COMPUTER_GUID, controller.bytes);
    activity_put_uint(&w->writer, FIELD_DESTINATION_CONFIDENCE, 100);
}

static void ask_ticket(struct world *w, enum activity_kind kind, uint64_t presented, uint64_t issued,
                       const char *service)
{
    begin(w, kind);
    put_address(w, FIELD_SOURCE, ADDRESS);
    put_address(w, FIELD_DESTINATION, 0x0a000001);
    if (kind == ACTIVITY_KERBEROS_AS) {
        put(w, FIELD_ACCOUNT, "user101");
        put(w, FIELD_ACCOUNT_DOMAIN, "CORP.EXAMPLE");
    }
    if (presented) {
        activity_put_uint(&w->writer, FIELD_TICKET_FINGERPRINT, presented);
        put(w, FIELD_TICKET_REALM, "CORP.EXAMPLE");
    }
    if (issued) {
        activity_put_uint(&w->writer, FIELD_ISSUED_TICKET_FINGERPRINT, issued);
        put(w, FIELD_ISSUED_TICKET_SERVICE, service);
        activity_put_int(&w->writer, FIELD_ISSUED_TICKET_ETYPE, 18);
    }
    activity_put_uint(&w->writer, FIELD_STATUS, 0);
}

static void present(struct world *w, uint64_t ticket)
{
    begin(w, ACTIVITY_KERBEROS_AP);
    put_address(w, FIELD_SOURCE, ADDRESS);
    activity_put_uint(&w->writer, FIELD_TICKET_FINGERPRINT, ticket);
    put(w, FIELD_TICKET_REALM, "CORP.EXAMPLE");
}

static void test_tickets(void **state)
{
    struct world *w = *state;
    struct subject user = account_of(w, "user101", "corp.example");
    ask_ticket(w, ACTIVITY_KERBEROS_AS, 0, 11, "krbtgt/CORP.EXAMPLE");
    assert_true(observe(w));
    assert_null(w->o.ticket);
    ask_ticket(w, ACTIVITY_KERBEROS_TGS, 11, 12, "cifs/srv.corp.example");
    assert_true(observe_from(w, node_b));
    assert_non_null(w->o.ticket);
    assert_true(w->o.ticket->granting);
    assert_same(w->o.account.subject, user); /* by the ticket */
    present(w, 12);
    assert_true(observe(w));
    assert_non_null(w->o.ticket);
    assert_false(w->o.ticket->granting);
    assert_same(w->o.ticket->account, user);
    assert_string_equal(w->o.ticket->service, "cifs/srv.corp.example");
    assert_same(w->o.account.subject, user);
    present(w, 99);
    assert_true(observe(w));
    assert_null(w->o.ticket);
    assert_false(w->o.tickets_watched);
    /* Handed on. */
    begin(w, ACTIVITY_KERBEROS_CRED);
    assert_true(activity_list_begin(&w->writer, FIELD_TICKET_FINGERPRINTS));
    activity_list_uint(&w->writer, 11);
    activity_list_end(&w->writer);
    assert_true(observe(w));
    ask_ticket(w, ACTIVITY_KERBEROS_TGS, 11, 0, NULL);
    assert_true(observe(w));
    assert_true(w->o.ticket->forwarded);
}

static void with_room_for(struct world *w, uint32_t tickets)
{
    processor_destroy(&w->processor);
    w->processor = new_processor(w, tickets);
    assert_non_null(w->processor);
}

static bool is_known_ticket(struct world *w, uint64_t ticket)
{
    present(w, ticket);
    assert_true(observe(w));
    return w->o.ticket != NULL;
}

static void issue(struct world *w, uint64_t ticket, bool granting)
{
    ask_ticket(w, granting ? ACTIVITY_KERBEROS_AS : ACTIVITY_KERBEROS_TGS, 0, ticket,
               granting ? "krbtgt/CORP.EXAMPLE" : "cifs/srv.corp.example");
    w->now += CLOCK_SECOND;
    assert_true(observe(w));
}

/* However many there are of one sort, those of the other stay; of that sort the oldest go. */
static void test_tickets_are_bounded(void **state)
{
    enum { ROOM = 64, MANY = 1000 };
    struct world *w = *state;
    with_room_for(w, ROOM);
    issue(w, 1, true);
    for (uint64_t i = 0; i < ROOM; i++)
        issue(w, 100 + i, false);
    assert_int_equal(processor_tickets_forgotten(w->processor), 0);
    for (uint64_t i = ROOM; i < MANY; i++)
        issue(w, 100 + i, false);
    assert_true(is_known_ticket(w, 1));
    uint64_t forgotten = processor_tickets_forgotten(w->processor);
    unsigned known = 0;
    for (uint64_t i = 0; i < MANY; i++) {
        bool is = is_known_ticket(w, 100 + i);
        assert_true(is || known == 0); /* none is gone that is newer than one that is there */
        known += is;
    }
    assert_in_range(known, ROOM / 2, ROOM);
    assert_int_equal(known + forgotten, MANY);
    for (uint64_t i = 0; i < 2 * ROOM; i++)
        issue(w, 5000 + i, true);
    assert_false(is_known_ticket(w, 1));
    assert_true(is_known_ticket(w, 100 + MANY - 1));
}

/* Those for services are of no use after four days, the others after ten: that is no loss. */
static void test_tickets_expire(void **state)
{
    struct world *w = *state;
    issue(w, 1, true);
    issue(w, 2, false);
    w->now += 4 * CLOCK_DAY - CLOCK_MINUTE;
    assert_true(is_known_ticket(w, 2));
    w->now += 2 * CLOCK_MINUTE;
    assert_false(is_known_ticket(w, 2));
    processor_expire(w->processor, w->now);
    w->now += 6 * CLOCK_DAY - 3 * CLOCK_MINUTE;
    assert_true(is_known_ticket(w, 1));
    w->now += 2 * CLOCK_MINUTE;
    assert_false(is_known_ticket(w, 1));
    processor_expire(w->processor, w->now);
    assert_int_equal(processor_tickets_forgotten(w->processor), 0);
}

static void test_delegation(void **state)
{
    struct world *w = *state;
    struct subject victim = account_of(w, "victim", "corp.example");
    ask_ticket(w, ACTIVITY_KERBEROS_AS, 0, 21, "krbtgt/CORP.EXAMPLE");
    assert_true(observe(w));
    ask_ticket(w, ACTIVITY_KERBEROS_TGS, 21, 22, "svc_web");
    put(w, FIELD_S4U2SELF_ACCOUNT, "victim");
    put(w, FIELD_S4U2SELF_DOMAIN, "CORP.EXAMPLE");
    assert_true(observe(w));
    ask_ticket(w, ACTIVITY_KERBEROS_TGS, 21, 23, "cifs/dc1");
    activity_put_bool(&w->writer, FIELD_S4U2PROXY, true);
    assert_true(activity_list_begin(&w->writer, FIELD_ADDITIONAL_TICKET_FINGERPRINTS));
    activity_list_uint(&w->writer, 22);
    activity_list_end(&w->writer);
    assert_true(observe(w));
    present(w, 23);
    assert_true(observe(w));
    assert_true(w->o.ticket->delegated);
    assert_same(w->o.ticket->account, victim);
}

/* Only when all controllers were seen issuing tickets, for as long as tickets live, and nothing was missed.
 */
static void test_all_is_watched(void **state)
{
    struct world *w = *state;
    give_directory(w);
    set_life(w, 10);
    for (int hour = 0; hour < 12; hour++) {
        w->now += CLOCK_HOUR;
        ask_ticket(w, ACTIVITY_KERBEROS_AS, 0, (uint64_t)(100 + hour), "krbtgt/CORP.EXAMPLE");
        from_controller(w);
        assert_true(observe(w));
        present(w, 777);
        assert_true(observe(w));
        assert_int_equal(w->o.tickets_watched, hour > 10);
    }
    processor_gap(w->processor, w->now);
    present(w, 777);
    assert_true(observe(w));
    assert_false(w->o.tickets_watched);
}

static void report(struct world *w, const uint8_t *node, bool first, enum activity_field loss)
{
    begin(w, ACTIVITY_CAPTURE_REPORT);
    if (!first)
        activity_put_time(&w->writer, FIELD_CAPTURED_FROM, w->now - 10 * CLOCK_SECOND);
    activity_put_uint(&w->writer, FIELD_PACKETS_CAPTURED, 1000);
    if (loss == FIELD_CAPTURE_BLIND)
        activity_put_bool(&w->writer, loss, true);
    else if (loss)
        activity_put_uint(&w->writer, loss, 1);
    assert_false(observe_from(w, node));
}

/* A ticket is issued, and one that nobody saw being issued is presented; both sensors tell of themselves. */
static void pass_hours(struct world *w, int hours, const uint8_t *silent)
{
    for (int i = 0; i < 6 * hours; i++) {
        w->now += 10 * CLOCK_MINUTE;
        ask_ticket(w, ACTIVITY_KERBEROS_AS, 0, (uint64_t)w->now, "krbtgt/CORP.EXAMPLE");
        from_controller(w);
        assert_true(observe(w));
        if (silent != node_a)
            report(w, node_a, false, 0);
        if (silent != node_b)
            report(w, node_b, false, 0);
    }
}

static bool is_watched(struct world *w)
{
    present(w, 777);
    assert_true(observe(w));
    return w->o.tickets_watched;
}

/* The ticket is shown to a controller, which takes it (status 0) or not. */
static struct ticket_life use_ticket(struct world *w, uint64_t ticket, uint64_t status, bool controller)
{
    begin(w, ACTIVITY_KERBEROS_TGS);
    put_address(w, FIELD_SOURCE, ADDRESS);
    put_address(w, FIELD_DESTINATION, controller ? 0x0a000001 : 0x0a000007);
    activity_put_uint(&w->writer, FIELD_TICKET_FINGERPRINT, ticket);
    put(w, FIELD_TICKET_REALM, "CORP.EXAMPLE");
    activity_put_uint(&w->writer, FIELD_STATUS, status);
    if (controller)
        from_controller(w);
    w->now += CLOCK_SECOND;
    assert_true(observe(w));
    return w->o.ticket_life;
}

static void issue_from_controller(struct world *w, uint64_t ticket)
{
    ask_ticket(w, ACTIVITY_KERBEROS_AS, 0, ticket, "krbtgt/CORP.EXAMPLE");
    from_controller(w);
    w->now += CLOCK_SECOND;
    assert_true(observe(w));
}

static void assert_life(struct ticket_life life, enum ticket_life_source from, int64_t least, int64_t most)
{
    assert_int_equal(life.from, from);
    assert_in_range(life.life, least, most);
}

/* How long tickets live is assumed until one is accepted later, or a key shows it, or somebody says so. */
static void test_life_of_tickets(void **state)
{
    const int64_t ten = 10 * CLOCK_HOUR;
    struct world *w = *state;
    give_directory(w);
    ask_ticket(w, ACTIVITY_KERBEROS_AS, 0, 2, "krbtgt/CORP.EXAMPLE"); /* of who knows whom */
    assert_true(observe(w));
    issue_from_controller(w, 1);
    ask_ticket(w, ACTIVITY_KERBEROS_TGS, 1, 3, "krbtgt/CORP.EXAMPLE"); /* for another ticket */
    from_controller(w);
    assert_true(observe(w));
    w->now += 10 * CLOCK_HOUR + 4 * CLOCK_MINUTE;
    assert_life(use_ticket(w, 1, 0, true), LIFE_ASSUMED, ten, ten); /* clocks differ */
    w->now += 2 * CLOCK_HOUR;
    assert_life(use_ticket(w, 1, 32, true), LIFE_ASSUMED, ten, ten); /* expired */
    assert_life(use_ticket(w, 1, 0, false), LIFE_ASSUMED, ten, ten); /* by nobody known */
    assert_life(use_ticket(w, 2, 0, true), LIFE_ASSUMED, ten, ten);
    assert_life(use_ticket(w, 3, 0, true), LIFE_ASSUMED, ten, ten);
    assert_life(use_ticket(w, 9, 0, true), LIFE_ASSUMED, ten, ten);
    assert_life(use_ticket(w, 1, 0, true), LIFE_USED, 23 * CLOCK_HOUR, 25 * CLOCK_HOUR);
    assert_life(use_ticket(w, 9, 0, true), LIFE_USED, 23 * CLOCK_HOUR, 25 * CLOCK_HOUR);
    move_to_room_for(w, 0);
    assert_life(use_ticket(w, 9, 0, true), LIFE_USED, 23 * CLOCK_HOUR, 25 * CLOCK_HOUR);
    /* A key. */
    ask_ticket(w, ACTIVITY_KERBEROS_AS, 0, 4, "krbtgt/CORP.EXAMPLE");
    from_controller(w);
    put(w, FIELD_ISSUED_TICKET_REALM, "CORP.EXAMPLE");
    activity_put_time(&w->writer, FIELD_ISSUED_TICKET_AUTH_TIME, w->now);
    activity_put_time(&w->writer, FIELD_ISSUED_TICKET_END_TIME, w->now + 16 * CLOCK_HOUR);
    assert_true(observe(w));
    assert_life(use_ticket(w, 9, 0, true), LIFE_READ, 16 * CLOCK_HOUR, 16 * CLOCK_HOUR);
    set_life(w, 8);
    assert_life(use_ticket(w, 9, 0, true), LIFE_SET, 8 * CLOCK_HOUR, 8 * CLOCK_HOUR);
    w->settings.life_count = 0;
    /* Of another policy since then: what no longer happens is forgotten. */
    w->now += 31 * CLOCK_DAY;
    assert_life(use_ticket(w, 9, 0, true), LIFE_ASSUMED, ten, ten);
}

/* As long again as is assumed it may prove wrong. */
static void test_watched_with_an_assumed_life(void **state)
{
    struct world *w = *state;
    give_directory(w);
    pass_hours(w, 20, NULL);
    assert_false(is_watched(w));
    pass_hours(w, 1, NULL);
    assert_true(is_watched(w));
    issue_from_controller(w, 1);
    pass_hours(w, 12, NULL); /* tickets of a day */
    use_ticket(w, 1, 0, true);
    report(w, node_a, false, 0);
    report(w, node_b, false, 0);
    assert_true(is_watched(w));
    report(w, node_b, false, FIELD_PACKETS_DROPPED);
    pass_hours(w, 23, NULL);
    assert_false(is_watched(w));
    pass_hours(w, 2, NULL);
    assert_true(is_watched(w));
}

/* Those that are gone are over by now: nothing is missing. */
static void test_old_tickets_may_be_pushed_out(void **state)
{
    struct world *w = *state;
    give_directory(w);
    set_life(w, 10);
    with_room_for(w, 256);
    for (int hour = 0; hour < 40; hour++) {
        pass_hours(w, 1, NULL);
        for (int i = 0; i < 15; i++)
            issue(w, (uint64_t)w->now + 1, false);
        assert_int_equal(is_watched(w), hour >= 10);
    }
    assert_true(processor_tickets_forgotten(w->processor) > 0);
}

/* A ticket that was pushed out is like one that nobody saw being issued: until the others are over, none is
 * taken for forged; and that is known as soon as it is gone, also after a crash. */
static void test_pushed_out_is_not_absent(void **state)
{
    enum { ROOM = 256 };
    struct world *w = *state;
    give_directory(w);
    set_life(w, 10);
    with_room_for(w, ROOM);
    pass_hours(w, 11, NULL);
    assert_true(is_watched(w));
    issue(w, 7, false);
    while (processor_tickets_forgotten(w->processor) == 0)
        issue(w, (uint64_t)w->now, false);
    move_to_room_for(w, ROOM); /* at once: the next activity has not come yet */
    report(w, node_a, false, 0);
    report(w, node_b, false, 0);
    assert_false(is_known_ticket(w, 7));
    assert_false(w->o.tickets_watched);
    pass_hours(w, 10, NULL);
    assert_false(is_watched(w));
    pass_hours(w, 1, NULL);
    assert_true(is_watched(w));
    /* Less room than before, as of a new configuration: what does not fit is lost likewise. */
    move_to_room_for(w, 16);
    assert_true(processor_tickets_forgotten(w->processor) > 0);
    assert_false(is_watched(w));
}

/* What a sensor did not see, or has not told yet, is not absent. */
static void test_blind_sensors(void **state)
{
    static const enum activity_field losses[] = {FIELD_PACKETS_DROPPED, FIELD_KERBEROS_SHED,
                                                 FIELD_ACTIVITIES_LOST, FIELD_CAPTURE_BLIND};
    struct world *w = *state;
    give_directory(w);
    set_life(w, 10);
    pass_hours(w, 11, NULL);
    assert_true(is_watched(w));
    for (unsigned i = 0; i < sizeof losses / sizeof *losses; i++) {
        report(w, node_b, false, losses[i]);
        assert_false(is_watched(w));
        pass_hours(w, 10, NULL);
        assert_false(is_watched(w));
        pass_hours(w, 1, NULL);
        assert_true(is_watched(w));
    }
    report(w, node_b, false, FIELD_PACKETS_SHED); /* no tickets among them */
    assert_true(is_watched(w));
    report(w, node_b, true, 0); /* it was started anew */
    assert_false(is_watched(w));
    pass_hours(w, 11, NULL);
    assert_true(is_watched(w));
    /* One is late: its tickets may be on their way. */
    w->now += 40 * CLOCK_SECOND;
    report(w, node_a, false, 0);
    assert_true(is_watched(w));
    w->now += 10 * CLOCK_SECOND;
    assert_false(is_watched(w));
    report(w, node_b, false, 0);
    assert_true(is_watched(w));
    /* A clock that goes back changes nothing. */
    w->now -= 5 * CLOCK_SECOND;
    report(w, node_a, false, FIELD_PACKETS_DROPPED);
    w->now += 5 * CLOCK_SECOND;
    assert_false(is_watched(w));
    pass_hours(w, 11, NULL);
    assert_true(is_watched(w));
    /* One that was taken away is waited for for a day. */
    pass_hours(w, 1, node_b);
    assert_false(is_watched(w));
    pass_hours(w, 24, node_b);
    assert_true(is_watched(w));
}

static void test_two_sensors(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 2; i++) { /* the second one is new here */
        begin(w, ACTIVITY_DNS_QUERY);
        put(w, FIELD_DNS_NAME, i ? "b.example" : "a.example");
        assert_true(observe_from(w, i ? node_b : node_a));
    }
    /* Each of three repetitions is told by both; whoever comes first. */
    static const struct {
        const uint8_t *node;
        bool is_new;
    } told[] = {{node_a, true}, {node_a, true},  {node_b, false}, {node_b, false},
                {node_b, true}, {node_a, false}, {node_a, true},  {node_b, false}};
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        begin(w, ACTIVITY_LDAP_SEARCH);
        put_address(w, FIELD_SOURCE, ADDRESS);
        activity_put_uint(&w->writer, FIELD_SOURCE_PORT, 50000);
        put(w, FIELD_SEARCH_FILTER, "(a=b)");
        activity_put_uint(&w->writer, FIELD_FLOW, i); /* each counts its own */
        w->now += CLOCK_MILLISECOND;
        assert_int_equal(observe_from(w, told[i].node), told[i].is_new);
    }
    /* A ticket that is issued is one, whatever the addresses are translated to. */
    ask_ticket(w, ACTIVITY_KERBEROS_AS, 0, 31, "krbtgt/CORP.EXAMPLE");
    assert_true(observe_from(w, node_a));
    ask_ticket(w, ACTIVITY_KERBEROS_AS, 0, 31, "krbtgt/CORP.EXAMPLE");
    activity_put_uint(&w->writer, FIELD_SOURCE_PORT, 7);
    assert_false(observe_from(w, node_b));
}

static void test_same_event_twice(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 4; i++) {
        begin(w, ACTIVITY_WINDOWS_LOGON);
        put(w, FIELD_EVENT_COMPUTER, "DC1.corp.example");
        put(w, FIELD_EVENT_SOURCE, i ? "syslog" : "forwarded");
        activity_put_uint(&w->writer, FIELD_EVENT_RECORD, 7);
        assert_int_equal(observe(w), i == 0 || i == 3);
        w->now += i < 1 ? 0 : CLOCK_MINUTE; /* the log was cleared */
        if (i == 1)
            w->now -= CLOCK_MINUTE;
    }
}

static void ntlm(struct world *w, uint64_t status)
{
    begin(w, ACTIVITY_NTLM_AUTHENTICATE);
    put_address(w, FIELD_SOURCE, ADDRESS);
    put(w, FIELD_ACCOUNT, "bob");
    put(w, FIELD_ACCOUNT_DOMAIN, "corp.example");
    activity_put_uint(&w->writer, FIELD_STATUS, status);
    assert_true(observe(w));
}

static bool event_4776(struct world *w, uint64_t status)
{
    begin(w, ACTIVITY_NTLM_VALIDATION);
    put(w, FIELD_EVENT_COMPUTER, "DC1.corp.example");
    put(w, FIELD_ACCOUNT, "bob@corp.example");
    activity_put_uint(&w->writer, FIELD_STATUS, status);
    return observe(w);
}

static void test_event_of_what_was_on_the_wire(void **state)
{
    struct world *w = *state;
    assert_true(event_4776(w, 0xc000006a)); /* nothing on the wire */
    assert_false(w->o.told);
    w->now += CLOCK_MINUTE;
    ntlm(w, 0xc000006d);
    assert_false(w->o.told);
    ntlm(w, 0xc000006d);
    assert_false(event_4776(w, 0xc000006a));
    assert_true(event_4776(w, 0xc0000064)); /* says that there is no such account: the wire did not */
    assert_true(w->o.told);
    assert_true(event_4776(w, 0xc000006a)); /* a third one */
    assert_false(w->o.told);
    ntlm(w, 0);
    w->now += 10 * CLOCK_MINUTE;
    assert_true(event_4776(w, 0)); /* much later */
    assert_false(w->o.told);
}

/* The event log was faster than the capture. */
static void test_event_before_what_is_on_the_wire(void **state)
{
    struct world *w = *state;
    assert_true(event_4776(w, 0xc000006a));
    assert_true(event_4776(w, 0xc000006a));
    assert_false(w->o.told);
    ntlm(w, 0xc000006d);
    assert_true(w->o.told);
    ntlm(w, 0xc000006d);
    assert_true(w->o.told);
    ntlm(w, 0xc000006d); /* a third one */
    assert_false(w->o.told);
    assert_false(event_4776(w, 0xc000006a));
    assert_true(event_4776(w, 0xc000006a));
    w->now += 20 * CLOCK_SECOND;
    ntlm(w, 0xc000006d); /* much later: another one */
    assert_false(w->o.told);
}

static void account_session(struct world *w, const char *status)
{
    begin(w, ACTIVITY_RADIUS_ACCOUNTING);
    put(w, FIELD_ACCOUNT, "bob@corp.example");
    put(w, FIELD_RADIUS_STATUS, status);
    put(w, FIELD_RADIUS_SESSION, status);
    struct ip_address address = {.family = 4, .bytes = {10, 0, 0, 5}};
    assert_true(activity_list_begin(&w->writer, FIELD_FRAMED_ADDRESSES));
    activity_list_address(&w->writer, &address);
    activity_list_end(&w->writer);
}

static void test_vpn_session(void **state)
{
    struct world *w = *state;
    account_session(w, "start");
    assert_true(observe(w));
    account_session(w, "start"); /* sent again */
    assert_false(observe(w));
    begin(w, ACTIVITY_DNS_QUERY);
    put_address(w, FIELD_SOURCE, ADDRESS);
    assert_true(observe(w));
    struct subject bob = w->o.account.subject;
    assert_int_equal(w->o.account.confidence, 70);
    assert_same(account_of(w, "bob", "corp.example"), bob);
    account_session(w, "stop");
    assert_true(observe(w));
    begin(w, ACTIVITY_DNS_QUERY);
    put_address(w, FIELD_SOURCE, ADDRESS);
    assert_true(observe(w));
    assert_false(party_is(&w->o.account));
}

static void test_targets(void **state)
{
    struct world *w = *state;
    give_directory(w);
    struct guid user = world_guid(102);
    begin(w, ACTIVITY_GROUP_CHANGE);
    put(w, FIELD_EVENT_COMPUTER, "DC1.corp.example");
    put(w, FIELD_GROUP_ACCOUNT, "Domain Admins");
    put(w, FIELD_GROUP_ACCOUNT_DOMAIN, "CORP");
    put(w, FIELD_MEMBER_DN, "CN=object 102,CN=Users,DC=corp,DC=example");
    assert_true(observe(w));
    assert_int_equal(w->o.group.kind, SUBJECT_GROUP);
    assert_same(w->o.target.subject, subject_of_guid(user.bytes));
    begin(w, ACTIVITY_LDAP_MODIFY);
    put(w, FIELD_LDAP_DN, "CN=unheard of,DC=corp,DC=example");
    assert_true(observe(w));
    assert_int_equal(w->o.target.kind, SUBJECT_OBJECT);
    assert_bytes_equal(w->o.target.name.data, "unheard of", 10);
    begin(w, ACTIVITY_ACCOUNT_CHANGE);
    put(w, FIELD_CHANGED_ACCOUNT, "WS01$");
    put(w, FIELD_CHANGED_ACCOUNT_DOMAIN, "CORP");
    activity_put_bool(&w->writer, FIELD_CHANGED_COMPUTER, true);
    assert_true(observe(w));
    assert_int_equal(w->o.target.kind, SUBJECT_COMPUTER);
    assert_non_null(w->o.target.guid);
    ask_ticket(w, ACTIVITY_KERBEROS_TGS, 0, 41, "x");
    put(w, FIELD_SERVICE, "krbtgt/CORP.EXAMPLE");
    assert_true(observe(w));
    assert_int_equal(w->o.service.kind, SUBJECT_ACCOUNT);
    ask_ticket(w, ACTIVITY_KERBEROS_TGS, 0, 42, "x");
    put(w, FIELD_SERVICE, "unheard/of");
    assert_true(observe(w));
    assert_false(party_is(&w->o.service));
}

/* What a sensor's resolver learned when the activities had left. */
static void test_resolution(void **state)
{
    struct world *w = *state;
    struct guid guid = world_guid(7), machine = world_guid(8);
    begin(w, ACTIVITY_RESOLUTION);
    put(w, FIELD_ACCOUNT_NAME, "bob");
    put(w, FIELD_ACCOUNT_DNS_DOMAIN, "corp.example");
    activity_put_uuid(&w->writer, FIELD_ACCOUNT_GUID, guid.bytes);
    assert_false(observe(w));
    assert_same(account_of(w, "bob@corp.example", NULL), subject_of_guid(guid.bytes));
    begin(w, ACTIVITY_RESOLUTION);
    put_address(w, FIELD_SOURCE, ADDRESS);
    put(w, FIELD_SOURCE_COMPUTER, "WS01");
    put(w, FIELD_SOURCE_COMPUTER_DOMAIN, "corp.example");
    activity_put_uuid(&w->writer, FIELD_SOURCE_COMPUTER_GUID, machine.bytes);
    activity_put_uint(&w->writer, FIELD_SOURCE_CONFIDENCE, 100);
    assert_false(observe(w));
    begin(w, ACTIVITY_DNS_QUERY);
    put_address(w, FIELD_SOURCE, ADDRESS);
    assert_true(observe(w));
    assert_same(w->o.source.subject, subject_of_guid(machine.bytes));
}

/* After a crash it goes on as if nothing had been. */
struct kept {
    struct processor *to;
    unsigned table;
};

static void restore(void *context, struct subject key, int64_t touched, const void *value)
{
    const struct kept *kept = context;
    if (value)
        assert_true(state_table_restore(processor_table(kept->to, kept->table), key, touched, value));
}

static void move_to_room_for(struct world *w, uint32_t tickets)
{
    struct kept kept = {.to = new_processor(w, tickets)};
    struct state_table *table;
    assert_non_null(kept.to);
    for (; (table = processor_table(w->processor, kept.table)); kept.table++)
        state_table_changes(table, restore, &kept);
    processor_destroy(&w->processor);
    w->processor = kept.to;
}

static void test_checkpoint(void **state)
{
    struct world *w = *state;
    ask_ticket(w, ACTIVITY_KERBEROS_AS, 0, 51, "krbtgt/CORP.EXAMPLE");
    assert_true(observe(w));
    begin(w, ACTIVITY_DNS_QUERY);
    assert_true(observe_from(w, node_b));
    move_to_room_for(w, 0);
    present(w, 51);
    assert_true(observe(w));
    assert_non_null(w->o.ticket);
    ask_ticket(w, ACTIVITY_KERBEROS_AS, 0, 52, "krbtgt/CORP.EXAMPLE");
    assert_true(observe(w));
    ask_ticket(w, ACTIVITY_KERBEROS_AS, 0, 52, "krbtgt/CORP.EXAMPLE");
    assert_false(observe_from(w, node_b)); /* that there are two is known */
    processor_expire(w->processor, w->now + 400 * CLOCK_DAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_names_without_directory),
        TEST(test_aliases),
        TEST(test_memory_of_a_name),
        TEST(test_memory_until_the_directory_came),
        TEST(test_names_with_directory),
        TEST(test_ends),
        TEST(test_controllers_by_what_they_do),
        TEST(test_tickets),
        TEST(test_tickets_are_bounded),
        TEST(test_tickets_expire),
        TEST(test_delegation),
        TEST(test_life_of_tickets),
        TEST(test_all_is_watched),
        TEST(test_watched_with_an_assumed_life),
        TEST(test_old_tickets_may_be_pushed_out),
        TEST(test_pushed_out_is_not_absent),
        TEST(test_blind_sensors),
        TEST(test_two_sensors),
        TEST(test_same_event_twice),
        TEST(test_event_of_what_was_on_the_wire),
        TEST(test_event_before_what_is_on_the_wire),
        TEST(test_vpn_session),
        TEST(test_targets),
        TEST(test_resolution),
        TEST(test_checkpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
