/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to siem*.c: what the readers of the formats share.
 */
#pragma once

#include "base/arena.h"
#include "events/event.h"

/* One message on its way to an event. */
struct siem_job {
    struct bytes body;
    struct bytes data; /* structured data of the header */
    struct event *event;
    struct arena *arena; /* lives as long as the event */
    struct event_reader *events;
    bool local; /* times without a zone are this host's */
    int64_t now;
    const char *reason; /* why not: a constant */
};

enum siem_outcome { SIEM_READ, SIEM_NOT_WINDOWS, SIEM_BAD };

/* Says why not; always SIEM_BAD. */
enum siem_outcome siem_bad(struct siem_job *job, const char *reason);

enum siem_outcome siem_read_rsa(struct siem_job *job);
enum siem_outcome siem_read_cef(struct siem_job *job);
enum siem_outcome siem_read_splunk(struct siem_job *job);
enum siem_outcome siem_read_qradar(struct siem_job *job);
enum siem_outcome siem_read_leef(struct siem_job *job);
enum siem_outcome siem_read_snare(struct siem_job *job);
enum siem_outcome siem_read_data(struct siem_job *job);

/* --- fields --- */

/* Adds a field unless there is one of that name already; what there is no room for makes the event
 * truncated. Names and values are kept as views. */
void siem_put(struct siem_job *job, struct bytes name, struct bytes value);
void siem_put_named(struct siem_job *job, const char *name, struct bytes value); /* a constant */

/* The id, from its text; false: it is none. */
bool siem_put_id(struct siem_job *job, struct bytes text);
/* The event's time in whatever form; false: it is none. */
bool siem_put_time(struct siem_job *job, struct bytes text);
/* "Failure Audit", "Audit Failure", "Audit_failure", "/Failure", "16" (EventType): whether it failed. */
void siem_put_outcome(struct siem_job *job, struct bytes text);

/* The rendered message of the event whose id stands in the job: its values, by their labels in English, or by
 * their positions in any other language where lines are still lines, become fields. */
void siem_put_rendered(struct siem_job *job, struct bytes text);
/* One of its values, by its label as in rawEvent of ArcSight: "Subject:Account Name". False: not known. */
bool siem_put_label(struct siem_job *job, struct bytes label, struct bytes value);

/* --- bytes --- */

struct bytes siem_text(const char *text);
struct bytes siem_trim(struct bytes text);
struct bytes siem_from(struct bytes text, size_t n);     /* without its first n */
struct bytes siem_first(struct bytes text, size_t n);    /* its first n */
bool siem_is(struct bytes text, const char *other);      /* equal, but for case */
bool siem_begins(struct bytes text, const char *with);   /* exactly */
bool siem_has(struct bytes text, const char *what);      /* somewhere */
bool siem_is_number(struct bytes text, uint64_t *value); /* decimal, and nothing else */
/* The piece up to the first such byte, which is passed over; all of it when there is none. */
struct bytes siem_take(struct bytes *text, char until);
/* A copy with the escapes of two characters replaced: each of `escaped` behind a backslash by that of
 * `plain` in its place; the text itself when there are none. Without room the text as it is. */
struct bytes siem_unescape(struct siem_job *job, struct bytes text, const char *escaped, const char *plain);
