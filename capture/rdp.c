/* SPDX-License-Identifier: Apache-2.0
 *
 * The opening of a remote desktop connection ([MS-RDPBCGR] 2.2.1.1, 2.2.1.2): who says to connect, and by
 * which security protocol; TLS takes over from there.
 */
#include "capture/dissect.h"
#include "capture/protocols.h"

#define TPKT_HEADER 4
#define TPKT_MAX    8192 /* a connection request has less than 300 bytes, MCS ones less than this */

#define X224_REQUEST 0xe0
#define X224_CONFIRM 0xd0

#define NEGOTIATION_REQUEST  1
#define NEGOTIATION_RESPONSE 2
#define NEGOTIATION_FAILURE  3

#define SECURITY_TLS 1u /* and every stronger one: all of them run over TLS */

#define CONNECT_KEY 1

static const char cookie_mark[] = "Cookie: ";
static const char user_mark[] = "mstshash=";

/* A routing token or cookie ends in CR LF; the negotiation data comes after it. */
static struct bytes read_cookie(struct cursor *c)
{
    struct bytes none = {.data = c->at, .size = 0};
    struct cursor look = *c;
    if (!cursor_match(&look, cookie_mark, sizeof cookie_mark - 1))
        return none;
    cursor_match(&look, user_mark, sizeof user_mark - 1);
    const uint8_t *end = cursor_done(&look) ? NULL : memchr(look.at, '\r', cursor_left(&look));
    if (!end) {
        struct bytes cut = {.data = look.at, .size = cursor_left(&look)};
        c->at = c->end;
        return cut;
    }
    struct bytes cookie = {.data = look.at, .size = (size_t)(end - look.at)};
    c->at = end + 1;
    cursor_match(c, "\n", 1);
    return cookie;
}

/* RDP_NEG_REQ, _RSP, _FAILURE: type 1, flags 1, length 2 (8), value 4, little-endian */
struct negotiation {
    uint8_t type; /* 0: none */
    uint8_t flags;
    uint32_t value;
};

static struct negotiation read_negotiation(struct cursor *c)
{
    struct negotiation n = {.type = 0};
    if (cursor_left(c) < 8)
        return n;
    n.type = cursor_u8(c);
    n.flags = cursor_u8(c);
    uint16_t length = cursor_le16(c);
    n.value = cursor_le32(c);
    if (length != 8)
        n.type = 0;
    return n;
}

static void handle_request(struct dissect *d, struct cursor c)
{
    struct activity_writer *w = dissect_begin(d, ACTIVITY_RDP_CONNECT);
    struct bytes cookie = read_cookie(&c);
    if (cookie.size)
        activity_put_string(w, FIELD_RDP_COOKIE, cookie.data, cookie.size);
    struct negotiation n = read_negotiation(&c);
    activity_put_uint(w, FIELD_RDP_REQUESTED, n.type == NEGOTIATION_REQUEST ? n.value : 0);
    if (n.type == NEGOTIATION_REQUEST)
        activity_put_uint(w, FIELD_RDP_REQUEST_FLAGS, n.flags);
    dissect_defer(d, CONNECT_KEY);
}

static void handle_confirm(struct dissect *d, struct cursor c)
{
    struct negotiation n = read_negotiation(&c);
    struct activity_writer *w = dissect_resume(d, CONNECT_KEY);
    if (!w)
        w = dissect_begin(d, ACTIVITY_RDP_CONNECT);
    bool failed = n.type == NEGOTIATION_FAILURE;
    activity_put_uint(w, FIELD_STATUS, failed ? n.value : 0);
    if (!failed)
        activity_put_uint(w, FIELD_RDP_SELECTED, n.type == NEGOTIATION_RESPONSE ? n.value : 0);
    dissect_emit(d);
    if (failed)
        return; /* the client may come again with another request */
    if (n.type == NEGOTIATION_RESPONSE && n.value >= SECURITY_TLS) {
        dissect_switch(d, PROTOCOL_TLS);
        return;
    }
    dissect_sealed(d, PROTOCOL_RDP); /* RDP's own security */
    dissect_switch(d, PROTOCOL_NONE);
}

/* TPKT (RFC 1006 6): version 1 (3), reserved 1, length 2. X.224 (13.3, 13.4): length indicator 1, code 1,
 * destination reference 2, source reference 2, class 1, then the variable part. */
static void rdp_message(struct dissect *d, struct cursor c)
{
    cursor_skip(&c, TPKT_HEADER);
    struct cursor x224 = c;
    size_t indicated = cursor_u8(&c);
    x224 = indicated < cursor_left(&c) ? cursor_sub(&c, indicated) : cursor_rest(&c);
    uint8_t code = cursor_u8(&x224) & 0xf0;
    cursor_skip(&x224, 5);
    dissect_counted(d, PROTOCOL_RDP);
    if (x224.failed && (code == X224_REQUEST || code == X224_CONFIRM)) {
        if (!d->truncated)
            dissect_malformed(d, PROTOCOL_RDP);
        return;
    }
    if (code == X224_REQUEST && d->direction == TO_SERVER)
        handle_request(d, x224);
    else if (code == X224_CONFIRM && d->direction == TO_CLIENT)
        handle_confirm(d, x224);
    else
        dissect_switch(d, PROTOCOL_NONE); /* in the middle of a session: nothing to read */
}

static struct frame rdp_frame(struct dissect *d, struct bytes start)
{
    (void)d;
    if (start.size < TPKT_HEADER)
        return frame_more(TPKT_HEADER);
    uint32_t length = (uint32_t)start.data[2] << 8 | start.data[3];
    if (start.data[0] != 3 || start.data[1] != 0 || length < TPKT_HEADER + 3)
        return frame_bad();
    return frame_ok(length, length < TPKT_MAX ? length : TPKT_MAX);
}

/* A connection request or confirm: other protocols (H.323, S7) have the same TPKT, so that off its port only
 * a request with RDP's own cookie or negotiation is taken. */
static enum detection rdp_detect(struct bytes start, enum transport transport, enum direction direction,
                                 bool on_port)
{
    if (transport != TRANSPORT_TCP || (start.size && start.data[0] != 3))
        return DETECT_NO;
    if (start.size < 11)
        return DETECT_MORE;
    uint8_t expected = direction == TO_SERVER ? X224_REQUEST : X224_CONFIRM;
    struct cursor c = cursor_of_bytes(start);
    cursor_skip(&c, 2);
    uint32_t length = cursor_be16(&c);
    uint32_t indicated = cursor_u8(&c);
    if (start.data[1] != 0 || length < 11 || start.data[5] != expected || indicated + 5 != length)
        return DETECT_NO;
    if (on_port)
        return DETECT_YES;
    cursor_skip(&c, 6);
    if (direction != TO_SERVER)
        return DETECT_NO;
    if (cursor_left(&c) >= 8 && memcmp(c.at, "\1\0\10\0", 4) == 0)
        return DETECT_YES;
    size_t mark = sizeof cookie_mark - 1 + sizeof user_mark - 1;
    if (cursor_left(&c) < mark)
        return start.size >= length ? DETECT_NO : DETECT_MORE;
    return memcmp(c.at, "Cookie: mstshash=", mark) == 0 ? DETECT_YES : DETECT_NO;
}

const struct protocol protocol_rdp = {
    .id = PROTOCOL_RDP,
    .name = "rdp",
    .tcp_ports = {3389},
    .detect = rdp_detect,
    .frame = rdp_frame,
    .message = rdp_message,
};
