"""From runs to a table: medians, and ratios of what was measured in the same round."""
import os
import platform
import statistics
import subprocess

NAMES = {"nginx": "nginx", "haproxy": "HAProxy", "albatross": "albatross"}


def good(runs, case, peer):
    """The usable runs of a peer in a case, by round."""
    return {r["round"]: r for r in runs if r["case"] == case.rows[0].title and r["peer"] == peer and "failed" not in r}


def metric(case):
    return "bytes_per_connection" if case.tool == "idle" else "cpu_us"


def cell(case, rows):
    if not rows:
        return "-"

    def median(key):
        return statistics.median(r[key] for r in rows.values())
    if case.tool == "idle":
        return f"{median('bytes_per_connection'):,.0f} B"
    return f"{median('cpu_us'):,.1f} µs, {median('rps'):,.0f}/s, {median('p99') / 1000:.2f} ms"


def ratio(case, ours, theirs):
    key = metric(case)
    pairs = sorted(ours[n][key] / theirs[n][key] for n in ours if n in theirs and theirs[n][key] > 0)
    if not pairs:
        return "-"
    text = f"{statistics.median(pairs):.2f}"
    if len(pairs) >= 4:
        low, _, high = statistics.quantiles(pairs, method="inclusive")
        text += f" [{low:.2f}-{high:.2f}]"
    return text


def table(cases, runs, columns):
    others = [c for c in columns if c != "albatross"] if "albatross" in columns else []
    head = ["Scenario"] + [NAMES[c] for c in columns] + [f"albatross / {NAMES[c]}" for c in others]
    lines = [head, ["---"] + ["---:"] * (len(head) - 1)]
    for case in cases:
        for row in case.rows:
            rows = {c: good(runs, case, row.peer(c)) for c in columns}
            lines.append([row.title] + [cell(case, rows[c]) for c in columns] +
                         [ratio(case, rows["albatross"], rows[c]) for c in others])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except OSError:
        return None
    return (done.stdout + done.stderr).split("\n")[0].split(" - http")[0].strip()


def machine(options, columns):
    with open("/proc/cpuinfo") as f:
        models = [line.split(":", 1)[1].strip() for line in f if line.startswith("model name")]
    versions = {"nginx": ("nginx", "-v"), "haproxy": ("haproxy", "-v"), "albatross": (options.binary, "version")}
    return {"cpu": models[0] if models else platform.machine(), "cores": len(os.sched_getaffinity(0)),
            "kernel": platform.release(), "openssl": first_line("openssl", "version"),
            **{c: first_line(*versions[c]) for c in columns}}


def footer(options, facts, runs):
    kept = [r for r in runs if "foreign_percent" in r]
    dirty = sum(r["foreign_percent"] > options.dirty for r in kept)
    programs = "; ".join(facts[c] for c in NAMES if facts.get(c))
    return f"""\
CPU time of the proxy per request, requests/s, p99 latency; for idle connections memory. The ratios are of CPU time or
memory: the median over pairs of the same round [quartiles]; below 1, albatross takes less.
{options.rounds} rounds of {options.dur:g} s; workers: {options.workers}; {facts['cores']} cores of {facts['cpu']}; \
Linux {facts['kernel']}; {programs}.
{dirty} of {len(kept)} runs were kept although other programs took over {options.dirty:g} % of a core."""
