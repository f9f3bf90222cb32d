/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/attribute_value.h"

#include "base/clock.h"
#include "base/text.h"

#define FILETIME_OF_1970 INT64_C(116444736000000000) /* 100 ns from 1601 to 1970 */
#define INTERVAL_NS      100

bool attribute_integer(struct bytes text, int64_t *value)
{
    struct cursor c = cursor_of_bytes(text);
    bool negative = cursor_match(&c, "-", 1);
    uint64_t most = negative ? UINT64_C(1) << 63 : INT64_MAX;
    uint64_t sum = 0;
    if (cursor_done(&c))
        return false;
    while (!cursor_done(&c)) {
        uint8_t digit = (uint8_t)(cursor_u8(&c) - '0');
        if (digit > 9 || sum > (most - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = (int64_t)(negative ? 0 - sum : sum);
    return true;
}

bool attribute_unsigned(struct bytes text, uint64_t *value)
{
    int64_t number;
    if (!attribute_integer(text, &number))
        return false;
    *value = number < 0 && number >= INT32_MIN ? (uint32_t)number : (uint64_t)number;
    return true;
}

bool attribute_boolean(struct bytes text, bool *value)
{
    *value = text.size == 4 && memcmp(text.data, "TRUE", 4) == 0;
    return *value || (text.size == 5 && memcmp(text.data, "FALSE", 5) == 0);
}

/* Exactly `digits` of them. */
static unsigned number(struct cursor *c, unsigned digits)
{
    unsigned value = 0;
    while (digits--) {
        uint8_t digit = (uint8_t)(cursor_u8(c) - '0');
        if (digit > 9)
            cursor_fail(c);
        else
            value = value * 10 + digit;
    }
    return value;
}

/* RFC 4517 3.3.13 as RFC 3339, which the clock reads: its bounds are the same. */
static bool generalized_time(struct bytes text, int64_t *time)
{
    struct cursor c = cursor_of_bytes(text);
    char form[64];
    unsigned year = number(&c, 4), month = number(&c, 2), day = number(&c, 2), hour = number(&c, 2);
    unsigned minute = number(&c, 2);
    unsigned second = !cursor_done(&c) && *c.at >= '0' && *c.at <= '9' ? number(&c, 2) : 0;
    struct text t = text_to(form, sizeof form);
    text_padded(&t, year, 4);
    text_char(&t, '-');
    text_padded(&t, month, 2);
    text_char(&t, '-');
    text_padded(&t, day, 2);
    text_char(&t, 'T');
    text_padded(&t, hour, 2);
    text_char(&t, ':');
    text_padded(&t, minute, 2);
    text_char(&t, ':');
    text_padded(&t, second, 2);
    if (cursor_match(&c, ".", 1) || cursor_match(&c, ",", 1)) {
        text_char(&t, '.');
        while (!cursor_done(&c) && *c.at >= '0' && *c.at <= '9')
            text_char(&t, (char)cursor_u8(&c));
    }
    if (cursor_match(&c, "Z", 1)) {
        text_char(&t, 'Z');
    } else {
        char sign = (char)cursor_u8(&c);
        text_char(&t, sign);
        text_padded(&t, number(&c, 2), 2);
        text_char(&t, ':');
        text_padded(&t, cursor_done(&c) ? 0 : number(&c, 2), 2);
        if (sign != '+' && sign != '-')
            return false;
    }
    if (c.failed || !cursor_done(&c) || t.length > sizeof form)
        return false;
    if (clock_rfc3339_parse(form, t.length, time))
        return true;
    *time = 0; /* year 1601 or 9999: how some say never */
    return month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour < 24 && minute < 60 && second <= 60;
}

bool attribute_time(struct bytes text, int64_t *time)
{
    int64_t filetime, since;
    if (!attribute_integer(text, &filetime))
        return generalized_time(text, time);
    *time = 0;
    if (filetime <= 0 || __builtin_sub_overflow(filetime, FILETIME_OF_1970, &since) ||
        __builtin_mul_overflow(since, INTERVAL_NS, time))
        *time = 0;
    return true;
}

bool attribute_duration(struct bytes text, uint64_t *duration)
{
    int64_t value;
    if (!attribute_integer(text, &value))
        return false;
    uint64_t count = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    if (__builtin_mul_overflow(count, (uint64_t)INTERVAL_NS, duration))
        *duration = 0;
    return true;
}
