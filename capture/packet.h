/* SPDX-License-Identifier: Apache-2.0
 *
 * One captured packet, as a source (file, interface, fuzzer) hands it to the engine.
 */
#pragma once

#include <stdint.h>

struct packet {
    int64_t time;      /* ns since 1970 UTC */
    uint32_t captured; /* bytes in data */
    uint32_t length;   /* bytes it had on the wire */
    int link_type;     /* libpcap's DLT_ value */
    const uint8_t *data;
};
