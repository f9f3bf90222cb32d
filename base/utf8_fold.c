/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <string.h>

/* Runs of capital letters and where their small ones are (Unicode 15, UnicodeData.txt, field 13); `step` 2:
 * capital and small letter take turns. Both forms have the same length in UTF-8. */
static const struct {
    uint16_t first, last;
    int16_t add;
    uint16_t step;
} capitals[] = {
    {0x00c0, 0x00d6, 32, 1}, {0x00d8, 0x00de, 32, 1}, {0x0100, 0x012e, 1, 2},    {0x0132, 0x0136, 1, 2},
    {0x0139, 0x0147, 1, 2},  {0x014a, 0x0176, 1, 2},  {0x0178, 0x0178, -121, 1}, {0x0179, 0x017d, 1, 2},
    {0x01cd, 0x01db, 1, 2},  {0x01de, 0x01ee, 1, 2},  {0x01f8, 0x021e, 1, 2},    {0x0222, 0x0232, 1, 2},
    {0x0386, 0x0386, 38, 1}, {0x0388, 0x038a, 37, 1}, {0x038c, 0x038c, 64, 1},   {0x038e, 0x038f, 63, 1},
    {0x0391, 0x03a1, 32, 1}, {0x03a3, 0x03ab, 32, 1}, {0x0400, 0x040f, 80, 1},   {0x0410, 0x042f, 32, 1},
    {0x0460, 0x0480, 1, 2},  {0x048a, 0x04be, 1, 2},  {0x04c0, 0x04c0, 15, 1},   {0x04c1, 0x04cd, 1, 2},
    {0x04d0, 0x052e, 1, 2},  {0x0531, 0x0556, 48, 1}, {0x1e00, 0x1e94, 1, 2},    {0x1ea0, 0x1efe, 1, 2},
    {0xff21, 0xff3a, 32, 1},
};

static uint32_t small_letter(uint32_t code)
{
    for (size_t i = 0; i < sizeof capitals / sizeof capitals[0] && code >= capitals[i].first; i++) {
        if (code <= capitals[i].last && (code - capitals[i].first) % capitals[i].step == 0)
            return (uint32_t)((int32_t)code + capitals[i].add);
    }
    return code;
}

void utf8_fold(uint8_t *to, const uint8_t *text, size_t size)
{
    size_t at = 0;
    while (at < size) {
        uint8_t c = text[at];
        if (c < 0x80) {
            to[at++] = (uint8_t)(c >= 'A' && c <= 'Z' ? c + 32 : c);
            continue;
        }
        uint32_t code;
        bool valid;
        size_t taken = utf8_decode(text + at, size - at, &code, &valid);
        uint8_t form[UTF8_BYTES_MAX];
        if (valid && utf8_encode(small_letter(code), form) == taken)
            memcpy(to + at, form, taken);
        else
            memcpy(to + at, text + at, taken);
        at += taken;
    }
}
