/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/decapsulate.h"

#include <pcap/dlt.h>

#define ETHERTYPE_VLAN       0x8100 /* IEEE 802.1Q */
#define ETHERTYPE_SERVICE    0x88a8 /* IEEE 802.1ad */
#define ETHERTYPE_QINQ       0x9100 /* before 802.1ad */
#define ETHERTYPE_BRIDGED    0x6558 /* RFC 1701: transparent Ethernet bridging */
#define ETHERTYPE_ERSPAN     0x88be /* ERSPAN type I and II */
#define ETHERTYPE_ERSPAN_III 0x22eb
#define ETHERTYPE_PPPOE      0x8864 /* RFC 2516, session stage */
#define ETHERTYPE_PPP_IPV4   0x0021 /* RFC 1661, not an EtherType */
#define ETHERTYPE_PPP_IPV6   0x0057

#define IP_PROTOCOL_HOP_BY_HOP  0
#define IP_PROTOCOL_IPV4        4
#define IP_PROTOCOL_IPV6        41
#define IP_PROTOCOL_ROUTING     43
#define IP_PROTOCOL_FRAGMENT    44
#define IP_PROTOCOL_GRE         47
#define IP_PROTOCOL_AH          51
#define IP_PROTOCOL_DESTINATION 60
#define IP_PROTOCOL_MOBILITY    135
#define IP_PROTOCOL_HIP         139
#define IP_PROTOCOL_SHIM6       140

#define IPV6_EXTENSIONS_MAX 16 /* headers in one chain */
#define VLAN_TAGS_MAX       8

#define VXLAN_PORT       4789 /* RFC 7348 8 */
#define VXLAN_PORT_LINUX 8472 /* the Linux kernel's, from before the assignment */

static uint16_t be16(const uint8_t *at)
{
    return (uint16_t)((unsigned)at[0] << 8 | at[1]);
}

static uint32_t be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Steps over a header of n bytes. */
static enum decapsulation strip(struct layer *layer, uint32_t n)
{
    if (layer->length < n)
        return DECAPSULATED_MALFORMED;
    if (layer->captured < n)
        return DECAPSULATED_CUT;
    layer->data += n;
    layer->captured -= n;
    layer->length -= n;
    return DECAPSULATED;
}

static enum decapsulation have(const struct layer *layer, uint32_t n)
{
    if (layer->captured >= n)
        return DECAPSULATED;
    return layer->length < n ? DECAPSULATED_MALFORMED : DECAPSULATED_CUT;
}

/* IEEE 802.1Q: tag control information (2), EtherType (2). */
static enum decapsulation strip_vlan(struct layer *layer)
{
    for (int tags = 0; tags < VLAN_TAGS_MAX; tags++) {
        uint16_t type = layer->ethertype;
        if (type != ETHERTYPE_VLAN && type != ETHERTYPE_SERVICE && type != ETHERTYPE_QINQ)
            return DECAPSULATED;
        enum decapsulation result = have(layer, 4);
        if (result != DECAPSULATED)
            return result;
        layer->ethertype = be16(layer->data + 2);
        strip(layer, 4);
    }
    return DECAPSULATED_MALFORMED;
}

/* IEEE 802.3: destination (6), source (6), EtherType (2). A value below 1536 is a length: what follows is
 * IEEE 802.2 LLC; only its SNAP form (RFC 1042) carries IP. */
static enum decapsulation strip_ethernet(struct layer *layer)
{
    enum decapsulation result = have(layer, 14);
    if (result != DECAPSULATED)
        return result;
    layer->ethertype = be16(layer->data + 12);
    strip(layer, 14);
    result = strip_vlan(layer);
    if (result != DECAPSULATED || layer->ethertype >= 0x0600)
        return result;
    static const uint8_t snap[6] = {0xaa, 0xaa, 0x03, 0, 0, 0};
    if (layer->captured < 8 || memcmp(layer->data, snap, sizeof snap) != 0)
        return DECAPSULATED_NOT_IP;
    layer->ethertype = be16(layer->data + 6);
    return strip(layer, 8);
}

static enum decapsulation strip_with_type(struct layer *layer, uint32_t header, uint32_t type_at)
{
    enum decapsulation result = have(layer, header);
    if (result != DECAPSULATED)
        return result;
    layer->ethertype = be16(layer->data + type_at);
    strip(layer, header);
    return strip_vlan(layer);
}

/* The version nibble says which IP it is. */
static enum decapsulation guess_ip(struct layer *layer)
{
    enum decapsulation result = have(layer, 1);
    if (result != DECAPSULATED)
        return result;
    unsigned version = layer->data[0] >> 4;
    if (version != 4 && version != 6)
        return DECAPSULATED_NOT_IP;
    layer->ethertype = version == 4 ? ETHERTYPE_IPV4_NUMBER : ETHERTYPE_IPV6_NUMBER;
    return DECAPSULATED;
}

/* RFC 1661 5 with RFC 1662 framing: address and control (ff 03) may be left out; the protocol field is of
 * one byte when its lowest bit is set (protocol field compression). */
static enum decapsulation strip_ppp(struct layer *layer)
{
    if (layer->captured >= 2 && layer->data[0] == 0xff && layer->data[1] == 0x03)
        strip(layer, 2);
    enum decapsulation result = have(layer, 2);
    if (result != DECAPSULATED)
        return result;
    bool compressed = layer->data[0] & 1;
    uint16_t protocol = compressed ? layer->data[0] : be16(layer->data);
    if (protocol != ETHERTYPE_PPP_IPV4 && protocol != ETHERTYPE_PPP_IPV6)
        return DECAPSULATED_NOT_IP;
    layer->ethertype = protocol == ETHERTYPE_PPP_IPV4 ? ETHERTYPE_IPV4_NUMBER : ETHERTYPE_IPV6_NUMBER;
    return strip(layer, compressed ? 1 : 2);
}

enum decapsulation decapsulate_link(const struct packet *packet, struct layer *to)
{
    to->data = packet->data;
    to->captured = packet->captured;
    to->length = packet->length > packet->captured ? packet->length : packet->captured;
    to->ethertype = 0;
    switch (packet->link_type) {
    case DLT_EN10MB:
        return strip_ethernet(to);
    case DLT_LINUX_SLL: /* type (2), ARPHRD (2), address length (2), address (8), protocol (2) */
        return strip_with_type(to, 16, 14);
    case DLT_LINUX_SLL2: /* protocol (2), reserved (2), interface (4), ARPHRD (2), type, length, address (8)
                          */
        return strip_with_type(to, 20, 0);
    case DLT_NULL: /* address family (4), in the byte order of the capturing host */
    case DLT_LOOP: {
        enum decapsulation result = strip(to, 4);
        return result == DECAPSULATED ? guess_ip(to) : result;
    }
    case DLT_PPP:
    case DLT_PPP_SERIAL:
        return strip_ppp(to);
    case DLT_RAW:
    case 14:  /* DLT_RAW of OpenBSD */
    case 101: /* LINKTYPE_RAW, as some files have it */
#ifdef DLT_IPV4
    case DLT_IPV4:
    case DLT_IPV6:
#endif
        return guess_ip(to);
    default:
        return DECAPSULATED_NOT_IP;
    }
}

/* RFC 791 3.1: version and header length (1), service (1), total length (2), identification (2), flags and
 * fragment offset (2), time to live (1), protocol (1), checksum (2), source (4), destination (4), options. */
static enum decapsulation read_ipv4(const struct layer *layer, struct ip_datagram *to)
{
    enum decapsulation result = have(layer, 20);
    if (result != DECAPSULATED)
        return result;
    const uint8_t *at = layer->data;
    uint32_t header = (at[0] & 15u) * 4;
    uint32_t total = be16(at + 2);
    /* A host's offload (TSO) leaves the length zero: the frame says it then. */
    if (total == 0)
        total = layer->length;
    if (at[0] >> 4 != 4 || header < 20 || total < header)
        return DECAPSULATED_MALFORMED;
    result = have(layer, header);
    if (result != DECAPSULATED)
        return result;
    uint32_t flags = be16(at + 6);
    to->version = 4;
    to->protocol = at[9];
    to->source = at + 12;
    to->destination = at + 16;
    to->payload = at + header;
    to->length = total - header;
    /* What follows the total length is padding of the link layer. */
    uint32_t captured = layer->captured - header;
    to->captured = captured < to->length ? captured : to->length;
    to->fragment = (flags & 0x3fff) != 0;
    to->more_fragments = (flags & 0x2000) != 0;
    to->fragment_id = be16(at + 4);
    to->fragment_offset = (flags & 0x1fff) * 8;
    return DECAPSULATED;
}

/* RFC 8200 4: next header (1), length in units of 8 bytes after the first 8 (1), ...; the authentication
 * header (RFC 4302 2.2) counts in units of 4 after the first 8; the fragment header (4.5) is next header,
 * reserved, offset and M flag (2), identification (4). */
static enum decapsulation read_ipv6_extensions(struct layer *rest, uint8_t next, struct ip_datagram *to)
{
    for (int headers = 0; headers < IPV6_EXTENSIONS_MAX; headers++) {
        uint32_t size = 8;
        switch (next) {
        case IP_PROTOCOL_HOP_BY_HOP:
        case IP_PROTOCOL_ROUTING:
        case IP_PROTOCOL_DESTINATION:
        case IP_PROTOCOL_MOBILITY:
        case IP_PROTOCOL_HIP:
        case IP_PROTOCOL_SHIM6:
        case IP_PROTOCOL_AH:
        case IP_PROTOCOL_FRAGMENT:
            break;
        default:
            to->protocol = next;
            to->payload = rest->data;
            to->captured = rest->captured;
            to->length = rest->length;
            return DECAPSULATED;
        }
        enum decapsulation result = have(rest, 8);
        if (result != DECAPSULATED)
            return result;
        const uint8_t *at = rest->data;
        if (next == IP_PROTOCOL_FRAGMENT) {
            uint32_t offset = be16(at + 2);
            /* An atomic fragment (RFC 6946) is a whole datagram. */
            to->fragment = (offset & 0xfff9) != 0;
            to->more_fragments = offset & 1;
            to->fragment_offset = offset & 0xfff8;
            to->fragment_id = be32(at + 4);
        } else if (next == IP_PROTOCOL_AH) {
            size = (at[1] + 2u) * 4;
        } else {
            size = (at[1] + 1u) * 8;
        }
        next = at[0];
        result = strip(rest, size);
        if (result != DECAPSULATED)
            return result;
        if (to->fragment) {
            /* What follows counts by its place in the datagram; its headers are read when that is whole. */
            to->protocol = next;
            to->payload = rest->data;
            to->captured = rest->captured;
            to->length = rest->length;
            return DECAPSULATED;
        }
    }
    return DECAPSULATED_MALFORMED;
}

/* RFC 8200 3: version, class, flow label (4), payload length (2), next header (1), hop limit (1), source
 * (16), destination (16). */
static enum decapsulation read_ipv6(const struct layer *layer, struct ip_datagram *to)
{
    enum decapsulation result = have(layer, 40);
    if (result != DECAPSULATED)
        return result;
    const uint8_t *at = layer->data;
    if (at[0] >> 4 != 6)
        return DECAPSULATED_MALFORMED;
    uint32_t payload = be16(at + 4);
    /* Zero: a jumbogram (RFC 2675), or a host's offload; the frame says the length then. */
    if (payload == 0)
        payload = layer->length - 40;
    struct layer rest = {.data = at + 40, .length = payload, .captured = layer->captured - 40};
    if (rest.captured > rest.length)
        rest.captured = rest.length;
    to->version = 6;
    to->source = at + 8;
    to->destination = at + 24;
    to->fragment = false;
    to->more_fragments = false;
    to->fragment_offset = 0;
    return read_ipv6_extensions(&rest, at[6], to);
}

enum decapsulation decapsulate_whole(struct ip_datagram *datagram)
{
    datagram->fragment = false;
    if (datagram->version != 6)
        return DECAPSULATED;
    struct layer rest = {
        .data = datagram->payload,
        .captured = datagram->captured,
        .length = datagram->length,
    };
    return read_ipv6_extensions(&rest, datagram->protocol, datagram);
}

/* RFC 2516 4: version and type (1), code (1; 0: session data), session (2), length (2), PPP. */
static enum decapsulation strip_pppoe(struct layer *layer)
{
    enum decapsulation result = have(layer, 6);
    if (result != DECAPSULATED)
        return result;
    if (layer->data[0] != 0x11 || layer->data[1] != 0)
        return DECAPSULATED_NOT_IP;
    strip(layer, 6);
    return strip_ppp(layer);
}

enum decapsulation decapsulate_ip(const struct layer *layer, struct ip_datagram *to)
{
    struct layer inner = *layer;
    if (layer->ethertype == ETHERTYPE_PPPOE) {
        enum decapsulation result = strip_pppoe(&inner);
        if (result != DECAPSULATED)
            return result;
        layer = &inner;
    }
    if (layer->ethertype == ETHERTYPE_IPV4_NUMBER)
        return read_ipv4(layer, to);
    if (layer->ethertype == ETHERTYPE_IPV6_NUMBER)
        return read_ipv6(layer, to);
    return DECAPSULATED_NOT_IP;
}

/* ERSPAN type III (draft-foschiano-erspan-03 4.2): 12 bytes, the last of them with the O flag; when that is
 * set, 8 bytes of a platform specific header follow. */
static enum decapsulation strip_erspan_iii(struct layer *layer)
{
    enum decapsulation result = have(layer, 12);
    if (result != DECAPSULATED)
        return result;
    uint32_t size = layer->data[11] & 1 ? 20 : 12;
    result = strip(layer, size);
    return result == DECAPSULATED ? strip_ethernet(layer) : result;
}

/* RFC 2784 2.1 with RFC 2890: flags and version (2), protocol (2), then as flagged checksum and reserved (4),
 * key (4), sequence number (4); RFC 1701 routing is not supported; version 1 (PPTP, RFC 2637) adds an
 * acknowledgement number (4) and carries PPP.
 *
 * ERSPAN type I has no sequence number and no header of its own; type II has both (8 bytes). */
static enum decapsulation strip_gre(struct layer *layer)
{
    enum decapsulation result = have(layer, 4);
    if (result != DECAPSULATED)
        return result;
    unsigned flags = be16(layer->data);
    unsigned protocol = be16(layer->data + 2);
    unsigned version = flags & 7;
    if (version > 1 || (version == 0 && flags & 0x4000))
        return DECAPSULATED_NOT_IP;
    bool sequence = flags & 0x1000;
    uint32_t size = 4 + (flags & 0x8000 ? 4u : 0) + (flags & 0x2000 ? 4u : 0) + (sequence ? 4u : 0) +
                    (version == 1 && flags & 0x0080 ? 4u : 0);
    result = strip(layer, size);
    if (result != DECAPSULATED)
        return result;
    layer->ethertype = (uint16_t)protocol;
    switch (protocol) {
    case ETHERTYPE_BRIDGED:
        return strip_ethernet(layer);
    case ETHERTYPE_ERSPAN:
        if (sequence) {
            result = strip(layer, 8);
            if (result != DECAPSULATED)
                return result;
        }
        return strip_ethernet(layer);
    case ETHERTYPE_ERSPAN_III:
        return strip_erspan_iii(layer);
    case 0x880b: /* RFC 2637 4.1: PPP */
        return strip_ppp(layer);
    default:
        return strip_vlan(layer);
    }
}

/* UDP header (8), then RFC 7348 5: flags (1, the I bit set), reserved (3), VNI (3), reserved (1), frame. */
static enum decapsulation strip_vxlan(struct layer *layer)
{
    uint16_t port = layer->captured >= 4 ? be16(layer->data + 2) : 0;
    if ((port != VXLAN_PORT && port != VXLAN_PORT_LINUX) || layer->captured < 16 || layer->data[8] != 0x08 ||
        layer->data[15] != 0)
        return DECAPSULATED_NOT_IP;
    strip(layer, 16);
    return strip_ethernet(layer);
}

enum decapsulation decapsulate_tunnel(const struct ip_datagram *datagram, struct layer *to)
{
    to->data = datagram->payload;
    to->captured = datagram->captured;
    to->length = datagram->length;
    to->ethertype = 0;
    switch (datagram->protocol) {
    case IP_PROTOCOL_UDP:
        return strip_vxlan(to);
    case IP_PROTOCOL_GRE:
        return strip_gre(to);
    case IP_PROTOCOL_IPV4: /* RFC 2003 */
        to->ethertype = ETHERTYPE_IPV4_NUMBER;
        return DECAPSULATED;
    case IP_PROTOCOL_IPV6: /* RFC 2473, RFC 4213 */
        to->ethertype = ETHERTYPE_IPV6_NUMBER;
        return DECAPSULATED;
    default:
        return DECAPSULATED_NOT_IP;
    }
}
