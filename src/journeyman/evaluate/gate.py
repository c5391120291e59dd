"""The gate: from evidence to PROMOTE, REJECT or INSUFFICIENT, with the reasons in words.

Criteria: health, gain, retention, earlier lessons, confident nonsense, drift. Each must pass on its own (an
intersection-union test, so that none needs a correction for the others). A harm that is shown is a REJECT; else
anything that too few items leave open is INSUFFICIENT (bring more items); else a gain that is not shown is a
REJECT.

Always holds: the same evidence and attempts give the same verdict; every criterion gives at least one reason,
passed or failed; what was not measured is never taken as passed; what must not be lost is compared with the
frozen base, or with the best there ever was, never with the last champion, and the more strictly the more was
promoted on the same items, so that small losses show when they have added up (bench/gate.py says how soon).

Knows nothing of models or files, and cannot see what the evidence left out: items that the training has seen,
or one set of held-out items that was looked at more often than `attempts` says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from journeyman.evaluate.general import Drift
from journeyman.evaluate.statistics import PairedDifference, exact_mcnemar, noninferiority_counts

VerdictName = Literal["PROMOTE", "REJECT", "INSUFFICIENT"]
_Mark = Literal["passed", "harm", "open", "no gain"]


@dataclass(frozen=True)
class Limits:
    """What the gate asks for; shares, so that 0.05 is 5 points."""

    alpha: float = 0.025  # of the gain, one-sided, over all attempts together: see `Attempts`
    gain: float = 0.03
    gain_items: int = 12
    gain_discordant: int = 6
    margin: float = 0.05  # of retention and of probes
    harm_alpha: float = 0.05  # of retention, for the first promotion
    general_items: int = 150  # with 6 % of answers changed, a harmless adapter passes 4 times in 5; also of earlier
    drift_nats: float = 0.5


@dataclass(frozen=True)
class Attempts:
    """Which attempt this is, for the chance of being wrong that is still to be spent.

    here      on these held-out items: 1 is the first
    nights    of the tenant, over this base, on whatever items: 1 is the first
    promoted  how many of the earlier ones were promoted
    """

    here: int = 1
    nights: int = 1
    promoted: int = 0

    def __post_init__(self) -> None:
        if self.here < 1 or self.nights < 1:
            raise ValueError("the first attempt is number 1")
        if not 0 <= self.promoted < self.nights:
            raise ValueError(f"{self.promoted} of {self.nights - 1} earlier attempts cannot have been promoted")

    def share_of_gain(self) -> float:
        """What this attempt may spend of alpha: the smaller of two shares, each by 6 / (pi k)^2, whose sum over all k
        is 1.

        Over the attempts on one set of items: the chance that any of them is promoted without a gain stays within
        alpha. Over a tenant's nights, each on new items, and there times 1 + the promotions so far: of all promotions,
        the expected share that have no gain stays within alpha (LOND, Javanmard and Montanari 2018, Annals of
        Statistics 46:526-554), and so does the chance of ever promoting one where no night has a gain. So a promotion
        earns back some of what the nights before it have spent.
        """
        return min(1 / self.here**2, (1 + self.promoted) / self.nights**2) * 6 / math.pi**2

    def share_of_loss(self) -> float:
        """What this attempt may take of the level of retention: less with each promotion, whose luck on these items
        stays in service and stands for the next one too, while a candidate that was not promoted leaves nothing. The
        first has the whole, all together have at most pi^2 / 6 of it."""
        return 1 / (1 + self.promoted) ** 2


@dataclass(frozen=True)
class Evidence:
    """Candidate ("after") against the champion or the base ("before").

    gain            held-out situations against the champion (the base, if there is none), clustered by lesson
    gain_over_base  the same against the base; None when the base is the champion
    general         the general suite against the base
    probes          confident nonsense against the base: 1 is a reply that claims to know, so a win is harm
    drift           against the base
    earlier         held-out situations of earlier nights, each against the best that a champion ever answered it;
                    None where there is no earlier night
    health          named facts that must be true: it loads, its weights are finite, it keeps the asked format
    """

    gain: PairedDifference
    general: PairedDifference
    probes: PairedDifference
    drift: Drift
    gain_over_base: PairedDifference | None = None
    earlier: PairedDifference | None = None
    health: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    verdict: VerdictName
    reasons: list[str]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


FIRST = Attempts()


def judge(evidence: Evidence, attempts: Attempts = FIRST, limits: Limits | None = None) -> Verdict:
    """The verdict over a candidate, the harder to promote the more were tried before it."""
    limits = limits or Limits()
    alpha = limits.alpha * attempts.share_of_gain()
    found = [
        _health(evidence.health),
        _gain(evidence.gain, "the champion" if evidence.gain_over_base else "the base", alpha, limits),
        *([_gain(evidence.gain_over_base, "the base", alpha, limits)] if evidence.gain_over_base else []),
        _kept(evidence.general, "Retention", "general items", "the base", attempts, limits),
        *([_kept(evidence.earlier, *_EARLIER, attempts, limits)] if evidence.earlier else []),
        _probes(evidence.probes, limits),
        _drift(evidence.drift, limits),
    ]
    marks = {mark for mark, _ in found}
    verdict: VerdictName = "PROMOTE"
    if "harm" in marks:
        verdict = "REJECT"
    elif "open" in marks:
        verdict = "INSUFFICIENT"
    elif "no gain" in marks:
        verdict = "REJECT"
    return Verdict(verdict, [reason for _, reason in found])


def _health(health: Mapping[str, bool]) -> tuple[_Mark, str]:
    broken = [name for name, fine in health.items() if not fine]
    if broken:
        return "harm", f"Health failed: {', '.join(broken)}."
    if not health:
        return "open", "Health is open: nothing was checked."
    return "passed", f"Health passed: {', '.join(health)}."


def _gain(gain: PairedDifference, rival: str, alpha: float, limits: Limits) -> tuple[_Mark, str]:
    wins, losses = gain.cluster_wins, gain.cluster_losses
    p = exact_mcnemar(wins, losses)
    seen = (
        f"on {gain.n} held-out situations the candidate answers {_percent(gain.after)} right and {rival} "
        f"{_percent(gain.before)} ({_points(gain.difference)}, 95 % interval {_interval(gain)}); "
        f"{_lessons(wins)} better and {losses} worse, exact p {_p(p)} against {_p(alpha)}"
    )
    if exact_mcnemar(losses, wins) <= limits.alpha:
        return "harm", f"Gain failed: {seen}. The candidate is worse."
    # Below this not even wins throughout could reach alpha.
    needed = max(limits.gain_discordant, math.ceil(-math.log2(alpha)))
    if gain.n < limits.gain_items:
        return "open", f"Gain is open: {seen}. At least {limits.gain_items} situations are needed."
    if wins + losses < needed:
        return "open", f"Gain is open: {seen}. At least {needed} lessons must differ to tell."
    if p > alpha:
        return "no gain", f"Gain failed: {seen}. That may be chance."
    if gain.difference < limits.gain - 1e-9:
        return "no gain", f"Gain failed: {seen}. It must be at least {_points(limits.gain)}."
    return "passed", f"Gain passed: {seen}."


_EARLIER = ("Earlier lessons", "held-out situations of earlier nights", "the best champion on each")


def _kept(
    kept: PairedDifference, name: str, what: str, anchor: str, attempts: Attempts, limits: Limits
) -> tuple[_Mark, str]:
    if not kept.n:
        return "open", f"{name} is open: of {what} none was asked."
    alpha = limits.harm_alpha * attempts.share_of_loss()
    doubt = min(0.001, 10.0 ** math.floor(math.log10(alpha / 30)))  # p is never below it; in tens: few to compute
    p = noninferiority_counts(kept.wins, kept.losses, kept.n, limits.margin, doubt)
    seen = (
        f"on {kept.n} {what} the candidate has {_percent(kept.after)} right and {anchor} "
        f"{_percent(kept.before)} ({_points(kept.difference)}, 95 % interval {_interval(kept)}); "
        f"p of a loss of {_points(limits.margin, sign=False)} or more: {_p(p)}"
    )
    if -kept.difference > limits.margin + 1e-9:
        return "harm", f"{name} failed: {seen}. The loss is beyond the margin."
    if p <= alpha:
        return "passed", f"{name} passed: {seen}."
    if p <= limits.harm_alpha:
        return "open", (
            f"{name} is open: {seen}. After promotions on the same items, so far {attempts.promoted}, it must be "
            f"at most {_p(alpha)}; more items are needed to tell."
        )
    if kept.n < limits.general_items:
        return "open", f"{name} is open: {seen}. About {limits.general_items} items are needed to tell."
    return "harm", f"{name} failed: {seen}. It must be at most {_p(limits.harm_alpha)}."


def _probes(probes: PairedDifference, limits: Limits) -> tuple[_Mark, str]:
    if not probes.n:
        return "open", "Confident nonsense is open: no probe was asked."
    p = exact_mcnemar(probes.wins, probes.losses)
    seen = (
        f"of {probes.n} questions nobody ever answered, the candidate claims to know "
        f"{_percent(probes.after)} and the base {_percent(probes.before)} "
        f"({_points(probes.difference)}, exact p of a rise {_p(p)})"
    )
    if p <= limits.harm_alpha:
        return "harm", f"Confident nonsense failed: {seen}. It has become more frequent."
    if probes.difference > limits.margin + 1e-9:
        return "open", (
            f"Confident nonsense is open: {seen}. The rise is beyond {_points(limits.margin, sign=False)}, "
            "and too few probes changed to tell it from chance."
        )
    return "passed", f"Confident nonsense passed: {seen}."


def _drift(drift: Drift, limits: Limits) -> tuple[_Mark, str]:
    seen = (
        f"on everyday prompts the candidate is {drift.kl_mean_nats:.3f} nats a token away from the base, of "
        f"{limits.drift_nats:g} allowed, and {_percent(drift.agreement)} of its replies begin as before"
    )
    if drift.kl_mean_nats <= limits.drift_nats:  # a NaN fails
        return "passed", f"Drift passed: {seen}."
    return "harm", f"Drift failed: {seen}."


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(difference: float, sign: bool = True) -> str:
    return f"{100 * difference:{'+' if sign else ''}.1f} points"


def _interval(paired: PairedDifference) -> str:
    low, high = paired.interval
    return f"{100 * low:+.1f} to {100 * high:+.1f}"


def _lessons(n: int) -> str:
    return "1 lesson is" if n == 1 else f"{n} lessons are"


def _p(p: float) -> str:
    return f"{p:.4f}" if p >= 0.0001 else "below 0.0001"
