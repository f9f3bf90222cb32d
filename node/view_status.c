/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of the fleet on one screen: counts, problems, domains.
 */
#include "node/duration.h"
#include "node/key_report.h"
#include "node/view_delivery.h"
#include "node/view_internal.h"

#include <stdarg.h>
#include <stdio.h>

#define PROBLEMS_MAX  1000 /* of members, told one by one */
#define CONVERGED_MAX (5 * 60 * 1000)

enum severity { SEVERITY_ERROR, SEVERITY_WARNING };

static void problem(struct json_writer *w, enum severity severity, const char *subject, const char *format,
                    ...) __attribute__((format(printf, 4, 5)));
static void problem(struct json_writer *w, enum severity severity, const char *subject, const char *format,
                    ...)
{
    char sentence[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    json_write_object(w, NULL);
    json_write_string(w, "severity", severity == SEVERITY_ERROR ? "error" : "warning");
    json_write_string(w, "subject", subject);
    json_write_string(w, "text", sentence);
    json_write_close(w);
}

static const char *words(int64_t ms, char to[64])
{
    struct text t = text_to(to, 64);
    duration_words(&t, ms);
    text_end(&t);
    return to;
}

static void own_problems(struct json_writer *w, struct cluster *core)
{
    struct cluster_status status;
    struct cluster_member_view self;
    char ago[64], name[NAME_MAX_SIZE] = "this node";
    cluster_status(core, &status);
    bool revoked = cluster_member_at(core, 0, &self) && self.state == MEMBER_REVOKED;
    view_name(core, &status.id, name);
    if (revoked)
        problem(w, SEVERITY_ERROR, name, "this node is revoked: the fleet does not listen to it any more");
    if (status.tilt)
        problem(w, SEVERITY_WARNING, name,
                "this node was paused or its clock jumped: it collects, and decides nothing for a while");
    unsigned others = status.members - 1 - status.left - status.revoked;
    if (status.members > 1 && others > 0 && status.neighbours == 0)
        problem(w, SEVERITY_ERROR, name, "this node has no neighbour: it sees nothing of the other %u",
                others);
    else if (status.neighbours > 0 && status.converged_ago > CONVERGED_MAX)
        problem(w, SEVERITY_WARNING, name, "this node's view agreed with a neighbour's %s ago",
                words(status.converged_ago, ago));
}

static void domain_problems(struct json_writer *w, struct cluster *core)
{
    struct cluster_domain_view domain;
    for (unsigned i = 0; i < cluster_domain_count(core); i++) {
        if (!cluster_domain_at(core, i, &domain))
            continue;
        enum domain_state state = domain_state_of(&domain);
        char sentence[512];
        struct text t = text_to(sentence, sizeof(sentence));
        domain_sentence(&t, core, &domain);
        text_end(&t);
        if (state == DOMAIN_UNASSIGNED)
            problem(w, SEVERITY_ERROR, domain.domain, "no synchronizer: %s", sentence);
        else if (state != DOMAIN_HELD && state != DOMAIN_STARTING)
            problem(w, SEVERITY_WARNING, domain.domain, "%s", sentence);
        if (domain.eligible && !domain.reachable)
            problem(w, SEVERITY_WARNING, domain.domain,
                    "this node is a candidate but does not reach the domain's directory");
    }
}

static void member_problems(struct json_writer *w, struct cluster *core)
{
    struct cluster_member_view member;
    char silent[64];
    unsigned told = 0;
    for (unsigned i = 0; i < cluster_member_count(core) && told < PROBLEMS_MAX; i++) {
        if (!cluster_member_at(core, i, &member) || member.state != MEMBER_OFFLINE)
            continue;
        const struct certificate *certificate = &member.record->certificate;
        told++;
        if (member.silent < 0)
            problem(w, SEVERITY_WARNING, certificate->name,
                    "offline at %s: not heard since this node started", certificate->grant.site);
        else
            problem(w, SEVERITY_WARNING, certificate->name, "offline at %s: silent for %s",
                    certificate->grant.site, words(member.silent, silent));
    }
}

#define UNASSIGNED 1007u /* told of with its domain */

static void health_problems(struct json_writer *w, const struct view_source *source)
{
    for (unsigned i = 0; i < source->health_count; i++)
        if (source->health[i].kind->number != UNASSIGNED)
            problem(w, source->health[i].severity == HEALTH_HIGH ? SEVERITY_ERROR : SEVERITY_WARNING,
                    source->health[i].subject, "%s (%u, %s)", source->health[i].text,
                    source->health[i].kind->number, source->health[i].kind->word);
}

void view_health(struct json_writer *w, const struct view_source *source)
{
    json_write_array(w, "issues");
    for (unsigned i = 0; i < source->health_count; i++) {
        const struct health_issue *issue = &source->health[i];
        json_write_object(w, NULL);
        json_write_uint(w, "number", issue->kind->number);
        json_write_string(w, "issue", issue->kind->word);
        json_write_string(w, "name", issue->kind->name);
        json_write_string(w, "severity", health_severity_name(issue->severity));
        json_write_string(w, "subject", issue->subject);
        json_write_string(w, "text", issue->text);
        json_write_time(w, "since", issue->since / CLOCK_MILLISECOND);
        json_write_string(w, "action", issue->kind->action);
        json_write_close(w);
    }
    json_write_close(w);
}

void view_problems(struct json_writer *w, const struct view_source *source)
{
    json_write_array(w, "problems");
    own_problems(w, source->core);
    domain_problems(w, source->core);
    health_problems(w, source);
    member_problems(w, source->core);
    json_write_close(w);
}

static void write_counts(struct json_writer *w, struct cluster *core)
{
    struct cluster_status status;
    cluster_status(core, &status);
    unsigned of[MEMBER_REVOKED + 1] = {0}, sensors = 0, count = cluster_member_count(core);
    struct cluster_member_view member;
    for (unsigned i = 0; i < count; i++) {
        if (!cluster_member_at(core, i, &member))
            continue;
        of[member.state]++;
        sensors += member.record->certificate.grant.mode == MODE_SENSOR;
    }
    json_write_object(w, "members");
    json_write_uint(w, "all", count);
    for (unsigned i = 0; i <= MEMBER_REVOKED; i++)
        json_write_uint(w, view_member_state((enum member_state)i), of[i]);
    json_write_uint(w, "sensors", sensors);
    json_write_uint(w, "standalone", count - sensors);
    json_write_close(w);
    json_write_uint(w, "memory_bytes", status.memory);
}

static void write_capture(struct json_writer *w, const struct view_capture *capture)
{
    if (!capture) {
        json_write_null(w, "capture");
        return;
    }
    json_write_object(w, "capture");
    json_write_uint(w, "interfaces", capture->interfaces);
    json_write_uint(w, "absent", capture->absent);
    json_write_uint(w, "packets", capture->packets);
    json_write_uint(w, "activities", capture->activities);
    json_write_uint(w, "dropped", capture->dropped);
    json_write_uint(w, "activities_dropped", capture->activities_dropped);
    json_write_close(w);
}

static void write_inputs(struct json_writer *w, const struct view_source *source)
{
    json_write_array(w, "inputs");
    for (unsigned i = 0; i < source->input_count; i++) {
        const struct view_input *input = &source->inputs[i];
        json_write_object(w, NULL);
        json_write_string(w, "input", input->name);
        json_write_bool(w, "running", input->running);
        json_write_uint(w, "received", input->received);
        json_write_uint(w, "understood", input->understood);
        json_write_uint(w, "invalid", input->invalid);
        json_write_uint(w, "dropped", input->dropped);
        json_write_close(w);
    }
    json_write_close(w);
}

static void write_naming(struct json_writer *w, const struct prober_counters *naming)
{
    if (!naming) {
        json_write_null(w, "naming");
        return;
    }
    json_write_object(w, "naming");
    json_write_uint(w, "addresses", naming->addresses);
    json_write_uint(w, "waiting", naming->waiting);
    json_write_uint(w, "refused", naming->full);
    for (unsigned i = 0; i < NAME_METHODS; i++) {
        if (naming->methods[i].asked == 0)
            continue;
        json_write_object(w, name_method_name((enum name_method)i));
        json_write_uint(w, "asked", naming->methods[i].asked);
        json_write_uint(w, "named", naming->methods[i].named);
        json_write_close(w);
    }
    json_write_close(w);
}

void view_status(struct json_writer *w, const struct view_source *source)
{
    write_counts(w, source->core);
    view_problems(w, source);
    view_domains(w, "domains", source);
    write_capture(w, source->capture);
    view_health(w, source);
    view_quota(w, source);
    view_delivery_write(w, source->delivery);
    write_inputs(w, source);
    write_naming(w, source->naming);
    if (source->keys)
        key_report_json(w, "keys", source->keys);
    else
        json_write_null(w, "keys");
}
