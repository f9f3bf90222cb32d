/* SPDX-License-Identifier: Apache-2.0
 *
 * libmsgpack is the oracle: it reads what our writer wrote, and our reader reads what it packed.
 */
#include <msgpack.h>
#include <stdlib.h>

#include "base/msgpack.h"
#include "tests/unit/unit.h"

/* -- single forms -------------------------------------------------------------------------------- */

#define BYTES(literal) ((struct bytes){.data = (const uint8_t *)(literal), .size = sizeof(literal) - 1})

static const struct {
    uint64_t value;
    struct bytes form;
} unsigned_forms[] = {
    {0, BYTES("\x00")},
    {127, BYTES("\x7f")},
    {128, BYTES("\xcc\x80")},
    {255, BYTES("\xcc\xff")},
    {256, BYTES("\xcd\x01\x00")},
    {65535, BYTES("\xcd\xff\xff")},
    {65536, BYTES("\xce\x00\x01\x00\x00")},
    {UINT32_MAX, BYTES("\xce\xff\xff\xff\xff")},
    {UINT64_C(1) << 32, BYTES("\xcf\0\0\0\x01\0\0\0\0")},
    {UINT64_MAX, BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff")},
};

static const struct {
    int64_t value;
    struct bytes form;
} signed_forms[] = {
    {-1, BYTES("\xff")},
    {-32, BYTES("\xe0")},
    {-33, BYTES("\xd0\xdf")},
    {-128, BYTES("\xd0\x80")},
    {-129, BYTES("\xd1\xff\x7f")},
    {-32768, BYTES("\xd1\x80\x00")},
    {-32769, BYTES("\xd2\xff\xff\x7f\xff")},
    {INT32_MIN, BYTES("\xd2\x80\0\0\0")},
    {INT32_MIN - INT64_C(1), BYTES("\xd3\xff\xff\xff\xff\x7f\xff\xff\xff")},
    {INT64_MIN, BYTES("\xd3\x80\0\0\0\0\0\0\0")},
    {5, BYTES("\x05")},
};

static void integers_take_the_shortest_form(void **state)
{
    (void)state;
    uint8_t buffer[16];
    struct msgpack_writer w;
    for (size_t i = 0; i < sizeof unsigned_forms / sizeof unsigned_forms[0]; i++) {
        msgpack_writer_init(&w, buffer, sizeof buffer);
        msgpack_put_uint(&w, unsigned_forms[i].value);
        assert_int_equal(w.size, unsigned_forms[i].form.size);
        assert_bytes_equal(buffer, unsigned_forms[i].form.data, w.size);
    }
    for (size_t i = 0; i < sizeof signed_forms / sizeof signed_forms[0]; i++) {
        msgpack_writer_init(&w, buffer, sizeof buffer);
        msgpack_put_int(&w, signed_forms[i].value);
        assert_int_equal(w.size, signed_forms[i].form.size);
        assert_bytes_equal(buffer, signed_forms[i].form.data, w.size);
    }
}

/* Headers at the edges of their forms. */
static void headers_take_the_shortest_form(void **state)
{
    (void)state;
    static const struct {
        uint32_t size;
        struct bytes string;
        struct bytes binary;
        struct bytes array;
        struct bytes map;
    } heads[] = {
        {15, BYTES("\xaf"), BYTES("\xc4\x0f"), BYTES("\x9f"), BYTES("\x8f")},
        {16, BYTES("\xb0"), BYTES("\xc4\x10"), BYTES("\xdc\x00\x10"), BYTES("\xde\x00\x10")},
        {31, BYTES("\xbf"), BYTES("\xc4\x1f"), BYTES("\xdc\x00\x1f"), BYTES("\xde\x00\x1f")},
        {32, BYTES("\xd9\x20"), BYTES("\xc4\x20"), BYTES("\xdc\x00\x20"), BYTES("\xde\x00\x20")},
        {255, BYTES("\xd9\xff"), BYTES("\xc4\xff"), BYTES("\xdc\x00\xff"), BYTES("\xde\x00\xff")},
        {256, BYTES("\xda\x01\x00"), BYTES("\xc5\x01\x00"), BYTES("\xdc\x01\x00"), BYTES("\xde\x01\x00")},
        {65536, BYTES("\xdb\0\x01\0\0"), BYTES("\xc6\0\x01\0\0"), BYTES("\xdd\0\x01\0\0"),
         BYTES("\xdf\0\x01\0\0")},
    };
    static uint8_t buffer[70000];
    static const uint8_t body[65536];
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct msgpack_writer w;
        msgpack_writer_init(&w, buffer, sizeof buffer);
        msgpack_put_string(&w, body, heads[i].size);
        assert_int_equal(w.size, heads[i].string.size + heads[i].size);
        assert_bytes_equal(buffer, heads[i].string.data, heads[i].string.size);
        msgpack_writer_init(&w, buffer, sizeof buffer);
        msgpack_put_binary(&w, body, heads[i].size);
        assert_int_equal(w.size, heads[i].binary.size + heads[i].size);
        assert_bytes_equal(buffer, heads[i].binary.data, heads[i].binary.size);
        msgpack_writer_init(&w, buffer, sizeof buffer);
        msgpack_put_array(&w, heads[i].size);
        assert_int_equal(w.size, heads[i].array.size);
        assert_bytes_equal(buffer, heads[i].array.data, w.size);
        msgpack_writer_init(&w, buffer, sizeof buffer);
        msgpack_put_map(&w, heads[i].size);
        assert_int_equal(w.size, heads[i].map.size);
        assert_bytes_equal(buffer, heads[i].map.data, w.size);
    }
}

static void a_full_writer_stays_as_it_was(void **state)
{
    (void)state;
    uint8_t buffer[8];
    struct msgpack_writer w;
    msgpack_writer_init(&w, buffer, sizeof buffer);
    msgpack_put_text(&w, "abc");
    assert_int_equal(w.size, 4);
    msgpack_put_text(&w, "abcd"); /* its head would fit, its body not */
    assert_true(w.full);
    assert_int_equal(w.size, 4);
    msgpack_put_nil(&w); /* sticky */
    assert_int_equal(w.size, 4);
    msgpack_writer_init(&w, buffer, sizeof buffer);
    msgpack_put_raw(&w, "\xc3", 1);
    msgpack_put_string(&w, NULL, 0);
    msgpack_put_bool(&w, false);
    assert_false(w.full);
    assert_bytes_equal(buffer, "\xc3\xa0\xc2", 3);
    msgpack_put_string(&w, buffer, SIZE_MAX);
    assert_true(w.full);
    msgpack_writer_init(&w, buffer, sizeof buffer);
    msgpack_put_binary(&w, buffer, SIZE_MAX);
    assert_true(w.full);
}

/* -- against libmsgpack -------------------------------------------------------------------------- */

/* Random trees: `choose` gives the same numbers to whoever writes it. */
static uint64_t seed;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Of all magnitudes alike. */
static uint64_t next_number(void)
{
    uint64_t number = next_random();
    return number >> next_random() % 64;
}

static const char filler[70000];

static size_t next_size(void)
{
    static const size_t sizes[] = {0, 1, 15, 16, 31, 32, 33, 255, 256, 300, 65535, 65536};
    size_t pick = next_random() % 100;
    return pick < 12 ? sizes[pick] : pick % 20;
}

enum kind { NIL, BOOL, UINT, INT, DOUBLE, STRING, BINARY, ARRAY, MAP, KINDS };

static enum kind next_kind(unsigned depth)
{
    return (enum kind)(next_random() % (depth ? KINDS : ARRAY));
}

static void write_ours(struct msgpack_writer *w, unsigned depth)
{
    enum kind kind = next_kind(depth);
    size_t size;
    switch (kind) {
    case NIL:
        msgpack_put_nil(w);
        break;
    case BOOL:
        msgpack_put_bool(w, next_random() & 1);
        break;
    case UINT:
        msgpack_put_uint(w, next_number());
        break;
    case INT:
        msgpack_put_int(w, -(int64_t)(next_number() >> 1));
        break;
    case DOUBLE:
        msgpack_put_double(w, (double)next_random() / 3.0);
        break;
    case STRING:
        msgpack_put_string(w, filler, next_size());
        break;
    case BINARY:
        msgpack_put_binary(w, filler, next_size());
        break;
    case ARRAY:
        size = next_random() % 20;
        msgpack_put_array(w, (uint32_t)size);
        while (size--)
            write_ours(w, depth - 1);
        break;
    default:
        size = next_random() % 20;
        msgpack_put_map(w, (uint32_t)size);
        for (size *= 2; size; size--)
            write_ours(w, depth - 1);
        break;
    }
}

static void write_theirs(msgpack_packer *p, unsigned depth)
{
    enum kind kind = next_kind(depth);
    size_t size;
    switch (kind) {
    case NIL:
        msgpack_pack_nil(p);
        break;
    case BOOL:
        if (next_random() & 1)
            msgpack_pack_true(p);
        else
            msgpack_pack_false(p);
        break;
    case UINT:
        msgpack_pack_uint64(p, next_number());
        break;
    case INT:
        msgpack_pack_int64(p, -(int64_t)(next_number() >> 1));
        break;
    case DOUBLE:
        msgpack_pack_double(p, (double)next_random() / 3.0);
        break;
    case STRING:
        size = next_size();
        msgpack_pack_str(p, size);
        msgpack_pack_str_body(p, filler, size);
        break;
    case BINARY:
        size = next_size();
        msgpack_pack_bin(p, size);
        msgpack_pack_bin_body(p, filler, size);
        break;
    case ARRAY:
        size = next_random() % 20;
        msgpack_pack_array(p, size);
        while (size--)
            write_theirs(p, depth - 1);
        break;
    default:
        size = next_random() % 20;
        msgpack_pack_map(p, size);
        for (size *= 2; size; size--)
            write_theirs(p, depth - 1);
        break;
    }
}

/* Our reader's item against their object, with all that is below. */
static void compare(struct cursor *c, const msgpack_object *o)
{
    struct msgpack_item item = msgpack_next(c);
    switch (o->type) {
    case MSGPACK_OBJECT_NIL:
        assert_int_equal(item.type, MSGPACK_NIL);
        break;
    case MSGPACK_OBJECT_BOOLEAN:
        assert_int_equal(item.type, MSGPACK_BOOL);
        assert_int_equal(item.boolean, o->via.boolean);
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        assert_int_equal(item.type, MSGPACK_UINT);
        assert_true(item.uint == o->via.u64);
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        assert_int_equal(item.type, MSGPACK_INT);
        assert_true(item.sint == o->via.i64);
        break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        assert_int_equal(item.type, MSGPACK_DOUBLE);
        assert_true(item.real == o->via.f64);
        break;
    case MSGPACK_OBJECT_STR:
        assert_int_equal(item.type, MSGPACK_STRING);
        assert_int_equal(item.bytes.size, o->via.str.size);
        assert_bytes_equal(item.bytes.data, o->via.str.ptr, item.bytes.size);
        break;
    case MSGPACK_OBJECT_BIN:
        assert_int_equal(item.type, MSGPACK_BINARY);
        assert_int_equal(item.bytes.size, o->via.bin.size);
        assert_bytes_equal(item.bytes.data, o->via.bin.ptr, item.bytes.size);
        break;
    case MSGPACK_OBJECT_EXT:
        assert_int_equal(item.type, MSGPACK_EXTENSION);
        assert_int_equal(item.extension, o->via.ext.type);
        assert_int_equal(item.bytes.size, o->via.ext.size);
        assert_bytes_equal(item.bytes.data, o->via.ext.ptr, item.bytes.size);
        break;
    case MSGPACK_OBJECT_ARRAY:
        assert_int_equal(item.type, MSGPACK_ARRAY);
        assert_int_equal(item.count, o->via.array.size);
        for (uint32_t i = 0; i < item.count; i++)
            compare(c, &o->via.array.ptr[i]);
        break;
    default:
        assert_int_equal(item.type, MSGPACK_MAP);
        assert_int_equal(item.count, o->via.map.size);
        for (uint32_t i = 0; i < item.count; i++) {
            compare(c, &o->via.map.ptr[i].key);
            compare(c, &o->via.map.ptr[i].val);
        }
        break;
    }
}

static void both_read(const void *data, size_t size)
{
    msgpack_unpacked unpacked;
    size_t at = 0;
    msgpack_unpacked_init(&unpacked);
    assert_int_equal(msgpack_unpack_next(&unpacked, data, size, &at), MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(at, size);
    struct cursor c = cursor_of(data, size);
    compare(&c, &unpacked.data);
    assert_true(cursor_done(&c) && !c.failed);
    c = cursor_of(data, size);
    assert_true(msgpack_skip(&c));
    assert_true(cursor_done(&c));
    msgpack_unpacked_destroy(&unpacked);
}

enum {
    TREES = 1500,
    CAPACITY = 32 << 20,
};

static void writes_and_reads_what_libmsgpack_does(void **state)
{
    (void)state;
    uint8_t *buffer = malloc(CAPACITY);
    for (uint64_t tree = 1; tree <= TREES; tree++) {
        struct msgpack_writer w;
        msgpack_writer_init(&w, buffer, CAPACITY);
        seed = tree * UINT64_C(0x9e3779b97f4a7c15);
        write_ours(&w, 3);
        assert_false(w.full);

        msgpack_sbuffer theirs;
        msgpack_packer packer;
        msgpack_sbuffer_init(&theirs);
        msgpack_packer_init(&packer, &theirs, msgpack_sbuffer_write);
        seed = tree * UINT64_C(0x9e3779b97f4a7c15);
        write_theirs(&packer, 3);

        /* Both take the shortest form: the same bytes. */
        assert_int_equal(w.size, theirs.size);
        assert_bytes_equal(buffer, theirs.data, w.size);
        both_read(buffer, w.size);
        msgpack_sbuffer_destroy(&theirs);
    }
    free(buffer);
}

/* Forms that no writer of ours makes: floats of 32 bits, extensions, integers longer than they need be. */
static void reads_all_other_forms(void **state)
{
    (void)state;
    static const struct bytes forms[] = {
        BYTES("\xca\x3f\xc0\x00\x00"),
        BYTES("\xd4\x05z"),
        BYTES("\xd5\x85zz"),
        BYTES("\xd6\x05zzzz"),
        BYTES("\xd7\x05zzzzzzzz"),
        BYTES("\xd8\x05zzzzzzzzzzzzzzzz"),
        BYTES("\xc7\x03\x01zzz"),
        BYTES("\xc8\x00\x03\x01zzz"),
        BYTES("\xc9\x00\x00\x00\x03\xffzzz"),
        BYTES("\xd0\x05"),
        BYTES("\xd1\x00\x05"),
        BYTES("\xd2\x00\x00\x00\x05"),
        BYTES("\xd3\x00\x00\x00\x00\x00\x00\x00\x05"),
        BYTES("\xcf\x00\x00\x00\x00\x00\x00\x00\x05"),
        BYTES("\xd9\x01z"),
        BYTES("\xda\x00\x01z"),
        BYTES("\xdb\x00\x00\x00\x01z"),
        BYTES("\xc5\x00\x01z"),
        BYTES("\xc6\x00\x00\x00\x01z"),
        BYTES("\xdc\x00\x01\xc0"),
        BYTES("\xdd\x00\x00\x00\x01\xc0"),
        BYTES("\xde\x00\x01\xc0\xc0"),
        BYTES("\xdf\x00\x00\x00\x01\xc0\xc0"),
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        both_read(forms[i].data, forms[i].size);
        /* Cut at any byte, it is refused. */
        for (size_t size = 0; size < forms[i].size; size++) {
            struct cursor c = cursor_of(forms[i].data, size);
            assert_false(msgpack_skip(&c));
            assert_true(c.failed);
        }
    }
}

static void refuses_damage(void **state)
{
    (void)state;
    struct cursor c = cursor_of("\xc1", 1);
    assert_int_equal(msgpack_next(&c).type, MSGPACK_INVALID);
    assert_true(c.failed);
    assert_int_equal(msgpack_next(&c).type, MSGPACK_INVALID);

    /* Announced lengths cost nothing. */
    static const struct bytes lies[] = {
        BYTES("\xdd\xff\xff\xff\xff\xc0"), BYTES("\xdf\xff\xff\xff\xff\xc0"),
        BYTES("\xdb\xff\xff\xff\xff\xc0"), BYTES("\xc6\xff\xff\xff\xff\xc0"),
        BYTES("\xc9\xff\xff\xff\xff\xc0"), BYTES("\x92\x91\xc0"),
        BYTES("\x82\xc0\xc0\xc0"),
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        c = cursor_of_bytes(lies[i]);
        assert_false(msgpack_skip(&c));
        assert_true(c.failed);
    }
}

static void skips_to_any_depth(void **state)
{
    (void)state;
    enum { DEPTH = 1000000 };
    uint8_t *nested = malloc(DEPTH + 1);
    memset(nested, 0x91, DEPTH);
    nested[DEPTH] = 0xc0;
    struct cursor c = cursor_of(nested, DEPTH + 1);
    assert_true(msgpack_skip(&c));
    assert_true(cursor_done(&c));
    c = cursor_of(nested, DEPTH);
    assert_false(msgpack_skip(&c));
    free(nested);
}

/* What is wanted is taken; anything else fails the cursor, and so does all behind it. */
static void takes_what_is_wanted(void **state)
{
    (void)state;
    uint8_t buffer[256], id[4];
    char text[8];
    struct msgpack_writer w;
    msgpack_writer_init(&w, buffer, sizeof buffer);
    msgpack_put_uint(&w, 7);
    msgpack_put_int(&w, -7);
    msgpack_put_int(&w, 7);
    msgpack_put_double(&w, 0.5);
    msgpack_put_bool(&w, true);
    msgpack_put_array(&w, 2);
    msgpack_put_binary(&w, "abcd", 4);
    msgpack_put_text(&w, "seven77");
    msgpack_put_text(&w, "");
    struct cursor c = cursor_of(buffer, w.size);
    assert_int_equal(msgpack_take_uint(&c, 7), 7);
    assert_int_equal(msgpack_take_int(&c), -7);
    assert_int_equal(msgpack_take_int(&c), 7);
    assert_true(msgpack_take_double(&c) == 0.5);
    assert_true(msgpack_take_bool(&c));
    assert_int_equal(msgpack_take_array(&c, 2, 2), 2);
    msgpack_take_binary(&c, id, sizeof id);
    assert_memory_equal(id, "abcd", 4);
    msgpack_take_text(&c, text, sizeof text);
    assert_string_equal(text, "seven77");
    assert_int_equal(msgpack_take_bytes(&c, MSGPACK_STRING, 0).size, 0);
    assert_true(cursor_done(&c) && !c.failed);
}

static void takes_nothing_else(void **state)
{
    (void)state;
    static const enum kind takers[] = {UINT, INT, DOUBLE, BOOL, ARRAY, BINARY, STRING};
    static const struct {
        struct bytes item;
        unsigned fits; /* bit i: taker i */
    } items[] = {
        {BYTES("\x05"), 1u << UINT | 1u << INT},
        {BYTES("\x06"), 1u << INT}, /* beyond the most */
        {BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), 0},
        {BYTES("\xff"), 1u << INT},
        {BYTES("\xcb\x3f\xe0\0\0\0\0\0\0"), 1u << DOUBLE},
        {BYTES("\xcb\x7f\xf0\0\0\0\0\0\0"), 0}, /* infinity */
        {BYTES("\xcb\x7f\xf8\0\0\0\0\0\0"), 0},
        {BYTES("\xc3"), 1u << BOOL},
        {BYTES("\x92\xc0\xc0"), 1u << ARRAY},
        {BYTES("\x91\xc0"), 0},
        {BYTES("\xc4\x02zz"), 1u << BINARY},
        {BYTES("\xc4\x01z"), 0},
        {BYTES("\xc4\x03zzz"), 0},
        {BYTES("\xa3zzz"), 1u << STRING},
        {BYTES("\xa4zzzz"), 0}, /* no room for the NUL */
        {BYTES("\xa2z\0"), 0},
        {BYTES("\xc0"), 0},
        {BYTES(""), 0},
    };
    for (unsigned i = 0; i < sizeof items / sizeof *items; i++) {
        for (unsigned k = 0; k < sizeof takers / sizeof *takers; k++) {
            enum kind taker = takers[k];
            struct cursor c = cursor_of_bytes(items[i].item);
            uint8_t two[2] = {1, 2};
            char text[4] = "abc";
            if (taker == UINT)
                (void)msgpack_take_uint(&c, 5);
            else if (taker == INT)
                (void)msgpack_take_int(&c);
            else if (taker == DOUBLE)
                (void)msgpack_take_double(&c);
            else if (taker == BOOL)
                (void)msgpack_take_bool(&c);
            else if (taker == ARRAY)
                (void)msgpack_take_array(&c, 2, 3);
            else if (taker == BINARY)
                msgpack_take_binary(&c, two, sizeof two);
            else
                msgpack_take_text(&c, text, sizeof text);
            bool fits = items[i].fits >> taker & 1;
            assert_int_equal(c.failed, !fits);
            if (taker == BINARY && !fits)
                assert_true(two[0] == 1 && two[1] == 2);
            if (taker == STRING && !fits)
                assert_string_equal(text, "");
        }
    }
    struct msgpack_item word = {.type = MSGPACK_STRING, .bytes = BYTES("word")};
    assert_true(msgpack_is_text(&word, "word"));
    assert_false(msgpack_is_text(&word, "wor"));
    word.type = MSGPACK_BINARY;
    assert_false(msgpack_is_text(&word, "word"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_take_the_shortest_form),
        cmocka_unit_test(headers_take_the_shortest_form),
        cmocka_unit_test(a_full_writer_stays_as_it_was),
        cmocka_unit_test(writes_and_reads_what_libmsgpack_does),
        cmocka_unit_test(reads_all_other_forms),
        cmocka_unit_test(refuses_damage),
        cmocka_unit_test(skips_to_any_depth),
        cmocka_unit_test(takes_what_is_wanted),
        cmocka_unit_test(takes_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
