#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""keys.py - the process that holds keys dies, hangs, and gets bad keytabs: nothing that is captured is lost.

    keys.py --picket PROGRAM --picketd PROGRAM [--data tests/data]

Captures are read from a pipe, held up half way while the holder is killed (SIGKILL) or stopped (SIGSTOP); `picket
capture` sees the same on a virtual interface of a network namespace, when there may be one; picketd tells how its
keys are, reads a keytab again that changed, and starts without what it may not read.
"""
import argparse
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

import live
import nodes

HERE = os.path.dirname(os.path.abspath(__file__))


def keytab(keys, realm=b"CORP.EXAMPLE"):
    """MIT's format, version 0x502: keys of host/fs0, host/fs1, ..."""
    def text(b):
        return struct.pack(">H", len(b)) + b
    out = b"\x05\x02"
    for i in range(keys):
        entry = struct.pack(">H", 2) + text(realm) + text(b"host") + text(b"fs%d" % i)
        entry += struct.pack(">IIBH", 1, 1700000000, 2, 18) + text(bytes([i + 1]) * 32) + struct.pack(">I", 2)
        out += struct.pack(">i", len(entry)) + entry
    return out


def write_keytab(path, data, mode=0o600):
    with open(path + ".new", "wb", opener=lambda p, f: os.open(p, f, 0o600)) as f:
        f.write(data)
    os.chmod(path + ".new", mode)
    os.rename(path + ".new", path)


def children(pid):
    out = []
    for thread in os.listdir("/proc/%d/task" % pid):
        try:
            out += [int(c) for c in open("/proc/%d/task/%s/children" % (pid, thread)).read().split()]
        except OSError:
            pass                                 # the thread ended meanwhile
    return out


def holder_of(pid):
    """The process that holds the keys: a child of the picket-keys that was started."""
    found = []

    def there():
        for starter in children(pid):
            if open("/proc/%d/comm" % starter).read().strip() == "picket-keys":
                found[:] = children(starter)
        return found
    nodes.wait("a holder of keys", there, every=0.02)
    return found[0]


def is_gone(pid):
    try:
        return open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


# -- picket read ------------------------------------------------------------------------------------------------------

def test_bad_keytabs(picket, capture, directory):
    def run(*options):
        r = subprocess.run([picket, "read", "--json"] + list(options) + [capture], capture_output=True, text=True,
                           timeout=120)
        return r.returncode, r.stdout, r.stderr
    path = os.path.join(directory, "bad")
    write_keytab(path, keytab(3), 0o644)
    status, out, said = run("--keytab", path)
    assert status == 1 and out == "" and path + " can be read by others" in said, (status, said)
    write_keytab(path, keytab(3)[:-5])
    status, out, said = run("--keytab", path)
    assert status == 1 and out == "" and path in said and "damaged" in said, (status, said)
    status, out, said = run("--keytab", path + ".nowhere")
    assert status == 1 and out == "" and "nowhere: No such file" in said, (status, said)
    status, out, said = run(*["--keytab", path] * 17)
    assert status == 2 and "16 keytabs at most" in said, (status, said)
    print("keytabs that cannot be used are named")


def read_with(picket, capture, options, midst=None):
    """The capture through a pipe, held up half way for `midst`, which gets the process; its statistics and the rest."""
    process = subprocess.Popen([picket, "read", "--json", "--stats"] + options + ["-"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    data = open(capture, "rb").read()
    out = {}
    readers = [threading.Thread(target=lambda n=n, f=f: out.update({n: f.read().decode()}))
               for n, f in (("out", process.stdout), ("err", process.stderr))]
    for r in readers:
        r.start()
    process.stdin.write(data[:len(data) // 2])
    process.stdin.flush()
    after = midst(process) if midst else None
    process.stdin.write(data[len(data) // 2:])
    process.stdin.close()
    for r in readers:
        r.join(180)
    assert process.wait(timeout=180) == 0, out
    if after:
        after()
    stats = json.loads(next(l for l in out["err"].splitlines() if l.startswith('{"packets"')))
    return stats, [json.loads(l) for l in out["out"].splitlines()], out["err"]


def test_reading(picket, capture, packets, key):
    plain, activities, _ = read_with(picket, capture, [])
    assert plain["packets"] == packets
    options = ["--keytab", key]
    keyed, more, _ = read_with(picket, capture, options)
    assert keyed["packets"] == packets

    def kill(process):
        holder = holder_of(process.pid)
        os.kill(holder, signal.SIGKILL)
        nodes.wait("another holder", lambda: is_gone(holder) and holder_of(process.pid) != holder, every=0.02)
    killed, some, said = read_with(picket, capture, options, kill)
    assert killed["packets"] == packets and "the process that holds them ended" in said, said
    assert len(some) >= 0.9 * len(activities), (len(some), len(activities))

    def stop(process):
        holder = holder_of(process.pid)
        os.kill(holder, signal.SIGSTOP)
        return lambda: nodes.wait("its end", lambda: is_gone(holder))
    began = time.monotonic()
    stopped, some, _ = read_with(picket, capture, options, stop)
    assert stopped["packets"] == packets
    assert len(some) >= 0.9 * len(activities), (len(some), len(activities))
    assert time.monotonic() - began < 120
    print("read: %d packets; %d activities without keys, %d with; holder killed and stopped" %
          (packets, len(activities), len(more)))


# -- picket capture ---------------------------------------------------------------------------------------------------

def test_live(picket, capture, packets, key):
    """In a network namespace: the holder is stopped, then killed, while packets come."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "keytab")
        shutil.copy(key, path)
        os.chmod(path, 0o600)
        live.sh("ip link set lo up")
        live.make_link()
        capturing = live.Capture(picket, "--filter", "", "--keytab", path)
        holder = holder_of(capturing.process.pid)
        live.replay(capture)
        os.kill(holder, signal.SIGSTOP)
        live.replay(capture)
        os.kill(holder, signal.SIGCONT)
        os.kill(holder, signal.SIGKILL)
        live.replay(capture)
        nodes.wait("another holder", lambda: holder_of(capturing.process.pid) != holder)
        live.replay(capture)
        activities, stats, dropped, text = capturing.end()
        assert stats["packets"] + dropped >= 4 * packets, (stats["packets"], dropped, packets)
        assert dropped < packets / 100, (dropped, packets)
        assert len(activities) > 100
        assert "  keys: " in text and "the process that holds them ended" in text, text
        print("live: %d packets, %d dropped; holder stopped and killed meanwhile" % (stats["packets"], dropped))


# -- picketd ----------------------------------------------------------------------------------------------------------

def test_node(picket, picketd, directory):
    path = os.path.join(directory, "node.keytab")
    write_keytab(path, keytab(3))
    config = ["keys", "    keytab = " + path]
    with nodes.Fleet(picket, picketd, config=config) as fleet:
        node = fleet.create("hq-1", "hq").start().up()
        # Nothing is captured: there is nothing to unseal.
        assert node.ask("status")["keys"] is None
        node.stop()
        node.write_config(config + ["capture", "    interfaces = lo"])
        node.start().up()
        keys = node.ask("status")["keys"]
        assert keys["running"] and keys["keys"] == 3 and keys["keytabs"] == [{"path": path, "fault": None}], keys
        write_keytab(path, keytab(5))
        nodes.wait("the new keytab", lambda: node.ask("status")["keys"]["keys"] == 5)
        write_keytab(path, keytab(7)[:-4])
        nodes.wait("its fault", lambda: node.ask("status")["keys"]["keytabs"][0]["fault"])
        assert node.ask("status")["keys"]["keys"] == 5
        write_keytab(path, keytab(4))
        node.process.send_signal(signal.SIGHUP)
        nodes.wait("SIGHUP", lambda: node.ask("status")["keys"]["keys"] == 4)
        holder = holder_of(node.process.pid)
        os.kill(holder, signal.SIGKILL)
        nodes.wait("another holder", lambda: (lambda k: k["restarts"] == 1 and k["running"])(node.ask("status")["keys"]))
        nodes.wait("its keys", lambda: node.ask("status")["keys"]["keys"] == 4)
        text = subprocess.run([picket, "status", "--socket", node.socket], capture_output=True, text=True).stdout
        assert "keys here: 4 of 1 keytabs" in text, text
        holder = holder_of(node.process.pid)
        node.stop()
        nodes.wait("the holder's end", lambda: is_gone(holder))
        os.chmod(path, 0o640)
        refused = subprocess.run([picketd, "--check", "--config", node.config], capture_output=True, text=True)
        assert refused.returncode == 1 and path + " can be read by others" in refused.stderr, refused
    print("picketd: told, read again, started again, refused")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--picket", required=True)
    p.add_argument("--picketd", required=True)
    p.add_argument("--data", default=os.path.join(os.path.dirname(HERE), "data"))
    p.add_argument("--inside", nargs=2, help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.inside:
        test_live(a.picket, a.inside[0], int(a.inside[1]), os.environ["KEYTAB"])
        return 0
    with tempfile.TemporaryDirectory() as directory:
        capture, key = os.path.join(directory, "all.pcap"), os.path.join(directory, "keytab")
        packets = live.join_captures(a.data, capture)
        shared = os.path.join(HERE, "..", "..", "..", "shared", "data", "lab", "lab.keytab")
        write_keytab(key, open(shared, "rb").read() if os.path.exists(shared) else keytab(3))
        test_bad_keytabs(a.picket, capture, directory)
        test_reading(a.picket, capture, packets, key)
        namespace = all(map(shutil.which, ("ip", "tcpreplay", "unshare"))) and subprocess.run(
            ["unshare", "-n", "ip", "link", "add", "pk0", "type", "veth", "peer", "name", "pk1"],
            capture_output=True).returncode == 0
        if namespace:
            subprocess.run(["unshare", "-n", sys.executable, os.path.abspath(__file__), "--picket", a.picket, "--picketd",
                            a.picketd, "--inside", capture, str(packets)], check=True, env=dict(os.environ, KEYTAB=key))
            test_node(a.picket, a.picketd, directory)
        else:
            print("SKIP: live capture and picketd: no right to make network namespaces and interfaces, or no tcpreplay")
    return 0


if __name__ == "__main__":
    sys.exit(main())
