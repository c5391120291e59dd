"""Facts in free words."""

from __future__ import annotations

import pytest

from journeyman.world import Fact, fact


@pytest.mark.parametrize(
    ("said", "text", "told"),
    [
        ("1234.5", "That makes 1,234.50 euros.", True),
        ("1,234", "it is 1234", True),
        ("12", "in 2012", False),
        ("12", "12.5", False),
        ("12", "It is 12.", True),
        ("12", "12, and no more", True),
        ("12", "on 2026-03-12", False),
        ("12", "-12", False),
        ("14:00", "At 14:00!", True),
        ("14:00", "At 14:005", False),
        ("4:00", "14:00", False),
        ("Elm", "elm", True),
        ("Elm", "the helm", False),
        ("Ada Berg", "ADA  BERG comes", True),
        ("Ada Berg", "Ada and Berg", False),
        ("it's", "it’s", True),
        ("long…", "How much longer?", True),
        ("long…", "belonging", False),
        ("4…", "40 minutes", True),
    ],
)
def test_a_fact_is_told_in_whole_words_and_numbers_or_by_a_beginning(said: str, text: str, told: bool) -> None:
    assert fact(said).told(text) is told


def test_who_says_every_answer_says_none() -> None:
    right = fact("12", none_of=["11", "12", "13"])
    assert right.none_of == ("11", "13")
    assert right.told("It is 12.")
    assert not right.told("11, 12 or 13")
    assert right.rivals("11, 12 or 13") == ["11", "13"]


def test_some_facts_are_to_be_said_once() -> None:
    once = Fact(("a chair",), once=True)
    assert once.told("Buy a chair.")
    assert not once.told("Buy a chair. Buy a chair.")
    assert not once.told("Buy nothing.")
