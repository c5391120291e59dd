from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from journeyman.model.prefixes import Owner, Prefixes


def of(ids: list[int], owner: Owner) -> torch.Tensor:
    """What a model would keep of these tokens: a token's values depend on all before it, and on the adapter."""
    states, state = [], float(hash(owner) % 97)
    for token in ids:
        state = state * 3.0 % 1009 + token
        states.append(state)
    return torch.tensor(states)[None, None, :, None].expand(2, 3, -1, 4)


def matched(tree: Prefixes, ids: list[int], owner: Owner) -> tuple[int, torch.Tensor, torch.Tensor]:
    known, pieces = tree.match(ids, owner)
    empty = torch.empty(2, 3, 0, 4)
    return known, torch.cat([empty, *(k for k, _ in pieces)], 2), torch.cat([empty, *(v for _, v in pieces)], 2)


OWN: Owner = ("", None)
OWNERS: tuple[Owner, ...] = (OWN, ("", "a"), ("ann", None))
texts = st.lists(st.integers(0, 2), max_size=8)


@given(st.lists(st.tuples(texts, st.sampled_from(OWNERS)), max_size=12), texts, st.integers(0, 4000))
@settings(max_examples=200, deadline=None)
def test_what_is_known_belongs_to_exactly_these_tokens(
    added: list[tuple[list[int], Owner]], asked: list[int], limit: int
) -> None:
    tree, whole = Prefixes(limit), Prefixes(1 << 30)
    for ids, owner in added:
        for each in (tree, whole):
            each.add(ids, owner, of(ids, owner), -of(ids, owner))
        assert tree.bytes <= limit
    for owner in OWNERS:
        for each in (tree, whole):
            known, keys, values = matched(each, asked, owner)
            assert torch.equal(keys, of(asked, owner)[:, :, :known])
            assert torch.equal(values, -of(asked, owner)[:, :, :known])
        longest = max((shared(ids, asked) for ids, under in added if under == owner), default=0)
        assert whole.match(asked, owner)[0] == longest


def shared(one: list[int], other: list[int]) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def test_a_beginning_that_two_share_is_held_once() -> None:
    tree = Prefixes(1 << 30)
    tree.add([1, 2, 3, 4], OWN, of([1, 2, 3, 4], OWN), of([1, 2, 3, 4], OWN))
    before = tree.bytes
    tree.add([1, 2, 3, 9], OWN, of([1, 2, 3, 9], OWN), of([1, 2, 3, 9], OWN))
    assert tree.bytes == before * 5 // 4


def test_what_was_used_longest_ago_goes_first() -> None:
    one = of([1, 2], OWN)
    tree = Prefixes(2 * 2 * one.numel() * 4)  # two texts' keys and values
    for ids in ([1, 2], [3, 4]):
        tree.add(ids, OWN, of(ids, OWN), of(ids, OWN))
    tree.match([1, 2], OWN)
    tree.add([5, 6], OWN, of([5, 6], OWN), of([5, 6], OWN))
    assert [tree.match(ids, OWN)[0] for ids in ([1, 2], [3, 4], [5, 6])] == [2, 0, 2]


def test_an_adapter_that_is_forgotten_leaves_nothing() -> None:
    tree = Prefixes(1 << 30)
    tree.add([1, 2], OWNERS[1], of([1, 2], OWNERS[1]), of([1, 2], OWNERS[1]))
    tree.forget(adapter="a")
    assert tree.bytes == 0
    assert tree.match([1, 2], OWNERS[1])[0] == 0


def test_an_owner_that_is_forgotten_leaves_nothing_under_any_adapter_and_others_stay() -> None:
    tree = Prefixes(1 << 30)
    for owner in (*OWNERS, ("ann", "a")):
        tree.add([1, 2], owner, of([1, 2], owner), of([1, 2], owner))
    tree.forget(scope="ann")
    found = {owner: tree.match([1, 2], owner)[0] for owner in (*OWNERS, ("ann", "a"))}
    assert found == {OWN: 2, ("", "a"): 2, ("ann", None): 0, ("ann", "a"): 0}
    tree.forget(scope="")
    assert tree.bytes == 0
