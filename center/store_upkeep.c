/* SPDX-License-Identifier: Apache-2.0 */
#include "center/store_upkeep.h"

#include "base/clock.h"
#include "center/store_alerts.h"
#include "center/store_audit.h"
#include "center/store_health.h"
#include "center/store_index.h"
#include "center/store_settings.h"
#include "cluster/crypto_sodium.h"

#include <stdio.h>
#include <stdlib.h>

#define AT_A_TIME     500 /* rows in a transaction */
#define PAGES         256 /* given back in one */
#define SEED          "subject-seed"
#define WORKSPACES_AT 64u

bool store_seed(struct store *store, struct subject_seed *seed, struct fault *fault)
{
    char text[32];
    crypto_random(&seed->value, sizeof(seed->value));
    snprintf(text, sizeof(text), "%016llx", (unsigned long long)seed->value);
    if (!store_begin(store, fault))
        return false;
    if (!store_setting_get(store, 0, SEED, text, sizeof(text)))
        store_setting_put(store, 0, SEED, text);
    seed->value = strtoull(text, NULL, 16);
    return store_commit(store, fault);
}

struct workspaces_found {
    uint64_t ids[WORKSPACES_AT];
    unsigned count;
};

static void note_workspace(void *context, const struct stored_workspace *workspace)
{
    struct workspaces_found *found = context;
    if (found->count < WORKSPACES_AT)
        found->ids[found->count++] = workspace->id;
}

static bool give_back_pages(struct store *store)
{
    int64_t free_pages = 0;
    struct store_rows rows = store_query_all(store, "PRAGMA freelist_count");
    if (store_next(&rows))
        free_pages = store_get_int(&rows, 0);
    store_rows_end(&rows);
    /* Some are left, which the next writes will want. */
    if (free_pages <= PAGES)
        return false;
    rows = store_query_all(store, "PRAGMA incremental_vacuum(256)");
    while (store_next(&rows))
        ;
    return !store_failed(store);
}

bool store_upkeep(struct store *store, const struct store_ages *before)
{
    struct workspaces_found found = {.count = 0};
    int64_t gone = 0;
    if (before->activities)
        gone += store_index_expire(store, before->activities / CLOCK_HOUR, AT_A_TIME);
    store_workspaces_list(store, note_workspace, &found);
    for (unsigned i = 0; before->alerts && i < found.count; i++)
        gone += store_alerts_expire(store, found.ids[i], before->alerts, AT_A_TIME);
    if (before->audit)
        gone += store_audit_expire(store, before->audit, AT_A_TIME);
    if (before->health)
        gone += store_health_expire(store, before->health);
    return (give_back_pages(store) || gone >= AT_A_TIME) && !store_failed(store);
}

bool store_check(struct store *store, struct fault *fault)
{
    char text[200] = "";
    struct store_rows rows = store_query_all(store, "PRAGMA quick_check(1)");
    if (store_next(&rows))
        store_get_text(&rows, 0, text, sizeof(text));
    store_rows_end(&rows);
    if (store_failed(store))
        return fault_say(fault, "%s", store_fault(store));
    return strcmp(text, "ok") == 0 || fault_say(fault, "the database is damaged: %s", text);
}
