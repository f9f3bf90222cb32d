/* SPDX-License-Identifier: Apache-2.0 */
#include "events/event_text.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/utf8.h"
#include "events/event_forms.h"

/* -- what the forms share -- */

int64_t event_time(struct bytes text)
{
    char zoned[64];
    int64_t time;
    if (text.size == 0 || text.size + 1 >= sizeof(zoned))
        return 0;
    if (clock_rfc3339_parse((const char *)text.data, text.size, &time))
        return time;
    memcpy(zoned, text.data, text.size);
    zoned[text.size] = 'Z';
    return clock_rfc3339_parse(zoned, text.size + 1, &time) ? time : 0;
}

uint64_t event_number(struct bytes text)
{
    bool is_negative = text.size > 0 && text.data[0] == '-';
    bool is_hexadecimal = text.size > 2 && text.data[0] == '0' && (text.data[1] | 0x20) == 'x';
    uint64_t number = 0;
    for (size_t i = is_hexadecimal ? 2 : is_negative; i < text.size; i++) {
        unsigned c = text.data[i];
        if (c >= '0' && c <= '9')
            c -= '0';
        else if (is_hexadecimal && (c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            c = (c | 0x20) - 'a' + 10;
        else
            return 0;
        unsigned base = is_hexadecimal ? 16 : 10;
        if (number > (UINT64_MAX - c) / base)
            return 0;
        number = number * base + c;
    }
    return is_negative ? -number : number;
}

/* -- which form it is -- */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == 0;
}

/* The bytes of `text` after the first `end`; nothing when it does not stand there. */
static struct bytes after(struct bytes text, const char *end)
{
    const uint8_t *at = memmem(text.data, text.size, end, strlen(end));
    if (!at)
        return (struct bytes){0};
    at += strlen(end);
    return (struct bytes){at, text.size - (size_t)(at - text.data)};
}

static bool begins(struct bytes text, const char *with)
{
    return text.size >= strlen(with) && memcmp(text.data, with, strlen(with)) == 0;
}

/* Whether the first element is an Event, in whatever prefix; declarations and comments may stand before it.
 */
static bool is_event_xml(struct bytes text)
{
    for (text = text_trimmed(text); begins(text, "<?") || begins(text, "<!"); text = text_trimmed(text)) {
        if (begins(text, "<!DOCTYPE"))
            return true; /* for the reader to refuse */
        text = after(text, begins(text, "<?") ? "?>" : "-->");
    }
    if (!begins(text, "<"))
        return false;
    size_t name = 1, end = 1;
    while (end < text.size && !is_blank(text.data[end]) && text.data[end] != '>' && text.data[end] != '/') {
        if (text.data[end++] == ':')
            name = end;
    }
    return end - name == 5 && memcmp(text.data + name, "Event", 5) == 0;
}

/* -- reading -- */

/* Well-formed UTF-8 whatever came, for XML's reader refuses all else. Control characters, which no XML may
 * have but what attackers choose may, become blanks. */
static struct bytes to_utf8(struct bytes text, struct arena *arena)
{
    bool cut = false, ascii, is_utf16 = text.size >= 2 && text.data[0] == 0xff && text.data[1] == 0xfe;
    uint8_t *to = arena_alloc(arena, EVENT_BYTES_MAX);
    size_t size;
    if (!to)
        return (struct bytes){0};
    if (is_utf16) {
        size_t units = utf16_units(text.data + 2, (text.size - 2) & ~(size_t)1, &ascii);
        size = utf8_from_utf16(to, EVENT_BYTES_MAX, text.data + 2, units, &cut);
    } else {
        if (begins(text, "\xef\xbb\xbf"))
            text = (struct bytes){text.data + 3, text.size - 3};
        size = utf8_copy(to, EVENT_BYTES_MAX, text.data, text.size, &cut);
    }
    for (size_t i = 0; i < size; i++) {
        if (to[i] < ' ' && !is_blank(to[i]))
            to[i] = ' ';
    }
    return cut ? (struct bytes){0} : text_trimmed((struct bytes){to, size});
}

/* An empty text is no damage, one that does not fit is. */
static bool may_be_event(struct bytes text)
{
    if (text.size < 2)
        return false;
    if (text.data[0] == 0xff && text.data[1] == 0xfe)
        return true;
    if (begins(text, "\xef\xbb\xbf"))
        text = (struct bytes){text.data + 3, text.size - 3};
    text = text_trimmed(text);
    return begins(text, "{") || is_event_xml(text);
}

enum event_text_verdict event_from_text(struct event_reader *reader, struct bytes text,
                                        enum event_source source, struct arena *arena, struct event *to)
{
    memset(to, 0, sizeof(*to));
    to->source = source;
    if (!may_be_event(text))
        return EVENT_TEXT_OTHER;
    struct bytes utf8 = to_utf8(text, arena);
    if (utf8.size == 0)
        return EVENT_TEXT_BAD;
    if (begins(utf8, "{"))
        return event_from_json(utf8, arena, to);
    return is_event_xml(utf8) ? event_from_xml(reader, utf8, arena, to) : EVENT_TEXT_OTHER;
}
