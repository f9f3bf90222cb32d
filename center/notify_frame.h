/* SPDX-License-Identifier: Apache-2.0
 *
 * Syslog messages as they are sent: the header (RFC 5424, or RFC 3164 as it is met) and what parts them in a
 * stream (RFC 6587: octet counting, or a line feed behind each). Pure.
 */
#pragma once

#include "base/cursor.h"

enum syslog_form { SYSLOG_RFC5424, SYSLOG_RFC3164 };
enum syslog_framing { SYSLOG_DATAGRAM, SYSLOG_COUNTED, SYSLOG_LINES };

#define SYSLOG_HEADER_MAX 512u
#define SYSLOG_HOST_MAX   255u /* RFC 5424 6 */
#define SYSLOG_MSGID_MAX  32u

struct syslog_message {
    unsigned severity; /* 3 error, 4 warning, 5 notice, 6 informational */
    int64_t time;      /* ns since 1970 */
    const char *host;  /* who sends; what is no printable ASCII becomes _ */
    const char *app;   /* APP-NAME, the tag */
    unsigned process;
    const char *type;     /* MSGID: the alert's name, cut at SYSLOG_MSGID_MAX; RFC 5424 only */
    struct bytes content; /* one line */
};

/* The whole of it, framed; facility 4, security. Returns its length; 0: it does not fit in `capacity`. */
size_t syslog_frame_put(const struct syslog_message *message, enum syslog_form form,
                        enum syslog_framing framing, void *to, size_t capacity);
