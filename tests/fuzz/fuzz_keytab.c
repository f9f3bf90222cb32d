/* SPDX-License-Identifier: Apache-2.0
 *
 * Keytabs: the input as one, then the keyring that was loaded from it is asked for what stands in it.
 */
#include "keys/holder.h"
#include "keys/keyring.h"
#include "keys/keytab.h"

#include <sodium.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(struct keyring *ring, const struct keytab_entry *e)
{
    uint8_t names[KEYTAB_NAME_MAX + 4] = {BER_GENERAL_STRING, 0x82, (uint8_t)(e->name_size >> 8),
                                          (uint8_t)e->name_size};
    memcpy(names + 4, e->name, e->name_size);
    struct krb_principal principal = {.present = true, .names = cursor_of(names, 4 + e->name_size)};
    struct keyring_search search = {
        .realm = e->realm, .principal = &principal, .etype = e->etype, .kvno = e->kvno, .service = true};
    const struct long_term_key *key, *last = NULL;
    while ((key = keyring_next(ring, &search)) != NULL)
        last = key;
    keyring_learn(ring, &search, last);
    uint32_t held;
    keyring_why(ring, &search, &held);
    uint32_t at = 0;
    while (keyring_nt_hash(ring, (struct bytes){e->name, e->name_size}, e->realm, &at))
        ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct keyring *ring;
    static bool turn;
    if (!ring && (sodium_init() < 0 || !(ring = keyring_new(16))))
        abort();
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    if (size)
        memcpy(copy, data, size);
    struct bytes file = {copy, size};
    struct fault fault;
    turn = !turn;
    bool loaded = size && keyring_load(ring, turn ? "a" : "b", file, &fault);
    struct keytab keytab;
    struct keytab_entry entry;
    unsigned entries = 0;
    if (keytab_open(&keytab, file))
        while (keytab_next(&keytab, &entry))
            if (entries++ < 64)
                ask(ring, &entry);
    if (keytab.damaged && loaded)
        abort();
    free(copy);
    return 0;
}
