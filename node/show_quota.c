/* SPDX-License-Identifier: Apache-2.0
 *
 * picket quota: what this node may use of its host, and what it gave up for that.
 */
#include "node/command.h"
#include "node/show_command.h"

#include <inttypes.h>
#include <string.h>

#define COUNT(array) (unsigned)(sizeof(array) / sizeof(array[0]))
#define RED          "31"
#define YELLOW       "33"

const char command_quota_options[] = SHOW_COMMON_OPTIONS SHOW_HEADER_OPTION
    "  --wide              all protocols, also those of which nothing was given up\n"
    "\nEvery 10 seconds: quota = 100 - reserve - what all others use. QUOTA is what Picket may use, LOOKED "
    "AT "
    "how many\n"
    "of a protocol's flows are still looked at; those of the least value go first. In the manual: the good "
    "guest.\n";

static double decimal(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

/* --- resources --- */

enum resource_column {
    RESOURCE_NAME,
    RESOURCE_TOTAL,
    RESOURCE_OTHERS,
    RESOURCE_RESERVE,
    RESOURCE_QUOTA,
    RESOURCE_USED,
    RESOURCE_CAPTURE,
    RESOURCE_LIMITED,
};

static const struct show_column resource_columns[] = {
    [RESOURCE_NAME] = {"RESOURCE", 0, SHOW_LEFT, false},
    [RESOURCE_TOTAL] = {"HOST HAS", 0, SHOW_RIGHT, false},
    [RESOURCE_OTHERS] = {"OTHERS USE", 0, SHOW_RIGHT, false},
    [RESOURCE_RESERVE] = {"RESERVE", 0, SHOW_RIGHT, false},
    [RESOURCE_QUOTA] = {"QUOTA", 0, SHOW_RIGHT, false},
    [RESOURCE_USED] = {"PICKET USES", 0, SHOW_RIGHT, false},
    [RESOURCE_CAPTURE] = {"CAPTURE", 0, SHOW_RIGHT, false},
    [RESOURCE_LIMITED] = {"LIMITED BY", 0, SHOW_LEFT, false},
};

static void common_cells(struct show_table *table, const json_t *resource)
{
    const char *limited = show_text(resource, "limited_by");
    show_table_cell(table, RESOURCE_OTHERS, "%.1f%%", decimal(resource, "others_percent"));
    show_table_cell(table, RESOURCE_RESERVE, "%" PRId64 "%%", show_number(resource, "reserve_percent", 0));
    show_table_cell(table, RESOURCE_QUOTA, "%.1f%%", decimal(resource, "quota_percent"));
    show_table_cell(table, RESOURCE_USED, "%.1f%%", decimal(resource, "used_percent"));
    show_table_cell(table, RESOURCE_LIMITED, "%s", limited ? limited : "-");
}

static void resource_table(const struct show_style *style, const json_t *quota)
{
    const json_t *cpu = json_object_get(quota, "cpu"), *memory = json_object_get(quota, "memory");
    struct show_table *table = show_table_new(style, resource_columns, COUNT(resource_columns));
    show_table_row(table);
    show_table_cell(table, RESOURCE_NAME, "CPU");
    show_table_cell(table, RESOURCE_TOTAL, "%" PRId64 " processors", show_number(cpu, "processors", 0));
    show_table_cell(table, RESOURCE_CAPTURE, "%.1f%% of %.1f%%", decimal(cpu, "capture_used_percent"),
                    decimal(cpu, "capture_quota_percent"));
    common_cells(table, cpu);
    show_table_row(table);
    show_table_cell(table, RESOURCE_NAME, "memory");
    show_table_cell(table, RESOURCE_TOTAL, "%" PRId64 " MiB", show_number(memory, "total_bytes", 0) >> 20);
    show_table_cell(table, RESOURCE_CAPTURE, "%" PRId64 " of %" PRId64 " MiB",
                    show_number(memory, "capture_used_bytes", 0) >> 20,
                    show_number(memory, "capture_quota_bytes", 0) >> 20);
    common_cells(table, memory);
    show_table_print(&table);
}

/* --- protocols --- */

enum protocol_column {
    PROTOCOL_NAME,
    PROTOCOL_KEPT,
    PROTOCOL_NOW,
    PROTOCOL_NOW_PACKETS,
    PROTOCOL_HOUR,
    PROTOCOL_HOUR_PACKETS,
    PROTOCOL_HOUR_BYTES,
    PROTOCOL_ALL,
};

static const struct show_column protocol_columns[] = {
    [PROTOCOL_NAME] = {"GIVEN UP", 0, SHOW_LEFT, false},
    [PROTOCOL_KEPT] = {"LOOKED AT", 0, SHOW_RIGHT, false},
    [PROTOCOL_NOW] = {"FLOWS NOW", 0, SHOW_RIGHT, false},
    [PROTOCOL_NOW_PACKETS] = {"PACKETS NOW", 0, SHOW_RIGHT, false},
    [PROTOCOL_HOUR] = {"FLOWS LAST HOUR", 0, SHOW_RIGHT, false},
    [PROTOCOL_HOUR_PACKETS] = {"PACKETS", 0, SHOW_RIGHT, false},
    [PROTOCOL_HOUR_BYTES] = {"MIB", 0, SHOW_RIGHT, false},
    [PROTOCOL_ALL] = {"FLOWS EVER", 0, SHOW_RIGHT, true},
};

static bool protocol_row(struct show_table *table, const json_t *protocol, bool wide)
{
    const json_t *now = json_object_get(protocol, "now"), *hour = json_object_get(protocol, "hour");
    const json_t *all = json_object_get(protocol, "all");
    const char *name = show_text(protocol, "protocol");
    double kept = decimal(protocol, "kept_percent");
    if (!wide && kept >= 100 && show_number(hour, "packets", 0) == 0 && show_number(hour, "flows", 0) == 0)
        return false;
    show_table_row(table);
    show_table_cell(table, PROTOCOL_NAME, "%s", name ? name : "-");
    show_table_cell(table, PROTOCOL_KEPT, "%.0f%%", kept);
    if (kept < 100)
        show_table_colour(table, PROTOCOL_KEPT, kept > 0 ? "yellow" : "red");
    show_table_cell(table, PROTOCOL_NOW, "%" PRId64, show_number(now, "flows", 0));
    show_table_cell(table, PROTOCOL_NOW_PACKETS, "%" PRId64, show_number(now, "packets", 0));
    show_table_cell(table, PROTOCOL_HOUR, "%" PRId64, show_number(hour, "flows", 0));
    show_table_cell(table, PROTOCOL_HOUR_PACKETS, "%" PRId64, show_number(hour, "packets", 0));
    show_table_cell(table, PROTOCOL_HOUR_BYTES, "%.1f", (double)show_number(hour, "bytes", 0) / 1048576);
    show_table_cell(table, PROTOCOL_ALL, "%" PRId64, show_number(all, "flows", 0));
    return true;
}

static void protocol_table(const struct show_style *style, const json_t *quota)
{
    const json_t *protocols = json_object_get(quota, "protocols");
    struct show_table *table = show_table_new(style, protocol_columns, COUNT(protocol_columns));
    size_t shown = 0;
    for (size_t i = 0; i < json_array_size(protocols); i++)
        shown += protocol_row(table, json_array_get(protocols, i), style->wide);
    if (shown > 0)
        fputc('\n', style->to);
    show_table_print(&table);
    if (shown == 0 && style->header)
        show_line(style, NULL, "\nno flow was given up in the last hour");
}

void show_quota(const struct show_style *style, const json_t *answer)
{
    const json_t *quota = json_object_get(answer, "quota");
    if (!show_text(quota, "decided")) {
        show_line(style, YELLOW, "nothing has been decided yet: the first time a second after the start");
        return;
    }
    if (json_is_false(json_object_get(quota, "readable")))
        show_line(style, RED, "!! the host's load cannot be read: the log says why");
    resource_table(style, quota);
    const json_t *background = json_object_get(quota, "background");
    if (background && decimal(background, "share_percent") < 100)
        show_line(style, YELLOW,
                  "\nthe directory and events are read in %.1f %% of the time: others need this host",
                  decimal(background, "share_percent"));
    if (!json_is_true(json_object_get(quota, "capturing")))
        return;
    const json_t *dropped = json_object_get(quota, "dropped_packets");
    const json_t *paused = json_object_get(quota, "paused_ms");
    protocol_table(style, quota);
    if (json_is_true(json_object_get(quota, "paused")))
        show_line(style, RED, "\n!! nothing is captured: others need this host");
    if (show_number(quota, "issue", 0) > 0)
        show_line(style, YELLOW, "\n ! health issue 1013: some network traffic is not being analyzed");
    if (show_number(dropped, "hour", 0) > 0 || show_number(paused, "hour", 0) > 0)
        show_line(style, YELLOW,
                  "in the last hour %" PRId64 " packets were dropped by the kernel, and capture was paused "
                  "for %" PRId64 " s",
                  show_number(dropped, "hour", 0), show_number(paused, "hour", 0) / 1000);
}

int command_quota(int argc, char **argv)
{
    struct show_options options;
    int status = show_parse(&options, SHOW_HEADER | SHOW_WIDE, 0, 0, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    return show_ask(&options, json_pack("{ss}", "verb", "quota"), show_quota);
}
