"""The losses: a linear head that student and teacher share, and a divergence, in one pass over chunks of positions.

Both sides are given by hidden states [N, H] (LoRA leaves the head alone); logits [chunk, V] exist for one chunk at a
time. The gradient with respect to the student's logits z is known in closed form, so nothing but the gradient of its
hidden states is kept. With q the student's distribution, p the teacher's and y the token that stands there:

    forward KL     sum p log(p/q)                        d/dz = q - p
    reverse KL     sum q log(q/p)                        d/dz = q (g - <q, g>), g = log(q/p)
    JSD(beta)      beta KL(p|m) + (1-beta) KL(q|m)       d/dz = q (g - <q, g>), g = (1-beta) log(q/m)
    sampled token  log q(y) - log p(y)                   d/dz = (onehot(y) - q) (log q(y) - log p(y))
    cross-entropy  -log q(y)                             d/dz = q - onehot(y)

where m = beta p + (1-beta) q.
Forward KL, reverse KL and JSD as in GKD, arXiv:2306.13649; of the sampled token the value is the estimate of the
reverse KL and the gradient is REINFORCE's, whose expectation over y ~ q is the reverse KL's.

Always holds: the loss of every position is returned, so that weights, caps and ratios are plain products outside; the
result does not depend on the chunk size, up to rounding; a position that is masked out costs nothing.

Knows hidden states and token ids. Learning rates do not transfer between losses: near agreement, JSD(beta)'s gradient
is beta (1 - beta) times KL's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch

from journeyman.model.head import Head

Kind = Literal["forward_kl", "reverse_kl", "jsd", "sampled_token"]
Support = Literal["teacher", "student"]

CHUNK_ROWS = 128


@dataclass(frozen=True)
class Divergence:
    """How far the student is from its teacher, and over which outcomes.

    top_k: 0 for the full vocabulary; else the k likeliest tokens of `support` are outcomes and all others together are
    one more, so that what lies outside still counts. temperature divides both sides' logits within the divergence, and
    nowhere else (the loss is not multiplied by its square).
    """

    kind: Kind = "forward_kl"
    beta: float = 0.5
    top_k: int = 0
    support: Support = "teacher"
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind) or self.support not in get_args(Support):
            kinds, supports = (", ".join(get_args(each)) for each in (Kind, Support))
            raise ValueError(f"kind must be one of {kinds}, and support one of {supports}")
        if not 0.0 < self.beta < 1.0:
            raise ValueError(f"beta must lie between 0 and 1, not {self.beta}: the ends are the two KLs")
        if self.temperature <= 0.0 or self.top_k < 0:
            raise ValueError("temperature must be positive and top_k not negative")
        if self.top_k and self.kind == "sampled_token":
            raise ValueError("the sampled token has one outcome: leave top_k out")


FORWARD_KL = Divergence()


class TokenLosses(NamedTuple):
    """Of each position: the loss [N] in nats, differentiable; log q(y) [N] and the student's entropy [N], constants."""

    loss_N: torch.Tensor
    logq_N: torch.Tensor
    entropy_N: torch.Tensor


def token_losses(
    student_NH: torch.Tensor,
    head: Head,
    target_N: torch.Tensor,
    *,
    teacher_NH: torch.Tensor | None = None,
    teacher_head: Head | None = None,
    hard_N: torch.Tensor | None = None,
    mask_N: torch.Tensor | None = None,
    divergence: Divergence = FORWARD_KL,
    chunk: int = CHUNK_ROWS,
) -> TokenLosses:
    """Losses of all positions, differentiable in `student_NH`.

    Where hard_N (bool) is True, or without a teacher: cross-entropy of target_N. Elsewhere `divergence` from the
    teacher, whose states are [N, H] under `head`, or [N, H'] under its own head over the same vocabulary. Where
    mask_N is False: zeros, and no work.
    """
    for given, dimensions in ((student_NH, 2), (target_N, 1), (teacher_NH, 2), (hard_N, 1), (mask_N, 1)):
        if given is not None and (given.ndim != dimensions or len(given) != len(student_NH)):
            raise ValueError("give states as [N, H] and all else of the same N positions: flatten batches first")
    if teacher_NH is None:
        hard_N = torch.ones_like(target_N, dtype=torch.bool)
        teacher_NH = student_NH.detach()
    elif hard_N is None:
        hard_N = torch.zeros_like(target_N, dtype=torch.bool)
    if mask_N is None:
        mask_N = torch.ones_like(hard_N)
    plan = [
        *[(rows, False) for rows in (mask_N & ~hard_N).nonzero()[:, 0].split(chunk)],
        *[(rows, True) for rows in (mask_N & hard_N).nonzero()[:, 0].split(chunk)],
    ]
    return TokenLosses(
        *_Fused.apply(student_NH, teacher_NH, target_N, plan, head, teacher_head or head, divergence)  # type: ignore[misc]
    )


class _Fused(torch.autograd.Function):
    """The whole pass; the gradient is made on the way forward, and only scaled on the way back."""

    @staticmethod
    def forward(ctx, student_NH, teacher_NH, target_N, plan, head, teacher_head, divergence):  # type: ignore[override]
        exact = torch.promote_types(student_NH.dtype, torch.float32)  # float64 stays float64
        loss_N, logq_N, entropy_N = (student_NH.new_zeros(student_NH.shape[0], dtype=exact) for _ in range(3))
        grad_NH = torch.zeros_like(student_NH)
        heat = divergence.temperature
        for rows, hard in plan:
            if not len(rows):
                continue
            logits_CV = head.logits(student_NH[rows])
            logq_CV = logits_CV.log_softmax(1)
            q_CV = logq_CV.exp()
            token_C1 = target_N[rows, None]
            logq_C1 = logq_CV.gather(1, token_C1)
            logq_N[rows] = logq_C1[:, 0]
            entropy_N[rows] = -torch.linalg.vecdot(q_CV, logq_CV)
            if hard:
                loss_C, grad_CV = -logq_C1[:, 0], q_CV.scatter_add_(1, token_C1, -torch.ones_like(logq_C1))
            else:
                logp_CV = (teacher_head.logits(teacher_NH[rows]) / heat).log_softmax(1)
                if heat != 1.0:
                    logq_CV = (logits_CV / heat).log_softmax(1)
                    q_CV, logq_C1 = logq_CV.exp(), logq_CV.gather(1, token_C1)
                if divergence.kind == "sampled_token":
                    loss_C1 = logq_C1 - logp_CV.gather(1, token_C1)
                    grad_CV = (-q_CV).scatter_add_(1, token_C1, torch.ones_like(loss_C1)).mul_(loss_C1)
                    loss_C = loss_C1[:, 0]
                elif divergence.top_k and divergence.top_k < logq_CV.shape[1]:
                    loss_C, grad_CV = _bucketed(q_CV, logq_CV, logp_CV, divergence)
                else:
                    loss_C, grad_CV = _over(q_CV, logq_CV, logp_CV, divergence)
                grad_CV.div_(heat)
            loss_N[rows] = loss_C
            grad_NH[rows] = head.pull_back(grad_CV, logits_CV)
        ctx.save_for_backward(grad_NH)
        ctx.mark_non_differentiable(logq_N, entropy_N)
        return loss_N, logq_N, entropy_N

    @staticmethod
    def backward(ctx, upstream_N, *_):  # type: ignore[override]
        (grad_NH,) = ctx.saved_tensors
        return grad_NH * upstream_N[:, None].to(grad_NH.dtype), None, None, None, None, None, None


def _over(
    q_CB: torch.Tensor, logq_CB: torch.Tensor, logp_CB: torch.Tensor, divergence: Divergence
) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss [C] over B outcomes, and its gradient [C, B] as if log q were the logits. Writes over `q_CB`."""
    if divergence.kind == "forward_kl":
        p_CB = logp_CB.exp()
        return torch.linalg.vecdot(p_CB, logp_CB - logq_CB), q_CB.sub_(p_CB)
    if divergence.kind == "reverse_kl":
        g_CB = logq_CB - logp_CB
        loss_C = torch.linalg.vecdot(q_CB, g_CB)
        return loss_C, q_CB.mul_(g_CB.sub_(loss_C[:, None]))
    beta = divergence.beta
    logm_CB = torch.logaddexp(logp_CB + math.log(beta), logq_CB + math.log1p(-beta))
    g_CB = (logq_CB - logm_CB).mul_(1.0 - beta)
    own_C = torch.linalg.vecdot(q_CB, g_CB)
    loss_C = own_C + beta * torch.linalg.vecdot(logp_CB.exp(), logp_CB - logm_CB)
    return loss_C, q_CB.mul_(g_CB.sub_(own_C[:, None]))


def _bucketed(
    q_CV: torch.Tensor, logq_CV: torch.Tensor, logp_CV: torch.Tensor, divergence: Divergence
) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss [C] over the top k and one bucket, and its gradient [C, V]. Writes over `q_CV`.

    Inside the bucket the gradient is shared out by q / q(bucket), as a difference of logs, since either may underflow:
    the loss sees only the bucket's mass.
    """
    wanted_CV = logp_CV if divergence.support == "teacher" else logq_CV
    top_CK = wanted_CV.topk(divergence.top_k, dim=1).indices

    def binned(log_CV: torch.Tensor) -> torch.Tensor:
        # Summed over what is outside, not as 1 - top: that would cancel where the top has nearly all.
        rest_C1 = log_CV.scatter(1, top_CK, -torch.inf).logsumexp(1, keepdim=True)
        return torch.cat([log_CV.gather(1, top_CK), rest_C1], 1)

    logq_CB = binned(logq_CV)
    loss_C, grad_CB = _over(logq_CB.exp(), logq_CB, binned(logp_CV), divergence)
    torch.sub(logq_CV, logq_CB[:, -1:], out=q_CV).exp_().mul_(grad_CB[:, -1:])
    return loss_C, q_CV.scatter_(1, top_CK, grad_CB[:, :-1])


def capped(loss_N: torch.Tensor, cap: float) -> torch.Tensor:
    """Losses beyond `cap` nats rescaled to it: such a position pulls less, but is never cut off from its gradient."""
    return loss_N * (cap / loss_N.detach().abs().clamp_min(cap))


def importance(logq_N: torch.Tensor, then_N: torch.Tensor, cap: float = 2.0) -> torch.Tensor:
    """Truncated importance weights [N], min(q / q_then, cap), for tokens sampled with log-probabilities `then_N`."""
    return (logq_N.detach() - then_N).exp().clamp_max(cap)
