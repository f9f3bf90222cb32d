/* SPDX-License-Identifier: Apache-2.0
 *
 * A sensor as a guest: captures an interface under the governor, as picketd does, on a host that is made of
 * this process and of others named on standard input (process ids, one a line; a negative one leaves). So the
 * experiment is exact on a machine that also does other work. tests/bench/governor.py runs it.
 *
 *     guest INTERFACE PROCESSORS MEBIBYTES     a host of so many processors (0.5) and so much memory
 *     guest INTERFACE                          the machine as it is
 *
 * Prints how things are once a second, a JSON object a line. Ends with its standard input.
 */
#include "base/log.h"
#include "capture/protocols.h"
#include "node/governor_service.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define OTHERS_MAX 64
#define MIB        (INT64_C(1) << 20)
#define RING       (8 << 20)

struct other {
    int pid;
    int64_t cpu; /* ns, as last read */
    int64_t memory;
};

struct model {
    pthread_mutex_t lock;
    double processors;
    int64_t memory;
    int64_t began;
    struct other others[OTHERS_MAX];
    unsigned count;
    int64_t gone; /* CPU of those that left */
};

static struct model model = {.lock = PTHREAD_MUTEX_INITIALIZER};
static struct capture_settings settings;
static struct capture_group group;
static struct capture_allowance allowance;

static bool read_process(int pid, const char *name, char *text, size_t capacity, struct bytes *content)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    *content = (struct bytes){(const uint8_t *)text, fread(text, 1, capacity, file)};
    fclose(file);
    return content->size > 0;
}

static void refresh(struct other *other)
{
    char text[4096];
    struct bytes content;
    int64_t tick = CLOCK_SECOND / sysconf(_SC_CLK_TCK), value;
    if (read_process(other->pid, "stat", text, sizeof(text), &content) &&
        host_process_cpu_parse(&value, content, tick) && value > other->cpu)
        other->cpu = value;
    if (!read_process(other->pid, "status", text, sizeof(text), &content) ||
        !host_process_memory_parse(&other->memory, content))
        other->memory = 0;
}

static int64_t own_cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * CLOCK_SECOND + t.tv_nsec;
}

static int64_t own_memory(void)
{
    char text[4096];
    struct bytes content;
    int64_t used = 0;
    if (read_process((int)getpid(), "status", text, sizeof(text), &content))
        host_process_memory_parse(&used, content);
    return used;
}

static int64_t rings(void)
{
    return atomic_load(&allowance.paused) ? 0 : settings.ring_bytes * (int64_t)group.workers_count;
}

static bool sample_model(void *context, struct host_sample *sample)
{
    (void)context;
    pthread_mutex_lock(&model.lock);
    int64_t now = clock_monotonic(clock_system()), others = model.gone, memory = 0;
    for (unsigned i = 0; i < model.count; i++) {
        refresh(&model.others[i]);
        others += model.others[i].cpu;
        memory += model.others[i].memory;
    }
    *sample = (struct host_sample){.time = now, .process_cpu = own_cpu(), .process_memory = own_memory()};
    sample->cpu.total = (int64_t)((double)(now - model.began) * model.processors);
    sample->cpu.busy = others + sample->process_cpu;
    sample->memory.total = model.memory;
    sample->memory.available = model.memory - memory - sample->process_memory - rings();
    pthread_mutex_unlock(&model.lock);
    return true;
}

static void take_pid(int pid)
{
    pthread_mutex_lock(&model.lock);
    if (pid > 0 && model.count < OTHERS_MAX) {
        struct other *other = &model.others[model.count++];
        *other = (struct other){.pid = pid};
        refresh(other);
        model.gone -= other->cpu; /* what it used before is not this host's */
    }
    for (unsigned i = 0; i < model.count; i++)
        if (pid < 0 && model.others[i].pid == -pid) {
            model.gone += model.others[i].cpu;
            model.others[i] = model.others[--model.count];
        }
    pthread_mutex_unlock(&model.lock);
}

/* False at the end of standard input. */
static bool hear(void)
{
    char line[512];
    ssize_t size = read(STDIN_FILENO, line, sizeof(line) - 1);
    if (size <= 0)
        return false;
    line[size] = '\0';
    for (char *rest = line, *end; *rest; rest = end + (*end != '\0')) {
        long pid = strtol(rest, &end, 10);
        if (end == rest)
            break;
        take_pid((int)pid);
    }
    return true;
}

static void tell(const struct host_source *host, struct governor_service *service, struct host_sample *before)
{
    struct governor_snapshot s;
    struct host_sample now;
    struct capture_totals totals;
    uint64_t flows = 0;
    host->sample(host->context, &now);
    governor_service_snapshot(service, &s);
    capture_group_totals(&group, &totals);
    double total = (double)(now.cpu.total - before->cpu.total);
    double ours = (double)(now.process_cpu - before->process_cpu);
    double others = (double)(now.cpu.busy - before->cpu.busy) - ours;
    int64_t own = now.process_memory + rings();
    printf("{\"time\":%.1f,\"others\":%.2f,\"ours\":%.2f,\"quota\":%.2f,\"memory_others\":%.2f,"
           "\"memory_ours\":%.2f,\"memory_quota\":%.2f,\"level\":%u,\"paused\":%s,\"raised\":%s,\"packets\":"
           "%" PRIu64 ",\"dropped\":%" PRIu64 ",\"shed\":{",
           (double)(now.time - model.began) / 1e9, 100 * others / total, 100 * ours / total,
           100.0 * (double)s.decision.cpu.quota / (double)(s.decision.cpu.total + 1),
           100.0 * (double)(now.memory.total - now.memory.available - own) / (double)now.memory.total,
           100.0 * (double)own / (double)now.memory.total,
           100.0 * (double)s.decision.memory.quota / (double)now.memory.total, s.level,
           atomic_load(&allowance.paused) ? "true" : "false", s.raised ? "true" : "false", totals.packets,
           totals.dropped + totals.ifdropped);
    for (int i = 0; i < PROTOCOLS; i++)
        if (totals.shed[i].flows > 0)
            printf("%s\"%s\":%" PRIu64, flows++ ? "," : "", protocol_name((enum protocol_id)i),
                   totals.shed[i].flows);
    printf("}}\n");
    fflush(stdout);
    *before = now;
}

static void run(const struct host_source *host, struct governor_service *service)
{
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = group.wake_descriptor, .events = POLLIN}};
    struct host_sample before;
    host->sample(host->context, &before);
    int64_t next = before.time + CLOCK_SECOND;
    for (;;) {
        poll(fds, 2, 100);
        if (fds[0].revents && !hear())
            return;
        capture_group_take_wake(&group);
        for (size_t i = 0; i < group.workers_count; i++) {
            struct bytes records[256];
            while (ring_pop(group.workers[i].ring, records, 256) > 0)
                ring_release(group.workers[i].ring);
        }
        if (clock_monotonic(clock_system()) < next)
            continue;
        tell(host, service, &before);
        next += CLOCK_SECOND;
    }
}

int main(int argc, char **argv)
{
    static const struct host_source modelled = {.sample = sample_model};
    char wrong[CAPTURE_FAULT_MAX];
    struct fault fault;
    if (argc != 2 && argc != 4) {
        fprintf(stderr, "usage: guest INTERFACE [PROCESSORS MEBIBYTES]\n");
        return 2;
    }
    if (argc == 4) {
        model.processors = strtod(argv[2], NULL);
        model.memory = strtoll(argv[3], NULL, 10) * MIB;
    }
    model.began = clock_monotonic(clock_system());
    settings = (struct capture_settings){.interfaces_count = 1,
                                         .interfaces = {argv[1]},
                                         .threads = 1,
                                         .ring_bytes = RING,
                                         .filter = "ip or ip6",
                                         .allowance = &allowance,
                                         .options = {.memory_limit = (size_t)192 << 20}};
    capture_allowance_init(&allowance);
    if (!capture_settings_finish(&settings, wrong) || !capture_group_start(&group, &settings, wrong)) {
        fprintf(stderr, "guest: %s\n", wrong);
        return 1;
    }
    struct governor_service_config config = {
        .host = argc == 4 ? &modelled : host_system(),
        .capture = &group,
        .allowance = &allowance,
        .memory_limit = settings.options.memory_limit,
        .ring_bytes = (uint64_t)settings.ring_bytes,
    };
    struct governor_service *service = governor_service_start(&config, &fault);
    if (!service) {
        fprintf(stderr, "guest: %s\n", fault.text);
        return 1;
    }
    run(config.host, service);
    governor_service_stop(&service);
    capture_group_stop(&group);
    capture_group_free(&group);
    return 0;
}
