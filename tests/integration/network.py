#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""network.py - hosts, sites and bad lines of the tests' own, in network namespaces.

    import network
    network.enter()                    # re-executes this test in namespaces of its own (mounts, processes, network)
    net = network.Network(wan=PROGRAM)
    net.site("hq"); net.site("branch")
    net.host("hq-1", "hq"); net.host("br-1", "branch")
    net.run("hq-1", ["picketd", ...])  # a subprocess.Popen
    net.cut(["br-1"], ["hq-1"])        # nothing passes between them; one_way=True: only from the first to the second
    net.loss("branch", 30)             # percent, on the site's line
    net.line("branch", delay=100, jitter=10)
    net.heal()

A site is a router; all sites hang on one core router, a line between each and it. A host's address is
10.SITE.HOST.2. Everything vanishes with the process that called enter(), however it ends: the namespaces are
private to it, and the process namespace takes its children along.
"""
import os
import subprocess
import sys

SKIP = 77


def enter():
    """Runs this program again in namespaces of its own; returns inside. Exits with SKIP where it may not."""
    if os.environ.pop("PICKET_TEST_NAMESPACE", None):
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/netns"], check=True)
        return
    os.makedirs("/run/netns", exist_ok=True)
    probe = subprocess.run(["unshare", "-m", "-n", "-p", "-f", "true"], capture_output=True, text=True)
    if probe.returncode:
        print("SKIP: no namespaces here: " + probe.stderr.strip())
        sys.exit(SKIP)
    os.environ["PICKET_TEST_NAMESPACE"] = "in"
    os.execvp("unshare", ["unshare", "-m", "-n", "-p", "-f", "--mount-proc", "--kill-child", "--propagation", "private",
                          sys.executable] + sys.argv)


def ip(*words):
    subprocess.run(["ip"] + list(words), check=True)


def batch(lines, netns=None):
    command = ["ip"] + (["-n", netns] if netns else []) + ["-batch", "-"]
    subprocess.run(command, input="\n".join(lines) + "\n", text=True, check=True)


class Network:
    def __init__(self, wan=None):
        self.wan_program = wan
        self.sites = {}              # name -> number
        self.hosts = {}              # name -> (site, address)
        self.lines = {}              # site -> the forwarder on its line
        self.processes = []
        ip("netns", "add", "core")
        self._forward("core")
        self._nft("core")

    # --- building ---
    def site(self, name, bad_line=False):
        """A router behind a line to the core; with bad_line a forwarder stands in it, for line()."""
        number = len(self.sites) + 1
        self.sites[name] = number
        router = "r-" + name
        ip("netns", "add", router)
        self._forward(router)
        up = ["addr add 10.0.%d.1/30 dev s%d" % (number, number), "link set s%d up" % number,
              "route add 10.%d.0.0/16 via 10.0.%d.2" % (number, number)]
        down = ["addr add 10.0.%d.2/30 dev up0" % number, "link set up0 up", "link set lo up",
                "route add default via 10.0.%d.1" % number]
        if not bad_line:
            batch(["link add s%d netns core type veth peer name up0 netns %s" % (number, router)])
        else:
            line = "w-" + name
            ip("netns", "add", line)
            batch(["link add s%d netns core type veth peer name a0 netns %s" % (number, line),
                   "link add b0 netns %s type veth peer name up0 netns %s" % (line, router)])
            batch(["link set a0 up", "link set b0 up"], line)
            # the forwarder takes whole frames: what a card would do later must be done before
            for netns, device in (("core", "s%d" % number), (router, "up0")):
                subprocess.run(["ip", "netns", "exec", netns, "ethtool", "-K", device, "tx", "off", "tso", "off", "gso",
                                "off"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            self.lines[name] = subprocess.Popen(["ip", "netns", "exec", line, self.wan_program, "a0", "b0"],
                                                stdin=subprocess.PIPE, text=True)
        batch(up, "core")
        batch(down, router)

    def host(self, name, site):
        number = self.sites[site]
        index = sum(1 for s, _ in self.hosts.values() if s == site) + 1
        if index > 250:
            raise ValueError("too many hosts in " + site)
        ip("netns", "add", name)
        batch(["link add h%d netns r-%s type veth peer name eth0 netns %s" % (index, site, name)])
        batch(["addr add 10.%d.%d.1/30 dev h%d" % (number, index, index), "link set h%d up" % index], "r-" + site)
        batch(["addr add 10.%d.%d.2/30 dev eth0" % (number, index), "link set eth0 up", "link set lo up",
               "route add default via 10.%d.%d.1" % (number, index)], name)
        self.hosts[name] = (site, "10.%d.%d.2" % (number, index))
        return self.hosts[name][1]

    def address(self, host):
        return self.hosts[host][1]

    # --- faults ---
    def cut(self, some, others, one_way=False):
        """Hosts (or sites, by their names) between which nothing passes any more. Within a site packets pass its
        router, across sites the core and both routers: the rule stands in all of them."""
        left, right = self._networks(some), self._networks(others)
        rules = ["add rule inet f cuts ip saddr { %s } ip daddr { %s } drop" % (left, right)]
        if not one_way:
            rules.append("add rule inet f cuts ip saddr { %s } ip daddr { %s } drop" % (right, left))
        for router in self._routers():
            self._nft_rules(router, rules)

    def loss(self, site, percent):
        """Of every hundred packets on the site's line so many are lost, both ways."""
        self._nft_rules("core", ["add rule inet f cuts iifname s%d numgen random mod 100 < %d drop" %
                                 (self.sites[site], percent),
                                 "add rule inet f cuts oifname s%d numgen random mod 100 < %d drop" %
                                 (self.sites[site], percent)])

    def line(self, site, **how):
        """delay=MS jitter=MS loss=PERCENT dup=PERCENT of a site made with bad_line."""
        pipe = self.lines[site].stdin
        pipe.write(" ".join("%s=%d" % item for item in how.items()) + "\n")
        pipe.flush()

    def heal(self):
        for router in self._routers():
            self._nft_rules(router, ["flush chain inet f cuts"])

    # --- processes ---
    def inside(self, host):
        """What stands before a command so that it runs on the host."""
        return ["ip", "netns", "exec", host]

    def run(self, host, command, **how):
        process = subprocess.Popen(self.inside(host) + command, **how)
        self.processes.append(process)
        return process

    def output(self, host, command, timeout=120):
        """(exit status, standard output, standard error) of a command on a host."""
        r = subprocess.run(self.inside(host) + command, capture_output=True, text=True, timeout=timeout)
        return r.returncode, r.stdout, r.stderr

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        for forwarder in self.lines.values():
            forwarder.stdin.close()
            forwarder.wait()

    # --- within ---
    def _routers(self):
        return ["core"] + ["r-" + name for name in self.sites]

    def _networks(self, names):
        return ", ".join("10.%d.0.0/16" % self.sites[n] if n in self.sites else self.hosts[n][1] for n in names)

    def _forward(self, router):
        subprocess.run(["ip", "netns", "exec", router, "sh", "-c",
                        "echo 1 > /proc/sys/net/ipv4/ip_forward"], check=True)
        batch(["link set lo up"], router)
        if router != "core":
            self._nft(router)

    def _nft(self, router):
        self._nft_rules(router, ["add table inet f",
                                 "add chain inet f cuts { type filter hook forward priority 0 ; }"])

    def _nft_rules(self, router, rules):
        subprocess.run(["ip", "netns", "exec", router, "nft", "-f", "-"], input="\n".join(rules) + "\n", text=True,
                       check=True)


def self_test(wan):
    """What the tests rely on, shown with ping: lines, cuts in one and both directions, loss, delay."""
    net = Network(wan)
    net.site("hq")
    net.site("branch", bad_line=True)
    for host, site in (("hq-1", "hq"), ("hq-2", "hq"), ("br-1", "branch")):
        net.host(host, site)

    def pings(source, target, count=1, wait=30):
        status, out, _ = net.output(source, ["ping", "-q", "-c", str(count), "-i", "0.02", "-W", str(wait), net.address(target)])
        return status == 0, out

    try:
        for source, target in (("hq-1", "hq-2"), ("hq-1", "br-1"), ("br-1", "hq-2")):
            assert pings(source, target)[0], "%s does not reach %s" % (source, target)
        net.cut(["branch"], ["hq-1"])
        assert not pings("hq-1", "br-1", wait=1)[0], "the cut does not cut"
        assert pings("hq-2", "br-1")[0], "the cut cuts too much"
        net.heal()
        assert pings("hq-1", "br-1")[0], "heal does not heal"
        net.cut(["hq-1"], ["hq-2"])
        assert not pings("hq-1", "hq-2", wait=1)[0], "no cut within a site"
        net.heal()
        net.loss("branch", 50)
        out = pings("hq-1", "br-1", 100)[1]
        lost = 100 - int(out.split(" received")[0].split()[-1])
        assert 50 < lost < 95, "%d of 100 lost at 50 %% each way" % lost
        net.heal()
        net.line("branch", delay=50)
        out = pings("hq-1", "br-1", 20)[1]
        rtt = float(out.split(" = ")[1].split("/")[0])   # the shortest: a loaded machine lets some wait
        assert 95 < rtt < 400, "round trip of %g ms with 50 ms each way" % rtt
        print("network: fine (%d of 100 lost at 50 %% each way, %.0f ms round trip at 50 ms each way)" % (lost, rtt))
    finally:
        net.close()


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "--wan":
        sys.exit("usage: network.py --wan PROGRAM")
    enter()
    self_test(sys.argv[2])
