/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader of views of the fleet, and what a center puts together of several. What was read is written
 * again and must read the same.
 */
#include <stdlib.h>

#include "center/fleet.h"
#include "cluster/fleet_view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void copy_domain(void *context, const struct fleet_domain *domain)
{
    fleet_view_put_domain(context, domain);
}

static void copy_member(void *context, const struct fleet_member *member)
{
    fleet_view_put_member(context, member);
}

static bool shows(void *context, const struct node_id *node)
{
    (void)context;
    return node->bytes[15] != 0xff;
}

static void write_again(const struct fleet_view *view, struct bytes encoded)
{
    size_t capacity = fleet_view_bound(view->domain_count, view->member_count);
    uint8_t *buffer = malloc(capacity);
    struct fleet_view_writer writer;
    struct fleet_view again;
    const struct fleet_view_visitor visitor = {copy_domain, copy_member, &writer};
    require(buffer != NULL);
    fleet_view_begin(&writer, buffer, capacity, view);
    require(fleet_view_read(&again, encoded, &visitor));
    size_t written = fleet_view_finish(&writer);
    require(written > 0 && fleet_view_read(&again, (struct bytes){buffer, written}, NULL));
    require(memcmp(&again, view, sizeof again) == 0);
    free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct node_id ids[] = {{{1}}, {{2}}};
    const struct fleet_filter filter = {.shows = shows};
    struct bytes encoded = {data, size};
    struct fleet_view view;
    struct json_writer w;
    if (!fleet_view_read(&view, encoded, NULL))
        return 0;
    write_again(&view, encoded);
    struct fleet *fleet = fleet_new();
    require(fleet && fleet_tell(fleet, &ids[0], "one", 1000, encoded) &&
            fleet_tell(fleet, &ids[1], "two", INT64_MAX / 2, encoded));
    json_writer_init(&w, 1 << 20);
    json_write_object(&w, NULL);
    require(fleet_write(fleet, &filter, INT64_MAX / 2, &w));
    json_write_close(&w);
    json_writer_free(&w);
    fleet_destroy(&fleet);
    return 0;
}
