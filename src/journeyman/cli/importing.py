"""`journeyman import`: put files of recorded conversations into a store.

Always holds: a person is told how many conversations of each file were read, new, there already and refused,
and where and why; `--json` says all of it.

Knows the formats' names.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from journeyman.capture import FORMATS, ImportReport, check_files, import_files
from journeyman.cli import common
from journeyman.store import open_store, without_secrets

if TYPE_CHECKING:
    from journeyman.cli.common import Subparsers

SHOWN_REFUSALS = 20
NOTHING = "no conversation could be read"
REMEDY = (
    'write one JSON object on each line: {"messages": [{"role": "user", "content": "..."}, ...]};'
    " or give a log with its messages, of OpenTelemetry, Langfuse or OpenAI"
)


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "import",
        help="put recorded conversations into a store",
        description="Read files of conversations, one JSON object a line (OpenAI chat or BFCL memory), and logs of"
        " calls (OpenTelemetry, Langfuse, OpenAI); keep the sessions that the store does not have yet.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a file of conversations")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="auto",
        help="take the files for nothing but this; by default each value is told by what it holds",
    )
    common.add_store(parser, "; made if it is not there")
    common.add_tenant(parser, "whose sessions they are (default: the store's own)")
    parser.add_argument("--json", action="store_true", help="print one JSON object, with every refusal")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0 if any conversation could be read, else 1."""
    check_files(args.files)  # before a store is made for nothing
    with open_store(args.store) as store:
        reports = import_files(store, args.files, args.format, args.tenant)
        kept = store.count_sessions()
    shown = without_secrets(args.store)
    readable = any(report.read for report in reports)
    found = {"store": shown, "sessions": kept, "files": [each.to_json() for each in reports]}
    if args.json:
        print(json.dumps(found if readable else {"error": NOTHING, "remedy": REMEDY, **found}))
    else:
        _show(reports, shown, kept)
    if not readable:
        print(f"error: {NOTHING}\ntry: {REMEDY}", file=sys.stderr)
    return 0 if readable else 1


def _show(reports: Sequence[ImportReport], store: str, kept: int) -> None:
    console = common.console()
    for report in reports:
        counts = f"{report.read} read, {report.new} new, {report.already} already there"
        console.print(f"{report.path}: {counts}, {len(report.refused)} refused")
        for refusal in report.refused[:SHOWN_REFUSALS]:
            console.print(f"  line {refusal.line}: {refusal.reason}", style="yellow")
        if (more := len(report.refused) - SHOWN_REFUSALS) > 0:
            console.print(f"  and {more} more (all of them: --json)", style="yellow")
    console.print(f"{store} now holds {kept} imported {'session' if kept == 1 else 'sessions'}")
