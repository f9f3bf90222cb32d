/* SPDX-License-Identifier: Apache-2.0 */
#include "center/replay_source.h"

#include "base/batch.h"
#include "base/msgpack.h"
#include "capture/engine.h"
#include "capture/source.h"
#include "center/activity_json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_SIZE  65536u
#define PACKETS    16u
#define LINE_BYTES (8u * ACTIVITY_BYTES_MAX)

struct replay {
    replay_record record;
    void *context;
};

/* -- captures ------------------------------------------------------------------------------------------- */

static void emit(void *context, enum activity_kind kind, int64_t time, struct bytes record)
{
    const struct replay *replay = context;
    (void)kind, (void)time;
    replay->record(replay->context, record);
}

static bool read_capture(const struct replay *replay, const char *path, const struct replay_options *options,
                         struct fault *fault, struct fault *damage)
{
    const char *error;
    struct packet packets[PACKETS];
    size_t count;
    enum source_verdict verdict;
    struct engine_options engine_options = {.memory_limit = options->memory};
    memcpy(engine_options.fingerprint_key, &options->fingerprint_seed, sizeof(options->fingerprint_seed));
    struct file_source *source = file_source_open(path, &error);
    if (!source)
        return fault_say(fault, "%s: %s", path, error);
    struct engine *engine = engine_new(&engine_options, emit, (void *)(uintptr_t)replay);
    if (!engine) {
        file_source_close(&source);
        return fault_say(fault, "%s: out of memory", path);
    }
    while ((verdict = file_source_batch(source, packets, PACKETS, &count)) == SOURCE_PACKET)
        engine_packets(engine, packets, count);
    engine_finish(engine);
    if (verdict == SOURCE_FAILED)
        fault_say(fault, "%s: %s", path, file_source_error(source));
    else if (verdict != SOURCE_END)
        fault_say(damage, "%s: %s", path, file_source_error(source));
    engine_destroy(&engine);
    file_source_close(&source);
    return verdict != SOURCE_FAILED;
}

/* -- batches -------------------------------------------------------------------------------------------- */

static bool give_batch(const struct replay *replay, const struct batch_reader *reader)
{
    uint64_t count;
    struct cursor c = batch_reader_records(reader, &count);
    for (; count > 0; count--) {
        struct cursor from = c;
        if (!msgpack_skip(&c))
            return false;
        replay->record(replay->context, cursor_take(&from, cursor_left(&from) - cursor_left(&c)));
    }
    return cursor_done(&c);
}

static bool read_batches(const struct replay *replay, const char *path, FILE *file, struct fault *fault,
                         struct fault *damage)
{
    uint8_t buffer[READ_SIZE];
    size_t got;
    enum batch_verdict verdict = BATCH_MORE;
    struct batch_reader *reader = batch_reader_new();
    if (!reader)
        return fault_say(fault, "%s: out of memory", path);
    while (verdict != BATCH_INVALID && (got = fread(buffer, 1, sizeof(buffer), file)) > 0) {
        struct bytes input = {buffer, got};
        while ((verdict = batch_reader_feed(reader, &input)) == BATCH_READY)
            if (!give_batch(replay, reader))
                fault_say(damage, "%s: a batch is damaged", path);
    }
    if (verdict == BATCH_INVALID || !batch_reader_at_boundary(reader))
        fault_say(damage, "%s: it is cut off, or damaged", path);
    batch_reader_destroy(&reader);
    return !ferror(file) || fault_say(fault, "%s: %s", path, strerror(errno));
}

/* -- lines of JSON ----------------------------------------------------------------------------------------
 */

static bool read_lines(const struct replay *replay, const char *path, FILE *file, struct fault *fault,
                       struct fault *damage)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    uint64_t number = 0;
    struct fault why;
    struct activity_writer *writer = malloc(sizeof(*writer));
    while (writer && (size = getline(&line, &capacity, file)) > 0) {
        number++;
        if ((size_t)size > LINE_BYTES)
            fault_say(damage, "%s:%llu: too long for an activity", path, (unsigned long long)number);
        else if (activity_from_json((struct bytes){(const uint8_t *)line, (size_t)size}, writer, &why))
            replay->record(replay->context, activity_finish(writer));
        else
            fault_say(damage, "%s:%llu: %s", path, (unsigned long long)number, why.text);
    }
    bool fine = writer && !ferror(file);
    free(writer);
    free(line);
    return fine || fault_say(fault, "%s: %s", path, strerror(errno));
}

bool replay_file(const char *path, const struct replay_options *options, replay_record record, void *context,
                 struct fault *fault, struct fault *damage)
{
    const struct replay replay = {record, context};
    uint8_t first[4] = {0};
    damage->text[0] = '\0';
    FILE *file = fopen(path, "re");
    if (!file)
        return fault_say(fault, "%s: %s", path, strerror(errno));
    size_t got = fread(first, 1, sizeof(first), file);
    rewind(file);
    bool fine;
    if (got == sizeof(first) && memcmp(first, BATCH_MAGIC, sizeof(first)) == 0)
        fine = read_batches(&replay, path, file, fault, damage);
    else if (got > 0 && first[0] == '{')
        fine = read_lines(&replay, path, file, fault, damage);
    else
        fine = read_capture(&replay, path, options, fault, damage);
    fclose(file);
    return fine;
}
