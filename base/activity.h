/* SPDX-License-Identifier: Apache-2.0
 *
 * The network activity: one logical thing that happened on the wire (DESIGN section 5).
 *
 * Kinds and fields are declared once, in base/activities/NAME.def; the enums, the codec, the JSON rendering
 * and docs/activities.md all come from there. A record is a msgpack map {"v": 1, "kind": name, "time": ns,
 * field: value, ...}; a reader skips the fields it does not know.
 *
 * A record is written straight into its msgpack form (`struct activity_writer`), once, with no copy of the
 * values in between; whoever consumes records decodes them into `struct activity`, a view into the bytes.
 */
#pragma once

#include "base/address.h"
#include "base/cursor.h"

#define ACTIVITY_VERSION    1
#define ACTIVITY_BYTES_MAX  32768 /* one encoded record */
#define ACTIVITY_STRING_MAX 4096  /* one string: cut there, and the record says `truncated` */
#define ACTIVITY_LIST_MAX   256   /* items of one list: cut there, likewise */
#define ACTIVITY_FIELDS_MAX 208   /* fields in one record */

enum activity_kind {
    ACTIVITY_NONE = 0,
#define KIND(id, name, source, doc) ACTIVITY_##id,
#define FIELD(id, name, type, unit, doc)
#define USES(kind, field, source)
#include "base/activities/all.def"
#undef KIND
#undef FIELD
#undef USES
    ACTIVITY_KINDS
};

enum activity_field {
#define KIND(id, name, source, doc)
#define FIELD(id, name, type, unit, doc) FIELD_##id,
#define USES(kind, field, source)
#include "base/activities/all.def"
#undef KIND
#undef FIELD
#undef USES
    ACTIVITY_FIELDS
};

/* How a field's value is kept in msgpack and shown in JSON. */
enum activity_type {
    TYPE_UINT,         /* unsigned integer */
    TYPE_INT,          /* signed integer */
    TYPE_BOOL,         /* boolean */
    TYPE_STRING,       /* str, UTF-8 (bytes that were not are U+FFFD) */
    TYPE_BYTES,        /* bin; JSON: lower-case hexadecimal */
    TYPE_TIME,         /* int, nanoseconds since 1970 UTC; JSON: RFC 3339 with nine decimals */
    TYPE_DURATION,     /* uint, nanoseconds */
    TYPE_ADDRESS,      /* bin of 4 or 16; JSON: text */
    TYPE_UUID,         /* bin of 16 in the wire's (mixed-endian, [MS-DTYP] 2.3.4.2) order; JSON: text */
    TYPE_ID,           /* uint that is only ever compared; JSON: hexadecimal text, as many readers of JSON
                          would lose the last bits of a number */
    TYPE_SID,          /* bin, [MS-DTYP] 2.4.2.2; JSON: S-1-... */
    TYPE_UINT_LIST,    /* array of uint */
    TYPE_INT_LIST,     /* array of int */
    TYPE_STRING_LIST,  /* array of str */
    TYPE_ADDRESS_LIST, /* array of bin */
    TYPE_ID_LIST,      /* array of uint */
    TYPE_SID_LIST,     /* array of bin */
};

struct activity_field_info {
    const char *name;
    enum activity_type type;
    const char *unit;
    const char *doc;
};

struct activity_kind_info {
    const char *name;
    const char *source; /* the clause of the RFC or [MS-*] that defines it */
    const char *doc;
};

const struct activity_kind_info *activity_kind_info(enum activity_kind kind);
const struct activity_field_info *activity_field_info(enum activity_field field);
const char *activity_type_name(enum activity_type type);
/* The source clause of a field in a kind; NULL when the kind does not have that field. */
const char *activity_uses(enum activity_kind kind, enum activity_field field);
/* Fields that every kind has: those of the head and the flow, and those that the resolver adds. */
bool activity_field_is_common(enum activity_field field);
bool activity_field_is_resolved(enum activity_field field);
/* Whether a kind has a field. */
bool activity_allows(enum activity_kind kind, enum activity_field field);
/* By name; ACTIVITY_NONE or ACTIVITY_FIELDS when there is none. */
enum activity_kind activity_kind_by_name(const char *name, size_t size);
enum activity_field activity_field_by_name(const char *name, size_t size);
/* Likewise, a little faster where it follows that field (ACTIVITY_FIELDS: it is the first) as it did the last
 * time on this thread. */
enum activity_field activity_field_after(enum activity_field before, const char *name, size_t size);

/* -- writing ------------------------------------------------------------------------------------- */

struct activity_writer {
    enum activity_kind kind;
    uint32_t fields;  /* put so far, the three of the head included */
    uint32_t size;    /* bytes used */
    uint32_t list_at; /* where the open list's header stands; 0: no list is open */
    uint32_t list_items;
    bool truncated;  /* something was cut; activity_finish says so in the record */
    uint64_t client; /* capture's: whose name is to be put when it is known; 0: nobody's */
    uint64_t present[(ACTIVITY_FIELDS + 63) / 64];
    uint8_t bytes[ACTIVITY_BYTES_MAX];
};

/* Starts a record. `time` in nanoseconds since 1970. */
void activity_begin(struct activity_writer *w, enum activity_kind kind, int64_t time);

/* Whether the field was put already. A second put of a field is ignored: the first one wins. */
static inline bool activity_has(const struct activity_writer *w, enum activity_field field)
{
    return w->present[field / 64] >> (field % 64) & 1;
}

/* Each puts one field of exactly that type (checked in debug builds, together with the kind's use of the
 * field: a mistake of ours, never of the wire's). */
void activity_put_uint(struct activity_writer *w, enum activity_field field, uint64_t value); /* ids too */
void activity_put_int(struct activity_writer *w, enum activity_field field, int64_t value);
void activity_put_bool(struct activity_writer *w, enum activity_field field, bool value);
void activity_put_string(struct activity_writer *w, enum activity_field field, const void *text, size_t size);
void activity_put_text(struct activity_writer *w, enum activity_field field, const char *text);
/* UTF-16LE from the wire, `size` in bytes; stops at a terminating zero. */
void activity_put_utf16(struct activity_writer *w, enum activity_field field, const void *text, size_t size);
void activity_put_bytes(struct activity_writer *w, enum activity_field field, const void *data, size_t size);
void activity_put_time(struct activity_writer *w, enum activity_field field, int64_t nanoseconds);
void activity_put_duration(struct activity_writer *w, enum activity_field field, int64_t nanoseconds);
void activity_put_address(struct activity_writer *w, enum activity_field field,
                          const struct ip_address *address);
void activity_put_uuid(struct activity_writer *w, enum activity_field field, const uint8_t uuid[16]);
void activity_put_sid(struct activity_writer *w, enum activity_field field, const void *sid, size_t size);

/* Lists: begin, add any number, end. False from begin: the field was put already, add nothing. */
bool activity_list_begin(struct activity_writer *w, enum activity_field field);
void activity_list_uint(struct activity_writer *w, uint64_t value); /* ids too */
void activity_list_int(struct activity_writer *w, int64_t value);
void activity_list_string(struct activity_writer *w, const void *text, size_t size);
void activity_list_utf16(struct activity_writer *w, const void *text, size_t size);
void activity_list_address(struct activity_writer *w, const struct ip_address *address);
void activity_list_sid(struct activity_writer *w, const void *sid, size_t size);
void activity_list_end(struct activity_writer *w);

/* Completes the record: its bytes stand in w->bytes, valid until the next begin. */
struct bytes activity_finish(struct activity_writer *w);

/* A record that waits for its second half (a request for its reply) is kept as these bytes and taken up
 * again later. `activity_saved_size` bytes are needed; restore gives false on bytes that save did not make.
 */
size_t activity_saved_size(const struct activity_writer *w);
void activity_save(const struct activity_writer *w, void *to);
bool activity_restore(struct activity_writer *w, const void *from, size_t size);

/* Takes up a record that stands encoded, to add fields to it: its pairs are copied as they are, unknown ones
 * too. `a` is that record, decoded. False, and nothing is to be put, when `a` is of no kind that is known
 * here, or when the record is too large. Completed by activity_finish, as any. */
struct activity;
bool activity_extend(struct activity_writer *w, struct bytes record, const struct activity *a);

/* -- reading ------------------------------------------------------------------------------------- */

struct activity_value {
    enum activity_field field;
    union {
        uint64_t uint;
        int64_t sint;
        bool boolean;
        struct bytes bytes; /* string, bytes, address, uuid, sid */
        struct {
            struct cursor items; /* `count` msgpack items */
            uint32_t count;
        } list;
    };
};

struct activity {
    enum activity_kind kind; /* ACTIVITY_NONE: a kind that this version does not know */
    int64_t time;
    uint32_t unknown_fields;
    uint32_t count;
    struct activity_value values[ACTIVITY_FIELDS_MAX];
    uint8_t at[ACTIVITY_FIELDS]; /* by field: where its value stands, from 1; 0: it has none */
};

/* Decodes the next record of the cursor into a view (it points into the cursor's bytes). False, and the
 * cursor failed, when it is no record or a known field has a value of another type. */
bool activity_decode(struct cursor *c, struct activity *to);

/* Likewise, but what is no record is stepped over, as long as it is msgpack: then the cursor has not failed.
 */
bool activity_decode_or_skip(struct cursor *c, struct activity *to);

/* The kind of an encoded record, without reading on from there; ACTIVITY_NONE: none that is known here. */
enum activity_kind activity_kind_of(struct bytes record);

/* The value of a field; NULL when the record has none. */
const struct activity_value *activity_get(const struct activity *a, enum activity_field field);

/* The record as one JSON object, without a newline, in the order of its fields, written to `to`, cut (and
 * terminated) at `capacity`. Returns the length it has whole, as snprintf does. 8 bytes of JSON per byte of
 * record always suffice. */
size_t activity_to_json(const struct activity *a, char *to, size_t capacity);

/* One value as text for people (a table, a detail view), likewise. */
size_t activity_value_text(const struct activity_value *value, char *to, size_t capacity);

/* -- values alone: for other records that are made of the same types (sync/entity.h) ----------------------
 */

struct text;

bool activity_type_is_list(enum activity_type type);
enum activity_type activity_type_of_items(enum activity_type list);

/* The next value of the cursor, a view; false when it is not of that type. `field` is left alone. */
bool activity_read_value(struct cursor *c, enum activity_type type, struct activity_value *value);

/* The next item of a list that was read so. */
struct activity_value activity_next_item(struct cursor *items, enum activity_type item_type);

void activity_put_json(struct text *t, enum activity_type type, const struct activity_value *value);

/* docs/activities.md, whole, to a stdio stream (a `FILE *`, void here to spare every reader stdio). */
void activity_print_reference(void *stream);
