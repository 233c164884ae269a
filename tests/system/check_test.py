#!/usr/bin/env python3
"""What `albatross check` prints and exits with, in each of its formats.

    ALBATROSS=path/to/albatross check_test.py [TestClass.test]
"""
import json
import pathlib
import subprocess
import tempfile
import unittest

from proxy import albatross_path

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
        self.assertEqual([(f["id"], f["severity"], f["line"], f["column"]) for f in findings], [("trusted-everyone", "warning", 4, 23)])
        self.assertEqual(json.loads(self.check(FILE, "--json")[0]), findings)
        broken = json.loads(self.check(FILE.replace("bind", "bnd"), "--json", code=1)[0])
        self.assertNotIn("id", broken[0])

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


if __name__ == "__main__":
    unittest.main()
