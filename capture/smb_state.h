/* SPDX-License-Identifier: Apache-2.0
 *
 * What one SMB connection is known to hold: sessions, trees, open files, outstanding requests. Inside of the
 * SMB dissector (smb_flow.c, smb1_flow.c, smb2_flow.c, smb_state.c).
 *
 * Sessions, trees and files stand in one open-hashed table; their keys mix the kind and the identifiers of
 * the wire, so that SMB 1's 16-bit and SMB 2's 128-bit numbers live alike. All memory is the flow's.
 */
#pragma once

#include "capture/dcerpc.h"
#include "capture/gss.h"
#include "capture/smb1.h"
#include "capture/smb2.h"

enum {
    NBSS_HEADER_SIZE = 4,
    SMB_PATH_MAX = 1024,    /* bytes kept of a path on the wire */
    SMB_OBJECTS_MAX = 4096, /* slots: a table's memory is at most 64 KiB */
    SMB_CALLS_MAX = 2048,
};

enum smb_status {
    STATUS_PENDING = 0x00000103,
    STATUS_BUFFER_OVERFLOW = 0x80000005,
    STATUS_MORE_PROCESSING_REQUIRED = 0xc0000016,
};

/* -- tables ------------------------------------------------------------------------------------------- */

/* Open addressing with linear probing; each slot begins with its key, 0 is an empty one. */
struct smb_table {
    uint8_t *slots;
    uint32_t capacity; /* a power of two, or 0 */
    uint32_t used;
};

struct smb_table_kind {
    uint32_t slot_size;
    uint32_t capacity_max;
};

extern const struct smb_table_kind smb_objects_kind;
extern const struct smb_table_kind smb_calls_kind;

/* The slot with this key; NULL when there is none. */
void *smb_table_find(const struct smb_table *table, const struct smb_table_kind *kind, uint64_t key);

/* The slot with this key, or a new one, zeroed but for its key. NULL when it is full or without memory. */
void *smb_table_add(struct dissect *d, struct smb_table *table, const struct smb_table_kind *kind,
                    uint64_t key);

void smb_table_remove(struct smb_table *table, const struct smb_table_kind *kind, void *slot);

/* -- what they hold ------------------------------------------------------------------------------------ */

enum smb_object_type {
    SMB_OBJECT_SESSION = 1,
    SMB_OBJECT_TREE,
    SMB_OBJECT_FILE,
    SMB_OBJECT_CALL, /* no object: names the keys of activities that wait for a reply */
    SMB_OBJECT_NEGOTIATION,
    SMB_OBJECT_NETBIOS,
};

struct smb_object {
    uint8_t type; /* enum smb_object_type */
    bool pending; /* its reply is outstanding: it stands under the request's key */
    uint32_t memory;
    uint64_t key;
};

struct smb_object_slot {
    uint64_t key;
    struct smb_object *object;
};

struct smb_session {
    struct smb_object head;
    uint64_t id;     /* of the wire */
    uint64_t number; /* unique in the flow */
    bool waiting;    /* an smb_session activity waits for the end of the set-up */
    bool established;
    int64_t sealed_since;
    uint64_t sealed_messages[2]; /* by enum direction */
    uint64_t sealed_bytes[2];
    struct gss_exchange gss;
    struct smb_session_keys *keys; /* smb_unseal.c; NULL without an unsealer */
};

enum smb_share {
    SMB_SHARE_UNKNOWN = 0,
    SMB_SHARE_DISK = 1,
    SMB_SHARE_PIPE = 2,
    SMB_SHARE_PRINT = 3,
};

/* Tree ids belong to a session in SMB 2, to the connection in SMB 1 ([MS-CIFS] 2.2.1.6.7), where any user may
 * use them: this stands for the session then. */
#define SMB1_TREES UINT64_MAX

struct smb_tree {
    struct smb_object head;
    uint64_t scope; /* the session, or SMB1_TREES */
    uint32_t id;
    uint8_t share; /* enum smb_share */
    bool unicode;
    uint16_t path_size;
    uint8_t path[]; /* as on the wire */
};

enum smb_pipe_state {
    SMB_PIPE_UNKNOWN, /* look at its data */
    SMB_PIPE_YES,
    SMB_PIPE_NO,
};

struct smb_file {
    struct smb_object head;
    uint64_t session_id;
    uint64_t scope; /* of its tree */
    uint64_t size;
    uint64_t read_bytes;
    uint64_t write_bytes;
    int64_t opened;
    uint32_t tree_id;
    uint32_t desired_access;
    uint32_t share_access;
    uint32_t disposition;
    uint32_t options;
    uint32_t action;
    uint32_t attributes;
    uint32_t reads;
    uint32_t writes;
    uint32_t listings;
    uint8_t version; /* 1 or 2 */
    uint8_t pipe;    /* enum smb_pipe_state */
    bool unseen;     /* its opening was not captured */
    bool unsealed;   /* its opening was encrypted, and read through a key */
    bool directory;
    bool deleted;
    bool security_changed;
    bool unicode;
    uint16_t renamed_size;
    uint16_t pattern_size;
    uint16_t name_size;
    uint8_t *renamed;
    uint8_t *pattern; /* of the first listing that is not of everything */
    struct dcerpc_association *association;
    uint8_t name[]; /* as on the wire */
};

/* A request that waits for its reply. */
struct smb_call {
    uint64_t key;     /* of the message id */
    uint64_t subject; /* key of the session, tree or file that it is about; 0: none */
    uint16_t command;
    uint16_t flags; /* enum smb_call_flags */
};

enum smb_call_flags {
    SMB_CALL_DEFERRED = 1, /* an activity waits */
    SMB_CALL_PIPE = 2,     /* SMB 1: a transaction whose data is a pipe's */
    SMB_CALL_RELATED = 4,  /* on the file of the CREATE before it in its compound */
};

/* The state of one connection; 0 at its start. */
struct smb_flow {
    struct smb_table objects;
    struct smb_table calls;
    uint64_t sessions;       /* numbers given */
    uint64_t related_create; /* key of the last CREATE's message id, and of the file that it opened */
    uint64_t related_file;
    struct dcerpc_shared *rpc_contexts; /* what the pipes know of each other */
    struct smb_negotiated *negotiated;  /* smb_unseal.c; NULL without an unsealer */
    uint8_t *smb1_dialects;             /* offered; until the answer */
    uint16_t smb1_dialects_size;
    uint16_t dialect; /* of SMB 2 */
    uint8_t version;
    uint8_t smb1_security_mode;
    bool smb1_negotiated;
    bool negotiating; /* an smb_negotiate activity waits */
    bool compressed_seen;
};

/* A key from a kind and two numbers; never 0. */
uint64_t smb_key(unsigned kind, uint64_t a, uint64_t b);

static inline uint64_t smb_call_key(uint64_t message_id)
{
    return message_id + 1 ? message_id + 1 : ~UINT64_C(1);
}

/* Puts a new object of `size` bytes in all under its key. NULL without memory, or when the table is full.
 * What stood there before is ended. */
void *smb_object_new(struct dissect *d, enum smb_object_type type, uint64_t key, size_t size);
/* The object under a key, when it is of that type. */
void *smb_object_find(struct dissect *d, enum smb_object_type type, uint64_t key);
/* Gives it another key: its reply told its identifier. NULL, and it is freed, when there is no room. */
void *smb_object_rekey(struct dissect *d, void *object, uint64_t key);
void smb_object_free(struct dissect *d, void *object);

struct smb_call *smb_call_new(struct dissect *d, uint64_t key, uint16_t command, uint64_t subject);
/* Takes the call out of the table into `to`. False when there is none. */
bool smb_call_take(struct dissect *d, uint64_t key, struct smb_call *to);

/* --- shared by both versions (smb_state.c) --- */

/* Ends a file: writes its smb_open (`closed`: by the client), ends its association and frees it. */
void smb_file_end(struct dissect *d, struct smb_file *file, bool closed);
/* Writes the smb_open of a failed opening and frees it. */
void smb_file_failed(struct dissect *d, struct smb_file *file, uint32_t status);
/* Notes data of a file: volume, and for a pipe its RPC. `data` is what is there of `length` bytes. */
void smb_file_read(struct dissect *d, struct smb_file *file, uint32_t length, struct bytes data, bool cut);
void smb_file_written(struct dissect *d, struct smb_file *file, struct bytes data, bool cut);
/* Bytes of a pipe, whichever way they came. */
void smb_pipe_data(struct dissect *d, struct smb_file *file, struct bytes data, bool cut);
/* How much of a message whose bulk is the data of a read or write, from `offset` on, is wanted, `start` of it
 * being there: all (`total`) when it goes through a pipe, else what stands before the data. For a file that
 * is not known to be one or not (NULL too) the first data bytes tell; while they are missing `more` says how
 * many bytes of the message do, and the return is 0. */
#define SMB_PIPE_PEEK 24
uint64_t smb_file_want(const struct smb_file *file, struct bytes start, uint64_t total, uint64_t header_size,
                       uint64_t offset, uint32_t *more);
/* A file whose opening was not captured. */
struct smb_file *smb_file_unseen(struct dissect *d, uint64_t key, uint64_t session_id, uint32_t tree_id,
                                 uint8_t version);
/* Keeps a text of the wire in the flow's memory; NULL when it is empty or without memory. */
uint8_t *smb_keep(struct dissect *d, struct bytes text, uint16_t *size);
/* Keeps the new name. */
void smb_file_renamed(struct dissect *d, struct smb_file *file, struct bytes name);

/* Ends a tree, or a session with its trees, and the files opened there. */
void smb_tree_end(struct dissect *d, uint64_t scope, uint32_t tree_id);
void smb_session_end(struct dissect *d, struct smb_session *session);
/* Bytes in d->direction were lost: the pipes' streams have holes. */
void smb_flow_gap(struct dissect *d);
/* The flow is over. */
void smb_flow_end(struct dissect *d);

/* Keys of the objects. */
uint64_t smb_session_key(uint64_t id);
uint64_t smb_tree_key(uint64_t scope, uint32_t tree_id);
struct smb_session *smb_session_find(struct dissect *d, uint64_t id);
struct smb_tree *smb_tree_find(struct dissect *d, uint64_t scope, uint32_t tree_id);

/* What a share's path and a file's name tell of whether it is a pipe. */
enum smb_share smb_share_by_path(struct bytes path, bool unicode);
enum smb_pipe_state smb_pipe_by_name(const struct smb_tree *tree, struct bytes name, bool unicode);

/* Fields that many activities share. */
void smb_put_account(struct dissect *d, struct activity_writer *w, uint64_t session_id);
void smb_put_share(struct dissect *d, struct activity_writer *w, uint64_t scope, uint32_t tree_id);
void smb_put_share_type(struct activity_writer *w, unsigned share);
void smb_put_filetime(struct activity_writer *w, enum activity_field field, uint64_t filetime);
void smb_put_ids(struct activity_writer *w, enum activity_field field, struct bytes ids);

/* Session set-up, both versions: the session that a leg belongs to (a new one when none is known; NULL
 * without memory), and its end. */
struct smb_session *smb_session_begin(struct dissect *d, uint64_t id, uint64_t pending_key);
/* The session that a reply is about: the request's (`subject`, 0: not known), which is known by `id` from now
 * on. */
struct smb_session *smb_session_answered(struct dissect *d, uint64_t subject, uint64_t id);
/* The set-up is over; a session that it failed for ends. */
void smb_session_settle(struct dissect *d, struct smb_session *session, uint32_t status);
/* A tree's reply: its number, and (if it tells) what is shared. */
void smb_tree_answered(struct dissect *d, struct smb_tree *tree, uint64_t scope, uint32_t tree_id,
                       unsigned share);
/* A leg that no session could be made for is still counted. */
void smb_count_token(struct dissect *d, struct bytes token);
/* A further leg told who it is: noted in the waiting activity, for when its end is not seen. */
void smb_session_noted(struct dissect *d, const struct smb_session *session);
/* The activity that waits for the end of the set-up, d->activity again; NULL when none does. */
struct activity_writer *smb_session_outcome(struct dissect *d, struct smb_session *session, uint32_t status);

/* --- what can be read and checked through keys (smb_unseal.c); nothing without an unsealer --- */

void smb_unseal_negotiate(struct dissect *d, const struct smb2_part *request);
void smb_unseal_negotiated(struct dissect *d, const struct smb2_part *reply,
                           const struct smb2_negotiate_response *m);
/* A leg of a set-up that is part of what the keys depend on: each request, and each reply but the last. */
void smb_unseal_setup(struct dissect *d, struct smb_session *session, const struct smb2_part *leg);
/* A leg may be missing. */
void smb_unseal_gap(struct smb_session *session);
/* The set-up succeeded, of a session with keys (no guest, not anonymous). */
void smb_unseal_established(struct dissect *d, struct smb_session *session);
void smb_unseal_end(struct dissect *d, struct smb_session *session);
/* How much of an encrypted message is wanted, as smb2_flow_want. */
uint64_t smb_unseal_want(struct dissect *d, struct bytes start, uint64_t total, uint32_t *more);
/* A whole message from its transform header on. False: it stays sealed. */
bool smb_unseal_message(struct dissect *d, const struct smb_session *session, struct bytes message,
                        struct bytes *plain);
/* Checks the signature of a whole message, when it is one of those that are checked (docs/keytab.md); a bad
 * one becomes an activity. `session` may be NULL. */
void smb_unseal_check(struct dissect *d, const struct smb_session *session, const struct smb2_part *part);
/* Emits the smb_session under construction, with whether the signature of its last reply is right. */
void smb_unseal_emit_verified(struct dissect *d, const struct smb_session *session,
                              const struct smb2_part *part);

/* --- the two versions --- */

void smb1_flow_message(struct dissect *d, struct cursor c);
/* `whole`: not only its leading bytes. */
void smb2_flow_message(struct dissect *d, struct cursor c, bool whole);
void smb2_flow_encrypted(struct dissect *d, struct cursor c, bool whole);
/* `size`: what the whole message takes on the wire. */
void smb2_flow_compressed(struct dissect *d, struct cursor c, uint64_t size);
/* Leading bytes (from the protocol id) that are needed of a message of `total` bytes, of which those in
 * `start` are there; `*more` when more of them must be seen to tell. */
uint64_t smb1_flow_want(struct dissect *d, struct bytes start, uint64_t total, uint32_t *more);
uint64_t smb2_flow_want(struct dissect *d, struct bytes start, uint64_t total, uint32_t *more);
/* Under which an smb_negotiate waits, whichever version asked and whichever answers. */
uint64_t smb_negotiation_key(void);
