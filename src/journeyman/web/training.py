"""How it learned: the learning curve, and the tokens on which veteran and student disagree.

Always holds: heat maps share one fixed scale (nats), so that two maps, and two nights, can be compared by
eye; what a colour or a tooltip says is also in a table.

Does not know: which loss was used, or what the tokens mean.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from journeyman.web.charts import Series, key, panel
from journeyman.web.evidence import section
from journeyman.web.markup import Html, el, esc, join
from journeyman.web.values import duration, number, percent, rows, small, text

LEVELS = (0.05, 0.2, 0.5, 1.0, 2.0, 4.0)  # nats; a token's level is how many of these its KL reaches
_NAMED = 4  # from this level on, the veteran's choice is written under the token
_LISTED = 8


def curve(result: Mapping[str, Any]) -> Html | None:
    """Loss above, share of right probes below, over the training step."""
    steps = [row for row in rows(result, "curve") if number(row.get("step")) is not None]
    steps.sort(key=lambda row: row["step"])

    def line(name: str, field: str, kind: str) -> Series:
        found = [(float(r["step"]), y) for r in steps if (y := number(r.get(field))) is not None]
        return Series(name, found, kind)

    losses = [s for s in (line("loss", "loss", "main"), line("anchor", "anchor_loss", "second")) if s.points]
    probe = line("probes", "probe", "main")
    if not losses and not probe.points:
        return None
    span = (min(0.0, steps[0]["step"]), float(steps[-1]["step"]))
    content: list[object] = []
    if losses:
        said = "; ".join(f"{s.name} from {small(s.points[0][1])} to {small(s.points[-1][1])}" for s in losses)
        title = f"Training loss over {span[1]:g} steps: {said}"
        content += [el("h3", "Loss", el("small", "the lower, the closer to the veteran"))]
        content += [panel(losses, title=title, x_name="training step", label=_tick, span=span, height=240)]
    if probe.points:
        first, last = percent(probe.points[0][1]), percent(probe.points[-1][1])
        title = f"Probes right during training: from {first} to {last}"
        content += [el("h3", "Probes right", el("small", "asked while training ran"))]
        content += [panel([probe], title=title, x_name="training step", label=percent, span=span, height=170, top=1.0)]
    said = [
        f"{name} {said_as(steps[0].get(field))} at the first step, {said_as(steps[-1].get(field))} at the last"
        for name, field, said_as in (
            ("the student's entropy", "entropy", small),
            ("share of tokens that pull", "signal", percent),
            ("gradient norm", "gradient_norm", small),
            ("length of its own replies", "length", small),
        )
        if number(steps[0].get(field)) is not None and number(steps[-1].get(field)) is not None
    ]
    if said:
        content.append(el("p", f"Health: {'; '.join(said)}.", class_="remark"))
    took = number(steps[-1].get("seconds"))
    lead = (
        "Loss says how far the student is from what the veteran would say. "
        "The anchor keeps it near the model it was on everything else."
    )
    if took is not None:
        lead = f"{lead} {span[1]:g} steps took {duration(took)}."
    return section("curve", "Learning curve", lead, content)


def _tick(value: float) -> str:
    return f"{value:g}"


def heat(result: Mapping[str, Any]) -> Html | None:
    """Each token a box, the darker the further student and veteran are apart."""
    maps = [m for m in rows(result, "heatmaps") if rows(m, "tokens")]
    if not maps:
        return None
    bounds = ["0", *(f"{level:g}" for level in LEVELS)]
    entries = [(f"k{i}", bound) for i, bound in enumerate(bounds)]
    legend = el("div", el("p", "KL in nats, at least"), key(entries), class_="scale")
    lead = (
        "Every box is a token of an answer. The stronger its colour, the further apart are the veteran, "
        "who has the lesson, and the student, who has not. Where they differ most, the veteran’s choice "
        "stands below."
    )
    return section("heat", "Where the lesson is", lead, legend, map(_heatmap, maps))


def _heatmap(found: Mapping[str, Any]) -> Html:
    tokens = rows(found, "tokens")
    caption = text(found.get("caption"))
    top = sorted(tokens, key=lambda t: -(number(t.get("kl")) or 0.0))[:_LISTED]
    return el(
        "figure",
        el(
            "figcaption",
            el("span", caption, class_="caption") if caption else None,
            el("p", text(found.get("prompt")), dir="auto"),
        ),
        el("p", map(_token, tokens), class_="heat", dir="auto"),
        el("details", el("summary", f"The {len(top)} tokens furthest apart"), _top(top)),
        class_="heatmap",
    )


def _token(token: Mapping[str, Any]) -> Html:
    raw, kl = text(token.get("text")), number(token.get("kl"))
    veteran, student = text(token.get("veteran")), text(token.get("student"))
    level = bisect_right(LEVELS, kl) if kl is not None else 0
    body = raw.strip(" \n")
    lead = raw[: len(raw) - len(raw.lstrip(" "))] if body else ""
    shown = body or "".join("↵" if mark == "\n" else "·" for mark in raw)
    tip = f"KL {small(kl)}; veteran {shown_token(veteran)}; student {shown_token(student)}"
    name = f"t k{level}"
    if level >= _NAMED and veteran.strip() and veteran != raw:
        box = el("ruby", el("span", shown, class_=name), el("rt", veteran.strip()), title=tip)
    else:
        box = el("span", shown, class_=name, title=tip)
    return join([lead, box, el("br") if "\n" in raw else None])


def shown_token(token: str) -> str:
    """A token in quotes, with its white space visible."""
    return f"“{token.replace(' ', '␣').replace(chr(10), '↵')}”" if token else "–"


def _top(tokens: Sequence[Mapping[str, Any]]) -> Html:
    names = ("Token", "KL", "Veteran", "Student")
    head = el("tr", (el("th", name, scope="col", class_="n" if name == "KL" else None) for name in names))
    body = [
        el(
            "tr",
            el("th", el("code", shown_token(text(t.get("text")))), scope="row"),
            el("td", small(t.get("kl")), class_="n"),
            [el("td", el("code", esc(shown_token(text(t.get(who)))))) for who in ("veteran", "student")],
        )
        for t in tokens
    ]
    return el("table", el("thead", head), el("tbody", body))
