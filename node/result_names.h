/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of the result codes that people meet.
 */
#pragma once

#include "base/activity.h"

/* The name of a status in activities of that kind (the code space differs: Kerberos, LDAP, DNS, NTSTATUS or
 * Win32); NULL when it has none here. */
const char *result_name(enum activity_kind kind, uint64_t status);
