/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses as the system's sockets take and give them.
 */
#pragma once

#include <sys/socket.h>

#include "base/address.h"

/* Returns the length; 0: no address. */
socklen_t socket_address_of(const struct endpoint *endpoint, struct sockaddr_storage *to);

/* IPv4 as what it is, also from a socket of both families; family 0: neither. */
struct endpoint socket_address_endpoint(const struct sockaddr_storage *from);
