"""`journeyman adapters`, as people and programs call it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nightly import run, said

from journeyman.cli import main
from journeyman.store import open_store

Call = Callable[..., dict[str, Any]]


@pytest.fixture
def hashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two nights of the store's own, the second over one more session, and one of ann's that was rejected."""
    monkeypatch.chdir(tmp_path)
    with open_store(tmp_path / "journeyman.db") as store:
        store.add_sessions([said("I planted a walnut"), said("I like tea", "ann")])
        one = run(store, "n0")
        store.add_sessions([said("my boat is called Ada")])
        two = run(store, "n1", parent=one)
        return [one, two, run(store, "n2", tenant="ann", verdict="REJECT")]


@pytest.fixture
def call(hashes: list[str], capsys: pytest.CaptureFixture[str]) -> Call:
    def calling(*words: str, code: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        assert main(["adapters", *words, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    return calling


def test_the_list_says_what_learned_from_a_session(hashes: list[str], call: Call) -> None:
    rows = {row["hash"]: row for row in call("list")["adapters"]}
    assert [rows[hash]["state"] for hash in hashes] == ["can serve", "in service", "out of service"]
    assert [rows[hash]["sessions"] for hash in hashes] == [1, 2, 1]
    assert [row["hash"] for row in call("list", "--tenant", "ann")["adapters"]] == hashes[2:]
    assert [row["hash"] for row in call("list", "--session", said("I planted a walnut").id)["adapters"]] == hashes[:2]
    assert [row["hash"] for row in call("list", "--session", said("my boat is called Ada").id)["adapters"]] == [
        hashes[1]
    ]


def test_show_goes_from_the_adapter_down_to_what_was_said(hashes: list[str], call: Call) -> None:
    shown = call("show", "champion")
    assert shown["hash"] == hashes[1]
    assert [each["night"] for each in shown["line"]] == ["n1", "n0"]
    lesson = shown["line"][1]["lessons"][0]
    assert (lesson["text"], lesson["session_id"]) == ("I planted a walnut", said("I planted a walnut").id)
    assert [each["prompt"] for each in lesson["situations"]] == ["What of I planted a walnut?"]
    assert [(each["why"], each["to"]) for each in shown["service"]] == [("night", "")]
    assert shown["measured"]["heldout"]["after"] == 0.9


def test_service_goes_forward_and_back(hashes: list[str], call: Call) -> None:
    one, two, rejected = hashes
    assert {"hash": one, "was": two, "why": "rollback"}.items() <= call("rollback").items()
    assert {"hash": "base", "was": one}.items() <= call("rollback").items()
    assert "nothing to roll back" in call("rollback", code=1)["error"]
    assert call("promote", one[:8])["hash"] == one
    assert call("pin")["pinned"]
    assert "pinned" in call("promote", two, code=1)["error"]
    assert call("pin", "--off")["pinned"] is False
    assert call("promote", two)["was"] == one
    assert "REJECT" in call("promote", rejected, "--tenant", "ann", code=1)["error"]
    assert "there is no adapter" in call("promote", rejected, code=1)["error"]
    [first, second] = [call("show", hash)["service"] for hash in (one, two)]
    assert [each["why"] for each in first] == ["night", "rollback", "promote"], "a pin is no period of its own"
    assert second[-1]["to"] == ""


@pytest.mark.parametrize("file", ["adapter_model.safetensors", "adapter_config.json", "lineage.json"])
@pytest.mark.parametrize("words", [["promote"], ["pin"], ["try"]])
def test_what_no_server_could_load_is_not_put_in_service(
    hashes: list[str], call: Call, tmp_path: Path, file: str, words: list[str]
) -> None:
    directory = tmp_path / "journeyman.db.d" / "adapters" / hashes[0]
    whole = (directory / file).read_bytes()
    for left in (b"", whole[: len(whole) // 2]):
        (directory / file).write_bytes(left)
        assert "directory back" in call(*words, hashes[0], code=1)["remedy"]
    (directory / file).unlink()
    call(*words, hashes[0], code=1)
    assert [each["state"] for each in call("list")["adapters"]].count("in service") == 1
    (directory / file).write_bytes(whole)
    assert call(*words, hashes[0])["why"] == words[0]


def test_what_is_asked_for_wrongly_is_refused(hashes: list[str], call: Call, tmp_path: Path) -> None:
    assert call("show", "champion", "--tenant", "ann", code=2)["remedy"]
    assert call("show", "nothing", code=1)["remedy"]
    assert call("export", hashes[0], str(tmp_path), code=2)["remedy"]
    exported = call("export", "champion", "out")
    assert Path(exported["path"]).resolve() == tmp_path / "out"
    assert (tmp_path / "out" / "adapter_config.json").is_file()


def test_people_read_the_same(hashes: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["list"], ["show", hashes[0]], ["rollback"]):
        assert main(["adapters", *words]) == 0
    out = capsys.readouterr().out
    assert "in service from" in out
    assert f"in service: {hashes[0]} (was: {hashes[1]})" in out
    assert "I planted a walnut  [1 situations]" in out
    assert main(["adapters", "list", "--session", "unknown"]) == 0
    assert "no adapter learned from" in capsys.readouterr().out
