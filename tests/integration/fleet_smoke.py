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
import re
import signal
import subprocess
import sys
import time

from nodes import DOMAIN, Directory, Fleet, ServiceManager, seconds_of, wait

REPLACE_AFTER = "20s"


class Three:
    """A fleet of three; `say` is what one of them answers, which must be an answer."""

    def __init__(self, fleet):
        self.fleet, self.nodes = fleet, []

    @property
    def first(self):
        return self.nodes[0]

    def others(self, node):
        return [n for n in self.nodes if n is not node]

    def all_online(self):
        wait("all three see three", lambda: all(say(n, "status")["members"]["online"] == 3 for n in self.nodes))

    def agreed(self, nodes=None, but=None, seconds=120):
        """Waits until these nodes name one synchronizer that they hear, and another than `but`; its node."""
        found = []

        def agree():
            name = self.fleet.holder(nodes or self.nodes)
            found[:] = [name] if name and (but is None or name != but.name) else []
            return found
        wait("all name one synchronizer", agree, seconds)
        return self.fleet.node(found[0])


def say(node, *words):
    code, out, err = node.command(*words, "--json")
    assert code in (0, 3) and not err, (words, code, err)
    return json.loads(out)


def joins(three):
    fleet = three.fleet
    a = fleet.create("a", "hq").start().up()
    b = fleet.add("b", "hq").up()
    c = fleet.add("c", "br7", candidate=False).up()
    three.nodes = [a, b, c]
    for n in three.nodes:
        assert re.search(r"^Max core file size +0 +0 ", open("/proc/%d/limits" % n.pid()).read(), re.M), "keys could be dumped"
    three.all_online()
    # A token is good for one node; one who has joined does not need it again.
    assert b.stop() == 0
    b.start(join=fleet.token("b")).up()
    stranger = fleet.make("stranger", "hq").start(join=fleet.token("b"))
    assert stranger.process.wait(90) == 1 and "refused" in stranger.tail(), stranger.tail()
    three.all_online()


def elects(three):
    holder = three.agreed()
    assert holder.name in ("a", "b"), holder.name
    for n in three.nodes:
        wait("two candidates online", lambda: (n.domain()["candidates"], n.domain()["candidates_online"]) == (2, 2))
        wait("its mode", lambda: n.domain()["mode_here"] == ("synchronizer" if n is holder else "proactive"))
    return holder


def shows(three):
    """Each command, as table and as JSON, with nothing on standard error."""
    n = three.first
    for command in (["status"], ["members"], ["members", "--wide"], ["synchronizer"], ["why", DOMAIN], ["peers"], ["reach"],
                    ["reach", "--probe"], ["history"], ["members", "--site", "br7"]):
        code, out, err = n.command(*command)
        assert code in (0, 3) and out and not err and "\x1b" not in out, (command, code, out, err)
        answer = say(n, *command)
        assert answer["schema"] == 1 and answer["view"]["name"] == n.name, command
    assert [m["name"] for m in say(n, "members", "--site", "br7")["members"]] == ["c"]
    assert [m["name"] for m in say(n, "members")["members"]] == ["c", "a", "b"], "sorted by site, then name"
    dialled = say(n, "reach", "--probe")["members"]
    assert all("open" in m["dialled"] for m in dialled), dialled
    code, out, err = n.command("why", "nowhere.example")
    assert code == 1 and "nowhere.example" in err, (code, out, err)
    for wrong in (["synchronizer", "pin"], ["candidate", "on"], ["members", "x"], ["pin", DOMAIN]):
        assert n.command(*wrong)[0] == 2, wrong
    sensor = three.fleet.node("c")
    code, out, err = sensor.command("synchronizer", "pin", DOMAIN)
    assert code == 1 and "grant" in err, (code, out, err)


def replaces(three, holder):
    limit = seconds_of(REPLACE_AFTER)
    others = three.others(holder)
    watcher = others[0]
    term = watcher.term()
    events = subprocess.Popen([three.fleet.picket, "events", "--json", "--socket", watcher.socket],
                              stdout=subprocess.PIPE, text=True)
    try:
        assert json.loads(events.stdout.readline())["schema"] == 1
        killed = time.monotonic()
        holder.kill()
        wait("its silence shows", lambda: watcher.domain()["state"] == "silent")
        silent = watcher.domain()
        assert silent["holder"] == holder.name and silent["mode_here"] == "reactive", silent
        assert 0 < silent["replace_in_ms"] <= limit * 1000, silent
        assert "silent for" in silent["next"] and "replaced in" in silent["next"], silent
        code, out, err = watcher.command()
        assert code == 3 and "silent for" in out, (code, out, err)
        successor = three.agreed(others, but=holder)
        took = time.monotonic() - killed
        # Heard last up to a heartbeat before; the limit is counted by the observer's own clock.
        assert took > limit - 4, "replaced after %.1f s of %d" % (took, limit)
        assert watcher.term() > term
        for line in events.stdout:
            event = json.loads(line)
            if event["event"] == "holder" and event["term"] > term:
                assert event["domain"] == DOMAIN and event["text"], event
                break
        assert any(e["event"] == "holder" and e["cause"] for e in say(watcher, "history")["history"])
        wait("it is offline", lambda: watcher.members()[holder.name] == "offline")
    finally:
        events.kill()
        events.wait()
    print("replaced after %.1f s" % took)
    # It comes back as one of many: the office is not its own any more.
    holder.start().up()
    three.all_online()
    wait("all name the successor", lambda: three.fleet.holder(three.nodes) == successor.name)
    return successor


def yields(three):
    first, sensor = three.first, three.fleet.node("c")
    before = first.term()
    code, out, err = sensor.command("synchronizer", "yield", DOMAIN)
    assert code == 0 and "asked" in out, (code, out, err)
    wait("another draw", lambda: first.term() > before)
    holder = three.agreed()
    code, out, err = holder.command("candidate", "off", DOMAIN)
    assert code == 0, (code, out, err)
    successor = three.agreed(but=holder)
    wait("one candidate", lambda: sensor.domain()["candidates"] == 1)
    wait("who is none is known", lambda: sensor.records()[holder.name]["candidate_off"] == [DOMAIN])
    assert holder.command("candidate", "on", DOMAIN)[0] == 0
    wait("two candidates again", lambda: sensor.domain()["candidates"] == 2)
    return successor


def leaves(three, holder):
    others = three.others(holder)
    start = time.monotonic()
    assert holder.stop() == 0
    stopped = time.monotonic() - start
    three.agreed(others, but=holder)
    took = time.monotonic() - start
    assert took < seconds_of(REPLACE_AFTER), "nobody waits for one who left in good order: %.1f s" % took
    wait("it left", lambda: others[0].members()[holder.name] == "left")
    print("left in %.1f s, succeeded after %.1f s" % (stopped, took))
    holder.start().up()
    three.all_online()


def watches(node):
    """The full screen: drawn on a terminal, given back on the way out."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(PICKET_SOCKET=node.socket, TERM="xterm")
        os.execv(node.fleet.picket, [node.fleet.picket, "watch"])
    out, typed, deadline = b"", False, time.monotonic() + 60
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
    assert r.wait(60) == 0 and all(line["schema"] == 1 for line in lines)
    r.stdout.close()


def tells_the_service_manager(three, node):
    """sd_notify(3): ready, status, signs of life, stopping; and a restart in good order on the way."""
    manager, heard = ServiceManager(three.fleet.place, "1000000"), []
    assert node.stop() == 0
    node.start(env=manager.environment)
    while heard.count("WATCHDOG=1") < 3 or not any(h.startswith("STATUS=") for h in heard):
        heard.append(manager.next())
    assert heard[0] == "READY=1", heard
    assert node.stop() == 0
    manager.hears("STOPPING=1")
    node.start().up()


def survives_alone(three):
    last = three.first
    for n in three.others(last):
        n.kill()
    wait("it has no neighbour", lambda: say(last, "status")["view"]["neighbours"] == 0, 120)
    code, out, err = last.command()
    assert code == 3 and "no neighbour" in out and not err, (code, out, err)
    wait("it replicates alone", lambda: last.holder() == last.name, 120)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--picketd", required=True)
    p.add_argument("--picket", required=True)
    a = p.parse_args()
    directory = Directory()
    with Fleet(a.picket, a.picketd, REPLACE_AFTER, log_lines=30, config=[
            "directory", "    controllers = %s 127.0.0.1:%d" % (DOMAIN, directory.port), "    period = 1s"]) as fleet:
        three = Three(fleet)
        joins(three)
        holder = elects(three)
        shows(three)
        replaces(three, holder)
        holder = yields(three)
        watches(three.first)
        leaves(three, holder)
        tells_the_service_manager(three, fleet.node("c"))
        survives_alone(three)
    directory.close()
    print("fine")


main()
