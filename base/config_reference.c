/* SPDX-License-Identifier: Apache-2.0
 *
 * The reference of a schema, as Markdown.
 */
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/config_value.h"
#include "base/markdown.h"

static void print_type(FILE *out, const struct config_rule *rule)
{
    fputs(rule->list ? "list of " : "", out);
    fputs(config_type_name(rule->type), out);
    if (rule->unit)
        fprintf(out, " (%s)", rule->unit);
    for (size_t i = 0; rule->choices && rule->choices[i]; i++)
        fprintf(out, "%s `%s`", i ? "," : ":", rule->choices[i]);
}

static void print_range(FILE *out, const struct config_rule *rule)
{
    char low[32];
    char high[32];
    if (!rule->min && !rule->max)
        return;
    fprintf(out, "%s to %s", config_number_text(rule->type, rule->min, low, sizeof low),
            config_number_text(rule->type, rule->max, high, sizeof high));
}

static void print_default(FILE *out, const struct config_rule *rule)
{
    if (rule->required)
        fputs("must be set", out);
    else if (rule->preset)
        fprintf(out, "`%s`", rule->preset);
    else
        fputs("not set", out);
}

static void print_rule(FILE *out, const struct config_rule *rule, size_t section_size)
{
    fprintf(out, "| `%s` | ", rule->key + section_size);
    print_type(out, rule);
    fputs(" | ", out);
    print_range(out, rule);
    fputs(" | ", out);
    print_default(out, rule);
    fputs(" | ", out);
    markdown_cell(out, rule->doc);
    fputs(" |\n", out);
}

static bool is_within(const struct config_rule *rule, const char *section)
{
    const char *slash = strrchr(rule->key, '/');
    size_t size = slash ? (size_t)(slash - rule->key) : 0;
    return strlen(section) == size && strncmp(rule->key, section, size) == 0;
}

static void print_rules(FILE *out, const struct config_schema *schema, const char *section)
{
    size_t skip = strlen(section) + (section[0] ? 1 : 0);
    bool head = false;
    for (size_t i = 0; i < schema->rule_count; i++) {
        if (!is_within(&schema->rules[i], section))
            continue;
        if (!head)
            fputs("\n| Key | Type | Range | Default | Meaning |\n| --- | --- | --- | --- | --- |\n", out);
        head = true;
        print_rule(out, &schema->rules[i], skip);
    }
}

static const char form[] =
    "\n"
    "## Form\n"
    "\n"
    "The file is [ZPL](https://rfc.zeromq.org/spec/4/): one `name = value` a line, a section is a name "
    "alone, "
    "and what belongs to\n"
    "it is indented by four spaces. `#` begins a comment; a value that has one is put in quotes. An unknown "
    "key or a bad value is\n"
    "an error that names the file, the line and the key.\n"
    "\n"
    "| Type | How it is written |\n"
    "| --- | --- |\n"
    "| bool | `true`, `yes`, `on` or `false`, `no`, `off` |\n"
    "| number | decimal digits |\n"
    "| size | bytes, or a number with `K`, `M` or `G` (powers of 1024): `64M` |\n"
    "| duration | a number with `ms`, `s`, `min`, `h` or `d`: `10min` |\n"
    "| text | up to the end of the line, or in quotes |\n"
    "| choice | one of the words given |\n"
    "| path | absolute |\n"
    "| address | IPv4 or IPv6: `192.0.2.1`, `2001:db8::1` |\n"
    "| address:port | `192.0.2.1:389`, `[2001:db8::1]:389` |\n"
    "| list of ... | items separated by commas; or the key repeated |\n";

void config_print_reference(const struct config_schema *schema, void *stream)
{
    FILE *out = stream;
    fprintf(
        out,
        "# %s\n\n<!-- Made by picket-reference from the schema in the code. Do not edit: build the target "
        "docs-reference. -->\n\n%s",
        schema->title, schema->introduction);
    fputs(form, out);
    print_rules(out, schema, "");
    for (size_t i = 0; i < schema->section_count; i++) {
        fprintf(out, "\n## `%s`\n\n%s\n", schema->sections[i].key, schema->sections[i].doc);
        print_rules(out, schema, schema->sections[i].key);
    }
}
