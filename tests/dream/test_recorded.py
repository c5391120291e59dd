"""Situations that were recorded: corrected answers, and questions about what had been said."""

from __future__ import annotations

import pytest

from journeyman.dream import recorded
from journeyman.dream.lessons import extract
from journeyman.dream.spans import Span, find
from journeyman.records import Session, Turn


def session(*said: str, key: str = "") -> Session:
    """User and assistant in turn."""
    return Session(tuple(Turn("user" if n % 2 == 0 else "assistant", text) for n, text in enumerate(said)), key=key)


def spans(sessions: list[Session]) -> list[Span]:
    return [span for lesson in extract(sessions) for span in find(lesson)]


def asked(sessions: list[Session]) -> list[tuple[str, str]]:
    return [(each.prompt, each.evidence) for each in recorded.questions(sessions, spans(sessions))]


def test_a_corrected_answer_is_a_situation() -> None:
    talk = session("How long is the warranty?", "It is 12 months.", "No, the warranty lasts 19 months.")
    [found] = recorded.corrections([talk], [span for span in spans([talk]) if span.text == "19"])
    assert (found.prompt, found.evidence, found.origin) == ("How long is the warranty?", "19", "user")
    assert "12" not in found.prompt


def test_what_is_no_correction() -> None:
    talk = session("How long is the warranty?", "It is 19 months.", "Thanks, my lamp has 3 bulbs.")
    assert recorded.corrections([talk], spans([talk])) == []


def test_a_later_question_about_what_was_said_is_a_situation() -> None:
    told = session("I paid $85 for the kitchen tap.", "Noted.", key="a")
    later = session("Hello! How much did I pay for the kitchen tap?", "I do not know.", key="b")
    assert asked([told, later]) == [("How much did I pay for the kitchen tap?", "$85")]
    assert asked([later, told]) == []  # asked before it was said


@pytest.mark.parametrize(
    "question",
    [
        "Where is the kitchen tap?",  # asks for something else
        "How much is the dishwasher?",  # about something else
        "How much does a kitchen renovation with new floors and windows cost nowadays?",  # about much else
        "Was the kitchen tap $85 or how much?",  # holds the answer
        "I wonder how much the kitchen tap was.",  # is no question
    ],
)
def test_other_questions_are_not(question: str) -> None:
    told = session("I paid $85 for the kitchen tap.", "Noted.", key="a")
    assert asked([told, session(question, key="b")]) == []
