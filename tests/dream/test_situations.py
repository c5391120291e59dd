"""Situations: several questions a span, some held out, none that asks for two things."""

from __future__ import annotations

from journeyman.dream import profile, situations
from journeyman.dream.lessons import extract
from journeyman.dream.spans import WORD, Span, find
from journeyman.records import Lesson, Session, Situation, Turn


def test_asks_hold_their_evidence_back_and_are_the_same_again() -> None:
    said = Session((Turn("user", "Tech: Update phone software. I bought a red kayak for $450 in June."),))
    for span in (span for lesson in extract([said]) for span in find(lesson)):
        asks = situations.asks(span, 5, 1)
        assert asks == situations.asks(span, 5, 1)
        assert len({each.prompt for each in asks}) == len(asks) <= 5
        assert all(not _holds(each.prompt, span) for each in asks)


def test_what_everybody_is_asked_for_gets_all_its_wordings() -> None:
    span = next(span for span in find(Lesson("I live in Bergen, happily.", "s", 0)) if span.text == "Bergen")
    wordings = profile.questions(span)
    assert [each.prompt for each in situations.asks(span, 5, 1)][: len(wordings)] == list(wordings)
    assert len(wordings) > 2


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
