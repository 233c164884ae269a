"""What is measured: one Case is a run of one load against several peers, and one or more rows of the table."""
from dataclasses import dataclass, field

from .peers import Rules

DEFAULT = ("plain", "tls", "body", "body-tls", "idle", "rules")
COLUMNS = ("nginx", "haproxy", "albatross")


@dataclass(frozen=True)
class Row:
    title: str
    peers: dict = field(default_factory=dict)  # column -> peer, where it is not the column's own name

    def peer(self, column):
        return self.peers.get(column, column)


@dataclass(frozen=True)
class Case:
    scenario: str
    rows: tuple
    tool: str = "loadgen"  # loadgen | h2load | idle
    tls: bool = False
    args: tuple = ()
    rules: Rules | None = None
    upstream_h2: bool = False

    def peers(self, columns):
        return list(dict.fromkeys(row.peer(column) for column in columns for row in self.rows))


def row(title):
    return (Row(title),)


def tuned(title):
    return (Row(title), Row(f"{title}; the peers tuned", {"nginx": "nginx-tuned", "haproxy": "haproxy-tuned"}))


def rule_cases(counts):
    for regex in (False, True):
        kind = "regex" if regex else "host and prefix"
        for n in counts:
            target = ("-c", "64", "-n", str(n), "-p", "/svc%d/v1/1k") + (() if regex else ("-H", "h%d.test"))
            title = f"{n:,} {kind} rules"
            rows = (Row(title), Row(f"{title}; HAProxy with a map", {"haproxy": "haproxy-map"}))
            yield Case("rules", rows, args=target, rules=Rules(n, regex))


def cases(options):
    """Every Case by its scenario's name, in the table's order."""
    rate = f"{options.rate:g}"
    found = [
        Case("plain", row("1 KiB, kept alive, 64 connections"), args=("-c", "64")),
        Case("tls", row("1 KiB, TLS 1.3, kept alive, 64 connections"), tls=True, args=("-c", "64", "-t")),
        Case("body", tuned("1 MiB, 8 connections"), args=("-c", "8", "-p", "/1m")),
        Case("body-tls", row("1 MiB, TLS 1.3, 8 connections"), tls=True, args=("-c", "8", "-p", "/1m", "-t")),
        Case("idle", row("Memory per idle connection"), tool="idle"),
        Case("idle", row("Memory per idle TLS connection"), tool="idle", tls=True, args=("-t",)),
        *rule_cases(options.rules),
        Case("connect", row("1 KiB, a connection for each request"), args=("-c", "32", "-1")),
        Case("handshake", row("1 KiB, a TLS handshake for each request"), tls=True, args=("-c", "32", "-t", "-1")),
        Case("resume", row("1 KiB, a resumed TLS session for each request"), tls=True,
             args=("-c", "32", "-t", "-1", "-s")),
        Case("open-loop", row(f"1 KiB, {options.rate:,.0f} requests/s, 64 connections"), args=("-c", "64", "-r", rate)),
        Case("h2", row("1 KiB, HTTP/2 to HTTP/1.1, 8 connections of 32 streams"), tool="h2load", tls=True,
             args=("-c", "8", "-m", "32")),
        Case("h2-h2", row("1 KiB, HTTP/2 to HTTP/2, 8 connections of 32 streams"), tool="h2load", tls=True,
             args=("-c", "8", "-m", "32"), upstream_h2=True),
    ]
    by_name = {}
    for case in found:
        by_name.setdefault(case.scenario, []).append(case)
    return by_name
