/* SPDX-License-Identifier: Apache-2.0
 *
 * picket-sim run: plays a scenario, tells what happens, and judges. What goes to the standard output is the
 * same on each machine; how long it took goes to the standard error.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/watch.h"

struct run {
    const char *file;
    const char *svg;
    bool json, trace, quiet;
    int64_t nodes, sites, domains, candidates, hours, seed; /* -1: as the scenario says */
    struct scenario *scenario;
    struct expects *expects;
    struct picture *picture;
    struct watch *watch;
    struct sim_world *world;
};

static const char usage_text[] =
    "usage: picket-sim run SCENARIO [--nodes N] [--sites S] [--domains D] [--candidates C]\n"
    "                  [--hours H] [--seed X] [--json] [--trace] [--quiet] [--svg FILE]\n"
    "       picket-sim run --print SCENARIO    the scenario as it was understood, one fault a line\n";

static int usage(void)
{
    fputs(usage_text, stderr);
    return 2;
}

/* --- arguments --- */

static bool read_number(const char *text, int64_t most, int64_t *number)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < 0 || value > most) {
        fprintf(stderr, "picket-sim run: %s: expected a number from 0 to %" PRId64 "\n", text, most);
        return false;
    }
    *number = value;
    return true;
}

static bool read_option(struct run *run, int option, bool *print)
{
    switch (option) {
    case 'n':
        return read_number(optarg, SIM_NODES_MAX, &run->nodes);
    case 's':
        return read_number(optarg, SIM_SITES_MAX, &run->sites);
    case 'd':
        return read_number(optarg, SIM_DOMAINS_MAX, &run->domains);
    case 'c':
        return read_number(optarg, SIM_NODES_MAX, &run->candidates);
    case 'h':
        return read_number(optarg, SCENARIO_LENGTH_MAX / SIM_HOUR, &run->hours);
    case 'x':
        return read_number(optarg, INT64_MAX, &run->seed);
    case 'j':
        return run->json = true;
    case 't':
        return run->trace = true;
    case 'q':
        return run->quiet = true;
    case 'g':
        run->svg = optarg;
        return true;
    case 'p':
        return *print = true;
    default:
        usage();
        return false;
    }
}

static bool read_arguments(struct run *run, int argc, char **argv, bool *print)
{
    static const struct option options[] = {
        {"nodes", required_argument, NULL, 'n'},   {"sites", required_argument, NULL, 's'},
        {"domains", required_argument, NULL, 'd'}, {"candidates", required_argument, NULL, 'c'},
        {"hours", required_argument, NULL, 'h'},   {"seed", required_argument, NULL, 'x'},
        {"json", no_argument, NULL, 'j'},          {"trace", no_argument, NULL, 't'},
        {"quiet", no_argument, NULL, 'q'},         {"svg", required_argument, NULL, 'g'},
        {"print", no_argument, NULL, 'p'},         {0},
    };
    run->nodes = run->sites = run->domains = run->candidates = run->hours = run->seed = -1;
    optind = 1;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (!read_option(run, option, print))
            return false;
    if (optind + 1 != argc) {
        usage();
        return false;
    }
    run->file = argv[optind];
    return true;
}

static void forget_named_candidates(struct sim_options *options)
{
    memset(options->candidates_of, 0, sizeof options->candidates_of);
}

/* What was said on the command line stands above the file. */
static bool override(struct run *run)
{
    struct sim_options *options = &run->scenario->plan.options;
    if (run->nodes >= 0)
        options->nodes = (unsigned)run->nodes;
    if (run->sites >= 0)
        options->sites = (unsigned)run->sites;
    if (run->domains >= 0)
        options->domains = (unsigned)run->domains;
    if (run->candidates >= 0) {
        options->candidates = (unsigned)run->candidates;
        forget_named_candidates(options);
    }
    if (run->hours >= 0)
        run->scenario->plan.until = run->hours * SIM_HOUR;
    if (run->seed >= 0)
        options->seed = (uint64_t)run->seed;
    char error[SCENARIO_ERROR_SIZE] = "at least one node, site, domain and hour is needed";
    bool fine = options->nodes && options->sites && options->domains && run->scenario->plan.until &&
                scenario_check(run->scenario, run->file, error);
    if (!fine)
        fprintf(stderr, "picket-sim run: %s\n", error);
    return fine;
}

/* --- the run --- */

static bool prepare(struct run *run)
{
    struct sim_plan *plan = &run->scenario->plan;
    struct watch_options options = {
        .out = stdout, .json = run->json, .trace = run->trace, .silent = run->quiet};
    run->expects = expects_new(run->scenario);
    if (run->svg)
        run->picture = picture_new(plan->until);
    if (run->expects && (run->picture || !run->svg))
        run->watch = watch_new(run->scenario, run->expects, run->picture, &options);
    if (!run->watch)
        return false;
    struct sim_observer observer = watch_observer(run->watch);
    run->world = sim_world_new(&plan->options, &observer);
    if (!run->world)
        return false;
    watch_world(run->watch, run->world);
    for (unsigned i = 0; i < plan->fault_count; i++)
        if (!sim_world_inject(run->world, &plan->faults[i]))
            return false;
    return true;
}

/* Second by second, so that spans of expectations are looked at all along. */
static void play(struct run *run)
{
    int64_t until = run->scenario->plan.until;
    for (int64_t time = 0; time < until;) {
        time = time + SIM_SECOND < until ? time + SIM_SECOND : until;
        sim_world_run(run->world, time);
        watch_second(run->watch);
        expects_check(run->expects, run->world, time == until);
    }
}

/* --- the judgement --- */

static void put_json(const char *key, const char *text)
{
    char form[1200];
    struct text t = text_to(form, sizeof form);
    text_json_string(&t, (struct bytes){(const uint8_t *)text, strlen(text)});
    text_end(&t);
    printf(",\"%s\":%s", key, form);
}

static unsigned judge_expect(const struct run *run, unsigned index)
{
    const struct expect_outcome *outcome = expects_outcome(run->expects, index);
    char form[400];
    struct text t = text_to(form, sizeof form);
    scenario_write_expect(&run->scenario->expects[index], &t);
    text_end(&t);
    bool met = outcome->verdict == EXPECT_MET;
    if (run->json) {
        printf("{\"type\":\"expectation\",\"met\":%s,\"line\":%u,\"ms\":%" PRId64, met ? "true" : "false",
               run->scenario->expects[index].line, outcome->at);
        put_json("expectation", form);
        put_json("found", outcome->text);
        puts("}");
    } else {
        printf("  %-6s  %s  [%s]\n", met ? "ok" : "FAILED", form, outcome->text);
    }
    return !met;
}

static unsigned judge_invariant(const struct run *run, unsigned index)
{
    const struct sim_verdict *verdict = sim_world_verdict(run->world, index);
    if (!verdict->checks && !verdict->violations)
        return 0; /* nothing that it speaks of took place */
    if (run->json) {
        printf("{\"type\":\"invariant\",\"met\":%s,\"checks\":%" PRIu64 ",\"violations\":%" PRIu64,
               verdict->violations ? "false" : "true", verdict->checks, verdict->violations);
        put_json("invariant", sim_invariant_label(index));
        put_json("meaning", sim_invariant_doc(index));
        if (verdict->violations)
            put_json("first", verdict->text);
        puts("}");
    } else {
        printf("  %-6s  %-9s  %s  [%" PRIu64 " checks]\n", verdict->violations ? "FAILED" : "ok",
               sim_invariant_label(index), sim_invariant_doc(index), verdict->checks);
        if (verdict->violations)
            printf("          %" PRIu64 " times, first: %s\n", verdict->violations, verdict->text);
    }
    return verdict->violations != 0;
}

static void tell_result(const struct run *run, unsigned failed)
{
    struct sim_stats stats;
    sim_world_stats(run->world, &stats);
    const struct sim_plan *plan = &run->scenario->plan;
    double node_seconds = (double)plan->options.nodes * (double)plan->until / 1000;
    double rate = (double)stats.bytes / node_seconds;
    if (run->json) {
        printf("{\"type\":\"result\",\"met\":%s,\"failed\":%u,\"seed\":%" PRIu64 ",\"plan\":\"%016" PRIx64
               "\",\"run\":\"%016" PRIx64 "\",\"ms\":%" PRId64 ",\"messages\":%" PRIu64 ",\"bytes\":%" PRIu64
               ",\"lost\":%" PRIu64 ",\"elections\":%" PRIu64 ",\"bids\":%" PRIu64 ",\"refutations\":%" PRIu64
               ",\"batches_accepted\":%" PRIu64 ",\"batches_refused\":%" PRIu64 "}\n",
               failed ? "false" : "true", failed, plan->options.seed, sim_plan_hash(plan),
               sim_world_unseed(run->world), plan->until, stats.messages, stats.bytes, stats.lost,
               stats.elections, stats.bids, stats.refutations, stats.batches_accepted, stats.batches_refused);
        return;
    }
    printf("\n%" PRIu64 " elections, %" PRIu64 " bids, %" PRIu64 " refutations; %" PRIu64
           " batches taken, %" PRIu64 " refused; %" PRIu64 " messages (%" PRIu64
           " lost), %.0f bytes a second and node\n",
           stats.elections, stats.bids, stats.refutations, stats.batches_accepted, stats.batches_refused,
           stats.messages, stats.lost, rate);
    printf("seed %" PRIu64 ", plan %016" PRIx64 ", run %016" PRIx64 "\n", plan->options.seed,
           sim_plan_hash(plan), sim_world_unseed(run->world));
    if (failed)
        printf("FAILED: %u of what must hold did not\n", failed);
    else
        puts("all that must hold did");
}

static unsigned judge(const struct run *run)
{
    unsigned failed = 0;
    if (!run->json && run->scenario->expect_count)
        puts("\nWhat was expected");
    for (unsigned i = 0; i < run->scenario->expect_count; i++)
        failed += judge_expect(run, i);
    if (!run->json && !run->scenario->plan.options.unchecked)
        puts("\nWhat must always hold");
    for (unsigned i = 0; i < SIM_INVARIANT_COUNT; i++)
        failed += judge_invariant(run, i);
    tell_result(run, failed);
    return failed;
}

static bool draw(const struct run *run)
{
    const struct sim_options *options = &run->scenario->plan.options;
    struct picture *picture = run->picture;
    unsigned candidates = 0;
    for (unsigned i = 0; i < options->nodes; i++)
        for (unsigned d = 0; d < options->domains; d++)
            candidates += sim_node_candidate(run->world, i, d);
    char each[64];
    snprintf(each, sizeof each, options->domains > 1 ? "%u candidacies" : "%u candidates", candidates);
    snprintf(picture->title, sizeof picture->title, "%s",
             run->scenario->title[0] ? run->scenario->title : run->file);
    snprintf(picture->subtitle, sizeof picture->subtitle,
             "%u node%s, %u site%s, %u domain%s, %s \xc2\xb7 seed %" PRIu64 " \xc2\xb7 plan %016" PRIx64
             " \xc2\xb7 run %016" PRIx64,
             options->nodes, options->nodes == 1 ? "" : "s", options->sites, options->sites == 1 ? "" : "s",
             options->domains, options->domains == 1 ? "" : "s", each, options->seed,
             sim_plan_hash(&run->scenario->plan), sim_world_unseed(run->world));
    picture->domain_count = options->domains;
    for (unsigned i = 0; i < options->domains; i++)
        picture->domains[i].name = scenario_domain(i);
    picture_finish(picture);
    FILE *file = fopen(run->svg, "w");
    bool written = file && svg_write(file, picture);
    if (!written)
        fprintf(stderr, "picket-sim run: %s: %s\n", run->svg, strerror(errno));
    if (file && fclose(file) != 0)
        written = false;
    return written;
}

static void tell_speed(const struct run *run, clock_t began)
{
    double seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
    double hours = (double)run->scenario->plan.until / (double)SIM_HOUR;
    fprintf(stderr, "%.1f hours of %u nodes in %.2f s of CPU\n", hours, run->scenario->plan.options.nodes,
            seconds);
}

static int print_scenario(const struct scenario *scenario)
{
    struct text measure = text_to(NULL, 0);
    scenario_write(scenario, &measure);
    char *form = malloc(measure.length + 1);
    if (!form)
        return 2;
    struct text t = text_to(form, measure.length + 1);
    scenario_write(scenario, &t);
    text_end(&t);
    fputs(form, stdout);
    free(form);
    return 0;
}

static int run_scenario(struct run *run)
{
    clock_t began = clock();
    if (!prepare(run)) {
        fputs("picket-sim run: out of memory\n", stderr);
        return 2;
    }
    if (!run->json && !run->quiet && run->scenario->title[0])
        printf("%s\n\n", run->scenario->title);
    play(run);
    unsigned failed = judge(run);
    tell_speed(run, began);
    if (run->svg && !draw(run))
        return 2;
    return failed ? 1 : 0;
}

int sim_run_command(int argc, char **argv)
{
    struct run run = {0};
    bool print = false;
    if (!read_arguments(&run, argc, argv, &print))
        return 2;
    char error[SCENARIO_ERROR_SIZE];
    run.scenario = scenario_load(run.file, error);
    if (!run.scenario) {
        fprintf(stderr, "picket-sim run: %s\n", error);
        return 2;
    }
    int status = !override(&run) ? 2 : print ? print_scenario(run.scenario) : run_scenario(&run);
    sim_world_destroy(&run.world);
    watch_destroy(&run.watch);
    expects_destroy(&run.expects);
    picture_destroy(&run.picture);
    scenario_destroy(&run.scenario);
    return status;
}
