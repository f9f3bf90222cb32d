/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit: who changed what, and when. Only ever added to, in the transaction of the change itself; kept as
 * long as retention says.
 */
#pragma once

#include "center/store.h"

struct audit_entry {
    int64_t number;
    uint64_t workspace; /* 0: the installation */
    int64_t at;         /* wall clock, ns since 1970 */
    char who[96];       /* user's name, "token:NAME", or "picket-center" for what happens by itself */
    char what[48];      /* "alert-closed", "setting-changed", ... */
    char object[96];    /* the alert's id in hexadecimal, the setting's name, ... */
    char before[512], after[512];
};
bool store_audit_add(struct store *store, const struct audit_entry *entry);
/* Newest first, those with numbers below `before` (0: all), of an object (NULL: of any). How many. */
size_t store_audit_list(struct store *store, uint64_t workspace, const char *object, int64_t before,
                        uint32_t limit, bool (*visit)(void *context, const struct audit_entry *entry),
                        void *context);
int64_t store_audit_expire(struct store *store, int64_t before, int64_t limit);
