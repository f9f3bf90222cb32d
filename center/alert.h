/* SPDX-License-Identifier: Apache-2.0
 *
 * The alert: a suspicious activity that explains itself. Made by a detector (`struct alert_draft` is what it
 * fills in), merged into the open one of the same subjects (center/alerts.h), stored, shown and sent. Bounded
 * and without pointers. One msgpack codec, one JSON rendering; docs/alerts.md lists the fields. Pure.
 */
#pragma once

#include "base/cursor.h"
#include "base/msgpack.h"
#include "center/observation.h"

#define ALERT_PARTIES_MAX    32u
#define ALERT_EVIDENCE_MAX   24u
#define ALERT_ACTIVITIES_MAX 32u
#define ALERT_NAME_MAX       128u
#define ALERT_TEXT_MAX       256u
#define ALERT_BYTES_MAX      (48u * 1024u) /* encoded */

enum severity { SEVERITY_INFORMATIONAL, SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH, SEVERITIES };
const char *severity_name(enum severity severity);
bool severity_by_name(const char *name, enum severity *severity);

enum alert_role {
    ALERT_SOURCE,      /* from where */
    ALERT_ACCOUNT,     /* who */
    ALERT_DESTINATION, /* to what */
    ALERT_TARGET,      /* which object, group or member */
    ALERT_RESOURCE,    /* which service, share, zone */
    ALERT_ROLES
};
const char *alert_role_name(enum alert_role role);

struct alert_party {
    enum alert_role role;
    enum subject_kind kind;
    struct subject subject;
    bool has_guid;
    uint8_t guid[16];
    struct ip_address address; /* family 0: none */
    uint8_t confidence;        /* percent: how sure the name is */
    char name[ALERT_NAME_MAX], domain[ALERT_NAME_MAX];
};

/* One thing that was counted, compared or seen. */
struct alert_evidence {
    char name[48]; /* "attempts": stable, for programs */
    enum evidence_type { EVIDENCE_NUMBER, EVIDENCE_TEXT, EVIDENCE_TIME, EVIDENCE_DURATION } type;
    double number;
    int64_t time;        /* ns: times and durations */
    bool compared;       /* with `limit` */
    double limit;        /* the threshold, or what was learned */
    char limit_name[48]; /* the setting's name, or "learned" */
    char text[ALERT_TEXT_MAX];
};

enum alert_status { ALERT_OPEN, ALERT_CLOSED, ALERT_SUPPRESSED, ALERT_DELETED, ALERT_STATUSES };
const char *alert_status_name(enum alert_status status);

struct alert {
    uint8_t id[16]; /* of (workspace, detector, key, place of the first activity): the same after a crash */
    uint32_t external_id;
    char name[64]; /* as published: "DirectoryServicesReplicationSuspiciousActivity" */
    enum severity severity;
    enum alert_status status;
    struct subject key;         /* repeats with the same key are merged while it is open */
    int64_t start, end;         /* ns since 1970, of the first and last activity */
    uint64_t count;             /* how often it was raised */
    struct activity_place last; /* the activity that raised it last */
    uint32_t party_count, evidence_count, activity_count;
    bool truncated; /* more parties, evidence or activities than there is room */
    struct alert_party parties[ALERT_PARTIES_MAX];
    struct alert_evidence evidence[ALERT_EVIDENCE_MAX];
    struct {
        struct activity_place place;
        int64_t time;
    } activities[ALERT_ACTIVITIES_MAX]; /* the first half: the first ones, then the last ones */
    char explanation[1024]; /* sentences for people: who did what, what was compared, what was learned */
};

/* Adds somebody, once in each role; nobody is left out. */
void alert_add_party(struct alert *alert, enum alert_role role, const struct party *party);
/* Somebody who is only named. */
void alert_add_named(struct alert *alert, enum alert_role role, enum subject_kind kind, struct bytes name,
                     struct bytes domain);
/* In the order of the log, wherever it belongs; of too many the first and the last ones are kept. */
void alert_add_activity(struct alert *alert, struct activity_place place, int64_t time);
/* Sets the evidence of that name, whether it is new or not. */
void alert_put_number(struct alert *alert, const char *name, double value);
/* ... compared with a limit, which `limit_name` names. */
void alert_put_compared(struct alert *alert, const char *name, double value, const char *limit_name,
                        double limit);
void alert_put_text(struct alert *alert, const char *name, struct bytes text);
void alert_put_string(struct alert *alert, const char *name, const char *text);
void alert_put_time(struct alert *alert, const char *name, int64_t time);
void alert_put_duration(struct alert *alert, const char *name, int64_t duration);
/* A sentence more. What comes from the wire is made harmless (text_display). */
void alert_explain(struct alert *alert, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The first party in a role; NULL: none. */
const struct alert_party *alert_party(const struct alert *alert, enum alert_role role);

void alert_encode(struct msgpack_writer *w, const struct alert *alert);
/* False when it is none; fields that are not known are skipped. */
bool alert_decode(struct cursor *c, struct alert *to);
/* One JSON object without a newline, cut (and terminated) at `capacity`; the length it has whole. */
size_t alert_to_json(const struct alert *alert, char *to, size_t capacity);
#define ALERT_JSON_MAX (128u * 1024u)
