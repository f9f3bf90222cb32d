/* SPDX-License-Identifier: Apache-2.0
 *
 * The readers of stubs. Input: interface (1), opnum (1), form (1: 1 big-endian, 2 NDR64, 4 cut), size of the
 * request's stub (2), the request's stub, the response's stub. A handle is opened and used: each is sent
 * twice.
 */
#include "capture/dcerpc.h"
#include "capture/rpc_interfaces.h"
#include "tests/unit/lone_dissect.h"
#include "tests/unit/rpc_stub.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lone lone;

static struct dissect *d;
static struct dcerpc_association *association;

static void feed(const struct pdu_form *form, enum direction direction, unsigned type,
                 const struct stub *body)
{
    static uint8_t bytes[20000];
    size_t size = pdu_make(form, bytes, type, 3, body);
    uint8_t *copy = malloc(size);
    if (!copy)
        return;
    memcpy(copy, bytes, size);
    d->direction = direction;
    dcerpc_feed(d, association, cursor_of(copy, size));
    arena_reset(d->scratch);
    free(copy);
}

static void call(const struct pdu_form *form, enum direction direction, unsigned type, uint16_t opnum,
                 struct bytes parameters)
{
    static struct stub body;
    body.form = form->form;
    body.size = 0;
    stub32(&body, (uint32_t)parameters.size);
    stub16(&body, 0);
    stub16(&body, opnum);
    if (parameters.size)
        stub_bytes(&body, parameters.data, parameters.size);
    feed(form, direction, type, &body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor input = cursor_of(data, size);
    enum rpc_interface interface = (enum rpc_interface)(cursor_u8(&input) % RPC_INTERFACE_COUNT);
    uint16_t opnum = cursor_u8(&input);
    unsigned flags = cursor_u8(&input);
    size_t request_size = cursor_be16(&input);
    if (input.failed || interface == RPC_UNKNOWN || cursor_left(&input) > 12000)
        return 0;
    if (request_size > cursor_left(&input))
        request_size = cursor_left(&input);
    struct bytes request = cursor_take(&input, request_size);
    struct bytes response = cursor_take(&input, cursor_left(&input));

    d = lone_open(&lone, NULL, TRANSPORT_TCP);
    association = dcerpc_new(d, NULL, (struct bytes){0}, 1, NULL, NULL);
    struct pdu_form form = {.form = flags & 1 ? RPC_BIG : flags & 2 ? RPC_NDR64 : RPC_LITTLE, .call_id = 1};
    struct stub body = {.form = form.form};
    if (association) {
        stub_bind(&body, 0, rpc_interface_uuid(interface));
        feed(&form, TO_SERVER, 11, &body);
        body.size = 0;
        stub_bind_ack(&body, 0, 0);
        feed(&form, TO_CLIENT, 12, &body);
        d->truncated = flags & 4;
        for (int i = 0; i < 2; i++) {
            form.call_id++;
            call(&form, TO_SERVER, 0, opnum, request);
            call(&form, TO_CLIENT, 2, opnum, response);
        }
    }
    dcerpc_end(d, &association);
    if (lone_held(&lone) != 0)
        abort();
    lone_close(&lone);
    return 0;
}
