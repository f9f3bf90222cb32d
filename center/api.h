/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP interface of a running center: docs/api.md, center/openapi.json. HTTPS by libmicrohttpd on threads
 * of its own; what a request means is center/api_routes.h's.
 */
#pragma once

#include "base/config.h"
#include "base/health.h"
#include "base/json_writer.h"
#include "center/alerts.h"

struct api;

/* What only the running center knows. Each writes the members of an object that is open in `w`; called on the
 * API's threads, several at a time. Those that are NULL answer "not available here" (503). */
struct api_sources {
    /* The fleet as the nodes of a workspace (0: of all) tell it: members, who synchronizes which domain. */
    bool (*fleet)(void *context, uint64_t workspace, struct json_writer *w);
    /* Counters of the pipelines (0: of all workspaces) and the outputs. */
    bool (*status)(void *context, uint64_t workspace, struct json_writer *w);
    void *context;
    /* What is wrong now, also when the store cannot be written; NULL: what the store has. */
    struct health *health;
};

struct api_config {
    const struct config *config;    /* section "api" */
    const char *state;              /* directory of the certificate that is made when none is configured */
    const char *store;              /* the store's file */
    const char *log;                /* directory of the received log: activities are read from it */
    struct alert_listener notifier; /* hears of what people change; zero: nobody */
    struct api_sources sources;
};

/* Whether it could listen so: addresses, certificate. False with the reason. */
bool api_check(const struct config *config, struct fault *fault);
/* NULL with the reason. All of the configuration must outlive it. */
struct api *api_start(const struct api_config *config, struct fault *fault);
/* Ends all connections. */
void api_stop(struct api **api);

/* Changes of alerts, for those who listen to server-sent events: to be told to whoever changes any. */
struct alert_listener api_listener(struct api *api);

/* Reads the certificate and its key again, as `config` (which is needed no longer then) says, or makes its
 * own anew when that ends soon: each connection from now on is shown it, those that there are go on. False
 * with the reason: those of before stay. One thread at a time. */
bool api_reload(struct api *api, const struct config *config, struct fault *fault);

/* When the certificate that it shows ends, ns since 1970; 0: it shows none. */
int64_t api_expires(const struct api *api);

/* "https://127.0.0.1:49211"; NULL past the last. */
const char *api_endpoint(const struct api *api, unsigned index);
