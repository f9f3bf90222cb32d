/* SPDX-License-Identifier: Apache-2.0
 *
 * What is left of a process's rights, in children of this one; as root, also another user.
 */
#include "node/privileges.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs it in a child; its status. */
static int in_child(int (*what)(void))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(what());
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#define check(what)                                                                                          \
    do {                                                                                                     \
        if (!(what)) {                                                                                       \
            fprintf(stderr, "not so: %s (%s)\n", #what, strerror(errno));                                    \
            return 1;                                                                                        \
        }                                                                                                    \
    } while (0)

static int nothing_is_left(void)
{
    static const struct privileges wanted = {0};
    struct fault fault = {0};
    int pair[2];
    check(privileges_drop(&wanted, &fault));
    check(prctl(PR_GET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L) == 1);
    check(execl("/bin/true", "true", (char *)NULL) < 0 && errno == EPERM);
    check(unshare(CLONE_NEWNET) < 0 && errno == EPERM);
    check(mount("none", "/nonexistent", "tmpfs", 0, NULL) < 0 && errno == EPERM);
    check(chroot("/") < 0 && errno == EPERM);
#ifndef PICKET_LEAK_SEARCH /* which stops threads as a debugger does */
    check(ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 && errno == EPERM);
#endif
    check(setuid(0) < 0 && errno == EPERM);
    check(socket(AF_ALG, SOCK_SEQPACKET, 0) < 0 && errno == EAFNOSUPPORT);
    check(socket(AF_VSOCK, SOCK_STREAM, 0) < 0 && errno == EAFNOSUPPORT);
    check(socket(AF_INET, SOCK_STREAM, 0) >= 0);
    check(socket(AF_NETLINK, SOCK_RAW, 0) >= 0);
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    /* Twice does no harm. */
    check(privileges_drop(&wanted, &fault));
    return 0;
}

static void what_is_not_needed_is_gone(void **state)
{
    (void)state;
    assert_int_equal(in_child(nothing_is_left), 0);
}

static int capture_stays(void)
{
    static const struct privileges wanted = {.user = "nobody"};
    struct fault fault = {0};
    check(privileges_drop(&wanted, &fault));
    check(geteuid() != 0 && getuid() != 0 && getegid() != 0);
    check(setuid(0) < 0);
    check(socket(AF_PACKET, SOCK_RAW, 0) >= 0);
    check(open("/etc/shadow", O_RDONLY) < 0 && errno == EACCES);
    check(kill(1, 0) < 0);
    return 0;
}

static int no_such_user(void)
{
    static const struct privileges wanted = {.user = "nobody-has-this-name"};
    struct fault fault = {0};
    check(!privileges_drop(&wanted, &fault));
    check(strstr(fault.text, "node/user: nobody-has-this-name: no such user"));
    return 0;
}

static char place[64];

static int directories_are_made(void)
{
    char one[96], two[96];
    struct stat entry;
    struct fault fault = {0};
    snprintf(one, sizeof(one), "%s/state", place);
    snprintf(two, sizeof(two), "%s/run", place);
    mkdir(two, 0700); /* is there already, and stays whose it is */
    struct privileges wanted = {.user = "nobody", .directories = {one, two}};
    check(chmod(place, 0755) == 0);
    check(privileges_drop(&wanted, &fault));
    check(stat(one, &entry) == 0 && entry.st_uid == geteuid());
    check(stat(two, &entry) == 0 && entry.st_uid == 0);
    return 0;
}

static int a_directory_that_cannot_be(void)
{
    static const struct privileges wanted = {.user = "nobody", .directories = {"/nonexistent/picket/state"}};
    struct fault fault = {0};
    check(!privileges_drop(&wanted, &fault));
    check(strstr(fault.text, "/nonexistent/picket/state"));
    return 0;
}

static void root_becomes_another(void **state)
{
    (void)state;
    if (geteuid() != 0 || !getpwnam("nobody"))
        skip();
    assert_int_equal(in_child(no_such_user), 0);
    assert_int_equal(in_child(a_directory_that_cannot_be), 0);
    strcpy(place, "/tmp/picket-privileges-XXXXXX");
    assert_non_null(mkdtemp(place));
    int made = in_child(directories_are_made);
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", place);
    assert_int_equal(system(command), 0);
    assert_int_equal(made, 0);
    int probe = socket(AF_PACKET, SOCK_RAW, 0);
    if (probe < 0)
        skip(); /* a container without that right */
    close(probe);
    assert_int_equal(in_child(capture_stays), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_needed_is_gone),
        cmocka_unit_test(root_becomes_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
