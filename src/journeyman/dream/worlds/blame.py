"""Who changed what: a document is not as the world thought, and one of the calls since it was seen must have done it.

A window is a field of a document that was not as thought, with the tools that may have changed it since it was last
seen. Windows with one tool speak for themselves; of the others each is laid to the tool that is in most of them.

Always holds: blame only takes knowledge away: what a tool is blamed for is not known after it; the same contradictions
are blamed on the same tools.

Knows histories and programs; nothing of who found the contradictions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from journeyman.dream.worlds.history import History, Key
from journeyman.dream.worlds.program import Program
from journeyman.dream.worlds.values import same


class Window(NamedTuple):
    """`tools`: those that were called since and could forget this field of this kind."""

    kind: str
    field: str
    tools: tuple[str, ...]


def windows(history: History, programs: Mapping[str, Program], at: int, place: int) -> Iterator[Window]:
    """What was not as thought in the document that this call showed, besides what the call itself changes."""
    call = history.sessions[at].calls[place]
    own = programs[call.tool].own()
    for key, document in history.shows[at][place].items():
        before = history.moments[at][place].docs.get(key)
        if before is None:
            continue
        for field in document:
            if (key[0], field) not in own and not same(before.get(field), document[field]):
                since = next((p for p in range(place - 1, -1, -1) if _shows(history, at, p, key, field)), -1)
                calls = history.sessions[at].calls[since + 1 : place]
                between = {each.tool for each in calls if each.ok and each.tool in history.writers}
                tools = tuple(tool for tool in sorted(between) if _may_forget(programs[tool], key[0], field))
                if tools:
                    yield Window(key[0], field, tools)


def _shows(history: History, session: int, place: int, key: Key, field: str) -> bool:
    """Whether a call showed this field of the document, or would have if there had been one."""
    shown = history.shows[session][place].get(key)
    return shown is not None and (
        field in shown or history.sessions[session].calls[place].tool not in history.kinds.partial
    )


def blame(programs: Mapping[str, Program], found: Iterable[Window]) -> bool:
    """Tools forget what they are blamed for. Whether there was anything to blame."""
    found = list(found)
    guilty = {(window.tools[0], window.kind, window.field) for window in found if len(window.tools) == 1}
    while left := [w for w in found if not any((tool, w.kind, w.field) in guilty for tool in w.tools)]:
        seen = Counter((tool, window.kind, window.field) for window in left for tool in window.tools)
        guilty.add(min(seen, key=lambda each: (-seen[each], each)))
    for tool, kind, field in sorted(guilty):
        programs[tool].forgets += ((_named(programs[tool], kind), field),)
    return bool(guilty)


def _named(program: Program, kind: str) -> str:
    """The name that the tool has for a document of this kind, other than the one that it answers with."""
    names = [name.name for name in program.names.values() if name.shape == "doc" and name.kind == kind]
    return next((name for name in names if name != program.document), "".join(names[:1]))


def _may_forget(program: Program, kind: str, field: str) -> bool:
    name = _named(program, kind)
    return bool(name) and (name, field) not in program.forgets
