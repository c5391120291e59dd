"""The tables of worlds: how fast, how faithful, what can be ground, and what is learnt in them, for bench/figures.py.

Always holds: every figure comes from a file in bench/results, whose machine, date and command stand below the table.

Knows the files' fields, not how they were measured.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cells import percent

RESULTS = Path(__file__).parent / "results"


def worlds() -> str:
    """Episodes a second by side and cores, forks by size, and episodes at once."""
    path = RESULTS / "world.json"
    found = json.loads(path.read_text())
    sides: dict[str, dict[int, dict[str, Any]]] = {}
    for row in found["episodes"]:
        sides.setdefault(row["side"], {})[row["cores"]] = row
    lines = ["| episodes of 20 calls | 1 core | 2 cores | tool calls, 2 cores |", "| --- | --- | --- | --- |"]
    for side, rows in sides.items():
        cells = [f"{rows[cores]['episodes_s']:,.0f}/s" if cores in rows else "" for cores in (1, 2)]
        lines.append(f"| {side} | {' | '.join(cells)} | {rows[2]['calls_s']:,}/s |")
    columns = {
        "fork": "world_fork_us",
        "and a write": "fork_and_write_us",
        "and its digest": "fork_write_and_digest_us",
        "SQLite, savepoint and write": "sqlite_savepoint_write_rollback_us",
        "SQLite, image": "sqlite_image_fork_us",
        "deepcopy": "deepcopy_us",
    }
    lines += ["", f"| state | {' | '.join(columns)} |", "| --- |" + " --- |" * len(columns)]
    for row in found["fork"]:
        lines.append(f"| {row['size']} | " + " | ".join(f"{row[name]:,.1f} µs" for name in columns.values()) + " |")
    live = found["live"]
    lines += [
        "",
        f"{live['episodes']:,} live episodes, each after 20 calls and ready to fork at any of them, took "
        f"{live['megabytes']:,.0f} MB: {live['kilobytes_each']:.1f} kB each.",
        "",
        f"- `bench/results/{path.name}` (with its command): {found['machine']}, {found['date'][:10]}; load "
        f"{found['load']['before']:.1f} before and {found['load']['after']:.1f} after. Savepoints and deepcopy judge "
        "no episode and keep no digest.",
    ]
    return "\n".join(lines)


def grind() -> str:
    """What was found, one row a target; of reasoning-gym those that fail, the others by their names alone."""
    path = RESULTS / "grind_audit.json"
    found = json.loads(path.read_text())
    rows: dict[str, dict[str, Any]] = found["rows"]
    lines = ["| target | verdict | binds | all that fail: share that holds (n) |", "| --- | --- | --- | --- |"]
    generators: dict[str, list[str]] = {"grindable": [], "not grindable": [], "undecided": []}
    for name, row in sorted(rows.items()):
        failed = [check for check in row.get("checks", ()) if check["passed"] is False]
        decided = row["verdict"] == "grindable" or bool(failed)
        if name.startswith("reasoning-gym:"):
            word = row["verdict"] if failed or row["verdict"] == "grindable" else "undecided"
            least = f" ({row['n']})" if row.get("n") else ""
            generators[word].append(f"`{name.removeprefix('reasoning-gym:')}`{least}")
            if not failed:
                continue
        said = ", ".join(
            f"{check['id']} {check['value']:.2f} ({check['n']})" if check["value"] is not None else check["id"]
            for check in failed
        )
        verdict = row["verdict"] if decided else "nothing fails"
        binds = row["binding"] if failed else f"{row['binding']} not tested" if row["binding"] else ""
        least = f" (n >= {row['n']})" if verdict == "grindable" and row.get("n") else ""
        lines.append(f"| `{name.removeprefix('python:bench/')}` | {verdict}{least} | {binds} | {said} |")
    counted = any("(" in each for each in generators["grindable"])
    lines += [
        "",
        f"Of {sum(map(len, generators.values()))} generators of reasoning-gym, "
        f"{len(generators['not grindable'])} are not grindable, as the table says.",
        "",
        f"{len(generators['grindable'])} are grindable{' (the smallest n of the checks)' if counted else ''}: "
        f"{', '.join(generators['grindable'])}.",
        "",
        f"For {len(generators['undecided'])} the time was not enough, and nothing failed: "
        f"{', '.join(generators['undecided'])}.",
        "",
        f"- `bench/results/{path.name}` (with its command): {found['machine']}, "
        f"{max((row['date'] for row in rows.values()), default='')[:10]}",
    ]
    return "\n".join(lines)


def rlvr() -> str:
    """One row a seed: reward by step, groups without a difference, and success on held-out tasks."""
    path = RESULTS / "rlvr.json"
    found = json.loads(path.read_text())
    runs: list[dict[str, Any]] = found["runs"]
    options = found["options"]

    def share(row: dict[str, Any]) -> str:
        low, high = row["interval"]
        return f"{percent(row['share'])} ({100 * low:.0f}–{100 * high:.0f})"

    def steps(rewards: list[float]) -> str:
        return " ".join(f"{reward:.2f}" for reward in rewards)

    def difference(row: dict[str, Any]) -> str:
        low, high = row["interval"]
        return f"{100 * row['difference']:+.0f} ({100 * low:+.0f} to {100 * high:+.0f})"

    lines = [
        "| | reward of each step | groups without a difference | sampled | points | greedy | points |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        f"| base | | | {share(found['before']['sampled'])} | | {share(found['before']['greedy'])} | |",
    ]
    for run in runs:
        silent = sum(step["zero_variance"] for step in run["steps"]) / len(run["steps"])
        cells = [f"{share(run['after'][way])} | {difference(run['difference'][way])}" for way in ("sampled", "greedy")]
        lines.append(
            f"| seed {run['seed']} | {steps([step['reward'] for step in run['steps']])} | {percent(silent)} "
            f"| {' | '.join(cells)} |"
        )
    lines.append(
        f"| mean | {steps(found['reward'])} | {percent(sum(found['zero_variance']) / len(found['zero_variance']))} "
        + "".join(
            f"| {percent(sum(run['after'][way]['share'] for run in runs) / len(runs))} "
            f"| {100 * sum(run['difference'][way]['difference'] for run in runs) / len(runs):+.0f} "
            for way in ("sampled", "greedy")
        )
        + "|"
    )
    half = options["steps"] // 2
    lines += [
        "",
        f"| reward of practice, all seeds | steps 1–{half} | steps {half + 1}–{options['steps']} |",
        "| --- | --- | --- |",
    ]
    for kind in sorted(options["families"]):
        parts = [
            [step["kinds"][kind] for run in runs for step in run["steps"][part] if kind in step["kinds"]]
            for part in (slice(half), slice(half, None))
        ]
        shown = " | ".join(f"{sum(part) / len(part):.2f} ({len(part)} steps)" if part else "–" for part in parts)
        lines.append(f"| `{kind}` | {shown} |")
    lines += [
        "",
        f"- `bench/results/{path.name}` (with its command, and what was written before and after): {found['model']}, "
        f"{options['steps']} steps of {options['tasks']} tasks, {options['group']} tries each; {options['held_out']} "
        f"tasks held out; {sum(run['cpu_seconds'] for run in runs) / len(runs) / 60:.1f} CPU-minutes of practice a "
        f"seed; {found['machine']}, {found['date'][:10]}",
    ]
    return "\n".join(lines)


def fidelity() -> str:
    """A row for each log and number of sessions: world against cache, on sessions not learnt from, over all seeds."""
    path = RESULTS / "fidelity.json"
    lines = [
        "| log | sessions learnt from | exact | wrong, of what is answered | exact-match cache, exact "
        "| induction, CPU |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    sources = []
    for name, found in sorted((json.loads(path.read_text()) if path.is_file() else {}).items()):
        by_n: dict[int, list[dict[str, Any]]] = {}
        for row in found["rows"]:
            by_n.setdefault(row["n"], []).append(row)
        for n, rows in by_n.items():
            exact, wrong, cache = (_share(rows, key) for key in ("exact", "wrong_when_answered", "cache_exact"))
            seconds = max(row["induction_cpu_s"] for row in rows)
            lines.append(f"| {name} | {n} | {exact} | {wrong} | {cache} | {seconds:.0f} s |")
        sources.append(
            f"- `bench/results/{path.name}`, {name} (with its command): {found['machine']}, {found['date'][:10]}"
        )
    return "\n".join([*lines, "", *sources])


def _share(rows: Sequence[dict[str, Any]], key: str) -> str:
    """Of one log, or the mean of several drawn logs, with the least and the most."""
    found = [100 * row[key] for row in rows]
    span = f" ({min(found):.1f}–{max(found):.1f})" if len(found) > 1 else ""
    return f"{sum(found) / len(found):.1f} %{span}"
