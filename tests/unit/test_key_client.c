/* SPDX-License-Identifier: Apache-2.0
 *
 * picket-keys as it ships, and its client: what it gives up, keytabs good and bad, and what becomes of
 * questions when it is killed, stopped or gone.
 */
#include "keys/sandbox.h"
#include "keys/serve.h"
#include "node/key_client.h"
#include "node/key_report.h"

#include "keytab_bytes.h"
#include "place.h"
#include "unit.h"

#include "keys/line.h"
#include "keys/order.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct place place;
static const char *const program = PICKET_KEYS_PROGRAM;

/* --- keytabs --- */

static void write_keytab(const char *name, const struct keytab_bytes *k, mode_t mode)
{
    char path[4096], there[4096];
    snprintf(path, sizeof(path), "%s/%s.new", place.path, name);
    snprintf(there, sizeof(there), "%s/%s", place.path, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, k->data, k->size), (ssize_t)k->size);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    assert_int_equal(rename(path, there), 0);
}

static void make_keytab(struct keytab_bytes *k, unsigned keys)
{
    uint8_t key[32];
    char name[32];
    keytab_begin(k);
    for (unsigned i = 0; i < keys; i++) {
        memset(key, (int)i + 1, sizeof(key));
        snprintf(name, sizeof(name), "host/fs%u", i);
        keytab_add(k, name, "CORP.EXAMPLE", 2, 18, key, sizeof(key));
    }
}

static const char *path_of(const char *name)
{
    static char paths[4][4096];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", place.path, name);
    return path;
}

static void good_keytab(const char *name, unsigned keys)
{
    static struct keytab_bytes k;
    make_keytab(&k, keys);
    write_keytab(name, &k, 0600);
}

/* --- clients --- */

static const struct key_line_limits patient = {
    .timeout = 60 * CLOCK_SECOND, .pause = CLOCK_SECOND, .pause_max = CLOCK_SECOND};

static struct key_client *new_client(const char *keytab, struct fault *fault)
{
    const char *const keytabs[] = {keytab};
    const struct key_client_config config = {
        .program = program, .keytabs = keytabs, .keytab_count = 1, .guest = true};
    fault->text[0] = '\0';
    return key_client_new(&config, fault);
}

static struct key_client *start_client(const char *keytab, const struct key_line_limits *limits)
{
    struct fault fault;
    struct key_client *client = new_client(keytab, &fault);
    if (!client || !key_client_start(client, 2, limits, &fault))
        fail_msg("%s", fault.text);
    return client;
}

static bool ask(struct key_client *client, unsigned line)
{
    const struct unsealer *unsealer = key_client_unsealer(client, line);
    uint8_t buffer[16];
    struct msgpack_writer w;
    struct bytes answer;
    msgpack_writer_init(&w, buffer, sizeof(buffer));
    msgpack_put_array(&w, 1);
    msgpack_put_uint(&w, UNSEAL_STATUS);
    return unsealer->ask(unsealer->context, (struct bytes){buffer, w.size}, &answer) && answer.size > 0;
}

/* Until the condition holds, a minute at most. */
#define wait_until(condition)                                                                                \
    do {                                                                                                     \
        int turns_ = 0;                                                                                      \
        while (!(condition)) {                                                                               \
            assert_true(++turns_ < 6000);                                                                    \
            poll(NULL, 0, 10);                                                                               \
        }                                                                                                    \
    } while (0)

static struct key_client_snapshot snapshot(struct key_client *client)
{
    struct key_client_snapshot s;
    key_client_refresh(client);
    key_client_snapshot(client, &s);
    return s;
}

static unsigned keys_of(struct key_client *client)
{
    return snapshot(client).holder.keys;
}

/* The child of the process that was started. */
static pid_t holder_of(struct key_client *client)
{
    char path[64], text[64] = "";
    int starter = key_client_process(client);
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", starter, starter);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t size = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[size] = '\0';
    return (pid_t)atoi(text);
}

static bool status_has(pid_t pid, const char *row)
{
    char path[64], text[8192];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t size = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[size] = '\0';
    return strstr(text, row) != NULL;
}

static unsigned open_descriptors(pid_t pid)
{
    char path[64];
    unsigned count = 0;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *directory = opendir(path);
    if (!directory) /* not root: it is hidden, as it should be */
        return 0;
    for (struct dirent *entry; (entry = readdir(directory));)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

/* --- */

static void it_answers_and_is_locked_up(void **state)
{
    (void)state;
    good_keytab("a", 3);
    int64_t cpu;
    uint64_t memory;
    char path[KEY_CLIENT_PATH_MAX], fault[FAULT_MAX];
    struct key_holder_complaint complaint;
    struct key_client *client = start_client(path_of("a"), &patient);
    assert_true(ask(client, 0));
    assert_true(ask(client, 1));
    assert_null(key_client_unsealer(client, 2));
    struct key_client_snapshot s = snapshot(client);
    assert_true(s.running);
    assert_int_equal(s.restarts, 0);
    assert_int_equal(s.keytabs, 1);
    assert_int_equal(s.faulty, 0);
    assert_int_equal(s.holder.keys, 3);
    assert_int_equal(s.lines.answered, 2);
    key_client_usage(client, &cpu, &memory);
    assert_true(cpu > 0 && memory > 0);
    assert_true(key_client_keytab(client, 0, path, fault));
    assert_string_equal(path, path_of("a"));
    assert_string_equal(fault, "");
    assert_false(key_client_keytab(client, 1, path, fault));
    assert_false(key_client_complaint(client, 0, &complaint));

    pid_t processes[] = {key_client_process(client), holder_of(client)};
    for (int i = 0; i < 2; i++) {
        assert_true(status_has(processes[i], "Seccomp:\t2"));
        assert_true(status_has(processes[i], "NoNewPrivs:\t1"));
        assert_true(status_has(processes[i], "CapPrm:\t0000000000000000"));
        assert_true(status_has(processes[i], "CapBnd:\t0000000000000000") || geteuid() != 0);
        assert_true(status_has(processes[i], "Threads:\t1"));
    }
    assert_true(open_descriptors(processes[1]) <= 3 + 1 + 2);
    /* Who ends a service ends all of its processes: these wait for their parent. */
    for (int i = 0; i < 2; i++)
        assert_int_equal(kill(processes[i], SIGTERM), 0);
    assert_true(ask(client, 0));
    assert_true(ask(client, 1));
    key_client_destroy(&client);
    assert_null(client);
    assert_int_equal(kill(processes[0], 0), -1);
    wait_until(kill(processes[1], 0) != 0);
}

static void keytabs_that_cannot_be_used_are_named(void **state)
{
    (void)state;
    struct fault fault;
    static struct keytab_bytes k;
    good_keytab("open", 1);
    assert_int_equal(chmod(path_of("open"), 0644), 0);
    assert_null(new_client(path_of("open"), &fault));
    assert_non_null(strstr(fault.text, "/open can be read by others"));
    assert_null(new_client(path_of("nowhere"), &fault));
    assert_non_null(strstr(fault.text, "/nowhere: No such file"));

    make_keytab(&k, 2);
    k.size -= 7;
    write_keytab("damaged", &k, 0600);
    struct key_client *client = new_client(path_of("damaged"), &fault);
    assert_non_null(client);
    assert_false(key_client_start(client, 1, &patient, &fault));
    assert_non_null(strstr(fault.text, "/damaged: "));
    /* The rest goes on, and the file may become better. */
    assert_true(ask(client, 0));
    assert_int_equal(snapshot(client).faulty, 1);
    good_keytab("damaged", 4);
    wait_until(keys_of(client) == 4);
    assert_int_equal(snapshot(client).faulty, 0);
    key_client_destroy(&client);

    k.size = 0;
    write_keytab("empty", &k, 0600);
    client = new_client(path_of("empty"), &fault);
    assert_false(key_client_start(client, 1, &patient, &fault));
    assert_non_null(strstr(fault.text, "/empty: it is empty"));
    key_client_destroy(&client);

    const char *many[KEY_HOLDER_KEYTABS_MAX + 1];
    for (size_t i = 0; i < KEY_HOLDER_KEYTABS_MAX + 1; i++)
        many[i] = path_of("damaged");
    const struct key_client_config config = {
        .program = program, .keytabs = many, .keytab_count = KEY_HOLDER_KEYTABS_MAX + 1};
    assert_null(key_client_new(&config, &fault));
    assert_non_null(strstr(fault.text, "at most"));
}

static void a_changed_keytab_is_read_again(void **state)
{
    (void)state;
    good_keytab("b", 2);
    struct key_client *client = start_client(path_of("b"), &patient);
    assert_int_equal(keys_of(client), 2);
    good_keytab("b", 5);
    wait_until(keys_of(client) == 5);
    /* Damaged, it leaves those of before; readable for others, likewise. */
    static struct keytab_bytes k;
    make_keytab(&k, 9);
    k.size -= 3;
    write_keytab("b", &k, 0600);
    wait_until(snapshot(client).faulty == 1);
    assert_int_equal(keys_of(client), 5);
    make_keytab(&k, 9);
    write_keytab("b", &k, 0640);
    key_client_renew(client);
    char path[KEY_CLIENT_PATH_MAX], fault[FAULT_MAX];
    wait_until(key_client_keytab(client, 0, path, fault) && strstr(fault, "can be read by others"));
    assert_int_equal(keys_of(client), 5);
    assert_int_equal(chmod(path_of("b"), 0600), 0);
    key_client_renew(client);
    wait_until(keys_of(client) == 9);
    assert_int_equal(unlink(path_of("b")), 0);
    wait_until(keys_of(client) == 0);
    assert_true(ask(client, 0));
    key_client_destroy(&client);
}

static void who_is_killed_is_started_again(void **state)
{
    (void)state;
    good_keytab("c", 3);
    struct key_client *client = start_client(path_of("c"), &patient);
    for (unsigned i = 1; i <= 2; i++) {
        pid_t holder = holder_of(client);
        assert_true(holder > 0);
        assert_true(ask(client, 0));
        assert_int_equal(kill(holder, SIGKILL), 0);
        wait_until(snapshot(client).restarts ==
                   i); /* questions come back at once, though they may wait a minute */
        wait_until(snapshot(client).running && ask(client, 0));
        assert_true(ask(client, 1));
        assert_true(holder_of(client) != holder);
        assert_int_equal(keys_of(client), 3);
    }
    key_client_destroy(&client);
}

static void who_is_stopped_costs_a_bounded_time(void **state)
{
    (void)state;
    static const struct key_line_limits hasty = {
        .timeout = 5 * CLOCK_MILLISECOND, .pause = CLOCK_SECOND, .pause_max = CLOCK_SECOND};
    good_keytab("d", 3);
    struct key_client *client = start_client(path_of("d"), &hasty);
    pid_t holder = holder_of(client);
    assert_int_equal(kill(holder, SIGSTOP), 0);
    for (int i = 0; i < 10000; i++) /* minutes, if each were waited for */
        ask(client, 0);
    struct key_client_snapshot s;
    key_client_snapshot(client, &s);
    assert_true(s.lines.timed_out >= KEY_LINE_TIMEOUTS);
    assert_true(s.lines.timed_out + s.lines.skipped + s.lines.answered == s.lines.asked);
    assert_int_equal(kill(holder, SIGCONT), 0);
    wait_until(ask(client, 0));
    assert_int_equal(holder_of(client), holder);
    key_client_destroy(&client);
}

static void without_the_starter_all_stays_sealed(void **state)
{
    (void)state;
    good_keytab("e", 3);
    struct key_client *client = start_client(path_of("e"), &patient);
    pid_t holder = holder_of(client);
    assert_int_equal(kill(key_client_process(client), SIGKILL), 0);
    wait_until(!ask(client, 0));
    wait_until(kill(holder, 0) != 0 || status_has(holder, "State:\tZ")); /* it dies with its parent */
    wait_until(!snapshot(client).running);
    assert_false(ask(client, 1));
    key_client_destroy(&client);
}

static void without_the_program_there_is_a_reason(void **state)
{
    (void)state;
    good_keytab("f", 1);
    struct fault fault;
    const char *const keytabs[] = {path_of("f")};
    struct key_client_config config = {
        .program = "/nonexistent/picket-keys", .keytabs = keytabs, .keytab_count = 1};
    assert_null(key_client_new(&config, &fault));
    assert_string_equal(fault.text, "/nonexistent/picket-keys: No such file or directory");
    /* Another program, which ends at once. */
    config.program = "/bin/true";
    struct key_client *client = key_client_new(&config, &fault);
    assert_non_null(client);
    assert_false(key_client_start(client, 1, &patient, &fault));
    assert_string_equal(fault.text, "the process that holds the keys ended at once");
    assert_false(ask(client, 0));
    key_client_destroy(&client);
    /* Never started. */
    config.program = program;
    client = key_client_new(&config, &fault);
    assert_non_null(client);
    key_client_destroy(&client);
}

static void by_hand_it_is_of_no_use(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, 2);
        close(3);
        execl(program, "picket-keys", (char *)NULL);
        _exit(99);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 2);
}

/* --- the sandbox, in children --- */

#define check(what)                                                                                          \
    do {                                                                                                     \
        if (!(what)) {                                                                                       \
            fprintf(stderr, "not so: %s (%s)\n", #what, strerror(errno));                                    \
            _exit(1);                                                                                        \
        }                                                                                                    \
    } while (0)

static void in_the_sandbox(int last)
{
    struct fault fault = {0};
    unsigned got = 0;
    char byte;
    int pair[2];
    check(sandbox_starter(last, &got, &fault));
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    check(child > 0 && waitpid(child, NULL, 0) == child);
    check(sandbox_holder(&got, &fault));
    check(read(last, &byte, 1) == 1 && byte == 'x');
    check(fcntl(last + 1, F_GETFD) < 0);
    check(open("/etc/passwd", O_RDONLY) < 0 && errno == EPERM);
    check(open("/dev/null", O_WRONLY) < 0 && errno == EPERM);
    check(socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM);
    check(socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EPERM);
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 && errno == EPERM);
    check(execl("/bin/true", "true", (char *)NULL) < 0 && errno == EPERM);
    check(fork() < 0 && errno == EPERM);
    check(kill(getpid(), 0) < 0 && errno == EPERM);
    check(unlink("/nonexistent") < 0 && errno == EPERM);
    check(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
          errno == EPERM);
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(memory != MAP_FAILED);
    check(mprotect(memory, 4096, PROT_READ | PROT_EXEC) < 0 && errno == EPERM);
    check(mprotect(memory, 4096, PROT_READ) == 0);
    check(ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 && errno == EPERM);
    check(environ == NULL || !*environ);
}

static void nothing_can_be_opened_in_the_sandbox(void **state)
{
    (void)state;
    int inherited[2], status;
    assert_int_equal(pipe(inherited), 0);
    assert_int_equal(write(inherited[1], "x", 1), 1);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(inherited[0], 3);
        in_the_sandbox(3);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    close(inherited[0]);
    close(inherited[1]);
}

/* It forked once more on the way: nobody of them leaves a core behind. */
static void no_core_is_left(void **state)
{
    (void)state;
    int pair[2], status;
    assert_true(line_pair(pair));
    pid_t pid = fork();
    if (pid == 0) {
        unsigned got = 0;
        struct fault fault;
        signal(SIGSEGV, SIG_DFL);
        dup2(pair[1], 3);
        if (!sandbox_starter(3, &got, &fault) || !sandbox_holder(&got, &fault))
            _exit(1);
        raise(SIGSEGV);
        *(volatile int *)1 = 0;
        _exit(2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_false(WIFSIGNALED(status) && WCOREDUMP(status));
    close(pair[0]);
    close(pair[1]);
}

/* --- a holder at work, on a thread of the test's --- */

struct work {
    int control;
    bool fine;
    struct fault fault;
};

static void *work(void *context)
{
    struct work *w = context;
    w->fine = serve(w->control, SANDBOX_NO_NET, &w->fault);
    return NULL;
}

static struct order_report report_of(int control)
{
    static struct order_report report;
    uint8_t buffer[ORDER_REPORT_MAX];
    ssize_t got = recv(control, buffer, sizeof(buffer), 0);
    assert_true(got > 0);
    assert_true(order_report_read(&report, (struct bytes){buffer, (size_t)got}));
    return report;
}

static void send_order(int control, enum order_kind kind, const char *name, uint32_t index, int descriptor)
{
    static struct order order;
    uint8_t buffer[ORDER_MAX];
    order = (struct order){.kind = kind, .number = 42, .index = index};
    snprintf(order.name, sizeof(order.name), "%s", name);
    assert_true(line_send(control, order_write(&order, buffer), descriptor));
}

static void a_holder_at_work_takes_no_harm(void **state)
{
    (void)state;
    int control[2], line[2], other[2];
    pthread_t thread;
    uint8_t buffer[64];
    assert_true(line_pair(control));
    struct work w = {.control = control[1]};
    assert_int_equal(pthread_create(&thread, NULL, work, &w), 0);
    /* Nonsense. */
    assert_true(line_send(control[0], (struct bytes){(const uint8_t *)"nonsense", 8}, 0));
    static uint8_t large[ORDER_MAX + 100];
    assert_true(line_send(control[0], (struct bytes){large, sizeof(large)}, 0));
    send_order(control[0], ORDER_LINE, "", 0, -1);
    send_order(control[0], ORDER_LINE, "", 4711, 0);
    send_order(control[0], ORDER_STATUS, "", 0, 0);
    struct order_report report = report_of(control[0]);
    assert_int_equal(report.kind, ORDER_STATUS);
    assert_int_equal(report.number, 42);
    assert_int_equal(report.sandbox, SANDBOX_NO_NET);
    send_order(control[0], ORDER_COMPLAINTS, "", 1000000, -1);
    assert_int_equal(report_of(control[0]).complaint_count, 0);
    /* Keytabs. */
    good_keytab("g", 2);
    int fd = open(path_of("g"), O_RDONLY);
    send_order(control[0], ORDER_KEYTAB, "g", 0, fd);
    close(fd);
    assert_true(report_of(control[0]).fine);
    fd = open("/dev/null", O_RDONLY);
    send_order(control[0], ORDER_KEYTAB, "g", 0, fd);
    assert_false(report_of(control[0]).fine);
    close(fd);
    assert_int_equal(pipe(other), 0);
    send_order(control[0], ORDER_KEYTAB, "g", 0, other[0]);
    assert_false(report_of(control[0]).fine);
    close(other[0]);
    close(other[1]);
    fd = memfd_create("large", MFD_CLOEXEC);
    assert_int_equal(ftruncate(fd, (off_t)KEYTAB_BYTES_MAX + 1), 0);
    send_order(control[0], ORDER_KEYTAB, "g", 0, fd);
    assert_non_null(strstr(report_of(control[0]).text, "larger than 16 MiB"));
    close(fd);
    send_order(control[0], ORDER_STATUS, "", 0, -1);
    assert_int_equal(report_of(control[0]).status.keys, 2);
    send_order(control[0], ORDER_KEYTAB, "g", 0, -1);
    assert_true(report_of(control[0]).fine);
    send_order(control[0], ORDER_STATUS, "", 0, -1);
    assert_int_equal(report_of(control[0]).status.keys, 0);
    /* Lines: nonsense is dropped, what follows is answered; a second line takes the first's place. */
    const uint8_t question[] = {0, 0, 0, 9, 0, 0, 0, 1, 0xc0}, told[] = {0, 0, 0, 0, 0, 0, 0, 1, 0xc0};
    for (int i = 0; i < 2; i++) {
        assert_true(line_pair(line));
        send_order(control[0], ORDER_LINE, "", 5, line[1]);
        close(line[1]);
        assert_int_equal(send(line[0], "abc", 3, 0), 3);
        assert_int_equal(send(line[0], told, sizeof(told), 0), (ssize_t)sizeof(told));
        assert_int_equal(send(line[0], question, sizeof(question), 0), (ssize_t)sizeof(question));
        ssize_t got = recv(line[0], buffer, sizeof(buffer), 0);
        assert_true(got > 4);
        assert_int_equal(buffer[3], 9);
        if (i == 1)
            close(line[0]);
    }
    send_order(control[0], ORDER_STATUS, "", 0, -1);
    assert_int_equal(report_of(control[0]).kind, ORDER_STATUS);
    close(control[0]);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(w.fine);
    close(control[1]);
}

/* --- words --- */

static void complaints_are_fit_for_a_terminal(void **state)
{
    (void)state;
    char words[KEY_REPORT_MAX];
    struct key_holder_complaint c = {
        .result = UNSEAL_OTHER_KVNO, .etype = 18, .kvno = 3, .kvno_held = 2, .times = 12};
    strcpy(c.principal, "cifs/fs1@CORP.EXAMPLE");
    key_report_words(&c, words);
    assert_string_equal(words, "an old or newer key of cifs/fs1@CORP.EXAMPLE, version 3 "
                               "(aes256-cts-hmac-sha1-96), the keytab has version 2, 12 times");
    c = (struct key_holder_complaint){.result = UNSEAL_NO_KEY, .etype = 99, .times = 1};
    strcpy(c.principal, "a\x1b[2Jb@C");
    key_report_words(&c, words);
    assert_null(strchr(words, '\x1b'));
    assert_non_null(strstr(words, "(etype 99), 1 time"));
    static const int32_t etypes[] = {1, 3, 17, 19, 20, 23};
    for (size_t i = 0; i < sizeof(etypes) / sizeof(*etypes); i++) {
        c.result = i % 2 ? UNSEAL_WRONG_KEY : UNSEAL_ETYPE;
        c.etype = etypes[i];
        key_report_words(&c, words);
        assert_null(strstr(words, "etype "));
    }
    memset(c.principal, 'x', sizeof(c.principal) - 1);
    key_report_words(&c, words);
    assert_true(strlen(words) < KEY_REPORT_MAX);
}

static void what_is_told_is_whole(void **state)
{
    (void)state;
    good_keytab("h", 2);
    struct key_client *client = start_client(path_of("h"), &patient);
    struct json_writer w;
    struct bytes text;
    json_writer_init(&w, 65536);
    json_write_object(&w, NULL);
    key_report_json(&w, "keys", client);
    json_write_close(&w);
    assert_true(json_writer_done(&w, &text));
    assert_non_null(memmem(text.data, text.size, "\"running\":true", 14));
    json_writer_free(&w);
    char *printed = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&printed, &size);
    snapshot(client);
    key_report_print(client, file, stderr);
    key_report_print(client, NULL, stderr);
    fclose(file);
    assert_non_null(strstr(printed, "  keys: 2; unsealed: 0"));
    free(printed);
    key_client_destroy(&client);
}

static int begin(void **state)
{
    (void)state;
    place_open(&place);
    return 0;
}

static int end(void **state)
{
    (void)state;
    place_close(&place);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_answers_and_is_locked_up),
        cmocka_unit_test(keytabs_that_cannot_be_used_are_named),
        cmocka_unit_test(a_changed_keytab_is_read_again),
        cmocka_unit_test(who_is_killed_is_started_again),
        cmocka_unit_test(who_is_stopped_costs_a_bounded_time),
        cmocka_unit_test(without_the_starter_all_stays_sealed),
        cmocka_unit_test(without_the_program_there_is_a_reason),
        cmocka_unit_test(by_hand_it_is_of_no_use),
        cmocka_unit_test(nothing_can_be_opened_in_the_sandbox),
        cmocka_unit_test(no_core_is_left),
        cmocka_unit_test(a_holder_at_work_takes_no_harm),
        cmocka_unit_test(complaints_are_fit_for_a_terminal),
        cmocka_unit_test(what_is_told_is_whole),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
