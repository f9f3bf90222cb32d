/* SPDX-License-Identifier: Apache-2.0
 *
 * The fleet's core among sockets, files and clocks: one thread that owns all of it. Everybody else speaks to
 * it by mail (base/mailbox.h), which is run on that thread.
 *
 * Order of a life: new (identity, policy, state and known peers are read; nothing listens yet), start, stop,
 * destroy. Between new and destroy mail may be posted from any thread.
 */
#pragma once

#include "base/mailbox.h"
#include "cluster/cluster.h"
#include "cluster/disk.h"
#include "cluster/synchronizer.h"

#define DRIVER_LISTEN 8u
#define DRIVER_SEEDS  32u

struct driver_seed {
    char name[NAME_MAX_SIZE];         /* of a member: whose key is expected there */
    char endpoint[ENDPOINT_MAX_SIZE]; /* HOST:PORT */
};

struct cluster_driver;

enum driver_end {
    DRIVER_RUNS,
    DRIVER_STOPPED, /* as asked */
    DRIVER_REVOKED, /* the fleet does not want this node any more */
    DRIVER_FAILED,  /* its sockets are of no use any more */
};

struct driver_config {
    const struct disk *disk;
    const char *directory;                         /* of the state; the driver locks it */
    char listen[DRIVER_LISTEN][ENDPOINT_MAX_SIZE]; /* HOST:PORT */
    unsigned listen_count;
    char enrolment[ENDPOINT_MAX_SIZE]; /* served when this node may enrol others; "": never */
    uint16_t enrolment_port;           /* of it, told to others */
    char endpoints[RECORD_ENDPOINTS]
                  [ENDPOINT_MAX_SIZE]; /* told to others; none: they do not dial this node */
    unsigned endpoint_count;
    char controllers[RECORD_CONTROLLERS][DOMAIN_MAX_SIZE];
    unsigned controller_count;
    struct driver_seed seeds[DRIVER_SEEDS];
    unsigned seed_count;
    struct cluster_timers timers;
    unsigned min_observers, members_max, history_size;
    bool candidate; /* false: of no domain */
    const char *version;
    struct synchronizer_ops synchronizer;
    /* On the driver's thread. */
    void (*notice)(void *context, struct cluster_driver *driver, const struct cluster_notice *notice);
    /* On the driver's thread, last of all: it ended by itself. */
    void (*ended)(void *context, enum driver_end end);
    void *context;
};

/* Timers, bounds and version as shipped; everything else empty. */
void driver_config_init(struct driver_config *config);

/* Strings of the configuration must live as long. NULL with the reason. */
struct cluster_driver *cluster_driver_new(const struct driver_config *config, struct fault *fault);

/* Binds and runs. False with the reason. */
bool cluster_driver_start(struct cluster_driver *driver, struct fault *fault);

/* Leaves the fleet in good order (two seconds at most), saves, joins the thread. */
void cluster_driver_stop(struct cluster_driver *driver);
void cluster_driver_destroy(struct cluster_driver **driver);

/* Any thread: runs mail->run(mail, driver) on the driver's. False when it has stopped. */
bool cluster_driver_post(struct cluster_driver *driver, struct mail *mail);

/* --- on the driver's thread only --- */

struct cluster *cluster_driver_core(struct cluster_driver *driver);
const uint8_t *cluster_driver_fleet(const struct cluster_driver *driver); /* FLEET_ID_SIZE */

/* Steps the core with an event (its times are set here) and does what the update wants. */
void cluster_driver_step(struct cluster_driver *driver, struct cluster_event *event);

/* Asks for a certificate of a new key; what came of it is logged. False with the reason when it cannot be
 * asked for. */
bool cluster_driver_rotate(struct cluster_driver *driver, struct fault *fault);

/* The sockets' own counters: TRANSPORT_COUNTERS of cluster/transport.h. */
void cluster_driver_counters(const struct cluster_driver *driver,
                             void (*visit)(void *context, const char *name, uint64_t value), void *context);
