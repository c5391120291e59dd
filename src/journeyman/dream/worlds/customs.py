"""What the tools of a business say alike: of a thing that is not there all speak in the same words.

Where several tools were seen to refuse so, and none in other words, the others are taken to do the same, though nobody
called them with what is not there.

Always holds: a custom is added only where nothing was seen that a tool says instead.

Knows programs; nothing of how refusals are found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from journeyman.dream.worlds.program import Program
from journeyman.dream.worlds.refusals import lookup
from journeyman.dream.worlds.scope import Name

_TOOLS = 2  # that say it, for it to be a custom


def follow_customs(programs: Mapping[str, Program]) -> None:
    """Add to each tool what the others say of a kind of thing that is not there."""
    said: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))  # kind -> words -> tools
    for tool, program in programs.items():
        for name, says in _spoken(program):
            said[name.kind][says].add(tool)
    for program in programs.values():
        silent = _silent(program)
        for name in silent:
            words = said[name.kind]
            if len(words) == 1 and len(silent) == 1:
                [(says, tools)] = words.items()
                if len(tools) >= _TOOLS and "{}" not in says:
                    program.refusals = (lookup(name, says), *program.refusals)


def _spoken(program: Program) -> Iterator[tuple[Name, str]]:
    for refusal in program.refusals:
        for each in refusal.readings:
            name = program.names.get(each.text.removesuffix(" is None"))
            if name is not None and name.shape == "doc" and refusal.missing:
                yield name, refusal.says


def _silent(program: Program) -> list[Name]:
    """What the tool looks up by its arguments, and was never seen to miss."""
    spoken = {name.name for name, _ in _spoken(program)}
    found = [name for name in program.names.values() if name.shape == "doc" and name.text.startswith("desk.find(")]
    return [name for name in found if name.name not in spoken and program.by_arguments(name)]
