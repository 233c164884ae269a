#!/usr/bin/env python3
"""What albatross does with a request, the same over HTTP/1.1 and HTTP/2 on either side, and over TLS.

    ALBATROSS=path/to/albatross matrix_test.py [TestClass.test]
Needs python3-h2. The clients and servers are those of peers.py.
"""
import contextlib
import random
import signal
import tempfile
import threading
import time
import unittest

import peers
from peers import CODE, MANY, NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, Client, Gone, Server, release, server_tls, together
from proxy import PATIENCE, Proxy, albatross_path, make_certificate, wait_for

ALBATROSS = albatross_path()
KINDS = ("h1", "h2")
MATRIX = [(c, s) for c in KINDS for s in KINDS]
GROUP = {"h1": "http", "h2": "h2c"}
SECURE_GROUP = {"h1": "https", "h2": "h2"}
LARGE = random.Random(1).randbytes(3 * 1024 * 1024)
SOON = 3.0  # "at once", for a machine that has other things to do
HELD_LIMIT = 16 * 1024 * 1024  # bytes of memory that five bodies may cost that nobody takes


def forward(listener_options=None, groups=(), rules=(), **top):
    listener = {"name": "web", "bind": "127.0.0.1:0", "http2": True, "rules": list(rules),
                "default_actions": [{"fixed_response": {"code": 200, "body": "own"}}], **(listener_options or {})}
    return {"listeners": [listener], "server_groups": list(groups), **top}


def group(name, servers, protocol, **more):
    return {"name": name, "protocol": protocol, "servers": [{"address": s.address} for s in servers], **more}


def rule(name, priority, prefix, **more):
    return {"name": name, "priority": priority, "conditions": [{"path": {"prefix": prefix}}],
            "actions": [{"forward": name}], **more}


class Case(unittest.TestCase):
    """Checks that every kind of client and server shares."""

    def assert_whole(self, s, status=200, body=None):
        self.assertIsNone(s.cut, f"the answer was cut: {s.cut}, heads {s.heads}")
        self.assertTrue(s.ended)
        self.assertEqual(s.status, status, bytes(s.body[:200]))
        if body is not None:
            self.assert_same(s.body, body)

    def assert_same(self, got, want):
        # Without a diff of megabytes.
        if bytes(got) != want:
            self.fail(f"{len(got)} bytes, not these {len(want)}: {bytes(got[:60])!r}")

    def assert_cut(self, s):
        self.assertFalse(s.ended, "a clean end of what was cut")
        self.assertIsNotNone(s.cut)
        if isinstance(s, peers.H2Stream):
            self.assertIsNotNone(s.reset_code, f"no RST_STREAM but {s.cut}")
            self.assertNotEqual(s.reset_code, NO_ERROR)

    def assert_soon(self, since, what):
        self.assertLess(time.monotonic() - since, SOON, what)

    def log_of(self, proxy, uri):
        return wait_for(lambda: [l for l in proxy.log() if l.get("request_uri") == uri], f"a log line for {uri}")[0]

    def assert_log(self, proxy, uri, **fields):
        line = self.log_of(proxy, uri)
        self.assertEqual({k: line.get(k) for k in fields}, fields)

    def assert_no_errors(self, *servers):
        self.assertEqual([e for s in servers for e in s.errors()], [])


class Shared(Case):
    """One albatross in front of a server of each kind: /h1/... and /h2/..."""
    secure = False

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        tls, options, more = {}, {}, {}
        if cls.secure:
            cert, key = make_certificate(cls.folder.name, ("localhost", "app.test"))
            tls = {k: server_tls(cert, key, {"h1": "http/1.1", "h2": "h2"}[k]) for k in KINDS}
            options = {"protocol": "https", "certificates": [{"cert": cert, "key": key}]}
            more = {"tls": {"ca": cert, "server_name": "localhost"}}
        cls.servers = {k: Server(k, tls.get(k)) for k in KINDS}
        for s in cls.servers.values():
            cls.addClassCleanup(s.stop)
        protocols = SECURE_GROUP if cls.secure else GROUP
        cls.proxy = Proxy(ALBATROSS, forward(
            options, [group(k, [s], protocols[k], **more) for k, s in cls.servers.items()],
            [rule(k, i + 1, f"/{k}") for i, k in enumerate(KINDS)]
            + [dict(rule(k, i + 11, f"/slow/{k}", timeouts={"response": "1s"}), name=f"slow-{k}") for i, k in enumerate(KINDS)]))
        cls.addClassCleanup(peers.end_well, cls.proxy)
        cls.port = cls.proxy.ports["web"]

    def client(self, kind):
        c = Client(kind, self.port, secure=self.secure)
        self.addCleanup(c.close)
        return c

    @contextlib.contextmanager
    def pair(self, name, c, s):
        with self.subTest(f"{name}: {c} client, {s} server", secure=self.secure), self.client(c) as client:
            yield client, self.servers[s], f"/{s}/{name.replace(' ', '-')}-{c}"
            self.assertTrue(self.proxy.alive())
            self.assertEqual([x.error for x in client.connections if x.error], [])
            self.assert_no_errors(self.servers[s])

    def each(self, name, matrix=MATRIX):
        """For each pair a context: (client, server, a path of its own)."""
        for c, s in matrix:
            yield self.pair(name, c, s)

    # ---- what comes through whole ----

    # name, method, request body, its length told, request trailers, status, response body, length told, response trailers
    WHOLE = [
        ("get", "GET", None, True, (), 200, b"hello", True, ()),
        ("empty body", "GET", None, True, (), 200, b"", True, ()),
        ("head", "HEAD", None, True, (), 200, b"hello", True, ()),
        ("status 204", "DELETE", None, True, (), 204, b"", True, ()),
        ("status 304", "GET", None, True, (), 304, b"", True, ()),
        ("options", "OPTIONS", None, True, (), 200, b"", True, ()),
        ("known lengths", "POST", b"ping" * 300, True, (), 201, b"pong" * 3000, True, ()),
        ("unknown lengths", "PUT", b"ping" * 300, False, (), 200, b"pong" * 3000, False, ()),
        ("empty request body", "POST", b"", True, (), 200, b"x", True, ()),
        ("an error of the server", "GET", None, True, (), 500, b"oh", True, ()),
        ("trailers both ways", "POST", b"ping", False, (("x-sum", "1"), ("x-more", "2")), 200, b"pong", False, (("x-sum", "3"),)),
        ("large known", "POST", LARGE, True, (), 200, LARGE[::-1], True, ()),
        ("large unknown", "POST", LARGE, False, (), 200, LARGE[::-1], False, ()),
    ]

    def whole(self, cases):
        for name, method, sent, sent_length, sent_trailers, status, answer, length, trailers in cases:
            def handler(s):
                s.wait_over(PATIENCE * 2)
                s.answer(status, [("x-from", "server"), *([("etag", '"e"')] if status == 304 else [])], answer, trailers, length)
            for pair in self.each(name):
                with pair as (client, server, path):
                    server.on(path, handler)
                    got = client.ask(path, method, body=sent, length=sent_length, trailers=sent_trailers)
                    self.assert_whole(got, status, b"" if method == "HEAD" else answer)
                    self.assertEqual(got.get("x-from"), "server")
                    self.assertEqual(got.trailers, list(trailers) or None)
                    if length and status not in (204, 304):
                        self.assertEqual(got.all("content-length"), [str(len(answer))])
                    elif answer:
                        self.assertEqual(got.all("content-length"), [])
                    request, = server.seen(path)
                    self.assertEqual((request.method, request.cut), (method, None))
                    self.assert_same(request.body, sent or b"")
                    self.assertEqual(request.trailers, list(sent_trailers) or None)
                    # An empty body may lose its length towards HTTP/2 only, where END_STREAM says as much.
                    known = [str(len(sent))] if sent_length and sent is not None else []
                    if sent != b"":
                        self.assertEqual(request.all("content-length"), known)

    def test_whole(self):
        self.whole(self.WHOLE)
        self.assert_log(self.proxy, "/h1/get-h2", server_protocol="HTTP/2.0", status=200, upstream_status=200, termination=None)
        self.assert_log(self.proxy, "/h2/get-h1", server_protocol="HTTP/1.1", status=200, upstream_status=200, termination=None)
        self.assert_log(self.proxy, "/h2/large-known-h2", status=200, body_bytes_sent=len(LARGE), attempts=1)

    # ---- the middle of things ----

    def test_continue(self):
        def handler(s):
            if s.get("expect") != "100-continue":
                return s.answer(400, body=b"nothing expected")
            s.inform(100)
            s.wait_over()
            s.answer(200, body=bytes(s.body))
        for pair in self.each("100-continue"):
            with pair as (client, server, path):
                server.on(path, handler)
                s = client.open(path, "POST", [("Expect", "100-continue"), ("Content-Length", "4")], end=False)
                s.wait(lambda: s.heads or s.over, "an informational answer")
                self.assertEqual(s.heads[0][0], 100)
                s.send(b"ping")
                s.end()
                self.assert_whole(s.wait_over(), 200, b"ping")

    def test_early_hints(self):
        def handler(s):
            s.inform(103, [("link", "</a.css>; rel=preload")])
            s.inform(103, [("link", "</b.css>; rel=preload")])
            s.answer(200, body=b"page")
        for pair in self.each("103"):
            with pair as (client, server, path):
                server.on(path, handler)
                s = client.ask(path)
                self.assert_whole(s, 200, b"page")
                self.assertEqual([(st, dict(f).get("link") or dict(f).get("Link")) for st, f in s.heads[:-1]],
                                 [(103, "</a.css>; rel=preload"), (103, "</b.css>; rel=preload")])

    def test_early_answer(self):
        """A final answer while the request still comes: it arrives whole, and the upload ends on both sides."""
        for pair in self.each("early answer"):
            with pair as (client, server, path):
                server.on(path, lambda s: (s.wait_bytes(1000), s.answer(413, body=b"too much"), s.wait_gone()))
                s = client.open(path, "POST", end=False)
                s.send(b"x" * 1000)
                self.assert_whole(s.wait_over(), 413, b"too much")
                try:
                    for _ in range(400):
                        s.send(b"x" * 16384)
                        if s.reset_code is not None:
                            break
                except Gone:
                    pass
                s.wait_gone()
                if client.kind == "h2":
                    self.assertEqual(s.reset_code, NO_ERROR)
                    self.assertIsNone(s.connection.closed)
                request, = server.seen(path)
                self.assertFalse(request.wait_gone().ended, "an upload that was given up may not look whole")

    BEFORE_HEAD = [("reset before the head", lambda s: s.reset(2)), ("close before the head", lambda s: s.close())]

    def test_server_fails_before_the_head(self):
        for name, act in self.BEFORE_HEAD:
            for pair in self.each(name):
                with pair as (client, server, path):
                    server.on(path, lambda s: act(s))
                    self.assert_whole(client.ask(path, "POST", body=b"ping"), 502)
                    self.assertEqual(len(server.seen(path)), 1, "a POST was sent twice")
                    line = self.log_of(self.proxy, path)
                    self.assertEqual((line["status"], line["attempts"]), (502, 1))
                    self.assertIn(line["termination"], ("upstream_reset", "upstream_closed"))

    CUTS = [("cut known by reset", "1000", lambda s: s.reset(2)), ("cut known by close", "1000", lambda s: s.close()),
            ("cut unknown by reset", None, lambda s: s.reset(2)), ("cut unknown by close", None, lambda s: s.close())]

    def cuts(self, table):
        for name, length, act in table:
            def handler(s):
                s.head(200, [("content-length", length)] if length else [])
                s.send(b"begun")
                # Only when the client has it: a cut may overtake what lies in buffers.
                wait_for(lambda: clients and len(clients[-1].body) == 5, "the client's part")
                act(s)
            for pair in self.each(name):
                with pair as (client, server, path):
                    clients = []
                    server.on(path, handler)
                    clients.append(client.open(path))
                    s = clients[0].wait_over()
                    self.assertEqual((s.status, bytes(s.body)), (200, b"begun"))
                    self.assert_cut(s)
                    self.assert_log(self.proxy, path, status=200, upstream_status=200, termination="upstream_truncated")

    def test_server_cuts_a_body(self):
        self.cuts(self.CUTS)

    def test_close_delimited(self):
        """An HTTP/1.1 answer that ends with its connection is whole; reset, it is not."""
        for reset in (False, True):
            def handler(s):
                s.head(200, [("connection-delimited", "")])
                s.send(b"begun")
                wait_for(lambda: clients and len(clients[-1].body) == 5, "the client's part")
                s.reset() if reset else s.close()
            for pair in self.each(f"close delimited, reset {reset}", [(c, "h1") for c in KINDS]):
                with pair as (client, server, path):
                    clients = []
                    server.on(path, handler)
                    clients.append(client.open(path))
                    s = clients[0].wait_over()
                    self.assert_cut(s) if reset else self.assert_whole(s, 200, b"begun")

    def cancels(self):
        def handler(s):
            s.head(200)
            s.send(b"begun")
            s.wait_gone()
        for pair in self.each("cancel"):
            with pair as (client, server, path):
                server.on(path, handler)
                s = client.open(path).wait_bytes(5)
                request, since = server.one(path), time.monotonic()
                s.reset()
                request.wait_gone()
                self.assert_soon(since, "the server was told late")
                if server.kind == "h2":
                    self.assertEqual(request.reset_code, peers.CANCEL)
                    self.assertIsNone(request.connection.closed)
                self.assert_log(self.proxy, path, status=200, termination="client_left")
        for pair in self.each("cancel before the head"):
            with pair as (client, server, path):
                server.on(path, lambda s: s.wait_gone())
                s = client.open(path)
                request, since = server.one(path), time.monotonic()
                s.reset()
                request.wait_gone()
                self.assert_soon(since, "the server was told late")
                self.assert_log(self.proxy, path, status=499, termination="client_left")

    def test_client_cancels(self):
        self.cancels()

    def test_client_cancels_an_upload(self):
        for pair in self.each("cancel an upload"):
            with pair as (client, server, path):
                server.on(path, lambda s: s.wait_gone())
                s = client.open(path, "POST", end=False)
                s.send(b"x" * 5000)
                request = server.one(path).wait_bytes(5000)
                since = time.monotonic()
                s.reset()
                request.wait_gone()
                self.assert_soon(since, "the server was told late")
                self.assertFalse(request.ended, "an upload that was cancelled looks whole")
                self.assert_log(self.proxy, path, status=499, termination="client_left")

    # ---- who is slow holds up nobody else ----

    # Kernels buffer many megabytes for a connection, so what is offered ends only when it has stood still.
    @staticmethod
    def offer(s, stop):
        """LARGE over and over until `stop`; the last one is completed. How many went is in s.offered."""
        s.offered = 0
        while s.offered < 40 and not stop.is_set():
            s.offered += 1
            s.send(LARGE)
        s.end()

    def stand_still(self, streams):
        wait_for(lambda: all(s.blocked for s in streams), "the senders to stand still", PATIENCE * 2)

    def test_slow_reader(self):
        """Bodies that a client does not take: siblings are served, memory is bounded, and in the end all comes."""
        for pair in self.each("slow reader"):
            with pair as (client, server, path):
                stop = threading.Event()
                server.on(path, lambda s: (s.head(200), self.offer(s, stop)))
                server.on(path + "/sibling", lambda s: s.answer(200, body=b"quick" * 2000))
                before, slow = self.proxy.rss(), []
                for i in range(5):
                    slow.append(client.open(f"{path}/{i}"))
                    slow[-1].hold = True
                sending = [server.one(f"{path}/{i}") for i in range(5)]
                self.stand_still(sending)
                for answer in together([lambda: client.ask(path + "/sibling")] * 5):
                    self.assert_whole(answer, 200, b"quick" * 2000)
                self.assertLess(self.proxy.rss() - before, self.proxy.memory(HELD_LIMIT))
                stop.set()
                for s in slow[1:]:
                    s.reset()
                release(slow[0])
                self.assert_whole(slow[0].wait_over(PATIENCE * 3), 200, LARGE * sending[0].offered)

    def test_slow_server(self):
        """Uploads that a server does not take."""
        def upload(s):
            with contextlib.suppress(Gone):
                self.offer(s, stop)
        for pair in self.each("slow server"):
            with pair as (client, server, path):
                stop = threading.Event()

                def count(s):
                    s.wait_over(PATIENCE * 3)
                    s.answer(200, body=b"%d" % len(s.body))
                for i in range(5):
                    server.on(f"{path}/{i}", count, hold=True)
                server.on(path + "/sibling", lambda s: (s.wait_over(), s.answer(200, body=bytes(s.body))))
                before = self.proxy.rss()
                slow = [client.open(f"{path}/{i}", "POST", end=False) for i in range(5)]
                for s in slow:
                    threading.Thread(target=upload, args=(s,), daemon=True).start()
                self.stand_still(slow)
                for answer in together([lambda: client.ask(path + "/sibling", "POST", body=b"quick" * 2000)] * 5):
                    self.assert_whole(answer, 200, b"quick" * 2000)
                self.assertLess(self.proxy.rss() - before, self.proxy.memory(HELD_LIMIT))
                stop.set()
                for s in slow[1:]:
                    s.reset()
                release(server.one(f"{path}/0"))
                self.assert_whole(slow[0].wait_over(PATIENCE * 3), 200, b"%d" % (len(LARGE) * slow[0].offered))
                self.assert_same(server.one(f"{path}/0").body, LARGE * slow[0].offered)

    # ---- fields ----

    def test_request_fields(self):
        for pair in self.each("request fields"):
            with pair as (client, server, path):
                h1 = client.kind == "h1"
                fields = [("Cookie", "a=1"), ("Cookie", "b=2"), ("Cookie", "c=3"), ("X-Mixed-Case", "Value"), ("X-Twice", "1"),
                          ("X-Twice", "2"), ("TE", "trailers")]  # not nominated here: what is nominated may be gone
                if h1:
                    fields += [("Connection", "x-gone, keep-alive"), ("X-Gone", "1"), ("Keep-Alive", "timeout=5"),
                               ("Proxy-Connection", "keep-alive"), ("Upgrade", "h2c")]
                server.on(path, lambda s: s.answer(200))
                self.assert_whole(client.ask(path + "?q=%20", fields=fields, authority="App.Test:8080"), 200)
                got = server.one(path)
                self.assertEqual((got.authority, got.path, got.all("host")), ("App.Test:8080", path + "?q=%20",
                                                                              ["App.Test:8080"] if server.kind == "h1" else []))
                if not h1:
                    self.assertEqual(got.all("cookie"), ["a=1; b=2; c=3"])
                else:
                    self.assertEqual("; ".join(got.all("cookie")), "a=1; b=2; c=3")
                self.assertEqual([got.all(n) for n in ("x-mixed-case", "x-twice", "te")], [["Value"], ["1", "2"], ["trailers"]])
                for name in ("x-gone", "keep-alive", "proxy-connection", "upgrade"):
                    self.assertEqual(got.all(name), [], name)
                self.assertEqual((got.all("x-forwarded-for"), got.all("x-forwarded-proto")),
                                 (["127.0.0.1"], ["https" if self.secure else "http"]))
                self.assertEqual(len(got.all("x-request-id")), 1)
                self.assertRegex(got.get("x-request-id"), r"^[!-~]{1,128}$")
                if server.kind == "h2":
                    self.assertEqual([n for n, _ in got.fields if n != n.lower()], [])

    def test_te_is_narrowed(self):
        """Only "trailers" goes on."""
        for pair in self.each("te", [("h1", s) for s in KINDS]):
            with pair as (client, server, path):
                server.on(path, lambda s: s.answer(200))
                self.assert_whole(client.ask(path, fields=[("TE", "deflate;q=0.5, trailers"), ("Connection", "TE")]), 200)
                self.assertIn(server.one(path).all("te"), (["trailers"], []))

    def test_response_fields(self):
        for pair in self.each("response fields"):
            with pair as (client, server, path):
                fields = [("X-Mixed-Case", "Value"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
                if server.kind == "h1":
                    fields += [("Connection", "x-gone"), ("X-Gone", "1"), ("Keep-Alive", "timeout=5"), ("Proxy-Connection", "x"),
                               ("Upgrade", "h2c")]
                server.on(path, lambda s: s.answer(200, fields, b"x"))
                got = client.ask(path)
                self.assert_whole(got, 200, b"x")
                self.assertEqual((got.all("x-mixed-case"), got.all("set-cookie")), (["Value"], ["a=1", "b=2"]))
                for name in ("x-gone", "keep-alive", "proxy-connection", "upgrade", "transfer-encoding"):
                    self.assertEqual(got.all(name), [], name)
                if client.kind == "h2":
                    self.assertEqual([n for n, _ in got.fields if n != n.lower() or n == "connection"], [])

    # ---- many at once ----

    def test_multiplexing(self):
        """50 at once; towards HTTP/2 they share a connection."""
        for pair in self.each("multiplexing"):
            with pair as (client, server, path):
                def handler(s):
                    wait_for(lambda: len(server.seen(path)) == 50, "all of them")
                    s.answer(200, body=s.path.encode())
                server.on(path, handler)
                answers = together([lambda i=i: client.ask(f"{path}/{i}") for i in range(50)])
                for i, answer in enumerate(answers):
                    self.assert_whole(answer, 200, f"{path}/{i}".encode())
                self.assertEqual(len({id(r.connection) for r in server.seen(path)}), 1 if server.kind == "h2" else 50)

    # ---- silence ----

    def test_response_timeout(self):
        """All at once, as each takes its second."""
        def never(s):
            s.wait_gone()
            gone[s.path] = time.monotonic()

        def stalls(s):
            s.head(200)
            s.send(b"begun")
            never(s)

        gone, running, began = {}, [], time.monotonic()
        for c, s in MATRIX:
            client = self.client(c)
            for name, handler in (("never", never), ("stalls", stalls)):
                path = f"/slow/{s}/{name}-{c}"
                self.servers[s].on(path, handler)
                running.append((c, s, name, path, client.open(path)))
        for c, s, name, path, stream in running:
            with self.subTest(f"response timeout, {name}: {c} client, {s} server"):
                stream.wait_over()
                took = time.monotonic() - began
                self.assertTrue(0.9 < took < 1 + SOON, took)
                if name == "never":
                    self.assert_whole(stream, 504)
                else:
                    self.assert_cut(stream)
                self.assertLess(wait_for(lambda: gone.get(path), "the server to be told") - began, 1 + SOON)
                self.assert_log(self.proxy, path, termination="response_timeout", status=504 if name == "never" else 200,
                                server_protocol="HTTP/2.0" if c == "h2" else "HTTP/1.1")
        self.assert_no_errors(*self.servers.values())


class Plain(Shared):
    pass


class Secure(Shared):
    """A few of them with TLS on both sides."""
    secure = True

    def test_whole(self):
        self.whole([w for w in self.WHOLE if w[0] in ("get", "head", "trailers both ways", "large known")])
        line = self.log_of(self.proxy, "/h2/get-h2")
        self.assertEqual((line["server_protocol"], line["scheme"], line["ssl_protocol"]), ("HTTP/2.0", "https", "TLSv1.3"))

    def test_server_cuts_a_body(self):
        self.cuts(self.CUTS[2:])

    test_continue = test_early_hints = test_close_delimited = test_te_is_narrowed = test_response_fields = None
    test_server_fails_before_the_head = test_client_cancels_an_upload = test_response_timeout = test_slow_server = None


class Own(Case):
    """Each with an albatross of its own."""

    def start(self, servers, protocol, options=None, **more):
        proxy = Proxy(ALBATROSS, forward(options, [group("g", servers, protocol)], [rule("g", 1, "/")], **more))
        self.addCleanup(peers.end_well, proxy)
        return proxy

    def server(self, kind, **more):
        s = Server(kind, **more)
        self.addCleanup(s.stop)
        return s

    def client(self, kind, proxy, **more):
        c = Client(kind, proxy.ports["web"], **more)
        self.addCleanup(c.close)
        return c

    # ---- retries ----

    # name, how the first server declines the stream
    DECLINES = [("REFUSED_STREAM", lambda s: s.reset(REFUSED_STREAM)),
                ("GOAWAY below it", lambda s: s.connection.goaway(s.id - 2 if s.id > 1 else 0))]
    # name, method, body, warmed: the connection has served before
    DECLINED = [("GET", "GET", None, False), ("GET on a used connection", "GET", None, True), ("PUT", "PUT", b"ping", False),
                ("POST", "POST", b"ping", False), ("POST on a used connection", "POST", b"ping", True)]

    def test_declined_is_retried(self):
        """RFC 9113 §8.7: what a server has said it did not work on goes to another one, and the client sees nothing."""
        pair = [self.server("h2"), self.server("h2")]
        proxy = self.start(pair, "h2c")
        for how, decline in self.DECLINES:
            for what, method, body, warmed in self.DECLINED:
                for kind in KINDS:
                    with self.subTest(f"{how}, {what}: {kind} client"), self.client(kind, proxy) as client:
                        path, declined = f"/{how}/{what}/{kind}".replace(" ", "-"), []

                        def handler(s):
                            if not declined:
                                declined.append(s)
                                return decline(s)
                            s.wait_over()
                            s.answer(200, body=b"second " + bytes(s.body))
                        for server in pair:
                            server.on(path, handler)
                            server.on("/warm", lambda s: s.answer(200))
                        if warmed:
                            for _ in pair:
                                self.assert_whole(client.ask("/warm"), 200)
                        self.assert_whole(client.ask(path, method, body=body), 200, b"second " + (body or b""))
                        self.assertEqual([len(s.seen(path)) for s in pair], [1, 1])
                        self.assert_log(proxy, path, attempts=2, status=200)
        self.assert_no_errors(*pair)

    def test_declined_twice(self):
        """One retry, not more."""
        pair = [self.server("h2"), self.server("h2")]
        proxy = self.start(pair, "h2c")
        for kind in KINDS:
            with self.subTest(f"{kind} client"), self.client(kind, proxy) as client:
                path = f"/{kind}"
                for s in pair:
                    s.on(path, lambda s: s.reset(REFUSED_STREAM))
                self.assert_whole(client.ask(path), 502)
                self.assertEqual(sum(len(s.seen(path)) for s in pair), 2)

    def test_goaway_lets_the_rest_finish(self):
        """Below the last stream id they are answered there; the one above goes elsewhere; nothing new comes there."""
        for kind in KINDS:
            with self.subTest(f"{kind} client"):
                server = self.server("h2")
                proxy, early, said = self.start([server], "h2c"), [], threading.Event()

                def handler(s):
                    if s.path == "/first":
                        early.append(s)
                        said.wait(PATIENCE)
                        return s.answer(200, body=b"first")
                    if s.connection is early[0].connection:
                        s.connection.goaway(early[0].id)
                        return said.set()
                    s.answer(200, body=b"elsewhere")
                server.on("/", handler)
                client = self.client(kind, proxy)
                first = client.open("/first")
                wait_for(lambda: early, "the first request")
                second = client.open("/second")
                self.assert_whole(second.wait_over(), 200, b"elsewhere")
                self.assert_whole(first.wait_over(), 200, b"first")
                self.assert_whole(client.ask("/third"), 200, b"elsewhere")
                early[0].connection.wait(lambda: early[0].connection.closed, "the old connection to be closed")
                self.assert_no_errors(server)

    def test_plain_close_on_a_used_connection(self):
        """A GET is asked again on a fresh one, a POST never."""
        for c, s in MATRIX:
            server = self.server(s)
            proxy = self.start([server], GROUP[s])
            client = self.client(c, proxy)
            server.on("/warm", lambda r: r.answer(200))
            for method, body, want, times in (("GET", None, 200, 2), ("POST", b"ping", 502, 1)):
                with self.subTest(f"{method}: {c} client, {s} server"):
                    path, count = f"/{method}", []

                    def handler(r):
                        count.append(r)
                        r.wait_over()
                        r.close() if len(count) == 1 else r.answer(200)
                    server.on(path, handler)
                    self.assert_whole(client.ask("/warm"), 200)
                    self.assert_whole(client.ask(path, method, body=body), want)
                    self.assertEqual(len(server.seen(path)), times)
                    self.assert_log(proxy, path, attempts=times, status=want)
            self.assert_no_errors(server)

    def test_stream_limit_of_the_server(self):
        """Two at a time on one connection, twenty asked for: more connections, and all are answered."""
        server = self.server("h2", settings={CODE.MAX_CONCURRENT_STREAMS: 2})
        proxy = self.start([server], "h2c")
        most = []
        for kind in KINDS:
            with self.subTest(f"{kind} client"), self.client(kind, proxy) as client:
                def handler(s):
                    open_here = [r for r in server.seen(f"/{kind}") if r.connection is s.connection and not hasattr(r, "answered")]
                    most.append(len(open_here))
                    # Held until all have come: so many are really open at once.
                    wait_for(lambda: len(server.seen(f"/{kind}")) == 20, "all twenty")
                    s.answered = True
                    s.answer(200, body=b"x")
                server.on(f"/{kind}", handler)
                for answer in together([lambda i=i: client.ask(f"/{kind}/{i}") for i in range(20)]):
                    self.assert_whole(answer, 200, b"x")
                self.assertLessEqual(max(most), 2)
        self.assert_no_errors(server)  # python3-h2 refuses a third stream by itself

    def test_stream_limit_of_ours(self):
        """128 are announced; one more is a stream error (RFC 9113 §5.1.2), and the others are answered."""
        server = self.server("h2")
        proxy = self.start([server], "h2c")
        client = self.client("h2", proxy)
        c = client.shared.wait(lambda: client.shared.settings_seen, "SETTINGS")
        self.assertEqual(c.h2.remote_settings.max_concurrent_streams, 128)
        go = threading.Event()
        server.on("/", lambda s: (go.wait(PATIENCE), s.answer(200)))
        streams = [client.open(f"/{i}") for i in range(128)]
        # The state machine would not open it.
        c.h2.remote_settings[CODE.MAX_CONCURRENT_STREAMS] = 1000
        c.h2.remote_settings.acknowledge()
        over = client.open("/over").wait_over()
        self.assertIn(over.reset_code, (PROTOCOL_ERROR, REFUSED_STREAM), f"no stream error but {over.cut}, GOAWAY {c.goaways}")
        go.set()
        for s in streams:
            self.assert_whole(s.wait_over(), 200)

    # ---- drain ----

    def test_drain(self):
        for s in KINDS:
            with self.subTest(f"h2 client, {s} server"):
                server, go = self.server(s), threading.Event()
                proxy = self.start([server], GROUP[s], shutdown={"drain": "20s"})
                server.on("/slow", lambda r: (go.wait(PATIENCE * 2), r.answer(200, body=LARGE)))
                server.on("/late", lambda r: r.answer(200, body=b"late"))
                client = self.client("h2", proxy)
                slow, c = client.open("/slow"), client.shared
                server.one("/slow")
                proxy.process.send_signal(signal.SIGTERM)
                c.wait(lambda: c.goaways, "the first GOAWAY")
                self.assertEqual(c.goaways, [(MANY, NO_ERROR)])
                late = client.ask("/late")
                self.assertEqual(len(c.goaways), 1, "the second GOAWAY came before a round trip was over")
                self.assert_whole(late, 200, b"late")
                c.wait(lambda: len(c.goaways) > 1, "the second GOAWAY")
                self.assertEqual(c.goaways[1], (3, NO_ERROR))
                go.set()
                self.assert_whole(slow.wait_over(), 200, LARGE)
                c.wait(lambda: c.closed, "the connection's end")
                self.assertEqual(len(c.goaways), 2)
                self.assertEqual(proxy.process.wait(PATIENCE), 0)
                self.assertEqual(client.shared.error, None)
                self.assert_no_errors(server)
            with self.subTest(f"h1 client, {s} server"):
                server, go = self.server(s), threading.Event()
                proxy = self.start([server], GROUP[s], shutdown={"drain": "20s"})
                server.on("/slow", lambda r: (go.wait(PATIENCE * 2), r.answer(200, body=LARGE)))
                slow = self.client("h1", proxy).open("/slow")
                server.one("/slow")
                proxy.process.send_signal(signal.SIGTERM)
                wait_for(lambda: "draining" in proxy.output(), "the drain")
                go.set()
                self.assert_whole(slow.wait_over(), 200, LARGE)
                self.assertEqual(slow.get("connection", "").lower(), "close")
                slow.wait(lambda: slow.connection.closed, "the connection's end")
                self.assertEqual(proxy.process.wait(PATIENCE), 0)
                self.assert_no_errors(server)

    def test_drain_deadline(self):
        """What is left is cut: 500 where no head was sent, an abort where one was."""
        for c, s in MATRIX:
            with self.subTest(f"{c} client, {s} server"):
                server = self.server(s)
                proxy = self.start([server], GROUP[s], shutdown={"drain": "300ms"})
                server.on("/never", lambda r: r.wait_gone())
                server.on("/begun", lambda r: (r.head(200), r.send(b"begun"), r.wait_gone()))
                client = self.client(c, proxy)
                never, begun = client.open("/never"), client.open("/begun").wait_bytes(5)
                server.one("/never")
                proxy.process.send_signal(signal.SIGTERM)
                self.assert_whole(never.wait_over(), 500)
                self.assert_cut(begun.wait_over())
                for path in ("/never", "/begun"):
                    server.one(path).wait_gone()
                self.assertEqual(proxy.process.wait(PATIENCE), 0)
                self.assert_log(proxy, "/never", status=500, termination="drain_cut")
                self.assert_log(proxy, "/begun", status=200, termination="drain_cut")

    # ---- TLS: whose host it is ----

    def test_a_host_beside_the_sni_is_answered(self):
        with tempfile.TemporaryDirectory() as folder:
            cert, key = make_certificate(folder, ("localhost",))
            server = self.server("h1")
            server.on("/", lambda s: s.answer(200, body=s.authority.encode()))
            proxy = self.start([server], "http", {"protocol": "https", "certificates": [{"cert": cert, "key": key}]})
            client = self.client("h2", proxy, secure=True)
            self.assert_whole(client.ask("/x", authority="third.test"), 200, b"third.test")

    def test_misdirected(self):
        with tempfile.TemporaryDirectory() as folder:
            cert, key = make_certificate(folder, ("localhost", "second.test"))
            server = self.server("h1")
            server.on("/", lambda s: s.answer(200, body=s.authority.encode()))
            proxy = self.start([server], "http", {"protocol": "https", "certificates": [{"cert": cert, "key": key}],
                                                  "strict_sni": True})
            client = self.client("h2", proxy, secure=True)
            for host, status in (("localhost", 200), ("second.test", 200), ("SECOND.test:8443", 200), ("third.test", 421),
                                 ("localhost", 200)):
                with self.subTest(f"SNI localhost, asks for {host}"):
                    s = client.ask("/" + host, authority=host)
                    self.assert_whole(s, status, host.encode() if status == 200 else None)
            self.assert_log(proxy, "/third.test", status=421, termination="misdirected", upstream_status=None)
            self.assertEqual(server.seen("/third.test"), [])

    def test_rules_by_sni_alpn_and_time(self):
        def rule(name, at, **condition):
            return {"name": name, "priority": at, "conditions": [condition], "actions": [{"fixed_response": {"body": name}}]}
        with tempfile.TemporaryDirectory() as folder:
            cert, key = make_certificate(folder, ("localhost", "second.test"))
            hour = time.gmtime().tm_hour  # the window is not at its edge for half a day
            now = f"{(hour + 18) % 24:02}:00-{(hour + 6) % 24:02}:00"
            rules = [rule("second", 1, sni="*.TEST"), rule("h2", 2, alpn="h2"),
                     rule("never", 3, **{"not": {"time": {"hours": now}}}), rule("now", 4, time={"hours": now})]
            server = self.server("h1")
            proxy = self.start([server], "http", {"protocol": "https", "certificates": [{"cert": cert, "key": key}], "rules": rules})
            for kind, sni, expected in (("h1", "second.test", b"second"), ("h2", "second.test", b"second"), ("h2", "localhost", b"h2"),
                                        ("h1", "localhost", b"now"), ("h1", None, b"now")):
                with self.subTest(kind=kind, sni=sni):
                    client = self.client(kind, proxy, secure=True, sni=sni)
                    self.assert_whole(client.ask("/", authority="other.test"), 200, expected)
            plain = self.start([server], "http", {"rules": rules})
            self.assert_whole(self.client("h1", plain).ask("/"), 200, b"now")


del Case, Shared  # what only others are made of

if __name__ == "__main__":
    unittest.main()
