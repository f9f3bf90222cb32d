/* SPDX-License-Identifier: Apache-2.0
 *
 * feeder STATE SPOOL MEGABYTES RUN RATE COUNT SERVER...: outbox, spool and sender of a node as they ship, fed
 * with numbered activities instead of traffic: their time is RUN seconds and N nanoseconds after 1970. RATE a
 * second; after COUNT (0: never) it waits until all is acknowledged, says so and ends; SERVER is "HOST:PORT
 * KEY". Prints "kept N" for those that it was told are on the disk, and at the end "dropped N".
 */
#include "base/clock.h"
#include "base/log.h"
#include "cluster/crypto_sodium.h"
#include "node/outbox.h"
#include "node/sender.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SEGMENTS   32u
#define KEPT_EVERY 16u /* of the activities are waited for */
#define STEP       (5 * CLOCK_MILLISECOND)

static volatile sig_atomic_t ended;

static void end(int signal)
{
    (void)signal;
    ended = 1;
}

static void tell_kept(void *context, uint64_t tag)
{
    (void)context;
    printf("kept %" PRIu64 "\n", tag);
    fflush(stdout);
}

static void feed(struct outbox *outbox, int64_t run, uint64_t rate, uint64_t count)
{
    static struct activity_writer writer;
    int64_t began = clock_monotonic(clock_system());
    uint64_t n = 0;
    while (!ended && (count == 0 || n < count)) {
        uint64_t due = (uint64_t)(clock_monotonic(clock_system()) - began) / 1000 * rate /
                       (uint64_t)(CLOCK_SECOND / 1000);
        for (; n < due && (count == 0 || n < count); n++) {
            activity_begin(&writer, ACTIVITY_KERBEROS_AS, run * CLOCK_SECOND + (int64_t)n + 1);
            outbox_record(outbox, activity_finish(&writer), (n + 1) % KEPT_EVERY ? 0 : n + 1);
        }
        usleep(STEP / 1000);
    }
}

static void await_acknowledgement(struct sender *sender, struct spool *spool)
{
    struct sender_status status;
    do {
        usleep(20000);
        sender_status(sender, &status);
    } while (!ended && (status.durable < spool_durable(spool) || status.acknowledged < status.durable));
    if (!ended)
        printf("acknowledged\n");
}

static int run(char **words, int servers)
{
    struct fault fault;
    struct outbox_status kept;
    struct spool_config spool_config = {.disk = disk_system(),
                                        .directory = words[1],
                                        .segments = SEGMENTS,
                                        .segment_bytes = (size_t)atoi(words[2]) * 1024 * 1024 / SEGMENTS};
    struct sender_config sender_config = {
        .disk = disk_system(), .state = words[0], .window = 4u << 20, .server_count = (unsigned)servers};
    for (int i = 0; i < servers; i++)
        if (!sender_server_parse(&sender_config.servers[i], words[6 + i]))
            return 2;
    if (!directory_prepare(words[1], &fault) || !(sender_config.spool = spool_open(&spool_config, &fault))) {
        fprintf(stderr, "%s\n", fault.text);
        return 1;
    }
    const struct outbox_config outbox_config = {
        .spool = sender_config.spool, .interval = 200 * CLOCK_MILLISECOND, .kept = tell_kept};
    struct outbox *outbox = outbox_start(&outbox_config, &fault);
    struct sender *sender = sender_start(&sender_config, &fault);
    if (!outbox || !sender) {
        fprintf(stderr, "%s\n", fault.text);
        return 1;
    }
    feed(outbox, atoi(words[3]), strtoull(words[4], NULL, 10), strtoull(words[5], NULL, 10));
    outbox_status(outbox, &kept);
    outbox_stop(&outbox);
    if (!ended)
        await_acknowledgement(sender, sender_config.spool);
    printf("dropped %" PRIu64 "\n", kept.dropped);
    sender_stop(&sender);
    spool_close(&sender_config.spool);
    return 0;
}

int main(int argc, char **argv)
{
    const struct sigaction action = {.sa_handler = end};
    if (argc < 8 || argc > 7 + (int)SENDER_SERVERS || !crypto_sodium_start())
        return 2;
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    log_set_form(LOG_FORM_PLAIN);
    log_set_level(LOG_LEVEL_INFO);
    return run(argv + 1, argc - 7);
}
