/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/ldap_settings.h"

#include "sync/controllers.h"
#include "sync/ldap_account.h"

#include <stdlib.h>
#include <string.h>

static bool check_account(const struct ldap_account *account, struct fault *fault)
{
    if (!account->domain || !account->principal || !account->principal[0])
        return fault_say(fault, "an account without a domain or a name");
    bool password = account->password_file != NULL;
    if (account->method == LDAP_BIND_SIMPLE && account->security == LDAP_SECURITY_SASL)
        return fault_say(fault,
                         "%s: a simple bind would send the password in clear: it needs StartTLS or LDAPS",
                         account->principal);
    if (account->method == LDAP_BIND_SIMPLE && !password)
        return fault_say(fault, "%s: a simple bind needs a password file", account->principal);
    if (account->method != LDAP_BIND_SIMPLE && !account->keytab && !password)
        return fault_say(fault, "%s: a bind by Kerberos needs a keytab or a password file",
                         account->principal);
    return true;
}

static bool check(const struct ldap_client_config *config, struct fault *fault)
{
    if (!config->domain || !config->domain[0])
        return fault_say(fault, "a directory without a domain");
    if (config->account_count == 0 || config->account_count > LDAP_ACCOUNTS_MAX)
        return fault_say(fault, "%s: between 1 and %u accounts", config->domain, LDAP_ACCOUNTS_MAX);
    if (config->controller_count > LDAP_CONTROLLERS_MAX)
        return fault_say(fault, "%s: more than %u domain controllers", config->domain, LDAP_CONTROLLERS_MAX);
    if (config->connect_timeout <= 0 || config->bind_timeout <= 0 || config->operation_timeout <= 0)
        return fault_say(fault, "%s: a time-out of nothing", config->domain);
    for (unsigned i = 0; i < config->controller_count; i++) {
        struct controller parsed;
        if (!controller_parse(config->controllers[i], &parsed))
            return fault_say(fault, "%s is no HOST[:PORT]", config->controllers[i]);
    }
    for (unsigned i = 0; i < config->account_count; i++)
        if (!check_account(&config->accounts[i], fault))
            return false;
    return true;
}

static bool copy(const char **string)
{
    if (!*string)
        return true;
    *string = strdup(*string);
    return *string != NULL;
}

/* Every string, also after one failed: then all are ours or NULL. */
static bool copy_strings(struct ldap_client_config *c)
{
    bool kept = copy(&c->domain);
    kept &= copy(&c->site);
    kept &= copy(&c->ca_file);
    for (unsigned i = 0; i < c->controller_count; i++)
        kept &= copy(&c->controllers[i]);
    for (unsigned i = 0; i < c->account_count; i++) {
        kept &= copy(&c->accounts[i].domain);
        kept &= copy(&c->accounts[i].principal);
        kept &= copy(&c->accounts[i].keytab);
        kept &= copy(&c->accounts[i].password_file);
    }
    return kept;
}

static void drop(const char *string)
{
    free((void *)(uintptr_t)string);
}

struct ldap_settings *ldap_settings_new(const struct ldap_client_config *config, struct fault *fault)
{
    if (!check(config, fault))
        return NULL;
    struct ldap_settings *settings = calloc(1, sizeof *settings);
    if (!settings) {
        fault_say(fault, "no memory");
        return NULL;
    }
    atomic_store(&settings->holders, 1);
    settings->config = *config;
    if (!copy_strings(&settings->config)) {
        fault_say(fault, "no memory");
        ldap_settings_release(&settings);
        return NULL;
    }
    ldap_account_order(config->domain, config->accounts, config->account_count, settings->account_order);
    return settings;
}

struct ldap_settings *ldap_settings_hold(struct ldap_settings *settings)
{
    atomic_fetch_add(&settings->holders, 1);
    return settings;
}

void ldap_settings_release(struct ldap_settings **settings_p)
{
    struct ldap_settings *settings = *settings_p;
    *settings_p = NULL;
    if (!settings || atomic_fetch_sub(&settings->holders, 1) != 1)
        return;
    struct ldap_client_config *c = &settings->config;
    drop(c->domain);
    drop(c->site);
    drop(c->ca_file);
    for (unsigned i = 0; i < c->controller_count; i++)
        drop(c->controllers[i]);
    for (unsigned i = 0; i < c->account_count; i++) {
        drop(c->accounts[i].domain);
        drop(c->accounts[i].principal);
        drop(c->accounts[i].keytab);
        drop(c->accounts[i].password_file);
    }
    free(settings);
}
