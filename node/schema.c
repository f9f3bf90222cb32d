/* SPDX-License-Identifier: Apache-2.0 */
#include "node/schema.h"

#include "base/clock.h"

#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)

static const char *const log_levels[] = {"error", "warning", "notice", "info", "debug", NULL};
static const char *const log_forms[] = {"auto", "plain", "journal", "json", NULL};

static const struct config_section sections[] = {
    {.key = "node", .doc = "The process itself."},
    {.key = "control", .doc = "The socket by which `picket` asks a running node."},
    {.key = "cluster", .doc = "The fleet that this node is a member of."},
    {.key = "synchronizer", .doc = "The election of the node that replicates a domain's directory."},
    {.key = "directory", .doc = "Domains, their domain controllers, and how they are read."},
    {.key = "spool", .doc = "What waits on disk to be sent."},
    {.key = "capture", .doc = "What is captured from the network, and what it may cost."},
};

static const struct config_rule rules[] = {
    {.key = "node/name",
     .type = CONFIG_STRING,
     .doc = "This node's name in the fleet, taken when it joins. Not set: the host's name."},
    {.key = "node/state",
     .type = CONFIG_PATH,
     .preset = "/var/lib/picket",
     .doc =
         "Directory of the node's identity and memory. Nobody else may read it; two processes may not share "
         "it."},
    {.key = "node/log-level",
     .type = CONFIG_CHOICE,
     .choices = log_levels,
     .preset = "notice",
     .doc = "What is less important than this is not logged."},
    {.key = "node/log-form",
     .type = CONFIG_CHOICE,
     .choices = log_forms,
     .preset = "auto",
     .doc = "Form of the log on standard error; `auto`: for the journal when it listens."},
    {.key = "control/socket",
     .type = CONFIG_PATH,
     .preset = "/run/picket/control",
     .doc = "Where `picket` finds this node (`--socket`, `$PICKET_SOCKET`). Mode 0660."},
    {.key = "control/group",
     .type = CONFIG_STRING,
     .preset = "picket",
     .doc = "Group that may ask, when there is such a group."},
    {.key = "control/administrators",
     .type = CONFIG_STRING,
     .doc = "Group whose members may also change things, beside root and the node's own user."},
    {.key = "cluster/fleet", .type = CONFIG_STRING, .doc = "Name of the fleet, shown to people."},
    {.key = "cluster/listen",
     .type = CONFIG_ENDPOINT,
     .list = true,
     .preset = "[::]:49200",
     .doc = "Where other nodes dial this one. `[::]` means IPv4 too."},
    {.key = "cluster/advertise",
     .type = CONFIG_STRING,
     .list = true,
     .doc =
         "HOST:PORT by which others reach this node, at most four: names, IPv4 or [IPv6]. Not set: what it "
         "listens on, or the host's addresses when it listens on all of them. `none`: others do not dial it, "
         "it dials them."},
    {.key = "cluster/seeds",
     .type = CONFIG_STRING,
     .list = true,
     .doc =
         "NAME HOST:PORT of members to dial first when none of the known ones answers where it was last, as "
         "`dc-hq-1 hq.example.com:49200`. The name stands for the key, which is known since this node "
         "joined."},
    {.key = "cluster/enrolment",
     .type = CONFIG_ENDPOINT,
     .preset = "[::]:49201",
     .doc = "Where new nodes ask to join, when this node may enrol them. Otherwise nothing listens there."},
    {.key = "cluster/members-max",
     .type = CONFIG_INT,
     .min = 16,
     .max = 65536,
     .preset = "16384",
     .doc = "Members that are remembered at most."},
    {.key = "cluster/history",
     .type = CONFIG_INT,
     .min = 16,
     .max = 65536,
     .preset = "1024",
     .doc = "Changes that `picket history` can show."},
    {.key = "synchronizer/replace-after",
     .type = CONFIG_DURATION,
     .min = 10 * CLOCK_SECOND,
     .max = 7 * CLOCK_DAY,
     .preset = "30min",
     .doc =
         "A synchronizer that was silent for longer than this is replaced. The same on all nodes of a fleet. "
         "Less than 30 minutes is for tests."},
    {.key = "synchronizer/candidate",
     .type = CONFIG_BOOL,
     .preset = "yes",
     .doc =
         "`no`: this node stands for no domain, whatever its grant says. `yes`: as `picket candidate` says."},
    {.key = "synchronizer/min-observers",
     .type = CONFIG_INT,
     .min = 1,
     .max = 65535,
     .unit = "members",
     .preset = "1",
     .doc =
         "A node bids only when it hears so many members, itself among them, and a synchronizer that hears "
         "fewer for half of `replace-after` lets go. 1: always; more: the smaller side of a long partition "
         "has no synchronizer."},
    {.key = "directory/controllers",
     .type = CONFIG_STRING,
     .list = true,
     .doc = "DOMAIN HOST[:PORT] of domain controllers, as `corp.example dc1.corp.example`. A candidate that "
            "reaches none of its domain's does not stand for it. A domain without any counts as reachable."},
    {.key = "directory/watched",
     .type = CONFIG_STRING,
     .list = true,
     .doc = "Names of the domain controllers whose traffic this node sees, at most eight; shown by `picket "
            "members`."},
    {.key = "directory/period",
     .type = CONFIG_DURATION,
     .min = CLOCK_SECOND,
     .max = CLOCK_HOUR,
     .preset = "10s",
     .doc = "How often each domain controller is tried."},
    {.key = "directory/accounts",
     .type = CONFIG_STRING,
     .list = true,
     .doc =
         "DOMAIN METHOD PRINCIPAL FILE of the accounts that the directory is read with, METHOD one of "
         "`gssapi`, `spnego` "
         "(FILE: a keytab), `ldaps`, `starttls` (FILE: the password, 0600), as `corp.example gssapi "
         "picket@CORP.EXAMPLE /etc/picket/picket.keytab`. For a domain its own are tried first, then those "
         "of "
         "its parents, then the others. A domain with an account is looked up in and, while this node is its "
         "synchronizer, replicated."},
    {.key = "directory/site",
     .type = CONFIG_STRING,
     .doc =
         "Site of the directory whose domain controllers are preferred when none are listed. Not set: any."},
    {.key = "directory/ca",
     .type = CONFIG_PATH,
     .doc = "Certificates to trust for TLS, PEM. Not set: the system's."},
    {.key = "directory/timeout",
     .type = CONFIG_DURATION,
     .min = CLOCK_SECOND,
     .max = 10 * CLOCK_MINUTE,
     .preset = "30s",
     .doc = "How long a domain controller may take to say anything."},
    {.key = "directory/increment",
     .type = CONFIG_DURATION,
     .min = 100 * CLOCK_MILLISECOND,
     .max = CLOCK_HOUR,
     .preset = "1s",
     .doc = "How often the synchronizer asks what has changed."},
    {.key = "directory/reconcile",
     .type = CONFIG_DURATION,
     .min = CLOCK_MINUTE,
     .max = 30 * CLOCK_DAY,
     .preset = "6h",
     .doc = "How often the synchronizer proves that its copy is the directory."},
    {.key = "directory/queries",
     .type = CONFIG_INT,
     .min = 1,
     .max = 1000,
     .unit = "per second",
     .preset = "20",
     .doc = "Reactive look-ups that a domain controller is asked at most, each for up to 32 names."},
    {.key = "directory/store-size",
     .type = CONFIG_SIZE,
     .min = 64 * MIB,
     .max = 256 * GIB,
     .preset = "8G",
     .doc = "The most that the store of entities may grow to; room is taken as it is needed."},
    {.key = "spool/size",
     .type = CONFIG_SIZE,
     .min = 16 * MIB,
     .max = 256 * GIB,
     .preset = "512M",
     .doc =
         "What may wait on disk. When it is nearly full, new activities of little value are left out first."},
    {.key = "spool/interval",
     .type = CONFIG_DURATION,
     .min = 10 * CLOCK_MILLISECOND,
     .max = 10 * CLOCK_SECOND,
     .preset = "500ms",
     .doc = "How often what was captured is made durable, and sent: what a power cut may cost."},
    {.key = "capture/interfaces",
     .type = CONFIG_STRING,
     .list = true,
     .doc = "Network interfaces to capture from."},
    {.key = "capture/threads",
     .type = CONFIG_INT,
     .min = 1,
     .max = 16,
     .unit = "per interface",
     .preset = "1",
     .doc = "Capture threads; flows are spread over them by the kernel."},
    {.key = "capture/ring",
     .type = CONFIG_SIZE,
     .min = MIB,
     .max = 2 * GIB - MIB,
     .preset = "64M",
     .doc = "Kernel buffer of each capture thread: what may wait while it is busy."},
    {.key = "capture/snaplen",
     .type = CONFIG_INT,
     .min = 96,
     .max = 262144,
     .unit = "bytes",
     .preset = "65535",
     .doc = "Most of a packet that is kept."},
    {.key = "capture/controllers",
     .type = CONFIG_ADDRESS,
     .list = true,
     .doc = "Domain controllers: only their traffic is captured. Not set: everybody's."},
    {.key = "capture/ports",
     .type = CONFIG_INT,
     .list = true,
     .min = 1,
     .max = 65535,
     .doc = "Further TCP and UDP ports to capture, beside those of the protocols that Picket knows."},
    {.key = "capture/bpf",
     .type = CONFIG_STRING,
     .doc =
         "Capture filter in libpcap's language, used instead of the one made of `controllers` and `ports`."},
    {.key = "capture/tcp-idle",
     .type = CONFIG_DURATION,
     .min = CLOCK_SECOND,
     .max = CLOCK_DAY,
     .preset = "1h",
     .doc = "A TCP connection on which nothing was seen for so long is forgotten."},
    {.key = "capture/memory",
     .type = CONFIG_SIZE,
     .min = 16 * MIB,
     .max = 64 * GIB,
     .preset = "192M",
     .doc =
         "Memory of each capture thread for flows, reassembly and dissectors. When it is used up, the flows "
         "idle for longest go first."},
};

const struct config_schema node_schema = {
    .title = "Configuration",
    .introduction =
        "The keys of Picket's configuration file: `picketd --config FILE` reads all of it, `picket "
        "capture --config FILE` the section `capture`. `picketd --check --config FILE` says whether it is "
        "right.\n",
    .sections = sections,
    .section_count = sizeof sections / sizeof sections[0],
    .rules = rules,
    .rule_count = sizeof rules / sizeof rules[0],
};
