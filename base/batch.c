/* SPDX-License-Identifier: Apache-2.0 */
#include "base/batch.h"

#include "base/activity.h"
#include "base/msgpack.h"

#include <stdlib.h>
#include <zstd.h>

#define HASH_LOG   15 /* four times level 1's table: records repeat each other at a distance */
#define RECORD_MAX (512u * 1024u)

_Static_assert(BATCH_HEADER_MAX + BATCH_RECORDS_MAX + RECORD_MAX <= BATCH_BYTES_MAX,
               "the reader must take what the writer makes");

const struct batch_form batch_activities = {
    .format = "picket-activities", .version = BATCH_VERSION, .record_max = ACTIVITY_BYTES_MAX};

/* -- writing -------------------------------------------------------------------------------------- */

struct batch_writer {
    const struct batch_form *form;
    ZSTD_CCtx *zstd;
    batch_sink sink;
    void *context;
    uint64_t count;
    size_t size; /* of the records */
    size_t frame_capacity;
    uint8_t *frame;
    uint8_t pairs[BATCH_HEADER_MAX / 2];
    size_t pairs_size;
    uint32_t pair_count;
    /* The records begin at BATCH_HEADER_MAX; the header, whose size depends on the count, goes right before.
     */
    uint8_t plain[];
};

static size_t plain_size(const struct batch_form *form)
{
    return BATCH_HEADER_MAX + BATCH_RECORDS_MAX + form->record_max;
}

struct batch_writer *batch_writer_new(int zstd_level, batch_sink sink, void *context)
{
    return batch_writer_new_of(&batch_activities, zstd_level, sink, context);
}

struct batch_writer *batch_writer_new_of(const struct batch_form *form, int zstd_level, batch_sink sink,
                                         void *context)
{
    struct batch_writer *w = form->record_max <= RECORD_MAX ? malloc(sizeof(*w) + plain_size(form)) : NULL;
    if (!w)
        return NULL;
    w->form = form;
    w->pairs_size = 0;
    w->pair_count = 0;
    w->sink = sink;
    w->context = context;
    w->count = 0;
    w->size = 0;
    w->frame_capacity = ZSTD_compressBound(plain_size(form));
    w->frame = malloc(w->frame_capacity);
    w->zstd = ZSTD_createCCtx();
    if (!w->frame || !w->zstd) {
        batch_writer_destroy(&w);
        return NULL;
    }
    ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, zstd_level);
    ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_checksumFlag, 1);
    ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_hashLog, HASH_LOG);
    return w;
}

void batch_writer_destroy(struct batch_writer **writer_p)
{
    struct batch_writer *w = *writer_p;
    if (!w)
        return;
    ZSTD_freeCCtx(w->zstd);
    free(w->frame);
    free(w);
    *writer_p = NULL;
}

bool batch_writer_set_pairs(struct batch_writer *w, struct bytes pairs, uint32_t count)
{
    if (pairs.size > sizeof(w->pairs))
        return false;
    if (pairs.size)
        memcpy(w->pairs, pairs.data, pairs.size);
    w->pairs_size = pairs.size;
    w->pair_count = count;
    return true;
}

void batch_writer_flush(struct batch_writer *w)
{
    if (w->count == 0)
        return;
    uint8_t header[BATCH_HEADER_MAX];
    struct msgpack_writer m;
    msgpack_writer_init(&m, header, sizeof(header));
    msgpack_put_map(&m, 3 + w->pair_count);
    msgpack_put_text(&m, "format");
    msgpack_put_text(&m, w->form->format);
    msgpack_put_text(&m, "version");
    msgpack_put_uint(&m, w->form->version);
    msgpack_put_raw(&m, w->pairs, w->pairs_size);
    msgpack_put_text(&m, "count");
    msgpack_put_uint(&m, w->count);

    uint8_t *start = w->plain + BATCH_HEADER_MAX - m.size;
    memcpy(start, header, m.size);
    size_t size = ZSTD_compress2(w->zstd, w->frame, w->frame_capacity, start, m.size + w->size);
    if (!ZSTD_isError(size)) /* cannot be: the room is that of ZSTD_compressBound */
        w->sink(w->context, (struct bytes){.data = w->frame, .size = size});
    w->count = 0;
    w->size = 0;
}

void batch_writer_add(struct batch_writer *w, struct bytes record)
{
    if (record.size > w->form->record_max)
        return;
    memcpy(w->plain + BATCH_HEADER_MAX + w->size, record.data, record.size);
    w->size += record.size;
    w->count++;
    if (w->size >= BATCH_RECORDS_MAX)
        batch_writer_flush(w);
}

/* -- reading -------------------------------------------------------------------------------------- */

bool batch_is_framed(struct bytes bytes)
{
    if (bytes.size < 4 || memcmp(bytes.data, BATCH_MAGIC, 4) != 0)
        return false;
    const unsigned long long size = ZSTD_getFrameContentSize(bytes.data, bytes.size);
    if (size == ZSTD_CONTENTSIZE_ERROR || (size != ZSTD_CONTENTSIZE_UNKNOWN && size > BATCH_BYTES_MAX))
        return false;
    return ZSTD_findFrameCompressedSize(bytes.data, bytes.size) == bytes.size;
}

struct batch_reader {
    const struct batch_form *form;
    ZSTD_DCtx *zstd;
    bool invalid;
    bool ready;  /* `plain` holds a whole batch: the next feed begins another */
    bool inside; /* part of a frame was taken */
    size_t size; /* bytes in plain */
    uint64_t count;
    struct cursor records;
    struct cursor pairs;
    uint32_t pair_count;
    uint8_t plain[BATCH_BYTES_MAX];
};

struct batch_reader *batch_reader_new(void)
{
    return batch_reader_new_of(&batch_activities);
}

struct batch_reader *batch_reader_new_of(const struct batch_form *form)
{
    struct batch_reader *r = malloc(sizeof(*r));
    if (!r)
        return NULL;
    r->form = form;
    r->pairs = (struct cursor){.failed = false};
    r->pair_count = 0;
    r->zstd = ZSTD_createDCtx();
    if (!r->zstd) {
        free(r);
        return NULL;
    }
    /* The window that a frame may demand: no more than a batch can use. */
    ZSTD_DCtx_setParameter(r->zstd, ZSTD_d_windowLogMax, 20);
    r->invalid = false;
    r->ready = false;
    r->inside = false;
    r->size = 0;
    r->count = 0;
    r->records = cursor_of(r->plain, 0);
    return r;
}

void batch_reader_destroy(struct batch_reader **reader_p)
{
    struct batch_reader *r = *reader_p;
    if (!r)
        return;
    ZSTD_freeDCtx(r->zstd);
    free(r);
    *reader_p = NULL;
}

/* Reads the header off the front of the records; unknown keys are skipped (a later minor form). */
static bool read_header(struct batch_reader *r)
{
    struct cursor c = cursor_of(r->plain, r->size);
    struct msgpack_item map = msgpack_next(&c);
    bool format = false, version = false, count = false;
    if (map.type != MSGPACK_MAP)
        return false;
    const uint8_t *start = c.at;
    for (uint32_t i = 0; i < map.count && !c.failed; i++) {
        struct msgpack_item key = msgpack_next(&c);
        struct cursor before = c;
        struct msgpack_item value = msgpack_next(&c);
        if (msgpack_is_text(&key, "format")) {
            format = msgpack_is_text(&value, r->form->format);
        } else if (msgpack_is_text(&key, "version")) {
            version = value.type == MSGPACK_UINT && value.uint == r->form->version;
        } else if (msgpack_is_text(&key, "count")) {
            count = value.type == MSGPACK_UINT;
            r->count = value.uint;
        } else {
            c = before;
            msgpack_skip(&c);
        }
    }
    r->records = c;
    r->pairs = cursor_of(start, (size_t)(c.at - start));
    r->pair_count = map.count;
    return format && version && count && !c.failed && r->count <= cursor_left(&c);
}

enum batch_verdict batch_reader_feed(struct batch_reader *r, struct bytes *input)
{
    if (r->ready) {
        r->ready = false;
        r->size = 0;
    }
    while (!r->invalid && input->size > 0) {
        ZSTD_inBuffer in = {.src = input->data, .size = input->size, .pos = 0};
        ZSTD_outBuffer out = {.dst = r->plain, .size = sizeof(r->plain), .pos = r->size};
        size_t left = ZSTD_decompressStream(r->zstd, &out, &in);
        bool stuck = in.pos == 0 && out.pos == r->size && left != 0;
        input->data += in.pos;
        input->size -= in.pos;
        r->size = out.pos;
        r->inside = true;
        if (ZSTD_isError(left) || stuck) {
            r->invalid = true;
        } else if (left == 0) {
            r->inside = false;
            r->ready = true;
            r->invalid = !read_header(r);
            if (!r->invalid)
                return BATCH_READY;
        }
    }
    return r->invalid ? BATCH_INVALID : BATCH_MORE;
}

struct cursor batch_reader_records(const struct batch_reader *r, uint64_t *count)
{
    *count = r->count;
    return r->records;
}

struct cursor batch_reader_pairs(const struct batch_reader *r, uint32_t *count)
{
    *count = r->pair_count;
    return r->pairs;
}

bool batch_reader_at_boundary(const struct batch_reader *r)
{
    return !r->inside;
}
