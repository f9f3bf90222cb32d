/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/rpc_calls.h"

static const struct rpc_operations *const operations[RPC_INTERFACE_COUNT] = {0};

const struct rpc_operation *rpc_operation_get(enum rpc_interface interface, uint16_t opnum)
{
    const struct rpc_operations *of = operations[interface];
    if (!of || opnum >= of->count || !of->list[opnum].name)
        return NULL;
    return &of->list[opnum];
}
