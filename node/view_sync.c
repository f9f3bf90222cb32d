/* SPDX-License-Identifier: Apache-2.0
 *
 * `picket sync`: how each domain's replication stands, here and as its synchronizer reports.
 */
#include "base/clock.h"
#include "node/sync_report.h"
#include "node/view_internal.h"

#include <stdio.h>

static int64_t ms(int64_t ns)
{
    return ns / CLOCK_MILLISECOND;
}

static void write_counts(struct json_writer *w, const struct directory_progress *progress)
{
    json_write_object(w, "objects_by_kind");
    for (unsigned i = 0; i < ENTITY_KINDS; i++)
        if (progress->counts.kinds[i])
            json_write_uint(w, entity_kind_name((enum entity_kind)i), progress->counts.kinds[i]);
    json_write_close(w);
    json_write_uint(w, "links", progress->counts.links);
    json_write_uint(w, "deleted", progress->counts.deleted);
}

static uint64_t objects_of(const struct directory_progress *progress)
{
    uint64_t objects = 0;
    for (unsigned i = 0; i < ENTITY_KINDS; i++)
        objects += progress->counts.kinds[i];
    return objects;
}

static void write_progress(struct json_writer *w, const struct directory_progress *progress, uint64_t objects)
{
    json_write_string(w, "method", progress->method == DIRECTORY_USN ? "usn" : "dirsync");
    json_write_string(w, "controller", *progress->controller ? progress->controller : NULL);
    json_write_bool(w, "reachable", progress->reachable);
    json_write_uint(w, "objects", objects);
    json_write_bool(w, "passing", progress->passing);
    json_write_uint(w, "pass_objects", progress->pass_objects);
    json_write_uint(w, "pass_expected", progress->pass_expected);
    json_write_uint(w, "rate", (uint64_t)progress->rate);
    json_write_time(w, "pass_began", ms(progress->full_pass_began));
    json_write_time(w, "pass_ended", ms(progress->full_pass_ended));
    json_write_time(w, "last_increment", ms(progress->last_increment));
    json_write_time(w, "last_change", ms(progress->last_change));
    json_write_time(w, "last_reconciled", ms(progress->last_reconciled));
    json_write_uint(w, "mismatches", progress->mismatches);
    json_write_uint(w, "lag_usn", progress->lag_usn);
    json_write_int(w, "lag_ms", ms(progress->lag));
    json_write_uint(w, "applied", progress->applied);
    json_write_uint(w, "removed", progress->removed);
    json_write_uint(w, "refused", progress->refused);
    json_write_uint(w, "batches", progress->batches);
    json_write_uint(w, "errors", progress->errors);
    json_write_string(w, "last_error", *progress->last_error ? progress->last_error : NULL);
}

/* Why this node comes by its entities as it does. */
static void why(struct text *t, struct cluster *core, const struct cluster_domain_view *domain,
                const struct directory_progress *own)
{
    char name[NAME_MAX_SIZE];
    if (!own)
        text_string(t, "this node has no account for the domain: it reads nothing of its directory");
    else if (domain->state == ELECTION_ACTIVE)
        text_string(t, "this node is the synchronizer: it replicates all of the directory");
    else if (domain->fresh) {
        text_string(t, view_name(core, &domain->claim.id, name));
        text_string(t, " is the synchronizer; this node looks up what its traffic shows");
    } else {
        text_string(t, "no synchronizer: this node looks up what its traffic shows, nothing else is known");
    }
    if (own && !own->reachable && *own->reason) {
        text_string(t, "; its directory cannot be read: ");
        text_string(t, own->reason);
    }
}

static const struct directory_progress *own_progress(const struct view_source *source, const char *domain)
{
    for (unsigned i = 0; i < source->progress_count; i++)
        if (strcmp(source->progress[i].domain, domain) == 0)
            return &source->progress[i];
    return NULL;
}

static void write_reported(struct json_writer *w, const struct view_source *source, const char *domain)
{
    struct cluster_report_view view;
    struct sync_report report;
    char name[NAME_MAX_SIZE];
    if (!cluster_report(source->core, domain, &view) || !sync_report_read(&report, view.data)) {
        json_write_null(w, "reported");
        return;
    }
    json_write_object(w, "reported");
    json_write_string(w, "by", view_name(source->core, &view.id, name));
    json_write_uint(w, "term", view.term);
    json_write_time(w, "received", view.wall);
    write_progress(w, &report.progress, report.objects);
    json_write_close(w);
}

static void write_domain(struct json_writer *w, const struct view_source *source,
                         const struct cluster_domain_view *domain)
{
    const struct directory_progress *own = own_progress(source, domain->domain);
    char sentence[512], name[NAME_MAX_SIZE];
    struct text t = text_to(sentence, sizeof(sentence));
    why(&t, source->core, domain, own);
    text_end(&t);
    json_write_object(w, NULL);
    json_write_string(w, "domain", domain->domain);
    json_write_string(w, "mode", !own ? "none" : domain->state == ELECTION_ACTIVE ? "proactive" : "reactive");
    json_write_string(w, "why", sentence);
    json_write_string(w, "synchronizer",
                      domain->fresh ? view_name(source->core, &domain->claim.id, name) : NULL);
    if (own) {
        json_write_object(w, "here");
        write_progress(w, own, objects_of(own));
        write_counts(w, own);
        json_write_string(w, "reason", *own->reason ? own->reason : NULL);
        json_write_close(w);
    } else {
        json_write_null(w, "here");
    }
    write_reported(w, source, domain->domain);
    json_write_close(w);
}

void view_sync(struct json_writer *w, const char *only, const struct view_source *source)
{
    struct cluster_domain_view domain;
    json_write_array(w, "domains");
    for (unsigned i = 0; i < cluster_domain_count(source->core); i++)
        if (cluster_domain_at(source->core, i, &domain) && (!*only || strcmp(only, domain.domain) == 0))
            write_domain(w, source, &domain);
    json_write_close(w);
}
