/* SPDX-License-Identifier: Apache-2.0
 *
 * picket-center receive, and picket-center key.
 */
#include "base/log.h"
#include "base/notify.h"
#include "base/text.h"
#include "base/version.h"
#include "center/center_command.h"
#include "center/receiver.h"

#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

const char center_receive_options[] = "options:\n"
                                      "  --config FILE  configuration (" CENTER_CONFIG_FILE ")\n"
                                      "  --check        only says whether the configuration is right\n"
                                      "  --help         shows this help\n";

const char center_key_options[] = "options:\n"
                                  "  --config FILE  configuration (" CENTER_CONFIG_FILE ")\n"
                                  "  --help         shows this help\n";

int center_stop_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int center_reload_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void say_counters(const struct receiver *receiver)
{
    struct receiver_counters counters;
    receiver_counters(receiver, &counters);
#define SAY(name, doc)                                                                                       \
    if (counters.name)                                                                                       \
        log_notice("%s: %llu", doc, (unsigned long long)counters.name);
    RECEIVER_COUNTERS(SAY)
#undef SAY
}

static int receive(const struct center_config *config)
{
    struct fault fault;
    struct receiver *receiver = NULL;
    int stop = center_stop_signals(), lock = -1;
    if (center_prepare(config, &fault) && (lock = directory_lock(config->state, &fault)) >= 0)
        receiver = receiver_new(config, &fault);
    if (receiver) {
        log_notice("picket-center %s receives", picket_version());
        notify_send("READY=1");
        receiver_run(receiver, stop);
        notify_send("STOPPING=1");
        say_counters(receiver);
    } else {
        fprintf(stderr, "picket-center: %s\n", fault.text);
    }
    int status = receiver ? EXIT_FINE : EXIT_FAILED;
    receiver_destroy(&receiver);
    if (lock >= 0)
        close(lock);
    if (stop >= 0)
        close(stop);
    return status;
}

/* Of the commands that only want the configuration. */
struct center_options {
    const char *config;
    int check;
};

/* EXIT_FINE: go on, unless `*done` (help was wanted). */
static int parse(const char *name, int argc, char **argv, struct center_options *to, int *done)
{
    const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                     {"check", no_argument, &to->check, 1},
                                     {"help", no_argument, NULL, 'h'},
                                     {0}};
    *to = (struct center_options){.config = CENTER_CONFIG_FILE};
    *done = 0;
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'c') {
            to->config = optarg;
        } else if (c == 'h') {
            *done = 1;
            return center_help(name);
        } else if (c != 0) {
            return center_misused(name, "an option that is not known, or without its value");
        }
    }
    return optind < argc ? center_misused(name, "only options are wanted") : EXIT_FINE;
}

int center_configured(const char *name, int argc, char **argv,
                      bool (*check)(const struct center_config *config, struct fault *fault),
                      int (*run)(const struct center_config *config))
{
    struct fault fault;
    struct center_options options;
    int done, status = parse(name, argc, argv, &options, &done);
    if (status != EXIT_FINE || done)
        return status;
    struct center_config *config = center_config_load(options.config);
    if (!config)
        return EXIT_USAGE;
    if (!options.check) {
        status = run(config);
    } else if (check && !check(config, &fault)) {
        fprintf(stderr, "picket-center: %s: %s\n", options.config, fault.text);
        status = EXIT_USAGE;
    } else {
        printf("%s: fine\n", options.config);
    }
    center_config_free(&config);
    return status;
}

int center_receive(int argc, char **argv)
{
    return center_configured("receive", argc, argv, NULL, receive);
}

int center_key(int argc, char **argv)
{
    struct center_options options;
    struct fault fault;
    uint8_t public_key[CURVE_KEY_SIZE];
    char hex[2 * CURVE_KEY_SIZE + 1];
    int done, status = parse("key", argc, argv, &options, &done);
    if (status != EXIT_FINE || done)
        return status;
    struct center_config *config = center_config_load(options.config);
    if (!config)
        return EXIT_USAGE;
    uint8_t *secret = secret_alloc(CURVE_KEY_SIZE);
    if (secret && center_prepare(config, &fault) &&
        center_keys_load(config->state, public_key, secret, &fault)) {
        struct text text = text_to(hex, sizeof(hex));
        text_hex(&text, (struct bytes){public_key, sizeof(public_key)});
        text_end(&text);
        puts(hex);
    } else {
        fprintf(stderr, "picket-center: %s\n", secret ? fault.text : "no memory for secrets");
        status = EXIT_FAILED;
    }
    secret_free(secret);
    center_config_free(&config);
    return status;
}
