"""What every Store keeps to about the day: exchanges, feedback and outcomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from journeyman.errors import StoreError, UnknownError
from journeyman.records import Exchange, Feedback, Outcome
from journeyman.store import Store

RICH = Exchange(
    receipt="r1",
    session="s1",
    request=b'{"messages": []}\xff\x00',
    started_at="2026-03-16T01:00:00+00:00",
    tenant="t",
    user="ann \x00",
    begins="b1",
    ends="e1",
    key="order-7",
    ending="complete",
    response=b"data: \xe2\x82\n\n",
    status=200,
    stream=True,
    reply={"role": "assistant", "content": "nothing \x00, and half a surrogate \ud800", "tool_calls": [{"id": "c"}]},
    purposes=("serve", "train"),
    retry_of="r0",
    details={"model": "m", "response_ids": [1, 2], "timings": {"seconds": 0.5}},
)
OPEN = replace(RICH, receipt="r2", ending="open", ends="", response=b"", reply=None, key="")


def test_an_exchange_comes_back_as_it_was(store: Store) -> None:
    store.write_exchanges(closed=[RICH])
    assert store.exchanges() == [RICH]


def test_an_exchange_that_was_opened_gets_its_end_once(store: Store) -> None:
    store.write_exchanges(opened=[OPEN], pieces=[("r2", b"data: "), ("r2", b"x")])
    assert store.exchanges() == [OPEN]
    ended = replace(OPEN, ending="complete", ends="e2", response=b"data: x", reply={"role": "assistant"})
    store.write_exchanges(closed=[ended])
    store.write_exchanges(opened=[OPEN], closed=[replace(ended, ending="cut by client")])
    assert store.exchanges() == [ended]
    assert store.cut_open_exchanges(lambda data: {"content": data.decode()}) == 0


def test_all_of_a_batch_is_kept_or_nothing(store: Store) -> None:
    with pytest.raises(ValueError, match="JSON"):
        store.write_exchanges(closed=[RICH, replace(RICH, receipt="r9", details={"x": float("nan")})])
    assert store.exchanges() == []


def test_what_a_dead_server_left_open_is_cut_with_its_pieces(reopen: Callable[[], Store]) -> None:
    with reopen() as store:
        store.write_exchanges(opened=[OPEN, replace(OPEN, receipt="r3")], closed=[RICH])
        store.write_exchanges(pieces=[("r2", b"one "), ("r3", b"other")])
        store.write_exchanges(pieces=[("r2", b"two")])
    with reopen() as store:
        assert store.cut_open_exchanges(lambda data: {"content": data.decode()}) == 2
        assert store.cut_open_exchanges(lambda data: {"content": data.decode()}) == 0
        kept = {each.receipt: (each.ending, each.response) for each in store.exchanges()}
    assert kept == {
        "r1": ("complete", RICH.response),
        "r2": ("cut by server", b"one two"),
        "r3": ("cut by server", b"other"),
    }


def test_exchanges_are_found_by_what_they_have(store: Store) -> None:
    others = [replace(RICH, receipt=f"x{n}", tenant=f"t{n % 2}", session=f"s{n % 3}", key=f"k{n}") for n in range(6)]
    store.write_exchanges(closed=others)

    def receipts(**terms: object) -> list[str]:
        return [each.receipt for each in store.exchanges(**terms)]  # type: ignore[arg-type]

    assert receipts(tenant="t1") == ["x1", "x3", "x5"]
    assert receipts(tenant="t1", session="s0") == ["x3"]
    assert receipts(key="k4") == ["x4"]
    assert receipts(receipts=["x5", "x2", "nobody"]) == ["x2", "x5"]
    assert receipts(receipts=["x5"], tenant="t0") == []


def test_the_newest_exchange_of_a_beginning_or_an_end(store: Store) -> None:
    store.write_exchanges(
        closed=[
            replace(RICH, receipt=f"x{n}", begins=f"b{n % 2}", ends="" if n == 5 else f"e{n % 2}") for n in range(6)
        ]
    )

    def receipt(**terms: object) -> str | None:
        found = store.newest_exchange("t", **terms)  # type: ignore[arg-type]
        return found.receipt if found else None

    assert receipt(begins="b1", request=RICH.request) == "x5"
    assert receipt(begins="b1", request=b"another") is None
    assert receipt(ends=["e9", "e1", "e0"]) == "x3", "the first of the ends that there is"
    assert receipt(ends=[""]) is None
    assert receipt() is None
    assert store.newest_exchange("other", begins="b1", request=RICH.request) is None


def test_feedback_is_kept_once_and_belongs_to_an_answer(store: Store) -> None:
    store.write_exchanges(closed=[RICH])
    said = Feedback("r1", 0.5, "wrong \x00", "right \ud800", ("a", "b"), "2026-03-17T00:00:00+00:00")
    assert [store.add_feedback(said, "t"), store.add_feedback(said, "t")] == [True, False]
    assert store.add_feedback(replace(said, rating=1.0), "t")
    assert store.feedback() == store.feedback(["r1"]) == [said, replace(said, rating=1.0)]
    assert store.feedback(["r2"]) == []
    for receipt, tenant in (("r7", "t"), ("r1", "u")):  # nobody's, and another's
        with pytest.raises(UnknownError, match="no answer with the receipt"):
            store.add_feedback(Feedback(receipt, 1.0), tenant)


def test_an_outcome_is_kept_once_for_each_tenant(store: Store) -> None:
    store.write_exchanges(closed=[RICH])
    by_key, by_receipt = Outcome('{"sold": true}', key="order-9"), Outcome("1", receipt="r1", happened_at="2027")
    assert [store.add_outcome(each, "t") for each in (by_key, by_receipt, by_key)] == [True, True, False]
    assert store.add_outcome(by_key, "u")
    assert store.outcomes("t") == [by_key, by_receipt]
    assert store.outcomes("u") == [by_key]
    assert store.outcomes() == []
    for receipt, tenant in (("r7", "t"), ("r1", "u")):
        with pytest.raises(UnknownError, match="no answer with the receipt"):
            store.add_outcome(Outcome("1", receipt=receipt), tenant)


def test_serving_does_not_keep_a_night_from_running(store: Store) -> None:
    with (
        store.lock("serve"),
        store.lock("night"),
        pytest.raises(StoreError, match="another serve"),
        store.lock("serve"),
    ):
        pass


def test_an_exchange_is_found_by_the_name_of_its_response(store: Store) -> None:
    named = replace(RICH, details={"response_id": "resp_1"})
    store.write_exchanges(opened=[OPEN], closed=[named, replace(named, receipt="r4", session="s4")])
    found = store.newest_exchange("t", response="resp_1", ends=["e1"])
    assert found
    assert found.receipt == "r4"
    store.write_exchanges(closed=[replace(OPEN, ending="complete", details={"response_id": "resp_2"})])
    assert (found := store.newest_exchange("t", response="resp_2"))
    assert found.receipt == "r2"
    assert store.newest_exchange("other", response="resp_1") is None
    assert store.newest_exchange("t", response="resp_3") is None


def test_what_began_since_a_time(store: Store) -> None:
    begun = [(1000.0, "t", "b1"), (2000.0, "t", "b2"), (2000.5, "u", "b2")]
    for at, tenant, begins in begun:
        receipt = f"r_{int(at * 1000):012x}{'0' * 12}"
        store.write_exchanges(closed=[replace(RICH, receipt=receipt, tenant=tenant, begins=begins)])
    assert store.begun_since(1000.0) == {("t", "b1"), ("t", "b2"), ("u", "b2")}
    assert store.begun_since(2000.0) == {("t", "b2"), ("u", "b2")}
    assert store.begun_since(2001.0) == set()
