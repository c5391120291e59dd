"""What a number of items allows one to say: intervals and tests for shares and for paired yes/no outcomes.

Always holds: pure Python and deterministic (whatever resamples takes a seed); every test is one-sided and
gives the p of the null hypothesis; an interval is never empty and never of zero width, not even when no
outcome differs; outcomes that belong to one cluster (a lesson, a session, a template) are never counted as
independent.

Knows nothing of what was asked, and nothing of graded scores: an outcome is 0 or 1. For means of graded
scores use `crossed_bootstrap` and `cluster_sign_flip`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from journeyman.shares import Interval, wilson

Z95 = 1.959963984540054  # the normal quantile of a two-sided 95 % interval


def exact_mcnemar(wins: int, losses: int) -> float:
    """P(at least this many wins | wins + losses, fair coin): the p of "the candidate is not better".

    McNemar 1947, Psychometrika 12:153-157, in its exact conditional form; pairs that agree say nothing here.
    """
    if wins < 0 or losses < 0:
        raise ValueError("wins and losses cannot be negative")
    total = wins + losses
    return sum(math.comb(total, k) for k in range(wins, total + 1)) / 2**total


@dataclass(frozen=True)
class PairedDifference:
    """The same items answered before and after: two shares, their difference and its 95 % interval.

    `wins` and `losses` count items that only `after` (only `before`) got right. `cluster_wins` and
    `cluster_losses` count clusters whose total rose (fell): the independent units of a sign test. Without
    clusters they are the same.
    """

    n: int
    before: float
    after: float
    difference: float
    interval: Interval
    wins: int
    losses: int
    cluster_wins: int
    cluster_losses: int

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "interval": list(self.interval)}


def paired_difference(
    before: Sequence[float], after: Sequence[float], clusters: Sequence[Hashable] | None = None
) -> PairedDifference:
    """Compare two runs over the same items, each outcome 0 or 1.

    The interval inverts the score test of Tango 1998 (Statistics in Medicine 17:891-908), which keeps its
    coverage with few items and few differences. With clusters it is taken at the effective sample size n /
    design effect (Rao and Scott 1992, Biometrics 48:577-585), the effect never below 1.
    """
    steps = _steps(before, after)
    n = len(steps)
    if n == 0:
        return PairedDifference(0, 0.0, 0.0, 0.0, (-1.0, 1.0), 0, 0, 0, 0)
    wins, losses = steps.count(1), steps.count(-1)
    cluster_wins, cluster_losses, effect = wins, losses, 1.0
    if clusters is not None:
        totals = [sum(group) for group in by_cluster(steps, clusters)]
        cluster_wins, cluster_losses = sum(t > 0 for t in totals), sum(t < 0 for t in totals)
        effect = _design_effect(steps, clusters)
    return PairedDifference(
        n=n,
        before=sum(before) / n,
        after=sum(after) / n,
        difference=(wins - losses) / n,
        interval=_tango_interval(wins / effect, losses / effect, n / effect),
        wins=wins,
        losses=losses,
        cluster_wins=cluster_wins,
        cluster_losses=cluster_losses,
    )


@dataclass(frozen=True)
class Share:
    """`k` of `n` outcomes were 1; the 95 % interval of their share."""

    n: int
    k: int
    share: float
    interval: Interval

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "interval": list(self.interval)}


def share_of(outcomes: Sequence[float], clusters: Sequence[Hashable] | None = None) -> Share:
    """How often an outcome was 1, with Wilson's interval; with clusters, at the effective sample size as in
    `paired_difference`."""
    if any(value not in (0, 1) for value in outcomes):
        raise ValueError("outcomes must be 0 or 1")
    values = [int(value) for value in outcomes]
    n, k = len(values), sum(values)
    effect = 1.0 if clusters is None or not n else _design_effect(values, clusters)
    return Share(n, k, k / n if n else 0.0, wilson(k / effect, n / effect))


def clopper_pearson(k: int, n: int, alpha: float = 0.05) -> Interval:
    """The exact interval of a share k/n, alpha / 2 outside on either side (Clopper and Pearson 1934, Biometrika
    26:404-413); [0, 1] when there is no item. Its upper end at alpha 0.1 is the one-sided 95 % bound."""
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is not a share")
    low = _falling_root(lambda p: alpha / 2 - _binomial_tail(k, n, p), 0.0, 1.0) if k else 0.0
    high = _falling_root(lambda p: 1 - _binomial_tail(k + 1, n, p) - alpha / 2, 0.0, 1.0) if k < n else 1.0
    return (low, high)


def noninferiority(before: Sequence[float], after: Sequence[float], margin: float) -> float:
    """The p of "`after` is worse than `before` by `margin` or more" (0.05 is 5 points); small is good."""
    steps = _steps(before, after)
    return noninferiority_counts(steps.count(1), steps.count(-1), len(steps), margin)


@lru_cache(maxsize=4096)  # many runs over the same items come to the same counts
def noninferiority_counts(wins: int, losses: int, n: int, margin: float, doubt: float = 0.001) -> float:
    """`noninferiority` from counts: the exact unconditional test ordered by Tango's score.

    Hsueh, Liu and Chen 2001 (Biometrics 57:478-483): among all tables of n pairs, the probability of one at
    least as favourable as the observed, for a true difference of exactly -margin. The score with its
    restricted estimate rises with wins, so that a worse difference is less likely still. The share of losses,
    which is not known, takes its worst value within its 1 - `doubt` interval and `doubt` is added to p (Berger and
    Boos 1994, JASA 89:1012-1016): p never falls below `doubt` and the test keeps its level at any n.
    The worst value is sought on a grid of 41.
    """
    if not 0 < margin < 1:
        raise ValueError("the margin is a share between 0 and 1")
    if n == 0:
        return 1.0
    observed = tango_score(wins, losses, n, -margin)
    threshold: list[int] = []  # by losses: the fewest wins that are at least as favourable
    need = 0
    for lost in range(n + 1):
        while need <= n - lost and tango_score(need, lost, n, -margin) < observed - 1e-9:
            need += 1
        threshold.append(need)
    low, high = clopper_pearson(losses, n, doubt)
    low, high = max(low, margin), min(high, (1 + margin) / 2)
    if low > high:  # every share of losses that a difference of -margin allows is ruled out
        return doubt
    worst = max(_favourable(threshold, n, low + (high - low) * i / 40, margin) for i in range(41))
    return min(1.0, worst + doubt)


def tango_score(wins: float, losses: float, n: float, difference: float) -> float:
    """The z of "after - before = difference", the nuisance at its restricted likelihood (Tango 1998)."""
    a = 2 * n
    b = -wins - losses + (2 * n - wins + losses) * difference
    c = -losses * difference * (1 - difference)
    # The share of losses under the null hypothesis.
    q = max((math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a), -difference, 0.0)
    variance = n * (2 * q + difference * (1 - difference))
    gap = wins - losses - n * difference
    if variance <= 1e-15 * n:
        return 0.0 if abs(gap) < 1e-12 else math.copysign(math.inf, gap)
    return gap / math.sqrt(variance)


def cluster_sign_flip(differences: Sequence[float], clusters: Sequence[Hashable], seed: int, n: int = 10_000) -> float:
    """The p of "no better": the share of ways to flip whole clusters' signs that reach the sum seen.

    All 2^clusters ways when they are no more than n, else n random ones and the observed one (Phipson and
    Smyth 2010, SAGMB 9:39), which keeps p above 0.
    """
    totals = [total for total in map(math.fsum, by_cluster(differences, clusters)) if total]
    observed = math.fsum(totals) - 1e-12 * math.fsum(map(abs, totals))
    everything = math.fsum(totals)

    def reaches(flips: int) -> bool:
        return everything - 2 * sum(t for i, t in enumerate(totals) if flips >> i & 1) >= observed

    if 2 ** len(totals) <= n:
        return sum(map(reaches, range(2 ** len(totals)))) / 2 ** len(totals)
    rng = random.Random(seed)
    return (1 + sum(reaches(rng.getrandbits(len(totals))) for _ in range(n))) / (n + 1)


def crossed_bootstrap(
    runs: Sequence[Sequence[float]], clusters: Sequence[Hashable], seed: int, n: int = 4000
) -> Interval:
    """The 95 % percentile interval of the mean of several runs over the same items: runs and clusters of items are both
    redrawn (Owen 2007, Annals of Applied Statistics 1:386-411). Too narrow below about 20 clusters; of one run, it says
    nothing of other runs."""
    grouped = [[(math.fsum(group), len(group)) for group in by_cluster(run, clusters)] for run in runs]
    if not grouped or not grouped[0]:
        raise ValueError("no difference to resample")
    sizes = [size for _, size in grouped[0]]
    rng = random.Random(seed)
    means: list[float] = []
    for _ in range(n):
        drawn = rng.choices(range(len(sizes)), k=len(sizes))
        chosen = rng.choices(grouped, k=len(grouped))
        total = math.fsum(run[place][0] for run in chosen for place in drawn)
        means.append(total / (len(chosen) * sum(sizes[place] for place in drawn)))
    return percentiles(means)


def percentiles(draws: Sequence[float]) -> Interval:
    """The middle 95 % of what a bootstrap drew."""
    found, last = sorted(draws), len(draws) - 1
    return (found[int(0.025 * last)], found[math.ceil(0.975 * last)])


def by_cluster(values: Sequence[float], clusters: Sequence[Hashable]) -> list[list[float]]:
    """The values of each cluster, clusters in the order in which they first appear."""
    if len(values) != len(clusters):
        raise ValueError(f"{len(values)} values but {len(clusters)} cluster names")
    groups: dict[Hashable, list[float]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        groups.setdefault(cluster, []).append(value)
    return list(groups.values())


def _steps(before: Sequence[float], after: Sequence[float]) -> list[int]:
    if len(before) != len(after):
        raise ValueError(f"not the same items: {len(before)} before, {len(after)} after")
    if any(value not in (0, 1) for value in (*before, *after)):
        raise ValueError("outcomes must be 0 or 1")
    return [int(b) - int(a) for a, b in zip(before, after, strict=True)]


def _design_effect(steps: Sequence[int], clusters: Sequence[Hashable]) -> float:
    """How many times wider the variance of the mean is than with independent items; at least 1."""
    groups = by_cluster(steps, clusters)
    n, mean = len(steps), sum(steps) / len(steps)
    naive = sum((step - mean) ** 2 for step in steps)
    if len(groups) < 2 or naive == 0:  # nothing to estimate it from: a whole cluster counts as one item
        return n / len(groups)
    between = sum((sum(group) - mean * len(group)) ** 2 for group in groups)
    return max(1.0, between * len(groups) / (len(groups) - 1) / (naive * n / (n - 1)))


def _tango_interval(wins: float, losses: float, n: float) -> Interval:
    low = _falling_root(lambda d: tango_score(wins, losses, n, d) - Z95, -1.0, 1.0)
    high = _falling_root(lambda d: tango_score(wins, losses, n, d) + Z95, -1.0, 1.0)
    return (low, high)


def _falling_root(f: Callable[[float], float], low: float, high: float) -> float:
    for _ in range(60):
        middle = (low + high) / 2
        if f(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _binomial_tail(k: int, n: int, p: float) -> float:
    """P(at least k of n), summed from the nearer side of the mean so that small tails stay exact."""
    if k <= 0 or p >= 1:
        return 1.0 if k <= n else 0.0
    if k > n or p <= 0:
        return 0.0
    if k <= n * p:
        return 1.0 - _binomial_tail(n - k + 1, n, 1 - p)
    term = total = _binomial(k, n, p)
    for i in range(k, n):
        term *= (n - i) / (i + 1) * p / (1 - p)
        total += term
        if term < total * 1e-16:
            break
    return total


def _binomial(k: int, n: int, p: float) -> float:
    if p <= 0 or p >= 1:
        return float(k == (n if p >= 1 else 0))
    log_ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(log_ways + k * math.log(p) + (n - k) * math.log1p(-p))


def _favourable(threshold: Sequence[int], n: int, losing: float, margin: float) -> float:
    """P(a table at least as favourable) when the true shares are `losing` and winning = losing - margin."""
    winning = max(0.0, losing - margin)
    spread = 9 * math.sqrt(n * losing * (1 - losing)) + 9  # beyond it: below 1e-15
    first, last = max(0, int(n * losing - spread)), min(n, int(n * losing + spread))
    return math.fsum(
        _binomial(lost, n, losing) * _binomial_tail(threshold[lost], n - lost, winning / (1 - losing))
        for lost in range(first, last + 1)
        if threshold[lost] <= n - lost
    )
