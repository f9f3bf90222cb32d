/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/dissect.h"
#include "capture/protocols.h"

const struct protocol protocol_dhcp = {.id = PROTOCOL_DHCP, .name = "dhcp"};
