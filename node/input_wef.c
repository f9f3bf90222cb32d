/* SPDX-License-Identifier: Apache-2.0 */
#include "node/input_wef.h"

#include "base/clock.h"
#include "base/log.h"
#include "cluster/disk.h"
#include "events/wef_listener.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define NOT_ANALYZED      1012u
#define NOT_ANALYZED_NAME "events_not_analyzed"

#define PATTERNS_MAX 256u
#define SAVED_NAME   "wef-bookmarks"
#define SAVED_MAGIC  "PKTWEF01"
#define SAVED_MAX    (128u << 20)

/* Lower-case copies, NULL at the end. */
struct patterns {
    char *of[PATTERNS_MAX + 1];
};

struct input {
    struct wef_listener *listener;
    struct patterns sources, forwarders;
    const char *state;
};

static bool wanted(const struct config *config)
{
    return config_count(config, "wef/http") > 0 || config_count(config, "wef/https") > 0;
}

static const char *path_of(const struct config *config, const char *key)
{
    return config_count(config, key) ? config_string(config, key) : NULL;
}

static bool check(const struct config *config, struct fault *fault)
{
    static const char *const lists[] = {"wef/sources", "wef/forwarders"};
    if (config_count(config, "wef/http") > WEF_ENDPOINTS_MAX ||
        config_count(config, "wef/https") > WEF_ENDPOINTS_MAX)
        return fault_say(fault, "wef/http, wef/https: %u at most", WEF_ENDPOINTS_MAX);
    for (size_t i = 0; i < 2; i++)
        if (config_count(config, lists[i]) > PATTERNS_MAX)
            return fault_say(fault, "%s: %u at most", lists[i], PATTERNS_MAX);
    if (config_count(config, "wef/http") && !path_of(config, "wef/keytab"))
        return fault_say(fault, "wef/http wants wef/keytab");
    if (config_count(config, "wef/https") &&
        (!path_of(config, "wef/certificate") || !path_of(config, "wef/key") ||
         !path_of(config, "wef/client-ca")))
        return fault_say(fault, "wef/https wants wef/certificate, wef/key and wef/client-ca");
    return true;
}

/* --- start and end --- */

static bool take_patterns(const struct config *config, const char *key, struct patterns *to)
{
    size_t count = config_count(config, key);
    for (size_t i = 0; i < count; i++) {
        to->of[i] = strdup(config_string_at(config, key, i));
        if (!to->of[i])
            return false;
        for (char *c = to->of[i]; *c; c++)
            *c = (char)tolower((unsigned char)*c);
    }
    return true;
}

static void free_patterns(struct patterns *patterns)
{
    for (size_t i = 0; patterns->of[i]; i++)
        free(patterns->of[i]);
}

static void input_free(struct input *self)
{
    free_patterns(&self->sources);
    free_patterns(&self->forwarders);
    free(self);
}

static bool save(void *context, struct bytes state)
{
    const struct input *self = context;
    struct fault fault;
    if (disk_replace_checked(disk_system(), self->state, SAVED_NAME, SAVED_MAGIC, state, &fault))
        return true;
    log_warning("event forwarding: the bookmarks of its sources are not kept: %s", fault.text);
    return false;
}

/* Without them events come twice, or, of sources that were off as well, not at all: no reason not to run. */
static void load(const struct input *self, struct disk_content *content)
{
    char path[4096];
    struct fault fault;
    if ((size_t)snprintf(path, sizeof(path), "%s/" SAVED_NAME, self->state) >= sizeof(path))
        return;
    if (disk_read_checked(disk_system(), path, SAVED_MAGIC, SAVED_MAX, content, &fault) == DISK_FAILED)
        log_warning("event forwarding: the bookmarks of its sources: %s", fault.text);
}

static void take_endpoints(const struct config *config, const char *key,
                           struct endpoint to[WEF_ENDPOINTS_MAX], unsigned *count)
{
    *count = (unsigned)config_count(config, key);
    for (unsigned i = 0; i < *count; i++)
        to[i] = config_endpoint_at(config, key, i);
}

static struct wef_listener *listen_as(struct input *self, const struct config *config, struct intake *intake,
                                      struct fault *fault)
{
    struct endpoint http[WEF_ENDPOINTS_MAX], https[WEF_ENDPOINTS_MAX];
    struct disk_content content = {0};
    struct wef_listener_config to = {
        .http = http,
        .https = https,
        .keytab = path_of(config, "wef/keytab"),
        .certificate = path_of(config, "wef/certificate"),
        .key = path_of(config, "wef/key"),
        .authorities = path_of(config, "wef/client-ca"),
        .revocations = path_of(config, "wef/client-crl"),
        .terms = {.heartbeat = (uint32_t)(config_int(config, "wef/heartbeat") / CLOCK_SECOND),
                  .latency = (uint32_t)(config_int(config, "wef/latency") / CLOCK_SECOND),
                  .existing = config_bool(config, "wef/existing")},
        .sources = (const char *const *)self->sources.of,
        .forwarders = (const char *const *)self->forwarders.of,
        .intake = intake,
        .save = save,
        .context = self,
    };
    take_endpoints(config, "wef/http", http, &to.http_count);
    take_endpoints(config, "wef/https", https, &to.https_count);
    if (getrandom(&to.seed, sizeof(to.seed), 0) != (ssize_t)sizeof(to.seed)) {
        fault_say(fault, "no random numbers");
        return NULL;
    }
    load(self, &content);
    to.saved = (struct bytes){.data = content.data, .size = content.size};
    struct wef_listener *listener = wef_listener_start(&to, fault);
    disk_content_free(&content);
    return listener;
}

static void *start(const struct config *config, struct intake *intake, struct fault *fault)
{
    struct input *self = calloc(1, sizeof(*self));
    if (!self) {
        fault_say(fault, "no memory");
        return NULL;
    }
    self->state = config_string(config, "node/state");
    if (take_patterns(config, "wef/sources", &self->sources) &&
        take_patterns(config, "wef/forwarders", &self->forwarders))
        self->listener = listen_as(self, config, intake, fault);
    else
        fault_say(fault, "no memory");
    if (self->listener)
        return self;
    input_free(self);
    return NULL;
}

static unsigned files(const struct config *config, const char **paths)
{
    static const char *const keys[] = {"wef/certificate", "wef/key", "wef/client-ca", "wef/client-crl",
                                       "wef/keytab"};
    unsigned count = 0;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (path_of(config, keys[i]))
            paths[count++] = path_of(config, keys[i]);
    return count;
}

static bool usable(const struct config *config, struct fault *fault)
{
    const struct wef_listener_config to = {
        .http_count = (unsigned)config_count(config, "wef/http"),
        .https_count = (unsigned)config_count(config, "wef/https"),
        .keytab = path_of(config, "wef/keytab"),
        .certificate = path_of(config, "wef/certificate"),
        .key = path_of(config, "wef/key"),
        .authorities = path_of(config, "wef/client-ca"),
        .revocations = path_of(config, "wef/client-crl"),
    };
    return wef_listener_check(&to, fault);
}

static void stop(void *input)
{
    struct input *self = input;
    wef_listener_stop(&self->listener);
    input_free(self);
}

/* --- how it is --- */

static void put_count(struct text *to, uint64_t count, const char *what)
{
    if (!count)
        return;
    text_string(to, "; ");
    text_uint(to, count);
    text_string(to, what);
}

static void describe(void *input, struct text *to)
{
    struct input *self = input;
    struct wef_status status;
    wef_listener_describe(self->listener, to);
    wef_listener_status(self->listener, &status);
    put_count(to, status.counts.foreign, " events of other computers than their source");
    put_count(to, status.counts.refused, " messages of sources that may not");
    put_count(to, status.refused, " requests without proof");
    put_count(to, status.not_kept, " messages not acknowledged");
}

static bool tell_trouble(void *input, struct input_trouble *trouble)
{
    struct input *self = input;
    struct wef_status status;
    struct wef_source source;
    wef_listener_status(self->listener, &status);
    if (!status.counts.silent)
        return false;
    trouble->number = NOT_ANALYZED;
    trouble->issue = NOT_ANALYZED_NAME;
    struct text t = text_to(trouble->text, sizeof(trouble->text));
    text_string(&t, "some forwarded events are not being analyzed: ");
    text_uint(&t, status.counts.silent);
    text_string(&t, status.counts.silent == 1 ? " source is silent: " : " sources are silent, of them ");
    uint32_t i = 0;
    while (wef_listener_source(self->listener, i++, &source, NULL, 0) && !source.silent)
        continue;
    char heard[CLOCK_RFC3339_MAX];
    text_put(&t, source.name, strnlen(source.name, 80));
    text_string(&t, " since ");
    text_string(&t, clock_rfc3339(source.heard, heard));
    text_end(&t);
    return true;
}

static bool tell_source(void *input, uint32_t i, struct input_source *to)
{
    struct input *self = input;
    struct wef_source source;
    if (!wef_listener_source(self->listener, i, &source, to->position, sizeof(to->position) - 1))
        return false;
    to->position[source.bookmark.size] = '\0';
    memcpy(to->name, source.name, sizeof(to->name));
    to->address = source.address;
    to->subscribed = source.subscribed;
    to->heard = source.heard;
    to->event = source.event;
    to->events = source.events;
    to->refused = source.foreign;
    to->silent = source.silent;
    to->ended = source.ended;
    return true;
}

static void kept(void *input, uint64_t tag)
{
    struct input *self = input;
    wef_listener_kept(self->listener, tag);
}

const struct event_input input_wef = {
    .name = "wef",
    .issue = NOT_ANALYZED,
    .issue_name = NOT_ANALYZED_NAME,
    .issue_text = "Windows events cannot be forwarded here",
    .wanted = wanted,
    .check = check,
    .start = start,
    .files = files,
    .usable = usable,
    .stop = stop,
    .describe = describe,
    .trouble = tell_trouble,
    .source = tell_source,
    .kept = kept,
};
