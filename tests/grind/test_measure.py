"""Each defect is found and named as what binds; a clean environment is grindable, and nothing is claimed untested."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import environments as small
import pytest

import journeyman
from journeyman.errors import InputError, JourneymanError, MissingExtraError, UsageError
from journeyman.grind import Report, grind
from journeyman.grind.measurement import Labs
from journeyman.grind.report import MOST, NEEDED, ORDER, SURE, Check, inapplicable, share, untested

HERE = Path(small.__file__)
# Each with the check that is to bind, and a word of what the evidence has to show.
DEFECTS = {
    "HiddenGenerator": ("deterministic.chance", "weather"),
    "AtImport": ("deterministic.chance", "session"),
    "WallClock": ("deterministic.clock", "now"),
    "Today": ("deterministic.clock", "day"),
    "DatabaseClock": ("deterministic.clock", "now"),
    "HashOrder": ("deterministic.hash_seed", "hint"),
    "TimeZone": ("deterministic.time_zone", "due"),
    "ProcessNumber": ("deterministic.process", "session"),
    "LeavesBehind": ("isolated.sequence", "orders"),
    "FirstSeed": ("isolated.sequence", "hall"),
    "UsedInstance": ("starts.identical", "used before"),
    "SharedState": ("isolated.interleaved", "value"),
    "SeededGlobally": ("isolated.interleaved", "global generator of random"),
    "NotForThreads": ("deterministic.concurrency", "at_once"),  # where it shows first is luck: value or state
    "ForkShares": ("replayable.fork", "branch"),
    "SnapshotForgets": ("replayable.restore", "branch"),
    "MoodyVerdict": ("verifiable.repeats", "verdicts"),
    "BadOracle": ("verifiable.oracle", "reach"),
    "PaysIdleness": ("verifiable.no_op", "reach"),
    "PaysAnything": ("verifiable.random", "say"),
    "IgnoresCollateral": ("verifiable.mutants", "without"),
}


def name(defect: str) -> str:
    return f"python:{HERE}:{defect}"


def measured(defect: str, labs: Labs, budget: float = 25.0) -> Report:
    return grind(name(defect), budget=budget, labs=labs)


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_found_and_named(defect: str, labs: Labs) -> None:
    report = measured(defect, labs)
    binding, word = DEFECTS[defect]
    assert report.verdict == "not grindable"
    assert report.binding == binding
    assert word in str(report.found[binding].evidence)
    assert report.remedy == ORDER[binding][1]


def test_what_differs_now_and_then_is_blamed_on_nothing_else(labs: Labs) -> None:
    report = measured("Seldom", labs)
    causes = [id_ for id_ in ORDER if id_.startswith("deterministic.") and id_ != "deterministic.concurrency"]
    failed = [id_ for id_ in causes if report.found[id_].passed is False]
    assert failed == ["deterministic.chance", "deterministic.repeat"]


def test_a_clean_environment_is_grindable(labs: Labs) -> None:
    report = measured("Clean", labs)
    assert report.verdict == "grindable"
    assert report.binding is None
    assert [check.id for check in report.checks] == list(ORDER)
    assert not [check.id for check in report.checks if check.passed is False]
    # Nothing of it names an entity, and another locale may be missing; all else is tested.
    untested = {check.id: check.evidence["reason"] for check in report.checks if check.passed is None}
    assert set(untested) <= {"verifiable.wrong_entity", "deterministic.locale"}
    assert all(untested.values())
    assert report.found["parallel.instances"].value >= 64  # pyright: ignore[reportOptionalOperand]
    assert report.defective is False
    assert report.n >= 8


def test_an_environment_that_splits_its_process_is_heard_once(labs: Labs) -> None:
    assert measured("Splits", labs, budget=3).found["deterministic.repeat"].value in (1.0, None)


def test_what_comes_after_the_end_of_an_episode_is_not_held_against_it(labs: Labs) -> None:
    report = measured("Unseen", labs, budget=15)
    assert "besides" not in str(report.found["verifiable.mutants"].evidence.get("tasks"))
    assert (report.verdict, report.binding) == ("grindable", None)


def test_the_line_that_asks_for_the_clock_is_named(labs: Labs) -> None:
    evidence = measured("WallClock", labs).found["deterministic.clock"].evidence
    [place] = [line for line in evidence["asks_for"] if "clock" in line]
    assert f"{HERE.name}:" in place
    assert "(reset)" in place


def test_a_report_is_json_with_intervals(labs: Labs) -> None:
    report = measured("PaysIdleness", labs).to_json()
    keys = {"target", "verdict", "defective", "n", "binding", "remedy", "without", "seconds", "checks"}
    assert set(report) == keys
    assert [check["id"] for check in report["checks"]] == list(ORDER)
    for check in report["checks"]:
        assert set(check) == {"id", "passed", "value", "n", "interval", "evidence"}
        if check["passed"] is None:
            assert check["evidence"]["reason"]
        elif check["interval"] and check["id"].startswith("verifiable"):
            low, high = check["interval"]
            assert low <= check["value"] <= high
            assert check["n"] > 0
    [paid] = [check for check in report["checks"] if check["id"] == "verifiable.no_op"]
    assert paid["value"] == pytest.approx(2 / 3, abs=1e-4)
    assert all(task["paid"] == 1.0 and task["actions"] == [{"say": ""}] for task in paid["evidence"]["tasks"])


def test_what_one_does_without_does_not_bind(labs: Labs) -> None:
    report = grind(name("BadOracle"), budget=15, labs=labs, without=["verifiable"])
    assert report.verdict == "grindable"
    assert report.found["verifiable.oracle"].passed is False
    with pytest.raises(UsageError):
        grind(name("BadOracle"), without=["verifiabel"])


def test_no_time_is_no_verdict(labs: Labs) -> None:
    report = measured("Clean", labs, budget=0.05)
    assert report.verdict == "not grindable"
    assert report.binding is not None
    assert report.found[report.binding].passed is None
    assert not [check.id for check in report.checks if check.passed is False]
    assert report.defective is None
    assert str(report.remedy).startswith("not tested")


@pytest.mark.parametrize(
    ("defect", "word"),
    [
        ("Dies", "exit code 3"),
        ("Ends", "exit code 0"),
        ("Hangs", "not ended"),
        ("NoBeginning", "games.db"),
        ("Raises", "no licence server"),  # all its traces are alike, and prove nothing
        ("NoStep", "has no step"),
        ("Awaited", "step\\(\\) has to be awaited"),
    ],
)
def test_what_cannot_be_measured_ends_in_a_sentence(defect: str, word: str, labs: Labs) -> None:
    with pytest.raises(InputError, match=word):
        grind(name(defect), budget=3, labs=labs)


@pytest.mark.parametrize("defect", ["NoBeginning", "NoSuchClass"])
def test_what_could_not_be_measured_is_not_measured_in_the_next_ones_place(defect: str, labs: Labs) -> None:
    with pytest.raises(InputError):
        grind(name(defect), budget=3, labs=labs)
    assert measured("TimeZone", labs, budget=1).found["deterministic.repeat"].passed


@pytest.mark.parametrize(
    "target",
    [
        "CartPole-v1",
        "python:json",
        "python:no.such.module:make",
        "python:no_such_file.py:make",
        f"python:{HERE}:NoSuchClass",
        f"python:{HERE}:Clean.tasks",
        "mcp:/no/such/program",
        "mcp: ",
        "python::make",
        "python:json:",
    ],
)
def test_a_wrong_name_is_the_users_mistake(target: str) -> None:
    with pytest.raises(JourneymanError) as caught:
        grind(target, budget=5)
    assert caught.value.remedy
    assert "cannot be measured" not in str(caught.value)


UNGUARDED = """
from pathlib import Path

import journeyman
from environments import Clean

begun = Path(__file__).with_suffix(".begun")
with begun.open("a") as file:
    file.write("x")
if len(begun.read_text()) < 4:  # without an end of its own, it would fill the machine with processes
    journeyman.grind(Clean, budget=1)
"""


def test_a_file_that_measures_when_it_is_imported_is_not_begun_again_and_again(tmp_path: Path) -> None:
    file = tmp_path / "unguarded.py"
    file.write_text(f"import sys\nsys.path.append({str(HERE.parent)!r})\n{UNGUARDED}")
    with pytest.raises(UsageError, match="measures it again") as caught:
        grind(f"python:{file}:Clean", budget=3)
    assert "__main__" in caught.value.remedy
    assert file.with_suffix(".begun").read_text() == "x"


@pytest.mark.parametrize("budget", [0, -1.0, float("nan"), float("inf"), 1e30, "60s", None])
def test_what_is_no_time_is_no_budget(budget: Any) -> None:
    with pytest.raises(UsageError, match="no time"):
        grind(name("Clean"), budget=budget)


def test_another_python_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="cannot be started"):
        grind(name("Clean"), python="/no/such/python")


def test_another_python_that_is_none() -> None:
    with pytest.raises(InputError, match="its process ended"):
        grind(name("Clean"), python=shutil.which("false"))


def test_an_oracle_that_raises_is_the_oracles_defect(labs: Labs) -> None:
    report = measured("NoOracleLeft", labs, budget=15)
    assert report.binding == "verifiable.oracle"
    assert "solutions.json" in report.found["verifiable.oracle"].evidence["tasks"][0]["raised"]
    assert report.found["deterministic.repeat"].passed
    assert report.found["deterministic.process"].passed
    assert report.found["verifiable.mutants"].passed is None


def test_a_report_is_json_whatever_is_paid(labs: Labs) -> None:
    report = measured("PaysNothingKnown", labs, budget=15)
    assert report.binding == "verifiable.oracle"
    assert '"paid": "nan"' in json.dumps(report.to_json(), allow_nan=False)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """An interpreter that sees no site-packages at all."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')
    python.chmod(0o755)
    return python


def test_an_environment_of_another_python_needs_nothing_of_ours(bare: Path) -> None:
    report = grind(name("Clean"), budget=20, python=bare, without=["parallel"])
    assert report.verdict == "grindable"


def test_a_library_that_the_other_python_lacks_is_named(bare: Path) -> None:
    with pytest.raises(MissingExtraError, match="this needs gymnasium") as caught:
        grind("gymnasium:CartPole-v1", budget=5, python=bare)
    assert "--python" in caught.value.remedy


def test_a_class_is_measured_as_its_name(labs: Labs) -> None:
    report = journeyman.grind(small.TimeZone, budget=15, labs=labs)
    assert report.target == f"python:{HERE}:TimeZone"
    assert report.binding == "deterministic.time_zone"


def test_what_has_no_name_is_measured_here_and_the_rest_is_left_open() -> None:
    report = grind(lambda: small.Clean(), budget=10)
    assert (report.verdict, report.defective) == ("not grindable", None)
    assert report.found["deterministic.process"].passed is None
    assert "python:MODULE:FACTORY" in report.found["deterministic.process"].evidence["reason"]
    assert report.found["isolated.interleaved"].passed
    with pytest.raises(UsageError):
        grind(small.Clean(), budget=1)


def test_a_class_that_no_other_process_can_import_is_measured_here() -> None:
    class Local(small.Clean):
        pass

    report = grind(Local, budget=3)
    assert report.found["deterministic.repeat"].passed
    assert report.found["deterministic.process"].passed is None


@pytest.mark.parametrize("how", [["-"], ["-c", "exec(open(0).read())"]])
def test_a_class_that_was_typed_in_has_no_file(how: list[str]) -> None:
    said = f"""
import sys
sys.path.append({str(HERE.parent)!r})
from environments import Clean
from journeyman.grind import grind
class Mine(Clean):
    pass
print(grind(Mine, budget=3).found["deterministic.repeat"].passed)
"""
    found = subprocess.run([sys.executable, *how], input=said, capture_output=True, text=True, check=False)
    assert (found.stdout, found.stderr) == ("True\n", "")


@pytest.mark.parametrize("what", [1 / 7, SystemExit(3), RuntimeError("no licence")], ids=repr)
def test_a_factory_of_this_process_that_fails_is_no_environment(what: Any) -> None:
    def make() -> Any:
        if isinstance(what, BaseException):
            raise what
        return what

    with pytest.raises(InputError) as caught:
        grind(make, budget=1)
    assert caught.value.remedy


def test_an_environment_of_this_process_that_exits_does_not_end_it() -> None:
    class Leaves(small.Clean):
        def step(self, action: dict[str, Any]) -> Any:
            raise SystemExit(3)

    with pytest.raises(InputError, match="SystemExit: 3"):
        grind(lambda: Leaves(), budget=1)


def test_a_share_fails_only_where_its_interval_says_so() -> None:
    assert share("verifiable.no_op", 96, 100, 0.95).passed is True
    assert share("verifiable.no_op", 47, 50, 0.95).passed is None
    assert "too few" in share("verifiable.no_op", 47, 50, 0.95).evidence["reason"]
    assert share("verifiable.no_op", 40, 50, 0.95).passed is False
    assert share("deterministic.repeat", 49, 50, 1.0).passed is False  # one counterexample is enough
    assert share("verifiable.no_op", 0, 0, 0.95).passed is None


def test_a_share_passes_only_where_its_interval_says_so() -> None:
    for least in (MOST, 1.0):
        assert share("verifiable.no_op", 1, 1, least).passed is None
        few = share("verifiable.no_op", 7, 7, least)
        assert (few.passed, few.value, few.n) == (None, 1.0, 7)
        assert "too few" in few.evidence["reason"]
        enough = share("verifiable.no_op", 8, 8, least)
        assert enough.passed is True
        assert enough.interval is not None
        assert enough.interval[0] > SURE
    assert share("verifiable.no_op", 19, 20, MOST).passed is True


def holding() -> dict[str, Check]:
    return {id_: share(id_, 8, 8, 1.0) for id_ in ORDER}


def reported(checks: dict[str, Check], *without: str) -> Report:
    return Report("x", list(checks.values()), 1.0, without)


def test_a_verdict_names_the_least_that_was_asked() -> None:
    checks = {id_: share(id_, 20, 20, 1.0) for id_ in ORDER} | {"starts.identical": share("starts.identical", 9, 9, 1)}
    assert (reported(checks).verdict, reported(checks).n) == ("grindable", 9)


@pytest.mark.parametrize("id_", NEEDED)
def test_each_check_that_is_needed_is_missed(id_: str) -> None:
    for check in (untested(id_, "no time"), share(id_, 1, 1, 1.0)):
        report = reported(holding() | {id_: check})
        assert (report.verdict, report.binding, report.defective) == ("not grindable", id_, None)
        assert check.evidence["reason"] in str(report.remedy)
        assert reported(holding() | {id_: check}, id_).verdict == "grindable"
    gone = holding()
    del gone[id_]
    assert reported(gone).binding == id_
    assert reported(gone).remedy
    assert reported(holding() | {id_: inapplicable(id_, "it has none")}).verdict == "grindable"
    assert reported(holding() | {id_: share(id_, 0, 8, 1.0)}).defective is True


def test_what_a_verdict_does_without_is_little() -> None:
    assert set(ORDER) - set(NEEDED) == {"isolated.sequence", "deterministic.chance", "parallel.speed"}
