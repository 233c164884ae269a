"""Programs that the benchmark starts, and what the kernel counts for them."""
import glob
import os
import re
import signal
import socket
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")


class Process:
    """A program in a session of its own, on given cores; stop() ends it and what it started."""

    def __init__(self, command, cores, log=None, **streams):
        self.log = log
        streams.setdefault("stdin", subprocess.DEVNULL)
        with open(log or os.devnull, "wb") as out:
            streams.setdefault("stdout", out)
            self.popen = subprocess.Popen(command, stderr=out, start_new_session=True,
                                          preexec_fn=lambda: os.sched_setaffinity(0, cores), **streams)
        self.pid = self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def wait_for(self, port, seconds=60):
        """True once something accepts on the port; False if the program ended or did not get there."""
        end = time.monotonic() + seconds
        while self.running() and time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            except OSError:
                time.sleep(0.05)
        return False

    def last_words(self):
        with open(self.log, errors="replace") as f:
            return f.read()[-300:].strip()

    def stop(self):
        for sig in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.pid, sig)
                self.popen.wait(5)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue

    def pids(self):
        """The program and its descendants."""
        children, found = {}, [self.pid]
        for path in glob.glob("/proc/[0-9]*/stat"):
            try:
                with open(path) as f:
                    text = f.read()
            except OSError:
                continue
            parent = int(text[text.rindex(")") + 2:].split()[1])
            children.setdefault(parent, []).append(int(text.split(" ", 1)[0]))
        for pid in found:
            found.extend(children.get(pid, []))
        return found

    def cpu_ns(self):
        """The exact time that all its threads ran."""
        total = 0
        for pid in self.pids():
            for path in glob.glob(f"/proc/{pid}/task/[0-9]*/schedstat"):
                try:
                    with open(path) as f:
                        total += int(f.read().split()[0])
                except OSError:
                    pass
        return total

    def rss_bytes(self):
        total = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/status") as f:
                    total += sum(int(line.split()[1]) for line in f if line.startswith("VmRSS")) * 1024
            except OSError:
                pass
        return total


def busy_seconds():
    """What all cores together have worked since boot, whoever it was for."""
    total = 0
    with open("/proc/stat") as f:
        for line in f:
            if re.match(r"cpu\d", line):
                fields = [int(x) for x in line.split()[1:]]
                total += sum(fields[:3]) + sum(fields[5:8])
    return total / TICK
