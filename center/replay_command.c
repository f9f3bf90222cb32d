/* SPDX-License-Identifier: Apache-2.0
 *
 * picket-center replay: the pipeline over captures or exported activities, offline: how a threshold is tried.
 */
#include "base/clock.h"
#include "base/text.h"
#include "center/center_command.h"
#include "center/entities_file.h"
#include "center/geo.h"
#include "center/pipeline.h"
#include "center/replay_resolve.h"
#include "center/replay_source.h"
#include "center/replay_workspace.h"
#include "center/store_settings.h"

#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATE "/var/lib/picket-center"

const char center_replay_options[] =
    "options:\n"
    "  --json               one JSON object per alert, one a line, instead of the table\n"
    "  --sensitivity WORD   low, medium (unless told otherwise) or high\n"
    "  --set WHAT=VALUE     a threshold: DETECTOR.SETTING=NUMBER; may be given several times\n"
    "  --exclude RULE       \"DETECTOR account:NAME\", computer:, address: or domain:; * is any detector\n"
    "  --entities FILE      the directory: batches of entities, or NDJSON (docs/directory-view.md); may be\n"
    "                       given several times\n"
    "  --geo FILE           where in the world addresses are: a database in MaxMind's format\n"
    "  --workspace NAME     as this workspace of a center has it: settings, directory, what was learned\n"
    "  --state DIR          of that center (" STATE ")\n"
    "  --learned            what was never seen is unusual: learning periods count as over\n"
    "  --activities         the activities with whom they were resolved to, one JSON object a line, instead\n"
    "                       of alerts\n"
    "  --learn FILE         reads this file first and raises nothing about it; may be given several times\n"
    "  --stats              what was read and raised, as one JSON object on standard error\n"
    "  --help               shows this help\n"
    "\nFILE is a capture (pcap, pcapng), batches of activities (picket read --batches), or activities in "
    "JSON, "
    "one a\nline (picket read --json, picket-center log). Files are read in the order in which they are "
    "given.\n";

#define ALERTS_MAX    100000u
#define ACTIVITY_LINE (8u * ACTIVITY_BYTES_MAX)

struct replay_job {
    bool json, stats, quiet, activities;
    char *line; /* of JSON, with --activities */
    struct workspace_settings settings;
    const char *workspace_name, *state;
    struct replay_workspace workspace;
    struct pipeline *pipeline;
    struct entities *entities; /* NULL: nothing is known of a directory */
    struct replay_resolve *resolve;
    struct activity_place place;
    struct alert **alerts;
    uint32_t alert_count;
    uint64_t dropped;
};

static struct alert *find_open(const struct replay_job *job, const struct alert *alert)
{
    for (uint32_t i = 0; i < job->alert_count; i++)
        if (job->alerts[i]->external_id == alert->external_id &&
            subject_equal(job->alerts[i]->key, alert->key))
            return job->alerts[i];
    return NULL;
}

static void take_alert(void *context, const struct alert *alert)
{
    struct replay_job *job = context;
    if (job->quiet)
        return;
    struct alert *open = find_open(job, alert);
    if (open) {
        open->count++;
        open->end = alert->end;
        return;
    }
    struct alert *copy = job->alert_count < ALERTS_MAX ? malloc(sizeof(*copy)) : NULL;
    if (!copy) {
        job->dropped++;
        return;
    }
    *copy = *alert;
    job->alerts[job->alert_count++] = copy;
}

/* Of the files; the resolver hands it on. */
static void take_record(void *context, struct bytes record)
{
    const struct replay_job *job = context;
    replay_resolve_record(job->resolve, record);
}

static void take_resolved(void *context, struct bytes record)
{
    static const uint8_t nobody[16];
    struct replay_job *job = context;
    pipeline_activity(job->pipeline, record, job->place, INT64_MAX, nobody);
    job->place.index++;
}

static void show_activity(void *context, const struct observation *o)
{
    const struct replay_job *job = context;
    if (!job->quiet && job->line) {
        activity_to_json(o->activity, job->line, ACTIVITY_LINE);
        puts(job->line);
    }
}

static bool read_file(struct replay_job *job, const char *path)
{
    static const struct replay_options options;
    struct fault fault, damage;
    job->place.position++;
    job->place.index = 0;
    bool fine = replay_file(path, &options, take_record, job, &fault, &damage);
    replay_resolve_flush(job->resolve);
    if (!fine)
        fprintf(stderr, "picket-center: %s\n", fault.text);
    else if (damage.text[0])
        fprintf(stderr, "picket-center: %s\n", damage.text);
    return fine;
}

/* -- what is shown ----------------------------------------------------------------------------------------
 */

static bool print_json(const struct replay_job *job)
{
    char *json = malloc(ALERT_JSON_MAX);
    for (uint32_t i = 0; json && i < job->alert_count; i++) {
        alert_to_json(job->alerts[i], json, ALERT_JSON_MAX);
        puts(json);
    }
    free(json);
    return json != NULL;
}

static void set_party(struct libscols_line *line, size_t column, const struct alert *alert,
                      enum alert_role role)
{
    const struct alert_party *party = alert_party(alert, role);
    if (party)
        scols_line_set_data(line, column, party->name);
}

static bool print_table(const struct replay_job *job)
{
    static const char *const headings[] = {"TIME (UTC)", "ID",    "SEVERITY", "SOURCE",
                                           "ACCOUNT",    "TIMES", "WHAT"};
    struct libscols_table *table = scols_new_table();
    if (!table)
        return false;
    for (size_t i = 0; i < sizeof(headings) / sizeof(*headings); i++)
        scols_table_new_column(table, headings[i], i == 6 ? 0.5 : 0, i == 6 ? SCOLS_FL_WRAP : 0);
    for (uint32_t i = 0; i < job->alert_count; i++) {
        const struct alert *alert = job->alerts[i];
        char time[CLOCK_RFC3339_MAX], number[24];
        struct libscols_line *line = scols_table_new_line(table, NULL);
        if (!line)
            break;
        clock_rfc3339(alert->start, time);
        time[19] = '\0';
        scols_line_set_data(line, 0, time);
        snprintf(number, sizeof(number), "%" PRIu32, alert->external_id);
        scols_line_set_data(line, 1, number);
        scols_line_set_data(line, 2, severity_name(alert->severity));
        set_party(line, 3, alert, ALERT_SOURCE);
        set_party(line, 4, alert, ALERT_ACCOUNT);
        snprintf(number, sizeof(number), "%" PRIu64, alert->count);
        scols_line_set_data(line, 5, number);
        scols_line_set_data(line, 6, alert->explanation);
    }
    bool fine = scols_print_table(table) == 0;
    scols_unref_table(table);
    return fine;
}

static void print_stats(const struct replay_job *job)
{
    struct pipeline_counters c;
    pipeline_counters(job->pipeline, &c);
    fprintf(stderr,
            "{\"activities\":%" PRIu64 ",\"malformed\":%" PRIu64 ",\"unknown_kinds\":%" PRIu64
            ",\"twins\":%" PRIu64 ",\"raised\":%" PRIu64 ",\"learning\":%" PRIu64 ",\"excluded\":%" PRIu64
            ",\"subjects\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"alerts\":%" PRIu32 ",\"dropped\":%" PRIu64
            "}\n",
            c.activities, c.malformed, c.unknown_kinds, c.twins, c.raised, c.learning, c.excluded, c.subjects,
            c.bytes, job->alert_count, job->dropped);
}

/* -- options ----------------------------------------------------------------------------------------------
 */

/* "ticket-life.corp.example=24" */
static bool take_life(struct workspace_settings *settings, const char *text)
{
    char domain[128], *end;
    const char *equals = strchr(text, '=');
    size_t size = equals ? (size_t)(equals - text) : sizeof(domain);
    if (size >= sizeof(domain))
        return false;
    memcpy(domain, text, size);
    domain[size] = '\0';
    double hours = strtod(equals + 1, &end);
    return end != equals + 1 && *end == '\0' && workspace_set_ticket_life(settings, domain, hours);
}

static bool take_setting(struct workspace_settings *settings, const char *text)
{
    if (strncmp(text, SETTING_TICKET_LIFE ".", sizeof(SETTING_TICKET_LIFE)) == 0)
        return take_life(settings, text + sizeof(SETTING_TICKET_LIFE));
    const char *dot = strchr(text, '.'), *equals = strchr(text, '=');
    struct override *to = &settings->overrides[settings->override_count];
    char *end;
    if (!dot || !equals || dot > equals || settings->override_count == WORKSPACE_OVERRIDES_MAX ||
        (size_t)(dot - text) >= sizeof(to->detector) || (size_t)(equals - dot) > sizeof(to->setting))
        return false;
    *to = (struct override){0};
    memcpy(to->detector, text, (size_t)(dot - text));
    memcpy(to->setting, dot + 1, (size_t)(equals - dot - 1));
    to->value = strtod(equals + 1, &end);
    const struct detector *detector = detector_by_word(to->detector);
    if (end == equals + 1 || *end || !detector)
        return false;
    for (const struct detector_setting *s = detector->settings; s && s->name; s++)
        if (strcmp(s->name, to->setting) == 0 && to->value >= s->least && to->value <= s->most) {
            settings->override_count++;
            return true;
        }
    return false;
}

static bool take_exclusion(struct workspace_settings *settings, const char *text)
{
    struct fault fault;
    if (settings->exclusion_count == WORKSPACE_EXCLUSIONS_MAX)
        return false;
    if (exclusion_parse(text, &settings->exclusions[settings->exclusion_count], &fault)) {
        settings->exclusion_count++;
        return true;
    }
    fprintf(stderr, "picket-center: %s\n", fault.text);
    return false;
}

static bool take_sensitivity(struct workspace_settings *settings, const char *word)
{
    static const char *const words[] = {
        [SENSITIVITY_LOW] = "low", [SENSITIVITY_MEDIUM] = "medium", [SENSITIVITY_HIGH] = "high"};
    for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strcmp(words[i], word) == 0) {
            settings->sensitivity = (enum sensitivity)i;
            return true;
        }
    return false;
}

/* NULL: fine, else what is wrong. */
static const char *take_entities(struct replay_job *job, const char *path)
{
    struct fault fault;
    if (!job->entities)
        job->entities = entities_new(0);
    if (job->entities && entities_read_file(job->entities, path, &fault))
        return NULL;
    fprintf(stderr, "picket-center: %s\n", job->entities ? fault.text : "out of memory");
    return "--entities wants a directory";
}

/* NULL: fine, else what is wrong. Files to learn from are read by the caller. */
static const char *take_places(const char *path)
{
    struct fault fault;
    if (geo_open(path, &fault))
        return NULL;
    fprintf(stderr, "picket-center: %s\n", fault.text);
    return "--geo wants a database of places";
}

static const char *take_option(struct replay_job *job, int option, const char *value)
{
    switch (option) {
    case 's':
        return take_sensitivity(&job->settings, value) ? NULL : "--sensitivity wants low, medium or high";
    case 't':
        return take_setting(&job->settings, value)
                   ? NULL
                   : "--set wants DETECTOR.SETTING=NUMBER, as docs/detections.md has them";
    case 'x':
        return take_exclusion(&job->settings, value)
                   ? NULL
                   : "--exclude wants \"DETECTOR account:NAME\" or the like";
    case 'w': /* taken before all others */
    case 'd':
        return NULL;
    case 'e':
        return take_entities(job, value);
    case 'g':
        return take_places(value);
    case 'j':
        job->json = true;
        return NULL;
    case 'a':
        job->activities = true;
        return NULL;
    case 'z':
        job->stats = true;
        return NULL;
    case 'l':
        job->settings.learned = true;
        return NULL;
    default:
        return "an option that is not known, or without its value";
    }
}

static bool open_workspace(struct replay_job *job)
{
    struct fault fault;
    if (replay_workspace_open(&job->workspace, job->state, job->workspace_name, &job->settings,
                              &job->entities, &fault))
        return true;
    fprintf(stderr, "picket-center: %s\n", fault.text);
    return false;
}

static int replay(struct replay_job *job, char **learn, int learn_count, char **files, int count)
{
    const struct pipeline_config config = {.settings = &job->settings,
                                           .directory = job->entities ? entities_view(job->entities)
                                                                      : directory_view_none,
                                           .seed = job->workspace.seed,
                                           .shards = 1,
                                           .alert = take_alert,
                                           .observed = job->activities ? show_activity : NULL,
                                           .context = job};
    const struct resolver_directory directory =
        job->entities ? entities_resolver_directory(job->entities) : (struct resolver_directory){0};
    job->pipeline = pipeline_new(&config);
    job->resolve = replay_resolve_new(&directory, take_resolved, job);
    job->alerts = calloc(ALERTS_MAX, sizeof(struct alert *));
    job->line = job->activities ? malloc(ACTIVITY_LINE) : NULL;
    if (!job->pipeline || !job->resolve || !job->alerts) {
        fputs("picket-center: out of memory\n", stderr);
        return EXIT_FAILED;
    }
    struct fault fault;
    bool fine = true;
    if (job->workspace.store && !replay_workspace_remember(&job->workspace, job->pipeline, &fault)) {
        fprintf(stderr, "picket-center: %s\n", fault.text);
        return EXIT_FAILED;
    }
    job->quiet = true;
    for (int i = 0; i < learn_count; i++)
        fine = read_file(job, learn[i]) && fine;
    job->quiet = false;
    for (int i = 0; i < count; i++)
        fine = read_file(job, files[i]) && fine;
    if (!job->activities && !(job->json ? print_json(job) : print_table(job)))
        fine = false;
    if (job->stats)
        print_stats(job);
    if (fflush(stdout) != 0) {
        perror("picket-center: standard output");
        fine = false;
    }
    return fine ? EXIT_FINE : EXIT_FAILED;
}

int center_replay(int argc, char **argv)
{
    const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                     {"stats", no_argument, NULL, 'z'},
                                     {"sensitivity", required_argument, NULL, 's'},
                                     {"set", required_argument, NULL, 't'},
                                     {"exclude", required_argument, NULL, 'x'},
                                     {"activities", no_argument, NULL, 'a'},
                                     {"workspace", required_argument, NULL, 'w'},
                                     {"state", required_argument, NULL, 'd'},
                                     {"entities", required_argument, NULL, 'e'},
                                     {"geo", required_argument, NULL, 'g'},
                                     {"learned", no_argument, NULL, 'l'},
                                     {"learn", required_argument, NULL, 'f'},
                                     {"help", no_argument, NULL, 'h'},
                                     {0}};
    struct replay_job *job = calloc(1, sizeof(*job));
    char **learn = calloc((size_t)argc, sizeof(*learn));
    int status = EXIT_FAILED, learn_count = 0;
    const char *wrong = NULL;
    bool help = false;
    if (!job || !learn)
        goto done;
    workspace_settings_init(&job->settings);
    job->state = STATE;
    opterr = 0;
    /* What else is said is said about the workspace. */
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'w')
            job->workspace_name = optarg;
        else if (c == 'd')
            job->state = optarg;
    }
    optind = 1;
    if (job->workspace_name && !open_workspace(job))
        goto done;
    for (int c; !wrong && !help && (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'f')
            learn[learn_count++] = optarg;
        else if (c == 'h')
            help = true;
        else
            wrong = take_option(job, c, optarg);
    }
    if (!wrong && !help && optind == argc)
        wrong = "a file is wanted";
    status = help    ? center_help("replay")
             : wrong ? center_misused("replay", wrong)
                     : replay(job, learn, learn_count, argv + optind, argc - optind);
    replay_resolve_destroy(&job->resolve);
    pipeline_destroy(&job->pipeline);
    geo_close();
    for (uint32_t i = 0; job->alerts && i < job->alert_count; i++)
        free(job->alerts[i]);
    free(job->alerts);
    free(job->line);
done:
    if (job) {
        entities_destroy(&job->entities);
        replay_workspace_close(&job->workspace);
    }
    free(job);
    free(learn);
    return status;
}
