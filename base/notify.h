/* SPDX-License-Identifier: Apache-2.0
 *
 * What the service manager wants to hear: sd_notify(3)'s protocol, without its library. Nothing happens when
 * nobody asked ($NOTIFY_SOCKET).
 */
#pragma once

#include <stdint.h>

/* "READY=1", "STATUS=...", "STOPPING=1", "WATCHDOG=1"; several with newlines between. */
void notify_send(const char *state);

/* How often WATCHDOG=1 is due, in ms: half of what $WATCHDOG_USEC allows this process; 0: never. */
int64_t notify_watchdog(void);
