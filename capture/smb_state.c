/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/smb_state.h"
#include "base/utf8.h"
#include "capture/unseal.h"

const struct smb_table_kind smb_objects_kind = {sizeof(struct smb_object_slot), SMB_OBJECTS_MAX};
const struct smb_table_kind smb_calls_kind = {sizeof(struct smb_call), SMB_CALLS_MAX};

enum { TABLE_FIRST = 8 };

/* -- tables ------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= UINT64_C(0x9e3779b97f4a7c15);
    return x ^ x >> 29;
}

uint64_t smb_key(unsigned kind, uint64_t a, uint64_t b)
{
    uint64_t key = mix(mix(mix(kind + 1) ^ a) ^ (b << 1 | b >> 63));
    return key ? key : 1;
}

static uint64_t key_at(const struct smb_table *table, uint32_t slot_size, uint32_t i)
{
    uint64_t key;
    memcpy(&key, table->slots + (size_t)i * slot_size, sizeof key);
    return key;
}

static uint32_t home_of(uint64_t key, uint32_t capacity)
{
    return (uint32_t)(mix(key) >> 20) & (capacity - 1);
}

void *smb_table_find(const struct smb_table *table, const struct smb_table_kind *kind, uint64_t key)
{
    if (!key || !table->used)
        return NULL;
    uint32_t mask = table->capacity - 1;
    for (uint32_t i = home_of(key, table->capacity);; i = (i + 1) & mask) {
        uint64_t here = key_at(table, kind->slot_size, i);
        if (here == key)
            return table->slots + (size_t)i * kind->slot_size;
        if (!here)
            return NULL;
    }
}

static uint8_t *free_slot(const struct smb_table *table, uint32_t slot_size, uint64_t key)
{
    uint32_t mask = table->capacity - 1;
    uint32_t i = home_of(key, table->capacity);
    while (key_at(table, slot_size, i))
        i = (i + 1) & mask;
    return table->slots + (size_t)i * slot_size;
}

static bool table_grow(struct dissect *d, struct smb_table *table, const struct smb_table_kind *kind)
{
    uint32_t capacity = table->capacity ? table->capacity * 2 : TABLE_FIRST;
    if (capacity > kind->capacity_max)
        return false;
    struct smb_table larger = {.capacity = capacity, .used = table->used};
    larger.slots = dissect_alloc(d, (size_t)capacity * kind->slot_size);
    if (!larger.slots)
        return false;
    for (uint32_t i = 0; i < table->capacity; i++) {
        uint64_t key = key_at(table, kind->slot_size, i);
        if (key)
            memcpy(free_slot(&larger, kind->slot_size, key), table->slots + (size_t)i * kind->slot_size,
                   kind->slot_size);
    }
    if (table->slots)
        dissect_free(d, table->slots, (size_t)table->capacity * kind->slot_size);
    *table = larger;
    return true;
}

void *smb_table_add(struct dissect *d, struct smb_table *table, const struct smb_table_kind *kind,
                    uint64_t key)
{
    void *slot = smb_table_find(table, kind, key);
    if (slot)
        return slot;
    if ((table->used + 1) * 8 > table->capacity * 7 && !table_grow(d, table, kind))
        return NULL;
    slot = free_slot(table, kind->slot_size, key);
    memset(slot, 0, kind->slot_size);
    memcpy(slot, &key, sizeof key);
    table->used++;
    return slot;
}

void smb_table_remove(struct smb_table *table, const struct smb_table_kind *kind, void *slot)
{
    uint32_t mask = table->capacity - 1;
    uint32_t hole = (uint32_t)((size_t)((uint8_t *)slot - table->slots) / kind->slot_size);
    for (uint32_t i = (hole + 1) & mask;; i = (i + 1) & mask) {
        uint64_t key = key_at(table, kind->slot_size, i);
        if (!key)
            break;
        /* What would no longer be found past the hole moves into it. */
        uint32_t home = home_of(key, table->capacity);
        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        memcpy(table->slots + (size_t)hole * kind->slot_size, table->slots + (size_t)i * kind->slot_size,
               kind->slot_size);
        hole = i;
    }
    memset(table->slots + (size_t)hole * kind->slot_size, 0, kind->slot_size);
    table->used--;
}

/* -- objects -------------------------------------------------------------------------------------------- */

static void object_end(struct dissect *d, struct smb_object *object)
{
    if (object->type == SMB_OBJECT_FILE)
        smb_file_end(d, (struct smb_file *)object, false);
    else if (object->type == SMB_OBJECT_SESSION)
        smb_session_end(d, (struct smb_session *)object);
    else
        smb_object_free(d, object);
}

void *smb_object_find(struct dissect *d, enum smb_object_type type, uint64_t key)
{
    const struct smb_flow *flow = d->state;
    struct smb_object_slot *slot = smb_table_find(&flow->objects, &smb_objects_kind, key);
    return slot && slot->object->type == type ? slot->object : NULL;
}

static bool object_place(struct dissect *d, struct smb_object *object, uint64_t key)
{
    struct smb_flow *flow = d->state;
    struct smb_object_slot *slot = smb_table_find(&flow->objects, &smb_objects_kind, key);
    if (slot)
        object_end(d, slot->object);
    slot = smb_table_add(d, &flow->objects, &smb_objects_kind, key);
    if (!slot)
        return false;
    slot->object = object;
    object->key = key;
    return true;
}

void *smb_object_new(struct dissect *d, enum smb_object_type type, uint64_t key, size_t size)
{
    struct smb_object *object = dissect_alloc(d, size);
    if (!object)
        return NULL;
    object->type = (uint8_t)type;
    object->memory = (uint32_t)size;
    if (object_place(d, object, key))
        return object;
    dissect_free(d, object, size);
    return NULL;
}

static void object_remove(struct dissect *d, const struct smb_object *object)
{
    struct smb_flow *flow = d->state;
    struct smb_object_slot *slot = smb_table_find(&flow->objects, &smb_objects_kind, object->key);
    if (slot && slot->object == object)
        smb_table_remove(&flow->objects, &smb_objects_kind, slot);
}

void *smb_object_rekey(struct dissect *d, void *object_, uint64_t key)
{
    struct smb_object *object = object_;
    if (object->key == key)
        return object;
    object_remove(d, object);
    if (object_place(d, object, key))
        return object;
    object->key = 0;
    object_end(d, object);
    return NULL;
}

void smb_object_free(struct dissect *d, void *object_)
{
    struct smb_object *object = object_;
    object_remove(d, object);
    dissect_free(d, object, object->memory);
}

struct smb_call *smb_call_new(struct dissect *d, uint64_t key, uint16_t command, uint64_t subject)
{
    struct smb_flow *flow = d->state;
    struct smb_call *call = smb_table_add(d, &flow->calls, &smb_calls_kind, key);
    if (!call && flow->calls.used >= SMB_CALLS_MAX * 7 / 8 - 1) {
        /* Thousands of requests without a reply: one direction is not captured. None of them will come. */
        memset(flow->calls.slots, 0, (size_t)flow->calls.capacity * smb_calls_kind.slot_size);
        flow->calls.used = 0;
        call = smb_table_add(d, &flow->calls, &smb_calls_kind, key);
    }
    if (!call)
        return NULL;
    call->command = command;
    call->subject = subject;
    call->flags = 0;
    return call;
}

bool smb_call_take(struct dissect *d, uint64_t key, struct smb_call *to)
{
    struct smb_flow *flow = d->state;
    struct smb_call *call = smb_table_find(&flow->calls, &smb_calls_kind, key);
    if (!call)
        return false;
    *to = *call;
    smb_table_remove(&flow->calls, &smb_calls_kind, call);
    return true;
}

uint64_t smb_session_key(uint64_t id)
{
    return smb_key(SMB_OBJECT_SESSION, id, 0);
}

uint64_t smb_tree_key(uint64_t scope, uint32_t tree_id)
{
    return smb_key(SMB_OBJECT_TREE, scope, tree_id);
}

uint64_t smb_negotiation_key(void)
{
    return smb_key(SMB_OBJECT_NEGOTIATION, 0, 0);
}

struct smb_session *smb_session_find(struct dissect *d, uint64_t id)
{
    return smb_object_find(d, SMB_OBJECT_SESSION, smb_session_key(id));
}

struct smb_tree *smb_tree_find(struct dissect *d, uint64_t scope, uint32_t tree_id)
{
    return smb_object_find(d, SMB_OBJECT_TREE, smb_tree_key(scope, tree_id));
}

/* -- names ---------------------------------------------------------------------------------------------- */

enum { PIPE_NAME_MAX = 32 };

/* The text as lower-case ASCII without leading backslashes; empty when it has other letters or is longer. */
static size_t plain_name(struct bytes text, bool unicode, char to[PIPE_NAME_MAX])
{
    size_t unit = unicode ? 2 : 1;
    size_t size = 0;
    for (size_t i = 0; i + unit <= text.size; i += unit) {
        uint8_t c = text.data[i];
        if (c > 0x7f || (unicode && text.data[i + 1]) || size == PIPE_NAME_MAX)
            return 0;
        if (c == '\\' && !size)
            continue;
        to[size++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    return size;
}

enum smb_share smb_share_by_path(struct bytes path, bool unicode)
{
    /* Of \\server\IPC$ only the end matters, the server's name may be long. */
    size_t tail = (unicode ? 2 : 1) * 5;
    if (path.size < tail)
        return SMB_SHARE_UNKNOWN;
    char name[PIPE_NAME_MAX];
    struct bytes end = {.data = path.data + path.size - tail, .size = tail};
    size_t size = plain_name(end, unicode, name);
    return size == 4 && memcmp(name, "ipc$", 4) == 0 ? SMB_SHARE_PIPE : SMB_SHARE_UNKNOWN;
}

/* Pipes that carry RPC ([MS-RPCE] 2.1.1.2 and the endpoints of the interfaces). */
static bool is_pipe_name(const char *name, size_t size)
{
    static const char *const names[] = {
        "atsvc",        "browser",  "cert",     "dnsserver",
        "efsrpc",       "epmapper", "eventlog", "fssagentrpc",
        "initshutdown", "keysvc",   "lsarpc",   "lsass",
        "netdfs",       "netlogon", "ntsvcs",   "protected_storage",
        "router",       "samr",     "scerpc",   "spoolss",
        "srvsvc",       "svcctl",   "trkwks",   "w32time",
        "winreg",       "wkssvc",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == size && memcmp(names[i], name, size) == 0)
            return true;
    return false;
}

enum smb_pipe_state smb_pipe_by_name(const struct smb_tree *tree, struct bytes name, bool unicode)
{
    if (tree && tree->share == SMB_SHARE_PIPE)
        return SMB_PIPE_YES;
    if (tree && tree->share != SMB_SHARE_UNKNOWN)
        return SMB_PIPE_NO;
    char plain[PIPE_NAME_MAX];
    return is_pipe_name(plain, plain_name(name, unicode, plain)) ? SMB_PIPE_YES : SMB_PIPE_UNKNOWN;
}

static bool is_share(unsigned share)
{
    return share >= SMB_SHARE_DISK && share <= SMB_SHARE_PRINT;
}

void smb_tree_answered(struct dissect *d, struct smb_tree *tree, uint64_t scope, uint32_t tree_id,
                       unsigned share)
{
    tree->head.pending = false;
    tree->scope = scope;
    tree->id = tree_id;
    if (is_share(share))
        tree->share = (uint8_t)share;
    smb_object_rekey(d, tree, smb_tree_key(scope, tree_id));
}

/* -- fields ---------------------------------------------------------------------------------------------- */

void smb_put_account(struct dissect *d, struct activity_writer *w, uint64_t session_id)
{
    activity_put_uint(w, FIELD_SMB_SESSION, session_id);
    const struct smb_session *session = smb_session_find(d, session_id);
    if (session)
        gss_put_account(d, w, &session->gss);
}

void smb_put_share(struct dissect *d, struct activity_writer *w, uint64_t scope, uint32_t tree_id)
{
    const struct smb_tree *tree = smb_tree_find(d, scope, tree_id);
    if (tree)
        dissect_put_text(w, FIELD_SHARE_PATH, (struct bytes){tree->path, tree->path_size}, tree->unicode);
}

static void put_mechanism(struct activity_writer *w, const struct gss_exchange *gss)
{
    static const char *const names[] = {
        [GSS_SPNEGO] = "spnego", [GSS_KERBEROS] = "kerberos", [GSS_NTLM] = "ntlm"};
    if (gss->mechanism < sizeof names / sizeof *names && names[gss->mechanism])
        activity_put_text(w, FIELD_SESSION_MECHANISM, names[gss->mechanism]);
}

/* [MS-DTYP] 2.3.3: 100 ns since 1601. Left out when it is not a time that nanoseconds since 1970 can tell. */
void smb_put_share_type(struct activity_writer *w, unsigned share)
{
    static const char *const names[] = {
        [SMB_SHARE_DISK] = "disk", [SMB_SHARE_PIPE] = "pipe", [SMB_SHARE_PRINT] = "print"};
    if (is_share(share))
        activity_put_text(w, FIELD_SHARE_TYPE, names[share]);
}

void smb_put_filetime(struct activity_writer *w, enum activity_field field, uint64_t filetime)
{
    const uint64_t to_1970 = UINT64_C(116444736000000000);
    if (filetime > to_1970 && filetime - to_1970 < INT64_MAX / 100)
        activity_put_time(w, field, (int64_t)(filetime - to_1970) * 100);
}

void smb_put_ids(struct activity_writer *w, enum activity_field field, struct bytes ids)
{
    if (ids.size < 2 || !activity_list_begin(w, field))
        return;
    struct cursor c = cursor_of_bytes(ids);
    while (cursor_left(&c) >= 2)
        activity_list_uint(w, cursor_le16(&c));
    activity_list_end(w);
}

/* -- files ------------------------------------------------------------------------------------------------
 */

static void put_open(struct dissect *d, struct activity_writer *w, const struct smb_file *file)
{
    dissect_put_text(w, FIELD_FILE_PATH, (struct bytes){file->name, file->name_size}, file->unicode);
    smb_put_share(d, w, file->scope, file->tree_id);
    smb_put_account(d, w, file->session_id);
    activity_put_uint(w, FIELD_SMB_VERSION, file->version);
    if (file->unseen) {
        activity_put_bool(w, FIELD_OPEN_NOT_SEEN, true);
        return;
    }
    activity_put_uint(w, FIELD_DESIRED_ACCESS, file->desired_access);
    activity_put_uint(w, FIELD_SHARE_ACCESS, file->share_access);
    activity_put_uint(w, FIELD_CREATE_DISPOSITION, file->disposition);
    activity_put_uint(w, FIELD_CREATE_OPTIONS, file->options);
}

static void put_used(struct activity_writer *w, const struct smb_file *file, bool closed)
{
    if (file->reads) {
        activity_put_uint(w, FIELD_READS, file->reads);
        activity_put_uint(w, FIELD_READ_BYTES, file->read_bytes);
    }
    if (file->writes) {
        activity_put_uint(w, FIELD_WRITES, file->writes);
        activity_put_uint(w, FIELD_WRITE_BYTES, file->write_bytes);
    }
    if (file->listings)
        activity_put_uint(w, FIELD_LISTINGS, file->listings);
    if (file->pattern)
        dissect_put_text(w, FIELD_LISTING_PATTERN, (struct bytes){file->pattern, file->pattern_size},
                         file->unicode);
    if (file->deleted)
        activity_put_bool(w, FIELD_DELETED, true);
    if (file->security_changed)
        activity_put_bool(w, FIELD_SECURITY_CHANGED, true);
    if (file->renamed)
        dissect_put_text(w, FIELD_RENAMED_TO, (struct bytes){file->renamed, file->renamed_size},
                         file->unicode);
    activity_put_bool(w, FIELD_CLOSED, closed);
}

/* An smb_open is written when it is over, but it is dated to when it began. */
static struct activity_writer *begin_at(struct dissect *d, enum activity_kind kind, int64_t began)
{
    int64_t now = d->time;
    d->time = began;
    struct activity_writer *w = dissect_begin(d, kind);
    d->time = now;
    return w;
}

static void file_free(struct dissect *d, struct smb_file *file)
{
    if (file->association)
        dcerpc_end(d, &file->association);
    if (file->renamed)
        dissect_free(d, file->renamed, file->renamed_size);
    if (file->pattern)
        dissect_free(d, file->pattern, file->pattern_size);
    smb_object_free(d, file);
}

void smb_file_end(struct dissect *d, struct smb_file *file, bool closed)
{
    /* Calls on the pipe that wait are written first: one activity is under construction at a time. */
    if (file->association)
        dcerpc_end(d, &file->association);
    bool unsealed = d->unsealed; /* of what ended it */
    d->unsealed |= file->unsealed;
    struct activity_writer *w = begin_at(d, ACTIVITY_SMB_OPEN, file->opened);
    put_open(d, w, file);
    if (file->head.pending) {
        activity_put_bool(w, FIELD_ANSWERED, false);
    } else {
        if (!file->unseen) {
            activity_put_uint(w, FIELD_STATUS, 0);
            activity_put_uint(w, FIELD_CREATE_ACTION, file->action);
            activity_put_uint(w, FIELD_FILE_ATTRIBUTES, file->attributes);
            activity_put_uint(w, FIELD_FILE_SIZE, file->size);
            activity_put_bool(w, FIELD_IS_DIRECTORY, file->directory);
        }
        activity_put_bool(w, FIELD_IS_PIPE, file->pipe == SMB_PIPE_YES);
        put_used(w, file, closed);
        activity_put_duration(w, FIELD_DURATION, d->time > file->opened ? d->time - file->opened : 0);
    }
    dissect_emit(d);
    d->unsealed = unsealed;
    file_free(d, file);
}

void smb_file_failed(struct dissect *d, struct smb_file *file, uint32_t status)
{
    struct activity_writer *w = begin_at(d, ACTIVITY_SMB_OPEN, file->opened);
    put_open(d, w, file);
    activity_put_uint(w, FIELD_STATUS, status);
    activity_put_duration(w, FIELD_DURATION, d->time > file->opened ? d->time - file->opened : 0);
    dissect_emit(d);
    file_free(d, file);
}

struct smb_file *smb_file_unseen(struct dissect *d, uint64_t key, uint64_t session_id, uint32_t tree_id,
                                 uint8_t version)
{
    struct smb_file *file = smb_object_new(d, SMB_OBJECT_FILE, key, sizeof *file);
    if (!file)
        return NULL;
    file->unseen = true;
    file->unsealed = d->unsealed;
    file->session_id = session_id;
    file->scope = version == 1 ? SMB1_TREES : session_id;
    file->tree_id = tree_id;
    file->version = version;
    file->opened = d->time;
    file->pipe = (uint8_t)smb_pipe_by_name(smb_tree_find(d, file->scope, tree_id), (struct bytes){0}, true);
    return file;
}

static void associate(struct dissect *d, struct smb_file *file)
{
    uint8_t name[128];
    size_t size = 0;
    bool cut = false;
    if (file->unicode)
        size = utf8_from_utf16(name, sizeof name, file->name, file->name_size / 2, &cut);
    else
        size = utf8_copy(name, sizeof name, file->name, file->name_size, &cut);
    struct bytes pipe = {.data = name, .size = size};
    while (pipe.size && *pipe.data == '\\') {
        pipe.data++;
        pipe.size--;
    }
    const struct smb_session *session = smb_session_find(d, file->session_id);
    if (session && session->gss.client)
        dissect_collect(d);
    const char *account = session && session->gss.account[0] ? session->gss.account : NULL;
    const char *domain = session && session->gss.domain[0] ? session->gss.domain : NULL;
    file->association = dcerpc_new(d, "smb", pipe, file->head.key, account, domain);
    struct smb_flow *flow = d->state;
    if (file->association)
        dcerpc_share(file->association, &flow->rpc_contexts);
}

void smb_pipe_data(struct dissect *d, struct smb_file *file, struct bytes data, bool cut)
{
    if (file->pipe == SMB_PIPE_NO)
        return;
    if (file->pipe == SMB_PIPE_UNKNOWN) {
        if (!dcerpc_is_pdu(data))
            return;
        file->pipe = SMB_PIPE_YES;
    }
    if (!data.size && !cut)
        return;
    if (!file->association)
        associate(d, file);
    if (!file->association)
        return;
    dcerpc_feed(d, file->association, cursor_of_bytes(data));
    if (cut)
        dcerpc_gap(d, file->association);
}

void smb_file_read(struct dissect *d, struct smb_file *file, uint32_t length, struct bytes data, bool cut)
{
    file->reads++;
    file->read_bytes += length;
    smb_pipe_data(d, file, data, cut);
}

void smb_file_written(struct dissect *d, struct smb_file *file, struct bytes data, bool cut)
{
    smb_pipe_data(d, file, data, cut);
}

uint8_t *smb_keep(struct dissect *d, struct bytes text, uint16_t *size)
{
    size_t kept = text.size < SMB_PATH_MAX ? text.size : SMB_PATH_MAX;
    uint8_t *copy = kept ? dissect_alloc(d, kept) : NULL;
    *size = copy ? (uint16_t)kept : 0;
    if (copy)
        memcpy(copy, text.data, kept);
    return copy;
}

void smb_file_renamed(struct dissect *d, struct smb_file *file, struct bytes name)
{
    if (!name.size)
        return;
    if (file->renamed)
        dissect_free(d, file->renamed, file->renamed_size);
    file->renamed = smb_keep(d, name, &file->renamed_size);
}

/* -- ends ---------------------------------------------------------------------------------------------------
 */

typedef bool (*object_matcher)(const struct smb_object *object, uint64_t owner, uint32_t tree_id);

static bool file_of_tree(const struct smb_object *object, uint64_t scope, uint32_t tree_id)
{
    const struct smb_file *file = (const struct smb_file *)object;
    return object->type == SMB_OBJECT_FILE && file->scope == scope && file->tree_id == tree_id;
}

static bool file_of_session(const struct smb_object *object, uint64_t session_id, uint32_t tree_id)
{
    (void)tree_id;
    const struct smb_file *file = (const struct smb_file *)object;
    return object->type == SMB_OBJECT_FILE && file->session_id == session_id;
}

static bool tree_of_session(const struct smb_object *object, uint64_t session_id, uint32_t tree_id)
{
    (void)tree_id;
    const struct smb_tree *tree = (const struct smb_tree *)object;
    return object->type == SMB_OBJECT_TREE && tree->scope == session_id;
}

static bool any_file(const struct smb_object *object, uint64_t session_id, uint32_t tree_id)
{
    (void)session_id;
    (void)tree_id;
    return object->type == SMB_OBJECT_FILE;
}

static bool any_session(const struct smb_object *object, uint64_t session_id, uint32_t tree_id)
{
    (void)session_id;
    (void)tree_id;
    return object->type == SMB_OBJECT_SESSION;
}

static const struct smb_object_slot *object_slot(const struct smb_flow *flow, uint32_t i)
{
    const void *slot = flow->objects.slots + (size_t)i * sizeof(struct smb_object_slot);
    return slot;
}

/* Ends what matches. A removal moves later slots back, also around the table's end: the same place is looked
 * at again, and what a wrap brought to the front is found by a second pass. */
static void end_matching(struct dissect *d, object_matcher matches, uint64_t owner, uint32_t tree_id)
{
    struct smb_flow *flow = d->state;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < flow->objects.capacity;) {
            const struct smb_object_slot *slot = object_slot(flow, i);
            if (slot->key && matches(slot->object, owner, tree_id))
                object_end(d, slot->object);
            else
                i++;
        }
    }
}

void smb_tree_end(struct dissect *d, uint64_t scope, uint32_t tree_id)
{
    end_matching(d, file_of_tree, scope, tree_id);
    struct smb_tree *tree = smb_tree_find(d, scope, tree_id);
    if (tree)
        smb_object_free(d, tree);
}

static void emit_sealed(struct dissect *d, const struct smb_session *session)
{
    struct activity_writer *w = begin_at(d, ACTIVITY_SMB_ENCRYPTED, session->sealed_since);
    activity_put_uint(w, FIELD_SMB_SESSION, session->id);
    activity_put_bool(w, FIELD_SEALED, true);
    activity_put_uint(w, FIELD_SEALED_REQUESTS, session->sealed_messages[TO_SERVER]);
    activity_put_uint(w, FIELD_SEALED_REQUEST_BYTES, session->sealed_bytes[TO_SERVER]);
    activity_put_uint(w, FIELD_SEALED_REPLIES, session->sealed_messages[TO_CLIENT]);
    activity_put_uint(w, FIELD_SEALED_REPLY_BYTES, session->sealed_bytes[TO_CLIENT]);
    gss_put_account(d, w, &session->gss);
    activity_put_duration(w, FIELD_DURATION,
                          d->time > session->sealed_since ? d->time - session->sealed_since : 0);
    dissect_emit(d);
}

/* The gss activity of a set-up whose end was not seen stays deferred: the engine writes it as unanswered.
 * Otherwise the exchange gives back what it kept. */
void smb_session_end(struct dissect *d, struct smb_session *session)
{
    if (session->id) { /* else it never began */
        end_matching(d, file_of_session, session->id, 0);
        end_matching(d, tree_of_session, session->id, 0);
    }
    if (session->sealed_messages[TO_SERVER] || session->sealed_messages[TO_CLIENT])
        emit_sealed(d, session);
    smb_unseal_end(d, session);
    if (!session->gss.pending)
        gss_end(d, &session->gss);
    else
        gss_forget(d, &session->gss);
    smb_object_free(d, session);
}

void smb_flow_gap(struct dissect *d)
{
    const struct smb_flow *flow = d->state;
    for (uint32_t i = 0; i < flow->objects.capacity; i++) {
        const struct smb_object_slot *slot = object_slot(flow, i);
        if (!slot->key)
            continue;
        struct smb_file *file = (struct smb_file *)slot->object;
        if (file->head.type == SMB_OBJECT_FILE && file->association)
            dcerpc_gap(d, file->association);
        else if (file->head.type == SMB_OBJECT_SESSION)
            smb_unseal_gap((struct smb_session *)slot->object);
    }
}

void smb_flow_end(struct dissect *d)
{
    end_matching(d, any_file, 0, 0);
    end_matching(d, any_session, 0, 0);
}

/* -- session set-up ----------------------------------------------------------------------------------------
 */

struct smb_session *smb_session_begin(struct dissect *d, uint64_t id, uint64_t pending_key)
{
    struct smb_session *session = id ? smb_session_find(d, id) : NULL;
    if (session)
        return session;
    struct smb_flow *flow = d->state;
    session = smb_object_new(d, SMB_OBJECT_SESSION, id ? smb_session_key(id) : pending_key, sizeof *session);
    if (!session)
        return NULL;
    session->id = id;
    session->number = ++flow->sessions;
    session->head.pending = !id;
    return session;
}

void smb_count_token(struct dissect *d, struct bytes token)
{
    if (!token.size)
        return;
    struct gss_exchange exchange;
    memset(&exchange, 0, sizeof exchange);
    gss_token(d, &exchange, cursor_of_bytes(token), "smb", UINT64_MAX);
    gss_end(d, &exchange);
}

static void put_identity(const struct dissect *d, struct activity_writer *w, const struct gss_exchange *gss)
{
    put_mechanism(w, gss);
    gss_put_account(d, w, gss);
}

void smb_session_noted(struct dissect *d, const struct smb_session *session)
{
    if (!session->gss.account[0])
        return;
    uint64_t key = smb_key(SMB_OBJECT_SESSION, session->number, 1);
    struct activity_writer *w = dissect_revisit(d, key);
    if (!w)
        return;
    put_identity(d, w, &session->gss);
    dissect_defer(d, key);
}

struct activity_writer *smb_session_outcome(struct dissect *d, struct smb_session *session, uint32_t status)
{
    gss_outcome(d, &session->gss, status);
    if (!session->waiting)
        return NULL;
    session->waiting = false;
    struct activity_writer *w = dissect_resume(d, smb_key(SMB_OBJECT_SESSION, session->number, 1));
    if (!w)
        return NULL;
    activity_put_uint(w, FIELD_SMB_SESSION, session->id);
    activity_put_uint(w, FIELD_STATUS, status);
    put_identity(d, w, &session->gss);
    return w;
}

struct smb_session *smb_session_answered(struct dissect *d, uint64_t subject, uint64_t id)
{
    struct smb_session *session = subject ? smb_object_find(d, SMB_OBJECT_SESSION, subject) : NULL;
    if (!session)
        return id ? smb_session_begin(d, id, 0) : NULL;
    if (session->head.pending && id) {
        session->head.pending = false;
        session->id = id;
        session = smb_object_rekey(d, session, smb_session_key(id));
    }
    return session;
}

void smb_session_settle(struct dissect *d, struct smb_session *session, uint32_t status)
{
    if (status == 0)
        session->established = true;
    else if (!session->established)
        smb_session_end(d, session);
}

uint64_t smb_file_want(const struct smb_file *file, struct bytes start, uint64_t total, uint64_t header_size,
                       uint64_t offset, uint32_t *more)
{
    if (offset < header_size || offset > total)
        return total;
    if (file && file->pipe == SMB_PIPE_YES)
        return total;
    if (file && file->pipe == SMB_PIPE_NO)
        return offset;
    uint64_t peek = offset + SMB_PIPE_PEEK < total ? offset + SMB_PIPE_PEEK : total;
    if (start.size < peek) {
        *more = (uint32_t)peek;
        return 0;
    }
    struct bytes data = {.data = start.data + offset, .size = (size_t)(peek - offset)};
    /* A raw write of SMB 1 to a pipe begins with the message's length (smb1_write_request_parse). */
    struct bytes after = {.data = data.data + 2, .size = data.size >= 2 ? data.size - 2 : 0};
    return dcerpc_is_pdu(data) || dcerpc_is_pdu(after) ? total : offset;
}
