/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/entity_store_read.h"

#include <stdlib.h>
#include <strings.h>

#define PARENTS_MAX 8u /* numbers of one parent's DN that are looked through */

/* -- snapshots --------------------------------------------------------------------------------------------
 */

struct entity_store_read *entity_store_read_open(struct entity_store *store, struct fault *fault)
{
    struct entity_store_read *read = calloc(1, sizeof *read);
    if (!read) {
        fault_say(fault, "no memory for a snapshot");
        return NULL;
    }
    read->store = store;
    int code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &read->txn);
    if (!code) {
        read->snapshot = mdb_txn_id(read->txn);
        read->snapshots = 1;
        return read;
    }
    if (store_is_damage(code))
        store_damaged(store, "a snapshot cannot be taken");
    fault_say(fault, "entity store %s: %s", store->path, mdb_strerror(code));
    free(read);
    return NULL;
}

void entity_store_read_rest(struct entity_store_read *read)
{
    if (!read->resting)
        mdb_txn_reset(read->txn);
    read->resting = true;
    memset(read->renewed, 0, sizeof read->renewed);
}

bool entity_store_read_renew(struct entity_store_read *read)
{
    entity_store_read_rest(read);
    read->resting = mdb_txn_renew(read->txn) != 0;
    if (read->resting || mdb_txn_id(read->txn) == read->snapshot)
        return !read->resting;
    read->snapshot = mdb_txn_id(read->txn);
    if (++read->snapshots == 0) { /* after 2^32 commits: what the first ones left would count again */
        memset(read->numbers, 0, sizeof read->numbers);
        memset(read->records, 0, sizeof read->records);
        read->snapshots = 1;
    }
    return true;
}

void entity_store_read_close(struct entity_store_read **read_p)
{
    struct entity_store_read *read = *read_p;
    if (!read)
        return;
    for (unsigned i = 0; i < TABLES; i++) {
        if (read->cursors[i])
            mdb_cursor_close(read->cursors[i]);
    }
    mdb_txn_abort(read->txn);
    free(read);
    *read_p = NULL;
}

/* -- tables -------------------------------------------------------------------------------------------------
 */

static bool damaged(struct entity_store_read *read, const char *what)
{
    store_damaged(read->store, what);
    return false;
}

static bool failed(struct entity_store_read *read, int code)
{
    return store_is_damage(code) ? damaged(read, "a table") : false;
}

MDB_cursor *read_cursor(struct entity_store_read *read, enum table table)
{
    if (read->resting)
        return NULL;
    if (read->renewed[table])
        return read->cursors[table];
    int code = read->cursors[table]
                   ? mdb_cursor_renew(read->txn, read->cursors[table])
                   : mdb_cursor_open(read->txn, read->store->tables[table], &read->cursors[table]);
    read->renewed[table] = code == 0;
    return code ? NULL : read->cursors[table];
}

bool read_get(struct entity_store_read *read, enum table table, MDB_val key, MDB_val *value)
{
    MDB_cursor *cursor = read_cursor(read, table);
    if (!cursor)
        return false;
    int code = mdb_cursor_get(cursor, &key, value, MDB_SET);
    return code ? failed(read, code) : true;
}

bool read_number(struct entity_store_read *read, const struct guid *guid, uint32_t *number)
{
    MDB_val value;
    if (!read_get(read, TABLE_GUIDS, val_of(guid->bytes, GUID_SIZE), &value))
        return false;
    return val_copy(value, number, sizeof *number) || damaged(read, "a GUID");
}

bool read_record(struct entity_store_read *read, uint32_t number, struct bytes *record,
                 struct entity_record_head *head)
{
    struct lately_record *lately = &read->records[number % LATELY_SLOTS];
    MDB_val value;
    if (read->resting)
        return false;
    if (lately->round != read->snapshots || lately->number != number) {
        if (!read_get(read, TABLE_ROWS, val_of(&number, sizeof number), &value))
            return false;
        *lately =
            (struct lately_record){.record = bytes_of(value), .round = read->snapshots, .number = number};
    }
    *record = lately->record;
    return entity_record_head(*record, head) || damaged(read, "a row");
}

static bool read_context(struct entity_store_read *read, uint32_t number, struct context *to)
{
    MDB_val value;
    if (!read_get(read, TABLE_CONTEXTS, val_of(&number, sizeof number), &value))
        return false;
    return context_decode(bytes_of(value), to) || damaged(read, "a context");
}

static struct bytes read_domain(struct entity_store_read *read, uint32_t context)
{
    struct context of;
    return read_context(read, context, &of) ? of.domain : (struct bytes){NULL, 0};
}

static struct bytes read_parent(struct entity_store_read *read, uint32_t number)
{
    MDB_val value;
    if (!number || !read_get(read, TABLE_PARENTS, val_of(&number, sizeof number), &value) ||
        value.mv_size > ENTITY_STRING_MAX)
        return (struct bytes){NULL, 0};
    return bytes_of(value);
}

static int64_t read_seen(struct entity_store_read *read, uint32_t number)
{
    MDB_val value;
    uint32_t at = number / MARKS;
    struct mark mark;
    if (!read_get(read, TABLE_MARKS, val_of(&at, sizeof at), &value) || value.mv_size != MARKS * sizeof mark)
        return 0;
    memcpy(&mark, (const uint8_t *)value.mv_data + number % MARKS * sizeof mark, sizeof mark);
    return mark.seen * CLOCK_SECOND;
}

bool read_entity(struct entity_store_read *read, uint32_t number, struct entity_record_head *head,
                 struct entity *to)
{
    struct bytes record;
    if (!read_record(read, number, &record, head) || head->flags & RECORD_UNKNOWN)
        return false;
    if (!entity_record_decode(record, head, to))
        return damaged(read, "a row");
    to->domain = read_domain(read, head->context);
    to->parent = read_parent(read, head->parent);
    to->seen = read_seen(read, number);
    return true;
}

bool entity_store_get(struct entity_store_read *read, const struct guid *guid, struct entity *to)
{
    uint32_t number;
    struct entity_record_head head;
    return read_number(read, guid, &number) && read_entity(read, number, &head, to);
}

bool entity_store_state(struct entity_store_read *read, const char *name, struct bytes *value)
{
    MDB_val found;
    size_t size = strlen(name);
    if (!size || size > ENTITY_STORE_NAME_MAX || !read_get(read, TABLE_STATE, val_of(name, size), &found))
        return false;
    *value = bytes_of(found);
    return true;
}

bool entity_store_context_info(struct entity_store_read *read, uint32_t context, struct bytes *dn,
                               struct bytes *domain)
{
    struct context of;
    if (!read_context(read, context, &of))
        return false;
    *dn = of.dn;
    *domain = of.domain;
    return true;
}

bool entity_store_flat_name(struct entity_store_read *read, struct bytes flat, struct bytes *domain)
{
    uint8_t key[ENTITY_STORE_NAME_MAX];
    MDB_val value;
    if (!flat.size || flat.size > sizeof key)
        return false;
    entity_fold(key, flat);
    if (!read_get(read, TABLE_FLATS, val_of(key, flat.size), &value))
        return false;
    *domain = bytes_of(value);
    return true;
}

/* -- by name: the tables give candidates, the rows tell
 * ------------------------------------------------------ */

struct name {
    enum entity_index index;
    struct bytes text;                    /* folded, or a SID */
    struct bytes domain;                  /* folded; empty: any */
    struct bytes account, account_domain; /* of account@domain */
    uint32_t parents[PARENTS_MAX];
    uint32_t parent_count;
    bool dollar; /* look for the text with a $ behind it */
    bool dead;   /* look for tombstones, instead of the living */
};

/* What comes of it. */
struct findings {
    uint32_t count;
    bool (*found)(void *to, uint32_t number, const struct entity_record_head *head);
    void *to;
};

static bool is_folded(struct bytes value, struct bytes folded)
{
    uint8_t form[ENTITY_STRING_MAX];
    if (value.size != folded.size || value.size > sizeof form)
        return false;
    entity_fold(form, value);
    return memcmp(form, folded.data, folded.size) == 0;
}

static bool has_value(struct bytes record, enum entity_attribute attribute, struct bytes folded)
{
    struct activity_value value;
    if (!entity_record_value(record, attribute, &value))
        return false;
    if (!activity_type_is_list(entity_attribute_info(attribute)->type))
        return is_folded(value.bytes, folded);
    for (uint32_t i = 0; i < value.list.count; i++) {
        if (is_folded(activity_next_item(&value.list.items, TYPE_STRING).bytes, folded))
            return true;
    }
    return false;
}

static bool has_account(struct bytes record, struct bytes folded, bool dollar)
{
    struct activity_value value;
    if (!entity_record_value(record, ENTITY_SAM_ACCOUNT_NAME, &value))
        return false;
    struct bytes account = value.bytes;
    if (dollar && account.size && account.data[account.size - 1] == '$')
        account.size--;
    else if (dollar)
        return false;
    return is_folded(account, folded);
}

static bool has_parent(const struct name *name, uint32_t parent)
{
    for (uint32_t i = 0; i < name->parent_count; i++) {
        if (name->parents[i] == parent)
            return true;
    }
    return !name->parent_count && !parent;
}

static bool has_rdn(struct bytes record, const struct name *name, const struct entity_record_head *head)
{
    struct bytes rdn, want, above;
    entity_dn_split(name->text, &want, &above);
    return has_parent(name, head->parent) && entity_record_rdn(record, &rdn) && is_folded(rdn, want);
}

static bool has_sid(struct bytes record, struct bytes sid)
{
    struct activity_value value;
    return entity_record_value(record, ENTITY_OBJECT_SID, &value) && value.bytes.size == sid.size &&
           memcmp(value.bytes.data, sid.data, sid.size) == 0;
}

static bool in_domain(struct entity_store_read *read, uint32_t context, struct bytes folded)
{
    if (!folded.size)
        return true;
    struct bytes domain = read_domain(read, context);
    return domain.size == folded.size && memcmp(domain.data, folded.data, folded.size) == 0;
}

/* Whether the row's entity has the name, by the table in which it was found. */
static bool has_name(struct entity_store_read *read, enum table table, const struct name *name,
                     struct bytes record, const struct entity_record_head *head)
{
    if (head->flags & RECORD_UNKNOWN || name->dead != !!(head->flags & RECORD_DELETED) ||
        !in_domain(read, head->context, name->domain))
        return false;
    switch (table) {
    case TABLE_SIDS:
        return has_sid(record, name->text);
    case TABLE_ACCOUNTS:
        if (name->index == INDEX_UPN)
            return has_account(record, name->account, name->dollar) &&
                   in_domain(read, head->context, name->account_domain) &&
                   !has_value(record, ENTITY_USER_PRINCIPAL_NAME,
                              name->text); /* that one was found already */
        return has_account(record, name->text, name->dollar);
    case TABLE_UPNS:
        return has_value(record, ENTITY_USER_PRINCIPAL_NAME, name->text);
    case TABLE_SPNS:
        return has_value(record, ENTITY_SERVICE_PRINCIPAL_NAMES, name->text);
    case TABLE_DNS_NAMES:
        return has_value(record, ENTITY_DNS_HOST_NAME, name->text) ||
               has_value(record, ENTITY_ADDITIONAL_DNS_NAMES, name->text);
    default:
        return has_rdn(record, name, head);
    }
}

/* False when whoever looks has enough. */
static bool try_number(struct entity_store_read *read, enum table table, uint32_t number,
                       const struct name *name, struct findings *findings)
{
    struct bytes record;
    struct entity_record_head head;
    if (!read_record(read, number, &record, &head) || !has_name(read, table, name, record, &head))
        return true;
    findings->count++;
    return findings->found(findings->to, number, &head);
}

/* Keys with one number only, as nearly all have, are remembered, and those with none: nearly every account is
 * looked for as a computer's too. */
static bool find_key(struct entity_store_read *read, enum table table, uint64_t key, const struct name *name,
                     struct findings *findings)
{
    struct lately_number *lately = &read->numbers[(key ^ key >> 32) % LATELY_SLOTS];
    if (read->resting)
        return false;
    if (lately->round == read->snapshots && lately->key == key && lately->table == table)
        return !lately->number || try_number(read, table, lately->number, name, findings);
    MDB_cursor *cursor = read_cursor(read, table);
    bool first = true, more = true;
    uint32_t number, last = 0, count = 0;
    int code = 0;
    while (more && cursor && set_next(cursor, key, &first, &number, &code)) {
        last = number;
        count++;
        more = try_number(read, table, number, name, findings);
    }
    if (code)
        failed(read, code);
    if (code == MDB_NOTFOUND && count <= 1)
        *lately = (struct lately_number){
            .key = key, .round = read->snapshots, .number = last, .table = (uint8_t)table};
    return more;
}

static bool find_folded(struct entity_store_read *read, enum table table, struct bytes folded,
                        const struct name *name, struct findings *findings)
{
    return find_key(read, table, key_of_folded(read->store, folded), name, findings);
}

static void find_account(struct entity_store_read *read, struct name *name, struct bytes account,
                         struct findings *findings)
{
    uint8_t with_dollar[ENTITY_STRING_MAX + 1];
    name->dollar = false;
    if (!find_folded(read, TABLE_ACCOUNTS, account, name, findings))
        return;
    memcpy(with_dollar, account.data, account.size);
    with_dollar[account.size] = '$';
    name->dollar = true;
    find_folded(read, TABLE_ACCOUNTS, (struct bytes){with_dollar, account.size + 1}, name, findings);
}

static void find_upn(struct entity_store_read *read, struct name *name, struct findings *findings)
{
    if (!find_folded(read, TABLE_UPNS, name->text, name, findings))
        return;
    const uint8_t *at = memrchr(name->text.data, '@', name->text.size);
    if (!at)
        return;
    struct bytes domain;
    name->account = (struct bytes){name->text.data, (size_t)(at - name->text.data)};
    name->account_domain = (struct bytes){at + 1, name->text.size - name->account.size - 1};
    if (!name->account_domain.size)
        return;
    if (!memchr(name->account_domain.data, '.', name->account_domain.size) &&
        entity_store_flat_name(read, name->account_domain, &domain))
        name->account_domain = domain;
    find_account(read, name, name->account, findings);
}

/* Services that a computer answers for as HOST: the value of sPNMappings in every directory that nobody
 * changed ([MS-ADTS] 3.1.1.5.1.3, [MS-DRSR] 4.1.4.2.19). */
static const char *const host_services[] = {
    "alerter",     "appmgmt",      "browser",    "cifs",     "cisvc",       "clipsrv",
    "dcom",        "dhcp",         "dmserver",   "dns",      "dnscache",    "eventlog",
    "eventsystem", "fax",          "http",       "ias",      "iisadmin",    "mcsvc",
    "messenger",   "msdtc",        "msiserver",  "netdde",   "netddedsm",   "netlogon",
    "netman",      "nmagent",      "oakley",     "plugplay", "policyagent", "protectedstorage",
    "rasman",      "remoteaccess", "replicator", "rpc",      "rpclocator",  "rpcss",
    "rsvp",        "samss",        "scardsvr",   "scesrv",   "schedule",    "scm",
    "seclogon",    "snmp",         "spooler",    "tapisrv",  "time",        "trksvr",
    "trkwks",      "ups",          "w3svc",      "wins",     "www",
};

static bool is_host_service(struct bytes service)
{
    for (size_t i = 0; i < sizeof host_services / sizeof host_services[0]; i++) {
        if (strlen(host_services[i]) == service.size &&
            memcmp(host_services[i], service.data, service.size) == 0)
            return true;
    }
    return false;
}

static void find_spn(struct entity_store_read *read, struct name *name, struct findings *findings)
{
    uint8_t host[ENTITY_STRING_MAX + 5];
    if (!find_folded(read, TABLE_SPNS, name->text, name, findings) || findings->count)
        return;
    const uint8_t *slash = memchr(name->text.data, '/', name->text.size);
    if (!slash || !is_host_service((struct bytes){name->text.data, (size_t)(slash - name->text.data)}))
        return;
    size_t size = name->text.size - (size_t)(slash - name->text.data);
    memcpy(host, "host", 4);
    memcpy(host + 4, slash, size);
    name->text = (struct bytes){host, size + 4};
    find_folded(read, TABLE_SPNS, name->text, name, findings);
}

/* All numbers under which the DN of a parent goes. */
static void find_parents(struct entity_store_read *read, struct bytes folded, struct name *name)
{
    MDB_cursor *cursor = read_cursor(read, TABLE_PARENT_DNS);
    uint64_t key = key_of_folded(read->store, folded);
    bool first = true;
    uint32_t number;
    int code = 0;
    while (cursor && name->parent_count < PARENTS_MAX && set_next(cursor, key, &first, &number, &code)) {
        if (is_folded(read_parent(read, number), folded))
            name->parents[name->parent_count++] = number;
    }
}

static void find_dn(struct entity_store_read *read, struct name *name, struct findings *findings)
{
    struct bytes rdn, above;
    entity_dn_split(name->text, &rdn, &above);
    if (!above.size) {
        find_key(read, TABLE_DNS, key_of_rdn(read->store, 0, rdn), name, findings);
        return;
    }
    find_parents(read, above, name);
    for (uint32_t i = 0; i < name->parent_count; i++) {
        if (!find_key(read, TABLE_DNS, key_of_rdn(read->store, name->parents[i], rdn), name, findings))
            return;
    }
}

static void find_sid(struct entity_store_read *read, struct name *name, struct findings *findings)
{
    uint64_t key = key_of_sid(read->store, name->text);
    if (!find_key(read, TABLE_SIDS, key, name, findings))
        return;
    name->dead = true;
    find_key(read, TABLE_SIDS, key, name, findings);
}

static void find(struct entity_store_read *read, enum entity_index index, struct bytes text,
                 struct bytes domain, struct findings *findings)
{
    uint8_t folded[ENTITY_STRING_MAX], folded_domain[ENTITY_STORE_NAME_MAX];
    struct name name = {.index = index, .text = text};
    if (!text.size || text.size > sizeof folded || domain.size > sizeof folded_domain)
        return;
    if (index != INDEX_SID) {
        entity_fold(folded, text);
        name.text.data = folded;
    }
    entity_fold(folded_domain, domain);
    name.domain = (struct bytes){folded_domain, domain.size};
    struct bytes by_flat;
    if (domain.size && !memchr(folded_domain, '.', domain.size) &&
        entity_store_flat_name(read, name.domain, &by_flat))
        name.domain = by_flat;
    switch (index) {
    case INDEX_SID:
        find_sid(read, &name, findings);
        break;
    case INDEX_ACCOUNT:
        find_account(read, &name, name.text, findings);
        break;
    case INDEX_UPN:
        find_upn(read, &name, findings);
        break;
    case INDEX_SPN:
        find_spn(read, &name, findings);
        break;
    case INDEX_DNS_NAME:
        find_folded(read, TABLE_DNS_NAMES, name.text, &name, findings);
        break;
    default:
        find_dn(read, &name, findings);
        break;
    }
}

struct found_guids {
    struct guid *guids;
    uint32_t count, capacity;
};

static bool keep_guid(void *to_, uint32_t number, const struct entity_record_head *head)
{
    (void)number;
    struct found_guids *to = to_;
    if (to->count < to->capacity)
        to->guids[to->count++] = head->guid;
    return true;
}

uint32_t entity_store_find(struct entity_store_read *read, enum entity_index index, struct bytes name,
                           struct bytes domain, struct guid *found, uint32_t capacity)
{
    struct found_guids guids = {.guids = found, .capacity = capacity};
    struct findings findings = {.found = keep_guid, .to = &guids};
    find(read, index, name, domain, &findings);
    return findings.count;
}

static bool keep_first(void *to_, uint32_t number, const struct entity_record_head *head)
{
    (void)head;
    uint32_t *to = to_;
    *to = *to ? *to : number;
    return true;
}

uint32_t entity_store_find_first(struct entity_store_read *read, enum entity_index index, struct bytes name,
                                 struct bytes domain, struct entity *to)
{
    uint32_t number = 0;
    struct findings findings = {.found = keep_first, .to = &number};
    struct entity_record_head head;
    find(read, index, name, domain, &findings);
    return number && read_entity(read, number, &head, to) ? findings.count : 0;
}

bool read_next_sid(struct entity_store_read *read, MDB_cursor *cursor, struct bytes sid, bool *first,
                   uint32_t *number, struct entity_record_head *head)
{
    struct bytes record;
    int code = 0;
    while (set_next(cursor, key_of_sid(read->store, sid), first, number, &code)) {
        if (read_record(read, *number, &record, head) && !(head->flags & (RECORD_UNKNOWN | RECORD_DELETED)) &&
            has_sid(record, sid))
            return true;
    }
    return failed(read, code);
}

/* -- all of them
 * --------------------------------------------------------------------------------------------- */

static const enum entity_attribute searched[] = {
    ENTITY_SAM_ACCOUNT_NAME,        ENTITY_DISPLAY_NAME, ENTITY_USER_PRINCIPAL_NAME,
    ENTITY_DNS_HOST_NAME,           ENTITY_MAIL,         ENTITY_DESCRIPTION,
    ENTITY_SERVICE_PRINCIPAL_NAMES,
};

static bool contains(struct bytes value, struct bytes folded)
{
    uint8_t form[ENTITY_STRING_MAX];
    if (value.size < folded.size || value.size > sizeof form)
        return false;
    entity_fold(form, value);
    return memmem(form, value.size, folded.data, folded.size);
}

static bool is_searched(const struct entity *entity, struct bytes folded)
{
    if (contains(entity->rdn, folded))
        return true;
    for (size_t i = 0; i < sizeof searched / sizeof searched[0]; i++) {
        const struct activity_value *value = entity_get(entity, searched[i]);
        if (!value)
            continue;
        if (searched[i] != ENTITY_SERVICE_PRINCIPAL_NAMES) {
            if (contains(value->bytes, folded))
                return true;
            continue;
        }
        struct cursor items = value->list.items;
        for (uint32_t j = 0; j < value->list.count; j++) {
            if (contains(activity_next_item(&items, TYPE_STRING).bytes, folded))
                return true;
        }
    }
    return false;
}

void entity_store_search(struct entity_store_read *read, struct bytes text,
                         bool (*visit)(void *to, const struct entity *entity), void *to)
{
    uint8_t folded[ENTITY_STRING_MAX];
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    if (!text.size || text.size > sizeof folded || read->resting ||
        mdb_cursor_open(read->txn, read->store->tables[TABLE_ROWS], &cursor) != 0)
        return;
    entity_fold(folded, text);
    int code;
    bool more = true;
    while (more && !(code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
        struct entity_record_head head;
        uint32_t number;
        if (!val_copy(key, &number, sizeof number) ||
            !entity_record_decode(bytes_of(value), &head, &read->visited)) {
            damaged(read, "a row");
            continue;
        }
        if (head.flags & RECORD_UNKNOWN || !is_searched(&read->visited, (struct bytes){folded, text.size}))
            continue;
        if (read_entity(read, number, &head, &read->visited))
            more = visit(to, &read->visited);
    }
    mdb_cursor_close(cursor);
}

/* Numbers in the order of GUIDs, from the first that is not below `from`. */
static bool next_guid(struct entity_store_read *read, MDB_cursor *cursor, const struct guid *from,
                      bool *first, struct guid *guid, uint32_t *number)
{
    MDB_val key = val_of(from->bytes, GUID_SIZE), value;
    int code = mdb_cursor_get(cursor, &key, &value, *first ? MDB_SET_RANGE : MDB_NEXT);
    *first = false;
    if (code)
        return failed(read, code);
    return (val_copy(key, guid->bytes, GUID_SIZE) && val_copy(value, number, sizeof *number)) ||
           damaged(read, "a GUID");
}

void entity_store_each(struct entity_store_read *read, struct bytes domain, const struct guid *after,
                       bool (*visit)(void *to, const struct entity *entity), void *to)
{
    static const struct guid none;
    uint8_t folded[ENTITY_STORE_NAME_MAX];
    MDB_cursor *cursor = NULL;
    if (domain.size > sizeof folded || read->resting ||
        mdb_cursor_open(read->txn, read->store->tables[TABLE_GUIDS], &cursor) != 0)
        return;
    entity_fold(folded, domain);
    struct guid guid;
    uint32_t number;
    bool first = true, more = true;
    while (more && next_guid(read, cursor, after ? after : &none, &first, &guid, &number)) {
        struct entity_record_head head;
        struct bytes record;
        if ((after && memcmp(guid.bytes, after->bytes, GUID_SIZE) == 0) ||
            !read_record(read, number, &record, &head) ||
            !in_domain(read, head.context, (struct bytes){folded, domain.size}))
            continue;
        if (read_entity(read, number, &head, &read->visited))
            more = visit(to, &read->visited);
    }
    mdb_cursor_close(cursor);
}

void entity_store_counts(struct entity_store_read *read, struct bytes domain, struct entity_counts *counts)
{
    struct context context;
    memset(counts, 0, sizeof *counts);
    for (uint32_t number = 1; read_context(read, number, &context); number++) {
        if (domain.size && !folded_equal(context.domain, domain))
            continue;
        for (unsigned kind = 0; kind < ENTITY_KINDS; kind++)
            counts->kinds[kind] += context.counts.kinds[kind];
        counts->links += context.counts.links;
        counts->deleted += context.counts.deleted;
    }
}

/* -- digests
 * -------------------------------------------------------------------------------------------------- */

static bool has_prefix(const struct guid *guid, const struct guid *prefix, unsigned bits)
{
    unsigned bytes = bits / 8, rest = bits % 8;
    if (memcmp(guid->bytes, prefix->bytes, bytes) != 0)
        return false;
    return !rest || (guid->bytes[bytes] ^ prefix->bytes[bytes]) >> (8 - rest) == 0;
}

static void digest_links(struct entity_store_read *read, uint32_t source, const struct guid *guid,
                         struct entity_digest *digest)
{
    MDB_cursor *cursor = read_cursor(read, TABLE_FORWARD);
    uint64_t at = (uint64_t)source << 8;
    MDB_val key = val_of(&at, sizeof at), value;
    MDB_cursor_op operation = MDB_SET_RANGE;
    while (cursor && !mdb_cursor_get(cursor, &key, &value, operation)) {
        struct entity_record_head head;
        struct bytes record;
        uint32_t target;
        operation = MDB_NEXT;
        if (!val_copy(key, &at, sizeof at) || !val_copy(value, &target, sizeof target) || at >> 8 != source)
            return;
        if (read_record(read, target, &record, &head))
            entity_digest_add_link(digest, guid, (enum entity_link)(at & 0xff), &head.guid);
    }
}

void entity_store_digest(struct entity_store_read *read, uint32_t context, const struct guid *prefix,
                         unsigned bits, struct entity_digest *digest)
{
    static const struct guid none;
    MDB_cursor *cursor = NULL;
    struct guid from = none, guid;
    memset(digest, 0, sizeof *digest);
    if (bits > 8 * GUID_SIZE || read->resting ||
        mdb_cursor_open(read->txn, read->store->tables[TABLE_GUIDS], &cursor) != 0)
        return;
    memcpy(from.bytes, prefix->bytes, bits / 8);
    if (bits % 8)
        from.bytes[bits / 8] = (uint8_t)(prefix->bytes[bits / 8] & 0xff << (8 - bits % 8));
    uint32_t number;
    bool first = true;
    while (next_guid(read, cursor, &from, &first, &guid, &number) && has_prefix(&guid, prefix, bits)) {
        struct entity_record_head head;
        struct bytes record;
        if (!read_record(read, number, &record, &head) || head.context != context ||
            head.flags & (RECORD_UNKNOWN | RECORD_DELETED))
            continue;
        if (!entity_record_decode(record, &head, &read->visited)) {
            damaged(read, "a row");
            continue;
        }
        read->visited.parent = read_parent(read, head.parent);
        entity_digest_add(digest, &read->visited);
        digest_links(read, number, &guid, digest);
    }
    mdb_cursor_close(cursor);
}
