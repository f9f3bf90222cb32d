/* SPDX-License-Identifier: Apache-2.0 */
#include "center/entities_words.h"

#include <ctype.h>
#include <stdio.h>

#define NAME_BYTES 256u

/* Bytes of other scripts belong to words. */
static bool is_of_word(uint8_t c)
{
    return c >= 0x80 || isalnum(c);
}

/* Not in the middle of a character. */
static size_t cut(const uint8_t *text, size_t size)
{
    if (size <= ENTITIES_WORD_MAX)
        return size;
    size = ENTITIES_WORD_MAX;
    while (size > 0 && (text[size] & 0xc0) == 0x80)
        size--;
    return size;
}

static void add(struct entities_words *to, const uint8_t *word, size_t size)
{
    size = cut(word, size);
    if (size == 0 || to->count == ENTITIES_WORDS_MAX)
        return;
    for (uint32_t i = 0; i < to->count; i++)
        if (strlen(to->words[i]) == size && memcmp(to->words[i], word, size) == 0)
            return;
    memcpy(to->words[to->count], word, size);
    to->words[to->count++][size] = '\0';
}

static void add_pieces(struct entities_words *to, const uint8_t *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t begin = at;
        while (at < size && is_of_word(text[at]))
            at++;
        add(to, text + begin, at - begin);
        at += at == begin;
    }
}

static void add_name(struct entities_words *to, struct bytes name, bool whole)
{
    uint8_t folded[NAME_BYTES];
    if (name.size > sizeof(folded))
        name.size = sizeof(folded);
    entity_fold(folded, name);
    for (size_t i = 0; i < name.size; i++)
        if (folded[i] == '\0')
            folded[i] = ' ';
    if (whole && !memchr(folded, ' ', name.size))
        add(to, folded, name.size);
    add_pieces(to, folded, name.size);
}

static struct bytes text_of(const struct entity *entity, enum entity_attribute attribute)
{
    const struct activity_value *v = entity_get(entity, attribute);
    return v ? v->bytes : (struct bytes){0};
}

void entities_words_of(const struct entity *entity, struct entities_words *to)
{
    struct bytes rdn = entity->rdn;
    to->count = 0;
    add_name(to, text_of(entity, ENTITY_SAM_ACCOUNT_NAME), true);
    add_name(to, text_of(entity, ENTITY_DISPLAY_NAME), false);
    const uint8_t *equals = rdn.size ? memchr(rdn.data, '=', rdn.size) : NULL;
    if (equals)
        add_name(to, (struct bytes){equals + 1, (size_t)(rdn.data + rdn.size - equals) - 1}, false);
    add_name(to, text_of(entity, ENTITY_DNS_HOST_NAME), true);
    add_name(to, text_of(entity, ENTITY_USER_PRINCIPAL_NAME), true);
    add_name(to, text_of(entity, ENTITY_MAIL), true);
}

void entities_words_typed(struct bytes text, struct entities_words *to)
{
    uint8_t folded[NAME_BYTES];
    to->count = 0;
    if (text.size > sizeof(folded))
        text.size = sizeof(folded);
    entity_fold(folded, text);
    /* As it stands between blanks: a whole name may be typed. */
    for (size_t at = 0; at < text.size;) {
        size_t begin = at;
        while (at < text.size && folded[at] > ' ')
            at++;
        add(to, folded + begin, at - begin);
        at += at == begin;
    }
}

void entities_words_join(const struct entities_words *words, char *to, size_t capacity)
{
    size_t size = 0;
    to[0] = '\0';
    for (uint32_t i = 0; i < words->count; i++) {
        int n = snprintf(to + size, capacity - size, " %s", words->words[i]);
        if (n < 0 || (size_t)n >= capacity - size) {
            to[size] = '\0';
            return;
        }
        size += (size_t)n;
    }
}
