"""`journeyman bisect`: the night at which an answer changed.

Always holds: nothing is changed; it says where it has looked and where it has not.

Knows how it is shown; how it is found is `journeyman.origins.bisect`'s to know.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from journeyman.cli import common, progress
from journeyman.errors import AdapterError
from journeyman.web.values import counted

if TYPE_CHECKING:
    from journeyman.cli.common import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "bisect",
        help="the night at which an answer changed",
        description="Ask the base and the adapters that the one in service descends from, halving the line each time,"
        " and say at which night the answer changed, what it was before and after, and which lessons of the night are"
        " about it.",
    )
    said = "look for the night at which the answer began, or ceased, to hold these words"
    parser.add_argument("--expect", default="", metavar="TEXT", help=said)
    parser.add_argument("--every", action="store_true", help="ask every adapter: an answer may come and go in between")
    common.add_question(parser, "whose adapters")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    with common.existing_store(args.store) as store, progress.shown(quiet=True) as report:
        report(f"load {args.model}", 0.0)
        speaker = common.speaker(args.model, store, args.adapter, args.tenant)
        if speaker.record is None:
            raise AdapterError(
                "no adapter is in service: there is no line to look through",
                "give one with --adapter HASH: journeyman adapters list",
            )
        report("ask", 0.5)
        from journeyman.origins.bisect import bisect

        found = bisect(store, speaker.engine, speaker.record, args.question, args.expect, args.every)
    if args.json:
        print(json.dumps(found))
    else:
        _show(found, args.every)
    return 0


def _show(found: Mapping[str, Any], every: bool) -> None:
    console = common.console()
    line, changes = found["line"], found["changes"]
    gone = sum(not each["here"] for each in line)
    lost = f"; the files of {counted(gone, 'adapter')} are gone" if gone else ""
    console.print(f"asked {found['asked']} of {len(line)} (the base and {counted(len(line) - 1, 'night')}){lost}")
    what = f"whether it holds {found['expect']!r}" if found["expect"] else "the answer"
    if not changes:
        hint = "" if every else "; it may have come and gone in between: --every asks all"
        console.print(f"{what} is the same at both ends{hint}: {line[-1]['answer']}")
        return
    if len(changes) > 1:
        more = "" if every else ", at least"
        console.print(f"{what} changed {counted(len(changes), 'time')}{more}")
    for each in changes:
        console.print(f"\nnight {each['night']} of {each['at'][:10]}, adapter {each['adapter']}")
        if each["passed"]:
            console.print(f"or one before it whose adapter is gone: {', '.join(each['passed'])}")
        console.print(f"  before  {each['before']}\n  after   {each['after']}")
        if each["erased"]:
            console.print("  what it had learned from was erased")
        for lesson in each["lessons"]:
            mark = "holds the answer" if lesson["holds_answer"] else f"has {', '.join(lesson['in_common'])}"
            again = f", repeated of night {lesson['taught']}" if lesson["taught"] != lesson["night"] else ""
            console.print(f"  session {lesson['session']}, turn {lesson['turn']}{again} ({mark}): {lesson['text']}")
        if not each["lessons"] and not each["erased"]:
            console.print("  none of its lessons has a word of it: journeyman why asks the weights")
