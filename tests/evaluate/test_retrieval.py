"""The best-matching turns."""

from __future__ import annotations

import math

import pytest

from journeyman.evaluate.retrieval import TurnIndex
from journeyman.records import Session, Turn


def index(*texts: str) -> TurnIndex:
    return TurnIndex([Session(turns=tuple(Turn("user", text) for text in texts))])


def test_the_rarer_word_decides() -> None:
    turns = index("I like my coffee in the morning", "I like my parrot", "I like my tea", "I like my flat")
    assert turns.best("What do I like about my parrot?", n=1) == ["I like my parrot"]


def test_scores_are_those_of_the_formula() -> None:
    turns = index("red red blue", "blue green")
    idf = math.log(1 + (2 - 1 + 0.5) / 1.5)
    assert idf * 2 * 2.5 / (2 + 1.5 * (0.25 + 0.75 * 3 / 2.5)) > 0
    assert turns._penalty == pytest.approx([1.5 * (0.25 + 0.75 * 3 / 2.5), 1.5 * (0.25 + 0.75 * 2 / 2.5)])
    assert turns.best("red") == ["red red blue"]


def test_only_what_the_user_said_and_once() -> None:
    session = Session(
        turns=(
            Turn("user", "My cat is Tom"),
            Turn("assistant", "Your cat is Rex"),
            Turn("user", "My cat is Tom"),
        )
    )
    assert TurnIndex([session, session]).best("What is my cat called?") == ["My cat is Tom"]


def test_nothing_shared_nothing_found() -> None:
    assert index("I live in Oslo").best("Which pets?") == []
    assert TurnIndex([]).best("anything") == []
    assert index("", "  ").best("anything") == []


def test_equal_matches_keep_their_order_and_number() -> None:
    turns = index("dog one", "dog two", "dog three", "dog four")
    assert turns.best("dog") == ["dog one", "dog two", "dog three"]
    assert turns.best("dog", n=1) == ["dog one"]


def test_the_budget_cuts_the_turn_that_does_not_fit() -> None:
    turns = index("dog a b c", "dog e f g")
    assert turns.best("dog", budget_words=6) == ["dog a b c", "dog e"]
    assert turns.best("dog", budget_words=4) == ["dog a b c"]
    assert turns.best("dog", budget_words=0) == []
