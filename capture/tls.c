/* SPDX-License-Identifier: Apache-2.0
 *
 * The readable beginning of TLS (RFC 8446, RFC 5246): the hellos. What follows is sealed: counted once a
 * connection and skipped.
 */
#include "capture/dissect.h"
#include "capture/protocols.h"

#define RECORD_HEADER 5
#define RECORD_MAX    (16384u + 2048u) /* RFC 5246 6.2.3; RFC 8446 allows 256 instead of 2048 */

enum content_type { /* RFC 8446 5.1 */
                    CONTENT_CHANGE_CIPHER = 20,
                    CONTENT_ALERT = 21,
                    CONTENT_HANDSHAKE = 22,
                    CONTENT_APPLICATION = 23,
};

#define HANDSHAKE_CLIENT_HELLO 1
#define HANDSHAKE_SERVER_HELLO 2

#define EXTENSION_SERVER_NAME 0
#define EXTENSION_ALPN        16
#define EXTENSION_VERSIONS    43

#define SESSION_KEY 1 /* one session a connection waits for its ServerHello */

struct tls_state {
    bool begun;  /* its activity waits */
    bool opaque; /* nothing more to read */
};

/* -- readers ---------------------------------------------------------------------------------------- */

/* RFC 6066 3: list length 2, then name type 1 (0: host name), length 2, name */
static void put_server_name(struct activity_writer *w, struct cursor value)
{
    struct cursor list = cursor_sub(&value, cursor_be16(&value));
    while (!cursor_done(&list)) {
        uint8_t type = cursor_u8(&list);
        struct bytes name = cursor_take(&list, cursor_be16(&list));
        if (type == 0 && name.size) {
            activity_put_string(w, FIELD_TLS_SERVER_NAME, name.data, name.size);
            return;
        }
    }
}

/* RFC 7301 3.1: list length 2, then of each length 1, name */
static void put_alpn(struct activity_writer *w, struct cursor value)
{
    struct cursor list = cursor_sub(&value, cursor_be16(&value));
    if (cursor_done(&list) || !activity_list_begin(w, FIELD_TLS_ALPN))
        return;
    while (!cursor_done(&list)) {
        struct bytes name = cursor_take(&list, cursor_u8(&list));
        if (name.size)
            activity_list_string(w, name.data, name.size);
    }
    activity_list_end(w);
}

/* GREASE (RFC 8701): values 0x?A?A mean nothing. */
static bool is_grease(uint16_t value)
{
    return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

/* RFC 8446 4.2.1, of a client: list length 1, versions of 2; of a server: one version */
static uint16_t highest_version(struct cursor value, uint16_t otherwise)
{
    struct cursor list = cursor_sub(&value, cursor_u8(&value));
    uint16_t highest = 0;
    while (cursor_left(&list) >= 2) {
        uint16_t version = cursor_be16(&list);
        if (!is_grease(version) && version > highest)
            highest = version;
    }
    return highest ? highest : otherwise;
}

/* ClientHello: version 2, random 32, session id 1+n, cipher suites 2+n, compression 1+n, extensions 2+n,
 * each type 2, length 2, value */
static void put_client_hello(struct activity_writer *w, struct cursor c)
{
    uint16_t version = cursor_be16(&c);
    cursor_skip(&c, 32);
    cursor_skip(&c, cursor_u8(&c));
    cursor_skip(&c, cursor_be16(&c));
    cursor_skip(&c, cursor_u8(&c));
    struct cursor extensions = c;
    if (cursor_left(&c) >= 2) {
        size_t size = cursor_be16(&c);
        extensions = size <= cursor_left(&c) ? cursor_sub(&c, size) : c;
    }
    while (cursor_left(&extensions) >= 4) {
        uint16_t type = cursor_be16(&extensions);
        struct cursor value = cursor_sub(&extensions, cursor_be16(&extensions));
        if (extensions.failed)
            break;
        if (type == EXTENSION_SERVER_NAME)
            put_server_name(w, value);
        else if (type == EXTENSION_ALPN)
            put_alpn(w, value);
        else if (type == EXTENSION_VERSIONS)
            version = highest_version(value, version);
    }
    activity_put_uint(w, FIELD_TLS_CLIENT_VERSION, version);
}

/* ServerHello: version 2, random 32, session id 1+n, cipher suite 2, compression 1, extensions 2+n */
static void put_server_hello(struct activity_writer *w, struct cursor c)
{
    uint16_t version = cursor_be16(&c);
    cursor_skip(&c, 32);
    cursor_skip(&c, cursor_u8(&c));
    uint16_t cipher = cursor_be16(&c);
    if (c.failed)
        return;
    cursor_skip(&c, 1);
    struct cursor extensions = cursor_sub(&c, cursor_left(&c) >= 2 ? cursor_be16(&c) : 0);
    while (cursor_left(&extensions) >= 4) {
        uint16_t type = cursor_be16(&extensions);
        struct cursor value = cursor_sub(&extensions, cursor_be16(&extensions));
        if (type == EXTENSION_VERSIONS && cursor_left(&value) == 2)
            version = cursor_be16(&value);
    }
    activity_put_uint(w, FIELD_TLS_VERSION, version);
    activity_put_uint(w, FIELD_TLS_CIPHER, cipher);
}

/* -- the connection --------------------------------------------------------------------------------- */

static void go_opaque(struct dissect *d, struct tls_state *state)
{
    if (state->opaque)
        return;
    state->opaque = true;
    dissect_sealed(d, PROTOCOL_TLS);
    dissect_switch(d, PROTOCOL_NONE);
}

static void handle_client_hello(struct dissect *d, struct tls_state *state, struct cursor hello)
{
    if (state->begun)
        return; /* the second one, after a HelloRetryRequest */
    state->begun = true;
    put_client_hello(dissect_begin(d, ACTIVITY_TLS_SESSION), hello);
    dissect_defer(d, SESSION_KEY);
}

static void handle_server_hello(struct dissect *d, struct tls_state *state, struct cursor hello)
{
    struct activity_writer *w = dissect_resume(d, SESSION_KEY);
    if (!w)
        w = dissect_begin(d, ACTIVITY_TLS_SESSION);
    put_server_hello(w, hello);
    dissect_emit(d);
    go_opaque(d, state);
}

/* Alert (RFC 8446 6): level 1, description 1. Of an encrypted one nothing is known. */
static void handle_alert(struct dissect *d, struct tls_state *state, struct cursor alert)
{
    bool readable = cursor_left(&alert) == 2;
    cursor_skip(&alert, 1);
    uint8_t description = cursor_u8(&alert);
    struct activity_writer *w = dissect_resume(d, SESSION_KEY);
    if (w) {
        if (readable)
            activity_put_uint(w, FIELD_TLS_ALERT, description);
        dissect_emit(d);
    }
    go_opaque(d, state);
}

/* Handshake (RFC 8446 4): type 1, length 3, body. A hello that goes on in the next record is read as far as
 * it is here. */
static void handle_handshake(struct dissect *d, struct tls_state *state, struct cursor record)
{
    uint8_t type = cursor_u8(&record);
    size_t length = cursor_be24(&record);
    struct cursor body = length < cursor_left(&record) ? cursor_sub(&record, length) : cursor_rest(&record);
    if (type == HANDSHAKE_CLIENT_HELLO && d->direction == TO_SERVER)
        handle_client_hello(d, state, body);
    else if (type == HANDSHAKE_SERVER_HELLO && d->direction == TO_CLIENT)
        handle_server_hello(d, state, body);
    else
        go_opaque(d, state);
}

static void tls_message(struct dissect *d, struct cursor record)
{
    struct tls_state *state = d->state;
    uint8_t type = cursor_u8(&record);
    cursor_skip(&record, 4);
    dissect_counted(d, PROTOCOL_TLS);
    if (state->opaque)
        return;
    if (type == CONTENT_HANDSHAKE)
        handle_handshake(d, state, record);
    else if (type == CONTENT_ALERT)
        handle_alert(d, state, record);
    else if (type == CONTENT_APPLICATION && !(state->begun && d->direction == TO_SERVER))
        go_opaque(d, state); /* from the client it may be early data, the ServerHello is still to come */
}

/* Record (RFC 8446 5.1): type 1, version 2 (0x0300 to 0x0304), length 2, fragment */
static bool record_header(struct bytes start, uint32_t *length)
{
    const uint8_t *b = start.data;
    *length = (uint32_t)b[3] << 8 | b[4];
    return b[0] >= CONTENT_CHANGE_CIPHER && b[0] <= CONTENT_APPLICATION && b[1] == 3 && b[2] <= 4 &&
           *length <= RECORD_MAX;
}

static struct frame tls_frame(struct dissect *d, struct bytes start)
{
    uint32_t length;
    if (start.size < RECORD_HEADER)
        return frame_more(RECORD_HEADER);
    if (!record_header(start, &length))
        return frame_bad();
    const struct tls_state *state = d->state;
    bool hello = start.data[0] == CONTENT_HANDSHAKE && !state->opaque;
    return frame_ok(RECORD_HEADER + (uint64_t)length,
                    hello ? RECORD_HEADER + (uint64_t)length : RECORD_HEADER + 2);
}

/* A hello is a strong signature: a handshake record with a message that fits its type. */
static enum detection tls_detect(struct bytes start, enum transport transport, enum direction direction,
                                 bool on_port)
{
    uint32_t length;
    if (transport != TRANSPORT_TCP)
        return DETECT_NO;
    if (start.size && (start.data[0] < CONTENT_CHANGE_CIPHER || start.data[0] > CONTENT_APPLICATION))
        return DETECT_NO;
    if (start.size < RECORD_HEADER + 4)
        return DETECT_MORE;
    if (!record_header(start, &length))
        return DETECT_NO;
    if (start.data[0] == CONTENT_HANDSHAKE) {
        uint8_t expected = direction == TO_SERVER ? HANDSHAKE_CLIENT_HELLO : HANDSHAKE_SERVER_HELLO;
        if (start.data[RECORD_HEADER] == expected && start.data[RECORD_HEADER + 1] == 0 && length >= 38)
            return DETECT_YES;
    }
    return on_port ? DETECT_YES : DETECT_NO;
}

const struct protocol protocol_tls = {
    .id = PROTOCOL_TLS,
    .name = "tls",
    .tcp_ports = {443, 636, 3269, 5986, 8443, 6514},
    .detect = tls_detect,
    .state_size = sizeof(struct tls_state),
    .frame = tls_frame,
    .message = tls_message,
};
