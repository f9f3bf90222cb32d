/* SPDX-License-Identifier: Apache-2.0
 *
 * picket fleet revoke, enroller, publish: the next version of the policy.
 */
#include "node/command.h"
#include "node/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A policy that can be changed: the ids it revokes are in memory of its own. */
struct draft {
    struct policy policy;
    uint8_t *revoked;
    unsigned changes;
};

static bool draft_open(struct fleet_job *job, struct draft *draft)
{
    struct disk_content content;
    *draft = (struct draft){0};
    if (!fleet_open_authority(job) || !fleet_policy(job, &draft->policy, &content))
        return false;
    unsigned count = draft->policy.revoked_count;
    draft->revoked = malloc(((size_t)count + (unsigned)job->argument_count) * NODE_ID_SIZE + 1);
    if (draft->revoked && count > 0)
        memcpy(draft->revoked, draft->policy.revoked, (size_t)count * NODE_ID_SIZE);
    draft->policy.revoked = draft->revoked;
    disk_content_free(&content);
    return draft->revoked ? true : fault_say(&job->fault, "no memory");
}

static int draft_sign(struct fleet_job *job, struct draft *draft)
{
    bool fine = fleet_sign_policy(job, &draft->policy);
    free(draft->revoked);
    return fine ? fleet_publish_policy(job) : fleet_failed(job);
}

static int draft_fail(struct fleet_job *job, struct draft *draft)
{
    free(draft->revoked);
    return fleet_failed(job);
}

/* -- revoke --------------------------------------------------------------------------------------- */

static void insert_revoked(struct draft *draft, const struct node_id *id)
{
    unsigned at = draft->policy.revoked_count;
    uint8_t *place = draft->revoked + (size_t)at * NODE_ID_SIZE;
    while (at > 0 && memcmp(place - NODE_ID_SIZE, id->bytes, NODE_ID_SIZE) > 0) {
        memcpy(place, place - NODE_ID_SIZE, NODE_ID_SIZE);
        place -= NODE_ID_SIZE;
        at--;
    }
    memcpy(place, id->bytes, NODE_ID_SIZE);
    draft->policy.revoked_count++;
    draft->changes++;
}

/* What it bound until now stays good; what somebody binds with its key from now on does not. */
static bool end_office(struct draft *draft, const struct node_id *id)
{
    bool was = false;
    uint64_t now = fleet_now();
    for (unsigned i = 0; i < draft->policy.enroller_count; i++) {
        struct enroller *enroller = &draft->policy.enrollers[i];
        if (!node_id_equal(&enroller->id, id) || enroller->until <= now)
            continue;
        enroller->until = now;
        draft->changes++;
        was = true;
    }
    return was;
}

static bool revoke_one(struct fleet_job *job, struct draft *draft, const char *text)
{
    struct node_id id;
    struct certificate certificate;
    char shown[NODE_ID_TEXT_SIZE];
    if (!fleet_find_node(job, &draft->policy, text, &id, &certificate))
        return false;
    const char *name = certificate.name[0] ? certificate.name : "a node that this host does not know";
    if (policy_revokes(&draft->policy, &id)) {
        fprintf(stderr, "%s, %s: was revoked before\n", node_id_text(&id, shown), name);
        return true;
    }
    insert_revoked(draft, &id);
    fprintf(stderr, "%s, %s: revoked\n", node_id_text(&id, shown), name);
    if (end_office(draft, &id))
        fprintf(stderr, "it was an enroller: tokens that name it are of no use any more\n");
    return true;
}

int fleet_revoke(struct fleet_job *job)
{
    struct draft draft;
    if (!draft_open(job, &draft))
        return fleet_failed(job);
    for (int i = 0; i < job->argument_count; i++)
        if (!revoke_one(job, &draft, job->arguments[i]))
            return draft_fail(job, &draft);
    if (draft.changes > 0)
        return draft_sign(job, &draft);
    free(draft.revoked);
    return EXIT_FINE;
}

/* -- enrollers ------------------------------------------------------------------------------------ */

static bool add_enroller(struct fleet_job *job, struct draft *draft, const struct node_id *id,
                         const struct certificate *certificate)
{
    static const uint8_t unknown[PUBLIC_KEY_SIZE];
    struct policy *policy = &draft->policy;
    if (memcmp(certificate->public_key, unknown, PUBLIC_KEY_SIZE) == 0)
        return fault_say(&job->fault, "%.64s: this host has no record of it yet (written every few minutes)",
                         job->arguments[1]);
    if (policy_revokes(policy, id))
        return fault_say(&job->fault, "%.64s is revoked", job->arguments[1]);
    for (unsigned i = 0; i < policy->enroller_count; i++)
        if (node_id_equal(&policy->enrollers[i].id, id) &&
            memcmp(policy->enrollers[i].public_key, certificate->public_key, PUBLIC_KEY_SIZE) == 0) {
            policy->enrollers[i].until = UINT64_MAX;
            return true;
        }
    if (policy->enroller_count == POLICY_ENROLLERS)
        return fault_say(&job->fault, "the policy has its %u enrollers already", POLICY_ENROLLERS);
    struct enroller *enroller = &policy->enrollers[policy->enroller_count++];
    *enroller = (struct enroller){.id = *id, .until = UINT64_MAX};
    memcpy(enroller->public_key, certificate->public_key, PUBLIC_KEY_SIZE);
    return true;
}

int fleet_enroller(struct fleet_job *job)
{
    struct draft draft;
    struct node_id id;
    struct certificate certificate;
    bool add = strcmp(job->arguments[0], "add") == 0;
    if (!add && strcmp(job->arguments[0], "remove") != 0)
        return command_misused("fleet", "enroller: add or remove is wanted");
    if (!draft_open(job, &draft))
        return fleet_failed(job);
    if (!fleet_find_node(job, &draft.policy, job->arguments[1], &id, &certificate))
        return draft_fail(job, &draft);
    bool fine =
        add ? add_enroller(job, &draft, &id, &certificate)
            : end_office(&draft, &id) || fault_say(&job->fault, "%.64s is no enroller", job->arguments[1]);
    return fine ? draft_sign(job, &draft) : draft_fail(job, &draft);
}

/* -- publish -------------------------------------------------------------------------------------- */

int fleet_publish(struct fleet_job *job)
{
    return fleet_load_authority(job) ? fleet_publish_policy(job) : fleet_failed(job);
}
