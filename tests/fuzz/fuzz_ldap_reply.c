/* SPDX-License-Identifier: Apache-2.0
 *
 * What a directory answers, and what DNS does: the first byte says which.
 */
#include "sync/controllers.h"
#include "sync/ldap_protocol.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads every byte that it is shown. */
static uint64_t touch(struct bytes bytes)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes.size; i++)
        sum += bytes.data[i];
    return sum;
}

static volatile uint64_t sum; /* so that nothing that is read is left out */

static void read_reply(struct bytes whole)
{
    static struct ldap_entry_space space; /* kept, as the client keeps it */
    struct ldap_reply reply;
    if (!ldap_reply_read(whole, &reply))
        return;
    struct directory_object object;
    if (ldap_entry_read(&reply, &space, &object) == LDAP_ENTRY_FINE) {
        sum += touch(object.dn);
        for (uint32_t i = 0; i < object.attribute_count; i++) {
            sum += touch(object.attributes[i].name);
            for (uint32_t j = 0; j < object.attributes[i].value_count; j++)
                sum += touch(object.attributes[i].values[j]);
        }
        (void)directory_object_find(&object, "member");
    }
    struct ldap_answer answer;
    if (ldap_answer_read(&reply, &answer))
        sum += touch(answer.matched) + touch(answer.text) + touch(answer.credentials) + touch(answer.name);
    struct bytes cookie;
    bool more;
    for (int dirsync = 0; dirsync < 2; dirsync++)
        if (ldap_answer_cookie(&reply, dirsync, &cookie, &more))
            sum += touch(cookie);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] & 1) {
        struct controller list[CONTROLLERS_MAX];
        unsigned count = 0;
        controllers_read_answer((struct bytes){data + 1, size - 1}, 0, list, &count);
        if (count > CONTROLLERS_MAX)
            abort();
        return 0;
    }
    /* A stream of messages. */
    struct bytes stream = {data + 1, size - 1};
    while (stream.size > 0) {
        size_t whole = ldap_reply_size(stream, 1u << 20);
        if (whole == 0 || whole == SIZE_MAX || whole > stream.size)
            break;
        read_reply((struct bytes){stream.data, whole});
        stream = (struct bytes){stream.data + whole, stream.size - whole};
    }
    return 0;
}
