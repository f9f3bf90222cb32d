/* SPDX-License-Identifier: Apache-2.0
 *
 * The words that an entity is found by: of its names, folded, cut at everything that is no letter or digit;
 * and whole names too, so that "svc_sql" is found by "sql" and by "svc_s". Pure.
 */
#pragma once

#include "base/cursor.h"
#include "sync/entity.h"

#define ENTITIES_WORD_MAX  48u /* bytes of a word */
#define ENTITIES_WORDS_MAX 24u

struct entities_words {
    uint32_t count;
    char words[ENTITIES_WORDS_MAX][ENTITIES_WORD_MAX + 1];
};

/* Each once. */
void entities_words_of(const struct entity *entity, struct entities_words *to);
/* Of what somebody types: the words of it. */
void entities_words_typed(struct bytes text, struct entities_words *to);
/* " one two": cut (and terminated) at the capacity. */
void entities_words_join(const struct entities_words *words, char *to, size_t capacity);
#define ENTITIES_WORDS_TEXT (ENTITIES_WORDS_MAX * (ENTITIES_WORD_MAX + 1u) + 1u)
