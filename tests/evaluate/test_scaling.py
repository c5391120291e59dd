"""The curve through what dreaming brought, and where it says to stop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeyman.evaluate.scaling import Curve, fitted, rank_agreement

AMOUNTS = (0, 1, 4, 16, 64)


def test_a_hyperbola_is_found_again() -> None:
    real = Curve(0.1, 0.8, 5.0, 0.0, 64)
    found = fitted([(x, real.at(x)) for x in AMOUNTS])
    assert found.top == pytest.approx(0.8, abs=0.01)
    assert found.half == pytest.approx(5.0, rel=0.05)
    assert found.error < 0.005


def test_one_stops_where_twice_as_much_gains_little() -> None:
    curve = fitted([(x, Curve(0.1, 0.8, 2.0, 0.0, 64).at(x)) for x in AMOUNTS])
    stop = curve.stop(0.02)
    assert stop is not None
    assert curve.at(2 * stop) - curve.at(stop) < 0.02
    assert curve.at(stop) - curve.at(stop / 2) > 0.02
    assert fitted([(x, Curve(0.1, 0.9, 300.0, 0.0, 64).at(x)) for x in AMOUNTS]).stop(0.02) is None
    flat = fitted([(x, 0.4) for x in AMOUNTS]).stop()
    assert flat is not None
    assert flat < 1


def test_what_harms_is_stopped_at_once() -> None:
    curve = fitted([(0, 0.5), (1, 0.45), (4, 0.4), (16, 0.3), (64, 0.3)])
    assert curve.top < 0.5
    stop = curve.stop()
    assert stop is not None
    assert stop < 1


@given(st.lists(st.floats(0, 1), min_size=5, max_size=5))
def test_shares_stay_shares(shares: list[float]) -> None:
    curve = fitted(list(zip(AMOUNTS, shares, strict=True)))
    assert all(-1e-9 <= curve.at(x) <= 1 + 1e-9 for x in (0, 0.5, 3, 64, 10**6))
    assert curve.error <= 1


def test_too_few_points_are_refused() -> None:
    with pytest.raises(ValueError, match="two amounts"):
        fitted([(0, 0.1), (4, 0.2), (4, 0.3)])


def test_ranks_agree_by_pairs_and_ties_are_no_opinion() -> None:
    assert rank_agreement([(0.1, 0.2), (0.2, 0.3), (0.5, 0.9)]) == 1
    assert rank_agreement([(0.1, 0.9), (0.2, 0.3), (0.5, 0.2)]) == -1
    # Of three pairs one is tied in the first score, one in the second; the third agrees.
    assert rank_agreement([(0.1, 0.2), (0.1, 0.3), (0.2, 0.3)]) == pytest.approx(0.5)
    assert rank_agreement([(0.1, 0.2), (0.1, 0.3)]) is None
