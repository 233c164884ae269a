#!/usr/bin/env python3
"""Clients that abuse HTTP/2: what a frame or a field may not be, floods, windows that stay closed, requests that a server of
HTTP/1.1 would read as two. Over TCP (prior knowledge) and over TLS.

    ALBATROSS=path/to/albatross h2_abuse_test.py
Skipped (77) without python3-hyperframe and python3-hpack.
"""
import json
import socket
import struct
import sys
import tempfile
import time
import unittest

try:
    from hyperframe.frame import DataFrame, HeadersFrame, PingFrame, PriorityFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame
    import raw_h2
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)
from proxy import PATIENCE, Proxy, albatross_path, make_certificate, wait_for
from raw_h2 import (CALM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, MAX_WINDOW, PROTOCOL_ERROR, REFUSED_STREAM, STREAM_CLOSED, body,
                    fields_of, frame, loose)

MiB = 1 << 20
MAX_STREAMS = 128
INITIAL_WINDOW = SettingsFrame.INITIAL_WINDOW_SIZE
ALBATROSS = albatross_path()
P = UP = H2UP = CONFIG = None


def setUpModule():
    global UP, H2UP, CONFIG
    UP, H2UP = raw_h2.Upstream(), raw_h2.H2Upstream()
    unittest.addModuleCleanup(UP.stop)
    unittest.addModuleCleanup(H2UP.stop)
    folder = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(folder.cleanup)
    cert, key = make_certificate(folder.name)
    kinds = {"main": {}, "inner": {}, "send": {"send": "500ms"}, "head": {"idle": "60s", "request_head": "300ms"},
             "idle": {"idle": "1s", "request_head": "300ms"}}
    listeners = []
    for kind, timeouts in kinds.items():
        common = {"bind": "127.0.0.1:0", "http2": True, "timeouts": timeouts,
                  "default_actions": [{"forward": "h2" if kind == "inner" else "h1"}]}
        listeners.append({"name": f"{kind}-h2c", "protocol": "http", **common})
        listeners.append({"name": f"{kind}-tls", "protocol": "https", "certificates": [{"cert": cert, "key": key}], **common})
    groups = [{"name": "h1", "servers": [{"address": f"127.0.0.1:{UP.port}"}]},
              {"name": "h2", "protocol": "h2c", "servers": [{"address": f"127.0.0.1:{H2UP.port}"}]}]
    CONFIG = {"listeners": listeners, "server_groups": groups}
    start_proxy()


def start_proxy():
    global P
    P = unittest.enterModuleContext(Proxy(ALBATROSS, dict(CONFIG)))
    for tls in (False, True):  # what is allocated once is not growth
        with connect(tls) as c, connect(tls, "inner") as d:
            assert c.ask().status == d.ask().status == 200


def connect(tls=False, kind="main", **options):
    return raw_h2.Client(P.ports[f"{kind}-{'tls' if tls else 'h2c'}"], tls, **options)


def both(test):
    """Over TCP and over TLS."""
    def run(self):
        for tls in (False, True):
            with self.subTest(wire="tls" if tls else "h2c"):
                test(self, tls)
    run.__doc__ = test.__doc__
    return run


class Abuse(unittest.TestCase):
    def setUp(self):
        UP.gate = False

    def tearDown(self):
        if not P.alive():
            out = P.output()
            start_proxy()  # the tests after this one speak for themselves
            self.fail(f"albatross has died:\n{out[-8000:]}")
        wait_for(lambda: UP.live == 0 and H2UP.live == 0, f"servers to be let go, {UP.live} and {H2UP.live} are busy")
        with connect() as c:
            self.assertEqual(c.ask().status, 200)

    def pour(self, c, make, count, chunk=500, deaf=False):
        """Sends make(i), i below count, until the peer closes or takes no more; how many were written."""
        for start in range(0, count, chunk):
            c.send(b"".join(make(i) for i in range(start, min(count, start + chunk))))
            if not c.flush(deaf=deaf) or c.closed:
                return start
        return count

    def broken(self, c, *codes):
        """The connection ends, with a GOAWAY of one of the codes."""
        self.assertTrue(c.wait_closed(), f"still open, {c.goaways}")
        self.assertIn(c.error, codes, c.goaways)

    def assert_logged(self, c, termination):
        """A line of this client's connection says why it, or one of its streams, was broken."""
        def found():
            with open(P.log_path) as f:
                lines = [json.loads(l) for l in f if l.endswith("\n")]  # the last one may be half written
            return any(l["client_port"] == c.port and l.get("termination") == termination for l in lines)
        wait_for(found, f"a log line with {termination}")

    # ---- floods (the numbers are rows of the table of incidents) ----

    @both
    def test_01_rapid_reset(self, tls):
        start = len(UP.heads)
        block, reset = loose(fields_of("/hang")), struct.pack(">I", 8)

        def pair(i):
            return frame(1, block, 2 * i + 1, 5) + frame(3, reset, 2 * i + 1)
        with P.grows_less_than(32), connect(tls) as c, connect(tls) as other:
            for first in range(0, 100_000, 5000):
                self.pour(c, lambda i: pair(first + i), 5000, 100)
                self.assertEqual(other.ask(seconds=2).status, 200)
                if c.closed:
                    break
            self.broken(c, CALM)
            self.assertLess(c.goaways[-1].last_stream_id // 2, 2000)
            self.assertLess(UP.paths(start).count("/hang"), 1100)
            self.assert_logged(c, "flood")

    def test_02_made_you_reset(self):
        provoke = {
            "WINDOW_UPDATE of 0": lambda s: frame(8, bytes(4), s),
            "WINDOW_UPDATE beyond 2^31": lambda s: frame(8, struct.pack(">I", MAX_WINDOW), s),
            "PRIORITY of four bytes": lambda s: frame(2, bytes(4), s),
            "a stream that depends on itself": lambda s: frame(2, struct.pack(">IB", s, 0), s),
            "DATA after END_STREAM": lambda s: frame(0, b"x", s),
            "HEADERS after END_STREAM": lambda s: frame(1, loose([("x", "y")]), s, 5),
            "DATA beyond content-length": lambda s: frame(0, b"0123456789", s),
            "trailers without END_STREAM": lambda s: frame(1, loose([("x", "y")]), s, 4),
            "a pseudo-field in trailers": lambda s: frame(1, loose([(":path", "/")]), s, 5),
        }
        whole, open_end = loose(fields_of("/hang")), loose(fields_of("/hang", "POST", ("content-length", "5")))
        uploads = ("DATA beyond content-length", "trailers without END_STREAM", "a pseudo-field in trailers")
        for tls in (False, True):
            for name, make in provoke.items():
                with self.subTest(name, tls=tls), P.grows_less_than(32), connect(tls) as c:
                    UP.peak, batch = 0, 25
                    upload = name in uploads
                    for first in range(0, 1000, batch):
                        seen, ids = len(UP.heads), [2 * (first + k) + 1 for k in range(batch)]
                        c.send(*[frame(1, open_end if upload else whole, s, 4 if upload else 5) for s in ids])
                        c.run(lambda: len(UP.heads) >= seen + batch, 2)  # the work has really begun
                        c.send(*[make(s) for s in ids])
                        if not c.flush() or c.closed:
                            break
                    self.assertTrue(c.wait_closed())
                    self.assertIsNotNone(c.error)
                    self.assertLess(c.goaways[-1].last_stream_id // 2, 200)
                    self.assertLessEqual(UP.peak, 100)
                    wait_for(lambda: UP.live == 0, "servers to be let go")

    def test_03_continuation_flood(self):
        pieces = {"empty": b"", "one byte": b"\x82", "a field": loose([("x", "y")]), "large": loose([("x", "y" * 4000)]),
                  "a literal that never ends": b"\x00\x7f\xff\xff\x7f" + b"a" * 1000}
        for tls in (False, True):
            for name, piece in pieces.items():
                with self.subTest(name, tls=tls), P.grows_less_than(32), connect(tls) as c:
                    c.settle().send(HeadersFrame(1, loose(fields_of("/smuggled"))))
                    made = frame(9, piece, 1) * 100
                    for _ in range(1000):
                        c.send(made)
                        if c.flush() and c.run(lambda: c.closed, 0.2):
                            break
                    self.assertTrue(c.wait_closed())
                    self.assertIn(c.error, (None, PROTOCOL_ERROR, CALM, FRAME_SIZE_ERROR, 9))
        self.assertNotIn("/smuggled", UP.paths())

    FLOODS = {  # name: (a frame, must it end the connection); stream 1 is open, 3 is over
        "PING": (PingFrame(0, b"01234567").serialize(), True),
        "PING ACK": (PingFrame(0, b"01234567", flags=["ACK"]).serialize(), True),
        "SETTINGS": (SettingsFrame(0).serialize(), True),
        "SETTINGS with entries": (SettingsFrame(0, settings={1: 0, 4: 65535}).serialize(), True),
        "PRIORITY": (PriorityFrame(1, depends_on=0).serialize(), True),
        "PRIORITY of an idle stream": (PriorityFrame(99, depends_on=0).serialize(), True),
        "empty DATA": (DataFrame(1).serialize(), True),
        "DATA of padding": (frame(0, b"\x05" + bytes(5), 1, 8), True),
        "an unknown frame": (frame(0xbb, b"x" * 8), False),
        "ALTSVC": (frame(0xa, struct.pack(">H", 0) + b"h2"), False),
        "PING between DATA": (PingFrame(0, b"01234567").serialize() + DataFrame(1, b"x").serialize(), False),
        "RST_STREAM of what is over": (RstStreamFrame(3, 8).serialize(), False),
        "WINDOW_UPDATE of the connection": (WindowUpdateFrame(0, 1).serialize(), False),
        "WINDOW_UPDATE of a stream": (WindowUpdateFrame(1, 1).serialize(), False),
    }

    def flood(self, name, tls, deaf):
        one, must_end = self.FLOODS[name]
        with P.grows_less_than(32), connect(tls) as c:
            if deaf:
                c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            c.post("/hang")
            self.assertEqual(c.ask().status, 200)
            self.pour(c, lambda i: one, 50_000, 1000, deaf)
            if must_end and not deaf:
                self.broken(c, CALM)
                self.assert_logged(c, "flood")
            elif not deaf:
                self.assertTrue(c.ask().status == 200 or c.error == CALM)
            with connect(tls) as other:
                self.assertEqual(other.ask(seconds=2).status, 200)

    def test_04_floods(self):
        for tls in (False, True):
            for name in self.FLOODS:
                with self.subTest(name, tls=tls):
                    self.flood(name, tls, False)

    def test_04_floods_by_a_client_that_reads_nothing(self):
        for tls in (False, True):
            for name in ("PING", "SETTINGS", "WINDOW_UPDATE of a stream"):
                with self.subTest(name, tls=tls):
                    self.flood(name, tls, True)

    @both
    def test_04_windows_of_one_byte(self, tls):
        with P.grows_less_than(32), connect(tls, settings={INITIAL_WINDOW: 0}) as c:
            s = c.get("/body/9/5000")
            self.pour(c, lambda i: WindowUpdateFrame(s, 1).serialize(), 5000)
            self.assertEqual(bytes(c.answer(s).data), body(9, 5000))

    @both
    def test_04_answers_that_nobody_reads(self, tls):
        """Every stream has a large answer and an endless window, and the client does not read."""
        with P.grows_less_than(32), connect(tls, settings={INITIAL_WINDOW: MAX_WINDOW}) as c, connect(tls) as other:
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            c.send(WindowUpdateFrame(0, MAX_WINDOW - 65535))
            for i in range(100):
                c.get(f"/body/0/{4 * MiB}")
            c.flush(deaf=True)
            c.run(seconds=0.7, deaf=True)  # as long as memory could grow
            self.assertEqual(other.ask(seconds=2).status, 200)

    def test_05_a_malformed_extension_after_a_connection_error(self):
        triggers = {"DATA on stream 0": frame(0, b"x"), "SETTINGS of five bytes": frame(4, bytes(5)),
                    "HEADERS of an even stream": frame(1, loose(fields_of()), 2, 5)}
        malformed = [frame(0xa, b"\x00"), frame(0xa, struct.pack(">H", 500) + b"x"), frame(0xa, b"", 1), frame(0x10, b"\0\0"),
                     frame(0x10, b""), frame(0x10, struct.pack(">I", 1) + b"u=1", 5), frame(0xc, b"\xff" * 9, 1)]
        for tls in (False, True):
            for name, trigger in triggers.items():
                for i, bad in enumerate(malformed):
                    with self.subTest(name, malformed=i, tls=tls), connect(tls) as c:
                        c.get("/hang")
                        c.send(trigger + bad * 3).flush()
                        self.assertTrue(c.wait_closed())
                        self.assertTrue(P.alive())

    # ---- heads that are too large ----

    @both
    def test_06_hpack_bombs(self, tls):
        start = len(UP.heads)
        bombs = {"a field": [("x", "a" * 4000)], "a cookie": [("cookie", "a" * 4000)]}
        bombs["cookie crumbs"] = [("cookie", "a=b")]
        for name, entry in bombs.items():
            # The entry is the newest of the dynamic table, and one byte names it: twice the limit of a head is refused.
            with self.subTest(name), P.grows_less_than(8), connect(tls) as c:
                for _ in range(20):
                    times = 2800 if name == "cookie crumbs" else 16
                    block = loose(fields_of("/smuggled")) + c.block(entry) + b"\xbe" * times
                    seen = c.answer(c.headers(block))
                    self.assertTrue(seen.status == 431 or seen.reset is not None, seen)
                self.assertEqual(c.ask().status, 200)
            # Far more than the limit ends the connection, before all of it has been decoded.
            with self.subTest(name, far_more=True), P.grows_less_than(8), connect(tls) as c:
                c.headers(loose(fields_of("/smuggled")) + c.block(entry) + b"\xbe" * 16000)
                self.broken(c, 11)
        self.assertNotIn("/smuggled", UP.paths(start))

    def test_06_many_large_blocks_do_not_hold_up_others(self):
        """100 streams at once, each of whose blocks decodes to almost four times the limit: another client's requests."""
        entry = [("x", "a" * 4000)]
        with connect(False) as bomber, connect(False) as other:
            other.ask()
            for i in range(100):
                bomber.headers(loose(fields_of("/smuggled")) + (bomber.block(entry) if i == 0 else b"") + b"\xbe" * 30)
            bomber.flush()
            slowest = 0
            for _ in range(20):
                began = time.monotonic()
                self.assertEqual(other.ask().status, 200)
                slowest = max(slowest, time.monotonic() - began)
        self.assertLess(slowest, 0.2)

    @both
    def test_06_head_limits(self, tls):
        start = len(UP.heads)
        cases = {"a field of 33 KiB": (fields_of("/no", "GET", ("x", "y" * 33 * 1024)), 431),
                 "40 fields of 1 KiB": (fields_of("/no", "GET", *[(f"x{i}", "y" * 1024) for i in range(40)]), 431),
                 "101 fields": (fields_of("/no", "GET", *[(f"x{i}", "y") for i in range(101)]), 431),
                 "a path of 17 KiB": (fields_of("/no" + "y" * 17 * 1024), 414),
                 "100 fields": (fields_of("/yes", "GET", *[(f"x{i}", "y") for i in range(100)]), 200),
                 "a path of 15 KiB": (fields_of("/yes" + "y" * 15 * 1024), 200)}
        for name, (fields, status) in cases.items():
            with self.subTest(name), connect(tls) as c:
                self.assertEqual(c.answer(c.headers(fields)).status, status)
                self.assertEqual(c.ask().status, 200)
        self.assertFalse([p for p in UP.paths(start) if p.startswith("/no")])

    @both
    def test_requests_that_must_be_refused_have_a_budget(self, tls):
        kinds = {"malformed": loose(fields_of("/no", "GET", ("Upper", "x"))),
                 "too large": loose(fields_of("/no" + "y" * 17 * 1024))}
        for name, block in kinds.items():
            with self.subTest(name), connect(tls) as c:
                pieces = [block[i:i + 16384] for i in range(0, len(block), 16384)]
                for i in range(1000):
                    s = 2 * i + 1
                    c.send(frame(1, pieces[0], s, 5 if len(pieces) == 1 else 1), *[frame(9, p, s, 4) for p in pieces[1:]])
                    if i % 20 == 0:  # one read may hold more than the budget is
                        c.run(lambda: c.streams[s].over)
                    if c.closed:
                        break
                self.broken(c, CALM)
                self.assertLess(c.goaways[-1].last_stream_id // 2, 250)

    # ---- streams ----

    @both
    def test_08_trailers_without_end_stream(self, tls):
        for kind in ("main", "inner"):
            with self.subTest(kind), connect(tls, kind) as c:
                path = "/gate" if kind == "main" else "/ok"
                UP.gate = False
                sibling = c.post(path)
                bad = c.post("/ok")
                c.data(bad, b"x")
                c.headers([("x", "y")], end=False, stream=bad)
                self.assertEqual(c.answer(bad).reset, PROTOCOL_ERROR)
                c.data(sibling, b"x", end=True)
                UP.open_gate()
                self.assertEqual(c.answer(sibling).status, 200)
                self.assertEqual(c.ask().status, 200)
                self.assertIsNone(c.error)

    @both
    def test_09_a_hundred_windows_that_toggle(self, tls):
        size, streams = 3000, range(1, 200, 2)
        with P.grows_less_than(32), connect(tls, settings={INITIAL_WINDOW: 1}) as c, connect(tls) as other:
            for s in streams:
                c.get(f"/body/{s}/{size}")
            for turn in range(40):
                # The window of what has been sent becomes negative, then opens by little.
                c.send(SettingsFrame(0, settings={INITIAL_WINDOW: turn % 3}),
                       *[WindowUpdateFrame(s, 1 + turn * 3) for s in streams if not c.streams[s].ended])
                c.flush()
                c.run(seconds=0)
                if turn % 8 == 0:
                    self.assertEqual(other.ask(seconds=2).status, 200)
            c.send(SettingsFrame(0, settings={INITIAL_WINDOW: 65535}), WindowUpdateFrame(0, 1 << 20))
            c.run(lambda: all(c.streams[s].over for s in streams))
            for s in streams:
                self.assertTrue(c.streams[s].ended and bytes(c.streams[s].data) == body(s, size), f"stream {s}: {c.streams[s]}")

    @both
    def test_an_identifier_below_an_earlier_one(self, tls):
        with connect(tls) as c:
            c.headers(fields_of("/hang"), stream=5)
            c.headers(fields_of("/no"), stream=3)
            self.broken(c, PROTOCOL_ERROR)
            self.assert_logged(c, "protocol_error")
        with connect(tls) as c:  # one that is over, while another runs
            self.assertEqual(c.ask().status, 200)
            c.get("/hang")
            c.headers(fields_of("/no"), stream=1)
            self.broken(c, STREAM_CLOSED, PROTOCOL_ERROR)

    @both
    def test_too_many_streams(self, tls):
        for acknowledged in (False, True):
            with self.subTest(acknowledged=acknowledged), connect(tls) as c:
                UP.gate = False
                if acknowledged:
                    self.assertEqual(c.ask().status, 200)
                    c.send(PingFrame(0, b"01234567")).flush()
                ids = [c.get("/gate") for _ in range(MAX_STREAMS + 20)]
                for s in ids[MAX_STREAMS:]:
                    self.assertEqual(c.answer(s).reset, REFUSED_STREAM, c.goaways)
                wait_for(lambda: UP.live == MAX_STREAMS, f"the others at the server, {UP.live} are")
                UP.open_gate()
                for s in ids[:MAX_STREAMS]:
                    self.assertEqual(c.answer(s).status, 200)
                self.assertIsNone(c.error)

    @both
    def test_frames_above_the_limit(self, tls):
        cases = {"DATA": lambda s: frame(0, bytes(16385), s), "HEADERS": lambda s: frame(1, bytes(16385), s + 2, 4),
                 "an unknown one": lambda s: frame(0xbb, bytes(16385)),
                 "the header alone": lambda s: b"\xff\xff\xff\0\0\0\0\0\1"}
        for name, make in cases.items():
            with self.subTest(name), connect(tls) as c:
                s = c.post("/hang")
                c.send(make(s))
                self.broken(c, FRAME_SIZE_ERROR)
                self.assert_logged(c, "protocol_error")

    # ---- time ----

    @both
    def test_a_preface_that_does_not_end(self, tls):
        preface, settings = raw_h2.PREFACE, SettingsFrame(0).serialize()
        for first, drip in ((preface[:8], b""), (preface, b""), (b"", preface[:-1]), (preface, settings[:-1])):
            with self.subTest(first=first, drip=drip), connect(tls, "head", greet=False) as c:
                c.send(first)
                began = time.monotonic()
                drip = [drip[i:i + 1] for i in range(len(drip))]
                while not c.run(lambda: c.closed, 0.05) and time.monotonic() < began + PATIENCE:
                    c.send(drip.pop(0) if drip else b"")
                self.assertTrue(c.closed)
                self.assertGreater(time.monotonic() - began, 0.2)
                self.assertLess(time.monotonic() - began, 5)

    @both
    def test_a_header_block_that_does_not_end(self, tls):
        block = loose(fields_of("/no"))
        starts = {"no END_HEADERS": frame(1, block, 3, 1), "half a frame": frame(1, block, 3, 5)[:-5],
                  "no CONTINUATION after one": frame(1, block, 3, 1) + frame(9, b"", 3)}
        for name, start in starts.items():
            for busy in (False, True):
                with self.subTest(name, busy=busy), connect(tls, "head") as c:
                    c.settle()
                    if busy:
                        c.get("/hang")
                    c.send(start)
                    began = time.monotonic()
                    self.assertTrue(c.wait_closed())
                    self.assertGreater(time.monotonic() - began, 0.2)
                    self.assertLess(time.monotonic() - began, 5)
                    if busy:
                        self.assert_logged(c, "head_timeout")

    @both
    def test_header_blocks_across_reads_are_not_one_slow_block(self, tls):
        """Each is whole within 60 ms, but every read ends within the next one."""
        with connect(tls, "head") as c:
            block = loose(fields_of("/ok"))
            c.settle()
            frames = [frame(1, block, 2 * i + 1, 5) for i in range(20)]
            c.send(frames[0][:-5])
            for i in range(1, 20):
                c.flush()
                c.run(seconds=0.05)
                c.send(frames[i - 1][-5:] + frames[i][:-5])
            c.send(frames[-1][-5:])
            c.run(lambda: all(c.streams[2 * i + 1].over for i in range(20)))
            self.assertEqual([c.streams[2 * i + 1].status for i in range(20)], [200] * 20)

    @both
    def test_a_refused_stream_does_not_cut_its_siblings_later(self, tls):
        bad = {"malformed": lambda c: c.headers(fields_of("/no", "GET", ("Upper", "x"))),
               "trailers without END_STREAM": lambda c: c.headers([("x", "y")], end=False, stream=c.post("/hang"))}
        for name, make in bad.items():
            with self.subTest(name), connect(tls, "head") as c:
                UP.gate = False
                self.assertEqual(c.ask().status, 200)
                sibling = c.get("/gate")
                c.flush()
                bad_one = make(c)
                self.assertIsNotNone(c.answer(bad_one).reset)
                self.assertFalse(c.run(lambda: c.closed, 0.8), "closed after request_head")
                UP.open_gate()
                self.assertEqual(c.answer(sibling).status, 200)

    @both
    def test_an_idle_connection_is_told_and_closed(self, tls):
        for pings in (False, True):
            with self.subTest(pings=pings), connect(tls, "idle") as c:
                self.assertEqual(c.ask().status, 200)
                end = time.monotonic() + PATIENCE
                while not c.closed and time.monotonic() < end:
                    c.run(lambda: c.closed, 0.1)
                    if pings and not c.goaways:
                        c.send(PingFrame(0, b"01234567"))
                self.assertTrue(c.closed)
                self.assertEqual(c.error, 0)

    @both
    def test_a_request_after_the_last_goaway_does_not_cut_those_before(self, tls):
        with connect(tls, "idle") as c:
            UP.gate = False
            self.assertEqual(c.ask().status, 200)
            self.assertTrue(c.run(lambda: c.goaways))
            early = c.get("/gate")
            self.assertTrue(c.run(lambda: len(c.goaways) > 1))
            c.get("/no")
            self.assertFalse(c.run(lambda: c.closed, 0.8), "closed while a request ran")
            UP.open_gate()
            self.assertEqual(c.answer(early).status, 200)
            self.assertTrue(c.wait_closed())

    # ---- windows that stay closed ----

    @both
    def test_a_stalled_stream_is_reset_and_its_sibling_goes_on(self, tls):
        for size in (1000, 4 * MiB):
            with self.subTest(size=size), connect(tls, "send", settings={INITIAL_WINDOW: 0}) as c:
                stalled, sibling = c.get(f"/body/1/{size}"), c.get("/body/3/3000")
                end = time.monotonic() + PATIENCE
                while c.streams[stalled].reset is None and time.monotonic() < end:
                    c.send(WindowUpdateFrame(sibling, 1))
                    c.run(lambda: c.streams[stalled].over, 0.05)
                self.assertIsNotNone(c.streams[stalled].reset)
                c.send(WindowUpdateFrame(sibling, 65535))
                self.assertEqual(bytes(c.answer(sibling).data), body(3, 3000))
                self.assert_logged(c, "send_timeout")

    @both
    def test_a_client_that_reads_nothing_is_cut_off(self, tls):
        with connect(tls, "send", settings={INITIAL_WINDOW: MAX_WINDOW}) as c:
            c.settle().socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            c.send(WindowUpdateFrame(0, MAX_WINDOW - 65535))
            for _ in range(20):
                c.get(f"/body/0/{4 * MiB}")
            c.flush(deaf=True)
            self.assert_logged(c, "send_timeout")
            self.assertTrue(c.wait_closed())

    @both
    def test_a_large_body_for_a_client_that_opens_no_window(self, tls):
        for streams in (1, 100):
            with self.subTest(streams=streams), P.grows_less_than(16), connect(tls, settings={INITIAL_WINDOW: 0}) as c:
                for _ in range(streams):
                    c.get(f"/body/0/{64 * MiB}")
                c.run(seconds=0.5)  # as long as memory could grow
                s = c.get()
                c.send(WindowUpdateFrame(s, 100))
                self.assertEqual(bytes(c.answer(s).data), b"ok")

    @both
    def test_an_upload_that_the_server_does_not_read(self, tls):
        for kind in ("main", "inner"):
            with self.subTest(kind), P.grows_less_than(16), connect(tls, kind) as c:
                s, sent, left = c.post("/deaf", ("content-length", str(64 * MiB))), 0, 64 * MiB
                c.run(lambda: c.settled)
                window = 128 * 1024
                while sent < left:
                    n = min(16384, window + c.granted[s] - sent, left - sent)
                    if n == 0 and not c.run(lambda: window + c.granted[s] > sent, 0.5):
                        break
                    c.data(s, bytes(n))
                    c.flush()
                    sent += n
                self.assertLess(sent, 16 * MiB, "somebody takes it all")
                self.assertEqual(c.ask().status, 200)
                c.data(s, bytes(16384))  # more than was granted
                self.assertTrue(c.run(lambda: FLOW_CONTROL_ERROR in (c.streams[s].reset, c.error)), c.goaways)

    # ---- what HTTP/1.1 would read otherwise ----

    def malformed(self):
        """name: (fields, statuses that will do beside a reset)"""
        def with_(name, value):
            return [(n, value if n == name else v) for n, v in fields_of("/smuggled")]

        def extra(*more):
            return fields_of("/smuggled", "GET", *more)
        out = {}
        ugly = {"CR": b"\r", "LF": b"\n", "NUL": b"\0", "space": b" ", "high byte": b"\x80", "DEL": b"\x7f", "tab": b"\t",
                "CRLF": b"\r\nx: y", "a request": b"\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"}
        base = {":method": b"GET", ":scheme": b"http", ":path": b"/smuggled", ":authority": b"localhost"}
        for what, bytes_ in ugly.items():
            for n, v in base.items():
                out[f"{what} in {n}"] = with_(n, v + bytes_ + b"a"), ()
                out[f"{what} at the end of {n}"] = with_(n, v + bytes_), ()
            out[f"{what} in a name"] = extra((b"x" + bytes_ + b"y", b"z")), ()
            if what not in ("space", "high byte", "tab"):
                out[f"{what} in a value"] = extra((b"x", b"y" + bytes_ + b"z")), ()
            if what != "high byte":
                out[f"{what} in front of a value"] = extra((b"x", bytes_ + b"z")), ()
                out[f"{what} behind a value"] = extra((b"x", b"z" + bytes_)), ()
        for n, v in (("transfer-encoding", "chunked"), ("transfer-encoding", "identity"), ("connection", "close"),
                     ("connection", "te"), ("keep-alive", "timeout=5"), ("proxy-connection", "keep-alive"), ("upgrade", "websocket"),
                     ("upgrade", "h2c"), ("te", "gzip"), ("te", "trailers, gzip"), ("te", "chunked")):
            out[f"{n}: {v}"] = extra((n, v)), ()
        out |= {
            "an upper-case name": (extra(("Upper", "x")), ()), "a name with an upper-case end": (extra(("loweR", "x")), ()),
            "an empty name": (extra(("", "x")), ()), "a name with a colon": (extra(("x:y", "z")), ()),
            "a name that is a colon": (extra((":", "x")), ()),
            "an unknown pseudo-field": (extra((":x", "y")), ()), ":status": (extra((":status", "200")), ()),
            "pseudo-fields behind a field": ([("x", "y")] + extra(), ()),
            ":path behind a field": (extra()[:2] + extra()[3:] + [("x", "y"), (":path", "/smuggled")], ()),
            "an empty :path": (with_(":path", ""), ()), "a fragment": (with_(":path", "/smuggled#x"), ()),
            "a fragment behind a query": (with_(":path", "/smuggled?a#x"), ()),
            "a URL as :path": (with_(":path", "http://localhost/smuggled"), ()),
            "a :path without a slash": (with_(":path", "smuggled"), ()), "** with GET": (with_(":path", "**"), ()),
            "* with GET": (with_(":path", "*"), ()), "an empty :method": (with_(":method", ""), ()),
            "an empty :scheme": (with_(":scheme", ""), ()), "another :scheme": (with_(":scheme", "ftp"), ()),
            "an empty :authority": (with_(":authority", ""), ()),
            "userinfo": (with_(":authority", "user@localhost"), ()), "a password": (with_(":authority", "a:b@localhost"), ()),
            "a path in :authority": (with_(":authority", "localhost/x"), ()), "a bad port": (with_(":authority", "localhost:99999"), ()),
            "two in :authority": (with_(":authority", "localhost, a"), ()), "another host": (extra(("host", "other")), ()),
            "two hosts": (extra(("host", "localhost"), ("host", "localhost")), ()), "an empty host": (extra(("host", "")), ()),
            "a host with userinfo": (extra()[:3] + [("host", "user@localhost")], ()),
            "neither :authority nor host": (extra()[:3], ()),
            "CONNECT": ([(":method", "CONNECT"), (":authority", "localhost:80")], (400, 405, 501)),
            "CONNECT with a path": (with_(":method", "CONNECT"), (400, 405, 501)),
            "CONNECT by another :protocol": (with_(":method", "CONNECT") + [(":protocol", "tcp")], (400, 501)),
            "CONNECT by an empty :protocol": (with_(":method", "CONNECT") + [(":protocol", "")], (400, 501)),
            ":protocol with GET": (extra() + [(":protocol", "websocket")], (400, 501)),
            "two content-lengths": (extra(("content-length", "0"), ("content-length", "0")), ()),
        }
        for n, _ in fields_of():
            out[f"no {n}"] = [f for f in extra() if f[0] != n] if n != ":authority" else extra()[:3], ()
            out[f"two {n}"] = extra() + [next(f for f in extra() if f[0] == n)], ()
        for value in ("5", "-0", "+0", "0x0", "0,0", "0, 0", "", "a", "99999999999999999999", "18446744073709551616"):
            out[f"content-length {value!r} with END_STREAM"] = extra(("content-length", value)), ()
        return out

    def smuggle(self, tls, kind):
        up = UP if kind == "main" else H2UP
        first = len(up.heads)
        for i, (name, (fields, statuses)) in enumerate(self.malformed().items()):
            with self.subTest(name, kind=kind, tls=tls), connect(tls, kind) as c:
                start = len(up.heads)
                bad, good = c.headers(fields), c.get(f"/good{i}")
                seen = c.answer(bad)
                self.assertTrue(seen.reset is not None or seen.status in statuses, f"{seen}, {c.goaways}")
                # It is that stream's fault alone.
                self.assertEqual(c.answer(good).status, 200, c.goaways)
                self.assertEqual(up.paths(start), [f"/good{i}"])
        self.assertFalse([p for p in up.paths(first) if "smuggled" in p])

    @both
    def test_10_what_is_unusual_and_allowed(self, tls):
        allowed = [("te", "trailers"), ("host", "localhost"), ("x", b"a b\tc\x80\xff"), ("empty", ""), ("content-length", "0")]
        with connect(tls) as c:
            for field in allowed:
                with self.subTest(field):
                    self.assertEqual(c.answer(c.get("/ok", field)).status, 200)
            self.assertEqual(c.answer(c.headers(fields_of("*", "OPTIONS"))).status, 200)
            self.assertEqual(c.answer(c.headers(fields_of()[:3] + [("host", "localhost")])).status, 200)

    def test_10_malformed_requests_over_tcp(self):
        self.smuggle(False, "main")

    def test_10_malformed_requests_over_tls(self):
        self.smuggle(True, "main")

    def test_10_malformed_requests_towards_h2c(self):
        self.smuggle(False, "inner")

    @both
    def test_10_content_length_and_data(self, tls):
        """The server may see the head, and what was declared of the body, but not that more came or less."""
        cases = {  # content-length, what is sent, end
            "less": (10, [b"smugg"], "data"), "none": (5, [b""], "data"), "less, then trailers": (10, [b"smugg"], "trailers"),
            "more": (5, [b"smuggled!!"], "data"), "more, later": (5, [b"smugg", b"led"], "data"), "more of zero": (0, [b"GET /"], "data"),
            "more, without an end": (5, [b"smuggled!!"], None), "more, then trailers": (3, [b"smugg"], "trailers")}
        for name, (length, pieces, end) in cases.items():
            for forwarded in (False, True):
                with self.subTest(name, forwarded=forwarded), connect(tls) as c:
                    heads, whole, cut = len(UP.heads), len(UP.whole), UP.cut
                    s = c.post("/smuggled", ("content-length", str(length)))
                    if forwarded:
                        self.assertTrue(c.run(lambda: len(UP.heads) > heads), "the head is not on its way")
                    for i, piece in enumerate(pieces):
                        c.data(s, piece, end == "data" and i == len(pieces) - 1)
                    if end == "trailers":
                        c.headers([("x", "y")], stream=s)
                    seen = c.answer(s)
                    if not (length == 0 and forwarded):  # it may have been answered before
                        self.assertIsNotNone(seen.reset, f"{seen}, {c.goaways}")
                    self.assertEqual(c.ask("/good").status, 200)
                    self.assertIn(UP.paths(heads), (["/good"], ["/smuggled", "/good"]))
                    bad = [w for w in UP.whole[whole:] if b"POST /smuggled" in w]
                    if name in ("more, later", "more of zero"):
                        self.assertTrue(all(w.endswith(b"\r\n\r\n" + b"smugg"[:length]) for w in bad), bad)
                    else:
                        self.assertEqual(bad, [])
                        if forwarded:
                            wait_for(lambda: UP.cut > cut, "the server's connection to be cut")

    def test_10_padding_is_not_content(self):
        with connect() as c:
            whole = len(UP.whole)
            s = c.post("/ok", ("content-length", "5"))
            c.send(DataFrame(s, b"hello", pad_length=100, flags=["PADDED", "END_STREAM"]))
            self.assertEqual(c.answer(s).status, 200)
            self.assertTrue(UP.whole[whole].endswith(b"\r\n\r\nhello"))

    @both
    def test_10_content_length_of_answers(self, tls):
        for kind in ("main", "inner"):
            for path in ("/short", "/long"):
                if (kind, path) == ("main", "/long"):
                    continue  # what is behind a message of HTTP/1.1 is not of it
                with self.subTest(kind, path=path), connect(tls, kind) as c:
                    seen = c.answer(c.get(path))
                    self.assertTrue(seen.reset is not None or seen.status == 502, seen)
                    self.assertEqual(c.ask().status, 200)
        with connect(tls) as c:
            self.assertEqual(bytes(c.ask("/long").data), b"x" * 5)
            self.assertEqual(c.ask().status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
