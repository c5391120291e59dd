"""Randomness that is an input: the n-th draw under a seed is a hash of both.

Always holds: the same seed and place give the same number on every machine, in every process and with every version of
Python; drawing takes nothing from any generator that is shared.

Knows nothing of worlds. The hash is BLAKE2b (RFC 7693).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


def draw(seed: int | str, place: int, below: int) -> int:
    """A number from 0 to `below` - 1, for `below` up to 2**64: the bias is less than 2**-64 * below."""
    key = f"{type(seed).__name__}:{seed}:{place}".encode()
    return int.from_bytes(blake2b(key, digest_size=16).digest(), "big") * below >> 128


class Stream:
    """Draws one after the other under one seed, for what is made before a world begins."""

    def __init__(self, *seed: int | str) -> None:
        self._seed = ":".join(f"{type(part).__name__}={part}" for part in seed)
        self._place = 0

    def below(self, bound: int) -> int:
        self._place += 1
        return draw(self._seed, self._place, bound)

    def between(self, low: int, high: int) -> int:
        """From `low` to `high`, both of them included."""
        return low + self.below(high - low + 1)

    def choice(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        left = list(items)
        for at in range(len(left) - 1, 0, -1):
            other = self.below(at + 1)
            left[at], left[other] = left[other], left[at]
        return left

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        return self.shuffled(items)[:count]
