/* SPDX-License-Identifier: Apache-2.0 */
#include "center/health_keeper.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

bool health_disk_is_short(uint64_t free, uint64_t total)
{
    return free < total / 5 && free < HEALTH_DISK_LEAST;
}

void health_check_disk(struct health *health, const char *directory)
{
    struct statvfs status;
    if (statvfs(directory, &status) != 0 || status.f_blocks == 0)
        return;
    uint64_t free = (uint64_t)status.f_bavail * status.f_frsize;
    uint64_t total = (uint64_t)status.f_blocks * status.f_frsize;
    if (health_disk_is_short(free, total))
        health_raise(health, 1001, directory, "%llu MB are free of %llu",
                     (unsigned long long)(free / 1000000), (unsigned long long)(total / 1000000));
    else
        health_clear(health, 1001, directory);
}

void health_check_shard(struct health *health, const char *name, const struct shard_status *status)
{
    if (status->behind > HEALTH_BEHIND_MOST)
        health_raise(health, 1003, name, "what is looked at was received %lld minutes ago",
                     (long long)(status->behind / CLOCK_MINUTE));
    else if (status->behind < HEALTH_BEHIND_FINE)
        health_clear(health, 1003, name);
}

void health_check_certificate(struct health *health, const char *subject, int64_t expires, int64_t now)
{
    char when[CLOCK_RFC3339_MAX];
    clock_rfc3339(expires, when);
    if (expires <= now)
        health_raise_as(health, 1004, HEALTH_HIGH, subject, "it ended at %s", when);
    else if (expires - now < HEALTH_CERTIFICATE_LEAST)
        health_raise(health, 1004, subject, "it ends at %s", when);
    else
        health_clear(health, 1004, subject);
}

/* What the store has open. */
struct kept {
    struct health_issue issue;
    int64_t told; /* the detail, last */
    bool open, found;
};

#define DETAIL_EVERY CLOCK_MINUTE

struct health_keeper {
    struct store *store;
    struct kept kept[HEALTH_ISSUES_MAX];
};

static struct kept *find(struct health_keeper *self, const struct health_issue *issue)
{
    struct kept *room = NULL;
    for (unsigned i = 0; i < HEALTH_ISSUES_MAX; i++) {
        struct kept *kept = &self->kept[i];
        if (kept->open && kept->issue.kind->number == issue->kind->number &&
            strcmp(kept->issue.subject, issue->subject) == 0)
            return kept;
        if (!kept->open && !room)
            room = kept;
    }
    return room;
}

static bool take_over(void *context, const struct stored_health *stored)
{
    struct health_keeper *self = context;
    struct health_issue issue = {.kind = health_kind(stored->number), .since = stored->opened};
    if (!issue.kind || stored->workspace != 0)
        return true;
    issue.severity = stored->severity == SEVERITY_HIGH     ? HEALTH_HIGH
                     : stored->severity == SEVERITY_MEDIUM ? HEALTH_MEDIUM
                                                           : HEALTH_LOW;
    snprintf(issue.subject, sizeof(issue.subject), "%s", stored->object);
    snprintf(issue.text, sizeof(issue.text), "%.*s", (int)sizeof(issue.text) - 1, stored->detail);
    struct kept *kept = find(self, &issue);
    if (kept)
        *kept = (struct kept){.issue = issue, .open = true};
    return kept != NULL;
}

struct health_keeper *health_keeper_new(struct store *store)
{
    struct health_keeper *self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    self->store = store;
    store_health_list(store, 0, true, HEALTH_ISSUES_MAX, take_over, self);
    return self;
}

void health_keeper_destroy(struct health_keeper **keeper)
{
    free(*keeper);
    *keeper = NULL;
}

static enum severity severity_of(enum health_severity severity)
{
    return severity == HEALTH_HIGH     ? SEVERITY_HIGH
           : severity == HEALTH_MEDIUM ? SEVERITY_MEDIUM
                                       : SEVERITY_LOW;
}

static void open_issue(struct health_keeper *self, const struct health_issue *issue, int64_t now)
{
    struct stored_health stored = {.number = issue->kind->number,
                                   .severity = severity_of(issue->severity),
                                   .opened = issue->since,
                                   .changed = now};
    snprintf(stored.object, sizeof(stored.object), "%s", issue->subject);
    snprintf(stored.title, sizeof(stored.title), "%s", issue->kind->name);
    snprintf(stored.detail, sizeof(stored.detail), "%s", issue->text);
    store_health_open(self->store, &stored, NULL);
}

/* A detail that goes on changing is not written each second. */
static bool is_news(const struct kept *kept, const struct health_issue *issue, int64_t now)
{
    return !kept->open || kept->issue.severity != issue->severity ||
           (strcmp(kept->issue.text, issue->text) != 0 && now - kept->told >= DETAIL_EVERY);
}

/* Marks what is still the case, and whether anything has to be written. */
static bool compare(struct health_keeper *self, struct health *health, int64_t now)
{
    struct health_issue issue;
    bool news = false;
    for (unsigned i = 0; i < HEALTH_ISSUES_MAX; i++)
        self->kept[i].found = false;
    for (unsigned i = 0; health_at(health, i, &issue); i++) {
        struct kept *kept = find(self, &issue);
        if (!kept)
            continue;
        kept->found = kept->open;
        news |= is_news(kept, &issue, now);
    }
    for (unsigned i = 0; i < HEALTH_ISSUES_MAX; i++)
        news |= self->kept[i].open && !self->kept[i].found;
    return news;
}

struct telling {
    health_change tell;
    void *context;
    int64_t now;
};

static void write_open(struct health_keeper *self, struct kept *kept, const struct health_issue *issue,
                       const struct telling *telling)
{
    bool is_new = !kept->open || issue->severity > kept->issue.severity;
    if (!is_news(kept, issue, telling->now))
        return;
    open_issue(self, issue, telling->now);
    if (is_new && telling->tell)
        telling->tell(telling->context, self->store, issue, true, telling->now);
    *kept = (struct kept){.issue = *issue, .told = telling->now, .open = true, .found = true};
}

static void write_closed(struct health_keeper *self, struct kept *kept, const struct telling *telling)
{
    store_health_close(self->store, 0, kept->issue.kind->number, kept->issue.subject, telling->now);
    if (telling->tell)
        telling->tell(telling->context, self->store, &kept->issue, false, telling->now);
    kept->open = false;
}

bool health_keeper_keep(struct health_keeper *self, struct health *health, int64_t now, health_change tell,
                        void *context, bool *changed)
{
    const struct telling telling = {tell, context, now};
    struct health_issue issue;
    struct fault fault;
    bool news = compare(self, health, now);
    if (changed)
        *changed = news;
    if (!news)
        return true;
    struct kept *before = malloc(sizeof(self->kept));
    if (!before || !store_begin(self->store, &fault)) {
        free(before);
        return false;
    }
    memcpy(before, self->kept, sizeof(self->kept));
    for (unsigned i = 0; i < HEALTH_ISSUES_MAX; i++)
        if (self->kept[i].open && !self->kept[i].found)
            write_closed(self, &self->kept[i], &telling);
    for (unsigned i = 0; health_at(health, i, &issue); i++) {
        struct kept *kept = find(self, &issue);
        if (kept)
            write_open(self, kept, &issue, &telling);
    }
    bool committed = store_commit(self->store, &fault);
    if (!committed)
        memcpy(self->kept, before, sizeof(self->kept));
    free(before);
    return committed;
}
