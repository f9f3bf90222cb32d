/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may send: addresses and prefixes ("192.0.2.1", "10.0.0.0/8", "2001:db8::/32"). Pure.
 */
#pragma once

#include "base/address.h"

#include <stddef.h>

#define SENDERS_MAX 256u

struct sender {
    struct ip_address network;
    uint8_t bits; /* of it that count */
};

struct senders {
    uint32_t count; /* 0: everybody */
    struct sender of[SENDERS_MAX];
};

/* False: it is none. */
bool sender_parse(const char *text, struct sender *to);

/* Whether the address is one of them, or there are none. */
bool senders_have(const struct senders *senders, const struct ip_address *address);
