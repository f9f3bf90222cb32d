/* SPDX-License-Identifier: Apache-2.0
 *
 * Kerberos for a bind: tickets from a keytab or a password into a credential cache of its own in memory, and
 * the SASL mechanisms GSSAPI (RFC 4752) and GSS-SPNEGO over them.
 *
 * Own, not the SASL library's: that takes the credential cache and the configuration of Kerberos from the
 * environment, which threads share, and makes the server's name out of reverse DNS, which anyone may own.
 */
#pragma once

#include "sync/ldap_account.h"

#include <gssapi/gssapi.h>

struct ldap_kerberos_order {
    const struct ldap_account *account;
    const char *domain;     /* whose controller it is; its realm is that in capitals */
    const char *host;       /* of the controller, as its service principal name has it */
    const char *kdc;        /* ADDRESS:PORT of a KDC of the domain: the controller itself */
    bool under_tls;         /* then nothing is sealed twice, and: */
    struct bytes end_point; /* tls-server-end-point of the channel, RFC 5929; may be empty */
};

struct ldap_kerberos;

/* Gets the tickets: speaks to the KDC, blocks while libkrb5 does. NULL with the reason and who is to blame.
 * `expires`: when the ticket ends, wall ns. */
struct ldap_kerberos *ldap_kerberos_open(const struct ldap_kerberos_order *order, int64_t *expires,
                                         enum ldap_blame *blame, struct fault *fault);
void ldap_kerberos_close(struct ldap_kerberos **kerberos);

const char *ldap_kerberos_mechanism(const struct ldap_kerberos *kerberos);

/* The next step of the bind: what the directory sent (empty at first) gives what to send (valid until the
 * next step; empty when it is only to be told to go on). */
bool ldap_kerberos_step(struct ldap_kerberos *kerberos, struct bytes from, struct bytes *to,
                        struct fault *fault);

/* The directory said success: whether it has proved itself too. Then `context` seals the connection in tokens
 * of at most `peer_max` plain bytes; GSS_C_NO_CONTEXT under TLS. */
bool ldap_kerberos_finish(struct ldap_kerberos *kerberos, struct bytes from, gss_ctx_id_t *context,
                          uint32_t *peer_max, struct fault *fault);
