#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""capture.py - what the capture engine costs, beside a bare libpcap loop, in the same run.

    cmake --build build/release --target bench
    tests/bench/capture.py [--build build/release] [--pairs 7] [--packets 2000000] [--data ../shared/data]

Makes the AD mix (recipe.txt) once, then runs `picket read --batches /dev/null` and the bare loop in turn,
and prints medians: packets per CPU-second, ratio to the loop, resident memory, cost per protocol message
(over all, and for each class of traffic alone), and allocations per packet in steady state: the difference
between a run over the whole mix and one over its first half, per packet.
"""
import argparse, json, os, statistics, struct, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def run(command):
    """CPU seconds and peak resident KiB of one process."""
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.execv(command[0], command)
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit("capture.py: %s failed with %d" % (" ".join(command), status))
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def make_mix(build, data, classes, packets, path):
    """A capture of so many packets by recipe.txt, of all classes of traffic or of some; made when it is not there."""
    if os.path.exists(path):
        return
    lines = []
    for line in open(os.path.join(HERE, "recipe.txt")):
        f = line.split()
        if len(f) == 3 and f[0] != "#" and (not classes or f[0] in classes):
            lines.append("%s %s %s\n" % (f[0], f[1] if not classes else "1", os.path.join(data, f[2])))
    r = subprocess.run([os.path.join(build, "bench/pcapmix"), path + ".new", str(packets), "100000", "7"],
                       input="".join(lines), text=True)
    if r.returncode:
        sys.exit("capture.py: pcapmix failed")
    os.rename(path + ".new", path)


def first_half(path, to):
    """The first half of a capture's packets; how many they are, and how many the whole has."""
    data = open(path, "rb").read()
    offsets, at = [], 24
    while at + 16 <= len(data):
        offsets.append(at)
        at += 16 + struct.unpack_from("<I", data, at + 8)[0]
    half = len(offsets) // 2
    with open(to, "wb") as f:
        f.write(data[:offsets[half]])
    return half, len(offsets)


def allocations(a, path):
    with tempfile.TemporaryFile() as out:
        env = dict(os.environ, LD_PRELOAD=os.path.join(a.build, "bench/count_malloc.so"),
                   PICKET_COUNT_FD=str(out.fileno()))
        subprocess.run([a.picket, "read", "--batches", os.devnull, path], env=env, check=True,
                       pass_fds=[out.fileno()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        out.seek(0)
        return int(out.read().split()[-1])


def messages(a, path):
    out = subprocess.run([a.picket, "read", "--counts", path], check=True, capture_output=True).stdout
    counts = json.loads(out)
    # what counts one message each; the rest are breakdowns of these
    groups = ("kerberos.kdc.", "kerberos.gss.", "kerberos.kpasswd", "ntlmssp.", "ldap.", "cldap.", "smb1.", "smb2.",
              "dcerpc.pdus.", "nbns.", "radius.codes.", "syslog.")
    n = sum(v for k, v in counts.items() if k.startswith(groups))
    return n + sum(v for k, v in counts.items() if k.startswith("dns.") and (".responses." in k or ".over." in k))


def measure(a, path, pairs):
    loop = [os.path.join(a.build, "bench/pcap_loop"), path]
    picket = [a.picket, "read", "--batches", os.devnull, path]
    run(loop), run(picket)
    rows = []
    for _ in range(pairs):
        base, _ = run(loop)
        cpu, rss = run(picket)
        rows.append((base, cpu, rss))
    return rows


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=os.path.join(ROOT, "build/release"))
    p.add_argument("--data", default=os.path.join(ROOT, "../shared/data"))
    p.add_argument("--out", default=os.path.join(tempfile.gettempdir(), "picket-bench"))
    p.add_argument("--pairs", type=int, default=7)
    p.add_argument("--packets", type=int, default=2000000)
    a = p.parse_args()
    a.picket = os.path.join(a.build, "bin/picket")
    if not os.path.isdir(a.data):
        sys.exit("capture.py: %s is not there: the mix is made of its captures" % a.data)
    os.makedirs(a.out, exist_ok=True)

    mix = os.path.join(a.out, "mix-%d.pcap" % a.packets)
    half = os.path.join(a.out, "half.pcap")
    make_mix(a.build, a.data, None, a.packets, mix)
    n_half, n = first_half(mix, half)
    rows = measure(a, mix, a.pairs)
    base = statistics.median(r[0] for r in rows)
    cpu = statistics.median(r[1] for r in rows)
    found = messages(a, mix)
    print("AD mix: %d packets, %d bytes, %d protocol messages" % (n, os.path.getsize(mix), found))
    print("picket read --batches /dev/null   %12.0f packets per CPU-second" % (n / cpu))
    print("bare libpcap loop                 %12.0f packets per CPU-second" % (n / base))
    print("cost, picket : loop               %12.2f (median of %d pairs; min %.2f, max %.2f)" % (
        statistics.median(r[1] / r[0] for r in rows), len(rows), min(r[1] / r[0] for r in rows),
        max(r[1] / r[0] for r in rows)))
    print("peak resident memory              %12.1f MiB" % (max(r[2] for r in rows) / 1024))
    print("per protocol message              %12.0f ns (over the loop)" % ((cpu - base) / found * 1e9))
    extra = allocations(a, mix) - allocations(a, half)
    print("allocations in the second half    %12d for %d packets: %.6f per packet" % (
        extra, n - n_half, extra / (n - n_half)))
    for name in ("kerberos", "ldap", "smb", "rpc", "dns"):
        path = os.path.join(a.out, name + ".pcap")
        make_mix(a.build, a.data, (name,), 200000, path)
        rows = measure(a, path, 3)
        found = messages(a, path)
        over = statistics.median(r[1] - r[0] for r in rows)
        print("%-10s traffic alone          %12.0f ns per protocol message (%d messages)" % (
            name, over / found * 1e9, found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
