/* SPDX-License-Identifier: Apache-2.0
 *
 * Golden files: tests/data/cluster/NAME.hex holds the bytes, 32 a line, NAME.txt the same for people, one
 * pair of a map a line. A test that is run with PICKET_GOLDEN=write writes them instead of comparing.
 */
#pragma once

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/msgpack.h"
#include "base/text.h"
#include "tests/unit/unit.h"

#define GOLDEN_MAX 65536

static inline void golden_item(struct text *t, struct cursor *c, unsigned indent, size_t signature)
{
    static const char spaces[] = "                                ";
    struct msgpack_item item = msgpack_next(c);
    switch (item.type) {
    case MSGPACK_BOOL:
        text_string(t, item.boolean ? "true" : "false");
        break;
    case MSGPACK_UINT:
        text_uint(t, item.uint);
        break;
    case MSGPACK_STRING:
        text_json_string(t, item.bytes);
        break;
    case MSGPACK_BINARY: {
        /* What is signed in its turn is shown as what it is. */
        struct cursor inner = cursor_of_bytes(item.bytes);
        if (item.bytes.size > signature + 8 && (item.bytes.data[0] & 0xf0) == 0x80 && signature) {
            inner.end -= signature;
            text_string(t, "signed ");
            golden_item(t, &inner, indent + 2, signature);
            text_string(t, " signature ");
            text_hex(t, (struct bytes){inner.end, signature});
            break;
        }
        text_hex(t, item.bytes);
        break;
    }
    case MSGPACK_ARRAY:
        text_char(t, '[');
        for (uint32_t i = 0; i < item.count; i++) {
            text_string(t, i ? ", " : "");
            golden_item(t, c, indent, signature);
        }
        text_char(t, ']');
        break;
    case MSGPACK_MAP:
        text_string(t, "{\n");
        for (uint32_t i = 0; i < item.count; i++) {
            text_put(t, spaces, indent + 2);
            golden_item(t, c, indent + 2, signature);
            text_string(t, ": ");
            golden_item(t, c, indent + 2, signature);
            text_char(t, '\n');
        }
        text_put(t, spaces, indent);
        text_char(t, '}');
        break;
    default:
        text_string(t, "?");
    }
}

static inline void golden_file(const char *name, const char *ending, const char *content)
{
    static char expected[GOLDEN_MAX];
    char path[512];
    const char *mode = getenv("PICKET_GOLDEN");
    bool write = mode && strcmp(mode, "write") == 0;
    snprintf(path, sizeof path, "%s/cluster/%s.%s", PICKET_TEST_DATA, name, ending);
    FILE *file = fopen(path, write ? "w" : "r");
    assert_non_null(file);
    if (write) {
        fputs(content, file);
    } else {
        size_t size = fread(expected, 1, sizeof expected - 1, file);
        expected[size] = '\0';
        assert_string_equal(expected, content);
    }
    assert_int_equal(fclose(file), 0);
}

/* `signature`: bytes of the signature behind the msgpack item, 0 for none. */
static inline void golden_check(const char *name, struct bytes bytes, size_t signature)
{
    static char buffer[GOLDEN_MAX];
    struct text t = text_to(buffer, sizeof buffer);
    for (size_t i = 0; i < bytes.size; i += 32) {
        text_hex(&t, (struct bytes){bytes.data + i, bytes.size - i < 32 ? bytes.size - i : 32});
        text_char(&t, '\n');
    }
    assert_true(text_end(&t) < sizeof buffer);
    golden_file(name, "hex", buffer);

    t = text_to(buffer, sizeof buffer);
    struct cursor c = cursor_of(bytes.data, bytes.size - signature);
    golden_item(&t, &c, 0, signature);
    assert_true(!c.failed && cursor_done(&c));
    if (signature) {
        text_string(&t, "\nsignature ");
        text_hex(&t, (struct bytes){bytes.data + bytes.size - signature, signature});
    }
    text_char(&t, '\n');
    assert_true(text_end(&t) < sizeof buffer);
    golden_file(name, "txt", buffer);
}
