/* SPDX-License-Identifier: Apache-2.0
 *
 * LDAP search filters (RFC 4511 4.5.1.7) as text (RFC 4515).
 */
#pragma once

#include "base/cursor.h"

#define LDAP_FILTER_DEPTH_MAX 64

struct ldap_filter_text {
    size_t size;  /* bytes written; no terminating zero */
    bool cut;     /* the room or the depth did not suffice: a prefix of the text was written */
    bool damaged; /* the filter breaks RFC 4511, or is itself cut: what stands before was written */
};

/* Writes the one Filter element that stands at the cursor. Never fails: what can be said is said. */
struct ldap_filter_text ldap_filter_print(struct cursor filter, char *to, size_t capacity);
