/* SPDX-License-Identifier: Apache-2.0
 *
 * Health issues of the center: what is looked at once a second, at the published limits; and the list of all
 * (base/health.h) kept in the store, so that what was wrong when is known later. One thread.
 */
#pragma once

#include "base/health.h"
#include "center/shard.h"
#include "center/store_health.h"

/* 1001: less free than this, or than a fifth of the disk when that is less. */
#define HEALTH_DISK_LEAST (UINT64_C(200) * 1000 * 1000 * 1000)
/* 1003: what is looked at was received so long ago; ended when it is so near again. */
#define HEALTH_BEHIND_MOST (60 * CLOCK_SECOND)
#define HEALTH_BEHIND_FINE (10 * CLOCK_SECOND)

/* 1004: a certificate that lasts no longer than this. */
#define HEALTH_CERTIFICATE_LEAST (21 * CLOCK_DAY)

/* Whether so much room is too little. Pure. */
bool health_disk_is_short(uint64_t free, uint64_t total);

/* 1001, of the disk of a directory. */
void health_check_disk(struct health *health, const char *directory);
/* 1003, of a shard. */
void health_check_shard(struct health *health, const char *name, const struct shard_status *status);

/* 1004, of a certificate that ends at `expires`; times in ns since 1970. */
void health_check_certificate(struct health *health, const char *subject, int64_t expires, int64_t now);

struct health_keeper;

/* NULL without memory. What an earlier run left open is taken over. */
struct health_keeper *health_keeper_new(struct store *store);
void health_keeper_destroy(struct health_keeper **keeper);

/* Who hears, in the transaction of the change; may be NULL. */
typedef void (*health_change)(void *context, struct store *store, const struct health_issue *issue,
                              bool raised, int64_t now);
/* Brings the store to what the list says. False: it cannot now, the next time will do. `*changed` (may be
 * NULL): there was something. */
bool health_keeper_keep(struct health_keeper *keeper, struct health *health, int64_t now, health_change tell,
                        void *context, bool *changed);
