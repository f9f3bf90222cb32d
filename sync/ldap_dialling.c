/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/ldap_dial.h"

#include "base/thread.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ANSWER_MAX 65536

/* --- DNS --- */

static bool ask_dns(res_state state, const char *name, uint8_t tier, struct controller *list, unsigned *count)
{
    uint8_t *answer = malloc(ANSWER_MAX);
    if (!answer)
        return false;
    int size = res_nquery(state, name, ns_c_in, ns_t_srv, answer, ANSWER_MAX);
    if (size > 0)
        controllers_read_answer((struct bytes){answer, (size_t)(size < ANSWER_MAX ? size : ANSWER_MAX)}, tier,
                                list, count);
    free(answer);
    return size > 0;
}

bool ldap_find_controllers(const struct ldap_client_config *config, struct controller *list, unsigned *count,
                           struct fault *fault)
{
    *count = 0;
    struct __res_state state;
    memset(&state, 0, sizeof state);
    if (res_ninit(&state) < 0)
        return fault_say(fault, "no name server is configured");
    state.retrans = 2; /* s */
    state.retry = 2;
    char name[2 * CONTROLLER_NAME_MAX + 64];
    if (config->site && config->site[0]) {
        (void)snprintf(name, sizeof name, "_ldap._tcp.%s._sites.dc._msdcs.%s", config->site, config->domain);
        (void)ask_dns(&state, name, 0, list, count);
    }
    (void)snprintf(name, sizeof name, "_ldap._tcp.dc._msdcs.%s", config->domain);
    bool answered = ask_dns(&state, name, 1, list, count);
    int error = state.res_h_errno;
    res_nclose(&state);
    if (*count > 0)
        return true;
    return fault_say(fault, "DNS names no domain controller of %s (%s): %s", config->domain, name,
                     answered ? "an answer without records" : hstrerror(error));
}

/* --- the thread --- */

struct ldap_dialling {
    atomic_int holders; /* the client and the thread */
    struct ldap_settings *settings;
    bool has_controller;
    struct controller controller;
    unsigned account;
    atomic_bool cancelled, done;
    int event;
    struct ldap_dial_outcome outcome;
    struct controller found[CONTROLLERS_MAX];
    unsigned found_count;
};

static void let_go(struct ldap_dialling *d)
{
    if (atomic_fetch_sub(&d->holders, 1) != 1)
        return;
    ldap_stream_destroy(&d->outcome.stream);
    if (d->event >= 0)
        close(d->event);
    ldap_settings_release(&d->settings);
    free(d);
}

static void *run(void *context)
{
    struct ldap_dialling *d = context;
    const struct ldap_client_config *config = &d->settings->config;
    if (d->has_controller) {
        struct ldap_dial_order order = {.config = config,
                                        .controller = d->controller,
                                        .account = &config->accounts[d->account],
                                        .cancelled = &d->cancelled};
        ldap_dial(&order, &d->outcome);
    } else {
        (void)ldap_find_controllers(config, d->found, &d->found_count, &d->outcome.fault);
    }
    atomic_fetch_sub(&d->settings->dials, 1);
    atomic_store(&d->done, true);
    (void)eventfd_write(d->event, 1);
    let_go(d);
    return NULL;
}

static bool start(struct ldap_dialling *d)
{
    pthread_t thread;
    atomic_store(&d->holders, 2);
    return thread_start(&thread, "ldap-dial", run, d) && pthread_detach(thread) == 0;
}

struct ldap_dialling *ldap_dialling_start(struct ldap_settings *settings, const struct controller *controller,
                                          unsigned account)
{
    struct ldap_dialling *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->settings = ldap_settings_hold(settings);
    d->has_controller = controller != NULL;
    if (controller)
        d->controller = *controller;
    d->account = account;
    d->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool room = atomic_fetch_add(&settings->dials, 1) < LDAP_DIALS_MAX;
    if (room && d->event >= 0 && start(d))
        return d;
    atomic_fetch_sub(&settings->dials, 1);
    atomic_store(&d->holders, 1);
    let_go(d);
    return NULL;
}

int ldap_dialling_descriptor(const struct ldap_dialling *d)
{
    return d->event;
}

bool ldap_dialling_done(const struct ldap_dialling *d)
{
    return atomic_load(&d->done);
}

struct ldap_dial_outcome *ldap_dialling_outcome(struct ldap_dialling *d)
{
    return &d->outcome;
}

const struct controller *ldap_dialling_found(const struct ldap_dialling *d, unsigned *count)
{
    *count = d->found_count;
    return d->found;
}

void ldap_dialling_drop(struct ldap_dialling **d_p)
{
    struct ldap_dialling *d = *d_p;
    if (!d)
        return;
    *d_p = NULL;
    atomic_store(&d->cancelled, true);
    let_go(d);
}
