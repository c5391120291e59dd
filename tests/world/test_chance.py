"""Randomness that is an input."""

from __future__ import annotations

from collections import Counter

from journeyman.world.chance import Stream, draw


def test_draws_are_what_they_have_always_been() -> None:
    """A change here would change every start, every task and every recorded episode."""
    assert [draw(7, place, 1000) for place in range(5)] == [852, 687, 969, 840, 769]
    assert Stream("shop", 1).sample(range(100), 5) == [53, 44, 49, 12, 3]


def test_seeds_do_not_share_draws() -> None:
    assert draw(1, 1, 1 << 60) != draw("1", 1, 1 << 60) != draw(11, 1, 1 << 60)
    assert Stream("a", 1).below(1 << 60) != Stream("a1").below(1 << 60)


def test_draws_are_spread_evenly() -> None:
    counts = Counter(draw(3, place, 6) for place in range(6000))
    assert set(counts) == set(range(6))
    assert all(850 < count < 1150 for count in counts.values())


def test_shuffling_keeps_everything() -> None:
    stream = Stream("x")
    assert sorted(stream.shuffled(range(50))) == list(range(50))
    assert len({tuple(stream.shuffled("abc")) for _ in range(200)}) == 6
