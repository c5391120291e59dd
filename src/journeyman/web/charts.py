"""Charts as inline SVG: interval dots, a stacked bar, a learning curve.

Always holds: charts have no fixed width. Positions are percentages, so that labels keep their size from a
phone to a wide screen; colours come from the page's classes, so that light and dark both work; each chart
has a text that says what it shows. Values outside an axis are drawn at its end.

Does not know: where the numbers come from, or whether they are good.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from journeyman.web.markup import Html, el, join

Interval = tuple[float, float] | None
Point = tuple[float, float]


def ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Round numbers from the last one at or below `low` to the first one at or above `high`."""
    span = high - low if high - low > 1e-9 else abs(high) or 1.0
    span = max(span, 1e-9)
    rough = span / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * i, 12) for i in range(first, max(last, first + 1) + 1)]


def _place(value: float, low: float, high: float) -> float:
    return min(max((value - low) / (high - low), 0.0), 1.0) * 100


def _percent(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") + "%"


@dataclass(frozen=True)
class Dot:
    """One measured value with its interval; `kind` is the class it is drawn in (before, after, only)."""

    kind: str
    value: float
    interval: Interval = None


@dataclass(frozen=True)
class Row:
    """One line of a dot plot: what was measured, its dots, and what to write at its end."""

    label: str
    dots: Sequence[Dot]
    figure: Html
    spoken: str
    note: str = ""


def dot_plot(rows: Sequence[Row], axis: Sequence[float], label: Callable[[float], str]) -> Html:
    """Rows of dots with intervals over one shared axis; `label` writes a tick."""
    low, high = axis[0], axis[-1]

    def track(row: Row) -> Html:
        middle = [19] if len(row.dots) == 1 else [13, 25]
        marks: list[Html] = [el("line", class_="grid", x1=0, x2="100%", y1=19, y2=19)]
        marks += [
            el("line", class_="grid", x1=x, x2=x, y1=14, y2=24) for x in (_percent(_place(t, low, high)) for t in axis)
        ]
        if low < 0 < high:
            x = _percent(_place(0, low, high))
            marks.append(el("line", class_="zero", x1=x, x2=x, y1=4, y2=34))
        for y, dot in zip(middle, row.dots, strict=False):
            if dot.interval:
                ends = [_percent(_place(end, low, high)) for end in dot.interval]
                marks.append(el("line", class_=f"whisker {dot.kind}", x1=ends[0], x2=ends[1], y1=y, y2=y))
                marks += [el("line", class_=f"cap {dot.kind}", x1=x, x2=x, y1=y - 4, y2=y + 4) for x in ends]
            x = _percent(_place(dot.value, low, high))
            marks.append(el("circle", class_=f"dot {dot.kind}", cx=x, cy=y, r=5))
        return el("svg", el("title", row.spoken), marks, role="img", aria_label=row.spoken, height=38)

    lines = [
        el(
            "div",
            el("div", row.label, el("small", row.note) if row.note else None, class_="dp-label"),
            el("div", row.figure, class_="dp-figure"),
            el("div", track(row), class_="dp-track"),
            class_="dp-row",
        )
        for row in rows
    ]
    names = [el("span", label(t), style=f"left:{_percent(_place(t, low, high))}") for t in axis]
    return el(
        "div", lines, el("div", el("div", names, class_="dp-ticks"), class_="dp-axis", aria_hidden="true"),
        class_="dp",
    )  # fmt: skip


@dataclass(frozen=True)
class Segment:
    """One piece of a stacked bar; `kind` is the class it is drawn in."""

    label: str
    size: float
    kind: str


def stacked_bar(segments: Iterable[Segment], spoken: str) -> Html:
    """Pieces of a whole, side by side, each as wide as its share. Nothing at all gives an empty bar."""
    drawn = [s for s in segments if s.size > 0]
    total = sum(s.size for s in drawn)
    marks: list[Html] = []
    left = 0.0
    for s in drawn:
        width = s.size / total * 100
        marks.append(
            el(
                "rect",
                el("title", s.label),
                class_=f"seg {s.kind}",
                x=_percent(left),
                y=0,
                width=_percent(width),
                height="100%",
            )
        )
        left += width
    return el("svg", el("title", spoken), marks, class_="bar", role="img", aria_label=spoken, height=36)


@dataclass(frozen=True)
class Series:
    """One line of a panel; `kind` is the class it is drawn in, `intervals` are those of its points."""

    name: str
    points: Sequence[Point]
    kind: str
    intervals: Sequence[Interval] = ()


def panel(
    series: Sequence[Series],
    *,
    title: str,
    x_name: str,
    label: Callable[[float], str],
    span: Point,
    height: int,
    top: float | None = None,
    events: Sequence[tuple[float, str]] = (),
) -> Html:
    """Lines over one horizontal axis from `span[0]` to `span[1]`; each is named at its end. Needs a point. `events`
    are named at their place on the axis."""
    highest = max(y for s in series for _, y in s.points)
    lowest = min(0.0, *(y for s in series for _, y in s.points))
    ys = ticks(lowest, highest if top is None else top)
    xs = [t for t in ticks(span[0], span[1], 5) if span[0] <= t <= span[1]] or [span[0]]
    right = span[1] if span[1] > span[0] else span[0] + 1

    def at(point: Point) -> Point:
        return _place(point[0], span[0], right), 100 - _place(point[1], ys[0], ys[-1])

    marks: list[Html] = []
    for t in ys:
        y = _percent(100 - _place(t, ys[0], ys[-1]))
        marks.append(el("line", class_="base" if t == ys[0] else "grid", x1=0, x2="100%", y1=y, y2=y))
        marks.append(el("text", label(t), class_="tick", x=-10, y=y, dy="0.32em", text_anchor="end"))
    for t in xs:
        x = _percent(_place(t, span[0], right))
        marks.append(el("text", f"{t:g}", class_="tick", x=x, y="100%", dy="1.6em", text_anchor="middle"))
    marks.append(el("text", x_name, class_="axis-name", x="50%", y="100%", dy="3.1em", text_anchor="middle"))
    for where, what in events:
        x = _percent(_place(where, span[0], right))
        marks.append(el("line", class_="event", x1=x, x2=x, y1=0, y2="100%"))
        marks.append(el("text", what, class_="tick", x=x, y=0, dy="-0.5em", text_anchor="middle"))
    for s in series:
        for (where, _), interval in zip(s.points, s.intervals, strict=False):
            if interval:
                x, ends = _percent(_place(where, span[0], right)), [at((where, end))[1] for end in interval]
                low, high = map(_percent, ends)
                marks.append(el("line", class_=f"whisker {s.kind}", x1=x, x2=x, y1=low, y2=high))
    lines = [
        el(
            "polyline",
            class_=f"line {s.kind}",
            points=" ".join(f"{x:.2f},{y:.2f}" for x, y in map(at, s.points)),
        )
        for s in series
        if len(s.points) > 1
    ]
    marks.append(el("svg", lines, width="100%", height="100%", viewBox="0 0 100 100", preserveAspectRatio="none"))
    last = {s.name: at(s.points[-1]) for s in series}
    names = _apart({name: y for name, (_, y) in last.items()}, 16 / height * 100)
    for s in series:
        x, y = last[s.name]
        few = s.points if len(s.points) <= 12 else s.points[-1:]
        for px, py in map(at, few):
            marks.append(el("circle", class_=f"pip {s.kind}", cx=_percent(px), cy=_percent(py), r=3.5))
        marks.append(
            el(
                "text",
                s.name,
                class_=f"name {s.kind}",
                x=_percent(x),
                dx=10,
                y=_percent(names[s.name]),
                dy="0.32em",
            )
        )
    drawing = el("svg", el("title", title), marks, role="img", aria_label=title, height=height)
    return el("div", drawing, class_="panel")


def _apart(heights: dict[str, float], gap: float) -> dict[str, float]:
    """The same heights, moved apart where names would overlap."""
    placed: dict[str, float] = {}
    floor = -math.inf
    for name, y in sorted(heights.items(), key=lambda item: item[1]):
        floor = max(y, floor + gap)
        placed[name] = floor
    excess = max(0.0, max(placed.values(), default=0.0) - 100)
    return {name: y - excess for name, y in placed.items()}


def key(entries: Iterable[tuple[str, str]]) -> Html:
    """A legend: a swatch of each kind with its words."""
    return el("ul", join(el("li", el("i", class_=f"swatch {kind}"), words) for kind, words in entries), class_="key")
