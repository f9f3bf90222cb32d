/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/claim.h"

#include <stdlib.h>

#include "cluster/body.h"
#include "tests/unit/fleet_world.h"
#include "tests/unit/golden.h"
#include "tests/unit/unit.h"

static struct claim example(const struct fleet_world *w)
{
    struct claim claim = {.domain = "corp.example",
                          .term = 7,
                          .settled = true,
                          .id = w->node.certificate.grant.id,
                          .incarnation = 3,
                          .released = true,
                          .support = 11,
                          .cause = 2};
    claim.draw = claim_draw(&w->node.crypto, claim.domain, claim.term, &claim.id);
    return claim;
}

static size_t write_claim(const struct fleet_world *w, uint8_t buffer[CLAIM_MAX_SIZE],
                          const struct claim *claim)
{
    size_t size = claim_write(buffer, CLAIM_MAX_SIZE, claim, &w->node.crypto);
    assert_true(size > 0);
    return size;
}

static void what_is_written_is_read(void **state)
{
    struct fleet_world *w = *state;
    struct claim claim = example(w), again;
    uint8_t buffer[CLAIM_MAX_SIZE];
    size_t size = write_claim(w, buffer, &claim);
    golden_check("claim", fleet_bytes(buffer, size), SIGNATURE_SIZE);
    assert_true(claim_read(&again, fleet_bytes(buffer, size)));
    assert_string_equal(again.domain, claim.domain);
    assert_true(again.term == 7 && again.draw == claim.draw && again.incarnation == 3);
    assert_true(again.settled && again.released);
    assert_true(again.support == 11 && again.cause == 2);
    assert_true(node_id_equal(&again.id, &claim.id));
    assert_int_equal(claim_compare(&again, &claim), 0);
    assert_true(claim_signed(fleet_bytes(buffer, size), w->node.certificate.public_key, &w->fleet.authority));
    assert_true(claim_drawn(&again, &w->node.crypto));
}

static void the_longest_claim_fits(void **state)
{
    struct fleet_world *w = *state;
    struct claim claim = example(w), again;
    uint8_t buffer[CLAIM_MAX_SIZE];
    for (size_t i = 0; i < 253; i++)
        claim.domain[i] = i % 60 == 59 ? '.' : 'a';
    claim.domain[253] = '\0';
    claim.term = claim.draw = claim.incarnation = UINT64_MAX;
    claim.support = UINT16_MAX;
    claim.cause = UINT8_MAX;
    size_t size = write_claim(w, buffer, &claim);
    assert_true(claim_read(&again, fleet_bytes(buffer, size)));
    assert_int_equal(claim_compare(&again, &claim), 0);
    assert_int_equal(claim_write(buffer, size - 1, &claim, &w->node.crypto), 0);
}

static void damage_is_refused(void **state)
{
    struct fleet_world *w = *state;
    struct claim claim = example(w), again;
    uint8_t buffer[CLAIM_MAX_SIZE + 1] = {0};
    size_t size = write_claim(w, buffer, &claim);
    for (size_t cut = 0; cut < size; cut++)
        if (claim_read(&again, fleet_bytes(buffer, cut)))
            assert_false(
                claim_signed(fleet_bytes(buffer, cut), w->node.certificate.public_key, &w->fleet.authority));
    for (size_t bit = 0; bit < size * 8; bit++) {
        buffer[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (claim_read(&again, fleet_bytes(buffer, size)))
            assert_false(
                claim_signed(fleet_bytes(buffer, size), w->node.certificate.public_key, &w->fleet.authority));
        buffer[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_false(claim_read(&again, fleet_bytes(buffer, sizeof buffer)));
}

static void another_key_or_draw_is_refused(void **state)
{
    struct fleet_world *w = *state;
    struct claim claim = example(w), again;
    uint8_t buffer[CLAIM_MAX_SIZE];
    size_t size = write_claim(w, buffer, &claim);
    assert_false(claim_signed(fleet_bytes(buffer, size), w->fleet.enroller.certificate.public_key,
                              &w->fleet.authority));
    claim.draw = UINT64_MAX;
    size = write_claim(w, buffer, &claim);
    assert_true(claim_read(&again, fleet_bytes(buffer, size)));
    assert_true(claim_signed(fleet_bytes(buffer, size), w->node.certificate.public_key, &w->fleet.authority));
    assert_false(claim_drawn(&again, &w->node.crypto));
}

/* What must be there, what may not be, and what a newer version may add. */
static void fields_are_demanded_and_bounded(void **state)
{
    struct fleet_world *w = *state;
    struct claim again;
    uint8_t buffer[CLAIM_MAX_SIZE];
    for (unsigned variant = 0; variant < 8; variant++) {
        struct body_writer writer;
        body_begin(&writer, buffer, sizeof buffer, BODY_CLAIM);
        body_put_text(&writer, 0, variant == 1 ? "CORP" : "corp");
        body_put_uint(&writer, 1, variant == 2 ? 0 : 1);
        body_put_uint(&writer, 2, variant == 3 ? 2 : 1);
        if (variant != 4)
            body_put_binary(&writer, 4, w->node.certificate.grant.id.bytes, NODE_ID_SIZE);
        body_put_uint(&writer, 5, variant == 5 ? 0 : 1);
        body_put_uint(&writer, 7, variant == 6 ? UINT16_MAX + 1u : UINT16_MAX);
        if (variant == 7)
            body_put_text(&writer, 12, "later");
        size_t size = body_sign(&writer, &w->node.crypto);
        assert_true(size > 0);
        assert_int_equal(claim_read(&again, fleet_bytes(buffer, size)), variant == 0 || variant == 7);
    }
}

/* (term, settled, draw, id, incarnation, released, support): each against all that follow it. */
static void the_order_of_the_register(void **state)
{
    (void)state;
    const struct claim low = {.term = 1, .draw = 5, .incarnation = 1, .support = 1};
    struct claim greater[7];
    for (unsigned i = 0; i < 7; i++)
        greater[i] = low;
    greater[0].support = 2;
    greater[1].released = true;
    greater[2].incarnation = 2;
    greater[3].id.bytes[15] = 1;
    greater[4].draw = 6;
    greater[5].settled = true;
    greater[6].term = 2;
    for (unsigned i = 0; i < 7; i++) {
        assert_true(claim_compare(&greater[i], &low) > 0);
        assert_true(claim_compare(&low, &greater[i]) < 0);
        assert_int_equal(claim_compare(&greater[i], &greater[i]), 0);
        for (unsigned j = 0; j < i; j++) {
            assert_true(claim_compare(&greater[i], &greater[j]) > 0);
            assert_true(claim_compare(&greater[j], &greater[i]) < 0);
        }
    }
}

static void the_order_of_tokens(void **state)
{
    (void)state;
    struct claim a = {.term = 2, .draw = 5, .incarnation = 1}, b = a;
    b.settled = b.released = true;
    b.incarnation = 9;
    b.support = 3;
    assert_int_equal(claim_token_compare(&a, &b), 0);
    b.id.bytes[0] = 1;
    assert_true(claim_token_compare(&a, &b) < 0);
    a.draw = 6;
    assert_true(claim_token_compare(&a, &b) > 0);
    b.term = 3;
    assert_true(claim_token_compare(&a, &b) < 0);
}

/* The draw is a function of domain, term and id, and of the fleet's salt. */
static void draws(void **state)
{
    struct fleet_world *w = *state;
    const struct cluster_crypto *crypto = &w->node.crypto;
    struct node_id a = {{1}}, b = {{2}};
    uint64_t draw = claim_draw(crypto, "corp.example", 1, &a);
    assert_true(draw == claim_draw(crypto, "corp.example", 1, &a));
    assert_true(draw == claim_draw(&w->fleet.enroller.crypto, "corp.example", 1, &a));
    assert_true(draw != claim_draw(crypto, "corp.example", 2, &a));
    assert_true(draw != claim_draw(crypto, "corp.example", 1, &b));
    assert_true(draw != claim_draw(crypto, "eu.corp.example", 1, &a));
    /* Uniform: of 4,096 draws about half are in the upper half, a quarter in the lowest quarter. */
    unsigned upper = 0, lowest = 0;
    for (uint64_t term = 1; term <= 4096; term++) {
        uint64_t d = claim_draw(crypto, "corp.example", term, &a);
        upper += d >> 63 != 0;
        lowest += d >> 62 == 0;
    }
    assert_in_range(upper, 1900, 2200);
    assert_in_range(lowest, 900, 1150);
}

static void the_fence(void **state)
{
    (void)state;
    struct fence stored = {.term = 2, .draw = 5, .incarnation = 1, .sequence = 10}, fence = stored;
    struct claim claim = {.term = 2, .draw = 5, .settled = true};
    assert_false(fence_accepts(&stored, &claim, &fence)); /* doubled */
    fence.sequence = 11;
    assert_true(fence_accepts(&stored, &claim, &fence));
    assert_true(fence_accepts(&stored, NULL, &fence));
    fence.sequence = 9;
    assert_false(fence_accepts(&stored, NULL, &fence)); /* late */
    fence.incarnation = 2;
    fence.sequence = 1;
    assert_true(fence_accepts(&stored, NULL, &fence)); /* after a restart */
    fence.term = 1;
    assert_false(fence_accepts(&stored, NULL, &fence)); /* deposed, as its receiver has seen */
    fence.term = 3;
    claim.term = 4;
    assert_false(fence_accepts(&stored, &claim, &fence)); /* deposed, as the register says */
    claim.term = 3;
    claim.draw = 4;
    assert_true(fence_accepts(&stored, &claim, &fence)); /* its claim is not here yet */
}

/* Two synchronizers on the sides of a cut: whichever a receiver hears first, in the end only the greater
 * one's batches are taken, and never one after a greater one. */
static void the_fence_of_a_healed_cut(void **state)
{
    (void)state;
    struct fence old = {.term = 4, .draw = 9, .incarnation = 1, .sequence = 1000};
    struct fence new = {.term = 5, .draw = 1, .incarnation = 1, .sequence = 1};
    struct fence stored = {0};
    unsigned taken_of_old = 0;
    for (unsigned i = 0; i < 20; i++) {
        struct fence *from = i % 2 && i > 4 ? &new : &old;
        from->sequence++;
        if (!fence_accepts(&stored, NULL, from))
            continue;
        assert_true(fence_compare(from, &stored) > 0);
        stored = *from;
        taken_of_old += from == &old;
    }
    assert_int_equal(taken_of_old, 5);
    assert_true(stored.term == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(the_longest_claim_fits),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(another_key_or_draw_is_refused),
        cmocka_unit_test(fields_are_demanded_and_bounded),
        cmocka_unit_test(the_order_of_the_register),
        cmocka_unit_test(the_order_of_tokens),
        cmocka_unit_test(draws),
        cmocka_unit_test(the_fence),
        cmocka_unit_test(the_fence_of_a_healed_cut),
    };
    return cmocka_run_group_tests(tests, fleet_world_open, fleet_world_close);
}
