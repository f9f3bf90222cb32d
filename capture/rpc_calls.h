/* SPDX-License-Identifier: Apache-2.0
 *
 * The operations of the RPC interfaces: names, the kind of activity each is, and who reads its stub. Each
 * interface (or a few that belong together) has a file rpc_NAME.c with one table.
 */
#pragma once

#include "capture/dissect.h"
#include "capture/ndr.h"
#include "capture/rpc_interfaces.h"

struct dcerpc_association;

/* One call, while its request or its response is read. */
struct rpc_call {
    struct dissect *d;
    struct dcerpc_association *association;
    struct activity_writer *activity;
    enum rpc_interface interface;
    uint16_t opnum;
    uint32_t call_id;
    uint32_t status; /* in a response: what the operation returned */
    struct ndr stub;
};

enum rpc_operation_flag {
    RPC_EACH = 1,         /* every call is an activity: rare in lawful traffic, or each has facts of weight */
    RPC_NO_STATUS = 2,    /* its response does not end with a return value */
    RPC_HANDLE_LAST = 4,  /* opens a handle: it stands last in the response, before the return value */
    RPC_HANDLE_FIRST = 8, /* opens a handle: it stands first in the response */
};

struct rpc_operation {
    const char *name;
    enum activity_kind kind; /* ACTIVITY_NONE: a plain rpc_call */
    unsigned flags;
    void (*request)(struct rpc_call *call);
    void (*response)(struct rpc_call *call);
};

/* One of which no more than its name is told. */
#define RPC_PLAIN(name)                                                                                      \
    {                                                                                                        \
        name, ACTIVITY_NONE, 0, NULL, NULL                                                                   \
    }

/* By opnum; a hole has no name. */
struct rpc_operations {
    const struct rpc_operation *list;
    size_t count;
};

/* NULL when it is not known. */
const struct rpc_operation *rpc_operation_get(enum rpc_interface interface, uint16_t opnum);

extern const struct rpc_operations rpc_samr_operations;
extern const struct rpc_operations rpc_lsarpc_operations;
extern const struct rpc_operations rpc_netlogon_operations;
extern const struct rpc_operations rpc_drsuapi_operations;
extern const struct rpc_operations rpc_svcctl_operations;
extern const struct rpc_operations rpc_atsvc_operations;
extern const struct rpc_operations rpc_scheduler_operations;
extern const struct rpc_operations rpc_srvsvc_operations;
extern const struct rpc_operations rpc_wkssvc_operations;
extern const struct rpc_operations rpc_epmapper_operations;
extern const struct rpc_operations rpc_dnsserver_operations;
extern const struct rpc_operations rpc_winreg_operations;
extern const struct rpc_operations rpc_spoolss_operations;
extern const struct rpc_operations rpc_remotewinspool_operations;
extern const struct rpc_operations rpc_efsrpc_operations;
extern const struct rpc_operations rpc_backupkey_operations;
extern const struct rpc_operations rpc_netdfs_operations;
extern const struct rpc_operations rpc_sasec_operations;
extern const struct rpc_operations rpc_eventlog_operations;
extern const struct rpc_operations rpc_eventlog6_operations;
extern const struct rpc_operations rpc_wbemlogin_operations;
extern const struct rpc_operations rpc_oxidresolver_operations;
extern const struct rpc_operations rpc_remunknown_operations;
extern const struct rpc_operations rpc_dispatch_operations;
extern const struct rpc_operations rpc_enumerator_operations;
extern const struct rpc_operations rpc_systemactivator_operations;
extern const struct rpc_operations rpc_remoteactivation_operations;
extern const struct rpc_operations rpc_wbemservices_operations;

/* Puts a number of 4 bytes of the stub; nothing when it is not there. */
void rpc_put_u32(struct rpc_call *call, enum activity_field field);

/* Steps over a handle of which nothing is told. */
void rpc_skip_handle(struct rpc_call *call);

/* Puts a string of the stub, in the byte order that the stub has; nothing when it is empty. */
void rpc_put_utf16(struct rpc_call *call, enum activity_field field, struct bytes text);
void rpc_list_utf16(struct rpc_call *call, struct bytes text);

/* A UTF-16 string of the stub that follows as [unique] pointer or as [ref] string. */
void rpc_put_string16(struct rpc_call *call, enum activity_field field);
void rpc_put_string16_pointer(struct rpc_call *call, enum activity_field field);

/* RPC_UNICODE_STRING whose deferred part follows at once. */
void rpc_put_unicode_string(struct rpc_call *call, enum activity_field field);

#define RPC_LISTED_MAX 64 /* items of an array that are told */

/* A conformant array of RPC_UNICODE_STRING, as a list of those that are not empty. */
void rpc_put_unicode_strings(struct rpc_call *call, enum activity_field field);

/* -- handles: what was opened, so that calls on it can say on what they act (dcerpc.c) ----------------- */

#define RPC_HANDLE_TEXT_MAX 54

/* In the request that opens something: what it is. The handle is learnt from the response. */
void rpc_open_handle(struct rpc_call *call, struct bytes utf16, uint32_t value);
void rpc_open_handle8(struct rpc_call *call, struct bytes text);

struct rpc_handle {
    uint8_t uuid[16];
    uint32_t call_id; /* while it is being opened */
    uint32_t value;   /* a RID */
    uint8_t state;
    uint8_t size;
    char text[RPC_HANDLE_TEXT_MAX]; /* UTF-8, cut */
};

/* The same with a name in front that another handle had, and a backslash between: keys below keys. NULL when
 * there is no memory for it. */
const struct rpc_handle *rpc_open_handle_below(struct rpc_call *call, const uint8_t parent[16],
                                               struct bytes utf16);

/* NULL when it was not seen being opened. */
const struct rpc_handle *rpc_find_handle(const struct rpc_call *call, const uint8_t uuid[16]);

/* Reads a handle from the stub and puts the text it was opened by, if known. */
const struct rpc_handle *rpc_put_handle(struct rpc_call *call, enum activity_field field);
