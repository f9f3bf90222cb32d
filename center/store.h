/* SPDX-License-Identifier: Apache-2.0
 *
 * The center's store: one SQLite file with everything but the activities themselves, which stand in the log.
 * This is its ground: connections, transactions, statements, migrations. What is kept, and by which
 * functions, say center/store_*.h (and the entities' own files); SQL stands in the files store*.c and
 * entities*.c only.
 *
 * A `struct store` is a connection and belongs to one thread at a time; each thread opens its own. Writers
 * take turns: store_begin waits for the one before. Readers see the newest commit and wait for nobody.
 *
 * Errors are sticky, as in base/cursor.h: within a transaction each call may be made without looking at its
 * result; once one failed the others do nothing, and store_commit undoes all and tells why.
 *
 * Tables: a migration is a file center/schema/NNN_name.sql, run once, in the order of the numbers; one that
 * has been released is never changed. 001-009 store, 010-019 entities, 020-029 alerts and API.
 */
#pragma once

#include "base/cursor.h"
#include "base/fault.h"
#include "center/subject.h"

struct store;

enum store_use {
    STORE_PIPELINE, /* writes what can be had again from the log: a commit is whole or not there, but a power
                       failure may take the last ones */
    STORE_PEOPLE,   /* writes what was promised to somebody: a commit is on the disk */
    STORE_READER,   /* never writes */
};

/* Opens the file; a writer makes it (mode 0600) and runs the migrations that are missing. NULL with the
 * reason; so when it is from a newer version. */
struct store *store_open(const char *path, enum store_use use, struct fault *fault);
void store_close(struct store **store);

/* Begins to write; a second one waits for the first, for at most five seconds. False with the reason. */
bool store_begin(struct store *store, struct fault *fault);
/* False with the reason: nothing of it is there. The transaction is over in both cases. */
bool store_commit(struct store *store, struct fault *fault);
/* Ends a transaction, if there is one, without any of it. */
void store_abandon(struct store *store);
/* Begins to read: until store_commit or store_abandon all that is read is of one moment. */
bool store_begin_reading(struct store *store, struct fault *fault);

/* What kept the last failed call from it; for health issues. */
enum store_trouble {
    STORE_FINE,
    STORE_BUSY,   /* somebody else kept it locked */
    STORE_FULL,   /* no room on the disk */
    STORE_BROKEN, /* the disk, or the file, or a mistake of ours */
};
enum store_trouble store_trouble(const struct store *store);
const char *store_trouble_name(enum store_trouble trouble);

/* -- statements: for the files that own tables -----------------------------------------------------------
 */

/* A parameter: ?1 is the first. */
struct store_value {
    enum { STORE_NULL, STORE_INT, STORE_REAL, STORE_TEXT, STORE_BLOB, STORE_SUBJECT } type;
    int64_t integer;
    double real;
    struct bytes bytes;
    struct subject subject;
};
struct store_value store_null(void);
struct store_value store_int(int64_t value);
struct store_value store_uint(uint64_t value); /* kept as the int64_t of the same bits */
struct store_value store_real(double value);
struct store_value store_string(const char *text); /* NULL: null */
struct store_value store_text(struct bytes utf8);
struct store_value store_blob(struct bytes bytes);
struct store_value store_blob_of(const void *data, size_t size);
struct store_value store_id(const uint8_t id[16]);
struct store_value store_subject(struct subject subject); /* as 16 bytes, big-endian */

/* Runs a statement that answers no rows. `sql` is a literal: by its address it is kept prepared. Outside of a
 * transaction it is one of its own. False: it failed, as everything behind it in this transaction will. */
#define store_run(store, sql, ...)                                                                           \
    store_run_values(store, sql, (const struct store_value[]){__VA_ARGS__},                                  \
                     sizeof((const struct store_value[]){__VA_ARGS__}) / sizeof(struct store_value))
bool store_run_values(struct store *store, const char *sql, const struct store_value *values, size_t count);
/* The same without parameters. */
bool store_do(struct store *store, const char *sql);
/* How many rows the last one changed, and the number of the row that it added last. */
int64_t store_changed(const struct store *store);
int64_t store_added(const struct store *store);

/* Asks. `while (store_next(&rows)) ...`: views of a row are valid until the next. store_rows_end() is needed
 * only before the last row; it does no harm after it. The same statement cannot be asked within itself. */
struct store_slot;
struct store_rows {
    struct store *store;
    struct store_slot *slot; /* NULL: no more */
};
#define store_query(store, sql, ...)                                                                         \
    store_query_values(store, sql, (const struct store_value[]){__VA_ARGS__},                                \
                       sizeof((const struct store_value[]){__VA_ARGS__}) / sizeof(struct store_value))
struct store_rows store_query_values(struct store *store, const char *sql, const struct store_value *values,
                                     size_t count);
struct store_rows store_query_all(struct store *store, const char *sql);
/* False: no more, or it failed (store_failed). */
bool store_next(struct store_rows *rows);
void store_rows_end(struct store_rows *rows);

/* Columns from 0; of a null 0 and empty. */
bool store_is_null(const struct store_rows *rows, int column);
int64_t store_get_int(const struct store_rows *rows, int column);
uint64_t store_get_uint(const struct store_rows *rows, int column);
double store_get_real(const struct store_rows *rows, int column);
struct bytes store_get_bytes(const struct store_rows *rows, int column); /* of texts, too */
/* Cut at the capacity, terminated. */
void store_get_text(const struct store_rows *rows, int column, char *to, size_t capacity);
/* Zero when it is not of that size. */
void store_get_id(const struct store_rows *rows, int column, uint8_t id[16]);
struct subject store_get_subject(const struct store_rows *rows, int column);

/* Whether something failed since the transaction began (or, outside of one, the last call). */
bool store_failed(const struct store *store);
/* Makes the transaction fail, with a reason of the caller's; always false. */
bool store_fail(struct store *store, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What failed last. */
const char *store_fault(const struct store *store);
