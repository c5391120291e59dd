"""`journeyman why`: which sessions and lessons made an answer what it is.

Always holds: nothing is changed; where the weights cannot tell, it says so instead of guessing.

Knows how it is shown; what influence is, `journeyman.learn.influence` knows.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from journeyman.cli import common, progress
from journeyman.web.values import counted

if TYPE_CHECKING:
    from journeyman.cli.common import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "why",
        help="which sessions and lessons made an answer what it is",
        description="Ask the base and the adapter in service, and if they differ, say which nights made that answer"
        " likelier and which of their lessons would have made it so by themselves, with the sessions they come from.",
    )
    parser.add_argument("--lessons", type=common.count, default=5, metavar="N", help="how many to name (default: 5)")
    common.add_question(parser, "whose adapter")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    with common.existing_store(args.store) as store, progress.shown(quiet=True) as report:
        report(f"load {args.model}", 0.0)
        speaker = common.speaker(args.model, store, args.adapter, args.tenant)
        report("look into what was learned", 0.5)
        from journeyman.origins.why import explain

        found = explain(store, speaker.engine, speaker.record, args.question, args.lessons)
    if args.json:
        print(json.dumps(found))
    else:
        _show(found)
    return 0


def _show(found: Mapping[str, Any]) -> None:
    console = common.console()
    answers = found["answers"]
    console.print(f"base      {answers['base']}")
    if answers["before"] is not None and answers["before"] not in (answers["base"], answers["now"]):
        console.print(f"before    {answers['before']}")
    console.print(f"now       {answers['now']}")
    if found["adapter"] is None:
        console.print("\nno adapter is in service: the base answers, and no session has a part in it")
        return
    if not found["changed"]:
        console.print("\nthe adapter answers as the base does: no lesson has changed this")
        return
    console.print()
    for each in found["nights"]:
        gain = "its adapter is not here" if each["gain"] is None else f"{each['gain']:+.1f} nats for this answer"
        reason = f" ({each['why_not']})" if each["why_not"] else ""
        console.print(f"night {each['night']} of {each['at'][:10]}: {gain}{reason}")
    if not found["lessons"]:
        console.print("no lesson is left that could be asked")
    for place, each in enumerate(found["lessons"], 1):
        console.print(f"\n{place}. {each['text']}")
        who = f", {each['user']}" if each["user"] else ""
        name = f" ({each['name']}{who})" if each["name"] else ""
        when = f", {each['started_at'][:10]}" if each["started_at"] else ""
        gone = "" if each["kept"] else ", which is not kept any more"
        again = f", which repeated it of night {each['taught']}" if each["taught"] != each["night"] else ""
        where = f"   session {each['session']}{name}, turn {each['turn']}{when}{gone}"
        console.print(f"{where}; night {each['night']}{again}")
        if each["receipts"]:
            console.print(f"   answers {', '.join(each['receipts'])}")
        holds = "; it holds the answer" if each["holds_answer"] else ""
        by = counted(each["situations"], "situation")
        console.print(f"   influence {each['influence']:.2f} nats per nat above the usual, by {by}{holds}")
        console.print(f"   learned as: {each['asked']}")
    if left := found["lessons_n"] - len(found["lessons"]):
        console.print(f"\nand {counted(left, 'lesson')} with less influence: --lessons N shows more")
