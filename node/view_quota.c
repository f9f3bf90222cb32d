/* SPDX-License-Identifier: Apache-2.0
 *
 * The governor's decision as JSON: what the host has, who uses it, what Picket may use, and what it gave up.
 */
#include "capture/protocols.h"
#include "capture/value.h"
#include "node/view_internal.h"

#include <stdio.h>

static void write_decimal(struct json_writer *w, const char *key, double value)
{
    char text[32];
    int size = snprintf(text, sizeof(text), "%.1f", value);
    json_write_raw(w, key, (struct bytes){(const uint8_t *)text, (size_t)size});
}

static void write_percent(struct json_writer *w, const char *key, int64_t part, int64_t whole)
{
    write_decimal(w, key, whole > 0 ? 100.0 * (double)part / (double)whole : 0);
}

static const char *limited_by(const struct governor_share *share)
{
    return share->place == 0 ? "host" : "control group";
}

static void write_cpu(struct json_writer *w, const struct governor_snapshot *quota)
{
    const struct governor_share *cpu = &quota->decision.cpu;
    json_write_object(w, "cpu");
    json_write_uint(w, "processors", quota->processors);
    json_write_uint(w, "reserve_percent", quota->reserve_cpu);
    write_percent(w, "others_percent", cpu->others, cpu->total);
    write_percent(w, "quota_percent", cpu->quota, cpu->total);
    write_percent(w, "used_percent", cpu->ours, cpu->total);
    write_percent(w, "capture_quota_percent", quota->decision.capture_cpu, cpu->total);
    write_percent(w, "capture_used_percent", quota->capture_used, cpu->total);
    json_write_string(w, "limited_by", limited_by(cpu));
    json_write_close(w);
}

static void write_memory(struct json_writer *w, const struct governor_snapshot *quota)
{
    const struct governor_share *memory = &quota->decision.memory;
    json_write_object(w, "memory");
    json_write_uint(w, "reserve_percent", quota->reserve_memory);
    json_write_int(w, "total_bytes", memory->total);
    json_write_int(w, "others_bytes", memory->others);
    json_write_int(w, "quota_bytes", memory->quota);
    json_write_int(w, "used_bytes", memory->ours);
    json_write_int(w, "capture_quota_bytes", quota->decision.capture_memory);
    json_write_uint(w, "capture_used_bytes", quota->capture_memory);
    write_percent(w, "others_percent", memory->others, memory->total);
    write_percent(w, "quota_percent", memory->quota, memory->total);
    write_percent(w, "used_percent", memory->ours, memory->total);
    json_write_string(w, "limited_by", limited_by(memory));
    json_write_close(w);
}

static void write_shed(struct json_writer *w, const char *key, const struct capture_shed *shed)
{
    json_write_object(w, key);
    json_write_uint(w, "flows", shed->flows);
    json_write_uint(w, "packets", shed->packets);
    json_write_uint(w, "bytes", shed->bytes);
    json_write_close(w);
}

/* How many of a protocol's flows are still looked at. */
static double kept(uint32_t level, unsigned value)
{
    uint32_t first = value * RANK_FINE + 1;
    if (level <= first)
        return 100;
    return level >= first + RANK_FINE ? 0 : 100.0 * (first + RANK_FINE - level) / RANK_FINE;
}

static void write_protocols(struct json_writer *w, const struct governor_snapshot *quota)
{
    json_write_array(w, "protocols");
    for (unsigned value = 0; value <= VALUE_MAX; value++) {
        enum protocol_id id = protocol_of_value(value);
        json_write_object(w, NULL);
        json_write_string(w, "protocol", protocol_name(id));
        json_write_uint(w, "value", value);
        write_decimal(w, "kept_percent", quota->decision.paused ? 0 : kept(quota->level, value));
        write_shed(w, "now", &quota->now.shed[id]);
        write_shed(w, "hour", &quota->hour.shed[id]);
        write_shed(w, "all", &quota->all.shed[id]);
        json_write_close(w);
    }
    json_write_close(w);
}

static void write_sums(struct json_writer *w, const struct governor_snapshot *quota)
{
    json_write_object(w, "dropped_packets");
    json_write_uint(w, "now", quota->now.dropped);
    json_write_uint(w, "hour", quota->hour.dropped);
    json_write_uint(w, "all", quota->all.dropped);
    json_write_close(w);
    json_write_object(w, "paused_ms");
    json_write_int(w, "now", quota->now.paused / CLOCK_MILLISECOND);
    json_write_int(w, "hour", quota->hour.paused / CLOCK_MILLISECOND);
    json_write_int(w, "all", quota->all.paused / CLOCK_MILLISECOND);
    json_write_close(w);
}

void view_quota(struct json_writer *w, const struct view_source *source)
{
    const struct governor_snapshot *quota = source->quota;
    if (!quota) {
        json_write_null(w, "quota");
        return;
    }
    json_write_object(w, "quota");
    json_write_time(w, "decided", quota->decided / CLOCK_MILLISECOND);
    json_write_int(w, "period_ms", quota->period / CLOCK_MILLISECOND);
    json_write_bool(w, "readable", quota->readable || quota->decided == 0);
    write_cpu(w, quota);
    write_memory(w, quota);
    json_write_object(w, "background");
    write_decimal(w, "share_percent", quota->decision.share / 10.0);
    json_write_int(w, "rested_ms", quota->rested / CLOCK_MILLISECOND);
    json_write_close(w);
    json_write_bool(w, "capturing", quota->capturing);
    json_write_bool(w, "paused", quota->decision.paused);
    json_write_known(w, "issue", quota->raised ? 1013 : -1);
    write_protocols(w, quota);
    write_sums(w, quota);
    json_write_close(w);
}
