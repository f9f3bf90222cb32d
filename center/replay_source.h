/* SPDX-License-Identifier: Apache-2.0
 *
 * What a replay reads: a capture (pcap, pcapng), batches of activities (`picket read --batches`), or
 * activities as JSON, one a line (`picket read --json`, `picket-center log`), recognised by their beginning.
 */
#pragma once

#include "base/fault.h"
#include "center/observation.h"

/* Gets each record in order, valid during the call. */
typedef void (*replay_record)(void *context, struct bytes record);

struct replay_options {
    uint64_t fingerprint_seed; /* tickets are known by a keyed hash: the key is of this */
    size_t memory;             /* bytes for flows and reassembly; 0: what a sensor has */
};

/* Reads the whole file. False with the reason when it could not be read at all; `*damage` (FAULT_MAX bytes,
 * "" when there was none) tells of one that is cut off or damaged, what could be read was given. */
bool replay_file(const char *path, const struct replay_options *options, replay_record record, void *context,
                 struct fault *fault, struct fault *damage);
