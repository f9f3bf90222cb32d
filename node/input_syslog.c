/* SPDX-License-Identifier: Apache-2.0 */
#include "node/input_syslog.h"

#include "events/syslog_listener.h"

static const char *path_of(const struct config *config, const char *key)
{
    return config_count(config, key) ? config_string(config, key) : NULL;
}

static bool is_wanted(const struct config *config)
{
    return config_count(config, "syslog/listen") > 0;
}

static bool take_addresses(const struct config *config, struct syslog_listener_config *to,
                           struct fault *fault)
{
    size_t n = config_count(config, "syslog/listen");
    if (n > SYSLOG_ADDRESSES_MAX)
        return fault_say(fault, "syslog/listen: %u at most", SYSLOG_ADDRESSES_MAX);
    for (size_t i = 0; i < n; i++) {
        const char *text = config_string_at(config, "syslog/listen", i);
        if (!syslog_address_parse(text, &to->addresses[to->address_count++]))
            return fault_say(
                fault,
                "syslog/listen: %s: udp:ADDRESS:PORT is wanted, or tcp: or tls:, an IPv6 address "
                "in brackets",
                text);
    }
    return true;
}

static bool take_senders(const struct config *config, struct syslog_listener_config *to, struct fault *fault)
{
    size_t n = config_count(config, "syslog/allow");
    if (n > SENDERS_MAX)
        return fault_say(fault, "syslog/allow: %u at most", SENDERS_MAX);
    for (size_t i = 0; i < n; i++) {
        const char *text = config_string_at(config, "syslog/allow", i);
        if (!sender_parse(text, &to->allow.of[to->allow.count++]))
            return fault_say(fault, "syslog/allow: %s: an address or ADDRESS/BITS is wanted", text);
    }
    return true;
}

static bool take_certificates(const struct config *config, struct syslog_listener_config *to,
                              struct fault *fault)
{
    to->certificate = path_of(config, "syslog/certificate");
    to->key = path_of(config, "syslog/key");
    to->client_ca = path_of(config, "syslog/client-ca");
    for (unsigned i = 0; i < to->address_count; i++)
        if (to->addresses[i].transport == SYSLOG_TLS && (!to->certificate || !to->key))
            return fault_say(fault, "syslog/listen: tls wants syslog/certificate and syslog/key");
    return true;
}

static bool read_config(const struct config *config, struct syslog_listener_config *to, struct fault *fault)
{
    *to = (struct syslog_listener_config){0};
    to->connections_max = (unsigned)config_int(config, "syslog/connections");
    to->idle = config_int(config, "syslog/idle");
    to->local = config_choice(config, "syslog/zone") == 1;
    return take_addresses(config, to, fault) && take_senders(config, to, fault) &&
           take_certificates(config, to, fault);
}

static bool check(const struct config *config, struct fault *fault)
{
    struct syslog_listener_config to;
    return read_config(config, &to, fault);
}

static void *start(const struct config *config, struct intake *intake, struct fault *fault)
{
    struct syslog_listener_config to;
    if (!read_config(config, &to, fault))
        return NULL;
    to.intake = intake;
    return syslog_listener_start(&to, fault);
}

static unsigned files(const struct config *config, const char **paths)
{
    static const char *const keys[] = {"syslog/certificate", "syslog/key", "syslog/client-ca"};
    unsigned count = 0;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (path_of(config, keys[i]))
            paths[count++] = path_of(config, keys[i]);
    return count;
}

static bool renew(void *input, const struct config *config, struct fault *fault)
{
    struct syslog_listener_config to;
    return read_config(config, &to, fault) && syslog_listener_renew(input, &to, fault);
}

static void stop(void *input)
{
    struct syslog_listener *listener = input;
    syslog_listener_stop(&listener);
}

static void describe(void *input, struct text *to)
{
    struct syslog_listener_counters c;
    syslog_listener_describe(input, to);
    syslog_listener_counters(input, &c);
    const struct {
        uint64_t count;
        const char *what;
    } more[] = {{c.connections, " connected"},
                {c.refused, " of senders not allowed"},
                {c.crowded, " connections too many"},
                {c.handshakes, " without TLS"},
                {c.broken, " broken off"}};
    for (unsigned i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        if (more[i].count == 0)
            continue;
        text_string(to, "; ");
        text_uint(to, more[i].count);
        text_string(to, more[i].what);
    }
}

const struct event_input input_syslog = {
    .name = "syslog",
    .issue = 1021,
    .issue_name = "syslog_not_processed",
    .issue_text = "syslog events are not being processed",
    .wanted = is_wanted,
    .check = check,
    .start = start,
    .files = files,
    .renew = renew,
    .stop = stop,
    .describe = describe,
};
