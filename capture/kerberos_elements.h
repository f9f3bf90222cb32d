/* SPDX-License-Identifier: Apache-2.0
 *
 * The elements that Kerberos messages and their sealed parts are made of (RFC 4120 5.2); shared by kerberos.c
 * and kerberos_parts.c. RFC 4120 uses explicit tags: each member is a context tag around the value.
 */
#pragma once

#include "capture/kerberos.h"

#define EXPLICIT(n) BER_CONTEXT_CONS(n)

/* The value's content, of which the tag must be `tag`; empty and failed otherwise. */
struct cursor krb_inner(struct cursor member, uint8_t tag);
int64_t krb_inner_int(struct cursor member);
struct bytes krb_inner_string(struct cursor member);
bool krb_inner_flags(struct cursor member, uint32_t *to);
/* ns since 1970; 0: none. */
int64_t krb_inner_time(struct cursor member);
void krb_inner_principal(struct cursor member, struct krb_principal *to);
/* The content of an EncryptedData. */
void krb_encrypted_read(struct cursor c, struct krb_encrypted *to);
/* The content of a KDC-REQ-BODY. */
bool krb_kdc_req_body(struct cursor c, struct krb_kdc_req *to);
