/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether what a node sent is a batch, whole and within bounds, before it is stored: the receiver refuses
 * what its pipeline could not read. Pure.
 */
#pragma once

#include "base/batch_fence.h"
#include "base/delivery.h"

struct batch_check;

/* NULL without memory. */
struct batch_check *batch_check_new(void);
void batch_check_destroy(struct batch_check **check);

struct batch_found {
    uint64_t records;
    struct batch_fence fence; /* of entities */
    const char *fault;        /* why it is none; NULL: it is one */
};
/* `kind` as in the message. */
void batch_check_payload(struct batch_check *check, uint64_t kind, struct bytes payload,
                         struct batch_found *found);
