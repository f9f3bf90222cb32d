/* SPDX-License-Identifier: Apache-2.0
 *
 * The directory's part in picketd (sync/directory.h), wired to the fleet: elected, it replicates; what it
 * finds goes to the spool, how it stands is reported to the fleet. Questions about entities are answered on a
 * thread of its own, so that a search through a million of them holds nobody up.
 */
#pragma once

#include "base/json_writer.h"
#include "base/mailbox.h"
#include "cluster/driver.h"
#include "node/control_request.h"
#include "node/node_config.h"
#include "node/resolution.h"
#include "node/spool.h"

struct directory_service;

/* Opens the store; nothing is dialled yet. NULL with the reason. The configuration must have at least one
 * account, and outlive it; so must the spool and `yielding`, as which replication stands back (may be NULL).
 */
struct directory_service *directory_service_new(const struct node_config *config, struct spool *spool,
                                                struct yielding *yielding, struct fault *fault);

/* Dials. `driver` takes the reports; it must be there until directory_service_stop() has returned. */
bool directory_service_start(struct directory_service *self, struct cluster_driver *driver,
                             struct fault *fault);
void directory_service_stop(struct directory_service *self);
void directory_service_destroy(struct directory_service **self);

/* --- the driver's thread --- */

/* This node holds the claim's domain. */
void directory_service_hold(struct directory_service *self, const struct claim *claim, struct cluster *core);
void directory_service_desist(struct directory_service *self, const char *domain);
/* Whether the domain is read here, and then whether its directory answers. */
bool directory_service_reads(const struct directory_service *self, const char *domain);
bool directory_service_reachable(struct directory_service *self, const char *domain);
/* Takes note of who synchronizes what, for the answers. */
void directory_service_observe(struct directory_service *self, struct cluster *core);

/* --- any thread --- */

struct directory *directory_service_directory(struct directory_service *self);

/* Hears of answered look-ups from now on; it must be there until directory_service_stop() has returned. */
void directory_service_tell(struct directory_service *self, struct resolution *resolution);

/* The verbs about entities go here; run on its thread with the service as the owner. */
bool directory_service_post(struct directory_service *self, struct mail *job);

/* Health issues that are raised. False past the last. */
struct directory_health {
    char domain[DOMAIN_MAX_SIZE];
    enum directory_issue issue;
    char text[256];
};
bool directory_service_health(struct directory_service *self, unsigned i, struct directory_health *health);

/* --- its own thread: what directory_service_post() runs --- */
void directory_service_answer(struct directory_service *self, const struct control_request *request,
                              struct json_writer *w);
