#!/usr/bin/env python3
"""Rollouts of the running program: a good version gets everything, a bad one loses everything at once, and both are kept
over reloads, take-overs and restarts.

    ALBATROSS=path/to/albatross rollout_test.py [TestClass.test]
"""
import datetime
import http.client
import http.server
import itertools
import json
import math
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
import unittest

from proxy import PATIENCE, Proxy, albatross_path, wait_for

ALBATROSS = albatross_path()


class Version:
    """A server that answers with its name, fails that share of its requests and takes that many seconds for each."""

    def __init__(self, name):
        self.name, self.fails, self.takes = name, 0.0, 0.0
        version = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):
                fails = random.random() < version.fails
                if version.takes and not fails:  # failures are quick, as they often are
                    threading.Event().wait(version.takes)
                body = version.name.encode()
                self.send_response(500 if fails else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"127.0.0.1:{self.server.server_port}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Load:
    """Requests from several clients, one after another from each, until it is stopped."""

    def __init__(self, port, clients=4, most=200_000):
        self.port, self.over, self.left = port, threading.Event(), itertools.count()
        self.most = most
        self.broken = []
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(clients)]
        for t in self.threads:
            t.start()

    def run(self):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        while not self.over.is_set() and next(self.left) < self.most:
            try:
                c.request("GET", "/")
                c.getresponse().read()
            except (OSError, http.client.HTTPException) as e:
                self.broken.append(e)
                c.close()
        c.close()

    def stop(self):
        self.over.set()
        for t in self.threads:
            t.join(PATIENCE)


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Rollout(unittest.TestCase):
    def setUp(self):
        self.blue, self.green = Version("blue"), Version("green")
        self.addCleanup(self.blue.stop)
        self.addCleanup(self.green.stop)
        self.state = self.enterContext(tempfile.TemporaryDirectory()) + "/state"

    def config(self, rollout=None, **forward):
        rollout = {"to": "green", "steps": [20, 50, 100], "pause": "1s", "minimum": 20, **(rollout or {})}
        return {"listeners": [{"name": "web", "bind": "127.0.0.1:0", "rules": [
            {"name": "api", "priority": 1, "conditions": [{"path": "*"}], "actions": [{"forward": {
                "groups": [{"name": "blue"}, {"name": "green", "weight": 0}], "rollout": rollout, **forward}}]}],
            "default_actions": [{"fixed_response": {}}]}],
            "server_groups": [{"name": v.name, "servers": [{"address": v.address}], "retries": False} for v in (self.blue, self.green)],
            "state_dir": self.state, "workers": 2}

    def start(self, **more):
        return self.enterContext(Proxy(ALBATROSS, self.config(**more)))

    def load(self, proxy, **more):
        load = Load(proxy.ports["web"], **more)
        self.addCleanup(load.stop)
        return load

    def command(self, proxy, *words, code=0):
        r = subprocess.run([ALBATROSS, "rollout", *words, "--admin", f"unix:{proxy.admin_path}"], capture_output=True, text=True,
                           timeout=PATIENCE)
        self.assertEqual(r.returncode, code, r.stdout + r.stderr)
        return r.stdout + r.stderr

    def rollouts(self, proxy):
        return json.loads(proxy.get_admin("/v1/rollouts"))

    def wait_phase(self, proxy, phase, patience=PATIENCE * 3):
        """The last rollout, once it is in that phase."""
        return wait_for(lambda: [r for r in self.rollouts(proxy)[:1] if r["phase"] == phase], f"the phase {phase}", patience)[0]

    def weights(self, proxy):
        return {g: w["weight"] for g, w in json.loads(proxy.get_admin("/v1/status"))["listeners"][0]["weights"]["web/api"].items()}

    def ask(self, proxy, **headers):
        c = http.client.HTTPConnection("127.0.0.1", proxy.ports["web"], timeout=PATIENCE)
        c.request("GET", "/", headers=headers)
        r = c.getresponse()
        body = r.read().decode()
        c.close()
        return body, r.getheader("set-cookie")


class Runs(Rollout):
    def test_a_good_version_gets_everything_step_by_step(self):
        proxy = self.start()
        self.assertEqual(self.ask(proxy)[0], "blue")
        self.assertEqual(self.command(proxy, "start", "web/api"), "green gets 20 % of the requests of web/api\n")
        self.assertEqual(self.weights(proxy), {"blue": 8000, "green": 2000})
        self.load(proxy)
        done = self.wait_phase(proxy, "done")
        self.assertEqual(self.weights(proxy), {"blue": 0, "green": 10000})
        self.assertEqual([e["decided"] for e in done["record"]], ["started", "next step", "next step", "done"])
        times = [seconds(e["time"]) for e in done["record"]]
        for earlier, later in zip(times, times[1:]):
            self.assertGreaterEqual(later - earlier, 1)
        self.assertIn("write these weights into the file", done["record"][-1]["done"])
        self.assertGreater(proxy.metric("albatross_rollout_requests_total", rule="web/api", server_group="green"), 40)
        self.assertIn("done at 100 %", self.command(proxy, "status"))
        self.assertIn("rollout of web/api: done: ", proxy.output())

    def test_a_step_waits_for_its_requests(self):
        proxy = self.start(rollout={"minimum": 1000})
        self.command(proxy, "start", "web/api")
        for _ in range(20):
            self.ask(proxy)
        began = seconds(self.rollouts(proxy)[0]["step_began"])
        wait_for(lambda: time.time() > began + 1.3, "the end of the pause")  # nothing happens then, which is what is tested
        [r] = self.rollouts(proxy)
        self.assertEqual((r["phase"], r["percent"], r["step"]), ("running", 20, 1))

    def test_a_bad_version_loses_everything_within_50_ms_of_the_response_that_decides(self):
        self.blue.fails = 0.01
        self.green.fails = 0.5
        proxy = self.start(rollout={"pause": "60s"})
        load = self.load(proxy)
        delays = []
        # Once is enough: a machine that is busy with other tests may take its time.
        while not delays or (min(delays) >= 0.05 and len(delays) < 5):
            self.command(proxy, "start", "web/api")
            end = self.wait_phase(proxy, "aborted")
            self.assertEqual(self.weights(proxy), {"blue": 10000, "green": 0})
            self.assertIn("green failed", end["record"][-1]["seen"])
            self.assertIn("green=0", end["record"][-1]["done"])
            began, aborted = seconds(end["record"][0]["time"]), seconds(end["record"][-1]["time"])
            wait_for(lambda: time.time() > aborted + 0.2, "some more load")
            lines = [l for l in proxy.log(1) if seconds(l["time"]) >= began - 1]
            self.assertEqual([l for l in lines if l["server_group"] == "green" and seconds(l["time"]) > aborted + 0.05], [])
            delays.append(aborted - self.deciding_response(lines, began))
        self.assertLess(min(delays), 0.05)
        load.stop()
        self.assertEqual(load.broken, [])

    def deciding_response(self, lines, began):
        """When the response came that made a fault certain, by the formula of process/rollout/evidence.h."""
        counts = {"blue": [0, 0], "green": [0, 0]}
        ended = sorted((seconds(l["time"]) + l["request_time"], l["server_group"], l["status"]) for l in lines)
        for at, group, status in ended:
            if at < began:
                continue
            counts[group][0] += 1
            counts[group][1] += status >= 500
            (olds, old_failures), (news, new_failures) = counts["blue"], counts["green"]
            if not olds or not news:
                continue
            ratio = 0
            for factor, weight in ((2, 0.5), (6, 0.25), (20, 0.25)):
                equal, worse = news / (news + olds), factor * news / (factor * news + olds)
                ratio += weight * math.exp(new_failures * math.log(worse / equal) + old_failures * math.log((1 - worse) / (1 - equal)))
            if ratio >= 1 / 0.004:
                return at
        self.fail("nothing was certain")

    def test_failures_that_are_quicker_than_successes_are_not_taken_for_more(self):
        self.blue.fails = self.green.fails = 0.05
        self.blue.takes = self.green.takes = 0.5
        proxy = self.start(rollout={"pause": "60s"})
        self.load(proxy, clients=40)
        self.command(proxy, "start", "web/api")
        wait_for(lambda: self.rollouts(proxy)[0]["phase"] != "running" or self.rollouts(proxy)[0]["new"]["failures"] >= 5, "some failures", PATIENCE * 3)
        self.assertEqual(self.rollouts(proxy)[0]["phase"], "running")

    def test_at_100_percent_nothing_is_left_to_compare_with(self):
        self.blue.takes = 0.2  # some of its answers come after the step has begun
        proxy = self.start(rollout={"steps": [50, 100], "pause": "2s", "minimum": 10})
        self.load(proxy, clients=16)
        self.command(proxy, "start", "web/api")
        wait_for(lambda: self.rollouts(proxy)[0]["percent"] == 100, "the last step")
        self.green.fails = 0.5
        self.assertEqual(self.wait_phase(proxy, "done")["record"][-1]["decided"], "done")

    def test_a_slow_version_is_aborted(self):
        self.green.takes = 0.05
        proxy = self.start(rollout={"pause": "60s", "abort_if": {"errors": "off", "p99": 2}})
        self.load(proxy, clients=8)
        self.command(proxy, "start", "web/api")
        end = self.wait_phase(proxy, "aborted")
        self.assertIn("its p99 is ", end["record"][-1]["seen"])

    def test_a_metric_aborts(self):
        proxy = self.start(rollout={"pause": "60s", "abort_if": {"errors": "off", "metrics": {"albatross_upstream_connect_failures_total": 3}}})
        self.green.stop()
        self.load(proxy)
        self.command(proxy, "start", "web/api")
        end = self.wait_phase(proxy, "aborted")
        self.assertIn("albatross_upstream_connect_failures_total of green: ", end["record"][-1]["seen"])

    def test_clients_that_stick_to_the_version_leave_it_with_their_next_request(self):
        proxy = self.start(sticky="1h")
        self.command(proxy, "start", "web/api")
        cookie = wait_for(lambda: next((c for body, c in [self.ask(proxy)] if body == "green"), None), "a client of green").split(";")[0]
        self.assertEqual(self.ask(proxy, Cookie=cookie)[0], "green")
        self.command(proxy, "abort", "web/api")
        self.assertEqual(self.ask(proxy, Cookie=cookie)[0], "blue")


class Commands(Rollout):
    def test_pause_promote_abort_undo(self):
        proxy = self.start(rollout={"pause": "60s"})
        self.assertIn("would be: green gets 20 %", self.command(proxy, "start", "web/api", "--dry-run"))
        self.assertEqual(self.command(proxy, "status"), "no rollout was started\n")
        self.command(proxy, "start", "web/api")
        self.assertIn("is running already, at 20 %", self.command(proxy, "start", "web/api", code=1))
        weight = subprocess.run([ALBATROSS, "weight", "web/api", "green=7", "--admin", f"unix:{proxy.admin_path}"], capture_output=True,
                                text=True, timeout=PATIENCE)
        self.assertIn("a rollout moves the weights of web/api: pause, abort or undo it first", weight.stderr)
        self.assertIn("stays at 20 %", self.command(proxy, "pause", "web/api"))
        self.assertIn("the rollout of web/api is paused", self.command(proxy, "pause", "web/api", code=1))
        self.assertIn("goes on at 20 %", self.command(proxy, "start", "web/api"))
        self.assertIn("green=10000", self.command(proxy, "promote", "web/api"))
        self.assertEqual(self.ask(proxy)[0], "green")
        self.assertIn("green=0", self.command(proxy, "abort", "web/api"))
        self.assertEqual(self.ask(proxy)[0], "blue")
        self.assertIn("as in the file", self.command(proxy, "undo", "web/api"))
        self.assertEqual(self.weights(proxy), {"blue": 100, "green": 0})
        self.assertIn("is ended", self.command(proxy, "undo", "web/api", code=1))
        [r] = self.rollouts(proxy)
        self.assertEqual([e["decided"] for e in r["record"]],
                         ["started", "paused by command", "goes on by command", "promoted by command", "aborted by command", "undone by command"])
        self.command(proxy, "start", "web/api")
        self.assertEqual([r["phase"] for r in self.rollouts(proxy)], ["running", "ended"])
        status = subprocess.run([ALBATROSS, "status", "--admin", f"unix:{proxy.admin_path}"], capture_output=True, text=True, timeout=PATIENCE)
        self.assertRegex(status.stdout, r"ROLLOUT +TO .*\nweb/api +green +20 % +0 +0 +running, step 1 of 3")

    def test_what_is_unknown_is_told(self):
        proxy = self.start()
        self.assertIn("no rule with a rollout is named web/apj; there are web/api", self.command(proxy, "start", "web/apj", code=1))
        self.assertIn("no rollout of web/api was started; there is none", self.command(proxy, "abort", "web/api", code=1))
        self.assertIn("write LISTENER/RULE", self.command(proxy, "start", code=2))
        self.command(proxy, "begin", "web/api", code=2)


class Survives(Rollout):
    def test_a_reload_keeps_it_and_one_that_changes_it_ends_it(self):
        proxy = self.start(rollout={"pause": "60s"})
        self.command(proxy, "start", "web/api")
        proxy.config["listeners"][0]["default_actions"] = [{"fixed_response": {"body": "new"}}]
        proxy.write(proxy.config)
        self.assertEqual(proxy.ask_admin("POST", "/v1/reload")[0], 200)
        self.assertEqual(self.weights(proxy), {"blue": 8000, "green": 2000})
        self.green.fails = 1
        load = self.load(proxy)
        self.wait_phase(proxy, "aborted")  # it is still watched
        load.stop()
        self.command(proxy, "start", "web/api")
        proxy.config["listeners"][0]["rules"][0]["actions"][0]["forward"]["rollout"]["steps"] = [10, 100]
        proxy.write(proxy.config)
        self.assertEqual(proxy.ask_admin("POST", "/v1/reload")[0], 200)
        self.assertEqual(self.weights(proxy), {"blue": 100, "green": 0})
        self.assertIn("the file has another rollout, or none", self.rollouts(proxy)[0]["record"][-1]["seen"])

    def test_weights_of_the_file_are_in_force_once_it_has_others(self):
        proxy = self.start(rollout={"steps": [10, 50]})
        forward = proxy.config["listeners"][0]["rules"][0]["actions"][0]["forward"]
        self.load(proxy)
        self.command(proxy, "start", "web/api")
        self.wait_phase(proxy, "done")
        self.assertEqual(self.weights(proxy), {"blue": 5000, "green": 5000})
        forward["groups"][1]["weight"] = 100
        proxy.write(proxy.config)
        self.assertEqual(proxy.ask_admin("POST", "/v1/reload")[0], 200)
        self.assertEqual(self.weights(proxy), {"blue": 100, "green": 100})
        self.assertEqual(self.rollouts(proxy)[0]["phase"], "ended")
        forward["groups"][0]["weight"] = 0  # all is moved, and the rollout stays for the next time
        proxy.write(proxy.config)
        self.assertEqual(proxy.ask_admin("POST", "/v1/reload")[0], 200)
        self.assertIn("there is nothing to move", self.command(proxy, "start", "web/api", code=1))

    def test_a_process_that_takes_over_goes_on(self):
        proxy = self.start(rollout={"pause": "3s", "steps": [20, 60]})
        self.command(proxy, "start", "web/api")
        began = self.rollouts(proxy)[0]["step_began"]
        proxy.process.send_signal(signal.SIGUSR2)
        wait_for(lambda: json.loads(proxy.get_admin("/v1/status"))["process"] != proxy.process.pid, "the new process", PATIENCE * 2)
        new = json.loads(proxy.get_admin("/v1/status"))["process"]
        self.addCleanup(self.end, new)
        [r] = self.rollouts(proxy)
        self.assertEqual((r["phase"], r["percent"], r["step_began"]), ("running", 20, began))
        self.assertEqual(self.weights(proxy), {"blue": 8000, "green": 2000})
        self.load(proxy)
        r = wait_for(lambda: [r for r in self.rollouts(proxy) if r["percent"] == 60], "the next step")[0]
        self.assertLess(seconds(r["record"][-1]["time"]) - seconds(began), 5)
        self.green.fails = 1
        self.wait_phase(proxy, "aborted")

    def end(self, process):
        os.kill(process, signal.SIGTERM)
        def is_over():
            try:
                with open(f"/proc/{process}/stat") as f:
                    return f.read().split()[2] == "Z"
            except FileNotFoundError:
                return True
        wait_for(is_over, "its end", PATIENCE * 4)

    def test_the_record_outlives_the_process(self):
        proxy = self.start(rollout={"pause": "60s"})
        self.command(proxy, "start", "web/api")
        self.assertEqual(os.stat(self.state).st_mode & 0o777, 0o700)
        proxy.process.kill()
        proxy.process.wait(PATIENCE)
        again = self.start(rollout={"pause": "60s"})
        self.assertEqual(self.weights(again), {"blue": 100, "green": 0})
        [r] = self.rollouts(again)
        self.assertEqual((r["phase"], [e["decided"] for e in r["record"]]), ("ended", ["started", "ended"]))

    def test_a_folder_that_cannot_be_written_is_told_and_loses_nothing_else(self):
        with open(self.state, "w") as f:
            f.write("a file")
        proxy = self.start(rollout={"pause": "60s"})
        self.command(proxy, "start", "web/api")
        self.assertEqual(self.weights(proxy), {"blue": 8000, "green": 2000})
        self.assertIn(f"the record of rollouts is not kept: {self.state}", proxy.output())


del Rollout  # what only others are made of

if __name__ == "__main__":
    unittest.main()
