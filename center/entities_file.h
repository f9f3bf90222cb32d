/* SPDX-License-Identifier: Apache-2.0
 *
 * A directory in a file, for replays: batches of entities as a synchronizer sends them, or NDJSON, one of
 * these on a line (docs/directory-view.md):
 *
 *     {"entity": {...}}                                    as entity_to_json gives it
 *     {"links": {"source": GUID, "link": "member", "all" | "added" | "removed": [GUID ...]}}
 *     {"removed": GUID}
 *     {"tag": {"guid": GUID | "name": NAME, "domain": NAME, "facts": ["honeytoken", ...]}}
 *     {"whole": DOMAIN}                                    all of that domain's directory is there
 *
 * A line that is an entity itself is taken as one.
 */
#pragma once

#include "base/fault.h"
#include "center/entities.h"

/* One line. False with the reason; what stood before in `entities` is left as it was. */
bool entities_take_json(struct entities *entities, struct bytes line, struct fault *fault);

/* The whole file. False with the reason and, where there are lines, its number. */
bool entities_read_file(struct entities *entities, const char *path, struct fault *fault);

/* "sensitive", "honeytoken", "synchronizer", "dns-server": the fact, 0 for none of them. */
uint32_t entities_fact_by_name(const char *name);
