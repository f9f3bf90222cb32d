/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detector.h"

#include <string.h>

#define DETECTOR(symbol) extern const struct detector symbol;
#include "center/detectors.def"
#undef DETECTOR

const struct detector *const detectors[] = {
#define DETECTOR(symbol) &symbol,
#include "center/detectors.def"
#undef DETECTOR
    NULL,
};

const struct detector *detector_by_word(const char *word)
{
    for (unsigned i = 0; detectors[i]; i++)
        if (strcmp(detectors[i]->word, word) == 0)
            return detectors[i];
    return NULL;
}
