"""The page of a week on the job: day by day how many customers were served right, and what the nights came to.

Always holds: one self-contained page, as all are; the rivals stand beside the assistant on every chart; nights that
promoted nothing are shown like the others.

Does not know: how a week is lived, or whether it was a good one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from string import Template
from typing import Any

from journeyman.web.charts import Series, panel
from journeyman.web.evidence import section
from journeyman.web.markup import Html, el, esc, join
from journeyman.web.values import counted, duration, number, pair, part, percent, points, rows, text, whole

_LINES = (
    ("assistant", "it learns", "main", 0.0),
    ("reminded", "reminded", "context", 0.06),
    ("frozen", "as it is", "second", -0.06),
)
_SHOWN = 4  # customers of each day


def render(result: Mapping[str, Any]) -> str:
    """The page of one week."""
    days = rows(result, "days")
    body = join([_banner(result, days), _served(result, days), _general(days), _nights(days), _customers(days)])
    template, what = Template(_file("report.html")), "A week on the job"
    return template.substitute(
        title=what, css=_file("report.css"), what=what, name=esc(text(result.get("model"))), body=body
    )


def _file(name: str) -> str:
    return resources.files("journeyman.web").joinpath(name).read_text(encoding="utf-8")


def _banner(result: Mapping[str, Any], days: Sequence[Mapping[str, Any]]) -> Html:
    first, last = (part(days[place], "assistant") for place in (0, -1)) if days else ({}, {})
    promoted = sum(part(day, "night").get("verdict") == "PROMOTE" for day in days)
    told: list[object] = [
        f"On its first day it served {percent(first.get('share'))} of its customers as policy has it, on day "
        f"{len(days)} ",
        el("b", percent(last.get("share"))),
        f". {counted(promoted, 'night')} promoted what had been learnt.",
    ]
    facts = [
        f"{counted(result.get('count'), 'customer')} a day",
        f"took {duration(result.get('seconds'))}",
        f"{duration(result.get('cpu_seconds'))} of CPU",
        text(result.get("machine")),
    ]
    return el(
        "header", el("h1", told), el("ul", (el("li", each) for each in facts if each), class_="meta"), class_="banner"
    )


def _served(result: Mapping[str, Any], days: Sequence[Mapping[str, Any]]) -> Html:
    series = [
        Series(
            name,
            [(day["day"] + aside, share) for day in days if (share := number(part(day, who).get("share"))) is not None],
            kind,
            [pair(part(day, who).get("interval")) for day in days if number(part(day, who).get("share")) is not None],
        )
        for who, name, kind, aside in _LINES
    ]
    shown = [each for each in series if each.points]
    change = number(result.get("change"))
    events = [(change - 0.5, "policy changes")] if change is not None and 1 < change <= len(days) else []
    said = "; ".join(
        f"{each.name} from {percent(each.points[0][1])} to {percent(each.points[-1][1])}" for each in shown
    )
    content: list[object] = []
    if shown:
        content.append(
            panel(
                shown,
                title=f"Customers served right, by day: {said}",
                x_name="day",
                label=percent,
                span=(0.8, max(2.0, float(len(days)) + 0.2)),
                height=320,
                top=1.0,
                events=events,
            )
        )
    for who, name in (("frozen", "the model as it is"), ("reminded", "the model with its corrections in the prompt")):
        against = part(part(result, "rivals"), who)
        if number(against.get("difference")) is not None:
            low, high = pair(against.get("interval")) or (None, None)
            said = (
                f"Against {name}, on the {whole(against.get('n'))} customers after the first day: "
                f"{points(against['difference'])} points (95% interval {points(low)} to {points(high)})."
            )
            content.append(el("p", said, class_="remark"))
    lead = (
        "New customers every day, over the gateway, the same for all three. Right is what the shop's verifier "
        "pays for. Whiskers: 95% intervals (Wilson)."
    )
    return section("served", "Customers served right", lead, content)


def _general(days: Sequence[Mapping[str, Any]]) -> Html | None:
    found = [day for day in days if number(part(day, "general").get("share")) is not None]
    if not found:
        return None
    line = Series(
        "it learns",
        [(day["day"], part(day, "general")["share"]) for day in found],
        "main",
        [pair(part(day, "general").get("interval")) for day in found],
    )
    low, high = percent(line.points[0][1], 1), percent(line.points[-1][1], 1)
    drawn = panel(
        [line],
        title=f"General ability by day: from {low} to {high}",
        x_name="day",
        label=percent,
        span=(0.8, max(2.0, float(len(days)) + 0.2)),
        height=200,
        top=1.0,
    )
    n = whole(part(found[0], "general").get("n"))
    return section("general", "General ability", f"{n} items of the built-in suite, of who served on that day.", drawn)


def _nights(days: Sequence[Mapping[str, Any]]) -> Html | None:
    held = [day for day in days if part(day, "night").get("verdict")]
    if not held:
        return None
    names = ("After day", "Verdict", "Practised", "Held out, before", "after", "Why")
    body = []
    for day in held:
        night = part(day, "night")
        decided = part(night, "decisions")
        judged = part(decided, "heldout")
        reasons = night.get("reasons") if isinstance(night.get("reasons"), list) else []
        why = next((text(each) for each in reasons or [] if " passed" not in text(each)), "")
        body.append(
            el(
                "tr",
                el("th", whole(day.get("day")), scope="row"),
                el("td", text(night.get("verdict")).replace("_", " ")),
                el("td", f"{whole(decided.get('train'))}, {whole(decided.get('corrected'))} corrected"),
                el("td", f"{percent(judged.get('before'))} of {whole(judged.get('n'))}"),
                el("td", percent(judged.get("after"))),
                el("td", why),
            )
        )
    head = el("tr", (el("th", name, scope="col") for name in names))
    table = el("table", el("thead", head), el("tbody", body), class_="stack")
    lead = "What the gate said of each night. Decisions that it judged by were never practised."
    return section("nights", "Nights", lead, table)


def _customers(days: Sequence[Mapping[str, Any]]) -> Html:
    content: list[object] = []
    for day in days:
        items = rows(day, "items")
        wrong = [item for item in items if part(item, "right").get("assistant") is not True]
        shown = [*wrong[: _SHOWN - 1], *(item for item in items if item not in wrong)][:_SHOWN]
        summary = el("summary", f"Day {whole(day.get('day'))}: {len(wrong)} of {len(items)} were corrected")
        content.append(el("details", summary, el("ol", map(_customer, shown), class_="questions")))
    lead = "Some customers of each day: what the desk saw, what the assistant called, and what its supervisor said."
    return section("customers", "At the desk", lead, content)


def _customer(item: Mapping[str, Any]) -> Html:
    good = part(item, "right").get("assistant") is True
    tag = el("span", "Right" if good else "Corrected", class_=f"tag {'kept' if good else 'missed'}")
    said = [el("dt", "It did"), el("dd", el("code", text(part(item, "did").get("assistant"))))]
    if not good:
        said += [el("dt", "Said"), el("dd", text(item.get("says")), el("br"), el("code", text(item.get("wanted"))))]
    return el("li", el("p", text(item.get("text")), " ", tag, dir="auto"), el("dl", said, class_="source"))
