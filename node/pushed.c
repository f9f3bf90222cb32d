/* SPDX-License-Identifier: Apache-2.0 */
#include "node/pushed.h"

#include "base/endian.h"
#include "base/log.h"
#include "node/schema.h"

#include <stdio.h>
#include <string.h>

#define FILE_NAME "center-settings"
#define MAGIC     "picketP1"

/* Whole keys, and sections that end with a slash. */
static const char *const allowed[] = {
    "node/description",    "node/log-level",      "directory/controllers",
    "directory/site",      "directory/watched",   "synchronizer/candidate",
    "capture/interfaces",  "capture/controllers", "capture/ports",
    "syslog/listen",       "syslog/allow",        "syslog/connections",
    "syslog/idle",         "syslog/zone",         "radius/listen",
    "radius/client-limit", "wef/https",           "wef/http",
    "wef/sources",         "wef/heartbeat",       "wef/latency",
    "wef/existing",        "naming/methods",      "naming/networks",
    "naming/rate",         "naming/dns-server",   "center/bandwidth",
    "center/hours",        "center/window",
};

bool pushed_allows(const char *key)
{
    for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++)
        if (strcmp(allowed[i], key) == 0)
            return true;
    return false;
}

static void keep_first(void *context, const char *text)
{
    struct fault *fault = context;
    if (fault->text[0] == '\0')
        fault_say(fault, "%s", text);
}

struct config *pushed_parse(struct bytes text, struct fault *fault)
{
    fault->text[0] = '\0';
    struct config *part = config_parse_part(&node_schema, "settings", text, keep_first, fault);
    for (size_t i = 0; part && i < node_schema.rule_count; i++) {
        const char *key = node_schema.rules[i].key;
        if (!config_is_set(part, key) || pushed_allows(key))
            continue;
        fault_say(fault, "settings: %s: only the configuration file of the host sets this", key);
        config_destroy(&part);
    }
    return part;
}

struct config *pushed_load(const struct disk *disk, const char *state, uint64_t *version)
{
    char path[PATH_SIZE];
    struct disk_content content;
    struct fault fault;
    *version = 0;
    if (!path_join(path, state, FILE_NAME, &fault))
        return NULL;
    enum disk_found found =
        disk_read_checked(disk, path, MAGIC, DELIVERY_SETTINGS_MAX + 256u, &content, &fault);
    if (found != DISK_FOUND) {
        if (found == DISK_FAILED)
            log_warning("the center's settings are left out: %s", fault.text);
        return NULL;
    }
    struct cursor c = cursor_of(content.data, content.size);
    *version = cursor_le64(&c);
    struct config *part = c.failed ? NULL : pushed_parse(cursor_take(&c, cursor_left(&c)), &fault);
    disk_content_free(&content);
    if (!part)
        log_warning("the center's settings are left out: %s", c.failed ? "damaged" : fault.text);
    return part;
}

bool pushed_save(uint64_t version, struct bytes text, const struct disk *disk, const char *state,
                 struct fault *fault)
{
    uint8_t bytes[8 + DELIVERY_SETTINGS_MAX];
    if (text.size > DELIVERY_SETTINGS_MAX)
        return fault_say(fault, "settings of more than %u bytes", DELIVERY_SETTINGS_MAX);
    endian_put_le64(bytes, version);
    if (text.size)
        memcpy(bytes + 8, text.data, text.size);
    return disk_replace_checked(disk, state, FILE_NAME, MAGIC, (struct bytes){bytes, 8 + text.size}, fault);
}
