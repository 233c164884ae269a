"""HTTP/2 without manners: a client that sends any frame and any field, and servers behind the proxy that count what reaches them.

Frames are made by hyperframe and header blocks by hpack, neither of which asks whether HTTP/2 allows them.
"""
import collections
import re
import select
import selectors
import socket
import ssl
import struct
import threading
import time

from hpack import Decoder, Encoder, NeverIndexedHeaderTuple
from hyperframe.frame import (ContinuationFrame, DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, RstStreamFrame,
                              SettingsFrame, WindowUpdateFrame)

from proxy import PATIENCE, client_tls

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CALM = 1, 3, 5, 6, 7, 11
MAX_WINDOW = 2**31 - 1
PATTERN = bytes(i * 7 % 251 for i in range(65536))


def frame(kind, payload=b"", stream=0, flags=0):
    """What hyperframe would not make."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def body(seed, size):
    """The same at both ends; no two seeds alike."""
    return (PATTERN[seed:] + PATTERN * (size // len(PATTERN) + 1))[:size]


def fields_of(path="/ok", method="GET", *more, authority="localhost", scheme="http"):
    return [(":method", method), (":scheme", scheme), (":path", path), (":authority", authority), *more]


def loose(fields):
    """A header block that touches no dynamic table: it may be sent any number of times."""
    return Encoder().encode([NeverIndexedHeaderTuple(n, v) for n, v in fields])


class Seen:
    """What has come on one stream."""

    def __init__(self):
        self.fields, self.data, self.ended, self.reset = [], bytearray(), False, None

    @property
    def status(self):
        return next((int(v) for n, v in self.fields if n == ":status"), 0)

    @property
    def over(self):
        return self.ended or self.reset is not None

    def __repr__(self):
        return f"status {self.status}, {len(self.data)} bytes, ended {self.ended}, reset {self.reset}"


class Connection:
    """Frames in and out. Nothing moves outside run() and flush(), so a peer that reads nothing is one who calls them deaf."""

    def __init__(self, s, tls=None):
        self.socket = s
        s.setblocking(False)
        self.out, self.inbox, self.tls = bytearray(), bytearray(), None
        self.encoder, self.decoder = Encoder(), Decoder()
        self.decoder.max_header_list_size = 1 << 20
        self.streams = collections.defaultdict(Seen)
        self.goaways, self.closed, self.granted, self.settled = [], False, collections.Counter(), False
        self.polite = True  # acknowledges what asks for it
        if tls:
            self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.tls = tls.wrap_bio(self.incoming, self.outgoing)
            self._shake()

    def _shake(self):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._transfer(0.1, False)
                assert time.monotonic() < end and not self.closed, "no TLS handshake"
        assert self.tls.selected_alpn_protocol() == "h2"

    # ---- sending ----

    def send(self, *frames):
        data = b"".join(f if isinstance(f, bytes) else f.serialize() for f in frames)
        if self.tls:
            self.tls.write(data)
        else:
            self.out += data
        return self

    def block(self, fields):
        return self.encoder.encode(fields)

    # ---- both ways ----

    def run(self, until=lambda: False, seconds=PATIENCE, deaf=False):
        """Reads and writes until the condition holds, the peer has closed, or time is up; the condition's value."""
        end = time.monotonic() + seconds
        while not until() and not self.closed and time.monotonic() < end:
            self._transfer(min(0.02, max(0.0, end - time.monotonic())), deaf)
        return until()

    def flush(self, seconds=PATIENCE, deaf=False):
        """Until all has been written, or the peer has closed or takes nothing for half a second."""
        end, stuck = time.monotonic() + seconds, time.monotonic() + 0.5
        while self._pending() and not self.closed and time.monotonic() < min(end, stuck):
            before = len(self.out)
            self._transfer(0.02, deaf)
            if len(self.out) != before:
                stuck = time.monotonic() + 0.5
        return not self._pending()

    def _pending(self):
        if self.tls and self.outgoing.pending:
            self.out += self.outgoing.read()
        return bool(self.out)

    def _transfer(self, seconds, deaf):
        readable, writable, _ = select.select([] if deaf else [self.socket], [self.socket] if self._pending() else [], [], seconds)
        if readable:
            self._read()
        if writable and not self.closed:
            try:
                del self.out[:self.socket.send(self.out[:1 << 18])]
            except BlockingIOError:
                pass
            except OSError:
                self.out.clear()
                while not deaf and not self.closed and select.select([self.socket], [], [], 0)[0]:
                    self._read()  # a GOAWAY may lie before the reset
                self.closed = True

    def _read(self):
        try:
            data = self.socket.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return
        if self.tls:
            self.incoming.write(data)
            try:
                while piece := self.tls.read(1 << 18):
                    self.inbox += piece
            except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                pass
        else:
            self.inbox += data
        self._frames()

    def _frames(self):
        at = 0
        while len(self.inbox) - at >= 9:
            f, length = Frame.parse_frame_header(memoryview(bytes(self.inbox[at:at + 9])))
            if len(self.inbox) - at < 9 + length:
                break
            f.parse_body(memoryview(bytes(self.inbox[at + 9:at + 9 + length])))
            at += 9 + length
            self._take(f)
        del self.inbox[:at]

    def _take(self, f):
        s = self.streams[f.stream_id]
        if isinstance(f, HeadersFrame):
            s.fields += self.decoder.decode(f.data)
        elif isinstance(f, DataFrame):
            s.data += f.data
        elif isinstance(f, RstStreamFrame):
            s.reset = f.error_code
        elif isinstance(f, GoAwayFrame):
            self.goaways.append(f)
        elif isinstance(f, WindowUpdateFrame):
            self.granted[f.stream_id] += f.window_increment
        elif isinstance(f, SettingsFrame) and "ACK" not in f.flags:
            self.settled = True
            if self.polite:
                self.send(SettingsFrame(0, flags=["ACK"]))
        elif isinstance(f, PingFrame) and "ACK" not in f.flags and self.polite:
            self.send(PingFrame(0, f.opaque_data, flags=["ACK"]))
        if "END_STREAM" in f.flags:
            s.ended = True

    @property
    def error(self):
        """The code of the GOAWAY that ended it; None without one."""
        return self.goaways[-1].error_code if self.goaways else None

    def close(self):
        self.closed = True
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Client(Connection):
    """The client's side; opens streams with the fields it is given."""

    def __init__(self, port, tls=False, settings=None, greet=True):
        super().__init__(socket.create_connection(("127.0.0.1", port), PATIENCE), client_tls() if tls else None)
        self.port, self.next = self.socket.getsockname()[1], 1
        self.polite = greet
        if greet:
            self.send(PREFACE, SettingsFrame(0, settings=settings or {}))

    def settle(self):
        """Behind this nothing of its own gets between the frames of a test."""
        assert self.run(lambda: self.settled), "no SETTINGS"
        return self

    def headers(self, fields, end=True, stream=None, also=b""):
        """A header block in as many frames as it needs; returns the stream. `fields` may be the block itself."""
        if stream is None:
            stream, self.next = self.next, self.next + 2
        block = fields if isinstance(fields, bytes) else self.block(fields)
        pieces = [block[i:i + 16384] for i in range(0, len(block), 16384)] or [b""]
        frames = [HeadersFrame(stream, pieces[0], flags=["END_STREAM"] if end else [])]
        frames += [ContinuationFrame(stream, p) for p in pieces[1:]]
        frames[-1].flags.add("END_HEADERS")
        self.send(*frames, also)
        return stream

    def get(self, path="/ok", *more, **pseudo):
        return self.headers(fields_of(path, "GET", *more, **pseudo))

    def post(self, path, *more):
        return self.headers(fields_of(path, "POST", *more), end=False)

    def data(self, stream, data=b"", end=False):
        return self.send(DataFrame(stream, data, flags=["END_STREAM"] if end else []))

    def answer(self, stream, seconds=PATIENCE):
        self.run(lambda: self.streams[stream].over, seconds)
        return self.streams[stream]

    def ask(self, path="/ok", seconds=PATIENCE):
        return self.answer(self.get(path), seconds)

    def wait_closed(self, seconds=PATIENCE):
        self.run(lambda: self.closed, seconds)
        return self.closed


class Upstream:
    """An HTTP/1.1 server of one thread that does as the path says, and keeps count.

    /hang never answers, /gate when open_gate() was called, /deaf stops reading behind the head, /body/SEED/SIZE sends that,
    /short and /long break their Content-Length, anything else is answered "ok".
    """

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port = self.listener.getsockname()[1]
        self.listener.setblocking(False)
        self.poll = selectors.DefaultSelector()
        self.poll.register(self.listener, selectors.EVENT_READ, None)
        self.wake_end, self.wake = socket.socketpair()
        self.poll.register(self.wake_end, selectors.EVENT_READ, None)
        self.heads, self.whole, self.cut, self.raw = [], [], 0, 0
        self.live, self.peak, self.gate, self.stopped, self.deaf = 0, 0, False, False, []
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    class Accepted:
        def __init__(self, s):
            self.socket, self.inbox, self.out, self.endless = s, bytearray(), bytearray(), 0
            self.head, self.live, self.path, self.close_after = None, False, "", False

    def _run(self):
        while not self.stopped:
            ready = self.poll.select(0.5)
            # Ends first: what was given up before a new request came must not count beside it.
            ready.sort(key=lambda e: e[0].data is None or not self._ended(e[0].data))
            for key, mask in ready:
                if key.fileobj is self.listener:
                    self._accept()
                elif key.fileobj is self.wake_end:
                    self.wake_end.recv(100)
                    self._answer_gated()
                elif key.data.socket.fileno() >= 0:
                    if mask & selectors.EVENT_READ:
                        self._read(key.data)
                    if mask & selectors.EVENT_WRITE and key.data.socket.fileno() >= 0:
                        self._write(key.data)
        for key in list(self.poll.get_map().values()):
            key.fileobj.close()
        for s in [self.wake, *self.deaf]:
            s.close()
        self.poll.close()

    @staticmethod
    def _ended(c):
        try:
            return not c.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _accept(self):
        for _ in range(256):
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            s.setblocking(False)
            self.poll.register(s, selectors.EVENT_READ, self.Accepted(s))

    def _drop(self, c):
        if c.live:
            self.live -= 1
        if c.head is not None and not c.live:
            self.cut += 1
        c.live = False
        self.poll.unregister(c.socket)
        c.socket.close()

    def _read(self, c):
        try:
            data = c.socket.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            return self._drop(c)
        self.raw += len(data)
        c.inbox += data
        while self._parse(c):
            pass

    def _parse(self, c):
        if c.head is None:
            end = c.inbox.find(b"\r\n\r\n")
            if end < 0:
                return False
            c.head = bytes(c.inbox[:end + 4])
            del c.inbox[:end + 4]
            c.path = c.head.split(b" ", 2)[1].decode("latin-1")
            self.heads.append(c.head)
            if c.path.startswith("/deaf"):
                self.poll.unregister(c.socket)
                self.deaf.append(c.socket)
                return False
        length = re.search(rb"\r\ncontent-length: *(\d+)", c.head, re.I)
        if re.search(rb"\r\ntransfer-encoding:", c.head, re.I):
            m = re.match(rb"(?:[0-9a-f]+\r\n(?s:.*)\r\n)?0\r\n(?:[^\r]+\r\n)*\r\n", c.inbox, re.I)
            if not m:
                return False
            size = m.end()
        else:
            size = int(length[1]) if length else 0
        if len(c.inbox) < size:
            return False
        self.whole.append(c.head + bytes(c.inbox[:size]))
        del c.inbox[:size]
        c.head = None
        c.live = True
        self.live += 1
        self.peak = max(self.peak, self.live)
        if not c.path.startswith("/hang") and not (c.path.startswith("/gate") and not self.gate):
            self._answer(c)
        return True

    def _answer(self, c):
        c.live = False
        self.live -= 1
        if m := re.match(r"/body/(\d+)/(\d+)", c.path):
            seed, size = int(m[1]), int(m[2])
            c.out += b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size
            if size <= 1 << 20:
                c.out += body(seed, size)
            else:
                c.endless = size
        elif c.path.startswith(("/short", "/long")):
            claimed, sent = (10, 5) if c.path.startswith("/short") else (5, 10)
            c.out += b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % claimed + b"x" * sent
            c.close_after = True
        else:
            c.out += b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
        self._write(c)

    def _write(self, c):
        try:
            while c.out or c.endless:
                if not c.out:
                    n = min(c.endless, len(PATTERN))
                    c.out += PATTERN[:n]
                    c.endless -= n
                n = c.socket.send(c.out)
                del c.out[:n]
        except BlockingIOError:
            self.poll.modify(c.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, c)
            return
        except OSError:
            return self._drop(c)
        if c.close_after:
            return self._drop(c)
        self.poll.modify(c.socket, selectors.EVENT_READ, c)

    def _answer_gated(self):
        for key in list(self.poll.get_map().values()):
            if key.data is not None and key.data.live and key.data.path.startswith("/gate"):
                self._answer(key.data)

    def paths(self, start=0):
        return [h.split(b" ", 2)[1].decode("latin-1") for h in self.heads[start:]]

    def open_gate(self):
        self.gate = True
        self.wake.send(b"x")

    def stop(self):
        self.stopped = True
        self.wake.send(b"x")
        self.thread.join(PATIENCE)


class H2Upstream:
    """The same over h2c, for /hang, /deaf (which opens no window), /short, /long and "ok"."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.heads, self.open, self.stopped = [], [], False
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    def _accept(self):
        self.listener.settimeout(0.1)
        while not self.stopped:
            try:
                s, _ = self.listener.accept()
            except socket.timeout:
                continue
            self.threads.append(threading.Thread(target=self._serve, args=(s,)))
            self.threads[-1].start()
        self.listener.close()

    def _serve(self, s):
        wire = ServerConnection(s, self)
        self.open.append(wire)
        while not self.stopped and not wire.closed:
            wire.run(lambda: self.stopped, 1)
        wire.hanging.clear()
        wire.close()

    @property
    def live(self):
        return sum(len(w.hanging) for w in self.open)

    def paths(self, start=0):
        return self.heads[start:]

    def stop(self):
        self.stopped = True
        for t in self.threads:
            t.join(PATIENCE)


class ServerConnection(Connection):
    def __init__(self, s, counts):
        self.counts, self.hanging, self.greeted = counts, set(), False
        super().__init__(s)
        self.send(SettingsFrame(0, settings={SettingsFrame.MAX_CONCURRENT_STREAMS: 128}), WindowUpdateFrame(0, MAX_WINDOW - 65535))

    def _frames(self):
        if not self.greeted and len(self.inbox) >= len(PREFACE):
            del self.inbox[:len(PREFACE)]
            self.greeted = True
        if self.greeted:
            super()._frames()

    def _take(self, f):
        super()._take(f)
        s, up = self.streams[f.stream_id], self.counts
        path = dict(s.fields).get(":path", "")
        if isinstance(f, HeadersFrame):
            up.heads.append(path)
            if "/hang" in path:
                self.hanging.add(f.stream_id)
        elif isinstance(f, RstStreamFrame):
            self.hanging.discard(f.stream_id)
        if "END_STREAM" in f.flags and "/hang" not in path and "/deaf" not in path:
            claim = {"/short": "10", "/long": "1"}.get(path, "2")
            head = HeadersFrame(f.stream_id, self.block([(":status", "200"), ("content-length", claim)]), flags=["END_HEADERS"])
            self.send(head, DataFrame(f.stream_id, b"ok", flags=["END_STREAM"]))
