/* SPDX-License-Identifier: Apache-2.0
 *
 * What an LDAP search looks for, by families of its filter (RFC 4515, as text), its base and what it got: the
 * ways in which a directory is enumerated.
 */
#pragma once

#include "center/detectors/directory.h"

enum ldap_family {
    LDAP_USERS,
    LDAP_GROUPS,
    LDAP_COMPUTERS,
    LDAP_UNITS,
    LDAP_POLICIES,
    LDAP_TRUSTS,
    LDAP_CONTROLLERS,
    LDAP_EVERYTHING,
    LDAP_SERVICES,    /* accounts with service principals */
    LDAP_NO_PREAUTH,  /* accounts that need no pre-authentication */
    LDAP_DELEGATION,  /* who may delegate */
    LDAP_ADMINS,      /* adminCount */
    LDAP_SENSITIVE,   /* a sensitive group by its name */
    LDAP_DNS,         /* the zones in the directory */
    LDAP_MANAGED,     /* group managed service accounts */
    LDAP_DESCRIPTORS, /* security descriptors of many objects */
    LDAP_ANONYMOUS,   /* without authentication */
    LDAP_FAMILIES
};

const char *ldap_family_words(unsigned family);
/* How much it tells of an enumeration: 1 to 3. */
unsigned ldap_family_weight(unsigned family);
unsigned ldap_weight(uint32_t families);

/* One comparison of a filter: (attribute op value), the rule behind a colon left at the attribute. */
struct ldap_item {
    struct bytes attribute, value;
    bool negated; /* below a ! */
};
/* Each comparison, in order, of a filter of any depth; the visitor ends it by true. */
void ldap_filter_each(struct bytes filter, bool (*visit)(void *context, const struct ldap_item *item),
                      void *context);

/* A bit for each family of a search (ldap_search, ldap_expensive_search); 0: a look-up of single objects, the
 * root DSE, or nothing that matters. */
uint32_t ldap_families(const struct observation *o);
/* "all users, trusts". */
void ldap_families_text(uint32_t families, char *to, size_t capacity);
