/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to config*.c: the first look at a file, before zconfig has its own. It finds the line of each
 * entry, which zconfig does not keep, and refuses what zconfig would take amiss: its errors go to standard
 * output, it destroys its tree by recursion over siblings, and its names run through isalnum().
 */
#pragma once

#include "base/config.h"

struct config_entry {
    uint32_t line; /* from 1 */
    uint32_t depth;
};

struct config_scan {
    const char *name; /* of the file */
    config_report report;
    void *context;
    uint32_t faults;
    uint32_t count;
    struct config_entry entries[CONFIG_ENTRIES_MAX]; /* in the order of the file */
};

/* Tells a fault of a line (0: of the file as a whole). */
void config_fault(struct config_scan *scan, uint32_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Fills in the entries; false when there was a fault. */
bool config_scan_text(struct config_scan *scan, const char *text, size_t size);
