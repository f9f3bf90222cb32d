/* SPDX-License-Identifier: Apache-2.0
 *
 * The store as a place on disk: opened, found damaged, moved aside.
 */
#include "sync/entity_store_internal.h"
#include "sync/entity_store_write.h"

#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define READERS_DEFAULT 126u
#define BOOT_ID_SIZE    36u
#define FILE_UNSYNCED   "unsynced"
#define FILE_DAMAGED    "damaged"
#define DAMAGED_KEPT    2u
#define PATH_ROOM       32u  /* for what is appended to a path */
#define CHECK_PERIOD    256u /* transactions between two searches for readers of ended processes */

static const struct {
    const char *name;
    unsigned flags;
} tables[TABLES] = {
#define SET (MDB_INTEGERKEY | MDB_DUPSORT | MDB_DUPFIXED | MDB_INTEGERDUP)
    [TABLE_ROWS] = {"rows", MDB_INTEGERKEY},
    [TABLE_GUIDS] = {"guids", 0},
    [TABLE_MARKS] = {"marks", MDB_INTEGERKEY},
    [TABLE_SIDS] = {"sids", SET},
    [TABLE_ACCOUNTS] = {"accounts", SET},
    [TABLE_UPNS] = {"upns", SET},
    [TABLE_SPNS] = {"spns", SET},
    [TABLE_DNS_NAMES] = {"dns_names", SET},
    [TABLE_DNS] = {"dns", SET},
    [TABLE_FORWARD] = {"forward", SET},
    [TABLE_BACKWARD] = {"backward", SET},
    [TABLE_GRAVES] = {"graves", SET},
    [TABLE_PARENT_DNS] = {"parent_dns", SET},
    [TABLE_PARENTS] = {"parents", MDB_INTEGERKEY},
    [TABLE_CONTEXTS] = {"contexts", MDB_INTEGERKEY},
    [TABLE_FLATS] = {"flats", 0},
    [TABLE_STATE] = {"state", 0},
    [TABLE_META] = {"meta", 0},
#undef SET
};

/* -- files beside the data ------------------------------------------------------------------------------ */

static char *path_with(const char *path, const char *separator, const char *name)
{
    char *whole;
    return asprintf(&whole, "%s%s%s", path, separator, name) < 0 ? NULL : whole;
}

static bool has_file(const char *path, const char *name)
{
    char *file = path_with(path, "/", name);
    bool there = file && access(file, F_OK) == 0;
    free(file);
    return there;
}

static bool read_boot_id(char to[BOOT_ID_SIZE])
{
    int descriptor = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    bool read_all = read(descriptor, to, BOOT_ID_SIZE) == BOOT_ID_SIZE;
    close(descriptor);
    return read_all;
}

static bool sync_directory(const char *path)
{
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    bool synced = fsync(descriptor) == 0;
    close(descriptor);
    return synced;
}

static bool write_file(const char *path, const char *name, const void *data, size_t size)
{
    char *file = path_with(path, "/", name);
    int descriptor = file ? open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    bool written =
        descriptor >= 0 && write(descriptor, data, size) == (ssize_t)size && fsync(descriptor) == 0;
    if (descriptor >= 0)
        close(descriptor);
    free(file);
    return written && sync_directory(path);
}

static void remove_file(const char *path, const char *name)
{
    char *file = path_with(path, "/", name);
    if (file)
        unlink(file);
    free(file);
}

/* Pages that were committed without a sync reach the disk in any order: if the machine fails meanwhile the
 * file may be anything. So the time until the next sync is marked with the machine's boot: a process that is
 * killed loses nothing, for the kernel still has the pages; another boot means that it failed. */
bool store_mark_unsynced(struct entity_store *store)
{
    char boot[BOOT_ID_SIZE];
    if (!store->unsynced)
        store->unsynced = read_boot_id(boot) && write_file(store->path, FILE_UNSYNCED, boot, sizeof boot);
    return store->unsynced;
}

void store_mark_synced(struct entity_store *store)
{
    if (store->unsynced)
        remove_file(store->path, FILE_UNSYNCED);
    store->unsynced = false;
}

/* Whether the machine failed between a commit and its sync. */
static bool lost_a_sync(const char *path)
{
    char *file = path_with(path, "/", FILE_UNSYNCED);
    int descriptor = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
    free(file);
    if (descriptor < 0)
        return false;
    char then[BOOT_ID_SIZE] = {0}, now[BOOT_ID_SIZE];
    bool same = read(descriptor, then, sizeof then) == (ssize_t)sizeof then && read_boot_id(now) &&
                memcmp(then, now, sizeof now) == 0;
    close(descriptor);
    return !same;
}

void store_damaged(struct entity_store *store, const char *what)
{
    if (atomic_exchange(&store->damaged, true))
        return;
    write_file(store->path, FILE_DAMAGED, what, strlen(what));
    log_error("entity store %s is damaged (%s): it is begun anew at the next start", store->path, what);
}

/* LMDB checks some of what it reads by assertions, and ends the process when one does not hold. */
static void assertion_failed(MDB_env *env, const char *what)
{
    store_damaged(mdb_env_get_userctx(env), what);
}

bool store_is_damage(int code)
{
    return code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND || code == MDB_INVALID ||
           code == MDB_VERSION_MISMATCH || code == MDB_INCOMPATIBLE || code == MDB_BAD_VALSIZE;
}

/* -- moving aside --------------------------------------------------------------------------------------- */

static void remove_store(const char *path)
{
    static const char *const files[] = {"data.mdb", "lock.mdb", FILE_UNSYNCED, FILE_DAMAGED};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        remove_file(path, files[i]);
    rmdir(path);
}

static char *damaged_path(const char *path, unsigned number)
{
    char *name;
    return asprintf(&name, "%s.damaged-%u", path, number) < 0 ? NULL : name;
}

/* The highest N of PATH.damaged-N; 0: there is none. */
static unsigned last_damaged(const char *path)
{
    char *copy = strdup(path);
    if (!copy)
        return 0;
    char *slash = strrchr(copy, '/');
    const char *base = slash ? slash + 1 : copy;
    size_t size = strlen(base);
    if (slash)
        *slash = '\0';
    DIR *folder = opendir(!slash ? "." : slash == copy ? "/" : copy);
    unsigned last = 0;
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (strncmp(entry->d_name, base, size) != 0 || strncmp(entry->d_name + size, ".damaged-", 9) != 0)
            continue;
        unsigned long number = strtoul(entry->d_name + size + 9, NULL, 10);
        last = number > last && number < UINT32_MAX ? (unsigned)number : last;
    }
    if (folder)
        closedir(folder);
    free(copy);
    return last;
}

static bool move_aside(const char *path, const char *why, struct fault *fault)
{
    unsigned number = last_damaged(path) + 1;
    char *to = damaged_path(path, number);
    bool moved = to && rename(path, to) == 0;
    if (!moved)
        fault_say(fault, "entity store %s cannot be moved aside (%s): %s", path, why, strerror(errno));
    else
        log_warning("entity store %s: %s; it was moved to %s, and everything is read anew", path, why, to);
    free(to);
    for (unsigned old = number; moved && old-- > 1 && number - old <= DAMAGED_KEPT + 8;) {
        if (number - old < DAMAGED_KEPT)
            continue;
        to = damaged_path(path, old);
        if (to)
            remove_store(to);
        free(to);
    }
    return moved;
}

/* -- opening -------------------------------------------------------------------------------------------- */

enum opened { OPENED, OPENED_DAMAGED, OPENED_NOT };

static enum opened not_opened(struct entity_store *store, int code, const char *what, struct fault *fault)
{
    fault_say(fault, "entity store %s: %s: %s", store->path, what, mdb_strerror(code));
    return store_is_damage(code) ? OPENED_DAMAGED : OPENED_NOT;
}

/* A file that is shorter than what its head speaks of would end the process when it is read. */
static bool is_whole(struct entity_store *store)
{
    MDB_envinfo info;
    MDB_stat stat;
    struct stat file;
    int descriptor;
    mdb_env_info(store->env, &info);
    mdb_env_stat(store->env, &stat);
    if (mdb_env_get_fd(store->env, &descriptor) != 0 || fstat(descriptor, &file) != 0)
        return false;
    if (file.st_size == 0)
        return true;
    return info.me_last_pgno < (uint64_t)file.st_size / stat.ms_psize;
}

static enum opened open_env(struct entity_store *store, const struct entity_store_config *config,
                            struct fault *fault)
{
    int code = mdb_env_create(&store->env);
    if (code)
        return not_opened(store, code, "cannot be made", fault);
    mdb_env_set_userctx(store->env, store);
    mdb_env_set_assert(store->env, assertion_failed);
    mdb_env_set_maxdbs(store->env, TABLES);
    mdb_env_set_maxreaders(store->env, config->readers_max ? config->readers_max : READERS_DEFAULT);
    mdb_env_set_mapsize(store->env, config->map_size ? config->map_size : ENTITY_STORE_MAP_SIZE);
    code = mdb_env_open(store->env, store->path, MDB_NOTLS | (config->read_only ? MDB_RDONLY : 0u), 0600);
    if (code)
        return not_opened(store, code, "cannot be opened", fault);
    if (is_whole(store))
        return OPENED;
    fault_say(fault, "entity store %s is cut off", store->path);
    return OPENED_DAMAGED;
}

static bool new_meta(struct meta *meta)
{
    meta->fingerprint = entity_record_fingerprint();
    meta->next_row = 1;
    meta->next_parent = 1;
    return getrandom(&meta->seed, sizeof meta->seed, 0) == sizeof meta->seed;
}

static enum opened open_tables(struct entity_store *store, MDB_txn *txn, bool read_only, struct fault *fault)
{
    unsigned create = read_only ? 0 : MDB_CREATE;
    for (unsigned i = 0; i < TABLES; i++) {
        int code = mdb_dbi_open(txn, tables[i].name, tables[i].flags | create, &store->tables[i]);
        if (code)
            return not_opened(store, code, tables[i].name, fault);
    }
    MDB_val key = val_of("store", 5), value;
    int code = mdb_get(txn, store->tables[TABLE_META], &key, &value);
    if (code == MDB_NOTFOUND && !read_only) {
        value = val_of(&store->meta, sizeof store->meta);
        code = new_meta(&store->meta) ? mdb_put(txn, store->tables[TABLE_META], &key, &value, 0) : EIO;
        store->seed = store->meta.seed;
        return code ? not_opened(store, code, "cannot be begun", fault) : OPENED;
    }
    if (code)
        return not_opened(store, code, "meta", fault);
    if (!val_copy(value, &store->meta, sizeof store->meta) ||
        store->meta.fingerprint != entity_record_fingerprint()) {
        fault_say(fault, "entity store %s is of another version", store->path);
        return OPENED_DAMAGED;
    }
    store->seed = store->meta.seed;
    MDB_stat rows, guids;
    if (mdb_stat(txn, store->tables[TABLE_ROWS], &rows) ||
        mdb_stat(txn, store->tables[TABLE_GUIDS], &guids) || rows.ms_entries != guids.ms_entries) {
        fault_say(fault, "entity store %s has tables that do not agree", store->path);
        return OPENED_DAMAGED;
    }
    return OPENED;
}

static enum opened open_once(struct entity_store *store, const struct entity_store_config *config,
                             struct fault *fault)
{
    if (has_file(store->path, FILE_DAMAGED)) {
        fault_say(fault, "entity store %s was found damaged", store->path);
        return OPENED_DAMAGED;
    }
    if (lost_a_sync(store->path)) {
        fault_say(fault, "the machine failed before entity store %s was synced", store->path);
        return OPENED_DAMAGED;
    }
    store->unsynced = !config->read_only && has_file(store->path, FILE_UNSYNCED);
    enum opened opened = open_env(store, config, fault);
    if (opened != OPENED)
        return opened;
    int dead;
    mdb_reader_check(store->env, &dead);
    MDB_txn *txn;
    int code = mdb_txn_begin(store->env, NULL, config->read_only ? MDB_RDONLY : 0, &txn);
    if (code)
        return not_opened(store, code, config->read_only ? "cannot be read" : "cannot be written", fault);
    opened = open_tables(store, txn, config->read_only, fault);
    if (opened != OPENED) {
        mdb_txn_abort(txn);
        return opened;
    }
    code = mdb_txn_commit(txn);
    return code ? not_opened(store, code, "cannot be written", fault) : OPENED;
}

static void close_env(struct entity_store *store)
{
    if (store->env)
        mdb_env_close(store->env);
    store->env = NULL;
}

static bool open_store(struct entity_store *store, const struct entity_store_config *config,
                       struct fault *fault)
{
    for (unsigned attempt = 0; attempt < 2; attempt++) {
        struct fault why = {.text = ""};
        if (!config->read_only && mkdir(store->path, 0700) != 0 && errno != EEXIST)
            return fault_say(fault, "entity store %s cannot be made: %s", store->path, strerror(errno));
        enum opened opened = open_once(store, config, &why);
        if (opened == OPENED)
            return true;
        close_env(store);
        if (opened == OPENED_NOT || attempt || config->read_only)
            return fault_say(fault, "%s", why.text);
        if (!move_aside(store->path, why.text, fault))
            return false;
    }
    return false;
}

struct entity_store *entity_store_open(const struct entity_store_config *config, struct fault *fault)
{
    struct entity_store *store = calloc(1, sizeof *store);
    if (!store || !(store->path = strdup(config->path)) || !(store->write = store_write_new(store))) {
        fault_say(fault, "no memory for the entity store");
        entity_store_close(&store);
        return NULL;
    }
    store->tombstones_kept = config->tombstones_kept ? config->tombstones_kept : ENTITY_STORE_TOMBSTONES_KEPT;
    if (!open_store(store, config, fault))
        entity_store_close(&store);
    return store;
}

void entity_store_close(struct entity_store **store_p)
{
    struct entity_store *store = *store_p;
    if (!store)
        return;
    if (store->env && store->unsynced && mdb_env_sync(store->env, 1) == 0)
        store_mark_synced(store);
    close_env(store);
    store_write_destroy(&store->write);
    free(store->path);
    free(store);
    *store_p = NULL;
}

void store_check_readers(struct entity_store *store)
{
    int dead;
    if (++store->begun % CHECK_PERIOD == 0)
        mdb_reader_check(store->env, &dead);
}

void entity_store_usage(const struct entity_store *store, struct entity_store_usage *usage)
{
    MDB_envinfo info;
    MDB_stat stat;
    mdb_env_info(store->env, &info);
    mdb_env_stat(store->env, &stat);
    usage->used = (info.me_last_pgno + 1) * (uint64_t)stat.ms_psize;
    usage->map = info.me_mapsize;
}
