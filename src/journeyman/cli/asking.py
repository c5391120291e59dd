"""`journeyman ask`: one question to the model, with or without what it has learned.

Always holds: the answer alone goes to stdout; who gave it is said on stderr, so that two answers can be compared.

Knows nothing of how the adapter came about.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from journeyman.cli import common, progress

if TYPE_CHECKING:
    from journeyman.cli.common import Subparsers

REPLY_TOKENS = 160


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "ask",
        help="ask the model a question, with what it has learned",
        description="Ask one question, with nothing else in the prompt. Compare --adapter champion and --adapter base.",
    )
    common.add_question(parser, "whose adapter")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    with ExitStack() as stack:
        report = stack.enter_context(progress.shown(quiet=True))
        report("load the model", 0.0)
        # The bare model needs no store.
        store = None if args.adapter == "base" else stack.enter_context(common.existing_store(args.store))
        speaker = common.speaker(args.model, store, args.adapter, args.tenant)
    started = time.perf_counter()
    engine = speaker.engine
    with engine.using(speaker.adapter):
        prompt = engine.chat([{"role": "user", "content": args.question.strip()}])
        reply = engine.generate([prompt], max_new_tokens=REPLY_TOKENS)[0]
    answer = engine.decode(reply).strip()
    if args.json:
        found = {
            "question": args.question,
            "answer": answer,
            "adapter": speaker.record.hash if speaker.record else None,
            "verdict": speaker.record.verdict if speaker.record else None,
            "model": engine.name,
            "seconds": round(time.perf_counter() - started, 3),
        }
        print(json.dumps(found))
        return 0
    print(answer)
    print(f"({_who(speaker, args.adapter)})", file=sys.stderr)
    return 0


def _who(speaker: common.Speaker, asked_for: str) -> str:
    name = speaker.engine.name
    if speaker.record:
        return f"{name} with adapter {speaker.record.hash}, {speaker.record.verdict}"
    if asked_for == "champion":
        return f"{name} as it came: no adapter is in service yet"
    return f"{name} as it came"
