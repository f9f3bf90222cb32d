/* SPDX-License-Identifier: Apache-2.0
 *
 * SMB 1 on one connection: requests tied to replies by process and multiplex id ([MS-CIFS] 3.2.5.1), AndX
 * chains, transactions; what they mean becomes activities.
 */
#include "base/utf8.h"
#include "capture/smb_state.h"

struct smb1_context {
    const struct smb1_message *message;
    const struct smb1_block *block;
    uint64_t key;         /* of the request: process and multiplex id */
    struct smb_call call; /* in replies, of the first block */
    bool known;
};

/* The process id joins in, but Windows answers some requests with another one: the multiplex id alone names
 * the request among those outstanding ([MS-CIFS] 2.2.1.6.2). */
static uint64_t request_key(const struct smb1_header *h)
{
    return smb_key(SMB_OBJECT_CALL, h->multiplex_id, 1);
}

static uint64_t file_key(uint16_t file)
{
    return smb_key(SMB_OBJECT_FILE, file, 1);
}

static struct smb_file *find_file(struct dissect *d, uint16_t file)
{
    return smb_object_find(d, SMB_OBJECT_FILE, file_key(file));
}

static struct smb_file *find_or_unseen(struct dissect *d, const struct smb1_context *s, uint16_t id)
{
    struct smb_file *file = find_file(d, id);
    const struct smb1_header *h = &s->message->header;
    return file ? file : smb_file_unseen(d, file_key(id), h->user_id, h->tree_id, 1);
}

static struct smb_call *note_call(struct dissect *d, const struct smb1_context *s, uint64_t subject)
{
    return smb_call_new(d, s->key, s->block->command, subject);
}

static void put_header(struct activity_writer *w, const struct smb1_header *h)
{
    activity_put_uint(w, FIELD_SMB1_FLAGS, h->flags);
    activity_put_uint(w, FIELD_SMB1_FLAGS2, h->flags2);
    activity_put_uint(w, FIELD_SMB_PROCESS_ID, h->process_id);
    activity_put_uint(w, FIELD_SMB_MULTIPLEX_ID, h->multiplex_id);
    activity_put_uint(w, FIELD_SMB_TREE_ID, h->tree_id);
}

static void put_text(struct activity_writer *w, enum activity_field field, const struct smb1_text *text)
{
    dissect_put_text(w, field, text->bytes, text->unicode);
}

static void malformed(struct dissect *d, const struct smb1_context *s)
{
    if (!d->truncated && !s->block->cut)
        dissect_malformed(d, PROTOCOL_SMB);
}

/* -- NEGOTIATE ----------------------------------------------------------------------------------------------
 */

/* [MS-CIFS] 2.2.4.52.1: for each dialect BufferFormat(1) = 2 and a string, in ASCII whatever the flags say */
static bool next_dialect(struct cursor *c, struct bytes *to)
{
    if (cursor_left(c) < 2 || cursor_u8(c) != 2)
        return false;
    const void *end = memchr(c->at, 0, cursor_left(c));
    size_t size = end ? (size_t)((const uint8_t *)end - c->at) : cursor_left(c);
    *to = cursor_take(c, size);
    cursor_skip(c, end ? 1 : 0);
    return true;
}

static void negotiate_request(struct dissect *d, struct smb1_context *s)
{
    struct smb_flow *flow = d->state;
    struct cursor c = s->block->bytes;
    size_t kept = cursor_left(&c) < SMB_PATH_MAX ? cursor_left(&c) : SMB_PATH_MAX;
    flow->smb1_negotiated = true;
    if (flow->smb1_dialects)
        dissect_free(d, flow->smb1_dialects, flow->smb1_dialects_size);
    flow->smb1_dialects = kept ? dissect_alloc(d, kept) : NULL;
    flow->smb1_dialects_size = flow->smb1_dialects ? (uint16_t)kept : 0;
    if (flow->smb1_dialects)
        memcpy(flow->smb1_dialects, c.at, kept);
    note_call(d, s, 0);
    struct activity_writer *w = dissect_begin(d, ACTIVITY_SMB_NEGOTIATE);
    if (activity_list_begin(w, FIELD_SMB1_DIALECTS)) {
        struct bytes dialect;
        while (next_dialect(&c, &dialect))
            activity_list_string(w, dialect.data, dialect.size);
        activity_list_end(w);
    }
    put_header(w, &s->message->header);
    dissect_defer(d, smb_negotiation_key());
    flow->negotiating = true;
}

static void put_chosen_dialect(struct activity_writer *w, const struct smb_flow *flow, uint16_t index)
{
    struct cursor c = cursor_of(flow->smb1_dialects, flow->smb1_dialects_size);
    struct bytes dialect;
    for (unsigned i = 0; next_dialect(&c, &dialect); i++) {
        if (i == index) {
            activity_put_string(w, FIELD_SMB1_DIALECT, dialect.data, dialect.size);
            return;
        }
    }
}

static void negotiate_response(struct dissect *d, struct smb1_context *s)
{
    struct smb_flow *flow = d->state;
    struct smb1_negotiate_response m;
    bool parsed = smb1_negotiate_response_parse(s->message, s->block, &m);
    struct activity_writer *w = dissect_resume(d, smb_negotiation_key());
    flow->negotiating = false;
    if (!w)
        w = dissect_begin(d, ACTIVITY_SMB_NEGOTIATE);
    activity_put_uint(w, FIELD_STATUS, s->message->header.status);
    activity_put_uint(w, FIELD_SMB_VERSION, 1);
    if (parsed)
        put_chosen_dialect(w, flow, m.dialect_index);
    if (parsed && !m.core) {
        flow->smb1_security_mode = m.security_mode;
        activity_put_uint(w, FIELD_SERVER_SECURITY_MODE, m.security_mode);
        activity_put_bool(w, FIELD_SERVER_SIGNING_REQUIRED, m.security_mode & 8);
        activity_put_uint(w, FIELD_SERVER_CAPABILITIES, m.capabilities);
        activity_put_uint(w, FIELD_SERVER_MAX_BUFFER, m.max_buffer);
        smb_put_filetime(w, FIELD_SERVER_TIME, m.system_time);
        if (m.server_guid)
            activity_put_uuid(w, FIELD_SERVER_GUID, m.server_guid);
        put_text(w, FIELD_SERVER_DOMAIN, &m.domain);
        put_text(w, FIELD_SERVER_NAME, &m.server);
    }
    dissect_emit(d);
    if (flow->smb1_dialects)
        dissect_free(d, flow->smb1_dialects, flow->smb1_dialects_size);
    flow->smb1_dialects = NULL;
    flow->smb1_dialects_size = 0;
}

/* --- SESSION_SETUP_ANDX, LOGOFF_ANDX --- */

static void keep_name(char *to, size_t capacity, const struct smb1_text *text)
{
    bool cut = false;
    size_t size =
        text->unicode
            ? utf8_from_utf16((uint8_t *)to, capacity - 1, text->bytes.data, text->bytes.size / 2, &cut)
            : utf8_copy((uint8_t *)to, capacity - 1, text->bytes.data, text->bytes.size, &cut);
    to[size] = 0;
}

/* How the two password fields prove it: [MS-CIFS] 3.2.4.2.4, [MS-NLMP] 3.3. */
static const char *password_form(const struct smb_flow *flow, const struct smb1_session_request *m)
{
    bool challenge = flow->smb1_security_mode & 2 || !flow->smb1_security_mode;
    if (m->nt.size <= 1 && m->lm.size <= 1)
        return "none";
    if (!challenge)
        return "plaintext";
    if (m->nt.size > 24)
        return "ntlmv2";
    return m->nt.size == 24 ? "ntlmv1" : "lm";
}

static void put_session_request(struct activity_writer *w, const struct smb_flow *flow,
                                const struct smb1_session_request *m)
{
    activity_put_uint(w, FIELD_SMB_VERSION, 1);
    activity_put_uint(w, FIELD_CLIENT_CAPABILITIES, m->capabilities);
    activity_put_uint(w, FIELD_SMB_MAX_BUFFER, m->max_buffer);
    activity_put_uint(w, FIELD_SMB_MAX_MPX, m->max_mpx);
    activity_put_uint(w, FIELD_SMB_VC_NUMBER, m->vc_number);
    activity_put_uint(w, FIELD_SMB_SESSION_KEY, m->session_key);
    put_text(w, FIELD_CLIENT_OS, &m->native_os);
    put_text(w, FIELD_CLIENT_LANMAN, &m->native_lanman);
    if (m->extended)
        return;
    put_text(w, FIELD_ACCOUNT, &m->account);
    put_text(w, FIELD_ACCOUNT_DOMAIN, &m->domain);
    activity_put_text(w, FIELD_SESSION_MECHANISM, "password");
    activity_put_text(w, FIELD_PASSWORD_FORM, password_form(flow, m));
    activity_put_uint(w, FIELD_LM_RESPONSE_SIZE, m->lm.size);
    activity_put_uint(w, FIELD_NT_RESPONSE_SIZE, m->nt.size);
}

/* The set-up that a request goes on with: that of its user id when it waits for its next leg. */
static struct smb_session *request_session(struct dissect *d, const struct smb1_context *s)
{
    uint16_t user = s->message->header.user_id;
    struct smb_session *session = user ? smb_session_find(d, user) : NULL;
    if (session && session->waiting)
        return session;
    return smb_session_begin(d, 0, smb_key(SMB_OBJECT_SESSION, s->key, 2));
}

static void session_request(struct dissect *d, struct smb1_context *s)
{
    struct smb1_session_request m;
    if (!smb1_session_request_parse(s->message, s->block, &m)) {
        malformed(d, s);
        return;
    }
    struct smb_session *session = request_session(d, s);
    if (!session) {
        smb_count_token(d, m.token);
        return;
    }
    note_call(d, s, session->head.key);
    if (m.token.size)
        gss_token(d, &session->gss, cursor_of_bytes(m.token), "smb", session->number);
    if (!m.extended) {
        keep_name(session->gss.account, sizeof session->gss.account, &m.account);
        keep_name(session->gss.domain, sizeof session->gss.domain, &m.domain);
    }
    if (session->waiting) {
        smb_session_noted(d, session);
        return;
    }
    struct activity_writer *w = dissect_begin(d, ACTIVITY_SMB_SESSION);
    put_session_request(w, d->state, &m);
    put_header(w, &s->message->header);
    dissect_defer(d, smb_key(SMB_OBJECT_SESSION, session->number, 1));
    session->waiting = true;
}

static void put_session_response(struct activity_writer *w, const struct smb1_session_response *m,
                                 bool success)
{
    put_text(w, FIELD_SERVER_OS, &m->native_os);
    put_text(w, FIELD_SERVER_LANMAN, &m->native_lanman);
    put_text(w, FIELD_SERVER_DOMAIN, &m->domain);
    if (success)
        activity_put_bool(w, FIELD_GUEST, m->action & 1);
}

static void session_response(struct dissect *d, struct smb1_context *s)
{
    uint32_t status = s->message->header.status;
    bool more = status == STATUS_MORE_PROCESSING_REQUIRED;
    struct smb1_session_response m;
    smb1_session_response_parse(s->message, s->block, &m); /* an error carries no words: m is zero then */
    struct smb_session *session =
        smb_session_answered(d, s->known ? s->call.subject : 0, s->message->header.user_id);
    if (!session) {
        smb_count_token(d, m.token);
        return;
    }
    if (m.token.size)
        gss_token(d, &session->gss, cursor_of_bytes(m.token), "smb", session->number);
    if (more)
        return;
    struct activity_writer *w = smb_session_outcome(d, session, status);
    if (w) {
        put_session_response(w, &m, status == 0);
        dissect_emit(d);
    }
    smb_session_settle(d, session, status);
}

/* --- TREE_CONNECT_ANDX, TREE_DISCONNECT --- */

static uint64_t tree_pending_key(const struct smb1_context *s)
{
    return smb_key(SMB_OBJECT_TREE, s->key, 1);
}

static enum smb_share share_of_service(const struct smb1_text *service)
{
    struct cursor c = cursor_of_bytes(service->bytes);
    if (cursor_match(&c, "IPC", 3))
        return SMB_SHARE_PIPE;
    if (cursor_match(&c, "A:", 2))
        return SMB_SHARE_DISK;
    return cursor_match(&c, "LPT", 3) ? SMB_SHARE_PRINT : SMB_SHARE_UNKNOWN;
}

static void tree_request(struct dissect *d, struct smb1_context *s)
{
    const struct smb1_header *h = &s->message->header;
    struct smb1_tree_request m;
    if (!smb1_tree_request_parse(s->message, s->block, &m)) {
        malformed(d, s);
        return;
    }
    size_t size = m.path.bytes.size < SMB_PATH_MAX ? m.path.bytes.size : SMB_PATH_MAX;
    struct smb_tree *tree = smb_object_new(d, SMB_OBJECT_TREE, tree_pending_key(s), sizeof *tree + size);
    if (tree) {
        tree->head.pending = true;
        tree->unicode = m.path.unicode;
        tree->path_size = (uint16_t)size;
        memcpy(tree->path, m.path.bytes.data, size);
        tree->share = (uint8_t)smb_share_by_path(m.path.bytes, m.path.unicode);
        if (tree->share == SMB_SHARE_UNKNOWN)
            tree->share = (uint8_t)share_of_service(&m.service);
    }
    if (s->block->command == s->message->header.command)
        note_call(d, s, 0);
    struct activity_writer *w = dissect_begin(d, ACTIVITY_SMB_TREE_CONNECT);
    put_text(w, FIELD_SHARE_PATH, &m.path);
    put_text(w, FIELD_SHARE_SERVICE, &m.service);
    activity_put_uint(w, FIELD_SMB_VERSION, 1);
    smb_put_account(d, w, h->user_id);
    dissect_defer(d, tree_pending_key(s));
}

static void tree_response(struct dissect *d, struct smb1_context *s)
{
    const struct smb1_header *h = &s->message->header;
    struct smb1_tree_response m;
    bool parsed = smb1_tree_response_parse(s->message, s->block, &m);
    enum smb_share share = parsed ? share_of_service(&m.service) : SMB_SHARE_UNKNOWN;
    struct smb_tree *tree = smb_object_find(d, SMB_OBJECT_TREE, tree_pending_key(s));
    if (tree && (h->status != 0 || !parsed)) {
        smb_object_free(d, tree);
    } else if (tree) {
        smb_tree_answered(d, tree, SMB1_TREES, h->tree_id, share);
    }
    struct activity_writer *w = dissect_resume(d, tree_pending_key(s));
    if (!w)
        return;
    activity_put_uint(w, FIELD_STATUS, h->status);
    smb_put_share_type(w, share);
    if (parsed && h->status == 0)
        activity_put_uint(w, FIELD_SHARE_CAPABILITIES, m.optional_support);
    if (parsed && m.maximal_access)
        activity_put_uint(w, FIELD_MAXIMAL_ACCESS, m.maximal_access);
    dissect_emit(d);
}

/* --- NT_CREATE_ANDX, OPEN_ANDX, CLOSE --- */

static uint64_t file_pending_key(const struct smb1_context *s)
{
    return smb_key(SMB_OBJECT_FILE, s->key, 2);
}

static void open_request(struct dissect *d, struct smb1_context *s)
{
    const struct smb1_header *h = &s->message->header;
    struct smb1_open_request m;
    bool parsed = s->block->command == SMB1_OPEN_ANDX
                      ? smb1_open_request_parse(s->message, s->block, &m)
                      : smb1_nt_create_request_parse(s->message, s->block, &m);
    if (!parsed) {
        malformed(d, s);
        return;
    }
    size_t size = m.name.bytes.size < SMB_PATH_MAX ? m.name.bytes.size : SMB_PATH_MAX;
    struct smb_file *file = smb_object_new(d, SMB_OBJECT_FILE, file_pending_key(s), sizeof *file + size);
    note_call(d, s, 0);
    if (!file)
        return;
    file->head.pending = true;
    file->session_id = h->user_id;
    file->scope = SMB1_TREES;
    file->tree_id = h->tree_id;
    file->opened = d->time;
    file->desired_access = m.desired_access;
    file->share_access = m.share_access;
    file->disposition = m.disposition;
    file->options = m.options;
    file->deleted = m.options & 0x1000;
    file->version = 1;
    file->unicode = m.name.unicode;
    file->name_size = (uint16_t)size;
    memcpy(file->name, m.name.bytes.data, size);
    file->pipe =
        (uint8_t)smb_pipe_by_name(smb_tree_find(d, SMB1_TREES, h->tree_id), m.name.bytes, m.name.unicode);
}

static void open_response(struct dissect *d, struct smb1_context *s)
{
    const struct smb1_header *h = &s->message->header;
    struct smb1_open_response m;
    bool parsed =
        h->status == 0 && (s->block->command == SMB1_OPEN_ANDX ? smb1_open_response_parse(s->block, &m)
                                                               : smb1_nt_create_response_parse(s->block, &m));
    struct smb_file *file = smb_object_find(d, SMB_OBJECT_FILE, file_pending_key(s));
    if (file && !parsed) {
        smb_file_failed(d, file, h->status);
        return;
    }
    if (!parsed)
        return;
    if (!file) {
        file = smb_file_unseen(d, file_key(m.file), h->user_id, h->tree_id, 1);
    } else {
        file->head.pending = false;
        file->action = m.action;
        file->attributes = m.attributes;
        file->size = m.size;
        file->directory = m.directory;
        file = smb_object_rekey(d, file, file_key(m.file));
    }
    if (file && m.pipe)
        file->pipe = SMB_PIPE_YES;
}

static void close_request(struct dissect *d, struct smb1_context *s)
{
    uint16_t file;
    if (smb1_close_request_parse(s->block, &file))
        note_call(d, s, file_key(file));
}

static void close_response(struct dissect *d, struct smb1_context *s)
{
    if (!s->known || s->message->header.status != 0)
        return;
    struct smb_file *file = smb_object_find(d, SMB_OBJECT_FILE, s->call.subject);
    if (file)
        smb_file_end(d, file, true);
}

/* --- READ, WRITE --- */

static void read_request(struct dissect *d, struct smb1_context *s)
{
    struct smb1_transfer m;
    if (smb1_read_request_parse(s->block, &m))
        note_call(d, s, file_key(m.file));
}

static void read_response(struct dissect *d, struct smb1_context *s)
{
    uint32_t status = s->message->header.status;
    struct smb1_transfer m;
    if ((status != 0 && status != STATUS_BUFFER_OVERFLOW) ||
        !smb1_read_response_parse(s->message, s->block, &m))
        return;
    uint64_t key =
        s->known && (s->call.command == SMB1_READ_ANDX || s->call.command == SMB1_READ) ? s->call.subject : 0;
    if (!key && dcerpc_is_pdu(m.data))
        key = smb_key(SMB_OBJECT_FILE, UINT64_MAX, s->message->header.tree_id);
    if (!key)
        return;
    struct smb_file *file = smb_object_find(d, SMB_OBJECT_FILE, key);
    if (!file)
        file = smb_file_unseen(d, key, s->message->header.user_id, s->message->header.tree_id, 1);
    if (file)
        smb_file_read(d, file, m.length, m.data, m.cut);
}

static void write_request(struct dissect *d, struct smb1_context *s)
{
    struct smb1_transfer m;
    if (!smb1_write_request_parse(s->message, s->block, &m))
        return;
    note_call(d, s, file_key(m.file));
    struct smb_file *file = find_or_unseen(d, s, m.file);
    if (file)
        smb_file_written(d, file, m.data, m.cut);
}

static void write_response(struct dissect *d, struct smb1_context *s)
{
    struct smb1_transfer m;
    if (!s->known || s->message->header.status != 0 || !smb1_write_response_parse(s->block, &m))
        return;
    struct smb_file *file = smb_object_find(d, SMB_OBJECT_FILE, s->call.subject);
    if (!file)
        return;
    file->writes++;
    file->write_bytes += m.length;
}

/* --- TRANSACTION, TRANSACTION2, NT_TRANSACT --- */

enum {
    TRANS_TRANSACT_NMPIPE = 0x26, /* [MS-CIFS] 2.2.2.1.2 */
    TRANS_RAW_READ_NMPIPE = 0x11,
    TRANS_RAW_WRITE_NMPIPE = 0x31,
    TRANS2_SESSION_SETUP = 0x0e,
    RAP_NET_SERVER_ENUM2 = 104,
    RAP_NET_SERVER_ENUM3 = 215,
};

/* [MS-RAP] 2.5.1: RAPOpcode(2), ParamDesc (ASCIIZ), DataDesc (ASCIIZ), RAPParams; for NetServerEnum2
 * (2.5.5.2) those are InfoLevel(2), ReceiveBufferSize(2), ServerType(4), ... */
static void put_rap(struct activity_writer *w, const struct smb1_message *message, struct bytes parameters)
{
    struct cursor c = cursor_of_bytes(parameters);
    uint16_t function = cursor_le16(&c);
    if (c.failed)
        return;
    activity_put_uint(w, FIELD_RAP_FUNCTION, function);
    struct smb1_text descriptor = smb1_take_text(message, &c, false);
    put_text(w, FIELD_RAP_PARAMETERS, &descriptor);
    smb1_take_text(message, &c, false);
    if (function != RAP_NET_SERVER_ENUM2 && function != RAP_NET_SERVER_ENUM3)
        return;
    cursor_skip(&c, 4);
    uint32_t type = cursor_le32(&c);
    if (!c.failed)
        activity_put_uint(w, FIELD_RAP_SERVER_TYPE, type);
}

static bool is_rap(const struct smb1_text *name)
{
    static const char lanman[] = "\\PIPE\\LANMAN";
    size_t unit = name->unicode ? 2 : 1;
    if (name->bytes.size != unit * (sizeof lanman - 1))
        return false;
    for (size_t i = 0; i < sizeof lanman - 1; i++)
        if ((name->bytes.data[i * unit] & 0xdf) != (lanman[i] & 0xdf))
            return false;
    return true;
}

/* Plain file work (TRANSACTION2 but for its session set-up) is only counted. */
static bool tells_something(uint8_t command, const struct smb1_transaction *m)
{
    if (command == SMB1_TRANSACTION2)
        return m->setup_count && m->setup[0] == TRANS2_SESSION_SETUP;
    return true;
}

static void transaction_request(struct dissect *d, struct smb1_context *s)
{
    const struct smb1_header *h = &s->message->header;
    uint8_t command = s->block->command;
    struct smb1_transaction m;
    if (!smb1_transaction_request_parse(s->message, s->block, &m)) {
        malformed(d, s);
        return;
    }
    uint16_t function = m.setup_count ? m.setup[0] : 0xffff;
    bool transacts = command == SMB1_TRANSACTION && m.setup_count >= 2 &&
                     (function == TRANS_TRANSACT_NMPIPE || function == TRANS_RAW_WRITE_NMPIPE ||
                      function == TRANS_RAW_READ_NMPIPE);
    struct smb_call *call = note_call(d, s, transacts ? file_key(m.setup[1]) : 0);
    if (transacts) {
        if (call)
            call->flags |= SMB_CALL_PIPE;
        struct smb_file *file = find_or_unseen(d, s, m.setup[1]);
        if (file && file->pipe == SMB_PIPE_UNKNOWN)
            file->pipe = SMB_PIPE_YES;
        if (file)
            smb_pipe_data(d, file, m.data, m.cut);
        return;
    }
    if (!tells_something(command, &m))
        return;
    struct activity_writer *w = dissect_begin(d, ACTIVITY_SMB1_TRANSACTION);
    activity_put_uint(w, FIELD_SMB_COMMAND, command);
    put_text(w, FIELD_TRANSACTION_NAME, &m.name);
    if (m.setup_count)
        activity_put_uint(w, FIELD_SUBCOMMAND, function);
    activity_put_uint(w, FIELD_PARAMETER_BYTES, m.total_parameters);
    activity_put_uint(w, FIELD_DATA_BYTES, m.total_data);
    activity_put_uint(w, FIELD_SMB_PROCESS_ID, h->process_id);
    activity_put_uint(w, FIELD_SMB_MULTIPLEX_ID, h->multiplex_id);
    activity_put_uint(w, FIELD_SMB_TREE_ID, h->tree_id);
    if (is_rap(&m.name))
        put_rap(w, s->message, m.parameters);
    smb_put_share(d, w, SMB1_TREES, h->tree_id);
    smb_put_account(d, w, h->user_id);
    if (call)
        call->flags |= SMB_CALL_DEFERRED;
    dissect_defer(d, smb_key(SMB_OBJECT_CALL, s->key, 3));
}

/* Secondary requests carry on the data of the first, under the same multiplex id. */
static void transaction_secondary(struct dissect *d, struct smb1_context *s)
{
    const struct smb_flow *flow = d->state;
    struct smb1_transaction m;
    const struct smb_call *call = smb_table_find(&flow->calls, &smb_calls_kind, s->key);
    if (!call || !(call->flags & SMB_CALL_PIPE) || !smb1_transaction_request_parse(s->message, s->block, &m))
        return;
    struct smb_file *file = smb_object_find(d, SMB_OBJECT_FILE, call->subject);
    if (file)
        smb_pipe_data(d, file, m.data, m.cut);
}

/* A reply may come in several messages: the call stays until all its data was there. */
static void transaction_response(struct dissect *d, struct smb1_context *s)
{
    const struct smb1_header *h = &s->message->header;
    struct smb1_transaction m;
    bool parsed = smb1_transaction_response_parse(s->message, s->block, &m);
    if (!s->known)
        return;
    if (s->call.flags & SMB_CALL_PIPE) {
        struct smb_file *file = smb_object_find(d, SMB_OBJECT_FILE, s->call.subject);
        if (file && parsed)
            smb_pipe_data(d, file, m.data, m.cut);
        if (parsed && m.data_displacement + m.data.size < m.total_data && m.data.size && !m.cut) {
            struct smb_call *call = note_call(d, s, s->call.subject);
            if (call)
                call->flags = s->call.flags;
        }
        return;
    }
    if (!(s->call.flags & SMB_CALL_DEFERRED))
        return;
    struct activity_writer *w = dissect_resume(d, smb_key(SMB_OBJECT_CALL, s->key, 3));
    if (!w)
        return;
    activity_put_uint(w, FIELD_STATUS, h->status);
    dissect_emit(d);
}

/* --- commands on paths --- */

/* [MS-CIFS] 2.2.4.1, .2, .7, .8, .66: the bytes hold BufferFormat(1) = 4 and a path, once or twice */
static void path_request(struct dissect *d, struct smb1_context *s)
{
    const struct smb1_header *h = &s->message->header;
    bool unicode = h->flags2 & SMB1_FLAGS2_UNICODE;
    struct cursor c = s->block->bytes;
    cursor_skip(&c, 1);
    struct smb1_text path = smb1_take_text(s->message, &c, unicode);
    struct smb1_text target = {0};
    if (s->block->command == SMB1_RENAME || s->block->command == SMB1_NT_RENAME) {
        cursor_skip(&c, cursor_left(&c) ? 1 : 0);
        target = smb1_take_text(s->message, &c, unicode);
    }
    struct smb_call *call = note_call(d, s, 0);
    if (call)
        call->flags |= SMB_CALL_DEFERRED;
    struct activity_writer *w = dissect_begin(d, ACTIVITY_SMB1_PATH);
    activity_put_uint(w, FIELD_SMB_COMMAND, s->block->command);
    put_text(w, FIELD_FILE_PATH, &path);
    put_text(w, FIELD_NEW_PATH, &target);
    smb_put_share(d, w, SMB1_TREES, h->tree_id);
    smb_put_account(d, w, h->user_id);
    dissect_defer(d, smb_key(SMB_OBJECT_CALL, s->key, 3));
}

static void path_response(struct dissect *d, struct smb1_context *s)
{
    if (!s->known || !(s->call.flags & SMB_CALL_DEFERRED))
        return;
    struct activity_writer *w = dissect_resume(d, smb_key(SMB_OBJECT_CALL, s->key, 3));
    if (!w)
        return;
    activity_put_uint(w, FIELD_STATUS, s->message->header.status);
    dissect_emit(d);
}

/* --- blocks --- */

static void request(struct dissect *d, struct smb1_context *s)
{
    switch (s->block->command) {
    case SMB1_NEGOTIATE:
        negotiate_request(d, s);
        break;
    case SMB1_SESSION_SETUP_ANDX:
        session_request(d, s);
        break;
    case SMB1_TREE_CONNECT_ANDX:
        tree_request(d, s);
        break;
    case SMB1_NT_CREATE_ANDX:
    case SMB1_OPEN_ANDX:
        open_request(d, s);
        break;
    case SMB1_CLOSE:
        close_request(d, s);
        break;
    case SMB1_READ_ANDX:
    case SMB1_READ:
        read_request(d, s);
        break;
    case SMB1_WRITE_ANDX:
    case SMB1_WRITE:
        write_request(d, s);
        break;
    case SMB1_TRANSACTION:
    case SMB1_TRANSACTION2:
    case SMB1_NT_TRANSACT:
        transaction_request(d, s);
        break;
    case SMB1_TRANSACTION_SECONDARY:
        transaction_secondary(d, s);
        break;
    case SMB1_CREATE_DIRECTORY:
    case SMB1_DELETE_DIRECTORY:
    case SMB1_DELETE:
    case SMB1_RENAME:
    case SMB1_NT_RENAME:
        path_request(d, s);
        break;
    default:
        break;
    }
}

static void response(struct dissect *d, struct smb1_context *s)
{
    const struct smb1_header *h = &s->message->header;
    struct smb_session *session;
    switch (s->block->command) {
    case SMB1_NEGOTIATE:
        negotiate_response(d, s);
        break;
    case SMB1_SESSION_SETUP_ANDX:
        session_response(d, s);
        break;
    case SMB1_LOGOFF_ANDX:
        session = smb_session_find(d, h->user_id);
        if (session && h->status == 0)
            smb_session_end(d, session);
        break;
    case SMB1_TREE_CONNECT_ANDX:
        tree_response(d, s);
        break;
    case SMB1_TREE_DISCONNECT:
        if (h->status == 0)
            smb_tree_end(d, SMB1_TREES, h->tree_id);
        break;
    case SMB1_NT_CREATE_ANDX:
    case SMB1_OPEN_ANDX:
        open_response(d, s);
        break;
    case SMB1_CLOSE:
        close_response(d, s);
        break;
    case SMB1_READ_ANDX:
    case SMB1_READ:
        read_response(d, s);
        break;
    case SMB1_WRITE_ANDX:
    case SMB1_WRITE:
        write_response(d, s);
        break;
    case SMB1_TRANSACTION:
    case SMB1_TRANSACTION2:
    case SMB1_NT_TRANSACT:
        transaction_response(d, s);
        break;
    case SMB1_CREATE_DIRECTORY:
    case SMB1_DELETE_DIRECTORY:
    case SMB1_DELETE:
    case SMB1_RENAME:
    case SMB1_NT_RENAME:
        path_response(d, s);
        break;
    default:
        break;
    }
}

/* A server that refuses the first command of a chain answers that one only: what waited on the others ends.
 */
static void refuse_rest(struct dissect *d, struct smb1_context *s)
{
    uint32_t status = s->message->header.status;
    if (!status || status == STATUS_MORE_PROCESSING_REQUIRED)
        return;
    struct smb_file *file = smb_object_find(d, SMB_OBJECT_FILE, file_pending_key(s));
    if (file)
        smb_file_failed(d, file, status);
    struct smb_tree *tree = smb_object_find(d, SMB_OBJECT_TREE, tree_pending_key(s));
    if (!tree)
        return;
    smb_object_free(d, tree);
    struct activity_writer *w = dissect_resume(d, tree_pending_key(s));
    if (!w)
        return;
    activity_put_uint(w, FIELD_STATUS, status);
    dissect_emit(d);
}

static void count(struct dissect *d, const struct smb1_header *h)
{
    (h->flags & SMB1_FLAG_REPLY ? d->counts->smb1_responses : d->counts->smb1_requests)[h->command]++;
}

void smb1_flow_message(struct dissect *d, struct cursor c)
{
    struct smb_flow *flow = d->state;
    struct smb1_message message;
    struct smb1_block block;
    if (!flow->version)
        flow->version = 1;
    bool whole = smb1_message_parse(c, &message);
    if (whole)
        count(d, &message.header);
    if (!whole || !smb1_first_block(&message, &block)) {
        if (!d->truncated)
            dissect_malformed(d, PROTOCOL_SMB);
        return;
    }
    struct smb1_context s = {.message = &message, .block = &block, .key = request_key(&message.header)};
    bool is_response = message.header.flags & SMB1_FLAG_REPLY;
    if (is_response)
        s.known = smb_call_take(d, s.key, &s.call);
    for (unsigned i = 0; i < SMB1_CHAIN_MAX; i++) {
        if (is_response)
            response(d, &s);
        else
            request(d, &s);
        struct smb1_block next;
        if (!smb1_next_block(&message, &block, &next))
            break;
        block = next;
    }
    if (is_response)
        refuse_rest(d, &s);
}

/* --- framing --- */

/* Only a read's or write's data is bulk: it starts at DataOffset. */
uint64_t smb1_flow_want(struct dissect *d, struct bytes start, uint64_t total, uint32_t *more)
{
    const struct smb_flow *flow = d->state;
    const uint64_t head = SMB1_HEADER_SIZE + 1 + 14 * 2 + 2;
    if (total < head + SMB_PIPE_PEEK)
        return total;
    if (start.size < head) {
        *more = (uint32_t)head;
        return 0;
    }
    struct smb1_message message;
    struct smb1_block block;
    if (!smb1_message_parse(cursor_of_bytes(start), &message) || !smb1_first_block(&message, &block))
        return total;
    struct cursor w = block.words;
    uint8_t andx = cursor_u8(&w);
    bool is_response = message.header.flags & SMB1_FLAG_REPLY;
    if (andx != SMB1_NO_COMMAND)
        return total;
    if (is_response && block.command == SMB1_READ_ANDX && block.word_count == 12) {
        const struct smb_call *call =
            smb_table_find(&flow->calls, &smb_calls_kind, request_key(&message.header));
        const struct smb_file *file = NULL;
        if (call && call->command == SMB1_READ_ANDX)
            file = smb_object_find(d, SMB_OBJECT_FILE, call->subject);
        cursor_skip(&w, 11);
        return smb_file_want(file, start, total, SMB1_HEADER_SIZE, cursor_le16(&w), more);
    }
    if (!is_response && block.command == SMB1_WRITE_ANDX &&
        (block.word_count == 12 || block.word_count == 14)) {
        cursor_skip(&w, 3);
        const struct smb_file *file = find_file(d, cursor_le16(&w));
        cursor_skip(&w, 16);
        return smb_file_want(file, start, total, SMB1_HEADER_SIZE, cursor_le16(&w), more);
    }
    return total;
}
