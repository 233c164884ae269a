#!/usr/bin/env python3
"""What an operator meets in a first week: where the admin API is, what status and the event log tell, several files, and
a service manager that wants to be told.

    ALBATROSS=path/to/albatross first_week_test.py [TestClass.test]
"""
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

from proxy import PATIENCE, Proxy, albatross_path, wait_for

ALBATROSS = albatross_path()
TOKEN = "s3cret"


def listener(port=0, name="web", body="hi"):
    return {"name": name, "bind": f"127.0.0.1:{port}", "default_actions": [{"fixed_response": {"body": body}}]}


class Run:
    """albatross with an environment and arguments of the test's choice; its events are in a file."""

    def __init__(self, test, *arguments, env=None):
        self.folder = pathlib.Path(test.enterContext(tempfile.TemporaryDirectory()))
        self.arguments = arguments
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("ALBATROSS_", "XDG_", "NOTIFY", "WATCHDOG"))}
        self.env = {**environment, "XDG_RUNTIME_DIR": str(self.folder), **(env or {})}
        self.process = None
        test.addCleanup(self.stop)

    def start(self, *arguments):
        with open(self.folder / "events", "w") as out:
            self.process = subprocess.Popen([ALBATROSS, "run", *arguments], env=self.env, stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT, cwd=self.folder)
        self.wait_for_event(r"info albatross: (admin on|web listens)")
        return self

    def write(self, name, config):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(config))
        return str(path)

    def events(self):
        return (self.folder / "events").read_text()

    def wait_for_event(self, pattern):
        def look():
            if self.process.poll() is not None:
                raise AssertionError("albatross ended:\n" + self.events())
            return re.search(pattern, self.events(), re.M)
        return wait_for(look, f"an event {pattern}")

    def command(self, *words, code=0, **env):
        r = subprocess.run([ALBATROSS, *words], env={**self.env, **env}, capture_output=True, text=True, timeout=60, cwd=self.folder)
        assert r.returncode == code, (words, r.returncode, r.stdout + r.stderr)
        return r.stdout + r.stderr

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)


class AdminPlaces(unittest.TestCase):
    def serve(self):
        run = Run(self)
        file = run.write("albatross.json", {
            "listeners": [listener()],
            "admin": {"bind": ["unix:sockets/a.sock", "127.0.0.1:0"], "token": TOKEN, "hosts": ["lb.internal"]}})
        (run.folder / "sockets").mkdir()
        run.start("-c", file)
        tcp = run.wait_for_event(r"admin on (127\.0\.0\.1:\d+)")[1]
        return run, file, tcp

    def test_a_socket_and_a_port_at_once_each_found_in_every_way(self):
        run, file, tcp = self.serve()
        socket_path = str(run.folder / "sockets/a.sock")
        for where in (["--admin", "unix:" + socket_path], ["--admin", socket_path], ["--admin", "./sockets/a.sock"],
                      ["--admin", tcp], ["--admin", tcp.replace("127.0.0.1", "localhost")], ["-c", file]):
            self.assertIn("web", run.command("status", *where), where)
        self.assertIn("web", run.command("status", ALBATROSS_ADMIN=socket_path))
        said = run.command("status", code=1)
        self.assertIn("-c FILE or ALBATROSS_ADMIN", said)

    def test_no_token_and_a_wrong_one_differ(self):
        run, file, tcp = self.serve()
        for fields, status in (({}, 401), ({"Authorization": "Bearer wrong"}, 403), ({"Authorization": "Bearer " + TOKEN}, 200)):
            c = http.client.HTTPConnection(tcp, timeout=PATIENCE)
            c.request("POST", "/v1/reload", headers=fields)
            answer = c.getresponse()
            self.assertEqual(answer.status, status, answer.read())
            self.assertEqual(answer.getheader("WWW-Authenticate"), "Bearer" if status == 401 else None)
            c.close()
        said = run.command("reload", "--admin", tcp, code=1)
        self.assertIn("ALBATROSS_ADMIN_TOKEN", said)
        self.assertNotIn("{", said)
        self.assertIn("differs from admin.token", run.command("reload", "--admin", tcp, "--token", "x", code=1))
        self.assertIn("in force", run.command("reload", "--admin", tcp, "--token", TOKEN))
        self.assertIn("in force", run.command("reload", "--admin", tcp, ALBATROSS_ADMIN_TOKEN=TOKEN))

    def test_a_scrape_by_a_name_that_is_allowed(self):
        _, _, tcp = self.serve()
        for host, status in (("lb.internal:9900", 200), ("LB.Internal", 200), ("other.internal", 403)):
            c = http.client.HTTPConnection(tcp, timeout=PATIENCE)
            c.request("GET", "/metrics", headers={"Host": host})
            self.assertEqual(c.getresponse().status, status)
            c.close()

    def test_the_next_process_takes_both_over(self):
        run, file, tcp = self.serve()
        run.process.send_signal(signal.SIGUSR2)
        self.assertEqual(run.process.wait(PATIENCE * 3), 0)
        status = json.loads(run.command("status", "--admin", "./sockets/a.sock", "--json"))
        self.assertNotEqual(status["process"], run.process.pid)
        os.kill(status["process"], signal.SIGTERM)
        wait_for(lambda: not os.path.exists(f"/proc/{status['process']}"), "its end")

    def test_where_the_default_socket_is(self):
        run = Run(self, env={"RUNTIME_DIRECTORY": "/nonexistent"})
        run.env["RUNTIME_DIRECTORY"] = str(run.folder / "runtime")
        run.start("--from", "127.0.0.1:0", "--to", "127.0.0.1:1")
        self.assertIn(f"admin on unix:{run.folder}/runtime/admin.sock", run.events())
        self.assertIn("web", run.command("status"))


    def test_a_default_folder_that_cannot_be_made_is_named(self):
        run = Run(self, env={"RUNTIME_DIRECTORY": "/proc/nowhere"})
        said = run.command("run", "--from", "127.0.0.1:0", "--to", "127.0.0.1:1", code=1)
        self.assertRegex(said, r"admin: /proc/nowhere: .*; name another place with --admin unix:/path|admin: /proc/nowhere: .*--admin unix:/path")

    def test_a_command_line_wins_over_the_environment(self):
        run, file, tcp = self.serve()
        self.assertIn("web", run.command("status", "-c", file, ALBATROSS_ADMIN="/nowhere"))
        self.assertIn("/nowhere", run.command("status", code=1, ALBATROSS_ADMIN="/nowhere"))


class StatusAndEvents(unittest.TestCase):
    def serve(self, **more):
        config = {"listeners": [listener()], "workers": 1, **more}
        proxy = self.enterContext(Proxy(ALBATROSS, config))
        return proxy

    def status(self, proxy):
        return subprocess.run([ALBATROSS, "status", "--admin", proxy.admin_path], capture_output=True, text=True, timeout=30).stdout

    def test_events_have_a_time_and_a_level(self):
        proxy = self.serve()
        for line in proxy.output().splitlines():
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (info|warning|error) albatross: ")

    def test_a_reload_leaves_its_result_everywhere(self):
        proxy = self.serve()
        for ask in (lambda: proxy.process.send_signal(signal.SIGHUP), lambda: proxy.ask_admin("POST", "/v1/reload")):
            before = proxy.output().count("reloaded: configuration")
            ask()
            wait_for(lambda: proxy.output().count("reloaded: configuration") == before + 1, "the event")
        self.assertIn("is in force", self.status(proxy))
        with open(proxy.path, "w") as f:
            f.write("{")
        self.assertEqual(proxy.ask_admin("POST", "/v1/reload")[0], 422)
        self.assertRegex(proxy.output(), r"error albatross: reload failed: .*albatross\.json:1")
        self.assertIn(" failed: ", self.status(proxy))
        self.assertIn("reload failed", proxy.get_admin("/v1/journal"))

    def test_a_signal_while_it_starts_is_handled_once_it_serves(self):
        run = Run(self)
        file = str(run.folder / "albatross.json")
        os.mkfifo(file)  # the process waits for its end here
        config = json.dumps({"listeners": [listener()], "admin": "off"})
        starting = threading.Thread(target=run.start, args=("-c", file))
        starting.start()
        with open(file, "w") as f:
            wait_for(lambda: run.process, "the process")
            run.process.send_signal(signal.SIGHUP)
            f.write(config)
        starting.join()
        with open(file, "w") as f:  # the reload reads it again
            f.write(config)
        run.wait_for_event("reloaded: configuration 2 is in force")

    def test_a_dry_reload_tells_what_would_change_and_changes_nothing(self):
        proxy = self.serve()
        dry = lambda *more: subprocess.run([ALBATROSS, "reload", "--dry-run", "--admin", proxy.admin_path, *more],
                                           capture_output=True, text=True, timeout=30)
        self.assertEqual(dry().stdout, "no request is handled differently\n")
        proxy.write({**proxy.config, "listeners": [listener(body="bye")]})
        self.assertIn("\nweb: GET http://example.com/\n  answer    answer 200 hi -> answer 200 bye\n", dry().stdout)
        self.assertEqual(json.loads(dry("--json").stdout)["diff"]["routes"][0]["after"]["answer"], "answer 200 bye")
        with open(proxy.path, "w") as f:
            f.write("{")
        broken = dry()
        self.assertEqual(broken.returncode, 1)
        self.assertRegex(broken.stderr, r"albatross\.json:1:2: error: (.|\n)*nothing was changed")
        self.assertNotIn("reload", self.status(proxy))
        with socket.create_connection(("127.0.0.1", proxy.ports["web"])) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            self.assertTrue(s.makefile().read().endswith("hi"))

    def test_what_needs_a_restart_is_said_until_there_is_one(self):
        proxy = self.serve()
        proxy.write({**proxy.config, "workers": 2})
        for _ in range(2):
            self.assertIn("workers", proxy.ask_admin("POST", "/v1/reload")[1])
        self.assertIn("needs a restart: workers", self.status(proxy))
        self.assertEqual(proxy.metric("albatross_restart_needed"), 1)
        proxy.write(proxy.config)
        self.assertNotIn("workers", proxy.ask_admin("POST", "/v1/reload")[1])
        self.assertNotIn("needs a restart", self.status(proxy))

    def test_an_admin_address_of_the_command_line_needs_no_restart(self):
        run = Run(self)
        file = run.write("albatross.json", {"listeners": [listener()], "admin": {"bind": "unix:other.sock"}})
        run.start("-c", file, "--admin", "unix:mine.sock")
        self.assertNotIn("admin:", run.command("reload", "--admin", "./mine.sock"))

    def test_a_log_that_cannot_be_opened_anew_is_told_of(self):
        run = Run(self)
        (run.folder / "logs").mkdir()
        file = run.write("albatross.json", {"listeners": [listener()], "access_log": {"path": "logs/access.log"}})
        run.start("-c", file)
        run.process.send_signal(signal.SIGUSR1)
        run.wait_for_event("info albatross: the access log was reopened")
        (run.folder / "logs").rename(run.folder / "moved")
        run.process.send_signal(signal.SIGUSR1)
        run.wait_for_event("error albatross: access log .*No such file or directory; the old file stays in use")

    def test_a_group_whose_only_server_is_drained_gets_no_traffic(self):
        proxy = self.serve(server_groups=[{"name": "app", "servers": [{"address": "127.0.0.1:1"}]},
                                          {"name": "named", "servers": [{"address": "nowhere.invalid:80"}]}])
        drained = subprocess.run([ALBATROSS, "drain", "app/127.0.0.1:1", "--admin", proxy.admin_path, "--wait"], capture_output=True,
                                 text=True, timeout=30)
        self.assertEqual(drained.returncode, 0, drained.stderr)
        self.assertIn("they will be answered with 503", drained.stderr)
        status = self.status(proxy)
        self.assertIn("no server takes requests: requests get 503", status)
        self.assertRegex(status, r"named +nowhere\.invalid:80 +no address yet")

    def test_a_drain_of_a_group_says_which_servers_there_are(self):
        proxy = self.serve(server_groups=[{"name": "app", "servers": [{"address": "127.0.0.1:1"}]}])
        r = subprocess.run([ALBATROSS, "drain", "app", "--admin", proxy.admin_path], capture_output=True, text=True, timeout=30)
        self.assertEqual(r.returncode, 1)
        self.assertIn("a server group is; name one of its servers; there are app/127.0.0.1:1", r.stderr)

    def test_draining_the_last_healthy_server_warns_of_the_unhealthy_ones(self):
        proxy = self.serve(server_groups=[{"name": "app", "servers": [{"address": "127.0.0.1:1"}, {"address": "127.0.0.2:1"}],
                                           "health_check": {"interval": "100ms", "timeout": "100ms", "unhealthy_threshold": 1}}])
        wait_for(lambda: proxy.get_admin("/v1/status").count("unhealthy") == 2, "two unhealthy servers")
        r = subprocess.run([ALBATROSS, "drain", "app/127.0.0.1:1", "--admin", proxy.admin_path], capture_output=True, text=True,
                           timeout=30)
        self.assertIn("requests go to the unhealthy ones (fail_open) and may fail", r.stderr)
        r = subprocess.run([ALBATROSS, "undrain", "app/127.0.0.1:1", "--admin", proxy.admin_path], capture_output=True, text=True,
                           timeout=30)
        self.assertIn("but it is unhealthy", r.stdout)

    def test_shifted_weights_and_the_version_are_shown(self):
        proxy = self.serve(listeners=[{"name": "web", "bind": "127.0.0.1:0", "default_actions": [
            {"forward": {"groups": [{"name": "a", "weight": 9}, {"name": "b", "weight": 1}]}}]}],
            server_groups=[{"name": n, "servers": [{"address": "127.0.0.1:1"}]} for n in "ab"])
        subprocess.run([ALBATROSS, "weight", "web/default", "b=3", "--admin", proxy.admin_path], check=True, capture_output=True, timeout=30)
        status = self.status(proxy)
        self.assertRegex(status, r"web/default +b +3 \(file: 1\)")
        self.assertRegex(status, r"^albatross \d+\.\d+\.\d+ \([0-9a-f]{12}|unknown\), process \d+")


class SeveralFiles(unittest.TestCase):
    def test_watch_notices_included_files_and_new_ones(self):
        run = Run(self)
        run.write("conf.d/a.json", {"listeners": [listener(name="web")]})
        file = run.write("main.json", {"include": ["conf.d/*.json"], "admin": {"bind": "unix:admin.sock"}})
        run.start("-c", file, "--watch")
        body = lambda: json.loads(run.command("status", "--json", "--admin", "./admin.sock"))
        self.assertEqual(len(body()["listeners"]), 1)
        run.write("conf.d/b.json", {"listeners": [listener(name="second")]})
        wait_for(lambda: len(body()["listeners"]) == 2, "the second listener")
        (run.folder / "conf.d/b.json").unlink()
        wait_for(lambda: len(body()["listeners"]) == 1, "its end")
        (run.folder / "conf.d/a.json").write_text("{\n  nonsense")
        run.wait_for_event(r"reload failed: .*conf\.d/a\.json:2")


class ServiceManager(unittest.TestCase):
    def manager(self, abstract=False):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(s.close)
        name = f"{folder}/notify"
        s.bind("\0" + name if abstract else name)
        s.settimeout(PATIENCE)
        return s, "@" + name if abstract else name

    def test_it_is_told_of_each_stage(self):
        for abstract in (False, True):
            with self.subTest(abstract=abstract):
                s, name = self.manager(abstract)
                run = Run(self, env={"NOTIFY_SOCKET": name})
                file = run.write("albatross.json", {"listeners": [listener()]})
                run.start("-c", file)
                self.assertIn("READY=1", s.recv(4096).decode())
                run.process.send_signal(signal.SIGHUP)
                self.assertRegex(s.recv(4096).decode(), r"^RELOADING=1\nMONOTONIC_USEC=\d+\n")
                self.assertIn("READY=1", s.recv(4096).decode())
                run.process.send_signal(signal.SIGTERM)
                self.assertIn("STOPPING=1", s.recv(4096).decode())
                self.assertEqual(run.process.wait(PATIENCE), 0)

    def test_the_process_that_takes_over_becomes_the_main_one(self):
        s, name = self.manager()
        run = Run(self, env={"NOTIFY_SOCKET": name})
        file = run.write("albatross.json", {"listeners": [listener()]})
        run.start("-c", file)
        self.assertNotIn("MAINPID", s.recv(4096).decode())
        run.process.send_signal(signal.SIGUSR2)
        told = re.match(r"MAINPID=(\d+)\nREADY=1\n", s.recv(4096).decode())
        self.assertNotEqual(int(told[1]), run.process.pid)
        self.assertEqual(run.process.wait(PATIENCE * 3), 0)  # without STOPPING, which would be the unit's
        os.kill(int(told[1]), signal.SIGTERM)
        self.assertIn("STOPPING=1", s.recv(4096).decode())

    def test_the_watchdog_is_fed(self):
        s, name = self.manager()
        run = Run(self, env={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "200000"})
        file = run.write("albatross.json", {"listeners": [listener()], "workers": 2})
        run.start("-c", file)
        said = [s.recv(4096).decode() for _ in range(4)]
        self.assertEqual(said[1:], ["WATCHDOG=1"] * 3)

    def test_a_manager_that_does_not_listen_is_an_event(self):
        run = Run(self, env={"NOTIFY_SOCKET": "/nonexistent/notify"})
        file = run.write("albatross.json", {"listeners": [listener()]})
        run.start("-c", file)
        run.wait_for_event("error albatross: NOTIFY_SOCKET: /nonexistent/notify: No such file or directory")


if __name__ == "__main__":
    unittest.main()
