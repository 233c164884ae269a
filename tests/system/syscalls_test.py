#!/usr/bin/env python3
"""Four data system calls a plain kept-alive request, with 30 fields, access log, metrics and three header actions on. Over
HTTP/2 all streams that are ready in a turn leave in one write: far fewer.

    ALBATROSS=path/to/albatross syscalls_test.py
Skipped (77) where strace is missing or may not attach.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

REQUESTS = 500
SKIPPED = 77


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)  # a poll interval, not a synchronisation
    sys.exit("timed out")


def start(command, log):
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def port_of(log_file):
    found = wait_for(lambda: re.search(r"listens on http://127\.0\.0\.1:(\d+)", open(log_file).read()))
    return int(found[1])


def ask(connection, request):
    connection.sendall(request)
    answer = b""
    while not answer.endswith(b"hello"):
        piece = connection.recv(65536)
        if not piece:
            sys.exit(f"the connection ended: {answer!r}")
        answer += piece
    if not answer.startswith(b"HTTP/1.1 200"):
        sys.exit(f"unexpected answer: {answer!r}")


def main():
    albatross = os.environ["ALBATROSS"]
    if not shutil.which("strace"):
        print("strace is not installed")
        return SKIPPED
    processes = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            server_log = f"{folder}/server.log"
            processes.append(start([albatross, "respond", "--listen", "127.0.0.1:0", "--body", "hello"], open(server_log, "w")))
            config = {
                "listeners": [{
                    "name": "web", "bind": "127.0.0.1:0", "protocol": "http", "http2": True,
                    "rules": [{"name": "r", "priority": 1, "conditions": [{"path": ["/x/*"]}],
                               "actions": [{"insert_header": {"name": "x-a", "value": "${client_ip}"}},
                                           {"insert_header": {"name": "x-b", "value": "b"}},
                                           {"remove_header": {"name": "x-2"}}, {"forward": "g"}]}],
                    "default_actions": [{"forward": "g"}]}],
                "server_groups": [{"name": "g", "servers": [{"address": f"127.0.0.1:{port_of(server_log)}"}]}],
                "access_log": {"path": f"{folder}/access.log"}, "admin": "off", "workers": 1}
            with open(f"{folder}/albatross.json", "w") as f:
                json.dump(config, f)
            proxy_log = f"{folder}/proxy.log"
            proxy = start([albatross, "run", "-c", f"{folder}/albatross.json"], open(proxy_log, "w"))
            processes.append(proxy)
            connection = socket.create_connection(("127.0.0.1", port_of(proxy_log)), 10)
            fields = "".join(f"X-{i}: some value of a usual length\r\n" for i in range(28))
            request = f"GET /x/y?q=1 HTTP/1.1\r\nHost: app.test\r\nUser-Agent: test\r\n{fields}\r\n".encode()
            for _ in range(20):
                ask(connection, request)
            trace = f"{folder}/trace"
            strace = start(["strace", "-f", "-qq", "-o", trace, "-e", "trace=network,epoll_ctl,epoll_wait,readv,writev", "-p", str(proxy.pid)],
                           open(f"{folder}/strace.log", "w"))
            processes.append(strace)

            # Attached once a request shows in the trace.
            def attached():
                ask(connection, request)
                return strace.poll() is not None or (os.path.exists(trace) and "recvfrom" in open(trace).read())
            wait_for(attached)
            if strace.poll() is not None:
                print("strace may not attach here:", open(f"{folder}/strace.log").read())
                return SKIPPED
            before = len(open(trace).read().splitlines())
            for _ in range(REQUESTS):
                ask(connection, request)
            middle = len(open(trace).read().splitlines())
            load = shutil.which("h2load") and subprocess.run(
                ["h2load", "-n", str(REQUESTS * 4), "-c", "1", "-m", "32", f"http://127.0.0.1:{port_of(proxy_log)}/"], capture_output=True, text=True)
            strace.send_signal(signal.SIGINT)
            strace.wait(10)
            lines = open(trace).read().splitlines()
            calls = lines[before:middle]
            count = lambda names: sum(1 for line in calls if re.match(rf"\d+ +(<\.\.\. )?({names})\b", line) and "unfinished" not in line)
            data = count("recvfrom|recvmsg|sendto|sendmsg|readv|writev")
            control = count("epoll_ctl|connect|accept4|getsockopt|setsockopt|shutdown")
            print(f"{REQUESTS} requests: {data / REQUESTS:.2f} data calls, {control / REQUESTS:.2f} control calls, "
                  f"{count('epoll_wait') / REQUESTS:.2f} waits a request")
            if load:
                if f"{REQUESTS * 4} succeeded" not in load.stdout:
                    sys.exit(load.stdout)
                calls = lines[middle:]
                many = count("recvfrom|recvmsg|sendto|sendmsg|readv|writev") / (REQUESTS * 4)
                print(f"HTTP/2, 32 streams at once: {many:.2f} data calls a request")
                # A call each way to the server, which speaks HTTP/1.1; the client's are shared.
                if many > 2.5:
                    return 1
            return 0 if data <= REQUESTS * 4.05 and control <= REQUESTS * 0.05 else 1
        finally:
            for p in reversed(processes):
                if p.poll() is None:
                    p.terminate()
                    p.wait(10)


sys.exit(main())
