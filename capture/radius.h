/* SPDX-License-Identifier: Apache-2.0
 *
 * RADIUS packets (RFC 2865 section 3), their authenticators, and what their attributes say. Pure: no state,
 * no allocation.
 */
#pragma once

#include "base/activity.h"

#define RADIUS_HEADER_SIZE   20
#define RADIUS_PACKET_MAX    4096
#define RADIUS_AUTHENTICATOR 16

enum radius_packet_code { /* RFC 2865 3, RFC 2866 3, RFC 5176 2.3 */
                          RADIUS_ACCESS_REQUEST = 1,
                          RADIUS_ACCESS_ACCEPT = 2,
                          RADIUS_ACCESS_REJECT = 3,
                          RADIUS_ACCOUNTING_REQUEST = 4,
                          RADIUS_ACCOUNTING_RESPONSE = 5,
                          RADIUS_ACCESS_CHALLENGE = 11,
                          RADIUS_STATUS_SERVER = 12,
                          RADIUS_DISCONNECT_REQUEST = 40,
                          RADIUS_DISCONNECT_ACK = 41,
                          RADIUS_DISCONNECT_NAK = 42,
                          RADIUS_COA_REQUEST = 43,
                          RADIUS_COA_ACK = 44,
                          RADIUS_COA_NAK = 45,
};

struct radius_packet {
    uint8_t code;
    uint8_t identifier;
    uint16_t length;
    struct bytes whole;           /* as far as it was captured, without what follows its length */
    const uint8_t *authenticator; /* of 16 bytes; NULL: not captured */
    struct cursor attributes;
    const uint8_t *message_authenticator; /* the attribute's 16 bytes; NULL: there is none */
    bool damaged;                         /* the length or an attribute's does not fit */
};

/* Whether the code is assigned and the length is one of RADIUS. */
bool radius_plausible(struct bytes start);

/* The packet in a datagram; false when it is none. */
bool radius_read(struct bytes datagram, struct radius_packet *to);

/* Whether a request's authenticator fits the secret: that of Accounting-, Disconnect- and CoA-Requests
 * (RFC 2866 3), else its Message-Authenticator (RFC 3579 3.2). False in `known`: the packet has neither. */
bool radius_request_valid(const struct radius_packet *packet, const char *secret, bool *known);

/* Whether a response's authenticator fits the secret and the request's authenticator (RFC 2865 3). */
bool radius_response_valid(const struct radius_packet *packet, const char *secret,
                           const uint8_t request_authenticator[RADIUS_AUTHENTICATOR]);

/* Writes the authenticator of a response, which is complete otherwise: `response` is as long as its Length
 * field says. */
void radius_response_sign(uint8_t *response, const char *secret,
                          const uint8_t request_authenticator[RADIUS_AUTHENTICATOR]);

/* The next attribute; false at the end, or when its length does not fit (then the cursor failed). */
bool radius_next_attribute(struct cursor *attributes, uint8_t *type, struct cursor *value);

/* Puts what the attributes say and the kind has room for. */
void radius_put_attributes(struct activity_writer *w, enum activity_kind kind, struct cursor attributes);
