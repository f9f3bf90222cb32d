/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading: for people, through the API.
 */
#include "center/entities_store.h"

#include "center/entities_words.h"

#include <stdlib.h>

#define LOOKED_AT 4000u /* entities of one word, before a search gives up: some milliseconds */
#define COLUMNS   "e.guid, e.kind, e.told, e.changed, e.deleted, e.name, e.domain"

static void read_entity(const struct store_rows *rows, struct stored_entity *to)
{
    *to = (struct stored_entity){.kind = (enum entity_kind)store_get_int(rows, 1),
                                 .told = store_get_int(rows, 2),
                                 .changed = store_get_int(rows, 3),
                                 .deleted = store_get_int(rows, 4)};
    store_get_id(rows, 0, to->guid.bytes);
    store_get_text(rows, 5, to->name, sizeof(to->name));
    store_get_text(rows, 6, to->domain, sizeof(to->domain));
}

bool entities_store_find(struct store *store, uint64_t workspace, const struct guid *guid,
                         struct stored_entity *to)
{
    struct store_rows rows = store_query(
        store, "SELECT " COLUMNS " FROM entities e WHERE e.workspace = ?1 AND e.guid = ?2 AND e.told <> 0",
        store_uint(workspace), store_id(guid->bytes));
    bool found = store_next(&rows);
    if (found)
        read_entity(&rows, to);
    store_rows_end(&rows);
    return found;
}

size_t entities_store_json(struct store *store, uint64_t workspace, const struct guid *guid, char *to,
                           size_t capacity)
{
    size_t size = 0;
    struct entity *entity = malloc(sizeof(*entity)); /* too large for a stack */
    struct store_rows rows = store_query(
        store,
        "SELECT body, deleted, told, changed FROM entities WHERE workspace = ?1 AND guid = ?2 AND told <> 0",
        store_uint(workspace), store_id(guid->bytes));
    if (entity && store_next(&rows)) {
        struct cursor c = cursor_of_bytes(store_get_bytes(&rows, 0));
        if (entity_decode(&c, entity)) {
            entity->deleted = store_get_int(&rows, 1) != 0;
            entity->seen = store_get_int(&rows, 2);
            entity->changed = store_get_int(&rows, 3);
            size = entity_to_json(entity, to, capacity);
        }
    }
    store_rows_end(&rows);
    free(entity);
    return size;
}

/* --- search --- */

struct search {
    const struct entities_words *typed;
    uint32_t longest; /* the word that the index is asked for */
    enum entity_kind kind;
    uint32_t limit, count;
    int64_t found[ENTITIES_FOUND_MAX]; /* one entity may have several words that begin so */
    void (*visit)(void *context, const struct stored_entity *entity);
    void *context;
};

/* Whether one of its words begins so. */
static bool begins(const char *words, const char *with)
{
    size_t size = strlen(with);
    for (const char *at = words; (at = strchr(at, ' ')); at++)
        if (strncmp(at + 1, with, size) == 0)
            return true;
    return false;
}

static bool has_all(const struct search *search, const char *words)
{
    for (uint32_t i = 0; i < search->typed->count; i++)
        if (i != search->longest && !begins(words, search->typed->words[i]))
            return false;
    return true;
}

static void take(struct search *search, const struct store_rows *rows)
{
    char words[ENTITIES_WORDS_TEXT];
    struct stored_entity entity;
    int64_t number = store_get_int(rows, 8);
    for (uint32_t i = 0; i < search->count; i++)
        if (search->found[i] == number)
            return;
    store_get_text(rows, 7, words, sizeof(words));
    read_entity(rows, &entity);
    if ((search->kind != ENTITY_KINDS && search->kind != entity.kind) || !has_all(search, words))
        return;
    search->found[search->count++] = number;
    search->visit(search->context, &entity);
}

/* Bytes above those of any word that begins with `word`. */
static void upper_bound(const char *word, char to[ENTITIES_WORD_MAX + 3])
{
    size_t size = strlen(word);
    memcpy(to, word, size);
    memcpy(to + size, "\xff", 2);
}

static void look(struct search *search, struct store *store, uint64_t workspace, const char *from,
                 struct bytes below)
{
    struct store_rows rows =
        store_query(store,
                    "SELECT " COLUMNS ", e.words, e.number FROM entity_words w"
                    " CROSS JOIN entities e ON e.number = w.entity"
                    " WHERE w.workspace = ?1 AND w.word >= ?2 AND w.word < ?3 LIMIT ?4",
                    store_uint(workspace), store_string(from), store_text(below), store_int(LOOKED_AT));
    while (search->count < search->limit && store_next(&rows))
        take(search, &rows);
    store_rows_end(&rows);
}

size_t entities_store_search(struct store *store, uint64_t workspace, struct bytes text,
                             enum entity_kind kind, uint32_t limit,
                             void (*visit)(void *context, const struct stored_entity *entity), void *context)
{
    struct entities_words typed;
    char bound[ENTITIES_WORD_MAX + 3], exact[ENTITIES_WORD_MAX + 3];
    entities_words_typed(text, &typed);
    struct search search = {.typed = &typed,
                            .kind = kind,
                            .limit = limit < ENTITIES_FOUND_MAX ? limit : ENTITIES_FOUND_MAX,
                            .visit = visit,
                            .context = context};
    if (typed.count == 0)
        return 0;
    for (uint32_t i = 1; i < typed.count; i++)
        if (strlen(typed.words[i]) > strlen(typed.words[search.longest]))
            search.longest = i;
    const char *word = typed.words[search.longest];
    size_t size = strlen(word);
    memcpy(exact, word, size + 1); /* up to the word with a zero behind it: the word alone */
    look(&search, store, workspace, word, (struct bytes){(uint8_t *)exact, size + 1});
    upper_bound(word, bound);
    look(&search, store, workspace, word, (struct bytes){(uint8_t *)bound, size + 1});
    return search.count;
}

/* --- links and history --- */

size_t entities_store_links(struct store *store, uint64_t workspace, const struct guid *guid,
                            enum entity_link link, bool back, uint64_t after,
                            bool (*visit)(void *context, const struct stored_entity *entity), void *context)
{
    static const char *const forms[2] = {
        "SELECT " COLUMNS " FROM entity_links k JOIN entities e ON e.number = k.target WHERE k.source ="
        " (SELECT number FROM entities WHERE workspace = ?1 AND guid = ?2) AND k.link = ?3 LIMIT -1 OFFSET "
        "?4",
        "SELECT " COLUMNS " FROM entity_links k JOIN entities e ON e.number = k.source WHERE k.target ="
        " (SELECT number FROM entities WHERE workspace = ?1 AND guid = ?2) AND k.link = ?3 LIMIT -1 OFFSET "
        "?4"};
    size_t count = 0;
    bool more = true;
    struct stored_entity entity;
    struct store_rows rows = store_query(store, forms[back], store_uint(workspace), store_id(guid->bytes),
                                         store_int((int64_t)link), store_uint(after));
    for (; more && store_next(&rows); count++) {
        read_entity(&rows, &entity);
        more = visit(context, &entity);
    }
    store_rows_end(&rows);
    return count;
}

size_t entities_store_history(struct store *store, uint64_t workspace, const struct guid *guid,
                              uint32_t limit, void (*visit)(void *context, const struct entity_past *past),
                              void *context)
{
    size_t count = 0;
    char attribute[64], before[1024], after[1024];
    struct store_rows rows =
        store_query(store,
                    "SELECT h.at, h.attribute, h.before, h.after FROM entity_history h WHERE h.entity ="
                    " (SELECT number FROM entities WHERE workspace = ?1 AND guid = ?2)"
                    " ORDER BY h.at DESC, h.rowid DESC LIMIT ?3",
                    store_uint(workspace), store_id(guid->bytes), store_int(limit));
    for (; store_next(&rows); count++) {
        store_get_text(&rows, 1, attribute, sizeof(attribute));
        store_get_text(&rows, 2, before, sizeof(before));
        store_get_text(&rows, 3, after, sizeof(after));
        const struct entity_past past = {store_get_int(&rows, 0), attribute, before, after};
        visit(context, &past);
    }
    return count;
}
