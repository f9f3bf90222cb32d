/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config.h"

#include <assert.h>
#include <czmq.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_scan.h"
#include "base/config_value.h"

enum {
    KEY_MAX = CONFIG_DEPTH_MAX * (CONFIG_LINE_MAX + 1),
};

struct slot {
    struct config_value *values;
    size_t count;
    uint32_t first_line; /* where it was set; 0: nowhere */
};

struct config {
    const struct config_schema *schema;
    struct slot slots[]; /* one for each rule */
};

/* -- values -------------------------------------------------------------------------------------- */

static const char no_memory[] = "out of memory";

static bool slot_add(struct slot *slot, const struct config_rule *rule, const char *text,
                     char fault[CONFIG_FAULT_MAX])
{
    struct config_value value = {.number = 0};
    if (slot->count >= (rule->list ? CONFIG_LIST_MAX : 1)) {
        snprintf(fault, CONFIG_FAULT_MAX, "more than %d items", CONFIG_LIST_MAX);
        return false;
    }
    if (!config_value_read(rule, text, &value, fault))
        return false;
    struct config_value *values = realloc(slot->values, (slot->count + 1) * sizeof *values);
    if (values)
        slot->values = values;
    value.text = strdup(text);
    if (!values || !value.text) {
        free(value.text);
        memcpy(fault, no_memory, sizeof no_memory);
        return false;
    }
    values[slot->count++] = value;
    return true;
}

/* Cuts the next item off a list, without the spaces around it; NULL at the end. */
static char *next_item(char **rest)
{
    char *item = strsep(rest, ",");
    if (!item)
        return NULL;
    item += strspn(item, " \t");
    size_t size = strlen(item);
    while (size && (item[size - 1] == ' ' || item[size - 1] == '\t'))
        item[--size] = '\0';
    return item;
}

static bool slot_set(struct slot *slot, const struct config_rule *rule, const char *text,
                     char fault[CONFIG_FAULT_MAX])
{
    if (!rule->list)
        return slot_add(slot, rule, text, fault);
    char *copy = strdup(text);
    if (!copy) {
        memcpy(fault, no_memory, sizeof no_memory);
        return false;
    }
    bool good = true;
    char *rest = copy;
    for (char *item = next_item(&rest); item && good; item = next_item(&rest))
        good = slot_add(slot, rule, item, fault);
    free(copy);
    return good;
}

/* -- the file ------------------------------------------------------------------------------------ */

/* The walk through the tree, in the order of the file, in step with the entries of the scan. */
struct walk {
    struct config *config;
    struct config_scan *scan;
    uint32_t entry;
    char key[KEY_MAX];
};

static const struct config_rule *find_rule(const struct config_schema *schema, const char *key)
{
    for (size_t i = 0; i < schema->rule_count; i++) {
        if (strcmp(schema->rules[i].key, key) == 0)
            return &schema->rules[i];
    }
    return NULL;
}

static bool is_section(const struct config_schema *schema, const char *key)
{
    for (size_t i = 0; i < schema->section_count; i++) {
        if (strcmp(schema->sections[i].key, key) == 0)
            return true;
    }
    return false;
}

static void set_value(struct walk *walk, const struct config_rule *rule, zconfig_t *item, uint32_t line)
{
    struct slot *slot = &walk->config->slots[rule - walk->config->schema->rules];
    char fault[CONFIG_FAULT_MAX];
    if (zconfig_child(item))
        config_fault(walk->scan, line, "%s: this is a value, there is nothing below it", walk->key);
    else if (!zconfig_value(item)[0])
        config_fault(walk->scan, line, "%s: has no value", walk->key);
    else if (slot->first_line && !rule->list)
        config_fault(walk->scan, line, "%s: set already in line %u", walk->key, (unsigned)slot->first_line);
    else if (!slot_set(slot, rule, zconfig_value(item), fault))
        config_fault(walk->scan, line, "%s: %s", walk->key, fault);
    if (!slot->first_line)
        slot->first_line = line;
}

/* Whether what is below the item is to be looked at; what is below an unknown key is not reported again. */
static bool check_item(struct walk *walk, zconfig_t *item, uint32_t line)
{
    const struct config_schema *schema = walk->config->schema;
    const struct config_rule *rule = find_rule(schema, walk->key);
    if (rule) {
        set_value(walk, rule, item, line);
        return false;
    }
    if (!is_section(schema, walk->key)) {
        config_fault(walk->scan, line, "%s: unknown key", walk->key);
        return false;
    }
    if (zconfig_value(item)[0])
        config_fault(walk->scan, line, "%s: this is a section, it has no value", walk->key);
    return true;
}

/* Recursion is bounded by CONFIG_DEPTH_MAX: the scan has seen to it. */
static void walk_children(struct walk *walk, zconfig_t *parent, size_t key_size, bool known)
{
    for (zconfig_t *item = zconfig_child(parent); item; item = zconfig_next(item)) {
        uint32_t line = walk->scan->entries[walk->entry++].line;
        int used = snprintf(walk->key + key_size, sizeof walk->key - key_size, "%s%s", key_size ? "/" : "",
                            zconfig_name(item));
        bool below = known && check_item(walk, item, line);
        walk_children(walk, item, key_size + (size_t)used, below);
        walk->key[key_size] = '\0';
    }
}

static void set_defaults(struct config *config, struct config_scan *scan)
{
    for (size_t i = 0; i < config->schema->rule_count; i++) {
        const struct config_rule *rule = &config->schema->rules[i];
        struct slot *slot = &config->slots[i];
        char fault[CONFIG_FAULT_MAX];
        if (slot->first_line)
            continue;
        if (rule->required)
            config_fault(scan, 0, "%s: must be set", rule->key);
        else if (rule->preset && !slot_set(slot, rule, rule->preset, fault))
            config_fault(scan, 0, "%s: its default: %s", rule->key, fault);
    }
}

static void read_tree(struct config *config, struct config_scan *scan, const char *text)
{
    zconfig_t *tree = zconfig_str_load(text);
    if (!tree) { /* the scan refuses all that zconfig does */
        config_fault(scan, 0, "not ZPL");
        return;
    }
    struct walk walk = {.config = config, .scan = scan};
    walk_children(&walk, tree, 0, true);
    zconfig_destroy(&tree);
}

/* False: the text cannot be looked at. */
static bool read_text(struct config *config, struct config_scan *scan, const void *text, size_t size)
{
    if (!config_scan_text(scan, text, size))
        return false;
    char *copy = malloc(size + 1);
    if (!copy) {
        config_fault(scan, 0, no_memory);
        return false;
    }
    if (size)
        memcpy(copy, text, size);
    copy[size] = '\0';
    read_tree(config, scan, copy);
    free(copy);
    return true;
}

static void ignore_report(void *context, const char *fault)
{
    (void)context;
    (void)fault;
}

static struct config_scan begin_scan(const char *name, config_report report, void *context)
{
    return (struct config_scan){.name = name, .report = report ? report : ignore_report, .context = context};
}

static struct config *parse(const struct config_schema *schema, bool whole, const char *name,
                            struct bytes text, config_report report, void *context)
{
    struct config_scan scan = begin_scan(name, report, context);
    struct config *config = calloc(1, sizeof *config + schema->rule_count * sizeof config->slots[0]);
    if (!config) {
        config_fault(&scan, 0, no_memory);
        return NULL;
    }
    config->schema = schema;
    if (read_text(config, &scan, text.data, text.size) && whole)
        set_defaults(config, &scan);
    if (scan.faults > CONFIG_REPORT_MAX) {
        char rest[64];
        snprintf(rest, sizeof rest, "and %u more faults", (unsigned)(scan.faults - CONFIG_REPORT_MAX));
        scan.report(scan.context, rest);
    }
    if (scan.faults)
        config_destroy(&config);
    return config;
}

struct config *config_parse(const struct config_schema *schema, const char *name, const void *text,
                            size_t size, config_report report, void *context)
{
    return parse(schema, true, name, (struct bytes){text, size}, report, context);
}

struct config *config_parse_part(const struct config_schema *schema, const char *name, struct bytes text,
                                 config_report report, void *context)
{
    return parse(schema, false, name, text, report, context);
}

struct config *config_load(const struct config_schema *schema, const char *path, config_report report,
                           void *context)
{
    struct config_scan scan = begin_scan(path, report, context);
    FILE *file = fopen(path, "rbe");
    if (!file) {
        config_fault(&scan, 0, "%s", strerror(errno));
        return NULL;
    }
    struct config *config = NULL;
    char *text = malloc(CONFIG_FILE_MAX + 1); /* one more: so that a larger file is seen to be larger */
    size_t size = text ? fread(text, 1, CONFIG_FILE_MAX + 1, file) : 0;
    if (!text)
        config_fault(&scan, 0, no_memory);
    else if (ferror(file))
        config_fault(&scan, 0, "%s", strerror(errno));
    else
        config = config_parse(schema, path, text, size, report, context);
    free(text);
    fclose(file);
    return config;
}

static void slot_clear(struct slot *slot)
{
    for (size_t i = 0; i < slot->count; i++)
        free(slot->values[i].text);
    free(slot->values);
}

void config_destroy(struct config **config_p)
{
    if (!config_p || !*config_p)
        return;
    for (size_t i = 0; i < (*config_p)->schema->rule_count; i++)
        slot_clear(&(*config_p)->slots[i]);
    free(*config_p);
    *config_p = NULL;
}

bool config_is_set(const struct config *config, const char *key)
{
    const struct config_rule *rule = find_rule(config->schema, key);
    return rule && config->slots[rule - config->schema->rules].first_line != 0;
}

void config_override(struct config *config, struct config **over)
{
    for (size_t i = 0; i < config->schema->rule_count; i++) {
        struct slot *from = &(*over)->slots[i];
        if (from->first_line == 0)
            continue;
        slot_clear(&config->slots[i]);
        config->slots[i] = *from;
        *from = (struct slot){.count = 0};
    }
    config_destroy(over);
}

/* -- asking -------------------------------------------------------------------------------------- */

static const struct slot *slot_of(const struct config *config, const char *key)
{
    const struct config_rule *rule = find_rule(config->schema, key);
    assert(rule);
    return rule ? &config->slots[rule - config->schema->rules] : NULL;
}

/* The value when it is set and of a type in the mask. */
static const struct config_value *value_of(const struct config *config, const char *key, size_t index,
                                           unsigned types)
{
    const struct slot *slot = slot_of(config, key);
    assert(1u << find_rule(config->schema, key)->type & types);
    (void)types;
    return slot && index < slot->count ? &slot->values[index] : NULL;
}

enum {
    NUMBERS = 1 << CONFIG_INT | 1 << CONFIG_SIZE | 1 << CONFIG_DURATION,
    TEXTS = 1 << CONFIG_STRING | 1 << CONFIG_CHOICE | 1 << CONFIG_PATH,
    ENDPOINTS = 1 << CONFIG_ADDRESS | 1 << CONFIG_ENDPOINT,
};

size_t config_count(const struct config *config, const char *key)
{
    const struct slot *slot = slot_of(config, key);
    return slot ? slot->count : 0;
}

bool config_bool(const struct config *config, const char *key)
{
    const struct config_value *value = value_of(config, key, 0, 1u << CONFIG_BOOL);
    return value && value->number;
}

size_t config_choice(const struct config *config, const char *key)
{
    const struct config_value *value = value_of(config, key, 0, 1u << CONFIG_CHOICE);
    return value ? (size_t)value->number : 0;
}

int64_t config_int_at(const struct config *config, const char *key, size_t index)
{
    const struct config_value *value = value_of(config, key, index, NUMBERS);
    return value ? value->number : 0;
}

const char *config_string_at(const struct config *config, const char *key, size_t index)
{
    const struct config_value *value = value_of(config, key, index, TEXTS);
    return value ? value->text : NULL;
}

struct endpoint config_endpoint_at(const struct config *config, const char *key, size_t index)
{
    const struct config_value *value = value_of(config, key, index, ENDPOINTS);
    return value ? value->endpoint : (struct endpoint){.port = 0};
}

int64_t config_int(const struct config *config, const char *key)
{
    return config_int_at(config, key, 0);
}

const char *config_string(const struct config *config, const char *key)
{
    return config_string_at(config, key, 0);
}

struct endpoint config_endpoint(const struct config *config, const char *key)
{
    return config_endpoint_at(config, key, 0);
}

/* -- the schema ---------------------------------------------------------------------------------- */

/* The section of a key is what stands before its last slash. */
static bool has_section(const struct config_schema *schema, const char *key)
{
    char section[KEY_MAX];
    const char *slash = strrchr(key, '/');
    if (!slash)
        return true;
    snprintf(section, sizeof section, "%.*s", (int)(slash - key), key);
    return is_section(schema, section);
}

static void check_rule(const struct config_schema *schema, const struct config_rule *rule,
                       struct config_scan *scan)
{
    struct slot slot = {.count = 0};
    char fault[CONFIG_FAULT_MAX];
    if (!has_section(schema, rule->key))
        config_fault(scan, 0, "%s: its section is not declared", rule->key);
    if (find_rule(schema, rule->key) != rule)
        config_fault(scan, 0, "%s: declared twice", rule->key);
    if (!rule->doc || !rule->doc[0])
        config_fault(scan, 0, "%s: has no doc", rule->key);
    if ((rule->type == CONFIG_CHOICE) != (rule->choices != NULL))
        config_fault(scan, 0, "%s: a choice has choices, others have none", rule->key);
    else if (rule->preset && !slot_set(&slot, rule, rule->preset, fault))
        config_fault(scan, 0, "%s: its default: %s", rule->key, fault);
    slot_clear(&slot);
}

bool config_schema_check(const struct config_schema *schema, config_report report, void *context)
{
    struct config_scan scan = begin_scan(schema->title, report, context);
    for (size_t i = 0; i < schema->rule_count; i++)
        check_rule(schema, &schema->rules[i], &scan);
    return scan.faults == 0;
}

bool config_same(const struct config *a, const struct config *b, const char *key)
{
    const struct slot *x = slot_of(a, key), *y = slot_of(b, key);
    if (x->count != y->count)
        return false;
    for (size_t i = 0; i < x->count; i++)
        if (strcmp(x->values[i].text, y->values[i].text) != 0)
            return false;
    return true;
}
