/* SPDX-License-Identifier: Apache-2.0
 *
 * LDAP connections and connectionless LDAP: messages counted, requests tied to their replies.
 */
#include "base/ber.h"
#include "base/sid.h"
#include "capture/gss.h"
#include "capture/ldap.h"
#include "capture/ldap_filter.h"
#include "capture/protocols.h"
#include "capture/unseal.h"

#include <stdio.h>
#include <strings.h>

#define SEARCHES_MAX         16 /* outstanding searches of one connection whose results are counted */
#define RETURNED_NAMES_MAX   8
#define RETURNED_NAMES_BYTES 1024 /* of all names of one search together */
#define ENTRY_WANT           640  /* of a search result entry: its header and name; values are skipped */
#define VALUES_MAX           64   /* values of one request that are kept */
#define VALUE_BYTES_MAX      512  /* of one value */
#define LIST_MAX             128  /* names in one list */
#define SEARCH_REFRESH       (20 * INT64_C(1000000000)) /* a search that goes on is kept waiting */

/* Keys of requests that wait: told apart from those of the GSS exchange on the same flow. */
#define KEY_MESSAGE UINT64_C(0x4c44000000000000)
#define KEY_BIND    UINT64_C(0x4c44000100000000)

struct search {
    uint32_t id;
    bool used;
    uint8_t names_count;
    uint16_t names_size; /* bytes used of names */
    uint32_t entries;
    uint32_t references;
    uint64_t bytes;
    int64_t kept;   /* when it was last deferred */
    uint8_t *names; /* u16 size, text, u16 size, ...; NULL when there was no memory */
};

/* What is known of a connection once something needs to be known. */
struct session {
    struct search searches[SEARCHES_MAX];
    unsigned last; /* the search found last: entries come in rows */
    struct gss_exchange gss;
    uint32_t bind_id; /* message of the bind that waits for its reply */
    uint32_t bind_legs;
    uint16_t account_size;
    uint8_t bind_method; /* enum ldap_bind_method, of the last bind */
    bool bind_waits;     /* KEY_BIND is deferred */
    bool gss_bind;       /* the mechanism is GSSAPI or GSS-SPNEGO */
    bool from_gss;       /* the account is that of the GSS exchange */
    bool ntlm_sealed;    /* NTLM security with confidentiality was agreed on */
    uint64_t context;    /* of capture/unseal.h: what the security layer is sealed in; 0: none */
    uint32_t posted;     /* sealed buffers that are not read yet */
    char account[192];
    char domain[64];
};

struct ldap_state {
    struct session *session;
    uint32_t starttls_id;
    bool starttls_waits;
    /* As tshark understands the connection: its bind was seen, by GSSAPI or GSS-SPNEGO, and the last reply
     * carried server credentials. Only then does it look into signed buffers that are whole, into those of
     * NTLM never; the counts keep to that, the activities do not. */
    bool security_layer;
};

static struct session *session_get(struct dissect *d)
{
    struct ldap_state *state = d->state;
    if (!state->session)
        state->session = dissect_alloc(d, sizeof *state->session);
    return state->session;
}

static bool text_is(struct bytes text, const char *expected)
{
    size_t size = strlen(expected);
    return text.size == size && strncasecmp((const char *)text.data, expected, size) == 0;
}

static void put_string(struct activity_writer *w, enum activity_field field, struct bytes text)
{
    if (text.size > 0)
        activity_put_string(w, field, text.data, text.size);
}

static void remember_account(struct session *session, struct bytes name)
{
    session->account_size =
        (uint16_t)(name.size < sizeof session->account ? name.size : sizeof session->account);
    if (session->account_size > 0)
        memcpy(session->account, name.data, session->account_size);
    session->domain[0] = '\0';
}

/* Whom the exchange named, when that is known. */
static void account_from_gss(struct session *session)
{
    if (!session->from_gss || !session->gss.account[0])
        return;
    size_t size = strnlen(session->gss.account, sizeof session->gss.account);
    remember_account(session, (struct bytes){(const uint8_t *)session->gss.account, size});
    snprintf(session->domain, sizeof session->domain, "%.63s", session->gss.domain);
}

/* The answer about the client's ticket may come after the bind. */
static void account_late(struct session *session)
{
    if (session->bind_waits || !session->gss.account[0])
        return;
    account_from_gss(session);
    if (session->from_gss)
        session->gss.account[0] = session->gss.domain[0] = '\0';
}

/* Who the connection is bound as. */
static void put_account(struct dissect *d, struct activity_writer *w)
{
    const struct ldap_state *state = d->state;
    struct session *session = state->session;
    if (!session)
        return;
    account_late(session);
    if (session->from_gss && session->gss.client) {
        dissect_put_client(d, w, session->gss.client);
        return;
    }
    if (session->account_size == 0)
        return;
    activity_put_string(w, FIELD_ACCOUNT, session->account, session->account_size);
    if (session->domain[0])
        activity_put_text(w, FIELD_ACCOUNT_DOMAIN, session->domain);
}

static void put_controls(struct activity_writer *w, struct cursor controls)
{
    struct ldap_control control;
    if (cursor_done(&controls) || !activity_list_begin(w, FIELD_LDAP_CONTROLS))
        return;
    for (unsigned n = 0; n < LIST_MAX && ldap_next_control(&controls, &control); n++)
        activity_list_string(w, control.oid.data, control.oid.size);
    activity_list_end(w);
}

/* Result code and text of a reply. */
static void put_result(struct activity_writer *w, const struct ldap_result *result)
{
    activity_put_uint(w, FIELD_STATUS, result->code);
    put_string(w, FIELD_MATCHED_DN, result->matched_dn);
    struct bytes text = result->diagnostic;
    while (text.size > 0 && text.data[text.size - 1] == 0) /* Active Directory counts its terminating zero */
        text.size--;
    put_string(w, FIELD_DIAGNOSTIC_MESSAGE, text);
    uint32_t error = result->code == LDAP_SUCCESS ? 0 : ldap_directory_error(result->diagnostic);
    if (error != 0)
        activity_put_uint(w, FIELD_DIRECTORY_ERROR, error);
}

static uint64_t message_key(const struct ldap_message *m)
{
    return KEY_MESSAGE | m->header.id;
}

/* The request is written: wait for its reply. */
static void request_end(struct dissect *d, const struct ldap_message *m)
{
    put_controls(d->activity, m->controls);
    dissect_defer(d, message_key(m));
}

/* -- bind ----------------------------------------------------------------------------------------- */

static bool is_gss_mechanism(struct bytes mechanism)
{
    return text_is(mechanism, "GSSAPI") || text_is(mechanism, "GSS-SPNEGO");
}

/* Whether the client's credentials are a token for GSS: an ASN.1 one by its class, or bare NTLMSSP. What is
 * no token (DIGEST-MD5's text, the wrapped last leg of GSSAPI) is not shown to it. */
static bool is_gss_token(struct cursor credentials)
{
    static const char ntlmssp[] = "NTLMSSP";
    uint8_t first = ber_peek(&credentials);
    return first == 0x60 || first == 0x6e || first == 0x6f || first == 0xa0 || first == 0xa1 ||
           cursor_match(&credentials, ntlmssp, sizeof ntlmssp);
}

/* RFC 2831 2.1.2: digest-response is a list of name="value". */
static struct bytes digest_value(struct cursor credentials, const char *name)
{
    size_t size = strlen(name);
    while (cursor_left(&credentials) > size + 2) {
        if (cursor_match(&credentials, name, size) && cursor_match(&credentials, "=\"", 2)) {
            const uint8_t *quote = memchr(credentials.at, '"', cursor_left(&credentials));
            return cursor_take(&credentials, quote ? (size_t)(quote - credentials.at) : 0);
        }
        cursor_skip(&credentials, 1);
    }
    return (struct bytes){.data = credentials.end, .size = 0};
}

static const char *bind_method_name(uint8_t method)
{
    switch (method) {
    case LDAP_METHOD_SIMPLE:
        return "simple";
    case LDAP_METHOD_SASL:
        return "sasl";
    case LDAP_METHOD_SICILY_DISCOVERY:
    case LDAP_METHOD_SICILY_NEGOTIATE:
    case LDAP_METHOD_SICILY_RESPONSE:
        return "sicily";
    default:
        return "unknown";
    }
}

static void put_bind_request(struct activity_writer *w, const struct ldap_bind_request *bind)
{
    activity_put_uint(w, FIELD_LDAP_VERSION, (uint64_t)bind->version);
    put_string(w, FIELD_BIND_NAME, bind->name);
    activity_put_text(w, FIELD_BIND_METHOD, bind_method_name(bind->method));
    put_string(w, FIELD_SASL_MECHANISM, bind->mechanism);
    if (bind->method != LDAP_METHOD_SIMPLE)
        return;
    put_string(w, FIELD_ACCOUNT, bind->name);
    activity_put_bool(w, FIELD_PASSWORD_SENT, bind->password_sent);
    if (!bind->password_sent)
        activity_put_bool(w, bind->name.size > 0 ? FIELD_UNAUTHENTICATED_BIND : FIELD_ANONYMOUS_BIND, true);
}

/* The exchange of several legs that was under way ends without an answer: it goes back to wait, and leaves
 * unanswered when the flow ends or the next one takes its place. */
static void bind_give_up(struct dissect *d, struct session *session)
{
    if (session->bind_waits && dissect_revisit(d, KEY_BIND)) {
        activity_put_uint(d->activity, FIELD_BIND_LEGS, session->bind_legs);
        dissect_defer(d, KEY_BIND);
    }
    session->bind_waits = false;
    gss_outcome_unknown(d, &session->gss);
}

/* A request that goes on with an exchange: the same method; a first token would begin a new one, but only a
 * server's saslBindInProgress (or Sicily's order of steps) says so, and that is what bind_waits keeps. */
static bool bind_continues(const struct session *session, const struct ldap_bind_request *bind)
{
    if (!session->bind_waits)
        return false;
    if (bind->method == LDAP_METHOD_SASL)
        return session->bind_method == LDAP_METHOD_SASL;
    return bind->method > session->bind_method && bind->method >= LDAP_METHOD_SICILY_NEGOTIATE &&
           session->bind_method >= LDAP_METHOD_SICILY_DISCOVERY;
}

static void bind_request(struct dissect *d, const struct ldap_message *m)
{
    struct ldap_state *state = d->state;
    struct ldap_bind_request bind;
    bool whole = ldap_bind_request_read(m->body, &bind);
    if (!whole && !d->truncated)
        dissect_malformed(d, PROTOCOL_LDAP);
    state->security_layer = false;

    struct session *session = session_get(d);
    bool legs = bind.method != LDAP_METHOD_SIMPLE && bind.method != LDAP_METHOD_UNKNOWN && session;
    if (legs && bind_continues(session, &bind)) {
        session->bind_legs++;
    } else {
        if (session && session->bind_waits)
            bind_give_up(d, session);
        else if (session)
            account_late(session);
        dissect_begin(d, ACTIVITY_LDAP_BIND);
        put_bind_request(d->activity, &bind);
        put_controls(d->activity, m->controls);
        dissect_defer(d, legs ? KEY_BIND : message_key(m));
        if (session) {
            session->bind_legs = 1;
            session->account_size = 0;
            session->domain[0] = '\0';
            session->from_gss = false;
        }
        if (session && !legs)
            remember_account(session, bind.password_sent ? bind.name : (struct bytes){NULL, 0});
        if (legs)
            session->gss_bind = is_gss_mechanism(bind.mechanism);
    }
    if (session) {
        session->bind_id = m->header.id;
        session->bind_method = bind.method;
        session->bind_waits = legs;
    }
    if (legs && is_gss_token(bind.credentials)) {
        session->from_gss = true;
        if (bind.method != LDAP_METHOD_SASL)
            bind.credentials.failed = false; /* Sicily's token stands in no OCTET STRING: it may be cut */
        gss_token(d, &session->gss, bind.credentials, "ldap", 0);
    } else if (legs && text_is(bind.mechanism, "DIGEST-MD5") && !cursor_done(&bind.credentials)) {
        remember_account(session, digest_value(bind.credentials, "username"));
        struct bytes realm = digest_value(bind.credentials, "realm");
        snprintf(session->domain, sizeof session->domain, "%.*s", (int)(realm.size < 63 ? realm.size : 63),
                 (const char *)realm.data);
    }
}

/* Sicily answers every step but the last with success, the challenge standing in matchedDN. */
static bool bind_is_final(const struct session *session, const struct ldap_result *result)
{
    if (result->code == LDAP_SASL_BIND_IN_PROGRESS)
        return false;
    if (session->bind_method == LDAP_METHOD_SICILY_DISCOVERY ||
        session->bind_method == LDAP_METHOD_SICILY_NEGOTIATE)
        return result->code != LDAP_SUCCESS;
    return true;
}

/* NTLMSSP_NEGOTIATE_SEAL, [MS-NLMP] 2.2.2.5 */
#define NTLM_NEGOTIATE_SEAL 0x20u

/* A new bind ends the security layer of the one before it (RFC 4513 5.2.1.7). */
static void security_context(struct dissect *d, struct session *session, bool bound)
{
    unseal_forget(d, session->context);
    session->context = bound ? session->gss.context : 0;
    if (!bound)
        unseal_forget(d, session->gss.context);
}

static void bind_finish(struct dissect *d, struct session *session, const struct ldap_result *result)
{
    session->bind_waits = false;
    account_from_gss(session);
    session->ntlm_sealed =
        session->gss.mechanism != GSS_NTLM || (session->gss.negotiate_flags & NTLM_NEGOTIATE_SEAL) != 0;
    gss_outcome(d, &session->gss, result->code);
    if (dissect_resume(d, KEY_BIND)) {
        put_account(d, d->activity);
        activity_put_uint(d->activity, FIELD_BIND_LEGS, session->bind_legs);
        put_result(d->activity, result);
        dissect_emit(d);
    }
    if (result->code != LDAP_SUCCESS)
        session->account_size = 0;
    security_context(d, session, result->code == LDAP_SUCCESS);
    uint64_t client = result->code == LDAP_SUCCESS ? session->gss.client : 0;
    session->gss =
        (struct gss_exchange){.mechanism = GSS_NONE, .target = session->gss.target, .client = client};
}

static void bind_response(struct dissect *d, const struct ldap_message *m)
{
    static const char ntlmssp[] = "NTLMSSP";
    struct ldap_state *state = d->state;
    struct session *session = session_get(d);
    struct ldap_result result;
    bool whole = ldap_result_read(m->body, &result);
    if (!whole && !d->truncated)
        dissect_malformed(d, PROTOCOL_LDAP);

    struct cursor matched = cursor_of_bytes(result.matched_dn);
    struct cursor challenge = matched;
    challenge.failed = !whole;
    bool sicily = cursor_match(&matched, ntlmssp, sizeof ntlmssp);
    if (session && sicily)
        gss_token(d, &session->gss, challenge, "ldap", 0);
    if (sicily || (session && session->bind_method == LDAP_METHOD_SICILY_DISCOVERY))
        result.matched_dn.size = 0; /* a token or a list of packages, no name */
    if (result.has_sasl_credentials && session && session->gss_bind &&
        session->bind_method == LDAP_METHOD_SASL) {
        state->security_layer = !result.sasl_credentials.failed;
        if (!cursor_done(&result.sasl_credentials) && ber_peek(&result.sasl_credentials) != 0x05)
            gss_token(d, &session->gss, result.sasl_credentials, "ldap", 0);
    }

    if (session && session->bind_waits && session->bind_id == m->header.id) {
        if (bind_is_final(session, &result))
            bind_finish(d, session, &result);
        return;
    }
    if (dissect_resume(d, message_key(m))) {
        put_result(d->activity, &result);
        dissect_emit(d);
    }
    if (session && session->bind_id == m->header.id && result.code != LDAP_SUCCESS)
        session->account_size = 0;
}

/* -- search --------------------------------------------------------------------------------------- */

static struct search *search_find(struct session *session, uint32_t id)
{
    struct search *last = &session->searches[session->last];
    if (last->used && last->id == id)
        return last;
    for (unsigned i = 0; i < SEARCHES_MAX; i++) {
        if (session->searches[i].used && session->searches[i].id == id) {
            session->last = i;
            return &session->searches[i];
        }
    }
    return NULL;
}

static void search_free(struct dissect *d, struct search *search)
{
    if (search->names)
        dissect_free(d, search->names, RETURNED_NAMES_BYTES);
    *search = (struct search){.used = false};
}

/* A place for the results of a new search. When all are taken, the one that waits for longest gives way:
 * its activity still gets its result code, without the numbers. */
static void search_open(struct dissect *d, uint32_t id)
{
    struct session *session = session_get(d);
    if (!session)
        return;
    struct search *place = search_find(session, id);
    for (unsigned i = 0; i < SEARCHES_MAX && !place; i++)
        if (!session->searches[i].used)
            place = &session->searches[i];
    for (unsigned i = 0; i < SEARCHES_MAX && !(place && !place->used); i++)
        if (!place || session->searches[i].kept < place->kept)
            place = &session->searches[i];
    search_free(d, place);
    place->id = id;
    place->used = true;
    place->kept = d->time;
    session->last = (unsigned)(place - session->searches);
}

static void search_add_name(struct dissect *d, struct search *search, struct bytes name)
{
    if (!search->names)
        search->names = dissect_alloc(d, RETURNED_NAMES_BYTES);
    search->names_count++;
    if (!search->names || name.size == 0 ||
        name.size > (size_t)(RETURNED_NAMES_BYTES - 2 - search->names_size))
        return;
    uint8_t *at = search->names + search->names_size;
    at[0] = (uint8_t)(name.size >> 8);
    at[1] = (uint8_t)name.size;
    memcpy(at + 2, name.data, name.size);
    search->names_size = (uint16_t)(search->names_size + 2 + name.size);
}

static void put_search_results(struct activity_writer *w, const struct search *search)
{
    activity_put_uint(w, FIELD_ENTRIES, search->entries);
    if (search->references > 0)
        activity_put_uint(w, FIELD_REFERENCES, search->references);
    activity_put_uint(w, FIELD_RESULT_BYTES, search->bytes);
    if (search->names_size == 0 || !activity_list_begin(w, FIELD_RETURNED_NAMES))
        return;
    struct cursor names = cursor_of(search->names, search->names_size);
    while (!cursor_done(&names)) {
        struct bytes name = cursor_take(&names, cursor_be16(&names));
        activity_list_string(w, name.data, name.size);
    }
    activity_list_end(w);
}

static bool control_is(const struct ldap_control *control, const char *oid)
{
    return text_is(control->oid, oid);
}

/* Microsoft's controls, [MS-ADTS] 3.1.1.3.4.1, all of which begin so; the last arc tells them apart. */
#define PAGED_RESULTS "1.2.840.113556.1.4.319"
#define DIRSYNC       "1.2.840.113556.1.4.841"
#define SD_FLAGS      "1.2.840.113556.1.4.801"
#define SHOW_DELETED  "1.2.840.113556.1.4.417"
#define SHOW_RECYCLED "1.2.840.113556.1.4.2064"
#define EXTENDED_DN   "1.2.840.113556.1.4.529"

static void put_search_control(struct activity_writer *w, const struct ldap_control *control)
{
    struct ldap_paged paged;
    struct ldap_dirsync dirsync;
    uint32_t flags;
    if (control_is(control, PAGED_RESULTS) && ldap_paged_read(control->value, &paged)) {
        activity_put_uint(w, FIELD_PAGE_SIZE, paged.size);
        activity_put_bool(w, FIELD_PAGE_COOKIE, paged.cookie);
    } else if (control_is(control, DIRSYNC) && ldap_dirsync_read(control->value, &dirsync)) {
        activity_put_uint(w, FIELD_DIRSYNC_FLAGS, dirsync.flags);
        activity_put_bool(w, FIELD_DIRSYNC_COOKIE, dirsync.cookie);
    } else if (control_is(control, SD_FLAGS) && ldap_sd_flags_read(control->value, &flags)) {
        activity_put_uint(w, FIELD_SD_FLAGS, flags);
    } else if (control_is(control, SHOW_DELETED) || control_is(control, SHOW_RECYCLED)) {
        activity_put_bool(w, FIELD_SHOW_DELETED, true);
    } else if (control_is(control, EXTENDED_DN)) {
        activity_put_bool(w, FIELD_EXTENDED_DN, true);
    }
}

/* False when the filter breaks RFC 4511. */
static bool put_filter(struct dissect *d, struct cursor filter)
{
    char *text = arena_alloc(d->scratch, ACTIVITY_STRING_MAX);
    if (!text)
        return true;
    struct ldap_filter_text printed = ldap_filter_print(filter, text, ACTIVITY_STRING_MAX);
    if (printed.size > 0)
        activity_put_string(d->activity, FIELD_SEARCH_FILTER, text, printed.size);
    if (printed.cut)
        d->activity->truncated = true;
    return !printed.damaged;
}

static void put_string_list(struct activity_writer *w, enum activity_field field, struct cursor list)
{
    struct bytes item;
    if (cursor_done(&list) || !activity_list_begin(w, field))
        return;
    unsigned n = 0;
    for (; n < LIST_MAX && ldap_next_string(&list, &item); n++)
        activity_list_string(w, item.data, item.size);
    activity_list_end(w);
    if (n == LIST_MAX && !cursor_done(&list))
        w->truncated = true;
}

static bool put_search_request(struct dissect *d, const struct ldap_search_request *search)
{
    struct activity_writer *w = d->activity;
    activity_put_string(w, FIELD_SEARCH_BASE, search->base.data, search->base.size);
    activity_put_uint(w, FIELD_SEARCH_SCOPE, search->scope);
    if (search->dereference)
        activity_put_uint(w, FIELD_DEREFERENCE_ALIASES, search->dereference);
    if (search->size_limit)
        activity_put_uint(w, FIELD_SIZE_LIMIT, search->size_limit);
    if (search->time_limit)
        activity_put_uint(w, FIELD_TIME_LIMIT, search->time_limit);
    if (search->types_only)
        activity_put_bool(w, FIELD_TYPES_ONLY, true);
    bool readable = put_filter(d, search->filter);
    put_string_list(w, FIELD_LDAP_ATTRIBUTES, search->attributes);
    return readable;
}

static void search_request(struct dissect *d, const struct ldap_message *m)
{
    struct ldap_search_request search;
    bool whole = ldap_search_request_read(m->body, &search);
    dissect_begin(d, ACTIVITY_LDAP_SEARCH);
    put_account(d, d->activity);
    whole = put_search_request(d, &search) && whole;
    if (!whole && !d->truncated)
        dissect_malformed(d, PROTOCOL_LDAP);
    struct ldap_control control;
    struct cursor controls = m->controls;
    for (unsigned n = 0; n < LIST_MAX && ldap_next_control(&controls, &control); n++)
        put_search_control(d->activity, &control);
    request_end(d, m);
    search_open(d, m->header.id);
}

/* An entry or reference of a search: only added up, for there may be a million of them. */
static void search_result(struct dissect *d, const struct ldap_message *m)
{
    struct ldap_state *state = d->state;
    struct session *session = state->session;
    struct search *search = session ? search_find(session, m->header.id) : NULL;
    if (!search)
        return;
    search->bytes += m->header.size;
    if (m->header.operation == LDAP_SEARCH_REFERENCE) {
        search->references++;
        return;
    }
    search->entries++;
    if (search->names_count < RETURNED_NAMES_MAX)
        search_add_name(d, search, ldap_entry_name(m->body));
    if (d->time - search->kept > SEARCH_REFRESH) {
        search->kept = d->time;
        if (dissect_revisit(d, message_key(m)))
            dissect_defer(d, message_key(m));
    }
}

/* Whether the server has more: a paged search gives a cookie then, DirSync a flag. */
static void put_more_results(struct activity_writer *w, struct cursor controls)
{
    struct ldap_control control;
    struct ldap_paged paged;
    struct ldap_dirsync dirsync;
    for (unsigned n = 0; n < LIST_MAX && ldap_next_control(&controls, &control); n++) {
        if (control_is(&control, PAGED_RESULTS) && ldap_paged_read(control.value, &paged))
            activity_put_bool(w, FIELD_MORE_RESULTS, paged.cookie);
        else if (control_is(&control, DIRSYNC) && ldap_dirsync_read(control.value, &dirsync))
            activity_put_bool(w, FIELD_MORE_RESULTS, dirsync.flags != 0);
    }
}

static void search_done(struct dissect *d, const struct ldap_message *m)
{
    struct ldap_state *state = d->state;
    struct session *session = state->session;
    struct search *search = session ? search_find(session, m->header.id) : NULL;
    struct ldap_result result;
    if (!ldap_result_read(m->body, &result) && !d->truncated)
        dissect_malformed(d, PROTOCOL_LDAP);
    if (dissect_resume(d, message_key(m))) {
        /* A damaged message id may answer what was no search. */
        bool was_search = d->activity->kind == ACTIVITY_LDAP_SEARCH;
        if (search && was_search) {
            search->bytes += m->header.size;
            put_search_results(d->activity, search);
        }
        put_result(d->activity, &result);
        if (was_search)
            put_more_results(d->activity, m->controls);
        dissect_emit(d);
    }
    if (search)
        search_free(d, search);
}

/* -- changes -------------------------------------------------------------------------------------- */

/* Attributes whose values tell an attack from administration: membership, delegation, names that noPac and
 * Certifried forge, service names, policies' paths. None holds a secret. */
static const char *const told_attributes[] = {
    "objectClass",
    "sAMAccountName",
    "userPrincipalName",
    "servicePrincipalName",
    "dNSHostName",
    "msDS-AdditionalDnsHostName",
    "userAccountControl",
    "member",
    "primaryGroupID",
    "adminCount",
    "sIDHistory",
    "msDS-AllowedToDelegateTo",
    "msDS-SupportedEncryptionTypes",
    "msDS-ManagedAccountPrecededByLink",
    "msDS-DelegatedMSAState",
    "altSecurityIdentities",
    "scriptPath",
    "gPLink",
    "gPCFileSysPath",
    "serverReference",
    "isDeleted",
};

/* The name without its options (";range=0-99", ";binary"; RFC 4512 2.5). */
static struct bytes attribute_base(struct bytes name)
{
    const uint8_t *option = name.size ? memchr(name.data, ';', name.size) : NULL;
    if (option)
        name.size = (size_t)(option - name.data);
    return name;
}

static bool is_told(struct bytes name)
{
    name = attribute_base(name);
    for (size_t i = 0; i < sizeof told_attributes / sizeof told_attributes[0]; i++)
        if (text_is(name, told_attributes[i]))
            return true;
    return false;
}

static const char *const change_names[] = {"add", "delete", "replace", "increment"};

static const char *change_name(uint8_t operation)
{
    return operation < 4 ? change_names[operation] : "unknown";
}

/* "operation:attribute=value", or "attribute=value" for one that is added whole. */
static void put_value(struct activity_writer *w, const char *operation, struct bytes name, struct bytes value)
{
    char text[VALUE_BYTES_MAX + 160];
    char sid[SID_TEXT_MAX + 1];
    struct bytes base = attribute_base(name);
    if (text_is(base, "sIDHistory")) {
        struct text t = text_to(sid, sizeof sid);
        sid_text(&t, value);
        value = (struct bytes){.data = (const uint8_t *)sid, .size = text_end(&t)};
    }
    int head = snprintf(text, sizeof text, "%s%s%.*s=", operation, operation[0] ? ":" : "",
                        (int)(base.size < 128 ? base.size : 128), (const char *)base.data);
    if (head < 0)
        return;
    size_t size = value.size < VALUE_BYTES_MAX ? value.size : VALUE_BYTES_MAX;
    if (size > 0)
        memcpy(text + head, value.data, size);
    activity_list_string(w, text, (size_t)head + size);
    if (size < value.size)
        w->truncated = true;
}

static void put_values(struct activity_writer *w, const char *operation,
                       const struct ldap_attribute *attribute, unsigned *left)
{
    struct cursor values = attribute->values;
    struct bytes value;
    if (!is_told(attribute->name))
        return;
    for (; *left > 0 && ldap_next_string(&values, &value); --*left)
        put_value(w, operation, attribute->name, value);
    if (*left == 0 && !cursor_done(&values))
        w->truncated = true;
}

static void put_change(struct activity_writer *w, const struct ldap_attribute *change)
{
    char text[160];
    struct bytes base = attribute_base(change->name);
    int size = snprintf(text, sizeof text, "%s:%.*s", change_name(change->operation),
                        (int)(base.size < 128 ? base.size : 128), (const char *)base.data);
    if (size > 0)
        activity_list_string(w, text, (size_t)size);
}

static void add_request(struct dissect *d, const struct ldap_message *m)
{
    struct ldap_add_request add;
    struct ldap_attribute attribute;
    if (!ldap_add_request_read(m->body, &add) && !d->truncated)
        dissect_malformed(d, PROTOCOL_LDAP);
    struct activity_writer *w = dissect_begin(d, ACTIVITY_LDAP_ADD);
    put_account(d, w);
    put_string(w, FIELD_LDAP_DN, add.dn);
    struct cursor list = add.attributes;
    if (activity_list_begin(w, FIELD_LDAP_ATTRIBUTES)) {
        for (unsigned n = 0; n < LIST_MAX && ldap_next_attribute(&list, &attribute); n++)
            activity_list_string(w, attribute.name.data, attribute.name.size);
        activity_list_end(w);
    }
    list = add.attributes;
    unsigned left = VALUES_MAX;
    if (activity_list_begin(w, FIELD_ATTRIBUTE_VALUES)) {
        for (unsigned n = 0; n < LIST_MAX && ldap_next_attribute(&list, &attribute); n++)
            put_values(w, "", &attribute, &left);
        activity_list_end(w);
    }
    request_end(d, m);
}

static void modify_request(struct dissect *d, const struct ldap_message *m)
{
    struct ldap_modify_request modify;
    struct ldap_attribute change;
    if (!ldap_modify_request_read(m->body, &modify) && !d->truncated)
        dissect_malformed(d, PROTOCOL_LDAP);
    struct activity_writer *w = dissect_begin(d, ACTIVITY_LDAP_MODIFY);
    put_account(d, w);
    activity_put_string(w, FIELD_LDAP_DN, modify.dn.data, modify.dn.size);
    struct cursor list = modify.changes;
    bool told = false;
    if (activity_list_begin(w, FIELD_CHANGES)) {
        for (unsigned n = 0; n < LIST_MAX && ldap_next_change(&list, &change); n++) {
            put_change(w, &change);
            told = told || is_told(change.name);
        }
        activity_list_end(w);
    }
    list = modify.changes;
    unsigned left = VALUES_MAX;
    if (told && activity_list_begin(w, FIELD_ATTRIBUTE_VALUES)) {
        for (unsigned n = 0; n < LIST_MAX && ldap_next_change(&list, &change); n++)
            put_values(w, change_name(change.operation), &change, &left);
        activity_list_end(w);
    }
    request_end(d, m);
}

static void modify_dn_request(struct dissect *d, const struct ldap_message *m)
{
    struct ldap_modify_dn_request modify;
    if (!ldap_modify_dn_request_read(m->body, &modify) && !d->truncated)
        dissect_malformed(d, PROTOCOL_LDAP);
    struct activity_writer *w = dissect_begin(d, ACTIVITY_LDAP_MODIFY_DN);
    put_account(d, w);
    put_string(w, FIELD_LDAP_DN, modify.dn);
    put_string(w, FIELD_NEW_RDN, modify.new_rdn);
    activity_put_bool(w, FIELD_DELETE_OLD_RDN, modify.delete_old_rdn);
    put_string(w, FIELD_NEW_SUPERIOR, modify.new_superior);
    request_end(d, m);
}

/* DelRequest ::= [APPLICATION 10] LDAPDN */
static void delete_request(struct dissect *d, const struct ldap_message *m)
{
    struct activity_writer *w = dissect_begin(d, ACTIVITY_LDAP_DELETE);
    put_account(d, w);
    put_string(w, FIELD_LDAP_DN, ber_bytes(m->body));
    request_end(d, m);
}

static void compare_request(struct dissect *d, const struct ldap_message *m)
{
    struct ldap_compare_request compare;
    if (!ldap_compare_request_read(m->body, &compare) && !d->truncated)
        dissect_malformed(d, PROTOCOL_LDAP);
    struct activity_writer *w = dissect_begin(d, ACTIVITY_LDAP_COMPARE);
    put_account(d, w);
    put_string(w, FIELD_LDAP_DN, compare.dn);
    put_string(w, FIELD_COMPARED_ATTRIBUTE, compare.attribute);
    request_end(d, m);
}

/* -- extended operations -------------------------------------------------------------------------- */

#define START_TLS       "1.3.6.1.4.1.1466.20037"  /* RFC 4511 4.14 */
#define PASSWORD_MODIFY "1.3.6.1.4.1.4203.1.11.1" /* RFC 3062 */
#define WHO_AM_I        "1.3.6.1.4.1.4203.1.11.3" /* RFC 4532 */

static void extended_request(struct dissect *d, const struct ldap_message *m)
{
    struct ldap_state *state = d->state;
    struct ldap_extended_request extended;
    if (!ldap_extended_request_read(m->body, &extended) && !d->truncated)
        dissect_malformed(d, PROTOCOL_LDAP);
    struct activity_writer *w = dissect_begin(d, ACTIVITY_LDAP_EXTENDED);
    put_account(d, w);
    put_string(w, FIELD_EXTENDED_OID, extended.oid);
    if (text_is(extended.oid, PASSWORD_MODIFY))
        put_string(w, FIELD_AUTHORIZATION_IDENTITY, ldap_password_modify_user(extended.value));
    request_end(d, m);
    if (text_is(extended.oid, START_TLS)) {
        state->starttls_waits = true;
        state->starttls_id = m->header.id;
    }
}

/* RFC 4511 4.4: message 0, told unasked. */
static void notification(struct dissect *d, const struct ldap_result *result)
{
    struct activity_writer *w = dissect_begin(d, ACTIVITY_LDAP_NOTIFICATION);
    put_account(d, w);
    put_string(w, FIELD_EXTENDED_OID, result->oid);
    put_result(w, result);
    dissect_emit(d);
}

/* "u:" or "dn:" and a name (RFC 4513 5.2.1.8); Active Directory says u:DOMAIN\user. It tells who is bound
 * where the bind itself did not (Kerberos). */
static void learn_identity(struct dissect *d, struct bytes identity)
{
    struct session *session = session_get(d);
    if (session)
        account_late(session);
    if (!session || session->account_size > 0)
        return;
    struct cursor c = cursor_of_bytes(identity);
    if (cursor_match(&c, "u:", 2) || cursor_match(&c, "dn:", 3))
        remember_account(session, (struct bytes){c.at, cursor_left(&c)});
}

static void extended_response(struct dissect *d, const struct ldap_message *m)
{
    struct ldap_state *state = d->state;
    struct ldap_result result;
    if (!ldap_result_read(m->body, &result) && !d->truncated)
        dissect_malformed(d, PROTOCOL_LDAP);
    if (m->header.id == 0) {
        notification(d, &result);
        return;
    }
    if (dissect_resume(d, message_key(m))) {
        struct activity_writer *w = d->activity;
        /* Only "who am I" answers with text; a password modification answers with a new password. */
        static const char u[] = "u:", dn[] = "dn:";
        struct cursor value = cursor_of_bytes(result.value);
        bool identity = cursor_match(&value, u, 2) || cursor_match(&value, dn, 3);
        if (identity && w->kind == ACTIVITY_LDAP_EXTENDED && !text_is(result.oid, PASSWORD_MODIFY)) {
            put_string(w, FIELD_AUTHORIZATION_IDENTITY, result.value);
            learn_identity(d, result.value);
        }
        put_result(w, &result);
        dissect_emit(d);
    }
    if (state->starttls_waits && state->starttls_id == m->header.id) {
        state->starttls_waits = false;
        if (result.code == LDAP_SUCCESS)
            dissect_switch(d, PROTOCOL_TLS);
    }
}

static void other_response(struct dissect *d, const struct ldap_message *m)
{
    struct ldap_result result;
    if (!ldap_result_read(m->body, &result) && !d->truncated)
        dissect_malformed(d, PROTOCOL_LDAP);
    if (dissect_resume(d, message_key(m))) {
        put_result(d->activity, &result);
        dissect_emit(d);
    }
}

/* -- connections ---------------------------------------------------------------------------------- */

static void ldap_operation(struct dissect *d, const struct ldap_message *m)
{
    switch (m->header.operation) {
    case LDAP_BIND_REQUEST:
        bind_request(d, m);
        break;
    case LDAP_BIND_RESPONSE:
        bind_response(d, m);
        break;
    case LDAP_SEARCH_REQUEST:
        search_request(d, m);
        break;
    case LDAP_SEARCH_ENTRY:
    case LDAP_SEARCH_REFERENCE:
        search_result(d, m);
        break;
    case LDAP_SEARCH_DONE:
        search_done(d, m);
        break;
    case LDAP_ADD_REQUEST:
        add_request(d, m);
        break;
    case LDAP_MODIFY_REQUEST:
        modify_request(d, m);
        break;
    case LDAP_MODIFY_DN_REQUEST:
        modify_dn_request(d, m);
        break;
    case LDAP_DELETE_REQUEST:
        delete_request(d, m);
        break;
    case LDAP_COMPARE_REQUEST:
        compare_request(d, m);
        break;
    case LDAP_EXTENDED_REQUEST:
        extended_request(d, m);
        break;
    case LDAP_EXTENDED_RESPONSE:
        extended_response(d, m);
        break;
    case LDAP_ADD_RESPONSE:
    case LDAP_MODIFY_RESPONSE:
    case LDAP_MODIFY_DN_RESPONSE:
    case LDAP_DELETE_RESPONSE:
    case LDAP_COMPARE_RESPONSE:
        other_response(d, m);
        break;
    default: /* unbind and abandon have no reply; intermediate responses say nothing that we need */
        break;
    }
}

/* The messages of one signed buffer. One may go on in the next buffer (RFC 4422 3.7): what is here of it is
 * read, and the next buffer, which then begins with no message, is passed over. */
static void signed_messages(struct dissect *d, struct bytes plain, bool counts)
{
    struct cursor c = cursor_of_bytes(plain);
    struct ldap_message m;
    while (cursor_left(&c) >= LDAP_PEEK_MIN && ldap_message_read(&c, &m)) {
        if (!m.begun)
            break;
        if (counts)
            d->counts->ldap[m.header.operation]++;
        dissect_counted(d, PROTOCOL_LDAP);
        bool truncated = d->truncated;
        d->truncated = truncated || c.failed;
        ldap_operation(d, &m);
        d->truncated = truncated;
    }
}

/* Whether a sealed buffer of that size may be read by means of a key. */
static bool is_unsealable(const struct ldap_state *state, uint64_t total)
{
    return state->session && state->session->context && total <= 4 + UNSEAL_MESSAGE_MAX;
}

static void buffer_answered(struct dissect *d, const uint64_t about[2], struct bytes answer)
{
    const struct ldap_state *state = d->state;
    struct bytes plain;
    enum unseal_result result = unseal_plain_read(d, answer, &plain);
    state->session->posted--;
    /* There was no key for the bind: no need to ask again. */
    if (result == UNSEAL_NO_CONTEXT && state->session->context == about[0])
        state->session->context = 0;
    if (result != UNSEAL_FINE) {
        dissect_sealed(d, PROTOCOL_LDAP);
        return;
    }
    d->unsealed = true;
    signed_messages(d, plain, true);
    d->unsealed = false;
}

static bool unseal_buffer(struct dissect *d, struct bytes token, size_t total)
{
    const struct ldap_state *state = d->state;
    if (!is_unsealable(state, 4 + (uint64_t)total) || token.size != total)
        return false;
    uint64_t context = state->session->context;
    uint64_t posted = unseal_wrap(d, context, token);
    if (!posted)
        return false;
    state->session->posted++;
    dissect_later(d, posted, buffer_answered, context, 0);
    return true;
}

/* What comes in clear behind sealed buffers is read behind them. */
static void read_posted(struct dissect *d)
{
    const struct ldap_state *state = d->state;
    if (state->session && state->session->posted)
        dissect_collect(d);
}

/* A buffer of the SASL security layer (RFC 4422 3.7): u32 length, wrap token. */
static void security_buffer(struct dissect *d, struct cursor message)
{
    const struct ldap_state *state = d->state;
    size_t total = cursor_be32(&message);
    struct bytes token = ber_bytes(message);
    struct bytes plain;
    enum ldap_wrap wrap = ldap_wrap_read(token, total, &plain);
    if (wrap == LDAP_WRAP_SIGNED ||
        (wrap == LDAP_WRAP_NTLM && state->session && !state->session->ntlm_sealed))
        read_posted(d);
    if (wrap == LDAP_WRAP_SIGNED)
        signed_messages(d, plain, state->security_layer && token.size == total);
    else if (wrap == LDAP_WRAP_NTLM && state->session && !state->session->ntlm_sealed)
        signed_messages(d, plain, false);
    else if (!unseal_buffer(d, token, total))
        dissect_sealed(d, PROTOCOL_LDAP);
}

static void ldap_message(struct dissect *d, struct cursor message)
{
    struct ldap_message m;
    if (ber_peek(&message) == 0) {
        security_buffer(d, message);
        return;
    }
    if (!ldap_message_read(&message, &m) || !m.begun) {
        if (!d->truncated)
            dissect_malformed(d, PROTOCOL_LDAP);
        return;
    }
    read_posted(d);
    d->counts->ldap[m.header.operation]++;
    dissect_counted(d, PROTOCOL_LDAP);
    ldap_operation(d, &m);
}

/* A buffer of the security layer begins with its length, which Active Directory bounds to less than 2^24: its
 * first byte is 0, which no LDAPMessage begins with. */
#define SECURITY_BUFFER_MAX 0x00ffffffu

static struct frame security_frame(struct dissect *d, struct bytes start)
{
    const struct ldap_state *state = d->state;
    if (start.size < 4)
        return frame_more(4);
    struct cursor c = cursor_of_bytes(start);
    uint32_t length = cursor_be32(&c);
    if (length < 2 || length > SECURITY_BUFFER_MAX)
        return frame_bad();
    uint64_t total = 4 + (uint64_t)length;
    struct bytes token = {.data = c.at, .size = cursor_left(&c) < length ? cursor_left(&c) : length};
    struct bytes plain;
    switch (ldap_wrap_read(token, length, &plain)) {
    case LDAP_WRAP_MORE:
        return frame_more((uint32_t)(total < 4 + LDAP_WRAP_PEEK ? total : 4 + LDAP_WRAP_PEEK));
    case LDAP_WRAP_SIGNED:
        return frame_ok(total, total);
    case LDAP_WRAP_NTLM:
        return frame_ok(total, (state->session && !state->session->ntlm_sealed) || is_unsealable(state, total)
                                   ? total
                                   : 4 + LDAP_WRAP_PEEK);
    case LDAP_WRAP_SEALED:
        return frame_ok(total, is_unsealable(state, total) ? total : 4 + LDAP_WRAP_PEEK);
    default:
        /* Other mechanisms (DIGEST-MD5) have tokens without a mark: only after their bind. */
        return state->session && state->session->bind_method == LDAP_METHOD_SASL
                   ? frame_ok(total, 4 + LDAP_WRAP_PEEK)
                   : frame_bad();
    }
}

static struct frame ldap_frame(struct dissect *d, struct bytes start)
{
    struct ldap_header header;
    if (start.size == 0)
        return frame_more(LDAP_PEEK_MIN);
    if (start.data[0] == 0)
        return security_frame(d, start);
    switch (ldap_peek(start, &header)) {
    case LDAP_PEEK_NO:
        return frame_bad();
    case LDAP_PEEK_MORE:
        /* The shortest message has LDAP_PEEK_MIN bytes; beyond those, one more byte at a time can be asked
         * for without ever waiting for what does not come. */
        return frame_more(start.size < LDAP_PEEK_MIN ? LDAP_PEEK_MIN : (uint32_t)start.size + 1);
    case LDAP_PEEK_YES:
        break;
    }
    return frame_ok(header.size, header.operation == LDAP_SEARCH_ENTRY ? ENTRY_WANT : header.size);
}

/* On another port than its own: the message must hold together to where we see it. Every protocolOp that
 * opens a connection begins with an INTEGER (bind: the version), an OCTET STRING (search base) or a name [0].
 */
static bool is_surely_ldap(struct bytes start, const struct ldap_header *header)
{
    struct cursor c = cursor_of_bytes(start);
    struct cursor sequence = ber_next(&c).value;
    ber_next(&sequence);
    struct ber operation = ber_next(&sequence);
    bool constructed = operation.tag & 0x20;
    bool fits = !c.failed || header->size > start.size;
    switch (header->operation) {
    case LDAP_BIND_REQUEST: {
        struct cursor version = ber_expect(&operation.value, BER_INTEGER);
        int64_t number = ber_content_int(version);
        return fits && constructed && number >= 2 && number <= 3 &&
               ber_peek(&operation.value) == BER_OCTET_STRING;
    }
    case LDAP_SEARCH_REQUEST:
        ber_expect(&operation.value, BER_OCTET_STRING);
        return fits && constructed && ber_peek(&operation.value) == BER_ENUMERATED;
    case LDAP_EXTENDED_REQUEST:
        return fits && constructed && ber_peek(&operation.value) == BER_CONTEXT(0);
    case LDAP_BIND_RESPONSE:
    case LDAP_SEARCH_DONE:
    case LDAP_EXTENDED_RESPONSE:
        ber_expect(&operation.value, BER_ENUMERATED);
        return fits && constructed && ber_peek(&operation.value) == BER_OCTET_STRING;
    case LDAP_SEARCH_ENTRY:
        ber_expect(&operation.value, BER_OCTET_STRING);
        return fits && constructed && ber_peek(&operation.value) == BER_SEQUENCE;
    default:
        return false;
    }
}

/* The start of a security buffer, of a connection whose bind was not captured. */
static enum detection detect_security(struct bytes start)
{
    if (start.size < 8)
        return DETECT_MORE;
    struct cursor c = cursor_of_bytes(start);
    uint32_t length = cursor_be32(&c);
    if (length < 16 || length > SECURITY_BUFFER_MAX)
        return DETECT_NO;
    bool token = (c.at[0] == 0x05 && c.at[1] == 0x04 && c.at[3] == 0xff) || c.at[0] == BER_APPLICATION(0) ||
                 (c.at[0] == 0x01 && c.at[1] == 0 && c.at[2] == 0 && c.at[3] == 0);
    return token ? DETECT_YES : DETECT_NO;
}

static enum detection ldap_detect(struct bytes start, enum transport transport, enum direction direction,
                                  bool on_port)
{
    struct ldap_header header;
    (void)direction;
    if (transport != TRANSPORT_TCP)
        return DETECT_NO;
    if (start.size > 0 && start.data[0] == 0)
        return on_port ? detect_security(start) : DETECT_NO;
    switch (ldap_peek(start, &header)) {
    case LDAP_PEEK_MORE:
        return DETECT_MORE;
    case LDAP_PEEK_NO:
        return DETECT_NO;
    case LDAP_PEEK_YES:
        break;
    }
    if (on_port)
        return DETECT_YES;
    return is_surely_ldap(start, &header) ? DETECT_YES : DETECT_NO;
}

/* Search entries follow each other without regard to segments: in a long result few begin one. */
static size_t ldap_find(struct bytes data, enum direction direction)
{
    size_t at = 0;
    while (at < data.size) {
        const uint8_t *sequence = memchr(data.data + at, BER_SEQUENCE, data.size - at);
        if (!sequence)
            break;
        at = (size_t)(sequence - data.data);
        struct bytes rest = {.data = sequence, .size = data.size - at};
        if (ldap_detect(rest, TRANSPORT_TCP, direction, false) == DETECT_YES)
            return at;
        at++;
    }
    return data.size;
}

/* Bytes were lost: a bind's or StartTLS's answer may have been among them. */
static void ldap_gap(struct dissect *d)
{
    struct ldap_state *state = d->state;
    state->starttls_waits = false;
}

/* Searches whose end was not seen give what was counted. */
static void ldap_close(struct dissect *d)
{
    struct ldap_state *state = d->state;
    struct session *session = state->session;
    if (!session)
        return;
    if (session->bind_waits)
        bind_give_up(d, session);
    unseal_forget(d, session->context);
    unseal_forget(d, session->gss.context);
    for (unsigned i = 0; i < SEARCHES_MAX; i++) {
        struct search *search = &session->searches[i];
        if (!search->used || search->entries + search->references == 0)
            continue;
        if (dissect_revisit(d, KEY_MESSAGE | search->id)) {
            put_search_results(d->activity, search);
            dissect_defer(d, KEY_MESSAGE | search->id);
        }
    }
}

const struct protocol protocol_ldap = {
    .id = PROTOCOL_LDAP,
    .name = "ldap",
    .tcp_ports = {389, 3268},
    .detect = ldap_detect,
    .find = ldap_find,
    .state_size = sizeof(struct ldap_state),
    .frame = ldap_frame,
    .message = ldap_message,
    .gap = ldap_gap,
    .close = ldap_close,
};

/* -- connectionless LDAP -------------------------------------------------------------------------- */

static void put_ping(struct dissect *d, const struct cldap_ping *ping, struct cursor filter)
{
    struct activity_writer *w = d->activity;
    put_string(w, FIELD_PING_DOMAIN, ping->domain);
    put_string(w, FIELD_PING_HOST, ping->host);
    put_string(w, FIELD_PING_DNS_HOST, ping->dns_host);
    put_string(w, FIELD_PING_USER, ping->user);
    if (ping->domain_sid.size > 0)
        activity_put_sid(w, FIELD_PING_DOMAIN_SID, ping->domain_sid.data, ping->domain_sid.size);
    if (ping->domain_guid.size == 16)
        activity_put_uuid(w, FIELD_PING_DOMAIN_GUID, ping->domain_guid.data);
    if (ping->has_account_control)
        activity_put_uint(w, FIELD_PING_ACCOUNT_CONTROL, ping->account_control);
    if (ping->has_nt_version)
        activity_put_uint(w, FIELD_NT_VERSION, ping->nt_version);
    else
        put_filter(d, filter);
}

static bool asks_netlogon(struct cursor attributes)
{
    struct bytes name;
    while (ldap_next_string(&attributes, &name))
        if (text_is(name, "netlogon"))
            return true;
    return false;
}

static void cldap_request(struct dissect *d, const struct ldap_message *m)
{
    struct ldap_search_request search;
    struct cldap_ping ping;
    bool whole = ldap_search_request_read(m->body, &search);
    bool is_ping = cldap_ping_read(search.filter, &ping) || asks_netlogon(search.attributes);
    dissect_begin(d, is_ping ? ACTIVITY_CLDAP_PING : ACTIVITY_LDAP_SEARCH);
    if (is_ping) {
        put_ping(d, &ping, search.filter);
    } else {
        whole = put_search_request(d, &search) && whole;
        put_controls(d->activity, m->controls);
    }
    if (!whole && !d->truncated)
        dissect_malformed(d, PROTOCOL_CLDAP);
    dissect_defer(d, message_key(m));
}

static void put_name(struct activity_writer *w, enum activity_field field, const char *name)
{
    if (name[0])
        activity_put_text(w, field, name);
}

static void put_netlogon(struct activity_writer *w, const struct netlogon_response *response)
{
    static const uint8_t none[4];
    activity_put_uint(w, FIELD_PING_OPCODE, response->opcode);
    if (response->has_flags)
        activity_put_uint(w, FIELD_DC_FLAGS, response->flags);
    if (response->has_domain_guid)
        activity_put_uuid(w, FIELD_DC_DOMAIN_GUID, response->domain_guid);
    put_name(w, FIELD_DC_FOREST, response->forest);
    put_name(w, FIELD_DC_DOMAIN, response->domain);
    put_name(w, FIELD_DC_HOST, response->host);
    put_name(w, FIELD_DC_NETBIOS_DOMAIN, response->netbios_domain);
    put_name(w, FIELD_DC_NETBIOS_NAME, response->netbios_name);
    put_name(w, FIELD_DC_SITE, response->site);
    put_name(w, FIELD_CLIENT_SITE, response->client_site);
    if (response->unicode_host.size > 0)
        activity_put_utf16(w, FIELD_DC_NETBIOS_NAME, response->unicode_host.data,
                           response->unicode_host.size);
    if (response->unicode_domain.size > 0)
        activity_put_utf16(w, FIELD_DC_NETBIOS_DOMAIN, response->unicode_domain.data,
                           response->unicode_domain.size);
    if (memcmp(response->address, none, sizeof none) != 0) {
        struct ip_address address = {.family = 4};
        memcpy(address.bytes, response->address, sizeof response->address);
        activity_put_address(w, FIELD_DC_ADDRESS, &address);
    }
}

static void cldap_entry(struct dissect *d, const struct ldap_message *m)
{
    if (!dissect_revisit(d, message_key(m)))
        return;
    if (d->activity->kind == ACTIVITY_CLDAP_PING) {
        struct netlogon_response *response = arena_alloc(d->scratch, sizeof *response);
        struct bytes value = ldap_entry_value(m->body, "netlogon");
        if (response && value.size > 0) {
            if (!netlogon_response_read(value, response) && !d->truncated)
                dissect_malformed(d, PROTOCOL_CLDAP);
            put_netlogon(d->activity, response);
        }
    } else {
        activity_put_uint(d->activity, FIELD_ENTRIES, 1); /* connectionless searches are of one object */
        activity_put_uint(d->activity, FIELD_RESULT_BYTES, m->header.size);
    }
    dissect_defer(d, message_key(m));
}

static void cldap_operation(struct dissect *d, const struct ldap_message *m)
{
    switch (m->header.operation) {
    case LDAP_SEARCH_REQUEST:
        cldap_request(d, m);
        break;
    case LDAP_SEARCH_ENTRY:
        cldap_entry(d, m);
        break;
    case LDAP_SEARCH_DONE:
        other_response(d, m);
        break;
    default:
        break;
    }
}

/* One datagram holds the entry and the end of the search. */
static void cldap_message(struct dissect *d, struct cursor message)
{
    struct ldap_message m;
    bool first = true;
    while (!cursor_done(&message)) {
        if (!ldap_message_read(&message, &m) || !m.begun) {
            if (first && !d->truncated)
                dissect_malformed(d, PROTOCOL_CLDAP);
            return;
        }
        first = false;
        d->counts->cldap[m.header.operation]++;
        dissect_counted(d, PROTOCOL_CLDAP);
        cldap_operation(d, &m);
    }
}

static enum detection cldap_detect(struct bytes start, enum transport transport, enum direction direction,
                                   bool on_port)
{
    struct ldap_header header;
    (void)direction;
    if (transport != TRANSPORT_UDP || !on_port || ldap_peek(start, &header) != LDAP_PEEK_YES)
        return DETECT_NO;
    return DETECT_YES;
}

const struct protocol protocol_cldap = {
    .id = PROTOCOL_CLDAP,
    .name = "cldap",
    .udp_ports = {389},
    .detect = cldap_detect,
    .message = cldap_message,
};
