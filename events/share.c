/* SPDX-License-Identifier: Apache-2.0 */
#include "events/share.h"

bool share_look(struct share *share, const struct intake_counters *now)
{
    uint64_t received = now->received - share->seen.received, invalid = now->invalid - share->seen.invalid,
             dropped = now->dropped - share->seen.dropped;
    bool was_raised = share->raised;
    bool misunderstood = received >= SHARE_LEAST && invalid * 100 >= received * SHARE_INVALID;
    share->seen = *now;
    if (dropped > 0 || misunderstood) {
        share->raised = true;
        share->fine = 0;
        share->received = received;
        share->invalid = invalid;
        share->dropped = dropped;
    } else if (share->raised && ++share->fine >= SHARE_CLEAR) {
        share->raised = false;
    }
    return share->raised != was_raised;
}
