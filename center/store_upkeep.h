/* SPDX-License-Identifier: Apache-2.0
 *
 * What is done to the store beside its use: the installation's secret, the room that it takes, what is too
 * old.
 */
#pragma once

#include "center/store.h"

/* The secret by which subjects are keyed (center/subject.h); made the first time. */
bool store_seed(struct store *store, struct subject_seed *seed, struct fault *fault);

/* Ages before which things are forgotten: ns since 1970; 0: kept. */
struct store_ages {
    int64_t activities, alerts, audit, health;
};
/* Removes some of what is too old, and gives free pages back to the disk, in short transactions, so that
 * nobody waits for long. True: there is more to do. */
bool store_upkeep(struct store *store, const struct store_ages *before);

/* Whether the file is whole, as far as SQLite can tell (quick_check). False with the reason. */
bool store_check(struct store *store, struct fault *fault);
