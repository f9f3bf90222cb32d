/* SPDX-License-Identifier: Apache-2.0
 *
 * The API's certificate: from files, or made for this host.
 */
#pragma once

#include "base/fault.h"

#include <gnutls/abstract.h>
#include <stdint.h>

#define API_CERTIFICATE_FILE "api.crt"
#define API_KEY_FILE         "api.key"

/* PEM, terminated. */
struct api_certificate {
    char *certificate, *key;
};

/* Reads both files, and looks whether they can be shown: certificates, a key, and that they belong together.
 * False with the reason. */
bool api_certificate_read(const char *certificate, const char *key, struct api_certificate *to,
                          struct fault *fault);
/* Reads DIRECTORY/api.crt and api.key; makes them when they are not there or end within three weeks: signed
 * by itself, for this host's names and addresses, for clients to trust by the file. `now`: ns since 1970. */
bool api_certificate_own(const char *directory, int64_t now, struct api_certificate *to, struct fault *fault);
/* When the first certificate of a PEM text ends, ns since 1970; 0: it cannot be read. */
int64_t api_certificate_expires(const char *pem);
/* The same of a file. */
int64_t api_certificate_file_expires(const char *path);
/* What GnuTLS shows in a handshake: `list`, of `count` certificates, and the key, all of them the caller's.
 */
bool api_certificate_give(const struct api_certificate *certificate, gnutls_pcert_st **list, unsigned *count,
                          gnutls_privkey_t *key);
void api_certificate_free(struct api_certificate *certificate);
