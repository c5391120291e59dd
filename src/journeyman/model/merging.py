"""An adapter merged into its base: a model of the same shape that needs no adapter.

Always holds: each weight is W + s B A, added in float32 and stored as the base stores it; nothing else of the model
changes.

Knows a model's directory or name and an adapter's directory.
"""

from __future__ import annotations

from pathlib import Path

from journeyman.model import lora, source


def merge(model: Path | str, adapter: Path, into: Path) -> None:
    """Write `model` (see `source.locate`) with `adapter` merged into it, and its tokenizer, in transformers' format."""
    import torch
    from torch import nn

    loaded, tokenizer = source.load(model, "auto")
    layers = {name: module for name, module in loaded.named_modules() if isinstance(module, nn.Linear)}
    state = lora.load(adapter, layers)
    with torch.no_grad():
        for name, (A_RI, B_OR) in state.matrices.items():
            weight = layers[name].weight
            weight.copy_(weight.float() + state.config.scale * (B_OR @ A_RI))
    with source.quiet():
        loaded.save_pretrained(into)
        tokenizer.save_pretrained(into)
