"""Episodes: the same however they were run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import lending
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeyman.errors import WorldError
from journeyman.world import BatchEnv, Call, Env, Known, Say, Script, Snapshot, Step
from journeyman.world.actions import Action

LEND = Call("lend", {"book": "B1", "reader": "U1"})
TALK = Script((Known(("which",), "Dunes."), Known(("who",), "Ann.")))
SUITE = lending.suite(
    lending.task(),
    lending.task("talk", (Say("Which book, and who?"), LEND), user=TALK, limit=8),
    lending.task("filled", (Call("look", {"book": "B3"}), LEND)),
)
ACTION = st.sampled_from(
    [
        LEND.text,
        LEND,
        Say("Which book? And who?"),
        "Is it raining?",
        '{"name": "raffle", "arguments": {}}',
        '{"name": "shelve", "arguments": {"book": "B2", "shelf": "b"}}',
        '{"name": "look", "arguments": {"book": "B9"}}',
        '{"name": "look"}',
    ]
)
EPISODES = st.lists(st.tuples(st.sampled_from(list(SUITE.tasks)), st.integers(0, 2), st.lists(ACTION, max_size=7)),
                    min_size=1, max_size=4)  # fmt: skip


def run(env: Env, actions: list[Action | str]) -> list[Step]:
    """Act until the episode is over."""
    steps: list[Step] = []
    for action in actions:
        if env.info["over"]:
            break
        steps.append(env.step(action))
    return steps


def alone(task: str, seed: int, actions: list[Action | str]) -> tuple[list[Step], str]:
    env = Env(SUITE)
    env.reset(task, seed)
    return run(env, actions), env.digest


@settings(max_examples=60, deadline=None)
@given(EPISODES)
def test_many_at_once_are_each_as_if_alone(episodes: list[tuple[str, int, list[Any]]]) -> None:
    """Stepped together, interleaved by an event loop, and forked at every step: bit for bit."""
    right = [alone(*each) for each in episodes]

    batch = BatchEnv(SUITE)
    batch.reset([(task, seed) for task, seed, _ in episodes])
    steps: list[list[Step]] = [[] for _ in episodes]
    for turn in range(max(len(actions) for _, _, actions in episodes)):
        todo = {at: e[2][turn] for at, e in enumerate(episodes) if turn < len(e[2]) and not batch.over[at]}
        for at, step in enumerate(batch.step(todo)):
            if step is not None:
                steps[at].append(step)
    assert [(done, env.digest) for done, env in zip(steps, batch, strict=True)] == right

    async def one(task: str, seed: int, actions: list[Any]) -> tuple[list[Step], str]:
        env = Env(SUITE)
        env.reset(task, seed)
        found: list[Step] = []
        for action in actions:
            await asyncio.sleep(0)
            found += run(env, [action])
        return found, env.digest

    async def together() -> list[Any]:
        return await asyncio.gather(*(one(*each) for each in episodes))

    assert asyncio.run(together()) == right

    for (task, seed, actions), (done, digest) in zip(episodes, right, strict=True):
        env = Env(SUITE)
        env.reset(task, seed)
        for at in range(len(done)):
            (fork,) = env.fork()
            assert run(fork, actions[at:]) == done[at:]
            assert fork.digest == digest
            env.step(actions[at])
        for at in range(len(done) + 1):
            branch = env.at(at)
            assert run(branch, actions[at:]) == done[at:]
            assert branch.digest == digest


def test_reward_comes_once_at_the_end() -> None:
    env = Env(SUITE)
    instruction, info = env.reset("lend", seed=1)
    assert (instruction, info["steps"]) == ("Lend Dunes to Ann.", 0)
    first = env.step(LEND.text)
    assert first[:4] == ('"L-2"', 0.0, False, False)
    last = env.step("Done.")
    assert last[1:4] == (1.0, True, False)
    assert last.info["verdict"] is env.verdict
    with pytest.raises(WorldError, match="over"):
        env.step("More?")


def test_what_is_wrong_with_a_call_is_an_observation() -> None:
    env = Env(SUITE)
    env.reset("lend")
    assert env.step('{"name": "lend"').observation == '{"error": "invalid", "message": "this call is no valid JSON"}'
    assert env.step('{"name": "fly", "arguments": {}}').info["error"] == "not_found"
    assert env.step(LEND.text).observation == '"L-2"'


def test_an_episode_that_nobody_can_answer_for_pays_nothing() -> None:
    for tool in ("review", "breaks"):
        env = Env(SUITE)
        env.reset("lend")
        env.step(LEND)
        step = env.step(Call(tool, {"book": "B1"}))
        assert (step.reward, step.terminated, step.truncated) == (0.0, False, True)
        assert step.info["out_of_scope"]


def test_reward_is_weighted_by_the_weakest_answer() -> None:
    env = Env(SUITE)
    env.reset("filled")
    env.step(Call("look", {"book": "B3"}))
    env.step(LEND)
    assert env.step("Done.").reward == 0.8


def test_an_episode_has_an_end() -> None:
    env = Env(SUITE)
    env.reset("talk")
    steps = [env.step(Call("look", {"book": "B1"})) for _ in range(8)]
    assert [step.truncated for step in steps] == [False] * 7 + [True]
    assert steps[-1].reward == 0


def test_a_user_answers_until_told_good_bye() -> None:
    env = Env(SUITE)
    env.reset("talk")
    assert env.step("Which book?").observation == "Dunes."
    env.step(LEND)
    assert env.step("There you are.")[1:4] == (1.0, True, False)


def test_a_group_goes_on_from_one_moment() -> None:
    env = Env(SUITE)
    env.reset("talk", seed=3)
    env.step("Which book?")
    batch = BatchEnv(SUITE)
    assert batch.group(env, 4) == ["Dunes."] * 4
    assert len({each.digest for each in batch}) == 1
    batch.step([LEND, Call("raffle", {}), None, "Bye."])
    assert len({each.digest for each in batch}) == 4
    assert batch.over == [False, False, False, True]
    assert batch.rewards == [None, None, None, 0.0]
    batch.step({0: "Bye."})
    assert batch.rewards[0] == 1.0
    assert env.info == {"task": "talk", "steps": 1, "over": ""}


def test_a_start_can_be_given() -> None:
    env = Env(SUITE)
    env.reset("lend", 1)
    env.step(LEND)
    snapshot = env.snapshot()
    assert isinstance(snapshot, Snapshot)
    again = Env(SUITE)
    again.reset("lend", start=snapshot)
    assert again.digest == env.digest
    fresh = Env(SUITE)
    fresh.reset("lend", 1, start=env.world.state)
    assert fresh.world.state.changes() == []
    assert fresh.step(LEND).info["error"] == "conflict"


def test_seeds_are_part_of_a_start_and_starts_are_equal_for_equal_seeds() -> None:
    digests = []
    for seed in (1, 1, 2):
        env = Env(SUITE)
        env.reset("lend", seed)
        digests.append(env.digest)
    assert digests[0] == digests[1] != digests[2]


def test_a_seed_is_one_whatever_kind_of_number_it_came_as() -> None:
    class One:
        def __index__(self) -> int:
            return 1

    drawn = []
    for seed in (1, True, One()):
        env = Env(SUITE)
        env.reset("lend", seed)  # pyright: ignore[reportArgumentType]
        drawn.append([env.step(Call("raffle", {})).observation for _ in range(8)] + [env.digest])
    assert drawn[0] == drawn[1] == drawn[2]


def test_a_set_in_a_users_memory_has_one_text() -> None:
    env = Env(SUITE)
    env.reset("talk")
    here = env.snapshot()
    one, other, third = (here._replace(memory=(frozenset(told), 1)) for told in ((0, 8), (8, 0), (0, 1)))
    assert repr(one.memory) != repr(other.memory)  # equal, and filled in another order
    assert one.digest == other.digest != third.digest
    assert here.digest == here._replace(memory=(0, 0)).digest


def test_mistakes_of_the_caller_are_named() -> None:
    env = Env(SUITE)
    with pytest.raises(WorldError, match="not begun"):
        env.step("x")
    known: list[Callable[[], Any]] = [lambda: env.task, lambda: env.observation, lambda: env.verdict, lambda: env.info]
    for early in (env.leave, env.snapshot, env.fork, lambda: env.at(0), lambda: env.digest, *known):
        with pytest.raises(WorldError, match="no episode has begun"):
            early()
    for seed in ("1", 1.5):
        with pytest.raises(WorldError, match="no seed"):
            env.reset("lend", seed)  # pyright: ignore[reportArgumentType]
    with pytest.raises(WorldError, match="no task 'x'"):
        env.reset("x")
    env.reset("lend")
    with pytest.raises(WorldError, match="no step 1"):
        env.at(1)
    for nothing in (3, Say(3), Call(["look"], {})):  # pyright: ignore[reportArgumentType]
        with pytest.raises(WorldError, match="no action"):
            env.step(nothing)  # pyright: ignore[reportArgumentType]
    before = env.snapshot()
    for task, seed in (("talk", "1"), ("x", 1)):
        with pytest.raises(WorldError):
            env.reset(task, seed)  # pyright: ignore[reportArgumentType]
    assert (env.task.id, env.snapshot()) == ("lend", before)
    for args in ({"book": 10**5000}, {"book": b"B1"}, {"book": ("B1",)}, ["B1"], None):
        with pytest.raises(WorldError, match="cannot be written down"):
            env.step(Call("look", args))  # pyright: ignore[reportArgumentType]
    assert env.info["steps"] == 0
