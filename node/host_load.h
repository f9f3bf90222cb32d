/* SPDX-License-Identifier: Apache-2.0
 *
 * What the host has and who uses it: /proc, and the control groups (version 2) above this process. Parsers of
 * the kernel's texts, and a thin reader of its files. Where the readings come from can be exchanged, so that
 * the governor runs on any host that a test makes up.
 */
#pragma once

#include "base/cursor.h"
#include "node/governor.h"

/* -- the kernel's texts; false when something is missing or no number ---------------------------------- */

/* Both since the host started, in ns of CPU. */
struct host_cpu {
    int64_t total;
    int64_t busy; /* not idle and not waiting for a disk; what a hypervisor took away is busy */
};
/* /proc/stat; `tick` in ns (USER_HZ). */
bool host_cpu_parse(struct host_cpu *cpu, struct bytes text, int64_t tick);

struct host_memory {
    int64_t total; /* bytes */
    int64_t available;
};
/* /proc/meminfo */
bool host_memory_parse(struct host_memory *memory, struct bytes text);

/* /proc/PID/stat: CPU of the process and of its children that ended, in ns. */
bool host_process_cpu_parse(int64_t *used, struct bytes text, int64_t tick);

/* /proc/PID/status: bytes that are nobody else's and come back only when we give them: anonymous and shared
 * memory. Mapped files are page cache, the kernel's to take. */
bool host_process_memory_parse(int64_t *used, struct bytes text);

/* /proc/PID/cgroup: the path of version 2 ("0::PATH"), terminated; "" when there is none. */
#define HOST_PATH_MAX 512u
bool host_group_parse(char path[HOST_PATH_MAX], struct bytes text);

/* cpu.max: ns of CPU per second of time; 0: no limit. */
bool host_group_cpu_max_parse(int64_t *limit, struct bytes text);
/* memory.max and memory.current: bytes; 0 for "max". */
bool host_group_bytes_parse(int64_t *bytes, struct bytes text);
/* A row of cpu.stat (usage_usec) or memory.stat (inactive_file). */
bool host_group_row_parse(int64_t *value, struct bytes text, const char *key);

/* -- samples ------------------------------------------------------------------------------------------- */

struct host_group {
    int64_t cpu_limit;    /* ns per second; 0: none */
    int64_t cpu_used;     /* ns since it was made */
    int64_t memory_total; /* 0: no limit */
    int64_t memory_used;
};

struct host_sample {
    int64_t time; /* monotonic */
    struct host_cpu cpu;
    struct host_memory memory;
    int64_t process_cpu;
    int64_t process_memory;
    unsigned group_count;
    struct host_group groups[GOVERNOR_PLACES_MAX - 1];
};

/* Where samples come from. */
struct host_source {
    bool (*sample)(void *context, struct host_sample *sample); /* false: nothing could be read */
    void *context;
};

/* The files of the machine that this process runs on. */
const struct host_source *host_system(void);

/* The same of a tree that looks like it: `root`/proc, `root`/sys/fs/cgroup; "" is the machine. */
bool host_sample_files(const char *root, struct host_sample *sample);

/* What happened from one sample to the next. `capture_cpu` ns and `flows_memory` bytes are of the capture's
 * threads; `rings` bytes what the kernel keeps for them, which no process is charged for; while they are
 * `paused`, would keep. */
void host_reading(struct governor_reading *reading, const struct host_sample *before,
                  const struct host_sample *now, int64_t capture_cpu, int64_t flows_memory, int64_t rings,
                  bool paused);
