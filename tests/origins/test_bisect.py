"""The night at which an answer changed is found, by as few questions as it takes."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightly import said
from two_nights import Line

from journeyman.cli import main
from journeyman.origins.bisect import bisect, turning_points
from journeyman.store import open_store


@given(st.integers(1, 200), st.data())
def test_one_change_is_found_by_halving(last: int, data: st.DataObject) -> None:
    at = data.draw(st.integers(1, last))
    asked: set[int] = set()

    def answer(place: int) -> bool:
        asked.add(place)
        return place >= at

    assert turning_points(answer, 0, last) == [at]
    assert len(asked) <= 2 + math.ceil(math.log2(last)) if last > 1 else len(asked) == 2


@given(st.lists(st.integers(0, 2), min_size=1, max_size=40))
def test_what_is_named_is_a_change_and_different_ends_name_one(answers: list[int]) -> None:
    found = turning_points(answers.__getitem__, 0, len(answers) - 1)
    assert all(answers[place] != answers[place - 1] for place in found)
    assert bool(found) == (answers[0] != answers[-1])
    assert found == sorted(set(found))


def looked(line: Line, question: str, expect: str = "", every: bool = False) -> dict:
    with open_store(line.path) as store:
        return bisect(store, line.engine, store.adapter(line.two), question, expect, every)


def test_the_night_is_named_with_both_answers_and_its_lessons(line: Line) -> None:
    found = looked(line, "What of grey?", "grey")
    (change,) = found["changes"]
    assert (change["night"], change["adapter"], change["passed"]) == ("n1", line.two, [])
    assert "grey" in change["after"]
    assert "grey" not in change["before"]
    (lesson,) = change["lessons"]
    assert (lesson["text"], lesson["session"], lesson["holds_answer"]) == ("grey", said("grey", user="rosa").id, True)
    assert [each["adapter"] for each in found["line"]] == ["", line.one, line.two]
    json.dumps(found)


def test_without_words_to_expect_any_other_answer_is_a_change(line: Line) -> None:
    found = looked(line, "What of Ada?")
    assert found["ends_differ"]
    first = found["changes"][0]
    assert (first["night"], "Ada" in first["after"]) == ("n0", True)
    assert [each["night"] for each in looked(line, "What of Ada?", every=True)["changes"]][:1] == ["n0"]


def test_ends_that_agree_are_said_to_agree(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bisect", "What of grey?", "--store", str(line.path), "--model", str(line.model), "--expect", "zebra"]
    assert main([*words, "--adapter", line.two]) == 0
    assert "the same at both ends; it may have come and gone in between: --every asks all" in capsys.readouterr().out
    assert main([*words, "--adapter", line.two, "--every", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ends_differ"], found["changes"], found["asked"]) == (False, [], 3)
    assert main([*words, "--adapter", "base"]) == 1
    assert "no adapter is in service" in capsys.readouterr().err


def test_a_night_whose_adapter_is_gone_is_named_beside_the_next(line: Line, tmp_path: Path) -> None:
    shutil.copy(line.path, tmp_path / "day.db")
    shutil.copytree(f"{line.path}.d", tmp_path / "day.db.d")
    shutil.rmtree(tmp_path / "day.db.d" / "adapters" / line.one)
    with open_store(tmp_path / "day.db") as store:
        found = bisect(store, line.engine, store.adapter(line.two), "What of grey?", "grey")
    (change,) = found["changes"]
    assert (change["night"], change["passed"]) == ("n1", ["n0"])
    assert [each["here"] for each in found["line"]] == [True, False, True]
