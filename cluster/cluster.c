/* SPDX-License-Identifier: Apache-2.0
 *
 * The core's frame: the step, the clocks, what is persisted, this node's own record, and what is handed to
 * the driver.
 */
#include "cluster/cluster.h"

#include <stdio.h>
#include <stdlib.h>

#include "cluster/core.h"

#define UPDATE_BUFFER    (2u << 20)
#define CLAIMS_A_MESSAGE 64u
#define HOSTILE_EVERY    60000 /* ms between two notices about hostile peers */
#define RAISE_BACKOFF    1000  /* ms after the first raise; doubles: a clone raises as well */
#define RAISES_MAX       12u
#define REFUSED_COST     32u /* records that a refused one counts for: forging soon ends the peer's second */
#define SECOND           1000

enum state_key { STATE_VERSION, STATE_INCARNATION, STATE_CLAIMS, STATE_ELECTION };
#define STATE_FORMAT 1u

/* --- the update --- */

struct cluster_update *cluster_update_new(void)
{
    struct cluster_update *update = calloc(1, sizeof *update);
    if (!update)
        return NULL;
    update->capacity = UPDATE_BUFFER;
    update->buffer = malloc(update->capacity);
    if (!update->buffer)
        cluster_update_destroy(&update);
    return update;
}

void cluster_update_destroy(struct cluster_update **update)
{
    if (*update)
        free((*update)->buffer);
    free(*update);
    *update = NULL;
}

static void update_reset(struct cluster_update *update)
{
    update->persist = false;
    update->message_count = update->notice_count = update->dial_count = 0;
    update->used = 0;
}

struct msgpack_writer *core_message(struct cluster *self, enum wire_type type, uint32_t further_pairs)
{
    struct cluster_update *update = self->update;
    /* The state must always fit: messages do not get its place. */
    if (update->capacity < CLUSTER_STATE_MAX + update->used + CLUSTER_MESSAGE_MAX ||
        update->message_count == CLUSTER_UPDATE_MESSAGES) {
        self->counters.update_full++;
        return NULL;
    }
    msgpack_writer_init(&self->writer, update->buffer + update->used, CLUSTER_MESSAGE_MAX);
    /* A map of less than 16 pairs, the first two of which all messages have: written by hand, for it is
     * written often. */
    uint8_t *to = self->writer.data;
    to[0] = (uint8_t)(0x82 + further_pairs);
    to[1] = WIRE_KEY_VERSION;
    to[2] = WIRE_VERSION;
    to[3] = WIRE_KEY_TYPE;
    to[4] = (uint8_t)type;
    self->writer.size = 5;
    self->writing = true;
    return &self->writer;
}

static bool send_bytes(struct cluster *self, const struct node_id *to, bool open_link, bool again)
{
    struct cluster_update *update = self->update;
    if (self->writing) {
        self->writing = false;
        if (!self->writer.full)
            update->used += self->writer.size;
    } else if (!again) {
        return false;
    }
    if (self->writer.full || self->unsaved || update->message_count == CLUSTER_UPDATE_MESSAGES) {
        self->counters.update_full++;
        return false;
    }
    update->messages[update->message_count++] = (struct cluster_message){
        .to = *to,
        .open_link = open_link,
        .data = self->writer.data,
        .size = (uint32_t)self->writer.size,
    };
    self->counters.messages_out++;
    self->counters.bytes_out += self->writer.size;
    return true;
}

void core_send_link(struct cluster *self, struct link *link, bool again)
{
    if (!send_bytes(self, &link->id, false, again))
        return;
    link->messages_out++;
    link->bytes_out += self->writer.size;
}

static void send_one(struct cluster *self, const struct node_id *to, bool open_link, bool again)
{
    int slot = overlay_find(self, to);
    if (!send_bytes(self, to, open_link, again) || slot < 0)
        return;
    self->links[slot].messages_out++;
    self->links[slot].bytes_out += self->writer.size;
}

void core_send(struct cluster *self, const struct node_id *to, bool open_link)
{
    send_one(self, to, open_link, false);
}

void core_send_again(struct cluster *self, const struct node_id *to, bool open_link)
{
    send_one(self, to, open_link, true);
}

void core_dial(struct cluster *self, const struct node_id *peer, bool hang_up)
{
    struct cluster_update *update = self->update;
    if (update->dial_count == CLUSTER_UPDATE_DIALS) {
        self->counters.update_full++;
        return;
    }
    update->dials[update->dial_count++] = (struct cluster_dial){.peer = *peer, .hang_up = hang_up};
}

static void add_domain_state(struct cluster *self, struct cluster_notice *notice)
{
    struct cluster_domain_view view;
    uint32_t domain = members_domain(self, notice->domain, false);
    if (!self->election || domain == UINT32_MAX || !election_view(self, domain, &view))
        return;
    notice->state = (uint8_t)view.state;
    notice->settled = view.has_claim && view.claim.settled;
    notice->released = view.has_claim && view.claim.released;
}

void core_notice(struct cluster *self, enum cluster_notice_type type, enum cluster_cause cause,
                 const struct node_id *node, const char *domain, uint64_t term)
{
    struct cluster_notice notice = {
        .type = type, .cause = cause, .wall = self->wall, .term = term, .domain = domain};
    if (node)
        notice.node = *node;
    if (domain)
        add_domain_state(self, &notice);
    history_add(self->history, &notice);
    struct cluster_update *update = self->update;
    if (update->notice_count == CLUSTER_UPDATE_NOTICES) {
        self->counters.update_full++;
        return;
    }
    update->notices[update->notice_count++] = notice;
}

void core_hostile(struct cluster *self, const struct node_id *peer)
{
    int slot = overlay_find(self, peer);
    if (slot >= 0)
        self->links[slot].malformed++;
    if (self->mono < self->hostile_told + HOSTILE_EVERY)
        return;
    self->hostile_told = self->mono;
    core_notice(self, NOTICE_HOSTILE, CAUSE_NONE, peer, NULL, 0);
}

/* --- what others ask of the core --- */

int64_t core_mono(const struct cluster *self)
{
    return self->mono;
}

int64_t core_wall(const struct cluster *self)
{
    return self->wall;
}

int64_t core_observed(const struct cluster *self)
{
    return self->observed;
}

bool core_tilt(const struct cluster *self)
{
    return self->observed < self->tilt_until;
}

int64_t core_quiet_since(const struct cluster *self)
{
    return self->quiet_since;
}

uint64_t core_step(const struct cluster *self)
{
    return self->step;
}

const struct cluster_config *core_config(const struct cluster *self)
{
    return &self->config;
}

const struct cluster_crypto *core_crypto(const struct cluster *self)
{
    return &self->crypto;
}

const struct certificate *core_certificate(const struct cluster *self)
{
    return &self->certificate;
}

struct cluster_counters *core_counters(struct cluster *self)
{
    return &self->counters;
}

uint64_t core_incarnation(const struct cluster *self)
{
    return self->incarnation;
}

const struct node_id *core_self(const struct cluster *self)
{
    return &self->id;
}

struct election *core_election(const struct cluster *self)
{
    return self->election;
}

void core_persist(struct cluster *self)
{
    self->persist = true;
}

/* xoshiro256** (Blackman, Vigna 2018) */
uint64_t core_random(struct cluster *self)
{
    uint64_t *s = self->random;
    uint64_t scrambled = s[1] * 5;
    scrambled = (scrambled << 7 | scrambled >> 57) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = s[3] << 45 | s[3] >> 19;
    return scrambled;
}

int64_t core_period(const struct cluster *self, const struct member *member)
{
    const struct cluster_timers *timers = &self->config.timers;
    if (member->flags & MEMBER_FLAG_CANDIDATE)
        return timers->heartbeat;
    int64_t period = timers->sensor_per_member * self->members.present;
    if (period < timers->sensor_period_min)
        return timers->sensor_period_min;
    return period > timers->sensor_period_max ? timers->sensor_period_max : period;
}

/* Not a TILT, in which nobody would be replaced: one member that counts wrong must not prevent that. */
void core_was_away(struct cluster *self)
{
    self->quiet_since = self->observed;
}

/* --- budgets --- */

static void budget_renew(const struct cluster *self, struct budget *budget)
{
    uint32_t epoch = (uint32_t)(self->mono / SECOND);
    if (budget->epoch != epoch)
        *budget = (struct budget){.epoch = epoch};
}

static bool spend(uint32_t *own, uint32_t own_max, uint32_t *all, uint32_t all_max, uint32_t amount)
{
    if (*own + amount > own_max || *all + amount > all_max)
        return false;
    *own += amount;
    *all += amount;
    return true;
}

bool budget_hashes(struct cluster *self, struct budget *budget, uint32_t amount)
{
    budget_renew(self, budget);
    budget_renew(self, &self->all);
    return spend(&budget->hashes, BUDGET_HASHES, &self->all.hashes, BUDGET_HASHES_ALL, amount);
}

bool budget_record(struct cluster *self, struct budget *budget)
{
    budget_renew(self, budget);
    budget_renew(self, &self->all);
    return spend(&budget->records, BUDGET_RECORDS, &self->all.records, BUDGET_RECORDS_ALL, 1);
}

bool budget_answer(struct cluster *self, struct budget *budget)
{
    budget_renew(self, budget);
    budget_renew(self, &self->all);
    return spend(&budget->answers, BUDGET_ANSWERS, &self->all.answers, BUDGET_ANSWERS_ALL, 1);
}

/* --- time --- */

static void tilt(struct cluster *self)
{
    if (MUTANT(NO_TILT))
        return;
    if (!core_tilt(self)) {
        self->counters.tilts++;
        core_notice(self, NOTICE_TILT, CAUSE_TILT, &self->id, NULL, 0);
    }
    self->tilt_until = self->observed + self->config.timers.tilt_hold;
}

/* The observation clock stands still while this process does not run; a longer stop is a TILT. */
static void advance(struct cluster *self, const struct cluster_event *event)
{
    int64_t mono = event->mono - self->mono, boot = event->boot - self->boot;
    int64_t passed = MUTANT(WALL_CLOCK) ? event->wall - self->wall : mono;
    self->mono = event->mono > self->mono ? event->mono : self->mono;
    self->boot = event->boot;
    self->wall = event->wall;
    if (passed == 0 && boot == 0)
        return;
    const struct cluster_timers *timers = &self->config.timers;
    bool was_tilted = core_tilt(self);
    if (passed > timers->observe_step && !MUTANT(OBSERVE_UNCAPPED) && !MUTANT(WALL_CLOCK))
        passed = timers->observe_step;
    if (passed > 0)
        self->observed += passed;
    int64_t apart = boot > mono ? boot - mono : mono - boot;
    if (mono > timers->tilt_gap || mono < 0 || apart > timers->tilt_gap)
        tilt(self);
    if (was_tilted && !core_tilt(self)) {
        self->quiet_since = self->observed;
        self->tilt_until = INT64_MIN;
        core_notice(self, NOTICE_TILT_OVER, CAUSE_TILT, &self->id, NULL, 0);
    }
}

/* --- this node's own record --- */

static void chain_new(struct cluster *self)
{
    uint8_t material[32 + 16], secret[LINK_SIZE], place[LINK_SIZE];
    memcpy(material, self->secret, 32);
    memset(material + 32, 0, 16);
    uint64_t number = ++self->chains;
    for (unsigned i = 0; i < 8; i++)
        material[32 + i] = (uint8_t)(number >> 8 * i);
    self->crypto.hash(self->crypto.context, material, sizeof material, secret);
    uint32_t base = self->chain.base + CHAIN_LINKS;
    if (number == 1) {
        /* Somewhere: heartbeats of an earlier life are most probably of another chain's numbers. */
        material[32 + 8] = 1;
        self->crypto.hash(self->crypto.context, material, sizeof material, place);
        struct cursor c = cursor_of(place, sizeof place);
        base = cursor_be32(&c) / 2 / CHAIN_LINKS * CHAIN_LINKS;
    }
    chain_init(&self->chain, base, secret, &self->crypto);
    self->sequence = base;
}

static void own_record(struct cluster *self, struct record *record)
{
    const struct cluster_config *config = &self->config;
    *record = (struct record){
        .certificate = self->certificate,
        .endpoint_count = config->endpoint_count,
        .controller_count = config->controller_count,
        .enrolment_port = config->enrolment_port,
        .incarnation = self->incarnation,
        .revision = self->revision,
        .boot_nonce = self->boot_nonce,
        .chain_base = self->chain.base,
        .flags = self->left ? RECORD_LEFT : 0,
        .candidate_off = self->candidate_off,
        .started = self->started_wall,
    };
    for (unsigned i = 0; i < config->endpoint_count; i++)
        snprintf(record->endpoints[i], sizeof record->endpoints[i], "%s", config->endpoints[i]);
    for (unsigned i = 0; i < config->controller_count; i++)
        snprintf(record->controllers[i], sizeof record->controllers[i], "%s", config->controllers[i]);
    snprintf(record->version, sizeof record->version, "%s", config->version ? config->version : "0");
    memcpy(record->anchor, chain_link(&self->chain, self->chain.base, &self->crypto), LINK_SIZE);
}

static bool publish_own(struct cluster *self)
{
    uint8_t encoded[RECORD_MAX_SIZE];
    own_record(self, &self->scratch);
    size_t size =
        record_write(encoded, sizeof encoded, &self->scratch,
                     (struct bytes){self->certificate_bytes, self->certificate_size}, &self->crypto);
    return size && members_set_own(self, (struct bytes){encoded, size});
}

void core_announce(struct cluster *self, bool new_chain)
{
    if (new_chain)
        chain_new(self);
    self->revision++;
    if (publish_own(self))
        gossip_record(self, 0, 0);
}

void core_raise_incarnation(struct cluster *self, uint64_t seen)
{
    if (seen < self->incarnation || seen >= INCARNATION_MAX || self->mono < self->raise_after)
        return;
    self->raise_after =
        self->mono + (RAISE_BACKOFF << (self->raises < RAISES_MAX ? self->raises : RAISES_MAX));
    self->raises++;
    self->incarnation = seen + 1;
    self->revision = 0;
    core_persist(self);
    core_announce(self, true);
    members_issue_heartbeat(self);
    election_member_changed(self, 0);
}

/* --- policy --- */

bool core_policy(struct cluster *self, struct bytes encoded, uint16_t told)
{
    struct policy_blob *blob =
        record_pool_take_policy(self->pool, encoded, &self->config.trust, &self->crypto);
    if (!blob) {
        self->counters.policies_refused++;
        return false;
    }
    if (self->policy && blob->policy.version <= self->policy->policy.version) {
        if (blob->policy.version == self->policy->policy.version)
            self->gossip.policy_told |= told;
        record_pool_drop_policy(self->pool, blob);
        return false;
    }
    record_pool_drop_policy(self->pool, self->policy);
    self->policy = blob;
    if (self->started) {
        /* First told, then obeyed: whom it revokes is to know as well. */
        gossip_policy(self, told);
        gossip_flush(self);
    }
    members_apply_policy(self);
    bool self_revoked = policy_revokes(&blob->policy, &self->id);
    bool news = self_revoked && !self->revoked;
    self->revoked = self_revoked;
    if (!self->started)
        return true;
    core_notice(self, NOTICE_POLICY, CAUSE_NONE, NULL, NULL, blob->policy.version);
    if (news) {
        core_notice(self, NOTICE_REVOKED, CAUSE_REVOKED, &self->id, NULL, 0);
        election_leave(self, CAUSE_REVOKED);
    }
    return true;
}

/* --- what is on disk --- */

static void state_save(struct cluster *self, struct cluster_update *update)
{
    struct msgpack_writer w;
    msgpack_writer_init(&w, update->buffer + update->used, CLUSTER_STATE_MAX);
    msgpack_put_map(&w, 4);
    msgpack_put_uint(&w, STATE_VERSION);
    msgpack_put_uint(&w, STATE_FORMAT);
    msgpack_put_uint(&w, STATE_INCARNATION);
    msgpack_put_uint(&w, self->incarnation);
    uint32_t claims = 0;
    for (uint32_t domain = 0; domain < self->members.domain_count; domain++)
        claims += election_register(self, domain).size > 0;
    msgpack_put_uint(&w, STATE_CLAIMS);
    msgpack_put_array(&w, claims);
    for (uint32_t domain = 0; domain < self->members.domain_count; domain++) {
        struct bytes claim = election_register(self, domain);
        if (claim.size)
            msgpack_put_binary(&w, claim.data, claim.size);
    }
    msgpack_put_uint(&w, STATE_ELECTION);
    election_save(self, &w);
    update->state = (struct bytes){w.data, w.size};
    update->used += w.size;
    update->persist = true;
}

static bool state_claims(struct cluster *self, struct cursor *c)
{
    struct msgpack_item claims = msgpack_next(c);
    if (claims.type != MSGPACK_ARRAY)
        return false;
    for (uint32_t i = 0; i < claims.count; i++) {
        struct msgpack_item claim = msgpack_next(c);
        if (claim.type != MSGPACK_BINARY)
            return false;
        election_claim(self, claim.bytes, NULL);
    }
    return true;
}

/* What can be read of it counts: a damaged end loses no more than itself. */
static void state_load(struct cluster *self, struct bytes state)
{
    struct cursor c = cursor_of_bytes(state);
    struct msgpack_item map = msgpack_next(&c);
    if (map.type != MSGPACK_MAP)
        return;
    for (uint32_t i = 0; i < map.count && !c.failed; i++) {
        struct msgpack_item key = msgpack_next(&c);
        if (key.type != MSGPACK_UINT)
            return;
        switch (key.uint) {
        case STATE_INCARNATION: {
            struct msgpack_item item = msgpack_next(&c);
            if (item.type == MSGPACK_UINT && item.uint < UINT64_MAX / 2)
                self->incarnation = item.uint;
            break;
        }
        case STATE_CLAIMS:
            if (!state_claims(self, &c))
                return;
            break;
        case STATE_ELECTION:
            if (!election_load(self, &c))
                return;
            break;
        default:
            msgpack_skip(&c);
            break;
        }
    }
}

/* --- making and ending --- */

void cluster_config_init(struct cluster_config *config)
{
    *config = (struct cluster_config){
        .version = PICKET_VERSION,
        .min_observers = 1,
        .members_max = 32768,
        .history_size = 1000,
        .active_links = 5,
        .outside_links = 2,
    };
    cluster_timers_for(&config->timers, 0);
}

static size_t texts_size(const struct cluster_config *config)
{
    size_t size = config->version ? strlen(config->version) + 1 : 0;
    for (unsigned i = 0; i < config->endpoint_count; i++)
        size += strlen(config->endpoints[i]) + 1;
    for (unsigned i = 0; i < config->controller_count; i++)
        size += strlen(config->controllers[i]) + 1;
    return size;
}

static const char *text_copy(char **to, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*to, text, size);
    *to += size;
    return copy;
}

static bool config_copy(struct cluster *self, const struct cluster_config *config)
{
    self->config = *config;
    self->texts = malloc(texts_size(config) + 1);
    self->certificate_bytes = malloc(CERTIFICATE_MAX_SIZE);
    if (!self->texts || !self->certificate_bytes || config->certificate.size > CERTIFICATE_MAX_SIZE)
        return false;
    char *to = self->texts;
    if (config->version)
        self->config.version = text_copy(&to, config->version);
    for (unsigned i = 0; i < config->endpoint_count; i++)
        self->config.endpoints[i] = text_copy(&to, config->endpoints[i]);
    for (unsigned i = 0; i < config->controller_count; i++)
        self->config.controllers[i] = text_copy(&to, config->controllers[i]);
    if (config->certificate.size)
        memcpy(self->certificate_bytes, config->certificate.data, config->certificate.size);
    self->certificate_size = config->certificate.size;
    self->config.certificate = (struct bytes){self->certificate_bytes, self->certificate_size};
    if (self->config.members_max > MEMBERS_LIMIT)
        self->config.members_max = MEMBERS_LIMIT;
    return true;
}

static bool config_usable(const struct cluster_config *config)
{
    return config->endpoint_count <= RECORD_ENDPOINTS && config->controller_count <= RECORD_CONTROLLERS &&
           config->members_max > 0 && config->active_links > 0 && config->active_links + 2 < CLUSTER_LINKS &&
           config->timers.tick > 0;
}

static bool core_init(struct cluster *self, const struct cluster_config *config, struct bytes policy)
{
    self->tilt_until = INT64_MIN;
    self->observed = self->quiet_since = OBSERVED_START;
    self->hostile_told = self->revoked_told = INT64_MIN / 2;
    if (!config_copy(self, config) || !members_init(self))
        return false;
    if (policy.size && !core_policy(self, policy, 0))
        return false;
    const struct policy *in_force = self->policy ? &self->policy->policy : NULL;
    if (!certificate_read(&self->certificate, self->config.certificate, &self->config.trust, in_force,
                          &self->crypto))
        return false;
    self->id = self->certificate.grant.id;
    self->short_id = node_id_short(&self->id);
    self->revoked = in_force && policy_revokes(in_force, &self->id);
    self->history = history_new(config->history_size);
    /* A place in the table; CLUSTER_START makes the record that others get. */
    if (!self->history || !publish_own(self))
        return false;
    self->election = election_new(self);
    return self->election != NULL;
}

struct cluster *cluster_new(const struct cluster_config *config, const struct cluster_crypto *crypto,
                            struct record_pool *pool, struct bytes policy)
{
    if (!config_usable(config))
        return NULL;
    struct cluster *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->crypto = *crypto;
    self->pool = pool;
    if (!core_init(self, config, policy))
        cluster_destroy(&self);
    return self;
}

void cluster_destroy(struct cluster **self_p)
{
    struct cluster *self = *self_p;
    if (!self)
        return;
    if (self->election)
        election_destroy(&self->election);
    reports_clear(self);
    history_destroy(&self->history);
    members_clear(self);
    record_pool_drop_policy(self->pool, self->policy);
    free(self->certificate_bytes);
    free(self->texts);
    free(self);
    *self_p = NULL;
}

bool cluster_learn(struct cluster *self, struct bytes record)
{
    bool started = self->started;
    self->started = false; /* what is learnt so is no event */
    bool taken = members_take_record(self, record, NULL);
    self->started = started;
    return taken;
}

/* --- events --- */

static void seed_random(struct cluster *self, const uint8_t random[32])
{
    memcpy(self->secret, random, 32);
    /* Schedules are drawn from a generator whose state can be guessed from them: keys never come from it. */
    uint8_t material[33], digest[2][LINK_SIZE];
    memcpy(material, random, 32);
    for (uint8_t i = 0; i < 2; i++) {
        material[32] = (uint8_t)(i + 1);
        self->crypto.hash(self->crypto.context, material, sizeof material, digest[i]);
    }
    struct cursor c = cursor_of(digest, sizeof digest);
    for (unsigned i = 0; i < 4; i++)
        self->random[i] = cursor_be64(&c);
    self->random[0] |= 1;
    material[32] = 3;
    self->crypto.hash(self->crypto.context, material, sizeof material, digest[0]);
    c = cursor_of(digest[0], LINK_SIZE);
    self->boot_nonce = cursor_be32(&c);
}

static void start(struct cluster *self, const struct cluster_event *event)
{
    self->mono = event->mono;
    self->boot = event->boot;
    self->wall = event->wall;
    self->started_wall = event->wall < 0 ? 0 : (uint64_t)event->wall / 1000;
    seed_random(self, event->start.random);
    self->members.changes_until = self->mono;
    gossip_start(self);
    state_load(self, event->start.state);
    if (!MUTANT(INCARNATION_KEPT) || self->incarnation == 0)
        self->incarnation++;
    self->candidate_off = election_candidate_off(self);
    chain_new(self);
    publish_own(self);
    self->started = true;
    gossip_record(self, 0, 0);
    core_persist(self);
    overlay_start(self);
    self->heartbeat_due = self->mono;
    election_start(self);
}

static bool heartbeats_sent(const struct cluster *self)
{
    return !self->left && !self->revoked &&
           (!self->config.sensors_silent || self->members.table[0].flags & MEMBER_FLAG_CANDIDATE);
}

static void heartbeat(struct cluster *self)
{
    int64_t period = core_period(self, &self->members.table[0]);
    uint64_t jitter = (uint64_t)self->config.timers.heartbeat_jitter;
    self->heartbeat_due = self->mono + period - (jitter ? (int64_t)(core_random(self) % (jitter + 1)) : 0);
    if (heartbeats_sent(self))
        members_issue_heartbeat(self);
}

static void tick(struct cluster *self)
{
    if (self->persist_again) {
        self->persist_again = false;
        core_persist(self);
    }
    if (self->mono >= self->heartbeat_due)
        heartbeat(self);
    members_tick(self);
    election_tick(self);
    overlay_tick(self);
    gossip_tick(self);
}

static void leave(struct cluster *self)
{
    if (self->left)
        return;
    election_leave(self, CAUSE_SHUTDOWN);
    self->left = true;
    core_announce(self, true);
    gossip_flush(self);
    overlay_leave(self);
}

static void certificate_renewed(struct cluster *self, struct bytes encoded)
{
    struct certificate certificate;
    const struct policy *policy = self->policy ? &self->policy->policy : NULL;
    if (encoded.size > CERTIFICATE_MAX_SIZE ||
        !certificate_read(&certificate, encoded, &self->config.trust, policy, &self->crypto) ||
        !node_id_equal(&certificate.grant.id, &self->id))
        return;
    memcpy(self->certificate_bytes, encoded.data, encoded.size);
    self->certificate_size = encoded.size;
    self->certificate = certificate;
    core_announce(self, false);
    election_member_changed(self, 0);
}

/* The disk failed: nothing that depends on what it should hold may be told, until it holds it. */
static void persist_failed(struct cluster *self)
{
    self->counters.persist_failed++;
    self->persist_again = true;
    self->persist = false;
    election_persist_failed(self);
    self->persist = false;
    self->unsaved = true;
}

/* --- messages --- */

static void take_claims(struct cluster *self, const struct wire *wire, const struct source *source)
{
    struct cursor items = wire->claims;
    uint32_t left = wire->claim_count;
    for (unsigned i = 0; i < CLAIMS_A_MESSAGE && left; i++) {
        struct bytes claim = wire_next(&items, &left);
        uint32_t domain = 0;
        for (; domain < self->members.domain_count; domain++) {
            struct bytes known = election_register(self, domain);
            if (known.size == claim.size && known.size && memcmp(known.data, claim.data, claim.size) == 0)
                break;
        }
        if (domain < self->members.domain_count)
            self->outbox.claims_told[domain] |= source_bit(source);
        else if (budget_record(self, source->budget) && election_claim(self, claim, &source->id))
            self->counters.claims_new++;
    }
}

static void take_durable(struct cluster *self, const struct wire *wire, struct source *source)
{
    if (wire->policy.size &&
        (!self->policy || wire->policy.size != self->policy->size ||
         memcmp(wire->policy.data, self->policy->data, self->policy->size) != 0) &&
        budget_record(self, source->budget))
        core_policy(self, wire->policy, source_bit(source));
    struct cursor items = wire->records;
    for (uint32_t left = wire->record_count; left;)
        members_take_record(self, wire_next(&items, &left), source);
    if (source->member == NO_MEMBER) {
        source->member = members_find(self, &source->id);
        if (source->link >= 0 && source->member != NO_MEMBER) {
            struct link *link = &self->links[source->link];
            link->member = source->member;
            link->outside = self->members.table[source->member].record->site != self->site;
        }
    }
}

static bool node_of(const struct wire *wire, struct node_id *id)
{
    if (!wire_has(wire, WIRE_KEY_NODE))
        return false;
    memcpy(id->bytes, wire->node.data, NODE_ID_SIZE);
    return true;
}

static int64_t age_of(const struct wire *wire)
{
    return wire->age > INT64_MAX ? INT64_MAX : (int64_t)wire->age;
}

static bool domain_of(const struct wire *wire, char domain[DOMAIN_MAX_SIZE])
{
    if (!wire_has(wire, WIRE_KEY_DOMAIN) || wire->domain.size >= DOMAIN_MAX_SIZE)
        return false;
    memcpy(domain, wire->domain.data, wire->domain.size);
    domain[wire->domain.size] = 0;
    return strlen(domain) == wire->domain.size;
}

/* False: not what such a message must bear. */
static bool dispatch(struct cluster *self, const struct wire *wire, const struct source *source)
{
    struct node_id node;
    char domain[DOMAIN_MAX_SIZE];
    switch (wire->type) {
    case WIRE_GOSSIP:
        if (source->link < 0 || !(self->overlay.active >> source->link & 1u))
            overlay_stray(self, source);
        return true;
    case WIRE_SYNC:
        gossip_sync_received(self, wire, source);
        return true;
    case WIRE_LINK:
        overlay_received(self, wire, source);
        return true;
    case WIRE_QUERY:
        if (!domain_of(wire, domain) || !node_of(wire, &node))
            return false;
        election_query(self, &source->id, &node, wire->incarnation, (uint32_t)wire->sequence);
        return true;
    case WIRE_HAVE:
        if (!node_of(wire, &node) || wire->heartbeats.size != HEARTBEAT_SIZE)
            return false;
        election_have(self, &source->id, &node, wire->heartbeats.data, age_of(wire));
        return true;
    case WIRE_ASK:
        if (!domain_of(wire, domain))
            return false;
        election_ask(self, &source->id, domain, (unsigned)(wire->ask > UINT32_MAX ? 0 : wire->ask));
        return true;
    default:
        return true; /* of a newer version */
    }
}

static void malformed(struct cluster *self, const struct source *source)
{
    self->counters.malformed++;
    core_hostile(self, &source->id);
}

/* A revoked peer may not know it yet: it is told, and nothing it says counts. */
static void tell_revoked(struct cluster *self, const struct source *source)
{
    if (!self->policy || self->mono < self->revoked_told + SECOND)
        return;
    self->revoked_told = self->mono;
    struct msgpack_writer *w = core_message(self, WIRE_GOSSIP, 1);
    if (!w)
        return;
    msgpack_put_uint(w, WIRE_KEY_POLICY);
    msgpack_put_binary(w, self->policy->data, self->policy->size);
    core_send(self, &source->id, false);
}

static struct source source_of(struct cluster *self, const struct node_id *from)
{
    struct source source = {.id = *from, .budget = &self->strangers};
    source.link = overlay_find(self, from);
    if (source.link < 0) {
        source.member = members_find(self, from);
        return source;
    }
    struct link *link = &self->links[source.link];
    if (link->member == NO_MEMBER)
        link->member = members_find(self, from);
    source.member = link->member;
    source.budget = &link->budget;
    return source;
}

static bool sender_revoked(const struct cluster *self, const struct source *source)
{
    if (MUTANT(REVOKED_HEARD))
        return false;
    if (source->member != NO_MEMBER)
        return self->members.table[source->member].flags & MEMBER_FLAG_REVOKED;
    return self->policy && policy_revokes(&self->policy->policy, &source->id);
}

static void received_whole(struct cluster *self, struct bytes message, struct source *source)
{
    struct wire wire;
    if (!wire_read(&wire, message)) {
        malformed(self, source);
        return;
    }
    if (wire.version > WIRE_VERSION)
        self->counters.unknown_version++;
    bool silent = source->member != NO_MEMBER && gossip_missed(self, source->member);
    take_durable(self, &wire, source);
    if (source->member == NO_MEMBER) {
        self->counters.unknown_sender++;
        /* A fleet that knows this node though this node, its disk lost, knows nobody: it asks whoever calls.
         */
        if (!self->overlay.active)
            overlay_bridge(self, source);
        return;
    }
    if (wire.heartbeats.size && wire.type != WIRE_HAVE)
        members_take_heartbeats(self, wire.heartbeats, wire.ages, source);
    /* After the heartbeats: they may tell a holder that it was away, before it defends itself. */
    if (wire.claim_count)
        take_claims(self, &wire, source);
    if (wire.report_count)
        reports_take(self, &wire, source);
    if (silent && source->link < 0)
        overlay_bridge(self, source);
    if (!dispatch(self, &wire, source))
        malformed(self, source);
}

static void received(struct cluster *self, const struct cluster_event *event)
{
    struct bytes message = event->received.message;
    self->counters.messages_in++;
    self->counters.bytes_in += message.size;
    struct source source = source_of(self, &event->received.from);
    if (source.link >= 0) {
        struct link *link = &self->links[source.link];
        link->messages_in++;
        link->bytes_in += message.size;
        link->heard = self->mono;
    }
    bool closing = source.link < 0 || self->links[source.link].state == LINK_CLOSING;
    if (closing && sender_revoked(self, &source)) {
        tell_revoked(self, &source);
        return;
    }
    if (node_id_equal(&source.id, &self->id))
        return;
    struct bytes heartbeats = wire_heartbeats(message);
    if (heartbeats.size && source.link >= 0 && self->overlay.active >> source.link & 1u &&
        source.member != NO_MEMBER)
        members_take_heartbeats(self, heartbeats, (struct bytes){NULL, 0}, &source);
    else
        received_whole(self, message, &source);
}

/* --- the step --- */

static void candidacy_told(struct cluster *self)
{
    uint8_t off = election_candidate_off(self);
    if (off == self->candidate_off)
        return;
    self->candidate_off = off;
    core_announce(self, false);
    election_member_changed(self, 0);
}

static void dispatch_event(struct cluster *self, const struct cluster_event *event)
{
    switch (event->type) {
    case CLUSTER_START:
        break;
    case CLUSTER_TICK:
        tick(self);
        break;
    case CLUSTER_RECEIVED:
        received(self, event);
        break;
    case CLUSTER_LINK_UP:
        overlay_link_up(self, &event->link.peer, event->link.dialled);
        break;
    case CLUSTER_LINK_DOWN:
        overlay_link_down(self, &event->link.peer);
        break;
    case CLUSTER_DIRECTORY:
        election_directory(self, event->directory.domain, event->directory.reachable);
        break;
    case CLUSTER_CANDIDATE:
        election_candidate(self, event->command.domain, event->command.on);
        candidacy_told(self);
        break;
    case CLUSTER_YIELD:
        election_yield(self, event->command.domain);
        break;
    case CLUSTER_PIN:
        election_pin(self, event->command.domain, event->command.on);
        break;
    case CLUSTER_REPORT:
        reports_issue(self, event->report.domain, event->report.data);
        break;
    case CLUSTER_POLICY:
        core_policy(self, event->bytes, 0);
        break;
    case CLUSTER_CERTIFICATE:
        certificate_renewed(self, event->bytes);
        break;
    case CLUSTER_LEAVE:
        leave(self);
        break;
    case CLUSTER_PERSIST_FAILED:
        persist_failed(self);
        break;
    }
}

void cluster_step(struct cluster *self, const struct cluster_event *event, struct cluster_update *update)
{
    update_reset(update);
    self->update = update;
    self->step++;
    if (event->type == CLUSTER_START) {
        if (!self->started)
            start(self, event);
    } else if (self->started) {
        advance(self, event);
        dispatch_event(self, event);
    }
    if (self->gossip.news_waiting && self->started)
        gossip_flush_news(self);
    if (self->persist && !self->persist_again) {
        self->persist = false;
        self->unsaved = false;
        if (!MUTANT(TELL_BEFORE_PERSIST))
            state_save(self, update);
    }
}

/* --- hints --- */

#define LINE 64u

static void prefetch_lines(const void *data, size_t size)
{
    for (size_t at = 0; at < size; at += LINE)
        __builtin_prefetch((const uint8_t *)data + at);
}

void cluster_prefetch(const struct cluster *self, enum cluster_prefetch_stage stage,
                      const struct node_id *from, struct bytes message)
{
    if (stage == CLUSTER_PREFETCH_HEAD) {
        prefetch_lines(self, offsetof(struct cluster, links));
        prefetch_lines(&self->config.timers, sizeof self->config.timers);
        prefetch_lines(self->outbox.heartbeats, 2 * sizeof self->outbox.heartbeats[0]);
        return;
    }
    if (!from) {
        if (stage == CLUSTER_PREFETCH_INDEX)
            prefetch_lines(self->election, 2 * LINE);
        return;
    }
    struct bytes heartbeats = wire_heartbeats(message);
    if (stage == CLUSTER_PREFETCH_INDEX) {
        members_prefetch_index(self, heartbeats);
        uint64_t short_id = node_id_short(from);
        for (unsigned i = 0; i < CLUSTER_LINKS; i++)
            if (self->overlay.short_ids[i] == short_id)
                prefetch_lines(&self->links[i], sizeof self->links[i]);
    } else {
        members_prefetch_table(self, heartbeats);
    }
}
