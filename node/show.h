/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands that show what a node knows of its fleet: their options, their tables. An answer of the
 * control socket (docs/control.md) goes in, lines for people come out.
 */
#pragma once

#include "node/control_client.h"

#include <stdint.h>
#include <stdio.h>

/* What a command understands beside --json, --socket, --timeout and --help. */
enum show_option {
    SHOW_HEADER = 1,        /* --no-header */
    SHOW_SITE = 2,          /* --site NAME */
    SHOW_STATE = 4,         /* --state WORD */
    SHOW_DOMAIN = 8,        /* --domain NAME */
    SHOW_MODE = 16,         /* --mode sensor|standalone */
    SHOW_WIDE = 32,         /* --wide */
    SHOW_LIMIT = 64,        /* --limit N */
    SHOW_PROBE = 128,       /* --probe */
    SHOW_EVERY = 256,       /* --every SECONDS */
    SHOW_FOLLOW = 512,      /* --follow */
    SHOW_QUARANTINE = 1024, /* --quarantine */
};
#define SHOW_FILTERS (SHOW_SITE | SHOW_STATE | SHOW_DOMAIN | SHOW_MODE)

struct show_options {
    struct control_options control;
    bool json, no_header, wide, probe, follow, quarantine;
    const char *site, *state, *domain, *mode; /* filters; NULL: everything */
    unsigned limit;
    int every;        /* ms */
    char **arguments; /* what is left */
    int argument_count;
};

/* Reads the options of the command argv[0] and asks for as many further arguments as stand between `low` and
 * `high`. EXIT_FINE; EXIT_USAGE, told; or -1 after the help was shown. */
int show_parse(struct show_options *options, unsigned understood, int low, int high, int argc, char **argv);

/* How and where to draw. */
struct show_style {
    FILE *to;
    bool terminal; /* cut to its width */
    bool colour;
    bool header;
    bool wide;
    unsigned width; /* of the terminal; 0: as smartcols finds out */
};
/* For standard output: colour on a terminal only, and when NO_COLOR (no-color.org) is not set. */
struct show_style show_style_of(const struct show_options *options);

/* Drops what the filters do not want and sorts the rest: members by site and name, domains and peers by name.
 */
void show_arrange(json_t *answer, const struct show_options *options);

/* The tables. */
void show_status(const struct show_style *style, const json_t *answer);
void show_members(const struct show_style *style, const json_t *answer);
void show_synchronizer(const struct show_style *style, const json_t *answer);
void show_why(const struct show_style *style, const json_t *answer);
void show_peers(const struct show_style *style, const json_t *answer);
void show_reach(const struct show_style *style, const json_t *answer);
void show_history(const struct show_style *style, const json_t *answer);
void show_event(const struct show_style *style, const json_t *event);

void show_sync(const struct show_style *style, const json_t *answer);
void show_entity(const struct show_style *style, const json_t *answer);
void show_search(const struct show_style *style, const json_t *answer);
void show_activities(const struct show_style *style, const json_t *answer);
void show_inputs(const struct show_style *style, const json_t *answer);
void show_quota(const struct show_style *style, const json_t *answer);
void show_health(const struct show_style *style, const json_t *answer);
void show_spool(const struct show_style *style, const json_t *answer);

/* Whether an answer to `entity` has any. */
bool show_entity_found(const json_t *answer);
/* Whether an answer to `status` tells of a problem. */
bool show_degraded(const json_t *answer);

/* The answer as JSON: indented, or (`line`) on a line of its own. */
void show_json(FILE *to, const json_t *answer, bool line);

/* --- for the tables themselves (show_table.c) --- */

/* Members of an object; NULL or `otherwise` when it is absent, null or of another type. */
const char *show_text(const json_t *object, const char *key);
int64_t show_number(const json_t *object, const char *key, int64_t otherwise);
/* ms since 1970 of a time in RFC 3339; 0 when there is none. */
int64_t show_time(const json_t *object, const char *key);
/* ms from a time to the view's time; -1 when there is none. */
int64_t show_since(const json_t *answer, const json_t *object, const char *key);

struct show_column {
    const char *heading;
    double width; /* at least; below 1: of the terminal */
    enum { SHOW_LEFT, SHOW_RIGHT, SHOW_CUT } kind;
    bool wide; /* with --wide only */
};
struct show_table;
/* NULL without memory; every function takes that as a table without rows. */
struct show_table *show_table_new(const struct show_style *style, const struct show_column *columns,
                                  unsigned count);
void show_table_row(struct show_table *table);
/* A cell of the last row. What could steer a terminal is made harmless. */
void show_table_cell(struct show_table *table, unsigned column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void show_table_duration(struct show_table *table, unsigned column, int64_t ms);
/* An array of strings, with commas. */
void show_table_list(struct show_table *table, unsigned column, const json_t *strings);
/* Colour by name, as smartcols knows it. */
void show_table_colour(struct show_table *table, unsigned column, const char *colour);
void show_table_print(struct show_table **table);

/* A line outside of a table; the terminal is safe from what is in it. `colour`: an SGR parameter or NULL. */
void show_line(const struct show_style *style, const char *colour, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Colours of words that mean something. */
const char *show_state_colour(const char *state);
const char *show_domain_colour(const char *state);

/* Whose view it is, and how far it can be trusted. */
void show_footer(const struct show_style *style, const json_t *answer, const char *what);
