/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/ledger.h"

#include "base/msgpack.h"

#include <errno.h>
#include <stdlib.h>

#define LEDGER_NAME     "ledger"
#define LEDGER_MAGIC    "picketL1"
#define LEDGER_MAX_SIZE (LEDGER_MAX * (CERTIFICATE_MAX_SIZE + 16u))

struct ledger {
    struct ledger_entry *entries;
    unsigned count, capacity;
};

struct ledger *ledger_new(void)
{
    return calloc(1, sizeof(struct ledger));
}

void ledger_destroy(struct ledger **ledger_p)
{
    struct ledger *ledger = *ledger_p;
    if (!ledger)
        return;
    for (unsigned i = 0; i < ledger->count; i++)
        free(ledger->entries[i].certificate);
    free(ledger->entries);
    free(ledger);
    *ledger_p = NULL;
}

static struct ledger_entry *find(const struct ledger *ledger, const struct node_id *id)
{
    for (unsigned i = 0; i < ledger->count; i++)
        if (node_id_equal(&ledger->entries[i].id, id))
            return &ledger->entries[i];
    return NULL;
}

const struct ledger_entry *ledger_find(const struct ledger *ledger, const struct node_id *id)
{
    return find(ledger, id);
}

static struct ledger_entry *append(struct ledger *ledger)
{
    if (ledger->count == ledger->capacity) {
        unsigned capacity = ledger->capacity ? 2 * ledger->capacity : 16;
        if (capacity > LEDGER_MAX)
            return NULL;
        struct ledger_entry *entries = realloc(ledger->entries, capacity * sizeof *entries);
        if (!entries)
            return NULL;
        ledger->entries = entries;
        ledger->capacity = capacity;
    }
    ledger->entries[ledger->count] = (struct ledger_entry){0};
    return &ledger->entries[ledger->count++];
}

bool ledger_note(struct ledger *ledger, struct bytes certificate, uint64_t keep_until)
{
    struct certificate read;
    if (!certificate_read_trusted(&read, certificate))
        return false;
    uint8_t *copy = malloc(certificate.size);
    struct ledger_entry *entry = copy ? find(ledger, &read.grant.id) : NULL;
    if (copy && !entry)
        entry = append(ledger);
    if (!entry) {
        free(copy);
        return false;
    }
    free(entry->certificate);
    memcpy(copy, certificate.data, certificate.size);
    *entry = (struct ledger_entry){.id = read.grant.id,
                                   .generation = read.generation,
                                   .keep_until = keep_until,
                                   .certificate = copy,
                                   .certificate_size = certificate.size};
    memcpy(entry->public_key, read.public_key, PUBLIC_KEY_SIZE);
    memcpy(entry->name, read.name, NAME_MAX_SIZE);
    return true;
}

static void drop(struct ledger *ledger, struct ledger_entry *entry)
{
    free(entry->certificate);
    *entry = ledger->entries[--ledger->count];
}

bool ledger_copy(struct ledger_entry *copy, const struct ledger_entry *entry)
{
    *copy = (struct ledger_entry){0};
    if (!entry)
        return true;
    uint8_t *certificate = malloc(entry->certificate_size);
    if (!certificate)
        return false;
    *copy = *entry;
    copy->certificate = certificate;
    memcpy(certificate, entry->certificate, entry->certificate_size);
    return true;
}

void ledger_copy_free(struct ledger_entry *copy)
{
    free(copy->certificate);
    copy->certificate = NULL;
}

void ledger_restore(struct ledger *ledger, const struct node_id *id, struct ledger_entry *before)
{
    struct ledger_entry *entry = find(ledger, id);
    if (!entry)
        return;
    if (!before->certificate) {
        drop(ledger, entry);
        return;
    }
    free(entry->certificate);
    *entry = *before;
    before->certificate = NULL;
}

void ledger_expire(struct ledger *ledger, uint64_t now)
{
    for (unsigned i = ledger->count; i > 0; i--)
        if (ledger->entries[i - 1].keep_until < now)
            drop(ledger, &ledger->entries[i - 1]);
}

unsigned ledger_count(const struct ledger *ledger)
{
    return ledger->count;
}

const struct ledger_entry *ledger_at(const struct ledger *ledger, unsigned index)
{
    return index < ledger->count ? &ledger->entries[index] : NULL;
}

/* -- on disk: for each entry its time and its certificate ----------------------------------------- */

static bool read_entries(struct ledger *ledger, struct bytes content)
{
    struct cursor c = cursor_of_bytes(content);
    while (!cursor_done(&c)) {
        struct msgpack_item until = msgpack_next(&c);
        struct msgpack_item certificate = msgpack_next(&c);
        if (until.type != MSGPACK_UINT || certificate.type != MSGPACK_BINARY ||
            !ledger_note(ledger, certificate.bytes, until.uint))
            return false;
    }
    return true;
}

struct ledger *ledger_load(const struct disk *disk, const char *directory, struct fault *fault)
{
    char path[PATH_SIZE];
    struct disk_content content;
    struct ledger *ledger = ledger_new();
    if (!ledger || !path_join(path, directory, LEDGER_NAME, fault)) {
        ledger_destroy(&ledger);
        return NULL;
    }
    enum disk_found found = disk_read_checked(disk, path, LEDGER_MAGIC, LEDGER_MAX_SIZE, &content, fault);
    if (found == DISK_ABSENT)
        return ledger;
    if (found == DISK_FOUND) {
        bool fine = read_entries(ledger, (struct bytes){content.data, content.size});
        disk_content_free(&content);
        if (fine)
            return ledger;
        fault_say(fault, "%s: not a ledger that this version understands", path);
    }
    ledger_destroy(&ledger);
    return NULL;
}

bool ledger_save(const struct ledger *ledger, const struct disk *disk, const char *directory,
                 struct fault *fault)
{
    size_t capacity = 0;
    for (unsigned i = 0; i < ledger->count; i++)
        capacity += ledger->entries[i].certificate_size + 16;
    uint8_t *buffer = malloc(capacity + 1);
    if (!buffer)
        return fault_say(fault, "%s: %s", LEDGER_NAME, strerror(ENOMEM));
    struct msgpack_writer w;
    msgpack_writer_init(&w, buffer, capacity);
    for (unsigned i = 0; i < ledger->count; i++) {
        msgpack_put_uint(&w, ledger->entries[i].keep_until);
        msgpack_put_binary(&w, ledger->entries[i].certificate, ledger->entries[i].certificate_size);
    }
    bool fine = disk_replace_checked(disk, directory, LEDGER_NAME, LEDGER_MAGIC,
                                     (struct bytes){buffer, w.size}, fault);
    free(buffer);
    return fine;
}
