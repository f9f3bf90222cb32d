/* SPDX-License-Identifier: Apache-2.0
 *
 * RADIUS on the wire: access (RFC 2865), accounting (RFC 2866, RFC 2869) and changes of authorization
 * (RFC 5176).
 */
#include "capture/dissect.h"
#include "capture/protocols.h"
#include "capture/radius.h"

/* The authenticators of the requests whose replies are awaited, by identifier; only with a secret. */
struct request_table {
    uint8_t known[256 / 8];
    uint8_t authenticator[256][RADIUS_AUTHENTICATOR];
};

struct radius_state {
    struct request_table *requests;
};

static enum activity_kind kind_of(uint8_t code)
{
    switch (code) {
    case RADIUS_ACCESS_REQUEST:
    case RADIUS_ACCESS_ACCEPT:
    case RADIUS_ACCESS_REJECT:
    case RADIUS_ACCESS_CHALLENGE:
        return ACTIVITY_RADIUS_ACCESS;
    case RADIUS_ACCOUNTING_REQUEST:
    case RADIUS_ACCOUNTING_RESPONSE:
        return ACTIVITY_RADIUS_ACCOUNTING;
    default:
        return code >= RADIUS_DISCONNECT_REQUEST && code <= RADIUS_COA_NAK ? ACTIVITY_RADIUS_CHANGE
                                                                           : ACTIVITY_NONE;
    }
}

static const char *answer_of(uint8_t code)
{
    switch (code) {
    case RADIUS_ACCESS_ACCEPT:
        return "accept";
    case RADIUS_ACCESS_REJECT:
        return "reject";
    case RADIUS_ACCESS_CHALLENGE:
        return "challenge";
    case RADIUS_ACCOUNTING_RESPONSE:
        return "response";
    case RADIUS_DISCONNECT_ACK:
    case RADIUS_COA_ACK:
        return "ack";
    case RADIUS_DISCONNECT_NAK:
    case RADIUS_COA_NAK:
        return "nak";
    default:
        return NULL;
    }
}

/* An identifier is used again as soon as its reply came (RFC 2865 3). */
static uint64_t reply_key(const struct radius_packet *packet, enum activity_kind kind)
{
    return (uint64_t)kind << 8 | packet->identifier;
}

static void remember_authenticator(struct dissect *d, const struct radius_packet *packet)
{
    struct radius_state *state = d->state;
    if (!packet->authenticator)
        return;
    if (!state->requests)
        state->requests = dissect_alloc(d, sizeof *state->requests);
    if (!state->requests)
        return;
    state->requests->known[packet->identifier / 8] |= (uint8_t)(1u << packet->identifier % 8);
    memcpy(state->requests->authenticator[packet->identifier], packet->authenticator, RADIUS_AUTHENTICATOR);
}

static const uint8_t *remembered_authenticator(const struct dissect *d, uint8_t identifier)
{
    const struct radius_state *state = d->state;
    if (!state->requests || !(state->requests->known[identifier / 8] >> identifier % 8 & 1))
        return NULL;
    return state->requests->authenticator[identifier];
}

static void handle_request(struct dissect *d, const struct radius_packet *packet, enum activity_kind kind)
{
    struct activity_writer *w = dissect_begin(d, kind);
    radius_put_attributes(w, kind, packet->attributes);
    const char *secret = dissect_radius_secret(d);
    if (secret) {
        bool known;
        bool valid = radius_request_valid(packet, secret, &known);
        if (known)
            activity_put_bool(w, FIELD_AUTHENTICATOR_VALID, valid);
        remember_authenticator(d, packet);
    }
    dissect_defer(d, reply_key(packet, kind));
}

static void handle_response(struct dissect *d, const struct radius_packet *packet, enum activity_kind kind,
                            const char *answer)
{
    struct activity_writer *w = dissect_resume(d, reply_key(packet, kind));
    if (!w)
        w = dissect_begin(d, kind);
    activity_put_text(w, FIELD_RADIUS_CODE, answer);
    radius_put_attributes(w, kind, packet->attributes);
    const char *secret = dissect_radius_secret(d);
    const uint8_t *request = remembered_authenticator(d, packet->identifier);
    if (secret && request && packet->whole.size == packet->length)
        activity_put_bool(w, FIELD_REPLY_AUTHENTICATOR_VALID, radius_response_valid(packet, secret, request));
    dissect_emit(d);
}

static void radius_message(struct dissect *d, struct cursor wire)
{
    struct radius_packet packet;
    if (!radius_read((struct bytes){wire.at, cursor_left(&wire)}, &packet)) {
        if (!d->truncated)
            dissect_malformed(d, PROTOCOL_RADIUS);
        return;
    }
    dissect_counted(d, PROTOCOL_RADIUS);
    d->counts->radius[packet.code]++;
    if (packet.damaged && !d->truncated)
        dissect_malformed(d, PROTOCOL_RADIUS);
    enum activity_kind kind = kind_of(packet.code);
    const char *answer = answer_of(packet.code);
    if (kind == ACTIVITY_NONE)
        return;
    if (answer)
        handle_response(d, &packet, kind, answer);
    else
        handle_request(d, &packet, kind);
}

static enum detection radius_detect(struct bytes start, enum transport transport, enum direction direction,
                                    bool on_port)
{
    (void)direction;
    return transport == TRANSPORT_UDP && on_port && radius_plausible(start) ? DETECT_YES : DETECT_NO;
}

const struct protocol protocol_radius = {
    .id = PROTOCOL_RADIUS,
    .name = "radius",
    .udp_ports = {1812, 1813, 1645, 1646, 1700, 3799},
    .detect = radius_detect,
    .state_size = sizeof(struct radius_state),
    .message = radius_message,
};
