"""What is known of the base stays bounded, and what was let go of is found out again, the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from journeyman.model.known import Known
from journeyman.model.transformers_engine import TransformersEngine


@given(st.lists(st.integers(0, 9)), st.integers(0, 5))
def test_never_more_is_kept_and_what_was_wanted_last_is(wanted: list[int], most: int) -> None:
    known = Known(most)
    for what in wanted:
        if what not in known:
            known[what] = [what]
        assert most == 0 or known[what] == [what]
        assert len(known) <= most
    newest = list(dict.fromkeys(reversed(wanted)))[:most]
    assert [what for what in range(10) if what in known] == sorted(newest)


def test_an_engine_is_bounded_by_itself(tiny_engine: TransformersEngine) -> None:
    assert isinstance(tiny_engine.known, Known)
    assert tiny_engine.known.most < 10_000
