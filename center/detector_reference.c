/* SPDX-License-Identifier: Apache-2.0
 *
 * docs/detections.md, made of the table of detectors.
 */
#include "base/clock.h"
#include "base/markdown.h"
#include "center/detector.h"

#include <stdio.h>

static const char introduction[] =
    "# Detections\n"
    "\n"
    "<!-- Made by picket-reference from center/detectors/*.c. Do not edit: build the target docs-reference. "
    "-->\n"
    "\n"
    "What the center looks for, one page for all of it: from what each detection is computed, what it "
    "compares, "
    "how long it\n"
    "learns, and every number that can be changed. External ids and names are those that the field's "
    "commercial "
    "product\n"
    "publishes, so that a SIEM's rules keep working. How the parts fit together: [center.md](center.md); the "
    "statistics of\n"
    "what is learned: [learning.md](learning.md); what was found in labelled captures:\n"
    "[detection-results.md](detection-results.md).\n"
    "\n"
    "A threshold has three defaults, by the workspace's sensitivity. Try another one on captures or exported "
    "activities with\n"
    "`picket-center replay --set DETECTOR.SETTING=VALUE FILE...`, where DETECTOR is the *word* below.\n"
    "Exclusions (`--exclude`, or the workspace's) are by account, computer, address or domain.\n"
    "\n"
    "While a detector learns it raises nothing; the time is counted from the first activity that the "
    "workspace ever "
    "had.\n";

/* "0.5", "3": as short as it is. */
static void put_number(FILE *out, double value)
{
    fprintf(out, "%.6g", value);
}

static void put_learning(FILE *out, int64_t learning)
{
    if (learning == 0)
        fputs("none", out);
    else if (learning % CLOCK_DAY == 0)
        fprintf(out, "%lld days", (long long)(learning / CLOCK_DAY));
    else
        fprintf(out, "%lld hours", (long long)(learning / CLOCK_HOUR));
}

static void put_overview(FILE *out)
{
    fputs("\n| id | detection | word | severity | technique | learns |\n| --- | --- | --- | --- | --- | --- "
          "|\n",
          out);
    for (unsigned i = 0; detectors[i]; i++) {
        const struct detector *d = detectors[i];
        fprintf(out, "| %u | ", d->external_id);
        markdown_cell(out, d->title);
        fprintf(out, " | [`%s`](#%s) | %s | %s | ", d->word, d->word, severity_name(d->severity), d->mitre);
        put_learning(out, d->learning);
        fputs(" |\n", out);
    }
}

static void put_settings(FILE *out, const struct detector_setting *settings)
{
    if (!settings || !settings->name)
        return;
    fputs("\n| setting | low | medium | high | unit | from | to | meaning |\n"
          "| --- | --- | --- | --- | --- | --- | --- | --- |\n",
          out);
    for (const struct detector_setting *s = settings; s->name; s++) {
        const double numbers[] = {s->low, s->medium, s->high};
        fprintf(out, "| `%s` |", s->name);
        for (unsigned i = 0; i < 3; i++) {
            fputc(' ', out);
            put_number(out, numbers[i]);
            fputs(" |", out);
        }
        fprintf(out, " %s | ", s->unit ? s->unit : "");
        put_number(out, s->least);
        fputs(" | ", out);
        put_number(out, s->most);
        fputs(" | ", out);
        markdown_cell(out, s->doc);
        fputs(" |\n", out);
    }
}

static void put_detector(FILE *out, const struct detector *d)
{
    fprintf(out, "\n## %s\n\n**%s** (%u, `%s`): %s, [%s](https://attack.mitre.org/techniques/", d->word,
            d->title, d->external_id, d->name, severity_name(d->severity), d->mitre);
    for (const char *c = d->mitre; *c; c++)
        fputc(*c == '.' ? '/' : *c, out);
    fputs("/); learns ", out);
    put_learning(out, d->learning);
    fprintf(out, ".\n\n%s\n\nIt looks at", d->doc);
    for (const enum activity_kind *kind = d->kinds; *kind != ACTIVITY_NONE; kind++)
        fprintf(out, "%s [`%s`](activities.md#%s)", kind == d->kinds ? "" : ",",
                activity_kind_info(*kind)->name, activity_kind_info(*kind)->name);
    fprintf(out, ".\n\n*What to do.* %s\n", d->advice);
    put_settings(out, d->settings);
}

void detectors_print_reference(void *stream)
{
    FILE *out = stream;
    fputs(introduction, out);
    put_overview(out);
    for (unsigned i = 0; detectors[i]; i++)
        put_detector(out, detectors[i]);
}
