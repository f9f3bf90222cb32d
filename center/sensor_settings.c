/* SPDX-License-Identifier: Apache-2.0 */
#include "center/sensor_settings.h"

#include "base/msgpack.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#define SETTINGS_MAGIC "picketT1"
#define SETTLED_MAGIC  "picketT2"
#define NAME_MAGIC     "picketT3"
#define FILE_MAX       (DELIVERY_SETTINGS_MAX + 512u)
#define FILE_NAME_MAX  (NODE_ID_TEXT_SIZE + 16u)

static enum disk_found load(const struct node_id *node, const char *ending, const char *magic,
                            const struct disk *disk, const char *directory, struct disk_content *content,
                            struct fault *fault)
{
    char name[FILE_NAME_MAX], id[NODE_ID_TEXT_SIZE], path[PATH_SIZE];
    snprintf(name, sizeof(name), "%s.%s", node_id_text(node, id), ending);
    if (!path_join(path, directory, name, fault))
        return DISK_FAILED;
    return disk_read_checked(disk, path, magic, FILE_MAX, content, fault);
}

static bool save(const struct node_id *node, const char *ending, const char *magic, const struct disk *disk,
                 const char *directory, const struct msgpack_writer *w, struct fault *fault)
{
    char name[FILE_NAME_MAX], id[NODE_ID_TEXT_SIZE];
    snprintf(name, sizeof(name), "%s.%s", node_id_text(node, id), ending);
    if (w->full)
        return fault_say(fault, "too long");
    return disk_replace_checked(disk, directory, name, magic, (struct bytes){w->data, w->size}, fault);
}

/* At most `max` bytes of a string or of binary. */
static size_t take_bytes(struct cursor *c, enum msgpack_type type, void *to, size_t max)
{
    struct bytes bytes = msgpack_take_bytes(c, type, max);
    if (bytes.size)
        memcpy(to, bytes.data, bytes.size);
    return bytes.size;
}

static enum disk_found ended(const struct cursor *c, struct disk_content *content, struct fault *fault)
{
    bool fine = cursor_done(c);
    disk_content_free(content);
    if (!fine)
        fault_say(fault, "a file about a sensor is damaged");
    return fine ? DISK_FOUND : DISK_FAILED;
}

enum disk_found sensor_settings_load(struct sensor_settings *to, const struct disk *disk,
                                     const char *directory, const struct node_id *node, struct fault *fault)
{
    struct disk_content content;
    memset(to, 0, sizeof(*to));
    enum disk_found found = load(node, "settings", SETTINGS_MAGIC, disk, directory, &content, fault);
    if (found != DISK_FOUND)
        return found;
    struct cursor c = cursor_of(content.data, content.size);
    to->version = msgpack_take_uint(&c, UINT64_MAX);
    to->size = take_bytes(&c, MSGPACK_BINARY, to->text, sizeof(to->text));
    return ended(&c, &content, fault);
}

bool sensor_settings_save(struct bytes text, const struct disk *disk, const char *directory,
                          const struct node_id *node, struct fault *fault)
{
    uint8_t bytes[FILE_MAX];
    struct msgpack_writer w;
    struct sensor_settings before;
    if (text.size > DELIVERY_SETTINGS_MAX)
        return fault_say(fault, "settings of more than %u bytes", DELIVERY_SETTINGS_MAX);
    if (sensor_settings_load(&before, disk, directory, node, fault) == DISK_FAILED)
        return false;
    msgpack_writer_init(&w, bytes, sizeof(bytes));
    msgpack_put_uint(&w, before.version + 1);
    msgpack_put_binary(&w, text.data, text.size);
    return save(node, "settings", SETTINGS_MAGIC, disk, directory, &w, fault);
}

enum disk_found sensor_settled_load(struct sensor_settled *to, const struct disk *disk, const char *directory,
                                    const struct node_id *node, struct fault *fault)
{
    struct disk_content content;
    memset(to, 0, sizeof(*to));
    enum disk_found found = load(node, "settled", SETTLED_MAGIC, disk, directory, &content, fault);
    if (found != DISK_FOUND)
        return found;
    struct cursor c = cursor_of(content.data, content.size);
    to->version = msgpack_take_uint(&c, UINT64_MAX);
    to->how = (enum delivery_settled)msgpack_take_uint(&c, UINT64_MAX);
    to->at = (int64_t)msgpack_take_uint(&c, UINT64_MAX);
    take_bytes(&c, MSGPACK_STRING, to->text, sizeof(to->text) - 1);
    if (to->how < DELIVERY_IN_EFFECT || to->how > DELIVERY_UNFIT)
        cursor_fail(&c);
    return ended(&c, &content, fault);
}

bool sensor_settled_save(const struct sensor_settled *settled, const struct disk *disk, const char *directory,
                         const struct node_id *node, struct fault *fault)
{
    uint8_t bytes[FILE_MAX];
    struct msgpack_writer w;
    msgpack_writer_init(&w, bytes, sizeof(bytes));
    msgpack_put_uint(&w, settled->version);
    msgpack_put_uint(&w, (uint64_t)settled->how);
    msgpack_put_uint(&w, settled->at > 0 ? (uint64_t)settled->at : 0);
    msgpack_put_text(&w, settled->text);
    return save(node, "settled", SETTLED_MAGIC, disk, directory, &w, fault);
}

void sensor_name_load(char name[NAME_MAX_SIZE], const struct disk *disk, const char *directory,
                      const struct node_id *node)
{
    struct disk_content content;
    struct fault fault;
    memset(name, 0, NAME_MAX_SIZE);
    if (load(node, "name", NAME_MAGIC, disk, directory, &content, &fault) != DISK_FOUND)
        return;
    struct cursor c = cursor_of(content.data, content.size);
    take_bytes(&c, MSGPACK_STRING, name, NAME_MAX_SIZE - 1);
    disk_content_free(&content);
}

bool sensor_name_save(const char *name, const struct disk *disk, const char *directory,
                      const struct node_id *node, struct fault *fault)
{
    uint8_t bytes[FILE_MAX];
    char known[NAME_MAX_SIZE];
    struct msgpack_writer w;
    sensor_name_load(known, disk, directory, node);
    if (strcmp(known, name) == 0)
        return true;
    msgpack_writer_init(&w, bytes, sizeof(bytes));
    msgpack_put_text(&w, name);
    return save(node, "name", NAME_MAGIC, disk, directory, &w, fault);
}

bool sensors_each(const char *directory, void (*visit)(void *context, const struct node_id *node),
                  void *context, struct fault *fault)
{
    DIR *files = opendir(directory);
    if (!files)
        return errno == ENOENT || fault_say(fault, "%s: %s", directory, strerror(errno));
    unsigned count = 0;
    for (const struct dirent *file; count < SENSORS_MAX && (file = readdir(files));) {
        char id[NODE_ID_TEXT_SIZE] = {0};
        struct node_id node;
        if (strlen(file->d_name) != NODE_ID_TEXT_SIZE - 1 + strlen(".name") ||
            strcmp(file->d_name + NODE_ID_TEXT_SIZE - 1, ".name") != 0)
            continue;
        memcpy(id, file->d_name, NODE_ID_TEXT_SIZE - 1);
        if (!node_id_parse(&node, id))
            continue;
        visit(context, &node);
        count++;
    }
    closedir(files);
    return true;
}
