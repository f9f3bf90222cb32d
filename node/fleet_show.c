/* SPDX-License-Identifier: Apache-2.0
 *
 * picket fleet show: what this host has on its disk. Secrets are not shown.
 */
#include "base/clock.h"
#include "base/text.h"
#include "node/command.h"
#include "node/fleet.h"
#include "node/show.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static json_t *hex(const void *bytes, size_t size)
{
    char buffer[2 * PUBLIC_KEY_SIZE + 1];
    struct text t = text_to(buffer, sizeof buffer);
    text_hex(&t, (struct bytes){bytes, size});
    text_end(&t);
    return json_string(buffer);
}

/* null: never. */
static json_t *time_of(uint64_t seconds)
{
    char text[CLOCK_RFC3339_MAX];
    if (seconds > UINT64_C(9000000000))
        return json_null();
    fleet_say_time(text, seconds);
    return json_string(text);
}

static json_t *strings(const char *rows, size_t capacity, unsigned count)
{
    json_t *array = json_array();
    for (unsigned i = 0; i < count; i++)
        json_array_append_new(array, json_string(rows + i * capacity));
    return array;
}

static json_t *fleet_object(const struct trust *trust)
{
    return json_pack("{soso}", "id", hex(trust->fleet, FLEET_ID_SIZE), "authority_key",
                     hex(trust->authority, PUBLIC_KEY_SIZE));
}

static json_t *node_object(const struct identity *identity, const struct policy *policy)
{
    const struct certificate *certificate = &identity->certificate;
    const struct grant *grant = &certificate->grant;
    if (identity->encoded_size == 0)
        return json_pack("{sosb}", "id", hex(identity->id.bytes, NODE_ID_SIZE), "joined", 0);
    return json_pack("{sosbsssssssosssisosososbsb}", "id", hex(identity->id.bytes, NODE_ID_SIZE), "joined", 1,
                     "name", certificate->name, "site", grant->site, "mode",
                     grant->mode == MODE_SENSOR ? "sensor" : "standalone", "candidate_for",
                     strings(grant->domains[0], DOMAIN_MAX_SIZE, grant->domain_count), "workspace",
                     grant->workspace, "key_generation", (int)certificate->generation, "certified",
                     time_of(certificate->issued), "enroller",
                     certificate->by_authority ? json_null() : hex(grant->enroller.bytes, NODE_ID_SIZE),
                     "public_key", hex(certificate->public_key, PUBLIC_KEY_SIZE), "rotating",
                     identity->rotating, "revoked", policy && policy_revokes(policy, &identity->id));
}

static json_t *policy_object(const struct policy *policy)
{
    json_t *enrollers = json_array(), *revoked = json_array();
    for (unsigned i = 0; i < policy->enroller_count; i++)
        json_array_append_new(enrollers,
                              json_pack("{sososo}", "id", hex(policy->enrollers[i].id.bytes, NODE_ID_SIZE),
                                        "public_key", hex(policy->enrollers[i].public_key, PUBLIC_KEY_SIZE),
                                        "until", time_of(policy->enrollers[i].until)));
    for (unsigned i = 0; i < policy->revoked_count; i++)
        json_array_append_new(revoked, hex(policy->revoked + (size_t)i * NODE_ID_SIZE, NODE_ID_SIZE));
    return json_pack("{sIsoso}", "version", (json_int_t)policy->version, "enrollers", enrollers, "revoked",
                     revoked);
}

/* -- for people ----------------------------------------------------------------------------------- */

static void line(const struct show_style *style, const char *label, const char *value)
{
    if (value)
        show_line(style, NULL, "%-18s%s", label, value);
}

static void list_line(const struct show_style *style, const char *label, const json_t *array)
{
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item) line(style, i == 0 ? label : "", json_string_value(item));
}

static void number_line(const struct show_style *style, const char *label, const json_t *object,
                        const char *key)
{
    show_line(style, NULL, "%-18s%lld", label, (long long)show_number(object, key, 0));
}

static void show_node(const struct show_style *style, const json_t *node)
{
    line(style, "node", show_text(node, "name"));
    line(style, "  id", show_text(node, "id"));
    if (!json_is_true(json_object_get(node, "joined"))) {
        line(style, "  state", "has not joined yet");
        return;
    }
    line(style, "  site", show_text(node, "site"));
    line(style, "  mode", show_text(node, "mode"));
    list_line(style, "  candidate for", json_object_get(node, "candidate_for"));
    if (*show_text(node, "workspace"))
        line(style, "  workspace", show_text(node, "workspace"));
    number_line(style, "  key generation", node, "key_generation");
    line(style, "  certified", show_text(node, "certified"));
    line(style, "  enrolled by",
         json_is_null(json_object_get(node, "enroller")) ? "the authority" : show_text(node, "enroller"));
    if (json_is_true(json_object_get(node, "rotating")))
        line(style, "  rotation", "begun: a new key waits for its certificate");
    if (json_is_true(json_object_get(node, "revoked")))
        show_line(style, "31", "%-18s%s", "  state", "REVOKED");
}

static void show_policy(const struct show_style *style, const json_t *policy)
{
    size_t i;
    json_t *enroller;
    number_line(style, "policy version", policy, "version");
    json_array_foreach(json_object_get(policy, "enrollers"), i, enroller)
    {
        const char *until = show_text(enroller, "until");
        show_line(style, NULL, "%-18s%s%s%s", i == 0 ? "  enrollers" : "", show_text(enroller, "id"),
                  until ? ", until " : "", until ? until : "");
    }
    list_line(style, "  revoked", json_object_get(policy, "revoked"));
}

static void show_fleet(const struct show_style *style, const json_t *answer)
{
    const json_t *fleet = json_object_get(answer, "fleet"), *node = json_object_get(answer, "node"),
                 *policy = json_object_get(answer, "policy");
    line(style, "fleet", show_text(fleet, "id"));
    line(style, "  authority key", show_text(fleet, "authority_key"));
    line(style, "  authority", show_text(answer, "authority_file"));
    if (!json_is_null(node))
        show_node(style, node);
    if (!json_is_null(policy))
        show_policy(style, policy);
}

/* -- the command ---------------------------------------------------------------------------------- */

static json_t *describe(struct fleet_job *job, const struct identity *identity, bool authority)
{
    struct policy policy;
    struct disk_content content = {0};
    struct fault unread;
    const struct trust *trust = identity ? &identity->trust : &job->authority->trust;
    bool known = policy_load(&policy, &content, trust, disk_system(), job->directory, &unread) == DISK_FOUND;
    struct policy signed_last;
    if (authority && authority_policy(job->authority, &signed_last) &&
        (!known || signed_last.version > policy.version)) {
        policy = signed_last;
        known = true;
    }
    json_t *answer = json_pack("{sisososo ss*}", "schema", 1, "fleet", fleet_object(trust), "node",
                               identity ? node_object(identity, known ? &policy : NULL) : json_null(),
                               "policy", known ? policy_object(&policy) : json_null(), "authority_file",
                               authority ? job->authority_path : NULL);
    disk_content_free(&content);
    return answer;
}

int fleet_show(struct fleet_job *job)
{
    struct identity *identity = NULL;
    enum disk_found found = identity_load(&identity, disk_system(), job->directory, &job->fault);
    if (found == DISK_FAILED)
        return fleet_failed(job);
    struct fault unread;
    bool authority = authority_load(job->authority, disk_system(), job->authority_path,
                                    identity ? &unread : &job->fault) == DISK_FOUND;
    if (!identity && !authority) {
        if (access(job->authority_path, F_OK) != 0)
            fault_say(&job->fault, "%s holds no node's identity, and there is no authority at %.128s",
                      job->directory, job->authority_path);
        return fleet_failed(job);
    }
    if (identity && authority &&
        memcmp(&identity->trust, &job->authority->trust, sizeof identity->trust) != 0)
        authority = false;
    json_t *answer = describe(job, identity, authority);
    identity_destroy(&identity);
    struct show_options options = {.json = job->json};
    struct show_style style = show_style_of(&options);
    if (job->json)
        show_json(stdout, answer, false);
    else
        show_fleet(&style, answer);
    json_decref(answer);
    return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_FINE
                                                  : command_failed("standard output", strerror(errno));
}
