"""The statistics against scipy and published values; their level and coverage, counted exactly."""

from __future__ import annotations

import math
import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from journeyman.evaluate.statistics import (
    clopper_pearson,
    cluster_sign_flip,
    crossed_bootstrap,
    exact_mcnemar,
    noninferiority,
    noninferiority_counts,
    paired_difference,
    share_of,
    tango_score,
)


def outcomes(wins: int, losses: int, n: int) -> tuple[list[int], list[int]]:
    agree = n - wins - losses
    return [0] * wins + [1] * losses + [1] * agree, [1] * wins + [0] * losses + [1] * agree


def chances(n: int, winning: float, losing: float) -> list[tuple[int, int, float]]:
    """Every table of n pairs with its probability."""
    shares = (max(0.0, winning), losing, max(0.0, 1 - winning - losing))
    tables = [(w, loss, n - w - loss) for w in range(n + 1) for loss in range(n + 1 - w)]
    ways = (math.factorial(n) // math.prod(map(math.factorial, table)) for table in tables)
    powers = (math.prod(map(pow, shares, table)) for table in tables)
    return [(table[0], table[1], w * p) for table, w, p in zip(tables, ways, powers, strict=True)]


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test(wins: int, losses: int) -> None:
    total = wins + losses
    expected = stats.binomtest(wins, total, alternative="greater").pvalue if total else 1.0
    assert exact_mcnemar(wins, losses) == pytest.approx(expected, rel=1e-9)


def test_tango_reproduces_the_published_example() -> None:
    # Tango 1998, section 5: 44 crossover pairs, none against one, margin 0.1: Z = 1.709, p = 0.044.
    assert tango_score(0, 1, 44, -0.1) == pytest.approx(1.709, abs=5e-4)


def test_paired_difference_counts_and_pairs() -> None:
    found = paired_difference([0, 0, 1, 1, 0], [1, 1, 0, 1, 0])
    assert (found.n, found.before, found.after, found.wins, found.losses) == (5, 0.4, 0.6, 2, 1)
    assert found.difference == pytest.approx(0.2)
    assert found.interval[0] < 0.2 < found.interval[1]
    assert (found.cluster_wins, found.cluster_losses) == (2, 1)
    assert found.to_json()["interval"] == list(found.interval)


def test_no_difference_in_few_items_is_not_certainty() -> None:
    low, high = paired_difference([1] * 20, [1] * 20).interval
    assert low == pytest.approx(-high)
    assert 0.1 < high < 0.2
    assert paired_difference([], []).interval == (-1.0, 1.0)


def test_only_paired_binary_outcomes_are_taken() -> None:
    with pytest.raises(ValueError, match="same items"):
        paired_difference([1], [1, 0])
    with pytest.raises(ValueError, match="0 or 1"):
        paired_difference([0.5], [1])


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 30))
def test_interval_mirrors_when_before_and_after_swap(wins: int, losses: int, agree: int) -> None:
    before, after = outcomes(wins, losses, wins + losses + agree)
    low, high = paired_difference(before, after).interval
    assert -1 <= low <= high <= 1
    assert paired_difference(after, before).interval == pytest.approx((-high, -low), abs=1e-9)


@pytest.mark.parametrize(("winning", "losing"), [(0.02, 0.02), (0.1, 0.05), (0.3, 0.1), (0.05, 0.2)])
def test_interval_covers_the_truth(winning: float, losing: float) -> None:
    covered = 0.0
    for wins, losses, chance in chances(30, winning, losing):
        if chance > 1e-7:
            low, high = paired_difference(*outcomes(wins, losses, 30)).interval
            covered += chance * (low <= winning - losing <= high)
    assert covered > 0.935


def test_clusters_widen_the_interval_and_are_the_units_of_the_sign_test() -> None:
    before, after = [0] * 40, [1] * 20 + [0] * 20
    alone = paired_difference(before, after)
    lessons = [i // 10 for i in range(40)]  # ten questions on each of four lessons, all answered alike
    together = paired_difference(before, after, lessons)
    assert (together.wins, together.cluster_wins, together.cluster_losses) == (20, 2, 0)
    assert together.interval[1] - together.interval[0] > 2 * (alone.interval[1] - alone.interval[0])
    assert paired_difference(before, after, range(40)).interval == pytest.approx(alone.interval)


def test_clustered_interval_covers_where_the_naive_one_does_not() -> None:
    rng = random.Random(5)
    naive = clustered = 0
    lessons = [i // 8 for i in range(160)]
    for _ in range(200):
        after = []
        for _ in range(20):
            p = rng.choice([0.1, 0.9])  # a lesson is learned or not
            after += [int(rng.random() < p) for _ in range(8)]
        before = [int(rng.random() < 0.5) for _ in range(160)]
        for_all = paired_difference(before, after).interval
        by_lesson = paired_difference(before, after, lessons).interval
        naive += for_all[0] <= 0 <= for_all[1]
        clustered += by_lesson[0] <= 0 <= by_lesson[1]
    assert naive < 0.85 * 200
    assert clustered > 0.91 * 200


@pytest.mark.parametrize("n", [15, 30])
def test_noninferiority_keeps_its_level_at_every_share_of_losses(n: int) -> None:
    margin = 0.1
    rejected = [
        (w, loss)
        for w, loss in product(range(n + 1), repeat=2)
        if w + loss <= n and noninferiority_counts(w, loss, n, margin) <= 0.05
    ]
    assert rejected
    for losing in (0.1, 0.101, 0.12, 0.15, 0.2, 0.3, 0.4, 0.5, 0.55):
        table = {(w, loss): chance for w, loss, chance in chances(n, losing - margin, losing)}
        assert sum(table[counts] for counts in rejected) <= 0.05


def test_noninferiority_agrees_with_what_can_be_known() -> None:
    # No difference at all in n pairs: under a loss of exactly m this alone has probability (1 - m)^n.
    for n in (40, 60, 100):
        assert 0.95**n < noninferiority_counts(0, 0, n, 0.05) < 2 * 0.95**n
    # Many pairs: Tango's normal approximation.
    approximate = stats.norm.sf(tango_score(60, 75, 1200, -0.05))
    assert noninferiority_counts(60, 75, 1200, 0.05) == pytest.approx(approximate + 0.001, abs=1e-3)
    assert noninferiority([], [], 0.05) == 1.0
    assert noninferiority(*outcomes(0, 12, 60), 0.05) > 0.9


@given(st.integers(0, 10), st.integers(0, 10), st.integers(0, 40))
def test_more_wins_never_speak_for_harm(wins: int, losses: int, agree: int) -> None:
    n = wins + losses + agree + 1
    before = noninferiority_counts(wins, losses, n, 0.05)
    assert noninferiority_counts(wins + 1, losses, n, 0.05) <= before + 1e-9


def test_sign_flip_is_exact_for_few_clusters_and_close_for_many() -> None:
    assert cluster_sign_flip([1, 1, 1, 1, 1], "abcde", seed=0) == 2**-5
    assert cluster_sign_flip([1] * 50, ["one"] * 50, seed=0) == 0.5  # one cluster is one observation
    assert cluster_sign_flip([0, 0], "ab", seed=0) == 1.0
    values = [random.Random(2).gauss(0.2, 1) for _ in range(30)]
    expected = stats.permutation_test((values,), sum, permutation_type="samples", alternative="greater", rng=1).pvalue
    assert cluster_sign_flip(values, range(30), seed=3) == pytest.approx(expected, abs=0.02)
    assert cluster_sign_flip(values, range(30), seed=3) == cluster_sign_flip(values, range(30), seed=3)


def test_sign_flip_keeps_its_level_with_cluster_effects() -> None:
    rng = random.Random(11)
    clusters = [i // 10 for i in range(100)]
    false = 0
    for _ in range(300):
        effects = [rng.gauss(0, 1) for _ in range(10)]
        values = [effects[c] + rng.gauss(0, 1) for c in clusters]
        false += cluster_sign_flip(values, clusters, seed=0, n=1024) <= 0.05
    assert false <= 0.08 * 300


def test_bootstrap_follows_the_clusters() -> None:
    rng = random.Random(1)
    clusters = [i // 5 for i in range(200)]
    values = [rng.gauss(0.3, 1) for _ in range(200)]
    low, high = crossed_bootstrap([values], clusters, seed=1, n=2000)
    assert low < math.fsum(values) / 200 < high
    assert crossed_bootstrap([values], clusters, seed=1, n=2000) == (low, high)
    spread = crossed_bootstrap([[float(c % 2) for c in clusters]], clusters, seed=1, n=2000)
    assert spread == pytest.approx((0.35, 0.65), abs=0.03)
    with pytest.raises(ValueError, match="no difference"):
        crossed_bootstrap([], [], seed=1)


def test_bootstrap_follows_the_runs() -> None:
    """Runs that differ widen the interval, equal ones do not; clusters of unlike size weigh by their items."""
    items, clusters = [0.0, 1.0] * 50, list(range(100))
    one = crossed_bootstrap([items], clusters, seed=1, n=1000)
    five = crossed_bootstrap([items] * 5, clusters, seed=1, n=1000)
    assert five == pytest.approx(one, abs=0.02)
    low, high = crossed_bootstrap([[0.0] * 100, [1.0] * 100], clusters, seed=1, n=1000)
    assert (low, high) == (0.0, 1.0)
    assert crossed_bootstrap([[1.0, 1.0, 1.0]], ["a", "a", "b"], seed=1, n=100) == (1.0, 1.0)


@pytest.mark.parametrize(("k", "n"), [(0, 5), (1, 1), (7, 20), (25, 1000), (1000, 1000)])
def test_clopper_pearson_is_scipys(k: int, n: int) -> None:
    for alpha in (0.05, 0.1):
        expected = stats.binomtest(k, n).proportion_ci(1 - alpha, method="exact")
        assert clopper_pearson(k, n, alpha) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert clopper_pearson(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="share"):
        clopper_pearson(3, 2)


def test_a_share_of_clusters_is_as_wide_as_their_number_allows() -> None:
    outcomes = [int(i < 50) for i in range(100)]
    alone, alike = share_of(outcomes), share_of(outcomes, [i // 10 for i in range(100)])
    assert (alone.n, alone.k, alone.share) == (alike.n, alike.k, alike.share) == (100, 50, 0.5)
    assert alone.interval == pytest.approx((0.404, 0.596), abs=1e-3)
    assert alike.interval[1] - alike.interval[0] > 2.5 * (alone.interval[1] - alone.interval[0])
    assert share_of(outcomes, range(100)).interval == pytest.approx(alone.interval)
    never = share_of([0] * 100, [i // 10 for i in range(100)])
    assert never.interval == pytest.approx(share_of([0] * 10).interval)  # ten clusters, ten observations
    assert share_of([]).interval == (0.0, 1.0)
    assert never.to_json()["interval"] == list(never.interval)
    with pytest.raises(ValueError, match="0 or 1"):
        share_of([0.5])
