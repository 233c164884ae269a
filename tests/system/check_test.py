#!/usr/bin/env python3
"""What `albatross check` and `albatross diff` print and exit with, in each of their formats.

    ALBATROSS=path/to/albatross check_test.py [TestClass.test]
"""
import http.client
import http.server
import json
import pathlib
import re
import shlex
import subprocess
import tempfile
import threading
import unittest

from proxy import PATIENCE, Proxy, albatross_path, wait_for

ALBATROSS = albatross_path()

FILE = """listeners:
  - name: web
    bind: "127.0.0.1:0"
    trusted_proxies: [0.0.0.0/0]
    default_actions: [{fixed_response: {body: hi}}]
"""


class Check(unittest.TestCase):
    def check(self, text, *options, code=0):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "albatross.yaml").write_text(text)
        r = subprocess.run([ALBATROSS, "check", "albatross.yaml", *options], cwd=folder, capture_output=True, text=True, timeout=60)
        self.assertEqual(r.returncode, code, r.stdout + r.stderr)
        return r.stdout, r.stderr

    def test_a_finding_is_a_warning_with_its_place_and_a_way_out(self):
        out, told = self.check(FILE)
        self.assertEqual(out, "albatross.yaml: ok\n")
        self.assertRegex(told, r"^albatross\.yaml:4:23: warning: listeners\[0\]\.trusted_proxies: trusted-everyone: 0\.0\.0\.0/0 is "
                               r".*, list the addresses of the proxies in front\n")

    def test_strict_fails_on_warnings(self):
        self.check(FILE, "--strict", code=1)
        self.check(FILE + "lints: {ignore: [trusted-everyone]}\n", "--strict")

    def test_the_file_makes_a_finding_an_error(self):
        out, told = self.check(FILE + "lints: {level: {trusted-everyone: error}}\n", code=1)
        self.assertEqual(out, "")
        self.assertIn(": error: listeners[0].trusted_proxies: trusted-everyone: ", told)

    def test_an_unknown_lint_is_an_error_with_the_nearest_name(self):
        for lints in ("{ignore: [trusted-everyon]}", "{level: {trusted-everyon: error}}"):
            self.assertIn('the nearest are trusted-everyone, ', self.check(FILE + f"lints: {lints}\n", code=1)[1])
        self.assertIn("lints.level.one-zone", self.check(FILE + "lints: {level: {one-zone: fatal}}\n", code=1)[1])

    def test_json_is_a_list_with_ids(self):
        findings = json.loads(self.check(FILE, "--format", "json")[0])
        self.assertEqual([(f["id"], f["severity"], f["line"], f["column"]) for f in findings if f["severity"] != "skipped"], [("trusted-everyone", "warning", 4, 23)])
        self.assertEqual(json.loads(self.check(FILE, "--json")[0]), findings)
        broken = json.loads(self.check(FILE.replace("bind", "bnd"), "--json", code=1)[0])
        self.assertNotIn("id", broken[0])

    def test_json_names_what_could_not_be_looked_for(self):
        out, _ = self.check(FILE, "--format", "json")
        skipped = {d["id"]: d["hint"] for d in json.loads(out) if d["severity"] == "skipped"}
        self.assertEqual(skipped["scaling-cooldown"], "it needs lints.assume.boot_to_ready and lints.assume.scaling_cooldown")

    def test_names_and_quotas_are_checked_when_asked_for(self):
        group = "server_groups: [{name: g, servers: [{address: 'nowhere.invalid:80'}]}]\n"
        file = FILE.replace("fixed_response: {body: hi}", "forward: g").replace("    trusted_proxies: [0.0.0.0/0]\n", "") + group
        self.assertEqual(self.check(file)[1], "")
        self.assertIn("name-unresolved: nowhere.invalid has no address here: ", self.check(file, "--online")[1])
        self.assertIn("cloud-missing: AWS's ALB has no servers by name", self.check(file, "--as", "aws-alb")[1])
        self.check(file, "--as", "gcp", code=2)

    def test_sarif_names_the_place_of_each_result(self):
        for text, code, expected in ((FILE, 0, ("trusted-everyone", "warning", 4)), (FILE.replace("bind", "bnd"), 1, ("error", "error", 3))):
            log = json.loads(self.check(text, "--format", "sarif", code=code)[0])
            self.assertEqual(log["version"], "2.1.0")
            run, = log["runs"]
            self.assertEqual(run["tool"]["driver"]["name"], "albatross")
            first = run["results"][0]
            place = first["locations"][0]["physicalLocation"]
            self.assertEqual(place["artifactLocation"]["uri"], "albatross.yaml")
            self.assertEqual((first["ruleId"], first["level"], place["region"]["startLine"]), expected)
            self.assertTrue(first["message"]["text"])
            self.assertIn("trusted-everyone", [rule["id"] for rule in run["tool"]["driver"]["rules"]])


class Diff(unittest.TestCase):
    OLD = """listeners:
  - name: web
    bind: ":80"
    rules:
      - {name: api, priority: 10, conditions: [{path: {prefix: /api}}], actions: [{forward: blue}]}
    default_actions: [{forward: blue}]
server_groups:
  - {name: blue, servers: [{address: "10.0.0.1:80"}]}
  - {name: green, servers: [{address: "10.0.0.2:80"}]}
"""
    NEW = OLD.replace("    default_actions", """      - name: v2
        priority: 5
        conditions: [{path: {prefix: /api/v2}}, {cookie: {name: beta, values: ["it's on"]}}]
        actions: [{forward: green}]
    default_actions""").replace("10.0.0.2:80", "10.0.0.3:80")

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "other").mkdir()
        (self.folder / "old.yaml").write_text(self.OLD)
        (self.folder / "other/new.yaml").write_text(self.NEW)

    def run_it(self, *words, code=0):
        r = subprocess.run([ALBATROSS, *words], cwd=self.folder, capture_output=True, text=True, timeout=60)
        self.assertEqual(r.returncode, code, r.stdout + r.stderr)
        return r.stdout, r.stderr

    def test_a_change_is_told_with_a_request_that_explain_takes(self):
        out = self.run_it("diff", "old.yaml", "other/new.yaml")[0]
        self.assertIn("group green: server 10.0.0.3:80 is new\ngroup green: server 10.0.0.2:80 is gone\n", out)
        self.assertNotIn("settings", out)  # the folder alone changes nothing
        self.assertIn("\n  rule      web/api -> web/v2\n  answer    forward blue -> forward green\n", out)
        request = next(line.removeprefix("web: ") for line in out.splitlines() if line.startswith("web: "))
        for file, rule in (("old.yaml", "web/api"), ("other/new.yaml", "web/v2")):
            told = self.run_it("explain", "--json", "-c", file, *shlex.split(request))[0]
            self.assertEqual(json.loads(told)["rule"], rule)

    def test_the_same_twice_is_no_difference(self):
        self.assertEqual(self.run_it("diff", "old.yaml", "old.yaml"), ("no request is handled differently\n", ""))

    def test_a_log_is_counted_and_its_broken_lines_are_named(self):
        (self.folder / "moved.yaml").write_text(self.OLD.replace("{forward: blue}]}", "{forward: green}]}"))
        line = lambda uri: json.dumps({"listener": "web", "request_method": "GET", "request_uri": uri, "host": "a.example"}) + "\n"
        (self.folder / "access.log").write_text(line("/api") + "cut off\n" + line("/") + line("/api/x?y") + line("/z"))
        out, told = self.run_it("diff", "old.yaml", "moved.yaml", "--log", "access.log")
        self.assertIn("  2 requests of the log, 50 %\n  answer    forward blue -> forward green\n", out)
        self.assertTrue(out.endswith("2 of 4 requests of the log are handled differently, 50 %\n"), out)
        self.assertEqual(told, "albatross diff: access.log:2: this is no line of an access log; lines like it are left out: 1\n")
        result = json.loads(self.run_it("diff", "old.yaml", "moved.yaml", "--log", "access.log", "--json")[0])
        self.assertEqual((result["log"]["changed"], result["routes"][0]["requests"]), (2, 2))

    def test_a_file_with_errors_is_named(self):
        (self.folder / "bad.yaml").write_text(self.OLD.replace("bind", "bnd"))
        self.assertRegex(self.run_it("diff", "old.yaml", "bad.yaml", code=1)[1], r"^bad\.yaml:3:5: error: ")
        self.assertIn("none.yaml", self.run_it("diff", "none.yaml", "old.yaml", code=1)[1])
        self.assertIn("none.log: No such file", self.run_it("diff", "old.yaml", "old.yaml", "--log", "none.log", code=1)[1])
        self.run_it("diff", "old.yaml", code=2)


class Asked(unittest.TestCase):
    """x-albatross-explain, answered by the running process."""

    def setUp(self):
        seen = self.seen = []

        class Echo(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                seen.append({name.lower(): value for name, value in self.headers.items()})
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.send_header("X-Albatross-Explain", "of the server")
                self.end_headers()
                self.wfile.write(b"hi")

            def log_message(self, *arguments):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.address = f"127.0.0.1:{server.server_port}"

    def serve(self, **listener):
        config = {"listeners": [{"name": "web", "bind": "127.0.0.1:0", "default_actions": [{"forward": "app"}], "rules": [
            {"name": "own", "priority": 1, "conditions": [{"path": "/own"}], "actions": [{"fixed_response": {"body": "x"}}]},
            {"name": "dead", "priority": 2, "conditions": [{"path": "/dead"}], "actions": [{"forward": "none"}]}], **listener}],
            "server_groups": [{"name": "app", "servers": [{"address": self.address}]}, {"name": "none", "servers": []}]}
        return self.enterContext(Proxy(ALBATROSS, config))

    def ask(self, proxy, path="/", **headers):
        c = http.client.HTTPConnection("127.0.0.1", proxy.ports["web"], timeout=PATIENCE)
        c.request("GET", path, headers={"X-Albatross-Explain": "1", **headers})
        answer = c.getresponse()
        answer.read()
        c.close()
        return answer.getheader("x-albatross-explain")

    def test_the_answer_says_who_gave_it_and_the_event_log_why(self):
        proxy = self.serve(explain={"from": ["127.0.0.0/8"]})
        self.assertEqual(self.ask(proxy, "/x?y", Cookie="a=b"), f"rule=web/default, group=app, server={self.address}")
        self.assertNotIn("x-albatross-explain", self.seen[0])
        self.assertEqual(self.seen[0]["cookie"], "a=b")
        line = wait_for(lambda: re.search(r"info albatross: explained (\S+): (.*)", proxy.output()), "the event")
        self.assertEqual(line[1], proxy.log(1)[0]["request_id"])
        told = json.loads(line[2])
        self.assertEqual((told["request"]["path"], told["request"]["query"], told["rule"]), ("/x", "y", "web/default"))
        self.assertEqual([rule["matched"] for rule in told["rules"]], [False, False])
        self.assertEqual(told["answer"]["forward"][0]["servers"][0]["address"], self.address)
        self.assertEqual(self.ask(proxy, "/own"), "rule=web/own")
        self.assertEqual(self.ask(proxy, "/dead"), "rule=web/dead, group=none")

    def test_a_request_that_is_none_is_told(self):
        proxy = self.serve()
        for body in ('{"url": "http://a/", "wall": "x"}', '{"url": "http://a/", "wall": -1}', '{"url": 7}', "[]", "x"):
            with self.subTest(body=body):
                self.assertEqual(proxy.ask_admin("POST", "/v1/explain", body)[0], 422)
        self.assertEqual(proxy.ask_admin("POST", "/v1/explain", '{"url": "http://a/", "wall": 1795000000000000000}')[0], 200)

    def test_nobody_else_gets_one_and_no_server_sees_the_field(self):
        for explain in ({}, {"explain": {"from": ["10.0.0.0/8"]}},
                        {"explain": {"from": ["127.0.0.0/8"]}, "trusted_proxies": ["127.0.0.0/8"], "x_forwarded": {"for": "process"}}):
            with self.subTest(explain=explain):
                proxy = self.serve(**explain)
                self.assertIsNone(self.ask(proxy, **{"X-Forwarded-For": "192.0.2.1"}))
                self.assertNotIn("x-albatross-explain", self.seen[-1])
                self.assertNotIn("explained", proxy.output())


if __name__ == "__main__":
    unittest.main()
