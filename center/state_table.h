/* SPDX-License-Identifier: Apache-2.0
 *
 * What a detector or the profiler remembers of many subjects: a table of values of one fixed size by subject,
 * which grows up to a bound, forgets what was not touched for longer than it lives, and when it is full the
 * quarter that was touched longest ago: who floods it with new subjects pushes out old ones, and is counted.
 *
 * A checkpoint takes what changed since the one before, so that the table can be had back after a crash as it
 * was at that point. Values are plain bytes without pointers; a change of their layout changes `version`.
 * Pure.
 */
#pragma once

#include "center/subject.h"

struct state_form {
    const char *name;    /* of the table, unique among those of its owner; a word */
    uint32_t version;    /* of the value's layout: 1, 2, ... */
    uint32_t value_size; /* bytes */
    uint32_t capacity;   /* the most subjects there can be */
    int64_t lifetime;    /* ns of the activities' time since it was touched; 0: for ever */
};

struct state_table;

/* NULL without memory. `form` must outlive it. */
struct state_table *state_table_new(const struct state_form *form, uint64_t seed);
void state_table_destroy(struct state_table **table);
const struct state_form *state_table_form(const struct state_table *table);

/* The value of a subject, to be changed: counts as touched at `now`. A new one is zeroed, `*added` (may be
 * NULL) says so. Valid until the next call. NULL without memory. */
void *state_table_use(struct state_table *table, struct subject key, int64_t now, bool *added);
/* The same for a value that was just had from state_table_look: it need not be searched for again. */
void *state_table_renew(struct state_table *table, const void *value, int64_t now);
/* Says that it will be wanted soon (base/hash_table.h). */
void state_table_prefetch(const struct state_table *table, struct subject key);
/* Only to be read; does not count as touched. NULL: there is none, or its time is over. */
const void *state_table_look(const struct state_table *table, struct subject key, int64_t now);
void state_table_forget(struct state_table *table, struct subject key);

/* Drops what is too old; to be called now and then (the runner does, as the activities' time goes on). */
void state_table_expire(struct state_table *table, int64_t now);

/* Each value. Neither may change the table. */
void state_table_each(const struct state_table *table,
                      void (*visit)(void *context, struct subject key, int64_t touched, const void *value),
                      void *context);

/* What changed since the last call: for each subject the value, or NULL when it is gone (of one that came and
 * went since then nothing is told). After it all of it counts as kept. */
void state_table_changes(struct state_table *table,
                         void (*visit)(void *context, struct subject key, int64_t touched, const void *value),
                         void *context);
/* Likewise each value there is, changed or not; of those that are gone nothing is told. */
void state_table_whole(struct state_table *table,
                       void (*visit)(void *context, struct subject key, int64_t touched, const void *value),
                       void *context);
/* Puts back a value of an earlier run, NULL: it was gone; does not count as a change. When there were more
 * than there may be now, old ones are pushed out. False: without memory. */
bool state_table_restore(struct state_table *table, struct subject key, int64_t touched, const void *value);

struct state_table_status {
    uint32_t count, capacity;
    uint32_t changed;     /* about so many since changes were taken, with those that are gone */
    uint64_t pushed_out;  /* forgotten because it was full */
    int64_t pushed_until; /* what was touched since then is all there; 0: everything */
    uint64_t bytes;       /* memory */
};
void state_table_status(const struct state_table *table, struct state_table_status *status);
