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
from journeyman.registry.lineage import RECALLED, TRAINED
from journeyman.registry.writing import write_whole as write_whole
from journeyman.store import Store

Output = dict[str, Any]

DREAMED = "dream tasks"  # the phase of a night that has calls of tools to dream of
DECIDED = "weigh decisions"  # and of one that has calls that somebody has judged
_SHARES = ("n", "before", "after", "before_interval", "after_interval")


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
    tasks = phases[DREAMED].output if DREAMED in phases else {}
    return {
        "lessons": {"n": said["statements"], "kept": len({fact["lesson"]["text"] for fact in said["facts"]})},
        **left_out(phases),
        "situations": {
            "written": len(dreams["train"]) + len(dreams["heldout"]),
            "kept": len(kept) + len(dreams["heldout"]),
            "train": len(kept),
            "heldout": len(dreams["heldout"]),
            "routes": dict(routes),
            "dropped": {route: count for route, count in routes.items() if route not in TRAINED},
        },
        # Per token of evidence, as a geometric mean: how sure either side is of what the session proves.
        "lift": {side: math.exp(sum(value[side] for value in kept) / len(kept)) for side in ("veteran", "student")}
        if kept
        else {},
        "curve": trained["curve"],
        **{name: found[name] for name in ("general", "heldout", "probes", "drift", "manner", "examples", "heatmaps")},
        "leak": found.get("leak"),
        **_earlier(phases, trained, found),
        "phases": spent,
        **({"tasks": _tasks(tasks, trained, found)} if tasks else {}),
        **({"decisions": _decisions(phases[DECIDED].output, found)} if DECIDED in phases else {}),
        "ledger": _ledger({p.name: p.tokens for p in phases.values()}, dreams, lifts, trained, found),
        "seconds": sum(p.seconds for p in phases.values()),
        "cpu_seconds": sum(p.cpu_seconds for p in phases.values()),
    }


def _earlier(phases: Mapping[str, PhaseRecord], trained: Output, found: Output) -> Output:
    """Of a night that began from an adapter: what it repeated of earlier nights, how many of their questions are still
    answered, and what is said of facts that have changed."""
    shown: Output = {}
    if RECALLED in phases:
        again = trained.get("replayed", {})
        shown["replayed"] = {name: again.get(name, 0) for name in ("situations", "known", "rows")}
        shown["replayed"]["changed"] = phases[RECALLED].output["changed"]
    if earlier := found.get("earlier"):
        shown["earlier"] = {name: earlier[name] for name in (*_SHARES, "nights")}
    if changed := found.get("changed"):
        shown["changed"] = changed
    return shown


def left_out(phases: Mapping[str, PhaseRecord]) -> Output:
    """What the night set aside, by reason, and what users contradict each other in."""
    said = phases["extract lessons"].output if "extract lessons" in phases else {}
    return {"set_aside": said.get("set_aside", {}), "contradictions": said.get("contradictions", [])}


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


def _tasks(tasks: Output, trained: Output, found: Output) -> Output:
    """What was dreamed of calls of tools: how faithful the world is, what was practised in it and of which sessions
    that came, and what came of it on the tasks that were kept apart."""
    used, judged = set(trained.get("dreamed", {}).get("tasks", ())), found.get("tasks", {})
    entries = {entry["id"]: entry for side in ("train", "heldout") for entry in tasks[side]}
    return {
        **{name: tasks[name] for name in ("why", "sessions", "calls", "dropped", "card", "made") if name in tasks},
        "steps": trained.get("dreamed", {}).get("steps", 0),
        "tokens": trained.get("dreamed", {}).get("tokens", 0),
        "train": [_task(entries[id]) for id in entries if id in used],
        "heldout": {name: judged[name] for name in (*_SHARES, "steps", "tokens") if name in judged},
        "items": [{**item, **_task(entries[item["task"]])} for item in judged.get("items", ())],
    }


def _decisions(decided: Output, found: Output) -> Output:
    """Calls that somebody had judged: how many were practised, and what came of those that were kept apart."""
    judged = found.get("decisions", {})
    return {
        "train": len(decided["train"]),
        "corrected": sum(entry["how"] == "corrected" for entry in decided["train"]),
        "dropped": decided["dropped"],
        "heldout": {name: judged[name] for name in (*_SHARES, "tokens") if name in judged},
        "items": judged.get("items", []),
    }


def _task(entry: Output) -> Output:
    return {name: entry[name] for name in ("id", "kind", "instruction", "sessions")}


def _ledger(tokens: Mapping[str, int], dreams: Output, lifts: Output, trained: Output, found: Output) -> list[Output]:
    """Where every token went that the model read or wrote."""
    dropped = sum(value["route"] not in TRAINED for value in lifts["lifts"].values()) / max(1, len(lifts["lifts"]))
    lift = tokens["measure lift"]
    practised = min(trained.get("dreamed", {}).get("tokens", 0), tokens["train"])
    done, decided = (found.get(name, {}).get("tokens", 0) for name in ("tasks", "decisions"))
    again, asked = trained.get("replayed", {}).get("situations", 0), found.get("earlier", {}).get("n", 0)
    entries = [
        ("reading the sessions", tokens["extract lessons"], "dream", "to find what the model could not have guessed"),
        ("dreamed tasks weighed", tokens.get(DREAMED, 0), "dream", "whether the model does them already"),
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
            tokens["train"] - practised,
            "gradient",
            f"{trained['situations']} situations, {trained['quiet']} near misses and anchors"
            + (f", {again} situations of earlier nights" if again else ""),
        ),
        (
            "evaluation",
            tokens["evaluate"] - done - decided,
            "evaluation",
            f"{len(dreams['heldout'])} held-out situations, general ability"
            + (f", {asked} questions of earlier nights" if asked else ""),
        ),
        (
            "training in the dreamed world",
            practised,
            "gradient",
            f"{trained.get('dreamed', {}).get('steps', 0)} dreamed steps",
        ),
        (
            "held-out tasks of the dreamed world",
            done,
            "evaluation",
            f"{found.get('tasks', {}).get('steps', 0)} dreamed steps of candidate and rivals",
        ),
        ("reading judged calls", tokens.get(DECIDED, 0), "dream", "whether the model can be asked with them"),
        ("held-out decisions", decided, "evaluation", "calls of candidate and rivals that somebody had judged"),
    ]
    return [{"name": n, "tokens": t, "ended_in": e, "why": w} for n, t, e, w in entries if t]
