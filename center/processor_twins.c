/* SPDX-License-Identifier: Apache-2.0
 *
 * What was told before: by another sensor that saw the same packets, by the same event log in another way, or
 * by the wire itself before the event of it came.
 */
#define XXH_INLINE_ALL
#include "center/processor_internal.h"

#include <xxhash.h>

#define NODES_KEPT 3u

/* How often each sensor told exactly this lately. What the most eager one told is what happened. */
struct seen {
    uint64_t nodes[NODES_KEPT];
    uint32_t counts[NODES_KEPT];
    uint32_t most;
};

struct event {
    int64_t first;
};

/* Logons of one account from one address in one way. */
struct logons {
    uint32_t wire, events; /* lately, and those of them that are spoken for */
    uint16_t early;        /* events that came before what the wire tells of them */
    uint16_t has_status;
    uint32_t early_at; /* seconds since 1970, of the last of them */
    uint64_t status;   /* of the last one on the wire */
};

_Static_assert(sizeof(struct seen) == 40 && sizeof(struct event) == 8 && sizeof(struct logons) == 24,
               "as processor.c has it");

/* --- the same packets, seen by two --- */

/* What depends on who looked, or when; the rest stands in the packets. */
static bool is_observers(enum activity_field field)
{
    return field == FIELD_VERSION || field == FIELD_TIME || field == FIELD_DURATION || field == FIELD_FLOW ||
           field == FIELD_TRUNCATED || field == FIELD_EVENT_SOURCE || activity_field_is_resolved(field);
}

static uint64_t hash_of(uint64_t seed, const void *data, size_t size)
{
    return XXH3_64bits_withSeed(data, size, seed);
}

static uint64_t hash_value(uint64_t seed, const struct activity_value *v)
{
    enum activity_type type = activity_field_info(v->field)->type;
    seed += (uint64_t)v->field * UINT64_C(0x9e3779b97f4a7c15);
    if (activity_type_is_list(type))
        return hash_of(seed, v->list.items.at, cursor_left(&v->list.items));
    switch (type) {
    case TYPE_UINT:
    case TYPE_ID:
    case TYPE_DURATION:
        return hash_of(seed, &v->uint, sizeof(v->uint));
    case TYPE_INT:
    case TYPE_TIME:
        return hash_of(seed, &v->sint, sizeof(v->sint));
    case TYPE_BOOL:
        return hash_of(seed, &v->boolean, sizeof(v->boolean));
    default:
        return hash_of(seed, v->bytes.data, v->bytes.size);
    }
}

/* Fields in any order. */
static uint64_t hash_content(const struct processor *self, const struct activity *a)
{
    uint64_t sum = (uint64_t)a->kind;
    for (uint32_t i = 0; i < a->count; i++)
        if (!is_observers(a->values[i].field))
            sum += hash_value(self->seed.value, &a->values[i]);
    return sum;
}

static uint64_t hash_fields(const struct processor *self, const struct activity *a,
                            const enum activity_field *fields, size_t count)
{
    uint64_t sum = (uint64_t)a->kind;
    for (size_t i = 0; i < count; i++) {
        const struct activity_value *v = activity_get(a, fields[i]);
        if (v)
            sum += hash_value(self->seed.value, v);
    }
    return sum;
}

/* By what two sensors can agree: of a ticket that was issued its fingerprint, for addresses may be translated
 * between them. */
static uint64_t identity(const struct processor *self, const struct activity *a)
{
    static const enum activity_field of_ticket[] = {FIELD_ISSUED_TICKET_FINGERPRINT, FIELD_KERBEROS_NONCE};
    if ((a->kind == ACTIVITY_KERBEROS_AS || a->kind == ACTIVITY_KERBEROS_TGS) &&
        activity_get(a, FIELD_ISSUED_TICKET_FINGERPRINT))
        return hash_fields(self, a, of_ticket, sizeof(of_ticket) / sizeof(of_ticket[0]));
    return hash_content(self, a);
}

static uint32_t *count_of(struct seen *seen, uint64_t node)
{
    unsigned least = 0;
    for (unsigned i = 0; i < NODES_KEPT; i++) {
        if (seen->nodes[i] == node)
            return &seen->counts[i];
        if (seen->nodes[i] == 0) {
            seen->nodes[i] = node;
            return &seen->counts[i];
        }
        if (seen->counts[i] < seen->counts[least])
            least = i;
    }
    seen->nodes[least] = node;
    seen->counts[least] = 0;
    return &seen->counts[least];
}

/* Each sensor's n-th is the same as any other's n-th. */
static bool another_told(struct processor *self, const struct activity *a, uint64_t node)
{
    struct seen *seen = state_table_use(self->tables[TABLE_SEEN],
                                        subject_of_number(self->seed, identity(self, a)), a->time, NULL);
    if (!seen)
        return false;
    uint32_t *count = count_of(seen, node);
    *count += *count < UINT32_MAX;
    bool is_new = *count > seen->most;
    if (is_new)
        seen->most = *count;
    return !is_new;
}

static void note_node(struct processor *self, uint64_t node, int64_t now)
{
    struct state_table_status status;
    if (node == self->known_node)
        return;
    state_table_use(self->tables[TABLE_NODES], subject_of_number(self->seed, node), now, NULL);
    state_table_status(self->tables[TABLE_NODES], &status);
    self->several_nodes = status.count > 1;
    self->known_node = node;
}

/* --- the same event by two ways --- */

static bool is_same_event(struct processor *self, const struct activity *a)
{
    static const enum activity_field fields[] = {FIELD_EVENT_COMPUTER, FIELD_EVENT_CHANNEL,
                                                 FIELD_EVENT_RECORD, FIELD_EVENT_ID};
    bool added = true;
    struct subject key =
        subject_of_number(self->seed, hash_fields(self, a, fields, sizeof(fields) / sizeof(fields[0])));
    struct event *event = state_table_use(self->tables[TABLE_EVENTS], key, a->time, &added);
    if (event && added)
        event->first = a->time;
    /* A log that was cleared counts from one again. Agents tell whole seconds. */
    return event && !added && a->time - event->first < 2 * CLOCK_SECOND &&
           event->first - a->time < 2 * CLOCK_SECOND;
}

/* An accounting server's record is sent again until it is acknowledged, and to several servers. */
static bool is_same_accounting(struct processor *self, const struct activity *a)
{
    static const enum activity_field fields[] = {
        FIELD_RADIUS_SESSION, FIELD_RADIUS_STATUS, FIELD_ACCOUNT,      FIELD_NAS_ADDRESS,
        FIELD_NAS_NAME,       FIELD_SESSION_TIME,  FIELD_INPUT_OCTETS, FIELD_OUTPUT_OCTETS};
    bool added = true;
    struct subject key =
        subject_of_number(self->seed, hash_fields(self, a, fields, sizeof(fields) / sizeof(fields[0])));
    struct event *event = state_table_use(self->tables[TABLE_EVENTS], key, a->time, &added);
    if (event && added)
        event->first = a->time;
    return event && !added && a->time - event->first < 5 * CLOCK_MINUTE;
}

bool processor_is_repeated(struct processor *self, const struct activity *a, const uint8_t node[16])
{
    uint64_t id = XXH3_64bits_withSeed(node, 16, self->seed.value) | 1;
    note_node(self, id, a->time);
    if (activity_get(a, FIELD_EVENT_RECORD))
        return is_same_event(self, a);
    if (a->kind == ACTIVITY_RADIUS_ACCOUNTING && activity_get(a, FIELD_RADIUS_SESSION))
        return is_same_accounting(self, a);
    return self->several_nodes && another_told(self, a, id);
}

/* --- a logon on the wire, and the event of it --- */

enum way { WAY_NONE, WAY_AS, WAY_TGS, WAY_NTLM, WAY_LOGON };

#define KDC_ERR_PREAUTH_REQUIRED 25
#define STATUS_WRONG_PASSWORD    UINT64_C(0xc000006a)
#define STATUS_LOGON_FAILURE     UINT64_C(0xc000006d)

static enum way way_of_wire(const struct observation *o)
{
    switch (o->kind) {
    case ACTIVITY_KERBEROS_AS:
        /* No controller logs that it asked for pre-authentication. */
        return observation_uint(o, FIELD_STATUS, 0) == KDC_ERR_PREAUTH_REQUIRED ? WAY_NONE : WAY_AS;
    case ACTIVITY_KERBEROS_TGS:
        return WAY_TGS;
    case ACTIVITY_NTLM_AUTHENTICATE:
        return WAY_NTLM;
    default:
        return WAY_NONE;
    }
}

static enum way way_of_event(const struct observation *o)
{
    switch (o->kind) {
    case ACTIVITY_WINDOWS_KERBEROS_AS:
        return WAY_AS;
    case ACTIVITY_WINDOWS_KERBEROS_TGS:
        return WAY_TGS;
    case ACTIVITY_NTLM_VALIDATION:
        return WAY_NTLM;
    case ACTIVITY_WINDOWS_LOGON:
        return WAY_LOGON;
    default:
        return WAY_NONE;
    }
}

/* 4776 tells no address, so of NTLM the account alone counts. */
static struct subject logon_key(const struct processor *self, const struct observation *o, enum way way)
{
    struct subject where = {0};
    if (way != WAY_NTLM)
        where = o->origin;
    return subject_of_pair(self->seed, subject_of_number(self->seed, (uint64_t)way),
                           subject_of_pair(self->seed, o->account.subject, where));
}

#define EARLY_BY 10 /* seconds that an event's time may be off from the wire's */

/* An event that came first is of the same time: what is not is another logon's, which the wire never showed.
 */
static bool early_event_told(struct logons *logons, int64_t time)
{
    int64_t off = time / CLOCK_SECOND - logons->early_at;
    if (logons->early == 0 || off > EARLY_BY || off < -EARLY_BY)
        return false;
    logons->early--;
    return true;
}

/* Whether an event told it before. */
static bool note_wire(struct processor *self, const struct observation *o, enum way way)
{
    struct logons *logons =
        state_table_use(self->tables[TABLE_LOGONS], logon_key(self, o, way), o->time, NULL);
    if (!logons || logons->wire == UINT32_MAX)
        return false;
    if (early_event_told(logons, o->time))
        return true;
    logons->wire++;
    logons->has_status =
        observation_has(o, FIELD_STATUS) || observation_has(o, FIELD_ISSUED_TICKET_FINGERPRINT);
    logons->status = observation_uint(o, FIELD_STATUS, 0);
    return false;
}

/* What the event tells beyond the wire: an outcome where the wire showed none, or why it failed where the
 * wire told only that it did. */
static bool says_more(const struct logons *logons, const struct observation *o)
{
    uint64_t status = observation_uint(o, FIELD_STATUS, 0);
    if (!logons->has_status)
        return true;
    if (status == logons->status || (status == STATUS_WRONG_PASSWORD && logons->status != 0))
        return false;
    return logons->status == STATUS_LOGON_FAILURE || (status == 0) != (logons->status == 0);
}

/* All that the wire told is spoken for: it may tell this one yet. */
static bool event_is_early(struct logons *logons, int64_t time)
{
    const uint32_t at = (uint32_t)(time / CLOCK_SECOND);
    if (logons->events < logons->wire)
        return false;
    if (at > logons->early_at + EARLY_BY)
        logons->early = 0;
    if (logons->early < UINT16_MAX)
        logons->early++;
    logons->early_at = at;
    return true;
}

bool processor_is_wire_twin(struct processor *self, struct observation *o)
{
    enum way way = way_of_wire(o);
    if (!party_is(&o->account))
        return false;
    if (way != WAY_NONE) {
        o->told = note_wire(self, o, way);
        if (way == WAY_NTLM)
            note_wire(self, o, WAY_LOGON);
        return false;
    }
    way = way_of_event(o);
    struct logons *logons =
        way == WAY_NONE ? NULL
                        : state_table_use(self->tables[TABLE_LOGONS], logon_key(self, o, way), o->time, NULL);
    if (!logons || event_is_early(logons, o->time))
        return false;
    logons->events++;
    o->told = logons->has_status && (logons->status == 0) == (observation_uint(o, FIELD_STATUS, 0) == 0);
    return way != WAY_LOGON && !says_more(logons, o);
}
