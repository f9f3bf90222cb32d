/* SPDX-License-Identifier: Apache-2.0 */
#include "center/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/endian.h"

#define BUSY_MS        5000
#define APPLICATION_ID "1346065236" /* "PKCT" */

static const char *const trouble_names[] = {"fine", "busy", "full", "broken"};

const char *store_trouble_name(enum store_trouble trouble)
{
    return trouble_names[trouble];
}

enum store_trouble store_trouble(const struct store *store)
{
    return store->trouble;
}

bool store_failed(const struct store *store)
{
    return store->failed;
}

const char *store_fault(const struct store *store)
{
    return store->fault;
}

static enum store_trouble trouble_of(sqlite3 *db, int code)
{
    int cause = sqlite3_system_errno(db);
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return STORE_BUSY;
    case SQLITE_FULL:
        return STORE_FULL;
    case SQLITE_IOERR:
        return cause == ENOSPC || cause == EDQUOT ? STORE_FULL : STORE_BROKEN;
    default:
        return STORE_BROKEN;
    }
}

/* The first failure is the one that tells why; what follows is of it. */
static bool fail(struct store *store, int code)
{
    if (store->failed)
        return false;
    store->failed = true;
    store->trouble = trouble_of(store->db, code);
    const char *message = sqlite3_errmsg(store->db), *kind = sqlite3_errstr(code);
    bool same = strcmp(message, kind) == 0;
    snprintf(store->fault, sizeof(store->fault), "the database: %s%s%s%s", message, same ? "" : " (",
             same ? "" : kind, same ? "" : ")");
    return false;
}

bool store_fail(struct store *store, const char *format, ...)
{
    va_list arguments;
    if (store->failed)
        return false;
    store->failed = true;
    store->trouble = STORE_BROKEN;
    va_start(arguments, format);
    vsnprintf(store->fault, sizeof(store->fault), format, arguments);
    va_end(arguments);
    return false;
}

/* Outside of a transaction each call stands for itself. */
static bool ready(struct store *store)
{
    if (!store->within)
        store->failed = false;
    return !store->failed;
}

bool store_execute(struct store *store, const char *sql)
{
    if (!ready(store))
        return false;
    int code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK || fail(store, code);
}

/* -- opening --------------------------------------------------------------------------------------------- */

/* SQLite would make it readable for others as far as the umask lets it. One that is there is not opened:
 * closing it would give up the locks that this process's other connections hold on it (fcntl(2)), and another
 * process that closes its own would then take the journal away from under them. */
static bool make_file(const char *path, struct fault *fault)
{
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0 && errno != EEXIST)
        return fault_say(fault, "%s cannot be made: %s", path, strerror(errno));
    if (file >= 0)
        close(file);
    return true;
}

static bool configure(struct store *store)
{
    sqlite3_extended_result_codes(store->db, 1);
    sqlite3_busy_timeout(store->db, BUSY_MS);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    if (!store_execute(store, "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;"))
        return false;
    if (store->use == STORE_READER)
        return store_execute(store, "PRAGMA query_only = ON; PRAGMA cache_size = -8192;");
    /* The log can give again what the pipeline wrote; nothing gives again what people did. What is deleted is
     * overwritten where that costs no further page, though SQLite may have been built to overwrite all. */
    return store_execute(store, "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;"
                                "PRAGMA journal_size_limit = 67108864; PRAGMA wal_autocheckpoint = 4000;"
                                "PRAGMA secure_delete = FAST;"
                                "PRAGMA cache_size = -65536; PRAGMA application_id = " APPLICATION_ID) &&
           store_execute(store, store->use == STORE_PEOPLE ? "PRAGMA synchronous = FULL"
                                                           : "PRAGMA synchronous = NORMAL");
}

struct store *store_open(const char *path, enum store_use use, struct fault *fault)
{
    struct store *store = NULL;
    if (use != STORE_READER && !make_file(path, fault))
        return NULL;
    if (!(store = calloc(1, sizeof(*store)))) {
        fault_say(fault, "no memory for the database");
        return NULL;
    }
    store->use = use;
    int code = sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    bool fine = store->db && (code == SQLITE_OK || fail(store, code)) && configure(store);
    if (!fine)
        fault_say(fault, "%s: %s", path, store->db ? store->fault : "no memory for the database");
    if (!fine || (use != STORE_READER && !store_migrate(store, fault)))
        store_close(&store);
    return store;
}

void store_close(struct store **store)
{
    if (!*store)
        return;
    for (unsigned i = 0; i < STORE_STATEMENTS; i++)
        sqlite3_finalize((*store)->slots[i].statement);
    sqlite3_close((*store)->db);
    free(*store);
    *store = NULL;
}

/* -- transactions ---------------------------------------------------------------------------------------- */

static bool begin(struct store *store, const char *sql, struct fault *fault)
{
    store->failed = false;
    store->trouble = STORE_FINE;
    if (!store_execute(store, sql))
        return fault_say(fault, "%s", store->fault);
    store->within = true;
    return true;
}

bool store_begin(struct store *store, struct fault *fault)
{
    return begin(store, "BEGIN IMMEDIATE", fault);
}

bool store_begin_reading(struct store *store, struct fault *fault)
{
    return begin(store, "BEGIN", fault);
}

void store_abandon(struct store *store)
{
    store->within = false;
    /* Some failures have ended it already. */
    if (!sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

bool store_commit(struct store *store, struct fault *fault)
{
    bool fine = store_execute(store, "COMMIT");
    store_abandon(store);
    return fine || fault_say(fault, "%s", store->fault);
}

/* -- parameters ------------------------------------------------------------------------------------------ */

struct store_value store_null(void)
{
    return (struct store_value){.type = STORE_NULL};
}

struct store_value store_int(int64_t value)
{
    return (struct store_value){.type = STORE_INT, .integer = value};
}

struct store_value store_uint(uint64_t value)
{
    return store_int((int64_t)value);
}

struct store_value store_real(double value)
{
    return (struct store_value){.type = STORE_REAL, .real = value};
}

struct store_value store_text(struct bytes utf8)
{
    return (struct store_value){.type = STORE_TEXT, .bytes = utf8};
}

struct store_value store_string(const char *text)
{
    return text ? store_text((struct bytes){(const uint8_t *)text, strlen(text)}) : store_null();
}

struct store_value store_blob(struct bytes bytes)
{
    return (struct store_value){.type = STORE_BLOB, .bytes = bytes};
}

struct store_value store_blob_of(const void *data, size_t size)
{
    return store_blob((struct bytes){data, size});
}

struct store_value store_id(const uint8_t id[16])
{
    return store_blob_of(id, 16);
}

struct store_value store_subject(struct subject subject)
{
    return (struct store_value){.type = STORE_SUBJECT, .subject = subject};
}

static int bind(sqlite3_stmt *statement, int index, const struct store_value *value)
{
    uint8_t subject[16];
    /* Empty is not null. */
    const void *data = value->bytes.data ? (const void *)value->bytes.data : "";
    switch (value->type) {
    case STORE_INT:
        return sqlite3_bind_int64(statement, index, value->integer);
    case STORE_REAL:
        return sqlite3_bind_double(statement, index, value->real);
    case STORE_TEXT:
        return sqlite3_bind_text64(statement, index, data, value->bytes.size, SQLITE_STATIC, SQLITE_UTF8);
    case STORE_BLOB:
        return sqlite3_bind_blob64(statement, index, data, value->bytes.size, SQLITE_STATIC);
    case STORE_SUBJECT:
        endian_put_be64(endian_put_be64(subject, value->subject.high), value->subject.low);
        return sqlite3_bind_blob(statement, index, subject, sizeof(subject), SQLITE_TRANSIENT);
    default:
        return sqlite3_bind_null(statement, index);
    }
}

/* -- statements ------------------------------------------------------------------------------------------ */

static struct store_slot *slot_of(struct store *store, const char *sql)
{
    unsigned at = (unsigned)(((uintptr_t)sql * UINT64_C(0x9e3779b97f4a7c15)) >> 40) & (STORE_STATEMENTS - 1);
    while (store->slots[at].sql && store->slots[at].sql != sql)
        at = (at + 1) & (STORE_STATEMENTS - 1);
    struct store_slot *slot = &store->slots[at];
    if (slot->sql)
        return slot;
    if (store->slot_count >= STORE_STATEMENTS * 3 / 4) {
        store_fail(store, "the database: too many statements");
        return NULL;
    }
    int code = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &slot->statement, NULL);
    if (code != SQLITE_OK) {
        fail(store, code);
        return NULL;
    }
    slot->sql = sql;
    store->slot_count++;
    return slot;
}

static struct store_slot *start(struct store *store, const char *sql, const struct store_value *values,
                                size_t count)
{
    struct store_slot *slot = ready(store) ? slot_of(store, sql) : NULL;
    if (!slot)
        return NULL;
    if (slot->running) {
        store_fail(store, "the database: a statement within itself");
        return NULL;
    }
    int code = SQLITE_OK;
    for (size_t i = 0; i < count && code == SQLITE_OK; i++)
        code = bind(slot->statement, (int)i + 1, &values[i]);
    if (code != SQLITE_OK) {
        fail(store, code);
        return NULL;
    }
    slot->running = true;
    return slot;
}

static void finish(struct store_slot *slot)
{
    sqlite3_reset(slot->statement);
    slot->running = false;
}

bool store_run_values(struct store *store, const char *sql, const struct store_value *values, size_t count)
{
    struct store_slot *slot = start(store, sql, values, count);
    if (!slot)
        return false;
    int code;
    while ((code = sqlite3_step(slot->statement)) == SQLITE_ROW)
        ;
    if (code != SQLITE_DONE)
        fail(store, code);
    finish(slot);
    return code == SQLITE_DONE;
}

bool store_do(struct store *store, const char *sql)
{
    return store_run_values(store, sql, NULL, 0);
}

int64_t store_changed(const struct store *store)
{
    return sqlite3_changes64(store->db);
}

int64_t store_added(const struct store *store)
{
    return sqlite3_last_insert_rowid(store->db);
}

struct store_rows store_query_values(struct store *store, const char *sql, const struct store_value *values,
                                     size_t count)
{
    return (struct store_rows){store, start(store, sql, values, count)};
}

struct store_rows store_query_all(struct store *store, const char *sql)
{
    return store_query_values(store, sql, NULL, 0);
}

bool store_next(struct store_rows *rows)
{
    struct store_slot *slot = rows->slot;
    if (!slot)
        return false;
    int code = sqlite3_step(slot->statement);
    if (code == SQLITE_ROW)
        return true;
    if (code != SQLITE_DONE)
        fail(rows->store, code);
    store_rows_end(rows);
    return false;
}

void store_rows_end(struct store_rows *rows)
{
    if (rows->slot)
        finish(rows->slot);
    rows->slot = NULL;
}

/* -- columns --------------------------------------------------------------------------------------------- */

bool store_is_null(const struct store_rows *rows, int column)
{
    return sqlite3_column_type(rows->slot->statement, column) == SQLITE_NULL;
}

int64_t store_get_int(const struct store_rows *rows, int column)
{
    return sqlite3_column_int64(rows->slot->statement, column);
}

uint64_t store_get_uint(const struct store_rows *rows, int column)
{
    return (uint64_t)store_get_int(rows, column);
}

double store_get_real(const struct store_rows *rows, int column)
{
    return sqlite3_column_double(rows->slot->statement, column);
}

struct bytes store_get_bytes(const struct store_rows *rows, int column)
{
    const void *data = sqlite3_column_blob(rows->slot->statement, column);
    int size = sqlite3_column_bytes(rows->slot->statement, column);
    return (struct bytes){data, data && size > 0 ? (size_t)size : 0};
}

void store_get_text(const struct store_rows *rows, int column, char *to, size_t capacity)
{
    struct bytes bytes = store_get_bytes(rows, column);
    size_t size = bytes.size < capacity ? bytes.size : capacity - 1;
    if (size)
        memcpy(to, bytes.data, size);
    to[size] = '\0';
}

void store_get_id(const struct store_rows *rows, int column, uint8_t id[16])
{
    struct bytes bytes = store_get_bytes(rows, column);
    memset(id, 0, 16);
    if (bytes.size == 16)
        memcpy(id, bytes.data, 16);
}

struct subject store_get_subject(const struct store_rows *rows, int column)
{
    uint8_t id[16];
    store_get_id(rows, column, id);
    struct cursor c = cursor_of(id, sizeof(id));
    uint64_t high = cursor_be64(&c);
    return (struct subject){high, cursor_be64(&c)};
}
