"""The interval of a share, against scipy."""

from __future__ import annotations

import pytest
from scipy import stats

from journeyman.shares import wilson


@pytest.mark.parametrize(("k", "n"), [(0, 5), (1, 1), (7, 20), (96, 96), (300, 400)])
def test_wilson_is_scipys(k: int, n: int) -> None:
    expected = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert wilson(k, n) == pytest.approx((expected.low, expected.high), abs=1e-4)


def test_wilson_of_nothing_is_everything() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="share"):
        wilson(3, 2)
