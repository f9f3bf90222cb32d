/* SPDX-License-Identifier: Apache-2.0
 *
 * What the store's own files share.
 */
#pragma once

#include "center/store.h"

#include <sqlite3.h>

#define STORE_STATEMENTS 512u /* a power of two; there are some hundred */

struct store_slot {
    const char *sql;
    sqlite3_stmt *statement;
    bool running;
};

struct store {
    sqlite3 *db;
    enum store_use use;
    bool within; /* a transaction */
    bool failed;
    enum store_trouble trouble;
    char fault[FAULT_MAX];
    struct store_slot slots[STORE_STATEMENTS];
    unsigned slot_count;
};

/* Runs SQL as it stands, not kept prepared; false as store_run. */
bool store_execute(struct store *store, const char *sql);
/* Whether all that was done to it is known to this version. */
bool store_known(struct store *store, struct fault *fault);
/* Runs the migrations that are missing. */
bool store_migrate(struct store *store, struct fault *fault);
