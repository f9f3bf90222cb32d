/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/smb1.h"

#include "capture/smb_buffer.h"

/* [MS-CIFS] 2.2.3.1, little-endian:
 *   0 Protocol FF 'S' 'M' 'B'  4 Command(1)  5 Status(4)  9 Flags(1)  10 Flags2(2)  12 PIDHigh(2)
 *  14 SecurityFeatures[8]  22 Reserved(2)  24 TID(2)  26 PIDLow(2)  28 UID(2)  30 MID(2) */
bool smb1_message_parse(struct cursor c, struct smb1_message *to)
{
    to->start = c.at;
    to->end = c.end;
    if (!cursor_match(&c, "\xffSMB", 4) || !cursor_need(&c, SMB1_HEADER_SIZE - 4))
        return false;
    struct smb1_header *h = &to->header;
    h->command = cursor_u8(&c);
    h->status = cursor_le32(&c);
    h->flags = cursor_u8(&c);
    h->flags2 = cursor_le16(&c);
    uint32_t high = cursor_le16(&c);
    cursor_skip(&c, 10);
    h->tree_id = cursor_le16(&c);
    h->process_id = high << 16 | cursor_le16(&c);
    h->user_id = cursor_le16(&c);
    h->multiplex_id = cursor_le16(&c);
    return true;
}

/* 2.2.3.2, 2.2.3.3: WordCount(1), Words[2 * WordCount], ByteCount(2), Bytes. The ByteCount of large reads and
 * writes overflows ([MS-SMB] 3.2.4.4.1), so that the bytes go to the message's end when it is smaller. */
static bool block_at(const struct smb1_message *m, size_t offset, uint8_t command, struct smb1_block *to)
{
    size_t size = (size_t)(m->end - m->start);
    if (offset < SMB1_HEADER_SIZE || offset >= size)
        return false;
    struct cursor c = cursor_of(m->start + offset, size - offset);
    to->command = command;
    to->word_count = cursor_u8(&c);
    to->words = cursor_sub(&c, (size_t)to->word_count * 2);
    to->words.failed = false;
    uint16_t announced = cursor_le16(&c);
    size_t left = cursor_left(&c);
    to->cut = c.failed || announced > left;
    to->bytes = cursor_sub(&c, announced < left ? announced : left);
    to->bytes.failed = false;
    return true;
}

bool smb1_first_block(const struct smb1_message *message, struct smb1_block *to)
{
    return block_at(message, SMB1_HEADER_SIZE, message->header.command, to);
}

static bool has_andx(uint8_t command)
{
    switch (command) {
    case 0x24: /* LOCKING_ANDX */
    case SMB1_OPEN_ANDX:
    case SMB1_READ_ANDX:
    case SMB1_WRITE_ANDX:
    case SMB1_SESSION_SETUP_ANDX:
    case SMB1_LOGOFF_ANDX:
    case SMB1_TREE_CONNECT_ANDX:
    case SMB1_NT_CREATE_ANDX:
        return true;
    default:
        return false;
    }
}

/* 2.2.3.4: the first words of an AndX block: AndXCommand(1), AndXReserved(1), AndXOffset(2). */
bool smb1_next_block(const struct smb1_message *message, const struct smb1_block *block,
                     struct smb1_block *to)
{
    if (!has_andx(block->command) || block->word_count < 2)
        return false;
    struct cursor words = block->words;
    size_t here = (size_t)(words.at - message->start);
    uint8_t command = cursor_u8(&words);
    cursor_skip(&words, 1);
    uint16_t offset = cursor_le16(&words);
    if (words.failed || command == SMB1_NO_COMMAND || offset < here)
        return false;
    return block_at(message, offset, command, to);
}

struct smb1_text smb1_take_text(const struct smb1_message *message, struct cursor *bytes, bool unicode)
{
    struct smb1_text text = {.unicode = unicode};
    if (unicode && (bytes->at - message->start) % 2 && !cursor_done(bytes))
        cursor_skip(bytes, 1);
    const uint8_t *at = bytes->at;
    size_t left = cursor_left(bytes);
    size_t size = 0;
    size_t unit = unicode ? 2 : 1;
    while (size + unit <= left && (at[size] || (unicode && at[size + 1])))
        size += unit;
    text.bytes = cursor_take(bytes, size);
    cursor_skip(bytes, unit < cursor_left(bytes) ? unit : cursor_left(bytes));
    return text;
}

static bool is_unicode(const struct smb1_message *m)
{
    return m->header.flags2 & SMB1_FLAGS2_UNICODE;
}

/* What (offset, length) of this message points to, as far as it is there. */
static struct bytes buffer_at(const struct smb1_message *m, uint32_t offset, uint32_t length, bool *cut)
{
    struct bytes message = {.data = m->start, .size = (size_t)(m->end - m->start)};
    return smb_buffer(message, SMB1_HEADER_SIZE, offset, length, cut);
}

/* As many of the announced bytes as there are. */
static struct bytes take_clipped(struct cursor *c, size_t size)
{
    return cursor_take(c, size < cursor_left(c) ? size : cursor_left(c));
}

/* 2.2.4.52.2, [MS-SMB] 2.2.4.5.2: WordCount 17: DialectIndex(2), SecurityMode(1), MaxMpxCount(2),
 * MaxNumberVcs(2), MaxBufferSize(4), MaxRawSize(4), SessionKey(4), Capabilities(4), SystemTime(8),
 * ServerTimeZone(2), ChallengeLength(1); bytes: ServerGUID[16] and the security blob, or the challenge,
 * DomainName and ServerName. Older dialects: WordCount 13 (LANMAN), 1 (core). */
bool smb1_negotiate_response_parse(const struct smb1_message *m, const struct smb1_block *b,
                                   struct smb1_negotiate_response *to)
{
    memset(to, 0, sizeof *to);
    struct cursor w = b->words;
    to->dialect_index = cursor_le16(&w);
    if (w.failed)
        return false;
    to->core = b->word_count != 17;
    if (to->core)
        return true;
    to->security_mode = cursor_u8(&w);
    to->max_mpx = cursor_le16(&w);
    cursor_skip(&w, 2);
    to->max_buffer = cursor_le32(&w);
    cursor_skip(&w, 4);
    to->session_key = cursor_le32(&w);
    to->capabilities = cursor_le32(&w);
    to->system_time = cursor_le64(&w);
    cursor_skip(&w, 2);
    uint8_t challenge = cursor_u8(&w);
    struct cursor bytes = b->bytes;
    if (to->capabilities & 0x80000000) { /* CAP_EXTENDED_SECURITY */
        struct bytes guid = take_clipped(&bytes, 16);
        to->server_guid = guid.size == 16 ? guid.data : NULL;
        return !w.failed;
    }
    to->challenge = take_clipped(&bytes, challenge);
    /* The names are not aligned: they follow the challenge, whatever its place. */
    struct smb1_message here = {.header = m->header, .start = bytes.at, .end = m->end};
    to->domain = smb1_take_text(&here, &bytes, is_unicode(m));
    here.start = bytes.at;
    to->server = smb1_take_text(&here, &bytes, is_unicode(m));
    return !w.failed;
}

/* 2.2.4.53.1 WordCount 13: AndX(4), MaxBufferSize(2), MaxMpxCount(2), VcNumber(2), SessionKey(4),
 * OEMPasswordLen(2), UnicodePasswordLen(2), Reserved(4), Capabilities(4); bytes: OEMPassword,
 * UnicodePassword, AccountName, PrimaryDomain, NativeOS, NativeLanMan. [MS-SMB] 2.2.4.6.1 WordCount 12:
 * SecurityBlobLength(2) in place of the two lengths; bytes: SecurityBlob, NativeOS, NativeLanMan. WordCount
 * 10 (LANMAN): PasswordLength(2), Reserved(4). */
bool smb1_session_request_parse(const struct smb1_message *m, const struct smb1_block *b,
                                struct smb1_session_request *to)
{
    memset(to, 0, sizeof *to);
    if (b->word_count != 13 && b->word_count != 12 && b->word_count != 10)
        return false;
    struct cursor w = b->words;
    cursor_skip(&w, 4);
    to->max_buffer = cursor_le16(&w);
    to->max_mpx = cursor_le16(&w);
    to->vc_number = cursor_le16(&w);
    to->session_key = cursor_le32(&w);
    uint16_t first = cursor_le16(&w);
    uint16_t second = b->word_count == 13 ? cursor_le16(&w) : 0;
    cursor_skip(&w, 4);
    to->capabilities = b->word_count == 10 ? 0 : cursor_le32(&w);
    if (w.failed)
        return false;
    struct cursor bytes = b->bytes;
    bool unicode = is_unicode(m);
    to->extended = b->word_count == 12;
    if (to->extended) {
        to->token = take_clipped(&bytes, first);
    } else {
        to->lm = take_clipped(&bytes, first);
        to->nt = take_clipped(&bytes, second);
        to->account = smb1_take_text(m, &bytes, unicode);
        to->domain = smb1_take_text(m, &bytes, unicode);
    }
    to->native_os = smb1_take_text(m, &bytes, unicode);
    to->native_lanman = smb1_take_text(m, &bytes, unicode);
    return true;
}

/* 2.2.4.53.2 WordCount 3: AndX(4), Action(2); bytes: NativeOS, NativeLanMan, PrimaryDomain.
 * [MS-SMB] 2.2.4.6.2 WordCount 4: SecurityBlobLength(2) more; the blob comes first in the bytes. */
bool smb1_session_response_parse(const struct smb1_message *m, const struct smb1_block *b,
                                 struct smb1_session_response *to)
{
    memset(to, 0, sizeof *to);
    if (b->word_count < 3)
        return false;
    struct cursor w = b->words;
    cursor_skip(&w, 4);
    to->action = cursor_le16(&w);
    uint16_t length = b->word_count > 3 ? cursor_le16(&w) : 0;
    struct cursor bytes = b->bytes;
    to->token = take_clipped(&bytes, length);
    bool unicode = is_unicode(m);
    to->native_os = smb1_take_text(m, &bytes, unicode);
    to->native_lanman = smb1_take_text(m, &bytes, unicode);
    to->domain = smb1_take_text(m, &bytes, unicode);
    return !w.failed;
}

/* 2.2.4.55.1: AndX(4), Flags(2), PasswordLength(2); bytes: Password, Path, Service (always OEM) */
bool smb1_tree_request_parse(const struct smb1_message *m, const struct smb1_block *b,
                             struct smb1_tree_request *to)
{
    struct cursor w = b->words;
    cursor_skip(&w, 6);
    uint16_t password = cursor_le16(&w);
    if (w.failed)
        return false;
    struct cursor bytes = b->bytes;
    take_clipped(&bytes, password);
    to->path = smb1_take_text(m, &bytes, is_unicode(m));
    to->service = smb1_take_text(m, &bytes, false);
    return true;
}

/* 2.2.4.55.2, [MS-SMB] 2.2.4.7.2: AndX(4), OptionalSupport(2), and in the extended form
 * MaximalShareAccessRights(4), GuestMaximalShareAccessRights(4); bytes: Service (OEM), NativeFileSystem */
bool smb1_tree_response_parse(const struct smb1_message *m, const struct smb1_block *b,
                              struct smb1_tree_response *to)
{
    memset(to, 0, sizeof *to);
    if (b->word_count < 3)
        return false;
    struct cursor w = b->words;
    cursor_skip(&w, 4);
    to->optional_support = cursor_le16(&w);
    if (b->word_count >= 7)
        to->maximal_access = cursor_le32(&w);
    struct cursor bytes = b->bytes;
    to->service = smb1_take_text(m, &bytes, false);
    to->file_system = smb1_take_text(m, &bytes, is_unicode(m));
    return !w.failed;
}

/* 2.2.4.64.1: AndX(4), Reserved(1), NameLength(2), Flags(4), RootDirectoryFID(4), DesiredAccess(4),
 * AllocationSize(8), ExtFileAttributes(4), ShareAccess(4), CreateDisposition(4), CreateOptions(4), ... */
bool smb1_nt_create_request_parse(const struct smb1_message *m, const struct smb1_block *b,
                                  struct smb1_open_request *to)
{
    struct cursor w = b->words;
    cursor_skip(&w, 15);
    to->desired_access = cursor_le32(&w);
    cursor_skip(&w, 8);
    to->attributes = cursor_le32(&w);
    to->share_access = cursor_le32(&w);
    to->disposition = cursor_le32(&w);
    to->options = cursor_le32(&w);
    if (w.failed)
        return false;
    struct cursor bytes = b->bytes;
    to->name = smb1_take_text(m, &bytes, is_unicode(m));
    return true;
}

/* 2.2.4.64.2: AndX(4), OpLockLevel(1), FID(2), CreateDisposition(4), CreateTime(8), LastAccessTime(8),
 * LastWriteTime(8), LastChangeTime(8), ExtFileAttributes(4), AllocationSize(8), EndOfFile(8),
 * ResourceType(2), NMPipeStatus(2), Directory(1), ... */
bool smb1_nt_create_response_parse(const struct smb1_block *b, struct smb1_open_response *to)
{
    struct cursor w = b->words;
    cursor_skip(&w, 5);
    to->file = cursor_le16(&w);
    to->action = cursor_le32(&w);
    cursor_skip(&w, 32);
    to->attributes = cursor_le32(&w);
    cursor_skip(&w, 8);
    to->size = cursor_le64(&w);
    uint16_t resource = cursor_le16(&w);
    cursor_skip(&w, 2);
    to->directory = cursor_u8(&w) != 0;
    to->pipe = resource == 1 || resource == 2;
    return !w.failed;
}

/* 2.2.4.41.1: AndX(4), Flags(2), AccessMode(2), SearchAttrs(2), FileAttrs(2), CreationTime(4), OpenMode(2),
 * ...; bytes: FileName. AccessMode's low three bits: 0 read, 1 write, 2 both, 3 execute. */
bool smb1_open_request_parse(const struct smb1_message *m, const struct smb1_block *b,
                             struct smb1_open_request *to)
{
    static const uint32_t access[8] = {0x120089, 0x120116, 0x12019f, 0x1200a0};
    struct cursor w = b->words;
    cursor_skip(&w, 6);
    uint16_t mode = cursor_le16(&w);
    cursor_skip(&w, 2);
    to->attributes = cursor_le16(&w);
    cursor_skip(&w, 4);
    uint16_t open_mode = cursor_le16(&w);
    if (w.failed)
        return false;
    to->desired_access = access[mode & 7];
    to->share_access = 0;
    /* To the dispositions of NT: bit 4 creates when missing; low bits 0 fail, 1 open, 2 truncate. */
    bool create = open_mode & 0x10;
    unsigned exists = open_mode & 3;
    to->disposition = exists == 0 ? 2 : exists == 1 ? (create ? 3 : 1) : (create ? 5 : 4);
    to->options = 0;
    struct cursor bytes = b->bytes;
    to->name = smb1_take_text(m, &bytes, is_unicode(m));
    return true;
}

/* 2.2.4.41.2: AndX(4), FID(2), FileAttrs(2), LastWriteTime(4), FileDataSize(4), AccessRights(2),
 * ResourceType(2), NMPipeStatus(2), OpenResults(2), ... */
bool smb1_open_response_parse(const struct smb1_block *b, struct smb1_open_response *to)
{
    struct cursor w = b->words;
    cursor_skip(&w, 4);
    to->file = cursor_le16(&w);
    to->attributes = cursor_le16(&w);
    cursor_skip(&w, 4);
    to->size = cursor_le32(&w);
    cursor_skip(&w, 2);
    uint16_t resource = cursor_le16(&w);
    cursor_skip(&w, 2);
    to->action = cursor_le16(&w) & 3;
    to->pipe = resource == 1 || resource == 2;
    to->directory = to->attributes & 0x10;
    return !w.failed;
}

/* 2.2.4.5.1: FID(2), LastTimeModified(4) */
bool smb1_close_request_parse(const struct smb1_block *b, uint16_t *file)
{
    struct cursor w = b->words;
    *file = cursor_le16(&w);
    return !w.failed;
}

/* 2.2.4.42.1: AndX(4), FID(2), Offset(4), MaxCountOfBytesToReturn(2), ...
 * 2.2.4.11.1: FID(2), CountOfBytesToRead(2), ... */
bool smb1_read_request_parse(const struct smb1_block *b, struct smb1_transfer *to)
{
    memset(to, 0, sizeof *to);
    struct cursor w = b->words;
    if (b->command == SMB1_READ_ANDX)
        cursor_skip(&w, 4);
    to->file = cursor_le16(&w);
    if (b->command == SMB1_READ_ANDX)
        cursor_skip(&w, 4);
    to->length = cursor_le16(&w);
    return !w.failed;
}

/* 2.2.4.42.2, [MS-SMB] 2.2.4.2.2: AndX(4), Available(2), DataCompactionMode(2), Reserved(2), DataLength(2),
 * DataOffset(2), DataLengthHigh(2), ...
 * 2.2.4.11.2: CountOfBytesReturned(2), Reserved[8]; bytes: BufferType(1), CountOfBytesRead(2), data */
bool smb1_read_response_parse(const struct smb1_message *m, const struct smb1_block *b,
                              struct smb1_transfer *to)
{
    memset(to, 0, sizeof *to);
    struct cursor w = b->words;
    if (b->command == SMB1_READ) {
        to->length = cursor_le16(&w);
        struct cursor bytes = b->bytes;
        cursor_skip(&bytes, 3);
        to->cut = cursor_left(&bytes) < to->length;
        to->data = take_clipped(&bytes, to->length);
        return !w.failed;
    }
    cursor_skip(&w, 10);
    uint32_t low = cursor_le16(&w);
    uint16_t offset = cursor_le16(&w);
    uint32_t high = cursor_le16(&w);
    if (w.failed)
        return false;
    to->length = high << 16 | low;
    to->data = buffer_at(m, offset, to->length, &to->cut);
    return true;
}

/* 2.2.4.43.1, [MS-SMB] 2.2.4.3.1: AndX(4), FID(2), Offset(4), Timeout(4), WriteMode(2), Remaining(2),
 * DataLengthHigh(2), DataLength(2), DataOffset(2), ...
 * 2.2.4.12.1: FID(2), CountOfBytesToWrite(2), ...; bytes: BufferFormat(1), DataLength(2), data */
bool smb1_write_request_parse(const struct smb1_message *m, const struct smb1_block *b,
                              struct smb1_transfer *to)
{
    memset(to, 0, sizeof *to);
    struct cursor w = b->words;
    if (b->command == SMB1_WRITE) {
        to->file = cursor_le16(&w);
        to->length = cursor_le16(&w);
        struct cursor bytes = b->bytes;
        cursor_skip(&bytes, 3);
        to->cut = cursor_left(&bytes) < to->length;
        to->data = take_clipped(&bytes, to->length);
        return !w.failed;
    }
    cursor_skip(&w, 4);
    to->file = cursor_le16(&w);
    cursor_skip(&w, 8);
    uint16_t mode = cursor_le16(&w);
    cursor_skip(&w, 2);
    uint32_t high = cursor_le16(&w);
    uint32_t low = cursor_le16(&w);
    uint16_t offset = cursor_le16(&w);
    if (w.failed)
        return false;
    to->length = high << 16 | low;
    to->data = buffer_at(m, offset, to->length, &to->cut);
    /* RAW_MODE and MSG_START: a raw write to a message pipe begins with the message's length. */
    if ((mode & 0x000c) == 0x000c && to->data.size >= 2) {
        to->data.data += 2;
        to->data.size -= 2;
    }
    return true;
}

/* 2.2.4.43.2: AndX(4), Count(2), Available(2), CountHigh(2), ... ; 2.2.4.12.2: CountOfBytesWritten(2) */
bool smb1_write_response_parse(const struct smb1_block *b, struct smb1_transfer *to)
{
    memset(to, 0, sizeof *to);
    struct cursor w = b->words;
    if (b->command == SMB1_WRITE_ANDX)
        cursor_skip(&w, 4);
    to->length = cursor_le16(&w);
    if (b->command == SMB1_WRITE_ANDX && b->word_count >= 6) {
        cursor_skip(&w, 2);
        to->length |= (uint32_t)cursor_le16(&w) << 16;
    }
    return !w.failed;
}

static void take_setup(struct cursor *w, uint8_t count, struct smb1_transaction *to)
{
    to->setup_count = count;
    for (unsigned i = 0; i < count && i < 4 && cursor_left(w) >= 2; i++)
        to->setup[i] = cursor_le16(w);
}

struct transaction_parts {
    uint32_t parameters;
    uint32_t parameters_at;
    uint32_t data;
    uint32_t data_at;
};

static void transaction_buffers(const struct smb1_message *m, const struct transaction_parts *parts,
                                struct smb1_transaction *to)
{
    to->parameters = buffer_at(m, parts->parameters_at, parts->parameters, &to->cut);
    to->data = buffer_at(m, parts->data_at, parts->data, &to->cut);
}

/* 2.2.4.62.1 NT_TRANSACT: MaxSetupCount(1), Reserved(2), TotalParameterCount(4), TotalDataCount(4),
 * MaxParameterCount(4), MaxDataCount(4), ParameterCount(4), ParameterOffset(4), DataCount(4), DataOffset(4),
 * SetupCount(1), Function(2), Setup; 2.2.4.63.1, its secondary request: Reserved(3), the totals,
 * ParameterCount, ParameterOffset, ParameterDisplacement, DataCount, DataOffset, DataDisplacement. Function
 * is setup[0] here. */
static bool nt_transact_request(const struct smb1_message *m, const struct smb1_block *b,
                                struct smb1_transaction *to)
{
    bool secondary = b->command == SMB1_NT_TRANSACT_SECONDARY;
    struct transaction_parts parts;
    struct cursor w = b->words;
    cursor_skip(&w, 3);
    to->total_parameters = cursor_le32(&w);
    to->total_data = cursor_le32(&w);
    if (!secondary)
        cursor_skip(&w, 8);
    parts.parameters = cursor_le32(&w);
    parts.parameters_at = cursor_le32(&w);
    if (secondary)
        cursor_skip(&w, 4);
    parts.data = cursor_le32(&w);
    parts.data_at = cursor_le32(&w);
    if (secondary)
        to->data_displacement = cursor_le32(&w);
    if (w.failed)
        return false;
    if (!secondary) {
        cursor_skip(&w, 1);
        to->setup[0] = cursor_le16(&w);
        to->setup_count = 1;
    }
    transaction_buffers(m, &parts, to);
    return !w.failed;
}

/* 2.2.4.33.1 TRANSACTION and 2.2.4.46.1 TRANSACTION2: TotalParameterCount(2), TotalDataCount(2),
 * MaxParameterCount(2), MaxDataCount(2), MaxSetupCount(1), Reserved(1), Flags(2), Timeout(4), Reserved(2),
 * ParameterCount(2), ParameterOffset(2), DataCount(2), DataOffset(2), SetupCount(1), Reserved(1), Setup;
 * bytes: Name (TRANSACTION only), parameters, data.
 * 2.2.4.34.1, their secondary requests: the totals, ParameterCount, ParameterOffset, ParameterDisplacement,
 * DataCount, DataOffset, DataDisplacement. */
bool smb1_transaction_request_parse(const struct smb1_message *m, const struct smb1_block *b,
                                    struct smb1_transaction *to)
{
    memset(to, 0, sizeof *to);
    if (b->command == SMB1_NT_TRANSACT || b->command == SMB1_NT_TRANSACT_SECONDARY)
        return nt_transact_request(m, b, to);
    bool secondary = b->command == SMB1_TRANSACTION_SECONDARY || b->command == SMB1_TRANSACTION2_SECONDARY;
    struct transaction_parts parts;
    struct cursor w = b->words;
    to->total_parameters = cursor_le16(&w);
    to->total_data = cursor_le16(&w);
    if (!secondary)
        cursor_skip(&w, 14);
    parts.parameters = cursor_le16(&w);
    parts.parameters_at = cursor_le16(&w);
    if (secondary)
        cursor_skip(&w, 2);
    parts.data = cursor_le16(&w);
    parts.data_at = cursor_le16(&w);
    if (secondary)
        to->data_displacement = cursor_le16(&w);
    if (w.failed)
        return false;
    if (!secondary) {
        uint8_t count = cursor_u8(&w);
        cursor_skip(&w, 1);
        take_setup(&w, count, to);
    }
    if (b->command == SMB1_TRANSACTION) {
        struct cursor bytes = b->bytes;
        to->name = smb1_take_text(m, &bytes, is_unicode(m));
    }
    transaction_buffers(m, &parts, to);
    return !w.failed;
}

/* 2.2.4.33.2: TotalParameterCount(2), TotalDataCount(2), Reserved(2), ParameterCount(2), ParameterOffset(2),
 * ParameterDisplacement(2), DataCount(2), DataOffset(2), DataDisplacement(2), SetupCount(1), ...
 * 2.2.4.62.2 NT_TRANSACT: Reserved(3), the same with 4 bytes each */
bool smb1_transaction_response_parse(const struct smb1_message *m, const struct smb1_block *b,
                                     struct smb1_transaction *to)
{
    memset(to, 0, sizeof *to);
    struct transaction_parts parts;
    struct cursor w = b->words;
    if (b->command == SMB1_NT_TRANSACT) {
        cursor_skip(&w, 3);
        to->total_parameters = cursor_le32(&w);
        to->total_data = cursor_le32(&w);
        parts.parameters = cursor_le32(&w);
        parts.parameters_at = cursor_le32(&w);
        cursor_skip(&w, 4);
        parts.data = cursor_le32(&w);
        parts.data_at = cursor_le32(&w);
        to->data_displacement = cursor_le32(&w);
    } else {
        to->total_parameters = cursor_le16(&w);
        to->total_data = cursor_le16(&w);
        cursor_skip(&w, 2);
        parts.parameters = cursor_le16(&w);
        parts.parameters_at = cursor_le16(&w);
        cursor_skip(&w, 2);
        parts.data = cursor_le16(&w);
        parts.data_at = cursor_le16(&w);
        to->data_displacement = cursor_le16(&w);
    }
    if (w.failed)
        return false;
    transaction_buffers(m, &parts, to);
    return true;
}
