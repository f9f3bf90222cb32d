/* SPDX-License-Identifier: Apache-2.0 */
#include "center/alert.h"

#include "base/clock.h"
#include "base/sid.h"
#include "base/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* -- names of values ----------------------------------------------------------------------------------------
 */

static const char *const severity_names[SEVERITIES] = {"informational", "low", "medium", "high"};
static const char *const role_names[ALERT_ROLES] = {"source", "account", "destination", "target", "resource"};
static const char *const status_names[ALERT_STATUSES] = {"open", "closed", "suppressed", "deleted"};
static const char *const evidence_names[] = {"number", "text", "time", "duration"};

const char *severity_name(enum severity severity)
{
    return severity_names[severity];
}

const char *alert_role_name(enum alert_role role)
{
    return role_names[role];
}

const char *alert_status_name(enum alert_status status)
{
    return status_names[status];
}

/* The index of a name in a table; `count` when it is none of them. */
static unsigned index_of(const char *const *names, unsigned count, struct bytes name)
{
    unsigned i = 0;
    while (i < count && (strlen(names[i]) != name.size || memcmp(names[i], name.data, name.size) != 0))
        i++;
    return i;
}

bool severity_by_name(const char *name, enum severity *severity)
{
    unsigned i = index_of(severity_names, SEVERITIES, (struct bytes){(const uint8_t *)name, strlen(name)});
    if (i < SEVERITIES)
        *severity = (enum severity)i;
    return i < SEVERITIES;
}

/* -- filling in ----------------------------------------------------------------------------------------- */

/* Cut at the bound, at the beginning of a character. */
static void keep_text(char *to, size_t capacity, struct bytes text)
{
    size_t size = text.size < capacity ? text.size : capacity - 1;
    if (size < text.size)
        while (size > 0 && (text.data[size] & 0xc0) == 0x80)
            size--;
    if (size)
        memcpy(to, text.data, size);
    to[size] = '\0';
}

static struct bytes bytes_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static struct alert_party *new_party(struct alert *alert, enum alert_role role, enum subject_kind kind,
                                     struct bytes name, struct bytes domain)
{
    if (alert->party_count == ALERT_PARTIES_MAX) {
        alert->truncated = true;
        return NULL;
    }
    struct alert_party *to = &alert->parties[alert->party_count++];
    *to = (struct alert_party){.role = role, .kind = kind, .confidence = 100};
    keep_text(to->name, sizeof(to->name), name);
    keep_text(to->domain, sizeof(to->domain), domain);
    return to;
}

void alert_add_party(struct alert *alert, enum alert_role role, const struct party *party)
{
    if (!party_is(party))
        return;
    for (uint32_t i = 0; i < alert->party_count; i++)
        if (alert->parties[i].role == role && subject_equal(alert->parties[i].subject, party->subject))
            return;
    struct alert_party *to = new_party(alert, role, party->kind, party->name, party->domain);
    if (!to)
        return;
    to->subject = party->subject;
    to->address = party->address;
    to->confidence = party->confidence;
    to->has_guid = party->guid != NULL;
    if (party->guid)
        memcpy(to->guid, party->guid, sizeof(to->guid));
}

void alert_add_named(struct alert *alert, enum alert_role role, enum subject_kind kind, struct bytes name,
                     struct bytes domain)
{
    char kept[ALERT_NAME_MAX];
    if (name.size == 0)
        return;
    keep_text(kept, sizeof(kept), name);
    for (uint32_t i = 0; i < alert->party_count; i++)
        if (alert->parties[i].role == role && alert->parties[i].kind == kind &&
            strcmp(alert->parties[i].name, kept) == 0)
            return;
    new_party(alert, role, kind, name, domain);
}

/* Room for one at its place in the order; ALERT_ACTIVITIES_MAX: it is none of the first ones and none of the
 * last ones. */
static uint32_t make_room(struct alert *alert, struct activity_place place)
{
    const uint32_t half = ALERT_ACTIVITIES_MAX / 2;
    uint32_t at = alert->activity_count;
    while (at > 0 && activity_place_behind(alert->activities[at - 1].place, place))
        at--;
    if (alert->activity_count < ALERT_ACTIVITIES_MAX) {
        memmove(&alert->activities[at + 1], &alert->activities[at],
                (alert->activity_count++ - at) * sizeof(alert->activities[0]));
        return at;
    }
    alert->truncated = true;
    if (at < half) /* the last one of the first half goes */
        memmove(&alert->activities[at + 1], &alert->activities[at],
                (half - 1 - at) * sizeof(alert->activities[0]));
    else if (at == half)
        return ALERT_ACTIVITIES_MAX;
    else /* the first one of the second half goes */
        memmove(&alert->activities[half], &alert->activities[half + 1],
                (--at - half) * sizeof(alert->activities[0]));
    return at;
}

void alert_add_activity(struct alert *alert, struct activity_place place, int64_t time)
{
    const uint32_t at = make_room(alert, place);
    if (at == ALERT_ACTIVITIES_MAX)
        return;
    alert->activities[at].place = place;
    alert->activities[at].time = time;
}

/* NULL: there are too many. */
static struct alert_evidence *evidence(struct alert *alert, const char *name)
{
    uint32_t i = 0;
    while (i < alert->evidence_count && strcmp(alert->evidence[i].name, name) != 0)
        i++;
    if (i == ALERT_EVIDENCE_MAX) {
        alert->truncated = true;
        return NULL;
    }
    if (i == alert->evidence_count)
        alert->evidence_count++;
    struct alert_evidence *e = &alert->evidence[i];
    memset(e, 0, sizeof(*e));
    keep_text(e->name, sizeof(e->name), bytes_of(name));
    return e;
}

static struct alert_evidence *put_number(struct alert *alert, const char *name, double value)
{
    struct alert_evidence *e = evidence(alert, name);
    if (e)
        e->number = isfinite(value) ? value : 0;
    return e;
}

void alert_put_number(struct alert *alert, const char *name, double value)
{
    put_number(alert, name, value);
}

void alert_put_compared(struct alert *alert, const char *name, double value, const char *limit_name,
                        double limit)
{
    struct alert_evidence *e = put_number(alert, name, value);
    if (!e)
        return;
    e->compared = true;
    e->limit = isfinite(limit) ? limit : 0;
    keep_text(e->limit_name, sizeof(e->limit_name), bytes_of(limit_name));
}

void alert_put_text(struct alert *alert, const char *name, struct bytes text)
{
    struct alert_evidence *e = evidence(alert, name);
    if (!e)
        return;
    e->type = EVIDENCE_TEXT;
    keep_text(e->text, sizeof(e->text), text);
}

void alert_put_string(struct alert *alert, const char *name, const char *text)
{
    alert_put_text(alert, name, bytes_of(text));
}

void alert_put_time(struct alert *alert, const char *name, int64_t time)
{
    struct alert_evidence *e = evidence(alert, name);
    if (!e)
        return;
    e->type = EVIDENCE_TIME;
    e->time = time;
}

void alert_put_duration(struct alert *alert, const char *name, int64_t duration)
{
    struct alert_evidence *e = evidence(alert, name);
    if (!e)
        return;
    e->type = EVIDENCE_DURATION;
    e->time = duration;
}

void alert_explain(struct alert *alert, const char *format, ...)
{
    char raw[sizeof(alert->explanation)];
    size_t used = strlen(alert->explanation);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(raw, sizeof(raw), format, arguments);
    va_end(arguments);
    char harmless[2 * sizeof(raw)];
    struct text t = text_to(harmless, sizeof(harmless));
    if (used)
        text_char(&t, ' ');
    text_display(&t, bytes_of(raw));
    text_end(&t);
    keep_text(alert->explanation + used, sizeof(alert->explanation) - used, bytes_of(harmless));
}

const struct alert_party *alert_party(const struct alert *alert, enum alert_role role)
{
    for (uint32_t i = 0; i < alert->party_count; i++)
        if (alert->parties[i].role == role)
            return &alert->parties[i];
    return NULL;
}

/* -- JSON -------------------------------------------------------------------------------------------- */

static void json_key(struct text *t, bool *first, const char *key)
{
    if (!*first)
        text_char(t, ',');
    *first = false;
    text_json_string(t, bytes_of(key));
    text_char(t, ':');
}

static void json_string(struct text *t, bool *first, const char *key, const char *value)
{
    json_key(t, first, key);
    text_json_string(t, bytes_of(value));
}

static void json_uint(struct text *t, bool *first, const char *key, uint64_t value)
{
    json_key(t, first, key);
    text_uint(t, value);
}

static void json_time(struct text *t, bool *first, const char *key, int64_t time)
{
    char rfc3339[CLOCK_RFC3339_MAX];
    json_string(t, first, key, clock_rfc3339(time, rfc3339));
}

static void json_number(struct text *t, bool *first, const char *key, double value)
{
    char number[40];
    snprintf(number, sizeof(number), "%.10g", value);
    json_key(t, first, key);
    text_string(t, number);
}

static void json_party(struct text *t, const struct alert_party *p)
{
    char address[IP_ADDRESS_TEXT_MAX], uuid[40], key[33];
    bool first = true;
    text_char(t, '{');
    if (!subject_is_none(p->subject)) {
        snprintf(key, sizeof(key), "%016llx%016llx", (unsigned long long)p->subject.high,
                 (unsigned long long)p->subject.low);
        json_string(t, &first, "key", key);
    }
    json_string(t, &first, "kind", subject_kind_name(p->kind));
    json_string(t, &first, "name", p->name);
    if (p->domain[0])
        json_string(t, &first, "domain", p->domain);
    if (p->address.family)
        json_string(t, &first, "address", ip_address_text(&p->address, address));
    if (p->has_guid) {
        struct text u = text_to(uuid, sizeof(uuid));
        uuid_text(&u, p->guid);
        text_end(&u);
        json_string(t, &first, "guid", uuid);
    }
    if (p->confidence < 100)
        json_uint(t, &first, "confidence", p->confidence);
    text_char(t, '}');
}

/* "source" has the first one, the other roles have lists of all. */
static void json_parties(struct text *t, bool *first, const struct alert *alert)
{
    static const char *const keys[ALERT_ROLES] = {"sources", "accounts", "destinations", "targets",
                                                  "resources"};
    const struct alert_party *source = alert_party(alert, ALERT_SOURCE);
    json_key(t, first, "source");
    if (source)
        json_party(t, source);
    else
        text_string(t, "null");
    for (unsigned role = 0; role < ALERT_ROLES; role++) {
        bool first_party = true;
        json_key(t, first, keys[role]);
        text_char(t, '[');
        for (uint32_t i = 0; i < alert->party_count; i++) {
            if (alert->parties[i].role != role)
                continue;
            if (!first_party)
                text_char(t, ',');
            first_party = false;
            json_party(t, &alert->parties[i]);
        }
        text_char(t, ']');
    }
}

static void json_evidence(struct text *t, const struct alert_evidence *e)
{
    bool first = true;
    text_char(t, '{');
    json_string(t, &first, "name", e->name);
    if (e->type == EVIDENCE_TEXT)
        json_string(t, &first, "value", e->text);
    else if (e->type == EVIDENCE_TIME)
        json_time(t, &first, "value", e->time);
    else if (e->type == EVIDENCE_DURATION)
        json_number(t, &first, "seconds", (double)e->time / (double)CLOCK_SECOND);
    else
        json_number(t, &first, "value", e->number);
    if (e->compared) {
        json_number(t, &first, "limit", e->limit);
        json_string(t, &first, "limit_name", e->limit_name);
    }
    text_char(t, '}');
}

static void json_activities(struct text *t, const struct alert *alert)
{
    text_char(t, '[');
    for (uint32_t i = 0; i < alert->activity_count; i++) {
        bool first = true;
        text_string(t, i ? ",{" : "{");
        json_uint(t, &first, "position", alert->activities[i].place.position);
        json_uint(t, &first, "index", alert->activities[i].place.index);
        json_time(t, &first, "time", alert->activities[i].time);
        text_char(t, '}');
    }
    text_char(t, ']');
}

size_t alert_to_json(const struct alert *alert, char *to, size_t capacity)
{
    char id[33];
    bool first = true;
    struct text hex = text_to(id, sizeof(id)), t = text_to(to, capacity);
    text_hex(&hex, (struct bytes){alert->id, sizeof(alert->id)});
    text_end(&hex);
    text_char(&t, '{');
    json_string(&t, &first, "id", id);
    json_uint(&t, &first, "external_id", alert->external_id);
    json_string(&t, &first, "name", alert->name);
    json_string(&t, &first, "severity", severity_name(alert->severity));
    json_string(&t, &first, "status", alert_status_name(alert->status));
    json_time(&t, &first, "start", alert->start);
    json_time(&t, &first, "end", alert->end);
    json_uint(&t, &first, "count", alert->count);
    json_parties(&t, &first, alert);
    json_key(&t, &first, "evidence");
    text_char(&t, '[');
    for (uint32_t i = 0; i < alert->evidence_count; i++) {
        if (i)
            text_char(&t, ',');
        json_evidence(&t, &alert->evidence[i]);
    }
    text_char(&t, ']');
    json_key(&t, &first, "activities");
    json_activities(&t, alert);
    json_key(&t, &first, "truncated");
    text_string(&t, alert->truncated ? "true" : "false");
    json_string(&t, &first, "explanation", alert->explanation);
    text_char(&t, '}');
    return text_end(&t);
}

/* -- msgpack ------------------------------------------------------------------------------------------ */

static void encode_subject(struct msgpack_writer *w, struct subject subject)
{
    msgpack_put_binary(w, &subject, sizeof(subject));
}

static void encode_address(struct msgpack_writer *w, const struct ip_address *address)
{
    msgpack_put_binary(w, address->bytes, address->family == 6 ? 16 : address->family);
}

static void encode_place(struct msgpack_writer *w, struct activity_place place)
{
    msgpack_put_uint(w, place.position);
    msgpack_put_uint(w, place.index);
}

static void encode_party(struct msgpack_writer *w, const struct alert_party *p)
{
    msgpack_put_array(w, 8);
    msgpack_put_text(w, role_names[p->role]);
    msgpack_put_text(w, subject_kind_name(p->kind));
    encode_subject(w, p->subject);
    msgpack_put_binary(w, p->guid, p->has_guid ? sizeof(p->guid) : 0);
    encode_address(w, &p->address);
    msgpack_put_uint(w, p->confidence);
    msgpack_put_text(w, p->name);
    msgpack_put_text(w, p->domain);
}

static void encode_evidence(struct msgpack_writer *w, const struct alert_evidence *e)
{
    msgpack_put_array(w, e->compared ? 5 : 3);
    msgpack_put_text(w, e->name);
    msgpack_put_text(w, evidence_names[e->type]);
    if (e->type == EVIDENCE_TEXT)
        msgpack_put_text(w, e->text);
    else if (e->type == EVIDENCE_NUMBER)
        msgpack_put_double(w, e->number);
    else
        msgpack_put_int(w, e->time);
    if (e->compared) {
        msgpack_put_double(w, e->limit);
        msgpack_put_text(w, e->limit_name);
    }
}

void alert_encode(struct msgpack_writer *w, const struct alert *alert)
{
    msgpack_put_map(w, 16);
    msgpack_put_text(w, "v");
    msgpack_put_uint(w, 1);
    msgpack_put_text(w, "id");
    msgpack_put_binary(w, alert->id, sizeof(alert->id));
    msgpack_put_text(w, "external_id");
    msgpack_put_uint(w, alert->external_id);
    msgpack_put_text(w, "name");
    msgpack_put_text(w, alert->name);
    msgpack_put_text(w, "severity");
    msgpack_put_text(w, severity_names[alert->severity]);
    msgpack_put_text(w, "status");
    msgpack_put_text(w, status_names[alert->status]);
    msgpack_put_text(w, "key");
    encode_subject(w, alert->key);
    msgpack_put_text(w, "start");
    msgpack_put_int(w, alert->start);
    msgpack_put_text(w, "end");
    msgpack_put_int(w, alert->end);
    msgpack_put_text(w, "count");
    msgpack_put_uint(w, alert->count);
    msgpack_put_text(w, "last");
    msgpack_put_array(w, 2);
    encode_place(w, alert->last);
    msgpack_put_text(w, "truncated");
    msgpack_put_bool(w, alert->truncated);
    msgpack_put_text(w, "parties");
    msgpack_put_array(w, alert->party_count);
    for (uint32_t i = 0; i < alert->party_count; i++)
        encode_party(w, &alert->parties[i]);
    msgpack_put_text(w, "evidence");
    msgpack_put_array(w, alert->evidence_count);
    for (uint32_t i = 0; i < alert->evidence_count; i++)
        encode_evidence(w, &alert->evidence[i]);
    msgpack_put_text(w, "activities");
    msgpack_put_array(w, alert->activity_count);
    for (uint32_t i = 0; i < alert->activity_count; i++) {
        msgpack_put_array(w, 3);
        encode_place(w, alert->activities[i].place);
        msgpack_put_int(w, alert->activities[i].time);
    }
    msgpack_put_text(w, "explanation");
    msgpack_put_text(w, alert->explanation);
}

/* Reading: whatever is not of the type that is wanted fails the cursor. */

static unsigned take_name(struct cursor *c, const char *const *names, unsigned count)
{
    struct msgpack_item item = msgpack_next(c);
    unsigned i = item.type == MSGPACK_STRING ? index_of(names, count, item.bytes) : count;
    if (i == count)
        cursor_fail(c);
    return i == count ? 0 : i;
}

/* 16 bytes, or none. */
static bool take_guid(struct cursor *c, uint8_t to[16])
{
    struct bytes guid = msgpack_take_bytes(c, MSGPACK_BINARY, 16);
    if (guid.size == 16)
        memcpy(to, guid.data, 16);
    else if (guid.size)
        cursor_fail(c);
    return guid.size == 16;
}

static void take_address(struct cursor *c, struct ip_address *to)
{
    struct msgpack_item item = msgpack_next(c);
    if (item.type != MSGPACK_BINARY ||
        (item.bytes.size != 0 && item.bytes.size != 4 && item.bytes.size != 16)) {
        cursor_fail(c);
        return;
    }
    to->family = item.bytes.size == 16 ? 6 : (uint8_t)item.bytes.size;
    if (item.bytes.size)
        memcpy(to->bytes, item.bytes.data, item.bytes.size);
}

static void take_place(struct cursor *c, struct activity_place *to)
{
    to->position = msgpack_take_uint(c, UINT64_MAX);
    to->index = (uint32_t)msgpack_take_uint(c, UINT32_MAX);
}

static enum subject_kind take_subject_kind(struct cursor *c)
{
    const char *names[SUBJECT_KINDS];
    for (unsigned i = 0; i < SUBJECT_KINDS; i++)
        names[i] = subject_kind_name((enum subject_kind)i);
    return (enum subject_kind)take_name(c, names, SUBJECT_KINDS);
}

static void decode_party(struct cursor *c, struct alert_party *p)
{
    msgpack_take_array(c, 8, 8);
    p->role = (enum alert_role)take_name(c, role_names, ALERT_ROLES);
    p->kind = take_subject_kind(c);
    msgpack_take_binary(c, &p->subject, sizeof(p->subject));
    p->has_guid = take_guid(c, p->guid);
    take_address(c, &p->address);
    uint64_t confidence = msgpack_take_uint(c, UINT64_MAX);
    p->confidence = confidence <= 100 ? (uint8_t)confidence : 100;
    msgpack_take_text(c, p->name, sizeof(p->name));
    msgpack_take_text(c, p->domain, sizeof(p->domain));
}

static void decode_evidence(struct cursor *c, struct alert_evidence *e)
{
    uint32_t items = msgpack_take_array(c, 3, 5);
    msgpack_take_text(c, e->name, sizeof(e->name));
    e->type = (enum evidence_type)take_name(c, evidence_names, 4);
    if (e->type == EVIDENCE_TEXT)
        msgpack_take_text(c, e->text, sizeof(e->text));
    else if (e->type == EVIDENCE_NUMBER)
        e->number = msgpack_take_double(c);
    else
        e->time = msgpack_take_int(c);
    e->compared = items == 5;
    if (items == 4)
        cursor_fail(c);
    if (items == 5) {
        e->limit = msgpack_take_double(c);
        msgpack_take_text(c, e->limit_name, sizeof(e->limit_name));
    }
}

static void decode_field(struct cursor *c, struct bytes key, struct alert *to)
{
    static const char *const keys[] = {
        "v",   "id",    "external_id", "name",      "severity", "status",   "key",        "start",
        "end", "count", "last",        "truncated", "parties",  "evidence", "activities", "explanation"};
    switch (index_of(keys, sizeof(keys) / sizeof(*keys), key)) {
    case 0:
        if (msgpack_take_uint(c, 1) != 1)
            cursor_fail(c);
        break;
    case 1:
        msgpack_take_binary(c, to->id, sizeof(to->id));
        break;
    case 2:
        to->external_id = (uint32_t)msgpack_take_uint(c, UINT32_MAX);
        break;
    case 3:
        msgpack_take_text(c, to->name, sizeof(to->name));
        break;
    case 4:
        to->severity = (enum severity)take_name(c, severity_names, SEVERITIES);
        break;
    case 5:
        to->status = (enum alert_status)take_name(c, status_names, ALERT_STATUSES);
        break;
    case 6:
        msgpack_take_binary(c, &to->key, sizeof(to->key));
        break;
    case 7:
        to->start = msgpack_take_int(c);
        break;
    case 8:
        to->end = msgpack_take_int(c);
        break;
    case 9:
        to->count = msgpack_take_uint(c, UINT64_MAX);
        break;
    case 10:
        msgpack_take_array(c, 2, 2);
        take_place(c, &to->last);
        break;
    case 11:
        to->truncated = msgpack_take_bool(c);
        break;
    case 12:
        to->party_count = msgpack_take_array(c, 0, ALERT_PARTIES_MAX);
        for (uint32_t i = 0; i < to->party_count; i++)
            decode_party(c, &to->parties[i]);
        break;
    case 13:
        to->evidence_count = msgpack_take_array(c, 0, ALERT_EVIDENCE_MAX);
        for (uint32_t i = 0; i < to->evidence_count; i++)
            decode_evidence(c, &to->evidence[i]);
        break;
    case 14:
        to->activity_count = msgpack_take_array(c, 0, ALERT_ACTIVITIES_MAX);
        for (uint32_t i = 0; i < to->activity_count; i++) {
            msgpack_take_array(c, 3, 3);
            take_place(c, &to->activities[i].place);
            to->activities[i].time = msgpack_take_int(c);
        }
        break;
    case 15:
        msgpack_take_text(c, to->explanation, sizeof(to->explanation));
        break;
    default:
        msgpack_skip(c);
    }
}

bool alert_decode(struct cursor *c, struct alert *to)
{
    memset(to, 0, sizeof(*to));
    struct msgpack_item map = msgpack_next(c);
    if (map.type != MSGPACK_MAP)
        cursor_fail(c);
    for (uint32_t i = 0; !c->failed && i < map.count; i++) {
        struct msgpack_item key = msgpack_next(c);
        if (key.type != MSGPACK_STRING)
            cursor_fail(c);
        else
            decode_field(c, key.bytes, to);
    }
    return !c->failed && to->external_id != 0;
}
