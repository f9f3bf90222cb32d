/* SPDX-License-Identifier: Apache-2.0
 *
 * picket read: captures, event logs (or batches of activities) to a table, JSON, counts or batches.
 */
#include "base/batch.h"
#include "capture/source.h"
#include "node/command.h"
#include "node/decode_rule.h"
#include "node/event_log.h"
#include "node/key_options.h"
#include "node/key_report.h"
#include "node/offline_resolver.h"
#include "node/option.h"
#include "node/output.h"
#include "node/progress.h"
#include "node/summary.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <time.h>

const char command_read_options[] =
    "  --json              one JSON object per activity, one a line, instead of the table\n"
    "  --counts            one JSON object of message counts, summed over the files, instead of the table\n"
    "  --batches FILE      writes the activities to FILE, in compressed batches, instead of the table\n"
    "  --stats             the summary as one JSON object on standard error\n"
    "  --resolve           adds who the addresses and names are, as far as the activities tell\n"
    "  --store DIR         likewise, with the identities of that entity store: a node's is\n"
    "                      /var/lib/picket/directory, also while it runs\n"
    "  --decode RULE       tcp/PORT=PROTOCOL or udp/PORT=PROTOCOL: flows with that server port speak that\n"
    "                      protocol; may be given several times\n"
    "  --keytab FILE       keys to read with what is sealed; may be given several times\n"
    "  --memory MB         the most that flows and reassembly may take (192)\n"
    "\n"
    "FILE is a capture, a Windows event log (.evtx) or what --batches wrote, recognised by its beginning; - "
    "is\n"
    "standard input, for captures. They are read to their end: one that is cut off or damaged is reported "
    "on\n"
    "standard error, and what could be read counts.\n";

struct read_job {
    bool json;
    bool counts;
    bool stats;
    bool resolve;
    const char *store;
    const char *batches;
    struct engine_options options;
    struct decode_rules rules;
    struct key_options key_options;
    struct key_client *keys; /* NULL: no keytab */

    struct offline_resolver *resolver; /* NULL: nothing is resolved */
    struct output *outputs[2];
    size_t outputs_count;
    struct progress progress;
    struct engine_stats total;
    struct message_counts *total_counts;
    struct event_log_counts *logs;
    uint64_t from_batches; /* activities read from batches, not from packets */
};

/* -- what is done with each activity ---------------------------------------------------------------- */

static void put_out(void *context, struct bytes record)
{
    struct read_job *job = context;
    for (size_t i = 0; i < job->outputs_count; i++)
        job->outputs[i]->record(job->outputs[i], record);
}

static void emit(void *context, enum activity_kind kind, int64_t time, struct bytes record)
{
    struct read_job *job = context;
    (void)kind;
    (void)time;
    if (job->resolver)
        offline_resolver_take(job->resolver, record);
    else
        put_out(job, record);
}

static bool open_resolver(struct read_job *job)
{
    struct fault fault;
    if (!job->resolve)
        return true;
    job->resolver = offline_resolver_new(job->store, put_out, job, &fault);
    if (!job->resolver)
        command_failed(job->store ? job->store : "--resolve", fault.text);
    return job->resolver != NULL;
}

static bool open_outputs(struct read_job *job)
{
    if (job->batches) {
        job->outputs[job->outputs_count] = output_batches_new(job->batches);
        if (!job->outputs[job->outputs_count]) {
            command_failed(job->batches, strerror(errno));
            return false;
        }
        job->outputs_count++;
    }
    if (job->json || !(job->counts || job->batches)) {
        struct output *output = job->json ? output_json_new(stdout) : output_table_new(stdout);
        if (!output) {
            command_failed("output", strerror(ENOMEM));
            return false;
        }
        job->outputs[job->outputs_count++] = output;
    }
    return true;
}

static bool close_outputs(struct read_job *job)
{
    bool fine = true;
    if (job->resolver)
        offline_resolver_destroy(&job->resolver);
    for (size_t i = 0; i < job->outputs_count; i++) {
        if (!job->outputs[i]->close(job->outputs[i])) {
            command_failed(i == 0 && job->batches ? job->batches : "standard output", strerror(errno));
            fine = false;
        }
    }
    return fine;
}

/* -- one file --------------------------------------------------------------------------------------- */

static const char *shown_name(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

#define PACKETS_BETWEEN_LOOKS 4096
#define PACKETS_AT_A_TIME     16

static int read_packets(struct read_job *job, const char *path, struct file_source *source,
                        struct engine *engine)
{
    struct packet packets[PACKETS_AT_A_TIME];
    size_t count;
    enum source_verdict verdict;
    size_t until_look = PACKETS_BETWEEN_LOOKS;
    progress_begin(&job->progress, file_source_size(source));
    while ((verdict = file_source_batch(source, packets, PACKETS_AT_A_TIME, &count)) == SOURCE_PACKET) {
        engine_packets(engine, packets, count);
        until_look -= count < until_look ? count : until_look;
        if (until_look == 0) {
            progress_update(&job->progress, file_source_position(source));
            until_look = PACKETS_BETWEEN_LOOKS;
        }
    }
    engine_finish(engine);
    progress_clear(&job->progress);
    if (verdict == SOURCE_END)
        return EXIT_FINE;
    for (size_t i = 0; i < job->outputs_count; i++)
        if (job->outputs[i]->flush)
            job->outputs[i]->flush(job->outputs[i]);
    int status = command_failed(shown_name(path), file_source_error(source));
    /* What could be read was read and is shown; only a file that gave nothing is a failure. */
    return verdict == SOURCE_FAILED ? status : EXIT_FINE;
}

static int read_capture(struct read_job *job, const char *path)
{
    const char *error;
    struct file_source *source = file_source_open(path, &error);
    if (!source)
        return command_failed(shown_name(path), error);
    struct engine *engine = engine_new(&job->options, emit, job);
    if (!engine) {
        file_source_close(&source);
        return command_failed(shown_name(path), strerror(ENOMEM));
    }
    decode_rules_apply(&job->rules, engine);
    int status = read_packets(job, path, source, engine);
    summary_add(&job->total, engine_stats(engine));
    counts_merge(job->total_counts, engine_counts(engine));
    engine_destroy(&engine);
    file_source_close(&source);
    return status;
}

/* Gives out the records of a batch; false when one of them is no record, or there are more or fewer. */
static bool read_batch(struct read_job *job, const struct batch_reader *reader, struct activity *activity)
{
    uint64_t count;
    struct cursor records = batch_reader_records(reader, &count);
    struct cursor check = records;
    uint64_t found = 0;
    while (!cursor_done(&check) && activity_decode(&check, activity))
        found++;
    if (check.failed || found != count)
        return false;
    while (!cursor_done(&records)) {
        const uint8_t *start = records.at;
        if (!activity_decode(&records, activity))
            return false;
        emit(job, activity->kind, activity->time, (struct bytes){start, (size_t)(records.at - start)});
        job->from_batches++;
    }
    return true;
}

static int read_batches(struct read_job *job, const char *path, FILE *file)
{
    static uint8_t buffer[65536];
    struct batch_reader *reader = batch_reader_new();
    struct activity *activity = malloc(sizeof(*activity));
    const char *error = reader && activity ? NULL : strerror(ENOMEM);
    size_t n;
    while (!error && (n = fread(buffer, 1, sizeof(buffer), file)) > 0) {
        struct bytes input = {.data = buffer, .size = n};
        enum batch_verdict verdict;
        while ((verdict = batch_reader_feed(reader, &input)) == BATCH_READY && !error)
            if (!read_batch(job, reader, activity))
                error = "a batch holds what is no activity; refused whole";
        if (verdict == BATCH_INVALID)
            error = "not a batch of activities, or a damaged one";
    }
    if (!error && ferror(file))
        error = strerror(errno);
    if (!error && !batch_reader_at_boundary(reader))
        error = "cut off in the middle of a batch";
    free(activity);
    if (reader)
        batch_reader_destroy(&reader);
    return error ? command_failed(path, error) : EXIT_FINE;
}

static void emit_record(void *context, struct bytes record)
{
    emit(context, ACTIVITY_NONE, 0, record);
}

/* What is damaged in a log is told; a log that gave anything is no failure. */
static int read_event_log(struct read_job *job, const char *path, FILE *file)
{
    struct evtx_counters before = job->logs->evtx, damage;
    struct fault fault;
    char text[256];
    bool is_fine = event_log_read(fileno(file), emit_record, job, &job->progress, job->logs, &fault);
    damage = job->logs->evtx;
    damage.bad_records -= before.bad_records;
    damage.bad_chunks -= before.bad_chunks;
    damage.bad_checksums -= before.bad_checksums;
    event_log_damage(&damage, text, sizeof(text));
    if (text[0])
        command_failed(path, text);
    return is_fine ? EXIT_FINE : command_failed(path, fault.text);
}

/* Batches begin with zstd's magic number, event logs with theirs; anything else is for the capture reader to
 * judge. */
static int read_file(struct read_job *job, const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? NULL : fopen(path, "rb");
    uint8_t magic[8] = {0};
    int status;
    if (file && fread(magic, 1, sizeof(magic), file) >= 4)
        rewind(file);
    if (file && memcmp(magic, BATCH_MAGIC, 4) == 0)
        status = read_batches(job, path, file);
    else if (file && evtx_recognise((struct bytes){magic, sizeof(magic)}))
        status = read_event_log(job, path, file);
    else
        status = read_capture(job, path);
    if (file)
        fclose(file);
    return status;
}

/* -- the command ------------------------------------------------------------------------------------ */

static int parse(struct read_job *job, int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"counts", no_argument, NULL, 'c'},
        {"stats", no_argument, NULL, 's'},
        {"batches", required_argument, NULL, 'b'},
        {"decode", required_argument, NULL, 'd'},
        {"memory", required_argument, NULL, 'm'},
        {"resolve", no_argument, NULL, 'r'},
        {"store", required_argument, NULL, 'S'},
        {"keytab", required_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int c;
    opterr = 0;
    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (c) {
        case 'j':
            job->json = true;
            break;
        case 'c':
            job->counts = true;
            break;
        case 's':
            job->stats = true;
            break;
        case 'b':
            job->batches = optarg;
            break;
        case 'd':
            if (!decode_rules_add(&job->rules, optarg))
                return command_misused("read", "--decode %s: %s", optarg, decode_rules_error(optarg));
            break;
        case 'm':
            job->options.memory_limit = option_memory(optarg);
            if (job->options.memory_limit == 0)
                return command_misused("read", "--memory %s: " OPTION_MEMORY_WANTED, optarg);
            break;
        case 'S':
            job->store = optarg;
            job->resolve = true;
            break;
        case 'k':
            if (!key_options_add(&job->key_options, optarg))
                return command_misused("read", KEY_OPTIONS_MANY);
            break;
        case 'r':
            job->resolve = true;
            break;
        case 'h':
            command_print_help(command_find("read"), stdout);
            exit(EXIT_FINE);
        default:
            return command_misused("read", "%s: no such option, or its value is missing", argv[optind - 1]);
        }
    }
    if (optind == argc)
        return command_misused("read", "which file?");
    if (job->json && job->counts)
        return command_misused("read", "--json and --counts both want standard output");
    return EXIT_FINE;
}

/* One object of both, messages and events: it ends with a brace and a newline, before which events belong. */
static void print_counts(struct read_job *job)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (!memory)
        return;
    counts_print_json(job->total_counts, memory);
    fclose(memory);
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '}'))
        size--;
    fwrite(text, 1, size, stdout);
    event_log_print_counts(job->logs, size > 1, stdout);
    fputs(size > 1 || job->logs->evtx.records > 0 ? "\n}\n" : "}\n", stdout);
    free(text);
}

static void print_keys(struct read_job *job)
{
    if (!job->keys)
        return;
    key_client_refresh(job->keys);
    key_report_print(job->keys, job->json || job->counts ? NULL : stdout, stderr);
}

static void print_totals(struct read_job *job)
{
    const struct event_log_counts *logs = job->logs;
    if (job->counts)
        print_counts(job);
    else if (!job->json && job->total.packets > 0)
        summary_print(&job->total, stdout);
    if (!job->json && !job->counts && logs->files > 0)
        printf("%llu events: %llu activities, %llu of no interest, %llu not understood\n",
               (unsigned long long)logs->evtx.records, (unsigned long long)logs->told,
               (unsigned long long)logs->ignored, (unsigned long long)logs->invalid);
    if (!job->json && !job->counts && job->from_batches > 0)
        printf("%llu activities\n", (unsigned long long)job->from_batches);
    print_keys(job);
    if (job->stats)
        summary_print_json(&job->total, stderr);
}

int command_read(int argc, char **argv)
{
    static struct read_job job;
    int status = parse(&job, argc, argv);
    if (status != EXIT_FINE)
        return status;
    if (!key_options_start(&job.key_options, 1, &key_line_file, &job.keys))
        return EXIT_FAILED;
    if (job.keys)
        job.options.unsealer = key_client_unsealer(job.keys, 0);
    job.total_counts = calloc(1, sizeof(*job.total_counts));
    job.logs = calloc(1, sizeof(*job.logs));
    if (!job.total_counts || !job.logs || !open_outputs(&job) || !open_resolver(&job)) {
        if (!job.total_counts || !job.logs)
            command_failed("read", strerror(ENOMEM));
        close_outputs(&job);
        key_client_destroy(&job.keys);
        free(job.logs);
        free(job.total_counts);
        return EXIT_FAILED;
    }
    for (int i = optind; i < argc; i++) {
        int one = read_file(&job, argv[i]);
        status = one > status ? one : status;
    }
    if (!close_outputs(&job))
        status = EXIT_FAILED;
    print_totals(&job);
    if (fflush(stdout) != 0 || ferror(stdout))
        status = command_failed("standard output", strerror(errno));
    key_client_destroy(&job.keys);
    free(job.logs);
    free(job.total_counts);
    return status;
}
