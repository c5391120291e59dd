"""What the rows say: one line an arm, and the picture of what was learnt against what was forgotten.

Always holds: gains and losses are paired, item by item, with the base's; an arm that was stopped early counts with what
it had learnt until then.

Knows rows as `__main__` writes them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from journeyman.evaluate.statistics import cluster_sign_flip, crossed_bootstrap, paired_difference

Row = dict[str, Any]
Interval = tuple[float, float]
SMALLEST_GAP = 0.05  # of what a lesson in the prompt is worth; below it there is nothing to internalise


@dataclass(frozen=True)
class Line:
    """One arm on one kind of work: means over its seeds, shares from 0 to 1.

    internalised: gain over what the lesson in the prompt gains (None: that is not shown to be more than 5 points);
    kept: difference on the five suites; kl: to the base on the probes' prompts, nats a token; at_tokens: accuracy when
    every arm has used as many tokens; tuned: accuracy of its best trial, on the selection shard.
    """

    work: str
    arm: str
    seeds: int
    before: float
    after: tuple[float, ...]
    gain: float
    interval: Interval
    internalised: float | None
    kept: float | None
    kept_interval: Interval | None
    fires: float
    kl: float | None
    tokens: float
    seconds: float
    steps: int
    rate: float | None
    at_tokens: float | None
    tuned: float | None
    zero_variance: float | None


def read(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def lines(rows: Iterable[Row]) -> list[Line]:
    """In the order in which the arms were run."""
    rows = list(rows)
    reported = [row for row in rows if row["stage"] == "report"]
    base = {(row["work"], row["seed"]): row for row in reported if row["arm"] == "base"}
    names = dict.fromkeys((row["work"], row["arm"]) for row in reported if row["arm"] != "base")
    result: list[Line] = []
    for work, arm in names:
        runs = [row for row in reported if (row["work"], row["arm"]) == (work, arm)]
        bases = [base[work, row["seed"]] for row in runs]
        in_context = next((row for row in reported if (row["work"], row["arm"]) == (work, "in context")), None)
        trials = [row for row in rows if (row["stage"], row["work"], row["arm"]) == ("tune", work, arm)]
        result.append(_line(work, arm, runs, bases, in_context, trials))
    return result


def _line(
    work: str, arm: str, runs: Sequence[Row], bases: Sequence[Row], in_context: Row | None, trials: Sequence[Row]
) -> Line:
    about = bases[0]["about"]
    steps = [_steps(b["right"], r["right"]) for b, r in zip(bases, runs, strict=True)]
    gain = _mean([_mean(each) for each in steps])
    gap = _steps(bases[0]["right"], in_context["right"]) if in_context else []
    shown = bool(gap) and crossed_bootstrap([gap], about, seed=0)[0] > SMALLEST_GAP
    kept = None
    if all("suites" in row for row in runs):
        kept = paired_difference(_bits(_suites(bases)), _bits(_suites(runs)))
    spent = [row["spent"] for row in runs if "spent" in row]
    return Line(
        work,
        arm,
        len(runs),
        _share(bases[0]["right"]),
        tuple(_share(row["right"]) for row in runs),
        gain,
        crossed_bootstrap(steps, about, seed=0),
        gain / _mean(gap) if shown and arm != "in context" else None,
        kept.difference if kept else None,
        kept.interval if kept else None,
        _mean([_share(row["fires"]) for row in runs]),
        _mean([row["kl_new"] for row in runs]) if all("kl_new" in row for row in runs) else None,
        _mean([each["tokens"] for each in spent]),
        _mean([each["cpu_seconds"] for each in spent]),
        round(_mean([row.get("steps", 0) for row in runs])),
        runs[0].get("learning_rate"),
        _mean([_share(row.get("at_tokens", row["right"])) for row in runs]) if spent else None,
        max((_share(row["right"]) for row in trials), default=None),
        _mean([row["zero_variance"] for row in runs]) if all("zero_variance" in row for row in runs) else None,
    )


def contests(rows: Iterable[Row], arm: str, rivals: Sequence[str]) -> list[tuple[str, str, int, float, float]]:
    """(work, rival, seeds, mean difference, p of "no better than the rival") over the seeds that both have."""
    reported = [row for row in rows if row["stage"] == "report"]
    result: list[tuple[str, str, int, float, float]] = []
    for work in dict.fromkeys(row["work"] for row in reported):
        shares = {(row["arm"], row["seed"]): _share(row["right"]) for row in reported if row["work"] == work}
        for rival in rivals:
            seeds = sorted(seed for name, seed in shares if name == arm and (rival, seed) in shares)
            if seeds:
                differences = [shares[arm, seed] - shares[rival, seed] for seed in seeds]
                p = cluster_sign_flip(differences, seeds, seed=0)
                result.append((work, rival, len(seeds), _mean(differences), p))
    return result


def table(found: Sequence[Line], work: str) -> str:
    """The arms of one kind of work, what gained most first."""
    head = (
        "| way | seeds | right | gain (95 % interval) | of the lesson's worth | five suites | fires outside "
        "| at equal tokens | in tuning | tokens | steps |"
    )
    rows = [head, "| --- " * 11 + "|"]
    for line in sorted((line for line in found if line.work == work), key=lambda line: -line.gain):
        trained = line.at_tokens is not None
        rows.append(
            f"| {line.arm} | {line.seeds} | {100 * _mean(line.after):.0f} % "
            f"| {_points(line.gain)} ({_points(line.interval[0])} to {_points(line.interval[1])}) "
            f"| {'–' if line.internalised is None else f'{line.internalised:.2f}'} | {_kept(line)} "
            f"| {100 * line.fires:.0f} % "
            f"| {f'{100 * line.at_tokens:.0f} %' if line.at_tokens is not None else '–'} "
            f"| {f'{100 * line.tuned:.0f} %' if line.tuned is not None else '–'} "
            f"| {f'{line.tokens:,.0f}' if trained else '–'} | {line.steps if trained else '–'} |"
        )
    return "\n".join(rows)


def forks(rows: Iterable[Row], sure: float) -> dict[str, tuple[int, int]]:
    """Of each kind of work: in how many cases the veteran is sure of the proven reply at the fork, and of how many."""
    found: dict[str, tuple[int, int]] = {}
    for row in rows:
        if row["stage"] == "forks":
            there = [value for value in row["veteran"] if value is not None]
            found[row["work"]] = sum(value >= sure for value in there), len(there)
    return found


def _kept(line: Line) -> str:
    if line.kept is None or line.kept_interval is None:
        return "–"
    low, high = line.kept_interval
    return f"{_points(line.kept)} ({_points(low)} to {_points(high)})"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


# The picture

_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 290, 240, 46, 30, 36
_COLOURS = (
    "#0b6e4f",
    "#c2571a",
    "#3b5ba5",
    "#8c4a9e",
    "#6b6b6b",
    "#a67c00",
    "#b3314b",
    "#2a8fa8",
    "#4d7c0f",
    "#000000",
    "#5aa469",
)


def plot(found: Sequence[Line]) -> str:
    """Gain against what was kept, a panel a kind of work, as SVG; up and to the right is better."""
    works = list(dict.fromkeys(line.work for line in found))
    arms = list(dict.fromkeys(line.arm for line in found if line.kept is not None))
    shown = [line for line in found if line.kept is not None]
    if not shown:
        return ""
    low_x = min(0.0, *(100 * (line.kept or 0.0) for line in shown)) - 2
    high_x = max(0.0, *(100 * (line.kept or 0.0) for line in shown)) + 2
    low_y = min(0.0, *(100 * line.gain for line in shown)) - 3
    high_y = max(10.0, *(100 * line.gain for line in shown)) + 5
    legend = 20 * -(-len(arms) // 4) + 16
    width = _LEFT + len(works) * (_WIDTH + _GAP)
    height = _TOP + _HEIGHT + 44 + legend
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="11"><rect width="{width}" height="{height}" fill="#fff"/>'
    ]
    for panel, work in enumerate(works):
        left = _LEFT + panel * (_WIDTH + _GAP)

        def x(value: float, left: int = left) -> float:
            return left + _WIDTH * (value - low_x) / (high_x - low_x)

        def y(value: float) -> float:
            return _TOP + _HEIGHT * (high_y - value) / (high_y - low_y)

        parts.append(f'<text x="{left}" y="{_TOP - 10}" font-weight="bold">{escape(work)}</text>')
        parts.append(
            f'<rect x="{left}" y="{_TOP}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#999"/>'
            f'<path d="M{x(0):.1f} {_TOP}V{_TOP + _HEIGHT}M{left} {y(0):.1f}H{left + _WIDTH}" stroke="#ccc"/>'
        )
        parts += [
            f'<text x="{x(tick):.1f}" y="{_TOP + _HEIGHT + 14}" text-anchor="middle">{tick:+d}</text>'
            for tick in range(-100, 101, 5)
            if low_x <= tick <= high_x
        ]
        if not panel:
            parts += [
                f'<text x="{left - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:+d}</text>'
                for tick in range(-100, 101, 20)
                if low_y <= tick <= high_y
            ]
        for line in shown:
            if line.work == work:
                colour = _COLOURS[arms.index(line.arm) % len(_COLOURS)]
                place = f'cx="{x(100 * (line.kept or 0.0)):.1f}" cy="{y(100 * line.gain):.1f}" r="5"'
                name = f"<title>{escape(line.arm)}</title>"
                parts.append(f'<circle {place} fill="{colour}" fill-opacity="0.85">{name}</circle>')
    parts.append(
        f'<text x="{_LEFT}" y="{_TOP + _HEIGHT + 32}">across: points on five suites of general ability; '
        "up: points gained on the work</text>"
    )
    for number, arm in enumerate(arms):
        across, down = _LEFT + (number % 4) * 230, _TOP + _HEIGHT + 52 + 20 * (number // 4)
        parts.append(
            f'<circle cx="{across + 5}" cy="{down - 4}" r="5" fill="{_COLOURS[number % len(_COLOURS)]}"/>'
            f'<text x="{across + 14}" y="{down}">{escape(arm)}</text>'
        )
    return "".join([*parts, "</svg>\n"])


def _steps(before: str, after: str) -> list[float]:
    return [float(a) - float(b) for b, a in zip(before, after, strict=True)]


def _suites(rows: Iterable[Row]) -> str:
    return "".join(row["suites"][name] for row in rows for name in sorted(row["suites"]))


def _bits(text: str) -> list[float]:
    return [float(bit) for bit in text]


def _share(bits: str) -> float:
    return bits.count("1") / max(1, len(bits))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))
