"""What a gateway costs: CPU and time for each request, and how much of what was answered survives kill -9.

    python bench/gateway [--seconds 4] [--clients 1 8 64] [--environments DIR] [--only NAME ...]

A mock engine answers at once (mock.py); clients ask it directly and through each gateway (contestants.py), one after
the other: whole answers ("plain"), streams that come in one piece ("burst") and streams of a token every 5 ms
("paced"). Then 16 clients ask while the gateway is killed, and what they received is looked for in what it kept.

Writes bench/results/gateway.json: per cell CPU-milliseconds of the gateway's processes a request, latency beyond that
of the bare engine, requests a second; per gateway how many answers were received and kept; how busy the machine was
with anything else, and how long a step of a loop took in Python (on a processor of 2025 that does nothing else, some
40 ns). Takes about six minutes, and needs a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop
from client import Found, load
from contestants import CONTESTANTS, MODES, ROOT, Contestant, Running

RESULT = ROOT / "bench" / "results" / "gateway.json"
MOST = 4000  # requests in a cell
KILLED_AFTER, KILLED_CLIENTS = 2.0, 16


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="of a cell (default: 4)")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--modes", nargs="+", default=MODES, choices=MODES)
    parser.add_argument("--environments", type=Path, default=ROOT / ".bench", help="of the others; made if not there")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only those of this name; nothing is written")
    args = parser.parse_args()
    chosen = [each for each in CONTESTANTS if not args.only or each.name in args.only]
    for each in chosen:
        each.python(args.environments)  # all is installed before anything is measured
    before, loops = _busy(), [_loop()]
    command = [sys.executable, Path(__file__).with_name("mock.py")]
    with tempfile.TemporaryDirectory() as scratch, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as mock:
        try:
            assert mock.stdout
            engine = mock.stdout.readline().strip()
            bare = _cells(f"{engine}/v1/chat/completions", None, args)
            cells = [{"gateway": "none", **cell} for cell in bare]
            survived = []
            for each in chosen:
                folder = Path(scratch) / each.name.replace(" ", "_").replace(",", "")
                folder.mkdir()
                with each.running(engine, folder, args.environments) as running:
                    measured = _cells(running.url, running, args)
                    for cell, other in zip(measured, bare, strict=True):
                        cells.append({"gateway": each.name, **cell, **_added(cell, other)})
                    loops.append(_loop())
                    if each.keeps:
                        survived.append({"gateway": each.name, "what": each.what, **_killed(running)})
                        print(survived[-1], flush=True)
        finally:
            mock.kill()
    others = _others(before, _busy())
    loop = round(sum(loops) / len(loops), 1)
    print(f"the rest of the machine was busy with {others:.2f} cores, a step of a loop took {loop} ns: {loops}")
    if not args.only:
        RESULT.write_text(json.dumps(_result(cells, survived, others, loop, chosen), indent=1) + "\n")
    return 0


def _cells(url: str, running: Running | None, args: argparse.Namespace) -> list[dict[str, Any]]:
    cells, key = [], running.key if running else "none"
    for mode in args.modes:
        for clients in args.clients:
            uvloop.run(load(url, key, clients, mode, 0.5, 200))  # all is imported and connected
            time.sleep(0.2)
            spent = running.cpu_seconds() if running else 0.0
            found = uvloop.run(load(url, key, clients, mode, args.seconds, MOST))
            time.sleep(0.2)  # what it does after the answer is its cost too
            spent = running.cpu_seconds() - spent if running else 0.0
            cells.append({"mode": mode, "clients": clients, **_figures(found, spent)})
            print(cells[-1], flush=True)
    return cells


def _figures(found: Found, spent: float) -> dict[str, Any]:
    if found.failed or not found.seconds:
        raise SystemExit(f"error: {len(found.failed)} requests failed: {found.failed[:1]}")
    times = sorted(found.seconds)
    return {
        "requests": len(times),
        "cpu_ms": round(1000 * spent / len(times), 3),
        "p50_ms": round(1000 * times[len(times) // 2], 3),
        "p99_ms": round(1000 * times[min(len(times) - 1, int(0.99 * len(times)))], 3),
        "per_second": round(len(times) / found.took, 1),
    }


def _added(cell: dict[str, Any], bare: dict[str, Any]) -> dict[str, float]:
    return {f"added_{name}": round(cell[name] - bare[name], 3) for name in ("p50_ms", "p99_ms")}


def _killed(running: Running) -> dict[str, int]:
    """Answers that clients received whole before the gateway was killed, and how many of them it had kept."""

    async def ask_and_kill() -> Found:
        import asyncio

        asking = asyncio.create_task(load(running.url, running.key, KILLED_CLIENTS, "plain", KILLED_AFTER + 10))
        await asyncio.sleep(KILLED_AFTER)
        running.kill()
        return await asking

    found = uvloop.run(ask_and_kill())
    kept = running.kept()
    return {"answered": len(found.marks), "kept": sum(mark in kept for mark in found.marks)}


def _busy() -> tuple[float, float, float]:
    """Now, the seconds that all processors have been busy, and those of our own processes and their ended children."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    busy = sum(fields[:3]) + sum(fields[5:8])
    return time.monotonic(), busy / os.sysconf("SC_CLK_TCK"), sum(os.times()[:4])


def _others(before: Sequence[float], after: Sequence[float]) -> float:
    """Processors that something else kept busy meanwhile."""
    passed, busy, own = (late - early for late, early in zip(after, before, strict=True))
    return round((busy - own) / passed, 3)


def _loop() -> float:
    """CPU-nanoseconds of a step of a loop: how fast this machine is just now."""
    times = []
    for _ in range(9):
        begun, total = time.process_time(), 0
        for number in range(200_000):
            total += number
        times.append((time.process_time() - begun) / 200_000 * 1e9)
    return sorted(times)[len(times) // 2]


def _result(
    cells: list[dict[str, Any]], survived: list[dict[str, Any]], others: float, loop: float, chosen: list[Contestant]
) -> dict[str, Any]:
    return {
        "command": " ".join(["python", "bench/gateway", *sys.argv[1:]]).partition(" --environments")[0],
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "busy_with_others": others,
        "loop_ns": loop,
        "packages": sorted({each.package for each in chosen if each.package}),
        "cells": cells,
        "killed": survived,
    }


if __name__ == "__main__":
    sys.exit(main())
