/* SPDX-License-Identifier: Apache-2.0 */
#include "center/workspaces.h"

#include "base/clock.h"
#include "base/hash_table.h"
#include "base/log.h"
#include "center/sources.h"
#include "center/store_audit.h"
#include "cluster/crypto_sodium.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RULES_MAX   256u
#define HELLO_EVERY CLOCK_HOUR /* so often is it written that a node was here */

enum rule_kind { RULE_NODE, RULE_SITE, RULE_DOMAIN };

struct rule {
    enum rule_kind kind;
    char value[256];
    uint64_t workspace;
};

/* What is known of a node. */
struct known_node {
    uint64_t workspace;
    int64_t last;
};

struct workspaces {
    struct store *store;
    struct rule rules[RULES_MAX];
    unsigned rule_count;
    pthread_mutex_t lock;     /* of the table */
    struct hash_table *nodes; /* struct node_id -> struct known_node */
};

/* -- rules ----------------------------------------------------------------------------------------------- */

static void audit(struct store *store, uint64_t workspace, const char *what, const char *object,
                  const char *before, const char *after)
{
    struct audit_entry entry = {
        .workspace = workspace, .at = clock_wall(clock_system()), .who = "picket-center"};
    snprintf(entry.what, sizeof(entry.what), "%s", what);
    snprintf(entry.object, sizeof(entry.object), "%s", object);
    snprintf(entry.before, sizeof(entry.before), "%s", before);
    snprintf(entry.after, sizeof(entry.after), "%s", after);
    store_audit_add(store, &entry);
}

/* Within a transaction. False: the store failed. */
static bool find_or_add(struct workspaces *self, const char *name, uint64_t *id)
{
    struct stored_workspace workspace = {.created = clock_wall(clock_system())};
    if (!store_workspace_find(self->store, name, &workspace)) {
        snprintf(workspace.name, sizeof(workspace.name), "%s", name);
        if (!store_workspace_add(self->store, &workspace))
            return false;
        audit(self->store, workspace.id, "workspace-added", name, "", name);
        log_notice("workspace \"%s\" is new", name);
    }
    *id = workspace.id;
    return true;
}

static const char *const rule_keys[] = {
    [RULE_NODE] = "workspaces/nodes", [RULE_SITE] = "workspaces/sites", [RULE_DOMAIN] = "workspaces/domains"};
#define RULE_KEYS (sizeof(rule_keys) / sizeof(*rule_keys))

/* "WHAT=WORKSPACE" */
static bool is_rule(enum rule_kind kind, const char *text, struct fault *fault)
{
    const char *equals = strrchr(text, '=');
    return (equals && equals != text && equals[1] != '\0' && strlen(equals + 1) < WORKSPACE_NAME_MAX &&
            (size_t)(equals - text) < sizeof(((struct rule *)NULL)->value)) ||
           fault_say(fault, "%s: \"%s\" is no rule: NAME=WORKSPACE is wanted", rule_keys[kind], text);
}

bool workspaces_check(const struct config *config, struct fault *fault)
{
    size_t rules = 0;
    for (unsigned kind = 0; kind < RULE_KEYS; kind++)
        for (size_t i = 0; i < config_count(config, rule_keys[kind]); i++, rules++)
            if (!is_rule((enum rule_kind)kind, config_string_at(config, rule_keys[kind], i), fault))
                return false;
    return rules <= RULES_MAX || fault_say(fault, "more than %u rules for workspaces", RULES_MAX);
}

static bool add_rule(struct workspaces *self, enum rule_kind kind, const char *text, struct fault *fault)
{
    struct rule *rule = &self->rules[self->rule_count];
    const char *equals = strrchr(text, '=');
    rule->kind = kind;
    snprintf(rule->value, sizeof(rule->value), "%.*s", (int)(equals - text), text);
    self->rule_count++;
    if (!store_begin(self->store, fault))
        return false;
    find_or_add(self, equals + 1, &rule->workspace);
    return store_commit(self->store, fault);
}

static bool read_rules(struct workspaces *self, const struct config *config, struct fault *fault)
{
    if (config && !workspaces_check(config, fault))
        return false;
    for (unsigned kind = 0; config && kind < RULE_KEYS; kind++)
        for (size_t i = 0; i < config_count(config, rule_keys[kind]); i++)
            if (!add_rule(self, (enum rule_kind)kind, config_string_at(config, rule_keys[kind], i), fault))
                return false;
    return true;
}

static bool fits(const struct rule *rule, const struct certificate *certificate)
{
    const struct grant *grant = &certificate->grant;
    if (rule->kind == RULE_NODE)
        return strcasecmp(rule->value, certificate->name) == 0;
    if (rule->kind == RULE_SITE)
        return strcasecmp(rule->value, grant->site) == 0;
    for (unsigned i = 0; i < grant->domain_count; i++)
        if (strcasecmp(rule->value, grant->domains[i]) == 0)
            return true;
    return false;
}

uint64_t workspaces_rule(const struct workspaces *self, const struct certificate *certificate)
{
    for (unsigned i = 0; i < self->rule_count; i++)
        if (fits(&self->rules[i], certificate))
            return self->rules[i].workspace;
    return WORKSPACE_DEFAULT;
}

/* -- nodes ----------------------------------------------------------------------------------------------- */

static void note_node(void *context, const struct stored_node *node)
{
    struct workspaces *self = context;
    struct known_node *known = hash_table_insert(self->nodes, node->id.bytes, NULL);
    if (known)
        *known = (struct known_node){node->workspace, node->last};
}

struct workspaces *workspaces_new(const char *store, const struct config *config, struct fault *fault)
{
    struct workspaces *self = calloc(1, sizeof(*self));
    uint64_t seed;
    if (!self) {
        fault_say(fault, "out of memory");
        return NULL;
    }
    pthread_mutex_init(&self->lock, NULL);
    crypto_random(&seed, sizeof(seed));
    self->nodes = hash_table_new(SOURCES_MAX, NODE_ID_SIZE, sizeof(struct known_node), seed);
    self->store = self->nodes ? store_open(store, STORE_PEOPLE, fault) : NULL;
    bool fine = self->store && read_rules(self, config, fault);
    if (!self->nodes)
        fault_say(fault, "out of memory");
    if (fine)
        store_nodes_list(self->store, UINT64_MAX, note_node, self);
    if (fine && store_failed(self->store))
        fine = fault_say(fault, "%s", store_fault(self->store));
    if (!fine)
        workspaces_destroy(&self);
    return self;
}

void workspaces_destroy(struct workspaces **workspaces)
{
    struct workspaces *self = *workspaces;
    if (!self)
        return;
    store_close(&self->store);
    hash_table_destroy(&self->nodes);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *workspaces = NULL;
}

static struct stored_node describe(const struct certificate *certificate, int64_t now)
{
    struct stored_node node = {.id = certificate->grant.id, .first = now, .last = now};
    size_t size = 0;
    snprintf(node.name, sizeof(node.name), "%s", certificate->name);
    snprintf(node.site, sizeof(node.site), "%s", certificate->grant.site);
    for (unsigned i = 0; i < certificate->grant.domain_count && size < sizeof(node.domains); i++)
        size += (size_t)snprintf(node.domains + size, sizeof(node.domains) - size, "%s%s", i ? "\n" : "",
                                 certificate->grant.domains[i]);
    return node;
}

/* Where it belongs. False: in the one that its token names, and that is not there yet. */
static bool place(struct workspaces *self, const struct certificate *certificate, struct stored_node *node)
{
    struct stored_workspace named;
    if (store_node_assigned(self->store, &node->id, &node->workspace)) {
        node->placed = PLACED_BY_ADMINISTRATOR;
        return true;
    }
    if (*certificate->grant.workspace) {
        node->placed = PLACED_BY_TOKEN;
        if (!store_workspace_find(self->store, certificate->grant.workspace, &named))
            return false;
        node->workspace = named.id;
        return true;
    }
    node->workspace = workspaces_rule(self, certificate);
    node->placed = node->workspace == WORKSPACE_DEFAULT ? PLACED_BY_DEFAULT : PLACED_BY_RULE;
    return true;
}

static bool write_node(struct workspaces *self, const struct certificate *certificate,
                       struct stored_node *node, bool news, struct fault *fault)
{
    if (!store_begin(self->store, fault))
        return false;
    if (!place(self, certificate, node))
        find_or_add(self, certificate->grant.workspace, &node->workspace);
    store_node_put(self->store, node);
    if (news)
        audit(self->store, node->workspace, "sensor-placed", node->name, "", node_placed_name(node->placed));
    return store_commit(self->store, fault);
}

bool workspaces_admit(struct workspaces *self, const struct certificate *certificate, struct fault *fault)
{
    struct fault why;
    int64_t now = clock_wall(clock_system());
    struct stored_node node = describe(certificate, now);
    bool placed = place(self, certificate, &node), failed = store_failed(self->store);
    pthread_mutex_lock(&self->lock);
    const struct known_node *known = hash_table_find(self->nodes, node.id.bytes);
    bool is_known = known != NULL, same = known && placed && known->workspace == node.workspace,
         recent = same && now - known->last < HELLO_EVERY;
    pthread_mutex_unlock(&self->lock);
    if (recent)
        return true;
    if (failed || !write_node(self, certificate, &node, !same, &why))
        return (failed ? is_known : same) || fault_say(fault, "the center cannot store anything now: %s",
                                                       failed ? store_fault(self->store) : why.text);
    pthread_mutex_lock(&self->lock);
    note_node(self, &node);
    pthread_mutex_unlock(&self->lock);
    return true;
}

static void refresh_node(void *context, const struct stored_node *node)
{
    struct workspaces *self = context;
    pthread_mutex_lock(&self->lock);
    struct known_node *known = hash_table_find(self->nodes, node->id.bytes);
    if (known)
        known->workspace = node->workspace;
    pthread_mutex_unlock(&self->lock);
}

void workspaces_refresh(struct workspaces *self, struct store *store)
{
    store_nodes_list(store, UINT64_MAX, refresh_node, self);
}

uint64_t workspaces_of(struct workspaces *self, const struct node_id *node)
{
    pthread_mutex_lock(&self->lock);
    const struct known_node *known = hash_table_find(self->nodes, node->bytes);
    uint64_t workspace = known ? known->workspace : WORKSPACE_DEFAULT;
    pthread_mutex_unlock(&self->lock);
    return workspace;
}
