/* SPDX-License-Identifier: Apache-2.0
 *
 * From a captured frame down to an IP datagram: link layers, VLAN tags and the tunnels by which mirrored
 * traffic arrives. Pure readers: nothing is kept, nothing is copied.
 */
#pragma once

#include "base/cursor.h"
#include "capture/packet.h"

#define DECAPSULATE_DEPTH_MAX 4 /* tunnels inside each other */

/* What is left of a frame: `captured` bytes are there of the `length` that it had. */
struct layer {
    const uint8_t *data;
    uint32_t captured;
    uint32_t length;
    uint16_t ethertype;
};

struct ip_datagram {
    uint8_t version; /* 4 or 6 */
    uint8_t protocol;
    bool fragment;
    bool more_fragments;
    const uint8_t *source; /* 4 or 16 bytes */
    const uint8_t *destination;
    const uint8_t *payload;
    uint32_t captured; /* bytes of payload that are there */
    uint32_t length;   /* that it had */
    uint32_t fragment_id;
    uint32_t fragment_offset; /* bytes */
};

enum decapsulation {
    DECAPSULATED,           /* there is more to read */
    DECAPSULATED_NOT_IP,    /* something else, or no tunnel */
    DECAPSULATED_MALFORMED, /* breaks its specification */
    DECAPSULATED_CUT,       /* its header was not captured whole */
};

#define ETHERTYPE_IPV4_NUMBER 0x0800
#define ETHERTYPE_IPV6_NUMBER 0x86dd

#define IP_PROTOCOL_ICMP   1
#define IP_PROTOCOL_TCP    6
#define IP_PROTOCOL_UDP    17
#define IP_PROTOCOL_ICMPV6 58

/* The frame's payload and its EtherType, VLAN tags removed. */
enum decapsulation decapsulate_link(const struct packet *packet, struct layer *to);

/* The IP header(s) of a layer with the EtherType of IPv4 or IPv6. */
enum decapsulation decapsulate_ip(const struct layer *layer, struct ip_datagram *to);

/* A datagram that was put together (or the beginning of one): the IPv6 headers that follow the fragment's. */
enum decapsulation decapsulate_whole(struct ip_datagram *datagram);

/* When the datagram (whole) is GRE, ERSPAN, VXLAN or IP in IP: what it carries; else DECAPSULATED_NOT_IP. */
enum decapsulation decapsulate_tunnel(const struct ip_datagram *datagram, struct layer *to);
