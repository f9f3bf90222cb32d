#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""governor.py - the good guest, by experiment: hogs rise and fall while traffic is replayed at full speed.

    governor.py --build DIRECTORY [--real] [--processors 0.5] [--memory 1024] [--phase 40] [--svg FILE]

A sensor (tests/bench/guest.c: capture and governor as picketd has them) captures a virtual interface in a network
namespace of its own, tcpreplay sends all captures of tests/data to it with fresh addresses in each round, a
hog of CPU and one of memory take what the phases below say.

The host is a model: so many processors and so much memory, on which nothing runs but the sensor and the hogs, whose use is
measured from /proc. So the experiment is the same on a machine that also does other work. With --real it is the machine
itself; then it should be idle, and the hog of memory takes up to 4 GiB.

Wanted: in each phase, from its second period on, the mean of what is free is at least 15 %, of CPU and of memory; where the
hogs leave less, the sensor takes next to nothing. Writes a plot, and what was given up. Needs root, ip, tcpreplay.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
import live  # noqa: E402

PERIOD = 10
# CPU and memory that the hogs take, percent of the host.
PHASES = [(5, 20), (40, 40), (70, 60), (80, 75), (95, 90), (40, 40), (5, 20)]
LAST = 2.5     # times as long: what was raised is to end

CPU_HOG = """
import sys, time, threading
share = 0.0
def hear():
    global share
    for line in sys.stdin:
        share = float(line)
threading.Thread(target=hear, daemon=True).start()
# A hundredth of a second at a time, by what was really used: also on a machine that has little to give.
used, at = time.process_time(), time.monotonic()
while True:
    now = time.monotonic()
    due, spent = (now - at) * share, time.process_time() - used
    if now - at > 1:
        used, at = time.process_time(), now
    elif spent < due:
        end = time.process_time() + min(due - spent, 0.01)
        while time.process_time() < end:
            pass
    else:
        time.sleep(0.005)
"""

MEMORY_HOG = """
import sys
kept = []
for line in sys.stdin:
    wanted = int(line)
    while len(kept) < wanted:
        block = bytearray(1 << 20)
        for i in range(0, len(block), 4096):
            block[i] = 1
        kept.append(block)
    del kept[wanted:]
"""


def hog(program):
    return subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, text=True)


def tell(process, value):
    process.stdin.write("%s\n" % value)
    process.stdin.flush()


def average(samples, key):
    return sum(s[key] for s in samples) / len(samples)


def judge(samples, starts):
    """From the second period of each phase on; True when all that was wanted is so."""
    fine = True
    for i, (cpu, memory) in enumerate(PHASES):
        end = starts[i + 1] if i + 1 < len(starts) else samples[-1]["time"] + 1
        settled = [s for s in samples if starts[i] + 2 * PERIOD <= s["time"] < end]
        if not settled:
            continue
        others, ours = average(settled, "others"), average(settled, "ours")
        m_others, m_ours = average(settled, "memory_others"), average(settled, "memory_ours")
        free, m_free = 100 - others - ours, 100 - m_others - m_ours
        # Where the hogs leave less than the reserve, next to nothing of it is taken.
        held = free >= 15 - 0.2 if others <= 85 else ours < 0.5
        held = held and (m_free >= 15 - 0.2 if m_others <= 85 else m_ours < 2.5)
        fine = fine and held
        print("hogs want %2d %% and %2d %%: others use %4.1f %% and %4.1f %%, Picket %4.1f %% and %4.1f %%, "
              "free %4.1f %% and %4.1f %%%s" % (cpu, memory, others, m_others, ours, m_ours, free, m_free,
                                               "" if held else "   NOT HELD"))
    return fine


# --- plot ---

COLOURS = {"others": "#b0b0b0", "ours": "#2c6fbb", "quota": "#c0392b"}


def panel(samples, top, title, others, ours, quota):
    width, height, left = 860, 190, 60
    last = samples[-1]["time"]

    def x(t):
        return left + width * t / last

    def y(v):
        return top + height * (1 - min(max(v, 0), 100) / 100)

    def area(low, high, colour):
        points = ["%.1f,%.1f" % (x(s["time"]), y(high(s))) for s in samples]
        points += ["%.1f,%.1f" % (x(s["time"]), y(low(s))) for s in reversed(samples)]
        return '<polygon points="%s" fill="%s"/>' % (" ".join(points), colour)

    out = ['<text x="%d" y="%d" font-weight="bold">%s</text>' % (left, top - 10, title)]
    out.append(area(lambda s: 0, lambda s: s[others], COLOURS["others"]))
    out.append(area(lambda s: s[others], lambda s: s[others] + s[ours], COLOURS["ours"]))
    line = " ".join("%.1f,%.1f" % (x(s["time"]), y(s[quota])) for s in samples)
    out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="1.5"/>' % (line, COLOURS["quota"]))
    out.append('<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#333" stroke-dasharray="5,4"/>'
               % (left, left + width, y(85), y(85)))
    for v in (0, 25, 50, 75, 85, 100):
        out.append('<text x="%d" y="%.1f" text-anchor="end">%d %%</text>' % (left - 6, y(v) + 4, v))
    out.append('<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="#888"/>' % (left, top, width, height))
    for t in range(0, int(last) + 1, 30):
        out.append('<text x="%.1f" y="%d" text-anchor="middle">%d s</text>' % (x(t), top + height + 16, t))
    return out


def plot(samples, path, what):
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 640" font-family="sans-serif" font-size="12">',
           '<rect width="960" height="640" fill="white"/>']
    out += panel(samples, 40, "CPU: %s" % what, "others", "ours", "quota")
    out += panel(samples, 290, "Memory", "memory_others", "memory_ours", "memory_quota")
    top, height, left, width = 540, 50, 60, 860
    last, most = samples[-1]["time"], 248.0
    line = " ".join("%.1f,%.1f" % (left + width * s["time"] / last,
                                   top + height * (1 - (s["level"] - 1) / most)) for s in samples)
    out.append('<text x="60" y="530" font-weight="bold">Flows given up: from none (below) to all (above)</text>')
    out.append('<polyline points="%s" fill="none" stroke="#333" stroke-width="1.5"/>' % line)
    out.append('<rect x="60" y="%d" width="%d" height="%d" fill="none" stroke="#888"/>' % (top, width, height))
    at = 60
    for name, text in (("others", "others"), ("ours", "Picket"), ("quota", "its quota")):
        out.append('<rect x="%d" y="612" width="14" height="12" fill="%s"/><text x="%d" y="622">%s</text>'
                   % (at, COLOURS[name], at + 20, text))
        at += 110
    out.append('<text x="%d" y="622">dashed: 15 %% are to stay free</text></svg>' % at)
    with open(path, "w") as file:
        file.write("\n".join(out) + "\n")


# ---


def run(args, guest, directory):
    capture = os.path.join(directory, "all.pcap")
    live.make_link()
    packets = live.join_captures(os.path.join(HERE, "..", "data"), capture)
    host = [] if args.real else [str(args.processors), str(args.memory)]
    memory_all = 4096 if args.real else args.memory
    processors = os.cpu_count() if args.real else args.processors
    sensor = subprocess.Popen([guest, "pk1"] + host, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    samples, began = [], time.monotonic()
    reader = threading.Thread(target=lambda: samples.extend(json.loads(line) for line in sensor.stdout))
    reader.start()
    speed = ["--topspeed"] if args.pps == 0 else ["--pps=%d" % args.pps]
    replay = subprocess.Popen(["tcpreplay", "-q", "-i", "pk0", "--preload-pcap", "--loop=100000000", "--unique-ip"] +
                              speed + [capture], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    hogs = [hog(CPU_HOG), hog(MEMORY_HOG)]
    starts = []
    try:
        for one in hogs:
            tell(sensor, one.pid)
        for i, (cpu, memory) in enumerate(PHASES):
            starts.append(time.monotonic() - began)
            tell(hogs[0], cpu / 100 * processors)
            tell(hogs[1], int(memory / 100 * memory_all) - (0 if args.real else 12))
            time.sleep(args.phase * (LAST if i == len(PHASES) - 1 else 1))
    finally:
        for process in hogs + [replay]:
            process.kill()
            process.wait()
        sensor.stdin.close()
        sensor.wait(timeout=20)
        reader.join()
    print("%d packets in a round; %d handled, %d dropped by the kernel" %
          (packets, samples[-1]["packets"], samples[-1]["dropped"]))
    print("flows given up: " + json.dumps(samples[-1]["shed"]))
    return samples, starts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--processors", type=float, default=0.5)
    parser.add_argument("--memory", type=int, default=1024, help="MiB")
    parser.add_argument("--phase", type=int, default=40, help="seconds")
    parser.add_argument("--pps", type=int, default=0, help="0: as fast as it goes")
    parser.add_argument("--svg")
    parser.add_argument("--inside", action="store_true")
    args = parser.parse_args()
    guest = os.path.join(args.build, "bench", "guest")
    if not args.inside:
        for program in ("ip", "tcpreplay", "unshare"):
            if not shutil.which(program):
                sys.exit("governor.py: %s is not there" % program)
        os.execvp("unshare", ["unshare", "-n", sys.executable, os.path.abspath(__file__), "--inside"] + sys.argv[1:])
    directory = tempfile.mkdtemp(prefix="picket-governor-")
    try:
        samples, starts = run(args, guest, directory)
    finally:
        shutil.rmtree(directory)
    fine = judge(samples, starts)
    raised = [s["raised"] for s in samples]
    print("1013 raised: %s, ended: %s" % (any(raised), any(raised) and not raised[-1]))
    if args.svg:
        plot(samples, args.svg, "this machine" if args.real else "a host of %g processors" % args.processors)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
