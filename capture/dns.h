/* SPDX-License-Identifier: Apache-2.0
 *
 * DNS messages (RFC 1035 section 4), as DNS, LLMNR (RFC 4795) and mDNS (RFC 6762) share them; NBNS
 * (RFC 1002) borrows the header and the records. Readers only: no state, no allocation.
 */
#pragma once

#include "base/address.h"
#include "base/cursor.h"

#define DNS_HEADER_SIZE 12
#define DNS_MESSAGE_MAX 65535

#define DNS_FLAG_RESPONSE      0x8000u
#define DNS_FLAG_AUTHORITATIVE 0x0400u
#define DNS_FLAG_CUT           0x0200u
#define DNS_FLAG_RECURSION     0x0100u

#define DNS_OPCODE_QUERY  0
#define DNS_OPCODE_UPDATE 5

#define DNS_TYPE_A     1
#define DNS_TYPE_NS    2
#define DNS_TYPE_CNAME 5
#define DNS_TYPE_SOA   6
#define DNS_TYPE_PTR   12
#define DNS_TYPE_MX    15
#define DNS_TYPE_AAAA  28
#define DNS_TYPE_SRV   33
#define DNS_TYPE_DNAME 39
#define DNS_TYPE_OPT   41
#define DNS_TYPE_TKEY  249
#define DNS_TYPE_TSIG  250
#define DNS_TYPE_IXFR  251
#define DNS_TYPE_AXFR  252
#define DNS_TYPE_ANY   255

#define DNS_CLASS_IN   1
#define DNS_CLASS_NONE 254
#define DNS_CLASS_ANY  255

/* RFC 1035 4.1.1. `counts`: questions, answers, authority, additional (RFC 2136: zones, prerequisites,
 * updates, additional). */
struct dns_header {
    uint16_t id;
    uint16_t flags;
    uint16_t counts[4];
};

static inline unsigned dns_opcode(const struct dns_header *header)
{
    return header->flags >> 11 & 15u;
}

static inline unsigned dns_rcode(const struct dns_header *header)
{
    return header->flags & 15u;
}

/* What can be read of the header; false (and a failed cursor) when it is not whole. */
bool dns_header_read(struct cursor *c, struct dns_header *to);

/* Whether a header can begin a message of this size: known opcode, and room for what it announces. */
bool dns_header_plausible(const struct dns_header *header, size_t size);

/* A name has at most 255 octets (RFC 1035 3.1); each may become \DDD in text. */
#define DNS_NAME_OCTETS   255
#define DNS_NAME_TEXT_MAX (4 * DNS_NAME_OCTETS)

struct dns_name {
    uint32_t size;
    char text[DNS_NAME_TEXT_MAX];
};

/* Reads the name at the cursor and follows its compression pointers within `message`. The root gives size 0.
 * False when it is no name (a loop, a pointer forward, too long); the cursor then still stands behind it
 * when its end could be told, otherwise it has failed. */
bool dns_name_read(struct cursor *c, struct bytes message, struct dns_name *to);

/* Steps over a name without reading it. */
void dns_name_skip(struct cursor *c);

/* RFC 1035 4.1.3 */
struct dns_record {
    const uint8_t *name; /* where the owner's name begins, in the message */
    uint16_t type;
    uint16_t class;
    uint32_t ttl;
    struct cursor data;
};

/* The next record; false, and the cursor failed, when it is cut or damaged. */
bool dns_record_read(struct cursor *c, struct dns_record *to);

/* The address of an A or AAAA record; false for others and for wrong sizes. */
bool dns_record_address(const struct dns_record *record, struct ip_address *to);

/* Where the name stands that the record points to (CNAME, DNAME, PTR, NS, MX, SRV); NULL when there is none.
 */
const uint8_t *dns_record_target(const struct dns_record *record);

/* RFC 2930 2 */
struct dns_tkey {
    uint16_t mode; /* 3: GSS-API */
    uint16_t error;
    struct cursor key;
};
bool dns_tkey_read(const struct dns_record *record, struct dns_tkey *to);
