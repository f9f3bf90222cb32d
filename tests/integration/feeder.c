/* SPDX-License-Identifier: Apache-2.0
 *
 * feeder STATE SPOOL MEGABYTES RUN RATE COUNT SERVER...: outbox, spool and sender of a node as they ship, fed
 * with numbered activities instead of traffic: their time is RUN seconds and N nanoseconds after 1970. RATE a
 * second; after COUNT (0: never) it waits until all is acknowledged, says so and ends; SERVER is "HOST:PORT
 * KEY". Prints "kept N" for those that it was told are on the disk, and at the end how long it took, in ms,
 * until an activity was acknowledged by the center (half of them, 99 of 100, all), and "dropped N".
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

#define SAMPLES_MAX 65536u

static volatile sig_atomic_t ended;

/* The last activity of each step, and the entry of the spool that it is in at the latest. */
static struct {
    int64_t at[SAMPLES_MAX];
    uint64_t sequence[SAMPLES_MAX];
    uint32_t took[SAMPLES_MAX]; /* ms */
    unsigned count, acknowledged;
} samples;

static void take_sample(struct spool *spool, struct sender *sender)
{
    struct spool_status there;
    struct sender_status status;
    int64_t now = clock_monotonic(clock_system());
    spool_status(spool, &there);
    sender_status(sender, &status);
    for (unsigned i = samples.acknowledged; i < samples.count && samples.sequence[i] <= status.acknowledged;
         i = ++samples.acknowledged)
        samples.took[i] = (uint32_t)((now - samples.at[i]) / CLOCK_MILLISECOND);
    if (samples.count == SAMPLES_MAX)
        return;
    samples.at[samples.count] = now;
    samples.sequence[samples.count++] = there.last + 1;
}

static int ascending(const void *a, const void *b)
{
    const uint32_t *one = a, *other = b;
    return (*one > *other) - (*one < *other);
}

static void say_samples(void)
{
    unsigned n = samples.acknowledged;
    if (n == 0)
        return;
    qsort(samples.took, n, sizeof(*samples.took), ascending);
    printf("latency %u %u %u\n", samples.took[n / 2], samples.took[n - 1 - n / 100], samples.took[n - 1]);
}

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

static void feed(struct outbox *outbox, struct spool *spool, struct sender *sender, int64_t run,
                 uint64_t rate, uint64_t count)
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
        take_sample(spool, sender);
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
    feed(outbox, sender_config.spool, sender, atoi(words[3]), strtoull(words[4], NULL, 10),
         strtoull(words[5], NULL, 10));
    outbox_status(outbox, &kept);
    outbox_stop(&outbox);
    if (!ended)
        await_acknowledgement(sender, sender_config.spool);
    say_samples();
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
