/* SPDX-License-Identifier: Apache-2.0
 *
 * Who holds the keys, within a test's own process: a key holder with the keytabs of files, asked by an engine
 * as the program asks picket-keys.
 *
 *     struct own_keys keys;
 *     own_keys_open(&keys, PICKET_SHARED_DATA "/lab/lab.keytab");
 *     harness_open(&h, &(struct engine_options){.unsealer = &keys.unsealer});
 *     ...
 *     own_keys_close(&keys);                              after the engine
 */
#pragma once

#include "capture/unseal.h"
#include "keys/holder.h"

#include <stdio.h>
#include <stdlib.h>

struct own_keys {
    struct unsealer unsealer;
    struct key_holder *holder;
    uint8_t *answer;
    size_t asked[UNSEAL_STATUS + 1]; /* and told, by operation */
};

static inline void own_keys_note(struct own_keys *keys, struct bytes request)
{
    struct cursor c = cursor_of_bytes(request);
    msgpack_next(&c);
    uint64_t operation = msgpack_next(&c).uint;
    if (operation == UNSEAL_NAMED || operation == UNSEAL_POST) { /* number, and the request within */
        msgpack_next(&c);
        msgpack_next(&c);
        operation = msgpack_next(&c).uint;
    }
    if (operation <= UNSEAL_STATUS)
        keys->asked[operation]++;
}

static inline bool own_keys_ask(void *context, struct bytes request, struct bytes *answer)
{
    struct own_keys *keys = context;
    struct msgpack_writer w;
    own_keys_note(keys, request);
    msgpack_writer_init(&w, keys->answer, UNSEAL_REQUEST_MAX);
    key_holder_answer(keys->holder, 1, request, &w);
    *answer = (struct bytes){w.data, w.size};
    return w.size != 0;
}

static inline void own_keys_tell(void *context, struct bytes request)
{
    struct bytes answer;
    own_keys_ask(context, request, &answer);
}

/* A keytab more. False when it cannot be read, with a line on stderr. */
static inline bool own_keys_load(struct own_keys *keys, const char *path)
{
    static uint8_t bytes[1 << 20];
    struct fault fault;
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "skipped: %s is not here\n", path);
        return false;
    }
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    bool fine = key_holder_load(keys->holder, path, (struct bytes){bytes, size}, &fault);
    if (!fine)
        fprintf(stderr, "%s cannot be loaded\n", path);
    return fine;
}

/* `path` NULL: no keys yet. */
static inline bool own_keys_open(struct own_keys *keys, const char *path)
{
    *keys = (struct own_keys){.unsealer = {.context = keys, .ask = own_keys_ask, .tell = own_keys_tell},
                              .holder = key_holder_new(NULL),
                              .answer = malloc(UNSEAL_REQUEST_MAX)};
    if (!keys->holder || !keys->answer)
        abort();
    return !path || own_keys_load(keys, path);
}

static inline void own_keys_close(struct own_keys *keys)
{
    key_holder_destroy(&keys->holder);
    free(keys->answer);
}
