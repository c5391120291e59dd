"""Verdicts of a dreamed world against what really came of sessions about the same request."""

from __future__ import annotations

import json
from typing import Any

import lamps
import pytest

from journeyman.capture.conversations import Conversation
from journeyman.dream.dreamed import Dreamed, dream
from journeyman.dream.worlds.agreement import agreement, disagrees, known, scored
from journeyman.records import Exchange, Outcome, Session, Turn


def session(lamp: str, told: str, name: str, came: float) -> dict[str, Any]:
    """Somebody asks for one lamp; `lamp` is the one that is lit."""
    house = lamps.House()
    messages: list[dict[str, Any]] = [{"role": "user", "content": f"Please light {told}."}]
    for tool in ("get_lamp", "switch_on"):
        key = f"c{len(messages)}"
        function = {"name": tool, "arguments": json.dumps({"lamp_id": lamp})}
        messages.append({"role": "assistant", "content": "", "tool_calls": [{"id": key, "function": function}]})
        messages.append({"role": "tool", "tool_call_id": key, "content": house.call(tool, lamp)})
    return {"id": name, "messages": messages, "reward": came}


def dreamt(lie: bool = False) -> Dreamed:
    """Lamps that are asked for twice: lit rightly once, and another one in its place the other time."""
    off = [f"L-{n}" for n in range(40) if n % 5 < 3]
    log: list[dict[str, Any]] = []
    for number, lamp in enumerate(off):
        other = off[(number + 1) % len(off)]
        log.append(session(lamp, lamp, f"{lamp}-right", 1.0))
        log.append(session(lamp if lie else other, lamp, f"{lamp}-wrong", 0.0))
    return dream(log, budget=len(log))


def test_verdicts_that_are_what_came_of_sessions_agree() -> None:
    found = dreamt().outcomes
    assert found is not None
    assert found["n"] >= 20
    assert found["agreed"] == 1
    assert found["paid_failures"] == found["unpaid_successes"] == 0
    assert not disagrees(found)


def test_a_world_that_pays_what_failed_is_found_out() -> None:
    found = dreamt(lie=True).outcomes
    assert found is not None
    assert found["paid_failures"] == found["n"] >= 20
    assert found["agreed"] == 0
    assert disagrees(found)


def test_nothing_is_said_where_no_outcome_is_known() -> None:
    assert agreement(dream(lamps.log(12), budget=12).tasks) is None
    assert not disagrees(None)


def test_what_failed_is_no_example_of_how_to_do_it() -> None:
    log = lamps.log(12)
    failed = {str(each["id"]): 0.0 for each in log[:6]}
    origins = dream(log, budget=24, outcomes=failed).tasks.origins
    assert origins
    assert not {origin.session for origin in origins.values()} & failed.keys()


@pytest.mark.parametrize(
    ("value", "score"),
    [("true", 1.0), ("0", 0.0), ("0.5", 0.5), ('{"success": false}', 0.0), ('"sold"', None), ("{}", None), ("?", None)],
)
def test_an_outcome_is_read_as_a_score(value: str, score: float | None) -> None:
    assert scored(value) == score


def test_outcomes_are_those_of_a_session_by_its_key_or_the_last_by_an_answer() -> None:
    turns = (Turn("user", "Hello."), Turn("assistant", "Yes?"))
    one, other = (Session(turns, key="k"), Session(turns))
    said = Exchange("r1", "other", b"{}", "2026-03-16T10:00:00")
    outcomes = [Outcome("1", key="k"), Outcome("1", receipt="r1"), Outcome("0", receipt="r1"), Outcome("1", key="x")]
    assert known([Conversation(one, {}), Conversation(other, {1: said})], outcomes) == {one.id: 1.0, other.id: 0.0}
