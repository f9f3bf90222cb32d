/* SPDX-License-Identifier: Apache-2.0
 *
 * Activities back from their JSON (activity_to_json): so what was exported, or written by hand, can be
 * replayed.
 */
#pragma once

#include "base/activity.h"
#include "base/fault.h"

/* The record of one JSON object, for activity_finish; a line of `picket-center log` gives its "activity".
 * Fields that are not known are skipped. False with the reason: no object, no kind, or a value of another
 * type. */
bool activity_from_json(struct bytes json, struct activity_writer *writer, struct fault *fault);
