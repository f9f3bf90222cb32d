/* SPDX-License-Identifier: Apache-2.0
 *
 * picketd, assembled: the fleet's driver, the control socket, the domain controllers' probe, capture; and the
 * supervisor that starts them, watches them, and ends them in the reverse order.
 *
 * What fails at the start ends the process with a reason; what fails later either mends itself (an interface
 * that vanished, a peer, a domain controller) or ends the process, which the service manager starts again
 * with a delay that it knows better. A part is never restarted alone: its state on disk is made for a process
 * that dies, not for half of one.
 */
#pragma once

#include "node/node_config.h"

/* Runs until it is told to end. The exit status: EXIT_FINE, EXIT_FAILED, or DAEMON_REVOKED. */
#define DAEMON_REVOKED 4
/* `keys`: who unseals, not started yet; NULL: nobody. */
int daemon_run(const struct node_config *config, struct key_client *keys);
