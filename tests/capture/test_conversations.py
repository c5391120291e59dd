"""What exchanges make up: each is in a conversation, or there is a reason why it is in none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from days import ASKS, Ask, exchanges
from hypothesis import given, settings
from hypothesis import strategies as st

from journeyman.capture.conversations import UNDER_WAY, assembled
from journeyman.registry.adapters import LEARNING


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
