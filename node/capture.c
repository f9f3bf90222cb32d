/* SPDX-License-Identifier: Apache-2.0
 *
 * picket capture: what `picket read` does, live.
 */
#include "base/clock.h"
#include "node/capture_group.h"
#include "node/command.h"
#include "node/key_options.h"
#include "node/key_report.h"
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
#include <sys/signalfd.h>
#include <unistd.h>

const char command_capture_options[] =
    "  --config FILE         takes the settings of FILE's sections `capture` and `keys`; options after it\n"
    "                        override them\n"
    "  -i, --interface NAME  the interface to capture; may be given several times\n"
    "  --threads K           threads for each interface; flows are spread among them (1)\n"
    "  --controller ADDRESS  a domain controller: only its traffic is captured; may be given several times\n"
    "  --ports LIST          further ports to capture, as 3890,8000-8010\n"
    "  --filter EXPRESSION   the packet filter, as pcap-filter(7), instead of the one built from ports and\n"
    "                        controllers; \"\" captures everything\n"
    "  --snaplen N           bytes of each packet to look at (65535)\n"
    "  --ring MB             kernel buffer of each thread (48)\n"
    "  --memory MB           the most that flows and reassembly may take, for each thread (192)\n"
    "  --json                one JSON object per activity, one a line, instead of the table\n"
    "  --batches FILE        writes the activities to FILE, in compressed batches, instead of the table\n"
    "  --stats               the summary as one JSON object on standard error\n"
    "  --decode RULE         tcp/PORT=PROTOCOL or udp/PORT=PROTOCOL\n"
    "  --keytab FILE         keys to read with what is sealed; may be given several times\n"
    "\n"
    "Runs until it is interrupted (SIGINT, SIGTERM); the summary follows. An interface that vanishes is "
    "waited\n"
    "for. The rate stands on standard error: packets and activities in a second, and what was lost so far.\n";

struct capture_job {
    bool json;
    bool stats;
    const char *batches;
    struct config *config;      /* owns what it gave to the settings */
    bool interfaces_configured; /* -i replaces those of the file */
    struct capture_settings settings;
    struct key_options keys;
    struct key_client *key_client; /* NULL: no keytab */

    struct output *output;
    struct capture_group group;
    int signal_descriptor;
    bool terminal; /* the rate line is drawn over itself */
    bool rate_drawn;
};

/* -- the rate line ---------------------------------------------------------------------------------- */

static void clear_rate(struct capture_job *job)
{
    if (job->rate_drawn)
        fputs("\r\033[K", stderr);
    job->rate_drawn = false;
}

static void show_rate(struct capture_job *job, const struct capture_totals *before,
                      const struct capture_totals *now, double seconds)
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

static void write_record(void *context, struct bytes record)
{
    struct capture_job *job = context;
    clear_rate(job);
    job->output->record(job->output, record);
}

#define WRITER_TURN 200 /* ms */

static void write_until_stopped(struct capture_job *job)
{
    int64_t period = job->terminal ? CLOCK_SECOND : 10 * CLOCK_SECOND;
    int64_t shown = clock_monotonic(clock_system());
    struct capture_totals before = {0};
    for (;;) {
        struct pollfd fds[2] = {{.fd = job->signal_descriptor, .events = POLLIN},
                                {.fd = job->group.wake_descriptor, .events = POLLIN}};
        poll(fds, 2, WRITER_TURN);
        if (fds[0].revents)
            return;
        /* After a wake-up more usually follows: rows are shown together. */
        if (capture_group_drain(&job->group, write_record, job) > 0 && job->output->flush)
            job->output->flush(job->output);
        int64_t now = clock_monotonic(clock_system());
        if (now - shown >= period) {
            struct capture_totals totals;
            capture_group_totals(&job->group, &totals);
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
        if (!filter_add_ports(&job->settings.wanted, part))
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
    char fault[CAPTURE_FAULT_MAX];
    job->interfaces_configured = job->settings.interfaces_count == 0;
    if (!capture_settings_use(&job->settings, config, job->interfaces_configured, fault))
        return command_misused("capture", "%s: %s", path, fault);
    return key_options_use(&job->keys, config) ? EXIT_FINE : command_misused("capture", KEY_OPTIONS_MANY);
}

static int parse_option(struct capture_job *job, int c)
{
    int n = 0;
    switch (c) {
    case 'c':
        return use_config(job, optarg);
    case 'i':
        if (job->interfaces_configured)
            job->settings.interfaces_count = 0;
        job->interfaces_configured = false;
        if (job->settings.interfaces_count == INTERFACES_MAX)
            return command_misused("capture", "more than %d interfaces", INTERFACES_MAX);
        job->settings.interfaces[job->settings.interfaces_count++] = optarg;
        return EXIT_FINE;
    case 't':
        n = parse_number(optarg, 1, THREADS_MAX);
        job->settings.threads = (unsigned)n;
        break;
    case 'C':
        if (!filter_add_controller(&job->settings.wanted, optarg))
            return command_misused("capture", "--controller %s: an IP address is wanted, %d at most", optarg,
                                   FILTER_CONTROLLERS_MAX);
        break;
    case 'p':
        if (!add_port_list(job, optarg))
            return command_misused("capture",
                                   "--ports: numbers from 1 to 65535 are wanted, as 3890,8000-8010");
        break;
    case 'f':
        job->settings.filter = optarg;
        break;
    case 'S':
        n = job->settings.snaplen = parse_number(optarg, 64, 262144);
        break;
    case 'r':
        n = parse_number(optarg, 1, 2047);
        job->settings.ring_bytes = n < 0 ? 0 : n << 20;
        break;
    case 'm':
        job->settings.options.memory_limit = option_memory(optarg);
        if (job->settings.options.memory_limit == 0)
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
        if (!decode_rules_add(&job->settings.rules, optarg))
            return command_misused("capture", "--decode %s: %s", optarg, decode_rules_error(optarg));
        break;
    case 'k':
        if (!key_options_add(&job->keys, optarg))
            return command_misused("capture", KEY_OPTIONS_MANY);
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
        {"config", required_argument, NULL, 'c'},  {"interface", required_argument, NULL, 'i'},
        {"threads", required_argument, NULL, 't'}, {"controller", required_argument, NULL, 'C'},
        {"ports", required_argument, NULL, 'p'},   {"filter", required_argument, NULL, 'f'},
        {"snaplen", required_argument, NULL, 'S'}, {"ring", required_argument, NULL, 'r'},
        {"memory", required_argument, NULL, 'm'},  {"json", no_argument, NULL, 'j'},
        {"batches", required_argument, NULL, 'b'}, {"stats", no_argument, NULL, 's'},
        {"decode", required_argument, NULL, 'd'},  {"keytab", required_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    int c, status;
    opterr = 0;
    while ((c = getopt_long(argc, argv, "hi:", options, NULL)) != -1)
        if ((status = parse_option(job, c)) != EXIT_FINE)
            return status;
    if (optind < argc)
        return command_misused("capture", "%s: interfaces are given by -i", argv[optind]);
    if (job->settings.interfaces_count == 0)
        return command_misused("capture",
                               "which interface? (-i, or capture/interfaces in the file of --config)");
    char fault[CAPTURE_FAULT_MAX];
    return capture_settings_finish(&job->settings, fault) ? EXIT_FINE
                                                          : command_misused("capture", "%s", fault);
}

/* Signals come by descriptor, to the writing thread; workers must not get them either. */
static bool prepare_signals(struct capture_job *job)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    job->signal_descriptor = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return job->signal_descriptor >= 0;
}

/* The last packets are in; what is pending in the engines follows. */
static void finish_workers(struct capture_job *job, struct engine_stats *total)
{
    capture_group_stop(&job->group);
    capture_group_drain(&job->group, write_record, job);
    for (size_t i = 0; i < job->group.workers_count; i++) {
        struct capture_worker *worker = &job->group.workers[i];
        worker->direct = job->output;
        engine_finish(worker->engine);
        summary_add(total, engine_stats(worker->engine));
    }
}

static void print_keys(struct capture_job *job, FILE *out)
{
    if (!job->key_client)
        return;
    key_client_refresh(job->key_client);
    key_report_print(job->key_client, out, stderr);
}

static void print_totals(struct capture_job *job, const struct engine_stats *total)
{
    struct capture_totals t;
    capture_group_totals(&job->group, &t);
    FILE *out = job->json ? stderr : stdout;
    summary_print(total, out);
    fprintf(out,
            "  received by the kernel: %" PRIu64 "; dropped: %" PRIu64 " by the kernel, %" PRIu64
            " by the interface, %" PRIu64 " activities for want of room; interface lost %" PRIu64 " times\n",
            t.received, t.dropped, t.ifdropped, t.refused, t.absences);
    print_keys(job, out);
    if (job->stats)
        summary_print_json(total, stderr);
}

static void free_job(struct capture_job *job)
{
    capture_group_free(&job->group);
    key_client_destroy(&job->key_client);
    close(job->signal_descriptor);
    config_destroy(&job->config);
}

static int run(struct capture_job *job)
{
    struct engine_stats *total = calloc(1, sizeof(*total));
    unsigned lines = (unsigned)job->settings.interfaces_count * job->settings.threads;
    if (!total || !prepare_signals(job)) {
        free(total);
        return command_failed("capture", strerror(errno));
    }
    if (!key_options_start(&job->keys, lines, &key_line_live, &job->key_client)) {
        close(job->signal_descriptor);
        config_destroy(&job->config);
        free(total);
        return EXIT_FAILED;
    }
    job->settings.keys = job->key_client;
    char fault[CAPTURE_FAULT_MAX];
    bool started = capture_group_start(&job->group, &job->settings, fault);
    if (!started) {
        fprintf(stderr, "picket: %s\n", fault);
    } else {
        fprintf(stderr, "picket: capturing on %zu interface%s with %zu thread%s; interrupt to end\n",
                job->settings.interfaces_count, job->settings.interfaces_count > 1 ? "s" : "",
                job->group.workers_count, job->group.workers_count > 1 ? "s" : "");
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
    static struct capture_job job = {.settings.threads = 1};
    int status = parse(&job, argc, argv);
    if (status != EXIT_FINE)
        return status;
    job.terminal = isatty(STDERR_FILENO);
    if (job.batches)
        job.output = output_batches_new(job.batches);
    else
        job.output = job.json ? output_json_new(stdout) : output_table_new(stdout);
    if (!job.output)
        return command_failed(job.batches ? job.batches : "output", strerror(errno));
    return run(&job);
}
