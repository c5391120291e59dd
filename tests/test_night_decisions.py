"""Nights with calls that somebody has judged: what was right is practised, judged by, and traced back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from short_nights import shorten
from test_night import SMALL, write_sessions

from journeyman import ledger, night_decisions
from journeyman.capture import recognition
from journeyman.evaluate import deciding
from journeyman.learn.acting import Talk, spoken, understood
from journeyman.model import load_engine
from journeyman.night import night
from journeyman.records import Exchange, Feedback
from journeyman.store import open_store
from journeyman.world.actions import Call

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {
                "type": "object",
                "properties": {"lamp": {"type": "string"}},
                "required": ["lamp"],
                "additionalProperties": False,
            },
        },
    }
    for name in ("light", "dim")
]
DECIDING = replace(SMALL, facts=0, dream_steps=0, heldout=0.5, on_policy_steps=0)
COUNT = 12


@pytest.fixture(autouse=True)
def _short_nights(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch)


@pytest.fixture(scope="module")
def reader(make_tiny: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny("llama", tmp_path_factory.mktemp("reader"), max_position_embeddings=4096)


def keep(path: Path, count: int = COUNT, choice: str = "required", remarks: bool = True) -> None:
    """Sessions as the gateway keeps them: lamps are to be dimmed, and every third time that is what was called."""
    exchanges, said = [], []
    for number in range(count):
        messages = [{"role": "user", "content": f"It is too bright at lamp L-{number + 100}."}]
        tool = "light" if number % 3 else "dim"
        call = {"name": tool, "arguments": json.dumps({"lamp": f"L-{number + 100}"})}
        reply = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c", "type": "function", "function": call}],
        }
        begins = recognition.chain(messages, "", "c:")[-1]
        exchanges.append(
            Exchange(
                receipt=f"r{number}",
                session=f"s{number}",
                request=json.dumps({"messages": messages, "tools": TOOLS, "tool_choice": choice}).encode(),
                started_at=f"2026-03-16T10:{number:02}:00",
                begins=begins,
                ends=recognition.extended(begins, reply),
                ending="complete",
                reply=reply,
                details={"client": "c"},
            )
        )
        right = json.dumps({"name": "dim", "arguments": {"lamp": f"L-{number + 100}"}})
        good = Feedback(f"r{number}", rating=1.0)
        said.append(Feedback(f"r{number}", 0.0, "Dim it.", right) if number % 3 else good)
    with open_store(path) as store:
        store.write_exchanges(closed=exchanges)
        for each in said if remarks else ():
            store.add_feedback(each)


def decided(path: Path, key: str) -> dict[str, Any]:
    with open_store(path) as store:
        return store.phases(key)[night_decisions.PHASE].output


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, reader: Path) -> tuple[Path, dict[str, Any]]:
    store = tmp_path_factory.mktemp("night") / "a.db"
    keep(store)
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch)
        return store, night(store, str(reader), options=DECIDING)


def test_what_was_right_is_practised_and_judged_by(first: tuple[Path, dict[str, Any]], reader: Path) -> None:
    store, result = first
    found = decided(store, result["night"])
    assert len(found["train"]) + len(found["heldout"]) == COUNT
    assert all(entry["right"][0] == "dim" and entry["must"] for entry in [*found["train"], *found["heldout"]])
    assert not {entry["session"] for entry in found["train"]} & {entry["session"] for entry in found["heldout"]}
    shown = result["decisions"]
    assert shown["train"] == len(found["train"])
    assert shown["heldout"]["n"] == len(shown["items"]) == len(found["heldout"])
    assert any(reason.startswith("Gain") and "held-out decisions" in reason for reason in result["reasons"])
    assert sum(phase["tokens"] for phase in result["phases"]) == sum(entry["tokens"] for entry in result["ledger"])
    assert "Held-out decisions" in Path(result["report"]).read_text()
    with open_store(store) as opened:
        fates = {entry.session: entry.fate for entry in ledger.read(opened).entries}
    sides = {
        side: {f"s{entry['before'][0]['content'][-4:-1]}" for entry in found[side]} for side in ("train", "heldout")
    }
    learnt = "gradient" if result["verdict"] == "PROMOTE" else "bin"
    assert {fates[f"s{int(name[1:]) - 100}"] for name in sides["train"]} == {learnt}
    assert {fates[f"s{int(name[1:]) - 100}"] for name in sides["heldout"]} == {"evaluation"}
    assert night(store, str(reader), options=DECIDING)["repeated"]


def test_a_resumed_night_practises_the_same(
    first: tuple[Path, dict[str, Any]], reader: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, whole = first
    keep(tmp_path / "b.db")
    with monkeypatch.context() as patch:
        patch.setattr("journeyman.night_phases.train", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            night(tmp_path / "b.db", str(reader), options=DECIDING)
    resumed = night(tmp_path / "b.db", str(reader), options=DECIDING)
    assert resumed["adapter"] == whole["adapter"]
    assert resumed["decisions"]["items"] == whole["decisions"]["items"]


def test_the_newest_are_taken(reader: Path, tmp_path: Path) -> None:
    keep(tmp_path / "a.db")
    result = night(tmp_path / "a.db", str(reader), options=replace(DECIDING, decisions=2))
    found = decided(tmp_path / "a.db", result["night"])
    assert len(found["train"]) == len(found["heldout"]) == 2
    assert found["dropped"] == {night_decisions.OLD: COUNT - 4}


def test_where_nothing_was_judged_the_night_is_what_it_was(reader: Path, tmp_path: Path) -> None:
    sessions = [write_sessions(tmp_path / "s.jsonl")]
    result = night(tmp_path / "a.db", str(reader), sessions=sessions, options=replace(SMALL, decisions=0))
    again = night(tmp_path / "a.db", str(reader), options=SMALL)
    assert again["repeated"]
    assert again["night"] == result["night"]
    assert "decisions" not in result
    keep(tmp_path / "c.db", remarks=False)
    assert night(tmp_path / "c.db", str(reader), options=DECIDING)["verdict"] == "NOTHING_TO_LEARN"


@pytest.mark.parametrize("must", [True, False])
def test_only_the_very_call_is_right(reader: Path, must: bool) -> None:
    engine = load_engine(str(reader))
    talk = Talk([{"role": "user", "content": "It is too bright at lamp L-100."}], TOOLS)
    other = Call("dim", {"lamp": "L-100"})
    [item] = deciding.measured(engine, [deciding.Case(talk, other, must)], None, None)["items"]
    done = understood(item["after"])
    assert item["right_after"] is False
    if not must:  # what a random model says of itself is no call
        said = engine.generate([talk.prompt(engine)], max_new_tokens=8)
        assert item["after"].startswith(spoken(engine, said[0])[:4])
    elif isinstance(done, Call):  # it may be cut before it has closed its quotes
        assert deciding.measured(engine, [deciding.Case(talk, done, must)], None, None)["right_after"] == [True]
