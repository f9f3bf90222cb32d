/* SPDX-License-Identifier: Apache-2.0
 *
 * The log: one line per message to standard error, where systemd or the user reads it. Levels; the `<N>`
 * prefixes of sd-daemon(3) when the journal listens, a time when it does not, or JSON lines. A call site that
 * repeats itself is held back and says afterwards how often. Nothing is allocated, any thread may call.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

enum log_level { /* the numbers are syslog's (RFC 5424 6.2.1) */
                 LOG_LEVEL_ERROR = 3,
                 LOG_LEVEL_WARNING = 4,
                 LOG_LEVEL_NOTICE = 5,
                 LOG_LEVEL_INFO = 6,
                 LOG_LEVEL_DEBUG = 7,
};

enum log_form {
    LOG_FORM_AUTO,    /* journal when standard error is the journal's, otherwise plain */
    LOG_FORM_PLAIN,   /* 2026-11-22T03:27:13.123456789Z warning: text */
    LOG_FORM_JOURNAL, /* <4>text */
    LOG_FORM_JSON,    /* {"time":"...","level":"warning","site":"file.c:12","message":"text"} */
};

/* What is less important than `level` is dropped; at first that is what is below notice. */
void log_set_level(enum log_level level);
void log_set_form(enum log_form form);
/* Where lines go instead of descriptor 2, and whose time they bear; both for tests. NULL: the system's. */
void log_set_output(int descriptor);
void log_set_clock(const struct clock *clock);

/* "error", "warning", "notice", "info", "debug"; false for another word. */
bool log_level_by_name(const char *name, enum log_level *level);
const char *log_level_name(enum log_level level);

/* Messages of one call site within LOG_PERIOD beyond LOG_BURST are counted instead of written. */
#define LOG_BURST  10
#define LOG_PERIOD (10 * CLOCK_SECOND)

#define LOG_MESSAGE_MAX 1024 /* bytes of a message; the rest is cut */

struct log_site {
    const char *file;
    int line;
    atomic_int_least64_t period_start; /* monotonic; 0: nothing written yet */
    atomic_uint count;                 /* messages in this period */
};

void log_write(struct log_site *site, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool log_wanted(enum log_level level);

#define log_at(level_, ...)                                                                                  \
    do {                                                                                                     \
        static struct log_site log_site_ = {.file = __FILE__, .line = __LINE__};                             \
        if (log_wanted(level_))                                                                              \
            log_write(&log_site_, (level_), __VA_ARGS__);                                                    \
    } while (0)

#define log_error(...)   log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_at(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)
