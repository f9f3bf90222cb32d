/* SPDX-License-Identifier: Apache-2.0
 *
 * Configuration: a ZPL file (https://rfc.zeromq.org/spec/4/) checked against a schema. Each program has a
 * table of its keys; the table reads the file, and prints the reference for the docs.
 *
 *     capture
 *         interfaces = eth0, eth1     # a comment
 *         ring = 64M
 *
 * The key of the second line is "capture/interfaces".
 */
#pragma once

#include "base/address.h"
#include "base/cursor.h"

enum config_type {
    CONFIG_BOOL,     /* true, yes, on; false, no, off */
    CONFIG_INT,      /* decimal */
    CONFIG_SIZE,     /* bytes: a number with K, M, G or none, powers of 1024 */
    CONFIG_DURATION, /* a number with ms, s, min, h or d; kept as ns */
    CONFIG_STRING,   /* any text; quoted when it has a # */
    CONFIG_CHOICE,   /* one of `choices` */
    CONFIG_PATH,     /* absolute */
    CONFIG_ADDRESS,  /* IPv4 or IPv6 */
    CONFIG_ENDPOINT, /* address:port, [address]:port */
};

struct config_rule {
    const char *key;
    enum config_type type;
    bool list;     /* items separated by commas; the key may also be repeated */
    bool required; /* must be in the file */
    int64_t min;   /* CONFIG_INT, CONFIG_SIZE (bytes), CONFIG_DURATION (ns); both 0: no bounds but 0 */
    int64_t max;
    const char *unit;           /* of an int, for the docs; may be NULL */
    const char *const *choices; /* CONFIG_CHOICE: NULL at the end */
    const char *preset;         /* the default, as in the file; NULL: not set */
    const char *doc;            /* sentences */
};

struct config_section {
    const char *key;
    const char *doc;
};

struct config_schema {
    const char *title;        /* of the reference */
    const char *introduction; /* Markdown */
    const struct config_section *sections;
    size_t section_count;
    const struct config_rule *rules;
    size_t rule_count;
};

/* Bounds of a file. */
#define CONFIG_FILE_MAX    (256 * 1024)
#define CONFIG_LINE_MAX    1024
#define CONFIG_ENTRIES_MAX 1024
#define CONFIG_DEPTH_MAX   8
#define CONFIG_LIST_MAX    256
#define CONFIG_REPORT_MAX  20 /* faults told of one file */

/* Hears of each fault: "FILE:LINE: KEY: what is wrong", no newline. */
typedef void (*config_report)(void *context, const char *fault);

struct config;

/* The file, checked, with the defaults of what is not in it. NULL when there is any fault (then `report` has
 * been called at least once). The caller destroys it; the schema must live as long. */
struct config *config_load(const struct config_schema *schema, const char *path, config_report report,
                           void *context);

/* The same with the text of a file; `name` stands for the file in reports. */
struct config *config_parse(const struct config_schema *schema, const char *name, const void *text,
                            size_t size, config_report report, void *context);

/* The same with a part of a file: nothing is required, and what is not in it is not set. */
struct config *config_parse_part(const struct config_schema *schema, const char *name, struct bytes text,
                                 config_report report, void *context);
/* What the part sets takes the place of what the configuration has; of the same schema. The part is used up.
 */
void config_override(struct config *config, struct config **part);
/* Whether the text itself sets the key. */
bool config_is_set(const struct config *config, const char *key);

void config_destroy(struct config **config_p);

/* How many values a key has: 0 when it is not set and has no default, any number for a list. */
size_t config_count(const struct config *config, const char *key);

/* The value of a key of that type; false, 0 or NULL when it is not set. Asking for a key that the schema does
 * not have, or of another type, is a fault of the program (assert). */
bool config_bool(const struct config *config, const char *key);
int64_t config_int(const struct config *config, const char *key);              /* also sizes and durations */
const char *config_string(const struct config *config, const char *key);       /* also choices and paths */
size_t config_choice(const struct config *config, const char *key);            /* its number in `choices` */
struct endpoint config_endpoint(const struct config *config, const char *key); /* also addresses (port 0) */

/* Items of lists. */
int64_t config_int_at(const struct config *config, const char *key, size_t index);
const char *config_string_at(const struct config *config, const char *key, size_t index);
struct endpoint config_endpoint_at(const struct config *config, const char *key, size_t index);

/* Whether a key has the same values in both; of the same schema. */
bool config_same(const struct config *a, const struct config *b, const char *key);

/* Whether the table itself is in order: sections known, defaults valid, texts there. For its unit test. */
bool config_schema_check(const struct config_schema *schema, config_report report, void *context);

/* The reference as Markdown to a stdio stream (a `FILE *`). */
void config_print_reference(const struct config_schema *schema, void *stream);
