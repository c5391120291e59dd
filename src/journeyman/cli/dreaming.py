"""`journeyman dream`: a world out of the kept sessions, how faithful it is, and what there is to do in it.

Always holds: exit code 0 when the world's card passes, 1 when it does not or there is nothing to build from, 2 when it
was asked for wrongly; the store is only read, and only sessions that may be used for dreams.

Knows nothing of how a world is induced.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from journeyman.capture import conversations
from journeyman.cli import common, progress
from journeyman.errors import UsageError
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
    said = "make up what was only named, from others of its kind; whatever comes of that counts for less"
    parser.add_argument("--filler", action="store_true", help=said)
    said = (
        "base URL of an OpenAI-compatible model that may write tools which cannot be induced; it is shown their calls"
    )
    parser.add_argument("--proposer", metavar="URL", help=said)
    parser.add_argument("--proposer-model", metavar="NAME", help="its name (default: the first that the API lists)")
    said = "base URL of a model that answers reads where the world does not know, for less (default: nobody does)"
    parser.add_argument("--imitator", metavar="URL", help=said)
    parser.add_argument("--imitator-model", metavar="NAME", help="its name (default: the first that the API lists)")
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from journeyman.dream.asking import Asked
    from journeyman.dream.dreamed import dream, free
    from journeyman.dream.worlds.agreement import disagrees, known
    from journeyman.dream.worlds.imitator import look_ahead

    for option, given in (("--out", args.out), ("--world", args.world)):
        if given == "":
            raise UsageError(f"{option} names nothing", f"give {option} a path, or leave it out")
    if args.out:  # before minutes are spent on what cannot be kept
        free(Path(args.out), _text(args.world))
    if args.proposer and args.world:
        raise UsageError("a world.py that you give is measured as it is", "leave out --proposer, or --world")
    if args.proposer_model and not args.proposer:
        raise UsageError("--proposer-model names a model of nothing", "say where it is: --proposer URL")
    proposer = Asked(args.proposer, args.proposer_model, role="proposer") if args.proposer else None
    if args.imitator_model and not args.imitator:
        raise UsageError("--imitator-model names a model of nothing", "say where it is: --imitator URL")
    imitator = Asked(args.imitator, args.imitator_model, role="imitator") if args.imitator else None
    with common.existing_store(args.store) as store, progress.shown(quiet=True) as report:
        report("read the sessions", 0.0)
        kept = conversations.kept(store, "dream", tenant=args.tenant)
        came = known(kept, store.outcomes(args.tenant))
        report("induce the world", 0.1)
        sessions = [each.session for each in kept]
        dreamed = dream(
            sessions,
            world=args.world or "",
            budget=args.budget,
            proposer=proposer,
            outcomes=came,
            filler=args.filler,
            imitator=imitator,
        )
        report("make tasks", 0.6)
        if dreamed.imitator is not None:
            look_ahead(dreamed.suite, dreamed.imitator)
        card = {**dreamed.card, "tasks": dreamed.tasks.to_json(), "outcomes": dreamed.outcomes}
        card["passes"] = card["passes"] and not disagrees(dreamed.outcomes)
    if args.out:
        dreamed.save(args.out)
    if args.json:
        print(json.dumps(card))
    else:
        _show(card, args.out)
    return 0 if card["passes"] else 1


def _text(path: str | None) -> str | None:
    """Of the file that is to be measured, if there is one; what is wrong with it is said when it is opened."""
    try:
        return None if path is None else Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


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
    for tool, count in card.get("left_out", {}).items():
        told = "1 session that calls it is left out" if count == 1 else f"{count} sessions that call it are left out"
        console.print(f"  {tool} cannot be written as a function in Python: {told}")
    for tool in card.get("contradicted", ()):
        console.print(f"  {tool}: it answers otherwise than the log")
    for tool, says in card.get("broken", {}).items():
        console.print(f"  {tool}: {says}")
    for tool, outcome in card.get("proposed", {}).get("tools", {}).items():
        told = f"written by {card['proposed']['model']}, and admitted" if outcome["admitted"] else outcome["why"]
        console.print(f"  {tool}: {told}")
    if (users := card.get("users")) is not None:
        console.print(
            f"Of {users['turns']} turns of users, {percent(users['match'])} of the words are foreseen from other"
            f" sessions; without looking, {percent(users['without_looking'])}."
        )
    if (came := card["outcomes"]) is not None and came["n"]:
        told = f"Verdicts on {came['n']} sessions whose outcome is known: {percent(came['agreed'])} agree"
        console.print(f"{told}; on {came['unknown']} there is no verdict.")
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
