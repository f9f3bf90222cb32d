/* SPDX-License-Identifier: Apache-2.0 */
#include "center/api_request.h"

#include "base/sid.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char *title_of(unsigned status)
{
    static const struct {
        unsigned status;
        const char *title;
    } titles[] = {{400, "Bad Request"},       {401, "Unauthorized"},           {403, "Forbidden"},
                  {404, "Not Found"},         {405, "Method Not Allowed"},     {409, "Conflict"},
                  {413, "Content Too Large"}, {415, "Unsupported Media Type"}, {422, "Unprocessable Content"},
                  {429, "Too Many Requests"}, {500, "Internal Server Error"},  {503, "Service Unavailable"}};
    for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
        if (titles[i].status == status)
            return titles[i].title;
    return "Error";
}

bool api_problem(struct api_work *work, unsigned status, const char *format, ...)
{
    char detail[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof(detail), format, arguments);
    va_end(arguments);
    json_writer_free(&work->answer);
    json_writer_init(&work->answer, API_ANSWER_MAX);
    work->status = status;
    work->problem = true;
    work->stream = false;
    work->fixed = (struct bytes){0};
    json_write_object(&work->answer, NULL);
    json_write_string(&work->answer, "type", "about:blank");
    json_write_string(&work->answer, "title", title_of(status));
    json_write_uint(&work->answer, "status", status);
    json_write_string(&work->answer, "detail", detail);
    json_write_close(&work->answer);
    return false;
}

bool api_store_failed(struct api_work *work)
{
    return api_problem(work, 503, "the store: %s", store_fault(work->store));
}

/* --- arguments --- */

const char *api_argument(const struct api_work *work, const char *name)
{
    for (unsigned i = 0; i < work->argument_count; i++)
        if (strcmp(work->arguments[i].name, name) == 0)
            return work->arguments[i].value ? work->arguments[i].value : "";
    return NULL;
}

static bool parse_number(const char *text, int64_t least, int64_t most, int64_t *to)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 18 || text[digits] != '\0')
        return false;
    int64_t value = strtoll(text, NULL, 10);
    if (value < least || value > most)
        return false;
    *to = value;
    return true;
}

bool api_take_number(struct api_work *work, const char *name, int64_t least, int64_t most, int64_t *to)
{
    const char *text = api_argument(work, name);
    return !text || parse_number(text, least, most, to) ||
           api_problem(work, 400, "%s: a number from %lld to %lld is wanted", name, (long long)least,
                       (long long)most);
}

bool api_take_time(struct api_work *work, const char *name, int64_t *to)
{
    const char *text = api_argument(work, name);
    return !text || clock_rfc3339_parse(text, strlen(text), to) ||
           api_problem(work, 400, "%s: a time as in 2026-11-22T03:27:13Z is wanted", name);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool api_parse_hex(const char *text, uint8_t *to, size_t size)
{
    if (strlen(text) != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool api_take_subject(struct api_work *work, const char *name, struct subject *to)
{
    uint8_t bytes[16];
    const char *text = api_argument(work, name);
    if (!text)
        return true;
    if (!api_parse_hex(text, bytes, sizeof(bytes)))
        return api_problem(work, 400, "%s: 32 hexadecimal digits are wanted", name);
    struct cursor c = cursor_of(bytes, sizeof(bytes));
    to->high = cursor_be64(&c);
    to->low = cursor_be64(&c);
    return true;
}

bool api_take_words(struct api_work *work, const char *name, int (*index)(const char *word), uint32_t *bits)
{
    const char *at = api_argument(work, name);
    while (at && *at) {
        char word[32];
        size_t size = strcspn(at, ",");
        int bit = -1;
        if (size < sizeof(word)) {
            memcpy(word, at, size);
            word[size] = '\0';
            bit = index(word);
        }
        if (bit < 0)
            return api_problem(work, 400, "%s: %.*s is not known", name, (int)(size < 40 ? size : 40), at);
        *bits |= 1u << bit;
        at += size + (at[size] == ',');
    }
    return true;
}

bool api_part_id(struct api_work *work, uint8_t id[16])
{
    return api_parse_hex(work->part, id, 16) || api_problem(work, 404, "an id has 32 hexadecimal digits");
}

bool api_part_guid(struct api_work *work, uint8_t guid[16])
{
    return uuid_parse(work->part, strlen(work->part), guid) ||
           api_problem(work, 404, "an objectGUID is as 00112233-4455-6677-8899-aabbccddeeff");
}

bool api_part_number(struct api_work *work, int64_t *number)
{
    return parse_number(work->part, 1, INT64_MAX, number) || api_problem(work, 404, "an id is a number here");
}

/* --- bodies --- */

bool api_body_text(struct api_work *work, const char *key, bool required, char *to, size_t capacity)
{
    const json_t *value = json_object_get(work->json, key);
    if (!value)
        return !required || api_problem(work, 422, "%s is missing", key);
    size_t size = json_is_string(value) ? json_string_length(value) : SIZE_MAX;
    if (size == SIZE_MAX || size >= capacity || memchr(json_string_value(value), '\0', size))
        return api_problem(work, 422, "%s: a text of at most %zu bytes is wanted", key, capacity - 1);
    memcpy(to, json_string_value(value), size + 1);
    return true;
}

bool api_body_only(struct api_work *work, const char *const *keys)
{
    const char *key;
    json_t *value;
    if (!json_is_object(work->json))
        return api_problem(work, 400, "a JSON object is wanted");
    json_object_foreach(work->json, key, value)
    {
        unsigned i = 0;
        while (keys[i] && strcmp(keys[i], key) != 0)
            i++;
        if (!keys[i])
            return api_problem(work, 422, "%.60s is not known", key);
    }
    return true;
}

/* --- values --- */

void api_write_time(struct json_writer *w, const char *key, int64_t time)
{
    char stamp[CLOCK_RFC3339_MAX];
    if (time == 0)
        json_write_null(w, key);
    else
        json_write_string(w, key, clock_rfc3339(time, stamp));
}

void api_write_double(struct json_writer *w, const char *key, double value)
{
    char number[40];
    if (!isfinite(value)) {
        json_write_null(w, key);
        return;
    }
    int size = snprintf(number, sizeof(number), "%.15g", value);
    json_write_raw(w, key, (struct bytes){(const uint8_t *)number, (size_t)size});
}

void api_write_hex(struct json_writer *w, const char *key, const void *data, size_t size)
{
    char hex[2 * 64 + 1];
    struct text t = text_to(hex, sizeof(hex));
    text_hex(&t, (struct bytes){data, size});
    text_end(&t);
    json_write_string(w, key, hex);
}

void api_write_guid(struct json_writer *w, const char *key, const uint8_t *guid)
{
    char text[40];
    struct text t = text_to(text, sizeof(text));
    if (!guid) {
        json_write_null(w, key);
        return;
    }
    uuid_text(&t, guid);
    text_end(&t);
    json_write_string(w, key, text);
}
