/* SPDX-License-Identifier: Apache-2.0
 *
 * Binary XML of Windows event logs ([MS-EVEN6] 2.2.12): the fragment of one event, with its templates and
 * substitutions, becomes the elements of an event. Pure; every offset and length is checked, and the work for
 * one fragment is bounded whatever it says.
 */
#pragma once

#include "events/event_elements.h"

/* `whole`: what offsets count from, a chunk of the log. The fragment is at `at` in it, `size` bytes long.
 * False when it is damaged: what came before the damage stands in the event. */
bool binxml_read(struct bytes whole, size_t at, size_t size, struct event_elements *to);
