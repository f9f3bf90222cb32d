/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_spool DIRECTORY MEGABYTES: how fast the spool writes batches of 256 KiB that do not compress, synced
 * every half second and at the end; MB/s.
 */
#include "node/spool.h"
#include "base/clock.h"
#include "cluster/crypto_sodium.h"

#include <stdio.h>
#include <stdlib.h>

#define PAYLOAD  (256u << 10)
#define SEGMENTS 32u

int main(int argc, char **argv)
{
    static uint8_t payload[PAYLOAD];
    struct fault fault;
    size_t wanted = argc == 3 ? (size_t)atoi(argv[2]) << 20 : 0, written = 0;
    if (wanted == 0 || !crypto_sodium_start())
        return 2;
    const struct spool_config config = {.disk = disk_system(),
                                        .directory = argv[1],
                                        .segments = SEGMENTS,
                                        .segment_bytes = wanted / (SEGMENTS - 2)};
    crypto_random(payload, sizeof payload);
    struct spool *spool = directory_prepare(argv[1], &fault) ? spool_open(&config, &fault) : NULL;
    if (!spool) {
        fprintf(stderr, "%s\n", fault.text);
        return 1;
    }
    int64_t began = clock_monotonic(clock_system()), synced = began;
    for (; written < wanted; written += PAYLOAD) {
        int64_t now = clock_monotonic(clock_system());
        if (spool_append(spool, SPOOL_ACTIVITIES, 1, (struct bytes){payload, PAYLOAD}, false) != SPOOL_KEPT)
            return 1;
        if (now - synced > 500 * CLOCK_MILLISECOND && spool_sync(spool))
            synced = now;
    }
    if (!spool_sync(spool))
        return 1;
    double seconds = (double)(clock_monotonic(clock_system()) - began) / 1e9;
    printf("%.0f\n", (double)written / 1e6 / seconds);
    spool_close(&spool);
    return 0;
}
