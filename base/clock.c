/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now); /* cannot fail for these two clocks */
    return (int64_t)now.tv_sec * CLOCK_SECOND + now.tv_nsec;
}

static int64_t system_monotonic(void *context)
{
    (void)context;
    return read_clock(CLOCK_MONOTONIC);
}

static int64_t system_wall(void *context)
{
    (void)context;
    return read_clock(CLOCK_REALTIME);
}

const struct clock *clock_system(void)
{
    static const struct clock system_clock = {.monotonic = system_monotonic, .wall = system_wall};
    return &system_clock;
}

static int64_t manual_monotonic(void *context)
{
    return ((struct clock_manual *)context)->monotonic;
}

static int64_t manual_wall(void *context)
{
    return ((struct clock_manual *)context)->wall;
}

void clock_manual_init(struct clock_manual *manual, int64_t wall)
{
    *manual = (struct clock_manual){
        .clock = {.monotonic = manual_monotonic, .wall = manual_wall, .context = manual}, .wall = wall};
}

void clock_manual_advance(struct clock_manual *manual, int64_t nanoseconds)
{
    manual->monotonic += nanoseconds;
    manual->wall += nanoseconds;
}

/* -- RFC 3339 ------------------------------------------------------------------------------------ */

/* The Gregorian calendar repeats itself every 400 years, an era. Counting years from March puts the leap day
 * at a year's end, and the months' lengths into the line (153 m + 2) / 5. */
enum {
    DAYS_OF_ERA = 146097,
    DAYS_TO_1970 = 719468, /* from 0000-03-01 */
};

struct date {
    int64_t year;
    unsigned month; /* 1..12 */
    unsigned day;   /* 1..31 */
};

static struct date date_of_day(int64_t day)
{
    day += DAYS_TO_1970;
    int64_t era = (day >= 0 ? day : day - (DAYS_OF_ERA - 1)) / DAYS_OF_ERA;
    unsigned of_era = (unsigned)(day - era * DAYS_OF_ERA);
    unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * of_year + 2) / 153; /* 0: March */
    struct date date = {.day = of_year - (153 * month + 2) / 5 + 1,
                        .month = month < 10 ? month + 3 : month - 9};
    date.year = (int64_t)year + era * 400 + (date.month <= 2);
    return date;
}

static int64_t day_of_date(const struct date *date)
{
    int64_t year = date->year - (date->month <= 2);
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned of_era = (unsigned)(year - era * 400);
    unsigned month = date->month > 2 ? date->month - 3 : date->month + 9;
    unsigned of_year = (153 * month + 2) / 5 + date->day - 1;
    return era * DAYS_OF_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_TO_1970;
}

static void put_digits(char *to, unsigned digits, unsigned value)
{
    while (digits--) {
        to[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

const char *clock_rfc3339(int64_t time, char to[CLOCK_RFC3339_MAX])
{
    int64_t day = time / CLOCK_DAY;
    int64_t rest = time % CLOCK_DAY;
    if (rest < 0) {
        rest += CLOCK_DAY;
        day--;
    }
    struct date date = date_of_day(day);
    unsigned second = (unsigned)(rest / CLOCK_SECOND);
    memcpy(to, "0000-00-00T00:00:00.000000000Z", CLOCK_RFC3339_MAX);
    put_digits(to, 4, (unsigned)date.year);
    put_digits(to + 5, 2, date.month);
    put_digits(to + 8, 2, date.day);
    put_digits(to + 11, 2, second / 3600);
    put_digits(to + 14, 2, second / 60 % 60);
    put_digits(to + 17, 2, second % 60);
    put_digits(to + 20, 9, (unsigned)(rest % CLOCK_SECOND));
    return to;
}

struct reader {
    const char *at;
    const char *end;
    bool failed;
};

static unsigned read_digits(struct reader *r, unsigned digits)
{
    unsigned value = 0;
    for (; digits; digits--) {
        if (r->at == r->end || *r->at < '0' || *r->at > '9') {
            r->failed = true;
            return 0;
        }
        value = value * 10 + (unsigned)(*r->at++ - '0');
    }
    return value;
}

/* One of the characters of `set`, as it was read. */
static char read_one_of(struct reader *r, const char *set)
{
    if (r->at == r->end || !*r->at || !strchr(set, *r->at)) {
        r->failed = true;
        return '\0';
    }
    return *r->at++;
}

static int64_t read_fraction(struct reader *r)
{
    if (r->at == r->end || *r->at != '.')
        return 0;
    r->at++;
    int64_t unit = CLOCK_SECOND / 10;
    int64_t value = read_digits(r, 1) * unit;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') {
        unit /= 10;
        value += (*r->at++ - '0') * unit;
    }
    return value;
}

/* Seconds east of UTC. */
static int64_t read_offset(struct reader *r)
{
    char sign = read_one_of(r, "Zz+-");
    if (sign != '+' && sign != '-')
        return 0;
    unsigned hours = read_digits(r, 2);
    read_one_of(r, ":");
    unsigned minutes = read_digits(r, 2);
    if (hours > 23 || minutes > 59)
        r->failed = true;
    int64_t seconds = (int64_t)hours * 3600 + minutes * 60;
    return sign == '-' ? -seconds : seconds;
}

static bool date_exists(const struct date *date)
{
    static const uint8_t days[12] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (date->month < 1 || date->month > 12 || date->day < 1 || date->day > days[date->month - 1])
        return false;
    bool leap = date->year % 4 == 0 && (date->year % 100 != 0 || date->year % 400 == 0);
    return leap || date->month != 2 || date->day <= 28;
}

bool clock_rfc3339_parse(const char *text, size_t size, int64_t *time)
{
    struct reader r = {.at = text, .end = text + size};
    struct date date = {.year = read_digits(&r, 4)};
    read_one_of(&r, "-");
    date.month = read_digits(&r, 2);
    read_one_of(&r, "-");
    date.day = read_digits(&r, 2);
    read_one_of(&r, "Tt ");
    unsigned hour = read_digits(&r, 2);
    read_one_of(&r, ":");
    unsigned minute = read_digits(&r, 2);
    read_one_of(&r, ":");
    unsigned second = read_digits(&r, 2);
    int64_t fraction = read_fraction(&r);
    int64_t offset = read_offset(&r);
    if (r.failed || r.at != r.end || !date_exists(&date) || hour > 23 || minute > 59 || second > 60)
        return false;
    int64_t seconds = day_of_date(&date) * 86400 + hour * 3600 + minute * 60 + second - offset;
    int64_t whole;
    /* A time before 1970 has a negative second and a positive fraction: add the fraction to the rest, so that
     * the earliest times do not overflow on the way. */
    if (seconds < 0 && fraction) {
        seconds++;
        fraction -= CLOCK_SECOND;
    }
    if (__builtin_mul_overflow(seconds, CLOCK_SECOND, &whole) ||
        __builtin_add_overflow(whole, fraction, &whole))
        return false;
    *time = whole;
    return true;
}
