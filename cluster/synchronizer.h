/* SPDX-License-Identifier: Apache-2.0
 *
 * What the fleet asks of the directory's part: replicate a domain, stop that, tell whether its directory can
 * be reached. All calls come from the driver's thread; none may block.
 */
#pragma once

#include "cluster/claim.h"

struct synchronizer_ops {
    void *context;
    /* This node holds the domain now; `claim` bears the token that goes with every batch (struct fence). */
    void (*start)(void *context, const struct claim *claim);
    /* It does not any more: no batch later than a page. */
    void (*stop)(void *context, const char *domain);
    /* Whether the domain's directory answered lately. */
    bool (*directory_reachable)(void *context, const char *domain);
};
