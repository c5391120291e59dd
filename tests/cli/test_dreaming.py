"""`journeyman dream` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from journeyman.cli import main
from journeyman.records import Session, ToolCall, Turn
from journeyman.store import open_store


def lamp(number: int) -> Session:
    """Somebody looks at a lamp and switches it on."""
    key = f"L-{number}"
    seen = {"lamp_id": key, "room": f"room {number % 5}", "state": "off"}
    turns: list[Turn] = [Turn("user", f"Light {key}")]
    for at, (tool, value) in enumerate((("get_lamp", seen), ("switch_on", {**seen, "state": "on"}))):
        turns.append(Turn("assistant", "", (ToolCall(f"c{at}", tool, json.dumps({"lamp_id": key})),)))
        turns.append(Turn("tool", json.dumps(value), tool_call_id=f"c{at}"))
    return Session(tuple(turns), key=key)


@pytest.fixture
def store(tmp_path: Path) -> str:
    path = str(tmp_path / "a.db")
    with open_store(path) as opened:
        opened.add_sessions(lamp(number) for number in range(12))
    return path


def test_a_world_with_its_files_and_its_card(store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "world"
    main(["dream", "--store", store, "--out", str(out), "--json"])
    card = json.loads(capsys.readouterr().out)
    assert card["sessions"] == 12
    assert card["on_path"]["exact"] == 1
    assert {path.name for path in out.iterdir()} == {"world.py", "start.jsonl", "tasks.jsonl", "card.json"}
    assert main(["dream", "--store", store, "--world", str(out / "world.py")]) == 0
    assert "switch_on" in capsys.readouterr().out


def test_what_there_is_to_do_in_it(store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "world"
    main(["dream", "--store", store, "--budget", "20", "--out", str(out), "--json"])
    tasks = json.loads(capsys.readouterr().out)["tasks"]
    assert tasks["made"] == 20
    assert tasks["kept"] >= 8
    assert main(["world", "tasks", str(out), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["tasks"]
    assert len(listed) == tasks["kept"]
    assert all(each["instruction"].startswith("Light L-") for each in listed)
    main(["dream", "--store", store, "--budget", "20"])
    assert f"Tasks: 20 tried, {tasks['kept']} kept" in capsys.readouterr().out


def test_nothing_to_dream_of_ends_in_a_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "b.db")
    with open_store(path) as opened:
        opened.add_sessions([Session((Turn("user", "Hello"),))])
    assert main(["dream", "--store", path]) == 1
    assert "try: " in capsys.readouterr().err


def dashed(number: int) -> Session:
    """The same through a tool whose name is none in Python."""
    call = ToolCall("c", "get-lamp", json.dumps({"lamp_id": f"L-{number}"}))
    told = Turn("tool", "{}", tool_call_id="c")
    return Session((Turn("user", f"Look at L-{number}"), Turn("assistant", "", (call,)), told), key=f"dashed {number}")


def test_sessions_that_are_left_out_are_counted(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    with open_store(store) as opened:
        opened.add_sessions([dashed(1), dashed(2)])
    main(["dream", "--store", store, "--json"])
    card = json.loads(capsys.readouterr().out)
    assert (card["sessions"], card["left_out"]) == (12, {"get-lamp": 2})
    main(["dream", "--store", store])
    assert "get-lamp cannot be written as a function in Python: 2 sessions that call it" in capsys.readouterr().out


def test_a_log_of_which_nothing_can_be_written_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "c.db")
    with open_store(path) as opened:
        opened.add_sessions([dashed(1)])
    assert main(["dream", "--store", path]) == 1
    assert "get-lamp" in capsys.readouterr().err


def test_where_a_world_is_put_is_looked_at_before_it_is_made(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "world.py").write_text("# a world of my own")
    for out in ("file", "file/below", "mine"):
        assert main(["dream", "--store", store, "--out", str(tmp_path / out)]) == 1
        said = capsys.readouterr()
        assert "try: " in said.err
        assert not said.out
    assert (tmp_path / "mine" / "world.py").read_text() == "# a world of my own"
    assert main(["dream", "--store", store, "--out", ""]) == 2
    assert main(["dream", "--store", store, "--world", ""]) == 2


def test_a_corrected_world_is_not_written_over(store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, book = tmp_path / "world", tmp_path / "world" / "world.py"
    dreamt = ["dream", "--store", store, "--budget", "5", "--out", str(out)]
    main(dreamt)
    main(dreamt)  # as it was written, it may be written again
    book.write_text(book.read_text() + "# what I have found out\n")
    capsys.readouterr()
    assert main(dreamt) == 1
    assert "--world" in capsys.readouterr().err
    assert "found out" in book.read_text()
    assert main([*dreamt, "--world", str(book)]) == 0
    assert "found out" in book.read_text()
    assert main(["world", "tasks", str(out)]) == 0


@pytest.mark.parametrize("line", ["{}['a']", "1 / 0", "assert False", "raise SystemExit(3)", "read.nothing", "1 +"])
def test_a_correction_that_python_does_not_take_is_told(
    line: str, store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["dream", "--store", store, "--out", str(tmp_path)])
    book = tmp_path / "world.py"
    book.write_text(f"{book.read_text()}\n{line}\n")
    capsys.readouterr()
    assert main(["dream", "--store", store, "--world", str(book)]) == 1
    said = capsys.readouterr().err
    assert "cannot be read as a world" in said
    assert "undo the last change" in said
    assert main(["dream", "--store", store, "--world", str(tmp_path / "none.py")]) == 1
    assert "there is no" in capsys.readouterr().err


def test_a_world_that_says_nothing_or_breaks_does_not_pass(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["dream", "--store", store, "--out", str(tmp_path)])
    empty, mistyped = tmp_path / "empty.py", tmp_path / "mistyped.py"
    empty.write_text("")
    mistyped.write_text((tmp_path / "world.py").read_text().replace('["state"] =', '["state"] = stat ='))
    mistyped.write_text(mistyped.read_text().replace("stat = 'on'", "stat"))
    capsys.readouterr()
    assert main(["dream", "--store", store, "--world", str(empty)]) == 1
    assert "does not pass" in capsys.readouterr().out
    assert main(["dream", "--store", store, "--world", str(mistyped)]) == 1
    assert "switch_on broke: " in capsys.readouterr().out
