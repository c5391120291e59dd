"""What was learnt of calls of tools: the world dreamed of them and what was practised in it, the calls that somebody
had judged, and what came of either.

Always holds: each task that is shown names the sessions that it came from; failures are shown as well as successes.

Does not know: how a world is dreamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from journeyman.web.evidence import section
from journeyman.web.markup import Html, el, join
from journeyman.web.values import counted, number, part, percent, rows, text, whole


def tasks(result: Mapping[str, Any]) -> Html | None:
    """The card, held-out tasks one by one, and where the practised ones came from."""
    found = part(result, "tasks")
    if not found:
        return None
    held = part(part(found, "card"), "held_out")
    facts: list[tuple[str, str, str]] = []
    if number(found.get("calls")) is not None:
        facts.append(("Recorded calls", whole(found["calls"]), f"in {counted(found.get('sessions'), 'session')}"))
    if number(held.get("answered")) is not None:
        wrong = percent(held.get("wrong_when_answered"), 1)
        facts.append(("Calls kept out, answered", percent(held["answered"]), f"{wrong} of these wrongly"))
    if number(found.get("steps")):
        trained = counted(len(rows(found, "train")), "task")
        facts.append(("Dreamed steps", whole(found["steps"]), f"{trained}, {counted(found.get('tokens'), 'token')}"))
    cells = [el("div", el("dt", n), el("dd", el("b", v), el("span", note))) for n, v, note in facts]
    content: list[object] = [el("dl", cells, class_="facts") if cells else None]
    if why := text(found.get("why")):
        content.append(el("p", f"Nothing was practised: {why}.", class_="remark"))
    if items := rows(found, "items"):
        content += [el("h3", "Held-out tasks"), el("ol", map(_item, items), class_="questions")]
    if trained := rows(found, "train"):
        summary = el("summary", f"What was practised, and the sessions that caused it ({len(trained)})")
        content.append(el("details", summary, _table(trained)))
    lead = "The sessions’ calls, as a world that can be run. Tasks of sessions kept apart were never practised."
    return section("dreamed", "Dreamed work", lead, content)


def decisions(result: Mapping[str, Any]) -> Html | None:
    """Calls that somebody had judged: how many were practised, and those that were held out, one by one."""
    found = part(result, "decisions")
    if not found:
        return None
    judged = rows(found, "items")
    said = f"{counted(found.get('train'), 'decision')} practised, {whole(found.get('corrected'))} of them corrected."
    items = [
        el(
            "li",
            el("p", text(item.get("asked")), " ", _tag(item, "right_before", "right_after"), dir="auto"),
            el(
                "dl",
                (
                    (el("dt", name), el("dd", el("code", text(item.get(field)))))
                    for name, field in (("Before", "before"), ("After", "after"), ("Right", "right"))
                ),
                (el("dt", "Said"), el("dd", text(item["words"]), dir="auto")) if text(item.get("words")) else None,
                class_="source",
            ),
        )
        for item in judged
    ]
    lead = "Calls that somebody had corrected or found right. Those of sessions kept apart were never practised."
    shown = el("ol", items, class_="questions") if items else None
    return section("decisions", "Decisions", lead, [el("p", said), shown])


def _tag(item: Mapping[str, Any], before: str, after: str) -> Html:
    was, now = item.get(before) is True, item.get(after) is True
    kind = {(False, True): "learned", (True, True): "kept", (False, False): "missed", (True, False): "lost"}[was, now]
    words = {"learned": "Learned", "kept": "Done before, too", "missed": "Not done", "lost": "Lost"}[kind]
    return el("span", words, class_=f"tag {kind}")


def _item(item: Mapping[str, Any]) -> Html:
    said = [
        (el("dt", name), el("dd", el("code", join(el("div", text(line)) for line in item.get(field) or []))))
        for name, field in (("Before", "before"), ("After", "after"))
        if isinstance(item.get(field), list)
    ]
    why = [text(each) for each in item.get("why") or []] if isinstance(item.get("why"), list) else []
    head = el("p", text(item.get("instruction")), " ", _tag(item, "done_before", "done_after"), dir="auto")
    return el("li", head, el("dl", said, el("dt", "Why") if why else None, _why(why), class_="source"))


def _why(why: list[str]) -> Html | None:
    return el("dd", "; ".join(why), dir="auto") if why else None


def _table(found: list[Mapping[str, Any]]) -> Html:
    head = el("tr", (el("th", name, scope="col") for name in ("Task", "Kind", "Sessions")))
    body = [
        el(
            "tr",
            el("th", text(each.get("instruction")), scope="row", dir="auto"),
            el("td", text(each.get("kind"))),
            el("td", el("code", " ".join(text(id) for id in each.get("sessions") or []))),
        )
        for each in found
    ]
    return el("table", el("thead", head), el("tbody", body), class_="stack")
