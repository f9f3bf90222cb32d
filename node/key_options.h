/* SPDX-License-Identifier: Apache-2.0
 *
 * --keytab of `picket read` and `picket capture`.
 */
#pragma once

#include "base/config.h"
#include "node/key_client.h"

#define KEY_OPTIONS_MANY "--keytab: 16 keytabs at most"

struct key_options {
    const char *keytabs[KEY_HOLDER_KEYTABS_MAX];
    size_t count;
    int64_t timeout; /* ns; 0: as the limits say */
};

/* False: too many. */
bool key_options_add(struct key_options *options, const char *path);
/* The section `keys` of a file, whose strings must live as long. */
bool key_options_use(struct key_options *options, const struct config *config);

/* Without a keytab there is nothing to start, and *client_p stays NULL. False when one cannot be used, after
 * telling on standard error which and why. Before the first thread. */
bool key_options_start(const struct key_options *options, unsigned lines,
                       const struct key_line_limits *limits, struct key_client **client_p);
