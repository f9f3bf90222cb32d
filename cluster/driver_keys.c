/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose keys may connect: those of all known, unrevoked members, of the last two generations, so that a
 * rotation has no gap whoever hears of it first.
 */
#include "base/log.h"
#include "cluster/driver_internal.h"

struct admitted_keys {
    uint32_t generation;
    bool had_before;
    uint8_t key[PUBLIC_KEY_SIZE];
    uint8_t before[PUBLIC_KEY_SIZE]; /* of the generation before, when there was one */
};

bool driver_keys_open(struct cluster_driver *driver)
{
    uint64_t seed;
    crypto_random(&seed, sizeof(seed));
    driver->admitted =
        hash_table_new(driver->config.members_max * 2, NODE_ID_SIZE, sizeof(struct admitted_keys), seed);
    return driver->admitted != NULL;
}

void driver_keys_close(struct cluster_driver *driver)
{
    hash_table_destroy(&driver->admitted);
}

static void succeed(struct cluster_driver *driver, struct admitted_keys *keys)
{
    if (keys->had_before)
        driver_expel_key(driver, keys->before);
    memcpy(keys->before, keys->key, PUBLIC_KEY_SIZE);
    keys->had_before = true;
}

void driver_keys_admit(struct cluster_driver *driver, const struct node_id *id,
                       const uint8_t key[PUBLIC_KEY_SIZE], uint32_t generation)
{
    bool added;
    struct admitted_keys *keys = hash_table_insert(driver->admitted, id, &added);
    if (!keys) {
        log_warning("more members than the table of keys has room for: one is not admitted");
        return;
    }
    if (!added && (generation <= keys->generation || memcmp(keys->key, key, PUBLIC_KEY_SIZE) == 0))
        return;
    if (!added)
        succeed(driver, keys);
    memcpy(keys->key, key, PUBLIC_KEY_SIZE);
    keys->generation = generation;
    driver_admit(driver, id, key);
}

void driver_keys_member_changed(struct cluster_driver *driver, const struct node_id *id)
{
    struct cluster_member_view member;
    if (!cluster_member_find(driver->core, id, &member) || member.self || member.state == MEMBER_REVOKED)
        return;
    const struct certificate *certificate = &member.record->certificate;
    driver_keys_admit(driver, id, certificate->public_key, certificate->generation);
}

static void admit_issued(struct cluster_driver *driver)
{
    for (unsigned i = 0; driver->ledger && i < ledger_count(driver->ledger); i++) {
        const struct ledger_entry *entry = ledger_at(driver->ledger, i);
        struct cluster_member_view member;
        if (node_id_equal(&entry->id, &driver->identity->id))
            continue;
        if (!cluster_member_find(driver->core, &entry->id, &member) || member.state != MEMBER_REVOKED)
            driver_keys_admit(driver, &entry->id, entry->public_key, entry->generation);
    }
}

void driver_keys_admit_all(struct cluster_driver *driver)
{
    struct cluster_member_view member;
    const void *id;
    void *value;
    uint32_t at = 0;
    while (hash_table_next(driver->admitted, &at, &id, &value)) {
        const struct admitted_keys *keys = value;
        struct node_id whose;
        memcpy(whose.bytes, id, NODE_ID_SIZE);
        driver_admit(driver, &whose, keys->key);
        if (keys->had_before)
            driver_admit(driver, &whose, keys->before);
    }
    for (unsigned i = 0; i < cluster_member_count(driver->core); i++)
        if (cluster_member_at(driver->core, i, &member))
            driver_keys_member_changed(driver, &member.id);
    admit_issued(driver);
}

void driver_keys_member_revoked(struct cluster_driver *driver, const struct node_id *id)
{
    driver_expel(driver, id);
    hash_table_remove(driver->admitted, id);
}
