/* SPDX-License-Identifier: Apache-2.0
 *
 * A socket to a syslog server: UDP, TCP or TLS, with a deadline for whatever it does.
 */
#pragma once

#include "base/fault.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum link_kind { LINK_UDP, LINK_TCP, LINK_TLS };

struct notify_link;

struct notify_link_config {
    enum link_kind kind;
    const char *host, *port;
    const char *ca, *certificate,
        *key;                  /* of TLS: PEM files; ca NULL: the system's; the others: none is shown */
    const atomic_bool *ending; /* true: whatever waits gives up; may be NULL */
};

/* Connects by `deadline` (monotonic ns). NULL with the reason. */
struct notify_link *notify_link_open(const struct notify_link_config *config, int64_t deadline,
                                     struct fault *fault);
void notify_link_close(struct notify_link **link);

/* Sends all of it. False with the reason: the link is of no use any more. */
bool notify_link_send(struct notify_link *link, const void *data, size_t size, int64_t deadline,
                      struct fault *fault);

/* Whether the other side has not closed it meanwhile: what is written to a closed connection is lost without
 * a word. */
bool notify_link_alive(struct notify_link *link);
