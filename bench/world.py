"""How fast a world is: episodes and tool calls a second, the cost of a fork, and how many episodes live at once.

    python bench/world.py [--seconds 2] [--rounds 3] [--live 10000] [--others DIR]

An episode is a reset, twenty calls of the shop's tools (three of them write) and the verdict. The same episodes run on
SQLite savepoints and on deep copies, and our Env runs within Gymnasium's vectors and OpenEnv, in process and over its
WebSocket (bench/world_sides.py says how). All sides take turns, --rounds times, each in processes of its own; a rate is
the best of its rounds, with all of them beside it, for what else runs on a machine only ever slows it down; beside it
stands the rate for each second of CPU time, which other work slows down less. Gymnasium
and OpenEnv live in an environment of their own (--others, made there if it is not; without them they are left out, and
the result says so).

Writes bench/results/world.json, with the machine's load and how long it takes to add three million integers (`sum_s`),
which tells a busy machine from an idle one.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from journeyman.world import Context, Env, State, Table, World, load
from journeyman.world.outcome import Tier

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "bench" / "results" / "world.json"
OTHERS = ("gymnasium==1.4.0", "openenv==0.10.0", "rpds-py", "orjson", "apsw", "uvicorn")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each side in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--others", type=Path, default=ROOT / ".bench" / "world", help="Gymnasium's and OpenEnv's home")
    parser.add_argument("--live", type=int, default=10_000, help="how many episodes are held at once")
    parser.add_argument("--side", help=argparse.SUPPRESS)  # measure this in this process
    args = parser.parse_args()
    if args.side:
        print(json.dumps(measured(args.side, args.seconds, args.live)))
        return 0
    python = environment(args.others)
    load_before = os.getloadavg()
    found = {
        "command": f"python bench/world.py --seconds {args.seconds} --rounds {args.rounds} --live {args.live}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "load": {"before": load_before[0]},
        "episodes": episodes(python, args.seconds, args.rounds),
        "fork": fork_costs(),
        "live": one("live", 0.0, [sys.executable], args.live)[0],
    }
    found["load"]["after"] = os.getloadavg()[0]
    if python is None:
        found["left out"] = "Gymnasium and OpenEnv: their environment could not be made"
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))
    return 0


def environment(home: Path) -> str | None:
    """The Python of the others' environment, or None where it cannot be made."""
    python = home / "bin" / "python"
    try:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        done = subprocess.run(
            [str(python), "-c", "import gymnasium, openenv, rpds, orjson, apsw, uvicorn"], check=False
        )
        if done.returncode:
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", *OTHERS], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"without Gymnasium and OpenEnv: {error}", file=sys.stderr)
        return None
    return str(python)


# -- episodes


def episodes(python: str | None, seconds: float, rounds: int) -> list[dict[str, Any]]:
    from world_sides import SIDES

    processes_of_their_own = {"gymnasium AsyncVectorEnv of 8"}
    alone = {"gymnasium AsyncVectorEnv of 8", "OpenEnv WebSocket, 1 session", "OpenEnv WebSocket, 8 sessions"}
    rates: dict[tuple[str, int], list[float]] = {}
    cpu: dict[tuple[str, int], list[float]] = {}
    sums: dict[tuple[str, int], list[float]] = {}
    for turn in range(rounds):
        for side, (_, elsewhere) in SIDES.items():
            if elsewhere and python is None:
                continue
            for cores in (1, 2):
                if cores == 1 and side in alone:  # they are several processes or threads from the start
                    continue
                processes = 1 if side in alone else cores
                runs = one(side, seconds, [str(python) if elsewhere else sys.executable] * processes)
                rates.setdefault((side, cores), []).append(sum(run["rate"] for run in runs))
                cpu.setdefault((side, cores), []).append(sum(run["cpu_rate"] for run in runs))
                sums.setdefault((side, cores), []).append(min(run["sum_s"] for run in runs))
                print(f"{turn + 1}/{rounds} {side}, {cores} cores: {rates[side, cores][-1]:.0f}/s", file=sys.stderr)
    return [
        {
            "side": side,
            "cores": cores,
            "episodes_s": round(max(each), 1),
            "calls_s": round(20 * max(each)),
            "episodes_cpu_s": None if side in processes_of_their_own else round(max(cpu[side, cores]), 1),
            "rounds": [round(rate, 1) for rate in each],
            "sum_s": sums[side, cores],
        }
        for (side, cores), each in rates.items()
    ]


def one(side: str, seconds: float, pythons: list[str], held: int = 0) -> list[dict[str, Any]]:
    """Measure a side in as many processes as there are Pythons, at the same time."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONHASHSEED": "0"}
    running = [
        subprocess.Popen(
            [python, __file__, "--side", side, "--seconds", str(seconds), "--live", str(held)],
            env=env,
            stdout=subprocess.PIPE,
            text=True,
        )
        for python in pythons
    ]
    answers = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        raise SystemExit(f"{side} failed")
    return [json.loads(answer.splitlines()[-1]) for answer in answers]


def measured(side: str, seconds: float, held: int) -> dict[str, Any]:
    if side == "live":
        return live(held)
    from world_sides import SIDES

    opened = SIDES[side][0]()
    run = next(opened)
    run()
    gc.freeze()  # what was loaded is not looked through again and again
    before = sum_s()
    done, start, cpu = 0, time.perf_counter(), time.process_time()
    while (passed := time.perf_counter() - start) < seconds:
        done += run()
    cpu = time.process_time() - cpu
    for _ in opened:  # lets it close what it opened
        pass
    return {"rate": done / passed, "cpu_rate": done / cpu, "sum_s": before}


def sum_s() -> float:
    """How long this machine takes for something simple, now."""
    start = time.perf_counter()
    total = 0
    for number in range(3_000_000):
        total += number
    return round(time.perf_counter() - start, 3)


# -- forks


class Item(NamedTuple):
    id: str
    owner: str
    number: int
    text: str


ITEMS = Table("items", Item, indexes=("owner",))


def fork_costs() -> list[dict[str, Any]]:
    """Microseconds a fork, and a fork with a first write and its digest, by size of the state as text."""
    import copy

    import apsw
    from world_grounds import Sqlite

    rules = load("shop").rules
    found: list[dict[str, Any]] = []
    for label, rows in (("10 kB", 10), ("1 MB", 1000), ("100 MB", 100_000)):
        items = [Item(f"I-{number}", f"O-{number % 97}", number, f"{number:04}" * 240) for number in range(rows)]
        state = State.build([ITEMS], {"items": items})
        world = World(rules, state)
        env = Env(load("shop"))
        env.reset("return-1")
        numbers = count()

        def written(state: State = state, numbers: count[int] = numbers) -> State:
            here = Context(state, True, Tier.CODE)
            here.put(ITEMS, Item("I-3", "O-5", next(numbers), "changed"))
            return here.result()

        database = Sqlite(state).connection
        image = database.serialize("main")

        def deserialized(image: bytes = image) -> None:
            connection = apsw.Connection(":memory:")
            connection.deserialize("main", image)
            connection.execute("SELECT number FROM items WHERE id = 'I-3'").get  # noqa: B018

        def saved(database: apsw.Connection = database) -> None:
            database.execute("SAVEPOINT fork")
            database.execute("UPDATE items SET number = number + 1 WHERE id = 'I-3'")
            database.execute("ROLLBACK TO fork")
            database.execute("RELEASE fork")

        dicts = {"items": {item.id: item for item in items}}
        found.append(
            {
                "size": label,
                "bytes": len("\n".join(map(ITEMS.text, items))),
                "world_fork_us": micros(lambda world=world: world.fork()),
                "env_fork_us": micros(env.fork) if rows == 10 else None,
                "fork_and_write_us": micros(written),
                "fork_write_and_digest_us": micros(lambda written=written: written().digest),
                "sqlite_image_fork_us": micros(deserialized, most=2.0),
                "sqlite_savepoint_write_rollback_us": micros(saved),
                "deepcopy_us": micros(lambda dicts=dicts: copy.deepcopy(dicts), most=2.0),
            }
        )
    return found


def micros(work: Callable[[], Any], most: float = 0.5) -> float:
    """The best of several batches: microseconds a call."""
    work()
    start = time.perf_counter()
    work()
    batch = max(1, min(2000, int(0.02 / max(time.perf_counter() - start, 1e-7))))
    best = float("inf")
    end = time.perf_counter() + most
    while time.perf_counter() < end or best == float("inf"):
        start = time.perf_counter()
        for _ in range(batch):
            work()
        best = min(best, (time.perf_counter() - start) / batch)
    return round(best * 1e6, 3)


# -- episodes at once


def live(held: int) -> dict[str, Any]:
    """Memory of so many episodes, each after its twenty calls and open: words, states and all that a fork needs."""
    from world_sides import script

    task, calls = script()
    suite = load("shop")
    first = Env(suite)
    first.reset(task)
    gc.collect()
    before = rss()
    envs: list[Env] = []
    start = time.perf_counter()
    for seed in range(held):
        env = Env(suite)
        env.reset(task, seed)
        for call in calls:
            env.step(call)
        envs.append(env)
    seconds = time.perf_counter() - start
    gc.collect()
    grown = rss() - before
    digests = len({env.world.digest for env in envs[:: held // 100]})
    return {
        "episodes": len(envs),
        "megabytes": round(grown / 1e6, 1),
        "kilobytes_each": round(grown / 1e3 / len(envs), 2),
        "episodes_in_1_gb": int(1e9 * len(envs) / grown),
        "seconds": round(seconds, 2),
        "distinct_digests_of_100": digests,
        "sum_s": sum_s(),
    }


def rss() -> int:
    """Bytes of memory that this process has."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    raise SystemExit(main())
