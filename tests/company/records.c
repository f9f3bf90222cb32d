/* SPDX-License-Identifier: Apache-2.0
 *
 * How the simulated company's activities look: as sensors write them of Windows clients and controllers, with
 * what the resolver adds.
 */
#include "tests/company/people.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define CLIENT_ETYPES 5
static const int64_t client_etypes[CLIENT_ETYPES] = {18, 17, 23, 24, -135};

struct ip_address machine_address(const struct company *c, const struct machine *m, int64_t time)
{
    struct ip_address a = {.family = 4, .bytes = {10}};
    /* Leases move when they end: after eight days by default. */
    const uint32_t lease = (uint32_t)((time - c->options.start) / (8 * CLOCK_DAY));
    uint32_t n = m->number;
    switch (m->kind) {
    case MACHINE_CONTROLLER: /* the laboratory's two are the first two */
        a.bytes[1] = 77;
        a.bytes[2] = (uint8_t)n;
        a.bytes[3] = 10;
        return a;
    case MACHINE_SERVER:
        a.bytes[1] = 20;
        a.bytes[2] = (uint8_t)(n / 200);
        a.bytes[3] = (uint8_t)(20 + n % 200);
        return a;
    case MACHINE_LAPTOP:
        a.bytes[1] = (uint8_t)(150 + m->site);
        n = (n + 379 * lease) % 8192;
        break;
    case MACHINE_WORKSTATION:
        a.bytes[1] = (uint8_t)(100 + m->site);
        break;
    }
    a.bytes[2] = (uint8_t)(n / 250);
    a.bytes[3] = (uint8_t)(3 + n % 250);
    return a;
}

uint64_t ticket_period(int64_t time)
{
    return (uint64_t)(time / (10 * CLOCK_HOUR));
}

uint64_t ticket_number(const struct company *c, const struct account *account, const struct machine *on,
                       const char *service, uint64_t period)
{
    uint64_t parts[3] = {(uint64_t)(uintptr_t)(account - c->accounts),
                         on ? (uint64_t)(on - c->machines) + 1 : 0, period};
    return XXH3_64bits_withSeed(parts, sizeof(parts),
                                c->options.seed ^ XXH3_64bits(service, strlen(service))) |
           1;
}

/* -- what all have in common ----------------------------------------------------------------------- */

static void put_end(struct company *c, const struct machine *m, enum activity_field name)
{
    struct activity_writer *w = &c->writer;
    activity_put_text(w, name, m->name);
    activity_put_text(w, name + 1, COMPANY_DOMAIN);
    activity_put_uuid(w, name + 2, m->guid);
    activity_put_bool(w, name + 4, m->kind == MACHINE_CONTROLLER);
    activity_put_uint(w, name + 5, 90);
}
_Static_assert(FIELD_SOURCE_COMPUTER + 2 == FIELD_SOURCE_COMPUTER_GUID &&
                   FIELD_SOURCE_COMPUTER + 5 == FIELD_SOURCE_CONFIDENCE &&
                   FIELD_DESTINATION_COMPUTER + 2 == FIELD_DESTINATION_COMPUTER_GUID &&
                   FIELD_DESTINATION_COMPUTER + 5 == FIELD_DESTINATION_CONFIDENCE,
               "their order in base/activities/resolution.def");

static void begin(struct company *c, const struct talk *t, enum activity_kind kind, uint16_t port,
                  const char *transport)
{
    struct activity_writer *w = &c->writer;
    activity_begin(w, kind, t->time);
    const uint64_t flow = t->flow ? t->flow : ++c->flow;
    struct ip_address source =
        t->address.family || !t->source ? t->address : machine_address(c, t->source, t->time);
    if (source.family)
        activity_put_address(w, FIELD_SOURCE, &source);
    activity_put_uint(w, FIELD_SOURCE_PORT, 49152 + flow % 16000);
    if (t->destination) {
        struct ip_address destination = machine_address(c, t->destination, t->time);
        activity_put_address(w, FIELD_DESTINATION, &destination);
        activity_put_uint(w, FIELD_DESTINATION_PORT, port);
    }
    activity_put_text(w, FIELD_TRANSPORT, transport);
    activity_put_uint(w, FIELD_FLOW, flow);
    activity_put_duration(w, FIELD_DURATION, 900000 + (int64_t)(flow * 7919 % 4000000));
    /* Who is rarely known is known every eighth day. */
    bool known = t->source && !t->address.family &&
                 !(t->source->rarely_known && (t->source->number + (uint32_t)(t->time / CLOCK_DAY)) % 8);
    if (known)
        put_end(c, t->source, FIELD_SOURCE_COMPUTER);
    if (t->destination)
        put_end(c, t->destination, FIELD_DESTINATION_COMPUTER);
}

/* The resolver's account. */
static void put_account(struct company *c, const struct account *a, const char *how)
{
    struct activity_writer *w = &c->writer;
    if (!a)
        return;
    activity_put_text(w, FIELD_ACCOUNT_NAME, a->name);
    activity_put_text(w, FIELD_ACCOUNT_DNS_DOMAIN, COMPANY_DOMAIN);
    activity_put_uuid(w, FIELD_ACCOUNT_GUID, a->guid);
    activity_put_text(w, FIELD_ACCOUNT_KIND, a->facts & FACT_COMPUTER ? "computer" : "user");
    activity_put_text(w, FIELD_ACCOUNT_HOW, how);
}

void put_done(struct company *c, int64_t time)
{
    struct bytes record = activity_finish(&c->writer);
    if (c->used + record.size > c->capacity) {
        c->capacity = (c->capacity + record.size) * 2;
        c->bytes = realloc(c->bytes, c->capacity);
    }
    if (c->event_count == c->event_capacity) {
        c->event_capacity = c->event_capacity * 2 + 1024;
        c->events = realloc(c->events, c->event_capacity * sizeof(*c->events));
    }
    if (!c->bytes || !c->events)
        abort();
    memcpy(c->bytes + c->used, record.data, record.size);
    c->events[c->event_count] = (struct event){time, c->event_count, (uint32_t)record.size, c->used};
    c->event_count++;
    c->used += record.size;
}

static void put_etypes(struct activity_writer *w)
{
    if (!activity_list_begin(w, FIELD_OFFERED_ETYPES))
        return;
    for (int i = 0; i < CLIENT_ETYPES; i++)
        activity_list_int(w, client_etypes[i]);
    activity_list_end(w);
}

static void put_ints(struct activity_writer *w, enum activity_field field, const int64_t *values, int count)
{
    if (!activity_list_begin(w, field))
        return;
    for (int i = 0; i < count; i++)
        activity_list_int(w, values[i]);
    activity_list_end(w);
}

/* Windows asks for tickets until the end of its time. */
#define WINDOWS_TILL (INT64_C(2136422885) * CLOCK_SECOND)

/* -- Kerberos -------------------------------------------------------------------------------------- */

static void put_as_request(struct company *c, const struct talk *t, const char *name, bool authenticated)
{
    static const int64_t plain[] = {128}, stamped[] = {2, 128};
    struct activity_writer *w = &c->writer;
    begin(c, t, ACTIVITY_KERBEROS_AS, 88, "tcp");
    activity_put_text(w, FIELD_ACCOUNT, name);
    activity_put_int(w, FIELD_CLIENT_NAME_TYPE, 1);
    activity_put_text(w, FIELD_ACCOUNT_DOMAIN, COMPANY_NET);
    activity_put_text(w, FIELD_SERVICE, "krbtgt/" COMPANY_NET);
    activity_put_int(w, FIELD_SERVICE_NAME_TYPE, 2);
    activity_put_uint(w, FIELD_KDC_OPTIONS, 0x40810010);
    activity_put_time(w, FIELD_REQUESTED_TILL, WINDOWS_TILL);
    activity_put_time(w, FIELD_REQUESTED_RENEW_TILL, WINDOWS_TILL);
    activity_put_uint(w, FIELD_KERBEROS_NONCE, c->flow * 2654435761u % 2147483647u);
    put_etypes(w);
    put_ints(w, FIELD_PADATA_TYPES, authenticated ? stamped : plain, authenticated ? 2 : 1);
    if (authenticated)
        activity_put_int(w, FIELD_PREAUTH_ETYPE, 18);
    activity_put_bool(w, FIELD_PAC_REQUEST, true);
}

static void put_as_one(struct company *c, const struct talk *t, const char *name, uint32_t status)
{
    struct activity_writer *w = &c->writer;
    put_as_request(c, t, name, status != 25 && status != 6);
    activity_put_uint(w, FIELD_STATUS, status);
    if (status == 0) {
        activity_put_text(w, FIELD_ISSUED_TICKET_SERVICE, "krbtgt/" COMPANY_REALM);
        activity_put_text(w, FIELD_ISSUED_TICKET_REALM, COMPANY_REALM);
        activity_put_int(w, FIELD_ISSUED_TICKET_ETYPE, 18);
        activity_put_uint(w, FIELD_ISSUED_TICKET_KVNO, 2);
        activity_put_uint(w, FIELD_ISSUED_TICKET_FINGERPRINT,
                          ticket_number(c, t->account, t->source, "krbtgt", ticket_period(t->time)));
        activity_put_int(w, FIELD_REPLY_ETYPE, 18);
        activity_put_text(w, FIELD_REPLY_ACCOUNT_DOMAIN, COMPANY_REALM);
    } else {
        activity_put_text(w, FIELD_SERVICE_REALM, COMPANY_NET);
        activity_put_time(w, FIELD_KERBEROS_SERVER_TIME, t->time / CLOCK_SECOND * CLOCK_SECOND);
    }
    put_account(c, t->account, "named");
    put_done(c, t->time);
}

void put_as(struct company *c, const struct talk *t, uint32_t status, bool asked_first)
{
    struct talk second = *t;
    if (asked_first) {
        put_as_one(c, t, t->account->name, 25);
        second.time += 4 * CLOCK_MILLISECOND;
    }
    put_as_one(c, &second, t->account->name, status);
}

void put_as_named(struct company *c, const struct talk *t, const char *name, uint32_t status)
{
    put_as_one(c, t, name, status);
}

void put_tgs(struct company *c, const struct talk *t, const char *service, const char *owner,
             const uint8_t owner_guid[16], uint64_t granting, uint64_t issued, int etype)
{
    static const int64_t padata[] = {1, 167};
    struct activity_writer *w = &c->writer;
    begin(c, t, ACTIVITY_KERBEROS_TGS, 88, "tcp");
    activity_put_text(w, FIELD_SERVICE_REALM, COMPANY_REALM);
    activity_put_text(w, FIELD_SERVICE, service);
    activity_put_int(w, FIELD_SERVICE_NAME_TYPE, 2);
    activity_put_uint(w, FIELD_KDC_OPTIONS, 0x40810000);
    activity_put_time(w, FIELD_REQUESTED_TILL, WINDOWS_TILL);
    activity_put_uint(w, FIELD_KERBEROS_NONCE, c->flow * 2654435761u % 2147483647u);
    put_etypes(w);
    put_ints(w, FIELD_PADATA_TYPES, padata, 2);
    activity_put_text(w, FIELD_TICKET_SERVICE, "krbtgt/" COMPANY_REALM);
    activity_put_text(w, FIELD_TICKET_REALM, COMPANY_REALM);
    activity_put_int(w, FIELD_TICKET_ETYPE, 18);
    activity_put_uint(w, FIELD_TICKET_KVNO, 2);
    activity_put_uint(w, FIELD_TICKET_FINGERPRINT, granting);
    activity_put_int(w, FIELD_AUTHENTICATOR_ETYPE, 18);
    activity_put_uint(w, FIELD_AP_OPTIONS, 0);
    activity_put_uint(w, FIELD_STATUS, 0);
    activity_put_text(w, FIELD_ACCOUNT, t->account->name);
    activity_put_text(w, FIELD_ACCOUNT_DOMAIN, COMPANY_REALM);
    activity_put_int(w, FIELD_CLIENT_NAME_TYPE, 1);
    activity_put_text(w, FIELD_ISSUED_TICKET_SERVICE, service);
    activity_put_text(w, FIELD_ISSUED_TICKET_REALM, COMPANY_REALM);
    activity_put_int(w, FIELD_ISSUED_TICKET_ETYPE, etype);
    activity_put_uint(w, FIELD_ISSUED_TICKET_FINGERPRINT, issued);
    activity_put_int(w, FIELD_REPLY_ETYPE, 18);
    put_account(c, t->account, "named");
    if (owner) {
        activity_put_text(w, FIELD_SERVICE_OWNER, owner);
        activity_put_uuid(w, FIELD_SERVICE_OWNER_GUID, owner_guid);
    }
    put_done(c, t->time);
}

void put_ap(struct company *c, const struct talk *t, const char *carrier, const char *service,
            uint64_t ticket, uint16_t port)
{
    struct activity_writer *w = &c->writer;
    begin(c, t, ACTIVITY_KERBEROS_AP, port, "tcp");
    activity_put_text(w, FIELD_CARRIER, carrier);
    activity_put_text(w, FIELD_TICKET_SERVICE, service);
    activity_put_text(w, FIELD_TICKET_REALM, COMPANY_REALM);
    activity_put_int(w, FIELD_TICKET_ETYPE, 18);
    activity_put_uint(w, FIELD_TICKET_FINGERPRINT, ticket);
    activity_put_int(w, FIELD_AUTHENTICATOR_ETYPE, 18);
    activity_put_uint(w, FIELD_AP_OPTIONS, 0x20000000);
    activity_put_uint(w, FIELD_STATUS, 0);
    put_account(c, t->account, "ticket");
    put_done(c, t->time);
}

void put_password_change(struct company *c, const struct talk *t)
{
    struct activity_writer *w = &c->writer;
    begin(c, t, ACTIVITY_KERBEROS_PASSWORD_CHANGE, 464, "tcp");
    activity_put_uint(w, FIELD_PASSWORD_PROTOCOL, 0xff80);
    activity_put_text(w, FIELD_TICKET_SERVICE, "kadmin/changepw");
    activity_put_text(w, FIELD_TICKET_REALM, COMPANY_REALM);
    activity_put_int(w, FIELD_TICKET_ETYPE, 18);
    activity_put_bool(w, FIELD_SEALED, true);
    activity_put_uint(w, FIELD_STATUS, 0);
    put_account(c, t->account, "ticket");
    put_done(c, t->time);
}

/* -- LDAP, SMB, NTLM ------------------------------------------------------------------------------- */

void put_bind(struct company *c, const struct talk *t)
{
    struct activity_writer *w = &c->writer;
    begin(c, t, ACTIVITY_LDAP_BIND, 389, "tcp");
    activity_put_uint(w, FIELD_LDAP_VERSION, 3);
    activity_put_text(w, FIELD_BIND_NAME, "");
    activity_put_text(w, FIELD_BIND_METHOD, "sasl");
    activity_put_text(w, FIELD_SASL_MECHANISM, "GSS-SPNEGO");
    activity_put_uint(w, FIELD_BIND_LEGS, 1);
    activity_put_uint(w, FIELD_STATUS, 0);
    put_account(c, t->account, "connection");
    put_done(c, t->time);
}

void put_search(struct company *c, const struct talk *t, const char *base, uint32_t scope, const char *filter,
                const char *attributes, uint32_t entries)
{
    struct activity_writer *w = &c->writer;
    begin(c, t, ACTIVITY_LDAP_SEARCH, 389, "tcp");
    activity_put_text(w, FIELD_SEARCH_BASE, base);
    activity_put_uint(w, FIELD_SEARCH_SCOPE, scope);
    activity_put_text(w, FIELD_SEARCH_FILTER, filter);
    if (activity_list_begin(w, FIELD_LDAP_ATTRIBUTES)) {
        activity_list_string(w, attributes, strlen(attributes));
        activity_list_end(w);
    }
    activity_put_uint(w, FIELD_ENTRIES, entries);
    activity_put_uint(w, FIELD_RESULT_BYTES, 200 + entries * 300);
    activity_put_uint(w, FIELD_STATUS, 0);
    put_account(c, t->account, "connection");
    put_done(c, t->time);
}

static void put_session(struct company *c, const struct talk *t, const char *mechanism, uint32_t status)
{
    struct activity_writer *w = &c->writer;
    begin(c, t, ACTIVITY_SMB_SESSION, 445, "tcp");
    activity_put_uint(w, FIELD_SMB_VERSION, 3);
    activity_put_text(w, FIELD_SESSION_MECHANISM, mechanism);
    activity_put_uint(w, FIELD_STATUS, status);
    put_account(c, t->account, "connection");
    put_done(c, t->time);
}

void put_smb(struct company *c, const struct talk *t, const char *share, const char *file, bool ntlm)
{
    struct activity_writer *w = &c->writer;
    struct talk on = *t;
    put_session(c, &on, ntlm ? "ntlm" : "kerberos", 0);
    on.time += 2 * CLOCK_MILLISECOND;
    begin(c, &on, ACTIVITY_SMB_TREE_CONNECT, 445, "tcp");
    activity_put_text(w, FIELD_SHARE_PATH, share);
    activity_put_text(w, FIELD_SHARE_TYPE, "disk");
    activity_put_uint(w, FIELD_STATUS, 0);
    put_account(c, t->account, "connection");
    put_done(c, on.time);
    on.time += CLOCK_MILLISECOND;
    begin(c, &on, ACTIVITY_SMB_OPEN, 445, "tcp");
    activity_put_text(w, FIELD_FILE_PATH, file);
    activity_put_text(w, FIELD_SHARE_PATH, share);
    activity_put_uint(w, FIELD_SMB_VERSION, 3);
    activity_put_uint(w, FIELD_DESIRED_ACCESS, 0x120089);
    activity_put_uint(w, FIELD_STATUS, 0);
    activity_put_uint(w, FIELD_READS, 1);
    activity_put_uint(w, FIELD_READ_BYTES, 800);
    put_account(c, t->account, "connection");
    put_done(c, on.time);
}

void put_ntlm(struct company *c, const struct talk *t, const char *carrier, const char *target,
              uint32_t status)
{
    struct activity_writer *w = &c->writer;
    begin(c, t, ACTIVITY_NTLM_AUTHENTICATE, 445, "tcp");
    activity_put_text(w, FIELD_CARRIER, carrier);
    activity_put_text(w, FIELD_ACCOUNT, t->account->name);
    activity_put_text(w, FIELD_ACCOUNT_DOMAIN, COMPANY_NET);
    if (t->source)
        activity_put_text(w, FIELD_WORKSTATION, t->source->name);
    activity_put_text(w, FIELD_NTLM_VARIANT, "ntlmv2");
    activity_put_uint(w, FIELD_NTLM_FLAGS, 0xe2888215);
    activity_put_bool(w, FIELD_NTLM_MIC, true);
    activity_put_text(w, FIELD_NTLM_CLIENT_VERSION, "10.0.19041");
    activity_put_uint(w, FIELD_NTLM_LM_LENGTH, 24);
    activity_put_uint(w, FIELD_NTLM_NT_LENGTH, 330);
    activity_put_uint(w, FIELD_NTLM_RESPONSE_FINGERPRINT, c->flow * UINT64_C(0x9e3779b97f4a7c15));
    activity_put_text(w, FIELD_NTLM_TARGET, COMPANY_NET);
    activity_put_text(w, FIELD_NTLM_TARGET_SPN, target);
    activity_put_uint(w, FIELD_NTLM_AV_FLAGS, 2);
    activity_put_uint(w, FIELD_STATUS, status);
    put_account(c, t->account, "named");
    put_done(c, t->time);
}

/* Event 4776 of a controller. */
void put_validation(struct company *c, const struct talk *t, uint32_t status)
{
    struct activity_writer *w = &c->writer;
    begin(c, t, ACTIVITY_NTLM_VALIDATION, 0, "tcp");
    activity_put_uint(w, FIELD_EVENT_ID, 4776);
    activity_put_text(w, FIELD_EVENT_COMPUTER, t->destination->name);
    activity_put_text(w, FIELD_EVENT_SOURCE, "forwarded");
    activity_put_text(w, FIELD_ACCOUNT, t->account->name);
    if (t->source)
        activity_put_text(w, FIELD_WORKSTATION, t->source->name);
    activity_put_uint(w, FIELD_STATUS, status);
    put_account(c, t->account, "named");
    put_done(c, t->time);
}

/* -- names, RPC, events ---------------------------------------------------------------------------- */

void put_dns(struct company *c, const struct talk *t, const char *name, uint32_t type, uint32_t status,
             uint32_t answer_bytes)
{
    struct activity_writer *w = &c->writer;
    begin(c, t, ACTIVITY_DNS_QUERY, 53, "udp");
    activity_put_text(w, FIELD_DNS_NAME, name);
    activity_put_uint(w, FIELD_DNS_TYPE, type);
    activity_put_bool(w, FIELD_DNS_RECURSION, true);
    activity_put_uint(w, FIELD_DNS_REQUEST_SIZE, 12 + strlen(name) + 6);
    activity_put_uint(w, FIELD_DNS_RESPONSE_SIZE, 28 + strlen(name) + answer_bytes);
    activity_put_uint(w, FIELD_DNS_ANSWERS, status == 0);
    activity_put_uint(w, FIELD_DNS_ANSWER_BYTES, answer_bytes);
    activity_put_uint(w, FIELD_DNS_RECORD_MAX, answer_bytes);
    activity_put_uint(w, FIELD_STATUS, status);
    put_done(c, t->time);
}

void put_ping(struct company *c, const struct talk *t)
{
    struct activity_writer *w = &c->writer;
    begin(c, t, ACTIVITY_CLDAP_PING, 389, "udp");
    activity_put_text(w, FIELD_PING_DOMAIN, COMPANY_DOMAIN);
    activity_put_text(w, FIELD_PING_HOST, t->source->name);
    activity_put_uint(w, FIELD_NT_VERSION, 0x20000016);
    activity_put_uint(w, FIELD_PING_OPCODE, 23);
    activity_put_text(w, FIELD_DC_DOMAIN, COMPANY_DOMAIN);
    put_done(c, t->time);
}

static void begin_rpc(struct company *c, const struct talk *t, enum activity_kind kind, const char *interface,
                      const char *operation, uint32_t opnum)
{
    struct activity_writer *w = &c->writer;
    begin(c, t, kind, 445, "tcp");
    activity_put_text(w, FIELD_RPC_INTERFACE, interface);
    activity_put_uint(w, FIELD_RPC_OPNUM, opnum);
    activity_put_text(w, FIELD_RPC_OPERATION, operation);
    activity_put_uint(w, FIELD_RPC_CALLS, 1);
    activity_put_uint(w, FIELD_STATUS, 0);
    put_account(c, t->account, "connection");
}

void put_samr(struct company *c, const struct talk *t, const char *operation, uint32_t opnum,
              const char *name, uint32_t count)
{
    begin_rpc(c, t, ACTIVITY_SAMR_QUERY, "samr", operation, opnum);
    if (name)
        activity_put_text(&c->writer, FIELD_RPC_NAME, name);
    activity_put_uint(&c->writer, FIELD_RPC_COUNT, count);
    put_done(c, t->time);
}

void put_session_enumerate(struct company *c, const struct talk *t)
{
    begin_rpc(c, t, ACTIVITY_SESSION_ENUMERATE, "srvsvc", "NetrSessionEnum", 12);
    activity_put_uint(&c->writer, FIELD_RPC_LEVEL, 10);
    put_done(c, t->time);
}

void put_replicate(struct company *c, const struct talk *t)
{
    begin_rpc(c, t, ACTIVITY_DRS_REPLICATE, "drsuapi", "IDL_DRSGetNCChanges", 3);
    activity_put_bool(&c->writer, FIELD_SEALED, true);
    activity_put_uint(&c->writer, FIELD_RPC_REQUEST_BYTES, 600);
    activity_put_uint(&c->writer, FIELD_RPC_REPLY_BYTES, 4200);
    put_done(c, t->time);
}

void put_group_change(struct company *c, const struct talk *t, const char *group, uint32_t event,
                      const struct account *member)
{
    struct activity_writer *w = &c->writer;
    char dn[96];
    uint8_t guid[16] = {0};
    XXH128_hash_t hash = XXH3_128bits(group, strlen(group));
    memcpy(guid, &hash, sizeof(guid));
    begin(c, t, ACTIVITY_GROUP_CHANGE, 0, "tcp");
    activity_put_uint(w, FIELD_EVENT_ID, event);
    activity_put_text(w, FIELD_EVENT_COMPUTER, t->destination->name);
    activity_put_text(w, FIELD_EVENT_SOURCE, "forwarded");
    activity_put_text(w, FIELD_OPERATION, event == 4728 || event == 4732 ? "member_added" : "member_removed");
    activity_put_text(w, FIELD_ACCOUNT, t->account->name);
    activity_put_text(w, FIELD_ACCOUNT_DOMAIN, COMPANY_NET);
    activity_put_text(w, FIELD_GROUP_ACCOUNT, group);
    activity_put_text(w, FIELD_GROUP_ACCOUNT_DOMAIN, COMPANY_NET);
    snprintf(dn, sizeof(dn), "CN=%s,OU=Staff,DC=corp,DC=example", member->name);
    activity_put_text(w, FIELD_MEMBER_DN, dn);
    activity_put_text(w, FIELD_GROUP_NAME, group);
    activity_put_uuid(w, FIELD_GROUP_GUID, guid);
    activity_put_text(w, FIELD_TARGET_NAME, member->name);
    activity_put_text(w, FIELD_TARGET_KIND, "user");
    activity_put_uuid(w, FIELD_TARGET_GUID, member->guid);
    put_account(c, t->account, "named");
    put_done(c, t->time);
}

void put_vpn(struct company *c, const struct talk *t, const char *status, const char *from)
{
    struct activity_writer *w = &c->writer;
    begin(c, t, ACTIVITY_RADIUS_ACCOUNTING, 1813, "udp");
    activity_put_text(w, FIELD_RADIUS_STATUS, status);
    activity_put_text(w, FIELD_ACCOUNT, t->account->name);
    activity_put_text(w, FIELD_CALLING_STATION, from);
    activity_put_uint(w, FIELD_NAS_PORT_TYPE, 5);
    put_account(c, t->account, "named");
    put_done(c, t->time);
}
