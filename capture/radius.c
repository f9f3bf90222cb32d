/* SPDX-License-Identifier: Apache-2.0
 *
 * RADIUS packets, and what their attributes say.
 */
#include "capture/radius.h"

#include "base/text.h"

#include <md5.h>

/* -- packets ---------------------------------------------------------------------------------------- */

bool radius_plausible(struct bytes start)
{
    struct cursor c = cursor_of_bytes(start);
    uint8_t code = cursor_u8(&c);
    cursor_skip(&c, 1);
    uint16_t length = cursor_be16(&c);
    /* https://www.iana.org/assignments/radius-types */
    bool assigned = (code >= 1 && code <= 13) || (code >= 21 && code <= 27) || (code >= 29 && code <= 34) ||
                    (code >= 40 && code <= 45) || code == 50 || code == 51;
    return !c.failed && assigned && length >= RADIUS_HEADER_SIZE && length <= RADIUS_PACKET_MAX;
}

/* Type 1, Length 1 (with these two), Value */
bool radius_next_attribute(struct cursor *c, uint8_t *type, struct cursor *value)
{
    if (cursor_done(c))
        return false;
    *type = cursor_u8(c);
    uint8_t length = cursor_u8(c);
    if (length < 2) {
        cursor_fail(c);
        return false;
    }
    *value = cursor_sub(c, length - 2u);
    return !c->failed;
}

/* Code 1, Identifier 1, Length 2, Authenticator 16, Attributes */
bool radius_read(struct bytes datagram, struct radius_packet *to)
{
    if (!radius_plausible(datagram))
        return false;
    struct cursor c = cursor_of_bytes(datagram);
    *to = (struct radius_packet){.code = cursor_u8(&c), .identifier = 0};
    to->identifier = cursor_u8(&c);
    to->length = cursor_be16(&c);
    to->damaged = to->length > datagram.size;
    to->whole = (struct bytes){datagram.data, to->damaged ? datagram.size : to->length};
    if (to->whole.size < RADIUS_HEADER_SIZE) {
        to->attributes = (struct cursor){.at = c.end, .end = c.end, .failed = false};
        return true;
    }
    to->authenticator = c.at;
    to->attributes = cursor_of(datagram.data + RADIUS_HEADER_SIZE, to->whole.size - RADIUS_HEADER_SIZE);
    struct cursor look = to->attributes, value;
    uint8_t type;
    while (radius_next_attribute(&look, &type, &value))
        if (type == 80 && cursor_left(&value) == RADIUS_AUTHENTICATOR)
            to->message_authenticator = value.at;
    to->damaged |= look.failed;
    return true;
}

static const uint8_t zeros[RADIUS_AUTHENTICATOR];

/* The packet's digest with `authenticator` in the place of its own, and zeros in the place of the
 * Message-Authenticator when `masked`. */
static void hash_packet(MD5_CTX *md5, const struct radius_packet *packet, const uint8_t *authenticator,
                        bool masked)
{
    const uint8_t *at = packet->whole.data + RADIUS_HEADER_SIZE;
    const uint8_t *end = packet->whole.data + packet->whole.size;
    MD5Update(md5, packet->whole.data, 4);
    MD5Update(md5, authenticator, RADIUS_AUTHENTICATOR);
    if (masked) {
        MD5Update(md5, at, (size_t)(packet->message_authenticator - at));
        MD5Update(md5, zeros, sizeof zeros);
        at = packet->message_authenticator + RADIUS_AUTHENTICATOR;
    }
    MD5Update(md5, at, (size_t)(end - at));
}

/* MD5(Code + Identifier + Length + authenticator + Attributes + secret) */
static void digest(const struct radius_packet *packet, const uint8_t *authenticator, const char *secret,
                   uint8_t to[RADIUS_AUTHENTICATOR])
{
    MD5_CTX md5;
    MD5Init(&md5);
    hash_packet(&md5, packet, authenticator, false);
    MD5Update(&md5, (const uint8_t *)secret, strlen(secret));
    MD5Final(to, &md5);
}

static bool digest_fits(const struct radius_packet *packet, const uint8_t *authenticator, const char *secret)
{
    uint8_t expected[RADIUS_AUTHENTICATOR];
    digest(packet, authenticator, secret, expected);
    return memcmp(expected, packet->authenticator, RADIUS_AUTHENTICATOR) == 0;
}

#define HMAC_BLOCK 64

/* HMAC-MD5 (RFC 2104) of the packet with its Message-Authenticator zeroed (RFC 3579 3.2) */
static bool hmac_fits(const struct radius_packet *packet, const char *secret)
{
    MD5_CTX md5;
    uint8_t key[HMAC_BLOCK] = {0}, pad[HMAC_BLOCK], expected[MD5_DIGEST_LENGTH];
    size_t size = strlen(secret);
    if (size > HMAC_BLOCK) {
        MD5Init(&md5);
        MD5Update(&md5, (const uint8_t *)secret, size);
        MD5Final(key, &md5);
    } else {
        memcpy(key, secret, size);
    }
    for (size_t i = 0; i < HMAC_BLOCK; i++)
        pad[i] = key[i] ^ 0x36;
    MD5Init(&md5);
    MD5Update(&md5, pad, sizeof pad);
    hash_packet(&md5, packet, packet->authenticator, true);
    MD5Final(expected, &md5);
    for (size_t i = 0; i < HMAC_BLOCK; i++)
        pad[i] = key[i] ^ 0x5c;
    MD5Init(&md5);
    MD5Update(&md5, pad, sizeof pad);
    MD5Update(&md5, expected, sizeof expected);
    MD5Final(expected, &md5);
    return memcmp(expected, packet->message_authenticator, RADIUS_AUTHENTICATOR) == 0;
}

bool radius_request_valid(const struct radius_packet *packet, const char *secret, bool *known)
{
    *known = packet->authenticator && packet->whole.size == packet->length;
    if (!*known)
        return false;
    if (packet->code == RADIUS_ACCOUNTING_REQUEST || packet->code == RADIUS_DISCONNECT_REQUEST ||
        packet->code == RADIUS_COA_REQUEST)
        return digest_fits(packet, zeros, secret);
    *known = packet->message_authenticator != NULL;
    return *known && hmac_fits(packet, secret);
}

bool radius_response_valid(const struct radius_packet *packet, const char *secret,
                           const uint8_t request_authenticator[RADIUS_AUTHENTICATOR])
{
    return packet->authenticator && packet->whole.size == packet->length &&
           digest_fits(packet, request_authenticator, secret);
}

void radius_response_sign(uint8_t *response, const char *secret,
                          const uint8_t request_authenticator[RADIUS_AUTHENTICATOR])
{
    size_t size = (size_t)response[2] << 8 | response[3];
    const struct radius_packet packet = {.whole = {response, size}};
    digest(&packet, request_authenticator, secret, response + 4);
}

/* -- activities ------------------------------------------------------------------------------------- */

enum attribute_form {
    FORM_TEXT,
    FORM_UINT,
    FORM_TIME,
    FORM_ADDRESS,
    FORM_TAGGED_TEXT, /* RFC 2868 3.3: a tag up to 0x1f may stand before it */
    FORM_TAGGED_UINT, /* RFC 2868 3.1: the tag stands in the first of four bytes */
};

struct attribute_rule {
    uint8_t form;
    uint16_t field; /* 0: none of ours */
};

/* By attribute type (RFC 2865 5, RFC 2866 5, RFC 2869 5). */
static const struct attribute_rule rules[256] = {
    [1] = {FORM_TEXT, FIELD_ACCOUNT},
    [4] = {FORM_ADDRESS, FIELD_NAS_ADDRESS},
    [5] = {FORM_UINT, FIELD_NAS_PORT},
    [30] = {FORM_TEXT, FIELD_CALLED_STATION},
    [31] = {FORM_TEXT, FIELD_CALLING_STATION},
    [32] = {FORM_TEXT, FIELD_NAS_NAME},
    [41] = {FORM_UINT, FIELD_DELAY_TIME},
    [44] = {FORM_TEXT, FIELD_RADIUS_SESSION},
    [46] = {FORM_UINT, FIELD_SESSION_TIME},
    [49] = {FORM_UINT, FIELD_TERMINATE_CAUSE},
    [50] = {FORM_TEXT, FIELD_RADIUS_MULTI_SESSION},
    [55] = {FORM_TIME, FIELD_EVENT_TIME},
    [61] = {FORM_UINT, FIELD_NAS_PORT_TYPE},
    [64] = {FORM_TAGGED_UINT, FIELD_TUNNEL_TYPE},
    [66] = {FORM_TAGGED_TEXT, FIELD_TUNNEL_CLIENT},
    [67] = {FORM_TAGGED_TEXT, FIELD_TUNNEL_SERVER},
    [95] = {FORM_ADDRESS, FIELD_NAS_ADDRESS},
};

#define FRAMED_MAX 8

/* What needs more than one attribute. */
struct gathered {
    uint32_t status; /* Acct-Status-Type; 0: none */
    bool has_octets[2];
    uint64_t octets[2]; /* input, output */
    uint32_t framed;
    struct ip_address address[FRAMED_MAX];
    uint32_t prefixes;
    struct cursor prefix[FRAMED_MAX]; /* as RFC 3162 2.3 has them */
    struct bytes interface;           /* Framed-Interface-Id */
};

static bool read_address(struct cursor value, struct ip_address *to)
{
    size_t size = cursor_left(&value);
    if (size != 4 && size != 16)
        return false;
    *to = (struct ip_address){.family = size == 4 ? 4 : 6};
    memcpy(to->bytes, value.at, size);
    return true;
}

static void gather(struct gathered *g, uint8_t type, struct cursor value)
{
    uint32_t n = 0;
    switch (type) {
    case 8:   /* Framed-IP-Address */
    case 168: /* Framed-IPv6-Address (RFC 6911 3.1) */
        if (g->framed < FRAMED_MAX && read_address(value, &g->address[g->framed]))
            g->framed++;
        break;
    case 96: /* Framed-Interface-Id (RFC 3162 2.2) */
        if (cursor_left(&value) == 8)
            g->interface = (struct bytes){value.at, 8};
        break;
    case 97:  /* Framed-IPv6-Prefix (RFC 3162 2.3) */
    case 123: /* Delegated-IPv6-Prefix (RFC 4818 3) */
        if (g->prefixes < FRAMED_MAX)
            g->prefix[g->prefixes++] = value;
        break;
    case 40: /* Acct-Status-Type */
        g->status = cursor_be32(&value);
        break;
    case 42: /* Acct-Input-Octets, Acct-Output-Octets */
    case 43:
        n = type - 42u;
        g->octets[n] += cursor_be32(&value);
        g->has_octets[n] = !value.failed;
        break;
    case 52: /* Acct-Input-Gigawords, Acct-Output-Gigawords (RFC 2869 5.1) */
    case 53:
        n = type - 52u;
        g->octets[n] += (uint64_t)cursor_be32(&value) << 32;
        break;
    default:
        break;
    }
}

static void put_attribute(struct activity_writer *w, const struct attribute_rule *rule, struct cursor value)
{
    enum activity_field field = (enum activity_field)rule->field;
    struct ip_address address;
    if (rule->form == FORM_ADDRESS) {
        if (read_address(value, &address))
            activity_put_address(w, field, &address);
    } else if (rule->form == FORM_TEXT || rule->form == FORM_TAGGED_TEXT) {
        if (rule->form == FORM_TAGGED_TEXT && !cursor_done(&value) && *value.at <= 0x1f)
            cursor_skip(&value, 1);
        if (!cursor_done(&value))
            activity_put_string(w, field, value.at, cursor_left(&value));
    } else if (cursor_left(&value) == 4) {
        uint32_t n = cursor_be32(&value);
        if (rule->form == FORM_TAGGED_UINT)
            n &= 0xffffff;
        if (rule->form == FORM_TIME)
            activity_put_time(w, field, (int64_t)n * 1000000000);
        else
            activity_put_uint(w, field, n);
    }
}

/* RFC 2866 5.1 */
static void put_status(struct activity_writer *w, uint32_t status)
{
    static const char *const names[] = {
        [1] = "start", [2] = "stop", [3] = "interim_update", [7] = "accounting_on", [8] = "accounting_off",
    };
    char number[12];
    if (status < sizeof names / sizeof *names && names[status]) {
        activity_put_text(w, FIELD_RADIUS_STATUS, names[status]);
        return;
    }
    char *at = number + sizeof number;
    *--at = '\0';
    do
        *--at = (char)('0' + status % 10);
    while (status /= 10);
    activity_put_text(w, FIELD_RADIUS_STATUS, at);
}

/* Reserved 1, Prefix-Length 1, Prefix 0 to 16 */
static bool read_prefix(struct cursor c, struct ip_address *to, uint8_t *length)
{
    cursor_skip(&c, 1);
    *length = cursor_u8(&c);
    size_t size = cursor_left(&c);
    if (c.failed || *length > 128 || size > sizeof to->bytes || size * 8 < *length)
        return false;
    *to = (struct ip_address){.family = 6};
    cursor_copy(&c, to->bytes, size);
    return true;
}

static void put_prefixes(struct activity_writer *w, const struct gathered *g)
{
    struct ip_address address;
    uint8_t length;
    if (!g->prefixes || !activity_list_begin(w, FIELD_FRAMED_PREFIXES))
        return;
    for (uint32_t i = 0; i < g->prefixes; i++) {
        char text[IP_ADDRESS_TEXT_MAX], whole[IP_ADDRESS_TEXT_MAX + 4];
        if (!read_prefix(g->prefix[i], &address, &length))
            continue;
        struct text t = text_to(whole, sizeof whole);
        text_string(&t, ip_address_text(&address, text));
        text_char(&t, '/');
        text_uint(&t, length);
        activity_list_string(w, whole, text_end(&t));
    }
    activity_list_end(w);
}

/* The addresses that were given, and the one that a prefix and an interface make (RFC 3162 2.2). */
static void put_framed(struct activity_writer *w, struct gathered *g)
{
    struct ip_address made;
    uint8_t length;
    if (g->interface.size && g->prefixes && g->framed < FRAMED_MAX &&
        read_prefix(g->prefix[0], &made, &length) && length == 64) {
        memcpy(made.bytes + 8, g->interface.data, 8);
        g->address[g->framed++] = made;
    }
    if (!g->framed || !activity_list_begin(w, FIELD_FRAMED_ADDRESSES))
        return;
    for (uint32_t i = 0; i < g->framed; i++)
        activity_list_address(w, &g->address[i]);
    activity_list_end(w);
}

/* Vendor-Id 4, and of Microsoft: Type 1, Length 1, Value ([MS-RNAP] 2.2.1): what the client calls itself. */
static void put_vendor(struct activity_writer *w, struct cursor c)
{
    enum { MICROSOFT = 311, RAS_CLIENT_NAME = 34, MACHINE_NAME = 50 };
    struct cursor value;
    uint8_t type;
    if (cursor_be32(&c) != MICROSOFT)
        return;
    while (radius_next_attribute(&c, &type, &value)) {
        if (type != RAS_CLIENT_NAME && type != MACHINE_NAME)
            continue;
        cursor_match(&value, "MSRAS-0-", 8); /* before the name, by Windows' own clients */
        struct bytes name = {value.at, strnlen((const char *)value.at, cursor_left(&value))};
        if (name.size)
            activity_put_string(w, FIELD_WORKSTATION, name.data, name.size);
    }
}

void radius_put_attributes(struct activity_writer *w, enum activity_kind kind, struct cursor attributes)
{
    struct gathered g = {.status = 0};
    struct cursor value;
    uint8_t type;
    while (radius_next_attribute(&attributes, &type, &value)) {
        const struct attribute_rule *rule = &rules[type];
        if (type == 26 && kind == ACTIVITY_RADIUS_ACCOUNTING)
            put_vendor(w, value);
        else if (!rule->field)
            gather(&g, type, value);
        else if (activity_allows(kind, (enum activity_field)rule->field))
            put_attribute(w, rule, value);
    }
    put_framed(w, &g);
    if (kind != ACTIVITY_RADIUS_ACCOUNTING)
        return;
    put_prefixes(w, &g);
    if (g.status)
        put_status(w, g.status);
    if (g.has_octets[0])
        activity_put_uint(w, FIELD_INPUT_OCTETS, g.octets[0]);
    if (g.has_octets[1])
        activity_put_uint(w, FIELD_OUTPUT_OCTETS, g.octets[1]);
}
