/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers that wait until their line collects them (capture/unseal.h: UNSEAL_POST). Inside of keys/.
 */
#pragma once

#include "base/msgpack.h"

#define COLLECTION_LINES_MAX 64u /* more at a time have none */

struct collections;

struct collections *collections_new(void);
void collections_destroy(struct collections **collections_p);

/* Where the line's next answer goes, as msgpack; NULL: no room, it is lost. Closed by collection_close, with
 * `keep` false as if it had not been. */
struct msgpack_writer *collection_open(struct collections *collections, uint32_t line, uint64_t number);
void collection_close(struct collections *collections, uint32_t line, bool keep);

/* All of them, as [number, answer, ...], and nothing is left. */
void collection_take(struct collections *collections, uint32_t line, struct msgpack_writer *to);

void collections_line_ended(struct collections *collections, uint32_t line);
