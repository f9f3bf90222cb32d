/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/kerberos_unsealed.h"

static bool any_read(const struct unsealed *facts)
{
    for (size_t i = 0; i < facts->count; i++)
        if (facts->parts[i].result == UNSEAL_FINE)
            return true;
    return false;
}

void krb_put_unsealed(struct dissect *d, const struct unsealed *facts)
{
    if (any_read(facts) && !activity_has(d->activity, FIELD_UNSEALED))
        activity_put_bool(d->activity, FIELD_UNSEALED, true);
}
