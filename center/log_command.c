/* SPDX-License-Identifier: Apache-2.0
 *
 * picket-center log: what was received, as NDJSON: an object for each activity, one for each batch of
 * entities, one for each batch that was refused.
 */
#include "base/activity.h"
#include "base/batch.h"
#include "base/batch_fence.h"
#include "base/clock.h"
#include "base/text.h"
#include "center/center_command.h"
#include "center/center_config.h"
#include "center/received_log.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

const char center_log_options[] =
    "options:\n"
    "  --config FILE  configuration (" CENTER_CONFIG_FILE "), when no DIR is given\n"
    "  --from POS     begins with the entry at this position\n"
    "  --follow       waits for more, until interrupted\n"
    "  --help         shows this help\n"
    "\nDIR is the directory of the log, STATE/log. Positions count what was received; the activities of one "
    "batch have the same.\n";

#define JSON_MAX (8u * ACTIVITY_BYTES_MAX + 1u)
#define PAUSE    (200 * CLOCK_MILLISECOND)

struct printer {
    struct batch_reader *activities, *entities;
    struct activity activity;
    char json[JSON_MAX];
};

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* Between lines: what was begun is written to its end. */
static bool goes_on(void)
{
    return !interrupted && !ferror(stdout);
}

/* How each line begins: {"position": ..., "node": ..., "generation": ..., "sequence": ..., "received": ... */
static void begin_line(const struct log_entry *entry)
{
    char node[NODE_ID_TEXT_SIZE], time[CLOCK_RFC3339_MAX], closed[CLOCK_RFC3339_MAX];
    printf("{\"position\":%" PRIu64 ",\"node\":\"%s\",\"generation\":\"%016" PRIx64 "\",\"sequence\":%" PRIu64
           ",\"received\":\"%s\",\"closed\":\"%s\"",
           entry->position, node_id_text(&entry->origin.node, node), entry->origin.generation,
           entry->origin.sequence, clock_rfc3339(entry->wall, time),
           clock_rfc3339(entry->origin.closed, closed));
}

static bool open_batch(struct batch_reader **reader, const struct batch_form *form, struct bytes content)
{
    if (!*reader)
        *reader = batch_reader_new_of(form);
    if (*reader && batch_reader_feed(*reader, &content) == BATCH_READY)
        return true;
    batch_reader_destroy(reader);
    return false;
}

static void end_damaged(const struct log_entry *entry)
{
    begin_line(entry);
    puts(",\"damaged\":true}");
}

static void print_activities(struct printer *self, const struct log_entry *entry)
{
    uint64_t count;
    if (!open_batch(&self->activities, &batch_activities, entry->content)) {
        end_damaged(entry);
        return;
    }
    struct cursor c = batch_reader_records(self->activities, &count);
    for (; count > 0 && goes_on(); count--) {
        if (!activity_decode_or_skip(&c, &self->activity)) {
            end_damaged(entry);
            if (c.failed)
                return;
            continue;
        }
        begin_line(entry);
        activity_to_json(&self->activity, self->json, sizeof(self->json));
        printf(",\"activity\":%s}\n", self->json);
    }
}

static void print_text(const char *key, struct bytes value)
{
    char json[6 * 1024];
    struct text text = text_to(json, sizeof(json));
    text_json_string(&text, value);
    text_end(&text);
    printf(",\"%s\":%s", key, json);
}

static void print_entities(struct printer *self, const struct log_entry *entry)
{
    struct batch_fence fence;
    char node[NODE_ID_TEXT_SIZE];
    struct node_id id;
    uint64_t records;
    uint32_t pairs;
    if (!open_batch(&self->entities, &batch_entities, entry->content)) {
        end_damaged(entry);
        return;
    }
    struct cursor c = batch_reader_pairs(self->entities, &pairs);
    batch_reader_records(self->entities, &records);
    if (!batch_fence_read(&fence, c, pairs)) {
        end_damaged(entry);
        return;
    }
    memcpy(id.bytes, fence.node, NODE_ID_SIZE);
    begin_line(entry);
    fputs(",\"entities\":{\"records\":", stdout);
    printf("%" PRIu64 ",\"term\":%" PRIu64 ",\"synchronizer\":\"%s\",\"incarnation\":%" PRIu64
           ",\"batch\":%" PRIu64,
           records, fence.term, node_id_text(&id, node), fence.incarnation, fence.sequence);
    print_text("domain", (struct bytes){(const uint8_t *)fence.domain, strlen(fence.domain)});
    puts("}}");
}

static void print_entry(struct printer *self, const struct log_entry *entry)
{
    switch (entry->kind) {
    case LOG_ACTIVITIES:
        print_activities(self, entry);
        return;
    case LOG_ENTITIES:
        print_entities(self, entry);
        return;
    case LOG_REFUSED:
    case LOG_MALFORMED:
        begin_line(entry);
        print_text("refused", entry->content);
        puts("}");
        return;
    case LOG_STATE:
        return;
    }
}

static int print_log(const char *directory, uint64_t from, bool follow)
{
    static const struct timespec pause = {.tv_nsec = PAUSE};
    struct fault fault;
    struct log_entry entry;
    struct printer *printer = calloc(1, sizeof(*printer));
    struct log_reader *reader = printer ? log_reader_open(disk_system(), directory, from, &fault) : NULL;
    if (!reader) {
        fprintf(stderr, "picket-center: %s\n", printer ? fault.text : "out of memory");
        free(printer);
        return EXIT_FAILED;
    }
    do {
        while (goes_on() && log_reader_next(reader, &entry))
            print_entry(printer, &entry);
        fflush(stdout);
    } while (follow && goes_on() && (nanosleep(&pause, NULL) == 0 || errno == EINTR));
    uint64_t damaged = log_reader_damaged(reader);
    if (damaged)
        fprintf(stderr, "picket-center: %" PRIu64 " files of the log are damaged\n", damaged);
    log_reader_close(&reader);
    batch_reader_destroy(&printer->activities);
    batch_reader_destroy(&printer->entities);
    free(printer);
    return damaged || ferror(stdout) ? EXIT_FAILED : EXIT_FINE;
}

static bool take_number(const char *text, uint64_t *number)
{
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
}

int center_log(int argc, char **argv)
{
    int follow = 0;
    uint64_t from = 0;
    const char *path = CENTER_CONFIG_FILE;
    const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                     {"from", required_argument, NULL, 'f'},
                                     {"follow", no_argument, &follow, 1},
                                     {"help", no_argument, NULL, 'h'},
                                     {0}};
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'c')
            path = optarg;
        else if (c == 'h')
            return center_help("log");
        else if (c == 'f' && !take_number(optarg, &from))
            return center_misused("log", "--from wants a number");
        else if (c == '?')
            return center_misused("log", "an option that is not known, or without its value");
    }
    if (argc - optind > 1)
        return center_misused("log", "one directory at most");
    /* A write that is interrupted would lose what stands in stdout's buffer, and tear a line: it goes on. */
    const struct sigaction action = {.sa_handler = interrupt, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (optind < argc)
        return print_log(argv[optind], from, follow);
    struct center_config *config = center_config_load(path);
    if (!config)
        return EXIT_USAGE;
    int status = print_log(config->log, from, follow);
    center_config_free(&config);
    return status;
}
