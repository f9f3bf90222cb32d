#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lab.py - a real Active Directory domain (Debian's Samba) in network namespaces, for tests and for people.

    import lab
    lab.enter()                             # re-executes this test in namespaces of its own; exits with 77 where it cannot be
    with lab.Lab(dc2=True) as l:            # corp.example, up in seconds once it has been made (build/lab holds it)
        l.run("client", ["kinit", "user01"], input="User.Pass01!")   # (status, output, errors)
        l.spawn("sensor", ["picketd", ...])                          # a subprocess.Popen
        l.dc1.kill(); l.dc1.start()
        l.dc1.dump()                        # what its database holds, past LDAP
        l.net.cut(["branch"], ["datacenter"])   # lines and cuts: tests/integration/network.py

Sites are `datacenter` and `branch`, both sites of Active Directory too. Hosts: dc1, client, attacker and sensor in the
datacenter, dc2 in the branch; `span0` of the sensor is a mirror of dc1's port. Everything is in mount, process and network
namespaces of this process and ends with it, however it ends; the databases are in memory (or in a temporary directory, where
the kernel's tmpfs knows no user attributes). The commands for people: tests/lab/lab.
"""
import base64
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))
import network  # noqa: E402

REALM, DOMAIN, NETBIOS, BASE = "CORP.EXAMPLE", "corp.example", "CORP", "DC=corp,DC=example"
CONFIGURATION = "CN=Configuration," + BASE
ADMINISTRATOR, PASSWORD = "Administrator", "Passw0rd.Lab1"
SYNCHRONIZER, SYNCHRONIZER_PASSWORD = "picket", "Syncro.Pass1!"
PLACE = "/run/lab"                     # in the lab's own /run
CACHE = os.environ.get("PICKET_LAB_CACHE", os.path.join(ROOT, "build", "lab"))
CACHED_MAX = 4
PYTHON = "/usr/bin/python3"            # python3-samba is Debian's: no other interpreter has it
PROGRAMS = ("samba", "samba-tool", "ldbsearch", "ldapmodify", "kinit", "smbclient", "openssl", "nsupdate", "zstd")
PORTS = (53, 88, 135, 389, 445, 636, 3268)

# A DC's settings beside what `samba-tool domain provision` writes.
SETTINGS = """
	interfaces = lo eth0
	bind interfaces only = yes
	dns forwarder =
	allow dns updates = secure only
	load printers = no
	printing = bsd
	printcap name = /dev/null
	disable spoolss = yes
	rpc server dynamic port range = 50000-50100
	ntlm auth = ntlmv1-permitted
	ldap server require strong auth = no
	server smb encrypt = off
	prefork children = 2
	max log size = 0
	log level = 1
	dreplsrv:notify_interval = 1
	dreplsrv:periodic_startup_interval = 2
	dreplsrv:periodic_interval = 5
"""

KRB5 = """[libdefaults]
 default_realm = %(realm)s
 dns_lookup_realm = false
 dns_lookup_kdc = false
 rdns = false
 default_ccache_name = FILE:/run/host/krb5cc_%%{uid}
 allow_weak_crypto = true
 udp_preference_limit = 1400
[realms]
 %(realm)s = {
%(kdcs)s
 }
[domain_realm]
 .%(domain)s = %(realm)s
 %(domain)s = %(realm)s
[kdc]
 require-preauth = no
"""


class LabError(Exception):
    pass


def enter():
    """Runs this program again in namespaces of its own; returns inside. Exits with 77 where that, or Samba, is missing."""
    # an interpreter of the user's own may stand first in PATH, and samba-tool must not meet it
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    missing = [p for p in PROGRAMS if not shutil.which(p)]
    if missing:
        print("SKIP: no " + ", ".join(missing) + ": scripts/setup.sh --tests")
        sys.exit(network.SKIP)
    network.enter()
    # a /run of our own: hosts' names, Samba's sockets (/run/samba is compiled into its libraries) and the databases
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    for path in ("netns", "samba", "lock"):
        os.mkdir("/run/" + path)
    resolver = os.path.realpath("/etc/resolv.conf")   # may point into the /run that is no more
    if not os.path.exists(resolver):
        os.makedirs(os.path.dirname(resolver), exist_ok=True)
        open(resolver, "w").close()


def wait(what, condition, seconds, every=0.1):
    """Until condition() is true; returns what it gave. Fails with `what` after that many seconds."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise LabError("after %d s still not: %s" % (seconds, what))
        time.sleep(every)


def parse_ldif(text):
    """Entries of ldbsearch's or ldapsearch's output: a list of (dn, {attribute in lower case: [bytes]})."""
    entries, lines = [], []
    for line in text.split("\n"):
        if line.startswith(" ") and lines:
            lines[-1] += line[1:]
        else:
            lines.append(line)
    dn, attributes = None, {}
    for line in lines + [""]:
        if not line:
            if dn is not None:
                entries.append((dn, attributes))
            dn, attributes = None, {}
        elif not line.startswith(("#", "ref: ")):
            name, _, value = line.partition(":")
            value = base64.b64decode(value[1:]) if value.startswith(":") else value[1:].encode()
            if name.lower() == "dn":
                dn = value.decode()
            elif dn is not None:
                attributes.setdefault(name.lower(), []).append(value)
    return entries


class Network(network.Network):
    """Hosts that have a name, a resolver and a hosts file of their own: a process of each holds these."""

    def __init__(self, wan=None):
        super().__init__(wan)
        self.holders = {}

    def settle(self, nameservers):
        """Once all hosts are there: they know one another."""
        table = "127.0.0.1 localhost\n" + "".join("%s %s.%s %s\n" % (address, name, DOMAIN, name)
                                                  for name, (_, address) in self.hosts.items())
        resolver = "search %s\n%soptions timeout:1 attempts:2\n" % (DOMAIN, "".join("nameserver %s\n" % n for n in nameservers))
        for path, text in (("hosts", table), ("resolv.conf", resolver)):
            with open(os.path.join(PLACE, path), "w") as f:
                f.write(text)
        for host in list(self.hosts):
            self.dress(host)

    def dress(self, host):
        script = ("echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; hostname %s;"
                  "mount --bind %s/hosts /etc/hosts; mount --bind %s/resolv.conf $(readlink -f /etc/resolv.conf);"
                  "mkdir -p /run/host; mount -t tmpfs tmpfs /run/host; mount -t sysfs sysfs /sys;"
                  # Samba's clients too have a configuration and caches, which are not to be the machine's
                  "for d in /etc/samba /var/lib/samba /var/cache/samba /var/log/samba; do mount -t tmpfs tmpfs $d; done;"
                  "printf '[global]\\n workgroup = %s\\n realm = %s\\n' >/etc/samba/smb.conf; echo; exec sleep infinity" %
                  (host, PLACE, PLACE, NETBIOS, REALM))
        self.holders[host] = hold(["nsenter", "--net=/run/netns/" + host, "unshare", "--uts", "--mount"], script)

    def host(self, name, site):
        address = super().host(name, site)
        index = sum(1 for s, _ in self.hosts.values() if s == site)
        # a capture shall hold what is on the wire, not what a card would make of it later
        for netns, device in (("r-" + site, "h%d" % index), (name, "eth0")):
            subprocess.run(["ip", "netns", "exec", netns, "ethtool", "-K", device, "tso", "off", "gso", "off", "gro", "off", "tx",
                            "off", "rx", "off"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        if self.holders:               # a late one, made by a fleet
            with open(os.path.join(PLACE, "hosts"), "a") as f:
                f.write("%s %s.%s %s\n" % (address, name, DOMAIN, name))
            self.dress(name)
        return address

    def mirror(self, host, to, device):
        """All that passes the host's port is seen at the device of another host."""
        site = self.hosts[host][0]
        router = "r-" + site
        port = "h%d" % ([h for h, (s, _) in self.hosts.items() if s == site].index(host) + 1)
        network.batch(["link add m-%s netns %s type veth peer name %s netns %s" % (host, router, device, to)])
        network.batch(["link set m-%s up" % host], router)
        network.batch(["link set %s up promisc on arp off" % device], to)
        subprocess.run(["ip", "netns", "exec", to, "ethtool", "-K", device, "gro", "off"], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["tc", "-n", router, "qdisc", "add", "dev", port, "clsact"], check=True)
        for direction in ("ingress", "egress"):
            subprocess.run(["tc", "-n", router, "filter", "add", "dev", port, direction, "prio", "1", "protocol", "all", "u32",
                            "match", "u32", "0", "0", "action", "mirred", "egress", "mirror", "dev", "m-" + host], check=True)

    def inside(self, host):
        return enter_holder(self.holders[host])

    def close(self):
        super().close()
        for holder in self.holders.values():
            holder.kill()
            holder.wait()


def hold(prefix, script):
    """A process that keeps namespaces alive; returns once they are as the script makes them."""
    holder = subprocess.Popen(prefix + ["sh", "-ec", script], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    if not holder.stdout.readline():
        raise LabError("namespaces could not be made: " + script)
    return holder


def enter_holder(holder):
    return ["nsenter", "-t", str(holder.pid), "-m", "-n", "-u", "--wd", "--"]


class DomainController:
    """Samba as a domain controller on its host, with /etc/samba, /var/lib/samba ... of its own."""

    def __init__(self, lab, name):
        self.lab, self.name = lab, name
        self.host_name = "%s.%s" % (name, DOMAIN)
        self.place = os.path.join(PLACE, name)
        self.holder, self.process = None, None

    @property
    def address(self):
        return self.lab.net.address(self.name)

    def settle(self):
        """Its directories, in a mount namespace of its own: two Sambas on a machine must not meet in /run/samba."""
        binds = {"etc": "/etc/samba", "lib": "/var/lib/samba", "cache": "/var/cache/samba", "log": "/var/log/samba",
                 "run": "/run/samba"}
        for directory in binds:
            os.makedirs(os.path.join(self.place, directory), exist_ok=True)
        script = "".join("mount --bind %s/%s %s;" % (self.place, *item) for item in binds.items()) + "echo; exec sleep infinity"
        self.holder = hold(enter_holder(self.lab.net.holders[self.name]) + ["unshare", "--mount"], script)

    def run(self, command, input=None, timeout=120):
        """(status, output, errors) of a command that sees this domain controller's files: samba-tool, ldbsearch ..."""
        r = subprocess.run(enter_holder(self.holder) + command, input=input, capture_output=True, text=True, timeout=timeout)
        return r.returncode, r.stdout, r.stderr

    def must(self, command, input=None, timeout=120):
        status, out, err = self.run(command, input, timeout)
        if status:
            raise LabError("%s on %s: %d: %s%s" % (" ".join(command[:4]), self.name, status, out[-500:], err[-1500:]))
        return out

    # --- its making ---
    def configure(self):
        path = os.path.join(self.place, "etc", "smb.conf")
        with open(path) as f:
            lines = [line for line in f if not line.strip().startswith(("dns forwarder", "interfaces", "bind interfaces"))]
        at = next(i for i, line in enumerate(lines) if line.startswith("[global]"))
        with open(path, "w") as f:
            f.write("".join(lines[:at + 1]) + SETTINGS + "".join(lines[at + 1:]))

    def provision(self, more=()):
        self.must(["samba-tool", "domain", "provision", "--realm", REALM, "--domain", NETBIOS, "--server-role=dc",
                   "--dns-backend=SAMBA_INTERNAL", "--host-name", self.name, "--host-ip", self.address,
                   "--base-schema=2012_R2", "--adminpass", PASSWORD, *more])
        self.configure()

    def join(self, other):
        self.must(["samba-tool", "domain", "join", DOMAIN, "DC", "-U%s%%%s" % (ADMINISTRATOR, PASSWORD), "--realm", REALM,
                   "--server", other.host_name, "--site=Branch", "--dns-backend=SAMBA_INTERNAL",
                   "--option=netbios name=" + self.name.upper()])
        self.configure()

    def certify(self, authority):
        """A certificate for its name, of the lab's authority, where Samba looks for it."""
        tls = os.path.join(self.place, "lib", "private", "tls")
        os.makedirs(tls, mode=0o700, exist_ok=True)
        shutil.copy(authority + ".pem", tls + "/ca.pem")
        make_certificate(tls, self.host_name, authority)

    # --- its life ---
    def start(self, ready=True):
        """`ready=False`: does not wait until it serves."""
        with open(os.path.join(self.place, "log", "samba.out"), "ab") as log:
            self.process = subprocess.Popen(enter_holder(self.holder) + ["samba", "-F", "--no-process-group"], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        if ready:
            self.ready()

    def ready(self, seconds=90):
        ports = " ".join(str(p) for p in PORTS)
        script = ("for p in %s; do exec 3<>/dev/tcp/%s/$p || exit 1; exec 3>&-; done; ldapsearch -x -LLL -H ldap://%s -s base "
                  "-b '' isSynchronized | grep -q 'isSynchronized: TRUE'" % (ports, self.address, self.address))

        def serves():
            if self.process.poll() is not None:
                raise LabError("%s ended: %d\n%s" % (self.name, self.process.returncode, self.log()))
            return self.run(["bash", "-c", script])[0] == 0
        wait("%s serves" % self.name, serves, seconds, 0.2)

    def named(self):
        """Waits until it has its service names and DNS records. It gives them to itself at its start, and when that fails, as
        on a busy machine, only ten minutes later: so it is told to."""
        spn = "ldap/" + self.host_name
        site = "_ldap._tcp.%s._sites.dc" % ("Default-First-Site-Name" if self is self.lab.dc1 else "Branch")

        def is_named():
            self.run(["samba_spnupdate"])
            return self.dump(attributes=["cn"], expression="(servicePrincipalName=%s)" % spn)

        def is_in_dns():
            out = self.run(["samba-tool", "dns", "query", self.lab.dc1.host_name, "_msdcs." + DOMAIN, site, "SRV",
                            "-U%s%%%s" % (ADMINISTRATOR, PASSWORD)])[1]
            if self.host_name in out:
                return True
            self.run(["samba_dnsupdate"])
            return False
        wait("SPN " + spn, is_named, 120, 0.5)
        wait("DNS records of " + self.name, is_in_dns, 120, 0.5)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """In good order."""
        if self.alive():
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def kill(self):
        """As if the power failed: every process of it at once."""
        while self.signal(signal.SIGKILL):
            time.sleep(0.02)
        if self.process:
            self.process.wait()

    def pause(self):
        """It neither answers nor refuses."""
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def signal(self, number):
        """To each of its processes; how many there were."""
        pids = self.pids()
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        return len(pids)

    def pids(self):
        """Its processes: those in its mount namespace, but for the one that holds it."""
        try:
            own = os.readlink("/proc/%d/ns/mnt" % self.holder.pid)
        except FileNotFoundError:      # everything was ended at once
            return []
        found = []
        for pid in os.listdir("/proc"):
            try:
                if pid.isdigit() and int(pid) != self.holder.pid and os.readlink("/proc/%s/ns/mnt" % pid) == own:
                    found.append(int(pid))
            except OSError:            # it ended meanwhile
                pass
        return found

    def log(self, lines=30):
        with open(os.path.join(self.place, "log", "samba.out"), errors="replace") as f:
            return "".join(f.readlines()[-lines:])

    # --- what it holds ---
    def dump(self, base=BASE, attributes=(), deleted=True, expression="(objectClass=*)"):
        """Every object of a naming context straight from the database, whether it serves or not: (dn, {name: [bytes]}),
        the DNs with <GUID=...>;<SID=...>; before them."""
        controls = ["--controls=extended_dn:1:1"] + (["--controls=show_deleted:1"] if deleted else [])
        out = self.must(["ldbsearch", "-H", "/var/lib/samba/private/sam.ldb", "-b", base, "-s", "sub", *controls, expression,
                         *attributes], timeout=600)
        return parse_ldif(out)

    def highest_usn(self):
        out = self.must(["ldbsearch", "-H", "/var/lib/samba/private/sam.ldb", "-b", "", "-s", "base", "highestCommittedUSN"])
        return int(parse_ldif(out)[0][1]["highestcommittedusn"][0])

    def modify(self, ldif, check=True):
        """LDIF (adds, modifications, deletions) by the Administrator over LDAP from the client's host."""
        status, out, err = self.lab.run("client", ["ldapmodify", "-x", "-c", "-H", "ldap://" + self.host_name, "-D",
                                                   "%s@%s" % (ADMINISTRATOR, DOMAIN), "-w", PASSWORD], input=ldif)
        if status and check:
            raise LabError("ldapmodify at %s: %d: %s" % (self.name, status, err))
        return status

    def search(self, *words, base=BASE):
        """ldapsearch by the Administrator from the client's host: entries as of dump()."""
        status, out, err = self.lab.run("client", ["ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-H",
                                                   "ldap://" + self.host_name, "-D", "%s@%s" % (ADMINISTRATOR, DOMAIN), "-w",
                                                   PASSWORD, "-b", base, *words], timeout=300)
        if status:
            raise LabError("ldapsearch at %s: %d: %s" % (self.name, status, err))
        return parse_ldif(out)

    # --- changes ---
    def add_users(self, names, unit="OU=Staff", password=None):
        """Enabled with a password; without one they cannot log on."""
        ldif = ""
        for name in names:
            ldif += ("dn: CN=%s,%s,%s\nchangetype: add\nobjectClass: user\nsAMAccountName: %s\nuserPrincipalName: %s@%s\n" %
                     (name, unit, BASE, name, name, DOMAIN))
            ldif += "userAccountControl: 544\n\n"
        self.modify(ldif)
        if password:
            for name in names:
                self.must(["samba-tool", "user", "setpassword", name, "--newpassword=" + password])

    def delete(self, dns):
        self.modify("".join("dn: %s\nchangetype: delete\n\n" % dn for dn in dns))


def make_certificate(directory, name, authority):
    """cert.pem and key.pem in the directory, of the authority (path of its .pem and .key, without the ending)."""
    key, request = directory + "/key.pem", directory + "/request.pem"
    quiet = dict(check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-subj", "/CN=" + name, "-out", request],
                   **quiet)
    subprocess.run(["openssl", "x509", "-req", "-in", request, "-CA", authority + ".pem", "-CAkey", authority + ".key",
                    "-CAcreateserial", "-days", "3650", "-out", directory + "/cert.pem", "-extfile", "-"],
                   input=b"subjectAltName=DNS:" + name.encode(), **quiet)
    os.chmod(key, 0o600)
    os.remove(request)


def make_authority(path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", path + ".key", "-subj",
                    "/CN=the lab's authority", "-days", "3650", "-out", path + ".pem"], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def directory_lines(lab, more=()):
    """A node's settings for the lab's domain: for nodes.Fleet(config=...)."""
    return ["directory", "    controllers = " + ", ".join("%s %s" % (DOMAIN, dc.host_name) for dc in lab.controllers),
            "    accounts = %s gssapi %s@%s %s" % (DOMAIN, SYNCHRONIZER, REALM, lab.keytab), *more]


class Lab:
    def __init__(self, dc2=False, users=50, bulk=0, wan=None, cache=True, keep=None, say=None):
        """`bulk`: so many users more, without passwords, quickly (100,000: a minute and 1 GiB). `wan`: the program of that
        name, then the branch's line can be made bad (net.line). `keep`: a directory in which the databases are and stay."""
        self.with_dc2, self.users, self.bulk, self.wan, self.keep = dc2, users, bulk, wan, keep
        self.cache = cache and not bulk
        self.say = say or (lambda text: None)
        self.net, self.dc1, self.dc2, self.on_disk = None, None, None, None
        self.ca_file = PLACE + "/ca.pem"
        self.keytab = PLACE + "/picket.keytab"        # of SYNCHRONIZER
        self.krb5_config = PLACE + "/krb5.conf"

    def __enter__(self):
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, kind, value, trace):
        self.down()

    @property
    def controllers(self):
        return [dc for dc in (self.dc1, self.dc2) if dc]

    # --- up and down ---
    def up(self):
        self._place()
        image = os.path.join(CACHE, "lab-%s.tar.zst" % self._key())
        cached = self.cache and os.path.exists(image)
        if cached:
            subprocess.run(["tar", "-C", PLACE, "--xattrs", "--xattrs-include=*", "--acls", "-I", "zstd", "-xf", image], check=True)
            os.utime(image)
        self._network()
        for dc in self.controllers:
            dc.settle()
        if not cached:
            self._make()
            if self.cache:
                self._save(image)
        for dc in self.controllers:
            dc.start(ready=False)
        for dc in self.controllers:
            dc.ready()

    def down(self):
        for dc in self.controllers:
            if dc.holder:
                dc.kill()
                dc.holder.kill()
                dc.holder.wait()
        if self.net:
            self.net.close()
        if self.on_disk:
            subprocess.run(["umount", PLACE], check=False)
            shutil.rmtree(self.on_disk, ignore_errors=True)

    def _place(self):
        os.makedirs(PLACE)
        if not self.keep:
            try:
                os.setxattr(PLACE, "user.picket", b"1")
                return
            except OSError:            # tmpfs before Linux 6.6
                self.on_disk = tempfile.mkdtemp(prefix="picket-lab-")
        directory = self.keep or self.on_disk
        os.makedirs(directory, exist_ok=True)
        subprocess.run(["mount", "--bind", directory, PLACE], check=True)

    def _network(self):
        net = self.net = Network(self.wan)
        net.site("datacenter")
        for host in ("dc1", "client", "attacker", "sensor"):
            net.host(host, "datacenter")
        self.dc1 = DomainController(self, "dc1")
        net.site("branch", bad_line=self.wan is not None)
        if self.with_dc2:
            net.host("dc2", "branch")
            self.dc2 = DomainController(self, "dc2")
        with open(self.krb5_config, "w") as f:
            kdcs = "".join("  kdc = %s\n" % dc.address for dc in self.controllers)
            f.write(KRB5 % {"realm": REALM, "domain": DOMAIN, "kdcs": kdcs + "  admin_server = %s\n  kpasswd_server = %s" %
                            (self.dc1.address, self.dc1.address)})
        os.environ["KRB5_CONFIG"] = self.krb5_config
        net.settle([dc.address for dc in self.controllers])
        net.mirror("dc1", "sensor", "span0")

    def _make(self):
        authority = PLACE + "/ca"
        self.say("provisioning")
        self.dc1.provision(["--backend-store=mdb", "--backend-store-size=8Gb"] if self.bulk else [])
        make_authority(authority)
        self.dc1.certify(authority)
        self.dc1.must([PYTHON, HERE + "/populate.py", str(self.users)], timeout=1200)
        if self.bulk:
            self.say("loading %d users" % self.bulk)
            self.dc1.must([PYTHON, HERE + "/bulk.py", str(self.bulk)], timeout=1800)
        self.dc1.must(["samba-tool", "domain", "exportkeytab", self.keytab, "--principal", SYNCHRONIZER])
        self.dc1.start()
        if self.dc2:
            self.say("the second domain controller joins")
            self.dc2.join(self.dc1)
            self.dc2.certify(authority)
            self.dc2.start()
        for dc in self.controllers:
            dc.named()
        if self.dc2:
            self.level()
        for dc in self.controllers:
            dc.stop()

    def level(self, seconds=60):
        """Waits until what either domain controller has is at the other too."""
        for source, target in ((self.dc1, self.dc2), (self.dc2, self.dc1)):
            # right after the join, and after one of them was away, the next round may be long in coming
            wait("replication from %s" % source.name, lambda: target.run(
                ["samba-tool", "drs", "replicate", target.host_name, source.host_name, BASE,
                 "-U%s%%%s" % (ADMINISTRATOR, PASSWORD)])[0] == 0, seconds, 0.5)
            mark = "mark %d" % time.monotonic_ns()
            entry = "CN=%s,OU=Services,%s" % (SYNCHRONIZER, BASE)
            source.modify("dn: %s\nchangetype: modify\nreplace: comment\ncomment: %s\n" % (entry, mark))
            wait("a change of %s at %s" % (source.name, target.name), lambda: any(
                a.get("comment") == [mark.encode()] for _, a in target.dump(base=entry, attributes=["comment"])), seconds, 0.2)

    # --- the image of a lab that was made before ---
    def _key(self):
        digest = hashlib.sha256()
        for name in ("lab.py", "populate.py"):
            with open(os.path.join(HERE, name), "rb") as f:
                digest.update(f.read())
        digest.update(subprocess.run(["samba", "--version"], capture_output=True, check=True).stdout)
        digest.update(repr((self.with_dc2, self.users)).encode())
        return digest.hexdigest()[:16]

    def _save(self, image):
        os.makedirs(CACHE, exist_ok=True)
        images = sorted((os.path.join(CACHE, n) for n in os.listdir(CACHE) if n.endswith(".tar.zst")), key=os.path.getmtime)
        for old in images[:-CACHED_MAX + 1]:
            os.remove(old)
        partial = "%s.%d" % (image, time.monotonic_ns())
        try:
            subprocess.run(["tar", "-C", PLACE, "--xattrs", "--xattrs-include=*", "--acls", "-S", "--exclude=./*/run/*",
                            "--exclude=./*/log/*", "-I", "zstd -1", "-cf", partial, "."], check=True, stderr=subprocess.DEVNULL)
            os.rename(partial, image)
        except BaseException:
            if os.path.exists(partial):
                os.remove(partial)
            raise

    # --- commands on hosts ---
    def run(self, host, command, input=None, timeout=60, env=None):
        """(status, output, errors)"""
        r = subprocess.run(self.net.inside(host) + command, input=input, capture_output=True, text=True, timeout=timeout,
                           env=dict(os.environ, **(env or {})))
        return r.returncode, r.stdout, r.stderr

    def spawn(self, host, command, **how):
        return self.net.run(host, command, **how)

    def storm(self, seed, changes, controllers, pause=0, unit="Storm"):
        """Random changes of the directory (storm.py): a process that says in lines of JSON what it did."""
        return self.spawn("client", [PYTHON, HERE + "/storm.py", "--seed", str(seed), "--changes", str(changes), "--pause",
                                     str(pause), "--unit", unit] + [dc.host_name for dc in controllers],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def log_on(self, host, user, password, share="sysvol"):
        """What a person's morning looks like on the wire: AS, TGS, and a share by Kerberos. True when it went well."""
        tickets = "/run/host/tickets-" + user
        if self.run(host, ["kinit", "-c", tickets, user], input=password + "\n")[0]:
            return False
        return self.run(host, ["smbclient", "--use-krb5-ccache=" + tickets, "//dc1.%s/%s" % (DOMAIN, share), "-c", "ls"],
                        env={"KRB5CCNAME": tickets})[0] == 0
