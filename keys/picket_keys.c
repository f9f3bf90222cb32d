/* SPDX-License-Identifier: Apache-2.0
 *
 * picket-keys: the program that holds keytabs and unseals for picket and picketd (docs/keytab.md). They start
 * it with a socket on descriptor 3, and it gives up at once what it does not need. The process that they
 * start never sees a key: with each socket that comes over descriptor 3 it forks a holder, which is
 * controlled by that socket, in place of the one before. So a holder that died can be replaced by one that is
 * as good as new, by parents that have given up running programs.
 */
#include "base/version.h"
#include "keys/line.h"
#include "keys/sandbox.h"
#include "keys/serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define STARTER 3 /* the descriptor that is inherited */

enum status { FINE = 0, FAILED = 1, MISUSED = 2 };

static int fail(const struct fault *fault)
{
    fprintf(stderr, "picket-keys: %s\n", fault->text);
    fflush(stderr);
    return FAILED;
}

static bool is_inherited(void)
{
    int type = 0, domain = 0;
    socklen_t size = sizeof(type);
    return getsockopt(STARTER, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET &&
           getsockopt(STARTER, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

static int misused(void)
{
    fprintf(stderr,
            "picket-keys %s is started by picket and picketd, when they are given a keytab; it is of no use "
            "by hand\nsee: man picket-read, docs/keytab.md\n",
            picket_version());
    return MISUSED;
}

static int hold(int control, unsigned got)
{
    struct fault fault;
    close(STARTER);
    return sandbox_holder(&got, &fault) && serve(control, got, &fault) ? FINE : fail(&fault);
}

/* It may be dead already: until it is waited for, its number is nobody else's. */
static void end_holder(pid_t *holder)
{
    if (*holder <= 0)
        return;
    kill(*holder, SIGKILL);
    waitpid(*holder, NULL, 0);
    *holder = 0;
}

static int start_holders(unsigned got)
{
    pid_t holder = 0;
    for (;;) {
        struct pollfd starter = {.fd = STARTER, .events = POLLIN};
        char byte;
        int control;
        if (poll(&starter, 1, -1) < 0)
            continue;
        long size = line_receive(STARTER, &byte, sizeof(byte), &control);
        if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR))
            break;
        if (control < 0)
            continue;
        end_holder(&holder);
        holder = fork();
        if (holder == 0)
            _exit(hold(control, got)); /* nothing of the parent's is to be tidied up */
        close(control);
    }
    end_holder(&holder);
    return FINE;
}

/* A service manager that ends all processes of a service at once shall end the one that asks first: with its
 * socket it all ends, and with its life. */
static void outlive_signals(void)
{
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

int main(void)
{
    unsigned got = 0;
    struct fault fault;
    if (!is_inherited())
        return misused();
    outlive_signals();
    int status = sandbox_starter(STARTER, &got, &fault) ? start_holders(got) : fail(&fault);
    fflush(NULL);
    _exit(status); /* a search for leaks would want what was given up */
}
