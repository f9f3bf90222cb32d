/* SPDX-License-Identifier: Apache-2.0
 *
 * 2001: who logs on where, to what and when, against the account's own habit, that of its peers, and of the
 * computer it comes from (center/profile.h). docs/learning.md works the numbers out.
 */
#include "center/detector.h"

#include "base/text.h"

#include <math.h>
#include <string.h>

#define DAY_LASTS (16 * STATISTICS_HOUR) /* a day's work, also through midnight */
#define NEW_KEPT  6u
#define SCATTER   2.0  /* size of the negative binomial distribution: news come in bursts */
#define HABIT     20.0 /* active hours from which on there is a habit to be compared with */

/* What an account did in a day that it is not used to. */
struct day {
    uint32_t begin;         /* seconds since 1970 */
    uint32_t hours;         /* active ones */
    float rate[2];          /* how often they were new when the day began: a day does not excuse itself */
    float expected[2];      /* new sources and resources, by how often they were new before */
    uint32_t news[2];       /* ... and how many there were */
    float rarity[NEW_KEPT]; /* bits: how few use each new resource */
    float stranger;         /* bits: how little the new source is used to it */
    float hour;             /* bits of the least usual hour */
    uint32_t resources[NEW_KEPT]; /* keys of things */
    uint32_t source;
    float raised; /* bits that were told of already */
    /* As `expected` and `news` of resources, but from that new source alone: the rest of its owner's long day
     * does not hide what a thief does in an hour. */
    float there_expected;
    uint32_t there_news;
};

enum { NEW_SOURCE, NEW_RESOURCE };

static const struct state_form tables[] = {{.name = "days",
                                            .version = 2,
                                            .value_size = sizeof(struct day),
                                            .capacity = 1u << 20,
                                            .lifetime = 2 * STATISTICS_DAY},
                                           {0}};

enum { SETTING_SURPRISE, SETTING_NEWS };
static const struct detector_setting settings[] = {
    {.name = "surprise",
     .unit = "bits",
     .low = 18,
     .medium = 14,
     .high = 12,
     .least = 8,
     .most = 100,
     .doc = "How improbable a day of an account must be: one more bit is half as probable; 14 is one "
            "account's day in 16,384."},
    {.name = "news",
     .low = 5,
     .medium = 4,
     .high = 3,
     .least = 1,
     .most = 100,
     .doc = "How many computers and resources that are new to the account it takes at least."},
    {0}};

static const enum activity_kind kinds[] = {ACTIVITY_KERBEROS_AS,
                                           ACTIVITY_KERBEROS_TGS,
                                           ACTIVITY_KERBEROS_AP,
                                           ACTIVITY_NTLM_AUTHENTICATE,
                                           ACTIVITY_LDAP_BIND,
                                           ACTIVITY_WINDOWS_LOGON,
                                           ACTIVITY_NTLM_VALIDATION,
                                           ACTIVITY_WINDOWS_KERBEROS_AS,
                                           ACTIVITY_WINDOWS_KERBEROS_TGS,
                                           ACTIVITY_NONE};

/* Only people and services: computers are told of by others. And only what is news to this hour. */
static struct subject key(const struct detection *d, const struct observation *o)
{
    const struct sight *sight = profiler_sight(detection_profiler(d));
    if (o->account.kind != SUBJECT_ACCOUNT || !sight->profile ||
        !(sight->fresh[HABIT_SOURCE] || sight->fresh[HABIT_RESOURCE]))
        return (struct subject){0};
    return sight->account;
}

static bool is_new(const struct sight *sight, enum habit habit)
{
    return sight->fresh[habit] && profile_weight(sight->profile, habit, sight->key[habit]) <= 0;
}

static void add_source(struct day *day, const struct profiler *profiler, const struct sight *sight)
{
    day->expected[NEW_SOURCE] += day->rate[NEW_SOURCE];
    if (!is_new(sight, HABIT_SOURCE))
        return;
    day->news[NEW_SOURCE]++;
    double bits = surprise(profiler_stranger(profiler, sight->key[HABIT_SOURCE], sight->account));
    if (day->source && bits <= day->stranger)
        return;
    day->stranger = (float)bits;
    day->source = sight->key[HABIT_SOURCE];
    day->there_expected = 0;
    day->there_news = 0;
}

static void add_resource(struct day *day, const struct profiler *profiler, const struct sight *sight)
{
    const bool there = day->source && day->source == sight->key[HABIT_SOURCE];
    day->expected[NEW_RESOURCE] += day->rate[NEW_RESOURCE];
    day->there_expected += there ? day->rate[NEW_RESOURCE] : 0;
    if (!is_new(sight, HABIT_RESOURCE))
        return;
    day->there_news += there;
    uint32_t at = day->news[NEW_RESOURCE]++;
    if (at >= NEW_KEPT)
        return;
    day->resources[at] = sight->key[HABIT_RESOURCE];
    day->rarity[at] = (float)surprise(
        profiler_rarity(profiler, sight->profile, HABIT_RESOURCE, sight->key[HABIT_RESOURCE]));
}

/* Of so many hours one is the least usual: Bonferroni's correction. */
static void add_hour(struct day *day, const struct sight *sight, int64_t time)
{
    day->hours++;
    double bits = surprise(profile_hour(sight->profile, time));
    if (bits > day->hour)
        day->hour = (float)bits;
}

static double news_bits(const struct day *day, unsigned which)
{
    return day->news[which]
               ? surprise(negative_binomial_tail(day->expected[which], SCATTER, day->news[which]))
               : 0;
}

struct verdict {
    double source, stranger, there, resources, hour, together;
};

static double there_bits(const struct day *day)
{
    return day->there_news ? surprise(negative_binomial_tail(day->there_expected, SCATTER, day->there_news))
                           : 0;
}

/* Of a day with a new source both count, all of the day and what was done from there: the less probable one,
 * corrected for the choice (Bonferroni). */
static double number_bits(const struct day *day)
{
    const double all = news_bits(day, NEW_RESOURCE), there = there_bits(day);
    if (!day->source)
        return all;
    return all > there ? fmax(all - 1, 0) : fmax(there - 1, 0);
}

static struct verdict judge(const struct day *day)
{
    double parts[NEW_KEPT + 1];
    uint32_t kept = day->news[NEW_RESOURCE] < NEW_KEPT ? day->news[NEW_RESOURCE] : NEW_KEPT;
    for (uint32_t i = 0; i < kept; i++)
        parts[i] = day->rarity[i];
    parts[kept] = number_bits(day);
    struct verdict v = {.source = news_bits(day, NEW_SOURCE),
                        .stranger = day->stranger,
                        .there = there_bits(day),
                        .resources = kept ? surprise_combine(parts, kept + 1) : 0,
                        .hour = day->hour - surprise(1.0 / (day->hours ? day->hours : 1))};
    v.hour = v.hour > 0 ? v.hour : 0;
    const double all[] = {v.source, v.stranger, v.resources, v.hour};
    v.together = surprise_combine(all, 4);
    return v;
}

static void name_new(const struct detection *d, const struct day *day, const struct observation *o,
                     struct text *t)
{
    const struct profiler *profiler = detection_profiler(d);
    uint32_t kept = day->news[NEW_RESOURCE] < NEW_KEPT ? day->news[NEW_RESOURCE] : NEW_KEPT;
    for (uint32_t i = 0; i < kept; i++) {
        const char *name = profiler_name(profiler, day->resources[i]);
        text_string(t, i ? ", " : "");
        /* One that nobody used before is not known by name until this activity is learned. */
        if (name[0])
            text_string(t, name);
        else
            text_display(t, party_is(&o->service) ? o->service.name : observation_text(o, FIELD_SERVICE));
    }
    if (day->news[NEW_RESOURCE] > kept) {
        text_string(t, " and ");
        text_uint(t, day->news[NEW_RESOURCE] - kept);
        text_string(t, " more");
    }
}

static void explain(struct detection *d, struct alert *alert, const struct observation *o,
                    const struct day *day, const struct verdict *v)
{
    const struct profile *p = profiler_sight(detection_profiler(d))->profile;
    const double limit = detection_setting(d, SETTING_SURPRISE);
    char usual[2][200], news[ALERT_TEXT_MAX];
    profiler_usual(detection_profiler(d), p, HABIT_SOURCE, usual[0], sizeof(usual[0]));
    profiler_usual(detection_profiler(d), p, HABIT_RESOURCE, usual[1], sizeof(usual[1]));
    struct text t = text_to(news, sizeof(news));
    name_new(d, day, o, &t);
    text_end(&t);
    alert_put_compared(alert, "surprise", v->together, "surprise", limit);
    alert_put_number(alert, "source_bits", v->source);
    alert_put_number(alert, "stranger_bits", v->stranger);
    alert_put_number(alert, "resource_bits", v->resources);
    alert_put_number(alert, "hour_bits", v->hour);
    alert_put_compared(alert, "new_sources", day->news[NEW_SOURCE], "learned", day->expected[NEW_SOURCE]);
    alert_put_compared(alert, "new_resources", day->news[NEW_RESOURCE], "learned",
                       day->expected[NEW_RESOURCE]);
    if (day->there_news)
        alert_put_compared(alert, "new_resources_there", day->there_news, "learned", day->there_expected);
    alert_put_string(alert, "usual_sources", usual[0]);
    alert_put_string(alert, "usual_resources", usual[1]);
    alert_put_string(alert, "resources", news);
    alert_put_duration(alert, "learned_for", profile_age(p, o->time));
    alert_explain(alert, "Within a day the account did what it is not used to, learned in %.0f days.",
                  (double)profile_age(p, o->time) / STATISTICS_DAY);
    if (day->news[NEW_SOURCE]) {
        const char *name = profiler_name(detection_profiler(d), day->source);
        alert_explain(
            alert,
            "It logged on from %u computers that are new to it (%.2f expected; %.1f bits), among them %s; "
            "usual are %s.",
            day->news[NEW_SOURCE], day->expected[NEW_SOURCE], v->source, name[0] ? name : "this one",
            usual[0]);
        if (v->stranger > 1)
            alert_explain(alert, "Others work there, it never did (%.1f bits).", v->stranger);
    }
    if (day->news[NEW_RESOURCE])
        alert_explain(alert,
                      "It used %u resources that are new to it (%.2f expected; %.1f bits): %s; usual are %s.",
                      day->news[NEW_RESOURCE], day->expected[NEW_RESOURCE], v->resources, news, usual[1]);
    if (day->there_news)
        alert_explain(alert, "%u of them were used from there, where %.2f were expected (%.1f bits).",
                      day->there_news, day->there_expected, v->there);
    if (v->hour > 1)
        alert_explain(alert, "One of its hours is unusual (%.1f bits).", v->hour);
    alert_explain(alert, "Together that is a surprise of %.1f bits, above the threshold of %.0f.",
                  v->together, limit);
}

static void observe(struct detection *d, const struct observation *o)
{
    const struct profiler *profiler = detection_profiler(d);
    const struct sight *sight = profiler_sight(profiler);
    struct day *day = detection_use(d, 0, detection_key(d), NULL);
    if (!day)
        return;
    if (sight->time > day->begin + DAY_LASTS / STATISTICS_SECOND)
        *day = (struct day){.begin = sight->time,
                            .rate = {(float)profile_novelty(sight->profile, HABIT_SOURCE),
                                     (float)profile_novelty(sight->profile, HABIT_RESOURCE)}};
    if (sight->fresh_hour)
        add_hour(day, sight, o->time);
    if (sight->fresh[HABIT_SOURCE])
        add_source(day, profiler, sight);
    if (sight->fresh[HABIT_RESOURCE])
        add_resource(day, profiler, sight);
    const bool news = is_new(sight, HABIT_SOURCE) || is_new(sight, HABIT_RESOURCE);
    if (!news || profile_head(sight->profile, HABIT_SOURCE)->total < HABIT ||
        day->news[NEW_SOURCE] + day->news[NEW_RESOURCE] < detection_setting(d, SETTING_NEWS))
        return;
    const struct verdict v = judge(day);
    if (v.together < detection_setting(d, SETTING_SURPRISE) || v.together <= day->raised + 1)
        return;
    day->raised = (float)v.together;
    explain(d, detection_alert(d, o, detection_key(d)), o, day, &v);
    detection_raise(d);
}

const struct detector detector_abnormal_behaviour = {
    .external_id = 2001,
    .name = "AbnormalBehaviorSuspiciousActivity",
    .title = "Suspicion of identity theft based on abnormal behavior",
    .word = "abnormal_behaviour",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1078",
    .learning = 21 * STATISTICS_DAY,
    .doc = "Log-ons and tickets of an account in a day: computers and resources that are new to it, more "
           "than it usually has news (negative binomial tail; the resources of the whole day, or those "
           "used from the new computer alone, whichever is less probable), how few others use those "
           "resources, among its peers too, how little the computer that it comes from is used to it, and "
           "how unusual the hour is. The probabilities are combined by Fisher's method; habits are decayed "
           "with a half-life of three weeks (docs/learning.md; Heard, Rubin-Delanchy: \"Network-wide "
           "anomaly detection via the Dirichlet process\", ISI 2016).",
    .advice =
        "Ask the account's owner whether it was them. If not, reset the password, and look at what was done "
        "from that computer and on those resources.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
