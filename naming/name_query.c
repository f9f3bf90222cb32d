/* SPDX-License-Identifier: Apache-2.0 */
#include "naming/name_query.h"

#include "base/utf8.h"
#include "capture/dns.h"
#include "capture/ntlmssp.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    uint16_t port;
    bool tcp;
} methods[NAME_METHODS] = {
    [NAME_BY_NTLM] = {"ntlm", 135, true},
    [NAME_BY_NETBIOS] = {"netbios", 137, false},
    [NAME_BY_RDP] = {"rdp", 3389, true},
    [NAME_BY_DNS] = {"dns", 53, false},
};

const char *name_method_name(enum name_method method)
{
    return methods[method].name;
}

uint16_t name_method_port(enum name_method method)
{
    return methods[method].port;
}

bool name_method_is_tcp(enum name_method method)
{
    return methods[method].tcp;
}

/* --- names --- */

static bool is_host_character(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

/* What can be a computer's or a domain's name: no address, no wildcard, nothing that steers a terminal. */
static bool is_name(struct bytes text)
{
    char as_text[NAME_HOST_MAX];
    struct ip_address address;
    if (text.size == 0 || text.size >= NAME_HOST_MAX || text.data[0] == '.')
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (!is_host_character(text.data[i]))
            return false;
    memcpy(as_text, text.data, text.size);
    as_text[text.size] = 0;
    return !ip_address_parse(as_text, &address);
}

static void put_name(char to[NAME_HOST_MAX], struct bytes text)
{
    bool good = is_name(text);
    if (good)
        memcpy(to, text.data, text.size);
    to[good ? text.size : 0] = 0;
}

/* A DNS name tells the domain too: what stands behind the computer's label. */
static bool put_host(struct name_answer *answer, struct bytes name)
{
    while (name.size > 0 && name.data[name.size - 1] == '.')
        name.size--;
    put_name(answer->host, name);
    const uint8_t *dot = name.size > 0 ? memchr(name.data, '.', name.size) : NULL;
    struct bytes domain = {0};
    if (dot)
        domain = (struct bytes){dot + 1, (size_t)(name.data + name.size - dot - 1)};
    put_name(answer->domain, domain);
    return answer->host[0] != 0;
}

bool name_from_certificate(struct bytes common_name, struct name_answer *answer)
{
    return put_host(answer, common_name);
}

/* --- NTLM in an RPC bind --- */

#define RPC_BIND_ACK   12
#define RPC_HEADER     16u
#define RPC_AUTH_HEAD  8u
#define RPC_AUTH_NTLM  10
#define RPC_LITTLE     0x10
#define RPC_ANSWER_MAX 4096u

/* [C706] 12.6.4.3, [MS-RPCE] 2.2.2.11: a bind to the endpoint mapper, with an NTLM NEGOTIATE that asks for
 * the target's names and tells none. */
static const uint8_t ntlm_bind[] = {
    5,
    0,
    11,
    3,
    RPC_LITTLE,
    0,
    0,
    0,
    112,
    0,
    32,
    0,
    1,
    0,
    0,
    0, /* frag_length, auth_length, call_id */
    0xd0,
    0x16,
    0xd0,
    0x16,
    0,
    0,
    0,
    0, /* fragments of 5840, no association */
    1,
    0,
    0,
    0,
    0,
    0,
    1,
    0, /* one context, one transfer syntax */
    0x08,
    0x83,
    0xaf,
    0xe1,
    0x1f,
    0x5d,
    0xc9,
    0x11,
    0x91,
    0xa4,
    0x08,
    0x00,
    0x2b,
    0x14,
    0xa0,
    0xfa,
    3,
    0,
    0,
    0,
    0x04,
    0x5d,
    0x88,
    0x8a,
    0xeb,
    0x1c,
    0xc9,
    0x11,
    0x9f,
    0xe8,
    0x08,
    0x00,
    0x2b,
    0x10,
    0x48,
    0x60,
    2,
    0,
    0,
    0,
    RPC_AUTH_NTLM,
    2,
    0,
    0,
    0,
    0,
    0,
    0, /* level: connect */
    'N',
    'T',
    'L',
    'M',
    'S',
    'S',
    'P',
    0,
    1,
    0,
    0,
    0,
    0x05,
    0x82,
    0x08,
    0x20, /* NegotiateFlags */
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
};
_Static_assert(sizeof ntlm_bind == 112, "frag_length");

static void put_utf16(char to[NAME_HOST_MAX], struct bytes name)
{
    uint8_t text[NAME_HOST_MAX];
    bool ascii, cut = false;
    size_t units = utf16_units(name.data, name.size, &ascii);
    size_t size = ascii ? utf8_from_utf16(text, sizeof text, name.data, units, &cut) : 0;
    put_name(to, (struct bytes){text, cut ? 0 : size});
}

static enum name_verdict ntlm_challenge(struct bytes token, struct name_answer *answer)
{
    struct ntlm_message message;
    struct ntlm_target_info info;
    if (!ntlm_parse(cursor_of_bytes(token), 0, &message) || message.type != NTLM_CHALLENGE)
        return NAME_NOTHING;
    ntlm_read_target_info(message.target_info, &info);
    put_utf16(answer->host, info.dns_computer);
    put_utf16(answer->domain, info.dns_domain);
    if (!answer->host[0]) {
        put_utf16(answer->host, info.nb_computer);
        put_utf16(answer->domain, info.nb_domain);
    }
    return answer->host[0] ? NAME_TOLD : NAME_NOTHING;
}

static enum name_verdict ntlm_reply(struct bytes reply, struct name_answer *answer)
{
    struct cursor c = cursor_of_bytes(reply);
    if (reply.size < RPC_HEADER)
        return NAME_MORE;
    uint8_t version = cursor_u8(&c);
    cursor_skip(&c, 1);
    uint8_t type = cursor_u8(&c);
    cursor_skip(&c, 1);
    uint8_t representation = cursor_u8(&c);
    cursor_skip(&c, 3);
    uint16_t length = cursor_le16(&c), auth = cursor_le16(&c);
    if (version != 5 || type != RPC_BIND_ACK || !(representation & RPC_LITTLE) || length > RPC_ANSWER_MAX ||
        auth == 0 || (size_t)auth + RPC_AUTH_HEAD + RPC_HEADER > length)
        return NAME_NOTHING;
    if (reply.size < length)
        return NAME_MORE;
    const uint8_t *token = reply.data + length - auth;
    if (token[-(int)RPC_AUTH_HEAD] != RPC_AUTH_NTLM)
        return NAME_NOTHING;
    return ntlm_challenge((struct bytes){token, auth}, answer);
}

/* --- RDP --- */

/* [MS-RDPBCGR] 2.2.1.1: TLS or CredSSP, both of which begin with TLS. */
static const uint8_t rdp_request[] = {3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3, 0, 0, 0};

#define RDP_CONFIRM  0xd0
#define RDP_RESPONSE 2

static enum name_verdict rdp_reply(struct bytes reply)
{
    struct cursor c = cursor_of_bytes(reply);
    if (reply.size < 4)
        return NAME_MORE;
    uint8_t version = cursor_u8(&c);
    cursor_skip(&c, 1);
    uint16_t length = cursor_be16(&c);
    if (version != 3 || length != sizeof rdp_request)
        return NAME_NOTHING;
    if (reply.size < length)
        return NAME_MORE;
    cursor_skip(&c, 1);
    uint8_t type = cursor_u8(&c);
    cursor_skip(&c, 5);
    uint8_t negotiation = cursor_u8(&c);
    cursor_skip(&c, 3);
    uint32_t protocol = cursor_le32(&c);
    return (type & 0xf0) == RDP_CONFIRM && negotiation == RDP_RESPONSE && protocol != 0 ? NAME_GO_ON
                                                                                        : NAME_NOTHING;
}

/* --- DNS and NetBIOS: one format of messages --- */

struct writer {
    uint8_t *to;
    size_t size;
};

static void put_u8(struct writer *w, unsigned value)
{
    w->to[w->size++] = (uint8_t)value;
}

static void put_be16(struct writer *w, unsigned value)
{
    put_u8(w, value >> 8);
    put_u8(w, value & 0xff);
}

static void put_label(struct writer *w, const char *label)
{
    size_t size = strlen(label);
    put_u8(w, (unsigned)size);
    memcpy(w->to + w->size, label, size);
    w->size += size;
}

#define FLAG_RESPONSE          0x8000u
#define FLAG_RECURSION_DESIRED 0x0100u
#define TYPE_PTR               12
#define TYPE_NODE_STATUS       33
#define CLASS_IN               1

static void put_head(struct writer *w, uint16_t id, unsigned flags)
{
    static const uint8_t one_question[] = {0, 1, 0, 0, 0, 0, 0, 0};
    put_be16(w, id);
    put_be16(w, flags);
    memcpy(w->to + w->size, one_question, sizeof one_question);
    w->size += sizeof one_question;
}

static void put_reverse(struct writer *w, const struct ip_address *address)
{
    char label[4];
    if (address->family == 4) {
        for (unsigned i = 4; i-- > 0;) {
            snprintf(label, sizeof label, "%u", address->bytes[i]);
            put_label(w, label);
        }
        put_label(w, "in-addr");
    } else {
        for (unsigned i = 16; i-- > 0;) {
            snprintf(label, sizeof label, "%x", address->bytes[i] & 15u);
            put_label(w, label);
            snprintf(label, sizeof label, "%x", address->bytes[i] >> 4 & 15u);
            put_label(w, label);
        }
        put_label(w, "ip6");
    }
    put_label(w, "arpa");
    put_u8(w, 0);
}

/* RFC 1002 4.2.17: the name "*", 15 zeros behind it, as 32 letters. */
#define ANY_NETBIOS_NAME "CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static size_t message_write(enum name_method method, const struct ip_address *address, uint16_t id,
                            uint8_t *to)
{
    struct writer w = {to, 0};
    bool netbios = method == NAME_BY_NETBIOS;
    put_head(&w, id, netbios ? 0 : FLAG_RECURSION_DESIRED);
    if (netbios) {
        put_label(&w, ANY_NETBIOS_NAME);
        put_u8(&w, 0);
    } else {
        put_reverse(&w, address);
    }
    put_be16(&w, netbios ? TYPE_NODE_STATUS : TYPE_PTR);
    put_be16(&w, CLASS_IN);
    return w.size;
}

/* RFC 1002 4.2.18: names of 15 bytes, a suffix and flags each; <00> unique is the computer, <00> group its
 * domain. */
#define SUFFIX_WORKSTATION 0
#define NETBIOS_NAME       15u
#define NETBIOS_GROUP      0x8000u

static void node_name(char to[NAME_HOST_MAX], struct bytes name)
{
    while (name.size > 0 && (name.data[name.size - 1] == ' ' || name.data[name.size - 1] == 0))
        name.size--;
    if (!to[0])
        put_name(to, name);
}

static void node_status(struct cursor c, struct name_answer *answer)
{
    for (unsigned left = cursor_u8(&c); left > 0; left--) {
        struct bytes name = cursor_take(&c, NETBIOS_NAME);
        uint8_t suffix = cursor_u8(&c);
        uint16_t flags = cursor_be16(&c);
        if (c.failed)
            return;
        if (suffix == SUFFIX_WORKSTATION)
            node_name(flags & NETBIOS_GROUP ? answer->domain : answer->host, name);
    }
}

static void pointer(const struct dns_record *record, struct bytes message, struct name_answer *answer)
{
    struct dns_name name;
    struct cursor c = record->data;
    if (dns_name_read(&c, message, &name))
        put_host(answer, (struct bytes){(const uint8_t *)name.text, name.size});
}

/* The question must be ours: an answer to another one, sent by who guessed the id, is none. */
static bool question_is(struct cursor *c, enum name_method method, const struct ip_address *address)
{
    uint8_t ours[NAME_REQUEST_MAX];
    size_t size = message_write(method, address, 0, ours) - 12;
    struct bytes question = cursor_take(c, size);
    if (question.size != size)
        return false;
    for (size_t i = 0; i < size; i++) /* servers may change the case of letters */
        if ((question.data[i] | 0x20) != (ours[12 + i] | 0x20))
            return false;
    return true;
}

static enum name_verdict message_reply(enum name_method method, const struct ip_address *address, uint16_t id,
                                       struct bytes reply, struct name_answer *answer)
{
    struct dns_header header;
    struct cursor c = cursor_of_bytes(reply);
    bool netbios = method == NAME_BY_NETBIOS;
    if (!dns_header_read(&c, &header) || header.id != id || !(header.flags & FLAG_RESPONSE))
        return NAME_NOTHING;
    /* A node status response repeats the name in its record, and need not have the question. */
    if (header.counts[0] > 1 || (!netbios && header.counts[0] != 1) ||
        (header.counts[0] == 1 && !question_is(&c, method, address)))
        return NAME_NOTHING;
    if (dns_rcode(&header) != 0)
        return NAME_NONE;
    for (unsigned left = header.counts[1]; left > 0 && !answer->host[0]; left--) {
        struct dns_record record;
        if (!dns_record_read(&c, &record))
            break;
        if (netbios && record.type == TYPE_NODE_STATUS)
            node_status(record.data, answer);
        else if (!netbios && record.type == TYPE_PTR)
            pointer(&record, reply, answer);
    }
    return answer->host[0] ? NAME_TOLD : NAME_NONE;
}

/* --- all --- */

static size_t copy(uint8_t *to, const uint8_t *from, size_t size)
{
    memcpy(to, from, size);
    return size;
}

size_t name_query_write(enum name_method method, const struct ip_address *address, uint16_t id,
                        uint8_t to[NAME_REQUEST_MAX])
{
    switch (method) {
    case NAME_BY_NTLM:
        return copy(to, ntlm_bind, sizeof ntlm_bind);
    case NAME_BY_RDP:
        return copy(to, rdp_request, sizeof rdp_request);
    case NAME_BY_NETBIOS:
    case NAME_BY_DNS:
    case NAME_METHODS:
        break;
    }
    return message_write(method, address, id, to);
}

enum name_verdict name_reply_read(enum name_method method, const struct ip_address *address, uint16_t id,
                                  struct bytes reply, struct name_answer *answer)
{
    *answer = (struct name_answer){0};
    switch (method) {
    case NAME_BY_NTLM:
        return ntlm_reply(reply, answer);
    case NAME_BY_RDP:
        return rdp_reply(reply);
    case NAME_BY_NETBIOS:
    case NAME_BY_DNS:
    case NAME_METHODS:
        break;
    }
    return message_reply(method, address, id, reply, answer);
}
