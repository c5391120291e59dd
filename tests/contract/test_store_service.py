"""What every Store keeps of who was in service, and what a pin holds."""

from __future__ import annotations

import pytest

from journeyman.errors import AdapterError, StoreError
from journeyman.records import AdapterRecord
from journeyman.store import Store

ONE = AdapterRecord("aa11", "base", "n1", "PROMOTE")
TWO = AdapterRecord("aa22", "base", "n2", "PROMOTE", parent="aa11")
ANN = AdapterRecord("aa33", "base", "n3", "PROMOTE", tenant="ann")
OTHER = AdapterRecord("aa44", "other base", "n4", "PROMOTE")


@pytest.fixture
def filled(store: Store) -> Store:
    for adapter in (ONE, TWO, ANN, OTHER):
        store.add_adapter(adapter)
    return store


def test_the_history_names_who_when_and_why(filled: Store) -> None:
    assert filled.service() == []
    filled.set_champion("base", "aa11")
    filled.set_champion("base", "aa33", "ann", why="pin", pinned=True)
    filled.set_champion("other base", "aa44")
    filled.set_champion("base", None, why="rollback")
    found = filled.service()
    assert [(each.base, each.hash, each.tenant, each.why, each.pinned) for each in found] == [
        ("base", "aa11", "", "promote", False),
        ("base", "aa33", "ann", "pin", True),
        ("other base", "aa44", "", "promote", False),
        ("base", "", "", "rollback", False),
    ]
    assert [each.number for each in found] == sorted({each.number for each in found})
    assert [each.at for each in found] == sorted(each.at for each in found)
    assert filled.service("base", "") == [found[0], found[3]]
    assert filled.service(tenant="ann") == [found[1]]
    assert filled.service("other base") == [found[2]]


def test_a_night_that_promotes_is_in_the_history(filled: Store) -> None:
    filled.begin_night("n9", {})
    filled.finish_night("n9", {}, AdapterRecord("bb11", "base", "n9", "PROMOTE"), promote=True)
    assert [(each.hash, each.why) for each in filled.service()] == [("bb11", "night")]


def test_nothing_takes_the_place_of_a_pinned_champion(filled: Store) -> None:
    filled.set_champion("base", "aa11", why="pin", pinned=True)
    for why in ("promote", "rollback"):
        with pytest.raises(AdapterError, match="pinned"):
            filled.set_champion("base", "aa22", why=why)
    filled.begin_night("n9", {})
    filled.finish_night("n9", {"verdict": "PROMOTE"}, AdapterRecord("bb11", "base", "n9", "PROMOTE"), promote=True)
    assert filled.champion("base") == filled.adapter("aa11")
    assert filled.adapter("bb11").verdict == "PROMOTE", "it is kept, and waits"
    filled.set_champion("base", "aa33", "ann")
    filled.set_champion("other base", "aa44")
    filled.set_champion("base", "aa22", why="pin", pinned=True)
    filled.set_champion("base", "aa22", why="unpin")
    filled.set_champion("base", "bb11")
    assert filled.champion("base") == filled.adapter("bb11")


def test_a_change_that_saw_another_champion_is_not_made(filled: Store) -> None:
    filled.set_champion("base", "aa11", after=0)
    number = filled.service("base", "")[-1].number
    filled.set_champion("base", "aa33", "ann")
    filled.set_champion("base", "aa22", after=number)
    for after in (0, number):
        with pytest.raises(StoreError, match="meanwhile"):
            filled.set_champion("base", "aa11", after=after)
    assert filled.champion("base") == filled.adapter("aa22")
