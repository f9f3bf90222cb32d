/* SPDX-License-Identifier: Apache-2.0
 *
 * GSS-API, SPNEGO and NTLMSSP tokens: the input is a sequence of them, each after two bytes of length of
 * which the highest bit is the direction, the next that its end is missing; then an outcome.
 */
#include "capture/gss.h"
#include "tests/unit/lone_dissect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lone lone;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dissect *d = lone_open(&lone, NULL, TRANSPORT_TCP);
    struct gss_exchange exchange = {.mechanism = GSS_NONE};
    struct cursor input = cursor_of(data, size);
    while (!cursor_done(&input)) {
        uint16_t head = cursor_be16(&input);
        size_t length = head & 0x3fff;
        if (length > cursor_left(&input))
            length = cursor_left(&input);
        struct lone_block block = lone_copy(input.at, length);
        cursor_skip(&input, length);
        struct cursor token = cursor_of(block.memory, length);
        token.failed = head & 0x4000;
        d->direction = head & 0x8000 ? TO_CLIENT : TO_SERVER;
        gss_token(d, &exchange, token, "ldap", 1);
        free(block.memory);
    }
    if (size & 1)
        gss_outcome(d, &exchange, 0xc000006d);
    else
        gss_outcome_unknown(d, &exchange);
    lone_close(&lone);
    return 0;
}
