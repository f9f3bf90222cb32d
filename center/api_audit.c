/* SPDX-License-Identifier: Apache-2.0 */
#include "center/api_audit.h"

#include "center/store_audit.h"

#include <stdio.h>

bool api_change(struct api_work *work, bool (*change)(struct api_work *work))
{
    struct fault fault;
    if (!store_begin(work->store, &fault))
        return api_problem(work, 503, "the store: %s", fault.text);
    if (!change(work)) {
        store_abandon(work->store);
        return false;
    }
    return store_commit(work->store, &fault) || api_problem(work, 503, "the store: %s", fault.text);
}

void api_audit_add(struct api_work *work, uint64_t workspace, const char *what, const char *object,
                   const char *before, const char *after)
{
    struct audit_entry entry = {.workspace = workspace, .at = clock_wall(work->core->clock)};
    snprintf(entry.who, sizeof(entry.who), "%s", work->caller.name);
    snprintf(entry.what, sizeof(entry.what), "%s", what);
    snprintf(entry.object, sizeof(entry.object), "%s", object);
    snprintf(entry.before, sizeof(entry.before), "%s", before ? before : "");
    snprintf(entry.after, sizeof(entry.after), "%s", after ? after : "");
    store_audit_add(work->store, &entry);
}
