"""What every Store keeps to about the day: exchanges, feedback and outcomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from journeyman.errors import StoreError, UnknownError
from journeyman.records import Arm, Exchange, Feedback, Outcome, Session, Turn
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


def test_a_mind_that_was_changed_back_is_the_last_word(reopen: Callable[[], Store]) -> None:
    bad, good = Feedback("r1", 0.0), Feedback("r1", 1.0)
    with reopen() as store:
        store.write_exchanges(closed=[RICH])
        assert [store.add_feedback(each, "t") for each in (bad, bad, good, good, bad, bad, good)] == [
            *(True, False, True, False, True, False, True)
        ]
        assert store.feedback() == [bad, good, bad, good]
        lost, paid, other = (Outcome(*each) for each in (("false", "", "k"), ("true", "", "k"), ("false", "", "j")))
        by_receipt = Outcome("false", "r1")
        said = [lost, other, paid, other, by_receipt, lost, lost]
        assert [store.add_outcome(each, "t") for each in said] == [True, True, True, False, True, True, False]
        assert store.add_outcome(paid, "u"), "another tenant has said nothing of it"
        assert store.outcomes("t") == [lost, other, paid, by_receipt, lost]
    with reopen() as store:
        assert not store.add_feedback(good, "t")
        assert not store.add_outcome(lost, "t")
        related = store.related("t", ["s1"], everything=True)
        assert (len(set(related.feedback)), len(set(related.outcomes))) == (4, 5), "each row has a name of its own"


def test_what_says_when_is_the_same_whenever_it_comes_again(store: Store) -> None:
    store.write_exchanges(closed=[RICH])
    monday, friday = Feedback("r1", 0.0, at="2026-03-16"), Feedback("r1", 1.0, at="2026-03-20")
    assert [store.add_feedback(each, "t") for each in (monday, friday, monday, friday)] == [True, True, False, False]
    late, paid = Outcome("false", key="k", happened_at="2026-03-16"), Outcome("true", key="k", happened_at="2026-03-20")
    assert [store.add_outcome(each, "t") for each in (late, paid, late, paid)] == [True, True, False, False]
    corrected = replace(late, value="true")
    assert [store.add_outcome(each, "t") for each in (corrected, late, late)] == [True, True, False]


def test_what_was_said_is_found_by_the_side_of_a_promotion(store: Store) -> None:
    def answered(receipt: str, session: str, of: int = 7, tenant: str = "t", key: str = "") -> None:
        details = {"arm": {"of": of, "held_out": session == "s2", "share": 0.25}}
        exchange = replace(RICH, receipt=receipt, session=session, tenant=tenant, key=key, details=details)
        store.write_exchanges(opened=[replace(exchange, ending="open")], closed=[exchange])
        store.write_exchanges(closed=[exchange])

    store.write_exchanges(closed=[replace(RICH, receipt="r0", key="k")])  # of no side
    answered("r1", "s1", key="k")
    answered("r2", "s2")
    answered("r3", "s3", of=8)
    answered("r4", "s4", tenant="u", key="k")
    store.write_exchanges(opened=[replace(OPEN, receipt="r5", details={"arm": {"of": 7}})])
    one, two = Arm("s1", False, 0.25), Arm("s2", True, 0.25)
    assert store.arms("t", 7) == [one, two]
    assert store.arms("u", 8) == store.remarks_by_arm("u", 8) == store.remarks_by_arm("t", 7) == []
    said = [Feedback(f"r{n}", 0.0) for n in (0, 2, 1, 3)]
    assert all(store.add_feedback(each, "t") for each in said)
    assert store.add_feedback(Feedback("r4", 0.0), "u")
    outcomes = [Outcome("1", receipt="r2"), Outcome("2", key="k"), Outcome("3", key="j"), Outcome("4", receipt="r0")]
    for each in outcomes:
        assert store.add_outcome(each, "t")
    assert store.add_outcome(Outcome("5", key="k"), "u")
    assert store.remarks_by_arm("t", 7) == [(one, said[2]), (two, said[1]), (two, outcomes[0]), (one, outcomes[1])]
    assert store.remarks_by_arm("u", 7) == [
        *((Arm("s4", False, 0.25), each) for each in (Feedback("r4", 0.0), Outcome("5", key="k")))
    ]


def test_sessions_are_named_in_the_order_they_began(store: Store) -> None:
    for number, (tenant, session) in enumerate([("t", "b"), ("u", "a"), ("t", "a"), ("t", "b"), ("u", "a")]):
        store.write_exchanges(closed=[replace(RICH, receipt=f"r{number}", tenant=tenant, session=session)])
    assert store.captured_sessions() == [("t", "b"), ("u", "a"), ("t", "a")]
    assert store.captured_sessions("t") == [("t", "b"), ("t", "a")]
    imported = [
        Session((Turn("user", words),), tenant=tenant) for words, tenant in (("b", "t"), ("a", "u"), ("a", "t"))
    ]
    store.add_sessions(imported)
    assert store.session_ids() == [each.id for each in imported]
    assert store.session_ids("t") == [imported[0].id, imported[2].id]


def test_answers_of_several_choices_are_found_by_how_they_begin(store: Store) -> None:
    several = replace(RICH, details={"options": {"temperature": 1, "n": 2}})
    given = [
        replace(several, receipt="x1"),
        replace(several, receipt="x2", begins="b2"),
        replace(several, receipt="x3", begins="b3"),
        replace(several, receipt="x4", tenant="u"),
        replace(several, receipt="x5", ending="cut by client"),
        replace(several, receipt="x6", details={"options": {"n": 1}}),
        replace(several, receipt="x7", details={"options": {"n": "2"}}),
        replace(several, receipt="x8", details={}),
    ]
    store.write_exchanges(closed=given)
    assert store.sampled("t", ["b1", "b2"]) == [given[1], given[0]], "the newest first"
    assert store.sampled("t", []) == []


def test_trying_to_write_leaves_nothing(store: Store) -> None:
    store.write_exchanges(opened=[OPEN], pieces=[("r2", b"a")])
    store.try_to_write()
    assert store.exchanges() == [OPEN]
    assert store.cut_open_exchanges(lambda response: {"content": response.decode()}) == 1
    assert store.exchanges()[0].response == b"a"
