/* SPDX-License-Identifier: Apache-2.0 */
#include "center/store_backup.h"

#include "center/store_private.h"
#include "center/store_states.h"
#include "center/store_upkeep.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool make_file(const char *path, struct fault *fault)
{
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return fault_say(fault, "%s: %s", path, strerror(errno));
    close(file);
    return true;
}

/* In one step: a snapshot, for writers go on beside a reader. */
static bool copy_pages(struct store *from, sqlite3 *to, const char *path, struct fault *fault)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from->db, "main");
    int code = backup ? sqlite3_backup_step(backup, -1) : SQLITE_ERROR;
    int end = backup ? sqlite3_backup_finish(backup) : SQLITE_ERROR;
    if (code == SQLITE_DONE && end == SQLITE_OK)
        /* As one file, without a WAL that would have to go with it. */
        end = sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    return (code == SQLITE_DONE && end == SQLITE_OK) || fault_say(fault, "%s: %s", path, sqlite3_errmsg(to));
}

bool store_copy(const char *from, const char *to, uint64_t *position, uint64_t *bytes, struct fault *fault)
{
    struct stat status;
    sqlite3 *target = NULL;
    struct store *source = store_open(from, STORE_READER, fault);
    bool fine = source && make_file(to, fault) && store_begin_reading(source, fault);
    if (fine && sqlite3_open_v2(to, &target, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        fine = fault_say(fault, "%s cannot be opened", to);
    if (fine) {
        /* The first read fixes the moment. */
        *position = store_position_least(source);
        fine = !store_failed(source) ? copy_pages(source, target, to, fault)
                                     : fault_say(fault, "%s", store_fault(source));
    }
    sqlite3_close(target);
    if (fine && stat(to, &status) == 0)
        *bytes += (uint64_t)status.st_size;
    if (source)
        store_abandon(source);
    store_close(&source);
    return fine;
}

bool store_verify(const char *path, struct fault *fault)
{
    struct store *store = store_open(path, STORE_READER, fault);
    bool fine = store && store_check(store, fault);
    if (fine)
        fine = store_known(store, fault);
    store_close(&store);
    return fine;
}
