/* SPDX-License-Identifier: Apache-2.0 */
#include "node/activity_row.h"

#include "node/result_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* Appends to a cell; what does not fit is cut. */
struct cell {
    char *text;
    size_t size;
};

static void cell_add(struct cell *cell, const char *text)
{
    size_t room = ROW_TEXT_MAX - 1 - cell->size;
    size_t n = strlen(text) < room ? strlen(text) : room;
    memcpy(cell->text + cell->size, text, n);
    cell->size += n;
    cell->text[cell->size] = '\0';
}

static struct cell cell_of(struct activity_row *row, enum row_column column)
{
    row->text[column][0] = '\0';
    return (struct cell){.text = row->text[column], .size = 0};
}

static void cell_add_value(struct cell *cell, const struct activity_value *value)
{
    char text[ROW_TEXT_MAX];
    activity_value_text(value, text, sizeof(text));
    cell_add(cell, text);
}

/* "2026-01-31 23:59:59.123": to the millisecond; the whole stands in the JSON. */
static void add_time(struct cell *cell, int64_t time)
{
    time_t seconds = (time_t)(time / 1000000000);
    struct tm tm;
    char text[64], date[40];
    if (!gmtime_r(&seconds, &tm))
        return;
    strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
    snprintf(text, sizeof(text), "%s.%03d", date, (int)(time % 1000000000 / 1000000));
    cell_add(cell, text);
}

static void add_destination(struct cell *cell, const struct activity *a)
{
    const struct activity_value *address = activity_get(a, FIELD_DESTINATION);
    const struct activity_value *port = activity_get(a, FIELD_DESTINATION_PORT);
    const struct activity_value *logged = activity_get(a, FIELD_EVENT_COMPUTER);
    if (!address && logged) /* an event: the computer that it happened on */
        cell_add_value(cell, logged);
    if (!address)
        return;
    cell_add_value(cell, address);
    if (port) {
        char text[16];
        snprintf(text, sizeof(text), " %" PRIu64, port->uint);
        cell_add(cell, text);
    }
}

static void add_account(struct cell *cell, const struct activity *a)
{
    const struct activity_value *account = activity_get(a, FIELD_ACCOUNT);
    const struct activity_value *domain = activity_get(a, FIELD_ACCOUNT_DOMAIN);
    if (account)
        cell_add_value(cell, account);
    if (account && domain && domain->bytes.size > 0) {
        cell_add(cell, "@");
        cell_add_value(cell, domain);
    }
}

static void add_result(struct cell *cell, const struct activity *a, struct activity_row *row)
{
    const struct activity_value *answered = activity_get(a, FIELD_ANSWERED);
    const struct activity_value *status = activity_get(a, FIELD_STATUS);
    row->pending = answered && !answered->boolean;
    row->failed = status && status->uint != 0;
    if (row->failed) {
        const char *name = result_name(a->kind, status->uint);
        char number[32];
        snprintf(number, sizeof(number), status->uint > 4096 ? "0x%08" PRIx64 : "%" PRIu64, status->uint);
        cell_add(cell, name ? name : number);
    } else if (row->pending) {
        cell_add(cell, "no answer");
    } else if (status) {
        cell_add(cell, "ok");
    }
}

/* Fields that have a column of their own or tell people little. */
static bool shown_elsewhere(enum activity_field field)
{
    switch (field) {
    case FIELD_VERSION:
    case FIELD_KIND:
    case FIELD_TIME:
    case FIELD_DURATION:
    case FIELD_SOURCE:
    case FIELD_SOURCE_PORT:
    case FIELD_DESTINATION:
    case FIELD_DESTINATION_PORT:
    case FIELD_TRANSPORT:
    case FIELD_FLOW:
    case FIELD_ANSWERED:
    case FIELD_ACCOUNT:
    case FIELD_ACCOUNT_DOMAIN:
    case FIELD_STATUS:
        return true;
    default:
        return false;
    }
}

/* Kinds whose facts are worth an order: the first one stands bare, the others with their names. Any other
 * kind shows all that it has, in the order in which it was found. FIELD_VERSION ends a row. */
#define TOLD_MAX 8
static const struct {
    enum activity_kind kind;
    enum activity_field fields[TOLD_MAX];
} told[] = {
    {ACTIVITY_KERBEROS_AS,
     {FIELD_SERVICE, FIELD_PREAUTH_ETYPE, FIELD_OFFERED_ETYPES, FIELD_ISSUED_TICKET_ETYPE, FIELD_REPLY_ETYPE,
      FIELD_PKINIT, FIELD_FAST}},
    {ACTIVITY_KERBEROS_TGS,
     {FIELD_SERVICE, FIELD_OFFERED_ETYPES, FIELD_TICKET_ETYPE, FIELD_ISSUED_TICKET_ETYPE,
      FIELD_S4U2SELF_ACCOUNT, FIELD_S4U2PROXY}},
    {ACTIVITY_KERBEROS_AP, {FIELD_TICKET_SERVICE, FIELD_TICKET_ETYPE, FIELD_CARRIER}},
    {ACTIVITY_KERBEROS_ERROR, {FIELD_SERVICE, FIELD_KERBEROS_ERROR_TEXT}},
    {ACTIVITY_KERBEROS_PASSWORD_CHANGE, {FIELD_PASSWORD_PROTOCOL, FIELD_TICKET_SERVICE}},
    {ACTIVITY_KERBEROS_CRED, {FIELD_TICKET_SERVICES, FIELD_TICKET_ETYPES, FIELD_CARRIER}},
    {ACTIVITY_NTLM_AUTHENTICATE,
     {FIELD_NTLM_VARIANT, FIELD_CARRIER, FIELD_WORKSTATION, FIELD_NTLM_SERVER_NB_COMPUTER,
      FIELD_NTLM_TARGET_SPN, FIELD_NTLM_MIC}},
    {ACTIVITY_LDAP_BIND,
     {FIELD_BIND_METHOD, FIELD_SASL_MECHANISM, FIELD_BIND_NAME, FIELD_PASSWORD_SENT, FIELD_ANONYMOUS_BIND}},
    {ACTIVITY_LDAP_SEARCH,
     {FIELD_SEARCH_FILTER, FIELD_SEARCH_BASE, FIELD_ENTRIES, FIELD_LDAP_ATTRIBUTES, FIELD_DIRSYNC_FLAGS}},
    {ACTIVITY_LDAP_ADD, {FIELD_LDAP_DN, FIELD_LDAP_ATTRIBUTES}},
    {ACTIVITY_LDAP_MODIFY, {FIELD_LDAP_DN, FIELD_CHANGES, FIELD_ATTRIBUTE_VALUES}},
    {ACTIVITY_LDAP_MODIFY_DN, {FIELD_LDAP_DN, FIELD_NEW_RDN, FIELD_NEW_SUPERIOR}},
    {ACTIVITY_LDAP_DELETE, {FIELD_LDAP_DN}},
    {ACTIVITY_LDAP_COMPARE, {FIELD_LDAP_DN, FIELD_COMPARED_ATTRIBUTE}},
    {ACTIVITY_LDAP_EXTENDED, {FIELD_EXTENDED_OID, FIELD_AUTHORIZATION_IDENTITY}},
    {ACTIVITY_CLDAP_PING,
     {FIELD_PING_DOMAIN, FIELD_PING_HOST, FIELD_PING_USER, FIELD_DC_HOST, FIELD_DC_SITE, FIELD_CLIENT_SITE}},
    {ACTIVITY_SMB_NEGOTIATE,
     {FIELD_SMB_DIALECT, FIELD_SMB1_DIALECT, FIELD_SMB_DIALECTS, FIELD_CLIENT_SIGNING_REQUIRED,
      FIELD_SERVER_SIGNING_REQUIRED, FIELD_ENCRYPTION_CIPHER, FIELD_COMPRESSION_CHOSEN}},
    {ACTIVITY_SMB_SESSION,
     {FIELD_SESSION_MECHANISM, FIELD_GUEST, FIELD_NULL_SESSION, FIELD_SESSION_ENCRYPTED,
      FIELD_SIGNATURE_VERIFIED, FIELD_CLIENT_OS}},
    {ACTIVITY_SMB_TREE_CONNECT, {FIELD_SHARE_PATH, FIELD_SHARE_TYPE, FIELD_MAXIMAL_ACCESS}},
    {ACTIVITY_SMB_OPEN,
     {FIELD_FILE_PATH, FIELD_SHARE_PATH, FIELD_READ_BYTES, FIELD_WRITE_BYTES, FIELD_LISTINGS, FIELD_DELETED,
      FIELD_RENAMED_TO}},
    {ACTIVITY_SMB_IOCTL, {FIELD_FSCTL, FIELD_FILE_PATH, FIELD_SHARE_PATH}},
    {ACTIVITY_SMB_ENCRYPTED,
     {FIELD_SEALED_REQUESTS, FIELD_SEALED_REQUEST_BYTES, FIELD_SEALED_REPLIES, FIELD_SEALED_REPLY_BYTES}},
    {ACTIVITY_SMB_SIGNATURE_BAD, {FIELD_SMB_COMMAND, FIELD_SMB_FROM_SERVER}},
    {ACTIVITY_RPC_BIND,
     {FIELD_RPC_INTERFACES, FIELD_RPC_ACCEPTED, FIELD_RPC_AUTH_TYPE, FIELD_RPC_AUTH_LEVEL, FIELD_RPC_PIPE}},
    {ACTIVITY_RPC_CALL,
     {FIELD_RPC_OPERATION, FIELD_RPC_INTERFACE, FIELD_RPC_OPNUM, FIELD_RPC_CALLS, FIELD_RPC_PIPE,
      FIELD_SEALED}},
    {ACTIVITY_DNS_QUERY, {FIELD_DNS_NAME, FIELD_DNS_TYPE, FIELD_ADDRESSES, FIELD_DNS_TARGETS}},
    {ACTIVITY_DNS_TRANSFER,
     {FIELD_DNS_ZONE, FIELD_DNS_TYPE, FIELD_DNS_RECORDS, FIELD_DNS_BYTES, FIELD_DNS_COMPLETE}},
    {ACTIVITY_DNS_UPDATE,
     {FIELD_DNS_ZONE, FIELD_DNS_ADDED_NAMES, FIELD_DNS_ADDED_ADDRESSES, FIELD_DNS_DELETED_NAMES}},
    {ACTIVITY_LLMNR_QUERY, {FIELD_DNS_NAME, FIELD_DNS_TYPE, FIELD_ADDRESSES, FIELD_RESPONDER}},
    {ACTIVITY_LLMNR_ANSWER, {FIELD_DNS_NAME, FIELD_DNS_TYPE, FIELD_ADDRESSES, FIELD_RESPONDER}},
    {ACTIVITY_NBNS_QUERY, {FIELD_NETBIOS_NAME, FIELD_NETBIOS_SUFFIX, FIELD_ADDRESSES, FIELD_RESPONDER}},
    {ACTIVITY_NBNS_REGISTRATION, {FIELD_NETBIOS_NAME, FIELD_NETBIOS_SUFFIX, FIELD_ADDRESSES}},
    {ACTIVITY_DHCP_LEASE,
     {FIELD_LEASED_ADDRESS, FIELD_DHCP_HOST, FIELD_DHCP_MAC, FIELD_DHCP_MESSAGE, FIELD_DHCP_REPLY}},
    {ACTIVITY_RADIUS_ACCOUNTING,
     {FIELD_RADIUS_STATUS, FIELD_FRAMED_ADDRESSES, FIELD_CALLING_STATION, FIELD_NAS_NAME,
      FIELD_RADIUS_SESSION}},
    {ACTIVITY_HTTP_REQUEST,
     {FIELD_HTTP_METHOD, FIELD_HTTP_HOST, FIELD_HTTP_PATH, FIELD_HTTP_AUTHENTICATION, FIELD_HTTP_USER_AGENT}},
    {ACTIVITY_TLS_SESSION, {FIELD_TLS_SERVER_NAME, FIELD_TLS_VERSION, FIELD_TLS_CIPHER}},
    {ACTIVITY_PORT_SCAN, {FIELD_SCANNED_PORTS, FIELD_CONNECTIONS_REFUSED, FIELD_CONNECTIONS_UNANSWERED}},
    {ACTIVITY_RDP_CONNECT, {FIELD_RDP_COOKIE, FIELD_RDP_SELECTED}},
    {ACTIVITY_WINDOWS_LOGON,
     {FIELD_EVENT_ID, FIELD_LOGON_TYPE, FIELD_AUTHENTICATION_PACKAGE, FIELD_NTLM_VARIANT, FIELD_WORKSTATION,
      FIELD_SUB_STATUS, FIELD_LOGON_ID, FIELD_PROCESS_NAME}},
    {ACTIVITY_NTLM_VALIDATION, {FIELD_EVENT_ID, FIELD_WORKSTATION, FIELD_SECURE_CHANNEL}},
    {ACTIVITY_WINDOWS_KERBEROS_AS,
     {FIELD_EVENT_ID, FIELD_SERVICE, FIELD_PREAUTH_TYPE, FIELD_ISSUED_TICKET_ETYPE, FIELD_PKINIT,
      FIELD_CERTIFICATE_ISSUER}},
    {ACTIVITY_WINDOWS_KERBEROS_TGS,
     {FIELD_EVENT_ID, FIELD_SERVICE, FIELD_ISSUED_TICKET_ETYPE, FIELD_TRANSMITTED_SERVICES}},
    {ACTIVITY_GROUP_CHANGE,
     {FIELD_EVENT_ID, FIELD_OPERATION, FIELD_GROUP_ACCOUNT, FIELD_GROUP_ACCOUNT_DOMAIN, FIELD_MEMBER_DN,
      FIELD_MEMBER_SID, FIELD_GROUP_SCOPE, FIELD_GROUP_SECURITY}},
    {ACTIVITY_ACCOUNT_CHANGE,
     {FIELD_EVENT_ID, FIELD_OPERATION, FIELD_CHANGED_ACCOUNT, FIELD_CHANGED_ACCOUNT_DOMAIN,
      FIELD_NEW_ACCOUNT_NAME, FIELD_WORKSTATION, FIELD_LDAP_ATTRIBUTES, FIELD_NEW_ACCOUNT_CONTROL}},
    {ACTIVITY_SERVICE_INSTALL,
     {FIELD_EVENT_ID, FIELD_SERVICE_NAME, FIELD_SERVICE_BINARY, FIELD_SERVICE_ACCOUNT,
      FIELD_SERVICE_START_TYPE}},
    {ACTIVITY_DIRECTORY_ACCESS,
     {FIELD_EVENT_ID, FIELD_OBJECT_TYPE, FIELD_OBJECT_GUID, FIELD_LDAP_DN, FIELD_ACCESS_MASK,
      FIELD_PROPERTY_GUIDS}},
    {ACTIVITY_DIRECTORY_CHANGE,
     {FIELD_EVENT_ID, FIELD_OPERATION, FIELD_LDAP_DN, FIELD_CHANGES, FIELD_ATTRIBUTE_VALUES, FIELD_NEW_DN,
      FIELD_OBJECT_CLASS}},
    {ACTIVITY_DSRM_PASSWORD, {FIELD_EVENT_ID, FIELD_WORKSTATION}},
    {ACTIVITY_LDAP_EXPENSIVE_SEARCH,
     {FIELD_EVENT_ID, FIELD_SEARCH_FILTER, FIELD_SEARCH_BASE, FIELD_VISITED_ENTRIES, FIELD_ENTRIES,
      FIELD_LDAP_ATTRIBUTES}},
    {ACTIVITY_CERTIFICATE_SERVICE,
     {FIELD_EVENT_ID, FIELD_OPERATION, FIELD_REQUEST_ID, FIELD_CERTIFICATE_TEMPLATE,
      FIELD_CERTIFICATE_ALTERNATIVE_NAME, FIELD_CERTIFICATE_SUBJECT, FIELD_REQUEST_ATTRIBUTES,
      FIELD_CERTIFICATE_SERIAL}},
};

static void add_fact(struct cell *cell, const struct activity_value *value, bool bare)
{
    if (cell->size > 0)
        cell_add(cell, " ");
    if (!bare) {
        cell_add(cell, activity_field_info(value->field)->name);
        cell_add(cell, "=");
    }
    cell_add_value(cell, value);
}

/* The calls of RPC interfaces have much in common that says little: sizes, the interface's number. */
static bool says_little(enum activity_field field)
{
    return shown_elsewhere(field) || field == FIELD_RPC_UUID || field == FIELD_RPC_OPNUM ||
           field == FIELD_RPC_REQUEST_BYTES || field == FIELD_RPC_REPLY_BYTES || field == FIELD_CARRIER;
}

static void add_what(struct cell *cell, const struct activity *a)
{
    for (size_t row = 0; row < sizeof(told) / sizeof(told[0]); row++) {
        if (told[row].kind != a->kind)
            continue;
        for (size_t i = 0; i < TOLD_MAX && told[row].fields[i] != FIELD_VERSION; i++) {
            const struct activity_value *value = activity_get(a, told[row].fields[i]);
            if (value)
                add_fact(cell, value, i == 0);
        }
        return;
    }
    const struct activity_value *operation = activity_get(a, FIELD_RPC_OPERATION);
    if (operation)
        add_fact(cell, operation, true);
    for (uint32_t i = 0; i < a->count; i++)
        if (!says_little(a->values[i].field) && a->values[i].field != FIELD_RPC_OPERATION)
            add_fact(cell, &a->values[i], false);
}

void activity_row_make(const struct activity *a, struct activity_row *row)
{
    struct cell cell = cell_of(row, ROW_TIME);
    add_time(&cell, a->time);
    cell = cell_of(row, ROW_KIND);
    const struct activity_kind_info *kind = activity_kind_info(a->kind);
    cell_add(&cell, kind ? kind->name : "unknown");
    cell = cell_of(row, ROW_SOURCE);
    const struct activity_value *source = activity_get(a, FIELD_SOURCE);
    if (source)
        cell_add_value(&cell, source);
    cell = cell_of(row, ROW_DESTINATION);
    add_destination(&cell, a);
    cell = cell_of(row, ROW_ACCOUNT);
    add_account(&cell, a);
    cell = cell_of(row, ROW_RESULT);
    add_result(&cell, a, row);
    cell = cell_of(row, ROW_WHAT);
    add_what(&cell, a);
}
