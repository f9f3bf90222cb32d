/* SPDX-License-Identifier: Apache-2.0
 *
 * Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): who listens to changes
 * of alerts. A listener that does not read gets a "resync" instead of what it missed.
 */
#pragma once

#include "center/alerts.h"
#include "center/store_people.h"

#include <microhttpd.h>

struct api_events;

/* NULL without memory. */
struct api_events *api_events_new(void);
/* No connection may be left. */
void api_events_destroy(struct api_events **events);

/* By whose word somebody listens, and to what. */
struct api_listening {
    uint8_t token[TOKEN_HASH_SIZE];
    uint64_t workspace; /* 0: to all */
};

/* Answers with a stream of what happens. False: too many listen. */
bool api_events_answer(struct api_events *events, struct MHD_Connection *connection,
                       const struct api_listening *listening);
/* Ends the streams of those who may not listen any more, and what they had not read yet is not told to them.
 * `may` is asked of each, without a lock. One thread at a time. */
void api_events_review(struct api_events *events,
                       bool (*may)(void *context, const struct api_listening *listening), void *context);
/* Any thread. */
struct alert_listener api_events_listener(struct api_events *events);
/* To be called every few seconds: says that we are still there, and ends streams that are old. */
void api_events_tick(struct api_events *events);
/* Ends all streams, and each that begins later. */
void api_events_end(struct api_events *events);
