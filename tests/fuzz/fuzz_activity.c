/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader of records, their JSON and their text, and what extends them.
 */
#include <stdlib.h>

#include "base/activity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* JSON as strict as it is cheap to check: printable but for UTF-8, quotes and brackets balanced. */
static void check_json(const char *json, size_t size)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)json[i];
        require(c >= 0x20);
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted)
            depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
        require(depth > 0 || i + 1 == size);
    }
    require(depth == 0 && !quoted);
}

/* What stands already stays, value by value, and what was put is there. */
static void check_extension(struct bytes bytes, const struct activity *before)
{
    static struct activity_writer writer;
    static struct activity after;
    if (!activity_extend(&writer, bytes, before))
        return;
    bool had = activity_has(&writer, FIELD_SOURCE_COMPUTER);
    activity_put_text(&writer, FIELD_SOURCE_COMPUTER, "ws01");
    bool put = !had && activity_has(&writer, FIELD_SOURCE_COMPUTER);
    struct bytes whole = activity_finish(&writer);
    struct cursor c = cursor_of_bytes(whole);
    require(whole.size <= ACTIVITY_BYTES_MAX);
    require(activity_decode(&c, &after) && cursor_done(&c));
    require(after.kind == before->kind && after.time == before->time);
    require(after.unknown_fields == before->unknown_fields);
    require(after.count >= before->count + put && after.count <= before->count + put + 1);
    for (uint32_t i = 0; i < before->count; i++)
        require(after.values[i].field == before->values[i].field);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct activity record;
    uint8_t *input = malloc(size ? size : 1);
    size_t capacity = 8 * size + 1;
    char *text = malloc(capacity);
    memcpy(input, data, size);
    struct cursor c = cursor_of(input, size);
    while (!cursor_done(&c)) {
        const uint8_t *start = c.at;
        if (!activity_decode(&c, &record)) {
            require(c.failed);
            break;
        }
        size_t length = activity_to_json(&record, text, capacity);
        require(length <= 8 * (size_t)(c.at - start));
        check_json(text, length);
        check_extension((struct bytes){start, (size_t)(c.at - start)}, &record);
        for (uint32_t i = 0; i < record.count; i++) {
            activity_value_text(&record.values[i], text, capacity);
            require(activity_get(&record, record.values[i].field) == &record.values[i]);
        }
    }
    free(text);
    free(input);
    return 0;
}
