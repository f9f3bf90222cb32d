/* SPDX-License-Identifier: Apache-2.0
 *
 * What a node finds on its disk: a slot of the state, and files with a checksum. Checksums are put right
 * first, or nothing would ever get past them.
 */
#include <stdlib.h>

#include "cluster/crypto_sodium.h"
#include "cluster/state_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void read_slot(struct bytes slot)
{
    static uint8_t again[STATE_SLOT_MAX];
    uint64_t version;
    struct bytes payload;
    if (state_slot_read(slot, &version, &payload) != SLOT_GOOD)
        return;
    require(payload.size <= STATE_PAYLOAD_MAX);
    size_t size = state_slot_write(again, version, payload);
    require(size == slot.size && memcmp(again, slot.data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *input = malloc(size ? size : 1);
    struct bytes payload;
    memcpy(input, data, size);
    read_slot((struct bytes){input, size});
    if (size >= DIGEST_SIZE) {
        crypto_digest(input + size - DIGEST_SIZE, input, size - DIGEST_SIZE);
        read_slot((struct bytes){input, size});
        if (disk_open_checked(&payload, (struct bytes){input, size}, "picketP1"))
            require(payload.size + DISK_MAGIC_SIZE + DISK_CHECKSUM_SIZE == size);
    }
    free(input);
    return 0;
}
