"""The trainer's gradients are those of plain autograd, with and without the states that it keeps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from random_cases import SYSTEM, anchors_of, bits, cases, random_ids, start
from transformers import AutoModelForCausalLM

from journeyman.learn import trainer
from journeyman.learn.exposures import Exposure, observe
from journeyman.learn.losses import Divergence
from journeyman.learn.sft import replay
from journeyman.learn.trainer import Objective, Schedule, train
from journeyman.model import load_engine
from journeyman.model.lora import AdapterState, LoRAConfig
from journeyman.model.transformers_engine import TransformersEngine


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
            heat = objective.divergence.temperature
            logp, soft = (row.veteran_RH @ head_VH.T / heat).log_softmax(1), (logq / heat).log_softmax(1)
            one, other = (soft, logp) if objective.divergence.kind == "reverse_kl" else (logp, soft)
            losses = torch.where(row.hard_R, named, (one.exp() * (one - other)).sum(1))
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
    "another divergence": Objective(Divergence("reverse_kl", temperature=1.5)),
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


def test_a_mean_over_many_tokens_does_not_vanish_in_half_precision(
    tiny_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One token of a thousand counts, and little: its share is below what float16 can say."""
    found = []
    for dtype in ("float32", "float16"):
        engine = load_engine(tiny_directory, dtype=dtype)
        state = start(engine, trained=True)
        [row] = replay(engine, [(SYSTEM, random_ids(1, 1000))])
        weight_R = torch.zeros(1000)
        weight_R[7] = 1e-3
        rows = [replace(row, weight_R=weight_R)]
        run = Schedule(steps=1, rows=1, anchor_rows=0)
        pairs = gradients(state, lambda: list(train(engine, rows, [], run)), monkeypatch)  # noqa: B023
        found.append(torch.cat([each.flatten() for name in sorted(pairs) for each in pairs[name]]))
    assert float((found[1] - found[0]).norm() / found[0].norm()) < 0.02
