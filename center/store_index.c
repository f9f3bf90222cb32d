/* SPDX-License-Identifier: Apache-2.0
 *
 * A row is a subject's hour. Its positions are runs: the first, how many, and the distances between them, as
 * numbers of seven bits a byte, the lowest first. A checkpoint appends a run; so it costs some bytes for each
 * subject, not a row.
 */
#include "center/store_index.h"

#include <stdlib.h>

#define NUMBER_MAX 10u

static size_t put_number(uint8_t *to, uint64_t value)
{
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        to[size++] = (uint8_t)(value | 0x80);
    to[size++] = (uint8_t)value;
    return size;
}

/* Fails the cursor when it is longer than any number. */
static uint64_t take_number(struct cursor *c)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < NUMBER_MAX; i++) {
        uint8_t byte = cursor_u8(c);
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            return value;
    }
    cursor_fail(c);
    return 0;
}

bool store_index_add(struct store *store, uint64_t workspace, struct subject subject, int64_t hour,
                     const uint64_t *positions, size_t count)
{
    if (count == 0)
        return true;
    uint8_t *run = malloc((count + 2) * NUMBER_MAX);
    if (!run)
        return store_fail(store, "no memory for the index of activities");
    size_t size = put_number(run, positions[0]);
    size += put_number(run + size, count);
    for (size_t i = 1; i < count; i++)
        size += put_number(run + size, positions[i] - positions[i - 1]);
    bool fine =
        store_run(store,
                  "INSERT INTO activity_index (workspace, subject, hour, positions)"
                  " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (workspace, hour, subject)"
                  " DO UPDATE SET positions = CAST(positions || excluded.positions AS BLOB)",
                  store_uint(workspace), store_subject(subject), store_int(hour), store_blob_of(run, size));
    free(run);
    return fine;
}

struct walk {
    bool (*visit)(void *context, int64_t hour, uint64_t position);
    void *context;
    size_t count;
    bool enough;
};

static void walk_hour(struct walk *walk, int64_t hour, struct bytes runs)
{
    struct cursor c = cursor_of(runs.data, runs.size);
    uint64_t last = 0;
    while (!walk->enough && cursor_left(&c)) {
        uint64_t position = take_number(&c), count = take_number(&c);
        for (uint64_t i = 0; i < count && !walk->enough && !c.failed; i++) {
            if (i > 0)
                position += take_number(&c);
            /* A run may begin where the one before ended: an entry on both sides of a checkpoint. */
            if (c.failed || position <= last)
                continue;
            last = position;
            walk->count++;
            walk->enough = !walk->visit(walk->context, hour, position);
        }
    }
}

/* Rows stand by hour: the hours that there are, one after the other, and of each the subject's. */
size_t store_index_each(struct store *store, uint64_t workspace, struct subject subject, int64_t first_hour,
                        int64_t last_hour, bool (*visit)(void *context, int64_t hour, uint64_t position),
                        void *context)
{
    struct walk walk = {.visit = visit, .context = context};
    struct store_rows rows = store_query(store,
                                         "WITH RECURSIVE hours (hour) AS (SELECT (SELECT min(hour) FROM"
                                         " activity_index WHERE workspace = ?1 AND hour BETWEEN ?3 AND ?4)"
                                         " UNION ALL SELECT (SELECT min(hour) FROM activity_index WHERE"
                                         " workspace = ?1 AND hour > hours.hour AND hour <= ?4) FROM hours"
                                         " WHERE hour IS NOT NULL) SELECT i.hour, i.positions FROM hours h"
                                         " CROSS JOIN activity_index i ON i.workspace = ?1"
                                         " AND i.hour = h.hour AND i.subject = ?2",
                                         store_uint(workspace), store_subject(subject), store_int(first_hour),
                                         store_int(last_hour));
    while (!walk.enough && store_next(&rows))
        walk_hour(&walk, store_get_int(&rows, 0), store_get_bytes(&rows, 1));
    store_rows_end(&rows);
    return walk.count;
}

/* The last of so many of an hour's subjects, which are in order. */
static struct subject bound_of(struct store *store, int64_t workspace, int64_t hour, int64_t limit)
{
    struct subject bound = {UINT64_MAX, UINT64_MAX};
    struct store_rows rows =
        store_query(store,
                    "SELECT subject FROM activity_index WHERE workspace = ?1 AND hour = ?2"
                    " ORDER BY subject LIMIT 1 OFFSET ?3",
                    store_int(workspace), store_int(hour), store_int(limit - 1));
    if (store_next(&rows))
        bound = store_get_subject(&rows, 0);
    store_rows_end(&rows);
    return bound;
}

/* Of the first hour that is too old. */
static int64_t expire_hour(struct store *store, int64_t before_hour, int64_t limit)
{
    int64_t workspace = 0, hour = 0;
    struct store_rows rows =
        store_query(store,
                    "SELECT i.workspace, i.hour FROM workspaces w CROSS JOIN activity_index i"
                    " ON i.workspace = w.id WHERE i.hour < ?1 LIMIT 1",
                    store_int(before_hour));
    const bool found = store_next(&rows);
    if (found) {
        workspace = store_get_int(&rows, 0);
        hour = store_get_int(&rows, 1);
    }
    store_rows_end(&rows);
    return found && store_run(store,
                              "DELETE FROM activity_index WHERE workspace = ?1 AND hour = ?2"
                              " AND subject <= ?3",
                              store_int(workspace), store_int(hour),
                              store_subject(bound_of(store, workspace, hour, limit)))
               ? store_changed(store)
               : 0;
}

int64_t store_index_expire(struct store *store, int64_t before_hour, int64_t limit)
{
    int64_t gone = 0, last = 1;
    for (; gone < limit && last > 0; gone += last)
        last = expire_hour(store, before_hour, limit - gone);
    return gone;
}
