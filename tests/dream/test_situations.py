"""Notes, dates and statements about the user as questions; near misses that nothing told answers."""

from __future__ import annotations

import pytest

from journeyman.dream import english, situations
from journeyman.dream.lessons import extract
from journeyman.dream.spans import WORD, Span, find
from journeyman.dream.words import heading, when
from journeyman.records import Lesson, Session, Situation, Turn


def asked(text: str, answer: str) -> str:
    """The first wording of the first span of `text` that reads `answer`."""
    return english.questions(next(span for span in find(Lesson(text, "s", 0)) if span.text == answer))[0]


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
    assert asked(text, answer) == question


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
    assert asked(text, answer) == question


@pytest.mark.parametrize("text", ["It's Friday again.", "My boss lives in Oslo.", "I'm 12 miles away.", "I ran 5 km."])
def test_what_is_said_of_other_things_is_no_profile(text: str) -> None:
    profile = {"What is my name?", "Where am I from?", "What is my age?"}
    assert not any(profile & set(english.questions(span)) for span in find(Lesson(text, "s", 0)))


@pytest.mark.parametrize("text", ["Monday: a", "Supplements & Meds: a", "Family time: a", "Work-related: a"])
def test_headings(text: str) -> None:
    assert heading(text) == text.removesuffix(": a")


@pytest.mark.parametrize(
    "text", ["Now I'm curious: a", "Another thing: a", "Here's where it gets confusing: a", "Another big question: a"]
)
def test_no_headings(text: str) -> None:
    assert heading(text) == ""


def test_points_in_time() -> None:
    assert [when(text) for text in ("8 AM", "17:30", "Friday", "June", "June 3rd", "8", "Ann")] == [
        "time", "time", "day", "month", "date", "", "",
    ]  # fmt: skip


def test_asks_hold_their_evidence_back_and_are_the_same_again() -> None:
    said = Session((Turn("user", "Tech: Update phone software. I bought a red kayak for $450 in June."),))
    for span in (span for lesson in extract([said]) for span in find(lesson)):
        asks = situations.asks(span, 5, 1)
        assert asks == situations.asks(span, 5, 1)
        assert len({each.prompt for each in asks}) == len(asks) <= 5
        assert all(not _holds(each.prompt, span) for each in asks)


def _holds(prompt: str, span: Span) -> bool:
    answer, words = WORD.findall(span.text.lower()), WORD.findall(prompt.lower())
    return any(words[place : place + len(answer)] == answer for place in range(len(words)))


def test_anchors_and_held_out_wordings() -> None:
    assert situations.anchors()
    made = [each for text in ("I owe Ann $40 for the tent.", "I owe Bo $70 for the boat.")
            for span in find(Lesson(text, "s", 0))[:1] for each in situations.asks(span, 4, 0)]  # fmt: skip
    assert len(situations.hold_out(made, 0.5, 0)) == 1


def test_a_prompt_that_asks_for_two_things_is_dropped() -> None:
    two = [Situation("ask", "What schedule?", "a", "dentist"), Situation("ask", "what schedule", "b", "bloodwork")]
    one = Situation("ask", "When is the dentist?", "a", "Friday")
    assert situations.consistent([*two, one]) == [one]
    short = Situation("ask", "What is my name?", "a", "Ann")
    long = Situation("ask", "What is my name?", "b", "Ann Lee")
    assert situations.consistent([short, long]) == [short, long]


def test_a_shared_or_a_brought_wording_is_never_held_out() -> None:
    def about(lesson: str, *prompts: str) -> list[Situation]:
        return [Situation("ask", prompt, lesson, "x", "template") for prompt in prompts]

    made = [*about("a", "What is it?", "A one?", "A two?"), *about("b", "What is it", "B one?", "B two?")]
    brought = Situation("ask", "Brought?", "c", "x", "user")
    held = situations.hold_out([*made, brought, *about("c", "C one?", "C two?")], 1.0, 0)
    assert held == {s.id for s in made if s.prompt in ("A one?", "B one?")} | {about("c", "C one?")[0].id}
