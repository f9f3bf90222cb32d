/* SPDX-License-Identifier: Apache-2.0
 *
 * Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): who listens to changes
 * of alerts. A listener that does not read gets a "resync" instead of what it missed.
 */
#pragma once

#include "center/alerts.h"

#include <microhttpd.h>

struct api_events;

/* NULL without memory. */
struct api_events *api_events_new(void);
/* No connection may be left. */
void api_events_destroy(struct api_events **events);

/* Answers with a stream of what happens in the workspace (0: in all). False: too many listen. */
bool api_events_answer(struct api_events *events, struct MHD_Connection *connection, uint64_t workspace);
/* Any thread. */
struct alert_listener api_events_listener(struct api_events *events);
/* To be called every few seconds: says that we are still there, and ends streams that are old. */
void api_events_tick(struct api_events *events);
/* Ends all streams, and each that begins later. */
void api_events_end(struct api_events *events);
