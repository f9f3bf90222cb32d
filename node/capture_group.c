/* SPDX-License-Identifier: Apache-2.0 */
#include "node/capture_group.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

/* --- settings --- */

static bool add_controllers(struct capture_settings *settings, const struct config *config)
{
    for (size_t i = 0; i < config_count(config, "capture/controllers"); i++) {
        char text[IP_ADDRESS_TEXT_MAX];
        struct endpoint controller = config_endpoint_at(config, "capture/controllers", i);
        if (!filter_add_controller(&settings->wanted, ip_address_text(&controller.address, text)))
            return false;
    }
    return true;
}

static bool add_ports(struct capture_settings *settings, const struct config *config)
{
    for (size_t i = 0; i < config_count(config, "capture/ports"); i++) {
        char text[24];
        snprintf(text, sizeof(text), "%" PRId64, config_int_at(config, "capture/ports", i));
        if (!filter_add_ports(&settings->wanted, text))
            return false;
    }
    return true;
}

bool capture_settings_use(struct capture_settings *settings, const struct config *config, bool interfaces,
                          char fault[CAPTURE_FAULT_MAX])
{
    size_t count = interfaces ? config_count(config, "capture/interfaces") : 0;
    const char *much = NULL;
    if (count > INTERFACES_MAX)
        much = "interfaces";
    else if (!add_controllers(settings, config))
        much = "controllers";
    else if (!add_ports(settings, config))
        much = "ports";
    if (much) {
        snprintf(fault, CAPTURE_FAULT_MAX, "capture/%s: too many", much);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        settings->interfaces[settings->interfaces_count++] =
            config_string_at(config, "capture/interfaces", i);
    if (config_count(config, "capture/bpf"))
        settings->filter = config_string(config, "capture/bpf");
    settings->threads = (unsigned)config_int(config, "capture/threads");
    settings->snaplen = (int)config_int(config, "capture/snaplen");
    settings->ring_bytes = (int)config_int(config, "capture/ring");
    settings->options.memory_limit = (size_t)config_int(config, "capture/memory");
    settings->options.tcp_idle = config_int(config, "capture/tcp-idle");
    return true;
}

bool capture_settings_finish(struct capture_settings *settings, char fault[CAPTURE_FAULT_MAX])
{
    if (settings->interfaces_count * settings->threads > WORKERS_MAX) {
        snprintf(fault, CAPTURE_FAULT_MAX, "more than %d threads in all", WORKERS_MAX);
        return false;
    }
    if (!settings->filter) {
        if (!filter_build(&settings->wanted, settings->filter_text)) {
            snprintf(fault, CAPTURE_FAULT_MAX, "too many controllers or ports for one filter");
            return false;
        }
        settings->filter = settings->filter_text;
    }
    const char *error = live_filter_error(settings->filter);
    if (error) {
        snprintf(fault, CAPTURE_FAULT_MAX, "the filter: %s", error);
        return false;
    }
    /* Fingerprints of tickets must not be comparable with those of anybody else. */
    if (getrandom(settings->options.fingerprint_key, sizeof(settings->options.fingerprint_key), 0) < 0) {
        snprintf(fault, CAPTURE_FAULT_MAX, "random numbers: %s", strerror(errno));
        return false;
    }
    return true;
}

/* --- workers --- */

static bool start_worker(struct capture_group *group, const struct capture_settings *settings,
                         size_t interface, char fault[CAPTURE_FAULT_MAX])
{
    struct capture_worker *worker = &group->workers[group->workers_count];
    worker->live = (struct live_options){
        .interface = settings->interfaces[interface],
        .filter = settings->filter,
        .snaplen = settings->snaplen,
        .ring_bytes = settings->ring_bytes,
        .fanout = settings->threads > 1,
        .fanout_group = (uint16_t)((unsigned)getpid() * INTERFACES_MAX + interface),
    };
    worker->options = &settings->options;
    worker->rules = &settings->rules;
    worker->allowance = settings->allowance;
    if (settings->keys)
        worker->unsealer = key_client_unsealer(settings->keys, (unsigned)group->workers_count);
    worker->stop_descriptor = group->stop_descriptor;
    worker->wake_descriptor = group->wake_descriptor;
    worker->losses = &group->losses;
    if (!capture_worker_start(worker)) {
        snprintf(fault, CAPTURE_FAULT_MAX, "%s: %s", settings->interfaces[interface], worker->error);
        capture_worker_free(worker);
        return false;
    }
    group->workers_count++;
    return true;
}

bool capture_group_start(struct capture_group *group, const struct capture_settings *settings,
                         char fault[CAPTURE_FAULT_MAX])
{
    group->workers_count = 0;
    atomic_init(&group->losses, 0);
    group->stop_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    group->wake_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (group->stop_descriptor < 0 || group->wake_descriptor < 0) {
        snprintf(fault, CAPTURE_FAULT_MAX, "capture: %s", strerror(errno));
        return false;
    }
    for (size_t i = 0; i < settings->interfaces_count; i++)
        for (unsigned k = 0; k < settings->threads; k++)
            if (!start_worker(group, settings, i, fault))
                return false;
    return true;
}

size_t capture_group_take(struct capture_group *group, void (*record)(void *context, struct bytes record),
                          void *context)
{
    enum { AT_ONCE = 256 };
    size_t sum = 0;
    for (size_t i = 0; i < group->workers_count; i++) {
        struct bytes records[AT_ONCE];
        size_t n = ring_pop(group->workers[i].ring, records, AT_ONCE);
        for (size_t r = 0; r < n; r++)
            record(context, records[r]);
        ring_release(group->workers[i].ring);
        sum += n;
    }
    return sum;
}

void capture_group_take_wake(struct capture_group *group)
{
    uint64_t wakes;
    ssize_t taken = read(group->wake_descriptor, &wakes, sizeof(wakes)); /* nothing there: nothing to take */
    (void)taken;
}

size_t capture_group_drain(struct capture_group *group, void (*record)(void *context, struct bytes record),
                           void *context)
{
    size_t sum = 0, n;
    capture_group_take_wake(group);
    while ((n = capture_group_take(group, record, context)) > 0)
        sum += n;
    return sum;
}

void capture_group_totals(struct capture_group *group, struct capture_totals *t)
{
    *t = (struct capture_totals){0};
    for (size_t i = 0; i < group->workers_count; i++) {
        struct worker_counters *c = &group->workers[i].counters;
        t->packets += atomic_load_explicit(&c->packets, memory_order_relaxed);
        t->activities += atomic_load_explicit(&c->activities, memory_order_relaxed);
        t->received += atomic_load_explicit(&c->received, memory_order_relaxed);
        t->dropped += atomic_load_explicit(&c->dropped, memory_order_relaxed);
        t->ifdropped += atomic_load_explicit(&c->ifdropped, memory_order_relaxed);
        t->absences += atomic_load_explicit(&c->absences, memory_order_relaxed);
        t->absent += !atomic_load_explicit(&c->present, memory_order_relaxed);
        t->refused += ring_refused(group->workers[i].ring);
        t->memory += atomic_load_explicit(&c->memory, memory_order_relaxed);
        for (int p = 0; p < PROTOCOLS; p++) {
            t->shed[p].flows += atomic_load_explicit(&c->shed[p].flows, memory_order_relaxed);
            t->shed[p].packets += atomic_load_explicit(&c->shed[p].packets, memory_order_relaxed);
            t->shed[p].bytes += atomic_load_explicit(&c->shed[p].bytes, memory_order_relaxed);
        }
    }
}

void capture_group_stop(struct capture_group *group)
{
    uint64_t one = 1;
    if (group->stop_descriptor < 0 || write(group->stop_descriptor, &one, sizeof(one)) < 0)
        return;
    for (size_t i = 0; i < group->workers_count; i++)
        capture_worker_join(&group->workers[i]);
}

void capture_group_free(struct capture_group *group)
{
    for (size_t i = 0; i < group->workers_count; i++)
        capture_worker_free(&group->workers[i]);
    group->workers_count = 0;
    close(group->stop_descriptor);
    close(group->wake_descriptor);
    group->stop_descriptor = group->wake_descriptor = -1;
}
