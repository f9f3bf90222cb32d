/* SPDX-License-Identifier: Apache-2.0
 *
 * What changed in a table is a run (center/state_run.h), appended to those that it has in the store: a row
 * for each state would cost ten times as much. When a table's runs hold as much that is outdated as it has
 * states, all of it is written anew in their place: so the store is never much larger than what is
 * remembered.
 */
#include "center/checkpoint.h"

#include "center/state_run.h"

#include <stdlib.h>
#include <string.h>

#define TABLES_MAX 512u
#define STALE_MAX  512u
#define RUN_BYTES  (32u << 10) /* a run that is longer is cut */
#define RUNS_MAX   4096u       /* of a table: more take long to read */
/* So much is written anew in one checkpoint, and no further large table: else it would take too long. */
#define WHOLE_MOST  (64u << 20)
#define WHOLE_SMALL (1u << 20)
#define KEPT_BYTES  (64u << 20) /* what was needed beyond is given back */

/* A table of the pipeline, and its number in the store: 0 while it has to be asked for. */
struct known_table {
    const char *owner;
    const struct state_form *form;
    int64_t number;
    /* In the store: bytes and states of it when it was written whole, bytes of what changed since, runs. */
    uint64_t whole, states, since, runs;
};

/* A run as it waits. */
struct waiting_run {
    size_t at, size;
    uint32_t table;
    bool whole, first; /* first: it takes the place of those that are there */
    uint64_t states;
};

struct checkpoint {
    uint64_t workspace;
    uint32_t shard, table_count, stale_count;
    struct known_table tables[TABLES_MAX];
    int64_t stale[STALE_MAX];
    uint8_t *bytes; /* the runs, one after the other */
    size_t size, capacity;
    struct waiting_run *runs;
    size_t run_count, run_capacity;
    uint64_t gathered_whole;
    uint64_t position; /* of what was gathered */
    bool failed;       /* no memory */
    struct checkpoint_status status;
};

struct checkpoint *checkpoint_new(uint64_t workspace, uint32_t shard)
{
    struct checkpoint *self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    self->workspace = workspace;
    self->shard = shard;
    return self;
}

void checkpoint_destroy(struct checkpoint **checkpoint)
{
    if (!*checkpoint)
        return;
    free((*checkpoint)->bytes);
    free((*checkpoint)->runs);
    free(*checkpoint);
    *checkpoint = NULL;
}

static uint32_t table_of(struct checkpoint *self, const char *owner, const struct state_form *form)
{
    for (uint32_t i = 0; i < self->table_count; i++)
        if (self->tables[i].form == form && strcmp(self->tables[i].owner, owner) == 0)
            return i;
    if (self->table_count == TABLES_MAX)
        return TABLES_MAX;
    self->tables[self->table_count] = (struct known_table){.owner = owner, .form = form};
    return self->table_count++;
}

static void count_run(struct known_table *table, bool whole, uint64_t bytes, uint64_t states)
{
    table->runs++;
    table->whole += whole ? bytes : 0;
    table->states += whole ? states : 0;
    table->since += whole ? 0 : bytes;
}

/* -- restoring ------------------------------------------------------------------------------------------- */

struct restoring {
    struct checkpoint *self;
    struct pipeline *pipeline;
};

static void note_stale(struct checkpoint *self, int64_t table)
{
    for (uint32_t i = 0; i < self->stale_count; i++)
        if (self->stale[i] == table)
            return;
    if (self->stale_count < STALE_MAX)
        self->stale[self->stale_count++] = table;
}

static void restore_run(void *context, const struct state_origin *origin, struct bytes run)
{
    const struct restoring *r = context;
    struct checkpoint *self = r->self;
    struct pipeline_restored restored = {0};
    const bool fine =
        pipeline_restore(r->pipeline, origin->owner, origin->name, origin->version, run, &restored);
    self->status.restored += restored.states;
    self->status.unknown += !fine;
    if (!restored.form) {
        note_stale(self, origin->table);
        return;
    }
    const uint32_t table = table_of(self, restored.owner, restored.form);
    if (table == TABLES_MAX)
        return;
    count_run(&self->tables[table], origin->whole, run.size, restored.states);
    if (!fine)
        self->tables[table].runs = RUNS_MAX; /* to be written anew */
}

bool checkpoint_restore(struct checkpoint *self, struct store *store, struct pipeline *pipeline,
                        uint64_t *position, struct fault *fault)
{
    struct restoring r = {self, pipeline};
    if (!store_begin_reading(store, fault))
        return false;
    *position = store_position(store, self->workspace, self->shard);
    store_states_each(store, self->workspace, self->shard, restore_run, &r);
    self->position = self->status.position = *position;
    return store_commit(store, fault);
}

/* -- gathering ------------------------------------------------------------------------------------------- */

static bool reserve_run(struct checkpoint *self)
{
    if (self->run_count < self->run_capacity)
        return true;
    size_t capacity = self->run_capacity ? 2 * self->run_capacity : 256;
    struct waiting_run *larger = realloc(self->runs, capacity * sizeof(*larger));
    if (!larger)
        return false;
    self->runs = larger;
    self->run_capacity = capacity;
    return true;
}

static bool reserve(struct checkpoint *self, size_t size)
{
    size_t capacity = self->capacity ? self->capacity : 65536;
    while (capacity - self->size < size)
        capacity *= 2;
    if (capacity == self->capacity)
        return true;
    uint8_t *larger = realloc(self->bytes, capacity);
    if (!larger)
        return false;
    self->bytes = larger;
    self->capacity = capacity;
    return true;
}

static bool begin_run(struct checkpoint *self, uint32_t table, bool whole, bool first)
{
    if (table == TABLES_MAX || !reserve_run(self))
        return false;
    self->runs[self->run_count++] =
        (struct waiting_run){.at = self->size, .table = table, .whole = whole, .first = first};
    return true;
}

/* Whether it is better written anew than added to: by what its states took the last time. */
static bool is_outdated(struct checkpoint *self, const struct known_table *table,
                        const struct state_table_status *status)
{
    const uint64_t each =
        table->states ? table->whole / table->states : STATE_RUN_HEAD + table->form->value_size;
    const uint64_t all = each * status->count, outdated = table->since + each * status->changed;
    if (table->runs < RUNS_MAX && outdated < all)
        return false;
    if (all > WHOLE_SMALL && self->gathered_whole + all > WHOLE_MOST && self->gathered_whole > 0)
        return false;
    self->gathered_whole += all;
    return true;
}

static bool gather_table(void *context, const char *owner, const struct state_form *form,
                         const struct state_table_status *status)
{
    struct checkpoint *self = context;
    if (status->changed == 0)
        return false;
    const uint32_t table = table_of(self, owner, form);
    const bool whole = table < TABLES_MAX && is_outdated(self, &self->tables[table], status);
    self->failed = self->failed || !begin_run(self, table, whole, whole);
    return whole;
}

static void gather_state(void *context, struct subject key, int64_t touched, const void *value)
{
    struct checkpoint *self = context;
    if (self->failed)
        return;
    const struct waiting_run *last = &self->runs[self->run_count - 1];
    const size_t size = self->tables[last->table].form->value_size;
    if ((last->size >= RUN_BYTES && !begin_run(self, last->table, last->whole, false)) ||
        !reserve(self, STATE_RUN_HEAD + size)) {
        self->failed = true;
        return;
    }
    struct waiting_run *run = &self->runs[self->run_count - 1];
    const size_t used = state_run_put(self->bytes + self->size, key, touched, value, size);
    self->size += used;
    run->size += used;
    run->states++;
}

bool checkpoint_gather(struct checkpoint *self, struct pipeline *pipeline, uint64_t position)
{
    const struct pipeline_keeper keeper = {.table = gather_table, .state = gather_state, .context = self};
    pipeline_changes(pipeline, &keeper);
    self->position = position;
    return !self->failed;
}

/* -- writing --------------------------------------------------------------------------------------------- */

static int64_t number_of(struct checkpoint *self, struct store *store, uint32_t table)
{
    struct known_table *known = &self->tables[table];
    if (!known->number)
        known->number = store_state_table(store, self->workspace, self->shard, known->owner,
                                          known->form->name, known->form->version);
    return known->number;
}

static bool write_run(struct checkpoint *self, struct store *store, const struct waiting_run *run)
{
    const int64_t table = number_of(self, store, run->table);
    if (run->first && !store_states_forget(store, table))
        return false;
    return run->size == 0 ||
           store_states_put(store, table, run->whole, (struct bytes){self->bytes + run->at, run->size});
}

bool checkpoint_write(struct checkpoint *self, struct store *store, int64_t wall)
{
    bool fine = true;
    for (uint32_t i = 0; i < self->stale_count && fine; i++)
        fine = store_states_clear(store, self->stale[i]);
    for (size_t i = 0; i < self->run_count && fine; i++)
        fine = write_run(self, store, &self->runs[i]);
    return fine && store_position_put(store, self->workspace, self->shard, self->position, wall);
}

static void count_written(struct checkpoint *self, const struct waiting_run *run)
{
    struct known_table *table = &self->tables[run->table];
    if (run->first)
        table->whole = table->states = table->since = table->runs = 0;
    if (run->size)
        count_run(table, run->whole, run->size, run->states);
    self->status.states += run->states;
}

static void forget_waiting(struct checkpoint *self)
{
    self->size = self->run_count = 0;
    self->gathered_whole = 0;
    self->stale_count = 0;
    if (self->capacity <= KEPT_BYTES)
        return;
    free(self->bytes);
    self->bytes = NULL;
    self->capacity = 0;
}

void checkpoint_ended(struct checkpoint *self, bool committed)
{
    if (!committed) {
        /* Numbers that were given out in it are not. */
        for (uint32_t i = 0; i < self->table_count; i++)
            self->tables[i].number = 0;
        return;
    }
    for (size_t i = 0; i < self->run_count; i++)
        count_written(self, &self->runs[i]);
    self->status.position = self->position;
    forget_waiting(self);
}

void checkpoint_status(const struct checkpoint *checkpoint, struct checkpoint_status *status)
{
    *status = checkpoint->status;
}
