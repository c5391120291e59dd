"""The tables of what dreams are worth, for bench/figures.py: search against GRPO, and the real desk by dream compute.

Always holds: every figure comes from a file in bench/results, and says of how many runs it is.

Knows the files' fields, not how they were measured.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from journeyman.evaluate.scaling import fitted, rank_agreement
from journeyman.evaluate.statistics import crossed_bootstrap
from journeyman.shares import wilson

RESULTS = Path(__file__).parent / "results"


def search() -> str:
    """One row a run: success on held-out tasks, what was tried, and what it cost."""
    path = RESULTS / "search.json"
    if not path.is_file():
        return "Not measured yet: `python bench/search.py`."
    found = json.loads(path.read_text())
    options = found["options"]

    def share(row: dict[str, Any]) -> str:
        low, high = row["interval"]
        return f"{100 * row['share']:.0f} % ({100 * low:.0f}–{100 * high:.0f})"

    lines = [
        "| | actions tried | solutions found | sampled | greedy | practice, CPU |",
        "| --- | --- | --- | --- | --- | --- |",
        f"| base | | | {share(found['before']['sampled'])} | {share(found['before']['greedy'])} | |",
    ]
    for run in sorted(found["runs"], key=lambda run: (run["way"], run["seed"])):
        solved = sum(step["found"] for step in run["steps"]) if run["way"] == "search" else "–"
        minutes = run["cpu_seconds"] / 60
        lines.append(
            f"| {run['way']}, seed {run['seed']} | {run['dreamed_steps']} | {solved} "
            f"| {share(run['after']['sampled'])} | {share(run['after']['greedy'])} | {minutes:.1f} min |"
        )
    over = found.get("search_over_grpo")
    told = "not every seed was run in both ways yet"
    if over:
        parts = [
            f"{way} {100 * row['difference']:+.0f} points "
            f"({100 * row['interval'][0]:+.0f} to {100 * row['interval'][1]:+.0f})"
            for way, row in sorted(over.items())
        ]
        told = f"search over GRPO, paired by task: {', '.join(parts)}"
    return "\n".join(
        [
            *lines,
            "",
            f"- `bench/results/search.json` (with its command): {found['model']}, {options['steps']} steps; "
            f"{options['held_out']} tasks held out; {told}; {found['machine']}, {found['date'][:10]}",
        ]
    )


def scaling() -> str:
    """One row an amount: success at the real desk after so much dreaming, and after as much of the log alone."""
    return _scaling("dream_scaling", "decisions", "dreamed tasks", "the log's own tasks", "the real desk")


def situation_scaling() -> str:
    """The same for dreamed situations and real questions."""
    return _scaling(
        "situation_scaling", "situations", "dreamed situations", "the log's statements", "the log's questionnaire"
    )


def _scaling(name: str, unit: str, dream: str, log: str, real: str) -> str:
    path = RESULTS / f"{name}.jsonl"
    if not path.is_file():
        return f"Not measured yet: `python bench/{name}.py`."
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    right: dict[tuple[str, int], list[str]] = defaultdict(list)
    spent: dict[tuple[str, int], list[float]] = defaultdict(list)
    for row in rows:
        for arm in ("dream", "log") if row["arm"] == "base" else (row["arm"],):
            right[arm, row["amount"]].append(row["right"])
            spent[arm, row["amount"]].append(row["train_cpu_seconds"])
    decisions = {row["amount"]: row["decisions"] for row in rows if row["arm"] != "log"}

    def cell(arm: str, amount: int) -> str:
        if not right[arm, amount]:
            return "–"
        text = "".join(right[arm, amount])
        low, high = wilson(text.count("1"), len(text))
        seeds = f"{len(right[arm, amount])} seed{'s' if len(right[arm, amount]) > 1 else ''}"
        return f"{100 * text.count('1') / len(text):.0f} % ({100 * low:.0f}–{100 * high:.0f}), {seeds}"

    lines = [f"| amount | {unit} trained on | {dream} | {log} | training, CPU |", "| --- | --- | --- | --- | --- |"]
    for amount, count in sorted(decisions.items()):
        cpu = [each for arm in ("dream", "log") for each in spent[arm, amount]]
        lines.append(
            f"| {amount} | {count} | {cell('dream', amount)} | {cell('log', amount)} | {sum(cpu) / len(cpu):.0f} s |"
        )
    told: list[str] = []
    for arm, called in (("dream", "dreamed"), ("log", "log alone")):
        points = [(a, each.count("1") / len(each)) for (b, a), texts in right.items() if b == arm for each in texts]
        if len({a for a, _ in points if a}) >= 2 and any(a == 0 for a, _ in points):
            curve = fitted(points)
            stop = curve.stop()
            # A level that lies beyond what was measured is the curve's word alone.
            level = f"level {100 * curve.top:.0f} %, half of the gain at {curve.half:.1f}"
            told.append(
                f"{called}: {level if curve.half <= curve.most else f'no level to be seen by {curve.most:.0f}'}, "
                + (f"stop at {stop:.0f}" if stop is not None else f"no reason to stop by {2 * curve.most:.0f}")
            )
    pairs = [(_share(row["right_dreamed"]), _share(row["right"])) for row in rows if row["right_dreamed"]]
    tau = rank_agreement(pairs)
    if tau is not None:
        told.append(f"{len(pairs)} checkpoints as {dream} rank them and as {real} does: tau = {tau:.2f}")
    told += _paired(rows)
    last = rows[-1]
    return "\n".join(
        [
            *lines,
            "",
            f"- `bench/results/{path.name}` (with its command): {last['model']}; {'; '.join(told)}; "
            f"{last['machine']}, {last['date'][:10]}",
        ]
    )


def night() -> str:
    """A whole night over a desk's log: its verdict, and the desk's real work before and after."""
    path = RESULTS / "dream_night.json"
    if not path.is_file():
        return "Not measured yet: `python bench/dream_night.py`."
    found = json.loads(path.read_text())

    def share(row: dict[str, Any]) -> str:
        low, high = row["interval"]
        return f"{row['k']} of {row['n']} ({100 * low:.0f}–{100 * high:.0f} %)"

    lines = ["| | real work done at the desk |", "| --- | --- |"]
    lines += [f"| {who} | {share(row)} |" for who, row in found["real"].items()]
    if gain := found.get("gain"):
        low, high = gain["interval"]
        lines += [
            "",
            f"A difference of {100 * gain['difference']:+.0f} points "
            f"(95 % interval {100 * low:+.0f} to {100 * high:+.0f}).",
        ]
    lines += ["", f"The night's verdict: {found['verdict']}.", "", *(f"- {reason}" for reason in found["reasons"])]
    return "\n".join(
        [
            *lines,
            "",
            f"- `bench/results/{path.name}` (with its command): {found['model']}, {found['machine']}, "
            f"{found['date'][:10]}, {found['cpu_seconds'] / 60:.0f} minutes of CPU",
        ]
    )


def _paired(rows: list[dict[str, Any]]) -> list[str]:
    """Dreamed over the log alone at the largest amount, paired by seed and item, resampled over seeds and items."""
    most = max(row["amount"] for row in rows)
    sides = {(row["seed"], row["arm"]): row["right"] for row in rows if row["amount"] == most}
    seeds = sorted({seed for seed, _ in sides if {(seed, "dream"), (seed, "log")} <= sides.keys()})
    if len(seeds) < 2:
        return []
    table = [[int(d) - int(g) for d, g in zip(sides[s, "dream"], sides[s, "log"], strict=True)] for s in seeds]
    mean = sum(map(sum, table)) / sum(map(len, table))
    low, high = crossed_bootstrap(table, list(range(len(table[0]))), seed=0)
    return [f"dreamed over the log alone at {most}: {100 * mean:+.0f} points ({100 * low:+.0f} to {100 * high:+.0f})"]


def _share(right: str) -> float:
    return right.count("1") / len(right)
