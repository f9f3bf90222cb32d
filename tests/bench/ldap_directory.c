/* SPDX-License-Identifier: Apache-2.0
 *
 * Replication at scale: an LDAP server of this program's own with N made-up objects, which pages DirSync as
 * Windows does (more = 1), behind TLS on the loopback; a bare libldap loop that reads all of it; and the
 * directory's part that replicates it into a store. Prints their rates, the memory taken and how soon changes
 * are in the store.
 *
 *   ldap_directory [OBJECTS [PLACE]]     PLACE: a directory for the store (default: a temporary one)
 */
#include "base/clock.h"
#include "sync/directory.h"
#include "sync/ldap_protocol.h"
#include "sync/ldap_writer.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <ldap.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONTEXT       "DC=scale,DC=example"
#define CONFIGURATION "CN=Configuration," CONTEXT
#define SERVICE       "CN=NTDS Settings,CN=DC1," CONFIGURATION

enum {
    GROUP_EVERY = 500, /* the last object of so many is a group of */
    GROUP_SIZE = 100,
    CHANGED = 100,
    OUT_MAX = 1 << 20,
    IN_MAX = 1 << 20,
};

/* What the server's process and its parent share. */
struct shared {
    atomic_uint version;               /* of the first CHANGED objects */
    atomic_uint_least64_t answered_at; /* mono ns: when an increment with changes was sent whole */
    uint64_t objects;
};

static struct shared *shared;

static int64_t mono(void)
{
    return clock_monotonic(clock_system());
}

static void stop(const char *what)
{
    perror(what);
    exit(1);
}

/* -- the server ------------------------------------------------------------------------------------- */

struct connection {
    gnutls_session_t tls;
    int socket;
    uint8_t *in, *out;
    size_t in_size, out_size;
    bool failed;
};

static gnutls_certificate_credentials_t credentials;

static void flush(struct connection *c)
{
    for (size_t at = 0; at < c->out_size && !c->failed;) {
        ssize_t sent = gnutls_record_send(c->tls, c->out + at, c->out_size - at);
        if (sent > 0)
            at += (size_t)sent;
        else if (sent != GNUTLS_E_AGAIN && sent != GNUTLS_E_INTERRUPTED)
            c->failed = true;
    }
    c->out_size = 0;
}

static void put_message(struct connection *c, const struct ldap_writer *w)
{
    if (w->failed) {
        fprintf(stderr, "an answer that does not fit\n");
        c->failed = true;
    }
    c->out_size += w->size;
    if (c->out_size > OUT_MAX / 2)
        flush(c);
}

static struct ldap_writer message(struct connection *c, int64_t id, uint8_t operation)
{
    struct ldap_writer w = {.to = c->out + c->out_size, .capacity = OUT_MAX - c->out_size};
    ldap_writer_open(&w, BER_SEQUENCE);
    ldap_writer_int(&w, BER_INTEGER, id);
    ldap_writer_open(&w, operation);
    return w;
}

static void put_result(struct connection *c, int64_t id, uint8_t operation, int code, struct bytes cookie,
                       bool more, bool dirsync)
{
    struct ldap_writer w = message(c, id, operation);
    ldap_writer_int(&w, BER_ENUMERATED, code);
    ldap_writer_string(&w, BER_OCTET_STRING, "");
    ldap_writer_string(&w, BER_OCTET_STRING, "");
    ldap_writer_close(&w);
    if (dirsync) {
        uint8_t value[512];
        struct ldap_writer v = {.to = value, .capacity = sizeof value};
        ldap_writer_open(&v, BER_SEQUENCE);
        ldap_writer_int(&v, BER_INTEGER, more);
        ldap_writer_int(&v, BER_INTEGER, 0);
        ldap_writer_bytes(&v, BER_OCTET_STRING, cookie);
        ldap_writer_close(&v);
        ldap_writer_open(&w, BER_CONTEXT_CONS(0));
        ldap_writer_open(&w, BER_SEQUENCE);
        ldap_writer_string(&w, BER_OCTET_STRING, LDAP_OID_DIRSYNC);
        ldap_writer_bytes(&w, BER_OCTET_STRING, (struct bytes){value, v.size});
        ldap_writer_close(&w);
        ldap_writer_close(&w);
    }
    ldap_writer_close(&w);
    put_message(c, &w);
    flush(c);
}

static void open_attribute(struct ldap_writer *w, const char *name)
{
    ldap_writer_open(w, BER_SEQUENCE);
    ldap_writer_string(w, BER_OCTET_STRING, name);
    ldap_writer_open(w, BER_SET);
}

static void close_attribute(struct ldap_writer *w)
{
    ldap_writer_close(w);
    ldap_writer_close(w);
}

static void put_text(struct ldap_writer *w, const char *name, const char *value)
{
    open_attribute(w, name);
    ldap_writer_string(w, BER_OCTET_STRING, value);
    close_attribute(w);
}

static void put_bytes(struct ldap_writer *w, const char *name, const void *data, size_t size)
{
    open_attribute(w, name);
    ldap_writer_bytes(w, BER_OCTET_STRING, (struct bytes){data, size});
    close_attribute(w);
}

static void open_entry(struct connection *c, struct ldap_writer *w, int64_t id, const char *dn)
{
    *w = message(c, id, LDAP_OP_ENTRY);
    ldap_writer_string(w, BER_OCTET_STRING, dn);
    ldap_writer_open(w, BER_SEQUENCE);
}

static void close_entry(struct connection *c, struct ldap_writer *w)
{
    ldap_writer_close(w);
    ldap_writer_close(w);
    ldap_writer_close(w);
    put_message(c, w);
}

static void guid_of(uint64_t i, uint8_t guid[16])
{
    uint64_t mixed = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    memcpy(guid, &mixed, 8);
    memcpy(guid + 8, &i, 8);
}

static bool is_group(uint64_t i)
{
    return i % GROUP_EVERY == GROUP_EVERY - 1;
}

static void dn_of(uint64_t i, char *to, size_t capacity)
{
    uint8_t guid[16];
    char hex[33];
    guid_of(i, guid);
    for (unsigned j = 0; j < 16; j++)
        snprintf(hex + 2 * j, 3, "%02x", guid[j]);
    if (i == 0)
        snprintf(to, capacity, "<GUID=%s>;%s", hex, CONTEXT);
    else
        snprintf(to, capacity, "<GUID=%s>;CN=%s %llu,OU=Department %llu,%s", hex,
                 is_group(i) ? "Group" : "Person", (unsigned long long)i, (unsigned long long)(i % 100),
                 CONTEXT);
}

static void put_classes(struct ldap_writer *w, uint64_t i)
{
    static const char *const person[] = {"top", "person", "organizationalPerson", "user"};
    open_attribute(w, "objectClass");
    if (i == 0)
        ldap_writer_string(w, BER_OCTET_STRING, "domainDNS");
    else if (is_group(i))
        ldap_writer_string(w, BER_OCTET_STRING, "group");
    for (unsigned j = 0; i && !is_group(i) && j < 4; j++)
        ldap_writer_string(w, BER_OCTET_STRING, person[j]);
    close_attribute(w);
}

static void put_object(struct connection *c, int64_t id, uint64_t i)
{
    struct ldap_writer w;
    uint8_t guid[16], sid[28] = {1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    uint32_t rid = (uint32_t)(1000 + i);
    char dn[256], text[64];
    guid_of(i, guid);
    dn_of(i, dn, sizeof dn);
    memcpy(sid + 24, &rid, 4);
    open_entry(c, &w, id, dn);
    put_classes(&w, i);
    put_bytes(&w, "objectGUID", guid, sizeof guid);
    put_bytes(&w, "objectSid", sid, sizeof sid);
    put_text(&w, "whenCreated", "20261122100307.0Z");
    snprintf(text, sizeof text, "%s%llu", is_group(i) ? "group" : "person", (unsigned long long)i);
    put_text(&w, "sAMAccountName", text);
    put_text(&w, "description", "made up");
    if (i && !is_group(i)) {
        put_text(&w, "displayName", text);
        snprintf(text, sizeof text, "person%llu@scale.example", (unsigned long long)i);
        put_text(&w, "userPrincipalName", text);
        put_text(&w, "mail", text);
        put_text(&w, "userAccountControl", "512");
        put_text(&w, "primaryGroupID", "513");
        put_text(&w, "pwdLastSet", "134398153870000000");
        put_text(&w, "lastLogonTimestamp", "134398153870000000");
        put_text(&w, "accountExpires", "9223372036854775807");
    }
    if (is_group(i)) {
        put_text(&w, "groupType", "-2147483646");
        open_attribute(&w, "member;range=1-1");
        for (uint64_t j = 0; j < GROUP_SIZE; j++) {
            dn_of(i - GROUP_SIZE + j, dn, sizeof dn);
            ldap_writer_string(&w, BER_OCTET_STRING, dn);
        }
        close_attribute(&w);
    }
    close_entry(c, &w);
}

static void put_change(struct connection *c, int64_t id, uint64_t i, unsigned version)
{
    struct ldap_writer w;
    uint8_t guid[16];
    char dn[256], text[64];
    guid_of(i, guid);
    dn_of(i, dn, sizeof dn);
    open_entry(c, &w, id, dn);
    put_bytes(&w, "objectGUID", guid, sizeof guid);
    snprintf(text, sizeof text, "version %u", version);
    put_text(&w, "description", text);
    close_entry(c, &w);
}

/* A cookie is where the pass is, and which changes are known. */
static void dirsync(struct connection *c, int64_t id, struct bytes cookie, int64_t bytes_most)
{
    uint64_t state[2] = {0, 0};
    if (cookie.size == sizeof state)
        memcpy(state, cookie.data, sizeof state);
    bool passing = state[0] < shared->objects;
    if (!passing) {
        unsigned version = atomic_load(&shared->version);
        for (uint64_t i = 0; i < CHANGED && state[1] != version; i++)
            put_change(c, id, i + 1, version);
        bool changes = state[1] != version;
        state[1] = version;
        put_result(c, id, LDAP_OP_SEARCH_DONE, 0, (struct bytes){(uint8_t *)state, sizeof state}, false,
                   true);
        if (changes)
            atomic_store(&shared->answered_at, (uint64_t)mono());
        return;
    }
    if (state[0] == 0)
        state[1] = atomic_load(&shared->version);
    for (int64_t sent = 0; state[0] < shared->objects && sent < bytes_most && !c->failed; state[0]++) {
        put_object(c, id, state[0]);
        sent += is_group(state[0]) ? 12000 : 700;
    }
    bool more = state[0] < shared->objects;
    put_result(c, id, LDAP_OP_SEARCH_DONE, 0, (struct bytes){(uint8_t *)state, sizeof state}, more, true);
}

static void root(struct connection *c, int64_t id)
{
    static const char *const controls[] = {LDAP_OID_DIRSYNC, LDAP_OID_PAGED, LDAP_OID_EXTENDED_DN,
                                           LDAP_OID_SHOW_DELETED};
    struct ldap_writer w;
    char usn[32];
    open_entry(c, &w, id, "");
    put_text(&w, "defaultNamingContext", CONTEXT);
    put_text(&w, "rootDomainNamingContext", CONTEXT);
    put_text(&w, "configurationNamingContext", CONFIGURATION);
    put_text(&w, "schemaNamingContext", "CN=Schema," CONFIGURATION);
    put_text(&w, "dnsHostName", "localhost");
    put_text(&w, "dsServiceName", SERVICE);
    put_text(&w, "domainControllerFunctionality", "7");
    put_text(&w, "currentTime", "20261122100307.0Z");
    snprintf(usn, sizeof usn, "%llu", (unsigned long long)(shared->objects + atomic_load(&shared->version)));
    put_text(&w, "highestCommittedUSN", usn);
    open_attribute(&w, "supportedControl");
    for (unsigned i = 0; i < sizeof controls / sizeof *controls; i++)
        ldap_writer_string(&w, BER_OCTET_STRING, controls[i]);
    close_attribute(&w);
    close_entry(c, &w);
}

static void one_entry(struct connection *c, int64_t id, const char *dn, const char *attribute)
{
    static const uint8_t any[16] = {0xdb, 1};
    struct ldap_writer w;
    open_entry(c, &w, id, dn);
    put_bytes(&w, attribute, any, sizeof any);
    close_entry(c, &w);
}

static bool is_text(struct cursor value, const char *text)
{
    return cursor_left(&value) == strlen(text) && memcmp(value.at, text, strlen(text)) == 0;
}

/* The DirSync control's value among the controls, when it is there. */
static bool find_dirsync(struct cursor controls, int64_t *bytes_most, struct bytes *cookie)
{
    while (!cursor_done(&controls)) {
        struct ber control = ber_next(&controls);
        struct ber oid = ber_next(&control.value);
        struct ber next = ber_next(&control.value);
        if (next.tag == BER_BOOLEAN)
            next = ber_next(&control.value);
        if (!is_text(oid.value, LDAP_OID_DIRSYNC))
            continue;
        struct ber sequence = ber_next(&next.value);
        ber_next(&sequence.value);
        struct ber most = ber_next(&sequence.value), token = ber_next(&sequence.value);
        *bytes_most = 0;
        while (!cursor_done(&most.value))
            *bytes_most = *bytes_most << 8 | cursor_u8(&most.value);
        *cookie = cursor_take(&token.value, cursor_left(&token.value));
        return true;
    }
    return false;
}

static void search(struct connection *c, int64_t id, struct cursor request, struct cursor controls)
{
    struct ber base = ber_next(&request);
    int64_t bytes_most = 0;
    struct bytes cookie;
    if (find_dirsync(controls, &bytes_most, &cookie)) {
        if (is_text(base.value, CONTEXT)) {
            dirsync(c, id, cookie, bytes_most ? bytes_most : 1 << 20);
            return;
        }
        one_entry(c, id, "<GUID=ffffffff000000000000000000000000>;" CONFIGURATION, "objectGUID");
        put_result(c, id, LDAP_OP_SEARCH_DONE, 0, (struct bytes){(const uint8_t *)"cookie", 6}, false, true);
        return;
    }
    if (cursor_done(&base.value))
        root(c, id);
    else if (is_text(base.value, SERVICE))
        one_entry(c, id, SERVICE, "invocationId");
    else
        one_entry(c, id, CONTEXT, "objectGUID");
    put_result(c, id, LDAP_OP_SEARCH_DONE, 0, (struct bytes){0}, false, false);
}

static bool serve_message(struct connection *c, struct cursor body)
{
    struct ber id = ber_next(&body);
    int64_t number = 0;
    while (!cursor_done(&id.value))
        number = number << 8 | cursor_u8(&id.value);
    struct ber operation = ber_next(&body), controls = ber_next(&body);
    if (operation.tag == LDAP_OP_BIND)
        put_result(c, number, LDAP_OP_BOUND, 0, (struct bytes){0}, false, false);
    else if (operation.tag == LDAP_OP_SEARCH)
        search(c, number, operation.value, controls.value);
    return operation.tag != LDAP_OP_UNBIND && operation.tag != 0;
}

static bool serve_what_is_there(struct connection *c)
{
    for (;;) {
        size_t size = ldap_reply_size((struct bytes){c->in, c->in_size}, IN_MAX);
        if (size == SIZE_MAX)
            return false;
        if (!size || size > c->in_size)
            return true;
        struct cursor whole = cursor_of(c->in, size);
        struct ber outer = ber_next(&whole);
        if (!serve_message(c, outer.value))
            return false;
        memmove(c->in, c->in + size, c->in_size - size);
        c->in_size -= size;
    }
}

static void *serve(void *context)
{
    struct connection c = {.socket = (int)(intptr_t)context, .in = malloc(IN_MAX), .out = malloc(OUT_MAX)};
    gnutls_init(&c.tls, GNUTLS_SERVER);
    gnutls_set_default_priority(c.tls);
    gnutls_credentials_set(c.tls, GNUTLS_CRD_CERTIFICATE, credentials);
    gnutls_transport_set_int(c.tls, c.socket);
    int shaken;
    do
        shaken = gnutls_handshake(c.tls);
    while (shaken < 0 && !gnutls_error_is_fatal(shaken));
    while (shaken == 0 && !c.failed) {
        ssize_t got = gnutls_record_recv(c.tls, c.in + c.in_size, IN_MAX - c.in_size);
        if (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED)
            continue;
        if (got <= 0)
            break;
        c.in_size += (size_t)got;
        if (!serve_what_is_there(&c))
            break;
    }
    gnutls_deinit(c.tls);
    close(c.socket);
    free(c.in);
    free(c.out);
    return NULL;
}

static void listen_for_ever(int listener)
{
    for (;;) {
        int socket = accept(listener, NULL, NULL);
        pthread_t thread;
        if (socket >= 0 && pthread_create(&thread, NULL, serve, (void *)(intptr_t)socket) == 0)
            pthread_detach(thread);
    }
}

/* A certificate for localhost that signs itself. */
static void certify(const char *path)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
    static const uint8_t serial[] = {1};
    gnutls_datum_t text;
    gnutls_x509_privkey_init(&key);
    gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    gnutls_x509_crt_init(&certificate);
    gnutls_x509_crt_set_version(certificate, 3);
    gnutls_x509_crt_set_serial(certificate, serial, sizeof serial);
    gnutls_x509_crt_set_activation_time(certificate, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(certificate, time(NULL) + 86400);
    gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, "localhost", 9);
    gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, "localhost", 9, GNUTLS_FSAN_SET);
    char host[256] = ""; /* libldap looks for that in the place of localhost */
    gethostname(host, sizeof host - 1);
    gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, host, (unsigned)strlen(host),
                                         GNUTLS_FSAN_APPEND);
    gnutls_x509_crt_set_basic_constraints(certificate, 1, -1);
    gnutls_x509_crt_set_key(certificate, key);
    if (gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0) < 0 ||
        gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &text) < 0)
        stop("certificate");
    FILE *file = fopen(path, "w");
    if (!file || fwrite(text.data, 1, text.size, file) != text.size || fclose(file) != 0)
        stop(path);
    gnutls_free(text.data);
    gnutls_certificate_allocate_credentials(&credentials);
    gnutls_certificate_set_x509_key(credentials, &certificate, 1, key);
}

/* -- the bare loop ---------------------------------------------------------------------------------- */

static double bare_loop(unsigned port, const char *authority)
{
    LDAP *ld;
    char url[64];
    int version = 3, demand = LDAP_OPT_X_TLS_DEMAND, fresh = 0;
    snprintf(url, sizeof url, "ldaps://localhost:%u", port);
    if (ldap_initialize(&ld, url) != LDAP_SUCCESS)
        stop("ldap_initialize");
    ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version);
    ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, authority);
    ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand);
    ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &fresh);
    struct berval password = {.bv_val = (char *)(uintptr_t) "secret", .bv_len = 6};
    int bound = ldap_sasl_bind_s(ld, "cn=reader", LDAP_SASL_SIMPLE, &password, NULL, NULL, NULL);
    if (bound != LDAP_SUCCESS) {
        char *why = NULL;
        ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &why);
        fprintf(stderr, "bind: %s (%s)\n", ldap_err2string(bound), why ? why : "");
        exit(1);
    }
    struct berval cookie = {0};
    uint64_t objects = 0, values = 0;
    int64_t began = mono();
    for (bool more = true; more;) {
        BerElement *ber = ber_alloc_t(LBER_USE_DER);
        struct berval value;
        ber_printf(ber, "{iio}", 0, 4 << 20, cookie.bv_val ? cookie.bv_val : "", cookie.bv_len);
        ber_flatten2(ber, &value, 0);
        LDAPControl control = {
            .ldctl_oid = (char *)(uintptr_t)LDAP_OID_DIRSYNC, .ldctl_value = value, .ldctl_iscritical = 1};
        LDAPControl *controls[] = {&control, NULL};
        int id;
        ldap_search_ext(ld, CONTEXT, LDAP_SCOPE_SUBTREE, "(objectClass=*)", NULL, 0, controls, NULL, NULL, 0,
                        &id);
        ber_free(ber, 1);
        for (bool page = true; page;) {
            LDAPMessage *result = NULL;
            int type = ldap_result(ld, id, LDAP_MSG_ONE, NULL, &result);
            if (type == LDAP_RES_SEARCH_ENTRY) {
                BerElement *walk = NULL;
                objects++;
                for (char *name = ldap_first_attribute(ld, result, &walk); name;
                     name = ldap_next_attribute(ld, result, walk)) {
                    struct berval **all = ldap_get_values_len(ld, result, name);
                    values += (uint64_t)ldap_count_values_len(all);
                    ldap_value_free_len(all);
                    ldap_memfree(name);
                }
                ber_free(walk, 0);
            } else {
                LDAPControl **answered = NULL;
                int code;
                ber_int_t flag = 0, unused;
                page = false;
                if (type <= 0 ||
                    ldap_parse_result(ld, result, &code, NULL, NULL, NULL, &answered, 0) != LDAP_SUCCESS ||
                    !answered)
                    stop("search");
                ber_memfree(cookie.bv_val);
                ber = ber_init(&answered[0]->ldctl_value);
                ber_scanf(ber, "{iio}", &flag, &unused, &cookie);
                ber_free(ber, 1);
                ldap_controls_free(answered);
                more = flag != 0;
            }
            ldap_msgfree(result);
        }
    }
    double seconds = (double)(mono() - began) / 1e9;
    ber_memfree(cookie.bv_val);
    ldap_unbind_ext(ld, NULL, NULL);
    printf("bare libldap loop: %llu objects, %llu values, %.2f s, %.0f objects/s\n",
           (unsigned long long)objects, (unsigned long long)values, seconds, (double)objects / seconds);
    return (double)objects / seconds;
}

/* -- replication ------------------------------------------------------------------------------------ */

static void say_memory(const char *when)
{
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    printf("memory %s:", when);
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "VmHWM", 5) == 0 || strncmp(line, "RssAnon", 7) == 0 ||
            strncmp(line, "RssFile", 7) == 0)
            printf(" %.*s;", (int)strcspn(line, "\n"), line);
    }
    putchar('\n');
    if (file)
        fclose(file);
}

static bool keep_batch(void *context, const struct sync_token *token, uint64_t sequence, struct bytes batch)
{
    atomic_uint_least64_t *bytes = context;
    (void)token;
    (void)sequence;
    atomic_fetch_add(bytes, batch.size);
    return true;
}

static bool has_version(struct entity_store *store, uint64_t i, unsigned version)
{
    static struct entity_store_read *read;
    static struct entity entity;
    struct fault fault;
    struct guid guid;
    char wanted[64];
    guid_of(i, guid.bytes);
    if (!read && !(read = entity_store_read_open(store, &fault)))
        return false;
    if (store && entity_store_read_renew(read) && entity_store_get(read, &guid, &entity)) {
        const struct activity_value *value = entity_get(&entity, ENTITY_DESCRIPTION);
        int size = snprintf(wanted, sizeof wanted, "version %u", version);
        bool has = value && value->bytes.size == (size_t)size &&
                   memcmp(value->bytes.data, wanted, (size_t)size) == 0;
        entity_store_read_rest(read);
        return has;
    }
    return false;
}

static void measure_increments(struct directory *directory)
{
    double worst = 0;
    for (unsigned version = 1; version <= 10; version++) {
        uint64_t before = atomic_load(&shared->answered_at);
        atomic_store(&shared->version, version);
        while (atomic_load(&shared->answered_at) == before)
            usleep(500);
        while (!has_version(directory_store(directory), CHANGED, version))
            usleep(500);
        double late = (double)(mono() - (int64_t)atomic_load(&shared->answered_at)) / 1e9;
        worst = late > worst ? late : worst;
    }
    printf("increments of %d changes: in the store %.4f s after the answer at the latest, of 10\n", CHANGED,
           worst);
}

static double replicate(unsigned port, const char *place, const char *authority, const char *password)
{
    char host[64], store[512];
    struct fault fault = {0};
    static atomic_uint_least64_t batch_bytes;
    snprintf(host, sizeof host, "localhost:%u", port);
    snprintf(store, sizeof store, "%s/store", place);
    struct directory_config config = {.domain_count = 1, .store = {.path = store}};
    lookup_limits_init(&config.lookup);
    struct ldap_client_config *domain = &config.domains[0];
    domain->domain = "scale.example";
    domain->controllers[0] = host;
    domain->controller_count = 1;
    domain->ca_file = authority;
    domain->connect_timeout = domain->bind_timeout = 10 * CLOCK_SECOND;
    domain->operation_timeout = 60 * CLOCK_SECOND;
    domain->accounts[domain->account_count++] = (struct ldap_account){.domain = "scale.example",
                                                                      .principal = "cn=reader",
                                                                      .password_file = password,
                                                                      .method = LDAP_BIND_SIMPLE,
                                                                      .security = LDAP_SECURITY_LDAPS};
    struct directory_callbacks callbacks = {.batch = keep_batch, .context = &batch_bytes};
    struct directory *directory = directory_new(&config, &callbacks, &fault);
    if (!directory || !directory_start(directory, &fault)) {
        fprintf(stderr, "%s\n", fault.text);
        exit(1);
    }
    say_memory("before");
    struct sync_token token = {.domain = "scale.example", .term = 1};
    struct directory_progress progress = {0};
    int64_t began = mono(), first = 0;
    directory_synchronize(directory, &token, (struct bytes){0});
    do {
        usleep(20000);
        directory_progress(directory, 0, &progress);
        if (!first && progress.pass_objects)
            first = mono();
        if (mono() - began > 30 * CLOCK_MINUTE) {
            fprintf(stderr, "no end: %s %s\n", progress.reason, progress.last_error);
            exit(1);
        }
    } while (!progress.full_pass_ended);
    double seconds = (double)(progress.full_pass_ended - progress.full_pass_began) / 1e9;
    double rate = (double)shared->objects / seconds;
    printf("replication: %llu applied, %.2f s, %.0f objects/s, batches of %.1f MB\n",
           (unsigned long long)progress.applied, seconds, rate, (double)batch_bytes / 1e6);
    say_memory("after the full pass");
    measure_increments(directory);
    int64_t stopping = mono();
    directory_stop(directory);
    printf("stop: %.3f s\n", (double)(mono() - stopping) / 1e9);
    return rate;
}

static void clear_away(const char *place)
{
    static const char *const names[] = {"store/data.mdb", "store/lock.mdb", "store",
                                        "ca.pem",         "password",       ""};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", place, names[i]);
        remove(path);
    }
}

int main(int argc, char **argv)
{
    char place[256] = "/tmp/picket-scale-XXXXXX", authority[300], password[300];
    uint64_t objects = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    if (argc > 2)
        snprintf(place, sizeof place, "%s", argv[2]);
    else if (!mkdtemp(place))
        stop("mkdtemp");
    snprintf(authority, sizeof authority, "%s/ca.pem", place);
    snprintf(password, sizeof password, "%s/password", place);
    umask(077);
    FILE *file = fopen(password, "w");
    if (!file || fputs("secret\n", file) < 0 || fclose(file) != 0)
        stop(password);
    certify(authority);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    shared->objects = objects;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 16) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        stop("listen");
    setvbuf(stdout, NULL, _IOLBF, 0);
    pid_t server = fork();
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        listen_for_ever(listener);
    }
    close(listener);
    signal(SIGPIPE, SIG_IGN);
    double bare = bare_loop(ntohs(address.sin_port), authority);
    double ours = replicate(ntohs(address.sin_port), place, authority, password);
    printf("replication has %.0f %% of the bare loop's rate\n", 100 * ours / bare);
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
    if (argc <= 2)
        clear_away(place);
    return ours >= 0.8 * bare ? 0 : 1;
}
