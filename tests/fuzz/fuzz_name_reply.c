/* SPDX-License-Identifier: Apache-2.0
 *
 * What a computer answers to the question for its name: the first byte says to which method.
 */
#include "naming/name_query.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ip_address host = {4, {10, 1, 2, 3}};
    struct name_answer answer;
    if (size == 0)
        return 0;
    enum name_method method = (enum name_method)(data[0] % NAME_METHODS);
    uint8_t *copy = malloc(size); /* of exactly its size: what is read behind it is noticed */
    if (!copy)
        return 0;
    memcpy(copy, data + 1, size - 1);
    enum name_verdict verdict =
        name_reply_read(method, &host, 0x1234, (struct bytes){copy, size - 1}, &answer);
    if (verdict == NAME_TOLD && (!answer.host[0] || strlen(answer.host) >= NAME_HOST_MAX))
        abort();
    if (name_from_certificate((struct bytes){copy, size - 1}, &answer) && strpbrk(answer.host, " \t\n\x1b*/"))
        abort();
    free(copy);
    return 0;
}
