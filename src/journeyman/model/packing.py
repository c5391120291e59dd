"""Prefix trees: many token sequences in one pass, every shared prefix encoded once.

Scoring, teaching and training all run over sequences that share beginnings: the chat template's system turn, a lesson
in front of several questions, a question in front of several answers. A `Pack` lays such sequences out as a tree, one
node a token, in a single row of tokens; a token attends to its ancestors and to itself. The result is exact: a node's
hidden state is that of its last token after the path from the root, as if its sequence had been run alone.

Always holds: `ids_T[node]` and `depths_T[node]` (the position, 0-based) describe a node; parents stand before their
children; `paths[row]` are the nodes of input row `row`, so `ids_T[paths[row]] == rows[row]`.

Knows token ids only: no model, no text, no loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

# Attention costs pack length squared, matrix products want long rows: 512 balances them on a CPU.
PACK_TOKENS = 512


@dataclass(frozen=True)
class Pack:
    """One row of tokens for the model, and where each input row lies in it.

    rows: indices into the packed sequences; paths[k]: int64 [len(sequence rows[k])]; ids_T, depths_T: int64 [T];
    visible_TT: bool [T, T], True where the row's token may attend to the column's.
    """

    rows: tuple[int, ...]
    paths: tuple[torch.Tensor, ...]
    ids_T: torch.Tensor
    depths_T: torch.Tensor
    visible_TT: torch.Tensor

    @property
    def tokens(self) -> int:
        return int(self.ids_T.numel())


def pack(sequences: Sequence[Sequence[int]], limit: int = PACK_TOKENS) -> Iterator[Pack]:
    """Lay `sequences` out in packs of at most `limit` nodes (a longer sequence gets a pack of its own).

    Rows are taken in lexicographic order, so that those which share a prefix meet in one pack. Empty sequences are an
    error: they have no state to give.
    """
    if any(len(sequence) == 0 for sequence in sequences):
        raise ValueError("cannot pack an empty sequence")
    rows: list[int] = []
    size = 0
    previous: Sequence[int] = ()
    for row in sorted(range(len(sequences)), key=lambda index: tuple(sequences[index])):
        sequence = sequences[row]
        added = len(sequence) - _shared(previous, sequence)
        if rows and size + added > limit:
            yield _build(rows, sequences)
            rows, size, added = [], 0, len(sequence)
        rows.append(row)
        size += added
        previous = sequence
    if rows:
        yield _build(rows, sequences)


def _shared(left: Sequence[int], right: Sequence[int]) -> int:
    """How many leading tokens the two have in common."""
    for index, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return index
    return min(len(left), len(right))


def _build(rows: Sequence[int], sequences: Sequence[Sequence[int]]) -> Pack:
    ids: list[int] = []
    depths: list[int] = []
    parents: list[int] = []
    paths: list[list[int]] = []
    for position, row in enumerate(rows):
        sequence = sequences[row]
        kept = _shared(sequences[rows[position - 1]], sequence) if position else 0
        path = paths[-1][:kept] if position else []
        for depth in range(kept, len(sequence)):
            parents.append(path[-1] if path else -1)
            path.append(len(ids))
            ids.append(sequence[depth])
            depths.append(depth)
        paths.append(path)
    visible_TT = torch.eye(len(ids), dtype=torch.bool)
    for node, parent in enumerate(parents):
        if parent >= 0:
            visible_TT[node] |= visible_TT[parent]
    return Pack(
        rows=tuple(rows),
        paths=tuple(torch.tensor(path, dtype=torch.long) for path in paths),
        ids_T=torch.tensor(ids, dtype=torch.long),
        depths_T=torch.tensor(depths, dtype=torch.long),
        visible_TT=visible_TT,
    )
