/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection to a domain's directory: finds a domain controller, binds, keeps several operations in flight,
 * fails over. Driven by one thread that polls it; the callbacks run inside ldap_client_run(), which never
 * blocks: what must (DNS, the KDC, TLS, the bind) is done by a thread that the client starts for it.
 *
 * RFC 4511, [MS-ADTS] 3.1.1.3. Not on libldap, whose reader stops the program by an assertion when a
 * directory sends an unsolicited notification with an empty name, before it has proved itself:
 * docs/dependencies.md.
 */
#pragma once

#include "base/address.h"
#include "base/fault.h"
#include "sync/directory_object.h"

#include <poll.h>

#define LDAP_ACCOUNTS_MAX    8u
#define LDAP_CONTROLLERS_MAX 64u
#define LDAP_OPERATIONS_MAX  64u

enum ldap_bind_method {
    LDAP_BIND_GSSAPI, /* Kerberos with a keytab or password, own credential cache in memory; sealed */
    LDAP_BIND_SPNEGO, /* GSS-SPNEGO, likewise */
    LDAP_BIND_SIMPLE, /* name and password, only under TLS */
};

enum ldap_security {
    LDAP_SECURITY_SASL,     /* GSSAPI's own sealing, on port 389 */
    LDAP_SECURITY_STARTTLS, /* 389, verified certificate */
    LDAP_SECURITY_LDAPS,    /* 636, verified certificate */
};

struct ldap_account {
    const char *domain;        /* whose account it is */
    const char *principal;     /* user@REALM, or a DN for a simple bind */
    const char *keytab;        /* path, 0600; GSSAPI and SPNEGO */
    const char *password_file; /* path, 0600; simple, and the others without keytab */
    enum ldap_bind_method method;
    enum ldap_security security;
};

struct ldap_client_config {
    const char *domain; /* DNS name */
    const char *site;   /* preferred; NULL: none */
    /* HOST[:PORT] in order of preference; none: DNS SRV _ldap._tcp.SITE._sites.dc._msdcs.DOMAIN, then
     * _ldap._tcp.dc._msdcs.DOMAIN */
    const char *controllers[LDAP_CONTROLLERS_MAX];
    unsigned controller_count;
    struct ldap_account
        accounts[LDAP_ACCOUNTS_MAX]; /* tried: exact domain, its parents, others, in this order */
    unsigned account_count;
    const char *ca_file; /* of certificates to trust; NULL: the system's */
    int64_t connect_timeout, bind_timeout, operation_timeout; /* ns; operation: without any answer */
    /* A refused password is not tried again until its file changes: no lock-out. */
};

enum ldap_client_state {
    LDAP_CLIENT_IDLE,
    LDAP_CLIENT_CONNECTING,
    LDAP_CLIENT_BOUND,
    LDAP_CLIENT_WAITING, /* failed: tries again at `retry_at` */
    LDAP_CLIENT_REFUSED, /* every account was refused: waits for a changed password, keytab or configuration
                          */
};

/* Who is at the other end: from its rootDSE, read after each bind. */
struct ldap_peer {
    char host[256];            /* as dialled */
    char dns_host_name[256];   /* dnsHostName */
    char account[256];         /* that is bound */
    struct ip_address address; /* connected to */
    uint8_t invocation_id[16]; /* of its nTDSDSA: another one = another database */
    uint64_t highest_usn;      /* highestCommittedUSN at the bind */
    char default_context[512], configuration_context[512], schema_context[512], root_context[512];
    bool dirsync, paged, notification, extended_dn; /* supportedControl */
    int64_t clock_difference;                       /* ns, currentTime - ours */
    unsigned functional_level;
};

#define LDAP_PATIENCE 10

enum ldap_scope { LDAP_BASE, LDAP_ONE_LEVEL, LDAP_SUBTREE };

/* What is asked. Strings need to live only during the call. */
struct ldap_query {
    const char *base;
    enum ldap_scope scope;
    const char *filter;
    const char *const *attributes; /* NULL-terminated; NULL: all */
    uint32_t size_limit;           /* 0: none */
    uint64_t bytes_max; /* an answer of more than that is abandoned: LDAP_OUTCOME_TOO_LARGE; 0: none */
    bool extended_dn;   /* 1.2.840.113556.1.4.529: GUID and SID in every DN */
    bool show_deleted;  /* 1.2.840.113556.1.4.417 */
    bool dirsync;       /* 1.2.840.113556.1.4.841 with: */
    uint32_t dirsync_flags;
    bool slow; /* it may think long before it says anything: LDAP_PATIENCE times the time-out */
    uint32_t dirsync_bytes;
    struct bytes cookie; /* of DirSync, or of paging */
    uint32_t page_size;  /* 1.2.840.113556.1.4.319; 0: no paging */
};

enum ldap_outcome {
    LDAP_OUTCOME_DONE,
    LDAP_OUTCOME_REFUSED,   /* by the directory: `code` */
    LDAP_OUTCOME_LOST,      /* the connection ended, or nothing came in time: ask again, maybe elsewhere */
    LDAP_OUTCOME_TOO_LARGE, /* over bytes_max or the client's bounds */
    LDAP_OUTCOME_MALFORMED, /* the answer cannot be read */
    LDAP_OUTCOME_ABANDONED,
};

struct ldap_result {
    enum ldap_outcome outcome;
    int code;                /* LDAP result code, RFC 4511 4.1.9 */
    const char *text;        /* diagnostic message, printable, may be empty */
    struct bytes cookie;     /* DirSync's or paging's, valid during the call */
    bool more;               /* DirSync said so, or the page was not the last */
    uint64_t objects, bytes; /* of this operation */
    uint64_t referrals;      /* that came and were not followed */
};

struct ldap_callbacks {
    void (*object)(void *context, uint32_t operation, const struct directory_object *object);
    void (*result)(void *context, uint32_t operation, const struct ldap_result *result);
    /* The state changed, or another controller is bound: `peer` is not NULL when one is; `reason` says why,
     * for people. A bind that is renewed with the same database is not told of. */
    void (*state)(void *context, enum ldap_client_state state, const struct ldap_peer *peer,
                  const char *reason);
    void *context;
};

struct ldap_client;

/* NULL without memory or with settings that cannot be (simple without TLS). Nothing is dialled yet; the
 * configuration is copied. */
struct ldap_client *ldap_client_new(const struct ldap_client_config *config,
                                    const struct ldap_callbacks *callbacks, struct fault *fault);
/* Not from a callback, and no callback comes any more. */
void ldap_client_destroy(struct ldap_client **client);

/* Descriptors to poll, at most `capacity`; their number. And until when at the latest to run it (mono ns). */
unsigned ldap_client_poll(const struct ldap_client *client, struct pollfd *descriptors, unsigned capacity,
                          int64_t *deadline);
/* Does what can be done without waiting, at most about `budget` ns of it. `mono` is the time now. */
void ldap_client_run(struct ldap_client *client, int64_t mono, int64_t budget);

/* The number of the operation, 0 when it is not bound or too many are in flight. Its callbacks come from
 * run(), never from here; a query that cannot be written (its filter is none) ends as LDAP_OUTCOME_MALFORMED.
 */
uint32_t ldap_client_search(struct ldap_client *client, const struct ldap_query *query);
/* The result comes (ABANDONED), no object any more. */
void ldap_client_abandon(struct ldap_client *client, uint32_t operation);

/* This domain controller will not do (its database is another, it lags): dial the next one. */
void ldap_client_fail_over(struct ldap_client *client, const char *reason);

enum ldap_client_state ldap_client_state(const struct ldap_client *client);
const struct ldap_peer *ldap_client_peer(const struct ldap_client *client); /* NULL: not bound */
/* Why an account (by its number in the configuration) is not tried any more until its file changes; NULL: it
 * is. */
const char *ldap_client_refusal(const struct ldap_client *client, unsigned account);

/* Text for a filter, RFC 4515 section 3: escapes what must be. False when it does not fit. */
bool ldap_filter_escape(char *to, size_t capacity, struct bytes value);
