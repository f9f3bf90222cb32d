/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/service_name.h"

#include <strings.h>

static const uint8_t *find(struct bytes text, size_t from, const char *any)
{
    for (size_t i = from; i < text.size; i++)
        if (text.data[i] && strchr(any, text.data[i]))
            return text.data + i;
    return NULL;
}

bool service_name_parse(struct bytes text, struct service_name *to)
{
    const uint8_t *realm = find(text, 0, "@");
    if (realm)
        text.size = (size_t)(realm - text.data);
    const uint8_t *slash = find(text, 0, "/");
    if (!slash || slash == text.data)
        return false;
    size_t from = (size_t)(slash - text.data) + 1;
    const uint8_t *end = find(text, from, ":/");
    size_t to_end = end ? (size_t)(end - text.data) : text.size;
    *to = (struct service_name){
        .service = {text.data, from - 1},
        .host = {text.data + from, to_end - from},
        .rest = {text.data + to_end, text.size - to_end},
    };
    return to->host.size > 0;
}

bool service_name_is(struct bytes service, const char *name)
{
    return strlen(name) == service.size && strncasecmp((const char *)service.data, name, service.size) == 0;
}

bool service_name_is_mapped(struct bytes service)
{
    /* In the order of how often they are met. */
    static const char *const mapped[] = {
        "cifs",        "http",       "dns",      "rpcss",        "dcom",     "netlogon",   "www",
        "wins",        "schedule",   "spooler",  "eventlog",     "samss",    "alerter",    "appmgmt",
        "cisvc",       "clipsrv",    "browser",  "dhcp",         "dnscache", "replicator", "eventsystem",
        "policyagent", "oakley",     "dmserver", "mcsvc",        "fax",      "msiserver",  "ias",
        "messenger",   "netman",     "netdde",   "netddedsm",    "nmagent",  "plugplay",   "protectedstorage",
        "rasman",      "rpclocator", "rpc",      "remoteaccess", "rsvp",     "scardsvr",   "scesrv",
        "seclogon",    "scm",        "snmp",     "tapisrv",      "trksvr",   "trkwks",     "ups",
        "time",        "w3svc",      "iisadmin", "msdtc",
    };
    for (size_t i = 0; i < sizeof(mapped) / sizeof(mapped[0]); i++)
        if (service_name_is(service, mapped[i]))
            return true;
    return false;
}
