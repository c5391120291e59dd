"""Whether what an episode is paid can be believed: solutions are, and nothing else is.

Always holds: a task for which a plan cannot be made is not counted for that plan, and a check does not apply only where
none could be made for BATCH tasks; a spoilt solution that ends in the
very state of the solution, and says the same, is none, and must be paid like it; where the state cannot be seen, every
spoilt solution counts.

Knows verdicts and plans; nothing of what an environment shows.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from journeyman.grind import plans
from journeyman.grind.dynamics import ALONE, ORACLE_STEPS
from journeyman.grind.measurement import Measurement
from journeyman.grind.report import MOST, Check, inapplicable, share, untested
from journeyman.grind.trace import Trace, same, text

TASKS = 200
LONG = 1000  # steps of a policy that solves a task
BATCH = 8  # tasks at a time, so that all checks have come equally far when the time is over
MARGIN = 0.05  # of the way from floor to top: what may be paid by the floor's own rounding
IDLE = ("no_op", "random", "read_only", "echo", "wrong_entity")
REASONS = {
    "no_op": "no action of it is known to do nothing",
    "random": "it offers no sample(), and there is no oracle whose actions could be mixed",
    "read_only": "it has no tools of which some only read, or its oracles change nothing",
    "echo": "it cannot be spoken to",
    "wrong_entity": "its oracles name nothing that other tasks name differently",
    "mutants": "its solutions are neither a text nor calls that could be spoilt",
}


@dataclass
class Tally:
    good: int = 0
    n: int = 0
    bad: list[dict[str, Any]] = field(default_factory=list)

    def count(self, good: bool, what: Mapping[str, Any]) -> None:
        self.n += 1
        self.good += good
        if not good:
            self.bad.append(dict(what))

    def evidence(self) -> dict[str, Any]:
        return {"tasks": self.bad[:5]} if self.bad else {}


def repeats(m: Measurement, seconds: float) -> None:
    """The verdict on a finished episode, three times over, and in every other process that played it."""
    good = {number: all(answers) for number, answers in m.asked.items()}
    bad: dict[str, Any] = {}
    numbers = list(m.stable)
    if not numbers:
        m.add(untested("verifiable.repeats", ALONE))
        return
    scripts = [m.scripts[number] for number in numbers]
    for number, item in m.some(m.lab, "judge", seconds, numbers, scripts=scripts, times=3, seconds=seconds):
        verdicts = item["verdicts"]
        good[number] = good.get(number, True) and all(same(verdicts[0], each) for each in verdicts)
        if not good[number] and "verdicts" not in bad:
            bad = {**m.where(number, None), "verdicts": verdicts}
    if not bad and not all(good.values()):
        bad = m.where(next(number for number, each in good.items() if not each), None)
        bad["note"] = "the same actions, played again or in another process, are paid differently"
    m.add(share("verifiable.repeats", sum(good.values()), len(good), 1.0, {"different": bad} if bad else {}))


def believed(m: Measurement, seconds: float) -> None:
    """Oracle, agents without skill, and spoilt solutions, on as many tasks as the time allows."""
    if (top := m.said["top"]) is None:
        reason = "it does not say from which score on a task is solved"
        for name in ("oracle", *IDLE, "mutants"):
            m.add(untested(f"verifiable.{name}", reason))
        return
    judge = _Judge(m, float(top), m.said["floor"])
    tasks = list(m.said["tasks"])
    random.Random(0).shuffle(tasks)
    items = [(task, 1) for task in tasks[:TASKS]]
    if len(items) < 20:  # few tasks: their seeds are the tasks
        items = [(task, seed) for seed in range(1, 1 + -(-24 // len(items))) for task, _ in items]
    ends = m.budget.used + seconds
    for at in range(0, len(items), BATCH):
        judge.batch(items[at : at + BATCH], max(0.1, ends - m.budget.used))
        if m.budget.used > ends:
            break
    judge.conclude()


class _Judge:
    def __init__(self, m: Measurement, top: float, floor: float | None) -> None:
        self.m = m
        self.top, self.floor = top, floor
        self.tallies = {name: Tally() for name in ("oracle", *IDLE, "mutants", "equivalents")}
        self.reads = {tool["name"] for tool in m.said["tools"] if tool.get("effect") == "read" and "name" in tool}
        self.style = m.said["style"]
        self.solutions: list[tuple[tuple[str, int], list[Any]]] = []  # of the tasks so far
        self.tasks = 0  # that were come to, and solved where there is an oracle
        self.planned: set[str] = set()

    def batch(self, items: Sequence[tuple[str, int]], seconds: float) -> None:
        m, oracles = self.m, {}
        if m.said["oracle"]:
            steps = LONG if self.style == "other" else ORACLE_STEPS
            scripts = [{"task": task, "seed": seed, "policy": "oracle", "steps": steps} for task, seed in items]
            found = m.some(m.lab, "play", seconds, items, scripts=scripts, seconds=seconds)
            oracles = dict(found)
            for item, trace in oracles.items():
                self.tallies["oracle"].count(self._solved(trace), self._told(trace))
                actions = _actions(trace)
                if actions and len(actions) <= ORACLE_STEPS:
                    self.solutions.append((item, actions))
        planned = [plan for item in items for plan in self._plans(item, oracles.get(item))]
        self.planned |= {plan.name for plan in planned}
        self.tasks += sum(map(self._solved, oracles.values())) if m.said["oracle"] else len(items)
        planned.sort(key=lambda plan: list(self.tallies).index(plan.name))  # if the time ends, the spoilt ones wait
        scripts = [plan.script for plan in planned]
        for plan, trace in m.some(m.lab, "play", seconds, planned, scripts=scripts, seconds=seconds):
            self._count(plan, trace)

    def _plans(self, item: tuple[str, int], solved: Trace | None) -> list[_Plan]:
        task, seed = item
        chance = random.Random(text([task, seed]).encode(errors="surrogatepass"))
        solution = _actions(solved) if solved else []
        others = [actions for other, actions in self.solutions if other != item]
        start = solved["start"][0] if solved and solved["start"] else None
        if start is None:
            start = next((t["start"][0] for t in self.m.traces if t["task"] == task and t["start"]), None)
        pool = [action for _, actions in self.solutions for action in actions]
        made = {
            "no_op": plans.no_op(self.style, self.m.said["says"], solution),
            "random": plans.at_random(self.style, start, pool, len(solution), chance),
            "read_only": plans.read_only(solution, self.reads, self.m.said["says"]),
            "echo": plans.echo(self.style, self.m.said["says"], start),
            "wrong_entity": plans.wrong_entity(self.style, solution, others, chance),
        }
        base = {"task": task, "seed": seed}
        found = [
            _Plan(name, name, {**base, "actions": actions}, solved)
            for name, actions in made.items()
            if actions is not None
        ]
        if self.m.said["samples"]:
            steps = LONG if self.style == "other" else max(8, 2 * len(solution))
            script = {**base, "policy": "random", "steps": steps, "draw": 1}
            found = [plan for plan in found if plan.name != "random"] + [_Plan("random", "random", script, solved)]
        if solved and self._solved(solved) and self.style in ("text", "calls"):
            for kind, actions in plans.mutants(self.style, solution, others, self.reads, chance):
                found.append(_Plan("mutants", kind, {**base, "actions": actions}, solved))
        return found

    def _count(self, plan: _Plan, trace: Trace) -> None:
        name = plan.name
        if plan.solved is not None and name in ("wrong_entity", "mutants", "random"):
            ends = _end(trace), _end(plan.solved)
            if ends[0] is not None and same(*ends):  # it came to the same: that is a solution
                if name == "mutants":
                    self.tallies["equivalents"].count(self._solved(trace), {"how": plan.kind, **self._told(trace)})
                return
            if name == "mutants" and same(_actions(trace), _actions(plan.solved)):
                return  # the episode was over before what is wrong in it
            if name == "mutants" and self._solved(trace) and _understood(trace, plan.solved):
                self.tallies["equivalents"].count(True, {})
                return
        good = not self._solved(trace) if name == "mutants" else self._idle(trace)
        told = self._told(trace) | ({"how": plan.kind} if name == "mutants" else {})
        self.tallies[name].count(good, told)

    def conclude(self) -> None:
        m = self.m
        oracle = self.tallies["oracle"]
        if not m.said["oracle"]:
            m.add(untested("verifiable.oracle", "it publishes no oracle"))
        else:
            m.add(share("verifiable.oracle", oracle.good, oracle.n, MOST, oracle.evidence()))
        for name in IDLE:
            tally = self.tallies[name]
            if tally.n == 0:
                m.add(self._not_asked(name))
            else:
                m.add(share(f"verifiable.{name}", tally.good, tally.n, MOST, tally.evidence()))
        spoilt, equal = self.tallies["mutants"], self.tallies["equivalents"]
        if spoilt.n == 0 and not equal.bad:
            m.add(self._not_asked("mutants"))
            return
        evidence = {**spoilt.evidence(), "equivalent": equal.n}
        found = share("verifiable.mutants", spoilt.good, spoilt.n, MOST, evidence)
        if equal.bad:  # the same state, the same words, and no pay
            refused = {**found.evidence, "refused": equal.bad[:5]}
            found = Check(found.id, False, found.value, found.n, found.interval, refused)
        m.add(found)

    def _not_asked(self, name: str) -> Check:
        """Why nothing speaks for this check or against it: it does not apply, or was not come to."""
        id_ = f"verifiable.{name}"
        if name in self.planned:
            return untested(id_, "the time was over, or all that was tried came to the solution itself")
        if name in ("wrong_entity", "read_only", "mutants") and not self.m.said["oracle"]:
            return untested(id_, "it publishes no oracle from which to make it")
        if name == "read_only" and self.m.said["tools"] and not any("effect" in each for each in self.m.said["tools"]):
            return untested(id_, "it does not say which of its tools only read")
        if name == "mutants" and self.style in ("text", "calls"):
            return untested(id_, "there is no solution that could be spoilt")
        if self.tasks < BATCH:
            return untested(
                id_, f"only {self.tasks} tasks were come to or solved, and for none of them could it be made"
            )
        return inapplicable(id_, REASONS[name])

    def _paid(self, trace: Trace) -> float:
        verdict = trace["verdict"]
        return float(verdict) if isinstance(verdict, (int, float)) else float("-inf")  # it raised: nothing is paid

    def _solved(self, trace: Trace) -> bool:
        return self._paid(trace) >= self.top - 1e-6 * max(1.0, abs(self.top))

    def _idle(self, trace: Trace) -> bool:
        if self.floor is None:
            return not self._solved(trace)
        return self._paid(trace) <= self.floor + MARGIN * (self.top - self.floor)

    def _told(self, trace: Trace) -> dict[str, Any]:
        actions = _actions(trace)
        told = {"task": trace["task"], "seed": trace["seed"], "paid": trace["verdict"], "actions": _short(actions)}
        why = trace["error"] or trace["unsolved"]
        return told | ({"raised": why} if why else {})


@dataclass(frozen=True)
class _Plan:
    name: str
    kind: str
    script: Mapping[str, Any]
    solved: Trace | None


def _actions(trace: Trace) -> list[Any]:
    return [step["action"] for step in trace["steps"]]


def _end(trace: Trace) -> Any:
    """The state at the end and what was said on the way; None where the state cannot be seen."""
    steps = trace["steps"]
    state = steps[-1]["state"] if steps else (trace["start"] or [None, None])[1]
    if state is None:
        return None
    return [state, [step["action"]["say"] for step in steps if _says(step["action"])]]


def _understood(trace: Trace, solved: Trace) -> bool:
    """Whether all that differs is how a question was put, and it was answered all the same as the solution's."""
    steps, right = trace["steps"], solved["steps"]
    if len(steps) != len(right) or not all(
        same([one["observation"], one["state"]], [other["observation"], other["state"]])
        for one, other in zip(steps, right, strict=True)
    ):
        return False
    changed = [at for at, (one, other) in enumerate(zip(steps, right, strict=True)) if one["action"] != other["action"]]
    asked = [right[at]["action"] for at in changed]
    return max(changed, default=len(right)) < len(right) - 1 and all(
        _says(each) and "?" in each["say"] for each in asked
    )


def _says(action: Any) -> bool:
    return isinstance(action, Mapping) and "say" in action


def _short(actions: Sequence[Any]) -> list[Any]:
    return [action if len(text(action)) <= 200 else f"{text(action)[:200]}…" for action in actions[:8]]
