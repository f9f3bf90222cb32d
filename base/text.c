/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include "base/utf8.h"

static const char digits16[] = "0123456789abcdef";

struct text text_to(char *to, size_t capacity)
{
    return (struct text){.to = to, .capacity = capacity};
}

size_t text_end(struct text *t)
{
    if (t->capacity)
        t->to[t->length < t->capacity ? t->length : t->capacity - 1] = '\0';
    return t->length;
}

void text_put(struct text *t, const void *bytes, size_t size)
{
    if (t->length < t->capacity && size) {
        size_t room = t->capacity - t->length;
        memcpy(t->to + t->length, bytes, size < room ? size : room);
    }
    t->length += size;
}

void text_char(struct text *t, char c)
{
    if (t->length < t->capacity)
        t->to[t->length] = c;
    t->length++;
}

void text_string(struct text *t, const char *string)
{
    text_put(t, string, strlen(string));
}

void text_padded(struct text *t, uint64_t value, unsigned digits)
{
    char form[20];
    unsigned at = sizeof form;
    do {
        form[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    while (sizeof form - at < digits && at)
        form[--at] = '0';
    text_put(t, form + at, sizeof form - at);
}

void text_uint(struct text *t, uint64_t value)
{
    text_padded(t, value, 1);
}

void text_int(struct text *t, int64_t value)
{
    if (value < 0)
        text_char(t, '-');
    text_uint(t, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void text_hex(struct text *t, struct bytes bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        char pair[2] = {digits16[bytes.data[i] >> 4], digits16[bytes.data[i] & 15]};
        text_put(t, pair, sizeof pair);
    }
}

enum style { STYLE_JSON, STYLE_DISPLAY };

/* What a terminal could take for an order, or what could make a line read other than it is: C1, DEL, the
 * separators and the bidirectional controls (Unicode 15 section 23.2). */
static bool steers(uint32_t code)
{
    return (code >= 0x7f && code <= 0x9f) || code == 0x200e || code == 0x200f ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

static bool is_plain(uint32_t code, enum style style)
{
    if (code < 0x20)
        return false;
    if (style == STYLE_JSON)
        return code != '"' && code != '\\';
    return !steers(code);
}

static char short_escape(uint32_t code)
{
    switch (code) {
    case '"':
    case '\\':
        return (char)code;
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return '\0';
    }
}

static void put_escape(struct text *t, uint32_t code)
{
    text_char(t, '\\');
    char letter = short_escape(code);
    if (letter) {
        text_char(t, letter);
        return;
    }
    char form[5] = {'u'};
    for (unsigned i = 0; i < 4; i++)
        form[1 + i] = digits16[code >> (12 - 4 * i) & 15];
    text_put(t, form, sizeof form);
}

/* Runs that need nothing are copied whole. */
static void put_styled(struct text *t, struct bytes utf8, enum style style)
{
    size_t copied = 0;
    size_t at = 0;
    while (at < utf8.size) {
        uint8_t byte = utf8.data[at];
        if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\') { /* most are */
            at++;
            continue;
        }
        uint32_t code;
        bool valid;
        size_t step = utf8_decode(utf8.data + at, utf8.size - at, &code, &valid);
        if (valid && is_plain(code, style)) {
            at += step;
            continue;
        }
        text_put(t, utf8.data + copied, at - copied);
        if (valid)
            put_escape(t, code);
        else
            text_string(t, "\xef\xbf\xbd");
        at += step;
        copied = at;
    }
    if (at > copied) /* nothing need not have an address */
        text_put(t, utf8.data + copied, at - copied);
}

void text_json_string(struct text *t, struct bytes utf8)
{
    text_char(t, '"');
    put_styled(t, utf8, STYLE_JSON);
    text_char(t, '"');
}

void text_display(struct text *t, struct bytes utf8)
{
    put_styled(t, utf8, STYLE_DISPLAY);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == 0;
}

struct bytes text_trimmed(struct bytes text)
{
    while (text.size && is_blank(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size && is_blank(text.data[text.size - 1]))
        text.size--;
    return text;
}
