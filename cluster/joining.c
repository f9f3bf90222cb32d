/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/joining.h"

#include "cluster/state_file.h"

static bool find_or_make(struct joining *joining, const struct token *token, struct fault *fault)
{
    enum disk_found found = identity_load(&joining->identity, joining->disk, joining->directory, fault);
    if (found == DISK_FAILED)
        return false;
    if (found == DISK_FOUND) {
        if (joining->identity->encoded_size > 0)
            return fault_say(fault, "%s holds the identity of %s already: a node joins once",
                             joining->directory, joining->identity->certificate.name);
        if (node_id_equal(&joining->identity->id, &token->grant.id))
            return true;
        identity_destroy(&joining->identity); /* of a token that led nowhere */
    }
    joining->identity = identity_new(&token->trust, &token->grant.id);
    return joining->identity ? identity_save(joining->identity, joining->disk, joining->directory, fault)
                             : fault_say(fault, "no memory");
}

bool joining_begin(struct joining *joining, const struct disk *disk, const char *directory,
                   const struct token *token, const char *name, struct fault *fault)
{
    *joining = (struct joining){.disk = disk, .directory = directory};
    if (!name)
        name = token->name;
    if (token->name[0] && strcmp(token->name, name) != 0)
        return fault_say(fault, "the token is for a node named %s", token->name);
    if (!name_valid(name))
        return fault_say(fault, "a node needs a name: 1 to 63 letters, digits, dots, hyphens, underscores");
    if (!find_or_make(joining, token, fault))
        return false;
    struct crypto_sodium *keys = identity_keys(joining->identity);
    if (!keys)
        return fault_say(fault, "no memory");
    struct cluster_crypto crypto = crypto_sodium_table(keys);
    joining->request_size = enrolment_request(joining->request, sizeof joining->request, token, name,
                                              crypto_sodium_public_key(keys), &crypto);
    crypto_sodium_destroy(&keys);
    return joining->request_size > 0 || fault_say(fault, "the token's grant is too long to be sent");
}

bool joining_rotate(struct joining *joining, const struct disk *disk, const char *directory,
                    struct identity *identity, struct fault *fault)
{
    *joining = (struct joining){.disk = disk, .directory = directory, .identity = identity, .rotation = true};
    if (identity->encoded_size == 0)
        return fault_say(fault, "this node has not joined a fleet");
    identity_rotate(identity);
    if (!identity_save(identity, disk, directory, fault))
        return false;
    joining->request_size = rotation_request(joining->request, sizeof joining->request, identity);
    return joining->request_size > 0 || fault_say(fault, "no memory");
}

static bool save_records(const struct joining *joining, const struct enrolment_reply *reply)
{
    struct peers_writer *writer = peers_writer_new();
    for (unsigned i = 0; writer && i < reply->record_count; i++)
        peers_writer_add(writer, reply->records[i]);
    return peers_writer_save(&writer, joining->disk, joining->directory, NULL);
}

/* The identity last: with its certificate in it, the rest is there. */
static bool keep(struct joining *joining, const struct enrolment_reply *reply, const struct policy *policy,
                 struct fault *fault)
{
    struct identity *identity = joining->identity;
    if (joining->rotation)
        return identity_rotated(identity, reply->certificate, policy, fault) &&
               identity_save(identity, joining->disk, joining->directory, fault);
    struct identity *before = secret_alloc(sizeof *before);
    if (!before)
        return fault_say(fault, "no memory");
    *before = *identity;
    bool fine =
        identity_enrol(identity, reply->certificate, reply->salt, policy, fault) &&
        policy_save(reply->policy, joining->disk, joining->directory, fault) &&
        (save_records(joining, reply) || fault_say(fault, "the members' records cannot be written")) &&
        identity_save(identity, joining->disk, joining->directory, fault);
    if (!fine)
        *identity = *before;
    secret_free(before);
    return fine;
}

enum joining_result joining_finish(struct joining *joining, struct bytes encoded, struct fault *fault)
{
    struct enrolment_reply reply;
    struct policy policy;
    if (!enrolment_reply_read(&reply, encoded)) {
        fault_say(fault, "the enroller's reply could not be read");
        return JOINING_AGAIN;
    }
    if (reply.refusal != ENROLMENT_GRANTED) {
        fault_say(fault, "%s", enrolment_refusal_text(reply.refusal));
        return reply.refusal == REFUSED_BUSY ? JOINING_AGAIN : JOINING_REFUSED;
    }
    if (!policy_read(&policy, reply.policy, &joining->identity->trust, crypto_verifier())) {
        fault_say(fault, "the enroller's policy is not signed by the fleet's authority");
        return JOINING_REFUSED;
    }
    return keep(joining, &reply, &policy, fault) ? JOINING_DONE : JOINING_AGAIN;
}
