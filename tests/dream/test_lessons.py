"""Sentences of a session's user become lessons, each found where it was said."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeyman import records
from journeyman.dream.lessons import MAX_CHARACTERS, extract, plain, sentences
from journeyman.records import Lesson, Remark, Role, Session, Turn, content_hash


def session(*texts: str, role: Role = "user", key: str = "") -> Session:
    return Session(tuple(Turn(role, text) for text in texts), key=key)


def texts(*said: str) -> list[str]:
    return [lesson.text for lesson in extract([session(*said)])]


def bare(text: str) -> str:
    """Without spaces and closing marks, which a sentence boundary may take away."""
    return re.sub(r"[\s\"')\]]", "", plain(text))


prose = st.lists(
    st.sampled_from(
        [
            "I",
            "Dr.",
            "owe",
            "Ann",
            "12",
            "it",
            "Monday:",
            "Rome.",
            "why?",
            "“so”",
            "(yes!)",
            "\n",
            "东京。",
            "- ",
            "e.g.",
        ]
    ),
    max_size=40,
).map(" ".join)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I moved to Rome. It rained! Did you know? Yes.", ["I moved to Rome.", "It rained!", "Did you know?", "Yes."]),
        ("Dr. Patel met Mr. Fox at 3.30 on St. Mary's Road. Then J. Doe left.",
         ["Dr. Patel met Mr. Fox at 3.30 on St. Mary's Road.", "Then J. Doe left."]),
        ("- milk is cheap\n* tea is dear\n• rice is both", ["milk is cheap", "tea is dear", "rice is both"]),
        ("东京很大。我住在那里！", ["东京很大。", "我住在那里！"]),
        ("It costs $4.50. ok then", ["It costs $4.50. ok then"]),
        ("I’m “Ann”.\u00a0¿Qué? Он дома.", ['I\'m "Ann".', "¿Qué?", "Он дома."]),
        ("", []),
        (" \n\n\t", []),
    ],
)  # fmt: skip
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@settings(max_examples=40, deadline=None)
@given(st.one_of(prose, st.text(max_size=300)))
def test_every_sentence_stands_in_the_text_in_order(text: str) -> None:
    rest = bare(text)
    for sentence in sentences(text):
        place = rest.find(bare(sentence))
        assert place >= 0
        rest = rest[place + len(bare(sentence)) :]


@settings(max_examples=40, deadline=None)
@given(st.one_of(prose, st.text(max_size=300)))
def test_a_lesson_is_made_of_words_of_its_turn(text: str) -> None:
    said = bare(text)
    for lesson in extract([session("Hello there, friend.", text)]):
        source = said if lesson.turn == 1 else bare("Hello there, friend.")
        words = lesson.text.split()
        assert all(bare(word) in source for word in words)
        assert len(lesson.text) <= MAX_CHARACTERS + 45  # a heading may come on top


@settings(max_examples=40, deadline=None)
@given(st.lists(prose, max_size=4))
def test_the_same_sessions_give_the_same_lessons(said: list[str]) -> None:
    assert extract([session(*said)]) == extract([session(*said)])


def test_only_the_user_teaches() -> None:
    for role in ("assistant", "system", "tool"):
        assert extract([session("I live in Rome now.", role=role)]) == []


def test_a_lesson_knows_its_proof() -> None:
    talk = Session((Turn("assistant", "Hi."), Turn("user", "I live in Rome now.")), topic="moving")
    assert extract([talk]) == [Lesson("I live in Rome now.", talk.id, 1, "moving")]


def test_what_is_said_again_is_kept_once_with_the_newest_proof() -> None:
    old, new = session("I live in Rome now.", key="1"), session("i live in Rome NOW.", "I have a cat.", key="2")
    assert extract([old, new]) == [Lesson("i live in Rome NOW.", new.id, 0), Lesson("I have a cat.", new.id, 1)]


def test_a_leaning_sentence_brings_the_one_before_it() -> None:
    assert texts("I have a boat. It is called Ann.") == ["I have a boat.", "I have a boat. It is called Ann."]


def test_a_heading_goes_with_its_note() -> None:
    assert texts("Monday: the boiler broke down. Henrik came at noon.") == [
        "Monday: the boiler broke down.",
        "Monday: Henrik came at noon.",
    ]


def test_fragments_and_pasted_walls_are_not_lessons() -> None:
    assert texts("Thanks a. Ok.", "x" * 500, "word " * 100) == []


def seconds(text: str) -> float:
    start = time.process_time()
    extract([session(text)])
    return time.process_time() - start


@pytest.mark.parametrize(
    "unit",
    ["the quick brown fox. ", "a", " ", "东京很大。", '."', "A:", "Aa Bb: x y z ", "(((", "\n", "- "],
)
def test_two_hundred_thousand_characters_take_a_moment(unit: str) -> None:
    assert seconds((unit * (200_000 // len(unit) + 1))[:200_000]) < 3


@pytest.mark.parametrize("unit", ["A. ", "Dr. "])
def test_abbreviations_in_a_row_take_linear_time(unit: str) -> None:
    assert seconds(unit * 1600) < 8 * seconds(unit * 400) + 0.02


def test_a_session_is_hashed_once_not_once_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[Any] = []

    def counted(content: Any) -> str:
        hashed.append(content)
        return content_hash(content)

    monkeypatch.setattr(records, "content_hash", counted)
    told = session("I live in Rome. I have two cats. I owe Ann money.")
    assert len(extract([told])) == 3
    assert len([each for each in hashed if told.turns[0].content in str(each)]) == 1


def test_a_heading_ends_with_its_line() -> None:
    assert texts("Shopping: milk and eggs today.\nMy daughter is called Ann.")[1] == "My daughter is called Ann."


def test_what_was_said_of_an_answer_later_is_a_lesson_too() -> None:
    turns = (Turn("user", "What shall I cook today?"), Turn("assistant", "A steak."))
    remark = Remark(1, 0.0, "I have been vegetarian for years.", "You could make the bean stew.", '{"cooked": false}')
    plain, told = Session(turns), Session(turns, remarks=(remark,))
    assert [lesson.text for lesson in extract([told])][-2:] == [
        "I have been vegetarian for years.",
        "You could make the bean stew.",
    ]
    assert [lesson.turn for lesson in extract([told])][-2:] == [1, 1]
    assert plain.id != told.id
    assert Session.from_json(told.to_json()) == told
    assert "remarks" not in plain.to_json()
