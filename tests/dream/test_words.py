"""Headings, points in time, and what is left of a text without its function words."""

from __future__ import annotations

import pytest

from journeyman.dream.words import content, heading, when


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


def test_content() -> None:
    assert content("I won't be at the dentist's on Friday, but 8:30 works.") == ["dentist's", "Friday", "8:30", "works"]
