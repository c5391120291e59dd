"""Executable worlds for language agents: state that forks for nothing, tools, tasks, and verdicts that can be trusted.

    from journeyman.world import Env, load

    env = Env(load("shop"))
    instruction, info = env.reset("cancel-1", seed=1)
    step = env.step('{"name": "get_case", "arguments": {"case": "K-31"}}')

Always holds: a world is a function of its state, its seed and what is done; importing this loads nothing, and each name
of `__all__` is loaded when it is first used. Needs rpds-py, and apsw for states in SQLite; no torch.

Knows only where the public names live.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from journeyman.world.actions import Action, Broken, Call, Say
    from journeyman.world.admission import Finding, admit
    from journeyman.world.context import Context, instant
    from journeyman.world.env import BatchEnv, Env, Snapshot, Step
    from journeyman.world.episode import record, replay
    from journeyman.world.files import load_sqlite, load_text, save_sqlite, save_text
    from journeyman.world.outcome import Abstain, Conflict, Invalid, NotFound, Outcome, Refused, Tier
    from journeyman.world.saying import Fact, fact
    from journeyman.world.shapes import WORDS
    from journeyman.world.state import State
    from journeyman.world.suite import Suite, load
    from journeyman.world.tables import Change, Table
    from journeyman.world.task import Allowed, Forbidden, Task
    from journeyman.world.tools import Tool, read, write
    from journeyman.world.user import Known, Script, UserSim
    from journeyman.world.verifier import Verdict, Verifier
    from journeyman.world.world import Rules, World

_HOMES = {
    "actions": "Action Broken Call Say",
    "admission": "Finding admit",
    "context": "Context instant",
    "env": "BatchEnv Env Snapshot Step",
    "episode": "record replay",
    "files": "load_sqlite load_text save_sqlite save_text",
    "outcome": "Abstain Conflict Invalid NotFound Outcome Refused Tier",
    "saying": "Fact fact",
    "shapes": "WORDS",
    "state": "State",
    "suite": "Suite load",
    "tables": "Change Table",
    "task": "Allowed Forbidden Task",
    "tools": "Tool read write",
    "user": "Known Script UserSim",
    "verifier": "Verdict Verifier",
    "world": "Rules World",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "WORDS",
    "Abstain",
    "Action",
    "Allowed",
    "BatchEnv",
    "Broken",
    "Call",
    "Change",
    "Conflict",
    "Context",
    "Env",
    "Fact",
    "Finding",
    "Forbidden",
    "Invalid",
    "Known",
    "NotFound",
    "Outcome",
    "Refused",
    "Rules",
    "Say",
    "Script",
    "Snapshot",
    "State",
    "Step",
    "Suite",
    "Table",
    "Task",
    "Tier",
    "Tool",
    "UserSim",
    "Verdict",
    "Verifier",
    "World",
    "admit",
    "fact",
    "instant",
    "load",
    "load_sqlite",
    "load_text",
    "read",
    "record",
    "replay",
    "save_sqlite",
    "save_text",
    "write",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'journeyman.world' has no attribute {name!r}")
    return getattr(import_module(f"journeyman.world.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
