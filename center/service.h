/* SPDX-License-Identifier: Apache-2.0
 *
 * The center as one process: the receiver on the caller's thread, a thread for each shard of each workspace,
 * one that keeps house: health issues, what is too old, workspaces that are new.
 */
#pragma once

#include "base/health.h"
#include "base/json_writer.h"
#include "center/center_config.h"
#include "center/receiver.h"
#include "center/shard.h"

struct service;

/* Whether what the file says beyond its form can be done: rules, outputs, certificates, a database of places.
 * False with the reason. */
bool service_check(const struct center_config *config, struct fault *fault);
/* Opens everything. NULL with the reason. `config` must outlive it. */
struct service *service_new(const struct center_config *config, struct fault *fault);
void service_destroy(struct service **service);

/* Until `stop` is readable; then what the pipelines know is committed. False: a thread could not be started.
 */
bool service_run(struct service *service, int stop);

/* Whenever `signal` (of a signalfd) is readable, the configuration is read again: the outputs and the log
 * follow it. Before service_run. */
void service_reload_on(struct service *service, int signal);

/* How the shards of a workspace (0: of all) and the outputs stand, as members of the object that is open: for
 * the API (`service` is one). Any thread. */
bool service_tell_status(void *service, uint64_t workspace, struct json_writer *w);

/* The fleet as the nodes of a workspace (0: of all) tell it, likewise. */
bool service_tell_fleet(void *service, uint64_t workspace, struct json_writer *w);

struct receiver *service_receiver(struct service *service);
struct health *service_health(struct service *service);
/* The i-th shard; false past the last. */
bool service_shard(struct service *service, unsigned index, uint64_t *workspace, struct shard_status *status);
