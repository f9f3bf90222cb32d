/* SPDX-License-Identifier: Apache-2.0
 *
 * Service principal names as the directory understands them ([MS-ADTS] 5.1.1.4): SERVICE/HOST[:PORT][/NAME].
 */
#pragma once

#include "base/cursor.h"

struct service_name {
    struct bytes service;
    struct bytes host; /* without the port */
    struct bytes rest; /* from behind the host on: ":PORT", "/NAME"; may be empty */
};

/* The parts of a name, views into it; a realm behind an @ is left out. False when it has no host. */
bool service_name_parse(struct bytes text, struct service_name *to);

/* Whether HOST/x stands for this service too: the default of sPNMappings ([MS-ADTS] 3.1.1.3.3.1.2). */
bool service_name_is_mapped(struct bytes service);

/* Without regard to case (ASCII). */
bool service_name_is(struct bytes service, const char *name);
