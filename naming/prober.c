/* SPDX-License-Identifier: Apache-2.0 */
#include "naming/prober.h"

#include "base/hash_table.h"

#include <stdlib.h>
#include <string.h>

#define HALF_LIFE (30 * CLOCK_MINUTE) /* of the counts that the success rate is told of */

struct known {
    int64_t until; /* not asked again before */
    int64_t turn;  /* when it is asked, about */
    bool busy;     /* waiting or being asked */
};

struct asked {
    struct ip_address address;
    uint32_t methods; /* that are not done; 0: the place is free */
};

struct prober {
    struct prober_config config;
    struct prober_network networks[PROBER_NETWORKS_MAX];
    uint32_t methods; /* that are on */
    struct hash_table *known;
    struct ip_address *waiting; /* ring */
    uint32_t first, count;
    struct asked asked[PROBER_AT_ONCE];
    uint32_t asking;
    int64_t next;   /* when the rate lets another one be asked */
    int64_t lately; /* when the recent counts were halved last */
    struct prober_counters counters;
};

void prober_config_init(struct prober_config *config)
{
    *config = (struct prober_config){
        .rate = 20, .addresses_max = 65536, .waiting_max = 4096, .again = 10 * CLOCK_MINUTE};
}

struct prober *prober_new(const struct prober_config *config)
{
    struct prober *prober = calloc(1, sizeof(*prober));
    if (!prober)
        return NULL;
    prober->config = *config;
    if (prober->config.network_count > PROBER_NETWORKS_MAX)
        prober->config.network_count = PROBER_NETWORKS_MAX;
    for (unsigned i = 0; i < prober->config.network_count; i++)
        prober->networks[i] = config->networks[i];
    prober->config.networks = NULL;
    for (unsigned i = 0; i < NAME_METHODS; i++)
        prober->methods |= (uint32_t)config->methods[i] << i;
    prober->next = INT64_MIN;
    prober->lately = INT64_MIN;
    prober->known =
        hash_table_new(config->addresses_max, sizeof(struct ip_address), sizeof(struct known), config->seed);
    prober->waiting = calloc(config->waiting_max, sizeof(*prober->waiting));
    if (!prober->known || !prober->waiting)
        prober_destroy(&prober);
    return prober;
}

void prober_destroy(struct prober **prober)
{
    if (!*prober)
        return;
    hash_table_destroy(&(*prober)->known);
    free((*prober)->waiting);
    free(*prober);
    *prober = NULL;
}

/* --- which --- */

static bool is_somebody(const struct ip_address *address)
{
    static const uint8_t nobody[16];
    if (address->family == 4)
        return address->bytes[0] != 0 && address->bytes[0] < 224;
    return address->family == 6 && address->bytes[0] != 0xff && memcmp(address->bytes, nobody, 16) != 0;
}

static bool may_be_asked(const struct prober *prober, const struct ip_address *address)
{
    if (!prober->methods || !is_somebody(address))
        return false;
    for (unsigned i = 0; i < prober->config.network_count; i++)
        if (ip_address_within(address, &prober->networks[i].network, prober->networks[i].bits))
            return true;
    return false;
}

struct moment {
    int64_t now;
};

static bool still_known(void *context, const void *key, void *value)
{
    (void)key;
    const struct moment *moment = context;
    const struct known *known = value;
    return known->busy || known->until > moment->now;
}

static struct known *remember(struct prober *prober, const struct ip_address *address, int64_t now)
{
    struct known *known = hash_table_insert(prober->known, address, NULL);
    if (known)
        return known;
    hash_table_retain(prober->known, still_known, &(struct moment){now});
    return hash_table_insert(prober->known, address, NULL);
}

/* Of one that waits from now on. */
static int64_t turn_of(const struct prober *prober, int64_t now)
{
    return (prober->next > now ? prober->next : now) + prober->count * (CLOCK_SECOND / prober->config.rate);
}

enum prober_admitted prober_ask(struct prober *prober, const struct ip_address *address, int64_t now)
{
    if (!may_be_asked(prober, address)) {
        prober->counters.outside++;
        return PROBER_OUTSIDE;
    }
    const struct known *before = hash_table_find(prober->known, address);
    if (before && before->busy)
        return before->turn - now > PROBER_PATIENCE ? PROBER_LATER : PROBER_JOINED;
    if (before && now < before->until) {
        prober->counters.recent++;
        return PROBER_RECENT;
    }
    struct known *known = prober->count < prober->config.waiting_max ? remember(prober, address, now) : NULL;
    if (!known) {
        prober->counters.full++;
        return PROBER_FULL;
    }
    known->busy = true;
    known->turn = turn_of(prober, now);
    prober->waiting[(prober->first + prober->count++) % prober->config.waiting_max] = *address;
    return known->turn - now > PROBER_PATIENCE ? PROBER_LATER : PROBER_QUEUED;
}

/* --- when --- */

int64_t prober_due(const struct prober *prober, int64_t now)
{
    if (prober->count == 0 || prober->asking == PROBER_AT_ONCE)
        return INT64_MAX;
    return prober->next > now ? prober->next : now;
}

static struct asked *free_place(struct prober *prober)
{
    for (unsigned i = 0; i < PROBER_AT_ONCE; i++)
        if (!prober->asked[i].methods)
            return &prober->asked[i];
    return NULL;
}

static void forget_slowly(struct prober *prober, int64_t now)
{
    if (prober->lately == INT64_MIN)
        prober->lately = now;
    for (; now - prober->lately >= HALF_LIFE; prober->lately += HALF_LIFE) {
        uint32_t left = 0;
        for (unsigned i = 0; i < NAME_METHODS; i++) {
            left |= prober->counters.methods[i].lately_asked /= 2;
            left |= prober->counters.methods[i].lately_named /= 2;
        }
        if (!left)
            prober->lately = now - HALF_LIFE;
    }
}

bool prober_next(struct prober *prober, int64_t now, struct ip_address *address)
{
    struct asked *asked = prober_due(prober, now) <= now ? free_place(prober) : NULL;
    if (!asked)
        return false;
    int64_t step = CLOCK_SECOND / prober->config.rate;
    prober->next = now + step;
    *address = prober->waiting[prober->first];
    prober->first = (prober->first + 1) % prober->config.waiting_max;
    prober->count--;
    *asked = (struct asked){.address = *address, .methods = prober->methods};
    prober->asking++;
    prober->counters.addresses++;
    forget_slowly(prober, now);
    struct known *known = hash_table_find(prober->known, address);
    known->until = now + prober->config.again;
    for (unsigned i = 0; i < NAME_METHODS; i++) {
        prober->counters.methods[i].asked += prober->methods >> i & 1u;
        prober->counters.methods[i].lately_asked += prober->methods >> i & 1u;
    }
    return true;
}

bool prober_end(struct prober *prober, const struct ip_address *address, enum name_method method, bool named)
{
    for (unsigned i = 0; i < PROBER_AT_ONCE; i++) {
        struct asked *asked = &prober->asked[i];
        if (!(asked->methods >> method & 1u) || !ip_address_equal(&asked->address, address))
            continue;
        prober->counters.methods[method].named += named;
        prober->counters.methods[method].lately_named += named;
        asked->methods &= ~(1u << method);
        if (asked->methods)
            return false;
        prober->asking--;
        struct known *known = hash_table_find(prober->known, address);
        known->busy = false;
        return true;
    }
    return false;
}

void prober_counters(const struct prober *prober, struct prober_counters *counters)
{
    *counters = prober->counters;
    counters->waiting = prober->count;
    counters->asking = prober->asking;
}

bool prober_method_fails(const struct prober_method_counters *counters)
{
    return counters->lately_asked >= PROBER_LEAST_ASKED &&
           (uint64_t)counters->lately_named * 10 < counters->lately_asked;
}
