"""The distillation loss: a linear head shared by both sides, and a divergence, in one pass over chunks of positions.

Student and veteran share the frozen head W (LoRA leaves it alone), so both are given by hidden states [N, H]; logits
[chunk, V] exist for one chunk at a time. The gradient of the loss with respect to the student's logits z is known in
closed form (forward KL(p || softmax z): softmax(z) - p), so nothing but the gradient of the hidden states is kept.

Always holds: the loss of every position is returned; the result does not depend on the chunk size, up to rounding.
"""

from __future__ import annotations

import torch

CHUNK_ROWS = 128


class _FusedLoss(torch.autograd.Function):
    """losses [N] of student states against a target distribution or target tokens; weights [N] scale the gradient."""

    @staticmethod
    def forward(ctx, student_NH, teacher_NH, target_N, hard_N, head_VH, chunk):  # type: ignore[override]
        exact = torch.promote_types(student_NH.dtype, torch.float32)  # float64 stays float64
        losses_N = student_NH.new_empty(student_NH.shape[0], dtype=exact)
        grad_NH = torch.empty_like(student_NH)
        for start in range(0, student_NH.shape[0], chunk):
            rows = slice(start, start + chunk)
            logq_CV = (student_NH[rows] @ head_VH.T).to(exact)
            logq_CV -= logq_CV.logsumexp(1, keepdim=True)
            logp_CV = (teacher_NH[rows] @ head_VH.T).to(exact)
            logp_CV -= logp_CV.logsumexp(1, keepdim=True)
            p_CV = logp_CV.exp()
            hard_C1 = hard_N[rows, None]
            # A hard position's target is its token: all mass there, and -log q as its loss.
            token_C1 = target_N[rows, None]
            if bool(hard_C1.any()):
                one_hot_CV = torch.zeros_like(p_CV).scatter_(1, token_C1, 1.0)
                p_CV = torch.where(hard_C1, one_hot_CV, p_CV)
            soft_C = (p_CV * (logp_CV - logq_CV)).sum(1)
            losses_N[rows] = torch.where(hard_C1[:, 0], -logq_CV.gather(1, token_C1)[:, 0], soft_C)
            grad_NH[rows] = (logq_CV.exp_() - p_CV).to(head_VH.dtype) @ head_VH
        ctx.save_for_backward(grad_NH)
        return losses_N

    @staticmethod
    def backward(ctx, upstream_N):  # type: ignore[override]
        (grad_NH,) = ctx.saved_tensors
        return grad_NH * upstream_N[:, None].to(grad_NH.dtype), None, None, None, None, None


def distillation_loss(
    student_NH: torch.Tensor,
    teacher_NH: torch.Tensor,
    target_N: torch.Tensor,
    hard_N: torch.Tensor,
    head_VH: torch.Tensor,
    chunk: int = CHUNK_ROWS,
) -> torch.Tensor:
    """Per-position losses [N] in nats, differentiable in `student_NH`.

    Where hard_N is False: forward KL(softmax(W t) || softmax(W s)) over the full vocabulary. Where it is True:
    cross-entropy of target_N (for what the veteran is not sure of).
    """
    return _FusedLoss.apply(student_NH, teacher_NH, target_N, hard_N, head_VH, chunk)  # type: ignore[return-value]
