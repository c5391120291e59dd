"""The graders say PASS only of what was tested: over OpenEnv's own types where they are here, else over their shape."""

from __future__ import annotations

import enum
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from journeyman.errors import InputError
from journeyman.grind.report import ORDER, Check, Report, inapplicable, share, untested

NAME = "journeyman.grind.openenv_graders"
GRADERS = (
    "SeedControl",
    "EpisodeDeterminism",
    "EpisodeIsolation",
    "OracleMax",
    "FloorGap",
    "VerifierDeterminism",
    "Replayability",
)
SUBJECT = SimpleNamespace(running=SimpleNamespace(base_url="http://127.0.0.1:1"))


@dataclass
class _Result:
    check_id: str
    status: Any
    measured: dict[str, Any]
    evidence: list[str]
    remediation: str | None
    duration_s: float


def _stand_ins() -> dict[str, ModuleType]:
    """The names that the graders import from OpenEnv 0.10, with its forms."""
    names = ["openenv", *(f"openenv.validation{each}" for each in ("", ".policy", ".report", ".runner", ".types"))]
    made: dict[str, Any] = {name: ModuleType(name) for name in names}
    made["openenv.validation.policy"].load_policy = lambda version: version
    made["openenv.validation.report"].CheckResult = _Result
    made["openenv.validation.runner"].default_grader_registry = lambda _policy: {}
    made["openenv.validation.types"].CheckStatus = enum.Enum("CheckStatus", "PASS FAIL SKIP ERROR")
    made["openenv.validation.types"].Level = enum.Enum("Level", "STATIC RUNTIME SEMANTIC")
    return made


@pytest.fixture
def graders(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    if importlib.util.find_spec("openenv") is None:
        for name, module in _stand_ins().items():
            monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    yield importlib.import_module(NAME)
    sys.modules.pop(NAME, None)


def graded(graders: Any, monkeypatch: pytest.MonkeyPatch, checks: dict[str, Check]) -> dict[str, Any]:
    """What each says of a server of which this was measured; everything else about it holds."""
    whole = {id_: share(id_, 8, 8, 1.0) for id_ in ORDER} | checks
    asked: list[str] = []

    def measured(target: str, budget: float) -> Report:
        asked.append(target)
        return Report(target, [whole[id_] for id_ in ORDER], budget)

    monkeypatch.setattr(graders, "grind", measured)
    found = {name: getattr(graders, name)().run(SUBJECT) for name in GRADERS}
    assert asked == [f"openenv:{SUBJECT.running.base_url}"]  # once for all
    return found


def test_what_was_tested_and_holds_passes(graders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = graded(graders, monkeypatch, {})
    assert {name: each.status.name for name, each in found.items()} == dict.fromkeys(GRADERS, "PASS")
    assert found["SeedControl"].measured == {"starts.identical": {"value": 1.0, "n": 8}}


@pytest.mark.parametrize(
    ("id_", "grader"),
    [
        ("starts.identical", "SeedControl"),
        ("deterministic.repeat", "EpisodeDeterminism"),
        ("isolated.interleaved", "EpisodeIsolation"),
        ("verifiable.oracle", "OracleMax"),
        ("verifiable.echo", "FloorGap"),
        ("verifiable.repeats", "VerifierDeterminism"),
        ("replayable.replay", "Replayability"),
    ],
)
def test_one_check_that_is_missing_is_no_pass_and_one_that_fails_is_a_fail(
    graders: Any, monkeypatch: pytest.MonkeyPatch, id_: str, grader: str
) -> None:
    missing = graded(graders, monkeypatch, {id_: untested(id_, "no time")})
    assert {name for name, each in missing.items() if each.status.name != "PASS"} == {grader}
    assert missing[grader].status.name == "SKIP"
    assert any("no time" in line for line in missing[grader].evidence)
    graders._MEASURED.clear()
    failing = graded(graders, monkeypatch, {id_: share(id_, 0, 8, 1.0)})
    assert failing[grader].status.name == "FAIL"
    assert failing[grader].remediation == ORDER[id_][1]


def test_of_a_server_nothing_around_its_process_is_needed(graders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = ("process", "hash_seed", "clock", "time_zone", "locale")
    checks = {f"deterministic.{each}": untested(f"deterministic.{each}", "runs already") for each in outside}
    checks |= {id_: inapplicable(id_, "it has none") for id_ in ("replayable.fork", "replayable.restore")}
    found = graded(graders, monkeypatch, checks)
    assert found["EpisodeDeterminism"].status.name == found["Replayability"].status.name == "PASS"
    assert sum("runs already" in line for line in found["EpisodeDeterminism"].evidence) == len(outside)


def test_what_has_no_oracle_is_skipped(graders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [id_ for id_ in ORDER if id_.startswith("verifiable.") and id_ != "verifiable.repeats"]
    found = graded(graders, monkeypatch, {id_: untested(id_, "nobody says what is solved") for id_ in ids})
    assert found["OracleMax"].status.name == found["FloorGap"].status.name == "SKIP"


def test_what_cannot_be_measured_is_an_error_and_what_does_not_run_is_skipped(
    graders: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(target: str, budget: float) -> Report:
        raise InputError(f"{target} does not answer in {budget:g} s", "start it")

    monkeypatch.setattr(graders, "grind", refuses)
    result = graders.SeedControl().run(SUBJECT)
    assert (result.status.name, result.remediation) == ("ERROR", "start it")
    assert graders.SeedControl().run(SimpleNamespace(running=None)).status.name == "SKIP"
