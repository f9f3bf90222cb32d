/* SPDX-License-Identifier: Apache-2.0
 *
 * A run as a picture: one SVG file without scripts or outside resources. From top to bottom: title, axis, the
 * domains with their synchronizers, what befell the fleet, how much of it ran and agreed, the legend.
 *
 * Lengths are tenths of a unit, so that no rounding of floating point decides how a file looks.
 */
#include <inttypes.h>
#include <string.h>

#include "sim/picture.h"
#include "sim/sim.h"

#define U             10 /* one unit, in tenths */
#define WIDTH         (1200 * U)
#define MARGIN        (24 * U)
#define GUTTER        (190 * U) /* where the time starts */
#define PLOT          (WIDTH - MARGIN - GUTTER)
#define ROW           (26 * U) /* of a holder's bar */
#define LANE          (18 * U) /* of faults */
#define LANES_DRAWN   40u
#define STRIP         (44 * U)
#define ROWS_MAX      4u /* of a domain: holders at the same time */
#define COLOURS       10u
#define LETTER        67      /* hundredths of the size: the mean width of a bold letter, generously */
#define PLAIN_LETTER  58      /* ... of one that is not bold */
#define SHADE         (4 * U) /* narrower shades are not drawn */
#define SMALL         (11 * U)
#define NARROWEST_BAR 8 /* tenths: what is shorter is drawn as wide as this */

struct canvas {
    FILE *out;
    const struct picture *picture;
    int y;                                       /* the next free line */
    int top;                                     /* of the plot */
    uint32_t colour_of[PICTURE_DOMAINS * 1024u]; /* node, in the order of first appearance */
    unsigned colours;
};

static const char *const kind_names[PICTURE_KINDS] = {"down",  "paused",  "cut",  "bad",
                                                      "local", "hostile", "event"};
static const char *const kind_texts[PICTURE_KINDS] = {
    "process down",       "paused or suspended", "cut off", "bad links", "directory, candidacy, disk, clock",
    "hostile or revoked", "switched or started"};

/* --- primitives --- */

/* A length: 12.3 */
#define L     "%d.%d"
#define LV(v) (v) / U, ((v) < 0 ? -(v) : (v)) % U

static void put_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

static void put_text(const struct canvas *c, int x, int y, const char *style, const char *text)
{
    fprintf(c->out, "<text class=\"%s\" x=\"" L "\" y=\"" L "\">", style, LV(x), LV(y));
    put_escaped(c->out, text);
    fputs("</text>\n", c->out);
}

static void put_box(const struct canvas *c, int x, int y, int width, int height, const char *style)
{
    fprintf(c->out, "<rect class=\"%s\" x=\"" L "\" y=\"" L "\" width=\"" L "\" height=\"" L "\"/>\n", style,
            LV(x), LV(y), LV(width), LV(height));
}

/* The same with the words that a browser shows when it is pointed at. */
static void put_titled_box(const struct canvas *c, int x, int y, int width, int height, const char *style,
                           const char *title)
{
    fprintf(c->out, "<rect class=\"%s\" x=\"" L "\" y=\"" L "\" width=\"" L "\" height=\"" L "\"><title>",
            style, LV(x), LV(y), LV(width), LV(height));
    put_escaped(c->out, title);
    fputs("</title></rect>\n", c->out);
}

static int text_width(const char *text, int size, int letter)
{
    return (int)strlen(text) * size * letter / 100;
}

static int at_time(const struct canvas *c, int64_t time)
{
    if (time > c->picture->length)
        time = c->picture->length;
    return GUTTER + (int)(time * PLOT / c->picture->length);
}

static void put_clock(char *to, size_t size, int64_t ms)
{
    int64_t seconds = ms / 1000;
    snprintf(to, size, "%" PRId64 ":%02d:%02d", seconds / 3600, (int)(seconds / 60 % 60),
             (int)(seconds % 60));
}

/* --- head --- */

static const char style_sheet[] =
    "<style>\n"
    "text{font-family:'DejaVu Sans',Verdana,'Segoe UI',system-ui,sans-serif;font-size:11px;fill:#24292f}\n"
    ".paper{fill:#ffffff}.title{font-size:19px;font-weight:bold}.sub{font-size:11.5px;fill:#57606a}\n"
    ".head{font-size:11px;font-weight:bold;fill:#57606a}\n"
    ".lane{font-size:11px;text-anchor:end}.domain{font-size:13px;font-weight:bold;text-anchor:end}\n"
    ".note{font-size:10px;fill:#57606a;text-anchor:end}.tick{font-size:11px;fill:#57606a;text-anchor:middle}"
    "\n"
    ".bar{font-size:11px;font-weight:bold;text-anchor:middle;fill:#ffffff}\n"
    ".ink{fill:#24292f}.key{font-size:11px}\n"
    ".grid{fill:#d0d7de}.groove{fill:#f0f3f6}.gap{fill:#fff5f5}\n"
    ".none{font-size:10px;fill:#b3261e;text-anchor:middle}\n"
    ".shade{fill:#e8871e;fill-opacity:.09}\n"
    ".c0{fill:#2f6fb7}.c1{fill:#c4552d}.c2{fill:#2e8b57}.c3{fill:#8a4fb0}.c4{fill:#a8791a}\n"
    ".c5{fill:#1c8a9a}.c6{fill:#b8397a}.c7{fill:#5d6bc2}.c8{fill:#7d6350}.c9{fill:#5f7f1f}\n"
    ".claim{fill-opacity:.45}.asleep{fill-opacity:.3}\n"
    ".down{fill:#4a5058}.paused{fill:#8e6bbf}.cut{fill:#e8871e}.bad{fill:#ebbd34}\n"
    ".local{fill:#4d94c9}.hostile{fill:#c0293b}.event{fill:#2e9960}\n"
    ".fresh{fill:#3fa66b}.part{fill:#e3b341}.stale{fill:#d9534f}\n"
    ".agree{fill:#5b8fd6}.agree-line{fill:none;stroke:#2f6fb7;stroke-width:1.2}\n"
    ".run-line{fill:none;stroke:#4a5058;stroke-width:1.2;stroke-dasharray:3 2}\n"
    "@media (prefers-color-scheme:dark){\n"
    "text{fill:#e6edf3}.paper{fill:#0d1117}.sub,.head,.note,.tick{fill:#9198a1}.bar{fill:#ffffff}\n"
    ".ink{fill:#e6edf3}.grid{fill:#3d444d}.groove{fill:#161b22}.gap{fill:#2a1618}.none{fill:#ff8f88}\n"
    ".down{fill:#8b949e}.run-line{stroke:#9198a1}.agree-line{stroke:#79b0f2}.shade{fill-opacity:.14}}\n"
    "</style>\n";

static void put_head(struct canvas *c, int height)
{
    fprintf(c->out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" L "\" height=\"" L "\" viewBox=\"0 0 " L
            " " L "\" role=\"img\">\n<title>",
            LV(WIDTH), LV(height), LV(WIDTH), LV(height));
    put_escaped(c->out, c->picture->title);
    fputs("</title>\n", c->out);
    fputs(style_sheet, c->out);
    put_box(c, 0, 0, WIDTH, height, "paper");
    put_text(c, MARGIN, 36 * U, "title", c->picture->title);
    put_text(c, MARGIN, 56 * U, "sub", c->picture->subtitle);
}

/* --- axis --- */

/* The distance of marks: at most 14 on the axis. */
static int64_t tick_step(int64_t length)
{
    static const int64_t steps[] = {10,   30,    60,    120,   300,   600,    900,    1800,   3600,
                                    7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (length / (steps[i] * 1000) <= 14)
            return steps[i] * 1000;
    return length;
}

static void put_axis(struct canvas *c, int bottom)
{
    int64_t step = tick_step(c->picture->length);
    for (int64_t t = 0; t <= c->picture->length; t += step) {
        char label[32];
        int64_t minutes = t / SIM_MINUTE;
        if (step < SIM_MINUTE)
            snprintf(label, sizeof label, "%" PRId64 ":%02d", minutes, (int)(t / 1000 % 60));
        else if (step < 24 * SIM_HOUR)
            snprintf(label, sizeof label, "%" PRId64 ":%02d", minutes / 60, (int)(minutes % 60));
        else
            snprintf(label, sizeof label, "day %" PRId64, minutes / 1440);
        put_box(c, at_time(c, t) - 4, c->top, 8, bottom - c->top, "grid");
        put_text(c, at_time(c, t), c->top - 7 * U, "tick", label);
    }
    put_text(c, GUTTER - 22 * U, c->top - 7 * U, "note", step < SIM_MINUTE ? "minutes" : "hours");
}

/* --- domains --- */

static unsigned colour_of(struct canvas *c, uint32_t node)
{
    for (unsigned i = 0; i < c->colours; i++)
        if (c->colour_of[i] == node)
            return i % COLOURS;
    if (c->colours < sizeof c->colour_of / sizeof c->colour_of[0])
        c->colour_of[c->colours++] = node;
    return (c->colours - 1) % COLOURS;
}

struct rows {
    int64_t free_at[ROWS_MAX];
    uint32_t node[ROWS_MAX];
};

/* The row in which the node stood until now; else the first that is free; the last when all are taken. */
static unsigned row_for(struct rows *rows, const struct picture_hold *hold)
{
    unsigned row = 0;
    while (row < ROWS_MAX && !(rows->free_at[row] == hold->from && rows->node[row] == hold->node))
        row++;
    if (row == ROWS_MAX)
        for (row = 0; row < ROWS_MAX - 1 && rows->free_at[row] > hold->from;)
            row++;
    rows->free_at[row] = hold->to;
    rows->node[row] = hold->node;
    return row;
}

/* How many rows a domain's holders need: those at the same time stand below each other. */
static unsigned rows_of(const struct picture_domain *domain)
{
    struct rows rows = {0};
    unsigned most = 1;
    for (unsigned i = 0; i < domain->count; i++) {
        unsigned row = row_for(&rows, &domain->holds[i]);
        most = row + 1 > most ? row + 1 : most;
    }
    return most;
}

static void put_hold(struct canvas *c, const struct picture_hold *hold, int y, int height)
{
    int x = at_time(c, hold->from), width = at_time(c, hold->to) - x;
    char style[32], label[64], title[160], from[24], to[24];
    snprintf(style, sizeof style, "c%u%s", colour_of(c, hold->node),
             hold->asleep     ? " asleep"
             : !hold->settled ? " claim"
                              : "");
    put_clock(from, sizeof from, hold->from);
    put_clock(to, sizeof to, hold->to);
    snprintf(title, sizeof title, "n%02u %s term %" PRIu64 " from %s to %s", hold->node + 1,
             hold->asleep    ? "asleep, holds"
             : hold->settled ? "holds"
                             : "claims",
             hold->term, from, to);
    put_titled_box(c, x, y, width < NARROWEST_BAR ? NARROWEST_BAR : width, height, style, title);
    snprintf(label, sizeof label, "n%02u \xc2\xb7 term %" PRIu64, hold->node + 1, hold->term);
    if (text_width(label, SMALL, LETTER) > width)
        snprintf(label, sizeof label, "n%02u", hold->node + 1);
    if (hold->settled && !hold->asleep && text_width(label, SMALL, LETTER) + 4 * U <= width)
        put_text(c, x + width / 2, y + height / 2 + 4 * U, "bar", label);
}

/* Where nobody holds, it is said when there is room. */
static void put_gap(struct canvas *c, int64_t from, int64_t to, int y, int height)
{
    int x = at_time(c, from), width = at_time(c, to) - x;
    if (width < 2)
        return;
    put_box(c, x, y, width, height, "gap");
    if (width >= 52 * U)
        put_text(c, x + width / 2, y + height / 2 + 4 * U, "none", "nobody");
}

static void put_gaps(struct canvas *c, const struct picture_domain *domain, int y, int height)
{
    int64_t covered = 0;
    for (unsigned i = 0; i < domain->count; i++) {
        if (domain->holds[i].from > covered)
            put_gap(c, covered, domain->holds[i].from, y, height);
        if (domain->holds[i].to > covered)
            covered = domain->holds[i].to;
    }
    if (covered < c->picture->length)
        put_gap(c, covered, c->picture->length, y, height);
}

static const char *fresh_style(uint32_t share)
{
    return share == PICTURE_ALL ? "fresh" : share ? "part" : "stale";
}

/* Runs of samples of one colour, as one box each. */
static void put_fresh(struct canvas *c, const struct picture_domain *domain, int y)
{
    const struct picture *p = c->picture;
    for (unsigned i = 0; i < p->sample_count;) {
        unsigned from = i;
        const char *style = fresh_style(domain->fresh[from]);
        while (i < p->sample_count && domain->fresh[i] != PICTURE_UNKNOWN &&
               strcmp(fresh_style(domain->fresh[i]), style) == 0)
            i++;
        if (i == from) {
            i++;
            continue;
        }
        int x = at_time(c, from * p->sample_period);
        put_box(c, x, y, at_time(c, i * p->sample_period) - x, 5 * U, style);
    }
}

static int domain_height(const struct picture_domain *domain)
{
    return (int)rows_of(domain) * (ROW + 2 * U) + 24 * U;
}

static void put_domain(struct canvas *c, const struct picture_domain *domain)
{
    unsigned rows = rows_of(domain);
    int y = c->y + 4 * U, bars = (int)rows * (ROW + 2 * U) - 2 * U;
    struct rows used = {0};
    put_text(c, GUTTER - 10 * U, y + 17 * U, "domain", domain->name);
    put_text(c, GUTTER - 10 * U, y + bars + 9 * U, "note", "fresh for");
    put_gaps(c, domain, y, bars);
    for (unsigned i = 0; i < domain->count; i++) {
        const struct picture_hold *hold = &domain->holds[i];
        unsigned row = row_for(&used, hold);
        put_hold(c, hold, y + (int)row * (ROW + 2 * U), ROW);
    }
    put_fresh(c, domain, y + bars + 4 * U);
    c->y += domain_height(domain);
}

/* --- faults --- */

static unsigned lanes_drawn(const struct picture *picture)
{
    return picture->lane_count > LANES_DRAWN ? LANES_DRAWN : picture->lane_count;
}

static bool is_shade(const struct canvas *c, const struct picture_span *span)
{
    bool whole = span->from == 0 && span->to >= c->picture->length;
    return span->kind == PICTURE_CUT && !whole && at_time(c, span->to) - at_time(c, span->from) >= SHADE;
}

/* The shade that starts first from `from` on, made longer by those that overlap it. False: none. */
static bool next_shade(const struct canvas *c, int64_t from, struct picture_span *shade)
{
    bool found = false, grown = true;
    for (int pass = 0; grown; pass++) {
        grown = false;
        for (unsigned l = 0; l < lanes_drawn(c->picture); l++) {
            const struct picture_lane *lane = &c->picture->lanes[l];
            for (unsigned i = 0; i < lane->count; i++) {
                const struct picture_span *span = &lane->spans[i];
                if (span->from < from || !is_shade(c, span))
                    continue;
                if (pass == 0 && (!found || span->from < shade->from)) {
                    *shade = *span;
                    found = grown = true;
                } else if (pass && span->from <= shade->to && span->to > shade->to) {
                    shade->to = span->to;
                    grown = true;
                }
            }
        }
    }
    return found;
}

/* What is cut for a while is shaded through the whole picture, once however many cuts there are. */
static void put_shades(struct canvas *c, int bottom)
{
    struct picture_span shade = {0};
    for (int64_t from = 0; next_shade(c, from, &shade); from = shade.to + 1)
        put_box(c, at_time(c, shade.from), c->top, at_time(c, shade.to) - at_time(c, shade.from),
                bottom - c->top, "shade");
}

static void put_span(struct canvas *c, const struct picture_span *span, int y)
{
    int x = at_time(c, span->from), width = at_time(c, span->to) - x;
    int middle = y + LANE / 2, half = 5 * U;
    if (span->from == span->to) {
        fprintf(c->out, "<path class=\"%s\" d=\"M" L " " L "L" L " " L "L" L " " L "L" L " " L "Z\"/>\n",
                kind_names[span->kind], LV(x - half), LV(middle), LV(x), LV(middle - half), LV(x + half),
                LV(middle), LV(x), LV(middle + half));
        return;
    }
    char title[96], from[24], to[24];
    put_clock(from, sizeof from, span->from);
    put_clock(to, sizeof to, span->to);
    snprintf(title, sizeof title, "%s from %s to %s", kind_texts[span->kind], from, to);
    put_titled_box(c, x, y + 3 * U, width < NARROWEST_BAR ? NARROWEST_BAR : width, LANE - 6 * U,
                   kind_names[span->kind], title);
}

static void put_lane(struct canvas *c, const struct picture_lane *lane)
{
    put_box(c, GUTTER, c->y + 3 * U, PLOT, LANE - 6 * U, "groove");
    put_text(c, GUTTER - 10 * U, c->y + LANE / 2 + 4 * U, "lane", lane->label);
    c->y += LANE;
}

static void put_spans(struct canvas *c, const struct picture_lane *lane)
{
    for (unsigned i = 0; i < lane->count; i++)
        put_span(c, &lane->spans[i], c->y);
    c->y += LANE;
}

static int faults_height(const struct picture *picture)
{
    if (!picture->lane_count)
        return 0;
    return 26 * U + (int)lanes_drawn(picture) * LANE + (picture->lane_count > LANES_DRAWN ? 16 * U : 0);
}

static void put_faults(struct canvas *c)
{
    const struct picture *p = c->picture;
    if (!p->lane_count)
        return;
    c->y += 26 * U;
    int lanes = c->y;
    put_text(c, MARGIN, lanes - 6 * U, "head", "WHAT HAPPENED");
    for (unsigned i = 0; i < lanes_drawn(p); i++)
        put_lane(c, &p->lanes[i]);
    c->y = lanes;
    for (unsigned i = 0; i < lanes_drawn(p); i++)
        put_spans(c, &p->lanes[i]);
    if (p->lane_count <= LANES_DRAWN)
        return;
    char rest[64];
    snprintf(rest, sizeof rest, "and %u lanes more", p->lane_count - LANES_DRAWN);
    put_text(c, GUTTER - 10 * U, c->y + 11 * U, "note", rest);
    c->y += 16 * U;
}

/* --- convergence --- */

static int share_y(int base, uint32_t share)
{
    return base - (int)((int64_t)share * STRIP / PICTURE_ALL);
}

/* A line through the samples, in as many pieces as they have gaps. `filled`: down to the base. */
static void put_curve(struct canvas *c, const uint32_t *samples, int base, const char *style, bool filled)
{
    const struct picture *p = c->picture;
    fprintf(c->out, "<path class=\"%s\"%s d=\"", style, filled ? " fill-opacity=\".22\"" : "");
    for (unsigned i = 0; i < p->sample_count; i++) {
        bool first = i == 0 || samples[i - 1] == PICTURE_UNKNOWN;
        bool last = i + 1 == p->sample_count || samples[i + 1] == PICTURE_UNKNOWN;
        if (samples[i] == PICTURE_UNKNOWN)
            continue;
        int x = at_time(c, i * p->sample_period), y = share_y(base, samples[i]);
        if (first && filled)
            fprintf(c->out, "M" L " " L "V" L, LV(x), LV(base), LV(y));
        else if (first)
            fprintf(c->out, "M" L " " L, LV(x), LV(y));
        else if (samples[i] != samples[i - 1])
            fprintf(c->out, "H" L "V" L, LV(x), LV(y));
        if (last)
            fprintf(c->out, "H" L, LV(at_time(c, (i + 1) * p->sample_period)));
        if (last && filled)
            fprintf(c->out, "V" L "Z", LV(base));
    }
    fputs("\"/>\n", c->out);
}

static void put_convergence(struct canvas *c)
{
    c->y += 28 * U;
    int base = c->y + STRIP;
    put_text(c, MARGIN, c->y - 8 * U, "head", "CONVERGENCE");
    put_text(c, GUTTER - 10 * U, c->y + 8 * U, "note", "100 %");
    put_text(c, GUTTER - 10 * U, base, "note", "0 %");
    put_box(c, GUTTER, c->y, PLOT, STRIP, "groove");
    if (c->picture->sample_count) {
        put_curve(c, c->picture->converged, base, "agree", true);
        put_curve(c, c->picture->converged, base, "agree-line", false);
        put_curve(c, c->picture->running, base, "run-line", false);
    }
    c->y = base;
}

/* --- legend --- */

static int put_key(struct canvas *c, int x, int *y, const char *style, int height, const char *text)
{
    int width = 24 * U + text_width(text, SMALL, PLAIN_LETTER) + 14 * U;
    if (x + width > WIDTH - MARGIN) {
        x = MARGIN;
        *y += 20 * U;
    }
    put_box(c, x, *y - 5 * U - height / 2 + U, 18 * U, height, style);
    put_text(c, x + 24 * U, *y, "key", text);
    return x + width;
}

static void put_legend(struct canvas *c)
{
    int y = c->y + 34 * U, x = MARGIN;
    bool used[PICTURE_KINDS] = {false};
    x = put_key(c, x, &y, "c0", 12 * U, "holds the domain (a colour per node)");
    x = put_key(c, x, &y, "c0 claim", 12 * U, "claims it, not settled");
    x = put_key(c, x, &y, "fresh", 5 * U, "fresh for all");
    x = put_key(c, x, &y, "part", 5 * U, "for some");
    x = put_key(c, x, &y, "stale", 5 * U, "for none");
    bool asleep = false;
    for (unsigned d = 0; d < c->picture->domain_count; d++)
        for (unsigned i = 0; i < c->picture->domains[d].count; i++)
            asleep |= c->picture->domains[d].holds[i].asleep;
    if (asleep)
        x = put_key(c, x, &y, "c0 asleep", 12 * U, "believes to hold it, but stands");
    for (unsigned l = 0; l < lanes_drawn(c->picture); l++)
        for (unsigned i = 0; i < c->picture->lanes[l].count; i++)
            used[c->picture->lanes[l].spans[i].kind] = true;
    for (unsigned i = 0; i < PICTURE_KINDS; i++)
        if (used[i])
            x = put_key(c, x, &y, kind_names[i], 12 * U, kind_texts[i]);
    x = put_key(c, x, &y, "agree", 12 * U, "share of running nodes that know the same");
    put_key(c, x, &y, "ink", 2 * U, "share of nodes that run (dashed)");
}

bool svg_write(FILE *file, const struct picture *picture)
{
    struct canvas c = {.out = file, .picture = picture, .top = 104 * U};
    int bottom = c.top + 6 * U + faults_height(picture) + 28 * U + STRIP;
    for (unsigned i = 0; i < picture->domain_count; i++)
        bottom += domain_height(&picture->domains[i]);
    put_head(&c, bottom + 86 * U);
    put_text(&c, MARGIN, c.top - 7 * U, "head", "SYNCHRONIZER");
    c.y = c.top + 6 * U;
    put_shades(&c, bottom);
    put_axis(&c, bottom);
    for (unsigned i = 0; i < picture->domain_count; i++)
        put_domain(&c, &picture->domains[i]);
    put_faults(&c);
    put_convergence(&c);
    put_legend(&c);
    fputs("</svg>\n", file);
    return fflush(file) == 0 && !ferror(file);
}
