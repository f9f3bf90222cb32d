/* SPDX-License-Identifier: Apache-2.0
 *
 * What is said over the control socket of the process that holds the keys: orders to it, its reports. One
 * message is a packet: a msgpack array of kind, number and arguments. A report bears its order's number.
 *
 *     keytab      name, its descriptor beside     -> fine, text    without a descriptor: it is forgotten
 *     line        index, its socket beside        (no report)
 *     status                                      -> counters, CPU, memory
 *     complaints  from                            -> some of them, from that one on
 */
#pragma once

#include "base/clock.h"
#include "base/fault.h"
#include "keys/holder.h"

#define ORDER_NAME_MAX       ((size_t)4096)
#define ORDER_MAX            (ORDER_NAME_MAX + 64)
#define ORDER_COMPLAINTS_MAX 16u
#define ORDER_REPORT_MAX     ((size_t)8 * 1024)

enum order_kind {
    ORDER_KEYTAB = 1,
    ORDER_LINE,
    ORDER_STATUS,
    ORDER_COMPLAINTS,
};

struct order {
    enum order_kind kind;
    uint64_t number;
    uint32_t index;            /* of a line; of the first complaint */
    char name[ORDER_NAME_MAX]; /* of a keytab */
};

struct order_report {
    enum order_kind kind;
    uint64_t number;
    bool fine;
    char text[FAULT_MAX];
    struct key_holder_status status;
    uint32_t sandbox; /* what of keys/sandbox.h holds */
    int64_t cpu;      /* ns that the process used */
    uint64_t memory;  /* bytes that it takes, at most so far */
    uint32_t complaint_count;
    struct key_holder_complaint complaints[ORDER_COMPLAINTS_MAX];
};

/* Its bytes in `buffer`; empty when it does not fit. */
struct bytes order_write(const struct order *order, uint8_t buffer[ORDER_MAX]);
bool order_read(struct order *order, struct bytes bytes);
struct bytes order_report_write(const struct order_report *report, uint8_t buffer[ORDER_REPORT_MAX]);
bool order_report_read(struct order_report *report, struct bytes bytes);
