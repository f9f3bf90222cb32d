/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of the fleet, as its nodes tell it (cluster/fleet_view.h): the newest view of each node that
 * delivers here, put together when somebody asks. Of a domain the view counts that knows the greatest term,
 * and among those the one that heard the holder last; of a member whoever heard it last. In memory only:
 * after a start the nodes tell it anew within seconds. Any thread.
 */
#pragma once

#include "base/cursor.h"
#include "base/json_writer.h"
#include "cluster/node_id.h"

struct fleet;

/* NULL without memory. */
struct fleet *fleet_new(void);
void fleet_destroy(struct fleet **fleet);

/* A node told its view; `now` and `name` are the center's. False: it is none, or there is no room. */
bool fleet_tell(struct fleet *fleet, const struct node_id *node, const char *name, int64_t now,
                struct bytes view);

/* Who may be shown: of the tellers and of the members. */
struct fleet_filter {
    bool (*shows)(void *context, const struct node_id *node);
    void *context;
};
/* As members of the object that is open. `now`: wall clock, ns. False: no memory. */
bool fleet_write(struct fleet *fleet, const struct fleet_filter *filter, int64_t now, struct json_writer *w);
