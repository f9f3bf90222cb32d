/* SPDX-License-Identifier: Apache-2.0
 *
 * picketd's configuration, as the parts get it; values of options; what is said to the service manager.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "node/node_config.h"
#include "node/option.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct node_config *load(const char *text)
{
    char path[] = "/tmp/picket-config-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, text, strlen(text)), strlen(text));
    close(descriptor);
    struct node_config *config = node_config_load(path);
    unlink(path);
    return config;
}

static void an_empty_file_is_enough(void **state)
{
    (void)state;
    struct node_config *config = load("");
    assert_non_null(config);
    assert_string_equal(config->state, "/var/lib/picket");
    assert_string_equal(config->socket, "/run/picket/control");
    assert_string_equal(config->group, "picket");
    assert_null(config->administrators);
    assert_string_equal(config->fleet, "");
    assert_true(strlen(config->name) > 0);
    assert_int_equal(config->driver.listen_count, 1);
    assert_string_equal(config->driver.listen[0], "[::]:49200");
    assert_string_equal(config->driver.enrolment, "[::]:49201");
    assert_int_equal(config->driver.enrolment_port, 49201);
    assert_int_equal(config->driver.timers.replace_after, 30 * 60 * 1000);
    assert_true(config->driver.candidate);
    assert_int_equal(config->capture.interfaces_count, 0);
    node_config_free(&config);
    assert_null(config);
}

static void all_of_it_arrives(void **state)
{
    (void)state;
    struct node_config *config = load(
        "node\n    name = dc1\n    state = /s\n    log-level = debug\n"
        "control\n    socket = /c\n    group = g\n    administrators = a\n"
        "cluster\n    fleet = corp\n    listen = 192.0.2.1:1000, [2001:db8::1]:1001\n"
        "    seeds = dc2 dc2.corp.example:49200, dc3 [2001:db8::3]:49200\n    enrolment = 192.0.2.1:1002\n"
        "    members-max = 100\n    history = 50\n"
        "synchronizer\n    replace-after = 20s\n    candidate = no\n    min-observers = 3\n"
        "directory\n    controllers = corp.example dc1, Corp.Example 192.0.2.9:3890, eu.example "
        "[2001:db8::9]\n"
        "    watched = dc1.corp.example\n    period = 5s\n"
        "capture\n    interfaces = lo\n");
    assert_non_null(config);
    log_set_level(LOG_LEVEL_NOTICE);
    assert_string_equal(config->name, "dc1");
    assert_string_equal(config->administrators, "a");
    assert_string_equal(config->fleet, "corp");
    const struct driver_config *driver = &config->driver;
    assert_int_equal(driver->listen_count, 2);
    assert_string_equal(driver->listen[1], "[2001:db8::1]:1001");
    /* What it listens on is what others are told. */
    assert_int_equal(driver->endpoint_count, 2);
    assert_string_equal(driver->endpoints[0], "192.0.2.1:1000");
    assert_int_equal(driver->seed_count, 2);
    assert_string_equal(driver->seeds[1].name, "dc3");
    assert_string_equal(driver->seeds[1].endpoint, "[2001:db8::3]:49200");
    assert_int_equal(driver->members_max, 100);
    assert_int_equal(driver->history_size, 50);
    assert_int_equal(driver->timers.replace_after, 20000);
    assert_int_equal(driver->min_observers, 3);
    assert_false(driver->candidate);
    assert_int_equal(driver->controller_count, 1);
    assert_int_equal(config->directory_count, 3);
    assert_string_equal(config->directories[1].domain, "corp.example");
    assert_string_equal(config->directories[1].port, "3890");
    assert_int_equal(config->directory_period, 5 * CLOCK_SECOND);
    assert_int_equal(config->capture.interfaces_count, 1);
    assert_non_null(config->capture.filter);
    node_config_free(&config);
}

static void what_is_advertised(void **state)
{
    (void)state;
    struct node_config *config = load("cluster\n    advertise = none\n");
    assert_int_equal(config->driver.endpoint_count, 0);
    node_config_free(&config);
    config = load("cluster\n    advertise = sensor.corp.example:49200, 192.0.2.7:49200\n");
    assert_int_equal(config->driver.endpoint_count, 2);
    assert_string_equal(config->driver.endpoints[0], "sensor.corp.example:49200");
    node_config_free(&config);
    /* The host's own addresses: never loopback's, never those of one link. */
    config = load("cluster\n    listen = 0.0.0.0:7\n");
    for (unsigned i = 0; i < config->driver.endpoint_count; i++) {
        assert_null(strstr(config->driver.endpoints[i], "127."));
        assert_null(strchr(config->driver.endpoints[i], '['));
        assert_non_null(strstr(config->driver.endpoints[i], ":7"));
    }
    node_config_free(&config);
    config = load("cluster\n    listen = [::]:7\n");
    for (unsigned i = 0; i < config->driver.endpoint_count; i++)
        assert_null(strstr(config->driver.endpoints[i], "fe80"));
    node_config_free(&config);
}

static void faults_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "cluster\n    nonsense = 1\n",
        "cluster\n    seeds = lonely\n",
        "cluster\n    seeds = name host\n",
        "cluster\n    seeds = name host:1 more\n",
        "cluster\n    advertise = host\n",
        "cluster\n    advertise = a:1, b:1, c:1, d:1, e:1\n",
        "directory\n    controllers = corp.example\n",
        "directory\n    controllers = corp.example dc1:0\n",
        "directory\n    controllers = corp.example dc1:99999\n",
        "directory\n    controllers = corp.example dc1 more\n",
        "directory\n    controllers = corp.example [2001:db8::1\n",
        "directory\n    watched = a, b, c, d, e, f, g, h, i\n",
        "synchronizer\n    replace-after = 1s\n",
        "governor\n    reserve-cpu = 14\n",
        "metrics\n    listen = 0.0.0.0:9464\n",
        "metrics\n    listen = [::]:9464\n",
        "metrics\n    listen = 192.0.2.1:9464\n",
        "governor\n    reserve-memory = 0\n",
        "governor\n    reserve-cpu = 96\n",
        "capture\n    interfaces = lo\n    bpf = nonsense of a filter\n",
        "node\n    name = 0123456789012345678901234567890123456789012345678901234567890123\n",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct node_config *config = load(wrong[i]);
        if (config)
            fail_msg("taken: %s", wrong[i]);
    }
    assert_null(node_config_load("/nonexistent/picketd.conf"));
}

/* More may be kept free, never less; and the fault says why. */
static void the_reserve_grows_only(void **state)
{
    (void)state;
    struct node_config *config = load("governor\n    reserve-cpu = 15\n    reserve-memory = 40\n");
    assert_non_null(config);
    assert_int_equal(config->reserve_cpu, 15);
    assert_int_equal(config->reserve_memory, 40);
    node_config_free(&config);
    char said[512] = "";
    int saved = dup(STDERR_FILENO), pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    dup2(pipe_ends[1], STDERR_FILENO);
    config = load("governor\n    reserve-memory = 5\n");
    dup2(saved, STDERR_FILENO);
    ssize_t size = read(pipe_ends[0], said, sizeof(said) - 1);
    close(saved);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    assert_null(config);
    assert_true(size > 0);
    assert_non_null(strstr(said, "governor/reserve-memory: 5: at least 15 % of the host stay free"));
}

static void numbers_of_options(void **state)
{
    (void)state;
    int64_t number;
    assert_true(option_number("5", 1, 10, &number));
    assert_int_equal(number, 5);
    assert_false(option_number("", 0, 10, &number));
    assert_false(option_number("5x", 0, 10, &number));
    assert_false(option_number("11", 1, 10, &number));
    assert_false(option_number("0", 1, 10, &number));
    assert_false(option_number("99999999999999999999", 0, INT64_MAX, &number));
    assert_int_equal(option_memory("16"), 16u << 20);
    assert_int_equal(option_memory("15"), 0);
    assert_int_equal(option_memory("x"), 0);
}

/* --- the service manager --- */

static int listen_for_notes(char *path, size_t capacity, bool abstract)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(path, capacity, "%s/tmp/picket-notify-%d", abstract ? "@" : "", (int)getpid());
    memcpy(address.sun_path, path, strlen(path));
    if (abstract)
        address.sun_path[0] = '\0';
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    assert_int_equal(bind(descriptor, (struct sockaddr *)&address, size), 0);
    return descriptor;
}

static void the_service_manager_hears(void **state)
{
    (void)state;
    for (int abstract = 0; abstract < 2; abstract++) {
        char path[108], text[64] = {0};
        int descriptor = listen_for_notes(path, sizeof(path), abstract);
        setenv("NOTIFY_SOCKET", path, 1);
        notify_send("READY=1");
        assert_int_equal(recv(descriptor, text, sizeof(text), 0), 7);
        assert_string_equal(text, "READY=1");
        close(descriptor);
        if (!abstract)
            unlink(path);
    }
    log_set_level(LOG_LEVEL_ERROR);
    notify_send("READY=1"); /* it is gone */
    log_set_level(LOG_LEVEL_NOTICE);
    setenv("NOTIFY_SOCKET", "relative", 1);
    notify_send("READY=1");
    unsetenv("NOTIFY_SOCKET");
    notify_send("READY=1");
}

static void signs_of_life_are_due_by_half_the_time(void **state)
{
    (void)state;
    char pid[16];
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
    assert_int_equal(notify_watchdog(), 0);
    setenv("WATCHDOG_USEC", "60000000", 1);
    assert_int_equal(notify_watchdog(), 30000);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(notify_watchdog(), 30000);
    setenv("WATCHDOG_PID", "1", 1); /* meant for another process */
    assert_int_equal(notify_watchdog(), 0);
    unsetenv("WATCHDOG_PID");
    setenv("WATCHDOG_USEC", "10", 1);
    assert_int_equal(notify_watchdog(), 1);
    setenv("WATCHDOG_USEC", "x", 1);
    assert_int_equal(notify_watchdog(), 0);
    unsetenv("WATCHDOG_USEC");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_is_enough),   cmocka_unit_test(all_of_it_arrives),
        cmocka_unit_test(what_is_advertised),        cmocka_unit_test(faults_are_refused),
        cmocka_unit_test(the_reserve_grows_only),    cmocka_unit_test(numbers_of_options),
        cmocka_unit_test(the_service_manager_hears), cmocka_unit_test(signs_of_life_are_due_by_half_the_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
