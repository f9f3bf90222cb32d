/* SPDX-License-Identifier: Apache-2.0
 *
 * What computers answer when they are asked for their names, put together by the specifications.
 */
#pragma once

#include "naming/name_query.h"

#include <string.h>

struct name_reply {
    size_t size;
    uint8_t bytes[1024];
};

static inline void reply_put(struct name_reply *reply, const void *data, size_t size)
{
    memcpy(reply->bytes + reply->size, data, size);
    reply->size += size;
}

static inline void reply_av_pair(struct name_reply *reply, uint8_t id, const char *text)
{
    uint8_t head[4] = {id, 0, (uint8_t)(2 * strlen(text)), 0};
    reply_put(reply, head, sizeof head);
    for (; *text; text++)
        reply_put(reply, (uint8_t[]){(uint8_t)*text, 0}, 2);
}

/* A bind_ack ([C706] 12.6.4.4) with an NTLM challenge ([MS-NLMP] 2.2.1.2). NULL: that name is not told. */
static inline struct name_reply ntlm_reply_of(const char *dns_host, const char *dns_domain, const char *host,
                                              const char *domain)
{
    struct name_reply reply = {0}, info = {0}, token = {0};
    static const uint8_t body[] = {0xd0, 0x16, 0xd0, 0x16, 1,    0,    0,    0,    4,    0,    '1',
                                   '3',  '5',  0,    0,    0,    1,    0,    0,    0,    0,    0,
                                   0,    0,    0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f,
                                   0xe8, 8,    0,    0x2b, 0x10, 0x48, 0x60, 2,    0,    0,    0};
    if (domain)
        reply_av_pair(&info, 2, domain);
    if (host)
        reply_av_pair(&info, 1, host);
    if (dns_domain)
        reply_av_pair(&info, 4, dns_domain);
    if (dns_host)
        reply_av_pair(&info, 3, dns_host);
    reply_put(&info, (uint8_t[4]){0}, 4);
    uint8_t length = (uint8_t)info.size;
    uint8_t head[56] = {'N', 'T',  'L',    'M',  'S',    'S', 'P', 0, 2, 0, 0,  0, 0,    0,    0, 0, 56, 0, 0,
                        0,   0x05, 0x82,   0x8a, 0x22,   1,   2,   3, 4, 5, 6,  7, 8,    0,    0, 0, 0,  0, 0,
                        0,   0,    length, 0,    length, 0,   56,  0, 0, 0, 10, 0, 0x63, 0x45, 0, 0, 0,  15};
    reply_put(&token, head, sizeof head);
    reply_put(&token, info.bytes, info.size);
    size_t size = 16 + sizeof body + 8 + token.size;
    uint8_t pdu[16] = {5,
                       0,
                       12,
                       3,
                       0x10,
                       0,
                       0,
                       0,
                       (uint8_t)size,
                       (uint8_t)(size >> 8),
                       (uint8_t)token.size,
                       (uint8_t)(token.size >> 8),
                       1,
                       0,
                       0,
                       0};
    reply_put(&reply, pdu, sizeof pdu);
    reply_put(&reply, body, sizeof body);
    reply_put(&reply, (uint8_t[8]){10, 2}, 8);
    reply_put(&reply, token.bytes, token.size);
    return reply;
}

static inline void reply_node_name(struct name_reply *reply, const char *name, uint8_t suffix, uint8_t flags)
{
    uint8_t entry[18];
    memset(entry, ' ', sizeof entry);
    memcpy(entry, name, strlen(name));
    entry[15] = suffix;
    entry[16] = flags;
    entry[17] = 0;
    reply_put(reply, entry, sizeof entry);
}

/* RFC 1002 4.2.18, to the request. */
static inline struct name_reply netbios_reply_of(struct bytes request, const char *host, const char *domain)
{
    struct name_reply reply = {0};
    reply_put(&reply, request.data, 2);
    reply_put(&reply, (uint8_t[]){0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0}, 10);
    reply_put(&reply, request.data + 12, 34); /* the name */
    reply_put(&reply, (uint8_t[]){0, 0x21, 0, 1, 0, 0, 0, 0, 0, 1 + 4 * 18 + 46}, 10);
    reply_put(&reply, (uint8_t[]){4}, 1);
    reply_node_name(&reply, host, 0x20, 0x04);
    reply_node_name(&reply, domain, 0, 0x84);
    reply_node_name(&reply, host, 0, 0x04);
    reply_node_name(&reply, "OTHER", 0, 0x04);
    reply_put(&reply, (uint8_t[46]){0}, 46);
    return reply;
}

/* An answer to the request that points to the name, which is given as labels. */
static inline struct name_reply dns_reply_of(struct bytes request, const char *labels, size_t size)
{
    struct name_reply reply = {0};
    reply_put(&reply, request.data, 2);
    reply_put(&reply, (uint8_t[]){0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0}, 10);
    reply_put(&reply, request.data + 12, request.size - 12);
    reply_put(&reply, (uint8_t[]){0xc0, 12, 0, 12, 0, 1, 0, 0, 3, 0x84, 0, (uint8_t)size}, 12);
    reply_put(&reply, labels, size);
    return reply;
}

#define RDP_CONFIRM_BYTES 3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0x1f, 8, 0, 2, 0, 0, 0
