/* SPDX-License-Identifier: Apache-2.0
 *
 * entity_store [ENTITIES [PATH]]: the entity store at the size of a large directory. A full pass into an
 * empty store, the same again with nothing changed, increments, look-ups by random names, groups, digests.
 * One object in twelve is a computer, one in fifty a group of 50 members; the others are users of twenty
 * attributes. Prints what it took; the store is removed at the end.
 */
#include "sync/entity_store.h"
#include "base/clock.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NOW      (INT64_C(1770000000) * CLOCK_SECOND)
#define LOOK_UPS 20000u
#define MEMBERS  50u
#define BATCH    2000u
#define PARENTS  500u

static struct entity_change change;
static struct entity_value values[ENTITY_ATTRIBUTES][8];
static struct entity_edge edges[MEMBERS];
static char texts[16384];
static size_t text_size;

static int64_t clock_now(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return t.tv_sec * CLOCK_SECOND + t.tv_nsec;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static struct guid guid_of(uint32_t number)
{
    struct guid guid;
    uint64_t a = mix(number + UINT64_C(0x9e3779b97f4a7c15)), b = mix(a + number);
    memcpy(guid.bytes, &a, 8);
    memcpy(guid.bytes + 8, &b, 8);
    return guid;
}

static struct bytes text(const char *format, ...) __attribute__((format(printf, 1, 2)));
static struct bytes text(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(texts + text_size, sizeof texts - text_size, format, arguments);
    va_end(arguments);
    struct bytes made = {(const uint8_t *)texts + text_size, (size_t)size};
    text_size += (size_t)size + 1;
    return made;
}

static void put(enum entity_attribute attribute, struct entity_value value)
{
    uint32_t at = change.attributes[attribute].count++;
    values[attribute][at] = value;
    change.attributes[attribute].values = values[attribute];
    entity_change_mark(&change, attribute);
}

static void put_text(enum entity_attribute attribute, struct bytes bytes)
{
    put(attribute, (struct entity_value){.bytes = bytes});
}

static void put_uint(enum entity_attribute attribute, uint64_t value)
{
    put(attribute, (struct entity_value){.uint = value});
}

static struct bytes sid_of(uint32_t rid)
{
    static const uint8_t head[] = {1,    5,    0,    0,    0,    0,    0,    5, 21, 0, 0, 0,
                                   0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 1, 2,  3, 4, 5};
    uint8_t *sid = (uint8_t *)texts + text_size;
    memcpy(sid, head, sizeof head);
    memcpy(sid + sizeof head, &rid, 4);
    text_size += sizeof head + 4;
    return (struct bytes){sid, sizeof head + 4};
}

static void put_common(uint32_t number, uint64_t random)
{
    memset(&change, 0, sizeof change);
    text_size = 0;
    change.guid = guid_of(number);
    change.whole = true;
    change.kind_known = true;
    change.whole_links = (UINT64_C(1) << ENTITY_LINKS) - 1;
    put_text(ENTITY_OBJECT_CLASS, text("top"));
    put_text(ENTITY_OBJECT_SID, sid_of(1000 + number));
    put(ENTITY_WHEN_CREATED, (struct entity_value){.sint = NOW - (int64_t)(random % 100000) * CLOCK_HOUR});
    put_text(ENTITY_DESCRIPTION, text("Object number %u", number));
}

static void put_account(uint64_t random)
{
    put_text(ENTITY_OBJECT_CLASS, text("person"));
    put_text(ENTITY_OBJECT_CLASS, text("organizationalPerson"));
    put_text(ENTITY_OBJECT_CLASS, text("user"));
    put_uint(ENTITY_SAM_ACCOUNT_TYPE, 0x30000000);
    put_uint(ENTITY_PRIMARY_GROUP_ID, 513);
    put_uint(ENTITY_USER_ACCOUNT_CONTROL, 512);
    put(ENTITY_PASSWORD_LAST_SET,
        (struct entity_value){.sint = NOW - (int64_t)(random % 9000000) * CLOCK_SECOND});
    put(ENTITY_LAST_LOGON_TIMESTAMP,
        (struct entity_value){.sint = NOW - (int64_t)(random % 900000) * CLOCK_SECOND});
    put(ENTITY_ACCOUNT_EXPIRES, (struct entity_value){.sint = 0});
    put_uint(ENTITY_ENCRYPTION_TYPES, 28);
}

static void user(uint32_t number, uint64_t random)
{
    change.kind = ENTITY_USER;
    put_account(random);
    change.dn = text("CN=Firstname Lastname %u,OU=Department %u,OU=Staff,DC=corp,DC=example", number,
                     (uint32_t)(random % PARENTS));
    put_text(ENTITY_SAM_ACCOUNT_NAME, text("user%07u", number));
    put_text(ENTITY_USER_PRINCIPAL_NAME, text("firstname.lastname%u@example.com", number));
    put_text(ENTITY_DISPLAY_NAME, text("Firstname Lastname %u", number));
    put_text(ENTITY_MAIL, text("firstname.lastname%u@example.com", number));
    put_text(ENTITY_TITLE, text("Engineer"));
    put_text(ENTITY_DEPARTMENT, text("Department %u", (uint32_t)(random % PARENTS)));
}

static void computer(uint32_t number, uint64_t random)
{
    change.kind = ENTITY_COMPUTER;
    put_account(random);
    put_text(ENTITY_OBJECT_CLASS, text("computer"));
    change.dn =
        text("CN=PC%07u,OU=Site %u,OU=Computers,DC=corp,DC=example", number, (uint32_t)(random % PARENTS));
    put_text(ENTITY_SAM_ACCOUNT_NAME, text("PC%07u$", number));
    put_text(ENTITY_DNS_HOST_NAME, text("pc%07u.corp.example", number));
    put_text(ENTITY_OPERATING_SYSTEM, text("Windows 11 Enterprise"));
    put_text(ENTITY_OPERATING_SYSTEM_VERSION, text("10.0 (22631)"));
    put_text(ENTITY_SERVICE_PRINCIPAL_NAMES, text("HOST/PC%07u", number));
    put_text(ENTITY_SERVICE_PRINCIPAL_NAMES, text("HOST/pc%07u.corp.example", number));
    put_text(ENTITY_SERVICE_PRINCIPAL_NAMES, text("RestrictedKrbHost/PC%07u", number));
    put_text(ENTITY_SERVICE_PRINCIPAL_NAMES, text("RestrictedKrbHost/pc%07u.corp.example", number));
}

/* One of the 5,000 that came before, and no group: those are in one other at most. */
static uint32_t before(uint32_t number, uint64_t random)
{
    uint32_t member = number - 1 - (uint32_t)(random % (number < 5000 ? number : 5000));
    return member % 50 == 49 ? member - 1 : member;
}

/* Members that came before it, and the group before, up to four deep. */
static void group(uint32_t number, uint64_t random)
{
    change.kind = ENTITY_GROUP;
    put_text(ENTITY_OBJECT_CLASS, text("group"));
    change.dn = text("CN=Group %u,OU=Groups,DC=corp,DC=example", number);
    put_text(ENTITY_SAM_ACCOUNT_NAME, text("Group %u", number));
    put(ENTITY_GROUP_TYPE, (struct entity_value){.sint = -2147483646});
    for (uint32_t i = 0; i < MEMBERS && number; i++)
        edges[change.edge_count++] = (struct entity_edge){
            .link = LINK_MEMBER,
            .target = guid_of(i == 0 && number / 50 % 4 ? number - 50 : before(number, mix(random + i)))};
    change.edges = edges;
}

static void make(uint32_t number)
{
    uint64_t random = mix(number);
    put_common(number, random);
    if (number % 50 == 49)
        group(number, random);
    else if (number % 12 == 5)
        computer(number, random);
    else
        user(number, random);
}

/* -- measuring
 * ------------------------------------------------------------------------------------------------ */

static void die(const struct fault *fault)
{
    fprintf(stderr, "%s\n", fault->text);
    exit(1);
}

static uint64_t resident(const char *what)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    uint64_t kilobytes = 0;
    while (status && fgets(line, sizeof line, status)) {
        if (strncmp(line, what, strlen(what)) == 0)
            kilobytes = strtoull(line + strlen(what) + 1, NULL, 10);
    }
    if (status)
        fclose(status);
    return kilobytes * 1024;
}

static uint64_t file_size(const char *path)
{
    char file[512];
    struct stat stat_of = {0};
    snprintf(file, sizeof file, "%s/data.mdb", path);
    stat(file, &stat_of);
    return (uint64_t)stat_of.st_size;
}

static void pass(struct entity_store *store, uint32_t count, uint32_t number, const char *name)
{
    struct fault fault;
    struct entity_store_write *write = NULL;
    int64_t wall = clock_now(CLOCK_MONOTONIC), cpu = clock_now(CLOCK_PROCESS_CPUTIME_ID), making = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!write && !(write = entity_store_begin(store, &fault)))
            die(&fault);
        uint32_t context = entity_store_context(write, text("DC=corp,DC=example"), text("corp.example"));
        int64_t before = clock_now(CLOCK_MONOTONIC);
        make(i);
        making += clock_now(CLOCK_MONOTONIC) - before;
        entity_store_apply(write, &change, ENTITY_REPLICATED, context, number, NOW);
        if ((i + 1) % BATCH == 0 || i + 1 == count) {
            entity_store_put_state(write, "cookie", text("%u", i));
            if (!entity_store_commit(&write, i + 1 == count, &fault))
                die(&fault);
        }
    }
    wall = clock_now(CLOCK_MONOTONIC) - wall;
    cpu = clock_now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("%-34s %8.2f s, %7.2f s CPU (%.2f s of it to make the objects): %.0f entities/s, %.0f per "
           "CPU-second\n",
           name, (double)wall / 1e9, (double)cpu / 1e9, (double)making / 1e9, count / ((double)wall / 1e9),
           count / ((double)(cpu - making) / 1e9));
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void print_times(const char *name, uint32_t *times, uint32_t count)
{
    qsort(times, count, sizeof *times, compare);
    printf("%-34s p50 %.2f us, p90 %.2f us, p99 %.2f us\n", name, times[count / 2] / 1e3,
           times[count / 10 * 9] / 1e3, times[count / 100 * 99] / 1e3);
}

enum question {
    BY_GUID,
    BY_SID,
    BY_ACCOUNT,
    BY_UPN,
    BY_DN,
    BY_ACCOUNT_WHOLE,
    GROUPS,
    SENSITIVITY,
    QUESTIONS
};

static const char *const question_names[QUESTIONS] = {
    "entity by GUID, decoded",    "GUID by SID",    "GUID by account", "GUID by UPN", "GUID by DN",
    "entity by account, decoded", "groups, nested", "sensitive for",
};

static struct entity entity;

static bool ask(struct entity_store_read *read, enum question question, const struct entity_change *of)
{
    struct guid found[4];
    struct entity_membership groups[256];
    struct bytes any = {NULL, 0};
    enum entity_attribute name = question == BY_SID   ? ENTITY_OBJECT_SID
                                 : question == BY_UPN ? ENTITY_USER_PRINCIPAL_NAME
                                                      : ENTITY_SAM_ACCOUNT_NAME;
    struct bytes value = of->attributes[name].values[0].bytes;
    switch (question) {
    case BY_GUID:
        return entity_store_get(read, &of->guid, &entity);
    case BY_SID:
        return entity_store_find(read, INDEX_SID, value, any, found, 4) == 1;
    case BY_ACCOUNT:
        return entity_store_find(read, INDEX_ACCOUNT, value, any, found, 4) == 1;
    case BY_UPN:
        return entity_store_find(read, INDEX_UPN, value, any, found, 4) == 1;
    case BY_DN:
        return entity_store_find(read, INDEX_DN, of->dn, any, found, 4) == 1;
    case BY_ACCOUNT_WHOLE:
        return entity_store_find_first(read, INDEX_ACCOUNT, value, any, &entity) == 1;
    case GROUPS:
        return entity_store_memberships(read, &of->guid, groups, 256) <= 256;
    default:
        return entity_store_sensitivity(read, &of->guid) == 0;
    }
}

/* `among`: how many different entities are asked for. Traffic asks for few of all, again and again. */
static void look_up(struct entity_store *store, uint32_t count, uint32_t among, const char *which)
{
    struct fault fault;
    struct entity_store_read *read = entity_store_read_open(store, &fault);
    uint32_t *times = malloc(LOOK_UPS * sizeof *times);
    if (!read || !times)
        die(&fault);
    for (unsigned question = 0; question < QUESTIONS; question++) {
        char name[64];
        for (uint32_t i = 0; i < LOOK_UPS; i++) {
            uint32_t number = (uint32_t)(mix(mix(i) % among) % count);
            while (number % 50 == 49 || number % 12 == 5)
                number = (number + 1) % count;
            make(number); /* its names */
            int64_t before = clock_now(CLOCK_MONOTONIC);
            bool known = ask(read, (enum question)question, &change);
            times[i] = (uint32_t)(clock_now(CLOCK_MONOTONIC) - before);
            if (!known)
                printf("%s of %u: wrong\n", question_names[question], number);
        }
        snprintf(name, sizeof name, "%s, %s", question_names[question], which);
        print_times(name, times, LOOK_UPS);
    }
    free(times);
    entity_store_read_close(&read);
}

static void increments(struct entity_store *store, uint32_t count)
{
    struct fault fault;
    uint32_t times[100];
    for (uint32_t round = 0; round < 100; round++) {
        struct entity_store_write *write = entity_store_begin(store, &fault);
        int64_t spent = 0;
        for (uint32_t i = 0; i < 100; i++) {
            make((uint32_t)(mix(round * 100 + i) % count));
            change.whole = false;
            change.whole_links = 0;
            change.edge_count = 0;
            memset(change.present, 0, sizeof change.present);
            put(ENTITY_LOCKOUT_TIME, (struct entity_value){.sint = NOW + round});
            int64_t before = clock_now(CLOCK_MONOTONIC);
            entity_store_apply(write, &change, ENTITY_REPLICATED, 1, 0, NOW);
            spent += clock_now(CLOCK_MONOTONIC) - before;
        }
        int64_t before = clock_now(CLOCK_MONOTONIC);
        if (!entity_store_commit(&write, true, &fault))
            die(&fault);
        times[round] = (uint32_t)(clock_now(CLOCK_MONOTONIC) - before + spent);
    }
    print_times("increment of 100 changes, synced", times, 100);
}

static void digests(struct entity_store *store)
{
    struct fault fault;
    struct entity_digest digest;
    struct guid prefix = {{0x40}};
    struct entity_store_read *read = entity_store_read_open(store, &fault);
    int64_t before = clock_now(CLOCK_MONOTONIC);
    entity_store_digest(read, 1, &prefix, 0, &digest);
    printf("%-34s %.2f s for %llu entities, %llu links\n", "digest of all",
           (double)(clock_now(CLOCK_MONOTONIC) - before) / 1e9, (unsigned long long)digest.count,
           (unsigned long long)digest.links);
    before = clock_now(CLOCK_MONOTONIC);
    entity_store_digest(read, 1, &prefix, 12, &digest);
    printf("%-34s %.2f ms for %llu entities\n", "digest of 1/4096",
           (double)(clock_now(CLOCK_MONOTONIC) - before) / 1e6, (unsigned long long)digest.count);
    entity_store_read_close(&read);
}

static void remove_all(const char *path)
{
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char file[512];
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        unlink(file);
    }
    if (folder)
        closedir(folder);
    rmdir(path);
}

int main(int argc, char **argv)
{
    uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
    char made[] = "/tmp/picket-bench-XXXXXX";
    const char *path = argc > 2 ? argv[2] : mkdtemp(made);
    struct fault fault;
    struct entity_store_config config = {.path = path};
    uint64_t before = resident("VmRSS:");
    struct entity_store *store = count && path ? entity_store_open(&config, &fault) : NULL;
    if (!store)
        die(&fault);
    pass(store, count, 1, "full pass, empty store");
    printf("%-34s %.0f B of file an entity\n", "", (double)file_size(path) / count);
    printf("%-34s %.0f B resident an entity at most: file %.0f, heap %.0f\n", "",
           (double)(resident("VmHWM:") - before) / count, (double)resident("RssFile:") / count,
           (double)resident("RssAnon:") / count);
    pass(store, count, 2, "full pass, nothing changed");
    increments(store, count);
    printf("%-34s %.0f B of file an entity\n", "after all that", (double)file_size(path) / count);
    printf("%-34s %.0f B resident an entity at most: file %.0f, heap %.0f\n", "",
           (double)(resident("VmHWM:") - before) / count, (double)resident("RssFile:") / count,
           (double)resident("RssAnon:") / count);
    look_up(store, count, 2000, "of 2,000");
    look_up(store, count, count, "of all");
    digests(store);
    entity_store_close(&store);
    remove_all(path);
    return 0;
}
