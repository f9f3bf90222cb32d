/* SPDX-License-Identifier: Apache-2.0
 *
 * TDS, the protocol of SQL Server ([MS-TDS]), as far as it carries NTLM and Kerberos: log-in, SSPI messages,
 * and the server's word on them. Queries and results are stepped over.
 */
#include "base/ber.h"
#include "capture/gss.h"
#include "capture/protocols.h"

/* Packet header (2.2.3.1): Type 1, Status 1, Length 2 big-endian with the header, SPID 2, PacketID 1,
 * Window 1. A message is one packet or several, of which the last has the status bit END_OF_MESSAGE. */
#define HEADER         8
#define END_OF_MESSAGE 0x01
#define PACKETS_MAX    32 /* of one message that is put together: 128 KiB at the usual 4 KiB */

enum packet_type {
    SQL_BATCH = 1,
    RESPONSE = 4,
    LOGIN7 = 16,
    SSPI = 17,
    PRELOGIN = 18,
};

/* Once the encryption of the log-in is agreed, the packets are TLS records (RFC 8446 5.1). */
#define TLS_FIRST  20
#define TLS_LAST   23
#define TLS_HEADER 5

struct tds_state {
    struct gss_exchange exchange;
    bool logging_in; /* tokens may come in responses */
};

static bool is_tls(uint8_t type)
{
    return type >= TLS_FIRST && type <= TLS_LAST;
}

static bool is_tds(uint8_t type)
{
    return type >= SQL_BATCH && type <= PRELOGIN;
}

static struct frame tls_frame(struct bytes start)
{
    if (start.size < TLS_HEADER)
        return frame_more(TLS_HEADER);
    uint32_t length = (uint32_t)start.data[3] << 8 | start.data[4];
    return start.data[1] == 3 ? frame_ok(TLS_HEADER + length, 1) : frame_bad();
}

static struct frame tds_frame(struct dissect *d, struct bytes start)
{
    const struct tds_state *state = d->state;
    if (start.size && is_tls(start.data[0]))
        return tls_frame(start);
    size_t at = 0;
    for (int i = 0; i < PACKETS_MAX; i++) {
        if (start.size - at < HEADER)
            return frame_more((uint32_t)at + HEADER);
        const uint8_t *packet = start.data + at;
        size_t length = (size_t)packet[2] << 8 | packet[3];
        if (!is_tds(packet[0]) || packet[0] != start.data[0] || length < HEADER)
            return i ? frame_ok(at, at) : frame_bad();
        at += length;
        bool read = packet[0] == LOGIN7 || packet[0] == SSPI || (packet[0] == RESPONSE && state->logging_in);
        if (!read)
            return frame_ok(at, HEADER);
        if (packet[1] & END_OF_MESSAGE)
            break;
        if (start.size < at)
            return frame_more((uint32_t)at + HEADER);
    }
    return frame_ok(at, at);
}

/* Pre-log-in (2.2.6.5) begins with the option VERSION: token 0, offset 2, length 6, and the next option. */
static bool is_prelogin(struct cursor c, uint8_t type)
{
    if (type != PRELOGIN || cursor_u8(&c) != 0)
        return false;
    uint16_t offset = cursor_be16(&c);
    uint16_t length = cursor_be16(&c);
    return !c.failed && length == 6 && offset < 256 && cursor_u8(&c) != 0;
}

static enum detection tds_detect(struct bytes start, enum transport transport, enum direction direction,
                                 bool on_port)
{
    (void)direction;
    if (transport != TRANSPORT_TCP)
        return DETECT_NO;
    struct cursor c = cursor_of_bytes(start);
    uint8_t type = cursor_u8(&c);
    if (on_port && is_tls(type))
        return start.size > 1 && start.data[1] == 3 ? DETECT_YES : DETECT_NO;
    if (!is_tds(type))
        return DETECT_NO;
    uint8_t status = cursor_u8(&c);
    uint16_t length = cursor_be16(&c);
    cursor_skip(&c, 4);
    if (c.failed)
        return DETECT_MORE;
    if (status > 0x1f || length < HEADER)
        return DETECT_NO;
    return on_port || is_prelogin(c, type) ? DETECT_YES : DETECT_NO;
}

/* The packets' payloads behind one another. One packet is read where it stands. */
static struct cursor gather(struct dissect *d, struct cursor c)
{
    size_t first = cursor_left(&c) < 4 ? 0 : (size_t)c.at[2] << 8 | c.at[3];
    if (first >= cursor_left(&c)) {
        cursor_skip(&c, HEADER);
        return c;
    }
    size_t size = 0;
    uint8_t *whole = arena_alloc(d->scratch, cursor_left(&c));
    if (!whole)
        return (struct cursor){.at = c.end, .end = c.end, .failed = true};
    while (cursor_left(&c) > HEADER) {
        size_t length = (size_t)c.at[2] << 8 | c.at[3];
        cursor_skip(&c, HEADER);
        length = length > HEADER ? length - HEADER : 0;
        if (length > cursor_left(&c))
            length = cursor_left(&c);
        cursor_copy(&c, whole + size, length);
        size += length;
    }
    return cursor_of(whole, size);
}

/* LOGIN7 (2.2.6.4): 36 bytes, nine pairs of offset 2 and length 2, ClientID 6, ibSSPI 2, cbSSPI 2,
 * ibAtchDBFile 2, cchAtchDBFile 2, ibChangePassword 2, cchChangePassword 2, cbSSPILong 4; offsets count from
 * the beginning, numbers are little-endian. */
static struct cursor login_token(struct cursor login)
{
    struct cursor data = login;
    cursor_skip(&login, 36 + 9 * 4 + 6);
    size_t offset = cursor_le16(&login);
    size_t length = cursor_le16(&login);
    cursor_skip(&login, 8);
    if (length == UINT16_MAX)
        length = cursor_le32(&login);
    if (login.failed && length == UINT16_MAX)
        length = 0;
    cursor_skip(&data, offset);
    if (length > cursor_left(&data)) {
        data.failed = true;
        return data;
    }
    return cursor_sub(&data, length);
}

/* The tokens (2.2.7) that answer a log-in all have a length of two bytes, little-endian; at others the
 * log-in is over. */
static void response(struct dissect *d, struct cursor c)
{
    enum { ERROR = 0xaa, INFO = 0xab, LOGINACK = 0xad, ENVCHANGE = 0xe3, SSPI_TOKEN = 0xed };
    struct tds_state *state = d->state;
    while (!cursor_done(&c)) {
        uint8_t type = cursor_u8(&c);
        if (type != ERROR && type != INFO && type != LOGINACK && type != ENVCHANGE && type != SSPI_TOKEN)
            return;
        struct cursor token = cursor_sub(&c, cursor_le16(&c));
        if (token.failed)
            return;
        if (type == SSPI_TOKEN) {
            gss_token(d, &state->exchange, token, "tds", 0);
        } else if (type == LOGINACK || type == ERROR) {
            gss_outcome(d, &state->exchange, type == ERROR ? cursor_le32(&token) : 0);
            state->logging_in = false;
        }
    }
}

static void tds_message(struct dissect *d, struct cursor c)
{
    struct tds_state *state = d->state;
    uint8_t type = ber_peek(&c);
    if (is_tls(type)) {
        dissect_sealed(d, PROTOCOL_TDS);
        return;
    }
    dissect_counted(d, PROTOCOL_TDS);
    if (type != LOGIN7 && type != SSPI && !(type == RESPONSE && state->logging_in))
        return;
    struct cursor payload = gather(d, c);
    if (type == RESPONSE) {
        response(d, payload);
        return;
    }
    state->logging_in = true;
    struct cursor token = type == LOGIN7 ? login_token(payload) : payload;
    if (!cursor_done(&token))
        gss_token(d, &state->exchange, token, "tds", 0);
}

static void tds_close(struct dissect *d)
{
    struct tds_state *state = d->state;
    gss_outcome_unknown(d, &state->exchange);
}

const struct protocol protocol_tds = {
    .id = PROTOCOL_TDS,
    .name = "tds",
    .tcp_ports = {1433},
    .detect = tds_detect,
    .state_size = sizeof(struct tds_state),
    .frame = tds_frame,
    .message = tds_message,
    .close = tds_close,
};
