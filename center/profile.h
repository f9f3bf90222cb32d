/* SPDX-License-Identifier: Apache-2.0
 *
 * The profiler: what each account usually does, decayed with age: which computers it logs on from, which
 * servers and services it uses, how (protocol, encryption), at which hours of the week, from which places by
 * VPN, which groups it changes; and what is usual for its peers and for everyone, on which it falls back.
 *
 * The unit is an active hour: what an account does ten times in an hour counts once, so that nobody becomes
 * used to something by doing it fast. Detectors look at what was habit before the activity; then it is
 * learned. Kept in state tables, of the owner "profile". Pure. docs/learning.md tells the methods.
 */
#pragma once

#include "center/observation.h"
#include "center/state_table.h"
#include "center/statistics.h"

#define PROFILE_HALF_LIFE (21 * STATISTICS_DAY) /* three weeks of habit */
#define PROFILE_HOURS     168u                  /* of a week, from Monday 00:00 UTC */

/* The kinds of habit, and how many things of each are kept for an account. */
enum habit {
    HABIT_SOURCE,   /* computer that it logs on from; an address that nobody knows counts as its /24 or /64 */
    HABIT_RESOURCE, /* server or owner of a service that it uses; controllers are not counted */
    HABIT_WAY,      /* protocol with its variant or encryption type */
    HABIT_PLACE,    /* network that it comes from by VPN: /16 or /32 */
    HABIT_GROUP,    /* group whose members it changes */
    HABITS
};
#define PROFILE_SOURCES   6u
#define PROFILE_RESOURCES 14u
#define PROFILE_WAYS      5u
#define PROFILE_PLACES    3u
#define PROFILE_GROUPS    3u

/* Of one account. Things are kept by top_key(); their names stand in a table of all things. */
struct profile {
    uint32_t first, last; /* seconds since 1970, of the first and the newest activity */
    uint32_t hour;        /* hours since 1970 of `seen` */
    uint32_t peers;       /* its peer group: the thing that it has most in common with few; 0: none yet */
    uint64_t seen[2];     /* Bloom filter of the things that this hour has counted already */
    struct top_head heads[HABITS];
    struct top_item sources[PROFILE_SOURCES];
    struct top_item resources[PROFILE_RESOURCES];
    struct top_item ways[PROFILE_WAYS];
    struct top_item places[PROFILE_PLACES];
    struct top_item groups[PROFILE_GROUPS];
    uint32_t faded;              /* days since 1970 when the week was halved last */
    uint8_t week[PROFILE_HOURS]; /* 16 for each active hour, halved every half-life */
};

/* What an activity shows of its account's habits. */
struct sight {
    struct subject account;        /* none: nothing is learned from it */
    uint32_t time;                 /* seconds since 1970 */
    uint32_t key[HABITS];          /* 0: it says nothing of that habit */
    bool fresh[HABITS];            /* not yet counted in this hour */
    bool fresh_hour;               /* the account's first one in this hour */
    const struct profile *profile; /* before it; NULL: the account is new. Valid until it is learned */
};

struct profiler;

/* NULL without memory. */
struct profiler *profiler_new(struct subject_seed seed);
void profiler_destroy(struct profiler **profiler);

/* Looks at an activity before detectors do; what is had back is valid until profiler_learn. */
const struct sight *profiler_look(struct profiler *profiler, const struct observation *observation);
/* The last one that was looked at. */
const struct sight *profiler_sight(const struct profiler *profiler);
/* Learns what was looked at last, after the detectors. */
void profiler_learn(struct profiler *profiler, const struct observation *observation);

/* Of any subject; NULL: it is not known. Valid until something is learned. */
const struct profile *profiler_profile(const struct profiler *profiler, struct subject account, int64_t now);

/* -- what a profile says ------------------------------------------------------------------------- */

/* The key of a subject among things. */
uint32_t profile_key(struct subject subject);
/* Active hours with it, surely, decayed to the newest one; 0: never, or long ago. */
double profile_weight(const struct profile *profile, enum habit habit, uint32_t key);
const struct top_head *profile_head(const struct profile *profile, enum habit habit);
/* The items of a habit; `*size` places. */
const struct top_item *profile_items(const struct profile *profile, enum habit habit, uint32_t *size);
/* How long it was known. */
int64_t profile_age(const struct profile *profile, int64_t now);

/* The probability that the next one is a thing that was not there before: the share of those of late that
 * were (Good, "The population frequencies of species", Biometrika 1953: what is unseen is as likely as what
 * came once), the very first one left out; 1 for who is not known. */
double profile_novelty(const struct profile *profile, enum habit habit);
/* The share of the account's hours that are as unusual as this one or more so, in (0, 1]: the hour and its
 * neighbours, and the same hour of other days by a quarter, with as much doubt as few hours leave. */
double profile_hour(const struct profile *profile, int64_t time);

/* -- what all of them say ------------------------------------------------------------------------ */

/* A new thing, among what is new to others too: the share of all pairs (account, thing) whose thing is used
 * by as few, in (0, 1] (the p-value of its popularity); among the account's peers, when they know it. */
double profiler_rarity(const struct profiler *profiler, const struct profile *profile, enum habit habit,
                       uint32_t key);
/* The probability that somebody who was never on that computer is the next: small where few are there always.
 * 1 for those who were there, and when the computer is not known. */
double profiler_stranger(const struct profiler *profiler, uint32_t source, struct subject account);
/* How many accounts use it, decayed. */
double profiler_popularity(const struct profiler *profiler, enum habit habit, uint32_t key);
/* The name of a thing, "" when it is not known. */
const char *profiler_name(const struct profiler *profiler, uint32_t key);
/* The account's usual ones (of more than one active hour), by name, most frequent first: "FS01, PRINT02 and 3
 * others". Returns its length.
 */
size_t profiler_usual(const struct profiler *profiler, const struct profile *profile, enum habit habit,
                      char *to, size_t capacity);

/* Its tables, by index; NULL past the last. */
struct state_table *profiler_table(const struct profiler *profiler, unsigned index);
void profiler_expire(struct profiler *profiler, int64_t now);
