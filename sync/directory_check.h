/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a domain can be read as it must: each domain controller with each account, step by step; of what is
 * missing, the command that grants it. For `picket directory check`.
 */
#pragma once

#include "sync/ldap_client.h"

#include <stdatomic.h>

enum check_verdict {
    CHECK_PASSED,
    CHECK_FAILED,
    CHECK_SKIPPED, /* could not be tried, for something before it failed, or need not */
};

/* In the order in which they come; of one controller and account none comes after a failed bind but skipped
 * ones. */
enum check_kind {
    CHECK_CONTROLLERS,           /* of the domain: found or configured */
    CHECK_RESOLVE,               /* the controller's name has addresses */
    CHECK_CONNECT,               /* its port is open */
    CHECK_CERTIFICATE,           /* TLS, where the account is to use it */
    CHECK_BIND,                  /* the account is accepted, and the directory has proved itself */
    CHECK_DOMAIN,                /* it is a controller of this domain */
    CHECK_CLOCK,                 /* its clock is ours within five minutes, which is what Kerberos bears */
    CHECK_DIRSYNC,               /* DS-Replication-Get-Changes on the domain */
    CHECK_DIRSYNC_CONFIGURATION, /* the same on the configuration (else it is polled) */
    CHECK_DELETED,       /* CN=Deleted Objects can be read (else deletions are found by reconciliation) */
    CHECK_CONFIGURATION, /* sites can be read */
    CHECK_RANGES,        /* values of large groups come in ranges */
    CHECK_READING,       /* searches show what DirSync shows (else the copy cannot be compared) */
    CHECK_KINDS
};
const char *check_kind_name(enum check_kind kind); /* "bind", "dirsync-configuration" ... */

/* Valid during the call that hands it over. */
struct check_result {
    enum check_kind kind;
    const char *controller; /* as configured or found; "" for CHECK_CONTROLLERS */
    const char *account;    /* principal; "" for CHECK_CONTROLLERS */
    enum check_verdict verdict;
    bool required;             /* nothing works without it; the others cost time or freshness */
    const char *what;          /* a sentence */
    const char *grant_windows; /* to be run by a domain administrator on Windows; "": nothing to grant */
    const char *grant_samba;   /* the same on a Samba domain controller, as root */
};

/* Blocks: for a thread of its own, some seconds a controller. A secret that is refused once is not tried
 * again. `cancelled` ends it within a time-out. Returns whether everything that is required passed with some
 * controller and account; false with the reason when the settings cannot be. */
bool directory_check(const struct ldap_client_config *config,
                     void (*result)(void *context, const struct check_result *result), void *context,
                     const atomic_bool *cancelled, struct fault *fault);
