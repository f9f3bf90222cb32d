/* SPDX-License-Identifier: Apache-2.0
 *
 * Dials the addresses of members from this host, to see what a firewall lets through.
 */
#pragma once

#include <jansson.h>

/* For each of answer.members: "dialled", an array beside "endpoints" of what a TCP connect gave: "open" or
 * why not. All at the same time, 3 s at most; at most 256 addresses, the rest "not tried". */
void probe_members(json_t *answer);
