/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/late_resolution.h"

#include "base/clock.h"
#include "base/hash_table.h"

#include <stdlib.h>
#include <string.h>

/* What of an activity a name stands for. */
struct part {
    const char *name;
    enum activity_field from, to, guid; /* what tells it */
    unsigned wire_count;
    enum activity_field wire[2]; /* the name, as it was on the wire */
};

/* A name is looked for again with the activity that named it: so its domain, its ticket or its connection say
 * again whose it is. */
struct missing {
    uint64_t id;               /* 0: an address */
    const struct part *part;   /* of an activity; of an address: NULL */
    struct ip_address address; /* of that */
    int64_t first, last;       /* times of the activities */
    int64_t noted;             /* monotonic: when the last one left */
    uint8_t *record;           /* the first of the activities; of an address: NULL */
    uint32_t record_size;
};

struct late_resolution {
    struct late_resolution_limits limits;
    struct late_resolution_counters counters;
    struct missing *entries; /* the first `count` */
    uint32_t count;
    struct hash_table *index; /* struct key -> place in them */
    int64_t due;
    struct activity activity;
    struct activity_writer writer, record;
};

struct key {
    uint64_t id;
    uint8_t family, bytes[16], zero[7];
};

void late_resolution_limits_init(struct late_resolution_limits *limits)
{
    *limits = (struct late_resolution_limits){
        .entries_max = 1024,
        .record_max = 4096,
        .addresses_kept = CLOCK_MINUTE,
        .names_kept = 10 * CLOCK_MINUTE,
        .every = CLOCK_SECOND,
    };
}

struct late_resolution *late_resolution_new(const struct late_resolution_limits *limits, uint64_t seed)
{
    if (limits->entries_max == 0 || limits->record_max == 0)
        return NULL;
    struct late_resolution *late = calloc(1, sizeof(*late));
    if (!late)
        return NULL;
    late->limits = *limits;
    late->entries = calloc(limits->entries_max, sizeof(*late->entries));
    late->index = hash_table_new(limits->entries_max, sizeof(struct key), sizeof(uint32_t), seed);
    if (!late->entries || !late->index)
        late_resolution_destroy(&late);
    return late;
}

void late_resolution_destroy(struct late_resolution **late_p)
{
    struct late_resolution *late = *late_p;
    if (!late)
        return;
    for (uint32_t i = 0; i < late->count; i++)
        free(late->entries[i].record);
    if (late->index)
        hash_table_destroy(&late->index);
    free(late->entries);
    free(late);
    *late_p = NULL;
}

/* Names, and the fields that tell them, from and to; base/activities/resolution.def. */
static const struct part parts[] = {
    {"account",
     FIELD_ACCOUNT_NAME,
     FIELD_ACCOUNT_HOW,
     FIELD_ACCOUNT_GUID,
     2,
     {FIELD_ACCOUNT, FIELD_ACCOUNT_DOMAIN}},
    {"service",
     FIELD_SERVICE_OWNER,
     FIELD_SERVICE_OWNER_SID,
     FIELD_SERVICE_OWNER_GUID,
     2,
     {FIELD_SERVICE, FIELD_SERVICE_REALM}},
    {"target", FIELD_TARGET_NAME, FIELD_TARGET_COUNT, FIELD_TARGET_GUID, 0, {0}},
    {"group", FIELD_GROUP_NAME, FIELD_GROUP_SID, FIELD_GROUP_GUID, 0, {0}},
    /* of an event, which names it */
    {"destination",
     FIELD_DESTINATION_COMPUTER,
     FIELD_DESTINATION_HOW,
     FIELD_DESTINATION_COMPUTER_GUID,
     0,
     {0}},
};

static const struct part *part_named(const char *name)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (strcmp(parts[i].name, name) == 0)
            return &parts[i];
    return NULL;
}

/* --- what is missing --- */

static struct key key_of(uint64_t id, const struct ip_address *address)
{
    struct key key = {.id = id};
    if (id == 0) {
        key.family = address->family;
        memcpy(key.bytes, address->bytes, address->family == 4 ? 4 : 16);
    }
    return key;
}

static void drop(struct late_resolution *late, uint32_t at)
{
    struct missing *entry = &late->entries[at];
    struct key key = key_of(entry->id, &entry->address);
    hash_table_remove(late->index, &key);
    free(entry->record);
    if (at != --late->count) { /* the last takes its place */
        *entry = late->entries[late->count];
        key = key_of(entry->id, &entry->address);
        uint32_t *place = hash_table_find(late->index, &key);
        *place = at;
    }
}

static void make_room(struct late_resolution *late)
{
    uint32_t oldest = 0;
    if (late->count < late->limits.entries_max)
        return;
    for (uint32_t i = 1; i < late->count; i++)
        if (late->entries[i].noted < late->entries[oldest].noted)
            oldest = i;
    late->counters.evicted++;
    drop(late, oldest);
}

static struct missing *add(struct late_resolution *late, const struct key *key, struct bytes record)
{
    uint8_t *copy = NULL;
    if (key->id) {
        if (record.size > late->limits.record_max) {
            late->counters.too_large++;
            return NULL;
        }
        copy = malloc(record.size);
        if (!copy)
            return NULL;
        memcpy(copy, record.data, record.size);
    }
    make_room(late);
    uint32_t *place = hash_table_insert(late->index, key, NULL);
    *place = late->count;
    late->counters.noted++;
    struct missing *entry = &late->entries[late->count++];
    *entry = (struct missing){.id = key->id, .record = copy, .record_size = (uint32_t)record.size};
    return entry;
}

static struct missing *note(struct late_resolution *late, struct key key, struct bytes record, int64_t time,
                            int64_t now)
{
    const uint32_t *place = hash_table_find(late->index, &key);
    struct missing *entry = place ? &late->entries[*place] : add(late, &key, record);
    if (!entry)
        return NULL;
    entry->first = !place || time < entry->first ? time : entry->first;
    entry->last = !place || time > entry->last ? time : entry->last;
    entry->noted = now;
    return entry;
}

static void note_end(struct late_resolution *late, const struct activity *activity, enum activity_field field,
                     int64_t now)
{
    const struct activity_value *value = activity_get(activity, field);
    struct ip_address address = {0};
    if (!value || (value->bytes.size != 4 && value->bytes.size != 16))
        return;
    address.family = value->bytes.size == 4 ? 4 : 6;
    memcpy(address.bytes, value->bytes.data, value->bytes.size);
    struct missing *entry = note(late, key_of(0, &address), (struct bytes){0}, activity->time, now);
    if (entry)
        entry->address = address;
}

void late_resolution_note(struct late_resolution *late, struct bytes record, const struct activity *activity,
                          const struct resolver_left *left, int64_t now)
{
    if (left->ends & RESOLVER_SOURCE_END)
        note_end(late, activity, FIELD_SOURCE, now);
    if (left->ends & RESOLVER_DESTINATION_END)
        note_end(late, activity, FIELD_DESTINATION, now);
    for (unsigned i = 0; i < left->count; i++) {
        const struct part *part = part_named(left->parts[i]);
        struct missing *entry = NULL;
        if (left->ids[i] && part)
            entry = note(late, key_of(left->ids[i], NULL), record, activity->time, now);
        if (entry)
            entry->part = part;
    }
}

/* --- what is told --- */

static void begin(struct late_resolution *late, const char *what, const struct missing *entry, int64_t from,
                  int64_t wall)
{
    struct activity_writer *w = &late->record;
    activity_begin(w, ACTIVITY_RESOLUTION, wall);
    activity_put_text(w, FIELD_COMPLETES, what);
    if (entry->id)
        activity_put_uint(w, FIELD_COMPLETED_ID, entry->id);
    activity_put_time(w, FIELD_VALID_FROM, from);
    activity_put_time(w, FIELD_VALID_TO, entry->last);
}

/* True: told, or there is nobody in particular any more. */
static bool tell_address(struct late_resolution *late, struct resolver *resolver, const struct missing *entry,
                         int64_t now, int64_t wall, struct bytes *record)
{
    struct resolver_binding binding;
    *record = (struct bytes){0};
    if (!resolver_binding(resolver, &entry->address, entry->last, &binding))
        return false;
    if (binding.shared)
        return true;
    if (!binding.host[0])
        return false;
    /* Times are those of a capture, which may be anything. */
    int64_t kept = late->limits.addresses_kept, from = entry->first;
    if (entry->last > INT64_MIN + kept && entry->last - kept > from)
        from = entry->last - kept;
    begin(late, "computer", entry, from > binding.begins ? from : binding.begins, wall);
    activity_put_address(&late->record, FIELD_SOURCE, &entry->address);
    struct bytes bare = activity_finish(&late->record);
    struct cursor c = cursor_of_bytes(bare);
    if (!activity_decode(&c, &late->activity) || !activity_extend(&late->writer, bare, &late->activity))
        return false;
    late->activity.time = entry->last; /* who was there then */
    resolver_complete_again(resolver, &late->activity, &late->writer, now);
    if (!activity_has(&late->writer, FIELD_SOURCE_COMPUTER_GUID))
        return false;
    *record = activity_finish(&late->writer);
    return true;
}

static void put_value(struct activity_writer *w, const struct activity_value *value)
{
    switch (activity_field_info(value->field)->type) {
    case TYPE_UINT:
        activity_put_uint(w, value->field, value->uint);
        break;
    case TYPE_BOOL:
        activity_put_bool(w, value->field, value->boolean);
        break;
    case TYPE_STRING:
        activity_put_string(w, value->field, value->bytes.data, value->bytes.size);
        break;
    case TYPE_UUID:
        activity_put_uuid(w, value->field, value->bytes.data);
        break;
    case TYPE_SID:
        activity_put_sid(w, value->field, value->bytes.data, value->bytes.size);
        break;
    default:
        break; /* no field of a part has another type */
    }
}

static bool tell_name(struct late_resolution *late, struct resolver *resolver, const struct missing *entry,
                      int64_t now, int64_t wall, struct bytes *record)
{
    const struct part *part = entry->part;
    struct bytes bytes = {entry->record, entry->record_size};
    struct cursor c = cursor_of_bytes(bytes);
    *record = (struct bytes){0};
    if (!activity_decode(&c, &late->activity) || !activity_extend(&late->writer, bytes, &late->activity))
        return true; /* it was decoded once: this cannot be */
    resolver_complete_again(resolver, &late->activity, &late->writer, now);
    if (!activity_has(&late->writer, part->guid))
        return false;
    c = cursor_of_bytes(activity_finish(&late->writer));
    if (!activity_decode(&c, &late->activity))
        return true;
    begin(late, part->name, entry, entry->first, wall);
    for (unsigned i = 0; i < part->wire_count; i++) {
        const struct activity_value *value = activity_get(&late->activity, part->wire[i]);
        if (value)
            put_value(&late->record, value);
    }
    for (uint32_t i = 0; i < late->activity.count; i++) {
        const struct activity_value *value = &late->activity.values[i];
        if (value->field >= part->from && value->field <= part->to)
            put_value(&late->record, value);
    }
    *record = activity_finish(&late->record);
    return true;
}

void late_resolution_try(struct late_resolution *late, struct resolver *resolver, int64_t now, int64_t wall,
                         void (*record)(void *context, struct bytes record), void *context)
{
    if (now < late->due)
        return;
    late->due = now < INT64_MAX - late->limits.every ? now + late->limits.every : INT64_MAX;
    for (uint32_t i = 0; i < late->count;) {
        const struct missing *entry = &late->entries[i];
        struct bytes told;
        bool done = entry->id ? tell_name(late, resolver, entry, now, wall, &told)
                              : tell_address(late, resolver, entry, now, wall, &told);
        if (done && told.size > 0) {
            late->counters.completed++;
            record(context, told);
        }
        int64_t kept = entry->id ? late->limits.names_kept : late->limits.addresses_kept;
        bool over = now - entry->noted >= kept;
        late->counters.given_up += !(done && told.size > 0) && (done || over);
        if (done || over)
            drop(late, i);
        else
            i++;
    }
}

void late_resolution_counters(const struct late_resolution *late, struct late_resolution_counters *counters)
{
    *counters = late->counters;
    counters->waiting = late->count;
}
