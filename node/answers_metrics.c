/* SPDX-License-Identifier: Apache-2.0
 *
 * The node's counts for Prometheus: what `picket status`, `quota` and `health` tell, as samples.
 */
#include "base/clock.h"
#include "capture/protocols.h"
#include "node/answers.h"
#include "node/metrics.h"

static void gauge(struct text *t, const char *name, const char *help, uint64_t value)
{
    metric_family(t, name, METRIC_GAUGE, help);
    metric_uint(t, name, NULL, NULL, value);
}

static void counter(struct text *t, const char *name, const char *help, uint64_t value)
{
    metric_family(t, name, METRIC_COUNTER, help);
    metric_uint(t, name, NULL, NULL, value);
}

/* --- the fleet --- */

static void write_fleet(struct text *t, struct cluster_driver *driver)
{
    struct cluster_status status;
    struct cluster_domain_view domain;
    struct cluster *core = cluster_driver_core(driver);
    cluster_status(core, &status);
    gauge(t, "picket_fleet_members", "Members that are known, this node among them.", status.members);
    gauge(t, "picket_fleet_members_online", "Members that are heard.", status.online);
    gauge(t, "picket_fleet_members_offline", "Members that are not heard any more.", status.offline);
    gauge(t, "picket_fleet_neighbours", "Members with a direct link.", status.neighbours);
    metric_family(t, "picket_domain_unassigned", METRIC_GAUGE, "1: the domain has no synchronizer.");
    for (unsigned i = 0; i < cluster_domain_count(core); i++)
        if (cluster_domain_at(core, i, &domain))
            metric_uint(t, "picket_domain_unassigned", "domain", domain.domain, domain.unassigned);
}

static void write_transport_count(void *context, const char *name, uint64_t value)
{
    metric_uint(context, "picket_transport_total", "what", name, value);
}

/* --- traffic --- */

static void write_capture(struct text *t, const struct answers *self)
{
    struct capture_totals totals;
    if (!self->capture)
        return;
    capture_group_totals(self->capture, &totals);
    counter(t, "picket_capture_packets_total", "Packets that were looked at.", totals.packets);
    counter(t, "picket_capture_received_total", "Packets that passed the filter.", totals.received);
    counter(t, "picket_capture_dropped_total", "Packets that the kernel or the interface dropped.",
            totals.dropped + totals.ifdropped);
    counter(t, "picket_capture_activities_total", "Activities.", totals.activities);
    counter(t, "picket_capture_activities_dropped_total", "Activities that found no room.", totals.refused);
    gauge(t, "picket_capture_absent", "Capture threads whose interface is not there.", totals.absent);
    gauge(t, "picket_capture_memory_bytes", "Memory of flows.", totals.memory);
    metric_family(t, "picket_shed_flows_total", METRIC_COUNTER, "Flows given up for the host.");
    for (int i = 0; i < PROTOCOLS; i++)
        metric_uint(t, "picket_shed_flows_total", "protocol", protocol_name((enum protocol_id)i),
                    totals.shed[i].flows);
    metric_family(t, "picket_shed_packets_total", METRIC_COUNTER, "Packets of flows given up for the host.");
    for (int i = 0; i < PROTOCOLS; i++)
        metric_uint(t, "picket_shed_packets_total", "protocol", protocol_name((enum protocol_id)i),
                    totals.shed[i].packets);
}

static void write_resolution(struct text *t, const struct answers *self)
{
    struct resolution_counters counters;
    if (!self->resolution)
        return;
    resolution_counters(self->resolution, &counters);
    counter(t, "picket_activities_total", "Activities that were handed on.", counters.records);
    counter(t, "picket_activities_late_total", "Activities whose look-ups were not answered in time.",
            counters.late);
    counter(t, "picket_activities_passed_total",
            "Activities that were not resolved, for there were too many.",
            counters.passed + counters.crowded);
    counter(t, "picket_resolutions_total",
            "Resolution records: what was learned for activities that had left.",
            counters.late_names.completed);
    gauge(t, "picket_activities_waiting", "Activities that wait for a look-up.", counters.waiting);
}

static void write_inputs(struct text *t, const struct answers *self)
{
    static const struct {
        const char *name, *help;
        size_t at;
    } families[] = {
        {"picket_input_received_total", "Messages that an input got.",
         offsetof(struct intake_counters, received)},
        {"picket_input_understood_total", "Of them, understood.",
         offsetof(struct intake_counters, understood)},
        {"picket_input_invalid_total", "Of them, not understood.", offsetof(struct intake_counters, invalid)},
        {"picket_input_dropped_total", "Of them, without room.", offsetof(struct intake_counters, dropped)},
    };
    struct event_input_state state;
    for (size_t f = 0; self->events && f < sizeof(families) / sizeof(families[0]); f++) {
        metric_family(t, families[f].name, METRIC_COUNTER, families[f].help);
        for (unsigned i = 0; event_service_input(self->events, i, &state); i++) {
            uint64_t value;
            memcpy(&value, (const char *)&state.counters + families[f].at, sizeof(value));
            metric_uint(t, families[f].name, "input", state.name, value);
        }
    }
}

/* --- the host --- */

static int64_t millionths(int64_t part, int64_t whole)
{
    return whole > 0 ? (int64_t)((double)part / (double)whole * 1e6) : 0;
}

static void share(struct text *t, const char *name, const char *help, int64_t part, int64_t whole)
{
    metric_family(t, name, METRIC_GAUGE, help);
    metric_micro(t, name, NULL, NULL, millionths(part, whole));
}

static void write_governor(struct text *t, const struct answers *self)
{
    struct governor_snapshot s;
    if (!self->governor)
        return;
    governor_service_snapshot(self->governor, &s);
    const struct governor_share *cpu = &s.decision.cpu, *memory = &s.decision.memory;
    share(t, "picket_cpu_others_ratio", "CPU that others use, of the host's.", cpu->others, cpu->total);
    share(t, "picket_cpu_quota_ratio", "CPU that Picket may use.", cpu->quota, cpu->total);
    share(t, "picket_cpu_used_ratio", "CPU that Picket uses.", cpu->ours, cpu->total);
    gauge(t, "picket_memory_quota_bytes", "Memory that Picket may use.", (uint64_t)memory->quota);
    gauge(t, "picket_memory_used_bytes", "Memory that Picket uses.", (uint64_t)memory->ours);
    gauge(t, "picket_capture_paused", "1: nothing is captured, for others need the host.", s.decision.paused);
}

static void write_keys(struct text *t, const struct answers *self)
{
    struct key_client_snapshot s;
    if (!self->keys)
        return;
    key_client_snapshot(self->keys, &s);
    gauge(t, "picket_keys_running", "1: the process that holds the keys runs.", s.running);
    gauge(t, "picket_keys_keytabs_faulty", "Keytabs that could not be read.", s.faulty);
    gauge(t, "picket_keys", "Keys that can be used.", s.holder.keys);
    gauge(t, "picket_keys_complaints", "Keys that traffic wanted in vain, at most 256.", s.complaints);
    gauge(t, "picket_keys_memory_bytes", "Memory of the process that holds the keys.", s.memory);
    counter(t, "picket_keys_restarts_total", "Times that this process ended.", s.restarts);
    metric_family(t, "picket_keys_results_total", METRIC_COUNTER,
                  "What was sealed, by what became of it; since that process was started.");
    metric_uint(t, "picket_keys_results_total", "result", "unsealed", s.holder.unsealed);
    metric_uint(t, "picket_keys_results_total", "result", "missing", s.holder.missing);
    metric_uint(t, "picket_keys_results_total", "result", "other_version", s.holder.other_kvno);
    metric_uint(t, "picket_keys_results_total", "result", "wrong", s.holder.wrong);
    metric_uint(t, "picket_keys_results_total", "result", "refused_type", s.holder.refused_etype);
    counter(t, "picket_keys_asked_total", "Questions of capture threads.", s.lines.asked);
    counter(t, "picket_keys_unanswered_total", "Of them, not answered in time, or not asked.",
            s.lines.timed_out + s.lines.skipped + s.lines.lost);
}

static void write_health(struct text *t, const struct answers *self)
{
    struct health_issue issue;
    char number[16];
    metric_family(t, "picket_health_issues", METRIC_GAUGE, "Health issues that are raised, by number.");
    for (unsigned k = 0; health_kind_at(k); k++) {
        uint64_t count = 0;
        for (unsigned i = 0; health_at(self->health, i, &issue); i++)
            count += issue.kind == health_kind_at(k);
        struct text n = text_to(number, sizeof(number));
        text_uint(&n, health_kind_at(k)->number);
        text_end(&n);
        metric_uint(t, "picket_health_issues", "number", number, count);
    }
}

void answers_metrics(const struct answers *self, struct cluster_driver *driver, struct text *t)
{
    answers_look(self, cluster_driver_core(driver));
    write_fleet(t, driver);
    metric_family(t, "picket_transport_total", METRIC_COUNTER, "What the fleet's sockets count.");
    cluster_driver_counters(driver, write_transport_count, t);
    write_capture(t, self);
    write_resolution(t, self);
    write_inputs(t, self);
    write_governor(t, self);
    write_keys(t, self);
    write_health(t, self);
}
