#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""self_test.py - what the tests of the directory rely on in the lab, shown with Samba's and OpenLDAP's own tools."""
import json
import subprocess
import sys
import time

import compare
import lab


def reads(l, words, env, host="sensor"):
    """What a search of the domain's head with these words says: (status, output and errors)."""
    status, out, err = l.run(host, ["ldapsearch", "-LLL", *words, "-b", lab.BASE, "-s", "base", "dc"], env=env)
    return status, out + err


def binds(l):
    simple = ["-x", "-D", "picket@" + lab.DOMAIN, "-w", lab.SYNCHRONIZER_PASSWORD]
    cache = {"KRB5CCNAME": "/run/host/tickets-self-test"}
    status, out, err = l.run("sensor", ["kinit", "-k", "-t", l.keytab, lab.SYNCHRONIZER], env=cache)
    assert status == 0, err
    for dc in l.controllers:
        for words, env in ((simple + ["-H", "ldaps://" + dc.host_name], {"LDAPTLS_CACERT": l.ca_file}),
                           (simple + ["-ZZ", "-H", "ldap://" + dc.host_name], {"LDAPTLS_CACERT": l.ca_file}),
                           (["-Q", "-Y", "GSSAPI", "-H", "ldap://" + dc.host_name], cache),
                           (["-Q", "-Y", "GSS-SPNEGO", "-H", "ldap://" + dc.host_name], cache)):
            status, said = reads(l, words, env)
            assert status == 0 and "dc: corp" in said, (dc.name, words, status, said)
        status, said = reads(l, simple + ["-H", "ldaps://" + dc.host_name], {"LDAPTLS_CACERT": "/dev/null"})
        assert status != 0, "a certificate of nobody's is trusted"


def rights(l):
    cache = {"KRB5CCNAME": "/run/host/tickets-self-test"}
    l.dc1.add_users(["gone1"])
    l.dc1.delete(["CN=gone1,OU=Staff," + lab.BASE])
    for base in (lab.BASE, lab.CONFIGURATION):
        status, out, err = l.run("sensor", ["ldapsearch", "-Q", "-Y", "GSSAPI", "-LLL", "-H", "ldap://" + l.dc1.host_name, "-b", base,
                                            "-E", "!1.2.840.113556.1.4.841=::MAgCAQACAQAEAA==", "(objectClass=*)", "objectClass"], env=cache)
        assert status in (0, 1) and len(lab.parse_ldif(out)) > 20, (base, status, out[:300], err)
    status, out, err = l.run("sensor", ["ldapsearch", "-Q", "-Y", "GSSAPI", "-LLL", "-H", "ldap://" + l.dc1.host_name, "-b", lab.BASE,
                                        "-E", "!1.2.840.113556.1.4.417", "(isDeleted=TRUE)", "cn"], env=cache)
    assert "gone1" in out, "the synchronizer's account does not see what was deleted: %s %s" % (out, err)


def sees(l):
    """The mirror: a log-on at the client's is on the sensor's port, and nothing between client and attacker is."""
    capture = lab.PLACE + "/self-test.pcap"
    dump = l.spawn("sensor", ["tcpdump", "-Z", "root", "-i", "span0", "-s", "0", "--immediate-mode", "-U", "-w", capture],
                   stderr=subprocess.PIPE)
    dump.stderr.readline()
    assert l.log_on("client", "user01", "User.Pass01!"), "user01 cannot log on"
    l.run("client", ["ping", "-c", "1", l.net.address("attacker")])
    time.sleep(0.3)
    dump.terminate()
    dump.wait()
    status, out, err = l.run("sensor", ["tcpdump", "-Z", "root", "-nr", capture])
    client = l.net.address("client")
    assert "%s.88" % l.dc1.address in out and "%s.445" % l.dc1.address in out and client in out, out
    assert l.net.address("attacker") not in out


def replicates(l):
    """Both domain controllers hold the same after a storm at either, which dies in it: so the storm, the dump and its
    comparison are right, for Samba's own replication is. (At both at once it is not quite: two changes of a link's ends at
    two domain controllers may end in different links.)"""
    done = {}
    for seed, dc in enumerate(l.controllers):
        storm, last, count = l.storm(seed, 80, [dc]), None, 0
        for line in storm.stdout:
            last = json.loads(line)
            if "did" in last:
                done[last["did"]] = done.get(last["did"], 0) + 1
                count += 1
                if count == 40:
                    dc.kill()
                    dc.start()
        assert storm.wait() == 0 and last == {"done": 80}, (storm.returncode, last)
        l.level()
    assert {"create", "change", "rename", "move", "join", "delete", "restore"} <= done.keys(), done
    for base in (lab.BASE, lab.CONFIGURATION):
        accounts = []

        def level():
            accounts[:] = [compare.of_dump(dc.dump(base)) for dc in l.controllers]
            return not list(compare.differences(*accounts))
        try:
            lab.wait("the same at both", level, 60, 2)
        except lab.LabError:
            print("\n".join(list(compare.differences(*accounts, names=("dc1", "dc2")))[:20]))
            raise
        assert len(accounts[0]) > 200
        # and what differs is seen
        some = next(iter(accounts[0]))
        accounts[1][some] = dict(accounts[1][some], mail=["another"], dn="nowhere")
        assert len(list(compare.differences(*accounts))) == 2
        del accounts[0][some]
        assert len(list(compare.differences(*accounts))) == 1


def dies_and_lives(l):
    l.dc1.kill()
    assert reads(l, ["-x", "-H", "ldap://" + l.dc1.host_name], {}, "client")[0] != 0
    l.dc1.start()
    assert l.dc1.search("(sAMAccountName=user01)", "cn")


def main():
    lab.enter()
    began = time.monotonic()
    with lab.Lab(dc2="--dc2" in sys.argv, say=print) as l:
        print("up after %.1f s" % (time.monotonic() - began))
        for test in (binds, rights, sees, replicates, dies_and_lives):
            if test is replicates and not l.dc2:
                continue
            test(l)
            print("%s: fine (%.1f s)" % (test.__name__, time.monotonic() - began))
    return 0


if __name__ == "__main__":
    sys.exit(main())
