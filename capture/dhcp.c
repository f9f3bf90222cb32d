/* SPDX-License-Identifier: Apache-2.0
 *
 * DHCP (RFC 2131, options RFC 2132, RFC 4702) and DHCPv6 (RFC 8415, RFC 4704): which host, by its hardware
 * address and name, was given which address.
 */
#include "capture/dissect.h"
#include "capture/protocols.h"

#define DHCP_COOKIE 0x63825363u /* RFC 2131 3 */

enum dhcp_type { /* RFC 2132 9.6 */
                 DHCP_DISCOVER = 1,
                 DHCP_OFFER,
                 DHCP_REQUEST,
                 DHCP_DECLINE,
                 DHCP_ACK,
                 DHCP_NAK,
                 DHCP_RELEASE,
                 DHCP_INFORM,
};

static const char *const dhcp_type_names[] = {
    "", "discover", "offer", "request", "decline", "ack", "nak", "release", "inform",
};

/* Views into the datagram; a run of size 0 was not there. */
struct dhcp_packet {
    bool reply;
    uint32_t transaction;
    struct bytes mac;
    struct ip_address in_use;  /* ciaddr */
    struct ip_address granted; /* yiaddr */
    struct ip_address relay;   /* giaddr */
    struct ip_address requested;
    struct ip_address server;
    uint8_t type;
    bool has_lease;
    uint32_t lease;
    struct bytes name;
    struct bytes fqdn;
    uint8_t fqdn_flags;
    struct bytes vendor;
    struct bytes domain;
};

static struct ip_address read_ipv4(struct cursor *c)
{
    struct ip_address address = {.family = 0};
    cursor_copy(c, address.bytes, 4);
    if (!c->failed && memcmp(address.bytes, "\0\0\0", 4) != 0)
        address.family = 4;
    return address;
}

/* Names of fixed form are often padded with zeros. */
static struct bytes until_zero(struct cursor value)
{
    struct bytes run = cursor_take(&value, cursor_left(&value));
    const uint8_t *zero = run.size ? memchr(run.data, 0, run.size) : NULL;
    if (zero)
        run.size = (size_t)(zero - run.data);
    return run;
}

static void read_option(struct dhcp_packet *p, uint8_t code, struct cursor value)
{
    switch (code) {
    case 12: /* Host Name */
        p->name = until_zero(value);
        break;
    case 15: /* Domain Name */
        p->domain = until_zero(value);
        break;
    case 50: /* Requested IP Address */
        p->requested = read_ipv4(&value);
        break;
    case 51: /* IP Address Lease Time */
        p->lease = cursor_be32(&value);
        p->has_lease = !value.failed;
        break;
    case 53: /* DHCP Message Type */
        p->type = cursor_u8(&value);
        break;
    case 54: /* Server Identifier */
        p->server = read_ipv4(&value);
        break;
    case 60: /* Vendor Class Identifier */
        p->vendor = until_zero(value);
        break;
    case 81: /* Client FQDN (RFC 4702 2): Flags 1, RCODE1 1, RCODE2 1, Domain Name */
        p->fqdn_flags = cursor_u8(&value);
        cursor_skip(&value, 2);
        p->fqdn = cursor_take(&value, cursor_left(&value));
        break;
    default:
        break;
    }
}

/* RFC 2131 2: op 1, htype 1, hlen 1, hops 1, xid 4, secs 2, flags 2, ciaddr 4, yiaddr 4, siaddr 4, giaddr 4,
 * chaddr 16, sname 64, file 128, magic cookie 4, options (code 1, length 1, value), 255 */
static bool dhcp_read(struct cursor *c, struct dhcp_packet *p)
{
    *p = (struct dhcp_packet){.type = 0};
    p->reply = cursor_u8(c) == 2;
    cursor_skip(c, 1);
    size_t mac = cursor_u8(c);
    cursor_skip(c, 1);
    p->transaction = cursor_be32(c);
    cursor_skip(c, 4);
    p->in_use = read_ipv4(c);
    p->granted = read_ipv4(c);
    cursor_skip(c, 4);
    p->relay = read_ipv4(c);
    p->mac = cursor_take(c, 16);
    p->mac.size = mac < p->mac.size ? mac : p->mac.size;
    cursor_skip(c, 64 + 128);
    if (cursor_be32(c) != DHCP_COOKIE)
        return false; /* BOOTP: no type, no names */
    while (!cursor_done(c)) {
        uint8_t code = cursor_u8(c);
        if (code == 255)
            break;
        if (code == 0)
            continue;
        struct cursor value = cursor_sub(c, cursor_u8(c));
        if (c->failed)
            break;
        read_option(p, code, value);
    }
    return p->type >= DHCP_DISCOVER && p->type <= DHCP_INFORM;
}

static void put_run(struct activity_writer *w, enum activity_field field, struct bytes run)
{
    if (run.size)
        activity_put_string(w, field, run.data, run.size);
}

static void put_set(struct activity_writer *w, enum activity_field field, const struct ip_address *address)
{
    if (address->family)
        activity_put_address(w, field, address);
}

/* Labels of a name as dotted text (RFC 1035 3.1, no compression: RFC 4702 2.3.1, RFC 8415 10). */
static void put_labels(struct activity_writer *w, enum activity_field field, struct bytes run)
{
    char text[256];
    size_t size = 0;
    struct cursor c = cursor_of_bytes(run);
    while (!cursor_done(&c)) {
        struct bytes label = cursor_take(&c, cursor_u8(&c));
        if (label.size == 0 || size + label.size + 1 > sizeof text)
            break;
        if (size)
            text[size++] = '.';
        memcpy(text + size, label.data, label.size);
        size += label.size;
    }
    if (size)
        activity_put_string(w, field, text, size);
}

static void put_packet(struct activity_writer *w, const struct dhcp_packet *p)
{
    activity_put_uint(w, FIELD_DHCP_TRANSACTION, p->transaction);
    if (p->mac.size)
        activity_put_bytes(w, FIELD_DHCP_MAC, p->mac.data, p->mac.size);
    put_run(w, FIELD_DHCP_HOST, p->name);
    if (p->fqdn_flags & 4) /* E: in wire form */
        put_labels(w, FIELD_DHCP_FQDN, p->fqdn);
    else
        put_run(w, FIELD_DHCP_FQDN, p->fqdn);
    put_set(w, FIELD_LEASED_ADDRESS, p->granted.family ? &p->granted : &p->in_use);
    put_set(w, FIELD_REQUESTED_ADDRESS, &p->requested);
    if (p->has_lease)
        activity_put_uint(w, FIELD_LEASE_TIME, p->lease);
    put_set(w, FIELD_DHCP_SERVER, &p->server);
    put_set(w, FIELD_DHCP_RELAY, &p->relay);
    put_run(w, FIELD_DHCP_VENDOR, p->vendor);
    if (p->reply)
        put_run(w, FIELD_DHCP_DOMAIN, p->domain);
}

/* A client without an address broadcasts, and the reply goes over another flow: only one that has an address
 * (a renewal, INFORM) or that comes through a relay is waited for. */
static bool reply_comes_here(const struct dhcp_packet *p)
{
    bool answered = p->type == DHCP_REQUEST || p->type == DHCP_INFORM;
    return answered && (p->relay.family || p->in_use.family);
}

static void dhcpv4_message(struct dissect *d, struct cursor wire)
{
    struct dhcp_packet p;
    bool good = dhcp_read(&wire, &p);
    dissect_counted(d, PROTOCOL_DHCP);
    if (!d->truncated && wire.failed)
        dissect_malformed(d, PROTOCOL_DHCP);
    if (!good || p.type == DHCP_DISCOVER || p.type == DHCP_OFFER)
        return; /* an offer binds nobody: the request that follows says the same */
    struct activity_writer *w = p.reply ? dissect_resume(d, p.transaction) : NULL;
    bool resumed = w != NULL;
    if (!resumed)
        w = dissect_begin(d, ACTIVITY_DHCP_LEASE);
    activity_put_text(w, FIELD_DHCP_MESSAGE, dhcp_type_names[p.type]);
    if (p.reply)
        activity_put_text(w, FIELD_DHCP_REPLY, dhcp_type_names[p.type]);
    put_packet(w, &p);
    if (d->truncated)
        w->truncated = true;
    if (!p.reply && reply_comes_here(&p))
        dissect_defer(d, p.transaction);
    else
        dissect_emit(d);
}

/* -- DHCPv6 ----------------------------------------------------------------------------------------- */

enum dhcpv6_type { /* RFC 8415 7.3 */
                   DHCPV6_SOLICIT = 1,
                   DHCPV6_ADVERTISE,
                   DHCPV6_REQUEST,
                   DHCPV6_CONFIRM,
                   DHCPV6_RENEW,
                   DHCPV6_REBIND,
                   DHCPV6_REPLY,
                   DHCPV6_RELEASE,
                   DHCPV6_DECLINE,
                   DHCPV6_RECONFIGURE,
                   DHCPV6_INFORMATION,
                   DHCPV6_RELAY_FORWARD,
                   DHCPV6_RELAY_REPLY,
};

static const char *const dhcpv6_type_names[] = {
    "",      "solicit", "advertise", "request",     "confirm",     "renew",         "rebind",
    "reply", "release", "decline",   "reconfigure", "information", "relay_forward", "relay_reply",
};

#define RELAYS_MAX 8 /* RFC 8415 7.6: HOP_COUNT_LIMIT */

/* IA_NA (21.4): IAID 4, T1 4, T2 4, options; IA Address (21.6): address 16, preferred 4, valid 4, options */
static void put_leased_v6(struct activity_writer *w, struct cursor association)
{
    cursor_skip(&association, 12);
    while (!cursor_done(&association)) {
        uint16_t code = cursor_be16(&association);
        struct cursor value = cursor_sub(&association, cursor_be16(&association));
        if (code != 5)
            continue;
        struct ip_address address = {.family = 6};
        cursor_copy(&value, address.bytes, 16);
        cursor_skip(&value, 4);
        uint32_t valid = cursor_be32(&value);
        if (value.failed)
            return;
        activity_put_address(w, FIELD_LEASED_ADDRESS, &address);
        activity_put_uint(w, FIELD_LEASE_TIME, valid);
        return;
    }
}

/* DUID (RFC 8415 11): type 2, then 1: hardware type 2, time 4, link-layer address; 3: hardware type 2,
 * link-layer address */
static void put_duid(struct activity_writer *w, struct cursor duid)
{
    uint16_t type = cursor_be16(&duid);
    if (type != 1 && type != 3)
        return;
    cursor_skip(&duid, type == 1 ? 6 : 2);
    struct bytes mac = cursor_take(&duid, cursor_left(&duid));
    if (mac.size)
        activity_put_bytes(w, FIELD_DHCP_MAC, mac.data, mac.size);
}

static void put_option_v6(struct activity_writer *w, uint16_t code, struct cursor value)
{
    if (code == 1)
        put_duid(w, value);
    else if (code == 3)
        put_leased_v6(w, value);
    else if (code == 39 && cursor_left(&value) > 1) /* Client FQDN (RFC 4704 4.1): flags 1, name */
        put_labels(w, FIELD_DHCP_FQDN, (struct bytes){.data = value.at + 1, .size = cursor_left(&value) - 1});
}

/* RFC 8415 9: msg-type 1, hop-count 1, link-address 16, peer-address 16, options; the message is option 9.
 * Gives the message that the client or server made. */
static struct cursor unwrap_relays(struct cursor wire)
{
    for (int depth = 0; depth < RELAYS_MAX && !cursor_done(&wire); depth++) {
        if (*wire.at != DHCPV6_RELAY_FORWARD && *wire.at != DHCPV6_RELAY_REPLY)
            return wire;
        cursor_skip(&wire, 34);
        struct cursor inner = {.at = wire.end, .end = wire.end, .failed = true};
        while (!cursor_done(&wire) && inner.failed) {
            uint16_t code = cursor_be16(&wire);
            struct cursor value = cursor_sub(&wire, cursor_be16(&wire));
            if (code == 9)
                inner = value;
        }
        wire = inner;
    }
    return wire;
}

/* RFC 8415 8: msg-type 1, transaction-id 3, options (code 2, length 2, value) */
static void dhcpv6_message(struct dissect *d, struct cursor wire)
{
    struct cursor c = unwrap_relays(wire);
    uint8_t type = cursor_u8(&c);
    uint32_t transaction = cursor_be24(&c);
    dissect_counted(d, PROTOCOL_DHCP);
    if (c.failed || type == 0 || type > DHCPV6_INFORMATION) {
        if (!d->truncated)
            dissect_malformed(d, PROTOCOL_DHCP);
        return;
    }
    if (type == DHCPV6_SOLICIT || type == DHCPV6_ADVERTISE)
        return;
    struct activity_writer *w = type == DHCPV6_REPLY ? dissect_resume(d, transaction) : NULL;
    if (!w)
        w = dissect_begin(d, ACTIVITY_DHCP_LEASE);
    activity_put_text(w, FIELD_DHCP_MESSAGE, dhcpv6_type_names[type]);
    if (type == DHCPV6_REPLY)
        activity_put_text(w, FIELD_DHCP_REPLY, dhcpv6_type_names[type]);
    activity_put_uint(w, FIELD_DHCP_TRANSACTION, transaction);
    while (!cursor_done(&c)) {
        uint16_t code = cursor_be16(&c);
        struct cursor value = cursor_sub(&c, cursor_be16(&c));
        if (!c.failed)
            put_option_v6(w, code, value);
    }
    if (c.failed && !d->truncated)
        dissect_malformed(d, PROTOCOL_DHCP);
    dissect_emit(d); /* requests are multicast, replies come from the server's own address */
}

static void dhcp_message(struct dissect *d, struct cursor wire)
{
    uint16_t port = d->info->server.port;
    if (port == 546 || port == 547)
        dhcpv6_message(d, wire);
    else
        dhcpv4_message(d, wire);
}

const struct protocol protocol_dhcp = {
    .id = PROTOCOL_DHCP,
    .name = "dhcp",
    .udp_ports = {67, 68, 546, 547},
    .message = dhcp_message,
};
