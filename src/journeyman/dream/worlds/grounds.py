"""What a log knows of how things stand: the states it was in, what stands in them, and what decides there.

Always holds: a state is the world's beginning with what one session showed of it, moved on by that session's calls, and
corrected by what they answered; what decides is found by trying it out in the world.

Knows the induced world and the log; nothing of tasks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from journeyman.dream.worlds.history import History
from journeyman.dream.worlds.induced import Induced
from journeyman.dream.worlds.reentry import Find, counted
from journeyman.dream.worlds.units import Drop
from journeyman.world.actions import Call
from journeyman.world.context import Context
from journeyman.world.outcome import Tier
from journeyman.world.saved import Key, with_keys
from journeyman.world.state import State
from journeyman.world.world import World

_STATES = 8  # values of a field that says how things stand
_LONGEST, _MOST = 160, 5  # letters of a refusal that goes into the guide, and refusals of one tool
_GUIDE = """Do what the user asks for, and nothing else. Look before you change anything: what the business refuses is \
not to be tried; do the rest."""


class Grounds:
    """`rules`: those of the world, with what its tools refuse in the guide; `keys`: which arguments name documents."""

    def __init__(self, induced: Induced, history: History) -> None:
        self.induced, self.history, self.sessions = induced, history, history.sessions
        self.kinds = [kind for kind in induced.kinds.all if kind in induced.documents]
        self.keys = keys(self.kinds, induced.start, history)
        self.rules = with_keys(induced.rules, guide(history), self.keys)
        self._kind_at = {(tool, argument): kind for tool, argument, kind in self.keys}
        self._starts: dict[tuple[int, int], State] = {}

    def start(self, at: int, place: int) -> State:
        """What is known in a session after so many calls: the world's beginning with what this session showed of it,
        moved on by what was called."""
        if (at, place) not in self._starts:
            here = Context(self.induced.start, True, Tier.RECORDED)
            moments = self.history.moments[at]
            for (kind, key), document in moments[0].docs.items() if moments else ():
                documents = self.induced.documents.get(kind)
                if documents is not None:
                    row = documents.row(key, document)
                    if self.induced.start.row(kind, key) != row:
                        here.put(documents.table, row)
            world = self.induced.world
            world.restore(here.result())
            for call in self.sessions[at].calls[:place]:
                self.induced.observe(call)
            self._starts[at, place] = world.state.as_start()
            world.restore(self.induced.start)
        return self._starts[at, place]

    def finder(self, state: State) -> Find:
        def find(kind: str, key: str) -> Any:
            documents = self.induced.documents.get(kind)
            row = None if documents is None else state.row(kind, key)
            return None if documents is None or row is None else documents.document(row)

        return find

    def names(self, call: Call) -> Iterator[tuple[str, str]]:
        """The things that a call names: kind and key."""
        for argument, value in call.args.items():
            kind = self._kind_at.get((call.tool, argument))
            for key in value if isinstance(value, list) else (value,):
                if kind is not None and isinstance(key, str):
                    yield kind, key

    def reason(self, start: State, call: Call) -> tuple[Call, str, str]:
        """A read that shows why a call is refused, and the argument and key of what it is about: with one field of that
        document as others have it, the call would succeed."""
        find = self.finder(start)
        for argument, key in call.args.items():
            kind = self._kind_at.get((call.tool, argument))
            if kind is None or not isinstance(key, str) or (document := find(kind, key)) is None:
                continue
            look = self._look(start, kind, key)
            if look is None:
                continue
            documents = self.induced.documents[kind]
            for field, held in document.items():
                others = sorted(self._values[kind, field] - {held}) if isinstance(held, str) else []
                for other in others if len(others) <= _STATES else ():
                    here = Context(start, True, Tier.RECORDED)
                    here.put(documents.table, documents.row(key, {**document, field: other}))
                    if World(self.rules, here.result()).call(*call).ok:
                        return look, argument, key
        raise Drop("it is refused, and nothing that can be read tells why")

    def _look(self, start: State, kind: str, key: str) -> Call | None:
        for name, seen in self.induced.kinds.whole.items():
            tool = self.rules.tools.get(name)
            if tool is not None and not tool.writes and seen.argument and seen.kind.name == kind:
                call = Call(name, {seen.argument: key})
                if World(self.rules, start).call(*call).ok:
                    return call
        return None

    @cached_property
    def _values(self) -> dict[tuple[str, str], set[str]]:
        """For each field of each kind the strings that were seen there."""
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        for shows in self.history.shows:
            for docs in shows:
                for (kind, _), document in docs.items():
                    for field, value in document.items():
                        if isinstance(value, str):
                            found[kind, field].add(value)
        return found

    @cached_property
    def _spread(self) -> dict[str, Counter[str]]:
        start = self.induced.start
        find = self.finder(start)
        return {kind: counted(find(kind, key) for key in start.keys(kind)) for kind in self.kinds}

    def is_unique(self, start: State, text: str) -> bool:
        """Whether a string is a name: a key, or in no more than one document of each kind."""
        if any(start.row(kind, text) is not None for kind in self.kinds):
            return True
        return all(self._spread[kind][text] <= 1 for kind in self.kinds)


def keys(kinds: Iterable[str], start: State, history: History) -> list[Key]:
    """Which arguments are keys of which documents: at least half of what stood there was one."""
    known = {kind: set(start.keys(kind)) for kind in kinds}
    for shows in history.shows:
        for docs in shows:
            for kind, key in docs:
                if kind in known:
                    known[kind].add(key)
    seen: Counter[tuple[str, str]] = Counter()
    hits: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for session in history.sessions:
        for call in session.calls:
            for argument, value in call.arguments.items():
                for each in value if isinstance(value, list) else (value,):
                    if isinstance(each, str):
                        seen[call.tool, argument] += 1
                        hits[call.tool, argument].update(kind for kind in known if each in known[kind])
    found: list[Key] = []
    for (tool, argument), counts in sorted(hits.items()):
        kind, count = max(sorted(counts.items()), key=lambda pair: pair[1], default=("", 0))
        if 2 * count >= seen[tool, argument]:
            found.append((tool, argument, kind))
    return found


def guide(history: History) -> str:
    """What whoever acts is told: how the tools were seen to refuse, in their own words."""
    said: dict[str, Counter[str]] = defaultdict(Counter)
    for session in history.sessions:
        for call in session.calls:
            if not call.ok and isinstance(call.value, str) and 0 < len(call.value) <= _LONGEST:
                said[call.tool][call.value] += 1
    lines: list[str] = []
    for tool, counts in sorted(said.items()):
        often = sorted(counts, key=lambda words: (-counts[words], words))
        lines.append(f"- {tool}: {'; '.join(often[:_MOST])}")
    return "\n".join([_GUIDE, *(["What the tools refuse, in their words:", *lines] if lines else ())])
