/* SPDX-License-Identifier: Apache-2.0
 *
 * The center's outputs and its API without the rest, for tests in Python: a store, the notifier and the API
 * as a configuration file says. Lines on standard input are obeyed, each is answered with one line:
 *
 *     raise POSITION KEY   raises an alert at that place of the log, of that key: what became of it
 *     count                sent, failed, refused, dropped by each output
 *     token ROLE           a token of all workspaces
 *
 * It begins with its endpoints, and ends with its input. Health issues go to standard error.
 *
 *     center_probe CONFIG DIRECTORY [RETRY_MS]
 */
#include "base/log.h"
#include "center/api.h"
#include "center/api_token.h"
#include "center/center_config.h"
#include "center/notify.h"
#include "center/store_nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct probe {
    char store[PATH_SIZE];
    struct config *config;
    struct notifier *notifier;
    struct api *api;
    struct alerts alerts;
};

static void hear_fault(void *context, const char *fault)
{
    (void)context;
    fprintf(stderr, "%s\n", fault);
}

static void hear_trouble(void *context, unsigned number, const char *object, const char *detail)
{
    (void)context;
    fprintf(stderr, "%u %s %s\n", number, object, detail ? detail : "over");
}

static bool write_status(void *context, uint64_t workspace, struct json_writer *w)
{
    (void)context;
    (void)workspace;
    json_write_string(w, "program", "center_probe");
    return true;
}

static bool start(struct probe *probe, const char *config, const char *directory, int64_t retry,
                  struct fault *fault)
{
    probe->config = config_load(&center_schema, config, hear_fault, NULL);
    if (!probe->config || !path_join(probe->store, directory, "store", fault))
        return false;
    probe->alerts = (struct alerts){.clock = clock_system(), .listener_count = 2};
    probe->alerts.store = store_open(probe->store, STORE_PIPELINE, fault);
    const struct notifier_config notify = {
        .store = probe->store, .trouble = hear_trouble, .first_retry = retry, .last_retry = 4 * retry};
    probe->notifier = probe->alerts.store ? notifier_new(&notify, fault) : NULL;
    if (!probe->notifier || !notifier_configure(probe->notifier, probe->config, fault) ||
        !notifier_start(probe->notifier, fault))
        return false;
    const struct api_config api = {.config = probe->config,
                                   .state = directory,
                                   .store = probe->store,
                                   .log = directory,
                                   .notifier = notifier_listener(probe->notifier),
                                   .sources = {.status = write_status}};
    struct stored_node node = {
        .id = {{1}}, .workspace = 1, .name = "dc1", .domains = "corp.example", .first = 1};
    clock_rfc3339_parse("2026-11-22T03:27:13Z", 20, &node.last);
    store_node_put(probe->alerts.store, &node);
    probe->api = api_start(&api, fault);
    if (!probe->api)
        return false;
    probe->alerts.listeners[0] = notifier_listener(probe->notifier);
    probe->alerts.listeners[1] = api_listener(probe->api);
    return true;
}

static void raise(struct probe *probe, unsigned long long position, unsigned long long key)
{
    static struct alert alert;
    struct fault fault;
    enum alert_trigger trigger;
    alert = (struct alert){.external_id = 2006,
                           .severity = SEVERITY_HIGH,
                           .key = {key, 1},
                           .start = clock_wall(clock_system()),
                           .count = 1,
                           .last = {position, 0}};
    alert.end = alert.start;
    memcpy(alert.id, &position, 8);
    memcpy(alert.id + 8, &key, 8);
    strcpy(alert.name, "DirectoryServicesReplicationSecurityAlert");
    snprintf(alert.explanation, sizeof(alert.explanation),
             "k\xc3\xa9rb\xe9ros=|\\ replicated the directory (%llu).\nIt is no domain controller.",
             position);
    alert_add_named(&alert, ALERT_ACCOUNT, SUBJECT_ACCOUNT,
                    (struct bytes){(const uint8_t *)"m\xc3\xbcller=1|2\\3", 13},
                    (struct bytes){(const uint8_t *)"corp.example", 12});
    alert_add_named(&alert, ALERT_SOURCE, SUBJECT_COMPUTER,
                    (struct bytes){(const uint8_t *)"WS1\r\nCEF:0|x", 12},
                    (struct bytes){(const uint8_t *)"corp.example", 12});
    alert_add_activity(&alert, alert.last, alert.start);
    if (alerts_raise(&probe->alerts, 1, &alert, &trigger, &fault))
        puts(alert_trigger_name(trigger));
    else
        printf("failed: %s\n", fault.text);
}

static void say_counts(struct probe *probe)
{
    struct notify_status status;
    for (unsigned i = 0; notifier_status(probe->notifier, i, &status); i++)
        printf("%s=%llu,%llu,%llu,%llu ", status.name, (unsigned long long)status.sent,
               (unsigned long long)status.failed, (unsigned long long)status.refused,
               (unsigned long long)status.dropped);
    puts("");
}

static void make_token(struct probe *probe, const char *role)
{
    struct stored_token token = {.created = clock_wall(clock_system()), .name = "probe"};
    char secret[API_TOKEN_TEXT];
    api_token_make(secret, token.hash);
    if (user_role_by_name(role, &token.role) && store_token_add(probe->alerts.store, &token))
        puts(secret);
    else
        puts("failed");
}

static void obey(struct probe *probe)
{
    char line[256], word[32];
    unsigned long long position, key;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (unsigned i = 0; api_endpoint(probe->api, i); i++)
        printf("%s ", api_endpoint(probe->api, i));
    puts("");
    while (fgets(line, sizeof(line), stdin)) {
        if (sscanf(line, "raise %llu %llu", &position, &key) == 2)
            raise(probe, position, key);
        else if (sscanf(line, "token %31s", word) == 1)
            make_token(probe, word);
        else
            say_counts(probe);
    }
}

int main(int argc, char **argv)
{
    struct probe probe = {.config = NULL};
    struct fault fault = {.text = "the configuration is wrong"};
    if (argc < 3 || !crypto_sodium_start())
        return 2;
    bool started = start(&probe, argv[1], argv[2], argc > 3 ? atoll(argv[3]) * CLOCK_MILLISECOND : 0, &fault);
    if (started)
        obey(&probe);
    else
        fprintf(stderr, "center_probe: %s\n", fault.text);
    api_stop(&probe.api);
    notifier_destroy(&probe.notifier);
    store_close(&probe.alerts.store);
    if (probe.config)
        config_destroy(&probe.config);
    return started ? 0 : 1;
}
