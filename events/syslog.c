/* SPDX-License-Identifier: Apache-2.0 */
#include "events/syslog.h"

#include "base/clock.h"
#include "base/text.h"
#include "events/timestamp.h"

#include <ctype.h>

#define COUNT_DIGITS_MAX 7u
#define LINES_OF_RSA     9u

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == 0;
}

static bool begins(struct bytes text, const char *with)
{
    size_t size = strlen(with);
    return text.size >= size && memcmp(text.data, with, size) == 0;
}

CURSOR_EMPTY_FINE static struct bytes behind(struct bytes text, size_t n)
{
    return (struct bytes){text.data + n, text.size - n};
}

/* --- what begins a message --- */

bool syslog_is_body(struct bytes text)
{
    static const char *const starts[] = {
        "CEF:",     "LEEF:", "RsaSA",  "MSWinEventLog", "AgentDevice=", "EventCode=",   "Logfile=",
        "LogName=", "{",     "<Event", "<?xml",         "@cee:",        "\xef\xbb\xbf", "EventIDCode=",
    };
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
        if (begins(text, starts[i]))
            return true;
    return false;
}

/* "<13>". */
static size_t priority_size(struct bytes text)
{
    size_t n = 1;
    if (text.size < 3 || text.data[0] != '<')
        return 0;
    while (n < 4 && n < text.size && isdigit(text.data[n]))
        n++;
    return n > 1 && n < text.size && text.data[n] == '>' ? n + 1 : 0;
}

static bool begins_message(struct bytes text)
{
    return priority_size(text) > 0 || syslog_is_body(text);
}

/* --- octet counting (RFC 6587 3.4.1): MSG-LEN SP SYSLOG-MSG --- */

enum count { COUNT_NONE, COUNT_READ, COUNT_MORE };

/* A line may begin with a number too: it counts octets when a message follows. */
static enum count read_count(struct bytes data, size_t *length, size_t *digits)
{
    enum { TELLING = 8 }; /* bytes behind it that tell */
    size_t n = 0, value = 0;
    while (n < data.size && n < COUNT_DIGITS_MAX && isdigit(data.data[n]))
        value = value * 10 + (size_t)(data.data[n++] - '0');
    if (n == 0 || data.data[0] == '0')
        return COUNT_NONE;
    if (n == data.size)
        return COUNT_MORE;
    if (data.data[n] != ' ')
        return COUNT_NONE;
    struct bytes message = behind(data, n + 1);
    *length = value;
    *digits = n;
    if (begins_message(message) || (message.size && message.data[0] == '<'))
        return COUNT_READ;
    bool may_become = message.size < TELLING && message.size < value &&
                      !(message.size && memchr(message.data, '\n', message.size));
    return may_become ? COUNT_MORE : COUNT_NONE;
}

static enum syslog_frame counted(struct syslog_stream *stream, struct bytes data, size_t length,
                                 size_t digits, struct bytes *message, size_t *used)
{
    size_t kept = length < SYSLOG_MESSAGE_MAX ? length : SYSLOG_MESSAGE_MAX;
    if (data.size < digits + 1 + kept)
        return SYSLOG_FRAME_MORE;
    *message = (struct bytes){data.data + digits + 1, kept};
    *used = digits + 1 + kept;
    stream->skip = length - kept;
    stream->searched = 0;
    return SYSLOG_FRAME_WHOLE;
}

/* --- line feeds (RFC 6587 3.4.2), and formats that have them within --- */

/* The end of the line that begins at `from`: the place of its line feed; `data.size` when there is none. */
static size_t line_end(struct bytes data, size_t from)
{
    const uint8_t *end = from < data.size ? memchr(data.data + from, '\n', data.size - from) : NULL;
    return end ? (size_t)(end - data.data) : data.size;
}

static bool ends_with(struct bytes text, const char *what)
{
    size_t size = strlen(what);
    return text.size >= size && memcmp(text.data + text.size - size, what, size) == 0;
}

static const char *const splunk_keys[] = {"EventCode=",     "Logfile=",        "LogName=",     "SourceName=",
                                          "TimeGenerated=", "\\ComputerName=", "ComputerName="};
#define SPLUNK_KEY_MAX 16u
#define SPLUNK_KEYS    (sizeof(splunk_keys) / sizeof(splunk_keys[0]))

static bool is_splunk_key(struct bytes line)
{
    for (size_t i = 0; i < SPLUNK_KEYS; i++)
        if (begins(line, splunk_keys[i]))
            return true;
    return false;
}

/* Splunk's form begins with a header and nothing else, or with a key; keys stand on lines of their own. */
static bool is_splunk(struct bytes first, struct bytes second)
{
    if (is_splunk_key(second))
        return true;
    if (memchr(first.data, '\t', first.size) || memchr(first.data, '|', first.size))
        return false;
    for (size_t i = 0; i < SPLUNK_KEYS; i++) {
        const uint8_t *key = memmem(first.data, first.size, splunk_keys[i], strlen(splunk_keys[i]));
        /* A line of many pairs is some other form. */
        if (key && !memchr(key, ' ', first.size - (size_t)(key - first.data)))
            return true;
    }
    return false;
}

/* "01/23/2019 05:06:07 PM" alone. */
static bool is_time(struct bytes line)
{
    line = text_trimmed(line);
    return line.size > 0 && line.size < 32 && isdigit(line.data[0]) &&
           (ends_with(line, " AM") || ends_with(line, " PM"));
}

/* Where RSA's message ends; `data.size` when lines are missing. */
static size_t rsa_end(struct bytes data, size_t first_end)
{
    size_t at = first_end;
    for (unsigned lines = 1; lines < LINES_OF_RSA && at < data.size; lines++) {
        if (begins_message(behind(data, at + 1)))
            return at;
        at = line_end(data, at + 1);
    }
    return at;
}

/* Where Splunk's ends: before a line that begins a message, or one that begins again with the keys, or a
 * time, after the text has come. */
static size_t splunk_end(struct syslog_stream *stream, struct bytes data, size_t first_end)
{
    size_t at = stream->line ? stream->line : first_end;
    while (at < data.size) {
        struct bytes line = behind(data, at + 1);
        size_t end = line_end(data, at + 1);
        bool is_key = is_splunk_key(line),
             is_first = is_key || is_time((struct bytes){line.data, end - at - 1});
        if (priority_size(line) > 0 || (stream->has_text && is_first) || (syslog_is_body(line) && !is_key))
            return at;
        stream->line = at; /* what is whole need not be looked at again */
        if (end == data.size)
            return end;
        stream->has_text |= begins(line, "Message=");
        at = end;
    }
    return data.size;
}

/* Where the message ends whose first line ends at `first_end`; `data.size`: not here. */
static size_t message_end(struct syslog_stream *stream, struct bytes data, size_t first_end, bool idle)
{
    struct bytes first = text_trimmed((struct bytes){data.data, first_end});
    struct bytes rest = first_end < data.size ? behind(data, first_end + 1) : (struct bytes){0};
    struct bytes second = {rest.data, line_end(rest, 0)};
    if (ends_with(first, "RsaSA"))
        return rsa_end(data, first_end);
    if (stream->line > 0 || is_splunk(first, second))
        return splunk_end(stream, data, first_end);
    /* Some of Splunk's begin with a line that tells the time alone: the next one's key must be seen. */
    if (is_time(first) && second.size == rest.size && rest.size < SPLUNK_KEY_MAX && !idle)
        return data.size;
    return first_end;
}

static enum syslog_frame lines(struct syslog_stream *stream, struct bytes data, bool idle,
                               struct bytes *message, size_t *used)
{
    size_t first_end = line_end(data, stream->searched), end = data.size;
    if (first_end < data.size)
        end = message_end(stream, data, first_end, idle);
    if (end == data.size && !idle && data.size < SYSLOG_MESSAGE_MAX) {
        stream->searched = first_end;
        return SYSLOG_FRAME_MORE;
    }
    stream->searched = stream->line = 0;
    stream->has_text = false;
    *message = (struct bytes){data.data, end < SYSLOG_MESSAGE_MAX ? end : SYSLOG_MESSAGE_MAX};
    *used = end == data.size ? message->size : message->size + 1;
    stream->passing = end >= SYSLOG_MESSAGE_MAX;
    return SYSLOG_FRAME_WHOLE;
}

static enum syslog_frame pass(struct syslog_stream *stream, struct bytes data, size_t *used)
{
    if (stream->skip > 0) {
        *used = stream->skip < data.size ? stream->skip : data.size;
        stream->skip -= *used;
        return SYSLOG_FRAME_SKIP;
    }
    size_t end = line_end(data, 0);
    stream->passing = end == data.size;
    *used = stream->passing ? end : end + 1;
    return SYSLOG_FRAME_SKIP;
}

enum syslog_frame syslog_stream_next(struct syslog_stream *stream, struct bytes data, bool idle,
                                     struct bytes *message, size_t *used)
{
    size_t blanks = 0, length, digits;
    if (data.size == 0)
        return SYSLOG_FRAME_MORE;
    if (stream->skip > 0 || stream->passing)
        return pass(stream, data, used);
    while (blanks < data.size && is_blank(data.data[blanks]))
        blanks++;
    if (blanks > 0) {
        *used = blanks;
        stream->searched = 0;
        return SYSLOG_FRAME_SKIP;
    }
    enum count count = read_count(data, &length, &digits);
    if (count == COUNT_READ)
        return counted(stream, data, length, digits, message, used);
    if (count == COUNT_MORE && !idle)
        return SYSLOG_FRAME_MORE;
    return lines(stream, data, idle, message, used);
}

/* --- the header --- */

/* The word up to the next blank; the text goes on behind that. */
static struct bytes take_word(struct bytes *text)
{
    const uint8_t *blank = memchr(text->data, ' ', text->size);
    struct bytes word = {text->data, blank ? (size_t)(blank - text->data) : text->size};
    *text = behind(*text, blank ? word.size + 1 : word.size);
    return word;
}

/* The word, unless the body begins there. NILVALUE is no word. */
static struct bytes take_field(struct bytes *text)
{
    if (syslog_is_body(*text))
        return (struct bytes){0};
    struct bytes word = take_word(text);
    return word.size == 1 && word.data[0] == '-' ? (struct bytes){0} : word;
}

/* STRUCTURED-DATA (RFC 5424 6.3): elements in brackets, values in quotes with escapes. */
static struct bytes take_data(struct bytes *text)
{
    size_t at = 0;
    bool quoted = false;
    if (text->size && text->data[0] == '-' && (text->size == 1 || text->data[1] == ' ')) {
        *text = behind(*text, 1);
        return (struct bytes){0};
    }
    if (text->size == 0 || text->data[0] != '[')
        return (struct bytes){0};
    for (; at < text->size; at++) {
        uint8_t c = text->data[at];
        if (c == '\\' && quoted)
            at++;
        else if (c == '"')
            quoted = !quoted;
        else if (c == ']' && !quoted && (at + 1 >= text->size || text->data[at + 1] != '['))
            break;
    }
    if (at >= text->size)
        return (struct bytes){0};
    struct bytes data = {text->data, at + 1};
    *text = behind(*text, at + 1);
    return data;
}

/* VERSION SP TIMESTAMP: a time or NILVALUE must follow, for a message may begin with a number. */
static bool is_modern(struct bytes text)
{
    return text.size > 3 && text.data[0] >= '1' && text.data[0] <= '9' && text.data[1] == ' ' &&
           (isdigit(text.data[2]) || begins(behind(text, 2), "- "));
}

static void read_modern(struct syslog_header *header, struct bytes text)
{
    header->modern = true;
    take_word(&text);
    header->stamp = take_field(&text);
    header->host = take_field(&text);
    header->app = take_field(&text);
    take_field(&text); /* PROCID */
    take_field(&text); /* MSGID */
    if (!syslog_is_body(text))
        header->data = take_data(&text);
    header->body = text;
}

/* "Jan  1 01:01:00", "Jan 1 2026 01:01:00", "Jan 1 01:01:00.123": how long it is; 0: none. */
static size_t stamp_size(struct bytes text)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    bool month = false;
    for (unsigned i = 0; text.size > 14 && i < 12 && !month; i++)
        month = memcmp(text.data, months + (size_t)3 * i, 3) == 0;
    if (!month || text.data[3] != ' ')
        return 0;
    size_t at = 4;
    while (at < text.size && at < 16 && (isdigit(text.data[at]) || text.data[at] == ' '))
        at++;
    if (at >= text.size || text.data[at] != ':')
        return 0;
    while (at < text.size && (isdigit(text.data[at]) || text.data[at] == ':' || text.data[at] == '.'))
        at++;
    return at;
}

/* A time of RFC 3339 stands there in newer senders. */
static bool is_iso_stamp(struct bytes word)
{
    return word.size >= 19 && isdigit(word.data[0]) && word.data[4] == '-' && word.data[10] == 'T';
}

static bool is_host(struct bytes word)
{
    for (size_t i = 0; i < word.size; i++)
        if (!isalnum(word.data[i]) && !strchr(".:-_%", word.data[i]))
            return false;
    return word.size > 0 && word.size <= 255 && word.data[word.size - 1] != ':';
}

/* "app:" or "app[12]:". */
static bool is_tag(struct bytes word)
{
    for (size_t i = 0; i + 1 < word.size; i++)
        if (!isalnum(word.data[i]) && !strchr("._-/[]", word.data[i]))
            return false;
    return word.size > 1 && word.data[word.size - 1] == ':';
}

static void read_old(struct syslog_header *header, struct bytes text)
{
    struct bytes rest = text, word;
    size_t size = stamp_size(text);
    header->body = text;
    if (size == 0) {
        word = take_word(&rest);
        if (!is_iso_stamp(word))
            return;
        size = word.size;
    }
    header->stamp = (struct bytes){text.data, size};
    rest = text_trimmed(behind(text, size));
    header->body = rest;
    if (syslog_is_body(rest))
        return;
    word = take_word(&rest);
    if (is_host(word)) {
        header->host = word;
        header->body = rest = text_trimmed(rest);
        if (syslog_is_body(rest))
            return;
        word = take_word(&rest);
    }
    if (is_tag(word)) {
        header->app = (struct bytes){word.data, word.size - 1};
        header->body = rest;
    }
}

static struct bytes without_mark(struct bytes text)
{
    return begins(text, "\xef\xbb\xbf") ? behind(text, 3) : text;
}

void syslog_header_read(struct bytes message, struct syslog_header *header)
{
    struct bytes text = text_trimmed(without_mark(text_trimmed(message)));
    size_t size = priority_size(text);
    *header = (struct syslog_header){.priority = -1};
    if (size > 0) {
        header->priority = 0;
        for (size_t i = 1; i + 1 < size; i++)
            header->priority = header->priority * 10 + (text.data[i] - '0');
        text = text_trimmed(behind(text, size));
    }
    if (is_modern(text))
        read_modern(header, text);
    else
        read_old(header, text);
    header->body = text_trimmed(without_mark(text_trimmed(header->body)));
}

int64_t syslog_header_time(const struct syslog_header *header, bool local, int64_t now)
{
    int64_t time = 0;
    return timestamp_read_any(header->stamp, local, now, &time) ? time : 0;
}
