/* SPDX-License-Identifier: Apache-2.0
 *
 * The store's writer. What goes into the tables of sets (names, links) is gathered and written in the order
 * of keys, for a B+ tree is many times faster so; rows are appended as they come.
 */
#include "sync/entity_store_write.h"
#include "sync/entity_store_internal.h"

#include <errno.h>
#include <stdlib.h>

#define GATHERED_MAX 131072u /* entries of one table after which they are written */
#define PENDING_BITS 65536u
#define KEYS_MAX     (2 * ENTITY_LIST_MAX + 5)

/* An entry that comes or goes. */
struct entry {
    uint64_t key;
    uint32_t number;
    uint32_t order; /* twice its place among the gathered, and 1 when it goes: the last word counts */
};

struct entries {
    struct entry *entries;
    uint32_t count, capacity;
};

struct keys {
    uint32_t count;
    struct {
        uint64_t key;
        enum table table;
    } keys[KEYS_MAX];
};

struct write_context {
    struct context context; /* its texts stand in `bytes` */
    uint8_t *bytes;
    bool changed;
};

/* A change of one link of one entity. */
struct turn {
    uint32_t link, target, order;
    bool removed;
};

struct entity_store_write {
    struct entity_store *store;
    MDB_txn *txn;
    MDB_cursor *cursors[TABLES];
    bool failed;
    struct fault why;
    struct meta meta;
    struct entries sets[TABLES];
    /* A bit for the hash of each source of gathered links: such links are not in the table yet. */
    uint8_t pending[PENDING_BITS / 8];
    struct write_context *contexts;
    uint32_t context_count;
    uint32_t parent; /* the last one asked for, whose DN is: */
    size_t parent_size;
    uint8_t parent_dn[ENTITY_STRING_MAX];
    uint32_t marks_at; /* which marks are held */
    bool marks_held, marks_changed, marks_new;
    struct mark marks[MARKS];
    struct turn *turns;
    uint32_t turns_capacity;
    struct entity old, new;
    struct keys old_keys, new_keys;
    struct entity_change burial;
    uint32_t applied; /* the number of what was applied last; 0: nothing */
    uint8_t old_record[ENTITY_BYTES_MAX], record[ENTITY_BYTES_MAX];
};

struct entity_store_write *store_write_new(struct entity_store *store)
{
    struct entity_store_write *write = calloc(1, sizeof *write);
    if (write)
        write->store = store;
    return write;
}

static void forget_contexts(struct entity_store_write *write)
{
    for (uint32_t i = 0; i < write->context_count; i++)
        free(write->contexts[i].bytes);
    free(write->contexts);
    write->contexts = NULL;
    write->context_count = 0;
}

void store_write_destroy(struct entity_store_write **write_p)
{
    struct entity_store_write *write = *write_p;
    if (!write)
        return;
    for (unsigned i = 0; i < TABLES; i++)
        free(write->sets[i].entries);
    forget_contexts(write);
    free(write->turns);
    free(write);
    *write_p = NULL;
}

/* -- failing: once is for good, the commit says why -------------------------------------------------------
 */

static bool fail(struct entity_store_write *write, int code, const char *what)
{
    if (store_is_damage(code))
        store_damaged(write->store, what);
    if (!write->failed && code == MDB_MAP_FULL)
        fault_say(&write->why, "entity store %s is full: it may not grow beyond its map", write->store->path);
    else if (!write->failed)
        fault_say(&write->why, "entity store %s: %s: %s", write->store->path, what, mdb_strerror(code));
    write->failed = true;
    return false;
}

static bool fail_damaged(struct entity_store_write *write, const char *what)
{
    return fail(write, MDB_CORRUPTED, what);
}

/* -- tables ------------------------------------------------------------------------------------------------
 */

static MDB_cursor *cursor_on(struct entity_store_write *write, enum table table)
{
    if (!write->cursors[table]) {
        int code = mdb_cursor_open(write->txn, write->store->tables[table], &write->cursors[table]);
        if (code) {
            write->cursors[table] = NULL;
            fail(write, code, "no cursor");
        }
    }
    return write->cursors[table];
}

/* False when there is none, or the transaction has failed. */
static bool get(struct entity_store_write *write, enum table table, MDB_val key, MDB_val *value)
{
    int code = mdb_get(write->txn, write->store->tables[table], &key, value);
    if (code && code != MDB_NOTFOUND)
        fail(write, code, "cannot be read");
    return !code;
}

static bool put(struct entity_store_write *write, enum table table, MDB_val key, MDB_val value,
                unsigned flags)
{
    MDB_cursor *cursor = cursor_on(write, table);
    if (!cursor)
        return false;
    int code = mdb_cursor_put(cursor, &key, &value, flags);
    return code ? fail(write, code, "cannot be written") : true;
}

static bool del(struct entity_store_write *write, enum table table, MDB_val key)
{
    int code = mdb_del(write->txn, write->store->tables[table], &key, NULL);
    return code && code != MDB_NOTFOUND ? fail(write, code, "cannot be written") : true;
}

/* -- sets: gathered, then written in order -----------------------------------------------------------------
 */

static void gather(struct entity_store_write *write, enum table table, uint64_t key, uint32_t number,
                   bool goes)
{
    struct entries *set = &write->sets[table];
    if (set->count == set->capacity) {
        uint32_t capacity = set->capacity ? 2 * set->capacity : 1024;
        struct entry *larger = realloc(set->entries, capacity * sizeof *larger);
        if (!larger) {
            fail(write, ENOMEM, "no memory");
            return;
        }
        set->entries = larger;
        set->capacity = capacity;
    }
    set->entries[set->count] = (struct entry){key, number, set->count << 1 | goes};
    set->count++;
}

static int compare_entries(const void *a_, const void *b_)
{
    const struct entry *a = a_, *b = b_;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

static void write_entry(struct entity_store_write *write, MDB_cursor *cursor, const struct entry *entry)
{
    MDB_val key = val_of(&entry->key, sizeof entry->key),
            value = val_of(&entry->number, sizeof entry->number);
    int code;
    if (entry->order & 1) {
        code = mdb_cursor_get(cursor, &key, &value, MDB_GET_BOTH);
        if (!code)
            code = mdb_cursor_del(cursor, 0);
        code = code == MDB_NOTFOUND ? 0 : code;
    } else {
        code = mdb_cursor_put(cursor, &key, &value, MDB_NODUPDATA);
        code = code == MDB_KEYEXIST ? 0 : code;
    }
    if (code)
        fail(write, code, "cannot be written");
}

static bool has_backward(struct entity_store_write *write, uint32_t number)
{
    MDB_cursor *cursor = cursor_on(write, TABLE_BACKWARD);
    uint64_t least = (uint64_t)number << 8;
    MDB_val key = val_of(&least, sizeof least), value;
    if (!cursor)
        return true;
    int code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    if (code && code != MDB_NOTFOUND)
        fail(write, code, "cannot be read");
    uint64_t found;
    return !code && val_copy(key, &found, sizeof found) && found >> 8 == number;
}

static void set_mark(struct entity_store_write *write, uint32_t number, struct mark mark);

static void remove_row(struct entity_store_write *write, uint32_t number, const struct guid *guid)
{
    del(write, TABLE_ROWS, val_of(&number, sizeof number));
    del(write, TABLE_GUIDS, val_of(guid->bytes, GUID_SIZE));
    set_mark(write, number, (struct mark){0});
}

/* An end that was no entity, and that no link leads to any more. */
static void remove_unknown(struct entity_store_write *write, uint32_t number)
{
    MDB_val value;
    struct entity_record_head head;
    if (!get(write, TABLE_ROWS, val_of(&number, sizeof number), &value))
        return;
    if (!entity_record_head(bytes_of(value), &head)) {
        fail_damaged(write, "a row");
        return;
    }
    struct guid guid = head.guid;
    if (head.flags & RECORD_UNKNOWN && !has_backward(write, number))
        remove_row(write, number, &guid);
}

static void write_set(struct entity_store_write *write, enum table table)
{
    struct entries *set = &write->sets[table];
    MDB_cursor *cursor = set->count ? cursor_on(write, table) : NULL;
    if (!cursor) {
        set->count = 0;
        return;
    }
    qsort(set->entries, set->count, sizeof *set->entries, compare_entries);
    for (uint32_t i = 0; i < set->count && !write->failed; i++) {
        const struct entry *entry = &set->entries[i], *next = entry + 1;
        bool last = i + 1 == set->count || next->key != entry->key || next->number != entry->number;
        if (last)
            write_entry(write, cursor, entry);
    }
    for (uint32_t i = 0; table == TABLE_BACKWARD && i < set->count && !write->failed; i++) {
        if (set->entries[i].order & 1)
            remove_unknown(write, (uint32_t)(set->entries[i].key >> 8));
    }
    set->count = 0;
}

static void write_links(struct entity_store_write *write)
{
    write_set(write, TABLE_FORWARD);
    write_set(write, TABLE_BACKWARD);
    memset(write->pending, 0, sizeof write->pending);
}

static void write_sets(struct entity_store_write *write, uint32_t above)
{
    for (unsigned i = TABLE_FIRST_SET; i <= TABLE_LAST_SET; i++) {
        if (write->sets[i].count <= above)
            continue;
        if (i == TABLE_FORWARD || i == TABLE_BACKWARD)
            write_links(write);
        else
            write_set(write, (enum table)i);
    }
}

/* -- marks
 * ---------------------------------------------------------------------------------------------------- */

static bool is_last_marks(struct entity_store_write *write, uint32_t at)
{
    MDB_cursor *cursor = cursor_on(write, TABLE_MARKS);
    MDB_val key, value;
    uint32_t last;
    if (!cursor || mdb_cursor_get(cursor, &key, &value, MDB_LAST) != 0)
        return true;
    return val_copy(key, &last, sizeof last) && last < at;
}

static void put_marks(struct entity_store_write *write)
{
    if (!write->marks_changed)
        return;
    /* Rows are made in the order of their numbers, so these nearly always come at the end, where appending
     * fills the pages. */
    bool append = write->marks_new && is_last_marks(write, write->marks_at);
    put(write, TABLE_MARKS, val_of(&write->marks_at, sizeof write->marks_at),
        val_of(write->marks, sizeof write->marks), append ? MDB_APPEND : 0);
    write->marks_changed = false;
    write->marks_new = false;
}

static bool read_marks(struct entity_store_write *write, uint32_t at, struct mark to[MARKS])
{
    MDB_val value;
    if (!get(write, TABLE_MARKS, val_of(&at, sizeof at), &value))
        return false;
    return val_copy(value, to, MARKS * sizeof *to) || fail_damaged(write, "marks");
}

static void set_mark(struct entity_store_write *write, uint32_t number, struct mark mark)
{
    uint32_t at = number / MARKS;
    if (!write->marks_held || write->marks_at != at) {
        put_marks(write);
        write->marks_new = !read_marks(write, at, write->marks);
        if (write->marks_new)
            memset(write->marks, 0, sizeof write->marks);
        write->marks_at = at;
        write->marks_held = true;
    }
    write->marks[number % MARKS] = mark;
    write->marks_changed = true;
}

/* -- naming contexts ----------------------------------------------------------------------------------------
 */

/* Takes its texts over into memory of its own. */
static bool add_context(struct entity_store_write *write, const struct context *context, bool changed)
{
    size_t count = write->context_count;
    struct write_context *larger = realloc(write->contexts, (count + 1) * sizeof *larger);
    uint8_t *bytes = malloc(context->dn.size + context->domain.size + 1);
    if (larger)
        write->contexts = larger;
    if (!larger || !bytes) {
        free(bytes);
        return fail(write, ENOMEM, "no memory");
    }
    memcpy(bytes, context->dn.data, context->dn.size);
    memcpy(bytes + context->dn.size, context->domain.data, context->domain.size);
    write->contexts[count] = (struct write_context){.context = *context, .bytes = bytes, .changed = changed};
    write->contexts[count].context.dn.data = bytes;
    write->contexts[count].context.domain.data = bytes + context->dn.size;
    write->context_count++;
    return true;
}

static void read_contexts(struct entity_store_write *write)
{
    for (uint32_t number = 1;; number++) {
        MDB_val value;
        struct context context;
        if (!get(write, TABLE_CONTEXTS, val_of(&number, sizeof number), &value))
            return;
        if (!context_decode(bytes_of(value), &context)) {
            fail_damaged(write, "a context");
            return;
        }
        if (!add_context(write, &context, false))
            return;
    }
}

static void put_contexts(struct entity_store_write *write)
{
    uint8_t *bytes = malloc(CONTEXT_BYTES_MAX);
    if (!bytes)
        fail(write, ENOMEM, "no memory");
    for (uint32_t i = 0; i < write->context_count && !write->failed; i++) {
        uint32_t number = i + 1;
        if (write->contexts[i].changed)
            put(write, TABLE_CONTEXTS, val_of(&number, sizeof number),
                val_of(bytes, context_encode(bytes, &write->contexts[i].context)), 0);
    }
    free(bytes);
}

uint32_t entity_store_context(struct entity_store_write *write, struct bytes dn, struct bytes domain)
{
    uint8_t folded[ENTITY_STRING_MAX];
    if (write->failed || !dn.size || dn.size > ENTITY_STRING_MAX || domain.size > ENTITY_STRING_MAX)
        return 0;
    for (uint32_t i = 0; i < write->context_count; i++) {
        const struct context *context = &write->contexts[i].context;
        if (folded_equal(context->dn, dn) && folded_equal(context->domain, domain))
            return i + 1;
    }
    entity_fold(folded, domain);
    struct context context = {.dn = dn, .domain = {folded, domain.size}};
    if (write->context_count == ENTITY_STORE_CONTEXTS_MAX || !add_context(write, &context, true))
        return 0;
    return write->context_count;
}

static struct entity_counts *counts_of(struct entity_store_write *write, uint32_t context)
{
    static struct entity_counts none;
    if (!context || context > write->context_count) {
        fail_damaged(write, "a row's context");
        return &none;
    }
    write->contexts[context - 1].changed = true;
    return &write->contexts[context - 1].context.counts;
}

/* -- parents
 * -------------------------------------------------------------------------------------------------- */

/* Numbers of parents whose DN is this, into `to`, at most `capacity`; how many. */
static uint32_t find_parents(struct entity_store_write *write, struct bytes dn, uint32_t *to,
                             uint32_t capacity)
{
    write_set(write, TABLE_PARENT_DNS);
    MDB_cursor *cursor = cursor_on(write, TABLE_PARENT_DNS);
    uint64_t key = key_of_name(write->store, dn);
    uint32_t count = 0, number;
    bool first = true;
    int code = 0;
    while (cursor && count < capacity && set_next(cursor, key, &first, &number, &code)) {
        MDB_val value;
        if (get(write, TABLE_PARENTS, val_of(&number, sizeof number), &value) &&
            folded_equal(bytes_of(value), dn))
            to[count++] = number;
    }
    if (code && code != MDB_NOTFOUND)
        fail(write, code, "parents");
    return count;
}

#define DEPTH_MAX 128u

/* The number of a DN that others stand below, made when it is new, together with those above it: so that
 * whatever has others below it, at any distance, has a number. */
static uint32_t parent_number(struct entity_store_write *write, struct bytes dn)
{
    uint32_t number, found = 0;
    if (!dn.size || dn.size > ENTITY_STRING_MAX)
        return 0;
    if (write->parent && write->parent_size == dn.size && memcmp(write->parent_dn, dn.data, dn.size) == 0)
        return write->parent;
    struct bytes at = dn;
    for (unsigned depth = 0; at.size && depth < DEPTH_MAX && !write->failed; depth++) {
        struct bytes rdn, above;
        bool known = find_parents(write, at, &number, 1);
        if (!known) {
            number = write->meta.next_parent++;
            put(write, TABLE_PARENTS, val_of(&number, sizeof number), val_of(at.data, at.size), MDB_APPEND);
            gather(write, TABLE_PARENT_DNS, key_of_name(write->store, at), number, false);
        }
        found = depth ? found : number;
        if (known)
            break;
        entity_dn_split(at, &rdn, &above);
        at = above;
    }
    memcpy(write->parent_dn, dn.data, dn.size);
    write->parent_size = dn.size;
    write->parent = found;
    return found;
}

static bool ends_below(struct bytes dn, struct bytes above)
{
    if (dn.size < above.size)
        return false;
    size_t before = dn.size - above.size;
    return (!before || dn.data[before - 1] == ',') &&
           folded_equal((struct bytes){dn.data + before, above.size}, above);
}

static void rename_parent(struct entity_store_write *write, uint32_t number, struct bytes dn,
                          struct bytes old, struct bytes new)
{
    uint8_t renamed[ENTITY_STRING_MAX];
    size_t before = dn.size - old.size;
    if (before + new.size > sizeof renamed)
        return; /* such a DN cannot be */
    memcpy(renamed, dn.data, before);
    memcpy(renamed + before, new.data, new.size);
    gather(write, TABLE_PARENT_DNS, key_of_name(write->store, dn), number, true);
    gather(write, TABLE_PARENT_DNS, key_of_name(write->store, (struct bytes){renamed, before + new.size}),
           number, false);
    put(write, TABLE_PARENTS, val_of(&number, sizeof number), val_of(renamed, before + new.size), 0);
}

/* An object was renamed or moved: the directory says nothing of those below it, whose DNs are others too. */
static void rename_parents(struct entity_store_write *write, struct bytes old, struct bytes new)
{
    uint32_t number, next;
    if (!find_parents(write, old, &number, 1))
        return;
    struct bytes rdn, above;
    entity_dn_split(new, &rdn, &above);
    parent_number(write, above);
    uint32_t end = write->meta.next_parent;
    for (next = 1; next < end && !write->failed; next++) {
        MDB_val value;
        if (!get(write, TABLE_PARENTS, val_of(&next, sizeof next), &value))
            continue;
        uint8_t dn[ENTITY_STRING_MAX];
        struct bytes text = bytes_of(value);
        if (text.size > sizeof dn || !ends_below(text, old))
            continue;
        memcpy(dn, text.data, text.size); /* the page may be written to */
        rename_parent(write, next, (struct bytes){dn, text.size}, old, new);
    }
    write->parent = 0;
}

static struct bytes parent_dn(struct entity_store_write *write, uint32_t number)
{
    MDB_val value;
    if (!number || !get(write, TABLE_PARENTS, val_of(&number, sizeof number), &value))
        return (struct bytes){NULL, 0};
    return bytes_of(value);
}

/* -- rows
 * ------------------------------------------------------------------------------------------------------ */

/* 0: there is none. */
static uint32_t number_of(struct entity_store_write *write, const struct guid *guid)
{
    MDB_val value;
    uint32_t number = 0;
    if (!get(write, TABLE_GUIDS, val_of(guid->bytes, GUID_SIZE), &value))
        return 0;
    if (!val_copy(value, &number, sizeof number) || !number)
        fail_damaged(write, "a GUID");
    return number;
}

static uint32_t new_number(struct entity_store_write *write, const struct guid *guid)
{
    uint32_t number = write->meta.next_row++;
    if (number == UINT32_MAX)
        fail(write, MDB_MAP_FULL, "no number is left");
    put(write, TABLE_GUIDS, val_of(guid->bytes, GUID_SIZE), val_of(&number, sizeof number), MDB_NOOVERWRITE);
    return number;
}

static void put_row(struct entity_store_write *write, uint32_t number, bool is_new, const void *record,
                    size_t size)
{
    put(write, TABLE_ROWS, val_of(&number, sizeof number), val_of(record, size), is_new ? MDB_APPEND : 0);
}

/* Into memory of its own: what is written next may change the page. */
static bool read_row(struct entity_store_write *write, uint32_t number, uint8_t to[ENTITY_BYTES_MAX],
                     struct entity_record_head *head, struct entity *entity, size_t *size)
{
    MDB_val value;
    if (!get(write, TABLE_ROWS, val_of(&number, sizeof number), &value))
        return write->failed ? false : fail_damaged(write, "a row is missing");
    if (value.mv_size > ENTITY_BYTES_MAX)
        return fail_damaged(write, "a row");
    memcpy(to, value.mv_data, value.mv_size);
    *size = value.mv_size;
    return entity_record_decode((struct bytes){to, *size}, head, entity) || fail_damaged(write, "a row");
}

/* -- names
 * ----------------------------------------------------------------------------------------------------- */

static void add_key(struct keys *keys, enum table table, uint64_t key)
{
    for (uint32_t i = 0; i < keys->count; i++) {
        if (keys->keys[i].key == key && keys->keys[i].table == table)
            return;
    }
    keys->keys[keys->count].key = key;
    keys->keys[keys->count++].table = table;
}

static void add_name(struct entity_store_write *write, struct keys *keys, enum table table,
                     const struct entity *entity, enum entity_attribute attribute)
{
    const struct activity_value *value = entity_get(entity, attribute);
    if (value)
        add_key(keys, table, key_of_name(write->store, value->bytes));
}

static void add_names(struct entity_store_write *write, struct keys *keys, enum table table,
                      const struct entity *entity, enum entity_attribute attribute)
{
    const struct activity_value *value = entity_get(entity, attribute);
    if (!value)
        return;
    struct cursor items = value->list.items;
    for (uint32_t i = 0; i < value->list.count && i < ENTITY_LIST_MAX; i++)
        add_key(keys, table, key_of_name(write->store, activity_next_item(&items, TYPE_STRING).bytes));
}

/* The keys under which an entity is found. */
static void collect_keys(struct entity_store_write *write, struct keys *keys, const struct entity *entity,
                         uint32_t parent)
{
    const struct activity_value *sid = entity_get(entity, ENTITY_OBJECT_SID);
    keys->count = 0;
    if (sid)
        add_key(keys, TABLE_SIDS, key_of_sid(write->store, sid->bytes));
    if (entity->deleted)
        return;
    add_name(write, keys, TABLE_ACCOUNTS, entity, ENTITY_SAM_ACCOUNT_NAME);
    add_name(write, keys, TABLE_UPNS, entity, ENTITY_USER_PRINCIPAL_NAME);
    add_names(write, keys, TABLE_SPNS, entity, ENTITY_SERVICE_PRINCIPAL_NAMES);
    add_name(write, keys, TABLE_DNS_NAMES, entity, ENTITY_DNS_HOST_NAME);
    add_names(write, keys, TABLE_DNS_NAMES, entity, ENTITY_ADDITIONAL_DNS_NAMES);
    if (entity->rdn.size)
        add_key(keys, TABLE_DNS, key_of_rdn(write->store, parent, entity->rdn));
}

static bool has_key(const struct keys *keys, uint64_t key, enum table table)
{
    for (uint32_t i = 0; i < keys->count; i++) {
        if (keys->keys[i].key == key && keys->keys[i].table == table)
            return true;
    }
    return false;
}

static void gather_keys(struct entity_store_write *write, uint32_t number)
{
    const struct keys *old = &write->old_keys, *new = &write->new_keys;
    for (uint32_t i = 0; i < old->count; i++) {
        if (!has_key(new, old->keys[i].key, old->keys[i].table))
            gather(write, old->keys[i].table, old->keys[i].key, number, true);
    }
    for (uint32_t i = 0; i < new->count; i++) {
        if (!has_key(old, new->keys[i].key, new->keys[i].table))
            gather(write, new->keys[i].table, new->keys[i].key, number, false);
    }
}

static void put_flat_name(struct entity_store_write *write, const struct entity *entity)
{
    bool partition = entity->kind == ENTITY_PARTITION;
    const struct activity_value *flat =
        entity_get(entity, partition ? ENTITY_NETBIOS_NAME : ENTITY_FLAT_NAME);
    const struct activity_value *domain =
        entity_get(entity, partition ? ENTITY_DNS_ROOT : ENTITY_TRUST_PARTNER);
    uint8_t folded[ENTITY_STRING_MAX], key[ENTITY_STORE_NAME_MAX];
    if (!flat || !domain || !flat->bytes.size || flat->bytes.size > sizeof key)
        return;
    entity_fold(key, flat->bytes);
    entity_fold(folded, domain->bytes);
    put(write, TABLE_FLATS, val_of(key, flat->bytes.size), val_of(folded, domain->bytes.size), 0);
}

/* -- links
 * ----------------------------------------------------------------------------------------------------- */

static uint32_t pending_bit(uint32_t number)
{
    return number * 2654435761u >> 16;
}

static void gather_link(struct entity_store_write *write, uint32_t source, enum entity_link link,
                        uint32_t target, bool goes)
{
    uint32_t bit = pending_bit(source);
    write->pending[bit / 8] |= (uint8_t)(1u << bit % 8);
    gather(write, TABLE_FORWARD, key_of_link(source, link), target, goes);
    gather(write, TABLE_BACKWARD, key_of_link(target, link), source, goes);
}

static bool is_pending(const struct entity_store_write *write, uint32_t source)
{
    uint32_t bit = pending_bit(source);
    return write->pending[bit / 8] >> bit % 8 & 1;
}

static bool has_link(struct entity_store_write *write, uint32_t source, enum entity_link link,
                     uint32_t target)
{
    MDB_cursor *cursor = cursor_on(write, TABLE_FORWARD);
    uint64_t forward = key_of_link(source, link);
    MDB_val key = val_of(&forward, sizeof forward), value = val_of(&target, sizeof target);
    if (!cursor)
        return false;
    int code = mdb_cursor_get(cursor, &key, &value, MDB_GET_BOTH);
    if (code && code != MDB_NOTFOUND)
        fail(write, code, "links");
    return !code;
}

/* The number of a link's end that is no entity yet, and may never be one. */
static uint32_t add_unknown(struct entity_store_write *write, const struct entity_edge *edge)
{
    struct bytes rdn, above;
    entity_dn_split(edge->target_dn, &rdn, &above);
    memset(&write->burial, 0, sizeof write->burial);
    struct entity_record_head head = {
        .guid = edge->target, .flags = RECORD_UNKNOWN, .parent = parent_number(write, above)};
    uint32_t number = new_number(write, &edge->target);
    put_row(write, number, true, write->old_record,
            entity_record_write(write->old_record, &head, NULL, &write->burial, rdn));
    return number;
}

static int compare_turns(const void *a_, const void *b_)
{
    const struct turn *a = a_, *b = b_;
    if (a->link != b->link)
        return a->link < b->link ? -1 : 1;
    if (a->target != b->target)
        return a->target < b->target ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

static bool room_for_turns(struct entity_store_write *write, uint32_t count)
{
    if (count <= write->turns_capacity)
        return true;
    struct turn *larger = realloc(write->turns, count * sizeof *larger);
    if (!larger)
        return fail(write, ENOMEM, "no memory");
    write->turns = larger;
    write->turns_capacity = count;
    return true;
}

static bool is_whole_link(const struct entity_change *change, uint32_t link)
{
    return change->whole_links >> link & 1;
}

/* Edges of the change in the order of links and targets, the last word on each. */
static uint32_t take_turns(struct entity_store_write *write, const struct entity_change *change)
{
    uint32_t count = 0, kept = 0;
    if (!room_for_turns(write, change->edge_count))
        return 0;
    for (uint32_t i = 0; i < change->edge_count && !write->failed; i++) {
        const struct entity_edge *edge = &change->edges[i];
        if ((unsigned)edge->link >= ENTITY_LINKS)
            continue;
        uint32_t target = number_of(write, &edge->target);
        if (!target && !edge->removed && !write->failed)
            target = add_unknown(write, edge);
        if (target)
            write->turns[count++] = (struct turn){(uint32_t)edge->link, target, i, edge->removed};
    }
    if (count)
        qsort(write->turns, count, sizeof *write->turns, compare_turns);
    for (uint32_t i = 0; i < count; i++) {
        const struct turn *turn = &write->turns[i], *next = turn + 1;
        if (i + 1 == count || next->link != turn->link || next->target != turn->target)
            write->turns[kept++] = *turn;
    }
    return kept;
}

/* Removes the links of an entity that are there and not among the turns, which are all there are. */
static bool remove_others(struct entity_store_write *write, uint32_t source, enum entity_link link,
                          uint32_t count, uint64_t *links)
{
    MDB_cursor *cursor = cursor_on(write, TABLE_FORWARD);
    uint32_t at = 0, target;
    bool first = true, differs = false;
    int code = 0;
    while (cursor && set_next(cursor, key_of_link(source, link), &first, &target, &code)) {
        while (at < count && (write->turns[at].link < (uint32_t)link ||
                              (write->turns[at].link == (uint32_t)link && write->turns[at].target < target)))
            at++;
        if (at < count && write->turns[at].link == (uint32_t)link && write->turns[at].target == target &&
            !write->turns[at].removed)
            continue;
        gather_link(write, source, link, target, true);
        (*links)--;
        differs = true;
    }
    if (code && code != MDB_NOTFOUND)
        fail(write, code, "links");
    return differs;
}

/* Whether any link came or went. */
static bool apply_links(struct entity_store_write *write, const struct entity_change *change, uint32_t source,
                        uint32_t context)
{
    if (!change->edge_count && !change->whole_links)
        return false;
    /* First of all, for writing may do away with ends that are not known otherwise. */
    if (is_pending(write, source))
        write_links(write);
    uint32_t count = take_turns(write, change);
    uint64_t *links = &counts_of(write, context)->links;
    bool differs = false;
    for (unsigned link = 0; link < ENTITY_LINKS; link++) {
        if (is_whole_link(change, link))
            differs |= remove_others(write, source, (enum entity_link)link, count, links);
    }
    for (uint32_t i = 0; i < count && !write->failed; i++) {
        const struct turn *turn = &write->turns[i];
        bool whole = is_whole_link(change, turn->link);
        bool has = has_link(write, source, (enum entity_link)turn->link, turn->target);
        if (has != turn->removed || (turn->removed && whole))
            continue;
        gather_link(write, source, (enum entity_link)turn->link, turn->target, turn->removed);
        *links += turn->removed ? UINT64_MAX : 1;
        differs = true;
    }
    return differs;
}

static uint32_t context_of(struct entity_store_write *write, uint32_t number)
{
    MDB_val value;
    struct entity_record_head head = {0};
    if (get(write, TABLE_ROWS, val_of(&number, sizeof number), &value) &&
        !entity_record_head(bytes_of(value), &head))
        fail_damaged(write, "a row");
    return head.context;
}

/* Every link from (or, `backward`, to) an entity goes. */
static void remove_all(struct entity_store_write *write, uint32_t number, bool backward)
{
    MDB_cursor *cursor = cursor_on(write, backward ? TABLE_BACKWARD : TABLE_FORWARD);
    uint64_t at = (uint64_t)number << 8;
    MDB_val key = val_of(&at, sizeof at), value;
    MDB_cursor_op operation = MDB_SET_RANGE;
    int code = 0;
    while (cursor && !write->failed && !(code = mdb_cursor_get(cursor, &key, &value, operation))) {
        uint32_t other;
        operation = MDB_NEXT;
        if (!val_copy(key, &at, sizeof at) || !val_copy(value, &other, sizeof other)) {
            fail_damaged(write, "links");
            return;
        }
        if (at >> 8 != number)
            return;
        if (backward && other == number)
            continue; /* to itself: it went with those from it */
        uint32_t source = backward ? other : number;
        gather_link(write, source, (enum entity_link)(at & 0xff), backward ? number : other, true);
        counts_of(write, context_of(write, source))->links--;
    }
    if (code && code != MDB_NOTFOUND)
        fail(write, code, "links");
}

static uint64_t count_links(struct entity_store_write *write, uint32_t number)
{
    MDB_cursor *cursor = cursor_on(write, TABLE_FORWARD);
    uint64_t count = 0;
    for (unsigned link = 0; cursor && link < ENTITY_LINKS; link++) {
        uint64_t forward = key_of_link(number, (enum entity_link)link);
        MDB_val key = val_of(&forward, sizeof forward), value;
        size_t dups = 0;
        if (!mdb_cursor_get(cursor, &key, &value, MDB_SET) && !mdb_cursor_count(cursor, &dups))
            count += dups;
    }
    return count;
}

/* -- applying
 * -------------------------------------------------------------------------------------------------- */

/* One change on its way. */
struct application {
    const struct entity_change *change;
    uint32_t number;
    bool is_new;   /* there is no row yet */
    bool had;      /* it was known as an entity */
    bool was_dead; /* as a tombstone */
    struct entity_record_head old_head, head;
    size_t old_size, size;
    uint32_t seconds;
};

static uint32_t seconds_of(int64_t now)
{
    int64_t seconds = now / CLOCK_SECOND;
    return seconds < 0 ? 0 : seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
}

static void count_entity(struct entity_store_write *write, const struct entity_record_head *head, uint64_t by)
{
    struct entity_counts *counts = counts_of(write, head->context);
    if (head->flags & RECORD_DELETED)
        counts->deleted += by;
    else
        counts->kinds[head->kind] += by;
}

static void make_head(struct entity_store_write *write, struct application *a, enum entity_origin origin,
                      uint32_t context)
{
    const struct entity_change *change = a->change;
    const struct entity_record_head *old = a->had ? &a->old_head : NULL;
    struct bytes rdn, above;
    entity_dn_split(change->dn, &rdn, &above);
    bool looked_up = origin == ENTITY_LOOKED_UP && !(old && !(old->flags & RECORD_LOOKED_UP));
    a->head = (struct entity_record_head){
        .guid = change->guid,
        .kind = change->kind_known && (unsigned)change->kind < ENTITY_KINDS ? change->kind
                : old                                                       ? old->kind
                                                                            : ENTITY_OTHER,
        .flags = (uint8_t)((old ? old->flags & RECORD_TRUNCATED : 0) |
                           (change->deleted ? RECORD_DELETED : 0) | (looked_up ? RECORD_LOOKED_UP : 0)),
        .context = (uint16_t)context,
        .parent = change->dn.size ? parent_number(write, above)
                  : a->is_new     ? 0
                                  : a->old_head.parent,
        .changed = a->seconds,
    };
}

/* The DN as it was, and whether it is another now. */
static bool is_renamed(struct entity_store_write *write, const struct application *a, char *old, char *new,
                       size_t capacity)
{
    if (!a->had || a->was_dead || a->head.flags & RECORD_DELETED)
        return false;
    if (a->head.parent == a->old_head.parent && write->old.rdn.size == write->new.rdn.size &&
        (!write->new.rdn.size || memcmp(write->old.rdn.data, write->new.rdn.data, write->new.rdn.size) == 0))
        return false;
    write->old.parent = parent_dn(write, a->old_head.parent);
    bool fits = entity_dn(&write->old, old, capacity) < capacity;
    write->new.parent = parent_dn(write, a->head.parent);
    return entity_dn(&write->new, new, capacity) < capacity && fits;
}

/* The row, its names and its place in the counts. */
static void put_entity(struct entity_store_write *write, struct application *a)
{
    char old[ENTITY_STRING_MAX], new[ENTITY_STRING_MAX];
    if (!entity_record_decode((struct bytes){write->record, a->size}, &a->head, &write->new)) {
        fail(write, EINVAL, "a change");
        return;
    }
    bool renamed = is_renamed(write, a, old, new, sizeof old);
    write->old_keys.count = 0;
    if (a->had)
        collect_keys(write, &write->old_keys, &write->old, a->old_head.parent);
    collect_keys(write, &write->new_keys, &write->new, a->head.parent);
    gather_keys(write, a->number);
    if (a->had)
        count_entity(write, &a->old_head, UINT64_MAX);
    count_entity(write, &a->head, 1);
    if (a->had && a->old_head.context != a->head.context) {
        write_links(write);
        uint64_t links = count_links(write, a->number);
        counts_of(write, a->old_head.context)->links -= links;
        counts_of(write, a->head.context)->links += links;
    }
    put_row(write, a->number, a->is_new, write->record, a->size);
    if (write->new.kind == ENTITY_PARTITION || write->new.kind == ENTITY_TRUST)
        put_flat_name(write, &write->new);
    if (renamed)
        rename_parents(write, (struct bytes){(uint8_t *)old, strlen(old)},
                       (struct bytes){(uint8_t *)new, strlen(new)});
}

static void bury(struct entity_store_write *write, const struct application *a)
{
    if (a->had && a->was_dead)
        return;
    write_links(write);
    remove_all(write, a->number, false);
    remove_all(write, a->number, true);
    gather(write, TABLE_GRAVES, a->seconds / (CLOCK_DAY / CLOCK_SECOND), a->number, false);
}

static enum entity_applied apply(struct entity_store_write *write, const struct entity_change *change,
                                 enum entity_origin origin, uint32_t context, uint32_t pass, int64_t now)
{
    struct application a = {.change = change, .seconds = seconds_of(now)};
    struct bytes rdn, above;
    write->applied = 0;
    a.number = number_of(write, &change->guid);
    a.is_new = !a.number;
    if (!a.is_new && !read_row(write, a.number, write->old_record, &a.old_head, &write->old, &a.old_size))
        return ENTITY_REFUSED;
    a.had = !a.is_new && !(a.old_head.flags & RECORD_UNKNOWN);
    a.was_dead = a.had && a.old_head.flags & RECORD_DELETED;
    make_head(write, &a, origin, context);
    entity_dn_split(change->dn, &rdn, &above);
    a.size = entity_record_write(write->record, &a.head, a.is_new ? NULL : &write->old, change, rdn);
    bool same = a.had && entity_record_same((struct bytes){write->record, a.size},
                                            (struct bytes){write->old_record, a.old_size});
    if (a.is_new)
        a.number = new_number(write, &change->guid);
    if (!same)
        put_entity(write, &a);
    bool links_differ = false;
    if (change->deleted)
        bury(write, &a);
    else
        links_differ = apply_links(write, change, a.number, context);
    /* Told again by replication what a look-up found, or with other links only. */
    if (same && (links_differ || a.head.flags != a.old_head.flags)) {
        entity_record_set_changed(write->record, links_differ ? a.seconds : a.old_head.changed);
        put_row(write, a.number, false, write->record, a.size);
    }
    set_mark(write, a.number, (struct mark){a.seconds, pass, (uint16_t)context, !change->deleted});
    if (write->failed)
        return ENTITY_REFUSED;
    write->applied = a.number;
    if (!a.had || (a.was_dead && !change->deleted))
        return ENTITY_ADDED;
    if (!a.was_dead && change->deleted)
        return ENTITY_REMOVED;
    return same && !links_differ ? ENTITY_UNCHANGED : ENTITY_CHANGED;
}

enum entity_applied entity_store_apply(struct entity_store_write *write, const struct entity_change *change,
                                       enum entity_origin origin, uint32_t context, uint32_t pass,
                                       int64_t now)
{
    if (!write->failed && (!context || context > write->context_count))
        fail(write, EINVAL, "no such context");
    if (write->failed)
        return ENTITY_REFUSED;
    struct context *in = &write->contexts[context - 1].context;
    if (pass > in->newest_pass) {
        in->newest_pass = pass;
        write->contexts[context - 1].changed = true;
    }
    write_sets(write, GATHERED_MAX);
    if (!change->deleted || !change->whole)
        return apply(write, change, origin, context, pass ? pass : in->newest_pass, now);
    /* What a tombstone lacks was taken from it: what it was is worth keeping. */
    struct entity_change *burial = &write->burial;
    *burial = *change;
    burial->whole = false;
    return apply(write, burial, origin, context, pass ? pass : in->newest_pass, now);
}

bool entity_store_applied(struct entity_store_write *write, struct entity *to)
{
    MDB_val value;
    struct entity_record_head head;
    uint32_t number = write->applied;
    if (write->failed || !number || !get(write, TABLE_ROWS, val_of(&number, sizeof number), &value) ||
        !entity_record_decode(bytes_of(value), &head, to))
        return false;
    to->domain = write->contexts[head.context - 1].context.domain;
    to->parent = parent_dn(write, head.parent);
    to->seen = to->changed;
    return head.context > 0 && !write->failed;
}

/* -- sweeping
 * -------------------------------------------------------------------------------------------------- */

static bool guid_of(struct entity_store_write *write, uint32_t number, struct guid *guid)
{
    MDB_val value;
    struct entity_record_head head;
    if (!get(write, TABLE_ROWS, val_of(&number, sizeof number), &value) ||
        !entity_record_head(bytes_of(value), &head))
        return write->failed ? false : fail_damaged(write, "a row");
    *guid = head.guid;
    return true;
}

static bool bury_unseen(struct entity_store_write *write, uint32_t number, uint32_t context, int64_t now,
                        struct guid *guid)
{
    if (!guid_of(write, number, guid))
        return false;
    memset(&write->burial, 0, sizeof write->burial);
    write->burial.guid = *guid;
    write->burial.deleted = true;
    uint32_t newest = write->contexts[context - 1].context.newest_pass;
    write_sets(write, GATHERED_MAX);
    return apply(write, &write->burial, ENTITY_REPLICATED, context, newest, now) == ENTITY_REMOVED;
}

uint32_t entity_store_sweep(struct entity_store_write *write, uint32_t context, uint32_t pass, uint32_t limit,
                            int64_t now, void (*removed)(void *to, const struct guid *guid), void *to)
{
    uint32_t count = 0;
    struct mark marks[MARKS];
    if (write->failed || !context || context > write->context_count)
        return 0;
    put_marks(write);
    uint32_t last = write->meta.next_row / MARKS;
    for (uint32_t at = 0; at <= last && count < limit && !write->failed; at++) {
        if (!read_marks(write, at, marks))
            continue;
        for (uint32_t i = 0; i < MARKS && count < limit && !write->failed; i++) {
            struct guid guid;
            if (!marks[i].alive || marks[i].context != context || marks[i].pass >= pass)
                continue;
            if (!bury_unseen(write, at * MARKS + i, context, now, &guid))
                continue;
            count++;
            if (removed)
                removed(to, &guid);
        }
    }
    return count;
}

/* The grave's day has come: the tombstone goes, unless it lives again or was told of later. */
static bool expire(struct entity_store_write *write, uint64_t day, uint32_t number, uint64_t last_day)
{
    struct entity_record_head head;
    size_t size;
    gather(write, TABLE_GRAVES, day, number, true);
    MDB_val value;
    if (!get(write, TABLE_ROWS, val_of(&number, sizeof number), &value) ||
        !read_row(write, number, write->old_record, &head, &write->old, &size) ||
        !(head.flags & RECORD_DELETED))
        return false;
    uint64_t changed_day = head.changed / (CLOCK_DAY / CLOCK_SECOND);
    if (changed_day > last_day) {
        gather(write, TABLE_GRAVES, changed_day, number, false);
        return false;
    }
    collect_keys(write, &write->old_keys, &write->old, head.parent);
    write->new_keys.count = 0;
    gather_keys(write, number);
    count_entity(write, &head, UINT64_MAX);
    if (!has_backward(write, number)) {
        remove_row(write, number, &head.guid);
        return true;
    }
    /* Something links to it again: from now on to an end that is not known. */
    head.flags = RECORD_UNKNOWN;
    head.context = 0;
    memset(&write->burial, 0, sizeof write->burial);
    write->burial.whole = true;
    put_row(write, number, false, write->record,
            entity_record_write(write->record, &head, &write->old, &write->burial, write->old.rdn));
    set_mark(write, number, (struct mark){0});
    return true;
}

uint32_t entity_store_expire(struct entity_store_write *write, int64_t now, uint32_t limit)
{
    int64_t before = now - write->store->tombstones_kept;
    if (write->failed || before < CLOCK_DAY)
        return 0;
    uint64_t last_day = (uint64_t)(before / CLOCK_DAY) - 1;
    uint32_t count = 0;
    write_sets(write, 0);
    put_marks(write);
    MDB_cursor *cursor = cursor_on(write, TABLE_GRAVES);
    MDB_val key, value;
    MDB_cursor_op operation = MDB_FIRST;
    int code = 0;
    while (cursor && !write->failed && count < limit &&
           !(code = mdb_cursor_get(cursor, &key, &value, operation))) {
        uint64_t day;
        uint32_t number;
        operation = MDB_NEXT;
        if (!val_copy(key, &day, sizeof day) || !val_copy(value, &number, sizeof number)) {
            fail_damaged(write, "graves");
            break;
        }
        if (day > last_day)
            break;
        count += expire(write, day, number, last_day);
    }
    if (code && code != MDB_NOTFOUND)
        fail(write, code, "graves");
    return count;
}

/* -- state
 * ----------------------------------------------------------------------------------------------------- */

void entity_store_put_state(struct entity_store_write *write, const char *name, struct bytes value)
{
    size_t size = strlen(name);
    if (write->failed)
        return;
    if (!size || size > ENTITY_STORE_NAME_MAX)
        fail(write, EINVAL, "a piece of state's name");
    else if (value.size)
        put(write, TABLE_STATE, val_of(name, size), val_of(value.data, value.size), 0);
    else
        del(write, TABLE_STATE, val_of(name, size));
}

bool entity_store_write_state(struct entity_store_write *write, const char *name, struct bytes *value)
{
    MDB_val found;
    size_t size = strlen(name);
    if (write->failed || !size || size > ENTITY_STORE_NAME_MAX ||
        !get(write, TABLE_STATE, val_of(name, size), &found))
        return false;
    *value = bytes_of(found);
    return true;
}

/* -- the transaction
 * ------------------------------------------------------------------------------------------- */

struct entity_store_write *entity_store_begin(struct entity_store *store, struct fault *fault)
{
    MDB_txn *txn;
    store_check_readers(store);
    int code = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (code) {
        if (store_is_damage(code))
            store_damaged(store, "a transaction cannot begin");
        fault_say(fault, "entity store %s: %s", store->path, mdb_strerror(code));
        return NULL;
    }
    struct entity_store_write *write = store->write;
    write->txn = txn;
    write->failed = false;
    write->meta = store->meta;
    write->parent = 0;
    write->marks_held = false;
    write->marks_changed = false;
    if (!write->contexts)
        read_contexts(write);
    return write;
}

static void forget(struct entity_store_write *write, bool committed)
{
    memset(write->cursors, 0, sizeof write->cursors); /* closed with their transaction */
    memset(write->pending, 0, sizeof write->pending);
    for (unsigned i = 0; i < TABLES; i++)
        write->sets[i].count = 0;
    for (uint32_t i = 0; committed && i < write->context_count; i++)
        write->contexts[i].changed = false;
    if (!committed)
        forget_contexts(write);
    write->txn = NULL;
}

static void put_meta(struct entity_store_write *write)
{
    if (memcmp(&write->meta, &write->store->meta, sizeof write->meta) != 0)
        put(write, TABLE_META, val_of("store", 5), val_of(&write->meta, sizeof write->meta), 0);
}

bool entity_store_commit(struct entity_store_write **write_p, bool sync, struct fault *fault)
{
    struct entity_store_write *write = *write_p;
    struct entity_store *store = write->store;
    write_sets(write, 0);
    put_marks(write);
    put_contexts(write);
    put_meta(write);
    if (write->failed) {
        fault_say(fault, "%s", write->why.text);
        entity_store_abort(write_p);
        return false;
    }
    sync = sync || !store_mark_unsynced(store);
    mdb_env_set_flags(store->env, MDB_NOSYNC, !sync);
    int code = mdb_txn_commit(write->txn);
    if (code)
        fail(write, code, "cannot be committed");
    else
        store->meta = write->meta;
    if (!code && sync)
        store_mark_synced(store);
    forget(write, !code);
    *write_p = NULL;
    return code ? fault_say(fault, "%s", write->why.text) : true;
}

void entity_store_abort(struct entity_store_write **write_p)
{
    struct entity_store_write *write = *write_p;
    if (!write)
        return;
    mdb_txn_abort(write->txn);
    forget(write, false);
    *write_p = NULL;
}
