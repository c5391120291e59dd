"""The books of a night: from sessions to situations, where tokens and time went, where it all lies.

Always holds: every entry and every phase that was handed over stands in a table with its exact figures; a
bar only sums them up.

Does not know: how to run a command; it only writes down which ones exist.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from journeyman.web.charts import Segment, key, stacked_bar
from journeyman.web.evidence import section
from journeyman.web.markup import Html, el, join
from journeyman.web.values import counted, duration, number, part, percent, quotable, rows, seconds, text, whole

_ENDS = {
    "gradient": "gradient: changed the weights",
    "dream": "dream: wrote practice",
    "evaluation": "evaluation: measured the model",
    "bin": "bin: used for nothing",
}


def funnel(result: Mapping[str, Any]) -> Html | None:
    """Sessions, lessons, situations: how many there were, how many were used, and why the rest was not."""
    sessions, lessons, found = (part(result, name) for name in ("sessions", "lessons", "situations"))

    def step(source: Mapping[str, Any], field: str, name: str, note: str = "") -> Html | None:
        if number(source.get(field)) is None:
            return None
        return el("li", el("b", whole(source[field])), el("span", name), el("small", note) if note else None)

    users = [text(u) for u in sessions.get("users") or []] if isinstance(sessions.get("users"), list) else []
    notes = [counted(sessions["turns"], "turn") if number(sessions.get("turns")) is not None else ""]
    notes.append(f"· {', '.join(users[:3])}{' and others' if len(users) > 3 else ''}" if users else "")
    split = [
        f"{whole(found[k])} {w}"
        for k, w in (("train", "to train"), ("heldout", "held out"))
        if number(found.get(k)) is not None
    ]
    steps = [
        step(sessions, "n", "sessions read", " ".join(filter(None, notes))),
        step(lessons, "n", "lessons found"),
        step(lessons, "kept", "lessons kept"),
        step(found, "written", "situations written"),
        step(found, "kept", "situations kept", ", ".join(split)),
    ]
    if not any(steps):
        return None
    dropped = sorted(
        ((str(why), n) for why, value in part(found, "dropped").items() if (n := number(value)) is not None),
        key=lambda pair: -pair[1],
    )
    table = None
    if dropped:
        total = sum(n for _, n in dropped)
        body = [el("tr", el("th", why, scope="row"), el("td", whole(n), class_="n")) for why, n in dropped]
        head = el("tr", el("th", "Dropped because", scope="col"), el("th", "Situations", scope="col", class_="n"))
        summary = el("summary", f"Why {counted(total, 'situation')} {'was' if total == 1 else 'were'} dropped")
        table = el("details", summary, el("table", el("thead", head), el("tbody", body)))
    lead = "What the day brought in, and what was good enough to practise on."
    return section("funnel", "From sessions to practice", lead, el("ol", steps, class_="funnel"), table)


def set_aside(result: Mapping[str, Any]) -> Html | None:
    """What was not learned though somebody said it, and where users contradict each other."""
    counts = [(str(why), n) for why, value in part(result, "set_aside").items() if (n := number(value))]
    found = rows(result, "contradictions")
    if not counts and not found:
        return None
    tables = []
    if counts:
        head = el("tr", el("th", "Set aside because", scope="col"), el("th", "How many", scope="col", class_="n"))
        body = [el("tr", el("th", why, scope="row"), el("td", whole(n), class_="n")) for why, n in counts]
        tables.append(el("table", el("thead", head), el("tbody", body)))
    if found:
        head = el("tr", (el("th", name, scope="col") for name in ("Asked", "User", "Says", "Learned")))
        body = [
            el(
                "tr",
                el("th", text(each.get("asked")), scope="row", dir="auto"),
                el("td", text(said.get("user")) or "nobody named", dir="auto"),
                el("td", text(said.get("value")), dir="auto"),
                el("td", "on an earlier night" if said.get("earlier") else "no"),
            )
            for each in found
            for said in rows(each, "said")
        ]
        tables.append(el("table", el("thead", head), el("tbody", body)))
    lead = "What the night did not take anybody's word for. Where users contradict each other, neither is learned."
    return section("set-aside", "Set aside", lead, *tables)


def ledger(result: Mapping[str, Any]) -> Html | None:
    """Every token of the night and where it ended."""
    entries = rows(result, "ledger")
    if not entries:
        if result.get("verdict") == "NOTHING_TO_LEARN":
            return None
        return section("ledger", "The ledger", "No token was entered in the ledger this night.")
    order = list(_ENDS)

    def end(entry: Mapping[str, Any]) -> str:
        return text(entry.get("ended_in"))

    entries.sort(key=lambda e: order.index(end(e)) if end(e) in order else len(order))
    sums: dict[str, float] = {}
    for e in entries:
        sums[end(e)] = sums.get(end(e), 0.0) + (number(e.get("tokens")) or 0.0)
    total = sum(sums.values())
    segments = [
        Segment(
            f"{text(e.get('name'))}: {whole(e.get('tokens'))} tokens, ended in {end(e)}",
            number(e.get("tokens")) or 0.0,
            end(e) if end(e) in order else "other",
        )
        for e in entries
    ]
    shares = {name: percent(n / total) if total else percent(0) for name, n in sums.items()}
    spoken = f"{whole(total)} tokens: " + ", ".join(f"{share} {name}" for name, share in shares.items())
    legend = key([(name if name in order else "other", f"{shares[name]}  {_ENDS.get(name, name)}") for name in sums])
    names = ("Entry", "Tokens", "Ended in", "Why")
    head = el("tr", (el("th", n, scope="col", class_="n" if n == "Tokens" else None) for n in names))
    body = [
        el(
            "tr",
            el("th", text(e.get("name")), scope="row"),
            el("td", whole(e.get("tokens")), class_="n"),
            el("td", el("i", class_=f"swatch {end(e) if end(e) in order else 'other'}"), end(e)),
            el("td", text(e.get("why")), class_="why"),
        )
        for e in entries
    ]
    foot = el("tr", el("th", "All", scope="row"), el("td", whole(total), class_="n"), el("td"), el("td"))
    table = el("table", el("thead", head), el("tbody", body), el("tfoot", foot), class_="stack")
    lead = f"Where each of the night’s {whole(total)} tokens ended, and why."
    return section("ledger", "The ledger", lead, stacked_bar(segments, spoken), legend, table)


def phases(result: Mapping[str, Any]) -> Html | None:
    """Time and tokens, phase by phase."""
    found = rows(result, "phases")
    if not found:
        return None
    spent = [number(p.get("seconds")) or 0.0 for p in found]
    longest, total = max(spent), sum(spent)

    def bar(value: float) -> Html:
        width = value / longest * 100 if longest else 0.0
        return el("i", class_="meter", style=f"--w:{width:.1f}%")

    names = ("Phase", "Time", "CPU time", "Tokens")
    head = el("tr", (el("th", n, scope="col", class_=None if n == "Phase" else "n") for n in names))
    body = [
        el(
            "tr",
            el("th", text(p.get("name")), bar(value), scope="row"),
            el("td", seconds(p.get("seconds")), class_="n"),
            el("td", seconds(p.get("cpu_seconds")), class_="n"),
            el("td", whole(p.get("tokens")), class_="n"),
        )
        for p, value in zip(found, spent, strict=True)
    ]
    whole_night, cpu = number(result.get("seconds")), number(result.get("cpu_seconds"))
    tokens = sum(number(p.get("tokens")) or 0.0 for p in found)
    foot = el(
        "tr",
        el("th", "The whole night" if whole_night is not None else "All phases", scope="row"),
        el("td", seconds(total if whole_night is None else whole_night), class_="n"),
        el("td", seconds(cpu), class_="n"),
        el("td", whole(tokens), class_="n"),
    )
    table = el("table", el("thead", head), el("tbody", body), el("tfoot", foot), class_="phases")
    return section("phases", "The hours", f"The phases took {duration(total)} in all.", table)


def lineage(result: Mapping[str, Any]) -> Html:
    """Which weights came of it, where they lie, and how to ask them, or the model without them."""
    adapter, parent, model = text(result.get("adapter")), text(result.get("parent")), part(result, "model")
    entries = [
        ("Night", text(result.get("night"))),
        ("Tenant", text(result.get("tenant"))),
        ("Model", " ".join(filter(None, (text(model.get("name")), text(model.get("fingerprint")))))),
        ("Parent", parent or "none: the first adapter on this model" if adapter else ""),
        ("Adapter", adapter or "none was made this night"),
        ("Lies at", text(result.get("adapter_path")) if adapter else ""),
        ("This page", text(result.get("report"))),
        ("Machine", text(result.get("machine"))),
        ("Seed", text(result.get("seed"))),
    ]
    facts = el("dl", ((el("dt", n), el("dd", el("code", v))) for n, v in entries if v), class_="lineage")
    learnt = (text(e.get("prompt")) for e in rows(result, "examples") if e.get("correct_after") is True)
    prompt = next(filter(quotable, learnt), "…")
    promoted = result.get("verdict") == "PROMOTE"
    at_work = "Ask the adapter that is at work" if promoted else "Ask the adapter at work, if there is one"
    where = "".join(
        f" {option} {shlex.quote(value)}"
        for option, value in (
            ("--store", text(result.get("store"))),
            ("--tenant", text(result.get("tenant"))),
            ("--model", text(model.get("name"))),
        )
        if value
    )
    asked = [(at_work, "champion"), ("Ask the model as if no night had been", "base")]
    if adapter and not promoted:
        asked.insert(0, ("Ask what this night made, all the same", adapter))
    commands = [(what, f'journeyman ask "{prompt}" --adapter {which}{where}') for what, which in asked]
    shown = [(el("h3", what), el("pre", el("code", command), tabindex=0)) for what, command in commands]
    lead = (
        "The base model’s own weights were not touched: take the adapter away and it is as it was."
        if promoted
        else "Nothing at work was changed by this night."
    )
    return section("lineage", "Lineage, and the way back", lead, facts, join(join(pair) for pair in shown))
