/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration, read again by a running node: what may change while it runs, and what waits for its next
 * start.
 */
#pragma once

#include "base/text.h"
#include "node/node_config.h"

/* Whether a key of the schema takes effect without a restart. */
bool reload_is_live(const char *key);

/* Whether something differs that waits for the next start. */
bool reload_waits(const struct config *running, const struct config *now);

/* Says in a sentence what changed from `running` to `now`: `live` keys against `newest`, which was read last;
 * others against `running`, which the node was started with. */
void reload_say(struct text *t, const struct config *running, const struct config *newest,
                const struct config *now);
