#!/usr/bin/env python3
"""WebSocket through albatross: by upgrade and by extended CONNECT (RFC 8441), on either side.

    ALBATROSS=path/to/albatross websocket_h2_test.py [TestClass.test]
Needs python3-h2 and python3-websockets. The scripted clients and servers are those of peers.py.
"""
import asyncio
import base64
import contextlib
import hashlib
import random
import signal
import struct
import threading
import time
import unittest

import websockets

import peers
from peers import CANCEL, CODE, NO_ERROR, Client, Server, together
from proxy import PATIENCE, Proxy, albatross_path, wait_for

ALBATROSS = albatross_path()
KINDS = ("h1", "h2")
MATRIX = [(c, s) for c in KINDS for s in KINDS]
MEGABYTE = random.Random(2).randbytes(1024 * 1024)
SOON = 2.0
TEXT, BINARY, CLOSE = 1, 2, 8
GOING_AWAY = struct.pack(">BBH", 0x88, 2, 1001)


def frame(opcode, payload, masked=True):
    """RFC 6455 §5.2; the key is fixed, as nothing here depends on it."""
    n, bit = len(payload), 0x80 if masked else 0
    if n < 126:
        head = struct.pack(">BB", 0x80 | opcode, bit | n)
    elif n < 65536:
        head = struct.pack(">BBH", 0x80 | opcode, bit | 126, n)
    else:
        head = struct.pack(">BBQ", 0x80 | opcode, bit | 127, n)
    if not masked:
        return head + payload
    key = b"\x11\x22\x33\x44"
    mask = int.from_bytes((key * (n // 4 + 1))[:n], "big")
    return head + key + (int.from_bytes(payload, "big") ^ mask).to_bytes(n, "big")


def frames(data):
    """[(opcode, payload)] of unmasked frames, and how many bytes they took."""
    out, at = [], 0
    while len(data) >= at + 2:
        n, start = data[at + 1] & 0x7f, at + 2
        if n == 126 and len(data) >= at + 4:
            n, start = struct.unpack_from(">H", data, at + 2)[0], at + 4
        elif n == 127 and len(data) >= at + 10:
            n, start = struct.unpack_from(">Q", data, at + 2)[0], at + 10
        elif n > 125:
            break
        if len(data) < start + n:
            break
        out.append((data[at] & 0x0f, bytes(data[start:start + n])))
        at = start + n
    return out, at


def masked_going_away(data):
    """Is it a close frame of a client with code 1001?"""
    if len(data) != 8 or data[:2] != b"\x88\x82":
        return False
    return bytes(a ^ b for a, b in zip(data[6:8], data[2:6])) == struct.pack(">H", 1001)


def switch(s, accept=None, fields=()):
    """The server's side of the handshake."""
    if isinstance(s, peers.H2Stream):
        return s.head(200, fields)
    digest = hashlib.sha1((s.get("sec-websocket-key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    s.inform(101, [("Upgrade", "websocket"), ("Connection", "Upgrade"),
                   ("Sec-WebSocket-Accept", accept or base64.b64encode(digest).decode()), *fields])
    return None


def opened(s):
    """The tunnel is there: 101, or the 200 of an extended CONNECT."""
    s.wait_head()
    if s.status != (200 if isinstance(s, peers.H2Stream) else 101):
        raise AssertionError(f"no tunnel: {s.heads}, {bytes(s.body[:200])}, cut {s.cut}")
    return s


def message(s, count=1):
    """The frames that came so far, once there are so many."""
    s.wait(lambda: len(frames(s.body)[0]) >= count or s.over, f"{count} frames", PATIENCE * 2)
    return frames(s.body)[0]


class EchoServer:
    """The library's, which checks every frame."""

    def __enter__(self):
        self.loop, ready = asyncio.new_event_loop(), threading.Event()
        self.closes, self.open = [], 0

        async def echo(ws):
            self.open += 1
            try:
                async for m in ws:
                    await ws.send(m)
            except websockets.ConnectionClosedError:
                pass
            finally:
                self.open -= 1
                self.closes.append(ws.close_code)

        async def serve():
            self.server = await websockets.serve(echo, "127.0.0.1", 0, max_size=2**22, compression=None, close_timeout=5)
            self.address = "127.0.0.1:%d" % self.server.sockets[0].getsockname()[1]
            ready.set()
            await self.server.wait_closed()
        self.thread = threading.Thread(target=lambda: self.loop.run_until_complete(serve()), daemon=True)
        self.thread.start()
        if not ready.wait(PATIENCE):
            raise AssertionError("the echo server did not start")
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.server.close)
        self.thread.join(PATIENCE)


class Base(unittest.TestCase):
    def start(self, groups, timeouts=None, **top):
        """A listener that takes both protocols; /NAME goes to the group of that name. `groups`: name -> (protocol, address)."""
        rules = [{"name": n, "priority": i + 1, "conditions": [{"path": {"prefix": f"/{n}"}}], "actions": [{"forward": n}]}
                 for i, n in enumerate(groups)]
        top.setdefault("shutdown", {"drain": "2s"})  # some tunnels are left in the middle of what is no frame
        proxy = Proxy(ALBATROSS, {
            "listeners": [{"name": "web", "bind": "127.0.0.1:0", "http2": True, "rules": rules, "timeouts": timeouts or {},
                           "default_actions": [{"fixed_response": {"code": 404}}]}],
            "server_groups": [{"name": n, "protocol": p, "servers": [{"address": a}]} for n, (p, a) in groups.items()], **top})
        self.addCleanup(peers.end_well, proxy)
        return proxy

    def scripted(self, timeouts=None, **top):
        """albatross in front of a scripted server of each kind."""
        servers = {"h1": Server("h1"), "h2": Server("h2", settings={CODE.ENABLE_CONNECT_PROTOCOL: 1})}
        for s in servers.values():
            self.addCleanup(s.stop)
        return servers, self.start({"h1": ("http", servers["h1"].address), "h2": ("h2c", servers["h2"].address)}, timeouts, **top)

    def client(self, kind, proxy):
        c = Client(kind, proxy.ports["web"])
        self.addCleanup(c.close)
        return c

    @contextlib.contextmanager
    def pair(self, name, c, s, servers, proxy):
        with self.subTest(f"{name}: {c} client, {s} server"), self.client(c, proxy) as client:
            yield client, servers[s], f"/{s}/{name.replace(' ', '-')}-{c}"
            self.assertTrue(proxy.alive())
            self.assertEqual([x.error for x in client.connections if x.error], [])
            self.assertEqual(servers[s].errors(), [])

    def log_of(self, proxy, uri):
        return wait_for(lambda: [l for l in proxy.log() if l.get("request_uri") == uri], f"a log line for {uri}")[0]


class Library(Base):
    """Against the library's server."""

    @classmethod
    def setUpClass(cls):
        cls.echo = cls.enterClassContext(EchoServer())

    def setUp(self):
        self.proxy = self.start({"echo": ("http", self.echo.address)})

    def test_upgrade(self):
        """The library on both sides."""
        async def talk():
            uri = f"ws://127.0.0.1:{self.proxy.ports['web']}/echo"
            async with websockets.connect(uri, max_size=2**22, open_timeout=PATIENCE, close_timeout=PATIENCE) as ws:
                for m in ("hello", "", "é" * 40000, MEGABYTE):
                    await asyncio.wait_for(ws.send(m), PATIENCE)
                    self.assertTrue(await asyncio.wait_for(ws.recv(), PATIENCE) == m, "another message came back")
                await asyncio.wait_for(await ws.ping(), PATIENCE)
                await ws.close(4000, "enough")
                return ws.close_code
        self.assertEqual(asyncio.run(talk()), 4000)
        line = self.log_of(self.proxy, "/echo")
        self.assertEqual((line["status"], line["server_protocol"], line.get("termination")), (101, "HTTP/1.1", None))

    def test_extended_connect(self):
        with self.client("h2", self.proxy) as client:
            s = opened(client.websocket("/echo"))
            self.assertEqual(client.shared.h2.remote_settings.enable_connect_protocol, 1)
            for name in ("connection", "upgrade", "sec-websocket-accept", "transfer-encoding"):
                self.assertEqual(s.all(name), [], name)
            messages = [(TEXT, b"hello"), (TEXT, b""), (TEXT, "é".encode() * 40000), (BINARY, MEGABYTE)]
            for i, (opcode, payload) in enumerate(messages):
                s.send(frame(opcode, payload))
                got = message(s, i + 1)
                self.assertTrue(got[i:] == [(opcode, payload)], f"message {i} came back as {[(o, len(p)) for o, p in got[i:]]}")
            closes = len(self.echo.closes)
            s.send(frame(CLOSE, struct.pack(">H", 4000) + b"enough"))
            self.assertEqual(message(s, 5)[4], (CLOSE, struct.pack(">H", 4000) + b"enough"))
            self.assertTrue(s.wait_over().ended, f"no END_STREAM behind the close frames: {s.cut}")
            s.end()
            self.assertEqual(wait_for(lambda: self.echo.closes[closes:], "the server's end"), [4000])
            self.assertIsNone(client.shared.closed)
        line = self.log_of(self.proxy, "/echo")
        self.assertEqual((line["status"], line["server_protocol"], line.get("termination")), (101, "HTTP/2.0", None))

    def test_fifty_at_once(self):
        with self.client("h2", self.proxy) as client:
            tunnels = [opened(s) for s in [client.websocket("/echo") for _ in range(50)]]
            wait_for(lambda: self.echo.open == 50, "fifty tunnels at the server")

            def talk(i, s):
                for k in range(3):
                    payload = b"%d-%d " % (i, k) * 500
                    s.send(frame(BINARY, payload))
                    self.assertTrue(message(s, k + 1)[k] == (BINARY, payload), f"tunnel {i}")
            together([lambda i=i, s=s: talk(i, s) for i, s in enumerate(tunnels)])
            for s in tunnels:
                s.send(frame(CLOSE, struct.pack(">H", 1000)))
            for s in tunnels:
                self.assertTrue(s.wait_over().ended, s.cut)
                s.end()
        wait_for(lambda: self.echo.open == 0, "the server's connections to end")


class Scripted(Base):
    """Every pair of protocols, against servers that do as they are told."""

    def setUp(self):
        self.servers, self.proxy = self.scripted()

    def each(self, name, matrix=MATRIX):
        return [self.pair(name, c, s, self.servers, self.proxy) for c, s in matrix]

    def test_handshake(self):
        """What the server sees: an upgrade with a good key, or an extended CONNECT without one; other fields stay."""
        for pair in self.each("handshake"):
            with pair as (client, server, path):
                server.on(path, lambda s: (switch(s, fields=[("sec-websocket-protocol", "chat")]), s.end()))
                s = opened(client.websocket(path, [("sec-websocket-protocol", "chat, more"), ("origin", "http://app.test")]))
                self.assertEqual(s.all("sec-websocket-protocol"), ["chat"])
                got = server.one(path)
                self.assertEqual((got.all("sec-websocket-version"), got.all("sec-websocket-protocol"), got.all("origin")),
                                 (["13"], ["chat, more"], ["http://app.test"]))
                if server.kind == "h2":
                    self.assertEqual((got.method, got.protocol, got.authority), ("CONNECT", "websocket", "app.test"))
                    self.assertEqual(got.all("sec-websocket-key") + got.all("upgrade") + got.all("connection"), [])
                else:
                    self.assertEqual((got.method, got.get("upgrade")), ("GET", "websocket"))
                    self.assertEqual(got.get("connection", "").lower(), "upgrade")
                    self.assertEqual(len(base64.b64decode(got.get("sec-websocket-key"))), 16)

    def test_bytes_both_ways(self):
        """A megabyte each way at once, whatever it looks like."""
        for pair in self.each("bytes"):
            with pair as (client, server, path):
                server.on(path, lambda s: (switch(s), s.send(frame(BINARY, MEGABYTE, False)), s.wait_bytes(len(MEGABYTE))))
                s = opened(client.websocket(path))
                sent = frame(BINARY, MEGABYTE)
                s.send(sent)
                self.assertTrue(message(s)[0] == (BINARY, MEGABYTE), "not what the server sent")
                self.assertTrue(bytes(server.one(path).wait_bytes(len(sent)).body) == sent, "not what the client sent")

    def test_half_close(self):
        """Who ends first still hears the other."""
        for who in ("client", "server"):
            for pair in self.each(f"half close by the {who}"):
                with pair as (client, server, path):
                    server.on(path, switch)
                    s = opened(client.websocket(path))
                    far = server.one(path)
                    first, second = (s, far) if who == "client" else (far, s)
                    first.send(b"last words")
                    first.end()
                    self.assertTrue(second.wait_over().ended, second.cut)
                    self.assertEqual(bytes(second.body), b"last words")
                    second.send(b"an answer")
                    first.wait_bytes(9)
                    second.send(b" and more")
                    second.end()
                    self.assertTrue(first.wait_over().ended, first.cut)
                    self.assertEqual(bytes(first.body), b"an answer and more")
                    self.assertIsNone(s.reset_code)
                    line = self.log_of(self.proxy, path)
                    self.assertEqual((line["status"], line.get("termination")), (101, None))

    def test_resets(self):
        """A reset of one side ends the other at once, and no sibling."""
        for pair in self.each("client resets"):
            with pair as (client, server, path):
                server.on(path, switch)
                s, sibling = opened(client.websocket(path)), opened(client.websocket(path + "/sibling"))
                far, since = server.one(path), time.monotonic()
                s.reset(CANCEL)
                far.wait(lambda: far.over or far.connection.closed, "the tunnel's end")
                self.assertLess(time.monotonic() - since, SOON)
                sibling.send(b"still here")
                self.assertEqual(bytes(server.one(path + "/sibling").wait_bytes(10).body), b"still here")
        for pair in self.each("server resets"):
            with pair as (client, server, path):
                server.on(path, switch)
                s, sibling = opened(client.websocket(path)), opened(client.websocket(path + "/sibling"))
                since = time.monotonic()
                server.one(path).reset(CANCEL)
                s.wait_over()
                self.assertLess(time.monotonic() - since, SOON)
                self.assertIsNotNone(s.cut if client.kind == "h2" else s.connection.closed, "a clean end of what was reset")
                if client.kind == "h2":
                    self.assertNotIn(s.reset_code, (None, NO_ERROR))
                server.one(path + "/sibling").send(b"still here")
                self.assertEqual(bytes(sibling.wait_bytes(10).body), b"still here")

    def test_refusals(self):
        for pair in self.each("403"):
            with pair as (client, server, path):
                server.on(path, lambda s: s.answer(403, [("x-why", "closed")], b"not you"))
                s = client.websocket(path).wait_over()
                self.assertEqual((s.status, s.get("x-why"), bytes(s.body), s.cut), (403, "closed", b"not you", None))
                self.assertEqual(self.log_of(self.proxy, path)["status"], 403)
        for pair in self.each("200 to an upgrade", [(c, "h1") for c in KINDS]):
            with pair as (client, server, path):
                server.on(path, lambda s: s.answer(200, [], b"a page"))
                s = client.websocket(path).wait_over()
                if client.kind == "h1":
                    self.assertEqual((s.status, bytes(s.body)), (200, b"a page"))
                else:  # there a 200 would say that the tunnel is open
                    self.assertTrue(s.status == 502 or s.cut, f"{s.heads}, {bytes(s.body)}")
        for pair in self.each("a wrong accept", [("h2", "h1")]):
            with pair as (client, server, path):
                server.on(path, lambda s: switch(s, accept="AAAAAAAAAAAAAAAAAAAAAAAAAAA="))
                self.assertEqual(client.websocket(path).wait_over().status, 502)
                self.assertEqual(self.log_of(self.proxy, path)["termination"], "upstream_malformed")
                server.one(path).wait_gone()
        for pair in self.each("another protocol", [("h2", s) for s in KINDS]):
            with pair as (client, server, path):
                s = client.websocket(path, protocol="chat").wait_over()
                self.assertEqual((s.status, s.cut), (501, None))
                self.assertEqual(server.seen(path), [])
                self.assertEqual(client.ask("/").status, 404)

    def test_early_bytes(self):
        """What a client says before its tunnel is there waits, and is delivered then."""
        for pair in self.each("early bytes", [("h2", s) for s in KINDS]):
            with pair as (client, server, path):
                go = threading.Event()
                server.on(path, lambda s: (go.wait(PATIENCE), switch(s)))
                s = client.websocket(path)
                far = server.one(path)
                early = frame(TEXT, b"too soon") + frame(BINARY, b"x" * 20000)
                s.send(early)
                client.shared.ping()
                # A round trip later it has been read.
                self.assertEqual((bytes(far.body), s.status), (b"", None))
                go.set()
                opened(s)
                far.wait_bytes(len(early))
                s.send(b"later")
                self.assertTrue(bytes(far.wait_bytes(len(early) + 5).body) == early + b"later")

    def test_slow_tunnel(self):
        """One that a client does not read holds up nobody else on its connection."""
        for pair in self.each("slow tunnel"):
            with pair as (client, server, path):
                server.on(path, lambda s: (switch(s), s.send(MEGABYTE * 4)))
                server.on(path + "/sibling", lambda s: (switch(s), s.send(b"quick" * 1000)))
                s = client.websocket(path)
                s.hold = True
                far = server.one(path)
                if client.kind == "h2":
                    wait_for(lambda: far.blocked, "the server to stand still")
                sibling = opened(client.websocket(path + "/sibling"))
                self.assertEqual(bytes(sibling.wait_bytes(5000).body), b"quick" * 1000)
                peers.release(s)
                self.assertTrue(bytes(s.wait_bytes(len(MEGABYTE) * 4, PATIENCE * 2).body) == MEGABYTE * 4)

    def test_server_without_tunnels(self):
        """An HTTP/2 server that has not announced RFC 8441 is not asked: a clear 501."""
        server = Server("h2")
        self.addCleanup(server.stop)
        proxy = self.start({"old": ("h2c", server.address)})
        for c in KINDS:
            with self.subTest(f"{c} client"), self.client(c, proxy) as client:
                s = client.websocket(f"/old/{c}").wait_over()
                self.assertEqual((s.status, s.cut), (501, None))
                self.assertIn(b"websocket", bytes(s.body).lower())
                self.assertEqual(server.seen("/old"), [])
                self.assertEqual(self.log_of(proxy, f"/old/{c}")["status"], 501)

    def test_not_announced_twice(self):
        """Only servers say what they take: towards a server the setting is not sent (RFC 8441 §3)."""
        with self.client("h2", self.proxy) as client:
            self.servers["h2"].on("/h2/x", lambda s: s.answer(200))
            client.ask("/h2/x")
            wait_for(lambda: self.servers["h2"].connections, "the server's connection")  # listed after it has begun
            self.assertEqual(self.servers["h2"].connections[0].h2.remote_settings.enable_connect_protocol, 0)


class Ends(Base):
    """The end that albatross makes: close frame 1001, between frames."""

    def check_going_away(self, s, before, far, far_before):
        s.wait_over()
        self.assertEqual(bytes(s.body), before + GOING_AWAY)
        self.assertTrue(s.ended, s.cut)
        far.wait(lambda: far.over or far.connection.closed, "the server's end")
        self.assertEqual(bytes(far.body[:len(far_before)]), far_before)
        self.assertTrue(masked_going_away(far.body[len(far_before):]), bytes(far.body))

    def test_idle(self):
        servers, proxy = self.scripted({"tunnel": "400ms"})
        for c, s in MATRIX:
            with self.pair("idle", c, s, servers, proxy) as (client, server, path):
                server.on(path, lambda s: (switch(s), s.send(frame(TEXT, b"hello", False))))
                t = opened(client.websocket(path))
                since = time.monotonic()
                t.send(frame(TEXT, b"hi"))
                self.check_going_away(t, frame(TEXT, b"hello", False), server.one(path), frame(TEXT, b"hi"))
                self.assertLess(time.monotonic() - since, 0.4 + SOON)
                line = self.log_of(proxy, path)
                self.assertEqual((line["status"], line["termination"]), (101, "tunnel_timeout"))

    def test_idle_counts_from_the_last_byte(self):
        """Either side's: a tunnel outlives its timeout as long as something goes."""
        servers, proxy = self.scripted({"tunnel": "1s"})
        for c, s in (("h1", "h1"), ("h2", "h1")):
            with self.pair("not idle", c, s, servers, proxy) as (client, server, path):
                server.on(path, switch)
                t = opened(client.websocket(path))
                far, began, n = server.one(path), time.monotonic(), 0
                while time.monotonic() - began < 1.5:
                    (t, far)[n % 2].send(b"x")
                    n += 1
                    (far, t)[(n - 1) % 2].wait_bytes((n + 1) // 2)
                    time.sleep(0.1)  # the tunnel's pace, far below its timeout
                self.assertFalse(t.over)

    def test_drain_between_frames(self):
        for c, s in MATRIX:
            with self.subTest(f"{c} client, {s} server"):
                servers, proxy = self.scripted(shutdown={"drain": "20s"})
                server, client = servers[s], self.client(c, proxy)
                server.on("/", lambda s: (switch(s), s.send(frame(TEXT, b"hello", False))))
                t = opened(client.websocket(f"/{s}"))
                t.send(frame(TEXT, b"hi"))
                far = server.one(f"/{s}").wait_bytes(len(frame(TEXT, b"hi")))
                t.wait_bytes(7)
                proxy.process.send_signal(signal.SIGTERM)
                self.check_going_away(t, frame(TEXT, b"hello", False), far, frame(TEXT, b"hi"))
                t.connection.close()
                self.assertEqual(proxy.process.wait(PATIENCE), 0)
                self.assertEqual(self.log_of(proxy, f"/{s}")["termination"], "drain_cut")

    def test_drain_inside_a_frame(self):
        """Nothing is put into a frame that is under way; the close frame stands behind its end."""
        part = 300
        for who in ("server", "client"):
            for c, s in MATRIX:
                with self.subTest(f"in a frame of the {who}: {c} client, {s} server"):
                    servers, proxy = self.scripted(shutdown={"drain": "20s"})
                    server, client = servers[s], self.client(c, proxy)
                    server.on("/", switch)
                    t = opened(client.websocket(f"/{s}"))
                    far = server.one(f"/{s}")
                    sender, receiver = (far, t) if who == "server" else (t, far)
                    whole = frame(BINARY, b"x" * 1000, who == "client")
                    sender.send(whole[:part])
                    receiver.wait_bytes(part)
                    proxy.process.send_signal(signal.SIGTERM)
                    wait_for(lambda: "draining" in proxy.output(), "the drain")
                    if c == "h2":
                        t.connection.wait(lambda: t.connection.goaways, "GOAWAY")
                        t.connection.ping()
                    sender.send(whole[part:part + 100])
                    receiver.wait_bytes(part + 100)
                    self.assertEqual(bytes(receiver.body), whole[:part + 100])
                    # The next frame comes with the rest of this one, and is too late.
                    sender.send(whole[part + 100:] + frame(TEXT, b"next", who == "client"))
                    self.check_going_away(t, whole if who == "server" else b"", far, whole if who == "client" else b"")
                    t.connection.close()
                    self.assertEqual(proxy.process.wait(PATIENCE), 0)


del Base

if __name__ == "__main__":
    unittest.main()
