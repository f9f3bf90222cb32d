/* SPDX-License-Identifier: Apache-2.0
 *
 * Gives up what the node does not need: the superuser, all rights but that to capture and to listen on low
 * ports, new ones by other programs, and the system calls that nothing in it makes. Before the first thread.
 */
#pragma once

#include "base/fault.h"

#include <stdbool.h>

struct privileges {
    const char *user;           /* what root becomes; NULL: stays, without root's rights */
    const char *directories[4]; /* are made for that user when they do not exist; NULL ends */
    /* As that user, while programs can still be run; NULL: nothing. False: the reason is in the fault. */
    bool (*last)(void *context, struct fault *fault);
    void *context;
};

/* False with the reason: then the process should not go on. Without root it only forgoes what is left. */
bool privileges_drop(const struct privileges *wanted, struct fault *fault);
