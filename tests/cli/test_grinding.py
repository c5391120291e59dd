"""`journeyman grind` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from journeyman.cli import main
from journeyman.cli.grinding import duration

ENVIRONMENTS = Path(__file__).parents[1] / "grind" / "environments.py"


def test_it_says_what_binds_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grind", f"python:{ENVIRONMENTS}:TimeZone", "--budget", "20s"]) == 1
    said = capsys.readouterr().out
    assert "binding: deterministic.time_zone" in said
    assert "one: 1970-01-12T13:46:40" in said
    assert "to do: keep times in UTC" in said


def test_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["grind", f"python:{ENVIRONMENTS}:Clean", "--budget", "20", "--without", "parallel", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["target", "verdict", "defective", "n", "binding", "remedy", "without", "seconds", "checks"]
    for check in found["checks"]:
        assert list(check) == ["id", "passed", "value", "n", "interval", "evidence"]
        assert check["n"] > 0 or check["passed"] is None
    assert (code, found["verdict"], found["binding"]) == (0, "grindable", None)
    assert found["without"] == ["parallel"]


@pytest.mark.parametrize(
    "words",
    [["CartPole-v1"], ["python:json:loads", "--budget", "soon"], ["python:json:loads", "--without", "everything"]],
)
def test_a_mistake_ends_in_a_remedy(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grind", *words]) == 2
    assert "try: " in capsys.readouterr().err


@pytest.mark.parametrize(("word", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("1h", 3600)])
def test_times(word: str, seconds: float) -> None:
    assert duration(word) == seconds
