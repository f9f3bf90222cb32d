/* SPDX-License-Identifier: Apache-2.0 */
#define XXH_INLINE_ALL
#include "center/subject.h"

#include "sync/entity.h"

#include <string.h>
#include <xxhash.h>

#define NAME_COUNTS 512u /* bytes of a name that count */

const char *subject_kind_name(enum subject_kind kind)
{
    static const char *const names[SUBJECT_KINDS] = {
        [SUBJECT_NONE] = "none",     [SUBJECT_ACCOUNT] = "account", [SUBJECT_COMPUTER] = "computer",
        [SUBJECT_GROUP] = "group",   [SUBJECT_ADDRESS] = "address", [SUBJECT_DOMAIN] = "domain",
        [SUBJECT_OBJECT] = "object",
    };
    return names[kind];
}

/* Never nobody: that is all zero. */
static struct subject subject_of_hash(XXH128_hash_t hash)
{
    return (struct subject){hash.high64, hash.low64 | (hash.high64 == 0 && hash.low64 == 0)};
}

static struct subject subject_of_bytes(struct subject_seed seed, enum subject_kind kind, const void *data,
                                       size_t size)
{
    return subject_of_hash(XXH3_128bits_withSeed(data, size, seed.value + (uint64_t)kind));
}

struct subject subject_of_guid(const uint8_t guid[16])
{
    struct subject s;
    memcpy(&s, guid, sizeof(s));
    return s;
}

struct subject subject_of_name(struct subject_seed seed, enum subject_kind kind, struct bytes name,
                               struct bytes domain)
{
    uint8_t folded[2 * NAME_COUNTS + 1];
    if (name.size > NAME_COUNTS)
        name.size = NAME_COUNTS;
    if (domain.size > NAME_COUNTS)
        domain.size = NAME_COUNTS;
    if (name.size > 1 && name.data[name.size - 1] == '$' && kind == SUBJECT_ACCOUNT)
        kind = SUBJECT_COMPUTER;
    if (kind == SUBJECT_COMPUTER && name.size > 1 && name.data[name.size - 1] == '$')
        name.size--;
    if (name.size == 0)
        return (struct subject){0};
    entity_fold(folded, name);
    folded[name.size] = '\0';
    if (domain.size)
        entity_fold(folded + name.size + 1, domain);
    return subject_of_bytes(seed, kind, folded, name.size + 1 + domain.size);
}

struct subject subject_of_address(struct subject_seed seed, const struct ip_address *address)
{
    if (address->family == 0)
        return (struct subject){0};
    return subject_of_bytes(seed, SUBJECT_ADDRESS, address->bytes, address->family == 4 ? 4 : 16);
}

struct subject subject_of_number(struct subject_seed seed, uint64_t number)
{
    return subject_of_bytes(seed, SUBJECT_OBJECT, &number, sizeof(number));
}

struct subject subject_of_pair(struct subject_seed seed, struct subject first, struct subject second)
{
    const struct subject pair[2] = {first, second};
    return subject_of_bytes(seed, SUBJECT_KINDS, pair, sizeof(pair));
}
