/* SPDX-License-Identifier: Apache-2.0 */
#include "node/duration.h"

#define SECOND 1000
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static void two(struct text *t, int64_t greater, char unit, int64_t lesser, char of_these)
{
    text_int(t, greater);
    text_char(t, unit);
    text_padded(t, (uint64_t)lesser, 2);
    text_char(t, of_these);
}

void duration_short(struct text *t, int64_t ms)
{
    if (ms < 0) {
        text_char(t, '-');
    } else if (ms < MINUTE) {
        text_int(t, ms / SECOND);
        text_char(t, 's');
    } else if (ms < HOUR) {
        two(t, ms / MINUTE, 'm', ms % MINUTE / SECOND, 's');
    } else if (ms < DAY) {
        two(t, ms / HOUR, 'h', ms % HOUR / MINUTE, 'm');
    } else {
        two(t, ms / DAY, 'd', ms % DAY / HOUR, 'h');
    }
}

static void words(struct text *t, int64_t greater, const char *unit, int64_t lesser, const char *of_these)
{
    text_int(t, greater);
    text_string(t, unit);
    if (lesser == 0)
        return;
    text_char(t, ' ');
    text_int(t, lesser);
    text_string(t, of_these);
}

void duration_words(struct text *t, int64_t ms)
{
    if (ms < 0)
        ms = 0;
    if (ms < MINUTE)
        words(t, ms / SECOND, " s", 0, "");
    else if (ms < HOUR)
        /* Seconds matter where something is about to happen. */
        words(t, ms / MINUTE, " min", ms < 5 * MINUTE ? ms % MINUTE / SECOND : 0, " s");
    else if (ms < DAY)
        words(t, ms / HOUR, " h", ms % HOUR / MINUTE, " min");
    else
        words(t, ms / DAY, " d", ms % DAY / HOUR, " h");
}
