"""Tasks from parametric specs: a family is a function that draws one task; this draws many, and makes them tasks.

Always holds: the same seed gives the same tasks; wordings of a family take turns, so that no two neighbours read alike;
a draft's rows are in the start before the oracle runs, admitted like any other.

Knows tasks; nothing of what worlds hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from journeyman.world.actions import Action
from journeyman.world.chance import Stream
from journeyman.world.context import Context
from journeyman.world.outcome import Tier
from journeyman.world.saying import Fact
from journeyman.world.state import State
from journeyman.world.tables import Row, Table
from journeyman.world.task import Allowed, Forbidden, Task
from journeyman.world.user import UserSim
from journeyman.world.world import Rules


class Draft(NamedTuple):
    """What a family gives: the words, the rows that set the scene, and the way to do it."""

    instruction: str
    oracle: tuple[Action, ...]
    scene: tuple[tuple[Table[Any], Row], ...] = ()
    say: tuple[Fact, ...] = ()
    wording: Mapping[tuple[str, str], tuple[Fact, ...]] = {}
    allow: tuple[Allowed, ...] = ()
    forbid: tuple[Forbidden, ...] = ()
    user: UserSim | None = None


def _any(_: Any) -> bool:
    return True


class Spec(NamedTuple):
    """What a family draws from."""

    chance: Stream
    state: State
    seed: int  # of the state
    turn: int  # which of the family's tasks this is

    def worded(self, *wordings: str, **values: Any) -> str:
        """One of these wordings, in turn, with the values filled in."""
        return wordings[self.turn % len(wordings)].format(**values)

    def rows(self, table: Table[Any], wanted: Callable[[Any], bool] = _any) -> list[Any]:
        return [row for row in self.state.rows(table.name) if wanted(row)]

    def one(self, table: Table[Any], wanted: Callable[[Any], bool] = _any) -> Any:
        return self.chance.choice(self.rows(table, wanted))

    def row(self, table: Table[Any], key: str) -> Any:
        return self.state.row(table.name, key)


Family = Callable[[Spec], Draft]


def with_rows(state: State, rows: Iterable[tuple[Table[Any], Row]]) -> State:
    """The state with these rows put in, as a start of its own."""
    here = Context(state, True, Tier.CODE)
    for table, row in rows:
        here.put(table, row)
    return here.result().as_start()


def build(
    rules: Rules, families: Mapping[str, Family], starts: Callable[[int], State], seed: int, count: int
) -> list[Task]:
    """`count` tasks of each family. They share few starts, so that a thousand tasks weigh little."""
    tasks: list[Task] = []
    for family, drawn in families.items():
        for turn in range(count):
            place = 100 * seed + turn % 6
            spec = Spec(Stream(rules.name, family, seed, turn), starts(place), place, turn)
            draft = drawn(spec)
            tasks.append(
                Task.derive(
                    rules,
                    f"{family}-{turn + 1}",
                    draft.instruction,
                    with_rows(spec.state, draft.scene),
                    draft.oracle,
                    wording=draft.wording,
                    say=draft.say,
                    allow=draft.allow,
                    forbid=draft.forbid,
                    user=draft.user,
                    family=family,
                )
            )
    return tasks
