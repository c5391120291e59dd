"""The commands that are about tenants, and the ledger as a person reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from days import Ask, exchanges

from journeyman.cli import main
from journeyman.errors import TrainingError
from journeyman.records import Session, Turn
from journeyman.store import open_store


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sessions of the store's own, of ann and of bob."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "journeyman.db"
    with open_store(path) as opened:
        opened.add_sessions([Session((Turn("user", "hello"), Turn("assistant", "Good day."))) for _ in range(2)])
        for tenant in ("ann", "bob"):
            opened.write_exchanges(closed=exchanges([Ask(tokens=30), Ask(ending="refused", tokens=None)], tenant))
    return path


def nights(monkeypatch: pytest.MonkeyPatch, fails: str = "nobody") -> list[str]:
    """Whose nights were run, and nothing else of them."""
    run: list[str] = []

    def night(_store: object, _model: str, *, tenant: str, **_: Any) -> dict[str, Any]:
        run.append(tenant)
        if tenant == fails:
            raise TrainingError("the loss diverged", "try a smaller --learning-rate")
        adapter = {"adapter": "a1", "adapter_path": "/a1", "report": None}
        return {"tenant": tenant, "night": "n", "verdict": "PROMOTE", "reasons": [], **adapter}

    monkeypatch.setattr("journeyman.night.night", night)
    return run


def test_a_night_is_the_stores_own_unless_a_tenant_is_named(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = nights(monkeypatch)
    assert main(["night"]) == main(["night", "--tenant", "ann"]) == 0
    assert run == ["", "ann"]
    assert 'ask "…" --tenant ann' in capsys.readouterr().out
    assert main(["night", "--tenant", "a\nb"]) == 2
    assert main(["night", "--tenant", "ann", "--all-tenants"]) == 2
    assert main(["night", "--all-tenants", "--sessions", "a.jsonl"]) == 2
    assert run == ["", "ann"]


def test_nights_of_all_tenants_one_after_the_other(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = nights(monkeypatch, fails="ann")
    assert main(["night", "--all-tenants", "--json"]) == 1, "one of them could not be done"
    assert run == ["", "ann", "bob"], "and the others were"
    found = json.loads(capsys.readouterr().out)["nights"]
    assert [night.get("verdict") or night["error"] for night in found] == ["PROMOTE", "the loss diverged", "PROMOTE"]
    assert main(["night", "--all-tenants"]) == 1
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line in ("of no tenant", "ann", "bob")] == [
        "of no tenant",
        "ann",
        "bob",
    ]
    assert "error: the loss diverged" in out


def test_files_are_imported_for_a_tenant(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.jsonl").write_text(json.dumps({"messages": [{"role": "user", "content": "hello"}]}) + "\n")
    for tenant in ("zoe", "zoe", "yan"):
        assert main(["import", "a.jsonl", "--tenant", tenant]) == 0
    capsys.readouterr()
    assert main(["sessions", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["sessions"]
    assert [each["tenant"] for each in listed] == ["", "zoe", "yan", "ann", "bob"]
    assert main(["sessions", "export", "--tenant", "zoe"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["tenant"] == "zoe"


def test_the_ledger(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ledger"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["ended", "in", "answers", "tokens", "imported", "share", "why"]
    assert rows[1][:6] == ["not", "yet", "2", "60", "1", "100.0%"]
    assert rows[2][:5] == ["bin", "2", "0", "0", "0.0%"]
    assert rows[3] == ["all", "4", "60", "1", "100.0%"]
    assert main(["ledger", "--tenant", "ann", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["tokens"], found["answers"], found["prompt_tokens"], found["in_service"]) == (30, 2, 300, 0.0)
    assert (
        sum(line["tokens"] for line in found["lines"]) == sum(entry["tokens"] or 0 for entry in found["entries"]) == 30
    )
    assert main(["ledger", "--since", "2126-01-01"]) == 0
    assert capsys.readouterr().out == "no answer and no session is kept yet\n"
    assert main(["ledger", "--since", "yesterday"]) == 2
    assert main(["ledger", "--store", "nowhere.db"]) == 2


def test_the_ledger_tells_what_nobody_counted_and_what_nights_spent(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(store) as opened:
        opened.write_exchanges(closed=exchanges([Ask(tokens=None)], "cat"))
        opened.begin_night("n1", {}, "cat")
        opened.commit_phase("n1", "extract lessons", {}, 1.0, 1.0, 1234)
    assert main(["ledger"]) == 0
    out = capsys.readouterr().out.replace("\u202f", " ")
    assert "not counted by the engine, and not above: 1 answer" in out
    assert "0.0% of the generated tokens taught an adapter that is in service" in out
    assert "600 tokens of prompts were read by day" in out
    assert "1 imported session: 1 answer of 9 characters" in out
    assert "1 night spent 1 234 tokens themselves: extract lessons 1 234" in out
