/* SPDX-License-Identifier: Apache-2.0 */
#include "base/notify.h"

#include "base/log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void notify_send(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(address.sun_path))
        return;
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@')
        address.sun_path[0] = '\0'; /* an abstract name */
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return;
    if (sendto(descriptor, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, size) < 0)
        log_warning("the service manager could not be told: %s", strerror(errno));
    close(descriptor);
}

/* A number in the environment: digits alone, at least 1. */
static bool number_of(const char *text, int64_t *number)
{
    char *end;
    errno = 0;
    *number = strtoll(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && !errno && *number > 0;
}

int64_t notify_watchdog(void)
{
    const char *period = getenv("WATCHDOG_USEC"), *whom = getenv("WATCHDOG_PID");
    int64_t microseconds, pid;
    if (!period || !number_of(period, &microseconds))
        return 0;
    if (whom && (!number_of(whom, &pid) || pid != getpid()))
        return 0;
    return microseconds / 2000 > 0 ? microseconds / 2000 : 1;
}
