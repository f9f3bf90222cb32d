/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/identity.h"

#include <errno.h>

#define IDENTITY_MAGIC "picketI1"
#define IDENTITY_MAX   (CERTIFICATE_MAX_SIZE + 512u)
#define POLICY_MAGIC   "picketO1"

enum identity_key {
    IDENTITY_FLEET,
    IDENTITY_AUTHORITY,
    IDENTITY_ID,
    IDENTITY_SEED,
    IDENTITY_SALT,
    IDENTITY_NEXT_SEED,
    IDENTITY_CERTIFICATE,
};
#define HAS(key) (UINT32_C(1) << (key))

struct identity *identity_new(const struct trust *trust, const struct node_id *id)
{
    struct identity *identity = secret_alloc(sizeof *identity);
    if (!identity)
        return NULL;
    memset(identity, 0, sizeof *identity);
    identity->trust = *trust;
    identity->id = *id;
    crypto_random(identity->seed, KEY_SEED_SIZE);
    return identity;
}

void identity_destroy(struct identity **identity)
{
    secret_free(*identity);
    *identity = NULL;
}

/* -- on disk -------------------------------------------------------------------------------------- */

static bool decode(struct identity *identity, struct bytes content)
{
    struct body body = body_open(content, BODY_FILE);
    struct bytes certificate = {0};
    int key;
    while ((key = body_next(&body)) >= 0) {
        switch (key) {
        case IDENTITY_FLEET:
            body_binary(&body, identity->trust.fleet, FLEET_ID_SIZE);
            break;
        case IDENTITY_AUTHORITY:
            body_binary(&body, identity->trust.authority, PUBLIC_KEY_SIZE);
            break;
        case IDENTITY_ID:
            body_binary(&body, identity->id.bytes, NODE_ID_SIZE);
            break;
        case IDENTITY_SEED:
            body_binary(&body, identity->seed, KEY_SEED_SIZE);
            break;
        case IDENTITY_SALT:
            body_binary(&body, identity->salt, SALT_SIZE);
            break;
        case IDENTITY_NEXT_SEED:
            body_binary(&body, identity->next_seed, KEY_SEED_SIZE);
            identity->rotating = true;
            break;
        case IDENTITY_CERTIFICATE:
            certificate = body_bytes(&body, CERTIFICATE_MAX_SIZE);
            break;
        default:
            body_skip(&body);
        }
    }
    if (!body_end(&body,
                  HAS(IDENTITY_FLEET) | HAS(IDENTITY_AUTHORITY) | HAS(IDENTITY_ID) | HAS(IDENTITY_SEED)))
        return false;
    if (certificate.size == 0)
        return true;
    memcpy(identity->encoded, certificate.data, certificate.size);
    identity->encoded_size = certificate.size;
    return certificate_read_trusted(&identity->certificate, certificate);
}

enum disk_found identity_load(struct identity **identity, const struct disk *disk, const char *directory,
                              struct fault *fault)
{
    char path[PATH_SIZE];
    struct disk_content content;
    *identity = NULL;
    if (!path_join(path, directory, IDENTITY_NAME, fault))
        return DISK_FAILED;
    enum disk_found found = disk_read_checked(disk, path, IDENTITY_MAGIC, IDENTITY_MAX, &content, fault);
    if (found != DISK_FOUND)
        return found;
    struct identity *loaded = secret_alloc(sizeof *loaded);
    if (loaded) {
        memset(loaded, 0, sizeof *loaded);
        if (decode(loaded, (struct bytes){content.data, content.size}))
            *identity = loaded;
        else
            identity_destroy(&loaded);
    }
    disk_content_free(&content);
    if (*identity)
        return DISK_FOUND;
    fault_say(fault, "%s: not an identity that this version understands", path);
    return DISK_FAILED;
}

bool identity_save(const struct identity *identity, const struct disk *disk, const char *directory,
                   struct fault *fault)
{
    struct body_writer writer;
    uint8_t *buffer = secret_alloc(IDENTITY_MAX);
    if (!buffer)
        return fault_say(fault, "%s", strerror(ENOMEM));
    body_begin(&writer, buffer, IDENTITY_MAX, BODY_FILE);
    body_put_binary(&writer, IDENTITY_FLEET, identity->trust.fleet, FLEET_ID_SIZE);
    body_put_binary(&writer, IDENTITY_AUTHORITY, identity->trust.authority, PUBLIC_KEY_SIZE);
    body_put_binary(&writer, IDENTITY_ID, identity->id.bytes, NODE_ID_SIZE);
    body_put_binary(&writer, IDENTITY_SEED, identity->seed, KEY_SEED_SIZE);
    body_put_binary(&writer, IDENTITY_SALT, identity->salt, SALT_SIZE);
    if (identity->rotating)
        body_put_binary(&writer, IDENTITY_NEXT_SEED, identity->next_seed, KEY_SEED_SIZE);
    body_put_binary(&writer, IDENTITY_CERTIFICATE, identity->encoded, identity->encoded_size);
    size_t size = body_finish(&writer);
    bool fine = size && disk_replace_checked(disk, directory, IDENTITY_NAME, IDENTITY_MAGIC,
                                             (struct bytes){buffer, size}, fault);
    secret_free(buffer);
    return fine;
}

enum disk_found policy_load(struct policy *policy, struct disk_content *content, const struct trust *trust,
                            const struct disk *disk, const char *directory, struct fault *fault)
{
    char path[PATH_SIZE];
    if (!path_join(path, directory, POLICY_NAME, fault))
        return DISK_FAILED;
    enum disk_found found = disk_read_checked(disk, path, POLICY_MAGIC, POLICY_MAX_SIZE, content, fault);
    if (found != DISK_FOUND)
        return found;
    if (policy_read(policy, (struct bytes){content->data, content->size}, trust, crypto_verifier()))
        return DISK_FOUND;
    disk_content_free(content);
    fault_say(fault, "%s: not signed by the fleet's authority", path);
    return DISK_FAILED;
}

bool policy_save(struct bytes encoded, const struct disk *disk, const char *directory, struct fault *fault)
{
    return disk_replace_checked(disk, directory, POLICY_NAME, POLICY_MAGIC, encoded, fault);
}

/* -- keys ----------------------------------------------------------------------------------------- */

struct bytes identity_certificate(const struct identity *identity)
{
    return (struct bytes){identity->encoded, identity->encoded_size};
}

struct crypto_sodium *identity_keys(const struct identity *identity)
{
    return crypto_sodium_new(identity->seed, identity->salt);
}

struct crypto_sodium *identity_next_keys(const struct identity *identity)
{
    return crypto_sodium_new(identity->next_seed, identity->salt);
}

/* A good certificate for this id and the key of `seed`. */
static bool take(struct identity *identity, struct bytes encoded, const uint8_t seed[KEY_SEED_SIZE],
                 const struct policy *policy, struct certificate *certificate, struct fault *fault)
{
    uint8_t public_key[PUBLIC_KEY_SIZE];
    if (encoded.size > CERTIFICATE_MAX_SIZE ||
        !certificate_read(certificate, encoded, &identity->trust, policy, crypto_verifier()))
        return fault_say(fault, "the certificate is not signed by who may sign it");
    if (!node_id_equal(&certificate->grant.id, &identity->id))
        return fault_say(fault, "the certificate is another node's");
    crypto_public_key(public_key, seed);
    if (memcmp(certificate->public_key, public_key, PUBLIC_KEY_SIZE) != 0)
        return fault_say(fault, "the certificate is for another key");
    return true;
}

static void keep(struct identity *identity, struct bytes encoded, const struct certificate *certificate)
{
    memmove(identity->encoded, encoded.data, encoded.size);
    identity->encoded_size = encoded.size;
    identity->certificate = *certificate;
}

bool identity_enrol(struct identity *identity, struct bytes certificate, const uint8_t salt[SALT_SIZE],
                    const struct policy *policy, struct fault *fault)
{
    struct certificate read;
    if (!take(identity, certificate, identity->seed, policy, &read, fault))
        return false;
    keep(identity, certificate, &read);
    memcpy(identity->salt, salt, SALT_SIZE);
    return true;
}

void identity_rotate(struct identity *identity)
{
    if (identity->rotating)
        return;
    crypto_random(identity->next_seed, KEY_SEED_SIZE);
    identity->rotating = true;
}

bool identity_rotated(struct identity *identity, struct bytes certificate, const struct policy *policy,
                      struct fault *fault)
{
    struct certificate read;
    if (!identity->rotating)
        return fault_say(fault, "no rotation was begun");
    if (!take(identity, certificate, identity->next_seed, policy, &read, fault))
        return false;
    if (read.generation <= identity->certificate.generation)
        return fault_say(fault, "the certificate is not newer than the one in use");
    keep(identity, certificate, &read);
    memcpy(identity->seed, identity->next_seed, KEY_SEED_SIZE);
    memset(identity->next_seed, 0, KEY_SEED_SIZE);
    identity->rotating = false;
    return true;
}
