/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_writer.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdlib.h>

void json_writer_init(struct json_writer *w, size_t max)
{
    *w = (struct json_writer){.max = max};
}

void json_writer_free(struct json_writer *w)
{
    free(w->data);
    *w = (struct json_writer){0};
}

bool json_writer_done(const struct json_writer *w, struct bytes *text)
{
    *text = (struct bytes){(const uint8_t *)w->data, w->size};
    return !w->failed && w->depth == 0 && w->size > 0;
}

static char *room(struct json_writer *w, size_t size)
{
    if (w->failed || size > w->max - w->size) {
        w->failed = true;
        return NULL;
    }
    if (w->size + size > w->capacity) {
        size_t capacity = w->capacity ? w->capacity * 2 : 1024;
        while (capacity < w->size + size)
            capacity *= 2;
        char *data = realloc(w->data, capacity);
        if (!data) {
            w->failed = true;
            return NULL;
        }
        w->data = data;
        w->capacity = capacity;
    }
    return w->data + w->size;
}

static void put(struct json_writer *w, const void *bytes, size_t size)
{
    char *to = room(w, size);
    if (!to || size == 0)
        return;
    memcpy(to, bytes, size);
    w->size += size;
}

static void put_string(struct json_writer *w, const char *value)
{
    struct bytes utf8 = {(const uint8_t *)value, strlen(value)};
    struct text measure = text_to(NULL, 0);
    text_json_string(&measure, utf8);
    char *to = room(w, measure.length);
    if (!to)
        return;
    struct text t = text_to(to, measure.length);
    text_json_string(&t, utf8);
    w->size += t.length;
}

static void begin(struct json_writer *w, const char *key)
{
    if (w->comma)
        put(w, ",", 1);
    w->comma = true;
    if (!key)
        return;
    put_string(w, key);
    put(w, ":", 1);
}

static void open_with(struct json_writer *w, const char *key, char opener, char closer)
{
    begin(w, key);
    put(w, &opener, 1);
    w->comma = false;
    if (w->depth == JSON_WRITER_DEPTH) {
        w->failed = true;
        return;
    }
    w->closers[w->depth++] = closer;
}

void json_write_object(struct json_writer *w, const char *key)
{
    open_with(w, key, '{', '}');
}

void json_write_array(struct json_writer *w, const char *key)
{
    open_with(w, key, '[', ']');
}

void json_write_close(struct json_writer *w)
{
    if (w->depth == 0) {
        w->failed = true;
        return;
    }
    put(w, &w->closers[--w->depth], 1);
    w->comma = true;
}

void json_write_string(struct json_writer *w, const char *key, const char *value)
{
    if (!value) {
        json_write_null(w, key);
        return;
    }
    begin(w, key);
    put_string(w, value);
}

void json_write_bool(struct json_writer *w, const char *key, bool value)
{
    begin(w, key);
    put(w, value ? "true" : "false", value ? 4 : 5);
}

void json_write_null(struct json_writer *w, const char *key)
{
    begin(w, key);
    put(w, "null", 4);
}

static void write_number(struct json_writer *w, const char *key, const char *number, size_t size)
{
    begin(w, key);
    put(w, number, size);
}

void json_write_int(struct json_writer *w, const char *key, int64_t value)
{
    char number[24];
    struct text t = text_to(number, sizeof(number));
    text_int(&t, value);
    write_number(w, key, number, text_end(&t));
}

void json_write_uint(struct json_writer *w, const char *key, uint64_t value)
{
    char number[24];
    struct text t = text_to(number, sizeof(number));
    text_uint(&t, value);
    write_number(w, key, number, text_end(&t));
}

void json_write_known(struct json_writer *w, const char *key, int64_t value)
{
    if (value < 0)
        json_write_null(w, key);
    else
        json_write_int(w, key, value);
}

void json_write_us_as_ms(struct json_writer *w, const char *key, int64_t microseconds)
{
    if (microseconds < 0) {
        json_write_null(w, key);
        return;
    }
    char number[32];
    struct text t = text_to(number, sizeof(number));
    text_int(&t, microseconds / 1000);
    text_char(&t, '.');
    text_padded(&t, (uint64_t)(microseconds % 1000), 3);
    write_number(w, key, number, text_end(&t));
}

/* clock_rfc3339 gives nine decimals; three are what ms have. */
#define DECIMALS_TOO_MANY 6

void json_write_time(struct json_writer *w, const char *key, int64_t wall)
{
    if (wall <= 0 || wall > INT64_MAX / CLOCK_MILLISECOND) {
        json_write_null(w, key);
        return;
    }
    char form[CLOCK_RFC3339_MAX];
    clock_rfc3339(wall * CLOCK_MILLISECOND, form);
    size_t length = strlen(form) - 1 - DECIMALS_TOO_MANY;
    form[length] = 'Z';
    form[length + 1] = '\0';
    json_write_string(w, key, form);
}

void json_write_raw(struct json_writer *w, const char *key, struct bytes text)
{
    begin(w, key);
    put(w, text.data, text.size);
}
