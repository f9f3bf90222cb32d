/* SPDX-License-Identifier: Apache-2.0
 *
 * The answers of the control socket, made from a core of this file's own: each state of a domain, each kind
 * of member, each notice.
 */
#include "cluster/fleet_view.h"
#include "node/duration.h"
#include "node/fleet_report.h"
#include "node/sync_report.h"
#include "node/view.h"

#include "unit.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* --- a core: what the views ask of the real one --- */

#define MEMBERS 7u

static struct cluster_member_view members[MEMBERS];
static struct record records[MEMBERS];
static struct cluster_domain_view domains[8];
static unsigned domain_count;
static struct cluster_status status;
static struct cluster_notice notices[32];
static unsigned notice_count;
static const char *const member_names[MEMBERS] = {"here", "DC-HQ-2", "late",   "off",
                                                  "gone", "revoked", "unheard"};

unsigned cluster_member_count(const struct cluster *self)
{
    (void)self;
    return MEMBERS;
}

bool cluster_member_at(struct cluster *self, unsigned index, struct cluster_member_view *view)
{
    (void)self;
    if (index < MEMBERS)
        *view = members[index];
    return index < MEMBERS;
}

bool cluster_member_find(struct cluster *self, const struct node_id *id, struct cluster_member_view *view)
{
    for (unsigned i = 0; i < MEMBERS; i++)
        if (node_id_equal(&members[i].id, id))
            return cluster_member_at(self, i, view);
    return false;
}

bool cluster_knows(const struct cluster *self, const struct node_id *id)
{
    (void)self;
    for (unsigned i = 0; i < MEMBERS; i++)
        if (node_id_equal(&members[i].id, id))
            return true;
    return false;
}

unsigned cluster_domain_count(const struct cluster *self)
{
    (void)self;
    return domain_count;
}

bool cluster_domain_at(struct cluster *self, unsigned index, struct cluster_domain_view *view)
{
    (void)self;
    if (index < domain_count)
        *view = domains[index];
    return index < domain_count;
}

bool cluster_domain_find(struct cluster *self, const char *domain, struct cluster_domain_view *view)
{
    for (unsigned i = 0; i < domain_count; i++)
        if (strcmp(domains[i].domain, domain) == 0)
            return cluster_domain_at(self, i, view);
    return false;
}

unsigned cluster_peer_count(const struct cluster *self)
{
    (void)self;
    return 1;
}

bool cluster_peer_at(const struct cluster *self, unsigned index, struct cluster_peer_view *view)
{
    (void)self;
    *view = (struct cluster_peer_view){
        .id = members[1].id, .dialled = true, .rtt = 610, .bytes_in = 7, .heard = 3};
    return index == 0;
}

void cluster_status(const struct cluster *self, struct cluster_status *to)
{
    (void)self;
    *to = status;
}

const struct cluster_counters *cluster_counters(const struct cluster *self)
{
    static const struct cluster_counters counters = {.malformed = 3};
    (void)self;
    return &counters;
}

unsigned cluster_history_count(const struct cluster *self)
{
    (void)self;
    return notice_count;
}

bool cluster_history_at(const struct cluster *self, unsigned index, struct cluster_notice *notice)
{
    (void)self;
    if (index < notice_count)
        *notice = notices[index];
    return index < notice_count;
}

const char *cluster_cause_name(enum cluster_cause cause)
{
    return cause == CAUSE_SILENT ? "silent" : "else";
}

const char *cluster_cause_text(enum cluster_cause cause)
{
    return cause == CAUSE_SILENT ? "the holder was silent" : "something else";
}

static uint8_t report_data[REPORT_DATA_MAX];
static size_t report_size;

bool cluster_report(const struct cluster *self, const char *domain, struct cluster_report_view *view)
{
    (void)self;
    *view = (struct cluster_report_view){.id = members[1].id, .term = 4, .data = {report_data, report_size}};
    return report_size > 0 && strcmp(domain, "corp.example") == 0;
}

/* --- */

#define NOW INT64_C(1795330800000)

static void set_member(unsigned i, enum member_state state)
{
    struct record *record = &records[i];
    memset(record, 0, sizeof(*record));
    snprintf(record->certificate.name, sizeof(record->certificate.name), "%s", member_names[i]);
    snprintf(record->certificate.grant.site, sizeof(record->certificate.grant.site), "hq");
    record->certificate.grant.mode = i % 2 ? MODE_SENSOR : MODE_STANDALONE;
    members[i] = (struct cluster_member_view){.record = record,
                                              .state = state,
                                              .since = NOW - 60000,
                                              .silent = i ? 1000 * i : 0,
                                              .rtt = -1,
                                              .self = i == 0};
    members[i].id.bytes[0] = (uint8_t)(i + 1);
}

static int set_up(void **state)
{
    static const enum member_state states[MEMBERS] = {MEMBER_ONLINE,  MEMBER_ONLINE, MEMBER_LATE,
                                                      MEMBER_OFFLINE, MEMBER_LEFT,   MEMBER_REVOKED,
                                                      MEMBER_UNHEARD};
    (void)state;
    for (unsigned i = 0; i < MEMBERS; i++)
        set_member(i, states[i]);
    members[6].silent = -1;
    struct grant *grant = &records[0].certificate.grant;
    grant->domain_count = 2;
    strcpy(grant->domains[0], "corp.example");
    strcpy(grant->domains[1], "eu.example");
    records[0].candidate_off = 2;
    members[1].neighbour = true;
    members[1].rtt = 610;
    status = (struct cluster_status){.id = members[0].id,
                                     .members = MEMBERS,
                                     .online = 2,
                                     .offline = 1,
                                     .left = 1,
                                     .revoked = 1,
                                     .neighbours = 1,
                                     .converged_ago = 2000,
                                     .observed = 5000};
    domains[0] = (struct cluster_domain_view){
        .domain = "corp.example",
        .state = ELECTION_FOLLOWER,
        .has_claim = true,
        .holder_silent = 22 * 60000,
        .replace_in = 8 * 60000,
        .next_in = -1,
        .candidates = 2,
        .candidates_online = 1,
        .eligible = true,
        .reachable = true,
        .cause = CAUSE_SILENT,
        .since = NOW - 3600000,
        .claim = {.term = 3, .settled = true, .id = members[1].id, .support = 4}};
    domain_count = 1;
    notice_count = 0;
    return 0;
}

static const uint8_t fleet[FLEET_ID_SIZE] = {0xab};
static const struct view_counter transport[] = {{"full", 5}};
static const struct view_directory directories[] = {
    {"corp.example", "dc1:389", false, NOW - 5000, "refused"}};
static const struct view_input inputs[] = {{"syslog", true, 9, 5, 1, 2}};
static const struct view_capture capture = {.interfaces = 2, .absent = 1, .packets = 10};
static struct health_issue issues[2];
static const struct governor_snapshot *quota;

static json_t *answer_to(const char *request_text)
{
    struct control_request request;
    const char *fault;
    struct json_writer w;
    struct bytes text;
    issues[0] = (struct health_issue){.kind = health_kind(1008),
                                      .severity = HEALTH_MEDIUM,
                                      .subject = "capture",
                                      .text = "1 of 2 interfaces cannot be captured",
                                      .since = (NOW - 60000) * 1000000};
    issues[1] = (struct health_issue){.kind = health_kind(1007),
                                      .severity = HEALTH_LOW,
                                      .subject = "corp.example",
                                      .text = "nobody in sight",
                                      .since = NOW * 1000000};
    struct view_source source = {.core = NULL,
                                 .health = issues,
                                 .health_count = 2,
                                 .quota = quota,
                                 .wall = NOW,
                                 .fleet_name = "corp",
                                 .fleet = fleet,
                                 .transport = transport,
                                 .transport_count = 1,
                                 .directories = directories,
                                 .directory_count = 1,
                                 .capture = &capture,
                                 .inputs = inputs,
                                 .input_count = 1};
    assert_true(control_request_read(
        &request, (struct bytes){(const uint8_t *)request_text, strlen(request_text)}, &fault));
    json_writer_init(&w, 1 << 20);
    view_answer(&w, &request, &source);
    assert_true(json_writer_done(&w, &text));
    json_t *answer = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(answer);
    assert_int_equal(json_integer_value(json_object_get(answer, "schema")), 1);
    json_writer_free(&w);
    control_request_free(&request);
    return answer;
}

static const char *text_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void members_are_told_whole(void **state)
{
    (void)state;
    json_t *answer = answer_to("{\"verb\":\"members\"}"), *list = json_object_get(answer, "members");
    static const char *const states[] = {"online", "online", "late", "offline", "left", "revoked", "unheard"};
    assert_int_equal(json_array_size(list), MEMBERS);
    for (unsigned i = 0; i < MEMBERS; i++) {
        assert_string_equal(text_at(json_array_get(list, i), "state"), states[i]);
        assert_string_equal(text_at(json_array_get(list, i), "name"), member_names[i]);
    }
    json_t *here = json_array_get(list, 0), *peer = json_array_get(list, 1);
    assert_true(json_is_true(json_object_get(here, "self")));
    assert_string_equal(json_string_value(json_array_get(json_object_get(here, "candidate_for"), 0)),
                        "corp.example");
    assert_string_equal(json_string_value(json_array_get(json_object_get(here, "candidate_off"), 0)),
                        "eu.example");
    assert_string_equal(json_string_value(json_array_get(json_object_get(peer, "holds"), 0)), "corp.example");
    assert_true(json_real_value(json_object_get(peer, "rtt_ms")) > 0.6);
    assert_true(json_is_null(json_object_get(json_array_get(list, 6), "silent_ms")));
    const json_t *view = json_object_get(answer, "view");
    assert_string_equal(text_at(view, "name"), "here");
    assert_string_equal(text_at(view, "time"), "2026-11-22T07:00:00.000Z");
    assert_string_equal(text_at(json_object_get(answer, "fleet"), "name"), "corp");
    json_decref(answer);
}

/* What `synchronizer` says of the one domain. */
static void expect_domain(const char *wanted_state, const char *wanted_next, const char *wanted_mode)
{
    json_t *answer = answer_to("{\"verb\":\"synchronizer\"}");
    const json_t *domain = json_array_get(json_object_get(answer, "domains"), 0);
    assert_string_equal(text_at(domain, "state"), wanted_state);
    assert_string_equal(text_at(domain, "next"), wanted_next);
    assert_string_equal(text_at(domain, "mode_here"), wanted_mode);
    json_decref(answer);
}

static void what_happens_next_is_said(void **state)
{
    (void)state;
    struct cluster_domain_view *d = &domains[0];
    expect_domain("silent", "DC-HQ-2 silent for 22 min; replaced in 8 min unless heard", "reactive");
    d->replace_in = 0;
    expect_domain("silent", "DC-HQ-2 silent for 22 min; is being replaced", "reactive");
    d->candidates_online = 0;
    d->replace_in = -1;
    d->holder_silent = -1;
    expect_domain("silent", "DC-HQ-2 not heard since this node started; no candidate is online to replace it",
                  "reactive");
    d->candidates_online = 1;
    d->state = ELECTION_WAIT;
    d->next_in = 12000;
    expect_domain("electing", "this node waits its turn; acts in 12 s unless another bids first", "reactive");
    d->state = ELECTION_PRECHECK;
    d->next_in = 500;
    expect_domain("electing", "this node asks whether anybody heard DC-HQ-2; bids now unless somebody did",
                  "reactive");
    d->state = ELECTION_SETTLING;
    d->next_in = 90000;
    expect_domain("electing", "this node bids; holds it in 1 min 30 s unless a greater claim is heard",
                  "reactive");
    d->state = ELECTION_FOLLOWER;
    d->claim.settled = false;
    expect_domain("electing", "DC-HQ-2 bids; holds it unless a greater claim is heard", "reactive");
    d->claim.settled = d->claim.released = true;
    expect_domain("released", "DC-HQ-2 let it go; 1 candidate is online: one of them takes it soon",
                  "reactive");
    d->claim.released = false;
    d->fresh = true;
    d->holder_silent = 3000;
    expect_domain("held", "DC-HQ-2 replicates it; heard 3 s ago", "proactive");
    d->state = ELECTION_ACTIVE;
    d->pinned = true;
    expect_domain("held", "this node replicates it (pinned)", "synchronizer");
    *d = (struct cluster_domain_view){.domain = "corp.example", .unassigned = true, .holder_silent = -1};
    expect_domain("unassigned", "no node is a candidate: nobody can replicate it", "reactive");
    d->candidates = 2;
    expect_domain("unassigned", "none of its candidates is online", "reactive");
    d->unassigned = false;
    d->candidates_online = 2;
    d->state = ELECTION_OBSERVER;
    expect_domain("unassigned", "2 candidates are online: one of them takes it soon", "reactive");
    d->state = ELECTION_BOOT;
    d->next_in = 119000;
    expect_domain("starting", "this node listens first; decides in 1 min 59 s at the latest", "reactive");
}

static bool told(const json_t *answer, const char *subject, const char *words)
{
    const json_t *problems = json_object_get(answer, "problems");
    for (size_t i = 0; i < json_array_size(problems); i++) {
        const json_t *problem = json_array_get(problems, i);
        if (strcmp(text_at(problem, "subject"), subject) == 0 && strstr(text_at(problem, "text"), words))
            return true;
    }
    return false;
}

static void health_is_told(void **state)
{
    (void)state;
    json_t *answer = answer_to("{\"verb\":\"health\"}");
    const json_t *list = json_object_get(answer, "issues");
    assert_int_equal(json_array_size(list), 2);
    const json_t *issue = json_array_get(list, 0);
    assert_int_equal(json_integer_value(json_object_get(issue, "number")), 1008);
    assert_string_equal(text_at(issue, "severity"), "medium");
    assert_string_equal(text_at(issue, "subject"), "capture");
    assert_string_equal(text_at(issue, "since"), "2026-11-22T06:59:00.000Z");
    assert_true(strlen(text_at(issue, "action")) > 10);
    json_decref(answer);
}

/* The mission's second example, with what was given up for it. */
static void the_quota_is_told(void **state)
{
    (void)state;
    struct governor_snapshot snapshot = {
        .decided = NOW * 1000000,
        .period = GOVERNOR_PERIOD,
        .reserve_cpu = 15,
        .reserve_memory = 20,
        .processors = 4,
        .readable = true,
        .capturing = true,
        .level = 2 * 13 + 1 + 6, /* unknown and TLS wholly, six of thirteen of HTTP */
        .raised = true,
        .decision =
            {.cpu = {.total = 4000000000, .others = 2800000000, .ours = 500000000, .quota = 600000000},
             .memory = {.total = 1000, .others = 400, .ours = 100, .quota = 400, .place = 1},
             .capture_cpu = 500000000,
             .capture_memory = 300},
        .capture_used = 400000000,
        .capture_memory = 50,
    };
    snapshot.now.shed[PROTOCOL_TLS] = (struct capture_shed){7, 8, 9};
    snapshot.hour.shed[PROTOCOL_TLS] = (struct capture_shed){70, 80, 90};
    snapshot.hour.dropped = 11;
    snapshot.all.paused = 5000000000;
    quota = &snapshot;
    json_t *answer = answer_to("{\"verb\":\"quota\"}");
    const json_t *told = json_object_get(answer, "quota"), *cpu = json_object_get(told, "cpu");
    const json_t *memory = json_object_get(told, "memory"), *list = json_object_get(told, "protocols");
    assert_true(json_real_value(json_object_get(cpu, "quota_percent")) == 15.0);
    assert_true(json_real_value(json_object_get(cpu, "others_percent")) == 70.0);
    assert_true(json_real_value(json_object_get(cpu, "used_percent")) == 12.5);
    assert_true(json_real_value(json_object_get(cpu, "capture_used_percent")) == 10.0);
    assert_string_equal(text_at(cpu, "limited_by"), "host");
    assert_string_equal(text_at(memory, "limited_by"), "control group");
    assert_int_equal(json_integer_value(json_object_get(memory, "quota_bytes")), 400);
    assert_int_equal(json_integer_value(json_object_get(told, "issue")), 1013);
    assert_int_equal(json_array_size(list), PROTOCOLS);
    const json_t *tls = json_array_get(list, 1), *http = json_array_get(list, 2);
    assert_string_equal(text_at(tls, "protocol"), "tls");
    assert_true(json_real_value(json_object_get(tls, "kept_percent")) == 0);
    assert_true(json_real_value(json_object_get(http, "kept_percent")) == 53.8);
    assert_true(json_real_value(json_object_get(json_array_get(list, 3), "kept_percent")) == 100);
    const json_t *hour = json_object_get(tls, "hour"), *dropped = json_object_get(told, "dropped_packets");
    assert_int_equal(json_integer_value(json_object_get(hour, "packets")), 80);
    assert_int_equal(json_integer_value(json_object_get(dropped, "hour")), 11);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(told, "paused_ms"), "all")), 5000);
    json_decref(answer);
    quota = NULL;
    answer = answer_to("{\"verb\":\"quota\"}");
    assert_true(json_is_null(json_object_get(answer, "quota")));
    json_decref(answer);
}

static void problems_are_told(void **state)
{
    (void)state;
    json_t *answer = answer_to("{\"verb\":\"status\"}");
    assert_true(told(answer, "corp.example", "silent for 22 min"));
    assert_true(told(answer, "off", "offline at hq: silent for 3 s"));
    assert_true(told(answer, "capture", "1 of 2 interfaces"));
    assert_int_equal(json_array_size(json_object_get(answer, "problems")), 3);
    const json_t *input = json_array_get(json_object_get(answer, "inputs"), 0);
    assert_string_equal(text_at(input, "input"), "syslog");
    assert_int_equal(json_integer_value(json_object_get(input, "dropped")), 2);
    const json_t *counts = json_object_get(answer, "members");
    assert_int_equal(json_integer_value(json_object_get(counts, "all")), MEMBERS);
    assert_int_equal(json_integer_value(json_object_get(counts, "offline")), 1);
    assert_int_equal(json_integer_value(json_object_get(counts, "sensors")), 3);
    json_decref(answer);

    struct cluster_domain_view before = domains[0];
    domains[0] =
        (struct cluster_domain_view){.domain = "corp.example", .state = ELECTION_BOOT, .candidates = 1};
    answer = answer_to("{\"verb\":\"status\"}");
    assert_false(told(answer, "corp.example", "")); /* it has just started */
    json_decref(answer);
    domains[0] = before;

    status.tilt = true;
    status.neighbours = 0;
    members[0].state = MEMBER_REVOKED;
    members[3].silent = -1;
    domains[0].unassigned = true;
    domains[0].reachable = false;
    answer = answer_to("{\"verb\":\"status\"}");
    assert_true(told(answer, "here", "revoked"));
    assert_true(told(answer, "here", "paused"));
    assert_true(told(answer, "here", "no neighbour"));
    assert_true(told(answer, "corp.example", "no synchronizer"));
    assert_true(told(answer, "corp.example", "does not reach"));
    assert_true(told(answer, "off", "not heard since this node started"));
    json_decref(answer);

    status.neighbours = 1;
    status.converged_ago = 10 * 60000;
    answer = answer_to("{\"verb\":\"status\"}");
    assert_true(told(answer, "here", "agreed with a neighbour's 10 min ago"));
    json_decref(answer);
}

static bool reasoned(const json_t *answer, const char *words)
{
    const json_t *reasons = json_object_get(json_object_get(answer, "why"), "reasons");
    for (size_t i = 0; i < json_array_size(reasons); i++)
        if (strstr(json_string_value(json_array_get(reasons, i)), words))
            return true;
    return false;
}

static void reasons_are_given(void **state)
{
    (void)state;
    json_t *answer = answer_to("{\"verb\":\"why\",\"domain\":\"Corp.Example\"}");
    assert_true(
        reasoned(answer, "term 3: claimed by DC-HQ-2 with the support of 4 members, because the holder was"));
    const json_t *why = json_object_get(answer, "why");
    assert_string_equal(json_string_value(json_object_get(why, "cause")), "silent");
    assert_string_equal(json_string_value(json_object_get(why, "cause_text")), "the holder was silent");
    assert_true(json_is_null(json_object_get(why, "last_abort")));
    assert_true(json_is_null(json_object_get(why, "last_abort_text")));
    assert_true(reasoned(answer, "heard its holder 22 min ago"));
    assert_true(reasoned(answer, "sought: 8 min"));
    assert_true(reasoned(answer, "is a candidate and reaches"));
    json_decref(answer);

    struct cluster_domain_view *d = &domains[0];
    status.tilt = true;
    d->reachable = false;
    d->pinned = true;
    d->vetoes = 1;
    d->last_abort = CAUSE_VETO;
    d->candidates = 1;
    d->holder_silent = -1;
    answer = answer_to("{\"verb\":\"why\",\"domain\":\"corp.example\"}");
    assert_true(reasoned(answer, "does not reach the domain's directory"));
    assert_true(reasoned(answer, "pinned"));
    assert_true(reasoned(answer, "TILT"));
    assert_true(reasoned(answer, "1 time somebody"));
    assert_true(reasoned(answer, "ended because something else"));
    assert_true(reasoned(answer, "one candidate only"));
    assert_true(reasoned(answer, "not heard since this node started"));
    json_decref(answer);

    d->eligible = false;
    d->has_claim = false;
    d->candidates = 0;
    answer = answer_to("{\"verb\":\"why\",\"domain\":\"corp.example\"}");
    assert_true(reasoned(answer, "switched off"));
    assert_true(reasoned(answer, "no claim was ever heard"));
    assert_true(reasoned(answer, "there is no candidate"));
    json_decref(answer);
    d->domain = "other.example";
    answer = answer_to("{\"verb\":\"why\",\"domain\":\"other.example\"}");
    assert_true(reasoned(answer, "its grant does not name"));
    json_decref(answer);
    answer = answer_to("{\"verb\":\"why\",\"domain\":\"nowhere.example\"}");
    assert_string_equal(text_at(json_object_get(answer, "error"), "code"), "unknown_domain");
    json_decref(answer);
}

static void links_and_reach_are_told(void **state)
{
    (void)state;
    json_t *answer = answer_to("{\"verb\":\"peers\"}");
    const json_t *peer = json_array_get(json_object_get(answer, "peers"), 0);
    assert_string_equal(text_at(peer, "name"), "DC-HQ-2");
    assert_string_equal(text_at(peer, "direction"), "out");
    const json_t *counters = json_object_get(answer, "counters");
    assert_int_equal(json_integer_value(json_object_get(counters, "malformed")), 3);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(answer, "transport"), "full")), 5);
    json_decref(answer);
    answer = answer_to("{\"verb\":\"reach\"}");
    static const char *const by[] = {"self", "link", "relay", "none", "gone", "gone", "none"};
    for (unsigned i = 0; i < MEMBERS; i++)
        assert_string_equal(text_at(json_array_get(json_object_get(answer, "members"), i), "by"), by[i]);
    const json_t *directory = json_array_get(json_object_get(answer, "directories"), 0);
    assert_string_equal(text_at(directory, "reason"), "refused");
    json_decref(answer);
}

static void history_is_filtered_and_limited(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= NOTICE_ELECTION; i++)
        notices[notice_count++] = (struct cluster_notice){.type = (enum cluster_notice_type)i,
                                                          .wall = NOW + i,
                                                          .term = i,
                                                          .node = members[1].id,
                                                          .domain = i < 5 ? "corp.example" : NULL};
    notices[2].cause = CAUSE_SILENT;
    memset(&notices[6].node, 0, sizeof(notices[6].node));
    notices[7].node.bytes[3] = 9;
    json_t *answer = answer_to("{\"verb\":\"history\"}"), *list = json_object_get(answer, "history");
    assert_int_equal(json_array_size(list), notice_count);
    for (size_t i = 0; i < json_array_size(list); i++) {
        assert_true(strlen(text_at(json_array_get(list, i), "text")) > 5);
        assert_null(strchr(text_at(json_array_get(list, i), "text"), '%'));
    }
    assert_string_equal(text_at(json_array_get(list, 2), "text"),
                        "corp.example: DC-HQ-2 bids for it, term 2: the holder was silent");
    assert_string_equal(text_at(json_array_get(list, 6), "text"), "nobody is online");
    assert_string_equal(text_at(json_array_get(list, 7), "text"),
                        "02000009000000000000000000000000 is offline");
    json_decref(answer);
    notices[2].settled = true;
    notices[3].type = NOTICE_HOLDER;
    notices[3].released = notices[3].settled = true;
    notices[4].type = NOTICE_ELECTION;
    notices[4].state = ELECTION_PRECHECK;
    answer = answer_to("{\"verb\":\"history\",\"domain\":\"corp.example\"}");
    list = json_object_get(answer, "history");
    assert_string_equal(text_at(json_array_get(list, 2), "step"), "holds");
    assert_string_equal(text_at(json_array_get(list, 3), "text"), "corp.example: DC-HQ-2 lets it go, term 3");
    assert_string_equal(text_at(json_array_get(list, 4), "text"),
                        "corp.example: this node asks who heard the holder, term 4");
    json_decref(answer);
    notices[4].type = NOTICE_ASSIGNED;
    answer = answer_to("{\"verb\":\"history\",\"domain\":\"corp.example\",\"limit\":2}");
    list = json_object_get(answer, "history");
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(text_at(json_array_get(list, 1), "event"), "assigned");
    json_decref(answer);
}

static void durations_are_for_people(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *brief, *words;
    } cases[] = {
        {-1, "-", "0 s"},
        {0, "0s", "0 s"},
        {59999, "59s", "59 s"},
        {60000, "1m00s", "1 min"},
        {299999, "4m59s", "4 min 59 s"},
        {724000, "12m04s", "12 min"},
        {3600000, "1h00m", "1 h"},
        {18420000, "5h07m", "5 h 7 min"},
        {187200000, "2d04h", "2 d 4 h"},
        {86400000, "1d00h", "1 d"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[64];
        struct text t = text_to(text, sizeof(text));
        duration_short(&t, cases[i].ms);
        text_end(&t);
        assert_string_equal(text, cases[i].brief);
        t = text_to(text, sizeof(text));
        duration_words(&t, cases[i].ms);
        text_end(&t);
        assert_string_equal(text, cases[i].words);
    }
}

static void a_change_and_a_refusal_are_objects(void **state)
{
    (void)state;
    struct json_writer w;
    struct bytes text;
    json_writer_init(&w, 4096);
    view_done(&w, "pinned");
    assert_true(json_writer_done(&w, &text));
    assert_int_equal(text.size, strlen("{\"schema\":1,\"done\":\"pinned\"}"));
    json_writer_free(&w);
    json_writer_init(&w, 4096);
    view_refuse(&w, "code", "message");
    assert_true(json_writer_done(&w, &text));
    assert_non_null(memmem(text.data, text.size, "\"code\":\"code\"", 13));
    json_writer_free(&w);
}

/* --- replication --- */

static const json_t *domain_named(const json_t *answer, const char *name)
{
    const json_t *list = json_object_get(answer, "domains");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(text_at(json_array_get(list, i), "domain"), name) == 0)
            return json_array_get(list, i);
    fail_msg("no domain %s", name);
    return NULL;
}

static void replication_is_told_as_it_was_reported(void **state)
{
    (void)state;
    const struct sync_report report = {
        .objects = 1234, .progress = {.method = DIRECTORY_USN, .controller = "dc2", .errors = 2}};
    report_size = sync_report_write(report_data, &report);
    json_t *answer = answer_to("{\"verb\":\"sync\"}");
    const json_t *domain = domain_named(answer, "corp.example");
    assert_string_equal(text_at(domain, "mode"), "none");
    assert_non_null(strstr(text_at(domain, "why"), "no account"));
    assert_true(json_is_null(json_object_get(domain, "here")));
    const json_t *reported = json_object_get(domain, "reported");
    assert_string_equal(text_at(reported, "by"), "DC-HQ-2");
    assert_string_equal(text_at(reported, "method"), "usn");
    assert_int_equal(json_integer_value(json_object_get(reported, "objects")), 1234);
    json_decref(answer);
    report_size = 0;
    answer = answer_to("{\"verb\":\"sync\",\"domain\":\"corp.example\"}");
    assert_int_equal(json_array_size(json_object_get(answer, "domains")), 1);
    assert_true(json_is_null(json_object_get(domain_named(answer, "corp.example"), "reported")));
    json_decref(answer);
}

/* --- what a center is told --- */

struct told {
    struct fleet_view view;
    struct fleet_domain domain;
    struct fleet_member members[MEMBERS];
    unsigned count;
};

static void take_domain(void *context, const struct fleet_domain *domain)
{
    ((struct told *)context)->domain = *domain;
}

static void take_member(void *context, const struct fleet_member *member)
{
    struct told *told = context;
    assert_true(told->count < MEMBERS);
    told->members[told->count++] = *member;
}

static struct told report(void)
{
    size_t size;
    struct told told = {.count = 0};
    const struct fleet_view_visitor visitor = {take_domain, take_member, &told};
    uint8_t *bytes = fleet_report_make(NULL, &size);
    assert_non_null(bytes);
    assert_true(fleet_view_read(&told.view, (struct bytes){bytes, size}, &visitor));
    free(bytes);
    return told;
}

static void a_center_is_told_of_the_fleet(void **state)
{
    (void)state;
    /* The domain has a holder, another node: that one tells the members. */
    domains[0].fresh = true;
    struct told told = report();
    assert_int_equal(told.view.members, MEMBERS);
    assert_int_equal(told.view.online, 2);
    assert_int_equal(told.view.domain_count, 1);
    assert_false(told.view.tells_members);
    assert_int_equal(told.count, 0);
    assert_string_equal(told.domain.domain, "corp.example");
    assert_string_equal(told.domain.state, "held");
    assert_string_equal(told.domain.holder_name, "DC-HQ-2");
    assert_int_equal(told.domain.term, 3);
    assert_int_equal(told.domain.support, 4);
    assert_int_equal(told.domain.since, NOW - 3600000);
    assert_int_equal(told.domain.silent, 22 * 60000);
    assert_int_equal(told.domain.candidates, 2);
    /* This node holds it. */
    domains[0].state = ELECTION_ACTIVE;
    domains[0].claim.id = members[0].id;
    told = report();
    assert_true(told.view.tells_members);
    assert_int_equal(told.domain.silent, 0);
    assert_int_equal(told.count, MEMBERS);
    assert_string_equal(told.members[0].name, "here");
    assert_int_equal(told.members[0].silent, 0);
    assert_true(told.members[0].standalone && !told.members[1].standalone);
    assert_string_equal(told.members[3].state, "offline");
    assert_int_equal(told.members[3].silent, 3000);
    assert_int_equal(told.members[3].since, NOW - 60000);
    assert_int_equal(told.members[6].silent, -1);
    /* Nobody holds any: the least id of those online; then not, for another one's is less. */
    domain_count = 0;
    assert_true(report().view.tells_members);
    members[1].id.bytes[0] = 0;
    members[1].id.bytes[1] = 1;
    assert_false(report().view.tells_members);
    members[1].state = MEMBER_OFFLINE;
    assert_true(report().view.tells_members);
    /* A claim that was let go, or of somebody who is not known, names nobody. */
    domain_count = 1;
    domains[0].claim.id.bytes[0] = 99;
    told = report();
    assert_string_equal(told.domain.holder_name, "");
    assert_false(node_id_is_zero(&told.domain.holder));
    domains[0].claim.released = true;
    told = report();
    assert_true(node_id_is_zero(&told.domain.holder));
    assert_int_equal(told.domain.silent, -1);
    assert_int_equal(told.domain.term, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(members_are_told_whole, set_up),
        cmocka_unit_test_setup(a_center_is_told_of_the_fleet, set_up),
        cmocka_unit_test_setup(what_happens_next_is_said, set_up),
        cmocka_unit_test_setup(health_is_told, set_up),
        cmocka_unit_test_setup(the_quota_is_told, set_up),
        cmocka_unit_test_setup(problems_are_told, set_up),
        cmocka_unit_test_setup(reasons_are_given, set_up),
        cmocka_unit_test_setup(links_and_reach_are_told, set_up),
        cmocka_unit_test_setup(history_is_filtered_and_limited, set_up),
        cmocka_unit_test_setup(replication_is_told_as_it_was_reported, set_up),
        cmocka_unit_test(durations_are_for_people),
        cmocka_unit_test(a_change_and_a_refusal_are_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
