"""Tasks in an induced world, from the sessions that it was induced from.

recorded    a piece of work as it was asked for and done: the session is the oracle, its final state the target
re-entry    the same work for something else of the same kind, or from the state of affairs in another session
near miss   two things asked for at once, of which one is refused: to be done is the other. Changing one field of what
            it is about, which can be read beforehand, would make it possible; so whoever looks can tell, and whoever
            does not and calls is not paid.

Always holds: every task that is kept is solved by its oracle, abstains nowhere on that way, and has passed every check
of `world.admission`; every other is counted with its reason; each names the calls it came from; the same log gives the
same tasks.

Knows pieces of work and exchanges; nothing of who will act.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from journeyman.dream.worlds.grounds import Grounds
from journeyman.dream.worlds.history import History
from journeyman.dream.worlds.induced import Induced
from journeyman.dream.worlds.reentry import Exchange, exchange, reworded
from journeyman.dream.worlds.rehearsal import settled
from journeyman.dream.worlds.units import (
    FAILED,
    NOTHING,
    Drop,
    Piece,
    Step,
    acted,
    pieces,
    recorded,
    scalars,
    told,
)
from journeyman.errors import WorldError
from journeyman.world.actions import Call
from journeyman.world.admission import Finding, admit
from journeyman.world.chance import Stream
from journeyman.world.mutants import play
from journeyman.world.state import State
from journeyman.world.suite import Suite
from journeyman.world.task import Forbidden, Task
from journeyman.world.world import World

BUDGET = 100  # tasks that are tried
_VARIANTS = 6  # of a piece of work
_OTHERS = 4  # things that the words may fit, and works that may stand beside one that is refused


class Origin(NamedTuple):
    """Calls `first` to before `last` of a session; whose state it starts in, after how many calls; what took the place
    of what; whether the words are the user's, or the calls spelled out."""

    session: str
    first: int
    last: int
    how: str
    start: str
    place: int
    words: str
    instead: tuple[str, str] = ("", "")


class Work(NamedTuple):
    """What can be asked for in a state: `words` of the user, or none where they do not tell enough."""

    words: str
    steps: Sequence[Step]
    start: State


class Draft(NamedTuple):
    instruction: str
    oracle: Sequence[Call]
    work: Work
    origin: Origin
    refused: tuple[Call, Forbidden] | None = None


class Tasks:
    """`suite`: the tasks that are kept; `origins`: where each came from; `made`: how many were tried; `dropped`: why
    others were not kept; `gates`: trials of each check, and how many went as they have to."""

    def __init__(self, induced: Induced, history: History, budget: int = BUDGET) -> None:
        self.grounds = Grounds(induced, history)
        self.rules, self.sessions = self.grounds.rules, history.sessions
        self.origins: dict[str, Origin] = {}
        self.made = 0
        self.dropped: Counter[str] = Counter()
        self.gates: dict[str, Counter[str]] = defaultdict(Counter)
        self._tasks: list[Task] = []
        self._works: dict[int, list[tuple[Draft, Piece]]] = defaultdict(list)
        self._known: set[tuple[str, str]] = set()
        self._fill(budget)
        self.suite = Suite(self.rules, self._tasks)

    def to_json(self) -> dict[str, Any]:
        return {
            "made": self.made,
            "kept": len(self._tasks),
            "kinds": dict(sorted(Counter(origin.how for origin in self.origins.values()).items())),
            "words": dict(sorted(Counter(origin.words for origin in self.origins.values()).items())),
            "dropped": dict(sorted(self.dropped.items())),
            "gates": {check: dict(counts) for check, counts in sorted(self.gates.items())},
        }

    def _fill(self, budget: int) -> None:
        """One of each session in turn, so that a small budget is spread over the log."""
        waiting = deque((at, self._proposed(at)) for at in range(len(self.sessions)))
        while waiting and self.made < budget:
            at, proposals = waiting.popleft()
            if (proposal := next(proposals, None)) is not None:
                waiting.append((at, proposals))
                self.made += 1
                try:
                    piece, draft = proposal()
                    self._admitted(at, piece, draft)
                except Drop as drop:
                    self.dropped[drop.reason] += 1

    def _proposed(self, at: int) -> Iterator[Callable[[], tuple[Piece, Draft]]]:
        session = self.sessions[at]
        does = {tool.name for tool in self.rules.tools.values() if tool.writes} | self.grounds.history.writers
        if session.score is not None and session.score <= 0:
            yield partial(_dropped, FAILED)
            return
        done = [place for place, call in enumerate(session.calls) if call.tool in does]
        steps = [place for place in done if session.calls[place].ok]
        refused = [place for place in done if not session.calls[place].ok]
        asked = pieces(session, does)
        found = [piece for piece in asked if any(piece.first <= place < piece.last for place in steps)]
        if not done:
            yield partial(_dropped, NOTHING)
        turn = 0
        while turn < max(len(found), len(refused), _VARIANTS):
            for piece in found[turn : turn + 1]:
                yield partial(self._recorded, at, piece)
                if turn + 1 == len(found) and not self._works[at]:  # if nothing as a whole, then each step
                    found += [Piece(place, place + 1, "") for place in steps]
                    steps = []
            for place in refused[turn : turn + 1]:
                words = next((p.words for p in reversed(asked) if p.first <= place < p.last and _alone(p, done)), "")
                yield partial(self._refused, at, Piece(place, place + 1, words))
            for draft, piece in list(self._works[at]) if turn < _VARIANTS else ():
                yield partial(self._elsewhere, at, piece, draft, turn)
            turn += 1

    # -- kinds of tasks

    def _recorded(self, at: int, piece: Piece) -> tuple[Piece, Draft]:
        session, start = self.sessions[at], self.grounds.start(at, piece.first)
        steps = recorded(self.rules, start, session.calls[piece.first : piece.last])
        origin = Origin(session.id, piece.first, piece.last, "recorded", session.id, piece.first, "")
        return piece, _draft(piece.words, steps, start, origin)

    def _elsewhere(self, at: int, piece: Piece, draft: Draft, turn: int) -> tuple[Piece, Draft]:
        """Something else takes the place of one thing that the work is about."""
        session, work = self.sessions[at], draft.work
        chance = Stream("re-entry", session.id, piece.first, piece.last, turn)
        done = [step.call for step in work.steps if step.wrote]
        about = list(dict.fromkeys(named for call in done for named in self.grounds.names(call)))
        if not about:
            raise Drop("it is about nothing of which there is another")
        kind, old = chance.choice(about)
        there, place, start = at, piece.first, work.start
        if turn % 2:
            there = chance.below(len(self.sessions))
            place = chance.below(len(self.sessions[there].calls) + 1)
            start = self.grounds.start(there, place)
        found, words = self._other(kind, old, draft, there, start, chance)
        names = (old, found.names[old])
        origin = Origin(session.id, piece.first, piece.last, "re-entry", self.sessions[there].id, place, "", names)
        calls = [Call(step.call.tool, settled(dict(step.call.args), found.names)) for step in work.steps]
        try:
            steps = acted(self.rules, start, calls)
        except Drop as drop:
            if drop.refused is None or len(done) != 1:
                raise
            call, says = drop.refused
            if not self.rules.tools[call.tool].writes:
                raise
            looks = acted(self.rules, start, calls[: calls.index(call)])
            return piece, self._near_miss(Work(words, looks, start), call, says, origin, [draft.work])
        return piece, _draft(words, steps, start, origin)

    def _other(
        self, kind: str, old: str, draft: Draft, there: int, start: State, chance: Stream
    ) -> tuple[Exchange, str]:
        """Something of the same kind, one that the words fit if there is one among a few; and the words for it."""
        find, other = self.grounds.finder(draft.work.start), self.grounds.finder(start)
        theirs = [key for name, key in self.grounds.history.moments[there][0].docs if name == kind]
        every = [key for key in start.keys(kind) if key != old and other(kind, key) is not None]
        among = sorted(set(theirs) & set(every)) or every
        if not among:
            raise Drop("there is no other of its kind")
        used = [part for step in draft.work.steps for part in scalars(step.call.args)]
        found: Exchange | None = None
        for new in chance.sample(among, _OTHERS):
            found = exchange(kind, old, new, find, other, self.grounds.induced.refers)
            words = reworded(draft.work.words, found, used, partial(self.grounds.is_unique, start))
            if words is not None:
                return found, words
        assert found is not None
        return found, ""

    def _refused(self, at: int, piece: Piece) -> tuple[Piece, Draft]:
        """A call that was refused."""
        session, start = self.sessions[at], self.grounds.start(at, piece.first)
        real = session.calls[piece.first]
        call = Call(real.tool, real.arguments)
        outcome = World(self.rules, start).call(*call)
        if outcome.ok or outcome.message != real.value:
            raise Drop("the world does not refuse as the log does")
        first = max((said for said, _ in session.asked if said <= piece.first), default=0)
        looks: list[Step] = []
        for earlier in session.calls[first : piece.first]:
            seen = World(self.rules, start).call(earlier.tool, earlier.arguments)
            if seen.ok and not self.rules.tools[earlier.tool].writes:
                looks.append(Step(Call(earlier.tool, earlier.arguments), seen.value, False))
        origin = Origin(session.id, piece.first, piece.last, "near miss", session.id, piece.first, "")
        return piece, self._near_miss(Work(piece.words, looks, start), call, outcome.message, origin, ())

    def _near_miss(self, work: Work, call: Call, says: str, origin: Origin, beside: Sequence[Work]) -> Draft:
        """What is refused, and something beside it that is not."""
        start = work.start
        look, argument, key = self.grounds.reason(start, call)
        asked, looks = told([*work.steps, Step(call, None, True)], work.words)
        by_user = bool(work.words) and asked == work.words
        before = looks[:-1] if by_user else []
        before += [look] if look not in before else []
        ban = Forbidden(call.tool, ((argument, key),), why=says)
        chance = Stream("near miss", origin.session, origin.first, origin.instead[1], start.digest)
        pool = [draft.work for works in self._works.values() for draft, _ in works]
        for other in [*beside, *chance.sample(pool, 2 * _OTHERS)]:
            try:
                steps = acted(self.rules, start, [step.call for step in other.steps])
            except Drop:
                continue
            world = World(self.rules, start)
            for step in steps:
                world.call(*step.call)
            after = world.call(*call)
            same = any(step.call.tool == call.tool and step.call.args.get(argument) == key for step in steps)
            if same or after.ok or after.message != says or not any(step.wrote for step in steps):
                continue
            said, oracle = told(steps, other.words)
            parts = [asked if by_user else _if_so(asked), said if said == other.words else _if_so(said)]
            order = chance.shuffled(parts)
            whose = "user" if by_user and said == other.words else "spelled"
            origin = origin._replace(how="near miss", words=whose)
            return Draft("\n".join(order), [*before, *oracle], Work(said, steps, start), origin, (call, ban))
        raise Drop("it is refused, and there is nothing else to do beside it")

    # -- whether a task may stay

    def _admitted(self, at: int, piece: Piece, draft: Draft) -> None:
        origin, start = draft.origin, draft.work.start
        if (start.digest, draft.instruction) in self._known:
            raise Drop("it is there already")
        self._known.add((start.digest, draft.instruction))
        number = sum(other.session == origin.session for other in self.origins.values()) + 1
        try:
            task = Task.derive(
                self.rules,
                f"{origin.session}/{number}",
                draft.instruction,
                start,
                draft.oracle,
                forbid=(draft.refused[1],) if draft.refused else (),
                limit=max(30, 3 * len(draft.oracle)),
                family=origin.how,
            )
        except WorldError as error:
            raise Drop(NOTHING) from error
        suite = Suite(self.rules, [task])
        findings = admit(suite, task)
        if draft.refused:
            findings.append(acting(suite, task, draft.refused[0]))
        for finding in findings:
            self.gates[finding.check].update({"n": finding.n, "right": finding.value})
        failed = next((finding.check for finding in findings if not finding.passed), None)
        if failed is not None:
            raise Drop(f"gate: {failed}")
        self._tasks.append(task)
        self.origins[task.id] = origin
        if origin.how == "recorded":
            self._works[at].append((draft, piece))


def acting(suite: Suite, task: Task, call: Call) -> Finding:
    """Calling what is refused is not paid, before the rest or after it."""
    scores = [play(suite, task, [call, *task.oracle]).score, play(suite, task, [*task.oracle, call]).score]
    low = sum(score <= 0 for score in scores)
    return Finding("acting", low == len(scores), low, len(scores))


def _draft(words: str, steps: Sequence[Step], start: State, origin: Origin) -> Draft:
    if not any(step.wrote for step in steps):
        raise Drop(NOTHING)
    instruction, oracle = told(steps, words)
    theirs = bool(words) and instruction == words
    origin = origin._replace(words="user" if theirs else "spelled")
    return Draft(instruction, oracle, Work(words if theirs else "", steps, start), origin)


def _alone(piece: Piece, done: Sequence[int]) -> bool:
    """Whether it is about one call alone."""
    return sum(piece.first <= place < piece.last for place in done) == 1


def _if_so(text: str) -> str:
    return f"If nothing stands against it, {text[:1].lower()}{text[1:]}"


def _dropped(reason: str) -> tuple[Piece, Draft]:
    raise Drop(reason)
