/* SPDX-License-Identifier: Apache-2.0
 *
 * Which keys traffic wanted in vain: the latest, each once, with how often.
 */
#include "keys/complaints.h"

#define XXH_INLINE_ALL
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct complaints {
    struct key_holder_complaint list[COMPLAINTS_MAX];
    uint64_t told[COMPLAINTS_MAX]; /* when each was told last, in complaints */
    uint32_t sums[COMPLAINTS_MAX]; /* over the names: most are found to differ by it */
    uint64_t now;
    size_t count;
};

struct complaints *complaints_new(void)
{
    return calloc(1, sizeof(struct complaints));
}

void complaints_destroy(struct complaints **complaints_p)
{
    free(*complaints_p);
    *complaints_p = NULL;
}

static bool same(const struct key_holder_complaint *a, const struct key_holder_complaint *b)
{
    return a->result == b->result && a->etype == b->etype && a->kvno == b->kvno &&
           strcmp(a->principal, b->principal) == 0;
}

/* A keytab of few accounts lacks many: what it lacks must not drive out what is wrong with it. */
static bool matters_less(const struct complaints *c, size_t a, size_t b)
{
    bool a_lacks = c->list[a].result == UNSEAL_NO_KEY, b_lacks = c->list[b].result == UNSEAL_NO_KEY;
    return a_lacks != b_lacks ? a_lacks : c->told[a] < c->told[b];
}

/* Of those that matter least the one that was told longest ago makes room. */
static size_t place_for(struct complaints *c)
{
    if (c->count < COMPLAINTS_MAX)
        return c->count++;
    size_t least = 0;
    for (size_t i = 1; i < COMPLAINTS_MAX; i++)
        if (matters_less(c, i, least))
            least = i;
    return least;
}

void complaints_add(struct complaints *c, const struct key_holder_complaint *complaint)
{
    uint32_t sum = (uint32_t)XXH3_64bits(complaint->principal, strlen(complaint->principal));
    size_t at = 0;
    while (at < c->count && (c->sums[at] != sum || !same(&c->list[at], complaint)))
        at++;
    if (at == c->count) {
        at = place_for(c);
        c->list[at] = *complaint;
        c->sums[at] = sum;
        c->list[at].times = 0;
    }
    c->list[at].kvno_held = complaint->kvno_held;
    c->list[at].times++;
    c->told[at] = ++c->now;
}

bool complaints_at(const struct complaints *c, size_t index, struct key_holder_complaint *to)
{
    if (index >= c->count)
        return false;
    *to = c->list[index];
    return true;
}
