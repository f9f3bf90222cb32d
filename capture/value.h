/* SPDX-License-Identifier: Apache-2.0
 *
 * What a flow is worth, when not all of them can be looked at.
 *
 * A flow's rank is its protocol's value and, below it, a draw of its own that never changes: so any share of
 * a protocol's flows can be given up, and always the same ones. Rank 0 is a flow that has been given up, for
 * good: a verdict sticks until the flow ends.
 */
#pragma once

#include "capture/dissect.h"

#define RANK_SHED        0u
#define RANK_FINE        13u /* draws of one value */
#define VALUE_MAX        18u
#define CAPTURE_RANK_MAX ((VALUE_MAX + 1) * RANK_FINE) /* a rank is a byte */

/* 0 (nothing that is understood) to VALUE_MAX; no two protocols are worth the same. */
unsigned protocol_value(enum protocol_id id);

/* The protocol of a value. */
enum protocol_id protocol_of_value(unsigned value);

/* 1 to CAPTURE_RANK_MAX. `hash` is the flow's. */
uint8_t flow_rank(enum protocol_id id, uint32_t hash);

/* A log-on was seen in the flow: what is worth less than a file server's becomes worth a log-on. */
uint8_t rank_with_logon(uint8_t rank, uint32_t hash);

/* The value in a rank that is not RANK_SHED. */
unsigned rank_value(uint8_t rank);
