/* SPDX-License-Identifier: Apache-2.0
 *
 * The outputs of the configuration file.
 */
#include "base/log.h"
#include "base/secret.h"
#include "center/notify.h"

#include <stdio.h>

static enum severity least_of(const struct config *config, const char *key)
{
    enum severity severity = SEVERITY_INFORMATIONAL;
    const char *name = config_string(config, key);
    if (name)
        severity_by_name(name, &severity);
    return severity;
}

/* An output's name: its URL without what is behind the host, so that it may be shown. */
static void name_of(const char *url, char name[NOTIFY_NAME_MAX])
{
    const char *host = strstr(url, "://");
    size_t size = host ? (size_t)(host - url) + 3 + strcspn(host + 3, "/?") : strlen(url);
    snprintf(name, NOTIFY_NAME_MAX, "%.*s", (int)(size < NOTIFY_NAME_MAX ? size : NOTIFY_NAME_MAX - 1), url);
}

/* A fault, with the key that it is about. */
static bool about(const char *key, bool fine, struct fault *fault)
{
    struct fault what = *fault;
    return fine || fault_say(fault, "%s: %.*s", key, (int)(sizeof(what.text) - 40), what.text);
}

static bool add_syslog(struct notifier *notifier, const struct config *config, size_t index,
                       struct fault *fault)
{
    char name[NOTIFY_NAME_MAX];
    struct notify_output output;
    struct notify_syslog_config syslog = {
        .url = config_string_at(config, "notify/syslog", index),
        .ca = config_string(config, "notify/syslog-ca"),
        .certificate = config_string(config, "notify/syslog-certificate"),
        .key = config_string(config, "notify/syslog-key"),
    };
    name_of(syslog.url, name);
    if (!syslog.certificate != !syslog.key)
        return fault_say(fault, "notify/syslog-certificate and notify/syslog-key belong together");
    return notify_syslog_new(notifier_common(notifier), &syslog, &output, fault) &&
           notifier_add(notifier, name, output, least_of(config, "notify/severity"), fault);
}

static bool add_mail(struct notifier *notifier, const struct config *config, struct fault *fault)
{
    char name[NOTIFY_NAME_MAX];
    struct notify_output output;
    struct notify_mail_config mail = {
        .url = config_string(config, "notify/mail-server"),
        .ca = config_string(config, "notify/mail-ca"),
        .user = config_string(config, "notify/mail-user"),
        .password_file = config_string(config, "notify/mail-password"),
        .from = config_string(config, "notify/mail-from"),
        .plain = config_bool(config, "notify/mail-plain"),
    };
    if (!mail.url)
        return true;
    if (config_count(config, "notify/mail-to") > NOTIFY_TO_MAX)
        return fault_say(fault, "at most %u receivers", NOTIFY_TO_MAX);
    while (mail.to_count < config_count(config, "notify/mail-to")) {
        mail.to[mail.to_count] = config_string_at(config, "notify/mail-to", mail.to_count);
        mail.to_count++;
    }
    name_of(mail.url, name);
    return notify_mail_new(notifier_common(notifier), &mail, &output, fault) &&
           notifier_add(notifier, name, output, least_of(config, "notify/mail-severity"), fault);
}

static bool add_webhook(struct notifier *notifier, const struct config *config, size_t index,
                        struct fault *fault)
{
    char name[NOTIFY_NAME_MAX];
    struct notify_output output;
    struct notify_webhook_config webhook = {
        .url = config_string_at(config, "notify/webhook", index),
        .ca = config_string(config, "notify/webhook-ca"),
        .secret_file = config_string(config, "notify/webhook-secret"),
    };
    name_of(webhook.url, name);
    return notify_webhook_new(notifier_common(notifier), &webhook, &output, fault) &&
           notifier_add(notifier, name, output, least_of(config, "notify/severity"), fault);
}

static bool add_file(struct notifier *notifier, const struct config *config, struct fault *fault)
{
    struct notify_output output;
    const char *path = config_string(config, "notify/file");
    return !path || (notify_file_new(notifier_common(notifier), path, &output, fault) &&
                     notifier_add(notifier, path, output, SEVERITY_INFORMATIONAL, fault));
}

bool notifier_configure(struct notifier *notifier, const struct config *config, struct fault *fault)
{
    if (!notifier_set_portal(notifier, config_string(config, "notify/portal"), fault))
        return false;
    for (size_t i = 0; i < config_count(config, "notify/syslog"); i++)
        if (!about("notify/syslog", add_syslog(notifier, config, i, fault), fault))
            return false;
    for (size_t i = 0; i < config_count(config, "notify/webhook"); i++)
        if (!about("notify/webhook", add_webhook(notifier, config, i, fault), fault))
            return false;
    return about("notify/mail-server", add_mail(notifier, config, fault), fault) &&
           about("notify/file", add_file(notifier, config, fault), fault);
}

bool notifier_check(const struct config *config, struct fault *fault)
{
    static const char *const secrets[] = {"notify/mail-password", "notify/webhook-secret"};
    const struct notifier_config nowhere = {.store = ""};
    struct fault unreadable;
    struct notifier *notifier = notifier_new(&nowhere, fault);
    bool fine = notifier && notifier_configure(notifier, config, fault);
    for (size_t i = 0; fine && i < sizeof(secrets) / sizeof(*secrets); i++) {
        const char *path = config_string(config, secrets[i]);
        if (path && !secret_file_check(path, &unreadable))
            log_warning("%s: %s", secrets[i], unreadable.text);
    }
    notifier_destroy(&notifier);
    return fine;
}
