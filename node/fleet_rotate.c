/* SPDX-License-Identifier: Apache-2.0
 *
 * picket fleet rotate: a new key for this host's node. The running node asks its enroller; with the authority
 * at hand the certificate is made here, while picketd does not run.
 */
#include "node/command.h"
#include "node/fleet.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int ask_node(struct fleet_job *job)
{
    json_t *answer;
    int status = control_ask(&job->control, json_pack("{ss}", "verb", "rotate"), &answer);
    if (status != EXIT_FINE)
        return status;
    const char *done = json_string_value(json_object_get(answer, "done"));
    puts(done ? done : "a new key was asked for");
    json_decref(answer);
    return EXIT_FINE;
}

/* An enroller's new key must stand in the policy, and its old one stays for what it signed. */
static bool renew_office(struct fleet_job *job, const struct identity *identity,
                         const struct certificate *wish, bool *changed)
{
    struct policy policy;
    struct disk_content content;
    *changed = false;
    if (!fleet_policy(job, &policy, &content))
        return false;
    bool fine = true;
    for (unsigned i = 0; fine && !*changed && i < policy.enroller_count; i++) {
        struct enroller *old = &policy.enrollers[i];
        if (!node_id_equal(&old->id, &identity->id) || old->until <= wish->issued ||
            memcmp(old->public_key, identity->certificate.public_key, PUBLIC_KEY_SIZE) != 0)
            continue;
        if (policy.enroller_count == POLICY_ENROLLERS) {
            fine = fault_say(&job->fault, "the policy has its %u enrollers already", POLICY_ENROLLERS);
            break;
        }
        old->until = wish->issued;
        struct enroller *renewed = &policy.enrollers[policy.enroller_count++];
        *renewed = (struct enroller){.id = identity->id, .until = UINT64_MAX};
        memcpy(renewed->public_key, wish->public_key, PUBLIC_KEY_SIZE);
        *changed = true;
    }
    if (fine && *changed)
        fine = fleet_sign_policy(job, &policy) &&
               policy_save((struct bytes){job->authority->policy, job->authority->policy_size}, disk_system(),
                           job->directory, &job->fault);
    disk_content_free(&content);
    return fine;
}

static size_t bind_next(struct fleet_job *job, const struct identity *identity, struct certificate *wish,
                        uint8_t *encoded)
{
    struct crypto_sodium *keys = crypto_sodium_new(job->secret->seed, NULL);
    if (!keys)
        return 0;
    struct cluster_crypto crypto = crypto_sodium_table(keys);
    *wish = identity->certificate;
    wish->generation++;
    wish->issued = fleet_now();
    wish->by_authority = true;
    crypto_public_key(wish->public_key, identity->next_seed);
    size_t size = certificate_write(encoded, CERTIFICATE_MAX_SIZE, wish,
                                    certificate_grant(identity_certificate(identity)), &crypto);
    crypto_sodium_destroy(&keys);
    return size;
}

static bool rotate(struct fleet_job *job, struct identity *identity)
{
    uint8_t encoded[CERTIFICATE_MAX_SIZE];
    struct certificate wish;
    bool office;
    if (memcmp(&identity->trust, &job->authority->trust, sizeof identity->trust) != 0)
        return fault_say(&job->fault, "the node in %s is of another fleet", job->directory);
    if (identity->encoded_size == 0)
        return fault_say(&job->fault, "the node in %s has not joined", job->directory);
    identity_rotate(identity);
    if (!identity_save(identity, disk_system(), job->directory, &job->fault))
        return false;
    size_t size = bind_next(job, identity, &wish, encoded);
    if (size == 0)
        return fault_say(&job->fault, "no memory");
    if (!renew_office(job, identity, &wish, &office) ||
        !identity_rotated(identity, (struct bytes){encoded, size}, NULL, &job->fault) ||
        !identity_save(identity, disk_system(), job->directory, &job->fault))
        return false;
    printf("%s has key generation %u%s\n", identity->certificate.name, identity->certificate.generation,
           office ? ", and may enrol with it" : "");
    return true;
}

int fleet_rotate(struct fleet_job *job)
{
    struct identity *identity = NULL;
    if (!job->authority_given)
        return ask_node(job);
    int lock = directory_lock(job->directory, &job->fault);
    bool fine = lock >= 0 && fleet_open_authority(job) &&
                identity_load(&identity, disk_system(), job->directory, &job->fault) == DISK_FOUND &&
                rotate(job, identity);
    identity_destroy(&identity);
    if (lock >= 0)
        close(lock);
    return fine ? EXIT_FINE : fleet_failed(job);
}
