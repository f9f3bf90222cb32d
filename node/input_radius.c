/* SPDX-License-Identifier: Apache-2.0
 *
 * The input `radius`: accounting records of VPN servers and access points (events/radius_listener.h).
 */
#include "node/input_radius.h"

#include "base/clock.h"
#include "events/radius_listener.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_FOR (10 * CLOCK_MINUTE) /* how long a failure is a health issue */

static bool wanted(const struct config *config)
{
    return config_count(config, "radius/clients") > 0;
}

/* PREFIX FILE. `client->secret` points into the text. */
static bool read_client(const char *text, struct radius_client_file *client)
{
    char prefix[RADIUS_CLIENT_TEXT];
    size_t size = strcspn(text, " \t");
    if (size >= sizeof(prefix))
        return false;
    memcpy(prefix, text, size);
    prefix[size] = '\0';
    client->secret = text + size + strspn(text + size, " \t");
    return client->secret[0] == '/' && ip_prefix_parse(prefix, &client->network, &client->bits);
}

static bool same_prefix(const struct radius_client_file *a, const struct radius_client_file *b)
{
    return a->bits == b->bits && ip_address_equal(&a->network, &b->network);
}

static bool check(const struct config *config, struct fault *fault)
{
    struct radius_client_file clients[RADIUS_CLIENTS_MAX];
    size_t count = config_count(config, "radius/clients");
    if (count > RADIUS_CLIENTS_MAX)
        return fault_say(fault, "radius/clients: %u at most", RADIUS_CLIENTS_MAX);
    if (config_count(config, "radius/listen") > RADIUS_LISTENERS_MAX)
        return fault_say(fault, "radius/listen: %u at most", RADIUS_LISTENERS_MAX);
    for (size_t i = 0; i < count; i++) {
        const char *text = config_string_at(config, "radius/clients", i);
        if (!read_client(text, &clients[i]))
            return fault_say(fault, "radius/clients: %s: PREFIX FILE is wanted", text);
        for (size_t k = 0; k < i; k++)
            if (same_prefix(&clients[i], &clients[k]))
                return fault_say(fault, "radius/clients: %s: stands there twice", text);
    }
    return true;
}

static void *start(const struct config *config, struct intake *intake, struct fault *fault)
{
    struct endpoint listen[RADIUS_LISTENERS_MAX];
    struct radius_client_file clients[RADIUS_CLIENTS_MAX];
    struct radius_listener_config to = {
        .listen = listen,
        .listen_count = (unsigned)config_count(config, "radius/listen"),
        .clients = clients,
        .client_count = (unsigned)config_count(config, "radius/clients"),
        .rate = (uint32_t)config_int(config, "radius/client-limit"),
        .intake = intake,
    };
    for (unsigned i = 0; i < to.listen_count; i++)
        listen[i] = config_endpoint_at(config, "radius/listen", i);
    for (unsigned i = 0; i < to.client_count; i++)
        read_client(config_string_at(config, "radius/clients", i), &clients[i]);
    return radius_listener_start(&to, fault);
}

static void stop(void *input)
{
    struct radius_listener *listener = input;
    radius_listener_stop(&listener);
}

/* What all clients have in common. */
struct totals {
    unsigned clients;
    uint64_t kept, not_kept, repeats, wrong_secret, limited;
    unsigned failing; /* clients */
    struct radius_client_status worst;
};

static void add_up(struct radius_listener *listener, struct totals *totals)
{
    struct radius_client_status client;
    int64_t since = clock_wall(clock_system()) - SHOWN_FOR;
    *totals = (struct totals){0};
    while (radius_listener_client(listener, totals->clients, &client)) {
        totals->clients++;
        totals->kept += client.kept;
        totals->not_kept += client.not_kept;
        totals->repeats += client.verdicts[RADIUS_REPEAT];
        totals->wrong_secret += client.verdicts[RADIUS_WRONG_SECRET];
        totals->limited += client.verdicts[RADIUS_LIMITED];
        if (client.wrong_secret < since && client.lost < since)
            continue;
        if (totals->failing++ == 0)
            totals->worst = client;
    }
}

static void put_count(struct text *to, const char *what, uint64_t count)
{
    if (!count)
        return;
    text_string(to, ", ");
    text_uint(to, count);
    text_string(to, what);
}

static void describe(void *input, struct text *to)
{
    struct radius_listener_status status;
    struct totals totals;
    radius_listener_status(input, &status);
    add_up(input, &totals);
    text_string(to, "udp port ");
    text_uint(to, status.port);
    put_count(to, totals.clients == 1 ? " client" : " clients", totals.clients);
    put_count(to, " kept", totals.kept);
    put_count(to, " waiting", status.waiting);
    put_count(to, " repeated", totals.repeats);
    put_count(to, " with a wrong secret", totals.wrong_secret);
    put_count(to, " over the limit", totals.limited);
    put_count(to, " from strangers", status.strangers);
    put_count(to, " not kept", totals.not_kept);
}

static bool tell_trouble(void *input, struct input_trouble *trouble)
{
    struct totals totals;
    struct text t = text_to(trouble->text, sizeof(trouble->text));
    int64_t since = clock_wall(clock_system()) - SHOWN_FOR;
    add_up(input, &totals);
    if (!totals.failing)
        return false;
    trouble->number = 1108;
    trouble->issue = "radius_ingestion_failures";
    text_string(&t, "RADIUS accounting ingestion failures: client ");
    text_string(&t, totals.worst.text);
    text_string(&t, totals.worst.wrong_secret >= since ? ": wrong shared secret"
                                                       : ": its records cannot be kept");
    if (totals.failing > 1) {
        text_string(&t, "; and ");
        text_uint(&t, totals.failing - 1);
        text_string(&t, " more");
    }
    text_end(&t);
    return true;
}

/* `events` are those that were kept; these say what became of the others. */
static void put_counts(struct input_source *to, const struct radius_client_status *client)
{
    const struct {
        const char *name;
        uint64_t count;
    } counts[] = {
        {"records", client->verdicts[RADIUS_RECORD]},
        {"not_kept", client->not_kept},
        {"repeated", client->verdicts[RADIUS_REPEAT] + client->verdicts[RADIUS_PENDING]},
        {"status", client->verdicts[RADIUS_STATUS]},
        {"wrong_secret", client->verdicts[RADIUS_WRONG_SECRET]},
        {"malformed", client->verdicts[RADIUS_MALFORMED]},
        {"unsupported", client->verdicts[RADIUS_UNSUPPORTED]},
        {"limited", client->verdicts[RADIUS_LIMITED]},
    };
    _Static_assert(sizeof(counts) / sizeof(counts[0]) <= INPUT_COUNTS_MAX, "raise INPUT_COUNTS_MAX");
    for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        to->counts[i].name = counts[i].name;
        to->counts[i].count = counts[i].count;
    }
    to->count_count = sizeof(counts) / sizeof(counts[0]);
}

/* Its clients. */
static bool tell_source(void *input, uint32_t i, struct input_source *to)
{
    struct radius_client_status client;
    if (!radius_listener_client(input, i, &client))
        return false;
    *to = (struct input_source){
        .heard = client.last > client.wrong_secret ? client.last : client.wrong_secret,
        .event = client.last,
        .events = client.kept,
        .refused = client.verdicts[RADIUS_WRONG_SECRET] + client.verdicts[RADIUS_MALFORMED] +
                   client.verdicts[RADIUS_UNSUPPORTED] + client.verdicts[RADIUS_LIMITED] + client.not_kept};
    snprintf(to->name, sizeof(to->name), "%s", client.text);
    put_counts(to, &client);
    return true;
}

static void kept(void *input, uint64_t tag)
{
    radius_listener_kept(input, tag);
}

const struct event_input input_radius = {
    .name = "radius",
    .issue = 1020,
    .issue_name = "radius_not_processed",
    .issue_text = "RADIUS accounting is not processed",
    .wanted = wanted,
    .check = check,
    .start = start,
    .stop = stop,
    .describe = describe,
    .trouble = tell_trouble,
    .source = tell_source,
    .kept = kept,
};
