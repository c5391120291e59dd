"""What exchanges make up: each is in a conversation, or there is a reason why it is in none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from days import ASKS, Ask, exchanges
from hypothesis import given, settings
from hypothesis import strategies as st

from journeyman.capture import conversations
from journeyman.capture.conversations import UNDER_WAY, assembled
from journeyman.records import PURPOSES, Exchange, Feedback, Outcome, Purpose, Session, Turn
from journeyman.registry.adapters import LEARNING
from journeyman.store import open_store


@settings(deadline=None, max_examples=300)
@given(st.lists(ASKS, min_size=1, max_size=8))
def test_an_exchange_is_in_a_conversation_or_has_a_reason(asks: list[Ask]) -> None:
    day = exchanges(asks, "ann")
    found = assembled(day, LEARNING)
    used = {receipt for conversation in found.conversations for receipt in conversation.receipts}
    assert used.isdisjoint(found.left_out)
    assert used | set(found.left_out) == {each.receipt for each in day}
    assert all(found.left_out.values())
    for each in day:
        if not set(LEARNING) <= set(each.purposes):
            assert each.receipt in found.left_out
    assert {conversation.session.tenant for conversation in found.conversations} <= {"ann"}


@pytest.mark.parametrize(
    ("asks", "reasons"),
    [
        ([Ask(), Ask(after=0, said=2)], [None, None]),
        ([Ask(ending="open")], [UNDER_WAY]),
        ([Ask(ending="refused")], ["refused: nothing was generated"]),
        ([Ask(purposes=("serve", "dream"))], ["its consent lacks train"]),
        ([Ask(purposes=("serve",)), Ask(after=0, said=2)], ["its consent lacks train and dream", "it goes on from"]),
        ([Ask(ending="cut by client"), Ask(after=0, retry=True)], ["retried: the later answer is used", None]),
        ([Ask(ending="cut by client", reply=4)], ["cut by client before there was an answer"]),
        ([Ask(ending="cut by client")], [None]),
        ([Ask(path="/v1/responses")], ["no conversation that can be read"]),
        ([Ask(reply=3)], ["no conversation that can be read"]),
        ([Ask(), Ask(after=0, said=2, reply=3)], ["no conversation that can be read"] * 2),
    ],
    ids=lambda value: "-".join(str(each)[:12] for each in value) if value and isinstance(value[0], str) else "",
)
def test_the_reason(asks: list[Ask], reasons: list[str | None]) -> None:
    day = exchanges(asks)
    found = assembled(day, LEARNING).left_out
    for each, reason in zip(day, reasons, strict=True):
        assert found.get(each.receipt, "").startswith(reason or ""), each
        assert (each.receipt in found) == (reason is not None)


def test_of_equal_answers_before_a_branch_goes_on_the_later_one_is_meant() -> None:
    first, second = exchanges([Ask(), Ask()])
    twin = replace(second, session=first.session)
    on = replace(exchanges([Ask(), Ask(after=0, said=2)])[1], receipt="on")
    found = assembled([first, twin, on], LEARNING)
    assert [conversation.receipts for conversation in found.conversations] == [["on", twin.receipt]]
    assert found.left_out == {first.receipt: "the same answer was given again"}


@settings(deadline=None, max_examples=60)
@given(st.lists(ASKS, min_size=1, max_size=8), st.sampled_from([(), ("train",), LEARNING]), st.data())
def test_one_by_one_they_are_the_same(asks: list[Ask], purposes: tuple[Purpose, ...], data: st.DataObject) -> None:
    """Whatever is in which session, and goes on from, repeats or retries what."""
    day = [*exchanges(asks, "ann"), *(replace(each, receipt=f"b{each.receipt}") for each in exchanges(asks, "bob"))]
    day = [replace(each, key=data.draw(st.sampled_from(["", "k"]))) for each in day]
    with TemporaryDirectory() as folder, open_store(Path(folder) / "day.db") as store:
        store.add_sessions([Session((Turn("user", f"hello {n}"),), tenant="ann") for n in range(3)])
        store.write_exchanges(
            closed=[replace(each, ending="cut by server") if each.ending == "open" else each for each in day]
        )
        for each in data.draw(st.lists(st.sampled_from(day), max_size=3)):
            store.add_feedback(Feedback(each.receipt, 0.0), each.tenant)
        for tenant in ("ann", "bob"):
            store.add_outcome(Outcome("1", key="k"), tenant)
            store.add_outcome(Outcome("2", key="k"), tenant)
        for tenant in (None, "ann"):
            whole = conversations.kept(store, *purposes, tenant=tenant)
            found = list(conversations.one_by_one(store, *purposes, tenant=tenant))
            assert sorted(map(repr, found)) == sorted(map(repr, whole))


def test_a_response_goes_on_from_one_of_another_session(tmp_path: Path) -> None:
    def response(name: str, session: str, after: str, purposes: tuple[Purpose, ...] = PURPOSES) -> Exchange:
        request = {"input": f"said before {name}", **({"previous_response_id": after} if after else {})}
        reply = {"role": "assistant", "content": f"an answer that is called {name}"}
        details = {"path": "/v1/responses", "response_id": name}
        found = Exchange(f"r_{name}", session, json.dumps(request).encode(), "2026", begins="b", ends=f"e {name}")
        return replace(found, ending="complete", reply=reply, details=details, purposes=purposes)

    with open_store(tmp_path / "day.db") as store:
        store.write_exchanges(
            closed=[
                response("a", "s1", ""),
                response("b", "s2", "a"),
                response("c", "s3", "b"),
                response("d", "s3", "c"),
            ]
        )
        whole, found = conversations.kept(store, tenant=""), list(conversations.one_by_one(store, tenant=""))
        assert found == whole
        assert [len(each.session.turns) for each in found] == [2, 4, 8]
        two = [("g", "s6", "a"), ("h", "s7", "b"), ("i", "s7", "g")]  # by two ways from one
        store.write_exchanges(closed=[response(*each) for each in two])
        whole, found = conversations.kept(store, tenant=""), list(conversations.one_by_one(store, tenant=""))
        assert found == whole
        assert [len(each.session.turns) for each in found] == [2, 4, 8, 4, 6, 6]
        store.write_exchanges(closed=[response("e", "s4", "d", ("serve",)), response("f", "s5", "e")])
        whole = conversations.kept(store, "train", tenant="")
        assert list(conversations.one_by_one(store, "train", tenant="")) == whole
        assert len(whole) == 6, "what goes on from what may not be used may not be used"


def test_only_one_session_is_read_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(tmp_path / "day.db") as store:
        day = exchanges([Ask(said=number % 4) for number in range(8)])
        store.write_exchanges(closed=[replace(each, session=f"s{n // 2}") for n, each in enumerate(day)])
        read, at_once = store.exchanges, []

        def counted(**which: Any) -> list[Exchange]:
            found = read(**which)
            at_once.append(len(found))
            return found

        monkeypatch.setattr(store, "exchanges", counted)
        assert list(conversations.one_by_one(store, tenant=None))
        assert at_once == [2] * 4
