/* SPDX-License-Identifier: Apache-2.0 */
#include "node/schema.h"

#include "base/clock.h"

#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)

static const struct config_section sections[] = {
    {.key = "capture", .doc = "What is captured from the network, and what it may cost."},
};

static const struct config_rule rules[] = {
    {.key = "capture/interfaces",
     .type = CONFIG_STRING,
     .list = true,
     .doc = "Network interfaces to capture from."},
    {.key = "capture/threads",
     .type = CONFIG_INT,
     .min = 1,
     .max = 16,
     .unit = "per interface",
     .preset = "1",
     .doc = "Capture threads; flows are spread over them by the kernel."},
    {.key = "capture/ring",
     .type = CONFIG_SIZE,
     .min = MIB,
     .max = 2 * GIB - MIB,
     .preset = "64M",
     .doc = "Kernel buffer of each capture thread: what may wait while it is busy."},
    {.key = "capture/snaplen",
     .type = CONFIG_INT,
     .min = 96,
     .max = 262144,
     .unit = "bytes",
     .preset = "65535",
     .doc = "Most of a packet that is kept."},
    {.key = "capture/controllers",
     .type = CONFIG_ADDRESS,
     .list = true,
     .doc = "Domain controllers: only their traffic is captured. Not set: everybody's."},
    {.key = "capture/ports",
     .type = CONFIG_INT,
     .list = true,
     .min = 1,
     .max = 65535,
     .doc = "Further TCP and UDP ports to capture, beside those of the protocols that Picket knows."},
    {.key = "capture/bpf",
     .type = CONFIG_STRING,
     .doc =
         "Capture filter in libpcap's language, used instead of the one made of `controllers` and `ports`."},
    {.key = "capture/tcp-idle",
     .type = CONFIG_DURATION,
     .min = CLOCK_SECOND,
     .max = CLOCK_DAY,
     .preset = "1h",
     .doc = "A TCP connection on which nothing was seen for so long is forgotten."},
    {.key = "capture/memory",
     .type = CONFIG_SIZE,
     .min = 16 * MIB,
     .max = 64 * GIB,
     .preset = "192M",
     .doc =
         "Memory of each capture thread for flows, reassembly and dissectors. When it is used up, the flows "
         "idle for longest go first."},
};

const struct config_schema node_schema = {
    .title = "Configuration",
    .introduction = "The keys of Picket's configuration file.\n",
    .sections = sections,
    .section_count = sizeof sections / sizeof sections[0],
    .rules = rules,
    .rule_count = sizeof rules / sizeof rules[0],
};
