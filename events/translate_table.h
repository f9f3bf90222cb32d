/* SPDX-License-Identifier: Apache-2.0
 *
 * Which events are read, and how: one row per event id. Private to the translator.
 */
#pragma once

#include "base/activity.h"

/* How the value of an item becomes that of a field. A hyphen or nothing at all is no value for any. */
enum item_form {
    ITEM_END,
    ITEM_TEXT,         /* a string field */
    ITEM_UINT,         /* decimal, 0x..., or %%number; negative ones are taken as 32 bits */
    ITEM_INT,          /* likewise; 0xffffffff says that there is none */
    ITEM_ID,           /* likewise; 0 says that there is none */
    ITEM_FLAG,         /* %%1842 or a number other than 0: true; %%1843 or 0: false */
    ITEM_PRESENT,      /* true when there is a value */
    ITEM_SID,          /* S-1-..., also in %{}; the null SID says that there is none */
    ITEM_GUID,         /* also in {} or %{}; the zero GUID says that there is none */
    ITEM_DN,           /* a distinguished name, where it may be a GUID instead */
    ITEM_GUIDS,        /* every {GUID} in a text, as strings */
    ITEM_WORDS,        /* a list: split at white space, commas and semicolons */
    ITEM_ADDRESS,      /* an address; loopback, which names no client, is left out */
    ITEM_ENDPOINT,     /* address:port, likewise: two fields */
    ITEM_PORT,         /* 0 says that there is none */
    ITEM_MILLISECONDS, /* a duration */
    ITEM_PRINCIPAL,    /* DOMAIN\account: two fields */
    ITEM_KERBEROS,     /* account@REALM: without the realm when the next item says it too */
    ITEM_NTLM,         /* "NTLM V1" and the like */
    ITEM_SCOPE,        /* of a search: base, onelevel, subtree */
    ITEM_START,        /* start type of a service: a number, or the word of the log in English */
    ITEM_TEMPLATE,     /* CertificateTemplate:NAME among the attributes of a request */
};

struct event_item {
    const char *name; /* in EventData */
    enum item_form form;
    enum activity_field field;
    bool needed; /* the event is none without it; it may be empty */
};

/* What an event says by its number alone. */
struct event_fact {
    enum activity_field field;
    const char *text; /* of a string; NULL: a flag */
    bool flag;
};

struct event_row {
    uint32_t id;
    enum activity_kind kind;
    const char *channel;
    const char *provider;          /* instead, where the source tells no channel */
    const char *layout;            /* names of the items in their order, for sources that tell no names */
    const struct event_item *head; /* items that the rows of a kind share; NULL: none */
    const struct event_item *items;
    struct event_fact facts[3];
    bool user_acts;  /* the account that acts is the one in whose name it was logged */
    bool has_member; /* says who joined or left, by either name */
};

/* The row of an event id; NULL when Picket does not read it. */
const struct event_row *event_row(uint32_t id);

/* Changes of accounts: item -> attribute of the directory. */
struct event_attribute {
    const char *item;
    const char *attribute;
};
extern const struct event_attribute event_account_attributes[]; /* ends with NULL */

/* Whether the values of an attribute of the directory are secrets, which no activity bears. */
bool event_attribute_is_secret(struct bytes attribute);
