"""Scripted clients and servers for tests of the whole program: HTTP/1.1 and HTTP/2 behind one set of calls.

A `Stream` is one request and its response on one connection, the same type on both sides. What comes is collected by the
connection's reading thread; a test waits for it, always with an end. HTTP/2 is the state machine of python3-h2, which also checks
what albatross sends; flow control credit can be held back. Nothing is retried and nothing repaired.
"""
import queue
import select
import socket
import ssl
import struct
import threading
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
from hyperframe.frame import GoAwayFrame

from proxy import PATIENCE, client_tls

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CODE = h2.settings.SettingCodes
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL = 0, 1, 2, 7, 8
MANY = 2**31 - 1  # the last stream id of a GOAWAY that only announces


class Gone(Exception):
    """The other side has reset the stream or closed the connection."""


class Wire:
    """A socket, TLS or not, that one thread reads while others write."""

    def __init__(self, sock):
        sock.setblocking(False)
        self.sock, self.lock, self.closed, self.blocked_since = sock, threading.Lock(), False, None

    def _wait(self, event):
        poll = select.poll()
        fd = self.sock.fileno()
        if fd < 0:
            raise Gone("closed here")
        poll.register(fd, event)
        poll.poll(200)

    def read(self):
        """Some bytes; b"" at a clean end. Raises Gone on a reset."""
        while not self.closed:
            try:
                with self.lock:
                    if not self.closed:
                        return self.sock.recv(65536)
            except (BlockingIOError, ssl.SSLWantReadError):
                self._wait(select.POLLIN)
            except ssl.SSLEOFError:
                return b""  # HTTP says where a message ends; a missing close_notify is no reset
            except OSError as e:
                raise Gone(str(e))
        raise Gone("closed here")

    def write(self, data):
        view = memoryview(data)
        while view:
            try:
                with self.lock:
                    if self.closed:
                        raise Gone("closed here")
                    view = view[self.sock.send(view):]
                self.blocked_since = None
            except (BlockingIOError, ssl.SSLWantWriteError):
                self.blocked_since = self.blocked_since or time.monotonic()
                if time.monotonic() - self.blocked_since > 3 * PATIENCE or self.closed:
                    raise Gone("the peer takes nothing")
                self._wait(select.POLLOUT)
            except OSError as e:
                raise Gone(str(e))

    def shut(self):
        """Our direction only."""
        self.sock.shutdown(socket.SHUT_WR)

    def close(self, abort=False):
        with self.lock:
            if self.closed:
                return
            self.closed = True
            try:
                if abort:
                    self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.sock.close()


def narrow(sock):
    """Small buffers in the kernel: who is slow shows soon. Accepted sockets inherit them."""
    for which in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        sock.setsockopt(socket.SOL_SOCKET, which, 64 * 1024)
    return sock


class Stream:
    """One exchange. `role` is "client" or "server"; what the other side has said so far stands in the members."""

    def __init__(self, connection, role):
        self.connection, self.role, self.cond = connection, role, connection.cond
        self.heads = []           # [(start, fields)]: informational ones and the final one, or the request
        self.body = bytearray()
        self.trailers = None
        self.ended = False        # the message came whole
        self.cut = None           # why it did not
        self.reset_code = None    # HTTP/2: of the RST_STREAM that came
        self.hold = False         # no more is read, no credit given
        self.method = ""
        self.blocked_since = None

    # what has come

    def wait(self, condition, what, seconds=PATIENCE):
        end = time.monotonic() + seconds
        with self.cond:
            while not condition():
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"timed out waiting for {what}: heads {self.heads}, {len(self.body)} bytes, "
                                         f"ended {self.ended}, cut {self.cut}, connection {self.connection.closed or 'open'}")
                self.cond.wait(min(left, 0.5))
        return self

    @property
    def over(self):
        return self.ended or self.cut is not None

    @property
    def status(self):
        return next((s for s, _ in self.heads if s >= 200 or s == 101), None)

    @property
    def fields(self):
        return self.heads[-1][1] if self.heads else []

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name]

    def get(self, name, default=None):
        return next(iter(self.all(name)), default)

    def wait_head(self, seconds=PATIENCE):
        return self.wait(lambda: self.status is not None or self.over, "a head", seconds)

    def wait_over(self, seconds=PATIENCE * 2):
        return self.wait(lambda: self.over, "the end of a message", seconds)

    def wait_bytes(self, n, seconds=PATIENCE):
        return self.wait(lambda: len(self.body) >= n or self.over, f"{n} bytes", seconds)

    def wait_gone(self, seconds=PATIENCE):
        """The other side wants no more of this stream, however it said so."""
        return self.wait(lambda: self.cut is not None or self.reset_code is not None or self.connection.closed,
                         "a reset or close", seconds)

    @property
    def blocked(self):
        """Sending has stood still for a moment."""
        since = self.blocked_since or self.connection.wire.blocked_since
        return since is not None and time.monotonic() - since > 0.3

    # called by the connection, its lock held

    def _end(self):
        if not self.over:
            self.ended = True

    def _cut(self, why):
        if not self.over:
            self.cut = why

    # a server's answer, or a client's request, in one call

    def answer(self, status, fields=(), body=b"", trailers=(), length=True):
        fields = list(fields)
        if length and status not in (204, 304) and not trailers:
            fields.append(("content-length", str(len(body))))
        bodyless = self.method == "HEAD" or status in (204, 304) or (not body and not trailers)
        self.head(status, fields, end=bodyless)
        if not bodyless and trailers:
            self.send(body)
            self.end(trailers)
        elif not bodyless:
            self.send(body, last=True)


# ---- HTTP/1.1 ----


class H1Stream(Stream):
    raw = chunked = until_close = False

    def request(self, method, path, authority, fields, end):
        self.method = method
        fields = list(fields)
        names = {n.lower() for n, _ in fields}
        if not end and not names & {"content-length", "upgrade"}:
            fields.append(("Transfer-Encoding", "chunked"))
            self.chunked = True
        self._write_head(f"{method} {path} HTTP/1.1", [("Host", authority)] + fields)

    def head(self, status, fields=(), end=False):
        fields = list(fields)
        names = {n.lower() for n, _ in fields}
        bodyless = self.method == "HEAD" or status in (204, 304) or status < 200
        if not bodyless and "content-length" not in names and "connection-delimited" not in names:
            self.chunked = not end
            fields.append(("Content-Length", "0") if end else ("Transfer-Encoding", "chunked"))
        self._write_head(f"HTTP/1.1 {status} Reason", [f for f in fields if f[0] != "connection-delimited"])

    def inform(self, status, fields=()):
        self._write_head(f"HTTP/1.1 {status} Reason", fields)

    def _write_head(self, line, fields):
        self.connection.wire.write("\r\n".join([line] + [f"{n}: {v}" for n, v in fields] + ["", ""]).encode("latin-1"))

    def send(self, data, last=False):
        """`last`: the end goes with it."""
        if self.chunked and data:
            data = b"%x\r\n%b\r\n" % (len(data), data) + (b"0\r\n\r\n" if last else b"")
        self.connection.wire.write(data)

    def end(self, trailers=()):
        if self.raw:
            self.connection.wire.shut()
        elif self.chunked:
            self.connection.wire.write(("0\r\n" + "".join(f"{n}: {v}\r\n" for n, v in trailers) + "\r\n").encode())

    def reset(self, code=CANCEL):
        self.connection.close(abort=True)

    def close(self):
        """Without a word; the connection goes."""
        self.connection.close()


class H1Connection:
    def __init__(self, sock, role, on_request=None):
        self.wire, self.role, self.on_request = Wire(sock), role, on_request
        self.cond = threading.Condition(threading.RLock())
        self.closed, self.error, self.stream, self.buffer = None, None, None, b""
        self.reader = threading.Thread(target=self._run, daemon=True)
        if role == "server":
            self.reader.start()

    def open(self, method, path, authority, fields, end):
        """One exchange after another."""
        with self.cond:
            s = self.stream = H1Stream(self, "client")
        s.raw = any(n.lower() == "upgrade" for n, _ in fields)
        s.request(method, path, authority, fields, end)
        if not self.reader.is_alive():
            self.reader.start()
        return s

    def close(self, abort=False):
        self.wire.close(abort)

    def _more(self):
        while self.stream is not None and self.stream.hold and not self.wire.closed:
            time.sleep(0.01)  # a poll interval: the stream is held back on purpose
        piece = self.wire.read()
        if not piece:
            raise EOFError
        self.buffer += piece

    def _until(self, mark):
        while mark not in self.buffer:
            self._more()
        text, self.buffer = self.buffer.split(mark, 1)
        return text

    def _run(self):
        why = "closed"
        try:
            while True:
                if self.role == "client":
                    while self.stream is None or self.stream.over:
                        # Idle: what comes now is the end, or the answer to what open() has just sent.
                        if self.buffer:
                            raise ValueError(f"bytes after the message: {self.buffer[:80]!r}")
                        self._more()
                self._message()
        except EOFError:
            pass
        except Gone as e:
            why = f"reset: {e}"
        except Exception as e:  # what albatross sent is not HTTP
            self.error = why = f"{type(e).__name__}: {e}"
        with self.cond:
            self.closed = why
            if self.stream is not None:
                if self.stream.until_close and why == "closed":
                    self.stream._end()
                self.stream._cut(why)
            self.cond.notify_all()
        if why != "closed" or not (self.stream and self.stream.raw):
            self.wire.close()  # but a tunnel may go on in the other direction

    def _message(self):
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        fields = []
        for line in lines[1:]:
            name, value = line.split(":", 1)
            if not name or name != name.strip():
                raise ValueError(f"bad field {line!r}")
            fields.append((name, value.strip()))
        words = lines[0].split(" ")
        if self.role == "server":
            s = H1Stream(self, "server")
            s.method, s.path, s.version = words
            s.authority = dict((n.lower(), v) for n, v in fields).get("host")
            s.heads.append((0, fields))
            s.raw = s.get("upgrade") is not None
            with self.cond:
                self.stream = s
            bodyless = not (s.raw or s.get("content-length") or s.get("transfer-encoding"))
            self.on_request(s)
        else:
            s = self.stream
            status = int(words[1])
            with self.cond:
                s.heads.append((status, fields))
                self.cond.notify_all()
            if status < 200 and status != 101:
                return
            s.raw = s.raw and status == 101
            bodyless = s.method == "HEAD" or status in (204, 304)
        if not bodyless:
            self._body(s)
        with self.cond:
            s._end()
            self.cond.notify_all()
        if s.raw:
            raise EOFError

    def _body(self, s):
        if not s.raw and s.get("transfer-encoding") == "chunked":
            while size := int(self._until(b"\r\n").split(b";")[0], 16):
                self._take(s, size)
                if self._until(b"\r\n"):
                    raise ValueError("a chunk without its end")
            trailers = []
            while line := self._until(b"\r\n").decode():
                name, value = line.split(":", 1)
                trailers.append((name.lower(), value.strip()))
            s.trailers = trailers or None
        elif not s.raw and s.get("content-length") is not None:
            self._take(s, int(s.get("content-length")))
        else:
            s.until_close = True
            try:
                while True:
                    self._take(s, 1)
            except EOFError:
                if not s.raw:
                    raise

    def _take(self, s, n):
        while n > 0:
            if not self.buffer:
                self._more()
            most = len(self.buffer) if s.until_close else n
            with self.cond:
                s.body += self.buffer[:most]
                self.cond.notify_all()
            got, self.buffer = min(len(self.buffer), most), self.buffer[most:]
            n -= got


# ---- HTTP/2 ----


class H2Stream(Stream):
    id = None
    owed = 0

    def request(self, method, path, authority, fields, end):
        self.method = method
        c = self.connection
        with c.cond:
            self.id = c.h2.get_next_available_stream_id()
            c.streams[self.id] = self
            pseudo = [(":method", method), (":scheme", c.scheme), (":path", path), (":authority", authority)]
            c.h2.send_headers(self.id, pseudo + [(n.lower(), v) for n, v in fields], end_stream=end)
            c.flush()

    def head(self, status, fields=(), end=False):
        self._headers([(":status", str(status))] + [(n.lower(), v) for n, v in fields], end)

    def inform(self, status, fields=()):
        self.head(status, fields)

    def _headers(self, fields, end):
        c = self.connection
        with c.cond:
            self._check()
            c.h2.send_headers(self.id, fields, end_stream=end)
            c.flush()

    def _check(self):
        if self.reset_code is not None or self.connection.closed or self.cut:
            raise Gone(f"stream {self.id}: reset {self.reset_code}, connection {self.connection.closed}")

    def send(self, data, last=False):
        c, view = self.connection, memoryview(data)
        while view:
            with c.cond:
                self._check()
                n = min(len(view), c.h2.local_flow_control_window(self.id), c.h2.max_outbound_frame_size)
                if n > 0:
                    self.blocked_since = None
                    c.h2.send_data(self.id, bytes(view[:n]), end_stream=last and n == len(view))
                    c.flush()
                    view = view[n:]
                    continue
                self.blocked_since = self.blocked_since or time.monotonic()
                if time.monotonic() - self.blocked_since > 3 * PATIENCE:
                    raise Gone("the window stays closed")
                c.cond.wait(0.5)

    def end(self, trailers=()):
        c = self.connection
        if trailers:
            return self._headers(list(trailers), True)
        with c.cond:
            self._check()
            c.h2.end_stream(self.id)
            c.flush()

    def reset(self, code=CANCEL):
        c = self.connection
        with c.cond:
            if not c.closed and self.reset_code is None:
                try:
                    c.h2.reset_stream(self.id, code)
                except h2.exceptions.StreamClosedError:
                    pass
                c.flush()
            self._cut("reset here")
            c.cond.notify_all()

    def close(self):
        """Without a word; the connection goes."""
        self.connection.close()

    def _credit(self, n):
        if self.hold:
            self.owed += n
        else:
            self.connection.h2.acknowledge_received_data(n + self.owed, self.id)
            self.owed = 0

    def release(self):
        c = self.connection
        with c.cond:
            self.hold = False
            if self.owed:
                self._credit(0)
            c.flush()


class H2Connection:
    def __init__(self, sock, role, on_request=None, settings=None, scheme="http", is_held=lambda s: False):
        self.wire, self.role, self.on_request, self.scheme, self.is_held = Wire(sock), role, on_request, scheme, is_held
        self.cond = threading.Condition(threading.RLock())
        self.closed = self.error = None
        self.streams, self.goaways, self.pongs, self.settings_seen = {}, [], 0, False
        client = role == "client"
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=client, header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False))
        self.h2.local_settings = h2.settings.Settings(client=client, initial_values={
            CODE.INITIAL_WINDOW_SIZE: 65535, CODE.MAX_CONCURRENT_STREAMS: 1000, **({CODE.ENABLE_PUSH: 0} if client else {}),
            **(settings or {})})
        self.h2.initiate_connection()
        # Wide, so that streams that are held back hold their own windows only.
        self.h2.increment_flow_control_window(2**26)
        self.flush()
        self.reader = threading.Thread(target=self._run, daemon=True)
        self.reader.start()

    def open(self, method, path, authority, fields, end):
        s = H2Stream(self, "client")
        s.request(method, path, authority, fields, end)
        return s

    def flush(self):
        if data := self.h2.data_to_send():
            try:
                self.wire.write(data)
            except Gone as e:
                self._over(f"reset: {e}")
                raise

    def wait(self, condition, what, seconds=PATIENCE):
        end = time.monotonic() + seconds
        with self.cond:
            while not condition():
                if time.monotonic() > end:
                    raise AssertionError(f"timed out waiting for {what}: goaways {self.goaways}, "
                                         f"connection {self.closed or 'open'}")
                self.cond.wait(0.5)
        return self

    def ping(self):
        """The peer has worked on all that was sent before."""
        with self.cond:
            want = self.pongs + 1
            self.h2.ping(b"12345678")
            self.flush()
        self.wait(lambda: self.pongs >= want or self.closed, "a PING's answer")

    def goaway(self, last_id, code=NO_ERROR):
        """Without the state machine, which would take nothing after it."""
        with self.cond:
            self.wire.write(GoAwayFrame(0, last_stream_id=last_id, error_code=code).serialize())

    def close(self, abort=False):
        self.wire.close(abort)

    def _over(self, why):
        with self.cond:
            self.closed = self.closed or why
            for s in self.streams.values():
                s._cut(why)
            self.cond.notify_all()

    def _run(self):
        why, buffer, opened = "closed", b"", self.role == "client"
        try:
            while piece := self.wire.read():
                buffer += piece
                if not opened:
                    if len(buffer) < len(PREFACE):
                        continue
                    self._feed(buffer[:len(PREFACE)])
                    buffer, opened = buffer[len(PREFACE):], True
                while len(buffer) >= 9 and len(buffer) >= (size := 9 + int.from_bytes(buffer[:3], "big")):
                    frame, buffer = buffer[:size], buffer[size:]
                    if frame[3] == 7:  # GOAWAY: kept from the state machine, see goaway()
                        with self.cond:
                            last, code = struct.unpack(">II", frame[9:17])
                            self.goaways.append((last & MANY, code))
                            self.cond.notify_all()
                    else:
                        self._feed(frame)
        except Gone as e:
            why = f"reset: {e}"
        except Exception as e:  # what albatross sent is not HTTP/2
            self.error = why = f"{type(e).__name__}: {e}"
        self._over(why)
        self.wire.close()

    def _feed(self, data):
        with self.cond:
            started = [self._event(e) for e in self.h2.receive_data(data)]
            try:
                if data := self.h2.data_to_send():
                    self.wire.write(data)
            except Gone:
                pass  # nobody hears us any more, but what was said to us still lies there
            self.cond.notify_all()
        for s in started:
            if s is not None:
                self.on_request(s)

    def _event(self, e):
        if isinstance(e, h2.events.RemoteSettingsChanged):
            self.settings_seen = True
        elif isinstance(e, h2.events.PingAckReceived):
            self.pongs += 1
        elif isinstance(e, h2.events.RequestReceived):
            s = self.streams[e.stream_id] = H2Stream(self, "server")
            s.id = e.stream_id
            pseudo = {n: v for n, v in e.headers if n.startswith(":")}
            s.method, s.path, s.authority, s.protocol = (pseudo.get(k) for k in (":method", ":path", ":authority", ":protocol"))
            s.version, s.scheme = "HTTP/2", pseudo.get(":scheme")
            s.heads.append((0, [f for f in e.headers if not f[0].startswith(":")]))
            s.hold = self.is_held(s)
            return s
        s = self.streams.get(getattr(e, "stream_id", None))
        if s is None:
            return None
        if isinstance(e, (h2.events.ResponseReceived, h2.events.InformationalResponseReceived)):
            status = int(next(v for n, v in e.headers if n == ":status"))
            s.heads.append((status, [f for f in e.headers if f[0] != ":status"]))
        elif isinstance(e, h2.events.DataReceived):
            s.body += e.data
            s._credit(e.flow_controlled_length)
        elif isinstance(e, h2.events.TrailersReceived):
            s.trailers = list(e.headers)
        elif isinstance(e, h2.events.StreamEnded):
            s._end()
        elif isinstance(e, h2.events.StreamReset):
            if e.remote_reset:
                s.reset_code = int(e.error_code)
            s._cut(f"RST_STREAM {int(e.error_code)}")
        return None


def release(stream):
    """A held stream is read again."""
    if isinstance(stream, H2Stream):
        stream.release()
    else:
        stream.hold = False


# ---- a client and a server of either kind ----


class Client:
    """Opens streams: over HTTP/2 on one connection, over HTTP/1.1 on a connection each."""

    def __init__(self, kind, port, secure=False, sni="localhost", authority="app.test"):
        self.kind, self.port, self.secure, self.sni, self.authority = kind, port, secure, sni, authority
        self.connections = []
        self.shared = self._connect() if kind == "h2" else None

    def _connect(self):
        sock = narrow(socket.socket())
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1", self.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.secure:
            alpn = "h2" if self.kind == "h2" else "http/1.1"
            sock = client_tls((alpn,)).wrap_socket(sock, server_hostname=self.sni)
            if sock.selected_alpn_protocol() != alpn:
                raise AssertionError(f"asked for {alpn}, got {sock.selected_alpn_protocol()}")
        scheme = "https" if self.secure else "http"
        c = H2Connection(sock, "client", scheme=scheme) if self.kind == "h2" else H1Connection(sock, "client")
        self.connections.append(c)
        return c

    def open(self, path, method="GET", fields=(), end=True, authority=None):
        c = self.shared or self._connect()
        return c.open(method, path, authority or self.authority, list(fields), end)

    def ask(self, path, method="GET", fields=(), body=None, trailers=(), length=True, **more):
        """A whole exchange: sends all, waits for all."""
        fields = list(fields)
        if body is not None and length:
            fields.append(("content-length", str(len(body))))
        s = self.open(path, method, fields, end=body is None, **more)
        if body is not None:
            try:
                s.send(body)
                s.end(trailers)
            except Gone:
                pass  # the answer may have come first
        return s.wait_over()

    def websocket(self, path, fields=(), protocol="websocket"):
        """A tunnel that is asked for: an upgrade, or an extended CONNECT (RFC 8441)."""
        if self.kind == "h1":
            fields = [("Connection", "Upgrade"), ("Upgrade", protocol), ("Sec-WebSocket-Version", "13"),
                      ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), *fields]
            return self.open(path, fields=fields, end=False)
        c, s = self.shared, H2Stream(self.shared, "client")
        # The server must have said that it takes one.
        c.wait(lambda: c.settings_seen or c.closed, "SETTINGS")
        with c.cond:
            s.method, s.id = "CONNECT", c.h2.get_next_available_stream_id()
            c.streams[s.id] = s
            c.h2.send_headers(s.id, [(":method", "CONNECT"), (":scheme", c.scheme), (":path", path), (":authority", self.authority),
                                     (":protocol", protocol), ("sec-websocket-version", "13"), *fields])
            c.flush()
        return s

    def close(self):
        for c in self.connections:
            c.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Server:
    """Runs a handler, in a thread of its own, for each request; which one the path says (the longest prefix)."""

    def __init__(self, kind, tls=None, settings=None):
        self.kind, self.tls, self.settings = kind, tls, settings
        self.handlers, self.connections, self.requests, self.failures = {}, [], [], []
        self.held = set()
        self.listener = narrow(socket.create_server(("127.0.0.1", 0), backlog=128))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def on(self, path, handler, hold=False):
        """`hold`: bodies are not read until release()."""
        if hold:
            self.held.add(path)
        self.handlers[path] = handler

    def seen(self, path):
        return [r for r in list(self.requests) if r.path.startswith(path)]

    def one(self, path):
        """The request with that path, once it is there."""
        end = time.monotonic() + PATIENCE
        while not self.seen(path):
            if time.monotonic() > end:
                raise AssertionError(f"no request for {path}")
            time.sleep(0.005)  # a poll interval, not a synchronisation
        return self.seen(path)[0]

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._start, args=(sock,), daemon=True).start()

    def _start(self, sock):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                sock.settimeout(PATIENCE)
                sock = self.tls.wrap_socket(sock, server_side=True)
        except OSError:
            return sock.close()
        if self.kind == "h2":
            c = H2Connection(sock, "server", self._on_request, self.settings, "https" if self.tls else "http", self._is_held)
        else:
            c = H1Connection(sock, "server", self._on_request)
        self.connections.append(c)

    def _is_held(self, s):
        return s.path in self.held

    def _on_request(self, s):
        s.hold = self._is_held(s)
        self.requests.append(s)
        best = max((p for p in self.handlers if s.path.startswith(p)), key=len, default=None)
        threading.Thread(target=self._handle, args=(self.handlers.get(best), s), daemon=True).start()

    def _handle(self, handler, s):
        try:
            if handler is None:
                return s.answer(404)
            handler(s)
        except Gone:
            pass
        except Exception as e:
            self.failures.append(f"{s.method} {s.path}: {type(e).__name__}: {e}")

    def errors(self):
        """What handlers found wrong, and what came that was not the protocol."""
        return self.failures + [c.error for c in self.connections if c.error]

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for c in self.connections:
            c.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def server_tls(certificate, key, alpn):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols([alpn])
    return context


def end_well(proxy):
    """Stops it; the exit code also speaks for a sanitizer."""
    try:
        # A second SIGTERM would be another test.
        code = proxy.process.wait(3 * PATIENCE) if "draining" in proxy.output() else proxy.stop()
        if code:
            raise AssertionError(f"albatross ended with {code}:\n{proxy.output()[-4000:]}")
    finally:
        proxy.__exit__(None, None, None)


def together(tasks, seconds=PATIENCE * 3):
    """Runs them at the same time; their results in order. The first failure is raised."""
    results = queue.Queue()

    def run(i, task):
        try:
            results.put((i, task(), None))
        except BaseException as e:
            results.put((i, None, e))
    for i, task in enumerate(tasks):
        threading.Thread(target=run, args=(i, task), daemon=True).start()
    out, end = [None] * len(tasks), time.monotonic() + seconds
    for _ in tasks:
        i, value, failure = results.get(timeout=max(0.1, end - time.monotonic()))
        if failure is not None:
            raise failure
        out[i] = value
    return out
