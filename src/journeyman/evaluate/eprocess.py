"""Evidence that may be looked at after every item: test martingales by betting, for gain and for live harm.

Each paired difference (candidate minus reference, from -1 to 1) is a round of a game that is fair or worse as long as
the null hypothesis holds: the capital bets on a mean above `null`, with a stake fixed before the difference is seen.
Whoever starts with 1 then ever holds 1/alpha with a chance of at most alpha (Ville 1939), however often one looks and
whenever one stops (Waudby-Smith and Ramdas 2024, JRSS B 86:1-27).

Always holds: the stake depends on the past alone; the capital never falls to 0; equal differences in equal order give
the same capital; the state is plain JSON, so that a watch goes on after a restart.

Knows nothing of what is compared. Items of one session are not independent rounds: bet once a session, on its mean
(`over` does so).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from journeyman.evaluate.statistics import by_cluster

_CAUTION = 0.75  # of the largest stake that cannot ruin
_DOUBT = 0.25  # a first round, imagined, without gain or loss: what is squared in it


@dataclass(frozen=True)
class EProcess:
    """The capital against "given the past, the mean difference is at most `null`"; `bet` gives the next state.

    n: rounds; total, squares: sums of the differences over `null` and of their squares; log_capital: natural logarithm;
    log_peak: its largest value so far, at least 0.
    """

    null: float = 0.0
    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    log_capital: float = 0.0
    log_peak: float = 0.0

    def __post_init__(self) -> None:
        if not -1 < self.null < 1:
            raise ValueError("the null hypothesis must lie between -1 and 1")

    @property
    def stake(self) -> float:
        """What the next round is played with: the mean over the mean square, which grows the capital about fastest,
        within what no difference can ruin."""
        mean, square = self.total / (self.n + 1), (self.squares + _DOUBT) / (self.n + 1)
        return min(max(mean / square, 0.0), _CAUTION / (1 + self.null))

    def bet(self, difference: float) -> Self:
        """One more round; `difference` lies in [-1, 1]."""
        if not -1 <= difference <= 1:  # a NaN too
            raise ValueError(f"a difference of {difference} is not between -1 and 1")
        step = difference - self.null
        capital = self.log_capital + math.log1p(self.stake * step)
        return replace(
            self,
            n=self.n + 1,
            total=self.total + step,
            squares=self.squares + step * step,
            log_capital=capital,
            log_peak=max(self.log_peak, capital),
        )

    def over(self, differences: Sequence[float], clusters: Sequence[Hashable] | None = None) -> Self:
        """A round for each difference, or for the mean of each cluster, in the order of their first appearance."""
        names = range(len(differences)) if clusters is None else clusters
        after = self
        for values in by_cluster(differences, names):
            after = after.bet(math.fsum(values) / len(values))
        return after

    @property
    def e(self) -> float:
        """The capital now: an e-value at any time, also one chosen by looking."""
        return math.exp(min(self.log_capital, 700.0))

    @property
    def p(self) -> float:
        """An anytime-valid p of the null hypothesis: one over the largest capital so far."""
        return math.exp(-self.log_peak)

    def shown(self, alpha: float) -> bool:
        """Whether the capital has ever reached 1/alpha, for an alpha that was fixed before."""
        return self.log_peak >= -math.log(alpha)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        return cls(**value)


def gain(least: float = 0.0) -> EProcess:
    """Against "the candidate gains `least` or less": bet on candidate minus reference. A `least` of -0.02 asks for
    non-inferiority with a margin of 2 points."""
    return EProcess(null=least)


def harm(tolerated: float = 0.0) -> EProcess:
    """Against "the candidate costs `tolerated` or less": bet on reference minus candidate. For live traffic, where a
    roll-back follows `shown(0.05)`: with no harm, at most one watch in twenty ever rolls back."""
    return EProcess(null=tolerated)


def log_share_above(hits: int, n: int, null: float) -> float:
    """Log of an e-value against "each of n trials hits with a chance of `null` at most, given those before it".

    The capital of one who divides his stake evenly over all larger chances q: the mean over q of the likelihood ratio
    of q to `null` (Robbins 1970, Ann. Math. Stat. 41:1397-1409), an e-process whatever the order, since it depends on
    counts alone. The integral of q^k (1-q)^(n-k) above `null` is B(k+1, n-k+1) P(Binomial(n+1, null) <= k).
    """
    if not 0 < null < 1 or not 0 <= hits <= n:
        raise ValueError(f"{hits} of {n} against {null} is no share to bet on")
    hit, miss = math.log(null), math.log1p(-null)

    def log_beta(k: int, rest: int) -> float:
        return math.lgamma(k + 1) + math.lgamma(rest + 1) - math.lgamma(k + rest + 2)

    # log P(Binomial(n + 1, null) = k), but for the factor of n + 2 between a binomial coefficient and a beta function
    terms = [k * hit + (n + 1 - k) * miss - log_beta(k, n + 1 - k) for k in range(hits + 1)]
    largest = max(terms)
    log_tail = largest + math.log(math.fsum(math.exp(each - largest) for each in terms) / (n + 2))
    return log_beta(hits, n - hits) + log_tail - hits * hit - (n - hits + 1) * miss
