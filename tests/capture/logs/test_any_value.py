"""Whatever a file holds, it is read or refused: no value raises anything else."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from journeyman.capture.files import read_files
from journeyman.capture.logs import FORMATS, Logs
from journeyman.capture.logs.calls import Place
from journeyman.capture.messages import UnreadableError
from journeyman.records import Session
from journeyman.store import open_store

SAMPLES = Path(__file__).parents[1] / "samples"
VALUES: list[Any] = [
    json.loads(line) for path in sorted(SAMPLES.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines()
] + [json.loads(path.read_text("utf-8")) for path in sorted(SAMPLES.glob("*.json"))]
ODD: list[Any] = [
    None,
    True,
    -1,
    1e400,
    10**400,
    "",
    "x",
    "\ud800",
    [],
    [None],
    [[]],
    {},
    {"": None},
    {"id": []},
    "{",
    '["x"]',
]


def changed(value: Any, choose: Any) -> Any:
    """The value with one place of it, anywhere, as something else."""
    if choose(9) == 0 or not isinstance(value, dict | list) or not value:
        return ODD[choose(len(ODD))]
    if isinstance(value, list):
        place = choose(len(value))
        return [*value[:place], changed(value[place], choose), *value[place + 1 :]]
    name = sorted(value)[choose(len(value))]
    return {**value, name: changed(value[name], choose)}


@pytest.mark.parametrize("seed", range(8))
def test_samples_with_something_odd_in_them(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    with open_store(tmp_path / "store.db") as store:
        read = [session for _ in range(100) for session in read_some(rng.randrange)]
        store.add_sessions(read)
        assert len(read) > 9, "some of it can still be read"
        assert {each.id for each in store.sessions()} == {each.id for each in read}


def read_some(choose: Any) -> list[Session]:
    logs = Logs(FORMATS[choose(len(FORMATS))])
    for line in range(1 + choose(5)):
        value = VALUES[choose(len(VALUES))]
        for _ in range(choose(3)):
            value = changed(value, choose)
        with suppress(UnreadableError):
            logs.take(value, Place(0, line))
    sessions, refused = logs.sessions()
    assert all(session.turns for _, session in sessions)
    assert all(reason for _, reason in refused)
    return [session for _, session in sessions]


@pytest.mark.parametrize("name", ["input", "output"])
def test_what_is_nested_too_deeply_is_refused(tmp_path: Path, name: str) -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    line = {"id": "g", "type": "GENERATION", "traceId": "t", "input": "hi", "output": "hello", name: {"x": deep}}
    path = tmp_path / "deep.jsonl"
    path.write_text(json.dumps(line))
    (report,) = read_files([path])
    assert len(report.sessions) + len(report.refused) == 1
