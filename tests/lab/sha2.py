#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sha2.py - captures of Kerberos with AES and SHA-2 (RFC 8009), which Samba's domain does not use: by MIT's KDC and OpenLDAP's server, on
the loopback of a namespace of its own.

    sha2.py --out DIRECTORY     writes NAME.pcap and lab.keytab there
"""
import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))
import network  # noqa: E402

REALM, HOST = "SHA2.EXAMPLE", "directory.sha2.example"
ADDRESS = "10.1.9.9"                   # libldap calls whoever is at 127.0.0.1 by this machine's name
KRB5 = """[libdefaults]
 default_realm = %(realm)s
 dns_lookup_kdc = false
 rdns = false
 dns_canonicalize_hostname = false
 permitted_enctypes = %(types)s
[realms]
 %(realm)s = {
  kdc = 127.0.0.1
 }
[domain_realm]
 .sha2.example = %(realm)s
"""
KDC = """[realms]
 %(realm)s = {
  database_name = %(place)s/principal
  key_stash_file = %(place)s/stash
  master_key_type = %(type)s
  supported_enctypes = %(type)s:normal
 }
"""
SLAPD = """include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile %(place)s/pid
sasl-host %(host)s
database mdb
suffix dc=sha2,dc=example
directory %(place)s/db
"""
ENTRY = "dn: dc=sha2,dc=example\nobjectClass: dcObject\nobjectClass: organization\ndc: sha2\no: sha2\n"
SCRIPT = """
echo Computer.1 | kinit -c armor computer; echo Alice.1 | kinit -c cache -T armor alice; echo Alice.1 | kinit -c cache alice
KRB5CCNAME=cache ldapsearch -Y GSSAPI -H ldap://directory.sha2.example -b dc=sha2,dc=example '(o=sha2)' o
KRB5CCNAME=cache ldapsearch -Y GSSAPI -O maxssf=1 -H ldap://directory.sha2.example -b dc=sha2,dc=example '(dc=sha2)' dc
"""


class Realm:
    """A KDC and a directory's server whose keys are all of one type."""

    def __init__(self, place, kind):
        self.place = place
        os.makedirs(place + "/db")
        words = {"realm": REALM, "place": place, "type": kind, "types": kind, "host": HOST}
        for name, text in (("krb5.conf", KRB5), ("kdc.conf", KDC), ("slapd.conf", SLAPD), ("entry.ldif", ENTRY)):
            with open(os.path.join(place, name), "w") as f:
                f.write(text % words)
        self.keytab = place + "/keytab"
        self.env = dict(os.environ, KRB5_CONFIG=place + "/krb5.conf", KRB5_KDC_PROFILE=place + "/kdc.conf", KRB5_KTNAME=self.keytab)
        self.processes = []

    def __enter__(self):
        self.run("/usr/sbin/kdb5_util", "create", "-s", "-P", "master", "-r", REALM)
        for principal, password in (("alice", "-pw Alice.1"), ("computer", "-pw Computer.1"), ("ldap/" + HOST, "-randkey")):
            self.run("/usr/sbin/kadmin.local", "-q", "addprinc %s %s" % (password, principal))
        for principal in ("alice", "computer", "ldap/" + HOST, "krbtgt/" + REALM):
            self.run("/usr/sbin/kadmin.local", "-q", "ktadd -norandkey -k %s %s" % (self.keytab, principal))
        self.run("/usr/sbin/slapd", "-T", "add", "-q", "-f", self.place + "/slapd.conf", "-l", self.place + "/entry.ldif")
        self.start("/usr/sbin/krb5kdc", "-n")
        self.start("/usr/sbin/slapd", "-d", "0", "-f", self.place + "/slapd.conf", "-h", "ldap://" + ADDRESS)
        time.sleep(2)
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
            process.wait()

    def run(self, *command):
        subprocess.run(command, env=self.env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self, *command):
        self.processes.append(subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                               stderr=subprocess.DEVNULL))

    def play(self, path):
        tcpdump = subprocess.Popen(["tcpdump", "-Z", "root", "-i", "lo", "-s", "0", "--immediate-mode", "-U", "-w", path],
                                   stderr=subprocess.PIPE, text=True)
        while "listening on" not in tcpdump.stderr.readline():
            if tcpdump.poll() is not None:
                sys.exit("tcpdump ended")
        said = subprocess.run(["bash", "-c", SCRIPT], env=self.env, cwd=self.place, capture_output=True, text=True, timeout=60)
        time.sleep(0.5)
        tcpdump.send_signal(signal.SIGINT)
        tcpdump.communicate(timeout=30)
        print(said.stdout + said.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    out = os.path.abspath(parser.parse_args().out)
    network.enter()
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    network.ip("link", "set", "lo", "up")
    network.ip("address", "add", ADDRESS + "/32", "dev", "lo")
    with tempfile.NamedTemporaryFile("w") as hosts:
        hosts.write("127.0.0.1 localhost\n%s %s\n" % (ADDRESS, HOST))
        hosts.flush()
        subprocess.run(["mount", "--bind", hosts.name, "/etc/hosts"], check=True)
    os.makedirs(out, exist_ok=True)
    keys = b"\5\2"
    for kind in ("aes256-cts-hmac-sha384-192", "aes128-cts-hmac-sha256-128"):
        with tempfile.TemporaryDirectory() as place, Realm(place + "/realm", kind) as realm:
            realm.play(os.path.join(out, "s_%s.pcap" % kind.split("-")[0]))
            with open(realm.keytab, "rb") as f:
                keys += f.read()[2:]
    with open(out + "/lab.keytab", "wb") as f:
        f.write(keys)


if __name__ == "__main__":
    main()
