"""From a session to the adapters that learned from it, and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from days import Ask, exchanges
from nightly import run, said

from journeyman.capture import conversations
from journeyman.registry.lineage import Lineages
from journeyman.store import Store, open_store

TREE, BOAT, CAT = said("I planted a walnut"), said("my boat is called Ada"), said("the cat is grey")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "day.db") as opened:
        yield opened


def line(store: Store) -> list[str]:
    """Three nights, a session each."""
    hashes: list[str] = []
    for number, session in enumerate((TREE, BOAT, CAT)):
        store.add_sessions([session])
        hashes.append(run(store, f"n{number}", parent=hashes[-1] if hashes else None))
    return hashes


def test_an_adapter_names_its_nights_sessions_lessons_and_situations(store: Store) -> None:
    one, two, three = line(store)
    found = Lineages(store).of(three)
    assert [(making.night, making.adapter, making.parent) for making in found] == [
        ("n2", three, two),
        ("n1", two, one),
        ("n0", one, ""),
    ]
    assert [making.sessions for making in found] == [(CAT.id,), (BOAT.id,), (TREE.id,)]
    assert [[lesson.text for lesson in making.lessons] for making in found] == [
        ["the cat is grey"],
        ["my boat is called Ada"],
        ["I planted a walnut"],
    ]
    (situation,) = found[1].situations
    assert situation.prompt == "What of my boat is called Ada?", "what was held out has trained nothing"
    assert situation.lesson_id == found[1].lessons[0].id
    assert found[1].to_json()["lessons"][0]["situations"] == [situation.to_json()]


def test_a_session_names_the_adapters_that_learned_from_it(store: Store) -> None:
    one, two, three = line(store)
    sibling = run(store, "n3", parent=one, verdict="REJECT", ids=[CAT.id])
    lineages = Lineages(store)
    assert lineages.learned_from(TREE.id) == [one, two, three, sibling]
    assert lineages.learned_from(BOAT.id[:6]) == [two, three]
    assert lineages.learned_from(CAT.id) == [three, sibling]
    assert lineages.learned_from("unknown") == []


def test_what_comes_of_a_session_reaches_nights_that_never_ended(store: Store) -> None:
    one, two, three = line(store)
    begun = run(store, "n3", parent=two, ids=[CAT.id], ends=False)
    found = Lineages(store).descent([BOAT.id], [])
    assert set(found.nights) == {"n1", "n2", "n3"}
    assert set(found.adapters) == {two, three}
    assert set(found.directories) == {two, three, begun}
    assert Lineages(store).descent(["unknown"], []).nights == ()
    everything = Lineages(store).descent([], [], everything=True)
    assert set(everything.directories) == {one, two, three, begun}


def test_a_conversation_that_went_on_is_known_by_its_answers(store: Store) -> None:
    asked = exchanges([Ask(tokens=3)], "ann")
    store.write_exchanges(closed=asked)
    hash = run(store, "n0", tenant="ann")
    [before] = conversations.sessions(store, tenant="ann")
    found = Lineages(store, "ann").descent(["the id that it has today"], [each.receipt for each in asked])
    assert found.adapters == (hash,)
    assert before.id in found.sessions
    assert Lineages(store).descent([], [each.receipt for each in asked]).adapters == (), "another tenant's is not there"


def test_the_same_weights_of_two_nights_learned_from_both(store: Store) -> None:
    from nightly import weights

    store.add_sessions([TREE, BOAT])
    one = run(store, "n0", ids=[TREE.id], write=weights("equal"), verdict="PROMOTE")
    two = run(store, "n1", ids=[BOAT.id], write=weights("equal"), verdict="PROMOTE")
    assert one == two
    lineages = Lineages(store)
    assert lineages.learned_from(TREE.id) == lineages.learned_from(BOAT.id) == [one]
