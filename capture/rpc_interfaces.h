/* SPDX-License-Identifier: Apache-2.0
 *
 * The RPC interfaces that Picket knows by name, and their operations.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* X(id, name, time_low, time_mid, time_hi_and_version, clock_seq, node): [C706] appendix A. */
// clang-format off
#define RPC_INTERFACES(X) \
    X(SAMR, "samr", 0x12345778, 0x1234, 0xabcd, 0xef00, 0x0123456789ac) \
    X(LSARPC, "lsarpc", 0x12345778, 0x1234, 0xabcd, 0xef00, 0x0123456789ab) \
    X(NETLOGON, "netlogon", 0x12345678, 0x1234, 0xabcd, 0xef00, 0x01234567cffb) \
    X(DRSUAPI, "drsuapi", 0xe3514235, 0x4b06, 0x11d1, 0xab04, 0x00c04fc2dcd2) \
    X(SVCCTL, "svcctl", 0x367abb81, 0x9844, 0x35f1, 0xad32, 0x98f038001003) \
    X(ATSVC, "atsvc", 0x1ff70682, 0x0a51, 0x30e8, 0x076d, 0x740be8cee98b) \
    X(ITASKSCHEDULERSERVICE, "itaskschedulerservice", 0x86d35949, 0x83c9, 0x4044, 0xb424, 0xdb363231fd0c) \
    X(SASEC, "sasec", 0x378e52b0, 0xc0a9, 0x11cf, 0x822d, 0x00aa0051e40f) \
    X(SRVSVC, "srvsvc", 0x4b324fc8, 0x1670, 0x01d3, 0x1278, 0x5a47bf6ee188) \
    X(WKSSVC, "wkssvc", 0x6bffd098, 0xa112, 0x3610, 0x9833, 0x46c3f87e345a) \
    X(EPMAPPER, "epmapper", 0xe1af8308, 0x5d1f, 0x11c9, 0x91a4, 0x08002b14a0fa) \
    X(DNSSERVER, "dnsserver", 0x50abc2a4, 0x574d, 0x40b3, 0x9d66, 0xee4fd5fba076) \
    X(DSSETUP, "dssetup", 0x3919286a, 0xb10c, 0x11d0, 0x9ba8, 0x00c04fd92ef5) \
    X(NSPI, "nspi", 0xf5cc5a18, 0x4264, 0x101a, 0x8c59, 0x08002b2f8426) \
    X(WINREG, "winreg", 0x338cd001, 0x2244, 0x31f1, 0xaaaa, 0x900038001003) \
    X(SPOOLSS, "spoolss", 0x12345678, 0x1234, 0xabcd, 0xef00, 0x0123456789ab) \
    X(IREMOTEWINSPOOL, "iremotewinspool", 0x76f03f96, 0xcdfd, 0x44fc, 0xa22c, 0x64950a001209) \
    X(EFSRPC_LSA, "efsrpc(lsarpc)", 0xc681d488, 0xd850, 0x11d0, 0x8c52, 0x00c04fd90f7e) \
    X(EFSRPC, "efsrpc(efsr)", 0xdf1941c5, 0xfe89, 0x4e79, 0xbf10, 0x463657acf44d) \
    X(BACKUPKEY, "backupkey", 0x3dde7c30, 0x165d, 0x11d1, 0xab8f, 0x00805f14db40) \
    X(EVENTLOG, "eventlog", 0x82273fdc, 0xe32a, 0x18c3, 0x3f78, 0x827929dc23ea) \
    X(EVENTLOG6, "eventlog6", 0xf6beaff7, 0x1e19, 0x4fbb, 0x9f8f, 0xb89e2018337c) \
    X(IOXIDRESOLVER, "ioxidresolver", 0x99fcfec4, 0x5260, 0x101b, 0xbbcb, 0x00aa0021347a) \
    X(ISYSTEMACTIVATOR, "isystemactivator", 0x000001a0, 0x0000, 0x0000, 0xc000, 0x000000000046) \
    X(IREMOTEACTIVATION, "iremoteactivation", 0x4d9f4ab8, 0x7d1c, 0x11cf, 0x861e, 0x0020af6e7c57) \
    X(IREMUNKNOWN, "iremunknown", 0x00000131, 0x0000, 0x0000, 0xc000, 0x000000000046) \
    X(IREMUNKNOWN2, "iremunknown2", 0x00000143, 0x0000, 0x0000, 0xc000, 0x000000000046) \
    X(IWBEMLEVEL1LOGIN, "iwbemlevel1login", 0xf309ad18, 0xd86a, 0x11d0, 0xa075, 0x00c04fb68820) \
    X(IWBEMLOGINCLIENTID, "iwbemloginclientid", 0xd4781cd6, 0xe5d3, 0x44df, 0xad94, 0x930efe48a887) \
    X(IWBEMSERVICES, "iwbemservices", 0x9556dc99, 0x828c, 0x11cf, 0xa37e, 0x00aa003240c7) \
    X(IENUMWBEMCLASSOBJECT, "ienumwbemclassobject", 0x027947e1, 0xd731, 0x11ce, 0xa357, 0x000000000001) \
    X(IWBEMWCOSMARTENUM, "iwbemwcosmartenum", 0x423ec01e, 0x2e35, 0x11d2, 0xb604, 0x00104b703efd) \
    X(IDISPATCH, "idispatch", 0x00020400, 0x0000, 0x0000, 0xc000, 0x000000000046) \
    X(FRSTRANS, "frstrans", 0x897e2e5f, 0x93f3, 0x4376, 0x9c9c, 0xfd2277495c27) \
    X(FRSRPC, "frsrpc", 0xf5cc59b4, 0x4264, 0x101a, 0x8c59, 0x08002b2f8426) \
    X(NETDFS, "netdfs", 0x4fc742e0, 0x4a10, 0x11cf, 0x8273, 0x00aa004ae673) \
    X(MGMT, "mgmt", 0xafa8bd80, 0x7d8a, 0x11c9, 0xbef4, 0x08002b102989) \
    X(DBGIDL, "dbgidl", 0x1d55b526, 0xc137, 0x46c5, 0xab79, 0x638f2a68e869) \
    X(DSBACKUP, "dsbackup", 0xecec0d70, 0xa603, 0x11d0, 0x96b1, 0x00a0c91ece30) \
    X(DSRESTORE, "dsrestore", 0x16e0cf3a, 0xa604, 0x11d0, 0x96b1, 0x00a0c91ece30) \
    X(INITSHUTDOWN, "initshutdown", 0xd95afe70, 0xa6d5, 0x4259, 0x822e, 0x2c84da1ddb0d) \
    X(INITSHUTDOWN_OLD, "initshutdown(old)", 0x894de0c0, 0x0d55, 0x11d3, 0xa322, 0x00c04fa321a1) \
    X(WEBDAVCLIENT, "webdavclient", 0xc8cb7687, 0xe6d3, 0x11d2, 0xa958, 0x00c04f682e16) \
    X(ICERTREQUESTD2, "icertrequestd2", 0x5422fd3a, 0xd4b8, 0x4cef, 0xa12e, 0xe87d4ca22e90) \
    X(ICERTREQUESTD, "icertrequestd", 0xd99e6e70, 0xfc88, 0x11d0, 0xb498, 0x00a0c90312f3) \
    X(ICERTPASSAGE, "icertpassage", 0x91ae6020, 0x9e3c, 0x11cf, 0x8d7c, 0x00aa00c091be) \
    X(EXCHANGE_MAPI, "exchange_mapi", 0xa4f1db00, 0xca47, 0x1067, 0xb31f, 0x00dd010662da) \
    X(RFRI, "rfri", 0x1544f5e0, 0x613c, 0x11d1, 0x93df, 0x00c04fd7bd09)
// clang-format on

enum rpc_interface {
    RPC_UNKNOWN = 0,
#define X(id, name, low, mid, high, sequence, node) RPC_##id,
    RPC_INTERFACES(X)
#undef X
        RPC_INTERFACE_COUNT
};

#define RPC_UUID_TEXT_MAX 37

/* Which interface has this UUID, in the order of the wire (little-endian form); RPC_UNKNOWN for others. */
enum rpc_interface rpc_interface_by_uuid(const uint8_t uuid[16]);

/* Its UUID, in the order of the wire. */
const uint8_t *rpc_interface_uuid(enum rpc_interface interface);

/* Its short name; NULL for an interface that is not known by name. */
const char *rpc_interface_name(const uint8_t uuid[16]);

/* A UUID of the wire as text, lower case, terminated. Returns `to`. */
const char *rpc_uuid_text(const uint8_t uuid[16], char to[RPC_UUID_TEXT_MAX]);
