/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether an input is understood: health issue 1012 (some forwarded events are not being analyzed) from its
 * counters, a period at a time. Raised when messages were dropped or too great a share of them was not
 * understood; cleared when that has not been so for a while. Pure.
 */
#pragma once

#include "events/intake.h"

#define SHARE_PERIOD  (60 * INT64_C(1000000000)) /* ns between two looks */
#define SHARE_LEAST   20u                        /* messages; of fewer a share says nothing */
#define SHARE_INVALID 5u                         /* percent that may not be understood */
#define SHARE_CLEAR   3u                         /* periods without fault that clear the issue */

struct share {
    struct intake_counters seen; /* at the last look */
    unsigned fine;               /* looks without fault since */
    bool raised;
    uint64_t received, invalid, dropped; /* of the period that raised it last */
};

/* Whether it was raised or cleared now. */
bool share_look(struct share *share, const struct intake_counters *now);
