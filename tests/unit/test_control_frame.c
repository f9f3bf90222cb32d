/* SPDX-License-Identifier: Apache-2.0 */
#include "node/control_frame.h"

#include "unit.h"

/* Gives the stream in pieces of `step`; how many frames came whole. */
static unsigned feed(struct control_frame *frame, const uint8_t *stream, size_t size, size_t step,
                     const char *expected)
{
    unsigned frames = 0;
    for (size_t at = 0; at < size;) {
        size_t n = control_frame_wants(frame);
        if (n == 0)
            return frames;
        n = n < step ? n : step;
        n = n < size - at ? n : size - at;
        memcpy(control_frame_room(frame), stream + at, n);
        control_frame_took(frame, n);
        at += n;
        struct bytes body;
        if (control_frame_whole(frame, &body)) {
            assert_int_equal(body.size, strlen(expected));
            assert_bytes_equal(body.data, expected, body.size);
            frames++;
            control_frame_next(frame);
        }
    }
    return frames;
}

static void frames_come_in_any_pieces(void **state)
{
    (void)state;
    static const uint8_t stream[] = "\0\0\0\x0d{\"verb\":\"x\"} \0\0\0\x0d{\"verb\":\"x\"} ";
    for (size_t step = 1; step < sizeof(stream); step++) {
        struct control_frame frame = {.max = 13};
        assert_int_equal(feed(&frame, stream, sizeof(stream) - 1, step, "{\"verb\":\"x\"} "), 2);
        assert_false(frame.refused);
        control_frame_free(&frame);
    }
}

static void an_announced_length_takes_no_memory(void **state)
{
    (void)state;
    struct control_frame frame = {.max = 1u << 30};
    uint8_t header[CONTROL_FRAME_HEADER];
    control_frame_header(header, 1u << 30);
    assert_int_equal(feed(&frame, header, sizeof(header), 4, ""), 0);
    assert_int_equal(control_frame_wants(&frame), 65536);
    assert_true(frame.capacity <= 131072 * 2);
    control_frame_free(&frame);
}

static void too_large_is_refused(void **state)
{
    (void)state;
    struct control_frame frame = {.max = 10};
    struct bytes body;
    assert_int_equal(feed(&frame, (const uint8_t *)"\0\0\0\x0b", 4, 4, ""), 0);
    assert_int_equal(control_frame_wants(&frame), 0);
    assert_true(frame.refused);
    assert_false(control_frame_whole(&frame, &body));
    control_frame_free(&frame);
}

static void an_empty_body_is_a_frame(void **state)
{
    (void)state;
    struct control_frame frame = {.max = 10};
    assert_int_equal(feed(&frame, (const uint8_t *)"\0\0\0\0", 4, 4, ""), 1);
    control_frame_free(&frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_in_any_pieces),
        cmocka_unit_test(an_announced_length_takes_no_memory),
        cmocka_unit_test(too_large_is_refused),
        cmocka_unit_test(an_empty_body_is_a_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
