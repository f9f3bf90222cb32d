/* SPDX-License-Identifier: Apache-2.0
 *
 * One place to which notices go: a syslog endpoint, a mail server, a webhook, a file. An output is used by
 * one thread, which it may block for as long as its time-outs say; the queue, repetition and patience are
 * center/notify.h's.
 */
#pragma once

#include "base/health.h"
#include "center/alerts.h"

#include <stdatomic.h>

/* What is told. */
struct notice {
    enum severity severity;
    const char *trigger; /* "new", "updated", ... */
    int64_t at;          /* wall clock: when it happened */
    uint64_t workspace;
    int64_t number;                   /* of the queue: the same when it is sent again */
    const struct stored_alert *alert; /* or NULL: */
    const struct health_issue *issue;
};

enum notify_result {
    NOTIFY_SENT,
    NOTIFY_FAILED,  /* later, perhaps */
    NOTIFY_REFUSED, /* the other side does not want this one; another may be fine */
};

struct notify_output {
    unsigned issue; /* health issue that is raised while it fails: 1014, 1015, 1111, 1112 */
    enum notify_result (*send)(void *self, const struct notice *notice, struct fault *fault);
    void (*destroy)(void *self);
    void *self;
};

#define NOTIFY_URL_MAX  512u
#define NOTIFY_NAME_MAX 256u
#define NOTIFY_TO_MAX   16u

/* What all outputs are told. Strings live as long as the output; NULL: not set. */
struct notify_common {
    const char *host;          /* this host's name */
    const char *portal;        /* for links */
    const atomic_bool *ending; /* whatever waits ends when it becomes true */
    int64_t timeout;           /* ns for one notice; 0: 30 s */
};

/* "udp://HOST[:514]", "tcp://HOST[:601]", "tls://HOST[:6514]", and behind a ? with & between:
 * format=rfc5424|rfc3164, framing=octets|lines (of tcp; TLS has octets, RFC 5425). */
struct notify_syslog_config {
    const char *url;
    const char *ca, *certificate, *key; /* PEM files; ca NULL: the system's */
};
bool notify_syslog_new(const struct notify_common *common, const struct notify_syslog_config *config,
                       struct notify_output *to, struct fault *fault);

/* "smtp://HOST[:25]" (with STARTTLS unless `plain`), "smtps://HOST[:465]". */
struct notify_mail_config {
    const char *url, *ca, *user, *password_file, *from;
    const char *to[NOTIFY_TO_MAX];
    unsigned to_count;
    bool plain;
};
bool notify_mail_new(const struct notify_common *common, const struct notify_mail_config *config,
                     struct notify_output *to, struct fault *fault);

/* "https://..."; http only to loopback. */
struct notify_webhook_config {
    const char *url, *ca, *secret_file;
};
bool notify_webhook_new(const struct notify_common *common, const struct notify_webhook_config *config,
                        struct notify_output *to, struct fault *fault);

/* One JSON object a line, appended. */
bool notify_file_new(const struct notify_common *common, const char *path, struct notify_output *to,
                     struct fault *fault);

/* -- what they share ------------------------------------------------------------------------------------- */

/* The notice as one JSON object without a newline, cut at the capacity; the length of the whole. */
#define NOTICE_JSON_MAX (ALERT_JSON_MAX + 2048u)
size_t notice_json(const struct notice *notice, char *to, size_t capacity);
/* The notice in CEF (center/cef.h). */
size_t notice_cef(const struct notice *notice, const char *portal, char *to);
/* Its alert's or issue's name, for programs. */
const char *notice_type(const struct notice *notice);
/* A title for people. */
const char *notice_title(const struct notice *notice);
