/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config_value.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

struct unit {
    const char *name;
    int64_t size;
};

/* The largest comes first: bounds are written in it when they are whole multiples. */
static const struct unit size_units[] = {
    {"G", INT64_C(1) << 30}, {"M", INT64_C(1) << 20}, {"K", INT64_C(1) << 10}, {"", 1}, {NULL, 0},
};

static const struct unit duration_units[] = {
    {"d", CLOCK_DAY},    {"h", CLOCK_HOUR},         {"min", CLOCK_MINUTE},
    {"s", CLOCK_SECOND}, {"ms", CLOCK_MILLISECOND}, {NULL, 0},
};

static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

static const struct unit *units_of(enum config_type type)
{
    if (type == CONFIG_SIZE)
        return size_units;
    return type == CONFIG_DURATION ? duration_units : no_units;
}

const char *config_type_name(enum config_type type)
{
    static const char *const names[] = {
        [CONFIG_BOOL] = "bool",         [CONFIG_INT] = "number",      [CONFIG_SIZE] = "size",
        [CONFIG_DURATION] = "duration", [CONFIG_STRING] = "text",     [CONFIG_CHOICE] = "choice",
        [CONFIG_PATH] = "path",         [CONFIG_ADDRESS] = "address", [CONFIG_ENDPOINT] = "address:port",
    };
    return names[type];
}

const char *config_number_text(enum config_type type, int64_t number, char *to, size_t capacity)
{
    const struct unit *unit = units_of(type);
    while (unit[1].name && (number % unit->size != 0 || number / unit->size == 0))
        unit++;
    snprintf(to, capacity, "%lld%s", (long long)(number / unit->size), unit->name);
    return to;
}

/* -- one type each ------------------------------------------------------------------------------- */

static bool fail(char *fault, const char *text, const char *wanted)
{
    snprintf(fault, CONFIG_FAULT_MAX, "\"%.80s\" is not %s", text, wanted);
    return false;
}

static bool read_bool(const char *text, struct config_value *to, char *fault)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            to->number = i & 1;
            return true;
        }
    }
    return fail(fault, text, "true or false");
}

/* Digits, which may not be more than an int64 holds; `*rest` is what follows them. */
static bool read_digits(const char *text, int64_t *number, const char **rest)
{
    const char *at = text;
    int64_t value = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *at - '0', &value))
            return false;
    }
    *number = value;
    *rest = at;
    return at != text;
}

static const char *number_wanted(enum config_type type)
{
    if (type == CONFIG_SIZE)
        return "a size: a number of bytes, or one with K, M or G, such as 64M";
    if (type == CONFIG_DURATION)
        return "a duration: a number with ms, s, min, h or d, such as 10min";
    return "a whole number";
}

static bool in_range(const struct config_rule *rule, int64_t number, const char *text, char *fault)
{
    char low[32];
    char high[32];
    if (!rule->min && !rule->max)
        return true;
    if (number >= rule->min && number <= rule->max)
        return true;
    config_number_text(rule->type, rule->min, low, sizeof low);
    config_number_text(rule->type, rule->max, high, sizeof high);
    snprintf(fault, CONFIG_FAULT_MAX, "%.80s is out of range: %s to %s", text, low, high);
    return false;
}

static bool read_number(const struct config_rule *rule, const char *text, struct config_value *to,
                        char *fault)
{
    int64_t number;
    const char *rest;
    if (!read_digits(text, &number, &rest))
        return fail(fault, text, number_wanted(rule->type));
    while (*rest == ' ')
        rest++;
    const struct unit *unit = units_of(rule->type);
    while (unit->name && strcmp(unit->name, rest) != 0)
        unit++;
    if (!unit->name || __builtin_mul_overflow(number, unit->size, &to->number))
        return fail(fault, text, number_wanted(rule->type));
    return in_range(rule, to->number, text, fault);
}

static bool read_choice(const struct config_rule *rule, const char *text, struct config_value *to,
                        char *fault)
{
    int used = snprintf(fault, CONFIG_FAULT_MAX, "\"%.80s\" is none of", text);
    for (int64_t i = 0; rule->choices[i]; i++) {
        if (strcmp(rule->choices[i], text) == 0) {
            to->number = i;
            return true;
        }
        if (used < CONFIG_FAULT_MAX)
            used += snprintf(fault + used, CONFIG_FAULT_MAX - (size_t)used, "%s %s", i ? "," : "",
                             rule->choices[i]);
    }
    return false;
}

static bool read_port(const char *text, uint16_t *port)
{
    int64_t number;
    const char *rest;
    if (!read_digits(text, &number, &rest) || *rest || number < 1 || number > UINT16_MAX)
        return false;
    *port = (uint16_t)number;
    return true;
}

/* The port is behind the last colon; an IPv6 address stands in brackets, so that it has no colon after them.
 */
static bool read_endpoint(const char *text, struct endpoint *to)
{
    char address[IP_ADDRESS_TEXT_MAX];
    const char *colon = strrchr(text, ':');
    if (!colon || !read_port(colon + 1, &to->port))
        return false;
    const char *end = colon;
    bool brackets = text[0] == '[' && end - text >= 2 && end[-1] == ']';
    if (brackets) {
        text++;
        end--;
    }
    size_t size = (size_t)(end - text);
    if (size >= sizeof address)
        return false;
    memcpy(address, text, size);
    address[size] = '\0';
    return ip_address_parse(address, &to->address) && brackets == (to->address.family == 6);
}

bool config_value_read(const struct config_rule *rule, const char *text, struct config_value *to,
                       char fault[CONFIG_FAULT_MAX])
{
    switch (rule->type) {
    case CONFIG_BOOL:
        return read_bool(text, to, fault);
    case CONFIG_INT:
    case CONFIG_SIZE:
    case CONFIG_DURATION:
        return read_number(rule, text, to, fault);
    case CONFIG_CHOICE:
        return read_choice(rule, text, to, fault);
    case CONFIG_PATH:
        return text[0] == '/' || fail(fault, text, "an absolute path");
    case CONFIG_ADDRESS:
        return ip_address_parse(text, &to->endpoint.address) || fail(fault, text, "an IP address");
    case CONFIG_ENDPOINT:
        return read_endpoint(text, &to->endpoint) ||
               fail(fault, text, "an endpoint, such as 192.0.2.1:389 or [2001:db8::1]:389");
    default: /* CONFIG_STRING */
        return text[0] || fail(fault, text, "a text: it is empty");
    }
}
