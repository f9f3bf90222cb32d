/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates of sources that forward over HTTPS: whom the authority's file vouches for, and as whom.
 */
#pragma once

#include "base/fault.h"

#include <gnutls/gnutls.h>

struct wef_trust;

/* The authorities of a PEM file, and the revocations of another (NULL: none). NULL with the reason. */
struct wef_trust *wef_trust_new(const char *authorities, const char *revocations, struct fault *fault);
void wef_trust_destroy(struct wef_trust **trust_p);

struct wef_identity {
    char name[256];      /* the first DNS name of the certificate, else its common name */
    char thumbprint[41]; /* SHA-1 of its issuer's certificate, as the policy's IssuerCA has it */
};

/* Whether the peer of that session has proved to be one that an authority vouches for, as a client. */
bool wef_trust_check(const struct wef_trust *trust, gnutls_session_t session, struct wef_identity *identity,
                     struct fault *fault);
