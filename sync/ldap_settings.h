/* SPDX-License-Identifier: Apache-2.0
 *
 * A client's configuration, copied: the client and the threads that dial for it hold it together, and a
 * thread that a name server or a KDC keeps waiting may outlive the client.
 */
#pragma once

#include "sync/ldap_client.h"

#include <stdatomic.h>

/* Threads that dial at one time, stuck ones counted. */
#define LDAP_DIALS_MAX 4

struct ldap_settings {
    struct ldap_client_config config; /* its strings are here */
    unsigned account_order[LDAP_ACCOUNTS_MAX];
    atomic_int holders;
    atomic_int dials;
};

/* NULL without memory, or with settings that cannot be. One holder. */
struct ldap_settings *ldap_settings_new(const struct ldap_client_config *config, struct fault *fault);
struct ldap_settings *ldap_settings_hold(struct ldap_settings *settings);
void ldap_settings_release(struct ldap_settings **settings);
