/* SPDX-License-Identifier: Apache-2.0
 *
 * Questions that a computer answers with its own name, and their answers. Pure: bytes in and out.
 */
#pragma once

#include "base/address.h"
#include "base/cursor.h"

enum name_method {
    NAME_BY_NTLM, /* TCP 135: an RPC bind that begins NTLM; the challenge names the server ([MS-NLMP] 2.2.1.2)
                   */
    NAME_BY_NETBIOS, /* UDP 137: node status (RFC 1002 4.2.17) */
    NAME_BY_RDP,     /* TCP 3389: the certificate of the TLS that RDP begins with ([MS-RDPBCGR] 5.4.5) */
    NAME_BY_DNS,     /* the pointer record of its address, from a DNS server (RFC 1035 3.5) */
    NAME_METHODS
};

const char *name_method_name(enum name_method method); /* as in the configuration: "ntlm" */
/* The port that is asked; of NAME_BY_DNS that of the DNS server. */
uint16_t name_method_port(enum name_method method);
bool name_method_is_tcp(enum name_method method);

#define NAME_HOST_MAX    256u /* a DNS name with its zero */
#define NAME_REQUEST_MAX 512u
#define NAME_REPLY_MAX   4096u /* longer answers are refused */

/* UTF-8; "" where the answer does not tell. */
struct name_answer {
    char host[NAME_HOST_MAX];   /* DNS or NetBIOS name */
    char domain[NAME_HOST_MAX]; /* DNS or NetBIOS name of its domain */
};

/* The question about `address`; `id` is a random number that the answer must repeat where the protocol has
 * one. Returns its length. */
size_t name_query_write(enum name_method method, const struct ip_address *address, uint16_t id,
                        uint8_t to[NAME_REQUEST_MAX]);

enum name_verdict {
    NAME_TOLD,    /* `answer` is filled */
    NAME_MORE,    /* over TCP: the rest is still to come */
    NAME_GO_ON,   /* RDP: TLS begins now */
    NAME_NONE,    /* an answer to this question, without a name */
    NAME_NOTHING, /* damaged, or no answer to this question: another may come */
};

/* All that was received so far. */
enum name_verdict name_reply_read(enum name_method method, const struct ip_address *address, uint16_t id,
                                  struct bytes reply, struct name_answer *answer);

/* Of a certificate's common name (UTF-8, as it stands there): a name that can be a computer's. */
bool name_from_certificate(struct bytes common_name, struct name_answer *answer);
