/* SPDX-License-Identifier: Apache-2.0
 *
 * A certificate for tests that signs itself.
 */
#pragma once

#include "tests/unit/unit.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <time.h>

/* For that DNS name: into the credentials, and as PEM into a file (NULL: none). */
static inline gnutls_certificate_credentials_t certificate_self_signed(const char *name, const char *path)
{
    static const uint8_t serial[] = {1};
    gnutls_certificate_credentials_t credentials;
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
    gnutls_datum_t text;
    unsigned size = (unsigned)strlen(name);
    gnutls_x509_privkey_init(&key);
    gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    gnutls_x509_crt_init(&certificate);
    gnutls_x509_crt_set_version(certificate, 3);
    gnutls_x509_crt_set_serial(certificate, serial, sizeof serial);
    gnutls_x509_crt_set_activation_time(certificate, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(certificate, time(NULL) + 86400);
    gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name, size);
    gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, name, size, GNUTLS_FSAN_SET);
    gnutls_x509_crt_set_basic_constraints(certificate, 1, -1);
    gnutls_x509_crt_set_key(certificate, key);
    assert_true(gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0) >= 0);
    if (path) {
        assert_true(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &text) >= 0);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(text.data, 1, text.size, file), text.size);
        fclose(file);
        gnutls_free(text.data);
    }
    gnutls_certificate_allocate_credentials(&credentials);
    gnutls_certificate_set_x509_key(credentials, &certificate, 1, key);
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
    return credentials;
}
