/* SPDX-License-Identifier: Apache-2.0
 *
 * Active name resolution in picketd: addresses that the resolver knows nothing of are asked for their names
 * (naming/), and what they answer goes to the resolver. Off unless the configuration names methods.
 */
#pragma once

#include "base/config.h"
#include "naming/name_asker.h"
#include "node/resolution.h"

struct naming_service;

bool naming_service_wanted(const struct config *config);
/* Whether what the configuration says is right, with what is wrong. */
bool naming_service_check(const struct config *config, struct fault *fault);

/* NULL with the reason. Nobody is asked yet. */
struct naming_service *naming_service_new(const struct config *config, struct fault *fault);
/* `resolution` must be there until naming_service_stop() has returned. */
bool naming_service_start(struct naming_service *self, struct resolution *resolution, struct fault *fault);
void naming_service_stop(struct naming_service *self);
void naming_service_destroy(struct naming_service **self);

/* --- any thread --- */

/* A resolver_ask_name; `context` is the service. */
bool naming_service_ask(void *context, const struct ip_address *address);
/* False while nobody is asked. */
bool naming_service_counters(struct naming_service *self, struct prober_counters *counters);
/* A health issue for each method that hardly anybody answers. False past the last. */
bool naming_service_health(struct naming_service *self, unsigned i, char *text, size_t size);
