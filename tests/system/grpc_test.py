#!/usr/bin/env python3
"""gRPC through albatross: a real client and server (grpcio), and HTTP/2 spoken by hand (h2) where a peer must misbehave.

    ALBATROSS=path/to/albatross grpc_test.py [TestClass.test]
Skipped (77) where python3-grpcio or python3-h2 is missing. Messages are bytes, so nothing is generated.
"""
import contextlib
import functools
import json
import os
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # before the import; the proxies are started by fork and exec
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
try:
    import grpc
    import h2.config
    import h2.connection
    import h2.events
    import h2.exceptions
    import hyperframe.frame
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)

from proxy import PATIENCE, Proxy, albatross_path, make_certificate, wait_for

OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 0),
           ("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 100)]
MIB = 1 << 20
Code = grpc.StatusCode


# ---- a grpcio server and client ----

class Service:
    """Methods of every shape. What tests wait for or look at is in `seen` (by the request's bytes) and in `release`."""

    def __init__(self):
        self.release = threading.Event()
        self.seen = {}
        self.progress = 0  # messages of big streams that were made
        self.lock = threading.Lock()
        self.running = 0

    def handlers(self):
        shapes = {"Echo": "unary_unary", "Fail": "unary_unary", "Hang": "unary_unary", "Meet": "unary_unary", "Nap": "unary_unary",
                  "Join": "stream_unary", "Sink": "stream_unary", "Repeat": "unary_stream", "FailLater": "unary_stream",
                  "Tick": "unary_stream", "PingPong": "stream_stream"}
        return {name: getattr(grpc, f"{shape}_rpc_method_handler")(getattr(self, name)) for name, shape in shapes.items()}

    @staticmethod
    def custom(context):
        return [(k, v) for k, v in context.invocation_metadata() if k.startswith("m-")]

    def Echo(self, request, context):
        context.send_initial_metadata(self.custom(context))
        context.set_trailing_metadata([("t-" + k, v) for k, v in self.custom(context)])
        return request

    def Fail(self, request, context):
        context.set_trailing_metadata([("m-why", "because")])
        context.abort(Code.FAILED_PRECONDITION, request.decode())

    def FailLater(self, request, context):
        yield b"one"
        context.abort(Code.DATA_LOSS, request.decode())

    def Hang(self, request, context):
        """Never answers of itself; seen[request]: the time left at the start, and an event at the context's end."""
        ended = threading.Event()
        context.add_callback(ended.set)
        self.seen[request] = (context.time_remaining(), ended)
        wait_for(lambda: ended.is_set() or self.release.is_set(), "the end of Hang", 2 * PATIENCE)
        return b"released"

    def Meet(self, request, context):
        """Answers when `release` is set; `running` calls wait for it."""
        with self.lock:
            self.running += 1
        self.release.wait(PATIENCE)
        with self.lock:
            self.running -= 1
        return request

    def Nap(self, request, context):
        time.sleep(0.02)  # the work of a call
        return request

    def Join(self, requests, context):
        return b",".join(requests)

    def Sink(self, requests, context):
        self.release.wait(2 * PATIENCE)
        total = 0
        for r in requests:
            total += len(r)
        return str(total).encode()

    def Repeat(self, request, context):
        n, size = json.loads(request)
        for i in range(n):
            with self.lock:
                self.progress += 1
            yield bytes([i % 256]) * size

    def Tick(self, request, context):
        ended = threading.Event()
        context.add_callback(ended.set)
        self.seen[request] = (None, ended)
        while not ended.wait(0.05):
            yield b"tick"

    def PingPong(self, requests, context):
        for r in requests:
            yield b"pong " + r


def start_server(service=None, credentials=None):
    """(server, port, service)"""
    service = service or Service()
    server = grpc.server(ThreadPoolExecutor(128), options=OPTIONS)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Service", service.handlers())])
    port = server.add_secure_port("127.0.0.1:0", credentials) if credentials else server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port, service


class Client:
    def __init__(self, port, certificate=None):
        if certificate:
            with open(certificate, "rb") as f:
                self.channel = grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(f.read()), options=OPTIONS)
        else:
            self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS)

    def __getattr__(self, name):
        """client.unary_stream("Repeat") and so on."""
        make = getattr(self.channel, name)
        return lambda method, service="test.Service": make(f"/{service}/{method}")


def failure(call):
    """(code, details) of a call that must fail: a callable, or an iterator of answers."""
    try:
        got = list(call) if hasattr(call, "__iter__") else call()
    except grpc.RpcError as e:
        return e.code(), e.details()
    raise AssertionError(f"the call succeeded: {got!r:.200}")


# ---- HTTP/2 by hand, in either role ----

class Gone(Exception):
    """The peer has closed."""


class Peer:
    def __init__(self, sock, client):
        self.sock = sock
        sock.settimeout(PATIENCE)
        self.conn = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=client, header_encoding="utf-8", validate_inbound_headers=False))
        self.conn.initiate_connection()
        self.events = []
        self.credit = True  # open the window for what comes
        self.flush()

    def flush(self):
        self.sock.sendall(self.conn.data_to_send())

    def wait(self, kind, stream=None, seconds=PATIENCE):
        """The next event of that kind, and of that stream if given; others stay for later."""
        end = time.monotonic() + seconds
        while True:
            for e in self.events:
                if isinstance(e, kind) and (stream is None or e.stream_id == stream):
                    self.events.remove(e)
                    return e
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError(f"timed out waiting for {getattr(kind, '__name__', 'the end')}, have {self.events}")
            self.sock.settimeout(left)
            try:
                data = self.sock.recv(65536)
            except TimeoutError:
                continue
            except OSError as e:
                raise Gone(str(e)) from e
            if not data:
                raise Gone(f"closed, have {self.events}")
            for e in self.conn.receive_data(data):
                if isinstance(e, h2.events.DataReceived) and self.credit and e.flow_controlled_length:
                    with contextlib.suppress(h2.exceptions.ProtocolError):
                        self.conn.acknowledge_received_data(e.flow_controlled_length, e.stream_id)
                self.events.append(e)
            self.flush()

    def request(self, path, *extra, end=True, message=b""):
        stream = self.conn.get_next_available_stream_id()
        self.conn.send_headers(stream, [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "test"),
                                        ("content-type", "application/grpc"), ("te", "trailers"), *extra])
        self.conn.send_data(stream, frame(message), end_stream=end)
        self.flush()
        return stream

    def answer(self, stream, *fields, end=False):
        self.conn.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc"), *fields], end_stream=end)

    def data(self, stream, message):
        self.conn.send_data(stream, frame(message))

    def status(self, stream, code=0, *extra):
        self.conn.send_headers(stream, [("grpc-status", str(code)), *extra], end_stream=True)

    def whole(self, stream, message=b"", code=0):
        """A whole answer."""
        self.answer(stream)
        self.data(stream, message)
        self.status(stream, code)
        self.flush()


def frame(message):
    return b"\0" + struct.pack(">I", len(message)) + message


class Scripted:
    """A server that does, on each connection, what script(peer, number of the connection) says."""

    def __init__(self, script):
        self.script = script
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sockets, self.threads, self.errors = [], [], []
        self.accepting = threading.Thread(target=self.accept)
        self.accepting.start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                self.sockets.append(sock)
                thread = threading.Thread(target=self.serve, args=(sock, len(self.sockets) - 1))
                self.threads.append(thread)
                thread.start()

    def serve(self, sock, number):
        try:
            with sock:
                self.script(Peer(sock, False), number)
        except (Gone, OSError):
            pass
        except Exception as e:  # the test's thread raises it
            self.errors.append(e)

    def refuse(self):
        """No more connections; those that are go on."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.accepting.join(PATIENCE)

    def close(self):
        self.refuse()
        for s in self.sockets:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
        for t in self.threads:
            t.join(PATIENCE)
        if self.errors:
            raise self.errors[0]


def until_gone(peer):
    """Reads on until the other side closes."""
    peer.wait((), seconds=2 * PATIENCE)


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


# ---- tests ----

class Case(unittest.TestCase):
    def server(self, **options):
        server, port, service = start_server(**options)
        self.addCleanup(lambda: server.stop(0).wait(PATIENCE))
        self.addCleanup(service.release.set)
        return server, port, service

    def scripted(self, script):
        server = Scripted(script)
        self.addCleanup(server.close)
        return server

    def proxy(self, *ports, listener=None, group=None, **config):
        """One h2c listener in front of one group of servers at these ports."""
        proxy = self.enterContext(Proxy(ALBATROSS, {
            "listeners": [{"name": "web", "bind": "127.0.0.1:0", "http2": True, "default_actions": [{"forward": "g"}], **(listener or {})}],
            "server_groups": [{"name": "g", "protocol": "grpc", "servers": [{"address": f"127.0.0.1:{p}"} for p in ports], **(group or {})}],
            **config}))
        self.addCleanup(lambda: self.assertIn(proxy.process.poll(), (None, 0), "albatross crashed"))
        return proxy

    def client(self, proxy, listener="web", certificate=None):
        client = Client(proxy.ports[listener], certificate)
        self.addCleanup(client.channel.close)
        return client

    def raw(self, proxy):
        sock = socket.create_connection(("127.0.0.1", proxy.ports["web"]), PATIENCE)
        self.addCleanup(sock.close)
        return Peer(sock, True)

    def trailers_only(self, peer, stream, code):
        """The answer is a head alone: 200, that grpc-status, a message."""
        head = peer.wait(h2.events.ResponseReceived, stream)
        fields = dict(head.headers)
        self.assertEqual((fields[":status"], fields["grpc-status"], fields["content-type"]), ("200", str(code), "application/grpc"))
        self.assertTrue(fields["grpc-message"])
        self.assertIsNotNone(head.stream_ended)
        return fields

    def logged(self, proxy, path, lines=1):
        """The access log's lines of that path, once there are so many."""
        find = lambda: [l for l in proxy.log() if l["request_uri"] == path]
        return wait_for(lambda: len(find()) >= lines and find(), f"{lines} log lines of {path}")


def each_way(test):
    @functools.wraps(test)
    def run(self):
        for name, client in self.clients.items():
            with self.subTest(name):
                test(self, client)
    return run


class Calls(Case):
    """Ordinary calls, over each way in and out: h2c or TLS on either side."""

    @classmethod
    def setUpClass(cls):
        cls.cert, key = make_certificate(cls.enterClassContext(tempfile.TemporaryDirectory()))
        with open(cls.cert, "rb") as c, open(key, "rb") as k:
            credentials = grpc.ssl_server_credentials([(k.read(), c.read())])
        cls.service = Service()
        plain, plain_port, _ = start_server(cls.service)
        secure, secure_port, _ = start_server(cls.service, credentials)
        for s in plain, secure:
            cls.addClassCleanup(lambda s=s: s.stop(0).wait(PATIENCE))
        certificates = {"protocol": "https", "certificates": [{"cert": cls.cert, "key": key}]}
        no = [{"name": "no", "priority": 1, "conditions": [{"path": {"prefix": "/no.Service"}}],
               "actions": [{"fixed_response": {"code": 404, "body": "no such service\n"}}]}]
        listener = lambda name, to, **more: {"name": name, "bind": "127.0.0.1:0", "http2": True, "rules": no,
                                             "default_actions": [{"forward": to}], **more}
        cls.p = cls.enterClassContext(Proxy(ALBATROSS, {
            "listeners": [listener("h2c-grpc", "grpc"), listener("tls-grpc", "grpc", **certificates),
                          listener("h2c-grpcs", "grpcs"), listener("tls-grpcs", "grpcs", **certificates)],
            "server_groups": [
                {"name": "grpc", "protocol": "grpc", "servers": [{"address": f"127.0.0.1:{plain_port}"}]},
                {"name": "grpcs", "protocol": "grpcs", "servers": [{"address": f"127.0.0.1:{secure_port}"}],
                 "tls": {"ca": cls.cert, "server_name": "localhost"}}]}))
        cls.clients = {}
        for name in cls.p.ports:
            cls.clients[name] = Client(cls.p.ports[name], cls.cert if name.startswith("tls") else None)
            cls.addClassCleanup(cls.clients[name].channel.close)

    def tearDown(self):
        self.assertTrue(self.p.alive(), "albatross crashed")

    @each_way
    def test_shapes(self, c):
        self.assertEqual(c.unary_unary("Echo")(b"hello", timeout=PATIENCE), b"hello")
        self.assertEqual(c.stream_unary("Join")(iter([b"a", b"b", b"c"]), timeout=PATIENCE), b"a,b,c")
        self.assertEqual(list(c.unary_stream("Repeat")(b"[5, 3]", timeout=PATIENCE)), [bytes([i]) * 3 for i in range(5)])

    @each_way
    def test_ping_pong(self, c):
        """Each message must come back before the next one goes."""
        back = threading.Semaphore(1)

        def pings():
            for i in range(20):
                self.assertTrue(back.acquire(timeout=PATIENCE))
                yield b"%d" % i
        got = []
        for pong in c.stream_stream("PingPong")(pings(), timeout=PATIENCE):
            got.append(pong)
            back.release()
        self.assertEqual(got, [b"pong %d" % i for i in range(20)])

    @each_way
    def test_empty_messages(self, c):
        self.assertEqual(c.unary_unary("Echo")(b"", timeout=PATIENCE), b"")
        self.assertEqual(c.stream_unary("Join")(iter([]), timeout=PATIENCE), b"")
        self.assertEqual(c.stream_unary("Join")(iter([b"", b""]), timeout=PATIENCE), b",")
        self.assertEqual(list(c.unary_stream("Repeat")(b"[0, 0]", timeout=PATIENCE)), [])
        self.assertEqual(list(c.unary_stream("Repeat")(b"[3, 0]", timeout=PATIENCE)), [b""] * 3)
        self.assertEqual(list(c.stream_stream("PingPong")(iter([]), timeout=PATIENCE)), [])

    @each_way
    def test_metadata(self, c):
        sent = [("m-text", "some text; with, marks"), ("m-again", "1"), ("m-again", "2"), ("m-again", "3"), ("m-data-bin", bytes(range(256))),
                ("m-none-bin", b""), ("m-two-bin", b"\0"), ("m-two-bin", b"\xff\xfe")]
        only = lambda metadata, prefix: sorted((k, v) for k, v in metadata if k.startswith(prefix))
        answer, call = c.unary_unary("Echo").with_call(b"x", metadata=sent, timeout=PATIENCE)
        self.assertEqual(only(call.initial_metadata(), "m-"), sorted(sent))
        self.assertEqual([v for k, v in call.initial_metadata() if k == "m-again"], ["1", "2", "3"])
        self.assertEqual(only(call.trailing_metadata(), "t-m-"), sorted(("t-" + k, v) for k, v in sent))

    @each_way
    def test_errors(self, c):
        """Trailers-only, and after a message; a message in other letters is percent-encoded on the wire."""
        why = "schlägt fehl: 失敗 100% \N{COLLISION SYMBOL}\nnext line"
        call = lambda: c.unary_unary("Fail")(why.encode(), timeout=PATIENCE)
        self.assertEqual(failure(call), (Code.FAILED_PRECONDITION, why))
        with self.assertRaises(grpc.RpcError) as e:
            call()
        self.assertIn(("m-why", "because"), [tuple(m) for m in e.exception.trailing_metadata()])
        stream = c.unary_stream("FailLater")(why.encode(), timeout=PATIENCE)
        self.assertEqual(next(stream), b"one")
        self.assertEqual(failure(stream), (Code.DATA_LOSS, why))
        self.assertEqual(failure(lambda: c.unary_unary("None")(b"", timeout=PATIENCE))[0], Code.UNIMPLEMENTED)

    @each_way
    def test_large_messages(self, c):
        big = os.urandom(MIB) * 8
        self.assertTrue(c.unary_unary("Echo")(big, timeout=2 * PATIENCE) == big)

    @each_way
    def test_own_response(self, c):
        """What a rule answers itself is passed as it is; a gRPC client makes UNIMPLEMENTED of 404."""
        self.assertEqual(failure(lambda: c.unary_unary("Echo", "no.Service")(b"", timeout=PATIENCE))[0], Code.UNIMPLEMENTED)

    def test_log(self):
        c = self.clients["h2c-grpc"]
        failure(lambda: c.unary_unary("Fail")(b"x", timeout=PATIENCE))
        failure(lambda: list(c.unary_stream("FailLater")(b"x", timeout=PATIENCE)))
        c.unary_unary("Nap")(b"", timeout=PATIENCE)
        for path, code in ("Fail", 9), ("FailLater", 15), ("Nap", 0):
            line = self.logged(self.p, f"/test.Service/{path}")[-1]
            self.assertEqual((line["grpc_status"], line["status"], line["request_method"]), (code, 200, "POST"), line)

    def test_metric(self):
        for _ in range(3):
            failure(lambda: self.clients["h2c-grpc"].unary_unary("Fail")(b"x", timeout=PATIENCE))
        name = "albatross_grpc_responses_total"
        if name not in self.p.get_admin("/metrics"):  # of groups that had calls, and this one had
            self.skipTest(f"{name} is not in /metrics")
        wait_for(lambda: self.p.metric(name, server_group="grpc", grpc_status="9") >= 3, name)


class Flow(Case):
    def test_many_calls_on_few_connections(self):
        _, port, service = self.server()
        proxy = self.proxy(port)
        c = self.client(proxy)
        calls = [c.unary_unary("Meet").future(b"%d" % i, timeout=PATIENCE) for i in range(100)]
        wait_for(lambda: service.running == 100, "100 calls at once")
        service.release.set()
        self.assertEqual([call.result() for call in calls], [b"%d" % i for i in range(100)])
        self.assertLessEqual(proxy.metric("albatross_upstream_connects_total", server_group="g"), 2)

    def test_upload_while_connecting(self):
        """What comes before the server's connection is there is kept for it, all of it."""
        _, port, _ = self.server()
        c = self.client(self.proxy(port, group={"keep_alive": {"pool": 0}}))  # each call has a connection of its own
        for size in 0, 1, 65_000, 131_072, 200_000, MIB:
            with self.subTest(size):
                message = os.urandom(size)
                self.assertTrue(c.unary_unary("Echo")(message, timeout=PATIENCE) == message)

    def warm_rss(self, proxy, client):
        """With what is allocated once."""
        for size in 0, MIB:
            client.unary_unary("Echo")(bytes(size), timeout=PATIENCE)
        return proxy.rss()

    def steady(self, value):
        """Waits until value() has not changed for a while: everything that can flow has."""
        state = [value(), time.monotonic()]

        def still():
            if value() != state[0]:
                state[:] = [value(), time.monotonic()]
            return time.monotonic() - state[1] > 0.4
        wait_for(still, "the flow to stop")
        return state[0]

    def test_slow_client(self):
        """Clients that open no window: the server is held back, and the proxy keeps little."""
        _, port, service = self.server()
        proxy = self.proxy(port)
        before = self.warm_rss(proxy, self.client(proxy))
        peers = [self.raw(proxy) for _ in range(4)]
        streams = []
        for p in peers:
            p.credit = False
            streams.append(p.request("/test.Service/Repeat", message=b"[200, 262144]"))
        self.steady(lambda: service.progress)
        self.assertLess(service.progress, 4 * 100)
        self.assertLess(proxy.rss() - before, proxy.memory(4 * MIB))
        # And when the window opens, all of it comes.
        p, s = peers[0], streams[0]
        p.credit = True
        size = 0
        p.conn.increment_flow_control_window(MIB)
        p.conn.increment_flow_control_window(MIB, s)
        p.flush()
        while size < 200 * (262144 + 5):
            size += len(p.wait(h2.events.DataReceived, s).data)
        trailers = dict(p.wait(h2.events.TrailersReceived, s).headers)
        self.assertEqual((size, trailers["grpc-status"]), (200 * (262144 + 5), "0"))

    def test_slow_server(self):
        """A server that takes nothing: the client is held back."""
        _, port, service = self.server()
        proxy = self.proxy(port)
        c = self.client(proxy)
        before = self.warm_rss(proxy, c)
        made = [0]

        def messages():
            for _ in range(200):
                made[0] += 1
                yield bytes(262144)
        calls = [c.stream_unary("Sink").future(messages(), timeout=4 * PATIENCE) for _ in range(4)]
        self.steady(lambda: made[0])
        self.assertLess(made[0], 4 * 100)
        self.assertLess(proxy.rss() - before, proxy.memory(4 * MIB))
        # The connection is shared, and a blocked stream holds up nobody else.
        self.assertEqual(c.unary_unary("Echo")(b"meanwhile", timeout=PATIENCE), b"meanwhile")
        service.release.set()
        for call in calls:
            self.assertEqual(call.result(4 * PATIENCE), str(200 * 262144).encode())


class Time(Case):
    def test_deadline(self):
        """The server learns how long the client waits, and that it has left."""
        _, port, service = self.server()
        proxy = self.proxy(port)
        c = self.client(proxy)
        for given, ends in (0.3, True), (5.0, False), (3600.0, False):
            with self.subTest(given):
                name = str(given).encode()
                call = c.unary_unary("Hang").future(name, timeout=given)
                left, ended = wait_for(lambda: service.seen.get(name), "the call")
                self.assertTrue(0 < left <= given * 1.01, left)  # grpcio itself rounds up
                self.assertGreater(left, given - 1)
                if ends:
                    self.assertEqual(failure(call.result)[0], Code.DEADLINE_EXCEEDED)
                else:
                    call.cancel()
                self.assertTrue(ended.wait(2))
        self.logged(proxy, "/test.Service/Hang", 3)

    def test_deadline_on_the_wire(self):
        """What the server is told is what is left, never more."""
        seen = []

        def script(peer, _):
            while True:
                request = peer.wait(h2.events.RequestReceived)
                seen.append(dict(request.headers).get("grpc-timeout"))
                peer.whole(request.stream_id)
        peer = self.raw(self.proxy(self.scripted(script).port))
        units = {"H": 3600, "M": 60, "S": 1, "m": 1e-3, "u": 1e-6, "n": 1e-9}
        value = lambda t: int(t[:-1]) * units[t[-1]]
        for given in "5S", "90M", "2H", "99999999H", "700m", "900000u", "99999999n", "99999999m", None:
            with self.subTest(given):
                peer.wait(h2.events.StreamEnded, peer.request("/s/m", *([("grpc-timeout", given)] if given else [])))
                if given is None:
                    self.assertIsNone(seen[-1])
                    continue
                self.assertRegex(seen[-1], r"^[0-9]{1,8}[HMSmun]$")
                most = min(value(given), 1e9 * 3600)
                self.assertLessEqual(value(seen[-1]), most)
                self.assertGreater(value(seen[-1]), 0)
                if most < 1e6:
                    self.assertGreater(value(seen[-1]), most - 0.5 if most > 0.6 else 0)

    def test_no_deadline(self):
        _, port, service = self.server()
        call = self.client(self.proxy(port)).unary_unary("Hang").future(b"x")
        left, _ = wait_for(lambda: service.seen.get(b"x"), "the call")
        self.assertTrue(left is None or left > 1e6, left)
        call.cancel()

    def test_deadline_of_a_silent_client(self):
        """A client that does not end the call itself is answered by the proxy, which lets go of the server."""
        reset = threading.Event()

        def script(peer, _):
            stream = peer.wait(h2.events.RequestReceived).stream_id
            peer.wait(h2.events.StreamReset, stream)
            reset.set()
            until_gone(peer)
        proxy = self.proxy(self.scripted(script).port)
        peer = self.raw(proxy)
        began = time.monotonic()
        stream = peer.request("/s/m", ("grpc-timeout", "200m"))
        self.trailers_only(peer, stream, 4)
        self.assertTrue(0.19 <= time.monotonic() - began < 1.0)
        self.assertTrue(reset.wait(1))
        line = self.logged(proxy, "/s/m")[0]
        self.assertEqual((line["grpc_status"], line["termination"], line["status"]), (4, "total_timeout", 200))

    def test_deadline_in_a_stream(self):
        """The head has gone: the status comes in trailers."""
        _, port, service = self.server()
        peer = self.raw(self.proxy(port))
        stream = peer.request("/test.Service/Tick", ("grpc-timeout", "300m"), message=b"t")
        self.assertEqual(dict(peer.wait(h2.events.ResponseReceived, stream).headers)[":status"], "200")
        self.assertEqual(dict(peer.wait(h2.events.TrailersReceived, stream).headers)["grpc-status"], "4")
        self.assertTrue(service.seen[b"t"][1].wait(2))

    def test_cancel(self):
        """A client's cancel is the server's, before and after the head."""
        _, port, service = self.server()
        c = self.client(self.proxy(port))
        for shape, method, argument in (("unary_unary", "Hang", b"1"), ("unary_stream", "Tick", b"2")):
            with self.subTest(method):
                call = getattr(c, shape)(method)
                call = call.future(argument) if shape == "unary_unary" else call(argument)
                if shape == "unary_stream":
                    self.assertEqual(next(call), b"tick")
                ended = wait_for(lambda: service.seen.get(argument), "the call")[1]
                call.cancel()
                self.assertTrue(ended.wait(1))

    def test_quiet_stream(self):
        """Timers of bodies are not for gRPC: a stream may be silent for longer. The response's gap is for it."""
        _, port, _ = self.server()
        for response, lives in ("3s", True), ("1s", False):
            with self.subTest(response=response):
                c = self.client(self.proxy(port, listener={"timeouts": {"request_body": "1s", "response": response}}))
                pings = [b"1", b"2"] if lives else [b"1"]
                go = threading.Semaphore(1)

                def requests():
                    for p in pings:
                        go.acquire(timeout=PATIENCE)
                        yield p
                    go.acquire(timeout=PATIENCE)
                stream = c.stream_stream("PingPong")(requests(), timeout=PATIENCE)
                self.assertEqual(next(stream), b"pong 1")
                if lives:
                    time.sleep(1.5)  # the silence is what is tested
                    go.release()
                    self.assertEqual(next(stream), b"pong 2")
                    time.sleep(1.5)
                    go.release()
                    self.assertEqual(list(stream), [])
                    self.assertEqual(stream.code(), Code.OK)
                else:
                    began = time.monotonic()
                    self.assertEqual(failure(stream)[0], Code.DEADLINE_EXCEEDED)
                    self.assertTrue(0.8 < time.monotonic() - began < 2)
                    go.release()

    def test_long_upload(self):
        """`response` counts from the request's last byte to the head: a client that still speaks is not cut."""
        _, port, _ = self.server()
        c = self.client(self.proxy(port, listener={"timeouts": {"response": "1s"}}))

        def messages():
            for _ in range(6):
                yield b"x"
                time.sleep(0.3)  # slowness is what is tested
        self.assertEqual(c.stream_unary("Join")(messages(), timeout=PATIENCE), b",".join([b"x"] * 6))


class Faults(Case):
    def test_wire_is_untouched(self):
        """Fields that are gRPC's own pass as they are, both ways; a head alone stays one."""
        seen = []

        def script(peer, _):
            while True:
                request = peer.wait(h2.events.RequestReceived)
                seen.append(request.headers)
                peer.wait(h2.events.StreamEnded, request.stream_id)
                fields = [("grpc-message", "%E5%A4%B1%E6%95%97 100%25"), ("x-bin", "AAEC,/w=="), ("grpc-status-details-bin", "CAUSAA")]
                if dict(request.headers)[":path"] == "/s/alone":
                    peer.answer(request.stream_id, ("grpc-status", "5"), *fields, end=True)
                else:
                    peer.answer(request.stream_id, ("grpc-encoding", "identity"), ("grpc-accept-encoding", "gzip,identity"))
                    peer.data(request.stream_id, b"message")
                    peer.status(request.stream_id, 5, *fields)
                peer.flush()
        peer = self.raw(self.proxy(self.scripted(script).port))
        sent = [("grpc-encoding", "identity"), ("grpc-accept-encoding", "gzip"), ("user-agent", "grpc-test/1"), ("x-bin", "AAEC,/w=="),
                ("x-bin", "Zm9v"), ("grpc-tags-bin", "AAA"), ("grpc-message-type", "a.B")]
        for path in "/s/alone", "/s/whole":
            with self.subTest(path):
                stream = peer.request(path, *sent)
                head = peer.wait(h2.events.ResponseReceived, stream)
                last = head.headers
                if path == "/s/alone":
                    self.assertIsNotNone(head.stream_ended)
                else:
                    self.assertEqual(dict(head.headers)["grpc-accept-encoding"], "gzip,identity")
                    self.assertEqual(peer.wait(h2.events.DataReceived, stream).data, frame(b"message"))
                    last = peer.wait(h2.events.TrailersReceived, stream).headers
                for field in (("grpc-status", "5"), ("grpc-message", "%E5%A4%B1%E6%95%97 100%25"), ("x-bin", "AAEC,/w=="),
                              ("grpc-status-details-bin", "CAUSAA")):
                    self.assertIn(field, last)
                for field in [*sent, ("te", "trailers"), ("content-type", "application/grpc"), (":method", "POST"), (":path", path)]:
                    self.assertIn(field, seen[-1])
                self.assertEqual([v for k, v in seen[-1] if k == "x-bin"], ["AAEC,/w==", "Zm9v"])

    def test_no_server(self):
        proxy = self.proxy(closed_port())
        peer = self.raw(proxy)
        for end in True, False:
            self.trailers_only(peer, peer.request("/s/m", end=end), 14)
        self.assertEqual(failure(lambda: self.client(proxy).unary_unary("Echo")(b"", timeout=PATIENCE))[0], Code.UNAVAILABLE)
        for line in self.logged(proxy, "/s/m", 2):
            self.assertEqual((line["grpc_status"], line["status"], line["termination"]), (14, 200, "connect_refused"))

    def test_server_dies(self):
        """However a server goes, the client gets a status, and never OK."""
        def rst(peer):
            peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        def begin(peer, stream):
            peer.answer(stream)
            peer.data(stream, b"one")

        def half_frame(peer, stream):
            peer.answer(stream)
            peer.conn.send_data(stream, frame(b"message")[:7])

        table = {  # what it does before it closes, what the client may see
            "closed before the head": (lambda p, s: None, {Code.UNAVAILABLE}),
            "reset before the head": (lambda p, s: rst(p), {Code.UNAVAILABLE}),
            "stream reset before the head": (lambda p, s: p.conn.reset_stream(s, 2), {Code.UNAVAILABLE, Code.INTERNAL}),
            "closed after the head": (lambda p, s: p.answer(s), {Code.UNAVAILABLE, Code.INTERNAL}),
            "closed after a message": (begin, {Code.UNAVAILABLE, Code.INTERNAL}),
            "closed in a message": (half_frame, {Code.UNAVAILABLE, Code.INTERNAL}),
            "reset after a message": (lambda p, s: (begin(p, s), p.flush(), rst(p)), {Code.UNAVAILABLE, Code.INTERNAL}),
            "stream reset after a message": (lambda p, s: (begin(p, s), p.conn.reset_stream(s, 2)), {Code.UNAVAILABLE, Code.INTERNAL}),
            "stream cancelled after a message": (lambda p, s: (begin(p, s), p.conn.reset_stream(s, 8)),
                                                 {Code.UNAVAILABLE, Code.INTERNAL, Code.CANCELLED}),
            "ended without a status": (lambda p, s: (begin(p, s), p.conn.end_stream(s)), {Code.UNKNOWN, Code.INTERNAL}),
        }

        def script(peer, _):
            request = peer.wait(h2.events.RequestReceived)
            name = dict(request.headers)["m-case"]
            peer.wait(h2.events.StreamEnded, request.stream_id)
            table[name][0](peer, request.stream_id)
            peer.flush()
            if name == "ended without a status":
                until_gone(peer)
        c = self.client(self.proxy(self.scripted(script).port, group={"keep_alive": {"pool": 0}}))  # each call has a connection of its own
        for name, (_, codes) in table.items():
            with self.subTest(name):
                self.assertIn(failure(c.unary_stream("Any")(b"x", metadata=[("m-case", name)], timeout=PATIENCE))[0], codes)

    def test_early_status(self):
        """A server may end a call while the client still sends, and then reset it without an error: the status counts."""
        def script(peer, _):
            while True:
                stream = peer.wait(h2.events.DataReceived).stream_id
                peer.answer(stream)
                peer.status(stream, 8, ("grpc-message", "enough"))
                peer.conn.reset_stream(stream, 0)
                peer.flush()
                peer.events = [e for e in peer.events if getattr(e, "stream_id", stream) != stream]
        proxy = self.proxy(self.scripted(script).port)
        c = self.client(proxy)
        for i in range(5):
            stop = threading.Event()

            def messages():
                while not stop.is_set():
                    yield bytes(16384)
            try:
                self.assertEqual(failure(lambda: c.stream_unary("Any")(messages(), timeout=PATIENCE)), (Code.RESOURCE_EXHAUSTED, "enough"))
            finally:
                stop.set()

    def test_early_trailers_only(self):
        """The same with a head alone, which the client reads before it is told to stop."""
        def script(peer, _):
            stream = peer.wait(h2.events.DataReceived).stream_id
            peer.answer(stream, ("grpc-status", "7"), ("grpc-message", "no"), end=True)
            peer.conn.reset_stream(stream, 0)
            peer.flush()
            until_gone(peer)
        peer = self.raw(self.proxy(self.scripted(script).port))
        stream = peer.request("/s/m", end=False)
        self.assertEqual(self.trailers_only(peer, stream, 7)["grpc-message"], "no")


class Leaving(Case):
    def test_goaway_moves_what_was_not_begun(self):
        """Calls above a GOAWAY's last stream, and refused ones, go to another server; the others finish where they are."""
        def goaway(peer, late):
            peer.sock.sendall(hyperframe.frame.GoAwayFrame(0, last_stream_id=late[0] - 2).serialize())

        def refuse(peer, late):
            for stream in late:
                peer.conn.reset_stream(stream, 7)

        def other(peer, _):
            while True:
                peer.whole(peer.wait(h2.events.DataReceived).stream_id, b"other")
        for shape, how in ("unary_unary", goaway), ("stream_unary", goaway), ("unary_unary", refuse):
            def leaving(peer, _):
                streams = sorted(peer.wait(h2.events.DataReceived).stream_id for _ in range(4))
                how(peer, streams[2:])
                for stream in streams[:2]:
                    peer.whole(stream, b"leaving")
                until_gone(peer)
            with self.subTest(shape=shape, how=how.__name__):
                c = self.client(self.proxy(self.scripted(leaving).port, self.scripted(other).port))
                answered = threading.Event()
                self.addCleanup(answered.set)

                def messages():
                    yield b"x"
                    answered.wait(PATIENCE)
                calls = [getattr(c, shape)("Any").future(b"x" if shape == "unary_unary" else messages(), timeout=PATIENCE) for _ in range(8)]
                got = [f"{call.code().name}: {call.details()}" if call.exception(PATIENCE) else call.result().decode() for call in calls]
                self.assertEqual(sorted(got), ["leaving"] * 2 + ["other"] * 6)
                answered.set()

    def load(self, client, calls, method, when=100, then=lambda: None):
        """That many calls by eight threads, with something done meanwhile. The errors."""
        left, done, failed = iter(range(calls)), [], []

        def work():
            for _ in left:
                try:
                    # Longer than the grace of a server that stops: what it has lost it cancels then.
                    done.append(client.unary_unary(method)(b"x", timeout=2 * PATIENCE))
                except grpc.RpcError as e:
                    failed.append((e.code(), e.details()))
        with ThreadPoolExecutor(8) as pool:
            results = [pool.submit(work) for _ in range(8)]
            wait_for(lambda: len(done) + len(failed) >= when, "the first calls")
            result = then()
            for r in results:
                r.result(3 * PATIENCE)
        self.assertEqual(len(done) + len(failed), calls)
        return failed, result

    def test_server_stops(self):
        """One of two servers stops as grpcio does, under load: no call fails."""
        (one, port_one, _), (_, port_two, _) = self.server(), self.server()
        proxy = self.proxy(port_one, port_two, group={"health_check": {"protocol": "tcp", "interval": "100ms", "unhealthy_threshold": 1}})
        failed, stopped = self.load(self.client(proxy), 500, "Nap", then=lambda: one.stop(grace=PATIENCE))
        self.assertTrue(stopped.wait(2 * PATIENCE), "the server did not get rid of its calls")
        # What reaches grpcio between its stop and its GOAWAY it cancels itself, also without a proxy.
        by_server = [l for l in proxy.log(500) if l.get("grpc_status") == 1 and "termination" not in l]
        self.assertLess(len(by_server), 8)
        self.assertEqual(failed, [(Code.CANCELLED, "CANCELLED")] * len(by_server))

    def test_server_is_gone(self):
        """A call whose connect was refused is tried on the other server, always, and also before a probe says so."""
        _, port, _ = self.server()
        failed, _ = self.load(self.client(self.proxy(closed_port(), port)), 100, "Echo", when=1)
        self.assertEqual(failed[:1], [], f"{len(failed)} calls failed")

    def test_drain(self):
        """At SIGTERM calls in flight finish; a stream that does not is ended with a status before the deadline."""
        _, port, service = self.server()
        proxy = self.proxy(port, shutdown={"drain": "1s"})
        c = self.client(proxy)
        stream = c.unary_stream("Tick")(b"t", timeout=PATIENCE)
        self.assertEqual(next(stream), b"tick")
        calls = [c.unary_unary("Meet").future(b"%d" % i, timeout=PATIENCE) for i in range(10)]
        wait_for(lambda: service.running == 10, "10 calls")
        began = time.monotonic()
        proxy.process.send_signal(signal.SIGTERM)
        wait_for(lambda: "draining" in proxy.output(), "the drain")
        service.release.set()
        self.assertEqual([call.result() for call in calls], [b"%d" % i for i in range(10)])
        code, details = failure(stream)
        took = time.monotonic() - began
        # albatross's own status: of a connection that only closes grpcio makes UNAVAILABLE too.
        self.assertEqual((code, details), (Code.UNAVAILABLE, "draining: ask again, elsewhere"))
        self.assertTrue(0.4 < took < 2, took)
        self.assertEqual(proxy.process.wait(PATIENCE), 0)
        self.assertTrue(service.seen[b"t"][1].wait(2))
        line = self.logged(proxy, "/test.Service/Tick")[0]
        self.assertEqual((line["grpc_status"], line["termination"]), (14, "drain_cut"))


ALBATROSS = albatross_path()
if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
