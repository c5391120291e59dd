"""A GPU computes what the CPU computes: the same losses, replies and training, up to rounding."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from random_cases import CONFIG, cases
from transformers import AutoModelForCausalLM, AutoTokenizer

from journeyman.learn import LIVE, Divergence, Schedule, observe, token_losses, train
from journeyman.model.head import Head
from journeyman.model.transformers_engine import ON_CPU, ON_GPU, TransformersEngine

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")


def engine_on(device: str, directory: Path) -> TransformersEngine:
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).to(device)
    return TransformersEngine(model, AutoTokenizer.from_pretrained(directory), "tiny", "none")


@pytest.mark.parametrize("divergence", [Divergence(), Divergence("reverse_kl"), Divergence("jsd", top_k=5)])
def test_losses_are_those_of_the_cpu(divergence: Divergence) -> None:
    generator = torch.Generator().manual_seed(0)
    student_NH, teacher_NH = (torch.randn(40, 16, generator=generator) for _ in range(2))
    weight_VH = torch.randn(300, 16, generator=generator)
    target_N = torch.arange(40) * 7
    found = []
    for device in ("cpu", "cuda"):
        own_NH = student_NH.to(device).requires_grad_(True)
        losses = token_losses(
            own_NH,
            Head(weight_VH.to(device)),
            target_N.to(device),
            teacher_NH=teacher_NH.to(device),
            hard_N=(target_N % 2 == 0).to(device),
            divergence=divergence,
        )
        losses.loss_N.sum().backward()
        assert own_NH.grad is not None
        found.append([*(each.detach().cpu() for each in losses), own_NH.grad.cpu()])
    for cpu, gpu in zip(*found, strict=True):
        torch.testing.assert_close(gpu, cpu, atol=1e-4, rtol=1e-3)


def test_scores_replies_and_training_are_those_of_the_cpu(tiny_directory: Path) -> None:
    found = []
    for device, batching in (("cpu", ON_CPU), ("cuda", ON_GPU)):
        engine = engine_on(device, tiny_directory)
        assert engine.batching == batching
        given = cases(50, 6)
        scores = engine.score([(prompt, response) for prompt, _, response in given])
        replies = engine.generate([prompt for prompt, _, _ in given], max_new_tokens=8)
        engine.put_adapter(LIVE, engine.new_adapter(CONFIG, 0))
        exposures = observe(engine, None, given)
        losses = [step.loss for step in train(engine, exposures, [], Schedule(steps=4, rows=4, learning_rate=1e-3))]
        found.append((scores, replies, losses, [each.cpu() for each in engine.adapter(LIVE).clone().parameters()]))
    (scores, replies, losses, weights), (gpu_scores, gpu_replies, gpu_losses, gpu_weights) = found
    for cpu, gpu in zip(scores, gpu_scores, strict=True):
        assert gpu == pytest.approx(cpu, abs=1e-3)
    assert gpu_replies == replies
    assert gpu_losses == pytest.approx(losses, rel=1e-2, abs=1e-4)
    for cpu, gpu in zip(weights, gpu_weights, strict=True):
        torch.testing.assert_close(gpu, cpu, atol=1e-3, rtol=1e-2)
