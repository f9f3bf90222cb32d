/* SPDX-License-Identifier: Apache-2.0 */
#include "node/node_config.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "node/event_service.h"
#include "node/governor.h"
#include "node/naming_service.h"
#include "node/pushed.h"
#include "node/schema.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void report(void *context, const char *fault)
{
    (void)context;
    fprintf(stderr, "picketd: %s\n", fault);
}

static bool wrong(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool wrong(const char *path, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "picketd: %s: ", path);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return false;
}

static bool copy(char *to, size_t capacity, const char *from)
{
    return (size_t)snprintf(to, capacity, "%s", from) < capacity;
}

/* --- addresses --- */

static bool is_wildcard(const struct ip_address *address)
{
    static const struct ip_address zero;
    return memcmp(address->bytes, zero.bytes, sizeof(zero.bytes)) == 0;
}

static void put_endpoint(char to[ENDPOINT_MAX_SIZE], const char *address, unsigned port)
{
    snprintf(to, ENDPOINT_MAX_SIZE, strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, port);
}

static bool take_endpoints(struct node_config *to, const char *path)
{
    struct driver_config *driver = &to->driver;
    char text[IP_ADDRESS_TEXT_MAX];
    size_t n = config_count(to->config, "cluster/listen");
    if (n > DRIVER_LISTEN)
        return wrong(path, "cluster/listen: %u at most", DRIVER_LISTEN);
    for (size_t i = 0; i < n; i++) {
        struct endpoint endpoint = config_endpoint_at(to->config, "cluster/listen", i);
        ip_address_text(&endpoint.address, text);
        put_endpoint(driver->listen[driver->listen_count++], text, endpoint.port);
    }
    struct endpoint enrolment = config_endpoint(to->config, "cluster/enrolment");
    ip_address_text(&enrolment.address, text);
    put_endpoint(driver->enrolment, text, enrolment.port);
    driver->enrolment_port = enrolment.port;
    return true;
}

static void advertise(struct driver_config *driver, const char *address, unsigned port)
{
    if (driver->endpoint_count < RECORD_ENDPOINTS)
        put_endpoint(driver->endpoints[driver->endpoint_count++], address, port);
}

/* The host's own addresses that others can use: not loopback, not those of one link only. */
static void advertise_host(struct driver_config *driver, bool ipv4_only, unsigned port)
{
    struct ifaddrs *all = NULL;
    char text[INET6_ADDRSTRLEN];
    if (getifaddrs(&all) != 0)
        return;
    for (struct ifaddrs *one = all; one; one = one->ifa_next) {
        if (!one->ifa_addr || !(one->ifa_flags & IFF_UP) || (one->ifa_flags & IFF_LOOPBACK))
            continue;
        if (one->ifa_addr->sa_family == AF_INET) {
            const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)one->ifa_addr;
            advertise(driver, inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text)), port);
        } else if (one->ifa_addr->sa_family == AF_INET6 && !ipv4_only) {
            const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)one->ifa_addr;
            if (!IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr))
                advertise(driver, inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text)), port);
        }
    }
    freeifaddrs(all);
}

static void advertise_listened(struct node_config *to)
{
    for (size_t i = 0; i < config_count(to->config, "cluster/listen"); i++) {
        char text[IP_ADDRESS_TEXT_MAX];
        struct endpoint endpoint = config_endpoint_at(to->config, "cluster/listen", i);
        ip_address_text(&endpoint.address, text);
        if (is_wildcard(&endpoint.address))
            advertise_host(&to->driver, strchr(text, ':') == NULL, endpoint.port);
        else
            advertise(&to->driver, text, endpoint.port);
    }
}

static bool take_advertised(struct node_config *to, const char *path)
{
    struct driver_config *driver = &to->driver;
    size_t n = config_count(to->config, "cluster/advertise");
    if (n == 1 && strcmp(config_string_at(to->config, "cluster/advertise", 0), "none") == 0)
        return true;
    if (n > RECORD_ENDPOINTS)
        return wrong(path, "cluster/advertise: %u at most", RECORD_ENDPOINTS);
    for (size_t i = 0; i < n; i++) {
        const char *text = config_string_at(to->config, "cluster/advertise", i);
        if (!strchr(text, ':') || !copy(driver->endpoints[driver->endpoint_count++], ENDPOINT_MAX_SIZE, text))
            return wrong(path, "cluster/advertise: %s: HOST:PORT is wanted", text);
    }
    if (n == 0)
        advertise_listened(to);
    return true;
}

static bool take_seeds(struct node_config *to, const char *path)
{
    size_t n = config_count(to->config, "cluster/seeds");
    if (n > DRIVER_SEEDS)
        return wrong(path, "cluster/seeds: %u at most", DRIVER_SEEDS);
    for (size_t i = 0; i < n; i++) {
        struct driver_seed *seed = &to->driver.seeds[to->driver.seed_count++];
        const char *text = config_string_at(to->config, "cluster/seeds", i);
        char format[32];
        snprintf(format, sizeof(format), "%%%us %%%us %%c", NAME_MAX_SIZE - 1, ENDPOINT_MAX_SIZE - 1);
        char more;
        if (sscanf(text, format, seed->name, seed->endpoint, &more) != 2 || !strchr(seed->endpoint, ':'))
            return wrong(path, "cluster/seeds: %s: NAME HOST:PORT is wanted", text);
    }
    return true;
}

/* --- directories --- */

static bool take_directories(struct node_config *to, const char *path)
{
    size_t n = config_count(to->config, "directory/controllers");
    if (n > DIRECTORIES_MAX)
        return wrong(path, "directory/controllers: %u at most", DIRECTORIES_MAX);
    for (size_t i = 0; i < n; i++) {
        const char *text = config_string_at(to->config, "directory/controllers", i);
        if (!directory_address_read(&to->directories[to->directory_count++], text))
            return wrong(path, "directory/controllers: %s: DOMAIN HOST[:PORT] is wanted", text);
    }
    n = config_count(to->config, "directory/watched");
    if (n > RECORD_CONTROLLERS)
        return wrong(path, "directory/watched: %u at most", RECORD_CONTROLLERS);
    for (size_t i = 0; i < n; i++) {
        const char *text = config_string_at(to->config, "directory/watched", i);
        if (!copy(to->driver.controllers[to->driver.controller_count++], DOMAIN_MAX_SIZE, text))
            return wrong(path, "directory/watched: %s: too long", text);
    }
    to->directory_period = config_int(to->config, "directory/period");
    return true;
}

/* --- the directory's accounts --- */

#define ACCOUNT_FIELDS 4

static const struct {
    const char *name;
    enum ldap_bind_method bind;
    enum ldap_security security;
} methods[] = {
    {"gssapi", LDAP_BIND_GSSAPI, LDAP_SECURITY_SASL},
    {"spnego", LDAP_BIND_SPNEGO, LDAP_SECURITY_SASL},
    {"ldaps", LDAP_BIND_SIMPLE, LDAP_SECURITY_LDAPS},
    {"starttls", LDAP_BIND_SIMPLE, LDAP_SECURITY_STARTTLS},
};

static bool split_account(char fields[ACCOUNT_FIELDS][512], const char *text)
{
    for (unsigned i = 0; i < ACCOUNT_FIELDS; i++) {
        text += strspn(text, " \t");
        size_t size = i + 1 < ACCOUNT_FIELDS ? strcspn(text, " \t") : strlen(text);
        if (size == 0 || size >= sizeof(fields[i]))
            return false;
        memcpy(fields[i], text, size);
        fields[i][size] = '\0';
        text += size;
    }
    for (char *c = fields[0]; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return fields[3][0] == '/';
}

static bool read_account(struct ldap_account *account, char fields[ACCOUNT_FIELDS][512], const char *text)
{
    if (!split_account(fields, text))
        return false;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (strcmp(fields[1], methods[i].name) != 0)
            continue;
        bool keytab = methods[i].bind != LDAP_BIND_SIMPLE;
        *account = (struct ldap_account){.domain = fields[0],
                                         .principal = fields[2],
                                         .keytab = keytab ? fields[3] : NULL,
                                         .password_file = keytab ? NULL : fields[3],
                                         .method = methods[i].bind,
                                         .security = methods[i].security};
        return true;
    }
    return false;
}

static struct ldap_client_config *domain_named(struct directory_config *directory, const char *name)
{
    for (unsigned i = 0; i < directory->domain_count; i++)
        if (strcmp(directory->domains[i].domain, name) == 0)
            return &directory->domains[i];
    if (directory->domain_count == DIRECTORY_DOMAINS_MAX)
        return NULL;
    struct ldap_client_config *domain = &directory->domains[directory->domain_count++];
    domain->domain = name;
    return domain;
}

/* Every account is every domain's: the client tries those that are nearest first. */
static void fill_domain(const struct node_config *to, struct ldap_client_config *domain,
                        const struct ldap_account *accounts, unsigned count)
{
    const struct config *config = to->config;
    memcpy(domain->accounts, accounts, count * sizeof(*accounts));
    domain->account_count = count;
    domain->site = config_count(config, "directory/site") ? config_string(config, "directory/site") : NULL;
    domain->ca_file = config_count(config, "directory/ca") ? config_string(config, "directory/ca") : NULL;
    domain->operation_timeout = config_int(config, "directory/timeout");
    domain->connect_timeout = domain->bind_timeout = 10 * CLOCK_SECOND;
    for (size_t i = 0; i < config_count(config, "directory/controllers"); i++) {
        const char *text = config_string_at(config, "directory/controllers", i);
        if (strcmp(to->directories[i].domain, domain->domain) == 0 &&
            domain->controller_count < LDAP_CONTROLLERS_MAX) {
            text += strcspn(text, " \t");
            domain->controllers[domain->controller_count++] = text + strspn(text, " \t");
        }
    }
}

static bool take_accounts(struct node_config *to, const char *path)
{
    struct directory_config *directory = &to->directory;
    struct ldap_account accounts[LDAP_ACCOUNTS_MAX];
    size_t n = config_count(to->config, "directory/accounts");
    if (n > LDAP_ACCOUNTS_MAX)
        return wrong(path, "directory/accounts: %u at most", LDAP_ACCOUNTS_MAX);
    to->account_fields = calloc(n ? n : 1, sizeof(*to->account_fields));
    if (!to->account_fields)
        return wrong(path, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const char *text = config_string_at(to->config, "directory/accounts", i);
        if (!read_account(&accounts[i], to->account_fields[i], text))
            return wrong(
                path,
                "directory/accounts: %s: DOMAIN METHOD PRINCIPAL FILE is wanted, METHOD gssapi, spnego, "
                "ldaps or starttls, FILE absolute",
                text);
        if (!domain_named(directory, accounts[i].domain))
            return wrong(path, "directory/accounts: %u domains at most", DIRECTORY_DOMAINS_MAX);
    }
    for (unsigned i = 0; i < directory->domain_count; i++)
        fill_domain(to, &directory->domains[i], accounts, (unsigned)n);
    return true;
}

static bool take_store(struct node_config *to, const char *path)
{
    const struct config *config = to->config;
    struct directory_config *directory = &to->directory;
    struct fault fault;
    if (!path_join(to->store, to->state, "directory", &fault) ||
        !path_join(to->spool, to->state, "spool", &fault))
        return wrong(path, "%s", fault.text);
    directory->store = (struct entity_store_config){
        .path = to->store, .map_size = (size_t)config_int(config, "directory/store-size"), .readers_max = 32};
    directory->increment_period = config_int(config, "directory/increment");
    directory->reconciliation_period = config_int(config, "directory/reconcile");
    lookup_limits_init(&directory->lookup);
    directory->lookup.queries_per_s = (double)config_int(config, "directory/queries");
    to->spool_bytes = (size_t)config_int(config, "spool/size");
    to->spool_interval = config_int(config, "spool/interval");
    return true;
}

/* --- the center --- */

static bool take_center(struct node_config *to, const char *path)
{
    const struct config *config = to->config;
    struct sender_config *sender = &to->sender;
    size_t servers = config_count(config, "center/servers"), hours = config_count(config, "center/hours");
    if (servers > SENDER_SERVERS || hours > SENDER_HOURS)
        return wrong(path, "center: %u servers and %u hours at most", SENDER_SERVERS, SENDER_HOURS);
    for (size_t i = 0; i < servers; i++) {
        const char *text = config_string_at(config, "center/servers", i);
        if (!sender_server_parse(&sender->servers[sender->server_count++], text))
            return wrong(path, "center/servers: %s: HOST:PORT KEY is wanted", text);
    }
    for (size_t i = 0; i < hours; i++) {
        const char *text = config_string_at(config, "center/hours", i);
        if (!sender_hours_parse(&sender->hours[sender->hours_count++], text))
            return wrong(path, "center/hours: %s: HH:MM-HH:MM is wanted", text);
    }
    sender->window = (uint64_t)config_int(config, "center/window");
    sender->bandwidth = (uint64_t)config_int(config, "center/bandwidth");
    sender->state = to->state;
    return true;
}

/* --- */

static bool take_name(struct node_config *to, const char *path)
{
    const char *name = config_count(to->config, "node/name") ? config_string(to->config, "node/name") : NULL;
    char host[256] = "";
    if (!name) {
        gethostname(host, sizeof(host) - 1);
        name = host;
    }
    if (*name == '\0' || !copy(to->name, sizeof(to->name), name))
        return wrong(path, "node/name: 1 to %u bytes are wanted", NAME_MAX_SIZE - 1);
    return true;
}

static bool take_capture(struct node_config *to, const char *path)
{
    char fault[CAPTURE_FAULT_MAX];
    if (!capture_settings_use(&to->capture, to->config, true, fault) ||
        (to->capture.interfaces_count > 0 && !capture_settings_finish(&to->capture, fault)))
        return wrong(path, "%s", fault);
    return true;
}

static bool take_keys(struct node_config *to, const char *path)
{
    struct fault fault;
    size_t n = config_count(to->config, "keys/keytab");
    if (n > KEY_HOLDER_KEYTABS_MAX)
        return wrong(path, "keys/keytab: %d at most", KEY_HOLDER_KEYTABS_MAX);
    for (size_t i = 0; i < n; i++) {
        to->keytabs[i] = config_string_at(to->config, "keys/keytab", i);
        if (!secret_file_check(to->keytabs[i], &fault))
            return wrong(path, "keys/keytab: %s", fault.text);
    }
    to->keys = (struct key_client_config){.keytabs = to->keytabs, .keytab_count = n, .guest = true};
    to->keys_timeout = config_int(to->config, "keys/timeout");
    return true;
}

static bool check_reserve(const struct node_config *to, const char *path)
{
    unsigned least = to->reserve_cpu < to->reserve_memory ? to->reserve_cpu : to->reserve_memory;
    return least >= GOVERNOR_RESERVE_MIN ||
           wrong(
               path,
               "governor/reserve-%s: %u: at least %u %% of the host stay free, whatever happens: Picket is a "
               "guest there. More may be kept free, never less",
               least == to->reserve_cpu ? "cpu" : "memory", least, GOVERNOR_RESERVE_MIN);
}

/* 127.0.0.0/8 and ::1. */
static bool is_loopback(const struct ip_address *address)
{
    static const uint8_t one[16] = {[15] = 1};
    return address->family == 4 ? address->bytes[0] == 127 : memcmp(address->bytes, one, sizeof(one)) == 0;
}

static bool check_metrics(const struct node_config *to, const char *path)
{
    if (config_count(to->config, "metrics/listen") == 0)
        return true;
    struct endpoint listen = config_endpoint(to->config, "metrics/listen");
    return is_loopback(&listen.address) ||
           wrong(
               path,
               "metrics/listen: an address of loopback is wanted (127.0.0.1, [::1]): whoever reaches it may "
               "read, without a password and in clear");
}

static bool check_inputs(const struct node_config *to, const char *path)
{
    struct fault fault;
    return (event_service_check(to->config, &fault) && naming_service_check(to->config, &fault)) ||
           wrong(path, "%s", fault.text);
}

static void take_plain(struct node_config *to)
{
    const struct config *config = to->config;
    struct driver_config *driver = &to->driver;
    to->state = config_string(config, "node/state");
    to->user = config_count(config, "node/user") ? config_string(config, "node/user") : NULL;
    to->socket = config_string(config, "control/socket");
    to->group = config_string(config, "control/group");
    to->administrators = config_count(config, "control/administrators")
                             ? config_string(config, "control/administrators")
                             : NULL;
    to->reserve_cpu = (unsigned)config_int(config, "governor/reserve-cpu");
    to->reserve_memory = (unsigned)config_int(config, "governor/reserve-memory");
    to->fleet = config_count(config, "cluster/fleet") ? config_string(config, "cluster/fleet") : "";
    driver_config_init(driver);
    driver->directory = to->state;
    driver->members_max = (unsigned)config_int(config, "cluster/members-max");
    driver->history_size = (unsigned)config_int(config, "cluster/history");
    driver->min_observers = (unsigned)config_int(config, "synchronizer/min-observers");
    driver->candidate = config_bool(config, "synchronizer/candidate");
    cluster_timers_for(&driver->timers, config_int(config, "synchronizer/replace-after") / CLOCK_MILLISECOND);
}

static void set_log(const struct config *config)
{
    static const enum log_form forms[] = {LOG_FORM_AUTO, LOG_FORM_PLAIN, LOG_FORM_JOURNAL, LOG_FORM_JSON};
    enum log_level level;
    if (log_level_by_name(config_string(config, "node/log-level"), &level))
        log_set_level(level);
    log_set_form(forms[config_choice(config, "node/log-form")]);
}

static bool take_all(struct node_config *to, const char *path)
{
    take_plain(to);
    return take_name(to, path) && take_endpoints(to, path) && take_advertised(to, path) &&
           take_seeds(to, path) && take_directories(to, path) && take_accounts(to, path) &&
           take_store(to, path) && take_center(to, path) && take_capture(to, path) && take_keys(to, path) &&
           check_reserve(to, path) && check_metrics(to, path) && check_inputs(to, path);
}

/* `part` is used up; NULL: the file alone. */
static struct node_config *load_with(const char *path, struct config **part)
{
    struct node_config *to = calloc(1, sizeof(*to));
    if (to)
        to->config = config_load(&node_schema, path, report, NULL);
    if (!to || !to->config) {
        if (part)
            config_destroy(part);
        node_config_free(&to);
        return NULL;
    }
    snprintf(to->path, sizeof(to->path), "%s", path);
    if (part)
        config_override(to->config, part);
    if (!take_all(to, path))
        node_config_free(&to);
    return to;
}

struct node_config *node_config_try(const char *path, struct config **part)
{
    return load_with(path, part);
}

struct node_config *node_config_load(const char *path)
{
    struct node_config *config = load_with(path, NULL);
    if (config)
        set_log(config->config);
    return config;
}

void node_config_use_pushed(struct node_config **config)
{
    uint64_t version;
    struct config *part = pushed_load(disk_system(), (*config)->state, &version);
    if (!part)
        return;
    struct node_config *with = load_with((*config)->path, &part);
    if (!with) {
        log_warning("the center's settings, version %llu, do not fit: they are left out",
                    (unsigned long long)version);
        return;
    }
    with->pushed = version;
    node_config_free(config);
    *config = with;
    set_log(with->config);
}

void node_config_free(struct node_config **config)
{
    if (!config || !*config)
        return;
    config_destroy(&(*config)->config);
    free((*config)->account_fields);
    free(*config);
    *config = NULL;
}
