/* SPDX-License-Identifier: Apache-2.0
 *
 * The control socket: a thread that talks to `picket` and to scripts. It knows frames, requests and who asks;
 * what is answered comes from somebody else's thread, so that it never waits for anything: docs/control.md.
 */
#pragma once

#include "base/json_writer.h"
#include "base/mailbox.h"
#include "node/control_request.h"

#include <sys/types.h>

/* Who asks, as the kernel says. */
struct control_peer {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

struct control_config {
    const char *path;
    const char *group;          /* owns the socket when it exists: may ask; NULL: the process's own */
    const char *administrators; /* besides root and this process's user: may change things; NULL: nobody */
    /* Takes the job to the thread where answers to such a request are made, which runs it. False: it does not
     * run any more. */
    bool (*post)(void *context, const struct control_request *request, struct mail *job);
    /* There: writes the answer of a request that may be answered. */
    void (*answer)(void *context, const struct control_request *request, const struct control_peer *peer,
                   struct json_writer *w);
    void *context;
};

struct control;

/* Binds and starts. NULL with the reason (for the log). The configuration's strings and context must outlive
 * it. */
struct control *control_start(const struct control_config *config, char *reason, size_t capacity);
void control_stop(struct control **control);

/* Whether anybody listens to events: worth rendering one. Any thread. */
bool control_has_listeners(const struct control *control);

/* Sends an event to everybody who listens (for that domain, or all): any thread. `domain` may be NULL. */
void control_publish(struct control *control, struct bytes event, const char *domain);
