"""What the rows of a month say: tables, and R as a picture.

R[i][j] is the share of night j's held-out questions that is answered after night i (or, finer, how likely the proven
answers are); row 0 is the base. Figures are
those of `evaluate.metrics`, a stream a person; their intervals redraw people, runs and lessons.

Always holds: of a month that was cut short the nights count that every arm of every person has come to; what was
measured at the end alone has no figure that needs more, and is left out until the end is there.

Knows rows as `__main__` writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from rows import Row

from journeyman.evaluate.metrics import Measure, Metrics, Stream, compared, measured, updated
from journeyman.evaluate.statistics import Share, paired_difference, share_of

FIRST, RIVALS = "replay", ("replay, quarter", "no replay", "nightly SFT")
SIZE = ("nights", "facts", "steps", "rows")


@dataclass(frozen=True)
class Line:
    """One arm: its streams (none, where only the end was measured), and what it was like at the end."""

    arm: str
    people: int
    streams: tuple[Stream, ...]
    figures: Metrics | None
    graded: tuple[Stream, ...]  # of the probability of the proven answers' tokens, in the place of right or wrong
    likely: Metrics | None
    at_end: Share
    general: tuple[float, tuple[float, float]] | None  # difference from the base
    confident: Share | None
    changed: tuple[Share, Share] | None  # says the newer value alone, says the older one
    cpu_seconds: float  # of learning, a night


def months(rows: Sequence[Row]) -> list[tuple[dict[str, int], list[Row]]]:
    """The rows of each size of a month, the largest first."""
    sizes = sorted({tuple(row[name] for name in SIZE) for row in rows}, reverse=True)
    return [
        (dict(zip(SIZE, size, strict=True)), [row for row in rows if tuple(row[name] for name in SIZE) == size])
        for size in sizes
    ]


def by_people(rows: Sequence[Row]) -> list[tuple[tuple[str, ...], list[Row]]]:
    """The rows of arms that the same people have, most people first, so that what stands in one table is of the same
    people; with the base and the default beside them."""
    arms: dict[str, dict[str, None]] = {}
    for row in rows:
        arms.setdefault(row["arm"], {})[row["person"]] = None
    groups = dict.fromkeys(tuple(sorted(people)) for people in arms.values())
    found: list[tuple[tuple[str, ...], list[Row]]] = []
    for group in sorted(groups, key=len, reverse=True):
        wanted = {arm for arm, people in arms.items() if set(people) == set(group)}
        beside = {arm for arm in ("base", FIRST) if set(arms.get(arm, ())) >= set(group)}
        found.append((group, [row for row in rows if row["person"] in group and row["arm"] in wanted | beside]))
    return found


def reached(rows: Sequence[Row]) -> int:
    """The last night that every run of an arm which is measured night by night has come to."""
    runs: dict[tuple[Any, ...], set[int]] = {}
    for row in rows:
        runs.setdefault((row["person"], row["arm"], row["seed"]), set()).add(row["night"])
    whole = rows[0]["nights"]
    stepwise = [nights for nights in runs.values() if 1 in nights]
    return min((max(n for n in range(whole + 1) if nights >= set(range(1, n + 1))) for nights in stepwise), default=0)


def lines(rows: Sequence[Row]) -> list[Line]:
    """Those of one size, in the order in which the arms were run."""
    base = {row["person"]: row for row in rows if row["arm"] == "base"}
    found = [_line(arm, rows, base, reached(rows)) for arm in dict.fromkeys(row["arm"] for row in rows)]
    return [line for line in found if line]


def _line(arm: str, rows: Sequence[Row], base: dict[str, Row], nights: int) -> Line | None:
    mine = [row for row in rows if row["arm"] == arm and row["person"] in base and row["night"] <= nights]
    streams: list[Stream] = []
    graded: list[Stream] = []
    if arm == "base":
        ends = [base[person] for person in base]
    else:
        asked = {str(period) for period in range(1, nights + 1)}
        ends = [row for row in mine if row["night"] == nights and row["scores"].keys() >= asked]
        streams, graded = (
            [stream for person in base if (stream := _stream(person, mine, base[person], nights, kind))]
            for kind in ("scores", "likely")
        )
    if not ends:
        return None
    at_end = share_of(*_flat(ends, nights))
    general = confident = None
    if all("general" in row for row in ends):
        before = [right for row in ends for right in base[row["person"]]["general"]]
        difference = paired_difference(before, [right for row in ends for right in row["general"]])
        general = (difference.difference, difference.interval)
        confident = share_of([each for row in ends for each in row["confident"]])
    changed = None
    if all("changed" in row for row in ends):
        newer, older = ([bool(each) for row in ends for each in row["changed"][name]] for name in ("newer", "older"))
        says = updated(newer, older)
        changed = (says.new, says.stale)
    spent = [row["learning_cpu_seconds"] for row in mine]
    return Line(
        arm,
        len({row["person"] for row in ends}),
        tuple(streams),
        measured(streams) if streams else None,
        tuple(graded),
        measured(graded) if graded else None,
        at_end,
        general,
        confident,
        changed,
        sum(spent) / (len(spent) if len(spent) > len(ends) else nights * len(ends)),
    )


def _flat(ends: Sequence[Row], nights: int) -> tuple[list[int], list[Any]]:
    """The answers after the last night, and their lessons."""
    right: list[int] = []
    lessons: list[Any] = []
    for row in ends:
        for period in range(1, nights + 1):
            right += row["scores"][str(period)]
            lessons += [(row["person"], row["seed"], each) for each in row["lessons"][str(period)]]
    return right, lessons


def _stream(person: str, rows: Sequence[Row], base: Row, nights: int, kind: str) -> Stream | None:
    periods = [str(period) for period in range(1, nights + 1)]
    runs: list[list[list[list[float]]]] = []
    for seed in sorted({row["seed"] for row in rows if row["person"] == person}):
        by_night = {row["night"]: row for row in rows if (row["person"], row["seed"]) == (person, seed)}
        by_night = {night: row for night, row in by_night.items() if night <= nights}
        if set(by_night) != set(range(1, nights + 1)) or not all(row.get(kind) for row in by_night.values()):
            continue
        ordered = [base, *(by_night[night] for night in range(1, nights + 1))]
        runs.append([[row[kind].get(period, []) for period in periods] for row in ordered])
    return Stream([base["lessons"][period] for period in periods], runs) if runs else None


def table(found: Sequence[Line]) -> list[str]:
    head = (
        "arm", "people", "right at the end", "right the morning after (plasticity)", "BWT", "forgetting",
        "p of the answers at the end", "BWT of p", "general ability", "claims to know the unknown",
        "changed facts: newer, older", "CPU-s a night",
    )  # fmt: skip
    rows = [f"| {' | '.join(head)} |", "| --- " * len(head) + "|"]
    for line in found:
        figures = line.figures
        cells = [
            line.arm,
            str(line.people),
            _share(line.at_end),
            _measure(figures.plasticity if figures else None, sign=False),
            _measure(figures.bwt if figures else None),
            _measure(figures.forgetting if figures else None),
            _measure(line.likely.acc if line.likely else None, sign=False),
            _measure(line.likely.bwt if line.likely else None),
            _points(*line.general) if line.general else "–",
            _share(line.confident) if line.confident else "–",
            ", ".join(f"{share.k} of {share.n}" for share in line.changed or ()) or "–",
            f"{line.cpu_seconds:.0f}" if line.cpu_seconds >= 1 else "",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def contests(found: Sequence[Line]) -> list[str]:
    """The default against its rivals, over the same people, seeds and lessons."""
    known = {line.arm: line for line in found}
    said: list[str] = []
    for rival in RIVALS:
        if FIRST not in known or rival not in known or not known[rival].streams:
            continue
        ours, theirs = known[FIRST], known[rival]
        if [each.sessions for each in ours.streams] != [each.sessions for each in theirs.streams]:
            continue
        difference, finer = compared(ours.streams, theirs.streams), compared(ours.graded, theirs.graded)
        figures = (
            ("right at the end", difference.acc),
            ("the morning after", difference.plasticity),
            ("BWT", difference.bwt),
            ("p at the end", finer.acc),
            ("p the morning after", finer.plasticity),
            ("BWT of p", finer.bwt),
        )
        parts = [f"{name} {_measure(value)}" for name, value in figures]
        said.append(f"- {FIRST} against {rival}, in points: {'; '.join(parts)}")
    return said


_CELL, _LABEL, _TITLE, _GAP, _ACROSS = 34, 46, 46, 34, 3


def plot(found: Sequence[Line]) -> str:
    """R of every arm that was measured after each night, the mean over people and runs, as SVG: twice, by replies and
    by how likely the proven answers are."""
    shown = [(f"{line.arm}: replies that are right, %", line.streams) for line in found if line.streams]
    shown += [(f"{line.arm}: p of the proven answers, %", line.graded) for line in found if line.graded]
    if not shown:
        return ""
    nights = len(shown[0][1][0].sessions)
    width_of = max(_LABEL + nights * _CELL + _GAP, 300)  # a title's width
    height_of = _TITLE + (nights + 1) * _CELL + _GAP
    arms = sum(": replies" in title for title, _ in shown)
    across = min(_ACROSS, arms)
    width, height = across * width_of, -(-len(shown) // across) * height_of
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="11"><rect width="{width}" height="{height}" fill="#fff"/>'
    ]
    for number, (title, streams) in enumerate(shown):
        left, top = number % across * width_of + _LABEL, number // across * height_of + _TITLE
        parts += _matrix(title, streams, left, top, nights)
    return "".join([*parts, "</svg>\n"])


def _matrix(title: str, streams: Sequence[Stream], left: int, top: int, nights: int) -> list[str]:
    parts = [
        f'<text x="{left}" y="{top - 26}" font-weight="bold">{escape(title)}</text>',
        f'<text x="{left}" y="{top - 12}" fill="#555">across: lessons of night; down: asked after night</text>',
    ]
    matrices = [stream.matrix(run) for stream in streams for run in range(len(stream.runs))]
    for i in range(nights + 1):
        y = top + i * _CELL
        parts.append(f'<text x="{left - 8}" y="{y + _CELL / 2 + 4:.0f}" text-anchor="end">{i if i else "base"}</text>')
        for j in range(nights):
            values = [matrix[i][j] for matrix in matrices]
            value = sum(values) / len(values)
            if value != value:  # not measured
                continue
            x, share = left + j * _CELL, round(100 * value)
            edge = "#222" if i == j + 1 else "#fff"
            said = f"{title}: {share}, night {j + 1}'s questions after {f'night {i}' if i else 'nothing'}"
            parts.append(
                f'<rect x="{x + 1}" y="{y + 1}" width="{_CELL - 2}" height="{_CELL - 2}" fill="#0b6e4f" '
                f'fill-opacity="{value:.2f}" stroke="{edge}"><title>{escape(said)}</title></rect>'
                f'<text x="{x + _CELL / 2:.0f}" y="{y + _CELL / 2 + 4:.0f}" text-anchor="middle" '
                f'fill="{"#fff" if value > 0.5 else "#222"}">{share}</text>'
            )
    base = top + (nights + 1) * _CELL + 13
    parts += [
        f'<text x="{left + j * _CELL + _CELL / 2:.0f}" y="{base}" text-anchor="middle">{j + 1}</text>'
        for j in range(nights)
    ]
    return parts


def _share(share: Share) -> str:
    low, high = share.interval
    return f"{100 * share.share:.0f} % ({100 * low:.0f}–{100 * high:.0f})"


def _measure(measure: Measure | None, sign: bool = True) -> str:
    if not measure:
        return "–"
    if sign:
        return _points(measure.value, measure.interval)
    low, high = measure.interval
    return f"{100 * measure.value:.0f} % ({100 * low:.0f}–{100 * high:.0f})"


def _points(value: float, interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{100 * value:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
