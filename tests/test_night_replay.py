"""What a night repeats of earlier nights: only what may be used still, and of facts that changed the newer value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from days import Ask, exchanges
from nightly import run, said

from journeyman import night_replay
from journeyman.capture import conversations, recognition
from journeyman.dream.spans import Span
from journeyman.night import NightOptions
from journeyman.night_replay import Line, recall, renewed
from journeyman.records import Exchange, Lesson, Situation
from journeyman.store import Store, open_store

TREE, BOAT, CAT = said("I planted a walnut"), said("my boat is called Ada"), said("the cat is grey")
NOTHING: dict[str, Any] = {"facts": [], "changed": []}
NO_DREAMS: dict[str, Any] = {"train": [], "heldout": [], "changed": []}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "day.db") as opened:
        yield opened


def nights(store: Store) -> list[str]:
    hashes: list[str] = []
    for number, session in enumerate((TREE, BOAT)):
        store.add_sessions([session])
        hashes.append(run(store, f"n{number}", parent=hashes[-1] if hashes else None))
    return hashes


def tonight(line: Line, seed: int = 0, **options: Any) -> Any:
    """As much of a night as a recall needs."""
    return SimpleNamespace(line=line, seed=seed, options=NightOptions(**options))


def spans(words: str, value: str) -> Span:
    lesson = Lesson(words, f"session of {words}", 0)
    return Span(lesson, words.index(value), words.index(value) + len(value), "name")


def test_a_night_without_an_adapter_before_it_repeats_nothing(store: Store) -> None:
    nights(store)
    assert (Line(store, "", "").taught, Line(store, "", "").sessions) == ([], [])


def test_what_every_night_of_the_line_trained_is_repeated_and_what_it_held_out_is_asked(store: Store) -> None:
    one, two = nights(store)
    store.add_sessions([CAT])
    run(store, "refused", parent=one, verdict="REJECT", ids=[CAT.id])
    line = Line(store, "", two)
    found = recall(tonight(line), NOTHING, NO_DREAMS)
    assert {each["prompt"] for each in found["train"]} == {
        "What of I planted a walnut?",
        "What of my boat is called Ada?",
    }
    assert {(each["prompt"], each["adapter"]) for each in found["asked"]} == {
        ("And of I planted a walnut?", one),
        ("And of my boat is called Ada?", two),
    }, "each is asked of the night that taught it too"
    assert set(found["lessons"].values()) == {"I planted a walnut", "my boat is called Ada"}
    assert found["rows"] == 8
    assert line.sessions == sorted([TREE.id, BOAT.id])


def test_the_budget_bounds_what_is_repeated_and_the_rest_may_be_asked(store: Store) -> None:
    line = Line(store, "", nights(store)[-1])
    few = recall(tonight(line, rows=2, steps=2), NOTHING, NO_DREAMS)
    assert (few["rows"], len(few["train"])) == (1, 1)
    assert len(few["asked"]) == 3
    assert not {each["prompt"] for each in few["asked"]} & {each["prompt"] for each in few["train"]}
    assert few == recall(tonight(line, rows=2, steps=2), NOTHING, NO_DREAMS), "the same seed, the same choice"
    none = recall(tonight(line, replay=0.0), NOTHING, NO_DREAMS)
    assert (none["rows"], none["train"], len(none["asked"])) == (0, [], 4), "who repeats nothing is judged all the same"


def test_what_consent_has_left_is_neither_repeated_nor_asked(store: Store) -> None:
    told = exchanges([Ask(said=1)])
    store.write_exchanges(closed=told)
    store.add_sessions([TREE])
    hash = run(store, "n0")
    assert len(Line(store, "", hash).sessions) == 2
    # The same words again, from where nothing may be trained: they are no longer used wherever they stand.
    again = exchanges([Ask(said=1, purposes=("serve",))], "")
    again[0] = type(again[0])(**{**again[0].__dict__, "receipt": "later", "session": "later"})
    store.write_exchanges(closed=again)
    line = Line(store, "", hash)
    assert line.sessions == [TREE.id]
    found = recall(tonight(line), NOTHING, NO_DREAMS)
    assert {each["evidence"] for each in (*found["train"], *found["asked"])} == {"I planted a walnut"}
    assert len(line.facts) == 2, "what was said is still known, so that who says otherwise is noticed"


def test_a_conversation_that_went_on_is_repeated_by_its_answers(store: Store) -> None:
    store.write_exchanges(closed=exchanges([Ask()]))
    hash = run(store, "n0")
    before = Line(store, "", hash).sessions
    store.write_exchanges(closed=exchanges([Ask(), Ask(after=0, said=3)])[1:])
    assert Line(store, "", hash).sessions == before != []


def test_of_whom_a_fact_came_is_known_though_the_conversation_went_on(store: Store) -> None:
    """Else what its user says otherwise later would pass for somebody else's contradiction."""

    def of_rosa(each: Exchange) -> Exchange:
        begins = recognition.chain(json.loads(each.request)["messages"], "", "c:rosa")[-1]
        return replace(each, user="rosa", begins=begins, ends=recognition.extended(begins, each.reply))

    begun, after = map(of_rosa, exchanges([Ask(), Ask(after=0, said=3)]))
    store.write_exchanges(closed=[begun])
    store.add_sessions([said("I planted a walnut", user="tom")])
    hash = run(store, "n0")
    store.write_exchanges(closed=[after])
    line = Line(store, "", hash)
    assert sorted(line.users.values()) == ["rosa", "tom"]
    kept = conversations.kept(store, "train", "dream", tenant="")
    again = Line(store, "", hash, kept)
    assert (again.users, again.sessions, again.taught) == (line.users, line.sessions, line.taught)
    assert set(line.users) - {each.session.id for each in kept}, "it has another id now"


def test_a_fact_that_changed_is_not_repeated_and_its_questions_get_the_newer_answer() -> None:
    old, new = spans("Our office is in Berlin.", "Berlin"), spans("Our office is in Rome.", "Rome")
    other = spans("My cat is called Ada.", "Ada")
    asked = [Situation("ask", prompt, old.lesson.id, "Berlin") for prompt in ("Where is it?", "Our office: where?")]
    held = Situation("ask", "Which town is the office in?", old.lesson.id, "Berlin")
    leading = Situation("ask", "Is it Rome?", old.lesson.id, "Berlin")
    cat = Situation("ask", "Who is Ada?", other.lesson.id, "Ada")
    line: Any = Line.__new__(Line)
    line.taught = [night_replay.Taught("h", (old, other), (*asked, leading, cat), (held,))]
    line.facts = [old, other]
    said_tonight = {"facts": [asdict(new)], "changed": [{"was": asdict(old), "now": asdict(new)}]}
    train, kept = renewed(line, said_tonight)
    assert {(each.prompt, each.evidence, each.lesson_id) for each in train} == {
        (each.prompt, "Rome", new.lesson.id) for each in asked
    }, "no question gives its answer away"
    assert [(each["prompt"], each["evidence"], each["was"]) for each in kept] == [(held.prompt, "Rome", "Berlin")]
    found = recall(tonight(line), said_tonight, NO_DREAMS)
    assert [each["prompt"] for each in (*found["train"], *found["asked"])] == ["Who is Ada?"]
    assert found["changed"] == 1
    assert renewed(line, {**said_tonight, "facts": []}) == ([], []), "the newer value is not learned tonight"


def test_what_is_asked_otherwise_tonight_is_not_repeated(store: Store) -> None:
    line = Line(store, "", nights(store)[-1])
    clash = Situation("ask", "what of i planted a WALNUT", "another", "an oak").to_json()
    found = recall(tonight(line), NOTHING, {**NO_DREAMS, "train": [clash]})
    assert {each["prompt"] for each in found["train"]} == {"What of my boat is called Ada?"}
