/* SPDX-License-Identifier: Apache-2.0 */
#include "base/health.h"

#include "base/clock.h"
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct health_kind kinds[] = {
    {1001, HEALTH_HIGH, "disk_space", "Center running out of disk space",
     "Make room on the disk of center/state, or let less be kept."},
    {1003, HEALTH_HIGH, "center_overloaded", "Center overloaded",
     "Give the center more CPU or faster disks, or switch detections off that are not wanted."},
    {1004, HEALTH_MEDIUM, "certificate_expires", "Center certificate about to expire, or expired",
     "Renew the certificate; where it is the API's, restart picket-center then, which also makes one of its "
     "own anew."},
    {1005, HEALTH_HIGH, "database_down", "Center database disconnected",
     "See that the disk of center/state works and has room; the log says what the database said."},
    {1007, HEALTH_LOW, "no_synchronizer", "Domain synchronizer not assigned",
     "picket why DOMAIN says what is missing: a candidate that runs and reaches the domain's directory."},
    {1008, HEALTH_MEDIUM, "adapters_unavailable", "Some of the capture network adapters are not available",
     "Switch the interface on, or take it out of capture/interfaces."},
    {1010, HEALTH_MEDIUM, "directory_unreachable", "Some domain controllers are unreachable by a sensor",
     "See that this host reaches the domain controllers' LDAP port: picket directory check DOMAIN."},
    {1011, HEALTH_MEDIUM, "not_delivered", "Sensor stopped communicating",
     "See that this host reaches the center, and that the center is well; what waits is kept."},
    {1012, HEALTH_MEDIUM, "events_not_analyzed", "Some forwarded events are not being analyzed",
     "Look at what could not be read (the quarantine), and forward only the events that the documentation "
     "names."},
    {1013, HEALTH_MEDIUM, "traffic_not_analyzed", "Some network traffic is not being analyzed",
     "Give this host more CPU or memory, move other work away, or capture less: capture/controllers, "
     "capture/ports. picket quota says what is missing."},
    {1014, HEALTH_LOW, "mail_not_sent", "Failure sending mail",
     "See that the center reaches the mail server, and that the server takes its mail; what waits is kept."},
    {1015, HEALTH_LOW, "syslog_not_sent", "Failure connecting to the SIEM server using syslog",
     "See that the center reaches the syslog server, and its certificate; what waits is kept."},
    {1018, HEALTH_HIGH, "input_failed", "Sensor service failed to start", "The log says why."},
    {1020, HEALTH_MEDIUM, "radius_not_processed", "Sensor is not processing RADIUS events",
     "See what else listens on the RADIUS port, and the shared secrets."},
    {1021, HEALTH_MEDIUM, "syslog_not_processed", "Sensor is not processing syslog events",
     "See what else listens on the syslog port, and the certificate of TLS."},
    {1101, HEALTH_MEDIUM, "accounts_refused", "Directory services user credentials are incorrect",
     "Renew the keytab or the password of directory/accounts; it is tried again when the file changes."},
    {1102, HEALTH_LOW, "no_replication_right", "Directory services user may not replicate directory changes",
     "Grant the account \"Replicating Directory Changes\": picket directory check says how."},
    {1103, HEALTH_LOW, "deletions_unseen", "Deleted objects may not be read",
     "Grant the account the right to list Deleted Objects: picket directory check says how."},
    {1104, HEALTH_MEDIUM, "directory_refuses", "The directory refuses what is asked",
     "picket directory check DOMAIN says what the account may not do."},
    {1105, HEALTH_LOW, "directory_too_large", "Something of the directory is beyond Picket's bounds",
     "The log names it; it is not replicated."},
    {1106, HEALTH_HIGH, "entity_store_full", "The store of entities or the spool is full",
     "Make room on the disk of node/state, or raise directory/store-size or spool/size."},
    {1107, HEALTH_LOW, "name_resolution_fails", "Low success rate of active name resolution",
     "Open the ports of the methods from this host to the computers, or switch the methods off."},
    {1108, HEALTH_LOW, "radius_refused", "RADIUS accounting ingestion failures",
     "Set the same shared secret on the VPN server and here."},
    {1109, HEALTH_MEDIUM, "event_logs_not_processed", "Event log files are not being processed",
     "See that the node may read the folder event-logs/folder and what is in it."},
    {1110, HEALTH_MEDIUM, "samba_log_not_read", "Samba's audit log is not being read",
     "See that the node may read the files of samba/logs, and that smb.conf writes them."},
    {1111, HEALTH_LOW, "webhook_not_sent", "Failure sending to a webhook",
     "See that the center reaches the address, and that it answers 2xx; what waits is kept."},
    {1112, HEALTH_LOW, "file_not_written", "Failed to write to custom log path",
     "See that the center may write the file, and that its disk has room."},
    {1113, HEALTH_MEDIUM, "certificate_not_taken", "Center certificate cannot be replaced",
     "Put a certificate and its key into the files of api/certificate and api/key, then reload the center."},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Of a number that is not in the table. */
static const struct health_kind other = {1100, HEALTH_MEDIUM, "other", "Something is wrong",
                                         "The log says more."};

struct entry {
    struct health_issue issue;
    bool asked; /* told of by a round, and ended by one */
    bool found; /* by this round */
};

struct health {
    pthread_mutex_t lock;
    unsigned count;
    struct entry entries[HEALTH_ISSUES_MAX]; /* oldest first */
};

const struct health_kind *health_kind(unsigned number)
{
    for (size_t i = 0; i < KINDS; i++)
        if (kinds[i].number == number)
            return &kinds[i];
    return NULL;
}

const struct health_kind *health_kind_at(unsigned index)
{
    return index < KINDS ? &kinds[index] : NULL;
}

const char *health_severity_name(enum health_severity severity)
{
    static const char *const names[] = {"low", "medium", "high"};
    return names[severity];
}

struct health *health_new(void)
{
    struct health *health = calloc(1, sizeof(*health));
    if (health)
        pthread_mutex_init(&health->lock, NULL);
    return health;
}

void health_destroy(struct health **health)
{
    if (!*health)
        return;
    pthread_mutex_destroy(&(*health)->lock);
    free(*health);
    *health = NULL;
}

static struct entry *find(struct health *health, const struct health_kind *kind, const char *subject)
{
    for (unsigned i = 0; i < health->count; i++) {
        struct entry *entry = &health->entries[i];
        if (entry->issue.kind == kind && strncmp(entry->issue.subject, subject, HEALTH_SUBJECT_SIZE - 1) == 0)
            return entry;
    }
    return NULL;
}

/* NULL when there are too many. `fresh`: it was not raised before. */
static struct entry *raise_entry(struct health *health, const struct health_kind *kind,
                                 enum health_severity severity, const char *subject, const char *text,
                                 bool *fresh)
{
    struct entry *entry = find(health, kind, subject);
    *fresh = entry == NULL && health->count < HEALTH_ISSUES_MAX;
    if (!entry) {
        if (!*fresh)
            return NULL;
        entry = &health->entries[health->count++];
        *entry = (struct entry){.issue = {.kind = kind, .since = clock_wall(clock_system())}};
        snprintf(entry->issue.subject, sizeof(entry->issue.subject), "%s", subject);
    }
    *fresh = *fresh || severity > entry->issue.severity; /* worse than it was: heard of again */
    entry->issue.severity = severity;
    snprintf(entry->issue.text, sizeof(entry->issue.text), "%s", text);
    return entry;
}

static void remove_entry(struct health *health, struct entry *entry)
{
    log_notice("health: %u (%s) ends: %s", entry->issue.kind->number, entry->issue.kind->name,
               entry->issue.subject);
    size_t rest = (size_t)(&health->entries[health->count] - entry - 1);
    memmove(entry, entry + 1, rest * sizeof(*entry));
    health->count--;
}

static void log_raised(const struct health_kind *kind, const char *subject, const char *text)
{
    log_warning("health: %u (%s): %s: %s", kind->number, kind->name, subject, text);
}

static const struct health_kind *kind_or_other(unsigned number)
{
    const struct health_kind *kind = health_kind(number);
    return kind ? kind : &other;
}

static void raise_text(struct health *health, const struct health_kind *kind, enum health_severity severity,
                       const char *subject, const char *text)
{
    bool fresh;
    pthread_mutex_lock(&health->lock);
    raise_entry(health, kind, severity, subject, text, &fresh);
    pthread_mutex_unlock(&health->lock);
    if (fresh)
        log_raised(kind, subject, text);
}

void health_raise(struct health *health, unsigned number, const char *subject, const char *format, ...)
{
    const struct health_kind *kind = kind_or_other(number);
    char text[HEALTH_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    raise_text(health, kind, kind->severity, subject, text);
}

void health_raise_as(struct health *health, unsigned number, enum health_severity severity,
                     const char *subject, const char *format, ...)
{
    char text[HEALTH_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    raise_text(health, kind_or_other(number), severity, subject, text);
}

void health_clear(struct health *health, unsigned number, const char *subject)
{
    pthread_mutex_lock(&health->lock);
    struct entry *entry = find(health, kind_or_other(number), subject);
    if (entry)
        remove_entry(health, entry);
    pthread_mutex_unlock(&health->lock);
}

void health_round_begin(struct health *health)
{
    pthread_mutex_lock(&health->lock);
    for (unsigned i = 0; i < health->count; i++)
        health->entries[i].found = false;
    pthread_mutex_unlock(&health->lock);
}

void health_found(struct health *health, unsigned number, const char *subject, const char *text)
{
    const struct health_kind *kind = kind_or_other(number);
    bool fresh;
    pthread_mutex_lock(&health->lock);
    struct entry *entry = raise_entry(health, kind, kind->severity, subject, text, &fresh);
    if (entry)
        entry->asked = entry->found = true;
    pthread_mutex_unlock(&health->lock);
    if (fresh)
        log_raised(kind, subject, text);
}

void health_round_end(struct health *health)
{
    pthread_mutex_lock(&health->lock);
    for (unsigned i = health->count; i-- > 0;)
        if (health->entries[i].asked && !health->entries[i].found)
            remove_entry(health, &health->entries[i]);
    pthread_mutex_unlock(&health->lock);
}

bool health_at(struct health *health, unsigned i, struct health_issue *issue)
{
    pthread_mutex_lock(&health->lock);
    bool there = i < health->count;
    if (there)
        *issue = health->entries[i].issue;
    pthread_mutex_unlock(&health->lock);
    return there;
}
