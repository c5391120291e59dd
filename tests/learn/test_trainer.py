"""Distillation on a tiny model: exact gradients, only the live adapter changes, the same seed gives the same bits."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from random_cases import CONFIG, SYSTEM, cases, random_ids, start
from transformers import AutoModelForCausalLM

from journeyman.errors import TrainingError
from journeyman.learn import trainer
from journeyman.learn.exposures import LIVE, Exposure, observe, proven
from journeyman.learn.opsd import roll_out
from journeyman.learn.sft import replay
from journeyman.learn.trainer import Deck, Objective, Schedule, Trainer, train
from journeyman.model import load_engine
from journeyman.model.lora import AdapterState, LoRAConfig, save
from journeyman.model.transformers_engine import TransformersEngine


def anchors_of(engine: TransformersEngine) -> list[Exposure]:
    return observe(engine, None, [(prompt, prompt, response) for prompt, _, response in cases(50, 4)])


def hard(count: int = 2) -> list[Exposure]:
    """Hard targets but for the last token, whose veteran is far from any text."""
    return [
        Exposure(
            (*SYSTEM, *random_ids(500 + n, 3)),
            tuple(random_ids(600 + n, 3)),
            torch.randn(3, 32, generator=torch.Generator().manual_seed(n)),
            torch.tensor([True, True, n % 2 == 0]),
        )
        for n in range(count)
    ]


def snapshot(model: Any) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def bits(state: AdapterState) -> list[torch.Tensor]:
    return state.clone().parameters()


def same(left: Sequence[torch.Tensor], right: Sequence[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


def mean_divergence(engine: TransformersEngine, exposures: Sequence[Exposure], student: str | None) -> float:
    """Mean KL from the exposures' own veterans to `student`."""
    values = []
    with engine.using(student):
        states = engine.states([(e.prompt, e.response) for e in exposures])
    for exposure, states_RH in zip(exposures, states, strict=True):
        logp = engine.logits(exposure.veteran_RH).log_softmax(1)
        values += (logp.exp() * (logp - engine.logits(states_RH).log_softmax(1))).sum(1).tolist()
    return sum(values) / len(values)


# Gradients


def gradients(
    state: AdapterState, run: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """The gradients that the state's matrices have when they come to be clipped."""
    seen: dict[str, torch.Tensor] = {}
    clip = torch.nn.utils.clip_grad_norm_

    def look(parameters: Any, *rest: Any) -> torch.Tensor:
        seen.update(
            {name: each.grad.clone() for name, each in state.named_parameters().items() if each.grad is not None}
        )
        return clip(parameters, *rest)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", look)
    run()
    return {name: (seen[f"{name}.A"], seen[f"{name}.B"]) for name in state.matrices}


def by_autograd(
    directory: Path, state: AdapterState, rows: Sequence[Exposure], objective: Objective
) -> tuple[float, dict[str, tuple[torch.Tensor, torch.Tensor]]]:
    """Loss and gradients in plain transformers, one row at a time over full logits, with LoRA added by hooks."""
    plain: Any = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval().requires_grad_(False)
    live = state.clone()
    for parameter in live.parameters():
        parameter.requires_grad_(True)
    for name, (A_RI, B_OR) in live.matrices.items():

        def add(_: Any, inputs: Any, output: Any, A_RI: Any = A_RI, B_OR: Any = B_OR) -> Any:
            return output + live.config.scale * (inputs[0] @ A_RI.T) @ B_OR.T

        plain.get_submodule(name).register_forward_hook(add)
    head_VH = plain.get_output_embeddings().weight
    total = sum(len(row.response) for row in rows)
    loss = torch.zeros(())
    for row in rows:
        ids = torch.tensor([[*row.prompt, *row.response]])
        logq = plain(ids).logits[0, len(row.prompt) - 1 : -1].log_softmax(1)
        named = torch.nn.functional.nll_loss(logq, torch.tensor(row.response), reduction="none")
        losses = named
        if row.veteran_RH is not None:
            logp = (row.veteran_RH @ head_VH.T).log_softmax(1)
            losses = torch.where(row.hard_R, named, (logp.exp() * (logp - logq)).sum(1))
        if objective.cap is not None and row.veteran_RH is not None:
            losses = torch.where(row.hard_R, losses, losses * (objective.cap / losses.detach()).clamp_max(1.0))
        if row.then_R is not None:
            losses = losses * (-named.detach() - row.then_R).exp().clamp_max(objective.importance_cap)
        if row.weight_R is not None:
            losses = losses * row.weight_R
        loss = loss + losses.sum() / (total if objective.mean == "token" else len(rows) * len(row.response))
    loss.backward()
    found = {}
    for name, (A_RI, B_OR) in live.matrices.items():
        assert A_RI.grad is not None
        assert B_OR.grad is not None
        found[name] = (A_RI.grad, B_OR.grad)
    return float(loss.detach()), found


def weighted(rows: Sequence[Exposure]) -> list[Exposure]:
    """Every second row weighted, every third sampled by an older student."""
    result = []
    for number, row in enumerate(rows):
        generator = torch.Generator().manual_seed(number)
        size = len(row.response)
        if number % 2:
            row = replace(row, weight_R=torch.zeros(size) if number == 5 else torch.randn(size, generator=generator))
        if number % 3 == 0:
            row = replace(row, then_R=-5.0 - torch.rand(size, generator=generator))
        result.append(row)
    return result


OBJECTIVES = {
    "by token": Objective(),
    "by sequence": Objective(mean="sequence"),
    "capped": Objective(cap=3.0),
    "capped importance": Objective(importance_cap=1.1, mean="sequence"),
}


@pytest.mark.parametrize("family", ["tiny", "tiny_qwen"])
@pytest.mark.parametrize("first_layer", [0, 2])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_gradients_are_those_of_plain_autograd(
    family: str, first_layer: int, objective: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine: TransformersEngine = request.getfixturevalue(f"{family}_engine")
    state = start(engine, LoRAConfig(rank=4, alpha=8, first_layer=first_layer), trained=True)
    given = [*observe(engine, None, cases()), *hard(), *replay(engine, [(p, r) for p, _, r in cases(7, 3)])]
    rows, held = [*given, *weighted(given)], anchors_of(engine)
    pulling = [row for row in rows if row.weight_R is None or row.weight_R.any()]
    assert len(pulling) == len(rows) - 1  # what weighs nothing is no part of the mean
    before = state.clone()
    schedule = Schedule(steps=1, rows=len(rows), anchor_rows=len(held))
    steps = []
    chosen = OBJECTIVES[objective]
    found = gradients(state, lambda: steps.extend(train(engine, rows, held, schedule, objective=chosen)), monkeypatch)
    _, right = by_autograd(request.getfixturevalue(f"{family}_directory"), before, [*pulling, *held], chosen)
    assert found.keys() == right.keys()
    squares = 0.0
    for name, pair in right.items():
        for one, other in zip(found[name], pair, strict=True):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-3)
            squares += float(other.square().sum())
    assert steps[0].gradient_norm == pytest.approx(math.sqrt(squares), rel=1e-3)


def test_the_trunk_cache_changes_nothing(
    tiny_engine: TransformersEngine, tiny_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training with the states below the first adapted layer kept is training that runs all layers each time."""
    engine, config = tiny_engine, LoRAConfig(rank=4, alpha=8, first_layer=2)
    rows, held = observe(engine, None, cases()), anchors_of(engine)
    schedule = Schedule(steps=6, rows=4, anchor_rows=2, learning_rate=1e-2)
    cached = start(engine, config)
    losses = [step.loss for step in train(engine, rows, held, schedule)]
    other = load_engine(tiny_directory)
    whole = start(other, config)
    hidden = other.hidden

    def from_the_bottom(packed: Any, cache: Any = None, *, stop: int | None = None, **_: Any) -> Any:
        return hidden(packed, cache, stop=stop)

    monkeypatch.setattr(other, "hidden", from_the_bottom)
    assert [step.loss for step in train(other, rows, held, schedule)] == pytest.approx(losses, rel=1e-3)
    for one, two in zip(bits(cached), bits(whole), strict=True):
        torch.testing.assert_close(one, two, atol=2e-3, rtol=1e-2)
    monkeypatch.setattr(trainer, "TRUNK_BYTES", 100)  # too many texts to keep
    third = load_engine(tiny_directory)
    start(third, config)
    assert [step.loss for step in train(third, rows, held, schedule)] == pytest.approx(losses, rel=1e-3)


# Training


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


@pytest.mark.parametrize("first_layer", [0, 2])
@pytest.mark.parametrize("stopped_after", [1, 4])
def test_a_run_that_goes_on_ends_in_the_same_bits(first_layer: int, stopped_after: int, tiny_directory: Path) -> None:
    config, schedule = LoRAConfig(rank=4, alpha=8, first_layer=first_layer), Schedule(steps=6, rows=5, anchor_rows=2)

    def trainer() -> tuple[Trainer, AdapterState]:
        engine = load_engine(tiny_directory)
        state = start(engine, config)

        def fresh(step: int) -> list[Exposure]:
            prompts = [(prompt, shown) for prompt, shown, _ in cases(step, 2)]
            return roll_out(engine, None, prompts, max_new_tokens=5, seed=step)

        return Trainer(engine, observe(engine, None, cases()), anchors_of(engine), schedule, fresh), state

    whole, right = trainer()
    expected = list(whole)
    first, _ = trainer()
    steps = iter(first)
    seen = [next(steps) for _ in range(stopped_after)]
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    next(steps)  # what happens after a checkpoint does not reach into it
    second, found = trainer()
    second.load_state_dict(torch.load(file))
    assert [*seen, *second] == expected
    assert same(bits(found), bits(right))


def test_a_checkpoint_of_another_shape_is_refused(tiny_engine: TransformersEngine) -> None:
    start(tiny_engine)
    held = anchors_of(tiny_engine)
    saved = Trainer(tiny_engine, [], held, Schedule(steps=1)).state_dict()
    start(tiny_engine, LoRAConfig(rank=2, alpha=8))
    other = Trainer(tiny_engine, [], held, Schedule(steps=1))
    with pytest.raises(TrainingError, match="other layers"):
        other.load_state_dict(saved)
    assert other.done == 0


def test_a_checkpoint_of_another_run_is_refused(tiny_engine: TransformersEngine) -> None:
    start(tiny_engine)
    held = anchors_of(tiny_engine)
    saved = Trainer(tiny_engine, [], held, Schedule(steps=1)).state_dict()
    for other in (
        Trainer(tiny_engine, [], held[1:], Schedule(steps=1)),
        Trainer(tiny_engine, [], held, Schedule(steps=2)),
        Trainer(tiny_engine, [], held, Schedule(steps=1), objective=Objective(cap=1.0)),
    ):
        with pytest.raises(TrainingError, match=r"other (items|schedule|objective)"):
            other.load_state_dict(saved)


def test_a_checkpoint_finds_its_layers_in_a_state_that_was_loaded(tiny_directory: Path, tmp_path: Path) -> None:
    """A file has them in the order of their names, in which layer 10 comes before layer 2."""
    runs = []
    for loaded in (False, True):
        engine = load_engine(tiny_directory)
        state = start(engine, trained=True)
        if loaded:
            save(state, "base", tmp_path)
            engine.load_adapter(tmp_path, LIVE)
            matrices = engine.adapter(LIVE).matrices
            engine.put_adapter(LIVE, AdapterState(dict(sorted(matrices.items(), reverse=True)), CONFIG))
        trainer = Trainer(engine, observe(engine, None, cases()), [], Schedule(steps=4, rows=4, anchor_rows=0))
        if loaded:
            trainer.load_state_dict(runs[0][0])
            list(trainer)
            assert all(torch.equal(m, runs[0][1][n]) for n, m in engine.adapter(LIVE).named_parameters().items())
        else:
            steps = iter(trainer)
            next(steps)
            saved = trainer.state_dict()
            list(steps)
            runs.append((saved, state.clone().named_parameters()))


def test_nothing_to_train_on_is_said(tiny_engine: TransformersEngine) -> None:
    start(tiny_engine)
    with pytest.raises(TrainingError, match="nothing to train on"):
        train(tiny_engine, [], [], Schedule(steps=1))


@pytest.mark.parametrize("options", [{"mean": "tokens"}, {"cap": 0.0}, {"importance_cap": -1.0}])
def test_what_is_no_objective_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Objective(**options)


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
