/* SPDX-License-Identifier: Apache-2.0
 *
 * Watches over a scenario's expectations while its world runs.
 */
#pragma once

#include "sim/scenario.h"

struct expects;

/* Of a scenario, that must outlive it; NULL without memory. */
struct expects *expects_new(const struct scenario *scenario);
void expects_destroy(struct expects **expects);

/* What happens, as the world tells it. */
void expects_notice(struct expects *expects, struct sim_world *world, int64_t time, unsigned node,
                    const struct cluster_notice *notice);
void expects_state(struct expects *expects, int64_t time, unsigned node, unsigned domain,
                   enum election_state to, uint64_t term);

/* A second of the world is over; `end`: it was the last one. Returns how many expectations are decided by it
 * that have failed. */
unsigned expects_check(struct expects *expects, struct sim_world *world, bool end);

enum expect_verdict { EXPECT_PENDING, EXPECT_MET, EXPECT_FAILED };

struct expect_outcome {
    enum expect_verdict verdict;
    int64_t at;     /* ms: when it was decided */
    char text[160]; /* what was found */
};
const struct expect_outcome *expects_outcome(const struct expects *expects, unsigned index);

/* Who is meant: whether a set holds a node at this moment. */
bool expects_set_has(const struct sim_world *world, const struct sim_set *set, unsigned node);
