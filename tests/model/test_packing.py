"""Prefix trees hold their sequences exactly, share what can be shared, and keep to the limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeyman.model.packing import Pack, pack, walk

# Three tokens only, so that prefixes, repetitions and one sequence inside another are common.
sequences = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8), max_size=12)
limits = st.integers(1, 20)


def ancestors(packed: Pack) -> dict[int, set[int]]:
    """Of each node, the nodes at or above it on any path."""
    above: dict[int, set[int]] = {}
    for path in packed.paths:
        for place, node in enumerate(path.tolist()):
            above.setdefault(node, set()).update(path[: place + 1].tolist())
    return above


@settings(max_examples=40, deadline=None)
@given(sequences, limits)
def test_paths_reproduce_rows(rows: list[list[int]], limit: int) -> None:
    seen: list[int] = []
    for packed in pack(rows, limit):
        seen += packed.rows
        for row, path in zip(packed.rows, packed.paths, strict=True):
            assert packed.ids_T[path].tolist() == rows[row]
            assert packed.depths_T[path].tolist() == list(range(len(rows[row])))
    assert sorted(seen) == list(range(len(rows)))


@settings(max_examples=40, deadline=None)
@given(sequences, limits)
def test_a_shared_prefix_stands_once_in_a_pack(rows: list[list[int]], limit: int) -> None:
    for packed in pack(rows, limit):
        prefixes = {tuple(rows[row][: end + 1]) for row in packed.rows for end in range(len(rows[row]))}
        assert packed.tokens == len(prefixes)


@settings(max_examples=40, deadline=None)
@given(sequences, limits)
def test_a_node_sees_its_ancestors_and_nothing_else(rows: list[list[int]], limit: int) -> None:
    for packed in pack(rows, limit):
        above = ancestors(packed)
        for node in range(packed.tokens):
            assert set(packed.visible_TS[node].nonzero()[:, 0].tolist()) == above[node]
        assert packed.visible_TS.triu(1).sum() == 0  # parents stand before their children


@settings(max_examples=40, deadline=None)
@given(sequences, limits)
def test_the_limit_holds_unless_one_sequence_exceeds_it(rows: list[list[int]], limit: int) -> None:
    for packed in pack(rows, limit):
        assert packed.tokens <= limit or len({tuple(rows[row]) for row in packed.rows}) == 1


@settings(max_examples=40, deadline=None)
@given(sequences)
def test_the_order_of_rows_does_not_change_the_packs(rows: list[list[int]]) -> None:
    forward = [packed.ids_T.tolist() for packed in pack(rows, 10)]
    assert [packed.ids_T.tolist() for packed in pack(rows[::-1], 10)] == forward


@settings(max_examples=80, deadline=None)
@given(sequences, limits)
def test_a_walk_meets_every_prefix_once_and_carries_its_path(rows: list[list[int]], limit: int) -> None:
    """Each pack is read as the model reads it: from the nodes that it was handed and its own."""
    path: list[tuple[int, ...]] = []  # the prefixes that the carried nodes stand for
    met: list[tuple[int, ...]] = []
    seen: list[int] = []
    packs = list(walk(rows, limit))
    for packed in packs:
        assert packed.carried == len(path)
        nodes = list(path)
        for node, (token, depth) in enumerate(zip(packed.ids_T.tolist(), packed.depths_T.tolist(), strict=True)):
            above = [nodes[other] for other in packed.visible_TS[node].nonzero()[:, 0].tolist() if other < len(nodes)]
            assert [len(prefix) for prefix in above] == list(range(1, depth + 1))  # one path, from the root
            assert all(longer[:-1] == shorter for shorter, longer in pairwise(above))
            nodes.append((*(above[-1] if above else ()), token))
        assert packed.visible_TS[:, packed.carried :].diagonal().all()
        assert packed.visible_TS[:, packed.carried :].triu(1).sum() == 0
        for row, ending in zip(packed.rows, packed.paths, strict=True):
            assert nodes[ending[-1]] == tuple(rows[row])
            assert [len(nodes[node]) for node in ending.tolist()] == list(range(1, len(rows[row]) + 1))
        met += nodes[packed.carried :]
        path = [nodes[node] for node in packed.onward.tolist()]
        seen += packed.rows
    assert sorted(seen) == list(range(len(rows)))
    assert sorted(met) == sorted({tuple(row[: end + 1]) for row in rows for end in range(len(row))})
    assert all(packed.tokens == limit for packed in packs[:-1])


@pytest.mark.parametrize("lay_out", [pack, walk])
def test_an_empty_sequence_is_refused(lay_out: Callable[..., Iterator[Pack]]) -> None:
    with pytest.raises(ValueError, match="empty"):
        list(lay_out([[1], []]))


@pytest.mark.parametrize("lay_out", [pack, walk])
def test_nothing_gives_no_pack(lay_out: Callable[..., Iterator[Pack]]) -> None:
    assert list(lay_out([])) == []
