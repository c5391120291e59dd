"""The head: what a family does to its logits, and the way back."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from journeyman.model.head import Head

WEIGHT = torch.randn(11, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
HIDDEN = torch.randn(3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize(
    ("settings", "scale", "softcap"),
    [
        ({}, 1.0, None),
        ({"logit_scale": 0.0625}, 0.0625, None),  # Cohere multiplies
        ({"logits_scaling": 8.0}, 0.125, None),  # Granite divides
        ({"final_logit_softcapping": 30.0}, 1.0, 30.0),  # Gemma 2
        ({"final_logit_softcapping": None, "logit_scale": None}, 1.0, None),
    ],
)
def test_what_a_family_does_is_read_from_its_config(
    settings: dict[str, float | None], scale: float, softcap: float | None
) -> None:
    output = SimpleNamespace(weight=WEIGHT)
    head = Head.of(SimpleNamespace(config=SimpleNamespace(**settings), get_output_embeddings=lambda: output))
    assert (head.weight_VH is WEIGHT, head.scale, head.softcap) == (True, scale, softcap)


@pytest.mark.parametrize("scale", [1.0, 0.3])
@pytest.mark.parametrize("softcap", [None, 1.5])
def test_the_way_back_is_the_derivative(scale: float, softcap: float | None) -> None:
    head = Head(WEIGHT, scale, softcap)
    upstream = torch.randn(3, 11, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    hidden = HIDDEN.clone().requires_grad_(True)
    logits = head.logits(hidden)
    [right] = torch.autograd.grad(logits, hidden, upstream)
    torch.testing.assert_close(head.pull_back(upstream.clone(), logits.detach()), right)


def test_half_precision_gives_float32_logits() -> None:
    head = Head(WEIGHT.bfloat16())
    logits = head.logits(HIDDEN.bfloat16())
    assert logits.dtype == torch.float32
    assert head.pull_back(logits, logits).dtype == torch.bfloat16
