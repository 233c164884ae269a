#!/usr/bin/env python3
"""What a group does when it is full or fails: limits, queue, circuit breaker, retries, ejection, probes.

    ALBATROSS=path/to/albatross limits_test.py [TestClass.test]
Skipped (77) where h2load or python3-h2 is missing.
"""
import http.client
import json
import socket
import threading
import time
import unittest

import control_test as control
import peers
from proxy import PATIENCE, wait_for


class Gate:
    """A server whose answers wait until they are let out, and that knows the most it had at once."""

    def __init__(self, kind="h1"):
        self.server = peers.Server(kind)
        self.address = self.server.address
        self.lock = threading.Condition()
        self.now = self.most = self.total = 0
        self.open = False
        self.server.on("/", self._answer)

    def _answer(self, s):
        with self.lock:
            self.now += 1
            self.total += 1
            self.most = max(self.most, self.now)
            self.lock.notify_all()
            self.lock.wait_for(lambda: self.open, PATIENCE * 2)
            self.now -= 1
        s.answer(200, body=s.path.encode())

    def let_out(self):
        with self.lock:
            self.open = True
            self.lock.notify_all()

    def wait_for(self, n):
        wait_for(lambda: self.now == n, f"{n} requests at the server, not {self.now}")

    def stop(self):
        self.let_out()
        self.server.stop()


class Base(control.Base):
    def gate(self, kind="h1"):
        g = Gate(kind)
        self.addCleanup(g.stop)
        return g

    def server(self, handlers, kind="h1"):
        s = peers.Server(kind)
        self.addCleanup(s.stop)
        for path, handler in handlers.items():
            s.on(path, handler)
        return s

    def many(self, proxy, n, path="/"):
        """n requests at once, each on its own connection; results come by the returned list."""
        results = []

        def one(i):
            c = http.client.HTTPConnection("127.0.0.1", proxy.ports["web"], timeout=PATIENCE * 2)
            c.request("GET", f"{path}{i}")
            r = c.getresponse()
            results.append((r.status, r.read().decode(), r.getheader("retry-after")))
            c.close()
        threads = [threading.Thread(target=one, args=(i,), daemon=True) for i in range(n)]
        for t in threads:
            t.start()
        self.addCleanup(lambda: [t.join(PATIENCE) for t in threads])
        return results

    def waiting(self, proxy):
        return proxy.metric("albatross_queue_waiting")


class Limits(Base):
    def check_most(self, limit, group, server, kind="h1"):
        """Sixteen at once, over both workers, and never more than four on the server; the rest wait and all are answered."""
        gate = self.gate(kind)
        proxy = self.start([{"name": "g", "protocol": "h2c" if kind == "h2" else "http", **group,
                             "servers": [{"address": gate.address, **server}]}], "g")
        results = self.many(proxy, 16)
        gate.wait_for(limit)
        wait_for(lambda: self.waiting(proxy) == 16 - limit, "the others to wait")
        self.assertEqual(self.status(proxy)["server_groups"][0]["waiting"], 16 - limit)
        gate.let_out()
        wait_for(lambda: len(results) == 16, "all answers")
        self.assertEqual({r[0] for r in results}, {200})
        self.assertLessEqual(gate.most, limit)
        self.assertEqual(self.waiting(proxy), 0)
        self.assertEqual(proxy.metric("albatross_queued_total"), 16 - limit)

    def test_most_requests(self):
        for group, server in (({"max_requests": 4}, {}), ({}, {"max_requests": 4}), ({"max_requests": 4, "scheduler": "p2c"}, {"max_requests": 5})):
            with self.subTest(group=group, server=server):
                self.check_most(4, group, server)

    def test_one_request_at_a_time(self):
        """A server that can do one thing at a time gets one, whichever workers' clients ask."""
        self.check_most(1, {}, {"max_requests": 1})

    def test_most_requests_over_http2(self):
        self.check_most(4, {"max_requests": 4}, {}, "h2")

    def test_most_connections(self):
        """Two a worker; idle ones make room for other servers of the group."""
        gate = self.gate()
        proxy = self.start([{"name": "g", "servers": [{"address": gate.address, "max_connections": 4}]}], "g")
        results = self.many(proxy, 16)
        wait_for(lambda: len(results) + gate.now + self.waiting(proxy) == 16, "each request somewhere")
        self.assertLessEqual(gate.now, 4)
        gate.let_out()
        wait_for(lambda: len(results) == 16, "all answers")
        self.assertEqual({r[0] for r in results}, {200})
        self.assertLessEqual(gate.most, 4)
        self.assertLessEqual(len(gate.server.connections), 4)

    def test_connections_of_a_group_move_between_its_servers(self):
        for kind in ("h1", "h2"):
            with self.subTest(kind):
                servers = [self.server({"/": lambda s: s.answer(200)}, kind) for _ in range(3)]
                proxy = self.start([{"name": "g", "protocol": "h2c" if kind == "h2" else "http", "max_connections": 2,
                                     "servers": [{"address": s.address} for s in servers]}], "g", workers=1)
                self.assertEqual([a[0] for a in self.ask(proxy, 30)], [200] * 30)
                self.assertEqual([len(s.requests) for s in servers], [10, 10, 10])
                self.assertLessEqual(proxy.metric("albatross_upstream_connections_open"), 2)

    def test_first_come_first_served(self):
        gate = self.gate()
        proxy = self.start([{"name": "g", "max_requests": 1, "servers": [{"address": gate.address}]}], "g", workers=1)
        results = []
        for i in range(6):
            results += [self.many(proxy, 1, f"/{i}/")]
            wait_for(lambda: gate.now == 1 and self.waiting(proxy) == i, "it to wait")
        gate.let_out()
        wait_for(lambda: all(results), "all answers")
        self.assertEqual([r.path for r in gate.server.requests], [f"/{i}/0" for i in range(6)])

    def test_a_full_queue_and_a_long_wait(self):
        gate = self.gate()
        proxy = self.start([{"name": "g", "max_requests": 1, "queue": {"size": 2, "timeout": "500ms"}, "servers": [{"address": gate.address}]}], "g",
                           workers=1)
        results = self.many(proxy, 8)
        wait_for(lambda: len(results) == 7, "503 for all but one")
        self.assertEqual({(s, a) for s, _, a in results}, {(503, "1")})
        causes = sorted(line["termination"] for line in proxy.log(7))
        self.assertEqual(causes, ["over_limit"] * 5 + ["queue_timeout"] * 2)
        self.assertTrue(any("queue_timeout: the request waited too long for a server" in b for _, b, _ in results))
        self.assertTrue(all("upstream_addr" not in line for line in proxy.log(7)))
        self.assertEqual(proxy.metric("albatross_queue_refused_total"), 5)
        self.assertEqual(proxy.metric("albatross_queue_timeouts_total"), 2)
        gate.let_out()
        wait_for(lambda: len(results) == 8, "the one that was on the server")
        self.assertEqual(self.ask(proxy)[0][0], 200)

    def test_a_client_that_leaves_the_queue(self):
        gate = self.gate()
        proxy = self.start([{"name": "g", "max_requests": 1, "servers": [{"address": gate.address}]}], "g")
        first = self.many(proxy, 1)
        gate.wait_for(1)
        with socket.create_connection(("127.0.0.1", proxy.ports["web"])) as c:
            c.sendall(b"GET /gone HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_for(lambda: self.waiting(proxy) == 1, "it to wait")
        wait_for(lambda: self.waiting(proxy) == 0, "its place to be free")
        gate.let_out()
        wait_for(lambda: first, "the first")
        self.assertEqual(self.ask(proxy)[0][0], 200)
        self.assertEqual(gate.server.seen("/gone"), [])
        self.assertEqual([line["status"] for line in proxy.log(3) if line["request_uri"] == "/gone"], [499])

    def test_a_body_that_comes_while_it_waits(self):
        gate = self.gate()
        gate.server.on("/body", lambda s: (s.wait_over(), s.answer(200)))
        proxy = self.start([{"name": "g", "max_requests": 1, "servers": [{"address": gate.address}]}], "g")
        first = self.many(proxy, 1)
        gate.wait_for(1)
        body = bytes(range(256)) * 1024  # more than is kept: the client is held back
        with socket.create_connection(("127.0.0.1", proxy.ports["web"])) as c:
            c.settimeout(PATIENCE)
            sender = threading.Thread(target=c.sendall, args=(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body,))
            sender.start()
            wait_for(lambda: self.waiting(proxy) == 1, "it to wait")
            gate.let_out()
            self.assertIn(b" 200 ", c.recv(65536))
            sender.join(PATIENCE)
        wait_for(lambda: first, "the first")
        self.assertEqual(bytes(gate.server.one("/body").body), body)

    def test_load_over_a_limit(self):
        """All are answered, one after the other, and nothing is left behind."""
        a, b = self.responders("a", "b")
        proxy = self.start([{"name": "g", "max_requests": 3, "queue": {"size": 1000, "timeout": "60s"},
                             "servers": [{"address": a.address, "max_requests": 2}, {"address": b.address, "max_requests": 2}]}], "g")
        for options in (["--h1", "-c", "64"], ["-m", "16"]):
            self.assert_none_failed(self.load(proxy, 20_000, *options), 20_000)
        self.assertEqual(self.waiting(proxy), 0)
        self.assertGreater(proxy.metric("albatross_queued_total"), 1000)
        self.assertEqual({s["in_flight"] for s in self.status(proxy)["server_groups"][0]["servers"]}, {0})


    def test_a_retry_that_waits(self):
        """The deadline of the try before is not that of one that waits for a server again."""
        asked, busy, go = [], threading.Event(), threading.Event()
        self.addCleanup(go.set)

        def again(s):
            asked.append(s)
            if len(asked) > 1:
                return s.answer(200, body=b"late")
            busy.wait(PATIENCE)
            s.answer(503)

        def slow(s):
            s.head(200, [("content-length", "4")])
            go.wait(PATIENCE)
            s.send(b"slow", last=True)
        server = self.server({"/again": again, "/slow": slow})
        proxy = self.start([{"name": "g", "max_requests": 1, "servers": [{"address": server.address}],
                             "retries": {"tries": 3, "on": ["connect", "timeout"], "codes": "503", "per_try_timeout": "2s"}}], "g", workers=1)
        again_answer = self.many(proxy, 1, "/again")
        wait_for(lambda: asked, "the first try")
        slow_answer = self.many(proxy, 1, "/slow")
        wait_for(lambda: self.waiting(proxy) == 1, "the other to wait")
        busy.set()
        # Now the first waits behind the other, for longer than a try may take.
        server.one("/slow")
        wait_for(lambda: self.waiting(proxy) == 1, "the retry to wait")
        began = time.monotonic()
        wait_for(lambda: time.monotonic() > began + 2.5, "the deadline of a try to pass")
        self.assertEqual((self.waiting(proxy), again_answer), (1, []))
        go.set()
        wait_for(lambda: again_answer and slow_answer, "both answers")
        self.assertEqual((again_answer[0][:2], slow_answer[0][:2]), ((200, "late"), (200, "slow")))
        self.assertEqual(self.waiting(proxy), 0)
        self.assertEqual(self.ask(proxy, 3, "/again"), [(200, "late")] * 3)

    def test_a_client_of_another_worker_leaves_the_queue(self):
        """Whose turn it was has gone: the next one has it, on whatever worker."""
        gate = self.gate()
        proxy = self.start([{"name": "g", "max_requests": 1, "queue": {"timeout": "20s"}, "servers": [{"address": gate.address}]}], "g", workers=4)
        first = self.many(proxy, 1)
        gate.wait_for(1)
        leaving = []
        for i in range(20):
            s = socket.create_connection(("127.0.0.1", proxy.ports["web"]))
            s.sendall(b"GET /gone HTTP/1.1\r\nHost: x\r\n\r\n")
            leaving.append(s)
        wait_for(lambda: self.waiting(proxy) == 20, "them to wait")
        rest = self.many(proxy, 20)
        wait_for(lambda: self.waiting(proxy) == 40, "the rest to wait")
        began = time.monotonic()
        gate.let_out()
        for s in leaving:
            s.close()
        wait_for(lambda: len(rest) == 20 and first, "the rest")
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual({r[0] for r in rest}, {200})
        wait_for(lambda: self.waiting(proxy) == 0, "an empty queue")


class Circuit(Base):
    def test_a_websocket_closes_it(self):
        """A tunnel is an answer, not a trial for as long as it lives."""
        import websocket_h2_test as ws
        broken = threading.Event()
        broken.set()
        server = self.server({"/": lambda s: s.answer(503 if broken.is_set() else 200), "/ws": ws.switch})
        proxy = self.start([{"name": "g", "circuit_breaker": {"min_requests": 5, "open": "1s"}, "servers": [{"address": server.address}]}], "g")
        self.ask(proxy, 5)
        self.assertEqual(proxy.metric("albatross_circuit_open"), 1)
        broken.clear()

        def tunnel():
            client = peers.Client("h1", proxy.ports["web"])
            self.addCleanup(client.close)
            t = client.websocket("/ws")
            t.wait_head()
            return t.status == 101
        wait_for(tunnel, "the trial to be a tunnel")
        self.assertEqual([s for s, _ in self.ask(proxy, 10)], [200] * 10)

    def test_it_opens_and_closes(self):
        broken = threading.Event()
        broken.set()
        server = self.server({"/": lambda s: s.answer(503 if broken.is_set() else 200)})
        proxy = self.start([{"name": "g", "circuit_breaker": {"min_requests": 10, "open": "1s"}, "servers": [{"address": server.address}]}], "g")
        answers = self.ask(proxy, 30)
        self.assertEqual([s for s, _ in answers], [503] * 30)
        self.assertEqual(len(server.requests), 10)
        self.assertIn("circuit_open", answers[-1][1])
        self.assertIn("circuit_open", self.status(proxy)["server_groups"][0])
        self.assertEqual(proxy.metric("albatross_circuit_open"), 1)
        # One request tries; it fails, so the others go on waiting.
        wait_for(lambda: self.ask(proxy) and len(server.requests) == 11, "a trial")
        self.assertEqual(len(server.requests), 11)
        broken.clear()
        wait_for(lambda: self.ask(proxy)[0][0] == 200, "the circuit to close")
        self.assertEqual([s for s, _ in self.ask(proxy, 20)], [200] * 20)
        self.assertIn("its circuit is open for 1 s", proxy.output())
        self.assertIn("its circuit is closed", proxy.output())
        self.assertEqual(proxy.metric("albatross_circuit_opened_total"), 2)


class Retries(Base):
    def pair(self, group, bad):
        """A good server and one that does `bad`; how often each was asked."""
        good = self.server({"/": lambda s: (s.wait_over(), s.answer(200, body=b"good"))})
        other = self.server({"/": bad})
        proxy = self.start([{"name": "g", **group, "servers": [{"address": good.address}, {"address": other.address}]}], "g", workers=1)
        return proxy, good, other

    def test_codes(self):
        proxy, good, other = self.pair({"retries": {"codes": ["503", "502"]}}, lambda s: s.answer(503))
        self.assertEqual(self.ask(proxy, 20), [(200, "good")] * 20)
        self.assertEqual(len(other.requests), 10)
        # The budget: ten a second, when there is little traffic.
        self.assertIn(503, [s for s, _ in self.ask(proxy, 20)])
        self.assertGreater(proxy.metric("albatross_upstream_retries_over_budget_total"), 0)
        # Not what may have been executed.
        c = http.client.HTTPConnection("127.0.0.1", proxy.ports["web"], timeout=PATIENCE)
        codes = []
        for _ in range(10):
            c.request("POST", "/", body=b"x")
            r = c.getresponse()
            r.read()
            codes.append(r.status)
        self.assertEqual(codes.count(503), 5)
        self.assertEqual({line["attempts"] for line in proxy.log(50)}, {1, 2})
        c.close()

    def test_a_body_is_sent_again(self):
        proxy, good, other = self.pair({"retries": {"codes": "5xx"}}, lambda s: (s.wait_over(), s.answer(500)))
        c = http.client.HTTPConnection("127.0.0.1", proxy.ports["web"], timeout=PATIENCE)
        for i in range(10):
            c.request("PUT", f"/{i}", body=b"y" * 20_000)
            self.assertEqual(c.getresponse().read(), b"good")
        c.close()
        self.assertEqual({bytes(s.body) for s in good.requests}, {b"y" * 20_000})

    def test_a_timeout_for_each_try(self):
        proxy, good, other = self.pair({"retries": {"on": ["connect", "timeout"], "per_try_timeout": "200ms"}}, lambda s: s.wait_gone())
        began = time.monotonic()
        self.assertEqual(self.ask(proxy, 10), [(200, "good")] * 10)
        self.assertLess(time.monotonic() - began, 8)
        self.assertEqual(len(other.requests), 5)

    def test_one_deadline_over_all_tries(self):
        servers = [self.server({"/": lambda s: s.wait_gone()}) for _ in range(5)]
        proxy = self.start([{"name": "g", "timeouts": {"response": "1s"},
                             "retries": {"tries": 5, "on": "timeout", "per_try_timeout": "300ms"},
                             "servers": [{"address": s.address} for s in servers]}], "g", workers=1)
        began = time.monotonic()
        self.assertEqual(self.ask(proxy)[0][0], 504)
        self.assertLess(abs(time.monotonic() - began - 1), 0.3)
        asked = [len(s.requests) for s in servers]
        self.assertEqual(max(asked), 1, "each try has another server")
        self.assertEqual(sum(asked), 4)

    def test_none(self):
        """And a refused connection is an answer."""
        with socket.create_server(("127.0.0.1", 0)) as s:
            dead = "127.0.0.1:%d" % s.getsockname()[1]
        good = self.server({"/": lambda s: s.answer(200)})
        proxy = self.start([{"name": "g", "retries": False, "servers": [{"address": dead}, {"address": good.address}]}], "g", workers=1)
        self.assertEqual(sorted(s for s, _ in self.ask(proxy, 10)), [200] * 5 + [502] * 5)


class Outliers(Base):
    def test_a_share_of_failures(self):
        """One in three requests, never two in a row."""
        count = [0]

        def flaky(s):
            count[0] += 1
            s.answer(502 if count[0] % 3 == 0 else 200)
        good = [self.server({"/": lambda s: s.answer(200)}) for _ in range(2)]
        bad = self.server({"/": flaky})
        proxy = self.start([{"name": "g", "retries": False, "passive_check": {"failure_percent": 30, "interval": "1s", "min_requests": 10},
                             "servers": [{"address": s.address} for s in good + [bad]]}], "g")

        def ejected():
            self.ask(proxy, 30)
            return "ejected" in self.status(proxy)["server_groups"][0]["servers"][2]
        wait_for(ejected, "the flaky server to be ejected")
        self.assertRegex(proxy.output(), bad.address + r" is ejected: 3\d % of \d+ requests failed")
        self.assertEqual([s for s, _ in self.ask(proxy, 30)], [200] * 30)

    def test_a_slow_server(self):
        late = threading.Event()
        self.addCleanup(late.set)

        def slow(s):
            late.wait(0.05)  # how slow it is
            s.answer(200)
        servers = [self.server({"/": lambda s: s.answer(200)}) for _ in range(3)] + [self.server({"/": slow})]
        proxy = self.start([{"name": "g", "passive_check": {"latency_factor": 5, "interval": "1s", "min_requests": 10},
                             "servers": [{"address": s.address} for s in servers]}], "g")

        def ejected():
            self.ask(proxy, 40)
            return "ejected" in self.status(proxy)["server_groups"][0]["servers"][3]
        wait_for(ejected, "the slow server to be ejected")
        self.assertRegex(proxy.output(), r"is ejected: its answers took [\d.]+ s, the group's [\d.]+ s")


class Drained(Base):
    def test_a_server_that_becomes_unhealthy(self):
        """As an option what runs there has connection_drain to end."""
        sick = threading.Event()
        server = self.server({"/": lambda s: s.wait_gone(), "/healthz": lambda s: s.answer(503 if sick.is_set() else 200)})
        other = self.server({"/": lambda s: s.answer(200)})
        group = {"name": "g", "drain_unhealthy": True, "connection_drain": "1s",
                 "health_check": {"path": "/healthz", "interval": "100ms", "unhealthy_threshold": 2},
                 "servers": [{"address": server.address}]}
        other.on("/healthz", lambda s: s.answer(200))
        group["servers"].append({"address": other.address})
        proxy = self.start([group], "g", workers=1)
        wait_for(lambda: {s["health"] for s in self.status(proxy)["server_groups"][0]["servers"]} == {"healthy"}, "both to be healthy")
        results = self.many(proxy, 2)
        wait_for(lambda: len(results) == 1 and server.seen("/0") + server.seen("/1"), "one to hang")
        sick.set()
        wait_for(lambda: len(results) == 2, "the drain's deadline")
        self.assertEqual(sorted(r[0] for r in results), [200, 500])
        self.assertIn("1 cut", wait_for(lambda: [l for l in proxy.output().splitlines() if "drained g/" in l], "the report")[0])


    def test_all_unhealthy_and_fail_open(self):
        """The drain is of what ran when the server became unhealthy, not of what fail_open sends there."""
        sick = threading.Event()
        server = self.server({"/": lambda s: (threading.Event().wait(0.2), s.answer(200)),  # how long it takes
                              "/healthz": lambda s: s.answer(503 if sick.is_set() else 200)})
        proxy = self.start([{"name": "g", "drain_unhealthy": True, "connection_drain": "1s", "servers": [{"address": server.address}],
                             "health_check": {"path": "/healthz", "interval": "100ms", "unhealthy_threshold": 1}}], "g", workers=1)
        sick.set()
        wait_for(lambda: self.status(proxy)["server_groups"][0]["servers"][0]["health"] == "unhealthy", "it to be unhealthy")
        self.assertEqual([s for s, _ in self.ask(proxy, 12)], [200] * 12)


class Reloads(Base):
    def test_one_that_empties_a_group_in_use(self):
        """It is allowed, with a warning; what runs ends well, what comes gets 503."""
        gate = self.gate()
        group = {"name": "g", "servers": [{"address": gate.address}]}
        proxy = self.start([group], "g")
        results = self.many(proxy, 3)
        gate.wait_for(3)
        group["servers"] = []
        proxy.write(proxy.config)
        self.assertIn("the group has no servers", self.command(proxy, "reload"))
        status, body = self.ask(proxy)[0]
        self.assertEqual(status, 503)
        self.assertIn("no_server", body)
        gate.let_out()
        wait_for(lambda: len(results) == 3, "what ran")
        self.assertEqual({r[0] for r in results}, {200})

    def test_sticky_clients_leave_a_group_that_is_dead(self):
        a, b = self.responders("a", "b")
        groups = [{"name": n, "servers": [{"address": s.address}]} for n, s in (("ga", a), ("gb", b))]
        proxy = self.start(groups, {"groups": [{"name": "ga"}, {"name": "gb"}], "sticky": "1000s"})

        def ask(cookie=None):
            c = http.client.HTTPConnection("127.0.0.1", proxy.ports["web"], timeout=PATIENCE)
            c.request("GET", "/", headers={"cookie": cookie} if cookie else {})
            r = c.getresponse()
            out = r.read().decode(), (r.getheader("set-cookie") or "").split(";")[0]
            c.close()
            return out
        name, cookie = ask()
        self.assertEqual([ask(cookie)[0] for _ in range(20)], [name] * 20)
        other = {"a": "b", "b": "a"}[name]
        self.command(proxy, "drain", f"g{name}/{ {'a': a, 'b': b}[name].address }")
        wait_for(lambda: ask(cookie)[0] == other, "the other group")


class Blackhole(Base):
    def test_a_server_that_drops_packets(self):
        """Its accept queue is full, so that SYNs vanish: after `connect` the next server answers, and it is ejected."""
        hole = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.addCleanup(hole.close)
        address = "127.0.0.1:%d" % hole.getsockname()[1]
        fill = []
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(hole.getsockname())
            fill.append(s)
            self.addCleanup(s.close)
        good, = self.responders("good")
        proxy = self.start([{"name": "g", "timeouts": {"connect": "200ms"}, "passive_check": {"failures": 3},
                             "servers": [{"address": address}, {"address": good.address}]}], "g", workers=1)
        self.assertEqual(self.ask(proxy, 12), [(200, "good")] * 12)
        self.assertIn("ejected", self.status(proxy)["server_groups"][0]["servers"][0])
        self.assertEqual(proxy.metric("albatross_upstream_connect_failures_total"), 3)


class SourceAddresses(Base):
    def test_by_turns(self):
        seen = set()
        server = self.server({"/": lambda s: (seen.add(s.connection.wire.sock.getpeername()[0]), s.answer(200))})
        proxy = self.start([{"name": "g", "source_addresses": ["127.0.0.2", "127.0.0.3"], "keep_alive": {"pool": 0},
                             "servers": [{"address": server.address}]}], "g")
        self.assertEqual([s for s, _ in self.ask(proxy, 20)], [200] * 20)
        self.assertEqual(seen, {"127.0.0.2", "127.0.0.3"})

    def test_one_that_is_not_ours(self):
        server = self.server({"/": lambda s: s.answer(200)})
        proxy = self.start([{"name": "g", "source_addresses": ["192.0.2.1"], "servers": [{"address": server.address}]}], "g")
        status, body = self.ask(proxy)[0]
        self.assertEqual(status, 502)
        self.assertIn("a source address is not one of this machine", body)


class Probes(Base):
    def test_grpc(self):
        """grpc.health.v1, of the server and of a service."""
        state = {"": b"\x08\x01", "shop": b"\x08\x02"}

        def check(s):
            s.wait_over()
            message = bytes(s.body)[5:]
            service = message[2:].decode()
            body = state.get(service)
            if body is None:
                return s.answer(200, [("content-type", "application/grpc"), ("grpc-status", "5")], length=False)
            s.answer(200, [("content-type", "application/grpc")], b"\0\0\0\0" + bytes([len(body)]) + body, [("grpc-status", "0")], length=False)
        server = self.server({"/grpc.health.v1.Health/Check": check}, "h2")
        names = {"whole": "", "sick": "shop", "unknown": "nobody"}
        groups = [{"name": n, "protocol": "grpc", "health_check": {"interval": "100ms", **({"service": s} if s else {})},
                   "servers": [{"address": server.address}]} for n, s in names.items()]
        proxy = self.start(groups, "whole")

        def health():
            return {g["name"]: (g["servers"][0]["health"], g["servers"][0].get("last_failure", "")) for g in self.status(proxy)["server_groups"]}
        wait_for(lambda: "unchecked" not in {h for h, _ in health().values()}, "a first probe of each")
        self.assertEqual(health(), {"whole": ("healthy", ""), "sick": ("unhealthy", "NOT_SERVING"), "unknown": ("unhealthy", "grpc-status 5")})
        state["shop"] = b"\x08\x01"
        wait_for(lambda: health()["sick"][0] == "healthy", "the service to be healthy")
        state[""] = b""  # left out is 0: unknown
        wait_for(lambda: health()["whole"] == ("unhealthy", "UNKNOWN"), "the server to be unhealthy")
        self.assertEqual(server.errors(), [])

    def test_the_initial_state(self):
        """A server that shall prove itself first gets nothing until its first probe is answered."""
        asked = threading.Event()
        server = self.server({"/": lambda s: s.answer(200), "/healthz": lambda s: (asked.wait(PATIENCE), s.answer(200))})
        proxy = self.start([{"name": "g", "fail_open": False, "servers": [{"address": server.address}],
                             "health_check": {"path": "/healthz", "initial_state": "unhealthy"}}], "g")
        self.assertEqual(self.ask(proxy)[0][0], 503)
        part = json.loads(proxy.get_admin(f"/v1/server_groups/g/servers/{server.address}"))
        self.assertEqual((part["health"], part["last_failure"]), ("unhealthy", "not probed yet"))
        asked.set()
        wait_for(lambda: self.ask(proxy)[0][0] == 200, "the first probe to decide")
        self.assertEqual(proxy.ask_admin("GET", "/v1/server_groups/none")[0], 404)
        self.assertEqual([l["name"] for l in json.loads(proxy.get_admin("/v1/listeners"))], ["web"])

    def test_in_doubt_it_is_asked_sooner(self):
        """Three failures at the interval would take 60 s."""
        sick = threading.Event()
        server = self.server({"/": lambda s: s.answer(503 if sick.is_set() else 200)})
        proxy = self.start([{"name": "g", "servers": [{"address": server.address}],
                             "health_check": {"interval": "2s", "doubt_interval": "100ms", "unhealthy_threshold": 10, "healthy_threshold": 10}}], "g")
        health = lambda: self.status(proxy)["server_groups"][0]["servers"][0]["health"]
        wait_for(lambda: health() == "healthy", "a first probe")
        began = time.monotonic()
        sick.set()
        wait_for(lambda: health() == "unhealthy", "ten failures")
        self.assertLess(time.monotonic() - began, 6)


if __name__ == "__main__":
    unittest.main()
