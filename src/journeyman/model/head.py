"""The head: from hidden states to logits, as the model's family computes them.

Always holds: `logits` is what the model itself would give; `pull_back` is its exact transposed derivative.

Knows one matrix and two numbers; no tokens, no losses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Head:
    """weight_VH: the unembedding; logits are multiplied by `scale`, then capped: softcap * tanh(logits / softcap)."""

    weight_VH: torch.Tensor
    scale: float = 1.0
    softcap: float | None = None

    @classmethod
    def of(cls, model: Any) -> Head:
        """The head of a transformers causal language model, with what its family does to the logits."""
        config = model.config
        scale = float(getattr(config, "logit_scale", None) or 1.0) / float(
            getattr(config, "logits_scaling", None) or 1.0
        )
        return cls(model.get_output_embeddings().weight, scale, getattr(config, "final_logit_softcapping", None))

    def logits(self, hidden_NH: torch.Tensor) -> torch.Tensor:
        """Logits [N, V], in float32 or better."""
        logits_NV = hidden_NH @ self.weight_VH.T
        logits_NV = logits_NV.to(torch.promote_types(logits_NV.dtype, torch.float32))
        if self.scale != 1.0:
            logits_NV = logits_NV * self.scale
        if self.softcap is not None:
            logits_NV = self.softcap * (logits_NV / self.softcap).tanh()
        return logits_NV

    def pull_back(self, grad_NV: torch.Tensor, logits_NV: torch.Tensor) -> torch.Tensor:
        """The gradient of the hidden states [N, H], given that of the logits; `grad_NV` may be written over."""
        if self.softcap is not None:
            grad_NV *= 1.0 - (logits_NV / self.softcap).square()
        if self.scale != 1.0:
            grad_NV *= self.scale
        return grad_NV.to(self.weight_VH.dtype) @ self.weight_VH
