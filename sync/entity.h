/* SPDX-License-Identifier: Apache-2.0
 *
 * The entity: a user, computer, group or other object of the directory that activities speak of (DESIGN
 * sections 1, 5 and 7). Its attributes are declared once, in sync/entity_attributes.def; the codec, the JSON
 * rendering, the list of attributes that is asked of the directory and docs/entities.md all come from there.
 *
 * An entity that travels is a msgpack map {"v": 1, "kind": name, "guid": bin, field: value, ...}; a reader
 * skips the fields it does not know. Links between entities (member, manager ...) are no fields of it: they
 * are edges, kept on their own (sync/entity_store.h), for a group may have 100,000 of them. The store keeps
 * entities in a shorter form (sync/entity_record.h), which decodes into the same `struct entity`.
 */
#pragma once

#include "base/activity.h" /* enum activity_type: the one set of value types */
#include "base/arena.h"
#include "base/msgpack.h"
#include "base/sid.h"

#define ENTITY_VERSION   1
#define ENTITY_BYTES_MAX (64u * 1024u) /* one encoded entity, its links not counted */
#define ENTITY_ENCODED_MAX                                                                                   \
    (80u * 1024u)               /* likewise in the form that travels, which has its fields' names            \
                                 */
#define ENTITY_STRING_MAX 4096u /* one string, cut there; the entity says `truncated` */
#define ENTITY_LIST_MAX   1024u /* values of one attribute (SPNs of a cluster), likewise */
#define GUID_SIZE         16u

struct guid {
    uint8_t bytes[GUID_SIZE]; /* in the wire's (mixed-endian) order, [MS-DTYP] 2.3.4.2 */
};

/* How an entity came to be known. */
enum entity_origin {
    ENTITY_REPLICATED, /* by the synchronizer's pass or increment */
    ENTITY_LOOKED_UP,  /* reactively, because traffic showed it */
};

enum entity_kind {
    ENTITY_OTHER, /* none of the below: kept only while it is needed as a parent */
    ENTITY_USER,
    ENTITY_COMPUTER, /* domain controllers too: entity_is_domain_controller */
    ENTITY_GROUP,
    ENTITY_MANAGED_ACCOUNT,   /* msDS-GroupManagedServiceAccount, msDS-ManagedServiceAccount */
    ENTITY_FOREIGN_PRINCIPAL, /* foreignSecurityPrincipal */
    ENTITY_CONTACT,
    ENTITY_ORGANIZATIONAL_UNIT,
    ENTITY_CONTAINER,
    ENTITY_DOMAIN, /* domainDNS: with its policy of passwords and lock-out (that of Kerberos stands
                      in the files of a group policy, not in the directory) */
    ENTITY_TRUST,  /* trustedDomain */
    ENTITY_SITE,
    ENTITY_SUBNET,
    ENTITY_SERVER,          /* server and nTDSDSA of a domain controller in the configuration context */
    ENTITY_PASSWORD_POLICY, /* msDS-PasswordSettings */
    ENTITY_GROUP_POLICY,    /* groupPolicyContainer */
    ENTITY_PARTITION,       /* crossRef: DNS and flat name of a naming context */
    ENTITY_KINDS
};

const char *entity_kind_name(enum entity_kind kind);
/* By its name; ENTITY_KINDS when there is none such. */
enum entity_kind entity_kind_by_name(const char *name, size_t size);
/* By the values of objectClass (the most derived that is known decides). */
enum entity_kind entity_kind_of_classes(const struct bytes *classes, uint32_t count);

/* ATTRIBUTE(id, ldap name, field name, type, doc): single- or many-valued as its type says.
 * LINK(id, ldap name of the forward link, field name, doc): values are DNs with GUIDs. */
enum entity_attribute {
#define ATTRIBUTE(id, ldap, field, type, doc) ENTITY_##id,
#define LINK(id, ldap, field, doc)
#include "sync/entity_attributes.def"
#undef ATTRIBUTE
#undef LINK
    ENTITY_ATTRIBUTES
};

#define ENTITY_PRESENT_WORDS ((ENTITY_ATTRIBUTES + 63) / 64)

enum entity_link {
#define ATTRIBUTE(id, ldap, field, type, doc)
#define LINK(id, ldap, field, doc) LINK_##id,
#include "sync/entity_attributes.def"
#undef ATTRIBUTE
#undef LINK
    ENTITY_LINKS
};

struct entity_attribute_info {
    const char *ldap;  /* lDAPDisplayName */
    const char *field; /* in msgpack, JSON and docs */
    enum activity_type type;
    const char *doc;
};
const struct entity_attribute_info *entity_attribute_info(enum entity_attribute attribute);
const struct entity_attribute_info *entity_link_info(enum entity_link link); /* type is TYPE_UUID */

/* By lDAPDisplayName without regard to case, options ignored; ENTITY_ATTRIBUTES or ENTITY_LINKS: neither. */
enum entity_attribute entity_attribute_by_ldap(const void *name, size_t size);
enum entity_link entity_link_by_ldap(const void *name, size_t size);
/* By field name. */
enum entity_link entity_link_by_name(const char *name, size_t size);

/* One value, decoded from LDAP's form: a view, or in the arena that it was decoded with. */
struct entity_value {
    union {
        uint64_t uint;
        int64_t sint; /* TYPE_INT, TYPE_TIME (ns since 1970, 0: never), TYPE_DURATION as ns in `uint` */
        bool boolean;
        struct bytes bytes; /* string (well-formed UTF-8), bytes, uuid, sid */
    };
};

/* One end of a link that came or went. */
struct entity_edge {
    enum entity_link link;
    bool removed;
    struct guid target;
    struct bytes target_dn; /* without its GUID and SID parts; may be empty */
};

/* What is to become of one entity: what the translation of an answer gives and the store applies. Applying it
 * twice, or an older one after a newer one's re-reading, ends in the same entity. */
struct entity_change {
    struct guid guid;
    bool whole;   /* everything that the directory has of it: attributes that did not come are gone */
    bool deleted; /* it is a tombstone now, or gone from the directory's sight; false revives it */
    bool kind_known;
    enum entity_kind kind;
    struct bytes dn; /* as the directory writes it, without GUID and SID; empty: did not come */
    /* Attributes that came, those with no value (= gone) too. A type that is no list takes the first. */
    uint64_t present[ENTITY_PRESENT_WORDS];
    struct {
        uint32_t count;
        const struct entity_value *values;
    } attributes[ENTITY_ATTRIBUTES];
    /* Links: `whole_links` has a bit for each link whose edges below are all there are. */
    uint64_t whole_links;
    uint32_t edge_count;
    const struct entity_edge *edges;
    bool truncated; /* something was cut at its bound */
};

static inline bool entity_change_has(const struct entity_change *change, enum entity_attribute attribute)
{
    return change->present[attribute / 64] >> (attribute % 64) & 1;
}

static inline void entity_change_mark(struct entity_change *change, enum entity_attribute attribute)
{
    change->present[attribute / 64] |= UINT64_C(1) << (attribute % 64);
}

/* An entity, decoded: views into the encoded bytes or the store's snapshot. Large: one for each thread. */
struct entity {
    struct guid guid;
    enum entity_kind kind;
    enum entity_origin origin;
    bool deleted;
    bool truncated;
    int64_t seen;    /* wall ns: when the directory last told it; the store keeps whole seconds */
    int64_t changed; /* wall ns: when what was told last differed from before; likewise */
    struct bytes domain;
    struct bytes rdn, parent; /* the DN in two: "CN=x" and "OU=y,DC=z"; entity_dn joins them */
    uint64_t present[ENTITY_PRESENT_WORDS];
    struct activity_value attributes[ENTITY_ATTRIBUTES]; /* only those of `present`; lists as in activities */
};

/* The form that travels. False when it is no entity, a known field has a value of another type, or bounds are
 * not kept; the cursor has failed then. */
bool entity_decode(struct cursor *c, struct entity *to);
void entity_encode(struct msgpack_writer *w, const struct entity *entity);

/* One JSON object, without links, a time that never was or will be null; cut (and terminated) at `capacity`;
 * the length it has whole. */
size_t entity_to_json(const struct entity *entity, char *to, size_t capacity);

/* The whole DN, cut (and terminated) at `capacity`; the length it has whole. */
size_t entity_dn(const struct entity *entity, char *to, size_t capacity);
/* A DN in two at its first comma that is not escaped (RFC 4514); `parent` is empty when there is none. */
void entity_dn_split(struct bytes dn, struct bytes *rdn, struct bytes *parent);

/* The value, or NULL when it has none. */
const struct activity_value *entity_get(const struct entity *entity, enum entity_attribute attribute);
struct bytes entity_name(const struct entity *entity); /* sAMAccountName, else the RDN's value (escaped) */

/* userAccountControl says so (SERVER_TRUST_ACCOUNT, PARTIAL_SECRETS_ACCOUNT; [MS-ADTS] 2.2.16). */
bool entity_is_domain_controller(const struct entity *entity); /* read-only ones are none */
bool entity_is_read_only_domain_controller(const struct entity *entity);

/* A name as names are compared: in lower case, by Unicode's simple mapping, the Latin, Greek, Cyrillic and
 * Armenian letters; everything else as it is. Takes as many bytes as the name has, which `to` needs. */
void entity_fold(uint8_t *to, struct bytes name);

/* -- digests: reconciliation compares the store's with what the directory answers --------------------- */

/* Of a set of entities, in any order: sums of hashes. Attributes that differ between domain controllers
 * (whenChanged, uSNChanged) and the order of values do not count. */
struct entity_digest {
    uint64_t count;
    uint64_t sum[2]; /* of (guid, kind, DN, attributes) */
    uint64_t links;
    uint64_t link_sum[2]; /* of (source, link, target) */
};
void entity_digest_add(struct entity_digest *digest, const struct entity *entity);
void entity_digest_add_link(struct entity_digest *digest, const struct guid *source, enum entity_link link,
                            const struct guid *target);
/* What the store's entity will count as once this whole change is applied; its edges too. False (nothing was
 * added) for a change that the store would refuse, and for a deleted one, which does not count. */
bool entity_digest_add_change(struct entity_digest *digest, const struct entity_change *change);
bool entity_digest_equal(const struct entity_digest *a, const struct entity_digest *b);

/* docs/entities.md, whole, to a stdio stream (a `FILE *`). */
void entity_print_reference(void *stream);
