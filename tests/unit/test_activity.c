/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/activity.h"
#include "base/clock.h"
#include "base/msgpack.h"
#include "base/sid.h"
#include "tests/unit/unit.h"

static struct activity_writer writer;
static struct activity record;

/* -- the tables ---------------------------------------------------------------------------------- */

static const struct {
    enum activity_kind kind;
    enum activity_field field;
    const char *source;
} uses[] = {
#define KIND(id, name, source, doc)
#define FIELD(id, name, type, unit, doc)
#define USES(kind, field, source) {ACTIVITY_##kind, FIELD_##field, source},
#include "base/activities/all.def"
#undef KIND
#undef FIELD
#undef USES
};

enum {
    USES = sizeof uses / sizeof uses[0],
};

static void is_name(const char *name)
{
    assert_true(name[0] >= 'a' && name[0] <= 'z');
    assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name));
    assert_in_range(strlen(name), 1, 31);
}

/* Names are words, found again, and there are none twice; everything is documented. */
static void tables_are_in_order(void **state)
{
    (void)state;
    for (unsigned kind = ACTIVITY_NONE + 1; kind < ACTIVITY_KINDS; kind++) {
        const struct activity_kind_info *info = activity_kind_info((enum activity_kind)kind);
        is_name(info->name);
        assert_true(info->doc[0] && info->source[0]);
        assert_int_equal(activity_kind_by_name(info->name, strlen(info->name)), kind);
    }
    for (unsigned field = 0; field < ACTIVITY_FIELDS; field++) {
        const struct activity_field_info *info = activity_field_info((enum activity_field)field);
        is_name(info->name);
        assert_true(info->doc[0]);
        assert_true(activity_type_name(info->type)[0]);
        assert_int_equal(activity_field_by_name(info->name, strlen(info->name)), field);
    }
    for (unsigned i = 0; i < USES; i++) {
        if (!uses[i].source[0] || activity_field_is_common(uses[i].field))
            fail_msg("USES of %s in %s: no source clause, or a field that every kind has",
                     activity_field_info(uses[i].field)->name, activity_kind_info(uses[i].kind)->name);
        assert_string_equal(activity_uses(uses[i].kind, uses[i].field), uses[i].source);
        for (unsigned j = 0; j < i; j++)
            assert_false(uses[i].kind == uses[j].kind && uses[i].field == uses[j].field);
    }
}

static void unknown_names_are_not_found(void **state)
{
    (void)state;
    assert_int_equal(activity_kind_by_name("no_such_kind", 12), ACTIVITY_NONE);
    assert_int_equal(activity_kind_by_name("", 0), ACTIVITY_NONE);
    assert_int_equal(activity_field_by_name("kin", 3), ACTIVITY_FIELDS);
    assert_int_equal(activity_field_by_name("kinds", 5), ACTIVITY_FIELDS);
    assert_int_equal(activity_field_by_name("kinds", 4), FIELD_KIND);
    assert_null(activity_uses(ACTIVITY_NONE, FIELD_TIME));
    assert_null(activity_uses(ACTIVITY_KINDS, FIELD_TIME));
    assert_string_equal(activity_uses(ACTIVITY_KERBEROS_AS, FIELD_TRUNCATED), "");
    assert_null(activity_uses(ACTIVITY_KERBEROS_AS, FIELD_PING_DOMAIN_SID));
    assert_true(activity_allows(ACTIVITY_CLDAP_PING, FIELD_PING_DOMAIN_SID));
    assert_false(activity_allows(ACTIVITY_CLDAP_PING, ACTIVITY_FIELDS));
    assert_string_equal(activity_kind_info(ACTIVITY_KINDS)->name, "");
    assert_string_equal(activity_field_info(ACTIVITY_FIELDS)->name, "");
    assert_string_equal(activity_type_name((enum activity_type)99), "");
}

/* -- every field of every kind -------------------------------------------------------------------- */

enum { LIST = 5 };

static uint64_t random64(void)
{
    return ((uint64_t)random() << 40 ^ (uint64_t)random() << 20 ^ (uint64_t)random()) >> random() % 64;
}

/* Values follow from the field and the seed of the round, so that the check can make them again. */
static uint64_t number_of(enum activity_field field, unsigned round)
{
    srandom(round * 1000 + field);
    return random64();
}

static size_t text_of(enum activity_field field, unsigned round, char to[300])
{
    static const char *const parts[] = {"a",  "Z",  "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\xbe",
                                        "\"", "\\", "\n",       "\x1b"};
    srandom(round * 1000 + field);
    size_t size = 0;
    for (long count = random() % 70; count; count--) {
        const char *part = parts[random() % 9];
        memcpy(to + size, part, strlen(part));
        size += strlen(part);
    }
    return size;
}

static void bytes_of(enum activity_field field, unsigned round, uint8_t to[16])
{
    srandom(round * 1000 + field);
    for (int i = 0; i < 16; i++)
        to[i] = (uint8_t)random();
}

static struct ip_address address_of(enum activity_field field, unsigned round)
{
    struct ip_address address = {.family = (field + round) % 2 ? 4 : 6};
    uint8_t bytes[16];
    bytes_of(field, round, bytes);
    memcpy(address.bytes, bytes, address.family == 4 ? 4 : 16);
    return address;
}

static size_t sid_of(enum activity_field field, unsigned round, uint8_t to[SID_BYTES_MAX])
{
    memset(to, 0, SID_BYTES_MAX);
    to[0] = 1;
    to[1] = (uint8_t)((field + round) % 16);
    bytes_of(field, round, to + 8);
    to[7] = 5;
    return 8u + 4u * to[1];
}

static void put_list(enum activity_field field, unsigned round, enum activity_type type)
{
    char text[300];
    uint8_t sid[SID_BYTES_MAX];
    if (!activity_list_begin(&writer, field))
        return; /* the record is full */
    for (unsigned i = 0; i < LIST; i++) {
        struct ip_address address = address_of(field, round + i);
        switch (type) {
        case TYPE_UINT_LIST:
        case TYPE_ID_LIST:
            activity_list_uint(&writer, number_of(field, round + i));
            break;
        case TYPE_INT_LIST:
            activity_list_int(&writer, -(int64_t)(number_of(field, round + i) >> 1));
            break;
        case TYPE_STRING_LIST:
            activity_list_string(&writer, text, text_of(field, round + i, text));
            break;
        case TYPE_SID_LIST:
            activity_list_sid(&writer, sid, sid_of(field, round + i, sid));
            break;
        default:
            activity_list_address(&writer, &address);
            break;
        }
    }
    activity_list_end(&writer);
}

static void put_field(enum activity_field field, unsigned round)
{
    enum activity_type type = activity_field_info(field)->type;
    struct ip_address address = address_of(field, round);
    uint64_t number = number_of(field, round);
    uint8_t bytes[SID_BYTES_MAX];
    char text[300];
    switch (type) {
    case TYPE_UINT:
    case TYPE_ID:
        activity_put_uint(&writer, field, number);
        break;
    case TYPE_INT:
        activity_put_int(&writer, field, -(int64_t)(number >> 1));
        break;
    case TYPE_BOOL:
        activity_put_bool(&writer, field, number & 1);
        break;
    case TYPE_STRING:
        activity_put_string(&writer, field, text, text_of(field, round, text));
        break;
    case TYPE_BYTES:
        bytes_of(field, round, bytes);
        activity_put_bytes(&writer, field, bytes, 16);
        break;
    case TYPE_TIME:
        activity_put_time(&writer, field, (int64_t)number);
        break;
    case TYPE_DURATION:
        activity_put_duration(&writer, field, (int64_t)(number >> 1));
        break;
    case TYPE_ADDRESS:
        activity_put_address(&writer, field, &address);
        break;
    case TYPE_UUID:
        bytes_of(field, round, bytes);
        activity_put_uuid(&writer, field, bytes);
        break;
    case TYPE_SID:
        activity_put_sid(&writer, field, bytes, sid_of(field, round, bytes));
        break;
    default:
        put_list(field, round, type);
        break;
    }
}

static void check_address(struct bytes bytes, enum activity_field field, unsigned round)
{
    struct ip_address address = address_of(field, round);
    assert_int_equal(bytes.size, address.family == 4 ? 4 : 16);
    assert_bytes_equal(bytes.data, address.bytes, bytes.size);
}

static void check_list(const struct activity_value *value, unsigned round, enum activity_type type)
{
    struct cursor items = value->list.items;
    char text[300];
    uint8_t sid[SID_BYTES_MAX];
    assert_int_equal(value->list.count, LIST);
    for (unsigned i = 0; i < LIST; i++) {
        struct msgpack_item item = msgpack_next(&items);
        uint64_t number = number_of(value->field, round + i);
        size_t size;
        switch (type) {
        case TYPE_UINT_LIST:
        case TYPE_ID_LIST:
            assert_true(item.type == MSGPACK_UINT && item.uint == number);
            break;
        case TYPE_INT_LIST:
            assert_true(item.type == (number >> 1 ? MSGPACK_INT : MSGPACK_UINT));
            assert_true(item.sint == -(int64_t)(number >> 1));
            break;
        case TYPE_STRING_LIST:
            size = text_of(value->field, round + i, text);
            assert_int_equal(item.bytes.size, size);
            assert_bytes_equal(item.bytes.data, text, size);
            break;
        case TYPE_SID_LIST:
            size = sid_of(value->field, round + i, sid);
            assert_int_equal(item.bytes.size, size);
            assert_bytes_equal(item.bytes.data, sid, size);
            break;
        default:
            check_address(item.bytes, value->field, round + i);
            break;
        }
    }
    assert_true(cursor_done(&items) && !items.failed);
}

static void check_bytes(const struct activity_value *value, const void *expected, size_t size)
{
    assert_int_equal(value->bytes.size, size);
    assert_bytes_equal(value->bytes.data, expected, size);
}

static void check_field(const struct activity_value *value, unsigned round)
{
    enum activity_type type = activity_field_info(value->field)->type;
    uint64_t number = number_of(value->field, round);
    uint8_t bytes[SID_BYTES_MAX];
    char text[300];
    size_t size;
    switch (type) {
    case TYPE_UINT:
    case TYPE_ID:
        assert_true(value->uint == number);
        break;
    case TYPE_INT:
        assert_true(value->sint == -(int64_t)(number >> 1));
        break;
    case TYPE_BOOL:
        assert_int_equal(value->boolean, number & 1);
        break;
    case TYPE_STRING:
        size = text_of(value->field, round, text);
        check_bytes(value, text, size);
        break;
    case TYPE_TIME:
        assert_true(value->sint == (int64_t)number);
        break;
    case TYPE_DURATION:
        assert_true(value->uint == number >> 1);
        break;
    case TYPE_ADDRESS:
        check_address(value->bytes, value->field, round);
        break;
    case TYPE_SID:
        size = sid_of(value->field, round, bytes);
        check_bytes(value, bytes, size);
        break;
    case TYPE_BYTES:
    case TYPE_UUID:
        bytes_of(value->field, round, bytes);
        check_bytes(value, bytes, 16);
        break;
    default:
        check_list(value, round, type);
        break;
    }
}

static const struct activity *decode(struct bytes bytes)
{
    struct cursor c = cursor_of_bytes(bytes);
    assert_true(activity_decode(&c, &record));
    assert_true(cursor_done(&c) && !c.failed);
    return &record;
}

static json_t *to_json(const struct activity *a, struct bytes bytes)
{
    size_t capacity = 8 * bytes.size + 1;
    char *text = malloc(capacity);
    size_t size = activity_to_json(a, text, capacity);
    assert_true(size < capacity);
    assert_int_equal(strlen(text), size);
    json_error_t error;
    json_t *json =
        json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &error);
    if (!json)
        fail_msg("%s: %s", error.text, text);
    free(text);
    return json;
}

/* What jansson reads of a value's JSON. */
static void check_json(json_t *json, const struct activity_value *value)
{
    const struct activity_field_info *info = activity_field_info(value->field);
    json_t *member = json_object_get(json, info->name);
    int64_t time;
    switch (info->type) {
    case TYPE_UINT:
    case TYPE_DURATION:
        assert_true(json_real_value(member) == (double)value->uint);
        break;
    case TYPE_INT:
        assert_true(json_is_real(member) && json_real_value(member) == (double)value->sint);
        break;
    case TYPE_BOOL:
        assert_int_equal(json_is_true(member), value->boolean);
        break;
    case TYPE_STRING:
        assert_int_equal(json_string_length(member), value->bytes.size);
        assert_bytes_equal(json_string_value(member), value->bytes.data, value->bytes.size);
        break;
    case TYPE_TIME:
        assert_true(clock_rfc3339_parse(json_string_value(member), json_string_length(member), &time));
        assert_true(time == value->sint);
        break;
    case TYPE_ID:
        assert_true(strtoull(json_string_value(member), NULL, 16) == value->uint);
        break;
    case TYPE_BYTES:
        assert_int_equal(json_string_length(member), 2 * value->bytes.size);
        break;
    case TYPE_ADDRESS:
    case TYPE_UUID:
    case TYPE_SID:
        assert_true(json_is_string(member) && json_string_length(member) > 1);
        break;
    default:
        assert_int_equal(json_array_size(member), value->list.count);
        break;
    }
}

static void check_record(unsigned kind, unsigned round, unsigned put)
{
    struct bytes bytes = activity_finish(&writer);
    const struct activity *a = decode(bytes);
    assert_int_equal(a->kind, kind);
    assert_true(a->time == -(int64_t)round);
    assert_int_equal(a->unknown_fields, 0);
    assert_int_equal(a->count, put + 3);
    assert_int_equal(a->values[0].field, FIELD_VERSION);
    assert_int_equal(a->values[1].field, FIELD_KIND);
    assert_int_equal(a->values[2].field, FIELD_TIME);
    json_t *json = to_json(a, bytes);
    assert_int_equal(json_object_size(json), a->count);
    for (uint32_t i = 0; i < a->count; i++) {
        const struct activity_value *value = &a->values[i];
        char text[4096];
        assert_ptr_equal(activity_get(a, value->field), value);
        if (i >= 3)
            check_field(value, round);
        check_json(json, value);
        assert_true(activity_value_text(value, text, sizeof text) < sizeof text);
    }
    json_decref(json);
}

static void every_field_round_trips(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned kind = ACTIVITY_NONE + 1; kind < ACTIVITY_KINDS; kind++) {
            unsigned put = 0;
            activity_begin(&writer, (enum activity_kind)kind, -(int64_t)round);
            for (unsigned field = FIELD_TIME + 1; field < ACTIVITY_FIELDS; field++) {
                if (!activity_uses((enum activity_kind)kind, (enum activity_field)field) ||
                    field == FIELD_TRUNCATED)
                    continue;
                put_field((enum activity_field)field, round);
                assert_true(activity_has(&writer, (enum activity_field)field));
                put++;
            }
            check_record(kind, round, put);
        }
    }
}

/* -- rules of the writer -------------------------------------------------------------------------- */

static void begin(void)
{
    activity_begin(&writer, ACTIVITY_KERBEROS_TGS, 1);
}

static const struct activity *finish(void)
{
    return decode(activity_finish(&writer));
}

static bool is_truncated(const struct activity *a)
{
    const struct activity_value *value = activity_get(a, FIELD_TRUNCATED);
    return value && value->boolean;
}

static const char *text_in(const struct activity *a, enum activity_field field)
{
    static char text[8 * ACTIVITY_STRING_MAX];
    const struct activity_value *value = activity_get(a, field);
    assert_non_null(value);
    activity_value_text(value, text, sizeof text);
    return text;
}

static void the_first_put_wins(void **state)
{
    (void)state;
    begin();
    activity_put_text(&writer, FIELD_ACCOUNT, "first");
    activity_put_text(&writer, FIELD_ACCOUNT, "second");
    assert_true(activity_list_begin(&writer, FIELD_OFFERED_ETYPES));
    activity_list_int(&writer, 23);
    activity_list_end(&writer);
    assert_false(activity_list_begin(&writer, FIELD_OFFERED_ETYPES));
    activity_list_int(&writer, 24);
    activity_list_end(&writer);
    activity_put_text(&writer, FIELD_SERVICE, NULL);
    activity_put_address(&writer, FIELD_SOURCE, &(struct ip_address){.family = 0});
    const struct activity *a = finish();
    assert_string_equal(text_in(a, FIELD_ACCOUNT), "first");
    assert_string_equal(text_in(a, FIELD_OFFERED_ETYPES), "23");
    assert_null(activity_get(a, FIELD_SERVICE));
    assert_null(activity_get(a, FIELD_SOURCE));
    assert_null(activity_get(a, FIELD_TRUNCATED));
    assert_int_equal(a->count, 5);
}

static void text_is_repaired(void **state)
{
    (void)state;
    static const uint8_t name[] = {'n', 0, 0xe4, 0, 'h', 0, 0x00, 0xd8, 0, 0, 'x', 0};
    begin();
    activity_put_string(&writer, FIELD_ACCOUNT, "a\xff\xc3\xa9", 4);
    activity_put_utf16(&writer, FIELD_SERVICE, name, sizeof name);
    activity_put_utf16(&writer, FIELD_ACCOUNT_DOMAIN, "D\0O\0M\0", 6);
    activity_put_utf16(&writer, FIELD_SERVICE_REALM, "", 0);
    const struct activity *a = finish();
    assert_string_equal(text_in(a, FIELD_ACCOUNT), "a\xef\xbf\xbd\xc3\xa9");
    assert_string_equal(text_in(a, FIELD_SERVICE), "n\xc3\xa4h\xef\xbf\xbd");
    assert_string_equal(text_in(a, FIELD_ACCOUNT_DOMAIN), "DOM");
    assert_null(activity_get(a, FIELD_SERVICE_REALM) ? NULL : "an empty text is a fact");
    assert_false(is_truncated(a));
}

static void long_values_are_cut(void **state)
{
    (void)state;
    static char text[2 * ACTIVITY_STRING_MAX + 2];
    memset(text, 'a', sizeof text);
    begin();
    activity_put_string(&writer, FIELD_ACCOUNT, text, ACTIVITY_STRING_MAX);
    assert_false(is_truncated(finish()));

    begin();
    activity_put_string(&writer, FIELD_ACCOUNT, text, ACTIVITY_STRING_MAX + 1);
    const struct activity *a = finish();
    assert_int_equal(activity_get(a, FIELD_ACCOUNT)->bytes.size, ACTIVITY_STRING_MAX);
    assert_true(is_truncated(a));

    /* 4094 letters, then a character of three bytes: it is left out whole. */
    memcpy(text + ACTIVITY_STRING_MAX - 2, "\xe2\x82\xac", 3);
    begin();
    activity_put_string(&writer, FIELD_ACCOUNT, text, ACTIVITY_STRING_MAX + 1);
    a = finish();
    assert_int_equal(activity_get(a, FIELD_ACCOUNT)->bytes.size, ACTIVITY_STRING_MAX - 2);
    assert_true(is_truncated(a));

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 2 ? '\0' : 'b';
    begin();
    activity_put_utf16(&writer, FIELD_ACCOUNT, text, sizeof text);
    a = finish();
    assert_int_equal(activity_get(a, FIELD_ACCOUNT)->bytes.size, ACTIVITY_STRING_MAX);
    assert_true(is_truncated(a));

    activity_begin(&writer, ACTIVITY_NTLM_AUTHENTICATE, 1);
    activity_put_bytes(&writer, FIELD_NTLM_SERVER_CHALLENGE, text, sizeof text);
    a = finish();
    assert_int_equal(activity_get(a, FIELD_NTLM_SERVER_CHALLENGE)->bytes.size, ACTIVITY_STRING_MAX);
    assert_true(is_truncated(a));
}

static void long_lists_are_cut(void **state)
{
    (void)state;
    begin();
    assert_true(activity_list_begin(&writer, FIELD_OFFERED_ETYPES));
    for (int i = 0; i < ACTIVITY_LIST_MAX + 1; i++)
        activity_list_int(&writer, i);
    const struct activity *a = finish(); /* ends the list, too */
    assert_int_equal(activity_get(a, FIELD_OFFERED_ETYPES)->list.count, ACTIVITY_LIST_MAX);
    assert_true(is_truncated(a));
    activity_list_int(&writer, 1); /* no list is open: nothing happens */
    activity_list_uint(&writer, 1);
    activity_list_string(&writer, "x", 1);
    activity_list_utf16(&writer, "x", 2);
    activity_list_address(&writer, &(struct ip_address){.family = 4});
    activity_list_address(&writer, &(struct ip_address){.family = 0});
    activity_list_end(&writer);
    assert_int_equal(finish()->count, 5);
}

/* A record that is full says so, whatever filled it, and is a record still. */
static void a_full_record_is_whole(void **state)
{
    (void)state;
    static uint8_t text[2 * ACTIVITY_STRING_MAX];
    for (unsigned step = 1; step < 500; step += 7) {
        memset(text, 0xff, sizeof text); /* U+FFFD each: grows */
        begin();
        assert_true(activity_list_begin(&writer, FIELD_SALTS));
        for (unsigned i = 0; i < ACTIVITY_LIST_MAX; i++)
            activity_list_string(&writer, text, step * 3);
        for (unsigned i = 0; i < ACTIVITY_LIST_MAX; i++)
            activity_list_utf16(&writer, text, step * 2);
        activity_list_end(&writer);
        for (unsigned field = FIELD_TIME + 1; field < ACTIVITY_FIELDS; field++) {
            if (activity_uses(ACTIVITY_KERBEROS_TGS, (enum activity_field)field))
                put_field((enum activity_field)field, step);
        }
        struct bytes bytes = activity_finish(&writer);
        assert_true(bytes.size <= ACTIVITY_BYTES_MAX);
        assert_true(is_truncated(decode(bytes)));
        json_decref(to_json(&record, bytes));
    }
}

static void truncated_is_said_once(void **state)
{
    (void)state;
    begin();
    activity_put_bool(&writer, FIELD_TRUNCATED, false);
    assert_false(is_truncated(finish()));
    begin();
    activity_put_bool(&writer, FIELD_TRUNCATED, true);
    activity_put_bool(&writer, FIELD_TRUNCATED, false);
    finish();
    const struct activity *a = finish(); /* again: the same bytes */
    assert_true(is_truncated(a));
    assert_int_equal(a->count, 4);
}

static void odd_values_are_kept_out(void **state)
{
    (void)state;
    activity_begin(&writer, ACTIVITY_CLDAP_PING, 1);
    activity_put_sid(&writer, FIELD_PING_DOMAIN_SID, "\x01\x01\0\0\0\0\0\x05", 8); /* not whole */
    activity_put_duration(&writer, FIELD_DURATION, -5);
    const struct activity *a = finish();
    assert_null(activity_get(a, FIELD_PING_DOMAIN_SID));
    assert_true(activity_get(a, FIELD_DURATION)->uint == 0);
}

static void waits_saved_and_goes_on(void **state)
{
    (void)state;
    begin();
    activity_put_text(&writer, FIELD_ACCOUNT, "alice");
    size_t size = activity_saved_size(&writer);
    uint8_t *saved = malloc(size);
    activity_save(&writer, saved);
    begin();
    activity_put_text(&writer, FIELD_ACCOUNT, "somebody else, of a longer name");
    finish();

    assert_true(activity_restore(&writer, saved, size));
    activity_put_text(&writer, FIELD_ACCOUNT, "bob");
    activity_put_uint(&writer, FIELD_FLOW, 7);
    const struct activity *a = finish();
    assert_int_equal(a->count, 5);
    assert_string_equal(text_in(a, FIELD_ACCOUNT), "alice");
    assert_string_equal(text_in(a, FIELD_FLOW), "7");

    assert_false(activity_restore(&writer, saved, size - 1));
    assert_false(activity_restore(&writer, saved, 3));
    memset(saved, 0xff, size);
    assert_false(activity_restore(&writer, saved, size));
    free(saved);
}

/* -- the reader ----------------------------------------------------------------------------------- */

static uint8_t buffer[4096];

static struct msgpack_writer start_map(uint32_t pairs)
{
    struct msgpack_writer w;
    msgpack_writer_init(&w, buffer, sizeof buffer);
    msgpack_put_map(&w, pairs);
    return w;
}

static void put_head(struct msgpack_writer *w, const char *kind)
{
    msgpack_put_text(w, "v");
    msgpack_put_uint(w, 1);
    msgpack_put_text(w, "kind");
    msgpack_put_text(w, kind);
    msgpack_put_text(w, "time");
    msgpack_put_int(w, -1);
}

static bool decodes(const struct msgpack_writer *w)
{
    struct cursor c = cursor_of(w->data, w->size);
    bool good = activity_decode(&c, &record);
    assert_int_equal(good, !c.failed);
    return good;
}

static void unknown_things_are_skipped(void **state)
{
    (void)state;
    struct msgpack_writer w = start_map(5);
    put_head(&w, "of_the_future");
    msgpack_put_text(&w, "field_of_the_future");
    msgpack_put_map(&w, 1);
    msgpack_put_array(&w, 2);
    msgpack_put_nil(&w);
    msgpack_put_nil(&w);
    msgpack_put_double(&w, 1.5);
    msgpack_put_text(&w, "flow");
    msgpack_put_uint(&w, 9);
    assert_true(decodes(&w));
    assert_int_equal(record.kind, ACTIVITY_NONE);
    assert_true(record.time == -1);
    assert_int_equal(record.unknown_fields, 1);
    assert_int_equal(record.count, 4);
    char json[200];
    activity_to_json(&record, json, sizeof json);
    assert_string_equal(
        json, "{\"v\":1,\"kind\":\"of_the_future\",\"time\":\"1969-12-31T23:59:59.999999999Z\",\"flow\":9}");
    /* Cut by a small buffer: terminated, and the whole length is told. */
    size_t size = strlen(json);
    assert_int_equal(activity_to_json(&record, json, 10), size);
    assert_string_equal(json, "{\"v\":1,\"k");
}

/* One field of the head record has another type than it should. */
static void check_refused(const char *field, void (*put)(struct msgpack_writer *w))
{
    struct msgpack_writer w = start_map(4);
    put_head(&w, "kerberos_tgs");
    msgpack_put_text(&w, field);
    put(&w);
    if (decodes(&w))
        fail_msg("%s was taken", field);
}

static void put_text_item(struct msgpack_writer *w)
{
    msgpack_put_text(w, "text");
}

static void put_bytes_of_three(struct msgpack_writer *w)
{
    msgpack_put_binary(w, "abc", 3);
}

static void put_huge(struct msgpack_writer *w)
{
    msgpack_put_uint(w, UINT64_MAX);
}

static void put_list_of_texts(struct msgpack_writer *w)
{
    msgpack_put_array(w, 1);
    msgpack_put_text(w, "text");
}

static void put_list_of_nil(struct msgpack_writer *w)
{
    msgpack_put_array(w, 1);
    msgpack_put_nil(w);
}

static void other_types_are_refused(void **state)
{
    (void)state;
    for (unsigned field = 0; field < ACTIVITY_FIELDS; field++) {
        const struct activity_field_info *info = activity_field_info((enum activity_field)field);
        check_refused(info->name, info->type == TYPE_STRING ? put_huge : put_text_item);
        if (info->type == TYPE_ADDRESS || info->type == TYPE_UUID || info->type == TYPE_SID)
            check_refused(info->name, put_bytes_of_three);
        if (info->type == TYPE_INT || info->type == TYPE_TIME || info->type == TYPE_BYTES ||
            info->type == TYPE_BOOL)
            check_refused(info->name, put_huge);
        check_refused(info->name, info->type == TYPE_STRING_LIST ? put_list_of_nil : put_list_of_texts);
    }
}

static void what_is_no_record_is_refused(void **state)
{
    (void)state;
    struct msgpack_writer w = start_map(0);
    assert_false(decodes(&w));
    w = start_map(3); /* announces more than there is */
    assert_false(decodes(&w));
    msgpack_writer_init(&w, buffer, sizeof buffer);
    msgpack_put_array(&w, 0);
    assert_false(decodes(&w));

    w = start_map(4); /* a field twice */
    put_head(&w, "kerberos_tgs");
    msgpack_put_text(&w, "time");
    msgpack_put_int(&w, 1);
    assert_false(decodes(&w));

    w = start_map(4); /* a name that is no text */
    put_head(&w, "kerberos_tgs");
    msgpack_put_nil(&w);
    msgpack_put_nil(&w);
    assert_false(decodes(&w));

    w = start_map(3); /* another version */
    msgpack_put_text(&w, "v");
    msgpack_put_uint(&w, 2);
    msgpack_put_text(&w, "kind");
    msgpack_put_text(&w, "kerberos_tgs");
    msgpack_put_text(&w, "time");
    msgpack_put_int(&w, 1);
    assert_false(decodes(&w));

    w = start_map(2); /* no time */
    msgpack_put_text(&w, "v");
    msgpack_put_uint(&w, 1);
    msgpack_put_text(&w, "kind");
    msgpack_put_text(&w, "kerberos_tgs");
    assert_false(decodes(&w));
}

/* -- extending ------------------------------------------------------------------------------------- */

static void check_extended(struct bytes before, const char *name, uint32_t added)
{
    static struct activity old;
    static uint8_t kept[ACTIVITY_BYTES_MAX];
    memcpy(kept, before.data, before.size);
    struct bytes bytes = {kept, before.size};
    struct cursor c = cursor_of_bytes(bytes);
    assert_true(activity_decode(&c, &old));
    assert_true(activity_extend(&writer, bytes, &old));
    activity_put_text(&writer, FIELD_SOURCE_COMPUTER, name);
    activity_put_uint(&writer, FIELD_SOURCE_CONFIDENCE, 90);
    const struct activity *a = decode(activity_finish(&writer));
    assert_int_equal(a->count, old.count + added);
    assert_int_equal(a->unknown_fields, old.unknown_fields);
    assert_int_equal(activity_get(a, FIELD_SOURCE_CONFIDENCE)->uint, 90);
    for (uint32_t i = 0; i < old.count; i++)
        assert_int_equal(a->values[i].field, old.values[i].field);
}

static void a_record_is_extended(void **state)
{
    (void)state;
    begin();
    activity_put_text(&writer, FIELD_ACCOUNT, "user01");
    check_extended(activity_finish(&writer), "ws01", 2);
    assert_int_equal(activity_get(&record, FIELD_ACCOUNT)->bytes.size, 6);
    /* Once more: what was put first wins. */
    struct bytes again = {writer.bytes, writer.size};
    check_extended(again, "other", 0);
    assert_memory_equal(activity_get(&record, FIELD_SOURCE_COMPUTER)->bytes.data, "ws01", 4);
}

/* Of another hand: a short map header, fields that are not known here. */
static void a_foreign_record_is_extended(void **state)
{
    (void)state;
    uint8_t foreign[256];
    struct msgpack_writer w;
    msgpack_writer_init(&w, foreign, sizeof foreign);
    msgpack_put_map(&w, 4);
    msgpack_put_text(&w, "v");
    msgpack_put_uint(&w, ACTIVITY_VERSION);
    msgpack_put_text(&w, "kind");
    msgpack_put_text(&w, "kerberos_as");
    msgpack_put_text(&w, "from_the_future");
    msgpack_put_array(&w, 1);
    msgpack_put_nil(&w);
    msgpack_put_text(&w, "time");
    msgpack_put_int(&w, -5);
    check_extended((struct bytes){foreign, w.size}, "ws01", 2);
}

static void what_cannot_be_extended_is_left(void **state)
{
    (void)state;
    static struct activity old;
    begin();
    struct bytes bytes = activity_finish(&writer);
    struct cursor c = cursor_of_bytes(bytes);
    assert_true(activity_decode(&c, &old));
    static struct activity_writer other;
    old.unknown_fields++; /* not this record's */
    assert_false(activity_extend(&other, bytes, &old));
    old.unknown_fields--;
    old.kind = ACTIVITY_NONE;
    assert_false(activity_extend(&other, bytes, &old));
    old.kind = ACTIVITY_KERBEROS_TGS;
    assert_false(activity_extend(&other, (struct bytes){(const uint8_t *)"\xc0", 1}, &old));
    assert_true(activity_extend(&other, bytes, &old));
    /* The largest: nothing more fits, and it says so. */
    static uint8_t text[ACTIVITY_STRING_MAX];
    memset(text, 'x', sizeof text);
    begin();
    assert_true(activity_list_begin(&writer, FIELD_SALTS));
    for (unsigned i = 0; i < 64; i++)
        activity_list_string(&writer, text, sizeof text);
    bytes = activity_finish(&writer);
    c = cursor_of_bytes(bytes);
    assert_true(activity_decode(&c, &old));
    if (activity_extend(&other, bytes, &old)) {
        activity_put_text(&other, FIELD_SOURCE_COMPUTER, "ws01");
        bytes = activity_finish(&other);
        assert_true(bytes.size <= ACTIVITY_BYTES_MAX);
        assert_true(is_truncated(decode(bytes)));
    }
}

/* Cut at every byte, and with every byte changed: refused or read, but never beyond the end. */
static void damage_is_survived(void **state)
{
    (void)state;
    begin();
    for (unsigned field = FIELD_TIME + 1; field < ACTIVITY_FIELDS; field++) {
        if (activity_uses(ACTIVITY_KERBEROS_TGS, (enum activity_field)field) && field != FIELD_TRUNCATED)
            put_field((enum activity_field)field, 3);
    }
    struct bytes bytes = activity_finish(&writer);
    for (size_t size = 0; size < bytes.size; size++) {
        uint8_t *copy = malloc(size + 1);
        memcpy(copy, bytes.data, size);
        struct cursor c = cursor_of(copy, size);
        assert_false(activity_decode(&c, &record));
        assert_true(c.failed);
        c = cursor_of(copy, size);
        assert_false(activity_decode_or_skip(&c, &record));
        assert_true(c.failed);
        free(copy);
    }
    uint8_t *copy = malloc(bytes.size);
    char *json = malloc(8 * bytes.size + 1);
    for (size_t at = 0; at < bytes.size; at++) {
        memcpy(copy, bytes.data, bytes.size);
        copy[at] ^= (uint8_t)(1 + at % 255);
        struct cursor c = cursor_of(copy, bytes.size);
        if (activity_decode(&c, &record))
            assert_true(activity_to_json(&record, json, 8 * bytes.size + 1) <= 8 * bytes.size);
    }
    free(json);
    free(copy);
}

/* -- text ----------------------------------------------------------------------------------------- */

static void values_have_a_text_for_people(void **state)
{
    (void)state;
    static const struct {
        int64_t duration;
        const char *text;
    } durations[] = {{0, "0 ns"},
                     {999, "999 ns"},
                     {1000, "1.000 us"},
                     {12345678, "12.345 ms"},
                     {999999999, "999.999 ms"},
                     {61 * CLOCK_SECOND, "61.000 s"}};
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        begin();
        activity_put_duration(&writer, FIELD_DURATION, durations[i].duration);
        assert_string_equal(text_in(finish(), FIELD_DURATION), durations[i].text);
    }
    begin();
    activity_put_text(&writer, FIELD_ACCOUNT, "red\x1b[31m");
    activity_put_bool(&writer, FIELD_ANSWERED, true);
    activity_list_begin(&writer, FIELD_OFFERED_ETYPES);
    activity_list_int(&writer, 18);
    activity_list_int(&writer, -133);
    activity_list_end(&writer);
    const struct activity *a = finish();
    assert_string_equal(text_in(a, FIELD_ACCOUNT), "red\\u001b[31m");
    assert_string_equal(text_in(a, FIELD_ANSWERED), "true");
    assert_string_equal(text_in(a, FIELD_OFFERED_ETYPES), "18, -133");
    assert_string_equal(text_in(a, FIELD_TIME), "1970-01-01T00:00:00.000000001Z");
}

/* -- the golden file ------------------------------------------------------------------------------ */

/* Records as they were once: tests/data/activity.msgpack holds them one after the other. What this program
 * writes must be these bytes, and reading them must give these objects, for as long as `v` is 1. Written
 * anew, after a change that is meant, with PICKET_WRITE_GOLDEN=1 in the environment. */
static const char golden_json[] =
    "{\"v\":1,\"kind\":\"kerberos_tgs\",\"time\":\"2023-11-14T22:13:20.123456789Z\",\"flow\":7,"
    "\"source\":\"192.0.2.1\",\"source_port\":50001,\"destination\":\"2001:db8::1\",\"destination_port\":88,"
    "\"transport\":\"tcp\",\"duration\":1234567,\"answered\":true,\"account\":\"al\xc3\xadz\","
    "\"service\":\"MSSQLSvc/db.example.com:1433\",\"offered_etypes\":[18,17,23,-135],"
    "\"ticket_fingerprint\":\"fedcba9876543210\",\"truncated\":true}\n"
    "{\"v\":1,\"kind\":\"cldap_ping\",\"time\":\"1969-12-31T23:59:59.999999999Z\","
    "\"ping_domain_sid\":\"S-1-5-21-1-2-3\",\"ping_domain_guid\":\"03020100-0504-0706-0809-0a0b0c0d0e0f\"}\n";

static size_t write_golden(uint8_t *to)
{
    static const uint8_t account[] = {'a', 0, 'l', 0, 0xed, 0, 'z', 0};
    static const uint8_t sid[] = {1, 4, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0};
    static const uint8_t uuid[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    struct ip_address source;
    struct ip_address destination;
    ip_address_parse("192.0.2.1", &source);
    ip_address_parse("2001:db8::1", &destination);
    activity_begin(&writer, ACTIVITY_KERBEROS_TGS, INT64_C(1700000000123456789));
    activity_put_uint(&writer, FIELD_FLOW, 7);
    activity_put_address(&writer, FIELD_SOURCE, &source);
    activity_put_uint(&writer, FIELD_SOURCE_PORT, 50001);
    activity_put_address(&writer, FIELD_DESTINATION, &destination);
    activity_put_uint(&writer, FIELD_DESTINATION_PORT, 88);
    activity_put_text(&writer, FIELD_TRANSPORT, "tcp");
    activity_put_duration(&writer, FIELD_DURATION, 1234567);
    activity_put_bool(&writer, FIELD_ANSWERED, true);
    activity_put_utf16(&writer, FIELD_ACCOUNT, account, sizeof account);
    activity_put_text(&writer, FIELD_SERVICE, "MSSQLSvc/db.example.com:1433");
    activity_list_begin(&writer, FIELD_OFFERED_ETYPES);
    activity_list_int(&writer, 18);
    activity_list_int(&writer, 17);
    activity_list_int(&writer, 23);
    activity_list_int(&writer, -135);
    activity_list_end(&writer);
    activity_put_uint(&writer, FIELD_TICKET_FINGERPRINT, UINT64_C(0xfedcba9876543210));
    activity_put_bool(&writer, FIELD_TRUNCATED, true);
    struct bytes first = activity_finish(&writer);
    memcpy(to, first.data, first.size);
    activity_begin(&writer, ACTIVITY_CLDAP_PING, -1);
    activity_put_sid(&writer, FIELD_PING_DOMAIN_SID, sid, sizeof sid);
    activity_put_uuid(&writer, FIELD_PING_DOMAIN_GUID, uuid);
    struct bytes second = activity_finish(&writer);
    memcpy(to + first.size, second.data, second.size);
    return first.size + second.size;
}

static const char golden_path[] = PICKET_TEST_DATA "/activity.msgpack";

static size_t read_golden(uint8_t *to, size_t capacity)
{
    FILE *file = fopen(golden_path, "rb");
    assert_non_null(file);
    size_t size = fread(to, 1, capacity, file);
    fclose(file);
    return size;
}

static void the_form_stays_as_it_was(void **state)
{
    (void)state;
    static uint8_t ours[2 * ACTIVITY_BYTES_MAX];
    static uint8_t golden[2 * ACTIVITY_BYTES_MAX];
    size_t size = write_golden(ours);
    if (getenv("PICKET_WRITE_GOLDEN")) {
        FILE *file = fopen(golden_path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(ours, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
    }
    assert_int_equal(read_golden(golden, sizeof golden), size);
    assert_bytes_equal(golden, ours, size);

    char json[4096];
    size_t used = 0;
    struct cursor c = cursor_of(golden, size);
    while (!cursor_done(&c)) {
        assert_true(activity_decode(&c, &record));
        used += activity_to_json(&record, json + used, sizeof json - used);
        json[used++] = '\n';
    }
    json[used] = '\0';
    assert_string_equal(json, golden_json);
}

static void the_reference_names_everything(void **state)
{
    (void)state;
    char *page = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&page, &size);
    activity_print_reference(stream);
    fclose(stream);
    for (unsigned kind = ACTIVITY_NONE + 1; kind < ACTIVITY_KINDS; kind++) {
        char line[64];
        snprintf(line, sizeof line, "\n### %s\n", activity_kind_info((enum activity_kind)kind)->name);
        assert_non_null(strstr(page, line));
    }
    for (unsigned i = 0; i < USES; i++) {
        char cell[64];
        snprintf(cell, sizeof cell, "\n| `%s` | ", activity_field_info(uses[i].field)->name);
        assert_non_null(strstr(page, cell));
    }
    for (unsigned type = 0; activity_type_name((enum activity_type)type)[0]; type++) {
        char cell[64];
        const char *name = activity_type_name((enum activity_type)type);
        snprintf(cell, sizeof cell, "\n| %s | ", strncmp(name, "list", 4) == 0 ? "list of ..." : name);
        assert_non_null(strstr(page, cell));
    }
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_in_order),
        cmocka_unit_test(unknown_names_are_not_found),
        cmocka_unit_test(every_field_round_trips),
        cmocka_unit_test(the_first_put_wins),
        cmocka_unit_test(text_is_repaired),
        cmocka_unit_test(long_values_are_cut),
        cmocka_unit_test(long_lists_are_cut),
        cmocka_unit_test(a_full_record_is_whole),
        cmocka_unit_test(truncated_is_said_once),
        cmocka_unit_test(odd_values_are_kept_out),
        cmocka_unit_test(waits_saved_and_goes_on),
        cmocka_unit_test(unknown_things_are_skipped),
        cmocka_unit_test(other_types_are_refused),
        cmocka_unit_test(what_is_no_record_is_refused),
        cmocka_unit_test(damage_is_survived),
        cmocka_unit_test(values_have_a_text_for_people),
        cmocka_unit_test(a_record_is_extended),
        cmocka_unit_test(a_foreign_record_is_extended),
        cmocka_unit_test(what_cannot_be_extended_is_left),
        cmocka_unit_test(the_form_stays_as_it_was),
        cmocka_unit_test(the_reference_names_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
