/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS to a directory (GnuTLS): the certificate is verified always (chain, dates, purpose, name), there is no
 * way not to. Why one is refused is told in words.
 */
#pragma once

#include "base/fault.h"
#include "sync/ldap_stream.h"

/* What a certificate says of itself. Text from outside, made printable. */
struct ldap_certificate {
    bool present;
    char subject[256], issuer[256];
    char names[256];         /* DNS names and addresses it is for, separated by blanks */
    int64_t begins, expires; /* wall ns */
    char fault[FAULT_MAX];   /* why it was refused; "": it was not */
};

/* Hands the stream over to TLS, until `deadline` (mono ns) at the latest. `certificate` may be NULL; it is
 * told of also when it is refused. */
bool ldap_tls_start(struct ldap_stream *stream, const char *host, const char *ca_file, int64_t deadline,
                    const atomic_bool *cancelled, struct ldap_certificate *certificate, struct fault *fault);
