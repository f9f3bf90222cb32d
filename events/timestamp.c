/* SPDX-License-Identifier: Apache-2.0 */
#include "events/timestamp.h"

#include "base/clock.h"

#include <ctype.h>
#include <strings.h>
#include <time.h>

#define YEAR_FIRST 1970
#define YEAR_LAST  2261 /* what nanoseconds in 64 bits hold whole */
#define AHEAD      (2 * CLOCK_DAY)

struct reading {
    struct cursor c;
    int year; /* 0: not told */
    unsigned month, day, hour, minute, second;
    int64_t fraction; /* ns */
    bool has_zone, afternoon, half_day;
    int64_t zone; /* s east of UTC */
};

static void pass_blanks(struct cursor *c)
{
    while (!cursor_done(c) && isspace(*c->at))
        c->at++;
}

/* One digit at least, `most` at most. */
static unsigned number(struct cursor *c, unsigned most)
{
    unsigned value = 0, n = 0;
    for (; n < most && !cursor_done(c) && isdigit(*c->at); n++)
        value = value * 10 + (unsigned)(*c->at++ - '0');
    if (n == 0)
        cursor_fail(c);
    return value;
}

static int64_t fraction(struct cursor *c)
{
    int64_t value = 0, unit = CLOCK_SECOND;
    if (cursor_done(c) || !isdigit(*c->at))
        cursor_fail(c);
    for (; !cursor_done(c) && isdigit(*c->at); c->at++) {
        unit /= 10;
        value += (*c->at - '0') * unit;
    }
    return value;
}

/* The place in a table of words of three letters, from 1. */
static unsigned month_name(struct cursor *c)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    struct bytes name = cursor_take(c, 3);
    for (unsigned i = 0; name.size == 3 && i < 12; i++)
        if (strncasecmp((const char *)name.data, names + (size_t)3 * i, 3) == 0)
            return i + 1;
    cursor_fail(c);
    return 0;
}

static void pass_word(struct cursor *c)
{
    while (!cursor_done(c) && isalpha(*c->at))
        c->at++;
}

static void half_of_day(struct reading *r)
{
    struct bytes word = cursor_take(&r->c, 2);
    if (word.size != 2 || tolower(word.data[1]) != 'm')
        cursor_fail(&r->c);
    else
        r->afternoon = tolower(word.data[0]) == 'p';
    r->half_day = true;
}

static void zone_name(struct reading *r)
{
    static const struct {
        const char *name;
        int hours;
    } zones[] = {{"UTC", 0},  {"GMT", 0},  {"Z", 0},    {"EST", -5}, {"EDT", -4}, {"CST", -6},
                 {"CDT", -5}, {"MST", -7}, {"MDT", -6}, {"PST", -8}, {"PDT", -7}};
    struct bytes word = {r->c.at, 0};
    pass_word(&r->c);
    word.size = (size_t)(r->c.at - word.data);
    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        if (strlen(zones[i].name) == word.size &&
            strncasecmp((const char *)word.data, zones[i].name, word.size) == 0) {
            r->zone = (int64_t)zones[i].hours * 3600;
            return;
        }
    }
    cursor_fail(&r->c);
}

/* "+01:00", "+0100", "+01", or a name, to which an offset may be added: "GMT+01:00". */
static void zone(struct reading *r)
{
    struct cursor *c = &r->c;
    pass_blanks(c);
    r->has_zone = true;
    if (!cursor_done(c) && isalpha(*c->at)) {
        zone_name(r);
        if (cursor_done(c) || (*c->at != '+' && *c->at != '-'))
            return;
    }
    uint8_t sign = cursor_u8(c);
    if (sign != '+' && sign != '-')
        cursor_fail(c);
    unsigned hours = number(c, 2), minutes = 0;
    if (!cursor_done(c) && *c->at == ':')
        c->at++;
    if (!cursor_done(c) && isdigit(*c->at))
        minutes = number(c, 2);
    if (hours > 18 || minutes > 59)
        cursor_fail(c);
    int64_t offset = (int64_t)hours * 3600 + (int64_t)minutes * 60;
    r->zone = sign == '-' ? -offset : offset;
}

static void take_year(struct reading *r, unsigned length)
{
    unsigned year = number(&r->c, length == 2 ? 2 : 4);
    r->year = (int)(length == 2 ? 2000 + year : year);
}

/* A run of `length` equal letters of the pattern. */
static void take_letters(struct reading *r, char letter, unsigned length)
{
    switch (letter) {
    case 'y':
        take_year(r, length);
        break;
    case 'M':
        r->month = length >= 3 ? month_name(&r->c) : number(&r->c, 2);
        break;
    case 'd':
        pass_blanks(&r->c); /* "Jan  1" */
        r->day = number(&r->c, 2);
        break;
    case 'H':
    case 'h':
        r->hour = number(&r->c, 2);
        break;
    case 'm':
        r->minute = number(&r->c, 2);
        break;
    case 's':
        r->second = number(&r->c, 2);
        break;
    case 'S':
        r->fraction = fraction(&r->c);
        break;
    case 'a':
        half_of_day(r);
        break;
    case 'E':
        pass_word(&r->c);
        break;
    case 'z':
    case 'Z':
    case 'X':
        zone(r);
        break;
    default:
        cursor_fail(&r->c);
    }
}

/* A quoted piece of the pattern: where it goes on behind. */
static const char *take_quoted(struct reading *r, const char *p)
{
    if (*p == '\'') {
        if (cursor_u8(&r->c) != '\'')
            cursor_fail(&r->c);
        return p + 1;
    }
    for (; *p && *p != '\''; p++)
        if (cursor_u8(&r->c) != (uint8_t)*p)
            cursor_fail(&r->c);
    return *p ? p + 1 : p;
}

static void take_pattern(struct reading *r, const char *pattern)
{
    for (const char *p = pattern; *p && !r->c.failed;) {
        if (isalpha((unsigned char)*p)) {
            unsigned length = 1;
            while (p[length] == *p)
                length++;
            take_letters(r, *p, length);
            p += length;
        } else if (*p == '\'') {
            p = take_quoted(r, p + 1);
        } else if (*p == ' ') {
            pass_blanks(&r->c);
            p++;
        } else if (cursor_u8(&r->c) != (uint8_t)*p++) {
            cursor_fail(&r->c);
        }
    }
}

/* --- from fields to a time --- */

static unsigned days_of(int year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (unsigned)(month == 2 && leap);
}

/* Days since 1970 (Howard Hinnant, "chrono-compatible low-level date algorithms", days_from_civil). */
static int64_t day_number(int year, unsigned month, unsigned day)
{
    int y = month <= 2 ? year - 1 : year;
    int era = y / 400;
    unsigned of_era = (unsigned)(y - era * 400);
    unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return (int64_t)era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int64_t here(const struct reading *r, int year)
{
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = (int)r->month - 1,
                    .tm_mday = (int)r->day,
                    .tm_hour = (int)r->hour,
                    .tm_min = (int)r->minute,
                    .tm_sec = (int)r->second,
                    .tm_isdst = -1};
    return (int64_t)mktime(&tm);
}

static bool time_in(const struct reading *r, int year, bool local, int64_t *time)
{
    if (year < YEAR_FIRST || year > YEAR_LAST || r->month < 1 || r->month > 12 || r->day < 1 ||
        r->day > days_of(year, r->month) || r->hour > 23 || r->minute > 59 || r->second > 60)
        return false;
    int64_t seconds = local && !r->has_zone ? here(r, year)
                                            : day_number(year, r->month, r->day) * 86400 + r->hour * 3600 +
                                                  r->minute * 60 + r->second - r->zone;
    *time = seconds * CLOCK_SECOND + r->fraction;
    return true;
}

static int year_of(int64_t now)
{
    char text[CLOCK_RFC3339_MAX];
    clock_rfc3339(now, text);
    return (text[0] - '0') * 1000 + (text[1] - '0') * 100 + (text[2] - '0') * 10 + text[3] - '0';
}

static bool finish(struct reading *r, bool local, int64_t now, int64_t *time)
{
    if (r->half_day) {
        if (r->hour < 1 || r->hour > 12)
            return false;
        r->hour = r->hour % 12 + (r->afternoon ? 12 : 0);
    }
    if (r->year)
        return time_in(r, r->year, local, time);
    int year = year_of(now);
    bool fits = time_in(r, year, local, time);
    return fits && *time <= now + AHEAD ? true : time_in(r, year - 1, local, time) || fits;
}

bool timestamp_read(struct bytes text, const char *pattern, bool local, int64_t now, int64_t *time)
{
    struct reading r = {.c = cursor_of_bytes(text), .month = 1, .day = 1};
    int64_t read;
    take_pattern(&r, pattern);
    if (r.c.failed || (!cursor_done(&r.c) && !isspace(*r.c.at)) || !finish(&r, local, now, &read))
        return false;
    *time = read;
    return true;
}

/* --- other forms --- */

/* Fourteen digits are a date. */
bool timestamp_read_epoch(struct bytes text, int64_t *time)
{
    static const struct {
        unsigned digits; /* at most: seconds up to the year 2286 */
        int64_t unit;
    } sizes[] = {{10, CLOCK_SECOND}, {13, CLOCK_MILLISECOND}, {16, CLOCK_MICROSECOND}, {19, 1}};
    struct cursor c = cursor_of_bytes(text);
    int64_t value = 0, part = 0;
    unsigned digits = 0;
    for (; digits < 19 && !cursor_done(&c) && isdigit(*c.at); digits++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *c.at++ - '0', &value))
            return false;
    if (digits < 9 || digits == 14 || (!cursor_done(&c) && *c.at != '.'))
        return false;
    unsigned i = 0;
    while (digits > sizes[i].digits)
        i++;
    if (!cursor_done(&c)) {
        c.at++;
        part = fraction(&c) / (CLOCK_SECOND / sizes[i].unit);
        if (c.failed || !cursor_done(&c))
            return false;
    }
    return !__builtin_mul_overflow(value, sizes[i].unit, &value) &&
           !__builtin_add_overflow(value, part, time);
}

/* The offset of a CIM datetime is in minutes, in three digits. */
static bool cim_offset(struct reading *r)
{
    if (cursor_done(&r->c))
        return true;
    uint8_t sign = cursor_u8(&r->c);
    struct bytes digits = {r->c.at, cursor_left(&r->c)};
    if (sign == '*' || (sign != '+' && sign != '-') || digits.size != 3)
        return false;
    int64_t minutes = number(&r->c, 3);
    r->has_zone = true;
    r->zone = (sign == '-' ? -minutes : minutes) * 60;
    return !r->c.failed && cursor_done(&r->c);
}

bool timestamp_read_cim(struct bytes text, bool local, int64_t *time)
{
    struct reading r = {.c = cursor_of_bytes(text)};
    if (text.size < 14)
        return false;
    for (unsigned i = 0; i < 14; i++)
        if (!isdigit(text.data[i]))
            return false;
    take_letters(&r, 'y', 4);
    unsigned *const parts[] = {&r.month, &r.day, &r.hour, &r.minute, &r.second};
    for (unsigned i = 0; i < 5; i++)
        *parts[i] = number(&r.c, 2);
    if (!cursor_done(&r.c) && *r.c.at == '.') {
        r.c.at++;
        r.fraction = fraction(&r.c);
    }
    return !r.c.failed && cim_offset(&r) && finish(&r, local, 0, time);
}

bool timestamp_read_any(struct bytes text, bool local, int64_t now, int64_t *time)
{
    static const char *const patterns[] = {
        "yyyy-MM-dd HH:mm:ss.S",    "yyyy-MM-dd HH:mm:ss",      "yyyy-MM-dd'T'HH:mm:ss.S",
        "yyyy-MM-dd'T'HH:mm:ss",    "yyyy-MMM-dd HH:mm:ss.S",   "yyyy-MMM-dd HH:mm:ss",
        "MMM dd yyyy HH:mm:ss.S z", "MMM dd yyyy HH:mm:ss z",   "MMM dd yyyy HH:mm:ss.S",
        "MMM dd yyyy HH:mm:ss",     "EEE MMM dd HH:mm:ss yyyy", "MMM dd HH:mm:ss.S",
        "MMM dd HH:mm:ss",          "MM/dd/yyyy hh:mm:ss.S a",  "MM/dd/yyyy hh:mm:ss a",
        "MM/dd/yyyy HH:mm:ss.S",    "MM/dd/yyyy HH:mm:ss",      "yyyy/MM/dd HH:mm:ss",
    };
    if (text.size == 0)
        return false;
    if (timestamp_read_epoch(text, time) || timestamp_read_cim(text, local, time) ||
        clock_rfc3339_parse((const char *)text.data, text.size, time))
        return true;
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
        if (timestamp_read(text, patterns[i], local, now, time))
            return true;
    return false;
}
