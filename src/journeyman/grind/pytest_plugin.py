"""`assert_grindable`: the measurement as an assertion in a test, and as a fixture of that name.

    from journeyman.grind.pytest_plugin import assert_grindable

    def test_my_environment():
        assert_grindable(MyEnvironment, budget=20, without=["verifiable"])

Always holds: it passes exactly when the verdict is "grindable"; when it fails, the message names what binds, the first
difference, and what to do.

pytest finds it by itself where Journeyman is installed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from journeyman.grind.report import Report


def assert_grindable(
    environment: Any,
    *,
    budget: float = 20.0,
    without: Sequence[str] = (),
    python: str | os.PathLike[str] | None = None,
) -> Report:
    """Measure an environment, by its factory or its name as `journeyman.grind` does. AssertionError if it cannot be
    ground; the report otherwise."""
    from journeyman.grind import grind

    __tracebackhide__ = True
    report = grind(environment, budget=budget, without=without, python=python)
    if report.binding is not None:
        check = report.found[report.binding]
        evidence = json.dumps(check.evidence, indent=2, ensure_ascii=False)
        raise AssertionError(
            f"{report.target} is not grindable: {report.binding} "
            f"{'failed' if check.passed is False else 'could not be tested'}\n{evidence}\nto do: {report.remedy}"
        )
    return report


@pytest.fixture(name="assert_grindable")
def _assert_grindable() -> Callable[..., Report]:
    return assert_grindable
