#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cli.py - the command line of picket: what it prints, where, and its exit status.

    cli.py --picket PROGRAM [--picketd PROGRAM] [--data tests/data] [--completion FILE]
"""
import argparse
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
CAPTURE = "a42_da_add_ldap.pcap"
tests = []


def test(function):
    tests.append(function)
    return function


class Cli:
    def __init__(self, picket, data, directory):
        self.picket, self.data, self.directory = picket, data, directory

    def __call__(self, *arguments, stdin=None, env=None):
        r = subprocess.run([self.picket] + list(arguments), input=stdin, capture_output=True, timeout=120,
                           env=dict(os.environ, **(env or {})))
        return r.returncode, r.stdout.decode(), r.stderr.decode()

    def capture(self, name=CAPTURE):
        return os.path.join(self.data, name)

    def file(self, name, content):
        path = os.path.join(self.directory, name)
        with open(path, "wb") as f:
            f.write(content)
        return path


@test
def help_and_version(cli):
    code, out, err = cli(env={"PICKET_SOCKET": "/nonexistent/control"})
    assert code == 1 and not out and "/nonexistent/control" in err and "picketd" in err, "no node runs there"
    assert cli("--json", env={"PICKET_SOCKET": "/nonexistent/control"}) == (code, out, err)
    code, out, err = cli("--help")
    assert code == 0 and not err
    for command in ("read", "capture", "help") + NODE + CENTER:
        assert re.search(r"^  %s +[A-Z].*\.$" % command, out, re.M), command
        for arguments in (("help", command), (command, "--help")):
            if arguments == ("help", "--help"):
                continue
            code, text, err = cli(*arguments)
            assert code == 0 and text.startswith("usage: picket " + command) and not err, arguments
    assert re.fullmatch(r"picket \d+\.\d+\.\d+\n", cli("--version")[1])


@test
def wrong_use_is_status_2(cli):
    good = cli.capture()
    for arguments in (["nonsense"], ["help", "nonsense"], ["read"], ["read", "--nonsense", good], ["read", "--batches"],
                      ["read", "--json", "--counts", good], ["read", "--memory", "x", good],
                      ["read", "--memory", "1", good], ["read", "--decode", "tcp/389", good],
                      ["read", "--decode", "sctp/389=ldap", good], ["read", "--decode", "tcp/0=ldap", good],
                      ["read", "--decode", "tcp/99999=ldap", good], ["read", "--decode", "tcp/389=nonsense", good],
                      ["capture"]):
        code, out, err = cli(*arguments)
        assert code == 2 and not out and "picket" in err and "see: picket" in err, (arguments, code, out, err)


@test
def without_a_node_it_says_so(cli):
    path = os.path.join(cli.directory, "control")
    for command in NODE:
        arguments = {"why": ["d"], "candidate": ["on", "d"], "watch": ["--json"]}.get(command, [])
        code, out, err = cli(command, *arguments, "--socket", path)
        assert code == 1 and not out and path in err and "picketd" in err, (command, code, out, err)


@test
def wrong_use_of_what_asks_the_node(cli):
    for arguments in (["status", "x"], ["members", "--state"], ["members", "--mode", "x"], ["why"], ["why", "a", "b"],
                      ["history", "--limit", "0"], ["candidate", "maybe", "d"], ["candidate", "on"],
                      ["synchronizer", "pin"], ["synchronizer", "push", "d"], ["watch", "--every", "0"], ["watch"],
                      ["events", "--timeout", "x"], ["--nonsense"]):
        code, out, err = cli(*arguments)
        assert code == 2 and not out and "see: picket help" in err, (arguments, code, out, err)


@test
def bad_files_are_named(cli):
    empty = cli.file("empty", b"")
    picture = cli.file("picture.png", b"\x89PNG\r\n\x1a\n" + b"x" * 100)
    for path, words in ((empty, "empty"), (picture, "not a capture"), ("/nonexistent.pcap", "No such file"),
                        (cli.directory, "directory")):
        for option in ([], ["--json"], ["--counts"]):
            code, out, err = cli("read", *option, path)
            assert code == 1 and words in err and path in err, (path, option, code, err)
    assert "standard input: the file is empty" in cli("read", "-", stdin=b"")[2]
    # The others are read all the same.
    code, out, err = cli("read", "--counts", empty, cli.capture())
    assert code == 1 and json.loads(out)["ldap.modifyRequest"] == 2


@test
def a_cut_capture_is_read_to_its_end(cli):
    whole = open(cli.capture(), "rb").read()
    cut = cli.file("cut.pcap", whole[:-10])
    code, out, err = cli("read", "--counts", cut)
    assert code == 0 and "cut off" in err and cut in err
    assert json.loads(out)["ldap.modifyRequest"] == 2
    damaged = cli.file("damaged.pcap", whole + b"\xff" * 64)
    code, out, err = cli("read", "--counts", damaged)
    assert code == 0 and "damaged at byte %d" % len(whole) in err
    assert json.loads(out) == json.loads(cli("read", "--counts", cli.capture())[1])


@test
def standard_input_is_a_file(cli):
    whole = open(cli.capture(), "rb").read()
    assert cli("read", "--json", "-", stdin=whole) == cli("read", "--json", cli.capture())
    assert cli("read", "-", stdin=whole) == cli("read", cli.capture())


@test
def json_is_one_object_a_line(cli):
    for name in sorted(os.listdir(cli.data)):
        if not name.endswith(".pcap"):
            continue
        code, out, err = cli("read", "--json", cli.capture(name))
        assert code == 0 and not err
        for line in out.splitlines():
            a = json.loads(line)
            assert a["v"] == 1 and a["kind"] and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", a["time"]), line
            assert a["source"] and a["destination"] and a["transport"] in ("tcp", "udp") and a["flow"] > 0


@test
def counts_are_summed_over_files(cli):
    one = json.loads(cli("read", "--counts", cli.capture())[1])
    code, out, err = cli("read", "--counts", cli.capture(), cli.capture())
    assert code == 0 and json.loads(out) == {k: 2 * v for k, v in one.items()}
    assert "\x1b" not in out


@test
def decode_makes_another_port_speak(cli):
    """The same conversation, moved to a port where nobody expects it, and beyond recognition by signature."""
    data = bytearray(open(cli.capture("r01_radius_acct.pcap"), "rb").read())
    at = 24
    while at + 16 <= len(data):
        captured, = struct.unpack_from("<I", data, at + 8)
        for port in (at + 16 + 34, at + 16 + 36):
            if struct.unpack_from(">H", data, port)[0] == 1813:
                struct.pack_into(">H", data, port, 3333)
        at += 16 + captured
    moved = cli.file("moved.pcap", bytes(data))
    before = json.loads(cli("read", "--counts", cli.capture("r01_radius_acct.pcap"))[1])
    assert json.loads(cli("read", "--counts", "--decode", "udp/3333=radius", moved)[1]) == before


@test
def batches_hold_what_json_shows(cli):
    path = os.path.join(cli.directory, "activities.batches")
    captures = [cli.capture(n) for n in sorted(os.listdir(cli.data)) if n.endswith(".pcap")]
    code, out, err = cli("read", "--batches", path, *captures)
    assert code == 0 and not err and " packets " in out
    assert os.stat(path).st_mode & 0o77 == 0, "others may read it"
    direct = cli("read", "--json", *captures)[1]
    assert cli("read", "--json", path) == (0, direct, "")
    assert len(direct.splitlines()) > 100
    code, out, err = cli("read", path)
    assert code == 0 and "TIME (UTC)" in out and out.endswith("%d activities\n" % len(direct.splitlines()))
    # Both at once; and nowhere to write to.
    again = os.path.join(cli.directory, "again")
    assert cli("read", "--json", "--batches", again, *captures)[1] == direct
    assert open(again, "rb").read() == open(path, "rb").read()
    code, out, err = cli("read", "--batches", "/nonexistent/file", captures[0])
    assert code == 1 and "/nonexistent/file" in err
    if os.path.exists("/dev/full"):
        code, out, err = cli("read", "--batches", "/dev/full", captures[0])
        assert code == 1 and "/dev/full" in err and "space" in err, err


@test
def event_logs_are_read(cli):
    log = cli.capture("group-add-remove-4732-4733.evtx")
    code, out, err = cli("read", log)
    assert code == 0 and err == "", err
    assert "group_change" in out and "member_added" in out and out.endswith(
        "5 events: 5 activities, 0 of no interest, 0 not understood\n"), out
    code, out, err = cli("read", "--json", log)
    records = [json.loads(line) for line in out.splitlines()]
    assert [r["event_id"] for r in records] == [4732, 4732, 4732, 4733, 4733], records
    assert all(r["event_source"] == "file" and r["kind"] == "group_change" for r in records)
    code, out, err = cli("read", "--counts", log, log)
    assert json.loads(out) == {"events.4732": 6, "events.4733": 4}, out
    both = json.loads(cli("read", "--counts", log, cli.capture())[1])
    assert both["events.4732"] == 3 and len(both) > 2, both
    path = os.path.join(cli.directory, "events.batches")
    assert cli("read", "--batches", path, log)[0] == 0
    assert [json.loads(line) for line in cli("read", "--json", path)[1].splitlines()] == records
    # Damaged: what can be read is shown, and said what is wrong; what is none is a failure.
    with open(log, "rb") as f:
        content = bytearray(f.read())
    content[4096 + 512 + 28] = 0x3f
    code, out, err = cli("read", cli.file("damaged.evtx", bytes(content)))
    assert code == 0 and "4 events" in out and "1 records cannot be read" in err, (out, err)
    code, out, err = cli("read", cli.file("none.evtx", b"ElfFile\0" + bytes(100)))
    assert code != 0 and "not an event log" in err, err


@test
def damaged_batches_are_refused(cli):
    path = os.path.join(cli.directory, "batches")
    assert cli("read", "--batches", path, cli.capture("a25_brute_ntlm.pcap"))[0] == 0
    data = open(path, "rb").read()
    code, out, err = cli("read", "--json", cli.file("cut", data[:-5]))
    assert code == 1 and "cut off" in err and not out
    code, out, err = cli("read", "--json", cli.file("flipped", data[:100] + bytes([data[100] ^ 1]) + data[101:]))
    assert code == 1 and not out and "batch" in err
    code, out, err = cli("read", "--json", cli.file("tail", data + b"garbage"))
    assert code == 1 and len(out.splitlines()) > 30 and "batch" in err


@test
def the_table_is_for_people(cli):
    code, out, err = cli("read", cli.capture())
    assert code == 0 and not err and "\x1b" not in out
    lines = out.splitlines()
    assert lines[0].split() == ["TIME", "(UTC)", "KIND", "SOURCE", "DESTINATION", "ACCOUNT", "RESULT", "WHAT"]
    row = next(line for line in lines if "ldap_modify" in line)
    for part in ("10.77.0.66", "10.77.0.10 389", "dadmin@corp.example", "CN=Domain Admins", "add:member", " ok "):
        assert part in row, row
    assert re.search(r"^26 packets \(\d+ bytes\), 2 flows, 4 activities", out, re.M)
    assert re.search(r"^  ldap +2 +10 +0 +0$", out, re.M) and "gapped: 0" in out


def on_terminal(command, env):
    """What a program writes to a terminal of 100 columns."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(env)
        os.environ["TERM"] = "xterm"
        os.execv(command[0], command)
    out = b""
    while True:
        try:
            chunk = os.read(fd, 65536)
        except OSError:
            break
        if not chunk:
            break
        out += chunk
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), out.decode()


@test
def colour_is_for_terminals_only(cli):
    command = [cli.picket, "read", cli.capture()]
    code, out = on_terminal(command, {})
    assert code == 0 and "\x1b[" in out
    code, out = on_terminal(command, {"NO_COLOR": "1"})
    assert code == 0 and "\x1b[" not in out and "ldap_modify" in out
    code, out = on_terminal(command[:2] + ["--json"] + command[2:], {})
    assert code == 0 and "\x1b[" not in out


@test
def what_comes_from_the_wire_cannot_steer_a_terminal(cli):
    data = open(cli.capture(), "rb").read().replace(b"Domain Admins", b"Domain\x1b[31mAd")
    code, out, err = cli("read", cli.file("escape.pcap", data))
    assert code == 0 and "\x1b" not in out and "Domain" in out


@test
def stats_are_json(cli):
    code, out, err = cli("read", "--stats", "--batches", os.devnull, cli.capture())
    stats = json.loads(err)
    assert code == 0 and stats["packets"] == 26 and stats["flows"] == 2 and stats["activities"] == 4
    assert stats["protocols"]["ldap"] == {"flows": 2, "messages": 10, "malformed": 0, "sealed": 0}


@test
def nobody_reads_the_output(cli):
    """A pipe that is closed early, and a full disk."""
    if os.path.exists("/dev/full"):
        with open("/dev/full", "w") as full:
            r = subprocess.run([cli.picket, "read", "--json", cli.capture()], stdout=full, stderr=subprocess.PIPE)
        assert r.returncode == 1 and b"standard output" in r.stderr, r


CENTER = ("alerts", "alert", "entities", "sensors", "detectors", "settings", "exclusions", "tags", "workspaces", "users",
          "tokens", "audit", "center")
NODE = ("status", "members", "synchronizer", "why", "peers", "reach", "history", "candidate", "watch", "events")


def complete(cli, line):
    """What bash offers for a command line; a `picket` of the test's own stands for the running node."""
    words = line.split(" ")
    script = "source %s; COMP_WORDS=(%s); COMP_CWORD=%d; compopt() { :; }; _picket; printf '%%s\\n' \"${COMPREPLY[@]}\"" % (
        cli.completion, " ".join("'%s'" % w for w in words), len(words) - 1)
    r = subprocess.run(["bash", "-c", script], capture_output=True, timeout=120,
                       env=dict(os.environ, PATH=cli.directory + ":" + os.environ["PATH"]))
    assert r.returncode == 0 and not r.stderr, r
    return set(r.stdout.decode().split())


@test
def completion_knows_every_option(cli):
    if not cli.completion:
        return
    text = open(cli.completion).read()
    for command in ("read", "capture"):
        for option in re.findall(r"--[a-z]+", cli("help", command)[1]):
            assert option in text, option
    for command in NODE + CENTER:
        options = set(re.findall(r"^  (--[a-z-]+)", cli("help", command)[1], re.M))
        assert options and options <= complete(cli, "picket %s -" % command), (command, options)
        assert command in complete(cli, "picket ")


@test
def completion_knows_names_of_the_running_node(cli):
    if not cli.completion:
        return
    path = cli.file("picket", b"""#!/bin/sh
case $1 in
members) echo 'a standalone hq online'; echo 'b sensor br7 offline' ;;
synchronizer) echo 'corp.example held a 3'; echo 'eu.example silent b 9' ;;
esac
""")
    os.chmod(path, 0o755)
    for line in ("picket why ", "picket history --domain ", "picket candidate on ", "picket synchronizer yield "):
        assert complete(cli, line) == {"corp.example", "eu.example"}, line
    assert complete(cli, "picket members --site ") == {"hq", "br7"}
    assert complete(cli, "picket why c") == {"corp.example"}
    assert "held" in complete(cli, "picket synchronizer --state ")
    assert "offline" in complete(cli, "picket members --state ")
    assert {"yield", "pin", "unpin"} <= complete(cli, "picket synchronizer ")


@test
def manual_knows_every_option(cli):
    for command in ("read", "capture"):
        manual = os.path.join(os.path.dirname(os.path.dirname(HERE)), "docs/man/picket-%s.1" % command)
        text = open(manual).read()
        for option in re.findall(r"--([a-z]+)", cli("help", command)[1]):
            assert "-" + option in text, option
    text = open(os.path.join(os.path.dirname(os.path.dirname(HERE)), "docs/man/picket.1")).read()
    for command in NODE + CENTER:
        assert ".It Cm " + command in text, command
        for option in re.findall(r"^  --([a-z-]+)", cli("help", command)[1], re.M):
            assert "Fl -" + option in text, (command, option)


@test
def a_bad_configuration_is_told_by_line(cli):
    path = cli.file("bad.conf", b"capture\n    interfaces = lo\n    ring = much\n    colour = red\n")
    status, out, err = cli("capture", "--config", path)
    assert status == 1 and out == "", (status, out)
    assert path + ":3: capture/ring:" in err and path + ":4: capture/colour:" in err, err


@test
def a_configuration_names_the_interface(cli):
    path = cli.file("good.conf", b"capture\n    interfaces = picket-none\n    controllers = 192.0.2.1\n")
    status, _, err = cli("capture", "--config", path)
    assert status == 1 and "picket-none" in err, (status, err)
    status, _, err = cli("capture", "--config", path, "-i", "picket-other")
    assert status == 1 and "picket-other" in err and "picket-none" not in err, (status, err)


class Daemon:
    """picketd with a configuration of the test's own."""

    def __init__(self, cli, text=""):
        self.cli = cli
        self.config = cli.file("picketd.conf", ("node\n    state = %s/state\ncontrol\n    socket = %s/control\n" %
                                                (cli.directory, cli.directory) + text).encode())

    def __call__(self, *arguments, stdin=None):
        r = subprocess.run([self.cli.picketd, *arguments], input=stdin, capture_output=True, timeout=120)
        return r.returncode, r.stdout.decode(), r.stderr.decode()


@test
def the_node_explains_itself(cli):
    if not cli.picketd:
        return
    daemon = Daemon(cli)
    code, out, err = daemon("--help")
    assert code == 0 and out.startswith("usage: picketd") and not err
    manual = open(os.path.join(os.path.dirname(os.path.dirname(HERE)), "docs/man/picketd.8")).read()
    for option in re.findall(r"^  --([a-z-]+)", out, re.M):
        assert "Fl -" + option in manual, option
    assert re.fullmatch(r"picketd \d+\.\d+\.\d+\n", daemon("--version")[1])
    for wrong in (["--nonsense"], ["x"], ["--config"], ["--join", "-", "--join-file", "x"], ["--join", "x" * 9000]):
        code, out, err = daemon(*wrong)
        assert code == 2 and not out and "picketd --help" in err, (wrong, code, out, err)


@test
def the_node_checks_its_configuration(cli):
    if not cli.picketd:
        return
    daemon = Daemon(cli)
    assert daemon("--check", "--config", daemon.config) == (0, daemon.config + ": fine\n", "")
    bad = Daemon(cli, "cluster\n    seeds = x\n    colour = red\n")
    code, out, err = bad("--check", "--config", bad.config)
    assert code == 1 and not out and "cluster/colour" in err, (code, out, err)
    code, out, err = daemon("--check", "--config", "/nonexistent")
    assert code == 1 and "/nonexistent" in err, (code, out, err)
    unit = open(os.path.join(os.path.dirname(os.path.dirname(HERE)), "packaging/picketd.service.in")).read()
    assert "--check" in unit and "Type=notify" in unit
    example = os.path.join(os.path.dirname(os.path.dirname(HERE)), "packaging/picketd.conf")
    assert daemon("--check", "--config", example)[0] == 0


@test
def the_node_wants_an_identity(cli):
    if not cli.picketd:
        return
    daemon = Daemon(cli)
    code, out, err = daemon("--config", daemon.config)
    assert code == 1 and not out and "not joined" in err and "--join" in err, (code, out, err)
    for arguments, stdin in ((["--join", "nonsense"], None), (["--join", "-"], b"nonsense\n"),
                             (["--join-file", cli.file("token", b"nonsense")], None)):
        code, out, err = daemon("--config", daemon.config, *arguments, stdin=stdin)
        assert code == 1 and "not a token" in err, (arguments, code, out, err)
    code, out, err = daemon("--config", daemon.config, "--join-file", "/nonexistent/token")
    assert code == 1 and "/nonexistent/token" in err, (code, out, err)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--picket", required=True)
    p.add_argument("--data", default=os.path.join(os.path.dirname(HERE), "data"))
    p.add_argument("--completion")
    p.add_argument("--picketd")
    a = p.parse_args()
    failures = 0
    for one in tests:
        with tempfile.TemporaryDirectory() as directory:
            cli = Cli(a.picket, a.data, directory)
            cli.completion, cli.picketd = a.completion, a.picketd
            try:
                one(cli)
                print("ok      " + one.__name__)
            except Exception as e:
                failures += 1
                print("FAILED  %s: %s: %s (line %d)" % (one.__name__, type(e).__name__, e,
                                                        e.__traceback__.tb_next.tb_lineno))
    return 1 if failures else 0


sys.exit(main())
