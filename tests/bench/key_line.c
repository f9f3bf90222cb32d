/* SPDX-License-Identifier: Apache-2.0
 *
 * What a question to the holder of keys costs: bench_key_line [PICKET-KEYS [questions]]. The holder's own
 * work is left out: the question is one that it refuses at once, with as many bytes as a ticket or a sealed
 * PDU has.
 */
#include "base/msgpack.h"
#include "node/key_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t spent(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (int64_t)t.tv_sec * CLOCK_SECOND + t.tv_nsec;
}

static void measure(struct key_client *client, size_t size, unsigned count)
{
    static uint8_t buffer[UNSEAL_REQUEST_MAX];
    const struct unsealer *unsealer = key_client_unsealer(client, 0);
    struct msgpack_writer w;
    struct bytes answer;
    int64_t before, after;
    uint64_t memory;
    unsigned answered = 0;
    msgpack_writer_init(&w, buffer, sizeof(buffer));
    msgpack_put_array(&w, 2);
    msgpack_put_uint(&w, 100);
    msgpack_put_binary(&w, buffer + 64, size);
    key_client_refresh(client);
    key_client_usage(client, &before, &memory);
    int64_t wall = spent(CLOCK_MONOTONIC), cpu = spent(CLOCK_THREAD_CPUTIME_ID);
    for (unsigned i = 0; i < count; i++)
        answered += unsealer->ask(unsealer->context, (struct bytes){buffer, w.size}, &answer);
    wall = spent(CLOCK_MONOTONIC) - wall;
    cpu = spent(CLOCK_THREAD_CPUTIME_ID) - cpu;
    key_client_refresh(client);
    key_client_usage(client, &after, &memory);
    printf("%6zu bytes: %.1f us for a question and its answer; CPU %.1f us of who asks, %.1f us of the "
           "holder; %u of %u "
           "answered; holder %" PRIu64 " KiB\n",
           size, (double)wall / count / 1e3, (double)cpu / count / 1e3,
           (double)(after - before) / count / 1e3, answered, count, memory / 1024);
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = {64, 1500, 8192, 65536};
    const struct key_client_config config = {.program = argc > 1 ? argv[1] : NULL};
    unsigned count = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 20000;
    struct fault fault;
    struct key_client *client = key_client_new(&config, &fault);
    if (!client || !key_client_start(client, 1, &key_line_file, &fault)) {
        fprintf(stderr, "bench_key_line: %s\n", fault.text);
        key_client_destroy(&client);
        return 1;
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        measure(client, sizes[i], count);
    key_client_destroy(&client);
    return 0;
}
