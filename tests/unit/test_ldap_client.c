/* SPDX-License-Identifier: Apache-2.0
 *
 * The directory's client against directories of the test's own: what a lawful one answers, what a broken or
 * hostile one may try, and the faults of networks, certificates and accounts. Real sockets on loopback, real
 * TLS.
 */
#include "unit.h"

#include "base/clock.h"
#include "sync/directory_check.h"

#include "ldap_server.h"

#include <sys/resource.h>
#include <sys/stat.h>

#define PATIENCE 60 /* s: only a failing test waits so long */

static struct authority authority, stranger;

/* --- the client's side --- */

#define RESULTS_MAX 64

struct told {
    uint32_t operation;
    enum ldap_outcome outcome;
    int code;
    uint64_t objects, bytes, referrals;
    bool more;
    char text[256];
    uint8_t cookie[64];
    size_t cookie_size;
};

struct world {
    struct ldap_client *client;
    struct told results[RESULTS_MAX];
    unsigned result_count;
    unsigned bound, refused, states;
    char reason[FAULT_MAX];
    char all_reasons[8192];
    uint64_t objects;
    char last_dn[256];
    uint32_t attributes, values;
    uint32_t abandon_at; /* the object at which the operation is abandoned from its callback */
    int64_t ahead;       /* what the client is told that the time is ahead */
    bool search_again;   /* from the result's callback */
};

static const char *const base = "DC=corp,DC=example";

static void on_object(void *context, uint32_t operation, const struct directory_object *object)
{
    struct world *w = context;
    w->objects++;
    w->attributes = object->attribute_count;
    w->values = object->attribute_count ? object->attributes[0].value_count : 0;
    (void)snprintf(w->last_dn, sizeof w->last_dn, "%.*s", (int)object->dn.size,
                   (const char *)object->dn.data);
    if (w->abandon_at && w->objects == w->abandon_at)
        ldap_client_abandon(w->client, operation);
}

static void on_result(void *context, uint32_t operation, const struct ldap_result *result)
{
    struct world *w = context;
    assert_true(w->result_count < RESULTS_MAX);
    struct told *told = &w->results[w->result_count++];
    *told = (struct told){operation,     result->outcome,    result->code, result->objects,
                          result->bytes, result->referrals,  result->more, "",
                          {0},           result->cookie.size};
    (void)snprintf(told->text, sizeof told->text, "%s", result->text);
    assert_true(result->cookie.size <= sizeof told->cookie);
    if (result->cookie.size)
        memcpy(told->cookie, result->cookie.data, result->cookie.size);
    if (w->search_again) {
        struct ldap_query query = {.base = base, .filter = "(cn=again)"};
        assert_int_equal(ldap_client_search(w->client, &query), 0); /* the connection is gone */
    }
}

static void on_state(void *context, enum ldap_client_state state, const struct ldap_peer *peer,
                     const char *reason)
{
    struct world *w = context;
    w->states++;
    w->bound += state == LDAP_CLIENT_BOUND;
    w->refused += state == LDAP_CLIENT_REFUSED;
    assert_true((peer != NULL) == (state == LDAP_CLIENT_BOUND));
    (void)snprintf(w->reason, sizeof w->reason, "%s", reason);
    size_t used = strlen(w->all_reasons);
    (void)snprintf(w->all_reasons + used, sizeof w->all_reasons - used, "%s\n", reason);
}

static void step(struct world *w, int milliseconds)
{
    struct pollfd descriptors[4];
    int64_t deadline;
    unsigned count = ldap_client_poll(w->client, descriptors, 4, &deadline);
    int64_t left = deadline - (clock_monotonic(clock_system()) + w->ahead);
    if (left < 0)
        left = 0;
    if (left / CLOCK_MILLISECOND < milliseconds)
        milliseconds = (int)(left / CLOCK_MILLISECOND) + 1;
    (void)poll(descriptors, count, left ? milliseconds : 0);
    ldap_client_run(w->client, clock_monotonic(clock_system()) + w->ahead, 50 * CLOCK_MILLISECOND);
}

/* Runs the client until the condition holds. */
#define until(w, condition)                                                                                  \
    do {                                                                                                     \
        int64_t end_ = clock_monotonic(clock_system()) + PATIENCE * CLOCK_SECOND;                            \
        while (!(condition)) {                                                                               \
            if (clock_monotonic(clock_system()) > end_)                                                      \
                fail_msg("%s did not come; last: %s", #condition, (w)->reason);                              \
            step((w), 50);                                                                                   \
        }                                                                                                    \
    } while (0)

struct place {
    char password[64], other_password[64], controllers[4][64];
    struct ldap_client_config config;
};

static void write_secret(char *path, const char *text)
{
    (void)strcpy(path, "/tmp/picket-secret-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void place_make(struct place *p, const struct ldap_server *server)
{
    *p = (struct place){0};
    write_secret(p->password, "secret\n");
    write_secret(p->other_password, "other\n");
    p->config = (struct ldap_client_config){
        .domain = "corp.example",
        .accounts = {{.domain = "corp.example",
                      .principal = "reader@corp.example",
                      .password_file = p->password,
                      .method = LDAP_BIND_SIMPLE,
                      .security = server->start_tls ? LDAP_SECURITY_STARTTLS : LDAP_SECURITY_LDAPS}},
        .account_count = 1,
        .ca_file = authority.path,
        .connect_timeout = PATIENCE * CLOCK_SECOND,
        .bind_timeout = PATIENCE * CLOCK_SECOND,
        .operation_timeout = PATIENCE * CLOCK_SECOND,
    };
    (void)snprintf(p->controllers[0], sizeof p->controllers[0], "localhost:%u", server->port);
    p->config.controllers[0] = p->controllers[0];
    p->config.controller_count = 1;
}

static void place_drop(struct place *p)
{
    unlink(p->password);
    unlink(p->other_password);
}

static struct ldap_server lawful(void)
{
    struct ldap_server s = {.domain_dn = "DC=corp,DC=example", .invocation = {1, 2, 3, 4}};
    s.credentials = authority_issue(&authority, "localhost", -3600, 3600);
    return s;
}

static void open_client(struct world *w, const struct place *p)
{
    *w = (struct world){0};
    struct ldap_callbacks callbacks = {on_object, on_result, on_state, w};
    struct fault fault = {.text = ""};
    w->client = ldap_client_new(&p->config, &callbacks, &fault);
    if (!w->client)
        fail_msg("%s", fault.text);
}

/* A server, a place and a bound client. */
struct scene {
    struct ldap_server server;
    struct place place;
    struct world w;
};

static void scene_open(struct scene *s, bool (*search)(struct ldap_caller *))
{
    s->server = lawful();
    s->server.search = search;
    server_start(&s->server);
    place_make(&s->place, &s->server);
    open_client(&s->w, &s->place);
    until(&s->w, s->w.bound == 1);
}

static void scene_close(struct scene *s)
{
    ldap_client_destroy(&s->w.client);
    assert_null(s->w.client);
    server_stop(&s->server);
    gnutls_certificate_free_credentials(s->server.credentials);
    place_drop(&s->place);
}

static uint32_t search(struct scene *s, const char *filter)
{
    struct ldap_query query = {.base = base, .scope = LDAP_SUBTREE, .filter = filter};
    uint32_t id = ldap_client_search(s->w.client, &query);
    assert_int_not_equal(id, 0);
    return id;
}

/* --- what a lawful directory answers --- */

static bool answer_three(struct ldap_caller *c)
{
    uint8_t buffer[8192];
    struct ldap_writer w;
    entry_open(&w, buffer, sizeof buffer, c->request.id, "CN=one,DC=corp,DC=example");
    entry_attribute(&w, "cn", (const char *const[]){"one", "eins", "un", NULL});
    entry_attribute(&w, "member;range=0-1", (const char *const[]){"CN=a", "CN=b", NULL});
    entry_attribute(&w, "empty", NULL);
    if (!entry_send(c, &w))
        return false;
    w = (struct ldap_writer){.to = buffer, .capacity = sizeof buffer};
    ldap_writer_open(&w, BER_SEQUENCE);
    ldap_writer_int(&w, BER_INTEGER, c->request.id);
    ldap_writer_open(&w, LDAP_OP_REFERENCE);
    ldap_writer_string(&w, BER_OCTET_STRING, "ldap://elsewhere/DC=other");
    ldap_writer_close(&w);
    ldap_writer_close(&w);
    return caller_send(c, buffer, w.size) &&
           caller_entry(c, c->request.id, "CN=two,DC=corp,DC=example", "cn", "two") && caller_done(c, 0);
}

static void a_search_is_answered(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, answer_three);
    const struct ldap_peer *peer = ldap_client_peer(s.w.client);
    assert_non_null(peer);
    assert_string_equal(peer->host, "localhost");
    assert_string_equal(peer->dns_host_name, "dc1.corp.example");
    assert_int_equal(peer->address.family, peer->address.bytes[0] == 127 ? 4 : 6); /* localhost is either */
    assert_string_equal(peer->account, "reader@corp.example");
    assert_string_equal(peer->default_context, base);
    assert_string_equal(peer->configuration_context, "CN=Configuration,DC=corp,DC=example");
    assert_int_equal(peer->highest_usn, 4711);
    assert_int_equal(peer->functional_level, 7);
    assert_int_equal(peer->invocation_id[3], 4);
    assert_true(peer->dirsync && peer->paged && peer->extended_dn && !peer->notification);
    assert_true(llabs((long long)peer->clock_difference) < 60 * CLOCK_SECOND);
    assert_int_equal(ldap_client_state(s.w.client), LDAP_CLIENT_BOUND);
    assert_null(ldap_client_refusal(s.w.client, 0));
    assert_null(ldap_client_refusal(s.w.client, 7));

    uint32_t id = search(&s, "(objectClass=*)");
    until(&s.w, s.w.result_count == 1);
    assert_int_equal(s.w.results[0].operation, id);
    assert_int_equal(s.w.results[0].outcome, LDAP_OUTCOME_DONE);
    assert_int_equal(s.w.results[0].objects, 2);
    assert_int_equal(s.w.results[0].referrals, 1);
    assert_true(s.w.results[0].bytes > 100);
    assert_false(s.w.results[0].more);
    assert_string_equal(s.w.last_dn, "CN=two,DC=corp,DC=example");
    scene_close(&s);
}

static void attributes_are_views(void **state)
{
    (void)state;
    uint8_t buffer[4096];
    struct ldap_writer w;
    entry_open(&w, buffer, sizeof buffer, 5, "CN=x");
    entry_attribute(&w, "objectClass", (const char *const[]){"top", "user", NULL});
    entry_attribute(&w, "member;range=0-1", (const char *const[]){"CN=a", "CN=b", NULL});
    entry_attribute(&w, "none", NULL);
    for (int i = 0; i < 3; i++)
        ldap_writer_close(&w);
    struct ldap_reply reply;
    struct ldap_entry_space *space = calloc(1, sizeof *space);
    struct directory_object object;
    assert_true(ldap_reply_read((struct bytes){buffer, w.size}, &reply));
    assert_int_equal(ldap_entry_read(&reply, space, &object), LDAP_ENTRY_FINE);
    assert_int_equal(object.attribute_count, 3);
    const struct directory_attribute *a = directory_object_find(&object, "MEMBER");
    assert_non_null(a);
    assert_int_equal(a->value_count, 2);
    assert_memory_equal(a->values[1].data, "CN=b", 4);
    assert_true(a->values[1].data > buffer && a->values[1].data < buffer + w.size);
    a = directory_object_find(&object, "objectclass");
    assert_int_equal(a->value_count, 2);
    assert_memory_equal(a->values[0].data, "top", 3);
    assert_int_equal(directory_object_find(&object, "none")->value_count, 0);
    assert_null(directory_object_find(&object, "nothing"));
    ldap_entry_space_free(space);
    free(space);
}

static const uint8_t dirsync_value[] = {0x30, 0x0c, 2, 1, 1, 2, 1, 0, 4, 4, 'M', 'S', 'D', 'S'};
static const uint8_t paged_value[] = {0x30, 0x07, 2, 1, 0, 4, 2, 'p', '1'};
static const uint8_t last_page[] = {0x30, 0x05, 2, 1, 0, 4, 0};

static bool answer_with_controls(struct ldap_caller *c)
{
    /* DirSync's control comes with a cookie; the pages with another, until that comes back. */
    struct cursor controls = c->request.controls;
    struct cursor control = ber_expect(&controls, BER_SEQUENCE);
    struct bytes oid = ber_bytes(ber_expect(&control, BER_OCTET_STRING));
    bool dirsync = oid.size == strlen(LDAP_OID_DIRSYNC) && memcmp(oid.data, LDAP_OID_DIRSYNC, oid.size) == 0;
    (void)ber_boolean(&control);
    struct cursor value = ber_expect(&control, BER_OCTET_STRING), in = ber_expect(&value, BER_SEQUENCE);
    (void)ber_integer(&in);
    if (dirsync)
        (void)ber_integer(&in);
    struct bytes cookie = ber_bytes(ber_expect(&in, BER_OCTET_STRING));
    if (controls.failed || control.failed || in.failed)
        return caller_done(c, 2);
    if (dirsync)
        return caller_result(c, c->request.id, LDAP_OP_SEARCH_DONE, 0, "", LDAP_OID_DIRSYNC,
                             (struct bytes){dirsync_value, sizeof dirsync_value});
    return cookie.size ? caller_result(c, c->request.id, LDAP_OP_SEARCH_DONE, 0, "", LDAP_OID_PAGED,
                                       (struct bytes){last_page, sizeof last_page})
                       : caller_result(c, c->request.id, LDAP_OP_SEARCH_DONE, 0, "", LDAP_OID_PAGED,
                                       (struct bytes){paged_value, sizeof paged_value});
}

static void cookies_come_back(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, answer_with_controls);
    struct ldap_query query = {.base = base,
                               .scope = LDAP_SUBTREE,
                               .filter = "(objectClass=*)",
                               .dirsync = true,
                               .dirsync_flags = 0x80000000u,
                               .dirsync_bytes = 1 << 20,
                               .extended_dn = true,
                               .show_deleted = true};
    assert_int_not_equal(ldap_client_search(s.w.client, &query), 0);
    until(&s.w, s.w.result_count == 1);
    assert_int_equal(s.w.results[0].outcome, LDAP_OUTCOME_DONE);
    assert_true(s.w.results[0].more);
    assert_int_equal(s.w.results[0].cookie_size, 4);
    assert_memory_equal(s.w.results[0].cookie, "MSDS", 4);

    query = (struct ldap_query){
        .base = base, .scope = LDAP_SUBTREE, .filter = "(objectClass=*)", .page_size = 10};
    assert_int_not_equal(ldap_client_search(s.w.client, &query), 0);
    until(&s.w, s.w.result_count == 2);
    assert_true(s.w.results[1].more);
    assert_memory_equal(s.w.results[1].cookie, "p1", 2);
    query.cookie = (struct bytes){(const uint8_t *)"p1", 2};
    assert_int_not_equal(ldap_client_search(s.w.client, &query), 0);
    until(&s.w, s.w.result_count == 3);
    assert_false(s.w.results[2].more);
    assert_int_equal(s.w.results[2].cookie_size, 0);
    scene_close(&s);
}

static bool answer_backwards(struct ldap_caller *c)
{
    static uint32_t first;
    if (!first) {
        first = c->request.id;
        return true;
    }
    uint32_t id = first;
    first = 0;
    return caller_entry(c, c->request.id, "CN=second", "cn", "2") &&
           caller_entry(c, id, "CN=first", "cn", "1") && caller_done(c, 0) &&
           caller_result(c, id, LDAP_OP_SEARCH_DONE, 32, "none such", NULL, (struct bytes){0});
}

static void several_are_in_flight(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, answer_backwards);
    uint32_t one = search(&s, "(cn=1)"), two = search(&s, "(cn=2)");
    assert_int_not_equal(one, two);
    until(&s.w, s.w.result_count == 2);
    assert_int_equal(s.w.results[0].operation, two);
    assert_int_equal(s.w.results[0].outcome, LDAP_OUTCOME_DONE);
    assert_int_equal(s.w.results[1].operation, one);
    assert_int_equal(s.w.results[1].outcome, LDAP_OUTCOME_REFUSED);
    assert_int_equal(s.w.results[1].code, 32);
    assert_string_equal(s.w.results[1].text, "none such");
    assert_int_equal(s.w.results[0].objects, 1);
    assert_int_equal(s.w.results[1].objects, 1);
    scene_close(&s);
}

static bool never(struct ldap_caller *c)
{
    (void)c;
    return true;
}

static void no_more_than_the_bound(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, never);
    uint32_t ids[LDAP_OPERATIONS_MAX];
    for (unsigned i = 0; i < LDAP_OPERATIONS_MAX; i++)
        ids[i] = search(&s, "(cn=x)");
    struct ldap_query query = {.base = base, .filter = "(cn=x)"};
    assert_int_equal(ldap_client_search(s.w.client, &query), 0);
    ldap_client_abandon(s.w.client, 4); /* none such */
    for (unsigned i = 0; i < LDAP_OPERATIONS_MAX; i++) {
        ldap_client_abandon(s.w.client, ids[i]);
        ldap_client_abandon(s.w.client, ids[i]); /* once is enough */
    }
    assert_int_equal(s.w.result_count, 0); /* told by run() only */
    until(&s.w, s.w.result_count == LDAP_OPERATIONS_MAX);
    for (unsigned i = 0; i < LDAP_OPERATIONS_MAX; i++)
        assert_int_equal(s.w.results[i].outcome, LDAP_OUTCOME_ABANDONED);
    assert_int_not_equal(ldap_client_search(s.w.client, &query), 0);
    scene_close(&s);
}

static void a_bad_filter_is_told(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, never);
    search(&s, "(cn=");
    until(&s.w, s.w.result_count == 1);
    assert_int_equal(s.w.results[0].outcome, LDAP_OUTCOME_MALFORMED);
    assert_non_null(strstr(s.w.results[0].text, "filter"));
    scene_close(&s);
}

static bool answer_many(struct ldap_caller *c)
{
    for (unsigned i = 0; i < 20000; i++)
        if (!caller_entry(c, c->request.id, "CN=many,DC=corp,DC=example", "cn", "many"))
            return false;
    return caller_done(c, 0);
}

static void the_rest_of_an_abandoned_answer_is_dropped(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, answer_many);
    s.w.abandon_at = 10;
    search(&s, "(cn=many)");
    until(&s.w, s.w.result_count == 1);
    assert_int_equal(s.w.results[0].outcome, LDAP_OUTCOME_ABANDONED);
    assert_int_equal(s.w.objects, 10);
    s.w.abandon_at = 0;
    search(&s, "(cn=many)"); /* on the same connection, after what is left of the first */
    until(&s.w, s.w.result_count == 2);
    assert_int_equal(s.w.results[1].outcome, LDAP_OUTCOME_DONE);
    assert_int_equal(s.w.objects, 20010);
    assert_int_equal(s.w.bound, 1);
    scene_close(&s);
}

/* --- what a hostile one may try --- */

static bool answer_endlessly(struct ldap_caller *c)
{
    while (caller_entry(c, c->request.id, "CN=endless", "cn", "endless"))
        ;
    return false;
}

static void an_endless_answer_is_cut(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, answer_endlessly);
    struct ldap_query query = {.base = base, .filter = "(cn=x)", .bytes_max = 100000};
    assert_int_not_equal(ldap_client_search(s.w.client, &query), 0);
    until(&s.w, s.w.result_count == 1);
    assert_int_equal(s.w.results[0].outcome, LDAP_OUTCOME_TOO_LARGE);
    assert_true(s.w.results[0].bytes < 110000);
    scene_close(&s);
}

struct raw {
    const uint8_t *bytes;
    size_t size;
};

static bool answer_raw(struct ldap_caller *c)
{
    const struct raw *raw = c->context;
    uint8_t head[] = {0x30, 0x80, 2, 2, (uint8_t)(c->request.id >> 8), (uint8_t)c->request.id};
    head[1] = (uint8_t)(raw->size + 4);
    return raw->size < 0x7b && caller_send(c, head, sizeof head) && caller_send(c, raw->bytes, raw->size);
}

/* Its answer is `raw` behind the message id. */
static void outcome_of(const char *bytes, size_t size, enum ldap_outcome outcome)
{
    struct scene s;
    struct raw raw = {(const uint8_t *)bytes, size};
    s.server = lawful();
    s.server.search = answer_raw;
    s.server.context = &raw;
    server_start(&s.server);
    place_make(&s.place, &s.server);
    open_client(&s.w, &s.place);
    until(&s.w, s.w.bound == 1);
    search(&s, "(cn=x)");
    until(&s.w, s.w.result_count == 1);
    assert_int_equal(s.w.results[0].outcome, outcome);
    scene_close(&s);
}

#define OUTCOME_OF(bytes, outcome) outcome_of(bytes, sizeof bytes - 1, outcome)

static void wrong_types_are_refused(void **state)
{
    (void)state;
    OUTCOME_OF("\x64\x02\x02\x00", LDAP_OUTCOME_MALFORMED);                    /* an entry without a DN */
    OUTCOME_OF("\x64\x09\x04\x01x\x30\x04\x04\x02no", LDAP_OUTCOME_MALFORMED); /* attributes that are none */
    OUTCOME_OF("\x64\x0d\x04\x01x\x30\x08\x30\x06\x04\x00\x31\x02\x04\x00",
               LDAP_OUTCOME_MALFORMED); /* no name */
    OUTCOME_OF("\x64\x0e\x04\x01x\x30\x09\x30\x07\x04\x01g\x31\x02\x02\x00",
               LDAP_OUTCOME_MALFORMED);                         /* no value */
    OUTCOME_OF("\x65\x03\x0a\x01\x00", LDAP_OUTCOME_MALFORMED); /* a result cut off */
    OUTCOME_OF("\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
               LDAP_OUTCOME_MALFORMED);                            /* a bind's answer to a search */
    OUTCOME_OF("\x30\x00", LDAP_OUTCOME_MALFORMED);                /* no operation of LDAP at all */
    OUTCOME_OF("\x65\x84\xff\xff\xff\xff\x0a", LDAP_OUTCOME_LOST); /* longer than its message */
}

static bool answer_too_many_attributes(struct ldap_caller *c)
{
    uint8_t *buffer = malloc(1u << 20);
    struct ldap_writer w;
    entry_open(&w, buffer, 1u << 20, c->request.id, "CN=wide");
    for (unsigned i = 0; i <= DIRECTORY_ATTRIBUTES_MAX; i++)
        entry_attribute(&w, "a", (const char *const[]){"", NULL});
    bool sent = entry_send(c, &w);
    free(buffer);
    return sent;
}

static void answer_values(struct ldap_caller *c, unsigned count)
{
    size_t capacity = 2u * count + 256;
    uint8_t *buffer = malloc(capacity);
    struct ldap_writer w;
    entry_open(&w, buffer, capacity, c->request.id, "CN=deep");
    ldap_writer_open(&w, BER_SEQUENCE);
    ldap_writer_string(&w, BER_OCTET_STRING, "member");
    ldap_writer_open(&w, BER_SET);
    for (unsigned i = 0; i < count; i++)
        ldap_writer_bytes(&w, BER_OCTET_STRING, (struct bytes){0});
    ldap_writer_close(&w);
    ldap_writer_close(&w);
    assert_true(entry_send(c, &w));
    free(buffer);
}

static bool answer_deep(struct ldap_caller *c)
{
    answer_values(c, 100000); /* is fine */
    answer_values(c, DIRECTORY_VALUES_MAX + 1);
    return true;
}

static void tables_are_bounded(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s, answer_too_many_attributes);
    search(&s, "(cn=x)");
    until(&s.w, s.w.result_count == 1);
    assert_int_equal(s.w.results[0].outcome, LDAP_OUTCOME_TOO_LARGE);
    scene_close(&s);
    scene_open(&s, answer_deep);
    search(&s, "(cn=x)");
    until(&s.w, s.w.result_count == 1);
    assert_int_equal(s.w.objects, 1);
    assert_int_equal(s.w.values, 100000);
    assert_int_equal(s.w.results[0].outcome, LDAP_OUTCOME_TOO_LARGE);
    scene_close(&s);
}

static bool claim_a_gigabyte(struct ldap_caller *c)
{
    static const uint8_t claim[] = {0x30, 0x84, 0x40, 0, 0, 0, 2, 1, 1};
    return caller_send(c, claim, sizeof claim);
}

static bool send_nonsense(struct ldap_caller *c)
{
    return caller_send(c, "HTTP/1.1 400 Bad Request\r\n", 26);
}

static bool answer_another(struct ldap_caller *c)
{
    return caller_entry(c, c->request.id + 5, "CN=not asked", "cn", "x");
}

static bool disconnect(struct ldap_caller *c)
{
    return caller_result(c, 0, LDAP_OP_EXTENDED, 52, "going down", NULL, (struct bytes){0});
}

/* RFC 4511 4.4 with an empty name: the message that stops a program that reads it with libldap 2.5. */
static bool disconnect_without_a_name(struct ldap_caller *c)
{
    static const uint8_t message[] = {0x30, 0x0e, 2, 1, 0, 0x78, 9, 0x0a, 1, 0, 4, 0, 4, 0, 0x8a, 0};
    return caller_send(c, message, sizeof message);
}

static bool end_within_an_entry(struct ldap_caller *c)
{
    static const uint8_t message[] = {0x30, 0x20, 2, 1, 9, 0x64, 0x1b, 4, 9, 'C', 'N'};
    (void)caller_entry(c, c->request.id, "CN=whole", "cn", "x");
    (void)caller_send(c, message, sizeof message);
    return false;
}

/* The connection ends with that reason, the operation is lost, and the next connection works. */
static void loses(bool (*serve)(struct ldap_caller *), const char *reason)
{
    struct scene s;
    scene_open(&s, serve);
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    s.w.search_again = true;
    search(&s, "(cn=x)");
    search(&s, "(cn=y)");
    until(&s.w, s.w.result_count == 2);
    s.w.search_again = false;
    assert_int_equal(s.w.results[0].outcome, LDAP_OUTCOME_LOST);
    assert_int_equal(s.w.results[1].outcome, LDAP_OUTCOME_LOST);
    if (!strstr(s.w.all_reasons, reason))
        fail_msg("%s, not %s", s.w.all_reasons, reason);
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 64 * 1024);
    s.w.ahead = CLOCK_MINUTE; /* past the controller's back-off */
    until(&s.w, s.w.bound == 2);
    scene_close(&s);
}

static void what_is_no_ldap_ends_the_connection(void **state)
{
    (void)state;
    loses(claim_a_gigabyte, "more than 32 MiB");
    loses(send_nonsense, "no LDAP message");
    loses(answer_another, "not asked");
    loses(disconnect, "code 52 (going down)");
    loses(disconnect_without_a_name, "ended the connection");
    loses(end_within_an_entry, "the connection"); /* closed, or broke: both are lawful ends of a socket */
}

/* --- time --- */

static void silence_ends_an_operation(void **state)
{
    (void)state;
    struct scene s;
    s.server = lawful();
    s.server.search = never;
    server_start(&s.server);
    place_make(&s.place, &s.server);
    s.place.config.operation_timeout = 300 * CLOCK_MILLISECOND;
    open_client(&s.w, &s.place);
    until(&s.w, s.w.bound == 1);
    search(&s, "(cn=x)");
    until(&s.w, s.w.result_count == 1);
    assert_int_equal(s.w.results[0].outcome, LDAP_OUTCOME_LOST);
    assert_non_null(strstr(s.w.all_reasons, "nothing came in time"));
    scene_close(&s);
}

/* Before it says anything: as a directory that makes a whole answer first. */
static void a_slow_answer_is_waited_for(void **state)
{
    (void)state;
    struct scene s;
    s.server = lawful();
    s.server.search = never;
    server_start(&s.server);
    place_make(&s.place, &s.server);
    s.place.config.operation_timeout = 100 * CLOCK_MILLISECOND;
    open_client(&s.w, &s.place);
    until(&s.w, s.w.bound == 1);
    int64_t began = clock_monotonic(clock_system());
    struct ldap_query query = {.base = base, .scope = LDAP_SUBTREE, .filter = "(cn=x)", .slow = true};
    assert_true(ldap_client_search(s.w.client, &query) > 0);
    until(&s.w, s.w.result_count == 1);
    assert_int_equal(s.w.results[0].outcome, LDAP_OUTCOME_LOST);
    assert_true(clock_monotonic(clock_system()) - began >= LDAP_PATIENCE * 100 * CLOCK_MILLISECOND);
    scene_close(&s);
}

/* Answers every search but the one for CN=silent. */
static bool answer_some(struct ldap_caller *c)
{
    return caller_asks_for(c, "CN=silent") || caller_done(c, 0);
}

static void silence_on_one_leaves_the_others(void **state)
{
    (void)state;
    struct scene s;
    s.server = lawful();
    s.server.search = answer_some;
    server_start(&s.server);
    place_make(&s.place, &s.server);
    s.place.config.operation_timeout = CLOCK_SECOND;
    open_client(&s.w, &s.place);
    until(&s.w, s.w.bound == 1);
    struct ldap_query query = {.base = "CN=silent", .filter = "(cn=x)"};
    uint32_t silent = ldap_client_search(s.w.client, &query);
    bool silent_ended = false;
    while (!silent_ended) { /* one after the other, until the first is given up */
        unsigned before = s.w.result_count = 0;
        search(&s, "(cn=y)");
        until(&s.w, s.w.result_count > before);
        for (unsigned i = 0; i < s.w.result_count; i++) {
            bool is = s.w.results[i].operation == silent;
            silent_ended |= is;
            assert_int_equal(s.w.results[i].outcome, is ? LDAP_OUTCOME_LOST : LDAP_OUTCOME_DONE);
        }
    }
    assert_int_equal(s.w.bound, 1);
    scene_close(&s);
}

/* --- connections, certificates --- */

static void never_binds(struct ldap_server *server, const struct place *p, const char *reason)
{
    struct world w;
    open_client(&w, p);
    until(&w, strstr(w.all_reasons, reason) != NULL);
    assert_int_equal(w.bound, 0);
    until(&w, ldap_client_state(w.client) == LDAP_CLIENT_WAITING);
    ldap_client_destroy(&w.client);
    assert_int_equal(atomic_load(&server->binds), 0); /* no password went out */
}

static void certificate_case(gnutls_certificate_credentials_t credentials, bool start_tls, const char *reason)
{
    struct ldap_server server = {.domain_dn = base, .credentials = credentials, .start_tls = start_tls};
    struct place p;
    server_start(&server);
    place_make(&p, &server);
    never_binds(&server, &p, reason);
    place_drop(&p);
    server_stop(&server);
    gnutls_certificate_free_credentials(credentials);
}

static void certificates_are_verified(void **state)
{
    (void)state;
    for (int start_tls = 0; start_tls < 2; start_tls++) {
        certificate_case(authority_issue(&stranger, "localhost", -60, 3600), start_tls,
                         "is not trusted by /tmp");
        certificate_case(authority_issue(&authority, "localhost", -7200, -3600), start_tls,
                         "it expired at 20");
        certificate_case(authority_issue(&authority, "localhost", 3600, 7200), start_tls,
                         "it is valid only from");
        certificate_case(authority_issue(&authority, "dc9.corp.example", -60, 3600), start_tls,
                         "it is not for localhost but for dc9.corp.example");
    }
}

static void a_missing_ca_file_is_told(void **state)
{
    (void)state;
    struct ldap_server server = lawful();
    struct place p;
    server_start(&server);
    place_make(&p, &server);
    p.config.ca_file = "/nonexistent/ca.pem";
    never_binds(&server, &p, "no certificate to trust in /nonexistent/ca.pem");
    place_drop(&p);
    server_stop(&server);
    gnutls_certificate_free_credentials(server.credentials);
}

static void start_tls_works(void **state)
{
    (void)state;
    struct scene s;
    s.server = lawful();
    s.server.start_tls = true;
    s.server.search = answer_three;
    server_start(&s.server);
    place_make(&s.place, &s.server);
    open_client(&s.w, &s.place);
    until(&s.w, s.w.bound == 1);
    search(&s, "(cn=x)");
    until(&s.w, s.w.result_count == 1);
    assert_int_equal(s.w.results[0].outcome, LDAP_OUTCOME_DONE);
    scene_close(&s);
}

static void a_closed_port_is_told(void **state)
{
    (void)state;
    struct ldap_server server = lawful();
    struct place p;
    server_start(&server);
    place_make(&p, &server);
    server_stop(&server);
    never_binds(&server, &p, "nothing listens there");
    p.config.controllers[0] = "no-such-host.invalid";
    never_binds(&server, &p, "has no address");
    place_drop(&p);
    gnutls_certificate_free_credentials(server.credentials);
}

static void a_silent_server_is_given_up(void **state)
{
    (void)state;
    for (int start_tls = 0; start_tls < 2; start_tls++) {
        struct ldap_server server = lawful();
        server.silent = true;
        server.start_tls = start_tls;
        struct place p;
        server_start(&server);
        place_make(&p, &server);
        p.config.bind_timeout = 300 * CLOCK_MILLISECOND;
        never_binds(&server, &p, "no answer in time");
        place_drop(&p);
        server_stop(&server);
        gnutls_certificate_free_credentials(server.credentials);
    }
}

static void destruction_waits_for_nobody(void **state)
{
    (void)state;
    struct ldap_server server = lawful();
    server.silent = true;
    struct place p;
    server_start(&server);
    place_make(&p, &server);
    p.config.bind_timeout = 2 * PATIENCE * CLOCK_SECOND;
    struct world w;
    open_client(&w, &p);
    until(&w, atomic_load(&server.connections) == 1); /* it is in the midst of the handshake */
    int64_t began = clock_monotonic(clock_system());
    ldap_client_destroy(&w.client);
    assert_true(clock_monotonic(clock_system()) - began < PATIENCE * CLOCK_SECOND);
    place_drop(&p);
    server_stop(&server);
    gnutls_certificate_free_credentials(server.credentials);
}

static void another_domain_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *dn, *reason;
    } cases[] = {{"DC=other,DC=example", "it is a domain controller of DC=other,DC=example"},
                 {"DC=corp,DC=example,DC=com", "it is a domain controller of"},
                 {NULL, "it is no domain controller"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ldap_server server = lawful();
        server.domain_dn = cases[i].dn;
        struct place p;
        server_start(&server);
        place_make(&p, &server);
        struct world w;
        open_client(&w, &p);
        until(&w, strstr(w.all_reasons, cases[i].reason) != NULL);
        assert_int_equal(w.bound, 0);
        ldap_client_destroy(&w.client);
        place_drop(&p);
        server_stop(&server);
        gnutls_certificate_free_credentials(server.credentials);
    }
}

/* --- accounts --- */

static void a_wrong_password_is_tried_once(void **state)
{
    (void)state;
    struct ldap_server server = lawful();
    server.bind_text =
        "80090308: LdapErr: DSID-0C090446, comment: AcceptSecurityContext error, data 775, v4563";
    struct place p;
    server_start(&server);
    place_make(&p, &server);
    struct world w;
    open_client(&w, &p);
    until(&w, w.refused == 1);
    assert_string_equal(w.reason, "reader@corp.example: the account is locked");
    assert_string_equal(ldap_client_refusal(w.client, 0), w.reason);
    w.ahead = CLOCK_HOUR; /* no time makes it try again */
    for (int i = 0; i < 20; i++)
        step(&w, 20);
    w.ahead = 2 * CLOCK_HOUR;
    for (int i = 0; i < 20; i++)
        step(&w, 20);
    assert_int_equal(atomic_load(&server.binds), 1);
    assert_int_equal(ldap_client_state(w.client), LDAP_CLIENT_REFUSED);

    FILE *f = fopen(p.password, "w");
    fputs("a new one\n", f);
    fclose(f);
    w.ahead = 3 * CLOCK_HOUR;
    until(&w, atomic_load(&server.binds) == 2); /* and once more, for the file is another one */
    until(&w, w.refused == 2);
    ldap_client_destroy(&w.client);
    place_drop(&p);
    server_stop(&server);
    gnutls_certificate_free_credentials(server.credentials);
}

static bool bind_of(struct ldap_caller *c)
{
    return caller_done(c, 0);
}

static void the_next_account_is_tried(void **state)
{
    (void)state;
    struct ldap_server server = lawful();
    server.search = bind_of;
    struct place p;
    server_start(&server);
    place_make(&p, &server);
    p.config.accounts[1] = p.config.accounts[0];
    p.config.accounts[1].principal = "other@example";
    p.config.accounts[1].domain = "example"; /* the parent's: second, though it stands first */
    struct ldap_account parent = p.config.accounts[1];
    p.config.accounts[1] = p.config.accounts[0];
    p.config.accounts[0] = parent;
    p.config.account_count = 2;
    assert_int_equal(chmod(p.password, 0644), 0);
    p.config.accounts[0].password_file = p.other_password;
    struct world w;
    open_client(&w, &p);
    until(&w, ldap_client_refusal(w.client, 1) != NULL);
    w.ahead = CLOCK_MINUTE; /* the same controller again is not before a second */
    until(&w, w.bound == 1);
    assert_string_equal(ldap_client_peer(w.client)->account, "other@example");
    assert_non_null(strstr(ldap_client_refusal(w.client, 1), "can be read by others than its owner"));
    assert_null(ldap_client_refusal(w.client, 0));
    assert_int_equal(atomic_load(&server.binds), 1);
    ldap_client_destroy(&w.client);
    place_drop(&p);
    server_stop(&server);
    gnutls_certificate_free_credentials(server.credentials);
}

static void settings_that_cannot_be(void **state)
{
    (void)state;
    struct ldap_server server = {.port = 636}; /* is not started */
    struct place p;
    place_make(&p, &server);
    struct ldap_callbacks callbacks = {0};
    struct fault fault;
    struct ldap_client_config c = p.config;
#define REFUSED(change, word)                                                                                \
    do {                                                                                                     \
        c = p.config;                                                                                        \
        change;                                                                                              \
        assert_null(ldap_client_new(&c, &callbacks, &fault));                                                \
        assert_non_null(strstr(fault.text, word));                                                           \
    } while (0)
    REFUSED(c.accounts[0].security = LDAP_SECURITY_SASL, "in clear");
    REFUSED(c.accounts[0].password_file = NULL, "password file");
    REFUSED(c.accounts[0].principal = NULL, "without a domain or a name");
    REFUSED((c.accounts[0].password_file = NULL, c.accounts[0].method = LDAP_BIND_GSSAPI), "keytab");
    REFUSED(c.domain = "", "without a domain");
    REFUSED(c.account_count = 0, "accounts");
    REFUSED(c.controller_count = LDAP_CONTROLLERS_MAX + 1, "more than");
    REFUSED(c.controllers[0] = "a b", "HOST[:PORT]");
    REFUSED(c.bind_timeout = 0, "time-out");
#undef REFUSED
    place_drop(&p);
}

/* --- fail-over --- */

static void the_next_controller_is_dialled(void **state)
{
    (void)state;
    struct ldap_server one = lawful(), two = lawful();
    one.search = two.search = bind_of;
    two.invocation[0] = 9;
    server_start(&one);
    server_start(&two);
    struct place p;
    place_make(&p, &one);
    (void)snprintf(p.controllers[1], sizeof p.controllers[1], "LOCALHOST.:%u", two.port);
    p.config.controllers[1] = p.controllers[1];
    p.config.controller_count = 2;
    struct world w;
    open_client(&w, &p);
    until(&w, w.bound == 1);
    assert_int_equal(ldap_client_peer(w.client)->invocation_id[0], 1);
    struct ldap_query query = {.base = base, .filter = "(cn=x)"};
    assert_int_not_equal(ldap_client_search(w.client, &query), 0);
    ldap_client_fail_over(w.client, "its database is another one");
    assert_int_equal(ldap_client_search(w.client, &query), 0);
    until(&w, w.bound == 2);
    assert_int_equal(w.results[0].outcome, LDAP_OUTCOME_LOST);
    assert_non_null(strstr(w.all_reasons, "its database is another one"));
    assert_int_equal(ldap_client_peer(w.client)->invocation_id[0], 9);
    server_stop(&two);
    w.ahead = CLOCK_MINUTE;
    until(&w, w.bound == 3); /* the first again: its failure is the older one, and it is up */
    assert_int_equal(ldap_client_peer(w.client)->invocation_id[0], 1);
    ldap_client_fail_over(w.client, "");
    ldap_client_destroy(&w.client);
    place_drop(&p);
    server_stop(&one);
    gnutls_certificate_free_credentials(one.credentials);
    gnutls_certificate_free_credentials(two.credentials);
}

/* --- the check --- */

struct checked {
    unsigned count[3];
    enum check_verdict verdict[CHECK_KINDS];
    char what[CHECK_KINDS][512];
    char windows[CHECK_KINDS][1024], samba[CHECK_KINDS][1024];
};

static void on_check(void *context, const struct check_result *result)
{
    struct checked *c = context;
    assert_non_null(check_kind_name(result->kind));
    c->count[result->verdict]++;
    c->verdict[result->kind] = result->verdict;
    (void)snprintf(c->what[result->kind], sizeof c->what[0], "%s", result->what);
    (void)snprintf(c->windows[result->kind], sizeof c->windows[0], "%s", result->grant_windows);
    (void)snprintf(c->samba[result->kind], sizeof c->samba[0], "%s", result->grant_samba);
}

static bool send_account(struct ldap_caller *c, const char *name)
{
    static const uint8_t sid[] = {1, 2, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 80, 4, 0, 0};
    uint8_t buffer[512];
    struct ldap_writer w;
    entry_open(&w, buffer, sizeof buffer, c->request.id, "CN=reader");
    entry_attribute(&w, "sAMAccountName", (const char *const[]){name, NULL});
    ldap_writer_open(&w, BER_SEQUENCE);
    ldap_writer_string(&w, BER_OCTET_STRING, "objectSid");
    ldap_writer_open(&w, BER_SET);
    ldap_writer_bytes(&w, BER_OCTET_STRING, (struct bytes){sid, sizeof sid});
    ldap_writer_close(&w);
    ldap_writer_close(&w);
    return entry_send(c, &w) && caller_done(c, 0);
}

static bool has_controls(const struct ldap_caller *c)
{
    struct cursor controls = c->request.controls;
    return !cursor_done(&controls);
}

/* Everything is allowed. */
static bool answer_checks(struct ldap_caller *c)
{
    if (caller_asks_for(c, "CN=Deleted Objects,DC=corp,DC=example"))
        return caller_entry(c, c->request.id, "CN=Deleted Objects", "objectGUID", "0123456789abcdef") &&
               caller_done(c, 0);
    if (caller_asks_for(c, "CN=Sites,CN=Configuration,DC=corp,DC=example"))
        return caller_entry(c, c->request.id, "CN=Site", "objectGUID", "0123456789abcdef") &&
               caller_done(c, 0);
    if (caller_asks_for(c, "CN=Administrators,CN=Builtin,DC=corp,DC=example"))
        return caller_entry(c, c->request.id, "CN=Administrators", "member;range=0-0", "CN=a") &&
               caller_done(c, 0);
    if (has_controls(c))
        return caller_done(c, 0);
    return send_account(c, "reader");
}

/* A unit that only replication shows. */
static bool hide_from_searches(struct ldap_caller *c)
{
    if (has_controls(c) && caller_asks_for(c, base))
        return caller_entry(c, c->request.id, "OU=Hidden", "objectGUID", "0123456789abcdef") &&
               caller_entry(c, c->request.id, "CN=krbtgt", "objectGUID", "0123456789abcdef") &&
               caller_done(c, 0);
    return answer_checks(c);
}

/* Nothing is. */
static bool refuse_checks(struct ldap_caller *c)
{
    if (has_controls(c) || !caller_asks_for(c, base))
        return caller_done(c, 50);
    return send_account(c, c->context ? c->context : "reader");
}

static bool end_checks(struct ldap_caller *c)
{
    (void)c;
    return false;
}

static bool run_check(struct ldap_server *server, struct place *p, struct checked *checked)
{
    static const atomic_bool go_on;
    struct fault fault = {.text = ""};
    *checked = (struct checked){0};
    bool passed = directory_check(&p->config, on_check, checked, &go_on, &fault);
    assert_true(passed == (fault.text[0] == 0));
    (void)server;
    return passed;
}

static void the_check_tells_what_is_missing(void **state)
{
    (void)state;
    struct ldap_server server = lawful();
    struct checked *c = calloc(1, sizeof *c);
    server.search = answer_checks;
    struct place p;
    server_start(&server);
    place_make(&p, &server);
    assert_true(run_check(&server, &p, c));
    assert_int_equal(c->count[CHECK_PASSED], CHECK_KINDS);
    assert_non_null(strstr(c->what[CHECK_CERTIFICATE], "issued by CN=Picket test authority"));
    assert_non_null(strstr(c->what[CHECK_CERTIFICATE], "(localhost)"));
    assert_string_equal(c->what[CHECK_CLOCK], "its clock is ours");
    server_stop(&server);

    server.search = hide_from_searches;
    server_start(&server);
    assert_true(run_check(&server, &p, c));
    assert_int_equal(c->count[CHECK_FAILED], 1);
    assert_non_null(strstr(c->what[CHECK_READING], "searches show 1 of 2 objects"));
    assert_string_equal(c->windows[CHECK_READING],
                        "dsacls \"DC=corp,DC=example\" /I:T /G \"reader@corp.example:GR\"");
    server_stop(&server);

    server.search = refuse_checks;
    server_start(&server);
    assert_true(run_check(&server, &p, c)); /* it is read all the same: polled, reconciled */
    assert_int_equal(c->verdict[CHECK_BIND], CHECK_PASSED);
    assert_int_equal(c->count[CHECK_FAILED], 5);
    assert_string_equal(
        c->windows[CHECK_DIRSYNC],
        "dsacls \"DC=corp,DC=example\" /G \"reader@corp.example:CA;Replicating Directory Changes\"");
    assert_string_equal(c->samba[CHECK_DIRSYNC],
                        "samba-tool dsacl set --objectdn=\"DC=corp,DC=example\" "
                        "--sddl=\"(OA;;CR;1131f6aa-9c07-11d1-f79f-00c04fc2dcd2;;S-1-5-21-1104)\"");
    assert_non_null(strstr(c->windows[CHECK_DELETED], "/takeownership"));
    assert_non_null(strstr(c->samba[CHECK_DELETED], "(A;CI;RPLCLORC;;;S-1-5-21-1104)"));
    assert_non_null(strstr(c->windows[CHECK_CONFIGURATION], "CN=Sites,CN=Configuration"));
    server_stop(&server);

    /* What a directory says is no part of a command, if a shell could take it for more than a name. */
    server.context = (void *)(uintptr_t) "reader`reboot`";
    server_start(&server);
    assert_true(run_check(&server, &p, c));
    assert_null(strstr(c->windows[CHECK_DIRSYNC], "reboot"));
    server_stop(&server);

    server.search = end_checks;
    server_start(&server);
    assert_true(run_check(&server, &p, c)); /* the bind and what precedes it are fine */
    assert_int_equal(c->verdict[CHECK_DIRSYNC], CHECK_FAILED);
    assert_int_equal(c->verdict[CHECK_RANGES], CHECK_FAILED);
    server_stop(&server);

    server.bind_text = "data 52e";
    server_start(&server);
    atomic_store(&server.binds, 0);
    p.config.controllers[1] = p.config.controllers[0];
    p.config.controller_count = 2;
    assert_false(run_check(&server, &p, c));
    assert_int_equal(atomic_load(&server.binds), 1); /* at the first controller, not at the second */
    assert_non_null(strstr(c->what[CHECK_BIND], "not tried again"));
    p.config.controller_count = 1;
    server_stop(&server);

    assert_false(run_check(&server, &p, c)); /* it is down */
    assert_int_equal(c->verdict[CHECK_CONNECT], CHECK_FAILED);
    assert_int_equal(c->verdict[CHECK_BIND], CHECK_SKIPPED);
    p.config.controllers[0] = "no-such-host.invalid";
    assert_false(run_check(&server, &p, c));
    assert_int_equal(c->verdict[CHECK_RESOLVE], CHECK_FAILED);
    gnutls_certificate_free_credentials(server.credentials);

    server.bind_text = NULL;
    server.credentials = authority_issue(&stranger, "localhost", -60, 3600);
    server_start(&server);
    p.config.controllers[0] = p.controllers[0];
    assert_false(run_check(&server, &p, c));
    assert_int_equal(c->verdict[CHECK_CERTIFICATE], CHECK_FAILED);
    assert_non_null(strstr(c->what[CHECK_CERTIFICATE], "not trusted"));
    server_stop(&server);
    gnutls_certificate_free_credentials(server.credentials);
    server.credentials = authority_issue(&authority, "localhost", -60, 3600);
    server.domain_dn = "DC=else";
    server_start(&server);
    assert_false(run_check(&server, &p, c));
    assert_int_equal(c->verdict[CHECK_DOMAIN], CHECK_FAILED);
    server_stop(&server);

    p.config.account_count = 0;
    assert_false(run_check(&server, &p, c));
    free(c);
    place_drop(&p);
    gnutls_certificate_free_credentials(server.credentials);
}

static int make_authorities(void **state)
{
    (void)state;
    authority_make(&authority, "CN=Picket test authority");
    authority_make(&stranger, "CN=Somebody else");
    return 0;
}

static int drop_authorities(void **state)
{
    (void)state;
    authority_drop(&authority);
    authority_drop(&stranger);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_search_is_answered),
        cmocka_unit_test(attributes_are_views),
        cmocka_unit_test(cookies_come_back),
        cmocka_unit_test(several_are_in_flight),
        cmocka_unit_test(no_more_than_the_bound),
        cmocka_unit_test(a_bad_filter_is_told),
        cmocka_unit_test(the_rest_of_an_abandoned_answer_is_dropped),
        cmocka_unit_test(an_endless_answer_is_cut),
        cmocka_unit_test(wrong_types_are_refused),
        cmocka_unit_test(tables_are_bounded),
        cmocka_unit_test(what_is_no_ldap_ends_the_connection),
        cmocka_unit_test(silence_ends_an_operation),
        cmocka_unit_test(a_slow_answer_is_waited_for),
        cmocka_unit_test(silence_on_one_leaves_the_others),
        cmocka_unit_test(certificates_are_verified),
        cmocka_unit_test(a_missing_ca_file_is_told),
        cmocka_unit_test(start_tls_works),
        cmocka_unit_test(a_closed_port_is_told),
        cmocka_unit_test(a_silent_server_is_given_up),
        cmocka_unit_test(destruction_waits_for_nobody),
        cmocka_unit_test(another_domain_is_refused),
        cmocka_unit_test(a_wrong_password_is_tried_once),
        cmocka_unit_test(the_next_account_is_tried),
        cmocka_unit_test(settings_that_cannot_be),
        cmocka_unit_test(the_next_controller_is_dialled),
        cmocka_unit_test(the_check_tells_what_is_missing),
    };
    return cmocka_run_group_tests(tests, make_authorities, drop_authorities);
}
