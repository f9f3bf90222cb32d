/* SPDX-License-Identifier: Apache-2.0 */
#include "node/host_load.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_MAX   16384u /* of a kernel's text, its beginning */
#define NUMBER_MAX (INT64_MAX / 1024)

/* --- texts --- */

static void skip_blanks(struct cursor *c)
{
    while (!cursor_done(c) && (*c->at == ' ' || *c->at == '\t'))
        c->at++;
}

/* Blanks, then a decimal number; a number that no host can have fails the cursor. */
static int64_t number(struct cursor *c)
{
    int64_t value = 0;
    skip_blanks(c);
    if (cursor_done(c) || *c->at < '0' || *c->at > '9')
        cursor_fail(c);
    for (; !cursor_done(c) && *c->at >= '0' && *c->at <= '9'; c->at++) {
        if (value > NUMBER_MAX / 10) {
            cursor_fail(c);
            return 0;
        }
        value = value * 10 + (*c->at - '0');
    }
    return value;
}

static bool word(struct cursor *c, const char *text)
{
    size_t size = strlen(text);
    if (cursor_left(c) < size || memcmp(c->at, text, size) != 0)
        return false;
    c->at += size;
    return true;
}

static void skip_word(struct cursor *c)
{
    skip_blanks(c);
    while (!cursor_done(c) && *c->at != ' ' && *c->at != '\n')
        c->at++;
}

static void skip_line(struct cursor *c)
{
    while (!cursor_done(c) && *c->at != '\n')
        c->at++;
    if (!cursor_done(c))
        c->at++;
}

/* The number behind `key` at the beginning of a line. */
static bool row(struct bytes text, const char *key, int64_t *value)
{
    for (struct cursor c = cursor_of_bytes(text); !cursor_done(&c); skip_line(&c)) {
        if (!word(&c, key))
            continue;
        *value = number(&c);
        return !c.failed;
    }
    return false;
}

static bool row_kib(struct bytes text, const char *key, int64_t *bytes)
{
    if (!row(text, key, bytes))
        return false;
    *bytes *= 1024;
    return true;
}

/* "cpu  user nice system idle iowait irq softirq steal guest guest_nice": guests are within user and nice. */
bool host_cpu_parse(struct host_cpu *cpu, struct bytes text, int64_t tick)
{
    enum { IDLE = 3, IOWAIT = 4, FIELDS = 8 };
    struct cursor c = cursor_of_bytes(text);
    if (!word(&c, "cpu "))
        return false;
    *cpu = (struct host_cpu){0};
    for (int i = 0; i < FIELDS; i++) {
        int64_t ticks = number(&c), ns;
        if (c.failed || __builtin_mul_overflow(ticks, tick, &ns) ||
            __builtin_add_overflow(cpu->total, ns, &cpu->total))
            return false;
        if (i != IDLE && i != IOWAIT)
            cpu->busy += ns;
    }
    return true;
}

bool host_memory_parse(struct host_memory *memory, struct bytes text)
{
    return row_kib(text, "MemTotal:", &memory->total) && row_kib(text, "MemAvailable:", &memory->available) &&
           memory->available <= memory->total;
}

/* proc(5): the second field is a name in brackets that may hold anything; utime, stime, cutime and cstime are
 * fields 14 to 17. */
bool host_process_cpu_parse(int64_t *used, struct bytes text, int64_t tick)
{
    size_t end = text.size;
    while (end > 0 && text.data[end - 1] != ')')
        end--;
    if (end == 0)
        return false;
    struct cursor c = cursor_of(text.data + end, text.size - end);
    for (int field = 3; field < 14; field++)
        skip_word(&c);
    int64_t ticks = 0;
    for (int field = 14; field <= 17 && !c.failed; field++)
        ticks += number(&c);
    return !c.failed && !__builtin_mul_overflow(ticks, tick, used);
}

bool host_process_memory_parse(int64_t *used, struct bytes text)
{
    int64_t anonymous, shared;
    if (!row_kib(text, "RssAnon:", &anonymous) || !row_kib(text, "RssShmem:", &shared))
        return false;
    *used = anonymous + shared;
    return true;
}

bool host_group_parse(char path[HOST_PATH_MAX], struct bytes text)
{
    *path = '\0';
    for (struct cursor c = cursor_of_bytes(text); !cursor_done(&c); skip_line(&c)) {
        if (!word(&c, "0::"))
            continue;
        size_t size = 0;
        while (size < cursor_left(&c) && c.at[size] != '\n')
            size++;
        if (size == 0 || size >= HOST_PATH_MAX || *c.at != '/' || memchr(c.at, '\0', size))
            return false;
        memcpy(path, c.at, size);
        path[size] = '\0';
        return true;
    }
    return true;
}

/* cgroup-v2.rst: "$MAX $PERIOD" in microseconds, or "max $PERIOD". */
bool host_group_cpu_max_parse(int64_t *limit, struct bytes text)
{
    struct cursor c = cursor_of_bytes(text);
    *limit = 0;
    if (word(&c, "max"))
        return true;
    int64_t most = number(&c), period = number(&c);
    if (c.failed || period == 0)
        return false;
    *limit = (int64_t)((double)most / (double)period * (double)CLOCK_SECOND);
    return true;
}

bool host_group_bytes_parse(int64_t *bytes, struct bytes text)
{
    struct cursor c = cursor_of_bytes(text);
    *bytes = 0;
    if (word(&c, "max"))
        return true;
    *bytes = number(&c);
    return !c.failed;
}

bool host_group_row_parse(int64_t *value, struct bytes text, const char *key)
{
    char with_blank[64];
    snprintf(with_blank, sizeof(with_blank), "%s ", key);
    return row(text, with_blank, value);
}

/* --- files --- */

struct content {
    char bytes[FILE_MAX];
    size_t size;
};

static bool read_file(struct content *content, const char *path)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    ssize_t size;
    content->size = 0;
    while (content->size < FILE_MAX &&
           (size = read(descriptor, content->bytes + content->size, FILE_MAX - content->size)) > 0)
        content->size += (size_t)size;
    close(descriptor);
    return content->size > 0;
}

static struct bytes text_of(const struct content *content)
{
    return (struct bytes){(const uint8_t *)content->bytes, content->size};
}

static bool read_in(struct content *content, const char *root, const char *directory, const char *name)
{
    char path[2 * HOST_PATH_MAX];
    int size = snprintf(path, sizeof(path), "%s%s/%s", root, directory, name);
    return size > 0 && (size_t)size < sizeof(path) && read_file(content, path);
}

/* One group's limits; false when it has none. What cannot be read limits nothing. */
static bool read_group(struct content *content, const char *root, const char *directory,
                       struct host_group *group)
{
    *group = (struct host_group){0};
    int64_t used, cache = 0;
    if (read_in(content, root, directory, "cpu.max") &&
        host_group_cpu_max_parse(&group->cpu_limit, text_of(content)) && group->cpu_limit > 0) {
        if (!read_in(content, root, directory, "cpu.stat") ||
            !host_group_row_parse(&used, text_of(content), "usage_usec"))
            group->cpu_limit = 0;
        else
            group->cpu_used = used * CLOCK_MICROSECOND;
    }
    if (read_in(content, root, directory, "memory.max") &&
        host_group_bytes_parse(&group->memory_total, text_of(content)) && group->memory_total > 0) {
        if (!read_in(content, root, directory, "memory.current") ||
            !host_group_bytes_parse(&group->memory_used, text_of(content)))
            group->memory_total = 0;
        /* Cache that nobody used lately: the kernel drops it before it lets the group want. */
        else if (read_in(content, root, directory, "memory.stat") &&
                 host_group_row_parse(&cache, text_of(content), "inactive_file"))
            group->memory_used -= cache < group->memory_used ? cache : group->memory_used;
    }
    return group->cpu_limit > 0 || group->memory_total > 0;
}

/* The process's group and those above it. */
static void read_groups(struct content *content, const char *root, struct host_sample *sample)
{
    char path[HOST_PATH_MAX], directory[HOST_PATH_MAX + 32];
    sample->group_count = 0;
    if (!read_in(content, root, "/proc/self", "cgroup") || !host_group_parse(path, text_of(content)) ||
        !*path)
        return;
    for (;;) {
        snprintf(directory, sizeof(directory), "/sys/fs/cgroup%s", strcmp(path, "/") == 0 ? "" : path);
        if (sample->group_count < GOVERNOR_PLACES_MAX - 1 &&
            read_group(content, root, directory, &sample->groups[sample->group_count]))
            sample->group_count++;
        char *slash = strrchr(path, '/');
        if (!slash || strcmp(path, "/") == 0)
            return;
        slash[slash == path] = '\0'; /* "/a" becomes "/" */
    }
}

bool host_sample_files(const char *root, struct host_sample *sample)
{
    struct content *content = malloc(sizeof(*content));
    int64_t tick = CLOCK_SECOND / sysconf(_SC_CLK_TCK);
    *sample = (struct host_sample){.time = clock_monotonic(clock_system())};
    bool fine = content && read_in(content, root, "/proc", "stat") &&
                host_cpu_parse(&sample->cpu, text_of(content), tick) &&
                read_in(content, root, "/proc", "meminfo") &&
                host_memory_parse(&sample->memory, text_of(content)) &&
                read_in(content, root, "/proc/self", "stat") &&
                host_process_cpu_parse(&sample->process_cpu, text_of(content), tick) &&
                read_in(content, root, "/proc/self", "status") &&
                host_process_memory_parse(&sample->process_memory, text_of(content));
    if (fine)
        read_groups(content, root, sample);
    free(content);
    return fine;
}

static bool sample_system(void *context, struct host_sample *sample)
{
    (void)context;
    return host_sample_files("", sample);
}

const struct host_source *host_system(void)
{
    static const struct host_source system = {.sample = sample_system};
    return &system;
}

/* --- readings --- */

void host_reading(struct governor_reading *reading, const struct host_sample *before,
                  const struct host_sample *now, int64_t capture_cpu, int64_t flows_memory, int64_t rings,
                  bool paused)
{
    *reading = (struct governor_reading){
        .span = now->time - before->time,
        .cpu_ours = now->process_cpu - before->process_cpu,
        .cpu_capture = capture_cpu,
        .memory_ours = now->process_memory + (paused ? 0 : rings),
        .memory_rings = rings,
        .memory_flows = flows_memory,
        .count = 1 + now->group_count,
    };
    reading->places[0] = (struct governor_place){
        .cpu_total = now->cpu.total - before->cpu.total,
        .cpu_used = now->cpu.busy - before->cpu.busy,
        .memory_total = now->memory.total,
        .memory_used = now->memory.total - now->memory.available,
    };
    for (unsigned i = 0; i < now->group_count; i++) {
        const struct host_group *group = &now->groups[i];
        struct governor_place *place = &reading->places[i + 1];
        bool same = before->group_count == now->group_count;
        place->memory_total = group->memory_total;
        place->memory_used = group->memory_used;
        /* Limits that came or went within the period count from the next one. */
        if (!same || group->cpu_limit == 0 || before->groups[i].cpu_limit == 0)
            continue;
        place->cpu_total = (int64_t)((double)group->cpu_limit * (double)reading->span / (double)CLOCK_SECOND);
        place->cpu_used = group->cpu_used - before->groups[i].cpu_used;
    }
}
