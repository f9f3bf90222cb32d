/* SPDX-License-Identifier: Apache-2.0
 *
 * A node's view of the fleet: its form, what a node makes of its core, and what a center makes of several.
 */
#include "base/clock.h"
#include "center/fleet.h"
#include "cluster/fleet_view.h"
#include "tests/unit/fleet_world.h"
#include "tests/unit/unit.h"

#include <jansson.h>

#define NOW (INT64_C(1800000000) * CLOCK_SECOND)

static struct fleet_domain domain(const char *name, uint8_t holder, uint64_t term, int64_t silent)
{
    struct fleet_domain d = {.state = "held",
                             .term = term,
                             .support = 2,
                             .settled = true,
                             .since = 1700000000000,
                             .silent = silent,
                             .candidates = 3,
                             .candidates_online = 2};
    snprintf(d.domain, sizeof d.domain, "%s", name);
    if (holder) {
        memset(d.holder.bytes, holder, NODE_ID_SIZE);
        snprintf(d.holder_name, sizeof d.holder_name, "node%u", holder);
    }
    return d;
}

static struct fleet_member member(uint8_t number, const char *state, int64_t silent)
{
    struct fleet_member m = {
        .site = "hq", .version = "0.1+x", .since = 1700000000000, .silent = silent, .started = 1700000000};
    memset(m.id.bytes, number, NODE_ID_SIZE);
    snprintf(m.name, sizeof m.name, "node%u", number);
    snprintf(m.state, sizeof m.state, "%s", state);
    return m;
}

struct told {
    struct fleet_domain domains[4];
    struct fleet_member members[4];
    unsigned domain_count, member_count;
};

static size_t encode(uint8_t *buffer, size_t capacity, const struct told *told)
{
    struct fleet_view_writer writer;
    const struct fleet_view view = {.members = 7,
                                    .online = 5,
                                    .offline = 1,
                                    .left = 1,
                                    .neighbours = 4,
                                    .tells_members = told->member_count > 0,
                                    .domain_count = told->domain_count,
                                    .member_count = told->member_count};
    fleet_view_begin(&writer, buffer, capacity, &view);
    for (unsigned i = 0; i < told->domain_count; i++)
        fleet_view_put_domain(&writer, &told->domains[i]);
    for (unsigned i = 0; i < told->member_count; i++)
        fleet_view_put_member(&writer, &told->members[i]);
    return fleet_view_finish(&writer);
}

static void note_domain(void *context, const struct fleet_domain *d)
{
    struct told *told = context;
    assert_true(told->domain_count < 4);
    told->domains[told->domain_count++] = *d;
}

static void note_member(void *context, const struct fleet_member *m)
{
    struct told *told = context;
    assert_true(told->member_count < 4);
    told->members[told->member_count++] = *m;
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct told told = {.domain_count = 2, .member_count = 3}, read = {.domain_count = 0};
    told.domains[0] = domain("corp.example", 3, UINT64_MAX, 0);
    told.domains[1] = domain("a.example", 0, 0, -1);
    told.members[0] = member(1, "online", 0);
    told.members[1] = member(2, "unheard", -1);
    told.members[2] = member(3, "offline", 123456);
    told.members[2].standalone = true;
    uint8_t buffer[4096];
    struct fleet_view view;
    const struct fleet_view_visitor visitor = {note_domain, note_member, &read};
    size_t size = encode(buffer, sizeof buffer, &told);
    assert_true(size > 0 && size <= fleet_view_bound(2, 3));
    assert_true(fleet_view_read(&view, fleet_bytes(buffer, size), &visitor));
    assert_memory_equal(&read, &told, sizeof told);
    assert_int_equal(view.members, 7);
    assert_int_equal(view.online, 5);
    assert_int_equal(view.neighbours, 4);
    assert_true(view.tells_members);
    assert_int_equal(view.domain_count, 2);
    assert_int_equal(view.member_count, 3);
    for (size_t cut = 0; cut < size; cut++) {
        assert_false(fleet_view_read(&view, fleet_bytes(buffer, cut), NULL));
        assert_int_equal(encode(buffer + size, cut, &told), 0);
    }
    told.domain_count = 0; /* a fleet without any */
    size = encode(buffer, sizeof buffer, &told);
    assert_true(fleet_view_read(&view, fleet_bytes(buffer, size), NULL));
    assert_int_equal(view.member_count, 3);
    told.member_count = 0;
    size = encode(buffer, sizeof buffer, &told);
    assert_true(fleet_view_read(&view, fleet_bytes(buffer, size), NULL));
    assert_false(view.tells_members);
}

static void the_longest_fit(void **state)
{
    (void)state;
    struct told told = {.domain_count = 1, .member_count = 1};
    struct fleet_domain *d = &told.domains[0];
    struct fleet_member *m = &told.members[0];
    *d = domain("x", 9, UINT64_MAX, INT64_MAX - 1);
    *m = member(9, "online", INT64_MAX - 1);
    memset(d->domain, 'd', 253);
    for (unsigned i = 60; i < 253; i += 60)
        d->domain[i] = '.';
    memset(d->state, 's', NAME_MAX_SIZE - 1);
    memset(d->holder_name, 'h', NAME_MAX_SIZE - 1);
    d->support = UINT64_MAX;
    d->since = m->since = INT64_MAX;
    d->candidates = d->candidates_online = UINT32_MAX;
    memset(m->name, 'n', NAME_MAX_SIZE - 1);
    memset(m->site, 's', NAME_MAX_SIZE - 1);
    memset(m->state, 's', NAME_MAX_SIZE - 1);
    memset(m->version, 'v', NAME_MAX_SIZE - 1);
    m->standalone = true;
    uint8_t buffer[2048];
    struct fleet_view view;
    size_t size = encode(buffer, fleet_view_bound(1, 1), &told);
    assert_true(size > 0);
    assert_true(fleet_view_read(&view, fleet_bytes(buffer, size), NULL));
    strcpy(m->name, "a\nb"); /* what could steer a terminal */
    size = encode(buffer, sizeof buffer, &told);
    assert_false(fleet_view_read(&view, fleet_bytes(buffer, size), NULL));
}

/* -- the center ------------------------------------------------------------------------------------------ */

struct place {
    struct fleet *fleet;
    uint8_t hidden; /* a node that is not shown; 0: all are */
};

static bool shows(void *context, const struct node_id *node)
{
    const struct place *p = context;
    return p->hidden == 0 || node->bytes[0] != p->hidden;
}

static void tell(struct place *p, uint8_t node, int64_t at, const struct told *told)
{
    uint8_t buffer[4096];
    struct node_id id;
    char name[16];
    size_t size = encode(buffer, sizeof buffer, told);
    memset(id.bytes, node, NODE_ID_SIZE);
    snprintf(name, sizeof name, "node%u", node);
    assert_true(fleet_tell(p->fleet, &id, name, at, fleet_bytes(buffer, size)));
    assert_false(fleet_tell(p->fleet, &id, name, at, fleet_bytes(buffer, size - 1)));
}

static json_t *show(struct place *p, int64_t now)
{
    const struct fleet_filter filter = {shows, p};
    struct json_writer w;
    struct bytes text;
    json_writer_init(&w, 65536);
    json_write_object(&w, NULL);
    assert_true(fleet_write(p->fleet, &filter, now, &w));
    json_write_close(&w);
    assert_true(json_writer_done(&w, &text));
    json_t *answer = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(answer);
    json_writer_free(&w);
    return answer;
}

static const char *text_of(const json_t *list, size_t index, const char *key)
{
    return json_string_value(json_object_get(json_array_get(list, index), key));
}

static int64_t number_of(const json_t *list, size_t index, const char *key)
{
    return json_integer_value(json_object_get(json_array_get(list, index), key));
}

/* A fleet in two parts, each with a holder: the greater term counts, and that another sees another is told.
 */
static void who_knows_more_counts(void **state)
{
    (void)state;
    struct place p = {.fleet = fleet_new()};
    assert_non_null(p.fleet);
    struct told one = {.domain_count = 1, .member_count = 2}, two = {.domain_count = 1, .member_count = 2};
    one.domains[0] = domain("corp.example", 1, 4, 0);
    one.members[0] = member(1, "online", 0);
    one.members[1] = member(2, "offline", 90000);
    two.domains[0] = domain("corp.example", 2, 5, 0);
    two.members[0] = member(1, "offline", 80000);
    two.members[1] = member(2, "online", 0);
    tell(&p, 1, NOW, &one);
    tell(&p, 2, NOW - CLOCK_SECOND, &two);
    json_t *answer = show(&p, NOW + CLOCK_SECOND), *domains = json_object_get(answer, "domains"),
           *members = json_object_get(answer, "members"), *views = json_object_get(answer, "views");
    assert_int_equal(json_array_size(domains), 1);
    assert_string_equal(text_of(domains, 0, "synchronizer"), "node2");
    assert_string_equal(text_of(domains, 0, "told_by"), "node2");
    assert_int_equal(number_of(domains, 0, "term"), 5);
    assert_int_equal(number_of(domains, 0, "support"), 2);
    assert_int_equal(number_of(domains, 0, "others"), 1);
    assert_int_equal(json_array_size(views), 2);
    assert_int_equal(json_array_size(members), 2);
    assert_string_equal(text_of(members, 0, "state"), "online");
    assert_string_equal(text_of(members, 0, "told_by"), "node1");
    assert_string_equal(text_of(members, 0, "heard"), "2027-01-15T08:00:00.000Z");
    assert_string_equal(text_of(members, 1, "state"), "online");
    const json_t *holds = json_object_get(json_array_get(members, 1), "synchronizes");
    assert_int_equal(json_array_size(holds), 1);
    assert_true(json_is_false(json_object_get(json_array_get(views, 0), "stale")));
    json_decref(answer);

    /* Much later nobody has told anything: all is stale, and nobody contradicts any more. */
    answer = show(&p, NOW + CLOCK_HOUR);
    domains = json_object_get(answer, "domains");
    assert_true(json_is_true(json_object_get(json_array_get(domains, 0), "stale")));
    assert_int_equal(number_of(domains, 0, "others"), 0);
    json_decref(answer);

    /* The parts have met. */
    tell(&p, 1, NOW + CLOCK_MINUTE, &two);
    answer = show(&p, NOW + CLOCK_MINUTE);
    domains = json_object_get(answer, "domains");
    assert_int_equal(number_of(domains, 0, "others"), 0);
    assert_string_equal(text_of(domains, 0, "told_by"), "node1");
    json_decref(answer);

    /* What is of another workspace is not there: neither what it tells nor itself. */
    p.hidden = 2;
    answer = show(&p, NOW + CLOCK_MINUTE);
    assert_int_equal(json_array_size(json_object_get(answer, "views")), 1);
    assert_int_equal(json_array_size(json_object_get(answer, "members")), 1);
    json_decref(answer);
    fleet_destroy(&p.fleet);
    fleet_destroy(&p.fleet);
}

static void nobody_told_anything(void **state)
{
    (void)state;
    struct place p = {.fleet = fleet_new()};
    assert_non_null(p.fleet);
    json_t *answer = show(&p, NOW);
    assert_int_equal(json_array_size(json_object_get(answer, "members")), 0);
    assert_int_equal(json_array_size(json_object_get(answer, "domains")), 0);
    assert_int_equal(json_array_size(json_object_get(answer, "views")), 0);
    json_decref(answer);
    fleet_destroy(&p.fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(the_longest_fit),
        cmocka_unit_test(who_knows_more_counts),
        cmocka_unit_test(nobody_told_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
