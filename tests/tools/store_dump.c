/* SPDX-License-Identifier: Apache-2.0
 *
 * picket-store-dump PATH: an entity store as lines of JSON, one for each entity, tombstones too:
 * {"entity": {...}, "links": {"member": ["GUID", ...], ...}}. For the tests, on a store that nobody has open.
 */
#include "base/text.h"
#include "sync/entity_store.h"

#include <stdio.h>
#include <stdlib.h>

#define ENTITY_JSON_MAX (8u * ENTITY_BYTES_MAX)

struct dump {
    struct entity_store_read *read;
    char *json;
    bool first; /* of the list that is being written */
};

static bool put_target(void *to, const struct guid *target)
{
    struct dump *dump = to;
    char form[40];
    struct text t = text_to(form, sizeof form);
    uuid_text(&t, target->bytes);
    text_end(&t);
    printf("%s\"%s\"", dump->first ? "" : ",", form);
    dump->first = false;
    return true;
}

static bool put_entity(void *to, const struct entity *entity)
{
    struct dump *dump = to;
    if (entity_to_json(entity, dump->json, ENTITY_JSON_MAX) >= ENTITY_JSON_MAX) {
        fprintf(stderr, "an entity is too large\n");
        exit(1);
    }
    printf("{\"entity\":%s,\"links\":{", dump->json);
    bool first = true;
    for (unsigned link = 0; link < ENTITY_LINKS; link++) {
        if (!entity_store_link_count(dump->read, &entity->guid, (enum entity_link)link))
            continue;
        printf("%s\"%s\":[", first ? "" : ",", entity_link_info((enum entity_link)link)->field);
        first = false;
        dump->first = true;
        entity_store_links(dump->read, &entity->guid, (enum entity_link)link, put_target, dump);
        putchar(']');
    }
    puts("}}");
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: picket-store-dump PATH\n");
        return 2;
    }
    struct fault fault;
    struct entity_store *store = entity_store_open(&(struct entity_store_config){.path = argv[1]}, &fault);
    struct dump dump = {.read = store ? entity_store_read_open(store, &fault) : NULL,
                        .json = malloc(ENTITY_JSON_MAX)};
    int status = 1;
    if (dump.read && dump.json) {
        entity_store_each(dump.read, (struct bytes){0}, NULL, put_entity, &dump);
        status = ferror(stdout) || fflush(stdout) ? 1 : 0;
    } else {
        fprintf(stderr, "%s\n", fault.text);
    }
    entity_store_read_close(&dump.read);
    entity_store_close(&store);
    free(dump.json);
    return status;
}
