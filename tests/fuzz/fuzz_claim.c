/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader of claims. Signatures are taken as good. What was read is written again and must read the same.
 */
#include <stdlib.h>

#include "cluster/claim.h"
#include "tests/fuzz/signatures.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static uint64_t draw(void *context, const void *data, size_t size)
{
    (void)context;
    const uint8_t *bytes = data;
    uint64_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = sum * 31 + bytes[i];
    return sum;
}

static const struct cluster_crypto crypto = {.sign = sign_anything, .draw = draw};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct claim claim, again;
    uint8_t buffer[CLAIM_MAX_SIZE];
    if (!claim_read(&claim, (struct bytes){data, size}))
        return 0;
    size_t written = claim_write(buffer, sizeof buffer, &claim, &crypto);
    require(written > 0 && written <= size);
    require(claim_read(&again, (struct bytes){buffer, written}));
    require(claim_compare(&claim, &again) == 0 && claim_token_compare(&claim, &again) == 0);
    require(strcmp(claim.domain, again.domain) == 0 && claim.cause == again.cause);
    (void)claim_drawn(&claim, &crypto);
    return 0;
}
