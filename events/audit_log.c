/* SPDX-License-Identifier: Apache-2.0
 *
 * https://wiki.samba.org/index.php/Setting_up_Audit_Logging; times are in UTC, what a line does not know is
 * null.
 */
#include "events/audit_log.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/sid.h"
#include "events/translate_table.h"

/* One line under translation. */
struct job {
    const json_t *event; /* the object that bears the name of the type */
    const char *computer;
    int64_t time;
    struct activity_writer *w;
    enum activity_field list; /* that is to be filled */
    bool listing;             /* it has begun: with its first item */
};

/* --- values --- */

static struct bytes text_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_string(value)
               ? (struct bytes){(const uint8_t *)json_string_value(value), json_string_length(value)}
               : (struct bytes){0};
}

static bool is(struct bytes text, const char *word)
{
    return text.size == strlen(word) && strncasecmp((const char *)text.data, word, text.size) == 0;
}

static bool begins(struct bytes text, const char *word)
{
    size_t size = strlen(word);
    return text.size >= size && strncasecmp((const char *)text.data, word, size) == 0;
}

/* "2026-11-22T02:29:48.463195+0000": RFC 3339 but for the colon in the zone. */
static bool read_time(struct bytes text, int64_t *time)
{
    char fixed[64];
    if (text.size < 5 || text.size + 1 > sizeof fixed)
        return false;
    size_t head = text.size - 2;
    bool bare = text.data[text.size - 5] == '+' || text.data[text.size - 5] == '-';
    memcpy(fixed, text.data, head);
    if (bare)
        fixed[head] = ':';
    memcpy(fixed + head + bare, text.data + head, 2);
    return clock_rfc3339_parse(fixed, text.size + bare, time);
}

/* "ipv4:10.77.0.66:45114", "ipv6:2001:db8::7:389"; false for what is no address of the network ("unix:"), or
 * names nobody: none, loopback. */
static bool read_endpoint(struct bytes text, struct endpoint *to)
{
    char address[IP_ADDRESS_TEXT_MAX];
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}, one[16] = {[15] = 1};
    if (!begins(text, "ipv4:") && !begins(text, "ipv6:"))
        return false;
    const char *at = (const char *)text.data + 5, *colon = memrchr(at, ':', text.size - 5);
    if (!colon || (size_t)(colon - at) >= sizeof address)
        return false;
    memcpy(address, at, (size_t)(colon - at));
    address[colon - at] = '\0';
    unsigned port = 0;
    for (const char *digit = colon + 1; digit < (const char *)text.data + text.size; digit++) {
        if (*digit < '0' || *digit > '9')
            return false;
        port = port * 10 + (unsigned)(*digit - '0');
        if (port > UINT16_MAX)
            return false;
    }
    if (!ip_address_parse(address, &to->address))
        return false;
    if (to->address.family == 6 && memcmp(to->address.bytes, mapped, sizeof mapped) == 0) {
        struct ip_address inner = {.family = 4};
        memcpy(inner.bytes, to->address.bytes + 12, 4);
        to->address = inner;
    }
    to->port = (uint16_t)port;
    const struct ip_address none = {.family = to->address.family};
    bool loopback = to->address.family == 4 ? to->address.bytes[0] == 127
                                            : memcmp(to->address.bytes, one, sizeof one) == 0;
    return !loopback && !ip_address_equal(&to->address, &none);
}

/* A number in hexadecimal; 0: none. */
static uint64_t read_hex(struct bytes text)
{
    uint64_t number = 0;
    if (text.size > 16)
        return 0;
    for (size_t i = 0; i < text.size; i++) {
        unsigned c = text.data[i] | 0x20u, digit = c <= '9' ? c - '0' : c - 'a' + 10;
        if (digit > 15)
            return 0;
        number = number << 4 | digit;
    }
    return number;
}

#define STATUS_UNSUCCESSFUL 0xc0000001u

/* What Samba refuses logons with ([MS-ERREF] 2.3.1), and what its KDC says then (RFC 4120 7.5.9). */
static const struct status {
    const char *name;
    uint32_t number;
    uint8_t kerberos;
} statuses[] = {
    {"NT_STATUS_OK", 0, 0},
    {"NT_STATUS_WRONG_PASSWORD", 0xc000006a, 24},
    {"NT_STATUS_NO_SUCH_USER", 0xc0000064, 6},
    {"NT_STATUS_LOGON_FAILURE", 0xc000006d, 24},
    {"NT_STATUS_ACCOUNT_LOCKED_OUT", 0xc0000234, 18},
    {"NT_STATUS_ACCOUNT_DISABLED", 0xc0000072, 18},
    {"NT_STATUS_ACCOUNT_EXPIRED", 0xc0000193, 18},
    {"NT_STATUS_ACCOUNT_RESTRICTION", 0xc000006e, 12},
    {"NT_STATUS_PASSWORD_EXPIRED", 0xc0000071, 23},
    {"NT_STATUS_PASSWORD_MUST_CHANGE", 0xc0000224, 23},
    {"NT_STATUS_INVALID_LOGON_HOURS", 0xc000006f, 12},
    {"NT_STATUS_INVALID_WORKSTATION", 0xc0000070, 12},
    {"NT_STATUS_TIME_DIFFERENCE_AT_DC", 0xc0000133, 37},
    {"NT_STATUS_ACCESS_DENIED", 0xc0000022, 12},
    {"NT_STATUS_LOGON_TYPE_NOT_GRANTED", 0xc000015b, 12},
    {"NT_STATUS_NOLOGON_WORKSTATION_TRUST_ACCOUNT", 0xc0000199, 12},
    {"NT_STATUS_NOLOGON_SERVER_TRUST_ACCOUNT", 0xc000019a, 12},
    {"NT_STATUS_NOLOGON_INTERDOMAIN_TRUST_ACCOUNT", 0xc0000198, 12},
    {"NT_STATUS_NO_TRUST_SAM_ACCOUNT", 0xc000018b, 6},
    {"NT_STATUS_NO_LOGON_SERVERS", 0xc000005e, 60},
    {"NT_STATUS_AUTHENTICATION_FIREWALL_FAILED", 0xc0000413, 12},
    {"NT_STATUS_DOWNGRADE_DETECTED", 0xc0000388, 60},
    {"NT_STATUS_NTLM_BLOCKED", 0xc0000418, 60},
    {"NT_STATUS_CONNECTION_REFUSED", 0xc0000236, 60},
    {"NT_STATUS_GENERIC_COMMAND_FAILED", 0xc0150002, 60},
    {"NT_STATUS_INVALID_PARAMETER", 0xc000000d, 60},
    {"NT_STATUS_INTERNAL_ERROR", 0xc00000e5, 60},
};

static struct status status_of(struct bytes text)
{
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (is(text, statuses[i].name))
            return statuses[i];
    return (struct status){.number = STATUS_UNSUCCESSFUL, .kerberos = 60};
}

/* --- putting --- */

static void put_bytes(struct job *job, enum activity_field field, struct bytes text)
{
    if (text.size)
        activity_put_string(job->w, field, text.data, text.size);
}

static void put_text(struct job *job, enum activity_field field, const char *key)
{
    put_bytes(job, field, text_of(job->event, key));
}

static void put_sid(struct job *job, enum activity_field field, const char *key)
{
    uint8_t sid[SID_BYTES_MAX];
    struct bytes text = text_of(job->event, key);
    size_t size = sid_parse(text.data, text.size, sid);
    if (size)
        activity_put_sid(job->w, field, sid, size);
}

static void put_uuid(struct job *job, enum activity_field field, const char *key)
{
    uint8_t uuid[16];
    struct bytes text = text_of(job->event, key);
    if (uuid_parse(text.data, text.size, uuid))
        activity_put_uuid(job->w, field, uuid);
}

/* False: it has none, or not one that a field holds. */
static bool number_of(const struct job *job, const char *key, uint64_t *number)
{
    const json_t *value = json_object_get(job->event, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *number = (uint64_t)json_integer_value(value);
    return true;
}

static void put_number(struct job *job, enum activity_field field, const char *key)
{
    uint64_t number;
    if (number_of(job, key, &number))
        activity_put_uint(job->w, field, number);
}

/* What all lines have; `failed`: what it tells of was not done. */
static void begin(struct job *job, enum activity_kind kind, bool failed)
{
    struct endpoint remote, local;
    uint64_t microseconds;
    activity_begin(job->w, kind, job->time);
    if (read_endpoint(text_of(job->event, "remoteAddress"), &remote)) {
        activity_put_address(job->w, FIELD_SOURCE, &remote.address);
        if (remote.port)
            activity_put_uint(job->w, FIELD_SOURCE_PORT, remote.port);
    }
    if (read_endpoint(text_of(job->event, "localAddress"), &local)) {
        activity_put_address(job->w, FIELD_DESTINATION, &local.address);
        if (local.port)
            activity_put_uint(job->w, FIELD_DESTINATION_PORT, local.port);
    }
    if (number_of(job, "duration", &microseconds) && microseconds <= INT64_MAX / 1000)
        activity_put_duration(job->w, FIELD_DURATION, (int64_t)microseconds * 1000);
    if (activity_allows(kind, FIELD_EVENT_ID))
        put_number(job, FIELD_EVENT_ID, "eventId");
    if (job->computer)
        activity_put_text(job->w, FIELD_EVENT_COMPUTER, job->computer);
    activity_put_text(job->w, FIELD_EVENT_SOURCE, "samba");
    if (failed && activity_allows(kind, FIELD_EVENT_FAILURE))
        activity_put_bool(job->w, FIELD_EVENT_FAILURE, true);
}

/* --- Authentication --- */

/* account@realm in two; without @ only the first. */
static void split(struct bytes text, struct bytes *account, struct bytes *realm)
{
    const uint8_t *at = text.size ? memrchr(text.data, '@', text.size) : NULL;
    *account = text;
    *realm = (struct bytes){0};
    if (at) {
        account->size = (size_t)(at - text.data);
        *realm = (struct bytes){at + 1, text.size - account->size - 1};
    }
}

/* Whom Samba took the name for; else as it was named; else what the session became (anonymous). */
static void put_account(struct job *job)
{
    struct bytes account = text_of(job->event, "mappedAccount"), domain = text_of(job->event, "mappedDomain"),
                 realm;
    if (!account.size) {
        split(text_of(job->event, "clientAccount"), &account, &realm);
        domain = realm.size ? realm : text_of(job->event, "clientDomain");
    }
    if (!account.size) {
        account = text_of(job->event, "becameAccount");
        domain = text_of(job->event, "becameDomain");
    }
    if (!domain.size)
        domain = text_of(job->event, "clientDomain");
    put_bytes(job, FIELD_ACCOUNT, account);
    put_bytes(job, FIELD_ACCOUNT_DOMAIN, domain);
    put_sid(job, FIELD_ACTING_SID, "becameSid");
    uint64_t session = read_hex(text_of(job->event, "logonId"));
    if (session)
        activity_put_uint(job->w, FIELD_LOGON_ID, session);
}

static void put_variant(struct job *job)
{
    struct bytes type = text_of(job->event, "passwordType");
    if (is(type, "NTLMv1"))
        activity_put_text(job->w, FIELD_NTLM_VARIANT, "ntlmv1");
    else if (is(type, "NTLMv2"))
        activity_put_text(job->w, FIELD_NTLM_VARIANT, "ntlmv2");
    put_bytes(job, FIELD_PASSWORD_TYPE, type);
}

static void put_channel(struct job *job)
{
    struct bytes computer = text_of(job->event, "netlogonComputer");
    if (!computer.size)
        return;
    put_bytes(job, FIELD_SECURE_CHANNEL, computer);
    put_number(job, FIELD_NETLOGON_CHANNEL_TYPE, "netlogonSecureChannelType");
}

/* The long-term key that proved it (RFC 3961 8, RFC 4757). */
static void put_key_type(struct job *job)
{
    static const struct {
        const char *name;
        int8_t number;
    } types[] = {{"aes256-cts-hmac-sha1-96", 18},
                 {"aes128-cts-hmac-sha1-96", 17},
                 {"arcfour-hmac-md5", 23},
                 {"des-cbc-md5", 3},
                 {"des-cbc-crc", 1}};
    struct bytes name = text_of(job->event, "passwordType");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (is(name, types[i].name))
            activity_put_int(job->w, FIELD_PREAUTH_ETYPE, types[i].number);
    put_bytes(job, FIELD_PASSWORD_TYPE, name);
}

/* Samba's KDC: the line stands for event 4768 or 4771. */
static enum event_verdict kerberos_as(struct job *job, struct status status)
{
    struct bytes how = text_of(job->event, "authDescription");
    begin(job, ACTIVITY_WINDOWS_KERBEROS_AS, status.number);
    put_account(job);
    activity_put_uint(job->w, FIELD_STATUS, status.kerberos);
    if (status.number)
        activity_put_uint(job->w, FIELD_SUB_STATUS, status.number);
    if (begins(how, "ENC-TS"))
        activity_put_int(job->w, FIELD_PREAUTH_TYPE, 2);
    else if (begins(how, "ENC-CHAL"))
        activity_put_int(job->w, FIELD_PREAUTH_TYPE, 138);
    else if (begins(how, "PKINIT"))
        activity_put_int(job->w, FIELD_PREAUTH_TYPE, 16);
    put_bytes(job, FIELD_AUTHENTICATION_PACKAGE, how);
    put_text(job, FIELD_SERVICE_DESCRIPTION, "serviceDescription");
    put_key_type(job);
    return EVENT_TOLD;
}

/* A member server asked whether an NTLM logon is right: event 4776. */
static enum event_verdict sam_logon(struct job *job, struct status status)
{
    begin(job, ACTIVITY_NTLM_VALIDATION, status.number);
    put_account(job);
    activity_put_uint(job->w, FIELD_STATUS, status.number);
    put_text(job, FIELD_WORKSTATION, "workstation");
    put_text(job, FIELD_AUTHENTICATION_PACKAGE, "authDescription");
    put_text(job, FIELD_SERVICE_DESCRIPTION, "serviceDescription");
    put_number(job, FIELD_LOGON_TYPE, "logonType");
    put_variant(job);
    put_channel(job);
    return EVENT_TOLD;
}

static enum event_verdict authentication(struct job *job)
{
    struct bytes service = text_of(job->event, "serviceDescription"), said = text_of(job->event, "status");
    struct status status = status_of(said);
    if (!service.size || !said.size)
        return EVENT_INVALID;
    if (is(service, "Kerberos KDC"))
        return kerberos_as(job, status);
    if (is(service, "SamLogon"))
        return sam_logon(job, status);
    begin(job, ACTIVITY_WINDOWS_LOGON, status.number);
    put_account(job);
    if (status.number) {
        activity_put_uint(job->w, FIELD_STATUS, status.number);
        activity_put_uint(job->w, FIELD_SUB_STATUS, status.number);
    }
    put_text(job, FIELD_WORKSTATION, "workstation");
    put_number(job, FIELD_LOGON_TYPE, "logonType");
    put_text(job, FIELD_AUTHENTICATION_PACKAGE, "authDescription");
    put_bytes(job, FIELD_SERVICE_DESCRIPTION, service);
    put_variant(job);
    put_channel(job);
    return EVENT_TOLD;
}

/* --- Authorization --- */

static enum event_verdict authorization(struct job *job)
{
    struct bytes sid = text_of(job->event, "sid");
    struct endpoint remote;
    if (!sid.size)
        return EVENT_INVALID;
    /* Samba's own parts speak to each other as SYSTEM. */
    if (is(sid, "S-1-5-18") && !read_endpoint(text_of(job->event, "remoteAddress"), &remote))
        return EVENT_IGNORED;
    begin(job, ACTIVITY_DIRECTORY_SESSION, false);
    put_text(job, FIELD_ACCOUNT, "account");
    put_text(job, FIELD_ACCOUNT_DOMAIN, "domain");
    put_sid(job, FIELD_ACTING_SID, "sid");
    put_uuid(job, FIELD_SESSION_ID, "sessionId");
    put_text(job, FIELD_SERVICE_DESCRIPTION, "serviceDescription");
    put_text(job, FIELD_AUTHENTICATION_PACKAGE, "authType");
    put_text(job, FIELD_TRANSPORT_PROTECTION, "transportProtection");
    return EVENT_TOLD;
}

/* Since Samba 4.19: what the KDC granted, or refused by policy; events 4768 and 4769. */
static enum event_verdict kdc_authorization(struct job *job)
{
    struct bytes how = text_of(job->event, "authType"), said = text_of(job->event, "status");
    struct status status = status_of(said);
    bool ticket = begins(how, "TGS-REQ");
    if (!said.size || (!ticket && !begins(how, "AS-REQ")))
        return EVENT_INVALID;
    begin(job, ticket ? ACTIVITY_WINDOWS_KERBEROS_TGS : ACTIVITY_WINDOWS_KERBEROS_AS, status.number);
    put_text(job, FIELD_ACCOUNT, "account");
    put_text(job, FIELD_ACCOUNT_DOMAIN, "domain");
    put_sid(job, FIELD_ACTING_SID, "sid");
    put_text(job, FIELD_SERVICE, "serviceDescription");
    activity_put_uint(job->w, FIELD_STATUS, status.kerberos);
    if (status.number)
        activity_put_uint(job->w, FIELD_SUB_STATUS, status.number);
    put_bytes(job, FIELD_AUTHENTICATION_PACKAGE, how);
    return EVENT_TOLD;
}

/* --- the directory --- */

/* The value of a name's first part, RFC 4514 2.4: what is escaped by itself is itself. */
static void put_first_name(struct job *job, enum activity_field field, struct bytes dn)
{
    char name[256];
    size_t size = 0;
    const uint8_t *at = dn.size ? memchr(dn.data, '=', dn.size) : NULL, *end = dn.data + dn.size;
    if (!at)
        return;
    for (at++; at < end && *at != ',' && size < sizeof name; at++) {
        if (*at == '\\' && at + 1 < end && strchr(",+\"\\<>;=# ", at[1]) && at[1])
            at++;
        name[size++] = (char)*at;
    }
    if (size)
        activity_put_string(job->w, field, name, size);
}

/* Whose session changes what, and whether it did. */
static void put_change(struct job *job)
{
    put_sid(job, FIELD_ACTING_SID, "userSid");
    put_uuid(job, FIELD_SESSION_ID, "sessionId");
    put_uuid(job, FIELD_TRANSACTION_ID, "transactionId");
    put_number(job, FIELD_STATUS, "statusCode");
}

/* True when the line says so, or says nothing of it. */
static bool succeeded(const struct job *job)
{
    uint64_t code;
    return !number_of(job, "statusCode", &code) || code == 0;
}

static const char *group_operation(struct bytes action)
{
    return is(action, "Added")          ? "member_added"
           : is(action, "Removed")      ? "member_removed"
           : is(action, "PrimaryGroup") ? "primary_group"
                                        : NULL;
}

/* The number tells the group's scope and whether it gives rights. */
static void put_scope(struct job *job)
{
    uint64_t id = 0;
    const struct event_row *row = NULL;
    if (number_of(job, "eventId", &id) && id <= UINT32_MAX)
        row = event_row((uint32_t)id);
    for (size_t i = 0; row && i < sizeof row->facts / sizeof *row->facts && row->facts[i].field; i++) {
        const struct event_fact *fact = &row->facts[i];
        if (fact->field == FIELD_GROUP_SCOPE)
            activity_put_text(job->w, FIELD_GROUP_SCOPE, fact->text);
        else if (fact->field == FIELD_GROUP_SECURITY)
            activity_put_bool(job->w, FIELD_GROUP_SECURITY, fact->flag);
    }
}

static enum event_verdict group_change(struct job *job)
{
    struct bytes group = text_of(job->event, "group"), user = text_of(job->event, "user");
    struct bytes action = text_of(job->event, "action");
    const char *operation = group_operation(action);
    if (!group.size || !action.size)
        return EVENT_INVALID;
    /* What is made new "joins itself"; a group that is deleted is no change of its members. */
    bool itself = group.size == user.size && memcmp(group.data, user.data, user.size) == 0;
    if (!operation || !user.size || itself)
        return EVENT_IGNORED;
    begin(job, ACTIVITY_GROUP_CHANGE, !succeeded(job));
    activity_put_text(job->w, FIELD_OPERATION, operation);
    put_change(job);
    put_first_name(job, FIELD_GROUP_ACCOUNT, group);
    put_bytes(job, FIELD_LDAP_DN, group);
    put_scope(job);
    put_bytes(job, FIELD_MEMBER_DN, user);
    return EVENT_TOLD;
}

static enum event_verdict password_change(struct job *job)
{
    struct bytes dn = text_of(job->event, "dn"), action = text_of(job->event, "action");
    bool reset = is(action, "Reset");
    if (!dn.size || (!reset && !is(action, "Change")))
        return EVENT_INVALID;
    begin(job, ACTIVITY_ACCOUNT_CHANGE, !succeeded(job));
    activity_put_text(job->w, FIELD_OPERATION, reset ? "password_reset" : "password_change");
    put_change(job);
    put_first_name(job, FIELD_CHANGED_ACCOUNT, dn);
    put_bytes(job, FIELD_LDAP_DN, dn);
    return EVENT_TOLD;
}

static void list_change(struct job *job, const char *action, const char *attribute, struct bytes value)
{
    char item[ACTIVITY_STRING_MAX];
    struct text t = text_to(item, sizeof item);
    if (action) {
        text_string(&t, action);
        text_char(&t, ':');
    }
    text_string(&t, attribute);
    if (value.data) {
        text_char(&t, '=');
        text_put(&t, value.data, value.size);
    }
    size_t size = text_end(&t);
    if (size >= sizeof item) {
        size = sizeof item - 1;
        job->w->truncated = true;
    }
    job->listing = job->listing || activity_list_begin(job->w, job->list);
    if (job->listing)
        activity_list_string(job->w, item, size);
}

/* Of each attribute each action: what is done, and by which values. */
static void list_attributes(struct job *job, const json_t *attributes, bool created, bool values)
{
    const char *attribute;
    const json_t *of;
    json_object_foreach((json_t *)(uintptr_t)attributes, attribute, of)
    {
        const json_t *actions = json_object_get(of, "actions");
        for (size_t i = 0; i < json_array_size(actions); i++) {
            const json_t *one = json_array_get(actions, i), *list = json_object_get(one, "values");
            const char *action = json_string_value(json_object_get(one, "action"));
            if (!action)
                continue;
            if (!values) {
                list_change(job, action, attribute, (struct bytes){0});
                continue;
            }
            for (size_t k = 0; k < json_array_size(list); k++) {
                const json_t *value = json_array_get(list, k);
                if (!json_is_true(json_object_get(value, "base64")) && text_of(value, "value").data)
                    list_change(job, created ? NULL : action, attribute, text_of(value, "value"));
            }
        }
    }
}

static void put_list(struct job *job, enum activity_field field, const json_t *attributes, bool created)
{
    job->list = field;
    job->listing = false;
    list_attributes(job, attributes, created, field == FIELD_ATTRIBUTE_VALUES);
    if (job->listing)
        activity_list_end(job->w);
}

/* Samba leaves the values of its own secrets out; those that others keep in the directory it does not know.
 */
static void forget_secrets(json_t *attributes)
{
    const char *attribute;
    void *next;
    json_t *of;
    json_object_foreach_safe(attributes, next, attribute, of)
    {
        struct bytes name = {(const uint8_t *)attribute, strlen(attribute)};
        if (!event_attribute_is_secret(name))
            continue;
        json_t *actions = json_object_get(of, "actions");
        for (size_t i = 0; i < json_array_size(actions); i++)
            json_object_del(json_array_get(actions, i), "values");
    }
}

static void put_class(struct job *job, const json_t *attributes)
{
    const json_t *actions = json_object_get(json_object_get(attributes, "objectClass"), "actions");
    const json_t *values = json_object_get(json_array_get(actions, 0), "values");
    size_t count = json_array_size(values);
    if (count)
        put_bytes(job, FIELD_OBJECT_CLASS, text_of(json_array_get(values, count - 1), "value"));
}

static enum event_verdict directory_change(struct job *job)
{
    static const char *const operations[][2] = {
        {"Add", "created"}, {"Modify", "modified"}, {"Delete", "deleted"}, {"Rename", "moved"}};
    struct bytes dn = text_of(job->event, "dn"), said = text_of(job->event, "operation");
    json_t *attributes = json_object_get(job->event, "attributes");
    const json_t *as_system = json_object_get(job->event, "performedAsSystem");
    const char *operation = NULL;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (is(said, operations[i][0]))
            operation = operations[i][1];
    if (!operation || !dn.size)
        return EVENT_INVALID;
    bool created = is(said, "Add");
    begin(job, ACTIVITY_DIRECTORY_CHANGE, !succeeded(job));
    activity_put_text(job->w, FIELD_OPERATION, operation);
    put_change(job);
    put_bytes(job, FIELD_LDAP_DN, dn);
    put_text(job, FIELD_NEW_DN, "newDn");
    if (json_is_boolean(as_system))
        activity_put_bool(job->w, FIELD_PERFORMED_AS_SYSTEM, json_is_true(as_system));
    if (!json_object_size(attributes))
        return EVENT_TOLD;
    forget_secrets(attributes);
    put_class(job, attributes);
    if (!created)
        put_list(job, FIELD_CHANGES, attributes, created);
    put_list(job, FIELD_ATTRIBUTE_VALUES, attributes, created);
    return EVENT_TOLD;
}

static enum event_verdict transaction(struct job *job)
{
    struct bytes action = text_of(job->event, "action");
    uint64_t code;
    if (!action.size)
        return EVENT_INVALID;
    /* That a transaction ended well is what its changes say themselves. */
    if (!is(action, "rollback") && succeeded(job))
        return EVENT_IGNORED;
    begin(job, ACTIVITY_DIRECTORY_TRANSACTION, true);
    put_bytes(job, FIELD_OPERATION, action);
    put_uuid(job, FIELD_TRANSACTION_ID, "transactionId");
    if (number_of(job, "statusCode", &code))
        activity_put_uint(job->w, FIELD_STATUS, code);
    return EVENT_TOLD;
}

/* --- a line --- */

static enum event_verdict translate(const json_t *root, struct job *job)
{
    static const struct {
        const char *type;
        enum event_verdict (*translate)(struct job *job);
    } types[] = {
        {"Authentication", authentication},
        {"Authorization", authorization},
        {"KDC Authorization", kdc_authorization},
        {"dsdbChange", directory_change},
        {"groupChange", group_change},
        {"passwordChange", password_change},
        {"dsdbTransaction", transaction},
    };
    struct bytes type = text_of(root, "type");
    if (!type.size)
        return EVENT_INVALID;
    job->event = json_object_get(root, (const char *)type.data);
    if (!json_is_object(job->event) || !read_time(text_of(root, "timestamp"), &job->time))
        return EVENT_INVALID;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (is(type, types[i].type))
            return types[i].translate(job);
    return EVENT_IGNORED; /* replicatedUpdate, and what later versions add */
}

enum event_verdict audit_log_translate(struct bytes line, const char *computer, struct activity_writer *w)
{
    struct job job = {.computer = computer, .w = w};
    const uint8_t *from = line.size ? memchr(line.data, '{', line.size) : NULL;
    if (!from)
        return EVENT_IGNORED;
    if (line.size > AUDIT_LINE_MAX)
        return EVENT_INVALID;
    json_t *root = json_loadb((const char *)from, line.size - (size_t)(from - line.data),
                              JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, NULL);
    if (!root)
        return EVENT_INVALID;
    enum event_verdict verdict = translate(root, &job);
    json_decref(root);
    return verdict;
}
