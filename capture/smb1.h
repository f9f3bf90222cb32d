/* SPDX-License-Identifier: Apache-2.0
 *
 * SMB 1 messages ([MS-CIFS], [MS-SMB]). Pure: a cursor in, a struct of views out; nothing is copied or kept.
 *
 * A message is a header and one block (words and bytes), or a chain of blocks in an AndX message. Offsets in
 * a block count from the header; whatever they point to is bounded by the message, and may be cut by the
 * capture or by the engine's skipping.
 */
#pragma once

#include "base/cursor.h"

#define SMB1_HEADER_SIZE 32
#define SMB1_CHAIN_MAX   8
#define SMB1_NO_COMMAND  0xff

enum smb1_command { /* [MS-CIFS] 2.2.2.1 */
                    SMB1_CREATE_DIRECTORY = 0x00,
                    SMB1_DELETE_DIRECTORY = 0x01,
                    SMB1_CLOSE = 0x04,
                    SMB1_DELETE = 0x06,
                    SMB1_RENAME = 0x07,
                    SMB1_READ = 0x0a,
                    SMB1_WRITE = 0x0b,
                    SMB1_TRANSACTION = 0x25,
                    SMB1_TRANSACTION_SECONDARY = 0x26,
                    SMB1_OPEN_ANDX = 0x2d,
                    SMB1_READ_ANDX = 0x2e,
                    SMB1_WRITE_ANDX = 0x2f,
                    SMB1_TRANSACTION2 = 0x32,
                    SMB1_TRANSACTION2_SECONDARY = 0x33,
                    SMB1_TREE_DISCONNECT = 0x71,
                    SMB1_NEGOTIATE = 0x72,
                    SMB1_SESSION_SETUP_ANDX = 0x73,
                    SMB1_LOGOFF_ANDX = 0x74,
                    SMB1_TREE_CONNECT_ANDX = 0x75,
                    SMB1_NT_TRANSACT = 0xa0,
                    SMB1_NT_TRANSACT_SECONDARY = 0xa1,
                    SMB1_NT_CREATE_ANDX = 0xa2,
                    SMB1_NT_RENAME = 0xa5,
};

enum smb1_flags {
    SMB1_FLAG_REPLY = 0x80,
    SMB1_FLAGS2_EXTENDED_SECURITY = 0x0800,
    SMB1_FLAGS2_NT_STATUS = 0x4000,
    SMB1_FLAGS2_UNICODE = 0x8000,
};

struct smb1_header {
    uint8_t command;
    uint8_t flags;
    uint16_t flags2;
    uint32_t status;
    uint32_t process_id;
    uint16_t tree_id;
    uint16_t user_id;
    uint16_t multiplex_id;
};

struct smb1_message {
    struct smb1_header header;
    const uint8_t *start; /* the protocol id */
    const uint8_t *end;
};

struct smb1_block {
    uint8_t command;
    uint8_t word_count;
    struct cursor words; /* empty when they are not all there */
    struct cursor bytes; /* as far as they are there */
    bool cut;            /* fewer bytes than ByteCount says */
};

struct smb1_text {
    struct bytes bytes; /* without the terminator */
    bool unicode;       /* UTF-16LE, else the client's OEM code page */
};

/* Reads the header. False when it is not there. */
bool smb1_message_parse(struct cursor c, struct smb1_message *to);

/* The first block. False when it is not there. */
bool smb1_first_block(const struct smb1_message *message, struct smb1_block *to);

/* The block that follows `block` in an AndX chain; false at its end. An offset that goes backwards ends it.
 */
bool smb1_next_block(const struct smb1_message *message, const struct smb1_block *block,
                     struct smb1_block *to);

/* The text at a cursor over a block's bytes, to its terminator, aligned as 2.2.1.1 says when it is Unicode.
 */
struct smb1_text smb1_take_text(const struct smb1_message *message, struct cursor *bytes, bool unicode);

struct smb1_negotiate_response {
    uint16_t dialect_index;
    uint8_t security_mode; /* 1 user level, 2 challenge/response, 4 signing enabled, 8 signing required */
    uint16_t max_mpx;
    uint32_t max_buffer;
    uint32_t session_key;
    uint32_t capabilities;
    uint64_t system_time;
    const uint8_t *server_guid; /* NULL without extended security */
    struct bytes challenge;
    struct smb1_text domain;
    struct smb1_text server;
    bool core; /* only the dialect index was sent */
};

struct smb1_session_request {
    uint16_t max_buffer;
    uint16_t max_mpx;
    uint16_t vc_number;
    uint32_t session_key;
    uint32_t capabilities;
    bool extended; /* token, else the two passwords */
    struct bytes token;
    struct bytes lm;
    struct bytes nt;
    struct smb1_text account;
    struct smb1_text domain;
    struct smb1_text native_os;
    struct smb1_text native_lanman;
};

struct smb1_session_response {
    uint16_t action; /* 1: logged on as guest */
    struct bytes token;
    struct smb1_text native_os;
    struct smb1_text native_lanman;
    struct smb1_text domain;
};

struct smb1_tree_request {
    struct smb1_text path;
    struct smb1_text service; /* "?????", "A:", "IPC", "LPT1:", "COMM" */
};

struct smb1_tree_response {
    uint16_t optional_support;
    uint32_t maximal_access; /* 0 when it is not told */
    struct smb1_text service;
    struct smb1_text file_system;
};

struct smb1_open_request {
    uint32_t desired_access;
    uint32_t attributes;
    uint32_t share_access;
    uint32_t disposition;
    uint32_t options;
    struct smb1_text name;
};

struct smb1_open_response {
    uint16_t file;
    uint32_t action;
    uint32_t attributes;
    uint64_t size;
    bool pipe;
    bool directory;
};

struct smb1_transfer {
    uint16_t file;
    uint32_t length;
    struct bytes data;
    bool cut;
};

struct smb1_transaction {
    struct smb1_text name;
    uint16_t setup[4];
    uint8_t setup_count;
    uint32_t total_parameters;
    uint32_t total_data;
    struct bytes parameters;
    struct bytes data;
    uint32_t data_displacement;
    bool cut;
};

bool smb1_negotiate_response_parse(const struct smb1_message *m, const struct smb1_block *b,
                                   struct smb1_negotiate_response *to);
bool smb1_session_request_parse(const struct smb1_message *m, const struct smb1_block *b,
                                struct smb1_session_request *to);
bool smb1_session_response_parse(const struct smb1_message *m, const struct smb1_block *b,
                                 struct smb1_session_response *to);
bool smb1_tree_request_parse(const struct smb1_message *m, const struct smb1_block *b,
                             struct smb1_tree_request *to);
bool smb1_tree_response_parse(const struct smb1_message *m, const struct smb1_block *b,
                              struct smb1_tree_response *to);
bool smb1_nt_create_request_parse(const struct smb1_message *m, const struct smb1_block *b,
                                  struct smb1_open_request *to);
bool smb1_nt_create_response_parse(const struct smb1_block *b, struct smb1_open_response *to);
bool smb1_open_request_parse(const struct smb1_message *m, const struct smb1_block *b,
                             struct smb1_open_request *to);
bool smb1_open_response_parse(const struct smb1_block *b, struct smb1_open_response *to);
bool smb1_close_request_parse(const struct smb1_block *b, uint16_t *file);
/* READ_ANDX and READ; WRITE_ANDX and WRITE. */
bool smb1_read_request_parse(const struct smb1_block *b, struct smb1_transfer *to);
bool smb1_read_response_parse(const struct smb1_message *m, const struct smb1_block *b,
                              struct smb1_transfer *to);
bool smb1_write_request_parse(const struct smb1_message *m, const struct smb1_block *b,
                              struct smb1_transfer *to);
bool smb1_write_response_parse(const struct smb1_block *b, struct smb1_transfer *to);
/* TRANSACTION, TRANSACTION2, NT_TRANSACT and their secondary requests. */
bool smb1_transaction_request_parse(const struct smb1_message *m, const struct smb1_block *b,
                                    struct smb1_transaction *to);
bool smb1_transaction_response_parse(const struct smb1_message *m, const struct smb1_block *b,
                                     struct smb1_transaction *to);
