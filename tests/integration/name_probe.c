/* SPDX-License-Identifier: Apache-2.0
 *
 * Active name resolution on the command line, for the test that runs it against real computers: name_probe
 * DNS-SERVER ADDRESS... ; each name that an address gives is a line "ADDRESS METHOD HOST DOMAIN".
 */
#include "base/clock.h"
#include "naming/name_asker.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static atomic_uint ended;

static void named(void *context, const struct ip_address *address, enum name_method method,
                  const struct name_answer *answer)
{
    char text[IP_ADDRESS_TEXT_MAX];
    (void)context;
    printf("%s %s %s %s\n", ip_address_text(address, text), name_method_name(method), answer->host,
           answer->domain[0] ? answer->domain : "-");
}

static void done(void *context, const struct ip_address *address)
{
    (void)context;
    (void)address;
    ended++;
}

int main(int argc, char **argv)
{
    static struct prober_network everywhere[] = {{{.family = 4}, 0}, {{.family = 6}, 0}};
    const struct timespec pause = {0, 10 * CLOCK_MILLISECOND};
    struct name_asker_config config = {.named = named, .done = done, .patience = 5 * CLOCK_SECOND};
    struct fault fault;
    unsigned asked = 0;
    prober_config_init(&config.prober);
    config.prober.networks = everywhere;
    config.prober.network_count = 2;
    for (unsigned i = 0; i < NAME_METHODS; i++)
        config.prober.methods[i] = true;
    if (argc < 3 || !ip_address_parse(argv[1], &config.dns_server.address)) {
        fprintf(stderr, "usage: name_probe DNS-SERVER ADDRESS...\n");
        return 2;
    }
    struct name_asker *asker = name_asker_start(&config, &fault);
    if (!asker) {
        fprintf(stderr, "name_probe: %s\n", fault.text);
        return 1;
    }
    for (int i = 2; i < argc; i++) {
        struct ip_address address;
        asked += ip_address_parse(argv[i], &address) && name_asker_ask(asker, &address);
    }
    while (ended < asked)
        nanosleep(&pause, NULL);
    name_asker_stop(&asker);
    return asked == (unsigned)argc - 2 ? 0 : 1;
}
