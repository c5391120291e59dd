"""The morning page: escaped, self-contained, well-formed, and whole whatever is missing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from journeyman.web import charts, values
from journeyman.web.markup import el, esc, join, marked
from journeyman.web.report import render

EXAMPLE = Path(__file__).with_name("example_night.json")
CSS = Path(charts.__file__).with_name("report.css").read_text(encoding="utf-8")
HOSTILE = (
    "</style></title><script>alert('x')</script><img src=x onerror=\"alert(1)\">"
    "&amp; \x00\x1b[31m \ud800 \u202e${css} <!-- ]]>"
)
VOID = {"meta", "link", "br"}


def night() -> dict[str, Any]:
    return json.loads(EXAMPLE.read_text(encoding="utf-8"))


class Page(HTMLParser):
    """Reads a page and insists that every element is closed, in order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def poisoned(value: Any) -> Any:
    """The same shape with every string made hostile, keys of free mappings included."""
    if isinstance(value, str):
        return HOSTILE + value
    if isinstance(value, list):
        return [poisoned(v) for v in value]
    if isinstance(value, dict):
        return {k: poisoned(v) for k, v in value.items()}
    return value


def without_each_part(result: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in result:
        if name not in ("night", "verdict", "reasons"):
            yield {k: v for k, v in result.items() if k != name}
            yield {**result, name: None}


def test_the_example_is_well_formed_and_self_contained():
    page = render(night())
    read = Page(page)
    tags = {tag for tag, _ in read.elements}
    assert not re.search(r"https?://|//[a-z]|@import|url\(", page, re.IGNORECASE)
    assert "<script" not in page.lower()
    assert not tags & {"script", "iframe", "img", "object", "embed", "form", "base"}
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in page
    for tag, attributes in read.elements:
        assert not [a for a in attributes if a.startswith("on")], tag
        assert attributes.get("href") in (None, "data:,")
        assert "src" not in attributes
    page.encode("utf-8")


def test_hostile_strings_stay_text_everywhere():
    result = poisoned(night())
    result["situations"]["dropped"] = {HOSTILE: 3}
    result["general"]["by_family"] = {HOSTILE: [0.1, 0.2]}
    for verdict in (result["verdict"], "PROMOTE", "REJECT"):
        page = render({**result, "verdict": verdict})
        read = Page(page)
        assert not {tag for tag, _ in read.elements} & {"script", "img"}
        assert page.count("</style>") == 1
        assert "</style></title>" not in page
        assert not [a for _, attributes in read.elements for a in attributes if a.startswith("on")]
        assert "\x00" not in page
        assert "\x1b" not in page
        page.encode("utf-8")
        assert "alert('x')" in read.text


def test_every_string_of_the_result_that_tells_something_is_on_the_page():
    result = night()
    read = Page(render(result))
    said = [e[k] for e in result["examples"] for k in ("prompt", "before", "after", "veteran", "lesson")]
    said += [i[k] for i in result["questions"]["items"] for k in ("question", "before", "after", "why")]
    said += [e[k] for e in result["ledger"] for k in ("name", "why", "ended_in")]
    said += [
        *result["reasons"],
        result["adapter"],
        result["adapter_path"],
        result["parent"],
        result["report"],
    ]
    said += [*result["situations"]["dropped"], *result["general"]["by_family"]]
    for sentence in said:
        assert sentence in read.text


def test_every_number_of_every_phase_and_ledger_entry_is_in_a_table():
    result = night()
    page = render(result)
    for phase in result["phases"]:
        row = re.search(rf"<tr><th[^>]*>{phase['name']}<.*?</tr>", page)
        assert row, phase["name"]
        for wanted in (
            values.seconds(phase["seconds"]),
            values.seconds(phase["cpu_seconds"]),
            values.whole(phase["tokens"]),
        ):
            assert f">{wanted}</td>" in row.group()
    for entry in result["ledger"]:
        assert f">{values.whole(entry['tokens'])}</td>" in page
    assert values.whole(sum(e["tokens"] for e in result["ledger"])) in page


def test_the_story_is_in_the_heading():
    heading = re.search(r"<h1>(.*?)</h1>", render(night()))
    assert heading
    story = re.sub(r"<.*?>", "", heading.group(1)).strip()
    assert story == (
        "Last night SmolLM2-135M-Instruct read 9 sessions and learned from 130 lessons. "
        "It now answers correctly in 45% of the situations held back from training (before: 2%). "
        "General ability went from 83.0% to 82.5%."
    )


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("PROMOTE", "goes to work this morning"),
        ("REJECT", "did not pass the gate"),
        ("INSUFFICIENT", "too little evidence"),
        ("NOTHING_TO_LEARN", "found nothing to learn"),
        ("SOMETHING_NEW", "SOMETHING_NEW"),
    ],
)
def test_three_parts_are_enough(verdict: str, said: str):
    read = Page(render({"night": "ab12", "verdict": verdict, "reasons": ["The only reason."]}))
    assert said in read.text
    assert "The only reason." in read.text
    assert "None" not in read.text
    assert "nan" not in read.text


def test_any_part_may_be_missing():
    for result in without_each_part(night()):
        assert "None" not in Page(render(result)).text


def test_any_field_of_a_part_may_be_missing_or_of_the_wrong_kind():
    for wrong in (None, [], {}, "text", float("nan"), -1, True, [None], [1, "x"], 10**400):
        for name, value in night().items():
            assert render({**night(), name: wrong}).rstrip().endswith("</html>")
            inner = value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else value
            if not isinstance(inner, dict):
                continue
            for field in inner:
                broken = {**inner, field: wrong}
                page = render({**night(), name: [broken] if isinstance(value, list) else broken})
                assert page.rstrip().endswith("</html>")


def test_the_manner_of_replies_and_the_health_of_the_run_are_shown():
    text = Page(render(night())).text
    assert "19.4 → 6.2 tokens" in text.replace("\u2009", " ")
    assert "declines 40%" in text
    assert "quotes a context 0%" in text
    assert "the student's entropy 1.8 at the first step, 0.4 at the last" in text
    assert "share of tokens that pull 93% at the first step, 31% at the last" in text
    assert "length of its own replies" not in text  # this night had no rollouts


def test_earlier_lessons_are_shown_night_by_night_and_facts_that_changed():
    page = Page(render(night())).text
    assert "Earlier lessons" in page
    assert "146 questions" in page
    assert "77f01c2ab9e48174%64%65%" in page.replace(" ", "")
    assert "307 situations" in page
    assert "the older value is still said: 64% → 5%" in page


def test_a_rejected_night_does_not_claim_to_have_learned():
    read = Page(render({**night(), "verdict": "REJECT"}))
    assert "practised 130 lessons" in read.text
    assert "It now answers" not in read.text
    assert "Nothing at work was changed" in read.text


def test_failures_are_shown_after_what_was_learned():
    text = Page(render(night())).text
    learned, failed = text.index("Which form do I need"), text.index("And where it failed")
    assert learned < failed < text.index("Is the workshop open") < text.index("Who signs off refunds")


def test_the_evidence_is_marked_in_the_answer():
    assert "You need <mark>form R-17</mark>." in render(night())
    assert marked("At GATE\n 4, <b>gate 4</b>", "gate 4") == (
        "At <mark>GATE\n 4</mark>, &lt;b&gt;<mark>gate 4</mark>&lt;/b&gt;"
    )
    assert marked("a < b", "") == "a &lt; b"


def test_a_prompt_that_a_shell_would_read_is_not_put_into_a_command():
    result = night()
    for e in result["examples"]:
        e["prompt"] = 'What is "$(rm -rf ~)"?'
    assert "journeyman ask &quot;…&quot; --adapter champion" in render(result)
    assert "journeyman ask &quot;Which form do I need to return the heat pump?&quot;" in render(night())


def test_accessibility_of_tables_and_charts():
    read = Page(render(night()))
    levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    for tag, attributes in read.elements:
        if tag == "th":
            assert attributes.get("scope") in ("col", "row")
        if tag == "svg" and attributes.get("role") == "img":
            assert attributes.get("aria-label")
    assert ("html", {"lang": "en"}) in read.elements
    ids = [a["id"] for _, a in read.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["aria-labelledby"] for _, a in read.elements if "aria-labelledby" in a} == set(ids)


def _theme(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", block))


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_has_enough_contrast_in_both_themes(theme: int):
    colours = _theme(re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)[theme])
    pairs = [("ink", "paper"), ("ink", "field"), ("soft", "paper"), ("soft", "field"), ("accent", "paper")]
    pairs += [("ink", "wash"), *(("ink", f"k{i}") for i in range(1, 5)), ("k-ink", "k5"), ("k-ink", "k6")]
    for front, back in pairs:
        light, dark = sorted((_luminance(colours[front]), _luminance(colours[back])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (front, back)


def test_what_is_not_markup_is_escaped():
    assert el("p", "<b>", el("i", "&"), None, ["x", 3], title='"') == ('<p title="&quot;">&lt;b&gt;<i>&amp;</i>x3</p>')
    assert esc("\ud800\x07") == "\ufffd\ufffd"
    assert join(["a", "<"], " ") == "a &lt;"


@pytest.mark.parametrize("bounds", [(0.0, 2.31), (0.0, 0.0), (-0.02, 0.02), (0, 1e-12), (3.0, 3.0), (0, 1e9)])
def test_ticks_are_few_and_enclose(bounds: tuple[float, float]):
    found = charts.ticks(*bounds)
    assert 2 <= len(found) <= 8
    assert found[0] <= bounds[0] + 1e-9
    assert found[-1] >= bounds[1] - 1e-9
    assert found == sorted(set(found))


def test_figures_as_a_person_writes_them():
    assert values.percent(0.825, 1) == "82.5%"
    assert values.percent(float("nan")) == "–"
    assert values.points(-0.005) == "−0.5"
    assert values.points(-0.0001) == "0.0"
    assert values.small(1e-6) == "1 × 10⁻⁶"
    assert values.small(0.11) == "0.11"
    assert values.duration(713.2).replace("\xa0", " ") == "11 min 53 s"
    assert values.duration(7200).replace("\xa0", " ") == "2 h"
    assert values.counted(1, "lesson") == "1 lesson"
    assert values.moment("2026-11-22T01:00:00+00:00") == "22 November 2026, 01:00 UTC"
    assert values.moment("yesterday") == "yesterday"


def test_what_was_set_aside_is_shown_with_who_contradicts_whom() -> None:
    said = [
        {"user": "ann", "value": "Berlin", "earlier": True},
        {"user": "<eve>", "value": "Milan", "earlier": False},
    ]
    page = render(
        {
            "night": "n0",
            "verdict": "REJECT",
            "reasons": [],
            "set_aside": {"quoted, or a tool's words": 3},
            "contradictions": [{"asked": "Our office is in …", "said": said}],
        }
    )
    assert "Set aside" in page
    for shown in ("quoted, or a tool", "Our office is in …", "Berlin", "on an earlier night", "&lt;eve&gt;"):
        assert shown in page
    assert "Set aside" not in render({"night": "n0", "verdict": "REJECT", "reasons": [], "set_aside": {}})
