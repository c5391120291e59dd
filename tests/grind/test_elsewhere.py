"""Bridges to libraries that live in another Python: named by an environment variable, else this one if it has them.

JOURNEYMAN_TEST_VERIFIERS=~/venvs/vf/bin/python JOURNEYMAN_TEST_OPENENV=~/venvs/oe/bin/python pytest tests/grind
"""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from journeyman.errors import InputError
from journeyman.grind import grind

BUDGET = 10
HERE = Path(__file__).parent / "elsewhere"


def python(library: str) -> str:
    """The Python that has it; the test is skipped where there is none."""
    if chosen := os.environ.get(f"JOURNEYMAN_TEST_{library.upper()}"):
        return chosen
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"no Python with {library}: set JOURNEYMAN_TEST_{library.upper()}")
    return sys.executable


@pytest.fixture(autouse=True)
def _beside_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE)


@pytest.mark.parametrize(
    ("name", "binding"),
    [("Sums", "verifiable.oracle"), ("LaxSums", "verifiable.no_op"), ("DrawnSums", "deterministic.")],
)
def test_tasksets_of_verifiers(name: str, binding: str) -> None:
    report = grind(f"verifiers:sums:{name}", python=python("verifiers"), budget=BUDGET, without=["parallel"])
    assert str(report.binding).startswith(binding)  # within a short time a cause is not always found
    if name == "Sums":  # nothing fails: what is missing is a solution that is published
        assert not [check.id for check in report.checks if check.passed is False]
        assert report.found["verifiable.no_op"].passed
        assert report.found["verifiable.oracle"].passed is None


@pytest.mark.parametrize(
    ("name", "why"), [("InARuntime", "a runtime for their rewards"), ("Data", "no taskset"), ("None", "no taskset")]
)
def test_what_a_reply_alone_does_not_score_is_refused(name: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        grind(f"verifiers:sums:{name}", python=python("verifiers"), budget=BUDGET)


@pytest.mark.parametrize(("name", "binding"), [("Counter", "None"), ("Drawn", "deterministic.")])
def test_an_openenv_environment_in_a_process(name: str, binding: str) -> None:
    report = grind(
        f"openenv:counting:{name}",
        python=python("openenv"),
        budget=BUDGET,
        without=["verifiable", "parallel.instances"],
    )
    assert str(report.binding).startswith(binding)


def test_the_oracle_of_an_openenv_environment_is_used() -> None:
    report = grind("openenv:counting:Solved", python=python("openenv"), budget=BUDGET)
    found = report.found["verifiable.oracle"]
    assert (found.passed, found.value) == (True, 1.0)
    assert found.n >= 8


def test_an_openenv_server() -> None:
    with running(python("openenv"), sessions=80) as url:
        surrounding = ["process", "clock", "hash_seed", "time_zone"]
        without = ["verifiable", "parallel", *(f"deterministic.{each}" for each in surrounding)]
        report = grind(f"openenv:{url}", python=python("openenv"), budget=BUDGET, without=without)
        assert not [check.id for check in report.checks if check.passed is False and "parallel" not in check.id]
        assert report.found["isolated.interleaved"].passed
        assert "cannot be changed from here" in report.found["deterministic.process"].evidence["reason"]


def test_an_openenv_server_of_one_session_says_what_to_do() -> None:
    with (
        running(python("openenv"), sessions=1) as url,
        pytest.raises(InputError, match="takes 1 session") as found,
    ):
        grind(f"openenv:{url}", python=python("openenv"), budget=BUDGET)
    assert "max_concurrent_envs" in found.value.remedy


@contextmanager
def running(interpreter: str, sessions: int) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([interpreter, "counting.py", str(port), str(sessions)])
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            time.sleep(0.2)
            try:
                urllib.request.urlopen(f"{url}/schema", timeout=5).close()
            except OSError:
                assert server.poll() is None
            else:
                break
        yield url
    finally:
        server.terminate()
        server.wait()
