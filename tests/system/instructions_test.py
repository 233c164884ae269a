#!/usr/bin/env python3
"""Instructions that a request costs in user space, counted by callgrind, against the budget in bench/budget.json.

    ALBATROSS=path/to/albatross instructions_test.py [--scenario NAME[,NAME...]] [--write]
Skipped (77) where valgrind or python3-hyperframe is missing, or valgrind's process may not be attached to.

One thread plays the client and the server, step by step, and albatross comes to rest between the steps. So what it
finds in its sockets at each turn of its loop is the same in every run, however busy the machine is.
"""
import argparse
import contextlib
import json
import os
import platform
import re
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
try:
    import raw_h2
    from hyperframe.frame import DataFrame, HeadersFrame, WindowUpdateFrame
    if missing := [p for p in ("valgrind", "vgdb", "openssl") if not shutil.which(p)]:
        raise ImportError(f"no {', '.join(missing)}")
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(SKIPPED)
from proxy import PATIENCE, client_tls, make_certificate, wait_for

BUDGET = os.path.normpath(f"{os.path.dirname(os.path.abspath(__file__))}/../../bench/budget.json")
TOLERANCE = 0.03
BLOCKS = 5
BODY = 1024
STREAMS = 10  # at once, over HTTP/2
PIECE = 32 * 1024  # of a body
PACKAGES = ("libc6", "libnghttp2-14", "libssl3", "libstdc++6", "valgrind")

PATH = "/articles/2026/11/a-page-of-a-usual-length?from=start&page=2"
FIELDS = [
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("Accept-Language", "en-US,en;q=0.5"),
    ("Accept-Encoding", "gzip, deflate, br"),
    ("Referer", "http://app.test/articles/"),
    ("Cookie", "session=5d41402abc4b2a76b9719d911017c592; theme=dark; seen=12,14,90"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Site", "same-origin"),
]
ANSWER_FIELDS = [
    ("Server", "app"),
    ("Date", "Mon, 23 Nov 2026 10:00:00 GMT"),
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "private, max-age=60"),
    ("ETag", '"33a64df551425fcc55e4d42a148795d9"'),
]


def lines(first, fields):
    return "\r\n".join([first] + [f"{n}: {v}" for n, v in fields] + ["", ""]).encode()


def lower(fields):
    return [(n.lower(), v) for n, v in fields]


REQUEST = lines(f"GET {PATH} HTTP/1.1", [("Host", "app.test")] + FIELDS)
H2_REQUEST = raw_h2.fields_of(PATH, "GET", *lower(FIELDS), authority="app.test", scheme="https")


def answer_head(size):
    return lines("HTTP/1.1 200 OK", ANSWER_FIELDS + [("Content-Length", str(size))])


ANSWER = answer_head(BODY) + b"x" * BODY
H2_ANSWER = [(":status", "200"), *lower(ANSWER_FIELDS), ("content-length", str(BODY))]


class MayNotAttach(Exception):
    """What vgdb says where ptrace is not allowed."""


class Albatross:
    """The program under callgrind."""

    def __init__(self, program, config, folder):
        self.folder, self.part, self.out = folder, 0, f"{folder}/out.log"
        with open(f"{folder}/albatross.json", "w") as f:
            json.dump(config, f)
        with open(self.out, "w") as out:
            self.process = subprocess.Popen(
                ["valgrind", "-q", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={folder}/count",
                 f"--vgdb-prefix={folder}/vgdb", program, "run", "-c", f"{folder}/albatross.json"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        self.pid = self.process.pid

    def output(self):
        with open(self.out) as f:
            return f.read()

    def port(self):
        def look():
            assert self.process.poll() is None, "albatross ended"
            return re.search(r"listens on \S+:(\d+)$", self.output(), re.M)
        return int(wait_for(look, "the listener", 6 * PATIENCE)[1])

    def count(self):
        """Instructions since the last call, of all threads but the main one: its timers are no request's."""
        command = ["vgdb", f"--pid={self.pid}", f"--vgdb-prefix={self.folder}/vgdb", "--max-invoke-ms=10", "dump"]
        vgdb = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True)
        try:
            vgdb.wait(3 * PATIENCE)
        except subprocess.TimeoutExpired:
            pass
        finally:  # while it is attached, albatross cannot be stopped
            vgdb.kill()
            said, _ = vgdb.communicate()
        if vgdb.returncode and re.search(r"ptrace|not permitted", said):
            raise MayNotAttach(said)
        assert vgdb.returncode == 0, said
        self.part += 1
        total = 0
        for name in os.listdir(self.folder):
            if (m := re.fullmatch(rf"count\.{self.part}-(\d+)", name)) and int(m[1]) > 1:
                with open(f"{self.folder}/{name}") as f:
                    total += int(re.search(r"^totals: (\d+)", f.read(), re.M)[1])
        assert total > 0, f"no counts in part {self.part}: {os.listdir(self.folder)}"
        return total

    def asleep(self):
        states = set()
        try:
            for task in os.listdir(f"/proc/{self.pid}/task"):
                with open(f"/proc/{self.pid}/task/{task}/stat") as f:
                    states.add(f.read().rpartition(")")[2].split()[0])
        except OSError:  # a thread that has just ended
            return False
        return states == {"S"}

    def rest(self):
        """Waits until no thread has anything to do. What comes a moment earlier may save a turn of the loop, or not."""
        end = time.monotonic() + PATIENCE
        while not self.asleep():
            assert time.monotonic() < end and self.process.poll() is None, "albatross does not come to rest"
            os.sched_yield()

    @contextlib.contextmanager
    def held(self):
        """Stopped, so that it finds all at once what is sent meanwhile."""
        self.rest()
        os.kill(self.pid, signal.SIGSTOP)
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), f"albatross ended: {status}"
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def stop(self):
        self.process.kill()
        self.process.wait()


class H1Server:
    """An HTTP/1.1 server that moves only when it is told to."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.poll = selectors.DefaultSelector()
        self.poll.register(self.listener, selectors.EVENT_READ)
        self.heads = {}  # by connection, in the order in which they were opened

    def take(self, n):
        """The n connections on which a request has come whole, once they are n."""
        end = time.monotonic() + PATIENCE
        while len(asked := [s for s, head in self.heads.items() if head.endswith(b"\r\n\r\n")]) < n:
            assert time.monotonic() < end, f"{len(asked)} of {n} requests reach the server"
            for key, _ in self.poll.select(1):
                s = key.fileobj
                if s is self.listener:
                    s, _ = s.accept()
                    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.poll.register(s, selectors.EVENT_READ)
                    self.heads[s] = b""
                    continue
                data = s.recv(65536)
                assert data, "albatross closes a connection to the server"
                self.heads[s] += data
        for s in asked:
            self.heads[s] = b""
        return asked

    def drop(self):
        for s in self.heads:
            self.poll.unregister(s)
            s.close()
        self.heads.clear()

    def close(self):
        self.drop()
        self.poll.close()
        self.listener.close()


class H2Server:
    """The same for streams, on the one h2c connection that albatross opens."""

    class Connection(raw_h2.ServerConnection):
        def __init__(self, s):
            self.asked = []
            super().__init__(s, None)

        def _take(self, f):
            raw_h2.Connection._take(self, f)
            if "END_STREAM" in f.flags:
                self.asked.append(f.stream_id)

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE)
        self.port, self.connection = self.listener.getsockname()[1], None

    def take(self, n):
        if self.connection is None:
            self.connection = self.Connection(self.listener.accept()[0])
        c = self.connection
        assert c.run(lambda: len(c.asked) == n), f"{len(c.asked)} of {n} requests reach the server"
        asked, c.asked = c.asked, []
        c.streams.clear()
        return asked

    def drop(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def close(self):
        self.drop()
        self.listener.close()


def receive(s, n):
    """n bytes; the first of them that came are returned."""
    first = b""
    while n > 0:
        data = s.recv(n)
        assert data, "albatross closes the connection of the client"
        first = first or data
        n -= len(data)
    return first


def receive_head(s):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += receive(s, 1)
    assert head.startswith(b"HTTP/1.1 200"), head
    return head


class Scenario:
    """Who talks to albatross, and what is said. run(n) makes n requests."""
    requests, secure, server_type, group, log = 400, False, H1Server, {}, False

    def __init__(self, program, folder):
        self.folder, self.program, self.log_path, self.asked = folder, program, f"{folder}/access.log", 0

    def config(self):
        listener = {"name": "web", "bind": "127.0.0.1:0", "default_actions": [{"forward": "g"}]}
        if self.secure:
            cert, key = make_certificate(self.folder)
            listener |= {"protocol": "https", "certificates": [{"cert": cert, "key": key}]}
        servers = [{"address": f"127.0.0.1:{self.server.port}"}]
        return {"listeners": [listener], "server_groups": [{"name": "g", "servers": servers, **self.group}],
                "access_log": {"path": self.log_path} if self.log else "off", "admin": "off", "workers": 1}

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def measure(self):
        """Instructions a request: the median of blocks, as a timer may fall into one."""
        with contextlib.ExitStack() as stack:
            self.server = self.server_type()
            stack.callback(self.server.close)
            self.albatross = Albatross(self.program, self.config(), self.folder)
            stack.callback(self.albatross.stop)
            try:
                self.port = self.albatross.port()
                return round(statistics.median(self.block() for _ in range(BLOCKS)))
            except AssertionError:
                print(self.albatross.output(), file=sys.stderr)
                raise

    def block(self):
        """Opens its own connections on both sides. At each turn the loop looks for its next timer, and the older the
        connections, the nearer it is: in old ones a turn would cost less, by how slow the machine is."""
        with contextlib.closing(self.connect()) as self.client:
            self.run_whole(max(2, self.requests // 10))  # connections, buffers and header tables grow only here
            self.albatross.count()
            self.run_whole(self.requests)
            n = self.albatross.count()
        self.albatross.rest()
        self.server.drop()
        self.albatross.rest()
        return n / self.requests

    def run_whole(self, n):
        self.run(n)
        self.asked += n
        if self.log:
            def written():
                with open(self.log_path, "rb") as f:
                    return f.read().count(b"\n")
            wait_for(lambda: written() == self.asked, f"{self.asked} lines in the access log")
        self.albatross.rest()


class H1(Scenario):
    def run(self, n):
        length = 0
        for _ in range(n):
            self.albatross.rest()
            self.client.sendall(REQUEST)
            server = self.server.take(1)[0]
            self.albatross.rest()
            server.sendall(ANSWER)
            if not length:  # the first tells how long the others are
                length = len(receive_head(self.client)) + BODY
                receive(self.client, BODY)
            else:
                assert receive(self.client, length).startswith(b"HTTP/1.1 200")


class Tls(H1):
    secure = True

    def connect(self):
        s = client_tls(("http/1.1",)).wrap_socket(super().connect())
        assert s.version() == "TLSv1.3", s.version()
        return s


class Log(H1):
    log = True


class Body(Scenario):
    """1 MiB in pieces, each sent when the last has reached the client. How much a read of albatross finds would else
    depend on who is faster; so it finds one piece. A piece leaves in one segment and fits any window, so it is never
    found in part."""
    requests, size = 20, 1 << 20

    def run(self, n):
        head, piece = answer_head(self.size), b"x" * PIECE
        for _ in range(n):
            self.albatross.rest()
            self.client.sendall(REQUEST)
            server = self.server.take(1)[0]
            self.albatross.rest()
            server.sendall(head)
            receive_head(self.client)
            for _ in range(self.size // PIECE):
                self.albatross.rest()
                server.sendall(piece)
                receive(self.client, PIECE)


class H2(Scenario):
    """Batches of streams, each batch one TLS record. The servers' answers are found in one turn."""
    secure = True

    def connect(self):
        client = raw_h2.Client(self.port, True)
        client.send(WindowUpdateFrame(0, raw_h2.MAX_WINDOW - 65535))  # so it gives no credit later
        return client.settle()

    def answer(self):
        asked = self.server.take(STREAMS)
        with self.albatross.held():
            for s in asked:
                s.sendall(ANSWER)

    def run(self, n):
        c = self.client
        for _ in range(n // STREAMS):
            streams = range(c.next, c.next + 2 * STREAMS, 2)
            c.next = streams.stop
            self.albatross.rest()
            c.send(*(HeadersFrame(i, c.block(H2_REQUEST), flags=["END_STREAM", "END_HEADERS"]) for i in streams))
            assert c.flush(), "albatross does not take the requests"
            self.answer()
            assert c.run(lambda: all(c.streams[i].over for i in streams)), "not all streams end"
            for i in streams:
                s = c.streams.pop(i)
                assert s.status == 200 and len(s.data) == BODY and s.ended, s


class H2H2(H2):
    """To the server it is one connection as well, and one write there answers them all."""
    server_type, group = H2Server, {"protocol": "h2c"}

    def answer(self):
        asked, c = self.server.take(STREAMS), self.server.connection
        for i in asked:
            c.send(HeadersFrame(i, c.block(H2_ANSWER), flags=["END_HEADERS"]),
                   DataFrame(i, b"x" * BODY, flags=["END_STREAM"]))
        with self.albatross.held():
            assert c.flush(), "albatross does not take the answers"


SCENARIOS = {"h1": H1, "tls": Tls, "h2": H2, "h2-h2": H2H2, "body": Body, "log": Log}


def measured_with(program):
    """What the figures also depend on."""
    with open(program, "rb") as f:
        compiler = re.search(rb"GCC: \([^)\0]+\) [\d.]+|[\w ]*clang version [^\0]+", f.read())
    with open("/proc/cpuinfo") as f:
        avx2 = re.search(r"\bavx2\b", f.read())
    found = {"compiler": compiler[0].decode() if compiler else "unknown",
             # By this valgrind chooses which processor it shows, and libcrypto and libc their code.
             "cpu": platform.machine() + (" with avx2" if avx2 else "")}
    for package in PACKAGES:
        try:
            found[package] = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], check=True,
                                            capture_output=True, text=True).stdout
        except (OSError, subprocess.CalledProcessError):
            found[package] = "unknown"
    return found


def main():
    def names(text):
        if unknown := set(text.split(",")) - set(SCENARIOS):
            raise argparse.ArgumentTypeError(f"no scenario {', '.join(sorted(unknown))}")
        return text.split(",")

    options = argparse.ArgumentParser(description="Holds the instructions of a request to bench/budget.json.")
    options.add_argument("albatross", nargs="?", default=os.environ.get("ALBATROSS"),
                         help="the program (default: $ALBATROSS)")
    options.add_argument("--scenario", type=names, default=list(SCENARIOS), help=f"some of {','.join(SCENARIOS)}")
    options.add_argument("--write", action="store_true", help="what is measured becomes the budget")
    options = options.parse_args()
    if not options.albatross:
        sys.exit("usage: ALBATROSS=path/to/albatross instructions_test.py")
    budget = {}
    if os.path.exists(BUDGET):
        with open(BUDGET) as f:
            budget = json.load(f)
    allowed, conditions = budget.get("instructions", {}), measured_with(options.albatross)
    for what, here in conditions.items():
        if (then := budget.get("measured_with", {}).get(what, here)) != here:
            print(f"warning: the budget was measured with {what} {then}, this is {here}: figures may differ by that")

    measured, failed = {}, False
    print(f"{'scenario':10}{'budget':>10}{'measured':>10}{'ratio':>8}")
    for name in options.scenario:
        with tempfile.TemporaryDirectory() as folder:
            try:
                n = measured[name] = SCENARIOS[name](options.albatross, folder).measure()
            except MayNotAttach as e:
                print(f"skipped: vgdb may not attach here: {e}")
                return SKIPPED
        if name not in allowed:
            failed = True
            print(f"{name:10}{'none':>10}{n:10,}{'':8}{'' if options.write else '  no budget: --write it'}", flush=True)
            continue
        ratio, note = n / allowed[name], ""
        if ratio > 1 + TOLERANCE:
            failed, note = True, f"  over the budget by more than {TOLERANCE:.0%}"
        elif ratio < 1 - TOLERANCE:
            note = "  the budget may be lowered"
        print(f"{name:10}{allowed[name]:10,}{n:10,}{ratio:8.3f}{note}", flush=True)
    if not options.write:
        return 1 if failed else 0
    both = allowed | measured
    with open(BUDGET, "w") as f:
        figures = {name: both[name] for name in SCENARIOS if name in both}
        json.dump({"measured_with": conditions, "instructions": figures}, f, indent=2)
        f.write("\n")
    print(f"wrote {BUDGET}")
    return 0


sys.exit(main())
