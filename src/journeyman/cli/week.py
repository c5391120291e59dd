"""`journeyman week`: the default model works at the shop's desk for a week, and learns on the job.

Always holds: a week that was stopped goes on when the same command is given again; one that has ended is shown again.

Knows the week's options; how a week is lived is `journeyman.week`'s to know.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from rich.table import Column, Table

from journeyman.cli import common, progress
from journeyman.web.values import duration, part, percent, points, rows, text

if TYPE_CHECKING:
    from rich.console import Console

    from journeyman.cli.common import Subparsers

STORE = "week.db"


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "week",
        help="a model learns on the job for a week, at a shop's desk",
        description="Serve a shop's customers through the gateway by day, be corrected by its supervisor, learn"
        " overnight, and serve new customers the next day; beside it the same model without learning, and with its"
        " corrections in the prompt. Midway the shop's policy changes.",
    )
    parser.add_argument("--store", default=STORE, metavar="FILE_OR_URL", help=f"a store of its own (default: {STORE})")
    parser.add_argument("--days", type=common.count, default=7, metavar="N", help="default: 7")
    parser.add_argument("--customers", type=common.count, default=36, metavar="N", help="a day (default: 36)")
    said = "the day from which the policy is another; one that never comes: no change (default: 4)"
    parser.add_argument("--change", type=common.count, default=4, metavar="DAY", help=said)
    common.add_model(parser)
    common.add_seed(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from journeyman.week.days import week

    with progress.shown(quiet=args.json) as report:
        result = week(
            args.store,
            args.model,
            days=args.days,
            count=args.customers,
            change=args.change,
            seed=args.seed,
            progress=report,
        )
    if args.json:
        print(json.dumps(result))
    else:
        _show(common.console(), result)
    return 0


def _show(console: Console, result: dict[str, Any]) -> None:
    names = [Column(name, justify="right", no_wrap=True) for name in ("it learns", "reminded", "as it is", "general")]
    table = Table(
        "day", *names, "night", box=None, pad_edge=False, title="Customers served right", title_justify="left"
    )
    for day in rows(result, "days"):
        shares = [percent(part(day, who).get("share")) for who in ("assistant", "reminded", "frozen")]
        changes = " (policy changes)" if day["day"] == result["change"] else ""
        night = text(part(day, "night").get("verdict")).replace("_", " ")
        table.add_row(f"{day['day']}{changes}", *shares, percent(part(day, "general").get("share"), 1), night)
    console.print(table)
    console.print()
    for who, name in (("frozen", "the model as it is"), ("reminded", "the model with its corrections in the prompt")):
        if against := part(part(result, "rivals"), who):
            low, high = against["interval"]
            lead = f"{points(against['difference'])} points, 95 % interval {points(low)} to {points(high)}"
            console.print(f"against {name}, after the first day: {lead}")
    console.print(f"took {duration(result['seconds'])}, {duration(result['cpu_seconds'])} of CPU")
    console.print(f"page: {result['page']}")
