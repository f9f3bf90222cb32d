/* SPDX-License-Identifier: Apache-2.0
 *
 * picket (status), picket synchronizer, picket why, picket history, picket events.
 */
#include "base/clock.h"
#include "base/text.h"
#include "node/duration.h"
#include "node/show.h"

#include <inttypes.h>
#include <string.h>

#define COUNT(array) (unsigned)(sizeof(array) / sizeof(array[0]))
#define BOLD         "1"
#define RED          "31"
#define YELLOW       "33"

static const char *or_dash(const char *text)
{
    return text && *text ? text : "-";
}

/* --- synchronizer --- */

enum domain_column {
    COLUMN_DOMAIN,
    COLUMN_STATE,
    COLUMN_HOLDER,
    COLUMN_TERM,
    COLUMN_SINCE,
    COLUMN_CANDIDATES,
    COLUMN_MODE,
    COLUMN_ELECTION,
    COLUMN_CAUSE,
    COLUMN_NEXT,
};

static const struct show_column domain_columns[] = {
    [COLUMN_DOMAIN] = {"DOMAIN", 0, SHOW_LEFT, false},
    [COLUMN_STATE] = {"STATE", 0, SHOW_LEFT, false},
    [COLUMN_HOLDER] = {"SYNCHRONIZER", 0, SHOW_LEFT, false},
    [COLUMN_TERM] = {"TERM", 0, SHOW_RIGHT, false},
    [COLUMN_SINCE] = {"SINCE", 0, SHOW_RIGHT, false},
    [COLUMN_CANDIDATES] = {"CANDIDATES", 0, SHOW_RIGHT, false},
    [COLUMN_MODE] = {"MODE HERE", 0, SHOW_LEFT, false},
    [COLUMN_ELECTION] = {"HERE", 0, SHOW_LEFT, true},
    [COLUMN_CAUSE] = {"CAUSE", 0.15, SHOW_CUT, false},
    [COLUMN_NEXT] = {"NEXT", 0.3, SHOW_CUT, false},
};

static void domain_row(struct show_table *table, const json_t *answer, const json_t *domain)
{
    const char *state = show_text(domain, "state");
    int64_t term = show_number(domain, "term", 0);
    show_table_row(table);
    show_table_cell(table, COLUMN_DOMAIN, "%s", or_dash(show_text(domain, "domain")));
    show_table_cell(table, COLUMN_STATE, "%s", or_dash(state));
    show_table_colour(table, COLUMN_STATE, show_domain_colour(state));
    show_table_cell(table, COLUMN_HOLDER, "%s", or_dash(show_text(domain, "holder")));
    if (term > 0)
        show_table_cell(table, COLUMN_TERM, "%" PRId64, term);
    else
        show_table_cell(table, COLUMN_TERM, "-");
    show_table_duration(table, COLUMN_SINCE, show_since(answer, domain, "since"));
    show_table_cell(table, COLUMN_CANDIDATES, "%" PRId64 "/%" PRId64,
                    show_number(domain, "candidates_online", 0), show_number(domain, "candidates", 0));
    show_table_cell(table, COLUMN_MODE, "%s", or_dash(show_text(domain, "mode_here")));
    show_table_cell(table, COLUMN_ELECTION, "%s", or_dash(show_text(domain, "election")));
    show_table_cell(table, COLUMN_CAUSE, "%s", or_dash(show_text(domain, "cause_text")));
    show_table_cell(table, COLUMN_NEXT, "%s", or_dash(show_text(domain, "next")));
}

static void domain_table(const struct show_style *style, const json_t *answer)
{
    const json_t *domains = json_object_get(answer, "domains");
    if (json_array_size(domains) == 0) {
        show_line(style, YELLOW, "no domain is known: no grant names one");
        return;
    }
    struct show_table *table = show_table_new(style, domain_columns, COUNT(domain_columns));
    for (size_t i = 0; i < json_array_size(domains); i++)
        domain_row(table, answer, json_array_get(domains, i));
    show_table_print(&table);
}

void show_synchronizer(const struct show_style *style, const json_t *answer)
{
    domain_table(style, answer);
    if (style->header)
        show_footer(style, answer, "");
}

/* --- why --- */

void show_why(const struct show_style *style, const json_t *answer)
{
    const json_t *why = json_object_get(answer, "why");
    const json_t *reasons = json_object_get(why, "reasons");
    show_line(style, BOLD, "%s: %s, here: %s", or_dash(show_text(why, "domain")),
              or_dash(show_text(why, "state")), or_dash(show_text(why, "election")));
    show_line(style, NULL, "next: %s", or_dash(show_text(why, "next")));
    for (size_t i = 0; i < json_array_size(reasons); i++)
        show_line(style, NULL, "  - %s", or_dash(json_string_value(json_array_get(reasons, i))));
    if (style->header)
        show_footer(style, answer, "");
}

/* --- status --- */

static void show_problems(const struct show_style *style, const json_t *answer)
{
    enum { SHOWN = 20 };
    const json_t *problems = json_object_get(answer, "problems");
    size_t count = json_array_size(problems);
    for (size_t i = 0; i < count && i < SHOWN; i++) {
        const json_t *problem = json_array_get(problems, i);
        const char *severity = show_text(problem, "severity");
        bool error = severity && strcmp(severity, "error") == 0;
        show_line(style, error ? RED : YELLOW, "%s %s: %s", error ? "!!" : " !",
                  or_dash(show_text(problem, "subject")), or_dash(show_text(problem, "text")));
    }
    if (count > SHOWN)
        show_line(style, YELLOW, " ! and %zu more (picket members --state offline)", count - SHOWN);
    if (count > 0)
        fputc('\n', style->to);
}

static void show_counts(const struct show_style *style, const json_t *answer)
{
    static const char *const states[] = {"online", "late", "offline", "unheard", "left", "revoked"};
    const json_t *members = json_object_get(answer, "members");
    char text[256];
    struct text t = text_to(text, sizeof(text));
    const char *separator = "";
    for (unsigned i = 0; i < COUNT(states); i++) {
        int64_t n = show_number(members, states[i], 0);
        if (n == 0)
            continue;
        text_string(&t, separator);
        text_int(&t, n);
        text_char(&t, ' ');
        text_string(&t, states[i]);
        separator = ", ";
    }
    text_end(&t);
    show_line(style, NULL, "members: %s (%" PRId64 " on domain controllers, %" PRId64 " standalone)", text,
              show_number(members, "sensors", 0), show_number(members, "standalone", 0));
}

static void show_capture(const struct show_style *style, const json_t *answer)
{
    const json_t *capture = json_object_get(answer, "capture");
    if (!json_is_object(capture))
        return;
    show_line(style, NULL,
              "capture here: %" PRId64 " of %" PRId64 " interfaces, %" PRId64 " packets, %" PRId64
              " activities; dropped: %" PRId64 " packets, %" PRId64 " activities",
              show_number(capture, "interfaces", 0) - show_number(capture, "absent", 0),
              show_number(capture, "interfaces", 0), show_number(capture, "packets", 0),
              show_number(capture, "activities", 0), show_number(capture, "dropped", 0),
              show_number(capture, "activities_dropped", 0));
}

static void show_keys(const struct show_style *style, const json_t *answer)
{
    const json_t *keys = json_object_get(answer, "keys"), *keytabs = json_object_get(keys, "keytabs");
    if (!json_is_object(keys))
        return;
    show_line(style, NULL,
              "keys here: %" PRId64 " of %zu keytabs, %" PRId64 " unsealed; sealed: %" PRId64
              " for want of a key, %" PRId64 " of another version, %" PRId64 " with a wrong key, %" PRId64
              " unanswered%s",
              show_number(keys, "keys", 0), json_array_size(keytabs), show_number(keys, "unsealed", 0),
              show_number(keys, "missing", 0), show_number(keys, "other_version", 0),
              show_number(keys, "wrong", 0), show_number(keys, "unanswered", 0),
              json_is_true(json_object_get(keys, "running")) ? "" : "; their holder does not run");
    for (size_t i = 0; i < json_array_size(keytabs); i++) {
        const char *fault = show_text(json_array_get(keytabs, i), "fault");
        if (fault)
            show_line(style, YELLOW, " ! %s", fault);
    }
}

static void show_delivery(const struct show_style *style, const json_t *answer)
{
    const json_t *delivery = json_object_get(answer, "delivery");
    const char *state = show_text(delivery, "state"), *server = show_text(delivery, "server");
    if (!state)
        return;
    show_line(style, NULL,
              "delivery here: %s%s%s; %" PRId64 " of %" PRId64 " batches acknowledged, spool %" PRId64
              " %% full; dropped: %" PRId64 " activities",
              strcmp(state, "no_center") == 0 ? "no center is configured" : state, server ? " to " : "",
              server ? server : "", show_number(delivery, "acknowledged", 0),
              show_number(delivery, "spool_last", 0), show_number(delivery, "spool_percent", 0),
              show_number(delivery, "dropped", 0));
    if (show_text(delivery, "fault") && strcmp(state, "sending") != 0)
        show_line(style, YELLOW, " ! %s", show_text(delivery, "fault"));
}

static void show_input_counts(const struct show_style *style, const json_t *answer)
{
    const json_t *inputs = json_object_get(answer, "inputs");
    for (size_t i = 0; i < json_array_size(inputs); i++) {
        const json_t *input = json_array_get(inputs, i);
        show_line(style, NULL,
                  "%s here: %" PRId64 " received, %" PRId64 " understood, %" PRId64 " not, %" PRId64
                  " dropped%s",
                  or_dash(show_text(input, "input")), show_number(input, "received", 0),
                  show_number(input, "understood", 0), show_number(input, "invalid", 0),
                  show_number(input, "dropped", 0),
                  json_is_true(json_object_get(input, "running")) ? "" : "; does not run");
    }
}

/* How much of its host this node may use, and whether that is too little. */
static void show_host(const struct show_style *style, const json_t *answer)
{
    const json_t *quota = json_object_get(answer, "quota");
    const json_t *cpu = json_object_get(quota, "cpu"), *memory = json_object_get(quota, "memory");
    const json_t *protocols = json_object_get(quota, "protocols");
    int64_t flows = 0;
    if (!show_text(quota, "decided"))
        return;
    for (size_t i = 0; i < json_array_size(protocols); i++)
        flows += show_number(json_object_get(json_array_get(protocols, i), "hour"), "flows", 0);
    show_line(style, NULL,
              "host: CPU %.1f %% used of a quota of %.1f %%, memory %" PRId64 " of %" PRId64
              " MiB; flows given up in the last hour: %" PRId64,
              json_number_value(json_object_get(cpu, "used_percent")),
              json_number_value(json_object_get(cpu, "quota_percent")),
              show_number(memory, "used_bytes", 0) >> 20, show_number(memory, "quota_bytes", 0) >> 20, flows);
}

void show_status(const struct show_style *style, const json_t *answer)
{
    const json_t *fleet = json_object_get(answer, "fleet"), *view = json_object_get(answer, "view");
    const char *name = show_text(fleet, "name"), *time = show_text(view, "time");
    show_line(style, BOLD, "fleet %s seen by %s (%s) at %s",
              name && *name ? name : or_dash(show_text(fleet, "id")), or_dash(show_text(view, "name")),
              or_dash(show_text(view, "site")), or_dash(time));
    show_problems(style, answer);
    show_counts(style, answer);
    show_capture(style, answer);
    show_keys(style, answer);
    show_host(style, answer);
    show_delivery(style, answer);
    show_input_counts(style, answer);
    fputc('\n', style->to);
    domain_table(style, answer);
    if (style->header)
        show_footer(style, answer, "");
}

bool show_degraded(const json_t *answer)
{
    return json_array_size(json_object_get(answer, "problems")) > 0;
}

/* --- history, events --- */

/* "2026-11-22 03:27:13": the seconds are what people compare. */
static const char *short_time(const json_t *event, char to[32])
{
    const char *time = show_text(event, "time");
    snprintf(to, 32, "%.19s", or_dash(time));
    if (strlen(to) == 19)
        to[10] = ' ';
    return to;
}

static const char *event_colour(const json_t *event)
{
    static const struct {
        const char *event, *colour;
    } colours[] = {
        {"unassigned", "red"},
        {"member_offline", "red"},
        {"member_revoked", "red"},
        {"revoked", "red"},
        {"clone", "red"},
        {"hostile", "red"},
        {"tilt", "yellow"},
        {"election", "yellow"},
        {"member_online", "green"},
        {"assigned", "green"},
        {"synchronizer_start", "green"},
    };
    const char *name = show_text(event, "event");
    for (unsigned i = 0; name && i < COUNT(colours); i++)
        if (strcmp(colours[i].event, name) == 0)
            return colours[i].colour;
    return NULL;
}

enum history_column { HISTORY_TIME, HISTORY_EVENT, HISTORY_TEXT };

static const struct show_column history_columns[] = {
    [HISTORY_TIME] = {"TIME (UTC)", 19, SHOW_LEFT, false},
    [HISTORY_EVENT] = {"EVENT", 0, SHOW_LEFT, false},
    [HISTORY_TEXT] = {"WHAT", 0.5, SHOW_CUT, false},
};

void show_history(const struct show_style *style, const json_t *answer)
{
    const json_t *history = json_object_get(answer, "history");
    struct show_table *table = show_table_new(style, history_columns, COUNT(history_columns));
    char time[32];
    for (size_t i = 0; i < json_array_size(history); i++) {
        const json_t *event = json_array_get(history, i);
        show_table_row(table);
        show_table_cell(table, HISTORY_TIME, "%s", short_time(event, time));
        show_table_cell(table, HISTORY_EVENT, "%s", or_dash(show_text(event, "event")));
        show_table_colour(table, HISTORY_EVENT, event_colour(event));
        show_table_cell(table, HISTORY_TEXT, "%s", or_dash(show_text(event, "text")));
    }
    show_table_print(&table);
}

void show_event(const struct show_style *style, const json_t *event)
{
    char time[32];
    show_line(style, NULL, "%s  %s", short_time(event, time), or_dash(show_text(event, "text")));
}
