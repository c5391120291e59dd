"""Sorted keys that never change."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from journeyman.world import keys

TEXT = st.text(max_size=3)


@given(st.lists(st.tuples(st.booleans(), TEXT), max_size=60), st.sets(TEXT, max_size=20))
def test_they_are_a_sorted_set_whatever_was_done(doings: list[tuple[bool, str]], first: set[str]) -> None:
    now, right = keys.of(first), set(first)
    for add, key in doings:
        before = list(keys.each(now))
        after = keys.added(now, key) if add else keys.removed(now, key)
        assert list(keys.each(now)) == before
        now = after
        (right.add if add else right.discard)(key)
        assert list(keys.each(now)) == sorted(right)
        assert all(now)


def test_parts_stay_short_when_they_grow() -> None:
    now = keys.NONE
    for number in range(3000):
        now = keys.added(now, f"{number * 7919 % 3000:04}")
    assert list(keys.each(now)) == [f"{number:04}" for number in range(3000)]
    assert max(map(len, now)) <= keys.LONGEST
    assert len(now) < 20
