/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may deliver, and what is taken for a batch.
 */
#include "base/activity.h"
#include "base/batch.h"
#include "center/admission.h"
#include "center/batch_check.h"
#include "tests/unit/fleet.h"

#include <stdlib.h>

static struct fleet fleet;
static struct fleet_node node, other;
static struct admission admission;

static int make(void **state)
{
    (void)state;
    fleet_open(&fleet);
    fleet_node_open(&fleet, &node, 5, true);
    fleet_node_open(&fleet, &other, 6, false);
    return admission_init(&admission, fleet.trust.authority, (struct bytes){NULL, 0}) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    fleet_node_close(&node);
    fleet_node_close(&other);
    fleet_close(&fleet);
    return 0;
}

static struct delivery_message hello_of(const struct fleet_node *from)
{
    return (struct delivery_message){.type = DELIVERY_HELLO,
                                     .version = DELIVERY_VERSION,
                                     .node = {from->certificate.grant.id.bytes, NODE_ID_SIZE},
                                     .certificate = {from->encoded, from->encoded_size}};
}

static bool admits(const struct fleet_node *from, const struct delivery_message *hello)
{
    uint8_t key[CURVE_KEY_SIZE];
    struct certificate certificate;
    struct fault fault;
    assert_true(crypto_curve_public(key, from->certificate.public_key));
    return admission_check(&admission, hello, key, &certificate, &fault);
}

static void nodes_of_the_fleet_are_admitted(void **state)
{
    (void)state;
    struct delivery_message first = hello_of(&fleet.enroller), second = hello_of(&node);
    struct delivery_message third = hello_of(&other);
    assert_true(admits(&fleet.enroller, &first)); /* bound by the authority itself */
    assert_false(admits(&node, &second));         /* who its enroller is the policy tells */
    assert_true(admission_learn(&admission, fleet_bytes(fleet.policy_encoded, fleet.policy_size)));
    assert_true(admits(&node, &second));
    assert_true(admits(&other, &third));
    assert_false(admits(&other, &second)); /* another one's certificate */
    second.node = third.node;
    assert_false(admits(&node, &second)); /* another one's id */
    second = hello_of(&node);
    second.version++;
    assert_false(admits(&node, &second));
    second = hello_of(&node);
    second.certificate.size--;
    assert_false(admits(&node, &second));
    struct admission stranger;
    assert_true(admission_init(&stranger, node.certificate.public_key, (struct bytes){NULL, 0}));
    assert_false(admission_learn(&stranger, fleet_bytes(fleet.policy_encoded, fleet.policy_size)));
    assert_false(admission_init(&stranger, node.certificate.public_key,
                                fleet_bytes(fleet.policy_encoded, fleet.policy_size)));
}

static void the_newest_policy_counts(void **state)
{
    (void)state;
    static uint8_t old[POLICY_MAX_SIZE];
    size_t old_size = fleet.policy_size;
    struct delivery_message hello = hello_of(&node);
    memcpy(old, fleet.policy_encoded, old_size);
    assert_true(admission_learn(&admission, fleet_bytes(old, old_size)));
    struct policy policy = fleet.policy;
    policy.version++;
    policy.revoked = node.certificate.grant.id.bytes;
    policy.revoked_count = 1;
    fleet_write_policy(&fleet, &policy);
    assert_true(admission_learn(&admission, fleet_bytes(fleet.policy_encoded, fleet.policy_size)));
    assert_false(admits(&node, &hello));
    assert_false(admission_learn(&admission, fleet_bytes(old, old_size)));
    assert_false(admits(&node, &hello));
    fleet.policy_encoded[10] ^= 1;
    assert_false(admission_learn(&admission, fleet_bytes(fleet.policy_encoded, fleet.policy_size)));
}

/* --- batches --- */

static uint8_t frames[65536];
static size_t frames_size;

static void keep_frame(void *context, struct bytes frame)
{
    (void)context;
    assert_true(frames_size + frame.size <= sizeof frames);
    memcpy(frames + frames_size, frame.data, frame.size);
    frames_size += frame.size;
}

static struct bytes batch_of(const struct batch_form *form, struct bytes record, bool fence)
{
    uint8_t pairs[BATCH_FENCE_MAX];
    const struct batch_fence some = {.domain = "corp.example", .term = 3, .sequence = 4};
    struct batch_writer *writer = batch_writer_new_of(form, 1, keep_frame, NULL);
    frames_size = 0;
    if (fence)
        batch_writer_set_pairs(writer, fleet_bytes(pairs, batch_fence_write(pairs, &some)),
                               BATCH_FENCE_PAIRS);
    batch_writer_add(writer, record);
    batch_writer_add(writer, record);
    batch_writer_flush(writer);
    batch_writer_destroy(&writer);
    return fleet_bytes(frames, frames_size);
}

static void only_whole_batches_are_taken(void **state)
{
    (void)state;
    static struct activity_writer writer;
    struct batch_check *check = batch_check_new();
    struct batch_found found;
    activity_begin(&writer, ACTIVITY_KERBEROS_AS, 5);
    struct bytes record = activity_finish(&writer), map = fleet_bytes("\x80", 1),
                 nil = fleet_bytes("\xc0", 1);
    struct bytes payload = batch_of(&batch_activities, record, false);
    batch_check_payload(check, DELIVERY_ACTIVITIES, payload, &found);
    assert_null(found.fault);
    for (size_t cut = 0; cut < payload.size; cut++) {
        batch_check_payload(check, DELIVERY_ACTIVITIES, fleet_bytes(payload.data, cut), &found);
        assert_non_null(found.fault);
    }
    batch_check_payload(check, DELIVERY_ENTITIES, payload, &found);
    assert_non_null(found.fault);
    batch_check_payload(check, 77, payload, &found);
    assert_non_null(found.fault);
    memcpy(frames + frames_size, frames, frames_size);
    batch_check_payload(check, DELIVERY_ACTIVITIES, fleet_bytes(frames, 2 * frames_size), &found);
    assert_non_null(found.fault);

    payload = batch_of(&batch_entities, map, true);
    for (size_t i = 0; i < payload.size; i++) {
        frames[i] ^= 0x55;
        batch_check_payload(check, DELIVERY_ENTITIES, payload, &found);
        assert_non_null(found.fault);
        frames[i] ^= 0x55;
        batch_check_payload(check, DELIVERY_ENTITIES, payload, &found);
        assert_null(found.fault);
    }
    batch_check_payload(check, DELIVERY_ENTITIES, batch_of(&batch_entities, map, true), &found);
    assert_null(found.fault);
    assert_int_equal(found.fence.term, 3);
    assert_string_equal(found.fence.domain, "corp.example");
    batch_check_payload(check, DELIVERY_ENTITIES, batch_of(&batch_entities, map, false), &found);
    assert_non_null(found.fault);
    batch_check_payload(check, DELIVERY_ENTITIES, batch_of(&batch_entities, nil, true), &found);
    assert_non_null(found.fault);
    batch_check_destroy(&check);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nodes_of_the_fleet_are_admitted, make, end),
        cmocka_unit_test_setup_teardown(the_newest_policy_counts, make, end),
        cmocka_unit_test(only_whole_batches_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
