/* SPDX-License-Identifier: Apache-2.0
 *
 * The center's directory at the size of a large company: batches into the store, the store into memory,
 * searches as somebody types, questions of detectors.
 *
 *     bench_center_entities [ENTITIES]
 */
#include "base/clock.h"
#include "center/entities_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SEARCHES 20000u

static const char *const given[] = {"James",   "Mary",  "Robert", "Patricia",  "John",   "Jennifer",
                                    "Michael", "Linda", "David",  "Elizabeth", "Jürgen", "Zoë",
                                    "Iwan",    "Ana",   "Olaf",   "Ute"};
static const char *const family[] = {"Smith",    "Johnson", "Williams", "Brown",    "Jones",  "Garcia",
                                     "Miller",   "Davis",   "Wilson",   "Anderson", "Thomas", "Moore",
                                     "Großmann", "Meyer",   "Schulz",   "Wagner"};

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t memory(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_maxrss * 1024;
}

static struct guid guid_of(uint32_t number)
{
    struct guid guid;
    uint64_t a = (number + 1) * UINT64_C(0x9e3779b97f4a7c15),
             b = (a ^ a >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    memcpy(guid.bytes, &b, 8);
    memcpy(guid.bytes + 8, &a, 8);
    return guid;
}

static struct entities_store *kept;
static struct store *store;
static size_t batch_bytes;

static void take_batch(void *context, uint64_t sequence, struct bytes frame)
{
    (void)context;
    (void)sequence;
    struct fault fault;
    batch_bytes += frame.size;
    if (!entities_store_take(kept, frame, 1, CLOCK_SECOND))
        abort();
    if (entities_store_waiting(kept) < (8u << 20))
        return;
    if (!store_begin(store, &fault) || !entities_store_write(kept, store, UINT64_MAX) ||
        !store_commit(store, &fault)) {
        fprintf(stderr, "%s\n", fault.text);
        exit(1);
    }
    entities_store_ended(kept, true);
}

static void set_text(struct entity *e, enum entity_attribute attribute, const char *text)
{
    e->present[attribute / 64] |= UINT64_C(1) << attribute % 64;
    e->attributes[attribute].bytes = (struct bytes){(const uint8_t *)text, strlen(text)};
}

static void set_uint(struct entity *e, enum entity_attribute attribute, uint64_t value)
{
    e->present[attribute / 64] |= UINT64_C(1) << attribute % 64;
    e->attributes[attribute].uint = value;
}

static void make(uint32_t count)
{
    static struct entity e;
    struct sync_token token = {.domain = "corp.example", .term = 1, .incarnation = 1};
    struct entity_batch_writer *writer = entity_batch_writer_new(1, take_batch, NULL);
    char rdn[96], account[64], upn[96], display[96];
    entity_batch_begin(writer, &token, 1);
    for (uint32_t i = 0; i < count; i++) {
        const char *first = given[i % 16], *last = family[i / 16 % 16];
        memset(&e, 0, sizeof(e));
        e.guid = guid_of(i);
        e.kind = ENTITY_USER;
        e.domain = (struct bytes){(const uint8_t *)"corp.example", 12};
        snprintf(rdn, sizeof(rdn), "CN=%s %s %u", first, last, i);
        snprintf(account, sizeof(account), "%.1s%s%u", first, last, i);
        snprintf(upn, sizeof(upn), "%s.%s%u@corp.example", first, last, i);
        snprintf(display, sizeof(display), "%s %s", first, last);
        e.rdn = (struct bytes){(uint8_t *)rdn, strlen(rdn)};
        e.parent = (struct bytes){(const uint8_t *)"OU=Staff,DC=corp,DC=example", 27};
        set_text(&e, ENTITY_SAM_ACCOUNT_NAME, account);
        set_text(&e, ENTITY_USER_PRINCIPAL_NAME, upn);
        set_text(&e, ENTITY_DISPLAY_NAME, display);
        set_uint(&e, ENTITY_USER_ACCOUNT_CONTROL, 512);
        entity_batch_add(writer, &e);
    }
    /* A group of 100,000, which is in another. */
    struct guid group = guid_of(count), above = guid_of(count + 1),
                *members = malloc(100000 * sizeof(*members));
    for (uint32_t i = 0; i < 100000; i++)
        members[i] = guid_of(i);
    entity_batch_add_links(writer, &group, LINK_MEMBER, ENTITY_BATCH_ADDED, members,
                           count < 100000 ? count : 100000);
    entity_batch_add_links(writer, &above, LINK_MEMBER, ENTITY_BATCH_ADDED, &group, 1);
    entity_batch_end(writer);
    entity_batch_writer_destroy(&writer);
    free(members);
}

static void see(void *context, const struct stored_entity *entity)
{
    (void)entity;
    ++*(uint64_t *)context;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One to eight letters of a name, or two beginnings. */
static void search(uint32_t count)
{
    static double times[SEARCHES];
    uint64_t random = 1, found = 0;
    for (uint32_t i = 0; i < SEARCHES; i++) {
        char text[96];
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        const char *first = given[random >> 33 & 15], *last = family[random >> 37 & 15];
        int letters = 1 + (int)(random >> 41 & 7);
        if (random >> 45 & 1)
            snprintf(text, sizeof(text), "%.*s %.*s", letters, last, 1 + (int)(random >> 46 & 3), first);
        else if (random >> 50 & 1)
            snprintf(text, sizeof(text), "%.1s%s%llu", first, last,
                     (unsigned long long)(random >> 20) % count);
        else
            snprintf(text, sizeof(text), "%.*s", letters, random >> 51 & 1 ? first : last);
        double begin = seconds(CLOCK_MONOTONIC);
        entities_store_search(store, 1, (struct bytes){(uint8_t *)text, strlen(text)}, ENTITY_KINDS, 20, see,
                              &found);
        times[i] = (seconds(CLOCK_MONOTONIC) - begin) * 1e3;
    }
    qsort(times, SEARCHES, sizeof(times[0]), by_value);
    printf("search as you type: p50 %.3f ms, p99 %.3f ms, worst %.3f ms; %.1f found each\n",
           times[SEARCHES / 2], times[SEARCHES / 100 * 99], times[SEARCHES - 1], (double)found / SEARCHES);
}

static void ask(struct entities *entities, uint32_t count)
{
    struct directory_view view = entities_view(entities);
    struct guid above = guid_of(count + 1);
    struct facts facts;
    uint64_t known = 0, random = 5;
    double begin = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (uint32_t i = 0; i < 1000000; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        struct guid guid = guid_of((uint32_t)(random >> 33) % count);
        struct party party = {.kind = SUBJECT_ACCOUNT, .guid = guid.bytes};
        known += view.facts(view.context, &party, &facts);
    }
    printf("facts by objectGUID: %.0f ns each (%llu known)\n",
           (seconds(CLOCK_PROCESS_CPUTIME_ID) - begin) * 1e3, (unsigned long long)known);
    uint64_t members = 0;
    begin = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (uint32_t i = 0; i < 100000; i++) {
        struct guid guid = guid_of(i);
        members += entities_is_member(entities, &guid, &above);
    }
    printf("nested membership in a group of 100,000: %.0f ns each (%llu members)\n",
           (seconds(CLOCK_PROCESS_CPUTIME_ID) - begin) * 1e4, (unsigned long long)members);
}

int main(int argc, char **argv)
{
    uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
    struct fault fault = {.text = ""};
    char folder[] = "/tmp/picket-bench-XXXXXX", path[64];
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof(path), "%s/center.db", folder);
    store = store_open(path, STORE_PIPELINE, &fault);
    kept = entities_store_new(1);
    if (!store || !kept) {
        fprintf(stderr, "%s\n", fault.text);
        return 1;
    }
    double begin = seconds(CLOCK_PROCESS_CPUTIME_ID);
    make(count);
    struct stat status;
    if (!store_begin(store, &fault) || !entities_store_write(kept, store, UINT64_MAX) ||
        !store_commit(store, &fault))
        return 1;
    entities_store_ended(kept, true);
    stat(path, &status);
    double used = seconds(CLOCK_PROCESS_CPUTIME_ID) - begin;
    printf("%u entities into the store: %.1f s of CPU, %.0f each second; batches %.0f MB, store %.0f MB\n",
           count, used, count / used, (double)batch_bytes / 1e6, (double)status.st_size / 1e6);
    search(count);
    uint64_t before = memory();
    struct entities *entities = entities_new(1);
    begin = seconds(CLOCK_PROCESS_CPUTIME_ID);
    if (!entities || !entities_store_restore(kept, store, entities, &fault))
        return 1;
    struct entities_status all;
    entities_status(entities, &all);
    printf("the store into memory: %.1f s of CPU; %.0f bytes each by its own count, %.0f by the system's\n",
           seconds(CLOCK_PROCESS_CPUTIME_ID) - begin, (double)all.bytes / count,
           (double)(memory() - before) / count);
    ask(entities, count);
    entities_destroy(&entities);
    entities_store_destroy(&kept);
    store_close(&store);
    snprintf(path, sizeof(path), "rm -r %s", folder);
    return system(path) != 0;
}
