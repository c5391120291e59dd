from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from journeyman.model.prefixes import Prefixes


def of(ids: list[int], adapter: str | None) -> torch.Tensor:
    """What a model would keep of these tokens: a token's values depend on all before it, and on the adapter."""
    states, state = [], float(hash(adapter) % 97)
    for token in ids:
        state = state * 3.0 % 1009 + token
        states.append(state)
    return torch.tensor(states)[None, None, :, None].expand(2, 3, -1, 4)


def matched(tree: Prefixes, ids: list[int], adapter: str | None) -> tuple[int, torch.Tensor, torch.Tensor]:
    known, pieces = tree.match(ids, adapter)
    empty = torch.empty(2, 3, 0, 4)
    return known, torch.cat([empty, *(k for k, _ in pieces)], 2), torch.cat([empty, *(v for _, v in pieces)], 2)


texts = st.lists(st.integers(0, 2), max_size=8)


@given(st.lists(st.tuples(texts, st.sampled_from([None, "a"])), max_size=12), texts, st.integers(0, 4000))
@settings(max_examples=200, deadline=None)
def test_what_is_known_belongs_to_exactly_these_tokens(
    added: list[tuple[list[int], str | None]], asked: list[int], limit: int
) -> None:
    tree, whole = Prefixes(limit), Prefixes(1 << 30)
    for ids, adapter in added:
        for each in (tree, whole):
            each.add(ids, adapter, of(ids, adapter), -of(ids, adapter))
        assert tree.bytes <= limit
    for adapter in (None, "a"):
        for each in (tree, whole):
            known, keys, values = matched(each, asked, adapter)
            assert torch.equal(keys, of(asked, adapter)[:, :, :known])
            assert torch.equal(values, -of(asked, adapter)[:, :, :known])
        longest = max((shared(ids, asked) for ids, under in added if under == adapter), default=0)
        assert whole.match(asked, adapter)[0] == longest


def shared(one: list[int], other: list[int]) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def test_a_beginning_that_two_share_is_held_once() -> None:
    tree = Prefixes(1 << 30)
    tree.add([1, 2, 3, 4], None, of([1, 2, 3, 4], None), of([1, 2, 3, 4], None))
    before = tree.bytes
    tree.add([1, 2, 3, 9], None, of([1, 2, 3, 9], None), of([1, 2, 3, 9], None))
    assert tree.bytes == before * 5 // 4


def test_what_was_used_longest_ago_goes_first() -> None:
    one = of([1, 2], None)
    tree = Prefixes(2 * 2 * one.numel() * 4)  # two texts' keys and values
    for ids in ([1, 2], [3, 4]):
        tree.add(ids, None, of(ids, None), of(ids, None))
    tree.match([1, 2], None)
    tree.add([5, 6], None, of([5, 6], None), of([5, 6], None))
    assert [tree.match(ids, None)[0] for ids in ([1, 2], [3, 4], [5, 6])] == [2, 0, 2]


def test_an_adapter_that_is_forgotten_leaves_nothing() -> None:
    tree = Prefixes(1 << 30)
    tree.add([1, 2], "a", of([1, 2], "a"), of([1, 2], "a"))
    tree.forget("a")
    assert tree.bytes == 0
    assert tree.match([1, 2], "a")[0] == 0
