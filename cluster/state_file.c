/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/state_file.h"

#include "base/endian.h"
#include "base/msgpack.h"
#include "cluster/crypto_sodium.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define SLOT_MAGIC  "picketS1"
#define PEERS_MAGIC "picketP1"
#define PEERS_NAME  "peers"
#define SLOT_HEAD   20u

static const char *const slot_names[2] = {"state.0", "state.1"};

struct state_file {
    const struct disk *disk;
    int files[2];
    off_t sizes[2];
    unsigned current; /* the slot with the newest good state: the other one is written next */
    uint64_t version;
    size_t payload_size;
    uint8_t buffer[STATE_SLOT_MAX + 1]; /* the loaded slot, later the one being written */
    uint8_t second[STATE_SLOT_MAX + 1];
};

/* -- a slot --------------------------------------------------------------------------------------- */

enum slot_verdict state_slot_read(struct bytes slot, uint64_t *version, struct bytes *payload)
{
    struct cursor c = cursor_of_bytes(slot);
    uint8_t digest[DIGEST_SIZE];
    if (slot.size == 0)
        return SLOT_EMPTY;
    if (slot.size < SLOT_HEAD)
        return SLOT_SHORT;
    if (!cursor_match(&c, SLOT_MAGIC, 8))
        return SLOT_DAMAGED;
    *version = cursor_be64(&c);
    uint32_t size = cursor_be32(&c);
    if (size > STATE_PAYLOAD_MAX)
        return SLOT_DAMAGED;
    if (cursor_left(&c) < size + DIGEST_SIZE)
        return SLOT_SHORT;
    *payload = cursor_take(&c, size);
    crypto_digest(digest, slot.data, SLOT_HEAD + size);
    return cursor_match(&c, digest, DIGEST_SIZE) && cursor_done(&c) ? SLOT_GOOD : SLOT_DAMAGED;
}

size_t state_slot_write(uint8_t *to, uint64_t version, struct bytes payload)
{
    memcpy(to, SLOT_MAGIC, 8);
    endian_put_be64(to + 8, version);
    endian_put_be32(to + 16, (uint32_t)payload.size);
    if (payload.size)
        memcpy(to + SLOT_HEAD, payload.data, payload.size);
    crypto_digest(to + SLOT_HEAD + payload.size, to, SLOT_HEAD + payload.size);
    return SLOT_HEAD + payload.size + DIGEST_SIZE;
}

/* -- the file ------------------------------------------------------------------------------------- */

static bool open_slot(struct state_file *self, unsigned slot, const char *directory, struct fault *fault)
{
    char path[PATH_SIZE];
    const struct disk *disk = self->disk;
    if (!path_join(path, directory, slot_names[slot], fault))
        return false;
    self->files[slot] =
        disk->open(disk->context, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    struct stat status;
    if (self->files[slot] < 0 || disk->status(disk->context, self->files[slot], &status) != 0)
        return fault_say(fault, "%s: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return fault_say(fault, "%s: not a regular file", path);
    self->sizes[slot] = status.st_size;
    return true;
}

/* One byte more than the longest slot, so that a longer file shows. */
static bool load_slot(struct state_file *self, unsigned slot, uint8_t *to, size_t *size)
{
    *size = 0;
    while (*size < STATE_SLOT_MAX + 1) {
        ssize_t n = self->disk->read(self->disk->context, self->files[slot], to + *size,
                                     STATE_SLOT_MAX + 1 - *size, (off_t)*size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (n == 0)
            break;
        *size += (size_t)n;
    }
    return true;
}

static const char *const slot_texts[] = {
    [SLOT_GOOD] = "good", [SLOT_EMPTY] = "empty", [SLOT_SHORT] = "cut short", [SLOT_DAMAGED] = "damaged"};

/* The newest of two slots. A pair of the same version was never written by this program: neither can be
 * trusted to be the newest, as some other program or a copy of the disk had its hand in it. */
static enum state_verdict choose(struct state_file *self, enum slot_verdict verdicts[2],
                                 const uint64_t versions[2], struct fault *fault)
{
    bool good[2] = {verdicts[0] == SLOT_GOOD, verdicts[1] == SLOT_GOOD};
    if (good[0] && good[1] && versions[0] == versions[1]) {
        self->version = versions[0];
        fault_say(fault, "state: both slots have the version %llu: neither is used",
                  (unsigned long long)versions[0]);
        return STATE_LOST;
    }
    if (good[0] || good[1]) {
        self->current = good[1] && (!good[0] || versions[1] > versions[0]);
        self->version = versions[self->current];
        return STATE_GOOD;
    }
    if (verdicts[0] == SLOT_EMPTY && verdicts[1] == SLOT_EMPTY)
        return STATE_FRESH;
    /* The first save ever was cut: it had not been acknowledged, so nothing is lost. */
    if ((verdicts[0] == SLOT_SHORT && verdicts[1] == SLOT_EMPTY) ||
        (verdicts[1] == SLOT_SHORT && verdicts[0] == SLOT_EMPTY))
        return STATE_FRESH;
    fault_say(fault, "state: slot 0 is %s, slot 1 is %s: nothing of it can be used", slot_texts[verdicts[0]],
              slot_texts[verdicts[1]]);
    return STATE_LOST;
}

static bool load(struct state_file *self, enum state_verdict *verdict, struct fault *fault)
{
    uint8_t *buffers[2] = {self->buffer, self->second};
    enum slot_verdict verdicts[2];
    uint64_t versions[2] = {0};
    struct bytes payloads[2] = {{0}};
    for (unsigned i = 0; i < 2; i++) {
        size_t size;
        if (!load_slot(self, i, buffers[i], &size))
            return fault_say(fault, "%s: %s", slot_names[i], strerror(errno));
        verdicts[i] = state_slot_read((struct bytes){buffers[i], size}, &versions[i], &payloads[i]);
    }
    *verdict = choose(self, verdicts, versions, fault);
    if (*verdict != STATE_GOOD)
        return true;
    struct bytes payload = payloads[self->current];
    self->payload_size = payload.size;
    memmove(self->buffer, payload.data, payload.size);
    return true;
}

struct state_file *state_file_open(const struct disk *disk, const char *directory,
                                   enum state_verdict *verdict, struct fault *fault)
{
    struct state_file *self = calloc(1, sizeof *self);
    *verdict = STATE_LOST;
    if (!self) {
        fault_say(fault, "state: %s", strerror(ENOMEM));
        return NULL;
    }
    self->disk = disk;
    self->files[0] = self->files[1] = -1;
    self->current = 1;
    if (!open_slot(self, 0, directory, fault) || !open_slot(self, 1, directory, fault)) {
        state_file_close(&self);
        return NULL;
    }
    /* The slots' names must be there after a crash, or a later save would be lost with them. */
    if (disk->sync_directory(disk->context, directory) != 0) {
        fault_say(fault, "%s: %s", directory, strerror(errno));
        state_file_close(&self);
        return NULL;
    }
    if (!load(self, verdict, fault))
        state_file_close(&self);
    return self;
}

void state_file_close(struct state_file **self_p)
{
    struct state_file *self = *self_p;
    if (!self)
        return;
    for (unsigned i = 0; i < 2; i++)
        if (self->files[i] >= 0)
            self->disk->close(self->disk->context, self->files[i]);
    free(self);
    *self_p = NULL;
}

struct bytes state_file_payload(const struct state_file *self)
{
    return (struct bytes){self->buffer, self->payload_size};
}

uint64_t state_file_version(const struct state_file *self)
{
    return self->version;
}

/* The slot is cut first when it was longer: a slot longer than it says is damage, not a crash. */
static bool write_slot(struct state_file *self, unsigned slot, size_t size)
{
    const struct disk *disk = self->disk;
    int file = self->files[slot];
    if (self->sizes[slot] > (off_t)size && disk->truncate(disk->context, file, (off_t)size) != 0)
        return false;
    /* Unknown until all of it is there. */
    self->sizes[slot] = STATE_SLOT_MAX + 1;
    if (!disk_write_all(disk, file, self->buffer, size, 0) || disk->sync(disk->context, file) != 0)
        return false;
    self->sizes[slot] = (off_t)size;
    return true;
}

bool state_file_save(struct state_file *self, struct bytes payload, struct fault *fault)
{
    self->payload_size = 0;
    if (payload.size > STATE_PAYLOAD_MAX)
        return fault_say(fault, "state: %zu bytes are too many", payload.size);
    unsigned slot = !self->current;
    size_t size = state_slot_write(self->buffer, self->version + 1, payload);
    if (!write_slot(self, slot, size))
        return fault_say(fault, "%s: %s", slot_names[slot], strerror(errno));
    self->version++;
    self->current = slot;
    return true;
}

/* -- known peers ---------------------------------------------------------------------------------- */

struct peers_writer {
    uint8_t *data;
    size_t capacity;
    struct msgpack_writer out;
    bool failed;
};

struct peers_writer *peers_writer_new(void)
{
    return calloc(1, sizeof(struct peers_writer));
}

static bool grow(struct peers_writer *self, size_t room)
{
    if (self->capacity - self->out.size >= room)
        return true;
    size_t capacity = self->capacity ? 2 * self->capacity : 65536;
    if (capacity > PEERS_MAX_SIZE)
        return false;
    uint8_t *data = realloc(self->data, capacity);
    if (!data)
        return false;
    self->out.data = self->data = data;
    self->out.capacity = self->capacity = capacity;
    return true;
}

void peers_writer_add(void *writer, struct bytes record)
{
    struct peers_writer *self = writer;
    if (self->failed || record.size > 32768 || !grow(self, record.size + 8))
        self->failed = true;
    else
        msgpack_put_binary(&self->out, record.data, record.size);
}

bool peers_writer_save(struct peers_writer **writer, const struct disk *disk, const char *directory,
                       struct fault *fault)
{
    struct peers_writer *self = *writer;
    bool fine = self && !self->failed;
    if (!fine)
        fault_say(fault, "%s: too many, or no memory", PEERS_NAME);
    else
        fine = disk_replace_checked(disk, directory, PEERS_NAME, PEERS_MAGIC,
                                    (struct bytes){self->data, self->out.size}, fault);
    if (self)
        free(self->data);
    free(self);
    *writer = NULL;
    return fine;
}

enum disk_found peers_load(const struct disk *disk, const char *directory,
                           void (*visit)(void *context, struct bytes record), void *context,
                           struct fault *fault)
{
    char path[PATH_SIZE];
    struct disk_content content;
    if (!path_join(path, directory, PEERS_NAME, fault))
        return DISK_FAILED;
    enum disk_found found = disk_read_checked(disk, path, PEERS_MAGIC, PEERS_MAX_SIZE, &content, fault);
    if (found != DISK_FOUND)
        return found;
    struct cursor c = cursor_of(content.data, content.size);
    while (!cursor_done(&c)) {
        struct msgpack_item item = msgpack_next(&c);
        if (item.type == MSGPACK_BINARY)
            visit(context, item.bytes);
    }
    disk_content_free(&content);
    return DISK_FOUND;
}
