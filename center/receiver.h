/* SPDX-License-Identifier: Apache-2.0
 *
 * The receiver: takes what the fleet's nodes send (docs/delivery.md), appends it to the log, and acknowledges
 * what is on the disk, many batches with one sync. One thread; its sockets, ZeroMQ's own threads and the
 * handler of ZAP (cluster/zap.h) belong to it.
 */
#pragma once

#include "base/fault.h"
#include "center/center_config.h"
#include "cluster/record.h"

struct receiver;

/* Opens the keys, the log and the sockets. NULL with the reason. */
struct receiver *receiver_new(const struct center_config *config, struct fault *fault);
void receiver_destroy(struct receiver **receiver);

/* Who else has a say, on the receiver's thread, before it runs: */
struct receiver_hooks {
    /* Of each node that would be welcomed; false with the reason: it is not let in now. */
    bool (*admit)(void *context, const struct certificate *certificate, struct fault *fault);
    /* Once a second: until which time (ns since 1970), and before which position, the log may be forgotten.
     */
    bool (*forget)(void *context, int64_t *before, uint64_t *position);
    /* A node told how it sees the fleet. False: what it told is no such view. */
    bool (*report)(void *context, const struct node_id *node, const char *name, struct bytes view);
    void *context;
};
void receiver_hook(struct receiver *receiver, const struct receiver_hooks *hooks);
/* The last entry of the log; 0: none. */
uint64_t receiver_position(const struct receiver *receiver);

/* Receives until `stop` is readable. Tells the service manager that it lives (base/notify.h). */
void receiver_run(struct receiver *receiver, int stop);

#define RECEIVER_COUNTERS(X)                                                                                 \
    X(batches, "batches stored")                                                                             \
    X(bytes, "bytes stored")                                                                                 \
    X(syncs, "commits to the disk")                                                                          \
    X(known, "batches that had come before")                                                                 \
    X(missing, "batches before which something had not come")                                                \
    X(fenced, "batches of a synchronizer that holds its domain no longer")                                   \
    X(malformed, "batches that were none")                                                                   \
    X(reports, "views of the fleet")                                                                         \
    X(garbage, "messages that were none")                                                                    \
    X(strangers, "messages before a HELLO")                                                                  \
    X(welcomed, "nodes that said HELLO")                                                                     \
    X(denied, "nodes that were not let in")                                                                  \
    X(silent, "connections ended because nobody spoke up")                                                   \
    X(crowded, "connections ended because there were too many")                                              \
    X(log_failures, "times that the log could not be written")
struct receiver_counters {
#define RECEIVER_COUNTER(name, doc) uint64_t name;
    RECEIVER_COUNTERS(RECEIVER_COUNTER)
#undef RECEIVER_COUNTER
};
void receiver_counters(const struct receiver *receiver, struct receiver_counters *counters);
/* Where it listens: "tcp://ADDRESS:PORT". NULL past the last. */
const char *receiver_endpoint(const struct receiver *receiver, unsigned index);
