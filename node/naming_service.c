/* SPDX-License-Identifier: Apache-2.0 */
#include "node/naming_service.h"

#include "base/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct naming_service {
    struct name_asker_config config;
    struct prober_network networks[PROBER_NETWORKS_MAX];
    struct resolution *resolution;
    pthread_mutex_t lock;
    struct name_asker *asker; /* NULL: not started, or stopped */
};

/* --- configuration --- */

static bool read_methods(const struct config *config, bool methods[NAME_METHODS], struct fault *fault)
{
    for (size_t i = 0; i < config_count(config, "naming/methods"); i++) {
        const char *text = config_string_at(config, "naming/methods", i);
        unsigned method = 0;
        while (method < NAME_METHODS && strcmp(text, name_method_name((enum name_method)method)) != 0)
            method++;
        if (method == NAME_METHODS)
            return fault_say(fault, "naming/methods: %s: one of ntlm, netbios, rdp, dns is wanted", text);
        methods[method] = true;
    }
    return true;
}

static bool read_networks(const struct config *config, struct prober_network *networks, unsigned *count,
                          struct fault *fault)
{
    *count = (unsigned)config_count(config, "naming/networks");
    if (*count > PROBER_NETWORKS_MAX)
        return fault_say(fault, "naming/networks: %u at most", PROBER_NETWORKS_MAX);
    for (unsigned i = 0; i < *count; i++) {
        const char *text = config_string_at(config, "naming/networks", i);
        if (!ip_prefix_parse(text, &networks[i].network, &networks[i].bits))
            return fault_say(fault, "naming/networks: %s: no prefix", text);
    }
    return true;
}

static bool read_config(const struct config *config, struct name_asker_config *to,
                        struct prober_network *networks, struct fault *fault)
{
    prober_config_init(&to->prober);
    to->prober.rate = (uint32_t)config_int(config, "naming/rate");
    to->prober.networks = networks;
    if (config_count(config, "naming/dns-server") > 0)
        to->dns_server = config_endpoint(config, "naming/dns-server");
    return read_methods(config, to->prober.methods, fault) &&
           read_networks(config, networks, &to->prober.network_count, fault);
}

bool naming_service_wanted(const struct config *config)
{
    return config_count(config, "naming/methods") > 0;
}

bool naming_service_check(const struct config *config, struct fault *fault)
{
    struct name_asker_config to = {0};
    struct prober_network networks[PROBER_NETWORKS_MAX];
    return read_config(config, &to, networks, fault);
}

/* --- what the asker tells --- */

static const enum resolver_source sources[NAME_METHODS] = {
    [NAME_BY_NTLM] = RESOLVER_ASKED_NTLM,
    [NAME_BY_NETBIOS] = RESOLVER_ASKED_NETBIOS,
    [NAME_BY_RDP] = RESOLVER_ASKED_RDP,
    [NAME_BY_DNS] = RESOLVER_ASKED_DNS,
};

static void named(void *context, const struct ip_address *address, enum name_method method,
                  const struct name_answer *answer)
{
    struct naming_service *self = context;
    resolution_tell(self->resolution, address, answer->host, answer->domain, sources[method]);
}

static void done(void *context, const struct ip_address *address)
{
    struct naming_service *self = context;
    resolution_asked(self->resolution, address);
}

/* --- life --- */

struct naming_service *naming_service_new(const struct config *config, struct fault *fault)
{
    struct naming_service *self = calloc(1, sizeof(*self));
    if (!self) {
        fault_say(fault, "out of memory");
        return NULL;
    }
    pthread_mutex_init(&self->lock, NULL);
    self->config = (struct name_asker_config){.named = named, .done = done, .context = self};
    if (!read_config(config, &self->config, self->networks, fault))
        naming_service_destroy(&self);
    return self;
}

bool naming_service_start(struct naming_service *self, struct resolution *resolution, struct fault *fault)
{
    uint64_t *seed = &self->config.prober.seed;
    if (getrandom(seed, sizeof(*seed), 0) != (ssize_t)sizeof(*seed))
        return fault_say(fault, "name resolution: no random numbers");
    self->resolution = resolution;
    struct name_asker *asker = name_asker_start(&self->config, fault);
    pthread_mutex_lock(&self->lock);
    self->asker = asker;
    pthread_mutex_unlock(&self->lock);
    return asker != NULL;
}

void naming_service_stop(struct naming_service *self)
{
    if (!self)
        return;
    pthread_mutex_lock(&self->lock);
    struct name_asker *asker = self->asker;
    self->asker = NULL;
    pthread_mutex_unlock(&self->lock);
    name_asker_stop(&asker);
}

void naming_service_destroy(struct naming_service **self)
{
    if (!*self)
        return;
    naming_service_stop(*self);
    pthread_mutex_destroy(&(*self)->lock);
    free(*self);
    *self = NULL;
}

/* --- any thread --- */

bool naming_service_ask(void *context, const struct ip_address *address)
{
    struct naming_service *self = context;
    pthread_mutex_lock(&self->lock);
    bool will = self->asker && name_asker_ask(self->asker, address);
    pthread_mutex_unlock(&self->lock);
    return will;
}

bool naming_service_counters(struct naming_service *self, struct prober_counters *counters)
{
    pthread_mutex_lock(&self->lock);
    bool there = self->asker != NULL;
    if (there)
        name_asker_counters(self->asker, counters);
    pthread_mutex_unlock(&self->lock);
    return there;
}

bool naming_service_health(struct naming_service *self, unsigned i, char *text, size_t size)
{
    struct prober_counters counters;
    if (!naming_service_counters(self, &counters))
        return false;
    for (unsigned method = 0; method < NAME_METHODS; method++) {
        const struct prober_method_counters *of = &counters.methods[method];
        if (!prober_method_fails(of) || i-- > 0)
            continue;
        snprintf(
            text, size,
            "active name resolution by %s: %u of the last %u computers answered; is port %u open to them?",
            name_method_name((enum name_method)method), of->lately_named, of->lately_asked,
            name_method_port((enum name_method)method));
        return true;
    }
    return false;
}
