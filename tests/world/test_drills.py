"""Drills: the steps of a world's tasks, spelled out."""

from __future__ import annotations

import pytest

from journeyman.errors import WorldError
from journeyman.world import Call, Env, admit, load
from journeyman.world.admission import refused
from journeyman.world.drills import drills, spelled


@pytest.mark.parametrize("world", ["shop", "office"])
@pytest.mark.parametrize("calls", [1, 2])
def test_every_drill_is_solved_by_what_it_spells_out_and_by_nothing_less(world: str, calls: int) -> None:
    suite = drills(load(world), calls)
    assert len(suite) > 50
    for task in suite.tasks.values():
        env = Env(suite)
        env.reset(task)
        idle, part = env.fork(2)
        for action in task.oracle:
            step = env.step(action.text)
        assert (step.truncated, step.reward) == (True, 1.0)
        assert idle.leave().score == 0
        part.step(task.oracle[0].text)
        assert part.leave().score == (1.0 if calls == 1 else 0.0)
        for action in task.oracle:
            assert isinstance(action, Call)
            assert f"call {action.tool} with" in task.instruction.casefold()


def test_a_drill_starts_where_the_steps_before_it_have_led() -> None:
    shop = load("shop")
    easy = drills(shop)
    whole = shop.task("cancel-1")
    first, second = (easy.task(f"cancel-1/{number}") for number in (1, 2))
    assert (first.family, second.family) == ("cancel_order", "close_case")
    assert [*first.oracle, *second.oracle] == list(whole.oracle)
    order = first.oracle[0].args["order"]  # type: ignore[union-attr]
    assert first.start.row("orders", order).status != "cancelled"
    assert second.start.row("orders", order).status == "cancelled"


def test_drills_pass_the_gates_of_any_task() -> None:
    suite = drills(load("shop"))
    for name in ("cancel-1/1", "return-1/2", "rebalance-1/1"):
        assert refused(admit(suite, suite.task(name))) is None, name


def test_how_calls_are_spelled() -> None:
    one, two = Call("move_stock", {"product": "P-3", "units": 4}), Call("invite", {"people": ["Ü", "b"]})
    assert spelled([one]) == "Call move_stock with product P-3, units 4."
    assert spelled([one, two]).endswith('units 4, then call invite with people ["Ü", "b"].')


def test_a_world_without_such_steps_has_none() -> None:
    with pytest.raises(WorldError, match="9 successive"):
        drills(load("shop"), 9)
