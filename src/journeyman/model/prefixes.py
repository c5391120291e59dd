"""Keys and values of what has been read before, so that it need not be read again.

A radix tree for each owner (whose prompts they are, and under which adapter): an edge holds some tokens and what every
layer keeps of them, so that beginnings which many conversations share (a system prompt, the turns so far) are held
once. What was used longest ago goes first.

Always holds: what `match` gives belongs to exactly those tokens of exactly that owner; the tree never holds more than
`limit` bytes, except for what is in use while it is being added.

Knows token ids and tensors; nothing of models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

import torch

from journeyman.model.packing import common_prefix

Owner = tuple[str, str | None]  # whose, and under which adapter
KeysValues = tuple[torch.Tensor, torch.Tensor]  # of some tokens: each [layers, heads, tokens, D]


@dataclass
class _Node:
    """The tokens of the edge that leads here."""

    ids: tuple[int, ...] = ()
    held: KeysValues | None = None
    children: dict[int, _Node] = field(default_factory=dict)
    used: int = 0

    @property
    def bytes(self) -> int:
        return sum(each.numel() * each.element_size() for each in self.held) if self.held else 0


class Prefixes:
    """See the module. `limit` is in bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self._roots: dict[Owner, _Node] = {}
        self._clock = count(1)

    def match(self, ids: Sequence[int], owner: Owner) -> tuple[int, list[KeysValues]]:
        """How many of the first tokens are known, and what is kept of them, in pieces that follow each other."""
        known, pieces = 0, []
        for node, shared in self._path(ids, owner):
            assert node.held
            keys, values = node.held
            pieces.append((keys[:, :, :shared], values[:, :, :shared]))
            known += shared
        return known, pieces

    def add(self, ids: Sequence[int], owner: Owner, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Keep what `keys` and `values` [layers, heads, len(ids), D] say of these tokens; what is known stays."""
        if sum(each.numel() * each.element_size() for each in (keys, values)) > self.limit:
            return  # it would push out all the others', and then itself
        node, known = self._roots.setdefault(owner, _Node()), 0
        for child, shared in self._path(ids, owner):
            known += shared
            if shared < len(child.ids):
                self._split(child, shared)
            node = child
        if known < len(ids):
            rest = tuple(ids[known:])
            new = _Node(rest, (keys[:, :, known:].clone(), values[:, :, known:].clone()), used=next(self._clock))
            node.children[rest[0]] = new
            self.bytes += new.bytes
        self._shrink()

    def forget(self, *, scope: str | None = None, adapter: str | None = None) -> None:
        """Drop all that was read for this owner, under any adapter, or under this adapter, whoever asked."""
        for owner in [each for each in self._roots if scope == each[0] or (adapter and adapter == each[1])]:
            self.bytes -= sum(node.bytes for node, _, _ in _below(self._roots.pop(owner)))

    def _path(self, ids: Sequence[int], owner: Owner) -> Iterator[tuple[_Node, int]]:
        """The edges that these tokens run along, and how many tokens of each; they count as used now."""
        node, place = self._roots.get(owner), 0
        while node and place < len(ids) and (child := node.children.get(ids[place])):
            shared = common_prefix(child.ids, ids[place : place + len(child.ids)])
            child.used = next(self._clock)
            yield child, shared
            place += shared
            node = child if shared == len(child.ids) else None

    def _split(self, node: _Node, place: int) -> None:
        """Make the edge two, of which the first has `place` tokens."""
        assert node.held
        keys, values = node.held
        # Copies: a view would keep all of the tensor for as long as one half is held.
        later = _Node(
            node.ids[place:], (keys[:, :, place:].clone(), values[:, :, place:].clone()), node.children, node.used
        )
        node.held = keys[:, :, :place].clone(), values[:, :, :place].clone()
        node.ids, node.children = node.ids[:place], {later.ids[0]: later}

    def _shrink(self) -> None:
        while self.bytes > self.limit:
            leaves = (each for root in self._roots.values() for each in _below(root) if not each[0].children)
            node, parent, first = min(leaves, key=lambda each: each[0].used)
            self.bytes -= node.bytes
            del parent.children[first]


def _below(node: _Node) -> Iterator[tuple[_Node, _Node, int]]:
    """Every edge under a node, with its parent and its first token."""
    open_nodes = [node]
    while open_nodes:
        parent = open_nodes.pop()
        for first, child in parent.children.items():
            yield child, parent, first
            open_nodes.append(child)
