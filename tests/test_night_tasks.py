"""Nights with calls of tools: tasks are dreamed of them, trained, judged by, and traced back; others stay the same."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from short_nights import Progress, killed_in, shorten
from test_night import SAID, SMALL, write_sessions

from journeyman import ledger, night_tasks
from journeyman.dream import practice
from journeyman.night import night
from journeyman.night_tasks import MASTERED, PHASE, dealt
from journeyman.store import open_store

sys.path.insert(0, str(Path(__file__).parent / "dream" / "worlds"))
import lamps

DREAMING = replace(SMALL, dream_steps=12)
COUNT = 44


def shop_talk(path: Path, count: int = COUNT, facts: bool = True) -> Path:
    """Sessions with calls of tools, in half of which somebody says something of himself, too."""
    lines = []
    for number, session in enumerate(lamps.log(count)):
        said = [{"role": "user", "content": SAID[number % len(SAID)]}] if facts and number < len(SAID) else []
        lines.append({"id": f"s{number}", "messages": [*session["messages"], *said]})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def short(patch: pytest.MonkeyPatch) -> None:
    """The phases are under test here: fewer items and tasks, so that a night takes seconds."""
    shorten(patch)
    patch.setattr(practice, "JUDGED", 4)
    patch.setattr(night_tasks, "BUDGET", 30)


@pytest.fixture(autouse=True)
def _short_nights(monkeypatch: pytest.MonkeyPatch) -> None:
    short(monkeypatch)


@pytest.fixture(scope="module")
def reader(make_tiny: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that reads far enough for tools; its tokens are bytes."""
    return make_tiny("llama", tmp_path_factory.mktemp("reader"), max_position_embeddings=8192)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, reader: Path) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("night")
    with pytest.MonkeyPatch.context() as patch:
        short(patch)
        sessions = [shop_talk(folder / "s.jsonl")]
        return folder, night(folder / "log.db", str(reader), sessions=sessions, options=DREAMING)


def outputs(store: Path, key: str) -> dict[str, Any]:
    with open_store(store) as opened:
        return {name: phase.output for name, phase in opened.phases(key).items()}


def test_tasks_are_dreamed_trained_and_judged_by(first: tuple[Path, dict[str, Any]]) -> None:
    folder, result = first
    found = outputs(folder / "log.db", result["night"])
    tasks, trained, judged = found[PHASE], found["train"]["dreamed"], found["evaluate"]["tasks"]
    assert tasks["card"]["passes"]
    assert not tasks["why"]
    assert 0 < trained["steps"] <= DREAMING.dream_steps
    assert set(trained["tasks"]) <= {entry["id"] for entry in tasks["train"]}
    assert len(judged["right_after"]) == len(judged["right_before"]) == len(tasks["heldout"]) == len(judged["clusters"])
    assert judged["steps"] > 0
    assert any("situations and tasks" in reason for reason in result["reasons"])
    assert json.loads((Path(result["adapter_path"]) / "lineage.json").read_text())["tasks"] == trained["tasks"]


def test_no_session_of_a_task_to_judge_by_has_a_part_in_one_that_is_trained(
    first: tuple[Path, dict[str, Any]],
) -> None:
    folder, result = first
    tasks = outputs(folder / "log.db", result["night"])[PHASE]
    sides = [{id for entry in tasks[side] for id in entry["sessions"]} for side in ("train", "heldout")]
    assert all(sides)
    assert not sides[0] & sides[1]
    words = [{entry["instruction"] for entry in tasks[side]} for side in ("train", "heldout")]
    assert not words[0] & words[1]
    with open_store(folder / "log.db") as store:
        assert sides[0] | sides[1] <= {session.id for session in store.sessions()}


def test_dreams_are_in_the_ledgers_and_on_the_page(first: tuple[Path, dict[str, Any]]) -> None:
    folder, result = first
    assert sum(phase["tokens"] for phase in result["phases"]) == sum(entry["tokens"] for entry in result["ledger"])
    assert {"training in the dreamed world", "held-out tasks of the dreamed world"} <= {
        entry["name"] for entry in result["ledger"]
    }
    with open_store(folder / "log.db") as store:
        found = ledger.read(store)
    assert (found.dreamed.nights, found.dreamed.steps) == (1, result["tasks"]["steps"])
    assert found.dreamed.judged_tokens > found.dreamed.judged_steps > 0
    practised = {id for entry in result["tasks"]["train"] for id in entry["sessions"]}
    fates = {entry.session: entry.fate for entry in found.entries}
    if result["verdict"] != "PROMOTE":
        assert {fates[id] for id in practised} == {"bin"}
    page = Path(result["report"]).read_text()
    assert "Dreamed work" in page
    assert all(id in page for id in practised)


def test_a_night_without_calls_is_what_it_was(reader: Path, tmp_path: Path) -> None:
    sessions = [write_sessions(tmp_path / "s.jsonl")]
    with_dreams = night(tmp_path / "a.db", str(reader), sessions=sessions, options=DREAMING)
    without = night(tmp_path / "b.db", str(reader), sessions=sessions, options=replace(SMALL, dream_steps=0))
    assert with_dreams["night"] == without["night"]
    assert with_dreams["adapter"] == without["adapter"]
    assert "tasks" not in with_dreams
    with open_store(tmp_path / "a.db") as store:
        [begun] = store.nights()
    assert "dream_steps" not in begun.spec["options"]
    assert "earlier" not in begun.spec


def test_none_are_dreamed_where_none_are_wanted(reader: Path, tmp_path: Path) -> None:
    options = replace(SMALL, dream_steps=0)
    result = night(tmp_path / "a.db", str(reader), sessions=[shop_talk(tmp_path / "s.jsonl", 12)], options=options)
    assert PHASE not in {phase["name"] for phase in result["phases"]}


def test_too_little_to_dream_of_is_said_and_the_night_goes_on(reader: Path, tmp_path: Path) -> None:
    result = night(tmp_path / "a.db", str(reader), sessions=[shop_talk(tmp_path / "s.jsonl", 6)], options=DREAMING)
    assert result["adapter"]
    assert "sessions with calls" in result["tasks"]["why"]
    assert "Nothing was practised" in Path(result["report"]).read_text()


def test_tasks_alone_are_something_to_learn(reader: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("journeyman.dream.lessons.extract", lambda _sessions: [])
    sessions = [shop_talk(tmp_path / "s.jsonl", facts=False)]
    result = night(tmp_path / "a.db", str(reader), sessions=sessions, options=DREAMING)
    assert result["adapter"]
    assert result["heldout"]["n"] == 0
    assert result["tasks"]["heldout"]["n"] > 0
    assert any(reason.startswith("Gain") and "held-out tasks" in reason for reason in result["reasons"])


def test_what_consent_keeps_from_dreams_enters_no_world(reader: Path, tmp_path: Path) -> None:
    """The same conversations as a gateway kept them: those whose consent lacks dreams are not in the world."""
    from journeyman.capture import recognition
    from journeyman.records import PURPOSES, Exchange

    exchanges = []
    tools = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
             for name in ("get_lamp", "switch_on", "switch_off")]  # fmt: skip
    for number, session in enumerate(lamps.log(COUNT + 4)):
        if number >= COUNT:  # in other words: who repeats what may not be used is left out with it
            session = json.loads(json.dumps(session).replace("L-", "X-").replace("lamp", "lantern"))
        said = [{"role": "system", "content": f"You look after house {number}."}, *session["messages"]]
        reply = {"role": "assistant", "content": f"That was all in house {number}, thank you."}
        begins = recognition.chain(said, "", "c:")[-1]
        exchanges.append(
            Exchange(
                receipt=f"r{number}",
                session=f"s{number}",
                request=json.dumps({"messages": said, "tools": tools}).encode(),
                started_at=f"2026-03-16T10:{number:02}:00",
                begins=begins,
                ends=recognition.extended(begins, reply),
                ending="complete",
                reply=reply,
                purposes=PURPOSES if number < COUNT else ("serve", "evaluate", "train"),
                details={"client": "c"},
            )
        )
    with open_store(tmp_path / "a.db") as store:
        store.write_exchanges(closed=exchanges)
    result = night(tmp_path / "a.db", str(reader), options=DREAMING)
    tasks = outputs(tmp_path / "a.db", result["night"])[PHASE]
    assert tasks["sessions"] == COUNT
    entries = [*tasks["train"], *tasks["heldout"]]
    assert entries
    for entry in entries:
        assert entry["system"].startswith("You look after house")
        assert int(entry["system"].rstrip(".").split()[-1]) < COUNT
        assert tasks["tools"][entry["tools"]] == tools


@given(
    sizes=st.lists(st.integers(1, 9), max_size=12),
    budget=st.integers(0, 200),
    steps=st.integers(1, 40),
    seed=st.integers(0, 5),
)
def test_dreamed_steps_stay_within_their_budget_and_are_spread(
    sizes: list[int], budget: int, steps: int, seed: int
) -> None:
    deals = dealt(sizes, budget, steps, seed)
    assert len(deals) == steps
    spent = 0
    for step, hand in enumerate(deals):
        spent += sum(sizes[number] for number in hand)
        assert spent <= budget * (step + 1) / steps
    if sizes and max(sizes) <= budget:
        assert spent > budget - max(sizes) * 2
        counts = [sum(hand.count(number) for hand in deals) for number in range(len(sizes))]
        assert max(counts) - min(counts) <= 1
    assert deals == dealt(sizes, budget, steps, seed)


@pytest.mark.parametrize("phase", ["train", "evaluate"])
def test_a_killed_night_dreams_the_same_again(
    phase: str, first: tuple[Path, dict[str, Any]], reader: Path, tmp_path: Path
) -> None:
    _, result = first
    sessions = shop_talk(tmp_path / "s.jsonl")

    def dream(progress: Progress) -> None:
        night(tmp_path / "a.db", str(reader), sessions=[sessions], options=DREAMING, progress=progress)

    assert killed_in(phase, dream)
    resumed = night(tmp_path / "a.db", str(reader), sessions=[sessions], options=DREAMING)
    assert resumed["adapter"] == result["adapter"]
    assert resumed["verdict"] == result["verdict"]
    assert resumed["tasks"]["items"] == result["tasks"]["items"]


def test_what_the_model_does_already_is_not_practised(
    reader: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Done(Exception):
        """The night has come to its next phase."""

    def dreamed(_night: object, _said: object) -> None:
        raise Done

    monkeypatch.setattr("journeyman.learn.difficulty.chances", lambda _engine, _adapter, cases: [0.95 for _ in cases])
    monkeypatch.setattr("journeyman.night_phases.dream_situations", dreamed)
    with pytest.raises(Done):
        night(tmp_path / "a.db", str(reader), sessions=[shop_talk(tmp_path / "s.jsonl")], options=DREAMING)
    with open_store(tmp_path / "a.db") as store:
        [begun] = store.nights()
        tasks = store.phases(begun.key)[PHASE].output
    assert tasks["why"] == MASTERED
    assert tasks["train"] == []
    assert tasks["dropped"][MASTERED] == tasks["difficulty"]["always"] > 0
