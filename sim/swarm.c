/* SPDX-License-Identifier: Apache-2.0
 *
 * picket-sim swarm: one world for each seed, in as many processes as are asked for. A violation is shrunk,
 * written as a scenario and told with the command that replays it.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cluster/mutant.h"
#include "sim/mutants.h"
#include "sim/shrink.h"

#define TWICE_EVERY 50u
#define SHRINK_RUNS 400u
#define JOBS_MAX    256u

struct swarm {
    uint64_t first, last;
    unsigned nodes_min, nodes_max, hours, jobs, shrink_runs;
    const char *out;
    enum cluster_mutant mutant;
    bool verbose, json, until_found;
};

/* What the processes share: the next seed, and what they counted. */
struct tally {
    _Atomic uint64_t next;
    _Atomic uint64_t seeds, failed, hours, elections, bids, refutations, accepted, refused, steps, messages,
        twice;
    _Atomic uint64_t first_failed; /* the least failing seed + 1; 0: none */
    _Atomic uint64_t checks[SIM_INVARIANT_COUNT], violations[SIM_INVARIANT_COUNT];
    _Atomic bool stop;
};

static const char *const usage =
    "usage: picket-sim swarm [--seeds A..B] [--hours H] [--nodes N|A..B] [--jobs J] [--out DIR]\n"
    "                        [--mutant NAME] [--until-found] [--no-shrink] [--json] [--verbose]\n";

static bool read_range(const char *text, uint64_t *first, uint64_t *last)
{
    char *end;
    errno = 0;
    *first = *last = strtoull(text, &end, 10);
    if (end == text || errno)
        return false;
    if (strncmp(end, "..", 2) == 0) {
        const char *second = end + 2;
        *last = strtoull(second, &end, 10);
        if (end == second)
            return false;
    }
    return *end == '\0' && !errno && *first <= *last;
}

static bool read_number(const char *text, unsigned least, unsigned most, unsigned *value)
{
    uint64_t first, last;
    if (!read_range(text, &first, &last) || first != last || first < least || first > most)
        return false;
    *value = (unsigned)first;
    return true;
}

static const char *clock_text(int64_t time, char text[24])
{
    int64_t seconds = time / 1000;
    snprintf(text, 24, "%" PRId64 ":%02d:%02d", seconds / 3600, (int)(seconds / 60 % 60),
             (int)(seconds % 60));
    return text;
}

/* --- a failing seed --- */

static void write_scenario(const struct swarm *swarm, const struct sim_plan *plan, uint64_t seed,
                           const char *comment, char *path, size_t size)
{
    snprintf(path, size, "%s/swarm-%" PRIu64 ".sim", swarm->out, seed);
    FILE *file = fopen(path, "w");
    if (!file || !sim_scenario_write(file, plan, comment))
        fprintf(stderr, "picket-sim: cannot write %s: %s\n", path, strerror(errno));
    if (file)
        fclose(file);
}

static void tell_failure(const struct swarm *swarm, struct sim_plan *plan, uint64_t seed, unsigned invariant,
                         const struct sim_verdict *verdict)
{
    char at[24], path[512], comment[512], line[2048];
    unsigned faults = plan->fault_count, nodes = plan->options.nodes;
    clock_text(verdict->first, at);
    size_t used = (size_t)snprintf(line, sizeof line, "seed %" PRIu64 ": %s at %s: %s\n", seed,
                                   sim_invariant_label(invariant), at, verdict->text);
    if (invariant != SIM_INVARIANT_DETERMINISM) {
        unsigned runs = swarm->shrink_runs ? sim_plan_shrink(plan, invariant, swarm->shrink_runs) : 0;
        snprintf(comment, sizeof comment, "Seed %" PRIu64 " of the swarm violated %s (%s):\n%s", seed,
                 sim_invariant_label(invariant), sim_invariant_doc(invariant), verdict->text);
        write_scenario(swarm, plan, seed, comment, path, sizeof path);
        if (runs)
            used += (size_t)snprintf(line + used, sizeof line - used,
                                     "  shrunk from %u faults and %u nodes to %u and %u in %u runs\n", faults,
                                     nodes, plan->fault_count, plan->options.nodes, runs);
        used += (size_t)snprintf(line + used, sizeof line - used, "  replay: picket-sim run %s --trace%s%s\n",
                                 path, swarm->mutant ? " --mutant " : "",
                                 swarm->mutant ? sim_mutant_name(swarm->mutant) : "");
    }
    fwrite(line, 1, used, stdout);
    fflush(stdout);
}

/* --- a seed --- */

static uint64_t run_unseed(const struct sim_plan *plan)
{
    struct sim_world *world = sim_plan_run(plan, NULL, true);
    uint64_t unseed = world ? sim_world_unseed(world) : 0;
    sim_world_destroy(&world);
    return unseed;
}

static void count_world(struct tally *tally, const struct sim_world *world)
{
    struct sim_stats stats;
    sim_world_stats(world, &stats);
    tally->hours += (uint64_t)(sim_world_time(world) / SIM_HOUR);
    tally->elections += stats.elections;
    tally->bids += stats.bids;
    tally->refutations += stats.refutations;
    tally->accepted += stats.batches_accepted;
    tally->refused += stats.batches_refused;
    tally->steps += stats.steps;
    tally->messages += stats.messages;
    for (unsigned i = 0; i < SIM_INVARIANT_COUNT; i++) {
        const struct sim_verdict *verdict = sim_world_verdict(world, i);
        tally->checks[i] += verdict->checks;
        tally->violations[i] += verdict->violations;
    }
}

/* The invariant that was violated first. */
static unsigned first_violated(const struct sim_world *world)
{
    unsigned first = SIM_INVARIANT_COUNT;
    for (unsigned i = 0; i < SIM_INVARIANT_COUNT; i++) {
        const struct sim_verdict *verdict = sim_world_verdict(world, i);
        if (verdict->violations &&
            (first == SIM_INVARIANT_COUNT || verdict->first < sim_world_verdict(world, first)->first))
            first = i;
    }
    return first;
}

static void note_failure(struct tally *tally, uint64_t seed)
{
    uint64_t least = tally->first_failed;
    tally->failed++;
    while ((!least || seed + 1 < least) &&
           !atomic_compare_exchange_strong(&tally->first_failed, &least, seed + 1))
        ;
}

static void run_seed(const struct swarm *swarm, struct tally *tally, uint64_t seed)
{
    struct sim_plan plan;
    if (!sim_plan_draw(&plan, seed, swarm->nodes_min, swarm->nodes_max, swarm->hours))
        abort();
    struct timespec from, to;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    struct sim_world *world = sim_plan_run(&plan, NULL, true);
    if (!world)
        abort();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    count_world(tally, world);
    uint64_t unseed = sim_world_unseed(world);
    unsigned invariant = first_violated(world);
    struct sim_verdict verdict = {0};
    if (invariant < SIM_INVARIANT_COUNT)
        verdict = *sim_world_verdict(world, invariant);
    else if (seed % TWICE_EVERY == 0) {
        tally->twice++;
        tally->checks[SIM_INVARIANT_DETERMINISM]++;
        if (run_unseed(&plan) != unseed) {
            invariant = SIM_INVARIANT_DETERMINISM;
            tally->violations[invariant]++;
            snprintf(verdict.text, sizeof verdict.text, "two runs of it differ");
        }
    }
    if (swarm->verbose)
        printf("seed %" PRIu64 ": %u nodes, %" PRId64 " h, %u faults, plan %016" PRIx64 ", unseed %016" PRIx64
               ", %" PRId64 " ms\n",
               seed, plan.options.nodes, plan.until / SIM_HOUR, plan.fault_count, sim_plan_hash(&plan),
               unseed, (int64_t)(to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000);
    sim_world_destroy(&world);
    tally->seeds++;
    if (invariant < SIM_INVARIANT_COUNT) {
        note_failure(tally, seed);
        if (swarm->until_found)
            tally->stop = true;
        tell_failure(swarm, &plan, seed, invariant, &verdict);
    }
    sim_plan_clear(&plan);
}

static void work(const struct swarm *swarm, struct tally *tally)
{
    while (!tally->stop) {
        uint64_t seed = tally->next++;
        if (seed > swarm->last)
            break;
        run_seed(swarm, tally, seed);
    }
    fflush(stdout);
}

/* --- all of them --- */

static bool work_in_processes(const struct swarm *swarm, struct tally *tally)
{
    pid_t children[JOBS_MAX];
    unsigned started = 0;
    bool fine = true;
    fflush(stdout);
    for (; started < swarm->jobs; started++) {
        children[started] = fork();
        if (children[started] < 0)
            break;
        if (children[started] == 0) {
            work(swarm, tally);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < started; i++) {
        int status;
        if (waitpid(children[i], &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            fprintf(stderr, "picket-sim: a process of the swarm ended early\n");
            fine = false;
        }
    }
    return fine && started == swarm->jobs;
}

static void tell_json(const struct tally *tally, double cpu)
{
    printf("{\"schema\":1,\"seeds\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"hours\":%" PRIu64
           ",\"cpu_seconds\":%.1f,"
           "\"elections\":%" PRIu64 ",\"bids\":%" PRIu64 ",\"refutations\":%" PRIu64
           ",\"batches_accepted\":%" PRIu64 ",\"batches_refused\":%" PRIu64 ",\"steps\":%" PRIu64
           ",\"messages\":%" PRIu64 ",\"twice\":%" PRIu64 ",\"invariants\":{",
           tally->seeds, tally->failed, tally->hours, cpu, tally->elections, tally->bids, tally->refutations,
           tally->accepted, tally->refused, tally->steps, tally->messages, tally->twice);
    for (unsigned i = 0; i < SIM_INVARIANT_COUNT; i++)
        printf("%s\"%s\":{\"checks\":%" PRIu64 ",\"violations\":%" PRIu64 "}", i ? "," : "",
               sim_invariant_label(i), tally->checks[i], tally->violations[i]);
    printf("}}\n");
}

static void tell_text(const struct tally *tally, double cpu)
{
    printf("%" PRIu64 " seeds, %" PRIu64 " failed; %" PRIu64 " simulated hours in %.1f s of CPU, %" PRIu64
           " of them run twice\n"
           "%" PRIu64 " elections, %" PRIu64 " bids, %" PRIu64 " refutations, %" PRIu64
           " batches accepted, %" PRIu64 " refused, %" PRIu64 " steps, %" PRIu64 " messages\n",
           tally->seeds, tally->failed, tally->hours, cpu, tally->twice, tally->elections, tally->bids,
           tally->refutations, tally->accepted, tally->refused, tally->steps, tally->messages);
    for (unsigned i = 0; i < SIM_INVARIANT_COUNT; i++)
        printf("%-10s %14" PRIu64 " checks %8" PRIu64 " violations  %s\n", sim_invariant_label(i),
               tally->checks[i], tally->violations[i], sim_invariant_doc(i));
}

static double cpu_seconds(void)
{
    struct rusage own, children;
    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    return (double)(own.ru_utime.tv_sec + children.ru_utime.tv_sec) +
           (double)(own.ru_utime.tv_usec + children.ru_utime.tv_usec) / 1e6;
}

static int run(const struct swarm *swarm)
{
    struct tally *tally =
        mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tally == MAP_FAILED) {
        fprintf(stderr, "picket-sim: %s\n", strerror(errno));
        return 2;
    }
    tally->next = swarm->first;
    bool fine = true;
    if (swarm->jobs == 1)
        work(swarm, tally);
    else
        fine = work_in_processes(swarm, tally);
    double cpu = cpu_seconds();
    if (swarm->json)
        tell_json(tally, cpu);
    else
        tell_text(tally, cpu);
    bool failed = tally->failed > 0 || !fine;
    munmap(tally, sizeof *tally);
    return failed ? 1 : 0;
}

enum swarm_option {
    OPTION_SEEDS = 256,
    OPTION_HOURS,
    OPTION_NODES,
    OPTION_JOBS,
    OPTION_OUT,
    OPTION_MUTANT,
    OPTION_UNTIL_FOUND,
    OPTION_NO_SHRINK,
    OPTION_JSON,
    OPTION_VERBOSE,
};

static const struct option options[] = {
    {"seeds", required_argument, NULL, OPTION_SEEDS},
    {"hours", required_argument, NULL, OPTION_HOURS},
    {"nodes", required_argument, NULL, OPTION_NODES},
    {"jobs", required_argument, NULL, OPTION_JOBS},
    {"out", required_argument, NULL, OPTION_OUT},
    {"mutant", required_argument, NULL, OPTION_MUTANT},
    {"until-found", no_argument, NULL, OPTION_UNTIL_FOUND},
    {"no-shrink", no_argument, NULL, OPTION_NO_SHRINK},
    {"json", no_argument, NULL, OPTION_JSON},
    {"verbose", no_argument, NULL, OPTION_VERBOSE},
    {0},
};

static bool wrong(const char *option, const char *expected)
{
    fprintf(stderr, "picket-sim swarm: --%s takes %s\n", option, expected);
    return false;
}

static bool read_option(struct swarm *swarm, int option)
{
    uint64_t least, most;
    switch ((enum swarm_option)option) {
    case OPTION_SEEDS:
        return read_range(optarg, &swarm->first, &swarm->last) || wrong("seeds", "a seed or a range A..B");
    case OPTION_HOURS:
        return read_number(optarg, 4, 8784, &swarm->hours) || wrong("hours", "4 to 8784");
    case OPTION_NODES:
        if (!read_range(optarg, &least, &most) || least < 2 || most > 500)
            return wrong("nodes", "a number or a range A..B, from 2 to 500");
        swarm->nodes_min = (unsigned)least;
        swarm->nodes_max = (unsigned)most;
        return true;
    case OPTION_JOBS:
        return read_number(optarg, 1, JOBS_MAX, &swarm->jobs) || wrong("jobs", "1 to 256");
    case OPTION_OUT:
        swarm->out = optarg;
        return true;
    case OPTION_MUTANT:
        swarm->mutant = sim_mutant_find(optarg);
        return swarm->mutant != MUTANT_NONE || wrong("mutant", sim_mutant_expected());
    case OPTION_UNTIL_FOUND:
        swarm->until_found = true;
        return true;
    case OPTION_NO_SHRINK:
        swarm->shrink_runs = 0;
        return true;
    case OPTION_JSON:
        swarm->json = true;
        return true;
    case OPTION_VERBOSE:
        swarm->verbose = true;
        return true;
    }
    return false;
}

int sim_swarm_command(int argc, char **argv)
{
    struct swarm swarm = {.first = 1, .last = 100, .jobs = 1, .shrink_runs = SHRINK_RUNS, .out = "."};
    optind = 1;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (!read_option(&swarm, option)) {
            fputs(usage, stderr);
            return 2;
        }
    if (optind < argc) {
        fprintf(stderr, "picket-sim swarm: unexpected argument %s\n%s", argv[optind], usage);
        return 2;
    }
    sim_mutant_set(swarm.mutant);
    return run(&swarm);
}
