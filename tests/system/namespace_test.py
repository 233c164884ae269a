#!/usr/bin/env python3
"""What needs a network of its own: a machine with few local ports.

    ALBATROSS=path/to/albatross namespace_test.py
Skipped (77) where no network namespace can be made.
"""
import os
import subprocess
import sys
import unittest

INSIDE = "ALBATROSS_TEST_NAMESPACE"
if INSIDE not in os.environ:
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode != 0:
        print("skipped: no network namespaces here")
        sys.exit(77)
    os.execvpe("unshare", ["unshare", "-n", sys.executable, *sys.argv], {**os.environ, INSIDE: "1"})

import limits_test as limits  # noqa: E402
from proxy import wait_for  # noqa: E402

PORTS = 10


class Ports(limits.Base):
    @classmethod
    def setUpClass(cls):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)

    def few_ports(self):
        """From here on; those who listen have theirs."""
        with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
            before = f.read()
        self.set_range(f"40000 {40000 + PORTS - 1}")
        self.addCleanup(self.set_range, before)

    def set_range(self, text):
        with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as f:
            f.write(text)

    def check(self, group, room):
        """`room` requests find a port; the next gets 503 and the cause; afterwards all is well."""
        gate = self.gate()
        path = gate.server.listener.getsockname()
        web = f"/tmp/albatross-ports-{os.getpid()}.sock"
        listener = {"name": "path", "bind": f"unix:{web}", "protocol": "http", "default_actions": [{"forward": "g"}]}
        proxy = self.start([{"name": "g", "retries": False, "passive_check": {"failures": 1}, "servers": [{"address": "%s:%d" % path[:2]}], **group}], "g")
        proxy.config["listeners"].append(listener)
        proxy.write(proxy.config)
        self.command(proxy, "reload")
        self.few_ports()
        results = []

        def ask():
            # Clients come by the unix socket: they would take ports, too.
            out = subprocess.run(["curl", "-s", "-m", "20", "--unix-socket", web, "http://x/"], capture_output=True, text=True)
            results.append(out.stdout)
        import threading
        threads = [threading.Thread(target=ask) for _ in range(room)]
        for t in threads:
            t.start()
        gate.wait_for(room)
        ratio = proxy.metric("albatross_server_ports_used_ratio", server_group="g")
        self.assertAlmostEqual(ratio, 1.0)
        ask()
        self.assertIn("no_ports: no local port is left for a connection to the server", results[0])
        self.assertEqual(proxy.metric("albatross_terminations_total", cause="no_ports"), 1)
        self.assertEqual(proxy.metric("albatross_ejections_total"), 0)  # it is not the server's fault
        gate.let_out()
        for t in threads:
            t.join()
        self.assertEqual(results[1:], ["/"] * room)
        ask()
        self.assertEqual(results[-1], "/")

    def test_without_source_addresses(self):
        self.check({}, PORTS)

    def test_each_source_address_has_its_own(self):
        self.check({"source_addresses": ["127.0.0.2", "127.0.0.3", "127.0.0.4"]}, 3 * PORTS)

    def test_one_port_serves_many_destinations(self):
        """Late binding: with addresses of our own, too, a port is taken for one server alone."""
        servers = [self.server({"/": lambda s: s.answer(200)}) for _ in range(5)]
        proxy = self.start([{"name": "g", "source_addresses": ["127.0.0.2"], "servers": [{"address": s.address} for s in servers]}], "g", workers=1)
        self.set_range("40000 40001")
        self.addCleanup(self.set_range, "32768 60999")
        import socket
        with socket.socket() as s:
            s.bind(("127.0.0.9", 50000))
            s.connect(("127.0.0.1", proxy.ports["web"]))
            for _ in range(10):
                s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                self.assertIn(b" 200 ", s.recv(4096))
        self.assertEqual([len(s.requests) for s in servers], [2] * 5)
        wait_for(lambda: proxy.metric("albatross_upstream_connections_open") == 5, "five connections from two ports")


if __name__ == "__main__":
    unittest.main()
