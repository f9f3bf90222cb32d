/* SPDX-License-Identifier: Apache-2.0
 *
 * Health issues as they are kept. One of a number about an object is open at most once; what opens and closes
 * them is center/health.h.
 */
#pragma once

#include "center/alert.h"
#include "center/store.h"

struct stored_health {
    int64_t id;
    uint64_t workspace; /* 0: the center */
    uint32_t number;    /* as published: 1001, ... */
    char object[128];   /* which node, domain, endpoint; empty: the center */
    enum severity severity;
    char title[128], detail[512];
    int64_t opened, changed, closed; /* wall clock, ns; closed 0: it is open */
};
/* Opens it, or changes the detail and severity of the open one. `*opened` (may be NULL): it was not open. */
bool store_health_open(struct store *store, const struct stored_health *issue, bool *opened);
/* False: it was not open. */
bool store_health_close(struct store *store, uint64_t workspace, uint32_t number, const char *object,
                        int64_t at);
/* Newest first; `workspace` 0: the center's own, UINT64_MAX: all. */
size_t store_health_list(struct store *store, uint64_t workspace, bool open_only, uint32_t limit,
                         bool (*visit)(void *context, const struct stored_health *issue), void *context);
int64_t store_health_expire(struct store *store, int64_t closed_before);
