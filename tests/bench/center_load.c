/* SPDX-License-Identifier: Apache-2.0
 *
 * center_load SERVER WARM DAYS ROUNDS STATE SPOOL STATE SPOOL CAPTURE...: two nodes of a fleet deliver what
 * their controllers see of the simulated company (tests/company) to a center, as picketd does (spool, sender,
 * CURVE): first its directory and WARM days to learn from, then DAYS days, then the captures ROUNDS times
 * over, each time a minute later. Between the parts it waits for a line on standard input; after each it
 * prints its name, how many activities it had, their bytes, and bytes and number of the batches.
 */
#include "tests/company/company.h"

#include "base/batch.h"
#include "base/clock.h"
#include "base/endian.h"
#include "center/replay_source.h"
#include "cluster/crypto_sodium.h"
#include "cluster/identity.h"
#include "node/sender.h"
#include "sync/entity_batch.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NODES         2u
#define SEGMENTS      64u
#define SEGMENT_BYTES (16u << 20)
#define ZSTD_LEVEL    1 /* as node/outbox.c has it */

struct node {
    struct identity *identity;
    struct spool *spool;
    struct sender *sender;
    struct batch_writer *batch;
};

static struct node nodes[NODES];
static struct {
    uint64_t activities, bytes, sent, batches;
} part;

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "center_load: %s: %s\n", what, why);
    exit(1);
}

/* -- what is delivered ----------------------------------------------------------------------------------- */

/* The spool refuses while it is full, until the center has taken some of it. */
static void spool(struct node *node, enum spool_kind kind, struct bytes frame)
{
    enum spool_verdict verdict;
    while ((verdict = spool_append(node->spool, kind, clock_wall(clock_system()), frame, false)) ==
           SPOOL_FULL)
        usleep(10000);
    if (verdict != SPOOL_KEPT || !spool_sync(node->spool))
        fail("spool", "cannot be written");
    part.sent += frame.size;
    part.batches++;
}

static void take_frame(void *context, struct bytes frame)
{
    spool(context, SPOOL_ACTIVITIES, frame);
}

static void take_entities(void *context, uint64_t sequence, struct bytes frame)
{
    (void)sequence;
    spool(context, SPOOL_ENTITIES, frame);
}

static void keep(struct node *node, struct bytes record)
{
    part.activities++;
    part.bytes += record.size;
    batch_writer_add(node->batch, record);
}

/* Each of the company's controllers is watched by one of the nodes: by the third byte of its address. */
static void take_record(void *context, struct bytes record)
{
    static struct activity activity;
    struct cursor c = cursor_of_bytes(record);
    (void)context;
    if (!activity_decode(&c, &activity))
        fail("company", "an activity that is none");
    const struct activity_value *to = activity_get(&activity, FIELD_DESTINATION);
    keep(&nodes[to && to->bytes.size == 4 ? to->bytes.data[2] % NODES : 0], record);
}

static void flush(void)
{
    for (unsigned i = 0; i < NODES; i++)
        batch_writer_flush(nodes[i].batch);
}

/* -- its directory --------------------------------------------------------------------------------------- */

static struct activity_value *put(struct entity *e, enum entity_attribute attribute)
{
    e->present[attribute / 64] |= UINT64_C(1) << attribute % 64;
    e->attributes[attribute] = (struct activity_value){0};
    return &e->attributes[attribute];
}

static struct bytes text(const char *string)
{
    return (struct bytes){(const uint8_t *)string, strlen(string)};
}

struct telling {
    struct entity_batch_writer *writer;
    struct entity *entity;
    struct guid admins[4096];
    uint32_t admin_count, rid;
};

static void put_sid(struct entity *e, uint32_t rid)
{
    static uint8_t sid[28] = {1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1};
    for (unsigned i = 0; i < 4; i++)
        sid[24 + i] = (uint8_t)(rid >> 8 * i);
    put(e, ENTITY_OBJECT_SID)->bytes = (struct bytes){sid, sizeof(sid)};
}

static struct entity *entity(struct telling *t, const uint8_t guid[16], enum entity_kind kind,
                             const char *name, uint32_t rid)
{
    struct entity *e = t->entity;
    memset(e, 0, offsetof(struct entity, attributes));
    memcpy(e->guid.bytes, guid, sizeof(e->guid.bytes));
    e->kind = kind;
    e->domain = text(COMPANY_DOMAIN);
    e->rdn = text("CN=somebody");
    e->parent = text("CN=Users,DC=corp,DC=example");
    put(e, ENTITY_SAM_ACCOUNT_NAME)->bytes = text(name);
    put_sid(e, rid);
    return e;
}

static void put_service(struct entity *e, const char *host, uint8_t to[256])
{
    struct msgpack_writer w;
    char name[128];
    msgpack_writer_init(&w, to, 256);
    msgpack_put_string(&w, name, (size_t)snprintf(name, sizeof(name), "HOST/%s", host));
    struct activity_value *list = put(e, ENTITY_SERVICE_PRINCIPAL_NAMES);
    list->list.items = cursor_of(to, w.size);
    list->list.count = 1;
}

static void tell_account(void *context, const char *name, const uint8_t guid[16], uint32_t facts)
{
    struct telling *t = context;
    char full[128];
    uint8_t services[256];
    bool is_computer = facts & FACT_COMPUTER;
    struct entity *e = entity(t, guid, is_computer ? ENTITY_COMPUTER : ENTITY_USER, name, ++t->rid);
    put(e, ENTITY_PRIMARY_GROUP_ID)->uint = facts & FACT_CONTROLLER ? 516 : is_computer ? 515 : 513;
    put(e, ENTITY_USER_ACCOUNT_CONTROL)->uint = facts & FACT_CONTROLLER ? 0x82000
                                                : is_computer           ? 0x1000
                                                                        : 0x200;
    if (is_computer) {
        snprintf(full, sizeof(full), "%.*s." COMPANY_DOMAIN, (int)strcspn(name, "$"), name);
        put(e, ENTITY_DNS_HOST_NAME)->bytes = text(full);
        put(e, ENTITY_ENCRYPTION_TYPES)->uint = 0x1c;
        put_service(e, full, services);
    } else {
        snprintf(full, sizeof(full), "%s@" COMPANY_DOMAIN, name);
        put(e, ENTITY_USER_PRINCIPAL_NAME)->bytes = text(full);
        if (facts & FACT_SENSITIVE && t->admin_count < 4096)
            memcpy(t->admins[t->admin_count++].bytes, guid, 16);
    }
    entity_batch_add(t->writer, e);
}

static void tell_directory(struct company *company, struct node *node)
{
    static struct telling t = {.rid = 1000};
    const struct guid admins = {{0xad}};
    struct sync_token token = {.domain = COMPANY_DOMAIN, .term = 1, .incarnation = 1};
    memcpy(token.node, node->identity->id.bytes, sizeof(token.node));
    t.writer = entity_batch_writer_new(ZSTD_LEVEL, take_entities, node);
    t.entity = calloc(1, sizeof(*t.entity));
    if (!t.writer || !t.entity)
        fail("directory", "out of memory");
    entity_batch_begin(t.writer, &token, 1);
    company_accounts(company, tell_account, &t);
    entity_batch_add(t.writer, entity(&t, admins.bytes, ENTITY_GROUP, "Domain Admins", 512));
    entity_batch_add_links(t.writer, &admins, LINK_MEMBER, ENTITY_BATCH_ALL, t.admins, t.admin_count);
    entity_batch_whole(t.writer);
    entity_batch_end(t.writer);
    entity_batch_writer_destroy(&t.writer);
    free(t.entity);
}

/* -- the captures ---------------------------------------------------------------------------------------- */

struct records {
    uint8_t *bytes;
    size_t used, room;
};

static void remember(void *context, struct bytes record)
{
    struct records *r = context;
    if (r->used + record.size > r->room) {
        r->room = (r->room + record.size) * 2;
        r->bytes = realloc(r->bytes, r->room);
    }
    if (!r->bytes)
        fail("captures", "out of memory");
    memcpy(r->bytes + r->used, record.data, record.size);
    r->used += record.size;
}

/* The same activity so much later, in place: its time is the third of its values, of eight bytes. Its time as
 * it was. */
static int64_t move_on(uint8_t *record, size_t size, int64_t by)
{
    struct cursor c = cursor_of(record, size);
    msgpack_next(&c);
    for (unsigned i = 0; i < 5; i++)
        msgpack_skip(&c);
    if (cursor_u8(&c) != 0xcf)
        fail("captures", "an activity without a time");
    uint8_t *at = record + (c.at - record);
    int64_t time = (int64_t)cursor_be64(&c);
    endian_put_be64(at, (uint64_t)(time + by));
    return time;
}

/* All of them: the first comes at that time. */
static void move_to(uint8_t *records, size_t used, int64_t to)
{
    struct cursor c = cursor_of(records, used);
    int64_t by = 0;
    for (size_t at = 0; msgpack_skip(&c); at = (size_t)(c.at - records)) {
        const size_t size = (size_t)(c.at - records) - at;
        if (at == 0)
            by = to - move_on(records, size, 0);
        move_on(records + at, size, by);
    }
}

static void play_captures(unsigned rounds, int64_t from, char **paths, int count)
{
    const struct replay_options options = {.fingerprint_seed = 3};
    struct records r = {0};
    struct fault fault, damage;
    for (int i = 0; i < count; i++)
        if (!replay_file(paths[i], &options, remember, &r, &fault, &damage))
            fail(paths[i], fault.text);
    move_to(r.bytes, r.used, from);
    for (unsigned round = 0; round < rounds; round++) {
        struct cursor c = cursor_of(r.bytes, r.used);
        for (size_t at = 0; msgpack_skip(&c); at = (size_t)(c.at - r.bytes)) {
            const size_t size = (size_t)(c.at - r.bytes) - at;
            keep(&nodes[0], (struct bytes){r.bytes + at, size});
            move_on(r.bytes + at, size, CLOCK_MINUTE);
        }
    }
    flush();
    free(r.bytes);
}

/* -- the nodes ------------------------------------------------------------------------------------------- */

static void start(struct node *node, const char *server, const char *state, const char *directory)
{
    struct fault fault = {0};
    const struct spool_config spool_config = {
        .disk = disk_system(), .directory = directory, .segments = SEGMENTS, .segment_bytes = SEGMENT_BYTES};
    struct sender_config config = {
        .disk = disk_system(), .state = state, .window = 4u << 20, .server_count = 1};
    if (!sender_server_parse(&config.servers[0], server))
        fail(server, "HOST:PORT KEY is wanted");
    if (!directory_prepare(directory, &fault) || !(node->spool = spool_open(&spool_config, &fault)))
        fail("spool", fault.text);
    config.spool = node->spool;
    if (identity_load(&node->identity, disk_system(), state, &fault) != DISK_FOUND)
        fail(state, fault.text);
    node->sender = sender_start(&config, &fault);
    node->batch = batch_writer_new(ZSTD_LEVEL, take_frame, node);
    if (!node->sender || !node->batch)
        fail("sender", fault.text);
}

static void await_acknowledgement(const struct node *node)
{
    struct sender_status status;
    do {
        usleep(10000);
        sender_status(node->sender, &status);
    } while (status.acknowledged < spool_durable(node->spool));
}

static void end_part(const char *name)
{
    for (unsigned i = 0; i < NODES; i++)
        await_acknowledgement(&nodes[i]);
    printf("%s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", name, part.activities, part.bytes,
           part.sent, part.batches);
    fflush(stdout);
    memset(&part, 0, sizeof(part));
    while (getchar() != '\n' && !feof(stdin))
        ;
}

static void play_company(struct company *company, uint32_t from, uint32_t to)
{
    for (uint32_t hour = from * 24; hour < to * 24; hour++) {
        company_hour(company, hour, take_record, NULL);
        flush();
    }
}

int main(int argc, char **argv)
{
    struct company_options options;
    if (argc < 5 + 2 * (int)NODES || !crypto_sodium_start())
        return 2;
    signal(SIGPIPE, SIG_IGN);
    const uint32_t warm = (uint32_t)atoi(argv[2]), days = (uint32_t)atoi(argv[3]);
    for (unsigned i = 0; i < NODES; i++)
        start(&nodes[i], argv[1], argv[5 + 2 * i], argv[6 + 2 * i]);
    company_options_init(&options);
    options.days = warm + days;
    struct company *company = company_new(&options);
    if (!company)
        fail("company", "out of memory");
    tell_directory(company, &nodes[0]);
    play_company(company, 0, warm);
    end_part("warm");
    play_company(company, warm, warm + days);
    end_part("company");
    play_captures((unsigned)atoi(argv[4]), options.start + options.days * CLOCK_DAY, argv + 5 + 2 * NODES,
                  argc - 5 - 2 * (int)NODES);
    end_part("captures");
    company_destroy(&company);
    for (unsigned i = 0; i < NODES; i++) {
        sender_stop(&nodes[i].sender);
        spool_close(&nodes[i].spool);
        batch_writer_destroy(&nodes[i].batch);
        identity_destroy(&nodes[i].identity);
    }
    return 0;
}
