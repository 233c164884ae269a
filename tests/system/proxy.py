"""What the tests of the whole program share: a running albatross, a certificate, waiting, tables of cases.

Ports come from the kernel, every wait ends, and what was started is stopped by its process id.
"""
import contextlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

PATIENCE = 10.0


def wait_for(condition, what="a condition", seconds=PATIENCE):
    """The first true value of condition()."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"timed out waiting for {what}")
        time.sleep(0.005)  # a poll interval, not a synchronisation


def make_certificate(folder, names=("localhost",)):
    """A self-signed one; returns (certificate, key)."""
    cert, key = f"{folder}/{names[0]}.pem", f"{folder}/{names[0]}.key"
    alt = ",".join(f"DNS:{n}" for n in names) + ",IP:127.0.0.1"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert,
         "-days", "2", "-subj", f"/CN={names[0]}", "-addext", f"subjectAltName={alt}"],
        check=True, capture_output=True)
    return cert, key


def client_tls(alpn=("h2",)):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(alpn))
    return context


class Proxy:
    """albatross with a configuration (a dict; binds of port 0 are fine). Use as a context manager."""

    def __init__(self, albatross, config):
        self.folder = tempfile.TemporaryDirectory()
        self.path = f"{self.folder.name}/albatross.json"
        self.log_path = f"{self.folder.name}/access.log"
        self.out_path = f"{self.folder.name}/out.log"
        self.admin_path = f"{self.folder.name}/admin.sock"
        config.setdefault("admin", {"bind": f"unix:{self.admin_path}"})
        config.setdefault("access_log", {"path": self.log_path})
        config.setdefault("workers", 1)
        self.config = config
        self.write(config)
        self.albatross = albatross
        with open(albatross, "rb") as f:
            self.asan = b"__asan_init" in f.read()
        env = dict(os.environ)
        # What AddressSanitizer keeps of freed memory would look like a leak.
        env["ASAN_OPTIONS"] = "quarantine_size_mb=4:" + env.get("ASAN_OPTIONS", "")
        with open(self.out_path, "w") as out:
            self.process = subprocess.Popen([albatross, "run", "-c", self.path], stdin=subprocess.DEVNULL, env=env, stdout=out,
                                            stderr=subprocess.STDOUT)
        try:
            self.ports = {l["name"]: self._port(l["name"]) for l in config["listeners"]}
            wait_for(lambda: os.path.exists(self.admin_path), "the admin socket")
        except BaseException:
            self.stop()
            raise

    def write(self, config):
        with open(self.path, "w") as f:
            json.dump(config, f)

    def _port(self, name):
        def look():
            if self.process.poll() is not None:
                raise AssertionError("albatross ended:\n" + self.output())
            return re.search(rf"\b{re.escape(name)} listens on \S+:(\d+)$", self.output(), re.M)
        return int(wait_for(look, f"listener {name}")[1])

    def output(self):
        with open(self.out_path) as f:
            return f.read()

    def log(self, lines=0):
        """The access log, once it has that many lines."""
        def read():
            if not os.path.exists(self.log_path):
                return []
            with open(self.log_path) as f:
                return [json.loads(l) for l in f.read().split("\n")[:-1]]  # the last may be half written
        return wait_for(lambda: (len(read()) >= lines and [read()]), f"{lines} log lines, have {len(read())}")[0]

    def ask_admin(self, method, path, body=""):
        """Status and body."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE * 3)
            s.connect(self.admin_path)
            s.sendall(f"{method} {path} HTTP/1.1\r\nHost: admin\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
            answer = b""
            while piece := s.recv(65536):
                answer += piece
        head, body = answer.split(b"\r\n\r\n", 1)
        return int(head.split()[1]), body.decode()

    def get_admin(self, path):
        return self.ask_admin("GET", path)[1]

    def metric(self, name, **labels):
        """The sum of the series that have these labels."""
        total = 0.0
        for line in self.get_admin("/metrics").splitlines():
            m = re.match(r"([a-z_]+)(?:\{(.*)\})? (\S+)$", line)
            if m and m[1] == name and all(f'{k}="{v}"' in (m[2] or "") for k, v in labels.items()):
                total += float(m[3])
        return total

    def rss(self):
        """Resident bytes."""
        with open(f"/proc/{self.process.pid}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    @contextlib.contextmanager
    def grows_less_than(self, mib):
        """The highest resident size within, against that before."""
        with open(f"/proc/{self.process.pid}/clear_refs", "w") as f:
            f.write("5")  # the peak starts anew
        before = self.rss()
        yield
        with open(f"/proc/{self.process.pid}/status") as f:
            peak = next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM"))
        if peak - before >= self.memory(mib << 20):
            raise AssertionError(f"resident bytes from {before} to {peak}")

    def memory(self, size):
        """What that many bytes may be with AddressSanitizer's red zones."""
        return size * 4 if self.asan else size

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        """SIGTERM, then the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE * 3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            sys.stderr.write(self.output()[-4000:])
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.folder.cleanup()


def albatross_path():
    """The program under test: ALBATROSS, or the first argument."""
    path = os.environ.get("ALBATROSS") or (sys.argv.pop(1) if len(sys.argv) > 1 else "")
    if not path:
        sys.exit("usage: ALBATROSS=path/to/albatross NAME_test.py")
    return path
