"""What there is to practise in a dreamed world, and what is kept to judge by.

A world may be practised in if it was right on sessions that it was not made from (`passes`). Its tasks are divided by
the session that they come from: what a task has of a session that is kept to judge by, the training never sees.

Always holds: which side a session is on depends on the session alone, so that what is kept from one night is kept from
all; a task of both sides is on neither; no task to practise asks for what a task to judge by asks for, in its words or
by its calls; each names the sessions that it came from.

Knows dreamed worlds; nothing of models or nights.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from journeyman.dream.dreamed import Dreamed, dream
from journeyman.dream.worlds.agreement import AGREED, disagrees
from journeyman.dream.worlds.calls import recordings
from journeyman.dream.worlds.fidelity import ANSWERED, WRONG
from journeyman.dream.worlds.tasks import BUDGET
from journeyman.records import Session, content_hash
from journeyman.world.actions import Call
from journeyman.world.env import Env
from journeyman.world.suite import Suite
from journeyman.world.task import Task

SESSIONS = 10  # with calls: of fewer none is kept out of the induction, and nobody knows what the world is worth
TOLD = 20  # answers on sessions kept out: if none of fewer is wrong, more than one in six may still be (Wilson, 95 %)
HELD_OUT = 0.25  # of the sessions, as of the facts of a night
JUDGED = 32  # tasks to judge by, at most: of one session each as long as there are others
APART = "it has to do with a session that is kept to judge by"
TWIN = "a task to judge by asks for the same"
OLD = "its session was there to be judged by before"
ENOUGH = "there are enough to judge by"
TALK = "its user has to be asked, which no night practises"


@dataclass(frozen=True)
class Practice:
    """`why`: why there is nothing to practise ("": there is); `train`, `heldout`: tasks of `dreamed`; `dropped`: why
    others are on neither side; `calls`: how many were recorded, in how many `sessions`."""

    dreamed: Dreamed | None = None
    why: str = ""
    train: tuple[Task, ...] = ()
    heldout: tuple[Task, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    sessions: int = 0
    calls: int = 0

    def to_json(self) -> dict[str, Any]:
        """Without the tasks themselves."""
        return {
            "why": self.why,
            "sessions": self.sessions,
            "calls": self.calls,
            "dropped": dict(self.dropped),
            **({"card": self.dreamed.card} if self.dreamed else {}),
            **({"made": self.dreamed.tasks.to_json()} if self.dreamed and not self.why else {}),
            **({"outcomes": self.dreamed.outcomes} if self.dreamed and not self.why else {}),
        }


def practice(
    sessions: Sequence[Session],
    new: Collection[str],
    budget: int = BUDGET,
    outcomes: Mapping[str, float] | None = None,
) -> Practice:
    """What these sessions let a model practise. `new`: ids of those that were never there to be judged by before;
    `budget`: how many tasks are tried; `outcomes`: by session, what is known to have come of it."""
    calls = recordings(sessions)
    count = sum(len(each.calls) for each in calls)
    if len(calls) < SESSIONS:
        return Practice(why=f"{SESSIONS} sessions with calls of tools are needed", sessions=len(calls), calls=count)
    dreamed = dream(sessions, budget=budget, outcomes=outcomes)
    why = unfit(dreamed.card)
    if not why and disagrees(dreamed.outcomes):
        why = f"of the world's verdicts on sessions, fewer than {AGREED:.0%} are what really came of them"
    if why:
        return Practice(dreamed, why, sessions=len(calls), calls=count)
    kept = {each.id for each in sessions if is_held_out(each)}
    train, heldout, dropped = divided(dreamed, kept, new)
    if not train or not heldout:
        side = "practise" if heldout else "judge by" if train else "practise or to judge by"
        why = f"no task is left to {side}"
    return Practice(dreamed, why, tuple(train), tuple(heldout), dropped, len(calls), count)


def unfit(card: Mapping[str, Any]) -> str:
    """Why nobody is to practise in the world of this card; "" if somebody may.

    The card must pass: of the calls of sessions kept out half are answered (a world that abstains more ends most
    episodes before they are over) and at most 5 % of these wrongly (more would be learnt as if it were so). And it must
    have been tried on enough of them to tell.
    """
    held = card.get("held_out")
    if held is None:
        return "no session was kept out to tell how faithful the world is"
    told = round(held["answered"] * held["calls"])
    if told < TOLD:
        return f"the world answered {told} calls of sessions kept out, of the {TOLD} that tell how faithful it is"
    if not card["passes"]:
        answered, wrong = held["answered"], held["wrong_when_answered"]
        return (
            f"the world is not faithful enough: of calls kept out it answers {answered:.0%} (at least {ANSWERED:.0%} "
            f"are asked for) and {wrong:.1%} of these wrongly (at most {WRONG:.0%})"
        )
    return ""


def is_held_out(session: Session, share: float = HELD_OUT) -> bool:
    """Whether what it holds is kept to judge by, tonight and ever: branches of one conversation, and what it becomes
    when it goes on, are on one side."""
    name = [session.tenant, session.key or session.id]
    return int(content_hash(["judged by", name]), 16) < share * 16**16


def divided(
    dreamed: Dreamed, kept: Collection[str], new: Collection[str]
) -> tuple[list[Task], list[Task], dict[str, int]]:
    """Tasks to practise, tasks to judge by, and why others are neither. `kept`: the sessions to judge by."""
    origins, dropped = dreamed.tasks.origins, Counter[str]()
    train: list[Task] = []
    by_session: dict[str, list[Task]] = {}
    for task in dreamed.suite.tasks.values():
        origin = origins[task.id]
        here = [session in kept for session in origin.sessions]
        if task.user is not None:
            dropped[TALK] += 1
        elif not any(here):
            train.append(task)
        elif not all(here):
            dropped[APART] += 1
        elif origin.session not in new:
            dropped[OLD] += 1
        else:
            by_session.setdefault(origin.session, []).append(task)
    heldout: list[Task] = []
    while by_session and len(heldout) < JUDGED:
        for session in list(by_session)[: JUDGED - len(heldout)]:
            heldout.append(by_session[session].pop(0))
            if not by_session[session]:
                del by_session[session]
    if left := sum(map(len, by_session.values())):
        dropped[ENOUGH] += left
    words, calls = {task.instruction for task in heldout}, {_calls(task) for task in heldout}
    apart = [task for task in train if task.instruction not in words and _calls(task) not in calls]
    if len(apart) < len(train):
        dropped[TWIN] += len(train) - len(apart)
    return apart, heldout, dict(sorted(dropped.items()))


def walked(suite: Suite, task: Task) -> list[tuple[Call, str]]:
    """The calls of a task's oracle, each with what the world answers."""
    env, found = Env(suite), list[tuple[Call, str]]()
    env.reset(task)
    for action in task.oracle:
        if isinstance(action, Call):
            found.append((action, env.step(action).observation))
    return found


def _calls(task: Task) -> frozenset[str]:
    return frozenset(action.text for action in task.oracle)
