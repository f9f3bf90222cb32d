/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of kinds and fields, made of base/activities/NAME.def, and their look-up by name.
 */
#include "base/activity.h"

#include <pthread.h>

/* The brackets say the index: a name declared twice is a compile-time fault already. */
static const struct activity_kind_info kinds[ACTIVITY_KINDS] = {
    [ACTIVITY_NONE] = {.name = "", .source = "", .doc = ""},
#define KIND(id, kind_name, kind_source, kind_doc)                                                           \
    [ACTIVITY_##id] = {.name = kind_name, .source = kind_source, .doc = kind_doc},
#define FIELD(id, name, type, unit, doc)
#define USES(kind, field, source)
#include "base/activities/all.def"
#undef KIND
#undef FIELD
#undef USES
};

static const struct activity_field_info fields[ACTIVITY_FIELDS] = {
#define KIND(id, name, source, doc)
#define FIELD(id, field_name, field_type, field_unit, field_doc)                                             \
    [FIELD_##id] = {.name = field_name, .type = TYPE_##field_type, .unit = field_unit, .doc = field_doc},
#define USES(kind, field, source)
#include "base/activities/all.def"
#undef KIND
#undef FIELD
#undef USES
};

struct use {
    enum activity_kind kind;
    enum activity_field field;
    const char *source;
};

static const struct use uses[] = {
#define KIND(id, name, source, doc)
#define FIELD(id, name, type, unit, doc)
#define USES(use_kind, use_field, use_source)                                                                \
    {.kind = ACTIVITY_##use_kind, .field = FIELD_##use_field, .source = use_source},
#include "base/activities/all.def"
#undef KIND
#undef FIELD
#undef USES
    {.kind = ACTIVITY_NONE}, /* the end */
};

/* A field that is given to a kind twice is a compile-time fault. */
static const bool allowed[ACTIVITY_KINDS][ACTIVITY_FIELDS] = {
#define KIND(id, name, source, doc)
#define FIELD(id, name, type, unit, doc)
#define USES(kind, field, source) [ACTIVITY_##kind][FIELD_##field] = true,
#include "base/activities/all.def"
#undef KIND
#undef FIELD
#undef USES
};

const struct activity_kind_info *activity_kind_info(enum activity_kind kind)
{
    return &kinds[(unsigned)kind < ACTIVITY_KINDS ? kind : ACTIVITY_NONE];
}

const struct activity_field_info *activity_field_info(enum activity_field field)
{
    static const struct activity_field_info none = {.name = "", .unit = "", .doc = ""};
    return (unsigned)field < ACTIVITY_FIELDS ? &fields[field] : &none;
}

const char *activity_type_name(enum activity_type type)
{
    static const char *const names[] = {
        [TYPE_UINT] = "uint",
        [TYPE_INT] = "int",
        [TYPE_BOOL] = "bool",
        [TYPE_STRING] = "string",
        [TYPE_BYTES] = "bytes",
        [TYPE_TIME] = "time",
        [TYPE_DURATION] = "duration",
        [TYPE_ADDRESS] = "address",
        [TYPE_UUID] = "uuid",
        [TYPE_SID] = "sid",
        [TYPE_ID] = "id",
        [TYPE_UINT_LIST] = "list of uint",
        [TYPE_INT_LIST] = "list of int",
        [TYPE_STRING_LIST] = "list of string",
        [TYPE_ADDRESS_LIST] = "list of address",
        [TYPE_ID_LIST] = "list of id",
        [TYPE_SID_LIST] = "list of sid",
    };
    return (size_t)type < sizeof names / sizeof names[0] ? names[type] : "";
}

bool activity_field_is_common(enum activity_field field)
{
    return (unsigned)field <= FIELD_UNSEALED || activity_field_is_resolved(field);
}

bool activity_field_is_resolved(enum activity_field field)
{
    return (unsigned)field >= FIELD_SOURCE_COMPUTER && (unsigned)field <= FIELD_UNRESOLVED_IDS;
}

bool activity_allows(enum activity_kind kind, enum activity_field field)
{
    if (kind == ACTIVITY_NONE || (unsigned)kind >= ACTIVITY_KINDS || (unsigned)field >= ACTIVITY_FIELDS)
        return false;
    return activity_field_is_common(field) || allowed[kind][field];
}

const char *activity_uses(enum activity_kind kind, enum activity_field field)
{
    if (!activity_allows(kind, field))
        return NULL;
    if (activity_field_is_common(field))
        return "";
    for (const struct use *use = uses; use->kind != ACTIVITY_NONE; use++) {
        if (use->kind == kind && use->field == field)
            return use->source;
    }
    return NULL;
}

/* -- by name ------------------------------------------------------------------------------------- */

/* Open addressing; made once, at the first look-up, and only read afterwards. */
enum {
    SLOTS = 2048, /* a power of two, well above what is put in */
};
_Static_assert(ACTIVITY_KINDS < SLOTS / 2 && ACTIVITY_FIELDS < SLOTS / 2, "raise SLOTS");

/* Both ends of a name, eight bytes each: of up to 16 bytes that is all of it. */
struct ends {
    uint64_t head, tail;
};

struct slot {
    struct ends ends;
    uint16_t number; /* + 1; 0: free */
    uint16_t size;   /* of the name */
};

struct index {
    struct slot slots[SLOTS];
};

static struct index kind_index;
static struct index field_index;
/* By number: as in the index. */
static struct slot field_names[ACTIVITY_FIELDS];
static pthread_once_t indexed = PTHREAD_ONCE_INIT;

static const char *name_of(const struct index *index, unsigned number)
{
    return index == &kind_index ? kinds[number].name : fields[number].name;
}

static uint64_t load(const char *from, size_t size)
{
    uint64_t value = 0;
    memcpy(&value, from, size);
    return value;
}

static inline struct ends ends_of(const char *name, size_t size)
{
    if (size >= 8)
        return (struct ends){load(name, 8), load(name + size - 8, 8)};
    if (size >= 4)
        return (struct ends){load(name, 4), load(name + size - 4, 4)};
    if (size == 0)
        return (struct ends){0};
    return (struct ends){(uint64_t)(uint8_t)name[0] << 8 | (uint8_t)name[size / 2], (uint8_t)name[size - 1]};
}

/* On the path of every field that is read. Names are ours and the table is at most half full: nobody gains by
 * choosing collisions. */
static unsigned first_slot(struct ends ends, size_t size)
{
    uint64_t hash =
        (ends.head ^ size) * UINT64_C(0x9e3779b97f4a7c15) ^ ends.tail * UINT64_C(0xc2b2ae3d27d4eb4f);
    return (unsigned)((hash ^ hash >> 32) >> 8) % SLOTS;
}

static void index_add(struct index *index, unsigned number)
{
    const char *name = name_of(index, number);
    size_t size = strlen(name);
    const struct ends ends = ends_of(name, size);
    unsigned slot = first_slot(ends, size);
    while (index->slots[slot].number)
        slot = (slot + 1) % SLOTS;
    index->slots[slot] = (struct slot){ends, (uint16_t)(number + 1), (uint16_t)size};
}

static void make_indexes(void)
{
    for (unsigned kind = 1; kind < ACTIVITY_KINDS; kind++)
        index_add(&kind_index, kind);
    for (unsigned field = 0; field < ACTIVITY_FIELDS; field++) {
        const size_t size = strlen(fields[field].name);
        index_add(&field_index, field);
        field_names[field] =
            (struct slot){ends_of(fields[field].name, size), (uint16_t)(field + 1), (uint16_t)size};
    }
}

static inline bool is_named(const struct index *index, const struct slot *slot, struct ends ends,
                            const char *name, size_t size)
{
    return slot->size == size && slot->ends.head == ends.head && slot->ends.tail == ends.tail &&
           (size <= 16 || memcmp(name_of(index, slot->number - 1u), name, size) == 0);
}

static unsigned index_find(const struct index *index, const char *name, size_t size, unsigned none)
{
    pthread_once(&indexed, make_indexes);
    const struct ends ends = ends_of(name, size);
    for (unsigned at = first_slot(ends, size); index->slots[at].number; at = (at + 1) % SLOTS) {
        const struct slot *slot = &index->slots[at];
        if (is_named(index, slot, ends, name, size))
            return slot->number - 1u;
    }
    return none;
}

enum activity_kind activity_kind_by_name(const char *name, size_t size)
{
    return (enum activity_kind)index_find(&kind_index, name, size, ACTIVITY_NONE);
}

enum activity_field activity_field_by_name(const char *name, size_t size)
{
    return (enum activity_field)index_find(&field_index, name, size, ACTIVITY_FIELDS);
}

enum activity_field activity_field_after(enum activity_field before, const char *name, size_t size)
{
    /* What followed last: records of a kind have their fields in one order. Of another one it is only slower.
     */
    static _Thread_local uint16_t followed[ACTIVITY_FIELDS + 1];
    uint16_t *guess = &followed[before];
    const struct ends ends = ends_of(name, size);
    const struct slot *guessed = &field_names[*guess]; /* without a number before the first look-up */
    if (!guessed->number || !is_named(&field_index, guessed, ends, name, size))
        *guess = (uint16_t)activity_field_by_name(name, size);
    const unsigned found = *guess;
    if (found == ACTIVITY_FIELDS)
        *guess = 0;
    return (enum activity_field)found;
}
