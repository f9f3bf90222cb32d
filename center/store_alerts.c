/* SPDX-License-Identifier: Apache-2.0 */
#include "center/store_alerts.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define NAMES_MAX   (ALERT_PARTIES_MAX * (2 * ALERT_NAME_MAX + 2) + 1)
#define LIST_PRESET 100u
#define LIST_MAX    1000u

static const char *const classification_names[] = {"none", "true-positive", "benign-true-positive",
                                                   "false-positive"};

const char *alert_classification_name(enum alert_classification classification)
{
    return classification_names[classification];
}

bool alert_classification_by_name(const char *name, enum alert_classification *classification)
{
    for (unsigned i = 0; i < ALERT_CLASSIFICATIONS; i++) {
        if (strcmp(name, classification_names[i]) == 0) {
            *classification = (enum alert_classification)i;
            return true;
        }
    }
    return false;
}

/* -- putting --------------------------------------------------------------------------------------------- */

static struct bytes join_names(const struct alert *alert, char *buffer, size_t capacity)
{
    struct text text = text_to(buffer, capacity);
    for (uint32_t i = 0; i < alert->party_count; i++) {
        text_string(&text, alert->parties[i].name);
        if (alert->parties[i].domain[0]) {
            text_string(&text, "@");
            text_string(&text, alert->parties[i].domain);
        }
        text_string(&text, "\n");
    }
    return (struct bytes){(const uint8_t *)buffer, text_end(&text)};
}

static int64_t find_number(struct store *store, const uint8_t id[16])
{
    int64_t number = 0;
    struct store_rows rows = store_query(store, "SELECT number FROM alerts WHERE id = ?1", store_id(id));
    if (store_next(&rows))
        number = store_get_int(&rows, 0);
    store_rows_end(&rows);
    return number;
}

#define PROGRESS_MAX (16u + (1u + ALERT_SHARDS_MAX) * 18u)

static void put_place(struct msgpack_writer *w, struct activity_place place)
{
    msgpack_put_uint(w, place.position);
    msgpack_put_uint(w, place.index);
}

/* [shards, floor, each shard's last]; each place is two numbers. */
static struct bytes encode_progress(const struct alert_progress *progress, uint8_t to[PROGRESS_MAX])
{
    struct msgpack_writer w;
    msgpack_writer_init(&w, to, PROGRESS_MAX);
    msgpack_put_array(&w, 3 + 2 * progress->shards);
    msgpack_put_uint(&w, progress->shards);
    put_place(&w, progress->floor);
    for (uint32_t i = 0; i < progress->shards; i++)
        put_place(&w, progress->lasts[i]);
    return (struct bytes){w.data, w.size};
}

static bool put_row(struct store *store, const struct stored_alert *a, struct bytes body, struct bytes names)
{
    uint8_t progress[PROGRESS_MAX];
    const struct alert *alert = &a->alert;
    return store_run(
        store,
        "INSERT INTO alerts (id, workspace, external_id, detector, key, severity, status, classification,"
        " reopened, start, \"end\", count, raised, changed, suppressed_until, title, names, body, progress)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)"
        " ON CONFLICT (id) DO UPDATE SET severity = excluded.severity, status = excluded.status,"
        " classification = excluded.classification, reopened = excluded.reopened, start = excluded.start,"
        " \"end\" = excluded.\"end\", count = excluded.count, changed = excluded.changed,"
        " suppressed_until = excluded.suppressed_until, title = excluded.title, names = excluded.names,"
        " body = excluded.body, progress = excluded.progress",
        store_id(alert->id), store_uint(a->workspace), store_int(alert->external_id),
        store_string(a->detector), store_subject(alert->key), store_int((int64_t)alert->severity),
        store_int((int64_t)alert->status), store_int((int64_t)a->classification), store_int(a->reopened),
        store_int(alert->start), store_int(alert->end), store_uint(alert->count), store_int(a->raised),
        store_int(a->changed), store_int(a->suppressed_until), store_string(a->title), store_text(names),
        store_blob(body),
        a->progress.shards ? store_blob(encode_progress(&a->progress, progress)) : store_null());
}

static void put_parties(struct store *store, const struct stored_alert *a)
{
    for (uint32_t i = 0; i < a->alert.party_count; i++)
        if (!subject_is_none(a->alert.parties[i].subject))
            store_run(store,
                      "INSERT INTO alert_parties (subject, alert) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                      store_subject(a->alert.parties[i].subject), store_int(a->number));
}

static bool put(struct store *store, struct stored_alert *alert, uint8_t *body, char *names, bool *added)
{
    struct msgpack_writer w;
    msgpack_writer_init(&w, body, ALERT_BYTES_MAX);
    alert_encode(&w, &alert->alert);
    if (w.full)
        return store_fail(store, "an alert is too large");
    alert->number = find_number(store, alert->alert.id);
    *added = alert->number == 0;
    if (!put_row(store, alert, (struct bytes){w.data, w.size}, join_names(&alert->alert, names, NAMES_MAX)))
        return false;
    if (*added)
        alert->number = store_added(store);
    put_parties(store, alert);
    return !store_failed(store);
}

bool store_alert_put(struct store *store, struct stored_alert *alert, bool *added)
{
    uint8_t *body = malloc(ALERT_BYTES_MAX + NAMES_MAX);
    if (!body)
        return store_fail(store, "no memory for an alert");
    bool is_new = false, fine = put(store, alert, body, (char *)body + ALERT_BYTES_MAX, &is_new);
    free(body);
    if (added)
        *added = is_new;
    return fine;
}

/* -- reading --------------------------------------------------------------------------------------------- */

#define COLUMNS                                                                                              \
    "a.number, a.workspace, a.detector, a.title, a.classification, a.reopened, a.raised, a.changed,"         \
    " a.suppressed_until, a.severity, a.status, a.body, a.progress"

/* The row's columns are what counts; what a newer version put there is told as the nearest that we know. */
static int64_t within(int64_t value, int64_t count)
{
    return value >= 0 && value < count ? value : 0;
}

static bool read_place(struct cursor *c, struct activity_place *to)
{
    struct msgpack_item position = msgpack_next(c), index = msgpack_next(c);
    *to = (struct activity_place){position.uint, (uint32_t)index.uint};
    return position.type == MSGPACK_UINT && index.type == MSGPACK_UINT && index.uint <= UINT32_MAX;
}

/* One that cannot be read is none: then whatever is not behind alert.last counts as merged. */
static void read_progress(struct bytes bytes, struct alert_progress *to)
{
    struct cursor c = cursor_of_bytes(bytes);
    struct msgpack_item array = msgpack_next(&c), shards = msgpack_next(&c);
    bool fine = array.type == MSGPACK_ARRAY && shards.type == MSGPACK_UINT &&
                shards.uint <= ALERT_SHARDS_MAX && array.count == 3 + 2 * shards.uint &&
                read_place(&c, &to->floor);
    for (uint32_t i = 0; fine && i < shards.uint; i++)
        fine = read_place(&c, &to->lasts[i]);
    to->shards = (uint32_t)shards.uint;
    if (!fine)
        *to = (struct alert_progress){0};
}

static bool read_alert(const struct store_rows *rows, struct stored_alert *to)
{
    struct cursor c = cursor_of_bytes(store_get_bytes(rows, 11));
    memset(to, 0, sizeof(*to));
    to->number = store_get_int(rows, 0);
    to->workspace = store_get_uint(rows, 1);
    store_get_text(rows, 2, to->detector, sizeof(to->detector));
    store_get_text(rows, 3, to->title, sizeof(to->title));
    to->classification = (enum alert_classification)within(store_get_int(rows, 4), ALERT_CLASSIFICATIONS);
    to->reopened = store_get_int(rows, 5) != 0;
    to->raised = store_get_int(rows, 6);
    to->changed = store_get_int(rows, 7);
    to->suppressed_until = store_get_int(rows, 8);
    if (!store_is_null(rows, 12))
        read_progress(store_get_bytes(rows, 12), &to->progress);
    if (!alert_decode(&c, &to->alert))
        return store_fail(rows->store, "an alert in the database is damaged");
    to->alert.severity = (enum severity)within(store_get_int(rows, 9), SEVERITIES);
    to->alert.status = (enum alert_status)within(store_get_int(rows, 10), ALERT_STATUSES);
    return true;
}

bool store_alert_get(struct store *store, uint64_t workspace, const uint8_t id[16], struct stored_alert *to)
{
    struct store_rows rows =
        store_query(store, "SELECT " COLUMNS " FROM alerts a WHERE a.id = ?1 AND a.workspace = ?2",
                    store_id(id), store_uint(workspace));
    bool found = store_next(&rows) && read_alert(&rows, to);
    store_rows_end(&rows);
    return found;
}

static size_t visit_all(struct store_rows *rows,
                        bool (*visit)(void *context, const struct stored_alert *alert), void *context)
{
    size_t count = 0;
    bool more = true;
    struct stored_alert *alert = malloc(sizeof(*alert));
    if (!alert)
        store_fail(rows->store, "no memory for an alert");
    while (alert && more && store_next(rows) && read_alert(rows, alert)) {
        count++;
        more = visit(context, alert);
    }
    store_rows_end(rows);
    free(alert);
    return count;
}

struct live {
    void (*visit)(void *context, const struct stored_alert *alert);
    void *context;
};

static bool visit_live(void *context, const struct stored_alert *alert)
{
    const struct live *live = context;
    live->visit(live->context, alert);
    return true;
}

void store_alerts_live(struct store *store, uint64_t workspace,
                       void (*visit)(void *context, const struct stored_alert *alert), void *context)
{
    struct live live = {visit, context};
    struct store_rows rows =
        store_query(store, "SELECT " COLUMNS " FROM alerts a WHERE a.workspace = ?1 AND a.status IN (?2, ?3)",
                    store_uint(workspace), store_int(ALERT_OPEN), store_int(ALERT_SUPPRESSED));
    visit_all(&rows, visit_live, &live);
}

#define CONDITIONS                                                                                           \
    " a.workspace = ?1 AND a.number < ?2 AND (1 << a.status) & ?3 AND (1 << a.severity) & ?4"                \
    " AND (?5 = 0 OR a.external_id = ?5) AND a.\"end\" >= ?6 AND a.start <= ?7 AND a.changed >= ?8"          \
    " AND (?9 IS NULL OR instr(lower(a.title), lower(?9)) OR instr(lower(a.names), lower(?9)))"              \
    " ORDER BY a.number DESC LIMIT ?10"

size_t store_alerts_list(struct store *store, uint64_t workspace, const struct alert_filter *filter,
                         bool (*visit)(void *context, const struct stored_alert *alert), void *context)
{
    uint32_t limit = filter->limit ? filter->limit : LIST_PRESET;
    struct store_value values[] = {
        store_uint(workspace),
        store_int(filter->before ? filter->before : INT64_MAX),
        store_int(filter->statuses ? filter->statuses : ~(1u << ALERT_DELETED)),
        store_int(filter->severities ? filter->severities : UINT32_MAX),
        store_int(filter->external_id),
        store_int(filter->from ? filter->from : INT64_MIN),
        store_int(filter->till ? filter->till : INT64_MAX),
        store_int(filter->changed_since),
        filter->text.size ? store_text(filter->text) : store_null(),
        store_int(limit < LIST_MAX ? limit : LIST_MAX),
        store_subject(filter->subject),
    };
    size_t count = sizeof(values) / sizeof(values[0]);
    struct store_rows rows =
        subject_is_none(filter->subject)
            ? store_query_values(store, "SELECT " COLUMNS " FROM alerts a WHERE" CONDITIONS, values,
                                 count - 1)
            : store_query_values(store,
                                 "SELECT " COLUMNS " FROM alert_parties p CROSS JOIN alerts a"
                                 " ON a.number = p.alert WHERE p.subject = ?11 AND" CONDITIONS,
                                 values, count);
    return visit_all(&rows, visit, context);
}

void store_alerts_count(struct store *store, uint64_t workspace, uint64_t counts[ALERT_STATUSES][SEVERITIES])
{
    memset(counts, 0, sizeof(uint64_t) * ALERT_STATUSES * SEVERITIES);
    struct store_rows rows =
        store_query(store, "SELECT status, severity, count(*) FROM alerts WHERE workspace = ?1 GROUP BY 1, 2",
                    store_uint(workspace));
    while (store_next(&rows))
        counts[within(store_get_int(&rows, 0), ALERT_STATUSES)]
              [within(store_get_int(&rows, 1), SEVERITIES)] += store_get_uint(&rows, 2);
}

int64_t store_alerts_expire(struct store *store, uint64_t workspace, int64_t ended_before, int64_t limit)
{
    return store_run(store,
                     "DELETE FROM alerts WHERE number IN (SELECT number FROM alerts WHERE workspace = ?1"
                     " AND \"end\" < ?2 ORDER BY \"end\" LIMIT ?3)",
                     store_uint(workspace), store_int(ended_before), store_int(limit))
               ? store_changed(store)
               : 0;
}
