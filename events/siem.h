/* SPDX-License-Identifier: Apache-2.0
 *
 * Windows events as SIEMs and agents put them into syslog messages: RSA Security Analytics, ArcSight (CEF),
 * Splunk, QRadar, LEEF, Snare, structured data (NXLog), and what event_text.h reads (JSON, XML). Which it is
 * is recognised by the content. Pure.
 */
#pragma once

#include "events/event.h"
#include "events/syslog.h"

enum siem_verdict {
    SIEM_EVENT,   /* the event stands in `event` */
    SIEM_OTHER,   /* a format that is known, with something else than a Windows event */
    SIEM_DAMAGED, /* a format that is known, but without what it must have */
    SIEM_UNKNOWN, /* none that is known */
};

struct siem_result {
    enum siem_verdict verdict;
    const char *format; /* a constant: "rsa", "cef", ...; "unknown" */
    const char *reason; /* of a damaged or unknown one: a constant */
};

struct siem_reader;

/* `local`: times without a zone are this host's, else UTC. NULL without memory. */
struct siem_reader *siem_reader_new(bool local);
void siem_reader_destroy(struct siem_reader **reader);

/* Reads a message, its header taken off. `event` points into the message and into the reader, and is valid
 * until the next call. Its time is the event's own; where the format does not tell it that of the header,
 * else `now` (wall ns). */
struct siem_result siem_read(struct siem_reader *reader, const struct syslog_header *header, int64_t now,
                             struct event *event);
