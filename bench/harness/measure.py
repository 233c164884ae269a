"""One load against one peer, and what it cost the peer."""
import json
import math
import re
import resource
import socket
import ssl
import subprocess
import time

from .process import Process, busy_seconds


def children_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def loadgen(work, case, port, seconds):
    return [f"{work}/loadgen", "-d", str(seconds), *case.args, f"127.0.0.1:{port}"], json.loads


def h2load(work, case, port, seconds):
    whole = max(1, math.ceil(seconds))
    log = f"{work}/h2load.log"
    open(log, "w").close()

    def parse(text):
        done, failed = re.search(r"requests: .* (\d+) succeeded, (\d+) failed", text).groups()
        other = re.search(r"status codes: \d+ 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text).groups()
        with open(log) as f:
            latencies = sorted(int(line.split()[2]) for line in f if len(line.split()) == 3)
        at = {name: float(latencies[min(len(latencies) - 1, int(len(latencies) * q))]) if latencies else 0.0
              for name, q in (("p50", .5), ("p90", .9), ("p99", .99), ("p999", .999), ("max", 1))}
        return {"requests": int(done), "all": int(done), "rps": int(done) / whole, "errors": int(failed),
                "not_200": sum(map(int, other)), **at}

    return ["h2load", "-D", str(whole), "--log-file", log, "--tls13-ciphers=TLS_AES_128_GCM_SHA256", *case.args,
            f"https://127.0.0.1:{port}/1k"], parse


def load(case, peer, backend, work, cores, seconds):
    """Runs the case's load; the proxy's exact CPU time is divided by every request that it answered meanwhile."""
    command, parse = {"loadgen": loadgen, "h2load": h2load}[case.tool](work, case, peer.port, seconds)
    peer0, backend0, load0, busy0 = peer.cpu_ns(), backend.cpu_ns(), children_seconds(), busy_seconds()
    start = time.monotonic()
    with Process(command, cores, stdout=subprocess.PIPE, text=True).popen as client:
        output, _ = client.communicate(timeout=seconds + 60)
    wall = time.monotonic() - start
    busy, used = busy_seconds() - busy0, children_seconds() - load0
    peer_ns, backend_ns = peer.cpu_ns() - peer0, backend.cpu_ns() - backend0
    try:
        result = parse(output)
    except (ValueError, AttributeError):
        return {"failed": f"the load ended with code {client.returncode}"}
    if not result["all"]:
        return {"failed": "no request was answered"}
    result["cpu_us"] = peer_ns / 1000 / result["all"]
    result["foreign_percent"] = max(0.0, busy - used - (peer_ns + backend_ns) / 1e9) / wall * 100
    return result


def idle(case, peer, work, cores, connections):
    """What the peer's memory grows by for each connection that has had one answer and then stays."""
    target = [*case.args, f"127.0.0.1:{peer.port}"]
    subprocess.run([f"{work}/loadgen", "-c", "32", "-d", "0.5", "-w", "0", *target], stdout=subprocess.DEVNULL,
                   timeout=30, check=False)
    time.sleep(0.3)
    before = peer.rss_bytes()
    client = Process([f"{work}/loadgen", "-i", "-c", str(connections), "-d", "60", *target], cores,
                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True).popen
    with client:
        ready = re.match(r"READY (\d+) errors (\d+)", client.stdout.readline())
        time.sleep(1)
        after = peer.rss_bytes()
        cpu0 = peer.cpu_ns()
        time.sleep(1)
        cpu = peer.cpu_ns() - cpu0
    held, errors = (int(x) for x in ready.groups()) if ready else (0, 0)
    if not held:
        return {"failed": "no connection could be held"}
    return {"connections": held, "errors": errors, "base_bytes": before,
            "bytes_per_connection": (after - before) / held, "idle_cpu_percent": cpu / 1e9 * 100}


def speaks_h2(port):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as s, context.wrap_socket(s) as tls:
            return tls.selected_alpn_protocol() == "h2"
    except OSError:
        return False
