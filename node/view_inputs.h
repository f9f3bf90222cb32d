/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/json_writer.h"
#include "node/event_service.h"

/* The inputs of events; with the last `limit` messages that were not understood, newest first. `service` may
 * be NULL: there are none. */
void view_inputs(struct json_writer *w, struct event_service *service, unsigned limit);
