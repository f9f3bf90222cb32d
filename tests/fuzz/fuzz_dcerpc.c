/* SPDX-License-Identifier: Apache-2.0
 *
 * An RPC association on a pipe, fed from both sides. Input: flags (1), then pieces of the stream: direction
 * and what happens (1), size (2), data.
 */
#include "capture/dcerpc_association.h"
#include "tests/unit/lone_dissect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lone lone;

enum piece_flags {
    PIECE_TO_CLIENT = 1,
    PIECE_CUT = 2,    /* not captured whole */
    PIECE_GAP = 4,    /* something was lost before it */
    PIECE_LATE = 8,   /* two minutes pass */
    PIECE_REOPEN = 16 /* the pipe is closed and opened again */
};

static const struct {
    const char *name;
    uint8_t size;
} pipes[] = {{"", 0}, {"samr", 4}, {"svcctl", 6}, {"winreg", 6}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor input = cursor_of(data, size);
    unsigned flags = cursor_u8(&input);
    struct dissect *d = lone_open(&lone, NULL, TRANSPORT_TCP);
    if (flags & 4)
        lone.blocks_left = flags >> 3;
    struct bytes pipe = {(const uint8_t *)pipes[flags % 4].name, pipes[flags % 4].size};
    struct dcerpc_shared *shared = NULL;
    struct dcerpc_association *a = dcerpc_new(d, "smb", pipe, 1, "user", NULL);
    if (a)
        dcerpc_share(a, &shared);
    while (a && !cursor_done(&input)) {
        unsigned what = cursor_u8(&input);
        size_t bytes = cursor_be16(&input);
        if (bytes > cursor_left(&input))
            bytes = cursor_left(&input);
        struct bytes run = cursor_take(&input, bytes);
        uint8_t *copy = malloc(run.size ? run.size : 1);
        if (!copy)
            break;
        if (run.size)
            memcpy(copy, run.data, run.size);
        d->direction = what & PIECE_TO_CLIENT ? TO_CLIENT : TO_SERVER;
        d->truncated = what & PIECE_CUT;
        d->time += what & PIECE_LATE ? INT64_C(120000000000) : 1000000;
        if (what & PIECE_REOPEN) {
            dcerpc_end(d, &a);
            a = dcerpc_new(d, "smb", pipe, 2, NULL, NULL);
            if (a)
                dcerpc_share(a, &shared);
        }
        if (a && what & PIECE_GAP)
            dcerpc_gap(d, a);
        if (a)
            dcerpc_feed(d, a, cursor_of(copy, run.size));
        arena_reset(d->scratch);
        free(copy);
    }
    d->truncated = false;
    dcerpc_end(d, &a);
    if (shared)
        dissect_free(d, shared, sizeof *shared);
    if (lone_held(&lone) != 0)
        abort();
    lone_close(&lone);
    return 0;
}
