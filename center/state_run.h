/* SPDX-License-Identifier: Apache-2.0
 *
 * States as a checkpoint keeps them: one behind the other, in any order. Of runs that follow each other the
 * later one counts. Pure.
 */
#pragma once

#include "center/state_value.h"
#include "center/subject.h"

/* Beyond the value itself. */
#define STATE_RUN_HEAD 27u

/* Puts the value of a subject, `size` bytes, at most STATE_VALUE_MAX, packed; NULL: it is gone. `to` has room
 * for STATE_RUN_HEAD + size bytes. How many it took. */
size_t state_run_put(uint8_t *to, struct subject key, int64_t touched, const uint8_t *value, size_t size);

/* Likewise a value that was packed before. */
size_t state_run_put_packed(uint8_t *to, struct subject key, int64_t touched, struct bytes packed);

struct state_run_item {
    struct subject key;
    int64_t touched;
    bool gone;
    struct bytes packed; /* center/state_value.h */
};
/* The next one. False: that was all; or, the cursor has failed, it is no run. */
bool state_run_next(struct cursor *run, struct state_run_item *item);
