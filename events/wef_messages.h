/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages of Windows Event Forwarding: SOAP 1.2 envelopes with the headers of WS-Addressing (2004/08),
 * WS-Management (DSP0226) and its Windows extensions ([MS-WSMV]). Read by libexpat within bounds: no DTD, no
 * entity, no depth or size beyond what is said here. Pure.
 */
#pragma once

#include "base/cursor.h"

#define WEF_ENVELOPE_MAX 0x200000u /* bytes of SOAP, in whichever encoding; Windows sends at most 512,000 */
#define WEF_DEPTH_MAX    48u
#define WEF_HEADER_MAX   1024u /* of one header's text */
#define WEF_EVENTS_MAX   8192u /* of one message */
#define WEF_BOOKMARK_MAX 8192u /* one entry a channel: a few hundred bytes */

enum wef_action {
    WEF_OTHER,
    WEF_ENUMERATE, /* which subscriptions are there for me? */
    WEF_EVENTS,
    WEF_HEARTBEAT,
    WEF_SUBSCRIPTION_END, /* the source can't serve its subscription any more */
    WEF_END,              /* of one exchange ([MS-WSMV] 3.1.4.19) */
};

/* Why a message is not served, as faults (DSP0226 section 14, WS-Addressing 2004/08 section 4). */
enum wef_fault {
    WEF_FINE,
    WEF_FAULT_SCHEMA,          /* wsman:SchemaValidationError: no well-formed message, or beyond a bound */
    WEF_FAULT_VERSION,         /* soap:VersionMismatch */
    WEF_FAULT_MUST_UNDERSTAND, /* soap:MustUnderstand: a header that is not known and must be */
    WEF_FAULT_HEADER_MISSING,  /* wsa:MessageInformationHeaderRequired */
    WEF_FAULT_HEADER,          /* wsa:InvalidMessageInformationHeader */
    WEF_FAULT_ACTION,          /* wsa:ActionNotSupported */
    WEF_FAULT_RESOURCE,        /* wsa:DestinationUnreachable */
    WEF_FAULT_UNSUPPORTED,     /* wsman:UnsupportedFeature */
    WEF_FAULT_ENCODING_LIMIT,  /* wsman:EncodingLimit: the answer is larger than MaxEnvelopeSize */
    WEF_FAULT_DENIED,          /* wsman:AccessDenied */
    WEF_FAULT_REFUSED,         /* wsman:DeliveryRefused: no such subscription: it shall end */
    WEF_FAULT_BUSY,            /* wsa:EndpointUnavailable: once more, later */
};

/* What a message says. All of it points into the reader, until that reads the next one. */
struct wef_message {
    enum wef_action action;
    bool utf16; /* how it came, and so how it is answered */
    struct bytes to;
    struct bytes reply_to;
    struct bytes message_id;
    struct bytes operation_id;
    struct bytes machine_id; /* what the source calls itself */
    struct bytes resource;
    struct bytes identifier; /* of the subscription, as its reference properties say */
    struct bytes bookmark;   /* XML, well-formed by itself; empty: none */
    struct bytes status;     /* why a subscription ended */
    uint32_t max_envelope;   /* 0: not said */
    bool ack_requested;
    bool optimized;             /* Enumerate: the items at once */
    bool not_understood;        /* a header that must be, and is not known */
    const struct bytes *events; /* each the XML of an event; UTF-8 */
    uint32_t events_count;
};

struct wef_reader;

/* NULL without memory. The caller destroys it. One thread at a time. */
struct wef_reader *wef_reader_new(void);
void wef_reader_destroy(struct wef_reader **reader_p);

/* Reads an envelope in UTF-16 (either order with a byte order mark, little-endian without) or UTF-8.
 * Characters that XML does not know (Windows puts them in as they stand) become U+FFFD. Returns WEF_FINE, or
 * why it is refused; then the message has what was understood, so that the fault names what it answers. */
enum wef_fault wef_read(struct wef_reader *reader, struct bytes soap, struct wef_message *message);

/* What every answer has. */
struct wef_reply {
    const struct wef_message *request;
    uint8_t id[16]; /* random */
};

/* The answers, in UTF-8, cut at `capacity`: each returns the length it needs. */
size_t wef_write_ack(char *to, size_t capacity, const struct wef_reply *reply);
size_t wef_write_fault(char *to, size_t capacity, const struct wef_reply *reply, enum wef_fault fault);

/* The HTTP status that a fault goes with (SOAP 1.2 part 2, table 17). */
unsigned wef_fault_status(enum wef_fault fault);
const char *wef_fault_name(enum wef_fault fault); /* "SchemaValidationError" */

/* Text as it goes: UTF-8, or UTF-16 little-endian with a byte order mark, which takes at most
 * 2 * text.size + 2 bytes. Returns its size. */
size_t wef_encode(struct bytes text, bool utf16, uint8_t *to, size_t capacity);

/* "4A62..-.." of 16 bytes, with its terminating zero. Returns `to`. */
#define WEF_UUID_TEXT 37
const char *wef_uuid_text(const uint8_t uuid[16], char to[WEF_UUID_TEXT]);
