/* SPDX-License-Identifier: Apache-2.0
 *
 * The center as one process, with a log that was received before: it is looked at, kept apart by workspace,
 * indexed, committed, backed up while it runs, restored; and what is wrong is told and ended.
 */
#include "tests/unit/unit.h"

#include "base/batch.h"
#include "base/clock.h"
#include "base/thread.h"
#include "center/backup.h"
#include "center/health_keeper.h"
#include "center/replay_source.h"
#include "center/service.h"
#include "center/sources.h"
#include "center/store_index.h"
#include "center/store_upkeep.h"
#include "center/workspaces.h"

#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE (120 * CLOCK_SECOND)

struct world {
    char directory[64], state[96], conf[96];
    struct center_config *config;
    struct sources *sources;
    uint64_t entries;
    bool spoil; /* what is received: the end of each frame */
};

static unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(s, (struct sockaddr *)&address, &size), 0);
    close(s);
    return ntohs(address.sin_port);
}

static void configure(struct world *w, const char *more)
{
    FILE *file = fopen(w->conf, "w");
    assert_non_null(file);
    fprintf(
        file,
        "center\n    state = %s\n    listen = 127.0.0.1:%u\n    authority = %064d\n    log-level = error\n"
        "log\n    segment = 8M\napi\n    listen = 127.0.0.1:%u\n    plain = yes\n%s",
        w->state, free_port(), 0, free_port(), more);
    fclose(file);
    center_config_free(&w->config);
    w->config = center_config_load(w->conf);
    assert_non_null(w->config);
}

static int begin(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    strcpy(w->directory, "/tmp/picket-service-XXXXXX");
    assert_non_null(mkdtemp(w->directory));
    snprintf(w->state, sizeof(w->state), "%s/state", w->directory);
    snprintf(w->conf, sizeof(w->conf), "%s/conf", w->directory);
    configure(w, "");
    *state = w;
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static int end(void **state)
{
    struct world *w = *state;
    center_config_free(&w->config);
    nftw(w->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(w);
    return 0;
}

/* -- what was received ----------------------------------------------------------------------------------- */

struct filling {
    struct world *world;
    struct received_log *log;
    struct batch_writer *writer;
    struct log_origin origin;
    unsigned records;
};

static struct bytes give_state(void *context)
{
    return sources_state(((struct filling *)context)->world->sources);
}

static void ignore_entry(void *context, const struct log_entry *entry)
{
    (void)context;
    (void)entry;
}

static void append(void *context, struct bytes frame)
{
    struct filling *f = context;
    struct fault fault;
    uint8_t *copy = malloc(frame.size);
    memcpy(copy, frame.data, frame.size);
    copy[frame.size - 1] ^= f->world->spoil;
    f->origin.sequence++;
    assert_true(received_log_append(f->log, clock_wall(clock_system()), LOG_ACTIVITIES, &f->origin,
                                    (struct bytes){copy, frame.size}, &fault));
    f->world->entries++;
    free(copy);
}

static void take_record(void *context, struct bytes record)
{
    struct filling *f = context;
    batch_writer_add(f->writer, record);
    if (++f->records % 5 == 0)
        batch_writer_flush(f->writer);
}

static void receive(struct world *w, const char *capture, uint8_t node)
{
    static const struct replay_options options;
    struct filling f = {.world = w, .origin.node.bytes = {node}};
    struct fault fault = {0}, damage;
    char path[512];
    assert_true(center_prepare(w->config, &fault));
    const struct received_log_config config = {.disk = disk_system(),
                                               .directory = w->config->log,
                                               .segment_bytes = 8u << 20,
                                               .state = give_state,
                                               .recover = ignore_entry,
                                               .context = &f};
    w->sources = sources_new(1);
    f.log = received_log_open(&config, &fault);
    assert_string_equal(fault.text, "");
    f.writer = batch_writer_new(1, append, &f);
    snprintf(path, sizeof(path), "%s/%s", PICKET_TEST_DATA, capture);
    assert_true(replay_file(path, &options, take_record, &f, &fault, &damage));
    batch_writer_flush(f.writer);
    assert_true(received_log_sync(f.log, &fault));
    received_log_close(&f.log);
    batch_writer_destroy(&f.writer);
    sources_destroy(&w->sources);
}

/* -- running --------------------------------------------------------------------------------------------- */

struct running {
    struct service *service;
    pthread_t thread;
    int stop;
};

static void *run(void *context)
{
    struct running *r = context;
    assert_true(service_run(r->service, r->stop));
    return NULL;
}

static struct running start(const struct world *w)
{
    struct fault fault = {0};
    struct running r = {.stop = eventfd(0, EFD_CLOEXEC)};
    assert_true(center_prepare(w->config, &fault));
    r.service = service_new(w->config, &fault);
    if (!r.service)
        print_error("%s\n", fault.text);
    assert_non_null(r.service);
    return r;
}

static void go(struct running *r)
{
    assert_true(thread_start(&r->thread, "service", run, r));
}

/* Until all shards, so many, have looked at that entry; the sum of their activities. */
static uint64_t wait_for(const struct running *r, unsigned shards, uint64_t position)
{
    int64_t until = clock_monotonic(clock_system()) + PATIENCE;
    for (;;) {
        uint64_t workspace, sum = 0;
        struct shard_status status;
        unsigned there = 0, i = 0;
        for (; service_shard(r->service, i, &workspace, &status); i++) {
            there += status.position >= position;
            sum += status.activities;
        }
        if (i == shards && there == i)
            return sum;
        assert_true(clock_monotonic(clock_system()) < until);
        usleep(20000);
    }
}

static void stop(struct running *r)
{
    uint64_t one = 1;
    assert_int_equal(write(r->stop, &one, sizeof(one)), sizeof(one));
    pthread_join(r->thread, NULL);
    service_destroy(&r->service);
    close(r->stop);
}

static struct store *look(const char *path)
{
    struct fault fault = {0};
    struct store *store = store_open(path, STORE_READER, &fault);
    assert_string_equal(fault.text, "");
    return store;
}

static int64_t number_of(struct store *store, const char *sql)
{
    int64_t number = -1;
    struct store_rows rows = store_query_all(store, sql);
    if (store_next(&rows))
        number = store_get_int(&rows, 0);
    store_rows_end(&rows);
    return number;
}

static void check_status(const struct running *r, uint64_t position)
{
    struct json_writer json;
    struct bytes text;
    char wanted[48];
    json_writer_init(&json, 65536);
    json_write_object(&json, NULL);
    assert_true(service_tell_status(r->service, 0, &json));
    json_write_close(&json);
    assert_true(json_writer_done(&json, &text));
    snprintf(wanted, sizeof(wanted), "\"position\":%llu,", (unsigned long long)position);
    assert_non_null(memmem(text.data, text.size, wanted, strlen(wanted)));
    json_writer_free(&json);
}

/* -- tests ----------------------------------------------------------------------------------------------- */

static void test_looks_at_what_was_received(void **state)
{
    struct world *w = *state;
    receive(w, "a01_kerberoast_impacket.pcap", 1);
    receive(w, "n08_smb_kerberos.pcap", 2);
    assert_true(w->entries > 2);
    /* The log's own entries take positions, too. */
    struct running r = start(w);
    uint64_t last = receiver_position(service_receiver(r.service));
    assert_true(last >= w->entries);
    go(&r);
    uint64_t activities = wait_for(&r, 1, last);
    assert_true(activities > 0);
    check_status(&r, last);
    stop(&r);

    struct store *store = look(w->config->store);
    assert_int_equal(number_of(store, "SELECT position FROM positions WHERE shard = 0"), last);
    assert_true(number_of(store, "SELECT count(*) FROM state_runs") > 0);
    assert_true(number_of(store, "SELECT count(*) FROM activity_index") > 0);
    store_close(&store);

    /* Nothing is looked at twice. */
    r = start(w);
    go(&r);
    assert_int_equal(wait_for(&r, 1, last), 0);
    stop(&r);
}

static uint64_t damaged(const struct running *r)
{
    struct shard_status status = {0};
    uint64_t workspace;
    assert_true(service_shard(r->service, 0, &workspace, &status));
    return status.damaged;
}

static void test_what_cannot_be_read_harms_nothing(void **state)
{
    struct world *w = *state;
    receive(w, "a01_kerberoast_impacket.pcap", 1);
    struct running r = start(w);
    go(&r);
    const uint64_t alone = wait_for(&r, 1, receiver_position(service_receiver(r.service)));
    assert_int_equal(damaged(&r), 0);
    stop(&r);
    const uint64_t fine = w->entries;
    w->spoil = true;
    receive(w, "n08_smb_kerberos.pcap", 2);
    const uint64_t spoiled = w->entries - fine;
    w->spoil = false;
    receive(w, "a01_kerberoast_impacket.pcap", 3);
    r = start(w);
    go(&r);
    assert_int_equal(wait_for(&r, 1, receiver_position(service_receiver(r.service))), alone);
    assert_true(spoiled > 0);
    assert_int_equal(damaged(&r), spoiled);
    stop(&r);
}

static struct certificate certificate(uint8_t node, const char *name, const char *site, const char *domain)
{
    struct certificate c = {.grant = {.id.bytes = {node}}};
    snprintf(c.name, sizeof(c.name), "%s", name);
    snprintf(c.grant.site, sizeof(c.grant.site), "%s", site);
    if (domain)
        snprintf(c.grant.domains[c.grant.domain_count++], sizeof(c.grant.domains[0]), "%s", domain);
    return c;
}

static void test_workspaces_are_kept_apart(void **state)
{
    struct world *w = *state;
    struct fault fault = {0};
    configure(
        w, "workspaces\n    nodes = dc1=north\n    domains = corp.example=south\n    sites = Oslo=north\n");
    receive(w, "a01_kerberoast_impacket.pcap", 1);
    receive(w, "n08_smb_kerberos.pcap", 2);
    struct workspaces *workspaces = NULL;
    const struct certificate one = certificate(1, "DC1", "Rome", NULL),
                             two = certificate(2, "b", "", "CORP.example"),
                             three = certificate(3, "c", "oslo", "corp.example"),
                             four = certificate(4, "d", "", NULL);
    workspaces = workspaces_new(w->config->store, w->config->config, &fault);
    assert_non_null(workspaces);
    assert_true(workspaces_admit(workspaces, &one, &fault));
    assert_true(workspaces_admit(workspaces, &two, &fault));
    assert_true(workspaces_admit(workspaces, &two, &fault));
    uint64_t north = workspaces_of(workspaces, &one.grant.id),
             south = workspaces_of(workspaces, &two.grant.id);
    assert_true(north != south && north > WORKSPACE_DEFAULT && south > WORKSPACE_DEFAULT);
    assert_int_equal(workspaces_rule(workspaces, &three), north);
    assert_int_equal(workspaces_rule(workspaces, &four), WORKSPACE_DEFAULT);
    assert_int_equal(workspaces_of(workspaces, &four.grant.id), WORKSPACE_DEFAULT);
    workspaces_destroy(&workspaces);
    /* It is remembered. */
    workspaces = workspaces_new(w->config->store, w->config->config, &fault);
    assert_int_equal(workspaces_of(workspaces, &one.grant.id), north);
    workspaces_destroy(&workspaces);

    struct running r = start(w);
    uint64_t last = receiver_position(service_receiver(r.service));
    go(&r);
    wait_for(&r, 3, last);
    stop(&r);
    struct store *store = look(w->config->store);
    assert_int_equal(number_of(store, "SELECT count(DISTINCT workspace) FROM activity_index"), 2);
    assert_int_equal(number_of(store, "SELECT count(*) FROM activity_index WHERE workspace = 1"), 0);
    assert_int_equal(number_of(store, "SELECT count(*) FROM nodes"), 2);
    assert_int_equal(number_of(store, "SELECT count(*) FROM positions WHERE shard = 0"), 3);
    store_close(&store);
}

/* What the token says goes before the rules, an administrator's word before both; all is audited. */
static void test_tokens_put_nodes_into_workspaces(void **state)
{
    struct world *w = *state;
    struct fault fault = {0};
    configure(w, "workspaces\n    nodes = dc1=north, dc2=north\n");
    assert_true(center_prepare(w->config, &fault));
    struct certificate one = certificate(1, "dc1", "Rome", NULL), two = certificate(2, "dc2", "Rome", NULL);
    struct stored_node node;
    strcpy(one.grant.workspace, "west");
    strcpy(two.grant.workspace, "west");
    struct workspaces *workspaces = workspaces_new(w->config->store, w->config->config, &fault);
    struct store *store = look(w->config->store);
    assert_non_null(workspaces);
    assert_true(workspaces_admit(workspaces, &one, &fault));
    assert_true(workspaces_admit(workspaces, &two, &fault));
    assert_true(workspaces_admit(workspaces, &one, &fault));
    uint64_t west = workspaces_of(workspaces, &one.grant.id);
    assert_int_equal(workspaces_of(workspaces, &two.grant.id), west);
    assert_int_equal(number_of(store, "SELECT id FROM workspaces WHERE name = 'west'"), west);
    assert_int_equal(number_of(store, "SELECT count(*) FROM audit WHERE what = 'sensor-placed'"), 2);
    assert_int_equal(number_of(store, "SELECT count(*) FROM audit WHERE what = 'workspace-added'"), 2);
    assert_true(store_node_find(store, &one.grant.id, &node));
    assert_int_equal(node.placed, PLACED_BY_TOKEN);

    struct store *administrator = store_open(w->config->store, STORE_PEOPLE, &fault);
    assert_non_null(administrator);
    uint64_t north = (uint64_t)number_of(store, "SELECT id FROM workspaces WHERE name = 'north'");
    assert_true(store_node_assign(administrator, &one.grant.id, north));
    workspaces_refresh(workspaces, administrator);
    assert_int_equal(workspaces_of(workspaces, &one.grant.id), north);
    assert_true(workspaces_admit(workspaces, &one, &fault));
    assert_int_equal(workspaces_of(workspaces, &one.grant.id), north);
    assert_true(store_node_unassign(administrator, &one.grant.id));
    assert_false(store_node_unassign(administrator, &one.grant.id));
    assert_true(workspaces_admit(workspaces, &one, &fault));
    assert_int_equal(workspaces_of(workspaces, &one.grant.id), west);
    assert_int_equal(number_of(store, "SELECT count(*) FROM audit WHERE what = 'sensor-placed'"), 3);
    store_close(&administrator);
    store_close(&store);
    workspaces_destroy(&workspaces);
}

static void test_wrong_rules(void **state)
{
    struct world *w = *state;
    struct fault fault;
    static const char *const wrong[] = {"nodes = north", "nodes = =north", "sites = Oslo="};
    char section[128];
    assert_true(center_prepare(w->config, &fault));
    for (unsigned i = 0; i < 3; i++) {
        snprintf(section, sizeof(section), "workspaces\n    %s\n", wrong[i]);
        configure(w, section);
        assert_null(workspaces_new(w->config->store, w->config->config, &fault));
        assert_non_null(strstr(fault.text, "is no rule"));
    }
}

static void write_conf(const struct world *w, const char *from, const char *to)
{
    char text[2048];
    FILE *file = fopen(w->conf, "r");
    size_t size = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[size] = '\0';
    char *at = strstr(text, from);
    assert_non_null(at);
    memcpy(at, to, strlen(to));
    file = fopen(w->conf, "w");
    fwrite(text, 1, size, file);
    fclose(file);
}

/* What --check says beyond the file's form. */
static void test_what_cannot_be_done_is_checked(void **state)
{
    struct world *w = *state;
    struct fault fault = {0};
    static const struct {
        const char *section, *why;
    } wrong[] = {
        {"notify\n    syslog = http://siem\n", "notify/syslog: http://siem: "},
        {"notify\n    webhook = \"http://192.0.2.1/x\"\n", "notify/webhook: http://192.0.2.1/x: https"},
        {"notify\n    mail-server = smtp://mail\n", "notify/mail-server: "},
        {"notify\n    syslog = tls://siem:1\n    syslog-key = /none\n", "belong together"},
        {"workspaces\n    sites = Oslo\n", "workspaces/sites: \"Oslo\" is no rule"},
        {"api\n    listen = 0.0.0.0:1\n", "api/plain is only for loopback, not for 0.0.0.0"},
        {"api\n    listen = 127.0.0.1:1,127.0.0.1:2,127.0.0.1:3,127.0.0.1:4\n", "at most 4 addresses"},
    };
    assert_true(service_check(w->config, &fault));
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        configure(w, wrong[i].section);
        assert_false(service_check(w->config, &fault));
        if (!strstr(fault.text, wrong[i].why))
            fail_msg("%s", fault.text);
    }
    configure(
        w, "notify\n    mail-server = smtp://mail\n    mail-from = a@b.example\n    mail-to = c@d.example\n"
           "    mail-user = a\n    mail-password = /none\n"); /* which may come later */
    assert_true(service_check(w->config, &fault));
    configure(w, "api\n    key = /none\n    certificate = /none\n");
    assert_true(service_check(w->config, &fault)); /* HTTP shows none */
    write_conf(w, "plain = yes", "plain = no ");
    center_config_free(&w->config);
    w->config = center_config_load(w->conf);
    assert_false(service_check(w->config, &fault));
    assert_non_null(strstr(fault.text, "/none: No such file"));
    configure(w, "");
    w->config->places = "/none";
    assert_false(service_check(w->config, &fault));
    assert_non_null(strstr(fault.text, "center/places: /none: No such file"));
}

/* 1004: told three weeks before, and as worse when it is over; both reach the store once. */
static void test_certificates_end(void **state)
{
    struct world *w = *state;
    struct fault fault = {0};
    int64_t now = clock_wall(clock_system());
    bool changed;
    assert_true(center_prepare(w->config, &fault));
    struct store *store = store_open(w->config->store, STORE_PEOPLE, &fault);
    struct health *health = health_new();
    struct health_keeper *keeper = health_keeper_new(store);
    assert_true(store && health && keeper);
    static const struct {
        int64_t left;
        bool changed;
        int64_t open, severity;
    } steps[] = {{22 * CLOCK_DAY, false, 0, -1},         {20 * CLOCK_DAY, true, 1, SEVERITY_MEDIUM},
                 {CLOCK_DAY, false, 1, SEVERITY_MEDIUM}, {0, true, 1, SEVERITY_HIGH},
                 {-CLOCK_DAY, false, 1, SEVERITY_HIGH},  {CLOCK_DAY, true, 1, SEVERITY_MEDIUM},
                 {800 * CLOCK_DAY, true, 0, -1}};
    for (unsigned i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        health_check_certificate(health, "api", now + 30 * CLOCK_DAY, now + 30 * CLOCK_DAY - steps[i].left);
        assert_true(health_keeper_keep(keeper, health, now, NULL, NULL, &changed));
        assert_int_equal(changed, steps[i].changed);
        assert_int_equal(number_of(store, "SELECT count(*) FROM health WHERE number = 1004 AND closed = 0"),
                         steps[i].open);
        assert_int_equal(number_of(store, "SELECT severity FROM health WHERE closed = 0"), steps[i].severity);
    }
    assert_int_equal(number_of(store, "SELECT count(*) FROM health"), 1);
    health_keeper_destroy(&keeper);
    health_destroy(&health);
    store_close(&store);
}

/* Whether the output is told of in the status. */
static bool has_output(const struct running *r, const char *name)
{
    struct json_writer writer;
    struct bytes text;
    bool found = false;
    json_writer_init(&writer, 65536);
    json_write_object(&writer, NULL);
    service_tell_status(r->service, 0, &writer);
    json_write_close(&writer);
    if (json_writer_done(&writer, &text))
        found = memmem(text.data, text.size, name, strlen(name)) != NULL;
    json_writer_free(&writer);
    return found;
}

static void wait_for_output(const struct running *r, const char *name)
{
    int64_t until = clock_monotonic(clock_system()) + PATIENCE;
    while (!has_output(r, name) && clock_monotonic(clock_system()) < until)
        usleep(20000);
    assert_true(has_output(r, name));
}

static void test_outputs_follow_the_file(void **state)
{
    struct world *w = *state;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int hangup = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    configure(w, "notify\n    file = /tmp/picket-none/aaaa\n");
    struct running r = start(w);
    service_reload_on(r.service, hangup);
    go(&r);
    assert_true(has_output(&r, "aaaa"));
    write_conf(w, "aaaa", "bbbb");
    assert_false(has_output(&r, "bbbb"));
    kill(getpid(), SIGHUP);
    wait_for_output(&r, "bbbb");
    assert_false(has_output(&r, "aaaa"));
    write_conf(w, "file = ", "fool = ");
    kill(getpid(), SIGHUP);
    usleep(1500000);
    assert_true(has_output(&r, "bbbb"));
    write_conf(w, "fool = ", "file = ");
    write_conf(w, "bbbb", "cccc");
    kill(getpid(), SIGHUP);
    wait_for_output(&r, "cccc");
    stop(&r);
    close(hangup);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void test_backup_while_it_runs(void **state)
{
    struct world *w = *state;
    struct fault fault = {0};
    struct backup_result made, back;
    char copy[96], other[96], path[160];
    receive(w, "a01_kerberoast_impacket.pcap", 1);
    snprintf(copy, sizeof(copy), "%s/copy", w->directory);
    snprintf(other, sizeof(other), "%s/other", w->directory);
    struct running r = start(w);
    uint64_t last = receiver_position(service_receiver(r.service));
    go(&r);
    wait_for(&r, 1, last);
    assert_true(backup_make(w->state, copy, &made, &fault));
    assert_true(made.files >= 3);
    assert_false(backup_make(w->state, copy, &back, &fault));
    assert_non_null(strstr(fault.text, "not empty"));
    stop(&r);

    assert_true(backup_restore(copy, other, &back, &fault));
    assert_int_equal(back.files, made.files);
    assert_false(backup_restore(copy, other, &back, &fault));
    assert_non_null(strstr(fault.text, "is there"));

    /* The other one goes on from there. */
    strcpy(w->state, other);
    configure(w, "");
    r = start(w);
    assert_int_equal(receiver_position(service_receiver(r.service)), last);
    go(&r);
    wait_for(&r, 1, last);
    stop(&r);

    /* What was not finished is none, and what is damaged is told. */
    snprintf(path, sizeof(path), "%s/third", w->directory);
    snprintf(other, sizeof(other), "%s/center.db", copy);
    FILE *file = fopen(other, "r+");
    fseek(file, 5000, SEEK_SET);
    for (int i = 0; i < 20000; i++)
        fputc(0xa5, file);
    fclose(file);
    assert_false(backup_restore(copy, path, &back, &fault));
    snprintf(other, sizeof(other), "%s/backup", copy);
    unlink(other);
    assert_false(backup_restore(copy, path, &back, &fault));
    assert_non_null(strstr(fault.text, "not finished"));
}

static void test_old_files_of_the_log_go(void **state)
{
    struct world *w = *state;
    struct fault fault = {0};
    struct filling f = {.world = w};
    static uint8_t content[1 << 20];
    char path[PATH_SIZE + 32];
    assert_true(center_prepare(w->config, &fault));
    const struct received_log_config config = {.disk = disk_system(),
                                               .directory = w->config->log,
                                               .segment_bytes = 8u << 20,
                                               .state = give_state,
                                               .recover = ignore_entry,
                                               .context = &f};
    w->sources = sources_new(1);
    struct received_log *log = received_log_open(&config, &fault);
    assert_non_null(log);
    for (int i = 0; i < 30; i++)
        assert_true(received_log_append(log, 1, LOG_ACTIVITIES, &f.origin,
                                        (struct bytes){content, sizeof(content)}, &fault));
    struct received_log_status status;
    received_log_status(log, &status);
    uint64_t first = status.first, bytes = status.bytes;
    int64_t now = clock_wall(clock_system()), day = now - CLOCK_DAY;
    assert_int_equal(received_log_expire(log, day, UINT64_MAX), 0);
    for (int i = 1; i <= 3; i++) {
        const struct timeval times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
        snprintf(path, sizeof(path), "%s/%016x.segment", w->config->log, i);
        assert_int_equal(utimes(path, times), 0);
    }
    /* The second is still wanted. */
    assert_int_equal(received_log_expire(log, day, 12), 1);
    assert_int_equal(received_log_expire(log, day, 12), 0);
    received_log_status(log, &status);
    assert_true(status.first > first && status.first <= 12);
    assert_true(status.bytes < bytes);
    assert_int_equal(received_log_expire(log, day, UINT64_MAX), 2);
    struct log_reader *reader = log_reader_open(disk_system(), w->config->log, 1, &fault);
    struct log_entry entry;
    assert_true(log_reader_next(reader, &entry));
    assert_true(entry.position > 12);
    log_reader_close(&reader);
    received_log_close(&log);
    sources_destroy(&w->sources);
}

static void count_news(void *context, struct store *store, const struct health_issue *issue, bool raised,
                       int64_t now)
{
    (void)store;
    (void)issue;
    (void)now;
    *(int *)context += raised ? 1 : 100;
}

static void test_health_is_kept(void **state)
{
    struct world *w = *state;
    struct fault fault = {0};
    int news = 0;
    bool changed;
    assert_true(center_prepare(w->config, &fault));
    struct store *store = store_open(w->config->store, STORE_PEOPLE, &fault);
    struct health *health = health_new();
    struct health_keeper *keeper = health_keeper_new(store);
    struct shard_status status = {.behind = 61 * CLOCK_SECOND};

    assert_true(health_disk_is_short(19, 100));
    assert_false(health_disk_is_short(20, 100));
    assert_false(health_disk_is_short(HEALTH_DISK_LEAST, 100 * HEALTH_DISK_LEAST));
    assert_true(health_disk_is_short(HEALTH_DISK_LEAST - 1, 100 * HEALTH_DISK_LEAST));
    health_check_disk(health, w->state);

    health_clear(health, 1001, w->state);
    health_check_shard(health, "pipe 1.0", &status);
    assert_true(health_keeper_keep(keeper, health, 10, count_news, &news, &changed));
    assert_true(changed && news == 1);
    assert_true(health_keeper_keep(keeper, health, 11, count_news, &news, &changed));
    assert_false(changed);
    assert_int_equal(number_of(store, "SELECT count(*) FROM health WHERE closed = 0 AND number = 1003"), 1);
    status.behind = 30 * CLOCK_SECOND; /* neither */
    health_check_shard(health, "pipe 1.0", &status);
    health_keeper_destroy(&keeper);

    /* The next run takes it over; another is new. */
    keeper = health_keeper_new(store);
    health_raise(health, 1005, "database", "full");
    assert_true(health_keeper_keep(keeper, health, 12, count_news, &news, &changed));
    assert_true(changed && news == 2);
    status.behind = 0;
    health_check_shard(health, "pipe 1.0", &status);
    /* While the store is locked nothing is forgotten. */
    struct store *other = store_open(w->config->store, STORE_PEOPLE, &fault);
    assert_true(store_begin(other, &fault));
    assert_false(health_keeper_keep(keeper, health, 13, NULL, NULL, NULL));
    store_abandon(other);
    store_close(&other);
    assert_true(health_keeper_keep(keeper, health, 14, count_news, &news, &changed));
    assert_int_equal(news, 102);
    assert_int_equal(number_of(store, "SELECT closed FROM health WHERE number = 1003"), 14);
    /* A detail that changes is written, but not each second. */
    health_raise(health, 1005, "database", "fuller");
    assert_true(health_keeper_keep(keeper, health, 15, NULL, NULL, &changed));
    assert_false(changed);
    assert_true(health_keeper_keep(keeper, health, 15 + CLOCK_MINUTE, NULL, NULL, &changed));
    assert_true(changed);
    health_keeper_destroy(&keeper);
    health_destroy(&health);
    store_close(&store);
}

static void test_upkeep(void **state)
{
    struct world *w = *state;
    struct fault fault = {0};
    struct subject_seed seed, again;
    assert_true(center_prepare(w->config, &fault));
    struct store *store = store_open(w->config->store, STORE_PEOPLE, &fault);
    assert_true(store_seed(store, &seed, &fault));
    assert_true(store_seed(store, &again, &fault));
    assert_true(seed.value == again.value && seed.value != 0);
    assert_true(store_begin(store, &fault));
    for (uint64_t i = 0; i < 20000; i++) {
        const uint64_t position = i + 1;
        store_index_add(store, 1, (struct subject){i, i}, 5, &position, 1);
    }
    store_run(store, "UPDATE activity_index SET positions = zeroblob(200) WHERE hour >= ?1", store_int(0));
    assert_true(store_commit(store, &fault));
    int64_t pages = number_of(store, "PRAGMA page_count");
    const struct store_ages ages = {.activities = 6 * CLOCK_HOUR, .alerts = 1, .audit = 1, .health = 1};
    for (int i = 0; i < 1000 && store_upkeep(store, &ages); i++)
        ;
    assert_int_equal(number_of(store, "SELECT count(*) FROM activity_index"), 0);
    assert_true(number_of(store, "PRAGMA page_count") < pages / 2);
    assert_true(store_check(store, &fault));
    store_close(&store);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)
    const struct CMUnitTest tests[] = {
        T(looks_at_what_was_received),
        T(what_cannot_be_read_harms_nothing),
        T(workspaces_are_kept_apart),
        T(tokens_put_nodes_into_workspaces),
        T(wrong_rules),
        T(what_cannot_be_done_is_checked),
        T(certificates_end),
        T(outputs_follow_the_file),
        T(backup_while_it_runs),
        T(old_files_of_the_log_go),
        T(health_is_kept),
        T(upkeep),
    };
    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
