"""Runs the cases: rounds go A B C A B C, so that a drift of the machine meets every peer alike."""
import itertools
import os
import sys

from . import measure
from .peers import Job, command
from .process import Process

BACKEND, BACKEND_H2, FIRST_PORT = 29001, 29002, 21000
TRIES = 3


class Runner:
    def __init__(self, options, columns):
        self.options, self.columns, self.work = options, columns, options.work
        cores = sorted(os.sched_getaffinity(0))
        self.proxy_cores = tuple(cores[:options.workers])
        self.load_cores = tuple(cores[options.workers:] or cores[-1:])
        self.ports = itertools.count(FIRST_PORT)
        self.live, self.notes, self.runs = {}, [], []
        self.backend = Process([f"{self.work}/backend", str(BACKEND)], self.load_cores)
        self.backend_h2 = None

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)
            self.say(f"  {text}")

    def start(self, case, name):
        """A running peer, or None with a note why."""
        job = Job(f"{self.work}/{name}", next(self.ports), next(self.ports), BACKEND, BACKEND_H2,
                  f"{self.work}/bench.test.pem", f"{self.work}/bench.test.key", self.proxy_cores, case.rules,
                  case.upstream_h2)
        line = command(name, job, self.options.binary)
        peer = Process(line, self.proxy_cores, f"{job.directory}/log")
        self.live[name] = peer
        peer.port = job.tls if case.tls else job.plain
        if not peer.wait_for(peer.port):
            self.note(f"{case.rows[0].title}: {name} did not start: {peer.last_words()}")
        elif case.tool == "h2load" and not measure.speaks_h2(peer.port):
            self.note(f"{case.rows[0].title}: {name} does not speak HTTP/2")
        else:
            return peer
        self.stop(name)
        return None

    def stop(self, name):
        self.live.pop(name).stop()

    def stop_all(self):
        for name in list(self.live):
            self.stop(name)
        for backend in (self.backend, self.backend_h2):
            if backend:
                backend.stop()

    def record(self, case, name, number, result):
        self.runs.append({"case": case.rows[0].title, "scenario": case.scenario, "peer": name, "round": number,
                          **result})
        bad = {k: result[k] for k in ("failed", "errors", "not_200") if result.get(k)}
        if bad:
            self.note(f"{case.rows[0].title}: {name}: " + ", ".join(f"{k}: {v}" for k, v in bad.items()))

    def run(self, case):
        self.say(case.rows[0].title)
        if case.tool == "idle":
            self.run_idle(case)
        else:
            self.run_load(case)

    def run_idle(self, case):
        for number in range(min(self.options.rounds, 3)):
            for name in case.peers(self.columns):
                peer = self.start(case, name)
                if peer:
                    result = measure.idle(case, peer, self.work, self.load_cores, self.options.idle)
                    self.record(case, name, number, result)
                    self.stop(name)

    def run_load(self, case):
        if case.upstream_h2 and not self.backend_h2:
            self.backend_h2 = Process(["nghttpd", "--no-tls", "-d", f"{self.work}/files", "--address=127.0.0.1",
                                       str(BACKEND_H2)], self.load_cores)
            self.backend_h2.wait_for(BACKEND_H2)
        backend = self.backend_h2 if case.upstream_h2 else self.backend
        names = [name for name in case.peers(self.columns) if self.start(case, name)]
        for number in range(self.options.rounds):
            for name in names:
                peer = self.live[name]
                for tries in range(1, TRIES + 1):
                    result = measure.load(case, peer, backend, self.work, self.load_cores, self.options.dur)
                    if result.get("foreign_percent", 0) <= self.options.dirty:
                        break
                self.record(case, name, number, {**result, "tries": tries})
        for name in names:
            self.stop(name)
