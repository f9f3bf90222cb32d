#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fleet_network.py - real picketd processes on hosts, sites and lines of the test's own; what the command line shows is
what is asserted.

    fleet_network.py --picket PROGRAM --picketd PROGRAM --wan PROGRAM [--replace-after 20s] [--only NAME]

Six nodes in three sites (network namespaces behind routers): hq-1, hq-2, hq-3 (a sensor, no candidate), br-1, br-2,
far-1 behind a slow line that loses packets. Needs the right to make namespaces; says so and skips otherwise.
Everything vanishes with this process.
"""
import argparse
import os
import sys
import time

import network
from nodes import DOMAIN, Fleet, seconds_of, wait

TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Stage:
    """The fleet that the tests share, and what all of them look at."""

    def __init__(self, a):
        self.net = network.Network(a.wan)
        self.net.site("hq")
        self.net.site("branch")
        self.net.site("far", bad_line=True)
        self.net.line("far", delay=40, jitter=10, loss=2)
        self.fleet = Fleet(a.picket, a.picketd, a.replace_after, self.net)
        self.limit = seconds_of(a.replace_after)
        self.a = a

    @property
    def nodes(self):
        return self.fleet.running()

    def settled(self, nodes=None, seconds=120):
        """Waits until all these nodes see one another and agree on a synchronizer; its node."""
        nodes = nodes or self.nodes
        wait(lambda: "all of them online: %s" % {n.name: n.members() for n in nodes},
             lambda: self.fleet.all_online(nodes), seconds)
        return self.agreed(nodes, seconds)

    def agreed(self, nodes, seconds, but=None):
        """Waits until all these nodes name one synchronizer, and another than `but`; its node."""
        found = []

        def agree():
            name = self.fleet.holder(nodes)
            found[:] = [name] if name and (but is None or name != but.name) else []
            return found
        wait(lambda: "one synchronizer: %s" % {n.name: n.domain() for n in nodes}, agree, seconds)
        return self.fleet.node(found[0])

    def others(self, node):
        return [n for n in self.nodes if n is not node]

    def replaced(self, holder, nodes, began):
        """Waits until `nodes` have another synchronizer than `holder`; it must not come before the time."""
        new = self.agreed(nodes, 3 * self.limit + 60, but=holder)
        took = time.monotonic() - began
        assert took > self.limit - 2, "replaced after %.1f s already" % took
        return new


@test
def they_join_with_tokens_and_elect(stage):
    first = stage.fleet.create("hq-1", "hq").start().up()
    for name, site, candidate in (("hq-2", "hq", True), ("hq-3", "hq", False), ("br-1", "branch", True),
                                  ("br-2", "branch", True), ("far-1", "far", True)):
        stage.fleet.add(name, site, candidate)
    holder = stage.settled()
    assert holder.name != "hq-3", "a sensor is no candidate"
    for node in stage.nodes:
        members = node.records()
        assert members["hq-3"]["mode"] == "sensor" and members["br-1"]["site"] == "branch"
        assert members["hq-3"]["candidate_for"] == [] and members["br-1"]["candidate_for"] == [DOMAIN]
    status, text, _ = first.command("members")
    assert status == 0 and "far-1" in text and "NAME" in text
    status, text, _ = first.command()
    assert status == 0 and holder.name in text, text


@test
def a_killed_holder_is_replaced_after_the_time_and_not_before(stage):
    holder = stage.settled()
    term, others = holder.term(), stage.others(holder)
    began = time.monotonic()
    holder.kill()
    new = stage.replaced(holder, others, began)
    assert new.term() > term
    wait("it is offline", lambda: all(n.members().get(holder.name) == "offline" for n in others))
    history = new.ask("history")
    assert any(e.get("domain") == DOMAIN and e.get("cause") == "silent" for e in history["history"]), history
    # it comes back by what it kept, and takes nothing
    holder.start()
    assert stage.settled() is new, "the returning node is not made synchronizer again"


@test
def a_holder_back_within_the_time_goes_on(stage):
    holder = stage.settled()
    term = holder.term()
    holder.kill()
    time.sleep(stage.limit / 4)
    holder.start()
    assert stage.settled() is holder
    assert holder.term() == term


@test
def a_holder_that_leaves_lets_go_at_once(stage):
    holder = stage.settled()
    others = stage.others(holder)
    began = time.monotonic()
    assert holder.stop() == 0
    stage.agreed(others, stage.limit + 15, but=holder)
    took = time.monotonic() - began
    wait("seen as gone", lambda: all(n.members().get(holder.name) == "left" for n in others))
    holder.start()
    stage.settled()
    print("    (%.1f s)" % took)


@test
def a_branch_that_is_cut_off_has_its_own_and_gives_way_when_healed(stage):
    stage.settled()
    branch = [stage.fleet.node(n) for n in ("br-1", "br-2")]
    rest = [n for n in stage.nodes if n not in branch]
    stage.net.cut(["branch"], ["hq", "far"])
    wait("a synchronizer on either side", lambda: stage.fleet.holder(branch) in ("br-1", "br-2") and
         stage.fleet.holder(rest) in [n.name for n in rest], 4 * stage.limit + 40)
    stage.net.heal()
    holder = stage.settled()
    wait("one term", lambda: len({n.term() for n in stage.nodes}) == 1)
    assert holder in rest, "the larger side keeps its synchronizer"


@test
def a_one_way_cut_does_not_depose_a_healthy_holder(stage):
    holder = stage.settled()
    deaf = next(n for n in stage.nodes if n.site != holder.site and n.name != "hq-3")
    stage.net.cut([n.name for n in stage.others(deaf)], [deaf.name], one_way=True)
    time.sleep(stage.limit + 10)
    others = stage.others(deaf)
    assert stage.fleet.holder(others) == holder.name, {n.name: n.domain() for n in others}
    stage.net.heal()
    assert stage.settled() is holder


@test
def a_paused_holder_is_replaced_and_gives_way_when_it_wakes(stage):
    holder = stage.settled()
    others = stage.others(holder)
    began = time.monotonic()
    holder.pause()
    try:
        new = stage.replaced(holder, others, began)
    finally:
        holder.resume()
    assert stage.settled() is new


@test
def a_lost_memory_does_no_harm(stage):
    """The state and the known peers are gone; the identity is not. A seed of the configuration is all that is left."""
    enroller = stage.fleet.nodes[0]
    for victim in (stage.settled(), enroller, stage.fleet.node("far-1")):
        term = stage.settled().term()
        victim.kill()
        for name in ("state.0", "state.1", "peers"):
            if os.path.exists(os.path.join(victim.state, name)):
                os.remove(os.path.join(victim.state, name))
        victim.write_config(["    seeds = hq-1 %s:%d" % (enroller.address, enroller.port)])
        victim.start()
        assert stage.settled(seconds=3 * stage.limit + 60).term() >= term


@test
def yield_and_pin(stage):
    holder = stage.settled()
    asker = stage.others(holder)[0]
    status, _, err = asker.command("synchronizer", "yield", DOMAIN)
    assert status == 0, err
    stage.agreed(stage.nodes, stage.limit + 60, but=holder)
    assert holder.command("synchronizer", "pin", DOMAIN)[0] == 0
    wait("the pinned one", lambda: stage.fleet.holder(stage.nodes) == holder.name, stage.limit + 60)
    assert holder.command("synchronizer", "unpin", DOMAIN)[0] == 0


@test
def candidacy_is_switched_off_and_on(stage):
    holder = stage.settled()
    status, _, err = holder.command("candidate", "off", DOMAIN)
    assert status == 0, err
    stage.agreed(stage.nodes, stage.limit + 60, but=holder)
    assert holder.command("candidate", "on", DOMAIN)[0] == 0


@test
def strangers_are_kept_out(stage):
    """A node without certificate, one of another fleet that claims the same names, a token used twice."""
    first = stage.fleet.nodes[0]
    before = set(first.members())

    stranger = stage.fleet.make("stranger", "hq").start()
    assert stranger.process.wait(30) == 1, "a node without certificate does not run"
    assert "picket fleet" in open(stranger.log).read() or "join" in open(stranger.log).read()

    with Fleet(stage.a.picket, stage.a.picketd, stage.a.replace_after, stage.net,
               config=["    seeds = hq-1 %s:%d" % (first.address, first.port)]) as other:
        impostor = other.create("impostor", "hq", claims="hq-2").start().up()
        time.sleep(5)
        assert impostor.members() == {"hq-2": "online"}, "a node with another fleet's key learns nothing"

    again = stage.fleet.make("again", "hq").start(join=stage.fleet.token("br-1"))
    assert again.process.wait(30) == 1, "a token is good for one node"
    assert set(first.members()) == before
    stage.settled()


@test
def keys_are_rotated_without_a_gap(stage):
    node = stage.fleet.node("br-1")
    stage.settled()
    old = node.command("fleet", "show", "--json", "--directory", node.state)[1]
    status, _, err = stage.fleet.run(node, [stage.a.picket, "fleet", "rotate", "--directory", node.state, "--socket",
                                            node.socket])
    assert status == 0, err
    watcher = stage.others(node)[0]

    def rotated():
        assert watcher.members().get("br-1") == "online"
        new = stage.fleet.run(node, [stage.a.picket, "fleet", "show", "--json", "--directory", node.state])[1]
        return '"key_generation":1' in new.replace(" ", "")
    wait("the new key", rotated)
    end = time.monotonic() + stage.limit / 2
    while time.monotonic() < end:
        assert watcher.members().get("br-1") == "online"
        time.sleep(0.5)
    node.kill()
    node.start()
    stage.settled()


@test
def a_revoked_node_is_out_at_once_and_stays_out(stage):
    stage.settled()
    victim = stage.fleet.node("br-2")
    others = stage.others(victim)
    stage.fleet.revoke("br-2")
    assert victim.process.wait(30) == 4, "a revoked node stops, and its status tells why"
    wait("all know", lambda: all(n.members().get("br-2") == "revoked" for n in others))
    victim.start()
    time.sleep(5)
    assert all(n.members().get("br-2") == "revoked" for n in others)
    stage.settled(others)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--picket", required=True)
    p.add_argument("--picketd", required=True)
    p.add_argument("--wan", required=True)
    p.add_argument("--replace-after", default="20s")
    p.add_argument("--only")
    a = p.parse_args()
    network.enter()
    stage = Stage(a)
    try:
        with stage.fleet:
            for function in TESTS:
                if a.only and function is not TESTS[0] and not any(w in function.__name__ for w in a.only.split(",")):
                    continue
                began = time.monotonic()
                function(stage)
                took = time.monotonic() - began
                print("  fine  %-68s %5.1f s" % (function.__name__.replace("_", " "), took), flush=True)
    finally:
        stage.net.close()
    print("fleet: all fine")


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    main()
