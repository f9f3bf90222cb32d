/* SPDX-License-Identifier: Apache-2.0
 *
 * Small statistics for states (center/state_table.h): plain data of a fixed size, without pointers, all zero
 * when empty; and the probabilities that are worked out of them. Times are those of the activities, ns since
 * 1970; they need not come in order. Pure. docs/learning.md tells which detector uses what, and why.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATISTICS_SECOND INT64_C(1000000000)
#define STATISTICS_HOUR   (3600 * STATISTICS_SECOND)
#define STATISTICS_DAY    (24 * STATISTICS_HOUR)

/* -- counts that fade ----------------------------------------------------------------------------
 *
 * Exponential decay with a half-life, by forward decay (Cormode, Shkapenyuk, Srivastava, Xu: "Forward decay:
 * a practical time decay model for streaming systems", ICDE 2009): the order in which things are added does
 * not matter. At a steady rate r the value comes to r * half_life / ln 2. Relative error: 2^-24 for each
 * addition; an addition of 1 is lost above 2^24. Times are kept in whole seconds. */
struct decayed_count {
    float value;      /* as of `at` */
    uint32_t seconds; /* since 1970, of the newest addition */
};

/* What of one thing is left after that time: 2^(-age / half_life); 1 for an age below zero. */
double decay(int64_t age, int64_t half_life);
/* Adds, and gives the value at `now` (or at the newest addition, if that is later). */
double decayed_add(struct decayed_count *count, int64_t now, int64_t half_life, double amount);
double decayed_value(const struct decayed_count *count, int64_t now, int64_t half_life);

/* -- how many different ones ---------------------------------------------------------------------
 *
 * Exact up to 16 (but for two of them with the same 32 bits of hash: below 3e-8), then HyperLogLog with 64
 * registers, with linear counting for small numbers (Flajolet, Fusy, Gandouet, Meunier: "HyperLogLog", AofA
 * 2007): standard error 1.04 / sqrt(64) = 13 %, up to about 15 % between 16 and 160. Counts up to 2^31.
 * Nothing can be taken out. */
#define DISTINCT_EXACT     16u
#define DISTINCT_REGISTERS 64u
struct distinct_count {
    uint32_t count; /* while exact; DISTINCT_EXACT + 1: it is a sketch */
    union {
        uint32_t few[DISTINCT_EXACT];
        uint8_t registers[DISTINCT_REGISTERS];
    };
};

/* `item`: any number that stands for it; it is hashed here. True when it is new for sure (exact), or when the
 * sketch changed: false then may also be a new one. */
bool distinct_add(struct distinct_count *d, uint64_t item);
uint32_t distinct_value(const struct distinct_count *d);
/* Of both. */
void distinct_merge(struct distinct_count *to, const struct distinct_count *from);

/* The different ones of a sliding time: two panes of its width. What is counted is at least that of the last
 * `width`, at most that of the last 2 * `width`. */
struct distinct_window {
    int64_t start; /* of the newer pane */
    struct distinct_count panes[2];
};
/* Adds and gives how many; what is older than both panes only counts. */
uint32_t distinct_window_add(struct distinct_window *w, uint64_t item, int64_t now, int64_t width);
uint32_t distinct_window_value(const struct distinct_window *w, int64_t now, int64_t width);

/* How often in a sliding time, likewise; never less than it was in the last `width`. Saturates. */
struct count_window {
    int64_t start;
    uint32_t panes[2];
};
uint32_t count_window_add(struct count_window *w, uint32_t amount, int64_t now, int64_t width);
uint32_t count_window_value(const struct count_window *w, int64_t now, int64_t width);

/* -- the most frequent ones ----------------------------------------------------------------------
 *
 * Space-Saving (Metwally, Agrawal, El Abbadi: "Efficient computation of frequent and top-k elements in data
 * streams", ICDT 2005) with forward decay (Cormode, Korn, Tirthapura: "Exponentially decayed aggregates on
 * data streams", ICDE 2008): of all that was added with decayed sum N, each item of more than N / size is
 * there; `weight` is never below the true one and at most N / size above, `weight - error` never above it.
 * What faded below 1/1000 is dropped.
 *
 * The array of items belongs to the caller, so that each state chooses its size. */
struct top_item {
    uint32_t key; /* hash of what it is; 0: the place is free */
    float weight; /* as of `seconds` of the head */
    float error;  /* how much of it may be another's */
};
struct top_head {
    float total; /* of all that was added, decayed likewise */
    float kinds; /* how often something came that was not there: about how many different ones; decayed */
    uint32_t seconds; /* since 1970: what the weights are as of */
};

/* A key for any number that stands for a thing; never 0. */
uint32_t top_key(uint64_t item);
/* Adds; true when it was not there. */
bool top_add(struct top_head *head, struct top_item *items, uint32_t size, uint32_t key, int64_t now,
             int64_t half_life, double amount);
/* What it surely weighs, decayed to the newest addition; 0: not there. Compare with head->total. */
double top_weight(const struct top_item *items, uint32_t size, uint32_t key);
/* How many items there are. */
uint32_t top_count(const struct top_item *items, uint32_t size);

/* -- counts a day --------------------------------------------------------------------------------
 *
 * What is usual in a day, from up to 28 of them, and how unlikely a count is: robust against single days that
 * stick out, and as unsure as few days leave one. Days are those of UTC. */
#define BASELINE_DAYS 28u
struct daily_baseline {
    uint32_t day;   /* since 1970: that of `today`; 0: empty */
    uint32_t known; /* whole days before it, up to BASELINE_DAYS; days of nothing in between count */
    uint32_t today;
    uint16_t days[BASELINE_DAYS]; /* by day modulo; saturating */
};

/* Adds to the day of `now` and gives its count. What is from an earlier day is added to that, if it is known.
 */
uint32_t baseline_add(struct daily_baseline *b, int64_t now, uint32_t amount);
/* Of the whole days before. Median absolute deviation times 1.4826, which makes it the standard deviation of
 * what is normally distributed (Rousseeuw, Croux, "Alternatives to the median absolute deviation", JASA
 * 1993).
 */
double baseline_median(const struct daily_baseline *b);
double baseline_deviation(const struct daily_baseline *b);
/* How many of them had that many or more. */
uint32_t baseline_days_of(const struct daily_baseline *b, double count);
/* The probability of that many or more in a day: that of a negative binomial distribution whose mean and
 * variance are those of the days, cut at the median + 3 deviations (winsorised), and whose mean is itself
 * known only as well as so many days tell (gamma posterior with Jeffreys' prior: Gelman and others, "Bayesian
 * Data Analysis", 2.6). 1 while not one whole day is known. */
double baseline_tail(const struct daily_baseline *b, double count);

/* P(X >= count), relative error below 1e-9 where it is above 1e-300. */
double poisson_tail(double mean, double count);
/* The same, with variance mean + mean^2 / size. */
double negative_binomial_tail(double mean, double size, double count);

/* -- surprise ------------------------------------------------------------------------------------
 *
 * In bits: -log2 of a probability; 1 is a coin's toss, 10 one in a thousand. */
double surprise(double probability);
double probability_of(double bits);

/* The probability that the next one is x: of `total` seen before `seen` were x, and `kinds` were different.
 * By the predictive rule of the Pitman-Yor process, which falls back on `base`, the probability among peers,
 * the more the fewer were seen and the more of those were new ones (Teh: "A hierarchical Bayesian language
 * model based on Pitman-Yor processes", ACL 2006, of which interpolated Kneser-Ney is an approximation; for
 * log-ons: Heard, Rubin-Delanchy: "Network-wide anomaly detection via the Dirichlet process", ISI 2016; Sanna
 * Passino, Heard: "Modelling dynamic network evolution as a Pitman-Yor process", Foundations of Data Science
 * 2019). `discount` in [0, 1): 0 is the Dirichlet process; `concentration` > 0. Counts may be decayed. */
double predictive(double seen, double total, double kinds, double discount, double concentration,
                  double base);

/* Several surprises of one happening as one, in bits: Fisher's method (Fisher: "Statistical methods for
 * research workers", 4th edition 1932, 21.1): as improbable as the product of so many independent
 * probabilities. Of discrete ones, and of those that hang together a little, it is on the careful side. */
double surprise_combine(const double *bits, uint32_t count);
