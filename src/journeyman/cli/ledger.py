"""`journeyman ledger`: where every generated token went.

Always holds: nothing is changed; the shares are of the tokens that engines counted, and what they did not count is said
beside them.

Knows how a ledger is shown, not how a fate is found.
"""

from __future__ import annotations

import argparse
import json
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Column, Table

from journeyman import ledger
from journeyman.capture import names
from journeyman.cli import common
from journeyman.web.values import counted, percent, whole

if TYPE_CHECKING:
    from journeyman.cli.common import Subparsers
    from journeyman.ledger import Ledger

_SHOWN = {"waiting": "not yet"}
_COLUMNS = {"answers": "answers", "tokens": "tokens", "uncounted": "not counted", "imported": "imported"}


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "ledger",
        help="where every generated token went",
        description="For all answers that were kept: how many tokens were generated, as their engine counted them, and"
        " whether they ended in a gradient, an evaluation, a dream or the bin, and why.",
    )
    common.add_store(parser)
    common.add_tenant(parser, "only this tenant's (default: all)", None)
    parser.add_argument(
        "--since", type=_date, metavar="DATE", help="only what began from then on, as 2026-11-22 or with a time (UTC)"
    )
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    with common.existing_store(args.store) as store:
        found = ledger.read(store, args.tenant, args.since)
    if args.json:
        print(json.dumps(found.to_json()))
    else:
        _show(common.console(), found)
    return 0


def _date(word: str) -> datetime:
    try:
        return names.moment(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{word!r} is not a date such as 2026-11-22") from None


def _show(console: Console, found: Ledger) -> None:
    if not found.entries:
        console.print("no answer and no session is kept yet")
    else:
        _show_lines(console, found)
    if found.nights:
        phases = ", ".join(f"{name} {whole(tokens)}" for name, tokens in found.night_tokens.items() if tokens)
        spent = sum(found.night_tokens.values())
        console.print(f"{counted(found.nights, 'night')} spent {counted(spent, 'token')} themselves: {phases or '–'}")
    if (dreamed := found.dreamed).nights:
        console.print(
            f"in dreamed worlds {counted(dreamed.nights, 'night')} trained on {counted(dreamed.steps, 'step')} of"
            f" {counted(dreamed.tasks, 'task')} ({counted(dreamed.tokens, 'token')}), and took"
            f" {counted(dreamed.judged_steps, 'step')} to judge by ({counted(dreamed.judged_tokens, 'token')})"
        )


def _show_lines(console: Console, found: Ledger) -> None:
    lines, tokens = found.lines, found.tokens
    sums = {name: sum(getattr(line, name) for line in lines) for name in _COLUMNS}
    columns = {name: shown for name, shown in _COLUMNS.items() if name == "tokens" or sums[name]}
    right = [Column(shown, justify="right", no_wrap=True) for shown in columns.values()]
    table = Table("ended in", *right, Column("share", justify="right", no_wrap=True), "why", box=None, pad_edge=False)
    for line in lines:
        table.add_row(
            _SHOWN.get(line.fate, line.fate),
            *(whole(getattr(line, name)) for name in columns),
            percent(line.tokens / tokens if tokens else None, 1),
            line.why,
        )
    table.add_row("all", *(whole(sums[name]) for name in columns), percent(1 if tokens else None, 1), "", style="bold")
    console.print(table)
    console.print()
    if tokens:
        console.print(f"{percent(found.in_service, 1)} of the generated tokens taught an adapter that is in service")
    if sums["uncounted"]:
        console.print(f"not counted by the engine, and not above: {counted(sums['uncounted'], 'answer')}")
    if found.prompt_tokens:
        console.print(f"{counted(found.prompt_tokens, 'token')} of prompts were read by day")
    if turns := sum(line.turns for line in lines):
        characters = counted(sum(line.characters for line in lines), "character")
        imported = counted(sums["imported"], "imported session")
        console.print(f"{imported}: {counted(turns, 'answer')} of {characters}, whose tokens nobody counted")
