#!/usr/bin/env python3
"""Compares what the documentation says with what the binary does. Usage: docs_test.py, with $ALBATROSS set.

- docs/configuration.md is what `albatross schema --markdown` prints;
- every YAML block marked as a configuration (```yaml config) and every example passes `albatross check`;
- docs/operations.md names every metric, every cause of a termination and every field of the access log, and no other;
- docs/lints.md describes every lint and no other;
- links between the files lead somewhere.
"""

import difflib
import json
import os
import pathlib
import re
import select
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
ALBATROSS = os.environ.get("ALBATROSS", str(ROOT / "build/release/albatross"))
PAGES = sorted(
    [p for p in ROOT.glob("*.md")] + [p for p in ROOT.glob("docs/*.md")] + [p for p in ROOT.glob("examples/*/README.md")]
)
OPERATIONS = ROOT / "docs/operations.md"


def run(*arguments, **options):
    return subprocess.run([ALBATROSS, *arguments], capture_output=True, text=True, timeout=30, **options)


def make_certificates(text, folder):
    """The files that a configuration names, so that it can be checked."""
    for name in set(re.findall(r"certs/([\w.-]+)\.pem", text)):
        subprocess.run([str(ROOT / "scripts/make-certificate"), str(folder / "certs"), name], check=True, timeout=30)


def check(test, text, folder, place):
    make_certificates(text, folder)
    path = folder / "albatross.yaml"
    path.write_text(text)
    (folder / "sorry.html").write_text("<h1>sorry</h1>")
    os.environ["ALBATROSS_ADMIN_TOKEN"] = "of a person's choice"
    done = run("check", "-c", str(path))
    test.assertEqual(done.returncode, 0, f"{place}:\n{done.stderr}")
    test.assertNotIn("warning", done.stderr, place)


def section(page, heading):
    """The part of a page below a heading, up to the next one of its level or above."""
    level = heading.split(" ")[0]
    text = page.read_text()
    start = text.index(f"\n{heading}\n")
    end = re.compile(rf"^#{{1,{len(level)}}} ", re.M).search(text, start + len(heading) + 2)
    return text[start : end.start() if end else len(text)]


def first_column(text):
    """The names in backquotes in the first column of each row of the tables."""
    names = []
    for row in re.findall(r"^\| *(`.*?) *\|", text, re.M):
        names += re.findall(r"`([^`]+)`", row)
    return names


class Proxy:
    """A proxy on ports from the kernel that has served one request of each kind."""

    CONFIG = """
listeners:
  - name: web
    bind: "127.0.0.1:0"
    rules:
      - {name: own, priority: 1, conditions: [{path: /own}], actions: [{forward: here}]}
      - {name: none, priority: 2, conditions: [{path: /none}], actions: [{forward: none}]}
    default_actions: [{fixed_response: {body: hello}}]
  - name: secure
    bind: "127.0.0.1:0"
    protocol: https
    certificates: [{cert: certs/localhost.pem, key: certs/localhost.key}]
    default_actions: [{fixed_response: {body: hello}}]
server_groups:
  - {name: here, servers: [{address: "unix:web.sock"}]}
  - {name: none, servers: [{address: "unix:none.sock"}]}
access_log: {path: access.log}
admin: {bind: "127.0.0.1:0"}
shutdown: {drain: 1s}
"""

    def __init__(self, folder):
        make_certificates(self.CONFIG, folder)
        (folder / "albatross.yaml").write_text(self.CONFIG)
        self.process = subprocess.Popen([ALBATROSS, "run", "-c", str(folder / "albatross.yaml")], stderr=subprocess.PIPE)
        said = b""
        until = time.monotonic() + 20
        while b": admin on " not in said or not said.endswith(b"\n"):
            ready, _, _ = select.select([self.process.stderr], [], [], max(0, until - time.monotonic()))
            some = os.read(self.process.stderr.fileno(), 4096) if ready else b""
            if not some:
                self.process.kill()
                raise RuntimeError(f"albatross did not start: {said.decode()}")
            said += some
        found = re.findall(r"^\S+ info albatross: (\w+) (?:listens )?on (?:https?://)?(\S+)$", said.decode(), re.M)
        self.addresses = dict(found)
        self.log = folder / "access.log"

    def ask(self, listener, path, scheme="http", **fields):
        command = ["curl", "-sk", "--noproxy", "*", "--max-time", "10", f"{scheme}://{self.addresses[listener]}{path}"]
        for name, value in fields.items():
            command += ["-H", f"{name.replace('_', '-')}: {value}"]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout

    def metrics(self):
        with urllib.request.urlopen(f"http://{self.addresses['admin']}/metrics", timeout=10) as answer:
            return answer.read().decode()

    def stop(self):
        self.process.terminate()
        self.process.communicate(timeout=20)
        return self.process.returncode


class Documentation(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def test_reference_is_what_the_schema_says(self):
        printed = run("schema", "--markdown").stdout
        written = (ROOT / "docs/configuration.md").read_text()
        difference = difflib.unified_diff(written.rstrip().split("\n"), printed.rstrip().split("\n"), "written", "printed", "", "", 0)
        self.assertEqual(list(difference), [], "run: albatross schema --markdown > docs/configuration.md")

    def test_configurations_pass_check(self):
        seen = 0
        for page in PAGES:
            for block in re.findall(r"^```yaml config\n(.*?)^```$", page.read_text(), re.M | re.S):
                seen += 1
                check(self, block, self.folder, page)
        self.assertGreater(seen, 0)

    def test_examples_pass_check(self):
        for path in sorted(ROOT.glob("examples/*/albatross.yaml")):
            text = path.read_text().replace("${env:CERTS:-certs}", "certs")
            check(self, text, self.folder, path)

    def test_every_metric_is_documented(self):
        proxy = Proxy(self.folder)
        try:
            page = proxy.metrics()
        finally:
            proxy.stop()
        types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", page, re.M))
        rows = re.findall(r"^\| `(albatross_\w+)` \| (\w+) \|", section(OPERATIONS, "## Metrics"), re.M)
        self.assertEqual(dict(rows), types)
        self.assertEqual(len(rows), len(types))

    def test_every_termination_is_documented(self):
        proxy = Proxy(self.folder)
        try:
            page = proxy.metrics()
        finally:
            proxy.stop()
        causes = re.findall(r'^albatross_terminations_total\{cause="(\w+)"\}', page, re.M)
        self.assertEqual(sorted(first_column(section(OPERATIONS, "## Terminations"))), sorted(causes))

    def test_every_log_field_is_documented(self):
        source = (ROOT / "telemetry/access_log.cc").read_text()
        texts = re.search(r"kOpenings\[kTexts\] = \{(.*?)\};", source, re.S)[1]
        known = set(re.findall(r'"(\w+)"', texts)) | set(re.findall(r',\\"(\w+)\\":', source)) | {"time"}
        documented = first_column(section(OPERATIONS, "## Access log"))
        self.assertEqual(sorted(documented), sorted(known))
        proxy = Proxy(self.folder)
        proxy.ask("web", "/", Referer="http://localhost/")
        proxy.ask("secure", "/", scheme="https")
        proxy.ask("web", "/none")
        proxy.ask("web", "/none", content_type="application/grpc")
        proxy.stop()
        lines = [json.loads(line) for line in proxy.log.read_text().splitlines()]
        self.assertEqual(len(lines), 4)
        logged = set().union(*lines)
        self.assertLessEqual(logged, set(documented))

    def test_every_lint_is_described(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "albatross.yaml"
            path.write_text("listeners: [{name: web, bind: ':80', default_actions: [{fixed_response: {body: hi}}]}]")
            log = json.loads(run("check", str(path), "--format", "sarif").stdout)
        known = [rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]]
        self.assertEqual(re.findall(r"^## (.*)$", (ROOT / "docs/lints.md").read_text(), re.M), known)

    def test_links_lead_somewhere(self):
        for page in PAGES:
            text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
            for target in re.findall(r"\]\(([^)\s]+)\)", text):
                if re.match(r"[a-z]+:", target):
                    continue
                file, _, anchor = target.partition("#")
                to = (page.parent / file).resolve() if file else page
                self.assertTrue(to.exists(), f"{page}: {target}")
                if anchor and to.suffix == ".md":
                    headings = re.findall(r"^#+ (.*)$", to.read_text(), re.M)
                    anchors = [re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings]
                    self.assertIn(anchor, anchors, f"{page}: {target}")


if __name__ == "__main__":
    if not os.access(ALBATROSS, os.X_OK):
        sys.exit(f"{ALBATROSS}: build it first, or set ALBATROSS")
    unittest.main()
