"""What people say of themselves, and how they ask for it later."""

from __future__ import annotations

import pytest

from journeyman.dream import english, profile
from journeyman.dream.spans import find
from journeyman.records import Lesson


@pytest.mark.parametrize(
    ("text", "answer", "question"),
    [
        ("Hey there! It's Omar here, just checking in.", "Omar", "What is my name?"),
        ("It's Omar from Leeds again—yes, the same 41-year-old baker.", "41", "What is my age?"),
        ("It's Omar from Leeds again—yes, the same 41-year-old baker.", "Leeds", "Where am I from?"),
        ("I'm 41 years old, live in Leeds, and bake.", "Leeds", "Where am I from?"),
        ("Omar again—yes, the same Omar from Leeds who's 41, works as a baker.", "41", "What is my age?"),
    ],
)
def test_what_the_user_says_of_himself(text: str, answer: str, question: str) -> None:
    span = next(span for span in find(Lesson(text, "s", 0)) if span.text == answer)
    assert profile.questions(span)[0] == question
    assert english.questions(span)[0] == question


@pytest.mark.parametrize("text", ["It's Friday again.", "My boss lives in Oslo.", "I'm 12 miles away.", "I ran 5 km."])
def test_what_is_said_of_other_things_is_no_profile(text: str) -> None:
    assert not any(profile.questions(span) for span in find(Lesson(text, "s", 0)))
