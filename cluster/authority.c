/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/authority.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#define AUTHORITY_MAGIC "picketA1"
#define AUTHORITY_MAX   (POLICY_MAX_SIZE + 2048u)

/* A file may not make its reader spend more than this. */
#define OPERATIONS_MAX 32u
#define MEMORY_MAX     (UINT64_C(2) << 30)

static_assert(AUTHORITY_NONCE_SIZE == crypto_secretbox_NONCEBYTES &&
                  AUTHORITY_SALT_SIZE == crypto_pwhash_SALTBYTES &&
                  AUTHORITY_BOX_SIZE == sizeof(struct authority_secret) + crypto_secretbox_MACBYTES,
              "libsodium's sizes");

const struct authority_cost authority_cost_default = {.operations = crypto_pwhash_argon2id_OPSLIMIT_MODERATE,
                                                      .memory = crypto_pwhash_argon2id_MEMLIMIT_MODERATE};

enum authority_key {
    AUTHORITY_FLEET,
    AUTHORITY_PUBLIC_KEY,
    AUTHORITY_OPERATIONS,
    AUTHORITY_MEMORY,
    AUTHORITY_PASSWORD_SALT,
    AUTHORITY_NONCE,
    AUTHORITY_BOX,
    AUTHORITY_ENDPOINTS,
    AUTHORITY_POLICY,
};
#define HAS(key) (UINT32_C(1) << (key))

/* -- the seal ------------------------------------------------------------------------------------- */

static bool derive(uint8_t *key, const struct authority *authority, struct bytes passphrase,
                   struct fault *fault)
{
    if (crypto_pwhash(key, crypto_secretbox_KEYBYTES, (const char *)passphrase.data, passphrase.size,
                      authority->password_salt, authority->cost.operations, (size_t)authority->cost.memory,
                      crypto_pwhash_ALG_ARGON2ID13) == 0)
        return true;
    return fault_say(fault, "the passphrase's key takes %llu MiB of memory, which this host does not give",
                     (unsigned long long)(authority->cost.memory >> 20));
}

bool authority_seal(struct authority *authority, const struct authority_secret *secret,
                    struct bytes passphrase, const struct authority_cost *cost, struct fault *fault)
{
    uint8_t *key = secret_alloc(crypto_secretbox_KEYBYTES);
    if (!key)
        return fault_say(fault, "%s", strerror(ENOMEM));
    authority->cost = *cost;
    crypto_random(authority->password_salt, AUTHORITY_SALT_SIZE);
    crypto_random(authority->nonce, AUTHORITY_NONCE_SIZE);
    bool fine = derive(key, authority, passphrase, fault);
    if (fine)
        crypto_secretbox_easy(authority->box, (const uint8_t *)secret, sizeof *secret, authority->nonce, key);
    secret_free(key);
    return fine;
}

bool authority_create(struct authority *authority, struct authority_secret *secret, struct bytes passphrase,
                      const struct authority_cost *cost, struct fault *fault)
{
    memset(authority, 0, sizeof *authority);
    crypto_random(secret, sizeof *secret);
    crypto_random(authority->trust.fleet, FLEET_ID_SIZE);
    crypto_public_key(authority->trust.authority, secret->seed);
    return authority_seal(authority, secret, passphrase, cost, fault);
}

bool authority_open(const struct authority *authority, struct bytes passphrase,
                    struct authority_secret *secret, struct fault *fault)
{
    uint8_t public_key[PUBLIC_KEY_SIZE];
    uint8_t *key = secret_alloc(crypto_secretbox_KEYBYTES);
    if (!key)
        return fault_say(fault, "%s", strerror(ENOMEM));
    bool fine = derive(key, authority, passphrase, fault);
    if (fine && crypto_secretbox_open_easy((uint8_t *)secret, authority->box, AUTHORITY_BOX_SIZE,
                                           authority->nonce, key) != 0)
        fine = fault_say(fault, "wrong passphrase");
    secret_free(key);
    if (!fine)
        return false;
    /* The clear part of the file is not sealed: it must at least fit. */
    crypto_public_key(public_key, secret->seed);
    if (memcmp(public_key, authority->trust.authority, PUBLIC_KEY_SIZE) == 0)
        return true;
    sodium_memzero(secret, sizeof *secret);
    return fault_say(fault, "the authority's public key was altered");
}

/* -- the file ------------------------------------------------------------------------------------- */

static void read_policy_bytes(struct authority *authority, struct body *body)
{
    struct bytes policy = body_bytes(body, POLICY_MAX_SIZE);
    if (policy.size)
        memcpy(authority->policy, policy.data, policy.size);
    authority->policy_size = policy.size;
}

static bool decode(struct authority *authority, struct bytes content)
{
    struct body body = body_open(content, BODY_FILE);
    int key;
    memset(authority, 0, sizeof *authority);
    while ((key = body_next(&body)) >= 0) {
        switch (key) {
        case AUTHORITY_FLEET:
            body_binary(&body, authority->trust.fleet, FLEET_ID_SIZE);
            break;
        case AUTHORITY_PUBLIC_KEY:
            body_binary(&body, authority->trust.authority, PUBLIC_KEY_SIZE);
            break;
        case AUTHORITY_OPERATIONS:
            authority->cost.operations = body_uint(&body, OPERATIONS_MAX);
            break;
        case AUTHORITY_MEMORY:
            authority->cost.memory = body_uint(&body, MEMORY_MAX);
            break;
        case AUTHORITY_PASSWORD_SALT:
            body_binary(&body, authority->password_salt, AUTHORITY_SALT_SIZE);
            break;
        case AUTHORITY_NONCE:
            body_binary(&body, authority->nonce, AUTHORITY_NONCE_SIZE);
            break;
        case AUTHORITY_BOX:
            body_binary(&body, authority->box, AUTHORITY_BOX_SIZE);
            break;
        case AUTHORITY_ENDPOINTS:
            authority->endpoint_count = body_texts(&body, authority->endpoints[0], ENDPOINT_MAX_SIZE,
                                                   RECORD_ENDPOINTS, endpoint_valid);
            break;
        case AUTHORITY_POLICY:
            read_policy_bytes(authority, &body);
            break;
        default:
            body_skip(&body);
        }
    }
    return body_end(&body, HAS(AUTHORITY_FLEET) | HAS(AUTHORITY_PUBLIC_KEY) | HAS(AUTHORITY_OPERATIONS) |
                               HAS(AUTHORITY_MEMORY) | HAS(AUTHORITY_PASSWORD_SALT) | HAS(AUTHORITY_NONCE) |
                               HAS(AUTHORITY_BOX));
}

enum disk_found authority_load(struct authority *authority, const struct disk *disk, const char *path,
                               struct fault *fault)
{
    struct disk_content content;
    enum disk_found found = disk_read_checked(disk, path, AUTHORITY_MAGIC, AUTHORITY_MAX, &content, fault);
    if (found != DISK_FOUND)
        return found;
    bool fine = decode(authority, (struct bytes){content.data, content.size});
    disk_content_free(&content);
    if (fine)
        return DISK_FOUND;
    fault_say(fault, "%s: not an authority that this version understands", path);
    return DISK_FAILED;
}

static size_t encode(const struct authority *authority, uint8_t *buffer)
{
    struct body_writer writer;
    body_begin(&writer, buffer, AUTHORITY_MAX, BODY_FILE);
    body_put_binary(&writer, AUTHORITY_FLEET, authority->trust.fleet, FLEET_ID_SIZE);
    body_put_binary(&writer, AUTHORITY_PUBLIC_KEY, authority->trust.authority, PUBLIC_KEY_SIZE);
    body_put_uint(&writer, AUTHORITY_OPERATIONS, authority->cost.operations);
    body_put_uint(&writer, AUTHORITY_MEMORY, authority->cost.memory);
    body_put_binary(&writer, AUTHORITY_PASSWORD_SALT, authority->password_salt, AUTHORITY_SALT_SIZE);
    body_put_binary(&writer, AUTHORITY_NONCE, authority->nonce, AUTHORITY_NONCE_SIZE);
    body_put_binary(&writer, AUTHORITY_BOX, authority->box, AUTHORITY_BOX_SIZE);
    body_put_texts(&writer, AUTHORITY_ENDPOINTS, authority->endpoints[0], ENDPOINT_MAX_SIZE,
                   authority->endpoint_count);
    body_put_binary(&writer, AUTHORITY_POLICY, authority->policy, authority->policy_size);
    return body_finish(&writer);
}

/* "DIRECTORY/NAME" in its two parts; a bare name is in the current directory. */
static bool split_path(const char *path, char directory[PATH_SIZE], const char **name)
{
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    size_t size = slash ? (size_t)(slash - path) : 0;
    if (size >= PATH_SIZE - 1 || !**name)
        return false;
    memcpy(directory, path, size);
    memcpy(directory + size, "", 1);
    if (size == 0)
        memcpy(directory, slash ? "/" : ".", 2);
    return true;
}

bool authority_save(const struct authority *authority, const struct disk *disk, const char *path,
                    struct fault *fault)
{
    char directory[PATH_SIZE];
    const char *name;
    uint8_t *buffer = malloc(AUTHORITY_MAX);
    if (!buffer)
        return fault_say(fault, "%s", strerror(ENOMEM));
    bool fine = split_path(path, directory, &name);
    if (!fine)
        fault_say(fault, "%.80s: not the path of a file", path);
    size_t size = fine ? encode(authority, buffer) : 0;
    fine = size &&
           disk_replace_checked(disk, directory, name, AUTHORITY_MAGIC, (struct bytes){buffer, size}, fault);
    free(buffer);
    return fine;
}

/* -- the policy ----------------------------------------------------------------------------------- */

bool authority_policy(const struct authority *authority, struct policy *policy)
{
    return policy_read(policy, (struct bytes){authority->policy, authority->policy_size}, &authority->trust,
                       crypto_verifier());
}

bool authority_sign_policy(struct authority *authority, const struct authority_secret *secret,
                           struct policy *policy, struct fault *fault)
{
    struct crypto_sodium *keys = crypto_sodium_new(secret->seed, NULL);
    uint8_t *buffer = malloc(POLICY_MAX_SIZE);
    size_t size = 0;
    if (keys && buffer) {
        struct cluster_crypto crypto = crypto_sodium_table(keys);
        policy->version++;
        size = policy_write(buffer, POLICY_MAX_SIZE, policy, &crypto);
    }
    /* What policy->revoked points to may be the old policy: only now it may go. */
    if (size) {
        memcpy(authority->policy, buffer, size);
        authority->policy_size = size;
    }
    if (keys)
        crypto_sodium_destroy(&keys);
    free(buffer);
    return size ? true : fault_say(fault, "the policy would be too long: too many revoked nodes");
}
