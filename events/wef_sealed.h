/* SPDX-License-Identifier: Apache-2.0
 *
 * How a sealed message rides in HTTP ([MS-WSMV] 2.2.9.1): multipart/encrypted with a part that says what it
 * was and one that is the GSS-API token. Pure.
 */
#pragma once

#include "base/cursor.h"

enum wef_protection {
    WEF_KERBEROS, /* HTTP-Kerberos-session-encrypted */
    WEF_SPNEGO,   /* HTTP-SPNEGO-session-encrypted */
};

struct wef_sealed {
    struct bytes token; /* header of the wrap token, and its data right behind it: one GSS-API token */
    size_t length;      /* of what is sealed, as the message says */
};

/* False: not of that protection, or not as it must be. */
bool wef_sealed_read(const char *content_type, struct bytes body, enum wef_protection protection,
                     struct wef_sealed *sealed);

/* What goes with a message that wef_sealed_write() made. */
const char *wef_sealed_content_type(enum wef_protection protection);

/* Around `header` and `data` (of gss_wrap_iov) that seal `length` bytes of SOAP in UTF-16 or UTF-8; cut at
 * `capacity`, returns the length it needs: at most WEF_SEALED_MORE beyond the two. */
#define WEF_SEALED_MORE 512u
size_t wef_sealed_write(uint8_t *to, size_t capacity, enum wef_protection protection, bool utf16,
                        size_t length, struct bytes header, struct bytes data);
