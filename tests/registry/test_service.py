"""Promote, roll back, pin: service is a stack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeyman.errors import AdapterError, UsageError
from journeyman.records import AdapterRecord, ServiceRecord
from journeyman.registry import service
from journeyman.store import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "day.db") as opened:
        for number in range(1, 5):
            opened.add_adapter(AdapterRecord(f"a{number}", "base", f"n{number}", "PROMOTE"))
        opened.add_adapter(AdapterRecord("r1", "base", "n5", "REJECT"))
        opened.add_adapter(AdapterRecord("o1", "other", "n6", "PROMOTE"))
        opened.add_adapter(AdapterRecord("t1", "base", "n7", "PROMOTE", tenant="ann"))
        yield opened


def serves(store: Store, tenant: str = "") -> str:
    champion = store.champion("base", tenant)
    return champion.hash if champion else ""


def test_rolling_back_twice_goes_back_two(store: Store) -> None:
    for name in ("a1", "a2", "a3"):
        assert service.promote(store, name).hash == serves(store) == name
    found = [service.rollback(store).hash for _ in range(3)]
    assert found == ["a2", "a1", ""]
    with pytest.raises(AdapterError, match="the base is in service"):
        service.rollback(store)
    assert service.promote(store, "a4").why == "promote"
    assert service.rollback(store).hash == ""


def test_after_an_older_one_was_promoted_the_one_before_it_comes_back(store: Store) -> None:
    for name in ("a1", "a2", "a1"):
        service.promote(store, name)
    assert service.rollback(store).hash == "a2"
    assert service.rollback(store).hash == "a1"


def test_what_the_gate_did_not_pass_is_not_promoted(store: Store) -> None:
    with pytest.raises(AdapterError, match="REJECT"):
        service.promote(store, "r1")
    with pytest.raises(AdapterError, match="there is no adapter"):
        service.promote(store, "t1")
    with pytest.raises(AdapterError, match="no adapter has been in service"):
        service.rollback(store)
    assert store.service() == []


def test_a_pin_holds_until_it_is_taken_off(store: Store) -> None:
    service.promote(store, "a1")
    assert service.pin(store, "champion").pinned
    for change in (lambda: service.promote(store, "a2"), lambda: service.rollback(store)):
        with pytest.raises(AdapterError, match="pinned"):
            change()
    assert service.pin(store, "a2").hash == serves(store) == "a2"
    assert not service.unpin(store).pinned
    with pytest.raises(AdapterError, match="not pinned"):
        service.unpin(store)
    assert service.rollback(store).hash == "a1", "a pin is no step of its own"
    assert service.pin(store, "base").hash == serves(store) == ""


def test_a_base_is_named_where_there_are_several(store: Store) -> None:
    service.promote(store, "a1")
    service.promote(store, "o1")
    with pytest.raises(UsageError, match="2 bases") as caught:
        service.rollback(store)
    assert "--base" in caught.value.remedy
    assert service.rollback(store, base="oth").base == "other"
    assert serves(store) == "a1"


def test_tenants_do_not_change_each_others_service(store: Store) -> None:
    service.promote(store, "t1", "ann")
    service.promote(store, "a1")
    assert service.rollback(store, "ann").hash == ""
    assert (serves(store), serves(store, "ann")) == ("a1", "")


@given(st.lists(st.sampled_from(["a", "b", "c", "back"]), max_size=12))
def test_a_rollback_is_the_end_of_the_last_promotion(steps: list[str]) -> None:
    stack, history = [""], []
    for number, step in enumerate(steps, 1):
        if step == "back":
            below = service.before(history)
            assert below == (stack[-2] if len(stack) > 1 else None)
            if below is None:
                continue
            stack.pop()
            history.append(ServiceRecord(number, "base", below, "", why="rollback"))
        else:
            stack += [step] if stack[-1] != step else []
            history.append(ServiceRecord(number, "base", step, "", why="promote"))


def test_what_was_withdrawn_is_passed_over() -> None:
    history = [ServiceRecord(n, "base", hash, "", why="promote") for n, hash in enumerate("abc")]
    assert service.before(history, {"b"}) == "a"
    assert service.before(history, {"a", "b"}) == ""
