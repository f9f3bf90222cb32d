/* SPDX-License-Identifier: Apache-2.0
 *
 * What an administrator set for this node at the center: a part of a configuration file, kept in the node's
 * state, which takes the place of what the file on this host says. Only keys that cannot hand the host over:
 * where the node listens for its fleet, as whom it runs, its secrets and certificates are this host's alone.
 * docs/sensor-settings.md.
 */
#pragma once

#include "base/config.h"
#include "base/delivery.h"
#include "base/fault.h"
#include "cluster/disk.h"

/* Whether the center may set that key. */
bool pushed_allows(const char *key);

/* The part that the text is; NULL with the reason: no configuration, or a key that may not be set so. */
struct config *pushed_parse(struct bytes text, struct fault *fault);

/* What was kept, and its version. NULL and 0: nothing, or it cannot be read any more (told in the log). */
struct config *pushed_load(const struct disk *disk, const char *state, uint64_t *version);
bool pushed_save(uint64_t version, struct bytes text, const struct disk *disk, const char *state,
                 struct fault *fault);
