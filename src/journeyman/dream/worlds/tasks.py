"""Tasks in an induced world, from the sessions that it was induced from.

recorded    a piece of work as it was asked for and done: the session is the oracle, its final state the target
re-entry    the same work for something else of the same kind, or from the state of affairs in another session
near miss   two things asked for at once, of which one is refused: to be done is the other. Changing one field of what
            it is about, which can be read beforehand, would make it possible; so whoever looks can tell, and whoever
            does not and calls is not paid.
other order what one session asked for in turn, asked for the other way round
together    what two sessions asked for, asked for at once
other mind  the same work asked for something else first, and taken back: who does that, too, is not paid
talk        a recorded piece of work whose user says only the first words, and the rest when asked, as they did

Always holds: every task that is kept is solved by its oracle, abstains nowhere on that way, and has passed every check
of `world.admission`; every other is counted with its reason; each names the calls it came from; the same log gives the
same tasks.

Knows pieces of work and exchanges; nothing of who will act.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from journeyman.dream.worlds.calls import Recording
from journeyman.dream.worlds.drafts import Draft, Origin, Work, acting, alone, drafted, exchanged, if_so
from journeyman.dream.worlds.grounds import Grounds
from journeyman.dream.worlds.history import History
from journeyman.dream.worlds.induced import Induced
from journeyman.dream.worlds.personas import persona, turns
from journeyman.dream.worlds.reentry import Exchange, exchange, reworded
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
from journeyman.world.actions import Call, Say
from journeyman.world.admission import admit, refused
from journeyman.world.chance import Stream
from journeyman.world.state import State
from journeyman.world.suite import Suite
from journeyman.world.task import Forbidden, Task
from journeyman.world.user import Recorded
from journeyman.world.world import World

BUDGET = 100  # tasks that are tried
_VARIANTS = 6  # of a piece of work
TAKEN_BACK = ("No, leave that as it is.", "Forget that, I have changed my mind.", "On second thoughts, not that.")
_OTHERS = 4  # things that the words may fit, and works that may stand beside one that is refused


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
        self._known: set[tuple[str, str, Recorded | None]] = set()
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
                words = next((p.words for p in reversed(asked) if p.first <= place < p.last and alone(p, done)), "")
                yield partial(self._refused, at, Piece(place, place + 1, words))
            for draft, piece in list(self._works[at]) if turn < _VARIANTS else ():
                if not turn and draft.origin.words == "user" and _is_talk(session, piece):
                    yield partial(self._talk, at, piece, draft)
                yield partial(self._elsewhere, at, piece, draft, turn)
                if turn:
                    yield partial(self._joined if turn % 2 else self._taken_back, at, piece, draft, turn)
            turn += 1

    # -- kinds of tasks

    def _recorded(self, at: int, piece: Piece) -> tuple[Piece, Draft]:
        session, start = self.sessions[at], self.grounds.start(at, piece.first)
        steps = recorded(self.rules, start, session.calls[piece.first : piece.last])
        origin = Origin(session.id, piece.first, piece.last, "recorded", session.id, piece.first, "")
        return piece, drafted(piece.words, steps, start, origin)

    def _talk(self, at: int, piece: Piece, draft: Draft) -> tuple[Piece, Draft]:
        """Whoever acts has to ask."""
        session = self.sessions[at]
        first, *rest = [each for each in turns(session) if _within(piece, session, each.place)]
        words = first.line.said
        if told(draft.work.steps, words)[0] == words:
            raise Drop("its user says all at once")
        others = [each for each in self.sessions if each.user == session.user != "" and each.id != session.id]
        asks = [Say(each.line.heard) for each in rest if each.place < piece.last]
        made = draft._replace(
            instruction=words,
            oracle=[*asks, *draft.oracle],
            origin=draft.origin._replace(how="talk"),
            user=persona([each.line for each in rest], others),
        )
        return piece, made

    def _elsewhere(self, at: int, piece: Piece, draft: Draft, turn: int) -> tuple[Piece, Draft]:
        """Something else takes the place of one thing that the work is about."""
        session, work = self.sessions[at], draft.work
        chance = Stream("re-entry", session.id, piece.first, piece.last, turn)
        kind, old = self._about(work, chance)
        there, place, start = at, piece.first, work.start
        if turn % 2:
            there = chance.below(len(self.sessions))
            place = chance.below(len(self.sessions[there].calls) + 1)
            start = self.grounds.start(there, place)
        found, words = self._other(kind, old, draft, there, start, chance)
        names = (old, found.names[old])
        origin = Origin(session.id, piece.first, piece.last, "re-entry", self.sessions[there].id, place, "", names)
        calls = exchanged(work, found)
        try:
            steps = acted(self.rules, start, calls)
        except Drop as drop:
            if drop.refused is None or sum(step.wrote for step in work.steps) != 1:
                raise
            call, says = drop.refused
            if not self.rules.tools[call.tool].writes:
                raise
            looks = acted(self.rules, start, calls[: calls.index(call)])
            return piece, self._near_miss(Work(words, looks, start), call, says, origin, [draft])
        return piece, drafted(words, steps, start, origin)

    def _joined(self, at: int, piece: Piece, draft: Draft, turn: int) -> tuple[Piece, Draft]:
        """What came later, in this session or in another, is asked for first."""
        origin, start = draft.origin, draft.work.start
        chance = Stream("joined", origin.session, piece.first, piece.last, turn)
        later = [each for each, other in self._works[at] if other.first >= piece.last]
        pool = later or [
            each for works in self._works.values() for each, _ in works if each.origin.session != origin.session
        ]
        for other in chance.sample(pool, _OTHERS):
            calls = [[step.call for step in each.work.steps] for each in (other, draft)]
            try:
                steps = acted(self.rules, start, [call for each in calls for call in each])
            except Drop:
                continue
            parts = [steps[: len(calls[0])], steps[len(calls[0]) :]]
            if not all(any(step.wrote for step in part) for part in parts):
                continue  # one of them is done with the other
            asked = [told(part, each.work.words) for part, each in zip(parts, (other, draft), strict=True)]
            words = [each.work.words for each in (other, draft)]
            theirs = all(said == own != "" for (said, _), own in zip(asked, words, strict=True))
            same = other.origin.session == origin.session
            origin = origin._replace(
                how="other order" if same else "together",
                words="user" if theirs else "spelled",
                beside="" if same else other.origin.session,
            )
            oracle = [call for _, each in asked for call in each]
            return piece, Draft("\n".join(said for said, _ in asked), oracle, Work("", steps, start), origin)
        raise Drop("there is nothing else that can be done with it")

    def _taken_back(self, at: int, piece: Piece, draft: Draft, turn: int) -> tuple[Piece, Draft]:
        """Somebody asks for something else first, and changes their mind."""
        work, origin = draft.work, draft.origin
        chance = Stream("other mind", origin.session, piece.first, piece.last, turn)
        kind, old = self._about(work, chance)
        found, words = self._other(kind, old, draft, at, work.start, chance)
        unwanted = acted(self.rules, work.start, exchanged(work, found))
        if not any(step.wrote for step in unwanted):
            raise Drop("what is taken back would change nothing")
        first, calls = told(unwanted, words)
        whose = "user" if draft.origin.words == "user" and first == words else "spelled"
        said = "\n".join([first, chance.choice(TAKEN_BACK), draft.instruction])
        origin = origin._replace(how="other mind", words=whose, instead=(found.names[old], old))
        return piece, draft._replace(instruction=said, origin=origin, unwanted=calls)

    def _about(self, work: Work, chance: Stream) -> tuple[str, str]:
        """One thing that is changed: its kind and key."""
        done = [step.call for step in work.steps if step.wrote]
        about = list(dict.fromkeys(named for call in done for named in self.grounds.names(call)))
        if not about:
            raise Drop("it is about nothing of which there is another")
        return chance.choice(about)

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

    def _near_miss(self, work: Work, call: Call, says: str, origin: Origin, beside: Sequence[Draft]) -> Draft:
        """What is refused, and something beside it that is not."""
        start = work.start
        look, argument, key = self.grounds.reason(start, call)
        asked, looks = told([*work.steps, Step(call, None, True)], work.words)
        by_user = bool(work.words) and asked == work.words
        before = looks[:-1] if by_user else []
        before += [look] if look not in before else []
        ban = Forbidden(call.tool, ((argument, key),), why=says)
        chance = Stream("near miss", origin.session, origin.first, origin.instead[1], start.digest)
        pool = [draft for works in self._works.values() for draft, _ in works]
        for draft in [*beside, *chance.sample(pool, 2 * _OTHERS)]:
            other = draft.work
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
            parts = [asked if by_user else if_so(asked), said if said == other.words else if_so(said)]
            order = chance.shuffled(parts)
            whose = "user" if by_user and said == other.words else "spelled"
            origin = origin._replace(how="near miss", words=whose, beside=draft.origin.session)
            return Draft("\n".join(order), [*before, *oracle], Work(said, steps, start), origin, (call, ban))
        raise Drop("it is refused, and there is nothing else to do beside it")

    # -- whether a task may stay

    def _admitted(self, at: int, piece: Piece, draft: Draft) -> None:
        origin, start = draft.origin, draft.work.start
        asked = (start.digest, draft.instruction, draft.user)
        if asked in self._known:
            raise Drop("it is there already")
        self._known.add(asked)
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
                user=draft.user,
            )
        except WorldError as error:
            raise Drop(NOTHING) from error
        suite = Suite(self.rules, [task])
        findings = admit(suite, task)
        if draft.refused:
            findings.append(acting(suite, task, [draft.refused[0]]))
        if draft.unwanted:
            findings.append(acting(suite, task, draft.unwanted))
        for finding in findings:
            self.gates[finding.check].update({"n": finding.n, "right": finding.value})
        failed = refused(findings)
        if failed is not None:
            raise Drop(f"gate: {failed}")
        self._tasks.append(task)
        self.origins[task.id] = origin
        if origin.how == "recorded":
            self._works[at].append((draft, piece))


def _dropped(reason: str) -> tuple[Piece, Draft]:
    raise Drop(reason)


def _is_talk(session: Recording, piece: Piece) -> bool:
    """Whether the user says several things about it, each but the first when spoken to."""
    lines = [each.line for each in turns(session) if _within(piece, session, each.place)]
    return len(lines) > 1 and all(line.heard for line in lines[1:])


def _within(piece: Piece, session: Recording, place: int) -> bool:
    return piece.first <= place < piece.last or place == piece.last == len(session.calls)
