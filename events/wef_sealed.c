/* SPDX-License-Identifier: Apache-2.0
 *
 *   --Encrypted Boundary
 *   Content-Type: application/HTTP-SPNEGO-session-encrypted
 *   OriginalContent: type=application/soap+xml;charset=UTF-16;Length=1430
 *   --Encrypted Boundary
 *   Content-Type: application/octet-stream
 *   (size of the token's header, 4 bytes, little-endian)(header)(data)--Encrypted Boundary--
 *
 * Not as RFC 2046 has it: no empty line ends the headers, no line end stands before the last boundary, and
 * some senders begin header lines with a tab.
 */
#include "events/wef_sealed.h"

#include "base/text.h"

#include <stdlib.h>
#include <strings.h>

#define BOUNDARY_MAX    70u /* RFC 2046 5.1.1 */
#define LINE_MAX_BYTES  256u
#define HEADER_SIZE_MAX 4096u

static const char *const protocols[] = {
    [WEF_KERBEROS] = "application/HTTP-Kerberos-session-encrypted",
    [WEF_SPNEGO] = "application/HTTP-SPNEGO-session-encrypted",
};

const char *wef_sealed_content_type(enum wef_protection protection)
{
    static const char *const types[] = {
        [WEF_KERBEROS] = "multipart/encrypted;protocol=\"application/HTTP-Kerberos-session-encrypted\";"
                         "boundary=\"Encrypted Boundary\"",
        [WEF_SPNEGO] = "multipart/encrypted;protocol=\"application/HTTP-SPNEGO-session-encrypted\";"
                       "boundary=\"Encrypted Boundary\"",
    };
    return types[protection];
}

/* --- the header field --- */

static const char *skip_blank(const char *at)
{
    return at + strspn(at, " \t");
}

/* A parameter's value, quoted or not, and where the next one begins; NULL when it is damaged. */
static const char *read_value(const char *at, struct bytes *value)
{
    bool quoted = *at == '"';
    at += quoted;
    size_t size = strcspn(at, quoted ? "\"" : "; \t");
    *value = (struct bytes){.data = (const uint8_t *)at, .size = size};
    at += size;
    if (quoted && *at != '"')
        return NULL;
    at = skip_blank(at + quoted);
    return *at == ';' || !*at ? at : NULL;
}

static bool is_word(struct bytes b, const char *word)
{
    return b.size == strlen(word) && strncasecmp((const char *)b.data, word, b.size) == 0;
}

static bool read_type(const char *type, enum wef_protection protection, struct bytes *boundary)
{
    static const char multipart[] = "multipart/encrypted";
    bool right = false;
    *boundary = (struct bytes){0};
    if (!type || strncasecmp(type, multipart, sizeof multipart - 1) != 0)
        return false;
    const char *at = skip_blank(type + sizeof multipart - 1);
    while (at && *at == ';') {
        at = skip_blank(at + 1);
        size_t size = strcspn(at, "=;");
        struct bytes name = {.data = (const uint8_t *)at, .size = size}, value;
        if (at[size] != '=')
            return false;
        at = read_value(at + size + 1, &value);
        if (is_word(name, "protocol"))
            right = is_word(value, protocols[protection]);
        if (is_word(name, "boundary"))
            *boundary = value;
    }
    return at && right && boundary->size > 0 && boundary->size <= BOUNDARY_MAX;
}

/* --- the body --- */

/* A line without its end and the blanks before it. */
static struct bytes read_line(struct cursor *c)
{
    const uint8_t *end =
        memchr(c->at, '\n', cursor_left(c) < LINE_MAX_BYTES ? cursor_left(c) : LINE_MAX_BYTES);
    if (!end || end == c->at || end[-1] != '\r') {
        cursor_fail(c);
        return (struct bytes){0};
    }
    struct bytes line = cursor_take(c, (size_t)(end - c->at) + 1);
    line.size -= 2;
    while (line.size > 0 && (line.data[0] == ' ' || line.data[0] == '\t')) {
        line.data++;
        line.size--;
    }
    return line;
}

static bool is_boundary(struct bytes line, struct bytes boundary)
{
    return line.size == boundary.size + 2 && memcmp(line.data, "--", 2) == 0 &&
           memcmp(line.data + 2, boundary.data, boundary.size) == 0;
}

/* The value of a header line of that name. */
static bool header_is(struct bytes line, const char *name, struct bytes *value)
{
    size_t size = strlen(name);
    if (line.size <= size || strncasecmp((const char *)line.data, name, size) != 0 || line.data[size] != ':')
        return false;
    *value = (struct bytes){.data = line.data + size + 1, .size = line.size - size - 1};
    while (value->size > 0 && value->data[0] == ' ') {
        value->data++;
        value->size--;
    }
    return true;
}

static bool read_length(struct bytes value, size_t *length)
{
    static const char key[] = ";length=";
    for (size_t at = 0; at + sizeof key - 1 < value.size; at++) {
        if (strncasecmp((const char *)value.data + at, key, sizeof key - 1) != 0)
            continue;
        *length = 0;
        for (at += sizeof key - 1; at < value.size && value.data[at] >= '0' && value.data[at] <= '9'; at++)
            if ((*length = *length * 10 + (size_t)(value.data[at] - '0')) > 0x7fffffff)
                return false;
        return true;
    }
    return false;
}

static bool read_head(struct cursor *c, enum wef_protection protection, struct bytes boundary, size_t *length)
{
    bool type = false, original = false;
    struct bytes value;
    for (;;) {
        struct bytes line = read_line(c);
        if (c->failed)
            return false;
        if (is_boundary(line, boundary))
            return type && original;
        if (header_is(line, "Content-Type", &value))
            type = is_word(value, protocols[protection]);
        if (header_is(line, "OriginalContent", &value))
            original = read_length(value, length);
    }
}

/* "--boundary--" with or without a line end, at the very end: what is sealed may look like anything. */
static bool cut_end(struct cursor *c, struct bytes boundary)
{
    size_t left = cursor_left(c);
    if (left >= 2 && memcmp(c->end - 2, "\r\n", 2) == 0)
        left -= 2;
    size_t size = boundary.size + 4;
    if (left < size)
        return false;
    const uint8_t *at = c->at + left - size;
    if (memcmp(at, "--", 2) != 0 || memcmp(at + 2, boundary.data, boundary.size) != 0 ||
        memcmp(at + 2 + boundary.size, "--", 2) != 0)
        return false;
    c->end = at;
    return true;
}

bool wef_sealed_read(const char *content_type, struct bytes body, enum wef_protection protection,
                     struct wef_sealed *sealed)
{
    struct bytes boundary, value;
    struct cursor c = cursor_of_bytes(body);
    *sealed = (struct wef_sealed){0};
    if (!read_type(content_type, protection, &boundary) || !is_boundary(read_line(&c), boundary) ||
        !read_head(&c, protection, boundary, &sealed->length))
        return false;
    if (!header_is(read_line(&c), "Content-Type", &value) || !is_word(value, "application/octet-stream") ||
        !cut_end(&c, boundary))
        return false;
    uint32_t header = cursor_le32(&c);
    if (c.failed || header == 0 || header > HEADER_SIZE_MAX || header > cursor_left(&c))
        return false;
    sealed->token = cursor_take(&c, cursor_left(&c));
    return true;
}

size_t wef_sealed_write(uint8_t *to, size_t capacity, enum wef_protection protection, bool utf16,
                        size_t length, struct bytes header, struct bytes data)
{
    struct text t = text_to((char *)to, capacity);
    text_string(&t, "--Encrypted Boundary\r\nContent-Type: ");
    text_string(&t, protocols[protection]);
    text_string(&t, "\r\nOriginalContent: type=application/soap+xml;charset=");
    text_string(&t, utf16 ? "UTF-16;Length=" : "UTF-8;Length=");
    text_uint(&t, length);
    text_string(&t, "\r\n--Encrypted Boundary\r\nContent-Type: application/octet-stream\r\n");
    for (unsigned i = 0; i < 4; i++)
        text_char(&t, (char)(header.size >> 8 * i));
    text_put(&t, header.data, header.size);
    text_put(&t, data.data, data.size);
    text_string(&t, "--Encrypted Boundary--\r\n");
    return text_end(&t);
}
