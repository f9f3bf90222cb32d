/* SPDX-License-Identifier: Apache-2.0
 *
 * What activities tell of who is where. Only what succeeded counts; what anybody could answer for anybody
 * (LLMNR, NetBIOS queries by broadcast) does not count at all: forging it is an attack.
 */
#include "sync/resolver_internal.h"
#include "sync/service_name.h"

#include "base/msgpack.h"

#include <stdio.h>

/* A domain controller that answered is one for so long. */
#define CONTROLLER_KEPT (24 * CLOCK_HOUR)

/* Servers' dynamic ports by RFC 6335; clients take theirs below or anywhere. */
#define DYNAMIC_PORTS 49152u

/* RFC 4120 7.5.9. */
enum { PREAUTH_REQUIRED = 25, RESPONSE_TOO_BIG = 52 };

enum { DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28, NETBIOS_RELEASE = 6 };

/* --- pieces --- */

static int64_t time_of(const struct view *view)
{
    return view->activity->time;
}

static bool ends_with_dollar(struct bytes name)
{
    return name.size > 1 && name.data[name.size - 1] == '$';
}

static bool next_item(struct cursor *items, struct bytes *to)
{
    if (cursor_done(items))
        return false;
    *to = msgpack_next(items).bytes;
    return !items->failed;
}

static struct cursor list_of(const struct view *view, enum activity_field field)
{
    const struct activity_value *value = view_get(view, field);
    return value ? value->list.items : (struct cursor){0};
}

static uint32_t count_of(const struct view *view, enum activity_field field)
{
    const struct activity_value *value = view_get(view, field);
    return value ? value->list.count : 0;
}

static bool address_of(struct bytes bytes, struct ip_address *to)
{
    memset(to, 0, sizeof(*to));
    if (bytes.size != 4 && bytes.size != 16)
        return false;
    to->family = bytes.size == 4 ? 4 : 6;
    memcpy(to->bytes, bytes.data, bytes.size);
    return true;
}

static bool is_text(struct bytes text, const char *string)
{
    return text.size == strlen(string) && memcmp(text.data, string, text.size) == 0;
}

/* An account logged on from the source: a computer's says who is there, anybody else's who works there. */
static void note_logon(struct resolver *resolver, const struct view *view, const struct principal *principal,
                       struct bytes name, struct bytes domain, enum resolver_source machine)
{
    struct ip_address source;
    if (!view_address(view, FIELD_SOURCE, &source))
        return;
    if (ends_with_dollar(name))
        resolver_claim(resolver, &source, name, domain, machine, time_of(view), 0);
    else
        resolver_claim_account(resolver, &source, principal);
}

static void note_connection(struct resolver *resolver, const struct view *view,
                            const struct principal *principal)
{
    uint64_t key = resolver_connection(resolver, view);
    if (!key)
        return;
    struct principal entry = *principal;
    const struct principal *before = resolver_recall(resolver->connections, key);
    /* Several sessions on one connection of SMB: nobody in particular. */
    if (before && is_text(view_text(view, FIELD_CARRIER), "smb") &&
        (strcmp(before->name, entry.name) != 0 || before->domain != entry.domain))
        entry.name[0] = 0;
    resolver_remember(resolver, resolver->connections, key, &entry);
}

static void note_controller(struct resolver *resolver, const struct view *view, struct bytes domain)
{
    struct ip_address destination;
    if (!view_address(view, FIELD_DESTINATION, &destination))
        return;
    struct binding *binding = resolver_bind(resolver, &destination, time_of(view));
    if (!binding)
        return;
    binding->controller_until = time_of(view) + CONTROLLER_KEPT;
    binding->controller_domain = resolver_domain_number(resolver, domain);
}

/* --- Kerberos --- */

static void note_ticket(struct resolver *resolver, const struct view *view, const struct principal *principal)
{
    if (view->at[FIELD_ISSUED_TICKET_FINGERPRINT])
        resolver_remember(resolver, resolver->tickets, view_get(view, FIELD_ISSUED_TICKET_FINGERPRINT)->uint,
                          principal);
}

static bool is_impersonation(const struct view *view)
{
    return view->at[FIELD_S4U2SELF_ACCOUNT] || view->at[FIELD_S4U2SELF_CERTIFICATE] ||
           view->at[FIELD_S4U2PROXY];
}

static bool presented(const struct resolver *resolver, const struct view *view, struct principal *to)
{
    if (!view->at[FIELD_TICKET_FINGERPRINT])
        return false;
    const struct principal *owner =
        resolver_recall(resolver->tickets, view_get(view, FIELD_TICKET_FINGERPRINT)->uint);
    if (!owner)
        return false;
    *to = *owner;
    to->seen = time_of(view);
    return true;
}

static void learn_kdc(struct resolver *resolver, const struct view *view)
{
    if (view->at[FIELD_STATUS]) {
        struct bytes realm = view_text(view, FIELD_ISSUED_TICKET_REALM);
        note_controller(resolver, view, realm.size ? realm : view_text(view, FIELD_SERVICE_REALM));
    }
}

/* The KDC wants more (pre-authentication, TCP), which who has the key sends next. */
static void note_dispute(struct resolver *resolver, const struct view *view, struct bytes name)
{
    struct ip_address source;
    const struct activity_value *status = view_get(view, FIELD_STATUS);
    if (status && (status->uint == PREAUTH_REQUIRED || status->uint == RESPONSE_TOO_BIG) &&
        view_address(view, FIELD_SOURCE, &source))
        resolver_dispute(resolver, &source, name, time_of(view));
}

static void learn_as(struct resolver *resolver, const struct view *view)
{
    struct principal principal;
    struct bytes name = view_text(view, FIELD_ACCOUNT), domain = view_text(view, FIELD_ACCOUNT_DOMAIN);
    learn_kdc(resolver, view);
    if (!view_succeeded(view)) {
        note_dispute(resolver, view, name);
        return;
    }
    if (view->at[FIELD_REPLY_ACCOUNT])
        name = view_text(view, FIELD_REPLY_ACCOUNT);
    if (view->at[FIELD_REPLY_ACCOUNT_DOMAIN])
        domain = view_text(view, FIELD_REPLY_ACCOUNT_DOMAIN);
    if (!resolver_principal(resolver, &principal, name, domain, time_of(view)))
        return;
    note_ticket(resolver, view, &principal);
    /* Without proof of the key anybody may ask for anybody's ticket. */
    if (view->at[FIELD_PREAUTH_ETYPE] || view->at[FIELD_PKINIT] || view->at[FIELD_FAST])
        note_logon(resolver, view, &principal, name, domain, RESOLVER_MACHINE_KERBEROS);
}

static void learn_tgs(struct resolver *resolver, const struct view *view)
{
    struct principal principal, owner;
    struct bytes name = view_text(view, FIELD_ACCOUNT), domain = view_text(view, FIELD_ACCOUNT_DOMAIN);
    learn_kdc(resolver, view);
    if (!view_succeeded(view))
        return;
    if (is_impersonation(view)) { /* the ticket is the other's; who asked is the owner of the presented one */
        if (resolver_principal(resolver, &principal, name, domain, time_of(view)))
            note_ticket(resolver, view, &principal);
        return;
    }
    if (resolver_principal(resolver, &principal, name, domain, time_of(view))) {
        note_ticket(resolver, view, &principal);
        note_logon(resolver, view, &principal, name, domain, RESOLVER_MACHINE_KERBEROS);
    } else if (presented(resolver, view, &owner)) { /* FAST hides the name */
        note_ticket(resolver, view, &owner);
    }
}

/* Whether the destination is surely the one that was asked: of a flow whose beginning was not captured the
 * sides may be taken for each other. */
static bool is_server_port(const struct view *view)
{
    static const uint16_t known[] = {445,  389,  636, 3268, 3269, 139,  80, 443,
                                     5985, 5986, 135, 88,   464,  1433, 53};
    if (!view->at[FIELD_DESTINATION_PORT] || !view->at[FIELD_SOURCE_PORT])
        return false;
    uint64_t port = view_get(view, FIELD_DESTINATION_PORT)->uint;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (port == known[i])
            return true;
    return port >= DYNAMIC_PORTS && view_get(view, FIELD_SOURCE_PORT)->uint < DYNAMIC_PORTS;
}

/* The owner of the service principal, when it is a computer, else the host that it names. */
static void claim_by_service(struct resolver *resolver, const struct view *view, struct bytes service,
                             struct bytes realm)
{
    struct service_name name;
    struct ip_address destination;
    struct lookup_key key;
    bool is_domain;
    if (!service_name_parse(service, &name) || !view_address(view, FIELD_DESTINATION, &destination))
        return;
    if (lookup_key_text(&key, LOOKUP_SPN, service, (struct bytes){0})) {
        const struct resolver_entity *owner = resolver_find(resolver, &key, NULL);
        if (owner && owner->kind == ENTITY_COMPUTER) {
            resolver_claim(resolver, &destination, text_bytes(owner->account), text_bytes(owner->domain),
                           RESOLVER_SERVICE_TICKET, time_of(view), 0);
            return;
        }
    }
    /* A GUID, or the domain itself, is no host's name. */
    resolver_domain_owns(resolver, name.host, &is_domain);
    if (!is_domain && name.service.size < 36)
        resolver_claim(resolver, &destination, name.host, realm, RESOLVER_SERVICE_TICKET, time_of(view), 0);
}

static void learn_ap(struct resolver *resolver, const struct view *view)
{
    struct principal owner;
    if (!view_succeeded(view))
        return;
    if (is_server_port(view))
        claim_by_service(resolver, view, view_text(view, FIELD_TICKET_SERVICE),
                         view_text(view, FIELD_TICKET_REALM));
    if (presented(resolver, view, &owner))
        note_connection(resolver, view, &owner);
}

/* --- NTLM, LDAP, Netlogon --- */

static void learn_ntlm(struct resolver *resolver, const struct view *view)
{
    struct principal principal;
    struct ip_address source, destination;
    struct bytes name = view_text(view, FIELD_ACCOUNT), domain = view_text(view, FIELD_ACCOUNT_DOMAIN);
    struct bytes computer = view_text(view, FIELD_NTLM_SERVER_DNS_COMPUTER);
    struct bytes netbios = view_text(view, FIELD_NTLM_SERVER_NB_DOMAIN);
    resolver_domain_alias(resolver, netbios, view_text(view, FIELD_NTLM_SERVER_DNS_DOMAIN));
    if (computer.size == 0)
        computer = view_text(view, FIELD_NTLM_SERVER_NB_COMPUTER);
    if (computer.size && view_address(view, FIELD_DESTINATION, &destination))
        resolver_claim(resolver, &destination, computer, netbios, RESOLVER_CHALLENGE, time_of(view), 0);
    if (!view_succeeded(view) || !resolver_principal(resolver, &principal, name, domain, time_of(view)))
        return;
    note_logon(resolver, view, &principal, name, domain, RESOLVER_MACHINE_NTLM);
    note_connection(resolver, view, &principal);
    if (view->at[FIELD_WORKSTATION] && view_address(view, FIELD_SOURCE, &source))
        resolver_claim(resolver, &source, view_text(view, FIELD_WORKSTATION), domain, RESOLVER_WORKSTATION,
                       time_of(view), 0);
}

static void learn_ldap_bind(struct resolver *resolver, const struct view *view)
{
    struct principal principal;
    struct bytes name = view_text(view, FIELD_ACCOUNT), domain = view_text(view, FIELD_ACCOUNT_DOMAIN);
    if (!view->at[FIELD_PASSWORD_SENT] || !view_succeeded(view) ||
        !resolver_principal(resolver, &principal, name, domain, time_of(view)))
        return;
    note_logon(resolver, view, &principal, name, domain, RESOLVER_MACHINE_KERBEROS);
    note_connection(resolver, view, &principal);
}

static void learn_netlogon(struct resolver *resolver, const struct view *view)
{
    struct principal principal;
    struct bytes name = view_text(view, FIELD_NETLOGON_ACCOUNT);
    const struct activity_value *zero = view_get(view, FIELD_NETLOGON_CREDENTIAL_ZERO);
    if (!view_succeeded(view) || (zero && zero->boolean) ||
        !resolver_principal(resolver, &principal, name, (struct bytes){0}, time_of(view)))
        return;
    note_logon(resolver, view, &principal, name, (struct bytes){0}, RESOLVER_NETLOGON);
}

static void learn_ping(struct resolver *resolver, const struct view *view)
{
    struct ip_address address;
    struct bytes host = view_text(view, FIELD_PING_DNS_HOST);
    resolver_domain_alias(resolver, view_text(view, FIELD_DC_NETBIOS_DOMAIN),
                          view_text(view, FIELD_DC_DOMAIN));
    if (host.size == 0)
        host = view_text(view, FIELD_PING_HOST);
    if (host.size && view_address(view, FIELD_SOURCE, &address))
        resolver_claim(resolver, &address, host, view_text(view, FIELD_PING_DOMAIN), RESOLVER_WORKSTATION,
                       time_of(view), 0);
    if (view->at[FIELD_DC_HOST] && view_address(view, FIELD_DESTINATION, &address)) {
        note_controller(resolver, view, view_text(view, FIELD_DC_DOMAIN));
        resolver_claim(resolver, &address, view_text(view, FIELD_DC_HOST), view_text(view, FIELD_DC_DOMAIN),
                       RESOLVER_CHALLENGE, time_of(view), 0);
    }
}

/* --- DNS, DHCP, NetBIOS, mDNS, RADIUS --- */

/* "1.2.0.192.in-addr.arpa" */
static bool reverse_address(struct bytes name, struct ip_address *to)
{
    static const char suffix[] = ".in-addr.arpa";
    char folded[64], turned[64];
    unsigned part[4];
    int used = 0;
    if (!resolver_fold(folded, sizeof(folded), name))
        return false;
    size_t size = strlen(folded), end = sizeof(suffix) - 1;
    if (size <= end || strcmp(folded + size - end, suffix) != 0)
        return false;
    folded[size - end] = 0;
    if (sscanf(folded, "%3u.%3u.%3u.%3u%n", &part[0], &part[1], &part[2], &part[3], &used) != 4 ||
        folded[used])
        return false;
    snprintf(turned, sizeof(turned), "%u.%u.%u.%u", part[3], part[2], part[1], part[0]);
    return ip_address_parse(turned, to);
}

/* A name of a host in a domain that was heard of: not the domain's own, nor one of its service names. */
static bool is_host_name(const struct resolver *resolver, struct bytes name)
{
    bool is_domain;
    return name.size && !memchr(name.data, '_', name.size) && memchr(name.data, '.', name.size) &&
           resolver_domain_owns(resolver, name, &is_domain) && !is_domain;
}

static void learn_dns(struct resolver *resolver, const struct view *view)
{
    struct ip_address address;
    struct bytes item, name = view_text(view, FIELD_DNS_NAME);
    struct cursor targets = list_of(view, FIELD_DNS_TARGETS), addresses = list_of(view, FIELD_ADDRESSES);
    uint64_t type = view->at[FIELD_DNS_TYPE] ? view_get(view, FIELD_DNS_TYPE)->uint : 0;
    if (!view_succeeded(view))
        return;
    if (type == DNS_PTR && count_of(view, FIELD_DNS_TARGETS) == 1 && reverse_address(name, &address) &&
        next_item(&targets, &item) && is_host_name(resolver, item))
        resolver_claim(resolver, &address, item, (struct bytes){0}, RESOLVER_DNS_ANSWER, time_of(view), 0);
    if ((type != DNS_A && type != DNS_AAAA) || count_of(view, FIELD_ADDRESSES) != 1)
        return;
    while (next_item(&targets, &item)) /* the end of a chain of aliases owns the address */
        name = item;
    if (is_host_name(resolver, name) && next_item(&addresses, &item) && address_of(item, &address))
        resolver_claim(resolver, &address, name, (struct bytes){0}, RESOLVER_DNS_ANSWER, time_of(view), 0);
}

static void learn_update(struct resolver *resolver, const struct view *view)
{
    struct cursor names = list_of(view, FIELD_DNS_ADDED_NAMES), types = list_of(view, FIELD_DNS_ADDED_TYPES),
                  addresses = list_of(view, FIELD_DNS_ADDED_ADDRESSES);
    enum resolver_source source =
        view->at[FIELD_DNS_SIGNATURE] ? RESOLVER_SECURE_UPDATE : RESOLVER_DNS_UPDATE;
    struct bytes name, item;
    struct ip_address address;
    if (!view_succeeded(view))
        return;
    while (next_item(&names, &name) && !cursor_done(&types)) {
        uint64_t type = msgpack_next(&types).uint;
        if (type != DNS_A && type != DNS_AAAA)
            continue;
        if (next_item(&addresses, &item) && address_of(item, &address) && !memchr(name.data, '_', name.size))
            resolver_claim(resolver, &address, name, view_text(view, FIELD_DNS_ZONE), source, time_of(view),
                           0);
    }
}

static void learn_lease(struct resolver *resolver, const struct view *view)
{
    struct ip_address address;
    struct bytes said = view_text(view, FIELD_DHCP_REPLY), asked = view_text(view, FIELD_DHCP_MESSAGE);
    struct bytes host = view_text(view, FIELD_DHCP_FQDN);
    if (!view_address(view, FIELD_LEASED_ADDRESS, &address))
        return;
    if (is_text(asked, "release") || is_text(asked, "decline")) {
        resolver_release(resolver, &address, time_of(view));
        return;
    }
    if (!is_text(said, "ack") && !is_text(asked, "ack") && !is_text(said, "reply") &&
        !is_text(asked, "reply"))
        return;
    if (host.size == 0)
        host = view_text(view, FIELD_DHCP_HOST);
    const struct binding *binding = resolver_bound(resolver, &address);
    if (host.size && binding && binding->computer.host[0] && !resolver_is_host(binding, host))
        resolver_release(resolver, &address, time_of(view)); /* the server knows to whom it gave it */
    const struct activity_value *lease = view_get(view, FIELD_LEASE_TIME);
    int64_t ends =
        lease && lease->uint < UINT32_MAX ? time_of(view) + (int64_t)lease->uint * CLOCK_SECOND : 0;
    resolver_claim(resolver, &address, host, view_text(view, FIELD_DHCP_DOMAIN), RESOLVER_DHCP, time_of(view),
                   ends);
}

/* Its own unique name: workstation or file server. */
static void learn_registration(struct resolver *resolver, const struct view *view)
{
    const struct activity_value *group = view_get(view, FIELD_NETBIOS_GROUP),
                                *suffix = view_get(view, FIELD_NETBIOS_SUFFIX),
                                *opcode = view_get(view, FIELD_DNS_OPCODE);
    struct ip_address source;
    if ((group && group->boolean) || !suffix || (suffix->uint != 0 && suffix->uint != 0x20) ||
        (opcode && opcode->uint == NETBIOS_RELEASE) || !view_address(view, FIELD_SOURCE, &source))
        return;
    resolver_claim(resolver, &source, view_text(view, FIELD_NETBIOS_NAME), (struct bytes){0},
                   RESOLVER_NETBIOS, time_of(view), 0);
}

static void learn_source_name(struct resolver *resolver, const struct view *view, enum activity_field field,
                              enum resolver_source how)
{
    struct ip_address source;
    if (view_text(view, field).size && view_address(view, FIELD_SOURCE, &source))
        resolver_claim(resolver, &source, view_text(view, field), (struct bytes){0}, how, time_of(view), 0);
}

static void learn_mdns(struct resolver *resolver, const struct view *view)
{
    struct cursor addresses = list_of(view, FIELD_ADDRESSES), names = list_of(view, FIELD_ADDRESS_NAMES);
    struct ip_address address, responder;
    struct bytes item, name;
    if (!view_address(view, FIELD_RESPONDER, &responder))
        return;
    while (next_item(&addresses, &item) && next_item(&names, &name)) {
        const uint8_t *dot = name.size ? memchr(name.data, '.', name.size) : NULL;
        if (dot) /* "ws01.local": no domain of the directory */
            name.size = (size_t)(dot - name.data);
        if (address_of(item, &address) && ip_address_equal(&address, &responder))
            resolver_claim(resolver, &address, name, (struct bytes){0}, RESOLVER_MDNS, time_of(view), 0);
    }
}

/* A VPN gives its addresses to whoever comes: the account is known, the computer is not. */
static void learn_accounting(struct resolver *resolver, const struct view *view)
{
    struct cursor addresses = list_of(view, FIELD_FRAMED_ADDRESSES);
    struct bytes item, status = view_text(view, FIELD_RADIUS_STATUS);
    bool begins = is_text(status, "start"), ends = is_text(status, "stop");
    struct ip_address address;
    struct principal principal;
    bool named = resolver_principal(resolver, &principal, view_text(view, FIELD_ACCOUNT), (struct bytes){0},
                                    time_of(view));
    while (next_item(&addresses, &item)) {
        if (!address_of(item, &address))
            continue;
        if (begins || ends)
            resolver_release(resolver, &address, time_of(view));
        if (named && !ends && view->at[FIELD_RADIUS_CODE])
            resolver_claim_account(resolver, &address, &principal);
    }
}

void resolver_learn(struct resolver *resolver, const struct view *view)
{
    switch (view->activity->kind) {
    case ACTIVITY_KERBEROS_AS:
        learn_as(resolver, view);
        break;
    case ACTIVITY_KERBEROS_TGS:
        learn_tgs(resolver, view);
        break;
    case ACTIVITY_KERBEROS_AP:
        learn_ap(resolver, view);
        break;
    case ACTIVITY_NTLM_AUTHENTICATE:
        learn_ntlm(resolver, view);
        break;
    case ACTIVITY_LDAP_BIND:
        learn_ldap_bind(resolver, view);
        break;
    case ACTIVITY_NETLOGON_AUTHENTICATE:
        learn_netlogon(resolver, view);
        break;
    case ACTIVITY_CLDAP_PING:
        learn_ping(resolver, view);
        break;
    case ACTIVITY_DNS_QUERY:
        learn_dns(resolver, view);
        break;
    case ACTIVITY_DNS_UPDATE:
        learn_update(resolver, view);
        break;
    case ACTIVITY_DHCP_LEASE:
        learn_lease(resolver, view);
        break;
    case ACTIVITY_NBNS_REGISTRATION:
        learn_registration(resolver, view);
        break;
    case ACTIVITY_BROWSER_FRAME:
        learn_source_name(resolver, view, FIELD_CALLING_NAME, RESOLVER_NETBIOS);
        break;
    case ACTIVITY_NETBIOS_SESSION:
        learn_source_name(resolver, view, FIELD_CALLING_NAME, RESOLVER_NETBIOS);
        break;
    case ACTIVITY_MDNS_ANNOUNCEMENT:
        learn_mdns(resolver, view);
        break;
    case ACTIVITY_RADIUS_ACCOUNTING:
        learn_accounting(resolver, view);
        break;
    default:
        break;
    }
}
