/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/smb2.h"

#include "capture/smb_buffer.h"

/* [MS-SMB2] 2.2.1, little-endian:
 *   0 ProtocolId FE 'S' 'M' 'B'   4 StructureSize = 64   6 CreditCharge   8 Status or ChannelSequence
 *  12 Command  14 Credits  16 Flags  20 NextCommand  24 MessageId
 *  32 Reserved, TreeId; or AsyncId  40 SessionId  48 Signature[16] */
static bool header_parse(struct cursor *c, struct smb2_header *to)
{
    if (!cursor_need(c, SMB2_HEADER_SIZE))
        return false;
    struct cursor h = cursor_sub(c, SMB2_HEADER_SIZE);
    if (!cursor_match(&h, "\xfeSMB", 4) || cursor_le16(&h) != SMB2_HEADER_SIZE) {
        cursor_fail(c);
        return false;
    }
    cursor_skip(&h, 2);
    to->status = cursor_le32(&h);
    to->command = cursor_le16(&h);
    to->credits = cursor_le16(&h);
    to->flags = cursor_le32(&h);
    to->next = cursor_le32(&h);
    to->message_id = cursor_le64(&h);
    to->process_id = cursor_le32(&h);
    to->tree_id = cursor_le32(&h);
    to->session_id = cursor_le64(&h);
    if (to->flags & SMB2_FLAG_ASYNC)
        to->process_id = to->tree_id = 0;
    return true;
}

bool smb2_next_part(struct cursor *c, struct smb2_part *part, bool *bad_chain)
{
    const uint8_t *start = c->at;
    size_t left = cursor_left(c);
    if (!header_parse(c, &part->header))
        return false;
    part->start = start;
    uint32_t next = part->header.next;
    size_t size = left;
    if (next) {
        if (next < SMB2_HEADER_SIZE || next % 8 || next > left)
            *bad_chain = true;
        else
            size = next;
    }
    part->body = cursor_of(start + SMB2_HEADER_SIZE, size - SMB2_HEADER_SIZE);
    c->at = start + size;
    return true;
}

/* What a (offset, length) pair of this part points to, as far as it is there. */
static struct bytes buffer_at(const struct smb2_part *part, uint32_t offset, uint32_t length, bool *cut)
{
    struct bytes message = {.data = part->start, .size = (size_t)(part->body.end - part->start)};
    return smb_buffer(message, SMB2_HEADER_SIZE, offset, length, cut);
}

/* A body's own cursor, after its StructureSize ([MS-SMB2] 2.2: each message has its fixed one). */
static bool body_begin(const struct smb2_part *part, struct cursor *c, uint16_t structure_size)
{
    *c = part->body;
    return cursor_le16(c) == structure_size && !c->failed;
}

static struct smb2_file_id file_id(struct cursor *c)
{
    struct smb2_file_id id;
    id.persistent = cursor_le64(c);
    id.volatile_ = cursor_le64(c);
    return id;
}

/* 2.2.3.1.x: the id lists of a context, `head` bytes after its count. */
static struct bytes id_list(struct cursor *c, uint16_t count, size_t head)
{
    cursor_skip(c, head);
    size_t size = (size_t)count * 2;
    return cursor_take(c, size < cursor_left(c) ? size : cursor_left(c) & ~(size_t)1);
}

static void negotiate_context(uint16_t type, struct cursor data, struct smb2_negotiate_contexts *to)
{
    uint16_t count;
    switch (type) {
    case 1: /* 2.2.3.1.1 SMB2_PREAUTH_INTEGRITY_CAPABILITIES */
        count = cursor_le16(&data);
        to->salt_size = cursor_le16(&data);
        to->hashes = id_list(&data, count, 0);
        to->has_hashes = true;
        break;
    case 2: /* 2.2.3.1.2 SMB2_ENCRYPTION_CAPABILITIES */
        to->ciphers = id_list(&data, cursor_le16(&data), 0);
        break;
    case 3: /* 2.2.3.1.3 SMB2_COMPRESSION_CAPABILITIES */
        count = cursor_le16(&data);
        cursor_skip(&data, 2);
        to->compression_flags = cursor_le32(&data);
        to->compressions = id_list(&data, count, 0);
        to->has_compression = !data.failed;
        break;
    case 5: /* 2.2.3.1.4 SMB2_NETNAME_NEGOTIATE_CONTEXT_ID */
        to->netname = cursor_take(&data, cursor_left(&data));
        break;
    case 8: /* 2.2.3.1.7 SMB2_SIGNING_CAPABILITIES */
        to->signings = id_list(&data, cursor_le16(&data), 0);
        break;
    default:
        break;
    }
}

/* 2.2.3.1: ContextType, DataLength, Reserved(4), Data; each at the next multiple of 8. */
static void negotiate_contexts(const struct smb2_part *part, uint32_t offset, uint16_t count,
                               struct smb2_negotiate_contexts *to)
{
    size_t size = (size_t)(part->body.end - part->start);
    if (!count || offset < SMB2_HEADER_SIZE || offset >= size)
        return;
    struct cursor c = cursor_of(part->start + offset, size - offset);
    for (unsigned i = 0; i < count && i < 16; i++) {
        uint16_t type = cursor_le16(&c);
        uint16_t length = cursor_le16(&c);
        cursor_skip(&c, 4);
        if (c.failed)
            return;
        to->types[to->count++] = type;
        struct cursor data = cursor_sub(&c, length < cursor_left(&c) ? length : cursor_left(&c));
        negotiate_context(type, data, to);
        size_t padding = (size_t) - (uint32_t)length & 7;
        cursor_skip(&c, padding < cursor_left(&c) ? padding : cursor_left(&c));
    }
}

static bool has_dialect(struct bytes dialects, uint16_t dialect)
{
    struct cursor c = cursor_of_bytes(dialects);
    while (cursor_left(&c) >= 2)
        if (cursor_le16(&c) == dialect)
            return true;
    return false;
}

/* 2.2.3: StructureSize = 36, DialectCount, SecurityMode, Reserved, Capabilities(4), ClientGuid[16],
 * NegotiateContextOffset(4) NegotiateContextCount(2) Reserved(2), or ClientStartTime(8); Dialects */
bool smb2_negotiate_request_parse(const struct smb2_part *part, struct smb2_negotiate_request *to)
{
    memset(to, 0, sizeof *to);
    struct cursor c;
    if (!body_begin(part, &c, 36))
        return false;
    uint16_t dialects = cursor_le16(&c);
    to->security_mode = cursor_le16(&c);
    cursor_skip(&c, 2);
    to->capabilities = cursor_le32(&c);
    to->client_guid = cursor_take(&c, 16).data;
    uint32_t contexts_offset = cursor_le32(&c);
    uint16_t contexts = cursor_le16(&c);
    cursor_skip(&c, 2);
    if (c.failed)
        return false;
    to->dialects = id_list(&c, dialects, 0);
    if (has_dialect(to->dialects, 0x0311))
        negotiate_contexts(part, contexts_offset, contexts, &to->contexts);
    return true;
}

/* 2.2.4: StructureSize = 65, SecurityMode, DialectRevision, NegotiateContextCount, ServerGuid[16],
 * Capabilities, MaxTransactSize, MaxReadSize, MaxWriteSize, SystemTime(8), ServerStartTime(8),
 * SecurityBufferOffset, SecurityBufferLength, NegotiateContextOffset(4) */
bool smb2_negotiate_response_parse(const struct smb2_part *part, struct smb2_negotiate_response *to)
{
    memset(to, 0, sizeof *to);
    struct cursor c;
    if (!body_begin(part, &c, 65))
        return false;
    to->security_mode = cursor_le16(&c);
    to->dialect = cursor_le16(&c);
    uint16_t contexts = cursor_le16(&c);
    to->server_guid = cursor_take(&c, 16).data;
    to->capabilities = cursor_le32(&c);
    to->max_transact = cursor_le32(&c);
    to->max_read = cursor_le32(&c);
    to->max_write = cursor_le32(&c);
    to->system_time = cursor_le64(&c);
    to->start_time = cursor_le64(&c);
    uint16_t offset = cursor_le16(&c);
    uint16_t length = cursor_le16(&c);
    uint32_t contexts_offset = cursor_le32(&c);
    if (c.failed)
        return false;
    bool cut = false;
    to->token = buffer_at(part, offset, length, &cut);
    if (to->dialect == 0x0311)
        negotiate_contexts(part, contexts_offset, contexts, &to->contexts);
    return true;
}

/* 2.2.5: StructureSize = 25, Flags(1), SecurityMode(1), Capabilities(4), Channel(4), SecurityBufferOffset,
 * SecurityBufferLength, PreviousSessionId(8) */
bool smb2_session_request_parse(const struct smb2_part *part, struct smb2_session_request *to)
{
    struct cursor c;
    if (!body_begin(part, &c, 25))
        return false;
    to->flags = cursor_u8(&c);
    to->security_mode = cursor_u8(&c);
    to->capabilities = cursor_le32(&c);
    cursor_skip(&c, 4);
    uint16_t offset = cursor_le16(&c);
    uint16_t length = cursor_le16(&c);
    to->previous_session = cursor_le64(&c);
    bool cut = false;
    to->token = buffer_at(part, offset, length, &cut);
    return !c.failed;
}

/* 2.2.6: StructureSize = 9, SessionFlags, SecurityBufferOffset, SecurityBufferLength */
bool smb2_session_response_parse(const struct smb2_part *part, struct smb2_session_response *to)
{
    struct cursor c;
    if (!body_begin(part, &c, 9))
        return false;
    to->flags = cursor_le16(&c);
    uint16_t offset = cursor_le16(&c);
    uint16_t length = cursor_le16(&c);
    bool cut = false;
    to->token = buffer_at(part, offset, length, &cut);
    return !c.failed;
}

/* 2.2.9: StructureSize = 9, Flags, PathOffset, PathLength */
bool smb2_tree_request_parse(const struct smb2_part *part, struct smb2_tree_request *to)
{
    struct cursor c;
    if (!body_begin(part, &c, 9))
        return false;
    uint16_t flags = cursor_le16(&c);
    uint32_t offset = cursor_le16(&c);
    uint16_t length = cursor_le16(&c);
    if (flags & 4) /* 2.2.9.1: with SMB2_TREE_CONNECT_FLAG_EXTENSION_PRESENT the path follows 16 bytes more */
        offset = SMB2_HEADER_SIZE + 8 + 16;
    bool cut = false;
    to->path = buffer_at(part, offset, length, &cut);
    return !c.failed;
}

/* 2.2.10: StructureSize = 16, ShareType(1), Reserved(1), ShareFlags(4), Capabilities(4), MaximalAccess(4) */
bool smb2_tree_response_parse(const struct smb2_part *part, struct smb2_tree_response *to)
{
    struct cursor c;
    if (!body_begin(part, &c, 16))
        return false;
    to->share_type = cursor_u8(&c);
    cursor_skip(&c, 1);
    to->share_flags = cursor_le32(&c);
    to->capabilities = cursor_le32(&c);
    to->maximal_access = cursor_le32(&c);
    return !c.failed;
}

/* 2.2.13: StructureSize = 57, SecurityFlags(1), RequestedOplockLevel(1), ImpersonationLevel(4),
 * SmbCreateFlags(8), Reserved(8), DesiredAccess(4), FileAttributes(4), ShareAccess(4), CreateDisposition(4),
 * CreateOptions(4), NameOffset, NameLength, CreateContextsOffset(4), CreateContextsLength(4) */
bool smb2_create_request_parse(const struct smb2_part *part, struct smb2_create_request *to)
{
    struct cursor c;
    if (!body_begin(part, &c, 57))
        return false;
    cursor_skip(&c, 2);
    to->impersonation = cursor_le32(&c);
    cursor_skip(&c, 16);
    to->desired_access = cursor_le32(&c);
    to->attributes = cursor_le32(&c);
    to->share_access = cursor_le32(&c);
    to->disposition = cursor_le32(&c);
    to->options = cursor_le32(&c);
    uint16_t offset = cursor_le16(&c);
    uint16_t length = cursor_le16(&c);
    bool cut = false;
    to->name = buffer_at(part, offset, length, &cut);
    return !c.failed;
}

/* 2.2.14: StructureSize = 89, OplockLevel(1), Flags(1), CreateAction(4), CreationTime(8), LastAccessTime(8),
 * LastWriteTime(8), ChangeTime(8), AllocationSize(8), EndofFile(8), FileAttributes(4), Reserved2(4),
 * FileId[16], ... */
bool smb2_create_response_parse(const struct smb2_part *part, struct smb2_create_response *to)
{
    struct cursor c;
    if (!body_begin(part, &c, 89))
        return false;
    cursor_skip(&c, 2);
    to->action = cursor_le32(&c);
    cursor_skip(&c, 40);
    to->size = cursor_le64(&c);
    to->attributes = cursor_le32(&c);
    cursor_skip(&c, 4);
    to->file = file_id(&c);
    return !c.failed;
}

/* 2.2.15: StructureSize = 24, Flags, Reserved(4), FileId[16] */
bool smb2_close_request_parse(const struct smb2_part *part, struct smb2_file_id *to)
{
    struct cursor c;
    if (!body_begin(part, &c, 24))
        return false;
    cursor_skip(&c, 6);
    *to = file_id(&c);
    return !c.failed;
}

/* 2.2.19: StructureSize = 49, Padding(1), Flags(1), Length(4), Offset(8), FileId[16], ... */
bool smb2_read_request_parse(const struct smb2_part *part, struct smb2_transfer *to)
{
    struct cursor c;
    if (!body_begin(part, &c, 49))
        return false;
    cursor_skip(&c, 2);
    to->length = cursor_le32(&c);
    to->offset = cursor_le64(&c);
    to->file = file_id(&c);
    to->data = (struct bytes){0};
    to->cut = false;
    return !c.failed;
}

/* 2.2.20: StructureSize = 17, DataOffset(1), Reserved(1), DataLength(4), DataRemaining(4), Reserved2(4) */
bool smb2_read_response_parse(const struct smb2_part *part, struct smb2_transfer *to)
{
    struct cursor c;
    if (!body_begin(part, &c, 17))
        return false;
    uint8_t offset = cursor_u8(&c);
    cursor_skip(&c, 1);
    to->length = cursor_le32(&c);
    to->offset = 0;
    to->file = (struct smb2_file_id){0};
    to->cut = false;
    if (c.failed)
        return false;
    to->data = buffer_at(part, offset, to->length, &to->cut);
    return true;
}

/* 2.2.21: StructureSize = 49, DataOffset(2), Length(4), Offset(8), FileId[16], ... */
bool smb2_write_request_parse(const struct smb2_part *part, struct smb2_transfer *to)
{
    struct cursor c;
    if (!body_begin(part, &c, 49))
        return false;
    uint16_t offset = cursor_le16(&c);
    to->length = cursor_le32(&c);
    to->offset = cursor_le64(&c);
    to->file = file_id(&c);
    to->cut = false;
    if (c.failed)
        return false;
    to->data = buffer_at(part, offset, to->length, &to->cut);
    return true;
}

/* 2.2.22: StructureSize = 17, Reserved(2), Count(4), Remaining(4), ... */
bool smb2_write_response_parse(const struct smb2_part *part, struct smb2_transfer *to)
{
    struct cursor c;
    if (!body_begin(part, &c, 17))
        return false;
    cursor_skip(&c, 2);
    memset(to, 0, sizeof *to);
    to->length = cursor_le32(&c);
    return !c.failed;
}

/* 2.2.31: StructureSize = 57, Reserved(2), CtlCode(4), FileId[16], InputOffset(4), InputCount(4),
 * MaxInputResponse(4), OutputOffset(4), OutputCount(4), MaxOutputResponse(4), Flags(4), Reserved2(4) */
bool smb2_ioctl_request_parse(const struct smb2_part *part, struct smb2_ioctl *to)
{
    struct cursor c;
    if (!body_begin(part, &c, 57))
        return false;
    cursor_skip(&c, 2);
    to->code = cursor_le32(&c);
    to->file = file_id(&c);
    uint32_t offset = cursor_le32(&c);
    to->input_size = cursor_le32(&c);
    cursor_skip(&c, 24);
    to->output_size = 0;
    to->output = (struct bytes){0};
    to->cut = false;
    if (c.failed)
        return false;
    to->input = buffer_at(part, offset, to->input_size, &to->cut);
    return true;
}

/* 2.2.32: StructureSize = 49, Reserved(2), CtlCode(4), FileId[16], InputOffset(4), InputCount(4),
 * OutputOffset(4), OutputCount(4), Flags(4), Reserved2(4) */
bool smb2_ioctl_response_parse(const struct smb2_part *part, struct smb2_ioctl *to)
{
    struct cursor c;
    if (!body_begin(part, &c, 49))
        return false;
    cursor_skip(&c, 2);
    to->code = cursor_le32(&c);
    to->file = file_id(&c);
    cursor_skip(&c, 8);
    uint32_t offset = cursor_le32(&c);
    to->output_size = cursor_le32(&c);
    to->input_size = 0;
    to->input = (struct bytes){0};
    to->cut = false;
    if (c.failed)
        return false;
    to->output = buffer_at(part, offset, to->output_size, &to->cut);
    return true;
}

/* 2.2.39: StructureSize = 33, InfoType(1), FileInfoClass(1), BufferLength(4), BufferOffset(2), Reserved(2),
 * AdditionalInformation(4), FileId[16] */
bool smb2_set_info_request_parse(const struct smb2_part *part, struct smb2_set_info *to)
{
    struct cursor c;
    if (!body_begin(part, &c, 33))
        return false;
    to->type = cursor_u8(&c);
    to->class_ = cursor_u8(&c);
    uint32_t length = cursor_le32(&c);
    uint16_t offset = cursor_le16(&c);
    cursor_skip(&c, 6);
    to->file = file_id(&c);
    bool cut = false;
    to->buffer = buffer_at(part, offset, length, &cut);
    return !c.failed;
}

/* 2.2.33: StructureSize = 33, FileInformationClass(1), Flags(1), FileIndex(4), FileId[16], FileNameOffset(2),
 * FileNameLength(2), OutputBufferLength(4) */
bool smb2_query_directory_request_parse(const struct smb2_part *part, struct smb2_query_directory *to)
{
    struct cursor c;
    if (!body_begin(part, &c, 33))
        return false;
    cursor_skip(&c, 6);
    to->file = file_id(&c);
    uint16_t offset = cursor_le16(&c);
    uint16_t length = cursor_le16(&c);
    bool cut = false;
    to->pattern = buffer_at(part, offset, length, &cut);
    return !c.failed;
}

/* [MS-FSCC] 2.4.42.2: ReplaceIfExists(1), Reserved(7), RootDirectory(8), FileNameLength(4), FileName */
struct bytes smb2_rename_target(struct bytes buffer)
{
    struct cursor c = cursor_of_bytes(buffer);
    cursor_skip(&c, 16);
    uint32_t length = cursor_le32(&c);
    return cursor_take(&c, length < cursor_left(&c) ? length : cursor_left(&c));
}

/* 2.2.41: ProtocolId FD 'S' 'M' 'B', Signature[16], Nonce[16], OriginalMessageSize(4), Reserved(2),
 * Flags(2), SessionId(8) */
bool smb2_transform_parse(struct cursor c, struct smb2_transform *to)
{
    cursor_skip(&c, 36);
    to->size = cursor_le32(&c);
    cursor_skip(&c, 2);
    to->flags = cursor_le16(&c);
    to->session_id = cursor_le64(&c);
    return !c.failed;
}

/* 2.2.42: ProtocolId FC 'S' 'M' 'B', OriginalCompressedSegmentSize(4), CompressionAlgorithm(2), Flags(2),
 * Offset or Length(4) */
bool smb2_compression_parse(struct cursor c, struct smb2_compression *to)
{
    cursor_skip(&c, 4);
    to->original_size = cursor_le32(&c);
    to->algorithm = cursor_le16(&c);
    to->flags = cursor_le16(&c);
    to->offset = cursor_le32(&c);
    return !c.failed;
}
