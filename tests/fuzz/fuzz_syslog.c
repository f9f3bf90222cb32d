/* SPDX-License-Identifier: Apache-2.0
 *
 * What anybody may send to the syslog listener: a stream in pieces (the first byte says of what size; 0: one
 * datagram), its messages' headers, and events in all the formats.
 */
#include "events/siem.h"
#include "events/translate.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct siem_reader *reader;

static void check_inside(struct bytes part, struct bytes whole)
{
    if (part.size > 0 && (part.data < whole.data || part.data + part.size > whole.data + whole.size))
        abort();
}

static void read_message(struct bytes message)
{
    static struct event event;
    static struct activity_writer w;
    struct syslog_header header;
    uint8_t *copy = malloc(message.size ? message.size : 1);
    memcpy(copy, message.data, message.size);
    struct bytes own = {copy, message.size};
    syslog_header_read(own, &header);
    check_inside(header.stamp, own);
    check_inside(header.host, own);
    check_inside(header.app, own);
    check_inside(header.data, own);
    check_inside(header.body, own);
    struct siem_result result = siem_read(reader, &header, INT64_C(1795348800000000000), &event);
    if ((result.verdict == SIEM_DAMAGED || result.verdict == SIEM_UNKNOWN) != (result.reason != NULL))
        abort();
    if (result.verdict == SIEM_EVENT) {
        size_t sum = 0;
        for (uint32_t i = 0; i < event.count; i++)
            for (size_t k = 0; k < event.fields[i].value.size; k++)
                sum += event.fields[i].value.data[k];
        if (event.id == 0 || event.time == 0 || event.count > EVENT_FIELDS_MAX || sum == SIZE_MAX)
            abort();
        if (event_translate(&event, &w) == EVENT_TOLD)
            activity_finish(&w);
    }
    free(copy);
}

static void read_stream(const uint8_t *data, size_t size, size_t step)
{
    struct syslog_stream stream = {0};
    size_t at = 0, came = 0;
    while (at < size) {
        struct bytes message, rest = {data + at, came - at};
        size_t used = 0;
        bool ended = came == size;
        enum syslog_frame frame = syslog_stream_next(&stream, rest, ended, &message, &used);
        if (frame == SYSLOG_FRAME_MORE) {
            if (ended)
                return;
            came = size - came < step ? size : came + step;
            continue;
        }
        if (used == 0 || used > rest.size)
            abort();
        if (frame == SYSLOG_FRAME_WHOLE) {
            check_inside(message, rest);
            read_message(message);
        }
        at += used;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!reader && !(reader = siem_reader_new(false)))
        abort();
    if (size == 0)
        return 0;
    if (data[0] == 0)
        read_message((struct bytes){data + 1, size - 1});
    else
        read_stream(data + 1, size - 1, data[0]);
    return 0;
}
