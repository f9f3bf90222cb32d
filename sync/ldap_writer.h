/* SPDX-License-Identifier: Apache-2.0
 *
 * BER elements written forwards into a buffer: what is constructed gets a length of four octets, filled in
 * when it closes (allowed by RFC 4511 5.1, and what every directory's own client sends). What does not fit
 * fails the writer.
 */
#pragma once

#include "base/ber.h"

#define LDAP_WRITER_DEPTH_MAX 48u

struct ldap_writer {
    uint8_t *to;
    size_t capacity, size;
    bool failed;
    unsigned depth;
    size_t open[LDAP_WRITER_DEPTH_MAX]; /* where the contents of what is open begin */
};

void ldap_writer_open(struct ldap_writer *w, uint8_t tag);
void ldap_writer_close(struct ldap_writer *w);
void ldap_writer_bytes(struct ldap_writer *w, uint8_t tag, struct bytes bytes);
void ldap_writer_string(struct ldap_writer *w, uint8_t tag, const char *string);
void ldap_writer_int(struct ldap_writer *w, uint8_t tag, int64_t value);
void ldap_writer_bool(struct ldap_writer *w, bool value);
/* A filter in its textual form, RFC 4515: all of it but nothing more lax; what it is not fails the writer. */
void ldap_writer_filter(struct ldap_writer *w, const char *text);
