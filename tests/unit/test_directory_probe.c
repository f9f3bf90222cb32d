/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "node/directory_probe.h"

#include "unit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static int listen_somewhere(char *port, size_t capacity)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(descriptor, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(descriptor, 128), 0);
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)&address, &size), 0);
    snprintf(port, capacity, "%u", ntohs(address.sin_port));
    return descriptor;
}

static void addresses_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *domain, *host, *port;
    } good[] = {
        {"corp.example dc1", "corp.example", "dc1", "389"},
        {"Corp.Example \t dc1:3890", "corp.example", "dc1", "3890"},
        {"d 192.0.2.1:1", "d", "192.0.2.1", "1"},
        {"d [2001:db8::1]", "d", "2001:db8::1", "389"},
        {"d [2001:db8::1]:636", "d", "2001:db8::1", "636"},
        {"d 2001:db8::1", "d", "2001:db8::1", "389"},
    };
    static const char *const bad[] = {"",          "d",          " d",   "d ",   "d h:",   "d h:x", "d h:0",
                                      "d h:65536", "d h:123456", "d []", "d [x", "d [x]y", "d h i", "d :1"};
    struct directory_address address;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(directory_address_read(&address, good[i].text));
        assert_string_equal(address.domain, good[i].domain);
        assert_string_equal(address.host, good[i].host);
        assert_string_equal(address.port, good[i].port);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (directory_address_read(&address, bad[i]))
            fail_msg("taken: %s", bad[i]);
}

static bool await(struct directory_probe *probe, const char *domain, bool reachable)
{
    for (int i = 0; i < 1200; i++) {
        struct directory_state state;
        bool tried = directory_probe_state(probe, 0, &state) && state.tried > 0;
        if (tried && directory_probe_reachable(probe, domain) == reachable)
            return true;
        usleep(50000);
    }
    return false;
}

static void reachability_follows_the_controller(void **state)
{
    (void)state;
    struct directory_address addresses[3] = {
        {.domain = "corp.example", .host = "127.0.0.1"},
        {.domain = "other.example", .host = "no-such-host.invalid", .port = "389"},
        {.domain = "six.example", .host = "::1", .port = "1"},
    };
    int listener = listen_somewhere(addresses[0].port, sizeof(addresses[0].port));
    struct directory_probe *probe = directory_probe_start(addresses, 3, 50 * CLOCK_MILLISECOND);
    struct directory_state now;
    assert_non_null(probe);
    assert_true(await(probe, "corp.example", true));
    assert_true(await(probe, "other.example", false));
    assert_true(directory_probe_reachable(probe, "unknown.example")); /* nobody told where it is */
    close(listener);
    assert_true(await(probe, "corp.example", false));
    assert_true(directory_probe_state(probe, 0, &now));
    assert_string_equal(now.domain, "corp.example");
    assert_true(strlen(now.reason) > 0);
    assert_true(directory_probe_state(probe, 2, &now));
    assert_string_equal(now.address, "[::1]:1");
    assert_false(directory_probe_state(probe, 3, &now));
    directory_probe_stop(&probe);
    assert_null(probe);
    directory_probe_stop(&probe);
}

static void nothing_to_try(void **state)
{
    (void)state;
    struct directory_probe *probe = directory_probe_start(NULL, 0, CLOCK_HOUR);
    assert_true(directory_probe_reachable(probe, "corp.example"));
    directory_probe_stop(&probe); /* does not wait for the hour */
    assert_null(directory_probe_start(NULL, DIRECTORIES_MAX + 1, CLOCK_SECOND));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(reachability_follows_the_controller),
        cmocka_unit_test(nothing_to_try),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
