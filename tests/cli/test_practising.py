"""`journeyman grind train` as a user calls it, with a tiny random model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from journeyman.cli import build_parser, main

SMALL = [
    "--steps",
    "1",
    "--tasks",
    "1",
    "--group",
    "2",
    "--held-out",
    "2",
    "--examples",
    "0",
    "--family",
    "cancel_order",
]


def test_it_measures_practises_measures_again_and_writes_the_adapter(
    tiny_directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["grind", "train", "world:shop", "--model", str(tiny_directory), *SMALL, "--seed", "3"]
    assert main([*words, "--output", str(tmp_path / "adapter"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["world"], found["seed"], len(found["steps"])) == ("shop", 3, 1)
    assert found["steps"][0] == {**found["steps"][0], "reward": 0.0, "zero_variance": 1.0}
    assert found["held_out"]["tasks"] == len(found["items"]) >= 2
    assert found["held_out"]["before"]["score"] == 0
    assert found["held_out"]["before"]["interval"][1] > 0
    assert (tmp_path / "adapter" / "adapter_config.json").is_file()
    assert main([*words, "--output", str(tmp_path / "adapter")]) == 2
    assert "try: " in capsys.readouterr().err


def test_a_person_reads_that_nothing_was_learnt(tiny_directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grind", "train", "shop", "--model", str(tiny_directory), *SMALL]) == 0
    said = capsys.readouterr().out
    assert "before: 0% (0% to " in said
    assert "no try earned anything" in said


def test_whole_tasks_are_practised_over_several_turns(tiny_directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*SMALL[:-1], "cancel", "--whole", "--json"]
    assert main(["grind", "train", "shop", "--model", str(tiny_directory), *words]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {name.partition("-")[0] for name, _, _ in found["items"]} == {"cancel"}
    assert found["steps"][0]["kinds"] == {"cancel": 0.0}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], 2),
        (["shop", "--group", "1"], 2),
        (["shop", "--examples", "-1"], 2),
        (["shop", "--steps", "0"], 2),
        (["shop", "--output", f"{__file__}/adapter"], 2),
        (["nowhere"], 1),
        (["shop", "--family", "fly"], 1),
        (["shop", "--calls", "9"], 1),
        (["shop", "--held-out", "10000"], 1),
    ],
)
def test_a_mistake_ends_in_a_remedy(words: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grind", "train", *words]) == code
    assert "try: " in capsys.readouterr().err


def test_training_stands_beside_measuring(capsys: pytest.CaptureFixture[str]) -> None:
    parser = build_parser()
    assert parser.parse_args(["grind", "train", "shop"]).run is not parser.parse_args(["grind", "world:shop"]).run
    assert main(["grind", "train", "--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: journeyman grind train ")
    assert main(["grind", "--help"]) == 0
    assert "journeyman grind train WORLD" in capsys.readouterr().out
