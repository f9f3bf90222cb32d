/* SPDX-License-Identifier: Apache-2.0 */
#include "center/replay_workspace.h"

#include "center/entities_file.h"
#include "center/entities_store.h"
#include "center/store_settings.h"
#include "center/store_states.h"
#include "cluster/disk.h"

#include <stdio.h>
#include <stdlib.h>

#define SHARDS_MAX 64u

static void take_tag(void *context, int64_t id, const struct stored_tag *tag)
{
    struct guid guid;
    uint32_t fact = entities_fact_by_name(tag->tag);
    (void)id;
    memcpy(guid.bytes, tag->guid, sizeof(guid.bytes));
    if (fact)
        entities_tag(context, tag->has_guid ? &guid : NULL,
                     (struct bytes){(const uint8_t *)tag->name, strlen(tag->name)},
                     (struct bytes){(const uint8_t *)tag->domain, strlen(tag->domain)}, fact);
}

static bool find(struct replay_workspace *self, const char *name, struct fault *fault)
{
    struct stored_workspace found;
    char text[32];
    if (!store_workspace_find(self->store, name, &found))
        return fault_say(fault, "there is no workspace \"%s\"", name);
    self->id = found.id;
    /* By it all that is remembered is keyed; a center that never ran has none. */
    if (store_setting_get(self->store, 0, "subject-seed", text, sizeof(text)))
        self->seed.value = strtoull(text, NULL, 16);
    return true;
}

static bool read_directory(struct replay_workspace *self, struct entities **entities, struct fault *fault)
{
    struct entities_store *kept = entities_store_new(self->id);
    *entities = entities_new(self->seed.value);
    bool fine = kept && *entities;
    if (!fine)
        fault_say(fault, "out of memory");
    fine = fine && entities_store_restore(kept, self->store, *entities, fault);
    entities_store_destroy(&kept);
    if (fine)
        store_tags_list(self->store, self->id, take_tag, *entities);
    return fine;
}

bool replay_workspace_open(struct replay_workspace *self, const char *state, const char *name,
                           struct workspace_settings *settings, struct entities **entities,
                           struct fault *fault)
{
    char path[PATH_SIZE];
    unsigned ignored;
    *self = (struct replay_workspace){0};
    if (!path_join(path, state, "center.db", fault))
        return false;
    self->store = store_open(path, STORE_READER, fault);
    if (!self->store)
        return false;
    if (find(self, name, fault) && read_directory(self, entities, fault)) {
        if (store_workspace_settings(self->store, self->id, settings, &ignored))
            return true;
        fault_say(fault, "%s", store_fault(self->store));
    }
    replay_workspace_close(self);
    return false;
}

void replay_workspace_close(struct replay_workspace *self)
{
    if (self->store)
        store_close(&self->store);
}

static void restore(void *context, const struct state_origin *origin, struct bytes run)
{
    struct pipeline_restored restored;
    pipeline_restore(context, origin->owner, origin->name, origin->version, run, &restored);
}

bool replay_workspace_remember(struct replay_workspace *self, struct pipeline *pipeline, struct fault *fault)
{
    if (!store_begin_reading(self->store, fault))
        return false;
    for (uint32_t shard = 0; shard < SHARDS_MAX; shard++)
        store_states_each(self->store, self->id, shard, restore, pipeline);
    return store_commit(self->store, fault);
}
