/* SPDX-License-Identifier: Apache-2.0 */
#include "center/api.h"

#include "base/hash_table.h"
#include "base/log.h"
#include "base/socket_address.h"
#include "base/thread.h"
#include "center/api_certificate.h"
#include "center/api_events.h"
#include "center/api_routes.h"
#include "center/api_token.h"
#include "cluster/crypto_sodium.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

#define LISTEN_MAX        4u
#define THREADS           4u
#define STORES_MAX        16u
#define CALLERS_MAX       8192u
#define BURST             10  /* seconds' worth of requests */
#define PATIENCE          30u /* s for a request and between requests */
#define CONNECTION_MEMORY 65536u
#define PER_ADDRESS       32u
#define PRIORITIES        "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

struct bucket {
    double left;
    int64_t at;
};

struct api {
    struct api_config config;
    struct api_core core;
    struct api_events *events;
    pthread_mutex_t certificate_lock;
    struct api_certificate certificate; /* empty: HTTP without TLS */
    struct MHD_Daemon *daemons[LISTEN_MAX];
    char endpoints[LISTEN_MAX][80];
    unsigned daemon_count;
    double rate;
    pthread_mutex_t lock;
    struct hash_table *buckets; /* by token or address */
    struct store *stores[STORES_MAX];
    unsigned store_count;
    pthread_t ticker;
    bool ticks;
    pthread_cond_t wake;
    bool ending;
};

struct request {
    char *body;
    size_t size;
    bool too_large;
};

/* --- connections to the store --- */

static struct store *take_store(struct api *self)
{
    struct fault fault;
    struct store *store = NULL;
    pthread_mutex_lock(&self->lock);
    if (self->store_count > 0)
        store = self->stores[--self->store_count];
    pthread_mutex_unlock(&self->lock);
    if (store)
        return store;
    store = store_open(self->config.store, STORE_PEOPLE, &fault);
    if (!store)
        log_warning("api: %s", fault.text);
    return store;
}

static void give_store(struct api *self, struct store *store)
{
    store_abandon(store);
    pthread_mutex_lock(&self->lock);
    if (self->store_count < STORES_MAX) {
        self->stores[self->store_count++] = store;
        store = NULL;
    }
    pthread_mutex_unlock(&self->lock);
    store_close(&store);
}

/* --- how many requests --- */

static bool still_counts(void *context, const void *key, void *value)
{
    const struct api *self = context;
    const struct bucket *bucket = value;
    (void)key;
    double left = bucket->left + (double)(clock_monotonic(clock_system()) - bucket->at) / 1e9 * self->rate;
    return left < self->rate * BURST;
}

/* `key`: 17 bytes. When too many are known, those that waited long enough are forgotten. */
static bool within_rate(struct api *self, const uint8_t key[17])
{
    int64_t now = clock_monotonic(clock_system());
    bool added = false;
    pthread_mutex_lock(&self->lock);
    if (hash_table_count(self->buckets) == CALLERS_MAX)
        hash_table_retain(self->buckets, still_counts, self);
    struct bucket *bucket = hash_table_insert(self->buckets, key, &added);
    bool fine = bucket != NULL;
    if (bucket) {
        double most = self->rate * BURST;
        bucket->left = added ? most : bucket->left + (double)(now - bucket->at) / 1e9 * self->rate;
        bucket->left = bucket->left > most ? most : bucket->left;
        bucket->at = now;
        fine = bucket->left >= 1;
        if (fine)
            bucket->left -= 1;
    }
    pthread_mutex_unlock(&self->lock);
    return fine;
}

static void key_of_address(struct MHD_Connection *connection, uint8_t key[17])
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    memset(key, 0, 17);
    if (!info || !info->client_addr)
        return;
    struct endpoint from =
        socket_address_endpoint((const struct sockaddr_storage *)(const void *)info->client_addr);
    key[0] = from.address.family;
    memcpy(key + 1, from.address.bytes, 16);
}

static bool admit(struct api *self, struct MHD_Connection *connection, struct api_work *work)
{
    uint8_t key[17] = {0};
    struct stored_token token;
    int64_t now = clock_wall(clock_system());
    const char *authorization =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    key_of_address(connection, key);
    /* Without a token, or with one that may be a guess, the address counts. */
    if (!authorization && !within_rate(self, key))
        return api_problem(work, 429, "too many requests");
    api_token_caller(work->store, authorization, now, &work->caller, &token);
    if (authorization && work->caller.known) {
        memset(key, 0, sizeof(key));
        key[0] = 0xff;
        memcpy(key + 1, &token.id, sizeof(token.id));
    }
    if (authorization && !within_rate(self, key))
        return api_problem(work, 429, "too many requests");
    if (work->caller.known && now - token.used > CLOCK_HOUR)
        store_token_used(work->store, token.id, now);
    return true;
}

/* --- answers --- */

static void add_headers(struct MHD_Response *response, const struct api_work *work)
{
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                            work->problem ? "application/problem+json" : "application/json");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Content-Security-Policy", "default-src 'none'");
    if (work->status == 401)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"picket\"");
    if (work->status == 429)
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    if (work->allow)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, work->allow);
}

static enum MHD_Result answer(struct MHD_Connection *connection, struct api_work *work)
{
    struct bytes body = work->fixed;
    if (!body.size && work->status != 204)
        json_writer_done(&work->answer, &body);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body.size, (void *)(uintptr_t)body.data,
                                        work->fixed.size ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    add_headers(response, work);
    enum MHD_Result queued = MHD_queue_response(connection, work->status, response);
    MHD_destroy_response(response);
    return queued;
}

/* --- requests --- */

static enum MHD_Result take_argument(void *context, enum MHD_ValueKind kind, const char *name,
                                     const char *value)
{
    struct api_work *work = context;
    (void)kind;
    if (work->argument_count == API_ARGUMENTS_MAX) {
        api_problem(work, 400, "too many arguments");
        return MHD_NO;
    }
    work->arguments[work->argument_count++] = (struct api_argument){name, value};
    return MHD_YES;
}

static bool is_json(struct MHD_Connection *connection)
{
    const char *type = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
    size_t size = strlen("application/json");
    return type && strncasecmp(type, "application/json", size) == 0 &&
           (type[size] == '\0' || type[size] == ';' || type[size] == ' ');
}

static void run(struct api *self, struct MHD_Connection *connection, const struct request *request,
                struct api_work *work)
{
    json_writer_init(&work->answer, API_ANSWER_MAX);
    work->body = (struct bytes){(const uint8_t *)request->body, request->size};
    if (request->too_large) {
        api_problem(work, 413, "at most %u bytes are taken", API_BODY_MAX);
        return;
    }
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_argument, work);
    if (work->status || !admit(self, connection, work))
        return;
    if (request->size > 0 && !is_json(connection)) {
        api_problem(work, 415, "application/json is wanted");
        return;
    }
    json_writer_free(&work->answer);
    api_dispatch(work);
}

static enum MHD_Result handle(struct api *self, struct MHD_Connection *connection, const char *url,
                              const char *method, const struct request *request)
{
    struct api_work work = {.core = &self->core, .method = method, .path = url};
    work.store = take_store(self);
    if (work.store)
        run(self, connection, request, &work);
    else
        api_problem(&work, 503, "the store cannot be opened");
    if (work.stream) {
        struct api_listening listening = {.workspace = work.workspace};
        memcpy(listening.token, work.caller.token, sizeof(listening.token));
        if (!api_events_answer(self->events, connection, &listening))
            api_problem(&work, 503, "too many listen to events");
    }
    enum MHD_Result result = work.stream ? MHD_YES : answer(connection, &work);
    api_work_free(&work);
    if (work.store)
        give_store(self, work.store);
    return result;
}

static bool more_body(struct request *request, const char *data, size_t size)
{
    if (request->too_large || size > API_BODY_MAX - request->size) {
        request->too_large = true;
        return true; /* the rest is read and dropped, so that the answer arrives */
    }
    char *body = realloc(request->body, request->size + size);
    if (!body)
        return false;
    memcpy(body + request->size, data, size);
    request->body = body;
    request->size += size;
    return true;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *size,
                                  void **request_p)
{
    struct request *request = *request_p;
    (void)version;
    if (!request) {
        *request_p = calloc(1, sizeof(*request));
        return *request_p ? MHD_YES : MHD_NO;
    }
    if (*size > 0) {
        bool taken = more_body(request, data, *size);
        *size = 0;
        return taken ? MHD_YES : MHD_NO;
    }
    return handle(context, connection, url, method, request);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request_p,
                         enum MHD_RequestTerminationCode code)
{
    struct request *request = *request_p;
    (void)context;
    (void)connection;
    (void)code;
    if (!request)
        return;
    free(request->body);
    free(request);
    *request_p = NULL;
}

static bool is_ending(struct api *self)
{
    pthread_mutex_lock(&self->lock);
    bool ending = self->ending;
    pthread_mutex_unlock(&self->lock);
    return ending;
}

/* What a token was worth when somebody began to listen it may not be any more. Who cannot be looked at, for
 * the store does not answer, is not listened to either. */
static bool may_listen(void *context, const struct api_listening *listening)
{
    struct api *self = context;
    struct api_caller caller = {.known = false};
    struct stored_token token;
    struct store *store = is_ending(self) ? NULL : take_store(self);
    if (!store)
        return false;
    api_token_owner(store, listening->token, clock_wall(clock_system()), &caller, &token);
    give_store(self, store);
    return caller.known && (!caller.workspace || caller.workspace == listening->workspace);
}

static void *tick(void *context)
{
    struct api *self = context;
    pthread_mutex_lock(&self->lock);
    while (!self->ending) {
        struct timespec at;
        clock_gettime(CLOCK_MONOTONIC, &at);
        at.tv_sec += 1;
        pthread_cond_timedwait(&self->wake, &self->lock, &at);
        pthread_mutex_unlock(&self->lock);
        api_events_review(self->events, may_listen, self);
        api_events_tick(self->events);
        pthread_mutex_lock(&self->lock);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

/* --- its life --- */

static bool is_loopback(const struct ip_address *address)
{
    static const struct ip_address six = {.family = 6, .bytes = {[15] = 1}};
    return (address->family == 4 && address->bytes[0] == 127) || ip_address_equal(address, &six);
}

/* An answer goes out in more than one write; the second shall not wait for the other side to say that it has
 * the first (RFC 1122 4.2.3.4). */
static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    static const int on = 1;
    static const unsigned patience = PATIENCE * 1000;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *socket_context = context;
    if (code != MHD_CONNECTION_NOTIFY_STARTED || !info)
        return;
    setsockopt(info->connect_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    /* Whoever does not take what is sent does not keep a place among those who listen to events. */
    setsockopt(info->connect_fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof(patience));
}

/* In each handshake: the certificate may have been replaced. libmicrohttpd leaves its connection with the
 * session, and we ourselves with the connection. */
static int show_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *asked,
                            gnutls_pcert_st **list, unsigned *count, gnutls_ocsp_data_st **answers,
                            unsigned *answer_count, gnutls_privkey_t *key, unsigned *flags)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(gnutls_session_get_ptr(session), MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct api *self = info ? info->socket_context : NULL;
    (void)asked;
    if (!self)
        return -1;
    pthread_mutex_lock(&self->certificate_lock);
    bool given = api_certificate_give(&self->certificate, list, count, key);
    pthread_mutex_unlock(&self->certificate_lock);
    *answers = NULL;
    *answer_count = 0;
    *flags = GNUTLS_CERT_RETR_DEINIT_ALL;
    return given ? 0 : -1;
}

static void silent(void *context, const char *format, va_list arguments)
{
    (void)context;
    (void)format;
    (void)arguments; /* strangers' mistakes */
}

static struct MHD_Daemon *start_daemon(struct api *self, const struct endpoint *endpoint, bool plain)
{
    struct sockaddr_storage address;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    unsigned connections = (unsigned)config_int(self->config.config, "api/connections");
    socket_address_of(endpoint, &address);
    if (endpoint->address.family == 6)
        flags |= MHD_USE_IPv6;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(uintptr_t)show_certificate},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    return MHD_start_daemon(plain ? flags : flags | MHD_USE_TLS, endpoint->port, NULL, NULL, on_request, self,
                            MHD_OPTION_EXTERNAL_LOGGER, silent, NULL, MHD_OPTION_SOCK_ADDR, &address,
                            MHD_OPTION_THREAD_POOL_SIZE, THREADS, MHD_OPTION_CONNECTION_LIMIT,
                            connections < THREADS ? THREADS : connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
                            PER_ADDRESS, MHD_OPTION_CONNECTION_TIMEOUT, PATIENCE,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, self, MHD_OPTION_NOTIFY_CONNECTION,
                            on_connection, self, MHD_OPTION_ARRAY, plain ? none : tls, MHD_OPTION_END);
}

/* Where it may listen. */
static bool check_listen(const struct config *config, struct fault *fault)
{
    char text[IP_ADDRESS_TEXT_MAX];
    size_t count = config_count(config, "api/listen");
    if (count > LISTEN_MAX)
        return fault_say(fault, "api/listen: at most %u addresses", LISTEN_MAX);
    for (size_t i = 0; i < count && config_bool(config, "api/plain"); i++) {
        struct endpoint endpoint = config_endpoint_at(config, "api/listen", i);
        if (!is_loopback(&endpoint.address))
            return fault_say(fault, "api/plain is only for loopback, not for %s",
                             ip_address_text(&endpoint.address, text));
    }
    return true;
}

static bool listen_on(struct api *self, const struct endpoint *endpoint, bool plain, struct fault *fault)
{
    char text[IP_ADDRESS_TEXT_MAX];
    ip_address_text(&endpoint->address, text);
    struct MHD_Daemon *daemon = start_daemon(self, endpoint, plain);
    if (!daemon)
        return fault_say(fault, "the API cannot listen on %s port %u: %s", text, endpoint->port,
                         strerror(errno));
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    snprintf(self->endpoints[self->daemon_count], sizeof(self->endpoints[0]),
             endpoint->address.family == 6 ? "%s://[%s]:%u" : "%s://%s:%u", plain ? "http" : "https", text,
             info ? info->port : endpoint->port);
    self->daemons[self->daemon_count++] = daemon;
    return true;
}

/* That of the configuration, if it has one. */
static bool read_configured(const struct config *config, struct api_certificate *to, struct fault *fault)
{
    const char *certificate = config_string(config, "api/certificate");
    const char *key = config_string(config, "api/key");
    *to = (struct api_certificate){NULL, NULL};
    if (!certificate != !key)
        return fault_say(fault, "api/certificate and api/key belong together");
    return !certificate || api_certificate_read(certificate, key, to, fault);
}

static bool read_certificate(const struct api *self, const struct config *config, struct api_certificate *to,
                             struct fault *fault)
{
    return read_configured(config, to, fault) &&
           (to->certificate ||
            api_certificate_own(self->config.state, clock_wall(clock_system()), to, fault));
}

bool api_check(const struct config *config, struct fault *fault)
{
    struct api_certificate certificate;
    bool fine = check_listen(config, fault) &&
                (config_bool(config, "api/plain") || read_configured(config, &certificate, fault));
    if (fine && !config_bool(config, "api/plain"))
        api_certificate_free(&certificate);
    return fine;
}

static bool start(struct api *self, struct fault *fault)
{
    const struct config *config = self->config.config;
    bool plain = config_bool(config, "api/plain");
    size_t count = config_count(config, "api/listen");
    if (!self->events || !self->buckets)
        return fault_say(fault, "no memory for the API");
    if (!check_listen(config, fault))
        return false;
    if (!plain && !read_certificate(self, config, &self->certificate, fault))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct endpoint endpoint = config_endpoint_at(config, "api/listen", i);
        if (!listen_on(self, &endpoint, plain, fault))
            return false;
    }
    self->ticks = thread_start(&self->ticker, "api-events", tick, self);
    return self->ticks || fault_say(fault, "no thread for the API: %s", strerror(errno));
}

struct api *api_start(const struct api_config *config, struct fault *fault)
{
    uint64_t seed;
    pthread_condattr_t attributes;
    struct api *self = calloc(1, sizeof(*self));
    if (!self) {
        fault_say(fault, "no memory for the API");
        return NULL;
    }
    crypto_random(&seed, sizeof(seed));
    self->config = *config;
    self->rate = (double)config_int(config->config, "api/rate");
    pthread_mutex_init(&self->lock, NULL);
    pthread_mutex_init(&self->certificate_lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&self->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    self->events = api_events_new();
    self->buckets = hash_table_new(CALLERS_MAX, 17, sizeof(struct bucket), seed);
    self->core = (struct api_core){.config = &self->config, .clock = clock_system()};
    if (self->events)
        self->core.events = api_events_listener(self->events);
    if (!start(self, fault))
        api_stop(&self);
    return self;
}

void api_stop(struct api **api)
{
    struct api *self = *api;
    if (!self)
        return;
    pthread_mutex_lock(&self->lock);
    self->ending = true;
    pthread_cond_broadcast(&self->wake);
    pthread_mutex_unlock(&self->lock);
    if (self->ticks)
        pthread_join(self->ticker, NULL);
    if (self->events)
        api_events_end(self->events);
    for (unsigned i = 0; i < self->daemon_count; i++)
        MHD_stop_daemon(self->daemons[i]);
    api_events_destroy(&self->events);
    for (unsigned i = 0; i < self->store_count; i++)
        store_close(&self->stores[i]);
    if (self->buckets)
        hash_table_destroy(&self->buckets);
    api_certificate_free(&self->certificate);
    pthread_cond_destroy(&self->wake);
    pthread_mutex_destroy(&self->certificate_lock);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *api = NULL;
}

struct alert_listener api_listener(struct api *api)
{
    return api->core.events;
}

bool api_reload(struct api *api, const struct config *config, struct fault *fault)
{
    struct api_certificate fresh, before;
    if (!api->certificate.certificate)
        return true;
    if (!read_certificate(api, config, &fresh, fault))
        return false;
    bool same = strcmp(fresh.certificate, api->certificate.certificate) == 0 &&
                strcmp(fresh.key, api->certificate.key) == 0;
    pthread_mutex_lock(&api->certificate_lock);
    before = api->certificate;
    api->certificate = fresh;
    pthread_mutex_unlock(&api->certificate_lock);
    api_certificate_free(&before);
    if (!same)
        log_notice("the API shows another certificate from now on");
    return true;
}

int64_t api_expires(const struct api *api)
{
    return api->certificate.certificate ? api_certificate_expires(api->certificate.certificate) : 0;
}

const char *api_endpoint(const struct api *api, unsigned index)
{
    return index < api->daemon_count ? api->endpoints[index] : NULL;
}
