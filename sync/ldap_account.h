/* SPDX-License-Identifier: Apache-2.0
 *
 * The accounts that a directory is read with: their order, their secrets, and what a refusal means.
 */
#pragma once

#include "base/cursor.h"
#include "sync/ldap_client.h"

/* What of a file changes when somebody mends it: contents, owner or mode. Zero when it is not there. */
struct ldap_file_mark {
    int64_t modified, changed; /* ns */
    uint64_t size, inode, device;
};
struct ldap_file_mark ldap_file_mark(const char *path);
bool ldap_file_mark_equal(const struct ldap_file_mark *a, const struct ldap_file_mark *b);

/* The file with the account's secret: its keytab, or else its password's. */
const char *ldap_account_file(const struct ldap_account *account);

/* The accounts in the order in which a domain's directory is tried with them: its own, those of its parents
 * (the nearest first), the others as they stand. */
void ldap_account_order(const char *domain, const struct ldap_account *accounts, unsigned count,
                        unsigned *order);

/* Who is at fault when a bind fails: with another controller it may work, or with another account. */
enum ldap_blame { LDAP_BLAME_CONTROLLER, LDAP_BLAME_ACCOUNT };

/* What a refused simple bind means, from the result code and Active Directory's text ("..., data 52e,
 * v1db1"). */
enum ldap_blame ldap_bind_refusal(int code, struct bytes text, struct fault *fault);
