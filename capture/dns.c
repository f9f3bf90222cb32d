/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/dissect.h"
#include "capture/protocols.h"

const struct protocol protocol_dns = {.id = PROTOCOL_DNS, .name = "dns"};
const struct protocol protocol_mdns = {.id = PROTOCOL_MDNS, .name = "mdns"};
const struct protocol protocol_llmnr = {.id = PROTOCOL_LLMNR, .name = "llmnr"};
