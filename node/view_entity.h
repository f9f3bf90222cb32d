/* SPDX-License-Identifier: Apache-2.0
 *
 * What the store of entities knows, as the JSON that the control socket answers with: docs/control.md. Runs
 * on the directory service's thread.
 */
#pragma once

#include "base/json_writer.h"
#include "node/control_request.h"
#include "node/spool.h"
#include "sync/entity_store.h"
#include "sync/lookup.h"

/* Who replicates a domain, as this node sees it. */
struct view_synchronizer {
    char domain[DOMAIN_MAX_SIZE];
    char name[NAME_MAX_SIZE]; /* "": nobody */
    bool here;                /* this node */
    bool fresh;               /* it was heard lately */
};

struct view_entity_source {
    const char *node; /* this node's name */
    int64_t wall;     /* ms since 1970, now */
    struct entity_store_read *read;
    struct spool *spool;
    const struct view_synchronizer *synchronizers;
    unsigned synchronizer_count;
};

/* Answers `entity`, `search` and `spool`. */
void view_entity_answer(struct json_writer *w, const struct control_request *request,
                        const struct view_entity_source *source);
