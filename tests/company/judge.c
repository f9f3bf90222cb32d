/* SPDX-License-Identifier: Apache-2.0
 *
 * judge: the simulated company's weeks through the pipeline, at several sensitivities: which attacks are
 * found, and what is raised about nobody's attack. With --write it writes docs/detection-company.md and its
 * picture.
 */
#include "tests/company/company.h"

#include "base/clock.h"
#include "center/pipeline.h"

#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MERGED_FOR (24 * CLOCK_HOUR) /* a repeat within a day belongs to the alert that is open */
#define EARLY      CLOCK_MINUTE
#define LATE       (15 * CLOCK_MINUTE)
#define POINTS_MAX 8u
#define EXAMPLES   3u

/* One alert, as people would see it: repeats merged. */
struct raised {
    uint32_t external_id;
    struct subject key;
    enum severity severity;
    int64_t first, last;
    uint64_t count;
    int32_t attack; /* -1: nobody's */
    char name[64], who[160];
    char explanation[400];
};

struct point {
    const char *name;
    double at; /* -1: low, 0: medium, 1: high; what is between and beyond them likewise */
    struct workspace_settings settings;
    struct detector *detectors; /* with the thresholds of there */
    struct detector_setting *thresholds;
    const struct detector **table;
    struct pipeline *pipeline;
    struct raised *alerts;
    uint32_t count, capacity;
    bool *found, *related; /* by attack */
    double seconds;
    struct judge *judge;
};

struct judge {
    struct company *company;
    const struct company_attack *attacks;
    uint32_t attack_count, point_count;
    struct point points[POINTS_MAX];
    uint64_t activities, bytes;
    struct activity_place place;
};

/* -- what is raised -------------------------------------------------------------------------------- */

static bool same_name(const char *a, const char *b)
{
    size_t size = strlen(a);
    if (size && a[size - 1] == '$')
        size--;
    return size && strncasecmp(a, b, size) == 0 && (b[size] == '\0' || b[size] == '.' || b[size] == '@');
}

static bool has_part(const struct company_attack *attack, const struct alert_party *party)
{
    if (party->address.family == attack->source.family && party->address.family &&
        memcmp(party->address.bytes, attack->source.bytes, 4) == 0)
        return true;
    return same_name(party->name, attack->computer) ||
           (attack->account[0] && same_name(party->name, attack->account));
}

static bool is_wanted(const struct company_attack *attack, uint32_t id)
{
    for (unsigned i = 0; i < COMPANY_IDS_MAX; i++)
        if (attack->ids[i] == id)
            return true;
    return false;
}

/* Whose attack it tells of: of several the one that it is wanted for. */
static int32_t attack_of(const struct judge *j, const struct alert *alert)
{
    int32_t found = -1;
    for (uint32_t i = 0; i < j->attack_count; i++) {
        const struct company_attack *a = &j->attacks[i];
        if (alert->end < a->start - EARLY || alert->end > a->end + LATE)
            continue;
        bool part = false;
        for (uint32_t k = 0; k < alert->party_count && !part; k++)
            part = has_part(a, &alert->parties[k]);
        if (part && (found < 0 || is_wanted(a, alert->external_id)))
            found = (int32_t)i;
    }
    return found;
}

static void describe(struct raised *r, const struct alert *alert)
{
    size_t used = 0;
    for (uint32_t i = 0; i < alert->party_count && i < 3 && used < sizeof(r->who); i++)
        used += (size_t)snprintf(r->who + used, sizeof(r->who) - used, "%s%s %.24s", i ? ", " : "",
                                 alert_role_name(alert->parties[i].role), alert->parties[i].name);
    snprintf(r->name, sizeof(r->name), "%s", alert->name);
    snprintf(r->explanation, sizeof(r->explanation), "%.399s", alert->explanation);
}

static struct raised *find_open(struct point *p, const struct alert *alert)
{
    for (uint32_t i = p->count; i > 0; i--) {
        struct raised *r = &p->alerts[i - 1];
        if (r->external_id == alert->external_id && subject_equal(r->key, alert->key) &&
            alert->end - r->last < MERGED_FOR)
            return r;
    }
    return NULL;
}

static void take(void *context, const struct alert *alert)
{
    struct point *p = context;
    int32_t attack = attack_of(p->judge, alert);
    if (attack >= 0) {
        p->related[attack] = true;
        p->found[attack] |= is_wanted(&p->judge->attacks[attack], alert->external_id);
    }
    struct raised *r = find_open(p, alert);
    if (!r) {
        if (p->count == p->capacity) {
            p->capacity = p->capacity * 2 + 256;
            p->alerts = realloc(p->alerts, p->capacity * sizeof(*p->alerts));
            if (!p->alerts)
                abort();
        }
        r = &p->alerts[p->count++];
        *r = (struct raised){.external_id = alert->external_id,
                             .key = alert->key,
                             .severity = alert->severity,
                             .first = alert->end,
                             .attack = attack};
        describe(r, alert);
    }
    r->last = alert->end;
    r->count++;
    if (attack >= 0)
        r->attack = attack;
    if (alert->severity > r->severity)
        r->severity = alert->severity;
}

/* -- the weeks ------------------------------------------------------------------------------------- */

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Records of a while, so that each pipeline runs through many at once. */
#define HELD_BYTES (64u << 20)
struct held {
    struct judge *judge;
    uint8_t *bytes;
    size_t used;
    uint32_t *sizes;
    uint32_t count, capacity;
};

static void run_held(struct held *h)
{
    static const uint8_t node[16] = {1};
    struct judge *j = h->judge;
    for (uint32_t p = 0; p < j->point_count; p++) {
        double before = cpu_seconds();
        size_t at = 0;
        struct activity_place place = j->place;
        for (uint32_t i = 0; i < h->count; i++) {
            place.position++;
            pipeline_activity(j->points[p].pipeline, (struct bytes){h->bytes + at, h->sizes[i]}, place,
                              INT64_MAX, node);
            at += h->sizes[i];
        }
        j->points[p].seconds += cpu_seconds() - before;
    }
    j->place.position += h->count;
    j->activities += h->count;
    j->bytes += h->used;
    h->used = h->count = 0;
}

static void hold(void *context, struct bytes record)
{
    struct held *h = context;
    if (h->used + record.size > HELD_BYTES)
        run_held(h);
    if (h->count == h->capacity) {
        h->capacity = h->capacity * 2 + 65536;
        h->sizes = realloc(h->sizes, h->capacity * sizeof(*h->sizes));
        if (!h->sizes)
            abort();
    }
    memcpy(h->bytes + h->used, record.data, record.size);
    h->sizes[h->count++] = (uint32_t)record.size;
    h->used += record.size;
}

/* Between two sensitivities, and beyond them, in equal ratios; what is nothing in one of them in equal steps.
 */
static double threshold_at(const struct detector_setting *s, double at)
{
    const double other = at < 0 ? s->low : s->high, by = fabs(at);
    double value = s->medium > 0 && other > 0 ? s->medium * pow(other / s->medium, by)
                                              : s->medium + by * (other - s->medium);
    return value < s->least ? s->least : value > s->most ? s->most : value;
}

/* All detectors, with thresholds of that point as those of medium sensitivity. */
static void set_thresholds(struct point *p)
{
    uint32_t count = 0, settings = 0;
    for (; detectors[count]; count++)
        for (const struct detector_setting *s = detectors[count]->settings; s && s->name; s++)
            settings++;
    p->detectors = calloc(count, sizeof(*p->detectors));
    p->table = calloc(count + 1, sizeof(*p->table));
    p->thresholds = calloc(settings + count, sizeof(*p->thresholds));
    if (!p->detectors || !p->table || !p->thresholds)
        abort();
    struct detector_setting *to = p->thresholds;
    for (uint32_t i = 0; i < count; i++) {
        p->detectors[i] = *detectors[i];
        p->table[i] = &p->detectors[i];
        if (!detectors[i]->settings)
            continue;
        p->detectors[i].settings = to;
        for (const struct detector_setting *s = detectors[i]->settings; s->name; s++, to++) {
            *to = *s;
            to->medium = threshold_at(s, p->at);
        }
        to++; /* the end */
    }
}

static void start_point(struct judge *j, struct point *p)
{
    workspace_settings_init(&p->settings);
    p->settings.id = 1;
    set_thresholds(p);
    p->judge = j;
    p->found = calloc(j->attack_count + 1, 1);
    p->related = calloc(j->attack_count + 1, 1);
    const struct pipeline_config config = {.settings = &p->settings,
                                           .directory = company_directory(j->company),
                                           .seed = {7},
                                           .shards = 1,
                                           .detectors = p->table,
                                           .alert = take,
                                           .context = p};
    p->pipeline = pipeline_new(&config);
    if (!p->found || !p->related || !p->pipeline)
        abort();
}

static void run(struct judge *j)
{
    const struct company_options *o = company_options_of(j->company);
    struct held h = {.judge = j, .bytes = malloc(HELD_BYTES)};
    if (!h.bytes)
        abort();
    for (uint32_t i = 0; i < j->point_count; i++)
        start_point(j, &j->points[i]);
    for (uint32_t hour = 0; hour < o->days * 24; hour++) {
        company_hour(j->company, hour, hold, &h);
        run_held(&h);
        if (hour % 24 == 23)
            fprintf(stderr, "\rday %u of %u: %" PRIu64 " activities", hour / 24 + 1, o->days, j->activities);
    }
    fputc('\n', stderr);
    free(h.bytes);
    free(h.sizes);
}

/* -- what came of it ------------------------------------------------------------------------------- */

static bool is_false(const struct raised *r)
{
    return r->attack < 0 && r->severity >= SEVERITY_MEDIUM;
}

/* Several detectors may share an external id, and some the name as well. */
static bool is_false_of(const struct raised *r, const struct detector *detector)
{
    return is_false(r) && r->external_id == detector->external_id && strcmp(r->name, detector->name) == 0;
}

/* An earlier detector has the same id and name: its row counts both. */
static bool is_told_before(unsigned which)
{
    for (unsigned d = 0; d < which; d++)
        if (detectors[d]->external_id == detectors[which]->external_id &&
            strcmp(detectors[d]->name, detectors[which]->name) == 0)
            return true;
    return false;
}

/* Whether people can choose it. */
static bool is_sensitivity(const struct point *p)
{
    return p->at == -1 || p->at == 0 || p->at == 1;
}

static uint32_t count_false(const struct point *p)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->count; i++)
        count += is_false(&p->alerts[i]);
    return count;
}

static uint32_t count_found(const struct judge *j, const struct point *p)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < j->attack_count; i++)
        count += p->found[i];
    return count;
}

static double recall_of(const struct judge *j, const struct point *p)
{
    return count_found(j, p) / (double)(j->attack_count ? j->attack_count : 1);
}

static double per_day(const struct judge *j, uint32_t count)
{
    return count / (double)company_options_of(j->company)->days;
}

static void write_points(const struct judge *j, FILE *to)
{
    fprintf(to, "| sensitivity | attacks found | recall | false alerts of medium or more | a day | a day in "
                "the last week "
                "| activities per CPU second |\n|---|---|---|---|---|---|---|\n");
    const int64_t last_week =
        company_options_of(j->company)->start + (company_options_of(j->company)->days - 7) * CLOCK_DAY;
    for (uint32_t i = 0; i < j->point_count; i++) {
        const struct point *p = &j->points[i];
        uint32_t late = 0;
        for (uint32_t k = 0; k < p->count; k++)
            late += is_false(&p->alerts[k]) && p->alerts[k].first >= last_week;
        fprintf(to, "| %s | %u of %u | %.1f %% | %u | %.2f | %.2f | %.0f |\n", p->name, count_found(j, p),
                j->attack_count, 100 * recall_of(j, p), count_false(p), per_day(j, count_false(p)),
                late / 7.0, (double)j->activities / (p->seconds > 0 ? p->seconds : 1));
    }
}

static void write_attacks(const struct judge *j, FILE *to)
{
    fprintf(to, "| attack | wanted |");
    for (uint32_t p = 0; p < j->point_count; p++)
        if (is_sensitivity(&j->points[p]))
            fprintf(to, " %s |", j->points[p].name);
    fprintf(to, "\n|---|---|");
    for (uint32_t p = 0; p < j->point_count; p++)
        if (is_sensitivity(&j->points[p]))
            fprintf(to, "---|");
    fputc('\n', to);
    for (uint32_t i = 0; i < j->attack_count; i++) {
        const struct company_attack *a = &j->attacks[i];
        fprintf(to, "| %s |", a->name);
        for (unsigned k = 0; k < COMPANY_IDS_MAX && a->ids[k]; k++)
            fprintf(to, "%s %u", k ? "," : "", a->ids[k]);
        fprintf(to, " |");
        for (uint32_t p = 0; p < j->point_count; p++)
            if (is_sensitivity(&j->points[p]))
                fprintf(to, " %s |",
                        j->points[p].found[i]     ? "found"
                        : j->points[p].related[i] ? "told as something else"
                                                  : "**missed**");
        fputc('\n', to);
    }
}

static void write_false(const struct point *p, FILE *to, bool examples)
{
    fprintf(to, "| detection | false alerts | at first |\n|---|---|---|\n");
    for (unsigned d = 0; detectors[d]; d++) {
        uint32_t count = 0, shown = 0;
        const struct raised *first = NULL;
        if (is_told_before(d))
            continue;
        for (uint32_t i = 0; i < p->count; i++)
            if (is_false_of(&p->alerts[i], detectors[d])) {
                first = first ? first : &p->alerts[i];
                count++;
            }
        if (count == 0)
            continue;
        fprintf(to, "| %u %s | %u | %s |\n", detectors[d]->external_id, detectors[d]->title, count,
                first->who);
        for (uint32_t i = 0; examples && i < p->count && shown < EXAMPLES; i++)
            if (is_false_of(&p->alerts[i], detectors[d])) {
                fprintf(stderr, "  %u day %.2f (%" PRIu64 " times) %s: %s\n", p->alerts[i].external_id,
                        (double)(p->alerts[i].first - company_options_of(p->judge->company)->start) /
                            CLOCK_DAY,
                        p->alerts[i].count, p->alerts[i].who, p->alerts[i].explanation);
                shown++;
            }
    }
}

/* False alerts a day on a scale of roots, so that few can be told apart. */
static double picture_x(double a_day, double most)
{
    return 60 + 540 * sqrt(a_day / most);
}

static double picture_y(double recall)
{
    return 310 - 270 * recall;
}

static void write_axes(FILE *to, double most)
{
    for (int i = 0; i <= 5; i++)
        fprintf(to,
                "<line x1=\"60\" x2=\"600\" y1=\"%.0f\" y2=\"%.0f\" stroke=\"#ddd\"/><text x=\"20\" "
                "y=\"%.0f\">%d %%</text>\n",
                picture_y(0.2 * i), picture_y(0.2 * i), picture_y(0.2 * i) + 4, 20 * i);
    static const double ticks[] = {0, 0.1, 0.5, 1, 2, 5, 10, 20, 50, 100, 200};
    for (size_t i = 0; i < sizeof(ticks) / sizeof(ticks[0]) && ticks[i] <= most; i++)
        fprintf(to, "<text x=\"%.0f\" y=\"335\">%g</text>\n", picture_x(ticks[i], most) - 5, ticks[i]);
    fprintf(to,
            "<line x1=\"%.0f\" x2=\"%.0f\" y1=\"40\" y2=\"310\" stroke=\"#c00\" stroke-dasharray=\"4\"/>\n"
            "<line x1=\"60\" x2=\"600\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#c00\" stroke-dasharray=\"4\"/>\n"
            "<text x=\"230\" y=\"353\">false alerts of medium or more a day</text>\n"
            "<text x=\"60\" y=\"28\">recall; dashed: what is wanted</text>\n",
            picture_x(1, most), picture_x(1, most), picture_y(0.95), picture_y(0.95));
}

/* Recall over false alerts: each sensitivity, and what is between and beyond them. */
static void write_picture(const struct judge *j, const char *path)
{
    FILE *to = fopen(path, "w");
    if (!to)
        return;
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 360\" font-family=\"sans-serif\" "
            "font-size=\"12\">\n<rect width=\"640\" height=\"360\" fill=\"#fff\"/>\n");
    double most = 2;
    for (uint32_t i = 0; i < j->point_count; i++)
        most = fmax(most, per_day(j, count_false(&j->points[i])));
    write_axes(to, most);
    fprintf(to, "<polyline fill=\"none\" stroke=\"#2457a6\" points=\"");
    for (uint32_t i = 0; i < j->point_count; i++)
        fprintf(to, "%.1f,%.1f ", picture_x(per_day(j, count_false(&j->points[i])), most),
                picture_y(recall_of(j, &j->points[i])));
    fprintf(to, "\"/>\n");
    for (uint32_t i = 0; i < j->point_count; i++) {
        const struct point *p = &j->points[i];
        const double x = picture_x(per_day(j, count_false(p)), most), y = picture_y(recall_of(j, p));
        /* Named below each other, for many lie together; those with most alerts first, so that no lines
         * cross. */
        const uint32_t label = 185 + 18 * (j->point_count - 1 - i);
        fprintf(to,
                "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%d\" fill=\"#2457a6\"/>"
                "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"466\" y2=\"%u\" stroke=\"#bbb\" stroke-width=\"0.7\"/>"
                "<text x=\"470\" y=\"%u\">%s</text>\n",
                x, y, is_sensitivity(p) ? 5 : 3, x, y, label - 4, label, p->name);
    }
    fprintf(to, "</svg>\n");
    fclose(to);
}

static void write_page(const struct judge *j, const char *folder)
{
    char path[512];
    const struct company_options *o = company_options_of(j->company);
    snprintf(path, sizeof(path), "%s/detection-company.md", folder);
    FILE *to = fopen(path, "w");
    if (!to) {
        perror(path);
        return;
    }
    fprintf(
        to,
        "# What is found in a company, and what is raised in vain\n\n"
        "Made by `bench-company`: %u days of a simulated company of %u people, %u servers and %u domain "
        "controllers "
        "(tests/company/README.md tells from which published statistics), %.1f million activities (%.0f %% "
        "of what "
        "computers do by themselves, all of what people and services do), seed %" PRIu64
        ". In its last five days %u attacks are put in: captures of real tools in the laboratory, moved to a "
        "computer of the company, and log-ons with what was stolen.\n\n"
        "Found: an alert with one of the wanted ids, at that time, with that computer or account. False: an "
        "alert of "
        "medium or higher severity that no attack has a part in; repeats within a day are one. The rows "
        "between and beyond the three sensitivities have all thresholds there, in equal ratios: medium to "
        "high "
        "is the geometric mean of both, beyond high as far from high as that is from medium.\n\n",
        o->days, o->users, o->servers, o->controllers, (double)j->activities / 1e6, 100 * o->density, o->seed,
        j->attack_count);
    write_points(j, to);
    fprintf(to, "\n![recall over false alerts](img/detection-company.svg)\n\n## Attacks\n\n");
    write_attacks(j, to);
    for (uint32_t i = 0; i < j->point_count; i++)
        if (strcmp(j->points[i].name, "medium") == 0) {
            fprintf(to, "\n## False alerts at medium sensitivity\n\n");
            write_false(&j->points[i], to, false);
        }
    fclose(to);
    snprintf(path, sizeof(path), "%s/img/detection-company.svg", folder);
    write_picture(j, path);
}

/* -- the command ----------------------------------------------------------------------------------- */

static const struct point all_points[] = {
    {.name = "beyond low", .at = -2},      {.name = "low", .at = -1},
    {.name = "low to medium", .at = -0.5}, {.name = "medium", .at = 0},
    {.name = "medium to high", .at = 0.5}, {.name = "high", .at = 1},
    {.name = "beyond high", .at = 2},
};

static void add_captures(struct judge *j, const char *folder)
{
    char path[512];
#define CAPTURE(file, ...)                                                                                   \
    {                                                                                                        \
        static const uint32_t ids[] = {__VA_ARGS__, 0};                                                      \
        snprintf(path, sizeof(path), "%s/" #file ".pcap", folder);                                           \
        if (!company_attack_capture(j->company, path, #file, ids))                                           \
            fprintf(stderr, "judge: %s: not read\n", path);                                                  \
    }
#include "tests/company/captures.def"
#undef CAPTURE
}

static const char usage[] = "usage: judge [--users N] [--days N] [--density X] [--seed N] [--captures "
                            "DIRECTORY] [--point NAME]... [--write "
                            "DOCS]\n";

int main(int count, char **arguments)
{
    static const struct option options[] = {{"users", 1, NULL, 'u'},    {"days", 1, NULL, 'd'},
                                            {"density", 1, NULL, 'x'},  {"seed", 1, NULL, 's'},
                                            {"captures", 1, NULL, 'c'}, {"point", 1, NULL, 'p'},
                                            {"write", 1, NULL, 'w'},    {0}};
    static struct judge j;
    struct company_options o;
    company_options_init(&o);
    const char *captures = NULL, *docs = NULL;
    for (int c; (c = getopt_long(count, arguments, "", options, NULL)) != -1;) {
        switch (c) {
        case 'u':
            o.users = (uint32_t)atoi(optarg);
            break;
        case 'd':
            o.days = (uint32_t)atoi(optarg);
            break;
        case 'x':
            o.density = atof(optarg);
            break;
        case 's':
            o.seed = strtoull(optarg, NULL, 10);
            break;
        case 'c':
            captures = optarg;
            break;
        case 'w':
            docs = optarg;
            break;
        case 'p':
            for (size_t i = 0; i < sizeof(all_points) / sizeof(all_points[0]); i++)
                if (strcmp(all_points[i].name, optarg) == 0 && j.point_count < POINTS_MAX)
                    j.points[j.point_count++] = all_points[i];
            break;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (j.point_count == 0)
        for (; j.point_count < sizeof(all_points) / sizeof(all_points[0]); j.point_count++)
            j.points[j.point_count] = all_points[j.point_count];
    if (o.users < 500 || o.days < 6 || !(j.company = company_new(&o))) {
        fputs("judge: a company has 500 users at least and six days\n", stderr);
        return 2;
    }
    company_attack_all(j.company);
    if (captures)
        add_captures(&j, captures);
    j.attacks = company_attacks(j.company, &j.attack_count);
    double before = cpu_seconds();
    run(&j);
    fprintf(stderr, "%.1f s of CPU in all, %.0f bytes a record\n", cpu_seconds() - before,
            (double)j.bytes / (double)j.activities);
    write_points(&j, stdout);
    fputc('\n', stdout);
    write_attacks(&j, stdout);
    for (uint32_t i = 0; i < j.point_count; i++) {
        struct pipeline_counters counters;
        pipeline_counters(j.points[i].pipeline, &counters);
        printf("\n%s: %" PRIu64 " subjects, %.1f MB, %" PRIu64 " pushed out, %" PRIu64
               " while learning, %" PRIu64 " malformed\n\n",
               j.points[i].name, counters.subjects, (double)counters.bytes / 1e6, counters.pushed_out,
               counters.learning, counters.malformed);
        write_false(&j.points[i], stdout, strcmp(j.points[i].name, "medium") == 0);
    }
    if (docs)
        write_page(&j, docs);
    for (uint32_t i = 0; i < j.point_count; i++) {
        pipeline_destroy(&j.points[i].pipeline);
        free(j.points[i].detectors);
        free(j.points[i].thresholds);
        free(j.points[i].table);
        free(j.points[i].alerts);
        free(j.points[i].found);
        free(j.points[i].related);
    }
    company_destroy(&j.company);
    return 0;
}
