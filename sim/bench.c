/* SPDX-License-Identifier: Apache-2.0
 *
 * picket-sim bench: what docs/benchmarks.md states of the protocol, measured in virtual time. Each prints one
 * JSON object.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "sim/sim.h"

struct bench {
    struct sim_options options;
    unsigned hours, runs;
};

static const char *const usage =
    "usage: picket-sim bench fail-over|uniform|convergence|traffic|speed\n"
    "                        [--nodes N] [--sites S] [--candidates C] [--loss PERCENT] [--hours H]\n"
    "                        [--runs R] [--seed X] [--silent] [--acquainted] [--unchecked]\n";

static double cpu_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t resident_kib(void)
{
    struct rusage usage_now;
    getrusage(RUSAGE_SELF, &usage_now);
    return (uint64_t)usage_now.ru_maxrss;
}

static struct sim_world *world_of(const struct bench *bench, unsigned run)
{
    struct sim_options options = bench->options;
    options.seed += run;
    struct sim_world *world = sim_world_new(&options, NULL);
    if (!world)
        fprintf(stderr, "picket-sim bench: out of memory\n");
    return world;
}

static void tell_head(const char *what, const struct bench *bench)
{
    printf("{\"schema\":1,\"bench\":\"%s\",\"nodes\":%u,\"sites\":%u,\"candidates\":%u,\"loss\":%.3f,"
           "\"seed\":%" PRIu64 ",\"sensors_silent\":%s,\"acquainted\":%s",
           what, bench->options.nodes, bench->options.sites, bench->options.candidates,
           bench->options.between.loss / 1e6, bench->options.seed,
           bench->options.sensors_silent ? "true" : "false", bench->options.acquainted ? "true" : "false");
}

/* Runs on until somebody holds the domain; NULL: nobody does within an hour. */
static bool run_to_holder(struct sim_world *world, unsigned *holder, const unsigned *but, uint64_t *term)
{
    for (int64_t limit = sim_world_time(world) + SIM_HOUR; sim_world_time(world) < limit;) {
        sim_world_run(world, sim_world_time(world) + 200);
        struct claim claim;
        if (sim_domain_active(world, 0, holder) == 1 && !(but && *holder == *but) &&
            cluster_holds(sim_node_core(world, *holder), sim_domain_name(world, 0), &claim) &&
            claim.term > *term) {
            *term = claim.term;
            return true;
        }
    }
    return false;
}

static bool inject(struct sim_world *world, enum sim_fault_kind kind, unsigned node)
{
    struct sim_fault fault = {.at = sim_world_time(world), .kind = kind};
    return sim_set_add(&fault.nodes, node, node) && sim_world_inject(world, &fault);
}

/* --- how long after a crash somebody else holds --- */

static int bench_fail_over(const struct bench *bench)
{
    int64_t least = INT64_MAX, most = 0, sum = 0;
    unsigned done = 0;
    for (unsigned run = 0; run < bench->runs; run++) {
        struct sim_world *world = world_of(bench, run);
        unsigned holder, next;
        uint64_t term = 0;
        if (!world || !run_to_holder(world, &holder, NULL, &term))
            return 1;
        sim_world_run(world, sim_world_time(world) + 15 * SIM_MINUTE + 777 * (int64_t)run);
        if (sim_domain_active(world, 0, &holder) != 1)
            return 1;
        int64_t crashed = sim_world_time(world);
        inject(world, SIM_FAULT_CRASH, holder);
        if (run_to_holder(world, &next, &holder, &term)) {
            int64_t took = sim_world_time(world) - crashed;
            least = took < least ? took : least;
            most = took > most ? took : most;
            sum += took;
            done++;
        }
        sim_world_destroy(&world);
    }
    tell_head("fail-over", bench);
    printf(",\"runs\":%u,\"done\":%u,\"least_s\":%.1f,\"mean_s\":%.1f,\"most_s\":%.1f}\n", bench->runs, done,
           done ? (double)least / 1000 : 0.0, done ? (double)sum / done / 1000 : 0.0, (double)most / 1000);
    return done == bench->runs ? 0 : 1;
}

/* --- are winners uniform? --- */

/* The upper tail of the chi-square distribution: the regularised incomplete gamma function, by its series or
 * its continued fraction (Abramowitz and Stegun 6.5.29, 6.5.31). */
static double chi_square_tail(double x, unsigned degrees)
{
    double a = degrees / 2.0, z = x / 2.0;
    if (z <= 0)
        return 1;
    double front = exp(-z + a * log(z) - lgamma(a));
    if (z < a + 1) {
        double term = 1 / a, sum = term;
        for (unsigned n = 1; n < 500; n++)
            sum += term *= z / (a + n);
        return 1 - sum * front;
    }
    double b = z + 1 - a, c = 1e300, d = 1 / b, h = d;
    for (unsigned n = 1; n < 500; n++) {
        double k = -(double)n * (n - a);
        b += 2;
        d = 1 / (k * d + b);
        c = b + k / c;
        h *= c * d;
    }
    return front * h;
}

static int bench_uniform(const struct bench *bench)
{
    struct sim_world *world = world_of(bench, 0);
    unsigned *wins = calloc(bench->options.nodes, sizeof *wins);
    unsigned elections = 0, holder = 0;
    uint64_t term = 0;
    if (!world || !wins)
        return 1;
    sim_world_run(world, 3 * SIM_MINUTE);
    while (elections < bench->runs && run_to_holder(world, &holder, NULL, &term)) {
        wins[holder]++;
        elections++;
        inject(world, SIM_FAULT_YIELD, holder);
    }
    double expected = (double)elections / bench->options.nodes, square = 0;
    for (unsigned i = 0; i < bench->options.nodes; i++)
        square += (wins[i] - expected) * (wins[i] - expected) / expected;
    double p = chi_square_tail(square, bench->options.nodes - 1);
    tell_head("uniform", bench);
    printf(
        ",\"elections\":%u,\"simulated_hours\":%.1f,\"chi_square\":%.2f,\"degrees\":%u,\"p\":%.4f,\"wins\":[",
        elections, (double)sim_world_time(world) / SIM_HOUR, square, bench->options.nodes - 1, p);
    for (unsigned i = 0; i < bench->options.nodes; i++)
        printf("%s%u", i ? "," : "", wins[i]);
    printf("]}\n");
    free(wins);
    sim_world_destroy(&world);
    return elections == bench->runs && p > 0.01 ? 0 : 1;
}

/* --- how soon all know a change --- */

static unsigned knowing(struct sim_world *world, const struct node_id *id, uint32_t revision)
{
    unsigned know = 0;
    for (unsigned i = 0; i < sim_world_options(world)->nodes; i++) {
        struct cluster_member_view view;
        struct cluster *core = sim_node_core(world, i);
        if (core && cluster_member_find(core, id, &view) && view.record->revision > revision)
            know++;
    }
    return know;
}

/* Serf's own formula, for the same number of nodes and the same loss: fan-out 3, rounds of 0.2 s (LAN). */
static double serf_seconds(double nodes, double loss, double share)
{
    double rate = 3 * (1 - loss) / 2;
    return 0.2 * log((nodes + 1) * share / (1 - share)) / rate;
}

static int bench_convergence(const struct bench *bench)
{
    struct sim_world *world = world_of(bench, 0);
    if (!world)
        return 1;
    unsigned nodes = bench->options.nodes;
    int64_t settled = 0, limit = SIM_HOUR;
    sim_world_run(world,
                  bench->options.start_spread); /* until then those that run may agree on less than all */
    while (sim_world_agreement(world) < 1000000 && sim_world_time(world) < limit)
        sim_world_run(world, settled = sim_world_time(world) + 5 * SIM_SECOND);
    sim_world_run(world, sim_world_time(world) + 2 * SIM_MINUTE); /* links, the first election */
    double t99 = 0, t100 = 0;
    unsigned done = 0;
    for (unsigned run = 0; run < bench->runs; run++) {
        unsigned node = 0;
        while (!sim_node_candidate(world, node, 0))
            node++;
        struct cluster_member_view view;
        if (!cluster_member_at(sim_node_core(world, node), 0, &view))
            return 1;
        struct node_id id = view.id;
        uint32_t revision = view.record->revision;
        int64_t from = sim_world_time(world);
        struct sim_fault fault = {.at = from, .kind = SIM_FAULT_CANDIDACY, .off = run & 1};
        sim_set_add(&fault.nodes, node, node);
        sim_world_inject(world, &fault);
        int64_t at99 = 0;
        for (int64_t end = from + 10 * SIM_MINUTE; sim_world_time(world) < end;) {
            sim_world_run(world, sim_world_time(world) + 100);
            unsigned know = knowing(world, &id, revision);
            if (!at99 && (uint64_t)know * 100 >= (uint64_t)nodes * 99)
                at99 = sim_world_time(world) - from;
            if (know == nodes) {
                t99 += (double)at99 / 1000;
                t100 += (double)(sim_world_time(world) - from) / 1000;
                done++;
                break;
            }
        }
        sim_world_run(world, sim_world_time(world) + 90 * SIM_SECOND + 137 * (int64_t)run);
    }
    tell_head("convergence", bench);
    printf(",\"runs\":%u,\"done\":%u,\"whole_fleet_joined_s\":%.0f,\"t99_s\":%.2f,\"t100_s\":%.2f,"
           "\"serf_formula_t99_s\":%.2f,\"resident_mib\":%" PRIu64 "}\n",
           bench->runs, done, (double)settled / 1000, done ? t99 / done : 0, done ? t100 / done : 0,
           serf_seconds(nodes, bench->options.between.loss / 1e6, 0.99), resident_kib() / 1024);
    sim_world_destroy(&world);
    return done == bench->runs ? 0 : 1;
}

/* --- what it costs --- */

static int bench_traffic(const struct bench *bench)
{
    struct sim_world *world = world_of(bench, 0);
    if (!world)
        return 1;
    struct sim_stats before, after;
    sim_world_run(world, 30 * SIM_MINUTE);
    sim_world_stats(world, &before);
    sim_world_run(world, 30 * SIM_MINUTE + bench->hours * SIM_HOUR);
    sim_world_stats(world, &after);
    double seconds = (double)bench->hours * 3600 * bench->options.nodes;
    struct cluster_status status;
    cluster_status(sim_node_core(world, 0), &status);
    tell_head("traffic", bench);
    printf(",\"hours\":%u,\"bytes_per_second_and_node\":%.1f,\"messages_per_second_and_node\":%.2f,"
           "\"members\":%u,\"core_bytes\":%zu,\"core_bytes_per_member\":%.0f}\n",
           bench->hours, (double)(after.bytes - before.bytes) / seconds,
           (double)(after.messages - before.messages) / seconds, status.members, status.memory,
           (double)status.memory / (status.members ? status.members : 1));
    sim_world_destroy(&world);
    return 0;
}

static int bench_speed(const struct bench *bench)
{
    double from = cpu_now();
    struct sim_world *world = world_of(bench, 0);
    if (!world)
        return 1;
    bool held = sim_world_run(world, bench->hours * SIM_HOUR);
    double seconds = cpu_now() - from;
    struct sim_stats stats;
    sim_world_stats(world, &stats);
    tell_head("speed", bench);
    printf(",\"hours\":%u,\"cpu_seconds\":%.2f,\"steps\":%" PRIu64 ",\"messages\":%" PRIu64
           ",\"ns_per_step\":%.0f,\"resident_mib\":%" PRIu64 ",\"unseed\":\"%016" PRIx64 "\",\"held\":%s}\n",
           bench->hours, seconds, stats.steps, stats.messages, seconds * 1e9 / (double)stats.steps,
           resident_kib() / 1024, sim_world_unseed(world), held ? "true" : "false");
    sim_world_destroy(&world);
    return held ? 0 : 1;
}

static const struct {
    const char *name;
    int (*run)(const struct bench *bench);
    unsigned runs;
} benches[] = {
    {"fail-over", bench_fail_over, 10},
    {"uniform", bench_uniform, 10000},
    {"convergence", bench_convergence, 10},
    {"traffic", bench_traffic, 1},
    {"speed", bench_speed, 1},
};

enum bench_option {
    OPTION_NODES = 256,
    OPTION_SITES,
    OPTION_CANDIDATES,
    OPTION_LOSS,
    OPTION_HOURS,
    OPTION_RUNS,
    OPTION_SEED,
    OPTION_SILENT,
    OPTION_ACQUAINTED,
    OPTION_UNCHECKED,
};

static const struct option long_options[] = {
    {"nodes", required_argument, NULL, OPTION_NODES},
    {"sites", required_argument, NULL, OPTION_SITES},
    {"candidates", required_argument, NULL, OPTION_CANDIDATES},
    {"loss", required_argument, NULL, OPTION_LOSS},
    {"hours", required_argument, NULL, OPTION_HOURS},
    {"runs", required_argument, NULL, OPTION_RUNS},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"silent", no_argument, NULL, OPTION_SILENT},
    {"acquainted", no_argument, NULL, OPTION_ACQUAINTED},
    {"unchecked", no_argument, NULL, OPTION_UNCHECKED},
    {0},
};

static bool read_value(const char *name, unsigned least, unsigned most, unsigned *value)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(optarg, &end, 10);
    if (errno || end == optarg || *end || optarg[0] == '-' || number < least || number > most) {
        fprintf(stderr, "picket-sim bench: --%s takes a number from %u to %u\n", name, least, most);
        return false;
    }
    *value = (unsigned)number;
    return true;
}

static bool read_option(struct bench *bench, int option)
{
    struct sim_options *options = &bench->options;
    unsigned value;
    switch ((enum bench_option)option) {
    case OPTION_NODES:
        return read_value("nodes", 2, SIM_NODES_MAX, &options->nodes);
    case OPTION_SITES:
        return read_value("sites", 1, SIM_SITES_MAX, &options->sites);
    case OPTION_CANDIDATES:
        return read_value("candidates", 1, SIM_NODES_MAX, &options->candidates);
    case OPTION_LOSS:
        if (!read_value("loss", 0, 90, &value))
            return false;
        options->inside.loss = options->between.loss = value * 10000;
        return true;
    case OPTION_HOURS:
        return read_value("hours", 1, 8784, &bench->hours);
    case OPTION_RUNS:
        return read_value("runs", 1, 1000000, &bench->runs);
    case OPTION_SEED:
        if (!read_value("seed", 0, UINT32_MAX, &value))
            return false;
        options->seed = value;
        return true;
    case OPTION_SILENT:
        options->sensors_silent = true;
        return true;
    case OPTION_ACQUAINTED:
        options->acquainted = true;
        return true;
    case OPTION_UNCHECKED:
        options->unchecked = true;
        return true;
    }
    return false;
}

int sim_bench_command(int argc, char **argv)
{
    struct bench bench = {.hours = 1};
    sim_options_init(&bench.options);
    bench.options.nodes = 8;
    size_t which = 0;
    while (argc > 1 && which < sizeof benches / sizeof benches[0] &&
           strcmp(argv[1], benches[which].name) != 0)
        which++;
    if (argc < 2 || which == sizeof benches / sizeof benches[0]) {
        fputs(usage, stderr);
        return 2;
    }
    bench.runs = benches[which].runs;
    optind = 2;
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;)
        if (!read_option(&bench, option)) {
            fputs(usage, stderr);
            return 2;
        }
    if (optind < argc) {
        fprintf(stderr, "picket-sim bench: unexpected argument %s\n%s", argv[optind], usage);
        return 2;
    }
    return benches[which].run(&bench);
}
