#!/usr/bin/env python3
"""HTTP/2 with programs that others wrote: curl, nghttp and h2load in front, nginx, HAProxy and nghttpd behind; and bodies of 1 GiB
that nobody takes for a while.

    ALBATROSS=path/to/albatross real_clients_test.py [TestClass.test]
Skipped (77) where one of the programs or python3-hyperframe is missing.
"""
import itertools
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from concurrent import futures

os.environ["PATH"] += ":/usr/sbin"
try:
    import raw_h2
    from hyperframe.frame import WindowUpdateFrame
    if missing := [p for p in ("curl", "nghttp", "nghttpd", "h2load", "nginx", "haproxy", "ss") if not shutil.which(p)]:
        raise ImportError(f"no {', '.join(missing)}")
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)
from peers import end_well
from proxy import PATIENCE, Proxy, albatross_path, make_certificate, wait_for

ALBATROSS = albatross_path()
MiB = 1 << 20
SIZES = {"small": 6, "body": 40_000, "several": 3 * MiB, "large": 64 * MiB}
FILES = {name: random.Random(name).randbytes(size) for name, size in SIZES.items()}
H2_WIRES = {"h2 by ALPN": ("https", "--http2"), "h2 by prior knowledge": ("http", "--http2-prior-knowledge")}
WIRES = {**H2_WIRES, "h1 over TLS": ("https", "--http1.1"), "h1": ("http", "--http1.1"), "upgrade not taken": ("http", "--http2")}
NGINX = """daemon off; master_process off; pid F/pid; error_log F/error.log; events { worker_connections 4096; }
http { access_log off; client_max_body_size 0; root F/www; client_body_temp_path F/1; proxy_temp_path F/2; fastcgi_temp_path F/3;
uwsgi_temp_path F/4; scgi_temp_path F/5; server { listen unix:F/h1; listen unix:F/h2c http2; dav_methods PUT;
location /post/ { proxy_method PUT; proxy_pass http://unix:F/h1:/put/; } } }"""
HAPROXY = ("defaults\n mode http\nlisten a\n bind unix@F/haproxy proto h2\n server s unix@F/h1\n"
           "listen b\n bind unix@F/haproxy-h1\n server s ADDRESS proto h2\n")
GROUPS = {}  # name: (protocol, address, other options)
FOLDER = CERT = NGHTTPD = P = None


def setUpModule():
    global FOLDER, CERT, NGHTTPD, P
    FOLDER = unittest.enterModuleContext(tempfile.TemporaryDirectory())
    CERT = make_certificate(FOLDER)
    os.makedirs(f"{FOLDER}/www/put")
    NGHTTPD, address = start_nghttpd("--no-tls")
    secure = start_nghttpd(CERT[1], CERT[0])[1]
    confs = {name: text.replace("F/", FOLDER + "/").replace("ADDRESS", address).encode() for name, text in (("n", NGINX), ("h", HAPROXY))}
    for name, data in {**{f"www/{n}": d for n, d in FILES.items()}, **confs}.items():
        with open(f"{FOLDER}/{name}", "wb") as f:
            f.write(data)
    run("truncate", "-s", "1G", f"{FOLDER}/www/zeros")
    start("nginx", "-e", f"{FOLDER}/error.log", "-p", FOLDER, "-c", f"{FOLDER}/n")
    start("haproxy", "-db", "-f", f"{FOLDER}/h")
    for name in ("h1", "h2c", "haproxy", "haproxy-h1"):
        with socket.socket(socket.AF_UNIX) as s:
            wait_for(lambda: s.connect_ex(f"{FOLDER}/{name}") == 0, name)
    GROUPS.update({
        "nginx-h1": ("http", f"unix:{FOLDER}/h1", {}), "nginx-by-haproxy": ("h2c", f"unix:{FOLDER}/haproxy", {}),
        "nginx-h2c": ("h2c", f"unix:{FOLDER}/h2c", {}), "nghttpd-by-haproxy": ("http", f"unix:{FOLDER}/haproxy-h1", {}),
        "nghttpd-narrow": ("h2c", start_nghttpd("--no-tls", "-w6", "-W17", "-m3", "-v", log="narrow.log")[1], {}),
        "nghttpd": ("h2c", address, {}), "nghttpd-tls": ("h2", secure, {"tls": {"ca": CERT[0], "server_name": "localhost"}}),
        "nghttpd-unverified": ("h2", secure, {"tls": {"verify": False}})})
    P = Proxy(ALBATROSS, config(GROUPS))


def tearDownModule():
    """No test may have made albatross itself find something wrong."""
    P.stop()
    with open(P.log_path) as f:
        bad = [line for line in f if '"termination"' in line]
    end_well(P)
    assert not bad, f"{len(bad)} log lines like {bad[0]}"


def start(*command, log="/dev/null"):
    """A program that may run until the tests are over."""
    with open(os.path.join(FOLDER, log), "w") as out:
        p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    unittest.addModuleCleanup(lambda: (p.kill(), p.wait()))
    return p


def start_nghttpd(*options, log="/dev/null"):
    """Echoes POST and PUT. Returns (process, address)."""
    p = start("nghttpd", "-a", "127.0.0.1", "-d", f"{FOLDER}/www", "--echo-upload", "--trailer", "x-check: done", "0", *options, log=log)
    return p, wait_for(lambda: re.search(rf"(127\S+) .*pid={p.pid},", run("ss", "-ltnpH")[0].decode()), "nghttpd")[1]


def run(*command, stdin=b""):
    """What a program says that ends well: (stdout, stderr)."""
    r = subprocess.run(command, input=stdin, capture_output=True, timeout=6 * PATIENCE)
    if r.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {r.returncode}: {r.stdout[-1500:]} {r.stderr.decode()[-1500:]}")
    return r.stdout, r.stderr.decode()


def read(*path):
    with open(os.path.join(FOLDER, *path), "rb") as f:
        return f.read()


def config(groups):
    """Listeners http and https; /GROUP/x goes to a group as /x."""
    rules = [{"name": g, "priority": i + 1, "conditions": [{"path": f"~^/{g}(/.*)$"}],
              "actions": [{"rewrite": {"path": "${1}"}}, {"forward": g}]} for i, g in enumerate(groups)]
    common = {"bind": "127.0.0.1:0", "http2": True, "rules": rules, "default_actions": [{"fixed_response": {"code": 404}}]}
    https = {"name": "https", "protocol": "https", "certificates": [{"cert": CERT[0], "key": CERT[1]}], **common}
    return {"listeners": [{"name": "http", **common}, https],
            "server_groups": [{"name": name, "protocol": protocol, "servers": [{"address": address}], **more}
                              for name, (protocol, address, more) in groups.items()]}


class Curl(unittest.TestCase):
    def assert_same(self, got, want):
        if got != want:  # without a diff of megabytes
            self.fail(f"{len(got)} bytes, not these {len(want)}: {got[:60]!r}")

    def curl(self, wire, path, *options, stdin=b""):
        scheme, version = WIRES[wire]
        out, err = run("curl", "-sS", "--fail", "--cacert", CERT[0], version, *options, f"{scheme}://127.0.0.1:{P.ports[scheme]}{path}",
                       "-w", "%{stderr}version %{http_version} connects %{num_connects}\n", stdin=stdin)
        self.assertEqual(set(re.findall(r"^version (\S+)", err, re.M)), {"2" if wire in H2_WIRES else "1.1"}, err)
        return out, err

    def test_get_and_head(self):
        for wire, name in itertools.product(WIRES, GROUPS):
            with self.subTest(name, wire=wire):
                path = "large" if wire in H2_WIRES and name in ("nginx-h1", "nghttpd") else "several"
                self.assert_same(self.curl(wire, f"/{name}/{path}")[0], FILES[path])
                head = self.curl(wire, f"/{name}/{path}", "--head")[0].decode()
                self.assertRegex(head, rf"(?i)^HTTP/(2|1\.1) 200 [^\0]*\ncontent-length: {SIZES[path]}\r\n")

    def test_post(self):
        for wire, name in itertools.product(WIRES, GROUPS):
            body = "body" if name == "nghttpd-narrow" else "large" if (wire, name) == ("h2 by ALPN", "nginx-h1") else "several"
            known = ("--data-binary", f"@{FOLDER}/www/{body}")
            for how, *options in (("known", *known, "-H", "Expect:"), ("unknown", "-T", "-", "-X", "POST", "-H", "Expect:"),
                                  ("continue", *known, "-v", "-H", "Expect: 100-continue", "--expect100-timeout", "100")
                                  )[:2 if name == "nginx-h2c" else 3]:  # nginx never sends a 100 over HTTP/2
                with self.subTest(name, wire=wire, length=how):
                    target = f"{how}-{name}-{wire.replace(' ', '-')}"
                    out, err = self.curl(wire, f"/{name}/post/{target}", *options, stdin=FILES[body])
                    self.assert_same(out if name.startswith("nghttpd") else read("www/put", target), FILES[body])
                    self.assertEqual(len(re.findall(r"^< HTTP/\S+ 100", err, re.M)), how == "continue", err)

    def test_parallel(self):
        """200 downloads and 200 uploads, 50 at a time, on a connection. By prior knowledge curl 7.88 cannot, whoever serves it."""
        for name in ("nginx-h1", "nginx-h2c", "nginx-by-haproxy"):
            with self.subTest(name), tempfile.TemporaryDirectory(dir=FOLDER) as got:
                files = [f"{got}/{name}{i}" for i in range(1, 201)]
                for path, *options in (("body?[1-200]", "-o", f"{got}/{name}#1"), ("put/", "-T", "{" + ",".join(files) + "}")):
                    err = self.curl("h2 by ALPN", f"/{name}/{path}", *options, "--parallel", "--parallel-max", "50")[1]
                    self.assertEqual(sorted(re.findall(r"connects (\d+)", err)), ["0"] * 199 + ["1"])
                for file in files:
                    self.assert_same(read(file), FILES["body"])
                    self.assert_same(read("www/put", os.path.basename(file)), FILES["body"])


class Nghttp(unittest.TestCase):
    def check(self, out, count, size):
        self.assertEqual(re.findall(r"\) :status: ([2-5]\d\d)", out), ["200"] * count, out[-2000:])
        frames = re.findall(r"recv (DATA|HEADERS) frame <length=(\d+), flags=0x(..)", out)
        self.assertEqual(sum(int(length) for kind, length, _ in frames if kind == "DATA"), count * size)
        self.assertEqual(sum(int(flags, 16) & 1 for _, _, flags in frames), count)  # END_STREAM

    def nghttp(self, name, path, count, *options):
        for scheme in ("http", "https"):
            with self.subTest(name, scheme=scheme, options=options):
                out = run("nghttp", "-nvy", f"-m{count}", *options, f"{scheme}://127.0.0.1:{P.ports[scheme]}/{name}/{path}")[0].decode()
                self.check(out, count, SIZES[path])
                self.assertEqual(out.count(") x-check: done\n"), 0 if "nginx" in name or "haproxy" in name else count)

    def test_multiplexed(self):
        """With padding, fields in CONTINUATION, windows of a few bytes."""
        for name in GROUPS:
            self.nghttp(name, "body", 20, "-b", "200")
        self.nghttp("nghttpd-tls", "several", 20, "--continuation")
        for name in ("nginx-h1", "nghttpd-narrow"):
            self.nghttp(name, "small", 5, "-w", "1")
            self.nghttp(name, "body", 10, "-w", "6", "-W", "16")
        self.nghttp("nghttpd-narrow", "body", 10, "-w", "6", "-W", "16", "-d", f"{FOLDER}/www/body")

    def test_trailers(self):
        upload = ("-d", f"{FOLDER}/www/body", "--trailer", "x-sum: 1", "--expect-continue", "--no-content-length")
        for name in ("nghttpd", "nghttpd-narrow", "nghttpd-tls", "nghttpd-unverified"):
            self.nghttp(name, "body", 1, *upload)
        self.assertEqual(len(re.findall(rb"\) x-sum: 1\n.*recv HEADERS frame .*\n +; END_STREAM", read("narrow.log"))), 2)

    def test_goaway(self):
        """At SIGTERM what is in flight is finished, and nghttp is told."""
        up = raw_h2.Upstream()
        self.addCleanup(up.stop)
        proxy = Proxy(ALBATROSS, config({"g": ("http", f"127.0.0.1:{up.port}", {})}))
        self.addCleanup(end_well, proxy)  # exit code 0
        clients = {scheme: start("nghttp", "-nvym20", f"{scheme}://127.0.0.1:{port}/g/gate", log=f"{scheme}.log")
                   for scheme, port in proxy.ports.items()}
        wait_for(lambda: up.live == 40, "40 requests")
        proxy.process.send_signal(signal.SIGTERM)
        wait_for(lambda: all(b"recv GOAWAY" in read(f"{scheme}.log") for scheme in clients), "a GOAWAY")
        up.open_gate()
        for scheme, client in clients.items():
            self.assertEqual(client.wait(PATIENCE), 0)
            self.check(out := read(f"{scheme}.log").decode(), 20, 2)
            self.assertEqual(set(re.findall(r"recv GOAWAY.*\n +\(last_stream_id=\d+, error_code=(\w+)", out)), {"NO_ERROR"})


class H2load(unittest.TestCase):
    def load(self, proxy, scheme, path, *options, count=20_000):
        count = count // 10 if proxy.asan else count
        out = run("h2load", "-n", str(count), "-c8", "-m32", *options, f"{scheme}://127.0.0.1:{proxy.ports[scheme]}{path}")[0].decode()
        self.assertRegex(out, f"{count} done, {count} succeeded, 0 failed, 0 errored, 0 timeout\nstatus codes: {count} 2xx, 0 3xx")

    def test_load(self):
        upload = ("-d", f"{FOLDER}/www/body", "-H", ":method: PUT")
        names = sorted(GROUPS.keys() - {"nghttpd-by-haproxy", "nghttpd-unverified"})
        for name, (scheme, *option) in itertools.product(names, (("http",), ("https",), ("https", "--h1"))):
            if not option or name in ("nginx-h1", "nghttpd"):
                with self.subTest(name, scheme=scheme, option=option):
                    self.load(P, scheme, f"/{name}/small", *option)
                    self.load(P, scheme, f"/{name}/put/load", *upload, *option, count=100 if name == "nghttpd-narrow" else 300)

    def test_reload(self):
        """The file changes while h2load runs."""
        files, reloads = [config(groups) for groups in (GROUPS, {"other": ("http", "127.0.0.1:1", {}), **GROUPS})], 0
        with futures.ThreadPoolExecutor() as pool, Proxy(ALBATROSS, files[0]) as proxy:  # without whom the pool's work ends
            def work():
                while reloads < 12:
                    for scheme, name in itertools.product(("http", "https"), ("nginx-h1", "nghttpd")):
                        self.load(proxy, scheme, f"/{name}/small")
            load = pool.submit(work)
            while not load.done():
                proxy.write({**proxy.config, **files[(reloads + 1) % 2]})
                if reloads % 4 < 2:
                    run("curl", "-sS", "--fail", "-X", "POST", "--unix-socket", proxy.admin_path, "http://localhost/v1/reload")
                else:
                    proxy.process.send_signal(signal.SIGHUP)
                reloads += 1
                wait_for(lambda: proxy.metric("albatross_reloads_total", result="success") == reloads, "a reload")
            load.result()


class Zeros:
    """In place of a body's bytes: how many there were."""
    size = 0

    def __iadd__(self, data):
        self.size += len(data) if not data.strip(b"\0") else -MiB  # anything else spoils it
        return self

    def __len__(self):
        return self.size


class Stalled(unittest.TestCase):
    """One stream has 1 GiB to move and stands still. Its siblings live, memory does not grow, and in the end all of it arrives."""

    def test_download(self):
        for scheme, name in (("http", "nginx-h1"), ("https", "nghttpd")):
            with (self.subTest(name, scheme=scheme), Proxy(ALBATROSS, config(GROUPS)) as proxy, proxy.grows_less_than(16),
                  raw_h2.Client(proxy.ports[scheme], scheme == "https") as c):
                stalled, sibling = c.send(WindowUpdateFrame(0, 2**31 - 65536)).get(f"/{name}/zeros"), c.get("/nginx-h1/large")
                c.streams[stalled].data = body = Zeros()
                self.assertTrue(c.run(lambda: len(body) == 65535), body.size)
                # Larger than all buffers: what may pile up has piled up behind it.
                self.assertTrue(c.send(WindowUpdateFrame(sibling, 2**31 - 65536)).answer(sibling).data == FILES["large"])
                self.assertEqual(len(body), 65535)
                c.send(WindowUpdateFrame(stalled, 2**31 - 65536)).answer(stalled, 6 * PATIENCE)
                self.assertEqual((len(body), c.streams[stalled].ended), (1024 * MiB, True))

    def test_upload(self):
        """By curl to nghttpd, which is stopped for a while. It counts by itself: content-length and DATA must agree."""
        for name in ("nghttpd-by-haproxy", "nghttpd"):
            with self.subTest(name), Proxy(ALBATROSS, config(GROUPS)) as proxy, proxy.grows_less_than(16):
                each = ("-sS", "--cacert", CERT[0], "-o/dev/null", "-w%{response_code} %{size_upload} %{size_download} %{num_connects}\n")
                url = f"https://127.0.0.1:{proxy.ports['https']}"
                run("curl", *each, f"{url}/{name}/small")  # to be connected
                NGHTTPD.send_signal(signal.SIGSTOP)
                try:
                    curl = start("curl", "-Z", "-X", "PATCH", "-T", f"{FOLDER}/www/zeros", *each, f"{url}/{name}/small",
                                 "--next", *each, f"{url}/nginx-h1/large", log="curl.log")
                    sibling = proxy.log(2)[1]
                    self.assertEqual((sibling["request_uri"], sibling["status"]), ("/nginx-h1/large", 200))
                    self.assertEqual(proxy.metric("albatross_upstream_requests_in_flight", server_group=name), 1)
                finally:
                    NGHTTPD.send_signal(signal.SIGCONT)
                self.assertEqual(curl.wait(6 * PATIENCE), 0)
                self.assertIn(f"200 0 {64 * MiB} 0\n200 {1024 * MiB} 6 1\n", read("curl.log").decode())


if __name__ == "__main__":
    unittest.main(verbosity=2)
