/* SPDX-License-Identifier: Apache-2.0
 *
 * Alerts and health issues in ArcSight's Common Event Format, with the names, ids and severities that are
 * published for the mission's product (docs/notifications.md has the grammar): one line of well-formed UTF-8
 * without a byte order mark, whatever stood on the wire. Pure.
 */
#pragma once

#include "base/health.h"
#include "center/alert.h"

/* Bytes of a message at most: what rsyslog and others take by default. */
#define CEF_MAX 8192u

/* What a message tells beside the alert. */
struct cef_context {
    const char *version; /* of Picket */
    const char *title;   /* of the detection, for people; NULL: the alert's name */
    const char *mitre;   /* technique; NULL or "": none */
    const char *trigger; /* "new", "updated", "closed", "reopened", ... */
    const char *url;     /* of the portal, without a slash at its end; NULL: none */
};

/* Terminated; returns the length. It fits always: the message text is cut first. */
size_t cef_of_alert(const struct alert *alert, const struct cef_context *context, char to[CEF_MAX]);

/* `trigger`: "new" when it was raised, "closed" when it ended. The title is the issue's name. */
size_t cef_of_health(const struct health_issue *issue, const struct cef_context *context, char to[CEF_MAX]);

/* 10 high, 5 medium, 3 low, 1 informational. */
unsigned cef_severity(enum severity severity);
