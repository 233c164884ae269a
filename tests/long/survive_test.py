#!/usr/bin/env python3
"""What takes too long for every run: minutes of change under load. Prints its figures.

    ALBATROSS=path/to/albatross survive_test.py [TestClass.test]
"""
import collections
import json
import os
import pathlib
import signal
import socket
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "system"))

import control_test as control  # noqa: E402
import hitless_test as hitless  # noqa: E402
import peers  # noqa: E402
import websocket_h2_test as ws  # noqa: E402
from proxy import PATIENCE, wait_for  # noqa: E402

SECONDS = int(os.environ.get("SURVIVE_SECONDS", "60"))


def say(text):
    print(text, flush=True)


def quantile(values, q):
    return sorted(values)[min(len(values) - 1, int(len(values) * q))]


class Tunnels:
    """WebSocket servers and clients of few threads: clients are plain sockets, the server echoes what comes."""

    def __init__(self, n, port):
        self.sockets = []
        for i in range(n):
            s = socket.create_connection(("127.0.0.1", port))
            s.settimeout(PATIENCE)
            s.sendall(b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                      b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
            self.sockets.append(s)
        for s in self.sockets:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += s.recv(1)
            if b" 101 " not in head:
                raise AssertionError(head)

    def alive(self):
        """How many still carry a message there and back."""
        for s in self.sockets:
            s.sendall(ws.frame(ws.TEXT, b"ping"))
        n = 0
        for s in self.sockets:
            try:
                n += s.recv(64) == ws.frame(ws.TEXT, b"ping")
            except OSError:
                pass
        return n

    def close(self):
        for s in self.sockets:
            s.close()


class Echo:
    """A server for many tunnels in one thread: what comes after the head goes back as it came."""

    def __init__(self):
        import selectors
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.listener.setblocking(False)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.heads, self.over = {}, False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        import selectors
        while not self.over:
            for key, _ in self.selector.select(0.2):
                if key.fileobj is self.listener:
                    s, _ = self.listener.accept()
                    s.setblocking(True)
                    self.heads[s] = b""
                    self.selector.register(s, selectors.EVENT_READ)
                    continue
                s = key.fileobj
                try:
                    data = s.recv(65536)
                except OSError:
                    data = b""
                if not data:
                    self.selector.unregister(s)
                    s.close()
                elif self.heads[s] is not None:
                    self.heads[s] += data
                    if self.heads[s].endswith(b"\r\n\r\n"):
                        self.heads[s] = None
                        s.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                  b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
                else:
                    s.sendall(data)

    def stop(self):
        self.over = True
        self.thread.join(PATIENCE)
        self.listener.close()


class Survive(hitless.Base):
    def test_reloads(self):
        """One a second for a minute: every WebSocket is kept, and of the requests none fails."""
        echo = Echo()
        self.addCleanup(echo.stop)
        a, b = self.responders("a", "b")
        groups = [{"name": "g", "servers": [{"address": a.address}, {"address": b.address}]}, {"name": "ws", "servers": [{"address": echo.address}]}]
        listener = {"name": "web", "bind": "127.0.0.1:0", "protocol": "http", "http2": True, "default_actions": [{"forward": "g"}],
                    "rules": [{"name": "ws", "priority": 1, "conditions": [{"path": "/ws"}], "actions": [{"forward": "ws"}]}]}
        proxy = self.enterContext(hitless.Proxy(control.ALBATROSS, {"listeners": [listener], "server_groups": groups, "workers": 2}))
        tunnels = Tunnels(1000, proxy.ports["web"])
        self.addCleanup(tunnels.close)
        done, over, loads = collections.Counter(), time.monotonic() + SECONDS, []

        def load(*options):
            while time.monotonic() < over:
                self.assert_none_failed(self.load(proxy, 20_000, *options), 20_000)
                done[options] += 20_000
        failures = []

        def guarded(*options):
            try:
                load(*options)
            except AssertionError as e:
                failures.append(str(e))
        loads = [threading.Thread(target=guarded, args=options) for options in (("--h1",), ("-m", "8"))]
        for t in loads:
            t.start()
        reloads = 0
        while time.monotonic() < over:
            began = time.monotonic()
            proxy.config["server_groups"][0]["servers"][0]["weight"] = 50 + reloads % 50
            proxy.write(proxy.config)
            self.command(proxy, "reload")
            reloads += 1
            threading.Event().wait(max(0, began + 1 - time.monotonic()))  # the rhythm that is asked for
        for t in loads:
            t.join(120)
        kept = tunnels.alive()
        say(f"{reloads} reloads in {SECONDS} s: {sum(done.values()):,} requests ({dict(done)}), {len(failures)} failed; {kept} of 1000 WebSockets kept")
        self.assertEqual(failures, [])
        self.assertEqual(kept, 1000)
        self.assertGreaterEqual(sum(done.values()), 100_000 if SECONDS >= 60 else 0)

    def latencies(self, proxy, seconds, names):
        """Of the answers of those servers, with an open connection each client."""
        out, over, lock = [], time.monotonic() + seconds, threading.Lock()

        def client():
            import http.client
            mine = []
            c = http.client.HTTPConnection("127.0.0.1", proxy.ports["web"], timeout=PATIENCE * 2)
            while time.monotonic() < over:
                began = time.perf_counter()
                try:
                    c.request("GET", "/")
                    r = c.getresponse()
                    body = r.read().decode()
                except OSError:
                    c.close()
                    continue
                if r.status == 200 and body in names:
                    mine.append(time.perf_counter() - began)
            c.close()
            with lock:
                out.extend(mine)
        threads = [threading.Thread(target=client) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        return out

    def test_a_server_that_hangs(self):
        """The others' 99th percentile stays within twice what it was."""
        servers = self.responders("a", "b", "c")
        group = {"name": "g", "timeouts": {"response": "1s"}, "passive_check": {"failures": 3, "ejection": "60s"},
                 "servers": [{"address": s.address} for s in servers]}
        proxy = self.start([group], "g")
        for scheduler in ("wrr", "wlc", "p2c"):
            group["scheduler"] = scheduler
            proxy.write(proxy.config)
            self.command(proxy, "reload")
            before = self.latencies(proxy, 5, ("a", "b"))
            os.kill(servers[2].process.pid, signal.SIGSTOP)
            try:
                after = self.latencies(proxy, 5, ("a", "b"))
            finally:
                os.kill(servers[2].process.pid, signal.SIGCONT)
            p99 = [quantile(x, .99) * 1000 for x in (before, after)]
            say(f"{scheduler}: p99 of the servers that answer {p99[0]:.2f} ms before ({len(before)} answers), {p99[1]:.2f} ms with one that hangs ({len(after)})")
            self.assertLess(p99[1], 2 * p99[0])
            wait_for(lambda: self.status(proxy)["server_groups"][0]["servers"][2].get("ejected") is not None, "the one that hangs to be ejected")
            proxy.stop()
            proxy = self.start([group], "g")

    def test_idle_connections_that_servers_close(self):
        """No POST is lost to a connection that the server was about to close, as it says when."""
        class Closes:
            """Keeps a connection for exactly one second after each answer, and says so."""

            def __init__(self):
                self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
                self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
                self.closed = 0
                threading.Thread(target=self._accept, daemon=True).start()

            def _accept(self):
                while True:
                    try:
                        s, _ = self.listener.accept()
                    except OSError:
                        return
                    threading.Thread(target=self._serve, args=(s,), daemon=True).start()

            def _serve(self, s):
                s.settimeout(1.0)
                try:
                    while data := s.recv(65536):
                        if data.endswith(b"body"):
                            s.sendall(b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok")
                except TimeoutError:
                    self.closed += 1
                except OSError:
                    pass
                s.close()

            def stop(self):
                self.listener.close()
        server = Closes()
        self.addCleanup(server.stop)
        proxy = self.start([{"name": "g", "servers": [{"address": server.address}]}], "g")
        statuses, over = collections.Counter(), time.monotonic() + SECONDS / 3

        def client(i):
            import http.client
            import random
            pause = random.Random(i)
            c = http.client.HTTPConnection("127.0.0.1", proxy.ports["web"], timeout=PATIENCE)
            while time.monotonic() < over:
                c.request("POST", "/", body=b"body")
                r = c.getresponse()
                r.read()
                statuses[r.status] += 1
                threading.Event().wait(pause.uniform(0, 1.1))  # so that connections reach the age at which the server closes them
            c.close()
        threads = [threading.Thread(target=client, args=(i,)) for i in range(64)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        say(f"POST on connections that the server closes after 1 s: {dict(statuses)}; {server.closed} closed by the server, "
            f"{proxy.metric('albatross_upstream_connections_reused_total'):.0f} requests on a kept one")
        self.assertEqual(set(statuses), {200})

    def test_probes(self):
        """200 servers, each every 2 s: 100 probes a second, within ten percent."""
        listeners = []
        for _ in range(200):
            s = socket.create_server(("127.0.0.1", 0))
            listeners.append(s)
            self.addCleanup(s.close)
        group = {"name": "g", "servers": [{"address": "127.0.0.1:%d" % s.getsockname()[1]} for s in listeners],
                 "health_check": {"protocol": "tcp", "interval": "2s"}}
        proxy = self.start([group], "g")

        def accept(s):
            while True:
                try:
                    s.accept()[0].close()
                except OSError:
                    return
        for s in listeners:
            threading.Thread(target=accept, args=(s,), daemon=True).start()
        wait_for(lambda: proxy.metric("albatross_probes_total") >= 200, "a first probe of each")
        began, first = time.monotonic(), proxy.metric("albatross_probes_total")
        threading.Event().wait(SECONDS / 3)  # the time over which they are counted
        rate = (proxy.metric("albatross_probes_total") - first) / (time.monotonic() - began)
        say(f"200 servers, an interval of 2 s: {rate:.1f} probes a second")
        self.assertLess(abs(rate - 100), 10)


if __name__ == "__main__":
    unittest.main()
