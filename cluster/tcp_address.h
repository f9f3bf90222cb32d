/* SPDX-License-Identifier: Apache-2.0
 *
 * Where nodes listen and are dialled: "tcp://HOST:PORT", HOST an IPv4 address, an IPv6 address in brackets,
 * a DNS name, or * (listening on all addresses of both families).
 */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/address.h"

#define TCP_HOST_MAX    254 /* a DNS name (RFC 1035 2.3.4) and a NUL */
#define TCP_ADDRESS_MAX 72  /* of an address, with port and NUL */

struct tcp_address {
    char host[TCP_HOST_MAX]; /* a name to be resolved; empty: `at` holds the address */
    struct endpoint at;      /* .address: of family 0 when the host is a name or * */
    bool any;                /* the host is * */
};

/* False on anything else, also on bytes that a DNS name cannot have. Port 0 is fine only to listen on. */
bool tcp_address_parse(struct tcp_address *to, const char *text);

/* "tcp://192.0.2.1:49200", "tcp://[2001:db8::1]:49200": the same form for the same address. Returns `to`. */
const char *tcp_address_text(const struct endpoint *at, char to[TCP_ADDRESS_MAX]);

/* Between the system's form and ours. Any other family: an endpoint of family 0. */
struct endpoint tcp_address_from(const struct sockaddr_storage *from);
socklen_t tcp_address_to(const struct endpoint *at, struct sockaddr_storage *to);
