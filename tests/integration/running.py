#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""running.py - a real node as its administrator runs it: what it may, what it says of itself, and a new configuration
while it runs.

    running.py --picketd PROGRAM --picket PROGRAM
"""
import argparse
import json
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request

import nodes


def status_of(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def test_rights(node):
    """No new privileges, a filter of system calls, two rights at most: in each thread."""
    for thread in os.listdir("/proc/%d/task" % node.process.pid):
        status = status_of(int(thread))
        assert status["NoNewPrivs"] == "1", status
        assert status["Seccomp"] == "2", status
        for key in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
            assert int(status[key], 16) & ~(1 << 13 | 1 << 10) == 0, (key, status[key])


def test_quota(node):
    nodes.wait("a decision of the governor", lambda: (node.ask("quota")["quota"] or {}).get("decided"))
    quota = node.ask("quota")["quota"]
    cpu, memory = quota["cpu"], quota["memory"]
    assert cpu["reserve_percent"] == 15 and memory["reserve_percent"] == 15
    assert abs(cpu["quota_percent"] - max(0, 85 - cpu["others_percent"])) < 0.2, cpu
    assert memory["used_bytes"] > 0 and memory["total_bytes"] > 0
    assert not quota["capturing"]
    text = subprocess.run([node.fleet.picket, "quota", "--socket", node.socket], capture_output=True, text=True)
    assert text.returncode == 0 and "QUOTA" in text.stdout, text


def test_health(node):
    """A directory of nobody's: nothing is raised by a node that reads none."""
    answer = node.ask("health")
    for issue in answer["issues"]:
        assert issue["number"] >= 1000 and issue["since"] and issue["action"], issue


def get(port, path):
    try:
        with urllib.request.urlopen("http://127.0.0.1:%d%s" % (port, path), timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, ""


def test_metrics(port):
    status, text = get(port, "/metrics")
    assert status == 200
    samples = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            assert name not in samples, name
            samples[name] = float(value)
    assert samples["picket_fleet_members"] == 1
    assert samples['picket_health_issues{number="1013"}'] == 0
    assert 0 <= samples["picket_cpu_quota_ratio"] <= 0.85
    assert get(port, "/")[0] == 404
    # Whoever says nothing holds nobody up for long.
    with socket.create_connection(("127.0.0.1", port)):
        assert get(port, "/metrics")[0] == 200


def test_reload(node, config):
    def reload():
        done = subprocess.run([node.fleet.picket, "reload", "--socket", node.socket], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    assert reload() == (0, "nothing changed that takes effect now\n"), reload()
    node.write_config(config + ["governor", "    reserve-cpu = 40"])
    status, said = reload()
    assert status == 0 and said == "changed: governor/reserve-cpu\n", said
    nodes.wait("the new reserve", lambda: node.ask("quota")["quota"]["cpu"]["reserve_percent"] == 40)
    node.write_config(config + ["governor", "    reserve-cpu = 10"])
    status, said = reload()
    assert status == 1 and "faults" in said, said
    assert node.ask("quota")["quota"]["cpu"]["reserve_percent"] == 40
    node.write_config(config + ["governor", "    reserve-cpu = 15", "spool", "    size = 64M"])
    node.process.send_signal(signal.SIGHUP)
    nodes.wait("SIGHUP", lambda: node.ask("quota")["quota"]["cpu"]["reserve_percent"] == 15)
    log = open(node.log).read()
    assert "takes effect at the next start: spool/size" in log, log


def test_check(node):
    for option in ("--check", "--check-config"):
        fine = subprocess.run([node.fleet.picketd, option, "--config", node.config], capture_output=True, text=True)
        assert fine.returncode == 0 and fine.stdout.endswith(": fine\n"), fine
    wrong = node.config + ".wrong"
    with open(wrong, "w") as f:
        f.write("governor\n    reserve-memory = 3\n")
    refused = subprocess.run([node.fleet.picketd, "--check-config", "--config", wrong], capture_output=True, text=True)
    assert refused.returncode == 1 and "at least 15 % of the host stay free" in refused.stderr, refused


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picketd", required=True)
    parser.add_argument("--picket", required=True)
    args = parser.parse_args()
    port = nodes.free_ports(1)[0]
    config = ["metrics", "    listen = 127.0.0.1:%d" % port]
    with nodes.Fleet(args.picket, args.picketd, config=config, governed=True) as fleet:
        node = fleet.create("hq-1", "hq").start().up()
        test_rights(node)
        test_quota(node)
        test_health(node)
        test_metrics(port)
        test_check(node)
        test_reload(node, config)
        assert node.alive()
        print(json.dumps(node.ask("quota")["quota"]["cpu"]))


if __name__ == "__main__":
    main()
