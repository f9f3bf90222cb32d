/* SPDX-License-Identifier: Apache-2.0
 *
 * picket sync, picket entity, picket search.
 */
#include "base/text.h"
#include "node/duration.h"
#include "node/show.h"

#include <inttypes.h>
#include <string.h>

#define COUNT(array) (unsigned)(sizeof(array) / sizeof(array[0]))
#define BOLD         "1"
#define YELLOW       "33"
#define RED          "31"
#define LINKS_SHOWN  10u /* ends of a link, in a line */

static const char *or_dash(const char *text)
{
    return text && *text ? text : "-";
}

/* --- sync --- */

enum sync_column {
    SYNC_DOMAIN,
    SYNC_MODE,
    SYNC_BY,
    SYNC_OBJECTS,
    SYNC_METHOD,
    SYNC_CONTROLLER,
    SYNC_FULL,
    SYNC_INCREMENT,
    SYNC_CHANGE,
    SYNC_LAG,
    SYNC_PROVED,
    SYNC_ERRORS,
};

static const struct show_column sync_columns[] = {
    [SYNC_DOMAIN] = {"DOMAIN", 0, SHOW_LEFT, false},
    [SYNC_MODE] = {"MODE HERE", 0, SHOW_LEFT, false},
    [SYNC_BY] = {"SYNCHRONIZER", 0, SHOW_LEFT, false},
    [SYNC_OBJECTS] = {"OBJECTS", 0, SHOW_RIGHT, false},
    [SYNC_METHOD] = {"METHOD", 0, SHOW_LEFT, false},
    [SYNC_CONTROLLER] = {"READS FROM", 0, SHOW_LEFT, false},
    [SYNC_FULL] = {"FULL PASS", 0, SHOW_RIGHT, false},
    [SYNC_INCREMENT] = {"INCREMENT", 0, SHOW_RIGHT, false},
    [SYNC_CHANGE] = {"CHANGE", 0, SHOW_RIGHT, false},
    [SYNC_LAG] = {"LAG USN", 0, SHOW_RIGHT, false},
    [SYNC_PROVED] = {"PROVED", 0, SHOW_RIGHT, false},
    [SYNC_ERRORS] = {"ERRORS", 0, SHOW_RIGHT, false},
};

/* The synchronizer's own figures: here, or as it reported them. */
static const json_t *replication_of(const json_t *domain)
{
    const char *mode = show_text(domain, "mode");
    const json_t *here = json_object_get(domain, "here"), *reported = json_object_get(domain, "reported");
    return (mode && strcmp(mode, "proactive") == 0) || !json_is_object(reported) ? here : reported;
}

static void sync_row(struct show_table *table, const json_t *answer, const json_t *domain)
{
    const json_t *replication = replication_of(domain);
    show_table_row(table);
    show_table_cell(table, SYNC_DOMAIN, "%s", or_dash(show_text(domain, "domain")));
    show_table_cell(table, SYNC_MODE, "%s", or_dash(show_text(domain, "mode")));
    show_table_cell(table, SYNC_BY, "%s", or_dash(show_text(domain, "synchronizer")));
    show_table_cell(table, SYNC_OBJECTS, "%" PRId64, show_number(replication, "objects", 0));
    show_table_cell(table, SYNC_METHOD, "%s", or_dash(show_text(replication, "method")));
    show_table_cell(table, SYNC_CONTROLLER, "%s", or_dash(show_text(replication, "controller")));
    if (json_is_true(json_object_get(replication, "passing")))
        show_table_cell(table, SYNC_FULL, "%" PRId64 " now", show_number(replication, "pass_objects", 0));
    else
        show_table_duration(table, SYNC_FULL, show_since(answer, replication, "pass_ended"));
    show_table_duration(table, SYNC_INCREMENT, show_since(answer, replication, "last_increment"));
    show_table_duration(table, SYNC_CHANGE, show_since(answer, replication, "last_change"));
    show_table_cell(table, SYNC_LAG, "%" PRId64, show_number(replication, "lag_usn", 0));
    show_table_duration(table, SYNC_PROVED, show_since(answer, replication, "last_reconciled"));
    show_table_cell(table, SYNC_ERRORS, "%" PRId64, show_number(replication, "errors", 0));
}

static void kinds_line(const struct show_style *style, const json_t *here)
{
    const json_t *kinds = json_object_get(here, "objects_by_kind");
    char line[1024];
    struct text t = text_to(line, sizeof(line));
    const char *kind, *separator = "";
    const json_t *number;
    void *at;
    for (at = json_object_iter((json_t *)kinds); at; at = json_object_iter_next((json_t *)kinds, at)) {
        kind = json_object_iter_key(at);
        number = json_object_iter_value(at);
        text_string(&t, separator);
        text_int(&t, json_integer_value(number));
        text_char(&t, ' ');
        text_string(&t, kind);
        separator = ", ";
    }
    text_end(&t);
    if (*separator)
        show_line(style, NULL, "  known here: %s; %" PRId64 " links, %" PRId64 " deleted", line,
                  show_number(here, "links", 0), show_number(here, "deleted", 0));
}

static void pass_line(const struct show_style *style, const json_t *replication)
{
    int64_t objects = show_number(replication, "pass_objects", 0), rate = show_number(replication, "rate", 0);
    int64_t expected = show_number(replication, "pass_expected", 0);
    char left[64] = "";
    if (!json_is_true(json_object_get(replication, "passing")))
        return;
    if (rate > 0 && expected > objects) {
        struct text t = text_to(left, sizeof(left));
        text_string(&t, ", done in about ");
        duration_words(&t, (expected - objects) * 1000 / rate);
        text_end(&t);
    }
    show_line(style, NULL, "  full pass: %" PRId64 " of about %" PRId64 " objects, %" PRId64 "/s%s", objects,
              expected, rate, left);
}

static void domain_lines(const struct show_style *style, const json_t *domain)
{
    const json_t *here = json_object_get(domain, "here"), *replication = replication_of(domain);
    const char *error = show_text(replication, "last_error");
    int64_t mismatches = show_number(replication, "mismatches", 0);
    show_line(style, NULL, "%s: %s", or_dash(show_text(domain, "domain")), or_dash(show_text(domain, "why")));
    pass_line(style, replication);
    kinds_line(style, here);
    if (mismatches > 0)
        show_line(style, YELLOW, "  the last comparison with the directory mended %" PRId64 " objects",
                  mismatches);
    if (error)
        show_line(style, RED, "  last error: %s", error);
}

void show_sync(const struct show_style *style, const json_t *answer)
{
    const json_t *domains = json_object_get(answer, "domains");
    if (json_array_size(domains) == 0) {
        show_line(style, YELLOW, "no domain is known: no grant names one");
        return;
    }
    struct show_table *table = show_table_new(style, sync_columns, COUNT(sync_columns));
    for (size_t i = 0; i < json_array_size(domains); i++)
        sync_row(table, answer, json_array_get(domains, i));
    show_table_print(&table);
    if (!style->header)
        return;
    for (size_t i = 0; i < json_array_size(domains); i++)
        domain_lines(style, json_array_get(domains, i));
    show_footer(style, answer, "");
}

/* --- entity --- */

static void value_text(struct text *t, const json_t *value)
{
    if (json_is_string(value)) {
        text_string(t, json_string_value(value));
    } else if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            text_string(t, i ? ", " : "");
            value_text(t, json_array_get(value, i));
        }
    } else if (json_is_integer(value)) {
        text_int(t, json_integer_value(value));
    } else if (json_is_boolean(value)) {
        text_string(t, json_is_true(value) ? "yes" : "no");
    } else { /* a time */
        text_string(t, "never");
    }
}

static void field_lines(const struct show_style *style, const json_t *entity)
{
    static char line[16384];
    void *at;
    for (at = json_object_iter((json_t *)entity); at; at = json_object_iter_next((json_t *)entity, at)) {
        const char *key = json_object_iter_key(at);
        struct text t = text_to(line, sizeof(line));
        value_text(&t, json_object_iter_value(at));
        text_end(&t);
        if (strcmp(key, "v") != 0)
            show_line(style, NULL, "  %-28s %s", key, line);
    }
}

/* Direct groups by name; nested ones with how deep they are. */
static void group_lines(const struct show_style *style, const json_t *groups)
{
    for (size_t i = 0; i < json_array_size(groups); i++) {
        const json_t *group = json_array_get(groups, i);
        int64_t depth = show_number(group, "depth", 1);
        const char *name = show_text(group, "name");
        if (!name)
            name = show_text(group, "guid");
        if (depth > 1)
            show_line(style, NULL, "  in group                     %s (nested, %" PRId64 " steps)",
                      or_dash(name), depth);
        else
            show_line(style, NULL, "  in group                     %s", or_dash(name));
    }
}

/* The names of a link's other ends, the first of many. */
static void link_line(const struct show_style *style, const char *key, const json_t *targets, bool cut)
{
    char line[1024];
    struct text t = text_to(line, sizeof(line));
    size_t count = json_array_size(targets), shown = count < LINKS_SHOWN ? count : LINKS_SHOWN;
    for (size_t i = 0; i < shown; i++) {
        const json_t *target = json_array_get(targets, i);
        const char *name = show_text(target, "name");
        text_string(&t, i ? ", " : "");
        text_string(&t, or_dash(name ? name : show_text(target, "guid")));
    }
    text_end(&t);
    if (cut)
        show_line(style, NULL, "  %-28s %s and many more", key, line);
    else if (count > shown)
        show_line(style, NULL, "  %-28s %s and %zu more", key, line, count - shown);
    else
        show_line(style, NULL, "  %-28s %s", key, line);
}

static void link_lines(const struct show_style *style, const json_t *links, const char *suffix)
{
    void *at;
    for (at = json_object_iter((json_t *)links); at; at = json_object_iter_next((json_t *)links, at)) {
        const char *name = json_object_iter_key(at);
        char key[64], cut[80];
        /* Groups stand above already, the nested ones too. */
        if (!json_is_array(json_object_iter_value(at)) || (*suffix && strcmp(name, "member") == 0))
            continue;
        snprintf(key, sizeof(key), "%s%s", name, suffix);
        snprintf(cut, sizeof(cut), "%s_cut", name);
        link_line(style, key, json_object_iter_value(at), json_is_true(json_object_get(links, cut)));
    }
}

static void entity_block(const struct show_style *style, const json_t *item)
{
    const json_t *entity = json_object_get(item, "entity"), *sensitive = json_object_get(item, "sensitive");
    show_line(style, BOLD, "%s (%s)", or_dash(show_text(item, "name")), or_dash(show_text(entity, "kind")));
    for (size_t i = 0; i < json_array_size(sensitive); i++)
        show_line(style, RED, "  sensitive                    %s",
                  or_dash(json_string_value(json_array_get(sensitive, i))));
    if (json_is_true(json_object_get(item, "domain_controller")))
        show_line(style, RED, "  domain controller            %s",
                  json_is_true(json_object_get(item, "read_only_domain_controller")) ? "read-only" : "yes");
    field_lines(style, entity);
    group_lines(style, json_object_get(item, "groups"));
    link_lines(style, json_object_get(item, "links"), "");
    link_lines(style, json_object_get(item, "linked_from"), " of");
}

/* Why something that was not found may exist all the same. */
static void scope_lines(const struct show_style *style, const json_t *answer)
{
    const json_t *scope = json_object_get(answer, "scope");
    for (size_t i = 0; i < json_array_size(scope); i++)
        show_line(style, YELLOW, "%s", or_dash(show_text(json_array_get(scope, i), "text")));
}

void show_entity(const struct show_style *style, const json_t *answer)
{
    const json_t *entities = json_object_get(answer, "entities");
    for (size_t i = 0; i < json_array_size(entities); i++)
        entity_block(style, json_array_get(entities, i));
    if (json_array_size(entities) == 0) {
        show_line(style, NULL, "not known");
        scope_lines(style, answer);
    }
}

bool show_entity_found(const json_t *answer)
{
    return json_array_size(json_object_get(answer, "entities")) > 0;
}

/* --- spool --- */

enum spool_column {
    SPOOL_SEQUENCE,
    SPOOL_TIME,
    SPOOL_KIND,
    SPOOL_DOMAIN,
    SPOOL_TERM,
    SPOOL_RECORDS,
    SPOOL_BYTES
};

static const struct show_column spool_columns[] = {
    [SPOOL_SEQUENCE] = {"NUMBER", 0, SHOW_RIGHT, false}, [SPOOL_TIME] = {"TIME (UTC)", 19, SHOW_LEFT, false},
    [SPOOL_KIND] = {"KIND", 0, SHOW_LEFT, false},        [SPOOL_DOMAIN] = {"DOMAIN", 0, SHOW_LEFT, false},
    [SPOOL_TERM] = {"TERM", 0, SHOW_RIGHT, false},       [SPOOL_RECORDS] = {"RECORDS", 0, SHOW_RIGHT, false},
    [SPOOL_BYTES] = {"BYTES", 0, SHOW_RIGHT, false},
};

static void spool_row(struct show_table *table, const json_t *batch)
{
    const char *time = show_text(batch, "time");
    show_table_row(table);
    show_table_cell(table, SPOOL_SEQUENCE, "%" PRId64, show_number(batch, "number", 0));
    show_table_cell(table, SPOOL_TIME, "%.19s", or_dash(time));
    show_table_cell(table, SPOOL_KIND, "%s", or_dash(show_text(batch, "kind")));
    show_table_cell(table, SPOOL_DOMAIN, "%s", or_dash(show_text(batch, "domain")));
    if (show_number(batch, "term", 0) > 0)
        show_table_cell(table, SPOOL_TERM, "%" PRId64, show_number(batch, "term", 0));
    else
        show_table_cell(table, SPOOL_TERM, "-");
    show_table_cell(table, SPOOL_RECORDS, "%" PRId64, show_number(batch, "records", 0));
    show_table_cell(table, SPOOL_BYTES, "%" PRId64, show_number(batch, "bytes", 0));
}

/* What a batch tells of entities, a line each. */
static void entity_lines(const struct show_style *style, const json_t *batch)
{
    const json_t *entities = json_object_get(batch, "entities");
    for (size_t i = 0; i < json_array_size(entities); i++) {
        const json_t *entity = json_array_get(entities, i);
        show_line(style, NULL, "  %" PRId64 ": %s %s", show_number(batch, "number", 0),
                  or_dash(show_text(entity, "what")), or_dash(show_text(entity, "name")));
    }
    if (json_is_true(json_object_get(batch, "cut")))
        show_line(style, NULL, "  ...");
}

void show_spool(const struct show_style *style, const json_t *answer)
{
    const json_t *batches = json_object_get(answer, "batches"), *spool = json_object_get(answer, "spool");
    struct show_table *table = show_table_new(style, spool_columns, COUNT(spool_columns));
    for (size_t i = 0; i < json_array_size(batches); i++)
        spool_row(table, json_array_get(batches, i));
    show_table_print(&table);
    for (size_t i = 0; i < json_array_size(batches); i++)
        entity_lines(style, json_array_get(batches, i));
    if (style->header)
        show_line(style, NULL,
                  "spool: %" PRId64 " batches, %" PRId64 " of %" PRId64 " MiB; acknowledged up to %" PRId64
                  "; dropped: %" PRId64,
                  show_number(spool, "entries", 0), show_number(spool, "bytes", 0) >> 20,
                  show_number(spool, "bytes_max", 0) >> 20, show_number(spool, "acknowledged", 0),
                  show_number(spool, "dropped", 0));
}

/* --- search --- */

enum search_column { SEARCH_NAME, SEARCH_KIND, SEARCH_DOMAIN, SEARCH_SID, SEARCH_DN };

static const struct show_column search_columns[] = {
    [SEARCH_NAME] = {"NAME", 0, SHOW_LEFT, false},     [SEARCH_KIND] = {"KIND", 0, SHOW_LEFT, false},
    [SEARCH_DOMAIN] = {"DOMAIN", 0, SHOW_LEFT, false}, [SEARCH_SID] = {"SID", 0, SHOW_LEFT, true},
    [SEARCH_DN] = {"DN", 0.3, SHOW_CUT, false},
};

void show_search(const struct show_style *style, const json_t *answer)
{
    const json_t *found = json_object_get(answer, "found");
    if (json_array_size(found) == 0) {
        show_line(style, NULL, "nothing is known that has this in its names");
        scope_lines(style, answer);
        return;
    }
    struct show_table *table = show_table_new(style, search_columns, COUNT(search_columns));
    for (size_t i = 0; i < json_array_size(found); i++) {
        const json_t *item = json_array_get(found, i);
        show_table_row(table);
        show_table_cell(table, SEARCH_NAME, "%s%s", or_dash(show_text(item, "name")),
                        json_is_true(json_object_get(item, "deleted")) ? " (deleted)" : "");
        show_table_cell(table, SEARCH_KIND, "%s", or_dash(show_text(item, "kind")));
        show_table_cell(table, SEARCH_DOMAIN, "%s", or_dash(show_text(item, "domain")));
        show_table_cell(table, SEARCH_SID, "%s", or_dash(show_text(item, "sid")));
        show_table_cell(table, SEARCH_DN, "%s", or_dash(show_text(item, "dn")));
    }
    show_table_print(&table);
    if (json_is_true(json_object_get(answer, "cut")))
        show_line(style, YELLOW, "there are more: --limit N");
}
