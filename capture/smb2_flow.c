/* SPDX-License-Identifier: Apache-2.0
 *
 * SMB 2 and 3 on one connection: requests tied to replies by message id ([MS-SMB2] 3.2.5.1.3), compounds,
 * asynchronous replies; what they mean becomes activities.
 */
#include "capture/smb_state.h"

/* What the parts of one compound hand on: a related operation works on the file (and in the session and tree)
 * of the one before it (3.3.5.2.7.2). */
struct compound {
    uint64_t file;   /* key of the file that the part before named or opened; 0: not known */
    uint64_t create; /* call key of the CREATE before, in requests */
    uint64_t session_id;
    uint32_t tree_id;
};

struct smb2_context {
    const struct smb2_part *part;
    struct compound *compound;
    uint64_t session_id;
    uint32_t tree_id;
    struct smb_call call; /* in replies: what was asked; command 0xffff when the request was not seen */
    bool known;
};

static uint64_t file_key(const struct smb2_file_id *id)
{
    return smb_key(SMB_OBJECT_FILE, id->persistent, id->volatile_);
}

static uint64_t pending_key(uint64_t message_id)
{
    return smb_key(SMB_OBJECT_CALL, message_id, 2);
}

static bool is_previous_file(const struct smb2_file_id *id)
{
    return id->persistent == UINT64_MAX && id->volatile_ == UINT64_MAX;
}

/* The key of the file a request names. 0 with `*related` when it is the one that a CREATE in the same
 * compound, not yet answered, will open. */
static uint64_t named_file(struct smb2_context *s, const struct smb2_file_id *id, bool *related)
{
    *related = false;
    if (!is_previous_file(id)) {
        s->compound->file = file_key(id);
        s->compound->create = 0;
        return s->compound->file;
    }
    if (s->compound->create) {
        *related = true;
        return s->compound->create;
    }
    return s->compound->file;
}

static struct smb_call *note_call(struct dissect *d, const struct smb2_context *s, uint64_t subject,
                                  bool related)
{
    const struct smb2_header *h = &s->part->header;
    struct smb_call *call = smb_call_new(d, smb_call_key(h->message_id), h->command, subject);
    if (call && related)
        call->flags |= SMB_CALL_RELATED;
    return call;
}

/* The key of the file a reply is about. */
static uint64_t answered_file(struct dissect *d, const struct smb2_context *s)
{
    const struct smb_flow *flow = d->state;
    if (!s->known)
        return 0;
    if (!(s->call.flags & SMB_CALL_RELATED))
        return s->call.subject;
    if (s->compound->file)
        return s->compound->file;
    return flow->related_create == s->call.subject ? flow->related_file : 0;
}

static struct smb_file *find_file(struct dissect *d, uint64_t key)
{
    return key ? smb_object_find(d, SMB_OBJECT_FILE, key) : NULL;
}

static struct smb_file *find_or_unseen(struct dissect *d, const struct smb2_context *s, uint64_t key)
{
    struct smb_file *file = find_file(d, key);
    if (!file && key)
        file = smb_file_unseen(d, key, s->session_id, s->tree_id, 2);
    return file;
}

/* -- NEGOTIATE ---------------------------------------------------------------------------------------------
 */

static void put_negotiate_request(struct activity_writer *w, const struct smb2_header *h,
                                  const struct smb2_negotiate_request *m)
{
    const struct smb2_negotiate_contexts *contexts = &m->contexts;
    smb_put_ids(w, FIELD_SMB_DIALECTS, m->dialects);
    activity_put_uint(w, FIELD_CLIENT_SECURITY_MODE, m->security_mode);
    activity_put_bool(w, FIELD_CLIENT_SIGNING_REQUIRED, m->security_mode & 2);
    activity_put_uint(w, FIELD_CLIENT_CAPABILITIES, m->capabilities);
    activity_put_uuid(w, FIELD_CLIENT_GUID, m->client_guid);
    activity_put_uint(w, FIELD_SMB_CREDITS, h->credits);
    activity_put_uint(w, FIELD_SMB_PROCESS_ID, h->process_id);
    if (contexts->count && activity_list_begin(w, FIELD_NEGOTIATE_CONTEXTS)) {
        for (unsigned i = 0; i < contexts->count; i++)
            activity_list_uint(w, contexts->types[i]);
        activity_list_end(w);
    }
    if (contexts->has_hashes) {
        smb_put_ids(w, FIELD_SMB_HASHES, contexts->hashes);
        activity_put_uint(w, FIELD_SMB_SALT_SIZE, contexts->salt_size);
    }
    smb_put_ids(w, FIELD_ENCRYPTION_CIPHERS, contexts->ciphers);
    if (contexts->has_compression) {
        smb_put_ids(w, FIELD_COMPRESSION_ALGORITHMS, contexts->compressions);
        activity_put_uint(w, FIELD_COMPRESSION_FLAGS, contexts->compression_flags);
    }
    smb_put_ids(w, FIELD_SIGNING_ALGORITHMS, contexts->signings);
    dissect_put_text(w, FIELD_SERVER_NETNAME, contexts->netname, true);
}

static void negotiate_request(struct dissect *d, struct smb2_context *s)
{
    struct smb_flow *flow = d->state;
    struct smb2_negotiate_request m;
    if (!smb2_negotiate_request_parse(s->part, &m)) {
        if (!d->truncated)
            dissect_malformed(d, PROTOCOL_SMB);
        return;
    }
    /* After an SMB 1 negotiation that was answered with 0x02ff it is the second half of one (3.3.5.3.1). */
    struct activity_writer *w = flow->negotiating ? dissect_revisit(d, smb_negotiation_key()) : NULL;
    if (!w)
        w = dissect_begin(d, ACTIVITY_SMB_NEGOTIATE);
    put_negotiate_request(w, &s->part->header, &m);
    dissect_defer(d, smb_negotiation_key());
    smb_unseal_negotiate(d, s->part);
    flow->negotiating = true;
}

static uint16_t first_id(struct bytes ids)
{
    struct cursor c = cursor_of_bytes(ids);
    return cursor_le16(&c);
}

static void put_negotiate_response(struct activity_writer *w, const struct smb2_negotiate_response *m)
{
    activity_put_uint(w, FIELD_SMB_DIALECT, m->dialect);
    activity_put_uint(w, FIELD_SMB_VERSION, m->dialect >= 0x0300 ? 3 : 2);
    activity_put_uint(w, FIELD_SERVER_SECURITY_MODE, m->security_mode);
    activity_put_bool(w, FIELD_SERVER_SIGNING_REQUIRED, m->security_mode & 2);
    activity_put_uint(w, FIELD_SERVER_CAPABILITIES, m->capabilities);
    activity_put_uuid(w, FIELD_SERVER_GUID, m->server_guid);
    activity_put_uint(w, FIELD_SMB_MAX_TRANSACT, m->max_transact);
    activity_put_uint(w, FIELD_SMB_MAX_READ, m->max_read);
    activity_put_uint(w, FIELD_SMB_MAX_WRITE, m->max_write);
    smb_put_filetime(w, FIELD_SERVER_TIME, m->system_time);
    smb_put_filetime(w, FIELD_SERVER_START, m->start_time);
    if (m->contexts.ciphers.size >= 2)
        activity_put_uint(w, FIELD_ENCRYPTION_CIPHER, first_id(m->contexts.ciphers));
    smb_put_ids(w, FIELD_COMPRESSION_CHOSEN, m->contexts.compressions);
    if (m->contexts.signings.size >= 2)
        activity_put_uint(w, FIELD_SIGNING_ALGORITHM, first_id(m->contexts.signings));
}

static void negotiate_response(struct dissect *d, struct smb2_context *s)
{
    struct smb_flow *flow = d->state;
    uint32_t status = s->part->header.status;
    struct smb2_negotiate_response m;
    bool parsed = status == 0 && smb2_negotiate_response_parse(s->part, &m);
    if (parsed && m.dialect == 0x02ff) {
        struct activity_writer *w = dissect_revisit(d, smb_negotiation_key());
        if (!w)
            return;
        activity_put_bool(w, FIELD_SMB_MULTI_PROTOCOL, true);
        dissect_defer(d, smb_negotiation_key());
        return;
    }
    if (parsed) {
        flow->dialect = m.dialect;
        smb_unseal_negotiated(d, s->part, &m);
    }
    struct activity_writer *w = dissect_resume(d, smb_negotiation_key());
    flow->negotiating = false;
    if (!w)
        w = dissect_begin(d, ACTIVITY_SMB_NEGOTIATE);
    activity_put_uint(w, FIELD_STATUS, status);
    if (parsed) {
        if (flow->smb1_negotiated)
            activity_put_bool(w, FIELD_SMB_MULTI_PROTOCOL, true);
        put_negotiate_response(w, &m);
    }
    dissect_emit(d);
}

/* -- SESSION_SETUP, LOGOFF ---------------------------------------------------------------------------------
 */

static void session_request(struct dissect *d, struct smb2_context *s)
{
    const struct smb2_header *h = &s->part->header;
    struct smb2_session_request m;
    if (!smb2_session_request_parse(s->part, &m)) {
        if (!d->truncated)
            dissect_malformed(d, PROTOCOL_SMB);
        return;
    }
    struct smb_session *session = smb_session_begin(d, h->session_id, pending_key(h->message_id));
    if (!session) {
        smb_count_token(d, m.token);
        return;
    }
    smb_unseal_setup(d, session, s->part);
    if (m.token.size)
        gss_token(d, &session->gss, cursor_of_bytes(m.token), "smb", session->number);
    note_call(d, s, session->head.key, false);
    if (session->waiting) {
        smb_session_noted(d, session);
        return;
    }
    struct activity_writer *w = dissect_begin(d, ACTIVITY_SMB_SESSION);
    const struct smb_flow *flow = d->state;
    activity_put_uint(w, FIELD_SMB_VERSION, flow->dialect >= 0x0300 ? 3 : 2);
    activity_put_uint(w, FIELD_CLIENT_SECURITY_MODE, m.security_mode);
    activity_put_bool(w, FIELD_CLIENT_SIGNING_REQUIRED, m.security_mode & 2);
    activity_put_uint(w, FIELD_CLIENT_CAPABILITIES, m.capabilities);
    activity_put_uint(w, FIELD_SMB_PROCESS_ID, h->process_id);
    if (m.previous_session)
        activity_put_uint(w, FIELD_PREVIOUS_SESSION, m.previous_session);
    if (m.flags & 1)
        activity_put_bool(w, FIELD_SESSION_BINDING, true);
    dissect_defer(d, smb_key(SMB_OBJECT_SESSION, session->number, 1));
    session->waiting = true;
}

enum { /* 2.2.6 SessionFlags */
       SESSION_IS_GUEST = 1,
       SESSION_IS_NULL = 2,
       SESSION_ENCRYPT_DATA = 4,
};

static void session_response(struct dissect *d, struct smb2_context *s)
{
    const struct smb2_header *h = &s->part->header;
    bool more = h->status == STATUS_MORE_PROCESSING_REQUIRED;
    struct smb2_session_response m = {0};
    if (more || h->status == 0)
        if (!smb2_session_response_parse(s->part, &m) && !d->truncated)
            dissect_malformed(d, PROTOCOL_SMB);
    struct smb_session *session = smb_session_answered(d, s->known ? s->call.subject : 0, h->session_id);
    if (!session) {
        smb_count_token(d, m.token);
        return;
    }
    if (m.token.size)
        gss_token(d, &session->gss, cursor_of_bytes(m.token), "smb", session->number);
    if (more) {
        smb_unseal_setup(d, session, s->part);
        return;
    }
    bool keyed = h->status == 0 && !(m.flags & (SESSION_IS_GUEST | SESSION_IS_NULL));
    if (keyed)
        smb_unseal_established(d, session);
    struct activity_writer *w = smb_session_outcome(d, session, h->status);
    if (w) {
        if (h->status == 0) {
            activity_put_bool(w, FIELD_GUEST, m.flags & SESSION_IS_GUEST);
            activity_put_bool(w, FIELD_NULL_SESSION, m.flags & SESSION_IS_NULL);
            activity_put_bool(w, FIELD_SESSION_ENCRYPTED, m.flags & SESSION_ENCRYPT_DATA);
        }
        if (keyed)
            smb_unseal_emit_verified(d, session, s->part);
        else
            dissect_emit(d);
    }
    smb_session_settle(d, session, h->status);
}

/* -- TREE_CONNECT, TREE_DISCONNECT --------------------------------------------------------------------------
 */

static void tree_request(struct dissect *d, struct smb2_context *s)
{
    uint64_t message_id = s->part->header.message_id;
    struct smb2_tree_request m;
    if (!smb2_tree_request_parse(s->part, &m)) {
        if (!d->truncated)
            dissect_malformed(d, PROTOCOL_SMB);
        return;
    }
    size_t size = m.path.size < SMB_PATH_MAX ? m.path.size : SMB_PATH_MAX;
    struct smb_tree *tree = smb_object_new(d, SMB_OBJECT_TREE, pending_key(message_id), sizeof *tree + size);
    if (tree) {
        tree->head.pending = true;
        tree->scope = s->session_id;
        tree->unicode = true;
        tree->path_size = (uint16_t)size;
        memcpy(tree->path, m.path.data, size);
        tree->share = (uint8_t)smb_share_by_path(m.path, true);
    }
    note_call(d, s, tree ? tree->head.key : 0, false);
    struct activity_writer *w = dissect_begin(d, ACTIVITY_SMB_TREE_CONNECT);
    dissect_put_text(w, FIELD_SHARE_PATH, m.path, true);
    smb_put_account(d, w, s->session_id);
    dissect_defer(d, pending_key(message_id));
}

static void tree_response(struct dissect *d, struct smb2_context *s)
{
    const struct smb2_header *h = &s->part->header;
    struct smb2_tree_response m;
    bool parsed = h->status == 0 && smb2_tree_response_parse(s->part, &m);
    struct smb_tree *tree = s->known ? smb_object_find(d, SMB_OBJECT_TREE, s->call.subject) : NULL;
    if (tree && h->status != 0) {
        smb_object_free(d, tree);
    } else if (tree) {
        smb_tree_answered(d, tree, s->session_id, h->tree_id, parsed ? m.share_type : 0);
    }
    struct activity_writer *w = dissect_resume(d, pending_key(h->message_id));
    if (!w)
        return;
    activity_put_uint(w, FIELD_STATUS, h->status);
    if (parsed) {
        smb_put_share_type(w, m.share_type);
        activity_put_uint(w, FIELD_SHARE_FLAGS, m.share_flags);
        activity_put_uint(w, FIELD_SHARE_CAPABILITIES, m.capabilities);
        activity_put_uint(w, FIELD_MAXIMAL_ACCESS, m.maximal_access);
    }
    dissect_emit(d);
}

/* --- CREATE, CLOSE --- */

static void create_request(struct dissect *d, struct smb2_context *s)
{
    uint64_t message_id = s->part->header.message_id;
    struct smb2_create_request m;
    if (!smb2_create_request_parse(s->part, &m)) {
        if (!d->truncated)
            dissect_malformed(d, PROTOCOL_SMB);
        return;
    }
    size_t size = m.name.size < SMB_PATH_MAX ? m.name.size : SMB_PATH_MAX;
    struct smb_file *file = smb_object_new(d, SMB_OBJECT_FILE, pending_key(message_id), sizeof *file + size);
    s->compound->create = smb_call_key(message_id);
    s->compound->file = 0;
    note_call(d, s, file ? file->head.key : 0, false);
    if (!file)
        return;
    file->head.pending = true;
    file->session_id = s->session_id;
    file->scope = s->session_id;
    file->tree_id = s->tree_id;
    file->opened = d->time;
    file->desired_access = m.desired_access;
    file->share_access = m.share_access;
    file->disposition = m.disposition;
    file->options = m.options;
    file->deleted = m.options & 0x1000;
    file->version = 2;
    file->unicode = true;
    file->unsealed = d->unsealed;
    file->name_size = (uint16_t)size;
    memcpy(file->name, m.name.data, size);
    file->pipe = (uint8_t)smb_pipe_by_name(smb_tree_find(d, s->session_id, s->tree_id), m.name, true);
}

static void create_response(struct dissect *d, struct smb2_context *s)
{
    struct smb_flow *flow = d->state;
    const struct smb2_header *h = &s->part->header;
    struct smb2_create_response m;
    bool parsed = h->status == 0 && smb2_create_response_parse(s->part, &m);
    s->compound->file = parsed ? file_key(&m.file) : 0;
    struct smb_file *file = s->known ? find_file(d, s->call.subject) : NULL;
    if (!file) {
        if (parsed)
            smb_file_unseen(d, s->compound->file, s->session_id, s->tree_id, 2);
        return;
    }
    if (!parsed) {
        smb_file_failed(d, file, h->status);
        return;
    }
    flow->related_create = smb_call_key(h->message_id);
    flow->related_file = s->compound->file;
    file->head.pending = false;
    file->action = m.action;
    file->attributes = m.attributes;
    file->size = m.size;
    file->directory = m.attributes & 0x10;
    smb_object_rekey(d, file, s->compound->file);
}

static void close_request(struct dissect *d, struct smb2_context *s)
{
    struct smb2_file_id id;
    if (!smb2_close_request_parse(s->part, &id))
        return;
    bool related;
    uint64_t key = named_file(s, &id, &related);
    note_call(d, s, key, related);
}

static void close_response(struct dissect *d, struct smb2_context *s)
{
    struct smb_file *file = find_file(d, answered_file(d, s));
    if (file && s->part->header.status == 0)
        smb_file_end(d, file, true);
}

/* --- READ, WRITE --- */

static void read_request(struct dissect *d, struct smb2_context *s)
{
    struct smb2_transfer m;
    if (!smb2_read_request_parse(s->part, &m))
        return;
    bool related;
    uint64_t key = named_file(s, &m.file, &related);
    note_call(d, s, key, related);
}

static void read_response(struct dissect *d, struct smb2_context *s)
{
    uint32_t status = s->part->header.status;
    struct smb2_transfer m;
    if ((status != 0 && status != STATUS_BUFFER_OVERFLOW) || !smb2_read_response_parse(s->part, &m))
        return;
    uint64_t key = answered_file(d, s);
    /* Without the request the file is not known; by what it read all such replies of a tree are one. */
    if (!key && dcerpc_is_pdu(m.data))
        key = smb_key(SMB_OBJECT_FILE, s->session_id, UINT64_MAX - s->tree_id);
    struct smb_file *file = find_or_unseen(d, s, key);
    if (file)
        smb_file_read(d, file, m.length, m.data, m.cut);
}

static void write_request(struct dissect *d, struct smb2_context *s)
{
    struct smb2_transfer m;
    if (!smb2_write_request_parse(s->part, &m))
        return;
    bool related;
    uint64_t key = named_file(s, &m.file, &related);
    note_call(d, s, key, related);
    if (related)
        return;
    struct smb_file *file = find_or_unseen(d, s, key);
    if (file)
        smb_file_written(d, file, m.data, m.cut);
}

static void write_response(struct dissect *d, struct smb2_context *s)
{
    struct smb2_transfer m;
    if (s->part->header.status != 0 || !smb2_write_response_parse(s->part, &m))
        return;
    struct smb_file *file = find_file(d, answered_file(d, s));
    if (!file)
        return;
    file->writes++;
    file->write_bytes += m.length;
}

/* --- IOCTL --- */

static bool tells_something(uint32_t code)
{
    switch (code) {
    case FSCTL_DFS_GET_REFERRALS:
    case FSCTL_DFS_GET_REFERRALS_EX:
    case FSCTL_PIPE_WAIT:
    case FSCTL_QUERY_NETWORK_INTERFACE_INFO:
    case FSCTL_VALIDATE_NEGOTIATE_INFO:
    case FSCTL_SRV_ENUMERATE_SNAPSHOTS:
    case FSCTL_SRV_COPYCHUNK:
    case FSCTL_SRV_COPYCHUNK_WRITE:
    case FSCTL_SET_REPARSE_POINT:
        return true;
    default:
        return false;
    }
}

/* [MS-DFSC] 2.2.2 REQ_GET_DFS_REFERRAL: MaxReferralLevel(2), RequestFileName; 2.2.3, the EX form:
 * MaxReferralLevel(2), RequestFlags(2), RequestDataLength(4), RequestFileNameLength(2), RequestFileName.
 * [MS-FSCC] 2.3.49 FSCTL_PIPE_WAIT: Timeout(8), NameLength(4), TimeoutSpecified(1), Padding(1), Name.
 * [MS-SMB2] 2.2.31.4 VALIDATE_NEGOTIATE_INFO: Capabilities(4), Guid[16], SecurityMode(2), DialectCount(2),
 * Dialects. */
static void put_ioctl_input(struct activity_writer *w, const struct smb2_ioctl *m)
{
    struct cursor c = cursor_of_bytes(m->input);
    uint32_t length;
    switch (m->code) {
    case FSCTL_DFS_GET_REFERRALS:
        cursor_skip(&c, 2);
        dissect_put_text(w, FIELD_FILE_PATH, cursor_take(&c, cursor_left(&c)), true);
        break;
    case FSCTL_DFS_GET_REFERRALS_EX:
        cursor_skip(&c, 8);
        length = cursor_le16(&c);
        dissect_put_text(w, FIELD_FILE_PATH,
                         cursor_take(&c, length < cursor_left(&c) ? length : cursor_left(&c)), true);
        break;
    case FSCTL_PIPE_WAIT:
        cursor_skip(&c, 8);
        length = cursor_le32(&c);
        cursor_skip(&c, 2);
        dissect_put_text(w, FIELD_FILE_PATH,
                         cursor_take(&c, length < cursor_left(&c) ? length : cursor_left(&c)), true);
        break;
    case FSCTL_VALIDATE_NEGOTIATE_INFO:
        if (m->input.size < 24)
            break;
        activity_put_uint(w, FIELD_CLIENT_CAPABILITIES, cursor_le32(&c));
        activity_put_uuid(w, FIELD_CLIENT_GUID, cursor_take(&c, 16).data);
        activity_put_uint(w, FIELD_CLIENT_SECURITY_MODE, cursor_le16(&c));
        cursor_skip(&c, 2);
        smb_put_ids(w, FIELD_SMB_DIALECTS, cursor_take(&c, cursor_left(&c)));
        break;
    default:
        break;
    }
}

static void ioctl_request(struct dissect *d, struct smb2_context *s)
{
    struct smb2_ioctl m;
    if (!smb2_ioctl_request_parse(s->part, &m))
        return;
    bool related = false;
    bool no_file = m.code == FSCTL_DFS_GET_REFERRALS || m.code == FSCTL_DFS_GET_REFERRALS_EX ||
                   m.code == FSCTL_PIPE_WAIT || m.code == FSCTL_VALIDATE_NEGOTIATE_INFO ||
                   m.code == FSCTL_QUERY_NETWORK_INTERFACE_INFO;
    uint64_t key = no_file ? 0 : named_file(s, &m.file, &related);
    struct smb_call *call = note_call(d, s, key, related);
    if (m.code == FSCTL_PIPE_TRANSCEIVE) {
        struct smb_file *file = related ? NULL : find_or_unseen(d, s, key);
        if (file)
            smb_pipe_data(d, file, m.input, m.cut);
        return;
    }
    if (!tells_something(m.code))
        return;
    struct activity_writer *w = dissect_begin(d, ACTIVITY_SMB_IOCTL);
    activity_put_uint(w, FIELD_FSCTL, m.code);
    put_ioctl_input(w, &m);
    activity_put_uint(w, FIELD_INPUT_BYTES, m.input_size);
    const struct smb_file *file = find_file(d, key);
    if (file)
        dissect_put_text(w, FIELD_FILE_PATH, (struct bytes){file->name, file->name_size}, file->unicode);
    smb_put_share(d, w, s->session_id, s->tree_id);
    smb_put_account(d, w, s->session_id);
    if (call)
        call->flags |= SMB_CALL_DEFERRED;
    dissect_defer(d, pending_key(s->part->header.message_id));
}

static void ioctl_response(struct dissect *d, struct smb2_context *s)
{
    const struct smb2_header *h = &s->part->header;
    struct smb2_ioctl m;
    bool parsed =
        (h->status == 0 || h->status == STATUS_BUFFER_OVERFLOW) && smb2_ioctl_response_parse(s->part, &m);
    if (parsed && m.code == FSCTL_PIPE_TRANSCEIVE) {
        uint64_t key = is_previous_file(&m.file) ? answered_file(d, s) : file_key(&m.file);
        struct smb_file *file = find_or_unseen(d, s, key);
        if (file)
            smb_pipe_data(d, file, m.output, m.cut);
        return;
    }
    if (!s->known || !(s->call.flags & SMB_CALL_DEFERRED))
        return;
    struct activity_writer *w = dissect_resume(d, pending_key(h->message_id));
    if (!w)
        return;
    activity_put_uint(w, FIELD_STATUS, h->status);
    if (parsed)
        activity_put_uint(w, FIELD_OUTPUT_BYTES, m.output_size);
    dissect_emit(d);
}

/* --- SET_INFO, QUERY_DIRECTORY --- */

enum { /* [MS-FSCC] 2.4 */
       FILE_RENAME_INFORMATION = 10,
       FILE_DISPOSITION_INFORMATION = 13,
       FILE_DISPOSITION_INFORMATION_EX = 64,
       FILE_RENAME_INFORMATION_EX = 65,
};

static void set_info_request(struct dissect *d, struct smb2_context *s)
{
    struct smb2_set_info m;
    if (!smb2_set_info_request_parse(s->part, &m))
        return;
    bool related;
    uint64_t key = named_file(s, &m.file, &related);
    note_call(d, s, key, related);
    /* What a CREATE in the same compound opens stands under its request's key still. */
    struct smb_file *file = related ? find_file(d, pending_key(key - 1)) : find_or_unseen(d, s, key);
    if (!file)
        return;
    if (m.type == 3) {
        file->security_changed = true;
        return;
    }
    if (m.type != 1)
        return;
    if (m.class_ == FILE_RENAME_INFORMATION || m.class_ == FILE_RENAME_INFORMATION_EX)
        smb_file_renamed(d, file, smb2_rename_target(m.buffer));
    else if (m.class_ == FILE_DISPOSITION_INFORMATION || m.class_ == FILE_DISPOSITION_INFORMATION_EX)
        file->deleted = m.buffer.size && m.buffer.data[0] & 1;
}

static void query_directory_request(struct dissect *d, struct smb2_context *s)
{
    struct smb2_query_directory m;
    if (!smb2_query_directory_request_parse(s->part, &m))
        return;
    bool related;
    uint64_t key = named_file(s, &m.file, &related);
    note_call(d, s, key, related);
    bool everything = m.pattern.size <= 2 && (!m.pattern.size || *m.pattern.data == '*');
    struct smb_file *file = related ? find_file(d, pending_key(key - 1)) : find_file(d, key);
    if (file && !everything && !file->pattern)
        file->pattern = smb_keep(d, m.pattern, &file->pattern_size);
}

static void query_directory_response(struct dissect *d, struct smb2_context *s)
{
    struct smb_file *file = find_file(d, answered_file(d, s));
    if (file)
        file->listings++;
}

/* --- parts --- */

static void request(struct dissect *d, struct smb2_context *s)
{
    switch (s->part->header.command) {
    case SMB2_NEGOTIATE:
        negotiate_request(d, s);
        break;
    case SMB2_SESSION_SETUP:
        session_request(d, s);
        break;
    case SMB2_TREE_CONNECT:
        tree_request(d, s);
        break;
    case SMB2_CREATE:
        create_request(d, s);
        break;
    case SMB2_CLOSE:
        close_request(d, s);
        break;
    case SMB2_READ:
        read_request(d, s);
        break;
    case SMB2_WRITE:
        write_request(d, s);
        break;
    case SMB2_IOCTL:
        ioctl_request(d, s);
        break;
    case SMB2_SET_INFO:
        set_info_request(d, s);
        break;
    case SMB2_QUERY_DIRECTORY:
        query_directory_request(d, s);
        break;
    default: /* CANCEL names the message id of another request: it must not replace it */
        break;
    }
}

static void response(struct dissect *d, struct smb2_context *s)
{
    const struct smb2_header *h = &s->part->header;
    if (h->status == STATUS_PENDING) /* 3.2.5.1.5: the reply proper follows */
        return;
    s->known = smb_call_take(d, smb_call_key(h->message_id), &s->call) && s->call.command == h->command;
    struct smb_session *session;
    switch (h->command) {
    case SMB2_NEGOTIATE:
        negotiate_response(d, s);
        break;
    case SMB2_SESSION_SETUP:
        session_response(d, s);
        break;
    case SMB2_LOGOFF:
        session = smb_session_find(d, s->session_id);
        if (session && h->status == 0)
            smb_session_end(d, session);
        break;
    case SMB2_TREE_CONNECT:
        tree_response(d, s);
        break;
    case SMB2_TREE_DISCONNECT:
        if (h->status == 0)
            smb_tree_end(d, s->session_id, s->tree_id);
        break;
    case SMB2_CREATE:
        create_response(d, s);
        break;
    case SMB2_CLOSE:
        close_response(d, s);
        break;
    case SMB2_READ:
        read_response(d, s);
        break;
    case SMB2_WRITE:
        write_response(d, s);
        break;
    case SMB2_IOCTL:
        ioctl_response(d, s);
        break;
    case SMB2_QUERY_DIRECTORY:
        query_directory_response(d, s);
        break;
    default:
        break;
    }
}

static void count(struct dissect *d, uint16_t command, bool is_response)
{
    struct message_counts *counts = d->counts;
    if (command < SMB2_COMMANDS)
        (is_response ? counts->smb2_responses : counts->smb2_requests)[command]++;
    else
        sparse_add(is_response ? &counts->smb2_unknown_responses : &counts->smb2_unknown_requests, command);
}

/* A header that the capture cut before its end still tells its command. */
static void count_cut_header(struct dissect *d, struct cursor c)
{
    if (!d->truncated || cursor_left(&c) < 14 || cursor_left(&c) >= SMB2_HEADER_SIZE)
        return;
    bool is_response = cursor_left(&c) >= 20 && c.at[16] & SMB2_FLAG_RESPONSE;
    cursor_skip(&c, 12);
    count(d, cursor_le16(&c), is_response);
}

void smb2_flow_message(struct dissect *d, struct cursor c, bool whole)
{
    struct smb_flow *flow = d->state;
    struct compound compound = {0};
    bool bad_chain = false;
    struct smb2_part part;
    if (!flow->version)
        flow->version = 2;
    while (!cursor_done(&c)) {
        struct cursor here = c;
        if (!smb2_next_part(&c, &part, &bad_chain)) {
            if (cursor_left(&here) >= 4 && memcmp(here.at, "\xfeSMB", 4) == 0)
                count_cut_header(d, here);
            break;
        }
        const struct smb2_header *h = &part.header;
        bool is_response = h->flags & SMB2_FLAG_RESPONSE;
        count(d, h->command, is_response);
        struct smb2_context s = {
            .part = &part, .compound = &compound, .session_id = h->session_id, .tree_id = h->tree_id};
        if (h->flags & SMB2_FLAG_RELATED && compound.session_id) { /* 3.3.5.2.7.2 */
            s.session_id = compound.session_id;
            s.tree_id = compound.tree_id;
        }
        compound.session_id = s.session_id;
        compound.tree_id = s.tree_id;
        if (whole)
            smb_unseal_check(d, smb_session_find(d, s.session_id), &part);
        if (is_response)
            response(d, &s);
        else
            request(d, &s);
        if (!h->next)
            break;
    }
    if (bad_chain && !d->truncated)
        dissect_malformed(d, PROTOCOL_SMB);
}

/* --- encrypted, compressed --- */

static void unsealed_message(struct dissect *d, struct bytes plain)
{
    struct cursor c = cursor_of_bytes(plain);
    d->unsealed = true;
    if (memcmp(plain.data, "\xfeSMB", 4) == 0)
        smb2_flow_message(d, c, false); /* its integrity is that of the encryption */
    else if (memcmp(plain.data, "\xfcSMB", 4) == 0)
        smb2_flow_compressed(d, c, plain.size);
    else
        dissect_malformed(d, PROTOCOL_SMB);
    d->unsealed = false;
}

void smb2_flow_encrypted(struct dissect *d, struct cursor c, bool whole)
{
    struct smb2_transform m;
    struct bytes plain;
    d->counts->smb2_encrypted_pdus++;
    bool parsed = smb2_transform_parse(c, &m);
    struct smb_session *session = parsed && m.session_id ? smb_session_begin(d, m.session_id, 0) : NULL;
    struct bytes message = {c.at, cursor_left(&c)};
    if (session && whole && smb_unseal_message(d, session, message, &plain)) {
        unsealed_message(d, plain);
        return;
    }
    dissect_sealed(d, PROTOCOL_SMB);
    if (!session)
        return;
    if (!session->sealed_since)
        session->sealed_since = d->time;
    session->sealed_messages[d->direction]++;
    session->sealed_bytes[d->direction] += m.size;
}

/* What the header must not say: a sum that a 32-bit length cannot hold, the fault of CVE-2020-0796. */
static bool cannot_be(const struct smb2_compression *m, uint64_t message_bytes)
{
    if (m->flags & 1)
        return false;
    return (uint64_t)m->original_size + m->offset > UINT32_MAX || m->offset > message_bytes;
}

void smb2_flow_compressed(struct dissect *d, struct cursor c, uint64_t size)
{
    struct smb_flow *flow = d->state;
    struct smb2_compression m;
    if (!smb2_compression_parse(c, &m))
        return;
    dissect_sealed(d, PROTOCOL_SMB);
    bool anomaly = cannot_be(&m, size);
    if (!flow->compressed_seen || anomaly) {
        struct activity_writer *w = dissect_begin(d, ACTIVITY_SMB_COMPRESSED);
        activity_put_uint(w, FIELD_COMPRESSION_ALGORITHM, m.algorithm);
        activity_put_uint(w, FIELD_COMPRESSION_ORIGINAL, m.original_size);
        activity_put_uint(w, FIELD_COMPRESSION_OFFSET, m.offset);
        activity_put_bool(w, FIELD_COMPRESSION_CHAINED, m.flags & 1);
        activity_put_bool(w, FIELD_COMPRESSION_OVERFLOW, anomaly);
        activity_put_bool(w, FIELD_COMPRESSION_BY_CLIENT, d->direction == TO_SERVER);
        activity_put_uint(w, FIELD_MESSAGE_BYTES, size);
        dissect_emit(d);
    }
    flow->compressed_seen = true;
}

/* --- framing --- */

enum {
    READ_RESPONSE_FIXED = 16,
    WRITE_REQUEST_FIXED = 48,
    INFO_MAX = 4096,
};

static uint64_t want_read_response(struct dissect *d, struct bytes start, const struct smb2_header *h,
                                   uint64_t total, uint32_t *more)
{
    const struct smb_flow *flow = d->state;
    if (h->status != 0 && h->status != STATUS_BUFFER_OVERFLOW)
        return total;
    const struct smb_call *call = smb_table_find(&flow->calls, &smb_calls_kind, smb_call_key(h->message_id));
    const struct smb_file *file = NULL;
    if (call && call->command == SMB2_READ && !(call->flags & SMB_CALL_RELATED))
        file = find_file(d, call->subject);
    return smb_file_want(file, start, total, SMB2_HEADER_SIZE, start.data[SMB2_HEADER_SIZE + 2], more);
}

static uint64_t want_write_request(struct dissect *d, struct bytes start, uint64_t total, uint32_t *more)
{
    struct cursor c = cursor_of(start.data + SMB2_HEADER_SIZE + 2, WRITE_REQUEST_FIXED - 2);
    uint16_t offset = cursor_le16(&c);
    struct smb2_file_id id;
    cursor_skip(&c, 12);
    id.persistent = cursor_le64(&c);
    id.volatile_ = cursor_le64(&c);
    return smb_file_want(find_file(d, file_key(&id)), start, total, SMB2_HEADER_SIZE, offset, more);
}

uint64_t smb2_flow_want(struct dissect *d, struct bytes start, uint64_t total, uint32_t *more)
{
    uint64_t head = SMB2_HEADER_SIZE + WRITE_REQUEST_FIXED;
    if (total < head)
        return total;
    if (start.size < head) {
        *more = (uint32_t)head;
        return 0;
    }
    struct cursor c = cursor_of_bytes(start);
    struct smb2_part part;
    bool bad_chain = false;
    if (!smb2_next_part(&c, &part, &bad_chain) || part.header.next)
        return total;
    const struct smb2_header *h = &part.header;
    bool is_response = h->flags & SMB2_FLAG_RESPONSE;
    switch (h->command) {
    case SMB2_READ:
        return is_response ? want_read_response(d, start, h, total, more) : total;
    case SMB2_WRITE:
        return is_response ? total : want_write_request(d, start, total, more);
    case SMB2_QUERY_DIRECTORY:
    case SMB2_CHANGE_NOTIFY:
    case SMB2_QUERY_INFO:
        return is_response ? head : total;
    case SMB2_SET_INFO:
        return INFO_MAX < total ? INFO_MAX : total;
    default:
        return total;
    }
}
