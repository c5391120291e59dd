"""The fused loss against plain autograd over full logits, in float64."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from journeyman.learn.losses import distillation_loss

V, H = 37, 8


class Case(NamedTuple):
    student_NH: torch.Tensor
    teacher_NH: torch.Tensor
    target_N: torch.Tensor
    hard_N: torch.Tensor
    head_VH: torch.Tensor


def make(positions: int, hard: str = "some", dtype: torch.dtype = torch.float64, vocabulary: int = V) -> Case:
    generator = torch.Generator().manual_seed(positions)
    hard_N = {
        "none": torch.zeros(positions, dtype=torch.bool),
        "all": torch.ones(positions, dtype=torch.bool),
        "some": torch.arange(positions) % 3 == 1,
    }[hard]
    return Case(
        torch.randn(positions, H, generator=generator, dtype=torch.float64).to(dtype).requires_grad_(True),
        torch.randn(positions, H, generator=generator, dtype=torch.float64).to(dtype),
        torch.randint(0, vocabulary, (positions,), generator=generator),
        hard_N,
        torch.randn(vocabulary, H, generator=generator, dtype=torch.float64).to(dtype),
    )


def by_autograd(case: Case) -> torch.Tensor:
    logq = (case.student_NH @ case.head_VH.T).log_softmax(1)
    logp = (case.teacher_NH @ case.head_VH.T).log_softmax(1)
    soft = (logp.exp() * (logp - logq)).sum(1)
    return torch.where(case.hard_N, torch.nn.functional.nll_loss(logq, case.target_N, reduction="none"), soft)


def error(found: torch.Tensor, right: torch.Tensor) -> float:
    assert found.dtype == right.dtype
    return float(((found - right).abs().max() / right.abs().max()).detach())


@pytest.mark.parametrize("hard", ["none", "some", "all"])
def test_values_and_gradients_are_those_of_autograd(hard: str) -> None:
    case = make(11, hard)
    losses, right = distillation_loss(*case, chunk=4), by_autograd(case)
    assert losses.dtype == torch.float64
    assert error(losses, right) < 1e-9
    weights = torch.linspace(-1, 2, 11, dtype=torch.float64)  # what comes from above scales each position's gradient
    [found] = torch.autograd.grad((losses * weights).sum(), case.student_NH)
    [expected] = torch.autograd.grad((right * weights).sum(), case.student_NH)
    assert error(found, expected) < 1e-9


def test_gradients_are_those_of_finite_differences() -> None:
    case = make(5)
    assert torch.autograd.gradcheck(
        lambda student: distillation_loss(student, *case[1:], chunk=2), case.student_NH, eps=1e-6, atol=1e-7
    )


@pytest.mark.parametrize("chunk", [1, 3, 11, 128])
def test_the_chunk_size_does_not_matter(chunk: int) -> None:
    case = make(11)
    whole = distillation_loss(*case, chunk=11)
    parts = distillation_loss(*case, chunk=chunk)
    assert error(parts, whole) < 1e-12
    [a] = torch.autograd.grad(parts.sum(), case.student_NH)
    [b] = torch.autograd.grad(whole.sum(), case.student_NH)
    assert error(a, b) < 1e-12


def test_a_hard_position_is_cross_entropy_whatever_the_teacher() -> None:
    case = make(6, "all")
    right = torch.nn.functional.cross_entropy(case.student_NH @ case.head_VH.T, case.target_N, reduction="none")
    assert error(distillation_loss(*case), right) < 1e-12
    zeros = case._replace(teacher_NH=torch.zeros_like(case.teacher_NH))
    assert error(distillation_loss(*zeros), right) < 1e-12


def test_agreement_costs_nothing_and_pulls_nowhere() -> None:
    case = make(6, "none")
    same = case._replace(teacher_NH=case.student_NH.detach().clone())
    losses = distillation_loss(*same)
    assert float(losses.detach().abs().max()) < 1e-14
    [gradient] = torch.autograd.grad(losses.sum(), same.student_NH)
    assert float(gradient.abs().max()) < 1e-13


def test_losses_are_never_far_below_zero_and_survive_large_logits() -> None:
    case = make(9, "none", torch.float32)
    large = case._replace(
        student_NH=(case.student_NH * 100).detach().requires_grad_(True), teacher_NH=case.teacher_NH * 100
    )
    losses = distillation_loss(*large)
    assert bool(losses.isfinite().all())
    assert float(losses.detach().min()) > -1e-5
    losses.sum().backward()
    assert large.student_NH.grad is not None
    assert bool(large.student_NH.grad.isfinite().all())


def test_half_precision_states_give_float32_losses() -> None:
    case = make(9, "some", torch.bfloat16)
    losses = distillation_loss(*case)
    assert losses.dtype == torch.float32
    exact = Case(*(t.detach().double() if t.is_floating_point() else t for t in case))
    torch.testing.assert_close(losses.double(), by_autograd(exact), atol=0.2, rtol=0.1)
    losses.sum().backward()
    assert case.student_NH.grad is not None
    assert case.student_NH.grad.dtype == torch.bfloat16


def test_no_positions_are_no_losses() -> None:
    losses = distillation_loss(*make(0))
    assert losses.shape == (0,)
    losses.sum().backward()


class _Largest(TorchDispatchMode):
    """The number of elements of the largest tensor that any operation gives."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self.elements = max(self.elements, leaf.numel())
        return result


def test_logits_of_all_positions_never_exist_at_once() -> None:
    positions, vocabulary, chunk = 400, 1000, 16
    case = make(positions, "some", torch.float32, vocabulary)
    with _Largest() as largest:
        distillation_loss(*case, chunk=chunk).sum().backward()
    assert chunk * vocabulary <= largest.elements <= max(chunk * vocabulary, positions * H)
    with _Largest() as plain:  # the measure sees what it has to see
        by_autograd(case).sum().backward()
    assert plain.elements == positions * vocabulary
