"""`journeyman sessions`: what has been kept, and its export.

Always holds: what is exported can be imported; nothing is changed; of a large store one session at a time is in memory.

Knows nothing of how a session came in.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rich.table import Column, Table

from journeyman.capture import conversations, finetuning
from journeyman.capture.conversations import Conversation
from journeyman.capture.messages import message
from journeyman.cli import common
from journeyman.errors import UsageError
from journeyman.records import PURPOSES, Exchange, Purpose, Session

if TYPE_CHECKING:
    from journeyman.cli.common import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "sessions", help="list, show or export what was kept", description="List, show or export the kept sessions."
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="one line a session")
    showing = actions.add_parser("show", help="one session, turn by turn")
    showing.add_argument("session", metavar="ID", help="the beginning of its id, or its name")
    export = actions.add_parser("export", help="all of them as JSONL, one a line")
    export.add_argument(
        "--purpose",
        choices=PURPOSES,
        action="append",
        default=[],
        help="only what may be used for it; may be given again (default: all that is kept)",
    )
    export.add_argument(
        "--format",
        choices=("jsonl", "openai", "preference"),
        default="jsonl",
        help="jsonl: all that is known (the default); openai: examples for fine-tuning; preference: pairs of a better"
        " answer and the one that was given (both: --purpose train, unless it is given)",
    )
    for action, run in ((listing, _list), (showing, _show), (export, _export)):
        common.add_store(action)
        common.add_tenant(action, "only this tenant's (default: all)", None)
        if action is not export:
            common.add_json(action)
        action.set_defaults(run=run)


def _list(args: argparse.Namespace) -> int:
    with common.existing_store(args.store) as store:
        rows = [_summary(each.session) for each in conversations.one_by_one(store, tenant=args.tenant)]
    if args.json:
        print(json.dumps({"sessions": rows}))
        return 0
    shown = [[str(value) for value in {**row, "began": row["began"][:19]}.values()] for row in rows]
    headers = ("id", "tenant", "name", "user", "began", "turns", "remarks")
    columns = [common.whole(header, (row[place] for row in shown)) for place, header in enumerate(headers)]
    first = Column("first words", no_wrap=True, min_width=12, ratio=1)  # alone of them is as wide as there is room
    table = Table(*columns, first, box=None, expand=True)
    for row in shown:
        table.add_row(*row)
    if rows:
        common.show(table)
    else:
        common.console().print("nothing is kept yet")
    return 0


def _show(args: argparse.Namespace) -> int:
    with common.existing_store(args.store) as store:
        wanted = args.session
        shown = [
            _exported(each)
            for each in conversations.one_by_one(store, tenant=args.tenant)
            if each.session.id.startswith(wanted) or each.session.key == wanted
        ]
        if not shown:
            raise UsageError(f"there is no session {args.session!r}", "journeyman sessions list")
    if args.json:
        print(json.dumps({"sessions": shown}))
        return 0
    console = common.console()
    for session in shown:
        console.print(f"session {session['id']}  {session['name']}  {session['user']}".rstrip())
        for said, turn in zip(session["messages"], session["turns"], strict=True):
            notes = [turn.get("ending", ""), turn.get("receipt", ""), _taken_out(turn.get("redacted", {}))]
            notes += [json.dumps(each, ensure_ascii=False) for each in turn.get("feedback", [])]
            calls = "".join(
                f"\n  calls {call['function']['name']} {call['function']['arguments']}"
                for call in said.get("tool_calls", [])
            )
            known = " · ".join(note for note in notes if note)
            console.print(f"{said['role']}: {said['content']}{calls}" + (f"\n  [{known}]" if known else ""))
    return 0


def _export(args: argparse.Namespace) -> int:
    purposes: list[Purpose] = args.purpose or ([] if args.format == "jsonl" else ["train"])
    written = conversations_read = 0
    with common.existing_store(args.store) as store:
        for each in conversations.one_by_one(store, *purposes, tenant=args.tenant):
            conversations_read += 1
            for line in _lines(each, args.format):
                written += 1
                print(json.dumps(line, ensure_ascii=False))
    if args.format != "jsonl":
        what = "examples" if args.format == "openai" else "pairs"
        print(f"{written} {what} from {conversations_read} conversations", file=sys.stderr)
    return 0


def _lines(conversation: Conversation, format: str) -> Iterable[dict[str, Any]]:
    if format == "preference":
        return finetuning.preferences(conversation)
    return filter(None, [finetuning.example(conversation) if format == "openai" else _exported(conversation)])


def _summary(session: Session) -> dict[str, Any]:
    first = next((turn.content for turn in session.turns if turn.role == "user"), "")
    return {
        "id": session.id,
        "tenant": session.tenant,
        "name": session.key,
        "user": session.user,
        "began": session.started_at,
        "turns": len(session.turns),
        "remarks": len(session.remarks),
        "first": " ".join(first.split())[:60],
    }


def _exported(conversation: Conversation) -> dict[str, Any]:
    session, answers = conversation.session, conversation.answers
    return {
        "id": session.id,
        "tenant": session.tenant,
        "name": session.key,
        "user": session.user,
        "started_at": session.started_at,
        "messages": [message(turn) for turn in session.turns],
        "turns": [_turn(session, place, answers.get(place)) for place in range(len(session.turns))],
    }


def _turn(session: Session, place: int, exchange: Exchange | None) -> dict[str, Any]:
    """What is known of a turn beyond its message; little for one that no answer of ours gave."""
    found: dict[str, Any] = {"ending": "cut"} if place in session.cut else {}
    if exchange is None and session.purposes != PURPOSES and session.turns[place].role == "assistant":
        found["purposes"] = list(session.purposes)
    if exchange is not None:
        found = {
            "receipt": exchange.receipt,
            "ending": exchange.ending,
            "finish_reason": exchange.details.get("finish_reason"),
            "model": exchange.details.get("model"),
            "adapter": exchange.details.get("adapter"),
            "purposes": list(exchange.purposes),
        }
        if redacted := exchange.details.get("redacted"):
            found["redacted"] = redacted
    said = [
        {name: value for name, value in remark.to_json().items() if value not in (None, "") and name != "turn"}
        for remark in session.remarks
        if remark.turn == place
    ]
    return {**found, "feedback": said} if said else found


def _taken_out(redacted: Mapping[str, Any]) -> str:
    """In words, how much was taken out of an exchange before it was kept."""
    said = [
        f"{', '.join(f'{count} {kind}' for kind, count in redacted[what].items())} in the {what}"
        for what in ("request", "names", "response")
        if what in redacted
    ]
    said += [f"without {', '.join(redacted['left_out'])}"] if "left_out" in redacted else []
    said += [f"could not be redacted ({redacted['failed']})"] if "failed" in redacted else []
    return f"redacted: {'; '.join(said)}" if said else ""
