"""Group-relative advantages, and a reward that rises."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_cases import cases, start

from journeyman.errors import TrainingError
from journeyman.learn.exposures import LIVE, Exposure
from journeyman.learn.grpo import advantages, roll_out, weighed
from journeyman.learn.trainer import Schedule, train
from journeyman.model.transformers_engine import TransformersEngine

WANTED = frozenset(range(128))  # half of the vocabulary


def share(_: int, reply: list[int]) -> float:
    return sum(token in WANTED for token in reply) / max(1, len(reply))


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=12), st.booleans())
def test_advantages_sum_to_zero_and_keep_the_order(rewards: list[float], scaled: bool) -> None:
    found = advantages(rewards, scaled=scaled)
    assert sum(found) == pytest.approx(0.0, abs=1e-6)
    if any(found):
        ranked = sorted(range(len(rewards)), key=rewards.__getitem__)
        assert all(found[a] <= found[b] for a, b in pairwise(ranked))
        if scaled:
            assert sum(value**2 for value in found) == pytest.approx(len(found), rel=1e-6)
    else:
        assert max(rewards) - min(rewards) <= max(1e-12, 1e-9 * max(map(abs, rewards)))


def test_a_group_without_a_difference_teaches_nothing_and_is_counted(tiny_engine: TransformersEngine) -> None:
    start(tiny_engine)
    prompts = [prompt for prompt, _, _ in cases(count=3)]
    found = roll_out(
        tiny_engine, prompts, lambda n, reply: share(n, reply) if n == 1 else 1.0, group=4, max_new_tokens=5, seed=0
    )
    assert found.zero_variance == pytest.approx(2 / 3)
    assert len(found.exposures) == 12
    pulling = [e for e in found.exposures if e.weight_R is not None and e.weight_R.any()]
    assert {exposure.prompt for exposure in pulling} == {tuple(prompts[1])}
    assert all(e.hard_R.all() and e.sampled and e.veteran_RH is None for e in found.exposures)


def test_a_reward_hears_a_reply_without_its_end_and_may_be_scaled(tiny_engine: TransformersEngine) -> None:
    start(tiny_engine)
    prompts = [prompt for prompt, _, _ in cases(count=2)]
    free = roll_out(tiny_engine, prompts, share, group=4, max_new_tokens=5, seed=0)
    tiny_engine.end_ids = frozenset({free.exposures[0].response[1], free.exposures[5].response[0]})
    heard: list[list[int]] = []

    def number(_: int, reply: list[int]) -> float:
        heard.append(reply)
        return float(len(heard) % 3)

    found = roll_out(tiny_engine, prompts, number, group=4, max_new_tokens=5, seed=0, scaled=True)
    said = [list(each.response) for each in found.exposures]
    assert heard == [reply[:-1] if reply[-1] in tiny_engine.end_ids else reply for reply in said]
    assert heard[0] == said[0][:1]
    assert len(said[0]) == 2
    right = [
        each for rewards in ([1.0, 2.0, 0.0, 1.0], [2.0, 0.0, 1.0, 2.0]) for each in advantages(rewards, scaled=True)
    ]
    assert [float(each.weight_R[0]) for each in found.exposures if each.weight_R is not None] == pytest.approx(right)


def test_the_same_seed_gives_the_same_round(tiny_engine: TransformersEngine) -> None:
    start(tiny_engine)
    prompts = [prompt for prompt, _, _ in cases(count=2)]
    first, again = (roll_out(tiny_engine, prompts, share, group=4, max_new_tokens=5, seed=7) for _ in range(2))
    assert first.reward == again.reward
    assert [e.response for e in first.exposures] == [e.response for e in again.exposures]
    weights = [float(e.weight_R[0]) for e in first.exposures if e.weight_R is not None]
    assert sum(weights) == pytest.approx(0.0, abs=1e-5)


def test_the_pull_to_the_reference_is_weighted_and_on_all_answers(tiny_engine: TransformersEngine) -> None:
    state = start(tiny_engine, trained=True)
    tiny_engine.put_adapter("veteran", state.clone())
    prompts = [prompt for prompt, _, _ in cases(count=2)]
    found = roll_out(
        tiny_engine, prompts, lambda *_: 0.0, group=3, max_new_tokens=5, seed=0, kl=0.25, reference="veteran"
    )
    assert len(found.exposures) == 12
    pulls = found.exposures[6:]
    assert all(e.weight_R is not None and bool((e.weight_R == 0.25).all()) for e in pulls)
    assert not any(e.hard_R.any() or e.sampled for e in pulls)
    [step] = train(tiny_engine, found.exposures, [], Schedule(steps=1, rows=12))
    assert abs(step.loss) < 1e-5  # the reference is the student


def test_a_round_that_teaches_nothing_changes_nothing(tiny_engine: TransformersEngine) -> None:
    state = start(tiny_engine, trained=True)
    before = state.clone().parameters()

    def fresh(step: int) -> list[Exposure]:
        found = roll_out(tiny_engine, [[1, 2]], lambda *_: 1.0, group=2, max_new_tokens=2, seed=step)
        assert found.zero_variance == 1.0
        return found.exposures

    steps = list(train(tiny_engine, [], [], Schedule(steps=2, rows=0), fresh))
    assert [(step.loss, step.gradient_norm) for step in steps] == [(0.0, 0.0)] * 2
    assert all(torch.equal(a, b) for a, b in zip(before, state.parameters(), strict=True))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "good"])
def test_a_reward_that_is_no_number_is_an_error(value: Any, tiny_engine: TransformersEngine) -> None:
    start(tiny_engine)
    with pytest.raises(TrainingError, match=f"reply to prompt 0 is {value}"):
        roll_out(tiny_engine, [[1, 2]], lambda *_: value, group=2, max_new_tokens=2, seed=0)


def test_a_group_of_one_is_refused(tiny_engine: TransformersEngine) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        roll_out(tiny_engine, [[1, 2]], share, group=1, max_new_tokens=2, seed=0)


def test_a_group_that_is_not_whole_is_refused(tiny_engine: TransformersEngine) -> None:
    with pytest.raises(ValueError, match="3 episodes are not whole groups of 2"):
        weighed(tiny_engine, [[([5], [6])]] * 3, [0.0, 1.0, 1.0], group=2)


def test_the_reward_rises(tiny_engine: TransformersEngine) -> None:
    start(tiny_engine)
    prompts = [prompt for prompt, _, _ in cases(count=4)]
    rewards: list[float] = []

    def fresh(step: int) -> list[Exposure]:
        found = roll_out(tiny_engine, prompts, share, group=8, max_new_tokens=6, seed=step)
        rewards.append(found.reward)
        return found.exposures

    list(train(tiny_engine, [], [], Schedule(steps=25, rows=0, learning_rate=2e-2), fresh))
    assert sum(rewards[-5:]) / 5 > sum(rewards[:5]) / 5 + 0.2
    with tiny_engine.using(LIVE):
        torch.manual_seed(0)
        replies = tiny_engine.generate(prompts, max_new_tokens=6, temperature=1.0, seed=99)
    assert sum(share(0, reply) for reply in replies) / len(replies) > 0.7
