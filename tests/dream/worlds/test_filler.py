"""What was only named, made up from others of its kind: frozen, marked, and worth less."""

from __future__ import annotations

import json

import library
import pytest

from journeyman.dream.dreamed import Dreamed, dream
from journeyman.dream.worlds.calls import Call
from journeyman.world import Tier
from journeyman.world.outcome import TRUST


def dreamt(filler: bool) -> Dreamed:
    """Readers of a library: members' lists name books that nobody looked up."""
    sessions = [
        {
            "id": each.id,
            "messages": [message for number, call in enumerate(each.calls) for message in said(number, call)],
        }
        for each in library.log(10)
    ]
    return dream(sessions, budget=30, filler=filler)


def said(number: int, call: Call) -> list[dict[str, object]]:
    function = {"name": call.tool, "arguments": json.dumps(call.arguments)}
    text = (
        (call.value if isinstance(call.value, str) else json.dumps(call.value)) if call.ok else f"Error: {call.value}"
    )
    return [
        {"role": "assistant", "content": "", "tool_calls": [{"id": f"c{number}", "function": function}]},
        {"role": "tool", "tool_call_id": f"c{number}", "content": text if call.ok else f"Error: {text}"},
    ]


def test_what_was_only_named_is_there_is_like_its_kind_and_counts_for_less() -> None:
    plain, filled = dreamt(False), dreamt(True)
    assert plain.card == {key: value for key, value in filled.card.items() if key != "filled"}
    start, more = plain.induced.start, filled.induced.start
    documents = plain.induced.documents["member"]
    absent = [key for key in start.keys("member") if documents.document(start.row("member", key)) is None]
    assert len(absent) == filled.card["filled"]["member"] > 0
    books = plain.induced.documents["book"]
    held = {key: books.document(start.row("book", key)) for key in start.keys("book")}
    listed = 0
    for key in absent:
        assert plain.world.call("get_member", {"member_id": key}).error == "abstain"
        outcome = filled.world.call("get_member", {"member_id": key})
        assert outcome.tier == Tier.FILLED
        assert outcome.trust == pytest.approx(TRUST[Tier.FILLED])
        assert outcome.value["member_id"] == key
        assert set(outcome.value) == {"member_id", "name", "deposit", "books"}
        mine = {book for book, document in held.items() if document and document["holder"] == key}
        listed += bool(mine & set(outcome.value["books"]))
    assert listed  # who is said to hold a book has it in their own list
    for key in set(start.keys("member")) - set(absent):  # what was seen stays
        assert start.row("member", key) == more.row("member", key)
    assert dreamt(True).induced.start.digest == more.digest
