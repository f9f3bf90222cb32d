/* SPDX-License-Identifier: Apache-2.0
 *
 * The syslog listener (events/syslog_listener.h) as picketd runs it: the section `syslog` of its
 * configuration.
 */
#pragma once

#include "node/event_input.h"

extern const struct event_input input_syslog;
