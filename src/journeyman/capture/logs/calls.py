"""Calls to a model, as a log has them, put together to sessions.

Each call brings the conversation up to its answer. As over the gateway, a later call that begins with an earlier one's
conversation goes on from it, branches stay one session, and a retry is no second sample; where the log names a session,
that name counts.

Always holds: two calls that say the same give one session, so that a log may be read twice; a session's name is the
log's own (session, conversation or trace); what was said of an answer stays with its turn.

Knows requests in OpenAI's shapes; nothing of any log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from journeyman.capture import conversations, names, recognition, responses
from journeyman.capture.messages import UnreadableError, session_from
from journeyman.records import Exchange, Feedback, Outcome, Session


class Place(NamedTuple):
    """Which file of an import, and the line on which a value starts."""

    file: int
    line: int


@dataclass(frozen=True)
class Call:
    """One request and its answer.

    name         what its log calls it; no two calls of a log have the same
    request      {"messages": [...]}, or a request for a response with the name of that as `response_id`
    reply        the assistant's message
    session      the conversation that its log names, or ""
    group        what else its log says belongs together: a trace
    """

    place: Place
    name: str
    request: Mapping[str, Any]
    reply: Mapping[str, Any]
    session: str = ""
    group: str = ""
    user: str = ""
    started_at: str = ""
    response_id: str = ""


@dataclass
class Gathered:
    """What a log held; feedback and outcomes name a call as their receipt."""

    calls: list[Call] = field(default_factory=list)
    feedback: list[Feedback] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    refused: list[tuple[Place, str]] = field(default_factory=list)


def sessions_of(gathered: Gathered) -> tuple[list[tuple[Place, Session]], list[tuple[Place, str]]]:
    """The sessions, each with the place of its last answer; and the calls that hold no conversation, with why."""
    calls = {each.name: each for each in sorted(gathered.calls, key=lambda each: each.started_at)}
    exchanges, said_in = conversations.resolved([_exchange(each) for each in calls.values()])
    readable: list[Exchange] = []
    refused: list[tuple[Place, str]] = []
    for each in exchanges:
        try:
            if not said_in[each.receipt]:
                raise UnreadableError(
                    "what went before is not here: import the log of that response in the same command"
                )
            session_from({"messages": [*said_in[each.receipt], each.reply]})
            readable.append(each)
        except UnreadableError as why:
            refused.append((calls[each.receipt].place, f"{each.receipt}: {why}"))
    found: dict[str, tuple[Place, Session]] = {}
    named = _in_sessions(readable, calls, said_in)
    for each in conversations.assembled(named, (), gathered.feedback, gathered.outcomes).conversations:
        last = each.answers[max(each.answers)].receipt
        found.setdefault(each.session.id, (calls[last].place, each.session))
    return list(found.values()), refused


def when(given: Any) -> str:
    """A time as ISO 8601 in UTC with microseconds, so that texts sort as times do: from ISO 8601, with or without a
    zone, or seconds since 1970. "" for anything else."""
    try:
        if isinstance(given, str) and given:
            time = names.moment(given)
        elif isinstance(given, int | float) and not isinstance(given, bool):
            time = datetime.fromtimestamp(given, UTC)
        else:
            return ""
    except (ValueError, OverflowError, OSError):
        return ""
    return time.isoformat(timespec="microseconds")


def _exchange(call: Call) -> Exchange:
    """The call as if it had gone over the gateway."""
    is_response = "messages" not in call.request
    messages = responses.said(call.request) if is_response else call.request["messages"]
    begins = recognition.chain(messages, "", f":{call.user}")[-1] if messages else ""
    return Exchange(
        receipt=call.name,
        session=call.name,
        request=json.dumps(call.request).encode(),
        started_at=call.started_at,
        user=call.user,
        begins=begins,
        ends=recognition.extended(begins, call.reply) if begins else "",
        ending="complete",
        reply=dict(call.reply),
        details={"path": responses.PATH, "response_id": call.response_id} if is_response else {},
    )


def _in_sessions(
    exchanges: list[Exchange], calls: Mapping[str, Call], said_in: Mapping[str, list[Any]]
) -> list[Exchange]:
    """Each with the session that it is named into, or goes on with, or else is the first of."""
    paths = {each.receipt: recognition.chain(said_in[each.receipt], "", f":{each.user}") for each in exchanges}
    sessions: dict[str, str] = {}  # by where a conversation ends
    found: dict[str, str] = {}
    for each in sorted(exchanges, key=lambda each: len(paths[each.receipt])):  # what goes on is longer
        call = calls[each.receipt]
        places = [each.ends, *reversed(paths[each.receipt])]  # one that says the same is the same
        before = next((sessions[place] for place in places if place in sessions), "")
        found[each.receipt] = call.session or before or call.group or call.name
        sessions.setdefault(each.ends, found[each.receipt])
    return [replace(each, session=found[each.receipt]) for each in exchanges]
