"""Evidence spans: found where they stand, ordered totally, chosen without overlap."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeyman.dream.spans import SPANS_A_LESSON, Span, choose, find, is_function_word, weigh
from journeyman.records import Lesson

sentence = st.lists(
    st.sampled_from(
        "I we the a bought red bicycle $450 in Lisbon Saffron Table , . don't really two 3:30 7% @ann 'x (y)".split()
    ),
    max_size=14,
).map(" ".join)
anything = st.one_of(sentence, st.text(max_size=120))


def lesson(text: str, session: str = "s", turn: int = 0) -> Lesson:
    return Lesson(text, session, turn)


def found(text: str) -> list[tuple[str, str]]:
    return [(span.kind, span.text) for span in find(lesson(text))]


@settings(max_examples=40, deadline=None)
@given(anything)
def test_spans_stand_in_their_text(text: str) -> None:
    spans = find(lesson(text))
    for span in spans:
        assert 0 <= span.start < span.end <= len(text)
        assert text[span.start : span.end] == span.text
        assert span.text.strip() == span.text != ""
    assert spans == find(lesson(text))


@settings(max_examples=40, deadline=None)
@given(st.lists(anything, max_size=6), st.integers(1, 10))
def test_what_is_chosen_does_not_overlap_and_does_not_depend_on_order(texts: list[str], limit: int) -> None:
    lessons = [lesson(text, turn=number) for number, text in enumerate(texts)]
    weighed = weigh(lessons, None)
    assert [span.worth for span in weighed] == sorted((span.worth for span in weighed), reverse=True)
    chosen = choose(weighed, limit)
    assert choose(weigh(lessons, None), limit) == chosen
    assert len(chosen) <= limit
    taken: dict[str, list[Span]] = {}
    for span in chosen:
        taken.setdefault(span.lesson.id, []).append(span)
    for mine in taken.values():
        assert len(mine) <= SPANS_A_LESSON
        mine.sort(key=lambda span: span.start)
        assert all(left.end <= right.start for left, right in pairwise(mine))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We moved to Lisbon in 2019.", [("name", "Lisbon"), ("number", "2019")]),
        ("It cost $450 or 7% of it.", [("number", "$450"), ("number", "7%")]),
        ("We hired Saffron Table.", [("name", "Saffron Table")]),
        ("The outer box had three corners.", [("number", "three"), ("chunk", "outer box")]),
        ("Я живу в Москве с 2019 года.", [("name", "Москве"), ("number", "2019")]),
        ("", []),
        ("I am on it.", []),
    ],
)
def test_numbers_names_and_chunks(text: str, expected: list[tuple[str, str]]) -> None:
    assert set(expected) <= set(found(text))
    if not expected:
        assert found(text) == []


def test_function_words() -> None:
    assert all(map(is_function_word, ["the", "The", "I'm", "you've", "it's"]))
    assert not any(map(is_function_word, ["bicycle", "Lisbon", "ann's"]))


@pytest.mark.parametrize("word", ["don't", "isn't", "didn't", "couldn't"])
def test_negations_are_function_words(word: str) -> None:
    assert is_function_word(word)


def test_a_rare_word_is_worth_more_than_a_common_one() -> None:
    lessons = [lesson(f"We met in Rome on day {n}.", turn=n) for n in range(9)] + [lesson("We met in Bergen.", turn=9)]
    worth = {span.text: span.worth for span in weigh(lessons, None) if span.kind == "name"}
    assert worth["Bergen"] > worth["Rome"]


def test_a_models_surprise_is_the_worth() -> None:
    text = "We met in Bergen near Rome."

    def surprisal(_: str) -> list[tuple[int, int, float]]:
        return [(10, 16, 9.0), (22, 26, 0.5)]

    names = [span.text for span in weigh([lesson(text)], surprisal) if span.kind == "name"]
    assert names == ["Bergen", "Rome"]


def test_the_same_words_are_asked_for_twice_at_most() -> None:
    lessons = [lesson(f"We met in Rome, {word}.", turn=n) for n, word in enumerate(["again", "too", "still", "now"])]
    assert [span.text for span in choose(weigh(lessons, None), 99)].count("Rome") == 2


def test_what_the_user_says_of_himself_comes_first() -> None:
    said = [
        "Bergen is rainy, again.",
        "We met in Bergen, too.",
        "I live in Bergen, happily.",
        "Bergen has ferries, now.",
    ]
    spans = choose(weigh([lesson(text, turn=n) for n, text in enumerate(said)], None), 99)
    assert next(span.lesson.text for span in spans if span.text == "Bergen") == said[2]


def test_nothing_gives_nothing() -> None:
    assert weigh([], None) == []
    assert choose([], 5) == []


def test_a_placeholder_is_no_evidence() -> None:
    """Nobody said "[e-mail]": what was redacted is not to be learnt as a fact."""
    spans = find(lesson("My office is in Lisbon, write to [e-mail] or pay with [card number] before 3:30."))
    assert {span.text for span in spans} & {"Lisbon", "3:30"} == {"Lisbon", "3:30"}
    assert not any(word in span.text for span in spans for word in ("mail", "card", "[", "]"))
    assert find(lesson("It is [secret].")) == []
