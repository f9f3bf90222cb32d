/* SPDX-License-Identifier: Apache-2.0
 *
 * Which alert a raised one belongs to.
 */
#pragma once

#include "center/store_alerts.h"

/* The newest alert of a detection (its word and its published id) with that key, whatever its status. False:
 * there is none (or the store failed). */
bool store_alert_newest(struct store *store, uint64_t workspace, const char *detector, uint32_t external_id,
                        struct subject key, struct stored_alert *to);
