/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/dissect.h"
#include "capture/protocols.h"

const struct protocol protocol_kerberos = {.id = PROTOCOL_KERBEROS, .name = "kerberos"};
const struct protocol protocol_kpasswd = {.id = PROTOCOL_KPASSWD, .name = "kpasswd"};
