/* SPDX-License-Identifier: Apache-2.0
 *
 * Activities out of the log, as JSON.
 */
#pragma once

#include "center/api_request.h"
#include "center/observation.h"

/* Items of an array that is open: {"position", "index", "time" of receipt, "node", "activity"}; "lost": true
 * where the log has it no more. False: answered. */
bool api_write_activities(struct api_work *work, const struct activity_place *places, uint32_t count);
