/* SPDX-License-Identifier: Apache-2.0
 *
 * picket fleet create, invite, passphrase.
 */
#include "base/clock.h"
#include "cluster/enrolment.h"
#include "cluster/state_file.h"
#include "node/command.h"
#include "node/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- create --------------------------------------------------------------------------------------- */

static struct grant wished_grant(const struct fleet_job *job)
{
    struct grant grant = {.mode = job->mode, .domain_count = job->domain_count};
    crypto_random(grant.id.bytes, NODE_ID_SIZE);
    memcpy(grant.site, job->site, sizeof grant.site);
    memcpy(grant.domains, job->domains, sizeof grant.domains);
    memcpy(grant.workspace, job->workspace, sizeof grant.workspace);
    grant.expires = fleet_now() + job->expires;
    return grant;
}

/* The first node: bound by the authority itself, and listed as enroller in the first policy. */
static bool make_first_node(struct fleet_job *job, struct identity *identity)
{
    uint8_t grant[TOKEN_GRANT_MAX], encoded[CERTIFICATE_MAX_SIZE];
    struct certificate wish = {.issued = fleet_now(), .by_authority = true};
    struct policy policy = {.enroller_count = 1};
    struct crypto_sodium *keys = crypto_sodium_new(job->secret->seed, NULL);
    if (!keys)
        return fault_say(&job->fault, "no memory");
    struct cluster_crypto crypto = crypto_sodium_table(keys);
    wish.grant = wished_grant(job);
    wish.grant.id = identity->id;
    memcpy(wish.name, job->name, strlen(job->name) + 1);
    crypto_public_key(wish.public_key, identity->seed);
    size_t grant_size = grant_write(grant, sizeof grant, &wish.grant, &crypto);
    size_t size =
        certificate_write(encoded, sizeof encoded, &wish, (struct bytes){grant, grant_size}, &crypto);
    crypto_sodium_destroy(&keys);
    policy.enrollers[0] = (struct enroller){.id = identity->id, .until = UINT64_MAX};
    memcpy(policy.enrollers[0].public_key, wish.public_key, PUBLIC_KEY_SIZE);
    return size > 0 && authority_sign_policy(job->authority, job->secret, &policy, &job->fault) &&
           identity_enrol(identity, (struct bytes){encoded, size}, job->secret->salt, NULL, &job->fault);
}

/* The authority first: without it nothing else is worth anything. The identity last: with it all is there. */
static bool save_fleet(struct fleet_job *job, const struct identity *identity)
{
    const struct disk *disk = disk_system();
    struct bytes policy = {job->authority->policy, job->authority->policy_size};
    return authority_save(job->authority, disk, job->authority_path, &job->fault) &&
           policy_save(policy, disk, job->directory, &job->fault) &&
           identity_save(identity, disk, job->directory, &job->fault);
}

static bool nothing_there(struct fleet_job *job)
{
    struct identity *identity;
    enum disk_found found = identity_load(&identity, disk_system(), job->directory, &job->fault);
    if (found == DISK_FOUND) {
        identity_destroy(&identity);
        return fault_say(&job->fault, "%s holds a node's identity already", job->directory);
    }
    if (found == DISK_FAILED)
        return false;
    if (access(job->authority_path, F_OK) == 0)
        return fault_say(&job->fault, "%s is there already: a fleet has one authority", job->authority_path);
    return true;
}

static bool make_authority(struct fleet_job *job)
{
    struct disk_content passphrase;
    if (!fleet_passphrase(job, &passphrase, job->passphrase_file, "New passphrase for the fleet's authority",
                          true))
        return false;
    bool fine = authority_create(job->authority, job->secret,
                                 (struct bytes){passphrase.data, passphrase.size}, &job->cost, &job->fault);
    disk_content_free(&passphrase);
    memcpy(job->authority->endpoints, job->endpoints, sizeof job->endpoints);
    job->authority->endpoint_count = job->endpoint_count;
    return fine;
}

static bool create(struct fleet_job *job)
{
    struct node_id id;
    crypto_random(id.bytes, sizeof id.bytes);
    if (!nothing_there(job) || !make_authority(job))
        return false;
    struct identity *identity = identity_new(&job->authority->trust, &id);
    if (!identity)
        return fault_say(&job->fault, "no memory");
    bool fine = make_first_node(job, identity) && save_fleet(job, identity);
    identity_destroy(&identity);
    if (!fine)
        return false;
    char fleet[NODE_ID_TEXT_SIZE], node[NODE_ID_TEXT_SIZE];
    struct node_id fleet_id;
    memcpy(fleet_id.bytes, job->authority->trust.fleet, FLEET_ID_SIZE);
    printf("fleet      %s\nnode       %s, %s\nauthority  %s\n", node_id_text(&fleet_id, fleet),
           node_id_text(&id, node), job->name, job->authority_path);
    fprintf(stderr,
            "Keep a copy of the authority's file where no node is, and its passphrase in your head or a "
            "safe: who has both rules the fleet, who has lost one cannot invite or revoke any more.\n");
    return true;
}

int fleet_create(struct fleet_job *job)
{
    if (!job->name || !job->site[0])
        return command_misused("fleet", "create: --name and --site are wanted");
    if (job->endpoint_count == 0)
        return command_misused("fleet", "create: --enrol-at is wanted: where nodes that join reach this one");
    if (!directory_prepare(job->directory, &job->fault))
        return fleet_failed(job);
    int lock = directory_lock(job->directory, &job->fault);
    if (lock < 0)
        return fleet_failed(job);
    bool fine = create(job);
    close(lock);
    return fine ? EXIT_FINE : fleet_failed(job);
}

/* -- invite --------------------------------------------------------------------------------------- */

static bool in_office(const struct enroller *enroller)
{
    return enroller->until > fleet_now();
}

static const struct enroller *enroller_of(const struct policy *policy, const struct node_id *id)
{
    const struct enroller *found = NULL;
    for (unsigned i = 0; i < policy->enroller_count; i++)
        if (in_office(&policy->enrollers[i]) && (!id || node_id_equal(&policy->enrollers[i].id, id)))
            found = found && !id ? NULL : &policy->enrollers[i];
    return found;
}

static unsigned enrollers_in_office(const struct policy *policy)
{
    unsigned count = 0;
    for (unsigned i = 0; i < policy->enroller_count; i++)
        count += in_office(&policy->enrollers[i]);
    return count;
}

static const struct enroller *choose_enroller(struct fleet_job *job, const struct policy *policy)
{
    struct node_id id;
    struct certificate certificate;
    if (!job->enroller && enrollers_in_office(policy) == 1)
        return enroller_of(policy, NULL);
    if (!job->enroller) {
        if (enrollers_in_office(policy) == 0)
            fault_say(&job->fault, "no node of the fleet may enrol others: see picket fleet enroller add");
        else
            fault_say(&job->fault, "the fleet has several enrollers: say which with --enroller");
        return NULL;
    }
    if (!fleet_find_node(job, policy, job->enroller, &id, &certificate))
        return NULL;
    const struct enroller *found = enroller_of(policy, &id);
    if (!found)
        fault_say(&job->fault, "%.64s is no enroller: see picket fleet enroller add", job->enroller);
    return found;
}

struct listener {
    struct node_id id;
    struct token *token;
};

/* The hosts of its record, with the port of its enrolment socket. */
static void take_endpoints(void *context, struct bytes encoded)
{
    static struct record record;
    struct listener *listener = context;
    struct token *token = listener->token;
    if (!record_read_trusted(&record, encoded) || record.enrolment_port == 0 ||
        !node_id_equal(&record.certificate.grant.id, &listener->id))
        return;
    token->endpoint_count = 0;
    for (unsigned i = 0; i < record.endpoint_count; i++) {
        int host = (int)(strrchr(record.endpoints[i], ':') - record.endpoints[i]);
        char *to = token->endpoints[token->endpoint_count];
        if (snprintf(to, ENDPOINT_MAX_SIZE, "%.*s:%u", host, record.endpoints[i], record.enrolment_port) <
            (int)ENDPOINT_MAX_SIZE)
            token->endpoint_count++;
    }
}

static bool find_endpoints(struct fleet_job *job, const struct policy *policy, struct token *token)
{
    struct listener listener = {.id = token->grant.enroller, .token = token};
    struct fault unread;
    if (job->endpoint_count == 0)
        (void)peers_load(disk_system(), job->directory, take_endpoints, &listener, &unread);
    if (token->endpoint_count > 0)
        return true;
    if (job->endpoint_count > 0) {
        memcpy(token->endpoints, job->endpoints, sizeof token->endpoints);
        token->endpoint_count = job->endpoint_count;
    } else if (node_id_equal(&policy->enrollers[0].id, &token->grant.enroller)) {
        memcpy(token->endpoints, job->authority->endpoints, sizeof token->endpoints);
        token->endpoint_count = job->authority->endpoint_count;
    }
    return token->endpoint_count > 0 ||
           fault_say(&job->fault, "where does the enroller listen? Say it with --enrol-at");
}

static bool make_token(struct fleet_job *job, struct token *token)
{
    struct policy policy;
    struct disk_content content;
    if (!fleet_policy(job, &policy, &content))
        return false;
    const struct enroller *enroller = choose_enroller(job, &policy);
    token->trust = job->authority->trust;
    token->grant = wished_grant(job);
    if (job->name)
        memcpy(token->name, job->name, strlen(job->name) + 1);
    if (enroller)
        token->grant.enroller = enroller->id;
    bool fine = enroller && crypto_curve_public(token->enroller_key, enroller->public_key) &&
                find_endpoints(job, &policy, token);
    disk_content_free(&content);
    struct crypto_sodium *keys = fine ? crypto_sodium_new(job->secret->seed, NULL) : NULL;
    if (fine && !keys)
        fault_say(&job->fault, "no memory");
    if (!keys)
        return false;
    struct cluster_crypto crypto = crypto_sodium_table(keys);
    fine = token_make(token, &crypto) || fault_say(&job->fault, "the names are too long for a token");
    crypto_sodium_destroy(&keys);
    return fine;
}

static bool invite(struct fleet_job *job, struct token *token, char *text)
{
    memset(token, 0, sizeof *token);
    if (!fleet_open_authority(job) || !make_token(job, token))
        return false;
    if (!token_print(token, text))
        return fault_say(&job->fault, "the token would be too long");
    char until[CLOCK_RFC3339_MAX], id[NODE_ID_TEXT_SIZE];
    fleet_say_time(until, token->grant.expires);
    fprintf(stderr, "good for one node until %s; its id will be %s\n", until,
            node_id_text(&token->grant.id, id));
    puts(text);
    return true;
}

int fleet_invite(struct fleet_job *job)
{
    if (!job->site[0])
        return command_misused("fleet", "invite: --site is wanted");
    struct token *token = secret_alloc(sizeof *token);
    char *text = secret_alloc(TOKEN_TEXT_MAX);
    bool fine = token && text && invite(job, token, text);
    secret_free(token);
    secret_free(text);
    return fine ? EXIT_FINE : fleet_failed(job);
}

/* -- passphrase ----------------------------------------------------------------------------------- */

int fleet_change_passphrase(struct fleet_job *job)
{
    struct disk_content passphrase;
    if (job->passphrase_file && !job->new_passphrase_file)
        return command_misused("fleet", "passphrase: --new-passphrase-file is wanted as well");
    if (!fleet_open_authority(job) || !fleet_passphrase(job, &passphrase, job->new_passphrase_file,
                                                        "New passphrase for the fleet's authority", true))
        return fleet_failed(job);
    bool fine = authority_seal(job->authority, job->secret, (struct bytes){passphrase.data, passphrase.size},
                               &job->cost, &job->fault) &&
                authority_save(job->authority, disk_system(), job->authority_path, &job->fault);
    disk_content_free(&passphrase);
    return fine ? EXIT_FINE : fleet_failed(job);
}
