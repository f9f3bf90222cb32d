/* SPDX-License-Identifier: Apache-2.0 */
#define XXH_INLINE_ALL
#include "center/statistics.h"

#include <math.h>
#include <string.h>
#include <xxhash.h>

#define LN2          0.69314718055994530942
#define SKETCH       (DISTINCT_EXACT + 1)
#define RANK_MAX     32u   /* of a sketch's 32 bits behind the register's number, plus one */
#define WEIGHT_LEAST 1e-3f /* an item that faded below that is as good as gone */

/* lgamma keeps the sign in a global variable; without, it may be used by threads. */
static double log_gamma(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

static uint64_t mixed(uint64_t item)
{
    return XXH3_64bits(&item, sizeof(item));
}

/* -- counts that fade ---------------------------------------------------------------------------- */

static uint32_t seconds_of(int64_t time)
{
    int64_t seconds = time / STATISTICS_SECOND;
    return seconds < 0 ? 0 : seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
}

double decay(int64_t age, int64_t half_life)
{
    return age <= 0 ? 1 : exp2(-(double)age / (double)half_life);
}

/* Between two times in seconds. */
static double decay_seconds(uint32_t from, uint32_t to, int64_t half_life)
{
    return to <= from ? 1 : decay((int64_t)(to - from) * STATISTICS_SECOND, half_life);
}

double decayed_add(struct decayed_count *count, int64_t now, int64_t half_life, double amount)
{
    uint32_t seconds = seconds_of(now);
    if (seconds > count->seconds) {
        if (count->value > 0)
            count->value = (float)(count->value * decay_seconds(count->seconds, seconds, half_life));
        count->seconds = seconds;
    }
    count->value = (float)(count->value + amount * decay_seconds(seconds, count->seconds, half_life));
    return count->value;
}

double decayed_value(const struct decayed_count *count, int64_t now, int64_t half_life)
{
    return count->value > 0 ? count->value * decay_seconds(count->seconds, seconds_of(now), half_life) : 0;
}

/* -- how many different ones --------------------------------------------------------------------- */

/* By the highest bits the register, by the zeros that follow the rank. */
static bool sketch_add(uint8_t registers[DISTINCT_REGISTERS], uint32_t hash)
{
    uint32_t rest = hash << 6;
    uint8_t rank = rest ? (uint8_t)(__builtin_clz(rest) + 1) : 27;
    uint8_t *to = &registers[hash >> 26];
    if (rank <= *to)
        return false;
    *to = rank;
    return true;
}

static void sketch_from_few(struct distinct_count *d)
{
    uint8_t registers[DISTINCT_REGISTERS] = {0};
    for (uint32_t i = 0; i < d->count && i < DISTINCT_EXACT; i++)
        sketch_add(registers, d->few[i]);
    memcpy(d->registers, registers, sizeof(registers));
    d->count = SKETCH;
}

static bool add_hash(struct distinct_count *d, uint32_t hash)
{
    if (d->count < SKETCH) {
        for (uint32_t i = 0; i < d->count; i++)
            if (d->few[i] == hash)
                return false;
        if (d->count < DISTINCT_EXACT) {
            d->few[d->count++] = hash;
            return true;
        }
        sketch_from_few(d);
        sketch_add(d->registers, hash);
        return true;
    }
    return sketch_add(d->registers, hash);
}

bool distinct_add(struct distinct_count *d, uint64_t item)
{
    return add_hash(d, (uint32_t)(mixed(item) >> 32));
}

uint32_t distinct_value(const struct distinct_count *d)
{
    if (d->count < SKETCH)
        return d->count;
    const double m = DISTINCT_REGISTERS, hashes = 4294967296.0;
    double sum = 0;
    uint32_t empty = 0;
    for (uint32_t i = 0; i < DISTINCT_REGISTERS; i++) {
        sum += exp2(-(double)d->registers[i]);
        empty += d->registers[i] == 0;
    }
    double estimate = 0.709 * m * m / sum; /* alpha of 64 registers */
    if (estimate <= 2.5 * m && empty)
        estimate = m * log(m / empty);
    /* Hashes of 32 bits meet each other when there are very many. */
    if (estimate > hashes / 30)
        estimate = estimate < hashes / 2 ? -hashes * log(1 - estimate / hashes) : 2147483648.0;
    /* There are more than fitted, however they fell. */
    if (estimate < SKETCH)
        return SKETCH;
    return estimate < 2147483648.0 ? (uint32_t)(estimate + 0.5) : 2147483648U;
}

void distinct_merge(struct distinct_count *to, const struct distinct_count *from)
{
    if (from->count < SKETCH) {
        for (uint32_t i = 0; i < from->count; i++)
            add_hash(to, from->few[i]);
        return;
    }
    if (to->count < SKETCH)
        sketch_from_few(to);
    for (uint32_t i = 0; i < DISTINCT_REGISTERS; i++)
        if (from->registers[i] > to->registers[i])
            to->registers[i] = from->registers[i];
}

/* How many panes on from the newer one `now` is: 0, 1, or 2 for more. */
static unsigned panes_on(int64_t start, int64_t now, int64_t width)
{
    if (now < start || now - start < width)
        return 0;
    return now - start - width < width ? 1 : 2;
}

uint32_t distinct_window_value(const struct distinct_window *w, int64_t now, int64_t width)
{
    unsigned on = panes_on(w->start, now, width);
    if (on > 1)
        return 0;
    if (on == 1)
        return distinct_value(&w->panes[0]);
    struct distinct_count both = w->panes[0];
    distinct_merge(&both, &w->panes[1]);
    return distinct_value(&both);
}

uint32_t distinct_window_add(struct distinct_window *w, uint64_t item, int64_t now, int64_t width)
{
    unsigned on = panes_on(w->start, now, width);
    if (on == 1) {
        w->panes[1] = w->panes[0];
        w->start += width;
    } else if (on > 1) {
        memset(&w->panes[1], 0, sizeof(w->panes[1]));
        w->start = now;
    }
    if (on)
        memset(&w->panes[0], 0, sizeof(w->panes[0]));
    distinct_add(&w->panes[now < w->start], item);
    return distinct_window_value(w, w->start > now ? w->start : now, width);
}

static uint32_t saturating(uint32_t a, uint32_t b)
{
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

uint32_t count_window_value(const struct count_window *w, int64_t now, int64_t width)
{
    unsigned on = panes_on(w->start, now, width);
    return on > 1 ? 0 : on == 1 ? w->panes[0] : saturating(w->panes[0], w->panes[1]);
}

uint32_t count_window_add(struct count_window *w, uint32_t amount, int64_t now, int64_t width)
{
    unsigned on = panes_on(w->start, now, width);
    if (on == 1) {
        w->panes[1] = w->panes[0];
        w->start += width;
    } else if (on > 1) {
        w->panes[1] = 0;
        w->start = now;
    }
    if (on)
        w->panes[0] = 0;
    uint32_t *pane = &w->panes[now < w->start];
    *pane = saturating(*pane, amount);
    return saturating(w->panes[0], w->panes[1]);
}

/* -- the most frequent ones ---------------------------------------------------------------------- */

uint32_t top_key(uint64_t item)
{
    uint32_t key = (uint32_t)mixed(item);
    return key ? key : 1;
}

static void top_fade(struct top_head *head, struct top_item *items, uint32_t size, uint32_t seconds,
                     int64_t half_life)
{
    if (seconds <= head->seconds)
        return;
    float left = (float)decay_seconds(head->seconds, seconds, half_life);
    head->seconds = seconds;
    head->total *= left;
    head->kinds *= left;
    for (uint32_t i = 0; i < size; i++) {
        items[i].weight *= left;
        items[i].error *= left;
        if (items[i].weight < WEIGHT_LEAST)
            items[i] = (struct top_item){0};
    }
}

bool top_add(struct top_head *head, struct top_item *items, uint32_t size, uint32_t key, int64_t now,
             int64_t half_life, double amount)
{
    uint32_t seconds = seconds_of(now);
    top_fade(head, items, size, seconds, half_life);
    float weight = (float)(amount * decay_seconds(seconds, head->seconds, half_life));
    head->total += weight;
    struct top_item *least = &items[0];
    for (uint32_t i = 0; i < size; i++) {
        if (items[i].key == key) {
            items[i].weight += weight;
            return false;
        }
        if (items[i].weight < least->weight)
            least = &items[i];
    }
    head->kinds += weight < 1 ? weight : 1;
    *least = (struct top_item){.key = key, .weight = least->weight + weight, .error = least->weight};
    return true;
}

double top_weight(const struct top_item *items, uint32_t size, uint32_t key)
{
    for (uint32_t i = 0; i < size; i++)
        if (items[i].key == key)
            return items[i].weight - items[i].error;
    return 0;
}

uint32_t top_count(const struct top_item *items, uint32_t size)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < size; i++)
        count += items[i].key != 0;
    return count;
}

/* -- counts a day -------------------------------------------------------------------------------- */

static uint16_t saturated(uint32_t count)
{
    return count > UINT16_MAX ? UINT16_MAX : (uint16_t)count;
}

static void next_day(struct daily_baseline *b)
{
    b->days[b->day % BASELINE_DAYS] = saturated(b->today);
    b->today = 0;
    b->day++;
    if (b->known < BASELINE_DAYS)
        b->known++;
}

uint32_t baseline_add(struct daily_baseline *b, int64_t now, uint32_t amount)
{
    uint32_t day = now < STATISTICS_DAY ? 1 : (uint32_t)(now / STATISTICS_DAY);
    if (b->day == 0)
        b->day = day;
    if (day < b->day) {
        if (b->day - day > b->known)
            return 0;
        uint16_t *earlier = &b->days[day % BASELINE_DAYS];
        *earlier = saturated(saturating(*earlier, amount));
        return *earlier;
    }
    /* After a long silence all of it is days of nothing. */
    if (day - b->day > BASELINE_DAYS)
        *b = (struct daily_baseline){.day = day, .known = BASELINE_DAYS};
    while (b->day < day)
        next_day(b);
    b->today = saturating(b->today, amount);
    return b->today;
}

/* In order; gives how many. */
static uint32_t sorted(const struct daily_baseline *b, double to[BASELINE_DAYS])
{
    for (uint32_t i = 0; i < b->known; i++) {
        double count = b->days[(b->day - 1 - i) % BASELINE_DAYS];
        uint32_t at = i;
        for (; at > 0 && to[at - 1] > count; at--)
            to[at] = to[at - 1];
        to[at] = count;
    }
    return b->known;
}

static double median(const double *values, uint32_t count)
{
    return count ? (values[(count - 1) / 2] + values[count / 2]) / 2 : 0;
}

double baseline_median(const struct daily_baseline *b)
{
    double counts[BASELINE_DAYS];
    uint32_t count = sorted(b, counts);
    return median(counts, count);
}

uint32_t baseline_days_of(const struct daily_baseline *b, double count)
{
    double counts[BASELINE_DAYS];
    uint32_t days = 0;
    for (uint32_t i = sorted(b, counts); i > 0 && counts[i - 1] >= count; i--)
        days++;
    return days;
}

double baseline_deviation(const struct daily_baseline *b)
{
    double counts[BASELINE_DAYS], off[BASELINE_DAYS];
    uint32_t count = sorted(b, counts);
    double middle = median(counts, count);
    for (uint32_t i = 0; i < count; i++) {
        double distance = fabs(counts[i] - middle);
        uint32_t at = i;
        for (; at > 0 && off[at - 1] > distance; at--)
            off[at] = off[at - 1];
        off[at] = distance;
    }
    return 1.4826 * median(off, count);
}

double baseline_tail(const struct daily_baseline *b, double count)
{
    if (b->known == 0)
        return 1;
    double counts[BASELINE_DAYS], sum = 0, squares = 0;
    const double n = sorted(b, counts);
    /* Where most days have nothing the deviation is zero: then what one day in five reaches is not cut. */
    double most = baseline_median(b) + 3 * baseline_deviation(b);
    double fifth = counts[(b->known - 1) * 4 / 5];
    if (most < fifth)
        most = fifth;
    for (uint32_t i = 0; i < b->known; i++) {
        double value = counts[i] < most ? counts[i] : most;
        sum += value;
        squares += value * value;
    }
    double shape = sum + 0.5, mean = shape / n;
    double variance = n > 1 ? (squares - sum * sum / n) / (n - 1) : mean;
    /* Scatter of the days beyond Poisson's, and of the mean itself: relative variances add. */
    double scatter = variance > mean ? (variance - mean) / (mean * mean) : 0;
    return negative_binomial_tail(mean, 1 / (scatter + 1 / shape), count);
}

/* Regularised lower incomplete gamma function P(a, x): series below a + 1, else Lentz' continued fraction of
 * its complement (DLMF 8.11.4, 8.9.2). */
double poisson_tail(double mean, double count)
{
    if (count <= 0)
        return 1;
    if (mean <= 0)
        return 0;
    const double a = count, x = mean;
    const double front = exp(a * log(x) - x - log_gamma(a));
    if (x < a + 1) {
        double term = 1 / a, sum = term;
        for (double n = a + 1; term > sum * 1e-16; n++) {
            term *= x / n;
            sum += term;
        }
        return front * sum;
    }
    double b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
    for (int i = 1; i < 10000; i++) {
        double an = -i * (i - a);
        b += 2;
        d = 1 / (an * d + b);
        c = b + an / c;
        double step = d * c;
        h *= step;
        if (fabs(step - 1) < 1e-15)
            break;
    }
    return 1 - front * h;
}

/* Continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz' method. */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double h = d;
    for (int m = 1; m < 100000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        d = 1 + even * d;
        c = 1 + even / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        h *= d * c;
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 + odd * d;
        c = 1 + odd / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        double step = d * c;
        h *= step;
        if (fabs(step - 1) < 1e-15)
            break;
    }
    return h;
}

/* I_x(a, b), regularised. */
static double incomplete_beta(double a, double b, double x)
{
    if (x <= 0)
        return 0;
    if (x >= 1)
        return 1;
    double front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double negative_binomial_tail(double mean, double size, double count)
{
    if (count <= 0)
        return 1;
    if (mean <= 0)
        return 0;
    /* As good as Poisson's, and where the difference of logarithms of gamma would lose its digits. */
    if (size > 1e7)
        return poisson_tail(mean, count);
    return incomplete_beta(count, size, mean / (mean + size));
}

/* -- surprise ------------------------------------------------------------------------------------ */

double surprise(double probability)
{
    if (probability >= 1)
        return 0;
    return probability > 0 ? -log2(probability) : 1074; /* of the smallest number there is */
}

double probability_of(double bits)
{
    return bits > 0 ? exp2(-bits) : 1;
}

double predictive(double seen, double total, double kinds, double discount, double concentration, double base)
{
    double own = seen > discount ? seen - discount : 0;
    return (own + (concentration + discount * kinds) * base) / (total + concentration);
}

/* The tail of chi-squared with 2n degrees of freedom at 2x is e^-x times the sum of x^i / i! below n; in
 * logarithms, as x may be thousands. */
double surprise_combine(const double *bits, uint32_t count)
{
    double x = 0;
    for (uint32_t i = 0; i < count; i++)
        x += bits[i] > 0 ? bits[i] * LN2 : 0;
    if (count == 0 || x <= 0)
        return 0;
    /* The sum relative to its last term, which is the largest when x is large. */
    double term = 1, sum = 1;
    for (uint32_t i = count - 1; i > 0; i--) {
        term *= i / x;
        sum += term;
    }
    double logarithm = -x + (count - 1) * log(x) - log_gamma(count) + log(sum);
    return logarithm < 0 ? -logarithm / LN2 : 0;
}
