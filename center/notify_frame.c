/* SPDX-License-Identifier: Apache-2.0 */
#include "center/notify_frame.h"

#include "base/clock.h"
#include "base/text.h"

#define FACILITY  4u /* security/authorization messages */
#define APP_MAX   48u
#define COUNT_MAX 24u /* of an octet count with its blank, or a line feed */

/* PRINTUSASCII of RFC 5424; "-" when there is nothing. */
static void put_word(struct text *t, const char *word, size_t most)
{
    size_t before = t->length;
    for (size_t i = 0; word && word[i] && i < most; i++)
        text_char(t, word[i] > ' ' && word[i] < 0x7f ? word[i] : '_');
    if (t->length == before)
        text_char(t, '-');
}

static void put_priority(struct text *t, unsigned severity)
{
    text_char(t, '<');
    text_uint(t, FACILITY * 8 + severity % 8);
    text_char(t, '>');
}

/* At most microseconds: RFC 5424 6.2.3. */
static void put_time(struct text *t, int64_t time)
{
    char stamp[CLOCK_RFC3339_MAX];
    clock_rfc3339(time, stamp);
    text_put(t, stamp, strlen("2026-11-22T03:27:13.123456"));
    text_char(t, 'Z');
}

/* "Nov  2 03:27:13", in UTC. */
static void put_old_time(struct text *t, int64_t time)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char stamp[CLOCK_RFC3339_MAX];
    clock_rfc3339(time, stamp);
    unsigned month = (unsigned)((stamp[5] - '0') * 10 + stamp[6] - '0');
    text_put(t, &months[3 * (month - 1)], 3);
    text_char(t, ' ');
    text_char(t, stamp[8] == '0' ? ' ' : stamp[8]);
    text_char(t, stamp[9]);
    text_char(t, ' ');
    text_put(t, &stamp[11], strlen("03:27:13"));
}

static void put_modern(struct text *t, const struct syslog_message *message)
{
    put_priority(t, message->severity);
    text_string(t, "1 ");
    put_time(t, message->time);
    text_char(t, ' ');
    put_word(t, message->host, SYSLOG_HOST_MAX);
    text_char(t, ' ');
    put_word(t, message->app, APP_MAX);
    text_char(t, ' ');
    text_uint(t, message->process);
    text_char(t, ' ');
    put_word(t, message->type, SYSLOG_MSGID_MAX);
    text_string(t, " - ");
}

static void put_old(struct text *t, const struct syslog_message *message)
{
    put_priority(t, message->severity);
    put_old_time(t, message->time);
    text_char(t, ' ');
    put_word(t, message->host, SYSLOG_HOST_MAX);
    text_char(t, ' ');
    put_word(t, message->app, APP_MAX);
    text_char(t, '[');
    text_uint(t, message->process);
    text_string(t, "]: ");
}

size_t syslog_frame_put(const struct syslog_message *message, enum syslog_form form,
                        enum syslog_framing framing, void *to, size_t capacity)
{
    char header[SYSLOG_HEADER_MAX], count[COUNT_MAX];
    struct text t = text_to(header, sizeof(header)), c = text_to(count, sizeof(count));
    if (form == SYSLOG_RFC5424)
        put_modern(&t, message);
    else
        put_old(&t, message);
    text_end(&t);
    if (framing == SYSLOG_COUNTED) {
        text_uint(&c, t.length + message->content.size);
        text_char(&c, ' ');
    }
    text_end(&c);
    bool line = framing == SYSLOG_LINES;
    size_t size = c.length + t.length + message->content.size + line;
    if (size > capacity)
        return 0;
    char *at = to;
    memcpy(at, count, c.length);
    memcpy(at += c.length, header, t.length);
    if (message->content.size)
        memcpy(at += t.length, message->content.data, message->content.size);
    if (line)
        ((char *)to)[size - 1] = '\n';
    return size;
}
