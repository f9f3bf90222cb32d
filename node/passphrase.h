/* SPDX-License-Identifier: Apache-2.0
 *
 * A passphrase, from the terminal without an echo or from a file; never from the command line or the
 * environment, where other users and child processes can see it.
 */
#pragma once

#include "cluster/disk.h"

#define PASSPHRASE_MAX 1024u

/* Reads it into memory for secrets, which the caller frees with disk_content_free(). `file` NULL: asks on the
 * terminal with `prompt`, and with `twice` a second time. A file must be this user's alone (a pipe, like
 * /dev/fd/3, may be anybody's); a newline at its end does not count. */
bool passphrase_read(struct disk_content *passphrase, const char *file, const char *prompt, bool twice,
                     struct fault *fault);
