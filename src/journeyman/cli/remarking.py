"""`journeyman feedback` and `journeyman outcome`: what is said of an answer later.

Always holds: both are kept as the server would keep them; one that says what the newest one says is kept once.

Knows nothing of what a night makes of them.
"""

from __future__ import annotations

import argparse
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from journeyman.cli import common
from journeyman.registry import remarking, shadow

if TYPE_CHECKING:
    from journeyman.cli.common import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "feedback", help="say what an answer was worth", description="Rate or correct an answer, by its receipt."
    )
    parser.add_argument("receipt", metavar="RECEIPT", help="as the server gave it")
    parser.add_argument("--rating", type=float, metavar="X", help="a number; 1 good and 0 bad, or any scale of yours")
    parser.add_argument("--correction", default="", metavar="TEXT", help="what was wrong, in words")
    parser.add_argument("--better", default="", metavar="TEXT", help="the answer that it should have been")
    parser.add_argument("--tag", action="append", default=[], metavar="WORD", help="any word; may be given again")
    _finish(parser, _feedback)
    parser = subparsers.add_parser(
        "outcome",
        help="say what finally happened",
        description="Tell what came of an answer, by its receipt, or of all with a key of your own.",
    )
    parser.add_argument("value", metavar="VALUE", help="JSON, or text")
    parser.add_argument("--receipt", default="", metavar="RECEIPT", help="of the answer")
    parser.add_argument("--key", default="", metavar="KEY", help="your own, as the requests had it")
    parser.add_argument("--happened-at", default="", metavar="TIME", help="when it really happened (ISO 8601)")
    _finish(parser, _outcome)


def _finish(parser: argparse.ArgumentParser, said: object) -> None:
    common.add_store(parser)
    common.add_tenant(parser, "whose answer it was (default: the store's own)")
    common.add_redact(parser)
    common.add_json(parser)
    parser.set_defaults(run=run, said=said)


def run(args: argparse.Namespace) -> int:
    found = args.said(args)
    if args.json:
        print(json.dumps(found))
        return 0
    common.console().print("kept" if found["new"] else "it was there already")
    for each in found.get("rolled_back", ()):
        common.console().print(f"{shadow.ended(each)}: {shadow.said(each)}")
    return 0


def _feedback(args: argparse.Namespace) -> dict[str, Any]:
    return remarking.feedback(
        args.store,
        args.receipt,
        rating=args.rating,
        correction=args.correction,
        better=args.better,
        tags=args.tag,
        tenant=args.tenant,
        redact=args.redact,
    )


def _outcome(args: argparse.Namespace) -> dict[str, Any]:
    value: Any = args.value
    with suppress(ValueError):
        value = json.loads(args.value)
    return remarking.outcome(
        args.store,
        value,
        receipt=args.receipt,
        key=args.key,
        happened_at=args.happened_at,
        tenant=args.tenant,
        redact=args.redact,
    )
