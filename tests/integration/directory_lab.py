#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""directory_lab.py - the directory's part against a real directory (the lab): the copy is the directory, object by object,
attribute by attribute, at first and after a storm of changes in which it and the domain controllers die.

    directory_lab.py --replicate PROGRAM --dump PROGRAM [--changes 100] [--seed N] [--only NAME]

`--replicate`: picket-replicate, the directory's part of a node without a fleet; `--dump`: picket-store-dump. The directory's
side of every comparison is ldbsearch on the domain controller's own database.
"""
import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))
import compare  # noqa: E402
import lab  # noqa: E402


class Copy:
    """A store, and the process that replicates into it."""

    def __init__(self, l, options):
        self.l, self.options, self.random = l, options, random.Random(options.seed)
        self.process, self.said, self.thread = None, {}, None

    def __enter__(self):
        self.place = tempfile.mkdtemp(prefix="picket-directory-")
        return self.start()

    def __exit__(self, kind, value, trace):
        if self.process:
            self.kill()
        if kind:
            print(json.dumps(self.said, indent=1))
            with open(os.path.join(self.place, "log"), errors="replace") as f:
                print("".join(f.readlines()[-20:]))
        shutil.rmtree(self.place, ignore_errors=True)

    def start(self):
        self.said = {}
        with open(os.path.join(self.place, "log"), "ab") as log:
            self.process = self.l.spawn("sensor", [self.options.replicate, lab.DOMAIN, "%s@%s" % (lab.SYNCHRONIZER, lab.REALM),
                                                   self.l.keytab, os.path.join(self.place, "store")] +
                                        [dc.host_name for dc in self.l.controllers], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=log, text=True)
        self.thread = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self.thread.start()
        return self

    def _read(self, lines):
        for line in lines:
            self.said = json.loads(line)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.thread.join()

    def must_live(self):
        assert self.process.poll() is None, "it ended: %d" % self.process.returncode

    # --- comparison ---
    def account(self):
        r = subprocess.run([self.options.dump, os.path.join(self.place, "store")], capture_output=True, text=True, check=True)
        return compare.of_store(r.stdout)

    def directory(self, dc):
        """(account of what is kept, GUIDs of the tombstones) of the domain controller's own database."""
        directory, gone = {}, set()
        for base, kept in ((lab.BASE, compare.KEPT), (lab.CONFIGURATION, compare.KEPT_OF_CONFIGURATION)):
            entries = dc.dump(base)
            directory.update(compare.of_dump(entries, kept=kept))
            gone |= compare.tombstones(entries)
        return directory, gone

    def differences(self, dc, disputed=()):
        self.must_live()
        copy, buried = self.account()
        directory, gone = self.directory(dc)
        compare.without(copy, disputed)
        compare.without(directory, disputed)
        found = list(compare.differences(directory, copy, ("the directory", "the copy")))
        found += ["%s is a tombstone in the copy only" % guid for guid in buried if guid in directory]
        found += ["%s is a tombstone in the directory only" % guid for guid in gone if guid in copy]
        return found

    def equal(self, dc, seconds=60, disputed=()):
        """The copy becomes what the domain controller has within so many seconds, and stays so; but for links in which the
        domain controllers themselves differ."""
        end = time.monotonic() + seconds
        while True:
            found = self.differences(dc, disputed)
            if not found:
                break
            if time.monotonic() > end:
                raise AssertionError("%d differences from %s:\n%s" % (len(found), dc.name, "\n".join(found[:20])))
            time.sleep(1)
        time.sleep(2)
        found = self.differences(dc, disputed)
        assert not found, "it did not stay so:\n" + "\n".join(found[:20])

    def compared(self):
        """It compares itself with the directory now. How many differences that found and mended."""
        before = self.said["last_reconciled"] + 10 ** 9
        self.process.send_signal(signal.SIGUSR1)
        lab.wait("a comparison", lambda: self.said["last_reconciled"] > before, 120)
        return self.said["mismatches"]

    def complete(self):
        lab.wait("a full pass", lambda: self.said.get("full_pass_ended"), 120)


def initial(l, options):
    with Copy(l, options) as copy:
        copy.complete()
        copy.equal(l.dc1)
        said = copy.said
        assert said["method"] == "dirsync" and said["reachable"] and not said["errors"], said
        print("  %d objects, %d links" % (said["objects"], said["links"]))


def play(storm, at=lambda count: None):
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
    with Copy(l, options) as copy:
        copy.complete()
        chance = copy.random

        def trouble(dc):
            kills = {chance.randrange(1, part) for _ in range(3)}
            death = chance.randrange(1, part)

            def at(count):
                if count in kills:
                    copy.kill()
                    copy.start()
                if count == death:
                    dc.kill()
                    dc.start()
            return at
        play(l.storm(options.seed, part, [l.dc1], options.pause, "StormA"), trouble(l.dc1))
        l.dc1.kill()                   # with changes that the other has not had yet
        play(l.storm(options.seed + 1, part, [l.dc2], options.pause, "StormB"), trouble(l.dc2))
        lab.wait("it is bound to dc2", lambda: copy.said.get("controller", "").startswith("dc2"), 60)
        l.dc1.start()
        l.level()
        l.dc2.stop()                   # in good order
        play(l.storm(options.seed + 2, options.changes - 2 * part, [l.dc1], options.pause, "StormC"), trouble(l.dc1))
        l.dc2.start()
        l.level()
        disputed = compare.disputed(*(copy.directory(dc)[0] for dc in l.controllers))
        for dc in l.controllers:
            copy.equal(dc, 120, disputed)
        print("  %d changes, %d objects, %d links; %d links in which the domain controllers differ" %
              (options.changes, copy.said["objects"], copy.said["links"], len(disputed)), flush=True)
        # comparing finds nothing else, and takes the side of the one that was asked
        mended = copy.compared()
        assert mended <= len(disputed), "%d differences were mended" % mended
        copy.equal(next(dc for dc in l.controllers if dc.host_name == copy.said["controller"]))


TESTS = (initial, storm)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--replicate", required=True)
    parser.add_argument("--dump", required=True)
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument("--pause", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=[t.__name__ for t in TESTS])
    options = parser.parse_args()
    options.dump, options.replicate = os.path.abspath(options.dump), os.path.abspath(options.replicate)
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
