/* SPDX-License-Identifier: Apache-2.0
 *
 * SMB 2 and 3: the parsers, and what a connection's messages become.
 */
#include "capture/smb2.h"
#include "capture/smb_state.h"
#include "smb_wire.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* -- messages ------------------------------------------------------------------------------------------- */

struct head {
    uint16_t command;
    uint32_t status;
    uint32_t flags;
    uint64_t message;
    uint32_t tree;
    uint64_t session;
};

/* [MS-SMB2] 2.2.1 */
static void put_head(struct wire_bytes *b, const struct head *h)
{
    raw(b, "\xfeSMB", 4);
    le16(b, 64);
    le16(b, 1);
    le32(b, h->status);
    le16(b, h->command);
    le16(b, 31);
    le32(b, h->flags);
    le32(b, 0);
    le64(b, h->message);
    le32(b, h->flags & SMB2_FLAG_ASYNC ? 77 : 0xfeff);
    le32(b, h->flags & SMB2_FLAG_ASYNC ? 0 : h->tree);
    le64(b, h->session);
    zeros(b, 16);
}

/* Ends the part that began at `from`: pads it, and says where the next begins. */
static void chain(struct wire_bytes *b, size_t from)
{
    while ((b->size - from) % 8)
        le8(b, 0);
    size_t at = b->size;
    b->size = from + 20;
    le32(b, (uint32_t)(at - from));
    b->size = at;
}

static void create_body(struct wire_bytes *b, const char *name, uint32_t options)
{
    le16(b, 57);
    le16(b, 0);
    le32(b, 2);
    zeros(b, 16);
    le32(b, 0x0012019f);
    le32(b, 0x80);
    le32(b, 7);
    le32(b, 5);
    le32(b, options);
    le16(b, 64 + 56);
    le16(b, (unsigned)strlen(name) * 2);
    le32(b, 0);
    le32(b, 0);
    utf16(b, name);
}

static void file_id(struct wire_bytes *b, uint64_t id)
{
    le64(b, id);
    le64(b, id == UINT64_MAX ? UINT64_MAX : ~id);
}

static void create_reply_body(struct wire_bytes *b, uint64_t id, uint32_t attributes)
{
    le16(b, 89);
    le16(b, 0);
    le32(b, 2);
    zeros(b, 40);
    le64(b, 4242);
    le32(b, attributes);
    le32(b, 0);
    file_id(b, id);
    zeros(b, 8);
}

static void close_body(struct wire_bytes *b, uint64_t id)
{
    le16(b, 24);
    le16(b, 0);
    le32(b, 0);
    file_id(b, id);
}

static void close_reply_body(struct wire_bytes *b)
{
    le16(b, 60);
    zeros(b, 58);
}

static void read_body(struct wire_bytes *b, uint64_t id, uint32_t length)
{
    le16(b, 49);
    le16(b, 0);
    le32(b, length);
    le64(b, 0);
    file_id(b, id);
    zeros(b, 17);
}

static void read_reply_body(struct wire_bytes *b, const void *data, size_t size)
{
    le16(b, 17);
    le16(b, 80);
    le32(b, (uint32_t)size);
    zeros(b, 8);
    if (data)
        raw(b, data, size);
    else
        zeros(b, size);
}

static void write_body(struct wire_bytes *b, uint64_t id, const void *data, size_t size)
{
    le16(b, 49);
    le16(b, 112);
    le32(b, (uint32_t)size);
    le64(b, 0);
    file_id(b, id);
    zeros(b, 16);
    if (data)
        raw(b, data, size);
    else
        zeros(b, size);
}

static void write_reply_body(struct wire_bytes *b, uint32_t count)
{
    le16(b, 17);
    le16(b, 0);
    le32(b, count);
    zeros(b, 9);
}

static void ioctl_body(struct wire_bytes *b, uint32_t code, uint64_t id, const void *data, size_t size)
{
    le16(b, 57);
    le16(b, 0);
    le32(b, code);
    file_id(b, id);
    le32(b, 120);
    le32(b, (uint32_t)size);
    zeros(b, 24);
    raw(b, data, size);
}

static void ioctl_reply_body(struct wire_bytes *b, uint32_t code, uint64_t id, const void *data, size_t size)
{
    le16(b, 49);
    le16(b, 0);
    le32(b, code);
    file_id(b, id);
    le32(b, 0);
    le32(b, 0);
    le32(b, 112);
    le32(b, (uint32_t)size);
    zeros(b, 8);
    raw(b, data, size);
}

static void set_info_body(struct wire_bytes *b, uint64_t id, unsigned type, unsigned class_, const void *data,
                          size_t size)
{
    le16(b, 33);
    le8(b, type);
    le8(b, class_);
    le32(b, (uint32_t)size);
    le16(b, 96);
    le16(b, 0);
    le32(b, 0);
    file_id(b, id);
    raw(b, data, size);
}

/* A DCE/RPC bind to SRVSVC and its acknowledgement ([C706] 12.6.4.3, .4) */
static const uint8_t bind_pdu[72] = {
    5,    0,    11,   3,    0x10, 0,    0,    0,    72,   0,    0,    0,    1,    0,    0,
    0,    0xb8, 0x10, 0xb8, 0x10, 0,    0,    0,    0,    1,    0,    0,    0,    0,    0,
    1,    0,    0xc8, 0x4f, 0x32, 0x4b, 0x70, 0x16, 0xd3, 0x01, 0x12, 0x78, 0x5a, 0x47, 0xbf,
    0x6e, 0xe1, 0x88, 3,    0,    0,    0,    4,    0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11,
    0x9f, 0xe8, 8,    0,    0x2b, 0x10, 0x48, 0x60, 2,    0,    0,    0,
};
static const uint8_t bind_ack_pdu[68] = {
    5,    0,    12,   3,    0x10, 0,    0,    0,  68, 0,    0,    0,    1,    0,   0,    0,    0xb8,
    0x10, 0xb8, 0x10, 1,    0,    0,    0,    13, 0,  '\\', 'P',  'I',  'P',  'E', '\\', 's',  'r',
    'v',  's',  'v',  'c',  0,    0,    1,    0,  0,  0,    0,    0,    0,    0,   4,    0x5d, 0x88,
    0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 8,  0,  0x2b, 0x10, 0x48, 0x60, 2,   0,    0,    0,
};

enum { SESSION = 0x4000000001, TREE = 5 };

struct talk {
    struct wire w;
    uint64_t message;
};

static void request(struct talk *t, uint16_t command, const struct wire_bytes *body)
{
    static struct wire_bytes b;
    b.size = 0;
    put_head(&b,
             &(struct head){.command = command, .message = ++t->message, .tree = TREE, .session = SESSION});
    raw(&b, body->data, body->size);
    wire_send(&t->w, 0, &b);
}

static void reply_to(struct talk *t, uint16_t command, uint32_t status, uint64_t message, uint32_t flags,
                     const struct wire_bytes *body)
{
    static struct wire_bytes b;
    b.size = 0;
    put_head(&b, &(struct head){.command = command,
                                .status = status,
                                .flags = SMB2_FLAG_RESPONSE | flags,
                                .message = message,
                                .tree = TREE,
                                .session = SESSION});
    if (body)
        raw(&b, body->data, body->size);
    else
        raw(&b, "\x09\0\0\0\0\0\0\0\0", 9);
    wire_send(&t->w, 1, &b);
}

static void reply(struct talk *t, uint16_t command, uint32_t status, const struct wire_bytes *body)
{
    reply_to(t, command, status, t->message, 0, body);
}

static void connect_tree(struct talk *t, const char *path, unsigned type)
{
    static struct wire_bytes b;
    b.size = 0;
    le16(&b, 9);
    le16(&b, 0);
    le16(&b, 72);
    le16(&b, (unsigned)strlen(path) * 2);
    utf16(&b, path);
    request(t, SMB2_TREE_CONNECT, &b);
    b.size = 0;
    le16(&b, 16);
    le16(&b, type);
    le32(&b, 0x30);
    le32(&b, 0x10);
    le32(&b, 0x1f01ff);
    reply(t, SMB2_TREE_CONNECT, 0, &b);
}

static void open_file(struct talk *t, const char *name, uint64_t id, uint32_t attributes)
{
    static struct wire_bytes b;
    b.size = 0;
    create_body(&b, name, 0x40);
    request(t, SMB2_CREATE, &b);
    b.size = 0;
    create_reply_body(&b, id, attributes);
    reply(t, SMB2_CREATE, 0, &b);
}

static void close_file(struct talk *t, uint64_t id)
{
    static struct wire_bytes b;
    b.size = 0;
    close_body(&b, id);
    request(t, SMB2_CLOSE, &b);
    b.size = 0;
    close_reply_body(&b);
    reply(t, SMB2_CLOSE, 0, &b);
}

static int talk_begin(void **state)
{
    struct talk *t = calloc(1, sizeof *t);
    if (!t)
        return -1;
    wire_open(&t->w);
    *state = t;
    return 0;
}

static int talk_end(void **state)
{
    struct talk *t = *state;
    assert_int_equal(t->w.h.broken, 0);
    wire_close(&t->w);
    free(t);
    return 0;
}

/* -- parsers ------------------------------------------------------------------------------------------------
 */

static bool part_of(const struct wire_bytes *b, struct smb2_part *part)
{
    struct cursor c = cursor_of(b->data, b->size);
    bool bad = false;
    return smb2_next_part(&c, part, &bad) && !bad;
}

static void header_is_read(void **state)
{
    (void)state;
    static struct wire_bytes b;
    b.size = 0;
    put_head(&b, &(struct head){.command = SMB2_ECHO,
                                .status = 0xc0000022,
                                .flags = SMB2_FLAG_RESPONSE,
                                .message = 0x123456789abcdef0,
                                .tree = 0x11,
                                .session = 0x0000040000000021});
    struct smb2_part part;
    assert_true(part_of(&b, &part));
    assert_int_equal(part.header.command, SMB2_ECHO);
    assert_int_equal(part.header.status, 0xc0000022);
    assert_int_equal(part.header.message_id, 0x123456789abcdef0);
    assert_int_equal(part.header.tree_id, 0x11);
    assert_int_equal(part.header.process_id, 0xfeff);
    assert_int_equal(part.header.session_id, 0x0000040000000021);
    assert_int_equal(part.header.credits, 31);
    b.size = 63;
    assert_false(part_of(&b, &part));
    b.size = 64;
    b.data[4] = 63;
    assert_false(part_of(&b, &part));
}

static void chain_is_bounded(void **state)
{
    (void)state;
    static struct wire_bytes b;
    static const uint32_t nexts[] = {8, 65, 1000};
    for (size_t i = 0; i < 3; i++) {
        b.size = 0;
        put_head(&b, &(struct head){.command = SMB2_ECHO});
        zeros(&b, 16);
        b.size = 20;
        le32(&b, nexts[i]);
        b.size = 80;
        struct cursor c = cursor_of(b.data, b.size);
        struct smb2_part part;
        bool bad = false;
        assert_true(smb2_next_part(&c, &part, &bad));
        assert_true(bad);
        assert_true(cursor_done(&c));
    }
}

/* Each parser refuses a body that is too short by a byte, and one of another StructureSize. */
static void short_bodies_are_refused(void **state)
{
    (void)state;
    static struct wire_bytes b;
    static const struct {
        unsigned structure, fixed;
    } sizes[] = {{36, 36}, {65, 64}, {25, 24}, {9, 8},  {9, 8},   {16, 16}, {57, 56}, {89, 80}, {24, 24},
                 {49, 32}, {17, 16}, {49, 32}, {17, 8}, {57, 56}, {49, 48}, {33, 32}, {33, 32}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int what = 0; what < 3; what++) {
            b.size = 0;
            put_head(&b, &(struct head){.command = 0});
            le16(&b, sizes[i].structure + (what == 1));
            zeros(&b, sizes[i].fixed - 2);
            struct smb2_part part;
            assert_true(part_of(&b, &part));
            if (what == 2) /* cut within what is read: the least that each reads is 8 bytes */
                part.body.end = part.body.at + 6;
            union {
                struct smb2_negotiate_request a;
                struct smb2_negotiate_response b;
                struct smb2_session_request c;
                struct smb2_session_response d;
                struct smb2_tree_request e;
                struct smb2_tree_response f;
                struct smb2_create_request g;
                struct smb2_create_response h;
                struct smb2_file_id i;
                struct smb2_transfer j;
                struct smb2_ioctl k;
                struct smb2_set_info l;
                struct smb2_query_directory m;
            } to;
            bool ok = false;
            switch (i) {
            case 0:
                ok = smb2_negotiate_request_parse(&part, &to.a);
                break;
            case 1:
                ok = smb2_negotiate_response_parse(&part, &to.b);
                break;
            case 2:
                ok = smb2_session_request_parse(&part, &to.c);
                break;
            case 3:
                ok = smb2_session_response_parse(&part, &to.d);
                break;
            case 4:
                ok = smb2_tree_request_parse(&part, &to.e);
                break;
            case 5:
                ok = smb2_tree_response_parse(&part, &to.f);
                break;
            case 6:
                ok = smb2_create_request_parse(&part, &to.g);
                break;
            case 7:
                ok = smb2_create_response_parse(&part, &to.h);
                break;
            case 8:
                ok = smb2_close_request_parse(&part, &to.i);
                break;
            case 9:
                ok = smb2_read_request_parse(&part, &to.j);
                break;
            case 10:
                ok = smb2_read_response_parse(&part, &to.j);
                break;
            case 11:
                ok = smb2_write_request_parse(&part, &to.j);
                break;
            case 12:
                ok = smb2_write_response_parse(&part, &to.j);
                break;
            case 13:
                ok = smb2_ioctl_request_parse(&part, &to.k);
                break;
            case 14:
                ok = smb2_ioctl_response_parse(&part, &to.k);
                break;
            case 15:
                ok = smb2_set_info_request_parse(&part, &to.l);
                break;
            default:
                ok = smb2_query_directory_request_parse(&part, &to.m);
                break;
            }
            assert_int_equal(ok, what == 0);
        }
    }
}

static void data_outside_is_cut(void **state)
{
    (void)state;
    static struct wire_bytes b;
    struct smb2_part part;
    struct smb2_transfer m;
    b.size = 0;
    put_head(&b, &(struct head){.command = SMB2_READ});
    read_reply_body(&b, "0123456789", 10);
    assert_true(part_of(&b, &part));
    assert_true(smb2_read_response_parse(&part, &m));
    assert_int_equal(m.data.size, 10);
    assert_memory_equal(m.data.data, "0123456789", 10);
    assert_false(m.cut);
    b.size -= 3;
    assert_true(part_of(&b, &part));
    assert_true(smb2_read_response_parse(&part, &m));
    assert_int_equal(m.data.size, 7);
    assert_int_equal(m.length, 10);
    assert_true(m.cut);
    b.data[66] = 255; /* DataOffset beyond the message */
    assert_true(part_of(&b, &part));
    assert_true(smb2_read_response_parse(&part, &m));
    assert_int_equal(m.data.size, 0);
    assert_true(m.cut);
}

static void rename_target_is_bounded(void **state)
{
    (void)state;
    static struct wire_bytes b;
    b.size = 0;
    zeros(&b, 16);
    le32(&b, 400);
    utf16(&b, "new.txt");
    struct bytes name = smb2_rename_target((struct bytes){b.data, b.size});
    assert_int_equal(name.size, 14);
    assert_int_equal(smb2_rename_target((struct bytes){b.data, 10}).size, 0);
}

/* --- NEGOTIATE --- */

static void context(struct wire_bytes *b, unsigned type, const void *data, size_t size)
{
    while (b->size % 8)
        le8(b, 0);
    le16(b, type);
    le16(b, (unsigned)size);
    le32(b, 0);
    raw(b, data, size);
}

static void negotiation_of_311(void **state)
{
    struct talk *t = *state;
    static struct wire_bytes b;
    b.size = 0;
    put_head(&b, &(struct head){.command = SMB2_NEGOTIATE});
    le16(&b, 36);
    le16(&b, 2);
    le16(&b, 1);
    le16(&b, 0);
    le32(&b, 0x7f);
    raw(&b, "0123456789abcdef", 16);
    le32(&b, 64 + 36 + 4);
    le16(&b, 5);
    le16(&b, 0);
    le16(&b, 0x0302);
    le16(&b, 0x0311);
    context(&b, 1, "\x01\0\x04\0\x01\0salt", 10);
    context(&b, 2, "\x02\0\x02\0\x01\0", 6);
    context(&b, 3, "\x03\0\0\0\x01\0\0\0\x04\0\x01\0\x02\0", 14);
    context(&b, 5, "d\0c\0", 4);
    context(&b, 8, "\x01\0\x02\0", 4);
    wire_send(&t->w, 0, &b);
    b.size = 0;
    put_head(&b, &(struct head){.command = SMB2_NEGOTIATE, .flags = SMB2_FLAG_RESPONSE});
    le16(&b, 65);
    le16(&b, 3);
    le16(&b, 0x0311);
    le16(&b, 2);
    raw(&b, "fedcba9876543210", 16);
    le32(&b, 0x2f);
    le32(&b, 8 << 20);
    le32(&b, 4 << 20);
    le32(&b, 2 << 20);
    le64(&b, UINT64_C(133444736000000000));
    le64(&b, 0);
    le16(&b, 128);
    le16(&b, 0);
    le32(&b, 128);
    context(&b, 2, "\x01\0\x02\0", 4);
    context(&b, 3, "\x01\0\0\0\0\0\0\0\x02\0", 10);
    wire_send(&t->w, 1, &b);
    wire_finish(&t->w);
    assert_int_equal(t->w.h.size, 1);
    struct harness_record *r = harness_find(&t->w.h, ACTIVITY_SMB_NEGOTIATE, 0);
    assert_string_equal(harness_text(r, FIELD_SMB_DIALECTS), "770, 785");
    assert_int_equal(harness_uint(r, FIELD_SMB_DIALECT), 0x311);
    assert_int_equal(harness_uint(r, FIELD_SMB_VERSION), 3);
    assert_false(harness_bool(r, FIELD_CLIENT_SIGNING_REQUIRED));
    assert_true(harness_bool(r, FIELD_SERVER_SIGNING_REQUIRED));
    assert_string_equal(harness_text(r, FIELD_NEGOTIATE_CONTEXTS), "1, 2, 3, 5, 8");
    assert_string_equal(harness_text(r, FIELD_ENCRYPTION_CIPHERS), "2, 1");
    assert_int_equal(harness_uint(r, FIELD_ENCRYPTION_CIPHER), 2);
    assert_string_equal(harness_text(r, FIELD_COMPRESSION_ALGORITHMS), "4, 1, 2");
    assert_int_equal(harness_uint(r, FIELD_COMPRESSION_FLAGS), 1);
    assert_string_equal(harness_text(r, FIELD_COMPRESSION_CHOSEN), "2");
    assert_string_equal(harness_text(r, FIELD_SIGNING_ALGORITHMS), "2");
    assert_string_equal(harness_text(r, FIELD_SERVER_NETNAME), "dc");
    assert_int_equal(harness_uint(r, FIELD_SMB_SALT_SIZE), 4);
    assert_int_equal(harness_uint(r, FIELD_SMB_CREDITS), 31);
    assert_int_equal(harness_uint(r, FIELD_SMB_MAX_READ), 4 << 20);
    assert_true(harness_has(r, FIELD_SERVER_TIME));
    assert_false(harness_has(r, FIELD_SERVER_START));
    assert_int_equal(t->w.h.counts->smb2_requests[0], 1);
    assert_int_equal(t->w.h.counts->smb2_responses[0], 1);
}

static void damaged_negotiation_is_malformed(void **state)
{
    struct talk *t = *state;
    static struct wire_bytes b;
    b.size = 0;
    put_head(&b, &(struct head){.command = SMB2_NEGOTIATE});
    le16(&b, 35);
    zeros(&b, 40);
    wire_send(&t->w, 0, &b);
    wire_finish(&t->w);
    assert_int_equal(t->w.h.stats->protocol[PROTOCOL_SMB].malformed, 1);
    assert_int_equal(t->w.h.size, 0);
}

/* --- files --- */

static void file_is_one_activity(void **state)
{
    struct talk *t = *state;
    static struct wire_bytes b;
    connect_tree(t, "\\\\dc1\\C$", 1);
    open_file(t, "Temp\\a.bin", 9, 0x20);
    for (int i = 0; i < 2; i++) {
        b.size = 0;
        write_body(&b, 9, NULL, 60000);
        request(t, SMB2_WRITE, &b);
        b.size = 0;
        write_reply_body(&b, 60000);
        reply(t, SMB2_WRITE, 0, &b);
    }
    b.size = 0;
    read_body(&b, 9, 50000);
    request(t, SMB2_READ, &b);
    b.size = 0;
    read_reply_body(&b, NULL, 50000);
    reply(t, SMB2_READ, 0, &b);
    b.size = 0;
    read_body(&b, 9, 50000);
    request(t, SMB2_READ, &b);
    reply(t, SMB2_READ, 0xc0000011, NULL); /* STATUS_END_OF_FILE */
    b.size = 0;
    zeros(&b, 16);
    le32(&b, 14);
    utf16(&b, "new.dit");
    struct wire_bytes info = {.size = 0};
    set_info_body(&info, 9, 1, 10, b.data, b.size);
    request(t, SMB2_SET_INFO, &info);
    info.size = 0;
    set_info_body(&info, 9, 3, 0, "x", 1);
    request(t, SMB2_SET_INFO, &info);
    info.size = 0;
    set_info_body(&info, 9, 1, 13, "\x01", 1);
    request(t, SMB2_SET_INFO, &info);
    close_file(t, 9);
    wire_finish(&t->w);

    struct harness_record *tree = harness_find(&t->w.h, ACTIVITY_SMB_TREE_CONNECT, 0);
    assert_string_equal(harness_text(tree, FIELD_SHARE_PATH), "\\\\dc1\\C$");
    assert_string_equal(harness_text(tree, FIELD_SHARE_TYPE), "disk");
    assert_int_equal(harness_uint(tree, FIELD_MAXIMAL_ACCESS), 0x1f01ff);
    assert_int_equal(harness_count(&t->w.h, ACTIVITY_SMB_OPEN), 1);
    struct harness_record *r = harness_find(&t->w.h, ACTIVITY_SMB_OPEN, 0);
    assert_string_equal(harness_text(r, FIELD_FILE_PATH), "Temp\\a.bin");
    assert_string_equal(harness_text(r, FIELD_SHARE_PATH), "\\\\dc1\\C$");
    assert_string_equal(harness_text(r, FIELD_RENAMED_TO), "new.dit");
    assert_true(harness_bool(r, FIELD_DELETED));
    assert_true(harness_bool(r, FIELD_SECURITY_CHANGED));
    assert_true(harness_bool(r, FIELD_CLOSED));
    assert_false(harness_bool(r, FIELD_IS_PIPE));
    assert_int_equal(harness_uint(r, FIELD_WRITES), 2);
    assert_int_equal(harness_uint(r, FIELD_WRITE_BYTES), 120000);
    assert_int_equal(harness_uint(r, FIELD_READS), 1);
    assert_int_equal(harness_uint(r, FIELD_READ_BYTES), 50000);
    assert_int_equal(harness_uint(r, FIELD_DESIRED_ACCESS), 0x0012019f);
    assert_int_equal(harness_uint(r, FIELD_CREATE_ACTION), 2);
    assert_int_equal(harness_uint(r, FIELD_FILE_SIZE), 4242);
    assert_true(r->activity->time < t->w.time - 50000000);
    assert_true(harness_uint(r, FIELD_DURATION) > 50000000);
    /* The data was not taken: more than 150,000 of the 170,000 bytes were stepped over. */
    assert_true(t->w.h.stats->skipped_bytes > 150000);
}

static void failed_open_says_why(void **state)
{
    struct talk *t = *state;
    static struct wire_bytes b;
    b.size = 0;
    create_body(&b, "NTDS\\ntds.dit", 0x1000);
    request(t, SMB2_CREATE, &b);
    reply(t, SMB2_CREATE, 0xc0000022, NULL);
    b.size = 0;
    create_body(&b, "waits", 0);
    request(t, SMB2_CREATE, &b);
    wire_finish(&t->w);
    assert_int_equal(harness_count(&t->w.h, ACTIVITY_SMB_OPEN), 2);
    struct harness_record *r = harness_find(&t->w.h, ACTIVITY_SMB_OPEN, 0);
    assert_int_equal(harness_uint(r, FIELD_STATUS), 0xc0000022);
    assert_string_equal(harness_text(r, FIELD_FILE_PATH), "NTDS\\ntds.dit");
    assert_false(harness_has(r, FIELD_CLOSED));
    r = harness_find(&t->w.h, ACTIVITY_SMB_OPEN, 1);
    assert_true(harness_has(r, FIELD_ANSWERED));
    assert_false(harness_bool(r, FIELD_ANSWERED));
}

static void listing_is_counted(void **state)
{
    struct talk *t = *state;
    static struct wire_bytes b;
    open_file(t, "", 3, 0x10);
    for (int i = 0; i < 3; i++) {
        b.size = 0;
        le16(&b, 33);
        le16(&b, 37);
        le32(&b, 0);
        file_id(&b, 3);
        le16(&b, 96);
        le16(&b, i ? 20 : 2);
        le32(&b, 65536);
        utf16(&b, i ? "Groups.xml" : "*");
        request(t, SMB2_QUERY_DIRECTORY, &b);
        b.size = 0;
        le16(&b, 9);
        le16(&b, 72);
        le32(&b, 3000);
        zeros(&b, 3000);
        reply(t, SMB2_QUERY_DIRECTORY, 0, &b);
    }
    wire_finish(&t->w);
    struct harness_record *r = harness_find(&t->w.h, ACTIVITY_SMB_OPEN, 0);
    assert_int_equal(harness_uint(r, FIELD_LISTINGS), 3);
    assert_string_equal(harness_text(r, FIELD_LISTING_PATTERN), "Groups.xml");
    assert_true(harness_bool(r, FIELD_IS_DIRECTORY));
    assert_false(harness_bool(r, FIELD_CLOSED));
    assert_true(t->w.h.stats->skipped_bytes > 8000);
}

/* [MS-SMB2] 3.3.5.2.7.2: CREATE, WRITE and CLOSE in one compound, related by a file id of all ones. */
static void compound_request(struct talk *t, const char *name)
{
    static struct wire_bytes b;
    b.size = 0;
    put_head(&b, &(struct head){
                     .command = SMB2_CREATE, .message = t->message + 1, .tree = TREE, .session = SESSION});
    create_body(&b, name, 0);
    chain(&b, 0);
    size_t second = b.size;
    struct head related = {.flags = SMB2_FLAG_RELATED, .tree = UINT32_MAX, .session = UINT64_MAX};
    related.command = SMB2_SET_INFO;
    related.message = t->message + 2;
    put_head(&b, &related);
    set_info_body(&b, UINT64_MAX, 1, 13, "\x01", 1);
    chain(&b, second);
    size_t third = b.size;
    related.command = SMB2_READ;
    related.message = t->message + 3;
    put_head(&b, &related);
    read_body(&b, UINT64_MAX, 100);
    chain(&b, third);
    related.command = SMB2_CLOSE;
    related.message = t->message + 4;
    put_head(&b, &related);
    close_body(&b, UINT64_MAX);
    wire_send(&t->w, 0, &b);
}

static void assert_compound(struct talk *t)
{
    assert_int_equal(harness_count(&t->w.h, ACTIVITY_SMB_OPEN), 1);
    struct harness_record *r = harness_find(&t->w.h, ACTIVITY_SMB_OPEN, 0);
    assert_string_equal(harness_text(r, FIELD_FILE_PATH), "c.txt");
    assert_true(harness_bool(r, FIELD_CLOSED));
    assert_true(harness_bool(r, FIELD_DELETED));
    assert_int_equal(harness_uint(r, FIELD_READ_BYTES), 100);
    assert_int_equal(harness_uint(r, FIELD_SMB_SESSION), SESSION);
    assert_int_equal(t->w.h.counts->smb2_requests[SMB2_CLOSE], 1);
    assert_int_equal(t->w.h.counts->smb2_requests[SMB2_READ], 1);
}

static void compound_answered_as_one(void **state)
{
    struct talk *t = *state;
    static struct wire_bytes b;
    compound_request(t, "c.txt");
    b.size = 0;
    struct head h = {
        .command = SMB2_CREATE, .flags = SMB2_FLAG_RESPONSE, .message = 1, .tree = TREE, .session = SESSION};
    put_head(&b, &h);
    create_reply_body(&b, 8, 0x20);
    chain(&b, 0);
    size_t second = b.size;
    h.command = SMB2_SET_INFO;
    h.message = 2;
    put_head(&b, &h);
    le16(&b, 2);
    chain(&b, second);
    size_t third = b.size;
    h.command = SMB2_READ;
    h.message = 3;
    put_head(&b, &h);
    read_reply_body(&b, NULL, 100);
    chain(&b, third);
    h.command = SMB2_CLOSE;
    h.message = 4;
    put_head(&b, &h);
    close_reply_body(&b);
    wire_send(&t->w, 1, &b);
    assert_compound(t);
}

static void compound_answered_apart(void **state)
{
    struct talk *t = *state;
    static struct wire_bytes b;
    compound_request(t, "c.txt");
    b.size = 0;
    create_reply_body(&b, 8, 0x20);
    reply_to(t, SMB2_CREATE, 0, 1, 0, &b);
    reply_to(t, SMB2_READ, STATUS_PENDING, 3, SMB2_FLAG_ASYNC, NULL);
    b.size = 0;
    read_reply_body(&b, NULL, 100);
    reply_to(t, SMB2_READ, 0, 3, SMB2_FLAG_ASYNC, &b);
    b.size = 0;
    close_reply_body(&b);
    reply_to(t, SMB2_CLOSE, 0, 4, 0, &b);
    assert_compound(t);
    assert_int_equal(t->w.h.counts->smb2_responses[SMB2_READ], 2);
}

static void disconnecting_ends_files(void **state)
{
    struct talk *t = *state;
    static struct wire_bytes b;
    connect_tree(t, "\\\\dc1\\share", 1);
    open_file(t, "one", 1, 0);
    open_file(t, "two", 2, 0);
    b.size = 0;
    le16(&b, 4);
    le16(&b, 0);
    request(t, SMB2_TREE_DISCONNECT, &b);
    reply(t, SMB2_TREE_DISCONNECT, 0, &b);
    assert_int_equal(harness_count(&t->w.h, ACTIVITY_SMB_OPEN), 2);
    assert_string_equal(harness_text(harness_find(&t->w.h, ACTIVITY_SMB_OPEN, 1), FIELD_SHARE_PATH),
                        "\\\\dc1\\share");
    open_file(t, "three", 3, 0);
    assert_false(harness_has(harness_find(&t->w.h, ACTIVITY_SMB_OPEN, 2), FIELD_SHARE_PATH));
    wire_finish(&t->w);
    assert_int_equal(harness_count(&t->w.h, ACTIVITY_SMB_OPEN), 3);
}

/* More open files than the table holds; none is lost, none is told twice. */
static void many_files(void **state)
{
    struct talk *t = *state;
    enum { FILES = 5000 };
    char name[16];
    for (unsigned i = 1; i <= FILES; i++) {
        snprintf(name, sizeof name, "f%u", i);
        open_file(t, name, i * 7919, 0);
    }
    for (unsigned i = 1; i <= FILES; i += 3)
        close_file(t, i * 7919);
    wire_finish(&t->w);
    size_t closed = 0;
    for (size_t i = 0; i < t->w.h.size; i++)
        closed += harness_bool(t->w.h.records[i], FIELD_CLOSED);
    size_t opens = harness_count(&t->w.h, ACTIVITY_SMB_OPEN);
    assert_in_range(opens, 3500, FILES);
    assert_in_range(closed, 1100, FILES / 3 + 1);
    assert_non_null(harness_find_text(&t->w.h, ACTIVITY_SMB_OPEN, FIELD_FILE_PATH, "f1", 0));
    assert_null(harness_find_text(&t->w.h, ACTIVITY_SMB_OPEN, FIELD_FILE_PATH, "f1", 1));
}

static void requests_without_replies_are_bounded(void **state)
{
    struct talk *t = *state;
    static struct wire_bytes b;
    open_file(t, "one", 1, 0);
    for (int i = 0; i < 10000; i++) {
        b.size = 0;
        read_body(&b, 1, 10);
        request(t, SMB2_READ, &b);
    }
    assert_true(t->w.h.stats->memory < 4 << 20);
    b.size = 0;
    read_reply_body(&b, NULL, 10);
    reply(t, SMB2_READ, 0, &b);
    wire_finish(&t->w);
    assert_int_equal(harness_uint(harness_find(&t->w.h, ACTIVITY_SMB_OPEN, 0), FIELD_READS), 1);
}

/* --- pipes --- */

static void assert_srvsvc(struct talk *t, bool named)
{
    wire_finish(&t->w);
    assert_int_equal(t->w.h.counts->dcerpc_pdus[11], 1);
    assert_int_equal(t->w.h.counts->dcerpc_pdus[12], 1);
    assert_int_equal(harness_count(&t->w.h, ACTIVITY_SMB_OPEN), 1);
    struct harness_record *r = harness_find(&t->w.h, ACTIVITY_SMB_OPEN, 0);
    assert_true(harness_bool(r, FIELD_IS_PIPE));
    assert_int_equal(harness_bool(r, FIELD_OPEN_NOT_SEEN), !named);
}

static void pipe_by_write_and_read(void **state)
{
    struct talk *t = *state;
    static struct wire_bytes b;
    connect_tree(t, "\\\\dc1\\IPC$", 2);
    open_file(t, "srvsvc", 4, 0x80);
    b.size = 0;
    write_body(&b, 4, bind_pdu, sizeof bind_pdu);
    request(t, SMB2_WRITE, &b);
    b.size = 0;
    write_reply_body(&b, sizeof bind_pdu);
    reply(t, SMB2_WRITE, 0, &b);
    /* The acknowledgement in two reads */
    b.size = 0;
    read_body(&b, 4, 30);
    request(t, SMB2_READ, &b);
    b.size = 0;
    read_reply_body(&b, bind_ack_pdu, 30);
    reply(t, SMB2_READ, STATUS_BUFFER_OVERFLOW, &b);
    b.size = 0;
    read_body(&b, 4, 1000);
    request(t, SMB2_READ, &b);
    b.size = 0;
    read_reply_body(&b, bind_ack_pdu + 30, sizeof bind_ack_pdu - 30);
    reply(t, SMB2_READ, 0, &b);
    close_file(t, 4);
    assert_srvsvc(t, true);
}

static void pipe_by_transceive(void **state)
{
    struct talk *t = *state;
    static struct wire_bytes b;
    open_file(t, "srvsvc", 4, 0x80); /* the share is not known, the name tells */
    b.size = 0;
    ioctl_body(&b, FSCTL_PIPE_TRANSCEIVE, 4, bind_pdu, sizeof bind_pdu);
    request(t, SMB2_IOCTL, &b);
    b.size = 0;
    ioctl_reply_body(&b, FSCTL_PIPE_TRANSCEIVE, 4, bind_ack_pdu, sizeof bind_ack_pdu);
    reply(t, SMB2_IOCTL, 0, &b);
    assert_srvsvc(t, true);
}

static void pipe_opened_before_the_capture(void **state)
{
    struct talk *t = *state;
    static struct wire_bytes b;
    b.size = 0;
    write_body(&b, 4, bind_pdu, sizeof bind_pdu);
    request(t, SMB2_WRITE, &b);
    b.size = 0;
    read_body(&b, 4, 1000);
    request(t, SMB2_READ, &b);
    b.size = 0;
    read_reply_body(&b, bind_ack_pdu, sizeof bind_ack_pdu);
    reply(t, SMB2_READ, 0, &b);
    assert_srvsvc(t, false);
}

/* A gap in the pipe's bytes: the next PDU is found. */
static void pipe_after_a_gap(void **state)
{
    struct talk *t = *state;
    static struct wire_bytes b;
    open_file(t, "srvsvc", 4, 0x80);
    b.size = 0;
    write_body(&b, 4, bind_pdu, 40);
    request(t, SMB2_WRITE, &b);
    t->w.next[0] += 500;
    for (int i = 0; i < 40; i++) { /* the other side acknowledges what was lost, so it is not waited for */
        b.size = 0;
        write_reply_body(&b, 1);
        reply_to(t, SMB2_WRITE, 0, 1000, 0, &b);
    }
    b.size = 0;
    write_body(&b, 4, bind_pdu, sizeof bind_pdu);
    request(t, SMB2_WRITE, &b);
    wire_finish(&t->w);
    assert_true(t->w.h.stats->gaps > 0);
    assert_int_equal(t->w.h.counts->dcerpc_pdus[11], 1);
}

/* --- IOCTL --- */

static void ioctls_that_tell(void **state)
{
    struct talk *t = *state;
    static struct wire_bytes b, in;
    in.size = 0;
    le32(&in, 0x7f);
    raw(&in, "0123456789abcdef", 16);
    le16(&in, 1);
    le16(&in, 2);
    le16(&in, 0x0202);
    le16(&in, 0x0302);
    b.size = 0;
    ioctl_body(&b, FSCTL_VALIDATE_NEGOTIATE_INFO, UINT64_MAX, in.data, in.size);
    request(t, SMB2_IOCTL, &b);
    b.size = 0;
    ioctl_reply_body(&b, FSCTL_VALIDATE_NEGOTIATE_INFO, UINT64_MAX, in.data, 24);
    reply(t, SMB2_IOCTL, 0, &b);

    in.size = 0;
    le16(&in, 4);
    utf16(&in, "\\corp.example\\sysvol");
    le16(&in, 0);
    b.size = 0;
    ioctl_body(&b, FSCTL_DFS_GET_REFERRALS, UINT64_MAX, in.data, in.size);
    request(t, SMB2_IOCTL, &b);
    reply(t, SMB2_IOCTL, 0xc0000225, NULL);

    in.size = 0;
    le16(&in, 4);
    le16(&in, 0);
    le32(&in, 40);
    le16(&in, 4);
    utf16(&in, "\\a and more");
    b.size = 0;
    ioctl_body(&b, FSCTL_DFS_GET_REFERRALS_EX, UINT64_MAX, in.data, in.size);
    request(t, SMB2_IOCTL, &b);

    in.size = 0;
    le64(&in, 0);
    le32(&in, 12);
    le16(&in, 0);
    utf16(&in, "svcctl");
    b.size = 0;
    ioctl_body(&b, FSCTL_PIPE_WAIT, UINT64_MAX, in.data, in.size);
    request(t, SMB2_IOCTL, &b);

    open_file(t, "dst", 6, 0);
    b.size = 0;
    ioctl_body(&b, FSCTL_SRV_COPYCHUNK, 6, in.data, in.size);
    request(t, SMB2_IOCTL, &b);
    b.size = 0;
    ioctl_body(&b, FSCTL_PIPE_PEEK, 6, NULL, 0);
    request(t, SMB2_IOCTL, &b);
    wire_finish(&t->w);

    assert_int_equal(harness_count(&t->w.h, ACTIVITY_SMB_IOCTL), 5);
    struct harness_record *r = harness_find(&t->w.h, ACTIVITY_SMB_IOCTL, 0);
    assert_string_equal(harness_text(r, FIELD_SMB_DIALECTS), "514, 770");
    assert_int_equal(harness_uint(r, FIELD_OUTPUT_BYTES), 24);
    assert_int_equal(harness_uint(r, FIELD_STATUS), 0);
    r = harness_find(&t->w.h, ACTIVITY_SMB_IOCTL, 1);
    assert_string_equal(harness_text(r, FIELD_FILE_PATH), "\\corp.example\\sysvol");
    assert_int_equal(harness_uint(r, FIELD_STATUS), 0xc0000225);
    assert_non_null(harness_find_text(&t->w.h, ACTIVITY_SMB_IOCTL, FIELD_FILE_PATH, "\\a", 0));
    assert_non_null(harness_find_text(&t->w.h, ACTIVITY_SMB_IOCTL, FIELD_FILE_PATH, "svcctl", 0));
    assert_non_null(harness_find_text(&t->w.h, ACTIVITY_SMB_IOCTL, FIELD_FILE_PATH, "dst", 0));
}

/* --- encrypted, compressed --- */

static void encrypted_is_counted(void **state)
{
    struct talk *t = *state;
    static struct wire_bytes b;
    for (int i = 0; i < 5; i++) {
        b.size = 0;
        raw(&b, "\xfdSMB", 4);
        zeros(&b, 32);
        le32(&b, 3000);
        le16(&b, 0);
        le16(&b, 1);
        le64(&b, i < 4 ? SESSION : 0);
        zeros(&b, 3000);
        wire_send(&t->w, i % 2, &b);
    }
    wire_finish(&t->w);
    assert_int_equal(t->w.h.counts->smb2_encrypted_pdus, 5);
    assert_int_equal(t->w.h.stats->protocol[PROTOCOL_SMB].sealed, 5);
    assert_int_equal(t->w.h.size, 1);
    struct harness_record *r = harness_find(&t->w.h, ACTIVITY_SMB_ENCRYPTED, 0);
    assert_int_equal(harness_uint(r, FIELD_SEALED_REQUESTS), 2);
    assert_int_equal(harness_uint(r, FIELD_SEALED_REPLY_BYTES), 6000);
    assert_true(harness_bool(r, FIELD_SEALED));
    assert_true(t->w.h.stats->skipped_bytes > 14000);
}

/* CVE-2020-0796: OriginalCompressedSegmentSize and Offset overflow together. */
static void compression_overflow_is_told(void **state)
{
    struct talk *t = *state;
    static struct wire_bytes b;
    static const struct {
        uint32_t original, offset;
        uint16_t flags;
    } headers[] = {{1000, 0, 0}, {1000, 0, 0}, {0xffffffff, 16, 0}, {100, 0x7fffffff, 0}, {100, 0xffff, 1}};
    for (size_t i = 0; i < 5; i++) {
        b.size = 0;
        raw(&b, "\xfcSMB", 4);
        le32(&b, headers[i].original);
        le16(&b, 2);
        le16(&b, headers[i].flags);
        le32(&b, headers[i].offset);
        zeros(&b, 400);
        wire_send(&t->w, 0, &b);
    }
    wire_finish(&t->w);
    assert_int_equal(harness_count(&t->w.h, ACTIVITY_SMB_COMPRESSED), 3);
    assert_false(harness_bool(harness_find(&t->w.h, ACTIVITY_SMB_COMPRESSED, 0), FIELD_COMPRESSION_OVERFLOW));
    struct harness_record *r = harness_find(&t->w.h, ACTIVITY_SMB_COMPRESSED, 1);
    assert_true(harness_bool(r, FIELD_COMPRESSION_OVERFLOW));
    assert_int_equal(harness_uint(r, FIELD_COMPRESSION_ORIGINAL), 0xffffffff);
    assert_int_equal(harness_uint(r, FIELD_MESSAGE_BYTES), 416);
    assert_true(harness_bool(r, FIELD_COMPRESSION_BY_CLIENT));
}

/* --- framing --- */

static void state_of_a_flow_is_small(void **state)
{
    struct talk *t = *state;
    assert_true(sizeof(struct smb_flow) < 200);
    negotiation_of_311(state);
    assert_true(t->w.h.stats->memory_refused == 0);
}

static void other_payloads_are_skipped(void **state)
{
    struct talk *t = *state;
    static struct wire_bytes b;
    b.size = 0;
    put_head(&b, &(struct head){.command = SMB2_ECHO});
    le32(&b, 4);
    wire_send(&t->w, 0, &b);
    struct wire_bytes other = {.size = 0};
    zeros(&other, 300);
    wire_send(&t->w, 0, &other);
    wire_segment(&t->w, 0, FLAG_ACK, "\x85\0\0\0", 4);
    wire_segment(&t->w, 0, FLAG_ACK, "\0\0\0\0", 4);
    wire_send(&t->w, 0, &b);
    wire_segment(&t->w, 0, FLAG_ACK, "\x99\x01\x02\x03", 4);
    wire_send(&t->w, 0, &b);
    wire_finish(&t->w);
    assert_int_equal(t->w.h.counts->smb2_requests[SMB2_ECHO], 3);
    assert_int_equal(t->w.h.stats->protocol[PROTOCOL_SMB].malformed, 2);
    assert_int_equal(t->w.h.stats->resynchronised, 1);
}

/* --- captures --- */

static void samrdump_capture(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h, NULL);
    assert_true(harness_capture(&h, PICKET_TEST_DATA "/a08_samrdump.pcap"));
    assert_int_equal(h.broken, 0);
    struct harness_record *r = harness_find(&h, ACTIVITY_SMB_NEGOTIATE, 0);
    assert_true(harness_bool(r, FIELD_SMB_MULTI_PROTOCOL));
    assert_string_equal(harness_text(r, FIELD_SMB1_DIALECTS), "NT LM 0.12, SMB 2.002, SMB 2.???");
    assert_int_equal(harness_count(&h, ACTIVITY_SMB_NEGOTIATE), 1);
    r = harness_find(&h, ACTIVITY_SMB_SESSION, 0);
    assert_int_equal(harness_uint(r, FIELD_STATUS), 0);
    assert_string_equal(harness_text(r, FIELD_SESSION_MECHANISM), "ntlm");
    assert_true(*harness_text(r, FIELD_ACCOUNT));
    r = harness_find_text(&h, ACTIVITY_SMB_OPEN, FIELD_FILE_PATH, "samr", 0);
    assert_true(harness_bool(r, FIELD_IS_PIPE));
    assert_true(*harness_text(r, FIELD_ACCOUNT));
    assert_true(h.counts->dcerpc_pdus[0] > 100);
    harness_close(&h);
}

static void failed_logons_capture(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h, NULL);
    assert_true(harness_capture(&h, PICKET_TEST_DATA "/a25_brute_ntlm.pcap"));
    size_t failed = 0;
    for (size_t i = 0; i < h.size; i++)
        if (h.records[i]->kind == ACTIVITY_SMB_SESSION &&
            harness_uint(h.records[i], FIELD_STATUS) == 0xc000006d)
            failed++;
    assert_true(failed >= 20);
    assert_int_equal(h.stats->unanswered, 0);
    harness_close(&h);
}

static void kerberos_capture(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h, NULL);
    assert_true(harness_capture(&h, PICKET_TEST_DATA "/n08_smb_kerberos.pcap"));
    struct harness_record *r = harness_find(&h, ACTIVITY_SMB_SESSION, 0);
    assert_string_equal(harness_text(r, FIELD_SESSION_MECHANISM), "kerberos");
    assert_int_equal(harness_uint(r, FIELD_STATUS), 0);
    assert_true(harness_count(&h, ACTIVITY_SMB_TREE_CONNECT) > 0);
    harness_close(&h);
}

static void encrypted_capture(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h, NULL);
    if (harness_shared(&h, PICKET_SHARED_DATA "/pcap/smb--smb3-encrypted.pcap")) {
        assert_int_equal(h.counts->smb2_encrypted_pdus, 44);
        assert_true(harness_count(&h, ACTIVITY_SMB_ENCRYPTED) > 0);
    }
    harness_close(&h);
}

#define talk_test(f) cmocka_unit_test_setup_teardown(f, talk_begin, talk_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_is_read),
        cmocka_unit_test(chain_is_bounded),
        cmocka_unit_test(short_bodies_are_refused),
        cmocka_unit_test(data_outside_is_cut),
        cmocka_unit_test(rename_target_is_bounded),
        talk_test(negotiation_of_311),
        talk_test(damaged_negotiation_is_malformed),
        talk_test(file_is_one_activity),
        talk_test(failed_open_says_why),
        talk_test(listing_is_counted),
        talk_test(compound_answered_as_one),
        talk_test(compound_answered_apart),
        talk_test(disconnecting_ends_files),
        talk_test(many_files),
        talk_test(requests_without_replies_are_bounded),
        talk_test(pipe_by_write_and_read),
        talk_test(pipe_by_transceive),
        talk_test(pipe_opened_before_the_capture),
        talk_test(pipe_after_a_gap),
        talk_test(ioctls_that_tell),
        talk_test(encrypted_is_counted),
        talk_test(compression_overflow_is_told),
        talk_test(state_of_a_flow_is_small),
        talk_test(other_payloads_are_skipped),
        cmocka_unit_test(samrdump_capture),
        cmocka_unit_test(failed_logons_capture),
        cmocka_unit_test(kerberos_capture),
        cmocka_unit_test(encrypted_capture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
