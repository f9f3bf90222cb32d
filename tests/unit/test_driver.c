/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver: two nodes of one process, with real sockets on loopback, real files and real time.
 */
#include "base/clock.h"
#include "base/log.h"
#include "cluster/authority.h"
#include "cluster/body.h"
#include "cluster/driver.h"
#include "cluster/enrolment.h"
#include "cluster/joining.h"
#include "node/command.h"
#include "node/join.h"

#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define DOMAIN  "corp.example"
#define PATIENT 60 /* s for whatever has to happen */

/* --- a fleet of two, on the disk --- */

struct node {
    const char *name;
    char directory[96];
    uint16_t port, enrolment_port;
    struct driver_config config;
    struct cluster_driver *driver;
    bool started;
    atomic_int starts, stops, end, policies;
    atomic_bool directory_there;
};

struct bed {
    char home[64];
    struct authority authority;
    struct authority_secret *secret;
    struct policy policy;
    struct node a, b; /* a may enrol */
};

/* Below those that the kernel hands out: nobody else's connection takes it before this test binds it. */
static uint16_t free_port(void)
{
    for (;;) {
        uint16_t port = (uint16_t)(10000 + randombytes_uniform(20000));
        struct sockaddr_in address = {
            .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool free = bind(descriptor, (struct sockaddr *)&address, sizeof(address)) == 0;
        close(descriptor);
        if (free)
            return port;
    }
}

static void hear_start(void *context, const struct claim *claim)
{
    struct node *node = context;
    assert_string_equal(claim->domain, DOMAIN);
    atomic_fetch_add(&node->starts, 1);
}

static void hear_stop(void *context, const char *domain)
{
    struct node *node = context;
    assert_string_equal(domain, DOMAIN);
    atomic_fetch_add(&node->stops, 1);
}

static bool reachable(void *context, const char *domain)
{
    struct node *node = context;
    (void)domain;
    return atomic_load(&node->directory_there);
}

static void hear_notice(void *context, struct cluster_driver *driver, const struct cluster_notice *notice)
{
    struct node *node = context;
    assert_non_null(cluster_driver_core(driver));
    if (notice->type == NOTICE_POLICY)
        atomic_fetch_add(&node->policies, 1);
}

static void hear_end(void *context, enum driver_end end)
{
    struct node *node = context;
    atomic_store(&node->end, (int)end);
}

static void open_node(struct bed *bed, struct node *node, const char *name)
{
    node->name = name;
    snprintf(node->directory, sizeof(node->directory), "%s/%s", bed->home, name);
    node->port = free_port();
    node->enrolment_port = free_port();
    atomic_store(&node->directory_there, true);
    struct driver_config *config = &node->config;
    driver_config_init(config);
    config->directory = node->directory;
    snprintf(config->listen[config->listen_count++], ENDPOINT_MAX_SIZE, "127.0.0.1:%u", node->port);
    snprintf(config->endpoints[config->endpoint_count++], ENDPOINT_MAX_SIZE, "127.0.0.1:%u", node->port);
    snprintf(config->enrolment, ENDPOINT_MAX_SIZE, "127.0.0.1:%u", node->enrolment_port);
    config->enrolment_port = node->enrolment_port;
    config->members_max = 256;
    cluster_timers_for(&config->timers, 10000);
    config->synchronizer = (struct synchronizer_ops){
        .context = node, .start = hear_start, .stop = hear_stop, .directory_reachable = reachable};
    config->notice = hear_notice;
    config->ended = hear_end;
    config->context = node;
}

static struct grant grant_of(const struct node_id *id)
{
    struct grant grant = {.id = *id, .mode = MODE_STANDALONE, .domain_count = 1};
    strcpy(grant.site, "hq");
    strcpy(grant.domains[0], DOMAIN);
    grant.expires = (uint64_t)(clock_wall(clock_system()) / CLOCK_SECOND) + 3600;
    return grant;
}

/* The first node is bound by the authority itself. */
static void make_first(struct bed *bed)
{
    struct fault fault;
    struct node_id id;
    uint8_t grant[TOKEN_GRANT_MAX], encoded[CERTIFICATE_MAX_SIZE];
    struct certificate wish = {.by_authority = true,
                               .issued = (uint64_t)(clock_wall(clock_system()) / CLOCK_SECOND)};
    struct crypto_sodium *keys = crypto_sodium_new(bed->secret->seed, NULL);
    struct cluster_crypto crypto = crypto_sodium_table(keys);
    crypto_random(id.bytes, NODE_ID_SIZE);
    struct identity *identity = identity_new(&bed->authority.trust, &id);
    wish.grant = grant_of(&id);
    strcpy(wish.name, bed->a.name);
    crypto_public_key(wish.public_key, identity->seed);
    size_t grant_size = grant_write(grant, sizeof(grant), &wish.grant, &crypto);
    size_t size =
        certificate_write(encoded, sizeof(encoded), &wish, (struct bytes){grant, grant_size}, &crypto);
    assert_true(size > 0);
    assert_true(identity_enrol(identity, (struct bytes){encoded, size}, bed->secret->salt, NULL, &fault));
    bed->policy = (struct policy){.enroller_count = 1};
    bed->policy.enrollers[0] = (struct enroller){.id = id, .until = UINT64_MAX};
    memcpy(bed->policy.enrollers[0].public_key, wish.public_key, PUBLIC_KEY_SIZE);
    bed->policy.version = 0;
    assert_true(authority_sign_policy(&bed->authority, bed->secret, &bed->policy, &fault));
    assert_true(directory_prepare(bed->a.directory, &fault));
    assert_true(policy_save((struct bytes){bed->authority.policy, bed->authority.policy_size}, disk_system(),
                            bed->a.directory, &fault));
    assert_true(identity_save(identity, disk_system(), bed->a.directory, &fault));
    crypto_sodium_destroy(&keys);
    identity_destroy(&identity);
}

static char *make_token(struct bed *bed)
{
    struct fault fault;
    struct identity *identity;
    struct crypto_sodium *keys = crypto_sodium_new(bed->secret->seed, NULL);
    struct cluster_crypto crypto = crypto_sodium_table(keys);
    struct token *token = secret_alloc(sizeof(*token));
    char *text = malloc(TOKEN_TEXT_MAX);
    struct node_id id;
    memset(token, 0, sizeof(*token));
    crypto_random(id.bytes, NODE_ID_SIZE);
    assert_int_equal(identity_load(&identity, disk_system(), bed->a.directory, &fault), DISK_FOUND);
    token->trust = bed->authority.trust;
    token->grant = grant_of(&id);
    token->grant.enroller = identity->id;
    snprintf(token->endpoints[token->endpoint_count++], ENDPOINT_MAX_SIZE, "127.0.0.1:%u",
             bed->a.enrolment_port);
    assert_true(crypto_curve_public(token->enroller_key, identity->certificate.public_key));
    assert_true(token_make(token, &crypto));
    assert_true(token_print(token, text));
    identity_destroy(&identity);
    crypto_sodium_destroy(&keys);
    secret_free(token);
    return text;
}

static int set_up(void **state)
{
    static const struct authority_cost cheap = {.operations = 1, .memory = 8192};
    struct bed *bed = calloc(1, sizeof(*bed));
    struct fault fault;
    log_set_level(LOG_LEVEL_ERROR);
    assert_true(crypto_sodium_start());
    snprintf(bed->home, sizeof(bed->home), "/tmp/picket-driver-XXXXXX");
    assert_non_null(mkdtemp(bed->home));
    bed->secret = secret_alloc(sizeof(*bed->secret));
    assert_true(authority_create(&bed->authority, bed->secret,
                                 (struct bytes){(const uint8_t *)"only a test", 11}, &cheap, &fault) ||
                authority_create(&bed->authority, bed->secret,
                                 (struct bytes){(const uint8_t *)"only a test, but longer", 23}, &cheap,
                                 &fault));
    open_node(bed, &bed->a, "a");
    open_node(bed, &bed->b, "b");
    make_first(bed);
    *state = bed;
    return 0;
}

static void stop(struct node *node)
{
    if (node->started)
        cluster_driver_stop(node->driver);
    node->started = false;
    cluster_driver_destroy(&node->driver);
}

static void remove_directory(const char *path)
{
    char command[160];
    snprintf(command, sizeof(command), "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    stop(&bed->b);
    stop(&bed->a);
    secret_free(bed->secret);
    remove_directory(bed->home);
    free(bed);
    return 0;
}

/* --- asking a driver --- */

struct question {
    struct mail mail;
    sem_t answered;
    void (*look)(struct question *question, struct cluster_driver *driver);
    struct cluster_status status;
    uint32_t generation; /* of the key of the member that is not this node */
    bool held;
    bool directory;
    unsigned long persist_failed;
    struct bytes policy;
    bool fine;
    struct fault fault;
};

static void run_question(struct mail *mail, void *owner)
{
    struct question *question = (struct question *)mail;
    if (owner)
        question->look(question, owner);
    sem_post(&question->answered);
}

static void ask(struct node *node, struct question *question,
                void (*look)(struct question *, struct cluster_driver *))
{
    question->mail.run = run_question;
    question->look = look;
    sem_init(&question->answered, 0, 0);
    assert_true(cluster_driver_post(node->driver, &question->mail));
    while (sem_wait(&question->answered) != 0)
        assert_int_equal(errno, EINTR);
    sem_destroy(&question->answered);
}

static void look_around(struct question *question, struct cluster_driver *driver)
{
    struct cluster *core = cluster_driver_core(driver);
    struct cluster_member_view member;
    struct cluster_domain_view domain;
    cluster_status(core, &question->status);
    question->held = cluster_holds(core, DOMAIN, NULL);
    question->persist_failed = (unsigned long)cluster_counters(core)->persist_failed;
    for (unsigned i = 0; i < cluster_member_count(core); i++)
        if (cluster_member_at(core, i, &member) && !member.self)
            question->generation = member.record->certificate.generation;
    question->directory = cluster_domain_find(core, DOMAIN, &domain) && domain.reachable;
}

static struct question look(struct node *node)
{
    struct question question = {0};
    ask(node, &question, look_around);
    return question;
}

static void give_policy(struct question *question, struct cluster_driver *driver)
{
    struct cluster_event event = {.type = CLUSTER_POLICY, .bytes = question->policy};
    cluster_driver_step(driver, &event);
}

static void rotate(struct question *question, struct cluster_driver *driver)
{
    question->fine = cluster_driver_rotate(driver, &question->fault);
}

/* Until it holds; fails the test when it never does. */
#define await(condition)                                                                                     \
    do {                                                                                                     \
        int tries_ = PATIENT * 20;                                                                           \
        while (!(condition) && --tries_ > 0)                                                                 \
            usleep(50000);                                                                                   \
        assert_true(condition);                                                                              \
    } while (0)

static void start(struct node *node)
{
    struct fault fault = {{0}};
    node->driver = cluster_driver_new(&node->config, &fault);
    if (!node->driver)
        fail_msg("%s", fault.text);
    node->started = cluster_driver_start(node->driver, &fault);
    if (!node->started)
        fail_msg("%s", fault.text);
}

static void join(struct bed *bed)
{
    char *token = make_token(bed);
    assert_int_equal(join_run(bed->b.directory, "b", token), EXIT_FINE);
    free(token);
}

static void start_both(struct bed *bed)
{
    start(&bed->a);
    join(bed);
    start(&bed->b);
    await(look(&bed->a).status.online == 2 && look(&bed->b).status.online == 2);
}

/* --- the tests --- */

static void two_find_each_other_and_one_holds(void **state)
{
    struct bed *bed = *state;
    start_both(bed);
    await(atomic_load(&bed->a.starts) + atomic_load(&bed->b.starts) == 1);
    struct node *holder = atomic_load(&bed->a.starts) ? &bed->a : &bed->b;
    struct node *other = holder == &bed->a ? &bed->b : &bed->a;
    assert_true(look(holder).held);
    /* It leaves in good order: told to stop, and the other need not wait. */
    int64_t before = clock_monotonic(clock_system());
    stop(holder);
    assert_true(clock_monotonic(clock_system()) - before < 30 * CLOCK_SECOND);
    assert_int_equal(atomic_load(&holder->stops), 1);
    assert_int_equal(atomic_load(&holder->end), DRIVER_RUNS); /* as asked, not by itself */
    await(atomic_load(&other->starts) == 1);
    await(look(other).status.left == 1);
    /* It comes back by what it kept on its disk. */
    start(holder);
    await(look(holder).status.online == 2);
    assert_true(look(holder).status.incarnation > 1);
}

static void a_lost_directory_is_told(void **state)
{
    struct bed *bed = *state;
    bed->a.config.candidate = true;
    start(&bed->a);
    await(atomic_load(&bed->a.starts) == 1);
    atomic_store(&bed->a.directory_there, false);
    await(atomic_load(&bed->a.stops) == 1);
    assert_false(look(&bed->a).directory);
    atomic_store(&bed->a.directory_there, true);
    await(atomic_load(&bed->a.starts) == 2);
}

static void who_stands_for_nothing_is_not_elected(void **state)
{
    struct bed *bed = *state;
    bed->b.config.candidate = false;
    start_both(bed);
    await(atomic_load(&bed->a.starts) == 1);
    stop(&bed->a);
    usleep(5000000);
    assert_int_equal(atomic_load(&bed->b.starts), 0);
}

static void a_key_is_rotated(void **state)
{
    struct bed *bed = *state;
    start_both(bed);
    struct question question = {0};
    ask(&bed->b, &question, rotate);
    assert_true(question.fine);
    await(look(&bed->a).generation == 1);
    await(look(&bed->a).status.neighbours == 1 && look(&bed->b).status.neighbours == 1);
    /* The authority certified the first node: no enroller can. */
    ask(&bed->a, &question, rotate);
    assert_false(question.fine);
    assert_non_null(strstr(question.fault.text, "authority"));
    /* The new key is on the disk, the other side takes it. */
    stop(&bed->b);
    start(&bed->b);
    await(look(&bed->b).status.online == 2 && look(&bed->b).status.neighbours == 1);
    /* Its enroller is gone: asking fails, the key stays. */
    stop(&bed->a);
    ask(&bed->b, &question, rotate);
    assert_true(question.fine);
    ask(&bed->b, &question, rotate);
    assert_false(question.fine);
    assert_non_null(strstr(question.fault.text, "already"));
    stop(&bed->b); /* while the reply is waited for */
}

static void sign_policy(struct bed *bed)
{
    struct fault fault;
    struct policy current;
    assert_true(authority_policy(&bed->authority, &current));
    bed->policy.version = current.version;
    assert_true(authority_sign_policy(&bed->authority, bed->secret, &bed->policy, &fault));
}

static void the_revoked_stops(void **state)
{
    struct bed *bed = *state;
    start_both(bed);
    struct question question = look(&bed->b);
    uint8_t revoked[NODE_ID_SIZE];
    memcpy(revoked, question.status.id.bytes, NODE_ID_SIZE);
    bed->policy.revoked = revoked;
    bed->policy.revoked_count = 1;
    sign_policy(bed);
    question.policy = (struct bytes){bed->authority.policy, bed->authority.policy_size};
    ask(&bed->a, &question, give_policy);
    await(look(&bed->a).status.revoked == 1);
    await(atomic_load(&bed->b.end) == DRIVER_REVOKED);
    struct question late = {.mail.run = run_question};
    assert_false(cluster_driver_post(bed->b.driver, &late.mail));
    await(look(&bed->a).status.neighbours == 0);
}

/* Whether anybody listens there. */
static bool open_at(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool open = connect(descriptor, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(descriptor);
    return open;
}

static void the_desk_closes_and_opens_with_the_policy(void **state)
{
    struct bed *bed = *state;
    start_both(bed);
    bed->policy.enrollers[0].until = (uint64_t)(clock_wall(clock_system()) / CLOCK_SECOND);
    sign_policy(bed);
    struct question question = {.policy = {bed->authority.policy, bed->authority.policy_size}};
    ask(&bed->a, &question, give_policy);
    /* The sockets were made anew; the link is back, the newer policy is with the other. */
    await(atomic_load(&bed->b.policies) >= 1);
    await(!open_at(bed->a.enrolment_port));
    await(look(&bed->a).status.neighbours == 1 && look(&bed->b).status.neighbours == 1);
    bed->policy.enrollers[0].until = UINT64_MAX;
    sign_policy(bed);
    question.policy.size = bed->authority.policy_size;
    ask(&bed->a, &question, give_policy);
    await(open_at(bed->a.enrolment_port));
}

static void a_seed_finds_who_moved(void **state)
{
    struct bed *bed = *state;
    start_both(bed);
    stop(&bed->b);
    stop(&bed->a);
    /* The other is elsewhere now; only the configuration knows. */
    struct driver_config *config = &bed->a.config;
    bed->a.port = free_port();
    snprintf(config->listen[0], ENDPOINT_MAX_SIZE, "127.0.0.1:%u", bed->a.port);
    config->endpoint_count = 0;
    start(&bed->a);
    bed->b.config.endpoint_count = 0; /* nor can it be dialled */
    snprintf(bed->b.config.seeds[0].name, NAME_MAX_SIZE, "a");
    snprintf(bed->b.config.seeds[0].endpoint, ENDPOINT_MAX_SIZE, "127.0.0.1:%u", bed->a.port);
    bed->b.config.seed_count = 1;
    start(&bed->b);
    await(look(&bed->b).status.neighbours == 1);
}

/* --- disks that fail --- */

static atomic_bool disk_full;

static ssize_t write_or_fail(void *context, int file, const void *data, size_t size, off_t at)
{
    (void)context;
    if (atomic_load(&disk_full)) {
        errno = ENOSPC;
        return -1;
    }
    return disk_system()->write(disk_system()->context, file, data, size, at);
}

static void nothing_is_told_that_the_disk_did_not_take(void **state)
{
    struct bed *bed = *state;
    struct disk disk = *disk_system();
    disk.write = write_or_fail;
    bed->a.config.disk = &disk;
    start(&bed->a);
    atomic_store(&disk_full, true);
    await(look(&bed->a).persist_failed > 0);
    assert_int_equal(atomic_load(&bed->a.starts), 0); /* no claim without a memory of it */
    atomic_store(&disk_full, false);
    await(atomic_load(&bed->a.starts) == 1);
    atomic_store(&disk_full, true); /* the last save too */
    stop(&bed->a);
    atomic_store(&disk_full, false);
}

static bool refused(const struct node *node, const char *words)
{
    struct fault fault = {{0}};
    struct cluster_driver *driver = cluster_driver_new(&node->config, &fault);
    bool right = !driver && strstr(fault.text, words);
    if (!right)
        print_error("%s\n", fault.text);
    cluster_driver_destroy(&driver);
    return right;
}

static void what_cannot_begin_says_why(void **state)
{
    struct bed *bed = *state;
    struct fault fault;
    assert_true(refused(&bed->b, "has not joined"));
    start(&bed->a);
    assert_true(refused(&bed->a, "")); /* two processes, one identity */
    stop(&bed->a);
    /* Somebody else listens there. */
    start(&bed->a);
    join(bed);
    memcpy(bed->b.config.listen[0], bed->a.config.listen[0], ENDPOINT_MAX_SIZE);
    bed->b.driver = cluster_driver_new(&bed->b.config, &fault);
    assert_non_null(bed->b.driver);
    assert_false(cluster_driver_start(bed->b.driver, &fault));
    assert_true(strlen(fault.text) > 0);
    stop(&bed->b);
    /* Damaged files. */
    char path[160];
    snprintf(path, sizeof(path), "%s/identity", bed->b.directory);
    assert_int_equal(truncate(path, 10), 0);
    assert_true(refused(&bed->b, "identity"));
}

static void joining_fails_with_a_reason(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(join_run(bed->b.directory, "b", "not a token"), EXIT_FAILED);
    start(&bed->a);
    char *token = make_token(bed);
    assert_int_equal(join_run(bed->b.directory, "a", token), EXIT_FAILED); /* the name is taken */
    assert_int_equal(join_run(bed->b.directory, "not a name", token), EXIT_FAILED);
    assert_int_equal(join_run("/nonexistent/directory", "b", token), EXIT_FAILED);
    assert_int_equal(join_run(bed->b.directory, "b", token), EXIT_FINE);
    assert_int_equal(join_run(bed->b.directory, "b", token), EXIT_FINE);   /* already */
    assert_int_equal(join_run(bed->a.directory, "b", token), EXIT_FAILED); /* held by who runs there */
    free(token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_find_each_other_and_one_holds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_directory_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_stands_for_nothing_is_not_elected, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_is_rotated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_revoked_stops, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_desk_closes_and_opens_with_the_policy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_seed_finds_who_moved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_told_that_the_disk_did_not_take, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_begin_says_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(joining_fails_with_a_reason, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
