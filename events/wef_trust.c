/* SPDX-License-Identifier: Apache-2.0 */
#include "events/wef_trust.h"

#include <gnutls/x509.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_MAX 8u

struct wef_trust {
    gnutls_x509_trust_list_t list;
};

struct wef_trust *wef_trust_new(const char *authorities, const char *revocations, struct fault *fault)
{
    struct wef_trust *self = calloc(1, sizeof *self);
    if (!self || gnutls_x509_trust_list_init(&self->list, 0) < 0) {
        free(self);
        fault_say(fault, "no memory");
        return NULL;
    }
    unsigned flags = GNUTLS_TL_VERIFY_CRL;
    int rc = gnutls_x509_trust_list_add_trust_file(self->list, authorities, revocations, GNUTLS_X509_FMT_PEM,
                                                   flags, 0);
    if (rc > 0)
        return self;
    fault_say(fault, "%s: %s", authorities, rc < 0 ? gnutls_strerror(rc) : "no certificate in it");
    wef_trust_destroy(&self);
    return NULL;
}

void wef_trust_destroy(struct wef_trust **trust_p)
{
    if (!*trust_p)
        return;
    gnutls_x509_trust_list_deinit((*trust_p)->list, 1);
    free(*trust_p);
    *trust_p = NULL;
}

/* --- the peer's chain --- */

struct chain {
    gnutls_x509_crt_t certificates[CHAIN_MAX];
    unsigned count;
};

static void chain_free(struct chain *chain)
{
    for (unsigned i = 0; i < chain->count; i++)
        gnutls_x509_crt_deinit(chain->certificates[i]);
}

static bool chain_of(gnutls_session_t session, struct chain *chain, struct fault *fault)
{
    unsigned count = 0;
    const gnutls_datum_t *raw = gnutls_certificate_get_peers(session, &count);
    chain->count = 0;
    if (!raw || count == 0)
        return fault_say(fault, "no client certificate");
    if (count > CHAIN_MAX)
        return fault_say(fault, "a chain of more than %u certificates", CHAIN_MAX);
    for (unsigned i = 0; i < count; i++) {
        if (gnutls_x509_crt_init(&chain->certificates[i]) < 0)
            return fault_say(fault, "no memory");
        chain->count++;
        if (gnutls_x509_crt_import(chain->certificates[i], &raw[i], GNUTLS_X509_FMT_DER) < 0)
            return fault_say(fault, "a certificate that cannot be read");
    }
    return true;
}

static bool verify(const struct wef_trust *self, struct chain *chain, struct fault *fault)
{
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                     .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
    unsigned status = 0;
    int rc = gnutls_x509_trust_list_verify_crt2(self->list, chain->certificates, chain->count, &purpose, 1, 0,
                                                &status, NULL);
    if (rc >= 0 && status == 0)
        return true;
    gnutls_datum_t text = {0};
    if (rc >= 0 && gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) == 0)
        fault_say(fault, "%s", (const char *)text.data);
    else
        fault_say(fault, "%s", gnutls_strerror(rc));
    gnutls_free(text.data);
    return false;
}

/* --- who it is --- */

/* GnuTLS ends names that fit with a zero; one with a zero in itself is not a name. */
static bool is_name(const char *name, size_t size)
{
    return size > 0 && strlen(name) == size;
}

static bool name_of(gnutls_x509_crt_t leaf, struct wef_identity *to)
{
    size_t size;
    int rc = 0;
    for (unsigned i = 0; rc >= 0; i++) {
        size = sizeof to->name - 1;
        memset(to->name, 0, sizeof to->name);
        rc = gnutls_x509_crt_get_subject_alt_name(leaf, i, to->name, &size, NULL);
        if (rc == GNUTLS_SAN_DNSNAME && is_name(to->name, size))
            return true;
        if (rc == GNUTLS_E_SHORT_MEMORY_BUFFER)
            rc = 0;
    }
    size = sizeof to->name - 1;
    memset(to->name, 0, sizeof to->name);
    return gnutls_x509_crt_get_dn_by_oid(leaf, GNUTLS_OID_X520_COMMON_NAME, 0, 0, to->name, &size) >= 0 &&
           is_name(to->name, size);
}

static bool thumbprint_of(gnutls_x509_crt_t certificate, char to[41])
{
    uint8_t digest[20];
    size_t size = sizeof digest;
    if (gnutls_x509_crt_get_fingerprint(certificate, GNUTLS_DIG_SHA1, digest, &size) < 0 ||
        size != sizeof digest)
        return false;
    for (unsigned i = 0; i < sizeof digest; i++)
        snprintf(to + 2 * (size_t)i, 3, "%02X", digest[i]);
    return true;
}

/* An intermediate authority comes with the chain, another one stands in the file. */
static bool issuer_of(const struct wef_trust *self, const struct chain *chain, char to[41])
{
    gnutls_x509_crt_t issuer = NULL;
    if (chain->count > 1 && gnutls_x509_crt_check_issuer(chain->certificates[0], chain->certificates[1]))
        return thumbprint_of(chain->certificates[1], to);
    if (gnutls_x509_trust_list_get_issuer(self->list, chain->certificates[0], &issuer, 0) < 0)
        return false;
    return thumbprint_of(issuer, to);
}

bool wef_trust_check(const struct wef_trust *self, gnutls_session_t session, struct wef_identity *identity,
                     struct fault *fault)
{
    struct chain chain;
    bool proved = chain_of(session, &chain, fault) && verify(self, &chain, fault);
    if (proved && !name_of(chain.certificates[0], identity))
        proved = fault_say(fault, "a certificate without a name");
    if (proved && !issuer_of(self, &chain, identity->thumbprint))
        proved = fault_say(fault, "a certificate without an issuer");
    chain_free(&chain);
    return proved;
}
