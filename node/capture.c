/* SPDX-License-Identifier: Apache-2.0
 *
 * picket capture: what `picket read` does, live.
 */
#include "base/clock.h"
#include "capture/filter.h"
#include "node/capture_worker.h"
#include "node/command.h"
#include "node/option.h"
#include "node/output.h"
#include "node/schema.h"
#include "node/summary.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

const char command_capture_options[] =
    "  --config FILE         takes the settings of FILE's section `capture`; options after it override them\n"
    "  -i, --interface NAME  the interface to capture; may be given several times\n"
    "  --threads K           threads for each interface; flows are spread among them (1)\n"
    "  --controller ADDRESS  a domain controller: only its traffic is captured; may be given several times\n"
    "  --ports LIST          further ports to capture, as 3890,8000-8010\n"
    "  --filter EXPRESSION   the packet filter, as pcap-filter(7), instead of the one built from ports and\n"
    "                        controllers; \"\" captures everything\n"
    "  --snaplen N           bytes of each packet to look at (65535)\n"
    "  --ring MB             kernel buffer of each thread (64)\n"
    "  --memory MB           the most that flows and reassembly may take, for each thread (192)\n"
    "  --json                one JSON object per activity, one a line, instead of the table\n"
    "  --batches FILE        writes the activities to FILE, in compressed batches, instead of the table\n"
    "  --stats               the summary as one JSON object on standard error\n"
    "  --decode RULE         tcp/PORT=PROTOCOL or udp/PORT=PROTOCOL\n"
    "\n"
    "Runs until it is interrupted (SIGINT, SIGTERM); the summary follows. An interface that vanishes is "
    "waited\n"
    "for. The rate stands on standard error: packets and activities in a second, and what was lost so far.\n";

#define INTERFACES_MAX 16
#define THREADS_MAX    16
#define WORKERS_MAX    64

struct capture_job {
    bool json;
    bool stats;
    const char *batches;
    const char *filter;
    struct filter_options wanted;
    char filter_text[FILTER_TEXT_MAX];
    struct config *config;      /* owns what it gave to the fields below */
    bool interfaces_configured; /* -i replaces those of the file */
    size_t interfaces_count;
    const char *interfaces[INTERFACES_MAX];
    unsigned threads;
    int snaplen;
    int ring_bytes;
    struct engine_options options;
    struct decode_rules rules;

    struct output *output;
    size_t workers_count;
    struct capture_worker workers[WORKERS_MAX];
    int stop_descriptor;
    int wake_descriptor;
    int signal_descriptor;
    bool terminal; /* the rate line is drawn over itself */
    bool rate_drawn;
};

/* -- the rate line ---------------------------------------------------------------------------------- */

struct totals {
    uint64_t packets;
    uint64_t activities;
    uint64_t received;
    uint64_t dropped;
    uint64_t ifdropped;
    uint64_t refused; /* activities that found the ring full */
    uint64_t absences;
    unsigned absent;
};

static struct totals totals_of(struct capture_job *job)
{
    struct totals t = {0};
    for (size_t i = 0; i < job->workers_count; i++) {
        struct worker_counters *c = &job->workers[i].counters;
        t.packets += atomic_load_explicit(&c->packets, memory_order_relaxed);
        t.activities += atomic_load_explicit(&c->activities, memory_order_relaxed);
        t.received += atomic_load_explicit(&c->received, memory_order_relaxed);
        t.dropped += atomic_load_explicit(&c->dropped, memory_order_relaxed);
        t.ifdropped += atomic_load_explicit(&c->ifdropped, memory_order_relaxed);
        t.absences += atomic_load_explicit(&c->absences, memory_order_relaxed);
        t.absent += !atomic_load_explicit(&c->present, memory_order_relaxed);
        t.refused += ring_refused(job->workers[i].ring);
    }
    return t;
}

static void clear_rate(struct capture_job *job)
{
    if (job->rate_drawn)
        fputs("\r\033[K", stderr);
    job->rate_drawn = false;
}

static void show_rate(struct capture_job *job, const struct totals *before, const struct totals *now,
                      double seconds)
{
    clear_rate(job);
    fprintf(stderr,
            "%.0f packets/s  %.0f activities/s  dropped: %" PRIu64 " by the kernel, %" PRIu64
            " by the interface, %" PRIu64 " activities",
            (double)(now->packets - before->packets) / seconds,
            (double)(now->activities - before->activities) / seconds, now->dropped, now->ifdropped,
            now->refused);
    if (now->absent)
        fprintf(stderr, "  waiting for %u interface%s", now->absent, now->absent > 1 ? "s" : "");
    if (job->terminal)
        fflush(stderr);
    else
        fputc('\n', stderr);
    job->rate_drawn = job->terminal;
}

/* -- the writing thread ----------------------------------------------------------------------------- */

/* Writes what waits in the rings; how many records that were. */
static size_t drain(struct capture_job *job)
{
    enum { AT_ONCE = 256 };
    size_t sum = 0;
    for (size_t i = 0; i < job->workers_count; i++) {
        struct bytes records[AT_ONCE];
        size_t n;
        while ((n = ring_pop(job->workers[i].ring, records, AT_ONCE)) > 0) {
            if (sum == 0)
                clear_rate(job);
            for (size_t r = 0; r < n; r++)
                job->output->record(job->output, records[r]);
            ring_release(job->workers[i].ring);
            sum += n;
        }
    }
    return sum;
}

#define WRITER_TURN 200 /* ms */

static void write_until_stopped(struct capture_job *job)
{
    int64_t period = job->terminal ? CLOCK_SECOND : 10 * CLOCK_SECOND;
    int64_t shown = clock_monotonic(clock_system());
    struct totals before = {0};
    for (;;) {
        struct pollfd fds[2] = {{.fd = job->signal_descriptor, .events = POLLIN},
                                {.fd = job->wake_descriptor, .events = POLLIN}};
        poll(fds, 2, WRITER_TURN);
        if (fds[0].revents)
            return;
        uint64_t count;
        if (fds[1].revents && read(job->wake_descriptor, &count, sizeof(count)) < 0 && errno != EAGAIN)
            return;
        /* After a wake-up more usually follows: rows are shown together. */
        if (drain(job) > 0 && job->output->flush)
            job->output->flush(job->output);
        int64_t now = clock_monotonic(clock_system());
        if (now - shown >= period) {
            struct totals totals = totals_of(job);
            show_rate(job, &before, &totals, (double)(now - shown) / 1e9);
            before = totals;
            shown = now;
        }
    }
}

/* -- start and end ---------------------------------------------------------------------------------- */

static int parse_number(const char *text, int low, int high)
{
    int64_t number;
    return option_number(text, low, high, &number) ? (int)number : -1;
}

static bool add_port_list(struct capture_job *job, char *list)
{
    char *rest = NULL;
    for (char *part = strtok_r(list, ",", &rest); part; part = strtok_r(NULL, ",", &rest))
        if (!filter_add_ports(&job->wanted, part))
            return false;
    return true;
}

static void report_fault(void *context, const char *fault)
{
    (void)context;
    fprintf(stderr, "picket: %s\n", fault);
}

/* The section `capture` of a file (node/schema.c, docs/configuration.md). */
static int use_config(struct capture_job *job, const char *path)
{
    if (job->config)
        return command_misused("capture", "--config: one file is enough");
    struct config *config = job->config = config_load(&node_schema, path, report_fault, NULL);
    if (!config)
        return EXIT_FAILED;
    size_t interfaces = config_count(config, "capture/interfaces");
    size_t controllers = config_count(config, "capture/controllers");
    size_t ports = config_count(config, "capture/ports");
    if (interfaces > INTERFACES_MAX)
        return command_misused("capture", "%s: more than %d interfaces", path, INTERFACES_MAX);
    job->interfaces_configured = job->interfaces_count == 0;
    for (size_t i = 0; i < interfaces && job->interfaces_configured; i++)
        job->interfaces[job->interfaces_count++] = config_string_at(config, "capture/interfaces", i);
    for (size_t i = 0; i < controllers; i++) {
        char text[IP_ADDRESS_TEXT_MAX];
        struct endpoint controller = config_endpoint_at(config, "capture/controllers", i);
        if (!filter_add_controller(&job->wanted, ip_address_text(&controller.address, text)))
            return command_misused("capture", "%s: more than %d controllers", path, FILTER_CONTROLLERS_MAX);
    }
    for (size_t i = 0; i < ports; i++) {
        char text[24];
        snprintf(text, sizeof(text), "%" PRId64, config_int_at(config, "capture/ports", i));
        if (!filter_add_ports(&job->wanted, text))
            return command_misused("capture", "%s: more than %d ports", path, FILTER_PORTS_MAX);
    }
    if (config_count(config, "capture/bpf"))
        job->filter = config_string(config, "capture/bpf");
    job->threads = (unsigned)config_int(config, "capture/threads");
    job->snaplen = (int)config_int(config, "capture/snaplen");
    job->ring_bytes = (int)config_int(config, "capture/ring");
    job->options.memory_limit = (size_t)config_int(config, "capture/memory");
    job->options.tcp_idle = config_int(config, "capture/tcp-idle");
    return EXIT_FINE;
}

static int parse_option(struct capture_job *job, int c)
{
    int n = 0;
    switch (c) {
    case 'c':
        return use_config(job, optarg);
    case 'i':
        if (job->interfaces_configured)
            job->interfaces_count = 0;
        job->interfaces_configured = false;
        if (job->interfaces_count == INTERFACES_MAX)
            return command_misused("capture", "more than %d interfaces", INTERFACES_MAX);
        job->interfaces[job->interfaces_count++] = optarg;
        return EXIT_FINE;
    case 't':
        n = parse_number(optarg, 1, THREADS_MAX);
        job->threads = (unsigned)n;
        break;
    case 'C':
        if (!filter_add_controller(&job->wanted, optarg))
            return command_misused("capture", "--controller %s: an IP address is wanted, %d at most", optarg,
                                   FILTER_CONTROLLERS_MAX);
        break;
    case 'p':
        if (!add_port_list(job, optarg))
            return command_misused("capture",
                                   "--ports: numbers from 1 to 65535 are wanted, as 3890,8000-8010");
        break;
    case 'f':
        job->filter = optarg;
        break;
    case 'S':
        n = job->snaplen = parse_number(optarg, 64, 262144);
        break;
    case 'r':
        n = parse_number(optarg, 1, 2047);
        job->ring_bytes = n < 0 ? 0 : n << 20;
        break;
    case 'm':
        job->options.memory_limit = option_memory(optarg);
        if (job->options.memory_limit == 0)
            return command_misused("capture", "--memory %s: " OPTION_MEMORY_WANTED, optarg);
        break;
    case 'j':
        job->json = true;
        break;
    case 'b':
        job->batches = optarg;
        break;
    case 's':
        job->stats = true;
        break;
    case 'd':
        if (!decode_rules_add(&job->rules, optarg))
            return command_misused("capture", "--decode %s: %s", optarg, decode_rules_error(optarg));
        break;
    case 'h':
        command_print_help(command_find("capture"), stdout);
        exit(EXIT_FINE);
    default:
        return command_misused("capture", "no such option, or its value is missing");
    }
    return n < 0 ? command_misused("capture", "%s: a number that is out of range", optarg) : EXIT_FINE;
}

static int parse(struct capture_job *job, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"interface", required_argument, NULL, 'i'},
        {"threads", required_argument, NULL, 't'},
        {"controller", required_argument, NULL, 'C'},
        {"ports", required_argument, NULL, 'p'},
        {"filter", required_argument, NULL, 'f'},
        {"snaplen", required_argument, NULL, 'S'},
        {"ring", required_argument, NULL, 'r'},
        {"memory", required_argument, NULL, 'm'},
        {"json", no_argument, NULL, 'j'},
        {"batches", required_argument, NULL, 'b'},
        {"stats", no_argument, NULL, 's'},
        {"decode", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int c, status;
    opterr = 0;
    while ((c = getopt_long(argc, argv, "hi:", options, NULL)) != -1)
        if ((status = parse_option(job, c)) != EXIT_FINE)
            return status;
    if (optind < argc)
        return command_misused("capture", "%s: interfaces are given by -i", argv[optind]);
    if (job->interfaces_count == 0)
        return command_misused("capture",
                               "which interface? (-i, or capture/interfaces in the file of --config)");
    if (job->interfaces_count * job->threads > WORKERS_MAX)
        return command_misused("capture", "more than %d threads in all", WORKERS_MAX);
    if (!job->filter) {
        if (!filter_build(&job->wanted, job->filter_text))
            return command_misused("capture", "too many controllers or ports for one filter");
        job->filter = job->filter_text;
    }
    const char *error = live_filter_error(job->filter);
    return error ? command_misused("capture", "--filter: %s", error) : EXIT_FINE;
}

/* Signals come by descriptor, to the writing thread; workers must not get them either. */
static bool prepare_descriptors(struct capture_job *job)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    job->signal_descriptor = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    job->stop_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    job->wake_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return job->signal_descriptor >= 0 && job->stop_descriptor >= 0 && job->wake_descriptor >= 0;
}

static bool start_workers(struct capture_job *job)
{
    for (size_t i = 0; i < job->interfaces_count; i++) {
        for (unsigned k = 0; k < job->threads; k++) {
            struct capture_worker *worker = &job->workers[job->workers_count];
            worker->live = (struct live_options){
                .interface = job->interfaces[i],
                .filter = job->filter,
                .snaplen = job->snaplen,
                .ring_bytes = job->ring_bytes,
                .fanout = job->threads > 1,
                .fanout_group = (uint16_t)((unsigned)getpid() * INTERFACES_MAX + i),
            };
            worker->options = &job->options;
            worker->rules = &job->rules;
            worker->stop_descriptor = job->stop_descriptor;
            worker->wake_descriptor = job->wake_descriptor;
            if (!capture_worker_start(worker)) {
                command_failed(job->interfaces[i], worker->error);
                capture_worker_free(worker);
                return false;
            }
            job->workers_count++;
        }
    }
    return true;
}

/* The last packets are in; what is pending in the engines follows. */
static void finish_workers(struct capture_job *job, struct engine_stats *total)
{
    uint64_t one = 1;
    if (write(job->stop_descriptor, &one, sizeof(one)) < 0)
        return;
    for (size_t i = 0; i < job->workers_count; i++)
        capture_worker_join(&job->workers[i]);
    drain(job);
    for (size_t i = 0; i < job->workers_count; i++) {
        job->workers[i].direct = job->output;
        engine_finish(job->workers[i].engine);
        summary_add(total, engine_stats(job->workers[i].engine));
    }
}

static void print_totals(struct capture_job *job, const struct engine_stats *total)
{
    struct totals t = totals_of(job);
    FILE *out = job->json ? stderr : stdout;
    summary_print(total, out);
    fprintf(out,
            "  received by the kernel: %" PRIu64 "; dropped: %" PRIu64 " by the kernel, %" PRIu64
            " by the interface, %" PRIu64 " activities for want of room; interface lost %" PRIu64 " times\n",
            t.received, t.dropped, t.ifdropped, t.refused, t.absences);
    if (job->stats)
        summary_print_json(total, stderr);
}

static void free_job(struct capture_job *job)
{
    for (size_t i = 0; i < job->workers_count; i++)
        capture_worker_free(&job->workers[i]);
    close(job->signal_descriptor);
    close(job->stop_descriptor);
    close(job->wake_descriptor);
    config_destroy(&job->config);
}

static int run(struct capture_job *job)
{
    struct engine_stats *total = calloc(1, sizeof(*total));
    if (!total || !prepare_descriptors(job)) {
        free(total);
        return command_failed("capture", strerror(errno));
    }
    bool started = start_workers(job);
    if (started) {
        fprintf(stderr, "picket: capturing on %zu interface%s with %zu thread%s; interrupt to end\n",
                job->interfaces_count, job->interfaces_count > 1 ? "s" : "", job->workers_count,
                job->workers_count > 1 ? "s" : "");
        write_until_stopped(job);
    }
    finish_workers(job, total);
    clear_rate(job);
    int status = started ? EXIT_FINE : EXIT_FAILED;
    if (!job->output->close(job->output))
        status = command_failed(job->batches ? job->batches : "standard output", strerror(errno));
    if (started)
        print_totals(job, total);
    free_job(job);
    free(total);
    return status;
}

int command_capture(int argc, char **argv)
{
    static struct capture_job job = {.threads = 1};
    int status = parse(&job, argc, argv);
    if (status != EXIT_FINE)
        return status;
    /* Fingerprints of tickets must not be comparable with those of anybody else. */
    if (getrandom(job.options.fingerprint_key, sizeof(job.options.fingerprint_key), 0) < 0)
        return command_failed("random numbers", strerror(errno));
    job.terminal = isatty(STDERR_FILENO);
    if (job.batches)
        job.output = output_batches_new(job.batches);
    else
        job.output = job.json ? output_json_new(stdout) : output_table_new(stdout);
    if (!job.output)
        return command_failed(job.batches ? job.batches : "output", strerror(errno));
    return run(&job);
}
