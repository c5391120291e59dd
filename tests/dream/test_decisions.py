"""Decisions: what somebody has said was right is a lesson, and nothing else is."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeyman.capture.messages import call_in
from journeyman.dream.decisions import Decision, decisions, elsewhere
from journeyman.dream.lessons import extract
from journeyman.dream.worlds.calls import recording
from journeyman.records import Remark, Session, ToolCall, Turn
from journeyman.world.actions import Call

ASKED = "Case K-45: please take back what I ordered with R-2191, line R-2191/1."
WRONG, RIGHT = Call("cancel_order", {"order": "R-2191"}), Call("return_line", {"line": "R-2191/1", "quantity": 1})


def written(call: Call) -> str:
    return json.dumps({"name": call.tool, "arguments": call.args})


def session(*remarks: Remark, call: Call = WRONG, key: str = "s") -> Session:
    made = ToolCall("c", call.tool, json.dumps(call.args))
    turns = (Turn("system", "You keep a shop."), Turn("user", ASKED), Turn("assistant", "", (made,)))
    return Session(turns, key, remarks=remarks)


def better(call: Call, words: str = "") -> Remark:
    return Remark(2, 0.0, words, written(call))


@pytest.mark.parametrize(
    ("remarks", "right", "how"),
    [
        ([better(RIGHT, "Book it.")], RIGHT, "corrected"),
        ([Remark(2, better=f"<tool_call>\n{written(RIGHT)}\n</tool_call>")], RIGHT, "corrected"),
        ([Remark(2, 1.0)], WRONG, "confirmed"),
        ([Remark(2, outcome="true")], WRONG, "confirmed"),
        ([Remark(2, outcome="0.7")], WRONG, "confirmed"),
        ([Remark(2, 0.0), Remark(2, 1.0)], WRONG, "confirmed"),
        ([better(RIGHT), Remark(2, outcome="true")], RIGHT, "corrected"),
        ([better(WRONG), better(RIGHT)], RIGHT, "corrected"),
    ],
)
def test_the_last_word_says_what_was_right(remarks: list[Remark], right: Call, how: str) -> None:
    [found] = decisions([session(*remarks)])
    assert (found.right, found.how) == (right, how)
    assert [turn.content for turn in found.before] == ["You keep a shop.", ASKED]


@pytest.mark.parametrize(
    "remarks",
    [
        [],
        [Remark(2, 0.0)],
        [Remark(2, 1.0), Remark(2, 0.0)],
        [Remark(2, 1.0), Remark(2, outcome="false")],
        [Remark(2, correction="That was wrong.")],
        [Remark(2, better="I would have booked a return.")],
        [Remark(2, outcome='{"returned": true}')],
        [Remark(1, 1.0)],
    ],
)
def test_what_nobody_called_right_is_no_decision(remarks: list[Remark]) -> None:
    assert not decisions([session(*remarks)])


def test_of_the_same_words_the_newer_stands() -> None:
    found = decisions([session(better(WRONG)), session(better(RIGHT), key="t")])
    assert [each.right for each in found] == [RIGHT]


def test_a_call_is_no_statement_and_a_corrected_session_no_oracle() -> None:
    corrected = session(better(RIGHT, "Goods come back within a month."))
    said = [lesson.text for lesson in extract([corrected])]
    assert "Goods come back within a month." in said
    assert not any("return_line" in text for text in said)
    assert recording(corrected).score == 0.0
    assert recording(session(Remark(2, 1.0))).score is None


def test_what_is_no_call_is_none() -> None:
    assert call_in(written(RIGHT)) == RIGHT
    for text in ("", "Book a return.", '{"name": "return_line"}', '{"name": ', "<tool_call></tool_call>"):
        assert call_in(text) is None


@given(st.integers(0, 1000))
def test_elsewhere_it_is_about_other_things_and_otherwise_the_same(seed: int) -> None:
    before = session().turns[:2]
    found = elsewhere(Decision("s", before, RIGHT, "corrected"), random.Random(seed))
    line = found.right.args["line"]
    order, _, rest = line.partition("/")
    assert (rest, found.right.args["quantity"], found.right.tool) == ("1", 1, "return_line")
    assert len(order) == len("R-2191")
    assert found.before[1].content == ASKED.replace("R-2191", order)  # and the case, which is not called, stays
    assert found.before[0] == before[0]


def test_what_names_nothing_stays_as_it_is() -> None:
    decision = Decision("s", session().turns[:2], Call("wait", {"days": 3}), "corrected")
    assert elsewhere(decision, random.Random(0)) == decision
