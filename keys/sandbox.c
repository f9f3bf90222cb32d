/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Room for a holder that is full: below this, what it would still want to lock fails as if memory were out.
 */
#define LOCKED_WANTED ((rlim_t)256 << 20)
/* What root allows it. */
#define LOCKED_MAX ((rlim_t)512 << 20)

/* --- rights --- */

static void forbid_dumps(void)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
#ifndef PICKET_LEAK_SEARCH /* which reads its own memory as a debugger does */
    prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
#endif
}

static void close_others(int last)
{
    if (close_range((unsigned)last + 1, ~0u, 0) == 0)
        return;
    long most = sysconf(_SC_OPEN_MAX);
    for (int fd = last + 1; fd < most; fd++)
        close(fd);
}

static void allow_locking(void)
{
    struct rlimit limit = {LOCKED_MAX, LOCKED_MAX}, now;
    if (getrlimit(RLIMIT_MEMLOCK, &now) != 0 || now.rlim_cur >= LOCKED_MAX)
        return;
    if (setrlimit(RLIMIT_MEMLOCK, &limit) == 0)
        return;
    limit = (struct rlimit){now.rlim_max, now.rlim_max};
    setrlimit(RLIMIT_MEMLOCK, &limit);
}

/* Namespaces without anything in them; for those who may not make any, within one of users. */
static bool leave_network(void)
{
    const int empty = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
    return unshare(empty) == 0 || unshare(empty | CLONE_NEWUSER) == 0;
}

static bool drop_rights(struct fault *fault)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0L, 0L, 0L) >= 0; capability++)
        prctl(PR_CAPBSET_DROP, capability, 0L, 0L, 0L);
    prctl(PR_CAP_AMBIENT, (long)PR_CAP_AMBIENT_CLEAR_ALL, 0L, 0L, 0L);
    if (syscall(SYS_capset, &header, none) != 0)
        return fault_say(fault, "capabilities: %s", strerror(errno));
    return prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == 0 ||
           fault_say(fault, "no new privileges: %s", strerror(errno));
}

/* --- system calls --- */

static const int holders[] = {
    SCMP_SYS(read),         SCMP_SYS(write),       SCMP_SYS(readv),           SCMP_SYS(writev),
    SCMP_SYS(recvmsg),      SCMP_SYS(recvfrom),    SCMP_SYS(sendmsg),         SCMP_SYS(sendto),
    SCMP_SYS(poll),         SCMP_SYS(ppoll),       SCMP_SYS(close),           SCMP_SYS(lseek),
    SCMP_SYS(fstat),        SCMP_SYS(munmap),      SCMP_SYS(mremap),          SCMP_SYS(madvise),
    SCMP_SYS(mlock),        SCMP_SYS(mlock2),      SCMP_SYS(munlock),         SCMP_SYS(brk),
    SCMP_SYS(futex),        SCMP_SYS(sched_yield), SCMP_SYS(getrandom),       SCMP_SYS(getrusage),
    SCMP_SYS(getpid),       SCMP_SYS(gettid),      SCMP_SYS(clock_gettime),   SCMP_SYS(clock_nanosleep),
    SCMP_SYS(gettimeofday), SCMP_SYS(time),        SCMP_SYS(rt_sigaction),    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall), SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* What the starter wants besides: to fork, to end its child, and what the child then gives up. */
static const int starters[] = {
    SCMP_SYS(clone),
    SCMP_SYS(fork),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(set_tid_address),
    SCMP_SYS(rseq),
    SCMP_SYS(wait4),
    SCMP_SYS(kill),
    SCMP_SYS(getppid),
    SCMP_SYS(prctl),
    SCMP_SYS(seccomp),
    SCMP_SYS(mlockall),
    SCMP_SYS(prlimit64),
    SCMP_SYS(getrlimit),
    SCMP_SYS(setrlimit),
};

static int allow(scmp_filter_ctx filter, const int *calls, size_t count)
{
    int failed = 0;
    for (size_t i = 0; failed == 0 && i < count; i++)
        failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    return failed;
}

/* Memory, but none that could be run. */
static int allow_memory(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp not_run = {
        .arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = PROT_EXEC, .datum_b = 0};
    int failed = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &not_run);
    return failed ? failed : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &not_run);
}

static bool allow_only(bool starter, struct fault *fault)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        return fault_say(fault, "seccomp: out of memory");
    int failed = allow(filter, holders, sizeof(holders) / sizeof(*holders));
    if (failed == 0 && starter)
        failed = allow(filter, starters, sizeof(starters) / sizeof(*starters));
    if (failed == 0)
        failed = allow_memory(filter);
    if (failed == 0)
        failed = seccomp_load(filter);
    seccomp_release(filter);
    return failed == 0 || fault_say(fault, "seccomp: %s", strerror(-failed));
}

/* --- */

bool sandbox_starter(int last, unsigned *got, struct fault *fault)
{
    prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0L, 0L, 0L);
    forbid_dumps();
    close_others(last);
    clearenv();
    if (chdir("/") != 0)
        return fault_say(fault, "/: %s", strerror(errno));
    allow_locking();
    if (leave_network())
        *got |= SANDBOX_NO_NET;
    return drop_rights(fault) && allow_only(true, fault);
}

bool sandbox_holder(unsigned *got, struct fault *fault)
{
    struct rlimit limit;
    prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0L, 0L, 0L);
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur >= LOCKED_WANTED &&
        mlockall(MCL_CURRENT | MCL_FUTURE) == 0)
        *got |= SANDBOX_LOCKED;
    return allow_only(false, fault);
}
