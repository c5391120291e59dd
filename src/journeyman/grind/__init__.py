"""Whether an environment can be ground: verifiable, deterministic, replayable, from identical starts, isolated, in
parallel; and, if not, what binds.

    import journeyman
    report = journeyman.grind("gymnasium:CartPole-v1", budget=30)
    print(report.verdict, report.binding, report.remedy)

`grind` takes the name of a target (names.py), a factory, or an environment (target.py). Each property is one or more
checks (report.py); they run in processes of their own (lab.py, worker.py), so that an environment of another Python, or
one that dies, can be measured too.

Always holds: what could not be tested is not taken for passed; the environment is never changed, only surrounded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from journeyman.grind.measure import grind
    from journeyman.grind.report import Check, Report

__all__ = ["Check", "Report", "grind"]

_HOMES = {"grind": "measure", "Check": "report", "Report": "report"}


def __getattr__(name: str) -> Any:
    # Late: a worker of another Python imports this package, and needs only what runs an environment.
    if name not in _HOMES:
        raise AttributeError(f"module 'journeyman.grind' has no attribute {name!r}")
    return getattr(import_module(f"journeyman.grind.{_HOMES[name]}"), name)
