/* SPDX-License-Identifier: Apache-2.0
 *
 * What the verbs of `picket fleet` share: the authority, the policy, nodes by their names.
 */
#include "base/clock.h"
#include "cluster/state_file.h"
#include "node/command.h"
#include "node/fleet.h"
#include "node/passphrase.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int fleet_failed(const struct fleet_job *job)
{
    char subject[64];
    snprintf(subject, sizeof subject, "fleet %s", job->verb ? job->verb : "");
    return command_failed(subject, job->fault.text);
}

uint64_t fleet_now(void)
{
    return (uint64_t)(clock_wall(clock_system()) / CLOCK_SECOND);
}

void fleet_say_time(char *to, uint64_t seconds)
{
    clock_rfc3339((int64_t)seconds * CLOCK_SECOND, to);
    char *decimals = strchr(to, '.');
    if (decimals)
        memcpy(decimals, "Z", 2);
}

/* -- the authority -------------------------------------------------------------------------------- */

bool fleet_load_authority(struct fleet_job *job)
{
    job->lock = file_lock(job->authority_path, &job->fault);
    return job->lock >= 0 &&
           authority_load(job->authority, disk_system(), job->authority_path, &job->fault) == DISK_FOUND;
}

bool fleet_passphrase(struct fleet_job *job, struct disk_content *passphrase, const char *file,
                      const char *prompt, bool is_new)
{
    if (!passphrase_read(passphrase, file, prompt, is_new, &job->fault))
        return false;
    if (!is_new || passphrase->size >= PASSPHRASE_MIN)
        return true;
    disk_content_free(passphrase);
    return fault_say(&job->fault, "the passphrase must have %u characters or more", PASSPHRASE_MIN);
}

bool fleet_open_authority(struct fleet_job *job)
{
    struct disk_content passphrase;
    if (!fleet_load_authority(job) || !fleet_passphrase(job, &passphrase, job->passphrase_file,
                                                        "Passphrase of the fleet's authority", false))
        return false;
    bool fine = authority_open(job->authority, (struct bytes){passphrase.data, passphrase.size}, job->secret,
                               &job->fault);
    disk_content_free(&passphrase);
    return fine;
}

/* -- the policy ----------------------------------------------------------------------------------- */

bool fleet_policy(struct fleet_job *job, struct policy *policy, struct disk_content *content)
{
    struct policy known;
    *content = (struct disk_content){0};
    if (!authority_policy(job->authority, policy))
        return fault_say(&job->fault, "%s: the policy in it is not good", job->authority_path);
    /* A copy of the authority's file may be older than what the fleet knows. */
    struct fault unread;
    if (policy_load(&known, content, &job->authority->trust, disk_system(), job->directory, &unread) !=
        DISK_FOUND)
        return true;
    if (known.version > policy->version)
        *policy = known;
    return true;
}

bool fleet_sign_policy(struct fleet_job *job, struct policy *policy)
{
    return authority_sign_policy(job->authority, job->secret, policy, &job->fault) &&
           authority_save(job->authority, disk_system(), job->authority_path, &job->fault);
}

static json_t *policy_request(const struct authority *authority)
{
    size_t capacity = sodium_base64_ENCODED_LEN(authority->policy_size, sodium_base64_VARIANT_ORIGINAL);
    char *text = malloc(capacity);
    if (!text)
        return NULL;
    sodium_bin2base64(text, capacity, authority->policy, authority->policy_size,
                      sodium_base64_VARIANT_ORIGINAL);
    json_t *request = json_pack("{ssss}", "verb", "policy", "data", text);
    free(text);
    return request;
}

/* Whether a node listens at the control socket. */
static bool node_listens(const struct fleet_job *job)
{
    const char *reason;
    struct control_client *client = control_client_open(&job->control, &reason);
    if (!client)
        return false;
    control_client_close(&client);
    return true;
}

static int leave_policy(struct fleet_job *job, uint64_t version)
{
    struct bytes policy = {job->authority->policy, job->authority->policy_size};
    struct identity *identity;
    int lock = directory_lock(job->directory, &job->fault);
    bool fine =
        lock >= 0 && identity_load(&identity, disk_system(), job->directory, &job->fault) == DISK_FOUND;
    if (fine) {
        bool ours = memcmp(&identity->trust, &job->authority->trust, sizeof identity->trust) == 0;
        identity_destroy(&identity);
        fine = ours ? policy_save(policy, disk_system(), job->directory, &job->fault)
                    : fault_say(&job->fault, "the node in %s is of another fleet", job->directory);
    }
    if (lock >= 0)
        close(lock);
    if (!fine) {
        fprintf(stderr,
                "picket: policy %llu is signed and kept in %s, but no node knows it yet: run "
                "\"picket fleet publish\" where picketd runs\n",
                (unsigned long long)version, job->authority_path);
        return fleet_failed(job);
    }
    printf("policy %llu is signed; picketd does not run here: it will tell the fleet when it starts\n",
           (unsigned long long)version);
    return EXIT_FINE;
}

int fleet_publish_policy(struct fleet_job *job)
{
    struct policy policy;
    if (!authority_policy(job->authority, &policy)) {
        fault_say(&job->fault, "%s: there is no good policy in it", job->authority_path);
        return fleet_failed(job);
    }
    if (!node_listens(job))
        return leave_policy(job, policy.version);
    json_t *request = policy_request(job->authority), *answer;
    if (!request)
        return command_failed("fleet", strerror(ENOMEM));
    int status = control_ask(&job->control, request, &answer);
    if (status != EXIT_FINE)
        return status;
    json_decref(answer);
    printf("policy %llu is signed, and told to this host's node: the fleet knows it within seconds\n",
           (unsigned long long)policy.version);
    return EXIT_FINE;
}

/* -- nodes ---------------------------------------------------------------------------------------- */

struct search {
    const struct policy *policy;
    const char *name;
    bool by_id;
    struct node_id id;
    unsigned matches; /* different ids */
    bool revoked; /* what matched is; one that is not is preferred: hosts come back under their old name */
    struct certificate certificate;
};

static void take(struct search *search, const struct certificate *certificate, bool revoked)
{
    search->id = certificate->grant.id;
    search->revoked = revoked;
    search->certificate = *certificate;
}

static void consider(struct search *search, const struct certificate *certificate)
{
    const struct node_id *id = &certificate->grant.id;
    bool matches =
        search->by_id ? node_id_equal(id, &search->id) : strcmp(certificate->name, search->name) == 0;
    bool revoked = policy_revokes(search->policy, id);
    if (!matches)
        return;
    if (search->matches > 0 && node_id_equal(id, &search->id)) {
        if (certificate->generation > search->certificate.generation)
            take(search, certificate, revoked);
    } else if (search->matches == 0 || (search->revoked && !revoked)) {
        search->matches = 1;
        take(search, certificate, revoked);
    } else if (search->revoked || !revoked) {
        search->matches++;
    }
}

static void consider_record(void *context, struct bytes encoded)
{
    static struct record record;
    if (record_read_trusted(&record, encoded))
        consider(context, &record.certificate);
}

/* Names and ids as a running node knows them; it may be newer than the file. */
static void ask_node(const struct fleet_job *job, struct search *search)
{
    const char *reason;
    struct control_client *client = control_client_open(&job->control, &reason);
    json_t *answer = NULL, *member;
    size_t index;
    if (client && control_client_send(client, json_pack("{ss}", "verb", "members"), &reason))
        answer = control_client_receive(client, job->control.timeout ? job->control.timeout : 5000, &reason);
    json_array_foreach(json_object_get(answer, "members"), index, member)
    {
        const char *name = json_string_value(json_object_get(member, "name"));
        const char *id = json_string_value(json_object_get(member, "id"));
        struct certificate certificate = {0};
        if (!name || !id || !name_valid(name) || strcmp(name, search->name) != 0 ||
            !node_id_parse(&certificate.grant.id, id))
            continue;
        memcpy(certificate.name, search->name, strlen(search->name) + 1);
        consider(search, &certificate);
    }
    json_decref(answer);
    control_client_close(&client);
}

bool fleet_find_node(struct fleet_job *job, const struct policy *policy, const char *text, struct node_id *id,
                     struct certificate *certificate)
{
    struct search search = {.policy = policy, .name = text, .by_id = node_id_parse(id, text)};
    struct identity *identity;
    struct fault unread;
    if (search.by_id)
        search.id = *id;
    if (identity_load(&identity, disk_system(), job->directory, &unread) == DISK_FOUND) {
        if (identity->encoded_size > 0)
            consider(&search, &identity->certificate);
        identity_destroy(&identity);
    }
    (void)peers_load(disk_system(), job->directory, consider_record, &search, &unread);
    if (!search.by_id)
        ask_node(job, &search);
    *certificate = search.certificate;
    *id = search.id;
    if (search.by_id || search.matches == 1)
        return true;
    if (search.matches == 0)
        return fault_say(&job->fault, "%.64s: this host knows no node of that name; give its id", text);
    return fault_say(&job->fault, "%.64s: several nodes have that name; give the id (picket members --wide)",
                     text);
}
