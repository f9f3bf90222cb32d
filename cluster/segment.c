/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/segment.h"

#include "base/endian.h"

#include <errno.h>
#define XXH_STATIC_LINKING_ONLY /* for a state on the stack */
#include <xxhash.h>

#define ENTRY_MAGIC UINT32_C(0x31657053) /* "Spe1" */
#define CHECKSUM_AT 32u /* in an entry's header: over what stands before it, and the payload */

struct entry_header {
    uint32_t size;
    uint64_t sequence;
    int64_t wall;
    uint32_t kind;
    uint64_t checksum;
};

static bool read_all(const struct segment *self, const struct disk *disk, void *to, size_t size, size_t at)
{
    uint8_t *bytes = to;
    while (size) {
        ssize_t got = disk->read(disk->context, self->file, bytes, size, (off_t)at);
        if (got <= 0)
            return false;
        bytes += got;
        at += (size_t)got;
        size -= (size_t)got;
    }
    return true;
}

/* Each part is seeded with the sum so far; empty ones do not count. */
static uint64_t checksum(uint64_t number, const uint8_t *header, size_t header_size,
                         const struct bytes *payload)
{
    uint64_t head = XXH3_64bits_withSeed(header, header_size, number);
    return payload && payload->size ? XXH3_64bits_withSeed(payload->data, payload->size, head) : head;
}

static void header_write(uint8_t to[SEGMENT_ENTRY_SIZE], const struct entry_header *header)
{
    endian_put_le32(to, ENTRY_MAGIC);
    endian_put_le32(to + 4, header->size);
    endian_put_le64(to + 8, header->sequence);
    endian_put_le64(to + 16, (uint64_t)header->wall);
    endian_put_le32(to + 24, header->kind);
    endian_put_le32(to + 28, 0);
    endian_put_le64(to + CHECKSUM_AT, header->checksum);
}

static bool header_read(struct entry_header *header, const uint8_t from[SEGMENT_ENTRY_SIZE])
{
    struct cursor c = cursor_of(from, SEGMENT_ENTRY_SIZE);
    bool magic = cursor_le32(&c) == ENTRY_MAGIC;
    header->size = cursor_le32(&c);
    header->sequence = cursor_le64(&c);
    header->wall = (int64_t)cursor_le64(&c);
    header->kind = cursor_le32(&c);
    cursor_skip(&c, 4);
    header->checksum = cursor_le64(&c);
    return magic;
}

bool segment_begin(struct segment *self, const struct disk *disk, const char magic[8], uint64_t number,
                   uint64_t first)
{
    uint8_t header[SEGMENT_HEADER_SIZE];
    memcpy(header, magic, 8);
    endian_put_le64(header + 8, number);
    endian_put_le64(header + 16, checksum(number, header, 16, NULL));
    if (disk->truncate(disk->context, self->file, 0) != 0 ||
        !disk_write_all(disk, self->file, header, sizeof header, 0))
        return false;
    *self = (struct segment){
        .file = self->file, .number = number, .size = SEGMENT_HEADER_SIZE, .first = first, .last = first - 1};
    return true;
}

/* The parts' sum is that of the payload as it is read: one run of bytes. */
static uint64_t checksum_of_parts(uint64_t number, const uint8_t *header, const struct bytes *parts,
                                  unsigned count, size_t size)
{
    uint64_t head = checksum(number, header, CHECKSUM_AT, NULL);
    if (size == 0)
        return head;
    if (count == 1)
        return XXH3_64bits_withSeed(parts->data, parts->size, head);
    XXH3_state_t state;
    XXH3_64bits_reset_withSeed(&state, head);
    for (unsigned i = 0; i < count; i++)
        if (parts[i].size)
            XXH3_64bits_update(&state, parts[i].data, parts[i].size);
    return XXH3_64bits_digest(&state);
}

bool segment_append(struct segment *self, const struct disk *disk, int64_t wall, uint32_t kind,
                    const struct bytes *parts, unsigned count)
{
    size_t size = 0;
    for (unsigned i = 0; i < count; i++)
        size += parts[i].size;
    struct entry_header header = {
        .size = (uint32_t)size, .sequence = self->last + 1, .wall = wall, .kind = kind};
    uint8_t bytes[SEGMENT_ENTRY_SIZE];
    header_write(bytes, &header);
    header.checksum = checksum_of_parts(self->number, bytes, parts, count, size);
    header_write(bytes, &header);
    /* What fails half-way is written over by the next entry: `size` does not move. */
    size_t at = self->size;
    if (!disk_write_all(disk, self->file, bytes, sizeof bytes, (off_t)at))
        return false;
    at += sizeof bytes;
    for (unsigned i = 0; i < count; i++) {
        if (!disk_write_all(disk, self->file, parts[i].data, parts[i].size, (off_t)at))
            return false;
        at += parts[i].size;
    }
    if (self->entries++ == 0) {
        self->first = header.sequence;
        self->oldest = wall;
    }
    self->last = header.sequence;
    self->size = at;
    return true;
}

bool segment_read(const struct segment *self, const struct disk *disk, size_t *at, size_t end,
                  struct segment_entry *entry, uint8_t *scratch)
{
    uint8_t bytes[SEGMENT_ENTRY_SIZE];
    struct entry_header header;
    if (end < *at || end - *at < SEGMENT_ENTRY_SIZE ||
        !read_all(self, disk, bytes, SEGMENT_ENTRY_SIZE, *at) || !header_read(&header, bytes) ||
        header.size > end - *at - SEGMENT_ENTRY_SIZE || header.size > SEGMENT_PAYLOAD_MAX ||
        !read_all(self, disk, scratch, header.size, *at + SEGMENT_ENTRY_SIZE))
        return false;
    const struct bytes payload = {scratch, header.size};
    if (checksum(self->number, bytes, CHECKSUM_AT, &payload) != header.checksum)
        return false;
    *entry = (struct segment_entry){
        .sequence = header.sequence, .wall = header.wall, .kind = header.kind, .size = header.size};
    *at += SEGMENT_ENTRY_SIZE + header.size;
    return true;
}

bool segment_read_header(const struct segment *self, const struct disk *disk, const char magic[8],
                         uint64_t *number)
{
    uint8_t bytes[SEGMENT_HEADER_SIZE];
    if (!read_all(self, disk, bytes, sizeof bytes, 0))
        return false;
    struct cursor c = cursor_of(bytes, sizeof bytes);
    bool right = cursor_match(&c, magic, 8);
    *number = cursor_le64(&c);
    return right && *number != 0 && *number <= SEGMENT_NUMBER_MAX &&
           checksum(*number, bytes, 16, NULL) == cursor_le64(&c);
}

static bool unreadable(struct fault *fault)
{
    return fault_say(fault, "a segment cannot be read: %s", strerror(errno));
}

bool segment_recover(struct segment *self, const struct disk *disk, const char magic[8], uint8_t *scratch,
                     bool *damaged, struct fault *fault)
{
    struct stat status;
    uint64_t number;
    *damaged = false;
    if (disk->status(disk->context, self->file, &status) != 0)
        return unreadable(fault);
    size_t end = (size_t)status.st_size;
    if (end < SEGMENT_HEADER_SIZE)
        return true;
    errno = 0;
    if (!segment_read_header(self, disk, magic, &number)) {
        *damaged = true;
        return errno == 0 || unreadable(fault);
    }
    *self = (struct segment){.file = self->file, .number = number, .size = SEGMENT_HEADER_SIZE};
    struct segment_entry entry;
    size_t at = self->size;
    while (segment_read(self, disk, &at, end, &entry, scratch) && entry.sequence - 1 < SEGMENT_NUMBER_MAX &&
           (self->entries == 0 || entry.sequence == self->last + 1)) {
        if (self->entries++ == 0) {
            self->first = entry.sequence;
            self->oldest = entry.wall;
        }
        self->last = entry.sequence;
        self->size = at;
    }
    *damaged = self->size != end;
    return true;
}
