/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

/* Each character of a message takes at most six in a line; the rest is the line's head. */
enum {
    LINE_MAX_BYTES = 6 * LOG_MESSAGE_MAX + 256,
};

static atomic_int lowest = LOG_LEVEL_NOTICE;
static atomic_int chosen_form = LOG_FORM_AUTO;
static atomic_int output = STDERR_FILENO;
static _Atomic(const struct clock *) chosen_clock;

static const struct {
    enum log_level level;
    const char *name;
} levels[] = {
    {LOG_LEVEL_ERROR, "error"}, {LOG_LEVEL_WARNING, "warning"}, {LOG_LEVEL_NOTICE, "notice"},
    {LOG_LEVEL_INFO, "info"},   {LOG_LEVEL_DEBUG, "debug"},
};

enum {
    LEVELS = sizeof levels / sizeof levels[0],
};

void log_set_level(enum log_level level)
{
    atomic_store(&lowest, (int)level);
}

void log_set_output(int descriptor)
{
    atomic_store(&output, descriptor);
}

void log_set_clock(const struct clock *clock)
{
    atomic_store(&chosen_clock, clock);
}

bool log_level_by_name(const char *name, enum log_level *level)
{
    for (size_t i = 0; i < LEVELS; i++) {
        if (strcmp(levels[i].name, name) == 0) {
            *level = levels[i].level;
            return true;
        }
    }
    return false;
}

const char *log_level_name(enum log_level level)
{
    for (size_t i = 0; i < LEVELS; i++) {
        if (levels[i].level == level)
            return levels[i].name;
    }
    return "";
}

bool log_wanted(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&lowest, memory_order_relaxed);
}

/* systemd.exec(5), $JOURNAL_STREAM: the device and inode of the stream that the journal reads. The variable
 * is inherited, so it counts only when the output still is that stream. */
static bool is_journal(int descriptor)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    if (!stream || fstat(descriptor, &status) != 0)
        return false;
    char *end;
    unsigned long long device = strtoull(stream, &end, 10);
    if (*end != ':')
        return false;
    unsigned long long inode = strtoull(end + 1, NULL, 10);
    return status.st_dev == device && status.st_ino == inode;
}

static enum log_form form_now(void)
{
    enum log_form form = (enum log_form)atomic_load(&chosen_form);
    if (form != LOG_FORM_AUTO)
        return form;
    form = is_journal(atomic_load(&output)) ? LOG_FORM_JOURNAL : LOG_FORM_PLAIN;
    atomic_store(&chosen_form, (int)form);
    return form;
}

void log_set_form(enum log_form form)
{
    atomic_store(&chosen_form, (int)form);
}

static const struct clock *clock_now(void)
{
    const struct clock *clock = atomic_load(&chosen_clock);
    return clock ? clock : clock_system();
}

static const char *base_name(const char *file)
{
    const char *slash = strrchr(file, '/');
    return slash ? slash + 1 : file;
}

static void put_time(struct text *t)
{
    char form[CLOCK_RFC3339_MAX];
    text_string(t, clock_rfc3339(clock_wall(clock_now()), form));
}

static void put_json(struct text *t, const struct log_site *site, enum log_level level, struct bytes message)
{
    const char *file = base_name(site->file);
    text_string(t, "{\"time\":\"");
    put_time(t);
    text_string(t, "\",\"level\":\"");
    text_string(t, log_level_name(level));
    text_string(t, "\",\"site\":\"");
    text_string(t, file);
    text_char(t, ':');
    text_int(t, site->line);
    text_string(t, "\",\"message\":");
    text_json_string(t, message);
    text_char(t, '}');
}

static void put_line(struct text *t, const struct log_site *site, enum log_level level, struct bytes message)
{
    switch (form_now()) {
    case LOG_FORM_JSON:
        put_json(t, site, level, message);
        break;
    case LOG_FORM_JOURNAL:
        text_char(t, '<');
        text_int(t, (int)level);
        text_char(t, '>');
        text_display(t, message);
        break;
    default:
        put_time(t);
        text_char(t, ' ');
        text_string(t, log_level_name(level));
        text_string(t, ": ");
        text_display(t, message);
        break;
    }
    text_char(t, '\n');
}

/* One write per line, so that lines of several threads do not mix. */
static void emit(const struct log_site *site, enum log_level level, const char *message)
{
    char line[LINE_MAX_BYTES];
    struct text t = text_to(line, sizeof line);
    put_line(&t, site, level, (struct bytes){.data = (const uint8_t *)message, .size = strlen(message)});
    size_t size = t.length < sizeof line ? t.length : sizeof line;
    size_t at = 0;
    while (at < size) {
        ssize_t written = write(atomic_load(&output), line + at, size - at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return; /* nobody reads: there is nowhere to say so */
        at += (size_t)written;
    }
}

/* Begins a new period when the last one is over; then returns how many it held back. One thread wins. */
static unsigned period_ended(struct log_site *site, int64_t now)
{
    int_least64_t start = atomic_load(&site->period_start);
    if (start && now - start < LOG_PERIOD)
        return 0;
    if (!atomic_compare_exchange_strong(&site->period_start, &start, now))
        return 0;
    unsigned count = atomic_exchange(&site->count, 0);
    return count > LOG_BURST ? count - LOG_BURST : 0;
}

void log_write(struct log_site *site, enum log_level level, const char *format, ...)
{
    int error = errno;
    char message[LOG_MESSAGE_MAX];
    unsigned held = period_ended(site, clock_monotonic(clock_now()) + 1); /* never 0 */
    if (held) {
        snprintf(message, sizeof message, "%u similar messages suppressed", held);
        emit(site, level, message);
    }
    if (atomic_fetch_add(&site->count, 1) < LOG_BURST) {
        va_list arguments;
        errno = error; /* for %m */
        va_start(arguments, format);
        vsnprintf(message, sizeof message, format, arguments);
        va_end(arguments);
        emit(site, level, message);
    }
    errno = error;
}
