"""Questions from statements: a table of good ones, and what holds for all."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeyman.dream import english
from journeyman.dream.spans import WORD, Span, find
from journeyman.records import Lesson

words = (
    "I we my the a Ann bought sold red box $450 12 in to Lisbon for because and , ; is was have had don't name by"
).split()
sentence = st.lists(st.sampled_from(words), min_size=1, max_size=14).map(" ".join)


def span(text: str, answer: str) -> Span:
    """The span of `text` that reads `answer`, of the kind that is found first."""
    return next(span for span in find(Lesson(text, "s", 0)) if span.text == answer)


def asked(text: str, answer: str) -> list[str]:
    return english.questions(span(text, answer))


# The first wording, which is the one that trains first.
GOOD = [
    ("I bought a red bicycle for $450 last March.", "red bicycle", "What did I buy for $450 last March?"),
    ("The refund took 14 days.", "14", "How many days did the refund take?"),
    ("I usually walk 5 miles before breakfast.", "5", "How many miles do I usually walk before breakfast?"),
    ("I tossed the old router in the garage.", "old router", "What did I toss in the garage?"),
    ("I've been working at Globex since October.", "Globex", "Where have I been working since October?"),
    ("I studied chemistry at Uppsala.", "Uppsala", "Where did I study chemistry?"),
    ("I paid Marta 60 dollars to water the plants.", "60", "How many dollars did I pay Marta to water the plants?"),
    ("My favorite tea is lapsang souchong.", "favorite tea", "What is lapsang souchong?"),
    ("My favorite tea is lapsang souchong.", "lapsang souchong", "What is my favorite tea?"),
    ("The outer box had three crushed corners.", "three", "How many crushed corners did the outer box have?"),
    ("The outer box had three crushed corners.", "outer box", "What had three crushed corners?"),
    ("The wifi password is bluewhale77.", "bluewhale77", "What is the wifi password?"),
    ("My landlord raised the rent by 7%.", "7%", "What percentage did my landlord raise the rent by?"),
    ("Our firm ships about 1,200 parcels every week.", "1,200", "Our firm ships how many parcels every week?"),
    ("She was born in Reykjavik.", "Reykjavik", "Where was she born?"),
    ("My name is Rosalind.", "Rosalind", "What is my name?"),
    ("I work as a nurse.", "nurse", "What do I do for work?"),
    ("I'm 35 and I live in Seattle.", "Seattle", "Where am I from?"),
    ("I'm 35 and I live in Seattle.", "35", "What is my age?"),
    ("Monday: the boiler was replaced by Henrik.", "boiler", "Monday: what was replaced by Henrik?"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "answer", "question"), GOOD)
def test_good_questions(text: str, answer: str, question: str) -> None:
    assert asked(text, answer)[0] == question


def test_a_capital_does_not_move_inside() -> None:
    assert asked("The refund took 14 days.", "14")[0] == "How many days did the refund take?"


NOT_ABOUT_THE_USER = [
    ("It's freezing in my apartment.", "freezing", "What is my name?"),
    ("This is urgent for accounting.", "urgent", "What is my name?"),
    ("Please call me tomorrow about the invoice.", "tomorrow", "What is my name?"),
    ("My son turned 12.", "12", "What is my age?"),
    ("We adopted a 3-year-old beagle.", "3", "What is my age?"),
    ("I'm in Marketing at Acme.", "Marketing", "Where am I from?"),
]


@pytest.mark.parametrize(("text", "answer", "question"), NOT_ABOUT_THE_USER)
def test_a_profile_question_needs_a_statement_about_the_user(text: str, answer: str, question: str) -> None:
    assert question not in asked(text, answer)


@pytest.mark.parametrize(
    ("text", "answer", "question"),
    [
        ("I stopped drinking coffee in January.", "January", "When did I stop drinking coffee?"),
        ("The train leaves at 6:45 from platform 9.", "9", "The train leaves at 6:45 from platform what?"),
        ("I cannot lift more than 10 pounds.", "10", "How many pounds can't I lift more than?"),
    ],
)
def test_questions_that_a_small_rule_would_cure(text: str, answer: str, question: str) -> None:
    assert asked(text, answer)[0] == question


@settings(max_examples=40, deadline=None)
@given(sentence)
def test_wordings_do_not_hold_their_answer(text: str) -> None:
    for each in find(Lesson(text, "s", 0)):
        answer = [word.lower() for word in WORD.findall(each.text)]
        wordings = english.questions(each)
        assert len(wordings) == len(set(wordings)) <= 4
        for wording in wordings:
            assert wording.endswith("?")
            assert wording == wording.strip()
            inside = [word.lower() for word in WORD.findall(wording)]
            assert not any(inside[place : place + len(answer)] == answer for place in range(len(inside)))
        assert english.questions(each) == wordings
        assert english.asking(each)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=150))
def test_any_text_is_survived(text: str) -> None:
    for each in find(Lesson(text, "s", 0)):
        near, far = english.key_words(each)
        inside = {word.lower() for word in WORD.findall(each.text)}
        assert inside.isdisjoint(word.lower() for word in [*near, *far])
        assert not any(english.holds(wording, each.text) for wording in english.questions(each))
        assert english.asking(each).strip()


def test_the_limit_holds() -> None:
    each = span("I bought a red bicycle for $450 last March.", "$450")
    assert [len(english.questions(each, limit)) for limit in range(4)] == [0, 1, 2, 3]


def test_key_words_are_those_around_the_answer() -> None:
    near, far = english.key_words(span("I moved my business to Rome because Ann works there.", "Rome"))
    assert near == ["moved", "business"]
    assert far == ["moved", "business", "Ann", "works"]


@pytest.mark.parametrize(
    "text", ["Ich wohne seit 2019 in Köln.", "Vivo en Sevilla desde 2019.", "Я живу в Москве с 2019 года."]
)
def test_other_languages_get_wordings_or_none_but_never_their_answer(text: str) -> None:
    for each in find(Lesson(text, "s", 0)):
        assert all(each.text not in wording for wording in english.questions(each))


def test_the_longest_lesson_is_quick() -> None:
    for text in (
        "bought, " * 50,
        "a: " * 130,
        "(" * 400,
        "I have " * 57,
        " " * 390 + "Rome is big",
        "A, b; c. D? " * 36,
    ):
        start = time.process_time()
        for each in find(Lesson(text[:400], "s", 0)):
            english.questions(each)
        assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("text", "answer", "question"),
    [
        ("Garage: Sharpen tools. Later: Fix the door hinge.", "door hinge", "Garage: what do I have to fix?"),
        ("Admin: Renew parking permit.", "parking permit", "Admin: what do I have to renew?"),
        ("Admin: Renew parking permit.", "Renew", "Admin: what should I do with the parking permit?"),
        ("Garden: prune roses, sweep the terrace", "terrace", "Garden: what do I have to sweep?"),
        ("Boat: Clean and wax on Saturday", "Saturday", "Boat: when do I have to clean and wax?"),
        ("Library books due Tuesday", "Tuesday", "When are the library books due?"),
        ("Club: Warm-up at 7 PM, match at 8:30 PM", "7 PM", "Club: what time is warm-up?"),
        ("Phone call with Ann—postponed until Thursday", "Thursday",
         "Until when is the phone call with Ann postponed?"),
        ("We have a 7-month-old kitten now.", "7", "How many months old is the kitten?"),
        ("We rented a four-bedroom house.", "four", "How many bedrooms does the house have?"),
        ("I met Ann on May 3rd in Bern.", "May 3rd", "When did I meet Ann in Bern?"),
    ],
)  # fmt: skip
def test_notes_and_dates(text: str, answer: str, question: str) -> None:
    assert english.questions(next(span for span in find(Lesson(text, "s", 0)) if span.text == answer))[0] == question
