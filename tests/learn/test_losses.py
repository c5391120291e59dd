"""The fused losses against plain autograd over full logits, in float64, and what holds for all of them."""

from __future__ import annotations

import math
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from journeyman.learn.losses import (
    Divergence,
    TokenLosses,
    capped,
    importance,
    token_losses,
)
from journeyman.model.head import Head

V, H = 37, 8
KINDS = {
    "forward KL": Divergence(),
    "reverse KL": Divergence("reverse_kl"),
    "JSD .5": Divergence("jsd", beta=0.5),
    "JSD .1": Divergence("jsd", beta=0.1),
    "sampled token": Divergence("sampled_token"),
    "forward KL, top 5": Divergence(top_k=5),
    "reverse KL, top 5 of the student": Divergence("reverse_kl", top_k=5, support="student"),
    "JSD .2, top 5": Divergence("jsd", beta=0.2, top_k=5),
    "forward KL, more than all": Divergence(top_k=V + 3),
    "forward KL, warm": Divergence(temperature=1.7),
    "reverse KL, cold": Divergence("reverse_kl", temperature=0.6),
    "JSD .5, top 3, warm": Divergence("jsd", top_k=3, temperature=2.0),
    "sampled token, warm": Divergence("sampled_token", temperature=1.4),
}
HEADS = {"plain": (1.0, None), "scaled": (0.25, None), "capped": (1.0, 3.0), "both": (0.5, 2.0)}


class Case(NamedTuple):
    student_NH: torch.Tensor
    teacher_NH: torch.Tensor
    target_N: torch.Tensor
    hard_N: torch.Tensor
    head: Head

    def run(self, **options: Any) -> TokenLosses:
        given = {"teacher_NH": self.teacher_NH, "hard_N": self.hard_N, **options}
        return token_losses(self.student_NH, self.head, self.target_N, **given)


def make(
    positions: int,
    hard: str = "some",
    dtype: torch.dtype = torch.float64,
    vocabulary: int = V,
    scale: float = 1.0,
    softcap: float | None = None,
    spread: float = 1.0,
) -> Case:
    generator = torch.Generator().manual_seed(positions)

    def normal(*shape: int) -> torch.Tensor:
        return (spread * torch.randn(*shape, generator=generator, dtype=torch.float64)).to(dtype)

    hard_N = {
        "none": torch.zeros(positions, dtype=torch.bool),
        "all": torch.ones(positions, dtype=torch.bool),
        "some": torch.arange(positions) % 3 == 1,
    }[hard]
    return Case(
        normal(positions, H).requires_grad_(True),
        normal(positions, H),
        torch.randint(0, vocabulary, (positions,), generator=generator),
        hard_N,
        Head(normal(vocabulary, H), scale, softcap),
    )


def plain_logits(states_NH: torch.Tensor, head: Head) -> torch.Tensor:
    logits_NV = head.scale * (states_NH @ head.weight_VH.T)
    return logits_NV if head.softcap is None else head.softcap * (logits_NV / head.softcap).tanh()


def binned(log_NV: torch.Tensor, top_NK: torch.Tensor) -> torch.Tensor:
    top = log_NV.gather(1, top_NK)
    return torch.cat([top, (1 - top.exp().sum(1, keepdim=True)).log()], 1)


def by_autograd(case: Case, divergence: Divergence) -> tuple[torch.Tensor, torch.Tensor]:
    """Values, and something whose gradient is the loss's, over whole [N, V] logits."""
    named = torch.nn.functional.cross_entropy(plain_logits(case.student_NH, case.head), case.target_N, reduction="none")
    logq = (plain_logits(case.student_NH, case.head) / divergence.temperature).log_softmax(1)
    logp = (plain_logits(case.teacher_NH, case.head) / divergence.temperature).log_softmax(1)
    if divergence.kind == "sampled_token":
        said, wanted = (each.gather(1, case.target_N[:, None])[:, 0] for each in (logq, logp))
        k1 = (said - wanted).detach()
        return torch.where(case.hard_N, named, k1), torch.where(case.hard_N, named, k1 * said)
    if 0 < divergence.top_k < logq.shape[1]:
        top = (logp if divergence.support == "teacher" else logq).topk(divergence.top_k).indices
        logq, logp = binned(logq, top), binned(logp, top)
    p, q = logp.exp(), logq.exp()
    logm = (divergence.beta * p + (1 - divergence.beta) * q).log()
    soft = {
        "forward_kl": (p * (logp - logq)).sum(1),
        "reverse_kl": (q * (logq - logp)).sum(1),
        "jsd": divergence.beta * (p * (logp - logm)).sum(1) + (1 - divergence.beta) * (q * (logq - logm)).sum(1),
    }[divergence.kind]
    values = torch.where(case.hard_N, named, soft)
    return values, values


def error(found: torch.Tensor, right: torch.Tensor) -> float:
    assert found.dtype == right.dtype
    return float(((found - right).abs().max() / right.abs().max()).detach())


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_gradients_are_those_of_autograd(kind: str, head: str) -> None:
    case = make(11, scale=HEADS[head][0], softcap=HEADS[head][1])
    losses = case.run(divergence=KINDS[kind], chunk=4).loss_N
    values, surrogate = by_autograd(case, KINDS[kind])
    assert losses.dtype == torch.float64
    assert error(losses, values) < 1e-9
    weights = torch.linspace(-1, 2, 11, dtype=torch.float64)  # what comes from above scales each position's gradient
    [found] = torch.autograd.grad((losses * weights).sum(), case.student_NH)
    [right] = torch.autograd.grad((surrogate * weights).sum(), case.student_NH)
    assert error(found, right) < 1e-9


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("sampled")])
@pytest.mark.parametrize("head", ["plain", "both"])
def test_gradients_are_those_of_finite_differences(kind: str, head: str) -> None:
    case = make(5, scale=HEADS[head][0], softcap=HEADS[head][1])
    assert torch.autograd.gradcheck(
        lambda student: case._replace(student_NH=student).run(divergence=KINDS[kind], chunk=2).loss_N,
        case.student_NH,
        eps=1e-6,
        atol=1e-7,
    )


@pytest.mark.parametrize("temperature", [1.0, 1.4])
def test_the_sampled_tokens_gradient_is_the_reverse_kls_in_expectation(temperature: float) -> None:
    case = make(3, "none")
    q = (plain_logits(case.student_NH, case.head) / temperature).softmax(1).detach()
    expected = torch.zeros_like(case.student_NH)
    for token in range(V):
        sampled = case._replace(target_N=torch.full((3,), token))
        losses = sampled.run(divergence=Divergence("sampled_token", temperature=temperature)).loss_N
        expected += torch.autograd.grad((losses * q[:, token]).sum(), case.student_NH)[0]
    whole = case.run(divergence=Divergence("reverse_kl", temperature=temperature)).loss_N
    [right] = torch.autograd.grad(whole.sum(), case.student_NH)
    assert error(expected, right) < 1e-9


@pytest.mark.parametrize("beta", [0.1, 0.5, 0.9])
def test_near_agreement_the_jsds_gradient_is_a_fraction_of_the_kls(beta: float) -> None:
    case = make(4, "none")
    near = case._replace(teacher_NH=case.student_NH.detach() + 1e-6)
    gradients = [
        torch.autograd.grad(near.run(divergence=kind).loss_N.sum(), near.student_NH)[0]
        for kind in (Divergence("jsd", beta=beta), Divergence())
    ]
    assert error(gradients[0], beta * (1 - beta) * gradients[1]) < 1e-4


def test_a_wanted_but_unlikely_token_is_pulled_hardest_by_the_forward_kl() -> None:
    """p = .9 and q = .01 for one token: the published gradient norms, which decide the default."""
    head = Head(torch.eye(2, dtype=torch.float64))
    states = [torch.tensor([[math.log(share), math.log(1 - share)]], dtype=torch.float64) for share in (0.01, 0.9)]
    norms = []
    for divergence in (Divergence(), Divergence("reverse_kl"), Divergence("jsd")):
        student = states[0].clone().requires_grad_(True)
        losses = token_losses(
            student, head, torch.zeros(1, dtype=torch.long), teacher_NH=states[1], divergence=divergence
        ).loss_N
        norms.append(float(torch.autograd.grad(losses.sum(), student)[0].norm()))
    assert norms[0] == pytest.approx(1.26, abs=0.01)
    assert norms[0] > 10 * norms[1] > 10 * norms[2]


@given(
    kind=st.sampled_from(["forward_kl", "reverse_kl", "jsd"]),
    k=st.integers(1, V - 1),
    spread=st.floats(0.1, 4.0),
    support=st.sampled_from(["teacher", "student"]),
)
@settings(max_examples=60, deadline=None)
def test_a_bucketed_divergence_is_one(kind: Any, k: int, spread: float, support: Any) -> None:
    """Never negative, never more than over the full vocabulary, and the same where one token is left for the bucket."""
    case = make(6, "none", spread=spread)
    whole = case.run(divergence=Divergence(kind)).loss_N
    some = case.run(divergence=Divergence(kind, top_k=k, support=support)).loss_N
    assert float(some.detach().min()) > -1e-12
    assert bool((some <= whole + 1e-9).all())
    if k == V - 1:
        assert error(some, whole) < 1e-8


def test_mass_outside_the_top_still_pulls() -> None:
    """Without its bucket a truncated KL is blind to a student that agrees inside the top and errs outside."""
    case = make(4, "none")
    apart = case._replace(teacher_NH=-case.student_NH.detach())
    losses = apart.run(divergence=Divergence(top_k=1, support="student")).loss_N
    assert bool((losses > 0.01).all())
    assert float(torch.autograd.grad(losses.sum(), apart.student_NH)[0].norm(dim=1).min()) > 1e-3


def test_a_bucket_whose_mass_underflows_still_pulls() -> None:
    student = torch.tensor([[200.0, 0.0, 0.0, 0.0]], requires_grad=True)
    found = token_losses(
        student,
        Head(torch.eye(4)),
        torch.zeros(1, dtype=torch.long),
        teacher_NH=torch.tensor([[0.0, 200.0, 0.0, 0.0]]),
        divergence=Divergence(top_k=1, support="student"),
    )
    [gradient] = torch.autograd.grad(found.loss_N.sum(), student)
    assert gradient[0].tolist() == pytest.approx([1.0, -1 / 3, -1 / 3, -1 / 3], rel=1e-4)


@pytest.mark.parametrize("chunk", [1, 3, 11, 128])
@pytest.mark.parametrize("kind", ["forward KL", "JSD .2, top 5"])
def test_the_chunk_size_does_not_matter(kind: str, chunk: int) -> None:
    case = make(11)
    whole, parts = (case.run(divergence=KINDS[kind], chunk=size) for size in (11, chunk))
    for one, other in zip(parts, whole, strict=True):
        assert error(one, other) < 1e-12
    [a] = torch.autograd.grad(parts.loss_N.sum(), case.student_NH)
    [b] = torch.autograd.grad(whole.loss_N.sum(), case.student_NH)
    assert error(a, b) < 1e-12


def test_a_hard_position_is_cross_entropy_whatever_the_teacher() -> None:
    case = make(6, "all")
    logits = plain_logits(case.student_NH, case.head)
    right = torch.nn.functional.cross_entropy(logits, case.target_N, reduction="none")
    warm = Divergence(temperature=2.0)  # of a divergence: what was sampled at temperature 1 stays as likely as it was
    runs = [case.run(), case.run(teacher_NH=None), case.run(teacher_NH=torch.zeros_like(case.teacher_NH))]
    for run in [*runs, case.run(divergence=warm)]:
        assert error(run.loss_N, right) < 1e-12
        assert error(run.logq_N, -right) < 1e-12
        assert not run.logq_N.requires_grad
    q = logits.softmax(1)
    assert error(case.run().entropy_N, -(q * q.log()).sum(1)) < 1e-12
    soft = make(6, "none").run(divergence=warm)
    assert error(soft.entropy_N, -(q * q.log()).sum(1)) < 1e-12
    assert error(soft.logq_N, -right) < 1e-12


def test_masked_positions_are_zeros_and_cost_nothing() -> None:
    case = make(11)
    broken = torch.arange(11) % 4 == 0
    spoilt = case._replace(student_NH=case.student_NH.detach().masked_fill(broken[:, None], torch.nan).requires_grad_())
    found, right = spoilt.run(mask_N=~broken), case.run()
    for one, other in zip(found, right, strict=True):
        assert not one[broken].any()
        assert error(one[~broken], other[~broken]) < 1e-12
    [gradient] = torch.autograd.grad(found.loss_N.sum(), spoilt.student_NH)
    assert not gradient[broken].any()
    assert gradient[~broken].all(1).all()


def test_a_teacher_may_have_another_head() -> None:
    case, wide = make(7, "none"), 12
    generator = torch.Generator().manual_seed(1)
    states, weight = (torch.randn(n, wide, generator=generator, dtype=torch.float64) for n in (7, V))
    found = case.run(teacher_NH=states, teacher_head=Head(weight, scale=0.5)).loss_N
    logq = plain_logits(case.student_NH, case.head).log_softmax(1)
    logp = (0.5 * states @ weight.T).log_softmax(1)
    assert error(found, (logp.exp() * (logp - logq)).sum(1)) < 1e-12


@pytest.mark.parametrize("kind", KINDS)
def test_agreement_costs_nothing_and_pulls_nowhere(kind: str) -> None:
    case = make(6, "none")
    same = case._replace(teacher_NH=case.student_NH.detach().clone())
    losses = same.run(divergence=KINDS[kind]).loss_N
    assert float(losses.detach().abs().max()) < 1e-13
    [gradient] = torch.autograd.grad(losses.sum(), same.student_NH)
    assert float(gradient.abs().max()) < 1e-13


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("sampled")])
def test_losses_are_never_far_below_zero_and_survive_large_logits(kind: str) -> None:
    case = make(9, "none", torch.float32)
    large = case._replace(
        student_NH=(case.student_NH * 100).detach().requires_grad_(True), teacher_NH=case.teacher_NH * 100
    )
    losses = large.run(divergence=KINDS[kind]).loss_N
    assert bool(losses.isfinite().all())
    assert float(losses.detach().min()) > -1e-5
    losses.sum().backward()
    assert large.student_NH.grad is not None
    assert bool(large.student_NH.grad.isfinite().all())


def test_half_precision_states_give_float32_losses() -> None:
    case = make(9, "some", torch.bfloat16)
    losses = case.run().loss_N
    assert losses.dtype == torch.float32
    exact = Case(
        case.student_NH.detach().double(),
        case.teacher_NH.double(),
        case.target_N,
        case.hard_N,
        Head(case.head.weight_VH.double()),
    )
    torch.testing.assert_close(losses.double(), by_autograd(exact, Divergence())[0], atol=0.2, rtol=0.1)
    losses.sum().backward()
    assert case.student_NH.grad is not None
    assert case.student_NH.grad.dtype == torch.bfloat16


def test_no_positions_are_no_losses() -> None:
    losses = make(0).run().loss_N
    assert losses.shape == (0,)
    losses.sum().backward()


@pytest.mark.parametrize("name", ["target_N", "teacher_NH", "hard_N", "mask_N"])
@pytest.mark.parametrize(
    "change", [lambda each: each[:-1], lambda each: torch.cat([each, each]), lambda each: each[None]]
)
def test_what_is_not_of_the_same_positions_is_refused(name: str, change: Any) -> None:
    """A shorter list of targets would leave positions out in silence, and a longer teacher be heard out of step."""
    case = make(5)
    given = {**case._asdict(), "mask_N": torch.ones(5, dtype=torch.bool)}
    with pytest.raises(ValueError, match="same N positions"):
        token_losses(**{**given, name: change(given[name])})


@pytest.mark.parametrize(
    "options",
    [
        {"beta": 0.0},
        {"beta": 1.0},
        {"temperature": 0.0},
        {"top_k": -1},
        {"kind": "sampled_token", "top_k": 3},
        {"kind": "reverse-kl"},
        {"support": "both"},
    ],
)
def test_what_is_no_divergence_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|leave"):
        Divergence(**options)


class _Peak(TorchDispatchMode):
    """The most bytes that tensors which operations gave held at one time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self.holders: Counter[int] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                storage, size = leaf.untyped_storage()._cdata, leaf.untyped_storage().nbytes()
                self.now += 0 if self.holders[storage] else size
                self.holders[storage] += 1
                self.most = max(self.most, self.now)
                weakref.finalize(leaf, self.dropped, storage, size)
        return result

    def dropped(self, storage: int, size: int) -> None:
        self.holders[storage] -= 1
        self.now -= 0 if self.holders[storage] else size


@pytest.mark.parametrize("kind", KINDS)
def test_memory_does_not_grow_with_the_logits_of_all_positions(kind: str) -> None:
    positions, vocabulary, chunk = 400, 1000, 16

    def peak(positions: int, run: Callable[[Case], torch.Tensor]) -> int:
        case = make(positions, "some", torch.float32, vocabulary)
        with _Peak() as seen:
            run(case).sum().backward()
        return seen.most

    found = [
        peak(n, lambda case: case.run(divergence=KINDS[kind], chunk=chunk).loss_N) for n in (positions, 2 * positions)
    ]
    states, logits = 4 * positions * H, 4 * positions * vocabulary
    assert found[1] - found[0] < 10 * states < logits / 10
    assert found[0] < 16 * 4 * chunk * vocabulary + 10 * states < 2 * logits
    plain = [peak(n, lambda case: by_autograd(case, KINDS[kind])[1]) for n in (positions, 2 * positions)]
    assert plain[1] - plain[0] > 2 * logits  # the measure sees what it has to see


# What is done with the losses of single tokens


def test_a_cap_rescales_and_does_not_cut() -> None:
    raw = torch.tensor([0.5, 5.0, 20.0], requires_grad=True)
    found = capped(raw, 5.0)
    assert found.tolist() == [0.5, 5.0, 5.0]
    assert torch.autograd.grad(found.sum(), raw)[0].tolist() == [1.0, 1.0, 0.25]
    assert capped(torch.tensor([-20.0, 0.0]), 5.0).tolist() == [-5.0, 0.0]  # the sampled token's may be negative


def test_importance_weights_are_truncated_ratios() -> None:
    now, then = torch.tensor([0.5, 0.2, 0.1]).log(), torch.tensor([0.1, 0.2, 0.2]).log()
    assert importance(now, then).tolist() == pytest.approx([2.0, 1.0, 0.5])
    assert not importance(now.requires_grad_(), then).requires_grad
