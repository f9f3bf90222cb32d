/* SPDX-License-Identifier: Apache-2.0
 *
 * Syslog as it really comes: messages out of a stream (RFC 6587, RFC 5425), and the header off a message
 * (RFC 5424, RFC 3164, or none). Pure; views into the caller's bytes.
 */
#pragma once

#include "base/cursor.h"

#define SYSLOG_MESSAGE_MAX 65536u /* bytes; a longer one is cut there */
#define SYSLOG_COUNT_MAX   8u     /* "65536 " and some: of an octet count with its space */

enum syslog_frame {
    SYSLOG_FRAME_WHOLE, /* a message */
    SYSLOG_FRAME_MORE,  /* bytes are missing */
    SYSLOG_FRAME_SKIP,  /* nothing is in these bytes: pass over them (white space, the rest of a cut one) */
};

/* What the framing of one stream remembers. Begins zeroed. */
struct syslog_stream {
    size_t searched; /* of the bytes at hand, in vain */
    size_t skip;     /* bytes of a counted message that was cut, still to come */
    size_t line;     /* of a message of several lines: where the last one looked at begins; 0: none */
    bool has_text;   /* of it: the event's text has come */
    bool passing;    /* until the next line feed: the rest of a line that was cut */
};

/* The next message of a stream whose bytes at hand are `data`, at most SYSLOG_MESSAGE_MAX + SYSLOG_COUNT_MAX
 * of them. Octet counting and line feeds (also CR LF) may alternate. `*used` bytes are done with
 * whenever something other than MORE is returned.
 *
 * Some formats have line feeds within a message (RSA, Splunk). Those are put together: RSA's by its nine
 * lines, others up to a line that begins a message, or until `idle`: nothing came for a while, or the stream
 * has ended, so that what is there is all. */
enum syslog_frame syslog_stream_next(struct syslog_stream *stream, struct bytes data, bool idle,
                                     struct bytes *message, size_t *used);

struct syslog_header {
    int priority;       /* -1: not told */
    bool modern;        /* RFC 5424 */
    struct bytes stamp; /* its time, as it stands; empty: not told */
    struct bytes host;  /* empty: not told */
    struct bytes app;   /* APP-NAME, or the tag */
    struct bytes data;  /* STRUCTURED-DATA; empty: none */
    struct bytes body;  /* what is left: the message itself, without a byte order mark and blanks around */
};

/* Takes the header off, as far as there is one; never fails. What follows the time of a header of RFC 3164 is
 * taken for a host and a tag only where it looks like them, as many senders leave them out. */
void syslog_header_read(struct bytes message, struct syslog_header *header);

/* The time of the header, ns since 1970; 0: it has none that can be read. Without a zone it is UTC, or with
 * `local` this host's. */
int64_t syslog_header_time(const struct syslog_header *header, bool local, int64_t now);

/* Whether the bytes begin like the body of a message in one of the formats that Picket reads. */
bool syslog_is_body(struct bytes text);
