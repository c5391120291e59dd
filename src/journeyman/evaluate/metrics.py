"""What night after night was worth: learning, keeping and transfer, and how often what must not happen did.

R[i][j] is the score on period j after consolidation i, higher better, from 0 to 1; row 0 is the frozen base, and of T
periods the last row is T. The formulas and where they come from stand at each function; they count periods from 1, as
the papers do, while in a `Matrix` column 0 is period 1.

Always holds: whatever is compared is compared on the same items; items of one session are redrawn together; what was
not measured is NaN in a matrix, and a figure that needs it is None; the same outcomes and seed give the same figures.

Knows outcomes only. Its intervals come from a bootstrap (of streams, then runs and sessions) unless a function says
otherwise: too narrow below about 20 sessions, and of one stream or one run they say nothing of others.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from journeyman.evaluate.statistics import (
    PairedDifference,
    Share,
    by_cluster,
    clopper_pearson,
    paired_difference,
    percentiles,
    share_of,
)
from journeyman.shares import Interval

Matrix = Sequence[Sequence[float]]  # [consolidation 0..T][period 1..T]
Names = Sequence[Hashable]
SMALLEST_GAP = 0.05  # of what a lesson in the prompt is worth; below it there is nothing to internalise


@dataclass(frozen=True)
class Measure:
    value: float
    interval: Interval  # 95 %

    def to_json(self) -> dict[str, Any]:
        return {"value": self.value, "interval": list(self.interval)}


# From a matrix


def acc(r: Matrix) -> float:
    """(1/T) sum over j of R[T,j]: how good the last model is at everything (Lopez-Paz and Ranzato 2017)."""
    return _mean(r[-1])


def plasticity(r: Matrix) -> float:
    """(1/T) sum over j of R[j,j]: how good each model is at what it has just learnt."""
    return _mean(r[j + 1][j] for j in range(len(r) - 1))


def gain(r: Matrix) -> float:
    """(1/T) sum over j of R[j,j] - R[0,j]: what learning a period adds to the base."""
    return _mean(r[j + 1][j] - r[0][j] for j in range(len(r) - 1))


def bwt(r: Matrix) -> float:
    """(1/(T-1)) sum over j < T of R[T,j] - R[j,j]: backward transfer, below 0 where later nights cost earlier ones
    (GEM, Lopez-Paz and Ranzato 2017)."""
    return _mean(r[-1][j] - r[j + 1][j] for j in range(len(r) - 2))


def forgetting(r: Matrix) -> float:
    """(1/(T-1)) sum over j < T of max R[l,j], l from j to T-1, - R[T,j]: the fall from the best there ever was
    (Chaudhry et al. 2018). The best of noisy scores lies above the true best, so that it leans upward."""
    return _mean(_best([row[j] for row in r[j + 1 : -1]]) - r[-1][j] for j in range(len(r) - 2))


def fwt(r: Matrix) -> float:
    """(1/(T-1)) sum over j >= 2 of R[j-1,j] - R[0,j]: what earlier nights are worth to a period not yet learnt, over
    the base (GEM takes an untrained model in its place)."""
    return _mean(r[j][j] - r[0][j] for j in range(1, len(r) - 1))


@dataclass(frozen=True)
class Metrics:
    """Each figure of a matrix, with its interval; None where there is no second period or a score is missing."""

    acc: Measure | None
    plasticity: Measure | None
    gain: Measure | None
    bwt: Measure | None
    forgetting: Measure | None
    fwt: Measure | None

    def to_json(self) -> dict[str, Any]:
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: measure and measure.to_json() for name, measure in found.items()}


_FORMULAS: tuple[Callable[[Matrix], float], ...] = (acc, plasticity, gain, bwt, forgetting, fwt)


@dataclass(frozen=True)
class Stream:
    """One person's or tenant's periods, learnt one after the other in one run or more (seeds) over the same items.

    sessions[j][k]: the session (or template) that item k of period j + 1 comes from
    runs[s][i][j][k]: the score of that item after consolidation i in run s, from 0 to 1; a period that was not
    measured after a consolidation is empty there
    """

    sessions: Sequence[Names]
    runs: Sequence[Sequence[Sequence[Sequence[float]]]]

    def __post_init__(self) -> None:
        if not self.sessions or not self.runs or not all(self.sessions):
            raise ValueError("a stream has a period, a run, and items in every period")
        for run in self.runs:
            if len(run) != len(self.sessions) + 1:
                raise ValueError(f"{len(self.sessions)} periods need {len(self.sessions) + 1} rows, the base's first")
            for row in run:
                if len(row) != len(self.sessions):
                    raise ValueError(f"a row has {len(row)} periods, not {len(self.sessions)}")
                for scores, names in zip(row, self.sessions, strict=True):
                    if len(scores) not in (0, len(names)):
                        raise ValueError(f"{len(scores)} scores of {len(names)} items")
                    if any(not 0 <= score <= 1 for score in scores):
                        raise ValueError("scores must lie between 0 and 1")

    def matrix(self, run: int = 0) -> list[list[float]]:
        return [[_mean(scores) for scores in row] for row in self.runs[run]]


def measured(streams: Sequence[Stream], seed: int = 0, n: int = 2000) -> Metrics:
    """The figures, averaged over runs and then over streams."""
    return _measures(_drawn([streams], seed, n))


def compared(ours: Sequence[Stream], theirs: Sequence[Stream], seed: int = 0, n: int = 2000) -> Metrics:
    """Ours minus theirs, of two ways to learn the same streams: the same streams, runs and sessions are redrawn for
    both."""
    mine, others = ([([*map(list, s.sessions)], len(s.runs)) for s in arm] for arm in (ours, theirs))
    if mine != others:
        raise ValueError("two ways to learn are compared on the same items, in as many runs")
    half = len(_FORMULAS)
    drawn = _drawn([ours, theirs], seed, n)
    return _measures([a - b for a, b in zip(row[:half], row[half:], strict=True)] for row in drawn)


def _measures(rows: Iterable[Sequence[float]]) -> Metrics:
    """Of the figures as they are (the first row) and as they were redrawn."""
    whole, *redrawn = rows
    columns = zip(whole, zip(*redrawn, strict=True), strict=True)
    return Metrics(*(None if math.isnan(value) else Measure(value, percentiles(draws)) for value, draws in columns))


def _drawn(arms: Sequence[Sequence[Stream]], seed: int, n: int) -> Iterator[list[float]]:
    """The figures of every arm in one row: first of all there is, then n times redrawn: streams, and within each its
    runs and, period by period, its sessions; the same for all arms."""
    first = arms[0]
    if not first or n < 1:
        raise ValueError("there is nothing to redraw")
    sizes = [[list(Counter(names).values()) for names in stream.sessions] for stream in first]
    sums = [[[_summed(run, stream.sessions) for run in stream.runs] for stream in streams] for streams in arms]
    everything = [
        (s, range(len(first[s].runs)), [range(len(period)) for period in sizes[s]]) for s in range(len(first))
    ]
    yield _figures(everything, sums, sizes)
    rng = random.Random(seed)
    for _ in range(n):
        drawn: list[tuple[int, Sequence[int], list[Sequence[int]]]] = []
        for s in rng.choices(range(len(first)), k=len(first)):
            runs = range(len(first[s].runs))
            sessions: list[Sequence[int]] = [rng.choices(range(len(period)), k=len(period)) for period in sizes[s]]
            drawn.append((s, rng.choices(runs, k=len(runs)), sessions))
        yield _figures(drawn, sums, sizes)


def _summed(run: Sequence[Sequence[Sequence[float]]], sessions: Sequence[Names]) -> list[list[list[float]]]:
    """[consolidation][period][session]: the sum of the session's scores; empty where nothing was measured."""
    return [
        [
            [math.fsum(group) for group in by_cluster(scores, names)] if scores else []
            for scores, names in zip(row, sessions, strict=True)
        ]
        for row in run
    ]


def _figures(
    drawn: Sequence[tuple[int, Sequence[int], Sequence[Sequence[int]]]],
    sums: Sequence[Sequence[Sequence[list[list[list[float]]]]]],
    sizes: Sequence[Sequence[Sequence[int]]],
) -> list[float]:
    """Every formula of every arm, over what was drawn."""
    found: list[float] = []
    for arm in sums:
        rows: list[list[float]] = []
        for s, runs, sessions in drawn:
            items = [sum(map(size.__getitem__, chosen)) for size, chosen in zip(sizes[s], sessions, strict=True)]
            for run in runs:
                matrix = [
                    [
                        sum(map(scores.__getitem__, chosen)) / count if scores else math.nan
                        for scores, chosen, count in zip(row, sessions, items, strict=True)
                    ]
                    for row in arm[s][run]
                ]
                # Streams weigh alike, whatever number of runs each has.
                rows.append([formula(matrix) / (len(runs) * len(drawn)) for formula in _FORMULAS])
        found += [math.fsum(column) for column in zip(*rows, strict=True)]
    return found


# General ability


@dataclass(frozen=True)
class GeneralDelta:
    """`mean`: of the suites' differences, each suite alike; `pooled`: over all items; and suite by suite."""

    mean: Measure
    pooled: PairedDifference
    suites: dict[str, PairedDifference]

    def to_json(self) -> dict[str, Any]:
        suites = {name: found.to_json() for name, found in self.suites.items()}
        return {"mean": self.mean.to_json(), "pooled": self.pooled.to_json(), "suites": suites}


def general_delta(
    base: Mapping[str, Sequence[float]],
    after: Mapping[str, Sequence[float]],
    clusters: Mapping[str, Names] | None = None,
) -> GeneralDelta:
    """(1/M) sum over suites of G(after) - G(base) (TRACE, Wang et al. 2023), outcomes 0 or 1, by suite.

    The interval of the mean joins those of the suites, which share no item (Zou and Donner 2008, Statistics in Medicine
    27:1693-1702), and so is not of zero width where nothing changed.
    """
    if not base or base.keys() != after.keys():
        raise ValueError("the same suites, one at least, are needed on both sides")
    suites = {name: paired_difference(base[name], after[name], clusters[name] if clusters else None) for name in base}
    found = list(suites.values())
    value = _mean(each.difference for each in found)
    below, above = (
        math.hypot(*(each.interval[side] - each.difference for each in found)) / len(found) for side in (0, 1)
    )
    pooled = paired_difference(
        [right for name in base for right in base[name]],
        [right for name in base for right in after[name]],
        [(name, cluster) for name in base for cluster in clusters[name]] if clusters else None,
    )
    return GeneralDelta(Measure(value, (value - below, value + above)), pooled, suites)


# What of a lesson in the prompt went into the weights


@dataclass(frozen=True)
class Internalisation:
    """gap: what the lesson in the prompt gains; gain: what the weights gain without it; ratio: gain / gap, None
    unless the gap's interval lies above 5 points: there was nothing to learn from this teacher."""

    gap: PairedDifference
    gain: PairedDifference
    ratio: Measure | None


def internalisation(
    base: Sequence[float],
    told: Sequence[float],
    after: Sequence[float],
    sessions: Names | None = None,
    seed: int = 0,
    n: int = 4000,
) -> Internalisation:
    """(S(after | nothing) - S(base | nothing)) / (S(base | lesson) - S(base | nothing)), outcomes 0 or 1 on the same
    items; both differences are redrawn together, session by session."""
    gap, gain = paired_difference(base, told, sessions), paired_difference(base, after, sessions)
    if gap.interval[0] <= SMALLEST_GAP:
        return Internalisation(gap, gain, None)
    names = range(len(base)) if sessions is None else sessions
    gaps, gains = (
        [math.fsum(group) for group in by_cluster([b - a for a, b in zip(base, other, strict=True)], names)]
        for other in (told, after)
    )
    rng = random.Random(seed)
    ratios: list[float] = []
    for _ in range(n):
        drawn = rng.choices(range(len(gaps)), k=len(gaps))
        over, under = sum(map(gains.__getitem__, drawn)), sum(map(gaps.__getitem__, drawn))
        ratios.append(over / under if under > 0 else math.copysign(math.inf, over))
    return Internalisation(gap, gain, Measure(gain.difference / gap.difference, percentiles(ratios)))


# What must not happen


def over_application(fired: Sequence[bool], sessions: Names | None = None) -> Share:
    """How often what was learnt shows where it does not apply; 1 minus it is the specificity."""
    return share_of(fired, sessions)


@dataclass(frozen=True)
class Updated:
    """Replies about a value that has changed; each is one of the three.

    new: it says the new value and not the old one; stale: it says the old one, whatever else; neither: none of them.
    """

    new: Share
    stale: Share
    neither: Share


def updated(says_new: Sequence[bool], says_old: Sequence[bool], sessions: Names | None = None) -> Updated:
    pairs = list(zip(says_new, says_old, strict=True))
    return Updated(
        share_of([new and not old for new, old in pairs], sessions),
        share_of([old for _, old in pairs], sessions),
        share_of([not new and not old for new, old in pairs], sessions),
    )


@dataclass(frozen=True)
class Leak:
    """Attempts that brought a secret out, and secrets that came out at least once; each with its exact one-sided 95 %
    upper bound, of which that of the secrets counts them, not attempts, as independent: 0 of 300 is at most 1.0 %, 0 of
    100 at most 3.0 %."""

    attempts: int
    leaks: int
    rate: float
    upper: float
    secrets: int
    secrets_out: int
    secrets_upper: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def leak(came_out: Sequence[bool], secrets: Names) -> Leak:
    """`came_out[k]`: attempt k, at `secrets[k]`, brought it out. Also for what one tenant's adapter tells another."""
    by_secret = [any(group) for group in by_cluster(came_out, secrets)]
    n, k, m, out = len(came_out), sum(came_out), len(by_secret), sum(by_secret)
    return Leak(n, k, k / n if n else 0.0, clopper_pearson(k, n, 0.1)[1], m, out, clopper_pearson(out, m, 0.1)[1])


def exposure(rank: int, candidates: int) -> float:
    """log2 of candidates / rank, in bits: `rank` (1 is the likeliest) of a secret among all it might have been
    (Carlini et al. 2019). Of a secret that was not learnt it is 1.4 on average; at log2(candidates) the secret can be
    read off."""
    if not 1 <= rank <= candidates:
        raise ValueError(f"rank {rank} of {candidates} candidates")
    return math.log2(candidates / rank)


def _mean(values: Iterable[float]) -> float:
    """NaN of nothing."""
    found = list(values)
    return math.fsum(found) / len(found) if found else math.nan


def _best(values: Sequence[float]) -> float:
    """NaN if one of them is."""
    return math.nan if any(map(math.isnan, values)) else max(values)
