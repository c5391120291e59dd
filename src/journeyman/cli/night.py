"""`journeyman night`: learn from the sessions of a store.

Always holds: a night that ran to its verdict exits 0, whatever the verdict; one that was stopped continues when the
same command is given again.

Knows nothing of phases but their names and what they cost.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from journeyman.cli import common, progress, summary
from journeyman.store import open_store, without_secrets

if TYPE_CHECKING:
    from journeyman.cli.common import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "night",
        help="learn from the sessions, and prove it",
        description="Turn what the sessions taught into an adapter, measure what it gained and what it cost, and"
        " put it in service if the gate says PROMOTE.",
    )
    common.add_store(parser, "; made if there are --sessions")
    common.add_model(parser)
    parser.add_argument(
        "--sessions", nargs="+", action="extend", default=[], metavar="FILE", help="files to import first"
    )
    common.add_seed(parser)
    parser.add_argument(
        "--suite",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="JSONL files of items that general ability is measured on too",
    )
    parser.add_argument(
        "--writer", metavar="URL", help="base URL of an OpenAI-compatible model that may write situations"
    )
    parser.add_argument("--steps", type=common.count, metavar="N", help="updates to train for")
    parser.add_argument("--learning-rate", type=common.positive, metavar="X", help="of the first, highest updates")
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from journeyman.night import NightOptions, night

    given: dict[str, Any] = {"steps": args.steps, "learning_rate": args.learning_rate}
    options = NightOptions(**{name: value for name, value in given.items() if value is not None})
    opened = open_store(args.store) if args.sessions else common.existing_store(args.store)
    with opened as store, progress.shown(quiet=args.json) as report:
        result = night(
            store,
            args.model,
            sessions=args.sessions,
            seed=args.seed,
            suites=args.suite,
            writer=args.writer,
            options=options,
            progress=report,
        )
    if args.json:
        print(json.dumps(result))
    else:
        console = common.console()
        summary.show_night(console, result)
        summary.show_places(console, result, without_secrets(args.store), args.model)
    return 0
