/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/controllers.h"

#include <arpa/nameser.h>
#include <ctype.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct known {
    struct controller is;
    uint32_t failures; /* in a row */
    int64_t failed_at;
    int64_t not_before;
    bool ever_failed;
};

struct controllers {
    uint64_t random;
    unsigned count;
    struct known known[CONTROLLERS_MAX];
};

/* splitmix64 */
static uint64_t draw(struct controllers *c)
{
    uint64_t z = (c->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* --- names --- */

static bool keep_name(struct controller *to, const char *name, size_t size)
{
    if (size > 0 && name[size - 1] == '.')
        size--;
    if (size == 0 || size >= sizeof to->host)
        return false;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)name[i];
        if (!isalnum(c) && c != '-' && c != '.' && c != '_' && c != ':' && c != '%')
            return false;
        to->host[i] = (char)tolower(c);
    }
    to->host[size] = 0;
    return true;
}

static bool keep_port(struct controller *to, const char *text)
{
    char *end;
    long port = strtol(text, &end, 10);
    if (end == text || *end || port < 1 || port > UINT16_MAX)
        return false;
    to->port = (uint16_t)port;
    return true;
}

bool controller_parse(const char *text, struct controller *to)
{
    *to = (struct controller){0};
    if (text[0] == '[') {
        const char *end = strchr(text, ']');
        if (!end || !keep_name(to, text + 1, (size_t)(end - text - 1)))
            return false;
        return end[1] == 0 || (end[1] == ':' && keep_port(to, end + 2));
    }
    const char *colon = strchr(text, ':');
    if (colon && strchr(colon + 1, ':')) /* an IPv6 address without brackets has no port */
        return keep_name(to, text, strlen(text));
    if (!keep_name(to, text, colon ? (size_t)(colon - text) : strlen(text)))
        return false;
    return !colon || keep_port(to, colon + 1);
}

static bool same(const struct controller *a, const struct controller *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

static void read_record(const ns_msg *message, ns_rr *record, uint8_t tier, struct controller *list,
                        unsigned *count)
{
    if (ns_rr_type(*record) != ns_t_srv || ns_rr_class(*record) != ns_c_in || ns_rr_rdlen(*record) < 7)
        return;
    struct cursor c = cursor_of(ns_rr_rdata(*record), ns_rr_rdlen(*record));
    struct controller is = {.tier = tier};
    is.priority = cursor_be16(&c);
    is.weight = cursor_be16(&c);
    is.port = cursor_be16(&c);
    char name[NS_MAXDNAME];
    if (ns_name_uncompress(ns_msg_base(*message), ns_msg_end(*message), c.at, name, sizeof name) < 0 ||
        !keep_name(&is, name, strlen(name)) || strcmp(is.host, ".") == 0)
        return;
    is.port = is.port == 389 ? 0 : is.port; /* so that LDAPS takes its own */
    for (unsigned i = 0; i < *count; i++)
        if (same(&list[i], &is))
            return;
    if (*count < CONTROLLERS_MAX)
        list[(*count)++] = is;
}

void controllers_read_answer(struct bytes answer, uint8_t tier, struct controller *list, unsigned *count)
{
    ns_msg message;
    if (answer.size > INT32_MAX || ns_initparse(answer.data, (int)answer.size, &message) < 0)
        return;
    unsigned records = ns_msg_count(message, ns_s_an);
    for (unsigned i = 0; i < records; i++) {
        ns_rr record;
        if (ns_parserr(&message, ns_s_an, (int)i, &record) < 0)
            return;
        read_record(&message, &record, tier, list, count);
    }
}

/* --- choice --- */

struct controllers *controllers_new(uint64_t seed)
{
    struct controllers *c = calloc(1, sizeof *c);
    if (c)
        c->random = seed;
    return c;
}

void controllers_destroy(struct controllers **controllers)
{
    free(*controllers);
    *controllers = NULL;
}

static struct known *find(struct controllers *c, const struct controller *controller)
{
    for (unsigned i = 0; i < c->count; i++)
        if (same(&c->known[i].is, controller))
            return &c->known[i];
    return NULL;
}

void controllers_set(struct controllers *c, const struct controller *list, unsigned count)
{
    struct known next[CONTROLLERS_MAX];
    if (count > CONTROLLERS_MAX)
        count = CONTROLLERS_MAX;
    for (unsigned i = 0; i < count; i++) {
        const struct known *before = find(c, &list[i]);
        next[i] = before ? *before : (struct known){.not_before = INT64_MIN};
        next[i].is = list[i];
    }
    if (count)
        memcpy(c->known, next, count * sizeof *next);
    c->count = count;
}

unsigned controllers_count(const struct controllers *c)
{
    return c->count;
}

static bool is_suspect(const struct known *k, int64_t now)
{
    return k->ever_failed && now - k->failed_at < CONTROLLER_SUSPECT_PERIOD;
}

/* Below 0: `a` comes before `b`. The weights decide among equals. */
static int compare(const struct known *a, const struct known *b, int64_t now)
{
    bool a_suspect = is_suspect(a, now), b_suspect = is_suspect(b, now);
    if (a_suspect != b_suspect)
        return a_suspect ? 1 : -1;
    if (a->is.tier != b->is.tier)
        return a->is.tier - b->is.tier;
    return a->is.priority - b->is.priority;
}

/* RFC 2782: a running sum of weights, and a number up to their total. Those without a weight are put first,
 * which gives them a small chance. */
static struct known *choose(struct controllers *c, const struct known *equal_to, int64_t now)
{
    uint64_t total = 0;
    struct known *last = NULL;
    for (unsigned i = 0; i < c->count; i++)
        if (c->known[i].not_before <= now && compare(&c->known[i], equal_to, now) == 0)
            total += c->known[i].is.weight;
    uint64_t number = draw(c) % (total + 1), sum = 0;
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < c->count; i++) {
            struct known *k = &c->known[i];
            if (k->not_before > now || compare(k, equal_to, now) != 0 || (k->is.weight > 0) != (pass == 1))
                continue;
            last = k;
            sum += k->is.weight;
            if (sum >= number)
                return k;
        }
    return last;
}

const struct controller *controllers_pick(struct controllers *c, int64_t now, int64_t *again)
{
    const struct known *best = NULL;
    *again = INT64_MAX;
    for (unsigned i = 0; i < c->count; i++) {
        const struct known *k = &c->known[i];
        if (k->not_before > now) {
            if (k->not_before < *again)
                *again = k->not_before;
        } else if (!best || compare(k, best, now) < 0) {
            best = k;
        }
    }
    if (!best)
        return NULL;
    struct known *chosen = choose(c, best, now);
    chosen->not_before = now + CONTROLLER_BACK_OFF_MIN;
    *again = now;
    return &chosen->is;
}

void controllers_failed(struct controllers *c, const struct controller *controller, int64_t now)
{
    struct known *k = find(c, controller);
    if (!k)
        return;
    unsigned shift = k->failures < 10 ? k->failures : 10;
    int64_t wait = CONTROLLER_BACK_OFF_MIN << shift;
    if (wait > CONTROLLER_BACK_OFF_MAX)
        wait = CONTROLLER_BACK_OFF_MAX;
    wait += (int64_t)(draw(c) % (uint64_t)(wait / 2)) - wait / 4;
    if (wait < CONTROLLER_BACK_OFF_MIN)
        wait = CONTROLLER_BACK_OFF_MIN;
    if (k->failures < UINT32_MAX)
        k->failures++;
    k->ever_failed = true;
    k->failed_at = now;
    k->not_before = now + wait;
}

void controllers_succeeded(struct controllers *c, const struct controller *controller)
{
    struct known *k = find(c, controller);
    if (k)
        k->failures = 0;
}
