"""The morning page: the story of one night, for a person who would rather look than read.

Always holds: one self-contained page that loads nothing and runs nothing; it can be made from `night`,
`verdict` and `reasons` alone, and each part that is missing is left out.

Does not know: whether the verdict is right. It says what the gate said, and shows what the gate saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from string import Template
from typing import Any

from journeyman.web import books, dreamed, evidence, training
from journeyman.web.markup import Html, el, esc, join
from journeyman.web.values import counted, duration, moment, number, part, percent, text

_VERDICTS = {
    "PROMOTE": ("promote", "Promoted", "The candidate goes to work this morning."),
    "REJECT": ("reject", "Rejected", "The candidate did not pass the gate. The model at work is unchanged."),
    "INSUFFICIENT": (
        "insufficient",
        "Not enough evidence",
        "There is too little evidence to let the candidate work. The model at work is unchanged.",
    ),
    "NOTHING_TO_LEARN": (
        "nothing",
        "Nothing to learn",
        "No training was needed. The model at work is unchanged.",
    ),
}
_MARKS = {
    "promote": "M6 12.5l4 4 8-9",
    "reject": "M8 8l8 8M16 8l-8 8",
    "insufficient": "M12 6.5v7M12 17.2v.3",
    "nothing": "M7 12h10",
}


def render(result: Mapping[str, Any]) -> str:
    """The page of one night."""
    body = join(
        [
            _banner(result),
            _reasons(result),
            evidence.answers(result),
            evidence.gain(result),
            evidence.questions(result),
            dreamed.tasks(result),
            dreamed.decisions(result),
            training.curve(result),
            training.heat(result),
            books.funnel(result),
            books.set_aside(result),
            books.ledger(result),
            books.phases(result),
            books.lineage(result),
        ]
    )
    template = Template(_file("report.html"))
    night = text(result.get("night"))
    title = f"{_verdict(result)[1]}: night {night[:12]}"
    values = {"what": "Night", "name": esc(night[:12])}
    return template.substitute(title=esc(title), css=_file("report.css"), body=body, **values)


def _file(name: str) -> str:
    return resources.files("journeyman.web").joinpath(name).read_text(encoding="utf-8")


def _verdict(result: Mapping[str, Any]) -> tuple[str, str, str]:
    given = text(result.get("verdict"))
    return _VERDICTS.get(given, ("nothing", given or "No verdict", ""))


def _banner(result: Mapping[str, Any]) -> Html:
    kind, words, _ = _verdict(result)
    mark = el("svg", el("path", d=_MARKS[kind]), viewBox="0 0 24 24", width=24, height=24, aria_hidden="true")
    started = text(result.get("started_at"))
    facts = [
        el("time", moment(started), datetime=started) if started else None,
        f"took {duration(result['seconds'])}" if number(result.get("seconds")) is not None else None,
        text(result.get("machine")) or None,
    ]
    return el(
        "header",
        el("p", mark, words, class_=f"verdict {kind}"),
        el("h1", _story(result)),
        _headline(result),
        el("ul", (el("li", fact) for fact in facts if fact), class_="meta") if any(facts) else None,
        class_="banner",
    )


def _story(result: Mapping[str, Any]) -> Html:
    """The night in at most four short sentences."""
    verdict = text(result.get("verdict"))
    name = el("span", text(part(result, "model").get("name")) or "the model", class_="name")
    sessions, lessons = part(result, "sessions").get("n"), part(result, "lessons")
    kept = number(lessons.get("kept"))
    taken = kept if kept is not None else number(lessons.get("n"))
    told: list[object] = ["Last night ", name]
    told.append(f" read {counted(sessions, 'session')}" if number(sessions) is not None else " looked for lessons")
    if verdict == "NOTHING_TO_LEARN":
        return join([*told, " and found nothing to learn. The model at work is unchanged."])
    if taken is not None:
        verb = "learned from" if verdict == "PROMOTE" else "practised"
        told.append(f" and {verb} {counted(taken, 'lesson')}")
    told.append(". ")
    held, general = part(result, "heldout"), part(result, "general")
    who = "It now answers correctly" if verdict == "PROMOTE" else "The candidate answers correctly"
    if number(held.get("before")) is not None and number(held.get("after")) is not None:
        share = el("b", percent(held["after"]))
        told += [
            f"{who} in ",
            share,
            f" of the situations held back from training (before: {percent(held['before'])}). ",
        ]
    before, after = percent(general.get("before"), 1), percent(general.get("after"), 1)
    if number(general.get("before")) is not None and number(general.get("after")) is not None:
        moved = f"stayed at {after}" if before == after else f"went from {before} to {after}"
        told.append(f"General ability {moved}. ")
    return join(told)


def _headline(result: Mapping[str, Any]) -> Html:
    return el("p", _verdict(result)[2], class_="outcome")


def _reasons(result: Mapping[str, Any]) -> Html | None:
    given = result.get("reasons")
    reasons = [text(r) for r in given if text(r).strip()] if isinstance(given, list | tuple) else []
    if not reasons:
        return evidence.section("reasons", "Why", "The gate gave no reasons.")
    items = el("ul", (el("li", reason, dir="auto") for reason in reasons), class_="reasons")
    return evidence.section("reasons", "Why", "What the gate said.", items)
