/* SPDX-License-Identifier: Apache-2.0
 *
 * Windows Event Forwarding (events/wef_listener.h) as picketd runs it: the section `wef` of its
 * configuration.
 */
#pragma once

#include "node/event_input.h"

extern const struct event_input input_wef;
