/* SPDX-License-Identifier: Apache-2.0
 *
 * A report: what the holder of a domain tells the fleet of its work: how far the replication is, and where a
 * successor may go on. The core carries it without knowing what it says. Signed by the holder, ordered by
 * (term, incarnation, sequence); only the register's own holder is believed. docs/cluster.md.
 */
#pragma once

#include "cluster/crypto.h"
#include "cluster/node_id.h"
#include "cluster/record.h"

#define REPORT_DATA_MAX 1280u
#define REPORT_MAX_SIZE (REPORT_DATA_MAX + 512u)

struct report {
    char domain[DOMAIN_MAX_SIZE];
    uint64_t term;
    struct node_id id;
    uint64_t incarnation;
    uint64_t sequence;
    struct bytes data; /* the reader's: inside what was read */
};

/* Which of two reports of one domain is the newer. */
int report_compare(const struct report *a, const struct report *b);

/* Encodes and signs (with this node's key). Returns the size, 0 when it does not fit. */
size_t report_write(void *buffer, size_t capacity, const struct report *report,
                    const struct cluster_crypto *crypto);

/* Reads without verifying: `signed_verify` (cluster/body.h) tells whether the holder said it. */
bool report_read(struct report *report, struct bytes encoded);
