/* SPDX-License-Identifier: Apache-2.0
 *
 * Health issues of a program: what is wrong with Picket itself, by the published numbers, since when, and
 * what to do about it. One list for all parts; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum health_severity { HEALTH_LOW, HEALTH_MEDIUM, HEALTH_HIGH };

/* What there is. Numbers from 1100 on are Picket's own, for issues that were published without one. */
struct health_kind {
    unsigned number;
    enum health_severity severity; /* unless health_raise_as() says another */
    const char *word;              /* for programs */
    const char *name;              /* as published */
    const char *action;            /* what to do, a sentence */
};

/* NULL for an unknown number. */
const struct health_kind *health_kind(unsigned number);
/* All of them, in order; NULL past the last. */
const struct health_kind *health_kind_at(unsigned index);
const char *health_severity_name(enum health_severity severity); /* "low", "medium", "high" */

#define HEALTH_ISSUES_MAX   64u
#define HEALTH_SUBJECT_SIZE 128u
#define HEALTH_TEXT_SIZE    320u

struct health_issue {
    const struct health_kind *kind;
    enum health_severity severity;
    char subject[HEALTH_SUBJECT_SIZE]; /* what it is about: a domain, an input, "capture" */
    char text[HEALTH_TEXT_SIZE];       /* what is the case, a sentence */
    int64_t since;                     /* wall ns */
};

struct health;

/* NULL without memory. */
struct health *health_new(void);
void health_destroy(struct health **health);

/* Raises the issue about that subject, or gives a raised one a new text. The log hears of the first. More
 * than HEALTH_ISSUES_MAX are not kept; a number that is not in the table is 1100, something else. */
void health_raise(struct health *health, unsigned number, const char *subject, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same with another severity than the kind's: what gets worse without becoming something else. */
void health_raise_as(struct health *health, unsigned number, enum health_severity severity,
                     const char *subject, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Ends it; nothing happens when it is not raised. */
void health_clear(struct health *health, unsigned number, const char *subject);

/* For parts that are asked what is wrong with them: between the two, health_found() tells of each issue; one
 * that was found by the last round and is not by this one ends. By one thread. */
void health_round_begin(struct health *health);
void health_found(struct health *health, unsigned number, const char *subject, const char *text);
void health_round_end(struct health *health);

/* The i-th that is raised, oldest first; false past the last. */
bool health_at(struct health *health, unsigned i, struct health_issue *issue);
