/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets that stand in files of their own.
 */
#pragma once

#include "base/cursor.h"
#include "base/fault.h"

#define SECRET_MAX 1024u /* bytes of one, less one */

/* In memory that is locked, and wiped when it is let go. A zero follows its last byte. */
struct secret {
    uint8_t *bytes;
    size_t size;
};

/* The first line of a file that only its owner can read. False with the reason: not there, readable by
 * others, empty, too long. */
bool secret_read(const char *path, struct secret *secret, struct fault *fault);
void secret_wipe(struct secret *secret);

/* Whether a file that holds secrets (a keytab) is a plain one that only its owner can read. */
bool secret_file_check(const char *path, struct fault *fault);

/* The same, opened for reading: the descriptor, which is the caller's and closes on exec, or -1. */
int secret_file_open(const char *path, struct fault *fault);
