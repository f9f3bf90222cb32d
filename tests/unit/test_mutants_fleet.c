/* SPDX-License-Identifier: Apache-2.0
 *
 * Directed scenes for the deliberate faults of the whole core (cluster/mutant.h): members, gossip, clocks and
 * incarnations. What each scene says holds for the code that ships, and does not hold with the fault.
 */
#include "cluster/core.h"
#include "tests/unit/memory_fleet.h"
#include "tests/unit/scene.h"
#include "tests/unit/unit.h"

#define MINUTE INT64_C(60000)

enum cluster_mutant cluster_mutant;

static struct fleet *running(unsigned count, uint64_t seed)
{
    struct fleet *f =
        fleet_new(&(struct fleet_options){.count = count, .candidates = count, .sites = 1, .seed = seed});
    fleet_start_all(f);
    for (unsigned i = 0; i < count; i++)
        fleet_event(f, i,
                    (struct cluster_event){.type = CLUSTER_DIRECTORY,
                                           .directory = {.domain = FLEET_DOMAIN, .reachable = true}});
    fleet_run(f, 5 * MINUTE);
    return f;
}

static bool done(struct fleet *f, bool holds)
{
    fleet_destroy(&f);
    return holds;
}

static bool from_three(const struct fleet *f, unsigned from, unsigned to)
{
    (void)f;
    (void)to;
    return from != 3;
}

static bool mute_node_has_no_support(void)
{
    struct fleet *f = running(4, 41);
    f->passes = from_three;
    fleet_run(f, 85000);
    return done(f, fleet_status(f, 3).support == 0);
}

static void stand_still(struct fleet *f, unsigned number, int64_t time)
{
    f->nodes[number].paused = true;
    fleet_run(f, time);
    f->nodes[number].paused = false;
}

/* Nobody is called offline by who has just gone on: what the others said meanwhile is still on its way. */
static bool stopped_process_judges_nobody(void)
{
    struct fleet *f = running(3, 11);
    stand_still(f, 1, 60 * MINUTE);
    fleet_run(f, 2000);
    return done(f, fleet_status(f, 1).tilt && f->nodes[1].notices[NOTICE_TILT] == 1);
}

static bool stopped_process_counts_no_silence(void)
{
    struct fleet *f = running(3, 11);
    int64_t observed = fleet_status(f, 1).observed;
    stand_still(f, 1, 60 * MINUTE);
    fleet_run(f, 2000);
    return done(f, fleet_status(f, 1).observed - observed <= 6000);
}

static bool wall_clock_means_nothing(void)
{
    struct fleet *f = running(3, 12);
    f->nodes[0].wall_ahead += 24 * 60 * MINUTE;
    fleet_run(f, 10000);
    return done(f, f->nodes[0].notices[NOTICE_MEMBER_OFFLINE] == 0);
}

static unsigned holder_of(const struct fleet *f)
{
    for (unsigned i = 0; i < f->options.count; i++)
        if (cluster_holds(f->nodes[i].core, FLEET_DOMAIN, NULL))
            return i;
    return 0;
}

static unsigned deaf;

static bool but_to_the_deaf(const struct fleet *f, unsigned from, unsigned to)
{
    (void)f;
    (void)from;
    return to != deaf;
}

/* It does not hear of it, and goes on. */
static bool revoked_holder_is_replaced_at_once(void)
{
    struct fleet *f = running(4, 13);
    unsigned holder = holder_of(f), other = (holder + 1) % 4;
    deaf = holder;
    f->passes = but_to_the_deaf;
    fleet_revoke(f, other, &holder, 1);
    fleet_run(f, 2 * MINUTE);
    struct cluster_domain_view view;
    bool replaced = cluster_domain_find(f->nodes[other].core, FLEET_DOMAIN, &view) && view.has_claim &&
                    !node_id_equal(&view.claim.id, &f->nodes[holder].id);
    return done(f, replaced);
}

static bool forged_heartbeat_counts_for_nothing(void)
{
    struct fleet *f = running(4, 61);
    uint8_t message[8 + HEARTBEAT_SIZE] = {0x83, 0, 1, 1, 0, 2, 0xc4, HEARTBEAT_SIZE};
    uint32_t member = members_find(f->nodes[0].core, &f->nodes[2].id);
    members_entry(f->nodes[0].core, member, message + 8);
    uint64_t news = cluster_counters(f->nodes[0].core)->heartbeats_new;
    message[8 + 11] += 3; /* the sequence; the link is that of the heartbeat before it */
    fleet_receive(f, 0, 1, (struct bytes){message, sizeof message});
    return done(f, cluster_counters(f->nodes[0].core)->heartbeats_new == news);
}

/* Its disk is lost, the others remember it. */
static bool lost_incarnation_is_learnt(void)
{
    struct fleet *f = running(3, 14);
    unsigned lost = (holder_of(f) + 1) % 3;
    fleet_kill(f, lost);
    f->nodes[lost].disk_size = 0;
    fleet_run(f, 5000);
    fleet_start(f, lost);
    fleet_run(f, MINUTE);
    return done(f, fleet_status(f, lost).incarnation > 1);
}

static bool own_echo_changes_nothing(void)
{
    struct fleet *f = running(3, 15);
    uint8_t message[8 + HEARTBEAT_SIZE] = {0x83, 0, 1, 1, 0, 2, 0xc4, HEARTBEAT_SIZE};
    members_entry(f->nodes[0].core, 0, message + 8);
    fleet_receive(f, 0, 1, (struct bytes){message, sizeof message});
    return done(f, fleet_status(f, 0).incarnation == 1);
}

static bool each_start_has_its_incarnation(void)
{
    struct fleet *f = running(3, 16);
    fleet_kill(f, 1);
    fleet_run(f, 5000);
    fleet_start(f, 1);
    fleet_run(f, 1000);
    return done(f, fleet_status(f, 1).incarnation == 2);
}

static bool to_three(const struct fleet *f, unsigned from, unsigned to)
{
    (void)f;
    return from != 3 && to != 3;
}

static bool what_a_flood_missed_is_repaired(void)
{
    struct fleet *f = running(4, 17);
    f->passes = to_three;
    fleet_event(
        f, 0,
        (struct cluster_event){.type = CLUSTER_CANDIDATE, .command = {.domain = FLEET_DOMAIN, .on = false}});
    fleet_run(f, 30000);
    f->passes = NULL;
    fleet_run(f, 2 * MINUTE);
    return done(f, fleet_converged(f));
}

static struct scene scenes[] = {
    SCENE(MUTE_SUPPORT, mute_node_has_no_support),
    SCENE(NO_TILT, stopped_process_judges_nobody),
    SCENE(OBSERVE_UNCAPPED, stopped_process_counts_no_silence),
    SCENE(WALL_CLOCK, wall_clock_means_nothing),
    SCENE(REVOKED_HEARD, revoked_holder_is_replaced_at_once),
    SCENE(LINK_UNVERIFIED, forged_heartbeat_counts_for_nothing),
    SCENE(NO_INCARNATION_LEARNING, lost_incarnation_is_learnt),
    SCENE(OWN_ECHO_BUMP, own_echo_changes_nothing),
    SCENE(INCARNATION_KEPT, each_start_has_its_incarnation),
    SCENE(NO_ANTI_ENTROPY, what_a_flood_missed_is_repaired),
};

int main(void)
{
    return scenes_run(scenes, sizeof scenes / sizeof scenes[0]);
}
