/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/dissect.h"
#include "capture/protocols.h"

const struct protocol protocol_radius = {.id = PROTOCOL_RADIUS, .name = "radius"};
