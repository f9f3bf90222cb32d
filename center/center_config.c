/* SPDX-License-Identifier: Apache-2.0 */
#include "center/center_config.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define MIB       (INT64_C(1) << 20)
#define GIB       (INT64_C(1) << 30)
#define KEY_MAGIC "picketK1"

static const char *const log_levels[] = {"error", "warning", "notice", "info", "debug", NULL};
static const char *const severities[] = {"informational", "low", "medium", "high", NULL};
static const char *const log_forms[] = {"auto", "plain", "journal", "json", NULL};

static const struct config_section sections[] = {
    {.key = "center", .doc = "The process itself, and who may deliver to it."},
    {.key = "log", .doc = "What was received, on disk."},
    {.key = "notify", .doc = "Who is told of alerts and health issues: docs/notifications.md."},
    {.key = "api", .doc = "The HTTP interface for people's programs and `picket alerts`: docs/api.md."},
    {.key = "workspaces",
     .doc = "Whose data is whose, of nodes that were enrolled by a token without a workspace. Each rule is "
            "NAME=WORKSPACE; the first that fits a node counts, nodes before "
            "sites before domains; who fits none is in the workspace `default`. What is delivered belongs to "
            "the workspace that its node is in then."},
    {.key = "retention", .doc = "How long things are kept."},
};

static const struct config_rule rules[] = {
    {.key = "center/state",
     .type = CONFIG_PATH,
     .preset = "/var/lib/picket-center",
     .doc = "Directory of the center's key and of what it received. Nobody else may read it; two processes "
            "may not share it."},
    {.key = "center/listen",
     .type = CONFIG_ENDPOINT,
     .list = true,
     .preset = "[::]:49210",
     .doc = "Where nodes dial the center. `[::]` means IPv4 too."},
    {.key = "center/authority",
     .type = CONFIG_STRING,
     .required = true,
     .doc = "Public key of the fleet's authority, 64 hexadecimal digits, as `picket fleet show` prints it: "
            "only nodes of that fleet are let in."},
    {.key = "center/connections",
     .type = CONFIG_INT,
     .min = 16,
     .max = 30000,
     .preset = "4096",
     .doc = "Connections at a time."},
    {.key = "center/log-level",
     .type = CONFIG_CHOICE,
     .choices = log_levels,
     .preset = "notice",
     .doc = "What is less important than this is not logged."},
    {.key = "center/log-form",
     .type = CONFIG_CHOICE,
     .choices = log_forms,
     .preset = "auto",
     .doc = "Form of the log on standard error; `auto`: for the journal when it listens."},
    {.key = "center/shards",
     .type = CONFIG_INT,
     .min = 1,
     .max = 64,
     .preset = "1",
     .doc = "Threads for each workspace's pipeline. With another number than before, what was learned is "
            "learned anew."},
    {.key = "center/tickets",
     .type = CONFIG_INT,
     .min = 4096,
     .max = 16777216,
     .preset = "262144",
     .doc = "The most Kerberos tickets of each sort (those that grant tickets, for ten days; those for "
            "services, for four) that each shard remembers, at some 450 bytes each. Beyond it the oldest are "
            "forgotten, and what relies on having seen all of them waits (docs/processor.md)."},
    {.key = "workspaces/nodes",
     .type = CONFIG_STRING,
     .list = true,
     .doc = "By the name of the node: `sensor7=north`."},
    {.key = "workspaces/sites", .type = CONFIG_STRING, .list = true, .doc = "By its site: `Oslo=north`."},
    {.key = "workspaces/domains",
     .type = CONFIG_STRING,
     .list = true,
     .doc = "By a domain that it may synchronize: `corp.example.com=north`."},
    {.key = "retention/activities",
     .type = CONFIG_DURATION,
     .min = CLOCK_DAY,
     .max = 3650 * CLOCK_DAY,
     .preset = "180d",
     .doc = "What was received, and the index of it. Whole files of the log go, those to which nothing was "
            "written for so long; none that a pipeline has not read."},
    {.key = "retention/alerts",
     .type = CONFIG_DURATION,
     .min = CLOCK_DAY,
     .max = 3650 * CLOCK_DAY,
     .preset = "730d",
     .doc = "Alerts, since their last activity."},
    {.key = "retention/audit",
     .type = CONFIG_DURATION,
     .min = CLOCK_DAY,
     .max = 3650 * CLOCK_DAY,
     .preset = "730d",
     .doc = "Who changed what."},
    {.key = "retention/health",
     .type = CONFIG_DURATION,
     .min = CLOCK_DAY,
     .max = 3650 * CLOCK_DAY,
     .preset = "180d",
     .doc = "Health issues, since they were closed."},
    {.key = "center/places",
     .type = CONFIG_PATH,
     .doc = "A database of where in the world addresses are, in MaxMind's format (GeoLite2 City or the "
            "like), for connections to the VPN; not set: they are not judged. It is read as the center "
            "starts."},
    {.key = "log/segment",
     .type = CONFIG_SIZE,
     .min = 8 * MIB,
     .max = GIB,
     .preset = "64M",
     .doc = "Size of a file of it."},
    {.key = "log/size",
     .type = CONFIG_SIZE,
     .min = 0,
     .max = 1024 * 1024 * GIB,
     .preset = "0",
     .doc = "Beyond this the oldest files are removed. 0: none are, and a full disk stops acknowledgements."},
    {.key = "notify/syslog",
     .type = CONFIG_STRING,
     .list = true,
     .doc = "Syslog servers that get CEF: `udp://HOST:514`, `tcp://HOST:601`, `tls://HOST:6514`; behind a "
            "`?` and with `&` between `format=rfc5424` (the default) or `rfc3164`, with tcp `framing=octets` "
            "(the default) or `lines`."},
    {.key = "notify/syslog-ca",
     .type = CONFIG_PATH,
     .doc =
         "PEM file of the authorities that syslog servers' certificates may be from; not set: the system's."},
    {.key = "notify/syslog-certificate",
     .type = CONFIG_PATH,
     .doc = "PEM file of the certificate that is shown to syslog servers."},
    {.key = "notify/syslog-key", .type = CONFIG_PATH, .doc = "PEM file of its key."},
    {.key = "notify/severity",
     .type = CONFIG_CHOICE,
     .choices = severities,
     .preset = "informational",
     .doc = "Syslog servers and webhooks are told of nothing below it."},
    {.key = "notify/mail-server",
     .type = CONFIG_STRING,
     .doc = "`smtp://HOST:25` (with STARTTLS) or `smtps://HOST:465`."},
    {.key = "notify/mail-plain",
     .type = CONFIG_BOOL,
     .preset = "no",
     .doc = "Mail goes to `smtp://` without TLS. A password is never sent so."},
    {.key = "notify/mail-ca",
     .type = CONFIG_PATH,
     .doc = "PEM file of the authorities of the mail server's certificate; not set: the system's."},
    {.key = "notify/mail-user",
     .type = CONFIG_STRING,
     .doc = "Who signs in at the mail server; not set: nobody."},
    {.key = "notify/mail-password",
     .type = CONFIG_PATH,
     .doc = "File with the password, readable by its owner alone."},
    {.key = "notify/mail-from", .type = CONFIG_STRING, .doc = "Sender of mails."},
    {.key = "notify/mail-to", .type = CONFIG_STRING, .list = true, .doc = "Who gets them; at most 16."},
    {.key = "notify/mail-severity",
     .type = CONFIG_CHOICE,
     .choices = severities,
     .preset = "medium",
     .doc = "Nothing below it is mailed."},
    {.key = "notify/webhook",
     .type = CONFIG_STRING,
     .list = true,
     .doc = "`https://...` addresses to which notices are posted as JSON; `http://` only to this host."},
    {.key = "notify/webhook-ca",
     .type = CONFIG_PATH,
     .doc = "PEM file of the authorities of their certificates; not set: the system's."},
    {.key = "notify/webhook-secret",
     .type = CONFIG_PATH,
     .doc = "File with the secret that signs what is posted, readable by its owner alone."},
    {.key = "notify/file",
     .type = CONFIG_PATH,
     .doc = "File to which notices are appended, one JSON object a line."},
    {.key = "notify/portal",
     .type = CONFIG_STRING,
     .doc = "Address of the portal, for links: `https://picket.corp.example`."},
    {.key = "api/listen",
     .type = CONFIG_ENDPOINT,
     .list = true,
     .preset = "127.0.0.1:49211",
     .doc = "Where the API listens, with HTTPS; at most 4."},
    {.key = "api/certificate",
     .type = CONFIG_PATH,
     .doc = "PEM file of its certificate; not set: one is made for this host, state/api.crt, for clients to "
            "trust."},
    {.key = "api/key", .type = CONFIG_PATH, .doc = "PEM file of the certificate's key."},
    {.key = "api/plain",
     .type = CONFIG_BOOL,
     .preset = "no",
     .doc = "HTTP without TLS, for a proxy on this host: only on loopback."},
    {.key = "api/connections",
     .type = CONFIG_INT,
     .min = 4,
     .max = 1000,
     .preset = "64",
     .doc = "Connections at a time."},
    {.key = "api/rate",
     .type = CONFIG_INT,
     .min = 1,
     .max = 10000,
     .preset = "50",
     .doc = "Requests a second that one token, or one address without one, may make; ten seconds' worth at "
            "once."},
};

const struct config_schema center_schema = {
    .title = "Configuration of the center",
    .introduction =
        "The keys of the center's configuration file: `picket-center run --config FILE`. `picket-center "
        "run --check --config FILE` says whether it is right. Nodes are told of it in `center/servers` "
        "([configuration.md](configuration.md)).\n",
    .sections = sections,
    .section_count = sizeof(sections) / sizeof(sections[0]),
    .rules = rules,
    .rule_count = sizeof(rules) / sizeof(rules[0]),
};

static void report(void *context, const char *fault)
{
    (void)context;
    fprintf(stderr, "picket-center: %s\n", fault);
}

static bool wrong(const char *path, const char *what)
{
    fprintf(stderr, "picket-center: %s: %s\n", path, what);
    return false;
}

static bool take_authority(struct center_config *to, const char *path)
{
    const char *text = config_string(to->config, "center/authority");
    bool fine =
        strlen(text) == 2 * PUBLIC_KEY_SIZE && strspn(text, "0123456789abcdefABCDEF") == 2 * PUBLIC_KEY_SIZE;
    for (size_t i = 0; fine && i < PUBLIC_KEY_SIZE; i++) {
        const char digits[3] = {text[2 * i], text[2 * i + 1], '\0'};
        to->authority[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return fine || wrong(path, "center/authority: 64 hexadecimal digits are wanted");
}

static bool take_listen(struct center_config *to, const char *path)
{
    size_t n = config_count(to->config, "center/listen");
    if (n > CENTER_LISTEN)
        return wrong(path, "center/listen: too many");
    for (size_t i = 0; i < n; i++) {
        char address[IP_ADDRESS_TEXT_MAX];
        struct endpoint endpoint = config_endpoint_at(to->config, "center/listen", i);
        ip_address_text(&endpoint.address, address);
        snprintf(to->listen[to->listen_count++], sizeof(to->listen[0]),
                 strchr(address, ':') ? "tcp://[%s]:%u" : "tcp://%s:%u", address, endpoint.port);
    }
    return true;
}

static bool take_all(struct center_config *to, const char *path)
{
    static const enum log_form forms[] = {LOG_FORM_AUTO, LOG_FORM_PLAIN, LOG_FORM_JOURNAL, LOG_FORM_JSON};
    const struct config *config = to->config;
    enum log_level level;
    struct fault fault;
    to->state = config_string(config, "center/state");
    to->places = config_string(config, "center/places");
    to->connections = (unsigned)config_int(config, "center/connections");
    to->segment_bytes = (size_t)config_int(config, "log/segment");
    to->log_bytes = (uint64_t)config_int(config, "log/size");
    to->shards = (unsigned)config_int(config, "center/shards");
    to->tickets = (unsigned)config_int(config, "center/tickets");
    to->keep_activities = config_int(config, "retention/activities");
    to->keep_alerts = config_int(config, "retention/alerts");
    to->keep_audit = config_int(config, "retention/audit");
    to->keep_health = config_int(config, "retention/health");
    if (log_level_by_name(config_string(config, "center/log-level"), &level))
        log_set_level(level);
    log_set_form(forms[config_choice(config, "center/log-form")]);
    if (!path_join(to->log, to->state, "log", &fault) ||
        !path_join(to->refused, to->state, "refused", &fault) ||
        !path_join(to->sensors, to->state, "sensors", &fault) ||
        !path_join(to->store, to->state, "center.db", &fault))
        return wrong(path, fault.text);
    return take_listen(to, path) && take_authority(to, path);
}

struct center_config *center_config_load(const char *path)
{
    struct center_config *to = calloc(1, sizeof(*to));
    if (!to)
        return NULL;
    to->path = path;
    to->config = config_load(&center_schema, path, report, NULL);
    if (!to->config || !take_all(to, path))
        center_config_free(&to);
    return to;
}

void center_config_free(struct center_config **config)
{
    if (!*config)
        return;
    config_destroy(&(*config)->config);
    free(*config);
    *config = NULL;
}

bool center_prepare(const struct center_config *config, struct fault *fault)
{
    return directory_prepare(config->state, fault) && directory_prepare(config->log, fault) &&
           directory_prepare(config->refused, fault) && directory_prepare(config->sensors, fault);
}

static bool make_key(const char *state, uint8_t seed[KEY_SEED_SIZE], struct fault *fault)
{
    crypto_random(seed, KEY_SEED_SIZE);
    return disk_replace_checked(disk_system(), state, "key", KEY_MAGIC, (struct bytes){seed, KEY_SEED_SIZE},
                                fault);
}

static bool load_seed(const char *state, uint8_t seed[KEY_SEED_SIZE], struct fault *fault)
{
    char path[PATH_SIZE];
    struct disk_content content;
    if (!path_join(path, state, "key", fault))
        return false;
    enum disk_found found = disk_read_checked(disk_system(), path, KEY_MAGIC, 256, &content, fault);
    if (found == DISK_ABSENT)
        return make_key(state, seed, fault);
    if (found == DISK_FAILED)
        return false;
    bool fine = content.size == KEY_SEED_SIZE;
    if (fine)
        memcpy(seed, content.data, KEY_SEED_SIZE);
    disk_content_free(&content);
    return fine || fault_say(fault, "%s is not the center's key", path);
}

bool center_keys_load(const char *state, uint8_t public_key[CURVE_KEY_SIZE], uint8_t secret[CURVE_KEY_SIZE],
                      struct fault *fault)
{
    uint8_t *seed = secret_alloc(KEY_SEED_SIZE);
    struct crypto_sodium *keys = NULL;
    if (!seed)
        return fault_say(fault, "no memory for secrets");
    bool loaded = load_seed(state, seed, fault);
    if (loaded)
        keys = crypto_sodium_new(seed, NULL);
    secret_free(seed);
    if (!keys)
        return loaded ? fault_say(fault, "no memory for secrets") : false;
    crypto_sodium_curve(keys, public_key, secret);
    crypto_sodium_destroy(&keys);
    return true;
}
