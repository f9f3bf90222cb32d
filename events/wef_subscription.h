/* SPDX-License-Identifier: Apache-2.0
 *
 * The one subscription that Picket offers to sources of events: which events, how often, and where to send
 * them ([MS-WSMV] 3.1.4.1.30, DSP0226 section 10). Pure.
 */
#pragma once

#include "events/wef_messages.h"

struct wef_terms {
    uint32_t heartbeat; /* s: a source without events says that often that it is there */
    uint32_t latency;   /* s: an event waits at most that long for others */
    bool existing;      /* a source without a bookmark begins with what its logs hold */
};

/* To whom, and how it shall come back. */
struct wef_offer {
    const struct wef_terms *terms;
    bool tls;
    struct bytes authority; /* "sensor.corp.example:5986": as the source named this host */
    struct bytes
        thumbprint;        /* of the authority that issued the source's certificate; hexadecimal; tls only */
    struct bytes bookmark; /* where to go on; empty: none */
    uint8_t ids[2][16];    /* random */
};

/* Where events go: "/wsman/subscriptions/...". Constant: bookmarks stay good as long as the channels do. */
const char *wef_subscription_path(void);

/* Changes with the terms and the query, so that sources take the new ones. */
void wef_subscription_version(const struct wef_terms *terms, uint8_t version[16]);

/* The QueryList, one line of XML. */
const char *wef_subscription_query(void);

/* The answer to Enumerate, in UTF-8, cut at `capacity`; returns the length it needs. */
size_t wef_write_subscription(char *to, size_t capacity, const struct wef_reply *reply,
                              const struct wef_offer *offer);
