/* SPDX-License-Identifier: Apache-2.0 */
#include "node/reload.h"

#include "node/schema.h"

/* daemon.c puts them into effect; the log's are by reading the file. */
static const char *const live[] = {
    "node/log-level",      "node/log-form", "governor/reserve-cpu", "governor/reserve-memory",
    "capture/controllers", "capture/ports", "capture/bpf",
};

bool reload_is_live(const char *key)
{
    for (size_t i = 0; i < sizeof(live) / sizeof(live[0]); i++)
        if (strcmp(live[i], key) == 0)
            return true;
    return false;
}

static unsigned list(struct text *t, bool wanted, const struct config *before, const struct config *now)
{
    unsigned count = 0;
    for (size_t i = 0; i < node_schema.rule_count; i++) {
        const char *key = node_schema.rules[i].key;
        if (reload_is_live(key) != wanted || config_same(before, now, key))
            continue;
        if (count++ > 0)
            text_string(t, ", ");
        text_string(t, key);
    }
    return count;
}

bool reload_waits(const struct config *running, const struct config *now)
{
    char keys[2048];
    struct text k = text_to(keys, sizeof(keys));
    return list(&k, false, running, now) > 0;
}

void reload_say(struct text *t, const struct config *running, const struct config *newest,
                const struct config *now)
{
    char keys[2048];
    struct text k = text_to(keys, sizeof(keys));
    unsigned changed = list(&k, true, newest, now);
    text_end(&k);
    text_string(t, changed ? "changed: " : "nothing changed that takes effect now");
    text_string(t, changed ? keys : "");
    k = text_to(keys, sizeof(keys));
    unsigned waiting = list(&k, false, running, now);
    text_end(&k);
    if (waiting) {
        text_string(t, "; takes effect at the next start: ");
        text_string(t, keys);
    }
}
