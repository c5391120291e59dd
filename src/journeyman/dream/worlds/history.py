"""What was known when each call was made: documents as first seen, moved on by what later calls showed.

Inverse replay: a document that is first seen at the n-th call was like this from the session's beginning, unless a
call that may have changed it came before.

Always holds: nothing is known of a document that its session (or, for kinds that never change, some session) did not
show; a document is never changed in place, so that what was known at one call stays as it was.

Knows calls and kinds; nothing of why things change.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from journeyman.dream.worlds.calls import Call, Recording, leaves, spoken
from journeyman.dream.worlds.kinds import Kinds, at_odds, looks
from journeyman.world.documents import UNSAID

_MOSTLY = 0.7
_ODD = 0.1  # of what a tool makes, so much may have had its name before
_STAYED = 2  # so often something was seen unchanged, and never changed
Key = tuple[str, str]  # kind, key
Docs = dict[Key, dict[str, Any]]


class Moment:
    """One call, and what was known before it."""

    __slots__ = ("call", "docs", "heard", "mentioned", "place", "session", "shows")

    def __init__(
        self,
        call: Call,
        session: int,
        place: int,
        docs: Docs,
        mentioned: frozenset[str],
        shows: Docs,
        heard: frozenset[str] = frozenset(),
    ) -> None:
        self.call = call
        self.session = session
        self.place = place
        self.docs = docs
        self.mentioned = mentioned
        self.shows = shows  # the documents in its answer
        self.heard = heard  # what people had said: who is named there may be there, though nobody has shown it


class History:
    """All moments of a log. `writers`: tools after which things are not as they were; `fixed`: kinds that are always
    the same; `catalogue`: their documents."""

    def __init__(self, sessions: Sequence[Recording], kinds: Kinds) -> None:
        self.kinds = kinds
        self.sessions = sessions
        self.shows: list[list[Docs]] = [[_together(kinds, call) for call in session.calls] for session in sessions]
        self._asked = [[set(leaves(call.arguments)) for call in session.calls] for session in sessions]
        self._told = [[set(leaves(call.value)) for call in session.calls] for session in sessions]
        self.births = self._births()
        self.writers = self._writers()
        self.fixed = self._fixed()
        self.changing = self._changing()
        self._calm = self._unmoved()
        self.catalogue: Docs = {}
        for shows in self.shows:
            for docs in shows:
                for key, doc in docs.items():
                    if key[0] in self.fixed:
                        self.catalogue.setdefault(key, doc)
        self.moments: list[list[Moment]] = [self._replayed(at) for at in range(len(sessions))]

    def sight(self, session: int, place: int, key: Key) -> int | None:
        """The next call after `place` that shows this document."""
        shows = self.shows[session]
        return next((at for at in range(place + 1, len(shows)) if key in shows[at]), None)

    def named_between(self, session: int, first: int, last: int, names: set[str]) -> list[int]:
        """Calls in between that name one of these."""
        calls, asked = self.sessions[session].calls, self._asked[session]
        return [at for at in range(first + 1, last) if calls[at].ok and names & asked[at]]

    def replay(self, after: Mapping[str, Callable[..., Docs]]) -> None:
        """Once more, with what tools are known to change unseen: tool -> the documents after it."""
        self.moments = [self._replayed(at, after) for at in range(len(self.sessions))]

    def _again(self) -> Iterator[tuple[int, int, int, Key]]:
        """Each two sights of one document with none in between: session, both places, and whose. What shows only some
        of it is the later of two, and never the earlier."""
        for number, (session, shows) in enumerate(zip(self.sessions, self.shows, strict=True)):
            last: dict[Key, int] = {}
            for place, docs in enumerate(shows):
                for key in docs:
                    if key in last:
                        yield number, last[key], place, key
                    if session.calls[place].tool not in self.kinds.partial:
                        last[key] = place

    def _windows(self) -> Iterator[tuple[bool, str, list[str], list[str]]]:
        """For each two sights of one document: whether it changed, who shows it, and which tools were called since:
        those that named it or a part of it, and all."""
        foreign = {kind.field for kind in self.kinds.all.values()}
        for number, first, then, key in self._again():
            if not self.kinds.all[key[0]].part:
                calls, asked = self.sessions[number].calls, self._asked[number]
                between = [at for at in range(first + 1, then) if calls[at].ok]
                own = {key[1], *_ids(self.shows[number][then][key], foreign)}
                naming = {calls[at].tool for at in between if own & asked[at]}
                changed = self._differs(number, first, then, key)
                yield changed, calls[then].tool, sorted(naming), sorted({calls[at].tool for at in between})

    def _differs(self, session: int, first: int, then: int, key: Key) -> bool:
        """Whether a document is not as it was, as far as both calls show it."""
        before, after = self.shows[session][first][key], self.shows[session][then][key]
        if any(self.sessions[session].calls[at].tool in self.kinds.partial for at in (first, then)):
            return at_odds(before, after)
        return before != after

    def _writers(self) -> frozenset[str]:
        """A tool that shows what is mostly not as it was has changed it (if by its name it only looks, nothing else may
        have been called in between); what is left is laid to those that were there most often when something changed,
        the ones that named it first."""
        windows = list(self._windows())
        own = [(so, tool) for so, tool, naming, called in windows if not naming and not (called and looks(tool))]
        changed, calm = (Counter(tool for so, tool in own if so is wanted) for wanted in (True, False))
        sure: set[str] = {tool for tool in changed if changed[tool] >= _MOSTLY * (changed[tool] + calm[tool])}
        for named in (True, False):
            open_ = [naming if named else all_ for so, tool, naming, all_ in windows if so and tool not in sure]
            quiet = Counter(t for so, _, naming, all_ in windows if not so for t in (naming if named else all_))
            while left := [between for between in open_ if between and not sure & set(between)]:
                seen = Counter(tool for between in left for tool in between)
                guilt = {tool: (seen[tool] ** 2 / (seen[tool] + quiet[tool]), not looks(tool)) for tool in sorted(seen)}
                sure.add(max(guilt, key=guilt.__getitem__))
        return frozenset(sure | {moment_tool for moment_tool, _ in self.births.values()})

    def _births(self) -> dict[tuple[int, int, str], tuple[str, Key]]:
        """Calls that answer with a key that nothing had named before, of something seen later, or of what they show
        themselves as new: (session, call, field) -> tool and key."""
        found: dict[tuple[int, int, str], tuple[str, Key]] = {}
        fields: dict[str, list[str]] = defaultdict(list)
        for name, kind in self.kinds.all.items():
            if not kind.part and kind.field:
                fields[kind.field].append(name)
        makers = self._makers()
        for at in range(len(self.sessions)):
            for place, (call, docs, known) in enumerate(self._calls(at)):
                if call.ok and isinstance(call.value, dict) and (not docs or call.tool in makers):
                    for field in sorted(fields.keys() & call.value.keys()):
                        key = call.value[field]
                        if isinstance(key, str) and key not in known:
                            kinds = [kind for kind in fields[field] if not docs or (kind, key) in docs]
                            seen = [kind for kind in kinds if self.sight(at, place, (kind, key)) is not None]
                            if kinds:
                                found[at, place, field] = (call.tool, ((seen or kinds)[0], key))
        return found

    def _calls(self, session: int) -> Iterator[tuple[Call, Docs, set[str]]]:
        """Each call with what it shows, and all that was named before its answer."""
        known: set[str] = set()
        for place, call in enumerate(self.sessions[session].calls):
            known |= self._asked[session][place]
            yield call, self.shows[session][place], known
            known |= self._told[session][place]

    def _makers(self) -> frozenset[str]:
        """Tools that answer with a document that is new: no argument says which, another one comes of each call, and
        nobody had seen it before."""
        calls: dict[str, list[tuple[Key, bool]]] = defaultdict(list)
        for at in range(len(self.sessions)):
            for call, docs, known in self._calls(at):
                seen = self.kinds.whole.get(call.tool)
                if seen is not None and not seen.argument and not looks(call.tool):
                    calls[call.tool] += [(key, key[1] in known) for key in docs]
        return frozenset(
            tool
            for tool, made in calls.items()
            if sum(old for _, old in made) <= _ODD * len(made)
            and len({key for key, _ in made}) >= (1 - _ODD) * len(made)
        )

    def _changing(self) -> dict[str, set[str]]:
        """For each kind the fields that were seen to change within a session."""
        found: dict[str, set[str]] = defaultdict(set)
        for session, shows in zip(self.sessions, self.shows, strict=True):
            last: Docs = {}
            for call, docs in zip(session.calls, shows, strict=True):
                for key, doc in docs.items():
                    old = last.get(key, doc)
                    unsaid = old.get(UNSAID, ())
                    found[key[0]] |= {name for name in doc if name not in unsaid and doc[name] != old.get(name)}
                    last[key] = self.kinds.after(call.tool, key[0], last.get(key), doc)
        return {kind: fields for kind, fields in found.items() if not self.kinds.all[kind].part}

    def _unmoved(self) -> frozenset[tuple[str, str]]:
        """Tools and kinds of documents that only their answers name, which were seen to stay as they were: an order
        says whose it is, and who is named there has not changed."""
        stayed: Counter[tuple[str, str]] = Counter()
        changed: set[tuple[str, str]] = set()
        for number, first, then, key in self._again():
            calls, asked, told = self.sessions[number].calls, self._asked[number], self._told[number]
            for at in range(first, then):
                tool, wrote = calls[at].tool, calls[at].ok and calls[at].tool in self.writers
                only_named = key[1] in told[at] and key[1] not in asked[at] and key not in self.shows[number][at]
                if wrote and only_named:
                    stayed[tool, key[0]] += 1
                    if self._differs(number, first, then, key):
                        changed.add((tool, key[0]))
        return frozenset(each for each, n in stayed.items() if n >= _STAYED and each not in changed)

    def _fixed(self) -> frozenset[str]:
        first: Docs = {}
        differs: set[str] = set()
        twice: Counter[str] = Counter()
        for session, shows in zip(self.sessions, self.shows, strict=True):
            own: set[Key] = set()
            for call, docs in zip(session.calls, shows, strict=True):
                for key, doc in docs.items():
                    if call.tool in self.kinds.partial:
                        if at_odds(first.get(key, doc), doc):
                            differs.add(key[0])
                        continue
                    twice[key[0]] += key in first and key not in own
                    own.add(key)
                    if first.setdefault(key, doc) != doc:
                        differs.add(key[0])
        whole = {name for name, kind in self.kinds.all.items() if not kind.part}
        return frozenset(name for name in whole - differs if twice[name] >= 2)

    def _replayed(self, at: int, after: Mapping[str, Callable[..., Docs]] = MappingProxyType({})) -> list[Moment]:
        session, shows, asked, told = self.sessions[at], self.shows[at], self._asked[at], self._told[at]
        docs: Docs = dict(self.catalogue)
        touched: set[str] = set()
        within: dict[str, set[str]] = defaultdict(set)  # what documents named with which tools answered
        first: set[Key] = set()
        for place, call in enumerate(session.calls):
            if call.tool in self.writers and call.ok:
                touched |= asked[place] | ({key[1] for key in shows[place]} if shows[place] else told[place])
                within[call.tool] |= told[place]
            for key, doc in shows[place].items() if call.tool not in self.kinds.partial else ():
                moved = any(key[1] in names and (tool, key[0]) not in self._calm for tool, names in within.items())
                if key not in first and key[1] not in touched and not moved:
                    docs[key] = doc
                first.add(key)
        moments: list[Moment] = []
        words: set[str] = set()
        heard: frozenset[str] = frozenset()
        for place, call in enumerate(session.calls):
            if said := [text for said_at, text in session.said if said_at == place]:
                heard |= {word for text in said for word in spoken(text)}
            moments.append(Moment(call, at, place, docs, frozenset(words), shows[place], heard))
            if call.ok and call.tool in after:
                docs = {**docs, **self._settled(at, place, after[call.tool](docs, call))}
            if shows[place]:
                docs = dict(docs)
                for key, doc in shows[place].items():
                    docs[key] = self.kinds.after(call.tool, key[0], docs.get(key), doc)
            if call.ok:
                words |= told[place]
        return moments

    def _settled(self, session: int, place: int, docs: Docs) -> Docs:
        """What is new and has no name yet takes the one under which it is seen later."""
        found: Docs = {}
        for key, doc in docs.items():
            seen = self.sight(session, place, key)
            found[key] = doc if seen is None else _agreed(doc, self.shows[session][seen][key])
        return found

    def by_tool(self) -> dict[str, list[Moment]]:
        found: dict[str, list[Moment]] = defaultdict(list)
        for moments in self.moments:
            for moment in moments:
                found[moment.call.tool].append(moment)
        return {tool: found[tool] for tool in sorted(found)}


def _agreed(mine: Any, seen: Any) -> Any:
    if isinstance(mine, str):
        return seen if mine.startswith("\0") and isinstance(seen, str) else mine
    if isinstance(mine, dict) and isinstance(seen, dict):
        return {name: _agreed(each, seen.get(name)) for name, each in mine.items()}
    if isinstance(mine, list) and isinstance(seen, list):
        return [_agreed(a, seen[at] if at < len(seen) else None) for at, a in enumerate(mine)]
    return mine


def _ids(doc: Any, foreign: set[str]) -> Iterator[str]:
    """The ids of a document's parts, without those of documents that it refers to."""
    if isinstance(doc, dict):
        for name, each in doc.items():
            if name.endswith("id") and isinstance(each, str) and name not in foreign:
                yield each
            yield from _ids(each, foreign)
    elif isinstance(doc, list):
        for each in doc:
            yield from _ids(each, foreign)


def _together(kinds: Kinds, call: Call) -> Docs:
    found: Docs = {}
    for kind, key, doc in kinds.shown(call):
        found[kind, key] = {**found.get((kind, key), {}), **doc}
    return found


def initial(history: History) -> Mapping[Key, dict[str, Any]]:
    """What every session's beginning agrees on, as far as it was seen."""
    found: Docs = {}
    clash: set[Key] = set()
    for moments in history.moments:
        for key, doc in moments[0].docs.items() if moments else ():
            if found.setdefault(key, doc) != doc:
                clash.add(key)
    return {key: found[key] for key in sorted(found) if key not in clash}


def references(history: History) -> dict[str, str]:
    """Which fields hold keys of which kind: field (or "tool()" for an answer that is a key) -> kind."""
    keys: dict[str, set[str]] = defaultdict(set)
    for shows in history.shows:
        for docs in shows:
            for kind, key in docs:
                if not history.kinds.all[kind].part:
                    keys[kind].add(key)
    hits: Counter[tuple[str, str]] = Counter()
    for session, shows in zip(history.sessions, history.shows, strict=True):
        for call, docs in zip(session.calls, shows, strict=True):
            if call.ok and isinstance(call.value, str):
                hits.update((f"{call.tool}()", kind) for kind in keys if call.value in keys[kind])
            for (own, _), doc in docs.items():
                for field, value in named(doc):
                    hits.update(
                        (field, kind)
                        for kind in keys
                        if value in keys[kind] and (kind != own or field != history.kinds.all[own].field)
                    )
    return {field: kind for (field, kind), n in sorted(hits.items()) if n >= 2}


def named(value: Any, field: str = "") -> Iterator[tuple[str, str]]:
    """Every string with the field it stands in."""
    if isinstance(value, str):
        yield field, value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from named(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from named(each, field)
