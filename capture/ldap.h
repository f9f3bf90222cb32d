/* SPDX-License-Identifier: Apache-2.0
 *
 * LDAP messages (RFC 4511) as structs, and the netlogon reply that rides in them ([MS-ADTS] 6.3). Pure: a
 * cursor in, views into its bytes out. A message that was not captured whole gives what is there.
 */
#pragma once

#include "base/cursor.h"

/* Application numbers of the protocolOp (RFC 4511 4.1.1). */
enum ldap_operation {
    LDAP_BIND_REQUEST = 0,
    LDAP_BIND_RESPONSE = 1,
    LDAP_UNBIND_REQUEST = 2,
    LDAP_SEARCH_REQUEST = 3,
    LDAP_SEARCH_ENTRY = 4,
    LDAP_SEARCH_DONE = 5,
    LDAP_MODIFY_REQUEST = 6,
    LDAP_MODIFY_RESPONSE = 7,
    LDAP_ADD_REQUEST = 8,
    LDAP_ADD_RESPONSE = 9,
    LDAP_DELETE_REQUEST = 10,
    LDAP_DELETE_RESPONSE = 11,
    LDAP_MODIFY_DN_REQUEST = 12,
    LDAP_MODIFY_DN_RESPONSE = 13,
    LDAP_COMPARE_REQUEST = 14,
    LDAP_COMPARE_RESPONSE = 15,
    LDAP_ABANDON_REQUEST = 16,
    LDAP_SEARCH_REFERENCE = 19,
    LDAP_EXTENDED_REQUEST = 23,
    LDAP_EXTENDED_RESPONSE = 24,
    LDAP_INTERMEDIATE_RESPONSE = 25,
};

/* Result codes that decide something here (RFC 4511 4.1.9). */
#define LDAP_SUCCESS               0
#define LDAP_SASL_BIND_IN_PROGRESS 14

struct ldap_header {
    uint64_t size; /* bytes of the whole message, as its length field says */
    uint32_t id;
    uint8_t operation; /* enum ldap_operation */
};

/* Bytes of the shortest message, an unbindRequest. */
#define LDAP_PEEK_MIN 7

enum ldap_peek {
    LDAP_PEEK_NO,
    LDAP_PEEK_MORE,
    LDAP_PEEK_YES,
};

/* Whether an LDAP message begins with these bytes: SEQUENCE, INTEGER, a known protocolOp that fits in. */
enum ldap_peek ldap_peek(struct bytes start, struct ldap_header *to);

struct ldap_message {
    struct ldap_header header;
    bool begun;             /* the protocolOp's own header is here; else there is nothing in `body` */
    struct cursor body;     /* contents of the protocolOp */
    struct cursor controls; /* contents of the controls; empty when there are none */
};

/* False, and `c` failed, when no message stands there. Steps `c` over the message. */
bool ldap_message_read(struct cursor *c, struct ldap_message *to);

/* -- requests ------------------------------------------------------------------------------------- */

enum ldap_bind_method {
    LDAP_METHOD_SIMPLE = 0,
    LDAP_METHOD_SASL = 3,
    LDAP_METHOD_SICILY_DISCOVERY = 9, /* [MS-ADTS] 5.1.1.1.3 */
    LDAP_METHOD_SICILY_NEGOTIATE = 10,
    LDAP_METHOD_SICILY_RESPONSE = 11,
    LDAP_METHOD_UNKNOWN = 255,
};

struct ldap_bind_request {
    int64_t version;
    struct bytes name;
    uint8_t method;            /* enum ldap_bind_method */
    bool password_sent;        /* simple: there is one; the parser does not hand it out */
    struct bytes mechanism;    /* SASL */
    struct cursor credentials; /* SASL and Sicily: a token; empty when there is none */
};

struct ldap_search_request {
    struct bytes base;
    uint32_t scope;
    uint32_t dereference;
    uint32_t size_limit;
    uint32_t time_limit;
    bool types_only;
    struct cursor filter;     /* the Filter element */
    struct cursor attributes; /* OCTET STRINGs */
};

struct ldap_add_request {
    struct bytes dn;
    struct cursor attributes; /* for ldap_next_attribute */
};

struct ldap_modify_request {
    struct bytes dn;
    struct cursor changes; /* for ldap_next_change */
};

struct ldap_attribute {
    uint8_t operation; /* of a change: 0 add, 1 delete, 2 replace, 3 increment (RFC 4525) */
    struct bytes name;
    struct cursor values; /* OCTET STRINGs */
};

struct ldap_modify_dn_request {
    struct bytes dn;
    struct bytes new_rdn;
    bool delete_old_rdn;
    struct bytes new_superior; /* empty: not moved */
};

struct ldap_compare_request {
    struct bytes dn;
    struct bytes attribute;
};

struct ldap_extended_request {
    struct bytes oid;
    struct cursor value;
};

/* Each reads the body of a message of that operation. False when the body breaks RFC 4511 or is cut; the
 * fields before that point are set, the others are empty. */
bool ldap_bind_request_read(struct cursor body, struct ldap_bind_request *to);
bool ldap_search_request_read(struct cursor body, struct ldap_search_request *to);
bool ldap_add_request_read(struct cursor body, struct ldap_add_request *to);
bool ldap_modify_request_read(struct cursor body, struct ldap_modify_request *to);
bool ldap_modify_dn_request_read(struct cursor body, struct ldap_modify_dn_request *to);
bool ldap_compare_request_read(struct cursor body, struct ldap_compare_request *to);
bool ldap_extended_request_read(struct cursor body, struct ldap_extended_request *to);

/* The next of `attributes` or `changes`; false at the end or on damage (then the cursor has failed). */
bool ldap_next_attribute(struct cursor *attributes, struct ldap_attribute *to);
bool ldap_next_change(struct cursor *changes, struct ldap_attribute *to);
/* The next OCTET STRING of a list; false at the end or on damage. */
bool ldap_next_string(struct cursor *list, struct bytes *to);

/* RFC 3062: whose password is to be changed. The passwords beside it are not read. */
struct bytes ldap_password_modify_user(struct cursor value);

/* -- responses ------------------------------------------------------------------------------------ */

struct ldap_result {
    uint32_t code;
    struct bytes matched_dn;
    struct bytes diagnostic;
    struct cursor sasl_credentials; /* of a bind response */
    bool has_sasl_credentials;
    struct bytes oid;   /* of an extended response */
    struct bytes value; /* of an extended response */
};

/* Any LDAPResult: the body of responses 1, 5, 7, 9, 11, 13, 15 and 24. */
bool ldap_result_read(struct cursor body, struct ldap_result *to);

/* The name of a SearchResultEntry, from its first bytes. */
struct bytes ldap_entry_name(struct cursor body);

/* The first value of the entry's attribute of that name (any case); empty when it has none. */
struct bytes ldap_entry_value(struct cursor body, const char *attribute);

/* The Win32 error in Active Directory's diagnostic text: "..., data 52e, v1db1" (hexadecimal), else the
 * leading eight digits of "00000005: SecErr: ...". 0 when there is none. */
uint32_t ldap_directory_error(struct bytes diagnostic);

/* -- controls ------------------------------------------------------------------------------------- */

struct ldap_control {
    struct bytes oid;
    bool critical;
    struct cursor value;
};

bool ldap_next_control(struct cursor *controls, struct ldap_control *to);

/* RFC 2696: pagedResultsControl; `cookie` is empty at the first request and in the last answer. */
struct ldap_paged {
    uint32_t size;
    bool cookie;
};
bool ldap_paged_read(struct cursor value, struct ldap_paged *to);

/* [MS-ADTS] 3.1.1.3.4.1.3: SEQUENCE { flags, maximum bytes, cookie }; in answers the flags say "more". */
struct ldap_dirsync {
    uint32_t flags;
    bool cookie;
};
bool ldap_dirsync_read(struct cursor value, struct ldap_dirsync *to);

/* [MS-ADTS] 3.1.1.3.4.1.11: SEQUENCE { flags }. */
bool ldap_sd_flags_read(struct cursor value, uint32_t *flags);

/* -- SASL security layer -------------------------------------------------------------------------- */

enum ldap_wrap {
    LDAP_WRAP_UNKNOWN, /* no token that we know */
    LDAP_WRAP_MORE,    /* cannot be told from so few bytes */
    LDAP_WRAP_SEALED,  /* encrypted */
    LDAP_WRAP_SIGNED,  /* `plain` is readable */
    LDAP_WRAP_NTLM,    /* an NTLM signature; whether the rest is encrypted was negotiated */
};

#define LDAP_WRAP_PEEK 64 /* bytes that suffice to tell */

/* The GSS-API wrap token of a SASL buffer, without its four bytes of length; `total` is its whole length,
 * also when fewer bytes are here. */
enum ldap_wrap ldap_wrap_read(struct bytes token, size_t total, struct bytes *plain);

/* -- the netlogon ping ([MS-ADTS] 6.3) ------------------------------------------------------------- */

struct cldap_ping {
    struct bytes domain;      /* DnsDomain */
    struct bytes host;        /* Host */
    struct bytes dns_host;    /* DnsHostName */
    struct bytes user;        /* User */
    struct bytes domain_sid;  /* DomainSid */
    struct bytes domain_guid; /* DomainGuid, 16 bytes or empty */
    uint32_t nt_version;      /* NtVer */
    uint32_t account_control; /* AAC */
    bool has_nt_version;
    bool has_account_control;
};

/* Reads the components of the ping's filter; false when it has none. */
bool cldap_ping_read(struct cursor filter, struct cldap_ping *to);

#define NETLOGON_NAME_MAX 256

struct netlogon_response {
    uint16_t opcode;
    bool has_flags;
    uint32_t flags;
    bool has_domain_guid;
    uint8_t domain_guid[16];
    uint8_t address[4];        /* zero: none */
    struct bytes unicode_host; /* UTF-16LE: the short forms name host, user and domain so */
    struct bytes unicode_user;
    struct bytes unicode_domain;
    char forest[NETLOGON_NAME_MAX];
    char domain[NETLOGON_NAME_MAX];
    char host[NETLOGON_NAME_MAX];
    char netbios_domain[NETLOGON_NAME_MAX];
    char netbios_name[NETLOGON_NAME_MAX];
    char user[NETLOGON_NAME_MAX];
    char site[NETLOGON_NAME_MAX];
    char client_site[NETLOGON_NAME_MAX];
};

/* The value of the attribute netlogon. False when it is none or is damaged; what stood before is set. */
bool netlogon_response_read(struct bytes value, struct netlogon_response *to);
