"""`journeyman demo`: one night on a public log, and what it taught, from nothing but a package index.

Always holds: the questions are asked before and after the night and never given to it; a demo that was stopped goes
on where it stopped, and one that has ended shows its night again: the store knows it.

Knows the order of things; how each is done is in the rooms.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Column, Table

from journeyman.cli import common, demo_data, missed, progress, summary
from journeyman.cli.evaluating import ask_all
from journeyman.errors import InputError
from journeyman.evaluate.questions import load_questions
from journeyman.store import Store, open_store
from journeyman.web.report import render
from journeyman.web.values import percent, quotable

if TYPE_CHECKING:
    from rich.console import Console

    from journeyman.cli.common import Subparsers
    from journeyman.model.transformers_engine import TransformersEngine


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "demo",
        help="one night on a public log, and what came of it",
        description="Fetch a model of 135M parameters and one person's conversations, ask the model questions about"
        " them, let it learn overnight, and ask again.",
    )
    parser.add_argument("--directory", default="demo", metavar="DIR", help="where its files go (default: demo)")
    users = ", ".join(demo_data.USERS)
    parser.add_argument(
        "--user", choices=demo_data.USERS, default="customer", metavar="NAME", help=f"whose log: {users}"
    )
    common.add_model(parser)
    common.add_seed(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    directory = Path(args.directory)
    path = directory / f"{args.user}-{args.seed}.db"
    with progress.shown(quiet=args.json) as report:
        result = _demo(args, directory, path, report)
    if args.json:
        print(json.dumps(result))
    else:
        _show(common.console(), result, args.model)
    return 0


def _demo(args: argparse.Namespace, directory: Path, path: Path, report: progress.Report) -> dict[str, Any]:
    from journeyman.model import load_engine
    from journeyman.night import night

    started = time.perf_counter()
    clock = _Clock(report)
    with clock.phase("fetch the log"):
        files = demo_data.prepare(args.user, directory)
        questions = load_questions(files.questions)
    with clock.phase("load the model"):
        engine = load_engine(args.model)
    with open_store(path) as store:
        _import(store, files.sessions)
        with clock.phase("questions: before", engine):
            before = ask_all(engine, questions, None)
        with clock.phase("questions: sessions in the prompt", engine):
            ceiling = ask_all(engine, questions, None, store)
        found = night(store, args.model, seed=args.seed, progress=report, engine=engine)
        practised = missed.traces(store.phases(found["night"]))
    clock.phases += found.get("phases") or []
    after = None
    if adapter := found.get("adapter_path"):
        with clock.phase("questions: after", engine):
            after = ask_all(engine, questions, engine.load_adapter(adapter))
    scores = {
        name: score.to_json() if score else None
        for name, score in (("before", before), ("after", after), ("ceiling", ceiling))
    }
    ratio = internalisation(scores)
    if after and found.get("report"):
        found = {**found, "questions": asked(scores, ratio, practised)}
        common.write_whole(Path(found["report"]), render(found))
    kept = ("verdict", "reasons", "adapter", "adapter_path", "report", "general", "repeated")
    return {
        **{name: found.get(name) for name in kept},
        "user": args.user,
        "store": str(path),
        "questions": str(files.questions),
        **scores,
        "internalisation": ratio,
        "phases": clock.phases,
        "seconds": round(time.perf_counter() - started, 1),
        "result": found,
    }


def _import(store: Store, sessions: Path) -> None:
    from journeyman.capture import import_files

    (found,) = import_files(store, [sessions])
    if not found.read:
        raise InputError(f"{sessions} holds no conversation that can be read", "delete it and run the demo again")


class _Clock:
    """What each part of the demo cost, beside the night's own phases."""

    def __init__(self, report: progress.Report) -> None:
        self.phases: list[dict[str, Any]] = []
        self._report = report

    @contextmanager
    def phase(self, name: str, engine: TransformersEngine | None = None) -> Iterator[None]:
        self._report(name, 0.0)
        tokens = engine.tokens if engine else 0
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.phases.append(
            {
                "name": name,
                "seconds": round(time.perf_counter() - wall, 3),
                "cpu_seconds": round(time.process_time() - cpu, 3),
                "tokens": (engine.tokens if engine else 0) - tokens,
            }
        )
        self._report(name, 1.0)


Scores = Mapping[str, dict[str, Any] | None]


def internalisation(scores: Scores) -> float | None:
    """The share of what the sessions in the prompt are worth that is now in the weights."""
    before, after, ceiling = (scores[name] for name in ("before", "after", "ceiling"))
    if not before or not after or not ceiling or ceiling["accuracy"] <= before["accuracy"]:
        return None
    return (after["accuracy"] - before["accuracy"]) / (ceiling["accuracy"] - before["accuracy"])


def asked(scores: Scores, ratio: float | None, practised: missed.Traces) -> dict[str, Any]:
    """The questions as the page shows them (see `web.evidence.questions`)."""
    before, after, ceiling = (scores[name] or {} for name in ("before", "after", "ceiling"))
    items = [
        {
            "question": a["question"],
            "before": b["reply"],
            "after": a["reply"],
            "correct_before": b["correct"],
            "correct_after": a["correct"],
            "why": f"accepted: {' or '.join(a['answers'])}"
            + ("" if a["correct"] else f"; {missed.why(a['answers'], practised)}")
            + ("" if c["correct"] else "; wrong with the sessions in the prompt, too"),
        }
        for b, a, c in zip(before["items"], after["items"], ceiling["items"], strict=True)
    ]
    figures = ("correct", "accuracy", "interval")
    return {
        "n": after["n"],
        **{name: {key: part[key] for key in figures} for name, part in (("before", before), ("after", after))},
        "context": {key: ceiling[key] for key in figures},
        "internalisation": ratio,
        "items": items,
    }


def _learnt(found: dict[str, Any]) -> str:
    """A question that the night made a difference to."""
    before, after = (found[name]["items"] if found[name] else [] for name in ("before", "after"))
    learnt = (a["question"] for b, a in zip(before, after, strict=False) if a["correct"] and not b["correct"])
    return next(filter(quotable, learnt), "…")


def _show(console: Console, found: dict[str, Any], model: str) -> None:
    right = [Column(name, justify="right", no_wrap=True) for name in ("before", "after", "sessions in the prompt")]
    scores = [found["before"], found["after"], found["ceiling"]]
    general = found["general"] or {}
    table = Table("", *right, title=f"One night: {found['user']}", title_justify="left", box=None, pad_edge=False)
    table.add_row("questions right, closed book", *(f"{s['correct']} of {s['n']}" if s else "–" for s in scores))
    table.add_row("", *(percent(s["accuracy"], 1) if s else "–" for s in scores))
    table.add_row("internalised", "", percent(found["internalisation"]), "")
    table.add_row("general ability", percent(general.get("before"), 1), percent(general.get("after"), 1), "")
    console.print(table)
    console.print()
    summary.show_verdict(console, found)
    summary.show_costs(console, found["phases"], None)
    summary.show_places(console, found, found["store"], model, _learnt(found))
