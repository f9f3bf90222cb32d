/* SPDX-License-Identifier: Apache-2.0
 *
 * A Windows event, whatever brought it: syslog, event forwarding, a file. What a parser of a format makes,
 * and what event_translate() makes network activities of. A view: it points into its parser's bytes and is
 * valid during the call that hands it over.
 *
 * Fields are taken by name (EventData, as Microsoft's manifest names them) or, for formats that give no
 * names, by position; the rendered message, which is in the language of its computer, is never relied upon.
 */
#pragma once

#include "base/cursor.h"

#define EVENT_FIELDS_MAX 128u   /* more are left out, and `truncated` says so */
#define EVENT_BYTES_MAX  65536u /* of one event, in UTF-8; a larger one is refused by its parser */

/* How the event came. */
enum event_source {
    EVENT_SYSLOG,    /* a SIEM or an agent forwarded it */
    EVENT_FORWARDED, /* Windows Event Forwarding */
    EVENT_FILE,      /* .evtx */
};

struct event_field {
    struct bytes name; /* empty: known by its position only */
    struct bytes value;
};

struct event {
    uint32_t id;
    int64_t time;          /* TimeCreated, ns since 1970; 0: the format did not tell */
    uint64_t record;       /* EventRecordID; 0: not told */
    struct bytes provider; /* "Microsoft-Windows-Security-Auditing" */
    struct bytes channel;  /* "Security" */
    struct bytes computer; /* that logged it, as it calls itself */
    struct bytes user;     /* Security UserID, a SID as text: in whose name it was logged; mostly empty */
    enum event_source source;
    bool audit_failure; /* Keywords: audit failure, where the format tells */
    bool truncated;
    uint32_t count;
    struct event_field fields[EVENT_FIELDS_MAX];
};

/* The value of the field of that name (ASCII, case does not matter); empty when there is none. */
struct bytes event_get(const struct event *event, const char *name);

/* Adds a field; beyond EVENT_FIELDS_MAX it is left out and `truncated` says so. */
void event_put(struct event *event, struct bytes name, struct bytes value);

typedef void (*event_sink)(void *context, const struct event *event);
