/* SPDX-License-Identifier: Apache-2.0 */
#include "center/alerts.h"

#include "base/text.h"
#include "center/detector.h"
#include "center/store_alert_keys.h"
#include "center/store_audit.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const trigger_names[ALERT_TRIGGERS] = {
    [ALERT_NOTHING] = "nothing",
    [ALERT_NEW] = "new",
    [ALERT_UPDATED] = "updated",
    [ALERT_REOPENED] = "reopened",
    [ALERT_SILENT] = "silent",
    [ALERT_WAS_CLOSED] = "closed",
    [ALERT_WAS_SUPPRESSED] = "suppressed",
    [ALERT_WAS_DELETED] = "deleted",
    [ALERT_CLASSIFIED] = "classified",
};

const char *alert_trigger_name(enum alert_trigger trigger)
{
    return trigger < ALERT_TRIGGERS ? trigger_names[trigger] : "nothing";
}

/* --- merging --- */

static bool same_party(const struct alert_party *a, const struct alert_party *b)
{
    if (a->role != b->role)
        return false;
    if (!subject_is_none(a->subject) || !subject_is_none(b->subject))
        return subject_equal(a->subject, b->subject);
    return a->kind == b->kind && strcmp(a->name, b->name) == 0;
}

/* Who is known better now replaces what was known of them before; of what is as good the later counts. */
static void merge_party(struct alert *alert, const struct alert_party *party, bool late)
{
    uint32_t i = 0;
    while (i < alert->party_count && !same_party(&alert->parties[i], party))
        i++;
    if (i == ALERT_PARTIES_MAX) {
        alert->truncated = true;
        return;
    }
    if (i == alert->party_count)
        alert->party_count++;
    else if (alert->parties[i].confidence > party->confidence ||
             (late && alert->parties[i].confidence == party->confidence))
        return;
    alert->parties[i] = *party;
}

static void merge_evidence(struct alert *alert, const struct alert_evidence *evidence, bool late)
{
    uint32_t i = 0;
    while (i < alert->evidence_count && strcmp(alert->evidence[i].name, evidence->name) != 0)
        i++;
    if (i == ALERT_EVIDENCE_MAX) {
        alert->truncated = true;
        return;
    }
    if (i == alert->evidence_count)
        alert->evidence_count++;
    else if (late)
        return;
    alert->evidence[i] = *evidence;
}

void alert_case_merge(struct alert *alert, const struct alert *repeat)
{
    const bool late = activity_place_behind(alert->last, repeat->last);
    for (uint32_t i = 0; i < repeat->party_count; i++)
        merge_party(alert, &repeat->parties[i], late);
    for (uint32_t i = 0; i < repeat->evidence_count; i++)
        merge_evidence(alert, &repeat->evidence[i], late);
    for (uint32_t i = 0; i < repeat->activity_count; i++)
        alert_add_activity(alert, repeat->activities[i].place, repeat->activities[i].time);
    if (repeat->severity > alert->severity)
        alert->severity = repeat->severity;
    if (repeat->start < alert->start)
        alert->start = repeat->start;
    if (repeat->end > alert->end)
        alert->end = repeat->end;
    alert->count += repeat->count;
    alert->truncated |= repeat->truncated;
    if (late)
        return;
    alert->last = repeat->last;
    memcpy(alert->explanation, repeat->explanation, sizeof(alert->explanation));
}

/* --- the rules --- */

static int64_t later(int64_t time, int64_t span)
{
    return time > INT64_MAX - span ? INT64_MAX : time + span;
}

static enum alert_trigger reopen(struct stored_alert *stored)
{
    stored->alert.status = ALERT_OPEN;
    stored->suppressed_until = 0;
    stored->reopened = true;
    return ALERT_REOPENED;
}

/* Of another number of shards than now nobody knows what was merged but that it goes no further than the last
 * one. */
static struct alert_progress progress_of(const struct stored_alert *newest, struct alert_raiser who)
{
    if (who.shards <= 1)
        return (struct alert_progress){.floor = newest->alert.last};
    if (newest->progress.shards == who.shards)
        return newest->progress;
    return (struct alert_progress){.shards = who.shards, .floor = newest->alert.last};
}

static bool is_merged(const struct alert_progress *progress, struct alert_raiser who,
                      struct activity_place place)
{
    return !activity_place_behind(place, progress->floor) ||
           (progress->shards && !activity_place_behind(place, progress->lasts[who.shard]));
}

static enum alert_trigger raise_again(struct stored_alert *newest, const struct alert *raised)
{
    struct alert *alert = &newest->alert;
    switch (alert->status) {
    case ALERT_OPEN:
        alert_case_merge(alert, raised);
        return ALERT_UPDATED;
    case ALERT_CLOSED:
        if (raised->start > later(alert->end, ALERT_REOPEN))
            return ALERT_NEW;
        alert_case_merge(alert, raised);
        return reopen(newest);
    case ALERT_SUPPRESSED: {
        bool over = raised->start >= newest->suppressed_until;
        alert_case_merge(alert, raised);
        if (over)
            return reopen(newest);
        newest->suppressed_until = later(alert->end, ALERT_QUIET);
        return ALERT_SILENT;
    }
    default:
        return ALERT_NEW;
    }
}

enum alert_trigger alert_case_raise(struct stored_alert *newest, struct alert_raiser who,
                                    const struct alert *raised, struct alert_progress *fresh)
{
    *fresh = (struct alert_progress){.shards = who.shards > 1 ? who.shards : 0};
    if (newest) {
        *fresh = progress_of(newest, who);
        if (is_merged(fresh, who, raised->last))
            return ALERT_NOTHING;
    }
    if (fresh->shards)
        fresh->lasts[who.shard] = raised->last;
    else
        fresh->floor = (struct activity_place){0, 0};
    enum alert_trigger trigger = newest ? raise_again(newest, raised) : ALERT_NEW;
    if (trigger != ALERT_NEW)
        newest->progress = *fresh;
    return trigger;
}

/* Deleted is deleted. What stays is needed to know its activities again after a crash. */
static void forget(struct alert *alert)
{
    alert->party_count = alert->evidence_count = alert->activity_count = 0;
    alert->explanation[0] = '\0';
}

static enum alert_trigger change_status(struct stored_alert *stored, enum alert_status status)
{
    static const enum alert_trigger triggers[ALERT_STATUSES] = {ALERT_REOPENED, ALERT_WAS_CLOSED,
                                                                ALERT_WAS_SUPPRESSED, ALERT_WAS_DELETED};
    if (status >= ALERT_STATUSES || stored->alert.status == status)
        return ALERT_NOTHING;
    if (status == ALERT_OPEN)
        return reopen(stored);
    stored->alert.status = status;
    stored->suppressed_until = status == ALERT_SUPPRESSED ? later(stored->alert.end, ALERT_QUIET) : 0;
    if (status == ALERT_DELETED)
        forget(&stored->alert);
    return triggers[status];
}

enum alert_trigger alert_case_change(struct stored_alert *stored, const struct alert_change *change,
                                     struct fault *fault)
{
    if (fault)
        fault->text[0] = '\0';
    if (stored->alert.status == ALERT_DELETED) {
        fault_say(fault, "the alert is deleted");
        return ALERT_NOTHING;
    }
    bool classified =
        change->classification < ALERT_CLASSIFICATIONS && change->classification != stored->classification;
    if (classified)
        stored->classification = change->classification;
    enum alert_trigger trigger = change_status(stored, change->status);
    return trigger == ALERT_NOTHING && classified ? ALERT_CLASSIFIED : trigger;
}

/* --- on the store --- */

const struct detector *alert_detector(const struct alert *alert)
{
    const struct detector *named = NULL;
    for (unsigned i = 0; detectors[i]; i++) {
        if (strcmp(detectors[i]->name, alert->name) != 0)
            continue;
        if (detectors[i]->external_id == alert->external_id)
            return detectors[i];
        named = detectors[i];
    }
    return named;
}

static void set_text(char *to, size_t capacity, const char *text)
{
    snprintf(to, capacity, "%s", text);
}

static void set_detector(struct stored_alert *to)
{
    const struct detector *detector = alert_detector(&to->alert);
    set_text(to->detector, sizeof(to->detector), detector ? detector->word : to->alert.name);
    set_text(to->title, sizeof(to->title), detector ? detector->title : to->alert.name);
}

static void describe(const struct stored_alert *stored, char *to, size_t capacity)
{
    snprintf(to, capacity, "status=%s classification=%s count=%llu", alert_status_name(stored->alert.status),
             alert_classification_name(stored->classification), (unsigned long long)stored->alert.count);
}

static void audit(struct alerts *alerts, const struct stored_alert *before, const struct stored_alert *after,
                  enum alert_trigger trigger, const char *who, int64_t now)
{
    struct audit_entry entry = {.workspace = after->workspace, .at = now};
    set_text(entry.who, sizeof(entry.who), who);
    snprintf(entry.what, sizeof(entry.what), "alert-%s", alert_trigger_name(trigger));
    struct text t = text_to(entry.object, sizeof(entry.object));
    text_hex(&t, (struct bytes){after->alert.id, sizeof(after->alert.id)});
    text_end(&t);
    if (before)
        describe(before, entry.before, sizeof(entry.before));
    describe(after, entry.after, sizeof(entry.after));
    store_audit_add(alerts->store, &entry);
}

/* Stores it and tells those that hear of it in the transaction. */
static void keep(struct alerts *alerts, struct stored_alert *alert, enum alert_trigger trigger, int64_t now)
{
    alert->changed = now;
    store_alert_put(alerts->store, alert, NULL);
    for (unsigned i = 0; i < alerts->listener_count && trigger != ALERT_SILENT; i++)
        if (alerts->listeners[i].changing)
            alerts->listeners[i].changing(alerts->listeners[i].context, alerts->store, alert, trigger, now);
}

static void tell(struct alerts *alerts, const struct stored_alert *alert, enum alert_trigger trigger)
{
    for (unsigned i = 0; i < alerts->listener_count && trigger != ALERT_SILENT; i++)
        if (alerts->listeners[i].changed)
            alerts->listeners[i].changed(alerts->listeners[i].context, alert, trigger);
}

/* What a raised alert comes to: the one that it becomes or is merged into stands in `to`. */
static enum alert_trigger raise_into(struct alerts *alerts, uint64_t workspace, const struct alert *raised,
                                     struct stored_alert *to, struct stored_alert *before, int64_t now)
{
    struct stored_alert *fresh = before;
    *fresh = (struct stored_alert){.workspace = workspace, .raised = now, .alert = *raised};
    fresh->alert.status = ALERT_OPEN;
    set_detector(fresh);
    bool found =
        store_alert_newest(alerts->store, workspace, fresh->detector, raised->external_id, raised->key, to);
    enum alert_trigger trigger =
        alert_case_raise(found ? to : NULL, alerts->raiser, raised, &fresh->progress);
    if (trigger == ALERT_NEW)
        *to = *fresh;
    return trigger;
}

struct alert_told {
    struct alert_told *older;
    enum alert_trigger trigger;
    struct stored_alert alert, before;
};

bool alerts_keep(struct alerts *alerts, uint64_t workspace, const struct alert *raised,
                 enum alert_trigger *trigger)
{
    struct alert_told *told = calloc(1, sizeof(*told));
    if (!told)
        return store_fail(alerts->store, "no memory for an alert");
    int64_t now = clock_wall(alerts->clock);
    told->trigger = raise_into(alerts, workspace, raised, &told->alert, &told->before, now);
    if (told->trigger != ALERT_NOTHING)
        keep(alerts, &told->alert, told->trigger, now);
    if (told->trigger == ALERT_NEW || told->trigger == ALERT_REOPENED)
        audit(alerts, NULL, &told->alert, told->trigger, "picket-center", now);
    if (trigger)
        *trigger = told->trigger;
    told->older = alerts->told;
    alerts->told = told;
    return !store_failed(alerts->store);
}

void alerts_kept(struct alerts *alerts, bool committed)
{
    struct alert_told *in_order = NULL, *next;
    for (struct alert_told *told = alerts->told; told; told = next) {
        next = told->older;
        told->older = in_order;
        in_order = told;
    }
    alerts->told = NULL;
    for (; in_order; in_order = next) {
        next = in_order->older;
        if (committed && in_order->trigger != ALERT_NOTHING)
            tell(alerts, &in_order->alert, in_order->trigger);
        free(in_order);
    }
}

bool alerts_raise(struct alerts *alerts, uint64_t workspace, const struct alert *raised,
                  enum alert_trigger *trigger, struct fault *fault)
{
    enum alert_trigger came = ALERT_NOTHING;
    bool kept = store_begin(alerts->store, fault);
    if (kept) {
        alerts_keep(alerts, workspace, raised, &came);
        kept = store_commit(alerts->store, fault);
    }
    alerts_kept(alerts, kept);
    if (trigger)
        *trigger = kept ? came : ALERT_NOTHING;
    return kept;
}

bool alerts_change(struct alerts *alerts, uint64_t workspace, const uint8_t id[16],
                   const struct alert_change *change, const char *who, struct stored_alert *after,
                   bool *known, struct fault *fault)
{
    *known = true;
    struct stored_alert *both = calloc(2, sizeof(*both)), *now_is = &both[0], *before = &both[1];
    if (!both)
        return fault_say(fault, "no memory for an alert");
    int64_t now = clock_wall(alerts->clock);
    enum alert_trigger trigger = ALERT_NOTHING;
    bool done = store_begin(alerts->store, fault);
    if (done) {
        struct fault reason = {{0}};
        *known = store_alert_get(alerts->store, workspace, id, now_is);
        *before = *now_is;
        if (*known)
            trigger = alert_case_change(now_is, change, &reason);
        if (trigger != ALERT_NOTHING) {
            keep(alerts, now_is, trigger, now);
            audit(alerts, before, now_is, trigger, who, now);
        }
        done = store_commit(alerts->store, fault);
        if (done && (!*known || reason.text[0]))
            done = fault_say(fault, "%s", *known ? reason.text : "there is no such alert");
    }
    if (done && trigger != ALERT_NOTHING)
        tell(alerts, now_is, trigger);
    if (done && after)
        *after = *now_is;
    free(both);
    return done;
}
