"""Reading questions, comparing replies with accepted answers, asking."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_engine import ScriptedEngine

from journeyman.errors import InputError, UsageError
from journeyman.evaluate.questions import Question, answer_questions, fold, is_correct, load_questions, score


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("You live in **Seattle**.", "seattle"),
        ("It was $49.99!", "49.99"),
        ("about 1.8 inches of rain", "1.8"),
        ("1,000 USD", "1000"),
        ("513mL of coffee", "513"),
        ("Drop-off is at 08:00AM", "08:00 AM"),
        ("at 8 a.m.", "8 AM"),
        ("see @coffee_creations_1237.", "coffee_creations_1237"),
        ("_coffee\\_creations\\_1237_", "coffee_creations_1237"),
        ("the corner dents", "corner dent"),
        ("your taxes", "Tax"),
        ("It’s Michael’s machine", "Michael"),
        ("O'Brien it is", "O’Brien"),
        ("a 19-month plan", "19"),
        ("glue-stick", "glue stick"),
        ("from 1–20", "1-20"),
        ("ＳＥＡＴＴＬＥ", "Seattle"),
        ("我住在北京。", "北京"),
    ],
)
def test_an_answer_that_is_there_is_found(reply: str, answer: str) -> None:
    assert is_correct(reply, ["something else", answer])


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("You are 35.", "3"),
        ("At 3.5 it is", "3"),
        ("at 10:30", "30"),
        ("1 8", "1.8"),
        ("1.8", "1 8"),
        ("49.990", "49.99"),
        ("$49", "49.99"),
        ("three", "3"),
        ("the 3rd", "3"),
        ("creations", "coffee_creations_1237"),
        ("category", "cat"),
        ("art", "art contest"),
        ("contest of art", "art contest"),
        ("the 35s", "35 s x"),
        ("", "Seattle"),
    ],
)
def test_an_answer_that_is_not_there_is_not(reply: str, answer: str) -> None:
    assert not is_correct(reply, [answer])


@given(st.lists(st.sampled_from(["blue", "1.8", "at_home", "35", "o'clock", "Zürich", "$4"]), min_size=1, max_size=6))
def test_a_text_contains_itself_whatever_stands_around_it(words: list[str]) -> None:
    text = " ".join(words)
    assert is_correct(f"Well, {text.upper()} -- so it is.", [text])
    assert fold(" ".join(fold(text))) == fold(text)


def test_questions_are_read_with_one_answer_or_many(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(
        '{"question": "Who?", "answers": "Ann", "source": "x"}\n\n'
        '{"id": "b", "question": "Age?", "answers": ["3", "three"]}\n'
    )
    assert load_questions(path) == [Question("1", "Who?", ("Ann",)), Question("b", "Age?", ("3", "three"))]


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"answers": ["x"]}',
        '{"question": "?", "answers": []}',
        '{"question": "?", "answers": [3]}',
        '{"question": "?", "answers": "..."}',
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"question": "Who?", "answers": "Ann"}\n' + line + "\n")
    with pytest.raises(InputError, match=r"q\.jsonl, line 2") as caught:
        load_questions(path)
    assert caught.value.remedy


def test_a_file_without_questions_or_no_file(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(InputError, match="no items"):
        load_questions(tmp_path / "empty.jsonl")
    with pytest.raises(UsageError, match="cannot read"):
        load_questions(tmp_path / "absent.jsonl")


QUESTIONS = [
    Question("1", "Where do I live?", ("Seattle",)),
    Question("2", "How old am I?", ("35", "thirty five")),
]


def test_closed_book_questions_are_asked_as_they_are_and_under_the_adapter() -> None:
    engine = ScriptedEngine({None: {"Where do I live?": "In Oslo."}, "night": {"Where do I live?": " In Seattle. "}})
    base = score(answer_questions(engine, QUESTIONS, adapter=None))
    night = score(answer_questions(engine, QUESTIONS, adapter="night"))
    assert (base.correct, night.correct, night.n, night.accuracy) == (0, 1, 2, 0.5)
    assert engine.active is None
    shown = night.to_json()
    assert shown["items"][0] == {
        "id": "1",
        "question": "Where do I live?",
        "answers": ["Seattle"],
        "reply": "In Seattle.",
        "correct": True,
    }
    assert shown["interval"] == list(night.interval)


def test_notes_come_before_the_question() -> None:
    prompt = "Notes about me:\nI am 35.\n\nHow old am I?\nAnswer in a few words, from the notes."
    engine = ScriptedEngine({None: {prompt: "35", "Where do I live?": "Seattle"}})
    notes = {"How old am I?": "I am 35."}
    answered = answer_questions(engine, QUESTIONS, adapter=None, context=lambda question: notes.get(question, ""))
    assert [item.reply for item in answered] == ["Seattle", "35"]


def test_replies_are_cut_at_the_limit() -> None:
    engine = ScriptedEngine({None: {"Where do I live?": "x" * 100}})
    assert len(answer_questions(engine, QUESTIONS, adapter=None, max_new_tokens=7)[0].reply) == 7
    assert score([]).interval == (0.0, 1.0)
