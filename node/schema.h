/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys of Picket's configuration file.
 */
#pragma once

#include "base/config.h"

extern const struct config_schema node_schema;
