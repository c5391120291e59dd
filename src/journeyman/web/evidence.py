"""What changed: answers before and after, gain and retention, closed-book questions.

Always holds: failures are shown beside successes and never hidden in a fold before one is seen; a figure
that was not measured is left out, or named as not measured, but never made up.

Does not know: how anything was scored, or whether the gate was right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from journeyman.web.charts import Dot, Row, dot_plot, key, ticks
from journeyman.web.markup import Html, el, esc, join, marked
from journeyman.web.values import counted, number, pair, part, percent, points, rows, small, text, whole

ARROW = " → "
_SEEN = 4  # examples of each kind that are shown before the fold

_STANDING = {
    (False, True): ("learned", "Learned"),
    (True, True): ("kept", "Known before, kept"),
    (False, False): ("missed", "Not learned"),
    (True, False): ("lost", "Lost"),
}


def section(name: str, title: str, lead: object, *content: object) -> Html:
    """One section: its heading and a sentence at the side, its content beside them."""
    head = el("header", el("h2", title, id=name), el("p", lead) if lead else None)
    return el("section", head, el("div", *content, class_="content"), aria_labelledby=name)


def figures(before: object, after: object, digits: int = 0) -> Html:
    """Two shares, the second one stressed: 2% → 45%."""
    return join([percent(before, digits), ARROW, el("b", percent(after, digits))])


def answers(result: Mapping[str, Any]) -> Html | None:
    """The same questions before and after: the best learned first, then what was not learned."""
    examples = rows(result, "examples")
    if not examples:
        return None
    gained = [e for e in examples if _standing(e)[0] in ("learned", "kept", "unscored")]
    gained.sort(key=lambda e: ("learned", "unscored", "kept").index(_standing(e)[0]))
    failed = [e for e in examples if _standing(e)[0] in ("lost", "missed")]
    failed.sort(key=lambda e: _standing(e)[0] == "missed")
    content = [_fold(gained)]
    if failed:
        n = len(failed)
        title = "And where it failed" if gained else "Where it failed"
        content += [el("h3", title, el("small", f"{n} of the {len(examples)} examples on this page"))]
        content += [_fold(failed)]
    lead = "The same questions, one night apart. Marked words are the ones the lesson is about."
    return section("answers", "Before and after", lead, content)


def _standing(example: Mapping[str, Any]) -> tuple[str, str]:
    before, after = example.get("correct_before"), example.get("correct_after")
    if isinstance(before, bool) and isinstance(after, bool):
        return _STANDING[before, after]
    return "unscored", "Not scored"


def _fold(examples: Sequence[Mapping[str, Any]]) -> Html:
    more = examples[_SEEN:]
    folded = el("details", el("summary", f"{len(more)} more"), map(_example, more)) if more else None
    return join([*map(_example, examples[:_SEEN]), folded])


def _example(example: Mapping[str, Any]) -> Html:
    kind, words = _standing(example)
    span = example.get("evidence")
    sides = [
        _answer("Before", example.get("before"), None, example.get("correct_before")),
        _answer("After", example.get("after"), span, example.get("correct_after")),
    ]
    lesson, veteran = text(example.get("lesson")), text(example.get("veteran"))
    source = [
        (el("dt", "Lesson"), el("dd", marked(lesson, span), dir="auto")) if lesson else None,
        (el("dt", "Veteran"), el("dd", marked(veteran, span), dir="auto")) if veteran else None,
    ]
    return el(
        "article",
        el("p", words, class_=f"tag {kind}"),
        el("h4", text(example.get("prompt")), dir="auto"),
        el("div", sides, class_="sides"),
        el("dl", source, class_="source") if lesson or veteran else None,
        class_="example",
    )


def _answer(when: str, answer: object, span: object, correct: object) -> Html:
    said = text(answer)
    score = {True: "right", False: "wrong"}.get(correct) if isinstance(correct, bool) else None
    return el(
        "div",
        el("p", when, el("span", score) if score else None, class_="when"),
        el("p", marked(said, span), class_="said", dir="auto") if said.strip() else el("p", "(no answer)"),
        class_=f"side {when.lower()}",
    )


def _two(label: str, spoken: str, found: Mapping[str, Any], digits: int, note: str = "") -> Row | None:
    before, after = number(found.get("before")), number(found.get("after"))
    if before is None or after is None:
        return None
    dots = [
        Dot("before", before, pair(found.get("before_interval"))),
        Dot("after", after, pair(found.get("after_interval"))),
    ]
    said = f"{spoken}: before {percent(before, digits)}, after {percent(after, digits)}"
    for dot in dots:
        if dot.interval:
            low, high = dot.interval
            said += f"; 95% interval {dot.kind} {percent(low, digits)} to {percent(high, digits)}"
    return Row(label, dots, figures(before, after, digits), said, note)


def _of(found: Mapping[str, Any], noun: str) -> str:
    return counted(found["n"], noun) if number(found.get("n")) is not None else ""


def gain(result: Mapping[str, Any]) -> Html | None:
    """Held-out work, general ability and probes on one axis; then the change of general ability in points."""
    held, general, probes = (part(result, name) for name in ("heldout", "general", "probes"))
    tasks, decisions = (part(part(result, name), "heldout") for name in ("tasks", "decisions"))
    earlier = part(result, "earlier")
    families = part(general, "by_family")
    found = [
        _two("Held-out situations", "Held-out situations answered correctly", held, 0, _of(held, "situation")),
        _two("Held-out tasks", "Held-out tasks of the dreamed world done", tasks, 0, _of(tasks, "task")),
        _two("Held-out decisions", "Held-out decisions taken rightly", decisions, 0, _of(decisions, "decision")),
        _two("Earlier lessons", "Questions of earlier nights answered", earlier, 0, _of(earlier, "question")),
        _two("General ability", "General ability", general, 1, _of(general, "item")),
        _two("Probes", "Probes", probes, 0, _of(probes, "probe")),
    ]
    plotted = [row for row in found if row]
    if not plotted:
        if result.get("verdict") == "NOTHING_TO_LEARN":
            return None
        return section("gain", "Gain and retention", "Nothing was measured before and after this night.")
    legend = key([("before", "before"), ("after", "after"), ("whisker", "95% interval, where one was computed")])
    content: list[object] = [legend, dot_plot(plotted, [0, 0.25, 0.5, 0.75, 1], percent)]
    change = _change(general)
    if change:
        content += [
            el("h3", "Change of general ability", el("small", "percentage points, with 95% interval")),
            change,
        ]
    by_family = [
        _two(str(name), f"General ability, {name}", {"before": both[0], "after": both[1]}, 0)
        for name, value in families.items()
        if (both := pair(value))
    ]
    if plotted_families := [row for row in by_family if row]:
        inner = dot_plot(plotted_families, [0, 0.25, 0.5, 0.75, 1], percent)
        content += [el("details", el("summary", "General ability, family by family"), inner)]
    content += [_nights(earlier), _facts(result)]
    lead = (
        "Hollow is the model before the night, filled is the candidate. "
        "Held-out work should move to the right; what was there before should stay where it is."
    )
    return section("gain", "Gain and retention", lead, content)


def _change(general: Mapping[str, Any]) -> Html | None:
    before, after = number(general.get("before")), number(general.get("after"))
    interval = pair(general.get("interval"))
    if before is None or after is None or interval is None:
        return None
    delta = after - before
    reach = max(0.02, *(abs(v) for v in (delta, *interval)))
    axis = ticks(-reach, reach)
    between = f"{points(interval[0])} to {points(interval[1])}"
    spoken = f"General ability changed by {points(delta)} points, 95% interval {between}"
    figure = join([el("b", points(delta)), f" ({between})"])
    return dot_plot([Row("After − before", [Dot("after", delta, interval)], figure, spoken)], axis, points)


def _nights(earlier: Mapping[str, Any]) -> Html | None:
    """Earlier lessons, night by night: right then, before this night and after it."""
    nights = rows(earlier, "nights")
    if not nights:
        return None
    names = ("Adapter of the night", "Questions", "Right then", "Before tonight", "Candidate")
    head = el("tr", (el("th", name, scope="col", class_="n" if place else None) for place, name in enumerate(names)))
    body = [
        el(
            "tr",
            el("th", text(night.get("adapter"))[:12], scope="row"),
            el("td", whole(night.get("n")), class_="n"),
            (el("td", percent(night.get(name)), class_="n") for name in ("then", "start", "after")),
        )
        for night in nights
    ]
    summary = el("summary", "Earlier lessons, night by night")
    note = el("p", "Hollow above is the better of the two before, for each night.", class_="remark")
    return el("details", summary, note, el("table", el("thead", head), el("tbody", body)))


def _facts(result: Mapping[str, Any]) -> Html | None:
    lift, drift = part(result, "lift"), part(result, "drift")
    facts: list[tuple[str, str, str]] = []
    replayed, changed = part(result, "replayed"), part(result, "changed")
    if number(replayed.get("situations")):
        known = f"{whole(replayed.get('known'))} of them still known before"
        facts.append(("Repeated of earlier nights", counted(replayed["situations"], "situation"), known))
    if number(changed.get("n")):
        was, now = part(changed, "before"), part(changed, "after")
        older = f"the older value is still said: {percent(was.get('stale'))}{ARROW}{percent(now.get('stale'))}"
        told = f"{percent(was.get('new'))}{ARROW}{percent(now.get('new'))}"
        facts.append(("Facts that changed: the newer value", told, f"{counted(changed['n'], 'question')}; {older}"))
    if number(lift.get("veteran")) is not None:
        facts.append(
            (
                "Lessons in the prompt",
                f"{percent(lift.get('student'))}{ARROW}{percent(lift.get('veteran'))}",
                "before training: the model alone, and as the veteran that reads the lessons",
            )
        )
    if number(drift.get("kl")) is not None:
        agree = drift.get("agreement")
        told = f"{percent(agree)} of choices agree with the model before" if number(agree) is not None else ""
        facts.append(("Drift (KL)", small(drift.get("kl")), told))
    manner = part(result, "manner")
    before, after = part(manner, "before"), part(manner, "after")
    if number(after.get("length")) is not None:
        habits = [
            f"{name} {percent(before.get(field))}{ARROW}{percent(after.get(field))}"
            for name, field in (("declines", "declining"), ("quotes a context", "leaking"), ("in circles", "looping"))
        ]
        length = f"{small(before.get('length'))}{ARROW}{small(after.get('length'))} tokens"
        facts.append(("Replies on held-out situations", length, ", ".join(habits)))
    if number(manner.get("kl")) is not None:
        facts.append(("Distance there (KL)", small(manner.get("kl")), "from the base, on what was to change"))
    if not facts:
        return None
    cells = [
        el("div", el("dt", name), el("dd", el("b", value), el("span", note) if note else None))
        for name, value, note in facts
    ]
    return el("dl", cells, class_="facts")


def questions(result: Mapping[str, Any]) -> Html | None:
    """Questions answered without the text: before, after, and with the text in the prompt."""
    asked = part(result, "questions")
    plotted: list[Row] = []
    for name, label, kind in (
        ("before", "Before the night", "before"),
        ("after", "After the night", "after"),
        ("context", "Text in the prompt", "context"),
    ):
        found = part(asked, name)
        accuracy = number(found.get("accuracy"))
        if accuracy is None:
            continue
        interval = pair(found.get("interval"))
        said = f"{label}: {percent(accuracy)} correct"
        if interval:
            said += f", 95% interval {percent(interval[0])} to {percent(interval[1])}"
        right = found.get("correct")
        note = f"{right} of {asked.get('n')} right" if number(right) is not None and number(asked.get("n")) else ""
        plotted.append(Row(label, [Dot(kind, accuracy, interval)], el("b", percent(accuracy)), said, note))
    items = rows(asked, "items")
    if not plotted and not items:
        return None
    content: list[object] = []
    if plotted:
        content.append(dot_plot(plotted, [0, 0.25, 0.5, 0.75, 1], percent))
    if number(asked.get("internalisation")) is not None:
        share = el("b", percent(asked["internalisation"]))
        content.append(
            el("p", share, " of what the text in the prompt is worth is now in the weights.", class_="remark")
        )
    if items:
        summary = el("summary", f"Every question ({len(items)})")
        content.append(el("details", summary, el("ol", map(_question, items), class_="questions")))
    lead = "Asked the morning after with nothing in the prompt but the question."
    return section("questions", "Closed book", lead, content)


def _question(item: Mapping[str, Any]) -> Html:
    kind, words = _standing(item)
    lines = [
        (el("dt", name), el("dd", text(item.get(field)), dir="auto"))
        for name, field in (("Before", "before"), ("After", "after"), ("Why", "why"))
        if text(item.get(field))
    ]
    head = el("p", esc(text(item.get("question"))), " ", el("span", words, class_=f"tag {kind}"), dir="auto")
    return el("li", head, el("dl", lines, class_="source"))
