#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fleet_smoke.py - three real nodes on loopback: join by token, elect, lose the synchronizer, replace it, leave in good
order, come back; and what the command line shows meanwhile.

    fleet_smoke.py --picketd PROGRAM --picket PROGRAM
"""
import argparse
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time

from fleet import Fleet

DOMAIN = "corp.example"
REPLACE_AFTER = 20


def agreed(nodes):
    """The synchronizer that all of them name and hear; None while they do not."""
    holders = {n.holder() for n in nodes}
    return holders.pop() if len(holders) == 1 else None


def all_online(nodes, count):
    return all(n.status()["members"]["online"] == count for n in nodes)


def joins(fleet):
    a = fleet.create("a", candidate_for=DOMAIN)
    b = fleet.join("b", candidate_for=DOMAIN)
    c = fleet.join("c", site="br7", mode="sensor")
    nodes = [a, b, c]
    fleet.wait(lambda: all_online(nodes, 3), "all three see three")
    # A token is good for one node; one who has joined does not need it again.
    assert b.stop() == 0
    b.start("--join-file", os.path.join(fleet.home, "b.token"))
    stranger = fleet.node("stranger")
    r = subprocess.run([fleet.picketd, "--config", stranger.config, "--join-file", os.path.join(fleet.home, "b.token")],
                       capture_output=True, timeout=90, stdin=subprocess.DEVNULL)
    assert r.returncode == 1 and b"refused" in r.stderr, r
    fleet.wait(lambda: all_online(nodes, 3), "all three see three again")
    return nodes


def elects(fleet, nodes):
    fleet.wait(lambda: agreed(nodes), "all name one synchronizer", timeout=90)
    holder = agreed(nodes)
    assert holder in ("a", "b"), holder
    for n in nodes:
        d = n.domain()
        assert d["candidates"] == 2 and d["candidates_online"] == 2, d
        assert d["mode_here"] == ("synchronizer" if n.name == holder else "proactive"), d
    return next(n for n in nodes if n.name == holder)


def shows(nodes):
    """Each command, as table and as JSON, with nothing on standard error."""
    n = nodes[0]
    for command in (["status"], ["members"], ["members", "--wide"], ["synchronizer"], ["why", DOMAIN], ["peers"], ["reach"],
                    ["reach", "--probe"], ["history"], ["members", "--site", "br7"]):
        code, out, err = n.run(*command)
        assert code in (0, 3) and out and not err and "\x1b" not in out, (command, code, out, err)
        answer = n.json(*command)
        assert answer["schema"] == 1 and answer["view"]["name"] == n.name, command
    assert [m["name"] for m in n.json("members", "--site", "br7")["members"]] == ["c"]
    assert [m["name"] for m in n.json("members")["members"]] == ["c", "a", "b"], "sorted by site, then name"
    dialled = n.json("reach", "--probe")["members"]
    assert all("open" in m["dialled"] for m in dialled), dialled
    code, out, err = n.run("why", "nowhere.example")
    assert code == 1 and "nowhere.example" in err, (code, out, err)
    for wrong in (["synchronizer", "pin"], ["candidate", "on"], ["members", "x"], ["pin", DOMAIN]):
        assert n.run(*wrong)[0] == 2, wrong
    sensor = next(x for x in nodes if x.name == "c")
    code, out, err = sensor.run("synchronizer", "pin", DOMAIN)
    assert code == 1 and "grant" in err, (code, out, err)


def replaces(fleet, nodes, holder):
    others = [n for n in nodes if n is not holder]
    watcher = others[0]
    term = watcher.domain()["term"]
    events = subprocess.Popen([fleet.picket, "events", "--json", "--socket", watcher.socket], stdout=subprocess.PIPE,
                              text=True)
    try:
        assert json.loads(events.stdout.readline())["schema"] == 1
        killed = time.monotonic()
        holder.kill()
        fleet.wait(lambda: watcher.domain()["state"] == "silent", "its silence shows")
        silent = watcher.domain()
        assert silent["holder"] == holder.name and silent["mode_here"] == "reactive", silent
        assert 0 < silent["replace_in_ms"] <= REPLACE_AFTER * 1000, silent
        assert "silent for" in silent["next"] and "replaced in" in silent["next"], silent
        code, out, err = watcher.run()
        assert code == 3 and "silent for" in out, (code, out, err)
        fleet.wait(lambda: agreed(others) not in (None, holder.name), "it is replaced", timeout=90)
        took = time.monotonic() - killed
        # Heard last up to a heartbeat before; the limit is counted by the observer's own clock.
        assert took > REPLACE_AFTER - 4, "replaced after %.1f s of %d" % (took, REPLACE_AFTER)
        assert watcher.domain()["term"] > term
        for line in events.stdout:
            event = json.loads(line)
            if event["event"] == "holder" and event["term"] > term:
                assert event["domain"] == DOMAIN and event["text"], event
                break
        assert any(e["event"] == "holder" and e["cause"] for e in watcher.history())
        fleet.wait(lambda: watcher.members()[holder.name]["state"] == "offline", "it is offline")
    finally:
        events.kill()
        events.wait()
    print("replaced after %.1f s" % took)
    successor = next(n for n in others if n.name == agreed(others))
    # It comes back as one of many: the office is not its own any more.
    holder.start()
    fleet.wait(lambda: all_online(nodes, 3), "all three see three")
    fleet.wait(lambda: agreed(nodes) == successor.name, "all name the successor")
    return successor


def yields(fleet, nodes):
    before = nodes[0].domain()["term"]
    code, out, err = nodes[2].run("synchronizer", "yield", DOMAIN)
    assert code == 0 and "asked" in out, (code, out, err)
    fleet.wait(lambda: nodes[0].domain()["term"] > before and agreed(nodes), "another draw")
    holder = next(n for n in nodes if n.name == agreed(nodes))
    code, out, err = holder.run("candidate", "off", DOMAIN)
    assert code == 0, (code, out, err)
    fleet.wait(lambda: agreed(nodes) not in (None, holder.name), "the other candidate has it")
    assert nodes[2].domain()["candidates"] == 1
    assert nodes[2].members()[holder.name]["candidate_off"] == [DOMAIN]
    assert holder.run("candidate", "on", DOMAIN)[0] == 0
    fleet.wait(lambda: nodes[2].domain()["candidates"] == 2, "two candidates again")
    return next(n for n in nodes if n.name == agreed(nodes))


def leaves(fleet, nodes, holder):
    others = [n for n in nodes if n is not holder]
    start = time.monotonic()
    assert holder.stop(timeout=10) == 0
    stopped = time.monotonic() - start
    fleet.wait(lambda: agreed(others) not in (None, holder.name), "a successor at once")
    took = time.monotonic() - start
    assert took < REPLACE_AFTER, "nobody waits for one who left in good order: %.1f s" % took
    assert others[0].members()[holder.name]["state"] == "left"
    print("left in %.1f s, succeeded after %.1f s" % (stopped, took))
    holder.start()
    fleet.wait(lambda: all_online(nodes, 3), "it is back")


def watches(node):
    """The full screen: drawn on a terminal, given back on the way out."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(PICKET_SOCKET=node.socket, TERM="xterm")
        os.execv(node.fleet.picket, [node.fleet.picket, "watch"])
    out, typed, deadline = b"", False, time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            chunk = os.read(fd, 65536)
        except OSError:
            break
        out += chunk
        if not typed and b"members" in out and b"q ends" in out:
            os.write(fd, b"q")
            typed = True
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(fd)
    assert status == 0 and b"\x1b[?1049h" in out and out.rstrip().endswith(b"\x1b[?1049l"), (status, out[-200:])
    r = subprocess.Popen([node.fleet.picket, "watch", "--json", "--socket", node.socket], stdout=subprocess.PIPE)
    lines = [json.loads(r.stdout.readline()) for _ in range(2)]
    r.send_signal(signal.SIGINT)
    assert r.wait(20) == 0 and all(line["schema"] == 1 for line in lines)
    r.stdout.close()


def tells_the_service_manager(fleet, node):
    """sd_notify(3): ready, status, signs of life, stopping; and a restart in good order on the way."""
    path = os.path.join(fleet.home, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(30)
        assert node.stop() == 0
        node.start(env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1000000"})
        heard = []
        while heard.count("WATCHDOG=1") < 3 or not any(h.startswith("STATUS=") for h in heard):
            heard.append(manager.recv(1024).decode())
        assert heard[0] == "READY=1", heard
        assert node.stop() == 0
        while heard[-1] != "STOPPING=1":
            heard.append(manager.recv(1024).decode())
    node.start()


def survives_alone(fleet, nodes):
    for n in nodes[1:]:
        n.kill()
    last = nodes[0]
    fleet.wait(lambda: last.status()["view"]["neighbours"] == 0, "it has no neighbour", timeout=90)
    code, out, err = last.run()
    assert code == 3 and "no neighbour" in out and not err, (code, out, err)
    fleet.wait(lambda: last.holder() == last.name, "it replicates alone", timeout=90)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--picketd", required=True)
    p.add_argument("--picket", required=True)
    a = p.parse_args()
    with Fleet(a.picketd, a.picket, replace_after="%ds" % REPLACE_AFTER, domains=(DOMAIN,)) as fleet:
        nodes = joins(fleet)
        holder = elects(fleet, nodes)
        shows(nodes)
        holder = replaces(fleet, nodes, holder)
        holder = yields(fleet, nodes)
        watches(nodes[0])
        leaves(fleet, nodes, holder)
        tells_the_service_manager(fleet, nodes[2])
        survives_alone(fleet, nodes)
    print("fine")


main()
