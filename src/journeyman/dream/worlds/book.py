"""The world as a Python file that a person can read and correct, and that file as a world.

    book = written(induction, "coffee")
    rules = opened(path)

Always holds: a file gives the same rules wherever it is read, and reaches for nothing but `journeyman.world`; it is
code, so open only what you have read or made yourself.

Knows programs; nothing of how they were induced.
"""

from __future__ import annotations

import linecache
import sys
from collections.abc import Iterable, Mapping
from hashlib import sha256
from types import ModuleType

from journeyman.dream.worlds.kinds import Kind
from journeyman.dream.worlds.program import Program
from journeyman.world.documents import WORDS
from journeyman.world.saved import opened, rules

__all__ = ["module", "opened", "recorded", "recordings_of", "rules", "written"]

_HEAD = '''"""What {name}'s tools do, induced from {sessions} recorded sessions.

Correct what is wrong, and have it admitted again. `agreed` stands where what was seen can be read in more than one
way: leave the right reading.
"""

# ruff: noqa
from typing import Any

from journeyman.world import Context, read, write
from journeyman.world.documents import (
    Abstain,
    Desk,
    Documents,
    Refused,
{words}
)

'''


def written(
    name: str, sessions: int, kinds: Iterable[Kind], closed: Iterable[str], programs: Mapping[str, Program]
) -> str:
    closed = set(closed)
    lines = [_HEAD.format(name=name, sessions=sessions, words="\n".join(f"    {each.__name__}," for each in WORDS))]
    for kind in kinds:
        fields = ", ".join(repr(field) for field in sorted(kind.fields))
        lines.append(f'{kind.name.upper()} = Documents("{kind.name}", ({fields},), closed={kind.name in closed})\n')
    for tool in sorted(programs):
        if recorded(programs[tool]):
            lines.append(f'{programs[tool].recordings} = Documents("{recordings_of(tool)}", ("answer",))\n')
    for tool in sorted(programs):
        lines.append("\n\n" + programs[tool].source())
    return "".join(lines)


def recordings_of(tool: str) -> str:
    """The table of what a tool was seen to answer."""
    return f"{tool}_recorded"


def recorded(program: Program) -> bool:
    """Whether all that is known of the tool is what it was seen to answer."""
    return program.answer is None and not program.writes


def module(text: str, name: str) -> ModuleType:
    """The file's text as a module, without a file."""
    at = f"<world {name} {sha256(text.encode()).hexdigest()[:12]}>"
    made = ModuleType(f"induced_{name}")
    made.__file__ = at
    linecache.cache[at] = (len(text), None, text.splitlines(keepends=True), at)
    sys.modules[made.__name__] = made
    exec(compile(text, at, "exec"), vars(made))
    return made
