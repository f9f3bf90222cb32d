/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing: batches that wait, and what they change.
 */
#include "center/entities_store.h"

#include "base/clock.h"
#include "base/msgpack.h"
#include "center/entities_words.h"

#include <stdlib.h>

#define WAITING_MAX (256u << 20)
#define TEXT_SHOWN  512u       /* bytes of a value in the history */
#define NEW_FOR     CLOCK_HOUR /* who joins a group that is newer than this is no news */
#define NEWS_MAX    256u       /* members of one record in the history */

struct waiting {
    struct waiting *next;
    uint64_t position;
    int64_t wall;
    size_t size;
    uint8_t data[];
};

struct entities_store {
    uint64_t workspace;
    struct waiting *first, **last;
    uint32_t written; /* that are in the transaction which is under way */
    size_t bytes;
    struct entity_batch_record *record;
    struct entity *before;
    uint8_t body[ENTITY_ENCODED_MAX];
};

struct entities_store *entities_store_new(uint64_t workspace)
{
    struct entities_store *self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    self->workspace = workspace;
    self->last = &self->first;
    self->record = malloc(sizeof(*self->record));
    self->before = malloc(sizeof(*self->before));
    if (!self->record || !self->before)
        entities_store_destroy(&self);
    return self;
}

static void drop_first(struct entities_store *self)
{
    struct waiting *waiting = self->first;
    self->first = waiting->next;
    if (!self->first)
        self->last = &self->first;
    self->bytes -= waiting->size;
    free(waiting);
}

void entities_store_destroy(struct entities_store **self_p)
{
    struct entities_store *self = *self_p;
    if (!self)
        return;
    while (self->first)
        drop_first(self);
    free(self->record);
    free(self->before);
    free(self);
    *self_p = NULL;
}

bool entities_store_take(struct entities_store *self, struct bytes batch, uint64_t position, int64_t wall)
{
    if (self->bytes + batch.size > WAITING_MAX)
        return false;
    struct waiting *waiting = malloc(sizeof(*waiting) + batch.size);
    if (!waiting)
        return false;
    *waiting = (struct waiting){.position = position, .wall = wall, .size = batch.size};
    if (batch.size)
        memcpy(waiting->data, batch.data, batch.size);
    *self->last = waiting;
    self->last = &waiting->next;
    self->bytes += batch.size;
    return true;
}

size_t entities_store_waiting(const struct entities_store *self)
{
    return self->bytes;
}

/* --- rows --- */

struct row {
    int64_t number; /* 0: none */
    int64_t told, deleted;
    char words[ENTITIES_WORDS_TEXT];
};

static struct row find_row(struct entities_store *self, struct store *store, const struct guid *guid)
{
    struct row row = {0};
    struct store_rows rows = store_query(
        store, "SELECT number, told, deleted, words, body FROM entities WHERE workspace = ?1 AND guid = ?2",
        store_uint(self->workspace), store_id(guid->bytes));
    if (store_next(&rows)) {
        row.number = store_get_int(&rows, 0);
        row.told = store_get_int(&rows, 1);
        row.deleted = store_get_int(&rows, 2);
        store_get_text(&rows, 3, row.words, sizeof(row.words));
        struct bytes body = store_get_bytes(&rows, 4);
        if (body.size <= sizeof(self->body) && body.size)
            memcpy(self->body, body.data, body.size);
        struct cursor c = cursor_of(self->body, body.size <= sizeof(self->body) ? body.size : 0);
        if (row.told && !entity_decode(&c, self->before))
            row.told = 0;
    }
    store_rows_end(&rows);
    return row;
}

/* The row's number, made when there is none. */
static int64_t make_row(struct entities_store *self, struct store *store, const struct guid *guid)
{
    struct row row = find_row(self, store, guid);
    if (row.number || store_failed(store))
        return row.number;
    store_run(
        store,
        "INSERT INTO entities (workspace, guid, kind, told, changed, deleted, name, domain, words, body)"
        " VALUES (?1, ?2, 0, 0, 0, 0, '', '', '', x'')",
        store_uint(self->workspace), store_id(guid->bytes));
    return store_added(store);
}

/* --- history --- */

static void note(struct store *store, int64_t number, int64_t at, const char *attribute, const char *before,
                 const char *after)
{
    store_run(store,
              "INSERT INTO entity_history (entity, at, attribute, before, after) VALUES (?1, ?2, ?3, ?4, ?5)",
              store_int(number), store_int(at), store_string(attribute), store_string(before),
              store_string(after));
}

/* What an attacker or an administrator changes, and somebody asks about later. */
static const enum entity_attribute remembered[] = {
    ENTITY_SAM_ACCOUNT_NAME,
    ENTITY_USER_PRINCIPAL_NAME,
    ENTITY_DNS_HOST_NAME,
    ENTITY_USER_ACCOUNT_CONTROL,
    ENTITY_SERVICE_PRINCIPAL_NAMES,
    ENTITY_PRIMARY_GROUP_ID,
    ENTITY_ADMIN_COUNT,
    ENTITY_ENCRYPTION_TYPES,
    ENTITY_ALLOWED_TO_DELEGATE_TO,
    ENTITY_ALLOWED_TO_ACT,
    ENTITY_KEY_CREDENTIALS,
    ENTITY_SID_HISTORY,
    ENTITY_ALT_SECURITY_IDENTITIES,
    ENTITY_PASSWORD_LAST_SET,
    ENTITY_LOCKOUT_TIME,
    ENTITY_ACCOUNT_EXPIRES,
    ENTITY_SCRIPT_PATH,
    ENTITY_GROUP_TYPE,
    ENTITY_GP_LINK,
    ENTITY_GPC_FILE_SYS_PATH,
    ENTITY_VERSION_NUMBER,
    ENTITY_MACHINE_ACCOUNT_QUOTA,
    ENTITY_FUNCTIONAL_LEVEL,
    ENTITY_TRUST_DIRECTION,
    ENTITY_TRUST_ATTRIBUTES,
};

static void text_of(const struct entity *entity, enum entity_attribute attribute, char to[TEXT_SHOWN])
{
    const struct activity_value *value = entity_get(entity, attribute);
    struct text t = text_to(to, TEXT_SHOWN);
    if (value)
        activity_put_json(&t, entity_attribute_info(attribute)->type, value);
    text_end(&t);
}

static void note_changes(struct store *store, int64_t number, int64_t at, const struct entity *before,
                         const struct entity *after)
{
    char old[TEXT_SHOWN], new[TEXT_SHOWN];
    for (size_t i = 0; i < sizeof(remembered) / sizeof(remembered[0]); i++) {
        text_of(before, remembered[i], old);
        text_of(after, remembered[i], new);
        if (strcmp(old, new) != 0)
            note(store, number, at, entity_attribute_info(remembered[i])->field, old, new);
    }
    entity_dn(before, old, sizeof(old));
    entity_dn(after, new, sizeof(new));
    if (strcmp(old, new) != 0)
        note(store, number, at, "dn", old, new);
}

/* --- entities --- */

static void drop_words(struct entities_store *self, struct store *store, int64_t number, char *words)
{
    char *rest = NULL;
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        store_run(store, "DELETE FROM entity_words WHERE workspace = ?1 AND word = ?2 AND entity = ?3",
                  store_uint(self->workspace), store_string(word), store_int(number));
}

static void put_words(struct entities_store *self, struct store *store, int64_t number,
                      const struct entities_words *words)
{
    for (uint32_t i = 0; i < words->count; i++)
        store_run(store, "INSERT OR IGNORE INTO entity_words (workspace, word, entity) VALUES (?1, ?2, ?3)",
                  store_uint(self->workspace), store_string(words->words[i]), store_int(number));
}

/* The times of when it was told do not make it another one. */
static struct bytes encode(struct entities_store *self, struct entity *entity)
{
    struct msgpack_writer w;
    entity->seen = entity->changed = 0;
    msgpack_writer_init(&w, self->body, sizeof(self->body));
    entity_encode(&w, entity);
    return w.full ? (struct bytes){0} : (struct bytes){self->body, w.size};
}

static void bury(struct entities_store *self, struct store *store, const struct guid *guid, int64_t wall)
{
    struct row row = find_row(self, store, guid);
    if (!row.number || row.deleted)
        return;
    store_run(store, "UPDATE entities SET deleted = ?2, changed = ?2 WHERE number = ?1",
              store_int(row.number), store_int(wall));
    store_run(store, "DELETE FROM entity_links WHERE source = ?1", store_int(row.number));
    store_run(store, "DELETE FROM entity_links WHERE target = ?1", store_int(row.number));
    note(store, row.number, wall, "deleted", "false", "true");
}

static void put_entity(struct entities_store *self, struct store *store, struct entity *entity, int64_t wall)
{
    struct entities_words words;
    char joined[ENTITIES_WORDS_TEXT];
    if (entity->deleted) {
        bury(self, store, &entity->guid, wall);
        return;
    }
    struct row row = find_row(self, store, &entity->guid);
    if (!row.number)
        row.number = make_row(self, store, &entity->guid);
    entities_words_of(entity, &words);
    entities_words_join(&words, joined, sizeof(joined));
    if (row.told)
        note_changes(store, row.number, wall, self->before, entity);
    if (row.deleted)
        note(store, row.number, wall, "deleted", "true", "false");
    if (strcmp(row.words, joined) != 0) {
        drop_words(self, store, row.number, row.words);
        put_words(self, store, row.number, &words);
    }
    struct bytes body = encode(self, entity);
    store_run(store,
              "UPDATE entities SET kind = ?2, told = CASE told WHEN 0 THEN ?3 ELSE told END,"
              " changed = CASE body WHEN ?7 THEN changed ELSE ?3 END, deleted = 0, name = ?4, domain = ?5,"
              " words = ?6, body = ?7 WHERE number = ?1",
              store_int(row.number), store_int((int64_t)entity->kind), store_int(wall),
              store_text(entity_name(entity)), store_text(entity->domain), store_string(joined),
              store_blob(body));
}

/* --- links --- */

struct linking {
    int64_t source;
    enum entity_link link;
    int64_t wall;
    uint32_t news; /* that are still told in the history; 0 for a group that is new itself */
};

static void guid_text(const struct guid *guid, char to[64])
{
    struct text t = text_to(to, 64);
    uuid_text(&t, guid->bytes);
    text_end(&t);
}

static void note_link(struct store *store, struct linking *l, const struct guid *target, bool removed)
{
    char text[64];
    if (store_changed(store) == 0 || l->news == 0)
        return;
    l->news--;
    guid_text(target, text);
    note(store, l->source, l->wall, entity_link_info(l->link)->field, removed ? text : "",
         removed ? "" : text);
}

static void add_link(struct entities_store *self, struct store *store, struct linking *l,
                     const struct guid *target)
{
    int64_t number = make_row(self, store, target);
    store_run(store, "INSERT OR IGNORE INTO entity_links (source, link, target) VALUES (?1, ?2, ?3)",
              store_int(l->source), store_int((int64_t)l->link), store_int(number));
    note_link(store, l, target, false);
}

static void drop_link(struct entities_store *self, struct store *store, struct linking *l,
                      const struct guid *target)
{
    struct row row = find_row(self, store, target);
    if (!row.number)
        return;
    store_run(store, "DELETE FROM entity_links WHERE source = ?1 AND link = ?2 AND target = ?3",
              store_int(l->source), store_int((int64_t)l->link), store_int(row.number));
    note_link(store, l, target, true);
}

/* Those that the record tells are all there are: the others go, and are told in the history. */
static void keep_only(struct entities_store *self, struct store *store, struct linking *l)
{
    struct guid target;
    struct cursor at = self->record->added_at;
    uint32_t left = self->record->added;
    store_do(store, "CREATE TEMP TABLE IF NOT EXISTS kept_links (target INTEGER PRIMARY KEY)");
    store_do(store, "DELETE FROM kept_links");
    while (entity_batch_next_target(&at, &left, &target))
        store_run(store, "INSERT OR IGNORE INTO kept_links (target) VALUES (?1)",
                  store_int(make_row(self, store, &target)));
    if (l->news)
        store_run(store,
                  "INSERT INTO entity_history (entity, at, attribute, before, after)"
                  " SELECT ?1, ?3, ?4, lower(hex(e.guid)), '' FROM entity_links k"
                  " JOIN entities e ON e.number = k.target WHERE k.source = ?1 AND k.link = ?2 AND"
                  " k.target NOT IN (SELECT target FROM kept_links) LIMIT ?5",
                  store_int(l->source), store_int((int64_t)l->link), store_int(l->wall),
                  store_string(entity_link_info(l->link)->field), store_int((int64_t)l->news));
    store_run(store,
              "DELETE FROM entity_links WHERE source = ?1 AND link = ?2 AND"
              " target NOT IN (SELECT target FROM kept_links)",
              store_int(l->source), store_int((int64_t)l->link));
}

static void put_links(struct entities_store *self, struct store *store, int64_t wall)
{
    const struct entity_batch_record *record = self->record;
    struct row row = find_row(self, store, &record->guid);
    struct linking l = {.source = row.number, .link = record->link, .wall = wall};
    struct guid target;
    if (!row.number)
        l.source = make_row(self, store, &record->guid);
    if (row.told && wall - row.told > NEW_FOR)
        l.news = NEWS_MAX;
    struct cursor at = record->removed_at;
    uint32_t left = record->removed;
    while (entity_batch_next_target(&at, &left, &target))
        drop_link(self, store, &l, &target);
    if (record->all)
        keep_only(self, store, &l);
    at = record->added_at;
    left = record->added;
    while (entity_batch_next_target(&at, &left, &target))
        add_link(self, store, &l, &target);
}

/* --- batches --- */

static void put_record(struct entities_store *self, struct store *store, const char *domain, int64_t wall)
{
    struct entity_batch_record *record = self->record;
    if (record->kind == ENTITY_BATCH_ENTITY)
        put_entity(self, store, &record->entity, wall);
    else if (record->kind == ENTITY_BATCH_REMOVED)
        bury(self, store, &record->guid, wall);
    else if (record->kind == ENTITY_BATCH_LINKS)
        put_links(self, store, wall);
    else if (record->kind == ENTITY_BATCH_WHOLE)
        store_run(store,
                  "INSERT OR REPLACE INTO entity_domains (workspace, domain, whole) VALUES (?1, ?2, 1)",
                  store_uint(self->workspace), store_string(domain));
}

static void put_batch(struct entities_store *self, struct store *store, struct entity_batch_reader *reader,
                      const struct waiting *waiting)
{
    struct bytes batch = {waiting->data, waiting->size};
    bool damaged = false;
    while (batch.size && !damaged && entity_batch_reader_feed(reader, &batch) == BATCH_READY)
        while (!store_failed(store) && entity_batch_reader_next(reader, self->record, &damaged))
            put_record(self, store, entity_batch_reader_header(reader)->token.domain, waiting->wall);
}

bool entities_store_write(struct entities_store *self, struct store *store, uint64_t until)
{
    self->written = 0;
    for (struct waiting *waiting = self->first; waiting && waiting->position <= until && !store_failed(store);
         waiting = waiting->next) {
        /* Each with a reader of its own: what is damaged spoils nothing that follows. */
        struct entity_batch_reader *reader = entity_batch_reader_new();
        if (!reader)
            return store_fail(store, "out of memory");
        put_batch(self, store, reader, waiting);
        entity_batch_reader_destroy(&reader);
        self->written++;
    }
    return !store_failed(store);
}

void entities_store_ended(struct entities_store *self, bool committed)
{
    for (; committed && self->written > 0; self->written--)
        drop_first(self);
}

/* --- the next start --- */

static void restore_entities(struct entities_store *self, struct store *store, struct entities *to)
{
    struct store_rows rows = store_query(
        store, "SELECT guid, deleted, body FROM entities WHERE workspace = ?1 AND told <> 0 ORDER BY number",
        store_uint(self->workspace));
    while (store_next(&rows)) {
        struct bytes body = store_get_bytes(&rows, 2);
        struct cursor c = cursor_of_bytes(body);
        struct guid guid;
        store_get_id(&rows, 0, guid.bytes);
        if (entity_decode(&c, self->before))
            entities_put(to, self->before);
        if (store_get_int(&rows, 1))
            entities_remove(to, &guid);
    }
}

#define TOGETHER 4096u

static void restore_links(struct entities_store *self, struct store *store, struct entities *to,
                          struct guid *members)
{
    struct guid group = {{0}};
    uint32_t count = 0;
    struct store_rows rows =
        store_query(store,
                    "SELECT s.guid, t.guid FROM entity_links k JOIN entities s ON s.number = k.source"
                    " JOIN entities t ON t.number = k.target WHERE s.workspace = ?1 AND k.link = ?2"
                    " ORDER BY k.source, k.target",
                    store_uint(self->workspace), store_int(LINK_MEMBER));
    while (store_next(&rows)) {
        struct guid source;
        store_get_id(&rows, 0, source.bytes);
        if (count == TOGETHER || (count && memcmp(&source, &group, sizeof(group)) != 0)) {
            entities_link(to, &group, LINK_MEMBER, ENTITIES_ADD, members, count);
            count = 0;
        }
        group = source;
        store_get_id(&rows, 1, members[count++].bytes);
    }
    entities_link(to, &group, LINK_MEMBER, ENTITIES_ADD, members, count);
}

bool entities_store_restore(struct entities_store *self, struct store *store, struct entities *to,
                            struct fault *fault)
{
    struct guid *members = malloc(TOGETHER * sizeof(*members));
    if (!members)
        return fault_say(fault, "out of memory");
    restore_entities(self, store, to);
    restore_links(self, store, to, members);
    free(members);
    struct store_rows rows =
        store_query(store, "SELECT domain FROM entity_domains WHERE workspace = ?1 AND whole = 1",
                    store_uint(self->workspace));
    while (store_next(&rows))
        entities_set_whole(to, store_get_bytes(&rows, 0));
    return !store_failed(store) || fault_say(fault, "%s", store_fault(store));
}
