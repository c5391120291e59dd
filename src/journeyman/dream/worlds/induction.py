"""From a log to programs: one for each tool, and what is known at the beginning.

Always holds: the same log gives the same programs; a tool of which nothing could be explained has a program that
abstains.

Knows all parts of the induction; nothing of worlds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from journeyman.dream.worlds.answers import Answers
from journeyman.dream.worlds.calls import Recording
from journeyman.dream.worlds.conditions import conditions, scalars, sums
from journeyman.dream.worlds.customs import follow_customs
from journeyman.dream.worlds.doubts import states, unseen_states, unseen_words
from journeyman.dream.worlds.effects import Explainer
from journeyman.dream.worlds.history import History, Moment
from journeyman.dream.worlds.kinds import Kinds
from journeyman.dream.worlds.program import Program
from journeyman.dream.worlds.refusals import is_missing, refusals
from journeyman.dream.worlds.rehearsal import afterwards
from journeyman.dream.worlds.scope import Scope
from journeyman.dream.worlds.side_effects import SideEffects

_UNEXPLAINED = 0.08  # of the calls that seem to succeed, no more may be refused for reasons unknown
_PASSES = 2
_ALWAYS = 8  # calls that all give an argument, for it to be required
_ENOUGH = 400  # calls of one tool that are looked at closely
_FEW = 3  # successes, for what a tool changes to be believed
_CLOSED = 3  # so many calls named what nothing else named and failed; one that was told that it is not there is two


class Induction:
    """Programs by tool, and the kinds and documents that they are about."""

    def __init__(self, sessions: Sequence[Recording]) -> None:
        self.kinds = Kinds(sessions)
        self.history = History(sessions, self.kinds)
        self.closed = closed(self.history)
        self._answers = Answers(self.history, self.closed)
        self.programs: dict[str, Program] = {}
        self.explainers: dict[str, Explainer] = {}
        self._pass()
        before: dict[str, str] = {}
        for _ in range(_PASSES):
            unseen = {
                tool: afterwards(program)
                for tool, program in self.programs.items()
                if program.answer is not None and (program.side or program.made or program.forgets)
            }
            sources = {tool: self.programs[tool].source() for tool in unseen}
            if not unseen or sources == before:
                break
            before = sources
            self.history.replay(unseen)
            self._pass()
        self._side.doubt()

    def _pass(self) -> None:
        all_moments = self.history.by_tool()
        self._seen = {tool: (len(m), sum(not each.call.ok for each in m)) for tool, m in all_moments.items()}
        self._moments = {tool: sampled(moments) for tool, moments in all_moments.items()}
        for tool, moments in self._moments.items():
            self.programs[tool] = self._induced(tool, moments)
        follow_customs(self.programs)
        known = states(self.programs)
        for program in self.programs.values():
            program.states = tuple(unseen_states(program, known))
            program.doubts = (*program.doubts, *unseen_words(program))
        self._side = SideEffects(self.history, self.closed, self.programs, self.explainers)
        self._side.find()

    def _induced(self, tool: str, moments: list[Moment]) -> Program:
        scope = Scope(moments, self.kinds, self.closed)
        plain = scalars(scope)
        extra = sorted(sums(scope), key=lambda each: (each.cost, each.text))[:40]
        found = conditions(scope, plain, extra)
        refused = refusals(scope, found, plain, extra)
        writes = tool in self.history.writers
        program = Program(
            tool,
            writes,
            _parameters(moments),
            scope.names,
            refused.listed,
            seen=self._seen[tool][0],
            refused=self._seen[tool][1],
            scope=scope,
            doubts=refused.doubts,
        )
        explainer = self.explainers[tool] = Explainer(scope, plain, found, writes)
        oks = [at for at, moment in enumerate(moments) if moment.call.ok]
        if not oks:
            program.unexplained = ("what it answers: it was never seen to succeed",)
        elif tool in self.kinds.whole and not self._answers.makes(moments, oks):
            self._answers.document(program, explainer, moments, oks)
        else:
            self._answers.value(program, explainer, moments, oks)
        if writes and program.answer is not None and len(oks) < _FEW:
            program.answer, program.unexplained = None, ("what it does: it was hardly ever seen",)
        if refused.unexplained > _UNEXPLAINED * (len(oks) + refused.unexplained):
            program.answer, program.unexplained = None, ("when it refuses",)
        return program


def closed(history: History) -> frozenset[str]:
    """Kinds of which nothing exists but what is named: all calls that named what nothing had named before failed."""
    failed: Counter[str] = Counter()
    worked: set[str] = set()
    for moments in history.moments:
        for moment in moments:
            seen = history.kinds.whole.get(moment.call.tool)
            if seen is None or not seen.argument:
                continue
            key = moment.call.arguments.get(seen.argument)
            said = " ".join(text for at, text in history.sessions[moment.session].said if at <= moment.place)
            if not isinstance(key, str) or key in moment.mentioned or key in said:
                continue
            if (seen.kind.name, key) in moment.docs and not moment.call.ok:
                continue
            if moment.call.ok:
                worked.add(seen.kind.name)
            else:
                failed[seen.kind.name] += 1 + is_missing(str(moment.call.value))
    return frozenset(name for name in failed if failed[name] >= _CLOSED and name not in worked)


def sampled(moments: Sequence[Moment]) -> list[Moment]:
    """Of very many calls, so many that each answer in words is among them, spread over the log."""
    if len(moments) <= _ENOUGH:
        return list(moments)
    groups: dict[str, list[int]] = defaultdict(list)
    for at, moment in enumerate(moments):
        given = ",".join(sorted(moment.call.arguments))
        groups[f"{given}:{'' if moment.call.ok else moment.call.value}"].append(at)
    share = _ENOUGH / len(moments)
    kept: set[int] = set()
    for places in groups.values():
        wanted = max(min(len(places), 12), round(share * len(places)))
        kept |= {places[step * len(places) // wanted] for step in range(wanted)}
    return [moments[at] for at in sorted(kept)]


def _parameters(moments: Sequence[Moment]) -> dict[str, tuple[str, bool]]:
    found: dict[str, tuple[str, bool]] = {}
    names = dict.fromkeys(name for moment in moments for name in moment.call.arguments)
    for name in names:
        values = [moment.call.arguments[name] for moment in moments if name in moment.call.arguments]
        kinds = {type(value) for value in values}
        kind = "Any"
        if kinds == {str}:
            kind = "str"
        elif kinds == {bool}:
            kind = "bool"
        elif kinds == {int}:
            kind = "int"
        elif kinds <= {int, float}:
            kind = "float"
        elif kinds == {list} and all(isinstance(e, str) for v in values for e in v):
            kind = "list[str]"
        found[name] = (kind, len(values) == len(moments) >= _ALWAYS)
    return found
