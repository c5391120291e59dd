"""The morning after: a night's result as one plain object, and the page that shows it.

What `journeyman night --json` prints, what the store keeps of a finished night and what `web.report` shows is this
object; `web/report.py` lists its fields.

Always holds: every token that the night counted is in the ledger once; the page is written whole or not at all.

Knows the phases' outputs, not how they came about.
"""

from __future__ import annotations

import math
import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from journeyman.records import PhaseRecord, Session
from journeyman.registry import erasure
from journeyman.registry.adapters import AdapterDirectory
from journeyman.registry.lineage import TRAINED
from journeyman.registry.writing import write_whole as write_whole
from journeyman.store import Store

Output = dict[str, Any]


def frame(
    key: str, spec: Output, model: str, sessions: Sequence[Session], verdict: str, reasons: Sequence[str]
) -> Output:
    """The part of a result that every night has, whatever came of it."""
    turns = sum(len(session.turns) for session in sessions)
    users = sorted({session.user for session in sessions if session.user})
    return {
        "night": key,
        "tenant": spec.get("tenant", ""),
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": {"name": model, "fingerprint": spec["base"]},
        "seed": spec["seed"],
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "verdict": verdict,
        "reasons": list(reasons),
        "adapter": None,
        "adapter_path": None,
        "parent": spec["parent"],
        "report": None,
        "sessions": {"n": len(sessions), "turns": turns, "users": users},
        "general": {"before": None, "after": None, "n": 0},
        "phases": [],
        "questions": None,
        "repeated": False,
    }


def outcome(
    phases: Mapping[str, PhaseRecord], said: Output, dreams: Output, lifts: Output, trained: Output, found: Output
) -> Output:
    """What a night that trained adds to its frame."""
    routes = Counter(value["route"] for value in lifts["lifts"].values())
    kept = [value for value in lifts["lifts"].values() if value["route"] in TRAINED]
    spent = [
        {"name": p.name, "seconds": p.seconds, "cpu_seconds": p.cpu_seconds, "tokens": p.tokens}
        for p in phases.values()
    ]
    return {
        "lessons": {"n": said["statements"], "kept": len({fact["lesson"]["text"] for fact in said["facts"]})},
        "situations": {
            "written": len(dreams["train"]) + len(dreams["heldout"]),
            "kept": len(kept) + len(dreams["heldout"]),
            "train": len(kept),
            "heldout": len(dreams["heldout"]),
            "routes": dict(routes),
            "dropped": {route: count for route, count in routes.items() if route not in TRAINED},
        },
        # Per token of evidence, as a geometric mean: how sure either side is of what the session proves.
        "lift": {side: math.exp(sum(value[side] for value in kept) / len(kept)) for side in ("veteran", "student")},
        "curve": trained["curve"],
        **{name: found[name] for name in ("general", "heldout", "probes", "drift", "manner", "examples", "heatmaps")},
        "phases": spent,
        "ledger": _ledger({p.name: p.tokens for p in phases.values()}, dreams, lifts, trained),
        "seconds": sum(p.seconds for p in phases.values()),
        "cpu_seconds": sum(p.cpu_seconds for p in phases.values()),
    }


def at_home(store: Store, result: Output) -> Output:
    """The result with the places of its adapter and its page, which move with the store."""
    if not result.get("adapter") or result.get("erased"):
        return result
    page = store.folder / "nights" / result["night"] / "report.html"
    path = AdapterDirectory.beside(store).path(result["adapter"])
    return {**result, "adapter_path": str(path), "report": str(page), "store": store.name}


def sweep(store: Store) -> None:
    """Remove adapters and pages that a killed process left half written, and what a killed erasure left at all. Call it
    only while holding the store's lock."""
    AdapterDirectory.beside(store).sweep()
    erasure.finish(store)
    for leftover in (store.folder / "nights").glob("*/.new-*"):
        leftover.unlink(missing_ok=True)


def _ledger(tokens: Mapping[str, int], dreams: Output, lifts: Output, trained: Output) -> list[Output]:
    """Where every token went that the model read or wrote."""
    dropped = sum(value["route"] not in TRAINED for value in lifts["lifts"].values()) / max(1, len(lifts["lifts"]))
    lift = tokens["measure lift"]
    entries = [
        ("reading the sessions", tokens["extract lessons"], "dream", "to find what the model could not have guessed"),
        ("situations written", tokens["dream situations"], "dream", "questions that may be asked again"),
        (
            "lift: the veteran's and the student's view of what was kept",
            round(lift * (1 - dropped)),
            "gradient",
            "the veteran's states are the targets",
        ),
        (
            "lift: their view of what was dropped",
            round(lift * dropped),
            "bin",
            "known already, or the lesson does not help",
        ),
        (
            "training",
            tokens["train"],
            "gradient",
            f"{trained['situations']} situations, {trained['quiet']} near misses and anchors",
        ),
        (
            "evaluation",
            tokens["evaluate"],
            "evaluation",
            f"{len(dreams['heldout'])} held-out situations, general ability",
        ),
    ]
    return [{"name": n, "tokens": t, "ended_in": e, "why": w} for n, t, e, w in entries if t]
