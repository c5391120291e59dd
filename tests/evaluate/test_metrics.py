"""The figures by hand and by law; their intervals cover the truth, and follow sessions, runs and streams."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeyman.evaluate import metrics
from journeyman.evaluate.metrics import Metrics, Stream, compared, general_delta, internalisation, leak, measured
from journeyman.evaluate.statistics import paired_difference

# Three periods; row 0 is the base.
R = [
    [0.1, 0.2, 0.0],
    [0.8, 0.3, 0.1],
    [0.9, 0.7, 0.2],
    [0.6, 0.5, 0.9],
]


def test_the_formulas_by_hand() -> None:
    assert metrics.acc(R) == pytest.approx((0.6 + 0.5 + 0.9) / 3)
    assert metrics.plasticity(R) == pytest.approx((0.8 + 0.7 + 0.9) / 3)
    assert metrics.gain(R) == pytest.approx((0.7 + 0.5 + 0.9) / 3)
    assert metrics.bwt(R) == pytest.approx((-0.2 - 0.2) / 2)
    assert metrics.forgetting(R) == pytest.approx((0.3 + 0.2) / 2)  # from the best, 0.9, on period 1
    assert metrics.fwt(R) == pytest.approx((0.1 + 0.2) / 2)


@given(
    st.integers(2, 6).flatmap(
        lambda t: st.lists(st.lists(st.floats(0, 1), min_size=t, max_size=t), min_size=t + 1, max_size=t + 1)
    )
)
def test_laws_of_the_figures(r: list[list[float]]) -> None:
    t = len(r) - 1
    # What is there at the end was learnt, or came back, or was never lost.
    assert metrics.acc(r) == pytest.approx(metrics.plasticity(r) + (t - 1) / t * metrics.bwt(r), abs=1e-9)
    assert metrics.forgetting(r) >= -metrics.bwt(r) - 1e-12
    assert metrics.gain(r) <= metrics.plasticity(r) + 1e-12
    same = [r[0]] * (t + 1)
    assert metrics.bwt(same) == metrics.forgetting(same) == metrics.fwt(same) == metrics.gain(same) == 0


def test_one_period_has_nothing_to_forget_and_what_is_missing_is_not_made_up() -> None:
    found = measured([Stream([["a", "b"]], [[[[0, 0]], [[1, 0]]]])], n=50)
    assert found.gain is not None
    assert found.gain.value == 0.5
    assert (found.bwt, found.forgetting, found.fwt) == (None, None, None)
    two = Stream([["a"], ["b"]], [[[[0], []], [[1], []], [[1], [1]]]])  # period 2 was measured at the end only
    found = measured([two], n=50)
    assert (found.gain, found.fwt) == (None, None)
    assert found.acc is not None
    assert found.bwt is not None
    assert math.isnan(two.matrix()[0][1])
    assert found.to_json()["gain"] is None
    assert found.to_json()["acc"] == {"value": 1.0, "interval": [1.0, 1.0]}
    gone = [[0.5, 0.5, 0.5], [0.5] * 3, [math.nan, 0.5, 0.5], [0.5] * 3]
    assert math.isnan(metrics.forgetting(gone))
    assert not math.isnan(metrics.bwt(gone))


def stream(rng: random.Random, runs: int = 1, sessions: int = 30, forgets: float = 0.3) -> Stream:
    """Two periods of two items a session that share their fate; each run forgets about `forgets` of the first."""
    names = [[f"{period}{i // 2}" for i in range(2 * sessions)] for period in "ab"]

    def scores(p: float) -> list[float]:
        return [float(right) for _ in range(sessions) for right in [rng.random() < p] * 2]

    made = []
    for _ in range(runs):
        learnt = scores(0.8)
        kept = [right * (rng.random() >= forgets) for right in learnt[::2]]
        made.append(
            [
                [scores(0.1), scores(0.1)],
                [learnt, scores(0.2)],
                [[right for right in kept for _ in range(2)], scores(0.8)],
            ]
        )
    return Stream(names, made)


def test_the_interval_covers_the_truth_over_sessions() -> None:
    rng, covered, narrow = random.Random(5), 0, 0
    for _ in range(100):
        made = stream(rng)
        found = measured([made], seed=1, n=200)
        assert found.bwt is not None
        covered += found.bwt.interval[0] <= -0.24 <= found.bwt.interval[1]
        items = measured([Stream([list(range(60)), list(range(60))], made.runs)], seed=1, n=200)
        assert items.bwt is not None
        narrow += items.bwt.interval[0] <= -0.24 <= items.bwt.interval[1]
    assert covered >= 88
    assert narrow < covered  # items that share their fate are not independent


def test_figures_are_averaged_over_runs_then_streams_and_both_are_redrawn() -> None:
    rng = random.Random(2)
    one, many = stream(rng), stream(rng, runs=3)
    found = measured([one, many], n=100)
    by_hand = (metrics.bwt(one.matrix()) + sum(metrics.bwt(many.matrix(run)) for run in range(3)) / 3) / 2
    assert found.bwt is not None
    assert found.bwt.value == pytest.approx(by_hand)
    assert found == measured([one, many], n=100)
    assert found != measured([one, many], seed=1, n=100)
    # Two streams that differ widen the interval of their mean.
    good, bad = (Stream([["a", "b"]], [[[[0, 0]], [[p, p]]]]) for p in (1, 0))
    spread = measured([good, bad], n=200).acc
    assert spread is not None
    assert spread.interval == (0.0, 1.0)
    runs = measured([Stream([["a", "b"]], [[[[0, 0]], [[p, p]]] for p in (1, 0)])], n=200).acc
    assert runs == spread


def test_two_ways_to_learn_are_compared_on_the_same_draws() -> None:
    rng = random.Random(4)
    ours = stream(rng, forgets=0.0)
    zero = compared([ours], [ours], n=50)
    assert all(getattr(zero, name).interval == (0, 0) for name in Metrics.__dataclass_fields__)
    theirs = stream(rng, forgets=0.6)
    better = compared([ours], [theirs], n=200)
    assert better.bwt is not None
    assert better.bwt.value == pytest.approx(metrics.bwt(ours.matrix()) - metrics.bwt(theirs.matrix()))
    assert better.bwt.interval[0] > 0
    with pytest.raises(ValueError, match="same items"):
        compared([ours], [stream(rng, runs=2)])


def test_a_stream_that_is_not_whole_is_refused() -> None:
    with pytest.raises(ValueError, match="rows"):
        Stream([["a"]], [[[[1]]]])
    with pytest.raises(ValueError, match="periods, not 1"):
        Stream([["a"]], [[[[1]], [[1], [1]]]])
    with pytest.raises(ValueError, match="2 scores of 1"):
        Stream([["a"]], [[[[1, 1]], [[1]]]])
    with pytest.raises(ValueError, match="between 0 and 1"):
        Stream([["a"]], [[[[2]], [[1]]]])
    with pytest.raises(ValueError, match="items in every period"):
        Stream([[]], [[[[]], [[]]]])


def test_general_delta_weighs_suites_alike_and_pools_items() -> None:
    base = {"small": [1] * 20, "large": [1] * 100}
    after = {"small": [1] * 10 + [0] * 10, "large": [1] * 100}
    found = general_delta(base, after)
    assert found.mean.value == pytest.approx(-0.25)
    assert found.pooled.difference == pytest.approx(-10 / 120)
    assert found.suites["small"] == paired_difference(base["small"], after["small"])
    low, high = found.mean.interval
    assert low < -0.25 < high < 0
    assert high - low < found.suites["small"].interval[1] - found.suites["small"].interval[0]
    alone = general_delta({"s": base["small"]}, {"s": after["small"]})
    assert alone.mean.interval == pytest.approx(alone.pooled.interval)
    same = general_delta(base, base).mean
    assert same.interval[0] < 0 < same.interval[1]
    clusters = {name: [i // 10 for i in range(len(items))] for name, items in base.items()}
    wide = general_delta(base, after, clusters)
    assert wide.mean.interval[0] < low
    assert wide.pooled.cluster_losses == 1
    with pytest.raises(ValueError, match="same suites"):
        general_delta(base, {"small": base["small"]})


def test_what_was_internalised_is_a_share_of_what_the_teacher_could() -> None:
    base, told = [0] * 100, [1] * 80 + [0] * 20
    half = internalisation(base, told, [1] * 40 + [0] * 60)
    assert half.ratio is not None
    assert half.ratio.value == pytest.approx(0.5)
    assert 0.35 < half.ratio.interval[0] < 0.5 < half.ratio.interval[1] < 0.65
    whole = internalisation(base, told, told, sessions=[i // 2 for i in range(100)])
    assert whole.ratio is not None
    assert whole.ratio.interval == (1.0, 1.0)
    # A teacher whose own gap is not shown to be above 5 points has nothing to teach.
    assert internalisation(base, [1] * 8 + [0] * 92, told).ratio is None
    assert internalisation(base, told, told, sessions=["one"] * 100).ratio is None


def test_rates_of_what_must_not_happen() -> None:
    fired = metrics.over_application([True] * 3 + [False] * 97)
    assert (fired.k, fired.n) == (3, 100)
    assert fired.interval == pytest.approx((0.0103, 0.0845), abs=1e-3)
    found = metrics.updated([True, True, False, False], [False, True, True, False])
    assert (found.new.k, found.stale.k, found.neither.k) == (1, 2, 1)
    none = leak([False] * 300, [i // 10 for i in range(300)])
    assert (none.rate, none.secrets) == (0.0, 30)
    assert none.upper == pytest.approx(1 - 0.05 ** (1 / 300))
    assert none.secrets_upper == pytest.approx(1 - 0.05 ** (1 / 30))
    some = leak([False, True, True, False], ["a", "a", "a", "b"])
    assert (some.leaks, some.secrets_out, some.secrets) == (2, 1, 2)
    assert leak([], []).upper == 1.0


def test_exposure_is_in_bits() -> None:
    assert metrics.exposure(1, 1024) == 10
    assert metrics.exposure(1024, 1024) == 0
    assert sum(metrics.exposure(rank, 4096) for rank in range(1, 4097)) / 4096 == pytest.approx(1.44, abs=0.01)
    with pytest.raises(ValueError, match="rank"):
        metrics.exposure(0, 10)
