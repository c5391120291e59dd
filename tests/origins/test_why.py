"""An answer is led back to the lesson, the session and the night that it was learnt from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from nightly import said
from two_nights import Line

from journeyman.cli import main
from journeyman.origins.changes import steps
from journeyman.origins.why import explain, start_of
from journeyman.store import open_store


def asked(line: Line, question: str, adapter: str = "") -> dict:
    with open_store(line.path) as store:
        return explain(store, line.engine, store.adapter(adapter or line.two), question)


def test_the_lesson_is_named_with_its_session_and_night(line: Line) -> None:
    found = asked(line, "What of grey?")
    assert found["changed"]
    assert "grey" in found["answers"]["now"]
    assert "grey" not in found["answers"]["before"]
    assert [each["night"] for each in found["nights"]] == ["n0", "n1"]
    assert found["nights"][1]["gain"] > found["nights"][0]["gain"]
    first = found["lessons"][0]
    assert (first["text"], first["session"], first["turn"], first["night"]) == (
        "grey",
        said("grey", user="rosa").id,
        0,
        "n1",
    )
    assert (first["user"], first["kept"], first["holds_answer"], first["asked"]) == (
        "rosa",
        True,
        True,
        "What of grey?",
    )
    assert first["influence"] == max(each["influence"] for each in found["lessons"])
    json.dumps(found)


@pytest.mark.parametrize("word", ["Ada", "oak"])
def test_of_two_lessons_of_a_night_the_cause_comes_first(line: Line, word: str) -> None:
    found = asked(line, f"What of {word}?", line.one)
    assert word in found["answers"]["now"]
    assert [each["text"] for each in found["lessons"]] == [word, *({"Ada", "oak"} - {word})]
    first, second = (each["influence"] for each in found["lessons"])
    assert first == pytest.approx(-second), "over the mean of the night"
    assert 0 < first < 1


def test_a_night_begins_where_it_is_said_to_begin(line: Line) -> None:
    """From nothing, or from its parent: a fresh adapter adds nothing, whatever its seed."""
    with open_store(line.path) as store:
        first, second = steps(store, store.adapter(line.two))
        assert all(not b.any() for _, b in start_of(store, line.engine, first).matrices.values())
        assert any(bool(b.any()) for _, b in start_of(store, line.engine, second).matrices.values())
    assert (first.making.parent, second.making.parent) == ("", line.one)


def test_the_base_has_learnt_from_nobody(line: Line) -> None:
    with open_store(line.path) as store:
        found = explain(store, line.engine, None, "What of grey?")
    assert (found["adapter"], found["changed"], found["nights"], found["lessons"]) == (None, False, [], [])


def copied(line: Line, folder: Path) -> Path:
    shutil.copy(line.path, folder / "day.db")
    shutil.copytree(f"{line.path}.d", folder / "day.db.d")
    return folder / "day.db"


def test_what_cannot_be_looked_into_is_said(line: Line, tmp_path: Path) -> None:
    path = copied(line, tmp_path)
    with open_store(path) as store:
        shutil.rmtree(tmp_path / "day.db.d" / "adapters" / line.one)
        found = explain(store, line.engine, store.adapter(line.two), "What of grey?")
    assert [each["why_not"] for each in found["nights"]] == [
        "the files of its adapter are gone",
        "the files of the adapter that it began from are gone",
    ]
    assert found["lessons"] == []
    assert found["answers"]["before"] is None


def test_phases_that_are_empty_are_no_lessons(line: Line, tmp_path: Path) -> None:
    import apsw

    path = copied(line, tmp_path)
    database = apsw.Connection(str(path))
    database.execute("UPDATE phases SET output = '{}' WHERE night = 'n1'")
    database.execute("UPDATE nights SET result = json_set(result, '$.erased', 'e1') WHERE key = 'n1'")
    database.close()
    with open_store(path) as store:
        found = explain(store, line.engine, store.adapter(line.two), "What of grey?")
    assert found["nights"][1]["why_not"] == "what it had learned from was erased"
    assert all(each["night"] == "n0" for each in found["lessons"])


def test_the_command_says_it_in_words_and_in_json(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["why", "What of Ada?", "--store", str(line.path), "--model", str(line.model), "--lessons", "1"]
    assert main([*words, "--adapter", line.one]) == 0
    out = capsys.readouterr().out
    assert "1. Ada" in out
    assert "it holds the answer" in out
    assert "and 1 lesson with less influence" in out
    assert main([*words, "--adapter", "base", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lessons"] == []
