/* SPDX-License-Identifier: Apache-2.0
 *
 * GSS-API tokens (RFC 2743 section 3.1), SPNEGO (RFC 4178, [MS-SPNG]) and what they carry: Kerberos AP
 * exchanges (RFC 4121) and NTLMSSP ([MS-NLMP]). Used by SMB, LDAP, DCE/RPC and HTTP, which own the exchange
 * and know its outcome.
 */
#pragma once

#include "capture/dissect.h"

enum gss_mechanism {
    GSS_NONE,
    GSS_SPNEGO, /* nothing inside seen yet */
    GSS_KERBEROS,
    GSS_NTLM,
};

/* One authentication exchange; zero it to begin. Kept by the carrier in its own (flow or session) state. */
struct gss_exchange {
    uint8_t mechanism; /* enum gss_mechanism: the one in use */
    uint8_t offered;   /* bit mask 1 << enum gss_mechanism of what SPNEGO offered */
    bool uncounted;    /* set by the carrier: tokens are read, but not among the message counts */
    bool pending;      /* an authentication activity waits for the outcome */
    uint64_t key;      /* under which it was deferred */
    uint8_t server_challenge[8];
    uint32_t negotiate_flags;   /* NTLM: of the last message */
    struct ntlm_target *target; /* NTLM: what the challenge said; dissect_alloc'ed */
    char account[64];           /* who authenticates, cut: for activities that come after it on the session */
    char domain[64];
    uint64_t client;  /* of dissect_client, whose name these will be; 0: nobody's */
    uint64_t context; /* of capture/unseal.h, for what the exchange set up protects; 0: none */
};

/* One token in d->direction, as it stood in the carrier: SPNEGO, GSS-API with or without the outer frame,
 * raw Kerberos, or raw NTLMSSP; its `failed` says that its end is missing. Counts messages, remembers in
 * `exchange`, and leaves one deferred activity (ntlm_authenticate or kerberos_ap) when the client has shown
 * who it is. `carrier` is a protocol's name, as in the field `carrier`; `session` tells exchanges of one flow
 * apart (an SMB session id, an RPC context). It uses the one activity under construction: call it before
 * dissect_begin or after dissect_defer or _emit.
 */
void gss_token(struct dissect *d, struct gss_exchange *exchange, struct cursor token, const char *carrier,
               uint64_t session);

/* The server's word on it, as the carrier heard it: the waiting activity is completed with `status` (0:
 * success; NTSTATUS or the carrier's own code) and emitted. Call it with every final answer; intermediate
 * ones (MORE_PROCESSING_REQUIRED, saslBindInProgress) are not final. Nothing happens when none waits. */
void gss_outcome(struct dissect *d, struct gss_exchange *exchange, uint32_t status);

/* The same when the outcome can't be seen (the carrier went on, encrypted or not): emitted without status. */
void gss_outcome_unknown(struct dissect *d, struct gss_exchange *exchange);

/* Puts account and domain of who authenticates, now or when they are known. */
void gss_put_account(const struct dissect *d, struct activity_writer *w, const struct gss_exchange *exchange);

/* Its context is forgotten, and nobody asks for the client's name any more: it goes away, or what waits
 * stays. */
void gss_forget(struct dissect *d, struct gss_exchange *exchange);

/* The exchange is over or given up: what waits is emitted, what it kept is given back, its context is
 * forgotten, and it is zero again. */
void gss_end(struct dissect *d, struct gss_exchange *exchange);
