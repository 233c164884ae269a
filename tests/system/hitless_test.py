#!/usr/bin/env python3
"""Change without a lost request: a new process takes over, listeners drain and come back, reloads, shortage.

    ALBATROSS=path/to/albatross hitless_test.py [TestClass.test]
Skipped (77) where h2load or python3-h2 is missing.
"""
import collections
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

import control_test as control
import limits_test as limits
import peers
import websocket_h2_test as ws
from proxy import PATIENCE, Proxy, client_tls, make_certificate, wait_for

ALBATROSS = control.ALBATROSS


class Load:
    """Requests without end on kept connections, each again where a connection may have been closed on it; counts what failed."""

    def __init__(self, port, clients=4, path="/"):
        self.port, self.path = port, path
        self.over = threading.Event()
        self.done, self.connections, self.failures = 0, 0, []
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]
        for t in self.threads:
            t.start()

    def _run(self):
        c = None
        while not self.over.is_set():
            try:
                if c is None:
                    c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
                    c.connect()
                    self.connections += 1
                c.request("GET", self.path)
                r = c.getresponse()
                r.read()
                if r.status != 200:
                    self.failures.append(r.status)
                if r.getheader("connection") == "close":
                    c.close()
                    c = None
                self.done += 1
            except OSError as e:
                self.failures.append(repr(e))
                c = None
        if c is not None:
            c.close()

    def stop(self):
        self.over.set()
        for t in self.threads:
            t.join(PATIENCE)
        return self.failures


class Base(limits.Base):
    def process_of(self, proxy):
        return self.status(proxy)["process"]

    def stop_process(self, pid):
        """What a test has not started itself; it may have ended."""
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def upgrade(self, proxy):
        """By SIGUSR2; the process that serves then."""
        old = self.process_of(proxy)
        os.kill(old, signal.SIGUSR2)

        def other():
            try:
                now = self.process_of(proxy)
            except (OSError, json.JSONDecodeError, IndexError, ValueError):
                return None  # the admin socket is changing hands
            return now if now != old else None
        new = wait_for(other, "the new process")
        self.addCleanup(self.stop_process, new)
        return new

    def h2_load(self, proxy, n):
        """curl, as h2load does not connect again after GOAWAY; it prints each status and version."""
        return subprocess.Popen(["curl", "-sk", "--http2", "--parallel", "--parallel-max", "8", "-o", "/dev/null", "-w", "%{http_code} %{http_version}\\n",
                                 f"https://127.0.0.1:{proxy.ports['tls']}/[1-{n}]"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def until_gone(self, pid):
        def gone():
            try:
                with open(f"/proc/{pid}/stat") as f:
                    return f.read().split(") ")[1][0] == "Z"
            except FileNotFoundError:
                return True
        wait_for(gone, f"process {pid} to end", PATIENCE * 3)


class TakeOver(Base):
    def start_with_tls(self, groups, **more):
        cert, key = make_certificate(self.enterContext(tempfile.TemporaryDirectory()))
        forward = [{"forward": groups[0]["name"]}]
        listeners = [{"name": "web", "bind": "127.0.0.1:0", "protocol": "http", "http2": True, "default_actions": forward},
                     {"name": "tls", "bind": "127.0.0.1:0", "protocol": "https", "certificates": [{"cert": cert, "key": key}], "default_actions": forward}]
        return self.enterContext(Proxy(ALBATROSS, {"listeners": listeners, "server_groups": groups, "workers": 2, **more}))

    def test_twice_under_load(self):
        """Nothing fails over HTTP/1.1 or HTTP/2 while the binary is replaced twice."""
        a, b = self.responders("a", "b")
        proxy = self.start_with_tls([{"name": "g", "servers": [{"address": a.address}, {"address": b.address}]}], shutdown={"drain": "3s"})
        kept = Load(proxy.ports["web"])
        first = proxy.process.pid
        for _ in range(2):
            before = self.process_of(proxy)
            done = kept.done
            h1, h2 = self.load(proxy, 25_000, "--h1"), self.h2_load(proxy, 25_000)
            self.upgrade(proxy)
            self.assert_none_failed(h1, 25_000)
            self.assertEqual(collections.Counter(h2.communicate(timeout=120)[0].splitlines()), {"200 2": 25_000})
            wait_for(lambda: kept.done > done + 200, "requests")
            self.until_gone(before)
        self.assertEqual(kept.stop(), [])
        self.assertEqual(proxy.process.wait(PATIENCE), 0)
        self.assertNotEqual(self.process_of(proxy), first)
        self.assertEqual(len(re.findall("handed over to a new process", proxy.output())), 2)

    def test_what_is_kept(self):
        """Overrides, ticket keys, health, the port that the kernel chose, a unix socket; WebSockets are told."""
        a, b = self.responders("a", "b")
        folder = self.enterContext(tempfile.TemporaryDirectory())
        cert, key = make_certificate(folder)
        forward = [{"forward": "g"}]
        proxy = self.start([{"name": "g", "servers": [{"address": a.address, "weight": 100}, {"address": b.address, "weight": 100}]}], "g")
        config = proxy.config
        config["listeners"] += [{"name": "tls", "bind": "127.0.0.1:0", "protocol": "https", "certificates": [{"cert": cert, "key": key}], "default_actions": forward},
                                {"name": "path", "bind": f"unix:{folder}/web.sock", "protocol": "http", "default_actions": forward},
                                {"name": "gone", "bind": "127.0.0.1:0", "protocol": "http", "default_actions": forward}]
        proxy.write(config)
        self.command(proxy, "reload")
        ports = {l["name"]: int(l["address"].rsplit(":", 1)[1]) for l in self.status(proxy)["listeners"] if l["name"] != "path"}
        self.command(proxy, "drain", "g/" + a.address)
        self.command(proxy, "weight", "g/" + b.address, "7")
        self.command(proxy, "drain", "gone")
        context = client_tls(("http/1.1",))
        context.maximum_version = ssl.TLSVersion.TLSv1_2

        def resume(session=None):
            with socket.create_connection(("127.0.0.1", ports["tls"])) as s, context.wrap_socket(s, server_hostname="localhost", session=session) as t:
                return t.session, t.session_reused
        session, _ = resume()
        self.upgrade(proxy)
        self.until_gone(proxy.process.pid)
        self.assertTrue(resume(session)[1], "the session's ticket is read by the new process")
        for l in self.status(proxy)["listeners"]:
            if l["name"] in ("web", "tls"):
                self.assertEqual(int(l["address"].rsplit(":", 1)[1]), ports[l["name"]])
        self.assertTrue(self.status(proxy)["listeners"][3]["draining"])
        servers = self.status(proxy)["server_groups"][0]["servers"]
        self.assertEqual([(s.get("draining", False), s["weight"]) for s in servers], [(True, 100), (False, 7)])
        self.assertEqual([n for _, n in self.ask(proxy, 10)], ["b"] * 10)
        self.command(proxy, "undrain", "g/" + a.address)
        self.command(proxy, "weight", "g/" + b.address, "0")
        for _ in range(4):
            self.assertEqual([n for _, n in self.ask(proxy, 5)], ["a"] * 5)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(f"{folder}/web.sock")
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            self.assertIn(b" 200 ", s.recv(4096))
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", ports["gone"]))

    def test_more_and_fewer_workers(self):
        a, = self.responders("a")
        proxy = self.start([{"name": "g", "servers": [{"address": a.address}]}], "g", shutdown={"drain": "2s"})
        kept = Load(proxy.ports["web"], 8)
        for workers in (4, 1):
            before = self.process_of(proxy)
            proxy.config["workers"] = workers
            proxy.write(proxy.config)
            self.upgrade(proxy)
            self.assertEqual(self.status(proxy)["workers"], workers)
            self.until_gone(before)
            self.assertEqual([n for r in range(20) for _, n in self.ask(proxy)], ["a"] * 20)
        self.assertEqual(kept.stop(), [])

    def test_a_new_process_that_fails(self):
        """The old one goes on as if nothing had been."""
        a, = self.responders("a")
        proxy = self.start([{"name": "g", "servers": [{"address": a.address}]}], "g")
        kept = Load(proxy.ports["web"])
        with open(proxy.path, "w") as f:
            f.write("{")
        os.kill(proxy.process.pid, signal.SIGUSR2)
        wait_for(lambda: "this process continues" in proxy.output(), "the failure to be told")
        proxy.write(proxy.config)
        # One that takes the sockets and dies.
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(proxy.admin_path)
            s.sendall(b"POST /v1/take-over HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            self.assertIn(b" 101 ", s.recv(65536))
        wait_for(lambda: re.search("hand-over to a new process failed: .*; this process continues", proxy.output()), "the failure to be told")
        self.assertEqual(self.ask(proxy, 5), [(200, "a")] * 5)
        self.assertEqual(kept.stop(), [])
        self.upgrade(proxy)

    def test_an_admin_address_that_is_taken(self):
        a, = self.responders("a")
        proxy = self.start([{"name": "g", "servers": [{"address": a.address}]}], "g")
        with socket.create_server(("127.0.0.1", 0)) as s:
            proxy.config["admin"] = {"bind": "127.0.0.1:%d" % s.getsockname()[1]}
            proxy.write(proxy.config)
            r = subprocess.run([ALBATROSS, "run", "-c", proxy.path, "--take-over", proxy.admin_path], capture_output=True, text=True, timeout=30)
        self.assertEqual(r.returncode, 1)
        self.assertIn("Address already in use", r.stderr)
        wait_for(lambda: "this process continues" in proxy.output(), "the failure to be told")
        self.assertEqual(self.ask(proxy, 5), [(200, "a")] * 5)

    def test_sigterm_while_it_drains(self):
        """After it has handed over, a first SIGTERM does not cut what the old process still serves."""
        gate = self.gate()
        proxy = self.start([{"name": "g", "servers": [{"address": gate.address}]}], "g")
        results = self.many(proxy, 2)
        gate.wait_for(2)
        self.upgrade(proxy)
        wait_for(lambda: "draining for at most" in proxy.output(), "the old one to drain")
        proxy.process.send_signal(signal.SIGTERM)
        gate.let_out()
        wait_for(lambda: len(results) == 2, "what ran there")
        self.assertEqual({r[0] for r in results}, {200})
        self.assertEqual(proxy.process.wait(PATIENCE), 0)

    def test_no_changes_while_it_stops(self):
        gate = self.gate()
        proxy = self.start([{"name": "g", "servers": [{"address": gate.address}]}], "g")
        results = self.many(proxy, 1)
        gate.wait_for(1)
        proxy.process.send_signal(signal.SIGTERM)
        wait_for(lambda: "draining for at most" in proxy.output(), "the drain")
        self.assertIn("the process is stopping", self.command(proxy, "undrain", "web", code=1))
        self.assertIn("the process is stopping", self.command(proxy, "weight", "g/" + gate.address, "5", code=1))
        gate.let_out()
        wait_for(lambda: results, "what ran")
        self.assertEqual(proxy.process.wait(PATIENCE), 0)

    def test_mistakes(self):
        a, = self.responders("a")
        proxy = self.start([{"name": "g", "servers": [{"address": a.address}]}], "g")
        for socket_path, said in ((proxy.folder.name + "/none.sock", "No such file or directory (is that the admin socket"),):
            r = subprocess.run([ALBATROSS, "run", "-c", proxy.path, "--take-over", socket_path], capture_output=True, text=True, timeout=30)
            self.assertEqual(r.returncode, 1)
            self.assertIn(said, r.stderr)


class Listeners(Base):
    def test_drain_and_undrain(self):
        gate = self.gate()
        proxy = self.start([{"name": "g", "servers": [{"address": gate.address}]}], "g")
        port = proxy.ports["web"]
        idle = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        idle.connect()
        results = self.many(proxy, 1)
        gate.wait_for(1)
        waiter = subprocess.Popen([ALBATROSS, "drain", "--admin", "unix:" + proxy.admin_path, "web", "--wait", "--json", "--timeout", "20s"],
                                  stdout=subprocess.PIPE, text=True)
        self.addCleanup(waiter.kill)

        def refused():
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except ConnectionRefusedError:
                return True
        wait_for(refused, "new connections to be refused")
        self.assertTrue(self.status(proxy)["listeners"][0]["draining"])
        gate.let_out()
        # Served once more, and told that it was the last.
        idle.request("GET", "/idle")
        r = idle.getresponse()
        self.assertEqual((r.status, r.getheader("connection")), (200, "close"))
        idle.close()
        report = json.loads(waiter.communicate(timeout=PATIENCE * 3)[0])["report"]
        self.assertEqual((report["finished"], report["cut"]), (2, {"http": 0, "websocket": 0, "grpc": 0}))
        self.assertEqual(results[0][0], 200)
        self.command(proxy, "reload")
        self.assertTrue(refused(), "a reload does not open it")
        self.command(proxy, "drain", "web", code=1)
        self.command(proxy, "undrain", "web")
        self.assertEqual(self.ask(proxy)[0][0], 200)
        self.assertNotIn("draining", self.status(proxy)["listeners"][0])

    def test_the_process_by_the_api(self):
        """For a preStop hook: the answer is the report, and then the process ends."""
        gate = self.gate()
        proxy = self.start([{"name": "g", "servers": [{"address": gate.address}]}], "g", shutdown={"drain": "2s"})
        results = self.many(proxy, 3)
        gate.wait_for(3)
        status, body = proxy.ask_admin("POST", "/v1/drain?wait")
        self.assertEqual(status, 200)
        report = json.loads(body)["report"]
        self.assertEqual(report["cut"]["http"], 3)
        self.assertGreater(report["longest"], 1.9)
        self.assertEqual(proxy.process.wait(PATIENCE), 0)
        wait_for(lambda: len(results) == 3, "500 for each")
        self.assertEqual({r[0] for r in results}, {500})
        self.assertIn("drained the process: 0 finished, 0 moved, 3 cut", proxy.output())

    def test_tunnels_are_told_one_after_another(self):
        """When the process stops: 1001 for each WebSocket, not all in one moment, and none is cut."""
        server = self.server({"/": ws.switch})
        proxy = self.start([{"name": "g", "servers": [{"address": server.address}]}], "g", shutdown={"drain": "4s"})
        clients = [peers.Client("h1", proxy.ports["web"]) for _ in range(100)]
        for c in clients:
            self.addCleanup(c.close)
        tunnels = [ws.opened(c.websocket("/")) for c in clients]
        proxy.process.send_signal(signal.SIGTERM)
        wait_for(lambda: any(t.body for t in tunnels), "the first to be told")
        self.assertLess(sum(bool(t.body) for t in tunnels), 90)
        for t in tunnels:
            t.wait_over()
            self.assertEqual(bytes(t.body), ws.GOING_AWAY)
        self.assertEqual(proxy.process.wait(PATIENCE), 0)
        self.assertIn("drained the process: 0 finished, 100 moved, 0 cut", proxy.output())


    def test_calls_are_told_before_they_would_be_cut(self):
        """A gRPC stream that does not end gets UNAVAILABLE when three quarters of the time have passed."""
        def stream(s):
            s.head(200, [("content-type", "application/grpc")])
            s.wait_gone(PATIENCE)
        server = self.server({"/": stream}, "h2")
        proxy = self.start([{"name": "g", "protocol": "grpc", "servers": [{"address": server.address}]}], "g", shutdown={"drain": "2s"})
        client = peers.Client("h2", proxy.ports["web"])
        self.addCleanup(client.close)
        calls = [client.open("/pkg.Service/Watch", "POST", [("content-type", "application/grpc"), ("te", "trailers")], end=False) for _ in range(5)]
        for call in calls:
            call.wait_head()
        proxy.process.send_signal(signal.SIGTERM)
        for call in calls:
            call.wait_over()
            self.assertEqual(dict(call.trailers or {}).get("grpc-status"), "14")
        self.assertEqual(proxy.process.wait(PATIENCE), 0)
        self.assertIn("drained the process: 0 finished, 5 moved, 0 cut", proxy.output())


class Overload(Base):
    def test_descriptors(self):
        """Each level in turn, and back; the admin API answers throughout."""
        gate = self.gate()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        limited = f"{folder}/albatross"
        with open(limited, "w") as f:
            f.write(f'#!/bin/sh\nulimit -n 800\nexec {ALBATROSS} "$@"\n')
        os.chmod(limited, 0o755)
        config = {"listeners": [{"name": "web", "bind": "127.0.0.1:0", "protocol": "http", "default_actions": [{"forward": "g"}]}],
                  "server_groups": [{"name": "g", "servers": [{"address": gate.address}]}]}
        proxy = self.enterContext(Proxy(limited, config))

        def level():
            return proxy.metric("albatross_overload_level")
        c = http.client.HTTPConnection("127.0.0.1", proxy.ports["web"], timeout=PATIENCE * 3)
        c.connect()
        own = round(800 * proxy.metric("albatross_overload_pressure_ratio", resource="descriptors"))
        results, asked = [], 0
        for at, percent in ((1, 81), (2, 92), (3, 97)):
            n = int((8 * percent - own - 1) / 2) - asked  # a request has two
            asked += n
            results.append(self.many(proxy, n))
            if at < 3:
                gate.wait_for(asked)
            wait_for(lambda: level() == at, f"level {at}")  # at 3 the last of them may have to wait for their connection
            self.assertIn(f"overload level {at}, was {at - 1}: ", proxy.output())
            self.assertEqual(proxy.get_admin("/health"), "ok\n")
        c.request("GET", "/refused")
        r = c.getresponse()
        self.assertEqual((r.status, r.getheader("retry-after"), r.getheader("connection")), (503, "1", "close"))
        self.assertIn(b"overload: ", r.read())
        c.close()
        gate.let_out()
        wait_for(lambda: sum(map(len, results)) == asked, "all answers")
        self.assertEqual({s for one in results[:2] for s, _, _ in one}, {200})
        last = [s for s, _, _ in results[2]]  # those that came after the level was reached were refused
        self.assertIn(200, last)
        self.assertLessEqual(set(last), {200, 503})
        wait_for(lambda: level() == 0, "the end of the shortage")
        self.assertIn("overload level 0, was ", proxy.output())
        self.assertIsNone(self.header(proxy, "connection"))

    def header(self, proxy, name):
        c = http.client.HTTPConnection("127.0.0.1", proxy.ports["web"], timeout=PATIENCE)
        c.request("GET", "/")
        value = c.getresponse().getheader(name)
        c.close()
        return value

    def test_memory(self):
        """The largest exchanges end, as many as it takes and no more."""
        gate = self.gate()
        proxy = self.start([{"name": "g", "max_requests": 1, "queue": {"size": 2000, "timeout": "60s"}, "servers": [{"address": gate.address}]}], "g",
                           workers=1, limits={"memory": "64MiB"})
        if proxy.asan:
            self.skipTest("what AddressSanitizer needs is above the limit")
        clients = []
        self.addCleanup(lambda: [s.close() for s in clients])

        def one_more():
            # It waits, and its body is kept.
            s = socket.create_connection(("127.0.0.1", proxy.ports["web"]))
            s.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n" + bytes(60000))
            clients.append(s)
            return len(clients) % 20 == 0 and proxy.metric("albatross_overload_level") >= 2
        wait_for(one_more, "the second level", PATIENCE * 2)
        wait_for(lambda: proxy.metric("albatross_overload_level") < 2, "the largest to be ended until there is room")
        ended = proxy.metric("albatross_terminations_total", cause="overload")
        self.assertGreater(ended, 5)
        self.assertLess(ended, len(clients) / 2)
        self.assertLess(proxy.metric("albatross_overload_pressure_ratio", resource="memory"), 0.9)
        self.assertEqual(proxy.get_admin("/health"), "ok\n")


if __name__ == "__main__":
    unittest.main()
