"""What is to be run anew after an erasure, over what, and what is asked about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from nightly import BASE, run, said

from journeyman.registry import erasure, rebuilding
from journeyman.store import Store, open_store

TREE, BOAT, CAT, SHED = (
    said("I planted a walnut", user="ann"),
    said("my boat is called Zanzibarina", user="bob"),
    said("the cat is grey", user="ann"),
    said("the shed is locked", user="ann"),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Night by night: the tree; the boat and the cat; a night that was refused; the shed."""
    with open_store(tmp_path / "day.db") as opened:
        opened.add_sessions([TREE])
        one = run(opened, "n0")
        opened.add_sessions([BOAT, CAT])
        two = run(opened, "n1", parent=one)
        opened.add_sessions([SHED])
        run(opened, "refused", parent=two, verdict="REJECT")
        run(opened, "n2", parent=two)
        yield opened


def test_the_line_of_what_served_is_run_anew_from_the_last_clean_adapter(store: Store) -> None:
    done = erasure.erase(store, user="bob")
    [(base, was, now)] = done.service
    assert (base, now) == (BASE, store.adapters()[0].hash)
    assert set(done.nights) == {"n1", "refused", "n2"}
    nights = rebuilding.line(store, done, was)
    assert [night.key for night in nights] == ["n1", "n2"], "what was refused served nobody"
    assert [rebuilding.left(store, night) for night in nights] == [[CAT.id], [SHED.id]]
    assert rebuilding.noted(store, done) == {"nights": {BASE: ["n1", "n2"]}}


def test_a_night_stands_in_the_place_of_another_until_it_falls_too(store: Store) -> None:
    done = erasure.erase(store, user="bob")
    place = {"erasure": done.id, "night": "n1"}
    run(store, "m1", parent=done.service[0][2], ids=[CAT.id], rebuilds=place)
    found = rebuilding.again(store, done, "n1")
    assert found
    assert found.key == "m1"
    assert rebuilding.again(store, done, "n2") is None
    assert [rebuilding.left(store, night) for night in store.nights() if night.key in ("n1", "n2")] == [[], [SHED.id]]
    erasure.erase(store, session=CAT.id)
    assert rebuilding.again(store, done, "n1") is None


def test_what_stays_answers_no_question_about_what_was_erased(store: Store) -> None:
    store.add_sessions([said("The cat is grey.", user="bob")])
    run(store, "n3", parent=store.adapters()[-1].hash)
    thought, _ = erasure.plan(store, erasure.choose(store, user="bob"))
    asked = rebuilding.questions(store, thought, rebuilding.line(store, thought, thought.service[0][1]))
    assert {each.evidence for each in asked.erased} == {BOAT.turns[0].content}
    assert asked.left_out == 2, "trained and held out: ann said that of the cat too"
    assert {each.evidence for each in asked.kept} == {CAT.turns[0].content, SHED.turns[0].content}
    assert len(asked.sha256) == 64
