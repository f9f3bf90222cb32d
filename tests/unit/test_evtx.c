/* SPDX-License-Identifier: Apache-2.0
 *
 * Event log files: those of others, against what another reader says of them, and damaged ones.
 */
#include <glob.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "events/evtx.h"
#include "events/translate.h"
#include "tests/unit/unit.h"

static struct evtx *evtx;

static int set_up(void **state)
{
    (void)state;
    evtx = evtx_new();
    return evtx ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    evtx_destroy(&evtx);
    return 0;
}

/* -- a file in memory -- */

struct log {
    uint8_t *bytes;
    size_t size;
};

static struct log load(const char *path)
{
    struct log log = {0};
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    fseek(file, 0, SEEK_END);
    log.size = (size_t)ftell(file);
    rewind(file);
    log.bytes = malloc(log.size);
    assert_non_null(log.bytes);
    assert_int_equal(fread(log.bytes, 1, log.size, file), log.size);
    fclose(file);
    return log;
}

static struct evtx_counters read_log(const struct log *log, event_sink sink, void *context)
{
    struct evtx_counters counters = {0};
    for (size_t at = EVTX_HEADER_BYTES; at < log->size; at += EVTX_CHUNK_BYTES) {
        size_t left = log->size - at;
        struct bytes chunk = {log->bytes + at, left < EVTX_CHUNK_BYTES ? left : EVTX_CHUNK_BYTES};
        evtx_chunk(evtx, chunk, 0, sink, context, &counters);
    }
    return counters;
}

/* -- against the other reader -- */

struct comparison {
    const char *file;
    json_t *listed;
    json_t *ids; /* counted here */
    size_t next;
    unsigned values;
    unsigned told[3];
};

static void compare_text(const struct comparison *c, const char *what, const json_t *expected,
                         struct bytes value)
{
    const char *text = json_string_value(expected);
    if (text && (strlen(text) != value.size || memcmp(text, value.data, value.size) != 0))
        fail_msg("%s, record %zu: %s is \"%.*s\", not \"%s\"", c->file, c->next, what, (int)value.size,
                 (const char *)value.data, text);
}

/* The other reader fills numbers up with zeros and writes some of them in another base; blanks are trimmed.
 */
static bool is_same(const char *expected, struct bytes value)
{
    char copy[EVENT_BYTES_MAX + 1];
    while (value.size && strchr(" \t\r\n", value.data[0])) {
        value.data++;
        value.size--;
    }
    while (value.size && strchr(" \t\r\n", value.data[value.size - 1]))
        value.size--;
    if (value.size)
        memcpy(copy, value.data, value.size);
    copy[value.size] = 0;
    if (strcasecmp(copy, expected) == 0)
        return true;
    int64_t time, expected_time;
    if (clock_rfc3339_parse(copy, value.size, &time) && strlen(expected) > 20 &&
        (clock_rfc3339_parse(expected, strlen(expected), &expected_time)))
        return llabs(time - expected_time) < 10 * CLOCK_MICROSECOND;
    char *end, *other;
    unsigned long long a = strtoull(copy, &end, 0), b = strtoull(expected, &other, 0);
    return end > copy && !*end && other > expected && !*other && a == b;
}

/* What XML's reader does to line ends, and the other reader to control characters, was done to the expected.
 */
static bool is_comparable(const char *text, struct bytes own)
{
    for (size_t i = 0; i < own.size; i++) {
        if (own.data[i] < ' ')
            return false;
    }
    return !strchr(text, '<') && strlen(text) < 4000;
}

static void compare_data(struct comparison *c, const json_t *data, const struct event *event)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)data, name, value)
    {
        const char *text = json_string_value(value);
        if (!text || strncmp(name, "Data", 4) == 0 || strchr(name, '.') || strcmp(name, "Binary") == 0 ||
            !is_comparable(text, event_get(event, name)))
            continue;
        struct bytes own = event_get(event, name);
        if (!is_same(text, own))
            fail_msg("%s, record %zu: %s is \"%.*s\", not \"%s\"", c->file, c->next, name, (int)own.size,
                     (const char *)own.data, text);
        c->values++;
    }
}

static void compare(void *context, const struct event *event)
{
    static struct activity_writer writer;
    struct comparison *c = context;
    char id[16];
    snprintf(id, sizeof(id), "%u", event->id);
    json_object_set_new(c->ids, id, json_integer(json_integer_value(json_object_get(c->ids, id)) + 1));
    c->told[event_translate(event, &writer)]++;
    json_t *expected = json_array_get(c->listed, c->next);
    if (!expected)
        return;
    int64_t time;
    const char *stamp = json_string_value(json_object_get(expected, "time"));
    assert_int_equal(event->id, json_integer_value(json_object_get(expected, "event_id")));
    assert_int_equal(event->record, json_integer_value(json_object_get(expected, "record_id")));
    assert_true(clock_rfc3339_parse(stamp, strlen(stamp), &time));
    char own[CLOCK_RFC3339_MAX];
    if (llabs(time - event->time) > 10 * CLOCK_MICROSECOND) /* it counts in doubles */
        fail_msg("%s, record %zu: time is %s, not %s", c->file, c->next, clock_rfc3339(event->time, own),
                 stamp);
    compare_text(c, "provider", json_object_get(expected, "provider"), event->provider);
    compare_text(c, "channel", json_object_get(expected, "channel"), event->channel);
    compare_text(c, "computer", json_object_get(expected, "computer"), event->computer);
    compare_data(c, json_object_get(expected, "data"), event);
    c->next++;
}

/* The counts by event id; of records that the other reader could not read, ours may be more. */
static void compare_counts(const struct comparison *c, const json_t *expected,
                           const struct evtx_counters *counters)
{
    json_int_t unreadable = json_integer_value(json_object_get(expected, "unreadable")), more = 0;
    const char *id;
    json_t *count;
    json_object_foreach(c->ids, id, count)
    {
        more += json_integer_value(count) -
                json_integer_value(json_object_get(json_object_get(expected, "event_ids"), id));
    }
    json_t *all = json_object_get(expected, "event_ids");
    json_object_foreach(all, id, count)
    {
        if (json_integer_value(json_object_get(c->ids, id)) < json_integer_value(count))
            fail_msg("%s: event %s", c->file, id);
    }
    if (more < 0 || more > unreadable)
        fail_msg("%s: %d more events", c->file, (int)more);
    if (unreadable == 0)
        assert_int_equal(counters->bad_records, 0);
}

static void files_agree(const char *pattern, unsigned files_expected, unsigned values_expected)
{
    glob_t files;
    unsigned values = 0, invalid = 0;
    if (glob(pattern, 0, NULL, &files) != 0)
        skip();
    assert_true(files.gl_pathc >= files_expected);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        char path[4096];
        snprintf(path, sizeof(path), "%s.expect.json", files.gl_pathv[i]);
        json_t *expected = json_load_file(path, 0, NULL);
        assert_non_null(expected);
        struct comparison c = {
            .file = strrchr(path, '/'), .listed = json_object_get(expected, "listed"), .ids = json_object()};
        struct log log = load(files.gl_pathv[i]);
        struct evtx_counters counters = read_log(&log, compare, &c);
        compare_counts(&c, expected, &counters);
        values += c.values;
        invalid += c.told[EVENT_INVALID];
        free(log.bytes);
        json_decref(c.ids);
        json_decref(expected);
    }
    globfree(&files);
    assert_int_equal(invalid, 0);
    assert_in_range(values, values_expected, 1000000);
}

static void files_of_others_agree(void **state)
{
    (void)state;
    files_agree(PICKET_SHARED_DATA "/evtx/*.evtx", 40, 10000);
}

static void file_of_ours_agrees(void **state)
{
    (void)state;
    files_agree(PICKET_TEST_DATA "/*.evtx", 1, 40);
}

/* -- chunks of our own -- */

struct maker {
    uint8_t bytes[EVTX_CHUNK_BYTES];
    size_t size;
    size_t record; /* where the open one begins */
    size_t values; /* where those of the template began */
    uint64_t id;
};

static struct maker maker;

static void put(const void *bytes, size_t size)
{
    assert_true(maker.size + size <= sizeof(maker.bytes));
    memcpy(maker.bytes + maker.size, bytes, size);
    maker.size += size;
}

static void put_le(uint64_t value, unsigned size)
{
    while (size--) {
        put(&(uint8_t){(uint8_t)value}, 1);
        value >>= 8;
    }
}

static void set_le(size_t at, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        maker.bytes[at + i] = (uint8_t)(value >> 8 * i);
}

static void put_wide(const char *text)
{
    for (; *text; text++)
        put_le((uint8_t)*text, 2);
}

static void begin_chunk(void)
{
    memset(&maker, 0, sizeof(maker));
    put("ElfChnk", 8);
    maker.size = 512;
    set_le(120, 5, 4); /* no checksums */
}

static void begin_record(void)
{
    maker.record = maker.size;
    put("**\0\0", 4);
    put_le(0, 4);
    put_le(++maker.id, 8);
    put_le(UINT64_C(132839569680000000), 8); /* 2021-12-14T14:42:48Z */
    put("\x0f\x01\x01", 4);
}

static void end_record(void)
{
    put_le(0, 1);
    while ((maker.size - maker.record) % 8 != 4)
        put_le(0, 1);
    set_le(maker.record + 4, maker.size + 4 - maker.record, 4);
    put_le(maker.size + 4 - maker.record, 4);
    set_le(48, maker.size, 4);
}

/* A name that stands where it is used. */
static void put_name(const char *name)
{
    put_le(maker.size + 4, 4);
    put_le(0, 6);
    put_le(strlen(name), 2);
    put_wide(name);
    put_le(0, 2);
}

static void open_element(const char *name, bool has_attributes, bool has_dependency)
{
    put_le(has_attributes ? 0x41 : 0x01, 1);
    if (has_dependency)
        put_le(0xffff, 2);
    put_le(0, 4);
    put_name(name);
    if (has_attributes)
        put_le(0, 4);
}

static void put_text_token(const char *text)
{
    put("\x05\x01", 2);
    put_le(strlen(text), 2);
    put_wide(text);
}

static void put_attribute(const char *name, const char *text)
{
    put_le(0x06, 1);
    put_name(name);
    put_text_token(text);
}

static void element_of_text(const char *name, const char *text)
{
    open_element(name, false, false);
    put_le(0x02, 1);
    put_text_token(text);
    put_le(0x04, 1);
}

/* <Event><System>...</System>, left open. */
static void begin_event(void)
{
    open_element("Event", false, false);
    put_le(0x02, 1);
    open_element("System", false, false);
    put_le(0x02, 1);
    element_of_text("EventID", "7");
    open_element("Provider", true, false);
    put_attribute("Name", "P");
    put_le(0x03, 1);
    put_le(0x04, 1);
}

static struct event seen[8];
static uint32_t seen_count;
static char seen_text[8][4096];

/* "name=value|name=value" */
static void see(void *context, const struct event *event)
{
    (void)context;
    assert_true(seen_count < 8);
    char *to = seen_text[seen_count];
    size_t size = 0;
    to[0] = 0;
    for (uint32_t i = 0; i < event->count && size < 3000; i++)
        size += (size_t)snprintf(to + size, 4096 - size, "%s%.*s=%.*s", i ? "|" : "",
                                 (int)event->fields[i].name.size, (const char *)event->fields[i].name.data,
                                 (int)event->fields[i].value.size, (const char *)event->fields[i].value.data);
    seen[seen_count++] = *event;
}

static struct evtx_counters read_made(uint64_t after)
{
    struct evtx_counters counters = {0};
    seen_count = 0;
    evtx_chunk(evtx, (struct bytes){maker.bytes, sizeof(maker.bytes)}, after, see, NULL, &counters);
    return counters;
}

/* What a forwarded event looks like: no template. */
static void events_without_template(void **state)
{
    (void)state;
    begin_chunk();
    begin_record();
    begin_event();
    open_element("EventData", false, false);
    put_le(0x02, 1);
    open_element("Data", true, false);
    put_attribute("Name", "who");
    put_le(0x02, 1);
    put_text_token("a");
    put("\x07\x01\x00&\x00", 5); /* CDATA */
    put("\x08\xe4\x00", 3);      /* character reference */
    put_le(0x09, 1);             /* entity reference */
    put_name("lt");
    put_le(0x04, 1);
    open_element("Data", false, false);
    put_le(0x03, 1);
    put_le(0x0a, 1); /* a processing instruction */
    put_le(0, 4);
    put("\x0b\x01\x00x\x00", 5);
    put_le(0x04, 1);
    put_le(0x04, 1);
    end_record();
    struct evtx_counters counters = read_made(0);
    assert_int_equal(counters.records, 1);
    assert_int_equal(counters.bad_records, 0);
    assert_string_equal(seen_text[0], "who=a&\xc3\xa4<|=");
    assert_int_equal(seen[0].id, 7);
    assert_int_equal(seen[0].record, 1);
    assert_int_equal(seen[0].time, INT64_C(1639483368) * CLOCK_SECOND);
    assert_int_equal(seen[0].source, EVENT_FILE);
    assert_int_equal(read_made(1).records, 0);
}

struct value {
    uint8_t type;
    uint8_t size;
    const char *bytes;
    const char *text;
};

/* As a template with a substitution for each value. */
static void make_template(const struct value *values, uint32_t count, unsigned times)
{
    begin_chunk();
    begin_record();
    put_le(0x0c, 1);
    put_le(1, 1);
    put_le(77, 4);
    put_le(maker.size + 4, 4);
    put_le(0, 4);
    put("0123456789abcdef", 16);
    size_t size_at = maker.size;
    put_le(0, 4);
    put("\x0f\x01\x01", 4);
    open_element("Event", false, true);
    put_le(0x02, 1);
    open_element("System", false, true);
    put_le(0x02, 1);
    open_element("EventID", false, true);
    put("\x02\x05\x01\x01\x00"
        "9\x00\x04",
        8);
    put_le(0x04, 1);
    open_element("EventData", false, true);
    put_le(0x02, 1);
    for (unsigned i = 0; i < count * times; i++) {
        open_element("Data", true, true);
        put_attribute("Name", "v");
        put_le(0x02, 1);
        put_le(0x0e, 1);
        put_le(i % count, 2);
        put_le(values[i % count].type, 1);
        put_le(0x04, 1);
    }
    put("\x04\x04", 3);
    set_le(size_at, maker.size - size_at - 4, 4);
    put_le(count, 4);
    for (unsigned i = 0; i < count; i++) {
        put_le(values[i].size, 2);
        put_le(values[i].type, 2);
    }
    maker.values = maker.size;
    for (unsigned i = 0; i < count; i++)
        put(values[i].bytes, values[i].size);
    end_record();
}

static void values_are_shown_as_windows_does(void **state)
{
    (void)state;
    static const struct value values[] = {
        {0x00, 0, "", ""},
        {0x01, 6, "a\0b\0\0\0", "ab"},
        {0x02, 4, "xyz", "xyz"},
        {0x03, 1, "\xff", "-1"},
        {0x04, 1, "\xff", "255"},
        {0x05, 2, "\xfe\xff", "-2"},
        {0x06, 2, "\xfe\xff", "65534"},
        {0x07, 4, "\xfd\xff\xff\xff", "-3"},
        {0x08, 4, "\xff\xff\xff\xff", "4294967295"},
        {0x09, 8, "\xff\xff\xff\xff\xff\xff\xff\xff", "-1"},
        {0x0a, 8, "\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615"},
        {0x0b, 4, "\0\0\0\x3f", "0.5"},
        {0x0c, 8, "\0\0\0\0\0\0\xe0\x3f", "0.5"},
        {0x0d, 4, "\1\0\0\0", "true"},
        {0x0d, 1, "\0", "false"},
        {0x0e, 3, "\x01\xab\xff", "01abff"},
        {0x0f, 16, "\x5b\xa3\xb0\xc1\xdb\xc6\xcd\x3c\x22\xf9\x66\x58\xbb\x0f\x9a\xc1",
         "{c1b0a35b-c6db-3ccd-22f9-6658bb0f9ac1}"},
        {0x10, 4, "\x10\0\0\0", "0x10"},
        {0x10, 8, "\x10\0\0\0\1\0\0\0", "0x100000010"},
        {0x11, 8, "\x80\x16\xd7\xd5\xde\xb1\x9d\x01", "1970-01-01T00:00:01.000000000Z"},
        {0x11, 8, "\0\0\0\0\0\0\0\0", ""},
        {0x12, 16, "\xe4\x07\x09\0\1\0\x15\0\x12\0\x3a\0\x2f\0\x05\0", "2020-09-21T18:58:47.005Z"},
        {0x13, 12, "\1\1\0\0\0\0\0\5\x12\0\0\0", "S-1-5-18"},
        {0x14, 4, "\x18\0\0\0", "0x18"},
        {0x15, 8, "\0\0\0\0\0\0\x10\x80", "0x8010000000000000"},
        {0x20, 4, "\0\0\0\0", ""},
        {0x81, 12, "a\0\0\0b\0c\0\0\0\0\0", "a|v=bc|v="},
        {0x86, 4, "\1\0\2\0", "1|v=2"},
        {0x21, 0, "", ""},
    };
    char expected[4096];
    size_t size = 0;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        size += (size_t)snprintf(expected + size, sizeof(expected) - size, "%sv=%s", i ? "|" : "",
                                 values[i].text);
    make_template(values, sizeof values / sizeof values[0], 1);
    struct evtx_counters counters = read_made(0);
    assert_int_equal(counters.bad_records, 0);
    assert_int_equal(seen_count, 1);
    assert_string_equal(seen_text[0], expected);
}

/* A second record that uses the template of the first. */
static void templates_are_used_again(void **state)
{
    (void)state;
    static const struct value one[] = {{0x06, 2, "\1\0", "1"}};
    make_template(one, 1, 1);
    size_t definition = 512 + 24 + 4 + 10;
    begin_record();
    put("\x0c\x01\0\0\0", 6);
    put_le(definition, 4);
    put_le(1, 4);
    put_le(4, 2);
    put_le(0x08, 2);
    put_le(123456, 4);
    end_record();
    assert_int_equal(read_made(0).records, 2);
    assert_string_equal(seen_text[0], "v=1");
    assert_string_equal(seen_text[1], "v=123456");
}

/* An event's data as a fragment in a value. */
static void fragments_in_values(void **state)
{
    (void)state;
    static char inner[256];
    struct value value = {0x21, 0, inner, ""};
    make_template(&value, 1, 1);
    /* Its names stand in it, and say where they are in the chunk. */
    size_t from = maker.values;
    begin_chunk();
    maker.size = from;
    put("\x0f\x01\x01", 4);
    open_element("Data", false, false);
    put_le(0x02, 1);
    put_text_token("in");
    put("\x04", 2);
    value.size = (uint8_t)(maker.size - from);
    memcpy(inner, maker.bytes + from, value.size);
    make_template(&value, 1, 1);
    assert_int_equal(maker.values, from);
    struct evtx_counters counters = read_made(0);
    assert_int_equal(counters.bad_records, 0);
    assert_int_equal(seen_count, 1);
    assert_non_null(strstr(seen_text[0], "=in"));
}

/* Damage that is no reason to read on, nor to stop: the events before and behind it. */
static void damaged_records_are_left_out(void **state)
{
    (void)state;
    static const struct value one[] = {{0x06, 2, "\1\0", "1"}};
    static const struct {
        size_t at;
        uint8_t byte;
    } damages[] = {
        {512 + 24 + 4, 0x3f},              /* no token */
        {512 + 24 + 4 + 6, 0xff},          /* a definition far away */
        {512 + 24 + 4 + 6 + 4 + 20, 0xff}, /* longer than all */
    };
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        make_template(one, 1, 1);
        begin_record();
        begin_event();
        put_le(0x04, 1);
        end_record();
        maker.bytes[damages[i].at] = damages[i].byte;
        struct evtx_counters counters = read_made(0);
        assert_int_equal(counters.bad_records, 1);
        assert_int_equal(counters.records, 1);
        assert_int_equal(seen[0].record, 2);
    }
    /* Without an event id; ends that do not belong; elements without end. */
    begin_chunk();
    begin_record();
    open_element("Event", false, false);
    put_le(0x03, 1);
    end_record();
    begin_record();
    begin_event();
    put("\x04\x04", 2);
    end_record();
    begin_record();
    begin_event();
    end_record();
    begin_record();
    open_element("Other", false, false);
    put_le(0x03, 1);
    end_record();
    assert_int_equal(read_made(0).bad_records, 4);
    assert_int_equal(seen_count, 0);
    /* A chain that breaks. */
    begin_chunk();
    for (unsigned i = 0; i < 3; i++) {
        begin_record();
        begin_event();
        put_le(0x04, 1);
        end_record();
    }
    maker.bytes[maker.record + 4] = 1;
    struct evtx_counters counters = read_made(0);
    assert_int_equal(counters.records, 2);
    assert_int_equal(counters.bad_records, 1);
}

/* A template that uses itself, and one that is used by a value many times: bounded. */
static void work_is_bounded(void **state)
{
    (void)state;
    begin_chunk();
    begin_record();
    size_t at = maker.size;
    put("\x0c\x01\0\0\0", 6);
    put_le(maker.size + 4, 4);
    put_le(0, 4);
    put("0123456789abcdef", 16);
    size_t size_at = maker.size;
    put_le(0, 4);
    for (unsigned i = 0; i < 1000; i++) {
        put("\x0c\x01\0\0\0", 6);
        put_le(at + 10, 4);
        put_le(0, 4);
    }
    set_le(size_at, maker.size - size_at - 4, 4);
    put_le(0, 4);
    end_record();
    assert_int_equal(read_made(0).bad_records, 1);
    /* More fields than an event has room for, more text than one may have. */
    static char text[250];
    memset(text, 'a', sizeof(text));
    struct value value = {0x02, 250, text, ""};
    make_template(&value, 1, 600);
    assert_int_equal(read_made(0).records, 1);
    assert_true(seen[0].truncated);
    assert_int_equal(seen[0].count, EVENT_FIELDS_MAX);
}

static void headers(void **state)
{
    (void)state;
    uint8_t bytes[EVTX_HEADER_BYTES] = "ElfFile";
    struct evtx_header header;
    struct bytes all = {bytes, sizeof(bytes)};
    assert_true(evtx_recognise((struct bytes){bytes, 8}));
    assert_false(evtx_recognise((struct bytes){bytes, 7}));
    assert_false(evtx_read_header(all, &header)); /* no version */
    bytes[38] = 3;
    bytes[42] = 9;
    bytes[24] = 44;
    assert_true(evtx_read_header(all, &header));
    assert_true(header.bad_checksum);
    assert_false(header.dirty);
    assert_int_equal(header.chunks, 9);
    assert_int_equal(header.next_record, 44);
    bytes[120] = 5; /* not closed, without checksums */
    assert_true(evtx_read_header(all, &header));
    assert_false(header.bad_checksum);
    assert_true(header.dirty);
    assert_false(evtx_read_header((struct bytes){bytes, 127}, &header));
    bytes[0] = 'x';
    assert_false(evtx_read_header(all, &header));
}

/* Any chunk cut anywhere, and with any byte changed, is read without harm, and what was before it is told. */
static void cut_and_changed_chunks(void **state)
{
    (void)state;
    static const struct value values[] = {
        {0x01, 4, "a\0b\0", ""}, {0x81, 6, "a\0\0\0b\0", ""}, {0x0a, 8, "12345678", ""}};
    make_template(values, 3, 2);
    size_t whole = maker.size;
    for (size_t size = 0; size <= whole; size++) {
        struct evtx_counters counters = {0};
        uint8_t *exact = malloc(size + 1);
        assert_non_null(exact);
        memcpy(exact, maker.bytes, size);
        seen_count = 0;
        evtx_chunk(evtx, (struct bytes){exact, size}, 0, see, NULL, &counters);
        assert_int_equal(seen_count, size == whole);
        free(exact);
    }
    for (size_t at = 0; at < whole; at++) {
        uint8_t old = maker.bytes[at];
        maker.bytes[at] = (uint8_t)(old ^ 0x81);
        read_made(0);
        maker.bytes[at] = old;
    }
    /* A chunk without its header's magic number still has its records; checksums that are wrong are told. */
    maker.bytes[0] = 'x';
    struct evtx_counters counters = read_made(0);
    assert_int_equal(counters.bad_chunks, 1);
    assert_int_equal(counters.records, 1);
    maker.bytes[0] = 'E';
    set_le(120, 1, 4);
    assert_int_equal(read_made(0).bad_checksums, 2);
    memset(maker.bytes, 0, sizeof(maker.bytes));
    assert_int_equal(read_made(0).chunks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_of_ours_agrees),
        cmocka_unit_test(events_without_template),
        cmocka_unit_test(values_are_shown_as_windows_does),
        cmocka_unit_test(templates_are_used_again),
        cmocka_unit_test(fragments_in_values),
        cmocka_unit_test(damaged_records_are_left_out),
        cmocka_unit_test(work_is_bounded),
        cmocka_unit_test(headers),
        cmocka_unit_test(cut_and_changed_chunks),
        cmocka_unit_test(files_of_others_agree),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
