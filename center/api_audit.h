/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes of the store by people: in a transaction, and audited in the same.
 */
#pragma once

#include "center/api_request.h"

/* Runs `change` within a transaction; when it answers with a problem, or the store fails, nothing of it
 * stays. */
bool api_change(struct api_work *work, bool (*change)(struct api_work *work));
/* Within one. NULL: nothing. */
void api_audit_add(struct api_work *work, uint64_t workspace, const char *what, const char *object,
                   const char *before, const char *after);
