"""Documents in tables, and the words for tools over them."""

from __future__ import annotations

import pytest

from journeyman.world.context import Context
from journeyman.world.documents import (
    Desk,
    Documents,
    agreed,
    alike,
    beyond,
    calculated,
    case,
    culprit,
    merged,
    refuse_one,
    unsaid,
)
from journeyman.world.outcome import Abstain, Refused, Tier
from journeyman.world.state import State

BOOKS = Documents("book", ("title", "parts"))


def here(*books: tuple[str, dict[str, object] | None]) -> Context:
    return Context(State.build([BOOKS.table], {"book": [BOOKS.row(*each) for each in books]}), True, Tier.CODE)


def test_a_document_comes_back_as_it_was_put_in() -> None:
    held = {"title": "Maps", "parts": [{"n": 1}], "else": {"a": None}}
    assert BOOKS.document(BOOKS.row("B-1", held)) == held


def test_what_was_not_seen_abstains() -> None:
    desk = Desk(here(("B-1", {"title": "Maps"}), ("B-2", None)))
    with pytest.raises(Abstain):
        _ = desk.find(BOOKS, "B-1")["parts"]  # type: ignore[index]
    for key in ("B-2", "B-3"):
        with pytest.raises(Abstain):
            desk.find(BOOKS, key)


def test_a_document_with_a_field_unknown_is_not_shown_as_a_whole() -> None:
    desk = Desk(here(("B-1", {"title": "Maps", "parts": []})))
    book = desk.find(BOOKS, "B-1")
    assert book is not None
    unsaid(book, "parts")
    with pytest.raises(Abstain):
        desk.done(book)


def test_a_desk_turns_what_cannot_be_computed_into_an_abstention() -> None:
    with pytest.raises(Abstain), Desk(here()) as desk:
        desk.done({}["nothing"])


def test_readings_that_differ_abstain_and_those_that_agree_answer() -> None:
    assert agreed(lambda: 0.1 + 0.2, lambda: 0.3) == pytest.approx(0.3)
    with pytest.raises(Abstain):
        agreed(lambda: 1, lambda: 2)
    with pytest.raises(Abstain):
        agreed(lambda: 1, lambda: True)
    with pytest.raises(Abstain):
        case((False, lambda: 1))


def test_two_reasons_to_refuse_of_which_nobody_saw_the_order() -> None:
    with pytest.raises(Refused, match="one"):
        refuse_one((lambda: True, lambda: "one"), (lambda: False, lambda: "other"))
    with pytest.raises(Abstain):
        refuse_one((lambda: True, lambda: "one"), (lambda: True, lambda: "other"))


def test_words() -> None:
    assert beyond(["a", "a"], ["a", "b"]) == "a"
    assert culprit(["a", "b"], [False, True]) == "b"
    assert merged([{"id": 1, "x": 1}], [{"id": 1, "x": 2}, {"id": 2}], "id") == [{"id": 1, "x": 2}, {"id": 2}]
    assert calculated("(1 + 2) * 3 - -1") == 10
    for text in ("2 ** 9", "__import__('os')", "1 / 0"):
        with pytest.raises(Abstain):
            calculated(text)
    assert alike({"a": [1.0]}, {"a": [1.0 + 1e-12]})
    assert not alike(1, True)
