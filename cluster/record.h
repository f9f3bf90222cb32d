/* SPDX-License-Identifier: Apache-2.0
 *
 * What the fleet signs: grants, certificates, member records, the fleet's policy. Formats: docs/cluster.md.
 *
 * A *grant* is the authority's word that a node with this id may exist: mode, site, the domains that it may
 * be a synchronizer candidate of, which enroller may bind it, whose data it will collect. A *binding* is that
 * enroller's word that a key belongs to the id. Both make the *certificate*. A *record* is the node's own
 * word about itself: its certificate, where it listens, its incarnation, the anchor of its heartbeat chain.
 * The *policy* is the authority's word about the fleet: who may enrol, who is revoked; the greatest version
 * wins.
 *
 * Encoded, each is a signed body (cluster/body.h): a msgpack map with small integers as keys, then the 64
 * bytes of the signature over it. Nothing names the fleet: the authority's key does, it signs for one fleet
 * only.
 */
#pragma once

#include "cluster/body.h"
#include "cluster/crypto.h"
#include "cluster/node_id.h"

#define FLEET_ID_SIZE        16u
#define NAME_MAX_SIZE        64u  /* a node's or a site's name (name_valid), with its NUL */
#define DOMAIN_MAX_SIZE      256u /* a DNS name, lower case (domain_valid), with its NUL */
#define ENDPOINT_MAX_SIZE    128u /* HOST:PORT or [IPv6]:PORT (endpoint_valid), with its NUL */
#define GRANT_DOMAINS        8u
#define RECORD_ENDPOINTS     4u
#define RECORD_CONTROLLERS   8u
#define RECORD_MAX_SIZE      4096u  /* of an encoded record */
#define POLICY_MAX_SIZE      61440u /* of an encoded policy: about 3,500 revoked nodes */
#define POLICY_ENROLLERS     32u
#define CERTIFICATE_MAX_SIZE 3072u

enum node_mode {
    MODE_SENSOR,     /* on one domain controller */
    MODE_STANDALONE, /* on a box of its own, fed by port mirroring */
};

struct grant {
    struct node_id id;
    enum node_mode mode;
    char site[NAME_MAX_SIZE];
    char domains[GRANT_DOMAINS][DOMAIN_MAX_SIZE]; /* may be synchronizer candidate of */
    unsigned domain_count;
    struct node_id enroller; /* the only one that may bind it; all zero: the authority itself */
    uint64_t expires;        /* seconds since 1970: no first binding (generation 0) is issued after that */
    char workspace[NAME_MAX_SIZE]; /* of a center, where the node's data belongs; empty: the center's rules
                                      say */
};

struct certificate {
    struct grant grant;
    uint32_t generation; /* of the key: 0, then one more with each rotation */
    uint8_t public_key[PUBLIC_KEY_SIZE];
    char name[NAME_MAX_SIZE];
    uint64_t issued;   /* seconds since 1970 */
    bool by_authority; /* bound by the authority itself, though the grant may name an enroller */
};

enum record_flag {
    RECORD_LEFT = 1, /* went in good order: not offline, gone */
};

/* A record, read; all is copied. RECORD_MAX_SIZE bounds its parts together: eight names of 255 bytes each do
 * not fit. */
struct record {
    struct certificate certificate;
    char endpoints[RECORD_ENDPOINTS][ENDPOINT_MAX_SIZE];
    unsigned endpoint_count;
    uint16_t enrolment_port; /* of an enroller's enrolment socket, at the same hosts; 0: it has none */
    char controllers[RECORD_CONTROLLERS]
                    [DOMAIN_MAX_SIZE]; /* domain controllers that it watches (host_valid) */
    unsigned controller_count;
    uint64_t incarnation;
    uint32_t revision; /* of the record within the incarnation; order: (incarnation, revision) */
    uint32_t boot_nonce;
    uint8_t anchor[LINK_SIZE]; /* link 0 of the heartbeat chain */
    uint32_t chain_base;       /* the sequence number that the anchor stands for */
    uint32_t flags;
    uint8_t candidate_off; /* bit i: not a candidate of certificate.grant.domains[i] though granted */
    char version[NAME_MAX_SIZE];
    uint64_t started; /* seconds since 1970, for people */
};

struct enroller {
    struct node_id id;
    uint8_t public_key[PUBLIC_KEY_SIZE];
    uint64_t until; /* bindings issued later are refused; UINT64_MAX: still in office */
};

struct policy {
    uint64_t version;
    struct enroller enrollers[POLICY_ENROLLERS]; /* ids may repeat, with their keys of other generations */
    unsigned enroller_count;
    const uint8_t *revoked; /* ids, 16 bytes each, ascending; inside the encoded policy */
    unsigned revoked_count;
};

/* Trust: what every signature is checked against. */
struct trust {
    uint8_t fleet[FLEET_ID_SIZE];
    uint8_t authority[PUBLIC_KEY_SIZE];
};

/* Reads and verifies a policy: the authority's signature, order and bounds. `policy` points into `encoded`.
 */
bool policy_read(struct policy *policy, struct bytes encoded, const struct trust *trust,
                 const struct cluster_crypto *crypto);
bool policy_revokes(const struct policy *policy, const struct node_id *id);

/* Encodes and signs (crypto->sign with the authority's key). `policy->revoked` need not be inside anything.
 * Returns the size; 0 when the buffer is too small or what policy_read() would refuse is in it. */
size_t policy_write(void *buffer, size_t capacity, const struct policy *policy,
                    const struct cluster_crypto *crypto);

/* Reads and verifies a grant: the authority's signature. */
bool grant_read(struct grant *grant, struct bytes encoded, const struct trust *trust,
                const struct cluster_crypto *crypto);

/* Encodes and signs (crypto->sign with the authority's key). As policy_write(). */
size_t grant_write(void *buffer, size_t capacity, const struct grant *grant,
                   const struct cluster_crypto *crypto);

/* Reads and verifies an encoded certificate: the authority's signature on the grant, and that of whoever
 * bound it on the rest: the authority, or the grant's enroller as `policy` has it (may be NULL: then only the
 * authority's bindings are good). Whether `policy` revokes the node is for the caller to ask. */
bool certificate_read(struct certificate *certificate, struct bytes encoded, const struct trust *trust,
                      const struct policy *policy, const struct cluster_crypto *crypto);

/* Without verification. */
bool certificate_read_trusted(struct certificate *certificate, struct bytes encoded);

/* Binds: `grant` as the authority encoded it, the rest from `certificate`; signs with crypto->sign, which is
 * the enroller's key, or the authority's where certificate->by_authority says so. As policy_write(). */
size_t certificate_write(void *buffer, size_t capacity, const struct certificate *certificate,
                         struct bytes grant, const struct cluster_crypto *crypto);

/* The encoded grant inside of a certificate, for the next binding. Empty when there is none. */
struct bytes certificate_grant(struct bytes encoded);

/* Reads a record and verifies its certificate and its own signature. */
bool record_read(struct record *record, struct bytes encoded, const struct trust *trust,
                 const struct policy *policy, const struct cluster_crypto *crypto);

/* Reads a record that was verified before (it came out of this node's own table). False only on damage. */
bool record_read_trusted(struct record *record, struct bytes encoded);

/* The cheap part of a record, without verification or copies: what decides whether it is news. */
struct record_head {
    struct node_id id;
    uint64_t incarnation;
    uint32_t revision;
    uint32_t generation; /* of the key */
};
bool record_peek(struct record_head *head, struct bytes encoded);

/* The encoded certificate inside of a record. Empty when there is none. */
struct bytes record_certificate(struct bytes encoded);

/* Writes this node's own record: `certificate` as encoded by its enroller, the rest from `record`; signs it
 * with crypto->sign. Returns its size; 0 when it does not fit the buffer or RECORD_MAX_SIZE, or a text in it
 * is not what record_read() takes. */
size_t record_write(void *buffer, size_t capacity, const struct record *record, struct bytes certificate,
                    const struct cluster_crypto *crypto);
