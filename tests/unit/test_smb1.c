/* SPDX-License-Identifier: Apache-2.0
 *
 * SMB 1, the NetBIOS session and datagram services: the parsers, and what a connection's messages become.
 */
#include "capture/smb1.h"
#include "capture/smb_state.h"
#include "smb_wire.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { USER = 2048, TREE = 7, UNICODE = 0xc001, OEM = 0x4001 };

struct talk {
    struct wire w;
    uint16_t multiplex;
    uint16_t flags2;
    struct wire_bytes b;
    size_t words;
    size_t bytes;
};

/* [MS-CIFS] 2.2.3.1 */
static void begin(struct talk *t, uint8_t command, bool is_reply, uint32_t status)
{
    struct wire_bytes *b = &t->b;
    b->size = 0;
    raw(b, "\xffSMB", 4);
    le8(b, command);
    le32(b, status);
    le8(b, is_reply ? 0x98 : 0x18);
    le16(b, t->flags2);
    zeros(b, 12);
    le16(b, TREE);
    le16(b, 4711);
    le16(b, USER);
    if (!is_reply)
        t->multiplex++;
    le16(b, t->multiplex);
    t->words = b->size;
    le8(b, 0);
}

/* Between the words and the bytes. */
static void bytes_begin(struct talk *t)
{
    t->b.data[t->words] = (uint8_t)((t->b.size - t->words - 1) / 2);
    t->bytes = t->b.size;
    le16(&t->b, 0);
}

static void block_end(struct talk *t)
{
    size_t size = t->b.size - t->bytes - 2;
    t->b.data[t->bytes] = (uint8_t)size;
    t->b.data[t->bytes + 1] = (uint8_t)(size >> 8);
}

static void finish(struct talk *t, int to_client)
{
    block_end(t);
    wire_send(&t->w, to_client, &t->b);
}

static void andx_none(struct talk *t)
{
    le16(&t->b, 0x00ff);
    le16(&t->b, 0);
}

/* The next block of a chain, whose command the words at `words` + 1 announce. */
static void next_block(struct talk *t, uint8_t command)
{
    block_end(t);
    t->b.data[t->words + 1] = command;
    t->b.data[t->words + 3] = (uint8_t)t->b.size;
    t->b.data[t->words + 4] = (uint8_t)(t->b.size >> 8);
    t->words = t->b.size;
    le8(&t->b, 0);
}

static void text(struct talk *t, const char *string)
{
    if (t->flags2 & 0x8000) {
        if (t->b.size % 2)
            le8(&t->b, 0);
        utf16(&t->b, string);
        le16(&t->b, 0);
    } else {
        ascii(&t->b, string);
        le8(&t->b, 0);
    }
}

static void empty_reply(struct talk *t, uint8_t command, uint32_t status)
{
    begin(t, command, true, status);
    bytes_begin(t);
    finish(t, 1);
}

static void negotiate(struct talk *t, unsigned index, unsigned mode)
{
    begin(t, SMB1_NEGOTIATE, false, 0);
    bytes_begin(t);
    raw(&t->b, "\x02LANMAN2.1\0\x02NT LM 0.12", 23);
    finish(t, 0);
    begin(t, SMB1_NEGOTIATE, true, 0);
    le16(&t->b, index);
    le8(&t->b, mode);
    le16(&t->b, 50);
    le16(&t->b, 1);
    le32(&t->b, 16644);
    le32(&t->b, 65536);
    le32(&t->b, 0);
    le32(&t->b, 0x0001f3fd);
    le64(&t->b, UINT64_C(133444736000000000));
    le16(&t->b, 0);
    le8(&t->b, 8);
    bytes_begin(t);
    raw(&t->b, "challeng", 8);
    if (t->flags2 & 0x8000) {
        utf16(&t->b, "CORP");
        le16(&t->b, 0);
        utf16(&t->b, "DC1");
        le16(&t->b, 0);
    } else {
        raw(&t->b, "CORP\0DC1", 9);
    }
    finish(t, 1);
}

static void session_words(struct talk *t, unsigned lm, unsigned nt)
{
    andx_none(t);
    le16(&t->b, 61440);
    le16(&t->b, 2);
    le16(&t->b, 1);
    le32(&t->b, 0x1234);
    le16(&t->b, lm);
    le16(&t->b, nt);
    le32(&t->b, 0);
    le32(&t->b, 0x5c);
    bytes_begin(t);
    zeros(&t->b, lm + nt);
    text(t, "alice");
    text(t, "CORP");
    text(t, "Windows 2000 2195");
    text(t, "Windows 2000 5.0");
}

static void session(struct talk *t, unsigned lm, unsigned nt, uint32_t status)
{
    begin(t, SMB1_SESSION_SETUP_ANDX, false, 0);
    session_words(t, lm, nt);
    finish(t, 0);
    if (status) {
        empty_reply(t, SMB1_SESSION_SETUP_ANDX, status);
        return;
    }
    begin(t, SMB1_SESSION_SETUP_ANDX, true, 0);
    andx_none(t);
    le16(&t->b, 1);
    bytes_begin(t);
    text(t, "Windows 5.1");
    text(t, "Windows 2000 LAN Manager");
    text(t, "CORP");
    finish(t, 1);
}

static void tree_words(struct talk *t, const char *path)
{
    andx_none(t);
    le16(&t->b, 8);
    le16(&t->b, 1);
    bytes_begin(t);
    le8(&t->b, 0);
    text(t, path);
    raw(&t->b, "?????", 6);
}

static void tree_reply_words(struct talk *t, const char *service)
{
    andx_none(t);
    le16(&t->b, 1);
    le32(&t->b, 0x1ff);
    le32(&t->b, 0);
    bytes_begin(t);
    ascii(&t->b, service);
    le8(&t->b, 0);
    text(t, "NTFS");
}

static void tree(struct talk *t, const char *path, const char *service)
{
    begin(t, SMB1_TREE_CONNECT_ANDX, false, 0);
    tree_words(t, path);
    finish(t, 0);
    begin(t, SMB1_TREE_CONNECT_ANDX, true, 0);
    tree_reply_words(t, service);
    finish(t, 1);
}

static void create_request(struct talk *t, const char *name)
{
    begin(t, SMB1_NT_CREATE_ANDX, false, 0);
    andx_none(t);
    le8(&t->b, 0);
    le16(&t->b, (unsigned)strlen(name) * 2);
    le32(&t->b, 0x16);
    le32(&t->b, 0);
    le32(&t->b, 0x2019f);
    le64(&t->b, 0);
    le32(&t->b, 0x80);
    le32(&t->b, 3);
    le32(&t->b, 1);
    le32(&t->b, 0x40);
    le32(&t->b, 2);
    le8(&t->b, 3);
    bytes_begin(t);
    text(t, name);
    finish(t, 0);
}

static void create(struct talk *t, const char *name, uint16_t file, bool pipe)
{
    create_request(t, name);
    begin(t, SMB1_NT_CREATE_ANDX, true, 0);
    andx_none(t);
    le8(&t->b, 0);
    le16(&t->b, file);
    le32(&t->b, 1);
    zeros(&t->b, 32);
    le32(&t->b, 0x80);
    le64(&t->b, 4096);
    le64(&t->b, 777);
    le16(&t->b, pipe ? 2 : 0);
    le16(&t->b, 0x5ff);
    le8(&t->b, 0);
    bytes_begin(t);
    finish(t, 1);
}

static void close_file(struct talk *t, uint16_t file)
{
    begin(t, SMB1_CLOSE, false, 0);
    le16(&t->b, file);
    le32(&t->b, 0);
    bytes_begin(t);
    finish(t, 0);
    empty_reply(t, SMB1_CLOSE, 0);
}

static void write_request(struct talk *t, uint16_t file, const void *data, size_t size, bool message_start)
{
    begin(t, SMB1_WRITE_ANDX, false, 0);
    andx_none(t);
    le16(&t->b, file);
    le32(&t->b, 0);
    le32(&t->b, 0);
    le16(&t->b, message_start ? 0x0c : 0);
    le16(&t->b, 0);
    le16(&t->b, (unsigned)(size >> 16));
    le16(&t->b, (unsigned)size & 0xffff);
    le16(&t->b, 64);
    le32(&t->b, 0);
    bytes_begin(t);
    le8(&t->b, 0);
    if (data)
        raw(&t->b, data, size);
    else
        zeros(&t->b, size);
    finish(t, 0);
}

static void write_reply(struct talk *t, size_t size)
{
    begin(t, SMB1_WRITE_ANDX, true, 0);
    andx_none(t);
    le16(&t->b, (unsigned)size & 0xffff);
    le16(&t->b, 0xffff);
    le16(&t->b, (unsigned)(size >> 16));
    le16(&t->b, 0);
    bytes_begin(t);
    finish(t, 1);
}

static void read_request(struct talk *t, uint16_t file)
{
    begin(t, SMB1_READ_ANDX, false, 0);
    andx_none(t);
    le16(&t->b, file);
    le32(&t->b, 0);
    le16(&t->b, 60000);
    le16(&t->b, 0);
    le32(&t->b, 0);
    le16(&t->b, 0);
    le32(&t->b, 0);
    bytes_begin(t);
    finish(t, 0);
}

static void read_reply(struct talk *t, const void *data, size_t size, uint32_t status)
{
    begin(t, SMB1_READ_ANDX, true, status);
    andx_none(t);
    le16(&t->b, 0);
    le16(&t->b, 0);
    le16(&t->b, 0);
    le16(&t->b, (unsigned)size);
    le16(&t->b, 60);
    le16(&t->b, 0);
    zeros(&t->b, 8);
    bytes_begin(t);
    le8(&t->b, 0);
    if (data)
        raw(&t->b, data, size);
    else
        zeros(&t->b, size);
    finish(t, 1);
}

/* [MS-CIFS] 2.2.4.33.1; the data stands right after name and parameters */
static void transaction(struct talk *t, uint8_t command, const char *name, const uint16_t *setup,
                        unsigned setups, struct bytes parameters, struct bytes data, size_t total)
{
    begin(t, command, false, 0);
    le16(&t->b, (unsigned)parameters.size);
    le16(&t->b, (unsigned)total);
    zeros(&t->b, 14);
    size_t counts = t->b.size;
    zeros(&t->b, 8);
    le8(&t->b, setups);
    le8(&t->b, 0);
    for (unsigned i = 0; i < setups; i++)
        le16(&t->b, setup[i]);
    bytes_begin(t);
    text(t, name);
    size_t at = t->b.size;
    raw(&t->b, parameters.data, parameters.size);
    raw(&t->b, data.data, data.size);
    size_t end = t->b.size;
    t->b.size = counts;
    le16(&t->b, (unsigned)parameters.size);
    le16(&t->b, (unsigned)at);
    le16(&t->b, (unsigned)data.size);
    le16(&t->b, (unsigned)(at + parameters.size));
    t->b.size = end;
    finish(t, 0);
}

static void transaction_reply(struct talk *t, uint8_t command, struct bytes data, size_t total,
                              size_t displacement, uint32_t status)
{
    begin(t, command, true, status);
    le16(&t->b, 0);
    le16(&t->b, (unsigned)total);
    le16(&t->b, 0);
    le16(&t->b, 0);
    le16(&t->b, 56);
    le16(&t->b, 0);
    le16(&t->b, (unsigned)data.size);
    le16(&t->b, 56);
    le16(&t->b, (unsigned)displacement);
    le16(&t->b, 0);
    bytes_begin(t);
    le8(&t->b, 0);
    raw(&t->b, data.data, data.size);
    finish(t, 1);
}

static void path_command(struct talk *t, uint8_t command, const char *path, const char *target)
{
    begin(t, command, false, 0);
    le16(&t->b, 0);
    bytes_begin(t);
    le8(&t->b, 4);
    text(t, path);
    if (target) {
        le8(&t->b, 4);
        text(t, target);
    }
    finish(t, 0);
}

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

static const struct bytes nothing = {(const uint8_t *)"", 0};

static int talk_begin(void **state)
{
    struct talk *t = calloc(1, sizeof *t);
    if (!t)
        return -1;
    t->flags2 = UNICODE;
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

/* --- parsers --- */

static void header_is_read(void **state)
{
    struct talk *t = *state;
    begin(t, SMB1_READ_ANDX, true, 0xc0000005);
    bytes_begin(t);
    struct smb1_message m;
    struct smb1_block block;
    assert_true(smb1_message_parse(cursor_of(t->b.data, t->b.size), &m));
    assert_int_equal(m.header.command, SMB1_READ_ANDX);
    assert_int_equal(m.header.status, 0xc0000005);
    assert_int_equal(m.header.flags, 0x98);
    assert_int_equal(m.header.flags2, UNICODE);
    assert_int_equal(m.header.process_id, 4711);
    assert_int_equal(m.header.tree_id, TREE);
    assert_int_equal(m.header.user_id, USER);
    assert_true(smb1_first_block(&m, &block));
    assert_int_equal(block.word_count, 0);
    assert_false(smb1_message_parse(cursor_of(t->b.data, 31), &m));
    assert_true(smb1_message_parse(cursor_of(t->b.data, 32), &m));
    assert_false(smb1_first_block(&m, &block));
}

/* Every parser on a message that is cut at every length: nothing is read past it, what is there is given. */
static void cut_anywhere(void **state)
{
    struct talk *t = *state;
    static const uint8_t commands[] = {SMB1_NEGOTIATE,
                                       SMB1_SESSION_SETUP_ANDX,
                                       SMB1_TREE_CONNECT_ANDX,
                                       SMB1_READ,
                                       SMB1_READ_ANDX,
                                       SMB1_WRITE,
                                       SMB1_WRITE_ANDX,
                                       SMB1_TRANSACTION,
                                       SMB1_NT_TRANSACT,
                                       SMB1_OPEN_ANDX,
                                       SMB1_NT_CREATE_ANDX,
                                       SMB1_TRANSACTION_SECONDARY,
                                       SMB1_CLOSE,
                                       SMB1_NT_TRANSACT_SECONDARY};
    for (unsigned words = 0; words < 60; words++) {
        begin(t, SMB1_NEGOTIATE, false, 0);
        for (unsigned i = 0; i < words; i++)
            le16(&t->b, 0x40 + i);
        bytes_begin(t);
        zeros(&t->b, 40);
        block_end(t);
        for (size_t size = 32; size <= t->b.size; size++) {
            uint8_t *exact = malloc(size);
            assert_non_null(exact);
            memcpy(exact, t->b.data, size);
            struct smb1_message m;
            struct smb1_block block;
            assert_true(smb1_message_parse(cursor_of(exact, size), &m));
            assert_int_equal(smb1_first_block(&m, &block), size > 32);
            for (size_t i = 0; size > 32 && i < sizeof commands; i++) {
                block.command = commands[i];
                union {
                    struct smb1_negotiate_response n;
                    struct smb1_session_request sq;
                    struct smb1_session_response sr;
                    struct smb1_tree_request tq;
                    struct smb1_tree_response tr;
                    struct smb1_open_request oq;
                    struct smb1_open_response or_;
                    struct smb1_transfer x;
                    struct smb1_transaction ta;
                } to;
                uint16_t file;
                smb1_negotiate_response_parse(&m, &block, &to.n);
                smb1_session_request_parse(&m, &block, &to.sq);
                smb1_session_response_parse(&m, &block, &to.sr);
                smb1_tree_request_parse(&m, &block, &to.tq);
                smb1_tree_response_parse(&m, &block, &to.tr);
                smb1_nt_create_request_parse(&m, &block, &to.oq);
                smb1_open_request_parse(&m, &block, &to.oq);
                smb1_nt_create_response_parse(&block, &to.or_);
                smb1_open_response_parse(&block, &to.or_);
                smb1_close_request_parse(&block, &file);
                smb1_read_request_parse(&block, &to.x);
                if (smb1_read_response_parse(&m, &block, &to.x))
                    assert_true(to.x.data.size <= size);
                smb1_write_request_parse(&m, &block, &to.x);
                smb1_write_response_parse(&block, &to.x);
                if (smb1_transaction_request_parse(&m, &block, &to.ta))
                    assert_true(to.ta.data.size <= size);
                smb1_transaction_response_parse(&m, &block, &to.ta);
                struct smb1_block next = block;
                for (int n = 0; n < 10 && smb1_next_block(&m, &block, &next); n++)
                    block = next;
            }
            free(exact);
        }
    }
}

static void unicode_text_is_aligned(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0xff, 'a', 0, 'b', 0, 0, 0, 'c', 0};
    struct smb1_message m = {.start = bytes, .end = bytes + sizeof bytes};
    struct cursor c = cursor_of(bytes + 1, sizeof bytes - 1);
    m.start = bytes + 1;
    struct smb1_text text_read = smb1_take_text(&m, &c, true);
    assert_int_equal(text_read.bytes.size, 4);
    text_read = smb1_take_text(&m, &c, true);
    assert_int_equal(text_read.bytes.size, 2);
    assert_int_equal(text_read.bytes.data[0], 'c');
    assert_true(cursor_done(&c));
    assert_false(c.failed);
}

/* --- connections --- */

static void plain_session(void **state)
{
    struct talk *t = *state;
    negotiate(t, 1, 0x0f);
    session(t, 24, 24, 0xc000006d);
    session(t, 24, 24, 0);
    wire_finish(&t->w);
    struct harness_record *r = harness_find(&t->w.h, ACTIVITY_SMB_NEGOTIATE, 0);
    assert_string_equal(harness_text(r, FIELD_SMB1_DIALECTS), "LANMAN2.1, NT LM 0.12");
    assert_string_equal(harness_text(r, FIELD_SMB1_DIALECT), "NT LM 0.12");
    assert_string_equal(harness_text(r, FIELD_SERVER_DOMAIN), "CORP");
    assert_string_equal(harness_text(r, FIELD_SERVER_NAME), "DC1");
    assert_true(harness_bool(r, FIELD_SERVER_SIGNING_REQUIRED));
    assert_int_equal(harness_uint(r, FIELD_SERVER_MAX_BUFFER), 16644);
    assert_int_equal(harness_count(&t->w.h, ACTIVITY_SMB_SESSION), 2);
    r = harness_find(&t->w.h, ACTIVITY_SMB_SESSION, 0);
    assert_int_equal(harness_uint(r, FIELD_STATUS), 0xc000006d);
    assert_string_equal(harness_text(r, FIELD_ACCOUNT), "alice");
    assert_string_equal(harness_text(r, FIELD_ACCOUNT_DOMAIN), "CORP");
    assert_string_equal(harness_text(r, FIELD_PASSWORD_FORM), "ntlmv1");
    assert_string_equal(harness_text(r, FIELD_SESSION_MECHANISM), "password");
    r = harness_find(&t->w.h, ACTIVITY_SMB_SESSION, 1);
    assert_int_equal(harness_uint(r, FIELD_STATUS), 0);
    assert_true(harness_bool(r, FIELD_GUEST));
    assert_string_equal(harness_text(r, FIELD_CLIENT_OS), "Windows 2000 2195");
    assert_string_equal(harness_text(r, FIELD_CLIENT_LANMAN), "Windows 2000 5.0");
    assert_string_equal(harness_text(r, FIELD_SERVER_OS), "Windows 5.1");
    assert_int_equal(harness_uint(r, FIELD_SMB_VC_NUMBER), 1);
    assert_int_equal(harness_uint(r, FIELD_SMB_PROCESS_ID), 4711);
    assert_int_equal(harness_uint(r, FIELD_SMB_SESSION), USER);
    assert_int_equal(t->w.h.counts->smb1_requests[0x73], 2);
    assert_int_equal(t->w.h.counts->smb1_responses[0x73], 2);
}

static void password_forms(void **state)
{
    struct talk *t = *state;
    t->flags2 = OEM;
    negotiate(t, 1, 3);
    session(t, 24, 0, 0);
    session(t, 24, 80, 0);
    session(t, 1, 0, 0);
    wire_finish(&t->w);
    static const char *const forms[] = {"lm", "ntlmv2", "none"};
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(harness_text(harness_find(&t->w.h, ACTIVITY_SMB_SESSION, i), FIELD_PASSWORD_FORM),
                            forms[i]);
}

static void plaintext_password(void **state)
{
    struct talk *t = *state;
    negotiate(t, 1, 1);
    session(t, 8, 0, 0);
    wire_finish(&t->w);
    struct harness_record *r = harness_find(&t->w.h, ACTIVITY_SMB_SESSION, 0);
    assert_string_equal(harness_text(r, FIELD_PASSWORD_FORM), "plaintext");
    assert_string_equal(harness_text(r, FIELD_ACCOUNT), "alice");
}

static void core_dialect(void **state)
{
    struct talk *t = *state;
    begin(t, SMB1_NEGOTIATE, false, 0);
    bytes_begin(t);
    raw(&t->b, "\x02PC NETWORK PROGRAM 1.0", 24);
    finish(t, 0);
    begin(t, SMB1_NEGOTIATE, true, 0);
    le16(&t->b, 0);
    bytes_begin(t);
    finish(t, 1);
    wire_finish(&t->w);
    struct harness_record *r = harness_find(&t->w.h, ACTIVITY_SMB_NEGOTIATE, 0);
    assert_string_equal(harness_text(r, FIELD_SMB1_DIALECT), "PC NETWORK PROGRAM 1.0");
    assert_false(harness_has(r, FIELD_SERVER_SECURITY_MODE));
}

/* SESSION_SETUP and TREE_CONNECT in one message; then the same, refused at its first command. */
static void chain(void **state)
{
    struct talk *t = *state;
    begin(t, SMB1_SESSION_SETUP_ANDX, false, 0);
    session_words(t, 24, 24);
    next_block(t, SMB1_TREE_CONNECT_ANDX);
    tree_words(t, "\\\\DC1\\IPC$");
    finish(t, 0);
    begin(t, SMB1_SESSION_SETUP_ANDX, true, 0);
    andx_none(t);
    le16(&t->b, 0);
    bytes_begin(t);
    text(t, "Windows 5.1");
    next_block(t, SMB1_TREE_CONNECT_ANDX);
    tree_reply_words(t, "IPC");
    finish(t, 1);

    begin(t, SMB1_SESSION_SETUP_ANDX, false, 0);
    session_words(t, 24, 24);
    next_block(t, SMB1_TREE_CONNECT_ANDX);
    tree_words(t, "\\\\DC1\\C$");
    finish(t, 0);
    empty_reply(t, SMB1_SESSION_SETUP_ANDX, 0xc000006d);
    wire_finish(&t->w);
    assert_int_equal(harness_count(&t->w.h, ACTIVITY_SMB_SESSION), 2);
    assert_int_equal(harness_count(&t->w.h, ACTIVITY_SMB_TREE_CONNECT), 2);
    struct harness_record *r = harness_find(&t->w.h, ACTIVITY_SMB_TREE_CONNECT, 0);
    assert_string_equal(harness_text(r, FIELD_SHARE_TYPE), "pipe");
    assert_int_equal(harness_uint(r, FIELD_STATUS), 0);
    r = harness_find(&t->w.h, ACTIVITY_SMB_TREE_CONNECT, 1);
    assert_string_equal(harness_text(r, FIELD_SHARE_PATH), "\\\\DC1\\C$");
    assert_int_equal(harness_uint(r, FIELD_STATUS), 0xc000006d);
    /* A chain counts by its first command. */
    assert_int_equal(t->w.h.counts->smb1_requests[0x73], 2);
    assert_int_equal(t->w.h.counts->smb1_requests[0x75], 0);
}

static void file_is_one_activity(void **state)
{
    struct talk *t = *state;
    session(t, 24, 24, 0);
    tree(t, "\\\\DC1\\C$", "A:");
    create(t, "\\temp\\x.exe", 16385, false);
    write_request(t, 16385, NULL, 40000, false);
    write_reply(t, 40000);
    read_request(t, 16385);
    read_reply(t, NULL, 30000, 0);
    close_file(t, 16385);
    create_request(t, "\\refused");
    empty_reply(t, SMB1_NT_CREATE_ANDX, 0xc0000022);
    wire_finish(&t->w);
    assert_int_equal(harness_count(&t->w.h, ACTIVITY_SMB_OPEN), 2);
    struct harness_record *r = harness_find(&t->w.h, ACTIVITY_SMB_OPEN, 0);
    assert_string_equal(harness_text(r, FIELD_FILE_PATH), "\\temp\\x.exe");
    assert_string_equal(harness_text(r, FIELD_SHARE_PATH), "\\\\DC1\\C$");
    assert_string_equal(harness_text(r, FIELD_ACCOUNT), "alice");
    assert_int_equal(harness_uint(r, FIELD_WRITE_BYTES), 40000);
    assert_int_equal(harness_uint(r, FIELD_READ_BYTES), 30000);
    assert_int_equal(harness_uint(r, FIELD_FILE_SIZE), 777);
    assert_int_equal(harness_uint(r, FIELD_SMB_VERSION), 1);
    assert_true(harness_bool(r, FIELD_CLOSED));
    r = harness_find(&t->w.h, ACTIVITY_SMB_OPEN, 1);
    assert_int_equal(harness_uint(r, FIELD_STATUS), 0xc0000022);
    assert_true(t->w.h.stats->skipped_bytes > 60000);
}

/* OPEN_ANDX, READ and WRITE of the LANMAN dialects. */
static void old_commands(void **state)
{
    struct talk *t = *state;
    t->flags2 = OEM;
    begin(t, SMB1_OPEN_ANDX, false, 0);
    andx_none(t);
    le16(&t->b, 0);
    le16(&t->b, 2);
    le16(&t->b, 0);
    le16(&t->b, 0x20);
    le32(&t->b, 0);
    le16(&t->b, 0x11);
    zeros(&t->b, 12);
    bytes_begin(t);
    text(t, "OLD.TXT");
    finish(t, 0);
    begin(t, SMB1_OPEN_ANDX, true, 0);
    andx_none(t);
    le16(&t->b, 3);
    le16(&t->b, 0x20);
    le32(&t->b, 0);
    le32(&t->b, 55);
    le16(&t->b, 2);
    le16(&t->b, 0);
    le16(&t->b, 0);
    le16(&t->b, 1);
    zeros(&t->b, 8);
    bytes_begin(t);
    finish(t, 1);
    begin(t, SMB1_READ, false, 0);
    le16(&t->b, 3);
    le16(&t->b, 5);
    zeros(&t->b, 6);
    bytes_begin(t);
    finish(t, 0);
    begin(t, SMB1_READ, true, 0);
    le16(&t->b, 5);
    zeros(&t->b, 8);
    bytes_begin(t);
    raw(&t->b, "\x01\x05\0hello", 8);
    finish(t, 1);
    begin(t, SMB1_WRITE, false, 0);
    le16(&t->b, 3);
    le16(&t->b, 5);
    zeros(&t->b, 6);
    bytes_begin(t);
    raw(&t->b, "\x01\x05\0world", 8);
    finish(t, 0);
    begin(t, SMB1_WRITE, true, 0);
    le16(&t->b, 5);
    bytes_begin(t);
    finish(t, 1);
    begin(t, SMB1_LOGOFF_ANDX, false, 0);
    andx_none(t);
    bytes_begin(t);
    finish(t, 0);
    wire_finish(&t->w);
    struct harness_record *r = harness_find(&t->w.h, ACTIVITY_SMB_OPEN, 0);
    assert_string_equal(harness_text(r, FIELD_FILE_PATH), "OLD.TXT");
    assert_int_equal(harness_uint(r, FIELD_CREATE_DISPOSITION), 3);
    assert_int_equal(harness_uint(r, FIELD_DESIRED_ACCESS), 0x12019f);
    assert_int_equal(harness_uint(r, FIELD_READ_BYTES), 5);
    assert_int_equal(harness_uint(r, FIELD_WRITE_BYTES), 5);
    assert_int_equal(harness_uint(r, FIELD_FILE_SIZE), 55);
}

static void leaving_ends_files(void **state)
{
    struct talk *t = *state;
    session(t, 24, 24, 0);
    tree(t, "\\\\DC1\\C$", "A:");
    create(t, "\\one", 1, false);
    begin(t, SMB1_TREE_DISCONNECT, false, 0);
    bytes_begin(t);
    finish(t, 0);
    empty_reply(t, SMB1_TREE_DISCONNECT, 0);
    assert_int_equal(harness_count(&t->w.h, ACTIVITY_SMB_OPEN), 1);
    create(t, "\\two", 2, false);
    begin(t, SMB1_LOGOFF_ANDX, false, 0);
    andx_none(t);
    bytes_begin(t);
    finish(t, 0);
    begin(t, SMB1_LOGOFF_ANDX, true, 0);
    andx_none(t);
    bytes_begin(t);
    finish(t, 1);
    assert_int_equal(harness_count(&t->w.h, ACTIVITY_SMB_OPEN), 2);
}

static void path_commands(void **state)
{
    struct talk *t = *state;
    path_command(t, SMB1_DELETE, "\\__output", NULL);
    empty_reply(t, SMB1_DELETE, 0xc0000034);
    path_command(t, SMB1_RENAME, "\\a", "\\b");
    empty_reply(t, SMB1_RENAME, 0);
    path_command(t, SMB1_CREATE_DIRECTORY, "\\d", NULL);
    wire_finish(&t->w);
    assert_int_equal(harness_count(&t->w.h, ACTIVITY_SMB1_PATH), 3);
    struct harness_record *r = harness_find(&t->w.h, ACTIVITY_SMB1_PATH, 0);
    assert_string_equal(harness_text(r, FIELD_FILE_PATH), "\\__output");
    assert_int_equal(harness_uint(r, FIELD_STATUS), 0xc0000034);
    r = harness_find(&t->w.h, ACTIVITY_SMB1_PATH, 1);
    assert_string_equal(harness_text(r, FIELD_FILE_PATH), "\\a");
    assert_string_equal(harness_text(r, FIELD_NEW_PATH), "\\b");
    assert_true(harness_has(harness_find(&t->w.h, ACTIVITY_SMB1_PATH, 2), FIELD_ANSWERED));
}

/* --- pipes --- */

static void assert_srvsvc(struct talk *t)
{
    wire_finish(&t->w);
    assert_int_equal(t->w.h.counts->dcerpc_pdus[11], 1);
    assert_int_equal(t->w.h.counts->dcerpc_pdus[12], 1);
    assert_true(harness_bool(harness_find(&t->w.h, ACTIVITY_SMB_OPEN, 0), FIELD_IS_PIPE));
}

static void pipe_by_write_and_read(void **state)
{
    struct talk *t = *state;
    tree(t, "\\\\DC1\\IPC$", "IPC");
    create(t, "\\srvsvc", 0x4000, true);
    write_request(t, 0x4000, bind_pdu, sizeof bind_pdu, false);
    write_reply(t, sizeof bind_pdu);
    read_request(t, 0x4000);
    read_reply(t, bind_ack_pdu, 20, STATUS_BUFFER_OVERFLOW);
    read_request(t, 0x4000);
    read_reply(t, bind_ack_pdu + 20, sizeof bind_ack_pdu - 20, 0);
    close_file(t, 0x4000);
    assert_srvsvc(t);
}

/* A raw write that begins a message starts with its length; and nothing of the opening was captured. */
static void pipe_by_raw_write(void **state)
{
    struct talk *t = *state;
    uint8_t data[2 + sizeof bind_pdu] = {sizeof bind_pdu, 0};
    memcpy(data + 2, bind_pdu, sizeof bind_pdu);
    write_request(t, 0x4000, data, sizeof data, true);
    write_reply(t, sizeof data);
    read_request(t, 0x4000);
    read_reply(t, bind_ack_pdu, sizeof bind_ack_pdu, 0);
    assert_srvsvc(t);
    assert_true(harness_bool(harness_find(&t->w.h, ACTIVITY_SMB_OPEN, 0), FIELD_OPEN_NOT_SEEN));
}

/* The request in two messages, the reply in two. */
static void pipe_by_transaction(void **state)
{
    struct talk *t = *state;
    static const uint16_t setup[2] = {0x26, 0x4000};
    tree(t, "\\\\DC1\\IPC$", "IPC");
    create(t, "\\srvsvc", 0x4000, true);
    transaction(t, SMB1_TRANSACTION, "\\PIPE\\", setup, 2, nothing, (struct bytes){bind_pdu, 40},
                sizeof bind_pdu);
    t->multiplex--;
    begin(t, SMB1_TRANSACTION_SECONDARY, false, 0);
    le16(&t->b, 0);
    le16(&t->b, sizeof bind_pdu);
    zeros(&t->b, 6);
    le16(&t->b, sizeof bind_pdu - 40);
    le16(&t->b, 51);
    le16(&t->b, 40);
    bytes_begin(t);
    raw(&t->b, bind_pdu + 40, sizeof bind_pdu - 40);
    finish(t, 0);
    transaction_reply(t, SMB1_TRANSACTION, (struct bytes){bind_ack_pdu, 30}, sizeof bind_ack_pdu, 0, 0);
    transaction_reply(t, SMB1_TRANSACTION, (struct bytes){bind_ack_pdu + 30, sizeof bind_ack_pdu - 30},
                      sizeof bind_ack_pdu, 30, 0);
    assert_srvsvc(t);
}

/* --- other transactions --- */

static void transactions_that_tell(void **state)
{
    struct talk *t = *state;
    t->flags2 = OEM;
    struct wire_bytes *p = calloc(1, sizeof *p);
    assert_non_null(p);
    le16(p, 104);
    raw(p, "WrLehDz", 8);
    raw(p, "B16BBDz", 8);
    le16(p, 1);
    le16(p, 65535);
    le32(p, 0x80000000);
    transaction(t, SMB1_TRANSACTION, "\\PIPE\\LANMAN", NULL, 0, (struct bytes){p->data, p->size}, nothing, 0);
    transaction_reply(t, SMB1_TRANSACTION, nothing, 0, 0, 0);
    free(p);
    static const uint16_t peek[2] = {0x23, 0};
    transaction(t, SMB1_TRANSACTION, "\\PIPE\\", peek, 2, nothing, nothing, 0);
    transaction_reply(t, SMB1_TRANSACTION, nothing, 0, 0, 0xc0000205);
    static const uint16_t session_setup[1] = {0x0e}, find_first[1] = {1};
    transaction(t, SMB1_TRANSACTION2, "", session_setup, 1, nothing, nothing, 0);
    transaction_reply(t, SMB1_TRANSACTION2, nothing, 0, 0, 0xc0000002);
    transaction(t, SMB1_TRANSACTION2, "", find_first, 1, nothing, nothing, 0);
    begin(t, SMB1_NT_TRANSACT, false, 0);
    zeros(&t->b, 3);
    le32(&t->b, 30);
    le32(&t->b, 0x103d0);
    zeros(&t->b, 8);
    zeros(&t->b, 16);
    le8(&t->b, 0);
    le16(&t->b, 0);
    bytes_begin(t);
    finish(t, 0);
    t->multiplex--;
    begin(t, SMB1_NT_TRANSACT_SECONDARY, false, 0);
    zeros(&t->b, 36);
    bytes_begin(t);
    finish(t, 0);
    wire_finish(&t->w);
    assert_int_equal(harness_count(&t->w.h, ACTIVITY_SMB1_TRANSACTION), 4);
    struct harness_record *r = harness_find(&t->w.h, ACTIVITY_SMB1_TRANSACTION, 0);
    assert_string_equal(harness_text(r, FIELD_TRANSACTION_NAME), "\\PIPE\\LANMAN");
    assert_int_equal(harness_uint(r, FIELD_RAP_FUNCTION), 104);
    assert_string_equal(harness_text(r, FIELD_RAP_PARAMETERS), "WrLehDz");
    assert_int_equal(harness_uint(r, FIELD_RAP_SERVER_TYPE), 0x80000000);
    r = harness_find(&t->w.h, ACTIVITY_SMB1_TRANSACTION, 1);
    assert_int_equal(harness_uint(r, FIELD_SUBCOMMAND), 0x23);
    assert_int_equal(harness_uint(r, FIELD_STATUS), 0xc0000205);
    r = harness_find(&t->w.h, ACTIVITY_SMB1_TRANSACTION, 2);
    assert_int_equal(harness_uint(r, FIELD_SMB_COMMAND), 0x32);
    assert_int_equal(harness_uint(r, FIELD_STATUS), 0xc0000002);
    r = harness_find(&t->w.h, ACTIVITY_SMB1_TRANSACTION, 3);
    assert_int_equal(harness_uint(r, FIELD_DATA_BYTES), 0x103d0);
}

static void damage_is_malformed(void **state)
{
    struct talk *t = *state;
    static const uint8_t commands[] = {SMB1_SESSION_SETUP_ANDX, SMB1_TREE_CONNECT_ANDX, SMB1_NT_CREATE_ANDX,
                                       SMB1_TRANSACTION};
    for (size_t i = 0; i < sizeof commands; i++) {
        begin(t, commands[i], false, 0);
        le16(&t->b, 0xff);
        bytes_begin(t);
        finish(t, 0);
    }
    wire_finish(&t->w);
    assert_int_equal(t->w.h.stats->protocol[PROTOCOL_SMB].malformed, sizeof commands);
    assert_int_equal(t->w.h.size, 0);
}

/* --- NetBIOS --- */

static void put_name(struct wire_bytes *b, const char *name, uint8_t suffix)
{
    le8(b, 32);
    for (unsigned i = 0; i < 16; i++) {
        unsigned c = i == 15 ? suffix : i < strlen(name) ? (unsigned char)name[i] : ' ';
        le8(b, 'A' + (c >> 4));
        le8(b, 'A' + (c & 15));
    }
    le8(b, 0);
}

static void session_service(void **state)
{
    (void)state;
    struct wire w;
    static struct wire_bytes b;
    wire_open_port(&w, 139);
    b.size = 0;
    raw(&b, "\x81\0\0\x44", 4);
    put_name(&b, "*SMBSERVER", 0x20);
    put_name(&b, "KALI", 0);
    wire_segment(&w, 0, FLAG_ACK, b.data, b.size);
    wire_segment(&w, 1, FLAG_ACK, "\x83\0\0\x01\x82", 5);
    wire_segment(&w, 0, FLAG_ACK, b.data, b.size);
    wire_segment(&w, 1, FLAG_ACK, "\x82\0\0\0", 4);
    wire_segment(&w, 1, FLAG_ACK, "\0\x02\0\0", 4); /* only the last bit of the flags extends the length */
    wire_finish(&w);
    assert_int_equal(harness_count(&w.h, ACTIVITY_NETBIOS_SESSION), 2);
    struct harness_record *r = harness_find(&w.h, ACTIVITY_NETBIOS_SESSION, 0);
    assert_string_equal(harness_text(r, FIELD_CALLED_NAME), "*SMBSERVER");
    assert_int_equal(harness_uint(r, FIELD_CALLED_SUFFIX), 0x20);
    assert_string_equal(harness_text(r, FIELD_CALLING_NAME), "KALI");
    assert_int_equal(harness_uint(r, FIELD_STATUS), 0x82);
    assert_int_equal(harness_uint(harness_find(&w.h, ACTIVITY_NETBIOS_SESSION, 1), FIELD_STATUS), 0);
    assert_int_equal(w.h.stats->protocol[PROTOCOL_SMB].malformed, 1);
    assert_int_equal(w.h.broken, 0);
    wire_close(&w);
}

/* [MS-BRWS] 2.2.1 in a mailslot write in an NBDGM datagram */
static void host_announcement(void **state)
{
    struct talk *t = *state;
    struct wire_bytes *frame = calloc(1, sizeof *frame);
    struct wire_bytes *datagram = calloc(1, sizeof *datagram);
    assert_non_null(frame);
    assert_non_null(datagram);
    t->flags2 = 0;
    le8(frame, 1);
    le8(frame, 0);
    le32(frame, 60000);
    raw(frame, "WS01\0\0\0\0\0\0\0\0\0\0\0", 16);
    le8(frame, 10);
    le8(frame, 0);
    le32(frame, 0x1003);
    le32(frame, 0xaa55010f);
    raw(frame, "till", 5);
    static const uint16_t setup[3] = {1, 0, 2};
    transaction(t, SMB1_TRANSACTION, "\\MAILSLOT\\BROWSE", setup, 3, nothing,
                (struct bytes){frame->data, frame->size}, frame->size);
    raw(datagram, "\x11\x02\0\x01\x0a\0\0\x01\0\x8a\0\0\0\0", 14);
    put_name(datagram, "WS01", 0);
    put_name(datagram, "CORP", 0x1d);
    raw(datagram, t->b.data, t->b.size);
    struct frame_bytes f = {.size = 0};
    put_ipv4(&f, 17, 1, 255, datagram->size + 8, 1, 0, false);
    put_udp(&f, 138, 138, datagram->size);
    put(&f, datagram->data, datagram->size);
    struct packet packet = frame_packet(&f, DLT_RAW, t->w.time);
    uint64_t before = t->w.h.counts->smb1_requests[SMB1_TRANSACTION];
    engine_packet(t->w.h.engine, &packet);
    assert_int_equal(t->w.h.counts->smb1_requests[SMB1_TRANSACTION], before + 1);
    for (uint32_t size = 0; size < f.size; size++) {
        struct packet cut = packet;
        cut.captured = size;
        engine_packet(t->w.h.engine, &cut);
    }
    packet_free(&packet);
    struct harness_record *r = harness_find(&t->w.h, ACTIVITY_BROWSER_FRAME, 0);
    assert_string_equal(harness_text(r, FIELD_BROWSER_NAME), "WS01");
    assert_string_equal(harness_text(r, FIELD_CALLING_NAME), "WS01");
    assert_string_equal(harness_text(r, FIELD_CALLED_NAME), "CORP");
    assert_string_equal(harness_text(r, FIELD_BROWSER_OS), "10.0");
    assert_string_equal(harness_text(r, FIELD_BROWSER_COMMENT), "till");
    assert_int_equal(harness_uint(r, FIELD_BROWSER_SERVER_TYPE), 0x1003);
    free(frame);
    free(datagram);
}

/* --- captures --- */

static void psexec_capture(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h, NULL);
    if (harness_shared(&h, PICKET_SHARED_DATA "/pcap/psexec--smbexec-smb1.pcapng")) {
        assert_int_equal(h.broken, 0);
        struct harness_record *r = harness_find_text(&h, ACTIVITY_SMB_OPEN, FIELD_FILE_PATH, "__output", 0);
        assert_true(harness_uint(r, FIELD_READ_BYTES) > 0);
        assert_true(h.counts->dcerpc_pdus[0] > 0);
        assert_true(harness_count(&h, ACTIVITY_SMB1_PATH) > 0);
    }
    harness_close(&h);
}

#define talk_test(f) cmocka_unit_test_setup_teardown(f, talk_begin, talk_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        talk_test(header_is_read),
        talk_test(cut_anywhere),
        cmocka_unit_test(unicode_text_is_aligned),
        talk_test(plain_session),
        talk_test(password_forms),
        talk_test(plaintext_password),
        talk_test(core_dialect),
        talk_test(chain),
        talk_test(file_is_one_activity),
        talk_test(old_commands),
        talk_test(leaving_ends_files),
        talk_test(path_commands),
        talk_test(pipe_by_write_and_read),
        talk_test(pipe_by_raw_write),
        talk_test(pipe_by_transaction),
        talk_test(transactions_that_tell),
        talk_test(damage_is_malformed),
        cmocka_unit_test(session_service),
        talk_test(host_announcement),
        cmocka_unit_test(psexec_capture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
