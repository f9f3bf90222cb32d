/* SPDX-License-Identifier: Apache-2.0 */
#include "events/evtx_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNKS_MAX 0x100000u /* 64 GiB */

/* All that is there of `size` bytes from `offset`. */
static int64_t read_at(int descriptor, void *to, size_t size, uint64_t offset)
{
    size_t have = 0;
    while (have < size) {
        ssize_t n = pread(descriptor, (uint8_t *)to + have, size - have, (off_t)(offset + have));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        have += (size_t)n;
    }
    return (int64_t)have;
}

int64_t evtx_file_chunk(int descriptor, uint32_t place, uint8_t *to, size_t size)
{
    return read_at(descriptor, to, size, EVTX_HEADER_BYTES + (uint64_t)place * EVTX_CHUNK_BYTES);
}

/* A log that was closed says how many chunks are in use: behind them may stand what was cleared. One that was
 * copied while it was written to may say too few; what is unused in it is empty. */
bool evtx_file_header(int descriptor, struct evtx_header *header, uint32_t *chunks)
{
    uint8_t bytes[EVTX_HEADER_BYTES];
    struct stat stat;
    int64_t size = read_at(descriptor, bytes, sizeof(bytes), 0);
    *chunks = 0;
    if (size < 0 || fstat(descriptor, &stat) != 0 ||
        !evtx_read_header((struct bytes){bytes, (size_t)size}, header))
        return false;
    uint64_t rest = stat.st_size > EVTX_HEADER_BYTES ? (uint64_t)stat.st_size - EVTX_HEADER_BYTES : 0;
    uint64_t there = (rest + EVTX_CHUNK_BYTES - 1) / EVTX_CHUNK_BYTES;
    bool is_true = !header->dirty && !header->bad_checksum && header->chunks <= there;
    *chunks = is_true ? header->chunks : there < CHUNKS_MAX ? (uint32_t)there : CHUNKS_MAX;
    return true;
}

bool evtx_file_read(int descriptor, const struct evtx_file_config *config, struct evtx_counters *counters,
                    struct fault *fault)
{
    struct evtx_header header;
    uint32_t chunks;
    int64_t size = 0;
    if (!evtx_file_header(descriptor, &header, &chunks))
        return fault_say(fault, "not an event log, or damaged from its beginning");
    counters->bad_checksums += header.bad_checksum;
    struct evtx *evtx = evtx_new();
    uint8_t *bytes = malloc(EVTX_CHUNK_BYTES);
    if (!evtx || !bytes)
        fault_say(fault, "%s", strerror(ENOMEM));
    bool is_fine = evtx && bytes;
    for (uint32_t i = 0; is_fine && i < chunks; i++) {
        size = evtx_file_chunk(descriptor, i, bytes, EVTX_CHUNK_BYTES);
        if (size <= 0)
            break;
        evtx_chunk(evtx, (struct bytes){bytes, (size_t)size}, 0, config->sink, config->context, counters);
        if (config->progress)
            config->progress(config->context, EVTX_HEADER_BYTES + (i + UINT64_C(1)) * EVTX_CHUNK_BYTES);
    }
    if (is_fine && size < 0)
        is_fine = fault_say(fault, "%s", strerror(errno));
    free(bytes);
    evtx_destroy(&evtx);
    return is_fine;
}
