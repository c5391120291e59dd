"""`journeyman evaluate`: closed-book questions, to a model that has learned or to one that may look things up.

Always holds: the questions reach evaluation only; the same model, adapter, store and questions give the same score.

Knows nothing of training.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from rich.table import Table

from journeyman.capture import conversations
from journeyman.cli import common, progress
from journeyman.evaluate.questions import Question, QuestionScore, answer_questions, load_questions, score
from journeyman.evaluate.retrieval import TurnIndex
from journeyman.web.values import percent

if TYPE_CHECKING:
    from journeyman.cli.common import Subparsers
    from journeyman.model import Engine
    from journeyman.store import Store


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "evaluate",
        help="score a model on questions about the sessions",
        description='Ask every question of a JSONL file ("question", "answers") in a conversation of its own. A reply'
        " is right when an accepted answer occurs in it, whatever the case and the punctuation.",
    )
    common.add_store(parser)
    common.add_tenant(parser, "whose adapter and sessions (default: the store's own)")
    parser.add_argument("--questions", required=True, metavar="FILE", help="the questions, one JSON object a line")
    common.add_model(parser)
    common.add_adapter(parser)
    parser.add_argument(
        "--context",
        choices=("none", "sessions"),
        default="none",
        help="what stands in the prompt with the question: nothing (the default), or the sessions' best-matching turns",
    )
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    questions = load_questions(args.questions)
    with ExitStack() as stack:
        report = stack.enter_context(progress.shown(quiet=True))
        report("load the model", 0.0)
        store = None
        if args.adapter != "base" or args.context == "sessions":
            store = stack.enter_context(common.existing_store(args.store))
        speaker = common.speaker(args.model, store, args.adapter, args.tenant)
        report(f"ask {len(questions)} questions", 0.5)
        started = time.perf_counter()
        notes = store if args.context == "sessions" else None
        found = ask_all(speaker.engine, questions, speaker.adapter, notes, args.tenant)
    if args.json:
        result = found.to_json()
        result |= {"adapter": speaker.record.hash if speaker.record else None, "context": args.context}
        result |= {"model": speaker.engine.name, "seconds": round(time.perf_counter() - started, 3)}
        print(json.dumps(result))
    else:
        _show(found)
    return 0


def ask_all(
    engine: Engine,
    questions: Sequence[Question],
    adapter: str | None,
    notes: Store | None = None,
    tenant: str = "",
) -> QuestionScore:
    """Ask them all; with `notes`, the best-matching turns of the tenant's sessions stand in each prompt."""
    if notes is None:
        return score(answer_questions(engine, questions, adapter=adapter))
    turns = TurnIndex(conversations.sessions(notes, "evaluate", tenant=tenant))
    return score(
        answer_questions(engine, questions, adapter=adapter, context=lambda question: "\n".join(turns.best(question)))
    )


def _show(found: QuestionScore) -> None:
    console = common.console()
    table = Table("", "question", "reply", box=None, pad_edge=False)
    for item in found.items:
        table.add_row("right" if item.correct else "wrong", item.question, item.reply)
    console.print(table)
    console.print(f"\n{told(found.to_json())}")


def told(found: dict[str, Any]) -> str:
    """A score in words."""
    low, high = found["interval"]
    share = f"{percent(found['accuracy'], 1)}, 95% interval {percent(low)} to {percent(high)}"
    return f"{found['correct']} of {found['n']} right ({share})"
