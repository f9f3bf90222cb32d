/* SPDX-License-Identifier: Apache-2.0
 *
 * The little Markdown that the generated pages need.
 */
#pragma once

#include <stdio.h>

/* The text of a table's cell: a bar is escaped, so that it does not end the cell. */
static inline void markdown_cell(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            fputc('\\', out);
        fputc(*text, out);
    }
}
