/* SPDX-License-Identifier: Apache-2.0
 *
 * SMB 2 and 3 messages ([MS-SMB2]). Pure: a cursor in, a struct of views out; nothing is copied or kept.
 *
 * A body is read from its own part of a compound: `smb2_part` holds the bytes from its protocol id on, so
 * that the offsets in the messages (which count from there) can be bounded by it. A buffer that an offset
 * points to may be cut by the capture or by the engine's skipping: then its view holds what there is.
 */
#pragma once

#include "base/cursor.h"

#define SMB2_HEADER_SIZE      64
#define SMB2_TRANSFORM_SIZE   52
#define SMB2_COMPRESSION_SIZE 16

enum smb2_command { /* 2.2.1.2 */
                    SMB2_NEGOTIATE = 0,
                    SMB2_SESSION_SETUP = 1,
                    SMB2_LOGOFF = 2,
                    SMB2_TREE_CONNECT = 3,
                    SMB2_TREE_DISCONNECT = 4,
                    SMB2_CREATE = 5,
                    SMB2_CLOSE = 6,
                    SMB2_FLUSH = 7,
                    SMB2_READ = 8,
                    SMB2_WRITE = 9,
                    SMB2_LOCK = 10,
                    SMB2_IOCTL = 11,
                    SMB2_CANCEL = 12,
                    SMB2_ECHO = 13,
                    SMB2_QUERY_DIRECTORY = 14,
                    SMB2_CHANGE_NOTIFY = 15,
                    SMB2_QUERY_INFO = 16,
                    SMB2_SET_INFO = 17,
                    SMB2_OPLOCK_BREAK = 18,
};

enum smb2_flags {
    SMB2_FLAG_RESPONSE = 0x1,
    SMB2_FLAG_ASYNC = 0x2,
    SMB2_FLAG_RELATED = 0x4,
    SMB2_FLAG_SIGNED = 0x8,
};

enum smb2_fsctl { /* [MS-FSCC] 2.3, [MS-SMB2] 2.2.31 */
                  FSCTL_DFS_GET_REFERRALS = 0x00060194,
                  FSCTL_DFS_GET_REFERRALS_EX = 0x000601b0,
                  FSCTL_PIPE_PEEK = 0x0011400c,
                  FSCTL_PIPE_WAIT = 0x00110018,
                  FSCTL_PIPE_TRANSCEIVE = 0x0011c017,
                  FSCTL_SRV_REQUEST_RESUME_KEY = 0x00140078,
                  FSCTL_QUERY_NETWORK_INTERFACE_INFO = 0x001401fc,
                  FSCTL_VALIDATE_NEGOTIATE_INFO = 0x00140204,
                  FSCTL_SRV_ENUMERATE_SNAPSHOTS = 0x00144064,
                  FSCTL_SRV_COPYCHUNK = 0x001440f2,
                  FSCTL_SRV_COPYCHUNK_WRITE = 0x001480f2,
                  FSCTL_SET_REPARSE_POINT = 0x000900a4,
};

struct smb2_header {
    uint32_t status;
    uint16_t command;
    uint16_t credits;
    uint32_t flags;
    uint32_t next;
    uint32_t process_id; /* in requests that are not asynchronous; reserved by the specification */
    uint32_t tree_id;    /* 0 in asynchronous messages, which have none */
    uint64_t message_id;
    uint64_t session_id;
};

struct smb2_part {
    struct smb2_header header;
    const uint8_t *start; /* the protocol id */
    struct cursor body;   /* after the header, to the end of this part */
};

/* Takes the next part of a compound off `c`. False, with the cursor failed, when no whole header is there or
 * it is not one of SMB2. Its end follows NextCommand; a chain that leaves the message is cut to it and
 * `bad_chain` set. */
bool smb2_next_part(struct cursor *c, struct smb2_part *part, bool *bad_chain);

struct smb2_negotiate_contexts { /* 2.2.3.1, 2.2.4.1; each id list as on the wire: little-endian 16 bit */
    uint16_t types[16];
    uint8_t count;
    struct bytes hashes;
    struct bytes ciphers;
    struct bytes compressions;
    struct bytes signings;
    struct bytes netname; /* UTF-16LE */
    uint32_t compression_flags;
    uint16_t salt_size;
    bool has_hashes;
    bool has_compression;
};

struct smb2_negotiate_request {
    uint16_t security_mode;
    uint32_t capabilities;
    const uint8_t *client_guid;
    struct bytes dialects; /* little-endian 16 bit each */
    struct smb2_negotiate_contexts contexts;
};

struct smb2_negotiate_response {
    uint16_t security_mode;
    uint16_t dialect;
    const uint8_t *server_guid;
    uint32_t capabilities;
    uint32_t max_transact;
    uint32_t max_read;
    uint32_t max_write;
    uint64_t system_time; /* FILETIME */
    uint64_t start_time;
    struct bytes token;
    struct smb2_negotiate_contexts contexts;
};

struct smb2_session_request {
    uint8_t flags; /* 1: binding */
    uint8_t security_mode;
    uint32_t capabilities;
    uint64_t previous_session;
    struct bytes token;
};

struct smb2_session_response {
    uint16_t flags; /* 1 guest, 2 null, 4 encrypt */
    struct bytes token;
};

struct smb2_tree_request {
    struct bytes path; /* UTF-16LE */
};

struct smb2_tree_response {
    uint8_t share_type; /* 1 disk, 2 pipe, 3 print */
    uint32_t share_flags;
    uint32_t capabilities;
    uint32_t maximal_access;
};

struct smb2_create_request {
    uint32_t impersonation;
    uint32_t desired_access;
    uint32_t attributes;
    uint32_t share_access;
    uint32_t disposition;
    uint32_t options;
    struct bytes name; /* UTF-16LE */
};

struct smb2_file_id {
    uint64_t persistent;
    uint64_t volatile_;
};

struct smb2_create_response {
    uint32_t action;
    uint64_t size;
    uint32_t attributes;
    struct smb2_file_id file;
};

/* Any request or response that names a file and may carry data. */
struct smb2_transfer {
    struct smb2_file_id file; /* not in responses of READ and WRITE */
    uint32_t length;          /* asked for or carried */
    uint64_t offset;
    struct bytes data; /* what there is of it */
    bool cut;          /* less than announced */
};

struct smb2_ioctl {
    uint32_t code;
    struct smb2_file_id file;
    uint32_t input_size;
    uint32_t output_size;
    struct bytes input;
    struct bytes output;
    bool cut;
};

struct smb2_set_info {
    uint8_t type; /* 1 file, 2 file system, 3 security, 4 quota */
    uint8_t class_;
    struct smb2_file_id file;
    struct bytes buffer;
};

struct smb2_query_directory {
    struct smb2_file_id file;
    struct bytes pattern; /* UTF-16LE */
};

struct smb2_transform { /* 2.2.41 */
    uint32_t size;
    uint16_t flags;
    uint64_t session_id;
};

struct smb2_compression { /* 2.2.42 */
    uint32_t original_size;
    uint16_t algorithm;
    uint16_t flags;  /* 1: chained */
    uint32_t offset; /* unchained: bytes before the compressed ones; chained: length of the first payload */
};

/* Each: false when the fixed part is not there or its StructureSize is wrong. */
bool smb2_negotiate_request_parse(const struct smb2_part *part, struct smb2_negotiate_request *to);
bool smb2_negotiate_response_parse(const struct smb2_part *part, struct smb2_negotiate_response *to);
bool smb2_session_request_parse(const struct smb2_part *part, struct smb2_session_request *to);
bool smb2_session_response_parse(const struct smb2_part *part, struct smb2_session_response *to);
bool smb2_tree_request_parse(const struct smb2_part *part, struct smb2_tree_request *to);
bool smb2_tree_response_parse(const struct smb2_part *part, struct smb2_tree_response *to);
bool smb2_create_request_parse(const struct smb2_part *part, struct smb2_create_request *to);
bool smb2_create_response_parse(const struct smb2_part *part, struct smb2_create_response *to);
bool smb2_close_request_parse(const struct smb2_part *part, struct smb2_file_id *to);
bool smb2_read_request_parse(const struct smb2_part *part, struct smb2_transfer *to);
bool smb2_read_response_parse(const struct smb2_part *part, struct smb2_transfer *to);
bool smb2_write_request_parse(const struct smb2_part *part, struct smb2_transfer *to);
bool smb2_write_response_parse(const struct smb2_part *part, struct smb2_transfer *to);
bool smb2_ioctl_request_parse(const struct smb2_part *part, struct smb2_ioctl *to);
bool smb2_ioctl_response_parse(const struct smb2_part *part, struct smb2_ioctl *to);
bool smb2_set_info_request_parse(const struct smb2_part *part, struct smb2_set_info *to);
bool smb2_query_directory_request_parse(const struct smb2_part *part, struct smb2_query_directory *to);

/* The new name in a FileRenameInformation buffer ([MS-FSCC] 2.4.42.2), UTF-16LE; empty when there is none. */
struct bytes smb2_rename_target(struct bytes buffer);

/* The headers of encrypted and compressed messages, read from their protocol id on. */
bool smb2_transform_parse(struct cursor c, struct smb2_transform *to);
bool smb2_compression_parse(struct cursor c, struct smb2_compression *to);
