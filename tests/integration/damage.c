/* SPDX-License-Identifier: Apache-2.0
 *
 * Damaged captures: every capture cut at every snaplen from 0 to 128 and then in steps, with bytes flipped,
 * halves dropped, packets reordered, duplicated, and all of that together. Nothing may crash, every activity
 * must be readable, and memory must stay within the engine's bound. Packets are given as blocks of their
 * exact size, so that AddressSanitizer sees a read of one byte too many.
 *
 *     damage [--quick] CAPTURE|DIRECTORY...
 */
#include "base/activity.h"
#include "capture/engine.h"
#include "capture/source.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define MEMORY_LIMIT  (32u << 20)
#define RESIDENT_MAX  (1024l << 10) /* KiB, of the whole process, with the sanitizers' own */
#define PACKETS_MAX   20000
#define FIRST_SNAPLEN 129 /* beyond: in steps */

struct capture {
    size_t count;
    struct packet packets[PACKETS_MAX]; /* data in blocks of their own */
};

struct outcome {
    uint64_t runs;
    uint64_t packets;
    uint64_t activities;
    uint64_t unreadable;
    uint64_t over_limit;
};

static struct outcome outcome;
static uint64_t random_state;

/* xorshift64*: the same damage in every run. */
static uint64_t random_number(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 2685821657736338717u;
}

static bool load(const char *path, struct capture *capture)
{
    const char *error;
    struct file_source *source = file_source_open(path, &error);
    struct packet packet;
    capture->count = 0;
    if (!source)
        return false;
    while (capture->count < PACKETS_MAX && file_source_next(source, &packet) == SOURCE_PACKET) {
        uint8_t *copy = malloc(packet.captured ? packet.captured : 1);
        if (!copy)
            break;
        memcpy(copy, packet.data, packet.captured);
        packet.data = copy;
        capture->packets[capture->count++] = packet;
    }
    file_source_close(&source);
    return capture->count > 0;
}

static void unload(struct capture *capture)
{
    for (size_t i = 0; i < capture->count; i++)
        free((void *)(uintptr_t)capture->packets[i].data);
}

/* -- one run ---------------------------------------------------------------------------------------- */

static void emit(void *context, enum activity_kind kind, int64_t time, struct bytes record)
{
    static struct activity activity;
    static char json[8 * ACTIVITY_BYTES_MAX];
    struct cursor c = cursor_of_bytes(record);
    (void)context;
    (void)time;
    outcome.activities++;
    if (!activity_decode(&c, &activity) || !cursor_done(&c) || activity.kind != kind ||
        activity_to_json(&activity, json, sizeof(json)) >= sizeof(json))
        outcome.unreadable++;
}

static struct engine *begin(void)
{
    struct engine_options options = {
        .memory_limit = MEMORY_LIMIT, .flows_max = 4096, .flow_buffer_max = 1u << 20};
    struct engine *engine = engine_new(&options, emit, NULL);
    if (!engine) {
        fprintf(stderr, "damage: out of memory\n");
        exit(1);
    }
    return engine;
}

static void end(struct engine *engine)
{
    engine_finish(engine);
    outcome.runs++;
    outcome.over_limit += engine_stats(engine)->memory_peak > MEMORY_LIMIT;
    engine_destroy(&engine);
}

/* Gives `packet`, of which `captured` bytes are there and `flips` are changed, in a block of that size. */
static void give(struct engine *engine, const struct packet *packet, uint32_t captured, unsigned flips)
{
    struct packet damaged = *packet;
    damaged.captured = captured < packet->captured ? captured : packet->captured;
    uint8_t *block = malloc(damaged.captured ? damaged.captured : 1);
    if (!block)
        return;
    memcpy(block, packet->data, damaged.captured);
    for (; flips > 0 && damaged.captured > 0; flips--)
        block[random_number() % damaged.captured] ^= (uint8_t)(1 + random_number() % 255);
    damaged.data = block;
    engine_packet(engine, &damaged);
    outcome.packets++;
    free(block);
}

/* -- kinds of damage -------------------------------------------------------------------------------- */

static void cut(const struct capture *capture, uint32_t snaplen)
{
    struct engine *engine = begin();
    for (size_t i = 0; i < capture->count; i++)
        give(engine, &capture->packets[i], snaplen, 0);
    end(engine);
}

/* One flip in every packet is much; one in every `rarity` packets leaves messages that almost parse. */
static void flip(const struct capture *capture, unsigned rarity, unsigned flips)
{
    struct engine *engine = begin();
    for (size_t i = 0; i < capture->count; i++)
        give(engine, &capture->packets[i], UINT32_MAX, random_number() % rarity == 0 ? flips : 0);
    end(engine);
}

/* Half of the packets: every other one, at random, the first half, or the second. */
static void drop(const struct capture *capture, unsigned how)
{
    struct engine *engine = begin();
    for (size_t i = 0; i < capture->count; i++) {
        bool keep[] = {i % 2 == 0, i % 2 == 1, random_number() % 2 == 0, i >= capture->count / 2,
                       i < capture->count / 2};
        if (keep[how])
            give(engine, &capture->packets[i], UINT32_MAX, 0);
    }
    end(engine);
}

/* Shuffled within windows; a window of 0: the whole backwards. */
static void reorder(const struct capture *capture, size_t window)
{
    static size_t order[PACKETS_MAX];
    for (size_t i = 0; i < capture->count; i++)
        order[i] = window ? i : capture->count - 1 - i;
    for (size_t i = 0; window && i + 1 < capture->count; i++) {
        size_t reach = capture->count - i < window ? capture->count - i : window;
        size_t j = i + random_number() % reach;
        size_t swapped = order[i];
        order[i] = order[j];
        order[j] = swapped;
    }
    struct engine *engine = begin();
    for (size_t i = 0; i < capture->count; i++)
        give(engine, &capture->packets[order[i]], UINT32_MAX, 0);
    end(engine);
}

/* Each packet twice: at once, or again some packets later. */
static void duplicate(const struct capture *capture, size_t later)
{
    struct engine *engine = begin();
    for (size_t i = 0; i < capture->count; i++) {
        give(engine, &capture->packets[i], UINT32_MAX, 0);
        give(engine, &capture->packets[i < later ? 0 : i - later], UINT32_MAX, 0);
    }
    end(engine);
}

static void everything(const struct capture *capture)
{
    struct engine *engine = begin();
    for (size_t i = 0; i < capture->count; i++) {
        uint64_t r = random_number();
        const struct packet *packet = &capture->packets[r % 11 == 0 ? r / 11 % capture->count : i];
        if (r % 7 != 0)
            give(engine, packet, r % 13 == 0 ? (uint32_t)(r / 13 % 200) : UINT32_MAX, r % 5 == 0);
    }
    end(engine);
}

static void damage(const struct capture *capture, bool quick)
{
    static const uint32_t steps[] = {160, 192,  256,  320,  384,  512,  640,
                                     768, 1024, 1280, 1400, 1460, 2048, 4096};
    for (uint32_t snaplen = 0; snaplen < FIRST_SNAPLEN; snaplen += quick ? 8 : 1)
        cut(capture, snaplen);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i += quick ? 5 : 1)
        cut(capture, steps[i]);
    for (unsigned seed = 0; seed < (quick ? 2u : 8u); seed++) {
        flip(capture, 1, 1);
        flip(capture, 1, 8);
        flip(capture, 10, 1);
        reorder(capture, 4);
        reorder(capture, 32);
        everything(capture);
    }
    for (unsigned how = 0; how < 5; how++)
        drop(capture, how);
    reorder(capture, 0);
    duplicate(capture, 0);
    duplicate(capture, 5);
}

/* -- files ------------------------------------------------------------------------------------------ */

static bool is_capture(const char *name)
{
    size_t n = strlen(name);
    return (n > 5 && strcmp(name + n - 5, ".pcap") == 0) || (n > 7 && strcmp(name + n - 7, ".pcapng") == 0);
}

static unsigned damage_file(const char *path, bool quick)
{
    static struct capture capture;
    if (!load(path, &capture))
        return 0;
    random_state = 88172645463325252u;
    damage(&capture, quick);
    unload(&capture);
    return 1;
}

static unsigned damage_directory(const char *path, bool quick)
{
    struct dirent **entries;
    unsigned files = 0;
    int n = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char file[4096];
        if (is_capture(entries[i]->d_name)) {
            snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
            files += damage_file(file, quick);
        }
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return files;
}

int main(int argc, char **argv)
{
    bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    unsigned files = 0;
    for (int i = quick ? 2 : 1; i < argc; i++) {
        struct stat about;
        if (stat(argv[i], &about) < 0)
            printf("skipped: %s is not there\n", argv[i]);
        else
            files += S_ISDIR(about.st_mode) ? damage_directory(argv[i], quick) : damage_file(argv[i], quick);
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%u captures, %llu runs, %llu packets, %llu activities; unreadable: %llu; beyond the memory "
           "limit: %llu; "
           "resident at most: %ld KiB\n",
           files, (unsigned long long)outcome.runs, (unsigned long long)outcome.packets,
           (unsigned long long)outcome.activities, (unsigned long long)outcome.unreadable,
           (unsigned long long)outcome.over_limit, usage.ru_maxrss);
    if (files == 0) {
        printf("no capture is there\n");
        return 1;
    }
    return outcome.unreadable || outcome.over_limit || usage.ru_maxrss > RESIDENT_MAX;
}
