"""Decisions: calls of tools that somebody has judged, and so lessons of what is to be done.

    correction    "Sale goods never come back: refuse it."         what was wrong, in words
    better        {"name": "close_case", "arguments": {...}}       what should have been called

A better answer that is a call is a lesson: at that moment of the conversation this was right. So is the model's own
call, where the last word on it is good: a rating above 0, or an outcome that is true or 0.5 and more.

Always holds: what is right is what somebody said is right, and never what the model only happened to do; a call that
the last word on it calls wrong, without a better one, teaches nothing; of two that were asked for in the same
conversation's words the newer stands.

Knows sessions and calls; nothing of models, nor of what a call does.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from journeyman.capture.messages import call_in
from journeyman.records import Remark, Session, Turn
from journeyman.world.actions import Call, owned

How = Literal["corrected", "confirmed"]
GOOD = 0.5  # an outcome of so much or more, of 1
_NAMED = re.compile(r"\b[A-Za-z]+[-#]?(\d{2,})\b")  # a thing by its number: R-2033, K-45, INV10045


class Decision(NamedTuple):
    """In `session` (its id), after the turns `before`, `right` was to be called; `words`: what was said of it."""

    session: str
    before: tuple[Turn, ...]
    right: Call
    how: How
    words: str = ""


def decisions(sessions: Iterable[Session]) -> list[Decision]:
    """Those of these sessions, in their order."""
    latest: dict[str, Decision] = {}
    for session in sessions:
        id = session.id  # a hash of the whole session
        for place, turn in enumerate(session.turns):
            remarks = [each for each in session.remarks if each.turn == place]
            if place and turn.role == "assistant" and (found := _judged(turn, remarks)):
                before = session.turns[:place]
                words = json.dumps([each.to_json() for each in before])
                latest.pop(words, None)
                latest[words] = Decision(id, before, *found)
    return list(latest.values())


def _judged(turn: Turn, remarks: Sequence[Remark]) -> tuple[Call, How, str] | None:
    """What was right in this place, by the last words on it."""
    better: Call | None = None
    words, good = "", False
    for each in remarks:
        better = (_call(each.better) if each.better else None) or better
        words = each.correction or words
        good = _is_good(each, good)
    if better is not None:
        return better, "corrected", words
    if not good or len(turn.tool_calls) != 1:
        return None
    [own] = turn.tool_calls
    try:
        arguments = json.loads(own.arguments or "{}")
    except ValueError:
        return None
    return (Call(own.name, arguments), "confirmed", words) if isinstance(arguments, dict) else None


def _call(text: str) -> Call | None:
    """The call that a better answer is; None too where it is one that no world could take."""
    found = call_in(text)
    if found is None:
        return None
    try:
        action = owned(Call(*found))
    except ValueError:
        return None
    return action if isinstance(action, Call) else None


def _is_good(remark: Remark, before: bool) -> bool:
    """Whether an answer is good after this word on it."""
    if remark.correction or remark.better:
        return False
    if remark.rating is not None:
        return remark.rating > 0
    if remark.outcome:
        value = json.loads(remark.outcome)
        if isinstance(value, bool | int | float):
            return value >= GOOD
    return before


def elsewhere(decision: Decision, chance: random.Random) -> Decision:
    """The same decision about other things: each that the call names by its number has another number, wherever it is
    spoken of. So what is practised is to call by the name that is given, and no number is learnt by heart."""
    told = " ".join(turn.content for turn in decision.before if turn.role == "user")
    called = " ".join(value for value in decision.right.args.values() if isinstance(value, str))
    names = {found[0]: found[1] for found in _NAMED.finditer(told)}
    others: dict[str, str] = {}
    for name, digits in names.items():
        if re.search(rf"\b{re.escape(name)}\b", called):
            fresh = f"{chance.randrange(10 ** (len(digits) - 1), 10 ** len(digits))}"
            others[name] = name[: -len(digits)] + fresh
    if not others:
        return decision
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(others, key=len, reverse=True)))})\b")

    def said(text: str) -> str:
        return pattern.sub(lambda found: others[found[0]], text)

    args: dict[str, Any] = {
        name: said(value) if isinstance(value, str) else value for name, value in decision.right.args.items()
    }
    before = tuple(
        replace(
            turn,
            content=said(turn.content),
            tool_calls=tuple(replace(each, arguments=said(each.arguments)) for each in turn.tool_calls),
        )
        for turn in decision.before
    )
    return decision._replace(before=before, right=Call(decision.right.tool, args))
