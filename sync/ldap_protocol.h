/* SPDX-License-Identifier: Apache-2.0
 *
 * LDAP (RFC 4511) as a client speaks it: requests written, replies read strictly (capture/ldap.h reads what
 * others said, however damaged). Pure. Of a reply nothing is copied and nothing believed: every length goes
 * through the cursor, every table has its bound.
 */
#pragma once

#include "base/ber.h"
#include "sync/directory_object.h"
#include "sync/ldap_client.h"

/* protocolOp, RFC 4511 4.2 to 4.14 */
#define LDAP_OP_BIND             0x60
#define LDAP_OP_BOUND            0x61
#define LDAP_OP_UNBIND           0x42
#define LDAP_OP_SEARCH           0x63
#define LDAP_OP_ENTRY            0x64
#define LDAP_OP_SEARCH_DONE      0x65
#define LDAP_OP_REFERENCE        0x73
#define LDAP_OP_ABANDON          0x50
#define LDAP_OP_EXTENDED_REQUEST 0x77
#define LDAP_OP_EXTENDED         0x78

/* resultCode, RFC 4511 4.1.9 */
#define LDAP_CODE_SUCCESS                  0
#define LDAP_CODE_STRONGER_AUTH_REQUIRED   8
#define LDAP_CODE_CONFIDENTIALITY_REQUIRED 13
#define LDAP_CODE_BIND_IN_PROGRESS         14
#define LDAP_CODE_NO_SUCH_OBJECT           32
#define LDAP_CODE_INVALID_CREDENTIALS      49
#define LDAP_CODE_INSUFFICIENT_RIGHTS      50

#define LDAP_OID_START_TLS     "1.3.6.1.4.1.1466.20037"
#define LDAP_OID_DISCONNECTION "1.3.6.1.4.1.1466.20036"
#define LDAP_OID_DIRSYNC       "1.2.840.113556.1.4.841"
#define LDAP_OID_PAGED         "1.2.840.113556.1.4.319"
#define LDAP_OID_EXTENDED_DN   "1.2.840.113556.1.4.529"
#define LDAP_OID_SHOW_DELETED  "1.2.840.113556.1.4.417"
#define LDAP_OID_NOTIFICATION  "1.2.840.113556.1.4.528"

/* Each writes a whole message and returns its size; 0 when it does not fit, or a filter cannot be read. */
size_t ldap_write_bind_simple(uint8_t *to, size_t capacity, uint32_t id, const char *name,
                              struct bytes password);
size_t ldap_write_bind_sasl(uint8_t *to, size_t capacity, uint32_t id, const char *mechanism,
                            struct bytes credentials);
size_t ldap_write_unbind(uint8_t *to, size_t capacity, uint32_t id);
size_t ldap_write_abandon(uint8_t *to, size_t capacity, uint32_t id, uint32_t abandoned);
size_t ldap_write_extended(uint8_t *to, size_t capacity, uint32_t id, const char *oid);
size_t ldap_write_search(uint8_t *to, size_t capacity, uint32_t id, const struct ldap_query *query);

/* How many bytes the first message of a stream has: 0 when more must come to know, SIZE_MAX when what is
 * there is none or it says that it is longer than `max`. */
size_t ldap_reply_size(struct bytes stream, size_t max);

struct ldap_reply {
    uint32_t id;
    uint8_t operation; /* LDAP_OP_... */
    struct cursor body;
    struct cursor controls; /* empty when there are none */
};
bool ldap_reply_read(struct bytes whole, struct ldap_reply *reply);

struct ldap_answer {
    int code;
    struct bytes matched, text;
    struct bytes credentials; /* serverSaslCreds of a bind */
    struct bytes name;        /* responseName of an extended response */
};
/* Of a BOUND, SEARCH_DONE or EXTENDED message. */
bool ldap_answer_read(const struct ldap_reply *reply, struct ldap_answer *answer);

/* The cookie that DirSync or paging answered with (the query says which was asked), and whether there is
 * more. False when such a control cannot be read; true with an empty cookie when none came. */
bool ldap_answer_cookie(const struct ldap_reply *reply, bool dirsync, struct bytes *cookie, bool *more);

/* Where an entry's attributes are laid out; used again for each, grown up to the bounds of
 * directory_object.h. */
struct ldap_entry_space {
    struct directory_attribute attributes[DIRECTORY_ATTRIBUTES_MAX];
    struct bytes *values;
    uint32_t value_capacity;
};
void ldap_entry_space_free(struct ldap_entry_space *space);

enum ldap_entry_fault { LDAP_ENTRY_FINE, LDAP_ENTRY_MALFORMED, LDAP_ENTRY_TOO_LARGE };
/* The object is valid as long as the message's bytes and until the space is used again. */
enum ldap_entry_fault ldap_entry_read(const struct ldap_reply *reply, struct ldap_entry_space *space,
                                      struct directory_object *object);
