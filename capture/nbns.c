/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/dissect.h"
#include "capture/protocols.h"

const struct protocol protocol_nbns = {.id = PROTOCOL_NBNS, .name = "nbns"};
