#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""directory_lab.py - a node against a real directory (the lab): the copy is the directory, object by object, attribute by
attribute, at first and after a storm of changes in which the node and the domain controllers die; and without a synchronizer
a node knows whom traffic shows, and nobody else.

    directory_lab.py --picketd PROGRAM --picket PROGRAM --dump PROGRAM [--changes 100] [--seed N] [--only NAME]

`--dump`: picket-store-dump. The directory's side of every comparison is ldbsearch on the domain controller's own database.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))
import compare  # noqa: E402
import lab  # noqa: E402
import nodes  # noqa: E402


class Scene:
    """A node on the sensor's host, in a fleet of its own."""

    def __init__(self, l, options, **settings):
        self.l, self.dump_program, self.random = l, options.dump, random.Random(options.seed)
        self.fleet = nodes.Fleet(options.picket, options.picketd, net=l.net, config=lab.directory_lines(l, **settings))
        self.node = None

    def __enter__(self):
        self.fleet.__enter__()
        self.node = self.fleet.create("sensor", "datacenter").start().up()
        return self

    def __exit__(self, *what):
        return self.fleet.__exit__(*what)

    # --- what the node says ---
    def progress(self):
        answer = self.node.ask("sync")
        return next((d for d in answer["domains"] if d["domain"] == lab.DOMAIN), {}) if answer else {}

    def entity(self, name):
        """What is known of the name; None when nothing is."""
        status, out, err = self.node.command("entity", name, "--json")
        return json.loads(out) if status == 0 else None

    # --- comparison ---
    def account(self):
        r = subprocess.run([self.dump_program, os.path.join(self.node.state, "entities")], capture_output=True, text=True,
                           check=True)
        return compare.of_store(r.stdout)

    def differences(self, dc):
        copy, buried = self.account()
        found = []
        directory, gone = {}, set()
        for base in (lab.BASE, lab.CONFIGURATION):
            entries = dc.dump(base)
            directory.update(compare.of_dump(entries, kept=True))
            gone |= compare.tombstones(entries)
        # what is kept only as a parent is none of the classes that are compared
        copy = {guid: one for guid, one in copy.items() if guid in directory or compare.KEPT & set(one.get("object_class", []))}
        found += compare.differences(directory, copy, ("the directory", "the node"))
        found += ["%s is a tombstone at the node only" % guid for guid in buried if guid in directory]
        found += ["%s is a tombstone in the directory only" % guid for guid in gone if guid in copy]
        return found

    def equal(self, dc, seconds=60):
        """The copy becomes what the domain controller has within so many seconds, and stays so."""
        end = time.monotonic() + seconds
        while True:
            found = self.differences(dc)
            if not found:
                break
            if time.monotonic() > end:
                print(json.dumps(self.progress(), indent=1))
                raise AssertionError("%d differences from %s:\n%s" % (len(found), dc.name, "\n".join(found[:20])))
            time.sleep(1)
        time.sleep(2)
        found = self.differences(dc)
        assert not found, "it did not stay so:\n" + "\n".join(found[:20])


def initial(l, options):
    with Scene(l, options) as scene:
        nodes.wait("it replicates", lambda: scene.progress().get("full_pass_ended"), 120)
        scene.equal(l.dc1)
        said = scene.progress()
        assert said["mode"] == "proactive" and said["reachable"], said
        print("  %d objects" % len(scene.account()[0]))


def play(scene, storm, at=lambda count: None):
    """The storm to its end; at(count) after each change."""
    last, count = None, 0
    for line in storm.stdout:
        last = json.loads(line)
        if "did" in last:
            count += 1
            at(count)
    assert storm.wait() == 0 and last and "done" in last, (storm.returncode, last)


def storm(l, options):
    """At one domain controller, which dies in it; then it is gone, and the storm goes on at the other; then it is back."""
    part = options.changes // 3
    with Scene(l, options) as scene:
        nodes.wait("it replicates", lambda: scene.progress().get("full_pass_ended"), 120)
        chance = scene.random

        def trouble(dc):
            kills = {chance.randrange(1, part) for _ in range(3)}
            death = chance.randrange(1, part)

            def at(count):
                if count in kills:
                    scene.node.kill()
                    scene.node.start()
                if count == death:
                    dc.kill()
                    dc.start()
            return at
        play(scene, l.storm(options.seed, part, [l.dc1], options.pause, "StormA"), trouble(l.dc1))
        l.dc1.kill()                   # with changes that the other has not had yet
        play(scene, l.storm(options.seed + 1, part, [l.dc2], options.pause, "StormB"), trouble(l.dc2))
        nodes.wait("it is bound to dc2", lambda: scene.progress().get("controller", "").startswith("dc2"), 60)
        l.dc1.start()
        l.level()
        l.dc2.stop()                   # in good order
        play(scene, l.storm(options.seed + 2, options.changes - 2 * part, [l.dc1], options.pause, "StormC"), trouble(l.dc1))
        l.dc2.start()
        l.level()
        nodes.wait("it is bound", lambda: scene.progress().get("controller"), 60)
        bound = l.dc2 if scene.progress()["controller"].startswith("dc2") else l.dc1
        scene.equal(bound, 120)
        print("  %d changes, %d objects" % (options.changes, len(scene.account()[0])))


def reactive(l, options):
    capture = ["capture", "    interfaces = span0"]
    with Scene(l, options, more=["synchronizer", "    candidate = no"] + capture) as scene:
        nodes.wait("the directory is reached", lambda: scene.progress().get("reachable"), 60)
        assert scene.progress()["mode"] == "reactive"
        # whoever was on the wire by himself since: the domain controller, the node's own account
        for name in ("user07", "user08", "Finance"):
            assert scene.entity(name) is None, name
        assert l.log_on("client", "user07", "User.Pass07!")
        began = time.monotonic()
        nodes.wait("user07 is known", lambda: scene.entity("user07"), 5, 0.1)
        print("  known %.1f s after the traffic" % (time.monotonic() - began))
        assert scene.entity("user08") is None, "who had no traffic is known"
        status, out, err = scene.node.command("search", "user08")
        assert "traffic" in out + err, (status, out, err)
        # a candidate appears: everybody is known
        scene.node.stop()
        scene.node.write_config(lab.directory_lines(l, more=capture))
        scene.node.start().up()
        nodes.wait("user08 is known", lambda: scene.entity("user08"), 180)
        nodes.wait("the pass ends", lambda: scene.progress().get("full_pass_ended"), 120)
        scene.equal(l.dc1)


TESTS = (initial, reactive, storm)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--picketd", required=True)
    parser.add_argument("--picket", required=True)
    parser.add_argument("--dump", required=True)
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument("--pause", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=[t.__name__ for t in TESTS])
    options = parser.parse_args()
    options.dump = os.path.abspath(options.dump)
    lab.enter()
    began = time.monotonic()
    with lab.Lab(dc2=True, say=print) as l:
        print("the lab is up after %.1f s" % (time.monotonic() - began))
        for test in TESTS:
            if options.only in (None, test.__name__):
                test(l, options)
                print("%s: fine (%.1f s)" % (test.__name__, time.monotonic() - began), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
