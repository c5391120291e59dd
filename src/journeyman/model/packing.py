"""Prefix trees: many token sequences in one pass, every shared prefix encoded once.

Scoring, teaching and training all run over sequences that share beginnings: the chat template's system turn, a lesson
in front of several questions, a question in front of several answers. A `Pack` lays such sequences out as a tree, one
node a token, in a single row of tokens; a token attends to its ancestors and to itself. The result is exact: a node's
hidden state is that of its last token after the path from the root, as if its sequence had been run alone.

`pack` gives packs that stand alone, so that each can be differentiated; a prefix that several of them share is encoded
in each. `walk` cuts one tree of all sequences into packs of equal size, and each carries on from the path that the one
before it has left (its keys and values are the caller's to keep), so that no token is ever encoded twice, however long
a shared prefix is.

Always holds: `ids_T[node]` and `depths_T[node]` (the position, 0-based) describe a node; parents stand before their
children; the nodes that a pack was handed come first in its numbering, in order of depth.

Knows token ids only: no model, no text, no loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral

import torch

PACK_TOKENS = 512


@dataclass(frozen=True)
class Pack:
    """One row of T tokens for the model, after a path of `carried` tokens that went through it before; S = carried + T.

    rows: indices of the sequences that end here; paths[k]: int64 [len(sequence rows[k])], their nodes, numbered over S;
    ids_T, depths_T: int64 [T]; visible_TS: bool, True where the row's token may attend to the column's; onward: int64,
    the nodes, numbered over S, of the path that the next pack of a walk carries.
    """

    rows: tuple[int, ...]
    paths: tuple[torch.Tensor, ...]
    ids_T: torch.Tensor
    depths_T: torch.Tensor
    visible_TS: torch.Tensor
    onward: torch.Tensor

    @property
    def tokens(self) -> int:
        return int(self.ids_T.numel())

    @property
    def carried(self) -> int:
        return self.visible_TS.shape[1] - self.tokens


def pack(sequences: Sequence[Sequence[int]], limit: int = PACK_TOKENS) -> Iterator[Pack]:
    """Lay `sequences` out in packs of at most `limit` nodes (a longer sequence gets a pack of its own).

    Rows are taken in lexicographic order, so that those which share a prefix meet in one pack. Empty sequences are an
    error: they have no state to give.
    """
    tree = _Tree()
    for row, sequence, shared in _in_order(sequences):
        if tree.rows and len(tree.ids) + len(sequence) - shared > limit:
            yield tree.cut()
            tree = _Tree()
            shared = 0
        tree.branch(shared)
        for token in sequence[shared:]:
            tree.grow(token)
        tree.end(row)
    if tree.rows:
        yield tree.cut()


def walk(sequences: Sequence[Sequence[int]], limit: int = PACK_TOKENS, carried: int = 0) -> Iterator[Pack]:
    """Lay `sequences` out in packs of at most `limit` nodes, each after the path of the one before it.

    carried: how many tokens all of them begin with whose keys and values are there already; each goes on from them."""
    if carried and any(len(sequence) <= carried for sequence in sequences):
        raise ValueError("what has been encoded to its end has nothing to walk")
    tree = _Tree(carried)
    for row, sequence, found in _in_order(sequences):
        shared = max(found, carried)
        tree.branch(shared)
        for token in sequence[shared:]:
            if len(tree.ids) == limit:
                yield tree.cut()
                tree = _Tree(len(tree.path))
            tree.grow(token)
        tree.end(row)
    if tree.rows:
        yield tree.cut()


def _in_order(sequences: Sequence[Sequence[int]]) -> Iterator[tuple[int, Sequence[int], int]]:
    """Index, sequence, and how many tokens it shares with the one before, in lexicographic order."""
    if any(len(sequence) == 0 for sequence in sequences):
        raise ValueError("cannot pack an empty sequence")
    if any(isinstance(sequence[0], str) for sequence in sequences):
        raise ValueError("this is text, not token ids: give what engine.user or engine.chat make of it")
    if others := [type(sequence[0]).__name__ for sequence in sequences if not isinstance(sequence[0], Integral)]:
        raise ValueError(f"token ids are whole numbers, not of type {others[0]}: give a tensor's .tolist()")
    previous: Sequence[int] = ()
    for row in sorted(range(len(sequences)), key=lambda index: tuple(sequences[index])):
        yield row, sequences[row], common_prefix(previous, sequences[row])
        previous = sequences[row]


def common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """How many leading tokens the two have in common."""
    for index, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return index
    return min(len(left), len(right))


class _Tree:
    """A pack that is being laid out, one path after another; `path` holds the nodes of the current one."""

    def __init__(self, carried: int = 0) -> None:
        self.carried = carried
        self.path = list(range(carried))
        self.ids: list[int] = []
        self.depths: list[int] = []
        self.parents: list[int] = []
        self.rows: list[int] = []
        self.paths: list[list[int]] = []

    def branch(self, depth: int) -> None:
        del self.path[depth:]

    def grow(self, token: int) -> None:
        self.parents.append(self.path[-1] if self.path else -1)
        self.depths.append(len(self.path))
        self.path.append(self.carried + len(self.ids))
        self.ids.append(token)

    def end(self, row: int) -> None:
        self.rows.append(row)
        self.paths.append(list(self.path))

    def cut(self) -> Pack:
        visible_TS = torch.zeros(len(self.ids), self.carried + len(self.ids), dtype=torch.bool)
        for node, parent in enumerate(self.parents):
            if parent >= self.carried:
                visible_TS[node] = visible_TS[parent - self.carried]
            else:  # the carried nodes are one path
                visible_TS[node, : parent + 1] = True
            visible_TS[node, self.carried + node] = True
        return Pack(
            rows=tuple(self.rows),
            paths=tuple(torch.tensor(path, dtype=torch.long) for path in self.paths),
            ids_T=torch.tensor(self.ids, dtype=torch.long),
            depths_T=torch.tensor(self.depths, dtype=torch.long),
            visible_TS=visible_TS,
            onward=torch.tensor(self.path, dtype=torch.long),
        )
