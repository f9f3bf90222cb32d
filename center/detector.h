/* SPDX-License-Identifier: Apache-2.0
 *
 * What a detector is. Each is one file in center/detectors/, defines one `const struct detector`, and stands
 * in the table of center/detectors.def; docs/detections.md is made from it and compared with it by a test.
 *
 * A detector is a pure function of the activities it gets and of what it remembers in its tables: time is
 * that of the activities, so a replay raises the same alerts. It is asked for the key of each activity of its
 * kinds; activities of one key come to one shard in order, and all that the detector remembers about an
 * activity hangs on that key.
 */
#pragma once

#include "center/alert.h"
#include "center/directory_view.h"
#include "center/observation.h"
#include "center/profile.h"
#include "center/state_table.h"

#define DETECTOR_TABLES_MAX 4u
#define DETECTOR_KINDS_MAX  24u

/* A threshold or other number that people may set, per workspace. The three are its defaults by sensitivity.
 */
struct detector_setting {
    const char *name; /* "attempts" */
    const char *unit; /* "" or "s", "%", ... */
    double low, medium, high;
    double least, most;
    const char *doc; /* what it means, one sentence */
};

struct detection; /* one activity in one detector: what follows below */

struct detector {
    uint32_t external_id;
    const char *name;  /* as published, in CEF: "AccountEnumerationSecurityAlert" */
    const char *title; /* for people: "Reconnaissance using account enumeration" */
    const char *word;  /* unique: the file's name; its state is kept under it */
    enum severity severity;
    const char *mitre;  /* "T1087.002" */
    int64_t learning;   /* ns of activities that it learns from before it raises anything; 0: none */
    const char *doc;    /* what it is computed from, what it compares, and where that is from; a paragraph */
    const char *advice; /* what to do; a sentence or two */
    const struct detector_setting *settings; /* ended by one without a name; NULL: none */
    const struct state_form *tables;         /* likewise */
    const enum activity_kind *kinds;         /* which it gets; ended by ACTIVITY_NONE */
    /* By what to count; none: this activity is of no interest. */
    struct subject (*key)(const struct detection *d, const struct observation *o);
    void (*observe)(struct detection *d, const struct observation *o);
};

/* Ended by NULL. */
extern const struct detector *const detectors[];
const struct detector *detector_by_word(const char *word);
/* docs/detections.md, whole, to a stdio stream (a `FILE *`). */
void detectors_print_reference(void *stream);

/* -- what a detector may use, in its functions only -------------------------------------------------------
 */

struct subject_seed detection_seed(const struct detection *d);
/* The setting at that index of its table, as this workspace has it. */
double detection_setting(const struct detection *d, unsigned index);
/* Still learning: raise nothing. True until activities were seen for as long as it learns. */
bool detection_learning(const struct detection *d);
/* The same of a period of its own that began at `since`, as one source's: never while learning counts as
 * over. */
bool detection_learning_since(const struct detection *d, int64_t since, int64_t period);
/* The key that it was asked for. */
struct subject detection_key(const struct detection *d);

/* Its tables, by index. As state_table_use and state_table_look, at the activity's time. */
void *detection_use(struct detection *d, unsigned table, struct subject key, bool *added);
const void *detection_look(const struct detection *d, unsigned table, struct subject key);
void detection_forget(struct detection *d, unsigned table, struct subject key);

/* The directory: false, KNOWN_NOT when it cannot be said. */
bool detection_facts(const struct detection *d, const struct party *party, struct facts *to);
/* Whether all of these are known to be so; false when nothing is known. */
bool detection_is(const struct detection *d, const struct party *party, uint32_t facts);
enum known detection_account_known(const struct detection *d, struct bytes name, struct bytes domain);
const struct directory_view *detection_directory(const struct detection *d);

/* What was habit before this activity (center/profile.h); what it shows of its account's habits is
 * profiler_sight. */
const struct profiler *detection_profiler(const struct detection *d);
/* Of somebody in it; NULL: not known. */
const struct profile *detection_profile(const struct detection *d, const struct party *party);

/* A new alert about this activity, with its source, account, destination and the activity itself in it
 * already; repeats with the same key are merged. Fill it in and call detection_raise; one at a time. */
struct alert *detection_alert(struct detection *d, const struct observation *o, struct subject key);
/* The same, but without parties. */
struct alert *detection_bare_alert(struct detection *d, const struct observation *o, struct subject key);
/* Hands it on, unless the detector still learns, or it is excluded in this workspace. */
void detection_raise(struct detection *d);
