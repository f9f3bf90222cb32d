/* SPDX-License-Identifier: Apache-2.0 */
#include "node/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOCKED          ((rlim_t)512 << 20)
#define BIT(capability) (1u << (capability))
/* Packets of an interface; RADIUS and syslog on their ports. */
#define KEPT (BIT(CAP_NET_RAW) | BIT(CAP_NET_BIND_SERVICE))

/* --- the user --- */

static bool make_directory(const char *path, const struct passwd *user, struct fault *fault)
{
    if (mkdir(path, 0755) != 0)
        return errno == EEXIST || fault_say(fault, "%s: %s", path, strerror(errno));
    return chown(path, user->pw_uid, user->pw_gid) == 0 || fault_say(fault, "%s: %s", path, strerror(errno));
}

static bool become(const struct privileges *wanted, struct fault *fault)
{
    errno = 0;
    const struct passwd *user = getpwnam(wanted->user);
    if (!user)
        return fault_say(fault, "node/user: %s: %s", wanted->user, errno ? strerror(errno) : "no such user");
    for (const char *const *path = wanted->directories; *path; path++)
        if (!make_directory(*path, user, fault))
            return false;
    if (prctl(PR_SET_KEEPCAPS, 1L, 0L, 0L, 0L) != 0 || initgroups(wanted->user, user->pw_gid) != 0 ||
        setresgid(user->pw_gid, user->pw_gid, user->pw_gid) != 0 ||
        setresuid(user->pw_uid, user->pw_uid, user->pw_uid) != 0)
        return fault_say(fault, "node/user: %s: %s", wanted->user, strerror(errno));
    return true;
}

/* --- rights --- */

static bool capabilities(bool set, struct __user_cap_data_struct data[2])
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    return syscall(set ? SYS_capset : SYS_capget, &header, data) == 0;
}

/* What nobody can give back: also for what the process would become by running another program. */
static void shrink_bounds(void)
{
    for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0L, 0L, 0L) >= 0; capability++)
        if (capability >= 32 || !(KEPT & BIT(capability)))
            prctl(PR_CAPBSET_DROP, capability, 0L, 0L, 0L);
}

static bool keep_few(struct fault *fault)
{
    struct __user_cap_data_struct data[2];
    if (!capabilities(false, data))
        return fault_say(fault, "capabilities: %s", strerror(errno));
    data[0].effective = data[0].permitted = data[0].permitted & KEPT;
    data[1].effective = data[1].permitted = 0;
    data[0].inheritable = data[1].inheritable = 0;
    prctl(PR_CAP_AMBIENT, (long)PR_CAP_AMBIENT_CLEAR_ALL, 0L, 0L, 0L);
    return capabilities(true, data) || fault_say(fault, "capabilities: %s", strerror(errno));
}

/* --- system calls --- */

/* What takes a host over, and nothing here does: it fails as if it were not allowed. */
static const int refused[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
#ifndef PICKET_LEAK_SEARCH
    SCMP_SYS(ptrace),
#endif
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(reboot),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(keyctl),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(acct),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(adjtimex),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(quotactl),
    SCMP_SYS(personality),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(fanotify_init),
    SCMP_SYS(vhangup),
    SCMP_SYS(syslog),
    SCMP_SYS(kcmp),
    SCMP_SYS(mknod),
    SCMP_SYS(mknodat),
    SCMP_SYS(setuid),
    SCMP_SYS(setgid),
    SCMP_SYS(setreuid),
    SCMP_SYS(setregid),
    SCMP_SYS(setresuid),
    SCMP_SYS(setresgid),
    SCMP_SYS(setgroups),
};

/* Sockets are the network's, packets', the kernel's for addresses, and local ones. */
static int refuse_family(scmp_filter_ctx filter, enum scmp_compare how, unsigned family)
{
    const struct scmp_arg_cmp argument = {.arg = 0, .op = how, .datum_a = family};
    return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1, &argument);
}

static int refuse_families(scmp_filter_ctx filter)
{
    static const unsigned kept[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET};
    unsigned next = 0;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++, next++)
        for (; next < kept[i]; next++)
            if (refuse_family(filter, SCMP_CMP_EQ, next) != 0)
                return -1;
    return refuse_family(filter, SCMP_CMP_GT, AF_PACKET);
}

static bool refuse_calls(struct fault *fault)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return fault_say(fault, "seccomp: out of memory");
    int failed = refuse_families(filter);
    for (size_t i = 0; failed == 0 && i < sizeof(refused) / sizeof(refused[0]); i++)
        failed = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), refused[i], 0);
    if (failed == 0)
        failed = seccomp_load(filter);
    seccomp_release(filter);
    return failed == 0 || fault_say(fault, "seccomp: %s", strerror(-failed));
}

/* Secrets stand in locked memory, which without root's rights is bounded. */
static void allow_locking(void)
{
    struct rlimit limit = {LOCKED, LOCKED}, now;
    if (getrlimit(RLIMIT_MEMLOCK, &now) == 0 && now.rlim_max < LOCKED)
        setrlimit(RLIMIT_MEMLOCK, &limit);
}

bool privileges_drop(const struct privileges *wanted, struct fault *fault)
{
    if (geteuid() == 0) {
        allow_locking();
        shrink_bounds();
    }
    if (geteuid() == 0 && wanted->user && !become(wanted, fault))
        return false;
    if (!keep_few(fault))
        return false;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0)
        return fault_say(fault, "no new privileges: %s", strerror(errno));
    if (wanted->last && !wanted->last(wanted->context, fault))
        return false;
    return refuse_calls(fault);
}
