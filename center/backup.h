/* SPDX-License-Identifier: Apache-2.0
 *
 * A backup of the center's state while it runs: first the store as it was at one moment (SQLite's online
 * backup), then the log, which so goes at least as far; what it has beyond the store's position is looked at
 * again after a restore, as after a crash. The key and what else stands in the state goes with them; so a
 * backup is as secret as the state.
 */
#pragma once

#include "base/fault.h"

#include <stdint.h>

struct backup_result {
    uint64_t files, bytes;
    uint64_t position; /* of the log, that all pipelines had committed */
    int64_t at;        /* wall clock, ns: of the store */
};

/* Into a directory that is not there yet, or empty. False with the reason; what is there then is no backup,
 * and restore says so. */
bool backup_make(const char *state, const char *directory, struct backup_result *result, struct fault *fault);

/* Back into a state that has neither store nor log; the center does not run. The backup is checked first.
 * False with the reason. */
bool backup_restore(const char *directory, const char *state, struct backup_result *result,
                    struct fault *fault);
