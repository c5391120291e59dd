"""`journeyman grind`: whether an environment can be ground, and what to mend first if not.

Always holds: exit code 0 when it is grindable, 1 when it is not or cannot be measured, 2 when it was asked for wrongly;
what binds stands at the end, with its evidence.

Knows nothing of how things are measured.
"""

from __future__ import annotations

import argparse
import json
import re
from typing import TYPE_CHECKING, Any

from rich.table import Table

from journeyman.cli import common, progress

if TYPE_CHECKING:
    from journeyman.cli.common import Subparsers
    from journeyman.grind.report import Check, Report

MARKS = {True: "holds", False: "fails", None: "–"}
SAYS = {True: "it has a defect", False: "nothing is wrong with it", None: "nothing is known to be wrong with it"}


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "grind",
        help="measure whether an environment can be ground",
        description="Measure whether an environment is verifiable, deterministic, replayable, isolated and parallel,"
        " and starts the same each time; and name what binds. TARGET is one of gymnasium:ID, reasoning-gym:NAME,"
        " openenv:MODULE:CLASS, openenv:http://HOST:PORT, verifiers:ID, verifiers:MODULE:CLASS, mcp:COMMAND,"
        " world:NAME, python:MODULE:FACTORY and python:FILE.py:FACTORY.",
        epilog="journeyman grind train WORLD lets a model practise in one of our worlds: see its own --help.",
    )
    parser.add_argument("target", metavar="TARGET", help="the environment")
    parser.add_argument("--budget", type=duration, default=60.0, metavar="TIME", help="30s, 5m (default: 60s)")
    parser.add_argument("--python", metavar="PATH", help="the Python that has the environment (default: this one)")
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="CHECK",
        help="do without a check (replayable.fork) or a property (verifiable) in the verdict; may be repeated",
    )
    common.add_json(parser)
    parser.set_defaults(run=run)


def duration(word: str) -> float:
    """Seconds: 90, 90s, 1.5m, 1h."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h|)", word.strip())
    seconds = float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]] if found else 0.0
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f"{word!r} is not a time such as 30s or 5m")
    return seconds


def run(args: argparse.Namespace) -> int:
    from journeyman.grind import grind

    with progress.shown(quiet=True) as report:
        found = grind(args.target, budget=args.budget, python=args.python, without=args.without, watch=report)
    if args.json:
        print(json.dumps(found.to_json()))
    else:
        _show(found)
    return 0 if found.verdict == "grindable" else 1


def _show(found: Report) -> None:
    from journeyman.grind.report import ORDER

    console = common.console()
    table = Table("", "check", "value", "n", "what it says", box=None, pad_edge=False)
    for check in found.checks:
        said = ORDER[check.id][0] if check.passed is not None else f"not tested: {check.evidence['reason']}"
        value = "" if check.value is None else f"{check.value:g}"
        table.add_row(MARKS[check.passed], check.id, value, str(check.n or ""), said)
    console.print(table)
    console.print(f"\n{found.target}: {found.verdict}, {SAYS[found.defective]} ({found.seconds:.0f} s)")
    if found.n:
        console.print(f"each check that it needs and that holds was asked at least {found.n} times")
    if found.binding is not None:
        check = found.found[found.binding]
        console.print(f"binding: {check.id}")
        for line in told(check):
            console.print(f"  {line}")
        console.print(f"to do: {found.remedy}")


def told(check: Check) -> list[str]:
    """The evidence in lines."""
    lines: list[str] = []
    evidence = dict(check.evidence)
    if different := evidence.pop("different", None):
        named = [name for name in ("task", "seed", "step", "part") if different.get(name) not in (None, "")]
        place = ", ".join(f"{name} {different[name]}" for name in named)
        lines.append(f"first difference: {place}{different.get('path', '')}")
        lines += [f"{name}: {_short(different[name])}" for name in ("one", "other", "verdicts") if name in different]
        if different.get("actions"):
            lines.append(f"after: {_short(different['actions'])}")
    for task in evidence.pop("tasks", ()):
        how = f" ({task['how']})" if "how" in task else ""
        raised = f", and raised {_short(task['raised'])}" if "raised" in task else ""
        lines.append(
            f"task {task['task']!r} seed {task['seed']} is paid {task['paid']}{how}: {_short(task['actions'])}{raised}"
        )
    lines += [f"{name.replace('_', ' ')}: {_short(each)}" for name, each in evidence.items()]
    return lines


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else f"{text[:300]}…"
