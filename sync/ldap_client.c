/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/ldap_client.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "sync/ldap_dial.h"

#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define REQUEST_MAX (256u * 1024u)
/* DNS is asked again when its answer is that old. */
#define FOUND_PERIOD (15 * CLOCK_MINUTE)
/* Between two looks at the files of refused accounts. */
#define FILES_PERIOD (5 * CLOCK_SECOND)
/* DNS and libkrb5 keep their own time; a thread that takes longer than ours and this is left to itself. */
#define DIAL_PATIENCE (30 * CLOCK_SECOND)
/* A bind that ends is renewed after three quarters of its life, but not more often than: */
#define RENEWAL_MIN CLOCK_MINUTE
/* Messages between two looks at the clock. */
#define MESSAGES_PER_LOOK 64u

/* One bound connection. */
struct link {
    struct ldap_stream *stream; /* NULL: none */
    struct ldap_peer peer;
    struct controller controller;
    unsigned account;
    int64_t heard;    /* mono ns: bytes came */
    int64_t renew_at; /* INT64_MAX: its bind does not end */
};

struct operation {
    uint32_t id; /* 0: free */
    struct link *link;
    bool dirsync, paged;
    bool ended; /* its result is to be told by run(): `outcome` */
    enum ldap_outcome outcome;
    int64_t heard; /* asked, or last answered */
    int64_t limit; /* of silence */
    uint64_t objects, bytes, bytes_max, referrals;
};

struct account_state {
    bool refused;
    struct ldap_file_mark mark;
    char why[FAULT_MAX];
};

struct ldap_client {
    struct ldap_settings *settings;
    struct ldap_callbacks callbacks;
    struct controllers *controllers;
    int64_t found_at; /* mono; INT64_MIN: DNS was not asked, or in vain */
    int64_t ask_dns_after;
    unsigned dns_failures;

    enum ldap_client_state state;
    char reason[FAULT_MAX];
    int64_t retry_at; /* mono: when there is something to plan */

    struct link current, draining; /* the second: renewed, its last operations still run */
    bool fail_over;                /* asked for */
    char fail_over_reason[FAULT_MAX];

    struct ldap_dialling *dialling;
    bool finding; /* it asks DNS */
    struct controller dialled;
    unsigned dialled_account;
    int64_t dial_until;

    struct account_state accounts[LDAP_ACCOUNTS_MAX];
    uint32_t last_id;
    int64_t ahead; /* of the caller's clock before the system's: none, but in tests */
    struct operation operations[LDAP_OPERATIONS_MAX];
    struct ldap_entry_space space;
    bool unread; /* the budget ended before what had come */
    uint8_t *request;
};

/* --- life --- */

static bool set_controllers(struct ldap_client *client)
{
    const struct ldap_client_config *config = &client->settings->config;
    struct controller list[LDAP_CONTROLLERS_MAX];
    for (unsigned i = 0; i < config->controller_count; i++) {
        if (!controller_parse(config->controllers[i], &list[i]))
            return false;
        list[i].priority = (uint16_t)i;
    }
    controllers_set(client->controllers, list, config->controller_count);
    return true;
}

static bool make(struct ldap_client *client, const struct ldap_client_config *config, struct fault *fault)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed || sodium_init() < 0)
        return fault_say(fault, "no randomness");
    client->settings = ldap_settings_new(config, fault);
    if (!client->settings)
        return false;
    client->controllers = controllers_new(seed);
    client->request = malloc(REQUEST_MAX);
    if (!client->controllers || !client->request || !set_controllers(client))
        return fault_say(fault, "no memory for the directory's client");
    return true;
}

struct ldap_client *ldap_client_new(const struct ldap_client_config *config,
                                    const struct ldap_callbacks *callbacks, struct fault *fault)
{
    struct ldap_client *client = calloc(1, sizeof *client);
    if (!client) {
        fault_say(fault, "no memory for the directory's client");
        return NULL;
    }
    client->callbacks = *callbacks;
    client->found_at = INT64_MIN;
    client->ask_dns_after = INT64_MIN;
    client->last_id = LDAP_DIAL_IDS;
    if (!make(client, config, fault))
        ldap_client_destroy(&client);
    return client;
}

static void close_link(struct link *link)
{
    if (!link->stream)
        return;
    uint8_t request[32];
    size_t size = ldap_write_unbind(request, sizeof request, INT32_MAX);
    if (ldap_stream_send(link->stream, (struct bytes){request, size}))
        (void)ldap_stream_flush(link->stream, NULL);
    ldap_stream_destroy(&link->stream);
}

void ldap_client_destroy(struct ldap_client **client_p)
{
    struct ldap_client *client = *client_p;
    if (!client)
        return;
    *client_p = NULL;
    ldap_dialling_drop(&client->dialling);
    close_link(&client->current);
    close_link(&client->draining);
    ldap_entry_space_free(&client->space);
    controllers_destroy(&client->controllers);
    ldap_settings_release(&client->settings);
    free(client->request);
    free(client);
}

/* --- what it says --- */

enum ldap_client_state ldap_client_state(const struct ldap_client *client)
{
    return client->state;
}

const struct ldap_peer *ldap_client_peer(const struct ldap_client *client)
{
    return client->current.stream ? &client->current.peer : NULL;
}

const char *ldap_client_refusal(const struct ldap_client *client, unsigned account)
{
    if (account >= client->settings->config.account_count || !client->accounts[account].refused)
        return NULL;
    return client->accounts[account].why;
}

static void tell(struct ldap_client *client, enum ldap_client_state state, const char *reason)
{
    bool changed = client->state != state || strcmp(client->reason, reason) != 0;
    client->state = state;
    if (reason != client->reason)
        (void)snprintf(client->reason, sizeof client->reason, "%s", reason);
    if (changed && client->callbacks.state)
        client->callbacks.state(client->callbacks.context, state, ldap_client_peer(client), client->reason);
}

/* --- operations --- */

static struct operation *find_operation(struct ldap_client *client, uint32_t id)
{
    for (unsigned i = 0; id && i < LDAP_OPERATIONS_MAX; i++)
        if (client->operations[i].id == id)
            return &client->operations[i];
    return NULL;
}

static void finish(struct ldap_client *client, struct operation *operation, struct ldap_result *result)
{
    result->objects = operation->objects;
    result->bytes = operation->bytes;
    result->referrals = operation->referrals;
    if (!result->text)
        result->text = "";
    uint32_t id = operation->id;
    *operation = (struct operation){0}; /* first, for the callback may ask anew */
    client->callbacks.result(client->callbacks.context, id, result);
}

static void finish_as(struct ldap_client *client, struct operation *operation, enum ldap_outcome outcome,
                      const char *text)
{
    struct ldap_result result = {.outcome = outcome, .text = text};
    finish(client, operation, &result);
}

static void abandon_on_wire(struct operation *operation)
{
    uint8_t request[64];
    if (!operation->link || !operation->link->stream)
        return;
    size_t size = ldap_write_abandon(request, sizeof request, INT32_MAX, operation->id);
    (void)ldap_stream_send(operation->link->stream, (struct bytes){request, size});
    (void)ldap_stream_flush(operation->link->stream, NULL);
}

static uint32_t next_id(struct ldap_client *client)
{
    client->last_id = client->last_id < INT32_MAX - 1 ? client->last_id + 1 : LDAP_DIAL_IDS + 1;
    return client->last_id;
}

uint32_t ldap_client_search(struct ldap_client *client, const struct ldap_query *query)
{
    struct link *link = &client->current;
    if (!link->stream || client->fail_over)
        return 0;
    struct operation *free_one = NULL;
    for (unsigned i = 0; i < LDAP_OPERATIONS_MAX && !free_one; i++)
        if (client->operations[i].id == 0)
            free_one = &client->operations[i];
    if (!free_one)
        return 0;
    uint32_t id = next_id(client);
    size_t size = ldap_write_search(client->request, REQUEST_MAX, id, query);
    if (size && !ldap_stream_send(link->stream, (struct bytes){client->request, size}))
        return 0;                                /* the connection takes no more for now */
    (void)ldap_stream_flush(link->stream, NULL); /* if it broke, the next read says so */
    *free_one = (struct operation){.id = id,
                                   .link = link,
                                   .dirsync = query->dirsync,
                                   .paged = query->page_size > 0,
                                   .ended = size == 0,
                                   .outcome = LDAP_OUTCOME_MALFORMED,
                                   .heard = clock_monotonic(clock_system()) + client->ahead,
                                   .limit = client->settings->config.operation_timeout *
                                            (query->slow ? LDAP_PATIENCE : 1),
                                   .bytes_max = query->bytes_max};
    return id;
}

void ldap_client_abandon(struct ldap_client *client, uint32_t id)
{
    struct operation *operation = find_operation(client, id);
    if (!operation || operation->ended)
        return;
    abandon_on_wire(operation);
    operation->ended = true;
    operation->outcome = LDAP_OUTCOME_ABANDONED;
}

void ldap_client_fail_over(struct ldap_client *client, const char *reason)
{
    if (!client->current.stream)
        return;
    client->fail_over = true;
    (void)snprintf(client->fail_over_reason, sizeof client->fail_over_reason, "%s", reason);
}

/* Those on a link (NULL: on any), or only those of them that ended without an answer. A list, for the
 * callbacks that follow ask anew. */
static unsigned list_operations(const struct ldap_client *client, const struct link *link, bool ended,
                                uint32_t ids[LDAP_OPERATIONS_MAX])
{
    unsigned count = 0;
    for (unsigned i = 0; i < LDAP_OPERATIONS_MAX; i++) {
        const struct operation *operation = &client->operations[i];
        if (operation->id && (!link || operation->link == link) && (!ended || operation->ended))
            ids[count++] = operation->id;
    }
    return count;
}

static void tell_ended(struct ldap_client *client)
{
    uint32_t ids[LDAP_OPERATIONS_MAX];
    unsigned count = list_operations(client, NULL, true, ids);
    for (unsigned i = 0; i < count; i++) {
        struct operation *operation = find_operation(client, ids[i]);
        finish_as(client, operation, operation->outcome,
                  operation->outcome == LDAP_OUTCOME_MALFORMED ? "the question's filter is none, or too long"
                                                               : "");
    }
}

/* --- a connection ends --- */

/* The reason is told by the plan that follows. */
static void lose(struct ldap_client *client, struct link *link, const char *why, int64_t mono)
{
    char reason[FAULT_MAX];
    (void)snprintf(reason, sizeof reason, "%.100s: %.200s", link->controller.host, why);
    if (link == &client->current) {
        controllers_failed(client->controllers, &link->controller, mono);
        client->fail_over = false;
        client->retry_at = mono;
    }
    ldap_stream_destroy(&link->stream);
    uint32_t ids[LDAP_OPERATIONS_MAX];
    unsigned count = list_operations(client, link, false, ids);
    if (link == &client->current)
        tell(client, LDAP_CLIENT_CONNECTING, reason);
    for (unsigned i = 0; i < count; i++) {
        struct operation *operation = find_operation(client, ids[i]);
        finish_as(client, operation, operation->ended ? operation->outcome : LDAP_OUTCOME_LOST, reason);
    }
}

/* --- answers --- */

static void refuse_operation(struct ldap_client *client, struct operation *operation,
                             enum ldap_outcome outcome, const char *text)
{
    abandon_on_wire(operation);
    finish_as(client, operation, outcome, text);
}

static void take_entry(struct ldap_client *client, struct operation *operation,
                       const struct ldap_reply *reply, size_t size)
{
    operation->bytes += size;
    if (operation->bytes_max && operation->bytes > operation->bytes_max) {
        refuse_operation(client, operation, LDAP_OUTCOME_TOO_LARGE, "the answer is larger than was to be");
        return;
    }
    struct directory_object object;
    switch (ldap_entry_read(reply, &client->space, &object)) {
    case LDAP_ENTRY_MALFORMED:
        refuse_operation(client, operation, LDAP_OUTCOME_MALFORMED, "an entry of the answer cannot be read");
        return;
    case LDAP_ENTRY_TOO_LARGE:
        refuse_operation(client, operation, LDAP_OUTCOME_TOO_LARGE,
                         "an entry with too many attributes or values");
        return;
    case LDAP_ENTRY_FINE:
        break;
    }
    operation->objects++;
    if (client->callbacks.object)
        client->callbacks.object(client->callbacks.context, operation->id, &object);
}

static void take_done(struct ldap_client *client, struct operation *operation, const struct ldap_reply *reply)
{
    struct ldap_answer answer;
    struct ldap_result result = {.outcome = LDAP_OUTCOME_DONE};
    bool fine = ldap_answer_read(reply, &answer);
    if (fine && (operation->dirsync || operation->paged))
        fine = ldap_answer_cookie(reply, operation->dirsync, &result.cookie, &result.more);
    if (!fine) {
        finish_as(client, operation, LDAP_OUTCOME_MALFORMED, "the end of the answer cannot be read");
        return;
    }
    char text[512];
    struct text t = text_to(text, sizeof text);
    text_display(&t, answer.text);
    text_end(&t);
    result.text = text;
    result.code = answer.code;
    if (answer.code != LDAP_CODE_SUCCESS)
        result.outcome = LDAP_OUTCOME_REFUSED;
    finish(client, operation, &result);
}

/* False when the connection must end, for the reason given. */
static bool take_message(struct ldap_client *client, struct link *link, struct bytes whole, int64_t mono,
                         struct fault *fault)
{
    struct ldap_reply reply;
    if (!ldap_reply_read(whole, &reply))
        return fault_say(fault, "the directory sent what cannot be read");
    if (reply.id == 0) { /* RFC 4511 4.4: the one such notification that there is ends the connection */
        struct ldap_answer answer = {0};
        (void)ldap_answer_read(&reply, &answer);
        char text[160];
        struct text t = text_to(text, sizeof text);
        text_display(&t, answer.text);
        text_end(&t);
        return fault_say(fault, "the directory ended the connection with code %d (%s)", answer.code, text);
    }
    struct operation *operation = find_operation(client, reply.id);
    if (!operation || operation->link != link || operation->ended)
        /* The rest of what was abandoned may still come; what was never asked may not. */
        return (reply.id > LDAP_DIAL_IDS && reply.id <= client->last_id) ||
               fault_say(fault, "the directory answers what was not asked");
    operation->heard = mono;
    operation->limit = client->settings->config.operation_timeout;
    switch (reply.operation) {
    case LDAP_OP_ENTRY:
        take_entry(client, operation, &reply, whole.size);
        break;
    case LDAP_OP_REFERENCE:
        operation->referrals++;
        operation->bytes += whole.size;
        break;
    case LDAP_OP_SEARCH_DONE:
        operation->bytes += whole.size;
        take_done(client, operation, &reply);
        break;
    default:
        refuse_operation(client, operation, LDAP_OUTCOME_MALFORMED,
                         "an answer of another kind than was asked for");
        break;
    }
    return true;
}

/* Reads until nothing is there or the time is up. */
static bool pump(struct ldap_client *client, struct link *link, int64_t mono, int64_t until,
                 struct fault *fault)
{
    if (!ldap_stream_flush(link->stream, fault))
        return false;
    for (unsigned count = 1;; count++) {
        if (count % MESSAGES_PER_LOOK == 0 && clock_monotonic(clock_system()) >= until) {
            client->unread = true;
            break;
        }
        struct bytes whole;
        int got = ldap_stream_message(link->stream, &whole, fault);
        if (got > 0) {
            if (!take_message(client, link, whole, mono, fault))
                return false;
            if (client->fail_over && link == &client->current)
                break;
            continue;
        }
        if (got == 0)
            got = ldap_stream_read(link->stream, fault);
        if (got < 0)
            return false;
        if (got == 0)
            break;
        link->heard = mono;
    }
    return ldap_stream_flush(link->stream, fault); /* what callbacks asked */
}

static void serve(struct ldap_client *client, struct link *link, int64_t mono, int64_t until)
{
    if (!link->stream)
        return;
    struct fault fault = {.text = ""};
    if (!pump(client, link, mono, until, &fault))
        lose(client, link, fault.text, mono);
}

/* An operation that nothing was heard of in time is lost; and the connection with it, when nothing at all
 * came. */
static void expire(struct ldap_client *client, int64_t mono)
{
    for (unsigned i = 0; i < LDAP_OPERATIONS_MAX; i++) {
        struct operation *operation = &client->operations[i];
        if (!operation->id || operation->ended || mono - operation->heard < operation->limit)
            continue;
        struct link *link = operation->link;
        if (mono - link->heard >= operation->limit)
            lose(client, link, "nothing came in time", mono);
        else
            refuse_operation(client, operation, LDAP_OUTCOME_LOST, "no answer in time");
    }
}

static bool link_is_used(const struct ldap_client *client, const struct link *link)
{
    uint32_t ids[LDAP_OPERATIONS_MAX];
    return list_operations(client, link, false, ids) > 0;
}

/* --- dialling --- */

static int64_t renewal_time(int64_t expires, int64_t mono)
{
    if (expires == 0)
        return INT64_MAX;
    int64_t life = expires - clock_wall(clock_system());
    int64_t after = life - life / 4;
    return mono + (after > RENEWAL_MIN ? after : RENEWAL_MIN);
}

static void refuse_account(struct ldap_client *client, unsigned account, const char *why)
{
    const struct ldap_account *is = &client->settings->config.accounts[account];
    struct account_state *state = &client->accounts[account];
    state->refused = true;
    state->mark = ldap_file_mark(ldap_account_file(is));
    (void)snprintf(state->why, sizeof state->why, "%.100s: %.200s", is->principal, why);
}

/* The operations of the connection that is replaced go on where they are. */
static void replace_link(struct ldap_client *client)
{
    client->draining = client->current;
    client->current = (struct link){0};
    for (unsigned i = 0; i < LDAP_OPERATIONS_MAX; i++)
        if (client->operations[i].id && client->operations[i].link == &client->current)
            client->operations[i].link = &client->draining;
}

static void take_link(struct ldap_client *client, struct ldap_dial_outcome *outcome, int64_t mono)
{
    bool another = true;
    if (client->current.stream) {
        another = memcmp(client->current.peer.invocation_id, outcome->peer.invocation_id,
                         sizeof outcome->peer.invocation_id) != 0;
        replace_link(client);
    }
    client->current = (struct link){.stream = outcome->stream,
                                    .peer = outcome->peer,
                                    .controller = client->dialled,
                                    .account = client->dialled_account,
                                    .heard = mono,
                                    .renew_at = renewal_time(outcome->expires, mono)};
    outcome->stream = NULL;
    controllers_succeeded(client->controllers, &client->dialled);
    if (!another) {
        log_info("%s: the bind as %s is renewed", client->current.peer.host, client->current.peer.account);
        return;
    }
    client->state = LDAP_CLIENT_CONNECTING; /* another controller is news though the state is the same */
    char reason[FAULT_MAX];
    (void)snprintf(reason, sizeof reason, "bound to %.100s as %.100s", client->current.peer.host,
                   client->current.peer.account);
    tell(client, LDAP_CLIENT_BOUND, reason);
}

static void dial_failed(struct ldap_client *client, enum ldap_blame blame, const char *why, int64_t mono)
{
    if (blame == LDAP_BLAME_ACCOUNT)
        refuse_account(client, client->dialled_account, why);
    else
        controllers_failed(client->controllers, &client->dialled, mono);
    if (client->current.stream) {
        client->current.renew_at = mono + RENEWAL_MIN;
        return;
    }
    char reason[FAULT_MAX];
    if (blame == LDAP_BLAME_ACCOUNT)
        (void)snprintf(reason, sizeof reason, "%s", client->accounts[client->dialled_account].why);
    else
        (void)snprintf(reason, sizeof reason, "%.100s: %.200s", client->dialled.host, why);
    tell(client, LDAP_CLIENT_CONNECTING, reason);
}

static void found_none(struct ldap_client *client, const char *why, int64_t mono)
{
    unsigned shift = client->dns_failures < 6 ? client->dns_failures++ : 6;
    client->ask_dns_after = mono + (CLOCK_SECOND << shift);
    tell(client, LDAP_CLIENT_CONNECTING, why);
}

static void take_found(struct ldap_client *client, int64_t mono)
{
    unsigned count;
    const struct controller *list = ldap_dialling_found(client->dialling, &count);
    if (count == 0) {
        found_none(client, ldap_dialling_outcome(client->dialling)->fault.text, mono);
        return;
    }
    controllers_set(client->controllers, list, count);
    client->found_at = mono;
    client->dns_failures = 0;
}

static void take_dialled(struct ldap_client *client, int64_t mono)
{
    if (!client->dialling)
        return;
    bool done = ldap_dialling_done(client->dialling);
    if (!done && mono < client->dial_until)
        return;
    struct ldap_dialling *dialling = client->dialling;
    if (client->finding && done)
        take_found(client, mono);
    client->dialling = NULL; /* callbacks see a client that dials nothing */
    client->retry_at = mono;
    struct ldap_dial_outcome *outcome = done ? ldap_dialling_outcome(dialling) : NULL;
    if (client->finding) {
        if (!done)
            found_none(client, "DNS does not answer", mono);
    } else if (outcome && outcome->stream) {
        take_link(client, outcome, mono);
    } else {
        dial_failed(client, outcome ? outcome->blame : LDAP_BLAME_CONTROLLER,
                    outcome ? outcome->fault.text : "no answer in time", mono);
    }
    ldap_dialling_drop(&dialling);
}

static void start_dialling(struct ldap_client *client, const struct controller *controller, unsigned account,
                           int64_t mono)
{
    const struct ldap_client_config *config = &client->settings->config;
    client->finding = controller == NULL;
    if (controller)
        client->dialled = *controller;
    client->dialled_account = account;
    client->dial_until = mono + config->connect_timeout + 2 * config->bind_timeout + DIAL_PATIENCE;
    client->dialling = ldap_dialling_start(client->settings, controller, account);
    client->retry_at = client->dialling ? INT64_MAX : mono + CLOCK_SECOND;
}

/* --- plan --- */

/* Accounts whose file changed since they were refused are tried again. The first that may be used. */
static bool usable_account(struct ldap_client *client, unsigned *account)
{
    const struct ldap_settings *settings = client->settings;
    for (unsigned i = 0; i < settings->config.account_count; i++) {
        unsigned at = settings->account_order[i];
        struct account_state *state = &client->accounts[at];
        if (state->refused) {
            struct ldap_file_mark mark = ldap_file_mark(ldap_account_file(&settings->config.accounts[at]));
            if (ldap_file_mark_equal(&mark, &state->mark))
                continue;
            state->refused = false;
        }
        *account = at;
        return true;
    }
    return false;
}

static bool must_ask_dns(const struct ldap_client *client, int64_t mono)
{
    if (client->settings->config.controller_count > 0 || mono < client->ask_dns_after)
        return false;
    return client->found_at == INT64_MIN || mono - client->found_at >= FOUND_PERIOD;
}

static void wait_until(struct ldap_client *client, int64_t when, int64_t mono)
{
    client->retry_at = when > mono ? when : mono + CLOCK_SECOND;
    tell(client, LDAP_CLIENT_WAITING, client->reason);
}

static void plan_first(struct ldap_client *client, int64_t mono)
{
    unsigned account;
    if (!usable_account(client, &account)) {
        client->retry_at = mono + FILES_PERIOD;
        tell(client, LDAP_CLIENT_REFUSED, client->accounts[client->settings->account_order[0]].why);
        return;
    }
    if (must_ask_dns(client, mono)) {
        start_dialling(client, NULL, account, mono);
    } else {
        int64_t again;
        const struct controller *controller = controllers_pick(client->controllers, mono, &again);
        if (!controller) {
            if (client->settings->config.controller_count == 0) {
                /* All of them failed: others may be named by now. */
                client->found_at = INT64_MIN;
                if (client->ask_dns_after < mono + CLOCK_SECOND)
                    client->ask_dns_after = mono + CLOCK_SECOND;
                if (client->ask_dns_after < again)
                    again = client->ask_dns_after;
            }
            wait_until(client, again, mono);
            return;
        }
        start_dialling(client, controller, account, mono);
    }
    if (client->state != LDAP_CLIENT_CONNECTING)
        tell(client, LDAP_CLIENT_CONNECTING, client->reason);
}

static void plan(struct ldap_client *client, int64_t mono)
{
    if (client->draining.stream && !link_is_used(client, &client->draining))
        close_link(&client->draining);
    if (client->dialling)
        return;
    if (!client->current.stream) {
        if (mono >= client->retry_at)
            plan_first(client, mono);
        return;
    }
    unsigned account;
    if (mono < client->current.renew_at || client->draining.stream)
        return;
    client->current.renew_at = mono + RENEWAL_MIN;
    if (usable_account(client, &account))
        start_dialling(client, &client->current.controller, account, mono);
}

void ldap_client_run(struct ldap_client *client, int64_t mono, int64_t budget)
{
    int64_t now = clock_monotonic(clock_system()), until = now + budget;
    client->ahead = mono - now;
    client->unread = false;
    take_dialled(client, mono);
    serve(client, &client->draining, mono, until);
    if (!client->fail_over)
        serve(client, &client->current, mono, until);
    expire(client, mono);
    if (client->fail_over && client->current.stream)
        lose(client, &client->current, client->fail_over_reason, mono);
    tell_ended(client);
    plan(client, mono);
}

static unsigned add(struct pollfd *descriptors, unsigned capacity, unsigned count, int descriptor,
                    short events)
{
    if (count < capacity)
        descriptors[count++] = (struct pollfd){.fd = descriptor, .events = events};
    return count;
}

static int64_t earliest(const struct ldap_client *client)
{
    int64_t at = INT64_MAX;
    if (client->dialling)
        at = client->dial_until;
    else if (client->current.stream)
        at = client->draining.stream ? INT64_MAX : client->current.renew_at;
    else
        at = client->retry_at;
    for (unsigned i = 0; i < LDAP_OPERATIONS_MAX; i++) {
        const struct operation *operation = &client->operations[i];
        if (!operation->id)
            continue;
        int64_t ends = operation->ended ? 0 : operation->heard + operation->limit;
        if (ends < at)
            at = ends;
    }
    return at;
}

unsigned ldap_client_poll(const struct ldap_client *client, struct pollfd *descriptors, unsigned capacity,
                          int64_t *deadline)
{
    unsigned count = 0;
    const struct link *links[] = {&client->current, &client->draining};
    bool at_once = client->unread || client->fail_over;
    for (unsigned i = 0; i < 2; i++) {
        const struct ldap_stream *stream = links[i]->stream;
        if (!stream)
            continue;
        count = add(descriptors, capacity, count, ldap_stream_descriptor(stream), ldap_stream_events(stream));
        at_once |= ldap_stream_ready(stream);
    }
    if (client->dialling)
        count = add(descriptors, capacity, count, ldap_dialling_descriptor(client->dialling), POLLIN);
    *deadline = at_once ? 0 : earliest(client);
    return count;
}
