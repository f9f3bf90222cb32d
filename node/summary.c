/* SPDX-License-Identifier: Apache-2.0 */
#include "node/summary.h"

#include <inttypes.h>
#include <stdio.h>

/* Every counter by its name, once, for adding, showing and JSON. */
// clang-format off
#define STATS(X) \
    X(packets) X(bytes) X(truncated) X(not_ip) X(malformed) X(decapsulated) X(fragments) \
    X(defragmented) X(fragments_dropped) X(flows) X(flows_live) X(flows_evicted) X(flows_unknown) \
    X(tcp_segments) X(tcp_retransmitted) X(tcp_out_of_order) X(tcp_overlap_conflicts) X(gaps) \
    X(gap_bytes) X(skipped_bytes) X(resynchronised) X(activities) X(unanswered) X(memory) \
    X(memory_refused)
// clang-format on

void summary_add(struct engine_stats *to, const struct engine_stats *from)
{
#define ADD(name) to->name += from->name;
    STATS(ADD)
#undef ADD
    if (from->memory_peak > to->memory_peak)
        to->memory_peak = from->memory_peak;
    for (size_t i = 0; i < PROTOCOLS; i++) {
        to->protocol[i].flows += from->protocol[i].flows;
        to->protocol[i].messages += from->protocol[i].messages;
        to->protocol[i].malformed += from->protocol[i].malformed;
        to->protocol[i].sealed += from->protocol[i].sealed;
    }
}

static void print_some(FILE *out, const char *what, uint64_t count)
{
    if (count)
        fprintf(out, ", %" PRIu64 " %s", count, what);
}

static void print_protocols(const struct engine_stats *stats, FILE *out)
{
    bool heading = false;
    for (int i = 0; i < PROTOCOLS; i++) {
        const struct protocol_stats *p = &stats->protocol[i];
        if (p->flows + p->messages + p->malformed + p->sealed == 0)
            continue;
        if (!heading)
            fprintf(out, "  %-10s %10s %12s %10s %10s\n", "protocol", "flows", "messages", "malformed",
                    "sealed");
        heading = true;
        fprintf(out, "  %-10s %10" PRIu64 " %12" PRIu64 " %10" PRIu64 " %10" PRIu64 "\n",
                protocol_name((enum protocol_id)i), p->flows, p->messages, p->malformed, p->sealed);
    }
}

void summary_print(const struct engine_stats *stats, void *stream)
{
    FILE *out = stream;
    fprintf(out, "\n%" PRIu64 " packets (%" PRIu64 " bytes), %" PRIu64 " flows, %" PRIu64 " activities",
            stats->packets, stats->bytes, stats->flows, stats->activities);
    print_some(out, "without an answer", stats->unanswered);
    fputc('\n', out);
    print_protocols(stats, out);
    fprintf(out, "  gapped: %" PRIu64 " (%" PRIu64 " bytes); skipped: %" PRIu64 " bytes of bulk", stats->gaps,
            stats->gap_bytes, stats->skipped_bytes);
    print_some(out, "malformed packets", stats->malformed);
    print_some(out, "packets not captured whole", stats->truncated);
    print_some(out, "not IP", stats->not_ip);
    print_some(out, "decapsulated", stats->decapsulated);
    print_some(out, "datagrams of fragments", stats->defragmented);
    print_some(out, "fragments dropped", stats->fragments_dropped);
    print_some(out, "segments sent again", stats->tcp_retransmitted);
    print_some(out, "out of order", stats->tcp_out_of_order);
    print_some(out, "overlapping with other bytes", stats->tcp_overlap_conflicts);
    print_some(out, "flows not recognised", stats->flows_unknown);
    print_some(out, "flows evicted for want of room", stats->flows_evicted);
    print_some(out, "times without memory", stats->memory_refused);
    fputc('\n', out);
}

void summary_print_json(const struct engine_stats *stats, void *stream)
{
    FILE *out = stream;
    fputc('{', out);
#define PRINT(name) fprintf(out, "\"%s\": %" PRIu64 ", ", #name, stats->name);
    STATS(PRINT)
#undef PRINT
    fprintf(out, "\"memory_peak\": %" PRIu64 ", \"protocols\": {", stats->memory_peak);
    const char *separator = "";
    for (int i = 0; i < PROTOCOLS; i++) {
        const struct protocol_stats *p = &stats->protocol[i];
        if (p->flows + p->messages + p->malformed + p->sealed == 0)
            continue;
        fprintf(out,
                "%s\"%s\": {\"flows\": %" PRIu64 ", \"messages\": %" PRIu64 ", \"malformed\": %" PRIu64
                ", \"sealed\": %" PRIu64 "}",
                separator, protocol_name((enum protocol_id)i), p->flows, p->messages, p->malformed,
                p->sealed);
        separator = ", ";
    }
    fputs("}}\n", out);
}
