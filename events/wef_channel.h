/* SPDX-License-Identifier: Apache-2.0
 *
 * One connection of a source: who it proved to be, and how its messages are protected and packed. HTTP's
 * headers and bodies in, SOAP out, and back.
 */
#pragma once

#include "events/wef_gss.h"
#include "events/wef_session.h"
#include "events/wef_trust.h"

#define WEF_BODY_MAX 0x100000u /* bytes of an HTTP body; Windows sends at most 512,000 before compression */

struct wef_channel {
    const struct wef_acceptor *acceptor; /* Kerberos; NULL: by certificate */
    struct wef_context *context;
    struct wef_identity identity; /* by certificate */
    bool proved;
    uint8_t *plain; /* of the last message, decompressed */
};

/* Frees what it holds. */
void wef_channel_end(struct wef_channel *channel);

enum wef_proof {
    WEF_PROVED,
    WEF_PROOF_MORE,    /* another round */
    WEF_PROOF_MISSING, /* it has not tried yet */
    WEF_PROOF_REFUSED,
};

#define WEF_TOKEN_MAX 0x10000u /* of a ticket, in base64 */

/* The Authorization header of a request on a channel by Kerberos (NULL: it has none). `*header` becomes the
 * value of WWW-Authenticate to answer with, malloc()ed, or NULL. */
enum wef_proof wef_channel_authorize(struct wef_channel *channel, const char *authorization, char **header,
                                     struct fault *fault);

/* As whom a proved channel speaks. */
struct wef_peer wef_channel_peer(const struct wef_channel *channel);

/* The SOAP of a body: opened and decompressed; valid until the next call. `type` and `encoding` are the
 * headers Content-Type and Content-Encoding, NULL when missing. */
bool wef_channel_open(struct wef_channel *channel, const char *type, const char *encoding, struct bytes body,
                      struct bytes *soap, struct fault *fault);

/* The body of an answer: encoded as the request was, and sealed. malloc()ed; NULL when that fails. `*type` is
 * its Content-Type. */
uint8_t *wef_channel_seal(struct wef_channel *channel, const struct wef_answer *answer, size_t *size,
                          const char **type);
