"""`journeyman dream`: a world out of the kept sessions, how faithful it is, and what there is to do in it.

Always holds: exit code 0 when the world's card passes, 1 when it does not or there is nothing to build from, 2 when it
was asked for wrongly; the store is only read, and only sessions that may be used for dreams.

Knows nothing of how a world is induced.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from rich.table import Table

from journeyman.capture import conversations
from journeyman.cli import common, progress
from journeyman.web.values import percent

if TYPE_CHECKING:
    from journeyman.cli.common import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "dream",
        help="build an executable world out of the kept sessions",
        description="Induce from the kept sessions' tool calls what the tools do, as a world that can be run, measure"
        " how faithful it is, and make tasks in it of what its users asked for.",
    )
    common.add_store(parser)
    common.add_tenant(parser, "whose sessions (default: the store's own)")
    parser.add_argument("--out", metavar="DIR", help="where to put the world; world:DIR is its name from then on")
    parser.add_argument("--world", metavar="FILE", help="measure this world.py, which you corrected, instead")
    said = "how many tasks to try (default: 100)"
    parser.add_argument("--budget", type=common.count, default=100, metavar="N", help=said)
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from journeyman.dream.dreamed import dream

    with common.existing_store(args.store) as store, progress.shown(quiet=True) as report:
        report("read the sessions", 0.0)
        sessions = [each.session for each in conversations.kept(store, "dream", tenant=args.tenant)]
        report("induce the world", 0.1)
        dreamed = dream(sessions, world=args.world or "", budget=args.budget)
        report("make tasks", 0.6)
        card = {**dreamed.card, "tasks": dreamed.tasks.to_json()}
    if args.out:
        dreamed.save(args.out)
    if args.json:
        print(json.dumps(card))
    else:
        _show(card, args.out)
    return 0 if dreamed.card["passes"] else 1


def _show(card: dict[str, Any], out: str | None) -> None:
    console = common.console()
    table = Table(
        "tool", "standing", "recorded calls exact", "held out: calls", "exact", "wrong", box=None, pad_edge=False
    )
    for tool, row in card["tools"].items():
        held = row.get("held_out")
        told = ["–"] * 3 if held is None else [str(held["calls"]), percent(held["exact"]), percent(_wrong(held))]
        table.add_row(tool, row.get("standing", ""), percent(row["on_path"]["exact"]), *told)
    console.print(table)
    held = card.get("held_out")
    if held is not None:
        console.print(
            f"\nOf {held['calls']} calls of sessions kept out, {percent(held['answered'])} are answered and"
            f" {percent(held['exact'])} exactly; an exact-match cache has {percent(held['cache_exact'])}."
        )
    console.print(f"From {card['sessions']} sessions: {'passes' if card['passes'] else 'does not pass'}.")
    tasks = card["tasks"]
    kinds = ", ".join(f"{count} {kind}" for kind, count in tasks["kinds"].items())
    console.print(f"Tasks: {tasks['made']} tried, {tasks['kept']} kept" + (f" ({kinds})." if kinds else "."))
    for reason, count in sorted(tasks["dropped"].items(), key=lambda each: -each[1]):
        console.print(f"  {count} dropped: {reason}")
    if out:
        console.print(f"The world is in {out}: read world.py, and correct what is wrong.")
        if tasks["kept"]:
            console.print(f"Its tasks: journeyman grind world:{out}")


def _wrong(held: dict[str, Any]) -> float:
    return held["answered"] - held["exact"]
