/* SPDX-License-Identifier: Apache-2.0
 *
 *   file header: "ElfFile\0", first and last chunk u64, next record u64, size u32 (128), version u16 u16 (1
 * or 2, 3), size of the block u16 (4096), chunks u16, 76 unknown, flags u32, CRC-32 of the first 120 bytes
 *
 *   chunk: "ElfChnk\0", first and last record number u64, first and last record id u64, size u32 (128),
 * offset of the last record u32, offset of the free space u32, CRC-32 of the records, 64 unknown, flags u32,
 * CRC-32 of the first 120 bytes and of those from 128 to 512; 64 offsets of names, 32 of templates; records
 * from 512
 *
 *   record: "**\0\0", size u32, id u64, time written u64, binary XML, size u32 again
 */
#include "events/evtx.h"

#include <stdlib.h>
#include <string.h>

#include "events/binxml.h"

enum {
    HEADER_CHECKED = 120,
    CHUNK_HEADER = 512,
    RECORD_HEADER = 24,
    RECORD_LEAST = RECORD_HEADER + 4,
    FLAG_DIRTY = 1,
    FLAG_NO_CRC32 = 4,
};

static const uint8_t file_magic[8] = "ElfFile";
static const uint8_t chunk_magic[8] = "ElfChnk";
static const uint8_t record_magic[4] = {'*', '*', 0, 0};

struct evtx {
    struct event event;
    uint8_t room[EVENT_BYTES_MAX];
    uint32_t crc_table[256];
};

/* CRC-32 as in ISO 3309, reflected. */
static void crc_prepare(uint32_t table[256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
        table[i] = crc;
    }
}

static uint32_t crc_add(const uint32_t table[256], uint32_t crc, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        crc = table[(crc ^ bytes[i]) & 0xff] ^ crc >> 8;
    return crc;
}

struct evtx *evtx_new(void)
{
    struct evtx *evtx = calloc(1, sizeof(*evtx));
    if (evtx)
        crc_prepare(evtx->crc_table);
    return evtx;
}

void evtx_destroy(struct evtx **evtx)
{
    free(*evtx);
    *evtx = NULL;
}

bool evtx_recognise(struct bytes start)
{
    return start.size >= sizeof(file_magic) && memcmp(start.data, file_magic, sizeof(file_magic)) == 0;
}

bool evtx_read_header(struct bytes bytes, struct evtx_header *to)
{
    struct cursor c = cursor_of_bytes(bytes);
    uint32_t table[256];
    *to = (struct evtx_header){0};
    if (!evtx_recognise(bytes))
        return false;
    cursor_skip(&c, 24);
    to->next_record = cursor_le64(&c);
    cursor_skip(&c, 6);
    uint16_t major = cursor_le16(&c);
    cursor_skip(&c, 2);
    to->chunks = cursor_le16(&c);
    cursor_skip(&c, 76);
    uint32_t flags = cursor_le32(&c), crc = cursor_le32(&c);
    if (c.failed || major != 3)
        return false;
    crc_prepare(table);
    to->dirty = flags & FLAG_DIRTY;
    to->bad_checksum =
        !(flags & FLAG_NO_CRC32) && ~crc_add(table, UINT32_MAX, bytes.data, HEADER_CHECKED) != crc;
    return true;
}

/* -- a chunk -- */

struct chunk {
    struct bytes bytes;
    size_t end;    /* of the records */
    bool is_known; /* its header is one */
};

/* Never written to: zeros. */
static bool is_unused(struct bytes chunk)
{
    size_t looked = chunk.size < CHUNK_HEADER + RECORD_HEADER ? chunk.size : CHUNK_HEADER + RECORD_HEADER;
    for (size_t i = 0; i < looked; i++) {
        if (chunk.data[i])
            return false;
    }
    return true;
}

/* Reads what a chunk says of itself. Where that is nothing (a damaged header), its records may yet be there.
 */
static struct chunk chunk_of(struct bytes bytes)
{
    struct chunk chunk = {.bytes = bytes, .end = bytes.size};
    struct cursor c = cursor_of_bytes(bytes);
    chunk.is_known = cursor_match(&c, chunk_magic, sizeof(chunk_magic));
    cursor_skip(&c, 40);
    size_t free_space = cursor_le32(&c);
    if (chunk.is_known && !c.failed && free_space >= CHUNK_HEADER && free_space <= bytes.size)
        chunk.end = free_space;
    return chunk;
}

/* How many of its two checksums are wrong. */
static unsigned wrong_checksums(const struct evtx *evtx, const struct chunk *chunk)
{
    const uint8_t *bytes = chunk->bytes.data;
    struct cursor c = cursor_of_bytes(chunk->bytes);
    if (!chunk->is_known || chunk->bytes.size < CHUNK_HEADER)
        return 0;
    cursor_skip(&c, 52);
    uint32_t crc_records = cursor_le32(&c);
    cursor_skip(&c, 64);
    uint32_t flags = cursor_le32(&c), crc_header = cursor_le32(&c);
    if (flags & FLAG_NO_CRC32)
        return 0;
    uint32_t header = crc_add(evtx->crc_table, UINT32_MAX, bytes, HEADER_CHECKED);
    header = ~crc_add(evtx->crc_table, header, bytes + 128, CHUNK_HEADER - 128);
    uint32_t records = ~crc_add(evtx->crc_table, UINT32_MAX, bytes + CHUNK_HEADER, chunk->end - CHUNK_HEADER);
    return (header != crc_header ? 1u : 0u) + (records != crc_records ? 1u : 0u);
}

/* The size of the record that begins at `at`; 0 when there is none. The size stands at its end once more, but
 * a page that was not written there does not take what stands before it away. */
static size_t record_size(const struct chunk *chunk, size_t at)
{
    struct cursor c = cursor_of(chunk->bytes.data + at, chunk->end - at);
    if (!cursor_match(&c, record_magic, sizeof(record_magic)))
        return 0;
    size_t size = cursor_le32(&c);
    return size < RECORD_LEAST || size > chunk->end - at ? 0 : size;
}

/* What the record's own header says stands in for what its XML does not. */
static void complete(struct event *event, uint64_t id, uint64_t filetime)
{
    const uint64_t to_1970 = UINT64_C(116444736000000000);
    if (event->record == 0)
        event->record = id;
    if (event->time == 0 && filetime > to_1970 && filetime - to_1970 < INT64_MAX / 100)
        event->time = (int64_t)(filetime - to_1970) * 100;
}

static bool read_record(struct evtx *evtx, const struct chunk *chunk, size_t at, size_t size, event_sink sink,
                        void *context)
{
    struct event_elements elements;
    struct cursor c = cursor_of(chunk->bytes.data + at + 8, 16);
    uint64_t id = cursor_le64(&c), filetime = cursor_le64(&c);
    evtx->event = (struct event){.source = EVENT_FILE};
    event_elements_begin(&elements, &evtx->event, evtx->room, sizeof(evtx->room));
    if (!binxml_read(chunk->bytes, at + RECORD_HEADER, size - RECORD_LEAST, &elements) || evtx->event.id == 0)
        return false;
    complete(&evtx->event, id, filetime);
    sink(context, &evtx->event);
    return true;
}

static uint64_t record_number(const struct chunk *chunk, size_t at)
{
    struct cursor c = cursor_of(chunk->bytes.data + at + 8, 8);
    return cursor_le64(&c);
}

uint64_t evtx_chunk(struct evtx *evtx, struct bytes bytes, uint64_t after, event_sink sink, void *context,
                    struct evtx_counters *counters)
{
    uint64_t highest = after;
    if (is_unused(bytes))
        return highest;
    struct chunk chunk = chunk_of(bytes);
    counters->chunks++;
    counters->bad_chunks += !chunk.is_known;
    counters->bad_checksums += wrong_checksums(evtx, &chunk);
    for (size_t at = CHUNK_HEADER, size; at + RECORD_LEAST <= chunk.end; at += size) {
        size = record_size(&chunk, at);
        if (size == 0) {
            /* Where the chain of records is broken, what stands behind may be left from an earlier use. */
            counters->bad_records += !is_unused((struct bytes){bytes.data + at, RECORD_LEAST});
            break;
        }
        uint64_t number = record_number(&chunk, at);
        if (number <= after)
            continue;
        if (!read_record(evtx, &chunk, at, size, sink, context)) {
            counters->bad_records++;
            continue;
        }
        counters->records++;
        highest = number > highest ? number : highest;
    }
    return highest;
}

struct evtx_outline evtx_look_up(struct bytes bytes, uint64_t record)
{
    struct evtx_outline outline = {0};
    struct chunk chunk = chunk_of(bytes);
    for (size_t at = CHUNK_HEADER, size; at + RECORD_LEAST <= chunk.end; at += size) {
        size = record_size(&chunk, at);
        if (size == 0)
            break;
        uint64_t number = record_number(&chunk, at);
        outline.highest = number > outline.highest ? number : outline.highest;
        if (number != record)
            continue;
        struct cursor c = cursor_of(bytes.data + at + 16, 8);
        outline.time = cursor_le64(&c);
    }
    return outline;
}
