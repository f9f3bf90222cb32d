/* SPDX-License-Identifier: Apache-2.0
 *
 * SMB over TCP: directly (port 445, [MS-SMB2] 2.1) or in the NetBIOS session service (port 139, RFC
 * 1002 4.3); and the datagram service (UDP 138) that carries mailslots. Which message is whose is told by its
 * protocol id; smb1_flow.c and smb2_flow.c say what it means.
 */
#include "capture/protocols.h"
#include "capture/smb_state.h"

enum nbss_type { /* RFC 1002 4.3.1 */
                 NBSS_MESSAGE = 0x00,
                 NBSS_REQUEST = 0x81,
                 NBSS_POSITIVE = 0x82,
                 NBSS_NEGATIVE = 0x83,
                 NBSS_RETARGET = 0x84,
                 NBSS_KEEPALIVE = 0x85,
};

enum smb_dialect {
    SMB_OTHER,
    SMB_1,
    SMB_2,
    SMB_ENCRYPTED,
    SMB_COMPRESSED,
};

static enum smb_dialect dialect_of(const uint8_t id[4])
{
    if (id[1] != 'S' || id[2] != 'M' || id[3] != 'B')
        return SMB_OTHER;
    switch (id[0]) {
    case 0xff:
        return SMB_1;
    case 0xfe:
        return SMB_2;
    case 0xfd:
        return SMB_ENCRYPTED;
    case 0xfc:
        return SMB_COMPRESSED;
    default:
        return SMB_OTHER;
    }
}

/* The least that each takes on the wire. */
static uint32_t least_of(enum smb_dialect dialect)
{
    switch (dialect) {
    case SMB_1:
        return SMB1_HEADER_SIZE;
    case SMB_2:
        return SMB2_HEADER_SIZE;
    case SMB_ENCRYPTED:
        return SMB2_TRANSFORM_SIZE;
    default:
        return SMB2_COMPRESSION_SIZE;
    }
}

/* Directly over TCP ([MS-SMB2] 2.1): zero(1), length(3). RFC 1002 4.3.1: TYPE(1), FLAGS(1), LENGTH(2), where
 * the last bit of FLAGS extends LENGTH and its others are zero: one reading fits both. */
static uint32_t nbss_length(const uint8_t head[4])
{
    return (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
}

enum { NBSS_LENGTH_MAX = 0x1ffff };

/* A session packet that is no message: its length is fixed by RFC 1002 4.3.2 to 4.3.6, but for the request's,
 * which depends on the names' scopes. */
static bool is_session_packet(uint8_t type, uint32_t length)
{
    switch (type) {
    case NBSS_REQUEST:
        return length >= 4 && length <= 512;
    case NBSS_POSITIVE:
    case NBSS_KEEPALIVE:
        return length == 0;
    case NBSS_NEGATIVE:
        return length == 1;
    case NBSS_RETARGET:
        return length == 6;
    default:
        return false;
    }
}

static enum detection detect_stream(struct bytes start, bool on_port)
{
    const uint8_t *at = start.data;
    if (start.size < 4)
        return at[0] == NBSS_MESSAGE || (on_port && at[0] >= NBSS_REQUEST && at[0] <= NBSS_KEEPALIVE)
                   ? DETECT_MORE
                   : DETECT_NO;
    uint32_t length = nbss_length(at);
    if (at[0] != NBSS_MESSAGE) {
        /* Off the port only a session request with two names of the plain form is a signature. */
        if (on_port)
            return is_session_packet(at[0], length) ? DETECT_YES : DETECT_NO;
        if (at[0] != NBSS_REQUEST || length != 68)
            return DETECT_NO;
        if (start.size < 5)
            return DETECT_MORE;
        return at[4] == 0x20 ? DETECT_YES : DETECT_NO;
    }
    if (start.size < 8)
        return length >= SMB2_COMPRESSION_SIZE ? DETECT_MORE : DETECT_NO;
    enum smb_dialect dialect = dialect_of(at + NBSS_HEADER_SIZE);
    return dialect != SMB_OTHER && length >= least_of(dialect) ? DETECT_YES : DETECT_NO;
}

static enum detection smb_detect(struct bytes start, enum transport transport, enum direction direction,
                                 bool on_port)
{
    (void)direction;
    if (!start.size)
        return DETECT_MORE;
    if (transport == TRANSPORT_TCP)
        return detect_stream(start, on_port);
    /* RFC 1002 4.4.1: the datagrams with user data are of the types 0x10 to 0x12. */
    return on_port && start.size >= 14 && start.data[0] >= 0x10 && start.data[0] <= 0x16 ? DETECT_YES
                                                                                         : DETECT_NO;
}

enum { COMPRESSED_WANT = 256 };

static struct frame smb_frame(struct dissect *d, struct bytes start)
{
    if (start.size < NBSS_HEADER_SIZE)
        return frame_more(NBSS_HEADER_SIZE);
    uint8_t type = start.data[0];
    uint32_t length = nbss_length(start.data);
    uint64_t total = NBSS_HEADER_SIZE + (uint64_t)length;
    if (type != NBSS_MESSAGE)
        return is_session_packet(type, length) ? frame_ok(total, total) : frame_bad();
    if (length > NBSS_LENGTH_MAX && d->info->server.port == 139)
        return frame_bad();
    if (length < NBSS_HEADER_SIZE)
        return frame_ok(total, total);
    if (start.size < 2 * NBSS_HEADER_SIZE)
        return frame_more(2 * NBSS_HEADER_SIZE);
    struct bytes inner = {.data = start.data + NBSS_HEADER_SIZE, .size = start.size - NBSS_HEADER_SIZE};
    uint32_t more = 0;
    uint64_t want;
    switch (dialect_of(inner.data)) {
    case SMB_1:
        want = smb1_flow_want(d, inner, length, &more);
        break;
    case SMB_2:
        want = smb2_flow_want(d, inner, length, &more);
        break;
    case SMB_ENCRYPTED:
        want = smb_unseal_want(d, inner, length, &more);
        break;
    case SMB_COMPRESSED:
        want = COMPRESSED_WANT;
        break;
    default: /* another service of NetBIOS, or damage: its length is to be trusted while it is a likely one */
        if (length > NBSS_LENGTH_MAX)
            return frame_bad();
        want = NBSS_HEADER_SIZE;
        break;
    }
    if (more)
        return frame_more(NBSS_HEADER_SIZE + more);
    return frame_ok(total, NBSS_HEADER_SIZE + want);
}

/* --- session service --- */

/* RFC 1001 14.1: length 32, then each byte of the 16-byte name as two letters 'A' + half byte. The name is
 * padded with spaces, its last byte is the suffix. */
static bool take_netbios_name(struct cursor *c, char name[16], uint8_t *suffix)
{
    if (cursor_u8(c) != 32)
        return false;
    struct bytes letters = cursor_take(c, 32);
    if (letters.size != 32)
        return false;
    for (unsigned i = 0; i < 16; i++) {
        unsigned high = letters.data[2 * i] - 'A', low = letters.data[2 * i + 1] - 'A';
        if (high > 15 || low > 15)
            return false;
        name[i] = (char)(high << 4 | low);
    }
    *suffix = (uint8_t)name[15];
    unsigned end = 15;
    while (end && name[end - 1] == ' ')
        end--;
    name[end] = 0;
    while (cursor_left(c) && *c->at) /* the scope */
        cursor_skip(c, (size_t)cursor_u8(c));
    cursor_skip(c, cursor_left(c) ? 1 : 0);
    return true;
}

static void put_name(struct activity_writer *w, struct cursor *c, enum activity_field field,
                     enum activity_field suffix_field)
{
    char name[16];
    uint8_t suffix;
    if (!take_netbios_name(c, name, &suffix))
        return;
    activity_put_text(w, field, name);
    activity_put_uint(w, suffix_field, suffix);
}

static uint64_t netbios_key(void)
{
    return smb_key(SMB_OBJECT_NETBIOS, 0, 0);
}

static void session_packet(struct dissect *d, uint8_t type, struct cursor c)
{
    struct activity_writer *w;
    switch (type) {
    case NBSS_REQUEST:
        w = dissect_begin(d, ACTIVITY_NETBIOS_SESSION);
        put_name(w, &c, FIELD_CALLED_NAME, FIELD_CALLED_SUFFIX);
        put_name(w, &c, FIELD_CALLING_NAME, FIELD_CALLING_SUFFIX);
        dissect_defer(d, netbios_key());
        break;
    case NBSS_POSITIVE:
    case NBSS_NEGATIVE:
    case NBSS_RETARGET:
        w = dissect_resume(d, netbios_key());
        if (!w)
            break;
        /* 4.3.4: 0x80 not listening on the called name, ... 0x8f unspecified; a retarget has no code */
        activity_put_uint(w, FIELD_STATUS, type == NBSS_NEGATIVE ? cursor_u8(&c) : 0);
        dissect_emit(d);
        break;
    default:
        break;
    }
}

/* --- datagram service --- */

/* [MS-BRWS] 2.2: Command(1), UpdateCount(1), Periodicity(4), ServerName[16], OSVersionMajor(1),
 * OSVersionMinor(1), ServerType(4), BrowserVersionMajor(1), BrowserVersionMinor(1), Signature(2), Comment; of
 * the announcements */
static void put_browser(struct activity_writer *w, struct cursor c)
{
    uint8_t command = cursor_u8(&c);
    if (c.failed)
        return;
    activity_put_uint(w, FIELD_BROWSER_COMMAND, command);
    if (command != 1 && command != 12 && command != 15)
        return;
    cursor_skip(&c, 5);
    struct bytes name = cursor_take(&c, 16);
    char version[8] = {0};
    uint8_t major = cursor_u8(&c), minor = cursor_u8(&c);
    uint32_t type = cursor_le32(&c);
    cursor_skip(&c, 4);
    if (c.failed)
        return;
    activity_put_string(w, FIELD_BROWSER_NAME, name.data, strnlen((const char *)name.data, name.size));
    size_t n = 0;
    if (major >= 10)
        version[n++] = (char)('0' + major / 10 % 10);
    version[n++] = (char)('0' + major % 10);
    version[n++] = '.';
    if (minor >= 10)
        version[n++] = (char)('0' + minor / 10 % 10);
    version[n] = (char)('0' + minor % 10);
    activity_put_text(w, FIELD_BROWSER_OS, version);
    activity_put_uint(w, FIELD_BROWSER_SERVER_TYPE, type);
    size_t comment = strnlen((const char *)c.at, cursor_left(&c));
    if (comment)
        activity_put_string(w, FIELD_BROWSER_COMMENT, c.at, comment);
}

static bool is_browse(const struct smb1_text *name)
{
    static const char browse[] = "\\MAILSLOT\\BROWSE";
    return !name->unicode && name->bytes.size == sizeof browse - 1 &&
           memcmp(name->bytes.data, browse, sizeof browse - 1) == 0;
}

/* RFC 1002 4.4.2: MSG_TYPE(1), FLAGS(1), DGM_ID(2), SOURCE_IP(4), SOURCE_PORT(2), DGM_LENGTH(2),
 * PACKET_OFFSET(2), SOURCE_NAME, DESTINATION_NAME, USER_DATA: an SMB 1 TRANSACTION on a mailslot */
static void smb_datagram(struct dissect *d, struct cursor c)
{
    uint8_t type = cursor_u8(&c);
    cursor_skip(&c, 13);
    struct cursor names = c;
    char name[16];
    uint8_t suffix;
    if (type < 0x10 || type > 0x12)
        return;
    bool named = take_netbios_name(&c, name, &suffix);
    if (!named || !take_netbios_name(&c, name, &suffix)) /* the source's, the destination's */
        return;
    struct smb1_message message;
    struct smb1_block block;
    struct smb1_transaction m;
    if (!smb1_message_parse(c, &message))
        return;
    const struct smb1_header *h = &message.header;
    (h->flags & SMB1_FLAG_REPLY ? d->counts->smb1_responses : d->counts->smb1_requests)[h->command]++;
    if (!smb1_first_block(&message, &block))
        return;
    if (block.command != SMB1_TRANSACTION || !smb1_transaction_request_parse(&message, &block, &m) ||
        !is_browse(&m.name))
        return;
    struct activity_writer *w = dissect_begin(d, ACTIVITY_BROWSER_FRAME);
    put_name(w, &names, FIELD_CALLING_NAME, FIELD_CALLING_SUFFIX);
    put_name(w, &names, FIELD_CALLED_NAME, FIELD_CALLED_SUFFIX);
    put_browser(w, cursor_of_bytes(m.data));
    dissect_emit(d);
}

/* --- messages --- */

static void smb_message(struct dissect *d, struct cursor c)
{
    dissect_counted(d, PROTOCOL_SMB);
    if (d->info->transport == TRANSPORT_UDP) {
        smb_datagram(d, c);
        return;
    }
    struct bytes head = cursor_take(&c, NBSS_HEADER_SIZE);
    if (head.size != NBSS_HEADER_SIZE)
        return;
    if (head.data[0] != NBSS_MESSAGE) {
        session_packet(d, head.data[0], c);
        return;
    }
    if (cursor_left(&c) < 4)
        return;
    bool whole = !d->truncated && cursor_left(&c) == nbss_length(head.data);
    switch (dialect_of(c.at)) {
    case SMB_1:
        smb1_flow_message(d, c);
        break;
    case SMB_2:
        smb2_flow_message(d, c, whole);
        break;
    case SMB_ENCRYPTED:
        smb2_flow_encrypted(d, c, whole);
        break;
    case SMB_COMPRESSED:
        smb2_flow_compressed(d, c, nbss_length(head.data));
        break;
    default:
        dissect_malformed(d, PROTOCOL_SMB);
        break;
    }
}

const struct protocol protocol_smb = {
    .id = PROTOCOL_SMB,
    .name = "smb",
    .tcp_ports = {445, 139},
    .udp_ports = {138},
    .detect = smb_detect,
    .state_size = sizeof(struct smb_flow),
    .frame = smb_frame,
    .message = smb_message,
    .gap = smb_flow_gap,
    .close = smb_flow_end,
};
