"""`journeyman erase`, as people and programs call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from nightly import run, said

from journeyman.cli import main
from journeyman.store import open_store


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with open_store(tmp_path / "journeyman.db") as store:
        store.add_sessions([said("I planted a walnut", user="ann")])
        one = run(store, "n0")
        store.add_sessions([said("my boat is called Ada", user="bob")])
        run(store, "n1", parent=one)


def test_erase_then_check(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["erase", "--user", "bob", "--dry-run", "--json"]) == 0
    thought = json.loads(capsys.readouterr().out)
    assert thought["erased"] is False
    with open_store(tmp_path / "journeyman.db") as store:
        assert store.count_sessions() == 2
    assert main(["erase", "--user", "bob", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["certificate"]["adapters"] == thought["certificate"]["adapters"]
    assert main(["erase", "--check", done["path"], "--signed-by", done["public_key"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["certificate"] == done["certificate"]
    assert main(["erase", "--check", done["path"]]) == 0
    assert f"withdrawn: adapter {done['certificate']['adapters'][0]['hash']}" in capsys.readouterr().out
    assert main(["erase", "--check", done["path"], "--signed-by", "0" * 64]) == 1
    assert "not with" in capsys.readouterr().err
    assert main(["adapters", "export", done["certificate"]["adapters"][0]["hash"], "out"]) == 1
    assert "withdrawn" in capsys.readouterr().err
    assert main(["report", "--no-browser", "--night", "n1"]) == 1
    assert main(["erase", "--resume"]) == 0
    assert "nothing was left" in capsys.readouterr().out


def test_what_is_asked_for_wrongly_erases_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for words in (
        [],
        ["--user", "zoe"],
        ["--session", "nothing"],
        ["--tenant", "zoe"],
        ["--user", "a", "--session", "b"],
    ):
        assert main(["erase", *words]) == 2, words
    (tmp_path / "other.json").write_text("{}")
    assert main(["erase", "--check", "other.json"]) == 1
    assert main(["erase", "--check", "missing.json"]) == 1
    with open_store(tmp_path / "journeyman.db") as store, store.lock("night"):
        assert main(["erase", "--user", "bob"]) == 1, "a night under way has read it"
        assert (store.count_sessions(), store.erasures()) == (2, [])
    assert "try: " in capsys.readouterr().err
