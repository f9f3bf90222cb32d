/* SPDX-License-Identifier: Apache-2.0
 *
 * The readers of what the fleet signs. Signatures are taken as good, so that what is behind them is reached.
 * What was read is written again and must read the same.
 */
#include <stdlib.h>

#include "cluster/record.h"
#include "tests/fuzz/signatures.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static const struct cluster_crypto crypto = {.sign = sign_anything, .verify = verify_anything};
static const struct trust trust;

static void read_policy(struct bytes input, struct policy *policy)
{
    static uint8_t buffer[POLICY_MAX_SIZE];
    struct policy again;
    if (!policy_read(policy, input, &trust, &crypto))
        return;
    size_t size = policy_write(buffer, sizeof buffer, policy, &crypto);
    require(size > 0 && policy_read(&again, (struct bytes){buffer, size}, &trust, &crypto));
    require(again.version == policy->version && again.revoked_count == policy->revoked_count);
    for (unsigned i = 0; i < policy->revoked_count; i += 1 + policy->revoked_count / 7) {
        struct node_id id;
        memcpy(id.bytes, policy->revoked + (size_t)i * NODE_ID_SIZE, NODE_ID_SIZE);
        require(policy_revokes(policy, &id));
    }
}

static void read_record(struct bytes input, const struct policy *policy)
{
    static uint8_t buffer[RECORD_MAX_SIZE];
    static struct record record, again;
    struct record_head head;
    bool peeked = record_peek(&head, input);
    bool trusted = record_read_trusted(&record, input);
    if (record_read(&record, input, &trust, policy, &crypto))
        require(trusted);
    if (!trusted)
        return;
    require(peeked && head.incarnation == record.incarnation && head.revision == record.revision &&
            head.generation == record.certificate.generation &&
            node_id_equal(&head.id, &record.certificate.grant.id));
    size_t size = record_write(buffer, sizeof buffer, &record, record_certificate(input), &crypto);
    if (size == 0) /* numbers written long, or unknown keys: may have become longer or shorter, never wrong */
        return;
    require(record_read_trusted(&again, (struct bytes){buffer, size}));
    require(memcmp(&record, &again, sizeof record) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *input = malloc(size ? size : 1);
    struct policy policy;
    struct certificate certificate;
    struct grant grant;
    memcpy(input, data, size);
    struct bytes bytes = {input, size};

    read_policy(bytes, &policy);
    read_record(bytes, &policy);
    (void)grant_read(&grant, bytes, &trust, &crypto);
    if (certificate_read(&certificate, bytes, &trust, &policy, &crypto))
        require(certificate_grant(bytes).size > 0);
    free(input);
    return 0;
}
