/* SPDX-License-Identifier: Apache-2.0
 *
 * IP addresses: one type for both families.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct ip_address {
    uint8_t family;    /* 4, 6; 0: none */
    uint8_t bytes[16]; /* network order; IPv4 uses the first four, the others are zero */
};

#define IP_ADDRESS_TEXT_MAX 46

struct endpoint {
    struct ip_address address;
    uint16_t port;
};

/* Textual form (RFC 5952 for IPv6) into `to`; "" for no address. Returns `to`. */
const char *ip_address_text(const struct ip_address *address, char to[IP_ADDRESS_TEXT_MAX]);

/* Reads either form; false when it is neither. */
bool ip_address_parse(const char *text, struct ip_address *to);

bool ip_address_equal(const struct ip_address *a, const struct ip_address *b);

/* Whether the first `bits` of the address are those of the network, of the same family. */
bool ip_address_within(const struct ip_address *address, const struct ip_address *network, unsigned bits);

/* "10.0.0.0/8", "2001:db8::1": an address is a prefix of all its bits. False when it is neither, or has bits
 * behind its prefix. */
bool ip_prefix_parse(const char *text, struct ip_address *network, uint8_t *bits);
