/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/record.h"

#define GRANT_MAX_SIZE 2560u /* above the largest that grant_write() can make */

/* Keys, less the first of their format. Never used for anything else once released. */
enum grant_key {
    GRANT_ID,
    GRANT_MODE,
    GRANT_SITE,
    GRANT_DOMAIN_NAMES,
    GRANT_ENROLLER,
    GRANT_EXPIRES,
    GRANT_WORKSPACE,
};
enum certificate_key {
    CERTIFICATE_GRANT,
    CERTIFICATE_GENERATION,
    CERTIFICATE_PUBLIC_KEY,
    CERTIFICATE_NAME,
    CERTIFICATE_ISSUED,
    CERTIFICATE_BY_AUTHORITY,
};
enum record_key {
    RECORD_CERTIFICATE,
    RECORD_INCARNATION,
    RECORD_REVISION,
    RECORD_ENDPOINT_LIST,
    RECORD_ENROLMENT_PORT,
    RECORD_CONTROLLER_LIST,
    RECORD_BOOT_NONCE,
    RECORD_ANCHOR,
    RECORD_CHAIN_BASE,
    RECORD_FLAGS,
    RECORD_CANDIDATE_OFF,
    RECORD_VERSION,
    RECORD_STARTED,
};
enum policy_key {
    POLICY_VERSION,
    POLICY_ENROLLER_LIST,
    POLICY_REVOKED,
};

#define HAS(key) (UINT32_C(1) << (key))

/* -- grant ---------------------------------------------------------------------------------------- */

static bool grant_decode(struct grant *grant, struct bytes encoded)
{
    struct signed_body parts;
    *grant = (struct grant){0};
    if (!signed_split(&parts, encoded))
        return false;
    struct body body = body_open(parts.body, BODY_GRANT);
    int key;
    while ((key = body_next(&body)) >= 0) {
        switch (key) {
        case GRANT_ID:
            body_binary(&body, grant->id.bytes, NODE_ID_SIZE);
            break;
        case GRANT_MODE:
            grant->mode = (enum node_mode)body_uint(&body, MODE_STANDALONE);
            break;
        case GRANT_SITE:
            body_text(&body, grant->site, sizeof grant->site, name_valid);
            break;
        case GRANT_DOMAIN_NAMES:
            grant->domain_count =
                body_texts(&body, grant->domains[0], DOMAIN_MAX_SIZE, GRANT_DOMAINS, domain_valid);
            break;
        case GRANT_ENROLLER:
            body_binary(&body, grant->enroller.bytes, NODE_ID_SIZE);
            break;
        case GRANT_EXPIRES:
            grant->expires = body_uint(&body, UINT64_MAX);
            break;
        case GRANT_WORKSPACE:
            body_text(&body, grant->workspace, sizeof grant->workspace, name_valid);
            break;
        default:
            body_skip(&body);
        }
    }
    return body_end(&body, HAS(GRANT_ID) | HAS(GRANT_SITE)) && !node_id_is_zero(&grant->id);
}

bool grant_read(struct grant *grant, struct bytes encoded, const struct trust *trust,
                const struct cluster_crypto *crypto)
{
    return grant_decode(grant, encoded) && signed_verify(encoded, trust->authority, crypto);
}

size_t grant_write(void *buffer, size_t capacity, const struct grant *grant,
                   const struct cluster_crypto *crypto)
{
    struct body_writer writer;
    body_begin(&writer, buffer, capacity, BODY_GRANT);
    body_put_binary(&writer, GRANT_ID, grant->id.bytes, NODE_ID_SIZE);
    body_put_uint(&writer, GRANT_MODE, grant->mode);
    body_put_text(&writer, GRANT_SITE, grant->site);
    body_put_texts(&writer, GRANT_DOMAIN_NAMES, grant->domains[0], DOMAIN_MAX_SIZE, grant->domain_count);
    if (!node_id_is_zero(&grant->enroller))
        body_put_binary(&writer, GRANT_ENROLLER, grant->enroller.bytes, NODE_ID_SIZE);
    body_put_uint(&writer, GRANT_EXPIRES, grant->expires);
    body_put_text(&writer, GRANT_WORKSPACE, grant->workspace);
    size_t size = body_sign(&writer, crypto);
    struct grant check;
    return size && grant_decode(&check, (struct bytes){buffer, size}) ? size : 0;
}

/* -- certificate ---------------------------------------------------------------------------------- */

static bool certificate_decode(struct certificate *certificate, struct bytes encoded, struct bytes *grant)
{
    struct signed_body parts;
    *certificate = (struct certificate){0};
    *grant = (struct bytes){0};
    if (!signed_split(&parts, encoded))
        return false;
    struct body body = body_open(parts.body, BODY_CERTIFICATE);
    int key;
    while ((key = body_next(&body)) >= 0) {
        switch (key) {
        case CERTIFICATE_GRANT:
            *grant = body_bytes(&body, GRANT_MAX_SIZE);
            break;
        case CERTIFICATE_GENERATION:
            certificate->generation = (uint32_t)body_uint(&body, UINT32_MAX);
            break;
        case CERTIFICATE_PUBLIC_KEY:
            body_binary(&body, certificate->public_key, PUBLIC_KEY_SIZE);
            break;
        case CERTIFICATE_NAME:
            body_text(&body, certificate->name, sizeof certificate->name, name_valid);
            break;
        case CERTIFICATE_ISSUED:
            certificate->issued = body_uint(&body, UINT64_MAX);
            break;
        case CERTIFICATE_BY_AUTHORITY:
            certificate->by_authority = body_uint(&body, 1) == 1;
            break;
        default:
            body_skip(&body);
        }
    }
    uint32_t required = HAS(CERTIFICATE_GRANT) | HAS(CERTIFICATE_PUBLIC_KEY) | HAS(CERTIFICATE_NAME);
    if (!body_end(&body, required) || !grant_decode(&certificate->grant, *grant))
        return false;
    if (node_id_is_zero(&certificate->grant.enroller))
        certificate->by_authority = true;
    return certificate->generation > 0 || certificate->issued <= certificate->grant.expires;
}

/* An enroller may have had several keys, each with its time. */
static bool bound_by_enroller(const struct certificate *certificate, struct bytes encoded,
                              const struct policy *policy, const struct cluster_crypto *crypto)
{
    for (unsigned i = 0; policy && i < policy->enroller_count; i++) {
        const struct enroller *enroller = &policy->enrollers[i];
        if (node_id_equal(&enroller->id, &certificate->grant.enroller) &&
            certificate->issued <= enroller->until && signed_verify(encoded, enroller->public_key, crypto))
            return true;
    }
    return false;
}

bool certificate_read(struct certificate *certificate, struct bytes encoded, const struct trust *trust,
                      const struct policy *policy, const struct cluster_crypto *crypto)
{
    struct bytes grant;
    if (!certificate_decode(certificate, encoded, &grant) || !signed_verify(grant, trust->authority, crypto))
        return false;
    if (certificate->by_authority)
        return signed_verify(encoded, trust->authority, crypto);
    return bound_by_enroller(certificate, encoded, policy, crypto);
}

bool certificate_read_trusted(struct certificate *certificate, struct bytes encoded)
{
    struct bytes grant;
    return certificate_decode(certificate, encoded, &grant);
}

size_t certificate_write(void *buffer, size_t capacity, const struct certificate *certificate,
                         struct bytes grant, const struct cluster_crypto *crypto)
{
    struct body_writer writer;
    struct grant granted;
    if (!grant_decode(&granted, grant))
        return 0;
    body_begin(&writer, buffer, capacity, BODY_CERTIFICATE);
    body_put_binary(&writer, CERTIFICATE_GRANT, grant.data, grant.size);
    body_put_uint(&writer, CERTIFICATE_GENERATION, certificate->generation);
    body_put_binary(&writer, CERTIFICATE_PUBLIC_KEY, certificate->public_key, PUBLIC_KEY_SIZE);
    body_put_text(&writer, CERTIFICATE_NAME, certificate->name);
    body_put_uint(&writer, CERTIFICATE_ISSUED, certificate->issued);
    if (!node_id_is_zero(&granted.enroller))
        body_put_uint(&writer, CERTIFICATE_BY_AUTHORITY, certificate->by_authority);
    size_t size = body_sign(&writer, crypto);
    struct certificate check;
    return size && size <= CERTIFICATE_MAX_SIZE &&
                   certificate_decode(&check, (struct bytes){buffer, size}, &grant)
               ? size
               : 0;
}

struct bytes certificate_grant(struct bytes encoded)
{
    struct certificate certificate;
    struct bytes grant;
    return certificate_decode(&certificate, encoded, &grant) ? grant : (struct bytes){0};
}

/* -- record --------------------------------------------------------------------------------------- */

static void record_field(struct record *record, struct body *body, int key)
{
    switch (key) {
    case RECORD_INCARNATION:
        record->incarnation = body_uint(body, UINT64_MAX);
        break;
    case RECORD_REVISION:
        record->revision = (uint32_t)body_uint(body, UINT32_MAX);
        break;
    case RECORD_ENDPOINT_LIST:
        record->endpoint_count =
            body_texts(body, record->endpoints[0], ENDPOINT_MAX_SIZE, RECORD_ENDPOINTS, endpoint_valid);
        break;
    case RECORD_ENROLMENT_PORT:
        record->enrolment_port = (uint16_t)body_uint(body, UINT16_MAX);
        break;
    case RECORD_CONTROLLER_LIST:
        record->controller_count =
            body_texts(body, record->controllers[0], DOMAIN_MAX_SIZE, RECORD_CONTROLLERS, host_valid);
        break;
    case RECORD_BOOT_NONCE:
        record->boot_nonce = (uint32_t)body_uint(body, UINT32_MAX);
        break;
    case RECORD_ANCHOR:
        body_binary(body, record->anchor, LINK_SIZE);
        break;
    case RECORD_CHAIN_BASE:
        record->chain_base = (uint32_t)body_uint(body, UINT32_MAX);
        break;
    case RECORD_FLAGS:
        record->flags = (uint32_t)body_uint(body, UINT32_MAX);
        break;
    case RECORD_CANDIDATE_OFF:
        record->candidate_off = (uint8_t)body_uint(body, UINT8_MAX);
        break;
    case RECORD_VERSION:
        body_text(body, record->version, sizeof record->version, version_valid);
        break;
    case RECORD_STARTED:
        record->started = body_uint(body, UINT64_MAX);
        break;
    default:
        body_skip(body);
    }
}

/* All but the certificate, which is handed out as it is encoded. */
static bool record_decode(struct record *record, struct bytes encoded, struct bytes *certificate)
{
    struct signed_body parts;
    *record = (struct record){0};
    *certificate = (struct bytes){0};
    if (encoded.size > RECORD_MAX_SIZE || !signed_split(&parts, encoded))
        return false;
    struct body body = body_open(parts.body, BODY_RECORD);
    int key;
    while ((key = body_next(&body)) >= 0) {
        if (key == RECORD_CERTIFICATE)
            *certificate = body_bytes(&body, CERTIFICATE_MAX_SIZE);
        else
            record_field(record, &body, key);
    }
    return body_end(&body, HAS(RECORD_CERTIFICATE) | HAS(RECORD_ANCHOR));
}

bool record_read(struct record *record, struct bytes encoded, const struct trust *trust,
                 const struct policy *policy, const struct cluster_crypto *crypto)
{
    struct bytes certificate;
    return record_decode(record, encoded, &certificate) &&
           certificate_read(&record->certificate, certificate, trust, policy, crypto) &&
           signed_verify(encoded, record->certificate.public_key, crypto);
}

bool record_read_trusted(struct record *record, struct bytes encoded)
{
    struct bytes certificate;
    return record_decode(record, encoded, &certificate) &&
           certificate_read_trusted(&record->certificate, certificate);
}

struct bytes record_certificate(struct bytes encoded)
{
    struct signed_body parts;
    if (!signed_split(&parts, encoded))
        return (struct bytes){0};
    struct body body = body_open(parts.body, BODY_RECORD);
    if (body_next(&body) != RECORD_CERTIFICATE)
        return (struct bytes){0};
    return body_bytes(&body, CERTIFICATE_MAX_SIZE);
}

static bool peek_grant(struct record_head *head, struct bytes encoded)
{
    struct signed_body parts;
    if (!signed_split(&parts, encoded))
        return false;
    struct body body = body_open(parts.body, BODY_GRANT);
    if (body_next(&body) != GRANT_ID)
        return false;
    body_binary(&body, head->id.bytes, NODE_ID_SIZE);
    return !body.failed;
}

static bool peek_certificate(struct record_head *head, struct bytes encoded)
{
    struct signed_body parts;
    if (!signed_split(&parts, encoded))
        return false;
    struct body body = body_open(parts.body, BODY_CERTIFICATE);
    if (body_next(&body) != CERTIFICATE_GRANT || !peek_grant(head, body_bytes(&body, GRANT_MAX_SIZE)))
        return false;
    if (body_next(&body) == CERTIFICATE_GENERATION)
        head->generation = (uint32_t)body_uint(&body, UINT32_MAX);
    return !body.failed;
}

/* Keys ascend, so what is wanted comes first: the rest is not looked at. */
bool record_peek(struct record_head *head, struct bytes encoded)
{
    struct signed_body parts;
    *head = (struct record_head){0};
    if (encoded.size > RECORD_MAX_SIZE || !signed_split(&parts, encoded))
        return false;
    struct body body = body_open(parts.body, BODY_RECORD);
    int key = body_next(&body);
    if (key != RECORD_CERTIFICATE || !peek_certificate(head, body_bytes(&body, CERTIFICATE_MAX_SIZE)))
        return false;
    key = body_next(&body);
    if (key == RECORD_INCARNATION) {
        head->incarnation = body_uint(&body, UINT64_MAX);
        key = body_next(&body);
    }
    if (key == RECORD_REVISION)
        head->revision = (uint32_t)body_uint(&body, UINT32_MAX);
    return !body.failed;
}

size_t record_write(void *buffer, size_t capacity, const struct record *record, struct bytes certificate,
                    const struct cluster_crypto *crypto)
{
    struct body_writer writer;
    body_begin(&writer, buffer, capacity, BODY_RECORD);
    body_put_binary(&writer, RECORD_CERTIFICATE, certificate.data, certificate.size);
    body_put_uint(&writer, RECORD_INCARNATION, record->incarnation);
    body_put_uint(&writer, RECORD_REVISION, record->revision);
    body_put_texts(&writer, RECORD_ENDPOINT_LIST, record->endpoints[0], ENDPOINT_MAX_SIZE,
                   record->endpoint_count);
    body_put_uint(&writer, RECORD_ENROLMENT_PORT, record->enrolment_port);
    body_put_texts(&writer, RECORD_CONTROLLER_LIST, record->controllers[0], DOMAIN_MAX_SIZE,
                   record->controller_count);
    body_put_uint(&writer, RECORD_BOOT_NONCE, record->boot_nonce);
    body_put_binary(&writer, RECORD_ANCHOR, record->anchor, LINK_SIZE);
    body_put_uint(&writer, RECORD_CHAIN_BASE, record->chain_base);
    body_put_uint(&writer, RECORD_FLAGS, record->flags);
    body_put_uint(&writer, RECORD_CANDIDATE_OFF, record->candidate_off);
    body_put_text(&writer, RECORD_VERSION, record->version);
    body_put_uint(&writer, RECORD_STARTED, record->started);
    size_t size = body_sign(&writer, crypto);
    struct record check;
    return size && record_read_trusted(&check, (struct bytes){buffer, size}) ? size : 0;
}

/* -- policy --------------------------------------------------------------------------------------- */

static void read_enrollers(struct policy *policy, struct body *body)
{
    unsigned count = body_array(body, POLICY_ENROLLERS);
    for (unsigned i = 0; i < count; i++) {
        struct enroller *enroller = &policy->enrollers[i];
        if (body_array(body, 3) != 3) {
            body_fail(body);
            return;
        }
        body_binary(body, enroller->id.bytes, NODE_ID_SIZE);
        body_binary(body, enroller->public_key, PUBLIC_KEY_SIZE);
        enroller->until = body_uint(body, UINT64_MAX);
    }
    policy->enroller_count = count;
}

static bool ascending(const uint8_t *ids, unsigned count)
{
    for (unsigned i = 1; i < count; i++)
        if (memcmp(ids + (size_t)(i - 1) * NODE_ID_SIZE, ids + (size_t)i * NODE_ID_SIZE, NODE_ID_SIZE) >= 0)
            return false;
    return true;
}

static void read_revoked(struct policy *policy, struct body *body)
{
    struct bytes ids = body_bytes(body, POLICY_MAX_SIZE);
    unsigned count = (unsigned)(ids.size / NODE_ID_SIZE);
    if (ids.size % NODE_ID_SIZE != 0 || !ascending(ids.data, count)) {
        body_fail(body);
        return;
    }
    policy->revoked = ids.data;
    policy->revoked_count = count;
}

static bool policy_decode(struct policy *policy, struct bytes encoded)
{
    struct signed_body parts;
    *policy = (struct policy){0};
    if (encoded.size > POLICY_MAX_SIZE || !signed_split(&parts, encoded))
        return false;
    struct body body = body_open(parts.body, BODY_POLICY);
    int key;
    while ((key = body_next(&body)) >= 0) {
        switch (key) {
        case POLICY_VERSION:
            policy->version = body_uint(&body, UINT64_MAX);
            break;
        case POLICY_ENROLLER_LIST:
            read_enrollers(policy, &body);
            break;
        case POLICY_REVOKED:
            read_revoked(policy, &body);
            break;
        default:
            body_skip(&body);
        }
    }
    return body_end(&body, HAS(POLICY_VERSION)) && policy->version > 0;
}

bool policy_read(struct policy *policy, struct bytes encoded, const struct trust *trust,
                 const struct cluster_crypto *crypto)
{
    return policy_decode(policy, encoded) && signed_verify(encoded, trust->authority, crypto);
}

bool policy_revokes(const struct policy *policy, const struct node_id *id)
{
    unsigned low = 0, high = policy->revoked_count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        int order = memcmp(id->bytes, policy->revoked + (size_t)middle * NODE_ID_SIZE, NODE_ID_SIZE);
        if (order == 0)
            return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

size_t policy_write(void *buffer, size_t capacity, const struct policy *policy,
                    const struct cluster_crypto *crypto)
{
    struct body_writer writer;
    body_begin(&writer, buffer, capacity, BODY_POLICY);
    body_put_uint(&writer, POLICY_VERSION, policy->version);
    if (policy->enroller_count > 0)
        body_put_array(&writer, POLICY_ENROLLER_LIST, policy->enroller_count);
    for (unsigned i = 0; i < policy->enroller_count; i++) {
        msgpack_put_array(&writer.out, 3);
        msgpack_put_binary(&writer.out, policy->enrollers[i].id.bytes, NODE_ID_SIZE);
        msgpack_put_binary(&writer.out, policy->enrollers[i].public_key, PUBLIC_KEY_SIZE);
        msgpack_put_uint(&writer.out, policy->enrollers[i].until);
    }
    body_put_binary(&writer, POLICY_REVOKED, policy->revoked, (size_t)policy->revoked_count * NODE_ID_SIZE);
    size_t size = body_sign(&writer, crypto);
    struct policy check;
    return size && policy_decode(&check, (struct bytes){buffer, size}) ? size : 0;
}
