/* SPDX-License-Identifier: Apache-2.0
 *
 * Completing an activity: its two ends, the account that acts, the owner of the service, and what it is done
 * to.
 */
#include "sync/resolver_internal.h"

#include "sync/service_name.h"
#include <xxhash.h>

#include "base/msgpack.h"

#include <stdlib.h>
#include <strings.h>

void resolver_limits_init(struct resolver_limits *limits)
{
    *limits = (struct resolver_limits){
        .addresses_max = 32768,
        .tickets_max = 32768,
        .connections_max = 16384,
        .entities_max = 16384,
    };
}

/* --- start and end --- */

static struct hash_table *table_of(struct resolver *resolver, uint32_t capacity, uint32_t key, uint32_t value)
{
    resolver->counters.memory += (uint64_t)capacity * 3 / 2 * (key + value + 8);
    return capacity ? hash_table_new(capacity, key, value, resolver->seed) : NULL;
}

struct resolver *resolver_new(const struct resolver_limits *limits,
                              const struct resolver_directory *directory, uint64_t seed)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));
    if (!resolver)
        return NULL;
    resolver->limits = *limits;
    resolver->directory = *directory;
    resolver->seed = seed;
    resolver->domain_count = 1; /* 0 is none */
    resolver->bindings =
        table_of(resolver, limits->addresses_max, sizeof(struct address_key), sizeof(struct binding));
    resolver->holders =
        table_of(resolver, limits->addresses_max, sizeof(uint64_t), sizeof(struct address_key));
    resolver->tickets = table_of(resolver, limits->tickets_max, sizeof(uint64_t), sizeof(struct principal));
    resolver->connections =
        table_of(resolver, limits->connections_max, sizeof(uint64_t), sizeof(struct principal));
    resolver->entities =
        table_of(resolver, limits->entities_max, sizeof(uint64_t), sizeof(struct known_entity));
    resolver->domain_index = table_of(resolver, RESOLVER_DOMAINS_MAX, sizeof(uint64_t), sizeof(uint32_t));
    resolver->domains = calloc(RESOLVER_DOMAINS_MAX, sizeof(*resolver->domains));
    resolver->counters.memory += RESOLVER_DOMAINS_MAX * sizeof(*resolver->domains) + sizeof(*resolver);
    if (!resolver->bindings || !resolver->holders || !resolver->tickets || !resolver->connections ||
        !resolver->entities || !resolver->domain_index || !resolver->domains)
        resolver_destroy(&resolver);
    return resolver;
}

void resolver_destroy(struct resolver **resolver_p)
{
    struct resolver *resolver = *resolver_p;
    if (!resolver)
        return;
    struct hash_table **tables[] = {&resolver->bindings,    &resolver->holders,  &resolver->tickets,
                                    &resolver->connections, &resolver->entities, &resolver->domain_index};
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        if (*tables[i])
            hash_table_destroy(tables[i]);
    free(resolver->domains);
    free(resolver);
    *resolver_p = NULL;
}

/* --- the activity --- */

void view_make(struct view *view, const struct activity *activity)
{
    view->activity = activity;
    memset(view->at, 0, sizeof(view->at));
    for (uint32_t i = 0; i < activity->count; i++)
        view->at[activity->values[i].field] = (uint8_t)(i + 1);
}

bool view_address(const struct view *view, enum activity_field field, struct ip_address *to)
{
    struct bytes bytes = view_text(view, field);
    memset(to, 0, sizeof(*to));
    if (bytes.size != 4 && bytes.size != 16)
        return false;
    to->family = bytes.size == 4 ? 4 : 6;
    memcpy(to->bytes, bytes.data, bytes.size);
    return true;
}

bool view_succeeded(const struct view *view)
{
    const struct activity_value *status = view_get(view, FIELD_STATUS);
    return status && status->uint == 0;
}

void resolver_observe(struct resolver *resolver, const struct activity *activity)
{
    struct view view;
    resolver->counters.observed++;
    view_make(&view, activity);
    resolver_learn(resolver, &view);
}

/* --- what is added --- */

/* One activity that is being completed. */
struct job {
    struct resolver *resolver;
    const struct view *view;
    struct activity_writer *writer;
    struct asking asking;
    bool last;
    struct {
        bool source, destination, account, account_known;
        unsigned targets, targets_known;
    } tally;
    struct resolver_left left;
    struct bytes home; /* domain of the destination, as far as it is known */
};

static struct asking *asking_of(struct job *job)
{
    return job->last ? NULL : &job->asking;
}

static void put_sid(struct activity_writer *w, enum activity_field field,
                    const struct resolver_entity *entity)
{
    if (entity->sid_size)
        activity_put_sid(w, field, entity->sid, entity->sid_size);
}

/* What it is known by: whatever was looked for last, as this part of an activity. */
static uint64_t part_id(const struct job *job, const char *what)
{
    uint64_t sought = job->resolver->sought;
    return sought ? XXH3_64bits_withSeed(what, strlen(what), sought) : 0;
}

static void leave_unresolved(struct job *job, const char *what)
{
    struct resolver_left *left = &job->left;
    if (left->count == RESOLVER_PARTS_MAX)
        return;
    left->ids[left->count] = part_id(job, what);
    left->parts[left->count++] = what;
    job->resolver->sought = 0;
}

/* -- the two ends -- */

struct end_fields {
    const char *what;
    enum resolver_end end;
    enum activity_field address, computer, domain, guid, sid, is_controller, confidence, how, shared;
};

static const struct end_fields source_fields = {
    "source",
    RESOLVER_SOURCE_END,
    FIELD_SOURCE,
    FIELD_SOURCE_COMPUTER,
    FIELD_SOURCE_COMPUTER_DOMAIN,
    FIELD_SOURCE_COMPUTER_GUID,
    FIELD_SOURCE_COMPUTER_SID,
    FIELD_SOURCE_IS_CONTROLLER,
    FIELD_SOURCE_CONFIDENCE,
    FIELD_SOURCE_HOW,
    FIELD_SOURCE_SHARED,
};

static const struct end_fields destination_fields = {
    "destination",
    RESOLVER_DESTINATION_END,
    FIELD_DESTINATION,
    FIELD_DESTINATION_COMPUTER,
    FIELD_DESTINATION_COMPUTER_DOMAIN,
    FIELD_DESTINATION_COMPUTER_GUID,
    FIELD_DESTINATION_COMPUTER_SID,
    FIELD_DESTINATION_IS_CONTROLLER,
    FIELD_DESTINATION_CONFIDENCE,
    FIELD_DESTINATION_HOW,
    FIELD_DESTINATION_SHARED,
};

/* A part is told: what was looked for next belongs to another. */
static void leave_resolved(struct job *job)
{
    job->resolver->sought = 0;
}

static void put_computer(struct job *job, const struct end_fields *fields,
                         const struct resolver_entity *entity)
{
    leave_resolved(job);
    size_t size = strlen(entity->account);
    if (size > 1 && entity->account[size - 1] == '$')
        size--;
    activity_put_string(job->writer, fields->computer, entity->account, size);
    activity_put_text(job->writer, fields->domain, entity->domain);
    activity_put_uuid(job->writer, fields->guid, entity->guid.bytes);
    put_sid(job->writer, fields->sid, entity);
}

static bool is_machine(const struct resolver_entity *entity)
{
    return entity->kind == ENTITY_COMPUTER || entity->kind == ENTITY_MANAGED_ACCOUNT;
}

static bool put_binding(struct job *job, const struct end_fields *fields, const struct claim *claim,
                        uint8_t confidence, bool *is_controller)
{
    struct bytes domain = resolver_domain_name(job->resolver, claim->domain);
    const struct resolver_entity *entity =
        resolver_find_computer(job->resolver, text_bytes(claim->host), domain, asking_of(job));
    if (entity && is_machine(entity)) {
        put_computer(job, fields, entity);
        job->left.ends &= ~(unsigned)fields->end;
        *is_controller |= entity->is_controller;
    } else if (resolver_source_info((enum resolver_source)claim->source)->stated) {
        return false;
    } else {
        activity_put_text(job->writer, fields->computer, claim->host);
        if (domain.size)
            activity_put_string(job->writer, fields->domain, domain.data, domain.size);
        leave_resolved(job); /* it is known by its address */
        leave_unresolved(job, fields->what);
    }
    activity_put_uint(job->writer, fields->confidence, confidence);
    activity_put_text(job->writer, fields->how,
                      resolver_source_info((enum resolver_source)claim->source)->name);
    return true;
}

/* Nothing is known of who is there: it may be asked itself. */
static void ask_name(struct job *job, const struct ip_address *address)
{
    struct resolver *resolver = job->resolver;
    if (job->asking.waits && resolver->ask_name && resolver->ask_name(resolver->ask_name_context, address))
        resolver_add_wait(&job->asking, resolver_address_hash(resolver, address));
}

/* The computer that says that it is there has not proven it yet: it will in a moment, or it lies. */
static void await_proof(struct job *job, const struct end_fields *fields, const struct ip_address *address,
                        const struct binding *binding)
{
    if (job->asking.waits && fields->end == RESOLVER_SOURCE_END &&
        resolver_is_disputed(job->resolver, binding, view_text(job->view, FIELD_ACCOUNT),
                             job->view->activity->time))
        resolver_add_wait(&job->asking, resolver_address_hash(job->resolver, address));
}

/* Returns the binding of the address, when there is one. */
static const struct binding *put_end(struct job *job, const struct end_fields *fields, bool *named)
{
    struct ip_address address;
    if (!view_address(job->view, fields->address, &address))
        return NULL;
    struct binding *binding = resolver_bound(job->resolver, &address);
    job->left.ends |= (unsigned)fields->end;
    if (!binding) {
        ask_name(job, &address);
        return NULL;
    }
    int64_t time = job->view->activity->time;
    if (time > binding->used)
        binding->used = time;
    bool is_controller = time < binding->controller_until;
    const struct claim *claim = resolver_claim_at(binding, time);
    uint8_t confidence = resolver_confidence(claim, time);
    await_proof(job, fields, &address, binding);
    if (resolver_is_shared(binding, time)) {
        activity_put_bool(job->writer, fields->shared, true);
        job->left.ends &= ~(unsigned)fields->end;
    } else if (confidence > 0)
        *named = put_binding(job, fields, claim, confidence, &is_controller);
    else
        ask_name(job, &address);
    if (is_controller)
        activity_put_bool(job->writer, fields->is_controller, true);
    return binding;
}

/* An event says which computer it happened on, by name: the collector that brings it vouches for that as for
 * all that it says. Of a domain controller, names without a domain are those of its domain. */
static void put_logged_on(struct job *job)
{
    struct bytes name = view_text(job->view, FIELD_EVENT_COMPUTER), domain = {0};
    if (name.size == 0 || job->view->at[FIELD_DESTINATION])
        return;
    const uint8_t *dot = memchr(name.data, '.', name.size);
    if (dot) {
        domain = (struct bytes){dot + 1, name.size - (size_t)(dot + 1 - name.data)};
        name.size = (size_t)(dot - name.data);
    }
    const struct resolver_entity *entity =
        resolver_find_computer(job->resolver, name, domain, asking_of(job));
    if (!entity || !is_machine(entity)) {
        leave_unresolved(job, destination_fields.what);
        return;
    }
    job->tally.destination = true;
    put_computer(job, &destination_fields, entity);
    activity_put_uint(job->writer, FIELD_DESTINATION_CONFIDENCE, 100);
    activity_put_text(job->writer, FIELD_DESTINATION_HOW, "event");
    if (!entity->is_controller)
        return;
    activity_put_bool(job->writer, FIELD_DESTINATION_IS_CONTROLLER, true);
    job->home = text_bytes(entity->domain);
}

/* -- the account that acts -- */

enum account_how { HOW_NOBODY, HOW_NAMED, HOW_TICKET, HOW_CONNECTION };

static const char *const how_names[] = {
    [HOW_NAMED] = "named", [HOW_TICKET] = "ticket", [HOW_CONNECTION] = "connection"};

static bool impersonates(const struct view *view)
{
    return view->activity->kind == ACTIVITY_KERBEROS_TGS &&
           (view->at[FIELD_S4U2SELF_ACCOUNT] || view->at[FIELD_S4U2SELF_CERTIFICATE] ||
            view->at[FIELD_S4U2PROXY]);
}

static const struct principal *of_ticket(const struct job *job)
{
    if (!job->view->at[FIELD_TICKET_FINGERPRINT])
        return NULL;
    return resolver_recall(job->resolver->tickets, view_get(job->view, FIELD_TICKET_FINGERPRINT)->uint);
}

static const struct principal *of_connection(const struct job *job)
{
    uint64_t key = resolver_connection(job->resolver, job->view);
    const struct principal *principal = key ? resolver_recall(job->resolver->connections, key) : NULL;
    return principal && principal->name[0] ? principal : NULL;
}

/* A name without a domain is one of the domain that is asked. */
static struct bytes stated_domain(const struct job *job, enum activity_field field)
{
    struct bytes domain = view_text(job->view, field);
    return domain.size ? domain : job->home;
}

static const struct resolver_entity *find_sid(struct job *job, struct bytes sid)
{
    struct lookup_key key;
    return lookup_key_sid(&key, sid) ? resolver_find(job->resolver, &key, asking_of(job)) : NULL;
}

/* S-1-5-21-...: of a domain, or of a computer's own accounts; all others are nobody in particular (SYSTEM).
 */
static bool is_account_sid(struct bytes sid)
{
    static const uint8_t begins[] = {0, 0, 0, 0, 0, 5, 21, 0, 0, 0};
    return sid.size > 2 + sizeof(begins) && memcmp(sid.data + 2, begins, sizeof(begins)) == 0;
}

/* Of an event: by SID, else by name. Without a domain, and not logged by a controller, it is a name of the
 * computer's own, which no directory has. */
static enum account_how find_event_actor(struct job *job, const struct resolver_entity **entity)
{
    const struct view *view = job->view;
    struct bytes name = view_text(view, FIELD_ACCOUNT), sid = view_text(view, FIELD_ACTING_SID);
    struct bytes domain = stated_domain(job, FIELD_ACCOUNT_DOMAIN);
    *entity = NULL;
    if (sid.size && !is_account_sid(sid))
        return HOW_NOBODY;
    if (sid.size && (*entity = find_sid(job, sid)))
        return HOW_NAMED;
    if (resolver_is_anonymous(name) || domain.size == 0)
        return sid.size ? HOW_NAMED : HOW_NOBODY;
    *entity = resolver_find_account(job->resolver, name, domain, asking_of(job));
    return HOW_NAMED;
}

static enum account_how find_actor(struct job *job, const struct resolver_entity **entity)
{
    if (job->view->at[FIELD_EVENT_ID])
        return find_event_actor(job, entity);
    const struct view *view = job->view;
    struct bytes name = view_text(view, FIELD_ACCOUNT);
    const struct principal *principal;
    *entity = NULL;
    if (!impersonates(view) && !resolver_is_anonymous(name)) {
        *entity = resolver_find_account(job->resolver, name, stated_domain(job, FIELD_ACCOUNT_DOMAIN),
                                        asking_of(job));
        return HOW_NAMED;
    }
    if (view->at[FIELD_NETLOGON_ACCOUNT] && name.size == 0) {
        *entity = resolver_find_account(job->resolver, view_text(view, FIELD_NETLOGON_ACCOUNT), job->home,
                                        asking_of(job));
        return HOW_NAMED;
    }
    if ((principal = of_ticket(job))) {
        *entity = resolver_find_principal(job->resolver, principal, asking_of(job));
        return HOW_TICKET;
    }
    if (view->activity->kind != ACTIVITY_KERBEROS_TGS && (principal = of_connection(job))) {
        *entity = resolver_find_principal(job->resolver, principal, asking_of(job));
        return HOW_CONNECTION;
    }
    return HOW_NOBODY;
}

static void put_account(struct job *job, const struct binding *source)
{
    const struct resolver_entity *entity;
    enum account_how how = find_actor(job, &entity);
    struct activity_writer *w = job->writer;
    if (how != HOW_NOBODY) {
        job->tally.account = true;
        if (!entity) {
            leave_unresolved(job, "account");
            return;
        }
        job->tally.account_known = true;
        leave_resolved(job);
        activity_put_text(w, FIELD_ACCOUNT_NAME, entity->account);
        activity_put_text(w, FIELD_ACCOUNT_DNS_DOMAIN, entity->domain);
        activity_put_uuid(w, FIELD_ACCOUNT_GUID, entity->guid.bytes);
        put_sid(w, FIELD_ACCOUNT_SID, entity);
        activity_put_text(w, FIELD_ACCOUNT_KIND, entity_kind_name(entity->kind));
        activity_put_text(w, FIELD_ACCOUNT_HOW, how_names[how]);
        return;
    }
    int64_t time = job->view->activity->time;
    if (!source || !source->account.name[0] || resolver_is_shared(source, time) ||
        time - source->account.seen > 12 * CLOCK_HOUR)
        return;
    activity_put_text(w, FIELD_SOURCE_ACCOUNT, source->account.name);
    entity = resolver_find_principal(job->resolver, &source->account, NULL);
    if (entity)
        activity_put_uuid(w, FIELD_SOURCE_ACCOUNT_GUID, entity->guid.bytes);
}

/* -- the service of a ticket -- */

static bool is_krbtgt(struct bytes service)
{
    return service.size >= 7 && strncasecmp((const char *)service.data, "krbtgt/", 7) == 0;
}

static void put_service(struct job *job)
{
    const struct view *view = job->view;
    struct bytes service = view_text(view, FIELD_SERVICE), realm = view_text(view, FIELD_SERVICE_REALM);
    const struct resolver_entity *entity = NULL;
    if (view->activity->kind == ACTIVITY_KERBEROS_AP) {
        service = view_text(view, FIELD_TICKET_SERVICE);
        realm = view_text(view, FIELD_TICKET_REALM);
    } else if (view->activity->kind == ACTIVITY_WINDOWS_KERBEROS_TGS) {
        entity = find_sid(job, view_text(view, FIELD_SERVICE_SID));
        realm = job->home;
    } else if (view->activity->kind != ACTIVITY_KERBEROS_TGS) {
        return;
    }
    if (service.size == 0 || is_krbtgt(service))
        return;
    if (!entity)
        entity = resolver_find_account(job->resolver, service, realm, asking_of(job));
    if (!entity) {
        leave_unresolved(job, "service");
        return;
    }
    leave_resolved(job);
    activity_put_text(job->writer, FIELD_SERVICE_OWNER, entity->account);
    activity_put_uuid(job->writer, FIELD_SERVICE_OWNER_GUID, entity->guid.bytes);
    put_sid(job->writer, FIELD_SERVICE_OWNER_SID, entity);
}

/* -- what it is done to -- */

static void put_target_entity(struct job *job, const struct resolver_entity *entity)
{
    job->tally.targets++;
    if (!entity) {
        leave_unresolved(job, "target");
        return;
    }
    leave_resolved(job);
    job->tally.targets_known++;
    activity_put_text(job->writer, FIELD_TARGET_NAME, entity->account);
    activity_put_text(job->writer, FIELD_TARGET_KIND, entity_kind_name(entity->kind));
    activity_put_uuid(job->writer, FIELD_TARGET_GUID, entity->guid.bytes);
    put_sid(job->writer, FIELD_TARGET_SID, entity);
}

static void put_group_entity(struct job *job, const struct resolver_entity *entity)
{
    if (!entity) {
        leave_unresolved(job, "group");
        return;
    }
    leave_resolved(job);
    activity_put_text(job->writer, FIELD_GROUP_NAME, entity->account);
    activity_put_uuid(job->writer, FIELD_GROUP_GUID, entity->guid.bytes);
    put_sid(job->writer, FIELD_GROUP_SID, entity);
}

static void put_target_account(struct job *job, struct bytes name, struct bytes domain)
{
    if (!resolver_is_anonymous(name))
        put_target_entity(job, resolver_find_account(job->resolver, name, domain, asking_of(job)));
}

static const struct resolver_entity *find_dn(struct job *job, struct bytes dn, bool ask)
{
    struct lookup_key key;
    if (!lookup_key_text(&key, LOOKUP_DN, dn, (struct bytes){0}))
        return NULL;
    return resolver_find(job->resolver, &key, ask ? asking_of(job) : NULL);
}

/* "add:member=DN", "delete:member=DN": the DN; empty for another attribute. */
static struct bytes member_of_change(struct bytes value)
{
    static const char *const before[] = {"add:member=", "delete:member=", "replace:member="};
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        size_t size = strlen(before[i]);
        if (value.size > size && strncasecmp((const char *)value.data, before[i], size) == 0)
            return (struct bytes){value.data + size, value.size - size};
    }
    return (struct bytes){0};
}

static struct bytes first_member(const struct view *view, uint64_t *count)
{
    const struct activity_value *values = view_get(view, FIELD_ATTRIBUTE_VALUES);
    struct cursor items = values ? values->list.items : (struct cursor){0};
    struct bytes first = {0};
    *count = 0;
    while (!cursor_done(&items)) {
        struct bytes member = member_of_change(msgpack_next(&items).bytes);
        if (member.size && (*count)++ == 0)
            first = member;
    }
    return first;
}

static void put_ldap_target(struct job *job)
{
    uint64_t count;
    struct bytes dn = view_text(job->view, FIELD_LDAP_DN), member = first_member(job->view, &count);
    bool exists = job->view->activity->kind == ACTIVITY_LDAP_MODIFY ||
                  (job->view->activity->kind == ACTIVITY_LDAP_ADD && view_succeeded(job->view));
    if (dn.size == 0)
        return;
    if (member.size == 0) {
        put_target_entity(job, find_dn(job, dn, exists));
        return;
    }
    put_group_entity(job, find_dn(job, dn, true));
    put_target_entity(job, find_dn(job, member, true));
    if (count > 1)
        activity_put_uint(job->writer, FIELD_TARGET_COUNT, count);
}

/* A relative identifier in the destination's domain, or in the built-in one. */
static const struct resolver_entity *find_rid(struct job *job, uint64_t rid, bool is_builtin)
{
    static const uint8_t builtin[] = {1, 1, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0};
    uint8_t sid[SID_BYTES_MAX];
    struct lookup_key key;
    const struct resolver_domain *domain =
        resolver_domain_known(job->resolver, resolver_domain_number(job->resolver, job->home));
    size_t size = is_builtin ? sizeof(builtin) : domain ? domain->sid_size : 0;
    if (size == 0 || size + 4 > sizeof(sid) || rid > UINT32_MAX)
        return NULL;
    memcpy(sid, is_builtin ? builtin : domain->sid, size);
    sid[1]++;
    for (unsigned i = 0; i < 4; i++)
        sid[size + i] = (uint8_t)(rid >> 8 * i);
    return lookup_key_sid(&key, (struct bytes){sid, size + 4})
               ? resolver_find(job->resolver, &key, asking_of(job))
               : NULL;
}

/* RIDs of the built-in domain's aliases ([MS-DTYP] 2.4.2.4). */
static bool is_builtin_alias(uint64_t rid)
{
    return rid >= 544 && rid <= 583;
}

static void put_samr_target(struct job *job)
{
    const struct view *view = job->view;
    const struct activity_value *rid = view_get(view, FIELD_SAMR_RID),
                                *member = view_get(view, FIELD_SAMR_MEMBER_RID);
    struct bytes sid = view_text(view, FIELD_SAMR_MEMBER_SID), name = view_text(view, FIELD_RPC_NAME);
    struct lookup_key key;
    if (member && rid) {
        put_group_entity(job, find_rid(job, rid->uint, false));
        put_target_entity(job, find_rid(job, member->uint, false));
    } else if (sid.size && rid) {
        put_group_entity(job, find_rid(job, rid->uint, is_builtin_alias(rid->uint)));
        if (lookup_key_sid(&key, sid))
            put_target_entity(job, resolver_find(job->resolver, &key, asking_of(job)));
    } else if (name.size) {
        put_target_account(job, name, job->home);
    } else if (rid) {
        put_target_entity(job, find_rid(job, rid->uint, false));
    }
}

static void put_replication_target(struct job *job)
{
    struct bytes guid = view_text(job->view, FIELD_DRS_NAMING_CONTEXT_GUID);
    struct bytes dn = view_text(job->view, FIELD_DRS_NAMING_CONTEXT);
    struct lookup_key key;
    struct guid id;
    if (guid.size == GUID_SIZE) {
        memcpy(id.bytes, guid.data, GUID_SIZE);
        if (lookup_key_guid(&key, &id)) {
            put_target_entity(job, resolver_find(job->resolver, &key, asking_of(job)));
            return;
        }
    }
    if (dn.size)
        put_target_entity(job, find_dn(job, dn, true));
}

/* -- of events: SIDs and GUIDs first, for names change -- */

static void put_group_target(struct job *job)
{
    const struct view *view = job->view;
    struct bytes member = view_text(view, FIELD_MEMBER_SID), dn = view_text(view, FIELD_MEMBER_DN);
    const struct resolver_entity *group = find_sid(job, view_text(view, FIELD_GROUP_ACCOUNT_SID));
    struct bytes domain = stated_domain(job, FIELD_GROUP_ACCOUNT_DOMAIN);
    if (!group && domain.size)
        group = resolver_find_account(job->resolver, view_text(view, FIELD_GROUP_ACCOUNT), domain,
                                      asking_of(job));
    put_group_entity(job, group);
    if (member.size == 0 && dn.size == 0)
        return;
    const struct resolver_entity *entity = find_sid(job, member);
    put_target_entity(job, entity || dn.size == 0 ? entity : find_dn(job, dn, true));
}

static void put_changed_account(struct job *job)
{
    const struct view *view = job->view;
    const struct resolver_entity *entity = find_sid(job, view_text(view, FIELD_CHANGED_ACCOUNT_SID));
    struct bytes domain = stated_domain(job, FIELD_CHANGED_ACCOUNT_DOMAIN);
    if (!entity && domain.size)
        entity = resolver_find_account(job->resolver, view_text(view, FIELD_CHANGED_ACCOUNT), domain,
                                       asking_of(job));
    put_target_entity(job, entity);
}

static void put_directory_target(struct job *job)
{
    const struct view *view = job->view;
    struct bytes guid = view_text(view, FIELD_OBJECT_GUID), dn = view_text(view, FIELD_LDAP_DN);
    const struct resolver_entity *entity = NULL;
    struct lookup_key key;
    struct guid id;
    uint64_t members;
    struct bytes member = first_member(view, &members);
    if (guid.size == GUID_SIZE) {
        memcpy(id.bytes, guid.data, GUID_SIZE);
        if (lookup_key_guid(&key, &id))
            entity = resolver_find(job->resolver, &key, asking_of(job));
    }
    if (!entity && dn.size)
        entity = find_dn(job, dn, guid.size == 0);
    if (member.size == 0) {
        put_target_entity(job, entity);
        return;
    }
    put_group_entity(job, entity);
    put_target_entity(job, find_dn(job, member, true));
}

static void put_target(struct job *job)
{
    const struct view *view = job->view;
    switch (view->activity->kind) {
    case ACTIVITY_GROUP_CHANGE:
        put_group_target(job);
        break;
    case ACTIVITY_ACCOUNT_CHANGE:
        put_changed_account(job);
        break;
    case ACTIVITY_DIRECTORY_ACCESS:
    case ACTIVITY_DIRECTORY_CHANGE:
        put_directory_target(job);
        break;
    case ACTIVITY_LDAP_MODIFY:
    case ACTIVITY_LDAP_ADD:
    case ACTIVITY_LDAP_DELETE:
    case ACTIVITY_LDAP_MODIFY_DN:
        put_ldap_target(job);
        break;
    case ACTIVITY_SAMR_CHANGE:
        put_samr_target(job);
        break;
    case ACTIVITY_DRS_REPLICATE:
        put_replication_target(job);
        break;
    case ACTIVITY_NETLOGON_LOGON:
        put_target_account(job, view_text(view, FIELD_NETLOGON_USER),
                           stated_domain(job, FIELD_NETLOGON_USER_DOMAIN));
        break;
    case ACTIVITY_CLDAP_PING:
        put_target_account(job, view_text(view, FIELD_PING_USER), view_text(view, FIELD_PING_DOMAIN));
        break;
    case ACTIVITY_KERBEROS_TGS:
        if (view->at[FIELD_S4U2SELF_ACCOUNT])
            put_target_account(job, view_text(view, FIELD_S4U2SELF_ACCOUNT),
                               view_text(view, FIELD_S4U2SELF_DOMAIN));
        else if (impersonates(view))
            put_target_account(job, view_text(view, FIELD_ACCOUNT), view_text(view, FIELD_ACCOUNT_DOMAIN));
        break;
    default:
        break;
    }
}

/* --- all of it --- */

/* Of a domain controller the domain; of another server that of its computer. */
static struct bytes home_of(const struct resolver *resolver, const struct binding *destination)
{
    if (!destination)
        return (struct bytes){0};
    if (destination->controller_domain != RESOLVER_NO_DOMAIN)
        return resolver_domain_name(resolver, destination->controller_domain);
    if (destination->computer.host[0] && destination->computer.domain != RESOLVER_NO_DOMAIN)
        return resolver_domain_name(resolver, destination->computer.domain);
    return (struct bytes){0};
}

static void put_unresolved(struct job *job)
{
    const struct resolver_left *left = &job->left;
    if (left->count == 0 || !activity_list_begin(job->writer, FIELD_UNRESOLVED))
        return;
    for (unsigned i = 0; i < left->count; i++)
        activity_list_string(job->writer, left->parts[i], strlen(left->parts[i]));
    activity_list_end(job->writer);
    if (!activity_list_begin(job->writer, FIELD_UNRESOLVED_IDS))
        return;
    for (unsigned i = 0; i < left->count; i++)
        activity_list_uint(job->writer, left->ids[i]);
    activity_list_end(job->writer);
}

/* Once for each activity: not when it goes back to wait. */
static void count(const struct job *job)
{
    struct resolver_counters *c = &job->resolver->counters;
    c->completed++;
    c->sources_named += job->tally.source;
    c->destinations_named += job->tally.destination;
    c->accounts_named += job->tally.account;
    c->accounts_resolved += job->tally.account_known;
    c->targets_named += job->tally.targets;
    c->targets_resolved += job->tally.targets_known;
}

static void complete(struct job *job, const struct activity *activity, int64_t now)
{
    struct view view;
    job->resolver->now = now;
    job->view = &view;
    view_make(&view, activity);
    const struct binding *source = put_end(job, &source_fields, &job->tally.source);
    const struct binding *destination = put_end(job, &destination_fields, &job->tally.destination);
    job->home = home_of(job->resolver, destination);
    leave_resolved(job);
    put_logged_on(job);
    if (activity->kind != ACTIVITY_RESOLUTION) {
        put_account(job, source);
        put_service(job);
        put_target(job);
    }
    put_unresolved(job);
    job->resolver->left = job->left;
}

void resolver_complete(struct resolver *resolver, const struct activity *activity,
                       struct activity_writer *writer, struct resolver_waits *waits, int64_t now)
{
    struct job job = {.resolver = resolver, .writer = writer, .asking = {waits}, .last = !waits};
    if (waits)
        waits->count = 0;
    complete(&job, activity, now);
    if (!waits || waits->count == 0)
        count(&job);
}

void resolver_complete_again(struct resolver *resolver, const struct activity *activity,
                             struct activity_writer *writer, int64_t now)
{
    struct job job = {.resolver = resolver, .writer = writer, .last = true};
    complete(&job, activity, now);
}

const struct resolver_left *resolver_left(const struct resolver *resolver)
{
    return &resolver->left;
}

uint64_t resolver_settled(struct resolver *resolver)
{
    uint64_t hash = resolver->settled;
    resolver->settled = 0;
    return hash;
}

/* --- what is known --- */

void resolver_ask_names(struct resolver *resolver, resolver_ask_name ask, void *context)
{
    resolver->ask_name = ask;
    resolver->ask_name_context = context;
}

uint64_t resolver_address_hash(const struct resolver *resolver, const struct ip_address *address)
{
    return XXH3_64bits_withSeed(address, sizeof(*address), ~resolver->seed);
}

void resolver_tell(struct resolver *resolver, const struct ip_address *address, struct bytes name,
                   struct bytes domain, enum resolver_source source, int64_t time)
{
    resolver_claim(resolver, address, name, domain, source, time, 0);
}

bool resolver_binding(const struct resolver *resolver, const struct ip_address *address, int64_t time,
                      struct resolver_binding *to)
{
    const struct binding *binding = resolver_bound(resolver, address);
    if (!binding)
        return false;
    const struct claim *claim = resolver_claim_at(binding, time);
    struct bytes domain = resolver_domain_name(resolver, claim->domain);
    *to = (struct resolver_binding){
        .begins = claim->begins,
        .confidence = resolver_confidence(claim, time),
        .shared = resolver_is_shared(binding, time),
        .is_controller = time < binding->controller_until,
    };
    memcpy(to->account, binding->account.name, sizeof(to->account));
    if (to->confidence == 0)
        return true;
    to->source = (enum resolver_source)claim->source;
    to->since = claim->since;
    to->seen = claim->seen;
    memcpy(to->host, claim->host, sizeof(to->host));
    memcpy(to->domain, domain.data, domain.size);
    return true;
}

void resolver_counters(const struct resolver *resolver, struct resolver_counters *counters)
{
    *counters = resolver->counters;
    counters->addresses = hash_table_count(resolver->bindings);
    counters->tickets = hash_table_count(resolver->tickets);
    counters->connections = hash_table_count(resolver->connections);
    counters->entities = hash_table_count(resolver->entities);
}
