/* SPDX-License-Identifier: Apache-2.0
 *
 * docs/activities.md, made of the same tables as the codec.
 */
#include <stdio.h>

#include "base/activity.h"
#include "base/markdown.h"

static const char introduction[] =
    "# Network activities\n"
    "\n"
    "<!-- Made by picket-reference from base/activities/*.def. Do not edit: build the target docs-reference. "
    "-->\n"
    "\n"
    "A *network activity* is one logical thing that happened on the wire: a ticket was asked for and issued, "
    "a\n"
    "directory was searched, a service was created. A request and its reply are one activity. `picket read`\n"
    "makes activities of captured packets; this page lists every kind and every field.\n"
    "\n"
    "## How a record looks\n"
    "\n"
    "As [msgpack](https://github.com/msgpack/msgpack/blob/master/spec.md), a record is one map from field\n"
    "names to values. It begins with the pairs `v`, `kind` and `time`, in this order; the others follow in "
    "no\n"
    "particular one. As JSON (`picket read --json`) it is one object on one line with the same names. A "
    "field\n"
    "that was not seen is absent; there are no nulls. What was on the wire stays as it was: names are not\n"
    "folded, resolved or guessed here.\n"
    "\n"
    "| Type | msgpack | JSON |\n"
    "| --- | --- | --- |\n"
    "| uint | unsigned integer, up to 64 bits | number |\n"
    "| int | integer, up to 64 bits | number |\n"
    "| bool | boolean | `true` or `false` |\n"
    "| string | str, always well-formed UTF-8: what was not is U+FFFD | string |\n"
    "| bytes | bin | string of lower-case hexadecimal |\n"
    "| time | integer, nanoseconds since 1970-01-01T00:00:00 UTC | string, RFC 3339 with nine decimals, such "
    "as "
    "`2026-01-31T23:59:59.123456789Z` |\n"
    "| duration | unsigned integer, nanoseconds | number, nanoseconds |\n"
    "| address | bin of 4 (IPv4) or 16 (IPv6) bytes | string, RFC 5952 |\n"
    "| uuid | bin of 16 bytes, as on the wire ([MS-DTYP] 2.3.4.2) | string, such as "
    "`e3514235-4b06-11d1-ab04-00c04fc2dcd2` |\n"
    "| id | unsigned integer of 64 bits that is only compared, never counted with | string of hexadecimal "
    "digits "
    "|\n"
    "| sid | bin, as on the wire ([MS-DTYP] 2.4.2.2) | string, such as `S-1-5-21-1-2-3-500` |\n"
    "| list of ... | array of that type | array |\n"
    "\n"
    "A number in JSON can be larger than 2^53; a reader that keeps numbers as doubles loses the last "
    "digits.\n";

static const char bounds[] =
    "\n"
    "A string or a run of bytes is cut at %d bytes, a list at %d items, a record at %d bytes and %d fields;\n"
    "`truncated` is then true.\n"
    "\n"
    "## Versions\n"
    "\n"
    "`v` is the version of this form, now %d. New kinds and new fields do not change it: a reader skips the\n"
    "fields it does not know and passes over the kinds it does not know. It is raised only when something "
    "that\n"
    "is there already gets another meaning or type; a reader refuses records of a version it does not "
    "know.\n";

static void print_row(FILE *out, enum activity_kind kind, enum activity_field field)
{
    const struct activity_field_info *info = activity_field_info(field);
    fprintf(out, "| `%s` | %s | %s | ", info->name, activity_type_name(info->type), info->unit);
    if (kind != ACTIVITY_NONE) {
        markdown_cell(out, activity_uses(kind, field));
        fputs(" | ", out);
    }
    markdown_cell(out, info->doc);
    fputs(" |\n", out);
}

static void print_common(FILE *out)
{
    static const char table[] = "| Field | Type | Unit | Meaning |\n| --- | --- | --- | --- |\n";
    fprintf(out, "\n## Fields of every kind\n\n%s", table);
    for (unsigned field = 0; field <= FIELD_UNSEALED; field++)
        print_row(out, ACTIVITY_NONE, (enum activity_field)field);
    fprintf(out,
            "\n## Fields that the resolver adds\n\nTo an activity of any kind, where picketd runs with a "
            "directory: "
            "who its addresses, accounts and names are.\n[How it knows](resolver.md).\n\n%s",
            table);
    for (unsigned field = 0; field < ACTIVITY_FIELDS; field++)
        if (activity_field_is_resolved((enum activity_field)field))
            print_row(out, ACTIVITY_NONE, (enum activity_field)field);
}

static bool is_own(enum activity_kind kind, enum activity_field field)
{
    return !activity_field_is_common(field) && activity_allows(kind, field);
}

static bool has_own_fields(enum activity_kind kind)
{
    for (unsigned field = FIELD_UNSEALED + 1; field < ACTIVITY_FIELDS; field++) {
        if (is_own(kind, (enum activity_field)field))
            return true;
    }
    return false;
}

static void print_contents(FILE *out)
{
    fputs("\n## Kinds\n\n", out);
    for (unsigned kind = ACTIVITY_NONE + 1; kind < ACTIVITY_KINDS; kind++) {
        const char *name = activity_kind_info((enum activity_kind)kind)->name;
        fprintf(out, "- [`%s`](#%s)\n", name, name);
    }
}

static void print_kind(FILE *out, enum activity_kind kind)
{
    const struct activity_kind_info *info = activity_kind_info(kind);
    fprintf(out, "\n### %s\n\n%s Source: %s.\n", info->name, info->doc, info->source);
    if (!has_own_fields(kind))
        return;
    fputs("\n| Field | Type | Unit | Source | Meaning |\n| --- | --- | --- | --- | --- |\n", out);
    for (unsigned field = FIELD_TRUNCATED + 1; field < ACTIVITY_FIELDS; field++) {
        if (is_own(kind, (enum activity_field)field))
            print_row(out, kind, (enum activity_field)field);
    }
}

void activity_print_reference(void *stream)
{
    FILE *out = stream;
    fputs(introduction, out);
    fprintf(out, bounds, ACTIVITY_STRING_MAX, ACTIVITY_LIST_MAX, ACTIVITY_BYTES_MAX, ACTIVITY_FIELDS_MAX,
            ACTIVITY_VERSION);
    print_common(out);
    print_contents(out);
    for (unsigned kind = ACTIVITY_NONE + 1; kind < ACTIVITY_KINDS; kind++)
        print_kind(out, (enum activity_kind)kind);
}
