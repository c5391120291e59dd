"""From a log to a world, on a business made up for it: what is learnt, what is left open, what is never said."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from library import Library, log

from journeyman.dream.dreamed import Dreamed, dream
from journeyman.dream.worlds.admission import Admitted, admitted, contradicted
from journeyman.dream.worlds.fidelity import Measured, measured
from journeyman.errors import InputError, WorldError
from journeyman.world.outcome import Tier
from journeyman.world.world import World


@cache
def learnt() -> Admitted:
    return admitted(log(28), "library")


def fresh() -> World:
    found = learnt().induced
    return World(found.rules, found.start)


def shelved() -> tuple[str, str]:
    """A book that is known to be on the shelf, and a member who is known."""
    world = fresh()
    kinds = learnt().induced.documents
    books = [kinds["book"].document(row) for row in world.state.rows("book")]
    book = next(each["book_id"] for each in books if each is not None and each["state"] == "shelf")
    return book, "M-01"


def test_effects_on_what_is_answered_and_on_what_is_not() -> None:
    book, member = shelved()
    world = fresh()
    lent = world.call("lend", {"book_id": book, "member_id": member})
    assert lent.ok
    assert lent.tier is Tier.CODE
    assert (lent.value["state"], lent.value["holder"]) == ("lent", member)
    found = learnt().induced.documents["member"].document(world.state.row("member", member))
    assert found is not None
    assert found["books"][-1] == book


def test_a_refusal_has_the_words_of_the_real_tool_and_changes_nothing() -> None:
    book, member = shelved()
    world = fresh()
    world.call("lend", {"book_id": book, "member_id": member})
    before = world.digest
    again = world.call("lend", {"book_id": book, "member_id": member})
    assert (again.ok, again.message) == (False, "The book is not on the shelf")
    assert world.digest == before


def test_what_is_new_has_a_key_of_its_own_and_holds_what_was_asked_for() -> None:
    world = fresh()
    one = world.call("open_request", {"member_id": "M-01", "wish": "maps"})
    other = world.call("open_request", {"member_id": "M-01", "wish": "plays"})
    assert one.value["request_id"] != other.value["request_id"]
    held = world.call("get_request", {"request_id": other.value["request_id"]})
    assert held.value == {**other.value, "member_id": "M-01", "wishes": [{"wish": "plays"}], "state": "open"}


def test_nobody_invents_a_book() -> None:
    found = fresh().call("get_book", {"book_id": "B-12345"})
    assert (found.error, found.trust) == ("abstain", 0.0)


def test_answers_on_other_sessions_are_right_far_more_often_than_a_cache_and_hardly_ever_wrong() -> None:
    found = measured(learnt().induced, log(40)[28:], log(28)).to_json()
    assert found["wrong_when_answered"] <= 0.01
    assert found["exact"] >= 0.8
    assert found["exact"] > found["cache_exact"] + 0.2


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 12))
def test_no_tool_contradicts_what_was_recorded(seed: int, count: int) -> None:
    sessions = log(count, seed)
    found = admitted(sessions, "library")
    assert not measured(found.induced, sessions, sessions).wrong


def test_the_same_log_gives_the_same_world() -> None:
    one, other = (admitted(log(8), "library").induced for _ in range(2))
    assert one.source == other.source
    assert one.start.digest == other.start.digest


def as_messages(count: int) -> list[dict[str, object]]:
    """The log as OpenAI's messages."""
    sessions: list[dict[str, object]] = []
    for session in log(count):
        messages: list[dict[str, object]] = []
        for at, call in enumerate(session.calls):
            function = {"name": call.tool, "arguments": json.dumps(call.arguments)}
            said = call.value if isinstance(call.value, str) else json.dumps(call.value)
            messages.append(
                {"role": "assistant", "content": "", "tool_calls": [{"id": f"c{at}", "function": function}]}
            )
            content = said if call.ok else f"Error: {said}"
            messages.append({"role": "tool", "tool_call_id": f"c{at}", "content": content})
        sessions.append({"id": session.id, "messages": messages})
    return sessions


def test_a_world_is_saved_corrected_and_measured_again(tmp_path: Path) -> None:
    dreamed = dream(as_messages(12))
    dreamed.save(tmp_path)
    assert json.loads((tmp_path / "card.json").read_text())["on_path"]["wrong_when_answered"] == 0
    book = tmp_path / "world.py"
    again = dream(as_messages(12), world=book)
    assert again.card["contradicted"] == []
    book.write_text(book.read_text().replace("The book is not lent", "It is not lent"))
    assert dream(as_messages(12), world=book).card["contradicted"] == ["bring_back"]
    book.write_text("def (")
    with pytest.raises(WorldError):
        dream(as_messages(12), world=book)


def test_without_calls_there_is_no_world() -> None:
    with pytest.raises(InputError):
        dream([{"messages": [{"role": "user", "content": "Hello"}]}])


def test_the_card_says_what_was_measured() -> None:
    dreamed: Dreamed = dream(as_messages(12))
    assert dreamed.card["sessions"] == 12
    assert set(dreamed.card["tools"]) <= {name for name in dir(Library) if not name.startswith("_")}
    assert dreamed.card["held_out"]["calls"] > 0


def test_one_slip_in_two_hundred_calls_is_no_contradiction() -> None:
    """As a world is admitted, so a corrected one is: what was written passes when nothing in it is changed."""
    found = Measured()
    found.tools["look"].answered, found.tools["look"].exact = 400, 398
    found.tools["lend"].answered, found.tools["lend"].exact = 100, 99
    assert contradicted(found) == ["lend"]
