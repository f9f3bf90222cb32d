/* SPDX-License-Identifier: Apache-2.0
 *
 * Entities: the form that travels, and the store's record. What decodes can be shown, and what is written of
 * it decodes to the same again.
 */
#include "sync/entity_record.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void show(const struct entity *entity)
{
    static char json[8 * ENTITY_ENCODED_MAX];
    struct entity_digest digest = {.count = 0};
    require(entity_to_json(entity, json, sizeof json) < sizeof json);
    entity_name(entity);
    entity_is_domain_controller(entity);
    entity_digest_add(&digest, entity);
}

static void check_travelling(const uint8_t *input, size_t size)
{
    static struct entity entity, again;
    static uint8_t encoded[2][2 * ENTITY_ENCODED_MAX];
    struct cursor c = cursor_of(input, size);
    if (!entity_decode(&c, &entity)) {
        require(c.failed);
        return;
    }
    show(&entity);
    struct msgpack_writer w[2];
    msgpack_writer_init(&w[0], encoded[0], sizeof encoded[0]);
    entity_encode(&w[0], &entity);
    require(!w[0].full);
    c = cursor_of(encoded[0], w[0].size);
    if (w[0].size > ENTITY_ENCODED_MAX)
        return;
    require(entity_decode(&c, &again) && cursor_done(&c));
    msgpack_writer_init(&w[1], encoded[1], sizeof encoded[1]);
    entity_encode(&w[1], &again);
    require(w[0].size == w[1].size && memcmp(encoded[0], encoded[1], w[0].size) == 0);
}

static void check_record(const uint8_t *input, size_t size)
{
    static struct entity entity;
    struct entity_record_head head;
    struct activity_value value;
    struct bytes record = {input, size}, rdn;
    if (size > ENTITY_BYTES_MAX)
        return;
    for (unsigned i = 0; i < ENTITY_ATTRIBUTES; i++)
        entity_record_value(record, (enum entity_attribute)i, &value);
    entity_record_rdn(record, &rdn);
    if (entity_record_decode(record, &head, &entity))
        show(&entity);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    uint8_t *input = malloc(size);
    memcpy(input, data, size);
    if (input[0] & 1)
        check_travelling(input + 1, size - 1);
    else
        check_record(input + 1, size - 1);
    free(input);
    return 0;
}
