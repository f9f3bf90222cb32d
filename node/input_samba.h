/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "node/event_input.h"

extern const struct event_input input_samba;
