#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""directory_node.py - a whole node against a real directory (the lab): while there is no synchronizer it knows whom traffic
shows, within 5 s, and nobody else; when a candidate appears everybody is known.

    directory_node.py --picketd PROGRAM --picket PROGRAM
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))
import lab  # noqa: E402
import nodes  # noqa: E402

CAPTURE = ["capture", "    interfaces = span0"]


def here(node):
    """What `picket sync` says of this node's part."""
    answer = node.ask("sync") or {"domains": []}
    domain = next((d for d in answer["domains"] if d["domain"] == lab.DOMAIN), {})
    return domain.get("mode"), domain.get("here") or {}


def known(node, name):
    status, out, err = node.command("entity", name, "--json")
    return status == 0


def reactive(l, node):
    nodes.wait("the directory is reached", lambda: here(node)[1].get("reachable"))
    assert here(node)[0] == "reactive", here(node)
    for name in ("user07", "user08", "Finance"):
        assert not known(node, name), name
    assert l.log_on("client", "user07", "User.Pass07!")
    took = nodes.wait("user07 is known", lambda: known(node, "user07"), every=0.1)
    assert not known(node, "user08"), "who had no traffic is known"
    status, out, err = node.command("search", "user08")
    assert "traffic" in out + err, (status, out, err)
    status, out, err = node.command("lookup", "user09")      # asked for by a person
    assert status == 0 and known(node, "user09"), (status, out, err)
    print("  known %.1f s after the traffic" % took)


def proactive(l, node):
    nodes.wait("user08 is known", lambda: known(node, "user08"), 180)
    nodes.wait("the pass ended", lambda: here(node)[1].get("pass_ended"))
    mode, said = here(node)
    assert mode == "proactive" and said["method"] == "dirsync", said
    l.dc1.modify("dn: CN=user08,OU=Staff,%s\nchangetype: modify\nreplace: title\ntitle: Seen at once\n" % lab.BASE)
    took = nodes.wait("a change is seen", lambda: "Seen at once" in node.command("entity", "user08")[1], every=0.1)
    print("  a change was seen after %.1f s" % took)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--picketd", required=True)
    parser.add_argument("--picket", required=True)
    options = parser.parse_args()
    lab.enter()
    began = time.monotonic()
    with lab.Lab() as l:
        fleet = nodes.Fleet(options.picket, options.picketd, net=l.net, config=lab.directory_lines(l, more=CAPTURE))
        with fleet:
            node = fleet.create("sensor", "datacenter")
            fleet.replace_after = "20s\n    candidate = no"
            node.write_config(fleet.config)
            node.start().up()
            reactive(l, node)
            print("reactive: fine (%.1f s)" % (time.monotonic() - began), flush=True)
            node.stop()
            fleet.replace_after = "20s"
            node.write_config(fleet.config)
            node.start().up()
            # `no` was remembered as what an administrator had said
            status, out, err = node.command("candidate", "on", lab.DOMAIN)
            assert status == 0, err
            proactive(l, node)
            print("proactive: fine (%.1f s)" % (time.monotonic() - began), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
