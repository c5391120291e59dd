"""Episodes: an agent acts in a world until its task is over.

    env = Env(load("shop"))
    observation, info = env.reset("cancel-3", seed=1)
    step = env.step('{"name": "get_order", "arguments": {"order": "R-7"}}')
    again, = env.fork(1)                    # goes on from here by itself
    earlier, = env.at(0).fork(1)            # and this one from the start

Always holds: the same task, seed, start and actions give the same observations, rewards and digests, in any process and
however forks were interleaved; a snapshot is whole (world, words, user, steps, verdict) and costs nothing; reward comes
once, at the end, from the verifier; an episode that was cut short by an answer nobody knew pays nothing.

Knows suites; nothing of policies or training. `step` returns what Gymnasium's does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from journeyman.errors import WorldError
from journeyman.world.actions import Action, Broken, Call, Say, owned, parsed
from journeyman.world.outcome import CUTS, made
from journeyman.world.state import State
from journeyman.world.suite import Suite
from journeyman.world.task import Task
from journeyman.world.verifier import Verdict
from journeyman.world.world import World

UNBEGUN = "not begun"


class Step(NamedTuple):
    observation: str
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]


class Turn(NamedTuple):
    """One action and what came of it; the turn before it, and the state and the user's memory after it."""

    before: Turn | None
    number: int
    action: Action
    observation: str
    error: str
    trust: float  # of this answer
    state: State
    memory: Any


class Snapshot(NamedTuple):
    """A moment of an episode. Env.restore goes back to it; forks start from it."""

    task: Task
    start: State
    last: Turn | None
    state: State
    memory: Any
    over: str  # "", "terminated" or "truncated"
    verdict: Verdict | None

    @property
    def turns(self) -> list[Turn]:
        """From the first to the last."""
        found: list[Turn] = []
        turn = self.last
        while turn is not None:
            found.append(turn)
            turn = turn.before
        return found[::-1]

    @property
    def digest(self) -> str:
        """Of all that can be told from outside, and of the state."""
        parts = [self.task.id, self.start.digest, self.state.digest, self.over, _spelled(self.memory)]
        parts += [text for turn in self.turns for text in (turn.action.text, turn.observation)]
        whole = "\0".join(f"{len(part)}:{part}" for part in parts)
        return sha256(whole.encode(errors="surrogatepass")).hexdigest()  # an agent may write half of a pair


def _spelled(memory: Any) -> str:
    """A user's memory as text: a set's own text has an order that differs from process to process."""
    if isinstance(memory, frozenset):
        return f"{{{', '.join(sorted(map(_spelled, memory)))}}}"
    if type(memory) is tuple:
        return f"({', '.join(map(_spelled, memory))}{',' if len(memory) == 1 else ''})"
    return repr(memory)


class Env:
    """One episode at a time. `reset` begins another."""

    __slots__ = ("_last", "_memory", "_over", "_start", "_task", "_verdict", "suite", "world")

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self._over = UNBEGUN

    # -- an episode

    def reset(
        self, task: str | Task, seed: int = 0, start: State | Snapshot | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Begin. `start` takes the place of the task's own start: a state, or a snapshot to go on from."""
        if isinstance(start, Snapshot):
            self.restore(start)
            return self.observation, self.info
        task = self.suite.task(task) if isinstance(task, str) else task
        state = (start or task.start).as_start(seed)  # what is refused leaves the episode that was there
        self._task, self._start = task, state
        self.world = World(self.suite.rules, state)
        self._last = None
        self._memory = task.user.memory if task.user is not None else None
        self._over = ""
        self._verdict = None
        return task.instruction, self.info

    def step(self, action: Action | str) -> Step:
        """Do this. WorldError if the episode is over, or if it is nothing that an agent can do."""
        if self._over:
            raise WorldError(f"this episode is over ({self._over})", "reset it, or restore a snapshot of it")
        if type(action) is str:
            action = parsed(action)
        elif type(action) is Call and type(action.tool) is str:
            try:
                action = owned(action)
            except ValueError:
                raise WorldError(
                    f"the arguments of {action.tool!r} cannot be written down", "give them as a dict of JSON values"
                ) from None
        task = self._task
        last = self._last
        number = 1 if last is None else last.number + 1
        error, trust, over = "", 1.0, ""
        if type(action) is Call and type(action.tool) is str:
            outcome = self.world.call(action.tool, action.args)
            observation, error, trust = outcome.text, outcome.error, outcome.trust
            if error in CUTS:
                over = "truncated"
        elif type(action) is Say and type(action.said) is str:
            answer = None
            if task.user is not None:
                answer, self._memory = task.user.answer(self._memory, action.said)
            observation = answer or ""
            if answer is None:
                over = "terminated"
        elif type(action) is Broken:
            error = "invalid"
            observation = f'{{"error": "invalid", "message": "{action.why}"}}'
        else:
            raise WorldError(f"{action!r} is no action", "give a Call, a Say, or text")
        if not over and number >= task.limit:
            over = "truncated"
        self._last = made(Turn, (last, number, action, observation, error, trust, self.world.state, self._memory))
        if not over:
            return made(Step, (observation, 0.0, False, False, {"error": error, "trust": trust}))
        self._over = over
        cut = error in CUTS
        self._verdict = verdict = self._judged(cut)
        info = {"error": error, "trust": trust, "verdict": verdict, "out_of_scope": cut}
        return Step(observation, verdict.score, over == "terminated", over == "truncated", info)

    def leave(self) -> Verdict:
        """End it as an agent does that stops here: it takes its leave without another word."""
        self._has_begun()
        while not self._over:
            self.step(Say(""))
        assert self._verdict is not None
        return self._verdict

    def _has_begun(self) -> None:
        if self._over == UNBEGUN:
            raise WorldError("no episode has begun", "reset it first")

    def _judged(self, cut: bool) -> Verdict:
        calls: list[Call] = []
        said: list[str] = []
        trust = 1.0
        turn = self._last
        while turn is not None:
            if type(turn.action) is Call:
                calls.append(turn.action)
            elif type(turn.action) is Say:
                said.append(turn.action.said)
            if turn.trust < trust:
                trust = turn.trust
            turn = turn.before
        verdict = self.suite.verifier(self._task)(self.world.state, calls, said, trust)
        return verdict._replace(score=0.0, trust=0.0) if cut else verdict

    # -- where it stands

    @property
    def task(self) -> Task:
        self._has_begun()
        return self._task

    @property
    def observation(self) -> str:
        """What the agent saw last."""
        self._has_begun()
        return self._task.instruction if self._last is None else self._last.observation

    @property
    def info(self) -> dict[str, Any]:
        self._has_begun()
        return {"task": self._task.id, "steps": 0 if self._last is None else self._last.number, "over": self._over}

    @property
    def verdict(self) -> Verdict | None:
        """Once the episode is over."""
        self._has_begun()
        return self._verdict

    @property
    def digest(self) -> str:
        return self.snapshot().digest

    # -- going back, and going on twice

    def snapshot(self) -> Snapshot:
        self._has_begun()
        return Snapshot(self._task, self._start, self._last, self.world.state, self._memory, self._over, self._verdict)

    def restore(self, snapshot: Snapshot) -> None:
        self._task, self._start, self._last, state, self._memory, self._over, self._verdict = snapshot
        self.world = World(self.suite.rules, state)

    def fork(self, count: int = 1) -> list[Env]:
        """So many that stand where this one stands, and go on by themselves."""
        here = self.snapshot()
        forks: list[Env] = []
        for _ in range(count):
            fork = Env(self.suite)
            fork.restore(here)
            forks.append(fork)
        return forks

    def at(self, step: int) -> Env:
        """Another one as this was after `step` actions. WorldError if it did not come so far."""
        self._has_begun()
        turn = self._last
        while turn is not None and turn.number > step:
            turn = turn.before
        if step < 0 or (0 if turn is None else turn.number) != step:
            raise WorldError(f"this episode has no step {step}", f"it has {self.info['steps']}")
        env = Env(self.suite)
        start, user = self._start, self._task.user
        memory = turn.memory if turn is not None else user.memory if user is not None else None
        same = turn is self._last  # its end, if it has come to one
        env.restore(
            Snapshot(
                self._task,
                start,
                turn,
                start if turn is None else turn.state,
                memory,
                self._over if same else "",
                self._verdict if same else None,
            )
        )
        return env


class BatchEnv:
    """Many episodes that step together: a group from one start, or as many starts as there are.

    In process and one after the other: a call takes microseconds, and so would handing it to another process.
    """

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self.envs: list[Env] = []

    def __len__(self) -> int:
        return len(self.envs)

    def __iter__(self) -> Iterator[Env]:
        return iter(self.envs)

    def reset(self, items: Sequence[tuple[str | Task, int]]) -> list[str]:
        """An episode for each (task, seed)."""
        self.envs = [Env(self.suite) for _ in items]
        return [env.reset(task, seed)[0] for env, (task, seed) in zip(self.envs, items, strict=True)]

    def group(self, start: Env | Snapshot, count: int) -> list[str]:
        """So many episodes that go on from one moment, as a GRPO group does."""
        snapshot = start.snapshot() if isinstance(start, Env) else start
        origin = Env(self.suite)
        origin.restore(snapshot)
        self.envs = origin.fork(count)
        return [env.observation for env in self.envs]

    def step(self, actions: Sequence[Action | str | None] | Mapping[int, Action | str]) -> list[Step | None]:
        """One action for each; None, or no entry, for those that wait or are over."""
        if isinstance(actions, Mapping):
            actions = [actions.get(at) for at in range(len(self.envs))]
        return [None if action is None else env.step(action) for env, action in zip(self.envs, actions, strict=True)]

    @property
    def over(self) -> list[bool]:
        return [bool(env.info["over"]) for env in self.envs]

    @property
    def rewards(self) -> list[float | None]:
        """Of those that are over."""
        return [None if env.verdict is None else env.verdict.score for env in self.envs]
