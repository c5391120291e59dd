"""Distillation on a tiny model: only the live adapter changes, the same seed gives the same bits."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from random_cases import anchors_of, bits, cases, same, start

from journeyman.errors import TrainingError
from journeyman.learn.exposures import LIVE, Exposure, observe, proven
from journeyman.learn.sft import replay
from journeyman.learn.trainer import Deck, Objective, Schedule, train
from journeyman.model import load_engine
from journeyman.model.head import Head
from journeyman.model.lora import LoRAConfig
from journeyman.model.transformers_engine import TransformersEngine


def snapshot(model: Any) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def mean_divergence(engine: TransformersEngine, exposures: Sequence[Exposure], student: str | None) -> float:
    """Mean KL from the exposures' own veterans to `student`."""
    values = []
    with engine.using(student):
        states = engine.states([(e.prompt, e.response) for e in exposures])
    for exposure, states_RH in zip(exposures, states, strict=True):
        logp = engine.logits(exposure.veteran_RH).log_softmax(1)
        values += (logp.exp() * (logp - engine.logits(states_RH).log_softmax(1))).sum(1).tolist()
    return sum(values) / len(values)


def test_training_pulls_the_student_towards_the_veteran(tiny_engine: TransformersEngine) -> None:
    start(tiny_engine)
    rows = observe(tiny_engine, None, cases())
    before = mean_divergence(tiny_engine, rows, LIVE)
    schedule = Schedule(steps=40, rows=6, anchor_rows=2, learning_rate=1e-2)
    steps = list(train(tiny_engine, rows, anchors_of(tiny_engine), schedule))
    assert [step.step for step in steps] == list(range(1, 41))
    assert steps[0].loss == pytest.approx(before, rel=1e-3)
    assert mean_divergence(tiny_engine, rows, LIVE) < 0.3 * before
    assert steps[-1].loss < 0.3 * steps[0].loss
    assert steps[0].anchor_loss < 1e-5  # the base against a fresh adapter


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_float32_adapter_is_trained_over_a_half_precision_base(dtype: Any, tiny_directory: Path) -> None:
    engine = load_engine(tiny_directory, dtype=dtype)
    assert engine.dtype == getattr(torch, dtype)
    state = start(engine)
    rows = observe(engine, None, cases())
    before = mean_divergence(engine, rows, LIVE)
    steps = list(train(engine, rows, anchors_of(engine), Schedule(steps=30, rows=6, anchor_rows=2, learning_rate=1e-2)))
    assert all(parameter.dtype == torch.float32 for parameter in state.parameters())
    assert all(parameter.dtype == engine.dtype for parameter in engine.model.parameters())
    assert mean_divergence(engine, rows, LIVE) < 0.4 * before
    assert steps[-1].loss < 0.4 * steps[0].loss


def test_hard_targets_become_likely(tiny_engine: TransformersEngine) -> None:
    start(tiny_engine)
    rows, _ = proven(tiny_engine, observe(tiny_engine, None, [(p, p, r) for p, _, r in cases(count=2)]))
    assert all(row.hard_R.any() for row in rows)
    pairs = [(row.prompt, row.response) for row in rows]
    before = sum(map(sum, tiny_engine.score(pairs)))
    list(train(tiny_engine, rows, [], Schedule(steps=30, rows=2, learning_rate=1e-2)))
    with tiny_engine.using(LIVE):
        assert sum(map(sum, tiny_engine.score(pairs))) > 0.3 * before


def test_the_same_seed_gives_the_same_bits(tiny_directory: Path) -> None:
    results = []
    for seed in (3, 3, 4):
        engine = load_engine(tiny_directory)
        torch.manual_seed(len(results))  # the global generator has no say
        state = start(engine)
        schedule = Schedule(steps=5, rows=4, anchor_rows=2, seed=seed)
        list(train(engine, observe(engine, None, cases()), anchors_of(engine), schedule))
        results.append(bits(state))
    assert same(results[0], results[1])
    assert not same(results[0], results[2])


@pytest.mark.parametrize("first_layer", [0, 3])
def test_nothing_but_the_live_adapter_changes(tiny_engine: TransformersEngine, first_layer: int) -> None:
    engine = tiny_engine
    state = start(engine, LoRAConfig(rank=4, alpha=8, first_layer=first_layer), trained=True)
    veteran = state.clone()
    engine.put_adapter("veteran", veteran)
    base, frozen, before = snapshot(engine.model), bits(veteran), bits(state)
    rows = observe(engine, "veteran", cases())
    list(train(engine, rows, anchors_of(engine), Schedule(steps=3, rows=4, anchor_rows=2)))
    after = snapshot(engine.model)
    assert all(torch.equal(base[name], after[name]) for name in base)
    assert all(parameter.grad is None for parameter in engine.model.parameters())
    assert same(bits(veteran), frozen)
    assert all(not torch.equal(a, b) for a, b in zip(before, bits(state), strict=True))
    assert not any(parameter.requires_grad for parameter in state.parameters())
    assert all(f".layers.{layer}." not in name for layer in range(first_layer) for name in state.matrices)
    prompts = [prompt for prompt, _, _ in cases()]
    with engine.using(LIVE):
        lower = engine.trunk(prompts, first_layer)
    with engine.using(None):
        assert all(torch.equal(a, b) for a, b in zip(lower, engine.trunk(prompts, first_layer), strict=True))
    assert engine._active is None


def test_on_policy_rows_take_part(tiny_engine: TransformersEngine) -> None:
    rows = observe(tiny_engine, None, cases())
    others = observe(tiny_engine, None, cases(3, 2))
    asked: list[int] = []

    def fresh(step: int) -> list[Exposure]:
        asked.append(step)
        return others

    start(tiny_engine)
    before = mean_divergence(tiny_engine, others, LIVE)
    list(train(tiny_engine, rows, [], Schedule(steps=25, rows=4, learning_rate=1e-2), fresh))
    assert asked == list(range(25))
    assert mean_divergence(tiny_engine, others, LIVE) < 0.3 * before


def test_nothing_to_train_on_is_said(tiny_engine: TransformersEngine) -> None:
    start(tiny_engine)
    with pytest.raises(TrainingError, match="nothing to train on"):
        train(tiny_engine, [], [], Schedule(steps=1))


@pytest.mark.parametrize("options", [{"mean": "tokens"}, {"cap": 0.0}, {"importance_cap": -1.0}, {"divergence": "jsd"}])
def test_what_is_no_objective_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Objective(**options)


@pytest.mark.parametrize("options", [{"warmup": 100}, {"warmup": -0.1}, {"clip": 0.0}])
def test_what_is_no_schedule_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Schedule(steps=10, **options)


def test_entropy_and_signal_are_those_of_the_rows(tiny_engine: TransformersEngine) -> None:
    start(tiny_engine)
    rows = observe(tiny_engine, None, [(p, p, r) for p, _, r in cases()])  # the teacher is the student: no signal
    held = replay(tiny_engine, [(p, r) for p, _, r in cases(9, 2)])
    [step] = train(tiny_engine, rows, held, Schedule(steps=1, rows=len(rows), anchor_rows=2))
    states = torch.cat(tiny_engine.states([(row.prompt, row.response) for row in rows]))
    q = tiny_engine.logits(states).softmax(1)
    assert step.entropy == pytest.approx(float(-(q * q.log()).sum(1).mean()), rel=1e-4)
    assert step.signal == 0.0
    start(tiny_engine)
    [step] = train(tiny_engine, held, rows, Schedule(steps=1, rows=2, anchor_rows=2))
    assert step.signal == 1.0
    away = [replace(row, weight_R=-torch.ones(len(row.response))) for row in held]  # a loss below zero pulls, too
    [step] = train(tiny_engine, away, [], Schedule(steps=1, rows=2))
    assert step.signal == 1.0


def test_the_head_runs_where_a_loss_is(tiny_engine: TransformersEngine) -> None:
    seen: list[int] = []

    class Counted(Head):
        def logits(self, hidden_NH: torch.Tensor) -> torch.Tensor:
            seen.append(len(hidden_NH))
            return super().logits(hidden_NH)

    start(tiny_engine)
    rows, held = observe(tiny_engine, None, cases()), replay(tiny_engine, [(p, r) for p, _, r in cases(9, 2)])
    tiny_engine.head = Counted(tiny_engine.head.weight_VH)
    list(train(tiny_engine, rows, held, Schedule(steps=1, rows=len(rows), anchor_rows=2)))
    soft, hard = (sum(len(row.response) for row in part) for part in (rows, held))
    assert sum(seen) == 2 * soft + hard  # student and teacher; a target asks no teacher


def test_gradients_are_clipped_and_weights_do_not_decay(tiny_engine: TransformersEngine) -> None:
    rows = observe(tiny_engine, None, cases())
    results = []
    for clip in (1e-3, math.inf):
        state = start(tiny_engine)
        before = {name: A_RI.clone() for name, (A_RI, _) in state.matrices.items()}
        steps = train(tiny_engine, rows, [], Schedule(steps=3, rows=2, clip=clip))
        norm = next(steps).gradient_norm
        assert norm > 1e-3  # as it was before
        assert all(torch.equal(A_RI, before[name]) for name, (A_RI, _) in state.matrices.items())  # B is 0: no gradient
        list(steps)
        results.append((norm, bits(state)))
    assert results[0][0] == results[1][0]
    assert not same(results[0][1], results[1][1])


@pytest.mark.parametrize("problem", ["rate", "states"])
def test_divergence_stops_training(problem: str, tiny_engine: TransformersEngine) -> None:
    state = start(tiny_engine)
    rows = observe(tiny_engine, None, cases())
    if problem == "states":
        assert rows[0].veteran_RH is not None
        rows[0].veteran_RH[0, 0] = float("nan")
    schedule = Schedule(steps=30, rows=6, anchor_rows=0, learning_rate=1e30 if problem == "rate" else 1e-3)
    with pytest.raises(TrainingError) as stop:
        list(train(tiny_engine, rows, [], schedule))
    assert "--learning-rate" in stop.value.remedy
    assert not any(parameter.requires_grad for parameter in state.parameters())
    assert tiny_engine._active is None


def test_a_run_that_is_left_early_leaves_things_in_order(tiny_engine: TransformersEngine) -> None:
    state = start(tiny_engine)
    steps = train(tiny_engine, observe(tiny_engine, None, cases()), [], Schedule(steps=30, rows=2))
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert not any(parameter.requires_grad for parameter in state.parameters())
    assert tiny_engine._active is None


def test_rounds_add_up_and_do_not_pull_back_to_the_base(tiny_engine: TransformersEngine) -> None:
    """The veteran of a round is its start. A snapshot of it agrees with the live state exactly (no gradient), where
    the base would pull; and what earlier rounds taught is still there after the third."""
    engine = tiny_engine
    state = start(engine)
    taught: list[list[Exposure]] = []
    learnt: list[float] = []
    for number in range(3):
        engine.put_adapter("veteran", state.clone())
        new = observe(engine, "veteran", cases(number, 3))
        # Earlier rounds' prompts without their lessons: the veteran's own answers have to hold them by now.
        kept = [(e.prompt, e.prompt, e.response) for earlier in taught for e in earlier]
        replay = observe(engine, "veteran", kept)
        if number:
            assert mean_divergence(engine, replay, LIVE) < 1e-6
            assert mean_divergence(engine, observe(engine, None, kept), LIVE) > 0.1
        taught.append(new)
        before = mean_divergence(engine, new, LIVE)
        schedule = Schedule(steps=25, rows=3 + len(replay), learning_rate=1e-2, seed=number)
        list(train(engine, [*new, *replay], [], schedule))
        learnt.append(mean_divergence(engine, new, LIVE) / before)
    assert max(learnt) < 0.3
    for number, exposures in enumerate(taught):
        base = mean_divergence(engine, exposures, None)
        assert mean_divergence(engine, exposures, LIVE) < 0.5 * base, f"round {number + 1} was unlearnt"


# Parts


def items(count: int) -> list[Exposure]:
    return [Exposure((number,), (1,), torch.zeros(1, 2), torch.zeros(1).bool()) for number in range(count)]


@pytest.mark.parametrize("hand", [1, 3, 7, 10, 25])
def test_a_deck_deals_every_item_once_a_round(hand: int) -> None:
    deck = Deck(items(10), torch.Generator().manual_seed(0))
    dealt = [item.prompt[0] for _ in range(50) for item in deck.deal(hand)]
    for first in range(0, len(dealt) // 10 * 10, 10):
        assert Counter(dealt[first : first + 10]) == Counter(range(10))
    again = Deck(items(10), torch.Generator().manual_seed(0))
    assert [item.prompt[0] for _ in range(50) for item in again.deal(hand)] == dealt
    assert dealt[:10] != dealt[10:20]


def test_an_empty_deck_and_an_empty_hand() -> None:
    assert Deck([], torch.Generator()).deal(3) == []
    assert Deck(items(3), torch.Generator()).deal(0) == []
    assert Deck(items(3), torch.Generator()).deal(-1) == []


def test_the_rate_warms_up_then_falls_to_a_tenth() -> None:
    schedule = Schedule(steps=100, learning_rate=2.0, warmup=0.1)
    rates = [schedule.rate(step) for step in range(100)]
    assert rates[:10] == pytest.approx([0.2 * (step + 1) for step in range(10)])
    assert max(rates) == rates[10] == 2.0
    assert all(a > b for a, b in pairwise(rates[10:]))
    assert rates[55] == pytest.approx(2.0 * 0.55)
    assert 0.2 < rates[-1] < 0.21
    assert schedule.rate(100) == pytest.approx(0.2)
    assert Schedule(steps=1, learning_rate=2.0).rate(0) == 2.0
